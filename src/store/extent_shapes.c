/* Reading a column by the shapes of its values. Each row has a code: 0, its value stands in the first inner column, or a
 * shape, and then it has one value in the inner column of each of the shape's leaves. So the place of a row in an inner column is
 * the number of rows before it, in its block, whose shape has that leaf. */
#include "store/extent_shapes.h"

#include "store/block_int.h"

#include <stdlib.h>

enum {
    CODES = SHAPE_COUNT_MAX + 1,
    BLOCK_PAGES = EXTENT_BLOCK_ROWS / BLOCK_PAGE_ROWS,
    NONE = UINT32_MAX
};
/* The writer keeps a column's values below half of it, so that what is more is damage. */
enum { PAGE_BYTES_MAX = INT32_MAX };

/* ---- the set ------------------------------------------------------------------------------------------------- */

void extent_shapes_free(struct extent_shapes *shapes)
{
    if (shapes == NULL) return;
    block_buf_done(&shapes->bytes);
    rf_arena_done(&shapes->arena);
    free(shapes);
}

static enum rf_kind check_columns(const struct extent *e, const struct extent_col *c,
                                  const struct shape_set *set, struct rf_err *err)
{
    bool good = c->dict_count == set->count + 1 && c->inner_count == set->leaf_count + 1 &&
                e->columns[c->inner].type == TYPE_DYNAMIC;
    for (uint32_t i = 0; i < set->leaf_count && good; i++)
        good = e->columns[c->inner + 1 + i].type == shape_leaf_type(set->leaf_tags[i]);
    return good ? RF_OK : block_corrupt(err, "the shapes of a column do not fit its leaves");
}

static void note_leaves(struct extent_shapes *s)
{
    s->has[0][0] = true;
    for (uint32_t i = 0; i < s->set.count; i++)
        for (uint32_t k = 0; k < s->set.shapes[i].op_count; k++) {
            const struct shape_op *op = &s->set.shapes[i].ops[k];
            if (!op->bag) s->has[op->number + 1][i + 1] = true;
        }
}

static enum rf_kind load_shapes(struct extent *e, struct extent_col *c, struct rf_err *err)
{
    struct extent_shapes *s = calloc(1, sizeof *s);
    rf_str bytes;
    if (s == NULL) return block_no_memory(err, e->budget);
    s->bytes = block_buf_in(e->budget);
    rf_arena_init_shared(&s->arena, e->budget);
    enum rf_kind kind = extent_read_region(e, &c->dict, &s->bytes, &bytes, err);
    if (kind == RF_OK) {
        kind = shape_set_parse(bytes, &s->arena, &s->set, err);
        if (kind == RF_OK) kind = check_columns(e, c, &s->set, err);
        kind = extent_fault(e, &c->dict, kind, err);
    }
    if (kind != RF_OK) {
        extent_shapes_free(s);
        return kind;
    }
    note_leaves(s);
    c->shapes = s;
    return RF_OK;
}

enum rf_kind extent_load_shapes(struct extent *e, uint32_t column, const struct extent_shapes **out,
                                struct rf_err *err)
{
    struct extent_col *c = &e->columns[column];
    pthread_mutex_lock(&e->lock);
    enum rf_kind kind = c->shapes != NULL ? RF_OK : load_shapes(e, c, err);
    *out = c->shapes;
    pthread_mutex_unlock(&e->lock);
    return kind;
}

/* ---- views ----------------------------------------------------------------------------------------------------- */

struct shape_view {
    struct extent *extent;
    const struct extent_col *column;
    const struct extent_shapes *shapes;
    struct block_codec *codec;
    struct rf_arena *arena;
    struct extent_pages codes;
    struct extent_pages **inner; /* NULL: not read yet */
    uint32_t block;              /* whose codes are loaded */
    uint8_t *row_codes;
    uint32_t (*before)[CODES]; /* [page]: rows of each code before it, in the block */
};

