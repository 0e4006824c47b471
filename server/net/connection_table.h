// Counts open connections, in all and per address, for both transports.
#ifndef CRIER_SERVER_NET_CONNECTION_TABLE_H_
#define CRIER_SERVER_NET_CONNECTION_TABLE_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "server/base/clock.h"
#include "server/base/mutex.h"
#include "server/base/outcome.h"
#include "server/metrics/metrics.h"
#include "server/net/address_blocks.h"
#include "server/net/address_rates.h"

namespace crier {

// What a client whose connection is refused is told: TOO_MANY_SESSIONS, or RATE_LIMITED where
// connections come too fast; and a sentence for people, in ASCII, without a period. Thread-safe.
Outcome OutcomeOf(RefusalKind why);
std::string_view TextOf(RefusalKind why);

// Thread-safe. Outlives every Place.
class ConnectionTable {
 public:
  struct Limits {
    size_t total = 0;        // 0: what descriptors allow (see DescriptorAllowance)
    size_t per_address = 0;  // 0: no limit. Of what counts as one, see CountedAddress.
    AddressRates::Limits rates{};
    // Calls from one address in a second; 0: no limit.
    uint32_t calls_per_address = 0;
    // Of others' clients: they do not count by their own address. What comes from them may be
    // counted by its client's (Place::CountFor).
    AddressBlocks trusted_proxies{};
  };
  // How many more connections than the limit may be open for a moment, each to ask how the server
  // is (EnterReserve).
  static constexpr size_t kReserve = 8;

  // One connection's place. The destructor gives it back, on any thread.
  class Place {
   public:
    Place() = default;
    Place(Place&& other) noexcept
        : table_(std::exchange(other.table_, nullptr)),
          address_(std::move(other.address_)),
          reserve_(other.reserve_) {}
    Place& operator=(Place&& other) noexcept {
      if (this == &other) return *this;
      Release();
      table_ = std::exchange(other.table_, nullptr);
      address_ = std::move(other.address_);
      reserve_ = other.reserve_;
      return *this;
    }
    ~Place() { Release(); }
    void Release();
    // Counts it by its client's address from now on, unless that is a trusted proxy too. False:
    // that address has as many as it may, or they come too fast; the refusal is counted, and its
    // reason is in *why, if that is not null. REQUIRES: it came from a trusted proxy.
    bool CountFor(std::string_view client, TimePoint now = std::chrono::steady_clock::now(),
                  RefusalKind* why = nullptr);
    // One more call comes in, of a client with this address, as the transport knows it. False: that
    // address makes too many; it is counted. Those of a trusted proxy are of nobody in particular.
    // Thread-safe, as long as the place is held.
    bool TakeCall(std::string_view client, TimePoint now = std::chrono::steady_clock::now()) {
      return table_ == nullptr || table_->TakeCall(client, now);
    }
    // How many that may be in a second; 0: no limit.
    uint32_t calls_per_address() const {
      return table_ == nullptr ? 0 : table_->limits_.calls_per_address;
    }
    // It is one of the reserve.
    bool of_reserve() const { return reserve_; }

   private:
    friend class ConnectionTable;
    Place(ConnectionTable* table, bool reserve) : table_(table), reserve_(reserve) {}
    void SetAddress(std::string address) {
      address_ = std::make_unique<const std::string>(std::move(address));
    }
    ConnectionTable* table_ = nullptr;
    // Null: it is not counted by an address. Few servers count, and each connection has a place.
    std::unique_ptr<const std::string> address_;
    bool reserve_ = false;
  };

  // `metrics` may be null. Else it has to outlive the table.
  explicit ConnectionTable(Limits limits, Metrics* metrics = nullptr);
  ConnectionTable(const ConnectionTable&) = delete;
  ConnectionTable& operator=(const ConnectionTable&) = delete;

  // nullopt: a limit is reached. The refusal is counted, and its reason is in *why, if that is not
  // null.
  std::optional<Place> Enter(std::string_view address,
                             TimePoint now = std::chrono::steady_clock::now(),
                             RefusalKind* why = nullptr);

  // For a connection that Enter has refused: a place beyond the limit, which counts as no
  // connection. nullopt: the limit of all is not what it was refused for, or the reserve is used
  // up. Who holds one gives it back within moments.
  std::optional<Place> EnterReserve();

  bool IsTrustedProxy(std::string_view address) const {
    return limits_.trusted_proxies.Contains(address);
  }
  const AddressBlocks& trusted_proxies() const { return limits_.trusted_proxies; }

  // Counts a connection that was refused because no descriptor was left for it.
  void CountOutOfDescriptors();

  size_t size() const;
  // How many connections may be open at once.
  size_t limit() const;

  // If Limits::total is 0: computes again how many connections the descriptors allow. Call this
  // after the server's own parts have opened their descriptors at the start. Descriptors that are
  // open then count as the server's own.
  void MeasureAllowance();

  // How many descriptors this process may have open. Raises the soft limit to the hard one first,
  // to at most 1,048,576.
  static size_t DescriptorLimit();

  // How many connections this process can hold: DescriptorLimit, less those in use now, less a
  // reserve for itself of max(16, a 64th of the limit): log files, /proc reads of a scrape,
  // kReserve. Never 0.
  static size_t DescriptorAllowance();

 private:
  void Leave(const Place& place);
  bool TakeCall(std::string_view client, TimePoint now);
  // As CountedAddress has it; empty: it is not counted by its address.
  std::string CountedBy(std::string_view address) const;
  // False: it has as many as it may.
  bool CountLocked(const std::string& counted, RefusalKind* why)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // False: they come too fast. `counted` may be empty.
  bool CountRateLocked(const std::string& counted, TimePoint now, RefusalKind* why)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void CountRefusal(RefusalKind reason, RefusalKind* why) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Limits limits_;
  ConnectionMetrics* const metrics_;  // null: not counted

  mutable Mutex mutex_;
  size_t total_limit_ ABSL_GUARDED_BY(mutex_);
  size_t size_ ABSL_GUARDED_BY(mutex_) = 0;
  AddressRates rates_ ABSL_GUARDED_BY(mutex_);
  AddressRates call_rates_ ABSL_GUARDED_BY(mutex_);
  size_t reserve_used_ ABSL_GUARDED_BY(mutex_) = 0;
  // Used only with a limit per address. An address without connections has no entry.
  absl::flat_hash_map<std::string, size_t> per_address_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace crier

#endif  // CRIER_SERVER_NET_CONNECTION_TABLE_H_
