/* Samples and the threads that make them ahead: ids, pictures, order, bad rows, resuming. */
#include "temporary_folder.h"
#include "sweep.h"

#include "base/json.h"
#include "image/image.h"

#define CHECKPOINT PG_TESTS_FOLDER "/golden/inference/paligemma-tiny-f32/checkpoint"

static pg_model *model;
static pg_loader_options options;

/* Pictures "0.ppm" to "4.ppm", all different, wider than high. */
static void write_pictures(void)
{
    for (int p = 0; p < 5; p++) {
        char name[16];
        uint8_t file[15 + 80 * 60 * 3] = "P6 80 60 255\n";
        size_t head = strlen((char *)file);
        for (size_t i = 0; i < sizeof file - head; i++)
            file[head + i] = (uint8_t)(i * (size_t)(p + 3) / 7 + i / 240);
        snprintf(name, sizeof name, "%d.ppm", p);
        folder_write(name, file, head + 80 * 60 * 3);
    }
}

static int setup(void **state)
{
    if (folder_setup(state))
        return -1;
    CHECK_OK(pg_model_open(&model, CHECKPOINT));
    pg_loader_options_init(&options);
    CHECK_OK(pg_loader_options_use_model(&options, model));
    write_pictures();
    return 0;
}

static int teardown(void **state)
{
    pg_model_close(model);
    return folder_teardown(state);
}

/* A mixture of one set, written on the spot. */
typedef struct single {
    pg_dataset *dataset;
    pg_mixture *mixture;
} single;

static single open_rows(const char *name, const char *lines, bool shuffle)
{
    single out;
    CHECK_OK(pg_dataset_open(&out.dataset, folder_write(name, lines, strlen(lines)), NULL));
    pg_mixture_part part = {.dataset = out.dataset};
    CHECK_OK(pg_mixture_new(&out.mixture, &part, 1, 5, shuffle));
    return out;
}

static void close_rows(single rows)
{
    pg_mixture_free(rows.mixture);
    pg_dataset_close(rows.dataset);
}

static pg_sample *make(const char *line, const pg_loader_options *wanted)
{
    single rows = open_rows("one.jsonl", line, false);
    pg_sample *sample;
    CHECK_OK(pg_sample_make(&sample, rows.mixture, wanted, 0));
    close_rows(rows);
    return sample;
}

static void check_bad(const char *line, const pg_loader_options *wanted, pg_status status, const char *reason)
{
    single rows = open_rows("one.jsonl", line, false);
    pg_sample *sample;
    CHECK_FAILS(pg_sample_make(&sample, rows.mixture, wanted, 0), status, reason);
    assert_null(sample);
    close_rows(rows);
}

/* ---------------------------------------------------------------- ids */

static void check_ids(const int32_t *ids, size_t count, const int32_t *expected, size_t expected_count)
{
    assert_int_equal(count, expected_count);
    assert_memory_equal(ids, expected, count * sizeof *ids);
}

#define CHECK_IDS(ids, count, ...) \
    check_ids(ids, count, (const int32_t[]){__VA_ARGS__}, sizeof(const int32_t[]){__VA_ARGS__} / sizeof(int32_t))

