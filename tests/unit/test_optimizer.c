/* Optimizers: trajectories of torch and transformers, 8-bit moments beside 32-bit ones, the same bits for any number of
 * threads and after a resume, what is refused. PG_TEST_DEVICE names the device where all of this happens. */
#include "check.h"
#include "sweep.h"
#include "temporary_folder.h"

#include <math.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/random.h"
#include "kernels/devices.h"
#include "kernels/kernels.h"
#include "train/optimizer.h"

#define GOLDEN PG_TESTS_FOLDER "/golden/training-optimizers/"

/* ---------------------------------------------------------------- the device */

static pg_device *device; /* NULL: the host */

static int open_device(void **state)
{
    CHECK_OK(pg_device_open(&device, getenv("PG_TEST_DEVICE")));
    return folder_setup(state);
}

static int close_device(void **state)
{
    pg_device_close(device);
    return folder_teardown(state);
}

/* An array of the host where the optimizer works: zeros. */
static float *new_values(int64_t count)
{
    float *values = pg_values_alloc(device, (size_t)count * sizeof *values);
    assert_non_null(values);
    pg_values_clear(device, values, (size_t)count * sizeof *values);
    return values;
}

static void put(float *values, const float *host, int64_t count)
{
    pg_values_upload(device, values, host, (size_t)count * sizeof *values);
}

/* A copy that the host can read. */
static float *get(const float *values, int64_t count)
{
    float *host = pg_alloc((size_t)count, sizeof *host);
    CHECK_OK(pg_values_download(device, host, values, (size_t)count * sizeof *host));
    return host;
}

static float get_one(const float *value)
{
    float host = 0;
    CHECK_OK(pg_values_download(device, &host, value, sizeof host));
    return host;
}

static void free_trained(pg_trained *trained, int count)
{
    for (int i = 0; i < count; i++) {
        size_t bytes = (size_t)(trained[i].rows * trained[i].width) * sizeof(float);
        pg_values_free(device, trained[i].values, bytes);
        pg_values_free(device, trained[i].grad, bytes);
    }
}

/* ---------------------------------------------------------------- goldens */

#define TENSORS 3
static const char *const tensor_names[TENSORS] = {"matrix", "vector", "tall"};

typedef struct replay {
    const char *name;
    const json_t *facts;
    pg_safetensors *file;
    pg_trained trained[TENSORS];
} replay;

static const float *golden_floats(const replay *r, const char *format, int step, const char *tensor, int64_t *count)
{
    char name[64];
    if (step >= 0)
        snprintf(name, sizeof name, "%s.%d.%s", format, step, tensor);
    else
        snprintf(name, sizeof name, "%s.%s", format, tensor);
    const pg_array *array = pg_safetensors_find(r->file, name);
    assert_non_null(array);
    *count = (int64_t)(array->bytes / sizeof(float));
    return array->data;
}

static double number(const json_t *facts, const char *key, double otherwise)
{
    const json_t *value = json_object_get(facts, key);
    return json_is_boolean(value) ? json_is_true(value) : value ? json_number_value(value) : otherwise;
}

static pg_optimizer_options golden_options(const json_t *facts)
{
    pg_optimizer_options o;
    pg_optimizer_kind kind;
    assert_true(pg_optimizer_parse(&kind, json_string_value(json_object_get(facts, "kind"))));
    pg_optimizer_options_init(&o, kind);
    o.threads = 2;
    o.device = device;
    o.clip = number(facts, "clip", 0);
    o.decay = number(facts, "decay", 0);
    o.beta1 = number(facts, "beta1", o.beta1);
    o.beta2 = number(facts, "beta2", o.beta2);
    o.epsilon = number(facts, "epsilon", o.epsilon);
    o.momentum = number(facts, "momentum", o.momentum);
    o.relative_step = number(facts, "relative_step", 0) != 0;
    o.relative_scale = number(facts, "relative_scale", 1) != 0;
    return o;
}

static void load_start(replay *r)
{
    for (int i = 0; i < TENSORS; i++) {
        int64_t count;
        const float *start = golden_floats(r, "start", -1, tensor_names[i], &count);
        char name[64];
        snprintf(name, sizeof name, "start.%s", tensor_names[i]);
        const pg_array *array = pg_safetensors_find(r->file, name);
        int64_t width = array->shape[array->dimensions - 1];
        bool matrix = array->dimensions > 1;
        r->trained[i] =
            (pg_trained){tensor_names[i], count / width, width, new_values(count), new_values(count), true, matrix};
        put(r->trained[i].values, start, count);
    }
}

