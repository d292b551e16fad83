/* buildschema: one tree that admits all values seen. A node holds every kind of value met at its place;
 * recursion is as deep as a dynamic value can be, DYN_DEPTH_MAX. */
#include "kql/aggr_collect_int.h"

#include "value/dyn.h"

struct schema_field {
    rf_str key;
    uint64_t hash;
    struct schema_node *node;
};

struct schema_node {
    uint32_t scalars; /* bit per enum dyn_tag */
    bool bag;
    struct schema_node *indexer; /* of an array's elements */
    struct schema_field *fields; /* in order of arrival */
    uint32_t field_count, field_cap;
    uint32_t *slots; /* field number + 1 by hash, 2 * field_cap of them, a power of two */
};

struct schema_state {
    struct schema_node *root;
};
_Static_assert(sizeof(struct schema_state) == SCHEMA_STATE_BYTES, "the table gives this size");

/* ---- fields ------------------------------------------------------------------------------------------ */

static uint32_t *field_slot(const struct schema_node *node, rf_str key, uint64_t hash)
{
    uint32_t mask = node->field_cap * 2 - 1;
    for (uint32_t at = (uint32_t)hash & mask;; at = (at + 1) & mask) {
        uint32_t index = node->slots[at];
        if (index == 0) return &node->slots[at];
        const struct schema_field *field = &node->fields[index - 1];
        if (field->hash == hash && rf_str_eq(field->key, key)) return &node->slots[at];
    }
}

static bool fields_grow(struct schema_node *node, struct rf_arena *arena)
{
    uint32_t cap = node->field_cap == 0 ? 4 : node->field_cap * 2;
    struct schema_field *fields = rf_arena_new(arena, struct schema_field, cap);
    uint32_t *slots = rf_arena_new(arena, uint32_t, (size_t)cap * 2);
    if (fields == NULL || slots == NULL || cap > UINT32_MAX / 4) return false;
    if (node->field_count > 0) memcpy(fields, node->fields, node->field_count * sizeof *fields);
    node->fields = fields;
    node->slots = slots;
    node->field_cap = cap;
    for (uint32_t i = 0; i < node->field_count; i++)
        *field_slot(node, fields[i].key, fields[i].hash) = i + 1;
    return true;
}

/* The node under `key`, made when absent; NULL on lack of memory. */
static struct schema_node *field_node(struct schema_node *node, rf_str key, struct rf_arena *arena)
{
    uint64_t hash = rf_hash(key.ptr, key.len, 0);
    if (node->field_count == node->field_cap && !fields_grow(node, arena)) return NULL;
    uint32_t *slot = field_slot(node, key, hash);
    if (*slot != 0) return node->fields[*slot - 1].node;
    struct schema_field field = {.hash = hash, .node = rf_arena_new(arena, struct schema_node, 1)};
    if (field.node == NULL || !rf_arena_str(arena, key, &field.key)) return NULL;
    node->fields[node->field_count++] = field;
    *slot = node->field_count;
    return field.node;
}

static struct schema_node *indexer_node(struct schema_node *node, struct rf_arena *arena)
{
    if (node->indexer == NULL) node->indexer = rf_arena_new(arena, struct schema_node, 1);
    return node->indexer;
}

/* ---- growing the tree ----------------------------------------------------------------------------------- */

static bool schema_add(struct schema_node *node, rf_str d, struct rf_arena *arena)
{
    enum dyn_tag tag = dyn_tag(d);
    uint32_t count = dyn_count(d);
    if (tag == DYN_ARRAY) {
        struct schema_node *indexer = indexer_node(node, arena);
        if (indexer == NULL) return false;
        for (uint32_t i = 0; i < count; i++)
            if (!schema_add(indexer, dyn_item(d, i), arena)) return false;
    } else if (tag == DYN_BAG) {
        node->bag = true;
        for (uint32_t i = 0; i < count; i++) {
            rf_str key, value;
            dyn_entry(d, i, &key, &value);
            struct schema_node *field = field_node(node, key, arena);
            if (field == NULL || !schema_add(field, value, arena)) return false;
        }
    } else {
        if (tag == DYN_FALSE) tag = DYN_TRUE;
        if (tag == DYN_NUMTEXT) tag = DYN_REAL;
        node->scalars |= 1u << tag;
    }
    return true;
}

static bool schema_join(struct schema_node *into, const struct schema_node *from,
                        struct rf_arena *arena)
{
    into->scalars |= from->scalars;
    into->bag |= from->bag;
    if (from->indexer != NULL) {
        struct schema_node *indexer = indexer_node(into, arena);
        if (indexer == NULL || !schema_join(indexer, from->indexer, arena)) return false;
    }
    for (uint32_t i = 0; i < from->field_count; i++) {
        struct schema_node *field = field_node(into, from->fields[i].key, arena);
        if (field == NULL || !schema_join(field, from->fields[i].node, arena)) return false;
    }
    return true;
}

