/* schema/keyspaces.h: what Amazon Keyspaces adds to tables: CUSTOM_PROPERTIES, by their types.
 *
 * table_params keeps CUSTOM_PROPERTIES as JSON text, as given; here it is read into a struct and checked. A property or a member that is
 * not known here is kept in the text and says nothing.
 *
 * Owns:    texts live in the arena.
 * Errors:  ERR_INVALID: a property that is known has no map, or a member of it not what it can be.
 * Thread:  pure.
 */
#ifndef SCHEMA_KEYSPACES_H
#define SCHEMA_KEYSPACES_H

#include "schema/schema.h"

enum throughput_mode { THROUGHPUT_PAY_PER_REQUEST, THROUGHPUT_PROVISIONED };
enum encryption_type { ENCRYPTION_AWS_OWNED_KEY, ENCRYPTION_CUSTOMER_MANAGED_KEY };
enum property_status { PROPERTY_DISABLED, PROPERTY_ENABLED };
enum view_type { VIEW_NEW_AND_OLD_IMAGES, VIEW_NEW_IMAGE, VIEW_OLD_IMAGE, VIEW_KEYS_ONLY };
enum propagate_tags { PROPAGATE_NONE, PROPAGATE_TABLE };

/* Members are in the order of the table in keyspaces.c. Zero is the default of each but for warm throughput's. */
struct keyspaces_properties {
    struct {
        enum throughput_mode mode;
        int64_t read_units, write_units; /* a second; 0 unless provisioned */
    } capacity;
    struct {
        enum encryption_type type;
        struct bytes key; /* with a customer's key: which */
    } encryption;
    enum property_status point_in_time_recovery;
    enum property_status ttl;
    enum property_status client_side_timestamps;
    struct {
        enum view_type view;
        enum propagate_tags propagate_tags;
    } cdc;
    struct {
        int64_t read_units, write_units; /* a second, at once after it was made */
    } warm;
};

/* custom_properties: of table_params; empty: all defaults. */
enum status keyspaces_properties_read(struct arena *arena, struct bytes custom_properties,
                                      struct keyspaces_properties *result, struct error *err);
#endif
