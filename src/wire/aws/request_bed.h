/* wire/aws/request_bed.h: what the fuzzers of requests share: any bytes as a request.
 *
 *     POST /path?query LF (Name: value LF)* LF body
 */
#ifndef WIRE_AWS_REQUEST_BED_H
#define WIRE_AWS_REQUEST_BED_H

#include "wire/aws/codec.h"

enum { REQUEST_BED_HEADERS = 300 };

struct request_bed {
    struct bytes method, target, body;
    struct bytes_pair headers[REQUEST_BED_HEADERS];
    uint32_t header_count;
};

/* What stands before the mark, which is taken as well. */
static inline struct bytes request_bed_cut(struct bytes *rest, uint8_t mark)
{
    const uint8_t *at = rest->size ? memchr(rest->data, mark, rest->size) : NULL;
    struct bytes part = bytes_of(rest->data, at ? (size_t)(at - rest->data) : rest->size);

    *rest = at ? bytes_of(at + 1, rest->size - part.size - 1) : bytes_of("", 0);
    return part;
}

static inline void request_bed_split(struct bytes data, struct request_bed *request)
{
    struct bytes line = request_bed_cut(&data, '\n');

    *request = (struct request_bed){ .method = request_bed_cut(&line, ' ') };
    request->target = line;
    while (data.size && request->header_count < REQUEST_BED_HEADERS) {
        line = request_bed_cut(&data, '\n');
        if (!line.size)
            break;
        request->headers[request->header_count].name = request_bed_cut(&line, ':');
        request->headers[request->header_count++].value = line;
    }
    request->body = data;
}

#endif
