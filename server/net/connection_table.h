// Counts open connections, in all and per address, for both transports.
#ifndef CRIER_SERVER_NET_CONNECTION_TABLE_H_
#define CRIER_SERVER_NET_CONNECTION_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "server/base/mutex.h"

namespace crier {

// Thread-safe. Outlives every Place.
class ConnectionTable {
 public:
  struct Limits {
    size_t total = 0;        // 0: what descriptors allow (see DescriptorAllowance)
    size_t per_address = 0;  // 0: no limit
  };

  // One connection's place; gives it back when destroyed.
  class Place {
   public:
    Place() = default;
    Place(Place&& other) noexcept
        : table_(std::exchange(other.table_, nullptr)), address_(std::move(other.address_)) {}
    Place& operator=(Place&& other) noexcept {
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
    std::string address_;
  };

  explicit ConnectionTable(Limits limits);

  // nullopt: over a limit.
  std::optional<Place> Enter(std::string_view address);

  size_t size() const;

  // How many connections this process can hold: its descriptor limit, less those in use now, less
  // a reserve for itself.
  static size_t DescriptorAllowance();
