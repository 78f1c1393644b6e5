# What `cmake --install` lays down.
install(TARGETS libpaligemma EXPORT paligemma LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES include/paligemma.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
if(TARGET paligemma_cli)
  install(TARGETS paligemma_cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  install(FILES docs/man/paligemma.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
  install(FILES completions/paligemma.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions
          RENAME paligemma)
endif()
