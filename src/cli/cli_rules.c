#include "cli/cli_rules.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/fs.h"
#include "base/yaml_tree.h"

enum { RULE_FILE_BYTES_MAX = 1 << 20, RULE_FOLDER_DEPTH_MAX = 16 };

/* ---- loading --------------------------------------------------------------------------------- */

enum rf_kind cli_rule_parse(rf_str yaml, struct rf_arena *arena, struct rule *out,
                            struct rf_err *err)
{
    struct json_node *root, *document;
    rf_str id;
    RF_TRY(yaml_parse_texts(yaml, arena, &root, err));
    RF_TRY(rule_from_yaml(root, arena, &document, &id, err));
    return rule_read_loose(document, id, arena, out, err);
}

static enum rf_kind load_file(const char *path, struct rf_arena *arena, struct cli_rules *rules,
                              struct rf_err *err)
{
    rf_str text;
    struct rule rule;
    RF_TRY(rf_fs_read_all(rf_fs_real(), path, RULE_FILE_BYTES_MAX, arena, &text, err));
    enum rf_kind kind = cli_rule_parse(text, arena, &rule, err);
    if (kind != RF_OK && err->code != NULL && strcmp(err->code, "NotARule") == 0) return RF_OK;
    if (kind != RF_OK) {
        struct rf_err inner = *err;
        rf_fail(err, kind, inner.code, "%s: %.900s", path, inner.text);
        err->line = inner.line;
        err->column = inner.column;
        return kind;
    }
    if (rules->count == rules->cap) {
        uint32_t cap = rules->cap == 0 ? 64 : rules->cap * 2;
        struct rule *items =
            rf_arena_grow(arena, rules->items, rules->cap * sizeof *items, cap * sizeof *items);
        const char **paths =
            rf_arena_grow(arena, rules->paths, rules->cap * sizeof *paths, cap * sizeof *paths);
        if (items == NULL || paths == NULL) return rf_fail_memory(err, arena);
        rules->items = items;
        rules->paths = paths;
        rules->cap = cap;
    }
    rules->paths[rules->count] = path;
    rules->items[rules->count++] = rule;
    return RF_OK;
}

static bool is_rule_file(rf_str name)
{
    return rf_str_ends(name, RF_S(".yaml")) || rf_str_ends(name, RF_S(".yml"));
}

/* Depth is bounded, so the recursion is. */
static enum rf_kind load_folder(const char *path, uint32_t depth, struct rf_arena *arena,
                                struct cli_rules *rules, struct rf_err *err)
{
    struct rf_fs *fs = rf_fs_real();
    rf_str *names;
    size_t count;
    RF_TRY(rf_fs_list(fs, path, arena, &names, &count, err));
    for (size_t i = 0; i < count; i++) {
        struct rf_fs_stat stat;
        if (names[i].ptr[0] == '.') continue;
        rf_str full = rf_arena_printf(arena, "%s/%.*s", path, RF_FMT(names[i]));
        if (full.ptr == NULL) return rf_fail_memory(err, arena);
        const char *child = (const char *)full.ptr;
        if (rf_fs_stat(fs, child, &stat, NULL) != RF_OK) continue;
        if (stat.is_dir && depth < RULE_FOLDER_DEPTH_MAX)
            RF_TRY(load_folder(child, depth + 1, arena, rules, err));
        else if (stat.is_file && is_rule_file(names[i]))
            RF_TRY(load_file(child, arena, rules, err));
    }
    return RF_OK;
}

enum rf_kind cli_rules_load(const char *path, struct rf_arena *arena, struct cli_rules *out,
                            struct rf_err *err)
{
    struct cli_rules rules = {0};
    struct rf_fs_stat stat;
    RF_TRY(rf_fs_stat(rf_fs_real(), path, &stat, err));
    if (stat.is_dir)
        RF_TRY(load_folder(path, 0, arena, &rules, err));
    else
        RF_TRY(load_file(path, arena, &rules, err));
    if (rules.count == 0)
        return RF_FAIL(err, RF_NOT_FOUND, "NoRules", "%s holds no rules (.yaml files with a query)",
                       path);
    *out = rules;
    return RF_OK;
}

/* ---- running ----------------------------------------------------------------------------------- */

struct keep_sink {
    struct kql_sink base;
    struct rf_arena *arena;
    struct cli_rule_run *run;
    bool first;
};

static enum rf_kind keep_begin(struct kql_sink *base, rf_str name, const struct schema *schema,
                               const struct render *render, struct rf_err *err)
{
    struct keep_sink *sink = (struct keep_sink *)base;
    (void)name;
    (void)render;
    sink->first = sink->run->rows == NULL; /* further tables of a batch are no alerts */
    if (!sink->first) return RF_OK;
    struct column *columns = rf_arena_new(sink->arena, struct column, schema->count);
    uint8_t *types = rf_arena_new(sink->arena, uint8_t, schema->count);
    if (columns == NULL || types == NULL) return rf_fail_memory(err, sink->arena);
    for (uint32_t i = 0; i < schema->count; i++) {
        columns[i] = schema->columns[i];
        types[i] = schema->columns[i].type;
        if (!rf_arena_str(sink->arena, schema->columns[i].name, &columns[i].name))
            return rf_fail_memory(err, sink->arena);
    }
    sink->run->schema = (struct schema){.columns = columns, .count = schema->count};
    sink->run->rows = rows_new(sink->arena, types, schema->count);
    return sink->run->rows == NULL ? rf_fail_memory(err, sink->arena) : RF_OK;
}

static enum rf_kind keep_push(struct kql_sink *base, const struct batch *batch, struct rf_err *err)
{
    struct keep_sink *sink = (struct keep_sink *)base;
    if (!sink->first) return RF_OK;
    return rows_append(sink->run->rows, batch) ? RF_OK : rf_fail_memory(err, sink->arena);
}

static enum rf_kind keep_end(struct kql_sink *base, struct rf_err *err)
{
    (void)base;
    (void)err;
    return RF_OK;
}

enum rf_kind cli_rule_run(const struct rule *rule, const struct kql_request *request,
                          int64_t at_ticks, struct rf_arena *arena, struct cli_rule_run *out,
                          struct rf_err *err)
{
    struct kql_request own = *request;
    struct cli_rule_run run = {0};
    struct keep_sink sink = {.base = {.begin = keep_begin, .push = keep_push, .end = keep_end},
                             .arena = arena,
                             .run = &run};
    own.text = rule->query;
    own.now_ticks = at_ticks;
    if (rule->period_ticks > 0) {
        own.has_timespan = true;
        own.from_ticks = at_ticks - rule->period_ticks + 1;
        own.to_ticks = at_ticks + 1; /* the newest row counts */
    }
    RF_TRY(kql_run(&own, &sink.base, NULL, err));
    run.triggered = rule_triggers(rule, rows_count(run.rows));
    *out = run;
    return RF_OK;
}
