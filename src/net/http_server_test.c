/* A server on a port of the kernel's choice, and clients that write bytes themselves: what HTTP should be, what it should not be, each
 * limit, and the ends of both sides. Deadlines are short where a test waits for one, and long where it must not be met. */
#include "net/http_server.h"

#include "base/random.h"
#include "base/clock.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

enum { LONG_MS = 20000, SHORT_US = 200000, BODY_MAX = 100000 };

static struct error error;
static struct http_server *server;
static int threads_started, threads_stopped;
static sem_t held, let_go; /* a request of /hold posts the first, and waits for the second */
static struct {
    char last[2048]; /* what the handler of /show saw */
} seen;

/* ---- handlers ---- */

static void *thread_start(void *context)
{
    assert_ptr_equal(context, &seen);
    return (void *)(intptr_t)__atomic_add_fetch(&threads_started, 1, __ATOMIC_SEQ_CST);
}

static void thread_stop(void *thread)
{
    assert_true(thread != NULL);
    __atomic_add_fetch(&threads_stopped, 1, __ATOMIC_SEQ_CST);
}

/* Everything of a request but its body. */
static void show(const struct http_request *request, struct http_response *response)
{
    struct buffer *out = &response->body;
    uint16_t port = ntohs(((const struct sockaddr_in *)request->peer)->sin_port);

    assert_ptr_equal(request->context, &seen);
    assert_true((intptr_t)request->thread >= 1 && port > 0);
    buffer_printf(out, "%.*s|%.*s|%.*s|%.*s|", BYTES(request->method), BYTES(request->path), BYTES(request->raw_path),
                  BYTES(request->raw_query));
    for (uint32_t i = 0; i < request->parameter_count; i++)
        buffer_printf(out, "%.*s=%.*s,", BYTES(request->parameters[i].name), BYTES(request->parameters[i].value));
    buffer_append_string(out, "|");
    for (uint32_t i = 0; i < request->header_count; i++)
        buffer_printf(out, "%.*s:%.*s;", BYTES(request->headers[i].name), BYTES(request->headers[i].value));
    http_response_header(response, "X-Shown", "yes");
}

/* The two look-ups: names of headers in any case, those of parameters as they are. */
static void look_up(const struct http_request *request, struct http_response *response)
{
    struct bytes header = http_request_header(request, "x-wanted"),
                 parameter = http_request_parameter(request, "Wanted");

    assert_true(bytes_is_null(http_request_header(request, "x-wante")));
    assert_true(bytes_is_null(http_request_parameter(request, "wanted")));
    buffer_printf(&response->body, "%.*s|%.*s", BYTES(header), BYTES(parameter));
}

static void echo(const struct http_request *request, struct http_response *response)
{
    response->status = 201;
    buffer_append_bytes(&response->body, request->body);
}

static void hold(const struct http_request *request, struct http_response *response)
{
    sem_post(&held);
    sem_wait(&let_go);
    buffer_append_string(&response->body, "held");
}

static void large(const struct http_request *request, struct http_response *response)
{
    memset(buffer_extend(&response->body, 32 << 20), 'x', 32 << 20);
}

static void broken(const struct http_request *request, struct http_response *response)
{
    http_response_header(response, "X-Broken", "one\r\nX-Two: two");
}

static const struct http_route routes[] = {
    { "GET", "/hold", false, hold },       { "POST", "/hold", false, hold }, { "GET", "/large", false, large },
    { "GET", "/broken", false, broken },   { "POST", "/echo", false, echo }, { "PUT", "/echo", false, echo },
    { NULL, "/any", false, show },         { "GET", "/show", false, show },  { "GET", "/show/", true, show },
    { "POST", "/show/post", false, show }, { "OPTIONS", "*", false, show },  { "GET", "/look", false, look_up },
};

/* ---- servers and clients ---- */

static struct http_options options_of_test(void)
{
    struct http_options options = {
        .limits = http_limits_small(),
        .routes = routes,
        .route_count = ARRAY_SIZE(routes),
        .threads = 3,
        .thread_name = "test",
        .thread_start = thread_start,
        .thread_stop = thread_stop,
        .context = &seen,
    };
    struct sockaddr_in *address = (struct sockaddr_in *)&options.address;

    address->sin_family = AF_INET;
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    options.limits.body_bytes = BODY_MAX;
    options.limits.receive_us = options.limits.idle_us = options.limits.send_us = (int64_t)LONG_MS * 1000;
    return options;
}

