/* What the tests of a query allow to leave out. A filter may let rows pass that fail their test, never the other
 * way round: where a test cannot be judged (other types, null values), it says nothing. */
#include "base/term.h"
#include "store/block_int.h"
#include "store/extent_int.h"
#include "store/term_index.h"

#include <math.h>
#include <stdlib.h>

enum { FOLDED_VALUES_MAX = 64, TERMS_MAX = 1024 };

/* ---- numbers -------------------------------------------------------------------------------------------------- */

/* int and long compare with each other; everything else with its own type only. */
static bool same_numbers(enum type column, const struct value *v)
{
    if (v->null || !type_is_i64((enum type)v->type)) return false;
    bool whole = column == TYPE_INT || column == TYPE_LONG,
         value_whole = v->type == TYPE_INT || v->type == TYPE_LONG;
    return column == (enum type)v->type || (whole && value_whole);
}

static void i64_range(struct extent_filter *f, enum type type, const struct extent_test *test)
{
    bool low = same_numbers(type, &test->low), high = same_numbers(type, &test->high);
    if (!low && !high) return;
    f->kind = FILTER_I64;
    f->low = low ? test->low.i : INT64_MIN;
    f->high = high ? test->high.i : INT64_MAX;
}

/* From the least of the values to the greatest. */
static void i64_equals(struct extent_filter *f, enum type type, const struct extent_test *test)
{
    int64_t low = INT64_MAX, high = INT64_MIN;
    for (uint32_t i = 0; i < test->value_count; i++) {
        if (!same_numbers(type, &test->values[i])) return;
        low = RF_MIN(low, test->values[i].i);
        high = RF_MAX(high, test->values[i].i);
    }
    f->kind = FILTER_I64;
    f->low = low;
    f->high = high;
}

static bool real_of(const struct value *v, double *out)
{
    if (v->null || v->type != TYPE_REAL || isnan(v->r)) return false;
    *out = v->r;
    return true;
}

static void real_filter(struct extent_filter *f, const struct extent_test *test)
{
    double low = -(double)INFINITY, high = (double)INFINITY, x;
    if (test->kind == EXTENT_RANGE) {
        bool any = real_of(&test->low, &low);
        any |= real_of(&test->high, &high);
        if (!any) return;
    } else {
        low = (double)INFINITY;
        high = -low;
        for (uint32_t i = 0; i < test->value_count; i++) {
            if (!real_of(&test->values[i], &x)) return;
            low = RF_MIN(low, x);
            high = RF_MAX(high, x);
        }
    }
    f->kind = FILTER_REAL;
    f->real_low = low;
    f->real_high = high;
}

/* ---- texts by their first bytes --------------------------------------------------------------------------------- */

static bool text_of(const struct value *v, rf_str *out)
{
    if (v->null || v->type != TYPE_STRING) return false;
    *out = v->s;
    return true;
}

static void text_filter(struct extent_filter *f, const struct extent_test *test)
{
    rf_str text;
    if (test->kind == EXTENT_RANGE) {
        f->has_low = text_of(&test->low, &text);
        if (f->has_low) extent_text_head(text, f->text_low);
        f->has_high = text_of(&test->high, &text);
        if (f->has_high) extent_text_head(text, f->text_high);
        if (f->has_low || f->has_high) f->kind = FILTER_TEXT;
        return;
    }
    if (test->kind != EXTENT_EQUALS || test->fold || test->value_count == 0) return;
    for (uint32_t i = 0; i < test->value_count; i++) {
        uint8_t head[16];
        if (!text_of(&test->values[i], &text)) return;
        extent_text_head(text, head);
        if (i == 0 || memcmp(head, f->text_low, 16) < 0) memcpy(f->text_low, head, 16);
        if (i == 0 || memcmp(head, f->text_high, 16) > 0) memcpy(f->text_high, head, 16);
    }
    f->has_low = f->has_high = true;
    f->kind = FILTER_TEXT;
}

/* ---- texts by their dictionary ----------------------------------------------------------------------------------- */

/* A test made ready for texts, one after the other. */
struct text_test {
    const struct extent_test *test;
    rf_str *sorted;              /* EQUALS, exact: the values in order */
    struct term_finder *finders; /* TERMS*: of each term; CONTAINS: one */
    uint32_t finder_count;
};

static int text_order(const void *a, const void *b)
{
    return rf_str_cmp(*(const rf_str *)a, *(const rf_str *)b);
}

