import { sql } from "drizzle-orm";
import { createBatcher } from "../base/batching.ts";
import type { Db } from "./postgres/database.ts";

/** An answer as it was sent, and the hash of what was asked. */
export interface KeptAnswer {
  readonly requestHash: string;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** The first answer to each request with an Idempotency-Key, for 30 days (`postgres/housekeeping.ts`; in Redis for one). Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export interface AnswerBook {
  /** The answer that is kept for the key. */
  find(key: string): Promise<KeptAnswer | undefined>;
  /**
   * Keeps the answer unless the key has one; returns the kept answer, which is this one or an earlier one.
   * Calls of the same moment share one statement. Safe to retry: the first stays.
   */
  keep(key: string, answer: KeptAnswer): Promise<KeptAnswer>;
}

interface Keeping {
  readonly key: string;
  readonly answer: KeptAnswer;
}

const MAX_BATCH = 100;

/** The book in Postgres; at most `parallel` statements at a time. */
export function createAnswerBook(db: Db, parallel = 2): AnswerBook {
  const keep = createBatcher({ maxBatch: MAX_BATCH, parallel, run: (batch: readonly Keeping[]) => keepAll(db, batch) });
  return {
    find: async (key) => (await findAll(db, [key])).get(key),
    keep: (key, answer) => keep({ key, answer }),
  };
}

async function keepAll(db: Db, batch: readonly Keeping[]): Promise<KeptAnswer[]> {
  const wanted = new Map<string, KeptAnswer>();
  for (const { key, answer } of batch) if (!wanted.has(key)) wanted.set(key, answer);
  const inserted = await insertMissing(db, wanted);
  const others = [...wanted.keys()].filter((key) => !inserted.has(key));
  const known = others.length === 0 ? new Map<string, KeptAnswer>() : await findAll(db, others);
  return batch.map(({ key, answer }) => (inserted.has(key) ? wanted.get(key) : known.get(key)) ?? answer);
}

// In the order of the keys, so that two processes that insert the same keys never deadlock.
async function insertMissing(db: Db, wanted: ReadonlyMap<string, KeptAnswer>): Promise<Set<string>> {
  const rows = [...wanted].map(([key, { requestHash, status, headers, body }]) => ({
    key,
    request_hash: requestHash,
    status,
    headers,
    body,
  }));
  const inserted = await db.execute(sql`
    insert into idempotency_answers (key, request_hash, status, headers, body)
    select w.key, w.request_hash, w.status, w.headers, w.body
      from json_to_recordset(${JSON.stringify(rows)}::json) as w(key text, request_hash text, status integer, headers jsonb, body text)
     order by w.key collate "C"
    on conflict do nothing
    returning key`);
  return new Set(inserted.map((row) => String(row["key"])));
}

// A second statement: only a new snapshot shows what others committed while the insert waited for them.
async function findAll(db: Db, keys: readonly string[]): Promise<Map<string, KeptAnswer>> {
  const rows = await db.execute(sql`
    select key, request_hash, status, headers::text as headers, body
      from idempotency_answers
     where key = any (array(select json_array_elements_text(${JSON.stringify(keys)}::json)))`);
  return new Map(
    rows.map((row) => [
      String(row["key"]),
      {
        requestHash: String(row["request_hash"]),
        status: Number(row["status"]),
        headers: JSON.parse(String(row["headers"])) as Record<string, string>,
        body: String(row["body"]),
      },
    ]),
  );
}
