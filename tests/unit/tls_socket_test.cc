// A socket with TLS: what its owner is told and what the peer gets, whatever the network does.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <random>
#include <string>

#include "server/engine/memory_budget.h"
#include "server/transport/socket.h"
#include "server/transport/tls_context.h"
#include "tests/support/certificates.h"
#include "tests/support/socket_fixture.h"
#include "tests/support/tls_peer.h"

namespace crier {
namespace {

using ::testing::AllOf;
using testing::Certificate;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::MakeCertificate;
using ::testing::Not;
using testing::TlsPeer;

class TlsSocketTest : public testing::SocketPairTest, protected Socket::Owner {
 protected:
  void SetUp() override {
    SocketPairTest::SetUp();
    Load({});
  }

  // The server's files, and what it asks for.
  void Load(TlsOptions options) {
    options.cert_file = folder_.Write("cert.pem", server_.certificate);
    options.key_file = folder_.Write("key.pem", server_.key);
    auto loaded = TlsContext::Load(options);
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    context_ = *std::move(loaded);
  }

  // A new connection whose client has not said anything yet.
  void Open(TlsPeer::Options options = {}, TlsProtocol protocol = TlsProtocol::kHttp1) {
    if (options.trust.empty()) options.trust = server_.certificate;
    if (socket_) socket_->Close();
    socket_.emplace(&poller_, MakePair(), static_cast<Socket::Owner*>(this),
                    std::make_unique<TlsSession>(context_->NewSession(protocol), &shared_));
    socket_->Start(/*read_now=*/false);
    tls_peer_.emplace(options);
    told_.clear();
    bytes_.clear();
  }

  // Carries bytes to and fro until nothing moves, those of the client in pieces.
  void Exchange() {
    while (true) {
      const std::string there = tls_peer_->TakeCipherText();
      for (size_t at = 0; at < there.size();) {
        const size_t count = std::min(PieceSize(), there.size() - at);
        PeerSends(std::string_view(there).substr(at, count));
        at += count;
        Run();
      }
      Run();
      const std::string back = PeerReads();
      tls_peer_->Receive(back);
      if (there.empty() && back.empty()) return;
    }
  }
  size_t PieceSize() {
    if (!pieces_) return 4096;
    return std::uniform_int_distribution<size_t>(1, 300)(*pieces_);
  }
  void Establish(TlsPeer::Options options = {}, TlsProtocol protocol = TlsProtocol::kHttp1) {
    Open(options, protocol);
    tls_peer_->Handshake();
    Exchange();
  }

  void OnBytes(std::span<char> bytes) override { bytes_.append(bytes.data(), bytes.size()); }
  void OnEnd(int error) override {
    told_.push_back(error == 0 ? "end" : "end by an error");
    socket_->Close();
  }
  void OnWritable() override { told_.push_back("writable"); }
  void OnSent(size_t taken) override { told_.push_back("sent " + std::to_string(taken)); }
  void OnBroken() override { told_.push_back("broken"); }
  void OnLingered() override { told_.push_back("lingered"); }
  void OnException() override { told_.push_back("exception"); }
  std::vector<std::string> Told() { return std::exchange(told_, {}); }

  uint64_t Handshakes(TlsHandshake how) {
    return metrics_->tls_handshakes[static_cast<size_t>(how)].value();
  }
  uint64_t Failures(TlsFault why) {
    return metrics_->tls_failures[static_cast<size_t>(why)].value();
  }
  int64_t Memory() { return metrics_->memory[static_cast<size_t>(MemoryKind::kTls)].value(); }

