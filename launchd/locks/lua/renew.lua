-- Extend leases. KEYS: the locks. ARGV: lease in ms, then the token of each. Returns ms left for each, -1 if it was lost.
-- No lease goes past the ceiling on the whole hold.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local left = {}
for index, key in ipairs(KEYS) do
  local held = redis.call('HMGET', key, 'token', 'ends')
  left[index] = -1
  if held[1] == ARGV[index + 1] then
    local lease = math.min(tonumber(ARGV[1]), tonumber(held[2]) - now)
    if lease > 0 then
      redis.call('PEXPIRE', key, lease)
      left[index] = lease
    end
  end
end
return left
