# What `cmake --install` lays down. Everything finds its parts relative to itself, so that any --prefix works.
include(CMakePackageConfigHelpers)
set(PG_PACKAGE_FOLDER ${CMAKE_INSTALL_LIBDIR}/cmake/paligemma)
set(PG_PKGCONFIG_FOLDER ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
set(PG_ZSH_FOLDER ${CMAKE_INSTALL_DATADIR}/zsh/site-functions CACHE STRING "Where zsh looks for completions")
mark_as_advanced(PG_ZSH_FOLDER)

set_target_properties(libpaligemma PROPERTIES EXPORT_NAME paligemma)
# A component is a package in cmake/packages.cmake.
install(TARGETS libpaligemma EXPORT paligemma
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library NAMELINK_COMPONENT development)
install(FILES include/paligemma.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT development)
if(TARGET paligemma_cli)
  install(TARGETS paligemma_cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT program)
  install(FILES docs/man/paligemma.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT program)
  install(FILES completions/paligemma.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions
          RENAME paligemma COMPONENT program)
  install(FILES completions/_paligemma DESTINATION ${PG_ZSH_FOLDER} COMPONENT program)
  install(FILES completions/paligemma.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d
          COMPONENT program)
  # It names the program by its whole path, which --prefix decides.
  install(CODE "set(PG_PROGRAM \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_BINDIR}/paligemma\")
    configure_file(${CMAKE_SOURCE_DIR}/cmake/paligemma.service.in ${CMAKE_BINARY_DIR}/paligemma.service @ONLY)"
          COMPONENT program)
  install(FILES ${CMAKE_BINARY_DIR}/paligemma.service DESTINATION lib/systemd/system COMPONENT program)
endif()

# The models that ship, where they are in the tree.
foreach(model world world-siglip)
  if(EXISTS ${CMAKE_SOURCE_DIR}/models/${model}/config.json)
    install(DIRECTORY models/${model} DESTINATION ${CMAKE_INSTALL_DATADIR}/paligemma/models COMPONENT models)
    set(PG_HAS_MODELS ON)
  endif()
endforeach()

# find_package(paligemma)
configure_package_config_file(cmake/paligemmaConfig.cmake.in ${CMAKE_BINARY_DIR}/paligemmaConfig.cmake
                              INSTALL_DESTINATION ${PG_PACKAGE_FOLDER})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/paligemmaConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(EXPORT paligemma NAMESPACE paligemma:: FILE paligemmaTargets.cmake DESTINATION ${PG_PACKAGE_FOLDER}
        COMPONENT development)
install(FILES ${CMAKE_BINARY_DIR}/paligemmaConfig.cmake ${CMAKE_BINARY_DIR}/paligemmaConfigVersion.cmake
        DESTINATION ${PG_PACKAGE_FOLDER} COMPONENT development)

# pkg-config paligemma
file(RELATIVE_PATH PG_PREFIX_FROM_PKGCONFIG /prefix/${PG_PKGCONFIG_FOLDER} /prefix)
string(REGEX REPLACE "/$" "" PG_PREFIX_FROM_PKGCONFIG ${PG_PREFIX_FROM_PKGCONFIG})
configure_file(cmake/paligemma.pc.in ${CMAKE_BINARY_DIR}/paligemma.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/paligemma.pc DESTINATION ${PG_PKGCONFIG_FOLDER} COMPONENT development)
