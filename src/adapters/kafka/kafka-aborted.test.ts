import { describe, expect, it } from "vitest";
import { markAborted } from "./kafka-aborted.ts";
import type { ClientRecord } from "./kafka-records.ts";

const COMMIT = Buffer.from([0, 0, 0, 1]);
const ABORT = Buffer.from([0, 0, 0, 0]);

type Line = readonly [producer: string, what: "sent" | "plain" | "commit" | "abort", key?: Buffer];

function handedOut(lines: readonly Line[], aborted: readonly (readonly [producer: string, firstOffset: number])[], from = 0): number[] {
  const records = lines.slice(from).map(([producerId, what, key = null], place): ClientRecord => {
    const isMarker = what === "commit" || what === "abort";
    const ownKey = what === "commit" ? COMMIT : what === "abort" ? ABORT : key;
    const batchContext = { producerId, inTransaction: what !== "plain" };
    return {
      offset: String(from + place),
      key: ownKey,
      value: null,
      headers: {},
      timestamp: "-1",
      isControlRecord: isMarker,
      batchContext,
    };
  });
  markAborted(
    records,
    aborted.map(([producerId, firstOffset]) => ({ producerId, firstOffset: String(firstOffset) })),
  );
  return records.filter(({ isControlRecord }) => !isControlRecord).map(({ offset }) => Number(offset));
}

describe("of a fetch is handed out what belongs to no aborted transaction", () => {
  it("where it begins inside two of them", () => {
    const lines: Line[] = [
      ["a", "sent"],
      ["b", "sent"],
      ["b", "sent"],
      ["a", "sent"],
      ["a", "abort"],
      ["b", "sent"],
      ["b", "abort"],
      ["c", "plain"],
    ];
    expect(
      handedOut(
        lines,
        [
          ["a", 0],
          ["b", 1],
        ],
        2,
      ),
    ).toEqual([7]);
  });

  it("where the broker names them in another order than they began in", () => {
    const lines: Line[] = [
      ["a", "sent"],
      ["b", "sent"],
      ["b", "abort"],
      ["a", "sent"],
      ["a", "abort"],
      ["b", "sent"],
      ["b", "commit"],
    ];
    expect(
      handedOut(lines, [
        ["b", 1],
        ["a", 0],
      ]),
    ).toEqual([5]);
  });

  it("where a key has the four bytes of an abort marker", () => {
    const lines: Line[] = [
      ["a", "sent", ABORT],
      ["a", "sent"],
      ["c", "plain", ABORT],
      ["a", "sent"],
      ["a", "abort"],
      ["a", "sent"],
      ["a", "commit"],
    ];
    expect(handedOut(lines, [["a", 0]])).toEqual([2, 5]);
  });

  it("where a producer's aborted transactions follow each other, and one is not over yet", () => {
    const lines: Line[] = [
      ["a", "sent"],
      ["a", "abort"],
      ["a", "sent"],
      ["a", "commit"],
      ["a", "sent"],
    ];
    expect(
      handedOut(lines, [
        ["a", 0],
        ["a", 4],
      ]),
    ).toEqual([2]);
  });
});
