/** What a pass reports: 200 bytes. */
export const STATUS = JSON.stringify({ ready: true, url: "http://127.0.0.1:8080/", text: "x".repeat(145) });
