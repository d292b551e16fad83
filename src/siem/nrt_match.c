#include "siem/nrt_match.h"

#include <stdlib.h>

#include "base/literal_set.h"
#include "base/log.h"
#include "kql/ast.h"

enum { SEEN_SLOTS = 1024, MATCHER_BYTES_MAX = 256 << 20, LOOK_BYTES_MAX = 64 << 20 };

struct nrt_matcher {
    struct rf_arena arena;
    const struct literal_set *set;
    struct literal_hits hits;
    bool *always; /* by rule */
    bool all;     /* every rule is a candidate of the last look */
    rf_str *columns;
    uint32_t column_count, rule_count;
    uint32_t table_columns;  /* when literals were found; 0: of no rule */
    rf_str seen[SEEN_SLOTS]; /* texts of this batch that were looked at, by hash */
};

/* ---- making ------------------------------------------------------------------------------------------------------- */

/* A rule that also alerts when there is no row, or none of whose literals are known, always runs. */
static bool has_literals(const struct engine_rule *rule)
{
    return rule->literals.count > 0 && !rule_triggers(&rule->rule, 0);
}

static void add_column(struct nrt_matcher *m, rf_str name)
{
    for (uint32_t i = 0; i < m->column_count; i++)
        if (rf_str_eq(m->columns[i], name)) return;
    m->columns[m->column_count++] = name;
}

static bool add_rule(struct nrt_matcher *m, struct literal_builder *builder,
                     const struct row_literals *literals, uint32_t number)
{
    for (uint32_t i = 0; i < literals->count; i++)
        literal_builder_add(builder, literals->items[i].text,
                            literals->items[i].nocase ? LITERAL_NOCASE : LITERAL_CASE, number);
    for (uint32_t i = 0; i < literals->column_count; i++) {
        rf_str name;
        if (!rf_arena_str(&m->arena, literals->columns[i], &name)) return false;
        add_column(m, name);
    }
    return true;
}

static enum rf_kind fill(struct nrt_matcher *m, struct engine_rule *const *rules, uint32_t count,
                         struct rf_err *err)
{
    struct literal_builder builder;
    size_t columns = 0;
    literal_builder_init(&builder, &m->arena);
    for (uint32_t i = 0; i < count; i++) columns += rules[i]->literals.column_count;
    m->rule_count = count;
    m->always = rf_arena_new(&m->arena, bool, count);
    m->columns = rf_arena_new(&m->arena, rf_str, columns);
    if (m->always == NULL || m->columns == NULL) return rf_fail_memory(err, &m->arena);
    for (uint32_t i = 0; i < count; i++) {
        const struct row_literals *literals = &rules[i]->literals;
        uint32_t had = m->table_columns == 0 ? literals->table_columns : m->table_columns;
        m->always[i] = !has_literals(rules[i]) || literals->table_columns != had;
        if (m->always[i]) continue;
        m->table_columns = had;
        if (!add_rule(m, &builder, literals, i)) return rf_fail_memory(err, &m->arena);
    }
    RF_TRY(literal_set_build(&builder, &m->set, err));
    return literal_hits_init(&m->hits, m->set, &m->arena, err);
}

enum rf_kind nrt_matcher_new(struct engine_rule *const *rules, uint32_t count,
                             struct nrt_matcher **out, struct rf_err *err)
{
    struct nrt_matcher *m = calloc(1, sizeof *m);
    if (m == NULL)
        return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory for rules' literals");
    rf_arena_init(&m->arena, MATCHER_BYTES_MAX);
    enum rf_kind kind = fill(m, rules, count, err);
    if (kind != RF_OK) {
        nrt_matcher_free(m);
        return kind;
    }
    *out = m;
    return RF_OK;
}

void nrt_matcher_free(struct nrt_matcher *matcher)
{
    if (matcher == NULL) return;
    rf_arena_done(&matcher->arena);
    free(matcher);
}

/* ---- looking ------------------------------------------------------------------------------------------------------ */

struct look_flow {
    struct flow flow;
    struct nrt_matcher *matcher;
};

