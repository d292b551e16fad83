/* plugin_bag.c - bag_unpack: the keys of a bag become columns. */
#include "kql/op.h"
#include "kql/plugin.h"
#include "value/dyn.h"

enum { UNPACK_KEYS_MAX = 4096 };
enum conflict { CONFLICT_ERROR, CONFLICT_REPLACE, CONFLICT_KEEP };

struct unpack {
    struct binder *b;
    const struct plugin_call *call;
    struct node *input;
    struct expr *bag;
    int bag_column; /* index in the input, or -1 */
    enum conflict conflict;
    rf_str prefix;
    rf_str ignored; /* dynamic array of texts, or empty */
};

struct key {
    rf_str name;
    enum type type;
    bool typed; /* a value other than null was seen */
};
struct keys {
    struct key *items;
    uint32_t count, cap;
    uint32_t *slots; /* key + 1 by hash; 2 * cap of them */
};

/* ---- arguments ------------------------------------------------------------------------------- */

static enum rf_kind read_conflict(struct unpack *u)
{
    struct value v = value_str(RF_S("error"));
    RF_TRY(plugin_constant(u->b, u->call, UINT32_MAX, "columnsConflict", TYPE_STRING, &v));
    if (rf_str_is(v.s, "error"))
        u->conflict = CONFLICT_ERROR;
    else if (rf_str_is(v.s, "replace_source"))
        u->conflict = CONFLICT_REPLACE;
    else if (rf_str_is(v.s, "keep_source"))
        u->conflict = CONFLICT_KEEP;
    else
        return bind_fail(u->b, u->call->ast->pos, "BadArguments",
                         "columnsConflict is error, replace_source or keep_source, not '%.*s'",
                         RF_FMT(v.s));
    return RF_OK;
}

static enum rf_kind read_arguments(struct unpack *u)
{
    struct value prefix = value_str(RF_S("")), ignored = value_null(TYPE_DYNAMIC);
    RF_TRY(plugin_scalar(u->b, u->call, 0, "Column", u->input, &u->bag));
    u->bag_column =
        u->bag->kind == EXPR_COLUMN ? schema_find_id(&u->input->schema, u->bag->column_id) : -1;
    if (u->bag->type == TYPE_STRING)
        RF_TRY(bind_call(u->b, u->call->ast->pos, RF_S("parse_json"), &u->bag, 1, &u->bag));
    if (u->bag->type != TYPE_DYNAMIC)
        return bind_fail(u->b, u->call->ast->pos, "NotDynamic",
                         "bag_unpack needs a dynamic column; this is a %s",
                         type_name((enum type)u->bag->type));
    RF_TRY(plugin_constant(u->b, u->call, 1, "OutputColumnPrefix", TYPE_STRING, &prefix));
    RF_TRY(plugin_constant(u->b, u->call, UINT32_MAX, "ignoredProperties", TYPE_DYNAMIC, &ignored));
    u->prefix = prefix.s;
    u->ignored = ignored.null ? RF_S("") : ignored.s;
    return read_conflict(u);
}

static bool is_ignored(const struct unpack *u, rf_str key)
{
    for (uint32_t i = 0; i < dyn_count(u->ignored); i++)
        if (rf_str_eq(dyn_string(dyn_item(u->ignored, i)), key)) return true;
    return false;
}

/* ---- keys and their types -------------------------------------------------------------------- */

static uint32_t *key_slot(const struct keys *k, rf_str name)
{
    uint32_t mask = k->cap * 2 - 1;
    for (uint32_t at = (uint32_t)rf_hash(name.ptr, name.len, 0) & mask;; at = (at + 1) & mask)
        if (k->slots[at] == 0 || rf_str_eq(k->items[k->slots[at] - 1].name, name))
            return &k->slots[at];
}

static enum rf_kind grow_keys(struct binder *b, struct keys *k)
{
    uint32_t cap = k->cap == 0 ? 32 : k->cap * 2;
    if (cap > UNPACK_KEYS_MAX)
        return RF_FAIL(b->err, RF_LIMIT, "TooManyColumns",
                       "bag_unpack: more than %d different keys", UNPACK_KEYS_MAX);
    k->items = rf_arena_grow(b->arena, k->items, k->cap * sizeof *k->items, cap * sizeof *k->items);
    k->slots = rf_arena_new(b->arena, uint32_t, (size_t)cap * 2);
    if (k->items == NULL || k->slots == NULL) return BIND_NOMEM(b);
    k->cap = cap;
    for (uint32_t i = 0; i < k->count; i++) *key_slot(k, k->items[i].name) = i + 1;
    return RF_OK;
}

