/**
 * What is done on the server in one step. Stamps are compared as text, 16 digits and the writer: Lua's `tostring` would
 * print such a number as `1.79e+15`. Each script touches the keys that it is given, which share a hash tag.
 *
 * The lease is the conditional fill of memcache (Nishtala et al., "Scaling Memcache at Facebook", 2013): a value that was
 * loaded is stored only while the token of its load lies there, and whatever else is written, deleted or evicted voids it.
 */

import { script } from './redis-script.js';

/** KEYS: 1 what it is about, 2 the state, 3 the log, 4 the token of a renewal. ARGV: 1 epoch, 2 channel, 3 length of the log. */
const common = `
local function text(number) return string.format('%016.0f', number) end
local function now(floor)
  local time = redis.call('TIME')
  local real = time[1] * 1000000 + time[2]
  local micros = real
  local newest = tonumber(redis.call('HGET', KEYS[2], 'stamp') or 0)
  if newest >= micros then micros = newest + 1 end
  if floor and floor >= micros then micros = floor + 1 end
  return micros, micros == real
end
local function tell(payload)
  local previous = redis.call('HGET', KEYS[2], 'log') or ''
  local id = redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[3], '*', 'c', payload)
  redis.call('HSET', KEYS[2], 'log', id)
  redis.call('PUBLISH', ARGV[2], 'c' .. previous .. ' ' .. id .. ' ' .. payload)
  return id
end
local function headOf(key)
  local head = redis.pcall('GETRANGE', key, 0, 61)
  if type(head) == 'table' then return nil end
  return head
end
local function isValue(head) return head ~= nil and string.byte(head, 1) == 1 end
local function isToken(head, token)
  return head and string.sub(head, 1, 1) == 'T' and string.sub(head, 3, #token) == string.sub(token, 3)
end
local function wake(head, key)
  if string.sub(head, 2, 2) == '1' then redis.call('PUBLISH', ARGV[2], 'w' .. key) end
end
`;

const sameEpoch = `
if redis.call('HGET', KEYS[2], 'epoch') ~= ARGV[1] then return {'epoch'} end
`;

/**
 * Of what a replica holds nobody knows how old it is, and it tells of no change. It refuses to write, also where nothing is to be
 * taken out; what else keeps a server from that is no matter here.
 */
const refuseReplica = (state: string) => `
local refusal = redis.pcall('HDEL', ${state}, '')
if type(refusal) == 'table' and string.find(refusal.err or '', 'READONLY', 1, true) then
  return redis.error_reply('READONLY It is a replica')
end
`;

/** The stamp of a change: the server's time, what the caller says, and above what is stored. */
const changeStamp = `
local head = headOf(KEYS[1])
local floor = tonumber(ARGV[4]) - 1
if isValue(head) then
  local stored = tonumber(string.sub(head, 19, 34))
  if stored and stored > floor then floor = stored end
end
local time = text(now(floor))
local stamp = time .. ARGV[5]
`;

