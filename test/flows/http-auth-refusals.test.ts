import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bearer, createAuthClient, openAuthBench, PASSWORD, withoutIds, type AuthBench } from "../support/auth-bench.ts";
import type { TestApi } from "../support/http-api.ts";
import type { RealIdentities } from "../support/real-identity.ts";

let bench: AuthBench;
let identities: RealIdentities;
let api: TestApi;
let lines: object[];

beforeAll(async () => {
  bench = await openAuthBench();
  ({ identities, api, lines } = bench);
});

afterAll(() => bench.close());

const { post, me, loggedIn } = createAuthClient(() => bench);

describe("a refusal", () => {
  it("has one body whatever was wrong, and the reason stands in the log alone", async () => {
    const good = await identities.bearer("ops", ["admin"]);
    const refused = [
      {},
      { authorization: "Basic b3BzOm9wcw==" },
      { authorization: `${good.authorization}, ${good.authorization}` },
      { authorization: `${good.authorization}x` },
      bearer("a.b.c"),
    ];
    lines.length = 0;
    const answers = await Promise.all(refused.map((headers: Record<string, string>) => me(headers)));
    const [first] = answers;
    for (const answer of answers) {
      expect(answer.status).toBe(401);
      expect(answer.headers.get("www-authenticate")).toBe("Bearer");
      expect(withoutIds(answer)).toEqual(first && withoutIds(first));
    }
    const reasons = lines.flatMap((line) => ("reason" in line ? [String(line.reason)] : []));
    expect(reasons.toSorted((left, right) => left.localeCompare(right))).toEqual([
      "ERR_JWS_INVALID",
      "form",
      "header",
      "header",
      "no token",
    ]);
  });

  it("is not avoided by a token in the address", async () => {
    const token = (await identities.bearer("ops", ["admin"])).authorization.slice(7);
    expect((await api.call("GET", `/api/v1/auth/me?access_token=${token}`)).status).toBe(401);
  });

  it("writes no password and no token to the log", async () => {
    const { accessToken, refreshToken } = await loggedIn();
    await post("refresh", { refreshToken });
    await me(bearer(`${accessToken}x`));
    const text = JSON.stringify(lines);
    for (const secret of [PASSWORD, accessToken, refreshToken]) expect(text).not.toContain(secret);
  });
});

it("the public keys are for everybody, may be kept for five minutes, and hold nothing private", async () => {
  const { status, headers, body } = await api.call("GET", "/.well-known/jwks.json");
  expect(status).toBe(200);
  expect(headers.get("cache-control")).toBe("public, max-age=300");
  const [key] = body["keys"] as Record<string, unknown>[];
  expect(Object.keys(key ?? {}).sort()).toEqual(["alg", "e", "kid", "kty", "n", "use"]);
});
