import { createServer, connect, type AddressInfo, type Server } from "node:net";
import postgres from "postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createLegacyClient, wish } from "../support/legacy-client.ts";
import { startLegacyApi, type LegacyApi } from "../support/legacy-system.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";
import { until } from "../support/until.ts";

let database: TestDatabase;
let admin: postgres.Sql;
let legacy: LegacyApi;

beforeAll(async () => {
  database = await createTestDatabase();
  admin = postgres(database.adminUrl, { max: 1, fetch_types: false, onnotice: () => undefined });
  legacy = await startLegacyApi({ databaseUrl: database.appUrl });
  await legacy.send("POST", "/api/services", { services: [{ id: 1, name: "Delivery" }] });
});

afterAll(async () => {
  await legacy.close();
  await admin.end();
  await database.drop();
});

const { credit, balanceOf } = createLegacyClient(() => legacy);

test("B-03: a commit that fails is never answered with OK", async () => {
  await credit("b03", 10);
  const hasty = await startLegacyApi({ databaseUrl: database.appUrl, deadlineMs: 1_000 });
  await failCommits("true");
  const answer = await credit("b03", 5, hasty);
  await stopFailing();
  await hasty.close();
  expect(answer.status).toBe(503);
  expect(await balanceOf("b03")).toBe(10);
});

test("B-04: serialization failures are retried, and the money moves once", async () => {
  await credit("b04", 10);
  await admin`create sequence commits_failed`;
  await failCommits("nextval('public.commits_failed') <= 2");
  const answer = await credit("b04", 5);
  await stopFailing();
  const [tried] = await admin<{ last_value: string }[]>`select last_value::text from commits_failed`;
  expect(Number(tried?.last_value)).toBeGreaterThanOrEqual(3);
  expect(answer.body).toBe("OK");
  expect(await balanceOf("b04")).toBe(15);
});

test("B-22: an outage is 503 with the time to wait, and nothing internal is told", async () => {
  const port = await freePort();
  const gone = new URL(database.appUrl);
  gone.port = String(port);
  const lost = await startLegacyApi({ databaseUrl: gone.toString(), deadlineMs: 1_000 });
  const answers = await Promise.all([
    lost.send("GET", "/api?id=1"),
    lost.send("POST", "/api", { id: 1, amount: 1 }),
    lost.send("POST", "/api/reserve", wish("b22", 1)),
    lost.send("GET", "/api/report/2021/1/report.csv"),
  ]);
  await lost.close();
  for (const { status, body, headers } of answers) {
    expect(status).toBe(503);
    expect(headers["retry-after"]).toBe("1");
    expect(body).not.toMatch(/ECONN|postgres|127\.0\.0\.1|select|\d{4}/i);
  }
  const broken = await startLegacyApi({
    databaseUrl: database.appUrl,
    authenticator: { authenticate: () => Promise.reject(new TypeError("secret of the machine room")) },
  });
  const fault = await broken.send("GET", "/api?id=1");
  await broken.close();
  expect([fault.status, fault.body]).toEqual([500, '{"message":"Something went wrong on our side."}']);
});

test("B-25: the service starts without its database, says so, and serves as soon as it is there", async () => {
  const port = await freePort();
  const later = new URL(database.appUrl);
  const target = { host: later.hostname, port: Number(later.port) };
  later.hostname = "127.0.0.1";
  later.port = String(port);
  const early = await startLegacyApi({ databaseUrl: later.toString(), deadlineMs: 5_000 });
  expect((await credit("b25", 3, early)).status).toBe(503);
  const proxy = await forward(port, target);
  await until("the database is found", async () => (await early.send("GET", "/api/services?id=1")).status === 200);
  expect((await credit("b25", 3, early)).body).toBe("OK");
  await early.close();
  proxy.close();
  expect(await balanceOf("b25")).toBe(3);
});

/** Lets every commit that wrote an operation fail with a serialization failure, as long as the condition is true. */
async function failCommits(condition: string): Promise<void> {
  await admin.unsafe(`
    create function fail_at_commit() returns trigger language plpgsql security definer set search_path = public as $$
    begin
      if ${condition} then raise exception 'could not serialize access' using errcode = '40001'; end if;
      return null;
    end $$;
    create constraint trigger fail_at_commit after insert on operations deferrable initially deferred for each row execute function fail_at_commit();`);
}

async function stopFailing(): Promise<void> {
  await admin.unsafe("drop trigger fail_at_commit on operations; drop function fail_at_commit()");
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function forward(port: number, target: { host: string; port: number }): Promise<Server> {
  const server = createServer((socket) => {
    const upstream = connect(target);
    socket.on("error", () => upstream.destroy());
    upstream.on("error", () => socket.destroy());
    socket.pipe(upstream).pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return server;
}
