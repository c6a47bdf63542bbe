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
}

/** A lease of a second cannot wait for longer. */
const DEADLINE_MS = 2_000;
const READ = "select epoch, state, reign from balance_cache";
const STATES = new Set<unknown>(["closed", "opening", "open"] satisfies GateState[]);

/** The row over a lane of its own, so that statements come to Postgres in the order of the calls and wait for no long read. */
export function createGateRow(lane: Lane): GateRow {
  const values = (text: string, parameters: readonly unknown[] = []) => lane.values(text, parameters, DEADLINE_MS, "once");
  // A statement that changes nothing is followed by one of its own, whose snapshot has what another process changed.
  const change = async (text: string, parameters: readonly unknown[]): Promise<Gate> => {
    const rows = await values(`${text} returning epoch, state, reign`, parameters);
    return toGate(rows.length === 0 ? await values(READ) : rows);
  };
  return {
    read: async () => toGate(await values(READ)),
    close: (epoch) =>
      change("update balance_cache set epoch = epoch + 1, state = 'closed' where epoch = $1 and state <> 'closed'", [epoch]),
    beginOpening: (epoch, reign) =>
      change("update balance_cache set epoch = epoch + 1, state = 'opening', reign = $2 where epoch = $1 and state = 'closed'", [
        epoch,
        reign,
      ]),
    open: (epoch) => change("update balance_cache set state = 'open' where epoch = $1 and state = 'opening'", [epoch]),
  };
}

function toGate([row]: unknown[][]): Gate {
  const [epoch, state, reign] = row ?? [];
  if (!STATES.has(state)) throw new DomainError("INTERNAL", "the row of balance_cache cannot be read");
  return { epoch: Number(epoch), state: state as GateState, reign: String(reign) };
}
