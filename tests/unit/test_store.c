/* src/feedback/store and judgements: what is stored comes back, also after kill -9; what is damaged, of others or full
 * stays as it is; nothing is stored in part. */
#include "temporary_folder.h"
#include "sweep.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define COW  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define SIDE 70000 /* bytes of a picture that takes more than one page */

static const pg_feedback_record plain = {.prompt = "detect cow", .answer = "<loc0001>", .judgement = PG_JUDGEMENT_UP};

static pg_feedback_store *open_store(const char *name)
{
    pg_feedback_store *store;
    CHECK_OK(pg_feedback_open(&store, folder_file(name), NULL));
    return store;
}

/* What the last record of a list was. */
typedef struct seen {
    size_t count;
    int64_t ids[64];
    pg_judgement judgement;
    char text[1024];
} seen;

static const char *or_nothing(const char *text)
{
    return text ? text : "-";
}

static bool see(void *user, const pg_feedback_record *record)
{
    seen *s = user;
    s->ids[s->count++ % 64] = record->id;
    s->judgement = record->judgement;
    snprintf(s->text, sizeof s->text, "%s|%s|%s|%s|%s|%s|%s|%s|%s|%s|%zu", or_nothing(record->request),
             or_nothing(record->task), record->prompt, record->answer, or_nothing(record->correction),
             or_nothing(record->model), or_nothing(record->model_version), or_nothing(record->adapter),
             or_nothing(record->adapter_version), or_nothing(record->settings), record->picture_count);
    for (size_t i = 0; i < record->picture_count; i++) {
        size_t end = strlen(s->text);
        snprintf(s->text + end, sizeof s->text - end, "|%.8s %d %zu", record->pictures[i].hash,
                 record->pictures[i].keep, record->pictures[i].size);
    }
    return true;
}

static seen list_of(pg_feedback_store *store, pg_feedback_query query)
{
    seen s = {0};
    CHECK_OK(pg_feedback_list(store, &query, see, &s));
    return s;
}

