/* test_update.c - what came of a test, written into its file as what is expected from now on. */
#include <stdio.h>

#include "lab/test.h"

/* ---- the expectation ---------------------------------------------------------------------------------------------------- */

static bool was_asked(const struct json_node *items, const char *name)
{
    for (const struct json_node *i = json_is(items, JSON_T_ARRAY) ? items->first : NULL; i != NULL;
         i = i->next)
        if (json_get(i, name) != NULL) return true;
    return false;
}

/* Account: {Name: ivo} */
static struct json_node *short_entity(struct rf_arena *arena, const struct json_node *entity)
{
    struct json_node *out = json_new(arena, JSON_T_OBJECT), *members = json_clone(arena, entity);
    json_remove(members, RF_S("type"));
    return json_set(arena, out, json_text_at(entity, "type"), members) == NULL ? NULL : out;
}

static void put_entities(struct rf_arena *arena, struct json_node *out,
                         const struct json_node *entities)
{
    struct json_node *list = json_new(arena, JSON_T_ARRAY);
    if (entities == NULL || entities->count == 0) return;
    for (const struct json_node *e = entities->first; e != NULL; e = e->next)
        json_append(list, short_entity(arena, e));
    json_set(arena, out, RF_S("entities"), list);
}

/* Title, severity, alerts, entities and details, and what the items before were asked for. */
static struct json_node *item_of(struct rf_arena *arena, const struct json_node *before,
                                 const struct json_node *item)
{
    static const char *const always[] = {"title", "severity", "alerts", "entities", "details"};
    struct json_node *out = json_new(arena, JSON_T_OBJECT);
    for (const struct json_node *m = item->first; m != NULL; m = m->next) {
        const char *name = rf_arena_cstr(arena, m->name);
        bool wanted = name != NULL && was_asked(before, name);
        for (size_t i = 0; i < RF_COUNT(always); i++) wanted |= rf_str_is(m->name, always[i]);
        if (!wanted || (m->type >= JSON_T_ARRAY && m->count == 0)) continue;
        if (rf_str_is(m->name, "entities"))
            put_entities(arena, out, m);
        else
            json_set(arena, out, m->name, json_clone(arena, m));
    }
    return out;
}

static void put_items(struct rf_arena *arena, struct json_node *out, const char *name,
                      const struct json_node *before, const struct json_node *items)
{
    const struct json_node *was = json_get(before, name);
    if (json_is(was, JSON_T_NUMBER)) {
        json_set_i64(arena, out, name, items->count);
        return;
    }
    struct json_node *list = json_new(arena, JSON_T_ARRAY);
    for (const struct json_node *i = items->first; i != NULL; i = i->next)
        json_append(list, item_of(arena, was, i));
    json_set(arena, out, rf_str_of(name), list);
}

static void put_queries(struct rf_arena *arena, struct json_node *out,
                        const struct json_node *before, struct lab_world *world)
{
    struct json_node *list = json_new(arena, JSON_T_ARRAY);
    for (const struct json_node *q = before->first; q != NULL; q = q->next) {
        struct json_node *columns, *rows, *made = json_new(arena, JSON_T_OBJECT);
        rf_str text = json_text_at(q, "query");
        if (lab_world_ask(world, text, arena, &columns, &rows, NULL) != RF_OK) continue;
        json_set_text(arena, made, "query", text);
        if (json_is(json_get(q, "rows"), JSON_T_NUMBER))
            json_set_i64(arena, made, "rows", rows->count);
        else
            json_set(arena, made, RF_S("rows"), rows);
        json_append(list, made);
    }
    json_set(arena, out, RF_S("queries"), list);
}

static bool any_alone(const struct json_node *alerts)
{
    for (const struct json_node *a = alerts->first; a != NULL; a = a->next)
        if (rf_str_is(json_get(a, "incident")->text, "0")) return true;
    return false;
}

struct json_node *lab_expectation(const struct json_node *before, struct lab_world *world,
                                  const struct json_node *outcome, struct rf_arena *arena)
{
    struct json_node *out = json_new(arena, JSON_T_OBJECT);
    const struct json_node *incidents = json_get(outcome, "incidents");
    const struct json_node *alerts = json_get(outcome, "alerts"),
                           *queries = json_get(before, "queries");
    static const char *const kept[] = {"exact", "others"};
    for (size_t i = 0; i < RF_COUNT(kept); i++)
        if (json_get(before, kept[i]) != NULL)
            json_set(arena, out, rf_str_of(kept[i]), json_clone(arena, json_get(before, kept[i])));
    if (incidents->count == 0 && alerts->count == 0) json_set_bool(arena, out, "none", true);
    if (incidents->count > 0) put_items(arena, out, "incidents", before, incidents);
    if (alerts->count > 0 && (json_get(before, "alerts") != NULL || any_alone(alerts)))
        put_items(arena, out, "alerts", before, alerts);
    if (json_is(queries, JSON_T_ARRAY)) put_queries(arena, out, queries, world);
    return out;
}

