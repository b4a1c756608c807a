/* wire/aws/tree.h: a request or an answer of an AWS API as a tree of values, each with the shape it has in its model.
 *
 * Codecs read trees and write them; handlers take one and give one, by the names of members. What a client sent is checked in two
 * steps, as AWS does it: a codec refuses what cannot be of the shape (a number for a string), tree_check what breaks a bound.
 *
 * Owns:    values lie in an arena; strings that a codec could take as they came still lie in the request's body.
 * Errors:  struct api_fault: an error by its name in the model or in the list of common errors.
 * Thread:  one at a time.
 */
#ifndef WIRE_AWS_TREE_H
#define WIRE_AWS_TREE_H

#include "base/buffer.h"
#include "wire/aws/model.h"

/* What a client can make grow. A reader counts values: scalars, structures, lists, maps, and what it skips as well. A value takes
 * 40 bytes and a structure 8 more for each member of its shape, whether it has them or not. */
enum { TREE_DEPTH_MAX = 64, TREE_VALUES_MAX = 100000 };

struct tree_entry {
    struct bytes key;
    struct tree *value; /* NULL: null, in a map or list whose values may be so */
};

struct tree {
    const struct shape *shape;
    union {
        struct bytes bytes; /* string, blob (decoded), document (JSON text, checked) */
        bool boolean;
        int64_t integer;       /* integer, long */
        double number;         /* float, double */
        int64_t microseconds;  /* timestamp, since 1970 */
        struct tree **members; /* structure: one for each of the shape's, NULL: absent */
        struct {               /* list, map; of a list the keys are empty */
            struct tree_entry *entries;
            uint32_t count, capacity;
        };
    };
};

/* An error to be told in whatever protocol the request came. */
struct api_fault {
    const struct shape *shape; /* of the model, if it has the error; NULL: a common one */
    const char *name;          /* "ValidationException"; NULL: no fault */
    const char *query_code;    /* its name in the query protocol; NULL: the name */
    unsigned http_status;
    bool is_receiver;     /* the server's fault: 5xx */
    struct tree *details; /* members besides the message; NULL: none */
    char message[1024];   /* UTF-8 */
};

/* Sets it and returns false, so that a reader can write: return fault_set(fault, ...). */
bool fault_set(struct api_fault *fault, const char *name, unsigned http_status, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* "com.amazonaws.keyspaces#ConflictException", as JSON and CBOR have it; of a common error it is AWS's framework's namespace. */
void fault_print_type(struct buffer *out, const struct model_service *service, const struct api_fault *fault);
/* What the message is called in the error's shape: "message" or "Message". */
const char *fault_message_name(const struct api_fault *fault);
/* Its name in the query protocol. */
const char *fault_query_code(const struct api_fault *fault);

/* ---- making ---- */

struct tree *tree_new(struct arena *arena, const struct shape *shape);
/* A member that is not there yet, or is; the name must be one of the shape's (asserted: a fault of ours). */
struct tree *tree_member(struct arena *arena, struct tree *structure, const char *name);
void tree_set_string(struct arena *arena, struct tree *structure, const char *name,
                     struct bytes value); /* copied; blobs too */
void tree_set_text(struct arena *arena, struct tree *structure, const char *name,
                   const char *text); /* copied; NULL: nothing */
void tree_set_integer(struct arena *arena, struct tree *structure, const char *name, int64_t value);
void tree_set_number(struct arena *arena, struct tree *structure, const char *name, double value);
void tree_set_boolean(struct arena *arena, struct tree *structure, const char *name, bool value);
void tree_set_time(struct arena *arena, struct tree *structure, const char *name, int64_t microseconds);
/* The next element of a list. */
struct tree *tree_append(struct arena *arena, struct tree *list);
/* The key's value, the key copied; an old one's place is taken. Looks at all keys there are: for maps that we make ourselves. */
struct tree *tree_put(struct arena *arena, struct tree *map, struct bytes key);
/* For readers: one more entry, as it came; value NULL: null. Of a key that comes twice both are there until tree_settle, which keeps
 * the first's place and the last's value. */
void tree_add(struct arena *arena, struct tree *container, struct bytes key, struct tree *value);
void tree_settle(struct arena *arena, struct tree *map);

/* ---- reading ---- */

/* NULL: absent. */
const struct tree *tree_get(const struct tree *structure, const char *name);
struct bytes tree_string(const struct tree *structure, const char *name); /* data NULL: absent */
const char *tree_text(struct arena *arena, const struct tree *structure,
                      const char *name); /* NUL-terminated; NULL: absent */
int64_t tree_integer(const struct tree *structure, const char *name, int64_t absent);
double tree_number(const struct tree *structure, const char *name, double absent);
bool tree_boolean(const struct tree *structure, const char *name, bool absent);
int64_t tree_time(const struct tree *structure, const char *name, int64_t absent);

/* Are all bounds kept? All that break one are told in one ValidationException (ValidationError in the query protocol's names), in
 * AWS's words: "2 validation errors detected: Value null at 'tableName' failed to satisfy constraint: Member must not be null;
 * Value ...". As many as fit are told, at most ten; the number is of all. tree NULL: nothing to check. */
bool tree_check(const struct tree *tree, struct api_fault *fault);

#endif
