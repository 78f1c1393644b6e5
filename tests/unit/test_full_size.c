/*
 * The published models' configurations and tensors, as names and shapes without weights: files of the full size with
 * holes in place of data must open under both sets of names, and be the model that they are.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "golden_case.h"

#include "base/file.h"
#include "generate/model.h"
#include "model/cost.h"

/* A row of the table is [published name (null: not stored), name in memory, shape] and, if the name has a "#", the
 * number of layers that it stands for. */
enum { PUBLISHED, IN_MEMORY, SHAPE, LAYERS };

static void add_tensor(json_t *header, const char *name, json_t *shape, int64_t *offset)
{
    int64_t size = 2; /* bf16 */
    size_t i;
    json_t *length;
    json_array_foreach(shape, i, length) size *= json_integer_value(length);
    json_object_set_new(header, name,
                        json_pack("{s:s,s:O,s:[I,I]}", "dtype", "BF16", "shape", shape, "data_offsets",
                                  (json_int_t)*offset, (json_int_t)(*offset + size)));
    *offset += size;
}

static void add_row(json_t *header, const json_t *row, int names, int64_t *offset)
{
    const char *name = json_string_value(json_array_get(row, (size_t)names));
    const json_t *layers = json_array_get(row, LAYERS);
    const char *place = name ? strchr(name, '#') : NULL;
    if (!name)
        return;
    for (json_int_t layer = 0; layer < (layers ? json_integer_value(layers) : 1); layer++) {
        char full[256];
        if (place)
            snprintf(full, sizeof full, "%.*s%d%s", (int)(place - name), name, (int)layer, place + 1);
        else
            snprintf(full, sizeof full, "%s", name);
        add_tensor(header, full, json_array_get(row, SHAPE), offset);
    }
}

static void write_text(const char *folder, const char *name, const char *text)
{
    char *path = pg_golden_path(folder, name);
    FILE *file = fopen(path, "wb");
    assert_true(file && fputs(text, file) >= 0 && fclose(file) == 0);
    pg_free(path);
}

/* model.safetensors with a header and nothing behind it but length. */
static void write_hollow_weights(const char *folder, const json_t *table, int names)
{
    json_t *header = json_object(), *row;
    int64_t bytes = 0;
    size_t i;
    json_array_foreach(json_object_get(table, "tensors"), i, row) add_row(header, row, names, &bytes);
    char *text = json_dumps(header, JSON_COMPACT), *path = pg_golden_path(folder, "model.safetensors");
    uint64_t length = strlen(text) & ~7ULL; /* a multiple of 8, so that the tensors are aligned: */
    length += 8;                            /* the rest of the last 8 bytes is blanks */
    text = realloc(text, length + 1);
    assert_non_null(text);
    memset(text + strlen(text), ' ', length - strlen(text));
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_true(file >= 0);
    assert_int_equal(write(file, &length, sizeof length), sizeof length);
    assert_int_equal(write(file, text, length), length);
    assert_int_equal(ftruncate(file, (off_t)(sizeof length + length) + bytes), 0);
    assert_int_equal(close(file), 0);
    pg_free(path);
    free(text);
    json_decref(header);
}

static void check_description(const pg_model *model, const json_t *table)
{
    char *text = NULL;
    json_t *described = NULL;
    CHECK_OK(pg_model_describe(&text, model));
    CHECK_OK(pg_json_parse(&described, text, strlen(text), "description"));
    assert_int_equal(json_integer_value(json_object_get(described, "parameters")),
                     json_integer_value(json_object_get(table, "parameters")));
    json_decref(described);
    pg_free(text);
}

static void check_pictures(const pg_model *model, const char *name)
{
    size_t side = pg_model_get_kind(model) == PG_MODEL_GEMMA ? 0 : strtoul(strrchr(name, '-') + 1, NULL, 10);
    size_t tokens = pg_model_get_kind(model) == PG_MODEL_PALIGEMMA ? (side / 14) * (side / 14) : 0;
    assert_int_equal(pg_model_image_size(model), side);
    assert_int_equal(pg_model_image_tokens(model), tokens);
}

/* Worked out by hand from the shapes: operations of a picture; of a prompt of 12 tokens behind it (Gemma: of 268
 * tokens); bytes of the weights that a generated token reads (bf16), and of its cache at 268 tokens. */
