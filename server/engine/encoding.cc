#include "server/engine/encoding.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>

namespace crier {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedOutputStream;

// ServerFrame.events: field 1, length-delimited.
constexpr uint32_t kEventsTag = WireFormatLite::MakeTag(v1::ServerFrame::kEventsFieldNumber,
                                                        WireFormatLite::WIRETYPE_LENGTH_DELIMITED);
static_assert(kEventsTag < 0x80, "written as one byte below");

class Canonical final : public Encoding {
 public:
  std::string_view name() const override { return "proto"; }

  void Append(const v1::Event& event, std::string* out) const override {
    const size_t size = event.ByteSizeLong();
    const size_t header = 1 + CodedOutputStream::VarintSize32(static_cast<uint32_t>(size));
    const size_t before = out->size();
    out->resize(before + header + size);
    auto* target = reinterpret_cast<uint8_t*>(out->data() + before);
    *target++ = static_cast<uint8_t>(kEventsTag);
    target = CodedOutputStream::WriteVarint32ToArray(static_cast<uint32_t>(size), target);
    event.SerializeWithCachedSizesToArray(target);
  }
};

}  // namespace

const Encoding& CanonicalEncoding() {
  static const Canonical encoding;
  return encoding;
}

}  // namespace crier
