/* Loops, sockets and workers on real descriptors, in one thread unless threads are what is shown. */
#include "net/listener.h"
#include "net/stream_socket.h"
#include "net/workers.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

static struct error error;

/* ---- a clock of the test's own ---- */

static int64_t fake_now_us;

static int64_t fake_time(const struct clock *self)
{
    return fake_now_us;
}

static const struct clock fake_clock = { fake_time, fake_time, NULL };

struct counted_timer {
    struct loop_timer timer;
    int fired;
    int order;
};
static int fired_total;

static void count_fire(struct loop_timer *timer)
{
    struct counted_timer *counted = CONTAINER_OF(timer, struct counted_timer, timer);

    counted->fired++;
    counted->order = fired_total++;
}

static void timers_fire_in_order_of_time(void **state)
{
    struct loop_options options = { .clock = &fake_clock };
    struct counted_timer timers[200] = { 0 };
    struct loop *loop;

    fake_now_us = 1000;
    fired_total = 0;
    assert_int_equal(loop_open(&options, &loop, &error), OK);
    for (int i = 0; i < 200; i++) {
        timers[i].timer.fire = count_fire;
        loop_timer_set(loop, &timers[i].timer, 1000 + (i * 7919) % 200 + 1);
    }
    for (int i = 0; i < 200; i += 3)
        loop_timer_clear(loop, &timers[i].timer);
    for (int i = 1; i < 200; i += 3)
        loop_timer_set(loop, &timers[i].timer, timers[i].timer.due_us + 1000);
    loop_turn(loop, 0);
    assert_int_equal(fired_total, 0);
    fake_now_us = 1000 + 200;
    loop_turn(loop, 0);
    fake_now_us = 1000 + 1200;
    loop_turn(loop, 0);
    for (int i = 0; i < 200; i++) {
        assert_int_equal(timers[i].fired, i % 3 == 0 ? 0 : 1);
        for (int j = 0; j < i; j++)
            if (timers[i].fired && timers[j].fired && timers[i].timer.due_us != timers[j].timer.due_us)
                assert_true((timers[i].timer.due_us < timers[j].timer.due_us) == (timers[i].order < timers[j].order));
    }
    loop_close(loop);
}

/* ---- tasks ---- */

struct counted_task {
    struct loop_task task;
    struct loop *loop;
    int runs;
    int again_left;
};

static void count_run(struct loop_task *task)
{
    struct counted_task *counted = CONTAINER_OF(task, struct counted_task, task);

    counted->runs++;
    if (counted->again_left-- > 0)
        loop_again(counted->loop, task);
}

static void a_task_that_comes_again_waits_for_the_next_turn(void **state)
{
    struct counted_task again = { .task.run = count_run, .again_left = 5 }, deferred = { .task.run = count_run };
    struct counted_task forgotten = { .task.run = count_run };
    struct loop *loop;

    assert_int_equal(loop_open(NULL, &loop, &error), OK);
    again.loop = loop;
    loop_again(loop, &again.task);
    loop_again(loop, &again.task);
    loop_defer(loop, &deferred.task);
    loop_defer(loop, &deferred.task);
    loop_again(loop, &forgotten.task);
    loop_forget(loop, &forgotten.task);
    for (int i = 1; i <= 6; i++) {
        loop_turn(loop, -1); /* does not wait: something is to be done */
        assert_int_equal(again.runs, i);
    }
    assert_int_equal(deferred.runs, 1);
    assert_int_equal(forgotten.runs, 0);
    loop_close(loop);
}

enum { POSTERS = 4, POSTS = 5000 };

struct posted {
    struct loop_task task;
    struct loop *loop;
    int *sum;
};

static void add_post(struct loop_task *task)
{
    struct posted *posted = CONTAINER_OF(task, struct posted, task);

    ++*posted->sum;
    if (*posted->sum == POSTERS * POSTS)
        loop_stop(posted->loop);
    free(posted);
}

struct poster {
    struct loop *loop;
    int *sum;
};

static void *post_many(void *argument)
{
    struct poster *poster = argument;

    for (int i = 0; i < POSTS; i++) {
        struct posted *posted = xcalloc(1, sizeof(*posted));

        *posted = (struct posted){ { .run = add_post }, poster->loop, poster->sum };
        loop_post(poster->loop, &posted->task);
    }
    return NULL;
}

