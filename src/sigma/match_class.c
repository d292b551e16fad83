/* Classes of events: what their key fields settle, and the literals of the rules that are left. */
#include "sigma/match_int.h"

enum { CLASS_BYTES_MAX = 1 << 30 };

/* ---- settling ------------------------------------------------------------------------------------------------------ */

enum settled { SETTLED_FALSE, SETTLED_TRUE, SETTLED_OPEN };

static struct match_node *new_node(struct match_run *run, const struct match_node *like)
{
    struct match_node *node = rf_arena_new(&run->class_arena, struct match_node, 1);
    if (node != NULL) *node = (struct match_node){.op = like->op, .atom = like->atom};
    return node;
}

/* What is left of a node; *failed on lack of memory. The depth of conditions is bounded, so the recursion is. */
static enum settled settle(struct match_run *run, const struct match_node *node,
                           struct match_node **rest, bool *failed)
{
    const struct matcher *m = run->matcher;
    struct match_node *left = NULL, **end = &left;
    if (node->op == SIGMA_ATOM) {
        const struct match_atom *a = &m->atoms[node->atom];
        bool key = a->slot < m->key_count;
        if (a->atom->test == SIGMA_FIELD) key = key && a->other < m->key_count;
        if (key) return match_atom_holds(run, node->atom) ? SETTLED_TRUE : SETTLED_FALSE;
        *rest = new_node(run, node);
        *failed = *failed || *rest == NULL;
        return SETTLED_OPEN;
    }
    enum settled decisive = node->op == SIGMA_AND ? SETTLED_FALSE : SETTLED_TRUE;
    for (const struct match_node *child = node->first; child != NULL; child = child->next) {
        struct match_node *part = NULL;
        enum settled s = settle(run, child, &part, failed);
        if (*failed) return SETTLED_OPEN;
        if (node->op == SIGMA_NOT && s != SETTLED_OPEN)
            return s == SETTLED_TRUE ? SETTLED_FALSE : SETTLED_TRUE;
        if (node->op != SIGMA_NOT && s == decisive) return decisive;
        if (s != SETTLED_OPEN) continue;
        *end = part;
        end = &part->next;
    }
    if (left == NULL) return decisive == SETTLED_FALSE ? SETTLED_TRUE : SETTLED_FALSE;
    if (left->next == NULL && node->op != SIGMA_NOT) {
        *rest = left;
        return SETTLED_OPEN;
    }
    *rest = new_node(run, node);
    *failed = *failed || *rest == NULL;
    if (!*failed) (*rest)->first = left;
    return SETTLED_OPEN;
}

static bool in_bounds(const struct match_class *c, const struct layout_bounds *bounds,
                      uint32_t key_count)
{
    for (uint32_t b = 0; b < bounds->count; b++)
        for (uint32_t k = 0; k < key_count; k++) {
            const char *list = bounds->items[b]->keys[k];
            if (list != NULL && (c->kinds[k] != VALUE_TEXT || !layout_has_value(list, c->keys[k])))
                return false;
        }
    return true;
}

static bool settle_rules(struct match_run *run, struct match_class *c)
{
    const struct matcher *m = run->matcher;
    bool failed = false;
    c->rules = rf_arena_new(&run->class_arena, struct class_rule, m->rule_count);
    if (c->rules == NULL) return false;
    for (uint32_t i = 0; i < m->rule_count && !failed; i++) {
        const struct match_rule *rule = &m->rules[i];
        if (rule->condition == NULL || !in_bounds(c, &rule->bounds, m->key_count)) continue;
        struct class_rule *left = &c->rules[c->rule_count];
        *left = (struct class_rule){.number = i};
        if (settle(run, rule->condition, &left->rest, &failed) != SETTLED_FALSE) c->rule_count++;
    }
    return !failed;
}

/* ---- literals ------------------------------------------------------------------------------------------------------------ */

struct builders {
    struct match_run *run;
    struct match_class *class;
    struct literal_builder *items;
    uint32_t *slots, count;
};

static struct literal_builder *builder_of(struct builders *b, uint32_t slot)
{
    for (uint32_t i = 0; i < b->count; i++)
        if (b->slots[i] == slot) return &b->items[i];
    b->slots[b->count] = slot;
    literal_builder_init(&b->items[b->count], &b->run->class_arena);
    return &b->items[b->count++];
}

static bool add_rule(struct builders *b, uint32_t index)
{
    struct match_class *c = b->class;
    struct needed_set needed = {.first = NULL};
    const struct match_node *rest = c->rules[index].rest;
    if (rest != NULL && !match_needed(b->run->matcher, rest, &b->run->class_arena, &needed))
        return false;
    if (needed.first == NULL) c->always[c->always_count++] = index;
    for (const struct needed *n = needed.first; n != NULL; n = n->next)
        literal_builder_add(builder_of(b, n->slot), n->text,
                            n->nocase ? LITERAL_NOCASE : LITERAL_CASE, index);
    return true;
}

