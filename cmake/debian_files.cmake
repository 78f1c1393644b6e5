# Run by cpack before it packs the folders of the components: Debian wants man pages and changelogs compressed, without
# the time at which that was done.
file(GLOB_RECURSE pages "${CPACK_TEMPORARY_DIRECTORY}/*/share/man/man*/*")
file(GLOB_RECURSE changelogs "${CPACK_TEMPORARY_DIRECTORY}/*/share/doc/*/changelog"
     "${CPACK_TEMPORARY_DIRECTORY}/*/share/doc/*/changelog.Debian")
foreach(file ${pages} ${changelogs})
  if(NOT file MATCHES "\\.gz$")
    execute_process(COMMAND gzip -9n ${file} RESULT_VARIABLE result)
    if(NOT result EQUAL 0)
      message(FATAL_ERROR "${file} could not be compressed")
    endif()
  endif()
endforeach()
