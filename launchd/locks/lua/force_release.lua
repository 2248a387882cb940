-- Take a lock from its holder. KEYS: lock, fence, index. ARGV: name, channel, owner prefix, owner to spare.
-- With an owner prefix, only a holder with that prefix loses it, except the owner to spare. Returns the holder's lock
-- as acquire does, or nil.
local held = redis.call('HMGET', KEYS[1], 'token', 'owner', 'job', 'fence', 'since')
if not held[1] then
  redis.call('SREM', KEYS[3], ARGV[1])
  return nil
end
if ARGV[3] ~= '' and (string.sub(held[2], 1, #ARGV[3]) ~= ARGV[3] or held[2] == ARGV[4]) then
  return nil
end
local left = redis.call('PTTL', KEYS[1])
redis.call('DEL', KEYS[1])
redis.call('SREM', KEYS[3], ARGV[1])
redis.call('INCR', KEYS[2])
redis.call('PUBLISH', ARGV[2], ARGV[1])
return {0, held[1], held[2], held[3], held[4], held[5], left}
