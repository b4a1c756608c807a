/* What is the same for all of IAM's operations.
 *
 * Users, groups and roles differ in words, quotas and in what they may have, and in nothing that is done with them: struct iam_sort
 * has the differences, so that there is one way to find, make, rename and show them, and one to give them policies.
 *
 * Names are found in any case, as two that differ in nothing else cannot be. */
#include "control/iam_common.h"

#include "control/state.h"
#include "iam/decide.h"
#include "identity/ids.h"
#include "schema/arn.h"
#include "wire/aws/percent.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

enum { PAGE_DEFAULT = 100 };

const struct iam_sort iam_user = { IDENTITY_USER, "user", "User", "UserName", "UserId", "UsersPerAccount", 5000, 2048 };
const struct iam_sort iam_group = { IDENTITY_GROUP,     "group", "Group", "GroupName", "GroupId",
                                    "GroupsPerAccount", 300,     5120 };
const struct iam_sort iam_role = {
    IDENTITY_ROLE, "role", "Role", "RoleName", "RoleId", "RolesPerAccount", 1000, 10240
};

static const struct iam_sort *const sorts[] = { &iam_user, &iam_group, &iam_role };

/* ---- faults ----
 *
 * What is missing, there already, too much or in use has a code of its own in AWS, and users' programs go by it: a tool that makes what
 * is not there asks for it first, and takes NoSuchEntity for an answer. So the codes are AWS's to the letter, and the words where they
 * are known. */

/* Errors that an operation can have here though AWS's model does not list them for it. */
static const struct {
    const char *name, *code;
    unsigned status;
} unlisted[] = {
    { "InvalidInputException", "InvalidInput", 400 },
    { "LimitExceededException", "LimitExceeded", 409 },
    { "NoSuchEntityException", "NoSuchEntity", 404 },
    { "ServiceFailureException", "ServiceFailure", 500 },
};

/* An operation's few errors are looked through: a client can read only those. */
static bool is_listed(const struct model_operation *operation, const char *name)
{
    for (uint32_t i = 0; i < operation->error_count; i++)
        if (strcmp(operation->errors[i]->name, name) == 0)
            return true;
    return false;
}

/* AWS answers some errors from operations whose models do not have them; typed clients read those by their codes. */
bool iam_fail(struct api_call *call, const char *name, const char *format, ...)
{
    char message[sizeof(call->fault->message)];
    va_list list;

    va_start(list, format);
    vsnprintf(message, sizeof(message), format, list);
    va_end(list);
    if (is_listed(call->operation, name))
        return api_fail(call, name, "%s", message);
    for (size_t i = 0; i < ARRAY_SIZE(unlisted); i++) {
        if (strcmp(unlisted[i].name, name) != 0)
            continue;
        fault_set(call->fault, name, unlisted[i].status, "%s", message);
        call->fault->query_code = unlisted[i].code;
        return false;
    }
    assert(!"an error that is neither of the operation nor of those that any may have");
    return false;
}

/* The quota's name is AWS's, by which users ask for more of it. */
bool iam_check_quota(struct api_call *call, const char *quota, uint32_t count, uint32_t max)
{
    assert(max);
    return count < max || iam_fail(call, "LimitExceededException", "Cannot exceed quota for %s: %u", quota, max);
}

/* A change whose outcome is not known is a failure of ours: clients ask again, and see. */
static bool fail_store(struct api_call *call, enum status status, const struct error *err)
{
    return iam_fail(call, status == ERR_LIMIT ? "LimitExceededException" : "ServiceFailureException", "%s",
                    err->message);
}

/* ---- looking and changing ----
 *
 * A handler that only looks takes the set that is in force and asks nobody else. One that changes something has the store to itself from
 * its first look on: what it found is so when its rows are written, and a quota cannot be passed by two at once. */

/* What it sees stays as it is until iam_end, whatever others change meanwhile. */
bool iam_look(struct iam *iam, struct api_call *call)
{
    *iam = (struct iam){ .call = call, .set = identity_set(control_of(call)->identities, call->caller.account) };
    return true;
}

