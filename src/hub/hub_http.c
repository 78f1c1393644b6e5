/* The only file here that includes libcurl. */
#include "hub/hub_http.h"

#include <ctype.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

#define MOST_REDIRECTS  10
#define CONNECT_TIMEOUT 10L /* seconds */

typedef struct transfer transfer;

struct pg_http {
    CURLM *multi;
    const pg_hub_place *place;
    pg_buffer origin;                 /* the endpoint's "https://host:443" */
    struct curl_slist *authorization; /* NULL: no token */
    bool encrypted;                   /* the endpoint is https */
    transfer *transfers;
};

/* A request on its way. */
struct transfer {
    transfer *next;
    pg_http *http;
    CURL *easy;
    pg_http_request request;
    pg_http_answer answer;
    pg_buffer url; /* of this hop */
    int redirects;
};

/* ---------------------------------------------------------------- the client */

static void init_library(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

static char *part_of(CURLU *parsed, CURLUPart part)
{
    char *text = NULL;
    return curl_url_get(parsed, part, &text, part == CURLUPART_PORT ? CURLU_DEFAULT_PORT : 0) == CURLUE_OK ? text
                                                                                                           : NULL;
}

/* "https://host:443" of an address in small letters; empty for what is neither http nor https. *named: it holds a
 * user or a password. */
static pg_status find_origin(pg_buffer *out, bool *named, const char *url)
{
    CURLU *parsed = curl_url();
    if (!parsed)
        return pg_fail_memory(1);
    pg_buffer_reset(out);
    pg_status status = PG_OK;
    if (curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK) {
        char *scheme = part_of(parsed, CURLUPART_SCHEME), *host = part_of(parsed, CURLUPART_HOST);
        char *port = part_of(parsed, CURLUPART_PORT), *user = part_of(parsed, CURLUPART_USER);
        *named = user != NULL;
        if (scheme && host && port && (!strcasecmp(scheme, "http") || !strcasecmp(scheme, "https")))
            status = pg_buffer_print(out, "%s://%s:%s", scheme, host, port);
        curl_free(scheme);
        curl_free(host);
        curl_free(port);
        curl_free(user);
    }
    curl_url_cleanup(parsed);
    for (size_t i = 0; i < out->size; i++)
        out->data[i] = (char)tolower((unsigned char)out->data[i]);
    return status;
}

static pg_status prepare(pg_http *http)
{
    bool named = false;
    PG_TRY(find_origin(&http->origin, &named, http->place->endpoint.data));
    if (!http->origin.size)
        return pg_fail(PG_ERROR_ARGUMENT, "HF_ENDPOINT: \"%s\" is no address", http->place->endpoint.data);
    if (named)
        return pg_fail(PG_ERROR_ARGUMENT, "HF_ENDPOINT: holds the name of a user; put a token into HF_TOKEN instead");
    http->encrypted = !strncmp(http->origin.data, "https:", 6);
    http->multi = curl_multi_init();
    if (!http->multi)
        return pg_fail_memory(1);
    if (!http->place->token.size)
        return PG_OK;
    pg_buffer line = {0};
    pg_status status = pg_buffer_print(&line, "Authorization: Bearer %s", http->place->token.data);
    if (status == PG_OK && !(http->authorization = curl_slist_append(NULL, line.data)))
        status = pg_fail_memory(line.size);
    if (line.data)
        explicit_bzero(line.data, line.capacity);
    pg_buffer_free(&line);
    return status;
}

pg_status pg_http_new(pg_http **out, const pg_hub_place *place)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, init_library);
    pg_http *http = pg_alloc(1, sizeof *http);
    *out = NULL;
    if (!http)
        return PG_ERROR_MEMORY;
    http->place = place;
    pg_status status = prepare(http);
    if (status == PG_OK)
        *out = http;
    else
        pg_http_free(http);
    return status;
}

static void free_transfer(transfer *gone)
{
    if (gone->easy) {
        curl_multi_remove_handle(gone->http->multi, gone->easy);
        curl_easy_cleanup(gone->easy);
    }
    pg_buffer_free(&gone->url);
    pg_free(gone);
}

void pg_http_drop(pg_http *http)
{
    for (transfer *next, *at = http->transfers; at; at = next) {
        next = at->next;
        free_transfer(at);
    }
    http->transfers = NULL;
}

void pg_http_free(pg_http *http)
{
    if (!http)
        return;
    pg_http_drop(http);
    if (http->multi)
        curl_multi_cleanup(http->multi);
    if (http->authorization && http->authorization->data)
        explicit_bzero(http->authorization->data, strlen(http->authorization->data));
    curl_slist_free_all(http->authorization);
    pg_buffer_free(&http->origin);
    pg_free(http);
}

/* ---------------------------------------------------------------- answers */

static void keep_value(char out[PG_HTTP_VALUE], const char *text, size_t size)
{
    while (size && isspace((unsigned char)*text))
        text++, size--;
    while (size && isspace((unsigned char)text[size - 1]))
        size--;
    if (size >= PG_HTTP_VALUE)
        size = 0;
    memcpy(out, text, size);
    out[size] = 0;
}