enum rf_kind shape_view_new(struct extent *e, uint32_t column, struct block_codec *codec,
                            struct rf_arena *arena, struct shape_view **out, struct rf_err *err)
{
    const struct extent_shapes *shapes;
    RF_TRY(extent_load_shapes(e, column, &shapes, err));
    struct shape_view *v = rf_arena_new(arena, struct shape_view, 1);
    if (v == NULL) return rf_fail_memory(err, arena);
    *v = (struct shape_view){.extent = e,
                             .column = &e->columns[column],
                             .shapes = shapes,
                             .codec = codec,
                             .arena = arena,
                             .block = NONE};
    v->inner = rf_arena_new(arena, struct extent_pages *, v->column->inner_count);
    v->row_codes = rf_arena_raw(arena, uint8_t, EXTENT_BLOCK_ROWS);
    v->before = (uint32_t(*)[CODES])rf_arena_new(arena, uint32_t, (BLOCK_PAGES + 1) * CODES);
    if (v->inner == NULL || v->row_codes == NULL || v->before == NULL)
        return rf_fail_memory(err, arena);
    extent_pages_init(&v->codes, e, column, codec, arena->budget);
    *out = v;
    return RF_OK;
}

void shape_view_done(struct shape_view *v)
{
    if (v == NULL) return;
    extent_pages_done(&v->codes);
    for (uint32_t i = 0; i < v->column->inner_count; i++)
        if (v->inner[i] != NULL) extent_pages_done(v->inner[i]);
}

/* Every inner column must have as many rows as the codes say. */
static bool rows_fit(const struct shape_view *v, uint32_t block, const uint32_t *counts)
{
    const struct extent_col *inner = &v->extent->columns[v->column->inner];
    for (uint32_t i = 0; i < v->column->inner_count; i++) {
        uint64_t rows = 0;
        for (uint32_t code = 0; code < v->column->dict_count; code++)
            rows += v->shapes->has[i][code] ? counts[code] : 0;
        if (rows != inner[i].blocks[block].rows) return false;
    }
    return true;
}

static enum rf_kind load_codes(struct shape_view *v, uint32_t block, struct rf_err *err)
{
    uint32_t pages = block_page_count(v->column->blocks[block].rows), rows;
    if (v->block == block) return RF_OK;
    v->block = NONE;
    memset(v->before[0], 0, sizeof v->before[0]);
    for (uint32_t page = 0; page < pages; page++) {
        RF_TRY(extent_pages_load(&v->codes, block, page, &rows, err));
        const uint32_t *codes = (const uint32_t *)(const void *)v->codes.cells.ptr;
        uint8_t *to = v->row_codes + (size_t)page * BLOCK_PAGE_ROWS;
        uint32_t *counts = v->before[page + 1];
        memcpy(counts, v->before[page], sizeof v->before[0]);
        for (uint32_t i = 0; i < rows; i++) to[i] = (uint8_t)codes[i];
        for (uint32_t i = 0; i < rows; i++) counts[to[i]]++;
    }
    if (!rows_fit(v, block, v->before[pages]))
        return extent_fault(v->extent, &v->column->blocks[block].region,
                            block_corrupt(err, "a leaf has another number of rows than its shapes"),
                            err);
    v->block = block;
    return RF_OK;
}

/* ---- what to read ------------------------------------------------------------------------------------------------ */

/* The leaf that every part is, when its texts have a dictionary. */
static uint32_t only_leaf(const struct shape_view *v, const struct shape_want *w)
{
    const struct shape_set *set = &v->shapes->set;
    uint32_t leaf = NONE, rest = w->key_count;
    for (uint32_t i = 0; i < set->count; i++) {
        const struct shape_part *part = &w->parts[i];
        if (part->from == part->to) continue;
        const struct shape_op *op = &set->shapes[i].ops[part->from];
        if (op->bag || (leaf != NONE && (op->number != leaf || part->rest != rest))) return NONE;
        leaf = op->number;
        rest = part->rest;
    }
    if (leaf == NONE || v->extent->columns[v->column->inner + 1 + leaf].storage != EXTENT_DICT)
        return NONE;
    return leaf;
}

