/*
 * The answers that detection and segmentation allow (big_vision's format):
 *
 *   answer = end | object (" ; " object)* end
 *   object = 4 location tokens (y1 x1 y2 x2, y1 < y2, x1 < x2), 0 or 16 mask tokens, " LABEL"
 *
 * No box comes twice: fine-tuned models otherwise repeat theirs until the limit. Labels are tokenized where they stand,
 * between two location tokens or at the end, so their tokens are those that a model was trained on. Where the number of
 * objects or tokens is limited, an object that no further one can follow gets a label at the end, so that every answer
 * is complete.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "generate/constraint.h"
#include "generate/phrases.h"

enum { PLACES = 1024, CODES = 128, CORNERS = 4, MASK_CODES = 16 };

typedef struct object_grammar {
    int32_t place, code, end; /* <loc0000>, <seg000> (-1: no masks), the end token */
    pg_masks masks;
    pg_phrases labels; /* " LABEL" and the end token; " LABEL ; ", behind which another object comes */
    pg_phrases last;   /* of those, the ones with the end token */
    size_t most;       /* objects */
    size_t room;       /* tokens */
    size_t object;     /* tokens of the longest last object */
    size_t longest;    /* tokens of the longest label that another object follows */
} object_grammar;

typedef enum grammar_place { IN_BOX, BEHIND_BOX, IN_MASK, IN_LABEL, ENDED, WRONG } grammar_place;

typedef struct grammar_state {
    grammar_place at;
    size_t tokens;         /* so far */
    size_t objects;        /* that have been begun */
    int done;              /* corners of the box, or codes of the mask */
    int box[CORNERS];      /* y1 x1 y2 x2, as far as they are there */
    bool last;             /* the label is one of the last object */
    pg_phrase_range label; /* where in the labels */
} grammar_state;

static const pg_phrases *labels_of(const object_grammar *grammar, const grammar_state *state)
{
    return state->last ? &grammar->last : &grammar->labels;
}

/* The label begins behind the tokens so far. */
static void begin_label(const object_grammar *grammar, grammar_state *state)
{
    state->last =
        state->objects >= grammar->most || state->tokens + grammar->longest + grammar->object > grammar->room;
    state->label = pg_phrases_root(labels_of(grammar, state));
}

/* ---------------------------------------------------------------- tokens so far */

/* The smallest number that corner `done` of a box may have, and one more than the largest. */
static int corner_least(const grammar_state *state)
{
    return state->done < 2 ? 0 : state->box[state->done - 2] + 1;
}

static int corner_end(const grammar_state *state)
{
    return state->done < 2 ? PLACES - 1 : PLACES;
}

static void add_corner(grammar_state *state, int64_t number)
{
    if (number < corner_least(state) || number >= corner_end(state)) {
        state->at = WRONG;
        return;
    }
    state->objects += state->done == 0;
    state->box[state->done++] = (int)number;
    state->at = state->done == CORNERS ? BEHIND_BOX : IN_BOX;
}

static void add_label(const object_grammar *grammar, grammar_state *state, int32_t id)
{
    state->label = pg_phrases_step(labels_of(grammar, state), state->label, id);
    bool known = state->label.first < state->label.end;
    state->at = !known ? WRONG : id == grammar->end ? ENDED : IN_LABEL;
}

/* Behind a label that " ; " may follow, and did. */
static bool may_begin(const object_grammar *grammar, const grammar_state *state)
{
    return state->at == IN_LABEL && pg_phrases_ends(labels_of(grammar, state), state->label);
}

static void add_token(const object_grammar *grammar, grammar_state *state, int32_t id)
{
    int64_t number = (int64_t)id - grammar->place, code = (int64_t)id - grammar->code;
    bool is_place = number >= 0 && number < PLACES;
    bool is_code = grammar->masks != PG_MASKS_NONE && code >= 0 && code < CODES;
    if (may_begin(grammar, state) && is_place) {
        state->at = IN_BOX;
        state->done = 0;
    }
    if (state->at == IN_BOX && is_place)
        add_corner(state, number);
    else if (state->at == IN_BOX)
        state->at = !state->objects && id == grammar->end ? ENDED : WRONG;
    else if ((state->at == BEHIND_BOX || state->at == IN_MASK) && is_code) {
        state->done = state->at == BEHIND_BOX ? 1 : state->done + 1;
        state->at = state->done == MASK_CODES ? IN_LABEL : IN_MASK;
    } else if ((state->at == BEHIND_BOX && grammar->masks != PG_MASKS_ALWAYS) || state->at == IN_LABEL)
        add_label(grammar, state, id);
    else
        state->at = WRONG;
    state->tokens++;
    if (state->at == BEHIND_BOX || (state->at == IN_LABEL && is_code))
        begin_label(grammar, state);
}

/* ---------------------------------------------------------------- what may follow */

