/* Names, the environment, answers, sums and folders of the hub: all that needs no server (tests/cli/pull.sh has one).
 */
#include "temporary_folder.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "hub/hub_blob.h"
#include "hub/hub_job.h"
#include "sweep.h"

#define COMMIT "0123456789abcdef0123456789abcdef01234567"

static void check_name(const char *text, const char *repository, const char *revision)
{
    pg_hub_name name;
    CHECK_OK(pg_hub_name_parse(&name, text));
    assert_string_equal(name.repository, repository);
    if (revision)
        assert_string_equal(name.revision, revision);
    else
        assert_null(name.revision);
    pg_hub_name_free(&name);
}

static void names(void **state)
{
    static const char *const wrong[] = {"",        "hub:",   "a/b/c", "/a",
                                        "a/",      "../a",   "a/..",  "a--b/c",
                                        "a/b.git", "a b/c",  "-a/b",  "a/.b",
                                        "a/b-",    "a..b/c", "a/b\n", "https://huggingface.co/a/b"};
    static const char *const wrong_revisions[] = {"a/b@", "a/b@..", "a/b@x/../y", "a/b@/x", "a/b@x//y", "a/b@x\ny"};
    pg_hub_name name;
    (void)state;
    check_name("google/paligemma-3b-pt-224", "google/paligemma-3b-pt-224", NULL);
    check_name("hub:google/paligemma-3b-pt-224@bfloat16", "google/paligemma-3b-pt-224", "bfloat16");
    check_name("hub:gpt2", "gpt2", NULL);
    check_name("a/b_c.d@refs/pr/1", "a/b_c.d", "refs/pr/1");
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        CHECK_FAILS(pg_hub_name_parse(&name, wrong[i]), PG_ERROR_ARGUMENT, "not the name of a model");
    for (size_t i = 0; i < sizeof wrong_revisions / sizeof *wrong_revisions; i++)
        CHECK_FAILS(pg_hub_name_parse(&name, wrong_revisions[i]), PG_ERROR_ARGUMENT, "is no revision");
}

/* A path that is there is a path; so is one whose folder is. */
static void names_and_paths(void **state)
{
    (void)state;
    assert_int_equal(chdir(folder_path), 0);
    assert_true(pg_hub_is_name("org/model"));
    assert_true(pg_hub_is_name("org/model@main"));
    assert_true(pg_hub_is_name("hub:model"));
    assert_false(pg_hub_is_name("model"));
    assert_false(pg_hub_is_name("./model"));
    assert_false(pg_hub_is_name("a/b/c"));
    assert_int_equal(mkdir("org", 0777), 0);
    assert_false(pg_hub_is_name("org/model"));
    assert_true(pg_hub_is_name("hub:org/model"));
    assert_int_equal(rmdir("org"), 0);
    assert_int_equal(chdir("/"), 0);
}

static void clear_environment(void)
{
    static const char *const all[] = {"HF_HOME",
                                      "XDG_CACHE_HOME",
                                      "HF_HUB_CACHE",
                                      "HUGGINGFACE_HUB_CACHE",
                                      "HF_ENDPOINT",
                                      "HF_TOKEN",
                                      "HUGGING_FACE_HUB_TOKEN",
                                      "HF_TOKEN_PATH",
                                      "HF_HUB_OFFLINE",
                                      "TRANSFORMERS_OFFLINE",
                                      "HF_HUB_ETAG_TIMEOUT",
                                      "HF_HUB_DOWNLOAD_TIMEOUT",
                                      "HF_HUB_DISABLE_IMPLICIT_TOKEN"};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        unsetenv(all[i]);
    setenv("HOME", folder_path, 1);
}

static void check_cache(const char *expected)
{
    pg_hub_place place;
    CHECK_OK(pg_hub_place_find(&place));
    assert_string_equal(place.cache.data, expected);
    pg_hub_place_free(&place);
}

static void places(void **state)
{
    char expected[256];
    (void)state;
    clear_environment();
    snprintf(expected, sizeof expected, "%s/.cache/huggingface/hub", folder_path);
    check_cache(expected);
    setenv("XDG_CACHE_HOME", "/xdg", 1);
    check_cache("/xdg/huggingface/hub");
    setenv("HF_HOME", "~/hf", 1);
    snprintf(expected, sizeof expected, "%s/hf/hub", folder_path);
    check_cache(expected);
    setenv("HUGGINGFACE_HUB_CACHE", "/old", 1);
    check_cache("/old");
    setenv("PG_TEST_PLACE", "there", 1);
    setenv("HF_HUB_CACHE", "/$PG_TEST_PLACE/${PG_TEST_PLACE}x/$PG_TEST_NONE/$/${", 1);
    check_cache("/there/therex/$PG_TEST_NONE/$/${");
}

