/*
 * How well damaged pictures are recognised (Hendrycks and Dietterich 2019). Some rows at a time are read and resized to
 * the model's size, which is where the paper damages pictures: at full size, noise would be averaged away. Then each
 * kind and severity in turn changes all of them, and the model looks.
 */
#include <math.h>
#include <string.h>

#include "base/threads.h"
#include "data/dataset.h"
#include "image/image.h"
#include "tasks/recognizer.h"
#include "text/utf8.h"

#define AT_ONCE 16
#define ANSWER  32 /* tokens */

/* A row of the batch. */
typedef struct item {
    pg_data_row *row;
    size_t index;  /* in the data */
    size_t target; /* class */
    size_t first;  /* of its pictures */
} item;

typedef struct robustness {
    pg_session *session;
    const pg_dataset *dataset;
    const pg_robustness_options *options;
    const pg_recognizer *recognizer; /* NULL: answers */
    item *items;                     /* [batch] */
    size_t batch, count;             /* most rows, and those there are */
    pg_image **clean, **damaged;     /* [pictures]: resized */
    size_t pictures, capacity, damaged_capacity;
    float *logits; /* [batch][labels] */
    pg_request *requests;
    pg_answer **answers;
    size_t done, total; /* batches under a kind of damage */
} robustness;

/* ---------------------------------------------------------------- rows */

static pg_status fail_at(pg_status status, const robustness *r, size_t row)
{
    char *place;
    if (status == PG_ERROR_MEMORY)
        return status;
    PG_TRY(pg_dataset_place(&place, r->dataset, row));
    pg_fail_context(status, "%s", place);
    pg_free(place);
    return status;
}

/* A copy of a text without the white space around it. */
static pg_status copy_stripped(char **out, const char *text)
{
    size_t size = strlen(text);
    pg_utf8_strip(&text, &size);
    *out = pg_copy_text(text, size);
    return *out ? PG_OK : PG_ERROR_MEMORY;
}

static pg_status find_name(size_t *out, const robustness *r, const char *text)
{
    char *name;
    PG_TRY(copy_stripped(&name, text));
    bool found = pg_recognizer_find(out, r->recognizer, name);
    pg_status status =
        found ? PG_OK : pg_fail(PG_ERROR_FORMAT, "\"%.80s\" is none of the %zu classes", name, r->recognizer->count);
    pg_free(name);
    return status;
}

static pg_status find_target(item *it, const robustness *r)
{
    const pg_data_row *row = it->row;
    if (row->kind == PG_ROW_SUFFIX)
        return find_name(&it->target, r, row->suffix);
    const char *name = pg_dataset_label(r->dataset, (size_t)row->label);
    if (name)
        return find_name(&it->target, r, name);
    it->target = (size_t)row->label;
    return it->target < r->recognizer->count
               ? PG_OK
               : pg_fail(PG_ERROR_FORMAT, "label %zu, but there are %zu classes", it->target, r->recognizer->count);
}

static pg_status read_image(pg_image **out, const robustness *r, const pg_row_image *stored)
{
    const pg_image_options *options = &r->options->image;
    size_t side = pg_model_image_size(r->session->model);
    pg_image *image;
    PG_TRY(stored->bytes ? pg_image_decode(&image, stored->bytes, stored->size, stored->name, options)
                         : pg_image_load(&image, stored->name, options));
    pg_status status = pg_image_resize(out, image, side, side, r->session->resize_order);
    pg_image_free(image);
    return status;
}

static pg_status read_images(robustness *r, item *it)
{
    it->first = r->pictures;
    if (it->row->image_count == 0 || (r->recognizer && it->row->image_count > 1))
        return pg_fail(PG_ERROR_FORMAT, "%zu pictures, expected %s", it->row->image_count,
                       r->recognizer ? "one" : "at least one");
    for (size_t i = 0; i < it->row->image_count; i++) {
        PG_TRY(pg_grow((void **)&r->clean, &r->capacity, r->pictures + 1, sizeof *r->clean));
        PG_TRY(read_image(&r->clean[r->pictures], r, &it->row->images[i]));
        r->pictures++;
    }
    return PG_OK;
}

