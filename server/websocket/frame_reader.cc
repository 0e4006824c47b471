#include "server/websocket/frame_reader.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <utility>

#include "server/base/utf8.h"

namespace crier {
namespace {

constexpr uint16_t kInvalidPayload = 1007;  // RFC 6455, section 7.4.1

Received Error(Outcome outcome, std::string_view problem) {
  return {.kind = ReceivedKind::kError,
          .close_code = Info(outcome).repeated_close_code,
          .outcome = outcome,
          .problem = problem};
}

Received ProtocolError(std::string_view problem) { return Error(Outcome::kProtocolError, problem); }
Received TooBig() { return Error(Outcome::kMessageTooBig, "the message is over the limit"); }
Received NotUtf8() { return Error(Outcome::kInvalidUtf8, "the text is not UTF-8"); }
Received NoMemory() {
  return Error(Outcome::kOverloaded,
               "the server's memory is used up while it receives a long message");
}
Received Corrupt() {
  Received error = ProtocolError("the message's bytes cannot be inflated");
  error.close_code = kInvalidPayload;
  return error;
}
// REQUIRES: not kOk.
Received ErrorOf(Inflater::Result result) {
  switch (result) {
    case Inflater::Result::kTooLong:
      return TooBig();
    case Inflater::Result::kNoMemory:
      return NoMemory();
    default:
      return Corrupt();
  }
}

ReceivedKind KindOf(Opcode opcode) {
  switch (opcode) {
    case Opcode::kText:
      return ReceivedKind::kText;
    case Opcode::kBinary:
      return ReceivedKind::kBinary;
    case Opcode::kClose:
      return ReceivedKind::kClose;
    case Opcode::kPing:
      return ReceivedKind::kPing;
    case Opcode::kPong:
      return ReceivedKind::kPong;
    case Opcode::kContinuation:
      break;
  }
  return ReceivedKind::kNothing;
}

// The most that a message within the limit can be deflated to: deflate's worst case is below an
// eighth more, and a few bytes (zlib's deflateBound).
uint64_t MostDeflated(uint64_t bytes) { return bytes + bytes / 8 + 64; }

}  // namespace

// What is kept until the rest has come.
struct FrameReader::Partial {
  explicit Partial(MemoryMeter* memory) : message(memory, sizeof(Partial)) {}

  // A header that is cut.
  std::array<char, kMaxClientHeaderBytes> header_bytes;
  uint8_t header_size = 0;

  // The frame of which some payload is yet to come, where there is one.
  bool in_frame = false;
  FrameHeader frame;  // payload and mask: of what is yet to come
  std::string control;

