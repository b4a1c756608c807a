/* control/types.h: user-defined types: made, shown, listed, dropped.
 *
 * CreateType takes a name as CQL does: "Quoted" keeps its case, anything else is a word in small letters. What comes of it is the formatted
 * name, which all other operations tell and take.
 */
#ifndef CONTROL_TYPES_H
#define CONTROL_TYPES_H

#include "api/handler.h"

api_handler_fn types_create, types_get, types_list, types_delete;

#endif
