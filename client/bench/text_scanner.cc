#include "client/bench/text_scanner.h"

#include <cstring>
#include <utility>

#include "client/plain_dialect.h"

namespace crier::bench {
namespace {

// A place in the text that only moves forward.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : at_(text.data()), end_(text.data() + text.size()) {}

  template <size_t N>
  bool Skip(const char (&literal)[N]) {
    constexpr size_t kSize = N - 1;
    if (static_cast<size_t>(end_ - at_) < kSize || std::memcmp(at_, literal, kSize) != 0) {
      return false;
    }
    at_ += kSize;
    return true;
  }

  // The rest of a string with its closing quote. False if a backslash comes before the first quote,
  // which may then be escaped.
  bool SkipToQuote(std::string_view* value) {
    const void* quote = std::memchr(at_, '"', end_ - at_);
    if (quote == nullptr) return false;
    const char* close = static_cast<const char*>(quote);
    if (close != at_ && close[-1] == '\\') return false;
    *value = std::string_view(at_, close - at_);
    at_ = close + 1;
    return true;
  }

  // A string or null.
  bool SkipValue(std::string_view* value) {
    if (Skip("null")) return true;
    return Skip("\"") && SkipToQuote(value);
  }

  bool Number(uint64_t* value) {
    const char* start = at_;
    uint64_t result = 0;
    while (at_ != end_ && static_cast<unsigned char>(*at_ - '0') < 10) {
      result = result * 10 + static_cast<unsigned char>(*at_ - '0');
      ++at_;
    }
    *value = result;
    return at_ != start && at_ - start <= 20;
  }

  bool AtEnd() const { return at_ == end_; }

 private:
  const char* at_;
  const char* end_;
};

}  // namespace

bool TextScanner::ScanTemplate(std::string_view text, Delivery* delivery) {
  Cursor cursor(text);
  std::string_view user;
  std::string_view body;
  std::string_view data;
  *delivery = Delivery();
  if (!cursor.Skip("{\"user_id\":") || !cursor.SkipValue(&user) ||
      !cursor.Skip(",\"action_type\":\"")) {
    return false;
  }
  if (cursor.Skip("broadcast\",\"body\":\"")) {
    delivery->kind = DeliveryKind::kBroadcast;
  } else if (cursor.Skip("direct\",\"body\":\"")) {
    delivery->kind = DeliveryKind::kDirect;
  } else {
    return false;
  }
  if (!cursor.SkipToQuote(&body) || !cursor.Skip(",\"data\":") || !cursor.SkipValue(&data)) {
    return false;
  }
  delivery->stamp = LeadingNumber(body);
  if (cursor.Skip(",\"topic\":\"") && !cursor.SkipToQuote(&delivery->topic)) return false;
  // A view that holds a backslash is not yet the topic's name.
  if (delivery->topic.find('\\') != std::string_view::npos) return false;
  if (cursor.Skip(",\"offset\":") && !cursor.Number(&delivery->offset)) return false;
  if (cursor.Skip(",\"epoch\":") && !cursor.Number(&delivery->epoch)) return false;
  std::string_view id;
  if (cursor.Skip(",\"id\":\"") && !cursor.SkipToQuote(&id)) return false;
  return cursor.Skip("}") && cursor.AtEnd();
}

bool TextScanner::Parse(std::string_view text, Delivery* delivery) {
  absl::StatusOr<v1::Event> event = client::DecodePlain(text);
  if (!event.ok()) return false;
  event_ = *std::move(event);
  *delivery = ToDelivery(event_);
  return true;
}

}  // namespace crier::bench
