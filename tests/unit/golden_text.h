/* Golden texts: the xz-compressed files of tests/golden/tokenizer. What goes wrong here fails the running test. */
#ifndef PG_TESTS_GOLDEN_TEXT_H
#define PG_TESTS_GOLDEN_TEXT_H

#include "check.h"

#include "base/buffer.h"
#include "base/json.h"

#define PG_GOLDEN_TEXTS PG_TESTS_FOLDER "/golden/tokenizer"

/* Adds the unpacked bytes of NAME.xz to `out`. */
void pg_golden_text_read(pg_buffer *out, const char *name);

/* The objects of a file with one on each line, as an array. */
json_t *pg_golden_text_lines(const char *name);

/* Strings of JSON have no NUL behind those that they hold: text and bytes of a field. */
const char *pg_golden_text_field(size_t *size, const json_t *row, const char *key);

/* A tokenizer.json whose list of added tokens is another one; freed with pg_free. */
char *pg_golden_text_declare(const char *document, const json_t *tokens);

/* The ids are those of an array, or *what* they belong to is shown with both. */
void pg_golden_text_check(const int32_t *ids, size_t count, const json_t *expected, const char *what);

#endif
