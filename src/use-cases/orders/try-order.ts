import type { z } from "@hono/zod-openapi";
import type { orderTrialSchema } from "../../api/orders/orders-schemas.ts";
import type { AskedOrder } from "../../api/orders/read-order.ts";
import { DomainError } from "../../base/errors.ts";
import { formatAmount } from "../../base/money.ts";
import { readBalances } from "../../store/ledger/balances.ts";
import { pausedFor } from "../../store/operators/pauses.ts";
import type { Db } from "../../store/postgres/database.ts";
import type { CheckServices } from "../services/known-services.ts";

type Trial = z.infer<typeof orderTrialSchema>;

const STEPS = {
  wallet: ["create the order", "hold the money", "capture the money"],
  card: ["create the order", "authorise the card", "capture the money", "book the money"],
} as const;

/** Says what would become of an order, and writes nothing. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export async function tryOrder(db: Db, checkServices: CheckServices, { input }: AskedOrder): Promise<Trial> {
  const { userId, currency, paymentMethod } = input;
  const totalMinor = BigInt(input.totalMinor);
  const serviceIds = input.lines.map(({ serviceId }) => serviceId);
  const refusals = await unknownServices(checkServices, input.lines);
  const pause = await pausedFor(db, { serviceIds, userId });
  const common = {
    dryRun: true as const,
    total: formatAmount(totalMinor, currency),
    currency,
    paymentMethod,
    steps: [...STEPS[paymentMethod]],
    ...(pause === undefined ? {} : { waitingFor: `the end of a pause: ${pause.reason}` }),
  };
  if (paymentMethod === "card") return { ...common, wouldSucceed: refusals.length === 0, refusals };
  const [balance] = await readBalances(db, [{ userId, currency }]);
  const { availableMinor = 0n, heldMinor = 0n } = balance ?? {};
  if (availableMinor < totalMinor) {
    const missing = `${formatAmount(totalMinor - availableMinor, currency)} ${currency}`;
    return {
      ...common,
      wouldSucceed: false,
      refusals: [...refusals, { code: "INSUFFICIENT_FUNDS", message: `the available balance lacks ${missing}` }],
    };
  }
  const wallet = (available: bigint, held: bigint) => ({
    available: formatAmount(available, currency),
    held: formatAmount(held, currency),
  });
  return {
    ...common,
    wouldSucceed: refusals.length === 0,
    refusals,
    balances: {
      before: wallet(availableMinor, heldMinor),
      whileHeld: wallet(availableMinor - totalMinor, heldMinor + totalMinor),
      after: wallet(availableMinor - totalMinor, heldMinor),
    },
  };
}

async function unknownServices(checkServices: CheckServices, lines: AskedOrder["input"]["lines"]): Promise<Trial["refusals"]> {
  const refusals: Trial["refusals"] = [];
  for (const { serviceId, lineNo } of lines) {
    const pointer = `/items/${lineNo - 1}/serviceId`;
    try {
      await checkServices([{ serviceId, pointer }]);
    } catch (error) {
      if (!(error instanceof DomainError) || error.code !== "UNKNOWN_SERVICE") throw error;
      refusals.push({ code: error.code, message: error.message, pointer });
    }
  }
  return refusals;
}
