/* control/keyspaces.h: keyspaces: made, shown, listed, dropped. Each is one region's. */
#ifndef CONTROL_KEYSPACES_H
#define CONTROL_KEYSPACES_H

#include "api/handler.h"

api_handler_fn keyspaces_create, keyspaces_get, keyspaces_list, keyspaces_update, keyspaces_delete;

#endif
