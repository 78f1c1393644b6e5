/* Failures: a status travels up, the text is set once where it happens (thread-local; see pg_error_last). */
#ifndef PG_BASE_STATUS_H
#define PG_BASE_STATUS_H

#include <paligemma.h>

/* Sets the thread's error text and returns `status`. The text is one line: "FILE: what: found X, expected Y". */
pg_status pg_fail(pg_status status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same with ": " and the text of errno at the end. */
pg_status pg_fail_errno(pg_status status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Puts "context: " in front of the error text and returns `status`, for a caller that knows more than the callee. */
pg_status pg_fail_context(pg_status status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* PG_ERROR_MEMORY with the size that could not be had. */
pg_status pg_fail_memory(size_t size);

/* A checker that sees one file at a time learns from these that what pg_fail returns is the status that it was given:
 * behind PG_TRY, results are there. */
static inline pg_status pg_same_status(pg_status status, pg_status returned)
{
    (void)returned;
    return status;
}
#define pg_fail(status, ...)         pg_same_status(status, pg_fail(status, __VA_ARGS__))
#define pg_fail_errno(status, ...)   pg_same_status(status, pg_fail_errno(status, __VA_ARGS__))
#define pg_fail_context(status, ...) pg_same_status(status, pg_fail_context(status, __VA_ARGS__))

/* Passes a failure up. PG_TRY_GOTO jumps to `done` instead, with `status` set. */
#define PG_TRY(call)                      \
    do {                                  \
        pg_status pg_try_status = (call); \
        if (pg_try_status != PG_OK)       \
            return pg_try_status;         \
    } while (0)

#define PG_TRY_GOTO(call)               \
    do {                                \
        if ((status = (call)) != PG_OK) \
            goto done;                  \
    } while (0)

#endif