enum rf_kind shape_want_new(struct shape_view *v, const rf_str *keys, uint32_t key_count,
                            struct rf_arena *arena, struct shape_want **out, struct rf_err *err)
{
    const struct shape_set *set = &v->shapes->set;
    struct shape_want *w = rf_arena_new(arena, struct shape_want, 1);
    if (w == NULL) return rf_fail_memory(err, arena);
    w->keys = keys;
    w->key_count = key_count;
    for (uint32_t i = 0; i < set->count; i++) {
        w->parts[i] = shape_part_of(set, &set->shapes[i], keys, key_count);
        w->bytes[i] = shape_part_bytes(set, &set->shapes[i], &w->parts[i]);
    }
    w->leaf = key_count == 0 ? NONE : only_leaf(v, w);
    *out = w;
    return RF_OK;
}

/* ---- values of an inner column -------------------------------------------------------------------------------------- */

/* A read of some rows of a page. */
struct reading {
    struct shape_view *view;
    const struct shape_want *want;
    uint32_t page, row_count;
    const uint32_t *rows; /* NULL: the first row_count */
    uint8_t codes[BLOCK_PAGE_ROWS];
    bool present[CODES];
    struct rf_arena *arena;
    uint64_t text_bytes;
    struct rf_err *err;
};

static enum rf_kind inner_pages(struct shape_view *v, uint32_t inner, struct extent_pages **out,
                                struct rf_err *err)
{
    if (v->inner[inner] == NULL) {
        struct extent_pages *pages = rf_arena_new(v->arena, struct extent_pages, 1);
        if (pages == NULL) return rf_fail_memory(err, v->arena);
        extent_pages_init(pages, v->extent, v->column->inner + inner, v->codec, v->arena->budget);
        v->inner[inner] = pages;
    }
    *out = v->inner[inner];
    return RF_OK;
}

/* Where the rows with `wanted` codes stand in an inner column; returns how many they are. */
static uint32_t places_of(const struct reading *r, uint32_t inner, const bool *wanted,
                          uint32_t *places)
{
    const struct shape_view *v = r->view;
    const bool *has = v->shapes->has[inner];
    const uint8_t *codes = v->row_codes + (size_t)r->page * BLOCK_PAGE_ROWS;
    uint32_t at = 0, row = 0, count = 0;
    for (uint32_t code = 0; code < v->column->dict_count; code++)
        at += has[code] ? v->before[r->page][code] : 0;
    for (uint32_t i = 0; i < r->row_count; i++) {
        uint32_t end = r->rows == NULL ? i : r->rows[i];
        for (; row < end; row++) at += has[codes[row]];
        places[count] = at;
        count += wanted[r->codes[i]];
    }
    return count;
}

/* A leaf of any kind must not make the value that it lies in too deep, and one of texts not too large. */
static bool note_texts(struct reading *r, uint8_t tag, const rf_str *texts, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        r->text_bytes += texts[i].len;
        if (tag == SHAPE_ANY && dyn_tag(texts[i]) >= DYN_ARRAY && !shape_leaf_fits(texts[i]))
            return false;
    }
    return r->text_bytes <= PAGE_BYTES_MAX;
}

static bool copy_texts(struct rf_arena *arena, rf_str *texts, uint32_t count)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < count; i++) bytes += texts[i].len;
    uint8_t *to = rf_arena_alloc(arena, bytes + 1);
    if (to == NULL) return false;
    for (uint32_t i = 0; i < count; i++) {
        if (texts[i].len > 0) memcpy(to, texts[i].ptr, texts[i].len);
        texts[i].ptr = to;
        to += texts[i].len;
    }
    return true;
}

