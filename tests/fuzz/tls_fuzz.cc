// Whatever comes in through TLS, and however it is cut, the server's side gives out only what the
// client's side has put in, in order, and keeps to its bounds.
//
// The first byte chooses: bit 0 the version; bit 1 whether the rest is bytes as they are, or what
// two real ends do (Act).
#include <openssl/ssl.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "server/engine/memory_budget.h"
#include "server/metrics/metrics.h"
#include "server/transport/tls_context.h"
#include "server/transport/tls_session.h"
#include "tests/support/certificates.h"
#include "tests/support/tls_peer.h"

namespace {

using crier::TlsSession;
using crier::testing::TlsPeer;

// assert is off in optimised builds, which is how fuzzers are built.
void Require(bool condition) {
  if (!condition) std::abort();
}

// What all inputs share: a server's certificate takes longer than one input.
struct Shared {
  Shared() {
    auto loaded =
        crier::TlsContext::Load({.cert_file = folder.Write("cert.pem", certificate.certificate),
                                 .key_file = folder.Write("key.pem", certificate.key)});
    Require(loaded.ok());
    context = *std::move(loaded);
  }

  crier::testing::ScratchFolder folder;
  crier::testing::Certificate certificate =
      crier::testing::MakeCertificate("localhost", "DNS:localhost");
  std::unique_ptr<crier::TlsContext> context;
  crier::ShardMetrics metrics;
  crier::MemoryBudget budget{1 << 30};
  crier::MemoryMeter meter{&budget, &metrics};
  crier::TlsShared tls{&meter, &metrics};
};

class Conversation {
 public:
  Conversation(Shared* shared, int version)
      : server_(shared->context->NewSession(crier::TlsProtocol::kHttp1), &shared->tls),
        client_({.trust = shared->certificate.certificate, .version = version}) {
    client_.Handshake();
  }

  void Act(uint8_t what) {
    const size_t size = 1 + static_cast<size_t>(what >> 3) * 700;
    switch (what % 8) {
      case 0:
      case 1:
        if (!client_.established() || client_ended_) break;
        sent_.append(size, static_cast<char>('a' + sent_.size() % 26));
        client_.Write(std::string_view(sent_).substr(sent_.size() - size));
        break;
      case 2:
        piece_ = size;
        break;
      case 3:
        Answer(std::string(size, 'x'));
        break;
      case 4:
        corrupt_ = true;
        break;
      case 5:
        if (client_.established()) client_.End();
        client_ended_ = true;
        break;
      default:
        Exchange();
    }
  }

  void Exchange() {
    for (int round = 0; round < 4; ++round) {
      std::string there = client_.TakeCipherText();
      if (corrupt_ && !there.empty()) {
        there[there.size() / 2] = static_cast<char>(there[there.size() / 2] ^ 0x10);
        corrupt_ = false;
        corrupted_ = true;
      }
      Feed(there);
      const std::string back(server_.unsent());
      server_.Sent(back.size());
      client_.Receive(back);
      if (there.empty() && back.empty()) return;
    }
  }

  void Check() {
    Exchange();
    Exchange();
    // All of it, where nothing was changed on the way and the client has read its answers.
    if (!corrupted_ && !flooded_ && client_.established()) Require(received_ == sent_);
  }

  void Feed(std::string_view cipher) {
    while (!cipher.empty()) {
      const std::string_view part = cipher.substr(0, std::min(piece_, TlsSession::kMostReceived));
      cipher.remove_prefix(part.size());
      flooded_ = flooded_ || server_.unsent().size() > TlsSession::kMostUnsent;
      const std::span<char> plain = server_.Receive(part);
      received_.append(plain.data(), plain.size());
      Require(sent_.starts_with(received_));
      if (flooded_) Require(!server_.established() || server_.state() == TlsSession::State::kEnded);
    }
  }

 private:
  void Answer(const std::string& text) {
    if (!server_.established()) return;
    const iovec range{.iov_base = const_cast<char*>(text.data()), .iov_len = text.size()};
    server_.Encrypt({&range, 1});
  }

  TlsSession server_;
  TlsPeer client_;
  std::string sent_;
  std::string received_;
  size_t piece_ = 1000;
  bool corrupt_ = false;
  bool corrupted_ = false;
  bool flooded_ = false;  // more waited for the client than a session may have waiting
  bool client_ended_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static Shared* const shared = new Shared;
  if (size == 0 || size > 200) return 0;
  const bool raw = (data[0] & 2) != 0;
  Conversation conversation(shared, (data[0] & 1) != 0 ? TLS1_2_VERSION : TLS1_3_VERSION);
  if (raw) {
    conversation.Feed({reinterpret_cast<const char*>(data + 1), size - 1});
    return 0;
  }
  conversation.Exchange();
  conversation.Exchange();
  for (size_t i = 1; i < size; ++i) conversation.Act(data[i]);
  conversation.Check();
  return 0;
}
