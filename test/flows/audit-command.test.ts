import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SILENT_LOG } from "../../src/adapters/log.ts";
import { createPsp } from "../../src/adapters/psp/psp-http.ts";
import { depositOperation } from "../../src/domain/ledger/wallet-operations.ts";
import { createLedger } from "../../src/store/ledger/ledger.ts";
import { startPspSimulator, type TestPsp } from "../support/psp.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";

const AUDIT = fileURLToPath(new URL("../../src/cli/audit.ts", import.meta.url));
let database: TestDatabase;
let provider: TestPsp;

beforeAll(async () => {
  database = await createTestDatabase();
  provider = await startPspSimulator();
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

afterAll(async () => {
  await provider.stop();
  await database.drop();
});

const audit = (...args: string[]) => auditWith({}, ...args);
const auditWithProvider = (...args: string[]) => auditWith({ PSP_URL: provider.url, PSP_API_KEY: provider.apiKey }, ...args);

function auditWith(settings: Record<string, string>, ...args: string[]): Promise<{ code: number; output: string }> {
  const environment = { PATH: process.env["PATH"], DATABASE_URL: database.appUrl, ...settings };
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

  it("compares them with the provider's own book where it is known, and says so where it is not", async () => {
    expect((await audit()).output).toContain("- I6  the payment provider's book was not compared: no payment provider is known");
    const { code, output } = await auditWithProvider();
    expect(output).toMatch(/✓ I6 {2}the payment provider's book and the ledger agree .*: 0 checked, 0 broken/);
    expect(code).toBe(0);
    const away = await auditWith({ PSP_URL: "http://127.0.0.1:9", PSP_API_KEY: provider.apiKey });
    expect(away.output).toContain("was not compared: the payment provider does not answer");
    expect(away.code).toBe(0);
    const stranger = await auditWith({ PSP_URL: provider.url, PSP_API_KEY: "another-key-of-someone" });
    expect(stranger.output).toContain("was not compared: the payment provider answered 401");
  });

  it("ends with 1 and names the order that the provider was paid for and nobody knows", async () => {
    const psp = createPsp({ url: provider.url, apiKey: provider.apiKey, logger: SILENT_LOG });
    const { token } = await psp.tokenise({ number: "4242424242424242", expiry: "12/35", cvc: "123" });
    const step = { orderId: "forgotten", amountMinor: 700n, currency: "RUB" };
    await psp.authorise({ ...step, key: "a", cardToken: token });
    expect((await auditWithProvider()).code).toBe(0);
    await psp.capture({ ...step, key: "c", authorisationKey: "a" });
    const { code, output } = await auditWithProvider();
    expect(output).toContain("order forgotten: the provider keeps 700 of an order that the ledger does not know");
    expect(output).toContain("The books are NOT right.");
    expect(code).toBe(1);
    await psp.refund({ ...step, key: "r", captureKey: "c" });
    expect((await auditWithProvider()).code).toBe(0);
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
