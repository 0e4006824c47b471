# The guard's limits are for the build that is shipped, and its way to count for glibc: docs/guard.md.
if(CMAKE_BUILD_TYPE STREQUAL RelWithDebInfo AND CMAKE_CXX_COMPILER_ID STREQUAL GNU
   AND NOT CRIER_SANITIZE)
  add_executable(guard guard.cc guard_clients.cc guard_server.cc allocations.cc)
  target_link_libraries(guard PRIVATE crier_flags crier_websocket crier_grpc)
  # As the server is, so that what is counted is what runs.
  crier_link_statically(guard)

  add_test(NAME guard COMMAND ${PROJECT_SOURCE_DIR}/scripts/guard)
  set_tests_properties(guard PROPERTIES LABELS guard TIMEOUT 300 SKIP_RETURN_CODE 77
    ENVIRONMENT "GUARD=$<TARGET_FILE:guard>;PYTHONDONTWRITEBYTECODE=1")
endif()
