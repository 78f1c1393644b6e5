/*
 * Objects out of an answer's text, in two steps: the text is cut into places (<locDDDD>), codes (<segDDD>) and what
 * lies between them; then places in a row, codes in a row right behind them and the text behind those are a candidate.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "objects/boxes.h"
#include "text/utf8.h"

enum { PLACES = 1024, CODES = 128, CORNERS = 4 };

typedef enum piece_kind { END, TEXT, PLACE, CODE } piece_kind;

/* What stands at one point of the text. */
typedef struct piece {
    piece_kind kind;
    int number;
    size_t at, end; /* bytes */
} piece;

typedef struct reader {
    pg_objects *out;
    size_t object_room, problem_room;
    const char *text;
    size_t size;
    piece next;
} reader;

/* ---------------------------------------------------------------- pieces */

/* The number of a token "<NAMEddd>", the digits being `digits`; -1 if the text begins with none below `limit`. */
static int read_number(const char *text, size_t size, const char *name, int digits, int limit)
{
    int number = 0;
    if (size < (size_t)digits + 5 || memcmp(text, name, 4) != 0 || text[4 + digits] != '>')
        return -1;
    for (int i = 4; i < 4 + digits; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
        number = number * 10 + (text[i] - '0');
    }
    return number < limit ? number : -1;
}

/* The token that stands at a byte; TEXT if there is none. */
static piece read_token(const reader *run, size_t at)
{
    const char *text = run->text + at;
    int place = read_number(text, run->size - at, "<loc", 4, PLACES);
    if (place >= 0)
        return (piece){PLACE, place, at, at + strlen("<loc0000>")};
    int code = read_number(text, run->size - at, "<seg", 3, CODES);
    if (code >= 0)
        return (piece){CODE, code, at, at + strlen("<seg000>")};
    return (piece){.kind = TEXT, .at = at};
}

/* Goes on to the next piece: a token, or all text up to one. */
static void advance(reader *run)
{
    size_t at = run->next.end;
    if (at == run->size) {
        run->next = (piece){.kind = END, .at = at, .end = at};
        return;
    }
    run->next = read_token(run, at);
    if (run->next.kind != TEXT)
        return;
    while (at < run->size && read_token(run, at).kind == TEXT) {
        const char *next = memchr(run->text + at + 1, '<', run->size - at - 1);
        at = next ? (size_t)(next - run->text) : run->size;
    }
    run->next.end = at;
}

/* Reads a run of tokens of one kind, of which it keeps the first `room`; returns how many there are. */
static size_t read_run(int *out, size_t room, reader *run, piece_kind kind)
{
    size_t count = 0;
    for (; run->next.kind == kind; advance(run), count++)
        if (count < room)
            out[count] = run->next.number;
    return count;
}

/* ---------------------------------------------------------------- candidates */

static pg_status add_problem(reader *run, size_t at, const char *format, size_t count)
{
    pg_objects *out = run->out;
    PG_TRY(pg_grow((void **)&out->problems, &run->problem_room, out->problem_count + 1, sizeof *out->problems));
    pg_object_problem *problem = &out->problems[out->problem_count++];
    problem->at = at;
    snprintf(problem->name, sizeof problem->name, format, count);
    return PG_OK;
}

/* The label within a text behind a box: up to ";", a line break or "<eos>", without blanks around it. */
static void find_label(const char **label, size_t *size, const char *text, size_t length)
{
    static const char end[] = "<eos>";
    *label = text;
    *size = 0;
    while (*size < length && text[*size] != ';' && text[*size] != '\n' &&
           (length - *size < strlen(end) || memcmp(text + *size, end, strlen(end)) != 0))
        ++*size;
    pg_utf8_strip(label, size);
}

static pg_status add_object(reader *run, size_t at, const int places[CORNERS], const int *codes, const piece *text)
{
    pg_objects *out = run->out;
    const char *label = "";
    size_t size = 0;
    if (text)
        find_label(&label, &size, run->text + text->at, text->end - text->at);
    PG_TRY(pg_grow((void **)&out->items, &run->object_room, out->count + 1, sizeof *out->items));
    pg_object *object = &out->items[out->count];
    *object = (pg_object){.score = NAN, .has_codes = codes, .at = at, .label = pg_copy_text(label, size)};
    if (!object->label)
        return PG_ERROR_MEMORY;
    out->count++;
    object->size = (size ? (size_t)(label - run->text) + size : run->next.at) - at;
    memcpy(object->places, places, sizeof object->places);
    for (int i = 0; codes && i < PG_MASK_CODES; i++)
        object->codes[i] = codes[i];
    pg_box_scale(object->box, places, 1023, (double)out->width, (double)out->height);
    return PG_OK;
}

/* Places in a row, and what belongs to them. */
static pg_status read_candidate(reader *run)
{
    int places[CORNERS], codes[PG_MASK_CODES];
    size_t at = run->next.at;
    size_t place_count = read_run(places, CORNERS, run, PLACE);
    size_t code_count = read_run(codes, PG_MASK_CODES, run, CODE);
    const piece text = run->next;
    if (place_count != CORNERS)
        return add_problem(run, at, "loc_count_%zu", place_count);
    if (places[2] <= places[0] || places[3] <= places[1])
        return add_problem(run, at, "empty_box", 0);
    if (code_count != 0 && code_count != PG_MASK_CODES)
        return add_problem(run, at, "seg_count_%zu", code_count);
    return add_object(run, at, places, code_count ? codes : NULL, text.kind == TEXT ? &text : NULL);
}

static pg_status read_pieces(reader *run)
{
    advance(run);
    while (run->next.kind != END) {
        size_t at = run->next.at;
        if (run->next.kind == PLACE)
            PG_TRY(read_candidate(run));
        else if (run->next.kind == TEXT)
            advance(run);
        else {
            read_run(NULL, 0, run, CODE);
            PG_TRY(add_problem(run, at, "stray_seg", 0));
        }
    }
    return PG_OK;
}

pg_status pg_objects_parse(pg_objects **out, const char *text, size_t size, size_t width, size_t height)
{
    *out = NULL;
    size = size == SIZE_MAX ? strlen(text) : size;
    if (!width || !height)
        return pg_fail(PG_ERROR_ARGUMENT, "objects in a picture of %zu x %zu pixels", width, height);
    size_t valid = pg_utf8_check(text, size);
    if (valid < size)
        return pg_fail(PG_ERROR_FORMAT, "the text is not UTF-8 from byte %zu on", valid);
    pg_objects *objects = pg_alloc(1, sizeof *objects);
    if (!objects)
        return PG_ERROR_MEMORY;
    *objects = (pg_objects){.width = width, .height = height, .text_size = size, .text = pg_copy_text(text, size)};
    reader run = {.out = objects, .text = objects->text, .size = size};
    pg_status status = objects->text ? read_pieces(&run) : PG_ERROR_MEMORY;
    if (status == PG_OK)
        *out = objects;
    else
        pg_objects_free(objects);
    return status;
}

void pg_objects_free(pg_objects *objects)
{
    if (!objects)
        return;
    for (size_t i = 0; i < objects->count; i++) {
        pg_free(objects->items[i].label);
        pg_free(objects->items[i].mask);
    }
    pg_free(objects->items);
    pg_free(objects->problems);
    pg_free(objects->text);
    pg_free(objects);
}
