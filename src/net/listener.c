#include "net/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

enum { ACCEPTS_PER_TURN = 64, BACKLOG = 4096, RETRY_US = 100000 };

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
    return address->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}

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

static void ready(struct loop_source *source, uint32_t events)
{
    static const int one = 1;
    struct listener *listener = CONTAINER_OF(source, struct listener, source);

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
            if (errno == ECONNABORTED || errno == EINTR)
                continue;
            return;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one)); /* a peer that vanished is found out some day */
        listener->accepted(listener, fd, (const struct sockaddr *)&address);
    }
}

static void retry(struct loop_timer *timer)
{
    struct listener *listener = CONTAINER_OF(timer, struct listener, retry);

    loop_change(listener->loop, &listener->source, EPOLLIN);
}

enum status listener_open(struct listener *listener, struct loop *loop, struct sockaddr_storage *address,
                          void (*accepted)(struct listener *listener, int fd, const struct sockaddr *address),
                          struct error *err)
{
    socklen_t size = sizeof(*address);
    int fd;
    enum status status = bind_socket(address, true, &fd, err);

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

void listener_close(struct listener *listener)
{
    if (!listener->loop)
        return;
    loop_remove(listener->loop, &listener->source);
    loop_timer_clear(listener->loop, &listener->retry);
    close(listener->source.fd);
    listener->loop = NULL;
}
