#include "hub/hub_cache.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/folder.h"
#include "base/json.h"
#include "base/paths.h"

/* ---------------------------------------------------------------- names */

static pg_status append_folder(pg_buffer *out, const char *repository)
{
    PG_TRY(pg_buffer_print(out, "/models--"));
    for (const char *at = repository; *at; at++)
        PG_TRY(*at == '/' ? pg_buffer_print(out, "--") : pg_buffer_append(out, at, 1));
    return PG_OK;
}

pg_status pg_hub_cache_name(pg_hub_cache *out, const char *cache, const char *repository)
{
    *out = (pg_hub_cache){0};
    PG_TRY(pg_buffer_print(&out->folder, "%s", cache));
    PG_TRY(append_folder(&out->folder, repository));
    PG_TRY(pg_buffer_print(&out->locks, "%s/.locks", cache));
    return append_folder(&out->locks, repository);
}

void pg_hub_cache_free(pg_hub_cache *cache)
{
    pg_buffer_free(&cache->folder);
    pg_buffer_free(&cache->locks);
}

pg_status pg_hub_cache_blob(pg_buffer *out, const pg_hub_cache *cache, const char *etag)
{
    pg_buffer_reset(out);
    return pg_buffer_print(out, "%s/blobs/%s", cache->folder.data, etag);
}

pg_status pg_hub_cache_incomplete(pg_buffer *out, const pg_hub_cache *cache, const char *etag)
{
    PG_TRY(pg_hub_cache_blob(out, cache, etag));
    return pg_buffer_print(out, ".incomplete");
}

pg_status pg_hub_cache_snapshot(pg_buffer *out, const pg_hub_cache *cache, const char *commit)
{
    pg_buffer_reset(out);
    return pg_buffer_print(out, "%s/snapshots/%s", cache->folder.data, commit);
}

pg_status pg_hub_cache_file(pg_buffer *out, const pg_hub_cache *cache, const char *commit, const char *file)
{
    PG_TRY(pg_hub_cache_snapshot(out, cache, commit));
    return pg_buffer_print(out, "/%s", file);
}

static pg_status name_ref(pg_buffer *out, const pg_hub_cache *cache, const char *revision)
{
    return pg_buffer_print(out, "%s/refs/%s", cache->folder.data, revision);
}

/* ---------------------------------------------------------------- folders */

pg_status pg_hub_cache_make(const pg_hub_cache *cache)
{
    static const char *const names[] = {"blobs", "refs", "snapshots"};
    pg_buffer path = {0};
    pg_status status = pg_folder_make(cache->locks.data);
    for (size_t i = 0; status == PG_OK && i < sizeof names / sizeof *names; i++) {
        status = pg_file_join(&path, cache->folder.data, names[i]);
        if (status == PG_OK)
            status = pg_folder_make(path.data);
    }
    pg_buffer_free(&path);
    return status;
}

/* ---------------------------------------------------------------- revisions */

static pg_status read_commit(char out[41], bool *known, const char *path)
{
    pg_buffer text = {0};
    if (!pg_file_exists(path))
        return PG_OK;
    pg_status status = pg_file_read(&text, path, 256);
    if (status == PG_OK) {
        size_t size = strcspn(text.data, "\r\n");
        text.data[size] = 0;
        *known = pg_hub_is_commit(text.data);
        if (*known)
            memcpy(out, text.data, 41);
    }
    pg_buffer_free(&text);
    return status;
}

pg_status pg_hub_cache_commit(char out[41], bool *known, const pg_hub_cache *cache, const char *revision)
{
    *known = pg_hub_is_commit(revision);
    if (*known) {
        memcpy(out, revision, 41);
        return PG_OK;
    }
    pg_buffer path = {0};
    pg_status status = name_ref(&path, cache, revision);
    if (status == PG_OK)
        status = read_commit(out, known, path.data);
    pg_buffer_free(&path);
    return status;
}

