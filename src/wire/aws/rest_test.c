/* restJson1: which operation a path is for; labels, queries, headers, payloads are read or refused; answers, and what must not break them. */
#include "wire/aws/codec.h"
#include "wire/aws/model_bed.h"
#include "wire/aws/percent.h"

static const char model[] =
    "service lambda\nid L\nsigning lambda\nnamespace com.l\nprotocols rest-json\n"
    "list Names of String\nlist Times of Timestamp\nlist Numbers of Integer\nmap Texts of String to String\n"
    "map Parameters of String to Names\nstructure Inner a:String\ntimestamp Iso iso8601\n"
    "error Busy 429 Message:String after@header(Retry-After):String why:String\n"
    "structure Get Name!@uri:String q@query(Qualifier):String n@query(N):Integer f@query(F):Boolean t@query(T):Timestamp\n"
    "    names@query(tag):Names all@query:Parameters\n"
    "structure Head Name!@uri:String h@header(X-Text):String i@header(X-Int):Integer w@header(X-When):Timestamp\n"
    "    s@header(X-Iso):Iso names@header(X-Names):Names times@header(X-Times):Times numbers@header(X-Numbers):Numbers\n"
    "    meta@headers(X-Meta-):Texts blob@header(X-Blob):Blob\n"
    "structure Body Name!@uri:String text:String inner:Inner when:Timestamp\n"
    "structure Blobbed Name!@uri:String data@payload:Blob\n"
    "structure Payload inner@payload:Inner\nstructure Path Rest!@uri:String\n"
    "structure Out text:String h@header(X-Text):String names@header(X-Names):Names when@header(X-When):Timestamp\n"
    "    meta@headers(X-Meta-):Texts status@status:Integer\n"
    "structure HeadersOut h@header(X-Text):String\nstructure BlobOut data@payload:Blob\nstructure Nothing\n"
    "operation Get Get at GET /2015/functions/{Name} 200 -> Out\n"
    "operation List at GET /2015/functions/ 200 -> Out\n"
    "operation Special at GET /2015/functions/special 202 -> Nothing\n"
    "operation Policy Get at GET /2015/functions/{Name}/policy 200 -> HeadersOut\n"
    "operation Post Body at POST /2015/functions/{Name} 201 -> BlobOut\n"
    "operation Delete at DELETE /2015/functions 204 ->\n"
    "operation Head Head at PUT /heads/{Name}?x=y 200 -> Out\n"
    "operation Invoke Blobbed at POST /2015/functions/{Name}/invocations 200 -> BlobOut\n"
    "operation Send Payload at PUT /payload 200 -> Out\n"
    "operation Greedy Path at GET /g/{Rest+}/end 200 -> Out\n"
    "operation GreedyAll Path at GET /g/{Rest+} 200 -> Out\n";

static int set_up(void **state)
{
    model_bed_open(model);
    return 0;
}

static void assert_text(struct bytes text, const char *wanted)
{
    if (!bytes_equal(text, bytes_of_string(wanted)))
        fail_msg("'%.*s', not '%s'", BYTES(text), wanted);
}

static void assert_found(const char *method, const char *path, const char *name)
{
    const struct model_operation *found =
        rest_operation_find(arena, service, bytes_of_string(method), bytes_of_string(path));

    if (!found != !name || (found && strcmp(found->name, name) != 0))
        fail_msg("%s %s: %s, not %s", method, path, found ? found->name : "none", name ? name : "none");
}

