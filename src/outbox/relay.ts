import { setTimeout as sleep } from "node:timers/promises";
import { messageOf } from "../base/errors.ts";
import type { OutboxRow } from "../store/outbox/outbox.ts";
import { createRelaySleep, type SleepDeps } from "./relay-sleep.ts";
import { createTopicPublisher, type PublisherDeps } from "./topic-publisher.ts";
import { createTopicRests } from "./topic-rests.ts";
import { createUnsendableRows } from "./unsendable-rows.ts";

export interface RelayDeps extends PublisherDeps, SleepDeps {
  /** Takes the lease or renews it. True while this process may publish. */
  readonly takeLease: () => Promise<boolean>;
  /** How often the lease is renewed beside the publishing, so that it does not end while a send takes long. */
  readonly renewLeaseMs: number;
  readonly readUnpublished: (input: {
    readonly limit: number;
    readonly withoutTopics: readonly string[];
    readonly withoutIds: readonly string[];
  }) => Promise<OutboxRow[]>;
  readonly batchSize: number;
  readonly backoff: { readonly firstMs: number; readonly maxMs: number };
  readonly nowMs: () => number;
}

export interface Relay {
  /** Publishes one batch. Returns how many rows it tried: after a full batch the next one follows at once. Throws: what the store throws. */
  step(): Promise<number>;
  /** Tells the relay of new rows: it ends its sleep. */
  wakeUp(): void;
  /** Publishes until the signal aborts. Waits out every outage. */
  run(signal: AbortSignal): Promise<void>;
}

/**
 * Brings the outbox to Kafka, in the order of the rows, and marks a row only when Kafka has acknowledged it: after a kill in between the row
 * is published again, under the same event id, and none is lost. By a lease one process at a time does it, so rows of one key keep
 * their order. A topic that fails rests a while and holds up no other topic; a row that no topic takes holds up no other row.
 */
export function createRelay(deps: RelayDeps): Relay {
  const rests = createTopicRests(deps);
  const unsendable = createUnsendableRows(deps);
  const publisher = createTopicPublisher(deps, rests, unsendable);

  // A topic whose rows had to be set aside is left out of one read: many such rows in a row would hold up the other topics behind them.
  const readRows = async (): Promise<OutboxRow[]> => {
    const withoutTopics = rests.resting();
    const leftOutOnce = unsendable.takeTopics();
    const read = (without: readonly string[]) =>
      deps.readUnpublished({ limit: deps.batchSize, withoutTopics: without, withoutIds: unsendable.ids() });
    const rows = await read([...withoutTopics, ...leftOutOnce]);
    return rows.length > 0 || leftOutOnce.length === 0 ? rows : await read(withoutTopics);
  };

  const step = async (): Promise<number> => {
    const rows = await readRows();
    const topics = [...new Set(rows.map((row) => row.topic))];
    const outcomes = await Promise.allSettled(
      topics.map((topic) =>
        publisher.publish(
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
      publisher.forgetAcknowledged();
      return "not mine";
    }
    return (await step()) >= deps.batchSize ? "full" : "idle";
  };

  const asleep = createRelaySleep(deps, step);

  return {
    step,
    wakeUp: asleep.wakeUp,
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
          if (state === "idle") await asleep.sleep(signal);
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
