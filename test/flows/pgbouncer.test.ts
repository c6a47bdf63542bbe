import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { SILENT_LOG } from "../../src/adapters/log.ts";
import { openRedis } from "../../src/adapters/redis/redis.ts";
import { loadConfig } from "../../src/config.ts";
import { auditBooks } from "../../src/store/ledger/audit.ts";
import { createDatabase } from "../../src/store/postgres/database.ts";
import { createLane, type Lane } from "../../src/store/postgres/lane.ts";
import { takeLease } from "../../src/store/postgres/leases.ts";
import { migrateDatabase } from "../../src/store/postgres/migrate.ts";
import { isPooled } from "../../src/store/postgres/pooler.ts";
import { dependencyChecks } from "../../workers/parts/dependency-checks.ts";
import { createTestApi, type TestApi } from "../support/http-api.ts";
import { startTestWorkflows } from "../support/http-system.ts";
import { findPgBouncer, startPgBouncer, type PgBouncer } from "../support/pgbouncer.ts";
import { relayOutbox } from "../support/relay-outbox.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";
import { makeThrowawayCa } from "../support/throwaway-ca.ts";

const program = await findPgBouncer();
if (program === undefined) console.log("PgBouncer is not on this machine (apt-get install pgbouncer): its tests are skipped.");

let database: TestDatabase;
const stops: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
});

afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

afterAll(() => database.drop());

