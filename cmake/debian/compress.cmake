# Run by cpack before it packs the folders of the components: Debian wants man pages and changelogs compressed, without
# the time at which that was done.
set(folders "${CPACK_TEMPORARY_DIRECTORY}/*${CPACK_PACKAGING_INSTALL_PREFIX}/share")
file(GLOB files "${folders}/man/man*/*" "${folders}/doc/*/changelog*")
foreach(file ${files})
  execute_process(COMMAND gzip -9n ${file} RESULT_VARIABLE result)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "${file} could not be compressed")
  endif()
endforeach()