/* False with *err unset: the test says nothing. */
static enum rf_kind text_test_make(const struct extent_test *test, struct rf_arena *arena,
                                   struct text_test *out, bool *usable, struct rf_err *err)
{
    *out = (struct text_test){.test = test};
    *usable = true;
    bool fold = test->fold, terms = test->kind == EXTENT_TERMS || test->kind == EXTENT_TERMS_ANY;
    if (test->kind == EXTENT_EQUALS) {
        *usable = !fold || test->value_count <= FOLDED_VALUES_MAX;
        out->sorted = rf_arena_raw(arena, rf_str, test->value_count);
        if (out->sorted == NULL) return rf_fail_memory(err, arena);
        for (uint32_t i = 0; i < test->value_count && *usable; i++)
            *usable = text_of(&test->values[i], &out->sorted[i]);
        if (*usable && test->value_count > 0)
            qsort(out->sorted, test->value_count, sizeof *out->sorted, text_order);
    } else if (terms || test->kind == EXTENT_CONTAINS) {
        out->finder_count = terms ? test->term_count : 1;
        out->finders = rf_arena_new(arena, struct term_finder, out->finder_count);
        if (out->finders == NULL) return rf_fail_memory(err, arena);
        rf_str needle = {0};
        *usable = terms || (test->value_count == 1 && text_of(&test->values[0], &needle));
        for (uint32_t i = 0; i < out->finder_count && *usable; i++)
            if (!term_finder_init(&out->finders[i], terms ? test->terms[i] : needle, terms || fold,
                                  arena))
                return rf_fail_memory(err, arena);
    }
    return RF_OK;
}

static bool has_term(const struct term_finder *finder, rf_str text)
{
    size_t bytes, from = 0;
    while ((from = term_finder_next(finder, text, from, &bytes)) != SIZE_MAX) {
        if (term_border(text, from) && term_border(text, from + bytes)) return true;
        if (++from > text.len) return false;
    }
    return false;
}

static bool equals_any(const struct text_test *t, rf_str text)
{
    uint32_t count = t->test->value_count;
    if (!t->test->fold)
        return count > 0 && bsearch(&text, t->sorted, count, sizeof text, text_order) != NULL;
    for (uint32_t i = 0; i < count; i++)
        if (rf_str_eq_nocase(t->sorted[i], text) || term_equal_nocase(t->sorted[i], text))
            return true;
    return false;
}

static bool in_text_range(const struct extent_test *test, rf_str text)
{
    rf_str bound;
    if (text_of(&test->low, &bound) && rf_str_cmp(text, bound) < 0) return false;
    return !text_of(&test->high, &bound) || rf_str_cmp(text, bound) <= 0;
}

static bool text_passes(const struct text_test *t, rf_str text)
{
    switch (t->test->kind) {
    case EXTENT_RANGE:
        return in_text_range(t->test, text);
    case EXTENT_EQUALS:
        return equals_any(t, text);
    case EXTENT_CONTAINS:
        return term_finder_next(&t->finders[0], text, 0, NULL) != SIZE_MAX;
    case EXTENT_TERMS:
        for (uint32_t i = 0; i < t->finder_count; i++)
            if (!has_term(&t->finders[i], text)) return false;
        return true;
    case EXTENT_TERMS_ANY:
        for (uint32_t i = 0; i < t->finder_count; i++)
            if (has_term(&t->finders[i], text)) return true;
        return false;
    }
    return true;
}

/* Judges each entry once. `none` is set when no entry passes. */
static enum rf_kind dict_filter(struct extent *e, struct extent_filter *f,
                                const struct extent_test *test, struct rf_arena *arena, bool *none,
                                struct rf_err *err)
{
    struct text_test ready;
    bool usable;
    const struct extent_dict *dict;
    RF_TRY(text_test_make(test, arena, &ready, &usable, err));
    if (!usable) return RF_OK;
    uint32_t count = e->columns[f->column].dict_count, hits = 0;
    RF_TRY(extent_load_dict(e, f->column, &dict, err));
    uint8_t *pass = rf_arena_raw(arena, uint8_t, count);
    if (pass == NULL) return rf_fail_memory(err, arena);
    const rf_str *items = dict->cells;
    for (uint32_t i = 0; i < count; i++) hits += pass[i] = text_passes(&ready, items[i]);
    *none = hits == 0;
    if (hits == count) return RF_OK;
    f->kind = FILTER_CODES;
    f->pass = pass;
    return RF_OK;
}

