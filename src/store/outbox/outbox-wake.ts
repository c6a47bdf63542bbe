import postgres from "postgres";
import type { Db } from "../postgres/database.ts";
import { releaseLease, takeLease } from "../postgres/leases.ts";

/** As the trigger of the outbox knows them (migration 0009). */
const CHANNEL = "saldo_outbox";
const SLEEPING = "outbox-relay-sleeps";
const RECONNECT_MS = 1_000;

/** Lets a relay sleep until a row is written, so that an event waits for no poll and commits under load carry no NOTIFY. */
export interface OutboxWake {
  /** Says that a row written within the next `forMs` should wake this process. What was written just before may go unsaid. */
  fallAsleep(forMs: number): Promise<void>;
  wakeUp(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Listens on a connection of its own, opened anew after a loss; without one there are no calls, and the caller's own poll is what remains.
 * `onRow` may be called more often than there are rows. `holder` names this relay.
 */
export function createOutboxWake(options: {
  readonly url: string;
  readonly db: Db;
  readonly holder: string;
  readonly onRow: () => void;
}): OutboxWake {
  const { url, db, holder, onRow } = options;
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
    const opened: postgres.Sql = postgres(url, {
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
  connect();

  return {
    async fallAsleep(forMs) {
      await takeLease(db, { name: SLEEPING, holder, ttlMs: Math.ceil(forMs) });
    },
    wakeUp: () => releaseLease(db, { name: SLEEPING, holder }),
    async close() {
      closed = true;
      clearTimeout(timer);
      await client?.end({ timeout: 1 }).catch(() => {});
    },
  };
}