/* ---- printing ---------------------------------------------------------------------------------------------- */

static const struct {
    enum dyn_tag tag;
    const char *name;
} schema_names[] = {
    {DYN_TRUE, "bool"},         {DYN_INT, "int"},           {DYN_LONG, "long"},
    {DYN_REAL, "double"},       {DYN_DECIMAL, "decimal"},   {DYN_GUID, "guid"},
    {DYN_DATETIME, "datetime"}, {DYN_TIMESPAN, "timespan"}, {DYN_STRING, "string"},
};

static void put_node(const struct schema_node *node, struct rf_buf *buf);

static void put_fields(const struct schema_node *node, struct rf_buf *buf)
{
    struct dyn_builder bag;
    dyn_begin(&bag, buf, DYN_BAG);
    for (uint32_t i = 0; i < node->field_count; i++) {
        dyn_key(&bag, node->fields[i].key);
        put_node(node->fields[i].node, buf);
    }
    dyn_end(&bag);
}

static void put_indexer(const struct schema_node *node, struct rf_buf *buf)
{
    struct dyn_builder bag;
    dyn_begin(&bag, buf, DYN_BAG);
    dyn_key(&bag, RF_S("`indexer`"));
    put_node(node->indexer, buf);
    dyn_end(&bag);
}

/* One kind prints alone, several as an array. Null is a kind only where nothing else is known. */
static void put_node(const struct schema_node *node, struct rf_buf *buf)
{
    uint32_t scalars = node->scalars & ~(1u << DYN_NULL);
    int kinds = __builtin_popcount(scalars) + node->bag + (node->indexer != NULL);
    struct dyn_builder array;
    if (kinds == 0) {
        dyn_put_string(buf, RF_S("null"));
        return;
    }
    if (kinds > 1) dyn_begin(&array, buf, DYN_ARRAY);
    for (size_t i = 0; i < RF_COUNT(schema_names); i++) {
        if ((scalars >> schema_names[i].tag & 1) == 0) continue;
        if (kinds > 1) dyn_next(&array);
        dyn_put_string(buf, rf_str_of(schema_names[i].name));
    }
    if (node->bag) {
        if (kinds > 1) dyn_next(&array);
        put_fields(node, buf);
    }
    if (node->indexer != NULL) {
        if (kinds > 1) dyn_next(&array);
        put_indexer(node, buf);
    }
    if (kinds > 1) dyn_end(&array);
}

/* ---- the aggregate ------------------------------------------------------------------------------------------- */

static bool schema_root(struct schema_state *schema, struct rf_arena *arena)
{
    if (schema->root == NULL) schema->root = rf_arena_new(arena, struct schema_node, 1);
    return schema->root != NULL;
}

enum rf_kind aggr_schema_update(struct aggr_call *call, const struct vec *args, uint32_t count,
                                const uint32_t *groups, uint8_t *states, struct rf_err *err)
{
    for (uint32_t i = 0; i < count; i++) {
        if (vec_null(&args[0], i) || dyn_is_null(vec_str(&args[0], i))) continue;
        struct schema_state *schema =
            AGGR_STATE(struct schema_state, states, AGGR_GROUP(groups, i));
        if (!schema_root(schema, call->arena) ||
            !schema_add(schema->root, vec_str(&args[0], i), call->arena))
            return rf_fail_memory(err, call->arena);
    }
    return RF_OK;
}

enum rf_kind aggr_schema_merge(struct aggr_call *call, uint8_t *into_state,
                               const uint8_t *from_state, struct rf_err *err)
{
    struct schema_state *into = AGGR_STATE(struct schema_state, into_state, 0);
    const struct schema_state *from = AGGR_STATE_OF(struct schema_state, from_state);
    if (from->root == NULL) return RF_OK;
    if (!schema_root(into, call->arena) || !schema_join(into->root, from->root, call->arena))
        return rf_fail_memory(err, call->arena);
    return RF_OK;
}

enum rf_kind aggr_schema_emit(struct aggr_call *call, const uint8_t *state, uint32_t column,
                              struct rf_arena *arena, struct value *out, struct rf_err *err)
{
    (void)call, (void)column;
    const struct schema_state *schema = AGGR_STATE_OF(struct schema_state, state);
    *out = value_null(TYPE_DYNAMIC);
    if (schema->root == NULL) return RF_OK;
    struct rf_buf buf = rf_buf_in(arena);
    put_node(schema->root, &buf);
    if (buf.failed) return rf_fail_memory(err, arena);
    *out = value_dyn(dyn_done(&buf));
    return RF_OK;
}