/* `count` values of one page of an inner column; `rows` are their places in it. */
static enum rf_kind read_page(struct reading *r, struct extent_pages *pages, uint32_t page,
                              const uint32_t *rows, uint32_t count, const void **cells,
                              const uint8_t **nulls, const uint32_t **codes)
{
    const struct extent_col *c = &pages->extent->columns[pages->column];
    uint32_t block = r->view->block, page_rows;
    bool sparse = extent_pages_sparse(pages, block, page, count);
    *codes = rows;
    if (sparse)
        RF_TRY(extent_pages_rows(pages, block, page, rows, count, r->err));
    else
        RF_TRY(extent_pages_load(pages, block, page, &page_rows, r->err));
    *cells = pages->cells.ptr;
    *nulls = extent_pages_nulls(pages);
    if (sparse) *codes = NULL;
    if (c->storage != EXTENT_TEXTS) return RF_OK;
    *codes = NULL;
    return extent_pages_texts(pages, count == page_rows ? NULL : rows, count, cells, nulls, r->err);
}

static void pick(void *to, const void *from, size_t width, const uint32_t *rows, uint32_t count)
{
    if (rows == NULL) {
        memcpy(to, from, count * width);
    } else if (width == 8) {
        for (uint32_t i = 0; i < count; i++)
            ((uint64_t *)to)[i] = ((const uint64_t *)from)[rows[i]];
    } else {
        for (uint32_t i = 0; i < count; i++) ((uint8_t *)to)[i] = ((const uint8_t *)from)[rows[i]];
    }
}

/* The places from `from` on that lie in one page of the inner column, within it; returns where those of the next begin. */
static uint32_t places_of_page(const uint32_t *places, uint32_t from, uint32_t count,
                               uint32_t *page, uint32_t *local)
{
    uint32_t to = from;
    *page = places[from] / BLOCK_PAGE_ROWS;
    for (; to < count && places[to] / BLOCK_PAGE_ROWS == *page; to++)
        local[to - from] = places[to] % BLOCK_PAGE_ROWS;
    return to;
}

/* Where the values of an inner column go. */
struct taken {
    size_t width;
    uint8_t *cells, *nulls;
    const struct extent_dict *dict; /* NULL: it has none */
    bool by_entry;                  /* or its entries are read one by one */
};

static void take_entries(const struct taken *t, uint32_t at, const uint32_t *codes,
                         const uint32_t *rows, uint32_t count)
{
    rf_str *items = (rf_str *)(void *)t->cells + at;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t code = codes[rows == NULL ? i : rows[i]];
        items[i] = ((const rf_str *)t->dict->cells)[code];
        t->nulls[at + i] = t->dict->nulls != NULL && t->dict->nulls[code] != 0;
    }
}

/* `copy`: the page's texts must outlive the next page. */
static enum rf_kind take_page(struct reading *r, struct extent_pages *pages, const struct taken *t,
                              uint32_t at, uint32_t page, const uint32_t *local, uint32_t count,
                              bool copy)
{
    const void *cells;
    const uint8_t *nulls;
    const uint32_t *rows;
    RF_TRY(read_page(r, pages, page, local, count, &cells, &nulls, &rows));
    if (t->dict != NULL) {
        take_entries(t, at, cells, rows, count);
        return RF_OK;
    }
    if (t->by_entry) {
        uint32_t codes[EXTENT_SPARSE_ROWS_MAX];
        for (uint32_t i = 0; i < count; i++)
            codes[i] = ((const uint32_t *)cells)[rows == NULL ? i : rows[i]];
        return extent_read_entries(r->view->extent, pages->column, codes, count,
                                   t->cells + at * t->width, t->nulls + at, r->err);
    }
    if (nulls != NULL) pick(t->nulls + at, nulls, 1, rows, count);
    if (t->width != sizeof(rf_str)) {
        pick(t->cells + at * t->width, cells, t->width, rows, count);
        return RF_OK;
    }
    rf_str *items = (rf_str *)(void *)t->cells + at;
    memcpy(items, cells, count * sizeof *items);
    return !copy || copy_texts(r->arena, items, count) ? RF_OK : rf_fail_memory(r->err, r->arena);
}

