/* Detection and segmentation: prompts, answers of the form that such prompts have, and the objects in them. */
#include <string.h>

#include "base/buffer.h"
#include "tasks/detection.h"
#include "tasks/object_scores.h"

#define USUAL_OBJECTS 100
#define FREE_TOKENS   32 /* of an object in an answer without constraints: a mask and a long label */
#define VALUES        ((size_t)PG_MASK_SIDE * PG_MASK_SIDE)

void pg_detect_options_init(pg_detect_options *options)
{
    *options = (pg_detect_options){0};
}

/* A picture: what is asked, and what the answer may be; NULL where that is the picture's before it. */
typedef struct question {
    const pg_detect_options *options;
    pg_buffer prompt;
    pg_constraint *constraint;
} question;

/* One call. */
typedef struct detect_run {
    question *questions;
    pg_request *requests;
    pg_seen_answer *seen;
    pg_answer **answers; /* [count], as the three above */
    size_t count;
} detect_run;

static size_t most_objects(const pg_detect_options *options)
{
    return options->max_objects ? options->max_objects : USUAL_OBJECTS;
}

/* ---------------------------------------------------------------- asking */

static pg_status make_prompt(pg_buffer *out, const pg_detect_options *options)
{
    if (options->prompt)
        return pg_buffer_print(out, "%s", options->prompt);
    PG_TRY(pg_buffer_print(out, options->masks == PG_MASKS_NONE ? "detect" : "segment"));
    for (size_t i = 0; i < options->label_count; i++)
        PG_TRY(pg_buffer_print(out, i ? " ; %s" : " %s", options->labels[i]));
    return PG_OK;
}

/* Tokens that an answer may have. */
static pg_status find_room(size_t *out, const pg_session *session, const pg_request *request)
{
    pg_input input;
    PG_TRY(pg_input_make(&input, session, request));
    *out = (size_t)session->context - input.ids.count;
    pg_input_free(&input);
    return PG_OK;
}

static pg_status constrain(question *asked, pg_request *request, const pg_session *session)
{
    const pg_detect_options *options = asked->options;
    size_t room = 0, most = most_objects(options);
    PG_TRY(find_room(&room, session, request));
    request->max_new_tokens = (int64_t)room;
    if (options->free) {
        if (most < room / FREE_TOKENS)
            request->max_new_tokens = (int64_t)most * FREE_TOKENS;
        return PG_OK;
    }
    const pg_object_rules rules = {
        .labels = options->labels,
        .label_count = options->label_count,
        .masks = options->masks,
        .most = most,
        .room = room,
    };
    PG_TRY(pg_constraint_make_objects(&asked->constraint, session->model, &rules));
    request->constraint = asked->constraint;
    return PG_OK;
}

static void see_step(void *user, size_t index, const pg_step *step)
{
    detect_run *run = user;
    pg_seen_answer_add(&run->seen[index], step);
}

static bool pass_text(void *user, size_t index, const char *text, size_t size)
{
    const detect_run *run = user;
    const pg_detect_options *options = run->questions[0].options;
    return options->on_text(options->user, index, text, size);
}

/* But for its callbacks. */
static pg_status make_request(pg_request *out, question *asked, const pg_session *session)
{
    pg_request_init(out);
    PG_TRY(make_prompt(&asked->prompt, asked->options));
    out->prompt = asked->prompt.data;
    out->image_count = 1;
    out->temperature = 0;
    out->beams = 1;
    out->repetition_penalty = 1;
    out->no_repeat_ngram = 0;
    out->min_new_tokens = 0;
    return constrain(asked, out, session);
}

static void tell_run(pg_request *request, detect_run *run)
{
    request->on_step = see_step;
    request->on_text = run->questions[0].options->on_text ? pass_text : NULL;
    request->user = run;
}