  // The message of which frames are yet to come, or that was returned last.
  bool in_message = false;
  bool is_text = false;
  size_t valid = 0;  // so much of the text is checked
  InputBuffer message;
  std::unique_ptr<Inflater> inflater;
};

FrameReader::FrameReader(FrameReaderShared* shared, Options options)
    : shared_(shared),
      max_message_bytes_(static_cast<uint32_t>(options.max_message_bytes)),
      deflate_(options.deflate) {}

FrameReader::~FrameReader() = default;

FrameReader::Partial& FrameReader::EnsurePartial() {
  if (partial_ == nullptr) partial_ = std::make_unique<Partial>(shared_->memory);
  return *partial_;
}

void FrameReader::DropReturned() {
  if (partial_ == nullptr) return;
  Partial& partial = *partial_;
  if (!partial.in_frame) partial.control.clear();
  if (partial.in_frame || partial.header_size > 0 || partial.in_message) return;
  if (partial.inflater != nullptr) shared_->inflaters.GiveBack(std::move(partial.inflater));
  partial_.reset();
}

void FrameReader::SkipMessages() {
  skip_ = true;
  if (partial_ == nullptr || !partial_->in_message) return;
  // Its place in the order of frames stays, its bytes go.
  auto rest = std::make_unique<Partial>(shared_->memory);
  rest->header_bytes = partial_->header_bytes;
  rest->header_size = partial_->header_size;
  rest->in_frame = partial_->in_frame;
  rest->frame = partial_->frame;
  rest->control = std::move(partial_->control);
  rest->in_message = true;
  partial_ = std::move(rest);
}

Received FrameReader::Read(std::span<char>* bytes) {
  DropReturned();
  while (true) {
    if (partial_ != nullptr && partial_->in_frame) {
      const Received received = ReadPayload(bytes);
      if (received.kind != ReceivedKind::kNothing || partial_->in_frame) return received;
      // A fragment is over, or a message that is passed over.
      DropReturned();
    }
    if (bytes->empty()) return {};
    FrameHeader header;
    const HeaderRead read = ReadHeader(bytes, &header);
    if (read.kind == HeaderRead::Kind::kWrong) return ProtocolError(read.problem);
    // What its first byte says is known already.
    if (const char* problem = CheckOrder(header)) return ProtocolError(problem);
    if (read.kind == HeaderRead::Kind::kCut) return {};
    if (IsTooBig(header)) return TooBig();
    const bool is_whole = bytes->size() >= header.payload;
    const bool is_plain = header.is_control() || (header.fin && !header.compressed && !skip_ &&
                                                  header.opcode != Opcode::kContinuation);
    if (is_whole && is_plain) {
      const std::span<char> payload = bytes->first(static_cast<size_t>(header.payload));
      *bytes = bytes->subspan(payload.size());
      return TakeWhole(header, payload);
    }
    BeginFrame(header);
  }
}

// Bytes that are not a whole header are taken too, and kept.
HeaderRead FrameReader::ReadHeader(std::span<char>* bytes, FrameHeader* header) {
  if (partial_ != nullptr && partial_->header_size > 0) return ReadCutHeader(bytes, header);
  const HeaderRead read = ReadFrameHeader(*bytes, header);
  if (read.kind == HeaderRead::Kind::kWhole) {
    *bytes = bytes->subspan(header->size);
    return read;
  }
  return read.kind == HeaderRead::Kind::kCut ? ReadCutHeader(bytes, header) : read;
}

HeaderRead FrameReader::ReadCutHeader(std::span<char>* bytes, FrameHeader* header) {
  Partial& partial = EnsurePartial();
  const size_t before = partial.header_size;
  const size_t added = std::min(bytes->size(), partial.header_bytes.size() - before);
  std::memcpy(partial.header_bytes.data() + before, bytes->data(), added);
  const HeaderRead read = ReadFrameHeader({partial.header_bytes.data(), before + added}, header);
  if (read.kind == HeaderRead::Kind::kWhole) {
    partial.header_size = 0;
    *bytes = bytes->subspan(header->size - before);
  } else {
    partial.header_size = static_cast<uint8_t>(before + added);
    *bytes = bytes->subspan(added);
  }
  return read;
}

const char* FrameReader::CheckOrder(const FrameHeader& header) const {
  if (header.compressed && !deflate_) return "RSV1 is set, and no extension was agreed on";
  if (header.is_control()) return nullptr;
  const bool in_message = partial_ != nullptr && partial_->in_message;
  if (header.opcode == Opcode::kContinuation) {
    return in_message ? nullptr : "a continuation of no message";
  }
  return in_message ? "a new message before the last one's end" : nullptr;
}

bool FrameReader::IsTooBig(const FrameHeader& header) const {
  if (header.is_control() || skip_) return false;
  if (partial_ == nullptr && !header.compressed) return header.payload > max_message_bytes_;
  if (header.compressed || partial_->inflater != nullptr) {
    return header.payload > MostDeflated(max_message_bytes_);
  }
  return header.payload > max_message_bytes_ - partial_->message.size();
}

Received FrameReader::TakeWhole(const FrameHeader& header, std::span<char> payload) {
  ApplyMask(header.mask, payload);
  const std::string_view unmasked(payload.data(), payload.size());
  if (header.opcode == Opcode::kText && FirstInvalidUtf8(unmasked) != unmasked.size()) {
    return NotUtf8();
  }
  return {.kind = KindOf(header.opcode), .payload = unmasked};
}

void FrameReader::BeginFrame(const FrameHeader& header) {
  Partial& partial = EnsurePartial();
  partial.in_frame = true;
  partial.frame = header;
  if (header.is_control() || header.opcode == Opcode::kContinuation) return;
  partial.in_message = true;
  partial.is_text = header.opcode == Opcode::kText;
  if (!header.compressed || skip_) return;
  partial.inflater = shared_->inflaters.Take();
  partial.inflater->Begin();
  partial.message.CountToo(Inflater::kBytes);
}

Received FrameReader::ReadPayload(std::span<char>* bytes) {
  Partial& partial = *partial_;
  FrameHeader& frame = partial.frame;
  const std::span<char> piece =
      bytes->first(static_cast<size_t>(std::min<uint64_t>(bytes->size(), frame.payload)));
  *bytes = bytes->subspan(piece.size());
  frame.payload -= piece.size();
  partial.in_frame = frame.payload > 0;
  ApplyMask(frame.mask, piece);
  frame.mask = MaskBehind(frame.mask, piece.size());
  if (frame.is_control()) {
    partial.control.append(piece.data(), piece.size());
    if (partial.in_frame) return {};
    return {.kind = KindOf(frame.opcode), .payload = partial.control};
  }
  if (!skip_ && !piece.empty()) {
    const Received error = AddToMessage(piece);
    if (error.kind == ReceivedKind::kError) return error;
  }
  return partial.in_frame || !frame.fin ? Received{} : EndMessage();
}

Received FrameReader::AddToMessage(std::span<const char> piece) {
  Partial& partial = *partial_;
  if (partial.inflater != nullptr) {
    const auto result = partial.inflater->Inflate({piece.data(), piece.size()}, &partial.message,
                                                  max_message_bytes_);
    if (result != Inflater::Result::kOk) return ErrorOf(result);
  } else {
    const size_t expected = piece.size() + static_cast<size_t>(partial.frame.payload);
    const std::span<char> room = partial.message.Room(piece.size(), expected);
    if (room.empty()) return NoMemory();
    std::memcpy(room.data(), piece.data(), piece.size());
    partial.message.Commit(piece.size());
  }
  return CheckText(/*whole=*/false);
}

Received FrameReader::CheckText(bool whole) {
  Partial& partial = *partial_;
  if (!partial.is_text) return {};
  const std::string_view unchecked = partial.message.text().substr(partial.valid);
  const size_t valid = FirstInvalidUtf8(unchecked);
  partial.valid += valid;
  const std::string_view rest = unchecked.substr(valid);
  return rest.empty() || (!whole && IsCutUtf8(rest)) ? Received{} : NotUtf8();
}

Received FrameReader::EndMessage() {
  Partial& partial = *partial_;
  partial.in_message = false;
  if (skip_) return {};
  if (partial.inflater != nullptr) {
    const auto result = partial.inflater->End(&partial.message, max_message_bytes_);
    if (result != Inflater::Result::kOk) return ErrorOf(result);
  }
  if (const Received error = CheckText(/*whole=*/true); error.kind == ReceivedKind::kError) {
    return error;
  }
  return {.kind = partial.is_text ? ReceivedKind::kText : ReceivedKind::kBinary,
          .payload = partial.message.text()};
}

}  // namespace crier