static void open_with(const struct http_options *options)
{
    threads_started = threads_stopped = 0;
    sem_init(&held, 0, 0);
    sem_init(&let_go, 0, 0);
    assert_int_equal(http_server_open(options, &server, &error), OK);
    assert_true(http_server_port(server) > 0);
}

static void open_server(void)
{
    struct http_options options = options_of_test();

    open_with(&options);
}

static void close_server(void)
{
    assert_true(http_server_close(server));
    assert_int_equal(threads_started, threads_stopped);
    server = NULL;
}

static int dial_from(const char *host)
{
    struct sockaddr_in from = { .sin_family = AF_INET }, to = { .sin_family = AF_INET };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    inet_pton(AF_INET, host, &from.sin_addr);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons(http_server_port(server));
    assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof(from)), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    return fd;
}

static int dial(void)
{
    return dial_from("127.0.0.1");
}

/* False: the server ended the connection. */
static bool say_bytes(int fd, const void *data, size_t size)
{
    for (size_t sent = 0; sent < size;) {
        ssize_t more = send(fd, (const char *)data + sent, size - sent, MSG_NOSIGNAL);

        if (more <= 0)
            return false;
        sent += (size_t)more;
    }
    return true;
}

static bool say(int fd, const char *text)
{
    return say_bytes(fd, text, strlen(text));
}

/* What came since the last call, and comes in time: at least one byte, or "" at the end of the connection. */
static ssize_t hear(int fd, char *to, size_t size)
{
    struct pollfd waits = { .fd = fd, .events = POLLIN };

    assert_int_equal(poll(&waits, 1, LONG_MS), 1);
    return recv(fd, to, size, 0);
}

struct reply {
    int status; /* 0: the connection ended without one */
    char head[8192];
    char *body; /* owned */
    size_t size;
    bool closes;
};

static char *find_header(const struct reply *reply, const char *name)
{
    char *at = strcasestr(reply->head, name);

    return at ? at + strlen(name) : NULL;
}

static void read_head(int fd, struct reply *reply)
{
    size_t size = 0;

    *reply = (struct reply){ 0 };
    while (!strstr(reply->head, "\r\n\r\n")) { /* byte by byte: what follows is the next one's */
        assert_true(size < sizeof(reply->head) - 1);
        if (hear(fd, reply->head + size, 1) != 1)
            return;
        reply->head[++size] = '\0';
    }
    assert_int_equal(sscanf(reply->head, "HTTP/1.%*d %d ", &reply->status), 1);
    reply->closes = find_header(reply, "\r\nconnection: close") != NULL;
}

static struct reply read_reply(int fd, bool is_head)
{
    struct reply reply;
    char *length;

    read_head(fd, &reply);
    length = reply.status ? find_header(&reply, "\r\ncontent-length: ") : NULL;
    reply.size = length ? strtoul(length, NULL, 10) : 0;
    reply.body = xcalloc(1, reply.size + 1);
    if (is_head || reply.status == 100)
        return reply;
    for (size_t got = 0; got < reply.size;) {
        ssize_t more = hear(fd, reply.body + got, reply.size - got);

        assert_true(more > 0);
        got += (size_t)more;
    }
    return reply;
}

static int read_status(int fd)
{
    struct reply reply = read_reply(fd, false);

    free(reply.body);
    return reply.status;
}

static void expect_body(int fd, int status, const char *body)
{
    struct reply reply = read_reply(fd, false);

    assert_int_equal(reply.status, status);
    assert_string_equal(reply.body, body);
    free(reply.body);
}

static bool has_ended(int fd)
{
    char byte;

    return hear(fd, &byte, 1) <= 0;
}

/* The library may say more of a refusal, but nothing that was no request is answered. */
static bool ends_unanswered(int fd)
{
    char text[4096];
    size_t size = 0;

    for (ssize_t more; (more = hear(fd, text + size, sizeof(text) - 1 - size)) > 0;)
        size += (size_t)more;
    text[size] = '\0';
    return !strstr(text, "HTTP/1.1 2") && !strstr(text, "HTTP/1.1 404");
}

/* One request on a connection of its own: the status. Its connection ends if `ends`. */
static int ask(const char *request, bool ends)
{
    int fd = dial(), status;

    say(fd, request);
    status = read_status(fd);
    if (ends)
        assert_true(has_ended(fd));
    close(fd);
    return status;
}

static char *repeated(const char *before, char what, size_t count, const char *after)
{
    char *text = xmalloc(strlen(before) + count + strlen(after) + 1);

    strcpy(text, before);
    memset(text + strlen(before), what, count);
    strcpy(text + strlen(before) + count, after);
    return text;
}

