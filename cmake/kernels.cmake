# src/kernels/simd_*.c, compiled once for each vector instruction set of this processor family.
file(GLOB PG_SIMD_SOURCES CONFIGURE_DEPENDS src/kernels/simd_*.c)
if(PG_SANITIZE) # with what they add to unrolled loops, gcc takes minutes for these at -O2
  set_source_files_properties(src/kernels/simd_product.c src/kernels/simd_quantized.c PROPERTIES COMPILE_OPTIONS -O1)
endif()

function(pg_add_kernels isa)
  add_library(kernels_${isa} OBJECT ${PG_SIMD_SOURCES})
  target_include_directories(kernels_${isa} PRIVATE include src)
  target_compile_definitions(kernels_${isa} PRIVATE PG_ISA=${isa} _GNU_SOURCE)
  target_compile_options(kernels_${isa} PRIVATE ${ARGN} $<$<CONFIG:Release>:-O3> -ffp-contract=fast)
  target_link_libraries(kernels_${isa} PRIVATE pg_warnings)
  target_sources(paligemma_objects INTERFACE $<TARGET_OBJECTS:kernels_${isa}>)
endfunction()

if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  set(PG_AVX512 -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx2 -mfma -mf16c -mprefer-vector-width=512)
  include(CheckCCompilerFlag)
  pg_add_kernels(avx2 -mavx2 -mfma -mf16c)
  check_c_compiler_flag(-mavxvnni PG_HAVE_AVXVNNI) # GCC 11, clang 12
  if(PG_HAVE_AVXVNNI)
    pg_add_kernels(avxvnni -mavx2 -mfma -mf16c -mavxvnni)
    set_property(SOURCE src/kernels/select.c APPEND PROPERTY COMPILE_DEFINITIONS PG_HAVE_AVXVNNI)
  endif()
  pg_add_kernels(avx512 ${PG_AVX512})
  pg_add_kernels(avx512vnni ${PG_AVX512} -mavx512vnni)
  pg_add_kernels(avx512bf16 ${PG_AVX512} -mavx512vnni -mavx512bf16) # what has bf16 has VNNI
  check_c_compiler_flag("-mamx-tile -mamx-bf16 -mamx-int8" PG_HAVE_AMX) # GCC 11, clang 12
  if(PG_HAVE_AMX)
    pg_add_kernels(amx ${PG_AVX512} -mavx512vnni -mavx512bf16 -mamx-tile -mamx-bf16 -mamx-int8)
    set_property(SOURCE src/kernels/select.c APPEND PROPERTY COMPILE_DEFINITIONS PG_HAVE_AMX)
  endif()
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
  pg_add_kernels(neon)
  pg_add_kernels(neondot -march=armv8.2-a+dotprod)
  pg_add_kernels(neonbf16 -march=armv8.2-a+dotprod+bf16)
endif()
