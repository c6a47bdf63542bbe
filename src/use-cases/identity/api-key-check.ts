import { dropOldest } from "../../base/drop-oldest.ts";
import { DomainError } from "../../base/errors.ts";
import { matcherOf } from "../../base/same-secret.ts";
import type { TokenClient } from "../../contract/identity.ts";
import { hashApiSecret, type ApiKeyParts } from "../../domain/identity/api-key.ts";
import type { LiveApiKey, ReadApiKey } from "../../store/identity/api-keys.ts";
import { BELIEVED_MS } from "./revocations.ts";

/** A key whose secret was shown. */
export interface VerifiedKey extends TokenClient {
  /** The `sub` of its requests. */
  readonly subject: string;
  /** When the key, or the secret that was shown, ends. */
  readonly endsAtMs: number;
}

/** Tells which API keys are good. What it remembers is the SHA-256 of secrets, never a secret. */
export interface ApiKeyCheck {
  /** The key, when the secret opens it now; undefined otherwise. Throws: UNAVAILABLE when it cannot be told. */
  verify(parts: ApiKeyParts): Promise<VerifiedKey | undefined>;
  /** What `verify` said of it when it was good, without asking anybody, while that is remembered. It may have ended since. */
  recall(parts: ApiKeyParts): VerifiedKey | undefined;
  /** Asks anew from now on: the key was changed by this process. */
  forget(keyId: string): void;
  /** Notes that the key was used, at most once a minute for each key. Never throws, and nobody waits for it. */
  used(keyId: string): void;
}

const USE_NOTED_EVERY_MS = 60_000;
const MAX_REMEMBERED = 20_000;

interface Entry {
  readonly atMs: number;
  readonly answer: Promise<VerifiedKey | undefined>;
  /** The last good answer. */
  readonly good: VerifiedKey | undefined;
}

/**
 * Asks Postgres at most twice a second for each key that is good, and each time for one that is not: bad keys push no good ones out of the memory. An
 * answer is believed from the moment it was asked for. Redis has no part in it, so a key ends in every process within `BELIEVED_MS`, whatever Redis does.
 */
export function createApiKeyCheck(options: {
  readonly read: ReadApiKey;
  readonly noteUse: (keyId: string) => Promise<void>;
  readonly now?: () => number;
}): ApiKeyCheck {
  const { read, noteUse, now = Date.now } = options;
  const known = new Map<string, Entry>();
  const notedAtMs = new Map<string, number>();
  let forgotten = 0;

  const ask = async (keyId: string, hash: string): Promise<VerifiedKey | undefined> => {
    const key = await read(keyId).catch((error: unknown) => {
      throw new DomainError("UNAVAILABLE", "whether the API key is good cannot be told", {}, error);
    });
    return key === undefined ? undefined : opened(key, hash);
  };
  const put = (place: string, entry: Entry) => {
    known.delete(place);
    known.set(place, entry);
    dropOldest(known, MAX_REMEMBERED);
  };

  return {
    async verify({ keyId, secret }) {
      const hash = hashApiSecret(secret);
      const place = placeOf(keyId, hash);
      const last = known.get(place);
      if (last !== undefined && now() < last.atMs + BELIEVED_MS) return unlessEnded(await last.answer, now());
      const [atMs, round] = [now(), forgotten];
      const answer = ask(keyId, hash);
      // Requests of the same moment share the question; the entry stays only when the answer is good.
      put(place, { atMs, answer, good: last?.good });
      const verified = await answer.catch((error: unknown) => {
        if (known.get(place)?.answer === answer) known.delete(place);
        throw error;
      });
      const isLast = known.get(place)?.answer === answer;
      if (isLast && (verified === undefined || round !== forgotten)) known.delete(place);
      else if (isLast) put(place, { atMs, answer, good: verified });
      return unlessEnded(verified, now());
    },
    recall({ keyId, secret }) {
      return unlessEnded(known.get(placeOf(keyId, hashApiSecret(secret)))?.good, now());
    },
    forget(keyId) {
      forgotten += 1;
      for (const place of known.keys()) if (place.startsWith(`${keyId} `)) known.delete(place);
    },
    used(keyId) {
      if (now() < (notedAtMs.get(keyId) ?? -Infinity) + USE_NOTED_EVERY_MS) return;
      if (notedAtMs.size >= MAX_REMEMBERED) notedAtMs.clear();
      notedAtMs.set(keyId, now());
      // The next use notes it when this one could not.
      noteUse(keyId).catch(() => notedAtMs.delete(keyId));
    },
  };
}

function placeOf(keyId: string, hash: string): string {
  return `${keyId} ${hash}`;
}

function opened({ secrets, expiresAtMs, ...key }: LiveApiKey, hash: string): VerifiedKey | undefined {
  const isShown = matcherOf(hash);
  // A statement that the driver ran twice may have written a secret twice; the later one counts.
  const secret = secrets.findLast((one) => isShown(one.hash));
  if (secret === undefined) return undefined;
  return { ...key, generation: secret.generation, endsAtMs: Math.min(expiresAtMs, secret.untilMs ?? Infinity) };
}

function unlessEnded(key: VerifiedKey | undefined, nowMs: number): VerifiedKey | undefined {
  return key !== undefined && nowMs < key.endsAtMs ? key : undefined;
}
