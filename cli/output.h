/*
 * What the commands say: results on stdout, talk and errors ("paligemma: ...", one line each) on stderr. A failed write
 * to stdout is remembered and reported once, at the end.
 */
#ifndef PG_CLI_OUTPUT_H
#define PG_CLI_OUTPUT_H

#include <jansson.h>
#include <paligemma.h>
#include <stdarg.h>

#include "options.h"

/* Goes on at `done` when a call that returns an exit code failed. */
#define PG_CLI_TRY(call)                    \
    do {                                    \
        if ((code = (call)) != PG_CLI_DONE) \
            goto done;                      \
    } while (0)

/* Prints an error; returns PG_CLI_FAILURE. */
int pg_cli_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
void pg_cli_complain(const char *format, va_list arguments) __attribute__((format(printf, 1, 0)));

/* The exit code of a library call, whose error it prints. */
int pg_cli_check(pg_status status);

/* Memory that is there: when there is none, the program ends with a message. Zeroed; freed with free. */
void *pg_cli_alloc(size_t count, size_t size);
void pg_cli_list_add(pg_cli_list *list, const char *item);
char *pg_cli_text(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Makes the standard descriptors exist, so that a file opened later cannot become one of them, and turns SIGPIPE into
 * a failed write. */
void pg_cli_output_init(void);

/* Add to stdout. */
void pg_cli_put(const char *text, size_t size);
void pg_cli_print(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Shows what was printed; false when stdout no longer takes anything. */
bool pg_cli_flush(void);

/* Flushes stdout; `code`, or PG_CLI_FAILURE if any write failed. A reader that went away is not worth a message. */
int pg_cli_output_finish(int code);

/* JSON values; all of them exist. pg_cli_json_text takes any bytes, pg_cli_json_real makes null of what is not finite.
 */
json_t *pg_cli_json_object(void);
json_t *pg_cli_json_array(void);
json_t *pg_cli_json_text(const char *text);
json_t *pg_cli_json_integer(int64_t value);
json_t *pg_cli_json_real(double value);
json_t *pg_cli_json_reals(const float *values, size_t count);
json_t *pg_cli_json_ids(const int32_t *ids, size_t count);

/* Put a value into an object or at the end of an array, which owns it from then on. */
void pg_cli_json_set(json_t *object, const char *key, json_t *value);
void pg_cli_json_append(json_t *array, json_t *value);

/* One line of JSON, freed with free, and the same on stdout; the second frees the value. */
char *pg_cli_json_line(const json_t *value);
void pg_cli_json_print(json_t *value);

/* The same with so many digits that every double comes back. */
void pg_cli_json_print_exact(json_t *value);

#endif
