/* Decisions: the rows of tests/vectors/policies.txt; what is told of one; its words; and on random policies and requests, what must hold of
 * all: a deny that is added never allows, an allow never denies, no order matters, who wants to know more gets the same answer. */
#include "iam/bed.h"

#include "base/random.h"

#include <stdlib.h>

enum { POLICIES_MAX = 8, FIELDS_MAX = 4, RANDOM_ROUNDS = 20000, LISTS = 64 };

#define VECTORS "tests/vectors/policies.txt"
#define TABLE   "arn:aws:cassandra:us-east-1:111122223333:/keyspace/k/table/t"

static const char *const type_names[] = { "identity", "boundary", "session", "resource" };

/* ---- the rows ---- */

/* What a page has said so far. */
struct page {
    struct arena *arena;
    struct policy *policies[IAM_POLICY_TYPES][POLICIES_MAX];
    struct policy_set set;
    struct iam_request request;
    struct bed_context context;
    unsigned line, rows;
    char name[256];
};

static void clear(struct page *page)
{
    for (int type = 0; type < IAM_POLICY_TYPES; type++) {
        for (uint32_t i = 0; i < page->set.groups[type].count; i++)
            policy_unref(page->policies[type][i]);
        page->set.groups[type] = (struct policy_group){ .policies = page->policies[type] };
    }
    page->set.is_required = false;
}

static int type_of(const char *name)
{
    for (int type = 0; type < IAM_POLICY_TYPES; type++)
        if (strcmp(name, type_names[type]) == 0)
            return type;
    return strcmp(name, "trust") == 0 ? IAM_RESOURCE_POLICY : -1;
}

static void add(struct page *page, const char *kind, const char *text)
{
    int type = type_of(kind);
    struct policy_group *group = &page->set.groups[type];

    assert_true(group->count < POLICIES_MAX);
    page->policies[type][group->count++] = bed_policy(strcmp(kind, "trust") == 0    ? POLICY_TRUST
                                                      : type == IAM_RESOURCE_POLICY ? POLICY_RESOURCE
                                                                                    : POLICY_IDENTITY,
                                                      bytes_of_string(text));
}

static struct bytes keep(struct page *page, const char *text)
{
    return text ? arena_copy(page->arena, bytes_of_string(text)) : bytes_of("", 0);
}

/* An ARN's account is its fifth part. */
static void become(struct page *page, char *const fields[FIELDS_MAX])
{
    static const char *const kinds[] = { "user", "root", "role", "federated", "service", "provider", "anonymous" };
    struct iam_principal *principal = &page->request.principal;
    const char *account = fields[2];
    size_t kind = 0;

    while (kind < ARRAY_SIZE(kinds) && strcmp(fields[1], kinds[kind]) != 0)
        kind++;
    assert_true(kind < ARRAY_SIZE(kinds));
    for (int colons = 0; account && colons < 4; colons++)
        if ((account = strchr(account, ':')))
            account++;
    *principal = (struct iam_principal){ .kind = (enum iam_principal_kind)kind, .arn = keep(page, fields[2]) };
    if (account)
        principal->account = arena_copy(page->arena, bytes_of(account, strcspn(account, ":")));
    if (principal->kind == IAM_PROVIDER_USER)
        principal->provider = keep(page, fields[3]);
    else
        principal->base_arn = keep(page, fields[3]);
}

static void know(struct page *page, char *name)
{
    char *values = strchr(name, '=');

    if (!values) {
        page->context.unknown = keep(page, name);
        return;
    }
    *values = 0;
    bed_put(&page->context, name, values + 1);
}

static void forget(struct page *page)
{
    page->context = (struct bed_context){ .arena = page->arena };
    page->request.ask = bed_ask;
    page->request.context = &page->context;
}

static void turn(struct page *page, const char *name)
{
    char *alice[FIELDS_MAX] = { "as", "user", "arn:aws:iam::111122223333:user/alice" };

    clear(page);
    forget(page);
    become(page, alice);
    page->request.resource_account = bytes_of("", 0);
    snprintf(page->name, sizeof(page->name), "%s", name);
}

