/* control/gate.h: whose an access key is, and what he may: the gate of api/ over the identities (api/gate.h). */
#ifndef CONTROL_GATE_H
#define CONTROL_GATE_H

#include "api/gate.h"

/* Its context is a struct control, as the handlers'. */
extern const struct api_gate control_gate;

#endif
