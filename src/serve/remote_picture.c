#include "serve/remote_picture.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netdb.h>
#include <pthread.h>
#include <string.h>

#define HOPS 4 /* one, and three redirects */

/* ---------------------------------------------------------------- addresses */

/* Special ranges of IPv4 (RFC 6890 and later): network and length of its prefix. */
static const struct {
    uint32_t network;
    int bits;
} special_four[] = {
    {0x00000000, 8},  {0x0A000000, 8},  {0x64400000, 10}, {0x7F000000, 8},  {0xA9FE0000, 16},
    {0xAC100000, 12}, {0xC0000000, 24}, {0xC0000200, 24}, {0xC0586300, 24}, {0xC0A80000, 16},
    {0xC6120000, 15}, {0xC6336400, 24}, {0xCB007100, 24}, {0xE0000000, 4},  {0xF0000000, 4},
};

static bool is_public_four(uint32_t address)
{
    for (size_t i = 0; i < sizeof special_four / sizeof *special_four; i++)
        if ((address ^ special_four[i].network) >> (32 - special_four[i].bits) == 0)
            return false;
    return true;
}

/* Global unicast is 2000::/3; of it, what leads to IPv4 (6to4, Teredo) and documentation are not. Addresses that stand
 * for IPv4 ones (::ffff:0:0/96, 64:ff9b::/96) are outside of it. */
static bool is_public_six(const uint8_t bytes[16])
{
    static const uint8_t teredo[] = {0x20, 0x01, 0x00, 0x00}, documentation[] = {0x20, 0x01, 0x0d, 0xb8},
                         six_to_four[] = {0x20, 0x02};
    return bytes[0] >> 5 == 1 && memcmp(bytes, teredo, 4) != 0 && memcmp(bytes, documentation, 4) != 0 &&
           memcmp(bytes, six_to_four, 2) != 0;
}

bool pg_address_is_public(const char *address)
{
    struct in_addr four;
    struct in6_addr six;
    if (inet_pton(AF_INET, address, &four) == 1)
        return is_public_four(ntohl(four.s_addr));
    return inet_pton(AF_INET6, address, &six) == 1 && is_public_six(six.s6_addr);
}

static bool is_address(const char *host)
{
    uint8_t bytes[16];
    return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

/* ---------------------------------------------------------------- where to */

/* A URL in parts, and the address that its host has. */
typedef struct target {
    char host[256], port[8], scheme[8];
    char address[64];
} target;

static bool take_part(char *out, size_t room, CURLU *url, CURLUPart part, unsigned flags)
{
    char *text = NULL;
    bool taken = curl_url_get(url, part, &text, flags) == CURLUE_OK && strlen(text) < room;
    if (taken)
        memcpy(out, text, strlen(text) + 1);
    curl_free(text);
    return taken;
}

static bool has_part(CURLU *url, CURLUPart part)
{
    char *text = NULL;
    bool found = curl_url_get(url, part, &text, 0) == CURLUE_OK;
    curl_free(text);
    return found;
}

static bool take_parts(target *out, CURLU *url, const char *text)
{
    if (curl_url_set(url, CURLUPART_URL, text, 0) != CURLUE_OK || has_part(url, CURLUPART_USER) ||
        has_part(url, CURLUPART_PASSWORD))
        return false;
    return take_part(out->scheme, sizeof out->scheme, url, CURLUPART_SCHEME, 0) &&
           take_part(out->host, sizeof out->host, url, CURLUPART_HOST, 0) &&
           take_part(out->port, sizeof out->port, url, CURLUPART_PORT, CURLU_DEFAULT_PORT);
}

static pg_status read_url(target *out, const char *text)
{
    CURLU *url = curl_url();
    if (!url)
        return pg_fail(PG_ERROR_MEMORY, "out of memory");
    bool whole = take_parts(out, url, text);
    curl_url_cleanup(url);
    size_t size = strlen(out->host);
    if (whole && size > 2 && out->host[0] == '[') { /* [::1] */
        memmove(out->host, out->host + 1, size - 2);
        out->host[size - 2] = 0;
    }
    if (whole && (strcmp(out->scheme, "http") == 0 || strcmp(out->scheme, "https") == 0))
        return PG_OK;
    return pg_fail(PG_ERROR_ARGUMENT, "not an http: or https: URL without a password");
}

/* "host", which stands for the scheme's own port, "host:port" or "[::1]:port". */
static bool is_allowed(const pg_server_options *options, const target *to)
{
    bool usual = strcmp(to->port, strcmp(to->scheme, "https") == 0 ? "443" : "80") == 0;
    char with_port[300];
    snprintf(with_port, sizeof with_port, strchr(to->host, ':') ? "[%s]:%s" : "%s:%s", to->host, to->port);
    for (size_t i = 0; i < options->image_host_count; i++)
        if (strcasecmp(options->image_hosts[i], with_port) == 0 ||
            (usual && strcasecmp(options->image_hosts[i], to->host) == 0))
            return true;
    return false;
}

/* Takes the first address; a host written in figures is one that the options name so. */
static pg_status take_address(target *to, const struct addrinfo *found)
{
    for (const struct addrinfo *at = found; at; at = at->ai_next) {
        char address[64];
        if (getnameinfo(at->ai_addr, at->ai_addrlen, address, sizeof address, NULL, 0, NI_NUMERICHOST) != 0)
            continue;
        if (!pg_address_is_public(address) && !is_address(to->host))
            return pg_fail(PG_ERROR_ARGUMENT, "%s has an address that is not public", to->host);
        if (!to->address[0])
            memcpy(to->address, address, sizeof address);
    }
    return to->address[0] ? PG_OK : pg_fail(PG_ERROR_FILE, "%s has no address", to->host);
}

/* "localhost" and what ends so are this machine, also where no resolver knows it, for want of /etc/hosts (RFC 6761). */
static bool is_local_name(const char *host)
{
    const char *dot = strrchr(host, '.');
    return strcasecmp(dot ? dot + 1 : host, "localhost") == 0;
}

static pg_status resolve(target *to)
{
    const struct addrinfo wanted = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    if (is_local_name(to->host))
        return pg_fail(PG_ERROR_ARGUMENT, "%s has an address that is not public", to->host);
    if (getaddrinfo(to->host, to->port, &wanted, &found) != 0)
        return pg_fail(PG_ERROR_ARGUMENT, "%s has no address", to->host);
    pg_status status = take_address(to, found);
    freeaddrinfo(found);
    return status;
}

static pg_status find_target(target *out, const pg_server_options *options, const char *url)
{
    *out = (target){0};
    PG_TRY(read_url(out, url));
    if (!is_allowed(options, out))
        return pg_fail(PG_ERROR_ARGUMENT, "pictures of %s, port %s, are not fetched: send them as data: URLs",
                       out->host, out->port);
    return resolve(out);
}

/* ---------------------------------------------------------------- fetching */

typedef struct receiving {
    pg_buffer *out;
    size_t most;
    pg_status status;
} receiving;

static size_t receive(char *bytes, size_t size, size_t count, void *user)
{
    receiving *into = user;
    size_t more = size * count;
    if (into->out->size + more > into->most)
        into->status = pg_fail(PG_ERROR_LIMIT, "the picture has more than %zu bytes", into->most);
    else
        into->status = pg_buffer_append(into->out, bytes, more);
    return into->status == PG_OK ? more : 0;
}

/* CURLOPT_XFERINFOFUNCTION: called now and then; what is not 0 ends the transfer. */
static int is_unwanted(void *user, curl_off_t most, curl_off_t now, curl_off_t most_up, curl_off_t up)
{
    (void)most, (void)now, (void)most_up, (void)up;
    return user && pg_exchange_check(user) != PG_OK;
}

/* Fixes the name to its address; a host in figures is one already. */
static pg_status pin(struct curl_slist **out, const target *to)
{
    char entry[400];
    *out = NULL;
    if (is_address(to->host))
        return PG_OK;
    snprintf(entry, sizeof entry, strchr(to->address, ':') ? "%s:%s:[%s]" : "%s:%s:%s", to->host, to->port,
             to->address);
    *out = curl_slist_append(NULL, entry);
    return *out ? PG_OK : pg_fail(PG_ERROR_MEMORY, "out of memory");
}

static void prepare(CURL *curl, const char *url, const struct curl_slist *pinned, receiving *into, double timeout,
                    const pg_exchange *exchange)
{
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, is_unwanted);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, exchange);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_RESOLVE, pinned);
    curl_easy_setopt(curl, CURLOPT_PROXY, ""); /* a proxy would resolve the name again */
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)(timeout * 1000));
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, receive);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, into);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "paligemma");
}