static void posts_of_other_threads_all_arrive(void **state)
{
    pthread_t threads[POSTERS];
    struct poster poster;
    struct loop *loop;
    int sum = 0;

    assert_int_equal(loop_open(NULL, &loop, &error), OK);
    poster = (struct poster){ loop, &sum };
    for (int i = 0; i < POSTERS; i++)
        pthread_create(&threads[i], NULL, post_many, &poster);
    loop_run(loop);
    assert_int_equal(sum, POSTERS * POSTS);
    for (int i = 0; i < POSTERS; i++)
        pthread_join(threads[i], NULL);
    loop_close(loop);
}

/* ---- workers ---- */

struct test_job {
    struct worker_job job;
    int ran;
    int *done;
};

static void *worker_start(void *context)
{
    __atomic_fetch_add((int *)context, 1, __ATOMIC_SEQ_CST);
    return context;
}

static void worker_stop(void *local)
{
    __atomic_fetch_sub((int *)local, 1, __ATOMIC_SEQ_CST);
}

static void job_run(struct worker_job *job, void *local)
{
    CONTAINER_OF(job, struct test_job, job)->ran = *(int *)local;
    usleep(1000);
}

static void job_done(struct worker_job *job)
{
    ++*CONTAINER_OF(job, struct test_job, job)->done;
}

static void jobs_wait_elsewhere_and_come_back(void **state)
{
    int alive = 0, done = 0, accepted = 0;
    struct workers_options options = { .count = 2,
                                       .queue_jobs_max = 8,
                                       .thread_name = "test",
                                       .start = worker_start,
                                       .stop = worker_stop,
                                       .context = &alive };
    struct test_job jobs[64] = { 0 };
    struct workers *workers;
    struct loop *loop;

    assert_int_equal(workers_new(&options, &workers, &error), OK);
    assert_int_equal(loop_open(NULL, &loop, &error), OK);
    for (int i = 0; i < 64; i++) {
        jobs[i] = (struct test_job){ { .run = job_run, .done = job_done, .loop = loop }, 0, &done };
        accepted += workers_submit(workers, &jobs[i].job);
    }
    assert_in_range(accepted, 8, 63); /* bounded: some were refused */
    while (done < accepted)
        loop_turn(loop, -1);
    for (int i = 0, ran = 0; i < 64; i++) {
        ran += jobs[i].ran > 0;
        assert_true(i < 63 || ran == accepted);
    }
    workers_free(workers);
    assert_int_equal(alive, 0);
    loop_close(loop);
}

struct standing_job {
    struct worker_job job;
    sem_t *go;
    sem_t *ran;
};

static void stand(struct worker_job *job, void *local)
{
    struct standing_job *mine = CONTAINER_OF(job, struct standing_job, job);

    if (mine->go)
        sem_wait(mine->go);
    sem_post(mine->ran);
}

/* More of one group than there are threads stand still: the other's run, and those of none; then all. */
static void a_group_leaves_threads_to_others(void **state)
{
    struct workers_options options = { .count = 4, .queue_jobs_max = 100, .group_count = 3 };
    struct workers *workers;
    struct standing_job jobs[40] = { 0 };
    sem_t go, stood, ran;

    assert_int_equal(workers_new(&options, &workers, &error), OK);
    sem_init(&go, 0, 0);
    sem_init(&stood, 0, 0);
    sem_init(&ran, 0, 0);
    for (int i = 0; i < 40; i++) {
        jobs[i] = i < 20 ? (struct standing_job){ { .run = stand, .group = 1 }, &go, &stood }
                         : (struct standing_job){ { .run = stand, .group = i % 2 * 2 }, NULL, &ran };
        assert_true(workers_submit(workers, &jobs[i].job));
    }
    for (int i = 0; i < 20; i++)
        sem_wait(&ran);
    assert_in_range(workers_pending(workers), 20, 21); /* the last may not have said so yet */
    for (int i = 0; i < 20; i++)
        sem_post(&go);
    workers_free(workers); /* runs out the queue */
    for (int i = 0; i < 20; i++)
        assert_int_equal(sem_trywait(&stood), 0);
    sem_destroy(&go);
    sem_destroy(&stood);
    sem_destroy(&ran);
}

struct asking_job {
    struct worker_job job;
    int niceness, processors;
};

static int processors_of_thread(void)
{
    cpu_set_t processors;

    assert_int_equal(pthread_getaffinity_np(pthread_self(), sizeof(processors), &processors), 0);
    return CPU_COUNT(&processors);
}

static void ask_niceness(struct worker_job *job, void *local)
{
    CONTAINER_OF(job, struct asking_job, job)->niceness = getpriority(PRIO_PROCESS, (id_t)gettid());
    CONTAINER_OF(job, struct asking_job, job)->processors = processors_of_thread();
}

