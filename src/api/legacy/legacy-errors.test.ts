import { expect, it } from "vitest";
import { makeProblem } from "../http/problem.ts";
import { asLegacyError } from "./legacy-errors.ts";

const answered = (code: "REQUEST_IN_FLIGHT" | "CONFLICT") => asLegacyError(makeProblem({ code, instance: "/api", correlationId: "c" }));

it("a request whose first copy still runs keeps its 409: it is no mistake, and may be sent again", () => {
  expect(answered("REQUEST_IN_FLIGHT").status).toBe(409);
  expect(JSON.parse(answered("REQUEST_IN_FLIGHT").body)).toEqual({ message: expect.stringContaining("still running") as string });
  expect(answered("CONFLICT").status).toBe(400);
});
