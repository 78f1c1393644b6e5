/* Any text as a caption: refused if it is not UTF-8, else its words are, with one space between each two. */
#include <string.h>

#include "metrics/ptb_words.h"
#include "text/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool holds)
{
    if (!holds)
        __builtin_trap(); /* in every kind of build */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pg_buffer words = {0};
    pg_status status = size < 20000 ? pg_ptb_words(&words, (const char *)data, size) : PG_ERROR_LIMIT;
    if (status == PG_OK && words.size) {
        expect(pg_utf8_check(words.data, words.size) == words.size);
        expect(words.data[0] != ' ' && words.data[words.size - 1] != ' ' && !strstr(words.data, "  "));
        expect(!memchr(words.data, '\n', words.size));
    }
    expect(status != PG_ERROR_FORMAT || pg_utf8_check((const char *)data, size) < size);
    pg_buffer_free(&words);
    return 0;
}