static const struct {
    const char *model;
    double vision, prompt, weights, cache;
} costs[] = {
    {"google/paligemma-3b-pt-224", 220176580608, 1015073964032, 5017325568, 4939776},
    {"google/paligemma-3b-pt-448", 978551046144, 4031103598592, 5017325568, 4939776},
    {"google/paligemma-3b-pt-896", 5479719763968, 17738047127552, 5017325568, 4939776},
    {"google/gemma-2b", 0, 1010086395904, 5012344832, 4939776},
};

static void check_costs(const pg_model *model, const char *name)
{
    const pg_config *config = &model->weights->config;
    for (size_t i = 0; i < sizeof costs / sizeof *costs; i++) {
        if (strcmp(name, costs[i].model) != 0)
            continue;
        bool eyes = config->kind == PG_MODEL_PALIGEMMA;
        int64_t tokens = eyes ? (int64_t)pg_model_image_tokens(model) + 12 : 268;
        if (eyes)
            assert_true(pg_cost_vision(config) == costs[i].vision);
        assert_true(pg_cost_prompt(&config->text, tokens, eyes ? tokens : 0) == costs[i].prompt);
        assert_true(pg_cost_token_weights(model->weights) == costs[i].weights);
        assert_true(pg_cost_token_cache(&config->text, 268, PG_BF16) == costs[i].cache);
    }
}

static void test_table(void **state)
{
    pg_golden scratch = {0};
    json_t *table = NULL;
    CHECK_OK(pg_json_load(&table, *state));
    const char *name = json_string_value(json_object_get(table, "model"));
    char *config = json_dumps(json_object_get(table, "config"), 0);
    for (int names = PUBLISHED; names <= IN_MEMORY; names++) {
        char *folder = pg_golden_path(pg_golden_scratch(&scratch), names == PUBLISHED ? "published" : "memory");
        assert_int_equal(mkdir(folder, 0700), 0);
        write_text(folder, "config.json", config);
        write_hollow_weights(folder, table, names);
        pg_model *model = NULL;
        CHECK_OK(pg_model_open(&model, folder));
        check_description(model, table);
        check_pictures(model, name);
        check_costs(model, name);
        pg_model_close(model);
        pg_free(folder);
    }
    free(config);
    json_decref(table);
    pg_golden_close(&scratch);
}

/* The published base models of the dual encoder name no sizes at all. */
static void test_siglip_base_leaves_its_sizes_out(void **state)
{
    (void)state;
    pg_golden scratch = {0};
    write_text(pg_golden_scratch(&scratch), "config.json",
               "{\"model_type\": \"siglip\", \"text_config\": {\"model_type\": \"siglip_text_model\"},"
               " \"vision_config\": {\"model_type\": \"siglip_vision_model\", \"image_size\": 256}}");
    char *path = pg_golden_path(scratch.scratch, "config.json");
    pg_config config;
    CHECK_OK(pg_config_load(&config, path));
    assert_int_equal(config.vision.width, 768);
    assert_int_equal(config.vision.layers, 12);
    assert_int_equal(config.vision.side, 256);
    assert_int_equal(config.vision.patch, 16);
    assert_int_equal(config.words.mlp, 3072);
    assert_int_equal(config.words.heads, 12);
    assert_int_equal(config.words.context, 64);
    assert_int_equal(config.words.vocabulary, 32000);
    pg_free(path);
    pg_golden_close(&scratch);
}

enum { TABLES_MAX = 32 };

static size_t add_tables(struct CMUnitTest *tests, size_t count, const char *folder)
{
    struct dirent **entries;
    int found = scandir(folder, &entries, NULL, alphasort);
    assert_true(found > 0);
    for (int i = 0; i < found; i++) {
        if (strstr(entries[i]->d_name, ".json")) {
            assert_true(count < TABLES_MAX);
            char *path = pg_golden_path(folder, entries[i]->d_name);
            tests[count++] = (struct CMUnitTest){.name = path, .test_func = test_table, .initial_state = path};
        }
        free(entries[i]);
    }
    free(entries);
    return count;
}

int main(void)
{
    struct CMUnitTest tests[TABLES_MAX] = {cmocka_unit_test(test_siglip_base_leaves_its_sizes_out)};
    size_t count = add_tables(tests, 1, PG_GOLDEN_FOLDER "/shapes");
#ifdef PG_SHARED_FOLDER
    count = add_tables(tests, count, PG_SHARED_FOLDER "/golden/inference/shapes");
#endif
    int failed = _cmocka_run_group_tests("full size", tests, count, NULL, NULL);
    for (size_t i = 1; i < count; i++)
        pg_free((void *)tests[i].name);
    return failed;
}
