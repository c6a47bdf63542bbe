import { expect, inject, test } from "vitest";
import { runProviderStorm, unseenOf } from "../support/provider-storm.ts";

test("of orders whose payment provider answers badly in three of ten calls, each ends, and the provider's book and the ledger agree to the cent", async () => {
  const report = await runProviderStorm({
    orders: 40,
    rate: 0.3,
    // One with declined cards, and without those that the provider never serves: their orders wait until their deadline.
    seed: 5,
    kills: false,
    cacheDir: inject("cacheDir"),
    deadlineMs: 150_000,
    paymentDeadlineMs: 60_000,
  });
  expect(report.problems).toEqual([]);
  const total = ["card", "wallet"].flatMap((by) => Object.entries(report.outcomes).filter(([what]) => what.startsWith(`${by} `)));
  expect(total.reduce((sum, [, count]) => sum + count, 0)).toBe(40);
  // Without these the storm was none.
  const seen = [
    "card COMPLETED",
    "wallet COMPLETED",
    "wallet INSUFFICIENT_FUNDS",
    "card PAYMENT_DECLINED",
    "charge-then-500",
    "5xx",
    "approve",
  ];
  expect(unseenOf(report, seen)).toEqual([]);
  expect(report.captures).toBeGreaterThan(0);
  for (const { providerMinor, ledgerMinor } of report.kept) expect(providerMinor).toBe(ledgerMinor);
}, 240_000);
