// A client of the engine without a socket: a transport that keeps its events. A test can limit how
// much it takes.
#ifndef CRIER_TESTS_SUPPORT_FAKE_CLIENT_H_
#define CRIER_TESTS_SUPPORT_FAKE_CLIENT_H_

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "crier/v1/message.pb.h"
#include "server/engine/engine.h"
#include "server/engine/session.h"
#include "server/engine/transport.h"

namespace crier {

// A second encoding, so that tests see that each session gets its own: events in protobuf's text
// format, a line each.
const Encoding& TextLineEncoding();

// Runs on: the test's thread, with an engine that is driven by RunUntilIdle.
class FakeClient final : public Transport {
 public:
  FakeClient(Engine* engine, size_t shard, SessionOptions options);
  ~FakeClient() override;

  // --- What the client does; the engine then runs until idle. What it sends while its reading is
  // paused waits for that to end.
  void Send(v1::ClientFrame frame);
  void Broadcast(std::string_view body, std::string_view topic = {}, std::string_view id = {});
  void Direct(std::string_view to, std::string_view body, std::string_view id = {});
  void Subscribe(std::string_view topic, std::string_view id = {});
  void SubscribeFrom(std::string_view topic, uint64_t epoch, uint64_t offset);
  void Unsubscribe(std::string_view topic);
  void Leave(Outcome outcome = Outcome::kOk);

  // --- Reading: this many more bytes, or without a limit (the default).
  void ReadBytes(size_t bytes);
  void ReadFreely();
  void StopReading() { allowance_ = 0; }

  // --- What it received: events since the last call.
  std::vector<v1::Event> Events();
  // Only the messages' bodies, in order; a gap reads "gap FIRST-LAST".
  std::vector<std::string> Story();

  Session& session() { return *session_; }
  bool ended() const { return session_ == nullptr; }
  // Why the engine closed it.
  std::optional<Outcome> closed;
  // The engine does not want what the client sends.
  bool reading_paused = false;
  // Frames that wait.
  size_t unread() const { return unread_.size(); }

  void Wake() override;
  void Close(Outcome outcome, std::string_view detail) override;
  void PauseReading() override { reading_paused = true; }
  void ResumeReading() override;

 private:
  static constexpr size_t kUnlimited = ~size_t{0};

  // Hands on what waits, until reading is paused again.
  void HandOn();

  Engine* const engine_;
  const Encoding* const encoding_;
  Session* session_ = nullptr;
  size_t allowance_ = kUnlimited;
  std::string received_;
  std::string cut_;  // the rest of an event that was cut in two
  std::deque<v1::ClientFrame> unread_;
};

}  // namespace crier

#endif  // CRIER_TESTS_SUPPORT_FAKE_CLIENT_H_
