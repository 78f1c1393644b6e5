# Warnings, sanitizers and coverage for every target of this project.
add_library(pg_warnings INTERFACE)
target_compile_options(pg_warnings INTERFACE -Wall -Wextra -Wshadow -Wvla -Wstrict-prototypes -Wmissing-prototypes
                       -Wpointer-arith -Wundef -Wno-psabi -fno-math-errno -fno-trapping-math)
if(PG_SANITIZE)
  target_compile_options(pg_warnings INTERFACE -fsanitize=${PG_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(pg_warnings INTERFACE -fsanitize=${PG_SANITIZE})
endif()
if(PG_FUZZERS) # libFuzzer steers by the branches that an input takes
  target_compile_options(pg_warnings INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(PG_COVERAGE)
  target_compile_options(pg_warnings INTERFACE --coverage)
  target_link_options(pg_warnings INTERFACE --coverage)
endif()
