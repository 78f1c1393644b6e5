/* A folder that lives for one test program: files written into it are found by name and removed with it. */
#ifndef PG_TESTS_TEMPORARY_FOLDER_H
#define PG_TESTS_TEMPORARY_FOLDER_H

#include <dirent.h>
#include <ftw.h>
#include <stdlib.h>
#include <unistd.h>

#include "check.h"

#include "base/file.h"

static char folder_path[] = "/tmp/paligemma-test-XXXXXX";

static inline int folder_setup(void **state)
{
    (void)state;
    return mkdtemp(folder_path) ? 0 : -1;
}

static inline int folder_remove_one(const char *path, const struct stat *info, int kind, struct FTW *place)
{
    (void)info, (void)kind, (void)place;
    return remove(path);
}

static inline int folder_teardown(void **state)
{
    (void)state;
    return nftw(folder_path, folder_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* FOLDER/NAME; one of four buffers in turn. */
static inline const char *folder_file(const char *name)
{
    static char paths[4][512];
    static int turn;
    char *path = paths[turn++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder_path, name);
    return path;
}

static inline const char *folder_write(const char *name, const void *bytes, size_t size)
{
    const char *path = folder_file(name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    return path;
}

/* Number of entries, to see that nothing half written is left. */
static inline int folder_count(void)
{
    DIR *folder = opendir(folder_path);
    assert_non_null(folder);
    int count = 0;
    for (struct dirent *entry; (entry = readdir(folder));)
        count += strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..");
    closedir(folder);
    return count;
}

#endif
