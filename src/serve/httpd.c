#include "serve/httpd.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "serve/moment.h"

#define LEAST_RATE   16384.0            /* bytes a second */
#define HEAD_ROOM    ((size_t)32 << 10) /* of a connection, for heads and buffers */
#define STACK        ((size_t)1 << 20)
#define STREAM_BLOCK ((size_t)16 << 10)
#define FORM_BUFFER  ((size_t)16 << 10)
#define PARTS_MOST   64

/* A socket, and until when its client must have moved on. */
typedef struct connection {
    struct connection *before, *next;
    int socket;
    double deadline;
} connection;

struct pg_httpd {
    struct MHD_Daemon *daemon;
    pg_httpd_options options;
    pg_http_calls calls;
    int port;
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t woken;
    connection *connections;
    bool quiet, closing;
    pthread_t watcher;
    bool watching;
};

/* A request on a connection. */
typedef struct request {
    pg_httpd *httpd;
    connection *connection;
    pg_exchange *exchange;
    struct MHD_PostProcessor *form;
    size_t shown; /* bytes of the streamed piece that have gone out */
    bool more;    /* of the stream */
    double began;
    size_t received; /* of a body that goes nowhere */
} request;

/* ---------------------------------------------------------------- time */

static void set_deadline(pg_httpd *httpd, connection *of, double seconds)
{
    pthread_mutex_lock(&httpd->lock);
    of->deadline = pg_clock() + seconds;
    pthread_mutex_unlock(&httpd->lock);
}

static void extend_deadline(pg_httpd *httpd, connection *of, size_t bytes)
{
    pthread_mutex_lock(&httpd->lock);
    of->deadline += (double)bytes / LEAST_RATE;
    pthread_mutex_unlock(&httpd->lock);
}

/* A thread that waits for such a socket wakes and finds it at its end. */
static void shut_late(const pg_httpd *httpd)
{
    double now = pg_clock();
    for (const connection *at = httpd->connections; at; at = at->next)
        if (now > at->deadline)
            shutdown(at->socket, SHUT_RDWR);
}

static void *watch(void *user)
{
    pg_httpd *httpd = user;
    pthread_mutex_lock(&httpd->lock);
    while (!httpd->closing) {
        pg_moment_wait(&httpd->woken, &httpd->lock);
        shut_late(httpd);
    }
    pthread_mutex_unlock(&httpd->lock);
    return NULL;
}

/* ---------------------------------------------------------------- connections */

static void open_connection(pg_httpd *httpd, struct MHD_Connection *handle, void **place)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(handle, MHD_CONNECTION_INFO_CONNECTION_FD);
    connection *opened = *place = info ? pg_alloc(1, sizeof *opened) : NULL;
    if (!opened)
        return; /* without its place no request is answered */
    opened->socket = (int)info->connect_fd;
    opened->deadline = pg_clock() + httpd->options.timeout;
    pthread_mutex_lock(&httpd->lock);
    opened->next = httpd->connections;
    if (opened->next)
        opened->next->before = opened;
    httpd->connections = opened;
    pthread_mutex_unlock(&httpd->lock);
}

static void close_connection(pg_httpd *httpd, connection *closed)
{
    pthread_mutex_lock(&httpd->lock);
    if (closed->before)
        closed->before->next = closed->next;
    else
        httpd->connections = closed->next;
    if (closed->next)
        closed->next->before = closed->before;
    pthread_mutex_unlock(&httpd->lock);
    pg_free(closed);
}

static void on_connection(void *user, struct MHD_Connection *handle, void **place,
                          enum MHD_ConnectionNotificationCode code)
{
    if (code == MHD_CONNECTION_NOTIFY_STARTED)
        open_connection(user, handle, place);
    else if (*place)
        close_connection(user, *place);
}

/* ---------------------------------------------------------------- heads and bodies */

static const char *header(struct MHD_Connection *handle, const char *name)
{
    return MHD_lookup_connection_value(handle, MHD_HEADER_KIND, name);
}

static void find_address(char out[64], struct MHD_Connection *handle)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(handle, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *address = info ? info->client_addr : NULL;
    out[0] = 0;
    if (address && address->sa_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)address)->sin_addr, out, 64);
    if (address && address->sa_family == AF_INET6)
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, out, 64);
}

static pg_status add_part(pg_exchange *exchange, const char *name, const char *file_name)
{
    if (exchange->part_count == PARTS_MOST)
        return pg_fail(PG_ERROR_LIMIT, "the form has more than %d fields", PARTS_MOST);
    PG_TRY(pg_grow((void **)&exchange->parts, &exchange->part_capacity, exchange->part_count + 1,
                   sizeof *exchange->parts));
    pg_part *part = &exchange->parts[exchange->part_count++];
    *part = (pg_part){.name = pg_copy_text(name, SIZE_MAX),
                      .file_name = file_name ? pg_copy_text(file_name, SIZE_MAX) : NULL};
    return part->name && (part->file_name || !file_name) ? PG_OK : PG_ERROR_MEMORY;
}

