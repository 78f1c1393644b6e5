/* The thread's last error text. */
#include "base/status.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/reals.h"

#define TEXT_SIZE 1024

static _Thread_local char last[TEXT_SIZE];

const char *pg_error_last(void)
{
    return last;
}

const char *pg_status_name(pg_status status)
{
    switch (status) {
    case PG_OK: return "success";
    case PG_ERROR_ARGUMENT: return "invalid argument";
    case PG_ERROR_MEMORY: return "out of memory";
    case PG_ERROR_FILE: return "file error";
    case PG_ERROR_FORMAT: return "malformed input";
    case PG_ERROR_UNSUPPORTED: return "not supported";
    case PG_ERROR_LIMIT: return "limit exceeded";
    case PG_ERROR_CANCELLED: return "cancelled";
    case PG_ERROR_BUSY: return "busy";
    case PG_ERROR_DEADLINE: return "deadline passed";
    case PG_ERROR_DEVICE: return "device failed";
    }
    return "unknown status";
}

const char *pg_version(void)
{
    return PG_VERSION;
}

const char *pg_libraries(void)
{
    return PG_LIBRARIES;
}

/* Control characters of names from outside must not break the one line or drive a terminal. */
static void keep_one_line(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            *text = ' ';
}

static void set_text(const char *format, va_list arguments)
{
    char text[TEXT_SIZE]; /* the arguments may point into `last` */
    pg_print_list(text, sizeof text, format, arguments);
    keep_one_line(text);
    memcpy(last, text, sizeof last);
}

static void append(const char *text)
{
    size_t used = strlen(last);
    snprintf(last + used, sizeof last - used, "%s", text);
}

pg_status(pg_fail)(pg_status status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    set_text(format, arguments);
    va_end(arguments);
    return status;
}

pg_status(pg_fail_errno)(pg_status status, const char *format, ...)
{
    int code = errno;
    va_list arguments;
    va_start(arguments, format);
    set_text(format, arguments);
    va_end(arguments);
    append(": ");
    append(strerror(code));
    return code == ENOMEM ? PG_ERROR_MEMORY : status;
}

pg_status(pg_fail_context)(pg_status status, const char *format, ...)
{
    char inner[TEXT_SIZE];
    memcpy(inner, last, sizeof inner);
    va_list arguments;
    va_start(arguments, format);
    set_text(format, arguments);
    va_end(arguments);
    append(": ");
    append(inner);
    return status;
}

pg_status pg_fail_memory(size_t size)
{
    return pg_fail(PG_ERROR_MEMORY, "out of memory: %zu bytes could not be allocated", size);
}
