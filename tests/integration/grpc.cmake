add_executable(grpc_integration_test
  grpc_messaging_test.cc grpc_subscribe_test.cc grpc_unary_test.cc grpc_limits_test.cc
  grpc_lifecycle_test.cc grpc_slow_consumer_test.cc)
target_link_libraries(grpc_integration_test PRIVATE crier_test_grpc crier_test_engine GTest::gtest_main)
gtest_discover_tests(grpc_integration_test PROPERTIES LABELS integration TIMEOUT 120)

# Needs no gRPC library, so that ThreadSanitizer can watch it.
add_executable(grpc_protocol_test
  grpc_attacks_test.cc grpc_protocol_test.cc grpc_connection_test.cc grpc_exceptions_test.cc grpc_flow_test.cc
  grpc_services_test.cc)
target_link_libraries(grpc_protocol_test PRIVATE
  crier_flags crier_test_grpc_server crier_test_http2 absl::strings ZLIB::ZLIB GTest::gmock
  GTest::gtest_main)
crier_discover_tests(grpc_protocol_test LABELS integration tsan TIMEOUT 120)
