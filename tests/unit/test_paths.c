/* Names of files as seen from other folders. */
#include "temporary_folder.h"

#include <sys/stat.h>

#include "base/paths.h"
#include "sweep.h"

static pg_buffer out;

static void make_folders(void)
{
    static const char *const names[] = {"a", "a/b", "ab", "a/b/c"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        mkdir(folder_file(names[i]), 0777);
    if (symlink("a/b", folder_file("link")) != 0)
        assert_true(pg_file_exists(folder_file("link")));
}

static void check_relative(const char *folder, const char *file, const char *expected)
{
    pg_buffer resolved = {0};
    CHECK_OK(pg_path_resolve(&resolved, folder_file(folder)));
    CHECK_OK(pg_path_relative(&out, resolved.data, folder_file(file)));
    assert_string_equal(out.data, expected);
    assert_int_equal(chdir(folder_path), 0); /* named from here */
    CHECK_OK(pg_path_relative(&out, resolved.data, file));
    assert_string_equal(out.data, expected);
    pg_buffer_free(&resolved);
}

static void relative_names(void **state)
{
    (void)state;
    make_folders();
    check_relative("a", "a/x.jpg", "x.jpg");
    check_relative("a", "a/b/x.jpg", "b/x.jpg");
    check_relative("a", "a/b/c/x.jpg", "b/c/x.jpg");
    check_relative("a/b", "a/x.jpg", "../x.jpg");
    check_relative("a/b/c", "x.jpg", "../../../x.jpg");
    check_relative("a", "ab/x.jpg", "../ab/x.jpg"); /* begins alike */
    check_relative("ab", "a/x.jpg", "../a/x.jpg");
    check_relative("a", "link/x.jpg", "../link/x.jpg");
    check_relative("a", "./a//b/./x.jpg", "b/x.jpg");
    check_relative("a", "absent/x.jpg", "../absent/x.jpg");
    check_relative("a", "link/../x.jpg", "x.jpg"); /* where the link leads */
    check_relative("a", "ab/..x/x.jpg", "../ab/..x/x.jpg");
    check_relative("link", "a/b/../x.jpg", "../x.jpg");
}

static void the_root(void **state)
{
    (void)state;
    CHECK_OK(pg_path_relative(&out, "/", "/tmp/x.jpg"));
    assert_string_equal(out.data, "tmp/x.jpg");
    CHECK_OK(pg_path_relative(&out, "/tmp", "/x.jpg"));
    assert_string_equal(out.data, "../x.jpg");
    CHECK_OK(pg_path_relative(&out, "/", "/x.jpg"));
    assert_string_equal(out.data, "x.jpg");
}

static void folders_of_paths(void **state)
{
    static const char *const pairs[][2] = {{"x", "."}, {"/x", "/"}, {"a/x", "a"}, {"/a/b/x", "/a/b"}, {"a/", "a"}};
    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        CHECK_OK(pg_path_folder(&out, pairs[i][0]));
        assert_string_equal(out.data, pairs[i][1]);
    }
    CHECK_FAILS(pg_path_relative(&out, "/", folder_file("absent/../x.jpg")), PG_ERROR_FILE,
                "absent/..: cannot be found");
}

static pg_status relative_again(void)
{
    pg_buffer path = {0};
    pg_status status = pg_path_relative(&path, "/usr", folder_file("a/x.jpg"));
    if (status == PG_OK)
        status = pg_path_relative(&path, "/usr", folder_file("a/../x.jpg"));
    pg_buffer_free(&path);
    return status;
}

static void short_of_memory(void **state)
{
    (void)state;
    CHECK_SWEEP(relative_again());
    pg_buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(relative_names),
        cmocka_unit_test(the_root),
        cmocka_unit_test(folders_of_paths),
        cmocka_unit_test(short_of_memory),
    };
    return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
