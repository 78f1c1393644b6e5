/* paligemma feedback: answers and what people said about them, from the database that `paligemma serve` writes. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "commands.h"
#include "input.h"
#include "output.h"

#define PICTURES 16 /* of one record */

typedef struct feedback_settings {
    const char *prompt, *answer, *correction, *task, *model, *request, *out;
    pg_cli_list images;
    int judgement, kind;
    int64_t limit;
    bool json, keep, approved;
} feedback_settings;

static const pg_cli_option list_options[] = {
    {"limit", 'n', "N", PG_CLI_INTEGER, offsetof(feedback_settings, limit), "the newest N only (default: all)", 1,
     1e15},
    {"json", 0, NULL, PG_CLI_FLAG, offsetof(feedback_settings, json), "print one JSON object a line, with everything",
     0, 0},
    {0},
};

static const pg_cli_option export_options[] = {
    {"out", 'o', "FILE.jsonl", PG_CLI_TEXT, offsetof(feedback_settings, out),
     "the rows; their pictures go into FILE.pictures", 0, 0},
    {"kind", 0, "sft|dpo", PG_CLI_CHOICE, offsetof(feedback_settings, kind),
     "corrections as answers (default), or pairs of a better and a worse answer", 0, 0},
    {"approved", 0, NULL, PG_CLI_FLAG, offsetof(feedback_settings, approved),
     "sft: answers that were judged up as well", 0, 0},
    {0},
};

static const pg_cli_option add_options[] = {
    {"prompt", 'p', "TEXT", PG_CLI_TEXT, offsetof(feedback_settings, prompt), "what was asked", 0, 0},
    {"answer", 0, "TEXT", PG_CLI_TEXT, offsetof(feedback_settings, answer), "what the model answered", 0, 0},
    {"judgement", 0, "none|up|down", PG_CLI_CHOICE, offsetof(feedback_settings, judgement), "whether it is good", 0, 0},
    {"correction", 0, "TEXT", PG_CLI_TEXT, offsetof(feedback_settings, correction), "what would have been right", 0, 0},
    {"image", 0, "FILE...", PG_CLI_WORDS, offsetof(feedback_settings, images), "the pictures that it was about", 0, 0},
    {"keep", 0, NULL, PG_CLI_FLAG, offsetof(feedback_settings, keep),
     "store the pictures (default: only their SHA-256)", 0, 0},
    {"task", 0, "NAME", PG_CLI_TEXT, offsetof(feedback_settings, task), "what kind of question it was", 0, 0},
    {"model", 'm', "NAME", PG_CLI_TEXT, offsetof(feedback_settings, model), "whose answer it was", 0, 0},
    {"request", 0, "NAME", PG_CLI_TEXT, offsetof(feedback_settings, request),
     "a name of the answer: a second judgement of it replaces the first", 0, 0},
    {0},
};

static const pg_cli_group groups[] = {
    {"List", list_options, 0},
    {"Export", export_options, 0},
    {"Add", add_options, 0},
    {0},
};

/* ---------------------------------------------------------------- list */

static void set_text(json_t *object, const char *key, const char *text)
{
    pg_cli_json_set(object, key, text ? pg_cli_json_text(text) : json_null());
}

static json_t *pictures_json(const pg_feedback_record *record)
{
    json_t *pictures = pg_cli_json_array();
    for (size_t i = 0; i < record->picture_count; i++) {
        json_t *picture = pg_cli_json_object();
        set_text(picture, "sha256", record->pictures[i].hash);
        pg_cli_json_set(picture, "kept", json_boolean(record->pictures[i].keep));
        pg_cli_json_append(pictures, picture);
    }
    return pictures;
}

static void print_json(const pg_feedback_record *record)
{
    json_t *object = pg_cli_json_object();
    pg_cli_json_set(object, "id", pg_cli_json_integer(record->id));
    pg_cli_json_set(object, "time", pg_cli_json_integer(record->time));
    set_text(object, "request", record->request);
    set_text(object, "task", record->task);
    set_text(object, "prompt", record->prompt);
    set_text(object, "answer", record->answer);
    set_text(object, "judgement", pg_judgement_name(record->judgement));
    set_text(object, "correction", record->correction);
    set_text(object, "model", record->model);
    set_text(object, "model_version", record->model_version);
    set_text(object, "adapter", record->adapter);
    set_text(object, "adapter_version", record->adapter_version);
    set_text(object, "settings", record->settings);
    pg_cli_json_set(object, "pictures", pictures_json(record));
    pg_cli_json_print(object);
}

/* Line breaks and other control characters of a text would break the table, or the terminal. */
static void print_text(const char *text)
{
    for (; *text; text++) {
        char c = *text;
        if ((unsigned char)c < ' ' || c == 127)
            c = ' ';
        pg_cli_put(&c, 1);
    }
}

static void print_line(const pg_feedback_record *record)
{
    char date[32] = "";
    time_t seconds = (time_t)(record->time / 1000);
    struct tm parts;
    if (gmtime_r(&seconds, &parts))
        strftime(date, sizeof date, "%Y-%m-%d %H:%M", &parts);
    pg_cli_print("%lld\t%s\t%s\t", (long long)record->id, date, pg_judgement_name(record->judgement));
    print_text(record->prompt);
    pg_cli_print("\t");
    print_text(record->answer);
    pg_cli_print("\t");
    print_text(record->correction ? record->correction : "");
    pg_cli_print("\n");
}