static pg_status read_row(robustness *r, size_t index)
{
    item *it = &r->items[r->count++];
    *it = (item){.index = index};
    PG_TRY(pg_dataset_row(&it->row, r->dataset, index)); /* says where itself */
    pg_status status = r->recognizer ? find_target(it, r) : PG_OK;
    if (status == PG_OK)
        status = read_images(r, it);
    return status == PG_OK ? PG_OK : fail_at(status, r, index);
}

static void clear_pictures(pg_image **images, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        pg_image_free(images[i]);
        images[i] = NULL;
    }
}

static void clear_batch(robustness *r)
{
    for (size_t i = 0; i < r->count; i++)
        pg_data_row_free(r->items[i].row);
    clear_pictures(r->clean, r->pictures);
    r->count = r->pictures = 0;
}

/* ---------------------------------------------------------------- damage */

typedef struct damage_run {
    const robustness *r;
    pg_corruption kind;
    int severity;
    int failed;
} damage_run;

static void damage_row(void *context, int64_t i, int worker)
{
    damage_run *run = context;
    const robustness *r = run->r;
    const item *it = &r->items[i];
    (void)worker;
    for (size_t k = 0; k < it->row->image_count; k++)
        if (pg_image_corrupt(&r->damaged[it->first + k], r->clean[it->first + k], run->kind, run->severity,
                             r->options->seed + (it->index << 8) + k) != PG_OK)
            __atomic_store_n(&run->failed, 1, __ATOMIC_RELAXED);
}

/* The only failure is a lack of memory. */
static pg_status damage(robustness *r, pg_corruption kind, int severity)
{
    damage_run run = {r, kind, severity, 0};
    PG_TRY(pg_grow((void **)&r->damaged, &r->damaged_capacity, r->pictures, sizeof *r->damaged));
    memset(r->damaged, 0, r->pictures * sizeof *r->damaged);
    pg_parallel(r->session->g.threads, (int64_t)r->count, damage_row, &run);
    return run.failed ? pg_fail(PG_ERROR_MEMORY, "%zu damaged pictures cannot be held in memory", r->pictures) : PG_OK;
}

/* ---------------------------------------------------------------- looking */

static pg_status count_classes(size_t *right, const robustness *r, pg_image *const *images)
{
    size_t labels = r->recognizer->count;
    PG_TRY(pg_recognize(r->logits, r->session, r->recognizer, (const pg_image *const *)images, r->count));
    for (size_t i = 0; i < r->count; i++) {
        pg_candidate best;
        pg_best_logits(&best, 1, r->logits + i * labels, (int64_t)labels);
        *right += (size_t)best.id == r->items[i].target;
    }
    return PG_OK;
}

static bool is_same_text(const char *a, const char *b)
{
    size_t a_size = strlen(a), b_size = strlen(b);
    pg_utf8_strip(&a, &a_size);
    pg_utf8_strip(&b, &b_size);
    return a_size == b_size && !memcmp(a, b, a_size);
}

static pg_status count_answers(size_t *right, const robustness *r, pg_image *const *images)
{
    for (size_t i = 0; i < r->count; i++) {
        pg_request *request = &r->requests[i];
        pg_request_init(request);
        request->images = (const pg_image *const *)images + r->items[i].first;
        request->image_count = r->items[i].row->image_count;
        request->prompt = r->items[i].row->prefix;
        request->max_new_tokens = r->options->max_new_tokens ? r->options->max_new_tokens : ANSWER;
        request->temperature = 0;
        request->beams = 1;
    }
    PG_TRY(pg_generate(r->answers, r->session, r->requests, r->count));
    for (size_t i = 0; i < r->count; i++) {
        *right += is_same_text(r->answers[i]->text, r->items[i].row->suffix);
        pg_answer_free(r->answers[i]);
    }
    return PG_OK;
}