static void replay_step(replay *r, pg_optimizer *optimizer, int step)
{
    int64_t count;
    double rate = json_number_value(json_array_get(json_object_get(r->facts, "rates"), (size_t)step));
    double norm = json_number_value(json_array_get(json_object_get(r->facts, "norms"), (size_t)step));
    for (int i = 0; i < TENSORS; i++) {
        const float *grad = golden_floats(r, "grad", step, tensor_names[i], &count);
        put(r->trained[i].grad, grad, count);
    }
    double found = pg_optimizer_norm(optimizer);
    if (fabs(found - norm) > 1e-6 * norm)
        fail_msg("%s, step %d: norm %.9g, expected %.9g", r->name, step, found, norm);
    pg_optimizer_step(optimizer, rate, found);
    for (int i = 0; i < TENSORS; i++) {
        const float *value = golden_floats(r, "value", step, tensor_names[i], &count);
        float *values = get(r->trained[i].values, count);
        for (int64_t j = 0; j < count; j++)
            if (fabs((double)values[j] - value[j]) > 1e-6)
                fail_msg("%s, step %d, %s, value %lld: %.9g, expected %.9g", r->name, step, tensor_names[i],
                         (long long)j, (double)values[j], (double)value[j]);
        pg_free(values);
    }
}

static void trajectories_are_those_of_torch(void **state)
{
    (void)state;
    json_t *cases;
    CHECK_OK(pg_json_load(&cases, GOLDEN "cases.json"));
    replay r;
    assert_true(json_object_size(cases) >= 7);
    for (int t = 0; pg_kernels_at(t); t++)
        for (void *at = json_object_iter(cases); at; at = json_object_iter_next(cases, at)) {
            char path[512];
            r = (replay){.name = json_object_iter_key(at), .facts = json_object_iter_value(at)};
            snprintf(path, sizeof path, GOLDEN "%s.safetensors", r.name);
            CHECK_OK(pg_safetensors_open(&r.file, path));
            load_start(&r);
            pg_optimizer_options options = golden_options(r.facts);
            pg_optimizer *optimizer;
            CHECK_OK(pg_optimizer_new(&optimizer, pg_kernels_at(t), r.trained, TENSORS, &options));
            size_t steps = json_array_size(json_object_get(r.facts, "rates"));
            for (size_t step = 0; step < steps; step++)
                replay_step(&r, optimizer, (int)step);
            assert_int_equal(pg_optimizer_steps(optimizer), steps);
            pg_optimizer_free(optimizer);
            free_trained(r.trained, TENSORS);
            pg_safetensors_close(r.file);
        }
    json_decref(cases);
}

/* ---------------------------------------------------------------- a small problem */

/* Values that are pulled to targets with strengths over four decades, by noisy derivatives. Sizes around pieces and
 * blocks. */
#define PARTS 4
static const int64_t part_rows[PARTS] = {131, 1, 70, 3}, part_widths[PARTS] = {517, 5, 1, 700};

typedef struct problem {
    pg_trained trained[PARTS];
    pg_optimizer *optimizer;
} problem;

static int64_t part_count(int i)
{
    return part_rows[i] * part_widths[i];
}

static float target(int part, int64_t i)
{
    return (float)(pg_random_uniform(1, (uint64_t)part, (uint64_t)i) * 2 - 1);
}

static void problem_open(problem *p, const pg_optimizer_options *options)
{
    static const char *const names[PARTS] = {"a", "b", "c", "d"};
    for (int i = 0; i < PARTS; i++) {
        bool matrix = i % 2 == 0;
        p->trained[i] = (pg_trained){names[i], part_rows[i], part_widths[i], NULL, NULL, matrix, matrix};
        p->trained[i].values = new_values(part_count(i));
        p->trained[i].grad = new_values(part_count(i));
    }
    CHECK_OK(pg_optimizer_new(&p->optimizer, pg_kernels_best(), p->trained, PARTS, options));
}

static void problem_close(problem *p)
{
    pg_optimizer_free(p->optimizer);
    free_trained(p->trained, PARTS);
}

