/* Compiling: rules to trees of shared atoms. */
#include "sigma/match_int.h"

/* ---- fields and atoms -------------------------------------------------------------------------------------------- */

struct compiler {
    struct matcher *matcher;
    struct rf_arena *arena;
    struct event_names names; /* of fields */
    struct event_names keys;  /* of atoms: what makes two the same */
    struct rf_err *err;
};

static uint32_t add_name(struct event_names *names, rf_str name)
{
    uint32_t mask = names->slot_count - 1, at = (uint32_t)rf_hash(name.ptr, name.len, 0) & mask;
    while (names->slots[at] != 0 && !rf_str_eq(names->names[names->slots[at] - 1], name))
        at = (at + 1) & mask;
    if (names->slots[at] == 0) {
        RF_ASSERT(names->count < names->cap);
        names->names[names->count] = name;
        names->slots[at] = ++names->count;
    }
    return names->slots[at] - 1;
}

uint32_t matcher_slot(struct matcher *m, rf_str field)
{
    for (uint32_t i = 0; i < m->field_count; i++)
        if (rf_str_eq(m->fields[i], field)) return i;
    if (m->field_count == m->field_cap) {
        uint32_t cap = m->field_cap + 64;
        rf_str *grown =
            rf_arena_grow(m->arena, m->fields, m->field_cap * sizeof *grown, cap * sizeof *grown);
        if (grown == NULL) return UINT32_MAX;
        m->fields = grown;
        m->field_cap = cap;
    }
    m->fields[m->field_count] = field;
    return m->field_count++;
}

const rf_str *matcher_fields(const struct matcher *matcher, uint32_t *count)
{
    *count = matcher->field_count;
    return matcher->fields;
}

bool matcher_sees(const struct matcher *matcher, uint32_t rule)
{
    return rule < matcher->rule_count && matcher->rules[rule].condition != NULL;
}

static void put_part(struct rf_buf *buf, rf_str text)
{
    rf_buf_printf(buf, "%zu:", text.len);
    rf_buf_str(buf, text);
}

static bool atom_key(const struct sigma_atom *a, struct rf_arena *arena, rf_str *out)
{
    struct rf_buf buf = rf_buf_in(arena);
    rf_buf_printf(&buf, "%d %d %d %d %d ", (int)a->test, (int)a->part, (int)a->anchor, a->cased,
                  a->pattern.cased);
    put_part(&buf, a->field);
    if (a->test != SIGMA_MATCHES) put_part(&buf, a->text);
    for (uint32_t i = 0; i < a->pattern.count; i++) {
        rf_buf_printf(&buf, "%d", (int)a->pattern.pieces[i].kind);
        put_part(&buf, a->pattern.pieces[i].text);
    }
    *out = rf_buf_view(&buf);
    return !buf.failed;
}

static enum rf_kind make_atom(struct compiler *c, const struct sigma_atom *a, uint32_t number)
{
    struct matcher *m = c->matcher;
    struct match_atom *atom = &m->atoms[number];
    *atom = (struct match_atom){.atom = a, .slot = MATCH_NO_SLOT, .scratch = MATCH_NO_SLOT};
    if (a->field.len > 0) atom->slot = add_name(&c->names, a->field);
    if (a->test == SIGMA_FIELD) atom->other = add_name(&c->names, a->text);
    if (a->test == SIGMA_MATCHES) {
        RF_TRY(pattern_compile(&a->pattern, c->arena, &atom->pattern, c->err));
        if (pattern_needs_scratch(&atom->pattern)) atom->scratch = m->scratch_count++;
    }
    if (a->test == SIGMA_REGEX) atom->scratch = m->scratch_count++;
    struct ip6 ip;
    if (a->test == SIGMA_CIDR && ip6_parse(a->text, &ip))
        atom->network = ip6_network(&ip, ip.prefix);
    match_atom_needed(atom);
    return RF_OK;
}

static enum rf_kind intern_atom(struct compiler *c, const struct sigma_atom *a, uint32_t *out)
{
    rf_str key;
    if (!atom_key(a, c->arena, &key)) return rf_fail_memory(c->err, c->arena);
    uint32_t before = c->keys.count;
    *out = add_name(&c->keys, key);
    return c->keys.count == before ? RF_OK : make_atom(c, a, *out);
}

/* The depth of conditions is bounded, so the recursion is. */
static enum rf_kind make_node(struct compiler *c, const struct sigma_node *node,
                              struct match_node **out)
{
    struct match_node *n = rf_arena_new(c->arena, struct match_node, 1), **end;
    if (n == NULL) return rf_fail_memory(c->err, c->arena);
    n->op = node->op;
    end = &n->first;
    if (node->op == SIGMA_ATOM) RF_TRY(intern_atom(c, node->atom, &n->atom));
    for (const struct sigma_node *child = node->first; child != NULL; child = child->next) {
        RF_TRY(make_node(c, child, end));
        end = &(*end)->next;
    }
    *out = n;
    return RF_OK;
}

static void count_node(const struct sigma_node *node, uint32_t *atoms)
{
    *atoms += node->op == SIGMA_ATOM;
    for (const struct sigma_node *child = node->first; child != NULL; child = child->next)
        count_node(child, atoms);
}

static enum rf_kind make_rules(struct compiler *c, const struct sigma_set *set)
{
    struct matcher *m = c->matcher;
    for (uint32_t i = 0; i < set->rule_count; i++) {
        const struct sigma_rule *rule = set->rules[i];
        m->rules[i].rule = rule;
        if (rule->condition == NULL ||
            !layout_sees(m->layout, &rule->logsource, &m->rules[i].bounds, NULL))
            continue;
        RF_TRY(make_node(c, rule->condition, &m->rules[i].condition));
    }
    return RF_OK;
}

enum rf_kind matcher_new(const struct sigma_set *set, const struct layout *layout,
                         struct rf_arena *arena, struct matcher **out, struct rf_err *err)
{
    struct matcher *m = rf_arena_new(arena, struct matcher, 1);
    struct compiler c = {.matcher = m, .arena = arena, .err = err};
    uint32_t atoms = 0;
    if (m == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < set->rule_count; i++)
        if (set->rules[i]->condition != NULL) count_node(set->rules[i]->condition, &atoms);
    *m = (struct matcher){.layout = layout,
                          .arena = arena,
                          .atoms = rf_arena_new(arena, struct match_atom, atoms),
                          .rules = rf_arena_new(arena, struct match_rule, set->rule_count),
                          .rule_count = set->rule_count};
    if (m->atoms == NULL || m->rules == NULL ||
        !event_names_init(&c.names, 2 * atoms + LAYOUT_KEYS_MAX, arena) ||
        !event_names_init(&c.keys, atoms, arena))
        return rf_fail_memory(err, arena);
    while (m->key_count < LAYOUT_KEYS_MAX && layout->keys[m->key_count] != NULL)
        (void)add_name(&c.names, rf_str_of(layout->keys[m->key_count++]));
    RF_TRY(make_rules(&c, set));
    m->atom_count = c.keys.count;
    m->fields = c.names.names;
    m->field_count = c.names.count;
    m->field_cap = c.names.cap;
    *out = m;
    return RF_OK;
}
