import { setTimeout as sleep } from "node:timers/promises";
import type { OutgoingMessage } from "../adapters/kafka/kafka.ts";
import type { Log } from "../adapters/log.ts";
import { causesOf, messageOf } from "../base/errors.ts";
import type { OutboxRow } from "../store/outbox/outbox.ts";
import { toOutgoing, type OutgoingEvent } from "./outgoing-message.ts";

export interface RelayDeps {
  /** True while this process may publish. Takes the lease or renews it. */
  readonly takeLease: () => Promise<boolean>;
  /** How often the lease is renewed besides, so that a slow broker does not lose it. */
  readonly renewLeaseMs: number;
  readonly readUnpublished: (input: {
    readonly limit: number;
    readonly withoutTopics: readonly string[];
    readonly withoutIds: readonly string[];
  }) => Promise<OutboxRow[]>;
  readonly markPublished: (ids: readonly string[]) => Promise<void>;
  readonly countFailedAttempt: (ids: readonly string[]) => Promise<void>;
  /** Settles when the broker has acknowledged all of them. */
  readonly send: (topic: string, messages: readonly OutgoingMessage[]) => Promise<unknown>;
  /**
   * Told of events that were acknowledged and are not marked yet: after a failure or a kill it is told again. Only when it answered
   * are they marked. Throws as the store does.
   */
  readonly onPublished?: (events: readonly OutgoingEvent[]) => Promise<void>;
  /** Says whether new rows should wake this relay. Without it there is only the poll. */
  readonly wake?: { fallAsleep(forMs: number): Promise<void>; wakeUp(): Promise<void> };
  readonly batchSize: number;
  /** How long to rest when there is nothing to publish and nothing wakes it. */
  readonly pollMs: number;
  /** How long to gather rows once it was woken, so that a busy outbox is read in batches. */
  readonly gatherMs?: number;
  readonly backoff: { readonly firstMs: number; readonly maxMs: number };
  readonly nowMs: () => number;
  readonly log: Log;
}

export interface Relay {
  /** Publishes one batch; answers how many rows it tried, so that a full one is followed by the next at once. Throws what the store throws. */
  step(): Promise<number>;
  /** There are new rows: a relay that rests begins again. */
  wakeUp(): void;
  /** Publishes until the signal aborts. Waits out every outage. */
  run(signal: AbortSignal): Promise<void>;
}

interface Rendered {
  readonly id: string;
  readonly message: OutgoingMessage;
  readonly event?: OutgoingEvent;
}

/** How long a row is left alone that can never leave as it is: for an operator, who finds it in the log. */
const UNSENDABLE_REST_MS = 600_000;

interface Rest {
  readonly untilMs: number;
  readonly pauseMs: number;
}

/**
 * Brings the outbox to Kafka, in the order of the rows, and marks only what was acknowledged: a kill in between publishes
 * again, under the same event id, and never loses. One process at a time does it, by a lease, so rows of one key keep
 * their order. A topic that fails rests a while and holds up no other; a row that no topic takes holds up no other row.
 */
