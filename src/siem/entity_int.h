/* entity_int.h - what the files about entities share. */
#ifndef RF_SIEM_ENTITY_INT_H
#define RF_SIEM_ENTITY_INT_H

#include "siem/alert.h"

enum entity_value { ENTITY_TEXT, ENTITY_BOOL, ENTITY_NUMBER, ENTITY_LIST };
struct entity_field {
    const char *name;  /* as mapped and in SecurityAlert.Entities */
    const char *shown; /* in the properties of the API; NULL: not shown there */
    enum entity_value value;
};

enum { ENTITY_STRONG_FIELDS_MAX = 4 };
struct entity_type {
    const char *mapping;               /* "IP" */
    const char *kind;                  /* of the API: "Ip" */
    const char *type;                  /* of SecurityAlert.Entities: "ip" */
    const struct entity_field *fields; /* the end has no name */
    /* Sets of fields of which one is enough to tell two entities apart, best first; the end is empty. "Host" and "Key" are
     * references. */
    const char *const (*strong)[ENTITY_STRONG_FIELDS_MAX];
    bool full_name; /* FullName may be mapped, too: it is taken apart */
};
extern const struct entity_type entity_types[];
extern const uint32_t entity_type_count;

const struct entity_type *entity_type_of_mapping(rf_str name);
const struct entity_type *entity_type_of_alert(rf_str name);
const struct entity_field *entity_field_of(const struct entity_type *type, rf_str name);

/* Keys of what an entity refers to; empty: it refers to none. */
struct entity_refs {
    rf_str host, key;
};
/* The key of an entity whose references are known; ptr NULL on lack of memory. */
rf_str entity_key_of(const struct entity_type *type, const struct json_node *entity,
                     const struct entity_refs *refs, struct rf_arena *arena);

/* Sets a member from the text of a column; an empty text sets nothing. FullName is taken apart. False: no memory. */
bool entity_set(const struct entity_type *type, struct json_node *entity, rf_str identifier,
                rf_str text, struct rf_arena *arena);
/* An account of which nothing but a name that many have is known (SYSTEM, root). */
bool entity_is_generic(const struct entity_type *type, const struct json_node *entity);

#endif