/* ---- as YAML ------------------------------------------------------------------------------------------------------------ */

static bool is_word(rf_str text, const char *const *words)
{
    for (; *words != NULL; words++)
        if (rf_str_eq_nocase(text, rf_str_of(*words))) return true;
    return false;
}

/* Whether a text is a text without quotes, also in {} and []. */
static bool is_plain(rf_str text)
{
    static const char *const others[] = {"true", "false", "null", "yes", "no", "on", "off", NULL};
    if (text.len == 0 || text.len > 200 || !rf_is_alpha(text.ptr[0])) return false;
    if (text.ptr[text.len - 1] == ' ' || is_word(text, others)) return false;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (!rf_is_alnum(c) && (c == 0 || strchr(" _-./@()\\", c) == NULL)) return false;
    }
    return true;
}

static void put_scalar(struct rf_buf *buf, const struct json_node *node)
{
    if (json_is(node, JSON_T_STRING) && is_plain(node->text))
        rf_buf_str(buf, node->text);
    else
        json_print(buf, node);
}

static void put_name(struct rf_buf *buf, rf_str name)
{
    const struct json_node node = {.type = JSON_T_STRING, .text = name};
    put_scalar(buf, &node);
}

/* {Name: ivo, UPNSuffix: contoso.com}; what lies deeper is JSON. */
static void put_flow(struct rf_buf *buf, const struct json_node *node)
{
    if (!json_is(node, JSON_T_OBJECT) && !json_is(node, JSON_T_ARRAY)) {
        put_scalar(buf, node);
        return;
    }
    bool object = node->type == JSON_T_OBJECT;
    rf_buf_byte(buf, object ? '{' : '[');
    for (const struct json_node *m = node->first; m != NULL; m = m->next) {
        if (m != node->first) rf_buf_str(buf, RF_S(", "));
        if (object) {
            put_name(buf, m->name);
            rf_buf_str(buf, RF_S(": "));
        }
        if (m->type >= JSON_T_ARRAY)
            json_print(buf, m);
        else
            put_scalar(buf, m);
    }
    rf_buf_byte(buf, object ? '}' : ']');
}

static void indent_by(struct rf_buf *buf, uint32_t columns)
{
    for (uint32_t i = 0; i < columns; i++) rf_buf_byte(buf, ' ');
}

static void put_item(struct rf_buf *buf, const struct json_node *item, uint32_t indent)
{
    for (const struct json_node *m = item->first; m != NULL; m = m->next) {
        indent_by(buf, indent);
        rf_buf_str(buf, m == item->first ? RF_S("- ") : RF_S("  "));
        put_name(buf, m->name);
        rf_buf_byte(buf, ':');
        bool listed = rf_str_is(m->name, "entities") || rf_str_is(m->name, "details");
        if (!listed) {
            rf_buf_byte(buf, ' ');
            put_flow(buf, m);
            rf_buf_byte(buf, '\n');
            continue;
        }
        rf_buf_byte(buf, '\n');
        for (const struct json_node *e = m->first; e != NULL; e = e->next) {
            bool entity = m->type == JSON_T_ARRAY;
            const struct json_node *value = entity ? e->first : e;
            indent_by(buf, indent + 4);
            if (entity) rf_buf_str(buf, RF_S("- "));
            put_name(buf, value->name);
            rf_buf_str(buf, RF_S(": "));
            put_flow(buf, value);
            rf_buf_byte(buf, '\n');
        }
    }
}

/* "expect:" stands there already. */
static void put_expectation(struct rf_buf *buf, const struct json_node *expected, uint32_t indent)
{
    rf_buf_str(buf, RF_S("expect:\n"));
    for (const struct json_node *m = expected->first; m != NULL; m = m->next) {
        indent_by(buf, indent + 2);
        put_name(buf, m->name);
        rf_buf_byte(buf, ':');
        if (!json_is(m, JSON_T_ARRAY)) {
            rf_buf_byte(buf, ' ');
            put_scalar(buf, m);
            rf_buf_byte(buf, '\n');
            continue;
        }
        rf_buf_byte(buf, '\n');
        for (const struct json_node *item = m->first; item != NULL; item = item->next)
            put_item(buf, item, indent + 4);
    }
}

