import { randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { SILENT_LOG } from "../../adapters/log.ts";
import { createPayloadCodec } from "../../adapters/payload-codec/payload-codec.ts";
import { DomainError } from "../../base/errors.ts";
import type { Role } from "../../contract/identity.ts";
import { createCodecApp } from "./codec-app.ts";

const ORIGIN = "https://temporal.example";
const codec = createPayloadCodec({ keys: [{ id: "k1", secret: randomBytes(32) }], encrypts: true, acceptsPlain: true });
const roles: Record<string, readonly Role[]> = { "Bearer admin": ["admin"], "Bearer shop": ["service", "user"] };
const authenticate = async (authorization: string | undefined) => {
  const found = roles[authorization ?? ""];
  if (found === undefined) throw new DomainError("UNAUTHENTICATED");
  return { subject: "anna", roles: found };
};
const app = createCodecApp({ codec, authenticator: { authenticate }, origin: ORIGIN, log: SILENT_LOG });
const toBase64 = (text: string) => Buffer.from(text).toString("base64");
const plain = { metadata: { encoding: toBase64("json/plain") }, data: toBase64('{"userId":"anna"}') };

async function post(path: string, body: unknown, headers: Record<string, string> = {}) {
  const response = await app.request(path, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: "Bearer admin", ...headers },
    body: JSON.stringify(body),
  });
  return { status: response.status, headers: response.headers, body: (await response.json()) as Record<string, unknown> };
}

describe("the codec server", () => {
  it("encrypts and decrypts as Temporal's Web UI and command line ask it to, and leaves what is in the open", async () => {
    const encoded = await post("/encode", { payloads: [plain] });
    expect(encoded.status).toBe(200);
    const [payload] = encoded.body["payloads"] as (typeof plain)[];
    expect(payload?.metadata.encoding).toBe(toBase64("binary/encrypted"));
    expect(Buffer.from(payload?.data ?? "", "base64").toString("latin1")).not.toContain("anna");
    expect((await post("/decode", { payloads: [payload, plain] })).body).toEqual({ payloads: [plain, plain] });
    expect((await post("/decode", {})).body).toEqual({ payloads: [] });
  });

  it("answers an admin's token alone", async () => {
    for (const path of ["/decode", "/encode"]) {
      expect((await post(path, { payloads: [] }, { authorization: "Bearer nobody" })).body).toMatchObject({ code: "UNAUTHENTICATED" });
      expect((await post(path, { payloads: [] }, { authorization: "Bearer shop" })).body).toMatchObject({ code: "FORBIDDEN" });
    }
  });

  it("lets the pages of one origin ask, and refuses every other before it looks at the token", async () => {
    const asked = await post("/decode", { payloads: [plain] }, { origin: ORIGIN });
    expect([asked.status, asked.headers.get("access-control-allow-origin")]).toEqual([200, ORIGIN]);
    const foreign = await post("/decode", { payloads: [plain] }, { origin: "https://evil.example" });
    expect([foreign.status, foreign.headers.get("access-control-allow-origin")]).toEqual([403, null]);
    const preflight = (origin: string) =>
      app.request("/decode", { method: "OPTIONS", headers: { origin, "access-control-request-method": "POST" } });
    const allowed = await preflight(ORIGIN);
    expect([allowed.status, allowed.headers.get("access-control-allow-headers")]).toEqual([
      204,
      "authorization, content-type, x-namespace",
    ]);
    expect((await preflight("https://evil.example")).status).toBe(403);
    const refused = await post("/decode", {}, { origin: ORIGIN, authorization: "Bearer nobody" });
    expect([refused.status, refused.headers.get("access-control-allow-origin")]).toEqual([401, ORIGIN]);
    const closed = createCodecApp({ codec, authenticator: { authenticate }, origin: undefined, log: SILENT_LOG });
    const unset = await closed.request("/decode", {
      method: "POST",
      headers: { origin: ORIGIN, authorization: "Bearer admin" },
      body: "{}",
    });
    expect(unset.status).toBe(403);
  });

  it("names what it cannot read by its code, and refuses what is no list of payloads", async () => {
    const foreignCodec = createPayloadCodec({ keys: [{ id: "k9", secret: randomBytes(32) }], encrypts: true, acceptsPlain: true });
    const foreignApp = createCodecApp({ codec: foreignCodec, authenticator: { authenticate }, origin: undefined, log: SILENT_LOG });
    const made = await foreignApp.request("/encode", {
      method: "POST",
      headers: { "content-type": "application/json", authorization: "Bearer admin" },
      body: JSON.stringify({ payloads: [plain] }),
    });
    expect(await post("/decode", await made.json())).toMatchObject({ status: 500, body: { code: "PAYLOAD_UNREADABLE" } });
    expect(await post("/decode", { payloads: [{ data: 5 }] })).toMatchObject({ status: 400, body: { code: "INVALID_REQUEST" } });
    expect(await post("/elsewhere", {})).toMatchObject({ status: 404, body: { code: "NOT_FOUND" } });
  });
});
