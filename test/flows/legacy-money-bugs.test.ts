import { setTimeout as sleep } from "node:timers/promises";
import postgres from "postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Log } from "../../src/adapters/log.ts";
import { parseAmount } from "../../src/base/money.ts";
import { withEnoughTime } from "../support/enough-time.ts";
import { TEST_SETTINGS } from "../support/http-api.ts";
import { startTestWorkflows, type TestWorkflows } from "../support/http-system.ts";
import { createLegacyClient, message, wish } from "../support/legacy-client.ts";
import { startLegacyApi, type LegacyApi } from "../support/legacy-system.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";
import { until } from "../support/until.ts";

const SHORT_TTL_MS = 400;
const errors: string[] = [];
const log: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: (_, words) => void errors.push(words) };

let database: TestDatabase;
let admin: postgres.Sql;
let workflows: TestWorkflows;
let legacy: LegacyApi;
let shortlived: LegacyApi;
/** An API whose reservations live for so long. */
const startShortlived = (defaultMs: number) =>
  startLegacyApi({
    databaseUrl: database.appUrl,
    starters: workflows.starters,
    log,
    settings: { reservationTtl: { ...TEST_SETTINGS.reservationTtl, defaultMs } },
  });

beforeAll(async () => {
  database = await createTestDatabase();
  admin = postgres(database.adminUrl, { max: 1, fetch_types: false, onnotice: () => undefined });
  workflows = await startTestWorkflows(database.appUrl, ["orders"], log);
  const { starters } = workflows;
  legacy = await startLegacyApi({ databaseUrl: database.appUrl, starters, log });
  shortlived = await startShortlived(SHORT_TTL_MS);
  await legacy.send("POST", "/api/services", { services: [{ id: 1, name: "Delivery" }] });
});

afterAll(async () => {
  await Promise.all([legacy.close(), shortlived.close()]);
  await workflows.close();
  await admin.end();
  await database.drop();
});

const { credit, balanceOf, reserve, release, purchase, shown } = createLegacyClient(() => legacy);
const kindsOf = async (user: string) =>
  (await admin<{ kind: string }[]>`select kind from operations where user_id = ${user} and outcome = 'done' order by id`).map(
    ({ kind }) => kind,
  );

test("B-01: a release gives back what is held, and another amount than that is refused", async () => {
  await credit("b01", 10);
  await reserve("b01", 1);
  expect(message(await release("b01", 1_000_000))).toBe("wrong purchase amount, stored in reserve");
  expect(await balanceOf("b01")).toBe(9);
  expect((await release("b01", 1)).body).toBe("OK");
  expect(await balanceOf("b01")).toBe(10);
});

test("B-02: amounts of zero and below are refused everywhere, and no balance can be below zero in the database", async () => {
  await credit("b02", 10);
  for (const amount of [0, -100, -0.01, "-1", "0.00"]) {
    expect((await credit("b02", amount)).status).toBe(400);
    expect((await legacy.send("POST", "/api/reserve", { ...wish("b02", 1), amount })).status).toBe(400);
    expect((await legacy.send("POST", "/api/purchase", { ...wish("b02", 1), amount })).status).toBe(400);
    expect((await legacy.send("DELETE", "/api/reserve", { ...wish("b02", 1), amount })).status).toBe(400);
  }
  expect(await balanceOf("b02")).toBe(10);
  await expect(admin`update accounts set balance_minor = -1 where owner = 'b02' and kind = 'available'`).rejects.toThrow(
    /accounts_never_below_zero/,
  );
});

test("B-06: money that is held goes back by itself although the service was restarted meanwhile", async () => {
  await credit("b06", 10);
  const ttlMs = await withEnoughTime(SHORT_TTL_MS, async (timeMs) => {
    const api = await startShortlived(timeMs);
    expect((await reserve("b06", 4, api)).body).toBe("OK");
    await api.close();
    await workflows.stopWorkers();
    if ((await balanceOf("b06")) === 6) return timeMs;
    await workflows.restartWorkers();
    return undefined;
  });
  await sleep(ttlMs * 2);
  expect(await balanceOf("b06")).toBe(6);
  await workflows.restartWorkers();
  await until("the money of b06 is back", async () => (await balanceOf("b06")) === 10);
  expect(message(await shown("b06"))).toBe("money were not reserved for order");
});

test("B-07: the timer of a reservation that was released does not release the next one of the same order", async () => {
  await credit("b07", 10);
  const ttlMs = await withEnoughTime(SHORT_TTL_MS, async (timeMs) => {
    const api = await startShortlived(timeMs);
    await reserve("b07", 4, api);
    await api.close();
    const released = await release("b07", 4);
    if (released.body !== "OK" && message(released) === "money were not reserved for order") return undefined;
    expect(released.body).toBe("OK");
    return timeMs;
  });
  expect((await reserve("b07", 5)).body).toBe("OK");
  await sleep(ttlMs * 3);
  expect(JSON.parse((await shown("b07")).body)).toMatchObject({ amount: 5, purchased: false });
  expect(await balanceOf("b07")).toBe(5);
});

test("B-08: time that runs out is no error and none is logged", async () => {
  await credit("b08", 10);
  errors.length = 0;
  await reserve("b08", 4, shortlived);
  await until("the money of b08 is back", async () => (await balanceOf("b08")) === 10);
  await reserve("b08", 4);
  await purchase("b08", 4);
  expect(errors).toEqual([]);
});

test("B-09: releasing what was bought is an error, and the money stays where it is", async () => {
  await credit("b09", 10);
  await reserve("b09", 4);
  await purchase("b09", 4);
  const answer = await release("b09", 4);
  expect([answer.status, message(answer)]).toEqual([400, "the purchase has already happened"]);
  expect(await balanceOf("b09")).toBe(6);
});

test("B-10: amounts are exact to the last kopeck, all two hundred thousand of those that were not", async () => {
  for (let kopecks = 1; kopecks <= 200_000; kopecks += 1) {
    const text = `${Math.floor(kopecks / 100)}.${String(kopecks % 100).padStart(2, "0")}`;
    if (parseAmount(text, "RUB") !== BigInt(kopecks)) expect.fail(`${text} is read as ${parseAmount(text, "RUB")}`);
  }
  for (const [place, amount] of [0.15, 1.1, 0.3, 999_999.99, 1_234_567.89].entries()) {
    await credit(`b10-${place}`, amount);
    expect((await legacy.send("GET", `/api?id=b10-${place}`)).body).toBe(`{"balance":${amount}}`);
  }
});

test("B-12: every credit has its row, the second and third as well", async () => {
  for (const amount of [1, 2, 3]) await credit("b12", amount);
  expect(await kindsOf("b12")).toEqual(["deposit", "deposit", "deposit"]);
});

test("B-13: reserve, release and purchase have their rows", async () => {
  await credit("b13", 10);
  await reserve("b13", 4);
  await release("b13", 4);
  await reserve("b13", 4);
  await purchase("b13", 4);
  expect(await kindsOf("b13")).toEqual(["deposit", "hold", "release", "hold", "capture"]);
});
