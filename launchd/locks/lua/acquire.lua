-- Acquire a free lock. KEYS: lock, fence, index. ARGV: name, token, owner, job id, lease in ms, ceiling in ms, the
-- highest fence that the caller has seen.
-- Returns 1 if the caller holds it, else 0; token (for the holder only), owner, job id, fence, since in microseconds,
-- ms left. A holder that calls again, since the answer was lost, gets its own lock.
local held = redis.call('HMGET', KEYS[1], 'token', 'owner', 'job', 'fence', 'since')
if held[1] then
  local own = held[2] == ARGV[3] and held[3] == ARGV[4]
  return {own and 1 or 0, own and held[1] or '', held[2], held[3], held[4], held[5], redis.call('PTTL', KEYS[1])}
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
-- The fence grows even if the server lost its data, or if a replica lacks the last writes: it is at least the time in
-- microseconds (no server gives locks faster than that), and higher than the fences the caller has seen. Lua's numbers
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