/* Columns repeat their texts: each is looked at once a batch, as far as slots go. Compared, not only hashed: who sends rows
 * could find texts of one hash. */
static bool was_seen(struct nrt_matcher *m, rf_str text)
{
    rf_str *slot = &m->seen[rf_hash(text.ptr, text.len, 0) % SEEN_SLOTS];
    if (slot->ptr != NULL && rf_str_eq(*slot, text)) return true;
    *slot = text;
    return false;
}

static void look_at_text(struct nrt_matcher *m, rf_str text)
{
    if (text.len > 0 && !was_seen(m, text)) literal_set_find(m->set, text, &m->hits);
}

static void look_at_number(struct nrt_matcher *m, int64_t number)
{
    uint8_t raw[ROW_NUMBER_BYTES];
    literal_set_find(m->set, row_literal_number(number, raw), &m->hits);
}

static void look_at_column(struct nrt_matcher *m, const struct vec *v, uint32_t rows)
{
    int64_t last = 0;
    bool any = false;
    for (uint32_t row = 0; row < rows; row++) {
        if (vec_null(v, row)) continue;
        if (v->type == TYPE_STRING) {
            look_at_text(m, vec_str(v, row));
        } else if (!any || vec_i64(v, row) != last) {
            last = vec_i64(v, row);
            any = true;
            look_at_number(m, last);
        }
    }
}

static enum rf_kind look_push(struct flow *flow, uint32_t lane, const struct batch *batch,
                              struct rf_err *err)
{
    struct nrt_matcher *m = ((struct look_flow *)flow)->matcher;
    (void)lane, (void)err;
    memset(m->seen, 0, sizeof m->seen); /* the texts of the last batch are gone */
    for (uint32_t c = 0; c < batch->column_count; c++)
        look_at_column(m, &batch->columns[c], batch->row_count);
    return RF_OK;
}

/* The places of the columns in the source; false: they are not all there, as texts or whole numbers. */
static bool find_columns(const struct nrt_matcher *m, const struct source *source, uint32_t *places)
{
    for (uint32_t i = 0; i < m->column_count; i++) {
        uint32_t at = 0;
        while (at < source->column_count && !rf_str_eq(source->columns[at].name, m->columns[i]))
            at++;
        if (at == source->column_count) return false;
        enum type type = (enum type)source->columns[at].type;
        if (type != TYPE_STRING && type != TYPE_INT && type != TYPE_LONG) return false;
        places[i] = at;
    }
    return true;
}

static enum rf_kind scan_all(struct nrt_matcher *m, struct source *source, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct rf_budget budget;
    struct look_flow flow = {.flow = {.push = look_push}, .matcher = m};
    rf_budget_init(&budget, LOOK_BYTES_MAX);
    rf_arena_init_shared(&arena, &budget);
    struct exec exec = {.budget = &budget,
                        .arena = &arena,
                        .lane_count = 1,
                        .worker_count = 1,
                        .batch_rows = BATCH_ROWS};
    uint32_t *places = rf_arena_new(&arena, uint32_t, m->column_count);
    if (places == NULL) return rf_fail_memory(err, &arena);
    if (source->column_count != m->table_columns || !find_columns(m, source, places)) {
        m->all = true;
        return RF_OK;
    }
    struct scan scan = {.columns = places, .column_count = m->column_count, .limit = UINT64_MAX};
    return source->ops->scan(source, &scan, &exec, &flow.flow, err);
}

void nrt_matcher_look(struct nrt_matcher *matcher, struct source *source)
{
    struct rf_err err = {0};
    matcher->all = false;
    literal_hits_reset(&matcher->hits);
    if (matcher->column_count == 0) return; /* no rule has literals */
    if (scan_all(matcher, source, &err) == RF_OK) return;
    matcher->all = true;
    rf_log(RF_WARN, "siem.rows_not_matched", RF_KV_STR("error", rf_str_of(err.text)));
}

bool nrt_matcher_is_candidate(const struct nrt_matcher *matcher, uint32_t rule)
{
    RF_ASSERT(rule < matcher->rule_count);
    return matcher->all || matcher->always[rule] || literal_hits_has(&matcher->hits, rule);
}
