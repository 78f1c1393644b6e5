/*
 * A model answers the cases of an evaluation, some at a time. Answers are added to the file of predictions as soon as
 * they are there, so that a run that was stopped goes on behind them.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "data/dataset.h"
#include "generate/session.h"
#include "tasks/detection.h"
#include "tasks/evaluation.h"
#include "tasks/evaluation_run.h"
#include "text/utf8.h"

#define CHUNKS       4 /* cases for each sequence that are read ahead: answers of different lengths fill up the session */
#define LARGEST_FILE ((size_t)1 << 30)
#define GREY         127

void pg_evaluation_run_options_init(pg_evaluation_run_options *options)
{
    *options = (pg_evaluation_run_options){0};
    pg_image_options_init(&options->image);
}

/* ---------------------------------------------------------------- the file of predictions */

/* What pg_eval_item_print begins a line with; less of it, where so much was written only. */
static bool begins_as_ours(const char *line, size_t size)
{
    static const char *const starts[] = {"{\"question_id\":", "{\"image", "{\"prompt\":"};
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        size_t length = strlen(starts[i]);
        if (!memcmp(line, starts[i], size < length ? size : length))
            return true;
    }
    return false;
}

static pg_status end_line(const char *path)
{
    FILE *file;
    PG_TRY(pg_file_append(&file, path));
    bool written = fputc('\n', file) != EOF;
    return fclose(file) == 0 && written ? PG_OK : pg_fail_errno(PG_ERROR_FILE, "%s", path);
}

/* The last line, without an end: torn when the process was killed, then it goes; or whole, then it gets its end. What
 * is no line of ours belongs to somebody else. */
static pg_status settle_last_line(pg_evaluation *evaluation, const char *path, const pg_buffer *text, size_t whole)
{
    const char *line = text->data + whole;
    size_t size = text->size - whole;
    json_t *document;
    if (!begins_as_ours(line, size))
        return pg_fail(PG_ERROR_FORMAT,
                       "%s: is no file of predictions, to which answers could be added; choose another", path);
    if (pg_json_parse(&document, line, size, path) == PG_OK) {
        json_decref(document);
        PG_TRY(pg_evaluation_take_lines(evaluation, path, line, size));
        return end_line(path);
    }
    return truncate(path, (off_t)whole) == 0 ? PG_OK : pg_fail_errno(PG_ERROR_FILE, "%s", path);
}

static pg_status take_earlier(pg_evaluation *evaluation, const char *path)
{
    pg_buffer text = {0};
    pg_status status = pg_file_read(&text, path, LARGEST_FILE);
    const char *end = text.size ? memrchr(text.data, '\n', text.size) : NULL;
    size_t whole = end ? (size_t)(end + 1 - text.data) : 0;
    if (status == PG_OK && whole)
        status = pg_evaluation_take_lines(evaluation, path, text.data, whole);
    if (status == PG_OK && whole < text.size)
        status = settle_last_line(evaluation, path, &text, whole);
    pg_buffer_free(&text);
    return status;
}

static pg_status open_file(pg_eval_run *run)
{
    const char *path = run->options->out;
    if (!path)
        return PG_OK;
    if (pg_file_exists(path))
        PG_TRY(take_earlier(run->evaluation, path));
    return pg_file_append(&run->file, path);
}

static pg_status write_item(const pg_eval_run *run, const pg_eval_item *item)
{
    pg_buffer line = {0};
    pg_status status = pg_eval_item_print(&line, run->evaluation, item);
    if (status == PG_OK && fwrite(line.data, 1, line.size, run->file) != line.size)
        status = pg_fail_errno(PG_ERROR_FILE, "%s", run->options->out);
    pg_buffer_free(&line);
    return status;
}

pg_status pg_eval_run_save(const pg_eval_run *run, pg_eval_item *const *items, size_t count)
{
    for (size_t i = 0; run->file && i < count; i++)
        PG_TRY(write_item(run, items[i]));
    if (run->file && fflush(run->file) != 0)
        return pg_fail_errno(PG_ERROR_FILE, "%s", run->options->out);
    return PG_OK;
}

/* ---------------------------------------------------------------- pictures */