/* One field of a form, or a further piece of it. Returning MHD_NO ends the form. */
static enum MHD_Result on_form(void *user, enum MHD_ValueKind kind, const char *name, const char *file_name,
                               const char *type, const char *encoding, const char *data, uint64_t offset, size_t size)
{
    (void)kind;
    (void)type;
    (void)encoding;
    pg_exchange *exchange = user;
    if (!name || exchange->status)
        return MHD_YES; /* a part without a name stands for nothing */
    pg_status status = offset == 0 ? add_part(exchange, name, file_name) : PG_OK;
    if (status == PG_OK && exchange->part_count)
        status = pg_buffer_append(&exchange->parts[exchange->part_count - 1].bytes, data, size);
    if (status != PG_OK)
        pg_exchange_fail(exchange, status);
    return status == PG_OK ? MHD_YES : MHD_NO;
}

bool pg_http_is_form(const char *type)
{
    static const char form[] = "multipart/form-data";
    return type && strncasecmp(type, form, sizeof form - 1) == 0;
}

static bool too_large(const request *now, const char *length)
{
    return length && strtoull(length, NULL, 10) > now->httpd->options.max_body;
}

static void free_request(request *now)
{
    if (now->form)
        MHD_destroy_post_processor(now->form);
    pg_free(now);
}

/* The head is there. */
static request *begin_request(pg_httpd *httpd, struct MHD_Connection *handle, const char *path, const char *method)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(handle, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    request *now = info && info->socket_context ? pg_alloc(1, sizeof *now) : NULL;
    if (!now)
        return NULL;
    *now = (request){.httpd = httpd, .connection = info->socket_context, .more = true, .began = pg_clock()};
    pg_http_head head = {
        .method = method,
        .path = path,
        .host = header(handle, "Host"),
        .origin = header(handle, "Origin"),
        .authorization = header(handle, "Authorization"),
        .api_key = header(handle, "X-Api-Key"),
        .content_type = header(handle, "Content-Type"),
        .content_length = header(handle, "Content-Length"),
        .socket = now->connection->socket,
    };
    find_address(head.address, handle);
    set_deadline(httpd, now->connection, httpd->options.timeout);
    now->exchange = httpd->calls.begin(httpd->calls.user, &head);
    if (now->exchange && !now->exchange->status && pg_http_is_form(head.content_type)) {
        now->exchange->form = true;
        now->form = MHD_create_post_processor(handle, FORM_BUFFER, on_form, now->exchange);
        if (!now->form)
            pg_exchange_refuse(now->exchange, 400, NULL, "the form's Content-Type names no boundary");
    }
    if (now->exchange)
        return now;
    free_request(now);
    return NULL;
}

/* A piece of the body. What belongs to a request that is refused already goes nowhere. */
static void receive(request *now, const char *bytes, size_t size)
{
    const pg_http_calls *calls = &now->httpd->calls;
    pg_exchange *exchange = now->exchange;
    if (exchange->status) {
        now->received += size;
        if (now->received > now->httpd->options.max_body)
            shutdown(now->connection->socket, SHUT_RDWR);
        return;
    }
    extend_deadline(now->httpd, now->connection, size);
    if (!calls->receive(calls->user, exchange, size))
        return;
    if (!now->form && pg_buffer_append(&exchange->body, bytes, size) != PG_OK)
        pg_exchange_fail(exchange, PG_ERROR_MEMORY);
    if (now->form && MHD_post_process(now->form, bytes, size) != MHD_YES && !exchange->status)
        pg_exchange_refuse(exchange, 400, NULL, "the form cannot be read as multipart/form-data");
}

/* ---------------------------------------------------------------- answers */

static ssize_t read_stream(void *user, uint64_t position, char *out, size_t room)
{
    (void)position;
    request *now = user;
    pg_exchange *exchange = now->exchange;
    pg_buffer *piece = &exchange->answer;
    set_deadline(now->httpd, now->connection, now->httpd->options.deadline + now->httpd->options.timeout);
    while (now->shown == piece->size) {
        if (!now->more)
            return MHD_CONTENT_READER_END_OF_STREAM;
        pg_buffer_reset(piece);
        now->shown = 0;
        if (exchange->next(exchange->stream, piece, &now->more) != PG_OK)
            return MHD_CONTENT_READER_END_WITH_ERROR;
    }
    size_t size = piece->size - now->shown < room ? piece->size - now->shown : room;
    memcpy(out, piece->data + now->shown, size);
    now->shown += size;
    set_deadline(now->httpd, now->connection, now->httpd->options.timeout + (double)size / LEAST_RATE);
    return (ssize_t)size;
}

