import { randomUUID } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { createDatabase, type Database } from "../../src/store/postgres/database.ts";
import { createServices } from "../../src/store/services.ts";
import { startImportRoles, type ImportRoles } from "../support/import-roles.ts";
import { monthlyRevenueOf, readMonthlyFile } from "../support/monthly-revenue.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";
import { makeTestNamespace } from "../support/test-namespace.ts";

const SAMPLE = "test/data/purchases-sample.csv";
const SAMPLE_ROWS = 909;
const SAMPLE_ZERO_ROWS = 10;
const run = randomUUID().slice(0, 8);
let testDatabase: TestDatabase;
let database: Database;
let folder: string;
let roles: ImportRoles;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  database = createDatabase({ url: testDatabase.appUrl, name: "import-test", laneCount: 1, deadlineMs: 10_000 });
  folder = await mkdtemp(join(tmpdir(), "saldo-import-"));
  roles = await startImportRoles(
    {
      databaseUrl: testDatabase.appUrl,
      temporalAddress: inject("temporalAddress"),
      temporalNamespace: await makeTestNamespace(inject("temporalAddress")),
      kafkaBrokers: inject("kafkaBrokers"),
    },
    {
      dataDir: folder,
      settings: {
        KAFKA_TOPIC: `purchases-${run}`,
        KAFKA_GROUP: `group-${run}`,
        LOYALTY_TOPIC: `points-${run}`,
        LOYALTY_GROUP: `points-group-${run}`,
        ORDERS_TOPIC: `orders-${run}`,
        ORDERS_GROUP: `orders-group-${run}`,
        SAGA_COMMANDS: "ignore",
        KAFKA_SESSION_TIMEOUT_MS: "3000",
        EVENT_BATCH_SIZE: "200",
        REPORT_TZ: "Europe/Moscow",
      },
    },
  );
});

afterAll(async () => {
  await roles.stop();
  await database.close();
  await testDatabase.drop();
  await rm(folder, { recursive: true, force: true });
});

