/* base/file.c, folder.c, json.c: files in the making, folders that are copied, documents. */
#include "temporary_folder.h"

#include <pthread.h>
#include <sys/stat.h>

#include "base/folder.h"
#include "base/json.h"

static void check_content(const char *name, const char *expected)
{
    pg_buffer text = {0};
    CHECK_OK(pg_file_read(&text, folder_file(name), 1 << 20));
    assert_string_equal(text.data, expected);
    pg_buffer_free(&text);
}

/* Two of a process, begun before either ends: each is whole, and the last one counts. */
static void writers_of_a_file_do_not_meet(void **state)
{
    (void)state;
    pg_file_writer first, second, third;
    CHECK_OK(pg_file_writer_open(&first, folder_file("shared")));
    CHECK_OK(pg_file_writer_open(&second, folder_file("shared")));
    CHECK_OK(pg_file_writer_open(&third, folder_file("shared")));
    assert_string_not_equal(first.temporary.data, second.temporary.data);
    CHECK_OK(pg_file_writer_write(&first, "the first", 9));
    CHECK_OK(pg_file_writer_write(&second, "2", 1));
    CHECK_OK(pg_file_writer_commit(&first));
    check_content("shared", "the first");
    pg_file_writer_abort(&third);
    check_content("shared", "the first");
    CHECK_OK(pg_file_writer_commit(&second));
    check_content("shared", "2");
    assert_int_equal(folder_count(), 1);
}

static char saved[512];

static void *save_often(void *document)
{
    for (int i = 0; i < 20; i++)
        if (pg_json_save(document, saved) != PG_OK)
            return document;
    return NULL;
}

static void threads_save_one_file(void **state)
{
    (void)state;
    pthread_t threads[4];
    json_t *document = json_pack("{s:[i,i,i]}", "values", 1, 2, 3), *found;
    strcpy(saved, folder_file("saved.json"));
    pg_file_set_sync(false);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, save_often, document), 0);
    for (int i = 0; i < 4; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    pg_file_set_sync(true);
    CHECK_OK(pg_json_load(&found, saved));
    assert_true(json_equal(found, document));
    json_decref(found);
    json_decref(document);
    assert_int_equal(folder_count(), 2); /* and the test's before */
}

static bool not_other(const char *name)
{
    return strcmp(name, "other") != 0;
}

static void folders_are_copied(void **state)
{
    (void)state;
    char from[512], to[512];
    strcpy(from, folder_file("from"));
    strcpy(to, folder_file("to"));
    assert_int_equal(mkdir(from, 0777), 0);
    assert_int_equal(mkdir(to, 0777), 0);
    assert_int_equal(mkdir(folder_file("from/folder"), 0777), 0);
    folder_write("from/file", "a file", 6);
    folder_write("from/.hidden", "x", 1);
    assert_int_equal(symlink("file", folder_file("from/link")), 0);
    assert_int_equal(symlink("nowhere", folder_file("from/other")), 0);
    CHECK_OK(
        pg_folder_copy(from, to, not_other)); /* a link that leads nowhere is nothing to those who do not want it */
    check_content("to/file", "a file");
    check_content("to/link", "a file");
    assert_int_equal(symlink("nowhere", folder_file("from/lost")), 0);
    CHECK_FAILS(pg_folder_copy(from, to, not_other), PG_ERROR_FILE, "from/lost: cannot be read: No such file");
    CHECK_FAILS(pg_folder_copy(folder_file("nowhere"), to, not_other), PG_ERROR_FILE, "nowhere: cannot be read");
}

static void documents_may_begin_with_a_mark(void **state)
{
    (void)state;
    json_t *document;
    static const char marked[] = "\xef\xbb\xbf{\"a\": 1}\n", twice[] = "\xef\xbb\xbf\xef\xbb\xbf{}";
    CHECK_OK(pg_json_load(&document, folder_write("marked.json", marked, sizeof marked - 1)));
    assert_int_equal(json_integer_value(json_object_get(document, "a")), 1);
    json_decref(document);
    CHECK_FAILS(pg_json_load(&document, folder_write("twice.json", twice, sizeof twice - 1)), PG_ERROR_FORMAT,
                "twice.json");
    CHECK_FAILS(pg_json_load(&document, folder_write("only.json", marked, 3)), PG_ERROR_FORMAT, "only.json");
    CHECK_FAILS(pg_json_load(&document, folder_write("part.json", marked, 2)), PG_ERROR_FORMAT, "part.json");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writers_of_a_file_do_not_meet),
        cmocka_unit_test(threads_save_one_file),
        cmocka_unit_test(folders_are_copied),
        cmocka_unit_test(documents_may_begin_with_a_mark),
    };
    return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
