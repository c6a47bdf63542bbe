import { spawn, type ChildProcess } from "node:child_process";
import { appendFile, mkdtemp, readFile, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { startPspSimulator, type TestPsp } from "../../test/support/psp.ts";
import { until } from "../../test/support/until.ts";
import { isLuhnValid } from "../domain/cards/card.ts";
import type { BookEntry } from "./book.ts";
import { TEST_CARDS } from "./test-cards.ts";
import type { PaymentAnswer } from "./wire.ts";

const CARD = { number: "4111111111111111", expiry: "12/39", cvc: "987", holderName: "Ada Lovelace" };
const ENTRY = fileURLToPath(new URL("../../workers/payment-provider.ts", import.meta.url));

let dataDir: string;
let provider: TestPsp;

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "saldo-psp-"));
  provider = await startPspSimulator({ dataDir });
});

afterEach(async () => {
  await provider.stop();
  await rm(dataDir, { recursive: true, force: true });
});

interface Answer {
  readonly status: number;
  readonly body: PaymentAnswer & { token: string; error: { code: string; pointer?: string } };
  readonly headers: Headers;
}

async function ask(
  method: string,
  path: string,
  options: { body?: unknown; key?: string; apiKey?: string; url?: string } = {},
): Promise<Answer> {
  const response = await fetch((options.url ?? provider.url) + path, {
    method,
    headers: {
      authorization: `Bearer ${options.apiKey ?? provider.apiKey}`,
      ...(options.key === undefined ? {} : { "idempotency-key": options.key }),
    },
    ...(options.body === undefined ? {} : { body: typeof options.body === "string" ? options.body : JSON.stringify(options.body) }),
    signal: AbortSignal.timeout(60_000),
  });
  return { status: response.status, headers: response.headers, body: (await response.json()) as Answer["body"] };
}

const pay = (kind: string, key: string, subject: object, amountMinor = "1000", currency = "RUB") =>
  ask("POST", `/v1/payments/${kind}`, { key, body: { orderId: "o", amountMinor, currency, ...subject } });
const tokenOf = async (number = CARD.number) => (await ask("POST", "/v1/tokens", { body: { ...CARD, number } })).body.token;
const outcome = ({ status, body }: Answer) => [status, body.status, body.reason];

async function restart(): Promise<void> {
  await provider.stop();
  provider = await startPspSimulator({ dataDir });
}

describe("the vault", () => {
  it("gives the same card the same token and keeps neither number, CVC, holder nor expiry on the disk", async () => {
    const first = await ask("POST", "/v1/tokens", { body: CARD });
    expect(first.body).toEqual({ token: expect.stringMatching(/^tok_[0-9a-f]{32}$/), last4: "1111", brand: "visa" });
    await restart();
    expect((await ask("POST", "/v1/tokens", { body: CARD })).body).toEqual(first.body);
    expect(await tokenOf("4242424242424242")).not.toBe(first.body.token);
    const files = await readdir(join(dataDir, "psp"));
    expect(files.toSorted()).toEqual(["book.jsonl", "vault-key"]);
    for (const file of files) {
      const text = await readFile(join(dataDir, "psp", file), "utf8");
      for (const secret of [CARD.number, `"${CARD.cvc}"`, "Lovelace", CARD.expiry]) expect(text).not.toContain(secret);
      expect((await stat(join(dataDir, "psp", file))).mode & 0o077).toBe(0);
    }
  });

  it("refuses a card that cannot be one, with the place and without the value", async () => {
    const wrong = await ask("POST", "/v1/tokens", { body: { ...CARD, number: "4111111111111112" } });
    expect([wrong.status, wrong.body.error]).toEqual([422, { code: "invalid_card", message: expect.any(String), pointer: "/card/number" }]);
    expect((await ask("POST", "/v1/tokens", { body: { ...CARD, expiry: "12/20" } })).body.error.pointer).toBe("/card/expiry");
    expect(JSON.stringify(wrong)).not.toContain("4111111111111112");
  });
});