/* What came of a hop: the file, or in *next where it is instead. */
static pg_status judge(char **next, CURL *curl, CURLcode code, const receiving *into, const pg_exchange *exchange)
{
    long status = 0;
    const char *elsewhere = NULL;
    if (into->status != PG_OK)
        return into->status;
    if (code == CURLE_ABORTED_BY_CALLBACK)
        PG_TRY(pg_exchange_check(exchange));
    if (code != CURLE_OK)
        return pg_fail(PG_ERROR_ARGUMENT, "the picture cannot be fetched: %s", curl_easy_strerror(code));
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(curl, CURLINFO_REDIRECT_URL, &elsewhere);
    if (elsewhere) {
        *next = pg_copy_text(elsewhere, SIZE_MAX);
        return *next ? PG_OK : PG_ERROR_MEMORY;
    }
    return status == 200 ? PG_OK : pg_fail(PG_ERROR_ARGUMENT, "the picture's server answers %ld", status);
}

static pg_status fetch_once(pg_buffer *out, char **next, const pg_server_options *options, const char *url,
                            const pg_exchange *exchange)
{
    target to;
    receiving into = {out, options->max_body, PG_OK};
    struct curl_slist *pinned;
    if (exchange)
        PG_TRY(pg_exchange_check(exchange));
    PG_TRY(find_target(&to, options, url));
    PG_TRY(pin(&pinned, &to));
    CURL *curl = curl_easy_init();
    pg_status status = curl ? PG_OK : pg_fail(PG_ERROR_MEMORY, "out of memory");
    pg_buffer_reset(out);
    if (status == PG_OK) {
        prepare(curl, url, pinned, &into, options->timeout, exchange);
        status = judge(next, curl, curl_easy_perform(curl), &into, exchange);
    }
    curl_slist_free_all(pinned);
    curl_easy_cleanup(curl);
    return status;
}

static void start_curl(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

pg_status pg_remote_picture_fetch(pg_buffer *out, const pg_server_options *options, const char *url,
                                  const pg_exchange *exchange)
{
    static pthread_once_t started = PTHREAD_ONCE_INIT;
    char *here = pg_copy_text(url, SIZE_MAX);
    pg_status status = here ? PG_OK : PG_ERROR_MEMORY;
    pthread_once(&started, start_curl);
    for (int hop = 0; status == PG_OK && here; hop++) {
        char *next = NULL;
        status = hop < HOPS
                     ? fetch_once(out, &next, options, here, exchange)
                     : pg_fail(PG_ERROR_ARGUMENT, "the picture's server leads elsewhere more than %d times", HOPS - 1);
        pg_free(here);
        here = next;
    }
    pg_free(here);
    return status;
}
