/* Any bytes as predictions of cases of three kinds: refused, or they can be measured or are refused then; and what is
 * written of them is read again as the same. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/memory.h"
#include "tasks/evaluation.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char rows[] =
    "{\"image\":\"a.png\",\"prefix\":\"detect cat\",\"suffix\":\"<loc0000><loc0000><loc0512><loc0512> cat\"}\n"
    "{\"image\":\"b.png\",\"question_id\":7,\"prefix\":\"detect dog\",\"suffixes\":[\"<loc0001><loc0002><loc0003>"
    "<loc0004> dog\",\"none\"]}\n";

static void expect(bool holds)
{
    if (!holds)
        __builtin_trap(); /* in every kind of build */
}

/* A file of these bytes, as long as its descriptor is open. */
static int make_file(char path[64], const void *bytes, size_t size)
{
    int file = memfd_create("fuzz", MFD_CLOEXEC);
    expect(file >= 0 && write(file, bytes, size) == (ssize_t)size);
    snprintf(path, 64, "/proc/self/fd/%d", file);
    return file;
}

/* Lines of what was read, which stand for it. */
static void print_items(pg_buffer *out, const pg_evaluation *evaluation)
{
    for (size_t i = 0; i < evaluation->count; i++)
        if (evaluation->items[i].prediction)
            expect(pg_eval_item_print(out, evaluation, &evaluation->items[i]) == PG_OK);
}

static void read_again(const pg_buffer *lines, pg_eval_task task, const char *references)
{
    pg_evaluation *evaluation;
    pg_buffer again = {0};
    expect(pg_evaluation_open(&evaluation, task, references, NULL) == PG_OK);
    expect(pg_evaluation_take_lines(evaluation, "again", lines->data, lines->size) == PG_OK);
    print_items(&again, evaluation);
    expect(again.size == lines->size && !memcmp(again.data, lines->data, lines->size));
    pg_buffer_free(&again);
    pg_evaluation_close(evaluation);
}

static void read_as(pg_eval_task task, const char *references, const char *predictions)
{
    pg_evaluation *evaluation;
    pg_buffer lines = {0};
    expect(pg_evaluation_open(&evaluation, task, references, NULL) == PG_OK);
    if (pg_evaluation_load(evaluation, predictions) == PG_OK) {
        print_items(&lines, evaluation);
        if (lines.size)
            read_again(&lines, task, references);
        pg_evaluation_measure(evaluation);
    }
    pg_buffer_free(&lines);
    pg_evaluation_close(evaluation);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char references[64], predictions[64];
    int file = make_file(references, rows, sizeof rows - 1), other = make_file(predictions, data, size);
    read_as(PG_EVAL_DETECT, references, predictions);
    read_as(PG_EVAL_CAPTION, references, predictions);
    read_as(PG_EVAL_CLASSIFY, references, predictions);
    close(file);
    close(other);
    return 0;
}