static void workers_stand_back_as_far_as_asked(void **state)
{
    int ours = getpriority(PRIO_PROCESS, 0);
    struct workers_options options = {
        .count = 1, .queue_jobs_max = 1, .niceness = ours < 19 ? ours + 1 : 19, .spares_processor = true
    };
    struct asking_job job = { { .run = ask_niceness }, -100, -100 };
    int processors = processors_of_thread();
    struct workers *workers;

    assert_int_equal(workers_new(&options, &workers, &error), OK);
    assert_true(workers_submit(workers, &job.job));
    workers_free(workers);
    assert_int_equal(job.niceness, options.niceness);
    assert_int_equal(job.processors, processors > 1 ? processors - 1 : 1);
    assert_int_equal(getpriority(PRIO_PROCESS, 0), ours);
    assert_int_equal(processors_of_thread(), processors);
}

/* ---- sockets ---- */

struct echo {
    struct stream_socket socket;
    size_t seen;
    uint32_t messages;
    int closed;
    enum stream_end end;
    size_t message_bytes;
    uint32_t per_turn; /* messages taken before it says again; 0: all */
    size_t reply_bytes;
};

/* Messages of a fixed size; each is answered with reply_bytes bytes. */
static size_t echo_input(struct stream_socket *socket, struct bytes data)
{
    struct echo *echo = CONTAINER_OF(socket, struct echo, socket);
    size_t taken = 0;
    uint32_t count = 0;

    while (data.size - taken >= echo->message_bytes) {
        if (echo->per_turn && count++ == echo->per_turn) {
            stream_socket_again(socket);
            return taken;
        }
        if (socket->pauses)
            return taken;
        for (size_t i = 0; i < echo->message_bytes; i++, echo->seen++)
            assert_int_equal(data.data[taken + i], (uint8_t)(echo->seen * 7 >> 3));
        taken += echo->message_bytes;
        echo->messages++;
        if (echo->reply_bytes) {
            memset(buffer_extend(stream_socket_output(socket), echo->reply_bytes), 'r', echo->reply_bytes);
            stream_socket_commit(socket);
        }
    }
    stream_socket_want(socket, echo->message_bytes);
    return taken;
}

static void echo_closed(struct stream_socket *socket, enum stream_end end)
{
    struct echo *echo = CONTAINER_OF(socket, struct echo, socket);

    echo->closed++;
    echo->end = end;
}

static const struct stream_ops echo_ops = { echo_input, echo_closed };

static void open_echo(struct echo *echo, struct loop *loop, struct stream_budget *budget, int *client,
                      size_t output_max)
{
    struct stream_options options = { output_max, 1000000, budget };
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    assert_int_equal(stream_socket_open(&echo->socket, loop, pair[0], &echo_ops, &options, &error), OK);
    *client = pair[1];
}

static size_t client_send(int client, size_t *sent, size_t total)
{
    uint8_t chunk[5000];
    size_t size = total - *sent < sizeof(chunk) ? total - *sent : sizeof(chunk);
    ssize_t written; /* MSG_NOSIGNAL: the other side may have closed it */

    for (size_t i = 0; i < size; i++)
        chunk[i] = (uint8_t)((*sent + i) * 7 >> 3);
    written = send(client, chunk, size, MSG_NOSIGNAL);
    if (written > 0)
        *sent += (size_t)written;
    return written > 0 ? (size_t)written : 0;
}

/* Small and large messages, cut anywhere, arrive whole and in order, and an idle socket holds no memory. */
static void messages_arrive_whole(void **state)
{
    static const size_t sizes[] = { 1, 9, 170, 4999, 40000, 65536, 300000 };

    for (size_t k = 0; k < ARRAY_SIZE(sizes); k++) {
        struct stream_budget budget = { .input_bytes_max = 1 << 20 };
        struct echo echo = { .message_bytes = sizes[k], .per_turn = k % 2 ? 3 : 0 };
        size_t total = (1000000 / sizes[k]) * sizes[k], sent = 0;
        struct loop *loop;
        int client;

        assert_int_equal(loop_open(NULL, &loop, &error), OK);
        open_echo(&echo, loop, &budget, &client, 1 << 20);
        while (echo.seen < total) {
            client_send(client, &sent, total);
            loop_turn(loop, 0);
        }
        assert_int_equal(echo.messages, total / sizes[k]);
        assert_null(echo.socket.input.data);
        assert_null(echo.socket.first);
        assert_int_equal(budget.input_bytes, 0);
        assert_int_equal(budget.bytes_in, total);
        close(client);
        loop_turn(loop, 100000);
        assert_int_equal(echo.closed, 1);
        assert_int_equal(echo.end, STREAM_END_PEER);
        loop_close(loop);
    }
}

