#include "hub/hub_name.h"

#include <ctype.h>
#include <string.h>

#include "base/file.h"

#define PREFIX             "hub:"
#define LONGEST_REPOSITORY 96
#define LONGEST_PATH       1024
#define LONGEST_PART       255

/* One side of the slash: letters, digits, and . _ - inside. */
static bool is_part(const char *text, size_t size)
{
    if (size == 0 || strchr("-.", text[0]) || strchr("-.", text[size - 1]))
        return false;
    for (size_t i = 0; i < size; i++) {
        bool twice = i && text[i] == text[i - 1];
        if (!isalnum((unsigned char)text[i]) && text[i] != '_' && (!strchr("-.", text[i]) || twice))
            return false;
    }
    return true;
}

/* huggingface_hub's validate_repo_id; "--" stands for the slash in the cache, so it cannot be part of a name. */
static bool is_repository(const char *text, size_t size)
{
    const char *slash = memchr(text, '/', size);
    if (size > LONGEST_REPOSITORY || (size >= 4 && !memcmp(text + size - 4, ".git", 4)))
        return false;
    if (!slash)
        return is_part(text, size);
    size_t first = (size_t)(slash - text);
    return is_part(text, first) && is_part(slash + 1, size - first - 1);
}

bool pg_hub_file_is_safe(const char *path)
{
    if (strlen(path) > LONGEST_PATH)
        return false;
    for (const char *at = path; *at; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f || *at == '\\')
            return false;
    for (const char *part = path;; part++) {
        size_t size = strcspn(part, "/");
        bool is_dots = (size == 1 || size == 2) && !strncmp(part, "..", size);
        if (size == 0 || size > LONGEST_PART || is_dots)
            return false;
        part += size;
        if (!*part)
            return true;
    }
}

bool pg_hub_revision_is_safe(const char *revision)
{
    return strlen(revision) <= LONGEST_PART && pg_hub_file_is_safe(revision);
}

bool pg_hub_is_commit(const char *text)
{
    return strlen(text) == 40 && strspn(text, "0123456789abcdef") == 40;
}

pg_status pg_hub_name_parse(pg_hub_name *out, const char *text)
{
    *out = (pg_hub_name){0};
    const char *name = strncmp(text, PREFIX, strlen(PREFIX)) ? text : text + strlen(PREFIX);
    size_t size = strcspn(name, "@");
    if (!is_repository(name, size))
        return pg_fail(PG_ERROR_ARGUMENT,
                       "%s: not the name of a model on the hub; expected ORG/NAME or "
                       "hub:ORG/NAME@REVISION",
                       text);
    if (name[size] && !pg_hub_revision_is_safe(name + size + 1))
        return pg_fail(PG_ERROR_ARGUMENT, "%s: what follows the @ is no revision; expected a branch, a tag or a commit",
                       text);
    out->repository = pg_copy_text(name, size);
    if (out->repository && name[size])
        out->revision = pg_copy_text(name + size + 1, SIZE_MAX);
    if (out->repository && (out->revision || !name[size]))
        return PG_OK;
    pg_hub_name_free(out);
    return PG_ERROR_MEMORY;
}

void pg_hub_name_free(pg_hub_name *name)
{
    pg_free(name->repository);
    pg_free(name->revision);
    *name = (pg_hub_name){0};
}

/* runs/bset beside a folder runs is a slip of the pen, nothing to ask a server for. */
static bool has_local_parent(const char *name)
{
    char parent[LONGEST_REPOSITORY + 1];
    memccpy(parent, name, '/', sizeof parent);
    *strchr(parent, '/') = 0;
    return pg_file_is_folder(parent);
}

bool pg_hub_is_name(const char *name)
{
    if (!strncmp(name, PREFIX, strlen(PREFIX)))
        return true;
    size_t size = strcspn(name, "@");
    return is_repository(name, size) && memchr(name, '/', size) && !pg_file_exists(name) && !has_local_parent(name) &&
           (!name[size] || pg_hub_revision_is_safe(name + size + 1));
}
