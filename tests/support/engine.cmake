add_library(crier_test_engine STATIC fake_client.cc)
target_link_libraries(crier_test_engine PUBLIC crier_engine GTest::gmock)
