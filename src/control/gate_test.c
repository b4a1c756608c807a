/* The gate before the APIs: requests that are really signed, by keys that the API itself gave out. Who has no key, a wrong secret or a wrong clock
 * is told so in each protocol's words; who has one may do what policies say, from the answer on that changed them.
 */
#include "catalog/bed.h"
#include "control/control.h"
#include "control/gate.h"
#include "control/state.h"
#include "identity/ids.h"
#include "identity/secrets.h"
#include "wire/aws/sigv4.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#define ACCOUNT "111122223333"

static struct arena *arena;
static struct control *control;
static struct api *api;
static unsigned status;
static int64_t skew_s; /* of the client's clock */
static bool spoils;    /* the body, behind the signature */
static const char *region = "us-east-1";

/* A key as a client has it. */
struct key {
    const char *id, *secret;
};

static struct key root;

static void same_id(void *to, size_t size)
{
    memset(to, 0xab, size);
}

/* The root's first key, put there as the server's operator would. */
static struct key make_root(void)
{
    char id[IDS_KEY_BYTES], secret[IDS_SECRET_BYTES];
    struct identity_parts parts = { .id = bytes_of(id, sizeof(id)), .is_on = true };
    struct identity_change change;
    struct error err;

    ids_make_key("AKIA", BYTES_LITERAL(ACCOUNT), id);
    ids_make_secret(secret);
    parts.at = (struct identity_place){ IDENTITY_ACCESS_KEY, bytes_of(NULL, 0), parts.id };
    must(secrets_seal(control->keys, BYTES_LITERAL(ACCOUNT), &parts, bytes_of(secret, sizeof(secret)), arena, &err),
         &err);
    must(identity_begin(&change, control->identities, BYTES_LITERAL(ACCOUNT), &err), &err);
    identity_put(&change, &parts);
    must(identity_commit(&change, &err), &err);
    identity_end(&change);
    return (struct key){ arena_string(arena, parts.id), arena_string(arena, bytes_of(secret, sizeof(secret))) };
}

static int begin(void **state)
{
    struct api_options options = {
        .services = control_services, .service_count = control_service_count, .random = same_id, .gate = &control_gate
    };
    struct control_options of = { .region = "us-east-1" };
    struct error err;

    open_all(&store_memory_ops);
    of.catalog = catalog;
    of.space = space;
    must(control_open(&of, &control, &err), &err);
    options.context = control;
    must(api_open(&options, &api, &err), &err);
    arena = arena_new(65536);
    skew_s = 0;
    region = "us-east-1";
    spoils = false;
    root = make_root();
    return 0;
}

static int end(void **state)
{
    arena_free(arena);
    api_close(api);
    control_close(control);
    close_all();
    return 0;
}

/* ---- signing ---- */

enum { AUTHORIZATION = 3, HEADERS = 6 };

struct asked {
    struct bytes_pair headers[HEADERS];
    uint32_t count;
    const char *service, *body;
};

static const char *authorization(const struct asked *asked, const struct key *key, const char *when,
                                 const char *signature)
{
    return arena_printf(arena,
                        "AWS4-HMAC-SHA256 Credential=%s/%.8s/%s/%s/aws4_request, SignedHeaders=host;x-amz-date%s, "
                        "Signature=%s",
                        key->id, when, region, asked->service, asked->count > 4 ? ";x-amz-target" : "", signature);
}

