/* wire/aws/model_bed.h: what the tests of trees and codecs share: an arena, and a test's own model in it. Only for tests, which include its
 * bodies with it.
 */
#ifndef WIRE_AWS_MODEL_BED_H
#define WIRE_AWS_MODEL_BED_H

#include "wire/aws/model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct arena *arena;
static struct model_service *service;

static inline void model_bed_open(const char *model)
{
    struct error err = { 0 };

    arena = arena_new(4096);
    if (model_parse(arena, bytes_of_string(model), &service, &err))
        fail_msg("%s", err.message);
}

static inline int model_bed_close(void **state)
{
    model_release(service);
    arena_free(arena);
    return 0;
}

#endif