static pg_status look(double *right, robustness *r, pg_image *const *images)
{
    size_t count = 0;
    PG_TRY(r->recognizer ? count_classes(&count, r, images) : count_answers(&count, r, images));
    *right += (double)count;
    r->done++;
    if (r->options->on_progress && !r->options->on_progress(r->options->user, r->done, r->total))
        return pg_fail(PG_ERROR_CANCELLED, "cancelled");
    return PG_OK;
}

static pg_status look_at_damage(pg_robustness *out, robustness *r, pg_corruption kind, int severity)
{
    double *right = &out->accuracy[kind][severity - 1];
    pg_status status = damage(r, kind, severity);
    *right = isnan(*right) ? 0 : *right;
    if (status == PG_OK)
        status = look(right, r, r->damaged);
    clear_pictures(r->damaged, r->damaged ? r->pictures : 0);
    return status;
}

/* ---------------------------------------------------------------- what was asked for */

static const pg_corruption all_kinds[PG_CORRUPTIONS] = {
    PG_CORRUPT_GAUSSIAN_NOISE, PG_CORRUPT_SHOT_NOISE,  PG_CORRUPT_IMPULSE_NOISE, PG_CORRUPT_DEFOCUS_BLUR,
    PG_CORRUPT_GLASS_BLUR,     PG_CORRUPT_MOTION_BLUR, PG_CORRUPT_ZOOM_BLUR,     PG_CORRUPT_SNOW,
    PG_CORRUPT_FROST,          PG_CORRUPT_FOG,         PG_CORRUPT_BRIGHTNESS,    PG_CORRUPT_CONTRAST,
    PG_CORRUPT_ELASTIC,        PG_CORRUPT_PIXELATE,    PG_CORRUPT_JPEG,          PG_CORRUPT_ROTATION};
static const int all_severities[PG_SEVERITIES] = {1, 2, 3, 4, 5};

void pg_robustness_options_init(pg_robustness_options *options)
{
    *options = (pg_robustness_options){0};
    pg_image_options_init(&options->image);
}

/* With all defaults filled in. */
static pg_robustness_options complete(const pg_robustness_options *given, const pg_dataset *dataset)
{
    pg_robustness_options options;
    pg_robustness_options_init(&options);
    if (given)
        options = *given;
    if (!options.kinds) {
        options.kinds = all_kinds;
        options.kind_count = PG_CORRUPTIONS;
    }
    if (!options.severities) {
        options.severities = all_severities;
        options.severity_count = PG_SEVERITIES;
    }
    if (options.rows == 0 || options.rows > pg_dataset_count(dataset))
        options.rows = pg_dataset_count(dataset);
    options.batch = options.batch ? options.batch : AT_ONCE;
    return options;
}

static pg_status check_damage(const pg_robustness_options *options)
{
    for (size_t i = 0; i < options->kind_count; i++)
        if (!pg_corruption_name(options->kinds[i]))
            return pg_fail(PG_ERROR_ARGUMENT, "there is no corruption %d", (int)options->kinds[i]);
    for (size_t i = 0; i < options->severity_count; i++)
        if (options->severities[i] < 1 || options->severities[i] > PG_SEVERITIES)
            return pg_fail(PG_ERROR_ARGUMENT, "severity: %d, expected 1 to %d", options->severities[i], PG_SEVERITIES);
    return PG_OK;
}

static pg_status check(const robustness *r)
{
    pg_model_kind kind = r->session->model->weights->config.kind;
    pg_row_kind rows = pg_dataset_row_kind(r->dataset);
    const char *path = pg_dataset_path(r->dataset);
    PG_TRY(pg_model_require(r->session->model, kind != PG_MODEL_GEMMA, "see pictures"));
    PG_TRY(check_damage(r->options));
    if (kind == PG_MODEL_SIGLIP && !r->recognizer)
        return pg_fail(PG_ERROR_ARGUMENT, "SigLIP recognises classes: name them");
    if (r->recognizer)
        PG_TRY(pg_recognizer_check(r->recognizer, r->session));
    if (rows == PG_ROW_SUFFIX || (rows == PG_ROW_LABEL && r->recognizer))
        return PG_OK;
    return pg_fail(PG_ERROR_ARGUMENT, "%s: rows of the kind \"%s\", expected %s", path, pg_row_kind_name(rows),
                   r->recognizer ? "{\"image\", \"label\"} or {\"image\", \"prefix\", \"suffix\"}"
                                 : "{\"image\", \"prefix\", \"suffix\"}");
}