/* Twice: once to have the request taken apart, and then with the signature of what it is. */
static void sign(struct asked *asked, const struct key *key, const char *when)
{
    static const char none[] = "0000000000000000000000000000000000000000000000000000000000000000";
    struct sigv4_request request = { .method = BYTES_LITERAL("POST"),
                                     .target = BYTES_LITERAL("/"),
                                     .headers = asked->headers,
                                     .header_count = asked->count,
                                     .body = bytes_of_string(asked->body) };
    CLEANUP(buffer_fini) struct buffer canonical = { 0 }, to_sign = { 0 };
    uint8_t signing[SIGV4_KEY_BYTES], raw[32];
    char hex[65];
    unsigned size = sizeof(raw);
    struct sigv4 sigv4;

    asked->headers[AUTHORIZATION].value = bytes_of_string(authorization(asked, key, when, none));
    assert_int_equal(sigv4_parse(arena, &request, &sigv4), SIGV4_OK);
    sigv4_canonical(arena, &request, &sigv4, &canonical, &to_sign);
    sigv4_key(bytes_of_string(key->secret), sigv4.date, sigv4.region, sigv4.service, signing);
    assert_non_null(HMAC(EVP_sha256(), signing, sizeof(signing), to_sign.data, to_sign.size, raw, &size));
    for (size_t i = 0; i < sizeof(raw); i++)
        snprintf(hex + 2 * i, 3, "%02x", raw[i]);
    asked->headers[AUTHORIZATION].value = bytes_of_string(authorization(asked, key, when, hex));
}

static const char *hand_over(struct asked *asked)
{
    const char *body = spoils ? arena_printf(arena, "%s ", asked->body) : asked->body;
    struct http_request request = { .method = BYTES_LITERAL("POST"),
                                    .headers = asked->headers,
                                    .header_count = asked->count,
                                    .body = bytes_of_string(body),
                                    .arena = arena };
    struct http_response response = { .arena = arena };
    const char *text;

    assert_int_equal(http_request_parse_target(&request, BYTES_LITERAL("/"), 32), 0);
    assert_true(api_handle(api, &request, &response));
    status = response.status;
    text = arena_string(arena, buffer_bytes(&response.body));
    buffer_fini(&response.body);
    return text;
}

/* target NULL: a form of the query protocol. */
static const char *ask(const struct key *key, const char *service, const char *target, const char *body)
{
    CLEANUP(buffer_fini) struct buffer when = { 0 };
    struct asked asked = {
        .headers = { { BYTES_LITERAL("Host"), BYTES_LITERAL("h") },
                     { BYTES_LITERAL("X-Amz-Date"), { NULL, 0 } },
                     { BYTES_LITERAL("Content-Type"), BYTES_LITERAL("application/x-www-form-urlencoded") },
                     { BYTES_LITERAL("Authorization"), { NULL, 0 } },
                     { BYTES_LITERAL("X-Amz-Target"), target ? bytes_of_string(target) : bytes_of(NULL, 0) } },
        .count = target ? 5 : 4,
        .service = service,
        .body = body,
    };
    const char *text;

    time_write_basic(&when, clock_realtime_us(&clock_system) / 1000000 + skew_s);
    text = arena_string(arena, buffer_bytes(&when));
    asked.headers[1].value = bytes_of_string(text);
    sign(&asked, key, text);
    return hand_over(&asked);
}

static const char *iam(const struct key *key, const char *form)
{
    return ask(key, "iam", NULL, arena_printf(arena, "Version=2010-05-08&Action=%s", form));
}

static const char *keyspaces(const struct key *key, const char *operation, const char *body)
{
    return ask(key, "cassandra", arena_printf(arena, "KeyspacesService.%s", operation), body);
}

static void assert_told(const char *told, unsigned wanted_status, const char *part)
{
    if (status != wanted_status || !strstr(told, part))
        fail_msg("%u %s, not %u %s", status, told, wanted_status, part);
}

#define assert_done(told) assert_told(told, 200, "")

/* What stands between <name> and </name>. */
static const char *member(const char *told, const char *name)
{
    const char *at = strstr(told, arena_printf(arena, "<%s>", name));

    assert_non_null(at);
    at += strlen(name) + 2;
    return arena_string(arena, bytes_of(at, strcspn(at, "<")));
}

static struct key make_user(const char *name)
{
    const char *told;

