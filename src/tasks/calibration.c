#include "tasks/calibration.h"

#include <string.h>

#include "ops/ops.h"

#define ROOM ((size_t)1 << 30) /* bytes of moments at a time */
#define ROWS 64                /* of logits at a time */

/* Layers that are given the same rows as another one of their block: the one that is watched for both. */
static const char *const same_input[][2] = {{"k", "q"}, {"v", "q"}, {"up", "gate"}};

static bool ends_in_part(const char *name, size_t stem, const char *part)
{
    return !strcmp(name + stem, part);
}

/* Whether the layer `name` is given the same rows as the layer `watched`. */
static bool shares_input(const char *name, const char *watched)
{
    const char *dot = strrchr(name, '.');
    size_t stem = dot ? (size_t)(dot - name) + 1 : 0;
    if (!strcmp(name, watched))
        return true;
    for (size_t i = 0; i < sizeof same_input / sizeof *same_input; i++)
        if (ends_in_part(name, stem, same_input[i][0]))
            return !strncmp(name, watched, stem) && ends_in_part(watched, stem, same_input[i][1]);
    return false;
}

static pg_calibration_slot *find_slot(const pg_calibration *calibration, const char *name)
{
    for (size_t i = 0; i < calibration->slot_count; i++)
        if (shares_input(name, calibration->slots[i].name))
            return &calibration->slots[i];
    return NULL;
}

const pg_feedback *pg_calibration_find(const pg_calibration *calibration, const char *name)
{
    const pg_calibration_slot *slot = find_slot(calibration, name);
    return slot && slot->rows ? &slot->feedback : NULL;
}

void pg_calibration_reset(pg_calibration *calibration)
{
    for (size_t i = 0; i < calibration->slot_count; i++)
        pg_feedback_free(&calibration->slots[i].feedback);
    pg_free(calibration->slots);
    calibration->slots = NULL;
    calibration->slot_count = calibration->capacity = calibration->bytes = 0;
}

/* ---------------------------------------------------------------- watching */

static void watch(void *user, pg_context *g, const pg_parameter *w, const pg_tensor *x)
{
    const pg_calibration *calibration = user;
    pg_calibration_slot *slot = find_slot(calibration, w->name);
    if (!slot || strcmp(slot->name, w->name) != 0)
        return;
    pg_feedback *feedback = &slot->feedback;
    for (int64_t k = 0; k < pg_feedback_windows(feedback->inputs, feedback->window); k++)
        pg_add_moments(g, feedback->factors[k], x, k * feedback->window, pg_feedback_count(feedback, k));
    slot->rows += x->rows;
}

/* The product with the output matrix is made for nothing but to be watched. */
static void run_output(pg_session *session, const pg_example *example, pg_tensor *hidden)
{
    pg_context *g = &session->g;
    int64_t first = (int64_t)example->predicted - 1, end = (int64_t)example->ids.count - 1;
    for (; hidden && g->status == PG_OK && first < end; first += ROWS) {
        pg_arena_mark mark = pg_arena_get_mark(&g->arena);
        pg_example_logits(session, hidden, first, end - first < ROWS ? end - first : ROWS);
        pg_arena_release(&g->arena, mark);
    }
}

static pg_status run_example(pg_session *session, const pg_example *example, bool output)
{
    pg_context *g = &session->g;
    pg_arena_mark mark = pg_arena_get_mark(&g->arena);
    g->status = PG_OK;
    pg_tensor *hidden = pg_example_forward(session, example);
    if (output)
        run_output(session, example, hidden);
    pg_arena_release(&g->arena, mark);
    return g->status;
}

static pg_status run_examples(pg_calibration *calibration)
{
    pg_session *session = calibration->session;
    bool output = find_slot(calibration, session->model->weights->text.output.name);
    pg_status status = PG_OK;
    session->g.watch = watch;
    session->g.watch_user = calibration;
    for (size_t i = 0; status == PG_OK && i < calibration->example_count; i++) {
        status = run_example(session, calibration->examples[i], output);
        if (status == PG_OK && !calibration->on_example(calibration->user))
            status = pg_fail(PG_ERROR_CANCELLED, "cancelled");
    }
    session->g.watch = NULL;
    return status;
}

/* ---------------------------------------------------------------- collecting */

static pg_status add_slot(pg_calibration *calibration, const pg_parameter *w)
{
    PG_TRY(pg_grow((void **)&calibration->slots, &calibration->capacity, calibration->slot_count + 1,
                   sizeof *calibration->slots));
    pg_calibration_slot *slot = &calibration->slots[calibration->slot_count];
    *slot = (pg_calibration_slot){.name = w->name};
    PG_TRY(pg_feedback_init(&slot->feedback, w->width, calibration->window));
    calibration->slot_count++;
    calibration->bytes += pg_feedback_bytes(w->width, calibration->window);
    return PG_OK;
}

static pg_status add_slots(size_t *done, pg_calibration *calibration, const pg_parameter *const *weights, size_t count)
{
    for (*done = 0; *done < count; ++*done) {
        const pg_parameter *w = weights[*done];
        if (find_slot(calibration, w->name))
            continue;
        if (calibration->slot_count && calibration->bytes + pg_feedback_bytes(w->width, calibration->window) > ROOM)
            return PG_OK;
        PG_TRY(add_slot(calibration, w));
    }
    return PG_OK;
}

pg_status pg_calibration_collect(size_t *done, pg_calibration *calibration, const pg_parameter *const *weights,
                                 size_t count)
{
    pg_calibration_reset(calibration);
    PG_TRY(add_slots(done, calibration, weights, count));
    PG_TRY(run_examples(calibration));
    for (size_t i = 0; i < calibration->slot_count; i++) {
        pg_calibration_slot *slot = &calibration->slots[i];
        pg_status status = slot->rows ? pg_feedback_factor(&slot->feedback, calibration->session->g.threads) : PG_OK;
        if (status != PG_OK)
            return pg_fail_context(status, "%s: %s", calibration->session->model->folder, slot->name);
    }
    return PG_OK;
}
