/* Any bytes as the body of a request to a server that runs, over its socket: what is sent is answered, in HTTP, and no
 * input is the server's failure (500). The first byte chooses the route, the second how the body is sent: 'f' as a form
 * (multipart/form-data, boundary "edge"), else as JSON. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <paligemma.h>

#include "serve/routes.h"

#define FOLDER PG_TESTS_FOLDER "/golden/inference/"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static pg_server *server;

static void expect(bool holds)
{
    if (!holds)
        __builtin_trap(); /* in every kind of build */
}

static void stop(void)
{
    pg_server_free(server);
}

/* Answers are short here: what is looked for lies before them. */
static void start(void)
{
    pg_server_options options;
    pg_server_options_init(&options);
    options.port = 0;
    options.model = FOLDER "paligemma-tiny-f32/checkpoint";
    options.model_name = "tiny";
    options.siglip = FOLDER "siglip-tiny/checkpoint";
    options.siglip_name = "siglip";
    options.scheduler.session.threads = 1;
    options.scheduler.session.context = 320;
    options.max_body = (size_t)1 << 16;
    options.max_pixels = 1 << 16;
    options.deadline = 1;
    expect(pg_server_new(&server, &options) == PG_OK);
    atexit(stop);
}

/* Each connection comes from another of this machine's addresses: ports that were just used are not free at once. */
static int connect_to_server(void)
{
    static uint32_t turn;
    const int yes = 1;
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001u + turn++ % 0xfffff0u)};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    to.sin_port = htons((uint16_t)pg_server_port(server));
    int end = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    expect(end >= 0 && setsockopt(end, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0);
    expect(bind(end, (struct sockaddr *)&own, sizeof own) == 0);
    expect(connect(end, (struct sockaddr *)&to, sizeof to) == 0);
    return end;
}

/* The fuzzer's clock interrupts what waits. */
static void send_all(int end, const void *bytes, size_t size)
{
    const char *from = bytes;
    for (ssize_t sent; size; from += sent, size -= (size_t)sent)
        if ((sent = TEMP_FAILURE_RETRY(send(end, from, size, MSG_NOSIGNAL))) < 0)
            return; /* the server has said all it wants to */
}

static const char *choose_route(uint8_t choice)
{
    const char *paths[32];
    size_t count = 0;
    for (const pg_route *route = pg_routes; route->path; route++)
        if (strcmp(route->method, "POST") == 0)
            paths[count++] = route->path;
    return paths[(uint8_t)(choice - 'a') % count];
}

static void check_answer(int end)
{
    char answer[1 << 14];
    errno = 0;
    size_t size = 0;
    for (ssize_t more; (more = TEMP_FAILURE_RETRY(recv(end, answer + size, sizeof answer - 1 - size, 0))) > 0;) {
        size += (size_t)more;
        if (size == sizeof answer - 1)
            size /= 2; /* only the beginning counts */
    }
    answer[size] = 0;
    if (strncmp(answer, "HTTP/1.1 ", 9) != 0 || strncmp(answer + 9, "500", 3) == 0) {
        fprintf(stderr, "answered with: %s\n", size ? answer : strerror(errno));
        expect(false);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char head[300];
    if (size < 2)
        return 0;
    if (!server)
        start();
    int length = snprintf(head, sizeof head,
                          "POST %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: %zu\r\n"
                          "Content-Type: %s\r\n\r\n",
                          choose_route(data[0]), size - 2,
                          data[1] == 'f' ? "multipart/form-data; boundary=edge" : "application/json");
    int end = connect_to_server();
    send_all(end, head, (size_t)length);
    send_all(end, data + 2, size - 2);
    check_answer(end);
    close(end);
    return 0;
}