describe("a payment", () => {
  it("takes at most what was authorised and gives back at most what was taken", async () => {
    const cardToken = await tokenOf();
    expect(outcome(await pay("authorise", "a", { cardToken }))).toEqual([200, "approved", undefined]);
    expect(outcome(await pay("capture", "c1", { authorisationKey: "a" }, "600"))).toEqual([200, "approved", undefined]);
    expect(outcome(await pay("capture", "c2", { authorisationKey: "a" }, "401"))).toEqual([200, "declined", "amount_exceeds_authorised"]);
    expect(outcome(await pay("capture", "c3", { authorisationKey: "a" }, "100", "USD"))).toEqual([200, "declined", "currency_mismatch"]);
    expect(outcome(await pay("refund", "r1", { captureKey: "c1" }, "599"))).toEqual([200, "approved", undefined]);
    expect(outcome(await pay("refund", "r2", { captureKey: "c1" }, "2"))).toEqual([200, "declined", "amount_exceeds_captured"]);
    await restart();
    expect(outcome(await pay("refund", "r3", { captureKey: "c1" }, "2"))).toEqual([200, "declined", "amount_exceeds_captured"]);
    expect(outcome(await pay("refund", "r4", { captureKey: "c1" }, "1"))).toEqual([200, "approved", undefined]);
    expect(outcome(await pay("refund", "r5", { captureKey: "c2" }, "1"))).toEqual([200, "declined", "capture_not_found"]);
    expect(outcome(await pay("capture", "c4", { authorisationKey: "a" }, "400"))).toEqual([200, "approved", undefined]);
  });

  it("needs a card in the vault and an authorisation that was approved", async () => {
    expect(outcome(await pay("authorise", "a", { cardToken: "tok_unknown" }))).toEqual([200, "declined", "unknown_card_token"]);
    expect(outcome(await pay("capture", "c1", { authorisationKey: "a" }))).toEqual([200, "declined", "authorisation_declined"]);
    expect(outcome(await pay("capture", "c2", { authorisationKey: "never" }))).toEqual([200, "declined", "authorisation_not_found"]);
  });

  it("that was cancelled cannot be captured, one that was captured cannot be cancelled", async () => {
    const cardToken = await tokenOf();
    await pay("authorise", "a1", { cardToken });
    expect(outcome(await pay("cancel", "x1", { authorisationKey: "a1" }))).toEqual([200, "approved", undefined]);
    expect(outcome(await pay("cancel", "x1-again", { authorisationKey: "a1" }))).toEqual([200, "approved", undefined]);
    expect(outcome(await pay("capture", "c1", { authorisationKey: "a1" }))).toEqual([200, "declined", "authorisation_cancelled"]);
    await pay("authorise", "a2", { cardToken });
    await pay("capture", "c2", { authorisationKey: "a2" });
    expect(outcome(await pay("cancel", "x2", { authorisationKey: "a2" }))).toEqual([200, "declined", "already_captured"]);
  });

  it("that is cancelled before it arrives is declined when it does, also after a restart", async () => {
    const cardToken = await tokenOf();
    expect(outcome(await pay("cancel", "x", { authorisationKey: "late" }))).toEqual([200, "approved", undefined]);
    await restart();
    expect(outcome(await pay("authorise", "late", { cardToken }, "777"))).toEqual([200, "declined", "authorisation_cancelled"]);
    expect((await ask("GET", "/v1/payments/late")).body).toMatchObject({ kind: "authorise", status: "declined" });
  });

  it("is done once per key, also when a hundred ask at once; other content under the key is refused", async () => {
    const cardToken = await tokenOf();
    const answers = await Promise.all(Array.from({ length: 100 }, () => pay("authorise", "a", { cardToken })));
    expect(new Set(answers.map((answer) => JSON.stringify(answer.body))).size).toBe(1);
    expect(provider.payments()).toHaveLength(1);
    for (const other of [
      pay("authorise", "a", { cardToken }, "1001"),
      pay("authorise", "a", { cardToken }, "1000", "USD"),
      pay("authorise", "a", { cardToken: "tok" }),
      pay("capture", "a", { authorisationKey: "a" }),
    ])
      expect(await other).toMatchObject({ status: 422, body: { error: { code: "key_reused" } } });
    expect(provider.payments()).toHaveLength(1);
  });
});

