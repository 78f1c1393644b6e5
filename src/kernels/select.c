/* Which table runs: the best one that the CPU has, at most the one that PG_ISA names. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/reference.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

extern const pg_kernels pg_avx2_kernels, pg_avx512_kernels, pg_avx512vnni_kernels, pg_avx512bf16_kernels;
#if defined(PG_HAVE_AVXVNNI)
extern const pg_kernels pg_avxvnni_kernels;
#endif
#if defined(PG_HAVE_AMX)
extern const pg_kernels pg_amx_kernels;
#endif
#elif defined(__aarch64__)
#include <sys/auxv.h>

extern const pg_kernels pg_neon_kernels, pg_neondot_kernels, pg_neonbf16_kernels;
#endif

/* In order of preference, the reference first; filled once. */
static const pg_kernels *tables[9];
static int table_count;

#if defined(__x86_64__)
/* Features that clang's __builtin_cpu_supports does not know. */
static bool has_f16c(void)
{
    unsigned a, b, c, d;
    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
}

/* A bit of EAX in the second part of the extended features. */
static bool has_extended(unsigned bit)
{
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & bit);
}

#if defined(PG_HAVE_AMX)
/* In EDX of the extended features. */
#define AMX_BF16 (1u << 22)
#define AMX_TILE (1u << 24)
#define AMX_INT8 (1u << 25)

#define REQUEST_STATE 0x1023 /* ARCH_REQ_XCOMP_PERM, <asm/prctl.h> */
#define TILE_DATA     18     /* of the parts of a process's extended state */

/* Tiles of matrices, which the system keeps for a process only once it has asked for them (Linux 5.16). */
static bool has_amx(void)
{
    const unsigned needed = AMX_BF16 | AMX_TILE | AMX_INT8;
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d & needed) == needed &&
           syscall(SYS_arch_prctl, REQUEST_STATE, TILE_DATA) == 0;
}
#endif

#define AVX_VNNI    (1u << 4)
#define AVX512_BF16 (1u << 5)

static bool has_avx512(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
}

/* Each table needs the one before it too; AVX-VNNI alone is apart. */
static void find_x86_tables(void)
{
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") || !has_f16c())
        return;
    tables[table_count++] = &pg_avx2_kernels;
#if defined(PG_HAVE_AVXVNNI)
    if (has_extended(AVX_VNNI))
        tables[table_count++] = &pg_avxvnni_kernels;
#endif
    if (!has_avx512())
        return;
    tables[table_count++] = &pg_avx512_kernels;
    if (!__builtin_cpu_supports("avx512vnni"))
        return;
    tables[table_count++] = &pg_avx512vnni_kernels;
    if (!has_extended(AVX512_BF16))
        return;
    tables[table_count++] = &pg_avx512bf16_kernels;
#if defined(PG_HAVE_AMX)
    if (has_amx())
        tables[table_count++] = &pg_amx_kernels;
#endif
}
#endif

#if defined(__aarch64__)
/* What the kernel says of the processor, <asm/hwcap.h>. */
#define HAS_DOT_PRODUCTS (1ul << 20) /* in AT_HWCAP */
#define HAS_BF16         (1ul << 14) /* in AT_HWCAP2 */

/* NEON is part of the architecture; each table needs the one before it too. */
static void find_arm_tables(void)
{
    tables[table_count++] = &pg_neon_kernels;
    if (!(getauxval(AT_HWCAP) & HAS_DOT_PRODUCTS))
        return;
    tables[table_count++] = &pg_neondot_kernels;
    if (getauxval(AT_HWCAP2) & HAS_BF16)
        tables[table_count++] = &pg_neonbf16_kernels;
}
#endif

static void find_tables(void)
{
    tables[table_count++] = &pg_reference_kernels;
#if defined(__x86_64__)
    __builtin_cpu_init();
    find_x86_tables();
#elif defined(__aarch64__)
    find_arm_tables();
#endif
}

const pg_kernels *pg_kernels_at(int index)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, find_tables);
    return index < table_count ? tables[index] : NULL;
}

const pg_kernels *pg_kernels_best(void)
{
    const char *limit = getenv("PG_ISA");
    const pg_kernels *best = pg_kernels_at(0);
    for (int i = 0; pg_kernels_at(i); i++) {
        best = pg_kernels_at(i);
        if (limit && !strcmp(limit, best->name))
            break;
    }
    return best;
}

pg_status pg_kernels_check_limit(void)
{
    static const char *const names[] = {"ref",        "avx2", "avxvnni", "avx512",  "avx512vnni",
                                        "avx512bf16", "amx",  "neon",    "neondot", "neonbf16"};
    const char *limit = getenv("PG_ISA");
    for (size_t i = 0; limit && i < sizeof names / sizeof *names; i++)
        if (!strcmp(limit, names[i]))
            limit = NULL;
    return limit
               ? pg_fail(PG_ERROR_ARGUMENT,
                         "the environment variable PG_ISA is \"%s\", expected ref, avx2, avxvnni, avx512, avx512vnni, "
                         "avx512bf16, amx, neon, neondot or neonbf16",
                         limit)
               : PG_OK;
}

const char *pg_isa(void)
{
    return pg_kernels_best()->name;
}
