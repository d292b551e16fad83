/* outcome.c - the alerts and incidents of a world, as documents that people can read and compare. */
#include <stdlib.h>

#include "base/encode.h"
#include "lab/world_int.h"
#include "siem/alert.h"

/* An alert with what it is found and ordered by. */
struct kept {
    rf_str id;
    struct json_node *shown;
    rf_str order; /* time, rule, text */
    uint32_t incident;
};

struct reading {
    struct rf_arena *arena;
    struct kept *alerts; /* by id */
    uint32_t alert_count;
};

/* 2024-05-31T10:00:00Z: a fraction only when there is one. */
static rf_str short_time(rf_str iso)
{
    size_t end = iso.len;
    if (end < 21 || iso.ptr[end - 1] != 'Z' || iso.ptr[19] != '.') return iso;
    for (end--; end > 20 && iso.ptr[end - 1] == '0'; end--) continue;
    if (end == 20) end--;
    uint8_t *text = (uint8_t *)(uintptr_t)iso.ptr; /* the document's own copy */
    text[end] = 'Z';
    return rf_slice(iso, 0, end + 1);
}

static void set_time(struct rf_arena *arena, struct json_node *out, const char *name, rf_str iso)
{
    rf_str own;
    if (iso.len > 0 && rf_arena_str(arena, iso, &own))
        json_set_text(arena, out, name, short_time(own));
}

/* ["a","b"] as JSON or as words between commas. */
static struct json_node *list_of(struct rf_arena *arena, rf_str text)
{
    struct json_node *list;
    if (text.len > 0 && text.ptr[0] == '[' && json_parse(text, arena, &list, NULL) == RF_OK)
        return list;
    list = json_new(arena, JSON_T_ARRAY);
    for (size_t from = 0; from < text.len;) {
        size_t to = RF_MIN(rf_str_find(text, RF_S(","), from), text.len);
        rf_str word = rf_str_trim(rf_slice(text, from, to));
        if (word.len > 0) json_append(list, json_new_text(arena, word));
        from = to + 1;
    }
    return list;
}

/* Without what only ties entities to each other: {"type":"Account","Name":...}. */
static struct json_node *entity_of(struct rf_arena *arena, const struct json_node *entity)
{
    struct json_node *out = json_new(arena, JSON_T_OBJECT);
    rf_str type = json_text_at(entity, "Type");
    const char *mapping = entity_mapping_of(type);
    json_set_text(arena, out, "type", mapping == NULL ? type : rf_str_of(mapping));
    for (const struct json_node *m = entity->first; m != NULL; m = m->next) {
        if (rf_str_is(m->name, "$id") || rf_str_is(m->name, "Type")) continue;
        if (json_get(m, "$ref") != NULL) continue;
        json_set(arena, out, m->name, json_clone(arena, m));
    }
    return out;
}

static struct json_node *entities_of(struct rf_arena *arena, rf_str text)
{
    struct json_node *list = NULL, *out = json_new(arena, JSON_T_ARRAY);
    if (json_parse(text, arena, &list, NULL) != RF_OK) return out;
    for (const struct json_node *e = list->first; e != NULL; e = e->next)
        json_append(out, entity_of(arena, e));
    return out;
}

/* The number in a text; 0: none. */
static int64_t number_of(rf_str text)
{
    int64_t n = 0;
    for (size_t i = 0; i < text.len && i < 18 && rf_is_digit(text.ptr[i]); i++)
        n = n * 10 + (text.ptr[i] - '0');
    return n;
}

static rf_str rule_of(const struct json_node *row)
{
    rf_str type = json_text_at(row, "AlertType");
    size_t line = rf_str_find(type, RF_S("_"), 0);
    return line == SIZE_MAX ? type : rf_slice(type, line + 1, type.len);
}