static pg_status make_grey(pg_image **image)
{
    size_t width = pg_image_width(*image), height = pg_image_height(*image);
    uint8_t *pixels = pg_alloc(width * height, 3);
    pg_image *grey;
    if (!pixels)
        return PG_ERROR_MEMORY;
    memset(pixels, GREY, width * height * 3);
    pg_status status = pg_image_new(&grey, pixels, width, height, 0);
    pg_free(pixels);
    PG_TRY(status);
    pg_image_free(*image);
    *image = grey;
    return PG_OK;
}

pg_status pg_eval_run_load(pg_eval_pictures *out, const pg_eval_run *run, const pg_eval_item *item)
{
    pg_data_row *row;
    *out = (pg_eval_pictures){0};
    PG_TRY(pg_dataset_row(&row, run->evaluation->dataset, item->row));
    out->images = pg_alloc(row->image_count, sizeof *out->images);
    pg_status status = out->images ? PG_OK : PG_ERROR_MEMORY;
    for (size_t i = 0; i < row->image_count && status == PG_OK; i++) {
        status = pg_eval_read_image(&out->images[i], &row->images[i], &run->options->image);
        out->count += status == PG_OK;
        if (status == PG_OK && run->options->blank)
            status = make_grey(&out->images[i]);
    }
    pg_data_row_free(row);
    if (status != PG_OK)
        pg_eval_pictures_free(out);
    return status;
}

void pg_eval_pictures_free(pg_eval_pictures *pictures)
{
    for (size_t i = 0; i < pictures->count; i++)
        pg_image_free(pictures->images[i]);
    pg_free(pictures->images);
    *pictures = (pg_eval_pictures){0};
}

/* The thread's error becomes the case's; without memory, the run's. */
pg_status pg_eval_item_fail(pg_eval_item *item, pg_status status)
{
    if (status == PG_ERROR_MEMORY || status == PG_ERROR_CANCELLED)
        return status;
    pg_eval_item_forget(item);
    item->error = pg_copy_text(pg_error_last(), SIZE_MAX);
    item->prediction = pg_copy_text("", 0);
    return item->error && item->prediction ? PG_OK : PG_ERROR_MEMORY;
}

/* ---------------------------------------------------------------- a group of cases */

bool pg_eval_run_goes_on(pg_eval_run *run)
{
    const pg_evaluation_run_options *options = run->options;
    if (!run->cancelled && options->on_progress)
        run->cancelled = !options->on_progress(options->user, run->done, run->evaluation->count);
    return !run->cancelled;
}

static bool on_text(void *user, size_t index, const char *text, size_t size)
{
    (void)index;
    (void)text;
    (void)size;
    return pg_eval_run_goes_on(user);
}

/* Labels that a prompt names: "detect cat ; dog". They are parts of `text`. */
typedef struct label_list {
    char *text;
    const char **items;
    size_t count;
} label_list;

/* A case under way. */
typedef struct member {
    pg_eval_item *item;
    pg_eval_pictures pictures;
    label_list labels;
    pg_detect_options *questions; /* about objects */
    size_t question_count;
} member;

typedef struct group {
    pg_eval_run *run;
    member *members;
    size_t count;
} group;

static void free_member(member *m)
{
    pg_eval_pictures_free(&m->pictures);
    pg_free(m->labels.text);
    pg_free(m->labels.items);
    pg_free(m->questions);
    *m = (member){0};
}

/* ---------------------------------------------------------------- objects */

static pg_status split_labels(label_list *out, const char *prompt)
{
    const char *blank = strchr(prompt, ' ');
    out->text = pg_copy_text(blank ? blank + 1 : "", SIZE_MAX);
    if (!out->text)
        return PG_ERROR_MEMORY;
    size_t most = 1;
    for (const char *at = out->text; (at = strchr(at, ';')); at++)
        most++;
    out->items = pg_alloc(most, sizeof *out->items);
    if (!out->items)
        return PG_ERROR_MEMORY;
    for (char *at = out->text, *end; at; at = end) {
        if ((end = strchr(at, ';')))
            *end++ = 0;
        const char *label = at;
        size_t size = strlen(at);
        pg_utf8_strip(&label, &size);
        at[(size_t)(label - at) + size] = 0;
        if (size)
            out->items[out->count++] = label;
    }
    return PG_OK;
}

/* Answers to referring expressions may have no label; then the form of the true answer is left to the model. */
static bool names_label(const pg_eval_item *item, const label_list *labels)
{
    return labels->count == 1 && strstr(item->references.items[0], labels->items[0]);
}

