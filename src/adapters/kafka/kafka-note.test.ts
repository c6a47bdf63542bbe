import { expect, it } from "vitest";
import { NO_NOTE, noteText, readNote } from "./kafka-note.ts";

it("a note is read again as it was written, its reason cut to what the broker takes", () => {
  const note = { removedUnread: 12_345_678_901_234_567n, unreadable: "offset 7: it unpacks to more" };
  expect(readNote(noteText(note))).toEqual(note);
  const placed = { ...NO_NOTE, incarnation: { clusterId: "MkU3OEVBNTcwNTJENDM2Qk", topicId: "e1b4" } };
  expect(readNote(noteText(placed))).toEqual(placed);
  expect(noteText(NO_NOTE)).toBeNull();
  expect(Buffer.byteLength(noteText({ removedUnread: 1n, unreadable: "ä".repeat(9_000) }) ?? "")).toBeLessThan(4_096);
});

it.each([null, undefined, "", "x", "null", "[]", '{"removedUnread":-1}', '{"removedUnread":"-1","unreadable":7}'])(
  "what another tool left there says nothing: %s",
  (text) => expect(readNote(text)).toEqual(NO_NOTE),
);
