import { createHash } from "node:crypto";
import type { FetchedBatch, FetchedMessage } from "../adapters/kafka-consumer.ts";
import type { FoundRedrive, RedriveClaim } from "../store/redrives.ts";
import { headerText } from "./message-headers.ts";

/** The header that names the dead letter which a message is sent again for. */
const HEADER = "redrive-of";
const DEAD_LETTER_ID = /^[1-9]\d{0,17}$/;

/** The dead letters behind claims of messages of a topic, by the dead letter's id and the value's hash. */
export type FindRedrives = (topic: string, claims: readonly RedriveClaim[]) => Promise<ReadonlyMap<string, FoundRedrive>>;

/**
 * A batch whose messages that are dead letters sent again know it: they keep the identity they had at their first place. What says so
 * and was not sent by Saldo itself is a message like any other. Throws what `find` throws.
 */
export async function withRedrives(batch: FetchedBatch, find: FindRedrives): Promise<FetchedBatch> {
  const claims = new Map(batch.messages.flatMap((message) => claimOf(message) ?? []));
  if (claims.size === 0) return batch;
  const found = await find(batch.topic, [...claims.values()]);
  return {
    ...batch,
    messages: batch.messages.map((message) => {
      const claim = claims.get(message.offset);
      const redriveOf = claim === undefined ? undefined : found.get(`${claim.deadLetterId} ${claim.valueSha256}`);
      return redriveOf === undefined ? message : { ...message, redriveOf };
    }),
  };
}

function claimOf(message: FetchedMessage): [string, RedriveClaim][] | undefined {
  const deadLetterId = headerText(message.headers, HEADER);
  if (!DEAD_LETTER_ID.test(deadLetterId)) return undefined;
  const valueSha256 = createHash("sha256")
    .update(message.value ?? "")
    .digest("hex");
  return [[message.offset, { deadLetterId, valueSha256 }]];
}
