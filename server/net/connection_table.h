// Counts open connections, in all and per address, for both transports.
#ifndef CRIER_SERVER_NET_CONNECTION_TABLE_H_
#define CRIER_SERVER_NET_CONNECTION_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "server/base/mutex.h"
#include "server/metrics/metrics.h"

namespace crier {

// Thread-safe. Outlives every Place.
class ConnectionTable {
 public:
  struct Limits {
    size_t total = 0;        // 0: what descriptors allow (see DescriptorAllowance)
    size_t per_address = 0;  // 0: no limit
  };

  // One connection's place; gives it back when destroyed, on any thread.
  class Place {
   public:
    Place() = default;
    Place(Place&& other) noexcept
        : table_(std::exchange(other.table_, nullptr)), address_(std::move(other.address_)) {}
    Place& operator=(Place&& other) noexcept {
      if (this == &other) return *this;
      Release();
      table_ = std::exchange(other.table_, nullptr);
      address_ = std::move(other.address_);
      return *this;
    }
    ~Place() { Release(); }
    void Release();

   private:
    friend class ConnectionTable;
    Place(ConnectionTable* table, std::string address)
        : table_(table), address_(std::move(address)) {}
    ConnectionTable* table_ = nullptr;
    std::string address_;  // empty where addresses are not counted
  };

  // `metrics` may be null; else it outlives the table.
  explicit ConnectionTable(Limits limits, Metrics* metrics = nullptr);
  ConnectionTable(const ConnectionTable&) = delete;
  ConnectionTable& operator=(const ConnectionTable&) = delete;

  // nullopt: over a limit. The refusal is counted.
  std::optional<Place> Enter(std::string_view address);

  // Counts a connection that was refused because no descriptor was left for it.
  void CountOutOfDescriptors();

  size_t size() const;
  // How many connections may be open at once.
  size_t limit() const;

  // Asks again what descriptors allow, where Limits::total is 0. To be called once all that opens
  // descriptors when the server starts has done so; what was open before counts as the server's
  // own.
  void MeasureAllowance();

  // How many connections this process can hold: its descriptor limit, less those in use now, less a
  // reserve for itself of max(8, a 64th of the limit): log files, /proc reads of a scrape.
  // Raises the soft limit to the hard one first, to at most 1,048,576. Never
  // 0.
  static size_t DescriptorAllowance();

 private:
  void Leave(const std::string& address);
  void CountRefusal(RefusalKind reason) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Limits limits_;
  ConnectionMetrics* const metrics_;  // null: not counted

  mutable Mutex mutex_;
  size_t total_limit_ ABSL_GUARDED_BY(mutex_);
  size_t size_ ABSL_GUARDED_BY(mutex_) = 0;
  // Only with a limit per address; an address without connections has no entry.
  absl::flat_hash_map<std::string, size_t> per_address_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace crier

#endif  // CRIER_SERVER_NET_CONNECTION_TABLE_H_
