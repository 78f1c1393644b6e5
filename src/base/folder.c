#include "base/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

static pg_status open_writer(pg_folder_writer *out, const char *path, bool replaces)
{
    *out = (pg_folder_writer){.replaces = replaces};
    size_t size = strlen(path);
    while (size > 1 && path[size - 1] == '/')
        size--;
    pg_status status = pg_buffer_print(&out->path, "%.*s", (int)size, path);
    if (status == PG_OK)
        status = pg_file_partial_name(&out->partial, out->path.data);
    if (status == PG_OK && pg_file_exists(path) && !(replaces && pg_file_is_folder(path)))
        status = pg_fail(PG_ERROR_FILE, "%s: exists already", path);
    if (status == PG_OK && mkdir(out->partial.data, 0777) != 0)
        status = pg_fail_errno(PG_ERROR_FILE, "%s: cannot be made", path);
    if (status != PG_OK) {
        pg_buffer_free(&out->path);
        pg_buffer_free(&out->partial);
    }
    return status;
}

pg_status pg_folder_writer_open(pg_folder_writer *out, const char *path)
{
    return open_writer(out, path, false);
}

pg_status pg_folder_writer_replace(pg_folder_writer *out, const char *path)
{
    return open_writer(out, path, true);
}

pg_status pg_folder_make(const char *path)
{
    pg_buffer part = {0};
    pg_status status = pg_buffer_print(&part, "%s", path);
    char *slash = part.data;
    while (status == PG_OK && slash) {
        slash = *slash ? strchr(slash + 1, '/') : NULL;
        if (slash)
            *slash = 0;
        if (mkdir(part.data, 0777) != 0 && errno != EEXIST)
            status = pg_fail_errno(PG_ERROR_FILE, "%s: cannot be made", path);
        if (slash)
            *slash = '/';
    }
    pg_buffer_free(&part);
    return status;
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *place)
{
    (void)info, (void)kind, (void)place;
    return remove(path);
}