static void problem_step(problem *p, double rate)
{
    uint64_t step = (uint64_t)pg_optimizer_steps(p->optimizer);
    for (int i = 0; i < PARTS; i++) {
        float *values = get(p->trained[i].values, part_count(i));
        for (int64_t j = 0; j < part_count(i); j++) {
            double strength = pow(10, -4 * pg_random_uniform(2, (uint64_t)i, (uint64_t)j));
            double noise = pg_random_uniform(3 + step, (uint64_t)i, (uint64_t)j) - 0.5;
            values[j] = (float)(strength * (values[j] - target(i, j) + 0.5 * noise));
        }
        put(p->trained[i].grad, values, part_count(i));
        pg_free(values);
    }
    pg_optimizer_step(p->optimizer, rate, pg_optimizer_norm(p->optimizer));
}

static void check_same(const float *a, const float *b, int64_t count)
{
    float *mine = get(a, count), *theirs = get(b, count);
    assert_memory_equal(mine, theirs, (size_t)count * sizeof *mine);
    pg_free(mine);
    pg_free(theirs);
}

static void check_same_values(const problem *a, const problem *b)
{
    for (int i = 0; i < PARTS; i++)
        check_same(a->trained[i].values, b->trained[i].values, part_count(i));
}

static double distance(const problem *a, const problem *b)
{
    double sum = 0, count = 0;
    for (int i = 0; i < PARTS; i++) {
        float *mine = get(a->trained[i].values, part_count(i));
        float *theirs = get((b ? b : a)->trained[i].values, part_count(i));
        for (int64_t j = 0; j < part_count(i); j++) {
            double d = mine[j] - (b ? theirs[j] : target(i, j));
            sum += d * d;
            count++;
        }
        pg_free(mine);
        pg_free(theirs);
    }
    return sqrt(sum / count);
}

static pg_optimizer_options options_of(int kind, int threads)
{
    pg_optimizer_options options;
    pg_optimizer_options_init(&options, (pg_optimizer_kind)kind);
    options.threads = threads;
    options.device = device;
    options.decay = 0.01;
    options.momentum = 0.9;
    options.average = 0.9;
    return options;
}

static void eight_bits_follow_thirty_two(void **state)
{
    (void)state;
    problem full, coded;
    pg_optimizer_options options = options_of(PG_OPTIMIZER_ADAMW, 2);
    problem_open(&full, &options);
    options = options_of(PG_OPTIMIZER_ADAMW8, 2);
    problem_open(&coded, &options);
    for (int step = 0; step < 200; step++) {
        problem_step(&full, 5e-3);
        problem_step(&coded, 5e-3);
    }
    double apart = distance(&full, &coded), left = distance(&full, NULL), left_coded = distance(&coded, NULL);
    printf("after 200 steps: f32 and 8-bit moments %.4f apart, %.4f and %.4f from the targets (at first 0.577)\n",
           apart, left, left_coded);
    assert_true(left < 0.05 && left_coded < 0.05);
    assert_true(apart < 0.06 * 0.577);
    problem_close(&full);
    problem_close(&coded);
}

static void threads_do_not_matter(void **state)
{
    (void)state;
    for (int kind = 0; kind < PG_OPTIMIZER_COUNT; kind++)
        for (int threads = 2; threads < 5; threads++) {
            problem one, many;
            pg_optimizer_options options = options_of(kind, 1);
            problem_open(&one, &options);
            options.threads = threads;
            problem_open(&many, &options);
            for (int step = 0; step < 3; step++) {
                problem_step(&one, 1e-3);
                problem_step(&many, 1e-3);
                double norm = pg_optimizer_norm(one.optimizer), same = pg_optimizer_norm(many.optimizer);
                assert_memory_equal(&norm, &same, sizeof norm);
            }
            check_same_values(&one, &many);
            problem_close(&one);
            problem_close(&many);
        }
}

static void the_average_follows(void **state)
{
    (void)state;
    problem p;
    pg_optimizer_options options = options_of(PG_OPTIMIZER_ADAMW, 1);
    problem_open(&p, &options);
    double expected = get_one(&p.trained[0].values[7]);
    for (int step = 0; step < 10; step++) {
        problem_step(&p, 1e-2);
        expected = 0.9 * expected + 0.1 * get_one(&p.trained[0].values[7]);
    }
    assert_true(fabs(get_one(&pg_optimizer_average(p.optimizer, 0)[7]) - expected) < 1e-6);
    problem_close(&p);
}

