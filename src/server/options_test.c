/* Options: defaults, the command line over the file, sizes, and one clear line for each mistake; metrics as Prometheus
 * text. */
#include "server/metrics.h"
#include "server/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static enum status parse(struct options *options, struct error *error, char *const *arguments)
{
    int count = 0;

    while (arguments[count])
        count++;
    return options_parse(options, count, arguments, error);
}
#define PARSE(options, error, ...) parse(options, error, (char *const[]){ __VA_ARGS__, NULL })

static void defaults_stand_and_arguments_change_them(void **state)
{
    struct options options;
    struct error error;

    assert_int_equal(PARSE(&options, &error, "--data", "d", "--dev", "--cql-port=19042", "--frame-bytes", "2m"), OK);
    assert_string_equal(options.data, "d");
    assert_true(options.dev);
    assert_int_equal(options.cql_port, 19042);
    assert_int_equal(options.http_port, 9080);
    assert_int_equal(options.frame_bytes, 2 << 20);
    assert_string_equal(options.listen, "127.0.0.1");
    assert_string_equal(options.region, "us-east-1");
    options_fini(&options);
}

static void the_command_line_wins_over_the_file(void **state)
{
    char path[] = "/tmp/helenus-options-XXXXXX";
    char text[] = "# a comment\n\n  data = /var/lib/x \ncql-port=7000\n dev = true\nconnections = 5\n";
    struct options options;
    struct error error;
    int fd = mkstemp(path);

    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(PARSE(&options, &error, "--cql-port", "7001", "--config", path), OK);
    assert_string_equal(options.data, "/var/lib/x");
    assert_int_equal(options.cql_port, 7001);
    assert_int_equal(options.connections, 5);
    assert_true(options.dev);
    options_fini(&options);
    assert_int_equal(write(fd, "colour = red\n", 13), 13);
    assert_int_equal(PARSE(&options, &error, "--config", path), ERR_CONFIG);
    assert_non_null(strstr(error.message, ":7: unknown option colour"));
    options_fini(&options);
    close(fd);
    unlink(path);
    assert_int_equal(PARSE(&options, &error, "--data", "x", "--config", path), ERR_IO);
    options_fini(&options);
}

static void mistakes_are_named(void **state)
{
    static const struct {
        char *arguments[4];
        const char *message;
    } cases[] = {
        { { "--cql-prt", "1" }, "unknown option --cql-prt (see helenus --help)" },
        { { "--data", "x", "stray" }, "unexpected argument stray (see helenus --help)" },
        { { "--dev", "--data" }, "--data needs a value" },
        { { "--data", "x", "--cql-port=70000" }, "--cql-port: 70000 is not between 0 and 65535" },
        { { "--data", "x", "--cql-port=-1" }, "--cql-port: -1 is not a number" },
        { { "--data", "x", "--frame-bytes=1q" }, "--frame-bytes: 1q is not a number" },
        { { "--data", "x", "--frame-bytes=99999999999g" }, "--frame-bytes: 99999999999g is not a number" },
        { { "--data", "x", "--auth=plain" }, "--auth: plain is none of: none password roles" },
        { { "--data", "x", "--auth=none password" }, "--auth: none password is none of: none password roles" },
        { { "--dev" }, "serve needs --data DIR" },
        { { "--data=x", "--data=x" }, "--data is given twice" },
        { { "--dev", "--dev" }, "--dev is given twice" },
        { { "--config=x", "--config=y" }, "--config is given twice" },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct options options;
        struct error error;

        assert_int_equal(parse(&options, &error, cases[i].arguments), ERR_CONFIG);
        assert_string_equal(error.message, cases[i].message);
        options_fini(&options);
    }
}

static void a_memory_store_needs_no_directory(void **state)
{
    struct options options;
    struct error error;

    assert_int_equal(PARSE(&options, &error, "--store", "memory"), OK);
    assert_null(options.data);
    options_fini(&options);
}

struct seen {
    int taken, left;
};