void pg_folder_writer_abort(pg_folder_writer *writer)
{
    if (writer->partial.data)
        nftw(writer->partial.data, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    pg_buffer_free(&writer->path);
    pg_buffer_free(&writer->partial);
}

/* Puts the new folder where the old one is, and the old one where the new one was. */
static bool exchange(const char *new, const char *path)
{
    if (renameat2(AT_FDCWD, new, AT_FDCWD, path, RENAME_EXCHANGE) == 0)
        return true;
    if (errno != EINVAL && errno != ENOSYS)
        return false;
    char old[PATH_MAX];
    if (snprintf(old, sizeof old, "%s.%ld.old", path, (long)getpid()) >= (int)sizeof old || rename(path, old) != 0)
        return false;
    if (rename(new, path) == 0)
        return rename(old, new) == 0;
    int code = errno;
    rename(old, path);
    errno = code;
    return false;
}

pg_status pg_folder_writer_commit(pg_folder_writer *writer)
{
    pg_status status = PG_OK;
    bool exists = writer->replaces && pg_file_exists(writer->path.data);
    if (exists ? !exchange(writer->partial.data, writer->path.data)
               : rename(writer->partial.data, writer->path.data) != 0)
        status = pg_fail_errno(PG_ERROR_FILE, "%s: cannot be written", writer->path.data);
    else
        pg_file_sync_folder(writer->path.data);
    if (status == PG_OK && !exists)
        pg_buffer_free(&writer->partial); /* nothing is left to be removed */
    pg_folder_writer_abort(writer);
    return status;
}

/* ---------------------------------------------------------------- what is left over */

/* NAME.PID.partial or NAME.PID.old of a process that is gone. */
static bool is_left_over(const char *name)
{
    const char *end = strrchr(name, '.');
    if (!end || (strcmp(end, ".partial") != 0 && strcmp(end, ".old") != 0))
        return false;
    const char *first = end;
    while (first > name && first[-1] >= '0' && first[-1] <= '9')
        first--;
    if (first == end || first == name || first[-1] != '.')
        return false;
    long process = strtol(first, NULL, 10);
    return process != getpid() && kill((pid_t)process, 0) != 0 && errno == ESRCH;
}

void pg_folder_clean(const char *folder)
{
    DIR *entries = opendir(folder);
    if (!entries)
        return;
    for (struct dirent *entry; (entry = readdir(entries));) {
        pg_buffer path = {0};
        if (is_left_over(entry->d_name) && pg_file_join(&path, folder, entry->d_name) == PG_OK)
            nftw(path.data, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
        pg_buffer_free(&path);
    }
    closedir(entries);
}

/* ---------------------------------------------------------------- copies */

static pg_status copy_bytes(pg_file_writer *to, FILE *from, const char *path)
{
    char piece[1 << 16];
    for (size_t n; (n = fread(piece, 1, sizeof piece, from)) > 0;)
        PG_TRY(pg_file_writer_write(to, piece, n));
    return ferror(from) ? pg_fail_errno(PG_ERROR_FILE, "%s: cannot be read", path) : PG_OK;
}

static pg_status copy_file(const char *from, const char *to)
{
    FILE *file = fopen(from, "rbe");
    if (!file)
        return pg_fail_errno(PG_ERROR_FILE, "%s: cannot be opened", from);
    pg_file_writer writer;
    pg_status status = pg_file_writer_open(&writer, to);
    if (status == PG_OK) {
        status = copy_bytes(&writer, file, from);
        if (status == PG_OK)
            status = pg_file_writer_commit(&writer);
        else
            pg_file_writer_abort(&writer);
    }
    fclose(file);
    return status;
}

static pg_status copy_entry(const char *from, const char *to, const char *name)
{
    pg_buffer source = {0}, target = {0};
    struct stat info;
    pg_status status = pg_file_join(&source, from, name);
    if (status == PG_OK)
        status = pg_file_join(&target, to, name);
    if (status == PG_OK && stat(source.data, &info) != 0)
        status = pg_fail_errno(PG_ERROR_FILE, "%s: cannot be read", source.data);
    if (status == PG_OK && S_ISREG(info.st_mode))
        status = copy_file(source.data, target.data);
    pg_buffer_free(&source);
    pg_buffer_free(&target);
    return status;
}

pg_status pg_folder_copy(const char *from, const char *to, bool (*wanted)(const char *name))
{
    DIR *folder = opendir(from);
    if (!folder)
        return pg_fail_errno(PG_ERROR_FILE, "%s: cannot be read", from);
    pg_status status = PG_OK;
    while (status == PG_OK) {
        errno = 0;
        const struct dirent *entry = readdir(folder);
        if (!entry) {
            status = errno ? pg_fail_errno(PG_ERROR_FILE, "%s: cannot be read", from) : PG_OK;
            break;
        }
        if (entry->d_name[0] != '.' && wanted(entry->d_name))
            status = copy_entry(from, to, entry->d_name);
    }
    closedir(folder);
    return status;
}

/* ---------------------------------------------------------------- locks */

pg_status pg_folder_lock_take(pg_folder_lock *lock, bool *taken, const char *folder)
{
    int descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0)
        return pg_fail_errno(PG_ERROR_FILE, "%s: cannot be opened", folder);
    bool busy = flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    *taken = !busy;
    if (busy)
        close(descriptor);
    else
        *lock = (pg_folder_lock){true, descriptor};
    return PG_OK;
}

void pg_folder_lock_release(pg_folder_lock *lock)
{
    if (lock->held)
        close(lock->descriptor);
    *lock = (pg_folder_lock){0};
}

/* ---------------------------------------------------------------- lists */

pg_status pg_path_list_add(pg_path_list *list, const char *path)
{
    PG_TRY(pg_grow((void **)&list->items, &list->capacity, list->count + 1, sizeof *list->items));
    char *copy = pg_copy_text(path, SIZE_MAX);
    if (!copy)
        return PG_ERROR_MEMORY;
    list->items[list->count++] = copy;
    return PG_OK;
}

void pg_path_list_free(pg_path_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        pg_free(list->items[i]);
    pg_free(list->items);
    *list = (pg_path_list){0};
}

static int compare_paths(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

void pg_path_list_sort(pg_path_list *list)
{
    if (list->count)
        qsort(list->items, list->count, sizeof *list->items, compare_paths);
}

pg_status pg_folder_list(pg_path_list *list, const char *folder, bool (*wanted)(const char *name))
{
    DIR *entries = opendir(folder);
    pg_buffer path = {0};
    pg_status status = PG_OK;
    if (!entries)
        return pg_fail_errno(PG_ERROR_FILE, "%s: cannot be read", folder);
    for (struct dirent *entry; status == PG_OK && (entry = readdir(entries));)
        if (wanted(entry->d_name) && (status = pg_file_join(&path, folder, entry->d_name)) == PG_OK)
            status = pg_path_list_add(list, path.data);
    closedir(entries);
    pg_buffer_free(&path);
    if (status == PG_OK)
        pg_path_list_sort(list);
    return status;
}
