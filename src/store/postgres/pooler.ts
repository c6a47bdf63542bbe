import type postgres from "postgres";
import { sqlStateOf } from "./sql-state.ts";

/** Addresses behind which a pooler turned out to stand. Found out once in a process: each lane by itself would first fail. */
const pooled = new Set<string>();

/**
 * Whether a pooler in transaction mode (PgBouncer) stands at the address, as far as connections have shown. Each transaction may then run
 * in another session: prepared statements, LISTEN and settings of a session are not to be used.
 */
export function isPooled(url: string): boolean {
  return pooled.has(url);
}

/** Notes that a pooler stands at the address. */
export function notePooler(url: string): void {
  pooled.add(url);
}

/** The session does not have the start-up parameters that it was asked for: a pooler was told to leave them aside, and says nothing of it. */
class ParameterLeftAside extends Error {
  override readonly name = "ParameterLeftAside";
}

/** Makes sure that a session has the `statement_timeout` that it was opened with. Throws: ParameterLeftAside; the server's error. */
export async function requireTimeout(sql: postgres.Sql, timeoutMs: number): Promise<void> {
  const [row] = await sql.unsafe("select setting from pg_settings where name = 'statement_timeout'");
  if (Number(row?.["setting"]) !== timeoutMs)
    throw new ParameterLeftAside("the session does not have the statement_timeout it was asked for");
}

const PROTOCOL_VIOLATION = "08P01";
/** "The prepared statement does not exist", "it exists already": it was prepared in another session than it was run in. */
const LOST_STATEMENTS = new Set<string | undefined>(["26000", "42P05"]);

/** True for the refusal of a start-up parameter, which is a pooler's: Postgres itself knows them all. */
export function isStartUpRefused(error: unknown): boolean {
  return sqlStateOf(error) === PROTOCOL_VIOLATION && error instanceof Error && /start-?up parameter/i.test(error.message);
}

/** True for an error by which a pooler in transaction mode shows itself. Nothing of the caller's statement was done then. */
export function showsPooler(error: unknown): boolean {
  return error instanceof ParameterLeftAside || isStartUpRefused(error) || LOST_STATEMENTS.has(sqlStateOf(error));
}
