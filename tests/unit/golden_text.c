#include "golden_text.h"

#include <lzma.h>
#include <stdlib.h>

#include "base/file.h"

void pg_golden_text_read(pg_buffer *out, const char *name)
{
    char path[512];
    pg_buffer packed = {0};
    snprintf(path, sizeof path, "%s/%s.xz", PG_GOLDEN_TEXTS, name);
    CHECK_OK(pg_file_read(&packed, path, SIZE_MAX));
    lzma_stream stream = LZMA_STREAM_INIT;
    assert_int_equal(lzma_stream_decoder(&stream, UINT64_MAX, 0), LZMA_OK);
    stream.next_in = (const uint8_t *)packed.data;
    stream.avail_in = packed.size;
    static uint8_t piece[1 << 16];
    lzma_ret state;
    do {
        stream.next_out = piece;
        stream.avail_out = sizeof piece;
        state = lzma_code(&stream, LZMA_FINISH);
        CHECK_OK(pg_buffer_append(out, piece, sizeof piece - stream.avail_out));
    } while (state == LZMA_OK);
    assert_int_equal(state, LZMA_STREAM_END);
    lzma_end(&stream);
    pg_buffer_free(&packed);
}

json_t *pg_golden_text_lines(const char *name)
{
    pg_buffer text = {0};
    pg_golden_text_read(&text, name);
    json_t *lines = json_array();
    for (char *line = text.data, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        json_t *row;
        CHECK_OK(pg_json_parse(&row, line, (size_t)(end - line), name));
        json_array_append_new(lines, row);
    }
    pg_buffer_free(&text);
    assert_true(json_array_size(lines) > 0);
    return lines;
}

const char *pg_golden_text_field(size_t *size, const json_t *row, const char *key)
{
    const json_t *value = json_object_get(row, key);
    assert_true(json_is_string(value));
    *size = json_string_length(value);
    return json_string_value(value);
}

char *pg_golden_text_declare(const char *document, const json_t *tokens)
{
    static const char start[] = "\"added_tokens\": ", end[] = "\n  ]";
    const char *before = strstr(document, start);
    assert_non_null(before);
    before += strlen(start);
    const char *after = strstr(before, end);
    assert_non_null(after);
    after += strlen(end);
    char *list = json_dumps(tokens, 0);
    pg_buffer out = {0};
    CHECK_OK(pg_buffer_append(&out, document, (size_t)(before - document)));
    CHECK_OK(pg_buffer_append(&out, list, strlen(list)));
    CHECK_OK(pg_buffer_append(&out, after, strlen(after)));
    free(list);
    return out.data;
}

void pg_golden_text_check(const int32_t *ids, size_t count, const json_t *expected, const char *what)
{
    bool same = count == json_array_size(expected);
    for (size_t i = 0; i < count && same; i++)
        same = ids[i] == json_integer_value(json_array_get(expected, i));
    if (same)
        return;
    pg_buffer found = {0};
    for (size_t i = 0; i < count; i++)
        CHECK_OK(pg_buffer_print(&found, "%d, ", ids[i]));
    char *wanted = json_dumps(expected, 0);
    fail_msg("\"%s\": found [%s] expected %s", what, found.data ? found.data : "", wanted);
}
