// Prints the last line of a CI run from vitest's JSON report: "123 passed, 0 failed", and how many were skipped if any.
// The second argument counts the stages of the run that failed: none of them may end in a line that says "0 failed".
import { readFileSync } from "node:fs";

const [file, failedStages] = process.argv.slice(2);
const text = readFileSync(file, "utf8");
const report = text === "" ? { testResults: [], numPassedTests: 0, numFailedTests: 0 } : JSON.parse(text);
// A file that fails to load has no tests to count: it is one failure.
const brokenFiles = report.testResults.filter(
  (result) => result.status === "failed" && result.assertionResults.length === 0,
);
const failed = Math.max(report.numFailedTests + brokenFiles.length, Number(failedStages));
const skipped = (report.numPendingTests ?? 0) + (report.numTodoTests ?? 0);
console.log(`${report.numPassedTests} passed, ${failed} failed${skipped === 0 ? "" : `, ${skipped} skipped`}`);