/* Whole numbers widen to reals; any other mixture is a dynamic. */
static void note_type(struct key *key, rf_str value)
{
    if (dyn_is_null(value)) return;
    enum type type = (enum type)dyn_to_value(value).type;
    if (type == TYPE_INT) type = TYPE_LONG;
    if (!key->typed)
        key->type = type;
    else if ((key->type == TYPE_LONG && type == TYPE_REAL) ||
             (key->type == TYPE_REAL && type == TYPE_LONG))
        key->type = TYPE_REAL;
    else if (key->type != type)
        key->type = TYPE_DYNAMIC;
    key->typed = true;
}

static enum rf_kind note_bag(struct unpack *u, struct keys *keys, rf_str bag)
{
    if (dyn_tag(bag) != DYN_BAG) return RF_OK;
    for (uint32_t i = 0; i < dyn_count(bag); i++) {
        rf_str name, value;
        dyn_entry(bag, i, &name, &value);
        if (keys->count == keys->cap) RF_TRY(grow_keys(u->b, keys));
        uint32_t *slot = key_slot(keys, name);
        if (*slot == 0) {
            if (is_ignored(u, name)) continue;
            keys->items[keys->count] = (struct key){.name = name, .type = TYPE_DYNAMIC};
            *slot = ++keys->count;
        }
        note_type(&keys->items[*slot - 1], value);
    }
    return RF_OK;
}

static void sort_keys(struct keys *keys)
{
    for (uint32_t gap = keys->count / 2; gap > 0; gap /= 2)
        for (uint32_t i = gap; i < keys->count; i++) {
            struct key key = keys->items[i];
            uint32_t j = i;
            for (; j >= gap && rf_str_cmp(keys->items[j - gap].name, key.name) > 0; j -= gap)
                keys->items[j] = keys->items[j - gap];
            keys->items[j] = key;
        }
}

/* ---- output ---------------------------------------------------------------------------------- */

struct output {
    struct schema_builder sb;
    struct expr **exprs;
};

/* The value under `key` as a typed column. */
static enum rf_kind unpack_expr(struct unpack *u, rf_str key, enum type type, struct expr **out)
{
    struct value name = value_str(key);
    struct expr *args[2] = {u->bag, expr_const(u->b, &name, 0)};
    if (args[1] == NULL) return BIND_NOMEM(u->b);
    RF_TRY(bind_call(u->b, u->call->ast->pos, RF_S("_member"), args, 2, out));
    return bind_cast(u->b, *out, type, out);
}

static enum rf_kind put(struct unpack *u, struct output *o, rf_str name, struct expr *e)
{
    o->exprs[o->sb.schema.count] = e;
    if (!schema_add_exact(&o->sb, name, (enum type)e->type, bind_new_id(u->b)))
        return BIND_NOMEM(u->b);
    return RF_OK;
}

static enum rf_kind put_source(struct unpack *u, struct output *o, uint32_t column)
{
    const struct column *c = &u->input->schema.columns[column];
    struct expr *e = expr_column(u->b, c, 0);
    return e == NULL ? BIND_NOMEM(u->b) : put(u, o, c->name, e);
}

static rf_str column_name(struct unpack *u, rf_str key)
{
    if (u->prefix.len == 0) return key;
    return rf_arena_printf(u->b->arena, "%.*s%.*s", RF_FMT(u->prefix), RF_FMT(key));
}

static enum rf_kind output_init(struct unpack *u, struct output *o, uint32_t columns)
{
    *o = (struct output){.sb = {.b = u->b}};
    o->exprs = rf_arena_new(u->b->arena, struct expr *, u->input->schema.count + columns);
    return o->exprs == NULL ? BIND_NOMEM(u->b) : RF_OK;
}

/* Puts the key's column, or has it take the place of the source's one of that name. */
static enum rf_kind put_key(struct unpack *u, struct output *o, const struct key *key)
{
    struct expr *e;
    rf_str name = column_name(u, key->name);
    int at = schema_find(&o->sb.schema, name);
    if (name.ptr == NULL) return BIND_NOMEM(u->b);
    if (at >= 0 && u->conflict == CONFLICT_KEEP) return RF_OK;
    if (at >= 0 && u->conflict == CONFLICT_ERROR)
        return bind_fail(u->b, u->call->ast->pos, "DuplicateColumn",
                         "the bag has the key '%.*s', which is a column already; say "
                         "columnsConflict='replace_source' or 'keep_source'",
                         RF_FMT(name));
    RF_TRY(unpack_expr(u, key->name, key->type, &e));
    if (at < 0) return put(u, o, name, e);
    RF_ASSERT((uint32_t)at < o->sb.schema.count);
    o->exprs[at] = e;
    o->sb.schema.columns[at].type = e->type;
    return RF_OK;
}

