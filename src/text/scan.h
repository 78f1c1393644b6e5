/* A JSON reader for one long document: values are taken where they stand, without building a tree. Made for the
 * 17 megabytes of tokenizer.json; small parts of a document go to base/json.h as spans. */
#ifndef PG_TEXT_SCAN_H
#define PG_TEXT_SCAN_H

#include "base/buffer.h"

typedef struct pg_scan {
    const char *name; /* of the file, for errors */
    const char *begin, *at, *end;
    pg_buffer text; /* the last string that had escapes */
} pg_scan;

/* Part of the document. */
typedef struct pg_span {
    const char *text; /* NULL: absent */
    size_t size;
} pg_span;

/* PG_ERROR_FORMAT with the place: "FILE: line 7: found 'x', expected ...". */
pg_status pg_scan_fail(const pg_scan *scan, const char *expected);

/* The next character behind white space, NUL at the end. */
char pg_scan_peek(pg_scan *scan);

/* Takes a character, white space before it skipped. */
pg_status pg_scan_expect(pg_scan *scan, char character);

/* Walks an object or an array, from right behind its opening bracket: true while there is another member, with its
 * separator taken. *first starts as true. A failure is reported through *status and ends the walk. */
bool pg_scan_more(pg_scan *scan, char close, bool *first, pg_status *status);

/* A string's bytes, escapes resolved; valid until the next string. Bytes are not checked for UTF-8. */
pg_status pg_scan_string(pg_span *out, pg_scan *scan);

/* The key of a member, and its colon. */
pg_status pg_scan_key(pg_span *out, pg_scan *scan);

/* A whole number of at most 15 digits, without sign. */
pg_status pg_scan_integer(int64_t *out, pg_scan *scan);

/* true or false; null leaves *out as it is. */
pg_status pg_scan_boolean(bool *out, pg_scan *scan);

/* Takes any value. Nesting is limited. */
pg_status pg_scan_skip(pg_span *out, pg_scan *scan);

/* Takes white space; nothing else may be left. */
pg_status pg_scan_finish(pg_scan *scan);
void pg_scan_free(pg_scan *scan);

bool pg_span_is(pg_span span, const char *text);

#endif
