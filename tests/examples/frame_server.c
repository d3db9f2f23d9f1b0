/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An echo server for length-prefixed frames, one thread, epoll: connections, requests and buffers
 * come from pools, payloads travel from reception to reply without being copied.
 *
 *     frame_server [FRAMES]        serves a load client on the loopback and prints what it took
 *
 * It fails if a byte was copied, a buffer or object is still out at the end, or serving a frame
 * took memory from the system once the pools were warm. */
#include "frames.h"

#include "frame_client.h"

#include <signal.h>
#include <sys/epoll.h>

enum {
    CLIENTS = 4,
    DEFAULT_FRAMES = 40000,
    WARM_UP_PERCENT = 25,
    EVENTS = 16,
    VECTORS = 64,
};

struct connection {
    int descriptor;
    bool waits_to_write;
    struct decoder decoder;
    pm_buf *outbox; /* composite of replies not yet written; NULL: none */
};

struct request {
    struct connection *connection;
    pm_buf *payload;
};

static struct {
    int listener;
    int epoll;
    int open_connections;
    long frames;
    pm_pool *connections;
    pm_pool *requests;
} server;

/* What the pools and the system gave so far. */
struct usage {
    long frames;
    uint64_t misses; /* objects and blocks that were not in a pool */
    long mapped_pages;
};

static struct usage warm; /* at WARM_UP_PERCENT of the frames */
static long warm_up_frames;

static void check(bool good, const char *what)
{
    if (!good) {
        perror(what);
        exit(EXIT_FAILURE);
    }
}

static long mapped_pages(void)
{
    char line[100];
    FILE *file = fopen("/proc/self/statm", "r");
    check(file != NULL && fgets(line, sizeof(line), file) != NULL, "statm");
    fclose(file);
    return strtol(line, NULL, 10);
}

static struct usage usage_now(void)
{
    pm_buf_stats buffers = pm_buf_get_stats();
    return (struct usage){
        .frames = server.frames,
        .misses = buffers.handle_misses + buffers.storage_misses +
                  pm_pool_get_stats(server.connections).misses +
                  pm_pool_get_stats(server.requests).misses,
        .mapped_pages = mapped_pages(),
    };
}

/* ---- Requests ------------------------------------------------------------------------------- */

static bool answer(struct request *request)
{
    struct connection *connection = request->connection;
    if (connection->outbox == NULL) {
        connection->outbox = pm_buf_create_composite();
    }
    return connection->outbox != NULL && frame_write(connection->outbox, pm_keep(request->payload));
}

static bool serve(struct connection *connection, pm_buf *payload)
{
    PM_AUTO_PUT pm_held held = pm_pool_hold(server.requests);
    struct request *request = held.object;
    *request = (struct request){connection, payload};
    server.frames++;
    if (server.frames == warm_up_frames) {
        warm = usage_now();
    }
    return answer(request);
}

/* Puts away what a request still holds: no stale state travels to the next. */
static void reset_request(void *object, void *context)
{
    struct request *request = object;
    (void)context;
    pm_buf_release(request->payload);
    *request = (struct request){NULL, NULL};
}

/* ---- Connections ---------------------------------------------------------------------------- */

static void reset_connection(void *object, void *context)
{
    struct connection *connection = object;
    (void)context;
    decoder_fini(&connection->decoder);
    pm_buf_release(connection->outbox);
    *connection = (struct connection){.descriptor = -1};
}

static void watch(struct connection *connection, int operation)
{
    struct epoll_event event = {.events = connection->waits_to_write ? EPOLLIN | EPOLLOUT : EPOLLIN,
                                .data.ptr = connection};
    check(epoll_ctl(server.epoll, operation, connection->descriptor, &event) == 0, "epoll_ctl");
}

static void accept_connection(void)
{
    int descriptor = accept4(server.listener, NULL, NULL, SOCK_NONBLOCK);
    check(descriptor >= 0, "accept");
    send_at_once(descriptor);
    struct connection *connection = pm_pool_get(server.connections);
    check(connection != NULL, "connection");
    connection->descriptor = descriptor;
    watch(connection, EPOLL_CTL_ADD);
    server.open_connections++;
}

static void end_connection(struct connection *connection)
{
    close(connection->descriptor);
    pm_pool_put(server.connections, connection);
    server.open_connections--;
}

static bool write_replies(struct connection *connection)
{
    struct iovec vectors[VECTORS];
    bool blocked = false;
    while (connection->outbox != NULL && !blocked) {
        size_t count = pm_buf_read_vectors(connection->outbox, vectors, VECTORS);
        ssize_t written = writev(connection->descriptor, vectors, (int)count);
        if (written < 0 && errno != EAGAIN) {
            return false;
        }
        blocked = written < 0;
        pm_buf_skip(connection->outbox, blocked ? 0 : (size_t)written);
        if (pm_buf_readable(connection->outbox) == 0) {
            pm_buf_release(pm_keep(connection->outbox));
        }
    }
    if (blocked != connection->waits_to_write) {
        connection->waits_to_write = blocked;
        watch(connection, EPOLL_CTL_MOD);
    }
    return true;
}