static void prompts_and_answers_become_ids(void **state)
{
    (void)state;
    pg_sample *sample =
        make("{\"image\":\"0.ppm\",\"prefix\":\"caption en\",\"suffix\":\"a dog runs on the beach\"}", &options);
    assert_int_equal(sample->prefix, 16 + 5);
    for (size_t i = 0; i < 16; i++)
        assert_int_equal(sample->ids[i], 3144);
    int32_t *ids;
    size_t count;
    CHECK_OK(pg_tokenizer_encode(&ids, &count, pg_model_tokenizer(model), "caption en\n", SIZE_MAX, PG_ENCODE_BOS));
    check_ids(sample->ids + 16, sample->prefix - 16, ids, count);
    pg_free(ids);
    CHECK_IDS(sample->ids + sample->prefix, sample->count - sample->prefix, 1675, 749, 1689, 548, 549, 1681, 611, 573,
              518, 535, 530, 1);
    assert_int_equal(sample->side, 56);
    assert_int_equal(sample->label, -1);
    pg_sample_free(sample);

    pg_sample *pair = make("{\"prefix\":\"caption en\",\"chosen\":\"a dog\",\"rejected\":\"a dog runs\"}", &options);
    assert_int_equal(pair->image_count, 0);
    CHECK_IDS(pair->ids + pair->prefix, pair->count - pair->prefix, 1675, 749, 1689, 1);
    CHECK_IDS(pair->rejected, pair->rejected_count, 1675, 749, 1689, 548, 549, 1681, 1);
    pg_sample_free(pair);

    pg_sample *text = make("{\"text\":\"a dog\"}", &options);
    CHECK_IDS(text->ids, text->count, 2, 1675, 749, 1689, 1);
    assert_int_equal(text->prefix, 1);
    pg_sample_free(text);

    pg_loader_options plain = options;
    plain.model = PG_MODEL_GEMMA;
    pg_sample *label = make("{\"text\":\"a dog\",\"label\":3}", &plain);
    CHECK_IDS(label->ids, label->count, 2, 1675, 749, 1689);
    assert_int_equal(label->prefix, 4);
    assert_int_equal(label->label, 3);
    pg_sample_free(label);
}

/* The same row eight times, whose answers leave out a share of the merges. */
static void open_dropping(single *out, double share)
{
    static const char line[] = "{\"prefix\":\"caption en\",\"suffix\":\"a dog runs on the beach\"}\n";
    char lines[8 * sizeof line];
    for (size_t i = 0; i < 8; i++)
        memcpy(lines + i * (sizeof line - 1), line, sizeof line);
    pg_dataset_options wanted;
    pg_dataset_options_init(&wanted);
    wanted.bpe_dropout = share;
    CHECK_OK(pg_dataset_open(&out->dataset, folder_write("dropping.jsonl", lines, strlen(lines)), &wanted));
    pg_mixture_part part = {.dataset = out->dataset};
    CHECK_OK(pg_mixture_new(&out->mixture, &part, 1, 5, false));
}

/* Ids of the answer at a position, which read as the answer does. */
static size_t count_dropping(const single *rows, uint64_t position)
{
    pg_sample *sample, *again;
    CHECK_OK(pg_sample_make(&sample, rows->mixture, &options, position));
    CHECK_OK(pg_sample_make(&again, rows->mixture, &options, position));
    check_ids(sample->ids, sample->count, again->ids, again->count);
    size_t count = sample->count - sample->prefix;
    assert_int_equal(sample->prefix, 5);
    char *text;
    CHECK_OK(pg_tokenizer_decode(&text, pg_model_tokenizer(model), sample->ids + 5, count, true));
    assert_string_equal(text, "a dog runs on the beach");
    pg_free(text);
    pg_sample_free(sample);
    pg_sample_free(again);
    return count;
}

static void merges_of_answers_can_be_left_out(void **state)
{
    (void)state;
    single rows;
    open_dropping(&rows, 1);
    assert_int_equal(count_dropping(&rows, 3), strlen("a dog runs on the beach") + 1);
    close_rows(rows);
    open_dropping(&rows, 0.5);
    size_t first = count_dropping(&rows, 0), differing = 0;
    for (uint64_t position = 1; position < 8; position++) {
        size_t count = count_dropping(&rows, position);
        assert_in_range(count, 13, 23); /* 12 with all merges, 24 with none */
        differing += count != first;
    }
    assert_true(differing > 0);
    close_rows(rows);
    pg_dataset_options wanted;
    pg_dataset_options_init(&wanted);
    wanted.bpe_dropout = 1.5;
    pg_dataset *dataset;
    CHECK_FAILS(pg_dataset_open(&dataset, "dropping.jsonl", &wanted), PG_ERROR_ARGUMENT, "bpe_dropout is 1.5");
}

