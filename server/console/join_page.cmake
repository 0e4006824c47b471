# cmake -DNAME=ConsolePage -DFILES="page.html;page.css;a.js;b.js" -DOUT=console_page.cc
#       -P join_page.cmake
#
# Puts the style and the scripts into the page, in the order given, and the page into a C++ source
# with the function NAME (console_page.h).
# The page's policy (Content-Security-Policy) names the two by their hashes, so that the browser runs
# nothing else.
cmake_minimum_required(VERSION 3.22)

# The hash of `text` as a policy writes it: SHA-256 in base64 (W3C, CSP level 3, "hash-source").
function(hash_source text out)
  set(alphabet ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/)
  string(SHA256 hex "${text}")
  # 32 bytes and one of padding: eleven times three bytes, each of which is four letters.
  string(APPEND hex 00)
  set(base64)
  foreach(group RANGE 10)
    math(EXPR at "${group} * 6")
    string(SUBSTRING "${hex}" ${at} 6 digits)
    foreach(shift 18 12 6 0)
      math(EXPR index "(0x${digits} >> ${shift}) & 63")
      string(SUBSTRING "${alphabet}" ${index} 1 letter)
      string(APPEND base64 "${letter}")
    endforeach()
  endforeach()
  # The last letter holds nothing but padding.
  string(SUBSTRING "${base64}" 0 43 base64)
  set(${out} "'sha256-${base64}='" PARENT_SCOPE)
endfunction()

set(style)
set(script "\"use strict\";")
foreach(file IN LISTS FILES)
  file(READ "${file}" text)
  if(file MATCHES "\\.html$")
    set(page "${text}")
  elseif(file MATCHES "\\.css$")
    string(APPEND style "${text}")
  else()
    # Lines of comment are for who works on it.
    string(REGEX REPLACE "\n *//[^\n]*" "" text "\n${text}")
    string(APPEND script "${text}")
  endif()
endforeach()
hash_source("${style}" style_hash)
hash_source("${script}" script_hash)
string(REPLACE "@STYLE@" "${style}" page "${page}")
string(REPLACE "@SCRIPT@" "${script}" page "${page}")
string(SHA256 digest "${page}")
string(SUBSTRING "${digest}" 0 16 tag)

# Byte by byte, because a compiler need not take a string literal of more than 65536 characters
# (C++20, annex B), and clang does not.
file(WRITE "${OUT}.html" "${page}")
file(READ "${OUT}.html" bytes HEX)
string(REGEX REPLACE "(..)" "'\\\\x\\1'," bytes "${bytes}")
string(REGEX REPLACE "('[^,]*,'[^,]*,'[^,]*,'[^,]*,'[^,]*,'[^,]*,'[^,]*,'[^,]*,)" "\\1\n" bytes "${bytes}")

file(WRITE "${OUT}" "// Made by server/console/join_page.cmake.
#include \"server/console/console_page.h\"

namespace crier {
namespace {

constexpr char kPage[] = {
${bytes}};

}  // namespace

Page ${NAME}() {
  return {.html = {kPage, sizeof(kPage)},
          .tag = R\"(\"${tag}\")\",
          .policy = \"default-src 'none'; script-src ${script_hash}; style-src ${style_hash}; \"
                    \"connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; \"
                    \"frame-ancestors 'none'\"};
}

}  // namespace crier
")
