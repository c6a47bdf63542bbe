import { expect, it } from "vitest";
import { SILENT_LOG } from "../log.ts";
import { NO_NOTE, type PartitionNote } from "./kafka-note.ts";
import { createPlaces } from "./kafka-places.ts";

function bench(readNotes: () => Promise<ReadonlyMap<number, PartitionNote>>) {
  let asked = 0;
  const places = createPlaces({
    topic: "t",
    group: "g",
    readNotes: () => {
      asked += 1;
      return readNotes();
    },
    readOffsets: async () => [],
    commit: async () => {},
    log: SILENT_LOG,
  });
  return { places, asked: () => asked };
}

it("what a group has noted is asked for when it is joined, beside the first fetch, and not once more by the first batch", async () => {
  const { places, asked } = bench(async () => new Map([[0, { ...NO_NOTE, removedUnread: 7n }]]));
  places.joined();
  expect(asked()).toBe(1);
  expect(await places.note(0)).toMatchObject({ removedUnread: 7n });
  expect(asked()).toBe(1);
});

it("notes that could not be read at the join are asked for again by the batch that needs them", async () => {
  let away = true;
  const { places, asked } = bench(async () => {
    if (away) throw new Error("no coordinator");
    return new Map();
  });
  places.joined();
  await Promise.resolve();
  away = false;
  expect(await places.note(0)).toMatchObject({ removedUnread: NO_NOTE.removedUnread });
  expect(asked()).toBe(2);
});
