/** One instant per statement. clock_timestamp() itself is volatile, so no index condition could use it. */
export const CLOCK = "clock AS MATERIALIZED (SELECT clock_timestamp() AS now)";
