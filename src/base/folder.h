/* Folders in the making: like a file written by pg_file_writer, a folder appears under its name complete or not at
 * all. */
#ifndef PG_BASE_FOLDER_H
#define PG_BASE_FOLDER_H

#include "base/buffer.h"

/* `partial` is the folder to write into, beside its final place. Commit or abort ends it. */
typedef struct pg_folder_writer {
    pg_buffer path, partial;
    bool replaces;
} pg_folder_writer;

/* The path must not exist yet. */
pg_status pg_folder_writer_open(pg_folder_writer *out, const char *path);

/* The path may be a folder already, which stays as it is until commit puts the new one in its place in one step (where
 * the file system can; else the old one is PATH.PID.old for a moment) and removes it. */
pg_status pg_folder_writer_replace(pg_folder_writer *out, const char *path);

pg_status pg_folder_writer_commit(pg_folder_writer *writer);
void pg_folder_writer_abort(pg_folder_writer *writer);

/* Removes what writers of files and folders left in `folder` when their process was killed. */
void pg_folder_clean(const char *folder);

/* Makes the folder and those above it, where they are not there yet. */
pg_status pg_folder_make(const char *path);

/* A folder that one process has to itself. Starts as {0}. */
typedef struct pg_folder_lock {
    bool held;
    int descriptor;
} pg_folder_lock;

/* Takes the lock until it is released or the process ends, however that happens; *taken says whether it was free.
 * Where the file system knows no locks it always is. Nothing is written. */
pg_status pg_folder_lock_take(pg_folder_lock *lock, bool *taken, const char *folder);
void pg_folder_lock_release(pg_folder_lock *lock);

/* Paths, owned. Starts as {0}. */
typedef struct pg_path_list {
    char **items;
    size_t count, capacity;
} pg_path_list;

pg_status pg_path_list_add(pg_path_list *list, const char *path);
void pg_path_list_free(pg_path_list *list);
void pg_path_list_sort(pg_path_list *list); /* by bytes */

/* Adds FOLDER/NAME of every entry for whose name `wanted` is true, and sorts the list by bytes. */
pg_status pg_folder_list(pg_path_list *list, const char *folder, bool (*wanted)(const char *name));

/* Copies the regular files in `from` (links are followed, folders and hidden files left out) for whose name
 * `wanted` is true. */
pg_status pg_folder_copy(const char *from, const char *to, bool (*wanted)(const char *name));

#endif
