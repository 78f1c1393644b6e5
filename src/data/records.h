/* Large JSON documents that hold lists of small objects (COCO, VQA): walked once in their mapped file, without a tree.
 * An object is a record; values wanted are given as the bytes that stand for them. */
#ifndef PG_DATA_RECORDS_H
#define PG_DATA_RECORDS_H

#include "base/json.h"
#include "text/scan.h"

#define PG_RECORD_KEYS 8

typedef struct pg_record_reader {
    const char *keys[PG_RECORD_KEYS + 1]; /* that are wanted, NULL behind the last */
    /* values[i] belongs to keys[i]; its text is NULL where the record lacks it. `whole` is the record. */
    pg_status (*take)(void *user, const pg_span *values, pg_span whole);
    void *user;
} pg_record_reader;

/* A list of objects, at the current place. */
pg_status pg_records_read(pg_scan *scan, const pg_record_reader *reader);

/* Values out of their bytes. What is absent leaves *out alone. */
pg_status pg_span_integer(int64_t *out, pg_span value, const char *what);
pg_status pg_span_number(double *out, pg_span value, const char *what);

/* `count` numbers in brackets. */
pg_status pg_span_numbers(double *out, size_t count, pg_span value, const char *what);

/* Appends a string and a NUL; *place: where it begins. */
pg_status pg_span_text(pg_buffer *out, size_t *place, pg_span value, const char *what);

/* Numbers of records by their id. */
typedef struct pg_id_map {
    struct pg_id_entry {
        int64_t id;
        uint64_t number;
    } * entries;
    size_t count, capacity;
} pg_id_map;

#define PG_ID_NONE UINT64_MAX

pg_status pg_id_map_add(pg_id_map *map, int64_t id, uint64_t number);

/* Once all are there. */
void pg_id_map_sort(pg_id_map *map);

/* The number of the first record with this id, or PG_ID_NONE. */
uint64_t pg_id_map_find(const pg_id_map *map, int64_t id);
void pg_id_map_free(pg_id_map *map);

#endif
