/*
 * How fast a model runs on this machine, and how close that is to what the machine can do.
 *
 * A round times every part once: loading; the picture and the prompt, with the peak of arithmetic measured right before
 * and after them; the answer, with the speed of memory measured right before and after it. So the limits are those of
 * the same minute. One request goes first: it is checked, warms everything up, and tells the memory that an answer
 * takes, before the measuring takes memory of its own; where it is to be the only one, its own times are the round's.
 * Of a device the speed of memory alone is measured.
 */
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/process.h"
#include "base/random.h"
#include "generate/session.h"
#include "kernels/roofline.h"
#include "model/cost.h"
#include "model/gemma.h"
#include "ops/ops.h"

/* What is noted in every round. */
typedef enum sample {
    LOAD,
    VISION,
    PREFILL,
    FIRST_TOKEN,
    DECODE,
    RATE,
    BATCH_RATE,
    ARITHMETIC, /* the limits */
    READING,
    VISION_SHARE,
    PREFILL_SHARE,
    DECODE_SHARE,
    SAMPLE_COUNT
} sample;

typedef struct bench_run {
    const char *folder;
    pg_bench_options options; /* without zeros, once the model is known */
    pg_bench *out;
    pg_model *model;
    pg_model view; /* the same, for pictures of the wanted size */
    pg_weights weights;
    float *positions;    /* in place of the model's own */
    pg_placement placed; /* the same on a device */
    pg_session *session;
    float *pixels; /* NULL: no picture */
    pg_input input;
    int32_t *answer; /* [new_tokens + 1]: what the first request chose */
    int32_t *tokens; /* [batch][new_tokens + 1] of this round */
    pg_roofline_memory *memory;
    pg_profile profile;
    double *samples; /* [SAMPLE_COUNT][rounds] */
} bench_run;

void pg_bench_options_init(pg_bench_options *options)
{
    *options = (pg_bench_options){0};
}

/* ---------------------------------------------------------------- making ready */

static size_t given(size_t wanted, size_t normal)
{
    return wanted ? wanted : normal;
}

/* Fills in what was left open; the prompt with the picture must fit into the context. */
static pg_status complete_options(bench_run *run)
{
    pg_bench_options *o = &run->options;
    const pg_config *config = &run->model->weights->config;
    bool eyes = config->kind == PG_MODEL_PALIGEMMA;
    PG_TRY(pg_model_require(run->model, config->kind != PG_MODEL_SIGLIP, "answer prompts"));
    PG_TRY(pg_model_require(run->model, eyes || !o->image_size, "look at pictures"));
    o->image_size = eyes ? given(o->image_size, (size_t)config->vision.side) : 0;
    o->prompt_tokens = given(o->prompt_tokens, eyes ? 12 : 268);
    o->new_tokens = given(o->new_tokens, 32);
    o->batch = given(o->batch, 1);
    o->rounds = o->once ? 1 : given(o->rounds, 5);
    if (o->once && (o->batch > 1 || o->profile))
        return pg_fail(PG_ERROR_ARGUMENT, "a batch or a profile takes more requests than the first one");
    size_t across = eyes ? o->image_size / (size_t)config->vision.patch : 0, context = pg_model_context(run->model);
    if (eyes && across == 0)
        return pg_fail(PG_ERROR_ARGUMENT, "image size: %zu pixels, a patch has %lld", o->image_size,
                       (long long)config->vision.patch);
    if (across > context || o->prompt_tokens > context || o->new_tokens > context ||
        across * across + o->prompt_tokens + o->new_tokens > context)
        return pg_fail(PG_ERROR_LIMIT,
                       "picture (%zu by %zu patches), prompt (%zu) and answer (%zu) are longer than the context of %zu "
                       "tokens",
                       across, across, o->prompt_tokens, o->new_tokens, context);
    return PG_OK;
}

/* A shallow copy of the model whose pictures have the wanted size. */
static pg_status resize_pictures(bench_run *run)
{
    run->weights = *run->model->weights;
    run->view = *run->model;
    run->view.weights = &run->weights;
    int64_t side = (int64_t)run->options.image_size;
    if (!side || side == run->weights.config.vision.side)
        return PG_OK;
    run->weights.config.vision.side = run->weights.vision.config.side = run->view.processor.side = side;
    pg_parameter *position = &run->weights.vision.position;
    int64_t rows = pg_config_patches(&run->weights.config.vision), count = rows * position->width;
    run->positions = pg_alloc((size_t)count, sizeof *run->positions);
    if (!run->positions)
        return PG_ERROR_MEMORY;
    for (int64_t i = 0; i < count; i++)
        run->positions[i] = (float)pg_random_uniform(3, 0, (uint64_t)i) - 0.5f;
    *position = (pg_parameter){
        .name = position->name, .dtype = PG_F32, .rows = rows, .width = position->width, .data = run->positions};
    return pg_placement_init(&run->placed, run->model->device, &position, 1);
}

