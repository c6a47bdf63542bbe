import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { depositOperation } from "../../src/domain/wallet-operations.ts";
import { createLedger } from "../../src/store/ledger.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";

const AUDIT = fileURLToPath(new URL("../../src/cli/audit.ts", import.meta.url));
let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase();
  const ledger = createLedger({ url: database.appUrl, name: "audit-command", laneCount: 1, deadlineMs: 10_000 });
  await ledger.post(
    depositOperation({
      key: "d",
      userId: "ann",
      currency: "RUB",
      amountMinor: 100n,
      comment: "test",
      origin: { caller: "test", correlationId: "test" },
    }),
  );
  await ledger.close();
});

afterAll(() => database.drop());

function audit(...args: string[]): Promise<{ code: number; output: string }> {
  const environment = { PATH: process.env["PATH"], DATABASE_URL: database.appUrl };
  return new Promise((resolve) => {
    execFile(process.execPath, ["--import", "tsx", AUDIT, ...args], { env: environment }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), output: stdout + stderr });
    });
  });
}

describe("the audit command", () => {
  it("says that the books are right, with the application's own rights", async () => {
    const { code, output } = await audit();
    expect(output).toContain("✓ I1");
    expect(output).toContain("The books are right.");
    expect(code).toBe(0);
  });

  it("ends with 1 and names the invariant when they are not", async () => {
    const admin = postgres(database.adminUrl, { max: 1, fetch_types: false });
    await admin.unsafe("update accounts set balance_minor = balance_minor + 1 where kind = 'available' and owner = 'ann'");
    await admin.end({ timeout: 5 });
    const { code, output } = await audit("--json");
    expect(code).toBe(1);
    const report = JSON.parse(output) as { ok: boolean; findings: { invariant: string; broken: number; examples: string[] }[] };
    expect(report.ok).toBe(false);
    expect(report.findings.filter((finding) => finding.broken > 0).map((finding) => finding.invariant)).toEqual(["I1", "I2"]);
  });

  it("ends with 2 when it could not be made at all", async () => {
    const { code, output } = await audit("--no-such-option");
    expect(output).toMatch(/^audit: .*no-such-option/);
    expect(code).toBe(2);
  });
});
