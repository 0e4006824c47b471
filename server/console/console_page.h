// The console: one page for a browser that shows what the server does and speaks to it by WebSocket
// (docs/protocol.md, "HTTP, on the same port"). It reads /metrics and holds nothing here.
//
// Constants of the program, made from the files beside this one (join_page.cmake): thread-safe.
#ifndef CRIER_SERVER_CONSOLE_CONSOLE_PAGE_H_
#define CRIER_SERVER_CONSOLE_CONSOLE_PAGE_H_

#include <string_view>

namespace crier {

inline constexpr std::string_view kConsolePageType = "text/html; charset=utf-8";

// The whole page; its style and script stand in it.
std::string_view ConsolePageHtml();

// Its entity tag, quotes included (RFC 9110, section 8.8.3): another page has another.
std::string_view ConsolePageTag();

// The Content-Security-Policy under which it has to be sent: its own style and script, requests to
// where it came from, and nothing else.
std::string_view ConsolePagePolicy();

}  // namespace crier

#endif  // CRIER_SERVER_CONSOLE_CONSOLE_PAGE_H_
