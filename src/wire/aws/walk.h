/* wire/aws/walk.h: what the readers of nested messages share: where they are, how much there was, and how they refuse.
 *
 * A reader enters each container with the place of the value it reads next, so that a refusal can tell where:
 * "NUMBER_VALUE cannot be converted to String (at tags.2.key)".
 *
 * Shapes:  places are members by their wire names, elements counted from 1, keys of maps.
 * Owns:    nothing; names and keys are borrowed as long as the walk is inside them.
 * Errors:  false and the fault: SerializationException, 400; MalformedInput in the query protocol's names.
 * Thread:  one.
 */
#ifndef WIRE_AWS_WALK_H
#define WIRE_AWS_WALK_H

#include "wire/aws/tree.h"

struct walk_place {
    struct bytes name; /* data NULL: an element, by its number */
    uint32_t number;
};

struct walk {
    struct arena *arena;
    struct api_fault *fault;
    uint32_t depth;
    uint32_t values;
    struct walk_place places[TREE_DEPTH_MAX];
};

/* One more value, of whatever kind; false: there are too many. */
bool walk_count(struct walk *walk);
/* Into a container; false: it is too deep. walk_leave after it. */
bool walk_enter(struct walk *walk);
void walk_leave(struct walk *walk);
/* The value that comes next, in the container that was entered last. */
void walk_member(struct walk *walk, struct bytes name);
void walk_element(struct walk *walk, uint32_t index);

/* Sets the fault with what is wrong and where, and returns false. */
bool walk_refuse(struct walk *walk, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* AWS's words for a value of another kind: `found` is "NUMBER_VALUE", or '[' or '{' for a container. */
bool walk_refuse_kind(struct walk *walk, const char *found, const struct shape *shape);

/* A union has one member that is not null. Whatever is no union passes. */
bool walk_check_union(struct walk *walk, const struct tree *structure);
/* A number that is written with more than the shape holds is refused. */
bool walk_set_integer(struct walk *walk, struct tree *tree, int64_t value);
bool walk_set_number(struct walk *walk, struct tree *tree, double value);

#endif
