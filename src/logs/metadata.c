/* metadata.c - what a workspace's tables and functions are, for editors: GET|POST .../metadata. */
#include "logs/query_int.h"

static void put_related(struct json_out *out, rf_str workspace_guid)
{
    static const char *const empty[] = {"categories", "solutions", "resourceTypes"};
    json_begin_object(out, "related");
    for (size_t i = 0; i < RF_COUNT(empty); i++) {
        json_begin_array(out, empty[i]);
        json_end_array(out);
    }
    json_begin_array(out, "workspaces");
    json_put_text(out, NULL, workspace_guid);
    json_end_array(out);
    json_end_object(out);
}

static void put_empty(struct json_out *out, bool object, const char *name)
{
    if (object) {
        json_begin_object(out, name);
        json_end_object(out);
    } else {
        json_begin_array(out, name);
        json_end_array(out);
    }
}

static void put_table(struct json_out *out, const struct source *source, rf_str group,
                      rf_str workspace_guid)
{
    struct rf_arena *arena = out->buf->arena;
    rf_str time = {NULL, 0};
    json_begin_object(out, NULL);
    json_put_text(out, "id",
                  rf_arena_printf(arena, "t/%.*s/%.*s", RF_FMT(group), RF_FMT(source->name)));
    json_put_text(out, "name", source->name);
    json_put_text(out, "description", RF_S(""));
    for (uint32_t i = 0; i < source->column_count; i++)
        if (rf_str_is(source->columns[i].name, "TimeGenerated")) time = source->columns[i].name;
    if (time.len > 0) json_put_text(out, "timespanColumn", time);
    put_empty(out, false, "labels");
    put_empty(out, true, "properties");
    json_begin_array(out, "columns");
    for (uint32_t i = 0; i < source->column_count; i++) {
        json_begin_object(out, NULL);
        json_put_text(out, "name", source->columns[i].name);
        json_put_text(out, "type", rf_str_of(type_name((enum type)source->columns[i].type)));
        json_put_text(out, "description", RF_S(""));
        json_put_bool(out, "isPreferredFacet", false);
        json_end_object(out);
    }
    json_end_array(out);
    put_related(out, workspace_guid);
    json_end_object(out);
}

void metadata_split_function(rf_str text, rf_str *parameters, rf_str *body)
{
    size_t depth = 0, at = 0;
    for (; at < text.len; at++) {
        uint8_t c = text.ptr[at];
        if (c == '"' || c == '\'') { /* a default value may hold brackets */
            size_t end = at + 1;
            while (end < text.len && text.ptr[end] != c) end += text.ptr[end] == '\\' ? 2 : 1;
            at = RF_MIN(end, text.len - 1);
        }
        depth += c == '(';
        if (c == ')' && --depth == 0) break;
        if (c == ')' && depth == SIZE_MAX) break;
    }
    size_t open = rf_str_find(text, RF_S("("), 0), brace = rf_str_find(text, RF_S("{"), at);
    *parameters = open < at && at < text.len ? rf_slice(text, open + 1, at) : (rf_str){NULL, 0};
    *body = text;
    if (brace == SIZE_MAX) return;
    size_t end = text.len;
    while (end > brace && text.ptr[end - 1] != '}') end--;
    *body = rf_str_trim(rf_slice(text, brace + 1, RF_MAX(end, brace + 2) - 1));
}

static void put_function(struct json_out *out, const struct stored_function *function,
                         rf_str workspace_guid)
{
    rf_str parameters, body;
    metadata_split_function(function->text, &parameters, &body);
    json_begin_object(out, NULL);
    json_put_text(out, "id", rf_arena_printf(out->buf->arena, "f/%.*s", RF_FMT(function->name)));
    json_put_text(out, "name", function->name);
    json_put_text(out, "displayName", function->name);
    json_put_text(out, "description", RF_S(""));
    json_put_text(out, "body", body);
    json_put_text(out, "parameters", parameters);
    put_empty(out, true, "properties");
    put_related(out, workspace_guid);
    json_end_object(out);
}

static bool is_custom(rf_str name) { return rf_str_ends(name, RF_S("_CL")); }

static void put_groups(struct json_out *out, const struct catalog *catalog)
{
    static const char *const names[] = {"LogManagement", "Custom Logs"};
    json_begin_array(out, "tableGroups");
    for (int custom = 0; custom < 2; custom++) {
        json_begin_object(out, NULL);
        json_put_text(out, "id", rf_str_of(names[custom]));
        json_put_text(out, "name", rf_str_of(names[custom]));
        json_put_text(out, "displayName", rf_str_of(names[custom]));
        json_begin_array(out, "tables");
        for (uint32_t i = 0; i < catalog->source_count; i++) {
            const struct source *source = catalog->sources[i];
            if (is_custom(source->name) != (custom == 1) || !catalog->shows(catalog, source))
                continue;
            json_put_text(
                out, NULL,
                rf_arena_printf(out->buf->arena, "t/%s/%.*s", names[custom], RF_FMT(source->name)));
        }
        json_end_array(out);
        json_end_object(out);
    }
    json_end_array(out);
}

static enum rf_kind put_metadata(struct request *request, const struct query_view *view,
                                 struct rf_err *err)
{
    static const char *const empty[] = {"categories", "solutions",   "resourceTypes",
                                        "queries",    "permissions", "applications"};
    const struct catalog *catalog = &view->catalog;
    const struct workspace *workspace = &view->workspaces[0];
    struct json_out out = json_out_to(&request->response->body);
    json_begin_object(&out, NULL);
    json_begin_array(&out, "tables");
    for (uint32_t i = 0; i < catalog->source_count; i++) {
        struct source *source = catalog->sources[i];
        if (!catalog->shows(catalog, source)) continue;
        RF_TRY(source_open(source, err));
        put_table(&out, source,
                  is_custom(source->name) ? RF_S("Custom Logs") : RF_S("LogManagement"),
                  workspace->guid);
    }
    json_end_array(&out);
    json_begin_array(&out, "functions");
    for (uint32_t i = 0; i < catalog->function_count; i++)
        put_function(&out, &catalog->functions[i], workspace->guid);
    json_end_array(&out);
    put_groups(&out, catalog);
    json_begin_array(&out, "workspaces");
    json_begin_object(&out, NULL);
    json_put_text(&out, "id", workspace->guid);
    json_put_text(&out, "resourceId", workspace->id);
    json_put_text(&out, "name", workspace->name);
    json_put_text(&out, "region", request->site->location);
    json_end_object(&out);
    json_end_array(&out);
    for (size_t i = 0; i < RF_COUNT(empty); i++) put_empty(&out, false, empty[i]);
    json_end_object(&out);
    return request->response->body.failed ? rf_fail_memory(err, request->arena) : RF_OK;
}

enum rf_kind metadata_answer(struct request *request, const struct workspace *workspace,
                             struct rf_err *err)
{
    struct query_view view;
    http_set_literal(request->response, "Content-Type", "application/json; charset=utf-8");
    enum rf_kind kind = query_view_open(request->service, request, request->arena, workspace, 1,
                                        (rf_str){NULL, 0}, &view, err);
    if (kind == RF_OK) kind = put_metadata(request, &view, err);
    query_view_close(&view);
    if (kind != RF_OK) request->response->body.len = 0;
    return kind;
}