    assert_done(
        iam(&root, arena_printf(arena, "CreateUser&UserName=%s&Tags.member.1.Key=team&Tags.member.1.Value=red", name)));
    told = iam(&root, arena_printf(arena, "CreateAccessKey&UserName=%s", name));
    assert_done(told);
    return (struct key){ member(told, "AccessKeyId"), member(told, "SecretAccessKey") };
}

/* Of the user, in JSON without what a form would have to encode but quotes: those are ' here. */
static void put_policy(const char *user, const char *name, const char *statement)
{
    CLEANUP(buffer_fini) struct buffer form = { 0 };
    const char *text = arena_printf(arena, "{'Version':'2012-10-17','Statement':[%s]}", statement);

    buffer_append_string(&form,
                         arena_printf(arena, "PutUserPolicy&UserName=%s&PolicyName=%s&PolicyDocument=", user, name));
    for (; *text; text++)
        buffer_append_string(&form, *text == '\'' ? "%22" : *text == '&' ? "%26" : arena_printf(arena, "%c", *text));
    assert_done(iam(&root, arena_string(arena, buffer_bytes(&form))));
}

/* ---- signatures ---- */

static void who_signs_is_known(void **state)
{
    struct key alice = make_user("alice");

    assert_told(ask(&root, "sts", NULL, "Version=2011-06-15&Action=GetCallerIdentity"), 200,
                "<Arn>arn:aws:iam::" ACCOUNT ":root</Arn>");
    assert_told(ask(&alice, "sts", NULL, "Version=2011-06-15&Action=GetCallerIdentity"), 200,
                "<Arn>arn:aws:iam::" ACCOUNT ":user/alice</Arn>");
}

/* In the words of both protocols. */
static void assert_unknown(const struct key *key)
{
    assert_told(iam(key, "ListUsers"), 403, "<Code>InvalidClientTokenId</Code>");
    assert_told(keyspaces(key, "ListKeyspaces", "{}"), 400, "UnrecognizedClientException");
}

static void keys_that_are_none(void **state)
{
    struct key nobody = { "AKIDEXAMPLE", "x" }, digits = { ACCOUNT, "any" }, other = root, alice = make_user("alice");
    char id[IDS_KEY_BYTES + 1] = "";

    assert_unknown(&nobody);
    assert_unknown(&digits); /* without a gate it would be the account's */
    ids_make_key("AKIA", BYTES_LITERAL(ACCOUNT), id);
    other.id = id;
    assert_unknown(&other);
    other = (struct key){ root.id, alice.secret };
    assert_told(iam(&other, "ListUsers"), 403, "<Code>SignatureDoesNotMatch</Code>");
    assert_told(keyspaces(&other, "ListKeyspaces", "{}"), 400, "InvalidSignatureException");
    spoils = true;
    assert_told(keyspaces(&root, "ListKeyspaces", "{}"), 400, "InvalidSignatureException");
}

static void clocks(void **state)
{
    skew_s = -800;
    assert_done(iam(&root, "ListUsers"));
    skew_s = 800;
    assert_done(iam(&root, "ListUsers"));
    skew_s = -1000;
    assert_told(iam(&root, "ListUsers"), 403, "Signature expired");
    skew_s = 1000;
    assert_told(iam(&root, "ListUsers"), 403, "Signature not yet current");
}

/* From the answer on, though the key that signs is kept. */
static void a_key_that_is_off(void **state)
{
    struct key alice = make_user("alice");
    const char *key = arena_printf(arena, "UserName=alice&AccessKeyId=%s", alice.id);

    put_policy("alice", "all", "{'Effect':'Allow','Action':'*','Resource':'*'}");
    assert_done(iam(&alice, "ListUsers"));
    assert_done(iam(&root, arena_printf(arena, "UpdateAccessKey&%s&Status=Inactive", key)));
    assert_unknown(&alice);
    assert_done(iam(&root, arena_printf(arena, "UpdateAccessKey&%s&Status=Active", key)));
    assert_done(iam(&alice, "ListUsers"));
    assert_done(iam(&root, arena_printf(arena, "DeleteAccessKey&%s", key)));
    assert_unknown(&alice);
}