/* From here on nobody else changes an identity, so what was looked at is still so when it is written. */
bool iam_begin(struct iam *iam, struct api_call *call)
{
    enum status status;
    struct error err;

    *iam = (struct iam){ .call = call, .changes = true };
    status = identity_begin(&iam->change, control_of(call)->identities, call->caller.account, &err);
    iam->set = iam->change.set;
    return !status || fail_store(call, status, &err);
}

/* Once, and last: what a handler has told before it is thrown away with the fault. */
bool iam_commit(struct iam *iam)
{
    struct error err;
    enum status status = identity_commit(&iam->change, &err);

    assert(iam->changes);
    /* What the handler has put into the answer is left with it. */
    return !status || fail_store(iam->call, status, &err);
}

/* Also of one that was never begun: a handler may be refused before. */
void iam_end(struct iam *iam)
{
    if (iam->changes)
        identity_end(&iam->change);
    else if (iam->set)
        identities_unref(iam->set);
}

/* ---- users, groups, roles ----
 *
 * Quotas are AWS's defaults. Sizes of policies are what a holder's own may have together. */

/* An operation has the name of one of the three among its members; those that have two are about a group and a
 * user, and do not ask here. */
const struct iam_sort *iam_sort(const struct api_call *call)
{
    for (size_t i = 0; i < ARRAY_SIZE(sorts); i++)
        if (shape_member_find(call->input->shape, bytes_of_string(sorts[i]->name_member)))
            return sorts[i];
    assert(!"an operation about neither a user nor a group nor a role");
    return NULL;
}

/* By its kind, which is what a table of sorts is for. */
const struct iam_sort *iam_sort_of(const struct identity *holder)
{
    for (size_t i = 0; i < ARRAY_SIZE(sorts); i++)
        if (sorts[i]->kind == holder->is.at.kind)
            return sorts[i];
    assert(!"a holder of policies is a user, a group or a role");
    return NULL;
}

/* Found in any case: of two names that differ in nothing else only one can be there. */
const struct identity *iam_find(const struct iam *iam, const struct iam_sort *sort, struct bytes name)
{
    char key[IDENTITY_KEY_MAX];
    const struct identity *found = identities_find(iam->set, sort->kind, bytes_of(NULL, 0), identity_key(name, key));

    if (!found)
        iam_fail(iam->call, "NoSuchEntityException", "The %s with name %.*s cannot be found.", sort->word, BYTES(name));
    return found;
}

/* The model wants the name, so it is there. */
const struct identity *iam_subject(const struct iam *iam, const struct iam_sort *sort)
{
    return iam_find(iam, sort, tree_string(iam->call->input, sort->name_member));
}

/* Who is not known by a signature is the root. He may have been deleted while he asked, and then is nobody. */
bool iam_find_user(const struct iam *iam, const struct identity **user)
{
    const struct iam_principal *principal = iam->call->caller.principal;

    *user = NULL;
    if (!tree_get(iam->call->input, "UserName")) {
        if (principal && principal->kind == IAM_USER)
            *user = identities_by_id(iam->set, principal->id);
        return *user || !principal || principal->kind == IAM_ROOT ||
               iam_fail(iam->call, "NoSuchEntityException", "The user who asks was deleted.");
    }
    *user = iam_subject(iam, &iam_user);
    return *user != NULL;
}

/* A path begins and ends with '/', so word, path and name need nothing between them. */
struct bytes iam_arn(const struct api_call *call, const char *word, struct bytes path, struct bytes name)
{
    return bytes_of_string(arena_printf(call->arena, "arn:%s:iam::%.*s:%s%.*s%.*s", arn_partition(call->caller.region),
                                        BYTES(call->caller.account), word, BYTES(path), BYTES(name)));
}

/* As AWS has it: what is nowhere in particular is at "/". */
struct bytes iam_path(const struct api_call *call, const char *member)
{
    struct bytes path = tree_string(call->input, member);

