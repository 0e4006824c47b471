#include "server/grpc/message_reader.h"

#include <algorithm>
#include <utility>

#include "server/base/concat.h"
#include "server/base/inflate.h"

namespace crier {
namespace {

uint32_t LengthIn(std::string_view prefix) {
  uint32_t length = 0;
  for (size_t i = 1; i < kMessagePrefixBytes; ++i) {
    length = length << 8 | static_cast<unsigned char>(prefix[i]);
  }
  return length;
}

}  // namespace

void AppendMessagePrefix(size_t message_bytes, std::string* out) {
  out->push_back('\0');
  for (int shift = 24; shift >= 0; shift -= 8) {
    out->push_back(static_cast<char>(message_bytes >> shift & 0xFF));
  }
}

std::optional<MessageEncoding> MessageEncodingOf(std::string_view name) {
  if (name.empty() || name == "identity") return MessageEncoding::kIdentity;
  if (name == "gzip") return MessageEncoding::kGzip;
  if (name == "deflate") return MessageEncoding::kDeflate;
  return std::nullopt;
}

void MessageReader::Feed(std::string_view bytes) { bytes_ = bytes; }

void MessageReader::DropReturned() {
  if (std::exchange(returned_, false)) std::string().swap(held_);  // which frees it
}

std::string_view MessageReader::TakeRest() {
  DropReturned();
  return std::exchange(bytes_, {});
}

std::optional<std::string_view> MessageReader::Fail(GrpcStatus status) {
  error_ = std::make_unique<GrpcStatus>(std::move(status));
  bytes_ = {};
  std::string().swap(held_);
  return std::nullopt;
}

std::optional<std::string_view> MessageReader::Next(size_t max_bytes) {
  if (error_ != nullptr) return std::nullopt;
  DropReturned();
  // A prefix that came in pieces is put together first.
  if (!held_.empty() && held_.size() < kMessagePrefixBytes) {
    const size_t missing = std::min(kMessagePrefixBytes - held_.size(), bytes_.size());
    held_.append(bytes_.substr(0, missing));
    bytes_.remove_prefix(missing);
  }
  const std::string_view prefix = held_.empty() ? bytes_ : std::string_view(held_);
  if (prefix.size() < kMessagePrefixBytes) {
    held_.append(std::exchange(bytes_, {}));
    return std::nullopt;
  }
  const uint32_t length = LengthIn(prefix);
  const auto flag = static_cast<unsigned char>(prefix[0]);
  if (length > max_bytes) {
    return Fail({GrpcCode::kResourceExhausted,
                 Concat({"a message of ", std::to_string(length), " bytes; the limit is ",
                         std::to_string(max_bytes)})});
  }
  if (flag > 1) {
    return Fail({GrpcCode::kInternal,
                 Concat({"a message begins with ", std::to_string(static_cast<int>(flag)),
                         "; its first byte is 0, or 1 where it is compressed"})});
  }
  const size_t whole_size = kMessagePrefixBytes + length;
  std::string_view message;
  if (held_.empty() && bytes_.size() >= whole_size) {
    message = bytes_.substr(kMessagePrefixBytes, length);
    bytes_.remove_prefix(whole_size);
  } else {
    const size_t missing = std::min(whole_size - held_.size(), bytes_.size());
    held_.append(bytes_.substr(0, missing));
    bytes_.remove_prefix(missing);
    if (held_.size() < whole_size) return std::nullopt;
    returned_ = true;
    message = std::string_view(held_).substr(kMessagePrefixBytes);
  }
  if (flag == 0) return message;
  return Decompress(message, max_bytes);
}

std::optional<std::string_view> MessageReader::Decompress(std::string_view message,
                                                          size_t max_bytes) {
  if (encoding_ == MessageEncoding::kIdentity) {
    return Fail({GrpcCode::kInternal, "a compressed message in a call without grpc-encoding"});
  }
  const auto format =
      encoding_ == MessageEncoding::kGzip ? CompressedFormat::kGzip : CompressedFormat::kZlib;
  std::optional<std::string> inflated = InflateWhole(message, format, max_bytes);
  if (!inflated) {
    return Fail({GrpcCode::kInternal, "a message cannot be decompressed as grpc-encoding says"});
  }
  if (inflated->size() > max_bytes) {
    return Fail({GrpcCode::kResourceExhausted,
                 Concat({"a message of more than ", std::to_string(max_bytes),
                         " bytes once it is decompressed; that is the limit"})});
  }
  held_ = *std::move(inflated);
  returned_ = true;
  return held_;
}

}  // namespace crier
