// The version's digits are compared as text once they are as many: a Lua number is exact to 2^53 only. One command for all entries, as each
// costs more to send than to do.
const SCRIPT = `
local width = tonumber(ARGV[2])
for place, key in ipairs(KEYS) do
  local at = 3 + (place - 1) * (width + 1)
  local version = ARGV[at]
  local known = redis.call('HGET', key, 'version')
  if not known or #known < #version or (#known == #version and known < version) then
    redis.call('HSET', key, 'version', version, unpack(ARGV, at + 1, at + width))
    redis.call('EXPIRE', key, ARGV[1])
  end
end`;

/** What a hash in Redis is to hold. `version` is never negative and rises with each change of what the fields tell. */
export interface Versioned {
  readonly key: string;
  readonly version: bigint;
  /** As many as in the other entries of a call. */
  readonly fields: Readonly<Record<string, string>>;
}

/**
 * The arguments of an EVAL that replaces each hash and renews its lifetime unless the version there is as high: of two writers the newer
 * version wins, whatever the order in which they arrive. Safe to retry.
 */
export function putIfNewer(
  entries: readonly Versioned[],
  lifetimeSeconds: number,
): [script: string, keyCount: number, ...keysAndValues: (string | number)[]] {
  const values = entries.map(({ fields }) => Object.entries(fields).flat());
  return [
    SCRIPT,
    entries.length,
    ...entries.map(({ key }) => key),
    lifetimeSeconds,
    values[0]?.length ?? 0,
    ...entries.flatMap(({ version }, place) => [version.toString(), ...(values[place] ?? [])]),
  ];
}