    return path.size ? path : BYTES_LITERAL("/");
}

/* The key lies in the arena, the id too. */
bool iam_make(const struct iam *iam, const struct iam_sort *sort, struct bytes name, struct identity_parts *parts)
{
    struct api_call *call = iam->call;
    char key[IDENTITY_KEY_MAX], id[IDS_BYTES];
    struct bytes nothing = bytes_of(NULL, 0);
    struct bytes at = arena_copy(call->arena, identity_key(name, key));

    assert(iam->changes);
    /* A name is asked for first: whoever makes one twice wants to know that it is there, not that there are too many. */
    if (identities_find(iam->set, sort->kind, nothing, at))
        return iam_fail(call, "EntityAlreadyExistsException", "%s with name %.*s already exists.", sort->title,
                        BYTES(name));
    if (!iam_check_quota(call, sort->quota, identities_in(iam->set, sort->kind, nothing).count, sort->count_max))
        return false;
    ids_make(sort->kind, id);
    *parts = (struct identity_parts){ .at = { sort->kind, nothing, at },
                                      .id = arena_copy(call->arena, bytes_of(id, sizeof(id))),
                                      .name = name,
                                      .path = iam_path(call, "Path"),
                                      .created_us = iam->change.now_us };
    return true;
}

/* What has it keeps it: all others know it by its id. */
bool iam_rename(struct iam *iam, const struct iam_sort *sort, const struct identity *old, const char *new_name)
{
    struct api_call *call = iam->call;
    struct bytes name = tree_string(call->input, new_name), path = tree_string(call->input, "NewPath");
    struct identity_parts parts = old->is;
    char key[IDENTITY_KEY_MAX];

    assert(iam->changes && old);
    if (path.size)
        parts.path = path;
    if (name.size) {
        parts.name = name;
        parts.at.key = identity_key(name, key);
    }
    /* Another case of the same name is put over the old one; another name stands elsewhere. */
    if (!bytes_equal(parts.at.key, old->is.at.key)) {
        if (identities_find(iam->set, sort->kind, bytes_of(NULL, 0), parts.at.key))
            return iam_fail(call, "EntityAlreadyExistsException", "%s with name %.*s already exists.", sort->title,
                            BYTES(name));
        identity_drop(&iam->change, old);
    }
    identity_put(&iam->change, &parts);
    return iam_commit(iam);
}

/* What lists have, too. A role says also who may assume it. */
void iam_show(const struct iam *iam, struct tree *to, const struct identity *holder)
{
    struct api_call *call = iam->call;
    const struct iam_sort *sort = iam_sort_of(holder);

    assert(holder->is.id.size);
    tree_set_string(call->arena, to, "Path", holder->is.path);
    tree_set_string(call->arena, to, sort->name_member, holder->is.name);
    tree_set_string(call->arena, to, sort->id_member, holder->is.id);
    tree_set_string(call->arena, to, "Arn", iam_arn(call, sort->word, holder->is.path, holder->is.name));
    tree_set_time(call->arena, to, "CreateDate", holder->is.created_us);
    if (sort != &iam_role)
        return;
    iam_show_document(call, to, "AssumeRolePolicyDocument", holder->is.text);
    if (holder->is.note.size)
        tree_set_string(call->arena, to, "Description", holder->is.note);
    tree_set_integer(call->arena, to, "MaxSessionDuration", holder->is.number);
}

/* One at most. */
static void show_boundary(const struct iam *iam, struct tree *to, const struct identity *holder)
{
    struct identity_list list = identities_in(iam->set, IDENTITY_BOUNDARY, holder->is.id);
    const struct identity *policy = list.count ? iam_policy_by_id(iam, list.items[0]->is.at.key) : NULL;
    struct tree *shown;

    assert(list.count <= 1);
    if (!policy)
        return;
    shown = tree_member(iam->call->arena, to, "PermissionsBoundary");
    tree_set_text(iam->call->arena, shown, "PermissionsBoundaryType", "PermissionsBoundaryPolicy");
    tree_set_string(iam->call->arena, shown, "PermissionsBoundaryArn", iam_policy_arn(iam->call, iam, policy));
}

