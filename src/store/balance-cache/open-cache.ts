import { messageOf } from "../../base/errors.ts";
import { mayOpen, type GateTimes, type KnownGate } from "../../domain/balances/cache-gate.ts";
import type { BalanceMarks } from "./balance-marks.ts";
import type { CacheClock, CacheGate } from "./cache-gate.ts";
import type { GateRow } from "./gate-row.ts";

/** What the opener needs of a log. */
interface OpenCacheLog {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

export interface OpenCacheOptions {
  readonly gate: CacheGate;
  readonly row: GateRow;
  readonly marks: Pick<BalanceMarks, "isUp" | "raise">;
  readonly times: GateTimes;
  readonly clock: CacheClock;
  /** How often it looks. */
  readonly everyMs: number;
  /** How long Redis must have taken writes before the cache is opened on it. */
  readonly steadyMs: number;
  readonly log: OpenCacheLog;
}

/** A gate that was open for less has flapped: each time the next opening waits twice as long. */
const STEADY_EPOCH_MS = 60_000;
const MAX_PATIENCE = 64;

/**
 * Opens the cache whenever Redis has taken writes for a while, in any process that reads it; several of them do no harm. An epoch stands
 * as `opening` until every writer marks. While a process of an older release is there, which marks nothing, the cache is closed. Runs until
 * `signal` aborts.
 */
export async function keepCacheOpen(options: OpenCacheOptions, signal: AbortSignal): Promise<void> {
  const { gate, row, marks, times, clock, everyMs, steadyMs, log } = options;
  let known: KnownGate | undefined;
  let sinceMs = clock.nowMs();
  let upSinceMs: number | undefined;
  let patience = 1;

  const note = (now: KnownGate): void => {
    if (now.epoch === known?.epoch && now.state === known.state) return;
    const nowMs = clock.nowMs();
    if (now.state === "closed" && known !== undefined) {
      patience = known.state === "open" && nowMs - sinceMs >= STEADY_EPOCH_MS ? 1 : Math.min(patience * 2, MAX_PATIENCE);
      log.warn({ event: "balance-cache.closed", epoch: now.epoch }, "cached balances are not read: Redis missed a change, or may have");
    }
    if (now.state === "open") log.info({ event: "balance-cache.open", epoch: now.epoch }, "balances are read from Redis");
    known = now;
    sinceMs = nowMs;
    upSinceMs = undefined;
  };
  const step = async (): Promise<void> => {
    const isShared = await row.hasOlderRelease();
    note(await gate.ask());
    if (isShared) {
      if (known !== undefined && known.state !== "closed") note(await gate.close(known.epoch));
      upSinceMs = undefined;
      return;
    }
    const askedAtMs = clock.nowMs();
    if (known?.state === "opening" && mayOpen(sinceMs, askedAtMs, times)) note(gate.learn(await row.open(known.epoch), askedAtMs));
    if (known?.state !== "closed") return;
    upSinceMs = marks.isUp() ? (upSinceMs ?? askedAtMs) : undefined;
    if (upSinceMs === undefined || askedAtMs < upSinceMs + steadyMs * patience) return;
    const reign = await marks.raise(known.epoch + 1);
    const sentAtMs = clock.nowMs();
    if (reign !== undefined) note(gate.learn(await row.beginOpening(known.epoch, reign), sentAtMs));
  };
  while (!signal.aborted) {
    await step().catch((error: unknown) => log.debug({ reason: messageOf(error) }, "the cache of balances was not looked after"));
    await clock.sleep(everyMs);
  }
}