export function createRelay(deps: RelayDeps): Relay {
  const resting = new Map<string, Rest>();
  const unsendable = new Map<string, number>();
  /** Topics that had rows to set aside just now. */
  const sittingOut = new Set<string>();
  /** Rows that Kafka has and that are not marked: what comes after the send is made up for without sending again. */
  const acknowledged = new Set<string>();
  let rowsCame = () => {};

  const restingTopics = (): string[] => [...resting].filter(([, rest]) => rest.untilMs > deps.nowMs()).map(([topic]) => topic);

  // It stays for an operator and holds up no other.
  const setAside = (row: { readonly id: string }, topic: string, error: unknown) => {
    unsendable.set(row.id, deps.nowMs() + UNSENDABLE_REST_MS);
    sittingOut.add(topic);
    deps.log.error({ topic, outboxId: row.id, err: messageOf(error) }, "this outbox row cannot be sent as it is");
  };

  const idsSetAside = (): string[] => {
    for (const [id, untilMs] of unsendable) if (untilMs <= deps.nowMs()) unsendable.delete(id);
    return [...unsendable.keys()];
  };

  // A row that cannot be written as a message is a fault of ours.
  const render = (row: OutboxRow): readonly Rendered[] => {
    try {
      return [{ id: row.id, ...toOutgoing(row) }];
    } catch (error) {
      setAside(row, row.topic, error);
      return [];
    }
  };

  const publishTopic = async (topic: string, rows: readonly OutboxRow[]): Promise<void> => {
    for (const slice of slicesOf(rows.flatMap(render))) if (!(await publishSlice(topic, slice))) return;
  };

  const publishSlice = async (topic: string, rendered: readonly Rendered[]): Promise<boolean> => {
    const ids = rendered.map(({ id }) => id);
    const unsent = rendered.filter(({ id }) => !acknowledged.has(id));
    try {
      if (unsent.length > 0)
        await deps.send(
          topic,
          unsent.map(({ message }) => message),
        );
    } catch (error) {
      const [only, ...others] = rendered;
      if (isTooLarge(error) && only !== undefined) {
        if (others.length > 0) {
          // One of them is, or a topic takes less at once than it usually does.
          const middle = Math.ceil(rendered.length / 2);
          return (await publishSlice(topic, rendered.slice(0, middle))) && (await publishSlice(topic, rendered.slice(middle)));
        }
        setAside(only, topic, error);
        await deps.countFailedAttempt(ids);
        return true;
      }
      const pauseMs = Math.min((resting.get(topic)?.pauseMs ?? deps.backoff.firstMs / 2) * 2, deps.backoff.maxMs);
      resting.set(topic, { untilMs: deps.nowMs() + pauseMs, pauseMs });
      deps.log.warn(
        { topic, rows: ids.length, firstId: ids[0], pauseMs, err: messageOf(error) },
        "could not publish; the rows stay in the outbox",
      );
      await deps.countFailedAttempt(ids);
      return false;
    }
    resting.delete(topic);
    for (const id of ids) acknowledged.add(id);
    await deps.onPublished?.(rendered.flatMap(({ event }) => event ?? []));
    await deps.markPublished(ids);
    for (const id of ids) acknowledged.delete(id);
    deps.log.debug({ topic, rows: ids.length, firstId: ids[0], lastId: ids.at(-1) }, "published");
    return true;
  };

  // A topic whose rows had to be set aside sits out one read: many such rows in a row would hold up what other topics have behind them.
  const readRows = async (): Promise<OutboxRow[]> => {
    const withoutTopics = restingTopics();
    const once = [...sittingOut];
    sittingOut.clear();
    const read = (without: readonly string[]) =>
      deps.readUnpublished({ limit: deps.batchSize, withoutTopics: without, withoutIds: idsSetAside() });
    const rows = await read([...withoutTopics, ...once]);
    return rows.length > 0 || once.length === 0 ? rows : await read(withoutTopics);
  };

  const step = async (): Promise<number> => {
    const rows = await readRows();
    const topics = [...new Set(rows.map((row) => row.topic))];
    const outcomes = await Promise.allSettled(
      topics.map((topic) =>
        publishTopic(
          topic,
          rows.filter((row) => row.topic === topic),
        ),
      ),
    );
    for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
    return rows.length;
  };

  const turn = async (): Promise<"full" | "idle" | "not mine"> => {
    if (!(await deps.takeLease())) {
      acknowledged.clear();
      return "not mine";
    }
    return (await step()) >= deps.batchSize ? "full" : "idle";
  };

  // A row that was written before the outbox knew of the sleep is found by the second look; one that slipped between, by the poll.
  const rest = async (signal: AbortSignal): Promise<void> => {
    const { wake, pollMs, gatherMs = 0 } = deps;
    if (wake === undefined) {
      await sleep(pollMs, undefined, { signal }).catch(() => {});
      return;
    }
    await wake.fallAsleep(pollMs);
    if ((await step()) === 0) {
      const woken = new AbortController();
      rowsCame = () => woken.abort();
      await sleep(pollMs, undefined, { signal: AbortSignal.any([signal, woken.signal]) }).catch(() => {});
      rowsCame = () => {};
      if (!woken.signal.aborted) return;
    }
    await wake.wakeUp();
    await sleep(gatherMs, undefined, { signal }).catch(() => {});
  };

  return {
    step,
    wakeUp: () => rowsCame(),
    async run(signal) {
      let pauseMs = deps.backoff.firstMs;
      let mine = false;
      const renewal = setInterval(() => {
        if (mine) deps.takeLease().catch(() => {});
      }, deps.renewLeaseMs);
      while (!signal.aborted) {
        let restMs = deps.pollMs;
        try {
          const state = await turn();
          if (mine !== (state !== "not mine")) deps.log.info({}, mine ? "another relay publishes now" : "this relay publishes now");
          mine = state !== "not mine";
          if (state !== "not mine") restMs = 0;
          if (state === "idle") await rest(signal);
          pauseMs = deps.backoff.firstMs;
        } catch (error) {
          deps.log.warn({ err: messageOf(error), pauseMs }, "the outbox cannot be read or marked; trying again");
          restMs = pauseMs;
          pauseMs = Math.min(pauseMs * 2, deps.backoff.maxMs);
        }
        if (restMs > 0) await sleep(restMs, undefined, { signal }).catch(() => {});
      }
      clearInterval(renewal);
    },
  };
}

/** All messages of one send may go to one partition, as one record batch, and the broker takes 1 MiB of it. */
const MAX_SEND_BYTES = 800_000;
const MESSAGE_OVERHEAD_BYTES = 64;

function* slicesOf(rendered: readonly Rendered[]): Generator<readonly Rendered[]> {
  let slice: Rendered[] = [];
  let bytes = 0;
  for (const one of rendered) {
    const size = sizeOf(one.message);
    if (slice.length > 0 && bytes + size > MAX_SEND_BYTES) {
      yield slice;
      slice = [];
      bytes = 0;
    }
    slice.push(one);
    bytes += size;
  }
  if (slice.length > 0) yield slice;
}

function sizeOf({ key, value, headers = {} }: OutgoingMessage): number {
  let bytes = MESSAGE_OVERHEAD_BYTES + Buffer.byteLength(key ?? "") + Buffer.byteLength(value ?? "");
  for (const [name, text] of Object.entries(headers)) bytes += Buffer.byteLength(name) + Buffer.byteLength(text);
  return bytes;
}

// The broker's own word for it; its client puts it into `type`.
function isTooLarge(error: unknown): boolean {
  for (const current of causesOf(error))
    if ("type" in current && (current.type === "MESSAGE_TOO_LARGE" || current.type === "RECORD_LIST_TOO_LARGE")) return true;
  return false;
}