static void check_row(struct page *page, char *const fields[FIELDS_MAX])
{
    static const char *const decisions[] = { "allowed", "implicit", "denied" };
    struct iam_missing missing[LISTS];
    struct iam_matched matched[LISTS];
    struct decision_detail detail = { 0 }, full = {
        .matched = matched, .matched_max = LISTS, .missing = missing, .missing_max = LISTS
    };
    enum decision decision;

    page->request.action = bytes_of_string(fields[1]);
    page->request.resource = bytes_of_string(fields[2]);
    decision = iam_decide(&page->request, &page->set, &detail);
    if (strcmp(decisions[decision], fields[0]) != 0 || detail.decision != decision ||
        (fields[3] && type_of(fields[3]) != (int)detail.type))
        fail_msg(VECTORS ":%u: %s: %s %s is %s by %s, wanted %s %s", page->line, page->name, fields[1], fields[2],
                 decisions[decision], type_names[detail.type], fields[0], fields[3] ? fields[3] : "");
    assert_int_equal(iam_decide(&page->request, &page->set, NULL), decision);
    assert_int_equal(iam_decide(&page->request, &page->set, &full), decision);
    assert_true(full.type == detail.type && full.has_statement == detail.has_statement);
    page->rows++;
}

static void read_line(struct page *page, char *line)
{
    char *fields[FIELDS_MAX] = { 0 }, *rest = strchr(line, ' ');

    if (rest && strncmp(line, "page ", 5) == 0) {
        turn(page, rest + 1);
        return;
    }
    if (rest && rest[1] == '{') {
        *rest = 0;
        add(page, line, rest + 1);
        return;
    }
    if (strncmp(line, "key ", 4) == 0) {
        know(page, rest + 1);
        return;
    }
    fields[0] = strtok(line, " ");
    for (int i = 1; i < FIELDS_MAX; i++)
        fields[i] = strtok(NULL, " ");
    if (strcmp(fields[0], "clear") == 0)
        clear(page);
    else if (strcmp(fields[0], "forget") == 0)
        forget(page);
    else if (strcmp(fields[0], "required") == 0)
        page->set.is_required = true;
    else if (strcmp(fields[0], "none") == 0)
        page->set.groups[type_of(fields[1])].is_there = true;
    else if (strcmp(fields[0], "as") == 0)
        become(page, fields);
    else if (strcmp(fields[0], "of") == 0)
        page->request.resource_account = keep(page, fields[1]);
    else
        check_row(page, fields);
}

static void test_rows(void **state)
{
    FILE *file = fopen(VECTORS, "r");
    CLEANUP(buffer_fini) struct buffer whole = { 0 };
    struct page page = { .arena = arena_new(4096) };
    char *line = NULL;
    size_t room = 0;
    ssize_t size;

    assert_non_null(file);
    for (unsigned number = 1;; number++) {
        size = getline(&line, &room, file);
        if (whole.size && (size <= 0 || line[0] != ' ')) {
            buffer_append_u8(&whole, 0);
            read_line(&page, (char *)whole.data);
            buffer_reset(&whole);
            page.line = number;
        }
        if (size <= 0)
            break;
        if (line[0] == '#' || line[0] == '\n')
            continue;
        buffer_append(&whole, line, (size_t)size - (line[size - 1] == '\n'));
        page.line = page.line ? page.line : number;
    }
    assert_in_range(page.rows, 150, 10000);
    clear(&page);
    free(line);
    fclose(file);
    arena_free(page.arena);
}

/* ---- what is told ---- */

static struct iam_request request_of(const char *action, const char *resource)
{
    return (struct iam_request){
        .action = bytes_of_string(action),
        .resource = bytes_of_string(resource),
        .principal = { .kind = IAM_USER,
                       .arn = BYTES_LITERAL("arn:aws:iam::111122223333:user/alice"),
                       .account = BYTES_LITERAL("111122223333") },
    };
}

static struct policy *identity_of(const char *text)
{
    return bed_policy(POLICY_IDENTITY, bytes_of_string(text));
}

