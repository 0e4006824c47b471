// What a codec implements so that sessions of its kind can be served.
#ifndef CRIER_SERVER_ENGINE_ENCODING_H_
#define CRIER_SERVER_ENGINE_ENCODING_H_

#include <string>
#include <string_view>

#include "crier/v1/message.pb.h"

namespace crier {

// How one kind of session wants events as bytes.
//
// The bytes of events laid end to end have to be a valid transmission: that is what lets the engine
// keep them as a log and hand out any run of it. An encoding is told apart by its address, so each
// is one object that lives for ever. Thread-safe.
class Encoding {
 public:
  virtual ~Encoding() = default;

  // For people: "grpc", "plain-json", ...
  virtual std::string_view name() const = 0;

  // Appends `event` to *out, whole: framing included, nothing between or after. Appending nothing
  // means that this kind of session has no form for such an event (it is then not sent).
  virtual void Append(const v1::Event& event, std::string* out) const = 0;
};

// The model's own encoding: an entry of ServerFrame.events (tag, length, body). Every topic keeps
// its log in this encoding, because what a gRPC stream sends, what History returns and what other
// encodings are derived from are all the same bytes.
const Encoding& CanonicalEncoding();

}  // namespace crier

#endif  // CRIER_SERVER_ENGINE_ENCODING_H_
