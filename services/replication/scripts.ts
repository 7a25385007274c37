import { script } from './redis.ts'

/**
 * Hears of a member, renews its leases and tells the state of all: one round trip a beat.
 *
 * KEYS: members, prepared, then the lease of every shard. ARGV: member, time to live in ms, its prepared shards as text,
 * `1` if it takes part, then for every shard the lease that it holds or an empty text.
 * Replies: members, their prepared shards in the same order, every lease or an empty text, the shards it lost.
 */
export const BEAT = script(`
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local member, ttl = ARGV[1], tonumber(ARGV[2])
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now - ttl)) do
  redis.call('HDEL', KEYS[2], gone)
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ttl)
if ARGV[4] == '1' then
  redis.call('ZADD', KEYS[1], now, member)
  redis.call('HSET', KEYS[2], member, ARGV[3])
end
local leases, lost = {}, {}
for i = 3, #KEYS do
  local held = ARGV[i + 2]
  local lease = redis.call('GET', KEYS[i]) or ''
  if held ~= '' then
    if lease == held then redis.call('PEXPIRE', KEYS[i], ttl) else lost[#lost + 1] = i - 3 end
  end
  leases[i - 2] = lease
end
local members = redis.call('ZRANGE', KEYS[1], 0, -1)
local prepared = {}
for i, one in ipairs(members) do prepared[i] = redis.call('HGET', KEYS[2], one) or '' end
return { members, prepared, leases, lost }
`)

/**
 * Takes the lease of a shard if nobody holds it. The epoch follows the clock of Redis, so that it grows even when Redis
 * has lost what it held.
 *
 * KEYS: lease, epoch. ARGV: member, time to live in ms. Replies the epoch, or an empty text.
 */
export const ACQUIRE = script(`
if redis.call('EXISTS', KEYS[1]) == 1 then return '' end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local epoch = string.format('%.0f', math.max(tonumber(redis.call('GET', KEYS[2]) or '0') + 1, now))
-- The clock alone makes the next one higher: this is for when it stands still.
redis.call('SET', KEYS[2], epoch, 'PX', 86400000)
redis.call('SET', KEYS[1], epoch .. ' ' .. ARGV[1], 'PX', ARGV[2])
return epoch
`)

/** Gives a lease back. KEYS: lease. ARGV: the lease as it is held. */
export const RELEASE = script(`
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
`)

/**
 * Writes only under a lease that holds: a writer that lost its own changes nothing, whatever it still believes.
 *
 * KEYS: the lease. ARGV: the lease as it is held, then operations one after the other, each with its arguments:
 * `x` stream, maximum length, entry; `h` hash, field, value; `f` hash, field; `d` key; `e` key, ms;
 * `s` key, ms, value; `r` key, ms, number.
 * Replies 0 if the lease is another's, else the id of the last stream entry and the numbers of the keys to refresh that
 * are gone.
 */
export const FENCED_WRITE = script(`
if KEYS[1] ~= '' and redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
local last, gone, i = '', {}, 2
while i <= #ARGV do
  local op, key = ARGV[i], ARGV[i + 1]
  if op == 'x' then
    last = redis.call('XADD', key, 'MAXLEN', '~', ARGV[i + 2], '*', 'e', ARGV[i + 3])
    i = i + 4
  elseif op == 'h' then
    redis.call('HSET', key, ARGV[i + 2], ARGV[i + 3])
    i = i + 4
  elseif op == 'f' then
    redis.call('HDEL', key, ARGV[i + 2])
    i = i + 3
  elseif op == 'd' then
    redis.call('DEL', key)
    i = i + 2
  elseif op == 'e' then
    redis.call('PEXPIRE', key, ARGV[i + 2])
    i = i + 3
  elseif op == 's' then
    redis.call('SET', key, ARGV[i + 3], 'PX', ARGV[i + 2])
    i = i + 4
  elseif op == 'r' then
    if redis.call('PEXPIRE', key, ARGV[i + 2]) == 0 then gone[#gone + 1] = ARGV[i + 3] end
    i = i + 4
  else
    return redis.error_reply('CROSSBOOK unknown operation')
  end
end
return { last, gone }
`)

/** A member goes of its own accord. KEYS: members, prepared. ARGV: member. */
export const LEAVE = script(`
redis.call('HDEL', KEYS[2], ARGV[1])
return redis.call('ZREM', KEYS[1], ARGV[1])
`)
