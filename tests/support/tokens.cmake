add_library(crier_test_tokens STATIC tokens.cc)
    target_link_libraries(crier_test_tokens PUBLIC crier_token OpenSSL::Crypto PRIVATE GTest::gtest)
