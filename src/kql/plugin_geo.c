/* plugin_geo.c - geo_line_lookup and geo_polygon_lookup: points are found near or in the shapes of a
 * table. */
#include <math.h>

#include "kql/geo_lookup.h"
#include "kql/op.h"
#include "kql/plugin.h"
#include "value/dyn.h"

struct geo_options {
    enum geo_lookup_kind kind;
    double radius;
    bool return_unmatched;
    uint32_t source_count; /* source columns; behind them longitude and latitude */
    uint32_t lookup_count; /* lookup columns; behind them the shape */
    uint32_t *shown;       /* lookup columns that are shown */
    uint32_t shown_count;
};

struct geo_pairs {
    struct plugin_run *run;
    struct value *cells;
    struct rf_err *err;
    enum rf_kind result;
    bool matched;
};

static bool emit_match(void *state, uint64_t row)
{
    struct geo_pairs *p = state;
    const struct geo_options *o = p->run->options;
    for (uint32_t c = 0; c < o->shown_count; c++) {
        uint32_t at = o->source_count + c;
        p->cells[at] = row == UINT64_MAX ? value_null((enum type)p->run->schema->columns[at].type)
                                         : rows_value(p->run->lookup, row, o->shown[c]);
    }
    p->matched = true;
    p->result = plugin_emit(p->run, p->cells, p->err);
    return p->result == RF_OK;
}

static double degrees(const struct plugin_run *run, uint64_t row, uint32_t column)
{
    struct value v = rows_value(run->rows, row, column);
    return v.null ? NAN : v.r;
}

static enum rf_kind geo_compute(struct plugin_run *run, struct rf_err *err)
{
    const struct geo_options *o = run->options;
    struct geo_lookup *lookup = geo_lookup_new(o->kind, o->radius, run->arena);
    struct geo_pairs p = {.run = run, .err = err};
    p.cells = rf_arena_new(run->arena, struct value, run->schema->count);
    if (lookup == NULL || p.cells == NULL) return rf_fail_memory(err, run->arena);
    for (uint64_t r = 0; r < rows_count(run->lookup); r++) {
        struct value v = rows_value(run->lookup, r, o->lookup_count);
        if (!v.null && !geo_lookup_add(lookup, v.s, r)) return rf_fail_memory(err, run->arena);
    }
    for (uint64_t r = 0; r < rows_count(run->rows); r++) {
        double lon = degrees(run, r, o->source_count), lat = degrees(run, r, o->source_count + 1);
        p.matched = false;
        for (uint32_t c = 0; c < o->source_count; c++) p.cells[c] = rows_value(run->rows, r, c);
        (void)geo_lookup_find(lookup, lon, lat, emit_match, &p);
        if (p.result == RF_OK && !p.matched && o->return_unmatched)
            (void)emit_match(&p, UINT64_MAX);
        RF_TRY(p.result);
    }
    return RF_OK;
}

/* ---- binding --------------------------------------------------------------------------------- */

/* radius is the fifth argument of lines; for polygons it may be left out, so it is often named. */
static enum rf_kind bind_options(struct binder *b, const struct plugin_call *call,
                                 struct geo_options *o, bool *return_key)
{
    struct value radius = value_real(0), unmatched = value_bool(false), key = value_bool(false);
    if (o->kind == GEO_LOOKUP_LINES)
        RF_TRY(plugin_required(b, call, 4, "radius", TYPE_REAL, &radius));
    else
        RF_TRY(plugin_constant(b, call, 4, "radius", TYPE_REAL, &radius));
    RF_TRY(plugin_constant(b, call, 5, "return_unmatched", TYPE_BOOL, &unmatched));
    RF_TRY(plugin_constant(b, call, 7, "return_lookup_key", TYPE_BOOL, &key));
    o->radius = radius.null ? 0 : radius.r;
    if (!isfinite(o->radius) || o->radius < 0)
        return bind_fail(b, call->ast->pos, "BadArguments",
                         "the radius is a number of metres, 0 or more");
    o->return_unmatched = !unmatched.null && unmatched.b;
    *return_key = !key.null && key.b;
    return RF_OK;
}

/* The node's columns with these behind them. */
static enum rf_kind widen(struct binder *b, struct expr **exprs, uint32_t count, struct node *input,
                          struct node **out)
{
    struct column columns[2];
    for (uint32_t i = 0; i < count; i++)
        columns[i] =
            (struct column){.name = RF_S("_geo"), .id = bind_new_id(b), .type = exprs[i]->type};
    return extend_node_new(b, exprs, columns, count, input, out);
}

