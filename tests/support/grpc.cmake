add_library(crier_test_grpc STATIC grpc_client.cc grpc_fixture.cc)
target_link_libraries(crier_test_grpc PUBLIC crier_flags crier_grpc crier_proto_grpc crier_test_frames GTest::gtest)