/* Random pixels; image tokens, <bos>, random tokens. */
static pg_status draw_input(bench_run *run)
{
    const pg_config *config = &run->weights.config;
    bool eyes = config->kind == PG_MODEL_PALIGEMMA;
    size_t pictures = eyes ? (size_t)pg_config_patches(&config->vision) : 0;
    size_t count = pictures + run->options.prompt_tokens;
    size_t pixels = eyes ? 3 * run->options.image_size * run->options.image_size : 0;
    run->pixels = eyes ? pg_alloc(pixels, sizeof *run->pixels) : NULL;
    run->input = (pg_input){.prefix = eyes ? (int64_t)count : 0, .first = eyes};
    int32_t *ids = run->input.ids.data = pg_alloc(count, sizeof *ids);
    if (!ids || (eyes && !run->pixels))
        return PG_ERROR_MEMORY;
    run->input.ids.count = count;
    for (size_t i = 0; i < pixels; i++)
        run->pixels[i] = (float)(2 * pg_random_uniform(1, 0, i) - 1);
    for (size_t i = 0; i < count; i++) {
        int32_t id = (int32_t)(pg_random_uniform(2, 0, i) * (double)config->text.vocabulary);
        ids[i] = i < pictures ? config->image_token : i == pictures ? config->bos : id;
        if (i > pictures && eyes && id == config->image_token)
            ids[i] = config->bos;
    }
    return PG_OK;
}

static pg_status make_session(pg_session **out, const bench_run *run, const pg_model *model)
{
    pg_session_options options;
    pg_session_options_init(&options);
    options.threads = run->options.threads;
    options.compute = run->options.compute;
    options.cache = run->options.cache;
    options.context = run->input.ids.count + run->options.new_tokens;
    options.sequences = run->options.batch;
    return pg_session_new(out, model, &options);
}

static pg_status make_ready(bench_run *run, double *load_seconds)
{
    double start = pg_clock();
    pg_model *model;
    PG_TRY(pg_model_open_with(&model, run->folder, &run->options.model));
    run->model = model;
    *load_seconds = pg_clock() - start;
    PG_TRY(complete_options(run));
    PG_TRY(resize_pictures(run));
    PG_TRY(draw_input(run));
    start = pg_clock();
    pg_session *session;
    PG_TRY(make_session(&session, run, &run->view));
    run->session = session;
    *load_seconds += pg_clock() - start;
    size_t length = run->options.new_tokens + 1;
    run->answer = pg_alloc(length, sizeof *run->answer);
    run->tokens = pg_alloc(run->options.batch, length * sizeof *run->tokens);
    run->samples = pg_alloc(SAMPLE_COUNT * run->options.rounds, sizeof *run->samples);
    return run->answer && run->tokens && run->samples ? PG_OK : PG_ERROR_MEMORY;
}

static pg_status time_load(const bench_run *run, double *seconds)
{
    pg_model *model;
    pg_session *session = NULL;
    double start = pg_clock();
    PG_TRY(pg_model_open_with(&model, run->folder, &run->options.model));
    pg_status status = make_session(&session, run, model);
    *seconds = pg_clock() - start;
    pg_session_free(session);
    pg_model_close(model);
    return status;
}

/* ---------------------------------------------------------------- the parts of an answer */

/* What an answer does with a step's logits when nothing is sampled. */
static pg_status choose(int32_t *out, bench_run *run, const pg_logits *logits)
{
    pg_session *session = run->session;
    pg_sampling greedy = {.repetition_penalty = 1, .top_p = 1};
    bool found = logits->on_device;
    double total = found ? logits->best_logprob : pg_log_sum_exp(&session->g, logits->values, logits->count);
    if (!isfinite(total))
        return pg_fail(PG_ERROR_FORMAT, "%s: the logits are not finite; are the weights damaged?", run->folder);
    *out = found ? logits->best : pg_sampling_next(logits->values, logits->count, &greedy, session->choices, 0, 0);
    return PG_OK;
}

