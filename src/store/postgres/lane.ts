import postgres from "postgres";
import { DomainError } from "../../base/errors.ts";
import { driverTarget, tlsOfPostgresUrl, type DriverTarget } from "../../base/postgres-url.ts";
import { tlsFilesOf } from "../../base/tls-address.ts";
import { CERTIFICATE_REFUSED } from "../../base/tls-probe.ts";
import { tlsReason } from "../../base/tls-reason.ts";
import { isPooled, isStartUpRefused, notePooler, requireTimeout, showsPooler } from "./pooler.ts";
import { sqlStateOf } from "./sql-state.ts";

/** One connection that runs one statement at a time and is thrown away after any error. */
export interface Lane {
  /** Rows as arrays of driver values, in the order the server sent them. Throws: UNAVAILABLE, DEADLINE_EXCEEDED, or the server's error. */
  values(text: string, parameters: readonly unknown[], deadlineMs?: number, planning?: Planning): Promise<unknown[][]>;
  /** Rows as objects by column name. Throws as `values`. */
  rows(text: string, parameters: readonly unknown[], deadlineMs?: number): Promise<Record<string, unknown>[]>;
  /** Hands out the rows in groups of at most `groupSize` as they arrive, so that a long result never stands in memory. */
  stream(
    text: string,
    parameters: readonly unknown[],
    groupSize: number,
    deadlineMs: number,
    onRows: (rows: unknown[][]) => Promise<void>,
  ): Promise<void>;
  /** How many statements wait or run. */
  load(): number;
  close(): Promise<void>;
}

export interface LaneOptions {
  readonly url: string;
  readonly name: string;
  readonly deadlineMs: number;
}

/**
 * How Postgres plans a statement that it was sent before. `auto`: anew for its values, unless a plan for all values looks as cheap. `once`:
 * by one plan for all values, made once by each connection. That is right where the plan cannot depend on the values.
 */
export type Planning = "auto" | "once";

const PLAN_CACHE_MODES: Readonly<Record<Planning, string>> = { auto: "auto", once: "force_generic_plan" };

/** `isPlain` where nothing of a session is used, because of a pooler. */
interface Connection {
  readonly sql: postgres.Sql;
  readonly isPlain: boolean;
  /** How the session plans at the moment. */
  planning: Planning;
}

const passThrough = (value: unknown) => value;
const CONNECT_TIMEOUT_SECONDS = 5;

// Times and JSON travel as text in both directions: drizzle's columns convert them, and the driver's own conversion would do it twice.
const TEXT_TYPES = {
  json: { to: 114, from: [114], serialize: passThrough, parse: passThrough },
  jsonb: { to: 3802, from: [3802], serialize: passThrough, parse: passThrough },
  timestamptz: {
    to: 1184,
    from: [1082, 1114, 1184],
    serialize: (value: unknown) => (value instanceof Date ? value.toISOString() : value),
    parse: passThrough,
  },
};

/**
 * SQLSTATEs after which the same statement may be sent again: conflict, deadlock, shutdown, too many connections, no room, I/O error, a
 * server that is read-only for a moment, lock or statement time-out, lost connection; and a unique violation (23505), since of two
 * statements that insert one key at the same moment the second finds the row when it is sent again.
 */
const RETRYABLE_STATES = new Set([
  "40001",
  "40P01",
  "57P01",
  "57P02",
  "57P03",
  "57P04",
  "57P05",
  "57014",
  "53300",
  "53200",
  "53100",
  "58030",
  "55P03",
  "25006",
  "08000",
  "08001",
  "08004",
  "08003",
  "08006",
  "23505",
]);
const CONNECTION_ERRORS = new Set([
  "CONNECTION_CLOSED",
  "CONNECTION_ENDED",
  "CONNECTION_DESTROYED",
  "CONNECT_TIMEOUT",
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENETDOWN",
  "ECONNABORTED",
]);

/** True when the same statement may be sent again. Whether the broken one took effect is found by its key. */
export function isRetryable(error: unknown): boolean {
  if (error instanceof DomainError) return error.code === "UNAVAILABLE" || error.code === "DEADLINE_EXCEEDED";
  const state = sqlStateOf(error);
  return state !== undefined && RETRYABLE_STATES.has(state);
}

/** SQLSTATEs of refused content: invalid data (22), a broken constraint (23), a limit of the server (54), an exception of Saldo's own functions. */
const CONTENT_STATES = /^(?:22|23|54|P0001)/;

/**
 * True when the content of the statement is refused, however often it is sent. Any other error may pass: most come from connections,
 * servers that restart and full disks.
 */
export function isContentRefused(error: unknown): boolean {
  if (isRetryable(error)) return false;
  if (error instanceof DomainError) return error.code !== "INTERNAL";
  return CONTENT_STATES.test(sqlStateOf(error) ?? "");
}

/**
 * Opens a lane. The connection is made with the first statement.
 *
 * The five guards against faults of postgres.js 3.4.9 stand here: one connection per client, no type fetching, a connection that saw an
 * error is never used again (its next result could carry rows of the failed one), a deadline on every call (a killed
 * backend can leave a promise that never settles), and a check of the row count.
 *
 * Where a pooler in transaction mode shows itself (`pooler.ts`) the statement is sent again without what such a pooler does not take: the
 * start-up parameter `statement_timeout`, so that only the lane's own deadline bounds a statement, and prepared statements.
 */
