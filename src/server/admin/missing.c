/* Counts of what is missing: from lines, sorted, and shown. The little of HTTP that fetching /metrics needs is here: one
 * request of HTTP/1.0, whose answer ends with the connection. */
#include "server/admin/missing.h"

#include "base/buffer.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define SCHEME       "http://"
#define COUNTER      "helenus_api_unknown_total{name=\""
#define NAME_LETTERS "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ._-"

/* ---- the list ---- */

/* A terminal shows it: what is no name is none. */
static void add(struct missing *missing, const char *name, size_t size, uint64_t times)
{
    struct missing_name *to = &missing->names[missing->count];

    if (!times || !size || size > MISSING_NAME_MAX || missing->count == MISSING_MAX ||
        strspn(name, NAME_LETTERS) < size)
        return;
    memcpy(to->name, name, size);
    to->name[size] = '\0';
    to->times = times;
    missing->count++;
}

/* A line that is cut, or of a newer server, is no reason to fail. */
void missing_take(struct missing *missing, const char *line)
{
    char *end;
    uint64_t times = strtoull(line, &end, 10);

    if (end > line && *end == ' ')
        add(missing, end + 1, strlen(end + 1), times);
}

/* What is not known by name stands last, however often it was asked for. */
static int compare(const void *a, const void *b)
{
    const struct missing_name *x = a, *y = b;
    bool x_is_other = strcmp(x->name, "other") == 0, y_is_other = strcmp(y->name, "other") == 0;

    /* Names of one count in the order of letters: the same list twice is the same. */
    if (x_is_other != y_is_other)
        return x_is_other ? 1 : -1;
    if (x->times != y->times)
        return x->times < y->times ? 1 : -1;
    return strcmp(x->name, y->name);
}

/* In columns that sort and awk can read; a sentence where there is nothing to read. */
void missing_print(struct missing *missing, FILE *out)
{
    assert(missing->count <= MISSING_MAX);
    qsort(missing->names, missing->count, sizeof(*missing->names), compare);
    for (uint32_t i = 0; i < missing->count; i++)
        fprintf(out, "%10" PRIu64 " %s\n", missing->names[i].times, missing->names[i].name);
    if (!missing->count)
        fputs("nothing was asked for that is not served\n", out);
}

/* ---- HTTP ---- */

/* A directory whose name has these three characters is to be said as ./it. */
bool missing_is_url(const char *word)
{
    return strstr(word, "://") != NULL;
}

/* host and port lie in `text`, a copy of the URL that is cut up. */
static bool take_apart(char *text, const char **host, const char **port)
{
    char *at = text + strlen(SCHEME), *end;

    if (strncmp(text, SCHEME, strlen(SCHEME)) != 0)
        return false;
    /* What is behind the name and the port is of no use here: it is always /metrics. */
    at[strcspn(at, "/?#")] = '\0';
    /* Colons in brackets are an address's own. */
    end = *at == '[' ? strchr(at, ']') : at + strcspn(at, ":");
    if (!end || end == at || (*at == '[' && end == at + 1))
        return false;
    *host = *at == '[' ? at + 1 : at;
    *port = "80";
    if (*end == ']')
        *end++ = '\0';
    if (*end && *end != ':')
        return false;
    if (*end == ':')
        *port = end + 1;
    *end = '\0';
    return **port != '\0';
}

/* -1: nobody is there. The first address that answers. */
static int connect_to(const char *host, const char *port, struct error *err)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *all;
    struct timeval limit = { .tv_sec = MISSING_WAIT_S };
    int fd = -1, failure = getaddrinfo(host, port, &hints, &all);

    if (failure) {
        error_set(err, ERR_IO, "%s port %s: %s", host, port, gai_strerror(failure));
        return -1;
    }
    /* Told if there was no address to try. */
    failure = ECONNREFUSED;
    for (struct addrinfo *one = all; one && fd < 0; one = one->ai_next) {
        fd = socket(one->ai_family, one->ai_socktype | SOCK_CLOEXEC, one->ai_protocol);
        if (fd < 0) {
            failure = errno;
            continue;
        }
        /* Sending's is connecting's, too. */
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
        if (connect(fd, one->ai_addr, one->ai_addrlen) == 0)
            break;
        failure = errno;
        close(fd);
        fd = -1;
    }
    freeaddrinfo(all);
    if (fd < 0)
        error_set_os(err, failure, "%s port %s", host, port);
    return fd;
}

/* The whole answer, head and all. */
static enum status read_answer(int fd, struct buffer *answer, struct error *err)
{
    static const char request[] = "GET /metrics HTTP/1.0\r\n\r\n";
    char chunk[16384];
    ssize_t got;

    /* HTTP/1.0: the end of the answer is the end of the connection, and nothing comes in chunks. */
    if (send(fd, request, strlen(request), MSG_NOSIGNAL) != (ssize_t)strlen(request))
        return error_set_os(err, errno, "sending");
    while ((got = recv(fd, chunk, sizeof(chunk), 0)) > 0) {
        if (answer->size + (size_t)got > MISSING_ANSWER_MAX)
            return error_set(err, ERR_IO, "an answer of more than %d bytes", MISSING_ANSWER_MAX);
        buffer_append(answer, chunk, (size_t)got);
    }
    return got < 0 ? error_set_os(err, errno, "no answer") : OK;
}

/* False: this is no server that counts them. `text` ends with a NUL. */
static bool read_counters(struct missing *missing, const char *text)
{
    bool found = false;

    for (const char *line = text; line; line = strchr(line, '\n')) {
        const char *name, *end;

        line += *line == '\n';
        if (strncmp(line, COUNTER, strlen(COUNTER)) != 0)
            continue;
        found = true;
        name = line + strlen(COUNTER);
        end = name + strcspn(name, "\"\n");
        /* A line that goes on otherwise is none of theirs. */
        if (strncmp(end, "\"} ", 3) == 0)
            add(missing, name, (size_t)(end - name), strtoull(end + 3, NULL, 10));
    }
    return found;
}

/* What of HTTP stands before the counters is not looked at: a head has no line that begins as they do. */
enum status missing_fetch(struct missing *missing, const char *url, struct error *err)
{
    CLEANUP(buffer_fini) struct buffer answer = { 0 };
    const char *host, *port;
    char text[256];
    enum status status;
    int fd;

    if (snprintf(text, sizeof(text), "%s", url) >= (int)sizeof(text) || !take_apart(text, &host, &port))
        return error_set(err, ERR_CONFIG, "%s is no URL such as http://127.0.0.1:9080", url);
    /* From here on the peer decides; each step has its time. */
    fd = connect_to(host, port, err);
    if (fd < 0)
        return err->status;
    status = read_answer(fd, &answer, err);
    close(fd);
    if (status)
        return status;
    buffer_append_u8(&answer, 0);
    if (!read_counters(missing, (const char *)answer.data))
        return error_set(err, ERR_IO, "%s is no server that serves APIs of AWS", url);
    return OK;
}
