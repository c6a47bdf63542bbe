import postgres from "postgres";
import { DomainError } from "../../base/errors.ts";
import { driverTarget } from "../../base/postgres-url.ts";
import { requireTimeout, showsPooler } from "./pooler.ts";

/** A setting that nothing else would have: whether the session got it shows whether the start-up parameters reach Postgres. */
const ODD_TIMEOUT_MS = 86_399_997;

/**
 * Makes sure that no pooler stands at the address. What holds a lock of its session, or sets its role, would otherwise do its statements in sessions
 * that are others' at the same time. Throws: INVALID_REQUEST where a pooler shows itself; the server's error.
 */
export async function requireDirect(url: string, variable: string): Promise<void> {
  const target = driverTarget(url);
  const probe = postgres(target.url, {
    ...target.options,
    max: 1,
    fetch_types: false,
    onnotice: () => {},
    connection: { statement_timeout: ODD_TIMEOUT_MS },
  });
  const refused = (cause: unknown) =>
    new DomainError(
      "INVALID_REQUEST",
      `${variable} leads through a pooler such as PgBouncer; migrations need a session of Postgres itself: set DATABASE_ADMIN_URL to its own address (docs/operations.md, PgBouncer)`,
      {},
      cause,
    );
  try {
    await requireTimeout(probe, ODD_TIMEOUT_MS);
  } catch (error) {
    throw showsPooler(error) ? refused(error) : error;
  } finally {
    await probe.end({ timeout: 5 });
  }
}