static void rows_that_do_not_fit_the_model_are_bad(void **state)
{
    (void)state;
    pg_loader_options blind = options, plain = options;
    blind.image_size = 0;
    plain.style = PG_PROMPT_CHAT;
    const char *row = "{\"image\":\"0.ppm\",\"prefix\":\"p\",\"suffix\":\"s\"}";
    check_bad(row, &blind, PG_ERROR_UNSUPPORTED, "one.jsonl:1: the row has pictures");
    check_bad(row, &plain, PG_ERROR_ARGUMENT, "pictures go with task prompts");
    check_bad("{\"image\":\"9.ppm\",\"prefix\":\"p\",\"suffix\":\"s\"}", &options, PG_ERROR_FILE, "9.ppm");
    check_bad("{\"image\":\"one.jsonl\",\"prefix\":\"p\",\"suffix\":\"s\"}", &options, PG_ERROR_FORMAT,
              "not a picture");
    blind = options;
    blind.vocabulary = 1000;
    check_bad(row, &blind, PG_ERROR_FORMAT, "the model knows 1000 tokens");
    blind.tokenizer = NULL;
    check_bad(row, &blind, PG_ERROR_ARGUMENT, "needs a tokenizer");
    blind = options;
    blind.bad_share = -1;
    check_bad(row, &blind, PG_ERROR_ARGUMENT, "share of bad rows");
    blind = options;
    blind.augment.crop = 3;
    check_bad(row, &blind, PG_ERROR_ARGUMENT, "crop is 3");
    blind = options;
    blind.special = true;
    check_bad("{\"image\":\"0.ppm\",\"prefix\":\"<image><image>\",\"suffix\":\"s\"}", &blind, PG_ERROR_ARGUMENT,
              "2 times <image>");
    check_bad("{\"image\":\"0.ppm\",\"prefix\":\"p\",\"suffix\":\"<image>\"}", &blind, PG_ERROR_FORMAT,
              "17 image tokens");
}

static void long_rows_are_cut_or_skipped(void **state)
{
    (void)state;
    const char *row = "{\"image\":\"0.ppm\",\"prefix\":\"caption en\",\"suffix\":\"a dog runs on the beach\"}";
    pg_loader_options small = options;
    small.context = 24;
    pg_sample *sample = make(row, &small);
    assert_true(sample->truncated);
    CHECK_IDS(sample->ids + sample->prefix, sample->count - sample->prefix, 1675, 749, 1689);
    pg_sample_free(sample);
    small.long_rows = PG_LONG_SKIP;
    check_bad(row, &small, PG_ERROR_LIMIT, "longer than the context of 24");
    small.long_rows = PG_LONG_TRUNCATE;
    small.context = 21;
    check_bad(row, &small, PG_ERROR_LIMIT, "longer than the context");
    sample = make("{\"prefix\":\"\",\"chosen\":\"a\",\"rejected\":\"a dog runs on the beach a dog runs on the beach\"}",
                  &small);
    assert_int_equal(sample->rejected_count, 21 - sample->prefix);
    assert_true(sample->truncated);
    pg_sample_free(sample);
}

#ifdef PG_SHARED_FOLDER
#include "tensor/safetensors.h"

#define TRAINING PG_SHARED_FOLDER "/golden/training/"

/* Row `row` of an array of ids is what the sample has, without padding. */
static void check_against(const pg_safetensors *file, size_t row, const int32_t *ids, size_t count)
{
    const pg_array *found = pg_safetensors_find(file, "input_ids"), *mask = pg_safetensors_find(file, "attention_mask");
    size_t width = (size_t)found->shape[1], at = 0;
    for (size_t i = 0; i < width; i++) {
        int64_t id, seen;
        memcpy(&id, (const int64_t *)found->data + row * width + i, sizeof id);
        memcpy(&seen, (const int64_t *)mask->data + row * width + i, sizeof seen);
        if (!seen)
            continue;
        assert_true(at < count);
        assert_int_equal(ids[at++], id);
    }
    assert_int_equal(at, count);
}

static pg_loader_options training_options(pg_tokenizer **tokenizer, pg_model_kind kind)
{
    pg_loader_options wanted;
    pg_loader_options_init(&wanted);
    CHECK_OK(pg_tokenizer_open(tokenizer, TRAINING "checkpoints/paligemma"));
    wanted.model = kind;
    wanted.tokenizer = *tokenizer;
    wanted.image_size = kind == PG_MODEL_PALIGEMMA ? 56 : 0;
    wanted.image_tokens = kind == PG_MODEL_PALIGEMMA ? 16 : 0;
    wanted.image_token = 1094;
    wanted.context = 512;
    return wanted;
}

