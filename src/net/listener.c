/* Accepting connections. Each loop has a listening socket of its own on the same port: the kernel
 * deals connections out between them (SO_REUSEPORT), so no loop hands a connection to another and
 * none waits for one that accepts. */
#include "net/listener.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

/* A turn accepts so many at most, so that a storm of connections does not keep those that there are
 * waiting. When descriptors have run out, accepting is tried again every 100 ms. */
enum { ACCEPTS_PER_TURN = 64, BACKLOG = 4096, RETRY_US = 100000 };

/* Numeric only: a name could take seconds to resolve, and mean another address tomorrow. */
enum status listener_parse(const char *host, uint16_t port, struct sockaddr_storage *address, struct error *err)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)address;

    memset(address, 0, sizeof(*address));
    if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        return OK;
    }
    if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        return OK;
    }
    return error_set(err, ERR_INVALID, "%s is not an IPv4 or IPv6 address", host);
}

/* 127.0.0.0/8 and ::1, and the former in the clothes of IPv6. `--dev` serves without passwords, so
 * it depends on this. */
bool listener_is_loopback(const struct sockaddr_storage *address)
{
    const struct in6_addr *v6 = &((const struct sockaddr_in6 *)address)->sin6_addr;

    if (address->ss_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    return IN6_IS_ADDR_LOOPBACK(v6) || (IN6_IS_ADDR_V4MAPPED(v6) && v6->s6_addr[12] == IN_LOOPBACKNET);
}

uint8_t listener_address_bytes(const struct sockaddr *address, uint8_t bytes[16])
{
    const struct in6_addr *v6 = &((const struct sockaddr_in6 *)address)->sin6_addr;

    assert(address->sa_family == AF_INET || address->sa_family == AF_INET6);
    if (address->sa_family == AF_INET) {
        memcpy(bytes, &((const struct sockaddr_in *)address)->sin_addr, 4);
        return 4;
    }
    if (IN6_IS_ADDR_V4MAPPED(v6)) {
        memcpy(bytes, &v6->s6_addr[12], 4);
        return 4;
    }
    memcpy(bytes, v6, 16);
    return 16;
}

uint16_t listener_port(const struct sockaddr *address)
{
    return ntohs(address->sa_family == AF_INET ? ((const struct sockaddr_in *)address)->sin_port
                                               : ((const struct sockaddr_in6 *)address)->sin6_port);
}

static socklen_t address_size(const struct sockaddr_storage *address)
{
    assert(address->ss_family == AF_INET || address->ss_family == AF_INET6);
    return address->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}

/* SO_REUSEADDR: a server that was restarted need not wait until its old connections are forgotten
 * (TIME_WAIT). */
static enum status bind_socket(const struct sockaddr_storage *address, bool is_shared, int *result, struct error *err)
{
    static const int one = 1;
    int fd = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    enum status status;

    if (fd < 0)
        return error_set_os(err, errno, "Cannot make a socket");
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
        (is_shared && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)) < 0)) {
        status = error_set_os(err, errno, "Cannot set up a socket");
        goto close_fd;
    }
    if (bind(fd, (const struct sockaddr *)address, address_size(address)) < 0) {
        status = error_set_os(err, errno, "Cannot bind");
        goto close_fd;
    }
    *result = fd;
    return OK;

close_fd:
    close(fd);
    return status;
}

/* With SO_REUSEPORT a second server of the same user could bind the same port, and get half of the
 * connections. So the address is bound once without it, which fails where anybody listens, and let
 * go again. */
enum status listener_probe(const struct sockaddr_storage *address, struct error *err)
{
    int fd;
    enum status status = bind_socket(address, false, &fd, err);

    if (status)
        return status;
    if (listen(fd, 1) < 0)
        status = error_set_os(err, errno, "Cannot listen");
    close(fd);
    return status;
}

/* Level-triggered: what is not accepted now is told again in the next turn. */
static void ready(struct loop_source *source, uint32_t events)
{
    static const int one = 1;
    struct listener *listener = CONTAINER_OF(source, struct listener, source);

    assert(listener->loop && listener->accepted);
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        struct sockaddr_storage address;
        socklen_t size = sizeof(address);
        int fd = accept4(source->fd, (struct sockaddr *)&address, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd < 0) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
                /* The connection stays in the backlog: asking at once again would only burn the loop. */
                loop_change(listener->loop, source, 0);
                loop_timer_set(listener->loop, &listener->retry, loop_now_us(listener->loop) + RETRY_US);
            }
            /* Of this one connection only: the next may be well. */
            if (errno == ECONNABORTED || errno == EINTR)
                continue;
            return;
        }
        /* Replies leave in one piece at the end of a turn: nothing is won by holding back a small
         * one. */
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one)); /* a peer that vanished is found out some day */
        listener->accepted(listener, fd, (const struct sockaddr *)&address);
    }
}

static void retry(struct loop_timer *timer)
{
    struct listener *listener = CONTAINER_OF(timer, struct listener, retry);

    assert(listener->loop);
    loop_change(listener->loop, &listener->source, EPOLLIN);
}

/* With port 0 the kernel chooses, and the address is read back for the loops that follow. */
enum status listener_open(struct listener *listener, struct loop *loop, struct sockaddr_storage *address,
                          void (*accepted)(struct listener *listener, int fd, const struct sockaddr *address),
                          struct error *err)
{
    socklen_t size = sizeof(*address);
    int fd;
    enum status status = bind_socket(address, true, &fd, err);

    assert(accepted);
    if (status)
        return status;
    if (listen(fd, BACKLOG) < 0 || getsockname(fd, (struct sockaddr *)address, &size) < 0) {
        status = error_set_os(err, errno, "Cannot listen");
        goto close_fd;
    }
    *listener = (struct listener){
        .loop = loop, .source = { fd, EPOLLIN, ready }, .retry = { .fire = retry }, .accepted = accepted
    };
    status = loop_add(loop, &listener->source, err);
    if (status)
        goto close_fd;
    return OK;

close_fd:
    close(fd);
    return status;
}

/* Twice does no harm: a server that drains closes early what its end closes too. */
void listener_close(struct listener *listener)
{
    if (!listener->loop)
        return;
    loop_remove(listener->loop, &listener->source);
    loop_timer_clear(listener->loop, &listener->retry);
    close(listener->source.fd);
    listener->loop = NULL;
}