static void test_paths(void **state)
{
    assert_found("GET", "/2015/functions", "List");
    assert_found("GET", "/2015/functions/", "List");
    assert_found("GET", "/2015/functions/f", "Get");
    assert_found("GET", "/2015/functions/special", "Special");
    assert_found("GET", "/2015/functions/speci%61l", "Get");
    assert_found("GET", "/2015/functions/f/policy", "Policy");
    assert_found("GET", "/2015/functions/f/other", NULL);
    assert_found("POST", "/2015/functions/f", "Post");
    assert_found("post", "/2015/functions/f", NULL);
    assert_found("PUT", "/2015/functions/f", NULL);
    assert_found("GET", "/", NULL);
    assert_found("GET", "", NULL);
    assert_found("PUT", "/heads/x", "Head");
    assert_found("GET", "/g/a/b/c", "GreedyAll");
    assert_found("GET", "/g/a/b/end", "Greedy");
    assert_found("GET", "/g/end", "GreedyAll");
    assert_found("GET", "/g", NULL);
    /* As it was signed: in its normal form. */
    assert_found("GET", "//2015/./functions//f", "Get");
    assert_found("GET", "/2015/functions/f/policy/../", "Get");
    assert_found("GET", "/2015/functions/f/../../functions/f/policy", "Policy");
    assert_found("GET", "/2015/functions/f%2Fpolicy", "Get");
}

static void test_many_segments(void **state)
{
    CLEANUP(buffer_fini) struct buffer path = { 0 };

    buffer_append_string(&path, "/g");
    for (int i = 1; i < REST_SEGMENTS_MAX; i++)
        buffer_append_string(&path, "/a");
    buffer_append_u8(&path, 0);
    assert_found("GET", (const char *)path.data, "GreedyAll");
    path.size--;
    buffer_append(&path, "/a", 3);
    assert_found("GET", (const char *)path.data, NULL);
}

struct trial {
    const char *method, *target, *body;
    const char *headers[8];
};

static bool read_request(struct trial trial, struct tree **tree, struct api_fault *fault)
{
    struct rest_message message = { .method = bytes_of_string(trial.method),
                                    .body = bytes_of_string(trial.body ? trial.body : "") };
    struct bytes_pair *headers = arena_new_array(arena, struct bytes_pair, 4);
    const struct model_operation *operation;
    struct bytes query;

    for (int i = 0; i < 8 && trial.headers[i]; i += 2)
        headers[message.header_count++] =
            (struct bytes_pair){ bytes_of_string(trial.headers[i]), bytes_of_string(trial.headers[i + 1]) };
    message.headers = headers;
    target_split(bytes_of_string(trial.target), &message.raw_path, &query);
    operation = rest_operation_find(arena, service, message.method, message.raw_path);
    assert_non_null(operation);
    return rest_parameters(arena, query, &message.parameters, &message.parameter_count, fault) &&
           rest_read(arena, operation, &message, tree, fault);
}

static struct tree *read_good(struct trial trial)
{
    struct api_fault fault = { 0 };
    struct tree *tree = NULL;

    if (!read_request(trial, &tree, &fault))
        fail_msg("%s: %s", trial.target, fault.message);
    return tree;
}

static void assert_refused(struct trial trial, const char *words)
{
    struct api_fault fault = { 0 };
    struct tree *tree = NULL;

    if (read_request(trial, &tree, &fault))
        fail_msg("%s was read", trial.target);
    if (!strstr(fault.message, words))
        fail_msg("%s: '%s', not '%s'", trial.target, fault.message, words);
    assert_string_equal(fault.name, "SerializationException");
}

static void test_labels(void **state)
{
    struct tree *tree = read_good((struct trial){ "GET", "/2015/functions/arn%3Aaws%3Al%2Fx+y", NULL, { NULL } });

    assert_text(tree_string(tree, "Name"), "arn:aws:l/x+y");
    tree = read_good((struct trial){ "GET", "/g/a%20b/c//d/end", NULL, { NULL } });
    assert_text(tree_string(tree, "Rest"), "a b/c/d");
    assert_refused((struct trial){ "GET", "/2015/functions/%zz", NULL, { NULL } }, "no two hexadecimal digits");
    assert_refused((struct trial){ "GET", "/2015/functions/%ff", NULL, { NULL } }, "UTF-8 (at Name)");
}

