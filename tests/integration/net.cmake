# crier_integration_test(NAME LIBRARIES...): the test program NAME from NAME.cc, one CTest test per
# TEST.
function(crier_integration_test name)
  add_executable(${name} ${name}.cc)
  target_link_libraries(${name} PRIVATE crier_flags ${ARGN} GTest::gmock GTest::gtest_main)
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST PROPERTIES LABELS integration TIMEOUT 120)
endfunction()

# The real program, as a child process.
if(TARGET crierd)
  crier_integration_test(manners_test crier_test_process)
  crier_integration_test(descriptors_test crier_test_process crier_test_grpc)
endif()