static pg_masks masks_of(const group *g, const pg_eval_item *item)
{
    bool segment = g->run->evaluation->task == PG_EVAL_SEGMENT || strstr(item->prompt, "segment") == item->prompt;
    return segment && g->run->evaluation->task != PG_EVAL_DETECT ? PG_MASKS_ALWAYS : PG_MASKS_NONE;
}

static pg_status describe_question(pg_detect_options *out, const member *m, const group *g)
{
    const pg_evaluation_run_options *options = g->run->options;
    pg_detect_options_init(out);
    out->prompt = m->item->prompt;
    out->labels = m->labels.items;
    out->label_count = m->labels.count;
    out->masks = masks_of(g, m->item);
    out->codec = g->run->evaluation->codec;
    out->free = options->free;
    out->on_text = on_text;
    out->user = g->run;
    if (g->run->evaluation->task == PG_EVAL_REFCOCO)
        out->free = options->free || !names_label(m->item, &m->labels);
    else if (options->labels) {
        out->prompt = NULL;
        out->labels = options->labels;
        out->label_count = options->label_count;
    }
    return out->label_count || out->free
               ? PG_OK
               : pg_fail(PG_ERROR_FORMAT, "the prompt \"%.80s\" names nothing to look for", m->item->prompt);
}

/* "segment LABEL" is what models of masks learn: labels of a COCO picture are asked for one after the other. Rows of
 * texts have prompts of their own. */
static bool asks_for_each(const group *g, const pg_detect_options *question)
{
    const pg_evaluation *evaluation = g->run->evaluation;
    return evaluation->task == PG_EVAL_SEGMENT && pg_evaluation_has_coco_objects(evaluation) && question->label_count;
}

static pg_status prepare_objects(member *m, const group *g)
{
    pg_detect_options question;
    if (m->pictures.count != 1)
        return pg_fail(PG_ERROR_FORMAT, "%zu pictures, expected one", m->pictures.count);
    PG_TRY(split_labels(&m->labels, m->item->prompt));
    PG_TRY(describe_question(&question, m, g));
    bool each = asks_for_each(g, &question);
    size_t count = each ? question.label_count : 1;
    m->questions = pg_alloc(count, sizeof *m->questions);
    if (!m->questions)
        return PG_ERROR_MEMORY;
    m->question_count = count;
    for (size_t i = 0; i < count; i++) {
        m->questions[i] = question;
        if (each) {
            m->questions[i].prompt = NULL;
            m->questions[i].labels = &question.labels[i];
            m->questions[i].label_count = 1;
        }
    }
    return PG_OK;
}

/* Answers to all of a case's questions are one, with " ; " between them as between the objects of an answer. */
static pg_status take_objects(const member *m, pg_objects *const *answers)
{
    pg_eval_item *item = m->item;
    pg_buffer text = {0};
    pg_status status = pg_buffer_append(&text, "", 0);
    for (size_t i = 0; i < m->question_count && status == PG_OK; i++) {
        item->width = answers[i]->width;
        item->height = answers[i]->height;
        status = pg_eval_objects_take(&item->objects, answers[i]);
        if (status == PG_OK && *answers[i]->text)
            status = pg_buffer_print(&text, text.size ? " ; %s" : "%s", answers[i]->text);
    }
    if (status == PG_OK) {
        item->prediction = pg_copy_text(text.data, SIZE_MAX);
        status = item->prediction ? PG_OK : PG_ERROR_MEMORY;
    }
    pg_buffer_free(&text);
    return status;
}

static size_t count_questions(member *const *members, size_t count)
{
    size_t sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += members[i]->question_count;
    return sum;
}

static pg_status look(const group *g, member *const *members, size_t count)
{
    size_t asked = count_questions(members, count);
    const pg_image **images = pg_alloc(asked, sizeof *images);
    const pg_detect_options **options = pg_alloc(asked, sizeof *options);
    pg_objects **objects = pg_alloc(asked, sizeof *objects);
    pg_status status = images && options && objects ? PG_OK : PG_ERROR_MEMORY;
    for (size_t i = 0, at = 0; i < count && status == PG_OK; i++)
        for (size_t k = 0; k < members[i]->question_count; k++, at++) {
            images[at] = members[i]->pictures.images[0];
            options[at] = &members[i]->questions[k];
        }
    if (status == PG_OK)
        status = pg_detect_each(objects, g->run->session, images, options, asked);
    bool answered = status == PG_OK && !g->run->cancelled;
    for (size_t i = 0, at = 0; i < count && answered && status == PG_OK; at += members[i++]->question_count)
        status = take_objects(members[i], objects + at);
    for (size_t i = 0; objects && i < asked; i++)
        pg_objects_free(objects[i]);
    pg_free(images);
    pg_free(options);
    pg_free(objects);
    return status;
}