/* Columns as the query states them: nothing needs to run before. */
static enum rf_kind unpack_to_schema(struct unpack *u, struct node **out)
{
    struct output o;
    const struct schema *before = &u->input->schema;
    RF_TRY(output_init(u, &o, u->call->column_count));
    for (uint32_t c = 0; c < before->count && u->call->star; c++)
        if ((int)c != u->bag_column) RF_TRY(put_source(u, &o, c));
    for (uint32_t i = 0; i < u->call->column_count; i++) {
        const struct ast_column *column = &u->call->columns[i];
        int source = schema_find(before, column->name);
        int at = schema_find(&o.sb.schema, column->name);
        struct expr *e;
        rf_str key = column->name;
        if (u->prefix.len > 0 && rf_str_starts(key, u->prefix))
            key = rf_slice(key, u->prefix.len, key.len);
        bool keep = source >= 0 && source != u->bag_column && u->conflict != CONFLICT_REPLACE;
        if (keep && at >= 0) continue; /* came with the star */
        if (keep) {
            e = expr_column(u->b, &before->columns[source], column->pos);
            if (e == NULL) return BIND_NOMEM(u->b);
            RF_TRY(bind_cast(u->b, e, (enum type)column->type, &e));
        } else {
            RF_TRY(unpack_expr(u, key, (enum type)column->type, &e));
        }
        if (at < 0)
            RF_TRY(put(u, &o, column->name, e));
        else {
            RF_ASSERT((uint32_t)at < o.sb.schema.count);
            o.exprs[at] = e;
            o.sb.schema.columns[at].type = e->type;
        }
    }
    return project_node_new(u->b, o.exprs, &o.sb.schema, u->input, out);
}

static enum rf_kind project_keys(struct unpack *u, const struct keys *keys, bool open,
                                 struct node **out)
{
    struct output o;
    RF_TRY(output_init(u, &o, keys->count));
    for (uint32_t c = 0; c < u->input->schema.count; c++)
        if ((int)c != u->bag_column) RF_TRY(put_source(u, &o, c));
    for (uint32_t i = 0; i < keys->count; i++) RF_TRY(put_key(u, &o, &keys->items[i]));
    o.sb.schema.open = open;
    return project_node_new(u->b, o.exprs, &o.sb.schema, u->input, out);
}

static enum rf_kind unpack_bind(struct binder *b, const struct plugin_call *call,
                                struct node *input, struct node **out)
{
    struct unpack u = {.b = b, .call = call, .input = input};
    struct keys keys = {0};
    RF_TRY(read_arguments(&u));
    if (call->has_schema) return unpack_to_schema(&u, out);
    if (!b->may_run) return project_keys(&u, &keys, true, out);

    /* The bag is computed once, in front of the rows that are kept. */
    struct node *with_bag, *kept;
    struct column bag = {.name = RF_S("_bag"), .id = bind_new_id(b), .type = TYPE_DYNAMIC};
    struct schema before = input->schema;
    struct rows *rows;
    RF_TRY(extend_node_new(b, &u.bag, &bag, 1, input, &with_bag));
    RF_TRY(plugin_collect(b, with_bag, &rows));
    for (uint64_t r = 0; r < rows_count(rows); r++) {
        struct value v = rows_value(rows, r, before.count);
        if (!v.null) RF_TRY(note_bag(&u, &keys, v.s));
    }
    sort_keys(&keys);
    RF_TRY(rows_node_new(b, &with_bag->schema, rows, &kept));
    kept->serialized = input->serialized;
    struct node source = *kept; /* its columns without the one added */
    source.schema.count = before.count;
    u.input = &source;
    u.bag = expr_column(b, &bag, call->ast->pos);
    if (u.bag == NULL) return BIND_NOMEM(b);
    RF_TRY(project_keys(&u, &keys, before.open || rows_count(rows) == 0, out));
    (*out)->inputs[0] = kept;
    return RF_OK;
}

const struct plugin plugins_bag[] = {
    {.name = "bag_unpack",
     .doc = "Turns the keys of a bag into columns, each typed by its values.",
     .syntax = "T | evaluate bag_unpack(Column [, OutputColumnPrefix] [, "
               "columnsConflict='error'|'replace_source'|'keep_source'] [, "
               "ignoredProperties=dynamic([...])]) [: (*, Key:type, ...)]",
     .bind = unpack_bind},
    {0},
};