static bool show(void *user, const pg_feedback_record *record)
{
    const feedback_settings *settings = user;
    (settings->json ? print_json : print_line)(record);
    return pg_cli_flush();
}

static int list(const pg_cli_command *command, feedback_settings *settings, pg_feedback_store *store)
{
    pg_feedback_query query = {.limit = (size_t)settings->limit, .newest = settings->limit > 0};
    (void)command;
    return pg_cli_check(pg_feedback_list(store, &query, show, settings));
}

/* ---------------------------------------------------------------- export */

static int export(const pg_cli_command *command, feedback_settings *settings, pg_feedback_store *store)
{
    pg_feedback_export_options options;
    pg_feedback_export_report report;
    int code;
    if (!settings->out)
        return pg_cli_usage(command, "no result: name its file with --out FILE.jsonl");
    pg_feedback_export_options_init(&options);
    options.kind = settings->kind ? PG_ROW_PREFERENCE : PG_ROW_SUFFIX;
    options.approved = settings->approved;
    PG_CLI_TRY(pg_cli_check(pg_feedback_export(&report, store, settings->out, &options)));
    pg_cli_print("%zu rows, %zu new pictures", report.rows, report.pictures);
    if (report.left_out)
        pg_cli_print("; %zu rows left out: their pictures were not kept", report.left_out);
    pg_cli_print("\n");
done:
    return code;
}

/* ---------------------------------------------------------------- add */

static int load_pictures(pg_feedback_picture *pictures, const feedback_settings *settings)
{
    for (size_t i = 0; i < settings->images.count; i++) {
        char *bytes;
        int code = pg_cli_file_load(&bytes, &pictures[i].size, settings->images.items[i]);
        if (code != PG_CLI_DONE)
            return code;
        pictures[i].bytes = bytes;
        pictures[i].keep = settings->keep;
    }
    return PG_CLI_DONE;
}

static int add(const pg_cli_command *command, feedback_settings *settings, pg_feedback_store *store)
{
    static const pg_judgement judgements[] = {PG_JUDGEMENT_NONE, PG_JUDGEMENT_UP, PG_JUDGEMENT_DOWN};
    pg_feedback_picture pictures[PICTURES] = {0};
    pg_feedback_record record = {
        .request = settings->request,
        .task = settings->task,
        .prompt = settings->prompt,
        .answer = settings->answer,
        .judgement = judgements[settings->judgement],
        .correction = settings->correction,
        .model = settings->model,
        .pictures = pictures,
        .picture_count = settings->images.count,
    };
    int64_t id;
    int code;
    if (!settings->prompt || !settings->answer)
        return pg_cli_usage(command, "a judgement needs --prompt TEXT and --answer TEXT");
    if (settings->images.count > PICTURES)
        return pg_cli_usage(command, "--image: %zu pictures, at most %d", settings->images.count, PICTURES);
    PG_CLI_TRY(load_pictures(pictures, settings));
    PG_CLI_TRY(pg_cli_check(pg_feedback_add(&id, store, &record)));
    pg_cli_print("%lld\n", (long long)id);
done:
    for (size_t i = 0; i < PICTURES; i++)
        free((void *)pictures[i].bytes);
    return code;
}

/* ---------------------------------------------------------------- any of them */

static const struct verb {
    const char *name;
    int (*run)(const pg_cli_command *command, feedback_settings *settings, pg_feedback_store *store);
    bool writes;
} verbs[] = {{"list", list, false}, {"export", export, false}, {"add", add, true}};

static int run(const pg_cli_command *command, void *memory, const pg_cli_list *operands)
{
    const struct verb *verb = verbs, *end = verbs + sizeof verbs / sizeof *verbs;
    pg_feedback_store *store = NULL;
    pg_feedback_options options;
    int code;
    while (verb < end && strcmp(verb->name, operands->items[0]) != 0)
        verb++;
    if (verb == end)
        return pg_cli_usage(command, "there is no 'feedback %s', expected list, export or add", operands->items[0]);
    pg_feedback_options_init(&options);
    options.existing = !verb->writes;
    PG_CLI_TRY(pg_cli_check(pg_feedback_open(&store, operands->items[1], &options)));
    code = verb->run(command, memory, store);
done:
    pg_feedback_close(store);
    return code;
}

const pg_cli_command pg_cli_feedback = {
    .name = "feedback",
    .usage = "list|export|add FILE.db",
    .summary = "list what people said about answers, and make rows to train on of it",
    .details =
        "FILE.db is the database that `paligemma serve --feedback FILE.db` writes.\n\n"
        "feedback list: number, time (UTC), judgement, prompt, answer and correction, a line each.\n\n"
        "feedback export: JSON lines for `paligemma train`. sft: {image, prefix, suffix} from corrections, with "
        "--approved also from answers that were judged up. dpo: {image, prefix, chosen, rejected} from answers and "
        "their corrections, and from answers to the same question of which one was judged up and one down. Rows about "
        "pictures that people did not allow to be kept are left out.\n\n"
        "feedback add: stores a judgement from elsewhere and prints its number.",
    .groups = groups,
    .operands_min = 2,
    .operands_max = 2,
    .settings_size = sizeof(feedback_settings),
    .run = run,
};