static size_t on_header(char *line, size_t unit, size_t count, void *user)
{
    static const char *const names[] = {
        [PG_HTTP_ETAG] = "etag",
        [PG_HTTP_LINKED_ETAG] = "x-linked-etag",
        [PG_HTTP_RANGE] = "content-range",
        [PG_HTTP_LINKED_SIZE] = "x-linked-size",
        [PG_HTTP_LENGTH] = "content-length",
        [PG_HTTP_ERROR_CODE] = "x-error-code",
    };
    pg_http_answer *answer = user;
    size_t size = unit * count;
    if (size >= 5 && !memcmp(line, "HTTP/", 5)) /* another answer begins: after 100 Continue, or a proxy's */
        memset(answer->headers, 0, sizeof answer->headers);
    for (size_t i = 0; i < PG_HTTP_HEADERS; i++) {
        size_t length = strlen(names[i]);
        if (size > length && line[length] == ':' && !strncasecmp(line, names[i], length))
            keep_value(answer->headers[i], line + length + 1, size - length - 1);
    }
    return size;
}

static size_t on_body(char *bytes, size_t unit, size_t count, void *user)
{
    transfer *at = user;
    size_t size = unit * count;
    curl_easy_getinfo(at->easy, CURLINFO_RESPONSE_CODE, &at->answer.code);
    if ((at->answer.code != 200 && at->answer.code != 206) || !at->request.on_body)
        return size; /* what an error or a redirect says in HTML */
    at->answer.stopped = !at->request.on_body(at->request.user, &at->answer, bytes, size);
    return at->answer.stopped ? 0 : size;
}

/* ---------------------------------------------------------------- requests */

/* Certificates of a company's proxy, where other programs are told about them. */
static const char *certificates(void)
{
    static const char *const names[] = {"REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = getenv(names[i]);
        if (value && *value)
            return value;
    }
    return NULL;
}

/* What is the same for every hop. HTTP/1.1, since HTTP/2 would put all requests into one connection. */
static void set_options(transfer *at)
{
    const pg_http_request *request = &at->request;
    CURL *easy = at->easy;
    curl_easy_setopt(easy, CURLOPT_PRIVATE, at);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_NOBODY, request->head ? 1L : 0L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, CONNECT_TIMEOUT);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, request->timeout);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 256L << 10);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, &at->answer);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, at);
    if (certificates())
        curl_easy_setopt(easy, CURLOPT_CAINFO, certificates());
}

/* What libcurl copies, and may have no memory for. */
static bool set_texts(transfer *at)
{
    char range[48], agent[48];
    snprintf(agent, sizeof agent, "paligemma/%s", pg_version());
    snprintf(range, sizeof range, "%lld-%lld", (long long)at->request.from, (long long)at->request.to);
    return curl_easy_setopt(at->easy, CURLOPT_USERAGENT, agent) == CURLE_OK &&
           curl_easy_setopt(at->easy, CURLOPT_URL, at->url.data) == CURLE_OK &&
           curl_easy_setopt(at->easy, CURLOPT_RANGE, at->request.ranged ? range : NULL) == CURLE_OK;
}

static pg_status send_hop(transfer *at, bool own_host)
{
    pg_http *http = at->http;
    memset(&at->answer, 0, sizeof at->answer);
    at->answer.url = at->url.data;
    at->answer.own_host = own_host;
    if (!set_texts(at) ||
        curl_easy_setopt(at->easy, CURLOPT_HTTPHEADER, own_host ? http->authorization : NULL) != CURLE_OK ||
        curl_multi_add_handle(http->multi, at->easy) != CURLM_OK)
        return pg_fail_memory(at->url.size);
    return PG_OK;
}

/* Where an address leads: *trouble says why it is not gone to. */
static pg_status judge_address(bool *own_host, const char **trouble, const pg_http *http, const char *url)
{
    pg_buffer origin = {0};
    bool named = false;
    pg_status status = find_origin(&origin, &named, url);
    if (status == PG_OK && (!origin.size || named))
        *trouble = "redirected to what is no address";
    else if (status == PG_OK && http->encrypted && strncmp(origin.data, "https:", 6))
        *trouble = "redirected to an address that is not encrypted";
    *own_host = status == PG_OK && origin.size && !strcmp(origin.data, http->origin.data);
    pg_buffer_free(&origin);
    return status;
}

pg_status pg_http_start(pg_http *http, const pg_http_request *request)
{
    bool own_host = false;
    const char *trouble = NULL;
    PG_TRY(judge_address(&own_host, &trouble, http, request->url));
    if (trouble)
        return pg_fail(PG_ERROR_FORMAT, "the hub: %s", trouble);
    transfer *at = pg_alloc(1, sizeof *at);
    if (!at)
        return PG_ERROR_MEMORY;
    at->http = http;
    at->request = *request;
    pg_status status = pg_buffer_print(&at->url, "%s", request->url);
    if (status == PG_OK && !(at->easy = curl_easy_init()))
        status = pg_fail_memory(1);
    if (status == PG_OK) {
        set_options(at);
        status = send_hop(at, own_host);
    }
    if (status != PG_OK) {
        free_transfer(at);
        return status;
    }
    at->next = http->transfers;
    http->transfers = at;
    return PG_OK;
}

