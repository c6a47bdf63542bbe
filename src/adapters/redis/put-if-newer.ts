// The version's digits are compared as text once they are as many: a Lua number is exact to 2^53 only.
const SCRIPT = `
local known = redis.call('HGET', KEYS[1], 'version')
if known and (#known > #ARGV[1] or (#known == #ARGV[1] and known >= ARGV[1])) then return 0 end
redis.call('HSET', KEYS[1], 'version', ARGV[1], unpack(ARGV, 3))
redis.call('EXPIRE', KEYS[1], ARGV[2])
return 1`;

/** What a hash in Redis is to hold. `version` is never negative and rises with each change of what the fields tell. */
export interface Versioned {
  readonly key: string;
  readonly version: bigint;
  readonly fields: Readonly<Record<string, string>>;
  readonly lifetimeSeconds: number;
}

/**
 * The arguments of an EVAL, alone or in a pipeline, that replaces the hash and renews its lifetime unless the version there is as high:
 * of two writers the newer version wins, whatever the order in which they arrive. Safe to retry.
 */
export function putIfNewer(entry: Versioned): [script: string, keyCount: number, ...keysAndValues: (string | number)[]] {
  return [SCRIPT, 1, entry.key, entry.version.toString(), entry.lifetimeSeconds, ...Object.entries(entry.fields).flat()];
}