describe("a card of the table", () => {
  it("passes Luhn, and each has a name of its own", () => {
    for (const { number, name } of TEST_CARDS) expect(isLuhnValid(number), name).toBe(true);
    expect(new Set(TEST_CARDS.map(({ name }) => name)).size).toBe(TEST_CARDS.length);
    expect(new Set(TEST_CARDS.map(({ number }) => number)).size).toBe(TEST_CARDS.length);
  });

  it("and every kind of script is described in docs/payments.md", async () => {
    const text = await readFile(new URL("../../docs/payments.md", import.meta.url), "utf8");
    for (const { number, name } of TEST_CARDS) expect(text, name).toMatch(new RegExp(`\\| \`?${number}\`? \\|.*${name}`));
  });
});

describe("a script", () => {
  it("shows its behaviour to its share of the keys, the same ones in whatever order they come", async () => {
    const cardToken = await tokenOf();
    provider.script({ kinds: ["5xx"], rate: 0.3, seed: 7 });
    const keys = Array.from({ length: 400 }, (_, place) => `k${place}`);
    const failed = async (list: string[]) => {
      const statuses = await Promise.all(list.map(async (key) => ({ key, status: (await pay("authorise", key, { cardToken })).status })));
      return statuses
        .filter(({ status }) => status === 503)
        .map(({ key }) => key)
        .toSorted();
    };
    const first = await failed(keys);
    expect(first.length).toBeGreaterThan(80);
    expect(first.length).toBeLessThan(160);
    await provider.stop();
    await rm(join(dataDir, "psp", "book.jsonl"));
    provider = await startPspSimulator({ dataDir });
    await tokenOf();
    provider.script({ kinds: ["5xx"], rate: 0.3, seed: 7 });
    expect(await failed(keys.toReversed())).toEqual(first);
    provider.clearScripts();
    expect((await pay("authorise", first[0] ?? "", { cardToken })).status).toBe(200);
  });

  it("comes and goes over HTTP, and one that is not understood is refused", async () => {
    const cardToken = await tokenOf();
    expect((await ask("POST", "/v1/scripts", { body: { kinds: ["429"], keyPrefix: "busy" } })).status).toBe(200);
    const busy = await pay("authorise", "busy1", { cardToken });
    expect([busy.status, busy.headers.get("retry-after")]).toEqual([429, "1"]);
    expect((await pay("authorise", "free1", { cardToken })).status).toBe(200);
    await ask("DELETE", "/v1/scripts");
    expect((await pay("authorise", "busy1", { cardToken })).status).toBe(200);
    expect((await ask("POST", "/v1/scripts", { body: { kinds: ["explode"] } })).status).toBe(400);
  });

  it("of a stored 500 answers the same key so for ever, also after a restart, until it is reconciled", async () => {
    const cardToken = await tokenOf();
    provider.script({ kinds: ["stored-500-charged"], keyPrefix: "yes" });
    provider.script({ kinds: ["stored-500-uncharged"], keyPrefix: "no" });
    for (const key of ["yes", "no"]) expect((await pay("authorise", key, { cardToken })).status).toBe(500);
    await restart();
    for (const key of ["yes", "no"]) expect((await pay("authorise", key, { cardToken })).status).toBe(500);
    expect([(await ask("GET", "/v1/payments/yes")).status, (await ask("GET", "/v1/payments/no")).status]).toEqual([200, 404]);
    expect((await ask("POST", "/v1/reconcile", { body: {} })).body).toEqual({ keys: ["yes", "no"] });
    for (const key of ["yes", "no"]) expect((await pay("authorise", key, { cardToken })).status).toBe(200);
    expect(provider.payments()).toHaveLength(2);
  });
});