static void test_queries(void **state)
{
    struct tree *tree = read_good((struct trial){
        "GET",
        "/2015/functions/f?tag=b&Qualifier=a+b%20c&N=5&F=true&T=2026-01-02T03:04:05Z&tag=a&tag=&unknown",
        NULL,
        { NULL } });
    const struct tree *names = tree_get(tree, "names"), *parameters = tree_get(tree, "all");

    assert_text(tree_string(tree, "q"), "a+b c");
    assert_int_equal(tree_integer(tree, "n", 0), 5);
    assert_true(tree_boolean(tree, "f", false));
    assert_int_equal(tree_time(tree, "t", 0), INT64_C(1767323045000000));
    assert_int_equal(names->count, 3);
    assert_text(names->entries[0].value->bytes, "b");
    assert_text(names->entries[2].value->bytes, "");
    assert_int_equal(parameters->count, 6);
    for (uint32_t i = 0; i < parameters->count; i++)
        if (bytes_equal(parameters->entries[i].key, BYTES_LITERAL("tag")))
            assert_int_equal(parameters->entries[i].value->count, 3);
    assert_refused((struct trial){ "GET", "/2015/functions/f?N=five", NULL, { NULL } },
                   "'five' cannot be converted to Integer (at N)");
    assert_refused((struct trial){ "GET", "/2015/functions/f?F=yes", NULL, { NULL } }, "Boolean");
    assert_refused((struct trial){ "GET", "/2015/functions/f?T=1", NULL, { NULL } }, "Timestamp");
    assert_refused((struct trial){ "GET", "/2015/functions/f?x=%", NULL, { NULL } }, "no two hexadecimal digits");
    assert_refused((struct trial){ "GET", "/2015/functions/f?%ff=1", NULL, { NULL } }, "UTF-8");
}

static void test_many_parameters(void **state)
{
    CLEANUP(buffer_fini) struct buffer query = { 0 };
    const struct bytes_pair *pairs;
    struct api_fault fault = { 0 };
    uint32_t count;

    for (int i = 0; i < REST_PARAMETERS_MAX; i++)
        buffer_append_string(&query, "a&");
    assert_true(rest_parameters(arena, buffer_bytes(&query), &pairs, &count, &fault));
    assert_int_equal(count, REST_PARAMETERS_MAX);
    buffer_append_string(&query, "a");
    assert_false(rest_parameters(arena, buffer_bytes(&query), &pairs, &count, &fault));
    assert_non_null(strstr(fault.message, "More than 10000 parameters"));
}

static struct tree *read_header(const char *name, const char *value)
{
    return read_good((struct trial){ "PUT", "/heads/x", NULL, { name, value } });
}

