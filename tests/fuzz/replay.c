/* Runs a fuzz target over the files of its corpus folder, so that what fuzzing once found stays found. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay(const char *path)
{
    pg_buffer bytes = {0};
    if (pg_file_read(&bytes, path, SIZE_MAX) != PG_OK) {
        fprintf(stderr, "%s\n", pg_error_last());
        return 1;
    }
    LLVMFuzzerTestOneInput((const uint8_t *)bytes.data, bytes.size);
    pg_buffer_free(&bytes);
    return 0;
}

int main(int argc, char **argv)
{
    DIR *folder = argc == 2 ? opendir(argv[1]) : NULL;
    if (!folder) {
        fprintf(stderr, "usage: %s CORPUS_FOLDER\n", argv[0]);
        return 2;
    }
    int files = 0, failures = 0;
    pg_buffer path = {0};
    for (struct dirent *entry; (entry = readdir(folder));)
        if (entry->d_name[0] != '.' && pg_file_join(&path, argv[1], entry->d_name) == PG_OK) {
            failures += replay(path.data);
            files++;
        }
    pg_buffer_free(&path);
    closedir(folder);
    printf("%d files replayed\n", files);
    return failures || !files;
}