describe("npm run import", () => {
  it("brings a file into the ledger to the cent, and its figures add up", async () => {
    const { exitCode, result } = await roles.runImport([SAMPLE]);
    expect(result).toMatchObject({
      produced: SAMPLE_ROWS,
      applied: SAMPLE_ROWS - SAMPLE_ZERO_ROWS,
      duplicates: 0,
      refused: 0,
      deadLettered: SAMPLE_ZERO_ROWS,
      missing: 0,
      badRows: 0,
    });
    expect(exitCode).toBe(0);
    expect(await monthlyRevenueOf(database.db, "USD", "Europe/Moscow")).toEqual(readMonthlyFile("test/data/purchases-sample-monthly.csv"));
  });

  it("adds nothing when the same source comes again, not even a dead letter", async () => {
    const { exitCode, result } = await roles.runImport([SAMPLE]);
    expect(result).toMatchObject({ produced: SAMPLE_ROWS, applied: 0, duplicates: SAMPLE_ROWS, deadLettered: 0, missing: 0 });
    expect(exitCode).toBe(0);
    expect(await monthlyRevenueOf(database.db, "USD", "Europe/Moscow")).toEqual(readMonthlyFile("test/data/purchases-sample-monthly.csv"));
    const [letters] = await database.db.execute<{ count: string }>("select count(*) from dead_letters");
    expect(letters?.count).toBe(String(SAMPLE_ZERO_ROWS));
  });

  it("counts each kind of row: applied, duplicate, refused, dead-lettered, and the one that is no purchase", async () => {
    const path = join(folder, "kinds.csv");
    const rows = [
      "user_id,date,amount,event_id,payment_method",
      "kim,2024-05-01,10.00,a-1,",
      "kim,2024-05-01,10.00,a-1,",
      "kim,2024-05-01,11.00,a-1,",
      "kim,2024-05-01,10.00,a-2,wallet",
      "kim,2024-05-01,-1,a-3,",
      `kim,2024-05-01,5.00,${"x".repeat(300)},`,
      "kim,someday,5.00,a-4,",
    ];
    await writeFile(path, `${rows.join("\n")}\n`);
    const { exitCode, result } = await roles.runImport([path, "--source", "kinds", "--currency", "EUR"]);
    expect(result).toMatchObject({
      produced: 6,
      applied: 1,
      duplicates: 1,
      refused: 1,
      deadLettered: 3,
      missing: 0,
      badRows: 1,
      badRowLines: [{ line: 8 }],
    });
    expect(exitCode).toBe(3);
  }, 60_000);

  it("loses and doubles nothing when the bridge is killed in the middle", async () => {
    const imported = roles.runImport([SAMPLE, "--source", "killed"]);
    for (let kill = 0; kill < 3; kill += 1) {
      await new Promise((resolve) => setTimeout(resolve, 700));
      const pid = roles.roles.bridge.pid();
      if (pid !== undefined) process.kill(pid, "SIGKILL");
    }
    const { exitCode, result } = await imported;
    expect(result).toMatchObject({
      produced: SAMPLE_ROWS,
      applied: SAMPLE_ROWS - SAMPLE_ZERO_ROWS,
      duplicates: 0,
      deadLettered: SAMPLE_ZERO_ROWS,
      missing: 0,
    });
    expect(exitCode).toBe(0);
  });

  it("produces nothing of a file whose quote is never closed, and ends with 1 and the line", async () => {
    const path = join(folder, "quote.csv");
    await writeFile(path, 'user_id,date,amount\nlea,2024-05-01,1.00\n"lea,2024-05-01,2.00\nlea,2024-05-01,3.00\n');
    await expect(roles.runImport([path])).rejects.toThrow(/ended with 1 .*begins on line 3 opens a quote that is never closed/);
    const { exitCode, result } = await roles.runImport([SAMPLE]);
    expect({ exitCode, duplicates: result.duplicates }).toEqual({ exitCode: 0, duplicates: SAMPLE_ROWS });
  });

  it("says in one sentence what is wrong with its input", async () => {
    await expect(roles.runImport(["no-such-file.csv"])).rejects.toThrow(/there is no file no-such-file\.csv/);
    await expect(roles.runImport([folder])).rejects.toThrow(/is a folder; name a CSV file/);
  });

  it("brings loyalty transactions in, each once", async () => {
    const path = join(folder, "points.csv");
    const rows = ["user_id,type,amount,date,transaction_id", "lea,accrual,100,2024-05-01,t-1", "lea,redemption,30,2024-05-02,t-2"];
    await writeFile(
      path,
      `${[...rows, "lea,redemption,500,2024-05-03,t-3", "lea,accrual,1.5,2024-05-03,t-4", "lea,accrual,100,2024-05-01,t-1"].join("\n")}\n`,
    );
    const { exitCode, result } = await roles.runImport([path, "--topic", `points-${run}`]);
    expect(result).toMatchObject({ produced: 5, applied: 2, refused: 1, deadLettered: 1, duplicates: 1, missing: 0 });
    expect(exitCode).toBe(0);
    expect((await roles.runImport([path, "--topic", `points-${run}`])).result).toMatchObject({
      applied: 0,
      duplicates: 5,
      deadLettered: 0,
    });
  });

  it("brings wishes for orders in, and waits for their ends", async () => {
    await createServices(database.db, [{ id: "music", name: "Music" }]);
    const path = join(folder, "orders.csv");
    const rows = [
      "order_id,user_id,service,amount",
      `poor-${run},poor,music,1.00`,
      `wrong-${run},poor,unheard-of,1.00`,
      `poor-${run},poor,music,1.00`,
    ];
    await writeFile(path, `${rows.join("\n")}\n`);
    const { exitCode, result } = await roles.runImport([path, "--topic", `orders-${run}`, "--timeout", "90"]);
    expect(result).toMatchObject({ produced: 3, applied: 0, refused: 1, deadLettered: 1, duplicates: 1, missing: 0 });
    // None of the rows took effect.
    expect(exitCode).toBe(3);
  }, 120_000);

  it("produces nothing of a file that was exported again with a new row on top, and goes on with one that grew at its end", async () => {
    const path = join(folder, "grown.csv");
    const write = (...rows: readonly string[]) => writeFile(path, `user_id,date,amount\n${rows.join("\n")}\n`);
    const [first, second] = ["ned,2024-06-01,1.00", "ned,2024-06-02,2.00"];
    await write(first, second);
    expect((await roles.runImport([path])).result).toMatchObject({ produced: 2, applied: 2 });
    await write("ned,2024-06-03,3.00", first, second);
    await expect(roles.runImport([path])).rejects.toThrow(
      /ended with 1 .*would be booked twice; nothing was imported: .*event_id.*--source/,
    );
    await write(first, second, "ned,2024-06-03,3.00");
    const { exitCode, result } = await roles.runImport([path]);
    expect({ exitCode, ...result }).toMatchObject({ exitCode: 0, produced: 3, applied: 1, duplicates: 2, missing: 0 });
    const [ned] = await database.db.execute<{ count: string }>("select count(*) from operations where user_id = 'ned'");
    expect(ned?.count).toBe("3");
  }, 120_000);

  it("produces no row whose quantity is no number", async () => {
    const path = join(folder, "quantities.csv");
    const rows = [`a-${run},poor,music,1.00,2 pcs`, `b-${run},poor,music,1.00,0x10`, `c-${run},poor,music,1.00,Infinity`];
    await writeFile(path, `order_id,user_id,service,amount,quantity\n${rows.join("\n")}\n`);
    const { exitCode, result } = await roles.runImport([path, "--topic", `orders-${run}`]);
    expect(result).toMatchObject({ produced: 0, badRows: 3, badRowLines: [{ line: 2 }, { line: 3 }, { line: 4 }] });
    expect(exitCode).toBe(3);
  }, 60_000);
});
