/* plugin_lookup.c - ipv4_lookup and ipv6_lookup: addresses are found in a table of networks; the longest
 * network that holds the address counts. */
#include <stdlib.h>

#include "kql/bind_int.h"
#include "kql/func_ip.h"
#include "kql/op.h"
#include "kql/plugin.h"

enum { EXTRA_KEYS_MAX = 32, PREFIXES = 129 };

struct ip_options {
    bool v6, return_unmatched;
    uint32_t extra_count;
    uint32_t source_count;  /* source columns; behind them the address and the extra keys */
    uint32_t lookup_count;  /* lookup columns; behind them the network and the extra keys */
    uint32_t *lookup_shown; /* indexes of those that are shown */
    uint32_t shown_count;
};

struct network {
    struct ip6 base; /* masked */
    uint64_t row;
};
struct networks {
    struct network *items;
    uint64_t from[PREFIXES + 1]; /* those of prefix p are from[p] .. from[p + 1] - 1, sorted */
};

static bool parse_address(bool v6, rf_str s, struct ip6 *out)
{
    struct ip4 ip4;
    if (v6) return ip6_parse(s, out);
    if (!ip4_parse(s, &ip4)) return false;
    *out = ip6_of_ip4(&ip4);
    return true;
}

static int network_cmp(const void *a, const void *b)
{
    const struct network *x = a, *y = b;
    if (x->base.prefix != y->base.prefix) return x->base.prefix < y->base.prefix ? -1 : 1;
    int c = ip6_cmp(&x->base, &y->base);
    if (c != 0) return c;
    return x->row < y->row ? -1 : x->row > y->row;
}

static enum rf_kind read_networks(const struct plugin_run *run, const struct ip_options *o,
                                  struct networks *n, struct rf_err *err)
{
    uint64_t count = rows_count(run->lookup), used = 0;
    n->items = rf_arena_new(run->arena, struct network, count);
    if (n->items == NULL) return rf_fail_memory(err, run->arena);
    for (uint64_t r = 0; r < count; r++) {
        struct ip6 ip;
        if (!parse_address(o->v6, rows_value(run->lookup, r, o->lookup_count).s, &ip)) continue;
        n->items[used++] = (struct network){.base = ip6_masked(ip, ip.prefix), .row = r};
    }
    if (used > 1) qsort(n->items, used, sizeof *n->items, network_cmp);
    uint64_t at = 0;
    for (uint32_t p = 0; p < PREFIXES; p++) {
        n->from[p] = at;
        while (at < used && n->items[at].base.prefix == p) at++;
    }
    n->from[PREFIXES] = used;
    return RF_OK;
}

static bool same_extras(const struct plugin_run *run, const struct ip_options *o, uint64_t row,
                        uint64_t lookup)
{
    for (uint32_t i = 1; i <= o->extra_count; i++) {
        struct value a = rows_value(run->rows, row, o->source_count + i);
        struct value b = rows_value(run->lookup, lookup, o->lookup_count + i);
        if (a.null || b.null || !value_same(&a, &b)) return false;
    }
    return true;
}

static enum rf_kind emit_pair(struct plugin_run *run, const struct ip_options *o, uint64_t row,
                              uint64_t lookup, struct value *cells, struct rf_err *err)
{
    for (uint32_t c = 0; c < o->source_count; c++) cells[c] = rows_value(run->rows, row, c);
    for (uint32_t c = 0; c < o->shown_count; c++) {
        uint32_t at = o->source_count + c;
        cells[at] = lookup == UINT64_MAX ? value_null((enum type)run->schema->columns[at].type)
                                         : rows_value(run->lookup, lookup, o->lookup_shown[c]);
    }
    return plugin_emit(run, cells, err);
}