static int ask_repeated(const char *before, char what, size_t count, const char *after, bool ends)
{
    char *text = repeated(before, what, count, after);
    int status = ask(text, ends);

    free(text);
    return status;
}

/* ---- what HTTP should be ---- */

/* How many threads of this process are as nice as that. */
static int count_of_niceness(int niceness)
{
    DIR *tasks = opendir("/proc/self/task");
    int count = 0;

    assert_non_null(tasks);
    for (struct dirent *task; (task = readdir(tasks));) {
        int id = atoi(task->d_name);

        count += id && getpriority(PRIO_PROCESS, (id_t)id) == niceness;
    }
    closedir(tasks);
    return count;
}

static void its_threads_stand_back(void **state)
{
    struct http_options options = options_of_test();
    int ours = getpriority(PRIO_PROCESS, 0);

    if (ours == 19)
        skip(); /* nobody can be told from others, and the sanitizers have a thread of their own */
    options.niceness = ours + 1;
    open_with(&options);
    assert_int_equal(ask("GET /show HTTP/1.1\r\nHost: h\r\n\r\n", false), 200);
    while (__atomic_load_n(&threads_started, __ATOMIC_SEQ_CST) < 3)
        usleep(1000);
    assert_int_equal(getpriority(PRIO_PROCESS, 0), ours);
    assert_int_equal(count_of_niceness(options.niceness), 3 + 1); /* and the loop's */
    close_server();
}

static void requests_come_as_they_were_sent(void **state)
{
    int fd;

    open_server();
    fd = dial();
    say(fd,
        "GET /show/a%20b%2Fc+d?x=1&y=%41+b&&flag&=e HTTP/1.1\r\nHost: here\r\nX-b: 2 \t\r\nx-A:   1, 3\r\nX-b: 4\r\n\r\n");
    expect_body(
        fd, 200,
        "GET|/show/a b/c+d|/show/a%20b%2Fc+d|x=1&y=%41+b&&flag&=e|x=1,y=A b,flag=,=e,|Host:here;X-b:2;x-A:1, 3;X-b:4;");
    say(fd, "GET http://elsewhere/show?q HTTP/1.1\r\nHost: here\r\n\r\n");
    expect_body(fd, 200, "GET|/show|/show|q|q=,|Host:here;");
    say(fd, "OPTIONS * HTTP/1.1\r\nHost: here\r\n\r\n");
    expect_body(fd, 200, "OPTIONS|*|*|||Host:here;");
    say(fd, "GET /look?Wanted=first&Wanted=2 HTTP/1.1\r\nHost: here\r\nX-WANTED: one\r\nX-Wanted: two\r\n\r\n");
    expect_body(fd, 200, "one|first");
    say(fd, "DELETE /any HTTP/1.1\r\nHost: here\r\n\r\n");
    expect_body(fd, 200, "DELETE|/any|/any|||Host:here;");
    close(fd);
    close_server();
}

static void routes_say_what_is_not_there(void **state)
{
    struct reply reply;
    int fd;

    open_server();
    fd = dial();
    say(fd, "GET /nothing HTTP/1.1\r\nHost: h\r\n\r\nGET /showy HTTP/1.1\r\nHost: h\r\n\r\n");
    expect_body(fd, 404, "404 Not Found\n");
    expect_body(fd, 404, "404 Not Found\n");
    say(fd, "DELETE /show/post HTTP/1.1\r\nHost: h\r\n\r\n");
    reply = read_reply(fd, false);
    assert_int_equal(reply.status, 405);
    assert_non_null(find_header(&reply, "\r\nAllow: GET, HEAD, POST\r\n"));
    free(reply.body);
    say(fd, "get /show HTTP/1.1\r\nHost: h\r\n\r\n"); /* methods have one spelling */
    assert_int_equal(read_status(fd), 405);
    close(fd);
    close_server();
}

static void head_is_get_without_a_body(void **state)
{
    struct reply reply;
    int fd;

    open_server();
    fd = dial();
    say(fd, "HEAD /show HTTP/1.1\r\nHost: h\r\n\r\nGET /show HTTP/1.1\r\nHost: h\r\n\r\n");
    reply = read_reply(fd, true);
    assert_int_equal(reply.status, 200);
    assert_int_equal(reply.size, strlen("HEAD|/show|/show|||Host:h;"));
    assert_non_null(find_header(&reply, "\r\nX-Shown: yes\r\n"));
    free(reply.body);
    expect_body(fd, 200, "GET|/show|/show|||Host:h;");
    close(fd);
    close_server();
}