static void endpoints_and_switches(void **state)
{
    pg_hub_place place;
    (void)state;
    clear_environment();
    CHECK_OK(pg_hub_place_find(&place));
    assert_string_equal(place.endpoint.data, "https://huggingface.co");
    assert_false(place.offline);
    assert_int_equal(place.silence_timeout, 10);
    pg_hub_place_free(&place);
    setenv("HF_ENDPOINT", "http://mirror:8080//", 1);
    setenv("TRANSFORMERS_OFFLINE", "Yes", 1);
    setenv("HF_HUB_DOWNLOAD_TIMEOUT", "3", 1);
    CHECK_OK(pg_hub_place_find(&place));
    assert_string_equal(place.endpoint.data, "http://mirror:8080");
    assert_true(place.offline);
    assert_int_equal(place.silence_timeout, 3);
    pg_hub_place_free(&place);
    setenv("HF_ENDPOINT", "file:///etc", 1);
    CHECK_FAILS(pg_hub_place_find(&place), PG_ERROR_ARGUMENT, "HF_ENDPOINT");
    pg_hub_place_free(&place);
}

static void check_token(const char *expected)
{
    pg_hub_place place;
    CHECK_OK(pg_hub_place_find(&place));
    assert_string_equal(place.token.size ? place.token.data : "", expected);
    pg_hub_place_free(&place);
}

static void tokens(void **state)
{
    pg_hub_place place;
    (void)state;
    clear_environment();
    check_token("");
    setenv("HF_HOME", folder_path, 1);
    folder_write("token", "hf_file\n", 8);
    check_token("hf_file");
    setenv("HF_TOKEN_PATH", folder_write("other", "hf_other\r\n", 10), 1);
    check_token("hf_other");
    setenv("HF_TOKEN", "hf_word", 1);
    check_token("hf_word");
    setenv("HF_TOKEN", "hf_word\nX-Header: y", 1);
    CHECK_FAILS(pg_hub_place_find(&place), PG_ERROR_ARGUMENT, "byte 8 of the token");
    assert_null(strstr(pg_error_last(), "hf_word"));
    pg_hub_place_free(&place);
    setenv("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1", 1);
    check_token("");
}

static void headers(void **state)
{
    char etag[PG_HUB_SUM_SIZE];
    int64_t from, total;
    (void)state;
    assert_true(pg_hub_etag_read(etag, "W/\"" COMMIT "\""));
    assert_string_equal(etag, COMMIT);
    assert_true(pg_hub_etag_read(etag, "0123456789ABCDEF0123456789ABCDEF01234567"));
    assert_string_equal(etag, COMMIT);
    assert_false(pg_hub_etag_read(etag, ""));
    assert_false(pg_hub_etag_read(etag, "\"../../x\""));
    assert_false(pg_hub_etag_read(etag, "\"d41d8cd98f00b204e9800998ecf8427e-3\""));
    assert_int_equal(pg_hub_size_read("5000000000"), 5000000000);
    assert_int_equal(pg_hub_size_read("-1"), -1);
    assert_int_equal(pg_hub_size_read("12x"), -1);
    assert_int_equal(pg_hub_size_read("99999999999999999999"), -1);
    assert_true(pg_hub_range_read(&from, &total, "bytes 10-19/30"));
    assert_int_equal(from, 10);
    assert_int_equal(total, 30);
    assert_true(pg_hub_range_read(&from, &total, "bytes 0-0/*"));
    assert_int_equal(total, -1);
    assert_false(pg_hub_range_read(&from, &total, "bytes 10-9/30"));
    assert_false(pg_hub_range_read(&from, &total, "bytes 10-30/30"));
    assert_false(pg_hub_range_read(&from, &total, "bytes */30"));
}

static void check_digest(const char *text, const char *expected)
{
    char sum[PG_HUB_SUM_SIZE];
    pg_hub_digest *digest;
    CHECK_OK(pg_hub_digest_new(&digest, expected, (int64_t)strlen(text)));
    for (const char *at = text; *at; at++)
        CHECK_OK(pg_hub_digest_add(digest, at, 1));
    CHECK_OK(pg_hub_digest_finish(sum, digest));
    assert_string_equal(sum, expected);
    pg_hub_digest_free(digest);
}

