import type { OutgoingMessage } from "../adapters/kafka/kafka.ts";
import type { Log } from "../adapters/log.ts";
import { messageOf } from "../base/errors.ts";
import type { OutboxRow } from "../store/outbox/outbox.ts";
import { toOutgoing, type OutgoingEvent } from "./outgoing-message.ts";
import { isTooLarge, slicesOf } from "./send-slices.ts";
import type { TopicRests } from "./topic-rests.ts";
import type { UnsendableRows } from "./unsendable-rows.ts";

export interface PublisherDeps {
  readonly markPublished: (ids: readonly string[]) => Promise<void>;
  readonly countFailedAttempt: (ids: readonly string[]) => Promise<void>;
  /** Settles when the broker has acknowledged all of them. */
  readonly send: (topic: string, messages: readonly OutgoingMessage[]) => Promise<unknown>;
  /**
   * Called with events that the broker has acknowledged, before their rows are marked: after a failure or a kill it is called again with
   * the same events. Throws as the store does; then the rows are not marked.
   */
  readonly onPublished?: (events: readonly OutgoingEvent[]) => Promise<void>;
  readonly log: Log;
}

export interface TopicPublisher {
  /**
   * Publishes rows of one topic in their order, and marks the acknowledged ones. It stops at the first slice that fails, and the topic rests;
   * a row that no send can carry is set aside, and the next row follows. Throws: what the store throws.
   */
  publish(topic: string, rows: readonly OutboxRow[]): Promise<void>;
  /** Forgets which rows Kafka has: another process publishes now, and may mark them. */
  forgetAcknowledged(): void;
}

interface Rendered {
  readonly id: string;
  readonly message: OutgoingMessage;
  readonly event?: OutgoingEvent;
}

/** A publisher that lets failing topics rest in `rests` and sets rows aside in `unsendable`. */
export function createTopicPublisher(deps: PublisherDeps, rests: TopicRests, unsendable: UnsendableRows): TopicPublisher {
  /** Ids of rows that Kafka has acknowledged and that are not marked yet. What follows the send is done for them without a second send. */
  const acknowledged = new Set<string>();

  const render = (row: OutboxRow): readonly Rendered[] => {
    try {
      return [{ id: row.id, ...toOutgoing(row) }];
    } catch (error) {
      unsendable.setAside(row, row.topic, error);
      return [];
    }
  };

  /** Publishes what is rendered, by one send where the broker takes it. Returns whether the topic's next slice may follow. */
  const publishSlice = async (topic: string, rendered: readonly Rendered[]): Promise<boolean> => {
    const unsent = rendered.filter(({ id }) => !acknowledged.has(id));
    try {
      if (unsent.length > 0)
        await deps.send(
          topic,
          unsent.map(({ message }) => message),
        );
    } catch (error) {
      return isTooLarge(error) ? await publishInPieces(topic, rendered, error) : await letRest(topic, rendered, error);
    }
    await markAcknowledged(topic, rendered);
    return true;
  };

  const markAcknowledged = async (topic: string, rendered: readonly Rendered[]): Promise<void> => {
    const ids = rendered.map(({ id }) => id);
    rests.end(topic);
    for (const id of ids) acknowledged.add(id);
    await deps.onPublished?.(rendered.flatMap(({ event }) => event ?? []));
    await deps.markPublished(ids);
    for (const id of ids) acknowledged.delete(id);
    deps.log.debug({ topic, rows: ids.length, firstId: ids[0], lastId: ids.at(-1) }, "published");
  };

  // Either one of the messages is larger than the topic takes, or the topic takes less at once than others do.
  const publishInPieces = async (topic: string, rendered: readonly Rendered[], error: unknown): Promise<boolean> => {
    if (rendered.length > 1) {
      const middle = Math.ceil(rendered.length / 2);
      return (await publishSlice(topic, rendered.slice(0, middle))) && (await publishSlice(topic, rendered.slice(middle)));
    }
    for (const row of rendered) unsendable.setAside(row, topic, error);
    await deps.countFailedAttempt(rendered.map(({ id }) => id));
    return true;
  };

  const letRest = async (topic: string, rendered: readonly Rendered[], error: unknown): Promise<boolean> => {
    const ids = rendered.map(({ id }) => id);
    const pauseMs = rests.begin(topic);
    deps.log.warn(
      { topic, rows: ids.length, firstId: ids[0], pauseMs, err: messageOf(error) },
      "could not publish; the rows stay in the outbox",
    );
    await deps.countFailedAttempt(ids);
    return false;
  };

  return {
    async publish(topic, rows) {
      for (const slice of slicesOf(rows.flatMap(render))) if (!(await publishSlice(topic, slice))) return;
    },
    forgetAcknowledged: () => acknowledged.clear(),
  };
}
