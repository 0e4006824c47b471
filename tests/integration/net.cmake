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
  crier_integration_test(start_refusals_test crier_test_process crier_test_tls)
  crier_integration_test(descriptors_test crier_test_process crier_test_grpc)
  crier_integration_test(tool_test crier_test_process)
  target_compile_definitions(tool_test PRIVATE CRIER_PATH="$<TARGET_FILE:crier>")
  add_dependencies(tool_test crier)
  crier_integration_test(keys_test crier_test_process crier_test_tokens crier_test_websocket)
  add_executable(admin_test admin_calls_test.cc admin_fixture.cc admin_listener_test.cc
                            admin_streams_test.cc)
  target_link_libraries(admin_test PRIVATE crier_flags crier_test_process crier_test_grpc
                        crier_test_tokens crier_test_websocket GTest::gmock GTest::gtest_main)
  gtest_discover_tests(admin_test DISCOVERY_MODE PRE_TEST PROPERTIES LABELS integration TIMEOUT 120)
  crier_integration_test(pause_test crier_test_process crier_test_http2 crier_test_websocket)
  # Sanitizers have a memory of their own.
  if(NOT CRIER_SANITIZE)
    crier_integration_test(memory_test crier_test_process crier_test_websocket)
  endif()
endif()
