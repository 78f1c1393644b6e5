#include "base/edits.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

size_t pg_edits(const char *a, const char *b, bool fold)
{
    size_t row[64], width = strlen(b);
    if (width >= sizeof row / sizeof *row)
        return SIZE_MAX;
    for (size_t j = 0; j <= width; j++)
        row[j] = j;
    for (size_t i = 0; a[i]; i++) {
        char letter = fold ? (char)tolower((unsigned char)a[i]) : a[i];
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < width; j++) {
            size_t above = row[j + 1], least = above < row[j] ? above : row[j], change = diagonal + (letter != b[j]);
            row[j + 1] = change < least + 1 ? change : least + 1;
            diagonal = above;
        }
    }
    return row[width];
}
