add_library(crier_test_redis STATIC redis_server.cc)
target_link_libraries(crier_test_redis PUBLIC crier_flags crier_test_child crier_test_tls
                                              PkgConfig::HIREDIS GTest::gtest)
