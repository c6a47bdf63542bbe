import { sql } from "drizzle-orm";
import postgres from "postgres";
import { driverTarget, type DriverTarget } from "../../base/postgres-url.ts";
import type { Db } from "../postgres/database.ts";
import { releaseLease, takeLease } from "../postgres/leases.ts";
import { isPooled } from "../postgres/pooler.ts";

/** The channel and the lease that the outbox's trigger knows (migration 0009). */
const CHANNEL = "saldo_outbox";
const SLEEPING = "outbox-relay-sleeps";
/** One for all relays: only the one that publishes sleeps, and one that was killed in its sleep must not keep the mark from the next. */
const HOLDER = "the relay that publishes";
const RECONNECT_MS = 1_000;

/** Lets a relay sleep until a row is written, so that an event waits for no poll and commits under load carry no NOTIFY. */
export interface OutboxWake {
  /** Asks that a row written within the next `forMs` wakes this process. A row written just before may wake nobody. */
  fallAsleep(forMs: number): Promise<void>;
  wakeUp(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Listens (LISTEN, NOTIFY) on a connection of its own, which is opened anew after a loss; while it is lost `onRow` is not called, and the
 * caller's poll has to find the rows. `onRow` may be called more often than rows are written.
 */
export function createOutboxWake(options: { readonly url: string; readonly db: Db; readonly onRow: () => void }): OutboxWake {
  const { url, db, onRow } = options;
  let closed = false;
  let client: postgres.Sql | undefined;
  let timer: NodeJS.Timeout | undefined;

  const again = (lost: postgres.Sql) => {
    if (client !== lost) return;
    client = undefined;
    lost.end({ timeout: 0 }).catch(() => {});
    if (!closed) timer = setTimeout(connect, RECONNECT_MS).unref();
  };
  const connect = () => {
    // Through a pooler LISTEN would be another client's; the poll finds the rows.
    if (closed || isPooled(url)) return;
    let target: DriverTarget;
    try {
      target = driverTarget(url);
    } catch {
      // In the middle of a renewal the files of TLS may not be there. Meanwhile the poll finds the rows.
      timer = setTimeout(connect, RECONNECT_MS).unref();
      return;
    }
    const opened: postgres.Sql = postgres(target.url, {
      ...target.options,
      max: 1,
      fetch_types: false,
      idle_timeout: 0,
      max_lifetime: null,
      onnotice: () => {},
      connection: { application_name: "relay-wake" },
      ...({ onnotify: onRow } as object),
      onclose: () => again(opened),
    });
    client = opened;
    opened.unsafe(`listen ${CHANNEL}`).catch(() => again(opened));
  };
  // A statement first: by it a pooler shows itself.
  void db
    .execute(sql`select 1`)
    .catch(() => {})
    .finally(connect);

  return {
    async fallAsleep(forMs) {
      await takeLease(db, { name: SLEEPING, holder: HOLDER, ttlMs: Math.ceil(forMs) });
    },
    wakeUp: () => releaseLease(db, { name: SLEEPING, holder: HOLDER }),
    async close() {
      closed = true;
      clearTimeout(timer);
      await client?.end({ timeout: 1 }).catch(() => {});
    },
  };
}
