add_library(crier_test_loopback STATIC loopback.cc)
target_link_libraries(crier_test_loopback PUBLIC crier_flags)

add_library(crier_test_child STATIC child_process.cc)
target_link_libraries(crier_test_child PUBLIC crier_flags GTest::gtest)

if(TARGET crierd)
  add_library(crier_test_process STATIC crierd_process.cc)
  target_link_libraries(crier_test_process PUBLIC crier_flags crier_test_child crier_test_loopback
                                                  GTest::gtest)
  target_compile_definitions(crier_test_process PRIVATE CRIERD_PATH="$<TARGET_FILE:crierd>")
  add_dependencies(crier_test_process crierd)
endif()
