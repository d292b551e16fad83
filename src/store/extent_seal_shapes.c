/* Writing a column of dynamics by the shapes of its values: a code a row, and a column within for each leaf. */
#include "store/extent_seal.h"
#include "store/shape.h"

enum {
    ROWS_MIN = 64,           /* with fewer, what describes the shapes is more than they save */
    SAMPLE_ROWS = 4096,      /* by which both forms are measured */
    COLUMN_BLOCK_BYTES = 160 /* about: entry, alignment and head of one block of a column */
};

/* Values of one leaf on their way to its column. */
struct leaf_batch {
    uint32_t count, rows; /* rows: that the column has */
    void *cells;
    uint8_t *nulls;
    bool no_dictionary; /* it was given up */
};

struct shaping {
    struct seal *s;
    const struct writer_column *column;
    struct rf_arena arena;
    struct block_buf set_bytes;
    struct shape_set set;
    struct writer_column *inner; /* for rows without a shape, then for each leaf */
    struct leaf_batch *batches;
    uint32_t inner_count, block_count;
    uint32_t *block_rows; /* [inner][block] */
    uint32_t *codes;      /* by place */
    uint32_t last;        /* shape of the row before */
};

static rf_str value_at(const void *state, uint32_t place)
{
    const struct shaping *sh = state;
    return writer_entry(sh->column, seal_row_at(sh->s, place));
}

static uint32_t value_bytes(const uint8_t *value)
{
    switch ((enum dyn_tag)value[0]) {
    case DYN_NULL:
    case DYN_FALSE:
    case DYN_TRUE:
        return 1;
    case DYN_NUMTEXT:
        return 13 + rf_get_u32le(value + 9);
    case DYN_GUID:
    case DYN_DECIMAL:
        return 17;
    case DYN_STRING:
        return 5 + rf_get_u32le(value + 1);
    case DYN_ARRAY:
    case DYN_BAG:
        return 9 + rf_get_u32le(value + 5);
    default:
        return 9;
    }
}

rf_str writer_placed(const struct writer_column *c, uint32_t row)
{
    uint32_t place = rf_get_u32le(c->places.ptr + (size_t)row * 4);
    if (place == UINT32_MAX) return (rf_str){0};
    const uint8_t *value = c->host + place;
    rf_str whole = rf_str_make(value, value_bytes(value));
    return c->def.type == TYPE_STRING ? dyn_string(whole) : whole;
}

/* ---- columns within ---------------------------------------------------------------------------------------- */

static size_t cell_bytes(const struct writer_column *c) { return type_cell_bytes[c->def.type]; }

static bool make_columns(struct shaping *sh)
{
    sh->inner_count = sh->set.leaf_count + 1;
    sh->block_count = (sh->s->w->rows - 1) / EXTENT_BLOCK_ROWS + 1;
    sh->inner = rf_arena_new(&sh->arena, struct writer_column, sh->inner_count);
    sh->batches = rf_arena_new(&sh->arena, struct leaf_batch, sh->inner_count);
    sh->block_rows = rf_arena_new(&sh->arena, uint32_t, (size_t)sh->inner_count * sh->block_count);
    sh->codes = rf_arena_raw(&sh->arena, uint32_t, sh->s->w->rows);
    if (sh->inner == NULL || sh->batches == NULL || sh->block_rows == NULL || sh->codes == NULL) {
        sh->inner_count = 0;
        return false;
    }
    bool good = true;
    for (uint32_t i = 0; i < sh->inner_count; i++) {
        struct leaf_batch *b = &sh->batches[i];
        sh->inner[i].def.type =
            (uint8_t)(i == 0 ? TYPE_DYNAMIC : shape_leaf_type(sh->set.leaf_tags[i - 1]));
        writer_column_init(&sh->inner[i], sh->s->w->options.budget);
        if (type_is_bytes((enum type)sh->inner[i].def.type))
            sh->inner[i].host = sh->column->bytes.ptr;
        b->cells = rf_arena_alloc(&sh->arena, BATCH_ROWS * cell_bytes(&sh->inner[i]));
        b->nulls = rf_arena_raw(&sh->arena, uint8_t, BATCH_ROWS);
        good = good && b->cells != NULL && b->nulls != NULL;
    }
    return good;
}

/* The places of texts are kept, so that the dictionary can go. */
static void drop_dictionary(struct shaping *sh, uint32_t inner)
{
    struct writer_column *c = &sh->inner[inner], kept = *c;
    c->places = block_buf_in(c->places.budget);
    writer_column_done(c);
    writer_column_init(c, sh->s->w->options.budget);
    c->places = kept.places;
    c->storage = EXTENT_TEXTS;
    sh->batches[inner].no_dictionary = true;
}

