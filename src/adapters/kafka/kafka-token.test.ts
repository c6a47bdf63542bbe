import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, it } from "vitest";
import { createTokenSource } from "./kafka-token.ts";

let server: Server | undefined;
const asked: { authorization: string | undefined; form: URLSearchParams }[] = [];

afterEach(() => {
  server?.close();
  asked.length = 0;
});

async function issuer(answer: () => { status: number; body: string }): Promise<string> {
  server = createServer((request, response) => {
    let text = "";
    request.on("data", (chunk: Buffer) => (text += chunk.toString()));
    request.on("end", () => {
      asked.push({ authorization: request.headers.authorization, form: new URLSearchParams(text) });
      const { status, body } = answer();
      response.writeHead(status, { "content-type": "application/json" }).end(body);
    });
  });
  await new Promise<void>((resolve) => server?.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`;
}

const client = { clientId: "sal do", clientSecret: "hu:sh", scope: "kafka" };
const tokenAnswer = () => ({ status: 200, body: JSON.stringify({ access_token: `token-${asked.length}`, expires_in: 100 }) });

it("asks once for a token and again near its end, also for many callers at a time", async () => {
  let nowMs = 0;
  const token = createTokenSource({ ...client, tokenUrl: await issuer(tokenAnswer) }, () => nowMs);
  expect(await Promise.all([token(), token(), token()])).toEqual(["token-1", "token-1", "token-1"]);
  nowMs = 79_999;
  expect(await token()).toBe("token-1");
  nowMs = 80_000;
  expect(await token()).toBe("token-2");
  expect(asked[0]?.authorization).toBe(`Basic ${Buffer.from("sal%20do:hu%3Ash").toString("base64")}`);
  expect(Object.fromEntries(asked[0]?.form ?? [])).toEqual({ grant_type: "client_credentials", scope: "kafka" });
});

it("gives out none that would end before the client has logged in with it", async () => {
  let nowMs = 0;
  let lifeSeconds = 40;
  const tokenUrl = await issuer(() => ({
    status: 200,
    body: JSON.stringify({ access_token: `token-${asked.length}`, expires_in: lifeSeconds }),
  }));
  const token = createTokenSource({ ...client, tokenUrl }, () => nowMs);
  await token();
  nowMs = 25_000;
  expect(await token()).toBe("token-2");
  lifeSeconds = 12;
  nowMs = 60_000;
  expect([await token(), await token()]).toEqual(["token-3", "token-4"]);
});

it.each([
  [{ status: 401, body: '{"error":"invalid_client hu:sh"}' }, "the issuer of Kafka's tokens answers with 401"],
  [{ status: 200, body: "<html>" }, "the issuer of Kafka's tokens answers without an access_token"],
])("fails in words that hold no secret: %j", async (answer, message) => {
  const token = createTokenSource({ ...client, tokenUrl: await issuer(() => answer) });
  await expect(token()).rejects.toThrow(new Error(message));
  // A failure is not kept: the next call asks again.
  await expect(token()).rejects.toThrow(message);
  expect(asked).toHaveLength(2);
});
