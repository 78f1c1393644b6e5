#include "tasks/picture_files.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/file.h"

#define DEEPEST 64 /* folders in folders */

/* ---------------------------------------------------------------- where an index lies */

static pg_status real_path(char out[PATH_MAX], const char *path)
{
    return realpath(path, out) ? PG_OK : pg_fail_errno(PG_ERROR_FILE, "%s: cannot be found", path);
}

pg_status pg_index_place_find(pg_index_place *out, const char *index)
{
    char real[PATH_MAX];
    const char *slash = strrchr(index, '/');
    *out = (pg_index_place){.folder = pg_copy_text(index, slash ? (size_t)(slash - index) + 1 : 0)};
    if (!out->folder)
        return PG_ERROR_MEMORY;
    PG_TRY(real_path(real, *out->folder ? out->folder : "."));
    out->real = pg_copy_text(real, SIZE_MAX);
    return out->real ? PG_OK : PG_ERROR_MEMORY;
}

void pg_index_place_free(pg_index_place *place)
{
    pg_free(place->folder);
    pg_free(place->real);
    *place = (pg_index_place){0};
}

pg_status pg_index_place_path(pg_buffer *out, const pg_index_place *place, const char *name)
{
    pg_buffer_reset(out);
    return pg_buffer_print(out, "%s%s", *name == '/' ? "" : place->folder, name);
}

/* ---------------------------------------------------------------- lists */

static bool is_visible(const char *name)
{
    return *name != '.';
}

static bool is_picture_name(const char *name)
{
    static const char *const endings[] = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp",
                                          ".ppm", ".pgm",  ".pnm", ".tif",  ".tiff"};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < sizeof endings / sizeof *endings; i++)
        if (!strcasecmp(dot, endings[i]))
            return true;
    return false;
}

/* A real path as the index names it. */
static pg_status add_name(pg_path_list *out, const pg_index_place *place, const char *path)
{
    size_t size = strcmp(place->real, "/") ? strlen(place->real) : 0;
    bool below = !strncmp(path, place->real, size) && path[size] == '/';
    return pg_path_list_add(out, below ? path + size + 1 : path);
}

static pg_status add_folder(pg_path_list *out, const pg_index_place *place, const char *folder, int depth);

static pg_status add_entry(pg_path_list *out, const pg_index_place *place, const char *path, int depth)
{
    struct stat info;
    if (lstat(path, &info) != 0)
        return PG_OK; /* gone since the folder was read */
    if (S_ISDIR(info.st_mode))
        return add_folder(out, place, path, depth + 1);
    if (S_ISLNK(info.st_mode) && (stat(path, &info) != 0 || !S_ISREG(info.st_mode)))
        return PG_OK;
    return S_ISREG(info.st_mode) && is_picture_name(path) ? add_name(out, place, path) : PG_OK;
}

static pg_status add_folder(pg_path_list *out, const pg_index_place *place, const char *folder, int depth)
{
    pg_path_list entries = {0};
    if (depth > DEEPEST)
        return pg_fail(PG_ERROR_LIMIT, "%s: more than %d folders inside each other", folder, DEEPEST);
    pg_status status = pg_folder_list(&entries, folder, is_visible);
    for (size_t i = 0; i < entries.count && status == PG_OK; i++)
        status = add_entry(out, place, entries.items[i], depth);
    pg_path_list_free(&entries);
    return status;
}

/* A file as it is called in its real folder: a link to a picture is a picture of its own. */
static pg_status add_file(pg_path_list *out, const pg_index_place *place, const char *path)
{
    char real[PATH_MAX];
    pg_buffer whole = {0};
    const char *slash = strrchr(path, '/');
    PG_TRY(pg_buffer_print(&whole, "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : "."));
    pg_status status = real_path(real, whole.data);
    if (status == PG_OK)
        status = pg_file_join(&whole, strcmp(real, "/") ? real : "", slash ? slash + 1 : path);
    if (status == PG_OK)
        status = add_name(out, place, whole.data);
    pg_buffer_free(&whole);
    return status;
}

static pg_status add_path(pg_path_list *out, const pg_index_place *place, const char *path)
{
    char real[PATH_MAX];
    PG_TRY(real_path(real, path)); /* it exists */
    return pg_file_is_folder(real) ? add_folder(out, place, real, 0) : add_file(out, place, path);
}

static void drop_repeated(pg_path_list *list)
{
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++)
        if (kept && !strcmp(list->items[kept - 1], list->items[i]))
            pg_free(list->items[i]);
        else
            list->items[kept++] = list->items[i];
    list->count = kept;
}

pg_status pg_picture_files_list(pg_path_list *out, const pg_index_place *place, const char *const *paths, size_t count)
{
    *out = (pg_path_list){0};
    for (size_t i = 0; i < count; i++) {
        pg_status status = add_path(out, place, paths[i]);
        if (status != PG_OK) {
            pg_path_list_free(out);
            return status;
        }
    }
    pg_path_list_sort(out);
    drop_repeated(out);
    return PG_OK;
}

/* ---------------------------------------------------------------- files */

pg_status pg_file_stamp_read(pg_file_stamp *out, const char *path)
{
    struct stat info;
    if (stat(path, &info) != 0)
        return pg_fail_errno(PG_ERROR_FILE, "%s: cannot be read", path);
    *out = (pg_file_stamp){info.st_size, (int64_t)info.st_mtim.tv_sec * 1000000000 + info.st_mtim.tv_nsec, 0};
    return PG_OK;
}