static enum rf_kind build_literals(struct match_run *run, struct match_class *c, struct rf_err *err)
{
    struct rf_arena *arena = &run->class_arena;
    uint32_t slots = run->matcher->field_count + 1;
    struct builders b = {.run = run,
                         .class = c,
                         .items = rf_arena_new(arena, struct literal_builder, slots),
                         .slots = rf_arena_new(arena, uint32_t, slots)};
    c->always = rf_arena_new(arena, uint32_t, c->rule_count);
    c->seen = rf_arena_new(arena, uint64_t, c->rule_count);
    if (b.items == NULL || b.slots == NULL || c->always == NULL || c->seen == NULL)
        return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < c->rule_count; i++)
        if (!add_rule(&b, i)) return rf_fail_memory(err, arena);
    c->fields = rf_arena_new(arena, struct class_field, b.count);
    if (c->fields == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < b.count; i++) {
        struct class_field *field = &c->fields[c->field_count++];
        field->slot = b.slots[i];
        /* Keywords are looked for in the line as it stands, unless it writes common letters as escapes. */
        if (field->slot == MATCH_NO_SLOT)
            literal_builder_add(&b.items[i], RF_S("\\u00"), LITERAL_CASE, c->rule_count);
        RF_TRY(literal_set_build(&b.items[i], &field->set, err));
        RF_TRY(literal_hits_init(&field->hits, field->set, arena, err));
    }
    return RF_OK;
}

/* ---- finding ------------------------------------------------------------------------------------------------------------ */

static uint64_t hash_keys(const struct match_class *c, uint32_t count)
{
    uint64_t hash = 0;
    for (uint32_t k = 0; k < count; k++)
        hash = rf_hash_mix(hash, rf_hash(c->keys[k].ptr, c->keys[k].len, (uint64_t)c->kinds[k]));
    return hash;
}

static bool same_keys(const struct match_class *a, const struct match_class *b, uint32_t count)
{
    for (uint32_t k = 0; k < count; k++)
        if (a->kinds[k] != b->kinds[k] || !rf_str_eq(a->keys[k], b->keys[k])) return false;
    return true;
}

static enum rf_kind make_class(struct match_run *run, const struct match_class *like,
                               struct match_class **out, struct rf_err *err)
{
    struct match_class *c = rf_arena_new(&run->class_arena, struct match_class, 1);
    if (c == NULL) return rf_fail_memory(err, &run->class_arena);
    *c = *like;
    for (uint32_t k = 0; k < run->matcher->key_count; k++)
        if (!rf_arena_str(&run->class_arena, like->keys[k], &c->keys[k]))
            return rf_fail_memory(err, &run->class_arena);
    if (!settle_rules(run, c)) return rf_fail_memory(err, &run->class_arena);
    RF_TRY(build_literals(run, c, err));
    run->stats.classes++;
    *out = c;
    return RF_OK;
}

/* Keys that are ever new would fill the memory with classes. */
static void forget_classes(struct match_run *run)
{
    rf_arena_reset(&run->class_arena);
    memset(run->classes, 0, run->class_cap * sizeof(struct match_class *));
    run->class_count = 0;
}

/* A key that is a list: events with other lists are of other classes. */
static bool join_values(struct match_run *run, const struct sigma_value *value, rf_str *out)
{
    struct rf_buf buf = rf_buf_in(&run->reader->scratch);
    for (; value != NULL; value = value->more) {
        rf_buf_str(&buf, value->text);
        rf_buf_byte(&buf, value->more == NULL ? '.' : ',');
    }
    *out = rf_buf_view(&buf);
    return !buf.failed;
}

enum rf_kind match_class_find(struct match_run *run, struct match_class **out, struct rf_err *err)
{
    struct match_class key = {.hash = 0};
    uint32_t count = run->matcher->key_count;
    for (uint32_t k = 0; k < count; k++) {
        const struct sigma_value *value = event_value(run->reader, k);
        key.kinds[k] = value->kind;
        key.keys[k] = value->text;
        if (RF_UNLIKELY(value->more != NULL) && !join_values(run, value, &key.keys[k]))
            return rf_fail_memory(err, &run->reader->scratch);
    }
    key.hash = hash_keys(&key, count);
    uint32_t mask = run->class_cap - 1, at = (uint32_t)key.hash & mask;
    for (; run->classes[at] != NULL; at = (at + 1) & mask)
        if (run->classes[at]->hash == key.hash && same_keys(run->classes[at], &key, count)) {
            *out = run->classes[at];
            return RF_OK;
        }
    if (run->class_count == MATCH_CLASSES_MAX ||
        run->class_arena.own.used_bytes > CLASS_BYTES_MAX / 2) {
        forget_classes(run);
        at = (uint32_t)key.hash & mask;
    }
    RF_TRY(make_class(run, &key, out, err));
    run->classes[at] = *out;
    run->class_count++;
    return RF_OK;
}
