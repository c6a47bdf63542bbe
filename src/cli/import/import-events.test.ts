import { execFile } from "node:child_process";
import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { EventTrace, TracedEvent } from "../../store/events/import-tally.ts";
import type { Db } from "../../store/postgres/database.ts";
import { createBadRows } from "./bad-rows.ts";
import { readEventCsv, type EventRow } from "./event-csv.ts";
import { importEvents, type RowSource } from "./import-events.ts";

const SMALL_HEAP = fileURLToPath(new URL("../../../test/chaos/import-in-small-heap.ts", import.meta.url));
const ROWS_PER_WINDOW = 20_000;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "saldo-import-memory-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** A topic of two partitions whose bridge is never behind, and a ledger of which the `fates` tell what became of the row at an offset. */
function createWorld(fates: (eventId: string, offset: bigint) => "applied" | "lost" = () => "applied") {
  const high = [0n, 0n];
  const places = new Map<string, { partition: number; offset: bigint }>();
  const asked: number[] = [];
  const topicOffsets = () => Promise.resolve(high.map((end, partition) => ({ partition, low: 0n, high: end })));
  const badRows = createBadRows(100);
  const trace = (_db: Db, _topic: string, events: readonly TracedEvent[]): Promise<EventTrace[]> => {
    asked.push(events.length);
    return Promise.resolve(
      events.map(({ key }) => {
        const place = places.get(key.slice("event:purchases#".length));
        if (place === undefined || fates(key, place.offset) === "lost") return { operation: undefined, deadLetter: undefined };
        return { operation: { ...place, id: `${place.partition}/${place.offset}`, outcome: "done" }, deadLetter: undefined };
      }),
    );
  };
  const deps = {
    kafka: { topicOffsets, committedOffsets: () => Promise.resolve(new Map(high.entries())) } as never,
    producer: {
      send: (_topic: string, messages: readonly { key: string | Buffer | null; value: string | Buffer | null }[]) => {
        for (const { value } of messages) {
          const { event_id: id } = JSON.parse(String(value)) as { event_id: string };
          const partition = id.length % 2;
          const offset = high[partition] ?? 0n;
          high[partition] = offset + 1n;
          // Of rows with the same id the first takes effect.
          if (!places.has(id)) places.set(id, { partition, offset });
        }
        return Promise.resolve();
      },
    } as never,
    // No dead letter stands at any place.
    db: { execute: () => Promise.resolve([]) } as never,
    topic: "purchases",
    group: "group",
    placeTopic: async () => "t",
    trace,
    settleMs: 0,
    progress: { produced() {}, consumed() {} },
    onBadRow: badRows.add,
    nowMs: () => performance.now(),
  };
  return { deps, asked, badRows };
}

function rowsOf(ids: readonly string[]): RowSource {
  return async function* rows(): AsyncGenerator<EventRow> {
    for (const [place, eventId] of ids.entries())
      yield { line: place + 2, eventId, key: "ann", json: JSON.stringify({ event_id: eventId }) };
  };
}

describe("an import counts its rows by reading them once more", () => {
  it("and each row once, also where rows with one id stand far from each other", async () => {
    const ids = Array.from({ length: 2 * ROWS_PER_WINDOW + 7 }, (_, place) => (place % ROWS_PER_WINDOW === 5 ? "same" : `row-${place}`));
    const { deps, asked } = createWorld();
    expect(await importEvents(deps, rowsOf(ids), 1_000)).toMatchObject({
      produced: ids.length,
      applied: ids.length - 2,
      duplicates: 2,
      earlier: { applied: 2, refused: 0, deadLettered: 0 },
      missing: 0,
    });
    expect(Math.max(...asked)).toBeLessThanOrEqual(5_000);
  });

  it("and rows that are gone from the file by then, or from the ledger, are missing", async () => {
    const ids = Array.from({ length: 30 }, (_, place) => `row-${place}`);
    let reads = 0;
    const shrinking: RowSource = (onBadRow) => rowsOf((reads += 1) === 1 ? ids : ids.slice(0, 20))(onBadRow);
    const { deps } = createWorld((key) => (key.endsWith("row-3") ? "lost" : "applied"));
    expect(await importEvents(deps, shrinking, 1_000)).toMatchObject({ produced: 30, applied: 19, missing: 11 });
  });

  it("in a heap that could not hold them", async () => {
    const args = ["--max-old-space-size=40", "--import", "tsx", SMALL_HEAP, "400000"];
    const { stdout } = await promisify(execFile)(process.execPath, args);
    expect(JSON.parse(stdout)).toMatchObject({ produced: 400_000, applied: 400_000, missing: 0, badRows: 200_000 });
  }, 120_000);

  it("and keeps of bad rows the first hundred and the number of all", async () => {
    const path = join(folder, "bad.csv");
    const file = await open(path, "w");
    await file.write("user_id,date,amount\n");
    for (let part = 0; part < 10; part += 1) await file.write(`ann,soon,1.00\n`.repeat(5_000));
    await file.close();
    const { deps, badRows } = createWorld();
    const options = { path, kind: "purchase", source: "bad", currency: "USD", timeZone: "UTC" } as const;
    const sum = await importEvents(deps, (onBadRow) => readEventCsv({ ...options, onBadRow }), 1_000);
    expect({ ...sum, bad: badRows.count(), kept: badRows.first().length }).toMatchObject({
      produced: 0,
      missing: 0,
      bad: 50_000,
      kept: 100,
    });
    expect(badRows.first()[99]).toEqual({ line: 101, reason: expect.stringMatching(/^the date is neither/) as unknown });
  });
});
