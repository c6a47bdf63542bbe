import { createBadRows } from "../../src/cli/import/bad-rows.ts";
import { readEventCsv } from "../../src/cli/import/event-csv.ts";
import { importEvents, type RowSource } from "../../src/cli/import/import-events.ts";
import type { EventTrace, TracedEvent } from "../../src/store/events/import-tally.ts";
import type { Db } from "../../src/store/postgres/database.ts";
import { wordsOfRun } from "../support/chaos-run.ts";

const USAGE = `npm run chaos:import-memory -- ROWS|FILE

In a heap of 64 MB, an import whose Kafka and ledger are played, of that many rows or of a file of purchases. Prints what became of the rows,
and dies when the heap is too small for it.
`;

const [input = "0"] = wordsOfRun(USAGE, 1);
const ROWS = Number(input);
const badRows = createBadRows(100);
let high = 0n;

const deps = {
  kafka: {
    topicOffsets: () => Promise.resolve([{ partition: 0, low: 0n, high }]),
    committedOffsets: () => Promise.resolve(new Map([[0, high]])),
  },
  producer: {
    send: (_topic: string, messages: readonly unknown[]) => {
      high += BigInt(messages.length);
      return Promise.resolve();
    },
  },
  // No dead letter stands at any place.
  db: { execute: () => Promise.resolve([]) } as never,
  topic: "purchases",
  placeTopic: async () => "purchases",
  group: "group",
  trace: traceAll(),
  settleMs: 0,
  progress: { produced() {}, consumed() {} },
  onBadRow: badRows.add,
  nowMs: () => performance.now(),
} as never as Parameters<typeof importEvents>[0];

/** Each event was booked, in the order of the rows. */
function traceAll(): (db: Db, topic: string, events: readonly TracedEvent[]) => Promise<EventTrace[]> {
  let offset = 0n;
  return (_db, _topic, events) =>
    Promise.resolve(
      events.map(() => {
        const place = { id: String(offset), partition: 0, offset };
        offset += 1n;
        return { operation: { ...place, outcome: "done" }, deadLetter: undefined };
      }),
    );
}

const numbered: RowSource = async function* rows(onBadRow) {
  for (let line = 2; line < ROWS + 2; line += 1) {
    if (line % 2 === 0) onBadRow({ line, reason: `the row of line ${line} is bad` });
    yield { line, eventId: `import/many/${line}`, key: `user-${line}`, json: `{"event_id":"import/many/${line}"}` };
  }
};
const fromFile: RowSource = (onBadRow) =>
  readEventCsv({ path: input, kind: "purchase", source: "large", currency: "USD", timeZone: "UTC", onBadRow });

const startedAtMs = performance.now();
const { produced, applied, missing } = await importEvents(deps, Number.isNaN(ROWS) ? fromFile : numbered, 60_000);
process.stdout.write(
  `${JSON.stringify({ produced, applied, missing, badRows: badRows.count(), peakMb: Math.round(process.resourceUsage().maxRSS / 1_000), seconds: Math.round((performance.now() - startedAtMs) / 1_000) })}\n`,
);
