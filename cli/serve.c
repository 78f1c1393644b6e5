/* paligemma serve: the models over HTTP, until a signal ends it. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "engine.h"

typedef struct serve_settings {
    const char *model, *name, *siglip, *siglip_name, *codec;
    pg_cli_list adapters, image_hosts;
    const char *host, *key_file, *feedback;
    int64_t port, connections, feedback_bytes, max_body, max_pixels, max_images, slots, queue, context;
    double timeout, deadline, grace, slow;
    bool metrics, log_content, quiet, check, feedback_images;
    pg_cli_looking looking;
    pg_cli_arithmetic arithmetic;
} serve_settings;

#define PLACE(member) offsetof(serve_settings, member)

static const pg_cli_option model_options[] = {
    {"name", 0, "NAME", PG_CLI_TEXT, PLACE(name), "what clients call the model (default: its folder's name)", 0, 0},
    {"adapter", 0, "NAME=FOLDER", PG_CLI_LIST, PLACE(adapters),
     "a LoRA adapter in PEFT's layout, which requests choose by this name as their model", 0, 0},
    {"siglip", 0, "FOLDER", PG_CLI_TEXT, PLACE(siglip),
     "a SigLIP as well, for embeddings and classes (default: world-siglip, where no model is named)", 0, 0},
    {"siglip-name", 0, "NAME", PG_CLI_TEXT, PLACE(siglip_name), "what clients call it (default: its folder's name)", 0,
     0},
    {"codec", 0, "FILE.npz", PG_CLI_TEXT, PLACE(codec),
     "the mask codec's weights (default: mask_codec.npz or vae-oid.npz in the model's folder)", 0, 0},
    {0},
};

static const pg_cli_option network_options[] = {
    {"host", 0, "ADDRESS", PG_CLI_TEXT, PLACE(host),
     "where to listen (default: 127.0.0.1); an address that others reach needs --api-key-file", 0, 0},
    {"port", 0, "N", PG_CLI_INTEGER, PLACE(port), "the port (default: 8080; 0: any free one)", 0, 65535},
    {"api-key-file", 0, "FILE", PG_CLI_TEXT, PLACE(key_file), "keys, one a line; clients must send one of them", 0, 0},
    {"connections", 0, "N", PG_CLI_INTEGER, PLACE(connections), "connections at the same time (default: 256)", 1,
     100000},
    {"timeout", 0, "SECONDS", PG_CLI_NUMBER, PLACE(timeout),
     "for a client to send a request or to read an answer, and a second more for every 16 KiB (default: 30)", 0.1,
     86400},
    {"max-body", 0, "BYTES", PG_CLI_INTEGER, PLACE(max_body), "of a request (default: 20971520)", 1024, 1e10},
    {"max-pixels", 0, "N", PG_CLI_INTEGER, PLACE(max_pixels), "of a picture (default: 50000000)", 1, 1e10},
    {"allow-image-host", 0, "HOST", PG_CLI_LIST, PLACE(image_hosts),
     "fetch pictures by URL from this host, HOST or HOST:PORT (default: from none)", 0, 0},
    {"max-images", 0, "N", PG_CLI_INTEGER, PLACE(max_images), "of a request (default: 16)", 1, 10000},
    {0},
};

static const pg_cli_option answer_options[] = {
    {"np", 0, "N", PG_CLI_INTEGER, PLACE(slots), "answers that are made at the same time (default: 16)", 1, 1024},
    {"queue", 0, "N", PG_CLI_INTEGER, PLACE(queue), "requests that may wait; more are refused (default: 64)", 1, 1e6},
    {"context", 'c', "N", PG_CLI_INTEGER, PLACE(context), "longest sequence in tokens (default: the model's)", 1, 1e9},
    {"deadline", 0, "SECONDS", PG_CLI_NUMBER, PLACE(deadline), "that an answer may take (default: 300)", 0.1, 86400},
    {"grace", 0, "SECONDS", PG_CLI_NUMBER, PLACE(grace),
     "that requests have to be answered after SIGTERM (default: 30)", 0, 86400},
    {0},
};

static const pg_cli_option feedback_options[] = {
    {"feedback", 0, "FILE.db", PG_CLI_TEXT, PLACE(feedback),
     "store what people say about answers; `paligemma feedback` reads it (default: nothing is stored)", 0, 0},
    {"feedback-images", 0, NULL, PG_CLI_FLAG, PLACE(feedback_images),
     "pictures too, where their owners allow it (default: only their SHA-256)", 0, 0},
    {"feedback-bytes", 0, "N", PG_CLI_INTEGER, PLACE(feedback_bytes),
     "the database does not grow beyond this (default: no limit)", 65536, 1e15},
    {0},
};

static const pg_cli_option log_options[] = {
    {"metrics", 0, NULL, PG_CLI_FLAG, PLACE(metrics), "answer /metrics, in Prometheus's text format", 0, 0},
    {"slow", 0, "SECONDS", PG_CLI_NUMBER, PLACE(slow),
     "requests that take longer are logged with the time of each stage (default: 10)", 0.001, 86400},
    {"log-content", 0, NULL, PG_CLI_FLAG, PLACE(log_content), "log what is asked and answered, too", 0, 0},
    {"quiet", 'q', NULL, PG_CLI_FLAG, PLACE(quiet), "no log", 0, 0},
    {"check", 0, NULL, PG_CLI_FLAG, PLACE(check), "open all that is named, say whether it would do, and end", 0, 0},
    {0},
};

static const pg_cli_group groups[] = {
    {"Model", pg_cli_model_options, PLACE(model)},
    {"More models", model_options, 0},
    {"Network", network_options, 0},
    {"Answers", answer_options, 0},
    {"Feedback", feedback_options, 0},
    {"Log", log_options, 0},
    {"Pictures", pg_cli_looking_options, PLACE(looking)},
    {"Speed", pg_cli_arithmetic_options, PLACE(arithmetic)},
    {0},
};

static void init(void *memory)
{
    serve_settings *settings = memory;
    settings->port = 8080;
    settings->grace = 30;
}

/* A run of the server, and what its options borrow. */
typedef struct serving {
    pg_server_options options;
    pg_server_adapter *adapters;
    char **names; /* of the adapters */
    char *siglip;
} serving;