static void test_headers(void **state)
{
    struct tree *tree = read_header("x-text", "  a, b ");
    const struct tree *list;

    assert_text(tree_string(tree, "h"), "a, b");
    assert_int_equal(tree_integer(read_header("X-INT", "-7"), "i", 0), -7);
    assert_null(tree_get(read_header("X-Int", ""), "i"));
    assert_text(tree_string(read_header("X-Text", ""), "h"), "");
    assert_text(tree_string(read_header("X-Blob", "YWI="), "blob"), "ab");
    assert_int_equal(tree_time(read_header("X-When", "Fri, 02 Jan 2026 03:04:05 GMT"), "w", 0),
                     INT64_C(1767323045000000));
    assert_int_equal(tree_time(read_header("X-Iso", "2026-01-02T03:04:05Z"), "s", 0), INT64_C(1767323045000000));
    list = tree_get(read_header("X-Names", "a, \"b,c\" ,\"d\\\"\\\\\", , e"), "names");
    assert_int_equal(list->count, 5);
    assert_text(list->entries[1].value->bytes, "b,c");
    assert_text(list->entries[2].value->bytes, "d\"\\");
    assert_text(list->entries[3].value->bytes, "");
    assert_text(list->entries[4].value->bytes, "e");
    assert_int_equal(tree_get(read_header("X-Names", ""), "names")->count, 0);
    list = tree_get(read_header("X-Times", "Fri, 02 Jan 2026 03:04:05 GMT, Sat, 03 Jan 2026 03:04:05 GMT"), "times");
    assert_int_equal(list->count, 2);
    assert_int_equal(list->entries[1].value->microseconds, INT64_C(1767409445000000));
    /* A list goes on in the next header of its name. */
    tree = read_good((struct trial){ "PUT", "/heads/x", NULL, { "X-Numbers", "1,2", "x-numbers", "3" } });
    assert_int_equal(tree_get(tree, "numbers")->count, 3);
    tree = read_good((struct trial){ "PUT", "/heads/x", NULL, { "x-meta-B", "1", "X-Meta-a", "2", "X-Met", "3" } });
    assert_int_equal(tree_get(tree, "meta")->count, 2);
    assert_text(tree_get(tree, "meta")->entries[0].key, "B");
    assert_null(tree_get(read_header("X-Met", "1"), "meta"));

    assert_refused((struct trial){ "PUT", "/heads/x", NULL, { "X-Int", "1,2" } }, "(at X-Int)");
    assert_refused((struct trial){ "PUT", "/heads/x", NULL, { "X-Numbers", "1,x" } }, "(at X-Numbers)");
    assert_refused((struct trial){ "PUT", "/heads/x", NULL, { "X-Names", "\"a" } }, "does not end");
    assert_refused((struct trial){ "PUT", "/heads/x", NULL, { "X-Names", "\"a\"b" } }, "something behind it");
    assert_refused((struct trial){ "PUT", "/heads/x", NULL, { "X-When", "2026-01-02T03:04:05Z" } }, "Timestamp");
    assert_refused((struct trial){ "PUT", "/heads/x", NULL, { "X-Text", "\xff" } }, "UTF-8");
}

static void test_bodies(void **state)
{
    struct tree *tree =
        read_good((struct trial){ "POST",
                                  "/2015/functions/f",
                                  "{\"text\":\"t\",\"Name\":\"evil\",\"inner\":{\"a\":\"b\"},\"when\":1.5}",
                                  { NULL } });

    /* What the path says cannot be said in the body. */
    assert_text(tree_string(tree, "Name"), "f");
    assert_text(tree_string(tree, "text"), "t");
    assert_int_equal(tree_time(tree, "when", 0), 1500000);
    assert_text(tree_string(read_good((struct trial){ "POST", "/2015/functions/f", "", { NULL } }), "Name"), "f");
    assert_refused((struct trial){ "POST", "/2015/functions/f", "{\"text\":5}", { NULL } }, "(at text)");
    assert_refused((struct trial){ "POST", "/2015/functions/f", "[]", { NULL } }, "");
    /* A body that nobody asked for. */
    read_good((struct trial){ "GET", "/2015/functions/f", "not JSON", { NULL } });
    tree = read_good((struct trial){ "POST", "/2015/functions/f/invocations", "\001\xff", { NULL } });
    assert_text(tree_string(tree, "data"), "\001\xff");
    tree = read_good((struct trial){ "POST", "/2015/functions/f/invocations", "", { NULL } });
    assert_null(tree_get(tree, "data"));
    tree = read_good((struct trial){ "PUT", "/payload", "{\"a\":\"b\"}", { NULL } });
    assert_text(tree_string(tree_get(tree, "inner"), "a"), "b");
    assert_refused((struct trial){ "PUT", "/payload", "\"a\"", { NULL } }, "not an object");
}

static struct rest_answer answer_of(const char *name, const struct tree *tree, struct buffer *body)
{
    struct rest_answer answer;

    rest_write(arena, body, &answer, model_operation_find(service, bytes_of_string(name)), tree);
    return answer;
}

static void assert_header(const struct rest_answer *answer, const char *name, const char *value)
{
    for (uint32_t i = 0; i < answer->header_count; i++)
        if (bytes_equal(answer->headers[i].name, bytes_of_string(name))) {
            assert_text(answer->headers[i].value, value);
            return;
        }
    fail_msg("there is no %s", name);
}