describe.skipIf(program === undefined)("behind PgBouncer in transaction mode", () => {
  async function behind(settings: readonly string[]): Promise<{ bouncer: PgBouncer; api: TestApi }> {
    const bouncer = await startPgBouncer(program ?? "", database.appUrl, settings);
    const config = loadConfig({ DATABASE_URL: bouncer.url }, "/nonexistent");
    const probe = createDatabase({ url: bouncer.url, name: "probe", laneCount: 1, deadlineMs: 5_000 });
    const redis = openRedis({ url: undefined, logger: SILENT_LOG });
    const kafka = { ping: async () => {} };
    const checks = dependencyChecks({ config, db: probe.db, redis, temporal: () => undefined, kafka, readLag: async () => [] });
    const api = createTestApi({ databaseUrl: bouncer.url, checks: checks.filter(({ name }) => name === "postgres") });
    stops.push(bouncer.stop, () => probe.close(), api.close);
    return { bouncer, api };
  }

  test.each([
    ["that refuses the start-up parameter", []],
    ["that was told to leave it aside", ["ignore_startup_parameters = statement_timeout,extra_float_digits"]],
  ])("%s requests are served, many at once, and readiness says what is not used", async (name, settings) => {
    const { api, bouncer } = await behind(settings);
    // Sessions change hands: the second time a statement runs, it runs in another session than it was prepared in.
    const lanes = [1, 2, 3, 4, 5].map(() => createLane({ url: bouncer.url, name: "test", deadlineMs: 10_000 }));
    stops.push(() => Promise.all(lanes.map((lane) => lane.close())));
    const numbers = await Promise.all(
      Array.from({ length: 100 }, (_, n) => (lanes[n % 5] as Lane).rows(`select pg_sleep(${(n % 7) / 500}), $1::integer as n`, [n])),
    );
    expect(numbers.map((rows) => rows[0]?.["n"])).toEqual(Array.from({ length: 100 }, (_, n) => n));
    const user = `user-${name.length}`;
    const deposit = () => api.call("POST", `/api/v1/balances/${user}/deposits`, { body: { amount: "1.00" } });
    const answers = await Promise.all(Array.from({ length: 60 }, deposit));
    expect(answers.map(({ status }) => status)).toEqual(Array(60).fill(201));
    const reads = await Promise.all(Array.from({ length: 40 }, () => api.call("GET", `/api/v1/balances/${user}`)));
    for (const { body } of reads) expect(body["balances"]).toMatchObject([{ available: "60.00" }]);
    const ready = await api.call("GET", "/readyz");
    expect([ready.status, isPooled(bouncer.url)]).toEqual([200, true]);
    expect(ready.body["parts"]).toMatchObject([
      { name: "postgres", ok: true, details: { pooler: expect.stringContaining("PgBouncer") as string } },
    ]);
  });

  test("with its defaults an order, a reservation, leases, the relay and the audit work as without it, and no session is another's", async () => {
    const bouncer = await startPgBouncer(program ?? "", database.appUrl);
    const workflows = await startTestWorkflows(bouncer.url, ["orders", "payments"]);
    const api = createTestApi({ databaseUrl: bouncer.url, starters: workflows.starters });
    stops.push(bouncer.stop, workflows.close, api.close);
    await api.call("POST", "/api/v1/services", { body: { services: [{ id: "gig", name: "Gig" }] } });
    const users = Array.from({ length: 12 }, (_, n) => `buyer-${n}`);
    await Promise.all(users.map((user) => api.call("POST", `/api/v1/balances/${user}/deposits`, { body: { amount: "100" } })));
    const place = (userId: string) =>
      api.call("POST", "/api/v1/orders", {
        headers: { prefer: "wait=20" },
        body: { userId, items: [{ serviceId: "gig", amount: "60" }], comment: "through a pooler" },
      });
    const orders = await Promise.all(users.map(place));
    expect(orders.map(({ status, body }) => [status, body["status"]])).toEqual(users.map(() => [201, "CONFIRMED"]));
    const reserved = await api.call("POST", "/api/v1/reservations", {
      body: { userId: "buyer-0", serviceId: "gig", orderId: "o-1", amount: "40", ttlSeconds: 600 },
    });
    const confirmed = await api.call("POST", `/api/v1/reservations/${String(reserved.body["reservationId"])}/confirm`, {
      body: { amount: "40" },
    });
    expect(confirmed).toMatchObject({ status: 200, body: { confirmed: "40.00" } });

    const holders = ["one", "two", "three", "four"];
    const leases = await Promise.all(holders.map((holder) => takeLease(api.db, { name: "pooled", holder, ttlMs: 60_000 })));
    expect(leases.filter(Boolean)).toHaveLength(1);
    const sent: string[] = [];
    await relayOutbox(api.db, {
      send: async (_topic, messages) => void sent.push(...messages.map(({ value }) => String(value))),
      onPublished: async () => {},
    });
    expect(sent.filter((value) => value.includes("CONFIRMED"))).not.toHaveLength(0);
    expect((await auditBooks(api.db)).findings.flatMap(({ examples }) => examples)).toEqual([]);
    expect((await api.call("GET", "/api/v1/audit")).status).toBe(200);
  });

  test("over TLS its certificate is checked as that of Postgres itself, a pooler is seen all the same, and migrations are refused", async () => {
    const folder = mkdtempSync(join(tmpdir(), "saldo-pgbouncer-tls-"));
    stops.push(async () => rmSync(folder, { recursive: true, force: true }));
    const authority = await makeThrowawayCa(folder);
    const stranger = await makeThrowawayCa(folder, "stranger");
    const { cert, key } = await authority.issue("pooler", { commonName: "pooler", names: ["localhost", "127.0.0.1"] });
    // PgBouncer runs as another user.
    chmodSync(folder, 0o755);
    chmodSync(key, 0o644);
    const tls = ["client_tls_sslmode = require", `client_tls_key_file = ${key}`, `client_tls_cert_file = ${cert}`];
    const bouncer = await startPgBouncer(program ?? "", database.appUrl, tls);
    stops.push(bouncer.stop);
    const urlWith = (ca: string) =>
      loadConfig({ DATABASE_URL: bouncer.url, DATABASE_TLS: "on", DATABASE_TLS_CA: ca }, "/nonexistent").DATABASE_URL ?? "";
    const url = urlWith(authority.ca);
    const lanes = [1, 2, 3, 4].map(() => createLane({ url, name: "test", deadlineMs: 10_000 }));
    stops.push(() => Promise.all(lanes.map((lane) => lane.close())));
    const rows = await Promise.all(Array.from({ length: 40 }, (_, n) => (lanes[n % 4] as Lane).rows("select $1::integer as n", [n])));
    expect(rows.map(([row]) => row?.["n"])).toEqual(Array.from({ length: 40 }, (_, n) => n));
    expect(isPooled(url)).toBe(true);
    const distrusting = createLane({ url: urlWith(stranger.ca), name: "test", deadlineMs: 10_000 });
    stops.push(() => distrusting.close());
    await expect(distrusting.rows("select 1", [])).rejects.toThrow(/its certificate is not signed by an authority of DATABASE_TLS_CA/);
    const plain = createLane({ url: bouncer.url, name: "test", deadlineMs: 10_000 });
    stops.push(() => plain.close());
    await expect(plain.rows("select 1", [])).rejects.toThrow(/SSL required/i);
    await expect(migrateDatabase({ adminUrl: url, appUrl: url })).rejects.toThrow(/leads through a pooler/);
  });

  test.each([[[]], [["ignore_startup_parameters = statement_timeout,extra_float_digits"]]])(
    "migrations through it are refused in a sentence and touch nothing (%j)",
    async (settings) => {
      const bouncer = await startPgBouncer(program ?? "", database.adminUrl, settings);
      stops.push(bouncer.stop);
      await expect(migrateDatabase({ adminUrl: bouncer.url, appUrl: database.appUrl })).rejects.toMatchObject({
        code: "INVALID_REQUEST",
        message: expect.stringMatching(/leads through a pooler.*DATABASE_ADMIN_URL/) as string,
      });
      expect(await migrateDatabase(database)).toEqual({ applied: 0 });
    },
  );

  test("a long result comes in groups, and its deadline becomes nobody else's", async () => {
    const { bouncer } = await behind([]);
    const lanes = [1, 2, 3, 4].map(() => createLane({ url: bouncer.url, name: "test", deadlineMs: 10_000 }));
    stops.push(() => Promise.all(lanes.map((lane) => lane.close())));
    const [lane] = lanes;
    await lane?.rows("select 1", []);
    const groups: number[] = [];
    await lane?.stream("select n from generate_series(1, 2500) n", [], 1_000, 1_500, async (rows) => void groups.push(rows.length));
    expect(groups).toEqual([1_000, 1_000, 500]);
    // Each runs in any session of the pool, longer than the stream's deadline.
    const slow = await Promise.all(lanes.map((one) => one.rows("select pg_sleep(2), 7 as seven", [])));
    expect(slow.map(([row]) => row?.["seven"])).toEqual([7, 7, 7, 7]);
  });
});
