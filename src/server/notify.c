/* systemd's sd_notify protocol, without its library: one datagram, sent and forgotten: a manager
 * that does not listen must not hold up the process. */
#include "server/notify.h"

#include "base/clock.h"
#include "base/log.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Without NOTIFY_SOCKET nobody wants to know. */
static void tell(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    socklen_t size;
    int fd;

    if (!path || !*path)
        return;
    if ((path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof(to.sun_path)) {
        log_warn("notify", "NOTIFY_SOCKET is neither a path nor a name that a socket can have");
        return;
    }
    assert(strlen(path) + 1 <= sizeof(to.sun_path));
    memcpy(to.sun_path, path, strlen(path) + 1);
    size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    if (path[0] == '@')
        to.sun_path[0] = '\0'; /* an abstract name, which has no end mark */
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&to, size) < 0)
        log_warn("notify", "the service manager can't be told");
    if (fd >= 0)
        close(fd);
}

void notify_ready(void)
{
    tell("READY=1\nSTATUS=Serving CQL");
}

/* Type=notify-reload wants the time, so that it can tell this reload from an earlier one. */
void notify_reloading(void)
{
    char state[96];

    snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%lld\nSTATUS=Reading the configuration again",
             (long long)clock_monotonic_us(&clock_system));
    tell(state);
}

void notify_stopping(void)
{
    tell("STOPPING=1\nSTATUS=Letting requests end");
}