static void test_detail(void **state)
{
    struct policy *policies[] = {
        identity_of(
            "{\"Version\": \"2012-10-17\", \"Statement\": [\n"
            "{\"Effect\": \"Allow\", \"Action\": \"cassandra:*\", \"Resource\": \"*\","
            " \"Condition\": {\"StringEquals\": {\"aws:username\": \"${aws:PrincipalTag/a}\", \"AWS:Unknown\": \"x\"}}},\n"
            "{\"Effect\": \"Allow\", \"Action\": \"cassandra:Select\", \"Resource\": \"*\"},"
            "{\"Effect\": \"Allow\", \"Action\": \"s3:*\", \"Resource\": \"*\", \"Condition\": {\"Null\": {\"s3:x\": \"true\"}}}]}"),
        identity_of(
            "{\"Statement\": [{\"Effect\": \"Deny\", \"Action\": \"cassandra:Drop\", \"Resource\": \"*\"},"
            " {\"Effect\": \"Deny\", \"Action\": \"cassandra:*\", \"Resource\": \"*\","
            " \"Condition\": {\"NumericEquals\": {\"aws:UserName\": \"5\"}, \"Bool\": {\"aws:tagkeys\": true}}}]}"),
    };
    struct policy_set set = { .groups = { [IAM_IDENTITY_POLICY] = { .policies = policies, .count = 2 } } };
    struct bed_context context = { .arena = arena_new(256), .unknown = BYTES_LITERAL("aws:unknown") };
    struct iam_request request = request_of("cassandra:Select", TABLE);
    struct iam_missing missing[8];
    struct iam_matched matched[8];
    struct decision_detail detail = { .matched = matched, .matched_max = 8, .missing = missing, .missing_max = 8 };
    static const struct iam_missing right[] = {
        { { (const uint8_t *)"AWS:Unknown", 11 }, OBSTACLE_UNKNOWN },
        { { (const uint8_t *)"aws:UserName", 12 }, OBSTACLE_UNREADABLE },
        { { (const uint8_t *)"aws:tagkeys", 11 }, OBSTACLE_SEVERAL },
        { { (const uint8_t *)"aws:PrincipalTag/a", 18 }, OBSTACLE_ABSENT },
    };

    request.ask = bed_ask;
    request.context = &context;
    bed_put(&context, "aws:username", "al");
    bed_put(&context, "aws:TagKeys", "a,b");
    /* The second deny cannot be evaluated, so it denies. */
    assert_int_equal(iam_decide(&request, &set, &detail), IAM_EXPLICIT_DENY);
    assert_true(detail.has_statement && detail.policy == 1 && detail.statement == 1);
    assert_int_equal(detail.matched_count, 2);
    assert_true(matched[0].policy == 0 && matched[0].statement == 1 && !matched[0].denies);
    assert_true(matched[1].policy == 1 && matched[1].statement == 1 && matched[1].denies);
    assert_int_equal(detail.missing_count, ARRAY_SIZE(right));
    for (size_t i = 0; i < ARRAY_SIZE(right); i++) {
        bool is_there = false;

        for (size_t k = 0; k < ARRAY_SIZE(right); k++)
            is_there |= missing[k].obstacle == right[i].obstacle && bytes_equal(missing[k].key, right[i].key);
        if (!is_there)
            fail_msg("%.*s is not told", BYTES(right[i].key));
    }
    set.groups[IAM_IDENTITY_POLICY].count = 1;
    assert_int_equal(iam_decide(&request, &set, &detail), IAM_ALLOWED);
    assert_true(detail.has_statement && detail.policy == 0 && detail.statement == 1 &&
                detail.is_allowed_by[IAM_IDENTITY_POLICY]);
    assert_true(detail.start.line == 2 && detail.end.line == 3 && !detail.is_allowed_by[IAM_BOUNDARY]);
    /* Lists without room, and too little of it. */
    detail.missing_max = 1;
    detail.matched_max = 0;
    iam_decide(&request, &set, &detail);
    assert_true(detail.missing_count >= 2 && detail.matched_count == 1);
    arena_free(context.arena);
    for (size_t i = 0; i < ARRAY_SIZE(policies); i++)
        policy_unref(policies[i]);
}