/* Emits the matches of the longest prefix that has one. */
static enum rf_kind look_up(struct plugin_run *run, const struct networks *n, uint64_t row,
                            const struct ip6 *ip, struct value *cells, bool *matched,
                            struct rf_err *err)
{
    const struct ip_options *o = run->options;
    for (uint32_t p = ip->prefix + 1; p-- > 0 && !*matched;) {
        uint64_t low = n->from[p], high = n->from[p + 1], end = high;
        if (low == high) continue;
        struct ip6 base = ip6_masked(*ip, p);
        while (low < high) {
            uint64_t middle = low + (high - low) / 2;
            if (ip6_cmp(&n->items[middle].base, &base) < 0)
                low = middle + 1;
            else
                high = middle;
        }
        for (; low < end && ip6_cmp(&n->items[low].base, &base) == 0; low++) {
            if (!same_extras(run, o, row, n->items[low].row)) continue;
            *matched = true;
            RF_TRY(emit_pair(run, o, row, n->items[low].row, cells, err));
        }
    }
    return RF_OK;
}

static enum rf_kind ip_compute(struct plugin_run *run, struct rf_err *err)
{
    const struct ip_options *o = run->options;
    struct networks *n = rf_arena_new(run->arena, struct networks, 1);
    struct value *cells = rf_arena_new(run->arena, struct value, run->schema->count);
    if (n == NULL || cells == NULL) return rf_fail_memory(err, run->arena);
    RF_TRY(read_networks(run, o, n, err));
    for (uint64_t r = 0; r < rows_count(run->rows); r++) {
        struct ip6 ip;
        bool matched = false;
        if (parse_address(o->v6, rows_value(run->rows, r, o->source_count).s, &ip))
            RF_TRY(look_up(run, n, r, &ip, cells, &matched, err));
        if (!matched && o->return_unmatched) RF_TRY(emit_pair(run, o, r, UINT64_MAX, cells, err));
    }
    return RF_OK;
}

/* ---- binding --------------------------------------------------------------------------------- */

struct ip_keys {
    struct expr *source[EXTRA_KEYS_MAX + 1], *lookup[EXTRA_KEYS_MAX + 1]; /* 0: the addresses */
    uint32_t count;
    int lookup_columns[EXTRA_KEYS_MAX + 1]; /* of the extra keys */
};

static enum rf_kind bind_text(struct binder *b, const struct plugin_call *call, uint32_t position,
                              const char *name, const struct node *node, struct expr **out)
{
    RF_TRY(plugin_scalar(b, call, position, name, node, out));
    return bind_cast(b, *out, TYPE_STRING, out);
}

static enum rf_kind bind_extra(struct binder *b, const struct ast *ast, struct ip_keys *k,
                               const struct node *source, const struct node *lookup)
{
    if (k->count > EXTRA_KEYS_MAX)
        return bind_fail(b, ast->pos, "BadArguments", "more than %d keys", EXTRA_KEYS_MAX);
    struct expr **x = &k->source[k->count], **y = &k->lookup[k->count];
    RF_TRY(bind_scalar(b, ast, &source->schema, x));
    RF_TRY(bind_scalar(b, ast, &lookup->schema, y));
    k->lookup_columns[k->count++] = schema_find(&lookup->schema, ast->text);
    if ((*x)->type == (*y)->type) return RF_OK;
    enum type common;
    if (!type_common((enum type)(*x)->type, (enum type)(*y)->type, &common))
        return bind_fail(b, ast->pos, "BadArguments", "the key '%.*s' has another type there",
                         RF_FMT(ast->text));
    RF_TRY(bind_cast(b, *x, common, x));
    return bind_cast(b, *y, common, y);
}

static enum rf_kind bind_keys(struct binder *b, const struct plugin_call *call,
                              const struct node *source, const struct node *lookup,
                              struct ip_keys *k, struct ip_options *o)
{
    const struct ast *ast = call->ast;
    const char *source_name = o->v6 ? "SourceIPv6Key" : "SourceIPv4Key";
    const char *lookup_name = o->v6 ? "IPv6LookupKey" : "IPv4LookupKey";
    struct value unmatched = value_bool(false);
    RF_TRY(bind_text(b, call, 1, source_name, source, &k->source[0]));
    RF_TRY(bind_text(b, call, 2, lookup_name, lookup, &k->lookup[0]));
    k->count = 1;
    for (uint32_t i = 3; i < ast->kid_count; i++) {
        const struct ast *kid = ast->kids[i];
        if (kid->kind == AST_NAME && schema_find(&source->schema, kid->text) >= 0)
            RF_TRY(bind_extra(b, kid, k, source, lookup));
        else if (kid->kind != AST_NAMED)
            RF_TRY(bind_constant(b, kid, TYPE_BOOL, &unmatched));
    }
    RF_TRY(plugin_constant(b, call, UINT32_MAX, "return_unmatched", TYPE_BOOL, &unmatched));
    o->return_unmatched = !unmatched.null && unmatched.b;
    o->extra_count = k->count - 1;
    return RF_OK;
}

