"""The Lua scripts by which a registry and a rate limit are kept in Redis, each one round trip.

    p2pchat:all                   hash: registration -> when it expires, port, ttl
    p2pchat:namespace:NAMESPACE   hash: those of a namespace
    p2pchat:ip:IP                 sorted set: registrations by when they expire
    p2pchat:expiry                sorted set: all registrations by when they expire
    p2pchat:namespaces            sorted set: namespaces by when their last registration expires
    p2pchat:rate:IP               list: when the last connections were admitted, newest first
    p2pchat:blocked:IP            until when connections are closed

IP, NAMESPACE and names are JSON strings in ASCII, which have no newline in them, and a registration
is the three with a newline and a comma between them: whatever the names are, no two are alike, and
what is found is JSON when it is put in brackets. Times are in milliseconds since 1970, by the clock
of the Redis server, so that nobody else's matters. A registration that has expired is no answer to
anything, and goes when the next one comes; a key as a whole goes by itself, GRACE after the last
that is in it. Every script is given the time first, "" for that of Redis.
"""

#: Keys that every script may need, and the beginnings of the others.
ALL = b"p2pchat:all"
EXPIRY = b"p2pchat:expiry"
NAMESPACES = b"p2pchat:namespaces"
NAMESPACE = b"p2pchat:namespace:"
IP = b"p2pchat:ip:"
RATE = b"p2pchat:rate:"
BLOCKED = b"p2pchat:blocked:"

_NOW = b"""
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
"""

# How many of those that expired a script forgets at most: more than one registration adds, and not
# so many that others have to wait.
_FORGET = b"""
local function forget(registration)
  local ip, namespace = string.match(registration, '^(.-)\\n,(.-)\\n,')
  redis.call('ZREM', 'p2pchat:expiry', registration)
  redis.call('HDEL', 'p2pchat:all', registration)
  redis.call('ZREM', 'p2pchat:ip:' .. ip, registration)
  redis.call('HDEL', 'p2pchat:namespace:' .. namespace, registration)
  if redis.call('EXISTS', 'p2pchat:namespace:' .. namespace) == 0 then
    redis.call('ZREM', 'p2pchat:namespaces', namespace)
  end
end
local function forget_expired(most)
  local expired = redis.call('ZRANGEBYSCORE', 'p2pchat:expiry', '-inf', now, 'LIMIT', 0, most)
  for _, registration in ipairs(expired) do forget(registration) end
end
"""

#: KEYS: ALL, EXPIRY, NAMESPACES, namespace, IP; ARGV: registration, NAMESPACE, port, ttl in ms,
#: most of all, most of one IP. Returns 1, or 0 if there is no room.
REGISTER = (
    _NOW
    + _FORGET
    + b"""
local all, expiry, namespaces, namespace, ip = unpack(KEYS)
local _, registration, name, port, ttl, max_entries, max_per_ip = unpack(ARGV)
local after = '(' .. now
local grace = 60000

local function keep_until(key, expires)
  redis.call('PEXPIRE', key, expires - now + grace)
end
local function keep_while_used(key)
  local last = redis.call('ZREVRANGE', key, 0, 0, 'WITHSCORES')[2]
  keep_until(key, last)
  return last
end

forget_expired(100)
local known = redis.call('ZSCORE', expiry, registration)
if not known or tonumber(known) <= now then
  if redis.call('ZCOUNT', expiry, after, '+inf') >= tonumber(max_entries)
      or redis.call('ZCOUNT', ip, after, '+inf') >= tonumber(max_per_ip) then
    return 0
  end
end
local expires = now + ttl
local value = string.format('%.0f,%d,%d', expires, port, ttl / 1000)
redis.call('HSET', all, registration, value)
redis.call('HSET', namespace, registration, value)
redis.call('ZADD', expiry, expires, registration)
redis.call('ZADD', ip, expires, registration)
local last = math.max(expires, tonumber(redis.call('ZSCORE', namespaces, name) or 0))
redis.call('ZADD', namespaces, last, name)
keep_until(namespace, last)
keep_until(all, keep_while_used(expiry))
keep_while_used(ip)
keep_while_used(namespaces)
return 1
"""
)

#: KEYS: IP. Returns 1 if anything is registered from it, else 0.
KNOWS = (
    _NOW
    + b"""
local last = redis.call('ZREVRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2]
return last and tonumber(last) > now and 1 or 0
"""
)

#: KEYS: ALL or namespace; ARGV: cursor, at first 0. Returns JSON, a slice of what is found:
#: [next cursor, at last "0", now, [[ip, namespace, name, expires, port, ttl], ...]]. What is there
#: all the time is in one slice at least. Others do not wait for long while thousands are listed.
FIND = (
    _NOW
    + b"""
local cursor, found = unpack(redis.call('HSCAN', KEYS[1], ARGV[2], 'COUNT', 2048))
local rows = {}
for i = 1, #found, 2 do
  if tonumber(string.match(found[i + 1], '^%d+')) > now then
    rows[#rows + 1] = found[i] .. ',' .. found[i + 1]
  end
end
local list = #rows > 0 and '[' .. table.concat(rows, '],[') .. ']' or ''
return string.format('["%s",%.0f,[', cursor, now) .. list .. ']]'
"""
)

#: KEYS: namespace, IP; ARGV: registration, or IP and NAMESPACE as it begins if all are meant, 1 or
#: 0 for that, port or "". Returns how many are gone.
UNREGISTER = (
    _NOW
    + _FORGET
    + b"""
local namespace, ip = unpack(KEYS)
local _, start, all, port = unpack(ARGV)
local candidates = {start}
if all == '1' then candidates = redis.call('ZRANGEBYSCORE', ip, '(' .. now, '+inf') end
local gone = 0
for _, registration in ipairs(candidates) do
  if string.sub(registration, 1, #start) == start then
    local value = redis.call('HGET', namespace, registration)
    local expires, its_port = string.match(value or '0,0,', '^(%d+),(%d+),')
    if tonumber(expires) > now and (port == '' or port == its_port) then
      forget(registration)
      gone = gone + 1
    end
  end
end
return gone
"""
)

#: KEYS: NAMESPACES. Returns JSON: {namespace: how many, ...}; when thousands have just expired,
#: some of them still count.
CENSUS = (
    _NOW
    + _FORGET
    + b"""
forget_expired(1000)
local counts = {}
for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. now, '+inf')) do
  local count = redis.call('HLEN', 'p2pchat:namespace:' .. name)
  if count > 0 then counts[#counts + 1] = name .. ':' .. count end
end
return '{' .. table.concat(counts, ',') .. '}'
"""
)

#: KEYS: rate, blocked; ARGV: limit, window and block in ms. Counts a connection. Returns 0 if it is
#: served, -1 if it is the one too many, else for how many ms more the IP is blocked.
JUDGE = (
    _NOW
    + b"""
local rate, blocked = unpack(KEYS)
local _, limit, window, block = unpack(ARGV)
local left = (redis.call('GET', blocked) or 0) - now
if left > 0 and left <= tonumber(block) then return left end
if tonumber(redis.call('LINDEX', rate, 0) or 0) > now then
  redis.call('DEL', rate)  -- the clock was set back: what is noted tells nothing
end
local first = redis.call('LINDEX', rate, limit - 1)
if first and first + window > now then
  redis.call('SET', blocked, string.format('%.0f', now + block), 'PX', block)
  redis.call('DEL', rate)
  return -1
end
redis.call('LPUSH', rate, string.format('%.0f', now))
redis.call('LTRIM', rate, 0, limit - 1)
redis.call('PEXPIRE', rate, window)
return 0
"""
)
