/* Files: mapped, read whole, or written so that a reader sees the old file or the new one, never a part. */
#ifndef PG_BASE_FILE_H
#define PG_BASE_FILE_H

#include <stdio.h>

#include "base/buffer.h"

/* A read-only mapping. data is never NULL after success; an empty file has size 0. A file that has room for huge pages
 * lies where they can be (base/pages.h). */
typedef struct pg_file_map {
    const uint8_t *data;
    size_t size;
} pg_file_map;

pg_status pg_file_map_open(pg_file_map *out, const char *path);
void pg_file_map_close(pg_file_map *map);

/* Appends a whole file to `out`; "-" is standard input. More than `limit` bytes are PG_ERROR_LIMIT. */
pg_status pg_file_read(pg_buffer *out, const char *path, size_t limit);

bool pg_file_exists(const char *path);
bool pg_file_is_folder(const char *path);

/* A stream that writes behind what a file holds; closed with fclose. */
pg_status pg_file_append(FILE **out, const char *path);

/* FOLDER/NAME into `out` (replacing what was there). */
pg_status pg_file_join(pg_buffer *out, const char *folder, const char *name);

/* Appends the name that PATH has while it is made: no thread or process makes another file under it (pg_folder_clean
 * knows it). */
pg_status pg_file_partial_name(pg_buffer *out, const char *path);

/* Brings the entry of a file or folder that was just made or renamed to the disk. */
void pg_file_sync_folder(const char *path);

/* For tests that write the same file many times: whether commits wait for the disk (true at first). */
void pg_file_set_sync(bool wait);

/* A file in the making, beside its final place: commit syncs and renames, abort removes. One of them ends it. It is
 * written in huge pages, so that file systems with large folios hold it in such, for all who map it. */
typedef struct pg_file_writer {
    FILE *stream;
    char *buffer; /* the stream's */
    pg_buffer path, temporary;
} pg_file_writer;

pg_status pg_file_writer_open(pg_file_writer *out, const char *path);
pg_status pg_file_writer_write(pg_file_writer *writer, const void *bytes, size_t size);
pg_status pg_file_writer_commit(pg_file_writer *writer);
void pg_file_writer_abort(pg_file_writer *writer);

#endif
