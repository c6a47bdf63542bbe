// Each script begins by asking the server itself whether it is the Redis of the epoch: a master under the replication id that the epoch was
// opened on, with the epoch's own key. Redis takes another id when it is restarted and when it is made a master, also when it had been
// one before, and a flush takes the key. As the script runs in one piece, its answer is that server's and nobody else's.
const OF_EPOCH = `
local info = redis.call('INFO', 'replication')
if redis.call('GET', KEYS[1]) ~= ARGV[1] or not string.find(info, 'role:master', 1, true)
  or not string.find(info, 'master_replid:' .. ARGV[2], 1, true) then return false end
`;

const NOW = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
`;

/**
 * Keys: the epoch's, and one for each user. Values: epoch, reign, milliseconds that a mark lives, and the mark of each user. A mark has its
 * own end beside it, as the key's end moves with each further mark.
 */
export const MARK_BALANCES = `${OF_EPOCH}${NOW}
for n = 2, #KEYS do
  redis.call('HDEL', KEYS[n], 'text', 'token')
  redis.call('HSET', KEYS[n], ARGV[n + 2], string.format('%.0f', now + ARGV[3]))
  redis.call('PEXPIRE', KEYS[n], ARGV[3])
end
return 1`;

/** Keys and values as those of a mark. A mark that is gone, by eviction or after its time, protected nothing: then what is cached goes. */
export const SETTLE_BALANCES = `${OF_EPOCH}
for n = 2, #KEYS do
  if redis.call('HDEL', KEYS[n], ARGV[n + 2]) == 0 then redis.call('HDEL', KEYS[n], 'text', 'token') end
end
return 1`;

/**
 * Keys: the epoch's, and one for each user. Values: epoch, reign, token, its milliseconds. Answers with a text, 1 where the token was taken, or
 * 0. Marks of writers that died are taken away at their end, also where others go on marking.
 */
export const READ_BALANCES = `${OF_EPOCH}${NOW}
local found = {}
for n = 2, #KEYS do
  local text = redis.call('HGET', KEYS[n], 'text')
  if not text then
    text = 0
    local fields = redis.call('HGETALL', KEYS[n])
    for place = 1, #fields, 2 do
      if string.sub(fields[place], 1, 5) == 'mark:' and tonumber(fields[place + 1]) <= now then redis.call('HDEL', KEYS[n], fields[place]) end
    end
    if redis.call('EXISTS', KEYS[n]) == 0 then
      redis.call('HSET', KEYS[n], 'token', ARGV[3])
      redis.call('PEXPIRE', KEYS[n], ARGV[4])
      text = 1
    end
  end
  found[n - 1] = text
end
return found`;

/** Keys: the epoch's, and one for each user. Values: epoch, reign, token, milliseconds that a text lives, and the text of each user. */
export const FILL_BALANCES = `${OF_EPOCH}
for n = 2, #KEYS do
  if redis.call('HGET', KEYS[n], 'token') == ARGV[3] then
    redis.call('HDEL', KEYS[n], 'token')
    redis.call('HSET', KEYS[n], 'text', ARGV[n + 3])
    redis.call('PEXPIRE', KEYS[n], ARGV[4])
  end
end
return 1`;

/** Key: the epoch's. Value: the epoch. Answers with the replication id of a master. */
export const RAISE_EPOCH = `
local info = redis.call('INFO', 'replication')
if not string.find(info, 'role:master', 1, true) then return false end
redis.call('SET', KEYS[1], ARGV[1])
return string.match(info, 'master_replid:(%x+)')`;

/** Keys: the epoch's, and one user's. Values: epoch, reign, and the text that is to go. */
export const DROP_BALANCE = `${OF_EPOCH}
if redis.call('HGET', KEYS[2], 'text') ~= ARGV[3] then return 0 end
return redis.call('HDEL', KEYS[2], 'text')`;
