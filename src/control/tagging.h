/* control/tagging.h: AWS's Resource Groups Tagging API: tags of all resources of an account and region, found by tags, and set on many at once.
 *
 * Resources are keyspaces and tables that have tags: what has none is not listed. They stand in the order of keyspaces and, within one, of
 * tables, the keyspace itself first. Types of resources are "cassandra:keyspace" and "cassandra:table".
 *
 * Errors:  InvalidParameterException, InternalServiceException; what could not be done for one of several resources is told in the answer.
 */
#ifndef CONTROL_TAGGING_H
#define CONTROL_TAGGING_H

#include "api/handler.h"

api_handler_fn tagging_get_resources, tagging_get_keys, tagging_get_values, tagging_tag, tagging_untag;

#endif
