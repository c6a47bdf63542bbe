import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { listen, type HttpServer } from "../../src/api/http/http-server.ts";
import { writeDeadLetters, type DeadLetter } from "../../src/store/events/dead-letters.ts";
import { readUnpublished } from "../../src/store/outbox/outbox.ts";
import { createTestApi, type TestApi } from "../support/http-api.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";

const DLQ = fileURLToPath(new URL("../../src/cli/dlq.ts", import.meta.url));
const CARD = "4111 1111 1111 1111";
let database: TestDatabase;
let api: TestApi;
let server: HttpServer;

const letter = (offset: string, change: Partial<DeadLetter> = {}): DeadLetter => ({
  identity: `event:t@0:${offset}`,
  topic: "t",
  partition: 0,
  offset,
  code: "INVALID_EVENT",
  reason: "no user",
  key: Buffer.from("ann"),
  value: Buffer.from('{"a":1}'),
  headers: { trace: "x" },
  attempts: 1,
  ...change,
});
const idOf = async (offset: string): Promise<string> => {
  const [row] = await api.db.execute<{ id: string }>(`select id from dead_letters where topic = 't' and "offset" = ${offset}`);
  return String(row?.id);
};
const show = async (offset: string) => (await api.call("GET", `/api/v1/dead-letters/${await idOf(offset)}`)).body;
const redriven = async () =>
  (await readUnpublished(api.db, { limitPerTopic: 1_000, withoutTopics: [] })).filter(({ aggregateType }) => aggregateType === "redrive");

beforeAll(async () => {
  database = await createTestDatabase();
  api = createTestApi({ databaseUrl: database.appUrl });
  server = await listen(api.app, { host: "127.0.0.1", port: 0 });
  await writeDeadLetters(api.db, {
    deadLetterTopic: "dlq.t",
    letters: [
      letter("1"),
      letter("2", { value: Buffer.from(`{"note":"card ${CARD}"}`), headers: { note: CARD } }),
      letter("3", { value: Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(CARD)]), code: "MALFORMED_JSON" }),
      letter("4", { value: Buffer.from("я".repeat(40_000)) }),
      letter("5", { value: Buffer.alloc(1_000_000, "x") }),
      letter("6", { value: null, key: null, headers: Object.fromEntries(Array.from({ length: 64 }, (_, n) => [`h${n}`, "v"])) }),
    ],
  });
});
afterAll(async () => {
  await server.close(100);
  await api.close();
  await database.drop();
});

describe("a dead letter, as it is shown", () => {
  it("has its content as text", async () => {
    expect(await show("1")).toMatchObject({
      identity: "event:t@0:1",
      status: "waiting",
      bytes: 7,
      key: { encoding: "utf-8", text: "ann" },
      value: { encoding: "utf-8", text: '{"a":1}', truncated: false, masked: false },
      headers: { trace: "x" },
    });
  });

  it("has no card number, whatever its bytes are", async () => {
    const [text, binary] = [await show("2"), await show("3")];
    expect(text).toMatchObject({ value: { text: '{"note":"card ****1111"}', masked: true }, headers: { note: "****1111" } });
    const value = binary["value"] as { encoding: string; text: string; masked: boolean };
    expect(value).toMatchObject({ encoding: "base64", masked: true });
    expect(Buffer.from(value.text, "base64").toString("latin1")).not.toContain("4111");
  });

  it("is cut where it is long, between two characters", async () => {
    const value = (await show("4"))["value"] as { text: string; truncated: boolean };
    expect(value.truncated).toBe(true);
    expect(value.text).toMatch(/^я+$/);
    expect(Buffer.byteLength(value.text)).toBeLessThanOrEqual(65_536);
  });

  it("is not there under another id", async () => {
    for (const id of ["999999", "x", "0", "99999999999999999999"])
      expect((await api.call("GET", `/api/v1/dead-letters/${id}`)).body["code"]).toBe("DEAD_LETTER_NOT_FOUND");
  });
});

