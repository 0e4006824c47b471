# Precompiled headers for all of our targets: they take a third off the time of a build. One for the
# programs, and one for the tests, which all targets share that are compiled with crier_flags.
# All targets of a folder and those below it.
function(crier_targets_below folder out)
  get_property(targets DIRECTORY ${folder} PROPERTY BUILDSYSTEM_TARGETS)
  get_property(folders DIRECTORY ${folder} PROPERTY SUBDIRECTORIES)
  foreach(below ${folders})
    crier_targets_below(${below} more)
    list(APPEND targets ${more})
  endforeach()
  set(${out} ${targets} PARENT_SCOPE)
endfunction()

# crier_precompile(NAME HEADER FOLDERS FOLDER... [LINK LIBRARY...] [DEFINE MACRO...] [OPTIONS OPTION...]):
# for the targets that are there, which are compiled with these macros and options.
function(crier_precompile name header)
  if(NOT CRIER_PRECOMPILE)
    return()
  endif()
  cmake_parse_arguments(of "" "" "FOLDERS;LINK;DEFINE;OPTIONS" ${ARGN})
  set(targets)
  foreach(folder ${of_FOLDERS})
    crier_targets_below(${PROJECT_SOURCE_DIR}/${folder} below)
    list(APPEND targets ${below})
  endforeach()
  add_library(${name} OBJECT ${PROJECT_SOURCE_DIR}/scripts/cmake/precompiled.cc)
  target_link_libraries(${name} PRIVATE crier_flags crier_proto absl::strings absl::statusor ${of_LINK})
  target_precompile_headers(${name} PRIVATE ${PROJECT_SOURCE_DIR}/scripts/cmake/${header})
  foreach(target ${targets})
    get_target_property(type ${target} TYPE)
    get_target_property(libraries ${target} LINK_LIBRARIES)
    get_target_property(sources ${target} SOURCES)
    # Generated code, C, and what is no code have other options, or none.
    if(type MATCHES "INTERFACE|UTILITY" OR NOT libraries OR sources MATCHES "\\.pb\\.cc|\\.c(;|$)")
      continue()
    endif()
    target_precompile_headers(${target} REUSE_FROM ${name})
    # What the header takes, wherever it is included.
    add_dependencies(${target} crier_proto)
    target_include_directories(${target} SYSTEM PRIVATE
      $<TARGET_PROPERTY:crier_proto,INTERFACE_INCLUDE_DIRECTORIES>)
    target_compile_definitions(${target} PRIVATE ${of_DEFINE})
    target_compile_options(${target} PRIVATE ${of_OPTIONS})
  endforeach()
endfunction()
