/* test_match.c - what a test expects against what came of it. Each expected incident is laid beside the one that fits it best; what
 * differs there is told, with the line of the test. */
#include "base/encode.h"
#include "lab/test.h"

enum { ITEMS_MAX = 2000, PROBLEMS_SHOWN = 40, BYTES_SHOWN = 300 };

static const char *const item_names[] = {
    "title",    "severity", "status", "rule",     "description", "created",
    "first",    "last",     "alerts", "rows",     "tactics",     "techniques",
    "entities", "details",  "exact",  "incident", NULL};
static const char *const expect_names[] = {"incidents", "alerts",  "none", "exact",
                                           "others",    "queries", NULL};

/* ---- texts -------------------------------------------------------------------------------------------------------------- */

/* At most BYTES_SHOWN. */
static rf_str shown(struct rf_arena *arena, const struct json_node *node)
{
    if (node == NULL) return RF_S("nothing");
    rf_str text = json_is(node, JSON_T_STRING) ? node->text : json_to_text(arena, node);
    return rf_slice(text, 0, RF_MIN(text.len, (size_t)BYTES_SHOWN));
}

static void put_value(struct rf_buf *buf, const struct json_node *value)
{
    if (json_is(value, JSON_T_STRING))
        rf_buf_str(buf, value->text);
    else
        json_print(buf, value);
}

void lab_put_entity(struct rf_buf *buf, const struct json_node *entity)
{
    const char *between = " {";
    rf_buf_str(buf, json_text_at(entity, "type"));
    for (const struct json_node *m = entity->first; m != NULL; m = m->next) {
        if (rf_str_is(m->name, "type")) continue;
        rf_buf_printf(buf, "%s%.*s: ", between, RF_FMT(m->name));
        put_value(buf, m);
        between = ", ";
    }
    if (between[0] == ',') rf_buf_byte(buf, '}');
}

/* ---- entities ----------------------------------------------------------------------------------------------------------- */

static bool same_value(const struct json_node *want, const struct json_node *have)
{
    if (have == NULL) return json_is(want, JSON_T_NULL);
    if (want->type == JSON_T_ARRAY || want->type == JSON_T_OBJECT) return json_equal(want, have);
    if (want->type == JSON_T_TRUE || want->type == JSON_T_FALSE) return want->type == have->type;
    return rf_str_eq_nocase(want->text, have->text);
}

static bool is_joined(rf_str text, rf_str a, const char *between, rf_str b)
{
    size_t len = strlen(between);
    return a.len > 0 && b.len > 0 && text.len == a.len + len + b.len &&
           rf_str_eq_nocase(rf_slice(text, 0, a.len), a) &&
           rf_str_eq(rf_slice(text, a.len, a.len + len), rf_str_of(between)) &&
           rf_str_eq_nocase(rf_slice(text, a.len + len, text.len), b);
}

/* One text stands for an entity by any of its members, or by a name that was taken apart. */
static bool is_called(const struct json_node *entity, rf_str text)
{
    for (const struct json_node *m = entity->first; m != NULL; m = m->next)
        if (!rf_str_is(m->name, "type") && json_is(m, JSON_T_STRING) &&
            rf_str_eq_nocase(m->text, text))
            return true;
    rf_str name = json_text_at(entity, "Name"), host = json_text_at(entity, "HostName");
    rf_str directory = json_text_at(entity, "Directory");
    return is_joined(text, name, "@", json_text_at(entity, "UPNSuffix")) ||
           is_joined(text, json_text_at(entity, "NTDomain"), "\\", name) ||
           is_joined(text, host, ".", json_text_at(entity, "DnsDomain")) ||
           is_joined(text, directory, "\\", name) || is_joined(text, directory, "/", name);
}

