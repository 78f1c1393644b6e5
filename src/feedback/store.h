/*
 * The database of answers and judgements. Two tables: `records`, a row an answer, which names its pictures by their
 * hashes with blanks between them, and `pictures`, the files that people allowed to be kept, each once.
 *
 * The database keeps a rollback journal and waits for the disk before a record counts as stored (synchronous=EXTRA): it
 * is one file, which may be copied while nobody writes, and neither a killed process nor a power cut loses what was
 * acknowledged. Its application_id says whose it is, its user_version which version of the tables it has.
 */
#ifndef PG_FEEDBACK_STORE_H
#define PG_FEEDBACK_STORE_H

#include "base/buffer.h"

/* A record whose texts were checked, and its pictures' hashes as one text. */
pg_status pg_feedback_insert(int64_t *id, pg_feedback_store *store, const pg_feedback_record *record,
                             const char *pictures);

/* A row to learn from, borrowed: `rejected` is NULL unless it is a preference. */
typedef struct pg_feedback_row {
    const char *prompt, *pictures, *answer, *rejected;
} pg_feedback_row;

typedef pg_status pg_feedback_row_visitor(void *user, const pg_feedback_row *row);

/* Sees each different row once, the oldest first, until one fails. */
pg_status pg_feedback_visit_rows(pg_feedback_store *store, const pg_feedback_export_options *options,
                                 pg_feedback_row_visitor *visitor, void *user);

/* The bytes of a picture, added to `out`; *kept: whether there are any. */
pg_status pg_feedback_find_picture(pg_buffer *out, bool *kept, pg_feedback_store *store, const char *hash);

const char *pg_feedback_path(const pg_feedback_store *store);

#endif