/* A decision for which no key was asked holds whatever a request brings. */
static void test_depends(void **state)
{
    static const struct {
        const char *action;
        enum decision decision;
        bool depends;
    } rows[] = {
        { "cassandra:Select", IAM_ALLOWED, false },     { "cassandra:Modify", IAM_ALLOWED, true },
        { "cassandra:Alter", IAM_IMPLICIT_DENY, true }, { "cassandra:Drop", IAM_EXPLICIT_DENY, false },
        { "s3:GetObject", IAM_IMPLICIT_DENY, false },   { "cassandra:Create", IAM_ALLOWED, true },
    };
    struct policy *policy = identity_of(
        "{\"Version\": \"2012-10-17\", \"Statement\": ["
        "{\"Effect\": \"Allow\", \"Action\": [\"cassandra:Select\", \"cassandra:Modify\"], \"Resource\": \"*\"},"
        "{\"Effect\": \"Deny\", \"Action\": \"cassandra:Modify\", \"Resource\": \"*\", \"Condition\": {\"Bool\": {\"aws:x\": true}}},"
        "{\"Effect\": \"Allow\", \"Action\": \"cassandra:Alter\", \"Resource\": \"*\", \"Condition\": {\"Bool\": {\"aws:x\": true}}},"
        "{\"Effect\": \"Allow\", \"Action\": \"cassandra:Create\", \"Resource\": \"arn:aws:cassandra:*:*:/keyspace/${aws:k, 'k'}/*\"},"
        "{\"Effect\": \"Deny\", \"Action\": \"cassandra:Drop\", \"Resource\": \"*\"}]}");
    struct policy_set set = { .groups = { [IAM_IDENTITY_POLICY] = { .policies = &policy, .count = 1 } } };
    struct decision_detail detail = { 0 };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct iam_request request = request_of(rows[i].action, TABLE);

        if (iam_decide(&request, &set, &detail) != rows[i].decision || detail.depends_on_context != rows[i].depends)
            fail_msg("%s", rows[i].action);
    }
    policy_unref(policy);
}

static void test_limits(void **state)
{
    static uint8_t long_text[IAM_TEXT_MAX + 1];
    struct policy *allow =
        identity_of("{\"Statement\": {\"Effect\": \"Allow\", \"Action\": \"*\", \"Resource\": \"*\"}}");
    struct policy *deny =
        identity_of("{\"Statement\": {\"Effect\": \"Deny\", \"Action\": \"a:b\", \"Resource\": \"arn:aws:s3:::x\"}}");
    struct policy *both[] = { allow, deny };
    struct policy_set set = { .groups = { [IAM_IDENTITY_POLICY] = { .policies = both, .count = 1 } } };
    struct iam_request request = request_of("a:b", "*");

    memset(long_text, 'a', sizeof(long_text));
    memcpy(long_text, "a:", 2);
    request.action = bytes_of(long_text, IAM_ACTION_MAX);
    request.resource = bytes_of(long_text, IAM_TEXT_MAX);
    assert_int_equal(iam_decide(&request, &set, NULL), IAM_ALLOWED);
    request.resource.size++;
    assert_int_equal(iam_decide(&request, &set, NULL), IAM_IMPLICIT_DENY);
    set.groups[IAM_IDENTITY_POLICY].count = 2;
    request.action = BYTES_LITERAL("a:b");
    assert_int_equal(iam_decide(&request, &set, NULL), IAM_EXPLICIT_DENY);
    request.resource = BYTES_LITERAL("*");
    assert_int_equal(iam_decide(&request, &set, NULL), IAM_ALLOWED);
    request.action = bytes_of(long_text, IAM_ACTION_MAX + 1);
    request.resource = BYTES_LITERAL("arn:aws:s3:::x");
    assert_int_equal(iam_decide(&request, &set, NULL), IAM_EXPLICIT_DENY);
    set.groups[IAM_IDENTITY_POLICY].count = 1;
    assert_int_equal(iam_decide(&request, &set, NULL), IAM_IMPLICIT_DENY);
    policy_unref(allow);
    policy_unref(deny);
}

