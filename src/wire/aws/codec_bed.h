/* wire/aws/codec_bed.h: what the fuzzers of codecs share: a model with every kind of shape, and a message's way there and back.
 *
 * Any bytes are read or refused. What is read has taken memory in proportion to the bytes, can be checked, and is written; what is written
 * is read again, and is then written with the same bytes.
 */
#ifndef WIRE_AWS_CODEC_BED_H
#define WIRE_AWS_CODEC_BED_H

#include "wire/aws/codec.h"

#include <stdio.h>

typedef bool codec_read_fn(struct arena *arena, const struct shape *shape, struct bytes body, struct tree **result,
                           struct api_fault *fault);
typedef void codec_write_fn(struct buffer *out, const struct tree *tree);

/* A structure without a value takes a place for each member: some hundred bytes for one that was sent. */
enum { CODEC_BED_BYTES_FOR_ONE = 1024, CODEC_BED_BYTES = 1 << 16 };

static const char codec_bed_model[] =
    "service s\nid S\nsigning s\nprotocols json-1.0\n"
    "string Name 1..8 /[a-z]+[0-9]*/\n"
    "enum Color RED GREEN\n"
    "integer Small -5..5\n"
    "double Part 0..1\n"
    "blob Short ..4\n"
    "timestamp Iso iso8601\n"
    "timestamp Http http\n"
    "list Names 1..3 of Name\n"
    "list Alls of All\n"
    "list Lists of Lists\n"
    "map Counts ..2 of Name to Small\n"
    "map Nested of String to All\n"
    "union One a:String b:Integer c:All\n"
    "structure All t:String n:Name e:Color b:Blob h:Short f:Boolean i:Integer m:Small l:Long\n"
    "    s:Float d:Double p:Part w:Timestamp y:Iso z:Http N:Names A:Alls L:Lists C:Counts M:Nested\n"
    "    o:One a:All\n"
    "structure WithDocument all:All any:Document anies:Documents\n"
    "list Documents of Document\n";

/* Parsed at the first call, and kept. */
static inline const struct shape *codec_bed_shape(const char *name)
{
    static struct arena *arena; /* kept where leaks are looked for */
    static struct model_service *service;
    struct error err;

    if (!arena)
        arena = arena_new(4096);
    if (!service && model_parse(arena, bytes_of_string(codec_bed_model), &service, &err)) {
        fprintf(stderr, "%s\n", err.message);
        __builtin_trap();
    }
    return model_shape_find(service, name);
}

static inline void codec_bed_round(const struct shape *shape, struct bytes body, codec_read_fn *read,
                                   codec_write_fn *write)
{
    struct arena *arena = arena_new(4096);
    struct buffer first = { 0 }, second = { 0 };
    struct api_fault fault = { 0 }, again = { 0 };
    struct tree *tree = NULL;
    bool is_read = read(arena, shape, body, &tree, &fault);

    if (is_read != (tree != NULL) || is_read == (fault.name != NULL))
        __builtin_trap();
    if (arena_used(arena) > CODEC_BED_BYTES + body.size * CODEC_BED_BYTES_FOR_ONE)
        __builtin_trap();
    if (is_read) {
        if (tree_check(tree, &again) != (again.name == NULL))
            __builtin_trap();
        write(&first, tree);
        if (!read(arena, shape, buffer_bytes(&first), &tree, &fault)) {
            fprintf(stderr, "%s\n", fault.message);
            __builtin_trap();
        }
        write(&second, tree);
        if (!bytes_equal(buffer_bytes(&first), buffer_bytes(&second)))
            __builtin_trap();
    }
    buffer_fini(&first);
    buffer_fini(&second);
    arena_free(arena);
}

#endif
