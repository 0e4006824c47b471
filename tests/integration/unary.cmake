# Needs no gRPC library, so that ThreadSanitizer can watch it.
add_executable(unary_surfaces_test unary_surfaces_test.cc)
target_link_libraries(unary_surfaces_test PRIVATE
  crier_flags crier_grpc crier_test_http2 crier_test_websocket absl::strings GTest::gmock
  GTest::gtest_main)
crier_discover_tests(unary_surfaces_test LABELS integration tsan TIMEOUT 120)