/* ---------------------------------------------------------------- texts */

static void make_request(pg_request *out, const group *g, const member *m)
{
    pg_request_init(out);
    out->images = (const pg_image *const *)m->pictures.images;
    out->image_count = m->pictures.count;
    out->prompt = m->item->prompt;
    out->style = m->pictures.count ? PG_PROMPT_TASK : PG_PROMPT_TEXT;
    out->max_new_tokens = g->run->options->max_new_tokens ? g->run->options->max_new_tokens : -1;
    out->temperature = 0;
    out->beams = 1;
    out->constraint = g->run->constraint;
    out->on_text = on_text;
    out->user = g->run;
}

static pg_status take_answer(pg_eval_item *item, const pg_answer *answer)
{
    double sum = 0;
    for (size_t i = 0; answer->logprobs && i < answer->count; i++)
        sum += (double)answer->logprobs[i];
    item->probability = answer->logprobs ? fmin(1, exp(sum)) : NAN;
    item->prediction = pg_copy_text(answer->text, SIZE_MAX);
    return item->prediction ? PG_OK : PG_ERROR_MEMORY;
}

static pg_status answer(const group *g, member *const *members, size_t count)
{
    pg_request *requests = pg_alloc(count, sizeof *requests);
    pg_answer **answers = pg_alloc(count, sizeof *answers);
    pg_status status = requests && answers ? PG_OK : PG_ERROR_MEMORY;
    for (size_t i = 0; i < count && status == PG_OK; i++)
        make_request(&requests[i], g, members[i]);
    if (status == PG_OK)
        status = pg_generate(answers, g->run->session, requests, count);
    bool answered = status == PG_OK && !g->run->cancelled;
    for (size_t i = 0; i < count && answered && status == PG_OK; i++)
        status = take_answer(members[i]->item, answers[i]);
    for (size_t i = 0; answers && i < count; i++)
        pg_answer_free(answers[i]);
    pg_free(requests);
    pg_free(answers);
    return status;
}

/* ---------------------------------------------------------------- groups */

static bool has_objects(const group *g)
{
    pg_eval_task task = g->run->evaluation->task;
    return task == PG_EVAL_DETECT || task == PG_EVAL_SEGMENT || task == PG_EVAL_REFCOCO;
}

static pg_status prepare(member *m, const group *g)
{
    pg_status status = pg_eval_run_load(&m->pictures, g->run, m->item);
    if (status == PG_OK && has_objects(g))
        status = prepare_objects(m, g);
    return status == PG_OK ? PG_OK : pg_eval_item_fail(m->item, status);
}

/* One case that cannot be answered fails the call for all of them; then each is tried alone. */
static pg_status answer_members(const group *g, member **members, size_t count)
{
    pg_status (*ask)(const group *, member *const *, size_t) = has_objects(g) ? look : answer;
    pg_status status = count ? ask(g, members, count) : PG_OK;
    if (status == PG_OK || status == PG_ERROR_MEMORY || count < 2)
        return status == PG_OK ? PG_OK : pg_eval_item_fail(members[0]->item, status);
    for (size_t i = 0; i < count; i++)
        PG_TRY(answer_members(g, &members[i], 1));
    return PG_OK;
}

static pg_status answer_group(group *g)
{
    member **members = pg_alloc(g->count, sizeof *members);
    pg_status status = members ? PG_OK : PG_ERROR_MEMORY;
    size_t count = 0;
    for (size_t i = 0; i < g->count && status == PG_OK; i++) {
        status = prepare(&g->members[i], g);
        if (!g->members[i].item->prediction)
            members[count++] = &g->members[i];
    }
    if (status == PG_OK)
        status = answer_members(g, members, count);
    pg_free(members);
    return status;
}

static pg_status save_group(const group *g)
{
    pg_eval_item **items = pg_alloc(g->count, sizeof *items);
    if (!items)
        return PG_ERROR_MEMORY;
    for (size_t i = 0; i < g->count; i++)
        items[i] = g->members[i].item;
    pg_status status = pg_eval_run_save(g->run, items, g->count);
    pg_free(items);
    return status;
}

