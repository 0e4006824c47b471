# The guard's limits are for the release build, and its counting needs glibc: docs/guard.md.
if(CMAKE_BUILD_TYPE STREQUAL RelWithDebInfo AND CMAKE_CXX_COMPILER_ID STREQUAL GNU
   AND NOT CRIER_SANITIZE)
  add_executable(guard guard.cc guard_clients.cc guard_server.cc allocations.cc)
  target_link_libraries(guard PRIVATE crier_flags crier_websocket crier_grpc)
  # Linked like the server, so that the counted code is the code that runs.
  crier_link_statically(guard)

  add_test(NAME guard COMMAND ${PROJECT_SOURCE_DIR}/scripts/guard)
  # Alone: what others do at the same time changes how often a burst is cut in two.
  set_tests_properties(guard PROPERTIES LABELS guard TIMEOUT 300 RUN_SERIAL ON SKIP_RETURN_CODE 77
    ENVIRONMENT "GUARD=$<TARGET_FILE:guard>;PYTHONDONTWRITEBYTECODE=1")
endif()