static pg_status make_room(robustness *r)
{
    size_t batch = r->batch = r->options->batch;
    r->items = pg_alloc(batch, sizeof *r->items);
    r->requests = pg_alloc(batch, sizeof *r->requests);
    r->answers = pg_alloc(batch, sizeof *r->answers);
    r->logits = pg_alloc(batch, (r->recognizer ? r->recognizer->count : 0) * sizeof *r->logits);
    return r->items && r->requests && r->answers && r->logits ? PG_OK : PG_ERROR_MEMORY;
}

/* ---------------------------------------------------------------- the whole */

static pg_status run_batch(pg_robustness *out, robustness *r, size_t first)
{
    size_t end = first + r->batch < r->options->rows ? first + r->batch : r->options->rows;
    for (size_t row = first; row < end; row++)
        PG_TRY(read_row(r, row));
    PG_TRY(look(&out->clean, r, r->clean));
    for (size_t k = 0; k < r->options->kind_count; k++)
        for (size_t s = 0; s < r->options->severity_count; s++)
            PG_TRY(look_at_damage(out, r, r->options->kinds[k], r->options->severities[s]));
    return PG_OK;
}

static pg_status run(pg_robustness *out, robustness *r)
{
    pg_status status = PG_OK;
    PG_TRY(check(r));
    PG_TRY(make_room(r));
    size_t batches = (r->options->rows + r->batch - 1) / r->batch;
    r->total = batches * (1 + r->options->kind_count * r->options->severity_count);
    for (size_t first = 0; first < r->options->rows && status == PG_OK; first += r->batch) {
        status = run_batch(out, r, first);
        clear_batch(r);
    }
    return status;
}

/* From counts to shares, and their means over what was asked for. */
static void summarize(pg_robustness *out, size_t rows)
{
    double all = 0, kinds = 0;
    out->rows = rows;
    out->clean /= (double)rows;
    for (int kind = 0; kind < PG_CORRUPTIONS; kind++) {
        double sum = 0, severities = 0;
        for (int s = 0; s < PG_SEVERITIES; s++) {
            out->accuracy[kind][s] /= (double)rows;
            sum += isnan(out->accuracy[kind][s]) ? 0 : out->accuracy[kind][s];
            severities += !isnan(out->accuracy[kind][s]);
        }
        out->corruption[kind] = severities > 0 ? sum / severities : NAN;
        all += severities > 0 ? out->corruption[kind] : 0;
        kinds += severities > 0;
    }
    out->mean_error = kinds > 0 ? 1 - all / kinds : NAN;
    out->relative_error = out->mean_error - (1 - out->clean);
}

pg_status pg_robustness_run(pg_robustness *out, pg_session *session, const pg_dataset *dataset,
                            const pg_robustness_options *given)
{
    pg_robustness_options options = complete(given, dataset);
    robustness r = {.session = session, .dataset = dataset, .options = &options, .recognizer = options.recognizer};
    *out = (pg_robustness){0};
    for (int i = 0; i < PG_CORRUPTIONS * PG_SEVERITIES; i++)
        out->accuracy[i / PG_SEVERITIES][i % PG_SEVERITIES] = NAN;
    pg_status status = run(out, &r);
    if (status == PG_OK)
        summarize(out, options.rows);
    pg_free(r.items);
    pg_free(r.clean);
    pg_free(r.damaged);
    pg_free(r.logits);
    pg_free(r.requests);
    pg_free(r.answers);
    return status;
}