/* The picture: its features stay in the arena. */
static pg_status see(bench_run *run, double *seconds)
{
    double start = pg_clock();
    run->input.features = run->pixels ? pg_pixel_features(run->session, run->pixels, 1) : NULL;
    pg_status status = run->session->g.status == PG_OK ? pg_device_wait(run->session->device) : run->session->g.status;
    *seconds = run->pixels ? pg_clock() - start : 0;
    return status;
}

/* The logits of what follows a prompt. */
static pg_status input_logits(pg_logits *out, pg_session *session, const pg_input *input, int64_t slot)
{
    return pg_row_logits(session, out, pg_input_last(session, input, slot), NULL);
}

/* The prompt, up to the first token. */
static pg_status read_prompt(bench_run *run, double *seconds, int32_t *token)
{
    double start = pg_clock();
    pg_logits logits;
    pg_status status = input_logits(&logits, run->session, &run->input, 0);
    if (status == PG_OK)
        status = choose(token, run, &logits);
    *seconds = pg_clock() - start;
    return status;
}

/* Token number `at` of all sequences; the last logits of the first one are kept in the session. */
static pg_status write_token(bench_run *run, size_t sequences, size_t at)
{
    pg_session *session = run->session;
    size_t length = run->options.new_tokens + 1;
    int64_t prompt = (int64_t)run->input.ids.count, tokens = prompt + (int64_t)at;
    pg_next *next = pg_scratch(&session->g, sequences * sizeof *next);
    pg_logits *logits = pg_scratch(&session->g, sequences * sizeof *logits);
    if (!logits)
        return session->g.status;
    for (size_t s = 0; s < sequences; s++)
        next[s] = (pg_next){.ids = &run->tokens[s * length + at - 1],
                            .count = 1,
                            .position = run->input.first + (int32_t)tokens - 1,
                            .prefix = run->input.prefix,
                            .spans = {{(int64_t)s * session->context, tokens}},
                            .span_count = 1};
    PG_TRY(pg_next_logits(session, logits, next, sequences));
    for (size_t s = 0; s < sequences; s++)
        PG_TRY(choose(&run->tokens[s * length + at], run, &logits[s]));
    if (at < run->options.new_tokens)
        return PG_OK;
    PG_TRY(pg_logits_fetch(&logits[0], session));
    memcpy(session->logits, logits[0].values, (size_t)logits[0].count * sizeof(float));
    return PG_OK;
}

/* The answers of `sequences` sequences whose prompts are in the cache and whose first tokens are known. */
static pg_status write_answers(bench_run *run, size_t sequences, double *seconds)
{
    pg_arena *arena = &run->session->g.arena;
    pg_status status = PG_OK;
    double start = pg_clock();
    for (size_t at = 1; status == PG_OK && at <= run->options.new_tokens; at++) {
        pg_arena_mark mark = pg_arena_get_mark(arena);
        status = write_token(run, sequences, at);
        pg_arena_release(arena, mark);
    }
    *seconds = pg_clock() - start;
    return status;
}

/* ---------------------------------------------------------------- checks */

/* The root mean square difference of two rows of logits, as a part of the wanted ones' size. */
static double relative_error(const float *got, const float *want, int64_t count)
{
    double difference = 0, size = 0;
    for (int64_t i = 0; i < count; i++) {
        double d = (double)got[i] - (double)want[i];
        difference += d * d;
        size += (double)want[i] * (double)want[i];
    }
    return sqrt(difference / size);
}

/* What was written token by token with the cache follows from one pass over prompt and answer without it. Rounding to
 * bf16 or int8 makes some hundredths; two rows that have nothing to do with each other differ by more than 1. */
static pg_status check_answer(bench_run *run)
{
    size_t prompt = run->input.ids.count, count = prompt + run->options.new_tokens;
    bool exact = pg_session_compute(run->session) == PG_COMPUTE_F32 && run->session->cache.dtype == PG_F32;
    double seconds, allowed = exact ? 1e-3 : 0.2;
    int32_t *ids = pg_scratch(&run->session->g, count * sizeof *ids);
    PG_TRY(see(run, &seconds));
    pg_input all = run->input;
    all.ids = (pg_ids){.data = ids, .count = count};
    memcpy(ids, run->input.ids.data, prompt * sizeof *ids);
    memcpy(ids + prompt, run->answer, run->options.new_tokens * sizeof *ids);
    pg_logits logits;
    PG_TRY(input_logits(&logits, run->session, &all, -1));
    PG_TRY(pg_logits_fetch(&logits, run->session));
    double error = relative_error(run->session->logits, logits.values, logits.count);
    if (!(error <= allowed))
        return pg_fail(PG_ERROR_FORMAT,
                       "%s: the answer's last logits differ by %.2g of their size from those of one pass over all "
                       "tokens, expected %g at most",
                       run->folder, error, allowed);
    return PG_OK;
}

