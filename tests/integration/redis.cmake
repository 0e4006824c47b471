# Against a redis-server of the test's own.
function(crier_redis_test name)
  add_executable(${name} ${name}.cc)
  target_link_libraries(${name} PRIVATE crier_flags crier_redis crier_test_redis GTest::gmock
                                        GTest::gtest_main)
  crier_discover_tests(${name} LABELS integration TIMEOUT 120)
endfunction()

crier_redis_test(redis_client_test)
crier_redis_test(redis_link_test)
crier_redis_test(redis_subscriber_test)

# Engines on a Redis of the test's own.
function(crier_cluster_test name)
  add_executable(${name} ${name}.cc)
  target_link_libraries(${name} PRIVATE crier_flags crier_cluster crier_test_engine crier_test_redis
                                        GTest::gmock GTest::gtest_main)
  crier_discover_tests(${name} LABELS integration TIMEOUT 120)
endfunction()

crier_cluster_test(bus_contract_test)
crier_cluster_test(cluster_presence_test)
crier_cluster_test(cluster_eviction_test)
