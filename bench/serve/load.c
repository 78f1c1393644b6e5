/*
 * Load for an HTTP server on this machine: load PORT PATH RATE CONCURRENT <BODIES >ANSWERS
 *
 * BODIES: a JSON document a line, each sent as a POST to PATH on a connection of its own. RATE 0: as many as CONCURRENT
 * are under way until there are none left. RATE > 0: an open loop, requests at random moments, so many a second,
 * whatever is still under way. One thread that waits in epoll and only notes when bytes came: what they say is read by
 * run.py afterwards, so that the load takes little from the server on the other core.
 *
 * ANSWERS: for each request, in their order, a line of JSON {"size", "sent", "ended", "reads": [[SECONDS, BYTES], ...]}
 * and then its `size` bytes as they came, head and all. Exit status 1 where a connection failed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define EVENTS  256
#define PIECE   65536
#define FOREVER 3600.0

typedef struct reading {
    double time;
    size_t size;
} reading;

typedef struct request {
    char *body, *bytes;
    size_t body_size, size, capacity;
    reading *reads;
    size_t read_count, read_capacity;
    double due, sent, ended;
    int socket;
} request;

static request *requests;
static size_t count, started, ended;

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void die(const char *what)
{
    perror(what);
    exit(1);
}

/* Room for one more element than `used`. */
static void *grow(void *old, size_t *capacity, size_t used, size_t more, size_t size)
{
    if (used + more <= *capacity)
        return old;
    *capacity = 2 * (used + more);
    void *grown = realloc(old, *capacity * size);
    if (!grown)
        die("load");
    return grown;
}

static void read_bodies(void)
{
    char *line = NULL;
    size_t room = 0, capacity = 0;
    for (ssize_t size; (size = getline(&line, &room, stdin)) > 0; line = NULL, room = 0, count++) {
        requests = grow(requests, &capacity, count, 1, sizeof *requests);
        size -= line[size - 1] == '\n';
        requests[count] = (request){.body = line, .body_size = (size_t)size, .socket = -1};
    }
    free(line);
}

/* When each is to be sent: the times between two are distributed exponentially. */
static void set_times(double rate, double start)
{
    unsigned state = 1;
    for (size_t i = 0; i < count; i++) {
        requests[i].due = start;
        state = state * 1664525u + 1013904223u;
        if (rate > 0)
            start += -log(((state >> 8) + 0.5) / (1 << 24)) / rate;
    }
}

static void send_all(int socket, const char *bytes, size_t size)
{
    while (size) {
        ssize_t sent = send(socket, bytes, size, MSG_NOSIGNAL);
        if (sent < 0)
            die("load: send");
        bytes += sent;
        size -= (size_t)sent;
    }
}

static void start(int epoll, size_t index, uint16_t port, const char *path)
{
    request *r = &requests[index];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = index};
    char head[400];
    int size = snprintf(head, sizeof head,
                        "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n"
                        "Content-Length: %zu\r\n\r\n",
                        path, r->body_size);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    r->socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    r->sent = now();
    if (r->socket < 0 || connect(r->socket, (struct sockaddr *)&address, sizeof address) != 0)
        die("load: connect");
    send_all(r->socket, head, (size_t)size);
    send_all(r->socket, r->body, r->body_size);
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, r->socket, &event) != 0)
        die("load: epoll");
}

/* One piece of an answer, or its end. */
static void receive(request *r)
{
    r->bytes = grow(r->bytes, &r->capacity, r->size, PIECE, 1);
    ssize_t size = recv(r->socket, r->bytes + r->size, PIECE, 0);
    if (size < 0)
        die("load: recv");
    if (!size) {
        close(r->socket);
        r->ended = now();
        ended++;
        return;
    }
    r->reads = grow(r->reads, &r->read_capacity, r->read_count, 1, sizeof *r->reads);
    r->reads[r->read_count++] = (reading){now(), (size_t)size};
    r->size += (size_t)size;
}

/* Sends what is due and returns how long nothing will be. */
static double send_due(int epoll, uint16_t port, const char *path, size_t most)
{
    for (; started < count && started - ended < most; started++) {
        double left = requests[started].due - now();
        if (left > 0)
            return left;
        start(epoll, started, port, path);
    }
    return FOREVER;
}

static void run(uint16_t port, const char *path, size_t most)
{
    struct epoll_event events[EVENTS];
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0)
        die("load: epoll");
    while (ended < count) {
        double left = send_due(epoll, port, path, most);
        int ready = epoll_wait(epoll, events, EVENTS, (int)ceil(left * 1e3));
        if (ready < 0 && errno != EINTR)
            die("load: epoll");
        for (int i = 0; i < ready; i++)
            receive(&requests[events[i].data.u64]);
    }
    close(epoll);
}

static void print_all(double start)
{
    for (size_t i = 0; i < count; i++) {
        const request *r = &requests[i];
        printf("{\"size\": %zu, \"sent\": %.6f, \"ended\": %.6f, \"reads\": [", r->size, r->sent - start,
               r->ended - start);
        for (size_t k = 0; k < r->read_count; k++)
            printf("%s[%.6f, %zu]", k ? ", " : "", r->reads[k].time - start, r->reads[k].size);
        puts("]}");
        fwrite(r->bytes, 1, r->size, stdout);
    }
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "load PORT PATH RATE CONCURRENT <BODIES >ANSWERS\n");
        return 2;
    }
    double rate = strtod(argv[3], NULL), begin = now();
    read_bodies();
    set_times(rate, begin);
    run((uint16_t)atoi(argv[1]), argv[2], rate > 0 ? SIZE_MAX : strtoul(argv[4], NULL, 10));
    print_all(begin);
    return 0;
}