export const redisScripts = {
  /**
   * Its stamp is older than those of all later changes, also where the server's clock has to catch up with earlier ones.
   * ARGV: 4 token, 5 ms, 6 `n`: if there is nothing newer; `f`: whatever there is; `u`: in place of what can't be read,
   * 7 the stamp of what is known, 8 the newest time that is known of the key, 9 the epoch that values say.
   */
  lease: script(`${common}${sameEpoch}
local head = headOf(KEYS[1])
local mode = ARGV[6]
if head == nil and mode ~= 'f' then return {'foreign'} end
head = head or ''
local floor = tonumber(ARGV[8])
local kind = string.byte(head, 1)
local function stamped()
  local stamp, isReal = now(floor)
  if not isReal then redis.call('HSET', KEYS[2], 'stamp', text(stamp)) end
  return text(stamp)
end
local function held(key, found)
  if string.sub(found, 2, 2) == '0' then redis.call('SETRANGE', key, 1, '1') end
  return {'held', stamped()}
end
if kind == 1 and mode ~= 'u' and string.sub(head, 3, 18) == ARGV[9] then
  local stored = string.sub(head, 19, 50)
  if mode ~= 'f' and stored > ARGV[7] then return {'value', stored} end
  local found = redis.call('GET', KEYS[4])
  if found and mode ~= 'f' then return held(KEYS[4], found) end
  local time = tonumber(string.sub(stored, 1, 16))
  if time and (not floor or time > floor) then floor = time end
  redis.call('SET', KEYS[4], ARGV[4] .. stored, 'PX', ARGV[5])
  return {'renew', stamped()}
end
if kind == 84 and mode ~= 'f' then
  local isOurs = #head < 62 and string.find(head, '^T[01]%x+[0-9a-z]*$') and redis.call('PTTL', KEYS[1]) > 0
  if isOurs then return held(KEYS[1], head) end
  return {'foreign'}
end
if kind and kind ~= 1 and kind ~= 84 and mode == 'n' then return {'foreign'} end
redis.call('SET', KEYS[1], ARGV[4], 'PX', ARGV[5])
return {'load', stamped()}
`),

  /** ARGV: 4 token, 5 `load` or `renew`, 6 value, 7 its life in ms, 8 key and method, 9 its stamp, 10 key. */
  fill: script(`${common}${sameEpoch}
local head = headOf(KEYS[1])
if ARGV[5] == 'load' then
  if not isToken(head, ARGV[4]) then return {'refused'} end
  redis.call('SET', KEYS[1], ARGV[6], 'PX', ARGV[7])
  wake(head, ARGV[10])
  return {'stored'}
end
local held = redis.call('GET', KEYS[4])
if not held or not isToken(string.sub(held, 1, #ARGV[4]), ARGV[4]) then return {'refused'} end
if not isValue(head) or string.sub(head, 19, 50) ~= string.sub(held, #ARGV[4] + 1) then return {'refused'} end
redis.call('SET', KEYS[1], ARGV[6], 'PX', ARGV[7])
redis.call('DEL', KEYS[4])
return {'stored', ARGV[9], tell('s' .. ARGV[9] .. ARGV[8])}
`),

  /** ARGV: 4 token, 5 key. */
  release: script(`${common}
local head = headOf(KEYS[1])
local at = KEYS[1]
if not isToken(head, ARGV[4]) then
  at = KEYS[4]
  head = redis.call('GET', at)
  if not head or not isToken(string.sub(head, 1, #ARGV[4]), ARGV[4]) then return 0 end
end
redis.call('DEL', at)
wake(head, ARGV[5])
return 1
`),

  /** ARGV: 4 token, 5 ms. */
  renew: script(`${common}
if isToken(headOf(KEYS[1]), ARGV[4]) then return redis.call('PEXPIRE', KEYS[1], ARGV[5]) end
local held = redis.call('GET', KEYS[4])
if held and isToken(string.sub(held, 1, #ARGV[4]), ARGV[4]) then return redis.call('PEXPIRE', KEYS[4], ARGV[5]) end
return 0
`),

  /**
   * ARGV: 4 the caller's time, 5 writer, 6 and 7 the value before and behind its stamp, 8 its life in ms, 9 key and method,
   * 10 the stamp of what it may replace, if not anything: then its own is no newer than it must be, as a clearing may lie in
   * between. Anything else that is there is deleted: it may have been loaded before it was known to be over. A writer does not
   * know yet by how much its own value was made newer here.
   */
  set: script(`${common}${sameEpoch}${changeStamp}
local known = ARGV[10]
local stored = isValue(head) and string.sub(head, 19, 50) or ''
local isOfOne = string.sub(stored, 17) == string.sub(known, 17)
local isSame = stored == known or (isOfOne and stored > known and string.sub(known, 17) == ARGV[5])
if known ~= '' and not isSame then
  redis.call('DEL', KEYS[1], KEYS[4])
  redis.call('HSET', KEYS[2], 'stamp', time)
  return {'refused', stamp, tell('d' .. stamp .. ARGV[9])}
end
if known ~= '' then
  time = text(floor + 1)
  stamp = time .. ARGV[5]
else
  redis.call('HSET', KEYS[2], 'stamp', time)
end
local check = string.sub(redis.sha1hex(stamp), 1, 8)
redis.call('SET', KEYS[1], ARGV[6] .. stamp .. check .. ARGV[7], 'PX', ARGV[8])
redis.call('DEL', KEYS[4])
return {'stored', stamp, tell('s' .. stamp .. ARGV[9])}
`),

  /** ARGV: 4 stamp, 5 value, 6 its life in ms, 7 key and method, 8 the epoch that values say. What is newer stays. */
  import: script(`${common}${sameEpoch}
local head = headOf(KEYS[1])
if isValue(head) and string.sub(head, 3, 18) == ARGV[8] and string.sub(head, 19, 50) >= ARGV[4] then return {'older'} end
redis.call('SET', KEYS[1], ARGV[5], 'PX', ARGV[6])
redis.call('DEL', KEYS[4])
tell('s' .. ARGV[4] .. ARGV[7])
return {'stored'}
`),

  /** ARGV: 4 the caller's time, 5 writer, 6 key and method. Deletes first, which a server without memory lets pass too. */
  delete: script(`${common}${sameEpoch}${changeStamp}
redis.call('DEL', KEYS[1], KEYS[4])
redis.call('HSET', KEYS[2], 'stamp', time)
return {'deleted', stamp, tell('d' .. stamp .. ARGV[6])}
`),

  /** KEYS 1: the markers. ARGV: 4 the caller's time, 5 writer, 6 the marker, 7 how many are kept. */
  mark: script(`${common}${sameEpoch}
redis.call('ZREM', KEYS[1], ARGV[6])
local time = text(now(tonumber(ARGV[4]) - 1))
redis.call('HSET', KEYS[2], 'stamp', time)
redis.call('ZADD', KEYS[1], time, ARGV[6])
local excess = math.min(redis.call('ZCARD', KEYS[1]) - tonumber(ARGV[7]), 1000)
if excess > 0 then
  local last = redis.call('ZRANGE', KEYS[1], excess - 1, excess - 1, 'WITHSCORES')
  redis.call('ZREMRANGEBYRANK', KEYS[1], 0, excess - 1)
  redis.call('HSET', KEYS[2], 'watermark', text(tonumber(last[2])))
end
return {'marked', time .. ARGV[5], tell('m' .. time .. ARGV[5] .. ARGV[6])}
`),

  /** What each heartbeat asks. KEYS 1: the state. Tells the server's time, and where the log ends. */
  beat: script(`${refuseReplica('KEYS[1]')}
local time = redis.call('TIME')
local micros = string.format('%016.0f', time[1] * 1000000 + time[2])
return {micros, redis.call('HGET', KEYS[1], 'log') or ''}
`),

  /**
   * What every connection begins with. A log that goes back to before a place that is known, and has not that place itself,
   * is another: the server was given what it, or another one, held before.
   *
   * KEYS 1: the markers; the log where there are none. ARGV: 1 the epoch to begin where there is none that can be trusted,
   * 4 the epoch that is known, 5 how far its log is known, 6 `1` where the server has been started again since, 7 the newest
   * time that is known, 8 writer, 9 `1` where nothing is to be changed: then there may be no epoch, 10 the server's run, if it
   * is known, 11 a later place that this machine was told of, 12 the runs of all servers. The last two of the reply: for how
   * many microseconds this run has been met, where no epoch has begun in it, and the newest time of a change.
   */
  hello: script(`${common}
if ARGV[9] ~= '1' then ${refuseReplica('KEYS[2]')} end
local epoch = redis.call('HGET', KEYS[2], 'epoch')
local last = redis.call('HGET', KEYS[2], 'log')
local isWhole = epoch and last
if isWhole then
  local tail = redis.call('XREVRANGE', KEYS[3], '+', '-', 'COUNT', 1)
  isWhole = #tail > 0 and tail[1][1] == last
end
local history = 'other'
if isWhole and ARGV[4] == epoch and ARGV[5] ~= '' then
  local function has(id) return #redis.call('XRANGE', KEYS[3], id, id, 'COUNT', 1) > 0 end
  local function lacks(id) return id ~= '' and not has(id) and #redis.call('XRANGE', KEYS[3], '-', id, 'COUNT', 1) > 0 end
  local isKnown = has(ARGV[5])
  if lacks(ARGV[11]) or (not isKnown and (ARGV[6] == '1' or lacks(ARGV[5]))) then isWhole = false
  elseif isKnown then history = 'whole'
  else history = 'trimmed' end
end
if not isWhole and ARGV[9] == '1' then return {'', '', 'other', '0', '', '', '0'} end
if not isWhole then
  redis.call('DEL', KEYS[1], KEYS[3])
  redis.call('HDEL', KEYS[2], 'watermark', 'log')
  local time = text(now(tonumber(ARGV[7])))
  redis.call('HSET', KEYS[2], 'epoch', ARGV[1], 'stamp', time, 'run', ARGV[10], 'met', '')
  tell('e' .. time .. ARGV[8] .. ARGV[1])
  epoch = ARGV[1]
  last = redis.call('HGET', KEYS[2], 'log')
  history = 'other'
end
local time = redis.call('TIME')
local micros = time[1] * 1000000 + time[2]
local run = redis.call('HGET', KEYS[2], 'run') or ''
if ARGV[10] ~= '' and run ~= ARGV[10] and ARGV[9] ~= '1' then
  redis.call('HSET', KEYS[2], 'run', ARGV[10])
  -- A slot that comes from a server which still serves others has lost nothing on the way.
  if run == '' or not string.find(ARGV[12], run, 1, true) then redis.call('HSET', KEYS[2], 'met', text(micros)) end
end
local met = redis.call('HGET', KEYS[2], 'met') or ''
if met ~= '' then
  local since = micros - tonumber(met)
  if since >= 0 then met = string.format('%.0f', since)
  elseif ARGV[9] == '1' then met = ''
  else
    -- Its clock was set back: it would take until it has caught up.
    redis.call('HSET', KEYS[2], 'met', text(micros))
    met = '0'
  end
end
local newest = redis.call('HGET', KEYS[2], 'stamp') or '0'
return {epoch, last, history, text(micros), redis.call('HGET', KEYS[2], 'watermark') or '', met, newest}
`),
} as const;
