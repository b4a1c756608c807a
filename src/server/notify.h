/* server/notify.h: tells a service manager how the process is doing, as sd_notify(3) does, without its library: one datagram to the socket
 * that NOTIFY_SOCKET names. Without that variable nothing happens.
 *
 * Errors:  a warning in the log; serving does not depend on it.
 * Thread:  main's.
 */
#ifndef SERVER_NOTIFY_H
#define SERVER_NOTIFY_H

void notify_ready(void);
/* notify_ready ends it. */
void notify_reloading(void);
void notify_stopping(void);

#endif
