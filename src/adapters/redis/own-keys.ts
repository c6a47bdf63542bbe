import { setTimeout as sleep } from "node:timers/promises";
import type { RedisLink } from "./redis.ts";

const ASK_AGAIN_MS = 1_000;

/**
 * The link whose keys all begin with a mark and a colon, so that two deployments with one Redis do not read each other's answers: an order of
 * one would be told as placed by the other (koala73/worldmonitor#188). Until the mark is known there is no Redis. `readMark` is asked every
 * second until it answers, or until the link is closed.
 */
export function withOwnKeys(link: RedisLink, readMark: () => Promise<string>): RedisLink {
  if (!link.enabled) return link;
  let prefix: string | undefined;
  const closing = new AbortController();
  const learn = async (): Promise<void> => {
    for (; !closing.signal.aborted; await sleep(ASK_AGAIN_MS, undefined, { ref: false })) {
      const mark = await readMark().catch(() => undefined);
      if (mark === undefined) continue;
      prefix = `${mark}:`;
      return;
    }
  };
  void learn();
  return {
    ...link,
    async attempt(command) {
      const keyPrefix = prefix;
      if (keyPrefix === undefined) return undefined;
      return await link.attempt((redis) => {
        redis.options.keyPrefix = keyPrefix;
        return command(redis);
      });
    },
    close() {
      closing.abort();
      link.close();
    },
  };
}
