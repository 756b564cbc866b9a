/**
 * What is done on the server in one step. Each script touches the keys that it is given, which share a hash tag. Times and
 * fencing numbers are microseconds of 16 digits: Lua's `tostring` would print them as `1.79e+15`, so `text` does. The time is
 * the server's unless the first argument gives one, as tests do.
 *
 * A session is held by an *incarnation*, one stay of a node among the living. That one is alive is said in one place; in
 * another shard of a cluster nobody can look there. But who was once found dead stays dead, so "its holder is dead, and it
 * still has the fencing number that I saw" may be decided in two steps.
 */

import { type RedisScript, script } from '../remote/redis-script.js';

const common = `
local function text(number) return string.format('%.0f', number) end
local function clock(given)
  if given ~= '' then return tonumber(given) end
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end
local now = clock(ARGV[1])
`;

/** What a node has sent while it was alive may come later than others have taken over. ARGV: 2 the last moment that it counts. */
const inTime = `${common}
if now > tonumber(ARGV[2]) then return {'late', text(now)} end
`;

/** Above all that were given out in this shard, or that the caller has seen: `last` outlives what was released. */
const fencing = `
local function nextFence(key, seen)
  local last = tonumber(redis.call('GET', key) or '0')
  local fence = text(math.max(last + 1, now, tonumber(seen) + 1))
  redis.call('SET', key, fence)
  return fence
end
`;

/** KEYS: 1 the living by when they are given up, 2 the dead by when they were found so, 3 about them, 4 the adopters among the living. */
const nodes = `
local function bury(incarnation, channel)
  redis.call('ZREM', KEYS[1], incarnation)
  redis.call('SREM', KEYS[4], incarnation)
  if redis.call('ZSCORE', KEYS[2], incarnation) then return end
  redis.call('ZADD', KEYS[2], text(now), incarnation)
  redis.call('PUBLISH', channel, 'd' .. incarnation)
end
`;