static void note_memory(bench_run *run)
{
    pg_process_memory memory = pg_process_memory_get();
    size_t bytes = pg_checkpoint_bytes(run->model->weights->files);
    run->out->weight_bytes = bytes;
    run->out->token_memory = pg_session_token_memory(run->session);
    run->out->peak_memory = memory.peak;
    bool whole = run->options.model.huge_pages || memory.mapped > bytes;
    run->out->private_memory = memory.peak - (whole ? bytes : memory.mapped);
}

/* ---------------------------------------------------------------- a round */

#define COPIED ((size_t)256 << 20) /* bytes that a device copies, some times in a row */
#define COPIES 16

/* Bytes that a device reads and writes in a second when it copies its memory; 0 where that has no room. */
static double copying_limit(pg_device *device)
{
    char *memory = pg_values_alloc(device, 2 * COPIED);
    if (!memory)
        return 0;
    pg_values_clear(device, memory, 2 * COPIED);
    pg_device_wait(device);
    double start = pg_clock();
    for (int i = 0; i < COPIES; i++)
        pg_values_move(device, memory, memory + COPIED, COPIED);
    pg_device_wait(device);
    double seconds = pg_clock() - start;
    pg_values_free(device, memory, 2 * COPIED);
    return 2.0 * COPIES * (double)COPIED / seconds;
}

static double reading_limit(const bench_run *run)
{
    return run->session->device ? copying_limit(run->session->device) : pg_roofline_read(run->memory);
}

/* 0: not known. */
static double arithmetic_limit(const bench_run *run)
{
    const pg_context *g = &run->session->g;
    if (g->device)
        return 0;
    pg_peak peak = g->integers ? PG_PEAK_I8 : g->compute == PG_COMPUTE_BF16 ? PG_PEAK_BF16 : PG_PEAK_F32;
    return pg_roofline_peak(g->kernels, g->threads, peak);
}

/* The prompt's keys and values for the other sequences of the batch, and first tokens, each another. */
static void spread_prompt(bench_run *run)
{
    const pg_session *session = run->session;
    size_t row = (size_t)session->cache.width * pg_dtype_size(session->cache.dtype);
    size_t stride = (size_t)session->context * row, bytes = run->input.ids.count * row;
    for (int64_t m = 0; m < 2 * session->cache.layers; m++) {
        pg_tensor matrix = m % 2 ? pg_cache_values(&session->cache, m / 2) : pg_cache_keys(&session->cache, m / 2);
        for (size_t s = 1; s < session->sequences; s++)
            pg_values_move(session->device, (char *)matrix.data + s * stride, matrix.data, bytes);
    }
    for (size_t s = 1; s < session->sequences; s++)
        run->tokens[s * (run->options.new_tokens + 1)] =
            (int32_t)((run->answer[0] + (int64_t)s) % run->weights.config.text.vocabulary);
}

/* The first sequence has chosen what it chose in the first request. */
static pg_status check_tokens(const bench_run *run, const char *what)
{
    for (size_t i = 0; i <= run->options.new_tokens; i++)
        if (run->tokens[i] != run->answer[i])
            return pg_fail(PG_ERROR_FORMAT, "%s: %s chose token %d in place %zu of the answer, expected %d as before",
                           run->folder, what, run->tokens[i], i, run->answer[i]);
    return PG_OK;
}

static double *sample_of(const bench_run *run, sample kind)
{
    return run->samples + (size_t)kind * run->options.rounds;
}

/* Bytes that a token reads in the middle of the answer. */
static double token_bytes(const bench_run *run)
{
    int64_t keys = (int64_t)(run->input.ids.count + run->options.new_tokens / 2);
    return pg_cost_token_weights(&run->weights) +
           pg_cost_token_cache(&run->weights.config.text, keys, run->session->cache.dtype);
}

static double share_of(double speed, double limit)
{
    return limit > 0 ? speed / limit : 0;
}

