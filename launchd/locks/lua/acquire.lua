-- Take a lock that nobody holds. KEYS: lock, fence, index. ARGV: name, token, owner, job id, lease ms, ceiling ms,
-- the highest fence that the asker has seen.
-- Answers taken (1 or 0), token (the holder's own only), owner, job id, fence, since in microseconds, ms left.
-- A holder that asks again (its answer was lost) is told what it holds.
local held = redis.call('HMGET', KEYS[1], 'token', 'owner', 'job', 'fence', 'since')
if held[1] then
  local own = held[2] == ARGV[3] and held[3] == ARGV[4]
  return {own and 1 or 0, own and held[1] or '', held[2], held[3], held[4], held[5], redis.call('PTTL', KEYS[1])}
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
-- The fence grows even over a server that lost its memory, or a replica that lacks the last of it: it is never less than
-- the time in microseconds (no server gives out locks faster than that), nor than what the asker has seen. Numbers here
-- are exact to 53 bits: until the year 2255.
local last = math.max(tonumber(redis.call('GET', KEYS[2]) or '0'), tonumber(ARGV[7]))
local fence = math.max(last + 1, time[1] * 1000000 + time[2])
local text = string.format('%.0f', fence)
local since = time[1] .. string.format('%06d', time[2])
local lease = math.min(tonumber(ARGV[5]), tonumber(ARGV[6]))
redis.call('SET', KEYS[2], text)
redis.call('HSET', KEYS[1], 'token', ARGV[2], 'owner', ARGV[3], 'job', ARGV[4], 'fence', text, 'since', since,
  'ends', string.format('%.0f', now + tonumber(ARGV[6])))
redis.call('PEXPIRE', KEYS[1], lease)
redis.call('SADD', KEYS[3], ARGV[1])
return {1, ARGV[2], ARGV[3], ARGV[4], text, since, lease}