static void free_serving(serving *run)
{
    for (size_t i = 0; i < run->options.adapter_count; i++)
        free(run->names[i]);
    free(run->names);
    free(run->adapters);
    pg_free(run->siglip);
}

/* NAME=FOLDER */
static int read_adapters(serving *run, const pg_cli_command *command, const pg_cli_list *words)
{
    run->adapters = pg_cli_alloc(words->count, sizeof *run->adapters);
    run->names = pg_cli_alloc(words->count, sizeof *run->names);
    run->options.adapters = run->adapters;
    for (size_t i = 0; i < words->count; i++) {
        const char *equals = strchr(words->items[i], '=');
        if (!equals || equals == words->items[i] || !equals[1])
            return pg_cli_usage(command, "--adapter: '%s' is not NAME=FOLDER", words->items[i]);
        run->names[i] = pg_cli_text("%.*s", (int)(equals - words->items[i]), words->items[i]);
        run->adapters[i] = (pg_server_adapter){run->names[i], equals + 1};
        run->options.adapter_count = i + 1;
    }
    return PG_CLI_DONE;
}

/* Where nothing is named, what ships is served, as far as it is installed. */
static int find_models(serving *run, const pg_cli_command *command, const serve_settings *settings)
{
    pg_server_options *options = &run->options;
    bool named = pg_cli_model_named(settings->model) != NULL;
    int code = pg_cli_model_find(&options->model, command, settings->model, 1u << PG_MODEL_PALIGEMMA);
    if (code != PG_CLI_DONE)
        return code;
    options->siglip = settings->siglip;
    options->codec = settings->codec;
    if (!named && !options->siglip && pg_default_model(&run->siglip, PG_MODEL_SIGLIP) == PG_OK)
        options->siglip = run->siglip;
    return PG_CLI_DONE;
}

static void write_log(void *user, const char *line)
{
    (void)user;
    fprintf(stderr, "%s\n", line);
}