static void ids_are_those_of_the_training_references(void **state)
{
    (void)state;
    pg_tokenizer *tokenizer;
    pg_safetensors *file;
    pg_loader_options see = training_options(&tokenizer, PG_MODEL_PALIGEMMA), read = see;
    read.model = PG_MODEL_GEMMA;
    read.image_size = 0;
    CHECK_OK(pg_safetensors_open(&file, TRAINING "paligemma-sft/inputs.safetensors"));
    pg_sample *sample = make("{\"image\":\"" TRAINING "paligemma-sft/image0.ppm\",\"prefix\":\"caption en\",\"suffix\":"
                             "\"a dog runs on the beach\"}",
                             &see);
    check_against(file, 0, sample->ids, sample->count);
    assert_int_equal(sample->count - sample->prefix, 12);
    pg_sample_free(sample);
    sample = make("{\"image\":\"" TRAINING "paligemma-sft/image1.ppm\",\"prefix\":\"answer en what is on the table?\","
                  "\"suffix\":\"two cups and a book\"}",
                  &see);
    check_against(file, 1, sample->ids, sample->count);
    pg_sample_free(sample);
    pg_safetensors_close(file);

    CHECK_OK(pg_safetensors_open(&file, TRAINING "dpo/inputs.safetensors"));
    sample =
        make("{\"prefix\":\"what is this?\",\"chosen\":\"a small red house\",\"rejected\":\"I do not know\"}", &read);
    check_against(file, 0, sample->ids, sample->count);
    memcpy(sample->ids + sample->prefix, sample->rejected, sample->rejected_count * sizeof *sample->ids);
    check_against(file, 2, sample->ids, sample->prefix + sample->rejected_count);
    pg_sample_free(sample);
    pg_safetensors_close(file);

    CHECK_OK(pg_safetensors_open(&file, TRAINING "pooled-classifier/inputs.safetensors"));
    sample = make("{\"text\":\"a photo of a dog on the beach\",\"label\":3}", &read);
    check_against(file, 0, sample->ids, sample->count);
    pg_sample_free(sample);
    pg_safetensors_close(file);
    pg_tokenizer_close(tokenizer);
}
#endif

static void siglip_takes_texts_of_one_length(void **state)
{
    (void)state;
    pg_model *siglip;
    pg_loader_options pairs;
    CHECK_OK(pg_model_open(&siglip, PG_TESTS_FOLDER "/golden/inference/siglip-tiny/checkpoint"));
    pg_loader_options_init(&pairs);
    CHECK_OK(pg_loader_options_use_model(&pairs, siglip));
    pg_sample *sample = make("{\"image\":\"0.ppm\",\"text\":\"A photo of a cow.\"}", &pairs);
    assert_int_equal(sample->count, pg_model_context(siglip));
    assert_int_equal(sample->prefix, 0);
    assert_int_equal(sample->image_count, 1);
    pg_sample *same = make("{\"image\":\"0.ppm\",\"prefix\":\"caption en\",\"suffix\":\"A photo of a cow.\"}", &pairs);
    check_ids(sample->ids, sample->count, same->ids, same->count);
    pg_sample_free(sample);
    pg_sample_free(same);
    check_bad("{\"prefix\":\"p\",\"chosen\":\"a\",\"rejected\":\"b\"}", &pairs, PG_ERROR_ARGUMENT, "not for SigLIP");
    single rows;
    open_dropping(&rows, 0.5);
    CHECK_FAILS(pg_sample_make(&sample, rows.mixture, &pairs, 0), PG_ERROR_UNSUPPORTED, "not for SigLIP's texts");
    close_rows(rows);
    pg_model_close(siglip);
}

/* ---------------------------------------------------------------- threads */

static void mix_hash(uint64_t *hash, const void *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        *hash = (*hash ^ ((const uint8_t *)bytes)[i]) * 0x100000001b3u;
}

static uint64_t hash_sample(const pg_sample *sample)
{
    uint64_t hash = 0xcbf29ce484222325u;
    mix_hash(&hash, &sample->position, sizeof sample->position);
    mix_hash(&hash, &sample->row, sizeof sample->row);
    mix_hash(&hash, sample->pixels, sample->image_count * sample->side * sample->side * 3);
    mix_hash(&hash, sample->ids, sample->count * sizeof *sample->ids);
    return hash;
}