static bool flush(struct shaping *sh, uint32_t inner)
{
    struct leaf_batch *b = &sh->batches[inner];
    struct writer_column *c = &sh->inner[inner];
    struct vec v = {.type = c->def.type, .shape = VEC_FLAT, .data = b->cells};
    if (b->count == 0) return true;
    if (memchr(b->nulls, 1, b->count) != NULL) v.nulls = b->nulls;
    if (!b->no_dictionary && !writer_column_append(c, &v, b->rows, b->count)) return false;
    b->rows += b->count;
    b->count = 0;
    if (c->storage == EXTENT_DICT && !writer_dictionary_pays(c, b->rows))
        drop_dictionary(sh, inner);
    return true;
}

/* A dictionary is worth it when each entry comes twice, about. */
static bool end_column(struct shaping *sh, uint32_t inner)
{
    if (!flush(sh, inner)) return false;
    struct writer_column *c = &sh->inner[inner];
    uint32_t entries = writer_entries(c);
    if (c->storage == EXTENT_DICT && entries > 16 && entries > sh->batches[inner].rows / 2)
        drop_dictionary(sh, inner);
    return true;
}

static bool note_place(struct writer_column *c, rf_str value, rf_str text)
{
    c->placed_bytes += text.len;
    return block_buf_u32(&c->places, value.len == 0 ? UINT32_MAX : (uint32_t)(value.ptr - c->host));
}

static bool add_value(struct shaping *sh, uint32_t inner, uint32_t block, rf_str value)
{
    struct leaf_batch *b = &sh->batches[inner];
    uint32_t at = b->count++;
    /* Rows without a shape keep their value as it is. */
    b->nulls[at] = inner == 0 ? value.len == 0 : dyn_is_null(value);
    struct writer_column *c = &sh->inner[inner];
    rf_str *texts = b->cells;
    switch ((enum type)c->def.type) {
    case TYPE_DYNAMIC:
        texts[at] = b->nulls[at] != 0 ? (rf_str){0} : value;
        if (!note_place(c, texts[at], texts[at])) return false;
        break;
    case TYPE_STRING:
        texts[at] = dyn_string(value);
        if (!note_place(c, value, texts[at])) return false;
        break;
    case TYPE_BOOL:
        ((uint8_t *)b->cells)[at] = dyn_tag(value) == DYN_TRUE;
        break;
    default: /* a number's 8 bytes */
        ((uint64_t *)b->cells)[at] = b->nulls[at] != 0 ? 0 : rf_get_u64le(value.ptr + 1);
    }
    sh->block_rows[(size_t)inner * sh->block_count + block]++;
    return b->count < BATCH_ROWS || flush(sh, inner);
}

/* The number of the value's shape; set.count when it has none. The shape of the row before is the likeliest. */
static uint32_t shape_of(struct shaping *sh, rf_str value, rf_str *leaves)
{
    const struct shape_set *set = &sh->set;
    if (shape_match(set, &set->shapes[sh->last], value, false, leaves)) return sh->last;
    for (uint32_t i = 0; i < set->count; i++) {
        if (i == sh->last || !shape_match(set, &set->shapes[i], value, false, leaves)) continue;
        sh->last = i;
        return i;
    }
    return set->count;
}

static bool add_row(struct shaping *sh, uint32_t place)
{
    rf_str leaves[SHAPE_LEAVES_MAX], value = value_at(sh, place);
    uint32_t number = shape_of(sh, value, leaves), block = place / EXTENT_BLOCK_ROWS;
    sh->codes[place] = number == sh->set.count ? 0 : number + 1;
    if (number == sh->set.count) return add_value(sh, 0, block, value);
    const struct shape *shape = &sh->set.shapes[number];
    for (uint32_t i = 0; i < shape->op_count; i++) {
        const struct shape_op *op = &shape->ops[i];
        if (!op->bag && !add_value(sh, op->number + 1u, block, leaves[op->number])) return false;
    }
    return true;
}

static bool fill_columns(struct shaping *sh)
{
    for (uint32_t place = 0; place < sh->s->w->rows; place++)
        if (!add_row(sh, place)) return false;
    for (uint32_t i = 0; i < sh->inner_count; i++)
        if (!end_column(sh, i)) return false;
    return true;
}

/* ---- which form is smaller ------------------------------------------------------------------------------------- */

static uint64_t scaled(size_t sample_bytes, uint32_t sample, uint32_t count)
{
    return sample == 0 ? 0 : (uint64_t)sample_bytes * count / sample;
}

