import { transferOperation } from "../../src/domain/ledger/wallet-operations.ts";
import { createLedger } from "../../src/store/ledger/ledger.ts";
import { closedLoop, oneAtATime } from "../measure/load.ts";
import type { Sample } from "../measure/rounds.ts";
import { CURRENCY, userOfAccount } from "../system/database.ts";

const IN_FLIGHT = 256;

export interface LedgerTransfers {
  /** Transfers per second through the ledger, 256 in flight. `hotAccount` takes all of them; without it both sides are random. */
  run(options: { durationMs: number; hotAccount?: number }): Promise<Sample>;
  /** The median time of a transfer between random accounts, one at a time, in milliseconds. */
  latency(options: { durationMs: number }): Promise<Sample>;
  /** How many transfers all runs together have posted. */
  count(): number;
  close(): Promise<void>;
}

/** Saldo's side: transfers between `accountCount` users through the ledger that the roles use. Throws: Error when a transfer is not done. */
export function createLedgerTransfers(options: { appUrl: string; accountCount: number; laneCount: number }): LedgerTransfers {
  const { accountCount } = options;
  const ledger = createLedger({ url: options.appUrl, name: "bench", laneCount: options.laneCount, deadlineMs: 30_000 });
  let posted = 0;

  const transfer = async (hotAccount: number) => {
    let from = 1 + Math.floor(Math.random() * accountCount);
    const to = hotAccount > 0 ? hotAccount : 1 + ((from + Math.floor(Math.random() * (accountCount - 1))) % accountCount);
    if (from === to) from = 1 + (to % accountCount);
    posted += 1;
    const result = await ledger.post(
      transferOperation({
        key: `bench:${posted}`,
        userId: userOfAccount(from),
        peerUserId: userOfAccount(to),
        currency: CURRENCY,
        amountMinor: BigInt(1 + Math.floor(Math.random() * 100)),
        comment: "a transfer of the benchmark",
        origin: { caller: "bench", correlationId: "bench" },
      }),
    );
    if (result.outcome !== "done" || result.duplicate) throw new Error(`a transfer of the benchmark was ${result.outcome}`);
  };

  return {
    count: () => posted,
    run: ({ durationMs, hotAccount = 0 }) => closedLoop({ concurrency: IN_FLIGHT, durationMs, work: () => transfer(hotAccount) }),
    latency: ({ durationMs }) => oneAtATime({ durationMs, work: () => transfer(0) }),
    close: () => ledger.close(),
  };
}
