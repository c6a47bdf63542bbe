import { expect, it } from "vitest";
import type { TopicIncarnation } from "../../contract/topic-incarnations.ts";
import { createFetchedFrom } from "./kafka-fetched-from.ts";

const first = { clusterId: "c", topicId: "1" };
const second = { clusterId: "c", topicId: "2" };
const elsewhere = { clusterId: "d", topicId: "1" };

/** Answers each question of a partition by the next answer of its list; the first question is that of the beginning. */
function asked(answers: readonly (TopicIncarnation | undefined)[]) {
  const left = [...answers];
  return createFetchedFrom(async () => left.shift());
}

it.each([
  ["what was fetched while one topic stood there is of that topic", [first, first, first], [first, first]],
  ["what was fetched while the topic was made again is of neither", [first, second, second], [undefined, second]],
  ["what was fetched while it went to another cluster is of neither", [first, elsewhere, elsewhere], [undefined, elsewhere]],
  ["what was fetched before the topic was known is not used", [undefined, first, first], [undefined, first]],
  ["what was fetched of a topic that is gone is not used", [first, undefined, second, second], [undefined, undefined, second]],
])("%s", async (_words, answers, expected) => {
  const from = asked(answers);
  await from.begin();
  const found: (TopicIncarnation | undefined)[] = [];
  while (found.length < expected.length) found.push(await from.incarnation(0));
  expect(found).toEqual(expected);
});

it("a question of one partition says nothing of what was fetched of another before it", async () => {
  const from = asked([first, second, second]);
  await from.begin();
  expect(await from.incarnation(0)).toBeUndefined();
  expect(await from.incarnation(1)).toBeUndefined();
});
