import type { ErrorCode } from "../../src/base/errors.ts";
import { contentHash, type Account, type Operation } from "../../src/domain/ledger/operations.ts";

type HoldStatus = "held" | "confirmed" | "released" | "expired";
interface ModelHold {
  readonly userId: string;
  readonly serviceId: string;
  readonly currency: string;
  status: HoldStatus;
  amountMinor: bigint;
  capturedMinor: bigint;
  releasedMinor: bigint;
}

export type ModelOutcome =
  | { outcome: "done"; duplicate: boolean }
  | { outcome: "refused"; duplicate: boolean; code: ErrorCode }
  | { outcome: "conflict" };

const CLOSED: Record<Exclude<HoldStatus, "held">, ErrorCode> = {
  confirmed: "ALREADY_CONFIRMED",
  released: "ALREADY_RELEASED",
  expired: "RESERVATION_EXPIRED",
};

/** A model of the ledger in plain maps: the result that each operation must have, decided one after the other in the simplest way. */
export function createLedgerModel() {
  const balances = new Map<string, bigint>();
  const holds = new Map<string, ModelHold>();
  const decided = new Map<string, { hash: string; outcome: ModelOutcome }>();
  const accountKey = (account: Account, currency: string) => `${account.kind}/${account.owner}/${currency}`;
  const balanceOf = (key: string) => balances.get(key) ?? 0n;

  const decide = (operation: Operation): ErrorCode | undefined => {
    const undo: (() => void)[] = [];
    const refuse = (code: ErrorCode) => {
      for (const step of undo.reverse()) step();
      return code;
    };
    for (const posting of operation.postings) {
      let amountMinor = posting.amountMinor === "remainder" ? undefined : posting.amountMinor;
      const hold = posting.hold === undefined ? undefined : holds.get(posting.hold.id);
      if (posting.hold !== undefined && posting.hold.effect === "open") {
        if (hold !== undefined) return refuse("CONFLICT");
      } else if (posting.hold !== undefined) {
        if (hold === undefined) return refuse("RESERVATION_NOT_FOUND");
        const recipient = posting.hold.effect === "capture" ? hold.serviceId : hold.userId;
        if (posting.debit.owner !== hold.userId || posting.credit.owner !== recipient || operation.currency !== hold.currency)
          return refuse("RESERVATION_NOT_FOUND");
        if (hold.status !== "held") return refuse(CLOSED[hold.status]);
        const remainingMinor = hold.amountMinor - hold.capturedMinor - hold.releasedMinor;
        amountMinor ??= remainingMinor;
        if (amountMinor > remainingMinor) return refuse("AMOUNT_EXCEEDS_HOLD");
      }
      if (amountMinor === undefined) throw new Error("the model needs an amount");
      const moved = amountMinor;
      const debit = accountKey(posting.debit, operation.currency);
      const credit = accountKey(posting.credit, operation.currency);
      const guarded = posting.debit.kind === "available" || posting.debit.kind === "held";
      if (guarded && balanceOf(debit) < moved) return refuse("INSUFFICIENT_FUNDS");
      balances.set(debit, balanceOf(debit) - moved);
      balances.set(credit, balanceOf(credit) + moved);
      undo.push(() => {
        balances.set(debit, balanceOf(debit) + moved);
        balances.set(credit, balanceOf(credit) - moved);
      });
      if (posting.hold !== undefined) {
        const id = posting.hold.id;
        if (posting.hold.effect === "open") {
          const opening = operation.opens?.find((one) => one.id === id);
          if (opening === undefined) throw new Error("a posting opens a hold that is not described");
          const { userId, serviceId } = opening;
          holds.set(id, {
            userId,
            serviceId,
            currency: operation.currency,
            status: "held",
            amountMinor: moved,
            capturedMinor: 0n,
            releasedMinor: 0n,
          });
          undo.push(() => holds.delete(id));
        } else if (hold !== undefined) {
          const before = { ...hold };
          if (posting.hold.effect === "capture") hold.capturedMinor += moved;
          else hold.releasedMinor += moved;
          if (hold.capturedMinor + hold.releasedMinor === hold.amountMinor)
            hold.status = posting.hold.effect === "capture" ? "confirmed" : posting.hold.effect === "release" ? "released" : "expired";
          undo.push(() => holds.set(id, before));
        }
      }
    }
    return undefined;
  };

  return {
    balances,
    holds,
    post(operation: Operation): ModelOutcome {
      const hash = contentHash(operation);
      const known = decided.get(operation.key);
      if (known !== undefined) {
        if (known.hash !== hash) return { outcome: "conflict" };
        return { ...known.outcome, duplicate: true } as ModelOutcome;
      }
      const code = decide(operation);
      const outcome: ModelOutcome =
        code === undefined ? { outcome: "done", duplicate: false } : { outcome: "refused", duplicate: false, code };
      decided.set(operation.key, { hash, outcome });
      return outcome;
    },
  };
}
