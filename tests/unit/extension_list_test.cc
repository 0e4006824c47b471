#include "server/websocket/extension_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace crier {
namespace {

// Back to text: "name;parameter=value,name".
std::string Parsed(std::string_view value) {
  std::string text;
  for (const Extension& extension : ParseExtensions(value)) {
    if (!text.empty()) text += ',';
    text += extension.name;
    for (const ExtensionParameter& parameter : extension.parameters) {
      text += ';' + parameter.name;
      if (parameter.value) text += '=' + *parameter.value;
    }
  }
  return text;
}

TEST(ExtensionListTest, NamesAndParameters) {
  EXPECT_EQ(Parsed("foo"), "foo");
  EXPECT_EQ(Parsed("foo, bar; baz=2"), "foo,bar;baz=2");
  EXPECT_EQ(Parsed("foo; baz=2, bar"), "foo;baz=2,bar");
  EXPECT_EQ(Parsed("Foo ;\tBaz = \"2\" ;x,, ,bar,"), "foo;baz=2;x,bar");
  EXPECT_EQ(Parsed("foo;a=\"\\b\\c\""), "foo;a=bc");
  EXPECT_EQ(Parsed(""), "");
}

TEST(ExtensionListTest, WhatDoesNotFollowTheGrammarIsNoList) {
  for (const std::string bad :
       {"foo bar", "foo;", "foo;;a", "foo;a=", "foo;a=\"\"", "foo;a=\"b", "foo;a=\"b c\"",
        "foo;a=\"b\\", "=a", ";a", "foo;=a", "foo; a=b c", "good, b@d"}) {
    EXPECT_EQ(Parsed(bad), "") << bad;
  }
}

}  // namespace
}  // namespace crier
