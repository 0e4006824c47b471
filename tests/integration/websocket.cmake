# Needs no gRPC, so that ThreadSanitizer can watch it.
function(crier_websocket_test name)
  add_executable(${name} ${name}.cc)
  target_link_libraries(${name} PRIVATE crier_flags crier_test_websocket ${ARGN} GTest::gmock
                                        GTest::gtest_main)
  crier_discover_tests(${name} LABELS integration tsan TIMEOUT 120)
endfunction()

crier_websocket_test(http_trust_test)
crier_websocket_test(unary_http_test ZLIB::ZLIB)
crier_websocket_test(websocket_dialect_test)
crier_websocket_test(websocket_exceptions_test)
crier_websocket_test(websocket_http_test)
crier_websocket_test(websocket_k6_test)
crier_websocket_test(websocket_limits_test ZLIB::ZLIB)
crier_websocket_test(websocket_model_dialects_test ZLIB::ZLIB)
crier_websocket_test(websocket_reading_test ZLIB::ZLIB)
crier_websocket_test(websocket_stream_test)

# The conformance suite of our own (RFC 6455, RFC 7692). CRIER_SEED repeats how its bytes were cut.
crier_websocket_test(websocket_conformance_close_test ZLIB::ZLIB)
crier_websocket_test(websocket_conformance_deflate_test ZLIB::ZLIB)
crier_websocket_test(websocket_conformance_framing_test ZLIB::ZLIB)
crier_websocket_test(websocket_conformance_text_test ZLIB::ZLIB)
