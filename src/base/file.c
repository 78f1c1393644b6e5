#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/pages.h"

/* Only where address and place in the file are the same within a huge page can one of the file's cache be mapped as
 * such. Some file systems see to that, others (the overlays of containers) do not. The place was free a moment ago; if
 * it is not any more, another one will do. */
static void *map_whole(int file, size_t size)
{
    char *place = MAP_FAILED;
    if (size >= PG_HUGE_PAGE)
        place = mmap(NULL, size + PG_HUGE_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (place == MAP_FAILED)
        return mmap(NULL, size, PROT_READ, MAP_SHARED, file, 0);
    munmap(place, size + PG_HUGE_PAGE);
    return mmap(pg_pages_align(place), size, PROT_READ, MAP_SHARED, file, 0);
}

pg_status pg_file_map_open(pg_file_map *out, const char *path)
{
    *out = (pg_file_map){(const uint8_t *)"", 0};
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return pg_fail_errno(PG_ERROR_FILE, "%s: cannot be opened", path);
    pg_status status = PG_OK;
    struct stat info;
    if (fstat(file, &info) != 0)
        status = pg_fail_errno(PG_ERROR_FILE, "%s: cannot be read", path);
    else if (!S_ISREG(info.st_mode))
        status = pg_fail(PG_ERROR_FILE, "%s: not a regular file", path);
    else if (info.st_size > 0) {
        void *data = map_whole(file, (size_t)info.st_size);
        if (data == MAP_FAILED)
            status = pg_fail_errno(PG_ERROR_FILE, "%s: cannot be mapped", path);
        else
            *out = (pg_file_map){data, (size_t)info.st_size};
    }
    close(file);
    return status;
}

void pg_file_map_close(pg_file_map *map)
{
    if (map->size)
        munmap((void *)map->data, map->size);
    *map = (pg_file_map){(const uint8_t *)"", 0};
}

pg_status pg_file_read(pg_buffer *out, const char *path, size_t limit)
{
    bool standard = !strcmp(path, "-");
    FILE *file = standard ? stdin : fopen(path, "rbe");
    if (!file)
        return pg_fail_errno(PG_ERROR_FILE, "%s: cannot be opened", path);
    pg_status status = PG_OK;
    size_t before = out->size;
    char piece[1 << 16];
    for (size_t n; status == PG_OK && (n = fread(piece, 1, sizeof piece, file)) > 0;)
        status = out->size - before + n > limit
                     ? pg_fail(PG_ERROR_LIMIT, "%s: larger than the limit of %zu bytes", path, limit)
                     : pg_buffer_append(out, piece, n);
    if (status == PG_OK && ferror(file))
        status = pg_fail_errno(PG_ERROR_FILE, "%s: cannot be read", path);
    if (!standard)
        fclose(file);
    return status == PG_OK ? pg_buffer_append(out, "", 0) : status;
}

bool pg_file_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

bool pg_file_is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

pg_status pg_file_append(FILE **out, const char *path)
{
    *out = fopen(path, "abe");
    return *out ? PG_OK : pg_fail_errno(PG_ERROR_FILE, "%s: cannot be written", path);
}

pg_status pg_file_join(pg_buffer *out, const char *folder, const char *name)
{
    pg_buffer_reset(out);
    return pg_buffer_print(out, "%s/%s", folder, name);
}

/* The writer's texts and buffer. */
static void free_parts(pg_file_writer *writer)
{
    pg_pages_free(writer->buffer, PG_HUGE_PAGE);
    pg_buffer_free(&writer->path);
    pg_buffer_free(&writer->temporary);
    *writer = (pg_file_writer){0};
}

pg_status pg_file_partial_name(pg_buffer *out, const char *path)
{
    static atomic_uint made;
    return pg_buffer_print(out, "%s.%u.%ld.partial", path, atomic_fetch_add(&made, 1), (long)getpid());
}

pg_status pg_file_writer_open(pg_file_writer *out, const char *path)
{
    *out = (pg_file_writer){.buffer = pg_pages_alloc(PG_HUGE_PAGE)};
    pg_status status = out->buffer ? pg_buffer_print(&out->path, "%s", path) : PG_ERROR_MEMORY;
    if (status == PG_OK)
        status = pg_file_partial_name(&out->temporary, path);
    if (status == PG_OK) {
        out->stream = fopen(out->temporary.data, "wbe");
        if (!out->stream)
            status = pg_fail_errno(PG_ERROR_FILE, "%s: cannot be written", path);
    }
    if (status == PG_OK)
        setvbuf(out->stream, out->buffer, _IOFBF, PG_HUGE_PAGE);
    else
        pg_file_writer_abort(out);
    return status;
}

pg_status pg_file_writer_write(pg_file_writer *writer, const void *bytes, size_t size)
{
    if (size && fwrite(bytes, 1, size, writer->stream) != size)
        return pg_fail_errno(PG_ERROR_FILE, "%s: cannot be written", writer->path.data);
    return PG_OK;
}

static bool waits_for_disk = true;

void pg_file_set_sync(bool wait)
{
    waits_for_disk = wait;
}

static bool sync_file(int file)
{
    return !waits_for_disk || fsync(file) == 0;
}

/* A renamed file survives a power cut only if its folder reaches the disk too; file systems that cannot do that (some
 * network ones) still have the file. */
void pg_file_sync_folder(const char *path)
{
    char folder[4096];
    const char *slash = strrchr(path, '/');
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
    int file = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (file >= 0) {
        sync_file(file);
        close(file);
    }
}

pg_status pg_file_writer_commit(pg_file_writer *writer)
{
    bool written = fflush(writer->stream) == 0 && sync_file(fileno(writer->stream));
    int code = errno;
    if (fclose(writer->stream) != 0 && written) {
        written = false;
        code = errno;
    }
    writer->stream = NULL;
    if (written && rename(writer->temporary.data, writer->path.data) != 0) {
        written = false;
        code = errno;
    }
    pg_status status = PG_OK;
    if (written)
        pg_file_sync_folder(writer->path.data);
    else {
        errno = code;
        status = pg_fail_errno(PG_ERROR_FILE, "%s: cannot be written", writer->path.data);
        unlink(writer->temporary.data);
    }
    free_parts(writer);
    return status;
}

void pg_file_writer_abort(pg_file_writer *writer)
{
    if (writer->stream) {
        fclose(writer->stream);
        unlink(writer->temporary.data);
    }
    free_parts(writer);
}
