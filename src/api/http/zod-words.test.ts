import { describe, expect, it } from "vitest";
import { z } from "zod";
import { zodWords } from "./zod-words.ts";

const schema = z.strictObject({
  reason: z.string().min(3),
  ids: z.array(z.string()).min(1),
  limit: z.int().max(5),
  scope: z.enum(["all", "user"]),
  own: z.string("must be a name"),
});

function wordsFor(value: object): Record<string, string> {
  const issues = schema.safeParse(value, { error: zodWords }).error?.issues ?? [];
  return Object.fromEntries(issues.map(({ path, message }) => [path.join("."), message]));
}

describe("what is wrong with a request", () => {
  it("is said in the same plain words everywhere, and in a schema's own where it has some", () => {
    expect(wordsFor({})).toEqual({
      reason: "must be given",
      ids: "must be given",
      limit: "must be given",
      scope: "must be one of all, user",
      own: "must be a name",
    });
    expect(wordsFor({ reason: "a", ids: [], limit: 6, scope: "none", own: "x" })).toEqual({
      reason: "must have at least 3 characters",
      ids: "must have at least 1 members",
      limit: "must be at most 5",
      scope: "must be one of all, user",
    });
    expect(wordsFor({ reason: 1, ids: "a", limit: "1", scope: "all", own: "x" })).toEqual({
      reason: "must be text",
      ids: "must be a list",
      limit: "must be a number",
    });
  });
});
