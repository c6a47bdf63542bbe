// Prints what vitest reported itself: failures by name, then which tests passed only at their second try, and last the closing line.
// No report, no test in it, or too many second tries are a failure: those tests count as failed then.
import { readFileSync } from "node:fs";
import { relative } from "node:path";

const MESSAGE_LENGTH = 600;
/** A shared machine has a hiccup now and then; more of them in one run are races of the tests or of the code. */
const MAX_TRIED_AGAIN = 2;
let passed = 0;
let failed = Number(process.env.CHECKS_FAILED ?? 0);
const triedAgain = [];
try {
  const report = JSON.parse(readFileSync(process.env.SALDO_TEST_RESULTS, "utf8"));
  passed = report.numPassedTests;
  let failures = report.numFailedTests;
  for (const file of report.testResults) {
    const name = relative(process.cwd(), file.name);
    const isBroken = file.status === "failed" && file.assertionResults.every(({ status }) => status !== "failed");
    if (isBroken) failures += 1;
    // Of a hook that failed vitest's report has no words.
    if (isBroken || file.message !== "") tell("a file failed", name, file.message || "one of its hooks failed");
    for (const { fullName, status, failureMessages } of file.assertionResults) {
      const [first] = failureMessages;
      if (status === "failed") tell("failed", `${name}: ${fullName}`, first ?? "without a message");
      // Vitest keeps the failures of the first try with a test that passed at its second.
      else if (first !== undefined) triedAgain.push(`${name}: ${fullName}: ${first.split("\n", 1)[0]}`);
    }
  }
  if (failures === 0 && (passed === 0 || !report.success)) {
    console.log(passed === 0 ? "the report has no test that passed" : "vitest failed without a failed test: see its own output");
    failures = 1;
  }
  failed += failures;
} catch (error) {
  console.log(`there is no report of the tests: ${error.message}`);
  failed += 1;
}
if (process.env.CHECKS_FAILED === "1") console.log("npm run check failed");
for (const words of triedAgain) console.log(`passed only when tried again: ${words}`);
if (triedAgain.length > MAX_TRIED_AGAIN) {
  console.log(`${triedAgain.length} tests needed a second try, and ${MAX_TRIED_AGAIN} may: they count as failed`);
  passed -= triedAgain.length;
  failed += triedAgain.length;
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);

function tell(what, name, message) {
  console.log(`${what}: ${name}\n  ${message.slice(0, MESSAGE_LENGTH).replaceAll("\n", "\n  ")}`);
}