static void set_headers(struct MHD_Response *response, const pg_exchange *exchange)
{
    char seconds[16];
    MHD_add_response_header(response, "Content-Type", exchange->type);
    MHD_add_response_header(response, "X-Request-Id", exchange->id);
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    MHD_add_response_header(response, "Referrer-Policy", "no-referrer");
    MHD_add_response_header(response, "Cross-Origin-Resource-Policy", "same-origin");
    MHD_add_response_header(response, "Content-Security-Policy",
                            exchange->policy ? exchange->policy : "default-src 'none'; frame-ancestors 'none'");
    MHD_add_response_header(response, "Cache-Control", exchange->borrowed ? "no-cache" : "no-store");
    if (exchange->status == 401)
        MHD_add_response_header(response, "WWW-Authenticate", "Bearer");
    if (exchange->allow)
        MHD_add_response_header(response, "Allow", exchange->allow);
    if (exchange->retry_after) {
        snprintf(seconds, sizeof seconds, "%d", exchange->retry_after);
        MHD_add_response_header(response, "Retry-After", seconds);
    }
}

static struct MHD_Response *make_response(request *now)
{
    pg_exchange *exchange = now->exchange;
    if (exchange->next)
        return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK, read_stream, now, NULL);
    if (exchange->borrowed)
        return MHD_create_response_from_buffer(exchange->borrowed_size, (void *)(uintptr_t)exchange->borrowed,
                                               MHD_RESPMEM_PERSISTENT);
    return MHD_create_response_from_buffer(exchange->answer.size, exchange->answer.data, MHD_RESPMEM_PERSISTENT);
}