static int read_options(serving *run, const pg_cli_command *command, const serve_settings *settings)
{
    pg_server_options *options = &run->options;
    const pg_cli_source no_adapter = {0};
    pg_session_options *session = &options->scheduler.session;
    if (!settings->feedback && (settings->feedback_images || settings->feedback_bytes))
        return pg_cli_usage(command, "%s is for what people say, which nobody keeps: name its file with --feedback",
                            settings->feedback_images ? "--feedback-images" : "--feedback-bytes");
    if (settings->siglip_name && !settings->siglip && pg_cli_model_named(settings->model))
        return pg_cli_usage(command, "--siglip-name names a SigLIP, and there is none: give its folder with --siglip");
    pg_server_options_init(options);
    options->host = settings->host;
    options->port = (int)settings->port;
    options->model_name = settings->name;
    options->siglip_name = settings->siglip_name;
    options->key_file = settings->key_file;
    options->feedback = settings->feedback;
    options->feedback_images = settings->feedback_images;
    options->feedback_bytes = (uint64_t)settings->feedback_bytes;
    options->connections = (size_t)settings->connections;
    options->max_body = (size_t)settings->max_body;
    options->max_pixels = (uint64_t)settings->max_pixels;
    options->max_images = (size_t)settings->max_images;
    options->image_hosts = settings->image_hosts.items;
    options->image_host_count = settings->image_hosts.count;
    options->timeout = settings->timeout;
    options->deadline = settings->deadline;
    options->slow = settings->slow;
    options->metrics = settings->metrics;
    options->log_content = settings->log_content;
    options->on_log = settings->quiet ? NULL : write_log;
    options->how = pg_cli_model_how(&no_adapter, &settings->arithmetic);
    options->scheduler.queue = (size_t)settings->queue;
    session->sequences = (size_t)settings->slots;
    session->context = (size_t)settings->context;
    session->threads = (int)settings->arithmetic.threads;
    session->compute = (pg_compute)settings->arithmetic.compute;
    session->cache = (pg_cache_type)settings->arithmetic.cache;
    session->resize_order = (pg_resize_order)settings->looking.order;
    int code = find_models(run, command, settings);
    return code == PG_CLI_DONE ? read_adapters(run, command, &settings->adapters) : code;
}

/* ---------------------------------------------------------------- running */

/* The signals that say what to do. Blocked before any thread begins, so that all of them reach sigwait. */
static sigset_t block_signals(void)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    return signals;
}

/* From here on a further signal ends the program at once. */
static void unblock_signals(const sigset_t *signals)
{
    signal(SIGHUP, SIG_IGN);
    pthread_sigmask(SIG_UNBLOCK, signals, NULL);
}

static void wait_for_end(pg_server *server, const sigset_t *signals)
{
    int number = 0;
    while (sigwait(signals, &number) == 0 && number == SIGHUP)
        pg_cli_check(pg_server_reload(server)); /* a failure leaves all as it was */
}

static void announce(const pg_server *server, const serve_settings *settings)
{
    const char *host = settings->host ? settings->host : "127.0.0.1";
    bool six = strchr(host, ':') != NULL;
    fprintf(stderr, "paligemma: serving at http://%s%s%s:%d\n", six ? "[" : "", host, six ? "]" : "",
            pg_server_port(server));
}

static int serve(const pg_server_options *options, const serve_settings *settings)
{
    pg_server *server;
    sigset_t signals = block_signals();
    int code = pg_cli_check(pg_server_new(&server, options));
    if (code != PG_CLI_DONE)
        return code;
    announce(server, settings);
    wait_for_end(server, &signals);
    unblock_signals(&signals);
    code = pg_cli_check(pg_server_drain(server, settings->grace));
    pg_server_free(server);
    return code;
}

static int check(const pg_server_options *options)
{
    int code = pg_cli_check(pg_server_check(options));
    if (code == PG_CLI_DONE)
        pg_cli_print("all that is named can be served\n");
    return code;
}

static int run(const pg_cli_command *command, void *memory, const pg_cli_list *operands)
{
    const serve_settings *settings = memory;
    serving run = {0};
    (void)operands;
    int code = read_options(&run, command, settings);
    if (code == PG_CLI_DONE)
        code = settings->check ? check(&run.options) : serve(&run.options, settings);
    free_serving(&run);
    return code;
}

const pg_cli_command pg_cli_serve = {
    .name = "serve",
    .usage = "[-m MODEL] [--host ADDRESS] [--port N]",
    .summary = "answer over HTTP: OpenAI's API, tasks, a page",
    .details =
        "Answers requests of programs and, at /, of people. OpenAI's routes: /v1/chat/completions (pictures as data: "
        "URLs; the last user turn is the prompt), /v1/completions, /v1/embeddings, /v1/models. Tasks: /v1/caption, "
        "/v1/detect, /v1/segment, /v1/classify, with pictures as data: URLs or as files of a form, and /v1/batch. "
        "/openapi.json describes them all. Requests are answered together, each as it would be alone.\n\n"
        "Without --api-key-file only this machine can ask. Paths of files are never taken from clients, pictures are "
        "fetched only from hosts that --allow-image-host names, pages of other origins are refused, and what is asked "
        "is not logged. /health says whether the "
        "process lives, /ready whether it takes requests.\n\n"
        "SIGTERM and Ctrl-C let running requests end first, a second one does not; SIGHUP opens models, adapters and "
        "keys anew. The log is JSON on stderr.",
    .groups = groups,
    .settings_size = sizeof(serve_settings),
    .init = init,
    .run = run,
};
