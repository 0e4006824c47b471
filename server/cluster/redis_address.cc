#include "server/cluster/redis_address.h"

#include <charconv>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "server/base/concat.h"

namespace crier {
namespace {

constexpr uint16_t kSentinelPort = 26379;
constexpr std::string_view kPlainScheme = "redis";
constexpr std::string_view kTlsScheme = "rediss";
constexpr std::string_view kSentinelScheme = "redis+sentinel";
constexpr std::string_view kRight = "write e.g. redis://127.0.0.1:6379";
constexpr std::string_view kRightSentinel =
    "write e.g. redis+sentinel://10.0.0.1:26379,10.0.0.2:26379/mymaster";

// `text` up to `at`, and what is behind the character there. Without one: all, and nothing.
std::pair<std::string_view, std::string_view> SplitAt(std::string_view text, size_t at) {
  if (at == std::string_view::npos) return {text, {}};
  return {text.substr(0, at), text.substr(at + 1)};
}

// The same at the first of `mark`.
std::pair<std::string_view, std::string_view> Split(std::string_view text, char mark) {
  return SplitAt(text, text.find(mark));
}

bool BeginsWithScheme(std::string_view text) {
  const size_t end = text.find_first_not_of("abcdefghijklmnopqrstuvwxyz+");
  return end != std::string_view::npos && end > 0 && text.substr(end).starts_with("://");
}

std::string_view Trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

// The URL without user and password.
std::string Shown(std::string_view url) {
  const size_t at = url.rfind('@');
  if (at == std::string_view::npos) return std::string(url);
  const size_t scheme_end = url.find("://");
  const std::string_view scheme =
      scheme_end < at ? url.substr(0, scheme_end + 3) : std::string_view();
  return Concat({scheme, "...", url.substr(at)});
}

absl::Status Wrong(std::string_view url, std::string_view what) {
  return absl::InvalidArgumentError(Concat({"'", Shown(url), "': ", what}));
}

std::optional<int> HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return std::nullopt;
}

// nullopt: a "%" without two hex digits behind it.
std::optional<std::string> Decoded(std::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded.push_back(text[i]);
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    const std::optional<int> high = HexDigit(text[i + 1]);
    const std::optional<int> low = HexDigit(text[i + 2]);
    if (!high || !low) return std::nullopt;
    decoded.push_back(static_cast<char>(*high * 16 + *low));
    i += 2;
  }
  return decoded;
}