/* ---- words ---- */

static void test_words(void **state)
{
    static const struct {
        enum decision decision;
        enum iam_policy_type type;
        bool is_trust;
        const char *end;
    } rows[] = {
        { IAM_IMPLICIT_DENY, IAM_IDENTITY_POLICY, false,
          "because no identity-based policy allows the cassandra:Create action" },
        { IAM_EXPLICIT_DENY, IAM_IDENTITY_POLICY, true, "with an explicit deny in an identity-based policy" },
        { IAM_IMPLICIT_DENY, IAM_BOUNDARY, false,
          "because no permissions boundary allows the cassandra:Create action" },
        { IAM_EXPLICIT_DENY, IAM_BOUNDARY, false, "with an explicit deny in a permissions boundary" },
        { IAM_IMPLICIT_DENY, IAM_SESSION_POLICY, false,
          "because no session policy allows the cassandra:Create action" },
        { IAM_EXPLICIT_DENY, IAM_SESSION_POLICY, false, "with an explicit deny in a session policy" },
        { IAM_IMPLICIT_DENY, IAM_RESOURCE_POLICY, false,
          "because no resource-based policy allows the cassandra:Create action" },
        { IAM_EXPLICIT_DENY, IAM_RESOURCE_POLICY, false, "with an explicit deny in a resource-based policy" },
        { IAM_IMPLICIT_DENY, IAM_RESOURCE_POLICY, true,
          "because no role trust policy allows the cassandra:Create action" },
        { IAM_EXPLICIT_DENY, IAM_RESOURCE_POLICY, true, "with an explicit deny in the role trust policy" },
    };
    struct iam_request request = request_of("cassandra:Create", TABLE);
    CLEANUP(buffer_fini) struct buffer out = { 0 };
    char right[512];

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct decision_detail detail = { .decision = rows[i].decision,
                                          .type = rows[i].type,
                                          .is_trust = rows[i].is_trust };

        buffer_reset(&out);
        iam_denial_print(&out, &request, &detail);
        buffer_append_u8(&out, 0);
        snprintf(
            right, sizeof(right),
            "User: arn:aws:iam::111122223333:user/alice is not authorized to perform: cassandra:Create on resource: " TABLE
            " %s",
            rows[i].end);
        assert_string_equal(out.data, right);
    }
    struct decision_detail detail = { .decision = IAM_IMPLICIT_DENY };
    request.resource = BYTES_LITERAL("*");
    buffer_reset(&out);
    iam_denial_print(&out, &request, &detail);
    buffer_append_u8(&out, 0);
    assert_string_equal(
        out.data,
        "User: arn:aws:iam::111122223333:user/alice is not authorized to perform: cassandra:Create because no "
        "identity-based policy allows the cassandra:Create action");
}

/* ---- random policies ---- */

enum { STATEMENTS_MAX = 4, GROUP_MAX = 3 };

/* Statements as texts, so that policies can be made of them in any order. */
struct plan {
    char statements[IAM_POLICY_TYPES][GROUP_MAX][STATEMENTS_MAX][600];
    unsigned statement_counts[IAM_POLICY_TYPES][GROUP_MAX], policy_counts[IAM_POLICY_TYPES];
};

static struct random random_source;

static unsigned below(unsigned bound)
{
    return (unsigned)random_below(&random_source, bound);
}

#define PICK(list) (list)[below(ARRAY_SIZE(list))]