/* ---- its place in the file ---------------------------------------------------------------------------------------------- */

/* The lines of a text; each with its end. */
struct lines {
    rf_str *items;
    uint32_t count;
};

static bool cut_lines(rf_str text, struct rf_arena *arena, struct lines *out)
{
    uint32_t count = 0, n = 0;
    for (size_t at = 0; at < text.len; at++) count += text.ptr[at] == '\n';
    out->items = rf_arena_new(arena, rf_str, (size_t)count + 1);
    if (out->items == NULL) return false;
    for (size_t from = 0; from < text.len;) {
        size_t end = rf_str_find(text, RF_S("\n"), from);
        size_t to = end == SIZE_MAX ? text.len : end + 1;
        out->items[n++] = rf_slice(text, from, to);
        from = to;
    }
    out->count = n;
    return true;
}

static bool is_blank(rf_str line) { return rf_str_trim(line).len == 0; }

static uint32_t indent_of(rf_str line)
{
    uint32_t n = 0;
    while (n < line.len && line.ptr[n] == ' ') n++;
    return n;
}

/* Where the key of a line begins: behind "- " of list items. */
static uint32_t key_column(rf_str line)
{
    uint32_t n = indent_of(line);
    while (n + 1 < line.len && line.ptr[n] == '-' && line.ptr[n + 1] == ' ') {
        n++;
        while (n < line.len && line.ptr[n] == ' ') n++;
    }
    return n;
}

/* The first line from `from` on that is not below a key in this column, blank lines before it left to it. */
static uint32_t block_end(const struct lines *lines, uint32_t from, uint32_t column)
{
    uint32_t at = from, end = from;
    for (; at < lines->count; at++) {
        if (is_blank(lines->items[at])) continue;
        if (indent_of(lines->items[at]) <= column) break;
        end = at + 1;
    }
    return end;
}

/* A change of lines from..to-1. */
struct change {
    uint32_t from, to, column;
    rf_str before; /* what stands in front of the key in its line */
    const struct json_node *expected;
};

static bool find_place(const struct lines *lines, const struct lab_test *test, struct change *out)
{
    const struct json_node *own = json_get(test->node, "expect");
    if (own == NULL) { /* behind the last line of the case */
        uint32_t first = test->line - 1;
        if (first >= lines->count) return false;
        uint32_t column = key_column(lines->items[first]);
        uint32_t end = column == 0 ? lines->count : block_end(lines, first + 1, column - 1);
        while (end > first + 1 && is_blank(lines->items[end - 1])) end--;
        *out = (struct change){.from = end, .to = end, .column = column};
        return true;
    }
    uint32_t at = own->line; /* 1-based: one behind the line where the value begins */
    for (; at > 0; at--) {
        rf_str line = lines->items[at - 1];
        uint32_t column = key_column(line);
        if (!rf_str_starts(rf_slice(line, column, line.len), RF_S("expect:"))) continue;
        *out = (struct change){.from = at - 1,
                               .to = block_end(lines, at, column),
                               .column = column,
                               .before = rf_slice(line, 0, column)};
        return true;
    }
    return false;
}

enum rf_kind lab_update_text(rf_str text, const struct lab_test *const *tests,
                             const struct json_node *const *expected, uint32_t count,
                             struct rf_arena *arena, rf_str *out, struct rf_err *err)
{
    struct lines lines;
    struct rf_buf buf = rf_buf_in(arena);
    uint32_t at = 0;
    if (!cut_lines(text, arena, &lines)) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < count; i++) {
        struct change change;
        if (!find_place(&lines, tests[i], &change) || change.from < at)
            return RF_FAIL(
                err, RF_INVALID, "BadTest",
                "%s: the expectation of '%.*s' is written so that it cannot be replaced; "
                "write it as 'expect:' on a line of its own",
                tests[i]->path, RF_FMT(tests[i]->name));
        for (; at < change.from; at++) rf_buf_str(&buf, lines.items[at]);
        if (buf.len > 0 && buf.ptr[buf.len - 1] != '\n') rf_buf_byte(&buf, '\n');
        if (change.before.len > 0)
            rf_buf_str(&buf, change.before);
        else
            indent_by(&buf, change.column);
        put_expectation(&buf, expected[i], change.column);
        at = change.to;
    }
    for (; at < lines.count; at++) rf_buf_str(&buf, lines.items[at]);
    if (buf.failed) return rf_fail_memory(err, arena);
    *out = rf_buf_view(&buf);
    return RF_OK;
}
