-- Release a lock, by its holder only. KEYS: lock, index. ARGV: name, token, channel. Returns 1, or 0 if it was lost.
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[2] then
  return 0
end
redis.call('DEL', KEYS[1])
redis.call('SREM', KEYS[2], ARGV[1])
redis.call('PUBLISH', ARGV[3], ARGV[1])
return 1