static void write_condition(char *out, size_t size)
{
    static const char *const operators[] = { "StringEquals", "StringNotEquals", "StringLike", "StringNotLike",
                                             "StringEqualsIgnoreCase" };
    static const char *const sets[] = { "", "", "ForAllValues:", "ForAnyValue:" };
    static const char *const keys[] = { "t:a", "T:B", "t:c", "t:unknown" };
    static const char *const values[] = { "\"x\"", "\"y\"",      "[\"x\", \"y\"]",
                                          "\"*\"", "\"${t:a}\"", "[\"z\", \"${t:c, 'x'}\"]" };

    if (below(4) == 0)
        snprintf(out, size, ", \"Condition\": {\"Null\": {\"%s\": \"%s\"}}", PICK(keys), below(2) ? "true" : "false");
    else
        snprintf(out, size, ", \"Condition\": {\"%s%s%s\": {\"%s\": %s}}", PICK(sets), PICK(operators),
                 below(3) ? "" : "IfExists", PICK(keys), PICK(values));
}

static void write_statement(enum iam_policy_type type, bool denies, char *out, size_t size)
{
    static const char *const actions[] = { "\"c:Get\"", "\"c:*\"",  "\"C:G*\"", "[\"c:Put\", \"d:Get\"]",
                                           "\"*\"",     "\"d:?et\"" };
    static const char *const resources[] = { "\"*\"", "\"arn:aws:c:::a*\"", "[\"arn:aws:c:::b\", \"arn:aws:c:::?c\"]",
                                             "\"arn:aws:c:::${t:a}\"", "\"arn:aws:c:*:a\"" };
    static const char *const principals[] = { "\"*\"", "{\"AWS\": \"111122223333\"}",
                                              "{\"AWS\": \"arn:aws:iam::111122223333:user/alice\"}",
                                              "{\"AWS\": \"arn:aws:iam::111122223333:role/r\"}",
                                              "{\"Service\": \"c.amazonaws.com\"}" };
    char principal[200] = "", condition[300] = "";

    if (type == IAM_RESOURCE_POLICY)
        snprintf(principal, sizeof(principal), ", \"%sPrincipal\": %s", denies && below(4) == 0 ? "Not" : "",
                 PICK(principals));
    if (below(2))
        write_condition(condition, sizeof(condition));
    snprintf(out, size, "{\"Effect\": \"%s\", \"%sAction\": %s, \"%sResource\": %s%s%s}", denies ? "Deny" : "Allow",
             below(5) ? "" : "Not", PICK(actions), below(5) ? "" : "Not", PICK(resources), principal, condition);
}

static void make_plan(struct plan *plan)
{
    for (int type = 0; type < IAM_POLICY_TYPES; type++) {
        unsigned max = type == IAM_IDENTITY_POLICY ? GROUP_MAX : type == IAM_RESOURCE_POLICY ? 2 : 1;

        plan->policy_counts[type] = type == IAM_IDENTITY_POLICY || below(3) == 0 ? 1 + below(max) : 0;
        for (unsigned i = 0; i < plan->policy_counts[type]; i++) {
            plan->statement_counts[type][i] = 1 + below(STATEMENTS_MAX - 1); /* there is room for one more */
            for (unsigned k = 0; k < plan->statement_counts[type][i]; k++)
                write_statement((enum iam_policy_type)type, below(4) == 0, plan->statements[type][i][k],
                                sizeof(plan->statements[type][i][k]));
        }
    }
}

/* The policies of a plan, its statements and policies in the order that is, or turned round. */
struct made {
    struct policy *policies[IAM_POLICY_TYPES][GROUP_MAX];
    struct policy_set set;
};

static void make(const struct plan *plan, bool is_turned, struct made *made)
{
    *made = (struct made){ 0 };
    for (int type = 0; type < IAM_POLICY_TYPES; type++) {
        unsigned count = plan->policy_counts[type];

        made->set.groups[type] = (struct policy_group){ .policies = made->policies[type], .count = count };
        for (unsigned i = 0; i < count; i++) {
            CLEANUP(buffer_fini) struct buffer text = { 0 };
            unsigned statements = plan->statement_counts[type][i];

            buffer_append_string(&text, "{\"Version\": \"2012-10-17\", \"Statement\": [");
            for (unsigned k = 0; k < statements; k++) {
                buffer_append_string(&text, k ? "," : "");
                buffer_append_string(&text, plan->statements[type][i][is_turned ? statements - 1 - k : k]);
            }
            buffer_append_string(&text, "]}");
            made->policies[type][is_turned ? count - 1 - i : i] =
                bed_policy(type == IAM_RESOURCE_POLICY ? POLICY_RESOURCE : POLICY_IDENTITY, buffer_bytes(&text));
        }
    }
}