describe("a request", () => {
  it("without the right API key is refused and does nothing", async () => {
    for (const apiKey of ["", "wrong", `${provider.apiKey}x`])
      for (const [method, path] of [
        ["GET", "/v1/book"],
        ["POST", "/v1/tokens"],
        ["POST", "/v1/scripts"],
      ] as const)
        expect((await ask(method, path, { apiKey, ...(method === "POST" ? { body: CARD } : {}) })).status).toBe(401);
    expect(provider.book()).toEqual({ entries: [], calls: [] });
  });

  it.each([
    ["POST", "/v1/payments/authorise", { body: "{", key: "k" }, 400],
    ["POST", "/v1/payments/authorise", { body: { amountMinor: "0" }, key: "k" }, 400],
    ["POST", "/v1/payments/authorise", { body: { orderId: "o", amountMinor: "1.5", currency: "RUB", cardToken: "t" }, key: "k" }, 400],
    ["POST", "/v1/payments/authorise", { body: { orderId: "o", amountMinor: "1", currency: "RUB", cardToken: "t" } }, 400],
    ["POST", "/v1/payments/settle", { body: {}, key: "k" }, 404],
    ["POST", "/v1/tokens", { body: "x".repeat(20_000) }, 400],
    ["GET", "/v1/payments/%E0%A4%A", {}, 404],
    ["PUT", "/v1/tokens", { body: {} }, 404],
    ["GET", "/v2/book", {}, 404],
  ] as const)("%s %s that is wrong is answered as such (%#)", async (method, path, options, status) => {
    expect((await ask(method, path, options)).status).toBe(status);
  });
});

describe("the book", () => {
  it("forgets a last line that was cut off, and goes on after it", async () => {
    await pay("authorise", "a", { cardToken: await tokenOf() });
    await provider.stop();
    const path = join(dataDir, "psp", "book.jsonl");
    await appendFile(path, '{"type":"payment","key":"torn","ki');
    provider = await startPspSimulator({ dataDir });
    expect(provider.payments().map(({ key }) => key)).toEqual(["a"]);
    await pay("capture", "c", { authorisationKey: "a" });
    await restart();
    expect(provider.payments().map(({ key }) => key)).toEqual(["a", "c"]);
  });

  it("with any other line that cannot be read is not guessed at", async () => {
    await provider.stop();
    await writeFile(join(dataDir, "psp", "book.jsonl"), '{"type":"token"\n{"type":"reconciled","key":"k","at":""}\n');
    await expect(startPspSimulator({ dataDir })).rejects.toThrow(/book\.jsonl, line 1 is not JSON/);
  });

  it("holds all that was answered when the process is killed at any moment", async () => {
    await provider.stop();
    const acknowledged: string[] = [];
    let sent = 0;
    for (let life = 0; life < 3; life += 1) {
      const { child, url } = await startProcess(dataDir);
      const token = (await ask("POST", "/v1/tokens", { body: CARD, url, apiKey: PROCESS_KEY })).body.token;
      const client = async () => {
        for (;;) {
          const key = `k${(sent += 1)}`;
          const body = { orderId: key, amountMinor: "1", currency: "RUB", cardToken: token };
          const answer = await ask("POST", "/v1/payments/authorise", { key, url, apiKey: PROCESS_KEY, body }).catch(() => undefined);
          if (answer?.status !== 200) return;
          acknowledged.push(key);
        }
      };
      const clients = Array.from({ length: 16 }, client);
      await until("many were answered", () => acknowledged.length > 40 * (life + 1));
      child.kill("SIGKILL");
      await Promise.all(clients);
    }
    provider = await startPspSimulator({ dataDir });
    const keys = provider.payments().map(({ key }) => key);
    expect(acknowledged.length).toBeGreaterThan(100);
    expect(new Set(keys).size).toBe(keys.length);
    expect(acknowledged.filter((key) => !keys.includes(key))).toEqual([]);
  });

  it("is told whole to whoever has the API key", async () => {
    await pay("authorise", "a", { cardToken: await tokenOf() });
    const { body } = await ask("GET", "/v1/book");
    const { entries, calls } = body as unknown as { entries: BookEntry[]; calls: unknown[] };
    expect(entries.map(({ type }) => type)).toEqual(["token", "payment"]);
    expect(calls).toHaveLength(2);
  });
});

const PROCESS_KEY = "the-key-of-a-process";

async function startProcess(directory: string): Promise<{ child: ChildProcess; url: string }> {
  const child = spawn(process.execPath, ["--import", "tsx", ENTRY], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, DATA_DIR: directory, PSP_PORT: "0", PSP_API_KEY: PROCESS_KEY, LOG_LEVEL: "info" },
  });
  const url = await new Promise<string>((resolve, reject) => {
    child.once("exit", () => reject(new Error("the provider ended")));
    child.stdout?.on("data", (chunk: Buffer) => {
      const found = /"url":"([^"]+)"/.exec(chunk.toString())?.[1];
      if (found !== undefined) resolve(found);
    });
  });
  return { child, url };
}