/* ---------------------------------------------------------------- a device beside the host */

/* Steps with derivatives that have nothing to do with the values, so that nothing runs apart. */
static void free_step(problem *p, uint64_t step)
{
    for (int i = 0; i < PARTS; i++) {
        float *grad = pg_alloc((size_t)part_count(i), sizeof *grad);
        for (int64_t j = 0; j < part_count(i); j++) {
            double strength = pow(10, -4 * pg_random_uniform(2, (uint64_t)i, (uint64_t)j));
            grad[j] = (float)(strength * (pg_random_uniform(3 + step, (uint64_t)i, (uint64_t)j) - 0.5));
        }
        put(p->trained[i].grad, grad, part_count(i));
        pg_free(grad);
    }
    pg_optimizer_step(p->optimizer, 1e-2, pg_optimizer_norm(p->optimizer));
}

static void compare_floats(const char *name, const float *found, const float *expected, int64_t count, float tolerance)
{
    float largest = 0;
    for (int64_t i = 0; i < count; i++)
        largest = fmaxf(largest, fabsf(expected[i]));
    for (int64_t i = 0; i < count; i++)
        if (!(fabsf(found[i] - expected[i]) <= tolerance * (fabsf(expected[i]) + 0.1f * largest)))
            fail_msg("%s, value %lld: %.9g, expected %.9g", name, (long long)i, (double)found[i], (double)expected[i]);
}

/* Making a matrix orthogonal makes what is small in it, and so how it was rounded, up to 3.4445^5 times as large. */
#define ORTHOGONAL 1e-4f

/* What is remembered. A code may be another one where a sum was rounded another way: few are. */
static void compare_state(const pg_array *found, const pg_array *expected, int kind)
{
    size_t differ = 0;
    if (found->dtype == PG_F32) {
        compare_floats(found->name, found->data, expected->data, (int64_t)(found->bytes / sizeof(float)),
                       kind == PG_OPTIMIZER_MUON ? ORTHOGONAL : 2e-6f);
        return;
    }
    for (size_t i = 0; i < found->bytes; i++)
        differ += ((const char *)found->data)[i] != ((const char *)expected->data)[i];
    if (differ > 1 + found->bytes / 200)
        fail_msg("%s: %zu of %zu bytes differ", found->name, differ, found->bytes);
}

static void check_against_host(const problem *there, float *const *values, int kind)
{
    problem here;
    size_t count;
    pg_optimizer_options options = options_of(kind, 1);
    problem_open(&here, &options);
    for (uint64_t step = 0; step < 4; step++)
        free_step(&here, step);
    const pg_array *found = pg_optimizer_state(there->optimizer, &count);
    const pg_array *expected = pg_optimizer_state(here.optimizer, &count);
    for (size_t i = 1; i < count; i++)
        compare_state(&found[i], &expected[i], kind);
    for (int i = 0; i < PARTS; i++)
        compare_floats(pg_optimizer_name((pg_optimizer_kind)kind), values[i], here.trained[i].values, part_count(i),
                       kind == PG_OPTIMIZER_ADAMW8 ? 1e-3f
                       : kind == PG_OPTIMIZER_MUON ? ORTHOGONAL
                                                   : 2e-5f);
    problem_close(&here);
}

/* The host's steps, made on the device: sums have another order and products are fused elsewhere, so nearly. */
static void a_device_steps_as_the_host(void **state)
{
    (void)state;
    pg_device *used = device;
    for (int kind = 0; used && kind < PG_OPTIMIZER_COUNT; kind++) {
        problem there;
        float *values[PARTS];
        pg_optimizer_options options = options_of(kind, 1);
        problem_open(&there, &options);
        for (uint64_t step = 0; step < 4; step++)
            free_step(&there, step);
        CHECK_OK(pg_optimizer_fetch(there.optimizer));
        for (int i = 0; i < PARTS; i++)
            values[i] = get(there.trained[i].values, part_count(i));
        device = NULL;
        check_against_host(&there, values, kind);
        device = used;
        for (int i = 0; i < PARTS; i++)
            pg_free(values[i]);
        problem_close(&there);
    }
}