/* A client that sends and does not read: we stop reading, hold a bounded output, and go on when it reads again. */
static void a_reader_that_stops_stops_us(void **state)
{
    enum { OUTPUT_MAX = 256 << 10, REPLY = 10000, MESSAGES = 2000 };
    struct stream_budget budget = { .input_bytes_max = 1 << 20 };
    struct echo echo = { .message_bytes = 100, .reply_bytes = REPLY };
    size_t sent = 0, received = 0, worst = 0;
    static uint8_t sink[1 << 16];
    struct loop *loop;
    int client;

    assert_int_equal(loop_open(NULL, &loop, &error), OK);
    open_echo(&echo, loop, &budget, &client, OUTPUT_MAX);
    for (int i = 0; i < 3000; i++) {
        client_send(client, &sent, 100 * MESSAGES);
        loop_turn(loop, 0);
        if (echo.socket.output_bytes > worst)
            worst = echo.socket.output_bytes;
    }
    assert_true(echo.socket.pauses & STREAM_PAUSE_OUTPUT);
    assert_true(echo.messages < MESSAGES);
    assert_true(worst <= OUTPUT_MAX + REPLY);
    while (received < (size_t)MESSAGES * REPLY) {
        ssize_t got = read(client, sink, sizeof(sink));

        received += got > 0 ? (size_t)got : 0;
        client_send(client, &sent, 100 * MESSAGES);
        loop_turn(loop, 0);
    }
    assert_int_equal(echo.messages, MESSAGES);
    assert_int_equal(echo.socket.pauses, 0);
    stream_socket_close(&echo.socket);
    assert_int_equal(echo.end, STREAM_END_OWNER);
    close(client);
    loop_close(loop);
}

static void a_stalled_client_is_closed(void **state)
{
    struct loop_options options = { .clock = &fake_clock };
    struct stream_budget budget = { .input_bytes_max = 1 << 20 };
    struct echo echo = { .message_bytes = 100, .reply_bytes = 4 << 20 };
    size_t sent = 0;
    struct loop *loop;
    int client;

    fake_now_us = 1;
    assert_int_equal(loop_open(&options, &loop, &error), OK);
    open_echo(&echo, loop, &budget, &client, 1 << 20);
    client_send(client, &sent, 100);
    loop_turn(loop, 0);
    assert_true(echo.socket.output_bytes > 0);
    fake_now_us += 999999;
    loop_turn(loop, 0);
    assert_int_equal(echo.closed, 0);
    fake_now_us += 2;
    loop_turn(loop, 0);
    assert_int_equal(echo.closed, 1);
    assert_int_equal(echo.end, STREAM_END_STALLED);
    close(client);
    loop_close(loop);
}

static void input_of_all_sockets_is_bounded(void **state)
{
    enum { SOCKETS = 8 };
    struct stream_budget budget = { .input_bytes_max = 1 << 20 };
    struct echo echoes[SOCKETS] = { 0 };
    int clients[SOCKETS], closed = 0;
    size_t sent[SOCKETS] = { 0 }, worst = 0;
    struct loop *loop;

    assert_int_equal(loop_open(NULL, &loop, &error), OK);
    for (int i = 0; i < SOCKETS; i++) {
        echoes[i].message_bytes = 1 << 20; /* never complete */
        open_echo(&echoes[i], loop, &budget, &clients[i], 1 << 20);
    }
    for (int round = 0; round < 100; round++) {
        for (int i = 0; i < SOCKETS; i++)
            client_send(clients[i], &sent[i], (1 << 20) - 1);
        loop_turn(loop, 0);
        if (budget.input_bytes > worst)
            worst = budget.input_bytes;
    }
    for (int i = 0; i < SOCKETS; i++) {
        closed += echoes[i].closed;
        if (!echoes[i].closed)
            stream_socket_close(&echoes[i].socket);
        else
            assert_int_equal(echoes[i].end, STREAM_END_MEMORY);
        close(clients[i]);
    }
    assert_in_range(closed, 1, SOCKETS - 1);
    assert_true(worst <= (1 << 20) + (512 << 10));
    assert_int_equal(budget.input_bytes, 0);
    loop_close(loop);
}