/* What was going on when the run was cancelled is not an answer. */
static pg_status run_group(group *g)
{
    pg_status status = answer_group(g);
    if (status == PG_OK && g->run->cancelled)
        status = PG_ERROR_CANCELLED;
    if (status == PG_OK)
        status = save_group(g);
    for (size_t i = 0; i < g->count; i++) {
        if (status != PG_OK)
            pg_eval_item_forget(g->members[i].item);
        free_member(&g->members[i]);
    }
    g->run->done += status == PG_OK ? g->count : 0;
    g->count = 0;
    return status;
}

static pg_status answer_all(pg_eval_run *run)
{
    size_t sequences = run->options->together ? run->options->together : (size_t)run->session->sequences;
    size_t room = CHUNKS * sequences;
    group g = {run, pg_alloc(room, sizeof *g.members), 0};
    pg_status status = g.members ? PG_OK : PG_ERROR_MEMORY;
    for (size_t i = 0; i <= run->evaluation->count && status == PG_OK; i++) {
        bool last = i == run->evaluation->count;
        if (!last && !run->evaluation->items[i].prediction)
            g.members[g.count++].item = &run->evaluation->items[i];
        if (g.count == room || (last && g.count)) {
            status = run_group(&g);
            if (status == PG_OK && !pg_eval_run_goes_on(run))
                status = PG_ERROR_CANCELLED;
        }
    }
    pg_free(g.members);
    return status;
}

/* ---------------------------------------------------------------- the run */

/* PaliGemma answers with one of the classes. */
static pg_status constrain(pg_eval_run *run)
{
    pg_text_list labels = {0};
    if (run->evaluation->task != PG_EVAL_CLASSIFY || run->options->free)
        return PG_OK;
    pg_status status = pg_eval_classes(&labels, run);
    if (status == PG_OK)
        status = pg_constraint_new_texts(&run->constraint, run->session->model, (const char *const *)labels.items,
                                         labels.count);
    pg_text_list_free(&labels);
    return status;
}

static pg_status check_model(const pg_eval_run *run)
{
    bool siglip = pg_model_get_kind(run->session->model) == PG_MODEL_SIGLIP;
    pg_eval_task task = run->evaluation->task;
    if (siglip != (task == PG_EVAL_RETRIEVAL) && task != PG_EVAL_CLASSIFY)
        return pg_fail(PG_ERROR_ARGUMENT, "%s: task %s needs a %s model", run->session->model->folder,
                       pg_eval_task_name(task), siglip ? "PaliGemma" : "SigLIP");
    if (task == PG_EVAL_RETRIEVAL && run->options->out)
        return pg_fail(PG_ERROR_ARGUMENT,
                       "retrieval compares all pictures with all texts at once: it has no predictions "
                       "to keep in %s",
                       run->options->out);
    return PG_OK;
}

static size_t count_done(const pg_evaluation *evaluation)
{
    size_t done = 0;
    for (size_t i = 0; i < evaluation->count; i++)
        done += evaluation->items[i].prediction != NULL;
    return done;
}

static pg_status run_task(pg_eval_run *run)
{
    bool siglip = pg_model_get_kind(run->session->model) == PG_MODEL_SIGLIP;
    if (!pg_eval_run_goes_on(run))
        return PG_ERROR_CANCELLED;
    if (run->evaluation->task == PG_EVAL_RETRIEVAL)
        return pg_eval_run_retrieve(run);
    if (siglip)
        return pg_eval_run_classify(run);
    PG_TRY(constrain(run));
    return answer_all(run);
}

pg_status pg_evaluation_run(pg_evaluation *evaluation, pg_session *session, const pg_evaluation_run_options *options)
{
    pg_evaluation_run_options usual;
    pg_evaluation_run_options_init(&usual);
    pg_eval_run run = {.evaluation = evaluation, .session = session, .options = options ? options : &usual};
    PG_TRY(check_model(&run));
    pg_status status = open_file(&run);
    run.done = count_done(evaluation);
    if (status == PG_OK)
        status = run_task(&run);
    if (status == PG_ERROR_CANCELLED)
        pg_fail(status, "the evaluation was stopped");
    pg_constraint_free(run.constraint);
    if (run.file && fclose(run.file) != 0 && status == PG_OK)
        status = pg_fail_errno(PG_ERROR_FILE, "%s", run.options->out);
    return status;
}
