#include "base/reals.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>

/* The C library keeps this one; nothing is allocated. */
static locale_t plain(void)
{
    return newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

double pg_read_real(const char *text, char **end)
{
    return strtod_l(text, end, plain());
}

int pg_print_list(char *out, size_t size, const char *format, va_list arguments)
{
    locale_t before = uselocale(plain());
    int length = vsnprintf(out, size, format, arguments);
    uselocale(before);
    return length;
}

int pg_print(char *out, size_t size, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = pg_print_list(out, size, format, arguments);
    va_end(arguments);
    return length;
}
