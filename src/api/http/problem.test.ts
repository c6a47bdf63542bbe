import { expect, it } from "vitest";
import { makeProblem } from "./problem.ts";

it("gives no card number back that was sent as a currency or as the name of a member", () => {
  const problem = makeProblem({
    code: "INVALID_REQUEST",
    instance: "/x",
    correlationId: "c",
    detail: "/4111111111111111 is not known here",
    errors: [{ pointer: "/4111 1111 1111 1111", message: "the name 5555555555554444 stands twice" }],
  });
  expect(JSON.stringify(problem)).not.toMatch(/41{15}|4111 1111|5{12}/);
  expect(problem.errors).toEqual([{ pointer: "/****1111", message: "the name ****4444 stands twice" }]);
  const currency = makeProblem({
    code: "INVALID_CURRENCY",
    instance: "/x",
    correlationId: "c",
    detail: 'the currency "4111111111111111" is not known',
  });
  expect(currency.detail).toBe('the currency "****1111" is not known');
});
