#include "base/paths.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

pg_status pg_path_folder(pg_buffer *out, const char *path)
{
    const char *slash = strrchr(path, '/');
    pg_buffer_reset(out);
    if (!slash)
        return pg_buffer_print(out, ".");
    return pg_buffer_append(out, path, slash == path ? 1 : (size_t)(slash - path));
}

pg_status pg_path_resolve(pg_buffer *out, const char *folder)
{
    char resolved[PATH_MAX];
    if (!realpath(folder, resolved))
        return pg_fail_errno(PG_ERROR_FILE, "%s: cannot be found", folder);
    pg_buffer_reset(out);
    return pg_buffer_print(out, "%s", resolved);
}

static bool climbs(const char *path)
{
    for (const char *at = path; (at = strstr(at, "..")); at += 2)
        if ((at == path || at[-1] == '/') && (at[2] == '/' || !at[2]))
            return true;
    return false;
}

/* Appends "/NAME" for each name of the path but ".". */
static pg_status append_names(pg_buffer *out, const char *path)
{
    for (size_t size; *path; path += size) {
        path += strspn(path, "/");
        size = strcspn(path, "/");
        if (size && !(size == 1 && *path == '.'))
            PG_TRY(pg_buffer_print(out, "/%.*s", (int)size, path));
    }
    return PG_OK;
}

/* The absolute name of a folder, "" for the root: as it is spelt, where that is safe. */
static pg_status make_absolute(pg_buffer *out, const char *folder)
{
    char here[PATH_MAX];
    pg_buffer resolved = {0};
    pg_buffer_reset(out);
    if (climbs(folder)) {
        pg_status status = pg_path_resolve(&resolved, folder);
        if (status == PG_OK && resolved.data)
            status = append_names(out, resolved.data);
        pg_buffer_free(&resolved);
        return status;
    }
    if (*folder != '/') {
        if (!getcwd(here, sizeof here))
            return pg_fail_errno(PG_ERROR_FILE, "the current folder cannot be found");
        PG_TRY(append_names(out, here));
    }
    PG_TRY(append_names(out, folder));
    return pg_buffer_append(out, "", 0);
}

/* Length of the whole names that two absolute folders begin with. */
static size_t common(const char *a, const char *b)
{
    size_t same = 0, i = 0;
    for (; a[i] && a[i] == b[i]; i++)
        if (a[i] == '/')
            same = i;
    bool ends = (!a[i] || a[i] == '/') && (!b[i] || b[i] == '/');
    return ends ? i : same;
}

/* "../" for each name of `folder` behind what both begin with, then the rest of the way to `to`. */
static pg_status walk(pg_buffer *out, const char *folder, const char *to)
{
    size_t same = common(folder, to);
    for (const char *at = folder + same; *at; at++)
        if (*at == '/')
            PG_TRY(pg_buffer_append(out, "../", 3));
    return to[same] ? pg_buffer_print(out, "%s/", to + same + 1) : PG_OK;
}

pg_status pg_path_relative(pg_buffer *out, const char *folder, const char *path)
{
    pg_buffer place = {0}, absolute = {0};
    const char *slash = strrchr(path, '/');
    pg_status status;
    pg_buffer_reset(out);
    PG_TRY_GOTO(pg_path_folder(&place, path));
    PG_TRY_GOTO(make_absolute(&absolute, place.data));
    PG_TRY_GOTO(walk(out, strcmp(folder, "/") == 0 ? "" : folder, absolute.data));
    PG_TRY_GOTO(pg_buffer_print(out, "%s", slash ? slash + 1 : path));
done:
    pg_buffer_free(&place);
    pg_buffer_free(&absolute);
    return status;
}