/* guid: values of 16 bytes. */
static enum rf_kind guid_filter(struct extent *e, struct extent_filter *f,
                                const struct extent_test *test, struct rf_arena *arena, bool *none,
                                struct rf_err *err)
{
    const struct extent_dict *dict;
    uint32_t count = e->columns[f->column].dict_count, hits = 0;
    if (test->kind != EXTENT_EQUALS || test->value_count > FOLDED_VALUES_MAX) return RF_OK;
    for (uint32_t i = 0; i < test->value_count; i++)
        if (test->values[i].null || test->values[i].type != TYPE_GUID) return RF_OK;
    RF_TRY(extent_load_dict(e, f->column, &dict, err));
    uint8_t *pass = rf_arena_raw(arena, uint8_t, count);
    if (pass == NULL) return rf_fail_memory(err, arena);
    const struct guid *items = dict->cells;
    for (uint32_t i = 0; i < count; i++) {
        pass[i] = 0;
        for (uint32_t k = 0; k < test->value_count; k++)
            pass[i] |= memcmp(&items[i], &test->values[k].g, sizeof items[i]) == 0;
        hits += pass[i];
    }
    *none = hits == 0;
    f->kind = FILTER_CODES;
    f->pass = pass;
    return RF_OK;
}

/* ---- texts by the index of terms --------------------------------------------------------------------------------- */

/* Terms that a granule must hold: one group per alternative, all terms of a group. */
struct wanted {
    struct term_probe probes[TERMS_MAX];
    uint32_t group_ends[TERMS_MAX];
    uint32_t probe_count, group_count;
    struct rf_arena *arena;
    bool no_memory, too_many;
};

static bool want_term(void *state, rf_str term)
{
    struct wanted *w = state;
    struct term_probe probe;
    if (!term_probe_make(term, w->arena, &probe)) {
        w->no_memory = true;
        return false;
    }
    if (!probe.usable) return true;
    w->too_many = w->probe_count == TERMS_MAX;
    if (!w->too_many) w->probes[w->probe_count++] = probe;
    return !w->too_many;
}

static void end_group(struct wanted *w)
{
    w->too_many |= w->group_count == TERMS_MAX;
    if (!w->too_many) w->group_ends[w->group_count++] = w->probe_count;
}

/* False: the test says nothing about terms. */
static bool want_test(struct wanted *w, const struct extent_test *test)
{
    rf_str text;
    switch (test->kind) {
    case EXTENT_TERMS:
        for (uint32_t i = 0; i < test->term_count; i++) (void)want_term(w, test->terms[i]);
        end_group(w);
        return true;
    case EXTENT_TERMS_ANY:
        for (uint32_t i = 0; i < test->term_count; i++) {
            (void)want_term(w, test->terms[i]);
            end_group(w);
        }
        return true;
    case EXTENT_EQUALS:
        for (uint32_t i = 0; i < test->value_count; i++) {
            if (!text_of(&test->values[i], &text)) return false;
            (void)term_probe_each(text, true, want_term, w);
            end_group(w);
        }
        return true;
    case EXTENT_CONTAINS:
        if (test->value_count != 1 || !text_of(&test->values[0], &text)) return false;
        (void)term_probe_each(text, false, want_term, w);
        end_group(w);
        return true;
    default:
        return false;
    }
}

/* The index of a column's terms: its head, and the region of a row read when it is asked for. */
struct filter_reader {
    struct extent *e;
    struct term_index index;
    uint32_t rows_each;
    const uint8_t *flags, *regions;
    struct block_buf head, region;
    uint32_t loaded; /* region number */
    rf_str bytes;
};

static enum rf_kind open_index(struct filter_reader *r, const struct extent_col *c,
                               struct rf_err *err)
{
    rf_str bytes;
    RF_TRY(extent_read_region(r->e, &c->terms, &r->head, &bytes, err));
    struct block_reader reader = {bytes, 0, false};
    r->index.granule_count = block_take_u32(&reader);
    r->index.row_count = block_take_u32(&reader);
    r->rows_each = block_take_u32(&reader);
    uint64_t granules = (r->e->row_count + EXTENT_GRANULE_ROWS - 1) / EXTENT_GRANULE_ROWS;
    bool good = !reader.failed && r->index.granule_count == granules && r->index.row_count > 0 &&
                r->rows_each > 0;
    r->flags = block_take(&reader, r->index.granule_count);
    if (good) {
        uint64_t regions = ((uint64_t)r->index.row_count + r->rows_each - 1) / r->rows_each;
        r->regions = block_take(&reader, (size_t)regions * EXTENT_REGION_BYTES);
    }
    r->loaded = UINT32_MAX;
    if (good && !reader.failed && reader.at == bytes.len) return RF_OK;
    return extent_fault(r->e, &c->terms, block_corrupt(err, "the index of terms has a bad head"),
                        err);
}

