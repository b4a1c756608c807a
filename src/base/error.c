/* Errors as values: a status to decide by, and a message for the client whose request it was.
 *
 * The struct is filled in place and copied by nobody; it lies in the request. A message may carry
 * what a client sent, so nothing here logs it. */
#include "base/error.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* A message that is too long is cut, never refused. The details (keyspace, name, id) are the
 * caller's to fill afterwards, and keep what they had. */
enum status error_set_list(struct error *error, enum status status, const char *format, va_list list)
{
    assert(status != OK && format);
    error->status = status;
    error->os_errno = 0;
    vsnprintf(error->message, sizeof(error->message), format, list);
    return status;
}

/* The brackets keep the macro of the same name away, which the analyzer is given (base/error.h). */
enum status(error_set)(struct error *error, enum status status, const char *format, ...)
{
    va_list list;

    va_start(list, format);
    error_set_list(error, status, format, list);
    va_end(list);
    return status;
}

/* A full disk or quota has a status of its own: writes are then refused with certainty and reading
 * goes on, where another failure of the disk may mean anything. */
enum status(error_set_os)(struct error *error, int os_errno, const char *format, ...)
{
    enum status status = os_errno == ENOSPC || os_errno == EDQUOT ? ERR_NO_SPACE : ERR_IO;
    char reason[128];
    size_t used;
    va_list list;

    va_start(list, format);
    error_set_list(error, status, format, list);
    va_end(list);
    error->os_errno = os_errno;
    used = strlen(error->message);
    /* The GNU strerror_r, which returns the text; strerror would share its memory between threads. */
    snprintf(error->message + used, sizeof(error->message) - used, ": %s",
             strerror_r(os_errno, reason, sizeof(reason)));
    return status;
}

/* The id is left: it is read only together with ERR_UNPREPARED, and who sets that fills it. */
void error_clear(struct error *error)
{
    error->status = OK;
    error->os_errno = 0;
    error->message[0] = '\0';
    error->keyspace[0] = '\0';
    error->name[0] = '\0';
}

const char *status_name(enum status status)
{
    /* No default: the compiler names the status that was forgotten. */
    switch (status) {
    case OK: return "ok";
    case ERR_SERVER: return "server";
    case ERR_PROTOCOL: return "protocol";
    case ERR_CREDENTIALS: return "credentials";
    case ERR_UNAVAILABLE: return "unavailable";
    case ERR_OVERLOADED: return "overloaded";
    case ERR_BOOTSTRAPPING: return "bootstrapping";
    case ERR_TRUNCATE: return "truncate";
    case ERR_WRITE_TIMEOUT: return "write_timeout";
    case ERR_READ_TIMEOUT: return "read_timeout";
    case ERR_READ_FAILURE: return "read_failure";
    case ERR_FUNCTION_FAILURE: return "function_failure";
    case ERR_WRITE_FAILURE: return "write_failure";
    case ERR_CDC_WRITE_FAILURE: return "cdc_write_failure";
    case ERR_SYNTAX: return "syntax";
    case ERR_UNAUTHORIZED: return "unauthorized";
    case ERR_INVALID: return "invalid";
    case ERR_LIMIT: return "limit";
    case ERR_CONFIG: return "config";
    case ERR_ALREADY_EXISTS: return "already_exists";
    case ERR_UNPREPARED: return "unprepared";
    case ERR_WOULD_WAIT: return "would_wait";
    case ERR_NOT_FOUND: return "not_found";
    case ERR_IO: return "io";
    case ERR_NO_SPACE: return "no_space";
    case ERR_CORRUPT: return "corrupt";
    case ERR_STALE: return "stale";
    case ERR_CLOSED: return "closed";
    }
    return "unknown";
}