/* The node's columns with the keys behind them. */
static enum rf_kind with_keys(struct binder *b, struct expr **keys, uint32_t count,
                              struct node *input, struct node **out)
{
    struct column *columns = rf_arena_new(b->arena, struct column, count);
    if (columns == NULL) return BIND_NOMEM(b);
    for (uint32_t i = 0; i < count; i++)
        columns[i] =
            (struct column){.name = RF_S("_key"), .id = bind_new_id(b), .type = keys[i]->type};
    return extend_node_new(b, keys, columns, count, input, out);
}

static bool is_extra(const struct ip_keys *k, uint32_t column)
{
    for (uint32_t i = 1; i < k->count; i++)
        if (k->lookup_columns[i] == (int)column) return true;
    return false;
}

static enum rf_kind lookup_bind(struct binder *b, const struct plugin_call *call,
                                struct node *input, bool v6, struct node **out)
{
    struct node *lookup, *left, *right;
    struct ip_keys k = {0};
    struct schema_builder sb = {.b = b};
    const struct ast *table = plugin_arg(call, 0, "LookupTable");
    struct ip_options *o = rf_arena_new(b->arena, struct ip_options, 1);
    if (o == NULL) return BIND_NOMEM(b);
    if (table == NULL)
        return bind_fail(b, call->ast->pos, "BadArguments",
                         "the first argument is a table of networks");
    RF_TRY(bind_table(b, table, &lookup));
    *o = (struct ip_options){
        .v6 = v6, .source_count = input->schema.count, .lookup_count = lookup->schema.count};
    RF_TRY(bind_keys(b, call, input, lookup, &k, o));
    o->lookup_shown = rf_arena_new(b->arena, uint32_t, lookup->schema.count);
    if (o->lookup_shown == NULL) return BIND_NOMEM(b);
    for (uint32_t c = 0; c < input->schema.count; c++) {
        const struct column *column = &input->schema.columns[c];
        if (!schema_add(&sb, column->name, (enum type)column->type, bind_new_id(b)))
            return BIND_NOMEM(b);
    }
    for (uint32_t c = 0; c < lookup->schema.count; c++) {
        const struct column *column = &lookup->schema.columns[c];
        if (is_extra(&k, c)) continue;
        o->lookup_shown[o->shown_count++] = c;
        if (!schema_add(&sb, column->name, (enum type)column->type, bind_new_id(b)))
            return BIND_NOMEM(b);
    }
    sb.schema.open = input->schema.open || lookup->schema.open;
    RF_TRY(with_keys(b, k.source, k.count, input, &left));
    RF_TRY(with_keys(b, k.lookup, k.count, lookup, &right));
    return plugin_node_new(b, v6 ? "ipv6_lookup" : "ipv4_lookup", ip_compute, o, &sb.schema, left,
                           right, out);
}

static enum rf_kind ip4_bind(struct binder *b, const struct plugin_call *call, struct node *input,
                             struct node **out)
{
    return lookup_bind(b, call, input, false, out);
}
static enum rf_kind ip6_bind(struct binder *b, const struct plugin_call *call, struct node *input,
                             struct node **out)
{
    return lookup_bind(b, call, input, true, out);
}

const struct plugin plugins_lookup[] = {
    {.name = "ipv4_lookup",
     .doc = "Adds the columns of the longest network that holds an IPv4 address.",
     .syntax = "T | evaluate ipv4_lookup(LookupTable, SourceIPv4Key, IPv4LookupKey [, ExtraKey, "
               "...] [, return_unmatched])",
     .bind = ip4_bind},
    {.name = "ipv6_lookup",
     .doc = "Adds the columns of the longest network that holds an IPv6 or IPv4 address.",
     .syntax = "T | evaluate ipv6_lookup(LookupTable, SourceIPv6Key, IPv6LookupKey [, "
               "return_unmatched])",
     .bind = ip6_bind},
    {0},
};
