#include "client/bench/proto_scanner.h"

namespace crier::bench {
namespace {

// Tags as they are on the wire: field number << 3 | wire type.
constexpr uint64_t kVarint = 0;
constexpr uint64_t kFixed64 = 1;
constexpr uint64_t kBytes = 2;
constexpr uint64_t kFixed32 = 5;

constexpr uint64_t Tag(uint64_t field, uint64_t type) { return field << 3 | type; }

bool ReadVarint(std::string_view* in, uint64_t* value) {
  uint64_t result = 0;
  for (size_t i = 0; i < in->size() && i < 10; ++i) {
    const auto byte = static_cast<unsigned char>((*in)[i]);
    result |= static_cast<uint64_t>(byte & 0x7F) << (7 * i);
    if (byte < 0x80) {
      in->remove_prefix(i + 1);
      *value = result;
      return true;
    }
  }
  return false;
}

bool ReadBytes(std::string_view* in, std::string_view* value) {
  uint64_t size = 0;
  if (!ReadVarint(in, &size) || size > in->size()) return false;
  *value = in->substr(0, size);
  in->remove_prefix(size);
  return true;
}

bool SkipField(uint64_t type, std::string_view* in) {
  uint64_t number = 0;
  std::string_view bytes;
  switch (type) {
    case kVarint:
      return ReadVarint(in, &number);
    case kBytes:
      return ReadBytes(in, &bytes);
    case kFixed64:
    case kFixed32: {
      const size_t size = type == kFixed64 ? 8 : 4;
      if (in->size() < size) return false;
      in->remove_prefix(size);
      return true;
    }
    default:
      return false;
  }
}

DeliveryKind KindOf(uint64_t action) {
  if (action == v1::BROADCAST) return DeliveryKind::kBroadcast;
  if (action == v1::DIRECT) return DeliveryKind::kDirect;
  return DeliveryKind::kOther;
}

bool ScanMessage(std::string_view in, Delivery* delivery) {
  *delivery = Delivery();
  while (!in.empty()) {
    uint64_t tag = 0;
    uint64_t number = 0;
    std::string_view body;
    bool good = ReadVarint(&in, &tag);
    switch (tag) {
      case Tag(v1::Message::kActionTypeFieldNumber, kVarint):
        good = good && ReadVarint(&in, &number);
        delivery->kind = KindOf(number);
        break;
      case Tag(v1::Message::kTopicFieldNumber, kBytes):
        good = good && ReadBytes(&in, &delivery->topic);
        break;
      case Tag(v1::Message::kBodyFieldNumber, kBytes):
        good = good && ReadBytes(&in, &body);
        delivery->stamp = LeadingNumber(body);
        break;
      case Tag(v1::Message::kOffsetFieldNumber, kVarint):
        good = good && ReadVarint(&in, &delivery->offset);
        break;
      case Tag(v1::Message::kEpochFieldNumber, kVarint):
        good = good && ReadVarint(&in, &delivery->epoch);
        break;
      default:
        good = good && SkipField(tag & 7, &in);
    }
    if (!good) return false;
  }
  return true;
}

}  // namespace

ProtoScanner::Result ProtoScanner::Next(Delivery* delivery) {
  if (rest_.empty()) return Result::kEnd;
  uint64_t tag = 0;
  std::string_view event;
  if (!ReadVarint(&rest_, &tag) || tag != Tag(v1::ServerFrame::kEventsFieldNumber, kBytes) ||
      !ReadBytes(&rest_, &event)) {
    return Result::kInvalid;
  }
  std::string_view in = event;
  std::string_view message;
  if (ReadVarint(&in, &tag) && tag == Tag(v1::Event::kMessageFieldNumber, kBytes) &&
      ReadBytes(&in, &message) && in.empty()) {
    return ScanMessage(message, delivery) ? Result::kEvent : Result::kInvalid;
  }
  if (!event_.ParseFromArray(event.data(), static_cast<int>(event.size()))) {
    return Result::kInvalid;
  }
  *delivery = ToDelivery(event_);
  return Result::kEvent;
}

}  // namespace crier::bench