/* ---- policies ---- */

static void who_may(void **state)
{
    struct key alice = make_user("alice");

    assert_told(keyspaces(&alice, "CreateKeyspace", "{\"keyspaceName\":\"k\"}"), 403,
                "User: arn:aws:iam::" ACCOUNT ":user/alice is not authorized to perform: cassandra:Create on resource: "
                "arn:aws:cassandra:us-east-1:" ACCOUNT ":/keyspace/k/ because no identity-based policy allows the "
                "cassandra:Create action");
    put_policy("alice", "k",
               "{'Effect':'Allow','Action':'cassandra:*','Resource':'arn:aws:cassandra:us-east-1:" ACCOUNT
               ":/keyspace/k/*'}");
    assert_done(keyspaces(&alice, "CreateKeyspace", "{\"keyspaceName\":\"k\"}"));
    assert_told(keyspaces(&alice, "CreateKeyspace", "{\"keyspaceName\":\"l\"}"), 403, "AccessDeniedException");
    assert_told(keyspaces(&alice, "GetKeyspace", "{\"keyspaceName\":\"k\"}"), 403, "keyspace/system/");
    put_policy("alice", "s",
               "{'Effect':'Allow','Action':'cassandra:Select','Resource':'arn:aws:cassandra:us-east-1:" ACCOUNT
               ":/keyspace/system*'}");
    assert_done(keyspaces(&alice, "GetKeyspace", "{\"keyspaceName\":\"k\"}"));
    put_policy("alice", "d", "{'Effect':'Deny','Action':'cassandra:Drop','Resource':'*'}");
    assert_told(keyspaces(&alice, "DeleteKeyspace", "{\"keyspaceName\":\"k\"}"), 403, "with an explicit deny");
    assert_done(keyspaces(&root, "DeleteKeyspace", "{\"keyspaceName\":\"k\"}"));
    assert_told(iam(&alice, "ListUsers"), 403, "<Code>AccessDenied</Code>");
}

/* A deny is about a region's names: nobody gets around it by signing for another one. */
static void regions_are_the_servers(void **state)
{
    struct key alice = make_user("alice");

    put_policy("alice", "all", "{'Effect':'Allow','Action':'*','Resource':'*'}");
    put_policy("alice", "not",
               "{'Effect':'Deny','Action':'cassandra:Drop','Resource':'arn:aws:cassandra:us-east-1:*'}");
    assert_done(keyspaces(&root, "CreateKeyspace", "{\"keyspaceName\":\"k\"}"));
    assert_told(keyspaces(&alice, "DeleteKeyspace", "{\"keyspaceName\":\"k\"}"), 403, "with an explicit deny");
    region = "eu-west-1";
    assert_told(keyspaces(&alice, "DeleteKeyspace", "{\"keyspaceName\":\"k\"}"), 400,
                "Credential should be scoped to a valid region");
    assert_told(iam(&root, "ListUsers"), 403, "Credential should be scoped to a valid region");
    region = "us-east-1";
    assert_done(keyspaces(&root, "GetKeyspace", "{\"keyspaceName\":\"k\"}"));
    control->region = "eu-west-1";
    assert_done(iam(&root, "ListUsers")); /* as AWS's tools sign for IAM wherever they are */
    assert_told(keyspaces(&root, "ListKeyspaces", "{}"), 400, "Credential should be scoped to a valid region");
}

