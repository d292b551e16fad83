/* json_tree.h - a JSON document as a tree in an arena, for what is looked at from many sides and changed: resources,
 * requests of the control plane, configuration. Rows never take this form.
 *
 * Nodes and texts live in the arena given, or are views of the text that was parsed, which must outlive them. Members keep
 * their order. A repeated key is an error, as two readers could understand it differently. */
#ifndef RF_JSON_TREE_H
#define RF_JSON_TREE_H

#include "base/rf.h"

enum json_type {
    JSON_T_NULL,
    JSON_T_FALSE,
    JSON_T_TRUE,
    JSON_T_NUMBER,
    JSON_T_STRING,
    JSON_T_ARRAY,
    JSON_T_OBJECT
};
struct json_node {
    enum json_type type;
    uint32_t line;                  /* where it stands in a text of YAML, 1-based; 0: not known */
    rf_str name;                    /* of a member, escapes resolved; empty else */
    rf_str text;                    /* STRING: escapes resolved; NUMBER: as written */
    struct json_node *first, *last; /* ARRAY, OBJECT */
    struct json_node *next;         /* sibling */
    uint32_t count;                 /* ARRAY, OBJECT */
};

/* Errors: RF_INVALID BadJson (byte offset in the text), RF_INVALID DuplicateKey, RF_LIMIT JsonTooDeep, MemoryBudgetExceeded. */
RF_MUST_USE enum rf_kind json_parse(rf_str text, struct rf_arena *arena, struct json_node **out,
                                    struct rf_err *err);

/* ---- looking: every function takes NULL for a node and then finds nothing ------------------------------------- */

/* The member; names are compared byte by byte. */
struct json_node *json_get(const struct json_node *object, const char *name);
struct json_node *json_get_str(const struct json_node *object, rf_str name);
/* The member, ASCII case ignored; the exact name wins. */
struct json_node *json_get_nocase(const struct json_node *object, rf_str name);
/* "properties.schema.name": member after member. */
struct json_node *json_at(const struct json_node *object, const char *path);
/* The text of a string member at a path; empty when it is absent or no string. */
rf_str json_text_at(const struct json_node *object, const char *path);
/* False when it is absent or no whole number in int64. */
bool json_i64_at(const struct json_node *object, const char *path, int64_t *out);
/* `fallback` when it is absent or no truth value. */
bool json_bool_at(const struct json_node *object, const char *path, bool fallback);
static inline bool json_is(const struct json_node *node, enum json_type type)
{
    return node != NULL && node->type == type;
}
/* Equal as values: objects in any order of members, numbers by their text. */
bool json_equal(const struct json_node *a, const struct json_node *b);

/* ---- making: NULL on lack of memory, and every function takes NULL for a value and then does nothing, so that a
 * caller may check the last result only ------------------------------------------------------------------------ */

struct json_node *json_new(struct rf_arena *arena, enum json_type type);
struct json_node *json_new_text(struct rf_arena *arena, rf_str text); /* borrows the text */
struct json_node *json_new_i64(struct rf_arena *arena, int64_t number);
struct json_node *json_new_bool(struct rf_arena *arena, bool truth);
/* Replaces the member in place or appends it; `value` belongs to the object then. Gives `value`. */
struct json_node *json_set(struct rf_arena *arena, struct json_node *object, rf_str name,
                           struct json_node *value);
struct json_node *json_set_text(struct rf_arena *arena, struct json_node *object, const char *name,
                                rf_str text);
struct json_node *json_set_i64(struct rf_arena *arena, struct json_node *object, const char *name,
                               int64_t number);
struct json_node *json_set_bool(struct rf_arena *arena, struct json_node *object, const char *name,
                                bool truth);
struct json_node *json_append(struct json_node *array, struct json_node *value);
/* The member, or a new empty object of that name. */
struct json_node *json_object_in(struct rf_arena *arena, struct json_node *object,
                                 const char *name);
void json_remove(struct json_node *object, rf_str name);
/* A deep copy, texts included. */
struct json_node *json_clone(struct rf_arena *arena, const struct json_node *node);

/* Appends the text without blanks. */
void json_print(struct rf_buf *buf, const struct json_node *node);
/* The text in `arena`; ptr NULL on lack of memory. */
rf_str json_to_text(struct rf_arena *arena, const struct json_node *node);

#endif
