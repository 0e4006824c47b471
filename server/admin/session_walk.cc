#include "server/admin/session_walk.h"

#include <memory>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "server/metrics/handler_exceptions.h"

namespace crier {
namespace {

// Of the order of 100 us, with a look at each one's socket.
constexpr size_t kSessionsPerTurn = 200;

struct Walk {
  Engine* engine;
  Shard* asker;
  WalkCursor at;
  size_t left;
  VisitSession visit;
  WalkDone done;
};

void Finish(const std::shared_ptr<Walk>& walk, WalkEnd end) {
  // What the callbacks hold belongs to the asker's thread.
  walk->asker->Post([walk, end]() mutable { walk->done(end); });
}

void Step(const std::shared_ptr<Walk>& walk);

void StepLater(const std::shared_ptr<Walk>& walk) {
  if (walk->at.shard >= walk->engine->shard_count()) return Finish(walk, {});
  walk->engine->shard(walk->at.shard).Post([walk] { Step(walk); });
}

void Step(const std::shared_ptr<Walk>& walk) {
  Shard& shard = walk->engine->shard(walk->at.shard);
  bool ends = false;
  const bool fine = NoThrow(&shard.metrics().handler_exceptions, "a walk over sessions", [&] {
    for (size_t i = 0; i < kSessionsPerTurn; ++i) {
      Session* const session = shard.sessions().Next(walk->at.after);
      if (session == nullptr) {
        walk->at = {.shard = walk->at.shard + 1, .after = 0};
        return;
      }
      walk->at.after = session->id();
      ends = !walk->visit(*session) || --walk->left == 0;
      if (ends) return;
    }
  });
  if (!fine) return Finish(walk, {.next = walk->at, .failed = true});
  if (ends) return Finish(walk, {.next = walk->at});
  StepLater(walk);
}

struct Search {
  Engine* engine;
  Shard* asker;
  uint64_t id;
  absl::AnyInvocable<void(Session&)> found;
  absl::AnyInvocable<void(bool)> done;
};

void SearchOn(const std::shared_ptr<Search>& search, size_t index) {
  if (index == search->engine->shard_count()) {
    return search->asker->Post([search] { search->done(false); });
  }
  search->engine->shard(index).Post([search, index] {
    Shard& shard = search->engine->shard(index);
    Session* const session = shard.sessions().Find(search->id);
    if (session == nullptr) return SearchOn(search, index + 1);
    const bool fine = NoThrow(&shard.metrics().handler_exceptions, "a search for a session",
                              [&] { search->found(*session); });
    search->asker->Post([search, fine] { search->done(fine); });
  });
}

}  // namespace

std::string WalkCursor::Text() const { return absl::StrCat(shard, ".", after); }

std::optional<WalkCursor> WalkCursor::Parse(std::string_view text) {
  if (text.empty()) return WalkCursor{};
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(absl::string_view(text.data(), text.size()), absl::MaxSplits('.', 1));
  WalkCursor cursor;
  if (!absl::SimpleAtoi(parts.first, &cursor.shard) ||
      !absl::SimpleAtoi(parts.second, &cursor.after)) {
    return std::nullopt;
  }
  return cursor;
}

void WalkSessions(Engine* engine, Shard* asker, WalkCursor from, size_t most, VisitSession visit,
                  WalkDone done) {
  StepLater(std::make_shared<Walk>(Walk{.engine = engine,
                                        .asker = asker,
                                        .at = from,
                                        .left = most,
                                        .visit = std::move(visit),
                                        .done = std::move(done)}));
}

void FindSession(Engine* engine, Shard* asker, uint64_t id,
                 absl::AnyInvocable<void(Session& session)> found,
                 absl::AnyInvocable<void(bool)> done) {
  SearchOn(std::make_shared<Search>(Search{.engine = engine,
                                           .asker = asker,
                                           .id = id,
                                           .found = std::move(found),
                                           .done = std::move(done)}),
           0);
}

}  // namespace crier