static void records_come_back(void **state)
{
    (void)state;
    pg_feedback_picture pictures[] = {{.bytes = "abc", .size = 3, .keep = true},
                                      {.hash = COW},
                                      {.bytes = "", .size = 0}};
    pg_feedback_record record = {.request = "r1",
                                 .task = "detect",
                                 .prompt = "détecte \"vache\"",
                                 .answer = "",
                                 .judgement = PG_JUDGEMENT_DOWN,
                                 .correction = "une vache",
                                 .model = "m",
                                 .model_version = "mv",
                                 .adapter = "a",
                                 .adapter_version = "av",
                                 .settings = "{}",
                                 .pictures = pictures,
                                 .picture_count = 3};
    int64_t id;
    pg_feedback_store *store = open_store("back.db");
    CHECK_OK(pg_feedback_add(&id, store, &record));
    assert_int_equal(id, 1);
    pg_feedback_close(store);
    store = open_store("back.db");
    seen s = list_of(store, (pg_feedback_query){0});
    assert_int_equal(s.count, 1);
    assert_int_equal(s.judgement, PG_JUDGEMENT_DOWN);
    assert_string_equal(s.text, "r1|detect|détecte \"vache\"||une vache|m|mv|a|av|{}|3"
                                "|ba7816bf 1 3|01234567 0 0|e3b0c442 0 0");
    void *bytes;
    size_t size;
    CHECK_OK(pg_feedback_read_picture(&bytes, &size, store,
                                      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
    assert_int_equal(size, 3);
    assert_memory_equal(bytes, "abc", 3);
    pg_free(bytes);
    CHECK_FAILS(pg_feedback_read_picture(&bytes, &size, store, COW), PG_ERROR_ARGUMENT, "no picture 0123456789");
    pg_feedback_close(store);
    struct stat info;
    assert_int_equal(stat(folder_file("back.db"), &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
}

static void a_second_judgement_replaces_the_first(void **state)
{
    (void)state;
    pg_feedback_record record = plain;
    int64_t id, other;
    pg_feedback_store *store = open_store("again.db");
    record.request = "r";
    CHECK_OK(pg_feedback_add(&id, store, &record));
    CHECK_OK(pg_feedback_add(NULL, store, &plain)); /* without a name each is its own */
    CHECK_OK(pg_feedback_add(NULL, store, &plain));
    record.judgement = PG_JUDGEMENT_NONE;
    record.correction = "cow";
    CHECK_OK(pg_feedback_add(&other, store, &record));
    assert_int_equal(id, other);
    record.correction = " \n\t";
    CHECK_OK(pg_feedback_add(NULL, store, &record));
    seen s = list_of(store, (pg_feedback_query){.newest = true});
    assert_int_equal(s.count, 3);
    assert_int_equal(s.judgement, PG_JUDGEMENT_NONE);
    assert_string_equal(s.text, "r|-|detect cow|<loc0001>|-|-|-|-|-|-|0");
    pg_feedback_close(store);
}

/* A picture of this text as that of an answer, kept or not. */
static void judge(pg_feedback_store *store, const char *request, const char *text, bool keep)
{
    pg_feedback_picture picture = {.bytes = text, .size = strlen(text), .keep = keep};
    pg_feedback_record record = plain;
    record.request = request;
    record.pictures = &picture;
    record.picture_count = 1;
    CHECK_OK(pg_feedback_add(NULL, store, &record));
}

static void expect_picture(pg_feedback_store *store, const char *hash, bool there)
{
    void *bytes;
    size_t size;
    pg_status status = pg_feedback_read_picture(&bytes, &size, store, hash);
    assert_int_equal(status, there ? PG_OK : PG_ERROR_ARGUMENT);
    if (there)
        pg_free(bytes);
}

/* Who judges again and no longer wants a picture kept is obeyed, unless somebody else gave the same one. */
static void a_picture_may_be_withdrawn(void **state)
{
    (void)state;
    static const char abc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    pg_feedback_picture named = {0};
    pg_feedback_record record = plain;
    pg_feedback_store *store = open_store("withdrawn.db");
    judge(store, "r", "abc", true);
    judge(store, "other", "another", true);
    expect_picture(store, abc, true);
    memcpy(named.hash, abc, sizeof abc);
    record.request = "r";
    record.pictures = &named;
    record.picture_count = 1;
    CHECK_OK(pg_feedback_add(NULL, store, &record)); /* its hash alone withdraws nothing */
    expect_picture(store, abc, true);
    judge(store, "r", "abc", false);
    expect_picture(store, abc, false);
    expect_picture(store, "ae448ac86c4e8e4dec645729708ef41873ae79c6dff84eff73360989487f08e5", true);
    judge(store, "r", "abc", true);
    judge(store, "second", "abc", true);
    judge(store, "r", "abc", false);
    expect_picture(store, abc, true);
    pg_feedback_close(store);
}

static void lists_are_cut(void **state)
{
    (void)state;
    pg_feedback_store *store = open_store("lists.db");
    for (int i = 0; i < 5; i++)
        CHECK_OK(pg_feedback_add(NULL, store, &plain));
    seen s = list_of(store, (pg_feedback_query){.after = 2, .limit = 2});
    assert_int_equal(s.count, 2);
    assert_int_equal(s.ids[1], 4);
    s = list_of(store, (pg_feedback_query){.newest = true, .limit = 2});
    assert_int_equal(s.ids[1], 4);
    pg_feedback_close(store);
}

/* Each case changes one thing about a good record. */
static void bad_records_are_refused(void **state)
{
    (void)state;
    static char long_text[(1 << 20) + 2];
    memset(long_text, 'x', sizeof long_text - 1);
    pg_feedback_picture no_picture = {.hash = "0123"}, capitals = {.hash = COW}, no_bytes = {.hash = COW, .keep = true};
    pg_feedback_picture large = {.bytes = "", .size = SIZE_MAX};
    capitals.hash[10] = 'A';
    const struct bad_record {
        pg_feedback_record record;
        const char *text;
    } cases[] = {
        {{.answer = ""}, "needs a prompt and an answer"},
        {{.prompt = ""}, "needs a prompt and an answer"},
        {{.prompt = "", .answer = "a\xff"}, "answer: byte 1 is not UTF-8"},
        {{.prompt = "\xed\xa0\x80", .answer = ""}, "prompt: byte 0 is not UTF-8"},
        {{.prompt = "", .answer = long_text}, "answer: 1048577 bytes, at most 1048576"},
        {{.prompt = "", .answer = "", .judgement = (pg_judgement)2}, "judgement 2"},
        {{.prompt = "", .answer = "a", .correction = "a"}, "the same as the answer"},
        {{.prompt = "", .answer = "", .pictures = &no_picture, .picture_count = 1}, "picture 0: neither bytes"},
        {{.prompt = "", .answer = "", .pictures = &capitals, .picture_count = 1}, "picture 0: neither bytes"},
        {{.prompt = "", .answer = "", .pictures = &no_bytes, .picture_count = 1}, "picture 0: neither bytes"},
        {{.prompt = "", .answer = "", .pictures = &large, .picture_count = 1}, "at most 67108864"},
        {{.prompt = "", .answer = "", .pictures = &large, .picture_count = 17}, "17 pictures, at most 16"},
    };
    pg_feedback_store *store = open_store("bad.db");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        CHECK_FAILS(pg_feedback_add(NULL, store, &cases[i].record), PG_ERROR_ARGUMENT, cases[i].text);
    assert_int_equal(list_of(store, (pg_feedback_query){0}).count, 0);
    pg_feedback_close(store);
}

/* ---------------------------------------------------------------- files that are not ours, or no longer */

static pg_buffer content_of(const char *name)
{
    pg_buffer bytes = {0};
    CHECK_OK(pg_file_read(&bytes, folder_file(name), 1 << 24));
    return bytes;
}

/* Opening fails, and the file is the same afterwards. */
static void refuse(const char *name, pg_status expected, const char *text)
{
    pg_feedback_store *store;
    pg_buffer before = content_of(name);
    CHECK_FAILS(pg_feedback_open(&store, folder_file(name), NULL), expected, text);
    assert_null(store);
    pg_buffer after = content_of(name);
    assert_int_equal(before.size, after.size);
    assert_memory_equal(before.data, after.data, before.size);
    pg_buffer_free(&before);
    pg_buffer_free(&after);
}

static void files_of_others_stay(void **state)
{
    (void)state;
    pg_feedback_options existing;
    pg_feedback_store *store;
    folder_write("text.db",
                 "This is a text of more than a hundred bytes, which SQLite takes for a damaged database. "
                 "It stays as it is, of course.",
                 118);
    refuse("text.db", PG_ERROR_FORMAT, "text.db: damaged, or no feedback database");
    pg_feedback_close(open_store("versions.db"));
    pg_buffer bytes = content_of("versions.db");
    bytes.data[63] = 9; /* user_version, big-endian at 60 */
    folder_write("later.db", bytes.data, bytes.size);
    refuse("later.db", PG_ERROR_FORMAT, "later.db: version 9 of the tables, expected 1");
    bytes.data[63] = 1;
    bytes.data[71] ^= 1; /* application_id, at 68 */
    folder_write("other.db", bytes.data, bytes.size);
    refuse("other.db", PG_ERROR_FORMAT, "other.db: a database, but not of feedback");
    pg_buffer_free(&bytes);
    pg_feedback_options_init(&existing);
    existing.existing = true;
    CHECK_FAILS(pg_feedback_open(&store, folder_file("absent.db"), &existing), PG_ERROR_FILE, "cannot be opened");
    assert_false(pg_file_exists(folder_file("absent.db")));
    CHECK_FAILS(pg_feedback_open(&store, folder_path, NULL), PG_ERROR_FILE, "cannot be opened");
    CHECK_FAILS(pg_feedback_open(&store, ":memory:", NULL), PG_ERROR_ARGUMENT, "no name");
    CHECK_FAILS(pg_feedback_open(&store, "", NULL), PG_ERROR_ARGUMENT, "no name");
}

/* Every page in turn is overwritten, and the file is cut at every page: an error in one line or a correct list, never a
 * change. */
static void damage_is_said(void **state)
{
    (void)state;
    pg_feedback_store *store = open_store("whole.db");
    size_t failed = 0;
    for (int i = 0; i < 200; i++)
        CHECK_OK(pg_feedback_add(NULL, store, &plain));
    pg_feedback_close(store);
    pg_buffer bytes = content_of("whole.db");
    size_t pages = bytes.size / 4096;
    assert_in_range(pages, 4, 64);
    for (size_t page = 0; page < 2 * pages; page++) {
        bool cut = page >= pages;
        char *copy = pg_alloc(bytes.size, 1);
        memcpy(copy, bytes.data, bytes.size);
        if (!cut)
            memset(copy + page * 4096 + (page == 0 ? 100 : 0), 0xa5, 2000);
        folder_write("hurt.db", copy, cut ? (page - pages) * 4096 : bytes.size);
        pg_free(copy);
        pg_status status = cut && page == pages ? PG_OK : pg_feedback_open(&store, folder_file("hurt.db"), NULL);
        if (status != PG_OK) {
            failed++;
            assert_int_equal(status, PG_ERROR_FORMAT);
            assert_null(strchr(pg_error_last(), '\n'));
            refuse("hurt.db", PG_ERROR_FORMAT, "hurt.db: damaged");
        } else if (!cut || page > pages)
            pg_feedback_close(store);
    }
    assert_in_range(failed, pages, 2 * pages); /* all but a page of pictures, which were not asked for */
    pg_buffer_free(&bytes);
}

/* ---------------------------------------------------------------- without room */

static uint8_t picture_bytes[SIDE];

static pg_feedback_record with_picture(pg_feedback_picture *picture)
{
    pg_feedback_record record = plain;
    for (size_t i = 0; i < SIDE; i++)
        picture_bytes[i] = (uint8_t)(i * i >> 3);
    *picture = (pg_feedback_picture){.bytes = picture_bytes, .size = SIDE, .keep = true};
    record.pictures = picture;
    record.picture_count = 1;
    return record;
}

/* Half of a record is not stored, and what fits is stored afterwards. */
static void the_limit_is_kept(void **state)
{
    (void)state;
    pg_feedback_options options;
    pg_feedback_store *store;
    pg_feedback_picture picture;
    pg_feedback_record record = with_picture(&picture);
    pg_feedback_options_init(&options);
    options.max_bytes = 60000;
    CHECK_OK(pg_feedback_open(&store, folder_file("limit.db"), &options));
    CHECK_OK(pg_feedback_add(NULL, store, &plain));
    CHECK_FAILS(pg_feedback_add(NULL, store, &record), PG_ERROR_LIMIT, "no room left");
    CHECK_OK(pg_feedback_add(NULL, store, &plain));
    assert_int_equal(list_of(store, (pg_feedback_query){0}).count, 2);
    pg_feedback_close(store);
}

/* A file that the system does not let grow, as on a full disk. */
static void a_full_disk_loses_nothing(void **state)
{
    (void)state;
    pg_feedback_picture picture;
    pg_feedback_record record = with_picture(&picture);
    pg_feedback_store *store = open_store("full.db");
    CHECK_OK(pg_feedback_add(NULL, store, &plain));
    pid_t child = fork();
    if (child == 0) {
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &(struct rlimit){50000, 50000});
        pg_feedback_store *own = NULL;
        bool good = pg_feedback_open(&own, folder_file("full.db"), NULL) == PG_OK &&
                    pg_feedback_add(NULL, own, &record) == PG_ERROR_FILE && !strchr(pg_error_last(), '\n') &&
                    pg_feedback_add(NULL, own, &plain) == PG_OK;
        _exit(good ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(list_of(store, (pg_feedback_query){0}).count, 2);
    pg_feedback_close(store);
}

/* ---------------------------------------------------------------- kill -9 */

/* Stores as fast as it can and acknowledges each record with a byte. */
static void store_until_killed(int acknowledgements)
{
    pg_feedback_store *store;
    pg_feedback_picture picture;
    pg_feedback_record record = with_picture(&picture);
    if (pg_feedback_open(&store, folder_file("killed.db"), NULL) != PG_OK)
        _exit(1);
    for (int i = 0;; i++) {
        picture_bytes[0] = (uint8_t)i; /* another picture each time */
        if (pg_feedback_add(NULL, store, &record) != PG_OK || write(acknowledgements, "+", 1) != 1)
            _exit(1);
    }
}

/* Acknowledged records that a child reported before it was killed, so long after it had reported `wanted` of them. */
static size_t kill_one(size_t wanted, unsigned microseconds)
{
    int ends[2];
    char piece[256];
    size_t count = 0;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        store_until_killed(ends[1]);
    }
    close(ends[1]);
    while (count < wanted) {
        ssize_t size = read(ends[0], piece, wanted - count);
        assert_true(size > 0);
        count += (size_t)size;
    }
    usleep(microseconds);
    kill(child, SIGKILL);
    for (ssize_t size; (size = read(ends[0], piece, sizeof piece)) > 0;)
        count += (size_t)size;
    close(ends[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    return count;
}

static void kill_9_loses_nothing_acknowledged(void **state)
{
    (void)state;
    size_t acknowledged = 0;
    pg_feedback_close(open_store("killed.db"));
    for (unsigned i = 0; i < 25; i++) {
        acknowledged += kill_one(i % 4, i * 211);
        pg_feedback_store *store = open_store("killed.db");
        size_t stored = list_of(store, (pg_feedback_query){0}).count;
        pg_feedback_close(store);
        assert_in_range(stored, acknowledged, acknowledged + i + 1); /* one each may have been on its way back */
    }
}

/* ---------------------------------------------------------------- company */

static void *add_ten(void *store)
{
    for (int i = 0; i < 10; i++)
        if (pg_feedback_add(NULL, store, &plain) != PG_OK)
            return "failed";
    return NULL;
}

static void threads_and_stores_share_a_file(void **state)
{
    (void)state;
    pg_feedback_store *stores[] = {open_store("shared.db"), open_store("shared.db")};
    pthread_t threads[6];
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, add_ten, stores[i % 2]), 0);
    for (size_t i = 0; i < 6; i++) {
        void *result;
        pthread_join(threads[i], &result);
        assert_null(result);
    }
    assert_int_equal(list_of(stores[0], (pg_feedback_query){0}).count, 60);
    pg_feedback_close(stores[0]);
    pg_feedback_close(stores[1]);
}

static pg_status open_add_and_read(void)
{
    pg_feedback_store *store;
    pg_feedback_record record = plain;
    pg_feedback_picture picture = {.bytes = "abc", .size = 3, .keep = true};
    void *bytes;
    size_t size;
    record.request = "sweep";
    record.pictures = &picture;
    record.picture_count = 1;
    PG_TRY(pg_feedback_open(&store, folder_file("sweep.db"), NULL));
    pg_status status = pg_feedback_add(NULL, store, &record);
    if (status == PG_OK)
        status = pg_feedback_read_picture(&bytes, &size, store,
                                          "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    if (status == PG_OK)
        pg_free(bytes);
    pg_feedback_close(store);
    return status;
}

static void allocations_may_fail(void **state)
{
    (void)state;
    CHECK_SWEEP(open_add_and_read());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_come_back),
        cmocka_unit_test(a_second_judgement_replaces_the_first),
        cmocka_unit_test(a_picture_may_be_withdrawn),
        cmocka_unit_test(lists_are_cut),
        cmocka_unit_test(bad_records_are_refused),
        cmocka_unit_test(files_of_others_stay),
        cmocka_unit_test(damage_is_said),
        cmocka_unit_test(the_limit_is_kept),
        cmocka_unit_test(a_full_disk_loses_nothing),
        cmocka_unit_test(kill_9_loses_nothing_acknowledged),
        cmocka_unit_test(threads_and_stores_share_a_file),
        cmocka_unit_test(allocations_may_fail),
    };
    return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
