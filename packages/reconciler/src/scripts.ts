import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';

/** A Lua script, sent by its hash and in full only when Redis does not know it. */
function script(lua: string, keys: number): (redis: Redis, ...args: (string | number)[]) => Promise<unknown> {
  const sha = createHash('sha1').update(lua).digest('hex');
  return async (redis, ...args) => {
    try {
      return await redis.evalsha(sha, keys, ...args);
    } catch (e) {
      if (!(e instanceof Error && e.message.startsWith('NOSCRIPT'))) throw e;
      return await redis.eval(lua, keys, ...args);
    }
  };
}

/**
 * A Redis without our epoch is new or emptied: passes that it has forgotten may still run, so that nothing may start
 * for a while (the hold), unless whoever made this Redis said that nothing ran then (the first-start mark).
 */
const ENSURE_EPOCH = `
local function epoch(key, hold, first, value, ms)
  local now = redis.call('GET', key)
  if now then return now end
  redis.call('SET', key, value)
  if redis.call('EXISTS', first) == 0 then redis.call('SET', hold, 1, 'PX', ms) end
  return value
end`;

/**
 * At the start of a run, one round trip. KEYS: epoch, hold, first-start, fails, wake. ARGV: new epoch, hold ms, key.
 * Returns [hold left in ms, failures in a row, wake-up or ''].
 */
export const beginRun = script(
  `${ENSURE_EPOCH}
epoch(KEYS[1], KEYS[2], KEYS[3], ARGV[1], ARGV[2])
return {math.max(0, redis.call('PTTL', KEYS[2])), tonumber(redis.call('HGET', KEYS[4], ARGV[3]) or 0), redis.call('HGET', KEYS[5], ARGV[3]) or ''}`,
  5,
);

/**
 * At the end of a run. A run that went well has done with its wake-up, unless a newer one came; one that failed keeps it, for
 * the next. KEYS: fails, wake. ARGV: key, wake-up seen, 'ok' or 'fail'.
 */
export const endRun = script(
  `if ARGV[3] == 'fail' then return redis.call('HINCRBY', KEYS[1], ARGV[1], 1) end
redis.call('HDEL', KEYS[1], ARGV[1])
if ARGV[2] ~= '' and redis.call('HGET', KEYS[2], ARGV[1]) == ARGV[2] then redis.call('HDEL', KEYS[2], ARGV[1]) end
return 0`,
  2,
);

/** Stores the newest wake-up of a key. KEYS: wake. ARGV: key, resourceVersion, who. */
export const noteWake = script(
  `local old = redis.call('HGET', KEYS[1], ARGV[1])
if old then
  local version = string.match(old, '^(%d+)@')
  if version and tonumber(version) >= (tonumber(ARGV[2]) or 0) then return 0 end
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. '@' .. ARGV[3])
return 1`,
  1,
);

/**
 * The heartbeat. KEYS: epoch, hold, first-start, members, counter. ARGV: new epoch, hold ms, member, member's ttl ms,
 * '1' if it feeds. Returns [epoch, counter, hold left, members].
 */
export const heartbeat = script(
  `${ENSURE_EPOCH}
local e = epoch(KEYS[1], KEYS[2], KEYS[3], ARGV[1], ARGV[2])
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', now)
if ARGV[5] == '1' then redis.call('ZADD', KEYS[4], now + ARGV[4], ARGV[3]) end
local n = redis.call('INCR', KEYS[5])
redis.call('PEXPIRE', KEYS[5], 3600000)
return {e, n, math.max(0, redis.call('PTTL', KEYS[2])), redis.call('ZRANGE', KEYS[4], 0, -1)}`,
  5,
);
