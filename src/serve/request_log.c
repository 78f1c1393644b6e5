#include "serve/request_log.h"

#include <math.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "serve/routes.h"

static json_t *time_now(void)
{
    struct timespec now;
    struct tm parts;
    char day[32], text[48];
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &parts);
    strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(text, sizeof text, "%s.%03ldZ", day, now.tv_nsec / 1000000);
    return json_string(text);
}

/* Hands a line to whoever wants the log; one that cannot be made for lack of memory is lost. */
static void write_line(pg_server *server, json_t *line)
{
    pg_buffer text = {0};
    if (line && pg_json_print(&text, line) == PG_OK) {
        pthread_mutex_lock(&server->log_lock);
        server->options.on_log(server->options.user, text.data);
        pthread_mutex_unlock(&server->log_lock);
    }
    pg_buffer_free(&text);
    json_decref(line);
}

void pg_log_event(pg_server *server, const char *level, const char *event, const char *text)
{
    if (!server->options.on_log)
        return;
    json_t *line = json_pack("{s:o, s:s, s:s}", "time", time_now(), "level", level, "event", event);
    if (text)
        json_object_set_new(line, "text", json_string(text));
    write_line(server, line);
}

/* Milliseconds. */
static void add_stage(json_t *stages, const char *name, double seconds)
{
    if (seconds > 0)
        json_object_set_new(stages, name, json_real(round(seconds * 1e6) / 1e3));
}

static json_t *describe_stages(const pg_stages *stages)
{
    json_t *object = json_object();
    add_stage(object, "read", stages->read);
    add_stage(object, "prepare", stages->prepare);
    add_stage(object, "queued", stages->queued);
    add_stage(object, "pictures", stages->pictures);
    add_stage(object, "prefill", stages->prefill);
    add_stage(object, "decode", stages->decode);
    return object;
}

/* Paths that are no routes come from the client and are content. */
static const char *shown_path(const pg_exchange *exchange)
{
    return exchange->route ? exchange->route->path : "-";
}

static const char *level(const pg_exchange *exchange, bool slow)
{
    return exchange->status >= 500 ? "error" : slow ? "warning" : "info";
}

void pg_log_request(pg_server *server, const pg_exchange *exchange, bool sent)
{
    double seconds = pg_clock() - exchange->began;
    bool slow = seconds >= server->options.slow;
    bool quiet = exchange->route && exchange->route->flags & PG_ROUTE_QUIET && exchange->status < 400;
    if (!server->options.on_log || (quiet && !slow))
        return;
    json_t *line = json_pack("{s:o, s:s, s:s, s:s, s:s, s:s, s:i, s:b, s:f, s:I, s:s}", "time", time_now(), "level",
                             level(exchange, slow), "event", slow ? "slow_request" : "request", "id", exchange->id,
                             "method", exchange->route ? exchange->route->method : "-", "path", shown_path(exchange),
                             "status", exchange->status, "sent", sent, "milliseconds", round(seconds * 1e6) / 1e3,
                             "received_bytes", (json_int_t)exchange->received, "client", exchange->client);
    if (exchange->prompt_tokens)
        json_object_update_new(line, json_pack("{s:I, s:I}", "prompt_tokens", (json_int_t)exchange->prompt_tokens,
                                               "answer_tokens", (json_int_t)exchange->answer_tokens));
    if (slow)
        json_object_set_new(line, "stages", describe_stages(&exchange->stages));
    if (exchange->asked)
        json_object_set_new(line, "asked", json_string(exchange->asked));
    if (exchange->told)
        json_object_set_new(line, "told", json_string(exchange->told));
    write_line(server, line);
}