static pg_status time_prompt(bench_run *run, double s[SAMPLE_COUNT])
{
    double before = arithmetic_limit(run);
    pg_status status = see(run, &s[VISION]);
    if (status == PG_OK)
        status = read_prompt(run, &s[PREFILL], &run->tokens[0]);
    s[ARITHMETIC] = (before + arithmetic_limit(run)) / 2;
    s[FIRST_TOKEN] = s[VISION] + s[PREFILL];
    s[VISION_SHARE] = run->pixels ? share_of(run->out->vision.work / s[VISION], s[ARITHMETIC]) : 0;
    s[PREFILL_SHARE] = share_of(run->out->prefill.work / s[PREFILL], s[ARITHMETIC]);
    return status;
}

static void rate_answer(const bench_run *run, double s[SAMPLE_COUNT])
{
    s[DECODE_SHARE] = share_of(run->out->decode.work / s[DECODE], s[READING]);
    s[RATE] = (double)run->options.new_tokens / s[DECODE];
}

static pg_status time_answer(bench_run *run, double s[SAMPLE_COUNT])
{
    double before = reading_limit(run);
    PG_TRY(write_answers(run, 1, &s[DECODE]));
    s[READING] = (before + reading_limit(run)) / 2;
    rate_answer(run, s);
    return check_tokens(run, "this round");
}

static pg_status time_batch(bench_run *run, double s[SAMPLE_COUNT])
{
    double seconds;
    if (run->options.batch == 1)
        return PG_OK;
    spread_prompt(run);
    PG_TRY(write_answers(run, run->options.batch, &seconds));
    s[BATCH_RATE] = (double)(run->options.batch * run->options.new_tokens) / seconds;
    return check_tokens(run, "the first sequence of the batch");
}

static pg_status end_round(const bench_run *run, size_t round, const double s[SAMPLE_COUNT])
{
    for (int kind = 0; kind < SAMPLE_COUNT; kind++)
        sample_of(run, (sample)kind)[round] = s[kind];
    if (run->options.on_round && !run->options.on_round(run->options.user, round + 1))
        return pg_fail(PG_ERROR_CANCELLED, "stopped after %zu rounds", round + 1);
    return PG_OK;
}

static pg_status run_round(bench_run *run, size_t round)
{
    double s[SAMPLE_COUNT] = {0};
    pg_arena_mark mark = pg_arena_get_mark(&run->session->g.arena);
    PG_TRY(time_load(run, &s[LOAD]));
    PG_TRY(time_prompt(run, s));
    pg_arena_release(&run->session->g.arena, mark);
    PG_TRY(time_answer(run, s));
    PG_TRY(time_batch(run, s));
    return end_round(run, round, s);
}

/* The first request: nothing is warmed up, and memory's speed is not measured yet. */
static pg_status answer_first(bench_run *run, double s[SAMPLE_COUNT])
{
    pg_arena *arena = &run->session->g.arena;
    pg_arena_mark mark = pg_arena_get_mark(arena);
    PG_TRY(time_prompt(run, s));
    pg_arena_release(arena, mark);
    PG_TRY(write_answers(run, 1, &s[DECODE]));
    memcpy(run->answer, run->tokens, (run->options.new_tokens + 1) * sizeof *run->answer);
    run->out->first_answer = s[LOAD] + s[FIRST_TOKEN];
    note_memory(run);
    if (run->options.once)
        return PG_OK;
    PG_TRY(check_answer(run));
    pg_arena_release(arena, mark);
    return PG_OK;
}

static pg_status run_rounds(bench_run *run, double first[SAMPLE_COUNT])
{
    if (!run->session->device)
        PG_TRY(pg_roofline_memory_new(&run->memory, run->session->g.kernels, run->session->g.threads));
    if (run->options.once) {
        first[READING] = reading_limit(run);
        rate_answer(run, first);
        return end_round(run, 0, first);
    }
    for (size_t round = 0; round < run->options.rounds; round++)
        PG_TRY(run_round(run, round));
    return PG_OK;
}

/* ---------------------------------------------------------------- the profile */

/* Moves what was counted into the result, with a last entry for what was not, and starts anew. */
static void take_profile(bench_run *run, const char *part, double seconds)
{
    pg_bench *out = run->out;
    for (size_t i = 0; i < run->profile.count; i++) {
        const pg_profile_entry *entry = &run->profile.entries[i];
        pg_bench_operation *operation = &out->operations[out->operation_count++];
        *operation = (pg_bench_operation){.part = part, .calls = entry->calls, .seconds = entry->seconds};
        memcpy(operation->name, entry->name, sizeof entry->name);
        seconds -= entry->seconds;
    }
    out->operations[out->operation_count++] =
        (pg_bench_operation){.part = part, .name = "other", .calls = 1, .seconds = seconds > 0 ? seconds : 0};
    run->profile = (pg_profile){0};
}

