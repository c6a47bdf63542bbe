import { markAborted, type AbortedTransaction } from "./kafka-aborted.ts";
import { registerCodecs } from "./kafka-codecs.ts";
import { boundHeaders } from "./kafka-headers.ts";
import { clientModule } from "./kafka-internals.ts";
import { replaceRecordReading, troubleRecord, Unreadable, type ClientRecord } from "./kafka-records.ts";

interface FetchedPartition {
  partition: number;
  errorCode: number;
  messages: ClientRecord[];
  abortedTransactions?: readonly AbortedTransaction[];
}

interface FetchAnswer {
  readonly responses: readonly { readonly topicName: string; readonly partitions: readonly FetchedPartition[] }[];
}

interface FetchVersion {
  decode: ((bytes: Buffer) => Promise<FetchAnswer>) & { isMended?: true };
}

/** Record batches are fetched by version 4 and later; the client asks for 11 at most. */
const VERSIONS = [4, 5, 6, 7, 8, 9, 10, 11];
const OFFSET_OUT_OF_RANGE = 1;
/** What the client answers by asking anew for who leads: unknown topic, no leader, not the leader, and the epochs of a leader. */
const LEADER_MOVED = new Set([3, 5, 6, 74, 75]);

/**
 * Mends how the client reads what was fetched: codecs, headers, batches, aborted transactions, and that one partition's error stops all
 * (kafkajs/src/protocol/requests/fetch/v0/response.js throws the first it finds). Has to run before the first fetch. Safe to retry.
 */
export function mendFetching(): void {
  boundHeaders();
  registerCodecs();
  replaceRecordReading();
  for (const version of VERSIONS) {
    const response = clientModule(`protocol/requests/fetch/v${version}/response.js`) as FetchVersion;
    if (response.decode.isMended === true) continue;
    const decode = response.decode;
    response.decode = Object.assign(async (bytes: Buffer) => mendAnswer(await decode(bytes)), { isMended: true } as const);
  }
}

/** Hides what was aborted, and turns each partition's own error into a record of that partition. */
export function mendAnswer(answer: FetchAnswer): FetchAnswer {
  for (const partition of answer.responses.flatMap(({ partitions }) => partitions)) {
    markAborted(partition.messages, partition.abortedTransactions ?? []);
    partition.abortedTransactions = [];
    const { errorCode } = partition;
    if (errorCode === 0 || LEADER_MOVED.has(errorCode)) continue;
    partition.errorCode = 0;
    partition.messages = [troubleRecord(errorCode === OFFSET_OUT_OF_RANGE ? "out-of-range" : new Unreadable(brokersWord(errorCode)))];
  }
  return answer;
}

function brokersWord(errorCode: number): string {
  const { createErrorFromCode } = clientModule("protocol/error.js") as { createErrorFromCode(code: number): Error };
  return `the broker says: ${createErrorFromCode(errorCode).message}`;
}
