# tpinfer_add_check(NAME MODEL NP [OPTIONS OPTION...] [TIMEOUT SECONDS] [LABELS LABEL...])
#
# Adds the test NAME.np<NP>: runs the known answers that the model file holds
# (mpirun -n NP tpinfer --model MODEL --check OPTION...). It passes when all answers agree.
#   MODEL    a model file; relative to the current source folder
#   NP       ranks; several counts, separated by semicolons, make a test each
#   OPTIONS  more options of tpinfer: --mesh tp=2
#   TIMEOUT  seconds [300]; tpinfer itself ends a run that hangs after --timeout [60]
#   LABELS   of the test, beside "tpinfer"
# The test counts as NP processors, and exit code 77 means skipped. More ranks than cores and root
# are allowed by its environment (Open MPI's variables; other launchers ignore them).
# The launcher is MPIEXEC_EXECUTABLE (of find_package(MPI)), or the one tpinfer was built with.
function(tpinfer_add_check name model ranks)
  cmake_parse_arguments(PARSE_ARGV 3 check "" "TIMEOUT" "OPTIONS;LABELS")
  if(check_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "tpinfer_add_check(${name}): unknown arguments ${check_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT check_TIMEOUT)
    set(check_TIMEOUT 300)
  endif()
  set(launcher "${MPIEXEC_EXECUTABLE}")
  if(NOT launcher)
    set(launcher "${tpinfer_MPIEXEC}")
  endif()
  set(count_flag "${MPIEXEC_NUMPROC_FLAG}")
  if(NOT count_flag)
    set(count_flag -n)
  endif()
  cmake_path(ABSOLUTE_PATH model BASE_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}" NORMALIZE)
  foreach(np IN LISTS ranks)
    if(NOT np MATCHES "^[1-9][0-9]*$")
      message(FATAL_ERROR "tpinfer_add_check(${name}): ${np} is no number of ranks")
    endif()
    set(test "${name}.np${np}")
    add_test(NAME "${test}"
             COMMAND "${launcher}" ${count_flag} ${np} ${MPIEXEC_PREFLAGS} "${tpinfer_EXECUTABLE}"
                     --model "${model}" --check ${check_OPTIONS})
    set_tests_properties("${test}" PROPERTIES
      PROCESSORS ${np} TIMEOUT ${check_TIMEOUT} SKIP_RETURN_CODE 77
      LABELS "tpinfer;${check_LABELS}"
      ENVIRONMENT "OMPI_ALLOW_RUN_AS_ROOT=1;OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1;OMPI_MCA_rmaps_base_oversubscribe=1;OMPI_MCA_mpi_yield_when_idle=1")
  endforeach()
endfunction()
