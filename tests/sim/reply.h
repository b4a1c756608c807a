/* reply.h: rows out of the body of a RESULT, decoded here and not by the server's code: native protocol v4, our few tables. */
#ifndef SIM_REPLY_H
#define SIM_REPLY_H

#include "model.h"

enum { REPLY_PARTITIONS_MAX = 8, PAGING_MAX = 512 };
struct reply {
    bool is_rows;
    struct shown shown[REPLY_PARTITIONS_MAX]; /* by p */
    uint32_t row_count;
    int32_t last_p, last_c; /* of the last row; -1: there is none, or it has none */
    bool has_more;
    uint8_t paging[PAGING_MAX];
    uint32_t paging_size;
    /* of a condition: its column [applied], and the column a or s if it came along */
    bool is_condition, applied;
    struct model_seen seen;
};
/* False: it is no such body. */
bool reply_decode(const uint8_t *body, uint32_t size, struct reply *reply);

#endif
