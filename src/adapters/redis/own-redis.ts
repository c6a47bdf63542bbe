import { setTimeout as sleep } from "node:timers/promises";
import { DomainError } from "../../base/errors.ts";
import type { Log } from "../log.ts";
import type { RedisLink } from "./redis.ts";

/** Says whose this Redis is. */
const CLAIM_KEY = "saldo:deployment";
/** As long as the longest life of a key that a deployment leaves behind (a kept first answer), so that the next one reads nothing of it. */
const CLAIM_LIFETIME_MS = 24 * 3_600_000;
/** How often the claim is renewed, and asked for again. A flushed Redis is nobody's for so long at most. */
const CLAIM_EVERY_MS = 10_000;
const ASK_AGAIN_MS = 500;

const CLAIM = `
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1`;

/**
 * The link of a deployment that has the Redis for itself. A first answer that another deployment keeps under the same caller and key would be
 * told as this one's, and no money moved (koala73/worldmonitor#188). So Redis is used once it carries this deployment's mark, which its
 * first process leaves there; one that carries another's is left alone, as if there were none. `readMark` is asked until it answers.
 */
export function ownRedis(link: RedisLink, options: { readonly readMark: () => Promise<string>; readonly logger: Log }): RedisLink {
  if (!link.enabled) return link;
  const { readMark, logger } = options;
  const closing = new AbortController();
  let mark: string | undefined;
  let isOwn = false;
  let isForeign = false;

  const claim = async (): Promise<void> => {
    mark ??= await readMark().catch(() => undefined);
    if (mark === undefined) return;
    const claimed = await link.attempt((redis) => redis.eval(CLAIM, 1, CLAIM_KEY, mark ?? "", CLAIM_LIFETIME_MS));
    // Nothing is known of a Redis that is away; what it is asked meanwhile comes to nothing anyway.
    if (claimed === undefined) return;
    isOwn = claimed === 1;
    if (!isOwn && !isForeign)
      logger.warn(
        { event: "redis.foreign", key: CLAIM_KEY },
        "this Redis is another deployment's: it is not used; give each deployment one of its own",
      );
    isForeign = !isOwn;
  };
  const keepClaiming = async (): Promise<void> => {
    const { signal } = closing;
    while (!signal.aborted) {
      await claim();
      await sleep(isOwn || isForeign ? CLAIM_EVERY_MS : ASK_AGAIN_MS, undefined, { ref: false, signal }).catch(() => undefined);
    }
  };
  void keepClaiming();

  return {
    enabled: true,
    isUp: () => isOwn && link.isUp(),
    attempt: async (command) => (isOwn ? link.attempt(command) : undefined),
    async ping() {
      await link.ping();
      if (isForeign) throw new DomainError("UNAVAILABLE", `Redis is another deployment's (${CLAIM_KEY})`);
    },
    close() {
      closing.abort();
      link.close();
    },
  };
}
