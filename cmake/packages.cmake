# Debian packages, one for each component of install.cmake: ./build.sh packages, or cpack in a build folder of the preset
# "packages". A further package is one more call of add_debian_package.
set(CPACK_GENERATOR DEB)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_GROUPING IGNORE)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "") # else it would stand before each package's own
set(CPACK_PACKAGE_CONTACT "paligemma's maintainers <maintainers@paligemma.invalid>")
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${CMAKE_BINARY_DIR})
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS_POLICY =)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_PRE_BUILD_SCRIPTS ${CMAKE_SOURCE_DIR}/cmake/debian/compress.cmake)
set(PG_DEBIAN_VERSION ${PROJECT_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE})
get_target_property(PG_SOVERSION libpaligemma SOVERSION)

# COMPONENT NAME SECTION SUMMARY TEXT [DEPENDS PACKAGES] [RECOMMENDS PACKAGES] [SUGGESTS PACKAGES] [ANY_MACHINE]
function(add_debian_package component name section summary text)
  cmake_parse_arguments(PACKAGE "ANY_MACHINE" "DEPENDS;RECOMMENDS;SUGGESTS" "" ${ARGN})
  string(TOUPPER ${component} key)
  set(CPACK_DEBIAN_${key}_PACKAGE_NAME ${name} PARENT_SCOPE)
  set(CPACK_DEBIAN_${key}_PACKAGE_SECTION ${section} PARENT_SCOPE)
  set(CPACK_DEBIAN_${key}_PACKAGE_DEPENDS "${PACKAGE_DEPENDS}" PARENT_SCOPE)
  set(CPACK_DEBIAN_${key}_PACKAGE_RECOMMENDS "${PACKAGE_RECOMMENDS}" PARENT_SCOPE)
  set(CPACK_DEBIAN_${key}_PACKAGE_SUGGESTS "${PACKAGE_SUGGESTS}" PARENT_SCOPE)
  set(CPACK_DEBIAN_${key}_DESCRIPTION "${summary}\n${text}" PARENT_SCOPE)
  if(PACKAGE_ANY_MACHINE)
    set(CPACK_DEBIAN_${key}_PACKAGE_ARCHITECTURE all PARENT_SCOPE)
    set(CPACK_DEBIAN_${key}_PACKAGE_SHLIBDEPS OFF PARENT_SCOPE)
  endif()
  set(CPACK_COMPONENTS_ALL ${CPACK_COMPONENTS_ALL} ${component} PARENT_SCOPE)
  # What every Debian package has under its own name; cpack compresses the changelogs.
  set(folder ${CMAKE_INSTALL_DATADIR}/doc/${name})
  configure_file(cmake/debian/changelog.in ${CMAKE_BINARY_DIR}/debian/${name}/changelog.Debian @ONLY)
  install(FILES cmake/debian/copyright DESTINATION ${folder} RENAME copyright COMPONENT ${component} EXCLUDE_FROM_ALL)
  install(FILES ${CMAKE_BINARY_DIR}/debian/${name}/changelog.Debian DESTINATION ${folder} COMPONENT ${component}
          EXCLUDE_FROM_ALL)
  install(FILES CHANGELOG.md DESTINATION ${folder} RENAME changelog COMPONENT ${component} EXCLUDE_FROM_ALL)
endfunction()

set(PG_LIBRARY_PACKAGE "libpaligemma${PG_SOVERSION} (= ${PG_DEBIAN_VERSION})")
string(TIMESTAMP PG_DEBIAN_DATE "%a, %d %b %Y %H:%M:%S +0000" UTC) # that of SOURCE_DATE_EPOCH, where it is set
set(CPACK_COMPONENTS_ALL)
if(PG_HAS_MODELS)
  set(PG_MODELS_PACKAGE paligemma-models)
  add_debian_package(models paligemma-models science "small PaliGemma and SigLIP models"
    "The models that paligemma uses where none is named: they know scenes of emoji." ANY_MACHINE)
endif()
add_debian_package(program paligemma science "run, train and measure PaliGemma models"
  "PaliGemma answers prompts about pictures: captions, questions, text in
pictures, boxes and masks. This is the program: it reads models in their
published layout, trains and adapts them, measures and quantises them."
  DEPENDS "${PG_LIBRARY_PACKAGE}" RECOMMENDS "${PG_MODELS_PACKAGE}")
add_debian_package(library libpaligemma${PG_SOVERSION} libs "PaliGemma, SigLIP and Gemma as a library"
  "The library in C that the program paligemma is made of: models of vision and
language, their training and measures.")
set(CPACK_DEBIAN_LIBRARY_PACKAGE_CONTROL_EXTRA ${CMAKE_SOURCE_DIR}/cmake/debian/triggers)
add_debian_package(development libpaligemma-dev libdevel "PaliGemma, SigLIP and Gemma as a library, for development"
  "The header paligemma.h, and files for pkg-config and CMake."
  DEPENDS "${PG_LIBRARY_PACKAGE}")
install(FILES examples/caption.c DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/libpaligemma-dev/examples
        COMPONENT development EXCLUDE_FROM_ALL)

# For the distribution's python3, over the library's package; pip's wheel has a library of its own.
set(folder lib/python3/dist-packages)
configure_file(cmake/debian/python/METADATA.in ${CMAKE_BINARY_DIR}/debian/python3-paligemma/METADATA @ONLY)
file(WRITE ${CMAKE_BINARY_DIR}/debian/python3-paligemma/INSTALLER "debian\n")
install(DIRECTORY python/paligemma DESTINATION ${folder} COMPONENT python EXCLUDE_FROM_ALL
        PATTERN __pycache__ EXCLUDE)
install(FILES ${CMAKE_BINARY_DIR}/debian/python3-paligemma/METADATA ${CMAKE_BINARY_DIR}/debian/python3-paligemma/INSTALLER
        DESTINATION ${folder}/paligemma-${PROJECT_VERSION}.dist-info COMPONENT python EXCLUDE_FROM_ALL)
string(JOIN ", " recommended ${PG_MODELS_PACKAGE} python3-pil)
add_debian_package(python python3-paligemma python "PaliGemma, SigLIP and Gemma in Python"
  "Models of vision and language, run and trained by libpaligemma, with a plain
interface and that of the library transformers. Pictures, texts and arrays in;
captions, boxes, masks, embeddings and hidden states out."
  DEPENDS "${PG_LIBRARY_PACKAGE}, python3 (>= 3.9), python3-numpy" RECOMMENDS "${recommended}"
  SUGGESTS "python3-pandas" ANY_MACHINE)
set(CPACK_DEBIAN_PYTHON_PACKAGE_CONTROL_EXTRA ${CMAKE_SOURCE_DIR}/cmake/debian/python/postinst
    ${CMAKE_SOURCE_DIR}/cmake/debian/python/prerm)
include(CPack)