static struct json_node *show_alert(struct rf_arena *arena, const struct json_node *row)
{
    struct json_node *out = json_new(arena, JSON_T_OBJECT), *more = NULL, *details = NULL;
    if (json_parse(json_text_at(row, "ExtendedProperties"), arena, &more, NULL) != RF_OK)
        more = NULL;
    rf_str text = json_get(more, "Custom Details") != NULL ? json_get(more, "Custom Details")->text
                                                           : RF_S("");
    const struct json_node *count = json_get(more, "Search Query Results Overall Count");
    json_set_text(arena, out, "title", json_text_at(row, "DisplayName"));
    json_set_text(arena, out, "severity", json_text_at(row, "AlertSeverity"));
    json_set_text(arena, out, "rule", rule_of(row));
    json_set_text(arena, out, "description", json_text_at(row, "Description"));
    set_time(arena, out, "created", json_text_at(row, "TimeGenerated"));
    set_time(arena, out, "first", json_text_at(row, "StartTime"));
    set_time(arena, out, "last", json_text_at(row, "EndTime"));
    json_set_i64(arena, out, "rows", count == NULL ? 0 : number_of(count->text));
    json_set(arena, out, RF_S("tactics"), list_of(arena, json_text_at(row, "Tactics")));
    json_set(arena, out, RF_S("techniques"), list_of(arena, json_text_at(row, "Techniques")));
    json_set(arena, out, RF_S("entities"), entities_of(arena, json_text_at(row, "Entities")));
    if (text.len == 0 || json_parse(text, arena, &details, NULL) != RF_OK)
        details = json_new(arena, JSON_T_OBJECT);
    return json_set(arena, out, RF_S("details"), details) == NULL ? NULL : out;
}

/* ---- alerts ---------------------------------------------------------------------------------------------------------------- */

static int by_id(const void *a, const void *b)
{
    return rf_str_cmp(((const struct kept *)a)->id, ((const struct kept *)b)->id);
}
static int by_order(const void *a, const void *b)
{
    const struct kept *x = a, *y = b;
    int order = rf_str_cmp(x->order, y->order);
    return order != 0 ? order : rf_str_cmp(x->id, y->id);
}

static enum rf_kind read_alerts(struct reading *reading, struct state_txn *txn, struct rf_err *err)
{
    struct rf_arena *arena = reading->arena;
    struct state_list list;
    const struct state_scan scan = {.space = "siem.alert"};
    RF_TRY(state_list(txn, &scan, arena, &list, err));
    reading->alerts = rf_arena_new(arena, struct kept, list.count);
    if (reading->alerts == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < list.count; i++) {
        struct json_node *body;
        RF_TRY(json_parse(list.items[i].body, arena, &body, err));
        const struct json_node *row = json_get(body, "row");
        struct kept *kept = &reading->alerts[i];
        kept->id = json_text_at(row, "SystemAlertId");
        kept->shown = show_alert(arena, row);
        kept->order = rf_arena_printf(
            arena, "%.*s %.*s %.*s", RF_FMT(json_text_at(kept->shown, "created")),
            RF_FMT(json_text_at(kept->shown, "rule")), RF_FMT(json_text_at(row, "Entities")));
        if (kept->shown == NULL || kept->order.ptr == NULL) return rf_fail_memory(err, arena);
    }
    reading->alert_count = list.count;
    qsort(reading->alerts, list.count, sizeof *reading->alerts, by_id);
    return RF_OK;
}

/* ---- incidents ------------------------------------------------------------------------------------------------------------ */

static bool has_equal(const struct json_node *array, const struct json_node *value)
{
    for (const struct json_node *n = array->first; n != NULL; n = n->next)
        if (json_equal(n, value)) return true;
    return false;
}

static void unite(struct rf_arena *arena, struct json_node *array, const struct json_node *more)
{
    for (const struct json_node *n = more == NULL ? NULL : more->first; n != NULL; n = n->next)
        if (!has_equal(array, n)) json_append(array, json_clone(arena, n));
}

static void unite_details(struct rf_arena *arena, struct json_node *to,
                          const struct json_node *more)
{
    for (const struct json_node *d = more == NULL ? NULL : more->first; d != NULL; d = d->next) {
        struct json_node *there = json_get_str(to, d->name);
        if (there == NULL) there = json_set(arena, to, d->name, json_new(arena, JSON_T_ARRAY));
        if (there != NULL) unite(arena, there, d);
    }
}

