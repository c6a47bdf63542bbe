import { setTimeout as sleep } from "node:timers/promises";
import { messageOf } from "../base/errors.ts";
import type { OutboxRow } from "../store/outbox/outbox.ts";
import { createRelayLease, type LeaseDeps } from "./relay-lease.ts";
import { createRelaySleep, type SleepDeps } from "./relay-sleep.ts";
import { createTopicPublisher, type PublisherDeps } from "./topic-publisher.ts";
import { createTopicRests } from "./topic-rests.ts";
import { createUnsendableRows } from "./unsendable-rows.ts";

export interface RelayDeps extends PublisherDeps, SleepDeps, LeaseDeps {
  readonly readUnpublished: (input: {
    readonly limitPerTopic: number;
    readonly withoutTopics: readonly string[];
    readonly withoutIds: readonly string[];
  }) => Promise<OutboxRow[]>;
  /** How many rows of each topic one step publishes at most. */
  readonly batchSize: number;
  readonly backoff: { readonly firstMs: number; readonly maxMs: number };
}

/** A topic that takes longer than this is left to itself, and the others go on. */
const SLOW_TOPIC_MS = 500;

export interface Relay {
  /** Publishes one batch of each topic. Returns how many rows it tried: after a full batch the next one follows at once. Throws: what the store throws. */
  step(): Promise<number>;
  /** Tells the relay of new rows: it ends its sleep. */
  wakeUp(): void;
  /** Publishes until the signal aborts. Waits out every outage. */
  run(signal: AbortSignal): Promise<void>;
}

/**
 * Brings the outbox to Kafka, in the order of the rows, and marks a row only when Kafka has acknowledged it: after a kill in between the row
 * is published again, under the same event id, and none is lost. By a lease one process at a time does it, so rows of one key keep
 * their order. Each topic has its own share of every step, so that a million rows of one topic hold up no row of another. A topic that fails
 * rests a while, and neither it nor one that takes long holds up another topic; a row that no topic takes holds up no other row.
 */
export function createRelay(deps: RelayDeps): Relay {
  const rests = createTopicRests(deps);
  const unsendable = createUnsendableRows(deps);
  const publisher = createTopicPublisher(deps, rests, unsendable);
  const lease = createRelayLease(deps);

  /** The topics that are being published to. A topic that takes long is not waited for, and gets no further rows until it is done. */
  const inHand = new Map<string, Promise<void>>();
  let failed: { readonly reason: unknown } | undefined;

  const beginTopic = (topic: string, rows: readonly OutboxRow[]): Promise<void> => {
    const publishing = publisher
      .publish(topic, rows)
      .catch((reason: unknown) => {
        failed ??= { reason };
      })
      .finally(() => {
        inHand.delete(topic);
        // Its next rows may have been left out of the last look because of this batch.
        asleep.wakeUp();
      });
    inHand.set(topic, publishing);
    return publishing;
  };

  const step = async (): Promise<number> => {
    const rows = await deps.readUnpublished({
      limitPerTopic: deps.batchSize,
      withoutTopics: [...rests.resting(), ...inHand.keys()],
      withoutIds: unsendable.ids(),
    });
    const published = [...new Set(rows.map(({ topic }) => topic))].map((topic) =>
      beginTopic(
        topic,
        rows.filter((row) => row.topic === topic),
      ),
    );
    const cut = new AbortController();
    const late = sleep(SLOW_TOPIC_MS, undefined, { signal: cut.signal }).catch(() => {});
    await Promise.race([Promise.all(published), late]);
    cut.abort();
    if (failed === undefined) return rows.length;
    const { reason } = failed;
    failed = undefined;
    throw reason;
  };

  const turn = async (): Promise<"full" | "some" | "none" | "not mine"> => {
    if (!(await lease.isMine())) {
      publisher.forgetAcknowledged();
      return "not mine";
    }
    const tried = await step();
    if (tried >= deps.batchSize) return "full";
    return tried > 0 ? "some" : "none";
  };

  const asleep = createRelaySleep(deps, step);

  return {
    step,
    wakeUp: asleep.wakeUp,
    async run(signal) {
      let pauseMs = deps.backoff.firstMs;
      let mine = false;
      const renewal = setInterval(() => void lease.renew(), deps.renewLeaseMs);
      while (!signal.aborted) {
        let restMs = deps.pollMs;
        try {
          const state = await turn();
          if (mine !== (state !== "not mine")) deps.log.info({}, mine ? "another relay publishes now" : "this relay publishes now");
          mine = state !== "not mine";
          if (state !== "not mine") restMs = 0;
          if (state === "some") await asleep.gather(signal);
          if (state === "none") await asleep.sleep(signal);
          pauseMs = deps.backoff.firstMs;
        } catch (error) {
          deps.log.warn({ err: messageOf(error), pauseMs }, "the outbox cannot be read or marked; trying again");
          restMs = pauseMs;
          pauseMs = Math.min(pauseMs * 2, deps.backoff.maxMs);
        }
        if (restMs > 0) await sleep(restMs, undefined, { signal }).catch(() => {});
      }
      await Promise.all(inHand.values());
      clearInterval(renewal);
    },
  };
}
