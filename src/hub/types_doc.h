/* types_doc.h - what the files about ARM documents of event hubs share. */
#ifndef RF_HUB_TYPES_DOC_H
#define RF_HUB_TYPES_DOC_H

#include "base/encode.h"
#include "hub/types_int.h"

#define BAD_ENTITY(err, ...) RF_FAIL(err, RF_INVALID, "BadRequest", __VA_ARGS__)

extern const char *const hub_versions[];

/* The names in a resource's id, casing kept; views of it. `leaf`: the resource's own name. */
struct entity {
    rf_str space, hub, leaf;
};
struct entity entity_of(const struct arm_resource *resource);

/* Letters, digits, '.', '-', '_'; a letter, a digit or '_' at the start, no '.' or '-' at the end. */
RF_MUST_USE enum rf_kind entity_name_check(rf_str name, size_t bytes_max, struct rf_err *err);
/* How many of its type are stored beside it. */
RF_MUST_USE enum rf_kind entity_count(struct arm_call *call, const struct arm_resource *resource,
                                      uint32_t *out, struct rf_err *err);
/* Whether a list of documents has one of this name. */
bool entity_is_listed(const struct json_node *list, rf_str name);
/* `changed` hooks must not fail: what did is for the log. */
void entity_log(enum rf_kind kind, const struct arm_resource *resource, const struct rf_err *err);

/* The name under which clients reach a namespace; in `arena`. */
rf_str hub_host_of(struct hubs *hubs, rf_str space, struct rf_arena *arena);

struct arm_type hub_rule_type(struct hubs *hubs, bool of_hub);
RF_MUST_USE enum rf_kind hub_rule_make_keys(struct arm_call *call, rf_str place,
                                            struct rf_err *err);
rf_str hub_root_place(struct rf_arena *arena, rf_str space);
/* Reads the keys from state and makes the rule known. */
RF_MUST_USE enum rf_kind hub_rule_apply(struct hubs *hubs, struct state_txn *txn, rf_str space,
                                        rf_str hub, rf_str name, unsigned rights,
                                        struct rf_err *err);
RF_MUST_USE enum rf_kind hub_root_apply(struct hubs *hubs, struct state_txn *txn, rf_str space,
                                        struct rf_err *err);

/* " a b " of ["A", "b"]; empty: there is no list. No blanks within items. */
RF_MUST_USE enum rf_kind entity_word_list(const struct json_node *body, const char *path,
                                          struct rf_arena *arena, rf_str *out, struct rf_err *err);

struct arm_type hub_authority_type(struct hubs *hubs);
struct arm_type hub_device_type(struct hubs *hubs);
struct arm_type hub_group_type(struct hubs *hubs);
struct arm_type hub_hub_type(struct hubs *hubs);

#endif