static enum MHD_Result send_answer(request *now, struct MHD_Connection *handle)
{
    const pg_exchange *exchange = now->exchange;
    size_t size = exchange->borrowed ? exchange->borrowed_size : exchange->answer.size;
    struct MHD_Response *response = make_response(now);
    if (!response)
        return MHD_NO;
    set_headers(response, exchange);
    set_deadline(now->httpd, now->connection, now->httpd->options.timeout + (double)size / LEAST_RATE);
    enum MHD_Result result = MHD_queue_response(handle, (unsigned)exchange->status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result run_request(request *now, struct MHD_Connection *handle)
{
    const pg_http_calls *calls = &now->httpd->calls;
    bool whole = !now->form || MHD_destroy_post_processor(now->form) == MHD_YES;
    now->form = NULL;
    if (!whole && !now->exchange->status)
        pg_exchange_refuse(now->exchange, 400, NULL, "the form is not complete");
    now->exchange->stages.read = pg_clock() - now->began;
    set_deadline(now->httpd, now->connection, now->httpd->options.deadline + now->httpd->options.timeout);
    if (!now->exchange->status)
        calls->run(calls->user, now->exchange);
    return send_answer(now, handle);
}

/* Called for the head, for each piece of the body, and at its end. */
static enum MHD_Result on_request(void *user, struct MHD_Connection *handle, const char *path, const char *method,
                                  const char *version, const char *bytes, size_t *size, void **place)
{
    (void)version;
    request *now = *place;
    if (!now) {
        *place = now = begin_request(user, handle, path, method);
        if (!now)
            return MHD_NO;
        /* the rest of a body that is too large is not worth reading */
        return too_large(now, header(handle, "Content-Length")) ? send_answer(now, handle) : MHD_YES;
    }
    if (!*size)
        return run_request(now, handle);
    receive(now, bytes, *size);
    *size = 0;
    return MHD_YES;
}

static void on_completed(void *user, struct MHD_Connection *handle, void **place,
                         enum MHD_RequestTerminationCode reason)
{
    pg_httpd *httpd = user;
    request *now = *place;
    (void)handle;
    if (!now)
        return;
    set_deadline(httpd, now->connection, httpd->options.timeout);
    httpd->calls.end(httpd->calls.user, now->exchange, reason == MHD_REQUEST_TERMINATED_COMPLETED_OK);
    free_request(now);
    *place = NULL;
}

/* ---------------------------------------------------------------- the daemon */

static bool read_address(struct sockaddr_storage *out, const char *host, int port)
{
    struct sockaddr_in *four = (struct sockaddr_in *)(void *)out;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)(void *)out;
    memset(out, 0, sizeof *out);
    if (inet_pton(AF_INET, host, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        four->sin_port = htons((uint16_t)port);
        return true;
    }
    if (inet_pton(AF_INET6, host, &six->sin6_addr) == 1) {
        six->sin6_family = AF_INET6;
        six->sin6_port = htons((uint16_t)port);
        return true;
    }
    return false;
}

bool pg_host_is_address(const char *host)
{
    struct sockaddr_storage address;
    return read_address(&address, host, 0);
}

bool pg_host_is_loopback(const char *host)
{
    struct sockaddr_storage address;
    if (!read_address(&address, host, 0))
        return false;
    if (address.ss_family == AF_INET)
        return ntohl(((struct sockaddr_in *)(void *)&address)->sin_addr.s_addr) >> 24 == 127;
    return IN6_IS_ADDR_LOOPBACK(&((struct sockaddr_in6 *)(void *)&address)->sin6_addr);
}

/* Bound here and not by the library, for its errors to be known. */
static pg_status open_socket(int *out, const pg_httpd_options *options)
{
    struct sockaddr_storage address;
    const int yes = 1;
    read_address(&address, options->host, options->port);
    *out = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    socklen_t size = address.ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    if (*out >= 0 && setsockopt(*out, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0 &&
        bind(*out, (struct sockaddr *)&address, size) == 0 && listen(*out, SOMAXCONN) == 0)
        return PG_OK;
    pg_fail_errno(PG_ERROR_FILE, "cannot listen on %s, port %d", options->host, options->port);
    if (*out >= 0)
        close(*out);
    return PG_ERROR_FILE;
}

static int bound_port(int listener)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    if (getsockname(listener, (struct sockaddr *)&address, &size) != 0)
        return 0;
    return ntohs(address.ss_family == AF_INET ? ((struct sockaddr_in *)(void *)&address)->sin_port
                                              : ((struct sockaddr_in6 *)(void *)&address)->sin6_port);
}

static pg_status start(pg_httpd *httpd)
{
    const unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_POLL | MHD_USE_ITC;
    int listener = -1;
    PG_TRY(open_socket(&listener, &httpd->options));
    httpd->port = bound_port(listener);
    httpd->daemon = MHD_start_daemon(flags, 0, NULL, NULL, on_request, httpd, MHD_OPTION_LISTEN_SOCKET, listener,
                                     MHD_OPTION_CONNECTION_LIMIT, (unsigned)httpd->options.connections,
                                     MHD_OPTION_CONNECTION_MEMORY_LIMIT, HEAD_ROOM, MHD_OPTION_THREAD_STACK_SIZE, STACK,
                                     MHD_OPTION_NOTIFY_CONNECTION, on_connection, httpd, MHD_OPTION_NOTIFY_COMPLETED,
                                     on_completed, httpd, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
    if (!httpd->daemon) {
        close(listener);
        return pg_fail(PG_ERROR_MEMORY, "the HTTP server cannot be started: no memory, or no threads");
    }
    httpd->watching = pthread_create(&httpd->watcher, NULL, watch, httpd) == 0;
    return httpd->watching ? PG_OK : pg_fail(PG_ERROR_MEMORY, "no thread can be started");
}

pg_status pg_httpd_open(pg_httpd **out, const pg_httpd_options *options, const pg_http_calls *calls)
{
    pg_httpd *httpd = pg_alloc(1, sizeof *httpd);
    *out = NULL;
    if (!httpd)
        return PG_ERROR_MEMORY;
    *httpd = (pg_httpd){.options = *options, .calls = *calls};
    pthread_mutex_init(&httpd->lock, NULL);
    pthread_cond_init(&httpd->woken, NULL);
    pg_status status = start(httpd);
    if (status == PG_OK)
        *out = httpd;
    else
        pg_httpd_close(httpd);
    return status;
}

int pg_httpd_port(const pg_httpd *httpd)
{
    return httpd->port;
}

void pg_httpd_quiet(pg_httpd *httpd)
{
    if (httpd->quiet)
        return;
    httpd->quiet = true;
    int listener = MHD_quiesce_daemon(httpd->daemon);
    if (listener >= 0)
        close(listener);
}

void pg_httpd_close(pg_httpd *httpd)
{
    if (!httpd)
        return;
    if (httpd->daemon)
        MHD_stop_daemon(httpd->daemon);
    pthread_mutex_lock(&httpd->lock);
    httpd->closing = true;
    pthread_cond_signal(&httpd->woken);
    pthread_mutex_unlock(&httpd->lock);
    if (httpd->watching)
        pthread_join(httpd->watcher, NULL);
    pthread_cond_destroy(&httpd->woken);
    pthread_mutex_destroy(&httpd->lock);
    pg_free(httpd);
}