static void test_answers(void **state)
{
    CLEANUP(buffer_fini) struct buffer body = { 0 }, other = { 0 };
    struct tree *tree = tree_new(arena, model_shape_find(service, "Out")), *names, *meta;
    struct rest_answer answer;

    tree_set_text(arena, tree, "text", "t");
    tree_set_text(arena, tree, "h", "a\r\nSet-Cookie: b\177\001");
    tree_set_time(arena, tree, "when", INT64_C(1767323045000000));
    tree_set_integer(arena, tree, "status", 203);
    names = tree_member(arena, tree, "names");
    tree_append(arena, names)->bytes = BYTES_LITERAL("plain");
    tree_append(arena, names)->bytes = BYTES_LITERAL("a,b");
    tree_append(arena, names)->bytes = BYTES_LITERAL("q\"\\");
    meta = tree_member(arena, tree, "meta");
    tree_put(arena, meta, BYTES_LITERAL("good"))->bytes = BYTES_LITERAL("1");
    tree_put(arena, meta, BYTES_LITERAL("bad: x\r\nY"))->bytes = BYTES_LITERAL("2");
    answer = answer_of("Get", tree, &body);
    assert_int_equal(answer.status, 203);
    assert_int_equal(answer.header_count, 4);
    /* No value ends its header, and no name either. */
    assert_header(&answer, "X-Text", "a  Set-Cookie: b  ");
    assert_header(&answer, "X-Names", "plain, \"a,b\", \"q\\\"\\\\\"");
    assert_header(&answer, "X-When", "Fri, 02 Jan 2026 03:04:05 GMT");
    assert_header(&answer, "X-Meta-good", "1");
    assert_text(buffer_bytes(&body), "{\"text\":\"t\"}");
    assert_string_equal(answer.content_type, "application/json");

    answer = answer_of("Special", NULL, &other);
    assert_int_equal(answer.status, 202);
    assert_text(buffer_bytes(&other), "{}");
    buffer_reset(&other);
    assert_null(answer_of("Delete", NULL, &other).content_type);
    assert_null(answer_of("Policy", NULL, &other).content_type);
    assert_int_equal(other.size, 0);
    tree = tree_new(arena, model_shape_find(service, "BlobOut"));
    tree_set_string(arena, tree, "data", BYTES_LITERAL("\001\002"));
    answer = answer_of("Invoke", tree, &other);
    assert_string_equal(answer.content_type, "application/octet-stream");
    assert_text(buffer_bytes(&other), "\001\002");
}

static void test_faults(void **state)
{
    CLEANUP(buffer_fini) struct buffer body = { 0 };
    struct rest_answer answer;
    struct api_fault fault;

    fault_set(&fault, "Busy", 429, "Later");
    fault.shape = model_shape_find(service, "Busy");
    fault.details = tree_new(arena, fault.shape);
    tree_set_text(arena, fault.details, "after", "10");
    tree_set_text(arena, fault.details, "why", "rate");
    rest_write_fault(arena, &body, &answer, service, &fault);
    assert_int_equal(answer.status, 429);
    assert_header(&answer, "x-amzn-errortype", "Busy");
    assert_header(&answer, "Retry-After", "10");
    assert_text(buffer_bytes(&body), "{\"__type\":\"com.l#Busy\",\"Message\":\"Later\",\"why\":\"rate\"}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),   cmocka_unit_test(test_many_segments),   cmocka_unit_test(test_labels),
        cmocka_unit_test(test_queries), cmocka_unit_test(test_many_parameters), cmocka_unit_test(test_headers),
        cmocka_unit_test(test_bodies),  cmocka_unit_test(test_answers),         cmocka_unit_test(test_faults),
    };

    return cmocka_run_group_tests(tests, set_up, model_bed_close);
}
