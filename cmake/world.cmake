# examples/emoji-world makes the pictures that the shipped models learn from. Built where its packages are
# (./build.sh deps-world installs them): expat comes with others' packages, its names and glyphs do not.
pkg_check_modules(WORLD QUIET IMPORTED_TARGET cairo-ft fontconfig expat)
file(GLOB PG_WORLD_GLYPHS /usr/share/fonts/truetype/noto/NotoColorEmoji*.ttf)
if(WORLD_FOUND AND PG_WORLD_GLYPHS AND EXISTS /usr/share/unicode/cldr/common/annotations/en.xml)
  file(GLOB PG_WORLD_SOURCES CONFIGURE_DEPENDS examples/emoji-world/*.c)
  add_executable(emoji-world ${PG_WORLD_SOURCES})
  target_compile_definitions(emoji-world PRIVATE _GNU_SOURCE)
  target_link_libraries(emoji-world PRIVATE pg_warnings PkgConfig::WORLD PkgConfig::JANSSON JPEG::JPEG m)
  # Places of objects must not depend on whether the processor can fuse multiplication and addition.
  target_compile_options(emoji-world PRIVATE -ffp-contract=off)
endif()