/* In each spelling that finds a thing it is the thing that is denied. */
static void spellings_are_one_resource(void **state)
{
    static const char *const policies[] = { "arn:aws:iam::" ACCOUNT ":policy/Bound",
                                            "arn:aws:iam::" ACCOUNT ":policy/bound",
                                            "arn:aws:iam::" ACCOUNT ":policy/BOUND" };
    static const char *const operations[] = { "CreatePolicyVersion&PolicyDocument=x",
                                              "DeletePolicy",
                                              "GetPolicy",
                                              "ListPolicyVersions",
                                              "ListEntitiesForPolicy",
                                              "ListPolicyTags",
                                              "SetDefaultPolicyVersion&VersionId=v1",
                                              "GetPolicyVersion&VersionId=v1",
                                              "TagPolicy&Tags.member.1.Key=a&Tags.member.1.Value=b",
                                              "UntagPolicy&TagKeys.member.1=a",
                                              "DeletePolicyVersion&VersionId=v2" };
    static const char *const keyspace[] = { "arn:aws:cassandra:us-east-1:" ACCOUNT ":/keyspace/k/",
                                            "arn:aws:cassandra:us-east-1:" ACCOUNT ":/keyspace/k" };
    struct key alice = make_user("alice");

    assert_done(iam(&root,
                    "CreatePolicy&PolicyName=Bound&PolicyDocument=%7B%22Version%22:%222012-10-17%22,%22Statement%22:%7B"
                    "%22Effect%22:%22Allow%22,%22Action%22:%22*%22,%22Resource%22:%22*%22%7D%7D"));
    assert_done(keyspaces(&root, "CreateKeyspace", "{\"keyspaceName\":\"k\"}"));
    put_policy("alice", "all", "{'Effect':'Allow','Action':'*','Resource':'*'}");
    put_policy("alice", "not",
               "{'Effect':'Deny','Action':'*','Resource':['arn:aws:iam::" ACCOUNT
               ":policy/Bound','arn:aws:iam::aws:policy/AdministratorAccess','arn:aws:cassandra:us-east-1:" ACCOUNT
               ":/keyspace/k/']}");
    for (size_t i = 0; i < ARRAY_SIZE(policies) * ARRAY_SIZE(operations); i++)
        assert_told(iam(&alice, arena_printf(arena, "%s&PolicyArn=%s", operations[i % ARRAY_SIZE(operations)],
                                             policies[i / ARRAY_SIZE(operations)])),
                    403, "with an explicit deny");
    assert_told(iam(&alice, "GetPolicy&PolicyArn=arn:aws:iam::aws:policy/administratoraccess"), 403,
                "with an explicit deny");
    for (size_t i = 0; i < ARRAY_SIZE(keyspace); i++) {
        const char *one =
            arena_printf(arena, "{\"resourceArn\":\"%s\",\"tags\":[{\"key\":\"a\",\"value\":\"b\"}]}", keyspace[i]);
        const char *list = arena_printf(arena, "{\"ResourceARNList\":[\"%s\"],\"Tags\":{\"a\":\"b\"}}", keyspace[i]);

        assert_told(keyspaces(&alice, "TagResource", one), 403, "with an explicit deny");
        assert_told(keyspaces(&alice, "UntagResource", one), 403, "with an explicit deny");
        assert_told(
            keyspaces(&alice, "ListTagsForResource", arena_printf(arena, "{\"resourceArn\":\"%s\"}", keyspace[i])), 403,
            "with an explicit deny");
        assert_told(ask(&alice, "tagging", "ResourceGroupsTaggingAPI_20170126.TagResources", list), 400,
                    "with an explicit deny");
    }
}

