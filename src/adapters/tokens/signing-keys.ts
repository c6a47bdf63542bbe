import { setTimeout as sleep } from "node:timers/promises";
import { messageOf } from "../../base/errors.ts";
import type { Log } from "../log.ts";
import { addKeyFile, KeyFolderError, readKeyFiles, removeKeyFile, type PublicJwk, type SigningKey } from "./key-files.ts";

/** For how long others may keep the published keys. A new key is published for at least this long before it signs. */
export const JWKS_MAX_AGE_MS = 300_000;
/** How soon a process knows a change of the folder. */
const REREAD_MS = 3_000;
/** For the difference of two machines' clocks, and the time between two looks at the folder. */
const MARGIN_MS = 10_000;
/** No token lives longer, whoever makes it. A key is kept this long after it signed last. */
export const MAX_TOKEN_TTL_MS = 24 * 3_600_000;
/** How far behind a verifier's clock may be. */
export const CLOCK_TOLERANCE_MS = 60_000;

/** The keys of this process, as the folder has them. */
export interface SigningKeys {
  /** The key that signs now: the newest whose moment has come. */
  current(): SigningKey;
  /** The key of that name, or undefined when it is unknown or was retired. */
  find(kid: string): SigningKey | undefined;
  /** What is published: every key of the folder. */
  published(): readonly PublicJwk[];
  /** Looks at the folder now. When it cannot be read the keys stay as they were. */
  reread(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens the folder of keys and looks at it again every few seconds, so that a rotation needs no restart.
 * Throws: KeyFolderError when there is no key, or a file that is not to be trusted.
 */
export async function openSigningKeys(options: {
  readonly directory: string;
  readonly log: Log;
  readonly rereadMs?: number;
  readonly now?: () => number;
}): Promise<SigningKeys> {
  const { directory, log, rereadMs = REREAD_MS, now = Date.now } = options;
  let keys = await readKeyFiles(directory);
  if (keys.length === 0) throw new KeyFolderError(`there is no signing key in ${directory}; \`npm run keys -- rotate\` makes one`);
  const reread = async () => {
    try {
      const found = await readKeyFiles(directory);
      if (found.length === 0) throw new KeyFolderError(`there is no signing key in ${directory} any more`);
      const before = keys.map(({ kid }) => kid).join();
      keys = found;
      const kids = keys.map(({ kid }) => kid);
      if (kids.join() !== before) log.info({ event: "keys.changed", kids }, "the signing keys have changed");
    } catch (error) {
      log.error({ event: "keys.unreadable", reason: messageOf(error) }, "the signing keys cannot be read; those known stay");
    }
  };
  const closing = new AbortController();
  const loop = (async () => {
    while (!closing.signal.aborted) {
      await sleep(rereadMs, undefined, { signal: closing.signal, ref: false }).catch(() => {});
      if (!closing.signal.aborted) await reread();
    }
  })();
  return {
    current: () => currentKey(keys, now()),
    find: (kid) => keys.find((key) => key.kid === kid),
    published: () => keys.map(({ publicJwk }) => publicJwk),
    reread,
    async close() {
      closing.abort();
      await loop;
    },
  };
}

/** Makes the first key when the folder has none. Safe to retry, and by many processes at once: they end with one key. */
export async function ensureSigningKey(directory: string, now: () => number = Date.now): Promise<{ readonly made: boolean }> {
  if ((await readKeyFiles(directory)).length > 0) return { made: false };
  return { made: (await addKeyFile(directory, { number: 1, signsFromMs: now() })) !== undefined };
}

/** How a key stands at a moment. */
export interface KeyStanding {
  readonly kid: string;
  readonly number: number;
  readonly state: "signs" | "waits to sign" | "accepted";
  readonly signsFromMs: number;
  /** From when on it may be retired; undefined while it signs or waits. */
  readonly retirableFromMs: number | undefined;
}

/** Every key of the folder and how it stands. */
export async function listSigningKeys(directory: string, now: () => number = Date.now): Promise<KeyStanding[]> {
  const keys = await readKeyFiles(directory);
  if (keys.length === 0) return [];
  const current = currentKey(keys, now());
  return keys.map((key) => {
    const state = key === current ? "signs" : isBefore(key, current) ? "accepted" : "waits to sign";
    const successor = keys.filter((other) => isBefore(key, other)).sort((left, right) => left.signsFromMs - right.signsFromMs)[0];
    return {
      kid: key.kid,
      number: key.number,
      state,
      signsFromMs: key.signsFromMs,
      retirableFromMs:
        state === "accepted" && successor !== undefined
          ? successor.signsFromMs + MAX_TOKEN_TTL_MS + CLOCK_TOLERANCE_MS + MARGIN_MS
          : undefined,
    };
  });
}

/**
 * Publishes the next key; it signs once nobody can have kept the older list. With `soon` it signs as soon as Saldo's own processes
 * know it: for a key that became known to others. Throws: KeyFolderError when a key waits already.
 */
export async function rotateSigningKey(
  directory: string,
  options: { readonly soon?: boolean; readonly now?: () => number } = {},
): Promise<{ readonly kid: string; readonly signsFromMs: number }> {
  const { soon = false, now = Date.now } = options;
  const keys = await listSigningKeys(directory, now);
  const waiting = keys.find(({ state }) => state === "waits to sign");
  if (waiting !== undefined && !soon)
    throw new KeyFolderError(`key ${waiting.kid} waits already; it signs from ${new Date(waiting.signsFromMs).toISOString()} on`);
  const signsFromMs = keys.length === 0 ? now() : now() + MARGIN_MS + (soon ? 0 : JWKS_MAX_AGE_MS);
  const kid = await addKeyFile(directory, { number: Math.max(0, ...keys.map(({ number }) => number)) + 1, signsFromMs });
  if (kid === undefined) throw new KeyFolderError("another rotation happens at this moment");
  return { kid, signsFromMs };
}

/**
 * Takes away every key whose last token has ended, or with `kid` that one at once: its tokens are refused from then on.
 * Throws: KeyFolderError when the key is unknown or no other key can sign.
 */
export async function retireSigningKeys(
  directory: string,
  options: { readonly kid?: string; readonly now?: () => number } = {},
): Promise<readonly string[]> {
  const { kid, now = Date.now } = options;
  const keys = await listSigningKeys(directory, now);
  const ended =
    kid === undefined ? keys.filter(({ retirableFromMs = Infinity }) => retirableFromMs <= now()) : keys.filter((key) => key.kid === kid);
  if (kid !== undefined && ended.length === 0) throw new KeyFolderError(`there is no key ${kid}`);
  if (ended.some(({ state }) => state === "signs"))
    throw new KeyFolderError("this key signs now; rotate with --soon first, and retire it when the next one signs");
  for (const { number } of ended) await removeKeyFile(directory, number);
  return ended.map((key) => key.kid);
}

function currentKey(keys: readonly SigningKey[], nowMs: number): SigningKey {
  const [first, ...rest] = keys;
  if (first === undefined) throw new KeyFolderError("there is no signing key");
  // Where no key's time has come, which takes a clock that was set back, the key whose time comes first signs.
  return rest.reduce((best, key) => {
    if (key.signsFromMs > nowMs) return best.signsFromMs > nowMs && isBefore(key, best) ? key : best;
    return best.signsFromMs > nowMs || isBefore(best, key) ? key : best;
  }, first);
}

function isBefore(left: Pick<SigningKey, "signsFromMs" | "number">, right: Pick<SigningKey, "signsFromMs" | "number">): boolean {
  return left.signsFromMs < right.signsFromMs || (left.signsFromMs === right.signsFromMs && left.number < right.number);
}
