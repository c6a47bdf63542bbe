import { randomUUID } from "node:crypto";
import type { Psp, PspOutcome, PspStep } from "../../src/adapters/psp/psp.ts";
import { DomainError } from "../../src/base/errors.ts";

type PspCall = "authorise" | "capture" | "cancel" | "refund" | "lookUp";
/** The fault of a call. `away`: it fails before its effect. `lost`: it has its effect and its answer is lost; a `lost` look-up finds nothing. */
export type PspFault = "away" | "lost" | "declined";

interface Entry {
  readonly kind: Exclude<PspCall, "lookUp">;
  readonly orderId: string;
  readonly amountMinor: bigint;
  readonly outcome: PspOutcome;
}

export interface FakePsp extends Psp {
  /** The provider's book: what it did, by key. */
  readonly book: ReadonlyMap<string, Entry>;
  /** The amount that the provider keeps of the order, in minor units: captured less refunded. */
  netOf(orderId: string): bigint;
  captures(orderId: string): number;
  /** How often it was asked for a refund of the order, whatever became of it. */
  refundsAsked(orderId: string): number;
  /** The next calls of this kind for this order meet these faults, in their order; `forever` repeats the last. */
  fail(orderId: string, call: PspCall, faults: readonly PspFault[], forever?: boolean): void;
  /** Ends the faults of the order. */
  mend(orderId: string): void;
}

/** A payment provider in memory, with faults on demand. It executes each key once, and declines what comes after its cancellation. */
export function createFakePsp(): FakePsp {
  const book = new Map<string, Entry>();
  const fenced = new Set<string>();
  const refundsAsked = new Map<string, number>();
  const faults = new Map<string, { list: PspFault[]; forever: boolean }>();

  const nextFault = (orderId: string, call: PspCall): PspFault | undefined => {
    const planned = faults.get(`${orderId} ${call}`);
    return planned === undefined ? undefined : planned.forever && planned.list.length === 1 ? planned.list[0] : planned.list.shift();
  };
  const away = () => new DomainError("PSP_UNAVAILABLE", "the fake provider is away");
  const run = async (kind: Entry["kind"], step: PspStep, decide: () => string | undefined): Promise<PspOutcome> => {
    const fault = nextFault(step.orderId, kind);
    if (fault === "away") throw away();
    const known = book.get(step.key);
    const reason = known === undefined ? (fault === "declined" ? "declined by the test" : decide()) : undefined;
    const outcome: PspOutcome =
      known?.outcome ?? (reason === undefined ? { status: "approved", reference: `${kind}-${book.size}` } : { status: "declined", reason });
    book.set(step.key, known ?? { kind, orderId: step.orderId, amountMinor: step.amountMinor, outcome });
    if (fault === "lost") throw away();
    return outcome;
  };
  const approved = (key: string) => book.get(key)?.outcome.status === "approved";
  const entriesOf = (orderId: string, kind: Entry["kind"]) =>
    [...book.values()].filter((entry) => entry.orderId === orderId && entry.kind === kind && entry.outcome.status === "approved");
  const sum = (entries: readonly Entry[]) => entries.reduce((total, { amountMinor }) => total + amountMinor, 0n);

  return {
    book,
    netOf: (orderId) => sum(entriesOf(orderId, "capture")) - sum(entriesOf(orderId, "refund")),
    captures: (orderId) => entriesOf(orderId, "capture").length,
    refundsAsked: (orderId) => refundsAsked.get(orderId) ?? 0,
    fail: (orderId, call, list, forever = false) => void faults.set(`${orderId} ${call}`, { list: [...list], forever }),
    mend: (orderId) => {
      for (const key of faults.keys()) if (key.startsWith(`${orderId} `)) faults.delete(key);
    },
    keepToken: async (token) => ({ token, last4: "4242", brand: "visa" }),
    tokenise: async ({ number }) => ({ token: `token-${randomUUID()}`, last4: number.slice(-4), brand: "visa" }),
    authorise: (step) => run("authorise", step, () => (fenced.has(step.key) ? "cancelled before" : undefined)),
    capture: (step) =>
      run("capture", step, () =>
        fenced.has(step.authorisationKey) || !approved(step.authorisationKey) ? "there is no authorisation" : undefined,
      ),
    cancel: (step) =>
      run("cancel", step, () => {
        if (entriesOf(step.orderId, "capture").length > 0) return "it was captured";
        fenced.add(step.authorisationKey);
        return undefined;
      }),
    refund: (step) => {
      refundsAsked.set(step.orderId, (refundsAsked.get(step.orderId) ?? 0) + 1);
      return run("refund", step, () => {
        if (!approved(step.captureKey)) return "there is no capture";
        return step.amountMinor > sum(entriesOf(step.orderId, "capture")) - sum(entriesOf(step.orderId, "refund"))
          ? "more than was captured"
          : undefined;
      });
    },
    async lookUp(key) {
      const entry = book.get(key);
      const fault = entry === undefined ? undefined : nextFault(entry.orderId, "lookUp");
      if (fault === "away") throw away();
      return entry === undefined || fault === "lost" ? undefined : { ...entry.outcome, kind: entry.kind, amountMinor: entry.amountMinor };
    },
  };
}