/* Groups carry neither tags nor a boundary in AWS. */
void iam_show_whole(const struct iam *iam, struct tree *to, const struct identity *holder)
{
    iam_show(iam, to, holder);
    if (holder->is.at.kind == IDENTITY_GROUP)
        return;
    show_boundary(iam, to, holder);
    iam_show_tags(iam->call, to, holder);
}

/* The words are AWS's, which tell what to do about it. */
bool iam_has_none(const struct iam *iam, const struct identity *holder, enum identity_kind kind, const char *what)
{
    return !identities_in(iam->set, kind, holder->is.id).count ||
           iam_fail(iam->call, "DeleteConflictException", "Cannot delete entity, must %s first.", what);
}

/* ---- policies ----
 *
 * Everybody names a policy by its ARN, and relations by its id: an ARN can come again for another policy, when the first was deleted,
 * and an id never does. */

/* They are the same for all accounts. */
static const struct identities *managed_of(const struct api_call *call)
{
    return identity_managed(control_of(call)->identities);
}

/* AWS's own are of the account "aws". */
struct bytes iam_policy_arn(const struct api_call *call, const struct iam *iam, const struct identity *policy)
{
    /* One that was just put is in no set yet. */
    if (identities_by_id(iam->set, policy->is.id) == policy || !identities_by_id(managed_of(call), policy->is.id))
        return iam_arn(call, "policy", policy->is.path, policy->is.name);
    return bytes_of_string(arena_printf(call->arena, "arn:%s:iam::aws:policy%.*s%.*s",
                                        arn_partition(call->caller.region), BYTES(policy->is.path),
                                        BYTES(policy->is.name)));
}

/* "arn:aws:iam::123456789012:policy/path/name": whose, and what stands behind "policy". */
static bool split_arn(const struct api_call *call, struct bytes arn, struct bytes *account, struct bytes *path,
                      struct bytes *name)
{
    const char *head = arena_printf(call->arena, "arn:%s:iam::", arn_partition(call->caller.region));
    struct bytes rest = arn, word = BYTES_LITERAL(":policy/");
    const uint8_t *colon, *slash;

    /* The partition is that of the region that was asked, as in all that is told. */
    if (!bytes_starts_with(rest, bytes_of_string(head)))
        return false;
    rest = bytes_of(rest.data + strlen(head), rest.size - strlen(head));
    colon = rest.size ? memchr(rest.data, ':', rest.size) : NULL;
    if (!colon)
        return false;
    *account = bytes_of(rest.data, (size_t)(colon - rest.data));
    rest = bytes_of(colon, rest.size - account->size);
    if (!bytes_starts_with(rest, word))
        return false;
    rest = bytes_of(rest.data + word.size - 1, rest.size - word.size + 1);
    /* There is one: the word ends with it. */
    slash = memrchr(rest.data, '/', rest.size);
    *path = bytes_of(rest.data, (size_t)(slash - rest.data) + 1);
    *name = bytes_of(slash + 1, rest.size - path->size);
    return name->size;
}

/* Its path must be the policy's own: an ARN is one name, not several. Another account's are not told from what is
 * not there. */
const struct identity *iam_policy_of_arn(const struct iam *iam, struct bytes arn, bool *is_arn)
{
    struct api_call *call = iam->call;
    const struct identities *set = NULL;
    const struct identity *found = NULL;
    struct bytes account, path, name;
    char key[IDENTITY_KEY_MAX];

    *is_arn = split_arn(call, arn, &account, &path, &name);
    if (!*is_arn)
        return NULL;
    if (bytes_is(account, "aws"))
        set = managed_of(call);
    else if (bytes_equal(account, call->caller.account))
        set = iam->set;
    if (set && name.size <= IDENTITY_KEY_MAX)
        found = identities_find(set, IDENTITY_POLICY, bytes_of(NULL, 0), identity_key(name, key));
    /* In another path it would be another name. */
    return found && bytes_equal(found->is.path, path) ? found : NULL;
}

