/* The file first: a crash between the two leaves a file with a key that is none, which the next start replaces, and never a key that nobody
 * knows. The file is the operator's from then on, to be taken away to a safe place. */
#include "control/root.h"

#include "control/state.h"
#include "identity/ids.h"
#include "identity/secrets.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define ACCOUNT BYTES_LITERAL("000000000000")
enum { TEXT_BYTES = 256 };

/* Under another name first, so that the file is whole or not there. */
static enum status write_file(const char *path, const char *text, struct error *err)
{
    char beside[4096 + 16];
    size_t size = strlen(text);
    enum status status = OK;
    int fd;

    if (snprintf(beside, sizeof(beside), "%s.new", path) >= (int)sizeof(beside))
        return error_set(err, ERR_CONFIG, "The name of the root's file is too long");
    unlink(beside);
    fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_set_os(err, errno, "The root's file %s", beside);
    if (write(fd, text, size) != (ssize_t)size || fsync(fd))
        status = error_set_os(err, errno, "The root's file %s", beside);
    close(fd);
    if (!status && rename(beside, path))
        status = error_set_os(err, errno, "The root's file %s", path);
    return status;
}

/* As a user's, but for the scope. The secret is on the stack, and in the file, and nowhere else: it is not logged, and no answer has
 * it. */
static enum status make_key(struct control *control, struct identity_change *change, const char *path,
                            struct arena *arena, struct error *err)
{
    char id[IDS_KEY_BYTES], secret[IDS_SECRET_BYTES], text[TEXT_BYTES];
    struct identity_parts parts = { .id = bytes_of(id, sizeof(id)), .is_on = true, .created_us = change->now_us };
    enum status status;

    /* The account has no other key, so no other of this id. */
    ids_make_key("AKIA", ACCOUNT, id);
    ids_make_secret(secret);
    parts.at = (struct identity_place){ IDENTITY_ACCESS_KEY, bytes_of(NULL, 0), parts.id };
    snprintf(text, sizeof(text), "[default]\naws_access_key_id = %.*s\naws_secret_access_key = %.*s\n", IDS_KEY_BYTES,
             id, IDS_SECRET_BYTES, secret);
    status = secrets_seal(control->keys, ACCOUNT, &parts, bytes_of(secret, sizeof(secret)), arena, err);
    if (!status)
        status = write_file(path, text, err);
    keys_wipe(secret, sizeof(secret));
    keys_wipe(text, sizeof(text));
    if (status)
        return status;
    identity_put(change, &parts);
    return identity_commit(change, err);
}

/* Inactive keys count: who made the last one inactive meant to. */
enum status control_make_root(struct control *control, const char *path, bool *is_made, struct error *err)
{
    CLEANUP(arena_free) struct arena *arena = arena_new(1024);
    struct identity_change change;
    enum status status = identity_begin(&change, control->identities, ACCOUNT, err);

    assert(path && is_made);
    *is_made = false;
    if (!status && !identities_in(change.set, IDENTITY_ACCESS_KEY, bytes_of(NULL, 0)).count) {
        status = make_key(control, &change, path, arena, err);
        *is_made = !status;
    }
    identity_end(&change);
    return status;
}
