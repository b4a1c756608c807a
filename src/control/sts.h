/* control/sts.h: AWS Security Token Service: who is it that asks? */
#ifndef CONTROL_STS_H
#define CONTROL_STS_H

#include "api/handler.h"

api_handler_fn sts_get_caller_identity;

#endif