static void unmake(struct made *made)
{
    for (int type = 0; type < IAM_POLICY_TYPES; type++)
        for (unsigned i = 0; i < made->set.groups[type].count; i++)
            policy_unref(made->policies[type][i]);
}

static void random_request(struct iam_request *request, struct bed_context *context)
{
    static const char *const actions[] = { "c:Get", "c:Put", "D:get", "d:Got" };
    static const char *const resources[] = {
        "*", "arn:aws:c:::a", "arn:aws:c:::b", "arn:aws:c:::ac", "arn:aws:c:::x", "arn:aws:c:r:1:a"
    };
    static const char *const values[] = { "x", "y", "X", "", "x,y", "z", "x,x" };
    static const char *const owners[] = { "", "111122223333", "444455556666" };

    *request = request_of(PICK(actions), PICK(resources));
    request->resource_account = bytes_of_string(PICK(owners));
    if (below(3) == 0) {
        request->principal.kind = IAM_ROLE_SESSION;
        request->principal.arn = BYTES_LITERAL("arn:aws:sts::111122223333:assumed-role/r/s");
        request->principal.base_arn = BYTES_LITERAL("arn:aws:iam::111122223333:role/r");
    } else if (below(8) == 0) {
        request->principal = (struct iam_principal){ .kind = IAM_SERVICE, .arn = BYTES_LITERAL("c.amazonaws.com") };
    }
    *context = (struct bed_context){ .arena = context->arena, .unknown = BYTES_LITERAL("t:unknown") };
    if (below(3))
        bed_put(context, "t:a", PICK(values));
    if (below(3))
        bed_put(context, "t:b", PICK(values));
    if (below(3))
        bed_put(context, "t:c", PICK(values));
    request->ask = bed_ask;
    request->context = context;
}

/* The plan with a statement more somewhere, as a new one of a policy or in a new policy. */
static void add_statement(struct plan *plan, bool denies)
{
    enum iam_policy_type type = denies ? (enum iam_policy_type)below(IAM_POLICY_TYPES) : IAM_IDENTITY_POLICY;
    unsigned i;

    if (!plan->policy_counts[type])
        type = IAM_IDENTITY_POLICY;
    i = below(plan->policy_counts[type]);
    write_statement(type, denies, plan->statements[type][i][plan->statement_counts[type][i]++],
                    sizeof(plan->statements[type][i][0]));
}

static enum decision decide(const struct plan *plan, bool is_turned, const struct iam_request *request,
                            struct decision_detail *detail)
{
    struct made made;
    enum decision decision;

    make(plan, is_turned, &made);
    decision = iam_decide(request, &made.set, detail);
    unmake(&made);
    return decision;
}

static void test_random(void **state)
{
    static struct plan plan, more;
    struct bed_context context = { .arena = arena_new(4096) };
    struct iam_request request;
    unsigned counts[3] = { 0 };

    random_seed(&random_source, 11);
    for (int i = 0; i < RANDOM_ROUNDS; i++) {
        struct iam_missing missing[LISTS];
        struct decision_detail detail = { 0 }, turned = { 0 }, full = { .missing = missing, .missing_max = LISTS };
        enum decision decision;

        make_plan(&plan);
        random_request(&request, &context);
        decision = decide(&plan, false, &request, &detail);
        counts[decision]++;
        assert_int_equal(decide(&plan, true, &request, &turned), decision);
        assert_int_equal(turned.type, detail.type);
        assert_int_equal(decide(&plan, false, &request, &full), decision);
        assert_true(full.type == detail.type && full.policy == detail.policy && full.statement == detail.statement);
        more = plan;
        add_statement(&more, true);
        assert_true(decide(&more, below(2), &request, NULL) == IAM_ALLOWED ? decision == IAM_ALLOWED : true);
        assert_true(decision != IAM_EXPLICIT_DENY || decide(&more, false, &request, NULL) == IAM_EXPLICIT_DENY);
        more = plan;
        add_statement(&more, false);
        assert_true(decision != IAM_ALLOWED || decide(&more, below(2), &request, NULL) == IAM_ALLOWED);
        arena_reset(context.arena);
    }
    for (size_t i = 0; i < ARRAY_SIZE(counts); i++)
        assert_in_range(counts[i], RANDOM_ROUNDS / 10, RANDOM_ROUNDS);
    arena_free(context.arena);
}

