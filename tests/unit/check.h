/* What unit tests share: cmocka with its required headers, and status checks that print the error text. */
#ifndef PG_TESTS_CHECK_H
#define PG_TESTS_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/status.h"

#define CHECK_OK(call)                                  \
    do {                                                \
        pg_status check_status = (call);                \
        if (check_status != PG_OK)                      \
            fail_msg("%s: %s", #call, pg_error_last()); \
    } while (0)

/* The call must fail with this status and a text that contains `part`. */
#define CHECK_FAILS(call, expected, part)                                                                \
    do {                                                                                                 \
        pg_status check_status = (call);                                                                 \
        if (check_status != (expected))                                                                  \
            fail_msg("%s: status %d (%s), expected %d", #call, check_status, pg_error_last(), expected); \
        if (!strstr(pg_error_last(), part))                                                              \
            fail_msg("%s: \"%s\" does not contain \"%s\"", #call, pg_error_last(), part);                \
    } while (0)

#endif