/* What `count` texts take when they are packed, by those in the middle; UINT64_MAX: lack of memory. */
static uint64_t texts_bytes(struct shaping *sh, rf_str (*text)(const void *state, uint32_t i),
                            const void *state, uint32_t count)
{
    struct seal *s = sh->s;
    uint32_t sample = RF_MIN(count, (uint32_t)SAMPLE_ROWS), from = (count - sample) / 2;
    s->items.len = s->chunk.len = 0;
    if (!block_buf_reserve(&s->items, sample * sizeof(rf_str))) return UINT64_MAX;
    rf_str *items = (rf_str *)(void *)s->items.ptr;
    for (uint32_t i = 0; i < sample; i++) items[i] = text(state, from + i);
    if (sample > 0 && !block_texts_encode(&s->w->codec, &s->chunk, items, sample))
        return UINT64_MAX;
    return scaled(s->chunk.len, sample, count);
}

static rf_str entry_at(const void *state, uint32_t i) { return writer_entry(state, i); }
static rf_str placed_at(const void *state, uint32_t i) { return writer_placed(state, i); }

static uint64_t cells_bytes(struct shaping *sh, const struct writer_column *c, const void *cells,
                            size_t width, uint32_t count)
{
    struct seal *s = sh->s;
    uint32_t sample = RF_MIN(count, (uint32_t)SAMPLE_ROWS), from = (count - sample) / 2;
    bool good;
    if (count == 0) return 0;
    const uint8_t *at = (const uint8_t *)cells + from * width;
    s->chunk.len = 0;
    if (c != NULL && c->def.type == TYPE_REAL)
        good =
            block_reals_encode(&s->w->codec, &s->chunk, (const double *)(const void *)at, sample);
    else
        good = block_ints_encode(&s->chunk, &(struct block_cells){at, (uint8_t)width, sample});
    return good ? scaled(s->chunk.len, sample, count) : UINT64_MAX;
}

static uint64_t column_bytes(struct shaping *sh, uint32_t inner)
{
    const struct writer_column *c = &sh->inner[inner];
    uint32_t rows = sh->batches[inner].rows;
    if (c->storage == EXTENT_TEXTS) return texts_bytes(sh, placed_at, c, rows);
    uint64_t bytes =
        cells_bytes(sh, c, c->cells.ptr, c->storage == EXTENT_DICT ? 4 : cell_bytes(c), rows);
    if (c->storage != EXTENT_DICT || bytes == UINT64_MAX) return bytes;
    uint64_t dict = texts_bytes(sh, entry_at, c, writer_entries(c));
    return dict == UINT64_MAX ? dict : bytes + dict;
}

static bool is_smaller(struct shaping *sh)
{
    uint32_t rows = sh->s->w->rows;
    uint64_t texts = texts_bytes(sh, value_at, sh, rows),
             shapes = cells_bytes(sh, NULL, sh->codes, 4, rows);
    if (texts == UINT64_MAX || shapes == UINT64_MAX) return false;
    shapes += sh->set_bytes.len;
    for (uint32_t i = 0; i < sh->inner_count && shapes < texts; i++) {
        uint64_t bytes = column_bytes(sh, i);
        shapes += RF_MIN(bytes, texts);
        for (uint32_t k = 0; k < sh->block_count; k++)
            if (sh->block_rows[(size_t)i * sh->block_count + k] > 0) shapes += COLUMN_BLOCK_BYTES;
    }
    return shapes < texts;
}

/* ---- writing ------------------------------------------------------------------------------------------------------- */

static enum rf_kind no_memory(struct shaping *sh, struct rf_err *err)
{
    return block_no_memory(err, sh->s->w->options.budget);
}

/* The codes, and the terms of the values. Entries of the blocks are left in `entries`. */
static enum rf_kind put_codes(struct shaping *sh, struct term_index_builder *terms,
                              struct block_buf *entries, struct rf_err *err)
{
    struct seal *s = sh->s;
    s->blocks.len = 0;
    for (uint32_t from = 0; from < s->w->rows; from += EXTENT_BLOCK_ROWS) {
        uint32_t count = RF_MIN((uint32_t)EXTENT_BLOCK_ROWS, s->w->rows - from);
        struct block_stats stats = {0};
        struct extent_region region;
        s->block.len = s->items.len = 0;
        if (!block_buf_reserve(&s->items, count * sizeof(rf_str)) || !block_buf_u32(&s->block, 0) ||
            !block_ints_encode(&s->block, &(struct block_cells){sh->codes + from, 4, count}))
            return no_memory(sh, err);
        RF_TRY(extent_file_region(&s->file, &s->block, &region, err));
        rf_str *items = (rf_str *)(void *)s->items.ptr;
        for (uint32_t i = 0; i < count; i++) items[i] = value_at(sh, from + i);
        for (uint32_t i = 0; i < count; i++) stats.nulls += items[i].len == 0;
        if (terms != NULL) seal_index_granules(terms, sh->column, items, count);
        if (!seal_block_entry(s, &region, &stats)) return no_memory(sh, err);
    }
    return block_buf_put(entries, s->blocks.ptr, s->blocks.len) ? RF_OK : no_memory(sh, err);
}

