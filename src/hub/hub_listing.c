#include "hub/hub_listing.h"

#include <fnmatch.h>
#include <string.h>

#include "base/json.h"
#include "hub/hub_name.h"

#define MOST_FILES 100000

/* Weights that this library reads, configurations, tokenizers, and what is written about them; not the same weights
 * once more for other programs. */
static const char *const usual_files[] = {
    "*.safetensors", "*.npz", "*.json", "*.model", "*.jinja", "*.txt", "*.md", "LICENSE*", "NOTICE*",
};

static pg_status add_file(pg_hub_listing *out, const json_t *entry, const char *name)
{
    const char *path = NULL;
    PG_TRY(pg_json_string(&path, (pg_json_field){entry, name, "rfilename", true}));
    if (!pg_hub_file_is_safe(path))
        return pg_fail(PG_ERROR_FORMAT,
                       "%s: the hub names a file \"%.100s\", which would not stay in its folder; "
                       "nothing was fetched",
                       name, path);
    return pg_path_list_add(&out->files, path);
}

static pg_status read_files(pg_hub_listing *out, const json_t *root, const char *name)
{
    const json_t *siblings = json_object_get(root, "siblings"), *entry;
    size_t i;
    if (!json_is_array(siblings))
        return pg_fail(PG_ERROR_FORMAT, "%s: the hub's answer has no list of files (\"siblings\")", name);
    if (json_array_size(siblings) > MOST_FILES)
        return pg_fail(PG_ERROR_LIMIT, "%s: %zu files, at most %d", name, json_array_size(siblings), MOST_FILES);
    json_array_foreach(siblings, i, entry)
    {
        PG_TRY(add_file(out, entry, name));
    }
    pg_path_list_sort(&out->files);
    for (i = 1; i < out->files.count; i++)
        if (!strcmp(out->files.items[i - 1], out->files.items[i]))
            return pg_fail(PG_ERROR_FORMAT, "%s: the hub names %s twice", name, out->files.items[i]);
    return PG_OK;
}

static pg_status read_commit(pg_hub_listing *out, const json_t *root, const char *name)
{
    const char *commit = NULL;
    PG_TRY(pg_json_string(&commit, (pg_json_field){root, name, "sha", true}));
    if (!pg_hub_is_commit(commit))
        return pg_fail(PG_ERROR_FORMAT, "%s: sha: found \"%.50s\"; expected a commit of 40 hexadecimal digits", name,
                       commit);
    memcpy(out->commit, commit, sizeof out->commit);
    return PG_OK;
}

pg_status pg_hub_listing_parse(pg_hub_listing *out, const char *text, size_t size, const char *name)
{
    json_t *root;
    *out = (pg_hub_listing){0};
    PG_TRY(pg_json_parse(&root, text, size, name));
    pg_status status = json_is_object(root) ? read_commit(out, root, name)
                                            : pg_fail(PG_ERROR_FORMAT, "%s: the hub's answer is no object", name);
    if (status == PG_OK)
        status = read_files(out, root, name);
    json_decref(root);
    return status;
}

static bool matches(const char *path, const char *const *globs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (fnmatch(globs[i], path, FNM_NOESCAPE) == 0)
            return true;
    return false;
}

pg_status pg_hub_listing_select(pg_hub_listing *listing, const char *const *globs, size_t count, const char *name)
{
    pg_path_list *files = &listing->files;
    size_t kept = 0, all = files->count;
    bool given = count > 0;
    if (!given) {
        globs = usual_files;
        count = sizeof usual_files / sizeof *usual_files;
    }
    for (size_t i = 0; i < all; i++)
        if (matches(files->items[i], globs, count))
            files->items[kept++] = files->items[i];
        else
            pg_free(files->items[i]);
    files->count = kept;
    if (kept)
        return PG_OK;
    return given ? pg_fail(PG_ERROR_ARGUMENT, "%s: none of its %zu files matches \"%s\"", name, all, globs[0])
                 : pg_fail(PG_ERROR_FILE, "%s: none of its %zu files is part of a model that can be read", name, all);
}

void pg_hub_listing_free(pg_hub_listing *listing)
{
    pg_path_list_free(&listing->files);
}
