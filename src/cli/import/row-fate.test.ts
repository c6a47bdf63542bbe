import { describe, expect, it } from "vitest";
import { createClassifier } from "./row-fate.ts";

const ranges = [{ partition: 0, from: 100n, to: 200n }];
const at = (offset: bigint, id = String(offset)) => ({ id, partition: 0, offset });
const done = (offset: bigint, id?: string) => ({ operation: { ...at(offset, id), outcome: "done" as const }, deadLetter: undefined });
const letter = (offset: bigint) => ({ operation: undefined, deadLetter: { ...at(offset), code: "INVALID_EVENT" } });
const noted: string[] = [];
const notes = { deadLettered: (code: string) => void noted.push(code), duplicate: (of: string) => void noted.push(`duplicate of ${of}`) };
const classifier = (lettersByPlace: [string, string[]][] = []) => createClassifier(ranges, new Map(lettersByPlace), notes);

describe("what became of a row", () => {
  it("is applied or refused when its operation stands where this run produced", () => {
    expect(classifier()("a", done(100n))).toBe("applied");
    expect(classifier()("a", { operation: { ...at(150n), outcome: "refused" }, deadLetter: undefined })).toBe("refused");
  });

  it("is a duplicate when its operation or its dead letter stands elsewhere", () => {
    expect(classifier()("a", done(99n))).toBe("duplicates");
    expect(classifier()("a", done(200n))).toBe("duplicates");
    expect(classifier()("a", { operation: { id: "1", partition: 1, offset: 150n, outcome: "done" }, deadLetter: undefined })).toBe(
      "duplicates",
    );
    expect(classifier()("a", letter(7n))).toBe("duplicates");
  });

  it("is applied for one row only when several rows have the same id", () => {
    const classify = classifier();
    expect([1, 2, 3].map(() => classify("a", done(120n, "op")))).toEqual(["applied", "duplicates", "duplicates"]);
  });

  it("is dead-lettered for as many rows as there are dead letters, also beside an operation of the same id", () => {
    const classify = classifier([["a", ["EVENT_CONFLICT"]]]);
    expect([1, 2, 3].map(() => classify("a", done(120n, "op")))).toEqual(["applied", "deadLettered", "duplicates"]);
    const both = classifier();
    const trace = { ...done(121n), deadLetter: { ...at(120n), code: "INVALID_EVENT" } };
    expect([both("b", trace), both("b", trace)].toSorted()).toEqual(["applied", "deadLettered"]);
  });

  it("is told with the dead letter's code, and of a duplicate what had become of the first", () => {
    noted.splice(0);
    const classify = classifier([["a", ["EVENT_CONFLICT"]]]);
    classify("a", done(99n));
    classify("b", letter(100n));
    classify("c", done(98n));
    classify("d", { operation: { ...at(97n), outcome: "refused" }, deadLetter: undefined });
    classify("e", letter(7n));
    expect(noted).toEqual(["EVENT_CONFLICT", "INVALID_EVENT", "duplicate of applied", "duplicate of refused", "duplicate of deadLettered"]);
  });

  it("is missing when nothing is known of it", () => {
    expect(classifier()("a", { operation: undefined, deadLetter: undefined })).toBe("missing");
  });
});
