// Prints what vitest reported itself, failures by name, and last the closing line; no report, or no test in it, is a failure.
import { readFileSync } from "node:fs";
import { relative } from "node:path";

const MESSAGE_LENGTH = 600;
let passed = 0;
let failed = Number(process.env.CHECKS_FAILED ?? 0);
try {
  const report = JSON.parse(readFileSync(process.env.SALDO_TEST_RESULTS, "utf8"));
  passed = report.numPassedTests;
  failed += report.numFailedTests + (report.success || report.numFailedTests > 0 ? 0 : 1);
  for (const file of report.testResults) {
    const name = relative(process.cwd(), file.name);
    if (file.status === "failed" && file.message !== "") tell("a file failed", name, [file.message]);
    for (const { fullName, status, failureMessages } of file.assertionResults)
      if (failureMessages.length > 0)
        tell(status === "failed" ? "failed" : "passed only when tried again", `${name}: ${fullName}`, failureMessages);
  }
} catch (error) {
  console.log(`there is no report of the tests: ${error.message}`);
  failed += 1;
}
if (process.env.CHECKS_FAILED === "1") console.log("npm run check failed");
console.log(`${passed} passed, ${failed} failed`);
process.exit(passed > 0 && failed === 0 ? 0 : 1);

function tell(what, name, [message]) {
  console.log(`${what}: ${name}\n  ${message.slice(0, MESSAGE_LENGTH).replaceAll("\n", "\n  ")}`);
}
