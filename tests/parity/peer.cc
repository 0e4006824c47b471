// Peers that speak the model itself.
#include "tests/parity/peer.h"

#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <utility>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "tests/support/frames.h"
#include "tests/support/grpc_client.h"
#include "tests/support/model_client.h"

namespace crier::testing {
namespace {

// What Peer::Next says, of what `next` brings.
v1::Event NextToCompare(const std::function<std::optional<v1::Event>()>& next) {
  while (true) {
    std::optional<v1::Event> event = next();
    if (!event.has_value()) {
      ADD_FAILURE() << "nothing came";
      return {};
    }
    if (event->has_drain()) continue;
    if (event->has_message()) {
      event->mutable_message()->clear_received_at();
      event->mutable_message()->clear_to();
    }
    if (event->has_error()) event->mutable_error()->clear_message();
    return *std::move(event);
  }
}

v1::ClientFrame HelloWithToken(const Login& login) {
  v1::ClientFrame hello;
  hello.mutable_hello()->set_token(login.token);
  return hello;
}

Metadata MetadataFor(const Login& login) {
  if (login.token.empty() || login.in != TokenIn::kHeader) return {};
  return {{"authorization", "Bearer " + login.token}};
}

class ModelPeer final : public Peer {
 public:
  ModelPeer(const std::string& address, const Login& login, ModelForm form)
      : client_(address, form, {.target = TargetFor(login), .headers = HeadersFor(login)}) {
    if (login.in == TokenIn::kFrame && !login.token.empty()) client_.Send(HelloWithToken(login));
    if (login.quiet) return;
    client_.NextWelcome();
    // Acked once the topic that every session follows is followed, and the session counted among
    // its recipients.
    client_.Send(Subscribe("", "stands"));
    client_.NextAck();
  }

  void Send(const v1::ClientFrame& frame) override { client_.Send(frame); }
  void SendGarbage() override { client_.SendPayload("{\x7F"); }
  v1::Event Next() override {
    return NextToCompare([this] { return client_.Next(); });
  }
  Ending WaitForEnd() override { return EndingOf(client_.socket().ReadClose()); }
  int CodeOf(const OutcomeInfo& info) const override { return info.repeated_close_code; }
  WebSocketClient* socket() override { return &client_.socket(); }
  void Leave() override { client_.socket().CloseNicely(); }
  void Break() override { client_.socket().Reset(); }

 private:
  ModelClient client_;
};

class GrpcPeer final : public Peer {
 public:
  GrpcPeer(const std::string& address, const Login& login)
      : client_(address), stream_(client_.Connect(login.user, MetadataFor(login))) {
    const bool in_frame = login.in == TokenIn::kFrame && !login.token.empty();
    if (in_frame) stream_->Send(HelloWithToken(login));
    if (login.quiet) return;
    stream_->NextWelcome();
    if (!in_frame) stream_->Send(EmptyHello());
  }

  void Send(const v1::ClientFrame& frame) override { stream_->Send(frame); }
  void SendGarbage() override { stream_->SendBytes("\xff\xff\xff"); }
  v1::Event Next() override {
    return NextToCompare([this] { return stream_->Next(); });
  }
  Ending WaitForEnd() override {
    const grpc::Status status = stream_->Finish();
    return {.code = status.error_code(),
            .outcome = ReasonOf(status),
            .text = status.error_message(),
            .retry_after_ms = MetadataOf(status, "retry_after_ms"),
            .pushback_ms = stream_->Trailer("grpc-retry-pushback-ms")};
  }
  int CodeOf(const OutcomeInfo& info) const override { return info.grpc_status; }
  void Leave() override { stream_->Cancel(); }
  void Break() override { stream_->Cancel(); }

 private:
  GrpcClient client_;
  std::unique_ptr<GrpcStream> stream_;
};

}  // namespace

Ending EndingOf(const std::optional<Frame>& close) {
  if (!close.has_value()) return {.code = 1006, .outcome = {}};
  Ending ending{.code = close->close_code(), .outcome = {}};
  constexpr std::string_view kRetry = "; retry_after_ms=";
  std::string reason = close->close_reason();
  if (const size_t found = reason.rfind(kRetry); found != std::string::npos) {
    ending.retry_after_ms = reason.substr(found + kRetry.size());
    reason.resize(found);
  }
  const size_t colon = reason.find(':');
  if (colon == std::string::npos) return ending;
  ending.outcome = reason.substr(0, colon);
  if (reason.size() > colon + 2) ending.text = reason.substr(colon + 2);
  return ending;
}

std::string NameOf(Speech speech) {
  switch (speech) {
    case Speech::kPlain:
      return "Plain";
    case Speech::kJson:
      return "Json";
    case Speech::kProto:
      return "Proto";
    case Speech::kGrpc:
      return "Grpc";
  }
  return {};
}

std::string TargetFor(const Login& login) {
  std::string target = "/ws";
  if (!login.user.empty()) target += "?user_id=" + login.user;
  if (!login.token.empty() && login.in == TokenIn::kQuery) {
    target += (login.user.empty() ? "?access_token=" : "&access_token=") + login.token;
  }
  return target;
}

std::vector<std::pair<std::string, std::string>> HeadersFor(const Login& login) {
  if (login.token.empty()) return {};
  if (login.in == TokenIn::kHeader) return {{"Authorization", "Bearer " + login.token}};
  if (login.in != TokenIn::kSubprotocol) return {};
  return {{"Sec-WebSocket-Protocol", "crier.bearer." + login.token}};
}

std::unique_ptr<Peer> MakeModelPeer(const std::string& address, const Login& login, Speech speech) {
  return std::make_unique<ModelPeer>(
      address, login, speech == Speech::kJson ? ModelForm::kJson : ModelForm::kProto);
}

std::unique_ptr<Peer> MakeGrpcPeer(const std::string& address, const Login& login) {
  return std::make_unique<GrpcPeer>(address, login);
}

}  // namespace crier::testing
