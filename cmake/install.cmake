# What `cmake --install` lays down.
install(TARGETS libpaligemma EXPORT paligemma LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES include/paligemma.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
