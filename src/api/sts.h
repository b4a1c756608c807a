/* api/sts.h: AWS Security Token Service: who is it that asks? */
#ifndef API_STS_H
#define API_STS_H

#include "api/handler.h"

enum { STS_HANDLERS = 1 };

extern const struct api_handler sts_handlers[STS_HANDLERS];

#endif
