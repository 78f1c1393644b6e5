/* Which pictures an index is made of, and what their files look like. */
#ifndef PG_TASKS_PICTURE_FILES_H
#define PG_TASKS_PICTURE_FILES_H

#include "base/folder.h"

/* Where an index lies: names in it are relative to `folder`, or absolute. */
typedef struct pg_index_place {
    char *folder; /* as given, "" for here */
    char *real;   /* without links and dots */
} pg_index_place;

pg_status pg_index_place_find(pg_index_place *out, const char *index);
void pg_index_place_free(pg_index_place *place);

/* The path of a picture with this name, into `out` (replacing what was there). */
pg_status pg_index_place_path(pg_buffer *out, const pg_index_place *place, const char *name);

/* Names of files, and of all pictures in folders and those below, told by how they are called: in the order of their
 * bytes, each once. Hidden ones and linked folders inside folders are left out. */
pg_status pg_picture_files_list(pg_path_list *out, const pg_index_place *place, const char *const *paths, size_t count);

/* What a file is told by. */
typedef struct pg_file_stamp {
    int64_t size, time; /* of the last change, in nanoseconds since 1970 */
    int64_t checksum;   /* CRC-32C of the contents */
} pg_file_stamp;

/* Size and time; the checksum becomes 0. */
pg_status pg_file_stamp_read(pg_file_stamp *out, const char *path);

#endif