static enum rf_kind put_inner(struct shaping *sh, uint32_t inner, struct rf_err *err)
{
    struct seal *s = sh->s;
    const struct writer_column *c = &sh->inner[inner];
    if (!block_buf_u8(&s->footer, c->def.type) || !block_buf_u8(&s->footer, c->storage))
        return no_memory(sh, err);
    if (c->storage == EXTENT_DICT) RF_TRY(seal_dictionary(s, c, err));
    RF_TRY(seal_inner_blocks(s, c, sh->block_rows + (size_t)inner * sh->block_count, err));
    return block_buf_put(&s->footer, s->blocks.ptr, s->blocks.len) ? RF_OK : no_memory(sh, err);
}

static enum rf_kind put_columns(struct shaping *sh, struct rf_err *err)
{
    struct seal *s = sh->s;
    const struct extent_column *def = &sh->column->def;
    struct extent_region region;
    RF_TRY(extent_file_region(&s->file, &sh->set_bytes, &region, err));
    bool good = block_buf_u16(&s->footer, (uint16_t)def->name.len) &&
                block_buf_put(&s->footer, def->name.ptr, def->name.len) &&
                block_buf_u8(&s->footer, def->type) && block_buf_u8(&s->footer, EXTENT_SHAPES) &&
                block_buf_u32(&s->footer, sh->set.count + 1) &&
                extent_put_region(&s->footer, &region) &&
                block_buf_u16(&s->footer, (uint16_t)sh->inner_count);
    if (!good) return no_memory(sh, err);
    const uint32_t *order = s->order;
    s->order = NULL; /* the columns within were filled in order */
    enum rf_kind kind = RF_OK;
    for (uint32_t i = 0; i < sh->inner_count && kind == RF_OK; i++) kind = put_inner(sh, i, err);
    s->order = order;
    return kind;
}

static enum rf_kind put(struct shaping *sh, struct term_index_builder *terms, struct rf_err *err)
{
    struct block_buf entries = block_buf_in(sh->s->w->options.budget);
    enum rf_kind kind = put_codes(sh, terms, &entries, err);
    if (kind == RF_OK) kind = put_columns(sh, err);
    if (kind == RF_OK && terms != NULL) kind = seal_terms(sh->s, terms, err);
    bool good = terms != NULL || block_buf_u8(&sh->s->footer, 0);
    good = good && block_buf_put(&sh->s->footer, entries.ptr, entries.len);
    block_buf_done(&entries);
    return kind == RF_OK && !good ? no_memory(sh, err) : kind;
}

/* Finds the shapes and fills the columns. False: the column stays as it is, also on lack of memory, as the other form needs
 * less. */
static bool prepare(struct shaping *sh)
{
    struct shape_source source = {value_at, sh, sh->s->w->rows};
    bool found;
    if (!shape_find(&source, sh->s->w->options.budget, &sh->set_bytes, &found) || !found)
        return false;
    if (shape_set_parse(block_buf_view(&sh->set_bytes), &sh->arena, &sh->set, NULL) != RF_OK)
        return false;
    return make_columns(sh) && fill_columns(sh) && is_smaller(sh);
}

enum rf_kind seal_shapes(struct seal *s, const struct writer_column *c,
                         struct term_index_builder *terms, bool *done, struct rf_err *err)
{
    struct shaping sh = {.s = s, .column = c, .set_bytes = block_buf_in(s->w->options.budget)};
    enum rf_kind kind = RF_OK;
    *done = false;
    if (s->w->rows < ROWS_MIN) return RF_OK;
    rf_arena_init_shared(&sh.arena, s->w->options.budget);
    *done = prepare(&sh);
    if (*done) kind = put(&sh, terms, err);
    for (uint32_t i = 0; i < sh.inner_count; i++) writer_column_done(&sh.inner[i]);
    block_buf_done(&sh.set_bytes);
    rf_arena_done(&sh.arena);
    return kind;
}