/* Who may do something to himself is not let in to others by an option, nor to another place by a new name. */
static void what_goes_beyond_oneself(void **state)
{
    struct key alice = make_user("alice");

    assert_done(iam(&root, "CreateUser&UserName=mover&Path=/dev/"));
    assert_done(iam(&root, "CreateGroup&GroupName=few&Path=/dev/"));
    put_policy("alice", "own",
               "{'Effect':'Allow','Action':'iam:*ServiceSpecificCredential*','Resource':'arn:aws:iam::" ACCOUNT
               ":user/${aws:username}'}");
    assert_done(iam(&alice, "ListServiceSpecificCredentials"));
    assert_told(iam(&alice, "ListServiceSpecificCredentials&AllUsers=true"), 403, "<Code>AccessDenied</Code>");
    assert_told(iam(&alice, "ListServiceSpecificCredentials&AllUsers=true&UserName=alice"), 403,
                "<Code>AccessDenied</Code>");
    put_policy("alice", "dev",
               "{'Effect':'Allow','Action':'iam:Update*','Resource':['arn:aws:iam::" ACCOUNT
               ":user/dev/*','arn:aws:iam::" ACCOUNT ":group/dev/*']}");
    assert_told(iam(&alice, "UpdateUser&UserName=mover&NewPath=/admin/"), 403, "user/admin/mover");
    assert_told(iam(&alice, "UpdateUser&UserName=MOVER&NewPath=/admin/&NewUserName=x"), 403, "user/admin/x");
    assert_told(iam(&alice, "UpdateGroup&GroupName=few&NewPath=/admin/&NewGroupName=Admins"), 403,
                "group/admin/Admins");
    assert_done(iam(&alice, "UpdateUser&UserName=mover&NewUserName=moved"));
    assert_done(iam(&alice, "UpdateUser&UserName=moved&NewPath=/dev/more/"));
    assert_done(iam(&alice, "UpdateGroup&GroupName=few&NewGroupName=many"));
}

/* Keys of Cassandra's tags differ in their case, aws:RequestTag's does not. */
static void tags_that_differ_in_case(void **state)
{
    struct key alice = make_user("alice");
    const char *body = "{\"resourceArn\":\"arn:aws:cassandra:us-east-1:" ACCOUNT ":/keyspace/k/\",\"tags\":[%s]}";

    assert_done(keyspaces(&root, "CreateKeyspace", "{\"keyspaceName\":\"k\"}"));
    put_policy(
        "alice", "dev",
        "{'Effect':'Allow','Action':'cassandra:*','Resource':'*','Condition':{'StringEquals':{'aws:RequestTag/dep':'dev'}}}");
#define TAG(key, value) "{\"key\":\"" key "\",\"value\":\"" value "\"}"
    assert_done(keyspaces(&alice, "TagResource", arena_printf(arena, body, TAG("DEP", "dev"))));
    assert_done(keyspaces(&alice, "TagResource", arena_printf(arena, body, TAG("DEP", "dev") "," TAG("dep", "dev"))));
    assert_told(keyspaces(&alice, "TagResource", arena_printf(arena, body, TAG("DEP", "dev") "," TAG("dep", "prod"))),
                403, "AccessDeniedException");
    assert_told(keyspaces(&alice, "TagResource", arena_printf(arena, body, TAG("dep", "prod"))), 403,
                "AccessDeniedException");
#undef TAG
}

static void tags_of_a_request(void **state)
{
    struct key alice = make_user("alice");

    put_policy("alice", "a",
               "{'Effect':'Allow','Action':'cassandra:Create','Resource':'*','Condition':{'StringEquals':"
               "{'aws:RequestTag/team':'${aws:PrincipalTag/team}'}}}");
    put_policy("alice", "b", "{'Effect':'Allow','Action':'cassandra:TagResource','Resource':'*'}");
    assert_told(keyspaces(&alice, "CreateKeyspace", "{\"keyspaceName\":\"k\"}"), 403, "cassandra:Create");
    assert_told(keyspaces(&alice, "CreateKeyspace",
                          "{\"keyspaceName\":\"k\",\"tags\":[{\"key\":\"team\",\"value\":\"blue\"}]}"),
                403, "cassandra:Create");
    assert_done(keyspaces(&alice, "CreateKeyspace",
                          "{\"keyspaceName\":\"k\",\"tags\":[{\"key\":\"team\",\"value\":\"red\"}]}"));
    assert_done(iam(&root, "DeleteUserPolicy&UserName=alice&PolicyName=b"));
    assert_told(
        keyspaces(&alice, "CreateKeyspace", "{\"keyspaceName\":\"l\",\"tags\":[{\"key\":\"team\",\"value\":\"red\"}]}"),
        403, "cassandra:TagResource");
}

