import { DomainError } from "../../base/errors.ts";

/** Kinds of new work. Each has a bound of its own, as each takes a time of its own. */
export const WORK_KINDS = ["orders", "reservations", "money"] as const;
export type WorkKind = (typeof WORK_KINDS)[number];

/** What a route that begins new work says about it. */
export interface NewWork {
  readonly kind: WorkKind;
  /** True for a request whose answer waits for somebody outside of Saldo, which no bound here makes faster. */
  readonly waitsOutside?: (asked: readonly object[]) => boolean;
}

/** A request's place among those that are worked on. */
export interface Place {
  /**
   * Gives the place back; only the first call counts. `done` when new work was done from beginning to end and nobody outside was waited for,
   * `outside` when the work goes on without a place because somebody outside is waited for.
   */
  leave(end: "done" | "other" | "outside"): void;
}

/** How much of one kind is let in, and how much is in. */
export interface Load {
  readonly limit: number;
  readonly inFlight: number;
}

/** Lets in as much new work as can be answered in time. */
export interface Admission {
  /** Refuses a request that would find no place, before anything else is done for it. Throws: OVERLOADED with `retryAfterSeconds` in its details. */
  refuseWhenFull(kind: WorkKind): void;
  /** Takes a place. Throws: as `refuseWhenFull`; nothing was begun then. */
  enter(kind: WorkKind): Place;
  loads(): Readonly<Record<WorkKind, Load>>;
}

/** The bound while nothing shows that less can be borne; so many requests fit into memory. */
const MOST = 10_000;
/** So much is always let in, or one slow answer could close a kind for good. */
const LEAST = 10;
/** A judgement needs so long a time and so many ends: of fewer the median and the rate say little. */
const WINDOW_MS = 500;
const ENOUGH_ENDS = 20;
/** What was learnt so long ago is not believed any more where nothing has been under way in between. */
const FORGET_MS = 10_000;
/** The share of the target that each kind may take: a movement of money is one statement, the others are workflows. */
const SHARES: Readonly<Record<WorkKind, number>> = { orders: 1, reservations: 1, money: 0.4 };
/** How much the bound grows with each window in which the answers came in time. */
const GROWTH = 1.1;

/**
 * Measures how long new work takes from its request to its answer. While the median is above the kind's share of `targetMs` the bound of what may be in
 * flight is what ends in that time at the measured rate (Little's law), so that whatever is let in waits about that long; what comes beyond it is
 * refused before anything is done for it. While the median is below, the bound grows, and a kind of which nothing
 * is under way forgets it. `random` spreads the return of those refused.
 */
export function createAdmission(options: {
  readonly targetMs: number;
  readonly onShed?: (kind: WorkKind) => void;
  /** How long a request that enters now has waited before it was read. */
  readonly waitedMs?: () => number;
  readonly nowMs?: () => number;
  readonly random?: () => number;
}): Admission {
  const { targetMs, onShed = () => {}, waitedMs = () => 0, nowMs = () => performance.now(), random = Math.random } = options;
  const targetOf = (kind: WorkKind) => targetMs * SHARES[kind];
  const gates = Object.fromEntries(WORK_KINDS.map((kind) => [kind, createGate(targetOf(kind), nowMs, waitedMs)])) as Record<WorkKind, Gate>;
  const refuseWhenFull = (kind: WorkKind): void => {
    const { limit, inFlight } = gates[kind].load();
    if (inFlight < limit) return;
    onShed(kind);
    const retryAfterSeconds = String(Math.ceil(((0.5 + random()) * targetOf(kind)) / 1_000));
    throw new DomainError("OVERLOADED", undefined, { retryAfterSeconds });
  };
  return {
    refuseWhenFull,
    enter(kind) {
      refuseWhenFull(kind);
      return gates[kind].enter();
    },
    loads: () => Object.fromEntries(WORK_KINDS.map((kind) => [kind, gates[kind].load()])) as Record<WorkKind, Load>,
  };
}

interface Gate {
  enter(): Place;
  load(): Load;
}

function createGate(targetMs: number, nowMs: () => number, waitedMs: () => number): Gate {
  let limit = MOST;
  let inFlight = 0;
  let sinceMs = nowMs();
  let judgedAtMs = sinceMs;
  let doneAtMs = sinceMs;
  let tookMs: number[] = [];
  let quickOthers = 0;

  const judge = (atMs: number): void => {
    const windowMs = atMs - sinceMs;
    if (windowMs < WINDOW_MS || tookMs.length < ENOUGH_ENDS) return;
    const isLate = medianOf(tookMs) > targetMs;
    // Where little ends, windows are long, and the bound would take hours to grow by their number.
    const windows = windowMs > FORGET_MS ? windowMs / WINDOW_MS : 1;
    const bound = isLate ? Math.round((tookMs.length * targetMs) / windowMs) : Math.ceil(limit * GROWTH ** windows);
    limit = Math.min(MOST, Math.max(LEAST, bound));
    beginWindow(atMs);
  };

  const beginWindow = (atMs: number): void => {
    sinceMs = atMs;
    judgedAtMs = atMs;
    tookMs = [];
    quickOthers = 0;
  };

  // Repeats, refusals and the legacy paths teach nothing, but where they alone end, and in time, nothing speaks for the bound any more.
  const noteOther = (atMs: number, askedMs: number): void => {
    quickOthers = atMs - askedMs > targetMs ? 0 : quickOthers + 1;
    if (quickOthers < ENOUGH_ENDS || atMs - Math.max(judgedAtMs, doneAtMs) <= FORGET_MS) return;
    limit = MOST;
    beginWindow(atMs);
  };

  // Nothing is under way, so nothing is late; a pause would make the rate look lower than it is.
  const beginAnew = (atMs: number): void => {
    if (atMs - judgedAtMs > FORGET_MS) {
      limit = MOST;
      beginWindow(atMs);
    }
    if (tookMs.length === 0) sinceMs = atMs;
  };

  return {
    enter() {
      const enteredMs = nowMs();
      const askedMs = enteredMs - waitedMs();
      if (inFlight === 0) beginAnew(enteredMs);
      inFlight += 1;
      let isIn = true;
      return {
        leave(end) {
          if (!isIn) return;
          isIn = false;
          inFlight -= 1;
          if (end === "outside") return;
          const atMs = nowMs();
          if (end === "other") return noteOther(atMs, askedMs);
          doneAtMs = atMs;
          tookMs.push(atMs - askedMs);
          judge(atMs);
        },
      };
    },
    load: () => ({ limit, inFlight }),
  };
}

function medianOf(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)] ?? 0;
}