const struct identity *iam_find_policy(const struct iam *iam, struct bytes arn)
{
    struct api_call *call = iam->call;
    bool is_arn;
    const struct identity *found = iam_policy_of_arn(iam, arn, &is_arn);

    if (!is_arn)
        iam_fail(call, "InvalidInputException", "ARN %.*s is not valid.", BYTES(arn));
    else if (!found)
        iam_fail(call, "NoSuchEntityException", "Policy %.*s does not exist or is not attachable.", BYTES(arn));
    return found;
}

/* Relations have ids alone, whosever policy it is. */
const struct identity *iam_policy_by_id(const struct iam *iam, struct bytes id)
{
    const struct identity *found = identities_by_id(iam->set, id);

    return found ? found : identities_by_id(managed_of(iam->call), id);
}

/* AWS's have one, in the set that they are in themselves. */
struct identity_list iam_versions(const struct iam *iam, const struct identity *policy)
{
    struct identity_list own = identities_in(iam->set, IDENTITY_POLICY_VERSION, policy->is.id);

    return own.count ? own : identities_in(managed_of(iam->call), IDENTITY_POLICY_VERSION, policy->is.id);
}

/* What a policy says is compiled when it is put in force; here only whether it can be. */
bool iam_check_document(struct api_call *call, struct bytes text, enum policy_kind kind)
{
    struct policy *policy = NULL;
    struct error err;
    enum status status = policy_parse(text, kind, &policy, &err);

    if (status)
        return iam_fail(call, status == ERR_LIMIT ? "LimitExceededException" : "MalformedPolicyDocumentException", "%s",
                        err.message);
    policy_unref(policy);
    return true;
}

/* AWS counts so for its quotas: indenting a document costs nothing. */
size_t iam_document_size(struct bytes text)
{
    size_t size = 0;

    for (size_t i = 0; i < text.size; i++)
        size += text.data[i] != ' ' && text.data[i] != '\t' && text.data[i] != '\n' && text.data[i] != '\r';
    return size;
}

/* RFC 3986, as AWS encodes it, which SDKs undo. */
void iam_show_document(struct api_call *call, struct tree *to, const char *member, struct bytes text)
{
    CLEANUP(buffer_fini) struct buffer encoded = { 0 };

    assert(text.size);
    percent_encode(&encoded, text, false);
    tree_set_string(call->arena, to, member, buffer_bytes(&encoded));
}

/* In place of the one that it has. */
bool iam_put_boundary(struct iam *iam, struct bytes holder_id, struct bytes arn)
{
    struct identity_list old = identities_in(iam->set, IDENTITY_BOUNDARY, holder_id);
    const struct identity *policy = iam_find_policy(iam, arn);
    struct identity_parts parts = { .created_us = iam->change.now_us };

    assert(iam->changes && holder_id.size);
    if (!policy)
        return false;
    parts.at = (struct identity_place){ IDENTITY_BOUNDARY, holder_id, policy->is.id };
    for (uint32_t i = 0; i < old.count; i++)
        if (!bytes_equal(old.items[i]->is.at.key, policy->is.id))
            identity_drop(&iam->change, old.items[i]);
    identity_put(&iam->change, &parts);
    return true;
}

/* ---- tags ----
 *
 * In the order in which they were set, which is how AWS tells them. There are 50 at most, so they are looked through. */

/* IAM's tag keys are the same in any case, but keep the one in which they were written. */
static bool is_same_key(struct bytes a, struct bytes b)
{
    return a.size == b.size && strncasecmp((const char *)a.data, (const char *)b.data, a.size) == 0;
}

