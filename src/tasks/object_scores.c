#include "tasks/object_scores.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "metrics/reliability.h"

#define NEAR_LEAST 2.0       /* tokens that a coordinate may be off and still count as right */
#define NEAR_SHARE (1 / 8.0) /* the same as a part of the box's side, where that is more */

/* ---------------------------------------------------------------- watching */

static pg_status add_masses(pg_seen_answer *seen, const pg_step *step)
{
    PG_TRY(pg_grow((void **)&seen->masses, &seen->masses_capacity, seen->masses_count + 1, sizeof *seen->masses));
    float *masses = seen->masses[seen->masses_count++];
    memset(masses, 0, sizeof *seen->masses);
    for (size_t i = 0; i < step->count; i++) {
        int64_t place = (step->ids ? (int64_t)step->ids[i] : (int64_t)i) - seen->first_place;
        if (place >= 0 && place < PG_PLACES)
            masses[place] = (float)exp((double)step->logits[i] - step->total);
    }
    return PG_OK;
}

static pg_status add_token(pg_seen_answer *seen, const pg_step *step)
{
    int64_t place = (int64_t)step->token - seen->first_place;
    PG_TRY(pg_grow((void **)&seen->tokens, &seen->capacity, seen->count + 1, sizeof *seen->tokens));
    pg_seen_token *token = &seen->tokens[seen->count++];
    *token = (pg_seen_token){.logprob = (double)step->logprob, .place = -1};
    if (place < 0 || place >= PG_PLACES)
        return PG_OK;
    token->place = (int)place;
    token->masses = seen->masses_count;
    return add_masses(seen, step);
}

void pg_seen_answer_add(pg_seen_answer *seen, const pg_step *step)
{
    if (seen->status == PG_OK)
        seen->status = add_token(seen, step);
}

void pg_seen_answer_free(pg_seen_answer *seen)
{
    pg_free(seen->tokens);
    pg_free(seen->masses);
    *seen = (pg_seen_answer){0};
}

/* ---------------------------------------------------------------- scores */

/* The probability of the places near corner `corner` of the object. */
static double near_mass(const float *masses, const pg_object *object, size_t corner)
{
    size_t axis = corner % 2;
    int at = object->places[corner], side = object->places[axis + 2] - object->places[axis];
    double near = fmax(NEAR_LEAST, side * NEAR_SHARE), sum = 0;
    for (int place = 0; place < PG_PLACES; place++)
        if (abs(place - at) <= near)
            sum += (double)masses[place];
    return fmin(sum, 1);
}

/* Where in the text every token begins; starts: [count]. */
static pg_status find_starts(size_t *starts, const pg_answer *answer, const pg_tokenizer *tokenizer)
{
    pg_decoder *decoder;
    size_t at = 0, size = 0;
    const char *text;
    PG_TRY(pg_decoder_new(&decoder, tokenizer, true));
    pg_status status = PG_OK;
    for (size_t i = 0; i < answer->count && status == PG_OK; i++) {
        starts[i] = at;
        status = pg_decoder_push(decoder, answer->tokens[i], &text, &size);
        at += status == PG_OK ? size : 0;
    }
    pg_decoder_free(decoder);
    return status;
}

/* The score of an object whose tokens, and those of what stands in front of it, begin at *next; moves *next behind
 * them. */
static double score_object(size_t *next, const pg_object *object, const pg_seen_answer *seen, const size_t *starts)
{
    double sum = 0, mass = 1;
    size_t corner = 0, codes = object->at + strlen("<loc0000>") * 4;
    size_t label = codes + (object->has_codes ? strlen("<seg000>") * PG_MASK_CODES : 0);
    for (; *next < seen->count && starts[*next] < object->at + object->size; ++*next) {
        const pg_seen_token *token = &seen->tokens[*next];
        size_t at = starts[*next];
        if (at >= object->at && at < codes && token->place >= 0)
            mass *= near_mass(seen->masses[token->masses], object, corner++);
        else if (at < codes || at >= label)
            sum += token->logprob;
    }
    return mass * exp(sum);
}

void pg_model_get_score_correction(double *slope, double *intercept, const pg_model *model)
{
    *slope = model->generation.score_slope;
    *intercept = model->generation.score_intercept;
}

/* As the model says that probabilities are to be corrected; one that says nothing leaves them as they are. */
static double correct(double score, const pg_generation_config *config)
{
    const pg_correction correction = {config->score_slope, config->score_intercept};
    bool none = correction.slope == 1 && correction.intercept == 0;
    return none ? score : pg_correction_apply(score, &correction);
}

pg_status pg_objects_score(pg_objects *objects, const pg_seen_answer *seen, const pg_answer *answer,
                           const pg_model *model)
{
    size_t next = 0, *starts = pg_alloc(answer->count, sizeof *starts);
    pg_status status = starts ? seen->status : PG_ERROR_MEMORY;
    if (status == PG_OK)
        status = find_starts(starts, answer, model->tokenizer);
    for (size_t i = 0; status == PG_OK && i < objects->count; i++)
        objects->items[i].score = correct(score_object(&next, &objects->items[i], seen, starts), &model->generation);
    pg_free(starts);
    return status;
}