static void output_leaves_before_it_closes(void **state)
{
    struct stream_budget budget = { .input_bytes_max = 1 << 20 };
    struct echo echo = { .message_bytes = 1000 };
    struct loop *loop;
    char got[16];
    int client;

    assert_int_equal(loop_open(NULL, &loop, &error), OK);
    open_echo(&echo, loop, &budget, &client, 1 << 20);
    buffer_append_string(stream_socket_output(&echo.socket), "bye");
    stream_socket_commit(&echo.socket);
    stream_socket_close_when_sent(&echo.socket);
    assert_int_equal(echo.closed, 0);
    loop_turn(loop, 0);
    assert_int_equal(echo.closed, 1);
    assert_int_equal(read(client, got, sizeof(got)), 3);
    assert_int_equal(read(client, got, sizeof(got)), 0);
    close(client);
    loop_close(loop);
}

/* ---- listeners ---- */

static int accepted_count;

static void on_accept(struct listener *listener, int fd, const struct sockaddr *address)
{
    int keeps = 0;
    socklen_t size = sizeof(keeps);

    accepted_count++;
    assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &keeps, &size), 0);
    assert_int_equal(keeps, 1);
    close(fd);
}

static void listeners_share_a_port_that_others_may_not_take(void **state)
{
    struct listener a, b;
    struct sockaddr_storage address;
    struct loop *loop;
    int clients[20];

    assert_int_equal(loop_open(NULL, &loop, &error), OK);
    assert_int_equal(listener_parse("127.0.0.1", 0, &address, &error), OK);
    assert_int_equal(listener_parse("localhost!", 0, &address, &error), ERR_INVALID);
    assert_int_equal(listener_parse("127.0.0.1", 0, &address, &error), OK);
    assert_int_equal(listener_open(&a, loop, &address, on_accept, &error), OK);
    assert_int_not_equal(((struct sockaddr_in *)&address)->sin_port, 0);
    assert_int_equal(listener_open(&b, loop, &address, on_accept, &error), OK);
    assert_int_equal(listener_probe(&address, &error), ERR_IO);
    assert_int_equal(error.os_errno, EADDRINUSE);
    accepted_count = 0;
    for (size_t i = 0; i < ARRAY_SIZE(clients); i++) {
        clients[i] = socket(AF_INET, SOCK_STREAM, 0);
        assert_int_equal(connect(clients[i], (struct sockaddr *)&address, sizeof(struct sockaddr_in)), 0);
    }
    for (int i = 0; i < 100 && accepted_count < 20; i++)
        loop_turn(loop, 10000);
    assert_int_equal(accepted_count, 20);
    for (size_t i = 0; i < ARRAY_SIZE(clients); i++)
        close(clients[i]);
    listener_close(&a);
    listener_close(&b);
    loop_close(loop);
}

static void addresses_are_as_clients_know_them(void **state)
{
    static const struct {
        const char *text;
        uint8_t size, bytes[16];
    } cases[] = {
        { "127.0.0.1", 4, { 127, 0, 0, 1 } },
        { "::ffff:10.1.2.3", 4, { 10, 1, 2, 3 } },
        { "::1", 16, { [15] = 1 } },
        { "2001:db8::7", 16, { 0x20, 0x01, 0x0d, 0xb8, [15] = 7 } },
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct sockaddr_storage address;
        uint8_t bytes[16];

        assert_int_equal(listener_parse(cases[i].text, 9042, &address, &error), OK);
        assert_int_equal(listener_address_bytes((struct sockaddr *)&address, bytes), cases[i].size);
        assert_memory_equal(bytes, cases[i].bytes, cases[i].size);
        assert_int_equal(listener_port((struct sockaddr *)&address), 9042);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers_fire_in_order_of_time),
        cmocka_unit_test(a_task_that_comes_again_waits_for_the_next_turn),
        cmocka_unit_test(posts_of_other_threads_all_arrive),
        cmocka_unit_test(jobs_wait_elsewhere_and_come_back),
        cmocka_unit_test(a_group_leaves_threads_to_others),
        cmocka_unit_test(workers_stand_back_as_far_as_asked),
        cmocka_unit_test(messages_arrive_whole),
        cmocka_unit_test(a_reader_that_stops_stops_us),
        cmocka_unit_test(a_stalled_client_is_closed),
        cmocka_unit_test(input_of_all_sockets_is_bounded),
        cmocka_unit_test(output_leaves_before_it_closes),
        cmocka_unit_test(listeners_share_a_port_that_others_may_not_take),
        cmocka_unit_test(addresses_are_as_clients_know_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