/* {"type":"Account", "Name": ...} or {"Account": {...}} or {"Account": "text"}. */
static bool entity_fits(const struct json_node *want, const struct json_node *have)
{
    const struct json_node *type = json_get(want, "type"), *members = want;
    rf_str name = type != NULL ? type->text : RF_S("");
    if (type == NULL && json_is(want, JSON_T_OBJECT) && want->count == 1) {
        members = want->first;
        name = members->name;
    }
    if (!rf_str_eq_nocase(name, json_text_at(have, "type"))) return false;
    if (!json_is(members, JSON_T_OBJECT)) return is_called(have, members->text);
    for (const struct json_node *m = members->first; m != NULL; m = m->next)
        if (!rf_str_is(m->name, "type") && !same_value(m, json_get_nocase(have, m->name)))
            return false;
    return true;
}

static bool has_entity(const struct json_node *list, const struct json_node *want)
{
    for (const struct json_node *e = list == NULL ? NULL : list->first; e != NULL; e = e->next)
        if (entity_fits(want, e)) return true;
    return false;
}

/* ---- one item ----------------------------------------------------------------------------------------------------------- */

/* Counts what differs; tells it when `out` is there. */
struct teller {
    struct lab_result *out;
    struct rf_arena *arena;
    uint32_t count;
    bool exact;
};

#define DIFFERS(t, line, ...)                                                                      \
    do {                                                                                           \
        (t)->count++;                                                                              \
        if ((t)->out != NULL) lab_message_add((t)->out, (t)->arena, line, __VA_ARGS__);            \
    } while (0)

static void match_entities(struct teller *t, const struct json_node *want,
                           const struct json_node *have)
{
    for (const struct json_node *w = want->first; w != NULL; w = w->next)
        if (!has_entity(have, w))
            DIFFERS(t, w->line, "  entities: %.*s is missing", RF_FMT(shown(t->arena, w)));
    if (!t->exact && t->count == 0) return;
    for (const struct json_node *e = have->first; e != NULL; e = e->next) {
        bool wanted = false;
        for (const struct json_node *w = want->first; w != NULL && !wanted; w = w->next)
            wanted = entity_fits(w, e);
        struct rf_buf text = rf_buf_in(t->arena);
        if (wanted) continue;
        lab_put_entity(&text, e);
        if (t->exact)
            DIFFERS(t, want->line, "  entities: %.*s is not expected", RF_FMT(rf_buf_view(&text)));
        else if (t->out != NULL)
            lab_message_add(t->out, t->arena, want->line, "  entities: there is %.*s",
                            RF_FMT(rf_buf_view(&text)));
    }
}

static bool has_text(const struct json_node *list, rf_str text, bool nocase)
{
    if (!json_is(list, JSON_T_ARRAY))
        return list != NULL &&
               (nocase ? rf_str_eq_nocase(list->text, text) : rf_str_eq(list->text, text));
    for (const struct json_node *n = list->first; n != NULL; n = n->next)
        if (nocase ? rf_str_eq_nocase(n->text, text) : rf_str_eq(n->text, text)) return true;
    return false;
}

/* Each text of `want` is in `have`; with `both` the other way round, too. */
static void match_lists(struct teller *t, rf_str what, const struct json_node *want,
                        const struct json_node *have, bool both)
{
    static const struct json_node nothing = {.type = JSON_T_ARRAY};
    const struct json_node one = {.type = JSON_T_STRING, .text = want->text, .line = want->line};
    const struct json_node *first = json_is(want, JSON_T_ARRAY) ? want->first : &one;
    if (have == NULL) have = &nothing;
    for (const struct json_node *w = first; w != NULL; w = w->next)
        if (!has_text(have, w->text, true))
            DIFFERS(t, w->line, "  %.*s: %.*s is missing; there is %.*s", RF_FMT(what),
                    RF_FMT(w->text), RF_FMT(shown(t->arena, have)));
    for (const struct json_node *h = have->first; h != NULL && both; h = h->next)
        if (!has_text(want, h->text, true))
            DIFFERS(t, want->line, "  %.*s: %.*s is not expected", RF_FMT(what), RF_FMT(h->text));
}

static void match_details(struct teller *t, const struct json_node *want,
                          const struct json_node *have)
{
    for (const struct json_node *w = want->first; w != NULL; w = w->next)
        match_lists(t, w->name, w, json_get_str(have, w->name), true);
    for (const struct json_node *h = have == NULL ? NULL : have->first; h != NULL && t->exact;
         h = h->next)
        if (json_get_str(want, h->name) == NULL)
            DIFFERS(t, want->line, "  details: %.*s is not expected", RF_FMT(h->name));
}