/* For every number, how many of the boxes so far have it as their next corner after the same corners before. */
static void count_boxes(int64_t used[PLACES], const object_grammar *grammar, const grammar_state *state,
                        const int32_t *tokens, size_t count)
{
    memset(used, 0, PLACES * sizeof *used);
    for (size_t i = 0; i + CORNERS <= count; i++) {
        int same = 0;
        int64_t numbers[CORNERS];
        for (int c = 0; c < CORNERS; c++) {
            numbers[c] = (int64_t)tokens[i + (size_t)c] - grammar->place;
            if (numbers[c] < 0 || numbers[c] >= PLACES)
                break;
            if (c == CORNERS - 1) {
                while (same < state->done && numbers[same] == state->box[same])
                    same++;
                used[numbers[state->done]] += same == state->done;
                i += CORNERS - 1;
            }
        }
    }
}

/* How many boxes there are whose next corner is `number`. */
static int64_t boxes_with(const grammar_state *state, int number)
{
    const int64_t last = PLACES - 1, all = last * (last + 1) / 2; /* pairs of ends of a side */
    switch (state->done) {
    case 0: return (last - number) * all;
    case 1: return (last - state->box[0]) * (last - number);
    case 2: return last - state->box[1];
    default: return 1;
    }
}

/* Corners that lead to a box that was not there yet. */
static size_t permit_corners(int32_t *ids, const object_grammar *grammar, const grammar_state *state,
                             const int32_t *tokens, size_t count)
{
    int64_t used[PLACES];
    size_t found = 0;
    count_boxes(used, grammar, state, tokens, count);
    for (int number = corner_least(state); number < corner_end(state); number++)
        if (used[number] < boxes_with(state, number))
            ids[found++] = grammar->place + number;
    return found;
}

static size_t permit_codes(int32_t *ids, const object_grammar *grammar)
{
    for (int code = 0; code < CODES; code++)
        ids[code] = grammar->code + code;
    return CODES;
}