static enum rf_kind index_row(struct filter_reader *r, uint32_t row, const uint8_t **out,
                              struct rf_err *err)
{
    uint32_t number = row / r->rows_each;
    size_t row_bytes = (size_t)r->index.granule_count * TERM_INDEX_WORD_BYTES;
    struct extent_region region =
        extent_region_at(r->regions + (size_t)number * EXTENT_REGION_BYTES);
    if (r->loaded != number) {
        r->loaded = UINT32_MAX;
        RF_TRY(extent_read_region(r->e, &region, &r->region, &r->bytes, err));
        r->loaded = number;
    }
    size_t at = row % r->rows_each * row_bytes;
    if (r->bytes.len < at || r->bytes.len - at < row_bytes)
        return extent_fault(r->e, &region, block_corrupt(err, "the index of terms is cut short"),
                            err);
    *out = r->bytes.ptr + at;
    return RF_OK;
}

/* pass[granule] stays 1 where one group's terms may all be. */
static enum rf_kind probe_index(struct filter_reader *r, const struct wanted *w, uint8_t *pass,
                                uint8_t *room, struct rf_err *err)
{
    uint32_t granules = r->index.granule_count, probe = 0;
    uint8_t *any = room, *all = room + granules;
    memset(any, 0, granules);
    for (uint32_t g = 0; g < w->group_count; g++) {
        memset(all, 1, granules);
        for (; probe < w->group_ends[g]; probe++) {
            const uint8_t *row = NULL;
            RF_TRY(index_row(r, term_index_row(&r->index, w->probes[probe].hash), &row, err));
            for (uint32_t i = 0; i < granules; i++)
                if (all[i] != 0) all[i] = term_index_hit(row, i, r->flags[i], &w->probes[probe]);
        }
        for (uint32_t i = 0; i < granules; i++) any[i] |= all[i];
    }
    for (uint32_t i = 0; i < granules; i++) pass[i] &= any[i];
    return RF_OK;
}

static enum rf_kind granules_of(struct extent *e, const struct extent_col *c,
                                const struct wanted *w, struct rf_arena *arena,
                                struct rf_budget *budget, struct extent_filters *out,
                                struct rf_err *err)
{
    struct filter_reader r = {.e = e, .head = block_buf_in(budget), .region = block_buf_in(budget)};
    enum rf_kind kind = open_index(&r, c, err);
    if (kind == RF_OK) {
        uint32_t granules = r.index.granule_count;
        uint8_t *room = rf_arena_raw(arena, uint8_t, (size_t)granules * 2);
        if (out->granules == NULL) {
            out->granules = rf_arena_raw(arena, uint8_t, granules);
            if (out->granules != NULL) memset(out->granules, 1, granules);
        }
        bool good = room != NULL && out->granules != NULL;
        kind = good ? probe_index(&r, w, out->granules, room, err) : rf_fail_memory(err, arena);
    }
    block_buf_done(&r.head);
    block_buf_done(&r.region);
    return kind;
}

static enum rf_kind term_filter(struct extent *e, const struct extent_test *test,
                                struct rf_arena *arena, struct rf_budget *budget,
                                struct extent_filters *out, struct rf_err *err)
{
    const struct extent_col *c = &e->columns[test->column];
    /* The JSON form of a dynamic need not hold the terms of a text it equals or contains. */
    bool terms = test->kind == EXTENT_TERMS || test->kind == EXTENT_TERMS_ANY;
    if (!c->has_terms || (c->type != TYPE_STRING && !terms)) return RF_OK;
    struct wanted *w = rf_arena_new(arena, struct wanted, 1);
    if (w == NULL) return rf_fail_memory(err, arena);
    w->arena = arena;
    bool says = want_test(w, test);
    if (w->no_memory) return rf_fail_memory(err, arena);
    if (!says || w->too_many || w->group_count == 0) return RF_OK;
    /* An alternative without terms lets everything pass. */
    for (uint32_t g = 0; g < w->group_count; g++)
        if (w->group_ends[g] == (g == 0 ? 0 : w->group_ends[g - 1])) return RF_OK;
    return granules_of(e, c, w, arena, budget, out, err);
}

/* ---- together ----------------------------------------------------------------------------------------------------- */