static bool same_time(rf_str a, rf_str b)
{
    rf_usec x, y;
    return lab_parse_time(a, &x) && lab_parse_time(b, &y) && x == y;
}

static bool same_text(rf_str name, const struct json_node *want, const struct json_node *have)
{
    if (have == NULL) return false;
    if (rf_str_is(name, "created") || rf_str_is(name, "first") || rf_str_is(name, "last"))
        return same_time(want->text, have->text);
    if (rf_str_is(name, "severity") || rf_str_is(name, "status") || rf_str_is(name, "rule"))
        return rf_str_eq_nocase(want->text, have->text);
    return rf_str_eq(want->text, have->text);
}

static void match_item(struct teller *t, const struct json_node *want, const struct json_node *have)
{
    bool before = t->exact;
    t->exact = json_bool_at(want, "exact", before);
    for (const struct json_node *m = want->first; m != NULL; m = m->next) {
        const struct json_node *h = json_get_str(have, m->name);
        if (rf_str_is(m->name, "exact")) continue;
        if (rf_str_is(m->name, "entities") && h != NULL)
            match_entities(t, m, h);
        else if (rf_str_is(m->name, "details") && h != NULL)
            match_details(t, m, h);
        else if (rf_str_is(m->name, "tactics") || rf_str_is(m->name, "techniques"))
            match_lists(t, m->name, m, h, t->exact);
        else if (!same_text(m->name, m, h))
            DIFFERS(t, m->line, "  %.*s: expected %.*s, got %.*s", RF_FMT(m->name),
                    RF_FMT(shown(t->arena, m)), RF_FMT(shown(t->arena, h)));
    }
    t->exact = before;
}

/* ---- lists of items ----------------------------------------------------------------------------------------------------- */

struct pairing {
    const struct json_node **want, **have;
    uint32_t *taken_by; /* of `have`: index + 1 of `want` */
    uint32_t want_count, have_count;
};

static uint32_t cost(const struct json_node *want, const struct json_node *have, bool exact,
                     struct rf_arena *arena)
{
    struct teller t = {.arena = arena, .exact = exact};
    match_item(&t, want, have);
    return t.count;
}

/* Gives `want` an item that fits it wholly; those that have one move when they can (Kuhn's augmenting paths: as many as
 * possible get one). `seen` marks items that this search has looked at, so that it goes no deeper than there are items. */
static bool give(struct pairing *p, uint32_t want, const bool *fits, bool *seen)
{
    for (uint32_t h = 0; h < p->have_count; h++) {
        if (!fits[(size_t)want * p->have_count + h] || seen[h]) continue;
        seen[h] = true;
        if (p->taken_by[h] != 0 && !give(p, p->taken_by[h] - 1, fits, seen)) continue;
        p->taken_by[h] = want + 1;
        return true;
    }
    return false;
}

static const struct json_node **list_nodes(const struct json_node *list, struct rf_arena *arena,
                                           uint32_t *count)
{
    uint32_t n = 0;
    *count = list == NULL ? 0 : list->count;
    const struct json_node **nodes = rf_arena_new(arena, const struct json_node *, *count);
    for (const struct json_node *i = list == NULL ? NULL : list->first; i != NULL && nodes != NULL;
         i = i->next)
        nodes[n++] = i;
    return nodes;
}

static void tell_missing(struct lab_result *result, struct rf_arena *arena, const char *what,
                         const struct json_node *want)
{
    rf_str title = json_text_at(want, "title");
    lab_message_add(result, arena, want->line, "%s '%.*s' is missing", what,
                    RF_FMT(title.len > 0 ? title : shown(arena, want)));
}