static int compare_ids(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

static size_t list_permitted(int32_t *ids, const object_grammar *grammar, const grammar_state *state,
                             const int32_t *tokens, size_t count)
{
    const grammar_state begin = {.at = IN_BOX};
    size_t found = 0;
    switch (state->at) {
    case IN_BOX:
        found = permit_corners(ids, grammar, state, tokens, count);
        if (!state->objects)
            ids[found++] = grammar->end;
        return found;
    case BEHIND_BOX:
        if (grammar->masks != PG_MASKS_ALWAYS)
            found = pg_phrases_next(ids, labels_of(grammar, state), state->label);
        return grammar->masks == PG_MASKS_NONE ? found : found + permit_codes(ids + found, grammar);
    case IN_MASK: return permit_codes(ids, grammar);
    case IN_LABEL:
        found = pg_phrases_next(ids, labels_of(grammar, state), state->label);
        return may_begin(grammar, state) ? found + permit_corners(ids + found, grammar, &begin, tokens, count) : found;
    default: return 0;
    }
}

static size_t permit_objects(void *user, int32_t *ids, const int32_t *tokens, size_t count)
{
    const object_grammar *grammar = user;
    grammar_state state = {.at = IN_BOX};
    for (size_t i = 0; i < count; i++)
        add_token(grammar, &state, tokens[i]);
    size_t found = list_permitted(ids, grammar, &state, tokens, count);
    for (size_t i = 1; i < found; i++) /* most often they are in order */
        if (ids[i] < ids[i - 1]) {
            qsort(ids, found, sizeof *ids, compare_ids);
            break;
        }
    return found;
}

/* ---------------------------------------------------------------- making one */

/* The first of `count` tokens whose pieces are numbered, and whose ids must be as well. */
static pg_status find_numbered(int32_t *out, const pg_model *model, const char *format, int count)
{
    for (int i = 0; i < count; i++) {
        char piece[16];
        snprintf(piece, sizeof piece, format, i);
        int32_t id = pg_tokenizer_id(model->tokenizer, piece);
        if (i == 0)
            *out = id;
        if (id < 0 || id != *out + i)
            return pg_fail(PG_ERROR_UNSUPPORTED, "%s: %s is token %d, expected %d numbered tokens in a row",
                           model->folder, piece, id, count);
    }
    return PG_OK;
}

/* What an answer could not be read back with. */
static pg_status check_label(const char *label)
{
    static const char blanks[] = " \t\r\n\v\f";
    size_t size = strlen(label);
    if (!size)
        return pg_fail(PG_ERROR_ARGUMENT, "the label is empty");
    if (strchr(blanks, label[0]) || strchr(blanks, label[size - 1]))
        return pg_fail(PG_ERROR_ARGUMENT, "\"%s\": a label neither begins nor ends with a blank", label);
    if (strpbrk(label, ";\n") || strstr(label, "<eos>"))
        return pg_fail(PG_ERROR_ARGUMENT, "\"%s\": a label has no \";\", no line break and no \"<eos>\" in it", label);
    return PG_OK;
}

/* Adds the tokens of the label as they are behind a box: at the end of an answer, or in front of another object. */
static pg_status add_phrase(object_grammar *grammar, const pg_model *model, const char *label, bool last)
{
    static const char box[] = "<loc0000><loc0000><loc0000><loc0000>";
    pg_buffer text = {0};
    int32_t *ids = NULL;
    size_t count = 0, behind = last ? 0 : 1;
    pg_status status;
    PG_TRY_GOTO(pg_buffer_print(&text, last ? "%s %s" : "%s %s ; <loc0000>", box, label));
    PG_TRY_GOTO(pg_tokenizer_encode(&ids, &count, model->tokenizer, text.data, text.size, PG_ENCODE_PLAIN));
    bool fits = count > CORNERS + behind;
    for (size_t i = 0; fits && i < count; i++) {
        bool place = ids[i] >= grammar->place && ids[i] < grammar->place + PLACES;
        bool code = grammar->code >= 0 && ids[i] >= grammar->code && ids[i] < grammar->code + CODES;
        fits = !code && ids[i] != grammar->end && place == (i < CORNERS || i >= count - behind);
    }
    if (!fits)
        PG_TRY_GOTO(pg_fail(PG_ERROR_ARGUMENT, "\"%s\": a label has no location and mask tokens in it", label));
    size_t size = count - CORNERS - behind, *longest = last ? &grammar->object : &grammar->longest;
    PG_TRY_GOTO(pg_phrases_add(&grammar->labels, ids + CORNERS, size, last ? grammar->end : -1));
    if (last)
        PG_TRY_GOTO(pg_phrases_add(&grammar->last, ids + CORNERS, size, grammar->end));
    *longest = size > *longest ? size : *longest;
done:
    pg_free(ids);
    pg_buffer_free(&text);
    return status;
}

static void release_grammar(void *user)
{
    object_grammar *grammar = user;
    pg_phrases_free(&grammar->labels);
    pg_phrases_free(&grammar->last);
    pg_free(grammar);
}

static pg_status add_labels(object_grammar *grammar, const pg_model *model, const pg_object_rules *rules)
{
    for (size_t i = 0; i < rules->label_count; i++) {
        pg_status status = check_label(rules->labels[i]);
        if (status == PG_OK)
            status = add_phrase(grammar, model, rules->labels[i], true);
        if (status == PG_OK)
            status = add_phrase(grammar, model, rules->labels[i], false);
        if (status != PG_OK)
            return pg_fail_context(status, "label %zu", i);
    }
    pg_phrases_sort(&grammar->labels);
    pg_phrases_sort(&grammar->last);
    return PG_OK;
}

static pg_status fill_grammar(object_grammar *grammar, const pg_model *model, const pg_object_rules *rules)
{
    bool masks = rules->masks != PG_MASKS_NONE;
    PG_TRY(find_numbered(&grammar->place, model, "<loc%04d>", PLACES));
    if (pg_tokenizer_id(model->tokenizer, "<seg000>") >= 0 || masks)
        PG_TRY(find_numbered(&grammar->code, model, "<seg%03d>", CODES));
    PG_TRY(add_labels(grammar, model, rules));
    grammar->object += CORNERS + (masks ? MASK_CODES : 0) + 1; /* with the end token */
    if (grammar->object > grammar->room)
        return pg_fail(PG_ERROR_LIMIT, "an object takes up to %zu tokens, and there is room for %zu", grammar->object,
                       grammar->room);
    return PG_OK;
}

pg_status pg_constraint_make_objects(pg_constraint **out, const pg_model *model, const pg_object_rules *rules)
{
    int32_t end = -1;
    *out = NULL;
    PG_TRY(pg_constraint_end(&end, model));
    if (!rules->label_count)
        return pg_fail(PG_ERROR_ARGUMENT, "the list of labels is empty");
    object_grammar *grammar = pg_alloc(1, sizeof *grammar);
    if (!grammar)
        return PG_ERROR_MEMORY;
    *grammar = (object_grammar){.place = -1,
                                .code = -1,
                                .end = end,
                                .masks = rules->masks,
                                .most = rules->most ? rules->most : SIZE_MAX,
                                .room = rules->room ? rules->room : SIZE_MAX};
    pg_status status = fill_grammar(grammar, model, rules);
    if (status == PG_OK)
        return pg_constraint_make(out, permit_objects, grammar, release_grammar);
    release_grammar(grammar);
    return status;
}

pg_status pg_constraint_new_objects(pg_constraint **out, const pg_model *model, const char *const *labels, size_t count,
                                    pg_masks masks)
{
    const pg_object_rules rules = {.labels = labels, .label_count = count, .masks = masks};
    return pg_constraint_make_objects(out, model, &rules);
}
