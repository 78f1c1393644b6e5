/* Makes every allocation of a call fail, one after another: the call must say so, and leak nothing (seen under asan).
 */
#ifndef PG_TESTS_SWEEP_H
#define PG_TESTS_SWEEP_H

#include <jansson.h>

#include "check.h"

#include "base/file.h"
#include "base/memory.h"

static bool sweep_with_json;

static inline void *sweep_json_alloc(size_t size)
{
    return pg_alloc(size, 1);
}

/* From now on jansson's allocations fail as well. It takes some of its own failures for malformed documents. */
static inline void sweep_include_json(void)
{
    sweep_with_json = true;
    json_set_alloc_funcs(sweep_json_alloc, pg_free);
}

/* `call` is tried until it succeeds. */
#define CHECK_SWEEP(call) SWEEP_BY(n + 1, call)

/* The same for calls with thousands of allocations that take long: later ones fail a fortieth further on each time. */
#define CHECK_COARSE_SWEEP(call) SWEEP_BY(n + 1 + n / 40, call)

#define SWEEP_BY(next, call)                                                                  \
    do {                                                                                      \
        pg_status sweep_status = PG_ERROR_MEMORY;                                             \
        pg_file_set_sync(false);                                                              \
        for (long n = 1; sweep_status != PG_OK; n = (next)) {                                 \
            pg_memory_fail_from(n);                                                           \
            sweep_status = (call);                                                            \
            pg_memory_fail_from(0);                                                           \
            if (sweep_status != PG_OK && sweep_status != PG_ERROR_MEMORY &&                   \
                !(sweep_with_json && sweep_status == PG_ERROR_FORMAT))                        \
                fail_msg("allocation %ld: status %d (%s)", n, sweep_status, pg_error_last()); \
            assert_in_range(n, 1, 100000);                                                    \
        }                                                                                     \
        pg_file_set_sync(true);                                                               \
    } while (0)

#endif
