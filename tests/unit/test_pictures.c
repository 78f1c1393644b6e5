/* Pictures of requests: how much they may be together, who waits for a place, and when it is given back. */
#include "check.h"

#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/file.h"
#include "serve/pictures.h"
#include "serve/routes.h"
#include "serve/server.h"

#define INFERENCE  PG_TESTS_FOLDER "/golden/inference"
#define PLACES     2
#define COW_PIXELS (240 * 168)

enum { PALIGEMMA, SIGLIP }; /* of the engine's models */

static pg_server server;
static pg_buffer cow; /* as data: URL */

static int start(void **state)
{
    (void)state;
    pg_server_options options;
    pg_buffer bytes = {0};
    pg_server_options_init(&options);
    options.model = INFERENCE "/paligemma-tiny-f32/checkpoint";
    options.model_name = "tiny";
    options.siglip = INFERENCE "/siglip-tiny/checkpoint";
    options.scheduler.queue = 1;
    options.scheduler.session.threads = 1;
    CHECK_OK(pg_server_options_copy(&server.options, &options));
    CHECK_OK(pg_engine_open(&server.engine, &server.options));
    CHECK_OK(pg_file_read(&bytes, INFERENCE "/images/cow.jpg", 1 << 20));
    CHECK_OK(pg_buffer_print(&cow, "data:image/jpeg;base64,"));
    CHECK_OK(pg_base64_encode(&cow, bytes.data, bytes.size));
    pg_buffer_free(&bytes);
    return 0;
}

static int end(void **state)
{
    (void)state;
    pg_engine_free(server.engine);
    pg_server_options_free(&server.options);
    pg_buffer_free(&cow);
    return 0;
}

/* A test that failed may not have given back what it took. */
static int clear(void **state)
{
    (void)state;
    atomic_store(&server.places_waited_for, 0);
    return sem_init(&server.picture_places, 0, PLACES);
}

static pg_exchange *new_exchange(void)
{
    pg_exchange *exchange = pg_exchange_new(&server, "/v1/test");
    assert_non_null(exchange);
    exchange->engine = server.engine;
    return exchange;
}

static int free_places(void)
{
    int count;
    assert_int_equal(sem_getvalue(&server.picture_places, &count), 0);
    return count;
}

/* ---------------------------------------------------------------- together */

static void there_are_limits_together(void **state)
{
    (void)state;
    static const struct {
        uint64_t most;
        size_t count; /* that are taken */
        const char *why, *other;
    } cases[] = {
        {COW_PIXELS - 1, 0, "240 x 168", "together"},
        {COW_PIXELS, 2, "have at most 80640 pixels together", "-"},
        {COW_PIXELS * 3 / 2, 3, "have at most 120960 pixels together", "-"},
    };
    uint64_t before = server.options.max_pixels;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pg_exchange *exchange = new_exchange();
        pg_pictures pictures = {0};
        server.options.max_pixels = cases[i].most;
        for (size_t n = 0; n < cases[i].count; n++)
            CHECK_OK(pg_pictures_add_url(&pictures, exchange, cow.data));
        CHECK_FAILS(pg_pictures_add_url(&pictures, exchange, cow.data), PG_ERROR_LIMIT, cases[i].why);
        assert_null(strstr(pg_error_last(), cases[i].other));
        assert_int_equal(pictures.count, cases[i].count);
        pg_pictures_free(&pictures);
        pg_exchange_free(exchange);
    }
    server.options.max_pixels = before;
    assert_int_equal(free_places(), PLACES);
}

/* ---------------------------------------------------------------- waiting */

static void *take_place(void *pictures)
{
    pg_exchange *exchange = new_exchange();
    pg_status status = pg_pictures_take_place(pictures, exchange);
    pg_exchange_free(exchange);
    return status == PG_OK ? NULL : "failed";
}

/* One may wait, as the queue says. */
static void the_queue_is_for_places_too(void **state)
{
    (void)state;
    pg_pictures held[PLACES] = {{0}}, waiting = {0}, late = {0};
    pg_exchange *exchange = new_exchange();
    pthread_t thread;
    void *result;
    for (size_t i = 0; i < PLACES; i++)
        CHECK_OK(pg_pictures_take_place(&held[i], exchange));
    CHECK_OK(pg_pictures_take_place(&held[0], exchange)); /* it has one */
    exchange->began -= 2 * server.options.deadline;       /* would not wait for long, if it did */
    assert_int_equal(pthread_create(&thread, NULL, take_place, &waiting), 0);
    while (atomic_load(&server.places_waited_for) == 0)
        usleep(1000);
    CHECK_FAILS(pg_pictures_take_place(&late, exchange), PG_ERROR_BUSY, "1 requests wait with pictures already");
    assert_null(late.place);
    pg_pictures_free(&held[0]);
    pthread_join(thread, &result);
    assert_null(result);
    assert_int_equal(free_places(), 0);
    pg_pictures_free(&held[1]);
    pg_pictures_free(&waiting);
    pg_exchange_free(exchange);
    assert_int_equal(atomic_load(&server.places_waited_for), 0);
    assert_int_equal(free_places(), PLACES);
}