  const Certificate server_ = MakeCertificate("localhost", "DNS:localhost,IP:127.0.0.1");
  testing::ScratchFolder folder_;
  std::unique_ptr<TlsContext> context_;
  std::unique_ptr<ShardMetrics> metrics_ = std::make_unique<ShardMetrics>();
  MemoryBudget budget_{1 << 30};
  MemoryMeter meter_{&budget_, metrics_.get()};
  TlsShared shared_{&meter_, metrics_.get()};
  std::optional<Socket> socket_;
  std::optional<TlsPeer> tls_peer_;
  std::optional<std::minstd_rand> pieces_;
  std::vector<std::string> told_;
  std::string bytes_;
};

TEST_F(TlsSocketTest, NothingCanBeSentBeforeTheHandshakeIsOver) {
  Open();
  EXPECT_FALSE(socket_->CanSend());
  tls_peer_->Handshake();
  Exchange();
  EXPECT_TRUE(tls_peer_->established()) << tls_peer_->problem();
  EXPECT_THAT(Told(), ElementsAre("writable"));
  EXPECT_TRUE(socket_->CanSend());
  EXPECT_EQ(Handshakes(TlsHandshake::kFull), 1u);
}

TEST_F(TlsSocketTest, BytesGoBothWays) {
  Establish();
  tls_peer_->Write("question");
  Exchange();
  EXPECT_EQ(bytes_, "question");
  EXPECT_EQ(socket_->Send("answer"), 6u);
  Exchange();
  EXPECT_EQ(tls_peer_->plain(), "answer");
}

TEST_F(TlsSocketTest, SeveralRangesAreOneRecord) {
  Establish();
  const std::string parts[] = {"one ", "two ", "three"};
  std::vector<iovec> ranges;
  for (const std::string& part : parts) {
    ranges.push_back({.iov_base = const_cast<char*>(part.data()), .iov_len = part.size()});
  }
  EXPECT_EQ(socket_->Send(ranges, 13), 13u);
  const std::string cipher = PeerReads();
  EXPECT_LT(cipher.size(), 13 + 40u) << "one header and one tag";
  tls_peer_->Receive(cipher);
  EXPECT_EQ(tls_peer_->plain(), "one two three");
}

// In pieces of any size, in both versions, records come whole.
TEST_F(TlsSocketTest, WhateverTheNetworkCutsAllComes) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    for (unsigned seed = 1; seed <= 10; ++seed) {
      SCOPED_TRACE(seed);
      pieces_.emplace(seed);
      Establish({.version = version});
      ASSERT_TRUE(tls_peer_->established()) << tls_peer_->problem();
      std::string sent;
      for (size_t size : {1, 100, 16'384, 16'385, 40'000}) {
        const std::string part(size, static_cast<char>('a' + size % 26));
        tls_peer_->Write(part);
        sent += part;
        Exchange();
      }
      ASSERT_TRUE(bytes_ == sent) << bytes_.size() << " of " << sent.size();
      ASSERT_EQ(socket_->Send(sent), sent.size());
      Exchange();
      ASSERT_TRUE(tls_peer_->plain() == sent);
    }
  }
}

TEST_F(TlsSocketTest, WhatTheKernelDoesNotTakeIsKeptAndCounted) {
  Establish();
  Told();
  const int64_t idle = Memory();
  std::string sent;
  while (socket_->CanSend()) {
    const std::string block(64 << 10, static_cast<char>('a' + sent.size() / (64 << 10) % 26));
    ASSERT_EQ(socket_->Send(block), block.size()) << "all is taken, whatever the kernel takes";
    sent += block;
  }
  EXPECT_TRUE(socket_->HasUnsent());
  EXPECT_GT(Memory(), idle);
  EXPECT_THAT(Told(), IsEmpty());
  Exchange();
  EXPECT_THAT(Told(), ElementsAre("writable"));
  EXPECT_TRUE(tls_peer_->plain() == sent);
  EXPECT_FALSE(socket_->HasUnsent());
  EXPECT_EQ(Memory(), idle);
}

TEST_F(TlsSocketTest, ASendInABatchIsToldOf) {
  SendBatch batch;
  if (!batch.Start().ok()) GTEST_SKIP() << "no io_uring here";
  Establish();
  Told();
  socket_->SendLater(&batch, "together");
  batch.Submit();
  EXPECT_THAT(Told(), ElementsAre("sent 8"));
  Exchange();
  EXPECT_EQ(tls_peer_->plain(), "together");
}

TEST_F(TlsSocketTest, LingeringSendsTheRestAndSaysThatItIsTheEnd) {
  Establish();
  std::string sent;
  while (socket_->CanSend()) {
    sent.append(64 << 10, 'x');
    socket_->Send(std::string(64 << 10, 'x'));
  }
  EXPECT_FALSE(socket_->Linger());
  Exchange();
  EXPECT_TRUE(tls_peer_->plain() == sent);
  EXPECT_TRUE(tls_peer_->ended());
  EXPECT_TRUE(peer_at_end_);
  Told();
  peer_.reset();
  Run();
  EXPECT_THAT(Told(), ElementsAre("lingered"));
}

TEST_F(TlsSocketTest, AClosedSocketHasSaidThatItIsTheEnd) {
  Establish();
  socket_->Close();
  tls_peer_->Receive(PeerReads());
  EXPECT_TRUE(tls_peer_->ended());
}

TEST_F(TlsSocketTest, ThePeersEndIsAnEnd) {
  Establish();
  Told();
  tls_peer_->Write("last words");
  tls_peer_->End();
  Exchange();
  EXPECT_EQ(bytes_, "last words");
  EXPECT_THAT(Told(), ElementsAre("end"));
}

TEST_F(TlsSocketTest, BytesThatComeWhilePausedComeLater) {
  Establish();
  socket_->PauseReading();
  tls_peer_->Write("waits");
  Exchange();
  EXPECT_EQ(bytes_, "");
  socket_->ResumeReading();
  Run();
  EXPECT_EQ(bytes_, "waits");
}

TEST_F(TlsSocketTest, WhatIsNoTlsEndsIt) {
  Open();
  PeerSends(std::string(100, 'x'));
  Run();
  EXPECT_THAT(Told(), ElementsAre("end by an error"));
  EXPECT_EQ(Handshakes(TlsHandshake::kFailed), 1u);
  EXPECT_EQ(Failures(TlsFault::kNotTls), 1u);
}

TEST_F(TlsSocketTest, ABrowserWithoutTlsIsToldWhatIsWrong) {
  Open();
  PeerSends("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  Run();
  EXPECT_THAT(PeerReads(), AllOf(HasSubstr("400 Bad Request"), HasSubstr("speaks TLS")));
  EXPECT_EQ(Failures(TlsFault::kNotTls), 1u);
}

TEST_F(TlsSocketTest, ARecordThatWasChangedEndsIt) {
  Establish();
  Told();
  tls_peer_->Write("secret");
  std::string cipher = tls_peer_->TakeCipherText();
  cipher.back() ^= 1;
  PeerSends(cipher);
  Run();
  EXPECT_EQ(bytes_, "");
  EXPECT_THAT(Told(), ElementsAre("end by an error"));
}

TEST_F(TlsSocketTest, KeysMayChangeButNotForNothing) {
  Establish();
  Told();
  for (int i = 0; i < 100; ++i) {
    tls_peer_->UpdateKeys();
    tls_peer_->Write("x");
  }
  Exchange();
  EXPECT_EQ(bytes_, std::string(100, 'x'));
  for (int i = 0; i < 100; ++i) tls_peer_->UpdateKeys();
  Exchange();
  EXPECT_THAT(Told(), ElementsAre("end by an error"));
  EXPECT_EQ(Failures(TlsFault::kFlood), 1u);
}

TEST_F(TlsSocketTest, APortAgreesOnlyToItsOwnProtocol) {
  Establish({.alpn = "\x02h2\x08http/1.1"});
  EXPECT_TRUE(tls_peer_->established());
  Establish({.alpn = "\x02h2"}, TlsProtocol::kHttp2);
  EXPECT_TRUE(tls_peer_->established());
  Establish({.alpn = "\x02h2"}, TlsProtocol::kHttp1);
  EXPECT_FALSE(tls_peer_->established());
  EXPECT_THAT(tls_peer_->problem(), HasSubstr("no application protocol"));
  EXPECT_EQ(Failures(TlsFault::kVersion), 1u);
}

TEST_F(TlsSocketTest, OldVersionsAreRefused) {
  Establish({.version = TLS1_1_VERSION});
  EXPECT_FALSE(tls_peer_->established());
  EXPECT_EQ(Failures(TlsFault::kVersion), 1u);
}

TEST_F(TlsSocketTest, ASessionIsResumed) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    Establish({.version = version});
    SSL_SESSION* session = tls_peer_->session();
    Establish({.version = version, .resume = session});
    EXPECT_TRUE(tls_peer_->established());
    EXPECT_TRUE(tls_peer_->resumed()) << version;
    SSL_SESSION_free(session);
  }
  EXPECT_EQ(Handshakes(TlsHandshake::kResumed), 2u);
}

