/* A list that is searched from its beginning: short, and looked at only when a request has failed already. */
#include "api/unknown.h"

#include <assert.h>
#include <stdio.h>

/* No name yet: the list is filled by those who ask. */
void unknown_init(struct unknown *unknown)
{
    *unknown = (struct unknown){ 0 };
    pthread_mutex_init(&unknown->lock, NULL);
}

/* Nobody counts any more. */
void unknown_fini(struct unknown *unknown)
{
    pthread_mutex_destroy(&unknown->lock);
}

/* What stands in a label must not end it, nor say anything to a terminal. */
static bool is_name(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];

        if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && c != '_' && c != '-' &&
            c != '.')
            return false;
    }
    return text.size > 0;
}

/* The name's place, or NULL: it is new and the list is full. Under the lock, which is held as long as
 * it takes to compare with some sixty short names. */
static struct unknown_name *find(struct unknown *unknown, const char *text)
{
    for (uint32_t i = 0; i < unknown->count; i++)
        if (!strcmp(unknown->names[i].text, text))
            return &unknown->names[i];
    if (unknown->count == UNKNOWN_NAMES_MAX)
        return NULL;
    assert(strlen(text) <= UNKNOWN_NAME_MAX && strchr(text, '.'));
    strcpy(unknown->names[unknown->count].text, text);
    return &unknown->names[unknown->count++];
}

/* "other" is no name of a client's: theirs have a '.' */
void unknown_count(struct unknown *unknown, struct bytes service, struct bytes operation)
{
    bool good = is_name(service) && is_name(operation) && service.size + 1 + operation.size <= UNKNOWN_NAME_MAX;
    char text[UNKNOWN_NAME_MAX + 1];
    struct unknown_name *name = NULL;

    if (good)
        snprintf(text, sizeof(text), "%.*s.%.*s", BYTES(service), BYTES(operation));
    assert(!good || text[0]);
    pthread_mutex_lock(&unknown->lock);
    if (good)
        name = find(unknown, text);
    if (name)
        name->count++;
    else
        unknown->other++;
    pthread_mutex_unlock(&unknown->lock);
}

/* A copy is told: names are some kilobytes, and who listens may be slow. */
void unknown_each(struct unknown *unknown, void (*each)(void *context, const char *name, uint64_t count), void *context)
{
    struct unknown_name names[UNKNOWN_NAMES_MAX];
    uint64_t other;
    uint32_t count;

    pthread_mutex_lock(&unknown->lock);
    count = unknown->count;
    other = unknown->other;
    memcpy(names, unknown->names, count * sizeof(*names));
    pthread_mutex_unlock(&unknown->lock);
    assert(count <= UNKNOWN_NAMES_MAX);
    for (uint32_t i = 0; i < count; i++)
        each(context, names[i].text, names[i].count);
    each(context, "other", other);
}

/* In the order in which they came first, so that a series keeps its place. */
static void print_one(void *context, const char *name, uint64_t count)
{
    buffer_printf(context, "helenus_api_unknown_total{name=\"%s\"} %llu\n", name, (unsigned long long)count);
}

/* Zero of them is a series too: it is there before anybody asks. */
void unknown_print(struct unknown *unknown, struct buffer *out)
{
    buffer_append_string(out, "# HELP helenus_api_unknown_total Requests for operations of AWS that are not served.\n"
                              "# TYPE helenus_api_unknown_total counter\n");
    unknown_each(unknown, print_one, out);
}
