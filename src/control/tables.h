/* control/tables.h: tables: made, shown, listed, altered, dropped. */
#ifndef CONTROL_TABLES_H
#define CONTROL_TABLES_H

#include "api/handler.h"

api_handler_fn tables_create, tables_get, tables_get_auto_scaling, tables_list, tables_update, tables_delete;
api_handler_fn tables_restore; /* refused: not built yet */

#endif
