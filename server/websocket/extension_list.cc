#include "server/websocket/extension_list.h"

#include <cstddef>

namespace crier {
namespace {

bool IsLetterOrDigit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// RFC 9110, section 5.6.2.
bool IsTokenCharacter(char c) {
  return IsLetterOrDigit(c) ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

// Reads parts off the front of a text.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  bool at_end() const { return text_.empty(); }
  // Skips blanks before and behind it too.
  bool Take(char wanted) {
    SkipBlanks();
    if (text_.empty() || text_[0] != wanted) return false;
    text_.remove_prefix(1);
    SkipBlanks();
    return true;
  }
  // Empty: there is none.
  std::string Token() {
    size_t size = 0;
    while (size < text_.size() && IsTokenCharacter(text_[size])) ++size;
    std::string token(text_.substr(0, size));
    text_.remove_prefix(size);
    return token;
  }
  // What is inside of quotes, which have to be a token too (section 9.1). Empty: it is not.
  std::string QuotedToken() {
    std::string token;
    size_t at = 1;
    while (at < text_.size() && text_[at] != '"') {
      if (text_[at] == '\\' && ++at == text_.size()) return {};
      if (!IsTokenCharacter(text_[at])) return {};
      token += text_[at++];
    }
    if (at >= text_.size()) return {};
    text_.remove_prefix(at + 1);
    return token;
  }
  bool at_quote() const { return !text_.empty() && text_[0] == '"'; }
  void SkipBlanks() {
    while (!text_.empty() && (text_[0] == ' ' || text_[0] == '\t')) text_.remove_prefix(1);
  }

 private:
  std::string_view text_;
};

std::string LowerCase(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

std::optional<Extension> ParseExtension(Scanner* scanner) {
  Extension extension{.name = LowerCase(scanner->Token()), .parameters = {}};
  if (extension.name.empty()) return std::nullopt;
  while (scanner->Take(';')) {
    ExtensionParameter parameter{.name = LowerCase(scanner->Token()), .value = {}};
    if (parameter.name.empty()) return std::nullopt;
    if (scanner->Take('=')) {
      parameter.value = scanner->at_quote() ? scanner->QuotedToken() : scanner->Token();
      if (parameter.value->empty()) return std::nullopt;
    }
    extension.parameters.push_back(std::move(parameter));
  }
  return extension;
}

}  // namespace

std::vector<Extension> ParseExtensions(std::string_view value) {
  Scanner scanner(value);
  std::vector<Extension> extensions;
  while (true) {
    // Empty elements of a list are allowed (RFC 9110, section 5.6.1).
    while (scanner.Take(',')) continue;
    if (scanner.at_end()) return extensions;
    auto extension = ParseExtension(&scanner);
    if (!extension) return {};
    extensions.push_back(std::move(*extension));
    if (!scanner.Take(',') && !scanner.at_end()) return {};
  }
}

}  // namespace crier
