/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A load client: sends frames of random length in pieces of random length and checks that exactly
 * the same bytes come back. */
#ifndef FRAME_CLIENT_H
#define FRAME_CLIENT_H

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CLIENT_BATCH_FRAMES = 32, CLIENT_PAYLOAD_MAX_BYTES = 1500 };

struct client {
    pthread_t thread;
    uint16_t port;
    long frames; /* to send */
    unsigned seed;
    bool ok; /* all came back */
};

static size_t client_fill(uint8_t *bytes, unsigned *seed)
{
    size_t used = 0;
    for (int i = 0; i < CLIENT_BATCH_FRAMES; i++) {
        uint32_t length = (uint32_t)rand_r(seed) % CLIENT_PAYLOAD_MAX_BYTES;
        uint32_t prefix = htonl(length);
        memcpy(bytes + used, &prefix, sizeof(prefix));
        memset(bytes + used + sizeof(prefix), rand_r(seed), length);
        used += sizeof(prefix) + length;
    }
    return used;
}

static bool client_send(int descriptor, const uint8_t *bytes, size_t count, unsigned *seed)
{
    while (count > 0) {
        size_t piece = 1 + (size_t)rand_r(seed) % (CLIENT_PAYLOAD_MAX_BYTES * 8);
        ssize_t sent = write(descriptor, bytes, piece < count ? piece : count);
        if (sent <= 0) {
            return false;
        }
        bytes += sent;
        count -= (size_t)sent;
    }
    return true;
}

static bool client_expect(int descriptor, const uint8_t *bytes, size_t count)
{
    static _Thread_local uint8_t echoed[64 * 1024];
    while (count > 0) {
        ssize_t got = read(descriptor, echoed, count < sizeof(echoed) ? count : sizeof(echoed));
        if (got <= 0 || memcmp(echoed, bytes, (size_t)got) != 0) {
            return false;
        }
        bytes += got;
        count -= (size_t)got;
    }
    return true;
}

/* Small pieces go out at once instead of waiting for the peer's acknowledgement. */
static inline void send_at_once(int descriptor)
{
    int on = 1;
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

static int client_connect(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int descriptor = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(descriptor, (struct sockaddr *)&address, sizeof(address)) != 0) {
        perror("connect");
        exit(EXIT_FAILURE);
    }
    send_at_once(descriptor);
    return descriptor;
}

static void *client_run(void *argument)
{
    static _Thread_local uint8_t bytes[CLIENT_BATCH_FRAMES * (CLIENT_PAYLOAD_MAX_BYTES + 4)];
    struct client *client = argument;
    int descriptor = client_connect(client->port);
    client->ok = true;
    for (long sent = 0; client->ok && sent < client->frames; sent += CLIENT_BATCH_FRAMES) {
        size_t count = client_fill(bytes, &client->seed);
        client->ok = client_send(descriptor, bytes, count, &client->seed) &&
                     client_expect(descriptor, bytes, count);
    }
    close(descriptor);
    return NULL;
}

#endif
