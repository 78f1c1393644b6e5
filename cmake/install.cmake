# What `cmake --install` lays down. Everything finds its parts relative to itself, so that any --prefix works.
include(CMakePackageConfigHelpers)
set(PG_PACKAGE_FOLDER ${CMAKE_INSTALL_LIBDIR}/cmake/paligemma)
set(PG_PKGCONFIG_FOLDER ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

set_target_properties(libpaligemma PROPERTIES EXPORT_NAME paligemma)
install(TARGETS libpaligemma EXPORT paligemma
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library NAMELINK_COMPONENT development)
install(FILES include/paligemma.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
if(TARGET paligemma_cli)
  install(TARGETS paligemma_cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  install(FILES docs/man/paligemma.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
  install(FILES completions/paligemma.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions
          RENAME paligemma)
endif()

# The models that ship, where they are in the tree.
foreach(model world world-siglip)
  if(EXISTS ${CMAKE_SOURCE_DIR}/models/${model}/config.json)
    install(DIRECTORY models/${model} DESTINATION ${CMAKE_INSTALL_DATADIR}/paligemma/models COMPONENT models)
  endif()
endforeach()

# find_package(paligemma)
configure_package_config_file(cmake/paligemmaConfig.cmake.in ${CMAKE_BINARY_DIR}/paligemmaConfig.cmake
                              INSTALL_DESTINATION ${PG_PACKAGE_FOLDER})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/paligemmaConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(EXPORT paligemma NAMESPACE paligemma:: FILE paligemmaTargets.cmake DESTINATION ${PG_PACKAGE_FOLDER})
install(FILES ${CMAKE_BINARY_DIR}/paligemmaConfig.cmake ${CMAKE_BINARY_DIR}/paligemmaConfigVersion.cmake
        DESTINATION ${PG_PACKAGE_FOLDER})

# pkg-config paligemma
file(RELATIVE_PATH PG_PREFIX_FROM_PKGCONFIG /prefix/${PG_PKGCONFIG_FOLDER} /prefix)
string(REGEX REPLACE "/$" "" PG_PREFIX_FROM_PKGCONFIG ${PG_PREFIX_FROM_PKGCONFIG})
configure_file(cmake/paligemma.pc.in ${CMAKE_BINARY_DIR}/paligemma.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/paligemma.pc DESTINATION ${PG_PKGCONFIG_FOLDER})