static void tell_unexpected(struct lab_result *result, struct rf_arena *arena, const char *what,
                            uint32_t line, const struct json_node *have)
{
    struct rf_buf text = rf_buf_in(arena);
    const struct json_node *entities = json_get(have, "entities");
    uint32_t n = 0;
    for (const struct json_node *e = entities == NULL ? NULL : entities->first; e != NULL && n < 4;
         e = e->next, n++) {
        rf_buf_str(&text, n == 0 ? RF_S(": ") : RF_S(", "));
        lab_put_entity(&text, e);
    }
    lab_message_add(result, arena, line, "%s '%.*s' (%.*s, at %.*s) is not expected%.*s", what,
                    RF_FMT(json_text_at(have, "title")), RF_FMT(json_text_at(have, "severity")),
                    RF_FMT(json_text_at(have, "created")),
                    (int)RF_MIN(text.len, (size_t)BYTES_SHOWN),
                    text.ptr == NULL ? "" : (const char *)text.ptr);
}

/* An item that nobody has yet and that differs least, less than half of what was asked for. */
static uint32_t nearest(const struct pairing *p, const struct json_node *want, bool exact,
                        struct rf_arena *arena)
{
    uint32_t best = UINT32_MAX, least = UINT32_MAX;
    for (uint32_t h = 0; h < p->have_count; h++) {
        if (p->taken_by[h] != 0) continue;
        uint32_t differs = cost(want, p->have[h], exact, arena);
        if (differs >= least) continue;
        least = differs;
        best = h;
    }
    bool alone = p->have_count == 1 && p->want_count == 1;
    return alone || (best != UINT32_MAX && least <= (want->count + 1) / 2) ? best : UINT32_MAX;
}

static void match_rest(struct pairing *p, const bool *given, const char *what, bool exact,
                       struct lab_result *result, struct rf_arena *arena)
{
    for (uint32_t w = 0; w < p->want_count; w++) {
        if (given[w]) continue;
        const struct json_node *want = p->want[w];
        uint32_t h = nearest(p, want, exact, arena);
        if (h == UINT32_MAX) {
            tell_missing(result, arena, what, want);
            continue;
        }
        struct teller t = {.out = result, .arena = arena, .exact = exact};
        p->taken_by[h] = w + 1;
        lab_message_add(result, arena, want->line, "%s %u of %u, '%.*s', differs:", what, h + 1,
                        p->have_count, RF_FMT(json_text_at(p->have[h], "title")));
        match_item(&t, want, p->have[h]);
    }
}

static void match_lists_of_items(const struct json_node *want, const struct json_node *have,
                                 const char *what, bool exact, bool others,
                                 struct lab_result *result, struct rf_arena *arena)
{
    struct pairing p = {.want = list_nodes(want, arena, &p.want_count)};
    p.have = list_nodes(have, arena, &p.have_count);
    if (p.want_count > ITEMS_MAX || p.have_count > ITEMS_MAX) {
        lab_message_add(result, arena, want->line, "%u %ss came; at most %d can be compared",
                        p.have_count, what, ITEMS_MAX);
        return;
    }
    p.taken_by = rf_arena_new(arena, uint32_t, p.have_count);
    bool *fits = rf_arena_new(arena, bool, (size_t)p.want_count *p.have_count);
    bool *given = rf_arena_new(arena, bool, p.want_count);
    bool *seen = rf_arena_new(arena, bool, p.have_count);
    if (p.want == NULL || p.have == NULL || p.taken_by == NULL || fits == NULL || given == NULL ||
        seen == NULL)
        return lab_message_add(result, arena, want->line, "no memory to compare");
    for (uint32_t w = 0; w < p.want_count; w++) {
        (void)lab_check_members(p.want[w], item_names, what, result, arena);
        for (uint32_t h = 0; h < p.have_count; h++)
            fits[(size_t)w * p.have_count + h] = cost(p.want[w], p.have[h], exact, arena) == 0;
    }
    for (uint32_t w = 0; w < p.want_count; w++) {
        memset(seen, 0, p.have_count * sizeof *seen);
        given[w] = give(&p, w, fits, seen);
    }
    match_rest(&p, given, what, exact, result, arena);
    for (uint32_t h = 0; h < p.have_count && !others; h++)
        if (p.taken_by[h] == 0 && result->message_count < PROBLEMS_SHOWN)
            tell_unexpected(result, arena, what, want->line, p.have[h]);
}