/* 40 rows, of which the 12th's picture is missing. */
static single open_many(void)
{
    pg_buffer lines = {0};
    for (int i = 0; i < 40; i++)
        CHECK_OK(
            pg_buffer_print(&lines,
                            "{\"image\":\"%d.ppm\",\"prefix\":\"detect x%d\",\"suffix\":\"<loc0300><loc0200><loc0900>"
                            "<loc0800> x%d\"}\n",
                            i == 11 ? 9 : i % 5, i, i));
    single rows = open_rows("many.jsonl", lines.data, true);
    pg_buffer_free(&lines);
    return rows;
}

static pg_loader_options many_options(int threads, uint64_t first)
{
    pg_loader_options wanted = options;
    wanted.vocabulary = 0; /* the small model has no embedding of boxes */
    wanted.threads = threads;
    wanted.first = first;
    wanted.ahead = (size_t)threads + 2;
    wanted.bad_share = 0.1;
    wanted.augment = (pg_augmentation){.crop = 0.5, .flip = 0.5, .brightness = 0.2};
    wanted.seed = 9;
    return wanted;
}

#define TAKEN 100

static void take(uint64_t *hashes, uint64_t *positions, size_t count, int threads, uint64_t first)
{
    single rows = open_many();
    pg_loader_options wanted = many_options(threads, first);
    pg_loader *loader;
    CHECK_OK(pg_loader_open(&loader, rows.mixture, &wanted));
    for (size_t i = 0; i < count; i++) {
        pg_sample *sample;
        CHECK_OK(pg_loader_next(&sample, loader));
        hashes[i] = hash_sample(sample);
        positions[i] = pg_loader_get_report(loader).position;
        assert_int_equal(positions[i], sample->position + 1);
        pg_sample_free(sample);
    }
    pg_loader_close(loader);
    close_rows(rows);
}

static void rows_do_not_depend_on_threads_or_where_a_run_began(void **state)
{
    (void)state;
    uint64_t one[TAKEN], other[TAKEN], ends[TAKEN], other_ends[TAKEN];
    take(one, ends, TAKEN, 1, 0);
    for (int threads = 2; threads <= 7; threads += 5) {
        take(other, other_ends, TAKEN, threads, 0);
        assert_memory_equal(one, other, sizeof one);
    }
    for (size_t done = 7; done < TAKEN; done += 40) {
        take(other, other_ends, TAKEN - done, 2, ends[done - 1]);
        assert_memory_equal(one + done, other, (TAKEN - done) * sizeof *one);
    }
}

static void bad_rows_are_counted_and_listed(void **state)
{
    (void)state;
    single rows = open_many();
    pg_loader_options wanted = many_options(2, 0);
    pg_loader *loader;
    pg_sample *sample;
    size_t good = 0;
    wanted.end = 120;
    wanted.bad_listed = 2;
    CHECK_OK(pg_loader_open(&loader, rows.mixture, &wanted));
    for (;; good++) {
        CHECK_OK(pg_loader_next(&sample, loader));
        if (!sample)
            break;
        pg_sample_free(sample);
    }
    pg_loader_report report = pg_loader_get_report(loader);
    assert_int_equal(good, 117);
    assert_int_equal(report.rows, 120);
    assert_int_equal(report.bad, 3);
    assert_int_equal(report.listed, 2);
    assert_non_null(strstr(pg_loader_bad(loader, 0), "many.jsonl:12: "));
    assert_non_null(strstr(pg_loader_bad(loader, 0), "9.ppm"));
    assert_null(pg_loader_bad(loader, 2));
    assert_true(report.waited >= 0);
    pg_loader_close(loader);
    close_rows(rows);
}

