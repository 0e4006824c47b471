# The server alone, for tests that need no gRPC library.
add_library(crier_test_grpc_server STATIC grpc_server_fixture.cc)
target_link_libraries(crier_test_grpc_server PUBLIC crier_flags crier_grpc crier_test_frames
                                                    GTest::gtest)

add_library(crier_test_grpc STATIC grpc_client.cc grpc_fixture.cc)
target_link_libraries(crier_test_grpc PUBLIC crier_test_grpc_server crier_proto_grpc)