describe("dead letters", () => {
  it("are listed by pages, whose cursor keeps the filters", async () => {
    const first = await api.call("GET", "/api/v1/dead-letters?topic=t&code=INVALID_EVENT&limit=3");
    const second = await api.call("GET", `/api/v1/dead-letters?limit=3&cursor=${String(first.body["nextCursor"])}`);
    const offsets = [first, second].flatMap(({ body }) => (body["deadLetters"] as { offset: string }[]).map(({ offset }) => offset));
    expect(offsets).toEqual(["6", "5", "4", "2", "1"]);
    expect(second.body["nextCursor"]).toBeUndefined();
    const other = await api.call("GET", `/api/v1/dead-letters?code=CONFLICT&cursor=${String(first.body["nextCursor"])}`);
    expect(other.body["code"]).toBe("INVALID_CURSOR");
    expect((await api.call("GET", "/api/v1/dead-letters?to=2020-01-01T00:00:00Z")).body["deadLetters"]).toEqual([]);
  });

  it("go again with their own bytes, and with at most as many headers as an event may have", async () => {
    await api.call("POST", `/api/v1/dead-letters/${await idOf("6")}/redrive`, { body: { reason: "try" } });
    const row = (await redriven()).at(-1);
    expect(row).toMatchObject({ topic: "t", rawKey: null, rawValue: null, headers: { "redrive-of": await idOf("6") } });
    expect(Object.keys(row?.headers ?? {}).length).toBeLessThanOrEqual(64);
  });

  it("go again corrected, with the very digits of their numbers", async () => {
    const rawBody = '{"reason":"wrong amount","body":{"amount":0.10,"id":12345678901234567890,"list":[1e2,"ä",null,true]}}';
    expect((await api.call("POST", `/api/v1/dead-letters/${await idOf("1")}/redrive`, { rawBody })).status).toBe(202);
    const row = (await redriven()).at(-1);
    expect(String(row?.rawValue)).toBe('{"amount":0.10,"id":12345678901234567890,"list":[1e2,"ä",null,true]}');
    expect(String(row?.rawKey)).toBe("ann");
  });

  it.each([
    [{ body: "x" }, 400, "INVALID_REQUEST"],
    [{ reason: "" }, 400, "INVALID_REQUEST"],
    [{ reason: "r", body: 5 }, 400, "INVALID_REQUEST"],
    [{ reason: "r", body: { card: CARD } }, 422, "CARD_DATA_REFUSED"],
    [{ reason: `card ${CARD}` }, 422, "CARD_DATA_REFUSED"],
  ])("are not sent again with %j", async (body, status, code) => {
    const answer = await api.call("POST", `/api/v1/dead-letters/${await idOf("1")}/redrive`, { body });
    expect([answer.status, answer.body["code"]]).toEqual([status, code]);
  });

  it("that are too large to carry one header more are not sent again, and hold up no others", async () => {
    expect((await api.call("POST", `/api/v1/dead-letters/${await idOf("5")}/redrive`, { body: { reason: "r" } })).body["code"]).toBe(
      "PAYLOAD_TOO_LARGE",
    );
    const many = await api.call("POST", "/api/v1/dead-letters/redrive", { body: { filter: { topic: "t" }, reason: "all" } });
    expect(many.body["deadLetterIds"]).toEqual([await idOf("2"), await idOf("3"), await idOf("4")]);
  });
});

describe("npm run dlq", () => {
  const dlq = (...args: string[]): Promise<{ code: number; output: string }> => {
    const env = { PATH: process.env["PATH"], SALDO_TOKEN: "any" };
    return new Promise((resolve) => {
      execFile(
        process.execPath,
        ["--import", "tsx", DLQ, ...args, "--api", `http://127.0.0.1:${server.port}`],
        { env, cwd: fileURLToPath(new URL("../..", import.meta.url)) },
        (error, stdout, stderr) => resolve({ code: error === null ? 0 : Number(error.code), output: stdout + stderr }),
      );
    });
  };

  it("lists, shows and sends again with a corrected value from a file", async () => {
    const folder = await mkdtemp(join(tmpdir(), "saldo-dlq-"));
    await writeFile(join(folder, "fixed.json"), '{"fixed":true}');
    const [list, shown, sent] = await Promise.all([
      dlq("list", "--code", "MALFORMED_JSON"),
      dlq("show", await idOf("2")),
      dlq("redrive", await idOf("2"), "--reason", "fixed by hand", "--body", join(folder, "fixed.json")),
    ]);
    await rm(folder, { recursive: true });
    expect([list.code, list.output]).toEqual([0, expect.stringContaining("t/0/3  MALFORMED_JSON")]);
    expect([shown.code, shown.output]).toEqual([0, expect.stringContaining('{"note":"card ****1111"}')]);
    expect([sent.code, sent.output]).toEqual([0, `1 on the way again: ${await idOf("2")}\n`]);
    expect((await redriven()).map(({ rawValue }) => String(rawValue))).toContain('{"fixed":true}');
  });

  it("says what is wrong with a call", async () => {
    const [none, unreasoned] = await Promise.all([dlq("show"), dlq("redrive", "1")]);
    expect([none.code, unreasoned.code]).toEqual([2, 2]);
    expect(unreasoned.output).toContain("--reason");
  });
});