static void too_many_bad_rows_end_the_run(void **state)
{
    (void)state;
    single rows =
        open_rows("bad.jsonl",
                  "{\"prefix\":\"p\",\"suffix\":\"s\"}\n{\"prefix\":\"p\"}\n{\"prefix\":\"p\",\"suffix\":\"\"}\n",
                  false);
    pg_loader_options wanted = options;
    pg_loader *loader;
    pg_sample *sample;
    CHECK_OK(pg_loader_open(&loader, rows.mixture, &wanted)); /* one of a hundred may be */
    CHECK_OK(pg_loader_next(&sample, loader));
    pg_sample_free(sample);
    CHECK_FAILS(pg_loader_next(&sample, loader), PG_ERROR_LIMIT,
                "2 of 3 rows are bad, more than the share of 0.01 that may be; the last: ");
    assert_null(sample);
    pg_loader_close(loader);
    wanted.bad_share = 0;
    CHECK_OK(pg_loader_open(&loader, rows.mixture, &wanted));
    CHECK_OK(pg_loader_next(&sample, loader));
    pg_sample_free(sample);
    CHECK_FAILS(pg_loader_next(&sample, loader), PG_ERROR_LIMIT, "1 of 2 rows are bad");
    pg_loader_close(loader);
    close_rows(rows);
}

static void a_set_without_a_usable_row_ends(void **state)
{
    (void)state;
    single rows = open_rows("long.jsonl", "{\"prefix\":\"a dog runs on the beach\",\"suffix\":\"s\"}\n", true);
    pg_loader_options wanted = options;
    pg_loader *loader;
    pg_sample *sample;
    wanted.context = 17;
    wanted.long_rows = PG_LONG_SKIP;
    wanted.image_tokens = 0;
    CHECK_OK(pg_loader_open(&loader, rows.mixture, &wanted));
    CHECK_OK(pg_loader_next(&sample, loader));
    pg_sample_free(sample);
    pg_loader_close(loader);
    wanted.context = 5;
    CHECK_OK(pg_loader_open(&loader, rows.mixture, &wanted));
    CHECK_FAILS(pg_loader_next(&sample, loader), PG_ERROR_FORMAT, "of 1 rows none can be used: 0 are bad, 1 too long");
    pg_loader_close(loader);
    close_rows(rows);
}

/* ---------------------------------------------------------------- no memory */

static pg_status make_once(const single *rows, const pg_loader_options *wanted)
{
    pg_sample *sample;
    pg_status status = pg_sample_make(&sample, rows->mixture, wanted, 0);
    pg_sample_free(sample);
    return status;
}

static pg_status load_once(const single *rows, const pg_loader_options *wanted)
{
    pg_loader *loader;
    pg_sample *sample = NULL;
    PG_TRY(pg_loader_open(&loader, rows->mixture, wanted));
    pg_status status = pg_loader_next(&sample, loader);
    pg_sample_free(sample);
    pg_loader_close(loader);
    return status;
}

static void memory_may_run_out(void **state)
{
    (void)state;
    single rows = open_rows("one.jsonl", "{\"image\":\"1.ppm\",\"prefix\":\"p\",\"suffix\":\"s\"}\n", false);
    single pairs = open_rows("pair.jsonl", "{\"prefix\":\"p\",\"chosen\":\"s\",\"rejected\":\"t\"}\n", false);
    pg_loader_options wanted = many_options(1, 0);
    wanted.end = 1;
    CHECK_SWEEP(make_once(&rows, &wanted));
    CHECK_SWEEP(make_once(&pairs, &wanted));
    CHECK_SWEEP(load_once(&rows, &wanted));
    close_rows(rows);
    close_rows(pairs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prompts_and_answers_become_ids),
        cmocka_unit_test(merges_of_answers_can_be_left_out),
        cmocka_unit_test(rows_that_do_not_fit_the_model_are_bad),
        cmocka_unit_test(long_rows_are_cut_or_skipped),
#ifdef PG_SHARED_FOLDER
        cmocka_unit_test(ids_are_those_of_the_training_references),
#endif
        cmocka_unit_test(siglip_takes_texts_of_one_length),
        cmocka_unit_test(rows_do_not_depend_on_threads_or_where_a_run_began),
        cmocka_unit_test(bad_rows_are_counted_and_listed),
        cmocka_unit_test(too_many_bad_rows_end_the_run),
        cmocka_unit_test(a_set_without_a_usable_row_ends),
        cmocka_unit_test(memory_may_run_out),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