const allScripts = {
  /**
   * Joins the living or stays among them, buries whose time is over, and tells who is dead, newest first. ARGV: 2 incarnation, 3 its ttl in
   * microseconds, 4 `join` or `renew`, 5 about it, beginning with its ttl, 6 channel, 7 how many shards there are,
   * 8 `1` if it adopts.
   */
  beat: script(`${common}${nodes}
if ARGV[4] == 'join' then
  local isFirst = redis.call('ZCARD', KEYS[1]) + redis.call('ZCARD', KEYS[2]) == 0
  local shards = redis.call('HGET', KEYS[3], 'shards')
  if shards and shards ~= ARGV[7] and not isFirst then return {'shards', shards} end
  redis.call('HSET', KEYS[3], 'shards', ARGV[7], ARGV[2], ARGV[5])
  if ARGV[8] == '1' then redis.call('SADD', KEYS[4], ARGV[2]) end
elseif not redis.call('ZSCORE', KEYS[1], ARGV[2]) then
  bury(ARGV[2], ARGV[6])
  return {'lost', text(now)}
end
redis.call('ZADD', KEYS[1], text(now + ARGV[3]), ARGV[2])
for _, each in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', text(now), 'LIMIT', 0, 100)) do bury(each, ARGV[6]) end
local ahead = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. text(now + ARGV[3]), '+inf', 'WITHSCORES', 'LIMIT', 0, 100)
for at = 1, #ahead, 2 do
  local about = redis.call('HGET', KEYS[3], ahead[at]) or ''
  local ends = now + (tonumber(string.match(about, '^%d+')) or ARGV[3])
  if tonumber(ahead[at + 1]) > ends then redis.call('ZADD', KEYS[1], text(ends), ahead[at]) end
end
local reply = {'live', text(now)}
local dead = redis.call('ZREVRANGE', KEYS[2], 0, 99, 'WITHSCORES')
for at = 1, #dead, 2 do
  reply[#reply + 1] = dead[at]
  reply[#reply + 1] = text(tonumber(dead[at + 1]))
end
return reply
`),

  /** Whether an incarnation is alive; one that is not is dead from now on. ARGV: 2 incarnation, 3 `1` if it says so itself, 4 channel. */
  bury: script(`${common}${nodes}
local ends = redis.call('ZSCORE', KEYS[1], ARGV[2])
if ends and tonumber(ends) > now and ARGV[3] ~= '1' then return {'alive'} end
bury(ARGV[2], ARGV[4])
return {'dead'}
`),

  /** Forgets a dead incarnation of which nothing is left. KEYS as above. ARGV: 2 incarnation, 3 dead since when at the latest. */
  forget: script(`${common}
local since = redis.call('ZSCORE', KEYS[2], ARGV[2])
if not since or tonumber(since) > tonumber(ARGV[3]) then return 0 end
redis.call('ZREM', KEYS[2], ARGV[2])
redis.call('HDEL', KEYS[3], ARGV[2])
return 1
`),

  /**
   * KEYS: 1 session, 2 what the incarnation holds here, 3 last fencing number. ARGV: 3 id, 4 incarnation, 5 the highest
   * fencing number that it has seen, 6 the one whose holder is dead, 7 user, 8 name of the node, 9 channel.
   */
  claim: script(`${inTime}${fencing}
local held = redis.call('HMGET', KEYS[1], 'i', 'f', 'n', 'u')
if held[1] and held[2] ~= ARGV[6] then return {'held', held[1], held[2], held[3]} end
local fence = nextFence(KEYS[3], ARGV[5])
local user = ARGV[7]
if user == '' and held[1] and held[4] then user = held[4] end
redis.call('HSET', KEYS[1], 'i', ARGV[4], 'f', fence, 'n', ARGV[8], 't', text(now))
if user ~= '' then redis.call('HSET', KEYS[1], 'u', user) else redis.call('HDEL', KEYS[1], 'u') end
redis.call('PERSIST', KEYS[1])
redis.call('ZADD', KEYS[2], fence, 's' .. ARGV[3])
if held[1] and held[1] ~= ARGV[4] then
  local one = {id = ARGV[3], fence = fence, user = held[4] or nil}
  redis.call('PUBLISH', ARGV[9], 'o' .. cjson.encode({from = held[1], by = ARGV[4], node = ARGV[8], sessions = {one}}))
end
return {'claimed', fence, user, held[1] and held[4] or ''}
`),

  /** KEYS: 1 session, 2 what the incarnation holds here. ARGV: 2 id, 3 incarnation, 4 fence, 5 ms that its state stays, 0 for none. */
  release: script(`${common}
local member = 's' .. ARGV[2]
local listed = redis.call('ZSCORE', KEYS[2], member)
if listed and text(tonumber(listed)) == ARGV[4] then redis.call('ZREM', KEYS[2], member) end
local held = redis.call('HMGET', KEYS[1], 'i', 'f')
if held[1] ~= ARGV[3] or held[2] ~= ARGV[4] then return 0 end
if ARGV[5] == '0' or redis.call('HEXISTS', KEYS[1], 'd') == 0 then
  redis.call('DEL', KEYS[1])
else
  redis.call('HDEL', KEYS[1], 'i', 'n', 'u', 't')
  redis.call('PEXPIRE', KEYS[1], ARGV[5])
end
return 1
`),

  /** KEYS: 1 session. ARGV: 2 incarnation, 3 fence, 4 state. */
  write: script(`${common}
local held = redis.call('HMGET', KEYS[1], 'i', 'f')
if held[1] ~= ARGV[2] or held[2] ~= ARGV[3] then return 0 end
redis.call('HSET', KEYS[1], 'd', ARGV[4])
return 1
`),

  /** Hands over a slice of what a dead incarnation held, to one of the living. KEYS: 1 the dead one's, 2 own. ARGV: 3 how many. */
  take: script(`${inTime}
local list = redis.call('ZRANGE', KEYS[1], 0, ARGV[3] - 1, 'WITHSCORES')
for at = 1, #list, 2 do
  list[at + 1] = text(tonumber(list[at + 1]))
  redis.call('ZADD', KEYS[2], 'NX', list[at + 1], list[at])
  redis.call('ZREM', KEYS[1], list[at])
end
return {'taken', unpack(list)}
`),

  /**
   * Claims sessions whose holder is dead, or frees them. KEYS: 1 what the incarnation holds here, 2 last fencing number, the
   * sessions. ARGV: 3 incarnation, 4 name of the node, 5 the highest fencing number seen, 6 `adopt` or `free`, 7 ms that
   * states of free ones stay, 8 channel, 9 the dead one, then id and fencing number of each.
   */
  adopt: script(`${inTime}${fencing}
local reply, list = {'adopted'}, {}
for at = 3, #KEYS do
  local id, known = ARGV[at * 2 + 4], ARGV[at * 2 + 5]
  local held = redis.call('HMGET', KEYS[at], 'i', 'f', 'u')
  local listed = redis.call('ZSCORE', KEYS[1], 's' .. id)
  local isListed = listed and text(tonumber(listed)) == known
  local fence = ''
  if held[1] and held[2] == known then
    if ARGV[6] == 'adopt' then
      fence = nextFence(KEYS[2], ARGV[5])
      redis.call('HSET', KEYS[at], 'i', ARGV[3], 'f', fence, 'n', ARGV[4], 't', text(now))
      redis.call('PERSIST', KEYS[at])
      redis.call('ZADD', KEYS[1], fence, 's' .. id)
    else
      redis.call('HDEL', KEYS[at], 'i', 'n', 'u', 't')
      redis.call('PEXPIRE', KEYS[at], ARGV[7])
      if isListed then redis.call('ZREM', KEYS[1], 's' .. id) end
      fence = 'free'
    end
    list[#list + 1] = {id = id, fence = fence, user = held[3] or nil}
  elseif isListed then
    redis.call('ZREM', KEYS[1], 's' .. id)
  end
  reply[#reply + 1] = fence
  reply[#reply + 1] = held[3] or ''
end
if #list > 0 then
  local by = ARGV[6] == 'adopt' and ARGV[3] or ''
  redis.call('PUBLISH', ARGV[8], 'o' .. cjson.encode({from = ARGV[9], by = by, node = ARGV[4], sessions = list}))
end
return reply
`),

  /** Takes a place among a user's sessions. KEYS: 1 user. ARGV: 2 id, 3 how many there may be, 4 token. */
  reserve: script(`${common}
local held = redis.call('HGET', KEYS[1], ARGV[2])
if not held and ARGV[3] ~= '' and redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[3]) then return {'full', text(now)} end
redis.call('HSET', KEYS[1], ARGV[2], text(now) .. ' ' .. ARGV[4])
return {'reserved', text(now), held or ''}
`),

  /** Gives places back, unless they were taken again meanwhile; how many. KEYS: 1 user. ARGV: id and what was there, of each. */
  vacate: script(`
local count = 0
for at = 1, #ARGV, 2 do
  if redis.call('HGET', KEYS[1], ARGV[at]) == ARGV[at + 1] then
    redis.call('HDEL', KEYS[1], ARGV[at])
    count = count + 1
  end
end
return count
`),

  /** Gives a place back to whom it was taken from. KEYS: 1 user. ARGV: 1 id, 2 what is there, 3 what was there before. */
  restore: script(`
if redis.call('HGET', KEYS[1], ARGV[1]) == ARGV[2] then redis.call('HSET', KEYS[1], ARGV[1], ARGV[3]) end
return 1
`),

  /**
   * KEYS: 1 connections of a session, 2 what the incarnation holds here, 3 last fencing number. ARGV: 3 id, 4 incarnation, 5 name of the node, 6 how
   * many there may be, 7 its member of the second key.
   */
  attach: script(`${inTime}${fencing}
local isNew = redis.call('HEXISTS', KEYS[1], ARGV[3]) == 0
if isNew and ARGV[6] ~= '' and redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[6]) then return {'full'} end
redis.call('HSET', KEYS[1], ARGV[3], ARGV[4] .. ' ' .. text(now) .. ' ' .. ARGV[5])
local number = nextFence(KEYS[3], '0')
redis.call('ZADD', KEYS[2], number, ARGV[7])
return {'attached', number}
`),

  /**
   * Takes connections off the list, unless others of their names have taken their places: on the caller, or elsewhere. KEYS: 1 what the
   * caller holds here, connections of sessions. ARGV: 1 the incarnation they were of, 2 the caller, then id, member and number of each.
   */
  detach: script(`
for at = 2, #KEYS do
  local id, member, number = ARGV[at * 3 - 3], ARGV[at * 3 - 2], ARGV[at * 3 - 1]
  local listed = redis.call('ZSCORE', KEYS[1], member)
  local isListed = listed and string.format('%.0f', listed) == number
  local held = redis.call('HGET', KEYS[at], id)
  local isIts = held and string.sub(held, 1, #ARGV[1] + 1) == ARGV[1] .. ' '
  if isIts and (isListed or not listed or ARGV[1] ~= ARGV[2]) then redis.call('HDEL', KEYS[at], id) end
  if isListed then redis.call('ZREM', KEYS[1], member) end
end
return 1
`),
};

export const sessionScripts: Readonly<Record<keyof typeof allScripts, RedisScript>> = allScripts;
