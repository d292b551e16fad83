/* plugin_schema.c - infer_storage_schema: names and types of the columns of files outside, as text. Only places that the operator
 * named are read (external.h); each is one file. */
#include "kql/external.h"
#include "kql/plugin.h"
#include "value/dyn.h"

struct schema_options {
    rf_str *places;
    uint32_t place_count;
    rf_str format;
    bool has_header; /* UseFirstRowAsHeader */
};

struct seen { /* columns of all places; of a name that comes with two types it is string */
    struct reader_column *items;
    uint32_t count;
};

static enum rf_kind add_columns(struct seen *seen, struct reader_column *columns, uint32_t count,
                                struct plugin_run *run, struct rf_err *err)
{
    size_t old = seen->count * sizeof *columns;
    seen->items = rf_arena_grow(run->arena, seen->items, old, old + count * sizeof *columns);
    if (seen->items == NULL) return rf_fail_memory(err, run->arena);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = 0;
        while (at < seen->count && !rf_str_eq(seen->items[at].name, columns[i].name)) at++;
        if (at == seen->count)
            seen->items[seen->count++] = columns[i];
        else if (seen->items[at].type != columns[i].type)
            seen->items[at].type = TYPE_STRING;
    }
    return RF_OK;
}

/* Column1, Column2 ... for as many fields as the first row has. */
static bool number_columns(rf_str text, struct reader_options *options, struct rf_arena *arena)
{
    bool quoted = false;
    uint32_t count = 1;
    for (size_t i = 0; i < text.len && (quoted || text.ptr[i] != '\n'); i++) {
        quoted ^= text.ptr[i] == '"';
        count += !quoted && (char)text.ptr[i] == options->delimiter && count < READER_COLUMNS_MAX;
    }
    rf_str *names = rf_arena_new(arena, rf_str, count);
    for (uint32_t i = 0; names != NULL && i < count; i++) {
        names[i] = rf_arena_printf(arena, "Column%u", i + 1);
        if (names[i].ptr == NULL) return false;
    }
    options->header = names;
    options->header_count = count;
    return names != NULL;
}

static enum rf_kind look_at(struct plugin_run *run, rf_str place, struct seen *seen,
                            struct rf_err *err)
{
    const struct schema_options *o = run->options;
    const struct external *external =
        run->exec->catalog == NULL ? NULL : run->exec->catalog->external;
    rf_str text;
    struct reader_options options = {.budget = run->exec->budget};
    struct reader_column *columns;
    uint32_t count;
    if (external == NULL || !external->allows(external, external_place(place)))
        return RF_FAIL(err, RF_DENIED, "ExternalDataOff",
                       "'%.*s' is no place that queries may read; the operator names them",
                       RF_FMT(external_shown(place)));
    RF_TRY(external->read(external, external_place(place), run->arena, &text, err));
    RF_TRY(external_format(o->format, place, text, &options, err));
    if (options.format == READER_CSV && !o->has_header &&
        !number_columns(text, &options, run->arena))
        return rf_fail_memory(err, run->arena);
    const struct reader_input input = {.memory = text};
    RF_TRY(reader_infer(&input, &options, run->arena, &columns, &count, err));
    return add_columns(seen, columns, count, run, err);
}

static bool is_plain_name(rf_str name)
{
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.ptr[i];
        if (!rf_is_alpha(c) && c != '_' && (i == 0 || !rf_is_digit(c))) return false;
    }
    return name.len > 0;
}

static enum rf_kind schema_compute(struct plugin_run *run, struct rf_err *err)
{
    const struct schema_options *o = run->options;
    struct rf_buf text = rf_buf_in(run->arena);
    struct seen seen = {0};
    for (uint32_t i = 0; i < o->place_count; i++) RF_TRY(look_at(run, o->places[i], &seen, err));
    for (uint32_t i = 0; i < seen.count; i++) {
        rf_str name = seen.items[i].name;
        if (i > 0) rf_buf_str(&text, RF_S(", "));
        if (is_plain_name(name))
            rf_buf_str(&text, name);
        else
            rf_buf_printf(&text, "['%.*s']", RF_FMT(name));
        rf_buf_printf(&text, ":%s", type_name((enum type)seen.items[i].type));
    }
    if (text.failed) return rf_fail_memory(err, run->arena);
    struct value schema = value_str(rf_buf_view(&text));
    return plugin_emit(run, &schema, err);
}

static enum rf_kind schema_bind(struct binder *b, const struct plugin_call *call,
                                struct node *input, struct node **out)
{
    struct value options = value_null(TYPE_DYNAMIC);
    struct schema_builder sb = {.b = b};
    (void)input;
    RF_TRY(plugin_required(b, call, 0, "Options", TYPE_DYNAMIC, &options));
    rf_str places = dyn_get(options.s, RF_S("StorageContainers"));
    rf_str format = dyn_string(dyn_get(options.s, RF_S("DataFormat")));
    rf_str more = dyn_get(options.s, RF_S("InferenceOptions"));
    struct value header = dyn_to_value(dyn_get(more, RF_S("UseFirstRowAsHeader")));
    struct schema_options *o = rf_arena_new(b->arena, struct schema_options, 1);
    if (dyn_tag(places) != DYN_ARRAY || dyn_count(places) == 0 || format.len == 0)
        return bind_fail(b, call->ast->pos, "BadParameter",
                         "infer_storage_schema takes a bag with StorageContainers, an array of "
                         "places, and DataFormat");
    if (o == NULL || !schema_add(&sb, RF_S("CslSchema"), TYPE_STRING, bind_new_id(b)))
        return BIND_NOMEM(b);
    o->format = format;
    o->has_header = header.type == TYPE_BOOL && !header.null && header.b;
    o->places = rf_arena_new(b->arena, rf_str, dyn_count(places));
    if (o->places == NULL) return BIND_NOMEM(b);
    for (uint32_t i = 0; i < dyn_count(places); i++)
        o->places[o->place_count++] = dyn_string(dyn_item(places, i));
    return plugin_node_new(b, "infer_storage_schema", schema_compute, o, &sb.schema, NULL, NULL,
                           out);
}

const struct plugin plugins_schema[] = {
    {.name = "infer_storage_schema",
     .doc = "Names and types of the columns of files outside that the operator named, as text.",
     .syntax = "evaluate infer_storage_schema(Options)",
     .no_input = true,
     .bind = schema_bind},
    {0},
};