static void bodies_come_whole(void **state)
{
    char *body = repeated("", 'b', BODY_MAX, "");
    struct reply reply;
    int fd;

    open_server();
    fd = dial();
    say(fd, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n");
    say(fd, body);
    reply = read_reply(fd, false);
    assert_int_equal(reply.status, 201);
    assert_string_equal(reply.body, body);
    free(reply.body);
    say(fd, "PUT /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n1;x=y\r\n \r\n");
    say(fd, "00006\r\nworld!\r\n0\r\nTrailer: t\r\n\r\n");
    expect_body(fd, 201, "hello world!");
    say(fd, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
    expect_body(fd, 201, "");
    say(fd, "POST /echo HTTP/1.1\r\nHost: h\r\n\r\n");
    expect_body(fd, 201, "");
    free(body);
    close(fd);
    close_server();
}

static void clients_may_wait_to_be_told_to_go_on(void **state)
{
    int fd;

    open_server();
    fd = dial();
    say(fd, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    assert_int_equal(read_status(fd), 100);
    say(fd, "hello");
    expect_body(fd, 201, "hello");
    say(fd, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 100001\r\nExpect: 100-continue\r\n\r\n");
    assert_int_equal(read_status(fd), 413);
    assert_true(has_ended(fd));
    close(fd);
    close_server();
}

static void requests_need_not_wait_for_answers(void **state)
{
    CLEANUP(buffer_fini) struct buffer out = { 0 };
    char wanted[64];
    int fd;

    open_server();
    fd = dial();
    for (int i = 0; i < 200; i++) {
        snprintf(wanted, sizeof(wanted), "%d", i);
        buffer_printf(&out, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n\r\n%s", strlen(wanted), wanted);
    }
    assert_true(say_bytes(fd, out.data, out.size));
    for (int i = 0; i < 200; i++) {
        snprintf(wanted, sizeof(wanted), "%d", i);
        expect_body(fd, 201, wanted);
    }
    say(fd, "GET /show HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    assert_int_equal(read_status(fd), 200);
    assert_true(has_ended(fd));
    close(fd);
    assert_int_equal(ask("GET /show HTTP/1.0\r\n\r\n", true), 200);
    close_server();
}

static void who_waits_holds_up_nobody_else(void **state)
{
    int waiting[2], other;

    open_server();
    for (int i = 0; i < 2; i++) { /* of three threads */
        waiting[i] = dial();
        say(waiting[i], "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
        sem_wait(&held);
    }
    other = dial();
    for (int i = 0; i < 20; i++) {
        say(other, "GET /show HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_int_equal(read_status(other), 200);
    }
    close(waiting[0]); /* its answer has nobody to go to */
    sem_post(&let_go);
    sem_post(&let_go);
    expect_body(waiting[1], 200, "held");
    close(waiting[1]);
    close(other);
    close_server();
}

static void an_answer_that_cannot_be_sent_is_a_500(void **state)
{
    open_server();
    assert_int_equal(ask("GET /broken HTTP/1.1\r\nHost: h\r\n\r\n", false), 500);
    close_server();
}

/* ---- limits ---- */

static void heads_have_limits(void **state)
{
    CLEANUP(buffer_fini) struct buffer out = { 0 };
    struct http_options options = options_of_test();

    options.limits.uri_bytes = 1000;
    options.limits.header_count = 20;
    options.limits.header_bytes = 2000;
    options.limits.parameters = 10;
    open_with(&options);
    assert_int_equal(ask_repeated("GET /show?", 'a', 1000 - 6, " HTTP/1.1\r\nHost: h\r\n\r\n", false), 200);
    assert_int_equal(ask_repeated("GET /show?", 'a', 1001 - 6, " HTTP/1.1\r\nHost: h\r\n\r\n", true), 414);
    assert_int_equal(ask_repeated("GET /show?", 'a', 1 << 20, " HTTP/1.1\r\nHost: h\r\n\r\n", false), 414);
    assert_int_equal(ask("GET /show?1&2&3&4&5&6&7&8&9&0 HTTP/1.1\r\nHost: h\r\n\r\n", false), 200);
    assert_int_equal(ask("GET /show?1&2&3&4&5&6&7&8&9&0&1 HTTP/1.1\r\nHost: h\r\n\r\n", true), 414);
    assert_int_equal(ask_repeated("GET /show HTTP/1.1\r\nHost: h\r\nA: ", 'a', 2000 - 6, "\r\n\r\n", false), 200);
    assert_int_equal(ask_repeated("GET /show HTTP/1.1\r\nHost: h\r\nA: ", 'a', 2001 - 6, "\r\n\r\n", true), 431);
    assert_int_equal(ask_repeated("GET /show HTTP/1.1\r\nHost: h\r\nA: ", 'a', 1 << 20, "\r\n\r\n", false), 431);
    for (int count = 20; count <= 21; count++) {
        out.size = 0;
        buffer_append_string(&out, "GET /show HTTP/1.1\r\nHost: h\r\n");
        for (int i = 1; i < count; i++)
            buffer_append_string(&out, "A:\r\n");
        buffer_append(&out, "\r\n", 3);
        assert_int_equal(ask((const char *)out.data, count == 21), count == 20 ? 200 : 431);
    }
    close_server();
}

static void bodies_have_a_limit(void **state)
{
    CLEANUP(buffer_fini) struct buffer out = { 0 };
    int fd;

    open_server();
    assert_int_equal(
        ask_repeated("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 100001\r\n\r\n", 'b', 100001, "", true), 413);
    assert_int_equal(ask("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999\r\n\r\n", true), 413);
    assert_int_equal(ask("DELETE /any HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999\r\n\r\n", true), 413);
    assert_int_equal(ask("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999999\r\n\r\n", false),
                     413);
    assert_int_equal(ask_repeated("PUT /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n186a1\r\n", 'b',
                                  100001, "\r\n0\r\n\r\n", true),
                     413);
    assert_int_equal(
        ask("POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nhello", false),
        413);
    fd = dial(); /* one that never ends is told in the middle */
    buffer_append_string(&out, "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n");
    say_bytes(fd, out.data, out.size);
    memset(buffer_extend(&out, 1 << 20), 'b', 1 << 20);
    for (int i = 0; i < 64 && say_bytes(fd, out.data, out.size); i++)
        ;
    assert_int_equal(read_status(fd), 413);
    close(fd);
    close_server();
}

static void all_bodies_together_have_a_limit(void **state)
{
    char *held_body = repeated("POST /hold HTTP/1.1\r\nHost: h\r\nContent-Length: 60000\r\n\r\n", 'b', 60000, "");
    char *body = repeated("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 60000\r\n\r\n", 'b', 60000, "");
    struct http_options options = options_of_test();
    int first;

    options.limits.bodies_bytes = 100000;
    open_with(&options);
    first = dial();
    say(first, held_body);
    sem_wait(&held);
    assert_int_equal(ask(body, true), 503);
    sem_post(&let_go);
    assert_int_equal(read_status(first), 200);
    say(first, body); /* there is room again */
    assert_int_equal(read_status(first), 201);
    close(first);
    free(held_body);
    free(body);
    close_server();
}

static void only_so_many_wait_for_a_thread(void **state)
{
    struct http_options options = options_of_test();
    int waiting[3];

    options.threads = 1;
    options.limits.queued = 2;
    open_with(&options);
    for (int i = 0; i < 3; i++) {
        waiting[i] = dial();
        say(waiting[i], "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
        if (i == 0)
            sem_wait(&held);
    }
    for (int status = 0; status != 503;) { /* once the others have come */
        int fd = dial();
        struct pollfd waits = { .fd = fd, .events = POLLIN };

        say(fd, "GET /show HTTP/1.1\r\nHost: h\r\n\r\n");
        status = poll(&waits, 1, 50) == 1 ? read_status(fd) : 0;
        close(fd);
    }
    for (int i = 0; i < 3; i++)
        sem_post(&let_go);
    for (int i = 0; i < 3; i++) {
        int status = read_status(waiting[i]);

        assert_true(status == 200 || status == 503);
        assert_true(status == 200 || i > 0);
        close(waiting[i]);
    }
    close_server();
}

/* More of one group than there are threads and places in a queue: the other group is served all the time. */
static void a_group_leaves_threads_and_queue_to_others(void **state)
{
    static const struct http_route grouped[] = {
        { "GET", "/hold", false, hold, 1 },
        { "GET", "/show", false, show, 2 },
    };
    struct http_options options = options_of_test();
    int waiting[6], refused = 0;

    options.routes = grouped;
    options.route_count = ARRAY_SIZE(grouped);
    options.group_count = 3;
    options.limits.queued = 2;
    open_with(&options);
    for (int i = 0; i < 6; i++) { /* two run, two wait, two are refused */
        waiting[i] = dial();
        say(waiting[i], "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
        if (i < 2)
            sem_wait(&held);
    }
    while (refused < 2)
        for (int i = 2; i < 6; i++)
            if (waiting[i] >= 0 && poll(&(struct pollfd){ .fd = waiting[i], .events = POLLIN }, 1, 10) == 1) {
                assert_int_equal(read_status(waiting[i]), 503);
                close(waiting[i]);
                waiting[i] = -1;
                refused++;
            }
    for (int i = 0; i < 10; i++)
        assert_int_equal(ask("GET /show HTTP/1.1\r\nHost: h\r\n\r\n", false), 200);
    for (int i = 0; i < 4; i++)
        sem_post(&let_go);
    for (int i = 0; i < 6; i++) {
        if (waiting[i] < 0)
            continue;
        expect_body(waiting[i], 200, "held");
        close(waiting[i]);
    }
    close_server();
}

static void connections_have_a_limit(void **state)
{
    struct http_options options = options_of_test();
    int many[10], fd;

    options.limits.connections = 10;
    options.limits.connections_per_address = 6;
    open_with(&options);
    for (int i = 0; i < 10; i++) {
        many[i] = dial_from(i < 6 ? "127.0.0.1" : "127.0.0.2");
        say(many[i], "GET /show HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_int_equal(read_status(many[i]), 200);
        if (i == 5) {
            assert_int_equal(ask("GET /show HTTP/1.1\r\nHost: h\r\n\r\n", true), 503);
        }
    }
    fd = dial_from("127.0.0.3");
    say(fd, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody");
    assert_int_equal(read_status(fd), 503);
    assert_true(has_ended(fd));
    close(fd);
    close(many[9]);
    for (int status = 503; status != 200; close(fd)) { /* once the server has seen it go */
        fd = dial_from("127.0.0.3");
        say(fd, "GET /show HTTP/1.1\r\nHost: h\r\n\r\n");
        status = read_status(fd);
    }
    for (int i = 0; i < 9; i++)
        close(many[i]);
    close_server();
}

static void too_many_too_many_are_just_closed(void **state)
{
    struct http_options options = options_of_test();
    int many[200], closed = 0;

    options.limits.connections = 1;
    open_with(&options);
    for (int i = 0; i < 200; i++)
        many[i] = dial();
    for (int i = 199; i > 100; i--)
        closed += read_status(many[i]) == 503 && has_ended(many[i]);
    assert_int_equal(closed, 99);
    for (int i = 0; i < 200; i++)
        close(many[i]);
    close_server();
}

/* ---- time ---- */

/* Says one byte after another until the server ends it; the last status that came. */
static int say_slowly(const char *begin, const char *each)
{
    int fd = dial(), status = 0;
    struct pollfd waits = { .fd = fd, .events = POLLIN };

    say(fd, begin);
    while (poll(&waits, 1, 20) == 0)
        if (!say(fd, each))
            break;
    status = read_status(fd);
    close(fd);
    return status;
}

static void slow_senders_are_told(void **state)
{
    struct http_options options = options_of_test();
    int fd;

    options.limits.receive_us = SHORT_US;
    open_with(&options);
    assert_int_equal(say_slowly("GET /sh", "x"), 408);
    assert_int_equal(say_slowly("GET /show HTTP/1.1\r\n", "A: b\r\n"), 408);
    assert_int_equal(say_slowly("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 90000\r\n\r\n", "x"), 408);
    assert_int_equal(say_slowly("POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n"),
                     408);
    fd = dial(); /* who never said anything is not spoken to */
    assert_true(has_ended(fd));
    close(fd);
    close_server();
}

static void idle_connections_end(void **state)
{
    struct http_options options = options_of_test();
    int fd;

    options.limits.idle_us = SHORT_US;
    open_with(&options);
    fd = dial();
    say(fd, "GET /show HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_int_equal(read_status(fd), 200);
    assert_true(has_ended(fd));
    close(fd);
    fd = dial(); /* but who has begun to speak again is told */
    say(fd, "GET /show HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_int_equal(read_status(fd), 200);
    say(fd, "GET /sh");
    assert_int_equal(read_status(fd), 408);
    assert_true(has_ended(fd));
    close(fd);
    close_server();
}

static void who_takes_no_answer_loses_it(void **state)
{
    struct http_options options = options_of_test();
    char part[4096];
    size_t got = 0;
    int fd;

    options.limits.send_us = SHORT_US;
    open_with(&options);
    fd = dial();
    say(fd, "GET /large HTTP/1.1\r\nHost: h\r\n\r\n");
    usleep(3 * SHORT_US);
    for (ssize_t more; (more = hear(fd, part, sizeof(part))) > 0;)
        got += (size_t)more;
    assert_true(got > 0 && got < 32 << 20);
    close(fd);
    close_server();
}

/* ---- what HTTP should not be ---- */

static void what_has_two_meanings_is_refused(void **state)
{
    static const char *const requests[] = {
        "GET /show HTTP/1.1\r\n\r\n", /* no Host; and a body is not taken for the next request */
        "POST /echo HTTP/1.1\r\nContent-Length: 31\r\n\r\nGET /show HTTP/1.1\r\nHost: h\r\n\r\n",
        "DELETE /any HTTP/1.1\r\nContent-Length: 31\r\n\r\nGET /show HTTP/1.1\r\nHost: h\r\n\r\n",
        "DELETE /any HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\nGET /show HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /show HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n",
        "GET /show HTTP/1.1\r\nHost : h\r\n\r\n",
        "GET /show x HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /show\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
        "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /echo HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: +5\r\n\r\nhello",
        "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: -5\r\n\r\nhello",
        "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5 5\r\n\r\nhello",
        "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 0x5\r\n\r\nhello",
        "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\nhello\r\n0\r\n\r\n",
        "GET /show%2 HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /show%zz HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /show%00 HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /show?a=%0 HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET show HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /show#x HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /sh\x01ow HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /sh\xc3\xa9 HTTP/1.1\r\nHost: h\r\n\r\n",
        "G@T /show HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /show HTTP/1.1\r\nHost: h\r\nA\x01: b\r\n\r\n",
        "GET /show HTTP/1.1\r\nHost: h\r\nA b: c\r\n\r\n",
        "GET /show HTTP/1.1\r\nHost: h\r\nA: b\x01\r\n\r\n",
        "GET /show HTTP/1.1\r\nHost: h\r\nNoColon\r\n\r\n",
    };
    int fd;

    open_server();
    for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
        int status;

        fd = dial();
        say(fd, requests[i]);
        status = read_status(fd);

        if (status != 400)
            print_message("%s\n", requests[i]);
        assert_int_equal(status, 400);
        assert_true(ends_unanswered(fd));
        close(fd);
    }
    assert_int_equal(ask("GET /show HTTP/1.1\r\nHost: h\r\n\r\n", false), 200);
    close_server();
}

/* Good requests with some of their bytes changed, left out or doubled: whatever comes of it, the server goes on. */
static void broken_requests_break_nothing(void **state)
{
    static const char good[] =
        "POST /echo?a=%41&b HTTP/1.1\r\nHost: h\r\nX: y\r\nContent-Length: 5\r\n\r\nhello"
        "PUT /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
        "GET /show/%20 HTTP/1.1\r\nHost: h\r\n\r\n";
    static const char pieces[] = "\r\n\0:%/? \t0f;,\x80\xff";
    struct http_options options = options_of_test();
    uint64_t seed = 0x9e3779b97f4a7c15;

    options.limits.receive_us = options.limits.idle_us = SHORT_US / 10; /* what ends in the middle is to end soon */
    open_with(&options);
    for (int round = 0; round < 1000; round++) {
        char text[2 * sizeof(good)];
        size_t size = sizeof(good) - 1;
        int fd = dial(), changes = 1 + round % 4;

        memcpy(text, good, sizeof(good));
        for (int i = 0; i < changes; i++) {
            seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
            size_t at = (size_t)(seed >> 33) % size, to = (size_t)(seed >> 13) % sizeof(text) / 2;

            switch (seed >> 61) {
            case 0: memmove(text + at, text + at + 1, --size - at); break;
            case 1: size = at + 1; break; /* and nothing more */
            case 2: memmove(text + at + 1, text + at, size - at), size++; break;
            case 3: text[at] ^= (char)(1 << (seed & 7)); break;
            case 4: text[at] = text[to % size]; break;
            default: text[at] = pieces[(seed >> 5) % (sizeof(pieces) - 1)];
            }
        }
        say_bytes(fd, text, size);
        shutdown(fd, SHUT_WR);
        while (hear(fd, text, sizeof(text)) > 0)
            ;
        close(fd);
    }
    assert_int_equal(ask("GET /show HTTP/1.1\r\nHost: h\r\n\r\n", false), 200);
    close_server();
}

/* ---- many, and the end ---- */

static void *hammer(void *argument)
{
    int fds[50];

    for (int i = 0; i < 50; i++)
        fds[i] = dial();
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 50; i++)
            say(fds[i], "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello");
        for (int i = 0; i < 50; i++)
            expect_body(fds[i], 201, "hello");
    }
    for (int i = 0; i < 50; i++)
        close(fds[i]);
    return NULL;
}

static void many_connections_are_served(void **state)
{
    struct http_options options = options_of_test();
    pthread_t threads[8];

    options.limits.connections = options.limits.connections_per_address = 400;
    options.limits.queued = 400;
    open_with(&options);
    for (int i = 0; i < 8; i++)
        pthread_create(&threads[i], NULL, hammer, NULL);
    for (int i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
    close_server();
}

static void *close_main(void *argument)
{
    close_server();
    return NULL;
}

static bool refuses_to_connect(uint16_t port)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool refuses;

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    refuses = connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 && errno == ECONNREFUSED;
    close(fd);
    return refuses;
}

static void requests_end_before_the_server_does(void **state)
{
    struct http_options options = options_of_test();
    struct reply reply;
    pthread_t closer;
    uint16_t port;
    int running, idle, queued;

    options.threads = 1;
    options.limits.drain_us = (int64_t)LONG_MS * 1000;
    open_with(&options);
    port = http_server_port(server);
    idle = dial();
    running = dial();
    queued = dial(); /* the server knows it: it has answered once */
    say(queued, "GET /show HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_int_equal(read_status(queued), 200);
    say(running, "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
    sem_wait(&held);
    say(queued, "GET /show HTTP/1.1\r\nHost: h\r\n\r\n");
    pthread_create(&closer, NULL, close_main, NULL);
    assert_true(has_ended(idle));
    while (!refuses_to_connect(port))
        usleep(1000);
    sem_post(&let_go);
    reply = read_reply(running, false);
    assert_int_equal(reply.status, 200);
    assert_true(reply.closes);
    free(reply.body);
    assert_int_equal(read_status(queued), 200);
    assert_true(has_ended(running) && has_ended(queued));
    pthread_join(closer, NULL);
    close(idle);
    close(running);
    close(queued);
}

static void what_does_not_end_in_time_is_cut(void **state)
{
    struct http_options options = options_of_test();
    int half, taking;
    char first;

    options.limits.drain_us = SHORT_US;
    open_with(&options);
    half = dial();
    taking = dial();
    say(half, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 90000\r\n\r\nhalf");
    say(taking, "GET /large HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_int_equal(hear(taking, &first, 1), 1); /* its handler has returned: only the answer does not end */
    assert_int_equal(ask("GET /show HTTP/1.1\r\nHost: h\r\n\r\n", false), 200);
    close_server();
    assert_true(has_ended(half));
    close(half);
    close(taking);
}

/* The last test of the program: nothing of this server can be freed. */
static void a_handler_that_does_not_return_is_left_alone(void **state)
{
    struct http_options options = options_of_test();
    int fd;

    options.limits.drain_us = SHORT_US;
    open_with(&options);
    fd = dial();
    say(fd, "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
    sem_wait(&held);
    assert_false(http_server_close(server));
    close(fd);
}

static void a_port_in_use_is_an_error(void **state)
{
    struct http_options options = options_of_test();
    struct http_server *second;

    open_server();
    ((struct sockaddr_in *)&options.address)->sin_port = htons(http_server_port(server));
    assert_int_equal(http_server_open(&options, &second, &error), ERR_IO);
    close_server();
    assert_true(http_server_close(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(its_threads_stand_back),
        cmocka_unit_test(requests_come_as_they_were_sent),
        cmocka_unit_test(routes_say_what_is_not_there),
        cmocka_unit_test(head_is_get_without_a_body),
        cmocka_unit_test(bodies_come_whole),
        cmocka_unit_test(clients_may_wait_to_be_told_to_go_on),
        cmocka_unit_test(requests_need_not_wait_for_answers),
        cmocka_unit_test(who_waits_holds_up_nobody_else),
        cmocka_unit_test(an_answer_that_cannot_be_sent_is_a_500),
        cmocka_unit_test(heads_have_limits),
        cmocka_unit_test(bodies_have_a_limit),
        cmocka_unit_test(all_bodies_together_have_a_limit),
        cmocka_unit_test(only_so_many_wait_for_a_thread),
        cmocka_unit_test(a_group_leaves_threads_and_queue_to_others),
        cmocka_unit_test(connections_have_a_limit),
        cmocka_unit_test(too_many_too_many_are_just_closed),
        cmocka_unit_test(slow_senders_are_told),
        cmocka_unit_test(idle_connections_end),
        cmocka_unit_test(who_takes_no_answer_loses_it),
        cmocka_unit_test(what_has_two_meanings_is_refused),
        cmocka_unit_test(broken_requests_break_nothing),
        cmocka_unit_test(many_connections_are_served),
        cmocka_unit_test(requests_end_before_the_server_does),
        cmocka_unit_test(what_does_not_end_in_time_is_cut),
        cmocka_unit_test(a_port_in_use_is_an_error),
        cmocka_unit_test(a_handler_that_does_not_return_is_left_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