static pg_status ask(detect_run *run, pg_session *session, const pg_image *const *images)
{
    int32_t first_place = pg_tokenizer_id(session->model->tokenizer, "<loc0000>");
    run->requests = pg_alloc(run->count, sizeof *run->requests);
    run->seen = pg_alloc(run->count, sizeof *run->seen);
    run->answers = pg_alloc(run->count, sizeof *run->answers);
    if (!run->requests || !run->seen || !run->answers)
        return PG_ERROR_MEMORY;
    for (size_t i = 0; i < run->count; i++) {
        run->seen[i].first_place = first_place;
        if (i > 0 && run->questions[i].options == run->questions[i - 1].options)
            run->requests[i] = run->requests[i - 1];
        else
            PG_TRY(make_request(&run->requests[i], &run->questions[i], session));
        tell_run(&run->requests[i], run);
        run->requests[i].images = &images[i];
    }
    return pg_generate(run->answers, session, run->requests, run->count);
}

/* ---------------------------------------------------------------- reading */

/* Leaves out objects below the threshold, and those beyond the largest number. */
static void keep_best(pg_objects *objects, const pg_detect_options *options)
{
    size_t kept = 0;
    for (size_t i = 0; i < objects->count; i++)
        if (kept < most_objects(options) && objects->items[i].score >= options->threshold)
            objects->items[kept++] = objects->items[i];
        else
            pg_free(objects->items[i].label);
    objects->count = kept;
}

static pg_status decode_mask(pg_object *object, const pg_mask_codec *codec, int threads)
{
    object->mask = pg_alloc(VALUES, sizeof *object->mask);
    if (!object->mask)
        return PG_ERROR_MEMORY;
    return pg_mask_codec_decode(object->mask, codec, object->codes, 1, threads);
}

/* An answer, and what it is about. */
typedef struct reading {
    const pg_answer *answer;
    const pg_seen_answer *seen;
    const pg_detect_options *options;
    size_t width, height; /* of the picture */
    const pg_model *model;
    int threads;
} reading;

static pg_status read_answer(pg_objects **out, const reading *of)
{
    const pg_answer *answer = of->answer;
    const pg_detect_options *options = of->options;
    PG_TRY(pg_objects_parse(out, answer->text, answer->text_size, of->width, of->height));
    pg_objects *objects = *out;
    objects->finish = answer->finish;
    PG_TRY(pg_objects_score(objects, of->seen, answer, of->model));
    keep_best(objects, options);
    for (size_t k = 0; options->codec && k < objects->count; k++)
        if (objects->items[k].has_codes)
            PG_TRY(decode_mask(&objects->items[k], options->codec, of->threads));
    return PG_OK;
}

static void end_detection(detect_run *run)
{
    for (size_t i = 0; i < run->count; i++) {
        if (run->seen)
            pg_seen_answer_free(&run->seen[i]);
        if (run->answers)
            pg_answer_free(run->answers[i]);
        pg_constraint_free(run->questions[i].constraint);
        pg_buffer_free(&run->questions[i].prompt);
    }
    pg_free(run->questions);
    pg_free(run->requests);
    pg_free(run->seen);
    pg_free(run->answers);
}

static pg_status check(const pg_model *model, const pg_detect_options *const *options, size_t count)
{
    PG_TRY(pg_model_require(model, pg_model_get_kind(model) == PG_MODEL_PALIGEMMA, "detect objects"));
    PG_TRY(pg_model_require_tokenizer(model));
    for (size_t i = 0; i < count; i++)
        if (!options[i]->label_count && !options[i]->prompt)
            return pg_fail(PG_ERROR_ARGUMENT, "the list of labels is empty");
    return PG_OK;
}

static pg_status prepare(detect_run *run, const pg_session *session, const pg_detect_options *const *options)
{
    PG_TRY(check(session->model, options, run->count));
    run->questions = pg_alloc(run->count, sizeof *run->questions);
    if (!run->questions)
        return PG_ERROR_MEMORY;
    for (size_t i = 0; i < run->count; i++)
        run->questions[i].options = options[i];
    return PG_OK;
}

