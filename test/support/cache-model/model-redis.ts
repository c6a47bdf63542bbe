import type { CachedText, CacheEpoch, MarkOutcome } from "../../../src/store/balance-cache/balance-marks.ts";

interface Entry {
  text: string | undefined;
  token: string | undefined;
  readonly marks: Set<string>;
}

/** What a Redis holds: the epoch's key, and each user's balances of each epoch. */
export interface RedisData {
  epoch: number | undefined;
  readonly entries: Map<string, Entry>;
}

/** The scripts of `balance-scripts.ts` as one server does them, and what may happen to the server. */
export interface ModelRedis {
  data: RedisData;
  /** Its replication id: another one after each start and each promotion. */
  reign: string;
  isMaster: boolean;
  isPaused: boolean;
  isDead: boolean;
}

/** Guards of the scripts that a test may leave out. */
export interface ScriptGuards {
  readonly reign: boolean;
  readonly token: boolean;
}

export function emptyData(): RedisData {
  return { epoch: undefined, entries: new Map() };
}

export function copyOf({ epoch, entries }: RedisData): RedisData {
  return { epoch, entries: new Map([...entries].map(([key, entry]) => [key, { ...entry, marks: new Set(entry.marks) }])) };
}

function isOf({ data, reign, isMaster }: ModelRedis, epoch: CacheEpoch, guards: ScriptGuards): boolean {
  return data.epoch === epoch.epoch && (!guards.reign || (isMaster && reign === epoch.reign));
}

function entryOf({ data }: ModelRedis, { epoch }: CacheEpoch, userId: string): Entry {
  const key = `${epoch}:${userId}`;
  const entry = data.entries.get(key) ?? { text: undefined, token: undefined, marks: new Set() };
  data.entries.set(key, entry);
  return entry;
}

export function markIn(server: ModelRedis, epoch: CacheEpoch, mark: string, userIds: readonly string[], guards: ScriptGuards): MarkOutcome {
  if (!isOf(server, epoch, guards)) return "ended";
  for (const userId of userIds) {
    const entry = entryOf(server, epoch, userId);
    entry.text = entry.token = undefined;
    entry.marks.add(mark);
  }
  return "done";
}

export function settleIn(
  server: ModelRedis,
  epoch: CacheEpoch,
  mark: string,
  userIds: readonly string[],
  guards: ScriptGuards,
): MarkOutcome {
  if (!isOf(server, epoch, guards)) return "ended";
  for (const userId of userIds) {
    const entry = entryOf(server, epoch, userId);
    if (!entry.marks.delete(mark)) entry.text = entry.token = undefined;
  }
  return "done";
}

export function readIn(
  server: ModelRedis,
  epoch: CacheEpoch,
  token: string,
  userIds: readonly string[],
  guards: ScriptGuards,
): CachedText[] | "ended" {
  if (!isOf(server, epoch, guards)) return "ended";
  return userIds.map((userId) => {
    const entry = entryOf(server, epoch, userId);
    if (entry.text !== undefined) return { text: entry.text };
    const mayFill = entry.token === undefined && entry.marks.size === 0;
    if (mayFill) entry.token = token;
    return { text: undefined, mayFill };
  });
}

export function fillIn(
  server: ModelRedis,
  epoch: CacheEpoch,
  token: string,
  texts: readonly { readonly userId: string; readonly text: string }[],
  guards: ScriptGuards,
): MarkOutcome {
  if (!isOf(server, epoch, guards)) return "ended";
  for (const { userId, text } of texts) {
    const entry = entryOf(server, epoch, userId);
    if (guards.token && entry.token !== token) continue;
    entry.token = undefined;
    entry.text = text;
  }
  return "done";
}
