import { DomainError, type ErrorCode } from "../../base/errors.ts";
import { formatAmount, inWords } from "../../base/money.ts";
import type { PaymentMethod } from "../../contract/orders.ts";
import { readBalances } from "../../store/ledger/balances.ts";
import { pausedFor } from "../../store/operators/pauses.ts";
import type { Db } from "../../store/postgres/database.ts";
import type { CheckServices } from "../services/known-services.ts";
import type { AskedOrder } from "./asked-order.ts";

interface Balances {
  readonly available: string;
  readonly held: string;
}

/** What would become of an order. Sums are decimal text of its currency. */
export interface Trial {
  readonly dryRun: true;
  readonly wouldSucceed: boolean;
  readonly total: string;
  readonly currency: string;
  readonly paymentMethod: PaymentMethod;
  readonly steps: string[];
  /** Why each thing that is wrong is refused; `pointer` names its place in the request. */
  readonly refusals: { readonly code: ErrorCode; readonly message: string; readonly pointer?: string }[];
  /** What it would wait for before its money is captured. */
  readonly waitingFor?: string;
  /** The wallet before it, while its money is held, and after it; not of a card. */
  readonly balances?: { readonly before: Balances; readonly whileHeld: Balances; readonly after: Balances };
}

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
    const missing = inWords(totalMinor - availableMinor, currency);
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
