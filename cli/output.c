/* Errors, memory, stdout and JSON for all commands. */
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* errno of the first write to stdout that failed; 0: none did. */
static int write_error;

void pg_cli_complain(const char *format, va_list arguments)
{
    char text[1200];
    vsnprintf(text, sizeof text, format, arguments);
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = ' '; /* what the user or a file named must not break the line or drive the terminal */
    fprintf(stderr, "paligemma: %s\n", text);
}

int pg_cli_fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    pg_cli_complain(format, arguments);
    va_end(arguments);
    return PG_CLI_FAILURE;
}

int pg_cli_check(pg_status status)
{
    return status == PG_OK ? PG_CLI_DONE : pg_cli_fail("%s", pg_error_last());
}

/* Passes `memory` on, or ends the program where there is none. */
static void *require(void *memory)
{
    if (!memory)
        exit(pg_cli_fail("out of memory"));
    return memory;
}

void *pg_cli_alloc(size_t count, size_t size)
{
    return require(calloc(count ? count : 1, size ? size : 1));
}

void pg_cli_list_add(pg_cli_list *list, const char *item)
{
    list->items = require(reallocarray(list->items, list->count + 1, sizeof *list->items));
    list->items[list->count++] = item;
}

char *pg_cli_text(const char *format, ...)
{
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    return require(length < 0 ? NULL : text);
}

void pg_cli_output_init(void)
{
    /* The wrong way round, so that using a descriptor that the caller had closed remains an error. */
    static const int modes[] = {O_WRONLY, O_RDONLY, O_WRONLY};
    for (int fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            open("/dev/null", modes[fd]);
    signal(SIGPIPE, SIG_IGN);
}

void pg_cli_put(const char *text, size_t size)
{
    if (write_error == 0 && fwrite(text, 1, size, stdout) != size)
        write_error = errno;
}

void pg_cli_print(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (write_error == 0 && vprintf(format, arguments) < 0)
        write_error = errno;
    va_end(arguments);
}

bool pg_cli_flush(void)
{
    if (write_error == 0 && fflush(stdout) != 0)
        write_error = errno;
    return write_error == 0;
}

int pg_cli_output_finish(int code)
{
    if (pg_cli_flush())
        return code;
    if (write_error != EPIPE)
        pg_cli_fail("standard output: %s", strerror(write_error));
    return PG_CLI_FAILURE;
}

json_t *pg_cli_json_object(void)
{
    return require(json_object());
}

json_t *pg_cli_json_array(void)
{
    return require(json_array());
}

/* File names need not be UTF-8, but JSON must be. */
json_t *pg_cli_json_text(const char *text)
{
    json_t *value = json_string(text);
    if (value)
        return value;
    char *copy = pg_cli_text("%s", text);
    for (char *c = copy; *c; c++)
        if ((unsigned char)*c >= 0x80)
            *c = '?';
    value = require(json_string(copy));
    free(copy);
    return value;
}

json_t *pg_cli_json_integer(int64_t value)
{
    return require(json_integer(value));
}

json_t *pg_cli_json_real(double value)
{
    return isfinite(value) ? require(json_real(value)) : json_null();
}

json_t *pg_cli_json_reals(const float *values, size_t count)
{
    json_t *array = pg_cli_json_array();
    for (size_t i = 0; i < count; i++)
        pg_cli_json_append(array, pg_cli_json_real(values[i]));
    return array;
}

json_t *pg_cli_json_ids(const int32_t *ids, size_t count)
{
    json_t *array = pg_cli_json_array();
    for (size_t i = 0; i < count; i++)
        pg_cli_json_append(array, pg_cli_json_integer(ids[i]));
    return array;
}

void pg_cli_json_set(json_t *object, const char *key, json_t *value)
{
    require(json_object_set_new(object, key, value) == 0 ? object : NULL);
}

void pg_cli_json_append(json_t *array, json_t *value)
{
    require(json_array_append_new(array, value) == 0 ? array : NULL);
}

/* Nine digits bring back every float. */
char *pg_cli_json_line(const json_t *value)
{
    return require(json_dumps(value, JSON_REAL_PRECISION(9)));
}

static void print_line(char *line, json_t *value)
{
    pg_cli_print("%s\n", line);
    free(line);
    json_decref(value);
}

void pg_cli_json_print(json_t *value)
{
    print_line(pg_cli_json_line(value), value);
}

void pg_cli_json_print_exact(json_t *value)
{
    print_line(require(json_dumps(value, JSON_REAL_PRECISION(17))), value);
}