template <typename Number>
std::optional<Number> ParseNumber(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// Reads one URL, part by part.
class UrlReader {
 public:
  explicit UrlReader(std::string_view url) : url_(url) {}

  absl::StatusOr<RedisAddress> Read() {
    const size_t scheme_end = url_.find("://");
    if (scheme_end == std::string_view::npos) {
      return Error({"the scheme is missing; ", kRight});
    }
    const std::string_view scheme = url_.substr(0, scheme_end);
    is_sentinel_ = scheme == kSentinelScheme;
    address_.tls = scheme == kTlsScheme;
    if (!is_sentinel_ && !address_.tls && scheme != kPlainScheme) {
      return Error({"the scheme has to be redis, rediss (TLS) or redis+sentinel"});
    }
    const auto [body, query] = Split(url_.substr(scheme_end + 3), '?');
    const auto [authority, path] = Split(body, '/');
    const size_t at = authority.rfind('@');
    absl::Status status = absl::OkStatus();
    if (at != std::string_view::npos) status = ReadLogin(authority.substr(0, at));
    if (status.ok()) {
      status = ReadHosts(at == std::string_view::npos ? authority : authority.substr(at + 1));
    }
    if (status.ok()) status = ReadPath(path);
    if (status.ok()) status = ReadQuery(query);
    if (!status.ok()) return status;
    return std::move(address_);
  }

  const std::optional<std::string>& prefix() const { return prefix_; }

 private:
  absl::Status Error(std::initializer_list<std::string_view> what) const {
    return Wrong(url_, Concat(what));
  }

  absl::Status ReadLogin(std::string_view login) {
    const size_t colon = login.find(':');
    if (colon == std::string_view::npos || colon + 1 == login.size()) {
      return Error({"the password is missing; write USER:PASSWORD@ or :PASSWORD@"});
    }
    std::optional<std::string> user = Decoded(login.substr(0, colon));
    std::optional<std::string> password = Decoded(login.substr(colon + 1));
    if (!user || !password) {
      return Error({"a '%' in user or password needs two hex digits behind it; write %25 for '%'"});
    }
    address_.user = *std::move(user);
    address_.password = *std::move(password);
    return absl::OkStatus();
  }

  absl::Status ReadHosts(std::string_view hosts) {
    if (!is_sentinel_) {
      if (hosts.find(',') != std::string_view::npos) {
        return Error({"each server needs a scheme; write redis://a:6379,redis://b:6379"});
      }
      HostPort server{.host = {}, .port = address_.port};
      const absl::Status status = ReadHost(hosts, &server);
      address_.host = std::move(server.host);
      address_.port = server.port;
      return status;
    }
    while (true) {
      const size_t comma = hosts.find(',');
      HostPort sentinel{.host = {}, .port = kSentinelPort};
      const absl::Status status = ReadHost(Trimmed(hosts.substr(0, comma)), &sentinel);
      if (!status.ok()) return status;
      address_.sentinels.push_back(std::move(sentinel));
      if (comma == std::string_view::npos) return absl::OkStatus();
      hosts.remove_prefix(comma + 1);
    }
  }

  absl::Status ReadHost(std::string_view text, HostPort* read) const {
    std::string_view host = text;
    std::string_view port;
    bool has_port = false;
    if (text.starts_with('[')) {
      const size_t end = text.find(']');
      if (end == std::string_view::npos) {
        return Error({"the ']' is missing; write e.g. redis://[::1]:6379"});
      }
      host = text.substr(1, end - 1);
      const std::string_view behind = text.substr(end + 1);
      has_port = behind.starts_with(':');
      if (!has_port && !behind.empty()) {
        return Error({"behind ']' comes ':' and the port; write e.g. redis://[::1]:6379"});
      }
      if (has_port) port = behind.substr(1);
    } else {
      const size_t colon = text.find(':');
      has_port = colon != std::string_view::npos;
      std::tie(host, port) = SplitAt(text, colon);
      if (port.find(':') != std::string_view::npos) {
        return Error({"an IPv6 address needs brackets; write e.g. redis://[::1]:6379"});
      }
    }
    if (host.empty()) {
      return Error({"the host is missing; ", is_sentinel_ ? kRightSentinel : kRight});
    }
    if (host.find_first_of(" %\t\r\n") != std::string_view::npos) {
      return Error({"'", host, "' is no host; ", is_sentinel_ ? kRightSentinel : kRight});
    }
    read->host = host;
    if (!has_port) return absl::OkStatus();
    const std::optional<uint16_t> number = ParseNumber<uint16_t>(port);
    if (!number || *number == 0) return Error({"the port has to be a number from 1 to 65535"});
    read->port = *number;
    return absl::OkStatus();
  }

  absl::Status ReadPath(std::string_view path) {
    std::string_view database = path;
    if (is_sentinel_) {
      const auto [master, behind] = Split(path, '/');
      const std::optional<std::string> name = Decoded(master);
      if (!name || name->empty()) {
        return Error({"the master's name is missing; ", kRightSentinel});
      }
      address_.master_name = *name;
      database = behind;
    }
    if (database.empty()) return absl::OkStatus();
    const std::optional<int> number = ParseNumber<int>(database);
    if (!number || *number < 0) {
      return Error({"the database has to be a number from 0, not '", database, "'"});
    }
    address_.database = *number;
    return absl::OkStatus();
  }

  absl::Status ReadQuery(std::string_view query) {
    while (!query.empty()) {
      std::string_view setting;
      std::tie(setting, query) = Split(query, '&');
      const auto [name, text] = Split(setting, '=');
      std::optional<std::string> value = Decoded(text);
      if (!value) {
        return Error({"a '%' in '", name, "' needs two hex digits behind it; write %25 for '%'"});
      }
      if (name == "prefix") {
        prefix_ = *std::move(value);
      } else if (name == "ca") {
        if (!address_.tls) return Error({"ca is for TLS only; write rediss://"});
        if (value->empty()) return Error({"ca needs a file in PEM; write ca=/path/to/ca.pem"});
        address_.ca_file = *std::move(value);
      } else {
        return Error({"unknown setting '", name, "'; there are prefix and ca"});
      }
    }
    return absl::OkStatus();
  }

  const std::string_view url_;
  bool is_sentinel_ = false;
  RedisAddress address_;
  std::optional<std::string> prefix_;
};

// Where the next server's URL begins in `text`: behind a comma. npos: there is none.
size_t NextUrl(std::string_view text) {
  for (size_t comma = text.find(','); comma != std::string_view::npos;
       comma = text.find(',', comma + 1)) {
    if (BeginsWithScheme(Trimmed(text.substr(comma + 1)))) return comma;
  }
  return std::string_view::npos;
}

}  // namespace

std::string HostPort::Text() const {
  const bool is_ipv6 = host.find(':') != std::string::npos;
  return Concat({is_ipv6 ? "[" : "", host, is_ipv6 ? "]:" : ":", std::to_string(port)});
}

std::string RedisAddress::Text() const {
  const std::string number = std::to_string(database);
  if (sentinels.empty()) {
    const std::string server = HostPort{.host = host, .port = port}.Text();
    return Concat({tls ? kTlsScheme : kPlainScheme, "://", server, "/", number});
  }
  std::string list;
  for (const HostPort& sentinel : sentinels) {
    list.append(list.empty() ? "" : ",").append(sentinel.Text());
  }
  return Concat({kSentinelScheme, "://", list, "/", master_name, "/", number});
}

absl::StatusOr<ClusterUrl> ParseClusterUrl(std::string_view text) {
  ClusterUrl url;
  std::optional<std::string> prefix;
  while (true) {
    const size_t comma = NextUrl(text);
    const std::string_view one = Trimmed(text.substr(0, comma));
    UrlReader reader(one);
    absl::StatusOr<RedisAddress> address = reader.Read();
    if (!address.ok()) return address.status();
    for (const RedisAddress& other : url.servers) {
      if (other.Text() == address->Text()) return Wrong(one, "this server is named twice");
    }
    url.servers.push_back(*std::move(address));
    if (reader.prefix()) {
      if (prefix && *prefix != *reader.prefix()) {
        return Wrong(one, "all servers have one prefix; write it at one of them, or the same");
      }
      prefix = reader.prefix();
    }
    if (comma == std::string_view::npos) break;
    text.remove_prefix(comma + 1);
  }
  if (prefix) url.prefix = *std::move(prefix);
  return url;
}

}  // namespace crier