static enum rf_kind output_schema(struct binder *b, const struct node *input,
                                  const struct node *lookup, const struct expr *key,
                                  struct geo_options *o, struct schema *out)
{
    struct schema_builder sb = {.b = b};
    o->shown = rf_arena_new(b->arena, uint32_t, lookup->schema.count);
    if (o->shown == NULL) return BIND_NOMEM(b);
    for (uint32_t c = 0; c < input->schema.count; c++) {
        const struct column *column = &input->schema.columns[c];
        if (!schema_add(&sb, column->name, (enum type)column->type, bind_new_id(b)))
            return BIND_NOMEM(b);
    }
    for (uint32_t c = 0; c < lookup->schema.count; c++) {
        const struct column *column = &lookup->schema.columns[c];
        if (key != NULL && key->kind == EXPR_COLUMN && key->column_id == column->id) continue;
        o->shown[o->shown_count++] = c;
        if (!schema_add(&sb, column->name, (enum type)column->type, bind_new_id(b)))
            return BIND_NOMEM(b);
    }
    sb.schema.open = input->schema.open || lookup->schema.open;
    *out = sb.schema;
    return RF_OK;
}

static enum rf_kind geo_bind(struct binder *b, const struct plugin_call *call, struct node *input,
                             enum geo_lookup_kind kind, struct node **out)
{
    bool lines = kind == GEO_LOOKUP_LINES, return_key = false;
    const struct ast *table = plugin_arg(call, 0, "LookupTable");
    struct geo_options *o = rf_arena_new(b->arena, struct geo_options, 1);
    struct expr *point[2], *shape;
    struct node *lookup, *left, *right;
    struct schema schema;
    if (o == NULL) return BIND_NOMEM(b);
    if (table == NULL)
        return bind_fail(b, call->ast->pos, "BadArguments",
                         "the first argument is a table of shapes");
    RF_TRY(bind_table(b, table, &lookup));
    *o = (struct geo_options){
        .kind = kind, .source_count = input->schema.count, .lookup_count = lookup->schema.count};
    RF_TRY(plugin_scalar(b, call, 1, lines ? "LookupLineKey" : "LookupPolygonKey", lookup, &shape));
    RF_TRY(plugin_scalar(b, call, 2, "SourceLongitude", input, &point[0]));
    RF_TRY(plugin_scalar(b, call, 3, "SourceLatitude", input, &point[1]));
    RF_TRY(bind_options(b, call, o, &return_key));
    for (int i = 0; i < 2; i++) RF_TRY(bind_cast(b, point[i], TYPE_REAL, &point[i]));
    RF_TRY(output_schema(b, input, lookup, return_key ? NULL : shape, o, &schema));
    RF_TRY(bind_cast(b, shape, TYPE_DYNAMIC, &shape));
    RF_TRY(widen(b, point, 2, input, &left));
    RF_TRY(widen(b, &shape, 1, lookup, &right));
    return plugin_node_new(b, lines ? "geo_line_lookup" : "geo_polygon_lookup", geo_compute, o,
                           &schema, left, right, out);
}

static enum rf_kind line_bind(struct binder *b, const struct plugin_call *call, struct node *input,
                              struct node **out)
{
    return geo_bind(b, call, input, GEO_LOOKUP_LINES, out);
}
static enum rf_kind polygon_bind(struct binder *b, const struct plugin_call *call,
                                 struct node *input, struct node **out)
{
    return geo_bind(b, call, input, GEO_LOOKUP_POLYGONS, out);
}

const struct plugin plugins_geo[] = {
    {.name = "geo_line_lookup",
     .doc = "Joins points with the lines of a table that lie within a radius in metres.",
     .syntax = "T | evaluate geo_line_lookup(LookupTable, LookupLineKey, Longitude, Latitude, "
               "radius [, return_unmatched] [, lookup_area_radius] [, return_lookup_key])",
     .bind = line_bind},
    {.name = "geo_polygon_lookup",
     .doc = "Joins points with the polygons of a table that hold them or lie within a radius.",
     .syntax = "T | evaluate geo_polygon_lookup(LookupTable, LookupPolygonKey, Longitude, "
               "Latitude [, radius] [, return_unmatched] [, lookup_area_radius] [, "
               "return_lookup_key])",
     .bind = polygon_bind},
    {0},
};
