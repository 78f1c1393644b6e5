/* Masks of objects as clients get them: they are made in a picture's place, and only for who waits for them. */
#include "check.h"

#include <sys/socket.h>
#include <unistd.h>

#include "serve/find_objects.h"
#include "serve/server.h"

#define TEXT "<loc0000><loc0000><loc1023><loc1023> cow ; <loc0100><loc0100><loc0500><loc0200> dog"

static pg_server server;
static pg_engine engine;

static pg_exchange *new_exchange(pg_server *of)
{
    pg_exchange *exchange = pg_exchange_new(of, "/v1/objects");
    assert_non_null(exchange);
    exchange->engine = &engine;
    return exchange;
}

static void test_place(void **state)
{
    (void)state;
    json_t *found;
    pg_exchange *exchange = new_exchange(&server);
    server.options.deadline = 600;
    server.options.scheduler.queue = 1;
    atomic_store(&server.places_waited_for, 1);
    assert_int_equal(sem_init(&server.picture_places, 0, 0), 0);
    CHECK_OK(pg_read_objects(&found, exchange, TEXT, 40, 20, PG_MASK_FORM_NONE));
    assert_int_equal(json_array_size(json_object_get(found, "objects")), 2);
    json_decref(found);
    for (pg_mask_form form = PG_MASK_FORM_RLE; form < PG_MASK_FORM_NONE; form++) {
        CHECK_FAILS(pg_read_objects(&found, exchange, TEXT, 40, 20, form), PG_ERROR_BUSY, "wait with pictures");
        assert_null(found);
    }
    sem_post(&server.picture_places);
    for (int i = 0; i < 3; i++) { /* it is given back each time */
        CHECK_OK(pg_read_objects(&found, exchange, TEXT, 40, 20, PG_MASK_FORM_RLE));
        json_decref(found);
    }
    sem_destroy(&server.picture_places);
    pg_exchange_free(exchange);
}

static void test_nobody_waits(void **state)
{
    (void)state;
    json_t *found;
    int ends[2];
    pg_exchange *exchange = new_exchange(NULL);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    exchange->socket = ends[0];
    CHECK_OK(pg_read_objects(&found, exchange, TEXT, 40, 20, PG_MASK_FORM_RLE));
    json_decref(found);
    close(ends[1]);
    CHECK_FAILS(pg_read_objects(&found, exchange, TEXT, 40, 20, PG_MASK_FORM_RLE), PG_ERROR_CANCELLED, "nobody waits");
    assert_null(found);
    CHECK_OK(pg_read_objects(&found, exchange, "no object", 40, 20, PG_MASK_FORM_RLE));
    json_decref(found);
    close(ends[0]);
    pg_exchange_free(exchange);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_place),
        cmocka_unit_test(test_nobody_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