static void one_s_own_keys(void **state)
{
    struct key alice = make_user("alice");

    make_user("bob");
    put_policy("alice", "own",
               "{'Effect':'Allow','Action':['iam:*AccessKey*','iam:GetUser'],'Resource':'arn:aws:iam::" ACCOUNT
               ":user/${aws:username}'}");
    assert_told(iam(&alice, "GetUser"), 200, "<UserName>alice</UserName>");
    assert_told(iam(&alice, "ListAccessKeys"), 200, alice.id);
    assert_done(iam(&alice, "ListAccessKeys&UserName=alice"));
    assert_told(iam(&alice, "ListAccessKeys&UserName=bob"), 403, "iam:ListAccessKeys");
    assert_told(iam(&alice, "CreateAccessKey&UserName=BOB"), 403, "user/bob");
}

static void groups_and_boundaries(void **state)
{
    struct key alice = make_user("alice");
    const char *users = "arn:aws:iam::aws:policy/IAMReadOnlyAccess",
               *all = "arn:aws:iam::aws:policy/AdministratorAccess";

    assert_done(iam(&root, "CreateGroup&GroupName=g"));
    assert_done(iam(&root, arena_printf(arena, "AttachGroupPolicy&GroupName=g&PolicyArn=%s", all)));
    assert_told(iam(&alice, "ListUsers"), 403, "AccessDenied");
    assert_done(iam(&root, "AddUserToGroup&GroupName=g&UserName=alice"));
    assert_done(iam(&alice, "CreateUser&UserName=carol"));
    assert_done(
        iam(&root, arena_printf(arena, "PutUserPermissionsBoundary&UserName=alice&PermissionsBoundary=%s", users)));
    assert_done(iam(&alice, "ListUsers"));
    assert_told(iam(&alice, "CreateUser&UserName=dave"), 403,
                "because no permissions boundary allows the iam:CreateUser action");
    assert_done(iam(&root, "RemoveUserFromGroup&GroupName=g&UserName=alice"));
    assert_told(iam(&alice, "ListUsers"), 403, "because no identity-based policy allows");
}

/* As one of another version, whose rows are here: nobody knows what it denies. */
static void a_policy_that_is_not_understood(void **state)
{
    struct key alice = make_user("alice");
    struct identity_change change;
    struct identity_parts parts = { .name = BYTES_LITERAL("odd"), .text = BYTES_LITERAL("{}") };
    struct error err;

    put_policy("alice", "all", "{'Effect':'Allow','Action':'*','Resource':'*'}");
    assert_done(iam(&alice, "ListUsers"));
    must(identity_begin(&change, control->identities, BYTES_LITERAL(ACCOUNT), &err), &err);
    parts.at = (struct identity_place){
        IDENTITY_INLINE, identities_find(change.set, IDENTITY_USER, bytes_of(NULL, 0), BYTES_LITERAL("alice"))->is.id,
        parts.name
    };
    identity_put(&change, &parts);
    must(identity_commit(&change, &err), &err);
    identity_end(&change);
    assert_told(iam(&alice, "ListUsers"), 403, "is not understood by this server");
}

#define over(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        over(who_signs_is_known),
        over(keys_that_are_none),
        over(clocks),
        over(a_key_that_is_off),
        over(who_may),
        over(regions_are_the_servers),
        over(spellings_are_one_resource),
        over(what_goes_beyond_oneself),
        over(tags_that_differ_in_case),
        over(tags_of_a_request),
        over(one_s_own_keys),
        over(groups_and_boundaries),
        over(a_policy_that_is_not_understood),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