/* An action is either named or not, a resource too: of a statement and its opposite one applies. */
static void test_opposites(void **state)
{
    static const char *const actions[] = { "c:Get", "C:*", "*", "d:?et" };
    static const char *const resources[] = { "*", "arn:aws:c:::a*", "arn:aws:c:*:a", "arn:aws:c:::?c" };
    struct bed_context context = { .arena = arena_new(256) };
    struct iam_request request;
    char text[300];

    random_seed(&random_source, 12);
    for (int i = 0; i < 500; i++) {
        const char *action = PICK(actions), *resource = PICK(resources);
        bool is_resource = below(2);
        unsigned allowed = 0;

        random_request(&request, &context);
        request.principal.kind = IAM_USER;
        request.principal.account = request.resource_account = bytes_of("", 0);
        for (int is_not = 0; is_not < 2; is_not++) {
            snprintf(text, sizeof(text),
                     "{\"Statement\": {\"Effect\": \"Allow\", \"%sAction\": \"%s\", \"%sResource\": \"%s\"}}",
                     is_not && !is_resource ? "Not" : "", is_resource ? "*" : action,
                     is_not && is_resource ? "Not" : "", is_resource ? resource : "*");
            struct policy *policy = identity_of(text);
            struct policy_set set = { .groups = { [IAM_IDENTITY_POLICY] = { .policies = &policy, .count = 1 } } };

            allowed += iam_decide(&request, &set, NULL) == IAM_ALLOWED;
            policy_unref(policy);
        }
        assert_int_equal(allowed, 1);
        arena_reset(context.arena);
    }
    arena_free(context.arena);
}

/* As large as policies may be, and made to take long: it ends. */
static void test_deep(void **state)
{
    static const char *const runs[] = { "*a", "*a?", "*?", "*aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa?" };
    static uint8_t resource[IAM_TEXT_MAX];

    memset(resource, 'a', sizeof(resource));
    memcpy(resource, "arn:aws:c:::", 12);
    for (size_t i = 0; i < ARRAY_SIZE(runs); i++) {
        CLEANUP(buffer_fini) struct buffer text = { 0 };
        struct iam_request request = request_of("c:Get", "*");

        buffer_append_string(
            &text, "{\"Statement\": {\"Effect\": \"Allow\", \"Action\": \"*\", \"Resource\": [\"arn:aws:s3:::x\"");
        while (text.size < POLICY_TEXT_MAX - 4096) {
            buffer_append_string(&text, ", \"arn:aws:c:::");
            for (size_t size = 0; size < IAM_TEXT_MAX - 100; size += strlen(runs[i]))
                buffer_append_string(&text, runs[i]);
            buffer_append_string(&text, "b\"");
        }
        buffer_append_string(&text, "]}}");
        struct policy *policy = bed_policy(POLICY_IDENTITY, buffer_bytes(&text));
        struct policy_set set = { .groups = { [IAM_IDENTITY_POLICY] = { .policies = &policy, .count = 1 } } };

        request.resource = bytes_of(resource, sizeof(resource));
        assert_int_equal(iam_decide(&request, &set, NULL), IAM_IMPLICIT_DENY);
        policy_unref(policy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),      cmocka_unit_test(test_detail), cmocka_unit_test(test_depends),
        cmocka_unit_test(test_limits),    cmocka_unit_test(test_words),  cmocka_unit_test(test_random),
        cmocka_unit_test(test_opposites), cmocka_unit_test(test_deep),
    };

    return cmocka_run_group_tests_name("iam/decide", tests, NULL, NULL);
}