/* Against those before it in the list; whether it is there already makes no difference. */
static bool check_key(struct api_call *call, const struct tree *list, uint32_t index)
{
    struct bytes key = tree_string(list->entries[index].value, "Key"), reserved = BYTES_LITERAL("aws:");

    if (key.size >= reserved.size && strncasecmp((const char *)key.data, "aws:", reserved.size) == 0)
        return iam_fail(call, "InvalidInputException", "Tag keys that begin with aws: are reserved.");
    for (uint32_t i = 0; i < index; i++)
        if (is_same_key(key, tree_string(list->entries[i].value, "Key")))
            return iam_fail(call, "InvalidInputException",
                            "Duplicate tag keys found. Please note that Tag keys are case insensitive.");
    return true;
}

/* A tag's place in the array: that of the same key in any case, or the next one. */
static uint32_t place_of(const struct bytes_pair *tags, uint32_t count, struct bytes key)
{
    uint32_t i = 0;

    while (i < count && !is_same_key(tags[i].name, key))
        i++;
    return i;
}

/* A key that is there gets the new value and the new case, in its old place. */
bool iam_set_tags(struct api_call *call, const struct identity *old, const struct tree *list,
                  struct identity_parts *parts)
{
    struct bytes_pair *tags = arena_new_array(call->arena, struct bytes_pair, 2 * IDENTITY_TAGS_MAX);
    uint32_t count = old ? old->is.tag_count : 0;

    assert(!list || list->count <= IDENTITY_TAGS_MAX); /* the model's bound */
    if (count)
        memcpy(tags, old->is.tags, count * sizeof(*tags));
    for (uint32_t i = 0; list && i < list->count; i++) {
        const struct tree *tag = list->entries[i].value;
        uint32_t at = place_of(tags, count, tree_string(tag, "Key"));

        if (!check_key(call, list, i))
            return false;
        tags[at] = (struct bytes_pair){ tree_string(tag, "Key"), tree_string(tag, "Value") };
        count = at == count ? count + 1 : count;
    }
    if (count > IDENTITY_TAGS_MAX)
        return iam_fail(call, "LimitExceededException", "The number of tags has reached the maximum limit of %d.",
                        IDENTITY_TAGS_MAX);
    parts->tags = tags;
    parts->tag_count = count;
    return true;
}

/* No tags, no list: as AWS leaves it out. */
void iam_show_tags(struct api_call *call, struct tree *to, const struct identity *identity)
{
    struct tree *list;

    if (!identity->is.tag_count)
        return;
    list = tree_member(call->arena, to, "Tags");
    for (uint32_t i = 0; i < identity->is.tag_count; i++) {
        struct tree *tag = tree_append(call->arena, list);

        tree_set_string(call->arena, tag, "Key", identity->is.tags[i].name);
        tree_set_string(call->arena, tag, "Value", identity->is.tags[i].value);
    }
}

/* ---- pages ----
 *
 * A page is of one question of one account, to which its marker is bound: see page.h. AWS gives 100 elements where nobody says how
 * many. */

/* A marker of another question is refused in AWS's words, whatever errors the operation has. */
bool iam_page_begin(struct iam_page *page, struct api_call *call, struct bytes about)
{
    page->question = (struct page_question){ .token = "Marker",
                                             .elements = (uint32_t)tree_integer(call->input, "MaxItems", PAGE_DEFAULT),
                                             .scope = page_scope(call, &about, 1) };
    if (page_begin(&page->page, call, &page->question))
        return true;
    fault_set(call->fault, "ValidationException", 400, "Invalid Marker.");
    call->fault->query_code = "ValidationError";
    return false;
}

/* One answer for the three cases of a loop over elements in order. */
int iam_page_take(struct iam_page *page, struct bytes position, size_t bytes)
{
    if (!page_is_behind(&page->page, position))
        return 0;
    return page_take(&page->page, position, bytes) ? 1 : -1;
}

/* IsTruncated is told in any case, Marker only where there is more. */
bool iam_page_end(struct iam_page *page, struct api_call *call)
{
    assert(call->output);
    tree_set_boolean(call->arena, call->output, "IsTruncated", page->page.is_full);
    page_end(&page->page, call, &page->question);
    return true;
}
