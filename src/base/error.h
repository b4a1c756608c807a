/* base/error.h: what can go wrong, in helenus' own terms.
 *
 * A function that can fail returns an enum status and takes a struct error as its last parameter,
 * which it fills on failure. Only wire/ turns a status into CQL's codes.
 *
 * Shapes:  a message is NUL-terminated UTF-8, cut at ERROR_MESSAGE_MAX. It may quote a client's
 *          identifiers (it goes to that client), so it must never be logged; log the status.
 * Owns:    nothing; the details are copied into the struct.
 * Thread:  a struct error belongs to one request.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

enum { ERROR_MESSAGE_MAX = 1024, ERROR_NAME_MAX = 256 };

enum status {
    OK = 0,
    ERR_SERVER,            /* our own fault, or something we cannot name: CQL 0x0000 */
    ERR_PROTOCOL,          /* 0x000A: a frame or message that breaks the protocol */
    ERR_CREDENTIALS,       /* 0x0100 */
    ERR_UNAVAILABLE,       /* 0x1000 */
    ERR_OVERLOADED,        /* 0x1001: nothing was done; try again */
    ERR_BOOTSTRAPPING,     /* 0x1002: not ready yet */
    ERR_TRUNCATE,          /* 0x1003 */
    ERR_WRITE_TIMEOUT,     /* 0x1100: the outcome of a write is unknown */
    ERR_READ_TIMEOUT,      /* 0x1200 */
    ERR_READ_FAILURE,      /* 0x1300: e.g. corrupt data, tombstone limit */
    ERR_FUNCTION_FAILURE,  /* 0x1400 */
    ERR_WRITE_FAILURE,     /* 0x1500: refused for certain, nothing was done */
    ERR_CDC_WRITE_FAILURE, /* 0x1600 */
    ERR_SYNTAX,            /* 0x2000 */
    ERR_UNAUTHORIZED,      /* 0x2100 */
    ERR_INVALID,           /* 0x2200 */
    ERR_LIMIT,             /* 0x2200: there would be more of something than there may be */
    ERR_CONFIG,            /* 0x2300 */
    ERR_ALREADY_EXISTS,    /* 0x2400: error.keyspace and error.name say what */
    ERR_UNPREPARED,        /* 0x2500: error.id says which */
    /* Below: never sent to a client as such. */
    ERR_WOULD_WAIT, /* memory cannot answer: run again on a worker */
    ERR_NOT_FOUND,  /* what was asked for is not there */
    ERR_IO,         /* errno-like failure of a file or socket; error.os_errno */
    ERR_NO_SPACE,   /* the disk is full */
    ERR_CORRUPT,    /* bytes that fail their checks */
    ERR_STALE,      /* a command names a dropped table or an old schema */
    ERR_CLOSED,     /* the other side is gone */
};

struct error {
    enum status status;
    int os_errno; /* with ERR_IO, ERR_NO_SPACE */
    char message[ERROR_MESSAGE_MAX];
    char keyspace[ERROR_NAME_MAX]; /* with ERR_ALREADY_EXISTS */
    char name[ERROR_NAME_MAX];     /* with ERR_ALREADY_EXISTS: table, or "" for a keyspace */
    uint8_t id[16];                /* with ERR_UNPREPARED */
};

/* Fills *error and returns status, so that a caller can write: return error_set(err, ERR_INVALID, "..."). */
enum status error_set(struct error *error, enum status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
enum status error_set_list(struct error *error, enum status status, const char *format, va_list list);

/* ERR_IO or ERR_NO_SPACE from an errno value (ENOSPC, EDQUOT); the message gets ": strerror". */
enum status error_set_os(struct error *error, int os_errno, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#ifdef __clang_analyzer__
/* What they return is never OK: without this the analyzer takes every failure for a success as well. */
#define error_set(to, what, ...) ((error_set)(to, what, __VA_ARGS__), (enum status)(what))
#define error_set_os(to, ...)    ((error_set_os)(to, __VA_ARGS__), ERR_IO)
#endif

void error_clear(struct error *error);

/* A short constant word for logs and metrics, e.g. "invalid". */
const char *status_name(enum status status);

#endif
