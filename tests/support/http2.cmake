add_library(crier_test_http2 STATIC http2_client.cc)
target_link_libraries(crier_test_http2 PUBLIC crier_flags crier_test_loopback PkgConfig::NGHTTP2
                                              GTest::gtest)
