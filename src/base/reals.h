/* Numbers as text with a point, whatever setlocale() was told: programs whose language has a decimal comma use the
 * library as well. Any thread. */
#ifndef PG_BASE_REALS_H
#define PG_BASE_REALS_H

#include <stdarg.h>
#include <stddef.h>

/* strtod */
double pg_read_real(const char *text, char **end);

/* snprintf, vsnprintf */
int pg_print(char *out, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
int pg_print_list(char *out, size_t size, const char *format, va_list arguments) __attribute__((format(printf, 3, 0)));

#endif