static bool serve_received(struct connection *connection)
{
    pm_buf *payload;
    enum frame_result result;
    while ((result = decoder_next(&connection->decoder, &payload)) == FRAME_COMPLETE) {
        if (!serve(connection, payload)) {
            return false;
        }
    }
    return result == FRAME_PARTIAL;
}

static void on_event(struct connection *connection)
{
    ssize_t received = decoder_receive(&connection->decoder, connection->descriptor);
    bool alive = received > 0 || (received < 0 && errno == EAGAIN);
    if (!alive || !serve_received(connection) || !write_replies(connection)) {
        end_connection(connection);
    }
}

/* ---- Server --------------------------------------------------------------------------------- */

static uint16_t listen_on_loopback(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t address_bytes = sizeof(address);
    server.listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    check(bind(server.listener, (struct sockaddr *)&address, address_bytes) == 0, "bind");
    check(listen(server.listener, CLIENTS) == 0, "listen");
    check(getsockname(server.listener, (struct sockaddr *)&address, &address_bytes) == 0, "port");
    server.epoll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    check(epoll_ctl(server.epoll, EPOLL_CTL_ADD, server.listener, &event) == 0, "epoll_ctl");
    return ntohs(address.sin_port);
}

static void create_pools(void)
{
    server.connections =
        pm_pool_create(&(pm_pool_options){.object_bytes = sizeof(struct connection),
                                          .reset = reset_connection,
                                          .name = "connections"});
    server.requests = pm_pool_create(&(pm_pool_options){
        .object_bytes = sizeof(struct request), .reset = reset_request, .name = "requests"});
    check(server.connections != NULL && server.requests != NULL, "pools");
}

/* Serves until all clients have come and gone. */
static void run_server(int expected_connections)
{
    struct epoll_event events[EVENTS];
    int accepted = 0;
    while (accepted < expected_connections || server.open_connections > 0) {
        int count = epoll_wait(server.epoll, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr == NULL) {
                accept_connection();
                accepted++;
            } else {
                on_event(events[i].data.ptr);
            }
        }
    }
}

static bool join_clients(struct client *clients)
{
    bool ok = true;
    for (int i = 0; i < CLIENTS; i++) {
        pthread_join(clients[i].thread, NULL);
        ok = ok && clients[i].ok;
    }
    return ok;
}

static void start_clients(struct client *clients, uint16_t port, long frames)
{
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] =
            (struct client){.port = port, .frames = frames / CLIENTS, .seed = (unsigned)i + 1};
        check(pthread_create(&clients[i].thread, NULL, client_run, &clients[i]) == 0, "client");
    }
}

static bool report(void)
{
    struct usage end = usage_now();
    pm_buf_stats buffers = pm_buf_get_stats();
    pm_pool_stats requests = pm_pool_get_stats(server.requests);
    pm_pool_stats connections = pm_pool_get_stats(server.connections);
    long warm_frames = end.frames - warm.frames;
    long warm_misses = (long)(end.misses - warm.misses);
    long warm_pages = end.mapped_pages - warm.mapped_pages;
    printf("frames %ld, connections %lu, requests %lu, buffers %lu\n", end.frames, connections.gets,
           requests.gets, buffers.created);
    printf("after warm-up: %ld frames, %ld pages mapped, %ld objects not from a pool\n",
           warm_frames, warm_pages, warm_misses);
    printf("bytes copied %lu, buffers still held %lu\n", buffers.copied_bytes, buffers.live);
    bool nothing_held =
        buffers.live == 0 && requests.gets == requests.puts && connections.gets == connections.puts;
    /* Unused stock leaves the pools, so that a later burst may make a few objects anew. */
    return nothing_held && buffers.copied_bytes == 0 && warm_pages <= 0 &&
           warm_misses * 100 <= warm_frames && pm_misuse_count() == 0;
}

int main(int argc, char **argv)
{
    struct client clients[CLIENTS];
    long frames = argc > 1 ? strtol(argv[1], NULL, 10) : DEFAULT_FRAMES;
    warm_up_frames = frames * WARM_UP_PERCENT / 100;
    signal(SIGPIPE, SIG_IGN);
    pm_set_checking(true);
    create_pools();
    start_clients(clients, listen_on_loopback(), frames);
    run_server(CLIENTS);
    bool echoed = join_clients(clients);
    bool good = report();
    pm_pool_destroy(server.requests);
    pm_pool_destroy(server.connections);
    puts(echoed && good ? "ok" : "FAILED");
    return echoed && good ? EXIT_SUCCESS : EXIT_FAILURE;
}
