/* Weights that are brought in when a model is opened, and kept: --prefault and --mlock. */
#include "golden_case.h"

#include <linux/capability.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/pages.h"
#include "base/process.h"

#define CHECKPOINT PG_GOLDEN_FOLDER "/paligemma-tiny-f32/checkpoint"
#define BYTES      1669120

/* Bytes of mapped files that become resident while a model is opened. */
static size_t resident_after_opening(const pg_model_options *options)
{
    pg_model *model;
    size_t before = pg_process_memory_get().mapped;
    CHECK_OK(pg_model_open_with(&model, CHECKPOINT, options));
    size_t after = pg_process_memory_get().mapped;
    pg_model_close(model);
    return after > before ? after - before : 0;
}

/* Some containers allow nobody to lock more than 64 KiB. */
static bool may_lock(size_t bytes)
{
    void *pages = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    bool locked = pg_pages_lock(pages, bytes);
    assert_int_equal(munmap(pages, bytes), 0);
    return locked;
}

static void test_weights_come_in(void **state)
{
    (void)state;
    pg_model_options options;
    pg_model_options_init(&options);
    resident_after_opening(&options); /* the program's own pages come in here */
    assert_true(resident_after_opening(&options) < BYTES / 2);
    options.prefault = true;
    assert_true(resident_after_opening(&options) >= BYTES);
    options = (pg_model_options){.lock = true};
    if (may_lock(BYTES + 65536)) /* whole pages */
        assert_true(resident_after_opening(&options) >= BYTES);
}

/* The right to lock any amount of memory, which root has. */
static void set_lock_right(bool effective)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2];
    assert_int_equal(syscall(SYS_capget, &header, data), 0);
    uint32_t bit = 1u << CAP_IPC_LOCK;
    data[0].effective = effective ? data[0].effective | (data[0].permitted & bit) : data[0].effective & ~bit;
    assert_int_equal(syscall(SYS_capset, &header, data), 0);
}

static void test_limit_is_named(void **state)
{
    (void)state;
    struct rlimit before, small;
    pg_model *model;
    assert_int_equal(getrlimit(RLIMIT_MEMLOCK, &before), 0);
    small = (struct rlimit){65536, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &small), 0);
    set_lock_right(false);
    pg_status status = pg_model_open_with(&model, CHECKPOINT, &(pg_model_options){.lock = true});
    set_lock_right(true);
    assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &before), 0);
    CHECK_FAILS(status, PG_ERROR_LIMIT, "1669120 bytes, which cannot be locked in memory");
    assert_non_null(strstr(pg_error_last(), "65536"));
    assert_null(model);
}

/* Addresses and lengths that are no multiples of a page; kernels that do not know MADV_POPULATE_READ read instead. */
static void test_any_range(void **state)
{
    (void)state;
    size_t size = (size_t)40 << 20;
    char *bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(bytes != MAP_FAILED);
    pg_pages_prefault(bytes + 5, size - 10, 2);
    pg_pages_prefault(bytes + 5, 1, 2);
    pg_pages_prefault(bytes, 0, 2);
    assert_true(pg_pages_lock(bytes + 4000, 200) || !may_lock(8192));
    assert_int_equal(munmap(bytes, size), 0);
    assert_false(pg_pages_lock(bytes, size)); /* nothing is there */
}

/* A mapped file whose byte i is i times 7, plus what page it is in. */
static const uint8_t *map_pattern(size_t size)
{
    char path[] = "/tmp/test_pages_XXXXXX";
    int file = mkstemp(path);
    assert_true(file >= 0);
    unlink(path);
    assert_int_equal(ftruncate(file, (off_t)size), 0);
    uint8_t *bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    assert_true(bytes != MAP_FAILED);
    close(file);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 4096);
    return bytes;
}

static bool has_pattern(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != (uint8_t)(i * 7 + i / 4096))
            return false;
    return true;
}

/* Contents and addresses stay; the memory is no file's any more. */
static void test_copy(void **state)
{
    (void)state;
    size_t size = (size_t)37 << 20;
    const uint8_t *bytes = map_pattern(size);
    size_t mapped = pg_process_memory_get().mapped;
    CHECK_OK(pg_pages_copy(bytes + 5, 100, 2)); /* no whole huge page */
    CHECK_OK(pg_pages_copy(bytes + 5, size - 10, 2));
    assert_true(has_pattern(bytes, size));
    assert_true(pg_process_memory_get().mapped <= mapped);
    CHECK_OK(pg_pages_copy(bytes + 5, size - 10, 1));
    assert_true(has_pattern(bytes, size));
    assert_int_equal(munmap((void *)bytes, size), 0);
}

/* Large files are mapped where their huge pages can be, whoever wrote them and in whatever pieces. */
static void test_large_files_are_aligned(void **state)
{
    (void)state;
    const size_t size = (5u << 20) + 77;
    char folder[] = "/tmp/test_pages_XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/weights", folder);
    const uint8_t *bytes = map_pattern(size);
    pg_file_writer writer;
    CHECK_OK(pg_file_writer_open(&writer, path));
    for (size_t at = 0, piece; at < size; at += piece) {
        piece = 2 * at + 1 < size - at ? 2 * at + 1 : size - at;
        CHECK_OK(pg_file_writer_write(&writer, bytes + at, piece));
    }
    CHECK_OK(pg_file_writer_commit(&writer));
    pg_file_map map;
    CHECK_OK(pg_file_map_open(&map, path));
    pg_pages_want_huge(map.data, map.size);
    assert_int_equal(map.size, size);
    assert_int_equal((uintptr_t)map.data % PG_HUGE_PAGE, 0);
    assert_memory_equal(map.data, bytes, size);
    pg_file_map_close(&map);
    assert_int_equal(munmap((void *)bytes, size), 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
}

static void test_copy_without_memory(void **state)
{
    (void)state;
    size_t size = (size_t)37 << 20;
    const uint8_t *bytes = map_pattern(size);
    for (long n = 1; n <= 2; n++) {
        pg_memory_fail_from(n);
        pg_status status = pg_pages_copy(bytes, size, 1);
        pg_memory_fail_from(0);
        CHECK_FAILS(status, PG_ERROR_MEMORY, "out of memory");
        assert_true(has_pattern(bytes, size));
    }
    assert_int_equal(munmap((void *)bytes, size), 0);
}

static void test_model_in_huge_pages(void **state)
{
    (void)state;
    pg_model *model;
    CHECK_OK(pg_model_open_with(&model, CHECKPOINT, &(pg_model_options){.huge_pages = true}));
    pg_model_close(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_weights_come_in),
        cmocka_unit_test(test_limit_is_named),
        cmocka_unit_test(test_any_range),
        cmocka_unit_test(test_copy),
        cmocka_unit_test(test_copy_without_memory),
        cmocka_unit_test(test_model_in_huge_pages),
        cmocka_unit_test(test_large_files_are_aligned),
    };
    return cmocka_run_group_tests_name("pages", tests, NULL, NULL);
}
