#include "server/cluster/cluster_scripts.h"

#include <string>

namespace crier {
namespace {

// Epochs are microseconds since 1970 by Redis's own clock, and later than any that is known. They
// are kept as text: Lua writes a number of this size as 1.8e+15.
constexpr char kNewEpoch[] = R"lua(
local function new_epoch(...)
  local now = redis.call('TIME')
  local epoch = now[1] * 1000000 + now[2]
  for _, known in ipairs({...}) do
    epoch = math.max(epoch, (tonumber(known) or 0) + 1)
  end
  return string.format('%.0f', epoch)
end
)lua";

constexpr char kPublish[] = R"lua(
local topic, stream, id = KEYS[1], KEYS[2], KEYS[3]
local channel, message, seen_epoch, seen_head = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local most_events, most_bytes = tonumber(ARGV[5]), tonumber(ARGV[6])

if id then
  local first = redis.call('GET', id)
  if first then
    local epoch, offset = string.match(first, '^(%d+) (%d+)$')
    return {epoch, tonumber(offset), 1, 0}
  end
end

local place = redis.call('HMGET', topic, 'e', 'h', 'b')
local epoch, head, bytes = place[1], tonumber(place[2]), tonumber(place[3])
-- Redis has lost the topic, or the end of it, and a node knows: what it had is another life.
if not epoch or (epoch == seen_epoch and head < seen_head) or
    tonumber(epoch) < tonumber(seen_epoch) then
  epoch, head, bytes = new_epoch(epoch, seen_epoch), 0, 0
  -- First what Redis denies where it has no memory: it denies nothing behind a DEL.
  redis.call('HSET', topic, 'e', epoch, 'h', '0', 'b', '0')
  redis.call('DEL', stream)
end

head = head + 1
redis.call('XADD', stream, string.format('%d-0', head), 'm', message)
local kept = redis.call('XLEN', stream)
bytes = kept == 1 and #message or bytes + #message
if kept > 1 and (kept > most_events or bytes > most_bytes) then
  -- An eighth goes, so that this is seldom.
  local few, little = most_events - math.floor(most_events / 8), most_bytes * 7 / 8
  local oldest
  repeat
    local block = redis.call('XRANGE', stream, oldest or '-', '+', 'COUNT', 65)
    local i = 1
    while i < #block and kept > 1 and (kept > few or bytes > little) do
      bytes = bytes - #block[i][2][2]
      kept = kept - 1
      i = i + 1
    end
    oldest = block[i][1]
  until i < #block or kept <= 1 or (kept <= few and bytes <= little)
  redis.call('XTRIM', stream, 'MINID', oldest)
end
redis.call('PEXPIRE', stream, ARGV[7])
redis.call('HSET', topic, 'e', epoch, 'h', string.format('%d', head), 'b', string.format('%d', bytes))
redis.call('PEXPIRE', topic, 86400000)
local text = string.format('%s %d ', epoch, head)
if id then
  redis.call('SET', id, string.format('%s %d', epoch, head), 'PX', ARGV[8])
end
local nodes = redis.call('PUBLISH', channel, text .. message)
return {epoch, head, 0, nodes}
)lua";

constexpr char kDirect[] = R"lua(
local id = KEYS[1]
if id then
  local first = redis.call('GET', id)
  if first then return {1, tonumber(first)} end
end
-- Before all else, because Redis denies this where it has no memory, and nothing behind it.
if id then redis.call('SET', id, 1, 'PX', ARGV[3]) end
local nodes = redis.call('PUBLISH', ARGV[1], ARGV[2])
if id and nodes == 0 then
  redis.call('DEL', id)
elseif id and nodes > 1 then
  redis.call('SET', id, nodes, 'PX', ARGV[3])
end
return {0, nodes}
)lua";

constexpr char kPast[] = R"lua(
local topic, stream = KEYS[1], KEYS[2]
local from, events, bytes = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local place = redis.call('HMGET', topic, 'e', 'h')
local epoch, head = place[1] or '0', tonumber(place[2]) or 0
local found, tail = {}, head + 1
local oldest = redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)
if #oldest == 0 then return {epoch, head, tail, found} end
tail = tonumber(string.match(oldest[1][1], '^%d+'))
local next = math.max(from, tail)
while events > 0 and bytes > 0 do
  local block = redis.call('XRANGE', stream, string.format('%d', next), '+',
                           'COUNT', math.min(events, 16))
  for _, entry in ipairs(block) do
    if #found > 0 and #entry[2][2] > bytes then return {epoch, head, tail, found} end
    found[#found + 1] = entry[2][2]
    bytes = bytes - #entry[2][2]
    events = events - 1
    next = next + 1
  end
  if #block < 16 then break end
end
return {epoch, head, tail, found}
)lua";

constexpr char kRenew[] = R"lua(
local topic, stream = KEYS[1], KEYS[2]
local channel, seen_epoch, seen_head, force = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
local place = redis.call('HMGET', topic, 'e', 'h')
local epoch, head = place[1] or '0', tonumber(place[2]) or 0
local other = epoch ~= seen_epoch
if (other and tonumber(epoch) > tonumber(seen_epoch)) or
    (not other and head >= seen_head and force ~= '1') then
  return {epoch, head, 0}
end
epoch = new_epoch(epoch, seen_epoch)
redis.call('DEL', stream)
redis.call('HSET', topic, 'e', epoch, 'h', '0', 'b', '0')
redis.call('PEXPIRE', topic, 86400000)
redis.call('PUBLISH', channel, epoch .. ' 0 ')
return {epoch, 0, 1}
)lua";

}  // namespace

const RedisScript& PublishScript() {
  static const auto* const script = new RedisScript(std::string(kNewEpoch) + kPublish);
  return *script;
}

const RedisScript& DirectScript() {
  static const auto* const script = new RedisScript(kDirect);
  return *script;
}

const RedisScript& PastScript() {
  static const auto* const script = new RedisScript(kPast);
  return *script;
}

const RedisScript& RenewScript() {
  static const auto* const script = new RedisScript(std::string(kNewEpoch) + kRenew);
  return *script;
}

}  // namespace crier