/* ---------------------------------------------------------------- what came of them */

static bool is_hopeless(CURLcode result)
{
    return result == CURLE_PEER_FAILED_VERIFICATION || result == CURLE_SSL_CACERT_BADFILE ||
           result == CURLE_UNSUPPORTED_PROTOCOL || result == CURLE_URL_MALFORMAT ||
           result == CURLE_COULDNT_RESOLVE_PROXY;
}

static void note_result(transfer *at, CURLcode result)
{
    pg_http_answer *answer = &at->answer;
    curl_off_t seconds = 0;
    long proxy = 0;
    curl_easy_getinfo(at->easy, CURLINFO_RESPONSE_CODE, &answer->code);
    curl_easy_getinfo(at->easy, CURLINFO_RETRY_AFTER, &seconds);
    answer->retry_after = (double)seconds;
    answer->trouble = result == CURLE_OK || answer->stopped ? NULL : curl_easy_strerror(result);
    answer->unreachable = result == CURLE_COULDNT_RESOLVE_HOST || result == CURLE_COULDNT_CONNECT;
    answer->hopeless = is_hopeless(result);
    curl_easy_getinfo(at->easy, CURLINFO_HTTP_CONNECTCODE, &proxy);
    if (proxy == 407 && answer->trouble) {
        answer->trouble = "the proxy wants a name and a password (https_proxy=http://NAME:PASSWORD@HOST:PORT)";
        answer->hopeless = true;
    }
}

/* Goes where the answer points; *followed: it did, so there will be another answer. */
static pg_status follow(bool *followed, transfer *at)
{
    long code = at->answer.code;
    const char *trouble = NULL;
    char *target = NULL;
    bool own_host;
    if (at->answer.trouble || at->answer.stopped ||
        (code != 301 && code != 302 && code != 303 && code != 307 && code != 308) ||
        curl_easy_getinfo(at->easy, CURLINFO_REDIRECT_URL, &target) != CURLE_OK || !target)
        return PG_OK;
    PG_TRY(judge_address(&own_host, &trouble, at->http, target));
    if (at->request.head && !own_host)
        return PG_OK;
    if (!trouble && ++at->redirects > MOST_REDIRECTS)
        trouble = "redirected more than ten times";
    at->answer.trouble = trouble;
    at->answer.hopeless = trouble != NULL;
    if (trouble)
        return PG_OK;
    pg_buffer url = {0};
    PG_TRY(pg_buffer_print(&url, "%s", target)); /* before the handle forgets it */
    pg_buffer_free(&at->url);
    at->url = url;
    *followed = true;
    return send_hop(at, own_host);
}

static void unlink_transfer(transfer *gone)
{
    transfer **place = &gone->http->transfers;
    while (*place != gone)
        place = &(*place)->next;
    *place = gone->next;
}

static pg_status finish(transfer *at, CURLcode result)
{
    bool followed = false;
    note_result(at, result);
    curl_multi_remove_handle(at->http->multi, at->easy);
    pg_status status = follow(&followed, at);
    if (status == PG_OK && followed)
        return PG_OK;
    unlink_transfer(at);
    if (status == PG_OK)
        at->request.on_done(at->request.user, &at->answer);
    free_transfer(at);
    return status;
}

static pg_status fail_multi(CURLMcode code)
{
    return pg_fail(code == CURLM_OUT_OF_MEMORY ? PG_ERROR_MEMORY : PG_ERROR_FILE, "the hub: %s",
                   curl_multi_strerror(code));
}

pg_status pg_http_wait(pg_http *http, int milliseconds)
{
    int running, left;
    CURLMcode code = curl_multi_poll(http->multi, NULL, 0, milliseconds, NULL);
    if (code == CURLM_OK)
        code = curl_multi_perform(http->multi, &running);
    if (code != CURLM_OK)
        return fail_multi(code);
    for (CURLMsg *message; (message = curl_multi_info_read(http->multi, &left));) {
        char *private = NULL;
        CURLcode result = message->data.result;
        if (message->msg == CURLMSG_DONE &&
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private) == CURLE_OK)
            PG_TRY(finish((transfer *)(void *)private, result));
    }
    return PG_OK;
}

pg_status pg_http_quote(pg_buffer *out, const char *text, bool slashes)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        bool plain = isalnum(c) || strchr("-._~", c) || (slashes && c == '/');
        PG_TRY(plain ? pg_buffer_append(out, text, 1) : pg_buffer_print(out, "%%%02X", c));
    }
    return pg_buffer_append(out, "", 0);
}