TEST_F(TlsSocketTest, OnlyClientsOfTheAuthorityComeIn) {
  const Certificate authority = MakeCertificate("our clients", "");
  const Certificate client = MakeCertificate(
      "alice", "DNS:alice.example.org,email:alice@example.org,URI:spiffe://example.org/alice",
      &authority);
  const Certificate stranger = MakeCertificate("alice", "");
  Load({.client_ca_file = folder_.Write("ca.pem", authority.certificate)});

  Establish({.own = &client});
  ASSERT_TRUE(tls_peer_->established()) << tls_peer_->problem();
  EXPECT_EQ(socket_->tls()->PeerUser(TlsUserFrom::kNone), "");
  EXPECT_EQ(socket_->tls()->PeerUser(TlsUserFrom::kCommonName), "alice");
  EXPECT_EQ(socket_->tls()->PeerUser(TlsUserFrom::kSubjectAltName), "spiffe://example.org/alice");

  for (const Certificate* own : {&stranger, static_cast<const Certificate*>(nullptr)}) {
    Establish({.own = own});
    EXPECT_THAT(Told(), ElementsAre("end by an error"));
    EXPECT_THAT(tls_peer_->problem(), Not(IsEmpty()));
  }
  EXPECT_EQ(Failures(TlsFault::kCertificate), 2u);
}