static enum rf_kind make_filter(struct extent *e, const struct extent_test *test,
                                struct rf_arena *arena, struct rf_budget *budget,
                                struct extent_filter *f, struct extent_filters *out,
                                struct rf_err *err)
{
    const struct extent_col *c = &e->columns[test->column];
    *f = (struct extent_filter){.column = test->column};
    bool numbers = test->kind == EXTENT_RANGE || test->kind == EXTENT_EQUALS;
    if (type_is_i64((enum type)c->type) && numbers) {
        test->kind == EXTENT_RANGE ? i64_range(f, (enum type)c->type, test)
                                   : i64_equals(f, (enum type)c->type, test);
        return RF_OK;
    }
    if (c->type == TYPE_REAL && numbers) {
        real_filter(f, test);
        return RF_OK;
    }
    if (c->storage == EXTENT_DICT && c->type == TYPE_GUID)
        return guid_filter(e, f, test, arena, &out->none, err);
    if (c->type == TYPE_STRING) {
        /* Blocks may do without the dictionary. */
        text_filter(f, test);
        bool any = false;
        for (uint32_t i = 0; i < e->block_count && !any; i++) any = extent_filter_block(e, f, i);
        if (!any) {
            out->none = true;
            return RF_OK;
        }
        if (c->storage == EXTENT_DICT) return dict_filter(e, f, test, arena, &out->none, err);
    }
    return term_filter(e, test, arena, budget, out, err);
}

enum rf_kind extent_filters_make(struct extent *e, const struct extent_test *tests,
                                 uint32_t test_count, struct rf_arena *arena,
                                 struct rf_budget *budget, struct extent_filters *out,
                                 struct rf_err *err)
{
    *out = (struct extent_filters){.items = rf_arena_new(arena, struct extent_filter, test_count),
                                   .none = e->row_count == 0};
    if (out->items == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < test_count && !out->none; i++) {
        RF_ASSERT(tests[i].column < e->column_count);
        struct extent_filter *f = &out->items[out->count];
        bool none = false;
        RF_TRY(make_filter(e, &tests[i], arena, budget, f, out, err));
        if (f->kind == FILTER_NONE) continue;
        out->count++;
        for (uint32_t block = 0; block < e->block_count && !none; block++)
            none = extent_filter_block(e, f, block);
        if (!none) out->none = true;
    }
    return RF_OK;
}

static bool block_ints_meet(const struct extent_filter *f, const struct extent_block *b)
{
    int64_t min = (int64_t)rf_get_u64le(b->min), max = (int64_t)rf_get_u64le(b->max);
    return min <= f->high && max >= f->low;
}

static bool block_reals_meet(const struct extent_filter *f, const struct extent_block *b)
{
    double min, max;
    memcpy(&min, b->min, sizeof min);
    memcpy(&max, b->max, sizeof max);
    return min <= f->real_high && max >= f->real_low;
}

bool extent_filter_block(const struct extent *e, const struct extent_filter *f, uint32_t block)
{
    const struct extent_block *b = &e->columns[f->column].blocks[block];
    bool typed = f->kind == FILTER_I64 || f->kind == FILTER_REAL;
    if (typed && b->nulls == extent_block_rows(e, block)) return false;
    if ((b->flags & EXTENT_BLOCK_HAS_RANGE) == 0) return true;
    switch (f->kind) {
    case FILTER_I64:
        return block_ints_meet(f, b);
    case FILTER_REAL:
        return block_reals_meet(f, b);
    case FILTER_TEXT:
        return (!f->has_low || memcmp(b->max, f->text_low, 16) >= 0) &&
               (!f->has_high || memcmp(b->min, f->text_high, 16) <= 0);
    default:
        return true;
    }
}

RF_CLONES static bool any_in_range(const int64_t *v, uint32_t count, int64_t low, int64_t high)
{
    uint32_t any = 0;
    for (uint32_t i = 0; i < count; i++) any |= (uint32_t)(v[i] >= low) & (uint32_t)(v[i] <= high);
    return any != 0;
}

/* A null's cell may pass by chance: that only keeps a page. */
bool extent_filter_cells(const struct extent_filter *f, const void *cells, uint32_t count)
{
    if (f->kind == FILTER_I64) return any_in_range(cells, count, f->low, f->high);
    if (f->kind != FILTER_REAL) return true;
    const double *v = cells;
    for (uint32_t i = 0; i < count; i++)
        if (v[i] >= f->real_low && v[i] <= f->real_high) return true;
    return false;
}

bool extent_filter_codes(const struct extent_filter *f, const uint32_t *codes, uint32_t count)
{
    uint8_t any = 0;
    for (uint32_t i = 0; i < count; i++) any |= f->pass[codes[i]];
    return any != 0;
}