/* ---------------------------------------------------------------- saving */

static void save(pg_optimizer *optimizer, const char *path)
{
    size_t count;
    CHECK_OK(pg_optimizer_fetch(optimizer));
    const pg_array *state = pg_optimizer_state(optimizer, &count);
    CHECK_OK(pg_safetensors_save(path, state, count));
}

static void resumed_runs_have_the_same_bits(void **state)
{
    (void)state;
    for (int kind = 0; kind < PG_OPTIMIZER_COUNT; kind++) {
        problem straight, resumed;
        pg_safetensors *file;
        pg_optimizer_options options = options_of(kind, 2);
        problem_open(&straight, &options);
        problem_open(&resumed, &options);
        for (int step = 0; step < 3; step++)
            problem_step(&straight, 1e-3);
        save(straight.optimizer, folder_file("state"));
        for (int i = 0; i < PARTS; i++)
            pg_values_move(device, resumed.trained[i].values, straight.trained[i].values,
                           (size_t)part_count(i) * sizeof(float));
        CHECK_OK(pg_safetensors_open(&file, folder_file("state")));
        CHECK_OK(pg_optimizer_load(resumed.optimizer, file, "state"));
        pg_safetensors_close(file);
        for (int step = 0; step < 3; step++) {
            problem_step(&straight, 1e-3);
            problem_step(&resumed, 1e-3);
        }
        check_same_values(&straight, &resumed);
        assert_int_equal(pg_optimizer_steps(resumed.optimizer), 6);
        for (int i = 0; i < PARTS; i++)
            check_same(pg_optimizer_average(straight.optimizer, (size_t)i),
                       pg_optimizer_average(resumed.optimizer, (size_t)i), part_count(i));
        problem_close(&straight);
        problem_close(&resumed);
    }
}

static void another_state_is_refused(void **state)
{
    (void)state;
    problem p;
    pg_safetensors *file;
    size_t count;
    pg_optimizer_options options = options_of(PG_OPTIMIZER_ADAMW, 1);
    problem_open(&p, &options);
    pg_array arrays[32];
    const pg_array *own = pg_optimizer_state(p.optimizer, &count);
    assert_in_range(count, 1 + 3 * PARTS, 32);
    memcpy(arrays, own, count * sizeof *own);
    CHECK_OK(pg_safetensors_save(folder_file("short"), arrays, count - 1));
    CHECK_OK(pg_safetensors_open(&file, folder_file("short")));
    CHECK_FAILS(pg_optimizer_load(p.optimizer, file, "short"), PG_ERROR_FORMAT, "short: no optimizer.average.d");
    pg_safetensors_close(file);
    arrays[1].shape[0] = arrays[1].shape[1];
    arrays[1].shape[1] = own[1].shape[0];
    CHECK_OK(pg_safetensors_save(folder_file("turned"), arrays, count));
    CHECK_OK(pg_safetensors_open(&file, folder_file("turned")));
    CHECK_FAILS(pg_optimizer_load(p.optimizer, file, "turned"), PG_ERROR_FORMAT,
                "turned: optimizer.m.a: found F32 [517, 131], expected F32 [131, 517]");
    pg_safetensors_close(file);
    memcpy(arrays, own, count * sizeof *own);
    int64_t before = -3;
    arrays[0].data = &before;
    CHECK_OK(pg_safetensors_save(folder_file("negative"), arrays, count));
    CHECK_OK(pg_safetensors_open(&file, folder_file("negative")));
    CHECK_FAILS(pg_optimizer_load(p.optimizer, file, "negative"), PG_ERROR_FORMAT, "found -3");
    pg_safetensors_close(file);
    assert_int_equal(pg_optimizer_steps(p.optimizer), 0);
    problem_close(&p);
}

/* ---------------------------------------------------------------- the rest */

