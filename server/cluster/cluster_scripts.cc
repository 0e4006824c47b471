#include "server/cluster/cluster_scripts.h"

#include <array>
#include <charconv>
#include <string>
#include <utility>

namespace crier {
namespace {

// Epochs stay text: Lua writes a number of this size as 1.8e+15. They have sixteen digits until the
// year 2286, so text compares as numbers do.
//
// A script begins with a write that Redis denies where its memory is full: behind any write it
// denies nothing more, and so a script is done as a whole or not at all.
constexpr char kNewEpoch[] = R"lua(
local function new_epoch(known)
  local now = redis.call('TIME')
  local last = tonumber(redis.call('HGET', '@LIFE@', 'last')) or 0
  local epoch = string.format('%.0f', math.max(now[1] * 1000000 + now[2], last + 1, known + 1))
  redis.call('HSET', '@LIFE@', 'last', epoch)
  return epoch
end
)lua";

constexpr char kLife[] = R"lua(
local function told(section, field)
  return string.match(redis.call('INFO', section), field .. ':(%w+)') or ''
end
local process = told('server', 'run_id') .. told('replication', 'master_replid')
local evicted = tonumber(told('stats', 'evicted_keys')) or 0
local known = redis.call('HMGET', '@LIFE@', 'process', 'begun')
if known[1] == process and known[2] then return {known[2], evicted} end
local begun = new_epoch(0)
redis.call('HSET', '@LIFE@', 'process', process, 'begun', begun)
return {begun, evicted}
)lua";

constexpr char kPublish[] = R"lua(
local call = redis.call
local topic, events, id = KEYS[1], KEYS[2], KEYS[3]
local message, life = ARGV[2], ARGV[3]

local epoch, head, bytes
local place = call('GET', topic)
if place then
  head, bytes = struct.unpack('<I8I8', place)
  epoch = string.sub(place, 17)
end
local over = not place or epoch < life
if over then epoch, head, bytes = new_epoch(tonumber(epoch) or 0), 0, 0 end
head = head + 1
local text = string.format('%s %d ', epoch, head)
if id and not call('SET', id, text, 'NX', 'PX', '@WINDOW@') then
  epoch, head = string.match(call('GET', id), '^(%d+) (%d+) $')
  return {epoch, tonumber(head), 1, 0}
end
if over then call('DEL', events) end
local kept = call('RPUSH', events, message)
bytes = kept == 1 and #message or bytes + #message
if kept > 1 and (kept > @EVENTS@ or bytes > @BYTES@) then
  -- An eighth goes, so that this is seldom.
  local few, little = @EVENTS@ - math.floor(@EVENTS@ / 8), @BYTES@ * 7 / 8
  local gone = 0
  repeat
    local block = call('LRANGE', events, gone, gone + 63)
    local i = 1
    while i <= #block and kept > 1 and (kept > few or bytes > little) do
      bytes = bytes - #block[i]
      kept = kept - 1
      i = i + 1
    end
    gone = gone + i - 1
  until i <= #block or kept <= 1
  call('LTRIM', events, gone, -1)
end
call('PEXPIRE', events, '@AGE@')
call('SET', topic, struct.pack('<I8I8', head, bytes) .. epoch, 'PX', '86400000')
return {epoch, head, 0, call('PUBLISH', ARGV[1], text .. message)}
)lua";

constexpr char kDirect[] = R"lua(
local id = KEYS[1]
if id and not redis.call('SET', id, 1, 'NX', 'PX', '@WINDOW@') then
  return {1, tonumber(redis.call('GET', id))}
end
local nodes = redis.call('PUBLISH', ARGV[1], ARGV[2])
if id and nodes == 0 then
  redis.call('DEL', id)
elseif id and nodes > 1 then
  redis.call('SET', id, nodes, 'PX', '@WINDOW@')
end
return {0, nodes}
)lua";

