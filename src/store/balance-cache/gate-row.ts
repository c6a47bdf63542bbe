import { DomainError } from "../../base/errors.ts";
import type { Gate, GateState } from "../../domain/balances/cache-gate.ts";
import type { Lane } from "../postgres/lane.ts";

/** The row that says whether cached balances may be read. Each call answers with the row afterwards. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export interface GateRow {
  read(): Promise<Gate>;
  /** Closes this epoch; does nothing when it is over. Safe to retry. */
  close(epoch: number): Promise<Gate>;
  /** Begins the epoch after this one on that Redis; does nothing unless this one is closed. Safe to retry. */
  beginOpening(epoch: number, reign: string): Promise<Gate>;
  /** Opens this epoch; does nothing unless it is opening. Safe to retry. */
  open(epoch: number): Promise<Gate>;
  /** Whether a process of a release that marks nothing is connected to this database. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
  hasOlderRelease(): Promise<boolean>;
}

/** A lease of a second cannot wait for longer. */
const DEADLINE_MS = 2_000;
/**
 * An open gate is told as `opening` for as long as a posting of this database has been under way for more than $1 seconds. Its mark may end
 * before it commits: nothing bounds a commit that waits for a standby server or for a disk, and behind a pooler no statement has a time.
 */
const READ = `
  select epoch, case when state = 'open' and exists (
           select from pg_stat_activity a
            where a.datname = current_database() and a.state = 'active' and a.query like '%ledger_post(%'
              and a.xact_start < clock_timestamp() - make_interval(secs => $1)) then 'opening' else state end, reign
    from balance_cache`;
/** The connections of releases before migration 0019 are named so; since then a slash follows `saldo`. */
const OLDER_RELEASE = `
  select exists (select from pg_stat_activity
    where datname = current_database() and application_name in
      ('saldo-api', 'saldo-api-ledger', 'saldo-worker', 'saldo-worker-ledger', 'saldo-bridge', 'saldo-bridge-ledger'))`;
const STATES = new Set<unknown>(["closed", "opening", "open"] satisfies GateState[]);

/**
 * The row over a lane of its own, so that statements come to Postgres in the order of the calls and wait for no long read. A posting is
 * `slow` when it has taken longer than any should, and shorter than its mark stands.
 */
export function createGateRow(lane: Lane, { slowMs }: { readonly slowMs: number }): GateRow {
  const values = (text: string, parameters: readonly unknown[] = []) => lane.values(text, parameters, DEADLINE_MS, "once");
  const read = async () => toGate(await values(READ, [slowMs / 1_000]));
  // The row is read in a statement of its own, whose snapshot has what another process changed.
  const change = async (text: string, parameters: readonly unknown[]): Promise<Gate> => {
    await values(text, parameters);
    return read();
  };
  return {
    read,
    close: (epoch) =>
      change("update balance_cache set epoch = epoch + 1, state = 'closed' where epoch = $1 and state <> 'closed'", [epoch]),
    beginOpening: (epoch, reign) =>
      change("update balance_cache set epoch = epoch + 1, state = 'opening', reign = $2 where epoch = $1 and state = 'closed'", [
        epoch,
        reign,
      ]),
    open: (epoch) => change("update balance_cache set state = 'open' where epoch = $1 and state = 'opening'", [epoch]),
    hasOlderRelease: async () => (await values(OLDER_RELEASE))[0]?.[0] === true,
  };
}

function toGate([row]: unknown[][]): Gate {
  const [epoch, state, reign] = row ?? [];
  if (!STATES.has(state)) throw new DomainError("INTERNAL", "the row of balance_cache cannot be read");
  return { epoch: Number(epoch), state: state as GateState, reign: String(reign) };
}
