/* net/listener.h: accepts TCP connections on a loop. Every loop has its own listener on the same port (SO_REUSEPORT).
 *
 * Owns:    the listening socket. An accepted descriptor (non-blocking, TCP_NODELAY, SO_KEEPALIVE) is handed over.
 * Errors:  ERR_IO: the address is not ours, or the port is in use by another process.
 * Thread:  the loop's.
 */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include "net/loop.h"

#include <sys/socket.h>

struct listener {
    struct loop *loop; /* borrowed */
    struct loop_source source;
    struct loop_timer retry; /* while descriptors have run out */
    void (*accepted)(struct listener *listener, int fd, const struct sockaddr *address);
};

/* A numeric IPv4 or IPv6 address. ERR_INVALID. */
enum status listener_parse(const char *host, uint16_t port, struct sockaddr_storage *address, struct error *err);
/* Does only this machine reach it? */
bool listener_is_loopback(const struct sockaddr_storage *address);

/* The 4 or 16 bytes of an address, as CQL's inet has them; one of IPv4 that came over IPv6 (::ffff:127.0.0.1) has 4, as in Java. */
uint8_t listener_address_bytes(const struct sockaddr *address, uint8_t bytes[16]);
uint16_t listener_port(const struct sockaddr *address);

/* May the address be bound? Listeners share a port, so only this tells that another process has it. */
enum status listener_probe(const struct sockaddr_storage *address, struct error *err);

/* With port 0 the kernel chooses; *address is updated, so that the next loop's listener can share it. */
enum status listener_open(struct listener *listener, struct loop *loop, struct sockaddr_storage *address,
                          void (*accepted)(struct listener *listener, int fd, const struct sockaddr *address),
                          struct error *err);
void listener_close(struct listener *listener);

#endif
