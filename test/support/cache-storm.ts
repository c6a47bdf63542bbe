import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { seededRandom } from "../../src/cli/kit/seeded-random.ts";

/** A request to one process of the api. Throws: Error when no answer comes. */
export type CallApi = (
  method: "GET" | "POST",
  path: string,
  options?: { readonly body?: unknown; readonly key?: string },
) => Promise<{ readonly status: number; readonly body: Readonly<Record<string, unknown>> }>;

export interface CacheStormOptions {
  /** Processes of the api over the same books. */
  readonly apis: readonly CallApi[];
  readonly writers: number;
  readonly readers: number;
  readonly users: number;
  readonly seed: number;
  /** How long a writer rests between two deposits. */
  readonly writerRestMs: number;
}

/** What a storm has seen until now. */
export interface CacheStormReport {
  readonly reads: number;
  readonly writes: number;
  /** Requests that were answered with 503 or not at all, and sent again. */
  readonly again: number;
  /** The longest time from a deposit to its answer, in milliseconds. */
  readonly slowestWriteMs: number;
  /** Reads that broke the law, in words. */
  readonly broken: readonly string[];
}

export interface CacheStorm {
  report(): CacheStormReport;
  /** Ends it once every request that is under way has its answer. */
  stop(): Promise<CacheStormReport>;
}

interface User {
  readonly id: string;
  /** Deposits, of 1.00 each, that were sent; those that were answered; and the highest balance that any answer told. */
  sent: number;
  answered: number;
  seen: number;
}

const AGAIN_MS = 50;
const MAX_BROKEN = 20;

/**
 * Deposits through one process and reads through another, all the while, by users of their own. The law, for each read: nothing is missing
 * that was answered before the read began, through whichever process, nor anything that a read before it has told; and nothing is
 * there that was never sent. Each writer reads its own deposit through another process at once.
 */
export function startCacheStorm({ apis, writers, readers, users, seed, writerRestMs }: CacheStormOptions): CacheStorm {
  const random = seededRandom(seed);
  const pick = <Item>(items: readonly Item[]): Item => items[Math.floor(random() * items.length)] as Item;
  const name = randomUUID().slice(0, 8);
  const everyone: User[] = Array.from({ length: users }, (_, place) => ({ id: `storm-${name}-${place}`, sent: 0, answered: 0, seen: 0 }));
  const report = { reads: 0, writes: 0, again: 0, slowestWriteMs: 0, broken: [] as string[] };
  const over = new AbortController();

  /** Sends until it is answered, as an honest client does; undefined when the storm ends first. */
  const persist = async (api: CallApi, ...request: Parameters<CallApi>) => {
    for (;;) {
      const answer = await api(...request).catch(() => undefined);
      if (answer !== undefined && answer.status !== 503) return answer;
      report.again += 1;
      await sleep(AGAIN_MS);
      if (over.signal.aborted) return undefined;
    }
  };
  const deposit = async (user: User, api: CallApi): Promise<void> => {
    user.sent += 1;
    const startedMs = performance.now();
    const answer = await persist(api, "POST", `/api/v1/balances/${user.id}/deposits`, { body: { amount: "1.00" }, key: randomUUID() });
    if (answer === undefined) return;
    if (answer.status !== 201) throw new Error(`a deposit was answered with ${answer.status}: ${JSON.stringify(answer.body)}`);
    user.answered += 1;
    report.writes += 1;
    report.slowestWriteMs = Math.max(report.slowestWriteMs, performance.now() - startedMs);
  };
  const read = async (user: User, api: CallApi): Promise<void> => {
    const floor = Math.max(user.answered, user.seen);
    const answer = await persist(api, "GET", `/api/v1/balances/${user.id}?currency=RUB`);
    if (answer === undefined) return;
    if (answer.status !== 200) throw new Error(`a read was answered with ${answer.status}: ${JSON.stringify(answer.body)}`);
    const found = Number(answer.body["available"]);
    report.reads += 1;
    user.seen = Math.max(user.seen, found);
    if ((found < floor || found > user.sent) && report.broken.length < MAX_BROKEN)
      report.broken.push(`${user.id} had ${found} through process ${apis.indexOf(api)}, where ${floor} to ${user.sent} were right`);
  };
  const write = async (): Promise<void> => {
    const [user, api] = [pick(everyone), pick(apis)];
    await deposit(user, api);
    await read(user, pick(apis.filter((other) => other !== api)));
    await sleep(random() * 2 * writerRestMs);
  };
  const forAll = async (count: number, work: () => Promise<void>): Promise<void> => {
    await Promise.all(
      Array.from({ length: count }, async () => {
        while (!over.signal.aborted) await work();
      }),
    );
  };
  const ended = Promise.all([forAll(writers, write), forAll(readers, () => read(pick(everyone), pick(apis)))]);
  ended.catch(() => over.abort());
  return {
    report: () => ({ ...report, broken: [...report.broken] }),
    async stop() {
      over.abort();
      await ended;
      return report;
    },
  };
}