pg_status pg_detect_each(pg_objects **out, pg_session *session, const pg_image *const *images,
                         const pg_detect_options *const *options, size_t count)
{
    detect_run run = {.count = count};
    memset(out, 0, count * sizeof(pg_objects *));
    pg_status status = prepare(&run, session, options);
    if (status == PG_OK && count)
        status = ask(&run, session, images);
    for (size_t i = 0; i < count && status == PG_OK; i++)
        status = read_answer(&out[i], &(reading){run.answers[i], &run.seen[i], options[i], pg_image_width(images[i]),
                                                 pg_image_height(images[i]), session->model, session->g.threads});
    for (size_t i = 0; status != PG_OK && i < count; i++) {
        pg_objects_free(out[i]);
        out[i] = NULL;
    }
    if (run.questions)
        end_detection(&run);
    return status;
}

pg_status pg_detect(pg_objects **out, pg_session *session, const pg_image *const *images, size_t count,
                    const pg_detect_options *options)
{
    const pg_detect_options **each = pg_alloc(count ? count : 1, sizeof *each);
    if (!each)
        return PG_ERROR_MEMORY;
    each[0] = options; /* checked without pictures too */
    for (size_t i = 0; i < count; i++)
        each[i] = options;
    pg_status status = count ? pg_detect_each(out, session, images, each, count) : check(session->model, each, 1);
    pg_free(each);
    return status;
}

/* ---------------------------------------------------------------- answered by others */

struct pg_detection {
    const pg_model *model;
    const pg_image *image;
    size_t width, height; /* of it */
    pg_detect_options options;
    question asked;
    pg_request request;
    pg_seen_answer seen;
};

static void see_own_step(void *user, size_t index, const pg_step *step)
{
    pg_detection *detection = user;
    (void)index;
    pg_seen_answer_add(&detection->seen, step);
}

static pg_status fill_detection(pg_detection *detection, size_t context)
{
    const pg_detect_options *options = &detection->options;
    const pg_model *model = detection->model;
    PG_TRY(check(model, &options, 1));
    /* as much of a session as the making of a request looks at */
    const pg_session plain = {.model = model, .context = (int64_t)(context ? context : pg_model_context(model))};
    detection->asked.options = options;
    detection->seen.first_place = pg_tokenizer_id(model->tokenizer, "<loc0000>");
    PG_TRY(make_request(&detection->request, &detection->asked, &plain));
    detection->request.images = &detection->image;
    detection->request.on_step = see_own_step;
    detection->request.user = detection;
    return PG_OK;
}

pg_status pg_detection_new(pg_detection **out, const pg_model *model, const pg_image *image,
                           const pg_detect_options *options, size_t context)
{
    pg_detection *detection = *out = pg_alloc(1, sizeof *detection);
    if (!detection)
        return PG_ERROR_MEMORY;
    *detection = (pg_detection){.model = model,
                                .image = image,
                                .width = pg_image_width(image),
                                .height = pg_image_height(image),
                                .options = *options};
    pg_status status = fill_detection(detection, context);
    if (status != PG_OK) {
        pg_detection_free(detection);
        *out = NULL;
    }
    return status;
}

const pg_request *pg_detection_request(const pg_detection *detection)
{
    return &detection->request;
}

pg_status pg_detection_read(pg_objects **out, const pg_detection *detection, const pg_answer *answer)
{
    const reading whole = {
        answer, &detection->seen, &detection->options, detection->width, detection->height, detection->model, 1};
    *out = NULL;
    pg_status status = read_answer(out, &whole);
    if (status != PG_OK) {
        pg_objects_free(*out);
        *out = NULL;
    }
    return status;
}

void pg_detection_free(pg_detection *detection)
{
    if (!detection)
        return;
    pg_seen_answer_free(&detection->seen);
    pg_constraint_free(detection->asked.constraint);
    pg_buffer_free(&detection->asked.prompt);
    pg_free(detection);
}
