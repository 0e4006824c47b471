# crier_discover_tests(TARGET LABELS label... [TIMEOUT seconds]): registers each test of a GoogleTest
# program with CTest, under all of the labels.
#
# gtest_discover_tests alone is not enough: from a list of labels it keeps the first and takes the next
# for a property's name. With the label tsan, the program is also part of the target tsan_tests, which
# is built and run with ThreadSanitizer (ctest -L tsan).
include_guard(GLOBAL)
include(GoogleTest)

add_custom_target(tsan_tests)

function(crier_discover_tests target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "TIMEOUT" "LABELS")
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 60)
  endif()
  # The program lists its tests when CTest starts, not when it is built, so that building stays
  # parallel.
  gtest_discover_tests(${target} DISCOVERY_MODE PRE_TEST PROPERTIES TIMEOUT ${arg_TIMEOUT})
  # Read by CTest after the file that names the tests.
  set(file ${CMAKE_CURRENT_BINARY_DIR}/${target}_labels.cmake)
  file(WRITE ${file} "foreach(test IN LISTS ${target}_TESTS)
  set_tests_properties(\"\${test}\" PROPERTIES LABELS \"${arg_LABELS}\")
endforeach()\n")
  set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES ${file})
  if("tsan" IN_LIST arg_LABELS)
    add_dependencies(tsan_tests ${target})
  endif()
endfunction()