static enum rf_kind read_inner(struct reading *r, uint32_t inner, const uint32_t *places,
                               uint32_t count, struct shape_cells *out)
{
    struct shape_view *v = r->view;
    const struct extent_col *c = &v->extent->columns[v->column->inner + inner];
    struct extent_pages *pages;
    bool texts = type_is_bytes((enum type)c->type);
    struct taken t = {.width = type_cell_bytes[c->type]};
    t.cells = rf_arena_alloc(r->arena, count * t.width + 1);
    t.nulls = rf_arena_zalloc(r->arena, count + 1);
    if (t.cells == NULL || t.nulls == NULL) return rf_fail_memory(r->err, r->arena);
    RF_TRY(inner_pages(v, inner, &pages, r->err));
    t.by_entry = c->storage == EXTENT_DICT && extent_dict_by_entry(v->extent, pages->column, count);
    if (c->storage == EXTENT_DICT && !t.by_entry)
        RF_TRY(extent_load_dict(v->extent, pages->column, &t.dict, r->err));
    for (uint32_t from = 0, to; from < count; from = to) {
        uint32_t page, local[BLOCK_PAGE_ROWS];
        to = places_of_page(places, from, count, &page, local);
        /* What is read last lives long enough, but for values that are handed out as they are. */
        RF_TRY(take_page(r, pages, &t, from, page, local, to - from, to < count || inner == 0));
    }
    uint8_t tag = inner == 0 ? DYN_STRING : v->shapes->set.leaf_tags[inner - 1];
    if (texts && !note_texts(r, tag, (const rf_str *)(void *)t.cells, count))
        return extent_fault(v->extent, &c->blocks[v->block].region,
                            block_corrupt(r->err, "a leaf's values are too deep or too large"),
                            r->err);
    *out = (struct shape_cells){.cells = t.cells, .nulls = t.nulls};
    return RF_OK;
}

/* ---- rows ------------------------------------------------------------------------------------------------------------ */

/* The codes of a leaf's values at these places. */
static enum rf_kind read_codes(struct reading *r, uint32_t inner, const uint32_t *places,
                               uint32_t count, uint32_t *out)
{
    struct extent_pages *pages;
    RF_TRY(inner_pages(r->view, inner, &pages, r->err));
    for (uint32_t from = 0, to; from < count; from = to) {
        uint32_t page, local[BLOCK_PAGE_ROWS];
        const void *codes;
        const uint8_t *nulls;
        const uint32_t *rows;
        to = places_of_page(places, from, count, &page, local);
        RF_TRY(read_page(r, pages, page, local, to - from, &codes, &nulls, &rows));
        for (uint32_t i = 0; i < to - from; i++)
            out[from + i] = ((const uint32_t *)codes)[rows == NULL ? i : rows[i]];
    }
    return RF_OK;
}

/* All rows take their values from one dictionary, whose last entry is null. */
static enum rf_kind read_dict(struct reading *r, struct vec *out)
{
    struct shape_view *v = r->view;
    uint32_t inner = r->want->leaf + 1, rest = r->want->key_count, next = 0,
             places[BLOCK_PAGE_ROWS + 1];
    bool wanted[CODES] = {false};
    const struct extent_path_dict *dict;
    for (uint32_t i = 0; i < v->shapes->set.count; i++) {
        const struct shape_part *part = &r->want->parts[i];
        wanted[i + 1] = part->from < part->to;
        if (wanted[i + 1]) rest = part->rest;
    }
    RF_TRY(extent_load_path(v->extent, v->column->inner + inner, r->want->keys + rest,
                            r->want->key_count - rest, &dict, r->err));
    uint32_t count = places_of(r, inner, wanted, places),
             *codes = rf_arena_raw(r->arena, uint32_t, (size_t)r->row_count + count);
    if (codes == NULL) return rf_fail_memory(r->err, r->arena);
    uint32_t *own = codes + r->row_count;
    RF_TRY(read_codes(r, inner, places, count, own));
    for (uint32_t i = 0; i < r->row_count; i++)
        codes[i] = wanted[r->codes[i]] ? own[next++] : dict->count - 1;
    *out = extent_path_vec(dict, codes);
    return RF_OK;
}

