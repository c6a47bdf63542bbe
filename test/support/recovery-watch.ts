import { setTimeout as sleep } from "node:timers/promises";
import type { Kafka } from "../../src/adapters/kafka/kafka.ts";
import { readOutboxBacklog } from "../../src/store/outbox/outbox-backlog.ts";
import type { Db } from "../../src/store/postgres/database.ts";

/** The moments of a recovery, in seconds from the kill; null for a moment that was not seen. */
export interface Recovery {
  readonly serverBack: number | null;
  /** When the group committed again, after the server was back. */
  readonly consumerCommits: number | null;
  /** When no more messages waited in the topic than one second's load. */
  readonly lagOfOneSecond: number | null;
  readonly lagZero: number | null;
  /** When the load ended. Until then messages are always on their way. */
  readonly loadOver: number | null;
  /** When no message waited in the outbox, after the group had committed again. */
  readonly outboxEmpty: number | null;
  /** The most messages that waited in the topic and in the outbox. */
  readonly greatestLag: number;
  readonly greatestOutbox: number;
}

export interface RecoveryWatch {
  /** Times count from here. */
  serverIsKilled(): void;
  serverIsBack(): void;
  loadIsOver(): void;
  /** How many messages wait now; undefined while the broker does not answer. */
  backlog(): { readonly lag: number; readonly outbox: number } | undefined;
  report(): Recovery;
  stop(): Promise<void>;
}

const WATCH_MS = 100;

/** Reads the lag of the topic's group and the outbox ten times a second. */
export function watchRecovery(input: {
  readonly kafka: Pick<Kafka, "topicOffsets" | "committedOffsets">;
  readonly db: Db;
  readonly topic: string;
  readonly group: string;
  readonly rate: number;
}): RecoveryWatch {
  const { kafka, db, topic, group, rate } = input;
  type Moment = "serverBack" | "loadOver" | "consumerCommits" | "lagOfOneSecond" | "lagZero" | "outboxEmpty";
  const moments = new Map<Moment, number>();
  const stop = new AbortController();
  let killedAtMs: number | undefined;
  let committedAtReturn: bigint | undefined;
  let backlog: { lag: number; outbox: number } | undefined;
  let greatestLag = 0;
  let greatestOutbox = 0;

  const note = (moment: Moment) => {
    if (killedAtMs !== undefined && !moments.has(moment)) moments.set(moment, Math.round((performance.now() - killedAtMs) / 100) / 10);
  };
  const look = async () => {
    const outbox = (await readOutboxBacklog(db)).count;
    greatestOutbox = Math.max(greatestOutbox, outbox);
    const committed = sum([...(await kafka.committedOffsets(group, topic)).values()]);
    const lag = Number(sum((await kafka.topicOffsets(topic)).map(({ high }) => high)) - committed);
    greatestLag = Math.max(greatestLag, lag);
    backlog = { lag, outbox };
    if (!moments.has("serverBack")) return;
    committedAtReturn ??= committed;
    if (committed > committedAtReturn) note("consumerCommits");
    if (!moments.has("consumerCommits")) return;
    if (lag <= rate) note("lagOfOneSecond");
    if (lag === 0) note("lagZero");
    if (outbox === 0) note("outboxEmpty");
  };
  const watching = (async () => {
    while (!stop.signal.aborted) {
      // The broker is away: this reading is left out.
      await look().catch(() => (backlog = undefined));
      await sleep(WATCH_MS, undefined, { signal: stop.signal }).catch(() => {});
    }
  })();

  const at = (moment: Moment) => moments.get(moment) ?? null;
  return {
    serverIsKilled: () => void (killedAtMs = performance.now()),
    serverIsBack: () => note("serverBack"),
    loadIsOver: () => note("loadOver"),
    backlog: () => backlog,
    report: () => ({
      serverBack: at("serverBack"),
      consumerCommits: at("consumerCommits"),
      lagOfOneSecond: at("lagOfOneSecond"),
      lagZero: at("lagZero"),
      loadOver: at("loadOver"),
      outboxEmpty: at("outboxEmpty"),
      greatestLag,
      greatestOutbox,
    }),
    async stop() {
      stop.abort();
      await watching;
    },
  };
}

function sum(numbers: readonly bigint[]): bigint {
  return numbers.reduce((total, number) => total + number, 0n);
}