static pg_status write_text(const char *path, const char *text)
{
    pg_file_writer writer;
    PG_TRY(pg_file_writer_open(&writer, path));
    pg_status status = pg_file_writer_write(&writer, text, strlen(text));
    if (status == PG_OK)
        return pg_file_writer_commit(&writer);
    pg_file_writer_abort(&writer);
    return status;
}

pg_status pg_hub_cache_keep_commit(const pg_hub_cache *cache, const char *revision, const char *commit)
{
    pg_buffer path = {0}, folder = {0};
    char old[41];
    bool known;
    if (!strcmp(revision, commit))
        return PG_OK;
    pg_status status = name_ref(&path, cache, revision);
    if (status == PG_OK)
        status = pg_hub_cache_commit(old, &known, cache, revision);
    if (status == PG_OK && !(known && !strcmp(old, commit))) {
        status = pg_path_folder(&folder, path.data); /* of refs/pr/1 */
        if (status == PG_OK)
            status = pg_folder_make(folder.data);
        if (status == PG_OK)
            status = write_text(path.data, commit);
    }
    pg_buffer_free(&path);
    pg_buffer_free(&folder);
    return status;
}

/* ---------------------------------------------------------------- links */

/* A file's folder below snapshots/COMMIT. Each step must be a folder itself: a link there would lead elsewhere. */
static pg_status make_parents(const pg_hub_cache *cache, const char *commit, const char *file)
{
    pg_buffer path = {0};
    struct stat info;
    pg_status status = pg_hub_cache_snapshot(&path, cache, commit);
    for (const char *slash = file; status == PG_OK; slash++) {
        if (mkdir(path.data, 0777) != 0 && errno != EEXIST)
            status = pg_fail_errno(PG_ERROR_FILE, "%s: cannot be made", path.data);
        else if (lstat(path.data, &info) != 0 || !S_ISDIR(info.st_mode))
            status = pg_fail(PG_ERROR_FILE, "%s: found what is no folder", path.data);
        slash = strchr(slash, '/');
        if (status != PG_OK || !slash)
            break;
        status = pg_hub_cache_snapshot(&path, cache, commit);
        if (status == PG_OK)
            status = pg_buffer_print(&path, "/%.*s", (int)(slash - file), file);
    }
    pg_buffer_free(&path);
    return status;
}

/* "../../blobs/ETAG" as it is seen from snapshots/COMMIT/FILE. */
static pg_status name_target(pg_buffer *out, const char *file, const char *etag)
{
    PG_TRY(pg_buffer_print(out, "../../"));
    for (const char *slash = file; (slash = strchr(slash, '/')); slash++)
        PG_TRY(pg_buffer_print(out, "../"));
    return pg_buffer_print(out, "blobs/%s", etag);
}

static pg_status make_link(const char *target, const char *path, const char *partial)
{
    if (symlink(target, path) == 0)
        return PG_OK;
    unlink(partial);
    if (symlink(target, partial) != 0)
        return pg_fail_errno(PG_ERROR_FILE,
                             "%s: no link can be made there; HF_HUB_CACHE may name a folder where it can", path);
    if (rename(partial, path) == 0)
        return PG_OK;
    pg_status status = pg_fail_errno(PG_ERROR_FILE, "%s: cannot be made", path);
    unlink(partial);
    return status;
}

pg_status pg_hub_cache_link(const pg_hub_cache *cache, const char *commit, const char *file, const char *etag)
{
    pg_buffer path = {0}, partial = {0}, target = {0};
    pg_status status = PG_OK;
    PG_TRY_GOTO(make_parents(cache, commit, file));
    PG_TRY_GOTO(pg_hub_cache_file(&path, cache, commit, file));
    PG_TRY_GOTO(pg_file_partial_name(&partial, path.data));
    PG_TRY_GOTO(name_target(&target, file, etag));
    status = make_link(target.data, path.data, partial.data);
done:
    pg_buffer_free(&path);
    pg_buffer_free(&partial);
    pg_buffer_free(&target);
    return status;
}

