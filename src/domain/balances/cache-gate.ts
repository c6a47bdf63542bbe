/** How cached balances stand: `closed`, nobody reads; `opening`, nobody reads yet and every writer marks; `open`, they are read, and marked. */
export type GateState = "closed" | "opening" | "open";

/** The gate as its row has it. `reign` is the replication id of the Redis that the epoch was opened on. */
export interface Gate {
  readonly epoch: number;
  readonly state: GateState;
  readonly reign: string;
}

/** The gate as a process knows it. Times are of the process's own monotonic clock, in milliseconds. */
export interface KnownGate extends Gate {
  /** When the statement that read the row was sent. */
  readonly askedAtMs: number;
  /** When the answer came that first showed the gate closed in this epoch; undefined while it is not closed. */
  readonly closedSinceMs: number | undefined;
}

/** In milliseconds. docs/balance-cache.md says what each is for and why they bound each other. */
export interface GateTimes {
  /** How long after asking a process may read the cache without asking again. */
  readonly readLeaseMs: number;
  /** How long after asking a writer may still decide by what it knows. */
  readonly decisionMs: number;
  /** The longest time from a writer's decision until its statement can no longer commit. */
  readonly commitMs: number;
}

/** The epoch that a new database begins with: nobody holds a lease on one before it. */
const NEVER_OPENED = 0;
/** Clocks of two processes may run apart by so much of the time that they measure. */
const CLOCK_DRIFT = 1.1;

/** The times for statements that settle within `deadlineMs`. The server may go on with a statement that was given up for as long again. */
export function gateTimes(deadlineMs: number): GateTimes {
  return { readLeaseMs: 1_000, decisionMs: 5_000, commitMs: 2 * deadlineMs + 1_000 };
}

/** How long a gate has been known as closed before no process can hold a lease on the epoch before it. */
export function quietMs({ readLeaseMs }: GateTimes): number {
  return readLeaseMs * CLOCK_DRIFT;
}

/** How long the gate is `opening`: until every writer that decided by an earlier state has committed, or never will. */
export function openingMs({ decisionMs, commitMs }: GateTimes): number {
  return (decisionMs + commitMs) * CLOCK_DRIFT;
}

/** Whether a process may read the cache at this moment. */
export function mayRead(known: KnownGate | undefined, nowMs: number, times: GateTimes): known is KnownGate {
  return known?.state === "open" && nowMs < known.askedAtMs + times.readLeaseMs;
}

/**
 * What a writer does before its commit: `ask` how the gate stands, `mark` its balances in the cache, `wait` until the leases of the epoch
 * that was closed have ended, or `go` without a mark, as nobody reads.
 */
export function beforeCommit(
  known: KnownGate | undefined,
  nowMs: number,
  times: GateTimes,
): { readonly act: "ask" } | { readonly act: "mark" | "go"; readonly known: KnownGate } | { readonly act: "wait"; readonly forMs: number } {
  if (known === undefined || nowMs >= known.askedAtMs + times.decisionMs) return { act: "ask" };
  if (known.closedSinceMs === undefined) return { act: "mark", known };
  if (known.epoch === NEVER_OPENED) return { act: "go", known };
  const forMs = known.closedSinceMs + quietMs(times) - nowMs;
  return forMs > 0 ? { act: "wait", forMs } : { act: "go", known };
}

/** Whether a commit came so late that an epoch may be open that its writer knew nothing of: its balances are then dropped there as well. */
export function isLate({ askedAtMs }: KnownGate, nowMs: number, { decisionMs, commitMs }: GateTimes): boolean {
  return nowMs >= askedAtMs + decisionMs + commitMs;
}

/** What a process knows after an answer. Answers come in the order of their statements. */
export function learn(before: KnownGate | undefined, gate: Gate, { askedAtMs, nowMs }: { askedAtMs: number; nowMs: number }): KnownGate {
  const isSame = before?.epoch === gate.epoch && before.state === gate.state;
  return { ...gate, askedAtMs, closedSinceMs: gate.state === "closed" ? (isSame ? before.closedSinceMs : nowMs) : undefined };
}

/** Whether a gate that this process has seen `opening` since that moment may be opened. */
export function mayOpen(openingSinceMs: number, nowMs: number, times: GateTimes): boolean {
  return nowMs >= openingSinceMs + openingMs(times);
}
