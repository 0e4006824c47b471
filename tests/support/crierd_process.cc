#include "tests/support/crierd_process.h"

#include <gtest/gtest.h>

#include <regex>

namespace crier::testing {
namespace {

ChildProcess::Options OnFreePorts(ChildProcess::Options options) {
  options.arguments.insert(
      options.arguments.begin(),
      {"--http_listen=127.0.0.1:0", "--grpc_listen=127.0.0.1:0", "--admin_listen=127.0.0.1:0"});
  return options;
}

}  // namespace

std::string CrierdPath() { return CRIERD_PATH; }

CrierdProcess::CrierdProcess(Options options)
    : ChildProcess(CrierdPath(), OnFreePorts(std::move(options))) {
  const auto begin = std::chrono::steady_clock::now();
  WaitUntil([this] { return out().find('\n') != std::string::npos; });
  start_time_ = std::chrono::duration_cast<std::chrono::microseconds>(
      std::chrono::steady_clock::now() - begin);
  const std::regex line("crierd \\S+ ready( http=(\\S+))?( grpc=(\\S+))?( admin=(\\S+))?\n");
  std::smatch match;
  if (!std::regex_search(out(), match, line)) {
    ADD_FAILURE() << "crierd is not ready; it says: " << out() << err();
    return;
  }
  http_ = match[2];
  grpc_ = match[4];
  admin_ = match[6];
}

}  // namespace crier::testing