static pg_status run_profile(bench_run *run)
{
    pg_context *g = &run->session->g;
    double seconds;
    run->out->operations = pg_alloc(3 * (PG_PROFILE_MAX + 1), sizeof *run->out->operations);
    if (!run->out->operations)
        return PG_ERROR_MEMORY;
    g->profile = &run->profile;
    PG_TRY(see(run, &seconds));
    if (run->pixels)
        take_profile(run, "vision", seconds);
    PG_TRY(read_prompt(run, &seconds, &run->tokens[0]));
    take_profile(run, "prefill", seconds);
    PG_TRY(write_answers(run, 1, &seconds));
    take_profile(run, "decode", seconds);
    g->profile = NULL;
    return PG_OK;
}

/* ---------------------------------------------------------------- all of it */

static pg_figure figure_of(const bench_run *run, sample kind)
{
    double *values = sample_of(run, kind), median = pg_median(values, run->options.rounds);
    return (pg_figure){median, values[0], values[run->options.rounds - 1]};
}

static void finish_part(pg_bench_part *out, const bench_run *run, sample seconds, sample limit, sample share)
{
    out->seconds = figure_of(run, seconds);
    out->limit = figure_of(run, limit);
    out->share = figure_of(run, share);
}

static void finish(const bench_run *run)
{
    pg_bench *out = run->out;
    out->load = figure_of(run, LOAD);
    finish_part(&out->vision, run, VISION, ARITHMETIC, VISION_SHARE);
    finish_part(&out->prefill, run, PREFILL, ARITHMETIC, PREFILL_SHARE);
    finish_part(&out->decode, run, DECODE, READING, DECODE_SHARE);
    out->first_token = figure_of(run, FIRST_TOKEN);
    out->tokens_per_second = figure_of(run, RATE);
    out->batch_tokens_per_second = figure_of(run, BATCH_RATE);
}

static void note_setup(const bench_run *run)
{
    const pg_bench_options *o = &run->options;
    const pg_config *config = &run->weights.config;
    pg_bench *out = run->out;
    out->image_size = o->image_size;
    out->prompt_tokens = run->input.ids.count;
    out->new_tokens = o->new_tokens;
    out->batch = o->batch;
    out->rounds = o->rounds;
    out->threads = run->session->g.threads;
    out->compute = pg_session_compute(run->session);
    out->vision.work = run->pixels ? pg_cost_vision(config) : 0;
    out->prefill.work = pg_cost_prompt(&config->text, (int64_t)out->prompt_tokens, run->input.prefix);
    out->decode.work = (double)o->new_tokens * token_bytes(run);
}

static pg_status run_all(bench_run *run)
{
    double first[SAMPLE_COUNT] = {0};
    PG_TRY(make_ready(run, &first[LOAD]));
    note_setup(run);
    PG_TRY(answer_first(run, first));
    if (run->options.profile)
        PG_TRY(pg_model_require_host(run->model, "a profile of operations"));
    PG_TRY(run_rounds(run, first));
    finish(run);
    return run->options.profile ? run_profile(run) : PG_OK;
}

pg_status pg_bench_run(pg_bench **out, const char *folder, const pg_bench_options *options)
{
    bench_run run = {.folder = folder};
    run.out = *out = pg_alloc(1, sizeof **out);
    if (!run.out)
        return PG_ERROR_MEMORY;
    if (options)
        run.options = *options;
    pg_status status = run_all(&run);
    pg_roofline_memory_free(run.memory);
    pg_session_free(run.session);
    pg_placement_free(&run.placed);
    pg_model_close(run.model);
    pg_ids_free(&run.input.ids);
    pg_free(run.positions);
    pg_free(run.pixels);
    pg_free(run.answer);
    pg_free(run.tokens);
    pg_free(run.samples);
    if (status != PG_OK) {
        pg_bench_free(run.out);
        *out = NULL;
    }
    return status;
}

void pg_bench_free(pg_bench *bench)
{
    if (!bench)
        return;
    pg_free(bench->operations);
    pg_free(bench);
}
