# Where Google Benchmark is installed; not part of the default build: ninja codec_bench.
find_package(benchmark QUIET)
if(benchmark_FOUND)
  add_executable(codec_bench EXCLUDE_FROM_ALL codec_bench.cc)
  target_link_libraries(codec_bench PRIVATE crier_flags crier_codec Boost::json
                                            benchmark::benchmark_main)
endif()
