#include "generate/constraint.h"

#include <string.h>

#include "generate/phrases.h"
#include "generate/sampling.h"
#include "text/tokenizer.h"

pg_status pg_constraint_make(pg_constraint **out, pg_permit_callback *permit, void *user, void (*release)(void *user))
{
    pg_constraint *constraint = *out = pg_alloc(1, sizeof *constraint);
    if (constraint)
        *constraint = (pg_constraint){permit, user, release};
    else if (release)
        release(user);
    return constraint ? PG_OK : PG_ERROR_MEMORY;
}

pg_status pg_constraint_new(pg_constraint **out, pg_permit_callback *permit, void *user)
{
    return pg_constraint_make(out, permit, user, NULL);
}

void pg_constraint_free(pg_constraint *constraint)
{
    if (!constraint)
        return;
    if (constraint->release)
        constraint->release(constraint->user);
    pg_free(constraint);
}

pg_status pg_constraint_end(int32_t *out, const pg_model *model)
{
    PG_TRY(pg_model_require_tokenizer(model));
    *out = model->generation.eos_count ? model->generation.eos[0] : pg_tokenizer_eos(model->tokenizer);
    return *out >= 0 ? PG_OK
                     : pg_fail(PG_ERROR_UNSUPPORTED, "%s: the model has no end token, which a constraint needs",
                               model->folder);
}

/* ---------------------------------------------------------------- what may follow */

static pg_status check_permitted(const int32_t *ids, size_t count, int64_t vocabulary)
{
    for (size_t i = 0; i < count; i++)
        if (ids[i] < 0 || ids[i] >= vocabulary || (i > 0 && ids[i] <= ids[i - 1]))
            return pg_fail(PG_ERROR_ARGUMENT,
                           "constraint: entry %zu of the permitted tokens is %d, expected ascending ids below %lld", i,
                           ids[i], (long long)vocabulary);
    return PG_OK;
}

pg_status pg_permitted_make(pg_permitted *out, pg_context *g, const pg_constraint *constraint, int64_t vocabulary,
                            const int32_t *tokens, size_t count)
{
    *out = (pg_permitted){0};
    if (!constraint)
        return PG_OK;
    pg_arena_mark mark = pg_arena_get_mark(&g->arena);
    int32_t *all = pg_scratch(g, (size_t)vocabulary * sizeof *all);
    if (!all)
        return g->status;
    size_t found = constraint->permit(constraint->user, all, tokens, count);
    pg_arena_release(&g->arena, mark);
    if (found == PG_PERMIT_ALL)
        return PG_OK;
    if (found > (size_t)vocabulary)
        return pg_fail(PG_ERROR_ARGUMENT, "constraint: %zu tokens are permitted, the vocabulary has %lld", found,
                       (long long)vocabulary);
    PG_TRY(check_permitted(all, found, vocabulary));
    int32_t *ids = pg_scratch(g, found * sizeof *ids); /* most often the beginning of the same memory */
    if (!ids)
        return g->status;
    memmove(ids, all, found * sizeof *ids);
    *out = (pg_permitted){ids, (int64_t)found};
    return PG_OK;
}

bool pg_permitted_has(const pg_permitted *permitted, int32_t id)
{
    const pg_logits list = {.ids = permitted->ids, .count = permitted->count};
    return !permitted->ids || pg_logits_place(&list, id) >= 0;
}

/* ---------------------------------------------------------------- one of several texts */

static size_t permit_text(void *user, int32_t *ids, const int32_t *tokens, size_t count)
{
    const pg_phrases *phrases = user;
    pg_phrase_range range = pg_phrases_root(phrases);
    for (size_t i = 0; i < count; i++)
        range = pg_phrases_step(phrases, range, tokens[i]);
    return pg_phrases_next(ids, phrases, range);
}

static void release_phrases(void *user)
{
    pg_phrases_free(user);
    pg_free(user);
}

static pg_status add_text(pg_phrases *phrases, const pg_model *model, const char *text, int32_t end)
{
    int32_t *ids;
    size_t count;
    PG_TRY(pg_tokenizer_encode(&ids, &count, model->tokenizer, text, SIZE_MAX, PG_ENCODE_PLAIN));
    pg_status status = pg_phrases_add(phrases, ids, count, end);
    pg_free(ids);
    return status;
}

pg_status pg_constraint_new_texts(pg_constraint **out, const pg_model *model, const char *const *texts, size_t count)
{
    int32_t end = -1;
    *out = NULL;
    PG_TRY(pg_constraint_end(&end, model));
    if (!count)
        return pg_fail(PG_ERROR_ARGUMENT, "the list of candidate texts is empty");
    pg_phrases *phrases = pg_alloc(1, sizeof *phrases);
    if (!phrases)
        return PG_ERROR_MEMORY;
    for (size_t i = 0; i < count; i++) {
        pg_status status = add_text(phrases, model, texts[i], end);
        if (status != PG_OK) {
            release_phrases(phrases);
            return pg_fail_context(status, "candidate %zu", i);
        }
    }
    pg_phrases_sort(phrases);
    return pg_constraint_make(out, permit_text, phrases, release_phrases);
}