/* ---------------------------------------------------------------- locks */

/* A lock on a file that was removed meanwhile keeps nobody out. */
static bool is_same_file(int descriptor, const char *path)
{
    struct stat here, there;
    return fstat(descriptor, &here) == 0 && stat(path, &there) == 0 && here.st_ino == there.st_ino &&
           here.st_dev == there.st_dev;
}

static pg_status take_lock(int *descriptor, const char *path)
{
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    *descriptor = -1;
    if (file < 0)
        return pg_fail_errno(PG_ERROR_FILE, "%s: cannot be made", path);
    bool busy = flock(file, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    if (busy || !is_same_file(file, path))
        close(file);
    else
        *descriptor = file;
    return PG_OK;
}

pg_status pg_hub_cache_lock(int *descriptor, const pg_hub_cache *cache, const char *etag)
{
    pg_buffer path = {0};
    pg_status status = pg_buffer_print(&path, "%s/%s.lock", cache->locks.data, etag);
    if (status == PG_OK)
        status = take_lock(descriptor, path.data);
    pg_buffer_free(&path);
    return status;
}

/* ---------------------------------------------------------------- complete snapshots */

static pg_status has_file(bool *out, const char *snapshot, const char *name)
{
    pg_buffer path = {0};
    pg_status status = pg_file_join(&path, snapshot, name);
    *out = status == PG_OK && pg_file_exists(path.data);
    pg_buffer_free(&path);
    return status;
}

static pg_status miss(char **missing, const char *name)
{
    *missing = pg_copy_text(name, SIZE_MAX);
    return *missing ? PG_OK : PG_ERROR_MEMORY;
}

/* One of these must be there. */
static pg_status require_one(char **missing, const char *snapshot, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bool there;
        PG_TRY(has_file(&there, snapshot, names[i]));
        if (there)
            return PG_OK;
    }
    return miss(missing, names[0]);
}

/* The shards that an index names. */
static pg_status check_shards(char **missing, const char *snapshot, const char *index)
{
    pg_buffer path = {0};
    json_t *root = NULL, *shard;
    const char *weight;
    pg_status status = pg_file_join(&path, snapshot, index);
    if (status == PG_OK)
        status = pg_json_load(&root, path.data);
    json_object_foreach(json_object_get(root, "weight_map"), weight, shard)
    {
        const char *name = json_string_value(shard);
        bool there = false;
        if (status == PG_OK && name && pg_hub_file_is_safe(name))
            status = has_file(&there, snapshot, name);
        if (status == PG_OK && !there)
            status = miss(missing, name ? name : weight);
        if (status != PG_OK || !there)
            break;
    }
    json_decref(root);
    pg_buffer_free(&path);
    return status;
}

static pg_status check_adapter(char **missing, const char *snapshot)
{
    static const char *const weights[] = {"adapter_model.safetensors"};
    return require_one(missing, snapshot, weights, 1);
}

pg_status pg_hub_cache_check(char **missing, const char *snapshot)
{
    static const char *const index = "model.safetensors.index.json";
    static const char *const configuration[] = {"config.json"}, *const weights[] = {"model.safetensors"};
    static const char *const tokenizers[] = {"tokenizer.json", "tokenizer.model", "spiece.model"};
    bool adapter, sharded;
    *missing = NULL;
    PG_TRY(has_file(&adapter, snapshot, "adapter_config.json"));
    if (adapter)
        return check_adapter(missing, snapshot);
    PG_TRY(require_one(missing, snapshot, configuration, 1));
    PG_TRY(has_file(&sharded, snapshot, index));
    if (!*missing)
        PG_TRY(sharded ? check_shards(missing, snapshot, index) : require_one(missing, snapshot, weights, 1));
    return *missing ? PG_OK : require_one(missing, snapshot, tokenizers, 3);
}