static void who_has_left_waits_for_no_place(void **state)
{
    (void)state;
    pg_pictures held[PLACES] = {{0}}, late = {0};
    pg_exchange *exchange = new_exchange();
    int ends[2];
    for (size_t i = 0; i < PLACES; i++)
        CHECK_OK(pg_pictures_take_place(&held[i], exchange));
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    exchange->socket = ends[0];
    close(ends[1]);
    CHECK_FAILS(pg_pictures_take_place(&late, exchange), PG_ERROR_CANCELLED, "nobody waits");
    assert_int_equal(atomic_load(&server.places_waited_for), 0);
    close(ends[0]);
    for (size_t i = 0; i < PLACES; i++)
        pg_pictures_free(&held[i]);
    pg_exchange_free(exchange);
}

/* ---------------------------------------------------------------- shrinking */

static void small_ones_say_the_same(void **state)
{
    (void)state;
    float rows[2][48];
    pg_served *served = &server.engine->models[SIGLIP];
    pg_exchange *exchange = new_exchange();
    pg_pictures pictures = {0};
    pg_session *session;
    assert_int_equal(pg_model_embedding_size(served->model), 48);
    CHECK_OK(pg_pictures_add_url(&pictures, exchange, cow.data));
    CHECK_OK(pg_served_borrow(&session, served, exchange));
    CHECK_OK(pg_embed_images(rows[0], session, (const pg_image *const *)pictures.items, 1));
    int before = free_places();
    CHECK_OK(pg_pictures_shrink(&pictures, served));
    int after = free_places();
    CHECK_OK(pg_embed_images(rows[1], session, (const pg_image *const *)pictures.items, 1));
    pg_served_give_back(served);
    assert_memory_equal(rows[0], rows[1], sizeof rows[0]);
    assert_int_equal(pg_image_width(pictures.items[0]), pg_model_image_size(served->model));
    assert_int_equal(before, PLACES - 1);
    assert_int_equal(after, PLACES);
    pg_pictures_free(&pictures);
    pg_exchange_free(exchange);
    assert_int_equal(free_places(), PLACES);
}

/* A request on a thread of its own. */
typedef struct asking {
    pg_route_run *run;
    pg_exchange *exchange;
    pg_status status;
} asking;

static void *ask(void *user)
{
    asking *request = user;
    request->status = request->run(request->exchange);
    return NULL;
}

static size_t waiting_for(pg_served *served)
{
    pthread_mutex_lock(&served->lock);
    size_t count = served->waiting;
    pthread_mutex_unlock(&served->lock);
    return count;
}

/* Those that wait for a model keep nobody from decoding a picture. */
static void nobody_waits_for_a_model_in_a_place(void **state)
{
    (void)state;
    static const struct {
        pg_route_run *run;
        int model;
        const char *body;
    } cases[] = {
        {pg_route_classify, SIGLIP, "{\"labels\": [\"a\", \"b\"], \"image\": \"%s\"}"},
        {pg_route_classify, PALIGEMMA,
         "{\"labels\": [\"a\", \"b\"], \"prompt\": \"c\", \"model\": \"tiny\", \"image\": \"%s\"}"},
        {pg_route_embeddings, SIGLIP, "{\"input\": [\"a\", \"%s\"]}"},
        {pg_route_explain, PALIGEMMA, "{\"prompt\": \"caption en\", \"answer\": \"a cow\", \"image\": \"%s\"}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pg_served *served = &server.engine->models[cases[i].model];
        asking request = {cases[i].run, new_exchange(), PG_OK};
        pg_session *session;
        pthread_t thread;
        CHECK_OK(pg_buffer_print(&request.exchange->body, cases[i].body, cow.data));
        CHECK_OK(pg_served_borrow(&session, served, request.exchange));
        assert_int_equal(pthread_create(&thread, NULL, ask, &request), 0);
        while (!waiting_for(served))
            usleep(1000);
        int places = free_places();
        pg_served_give_back(served);
        pthread_join(thread, NULL);
        assert_int_equal(request.status, PG_OK);
        assert_int_equal(request.exchange->status, 200);
        assert_int_equal(places, PLACES);
        pg_exchange_free(request.exchange);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(there_are_limits_together, clear),
        cmocka_unit_test_setup(the_queue_is_for_places_too, clear),
        cmocka_unit_test_setup(who_has_left_waits_for_no_place, clear),
        cmocka_unit_test_setup(small_ones_say_the_same, clear),
        cmocka_unit_test_setup(nobody_waits_for_a_model_in_a_place, clear),
    };
    return cmocka_run_group_tests(tests, start, end);
}