/* A list, or a count. */
static void match_all(const struct json_node *want, const struct json_node *have, const char *what,
                      const struct json_node *expect, struct lab_result *result,
                      struct rf_arena *arena)
{
    bool exact = json_bool_at(expect, "exact", false),
         others = json_bool_at(expect, "others", false);
    if (json_is(want, JSON_T_ARRAY) || json_is(want, JSON_T_NULL)) {
        match_lists_of_items(want, have, what, exact, others, result, arena);
        return;
    }
    rf_str count = rf_arena_printf(arena, "%u", have->count);
    if (json_is(want, JSON_T_NUMBER) && rf_str_eq(want->text, count)) return;
    lab_message_add(result, arena, want->line, "expected %.*s %ss, got %.*s",
                    RF_FMT(shown(arena, want)), what, RF_FMT(count));
    uint32_t told = 0;
    for (const struct json_node *h = have->first; h != NULL && told < 5; h = h->next, told++)
        lab_message_add(result, arena, want->line, "  there is '%.*s' (%.*s, at %.*s)",
                        RF_FMT(json_text_at(h, "title")), RF_FMT(json_text_at(h, "severity")),
                        RF_FMT(json_text_at(h, "created")));
}

/* ---- queries ------------------------------------------------------------------------------------------------------------ */

static void match_query(const struct json_node *q, struct lab_world *world,
                        struct lab_result *result, struct rf_arena *arena)
{
    static const char *const names[] = {"query", "rows", NULL};
    struct json_node *columns, *rows;
    struct rf_err err = {0};
    const struct json_node *want = json_get(q, "rows");
    if (!lab_check_members(q, names, "an entry of 'queries'", result, arena)) return;
    if (json_text_at(q, "query").len == 0 || want == NULL)
        return lab_message_add(result, arena, q->line,
                               "an entry of 'queries' has a query and rows");
    if (lab_world_ask(world, json_text_at(q, "query"), arena, &columns, &rows, &err) != RF_OK)
        return lab_message_add(result, arena, q->line, "the query cannot be run: %s", err.text);
    if (json_is(want, JSON_T_NUMBER)) {
        rf_str count = rf_arena_printf(arena, "%u", rows->count);
        if (!rf_str_eq(count, want->text))
            lab_message_add(result, arena, want->line, "the query gives %.*s rows, not %.*s",
                            RF_FMT(count), RF_FMT(want->text));
        return;
    }
    if (json_equal(want, rows)) return;
    lab_message_add(result, arena, want->line,
                    "the query gives other rows: expected %.*s, got %.*s",
                    RF_FMT(shown(arena, want)), RF_FMT(shown(arena, rows)));
}

void lab_match(const struct json_node *expect, uint32_t line, struct lab_world *world,
               struct lab_result *result, struct rf_arena *arena)
{
    const struct json_node *incidents = json_get(expect, "incidents");
    const struct json_node *alerts = json_get(expect, "alerts"),
                           *queries = json_get(expect, "queries");
    static const struct json_node nothing = {.type = JSON_T_ARRAY};
    if (!json_is(expect, JSON_T_OBJECT) || expect->count == 0)
        return lab_message_add(result, arena, line,
                               "'expect' has incidents, alerts, queries, or none: true");
    if (!lab_check_members(expect, expect_names, "'expect'", result, arena)) return;
    if (json_bool_at(expect, "none", false)) {
        struct json_node none = nothing;
        none.line = line;
        const struct json_node *made = json_get(result->outcome, "incidents");
        if (made->count == 0) made = json_get(result->outcome, "alerts");
        match_all(&none, made,
                  made->count == 0 || json_get(made->first, "incident") == NULL ? "incident"
                                                                                : "alert",
                  NULL, result, arena);
    }
    if (incidents != NULL)
        match_all(incidents, json_get(result->outcome, "incidents"), "incident", expect, result,
                  arena);
    if (alerts != NULL)
        match_all(alerts, json_get(result->outcome, "alerts"), "alert", expect, result, arena);
    for (const struct json_node *q = queries == NULL ? NULL : queries->first; q != NULL;
         q = q->next)
        match_query(q, world, result, arena);
}
