// A gRPC session by hand, as frames of HTTP/2, which can break every rule and falls silent when
// nothing is asked of it.
#ifndef CRIER_TESTS_PARITY_RAW_CALL_PEER_H_
#define CRIER_TESTS_PARITY_RAW_CALL_PEER_H_

#include <string>
#include <string_view>

#include "tests/parity/peer.h"
#include "tests/support/http2_client.h"

namespace crier::testing {

class RawCallPeer final : public Peer {
 public:
  // Calls Connect, with these fields besides. Waits for the greeting, unless there are such fields.
  explicit RawCallPeer(const std::string& address, const Http2Client::Fields& more = {});

  void Send(const v1::ClientFrame& frame) override;
  void SendGarbage() override { SendRaw(std::string("\0\0\0\0\1\xff", 6)); }
  // Within the call's DATA.
  void SendRaw(std::string_view bytes) { client_.Send(stream_, bytes); }
  // Not of this class: the test fails.
  v1::Event Next() override;
  Ending WaitForEnd() override;
  int CodeOf(const OutcomeInfo& info) const override { return info.grpc_status; }

  void Leave() override { Cancel(); }
  void Break() override { Drop(); }

  void Cancel() { client_.Reset(stream_); }
  void Drop() { client_.Drop(); }

 private:
  Http2Client client_;
  int32_t stream_;
};

}  // namespace crier::testing

#endif  // CRIER_TESTS_PARITY_RAW_CALL_PEER_H_
