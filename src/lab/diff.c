/* diff.c - what two versions of rules make of the same recordings. */
#include "lab/coverage.h"

struct item {
    const struct json_node *node;
    const char *kind;
    bool taken;
};
struct items {
    struct item *list;
    uint32_t count;
};

static bool gather(const struct json_node *outcome, struct rf_arena *arena, struct items *out)
{
    const struct json_node *incidents = json_get(outcome, "incidents");
    const struct json_node *alerts = json_get(outcome, "alerts");
    uint32_t room =
        (incidents == NULL ? 0 : incidents->count) + (alerts == NULL ? 0 : alerts->count);
    *out = (struct items){.list = rf_arena_new(arena, struct item, room)};
    if (out->list == NULL) return false;
    for (const struct json_node *n = incidents == NULL ? NULL : incidents->first; n != NULL;
         n = n->next)
        out->list[out->count++] = (struct item){.node = n, .kind = "incident"};
    for (const struct json_node *n = alerts == NULL ? NULL : alerts->first; n != NULL; n = n->next)
        if (rf_str_is(json_get(n, "incident")->text, "0"))
            out->list[out->count++] = (struct item){.node = n, .kind = "alert"};
    return true;
}

static bool same(const struct json_node *a, const struct json_node *b, const char *name)
{
    const struct json_node *x = json_get(a, name), *y = json_get(b, name);
    return x == y || (x != NULL && y != NULL && json_equal(x, y));
}

/* By what two items are one, from the surest on. */
enum { PASS_EQUAL, PASS_ENTITIES, PASS_TIME, PASS_RULE_ENTITIES, PASS_COUNT };

static bool alike(const struct item *a, const struct item *b, int pass)
{
    if (a->kind != b->kind || !same(a->node, b->node, "rule")) return false;
    switch (pass) {
    case PASS_EQUAL:
        return json_equal(a->node, b->node);
    case PASS_ENTITIES:
        return same(a->node, b->node, "title") && same(a->node, b->node, "entities");
    case PASS_TIME:
        return same(a->node, b->node, "title") && same(a->node, b->node, "created");
    default:
        return same(a->node, b->node, "entities");
    }
}

static struct json_node *put_change(struct rf_arena *arena, struct json_node *out,
                                    const char *change, const struct item *item)
{
    struct json_node *made = json_new(arena, JSON_T_OBJECT);
    json_set_text(arena, made, "change", rf_str_of(change));
    json_set_text(arena, made, "kind", rf_str_of(item->kind));
    json_set(arena, made, RF_S("item"), json_clone(arena, item->node));
    return json_append(out, made);
}

static bool put_fields(struct rf_arena *arena, struct json_node *change,
                       const struct json_node *old, const struct json_node *new)
{
    struct json_node *fields =
        json_set(arena, change, RF_S("fields"), json_new(arena, JSON_T_ARRAY));
    for (const struct json_node *m = new->first; m != NULL; m = m->next) {
        const struct json_node *before = json_get_str(old, m->name);
        if (rf_str_is(m->name, "incident") || (before != NULL && json_equal(before, m))) continue;
        struct json_node *field = json_new(arena, JSON_T_OBJECT);
        json_set_text(arena, field, "name", m->name);
        json_set(arena, field, RF_S("old"),
                 before == NULL ? json_new(arena, JSON_T_NULL) : json_clone(arena, before));
        json_set(arena, field, RF_S("new"), json_clone(arena, m));
        if (json_append(fields, field) == NULL) return false;
    }
    return fields != NULL;
}

static bool pair_up(struct rf_arena *arena, struct items *old, struct items *new, int pass,
                    struct json_node *out)
{
    for (uint32_t o = 0; o < old->count; o++)
        for (uint32_t n = 0; n < new->count && !old->list[o].taken; n++) {
            if (new->list[n].taken || !alike(&old->list[o], &new->list[n], pass)) continue;
            old->list[o].taken = new->list[n].taken = true;
            if (pass == PASS_EQUAL) continue;
            struct json_node *change = put_change(arena, out, "changed", &new->list[n]);
            if (change == NULL || !put_fields(arena, change, old->list[o].node, new->list[n].node))
                return false;
            if (json_get(change, "fields")->count == 0)
                json_set_text(arena, change, "change", RF_S("same"));
        }
    return true;
}

enum rf_kind lab_diff(const struct json_node *old, const struct json_node *new,
                      struct rf_arena *arena, struct json_node **out, struct rf_err *err)
{
    struct items before, after;
    struct json_node *all = json_new(arena, JSON_T_ARRAY), *kept = json_new(arena, JSON_T_ARRAY);
    bool fits = kept != NULL && gather(old, arena, &before) && gather(new, arena, &after);
    for (int pass = 0; pass < PASS_COUNT && fits; pass++)
        fits = pair_up(arena, &before, &after, pass, all);
    if (!fits) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < before.count && fits; i++)
        if (!before.list[i].taken)
            fits = put_change(arena, all, "removed", &before.list[i]) != NULL;
    for (uint32_t i = 0; i < after.count && fits; i++)
        if (!after.list[i].taken) fits = put_change(arena, all, "added", &after.list[i]) != NULL;
    if (!fits) return rf_fail_memory(err, arena);
    for (struct json_node *c = all->first, *next; c != NULL; c = next) {
        next = c->next; /* a change that is none: only the number of the incident differs */
        c->next = NULL;
        if (!rf_str_is(json_text_at(c, "change"), "same")) json_append(kept, c);
    }
    *out = kept;
    return RF_OK;
}