static void sizes_are_known_beforehand(void **state)
{
    (void)state;
    pg_trained t = {.name = "w", .rows = 1024, .width = 2048};
    const double expected[PG_OPTIMIZER_COUNT] = {8, 2 + 2 * 4 / 256.0, 4 * (1024 + 2048) / (1024.0 * 2048), 4, 8};
    for (int kind = 0; kind < PG_OPTIMIZER_COUNT; kind++) {
        pg_optimizer_options options = options_of(kind, 1);
        double each = (double)pg_optimizer_bytes(&options, &t, 1) / (1024 * 2048);
        assert_true(fabs(each - expected[kind] - 4) < 1e-9);
        options.average = 0;
        options.momentum = 0;
        each = (double)pg_optimizer_bytes(&options, &t, 1) / (1024 * 2048);
        assert_true(fabs(each - (kind == PG_OPTIMIZER_SGD ? 0 : expected[kind])) < 1e-9);
    }
    pg_optimizer_options muon = options_of(PG_OPTIMIZER_MUON, 1);
    t.hidden = true;
    muon.average = 0;
    assert_int_equal(pg_optimizer_bytes(&muon, &t, 1), 4 * (1024 * 2048 + 2 * (1024 * 2048 + 1024 * 1024)));
}

static void what_is_not_finite_shows_in_the_norm(void **state)
{
    (void)state;
    problem p;
    pg_optimizer_options options = options_of(PG_OPTIMIZER_SGD, 2);
    problem_open(&p, &options);
    put(&p.trained[0].grad[40000], &(float){1e30f}, 1);
    assert_true(fabs(pg_optimizer_norm(p.optimizer) - 1e30) < 1e24);
    put(&p.trained[3].grad[2099], &(float){INFINITY}, 1);
    assert_false(isfinite(pg_optimizer_norm(p.optimizer)));
    put(&p.trained[3].grad[2099], &(float){0}, 1);
    put(&p.trained[2].grad[69], &(float){NAN}, 1);
    assert_false(isfinite(pg_optimizer_norm(p.optimizer)));
    problem_close(&p);
}

static void nonsense_is_refused(void **state)
{
    (void)state;
    pg_optimizer *optimizer;
    pg_optimizer_kind kind;
    pg_optimizer_options options = options_of(PG_OPTIMIZER_ADAMW, 1);
    options.beta2 = 1;
    CHECK_FAILS(pg_optimizer_new(&optimizer, pg_kernels_best(), NULL, 0, &options), PG_ERROR_ARGUMENT, "beta2 is 1");
    assert_null(optimizer);
    options = options_of(PG_OPTIMIZER_ADAFACTOR, 1);
    options.step_clip = 0;
    CHECK_FAILS(pg_optimizer_new(&optimizer, pg_kernels_best(), NULL, 0, &options), PG_ERROR_ARGUMENT, "step clip");
    options.step_clip = 1;
    options.clip = NAN;
    CHECK_FAILS(pg_optimizer_new(&optimizer, pg_kernels_best(), NULL, 0, &options), PG_ERROR_ARGUMENT, "clip is nan");
    assert_false(pg_optimizer_parse(&kind, "adam"));
    for (int i = 0; i < PG_OPTIMIZER_COUNT; i++) {
        assert_true(pg_optimizer_parse(&kind, pg_optimizer_name((pg_optimizer_kind)i)));
        assert_int_equal(kind, i);
    }
}

static pg_status open_once(const pg_trained *trained, const pg_optimizer_options *options)
{
    pg_optimizer *optimizer;
    PG_TRY(pg_optimizer_new(&optimizer, pg_kernels_best(), trained, 1, options));
    pg_optimizer_free(optimizer);
    return PG_OK;
}

static void failing_allocations_are_told(void **state)
{
    (void)state;
    pg_trained trained = {"w", 2, 3, new_values(6), new_values(6), true, true};
    for (int kind = 0; kind < PG_OPTIMIZER_COUNT; kind++) {
        pg_optimizer_options options = options_of(kind, 1);
        CHECK_SWEEP(open_once(&trained, &options));
    }
    free_trained(&trained, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trajectories_are_those_of_torch),
        cmocka_unit_test(a_device_steps_as_the_host),
        cmocka_unit_test(eight_bits_follow_thirty_two),
        cmocka_unit_test(threads_do_not_matter),
        cmocka_unit_test(the_average_follows),
        cmocka_unit_test(resumed_runs_have_the_same_bits),
        cmocka_unit_test(another_state_is_refused),
        cmocka_unit_test(sizes_are_known_beforehand),
        cmocka_unit_test(what_is_not_finite_shows_in_the_norm),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(failing_allocations_are_told),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