/* Reads the leaves that the rows' parts have. */
static enum rf_kind read_leaves(struct reading *r, struct shape_cells *residual,
                                struct shape_cells *leaves)
{
    const struct shape_set *set = &r->view->shapes->set;
    uint32_t places[BLOCK_PAGE_ROWS + 1];
    bool wanted[SHAPE_LEAVES_MAX + 1][CODES] = {{false}}, any[SHAPE_LEAVES_MAX + 1] = {false};
    wanted[0][0] = any[0] = r->present[0];
    for (uint32_t i = 0; i < set->count; i++) {
        const struct shape_part *part = &r->want->parts[i];
        for (uint32_t k = part->from; k < part->to && r->present[i + 1]; k++) {
            const struct shape_op *op = &set->shapes[i].ops[k];
            if (!op->bag) wanted[op->number + 1][i + 1] = any[op->number + 1] = true;
        }
    }
    for (uint32_t i = 0; i <= set->leaf_count; i++) {
        if (!any[i]) continue;
        uint32_t count = places_of(r, i, wanted[i], places);
        RF_TRY(read_inner(r, i, places, count, i == 0 ? residual : &leaves[i - 1]));
    }
    return RF_OK;
}

static enum rf_kind read_flat(struct reading *r, struct vec *out)
{
    const struct shape_set *set = &r->view->shapes->set;
    const struct shape_want *w = r->want;
    struct shape_cells residual = {0}, leaves[SHAPE_LEAVES_MAX] = {{0}};
    size_t bytes = 1;
    RF_TRY(read_leaves(r, &residual, leaves));
    for (uint32_t i = 0; i < r->row_count; i++)
        bytes += r->codes[i] == 0 ? 0 : w->bytes[r->codes[i] - 1];
    rf_str *items = rf_arena_raw(r->arena, rf_str, r->row_count);
    uint8_t *nulls = rf_arena_raw(r->arena, uint8_t, r->row_count),
            *to = rf_arena_alloc(r->arena, bytes + (size_t)r->text_bytes);
    if (items == NULL || nulls == NULL || to == NULL) return rf_fail_memory(r->err, r->arena);
    for (uint32_t i = 0; i < r->row_count; i++) {
        rf_str value = {0};
        uint32_t code = r->codes[i], rest = 0;
        if (code == 0) {
            value = ((const rf_str *)residual.cells)[residual.next++];
        } else if (w->parts[code - 1].from < w->parts[code - 1].to) {
            const struct shape_part *part = &w->parts[code - 1];
            uint8_t *end = shape_put(set, &set->shapes[code - 1], part, leaves, to);
            value = rf_str_make(to, (size_t)(end - to));
            to = end;
            rest = part->rest;
        }
        if (w->key_count > 0) value = shape_walk(value, w->keys + rest, w->key_count - rest);
        nulls[i] = w->key_count > 0 ? dyn_is_null(value) : value.len == 0;
        items[i] = nulls[i] != 0 ? (rf_str){0} : value;
    }
    *out = (struct vec){.type = TYPE_DYNAMIC, .shape = VEC_FLAT, .data = items, .nulls = nulls};
    return RF_OK;
}

enum rf_kind shape_view_read(struct shape_view *v, const struct shape_want *want, uint32_t block,
                             uint32_t page, const uint32_t *rows, uint32_t row_count,
                             struct rf_arena *arena, struct vec *out, struct rf_err *err)
{
    RF_TRY(load_codes(v, block, err));
    struct reading r = {.view = v,
                        .want = want,
                        .page = page,
                        .row_count = row_count,
                        .rows = rows,
                        .arena = arena,
                        .err = err};
    const uint8_t *codes = v->row_codes + (size_t)page * BLOCK_PAGE_ROWS;
    for (uint32_t i = 0; i < row_count; i++) {
        r.codes[i] = codes[rows == NULL ? i : rows[i]];
        r.present[r.codes[i]] = true;
    }
    if (want->leaf != NONE && !r.present[0]) return read_dict(&r, out);
    return read_flat(&r, out);
}
