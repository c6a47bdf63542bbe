import type { BridgeBench } from "./bridge.ts";
import type { TestAnswer, TestApi } from "./http-api.ts";
import { relayOutbox } from "./relay-outbox.ts";
import { until } from "./until.ts";

/** What an operator asks about the messages of one topic, and the relay of what is sent again. */
export function createRedriveClient(place: () => { readonly api: TestApi; readonly bench: BridgeBench; readonly topic: string }) {
  const receipt = (offset: number) => place().api.call("GET", `/api/v1/events/${place().topic}/0/${offset}`);
  return {
    receipt,
    /** Publishes what is meant for the topic. */
    relay: () => relayOutbox(place().api.db, { topic: place().topic, send: place().bench.producer.send }),
    deadLetters: async (query = "") =>
      (await place().api.call("GET", `/api/v1/dead-letters?topic=${place().topic}${query}`)).body["deadLetters"] as Record<
        string,
        unknown
      >[],
    redrive: (id: unknown, body: Record<string, unknown>) =>
      place().api.call("POST", `/api/v1/dead-letters/${String(id)}/redrive`, { body }),
    /** The receipt of the message at the offset, as soon as there is one. */
    async seen(offset: number): Promise<TestAnswer> {
      let answer = await receipt(offset);
      await until(`offset ${offset} has a receipt`, async () => {
        answer = await receipt(offset);
        return answer.status === 200;
      });
      return answer;
    },
    /** How many operations of the topic's messages took effect. */
    revenue: async () =>
      (
        await place().api.db.execute<{ n: string }>(
          `select count(*) as n from operations where topic = '${place().topic}' and outcome = 'done'`,
        )
      )[0]?.n,
  };
}