export function createLane(options: LaneOptions): Lane {
  let client: Connection | undefined;
  let tail: Promise<unknown> = Promise.resolve();
  let waiting = 0;
  let closed = false;

  const connect = (): Connection => {
    const isPlain = isPooled(options.url);
    const target = targetOf(options.url);
    const sql = postgres(target.url, {
      ...target.options,
      max: 1,
      fetch_types: false,
      connect_timeout: CONNECT_TIMEOUT_SECONDS,
      idle_timeout: 0,
      max_lifetime: null,
      types: TEXT_TYPES,
      onnotice: () => {},
      connection: { application_name: options.name, ...(isPlain ? {} : { statement_timeout: Math.trunc(options.deadlineMs) }) },
    });
    return { sql, isPlain, planning: "auto" };
  };

  const discard = (broken: Connection) => {
    if (client === broken) client = undefined;
    broken.sql.end({ timeout: 0 }).catch(() => {});
  };

  const exclusively = <Result>(deadlineMs: number, work: (connection: Connection) => Promise<Result>): Promise<Result> => {
    if (closed) return Promise.reject(new DomainError("UNAVAILABLE", "the database connection is closed"));
    waiting += 1;
    let isLate = false;
    let timer: NodeJS.Timeout | undefined;
    // The deadline begins when the call is queued and not at its turn, so that a call behind one that hangs does not wait two deadlines.
    // A timer of its own instead of base/deadline.ts: a call whose deadline passed in the queue is never begun.
    const deadline = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => {
        isLate = true;
        reject(new DomainError("DEADLINE_EXCEEDED", "the database did not answer in time"));
      }, deadlineMs);
    });
    deadline.catch(() => {});
    const turn = tail.then(async () => {
      if (isLate) return await deadline;
      for (;;) {
        const isNew = client === undefined;
        client ??= connect();
        const current = client;
        try {
          const running = (
            isNew && !current.isPlain ? requireTimeout(current.sql, Math.trunc(options.deadlineMs)) : Promise.resolve()
          ).then(() => work(current));
          running.catch(() => {});
          return await Promise.race([running, deadline]);
        } catch (error) {
          discard(current);
          if (current.isPlain || !showsPooler(error)) throw asDomainError(error, options.url);
          notePooler(options.url);
        }
      }
    });
    tail = turn.catch(() => {});
    const settled = Promise.race([turn, deadline]).finally(() => {
      clearTimeout(timer);
      waiting -= 1;
    });
    return settled;
  };

  return {
    values: (text, parameters, deadlineMs = options.deadlineMs, planning = "auto") =>
      exclusively(deadlineMs, async (connection) => {
        await setPlanning(connection, planning);
        return checkCount(await connection.sql.unsafe(text, [...parameters] as never[], { prepare: !connection.isPlain }).values());
      }),
    rows: (text, parameters, deadlineMs = options.deadlineMs) =>
      exclusively(deadlineMs, async (connection) => {
        await setPlanning(connection, "auto");
        return [...checkCount(await connection.sql.unsafe(text, [...parameters] as never[], { prepare: !connection.isPlain }))];
      }),
    stream: (text, parameters, groupSize, deadlineMs, onRows) =>
      exclusively(deadlineMs, async ({ sql, isPlain }) => {
        // Through a pooler the setting would be another client's.
        if (!isPlain) await sql.unsafe(`set statement_timeout = ${Math.trunc(deadlineMs)}`);
        for await (const rows of sql.unsafe(text, [...parameters] as never[]).cursor(groupSize)) {
          if (rows.some((row) => row === undefined)) throw new DomainError("UNAVAILABLE", "the driver returned rows of another statement");
          await onRows(rows.map((row) => Object.values(row as Record<string, unknown>)));
        }
        if (!isPlain) await sql.unsafe(`set statement_timeout = ${Math.trunc(options.deadlineMs)}`);
      }),
    load: () => waiting,
    async close() {
      closed = true;
      await tail;
      await client?.sql.end({ timeout: 5 });
    },
  };
}

// One more round trip when statements of both kinds take turns on a connection. Through a pooler nothing is prepared, so nothing is kept.
async function setPlanning(connection: Connection, planning: Planning): Promise<void> {
  if (connection.isPlain || connection.planning === planning) return;
  await connection.sql.unsafe(`set plan_cache_mode = ${PLAN_CACHE_MODES[planning]}`);
  connection.planning = planning;
}

function targetOf(url: string): DriverTarget {
  try {
    return driverTarget(url);
  } catch (error) {
    throw new DomainError("UNAVAILABLE", "a file of DATABASE_TLS cannot be used", {}, error);
  }
}

// A row left over from a failed statement makes the array longer than the server's own count.
function checkCount<Rows extends readonly unknown[] & { count: number | null }>(rows: Rows): Rows {
  if (rows.count !== null && rows.length !== rows.count && rows.length > 0)
    throw new DomainError("UNAVAILABLE", "the driver returned rows of another statement");
  return rows;
}

function asDomainError(error: unknown, url: string): unknown {
  const state = sqlStateOf(error);
  if (state !== undefined && CONNECTION_ERRORS.has(state))
    return new DomainError("UNAVAILABLE", "the database is not reachable", {}, error);
  const isSecured = tlsOfPostgresUrl(url) === true;
  if (isSecured && state === CERTIFICATE_REFUSED)
    return new DomainError("UNAVAILABLE", "the database does not let this login in with this certificate", {}, error);
  const reason = isSecured ? tlsReason(error, tlsFilesOf(url), "DATABASE") : undefined;
  if (reason !== undefined) return new DomainError("UNAVAILABLE", `the database cannot be spoken to over TLS: ${reason}`, {}, error);
  if (isStartUpRefused(error))
    return new DomainError(
      "UNAVAILABLE",
      "a pooler before the database refuses a start-up parameter (docs/operations.md, PgBouncer)",
      {},
      error,
    );
  return error;
}
