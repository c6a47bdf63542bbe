import type { Psp } from "../../adapters/psp/psp.ts";
import { DomainError, type ErrorCode } from "../../base/errors.ts";
import { formatAmount, inWords } from "../../base/money.ts";
import { ORDER_STEPS, type OrderPayer, type PaymentMethod } from "../../contract/orders.ts";
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
  readonly paidBy: OrderPayer;
  readonly steps: string[];
  /** Why each thing that is wrong is refused; `pointer` names its place in the request. */
  readonly refusals: { readonly code: ErrorCode; readonly message: string; readonly pointer?: string }[];
  /** What it would wait for before its money is captured. */
  readonly waitingFor?: string;
  /** What only the order itself would show. */
  readonly undecided?: string;
  /** The wallet before it, while its money is held, and after it; only of an order that the wallet pays. */
  readonly balances?: { readonly before: Balances; readonly whileHeld: Balances; readonly after: Balances };
}

const UNDECIDED: Partial<Record<OrderPayer, string>> = {
  card: "whether the card's bank agrees",
  "saga-commands": "whether the payment service pays, and in time",
};

interface TrialDeps {
  readonly db: Db;
  /** Without one every card is refused. */
  readonly psp?: Psp;
  readonly checkServices: CheckServices;
}

/**
 * Says what would become of an order, by what pays it: Saldo's wallet, a card, or a payment service that is asked over Kafka. Writes
 * nothing and asks nobody outside. Throws: UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function tryOrder({ db, psp, checkServices }: TrialDeps, { input, card }: AskedOrder): Promise<Trial> {
  const { userId, currency, paymentMethod } = input;
  const totalMinor = BigInt(input.totalMinor);
  const serviceIds = input.lines.map(({ serviceId }) => serviceId);
  const paidBy: OrderPayer = card === undefined ? (input.paidBy ?? "wallet") : "card";
  const refusals = await unknownServices(checkServices, input.lines);
  if (paidBy === "card" && psp === undefined)
    refusals.push({ code: "PSP_UNAVAILABLE", message: "no payment provider is set up", pointer: "/payment/method" });
  const pause = await pausedFor(db, { serviceIds, userId });
  const common = {
    dryRun: true as const,
    total: formatAmount(totalMinor, currency),
    currency,
    paymentMethod,
    paidBy,
    steps: [...ORDER_STEPS[paidBy]],
    ...(UNDECIDED[paidBy] === undefined ? {} : { undecided: UNDECIDED[paidBy] }),
    ...(pause === undefined ? {} : { waitingFor: `the end of a pause: ${pause.reason}` }),
  };
  // Of an order that another pays the wallet decides nothing.
  if (paidBy !== "wallet") return { ...common, wouldSucceed: refusals.length === 0, refusals };
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
