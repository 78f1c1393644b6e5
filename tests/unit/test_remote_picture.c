/* Which addresses a picture may be fetched from. */
#include "check.h"

#include <sys/socket.h>
#include <unistd.h>

#include "serve/remote_picture.h"

static void test_public(void **state)
{
    (void)state;
    static const char *const addresses[] = {"8.8.8.8",         "1.1.1.1",          "172.15.255.255", "172.32.0.0",
                                            "100.63.0.1",      "100.128.0.1",      "192.167.1.1",    "223.255.255.255",
                                            "2606:4700::1111", "2a00:1450:4001::1"};
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++)
        if (!pg_address_is_public(addresses[i]))
            fail_msg("%s is public", addresses[i]);
}

static void test_special(void **state)
{
    (void)state;
    static const char *const addresses[] = {
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "127.0.0.1",
        "127.255.255.255",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.0.1",
        "198.18.0.1",
        "198.51.100.7",
        "203.0.113.9",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:8.8.8.8",
        "64:ff9b::7f00:1",
        "fc00::1",
        "fd00::1",
        "fe80::1",
        "ff02::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "localhost",
        "",
        "127.1",
        "0x7f000001",
        "8.8.8.8 ",
    };
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++)
        if (pg_address_is_public(addresses[i]))
            fail_msg("%s is not public", addresses[i]);
}

static void test_refusals(void **state)
{
    (void)state;
    static const char *const hosts[] = {"named.invalid", "127.0.0.1:8081"};
    pg_server_options options;
    pg_buffer out = {0};
    pg_server_options_init(&options);
    options.image_hosts = hosts;
    options.image_host_count = 2;
    CHECK_FAILS(pg_remote_picture_fetch(&out, &options, "ftp://named.invalid/a", NULL), PG_ERROR_ARGUMENT,
                "not an http");
    CHECK_FAILS(pg_remote_picture_fetch(&out, &options, "http://a:b@named.invalid/a", NULL), PG_ERROR_ARGUMENT,
                "password");
    CHECK_FAILS(pg_remote_picture_fetch(&out, &options, "http://other.invalid/", NULL), PG_ERROR_ARGUMENT,
                "not fetched");
    CHECK_FAILS(pg_remote_picture_fetch(&out, &options, "http://named.invalid:81/", NULL), PG_ERROR_ARGUMENT,
                "not fetched");
    CHECK_FAILS(pg_remote_picture_fetch(&out, &options, "http://127.0.0.1/", NULL), PG_ERROR_ARGUMENT, "not fetched");
    CHECK_FAILS(pg_remote_picture_fetch(&out, &options, "http://2130706433:8080/", NULL), PG_ERROR_ARGUMENT,
                "not fetched");
    CHECK_FAILS(pg_remote_picture_fetch(&out, &options, "http://named.invalid.evil.invalid/", NULL), PG_ERROR_ARGUMENT,
                "not fetched");
    pg_buffer_free(&out);
}

/* Not even the first address is looked for when the client has left. */
static void test_nobody_waits(void **state)
{
    (void)state;
    static const char *const hosts[] = {"127.0.0.1:1"};
    pg_server_options options;
    pg_buffer out = {0};
    int ends[2];
    pg_server_options_init(&options);
    options.image_hosts = hosts;
    options.image_host_count = 1;
    options.max_body = 1000;
    options.timeout = 5;
    pg_exchange *exchange = pg_exchange_new(NULL, "/v1/caption");
    assert_non_null(exchange);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    exchange->socket = ends[0];
    CHECK_FAILS(pg_remote_picture_fetch(&out, &options, "http://127.0.0.1:1/", exchange), PG_ERROR_ARGUMENT,
                "cannot be fetched");
    close(ends[1]);
    CHECK_FAILS(pg_remote_picture_fetch(&out, &options, "http://127.0.0.1:1/", exchange), PG_ERROR_CANCELLED,
                "nobody waits");
    close(ends[0]);
    pg_exchange_free(exchange);
    pg_buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_public),
        cmocka_unit_test(test_special),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_nobody_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