constexpr char kPast[] = R"lua(
local topic, events = KEYS[1], KEYS[2]
local from, most, bytes = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local found = {}
local place = redis.call('GET', topic)
if not place then return {'0', 0, 1, found} end
local epoch, head = string.sub(place, 17), struct.unpack('<I8', place)
local tail = head + 1 - redis.call('LLEN', events)
local next = math.max(from, tail) - tail
while most > 0 and bytes > 0 do
  local block = redis.call('LRANGE', events, next, next + math.min(most, 16) - 1)
  for _, message in ipairs(block) do
    if #found > 0 and #message > bytes then return {epoch, head, tail, found} end
    found[#found + 1] = message
    bytes = bytes - #message
    most = most - 1
    next = next + 1
  end
  if #block < 16 then break end
end
return {epoch, head, tail, found}
)lua";

constexpr char kRenew[] = R"lua(
local topic, events = KEYS[1], KEYS[2]
local seen_epoch, seen_head, life = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local place = redis.call('GET', topic)
local epoch, head = '0', 0
if place then epoch, head = string.sub(place, 17), struct.unpack('<I8', place) end
local known = tonumber(epoch)
local good = known > seen_epoch or
             (known == seen_epoch and head >= seen_head and ARGV[5] ~= '1')
if good and known >= life then return {epoch, head, 0} end
epoch = new_epoch(math.max(known, seen_epoch))
redis.call('SET', topic, struct.pack('<I8I8', 0, 0) .. epoch, 'PX', '86400000')
redis.call('DEL', events)
redis.call('PUBLISH', ARGV[1], epoch .. ' 0 ')
return {epoch, 0, 1}
)lua";

using Constants = std::array<std::pair<std::string_view, std::string>, 5>;

RedisScript Script(std::string source, const Constants& constants) {
  for (const auto& [name, value] : constants) {
    for (size_t at = source.find(name); at != std::string::npos; at = source.find(name, at)) {
      source.replace(at, name.size(), value);
      at += value.size();
    }
  }
  return RedisScript(std::move(source));
}

std::string Quoted(std::string_view text) {
  std::string quoted;
  for (const char c : text) {
    if (c == '\'' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted;
}

Constants ConstantsOf(std::string_view life_key, const LogLimits& limits,
                      std::chrono::milliseconds remembered_for) {
  return {{{"@LIFE@", Quoted(life_key)},
           {"@WINDOW@", std::to_string(remembered_for.count())},
           {"@EVENTS@", std::to_string(limits.events)},
           {"@BYTES@", std::to_string(limits.bytes)},
           {"@AGE@", std::to_string(limits.age.count())}}};
}

uint64_t LittleEndian(std::string_view bytes) {
  uint64_t number = 0;
  for (size_t i = bytes.size(); i-- > 0;) number = number << 8 | static_cast<uint8_t>(bytes[i]);
  return number;
}

}  // namespace

TopicPlace TopicPlace::Parse(std::string_view value) {
  TopicPlace place;
  if (value.size() <= 16) return place;
  place.head = LittleEndian(value.substr(0, 8));
  std::from_chars(value.data() + 16, value.data() + value.size(), place.epoch);
  return place;
}

ClusterScripts::ClusterScripts(std::string_view life_key, const LogLimits& limits,
                               std::chrono::milliseconds remembered_for)
    : life(Script(std::string(kNewEpoch) + kLife, ConstantsOf(life_key, limits, remembered_for))),
      publish(
          Script(std::string(kNewEpoch) + kPublish, ConstantsOf(life_key, limits, remembered_for))),
      direct(Script(kDirect, ConstantsOf(life_key, limits, remembered_for))),
      past(Script(kPast, ConstantsOf(life_key, limits, remembered_for))),
      renew(
          Script(std::string(kNewEpoch) + kRenew, ConstantsOf(life_key, limits, remembered_for))) {}

}  // namespace crier
