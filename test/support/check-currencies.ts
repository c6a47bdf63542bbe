import { CURRENCY_LIST_DATE } from "../../src/base/currencies.ts";
import { ageProblem } from "./currency-list-age.ts";

/*
 * Says when the list of currencies is older than a year. It is a part of `npm run check` and no test: no suite may turn red because time passes on the
 * machine of somebody who mends something else.
 */
const problem = ageProblem(CURRENCY_LIST_DATE, Date.now());
if (problem !== undefined) {
  process.stderr.write(`${problem}\n`);
  process.exitCode = 1;
}
