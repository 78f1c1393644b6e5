/*
 * What a run says about itself, scalars by step and tag, in three files of its folder at once:
 *     scalars.csv                        step,time,tag,value: a line for each scalar
 *     scalars.jsonl                      {"step": 10, "time": ..., "loss": ..., ...}: a line for each step
 *     events.out.tfevents.0.paligemma    for TensorBoard
 * Every step is handed to the system at once, so that a killed process leaves files that can be read; a line or frame
 * that it left unfinished is cut off when the run is taken up again.
 */
#ifndef PG_TRAIN_RUN_RECORDS_H
#define PG_TRAIN_RUN_RECORDS_H

#include "train/events.h"

#define PG_RECORDS_CSV    "scalars.csv"
#define PG_RECORDS_JSON   "scalars.jsonl"
#define PG_RECORDS_EVENTS "events.out.tfevents.0.paligemma"

typedef struct pg_records pg_records;

/* Opens the files in a folder that exists. What they hold of steps up to `last` stays, everything else is dropped; -1
 * begins anew. */
pg_status pg_records_open(pg_records **out, const char *folder, int64_t last);
void pg_records_close(pg_records *records); /* NULL is allowed */

/* Adds the scalars of a step to all files, each tag once. Tags are of letters, digits and "_-./", not "step" or "time".
 * A value that is not finite is written as such, in JSON as null. */
pg_status pg_records_add(pg_records *records, int64_t step, const pg_scalar *scalars, size_t count);

/* One scalar of a scalars.csv, as it was read. */
typedef struct pg_record {
    int64_t step;
    double time, value;
    const char *tag; /* not ended: tag_size bytes of the text that was read */
    size_t tag_size;
} pg_record;

/* The record in the line at *offset of a CSV's text that ends in NUL, and moves *offset behind it; false at the end, or
 * where what follows is no complete line of this kind. The heading is passed over. */
bool pg_record_next(pg_record *out, const char *text, size_t size, size_t *offset);

#endif
