import { messageOf } from "../../src/base/errors.ts";
import { purchaseOperation } from "../../src/domain/ledger/wallet-operations.ts";
import { createLedger } from "../../src/store/ledger/ledger.ts";
import { BRIDGE_LIMITS } from "../../workers/parts/bridge-limits.ts";
import type { Sample } from "../measure/rounds.ts";
import type { ReaderCommands, ReaderState } from "./bridge.ts";
import { startPlainConsumer, type PlainConsumer } from "./plain-consumer.ts";
import { serveParent } from "./serve.ts";

/** A purchase, as `loadEvent` makes it. */
interface Purchase {
  readonly event_id: string;
  readonly user_id: string;
  readonly amount: string;
  readonly currency: string;
  readonly payment_method: string;
  readonly transaction_date: string;
}

export interface EventBaselineCommands extends ReaderCommands {
  /** Posts the purchases of these texts through the ledger, in batches of 200 one after the other on each of `atOnce` ways: how many per second. */
  ledgerAlone(input: { topic: string; texts: readonly string[] }): Promise<Sample>;
}

const BATCH = 200;

/** The two baselines of events: a bare consumer, and the ledger without Kafka and Temporal. */
serveParent(async ({ brokers, appUrl, laneCount }: { brokers: readonly string[]; appUrl: string; laneCount: number }) => {
  const ledger = createLedger({ url: appUrl, name: "bench-events", laneCount, deadlineMs: 60_000 });
  let consumer: PlainConsumer | undefined;
  let failure: Error | undefined;
  const commands: EventBaselineCommands = {
    async read({ topic }) {
      failure = undefined;
      consumer = await startPlainConsumer({
        brokers,
        topic,
        databaseUrl: appUrl,
        partitionsAtOnce: BRIDGE_LIMITS.partitionsAtOnce,
        onFailure: (error) => void (failure = error),
      });
    },
    async state(): Promise<ReaderState> {
      return { joined: consumer?.joined() ?? false, ...(failure === undefined ? {} : { failure: messageOf(failure) }) };
    },
    async stopReading() {
      await consumer?.stop();
      consumer = undefined;
    },
    async ledgerAlone({ topic, texts }) {
      const startedAtMs = performance.now();
      const operations = texts.map((text) => operationOf(topic, JSON.parse(text) as Purchase));
      const batches = Array.from({ length: Math.ceil(operations.length / BATCH) }, (_, place) =>
        operations.slice(place * BATCH, (place + 1) * BATCH),
      );
      // As many at once as the bridge reads partitions at once.
      const ways = Array.from({ length: BRIDGE_LIMITS.partitionsAtOnce }, async () => {
        for (let batch = batches.pop(); batch !== undefined; batch = batches.pop()) {
          const results = await ledger.postAll(batch);
          if (!results.every(({ outcome }) => outcome === "done")) throw new Error("a purchase was not booked");
        }
      });
      await Promise.all(ways);
      return { figure: (texts.length * 1_000) / (performance.now() - startedAtMs), operations: texts.length };
    },
  };
  return { commands, close: () => ledger.close() };
});

function operationOf(topic: string, event: Purchase) {
  return purchaseOperation({
    key: `bench:${topic}#${event.event_id}`,
    userId: event.user_id,
    currency: event.currency,
    amountMinor: BigInt(event.amount.replace(".", "")),
    paymentMethod: event.payment_method,
    occurredAt: event.transaction_date,
    comment: `a purchase of ${event.user_id}`,
    origin: { caller: "bench", correlationId: event.event_id },
  });
}
