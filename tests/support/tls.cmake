if(TARGET crier_transport)
  add_library(crier_test_tls STATIC certificates.cc tls_peer.cc)
  target_link_libraries(crier_test_tls PUBLIC crier_flags OpenSSL::SSL)
endif()
