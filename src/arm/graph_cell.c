/* graph_cell.c - what the columns of Resource Graph's tables show of a resource, and to whom. */
#include "arm/graph_int.h"

#include "value/dyn.h"

const struct graph_column_shape graph_columns[COLUMN_COUNT] = {
    [COLUMN_ID] = {"id", TYPE_STRING},
    [COLUMN_NAME] = {"name", TYPE_STRING},
    [COLUMN_TYPE] = {"type", TYPE_STRING},
    [COLUMN_TENANT] = {"tenantId", TYPE_STRING},
    [COLUMN_KIND] = {"kind", TYPE_STRING},
    [COLUMN_LOCATION] = {"location", TYPE_STRING},
    [COLUMN_GROUP] = {"resourceGroup", TYPE_STRING},
    [COLUMN_SUBSCRIPTION] = {"subscriptionId", TYPE_STRING},
    [COLUMN_MANAGED_BY] = {"managedBy", TYPE_STRING},
    [COLUMN_SKU] = {"sku", TYPE_DYNAMIC},
    [COLUMN_PLAN] = {"plan", TYPE_DYNAMIC},
    [COLUMN_PROPERTIES] = {"properties", TYPE_DYNAMIC},
    [COLUMN_TAGS] = {"tags", TYPE_DYNAMIC},
    [COLUMN_IDENTITY] = {"identity", TYPE_DYNAMIC},
    [COLUMN_ZONES] = {"zones", TYPE_DYNAMIC},
    [COLUMN_PLACE] = {"extendedLocation", TYPE_DYNAMIC},
};

/* ---- cells ---- */

/* A number of JSON; whole ones that fit are long, others keep their text. */
static bool put_number(struct rf_buf *buf, rf_str text)
{
    int64_t number;
    struct rf_err ignored;
    struct json_node node = {.type = JSON_T_OBJECT};
    struct json_node child = {.type = JSON_T_NUMBER, .name = RF_S("n"), .text = text};
    node.first = node.last = &child;
    node.count = 1;
    if (json_i64_at(&node, "n", &number)) {
        dyn_put_long(buf, number);
        return true;
    }
    return dyn_parse_json(text, buf, &ignored) == RF_OK;
}

/* A document is at most JSON_DEPTH_MAX deep, as it was parsed. */
static bool put_dynamic(struct rf_buf *buf, const struct json_node *node)
{
    struct dyn_builder builder;
    switch (node->type) {
    case JSON_T_NULL:
        dyn_put_null(buf);
        break;
    case JSON_T_FALSE:
    case JSON_T_TRUE:
        dyn_put_bool(buf, node->type == JSON_T_TRUE);
        break;
    case JSON_T_NUMBER:
        return put_number(buf, node->text);
    case JSON_T_STRING:
        dyn_put_string(buf, node->text);
        break;
    case JSON_T_ARRAY:
    case JSON_T_OBJECT:
        dyn_begin_counted(&builder, buf, node->type == JSON_T_ARRAY ? DYN_ARRAY : DYN_BAG,
                          node->count);
        for (const struct json_node *child = node->first; child != NULL; child = child->next) {
            if (node->type == JSON_T_ARRAY)
                dyn_next(&builder);
            else
                dyn_key(&builder, child->name);
            if (!put_dynamic(buf, child)) return false;
        }
        dyn_end(&builder);
        break;
    }
    return !buf->failed;
}

/* What stands in a column of texts. Only lower-case forms are made anew, in `arena`. */
static rf_str text_cell(const struct graph *graph, const struct graph_item *item,
                        enum graph_column column, struct rf_arena *arena)
{
    switch (column) {
    case COLUMN_ID:
        return item->id.text;
    case COLUMN_NAME:
        return item->name;
    case COLUMN_TYPE:
        return resource_key(arena, item->type);
    case COLUMN_TENANT:
        return graph->request->site->tenant_id;
    case COLUMN_GROUP:
        return resource_key(arena, item->id.group);
    case COLUMN_SUBSCRIPTION:
        return resource_key(arena, item->id.subscription);
    default:
        return json_text_at(item->body, graph_columns[column].name);
    }
}

enum rf_kind graph_set_cell(const struct graph *graph, const struct graph_item *item,
                            enum graph_column column, struct rf_arena *scratch,
                            struct rf_arena *arena, struct vec *vec, uint32_t row,
                            struct rf_err *err)
{
    struct value value = value_null(graph_columns[column].type);
    if (graph_columns[column].type == TYPE_STRING) {
        value.s = text_cell(graph, item, column, scratch);
        if (value.s.ptr == NULL && value.s.len > 0) return rf_fail_memory(err, scratch);
    } else {
        const struct json_node *node = json_get(item->body, graph_columns[column].name);
        struct rf_buf buf = rf_buf_in(scratch);
        if (node != NULL && node->type != JSON_T_NULL) {
            if (!put_dynamic(&buf, node)) return rf_fail_memory(err, scratch);
            value = value_dyn(dyn_done(&buf));
        }
    }
    if (!value.null && !rf_arena_str(arena, value.s, &value.s)) return rf_fail_memory(err, arena);
    vec_set(vec, row, &value);
    return RF_OK;
}

/* ---- who may see it --------------------------------------------------------------------------------------------------------- */

bool graph_may_read(const struct graph *graph, const struct graph_item *item,
                    struct rf_arena *scratch)
{
    rf_str need = rf_arena_printf(scratch, "%.*s/read", RF_FMT(item->type));
    rf_str scope = item->readable.len > 0 ? item->readable : item->id.text;
    return need.ptr != NULL && request_may(graph->request, need, scope, false);
}

bool graph_reaches(const struct graph *graph, const struct graph_item *item,
                   struct rf_arena *scratch)
{
    rf_str at = resource_key(scratch, item->id.scope), asked = graph->scope;
    if (rf_str_is(at, "/")) at = (rf_str){0};
    bool exact = rf_str_eq(at, asked);
    bool below = at.len > asked.len && rf_str_starts(at, asked) &&
                 (asked.len == 0 || at.ptr[asked.len] == '/');
    /* All subscriptions are below the one management group, which is below the tenant. */
    bool asked_subscription = rf_str_starts(asked, RF_S("/subscriptions/"));
    bool at_top = !rf_str_starts(at, RF_S("/subscriptions/"));
    bool above = asked_subscription && at_top;
    if (!asked_subscription) {
        exact = exact || at_top;
        below = !at_top;
    }
    switch (graph->reach) {
    case GRAPH_BELOW:
        return exact || below;
    case GRAPH_ABOVE:
        return exact || above;
    case GRAPH_EXACT:
        return exact;
    default:
        return exact || below || above;
    }
}
