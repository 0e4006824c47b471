// What the TLS sessions of a server share: its certificate, and what it agrees to.
//
// TLS 1.2 and 1.3, with forward secrecy and authenticated encryption only (Mozilla's "intermediate"
// configuration, version 5.7, without DHE). Sessions are resumed by tickets; nothing is kept for
// that.
#ifndef CRIER_SERVER_TRANSPORT_TLS_CONTEXT_H_
#define CRIER_SERVER_TRANSPORT_TLS_CONTEXT_H_

#include <openssl/types.h>
#include <sys/types.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/base/mutex.h"
#include "server/metrics/metrics.h"

namespace crier {

struct SslDeleter {
  void operator()(SSL* ssl) const;
  void operator()(SSL_CTX* context) const;
};
using SslPtr = std::unique_ptr<SSL, SslDeleter>;
using SslContextPtr = std::unique_ptr<SSL_CTX, SslDeleter>;

// Where a client certificate says who its user is.
enum class TlsUserFrom : uint8_t {
  kNone,        // nowhere: it only lets the client in
  kCommonName,  // the subject's common name
  // The first of the subject's alternative names that is a URI, an address of mail, or a name of
  // DNS, in this order.
  kSubjectAltName,
};

struct TlsOptions {
  // Files in PEM. cert: the server's certificate, and then those that it leads to. Empty: no TLS.
  std::string cert_file{};
  std::string key_file{};
  // The certificates that a client's has to lead to. Empty: clients are not asked for one. Else
  // each has to have one.
  std::string client_ca_file{};
  TlsUserFrom user_from = TlsUserFrom::kNone;

  bool enabled() const { return !cert_file.empty(); }
};

// What a port speaks inside of TLS. A client that asks for something else (ALPN) is refused.
enum class TlsProtocol : uint8_t { kHttp1, kHttp2 };

// Tells a client that has not begun a handshake that there is none to be had: an alert,
// "internal_error", whatever the reason: TLS has no words for it. Best effort: the socket's buffer
// is empty, so it fits.
void RefuseTls(int fd, RefusalKind why);

// Thread-safe.
class TlsContext {
 public:
  // Reads the files. The status names the flag and the file, and says what is wrong.
  static absl::StatusOr<std::unique_ptr<TlsContext>> Load(TlsOptions options);

  // The same with the files as they are now. An error: what was there stays.
  absl::Status Reload();
  // A file has changed since it was read, or since the last call.
  bool FilesChanged();

  // A new connection's session, of the server's side. Null: no memory.
  SslPtr NewSession(TlsProtocol protocol) const;

  const TlsOptions& options() const { return options_; }
  // When the certificate ends, in seconds since 1970.
  int64_t not_after() const;

 private:
  static constexpr size_t kProtocols = 2;
  struct Loaded {
    std::array<SslContextPtr, kProtocols> contexts;  // by TlsProtocol
    int64_t not_after = 0;
  };
  // Tells a file from what it was before.
  struct FileState {
    ino_t inode = 0;
    off_t size = 0;
    timespec modified{};
    bool operator==(const FileState& other) const;
  };
  using FileStates = std::array<FileState, 3>;

  explicit TlsContext(TlsOptions options) : options_(std::move(options)) {}
  absl::StatusOr<Loaded> LoadFiles() const;
  FileStates Look() const;

  const TlsOptions options_;
  mutable Mutex mutex_;
  Loaded loaded_ ABSL_GUARDED_BY(mutex_);
  FileStates seen_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace crier

#endif  // CRIER_SERVER_TRANSPORT_TLS_CONTEXT_H_