/* Adds what the incident's alerts say together. */
static void add_alerts(struct reading *reading, const struct json_node *ids, uint32_t number,
                       struct json_node *out)
{
    struct rf_arena *arena = reading->arena;
    struct json_node *entities = json_new(arena, JSON_T_ARRAY),
                     *details = json_new(arena, JSON_T_OBJECT);
    int64_t count = 0, rows = 0;
    for (const struct json_node *id = ids == NULL ? NULL : ids->first; id != NULL; id = id->next) {
        int64_t own = 0;
        struct kept wanted = {.id = id->text};
        struct kept *found =
            bsearch(&wanted, reading->alerts, reading->alert_count, sizeof *reading->alerts, by_id);
        if (found == NULL) continue;
        found->incident = number;
        count++;
        (void)json_i64_at(found->shown, "rows", &own);
        rows += own;
        unite(arena, entities, json_get(found->shown, "entities"));
        unite_details(arena, details, json_get(found->shown, "details"));
        if (json_get(out, "rule") == NULL)
            json_set_text(arena, out, "rule", json_text_at(found->shown, "rule"));
    }
    json_set_i64(arena, out, "alerts", count);
    json_set_i64(arena, out, "rows", rows);
    json_set(arena, out, RF_S("entities"), entities);
    json_set(arena, out, RF_S("details"), details);
}

static struct json_node *show_incident(struct reading *reading, const struct json_node *body,
                                       uint32_t number)
{
    struct rf_arena *arena = reading->arena;
    struct json_node *out = json_new(arena, JSON_T_OBJECT);
    const struct json_node *p = json_get(body, "properties");
    static const char *const texts[] = {"title", "severity", "status", "description"};
    for (size_t i = 0; i < RF_COUNT(texts); i++)
        json_set_text(arena, out, texts[i], json_text_at(p, texts[i]));
    set_time(arena, out, "created", json_text_at(p, "createdTimeUtc"));
    set_time(arena, out, "first", json_text_at(p, "firstActivityTimeUtc"));
    set_time(arena, out, "last", json_text_at(p, "lastActivityTimeUtc"));
    static const char *const lists[] = {"tactics", "techniques"};
    for (size_t i = 0; i < RF_COUNT(lists); i++) {
        const struct json_node *list = json_get(json_get(p, "additionalData"), lists[i]);
        json_set(arena, out, rf_str_of(lists[i]),
                 list == NULL ? json_new(arena, JSON_T_ARRAY) : json_clone(arena, list));
    }
    add_alerts(reading, json_at(body, "_.alerts"), number, out);
    return json_get(out, "details") == NULL ? NULL : out;
}

static enum rf_kind put_incidents(struct reading *reading, struct state_txn *txn,
                                  struct json_node *out, struct rf_err *err)
{
    struct rf_arena *arena = reading->arena;
    struct state_list list;
    const struct state_scan scan = {.space = "siem.incident"};
    RF_TRY(state_list(txn, &scan, arena, &list, err));
    for (uint32_t i = list.count; i-- > 0;) { /* the newest has the smallest key */
        struct json_node *body;
        RF_TRY(json_parse(list.items[i].body, arena, &body, err));
        struct json_node *shown = show_incident(reading, body, out->count + 1);
        if (json_append(out, shown) == NULL) return rf_fail_memory(err, arena);
    }
    return RF_OK;
}

static enum rf_kind put_alerts(struct reading *reading, struct json_node *out, struct rf_err *err)
{
    qsort(reading->alerts, reading->alert_count, sizeof *reading->alerts, by_order);
    for (uint32_t i = 0; i < reading->alert_count; i++) {
        struct json_node *shown = reading->alerts[i].shown;
        json_set_i64(reading->arena, shown, "incident", reading->alerts[i].incident);
        if (json_append(out, shown) == NULL) return rf_fail_memory(err, reading->arena);
    }
    return RF_OK;
}

enum rf_kind lab_world_outcome(struct lab_world *world, struct rf_arena *arena,
                               struct json_node **out, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct reading reading = {.arena = arena};
    struct json_node *all = json_new(arena, JSON_T_OBJECT);
    struct json_node *incidents =
        json_set(arena, all, RF_S("incidents"), json_new(arena, JSON_T_ARRAY));
    struct json_node *alerts = json_set(arena, all, RF_S("alerts"), json_new(arena, JSON_T_ARRAY));
    if (incidents == NULL || alerts == NULL) return rf_fail_memory(err, arena);
    RF_TRY(state_begin_read(world->state, &txn, err));
    RF_TRY(read_alerts(&reading, txn, err));
    RF_TRY(put_incidents(&reading, txn, incidents, err));
    RF_TRY(put_alerts(&reading, alerts, err));
    *out = all;
    return RF_OK;
}