TEST_F(TlsSocketTest, AClientMayRefuseTheCertificate) {
  const Certificate other = MakeCertificate("localhost", "DNS:localhost");
  Establish({.trust = other.certificate});
  EXPECT_FALSE(tls_peer_->established());
  EXPECT_EQ(Failures(TlsFault::kRefused), 1u);
}

TEST_F(TlsSocketTest, FilesAreReadAgainAndSessionsStay) {
  Establish();
  EXPECT_FALSE(context_->FilesChanged());
  const Certificate next = MakeCertificate("localhost", "DNS:localhost");
  folder_.Write("cert.pem", next.certificate);
  folder_.Write("key.pem", next.key);
  EXPECT_TRUE(context_->FilesChanged());
  EXPECT_FALSE(context_->FilesChanged()) << "told once";
  ASSERT_TRUE(context_->Reload().ok());
  EXPECT_EQ(socket_->Send("still here"), 10u);
  Exchange();
  EXPECT_EQ(tls_peer_->plain(), "still here");
  Establish();
  EXPECT_FALSE(tls_peer_->established()) << "the old one is not shown any more";
  Establish({.trust = next.certificate});
  EXPECT_TRUE(tls_peer_->established());
}

TEST_F(TlsSocketTest, AWrongPairOfFilesChangesNothing) {
  const Certificate other = MakeCertificate("localhost", "DNS:localhost");
  folder_.Write("key.pem", other.key);
  const absl::Status status = context_->Reload();
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("--tls_key="), HasSubstr("not the key of the certificate")));
  Establish();
  EXPECT_TRUE(tls_peer_->established());
}

TEST_F(TlsSocketTest, WrongFilesAreNamed) {
  const auto problem = [this](const std::string& cert, const std::string& key,
                              const std::string& ca = "") {
    TlsOptions options{.cert_file = folder_.Write("c", cert), .key_file = folder_.Write("k", key)};
    if (!ca.empty()) options.client_ca_file = folder_.Write("a", ca);
    return std::string(TlsContext::Load(options).status().message());
  };
  EXPECT_EQ(problem(server_.certificate, server_.key), "");
  EXPECT_THAT(problem("rubbish", server_.key), HasSubstr("--tls_cert="));
  EXPECT_THAT(problem(server_.certificate, "rubbish"),
              AllOf(HasSubstr("--tls_key="), HasSubstr("not a private key")));
  EXPECT_THAT(problem(server_.certificate, server_.key, "rubbish"), HasSubstr("--tls_client_ca="));
}

}  // namespace
}  // namespace crier