static void see(void *context, const char *name, bool taken)
{
    struct seen *seen = context;

    taken ? seen->taken++ : seen->left++;
}

static void a_reload_takes_what_may_change_and_names_the_rest(void **state)
{
    struct options options, fresh;
    struct error error;
    struct seen seen = { 0 };

    assert_int_equal(PARSE(&options, &error, "--data", "d", "--log-level", "warn", "--connections", "5"), OK);
    assert_int_equal(PARSE(&fresh, &error, "--data", "e", "--log-level", "error", "--connections", "6", "--dev"), OK);
    options_take(&options, &fresh, see, &seen);
    assert_int_equal(seen.taken, 2);
    assert_int_equal(seen.left, 2);
    assert_string_equal(options.data, "d");
    assert_false(options.dev);
    assert_string_equal(options.log_level, "error");
    assert_int_equal(options.connections, 6);
    options_fini(&fresh);
    options_fini(&options);
}

static void plain_text_beside_tls_is_asked_for_by_name(void **state)
{
    static const struct {
        char *arguments[8];
        bool cql, http;
    } cases[] = {
        { { "--data=x" }, true, true },
        { { "--data=x", "--tls-certificate=c", "--tls-key=k" }, false, false },
        { { "--data=x", "--tls-certificate=c", "--tls-key=k", "--dev" }, true, true },
        { { "--data=x", "--tls-certificate=c", "--tls-key=k", "--cql-port=9042" }, true, false },
        { { "--data=x", "--tls-certificate=c", "--tls-key=k", "--http-port=9080" }, false, true },
        { { "--data=x", "--tls-certificate=c", "--tls-key=k", "--http-port=0" }, false, false },
        { { "--data=x", "--tls-certificate=c", "--tls-key=k", "--http-port=0", "--dev" }, true, false },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct options options;
        struct error error;

        assert_int_equal(parse(&options, &error, cases[i].arguments), OK);
        assert_int_equal(options_serve_plain_cql(&options), cases[i].cql);
        assert_int_equal(options_serve_plain_http(&options), cases[i].http);
        options_fini(&options);
    }
}

static void metrics_are_sums_in_prometheus_text(void **state)
{
    struct metrics a = { 0 }, b = { 0 }, sum = { 0 };
    struct buffer out = { 0 };
    char *text;

    metric_add(&a.requests[7], 2);
    metric_add(&b.requests[7], 3);
    metric_add(&b.errors[ERR_INVALID], 1);
    metrics_latency(&a, 40);
    metrics_latency(&a, 60);
    metrics_latency(&b, 20000000);
    metrics_sum(&sum, &a);
    metrics_sum(&sum, &b);
    metrics_print(&out, &sum);
    buffer_append_u8(&out, 0);
    text = (char *)out.data;
    assert_non_null(strstr(text, "\nhelenus_requests_total{kind=\"QUERY\"} 5\n"));
    assert_non_null(strstr(text, "\nhelenus_errors_total{reason=\"invalid\"} 1\n"));
    assert_non_null(strstr(text, "\nhelenus_request_seconds_bucket{le=\"5e-05\"} 1\n"));
    assert_non_null(strstr(text, "\nhelenus_request_seconds_bucket{le=\"0.0001\"} 2\n"));
    assert_non_null(strstr(text, "\nhelenus_request_seconds_bucket{le=\"10\"} 2\n"));
    assert_non_null(strstr(text, "\nhelenus_request_seconds_bucket{le=\"+Inf\"} 3\n"));
    assert_non_null(strstr(text, "\nhelenus_request_seconds_count 3\n"));
    buffer_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_stand_and_arguments_change_them),
        cmocka_unit_test(the_command_line_wins_over_the_file),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(a_memory_store_needs_no_directory),
        cmocka_unit_test(a_reload_takes_what_may_change_and_names_the_rest),
        cmocka_unit_test(plain_text_beside_tls_is_asked_for_by_name),
        cmocka_unit_test(metrics_are_sums_in_prometheus_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
