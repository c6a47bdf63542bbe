import postgres from "postgres";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../../test/support/test-database.ts";
import { until } from "../../../test/support/until.ts";
import { createLane, type Lane } from "../postgres/lane.ts";
import { createGateRow } from "./gate-row.ts";

let database: TestDatabase;
let lane: Lane;
beforeAll(async () => {
  database = await createTestDatabase();
  lane = createLane({ url: database.appUrl, name: "gate-row", deadlineMs: 10_000 });
});
afterAll(async () => {
  await lane.close();
  await database.drop();
});

const connect = (name: string) =>
  postgres(database.appUrl, { max: 1, fetch_types: false, onnotice: () => {}, connection: { application_name: name } });

it("an open gate is told as opening while a posting takes longer than any should, and as open again when it has ended", async () => {
  const row = createGateRow(lane, { slowMs: 300 });
  expect(await row.beginOpening(0, "reign")).toEqual({ epoch: 1, state: "opening", reign: "reign" });
  expect(await row.open(1)).toEqual({ epoch: 1, state: "open", reign: "reign" });
  // What a commit looks like that waits for a standby: a statement that goes on.
  const writer = connect("writer");
  const posting = writer`select pg_sleep(60) /* ledger_post( */`.catch(() => {});
  await until("the slow posting is seen", async () => (await row.read()).state === "opening");
  // Nor is it told as open by the statement that opens it.
  expect((await row.open(1)).state).toBe("opening");
  const admin = postgres(database.adminUrl, { max: 1, onnotice: () => {} });
  await admin`select pg_cancel_backend(pid) from pg_stat_activity where application_name = 'writer'`;
  await posting;
  expect(await row.read()).toEqual({ epoch: 1, state: "open", reign: "reign" });
  await Promise.all([writer.end(), admin.end()]);
});

it("a process of a release that marks nothing is seen by its connections, one of this release is not", async () => {
  const row = createGateRow(lane, { slowMs: 5_000 });
  const own = connect("saldo/worker/ledger");
  await own`select 1`;
  expect(await row.hasOlderRelease()).toBe(false);
  for (const name of ["saldo-api", "saldo-worker-ledger", "saldo-bridge"]) {
    const older = connect(name);
    await older`select 1`;
    expect(await row.hasOlderRelease(), name).toBe(true);
    await older.end();
    await until("it is gone", async () => !(await row.hasOlderRelease()));
  }
  await own.end();
});