/* FIPS 180-4's example; `git hash-object`. */
static void digests(void **state)
{
    (void)state;
    check_digest("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    check_digest("hello\n", "ce013625030ba8dba906f756967f9e9ca394464a");
    check_digest("", "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
}

static pg_status parse_listing(pg_hub_listing *out, const char *files)
{
    char text[512];
    int size = snprintf(text, sizeof text, "{\"sha\": \"" COMMIT "\", \"siblings\": %s}", files);
    return pg_hub_listing_parse(out, text, (size_t)size, "org/model");
}

static void listings(void **state)
{
    static const char *const globs[] = {"*.bin", "runs/"};
    pg_hub_listing listing;
    (void)state;
    CHECK_OK(parse_listing(&listing, "[{\"rfilename\": \"model.bin\"}, {\"rfilename\": \"config.json\"},"
                                     " {\"rfilename\": \"a/b.bin\"}, {\"rfilename\": \"LICENSE\"}]"));
    assert_string_equal(listing.commit, COMMIT);
    CHECK_OK(pg_hub_listing_select(&listing, globs, 2, "org/model"));
    assert_int_equal(listing.files.count, 2);
    assert_string_equal(listing.files.items[0], "a/b.bin");
    CHECK_FAILS(pg_hub_listing_select(&listing, NULL, 0, "org/model"), PG_ERROR_FILE, "none of its 2 files");
    pg_hub_listing_free(&listing);
    CHECK_FAILS(parse_listing(&listing, "[{\"rfilename\": \"../x\"}]"), PG_ERROR_FORMAT, "would not stay");
    pg_hub_listing_free(&listing);
    CHECK_FAILS(parse_listing(&listing, "[{}]"), PG_ERROR_FORMAT, "rfilename");
    pg_hub_listing_free(&listing);
    CHECK_FAILS(parse_listing(&listing, "{}"), PG_ERROR_FORMAT, "no list of files");
    pg_hub_listing_free(&listing);
}

/* ---------------------------------------------------------------- the cache */

static void link_file(const pg_hub_cache *cache, const char *name, const char *text)
{
    pg_buffer path = {0};
    CHECK_OK(pg_hub_cache_blob(&path, cache, COMMIT));
    FILE *file = fopen(path.data, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    CHECK_OK(pg_hub_cache_link(cache, COMMIT, name, COMMIT));
    pg_buffer_free(&path);
}

static void check_missing(const char *snapshot, const char *expected)
{
    char *missing;
    CHECK_OK(pg_hub_cache_check(&missing, snapshot));
    if (expected)
        assert_string_equal(missing, expected);
    else
        assert_null(missing);
    pg_free(missing);
}

static void snapshots(void **state)
{
    pg_hub_cache cache;
    pg_buffer folder = {0};
    (void)state;
    CHECK_OK(pg_hub_cache_name(&cache, folder_file("cache"), "org/model"));
    CHECK_OK(pg_hub_cache_make(&cache));
    CHECK_OK(pg_hub_cache_make(&cache));
    CHECK_OK(pg_hub_cache_snapshot(&folder, &cache, COMMIT));
    check_missing(folder.data, "config.json");
    link_file(&cache, "a/b/config.json", "{}");
    check_missing(folder.data, "config.json");
    link_file(&cache, "config.json", "{}");
    check_missing(folder.data, "model.safetensors");
    link_file(&cache, "model.safetensors.index.json", "{\"weight_map\": {\"w\": \"model-1.safetensors\"}}");
    check_missing(folder.data, "model-1.safetensors");
    link_file(&cache, "model-1.safetensors", "{\"weight_map\": {\"w\": \"model-1.safetensors\"}}");
    check_missing(folder.data, "tokenizer.json");
    CHECK_OK(pg_hub_cache_link(&cache, COMMIT, "tokenizer.model", "nothing")); /* leads nowhere */
    check_missing(folder.data, "tokenizer.json");
    CHECK_OK(pg_hub_cache_link(&cache, COMMIT, "tokenizer.model", COMMIT));
    check_missing(folder.data, NULL);
    CHECK_FAILS(pg_hub_cache_link(&cache, COMMIT, "config.json/x", COMMIT), PG_ERROR_FILE, "no folder");
    pg_buffer_free(&folder);
    pg_hub_cache_free(&cache);
}

static void *link_often(void *cache)
{
    for (int i = 0; i < 50; i++)
        if (pg_hub_cache_link(cache, COMMIT, "config.json", COMMIT) != PG_OK)
            return cache;
    return NULL;
}

static void threads_make_one_link(void **state)
{
    pthread_t threads[4];
    pg_hub_cache cache;
    (void)state;
    CHECK_OK(pg_hub_cache_name(&cache, folder_file("cache"), "org/linked"));
    CHECK_OK(pg_hub_cache_make(&cache));
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, link_often, &cache), 0);
    for (int i = 0; i < 4; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    pg_hub_cache_free(&cache);
}

static void revisions(void **state)
{
    char commit[41];
    bool known;
    pg_hub_cache cache;
    (void)state;
    CHECK_OK(pg_hub_cache_name(&cache, folder_file("cache"), "org/revisions"));
    CHECK_OK(pg_hub_cache_make(&cache));
    CHECK_OK(pg_hub_cache_commit(commit, &known, &cache, "refs/pr/1"));
    assert_false(known);
    CHECK_OK(pg_hub_cache_keep_commit(&cache, "refs/pr/1", COMMIT));
    CHECK_OK(pg_hub_cache_keep_commit(&cache, COMMIT, COMMIT));
    CHECK_OK(pg_hub_cache_commit(commit, &known, &cache, "refs/pr/1"));
    assert_true(known);
    assert_string_equal(commit, COMMIT);
    CHECK_FAILS(pg_hub_cache_keep_commit(&cache, "refs/pr/1/2", COMMIT), PG_ERROR_FILE, "cannot be");
    pg_hub_cache_free(&cache);
}

/* ---------------------------------------------------------------- blobs */

static bool always(void *user)
{
    (void)user;
    return true;
}

static bool never(void *user)
{
    (void)user;
    return false;
}

#define HELLO "ce013625030ba8dba906f756967f9e9ca394464a" /* git's sum of "hello\n" */

static void open_blob(pg_hub_blob *blob, pg_hub_blob_state expected, const pg_hub_cache *cache)
{
    pg_hub_blob_state state;
    CHECK_OK(pg_hub_blob_open(blob, &state, cache, HELLO, 6, always, NULL));
    assert_int_equal(state, expected);
}

static void blobs(void **state)
{
    char sum[PG_HUB_SUM_SIZE];
    bool right;
    pg_hub_cache cache;
    pg_hub_blob blob = PG_HUB_BLOB_CLOSED, second = PG_HUB_BLOB_CLOSED;
    (void)state;
    CHECK_OK(pg_hub_cache_name(&cache, folder_file("cache"), "org/blobs"));
    CHECK_OK(pg_hub_cache_make(&cache));
    open_blob(&blob, PG_HUB_BLOB_OPEN, &cache);
    open_blob(&second, PG_HUB_BLOB_BUSY, &cache); /* the lock is taken */
    CHECK_OK(pg_hub_blob_write(&blob, "hel", 3));
    pg_hub_blob_close(&blob);

    pg_hub_blob_state outcome;
    CHECK_FAILS(pg_hub_blob_open(&blob, &outcome, &cache, HELLO, 6, never, NULL), PG_ERROR_CANCELLED, "cancelled");
    pg_hub_blob_close(&blob);
    open_blob(&blob, PG_HUB_BLOB_OPEN, &cache);
    assert_int_equal(blob.written, 3);
    assert_true(blob.resumed);
    CHECK_OK(pg_hub_blob_write(&blob, "lx\n", 3));
    CHECK_OK(pg_hub_blob_finish(&blob, &right, sum));
    assert_false(right);
    pg_hub_blob_close(&blob);

    open_blob(&blob, PG_HUB_BLOB_OPEN, &cache);
    assert_int_equal(blob.written, 0);
    CHECK_OK(pg_hub_blob_write(&blob, "hi", 2));
    CHECK_OK(pg_hub_blob_restart(&blob));
    CHECK_OK(pg_hub_blob_write(&blob, "hello\n", 6));
    CHECK_OK(pg_hub_blob_finish(&blob, &right, sum));
    assert_true(right);
    pg_hub_blob_close(&blob);
    open_blob(&blob, PG_HUB_BLOB_MADE, &cache);
    pg_hub_cache_free(&cache);
}

/* The beginning is longer than the file, or leads elsewhere. */
static void strange_beginnings(void **state)
{
    pg_hub_cache cache;
    pg_hub_blob blob = PG_HUB_BLOB_CLOSED;
    pg_hub_blob_state outcome;
    pg_buffer path = {0};
    int64_t have;
    (void)state;
    CHECK_OK(pg_hub_cache_name(&cache, folder_file("cache"), "org/strange"));
    CHECK_OK(pg_hub_cache_make(&cache));
    CHECK_OK(pg_hub_cache_incomplete(&path, &cache, HELLO));
    FILE *file = fopen(path.data, "w");
    assert_non_null(file);
    fputs("hello, hello\n", file);
    fclose(file);
    CHECK_OK(pg_hub_blob_have(&have, &cache, HELLO, 6));
    assert_int_equal(have, 0);
    open_blob(&blob, PG_HUB_BLOB_OPEN, &cache);
    assert_int_equal(blob.written, 0);
    pg_hub_blob_close(&blob);
    assert_int_equal(unlink(path.data), 0);
    assert_int_equal(symlink(folder_file("elsewhere"), path.data), 0);
    CHECK_FAILS(pg_hub_blob_open(&blob, &outcome, &cache, HELLO, 6, always, NULL), PG_ERROR_FILE, "cannot be opened");
    pg_hub_blob_close(&blob);
    assert_false(pg_file_exists(folder_file("elsewhere")));
    pg_buffer_free(&path);
    pg_hub_cache_free(&cache);
}

/* ---------------------------------------------------------------- memory */

static pg_status do_everything(void)
{
    char commit[41], *missing = NULL;
    bool known;
    pg_hub_place place;
    pg_hub_cache cache = {0};
    pg_hub_listing listing = {0};
    pg_hub_name name = {0};
    pg_http *http = NULL;
    pg_status status = pg_hub_place_find(&place);
    if (status == PG_OK)
        status = pg_hub_name_parse(&name, "hub:org/memory@main");
    if (status == PG_OK)
        status = pg_hub_cache_name(&cache, place.cache.data, name.repository);
    if (status == PG_OK)
        status = pg_hub_cache_make(&cache);
    if (status == PG_OK)
        status = parse_listing(&listing, "[{\"rfilename\": \"config.json\"}]");
    if (status == PG_OK)
        status = pg_hub_cache_link(&cache, COMMIT, "a/config.json", COMMIT);
    if (status == PG_OK)
        status = pg_hub_cache_keep_commit(&cache, "a/main", COMMIT);
    if (status == PG_OK)
        status = pg_hub_cache_commit(commit, &known, &cache, "a/main");
    if (status == PG_OK)
        status = pg_hub_cache_check(&missing, cache.folder.data);
    if (status == PG_OK)
        status = pg_http_new(&http, &place);
    pg_http_free(http);
    pg_free(missing);
    pg_hub_name_free(&name);
    pg_hub_listing_free(&listing);
    pg_hub_cache_free(&cache);
    pg_hub_place_free(&place);
    return status;
}

static pg_status make_blob(void)
{
    char sum[PG_HUB_SUM_SIZE];
    bool right;
    pg_hub_blob_state state;
    pg_hub_blob blob = PG_HUB_BLOB_CLOSED;
    pg_hub_cache cache;
    pg_status status = pg_hub_cache_name(&cache, folder_file("cache"), "org/memory");
    if (status == PG_OK)
        status = pg_hub_blob_open(&blob, &state, &cache, HELLO, 6, always, NULL);
    if (status == PG_OK && state == PG_HUB_BLOB_OPEN)
        status = pg_hub_blob_restart(&blob);
    if (status == PG_OK && state == PG_HUB_BLOB_OPEN)
        status = pg_hub_blob_write(&blob, "hello\n", 6);
    if (status == PG_OK && state == PG_HUB_BLOB_OPEN)
        status = pg_hub_blob_finish(&blob, &right, sum);
    pg_hub_blob_close(&blob);
    pg_hub_cache_free(&cache);
    return status;
}

static void short_of_memory(void **state)
{
    (void)state;
    clear_environment();
    setenv("HF_HUB_CACHE", folder_file("cache"), 1);
    setenv("HF_TOKEN", "hf_word", 1);
    sweep_include_json();
    CHECK_SWEEP(do_everything());
    CHECK_SWEEP(make_blob());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(names_and_paths),
        cmocka_unit_test(places),
        cmocka_unit_test(endpoints_and_switches),
        cmocka_unit_test(tokens),
        cmocka_unit_test(headers),
        cmocka_unit_test(digests),
        cmocka_unit_test(listings),
        cmocka_unit_test(snapshots),
        cmocka_unit_test(revisions),
        cmocka_unit_test(threads_make_one_link),
        cmocka_unit_test(blobs),
        cmocka_unit_test(strange_beginnings),
        cmocka_unit_test(short_of_memory),
    };
    return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
