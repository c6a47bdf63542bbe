import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { beforeAll, describe, expect, it } from "vitest";

const LOGGER = fileURLToPath(new URL("./logger.ts", import.meta.url));
const SECRETS = [
  "password",
  "passwordHash",
  "password_hash",
  "token",
  "accessToken",
  "refreshToken",
  "cardToken",
  "apiKey",
  "api_key",
  "authorization",
  "Authorization",
  "proxy-authorization",
  "cookie",
  "set-cookie",
  "card",
  "card_number",
  "cardNumber",
  "CardNumber",
  "number",
  "account_number",
  "pan",
  "cardPan",
  "card_expiry",
  "card_cvc",
  "cvc",
  "cvv",
  "CVV2",
  "card_cvv",
  "securityCode",
  "holderName",
  "cardHolderName",
  "card_holder_name",
  "secret",
  "clientSecret",
];
/** Names that only look so: what stands there is what operators search by. */
const HARMLESS = { accountNo: 7, tokens: 3, cardinality: 2, numberOfRows: 4, idempotencyKey: "key-1", panel: "left" };
const API_SECRET = "0123456789abcdef".repeat(4);
const API_KEY = `saldo_live_abcdefghijklmnop_${API_SECRET}00000000`;
const CANARY = "canary-4111111111111111";

/** The logger writes to the standard output of its process, as operators collect it. */
const PROGRAM = `
  import { createLogger } from ${JSON.stringify(LOGGER)};
  const log = createLogger({ role: "test", level: "debug", pretty: false });
  const secrets = Object.fromEntries(${JSON.stringify(SECRETS)}.map((name) => [name, ${JSON.stringify(CANARY)}]));
  log.info({ correlationId: "c-1", comment: "first\\r\\nlevel=error forged\\u2028line" }, "one\\r\\ntwo");
  log.child({ workflowId: "order/1", runId: "r" }).error({ err: new Error("a\\nb") }, "broken");
  log.info({ ...secrets, request: { ...secrets, headers: secrets }, list: [secrets] }, "secrets");
  log.child({ auth: secrets }).warn({ userId: "ann" }, "secrets of a child");
  log.info({ a: { b: { c: { d: secrets } } }, made: new (class { constructor() { Object.assign(this, secrets); } })() }, "deep secrets");
  log.info(${JSON.stringify(HARMLESS)}, "no secrets");
  log.info({ amountMinor: 9007199254740993n, balance: { list: [9007199254740995n] }, at: new Date(0) }, "money");
  log.info({ key: ${JSON.stringify(API_KEY)}, path: ["/x/" + ${JSON.stringify(API_KEY)}], err: new Error("no " + ${JSON.stringify(API_KEY)}) }, "a key");
`;

let text: string;
let entries: Record<string, unknown>[];

beforeAll(async () => {
  const { stdout } = await promisify(execFile)(process.execPath, ["--import", "tsx", "--input-type=module", "-e", PROGRAM]);
  text = stdout;
  entries = stdout
    .replace(/\n$/, "")
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
});

describe("the log", () => {
  it("never holds the secret of an API key, whatever the field is called and in an error's words", () => {
    expect(text).toContain("saldo_live_abcdefghijklmnop_****");
    expect(text).not.toContain(API_SECRET);
  });

  it("has every line, in order, when the process ends in the turn in which they were written, also by an error", async () => {
    const program = (end: string) => `
      import { createLogger } from ${JSON.stringify(LOGGER)};
      const log = createLogger({ role: "test", level: "info", pretty: false });
      for (let n = 0; n < 3000; n += 1) log.info({ n }, "x".repeat(100));
      ${end}`;
    for (const end of ["process.exit(3)", "throw new Error('uncaught')", ""]) {
      const { stdout } = await promisify(execFile)(process.execPath, ["--import", "tsx", "--input-type=module", "-e", program(end)], {
        maxBuffer: 10_000_000,
      }).catch((error: { stdout: string }) => error);
      const numbers = [...stdout.matchAll(/"n":(\d+)/g)].map(([, n]) => Number(n));
      expect(numbers, end).toEqual(Array.from({ length: 3_000 }, (_, n) => n));
    }
  });

  it("is one JSON object a line, with role, level in words and time, whatever the values hold", () => {
    expect(entries).toHaveLength(8);
    expect(entries[0]).toMatchObject({ level: "info", role: "test", correlationId: "c-1", msg: "one\r\ntwo" });
    expect(entries[0]).toMatchObject({
      comment: "first\r\nlevel=error forged\u2028line",
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/) as string,
    });
    expect(entries[1]).toMatchObject({ level: "error", workflowId: "order/1", runId: "r", err: { message: "a\nb" } });
  });

  it("never holds a secret, also where it stands deeper", () => {
    expect(text).not.toContain(CANARY);
    expect(entries[2]).toMatchObject({
      password: "[redacted]",
      request: { token: "[redacted]", headers: { authorization: "[redacted]" } },
    });
    expect(entries[3]).toMatchObject({ userId: "ann", auth: { cvc: "[redacted]" } });
    for (const name of SECRETS)
      expect(entries[4], name).toMatchObject({ a: { b: { c: { d: { [name]: "[redacted]" } } } }, made: { [name]: "[redacted]" } });
  });

  it("keeps what is no secret", () => {
    expect(entries[5]).toMatchObject(HARMLESS);
  });

  it("writes money as text, so that no digit is lost, also where it stands deeper", () => {
    expect(entries[6]).toMatchObject({
      amountMinor: "9007199254740993",
      balance: { list: ["9007199254740995"] },
      at: "1970-01-01T00:00:00.000Z",
    });
  });
});
