// The pages for a browser. Constants of the program, made from the files beside this one
// (join_page.cmake): thread-safe.
#ifndef CRIER_SERVER_CONSOLE_CONSOLE_PAGE_H_
#define CRIER_SERVER_CONSOLE_CONSOLE_PAGE_H_

#include <string_view>

namespace crier {

struct Page {
  static constexpr std::string_view kType = "text/html; charset=utf-8";

  // The whole page; its style and script stand in it.
  std::string_view html;
  // Its entity tag, quotes included (RFC 9110, section 8.8.3): another page has another.
  std::string_view tag;
  // The Content-Security-Policy under which it has to be sent: its own style and script, requests
  // to where it came from, and nothing else.
  std::string_view policy;
};

// The console: shows what the server does and speaks to it by WebSocket (docs/protocol.md, "HTTP,
// on the same port"). It reads /metrics and holds nothing here.
Page ConsolePage();

// The administrators' page, on their listener (docs/admin.md). It calls crier.v1.Admin.
Page AdminPage();

}  // namespace crier

#endif  // CRIER_SERVER_CONSOLE_CONSOLE_PAGE_H_
