/* Optimizers: trajectories of torch and transformers, 8-bit moments beside 32-bit ones, the same bits for any number of
 * threads and after a resume, what is refused. */
#include "check.h"
#include "sweep.h"
#include "temporary_folder.h"

#include <math.h>

#include "base/json.h"
#include "base/random.h"
#include "kernels/kernels.h"
#include "train/optimizer.h"

#define GOLDEN PG_TESTS_FOLDER "/golden/training-optimizers/"

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
    o.clip = number(facts, "clip", 0);
    o.decay = number(facts, "decay", 0);
    o.beta1 = number(facts, "beta1", o.beta1);
    o.beta2 = number(facts, "beta2", o.beta2);
    o.epsilon = number(facts, "epsilon", o.epsilon);
    o.momentum = number(facts, "momentum", 0);
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
        r->trained[i] = (pg_trained){tensor_names[i],
                                     count / width,
                                     width,
                                     pg_alloc((size_t)count, sizeof(float)),
                                     pg_alloc((size_t)count, sizeof(float)),
                                     true};
        memcpy(r->trained[i].values, start, array->bytes);
    }
}

static void replay_step(replay *r, pg_optimizer *optimizer, int step)
{
    int64_t count;
    double rate = json_number_value(json_array_get(json_object_get(r->facts, "rates"), (size_t)step));
    double norm = json_number_value(json_array_get(json_object_get(r->facts, "norms"), (size_t)step));
    for (int i = 0; i < TENSORS; i++) {
        const float *grad = golden_floats(r, "grad", step, tensor_names[i], &count);
        memcpy(r->trained[i].grad, grad, (size_t)count * sizeof *grad);
    }
    double found = pg_optimizer_norm(optimizer);
    if (fabs(found - norm) > 1e-6 * norm)
        fail_msg("%s, step %d: norm %.9g, expected %.9g", r->name, step, found, norm);
    pg_optimizer_step(optimizer, rate, found);
    for (int i = 0; i < TENSORS; i++) {
        const float *value = golden_floats(r, "value", step, tensor_names[i], &count);
        for (int64_t j = 0; j < count; j++)
            if (fabs((double)r->trained[i].values[j] - value[j]) > 1e-6)
                fail_msg("%s, step %d, %s, value %lld: %.9g, expected %.9g", r->name, step, tensor_names[i],
                         (long long)j, (double)r->trained[i].values[j], (double)value[j]);
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
            for (int i = 0; i < TENSORS; i++) {
                pg_free(r.trained[i].values);
                pg_free(r.trained[i].grad);
            }
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
    for (int i = 0; i < PARTS; i++)
        p->trained[i] = (pg_trained){names[i],
                                     part_rows[i],
                                     part_widths[i],
                                     pg_alloc((size_t)part_count(i), sizeof(float)),
                                     pg_alloc((size_t)part_count(i), sizeof(float)),
                                     i % 2 == 0};
    CHECK_OK(pg_optimizer_new(&p->optimizer, pg_kernels_best(), p->trained, PARTS, options));
}

static void problem_close(problem *p)
{
    pg_optimizer_free(p->optimizer);
    for (int i = 0; i < PARTS; i++) {
        pg_free(p->trained[i].values);
        pg_free(p->trained[i].grad);
    }
}

static void problem_step(problem *p, double rate)
{
    uint64_t step = (uint64_t)pg_optimizer_steps(p->optimizer);
    for (int i = 0; i < PARTS; i++)
        for (int64_t j = 0; j < part_count(i); j++) {
            double strength = pow(10, -4 * pg_random_uniform(2, (uint64_t)i, (uint64_t)j));
            double noise = pg_random_uniform(3 + step, (uint64_t)i, (uint64_t)j) - 0.5;
            p->trained[i].grad[j] = (float)(strength * (p->trained[i].values[j] - target(i, j) + 0.5 * noise));
        }
    pg_optimizer_step(p->optimizer, rate, pg_optimizer_norm(p->optimizer));
}

static bool same_values(const problem *a, const problem *b)
{
    bool same = true;
    for (int i = 0; i < PARTS; i++)
        same = same && !memcmp(a->trained[i].values, b->trained[i].values, (size_t)part_count(i) * sizeof(float));
    return same;
}

static double distance(const problem *a, const problem *b)
{
    double sum = 0, count = 0;
    for (int i = 0; i < PARTS; i++)
        for (int64_t j = 0; j < part_count(i); j++) {
            double d = a->trained[i].values[j] - (b ? b->trained[i].values[j] : target(i, j));
            sum += d * d;
            count++;
        }
    return sqrt(sum / count);
}

static pg_optimizer_options options_of(int kind, int threads)
{
    pg_optimizer_options options;
    pg_optimizer_options_init(&options, (pg_optimizer_kind)kind);
    options.threads = threads;
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
            assert_true(same_values(&one, &many));
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
    double expected = p.trained[0].values[7];
    for (int step = 0; step < 10; step++) {
        problem_step(&p, 1e-2);
        expected = 0.9 * expected + 0.1 * p.trained[0].values[7];
    }
    assert_true(fabs(pg_optimizer_average(p.optimizer, 0)[7] - expected) < 1e-6);
    problem_close(&p);
}

/* ---------------------------------------------------------------- saving */

static void save(const pg_optimizer *optimizer, const char *path)
{
    size_t count;
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
            memcpy(resumed.trained[i].values, straight.trained[i].values, (size_t)part_count(i) * sizeof(float));
        CHECK_OK(pg_safetensors_open(&file, folder_file("state")));
        CHECK_OK(pg_optimizer_load(resumed.optimizer, file, "state"));
        pg_safetensors_close(file);
        for (int step = 0; step < 3; step++) {
            problem_step(&straight, 1e-3);
            problem_step(&resumed, 1e-3);
        }
        assert_true(same_values(&straight, &resumed));
        assert_int_equal(pg_optimizer_steps(resumed.optimizer), 6);
        for (int i = 0; i < PARTS; i++)
            assert_memory_equal(pg_optimizer_average(straight.optimizer, (size_t)i),
                                pg_optimizer_average(resumed.optimizer, (size_t)i),
                                (size_t)part_count(i) * sizeof(float));
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
    const double expected[PG_OPTIMIZER_COUNT] = {8, 2 + 2 * 4 / 256.0, 4 * (1024 + 2048) / (1024.0 * 2048), 4};
    for (int kind = 0; kind < PG_OPTIMIZER_COUNT; kind++) {
        pg_optimizer_options options = options_of(kind, 1);
        double each = (double)pg_optimizer_bytes(&options, &t, 1) / (1024 * 2048);
        assert_true(fabs(each - expected[kind] - 4) < 1e-9);
        options.average = 0;
        options.momentum = 0;
        each = (double)pg_optimizer_bytes(&options, &t, 1) / (1024 * 2048);
        assert_true(fabs(each - (kind == PG_OPTIMIZER_SGD ? 0 : expected[kind])) < 1e-9);
    }
}

static void what_is_not_finite_shows_in_the_norm(void **state)
{
    (void)state;
    problem p;
    pg_optimizer_options options = options_of(PG_OPTIMIZER_SGD, 2);
    problem_open(&p, &options);
    p.trained[0].grad[40000] = 1e30f;
    assert_true(fabs(pg_optimizer_norm(p.optimizer) - 1e30) < 1e24);
    p.trained[3].grad[2099] = INFINITY;
    assert_false(isfinite(pg_optimizer_norm(p.optimizer)));
    p.trained[3].grad[2099] = 0;
    p.trained[2].grad[69] = NAN;
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
    float values[6] = {0}, grad[6] = {0};
    pg_trained trained = {"w", 2, 3, values, grad, true};
    for (int kind = 0; kind < PG_OPTIMIZER_COUNT; kind++) {
        pg_optimizer_options options = options_of(kind, 1);
        CHECK_SWEEP(open_once(&trained, &options));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trajectories_are_those_of_torch),
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
    return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
