/* sorter.c - kept rows put into order.
 *
 * What is moved about while sorting is an item: the number of a row and one word, which orders like the first bytes of its key.
 * Only among rows whose words are equal the next word is fetched: further bytes of a text, then the next key. Every step keeps
 * equal rows in their order, so the whole does. With several workers items go to buckets by ranges of the first word, and
 * the buckets are sorted side by side. */
#define _GNU_SOURCE /* qsort_r */
#include "kql/sorter.h"

#include <stdlib.h>

#include "base/pool.h"
#include "kql/sort_keys.h"

static uint32_t chunk_of(uint32_t row) { return row / BATCH_ROWS; }

static const void *column_cells(const struct sorter *s, uint32_t column, uint32_t row)
{
    return s->cells[(size_t)column * s->chunk_count + chunk_of(row)];
}

static bool cell_null(const struct sorter *s, uint32_t column, uint32_t row)
{
    const uint8_t *nulls = s->nulls[(size_t)column * s->chunk_count + chunk_of(row)];
    return nulls != NULL && nulls[row % BATCH_ROWS] != 0;
}

static rf_str text_at(const struct sorter *s, uint32_t column, uint32_t row)
{
    return ((const rf_str *)column_cells(s, column, row))[row % BATCH_ROWS];
}

static struct value cell_value(const struct sorter *s, uint32_t column, uint32_t row)
{
    uint8_t null = cell_null(s, column, row);
    uint32_t place = row % BATCH_ROWS;
    uint8_t type = s->layout->types[column];
    if (null != 0) return value_null((enum type)type);
    struct vec v = {.type = type, .shape = VEC_FLAT, .data = column_cells(s, column, row)};
    return vec_value(&v, place);
}

enum rf_kind sorter_init(struct sorter *s, const struct sort_layout *layout,
                         const struct rows *const *runs, uint32_t run_count, struct rf_arena *arena,
                         struct rf_err *err)
{
    uint64_t chunks = 0, at = 0;
    uint32_t columns = layout->column_count, chunk = 0;
    *s = (struct sorter){.layout = layout, .run_count = run_count};
    for (uint32_t r = 0; r < run_count; r++)
        chunks += (rows_count(runs[r]) + BATCH_ROWS - 1) / BATCH_ROWS;
    if (chunks > UINT32_MAX / BATCH_ROWS)
        return RF_FAIL(err, RF_LIMIT, "TooManyRows", "sort takes at most %u rows", UINT32_MAX);
    s->chunk_count = (uint32_t)chunks;
    s->cells = rf_arena_raw(arena, const void *, columns *chunks);
    s->nulls = rf_arena_raw(arena, const uint8_t *, columns *chunks);
    s->has_nulls = rf_arena_new(arena, bool, columns);
    s->run_starts = rf_arena_new(arena, uint64_t, (size_t)run_count + 1);
    s->items = rf_arena_raw(arena, struct sort_item, chunks * BATCH_ROWS);
    if (s->cells == NULL || s->nulls == NULL || s->has_nulls == NULL || s->run_starts == NULL ||
        s->items == NULL)
        return rf_fail_memory(err, arena);
    RF_CLEANUP(rf_arena_done) struct rf_arena views;
    rf_arena_init_shared(&views, layout->exec->budget);
    for (uint32_t r = 0; r < run_count; r++) {
        uint64_t count = rows_count(runs[r]);
        for (uint64_t from = 0; from < count; from += BATCH_ROWS, chunk++) {
            struct batch batch;
            rf_arena_reset(&views);
            if (!rows_batch(runs[r], from, &views, &batch)) return rf_fail_memory(err, arena);
            for (uint32_t c = 0; c < columns; c++) {
                s->cells[c * chunks + chunk] = batch.columns[c].data;
                s->nulls[c * chunks + chunk] = batch.columns[c].nulls;
                s->has_nulls[c] = s->has_nulls[c] || batch.columns[c].nulls != NULL;
            }
            for (uint32_t i = 0; i < batch.row_count; i++)
                s->items[at++].row = chunk * BATCH_ROWS + i;
        }
        s->run_starts[r + 1] = at;
    }
    return RF_OK;
}

uint64_t sorter_count(const struct sorter *s) { return s->run_starts[s->run_count]; }

enum { FETCH_AHEAD = 16 };

/* Words of key `k` at `offset`. */
static void load_words(const struct sorter *s, uint32_t k, size_t offset, struct sort_item *items,
                       uint64_t count)
{
    const struct sort_key *key = &s->layout->keys[k];
    uint32_t column = s->layout->key_columns[k];
    enum type type = (enum type)s->layout->types[column];
    uint64_t flip = sort_key_flip(key);
    for (uint64_t i = 0; i < count; i++) {
        if (i + FETCH_AHEAD < count) {
            uint32_t row = items[i + FETCH_AHEAD].row;
            __builtin_prefetch((const uint8_t *)column_cells(s, column, row) +
                               row % BATCH_ROWS * (size_t)type_cell_bytes[type]);
            if (type == TYPE_STRING)
                __builtin_prefetch(text_at(s, column, items[i + FETCH_AHEAD / 2].row).ptr + offset);
        }
        uint32_t row = items[i].row;
        items[i].word =
            sort_cell_word(type, column_cells(s, column, row), row % BATCH_ROWS, offset) ^ flip;
    }
    for (uint64_t i = 0; i < count && s->has_nulls[column]; i++)
        if (cell_null(s, column, items[i].row)) items[i].word = sort_null_word(key);
}

/* Words that put nulls where they belong among values with the same word. */
static void load_null_words(const struct sorter *s, uint32_t k, struct sort_item *items,
                            uint64_t count)
{
    bool first = s->layout->keys[k].nulls_first;
    for (uint64_t i = 0; i < count; i++)
        items[i].word = cell_null(s, s->layout->key_columns[k], items[i].row) != first;
}

enum { INSERTION_MAX = 16, MERGE_MAX = 4096, RADIX_BITS = 11, RADIX_SIZE = 1 << RADIX_BITS };

static void sort_by_insertion(struct sort_item *items, uint64_t count)
{
    for (uint64_t i = 1; i < count; i++) {
        struct sort_item item = items[i];
        uint64_t at = i;
        for (; at > 0 && items[at - 1].word > item.word; at--) items[at] = items[at - 1];
        items[at] = item;
    }
}

static void merge_items(const struct sort_item *a, uint64_t a_count, const struct sort_item *b,
                        uint64_t b_count, struct sort_item *out)
{
    uint64_t i = 0, j = 0;
    while (i < a_count && j < b_count) {
        bool second = b[j].word < a[i].word;
        *out++ = second ? b[j] : a[i];
        j += second;
        i += !second;
    }
    if (i < a_count) memcpy(out, a + i, (a_count - i) * sizeof *out);
    if (j < b_count) memcpy(out, b + j, (b_count - j) * sizeof *out);
}

static void sort_by_merging(struct sort_item *items, struct sort_item *scratch, uint64_t count)
{
    struct sort_item *from = items, *to = scratch;
    for (uint64_t i = 0; i < count; i += INSERTION_MAX)
        sort_by_insertion(items + i, RF_MIN(count - i, (uint64_t)INSERTION_MAX));
    for (uint64_t width = INSERTION_MAX; width < count; width *= 2) {
        for (uint64_t i = 0; i < count; i += 2 * width) {
            uint64_t a = RF_MIN(width, count - i), b = RF_MIN(width, count - i - a);
            merge_items(from + i, a, from + i + a, b, to + i);
        }
        struct sort_item *swap = from;
        from = to;
        to = swap;
    }
    if (from != items) memcpy(items, from, count * sizeof *items);
}

/* From the lowest digits to the highest, as far as words differ. */
static void sort_by_digits(struct sort_item *items, struct sort_item *scratch, uint64_t count,
                           uint64_t min, uint64_t max)
{
    struct sort_item *from = items, *to = scratch;
    for (uint32_t shift = 0; shift < 64 && (max - min) >> shift != 0; shift += RADIX_BITS) {
        uint64_t places[RADIX_SIZE] = {0}, at = 0;
        for (uint64_t i = 0; i < count; i++)
            places[(from[i].word - min) >> shift & (RADIX_SIZE - 1)]++;
        if (places[(from[0].word - min) >> shift & (RADIX_SIZE - 1)] == count) continue;
        for (uint32_t d = 0; d < RADIX_SIZE; d++) {
            uint64_t here = places[d];
            places[d] = at;
            at += here;
        }
        for (uint64_t i = 0; i < count; i++)
            to[places[(from[i].word - min) >> shift & (RADIX_SIZE - 1)]++] = from[i];
        struct sort_item *swap = from;
        from = to;
        to = swap;
    }
    if (from != items) memcpy(items, from, count * sizeof *items);
}

/* Orders items by their words; those with equal ones stay in order. */
static void sort_words(struct sort_item *items, struct sort_item *scratch, uint64_t count)
{
    uint64_t min = items[0].word, max = min;
    bool in_order = true;
    for (uint64_t i = 1; i < count; i++) {
        in_order = in_order && items[i].word >= items[i - 1].word;
        min = RF_MIN(min, items[i].word);
        max = RF_MAX(max, items[i].word);
    }
    if (in_order) return;
    if (count <= INSERTION_MAX)
        sort_by_insertion(items, count);
    else if (count <= MERGE_MAX)
        sort_by_merging(items, scratch, count);
    else
        sort_by_digits(items, scratch, count, min, max);
}

static size_t common_prefix(const uint8_t *a, const uint8_t *b, size_t count)
{
    size_t i = 0;
    for (; i + 8 <= count; i += 8) {
        uint64_t x, y;
        memcpy(&x, a + i, 8);
        memcpy(&y, b + i, 8);
        if (x != y) return i + (size_t)__builtin_ctzll(x ^ y) / 8;
    }
    while (i < count && a[i] == b[i]) i++;
    return i;
}

/* How many bytes all these texts have in common, or fewer; *same when they are equal. They have `offset` at least. */
static size_t texts_in_common(const struct sorter *s, uint32_t column,
                              const struct sort_item *items, uint64_t count, size_t offset,
                              bool *same)
{
    rf_str first = text_at(s, column, items[0].row);
    size_t common = first.len;
    *same = true;
    for (uint64_t i = 1; i < count; i++) {
        if (i + FETCH_AHEAD < count)
            __builtin_prefetch(text_at(s, column, items[i + FETCH_AHEAD].row).ptr + offset);
        rf_str text = text_at(s, column, items[i].row);
        if (text.ptr == first.ptr && text.len == first.len) continue;
        size_t most = RF_MIN(common, text.len);
        if (most > offset)
            most = offset + common_prefix(first.ptr + offset, text.ptr + offset, most - offset);
        *same = *same && text.len == first.len && most == first.len;
        common = RF_MIN(common, most);
        if (!*same && common < offset + SORT_TEXT_STEP)
            return offset; /* not worth a walk over all */
    }
    return RF_MAX(common, offset);
}

struct cmp_context {
    const struct sorter *sorter;
    uint32_t key; /* from this one on */
};

static int items_cmp(const void *x, const void *y, void *context)
{
    const struct cmp_context *ctx = context;
    const struct sort_layout *layout = ctx->sorter->layout;
    uint32_t a = ((const struct sort_item *)x)->row, b = ((const struct sort_item *)y)->row;
    for (uint32_t k = ctx->key; k < layout->key_count; k++) {
        struct value v = cell_value(ctx->sorter, layout->key_columns[k], a),
                     w = cell_value(ctx->sorter, layout->key_columns[k], b);
        int c = sort_key_cmp(&layout->keys[k], &v, &w);
        if (c != 0) return c;
    }
    return a < b ? -1 : a > b;
}

/* Items that are equal in all that was looked at so far, and what to look at next. */
struct part {
    uint64_t from, count, at; /* `at`: items before it are in their final order */
    uint32_t key;
    size_t offset;
    bool nulls; /* nulls are to be told from values with the same word */
    bool sorted;
};

/* Orders a part by its next words. */
static void part_sort(const struct sorter *s, struct part *p)
{
    const struct sort_layout *layout = s->layout;
    struct sort_item *items = s->items + p->from;
    p->sorted = true;
    enum type type = (enum type)layout->types[layout->key_columns[p->key]];
    if (!sort_has_words(type)) {
        struct cmp_context context = {s, p->key};
        qsort_r(items, p->count, sizeof *items, items_cmp, &context);
        p->at = p->count;
        return;
    }
    if (p->nulls)
        load_null_words(s, p->key, items, p->count);
    else if (p->offset > 0 || p->key > 0 || s->bucket_count == 0)
        load_words(s, p->key, p->offset, items, p->count);
    sort_words(items, s->scratch + p->from, p->count);
}

/* What decides among `count` items of a part that have equal words; false when nothing does. */
static bool part_next(const struct sorter *s, const struct part *p, uint64_t from, uint64_t count,
                      struct part *next)
{
    const struct sort_layout *layout = s->layout;
    const struct sort_key *key = &layout->keys[p->key];
    uint32_t column = layout->key_columns[p->key];
    uint64_t word = s->items[from].word;
    *next = (struct part){.from = from, .count = count, .key = p->key, .offset = p->offset};
    if (p->offset == 0 && !p->nulls && s->has_nulls[column] && word == sort_null_word(key)) {
        next->nulls = true;
        return true;
    }
    if (layout->types[column] == TYPE_GUID && p->offset == 0) {
        next->offset = 8;
        return true;
    }
    if (layout->types[column] == TYPE_STRING && !p->nulls &&
        ((word ^ sort_key_flip(key)) & UINT8_MAX) == SORT_TEXT_GOES_ON) {
        bool same;
        next->offset =
            texts_in_common(s, column, s->items + from, count, p->offset + SORT_TEXT_STEP, &same);
        if (!same) return true;
    }
    next->key++;
    next->offset = 0;
    return next->key < layout->key_count;
}

/* Sorts items from..from+count-1, with a stack of the parts that are open: a text's parts nest. */
static enum rf_kind sort_range(const struct sorter *s, uint64_t from, uint64_t count,
                               struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init_shared(&arena, s->layout->exec->budget);
    size_t depth = 1, cap = 64;
    struct part *stack = rf_arena_raw(&arena, struct part, cap);
    if (stack == NULL) return rf_fail_memory(err, &arena);
    if (count < 2 || s->layout->key_count == 0) return RF_OK;
    stack[0] = (struct part){.from = from, .count = count};
    while (depth > 0) {
        struct part *p = &stack[depth - 1], next;
        if (!p->sorted) {
            if (exec_cancelled(s->layout->exec))
                return RF_FAIL(err, RF_CANCELLED, "QueryCancelled", "the query was cancelled");
            part_sort(s, p);
        }
        const struct sort_item *items = s->items + p->from;
        uint64_t at = p->at, end = at + 1;
        while (end < p->count && items[end].word != items[end - 1].word) at = end++;
        if (end >= p->count) {
            depth--;
            continue;
        }
        while (end < p->count && items[end].word == items[at].word) end++;
        p->at = end;
        if (!part_next(s, p, p->from + at, end - at, &next)) continue;
        if (depth == cap) {
            struct part *grown =
                rf_arena_grow(&arena, stack, cap * sizeof *stack, 2 * cap * sizeof *stack);
            if (grown == NULL) return rf_fail_memory(err, &arena);
            stack = grown;
            cap *= 2;
        }
        stack[depth++] = next;
    }
    return RF_OK;
}

/* ---- side by side ------------------------------------------------------------------------------------------- */

enum {
    BUCKETS_PER_WORKER = 4,
    SAMPLES = 8 * SORT_BUCKETS_MAX,
    SHARED_ROWS_MIN = 1 << 15 /* fewer are sorted sooner than workers are woken */
};

/* How many splitters are at most `word`. No branches, as nothing tells which way they would go. */
static uint32_t bucket_of(const struct sorter *s, uint64_t word)
{
    uint32_t bucket = 0;
    for (uint32_t step = s->bucket_step; step > 0; step /= 2)
        bucket += s->splitters[bucket + step - 1] <= word ? step : 0;
    return RF_MIN(bucket, s->bucket_count - 1);
}

static enum rf_kind load_run(void *ctx, size_t run, unsigned worker, struct rf_err *err)
{
    struct sorter *s = ctx;
    uint64_t from = s->run_starts[run], count = s->run_starts[run + 1] - from;
    (void)worker, (void)err;
    load_words(s, 0, 0, s->items + from, count);
    return RF_OK;
}

static enum rf_kind count_run(void *ctx, size_t run, unsigned worker, struct rf_err *err)
{
    struct sorter *s = ctx;
    (void)worker, (void)err;
    for (uint64_t i = s->run_starts[run]; i < s->run_starts[run + 1]; i++)
        s->bucket_at[run * s->bucket_count + bucket_of(s, s->items[i].word)]++;
    return RF_OK;
}

static enum rf_kind deal_run(void *ctx, size_t run, unsigned worker, struct rf_err *err)
{
    struct sorter *s = ctx;
    uint64_t *at = s->bucket_at + run * s->bucket_count;
    (void)worker, (void)err;
    for (uint64_t i = s->run_starts[run]; i < s->run_starts[run + 1]; i++)
        s->scratch[at[bucket_of(s, s->items[i].word)]++] = s->items[i];
    return RF_OK;
}

static enum rf_kind sort_bucket(void *ctx, size_t bucket, unsigned worker, struct rf_err *err)
{
    struct sorter *s = ctx;
    uint64_t from = s->bucket_starts[bucket];
    (void)worker;
    return sort_range(s, from, s->bucket_starts[bucket + 1] - from, err);
}

static int words_cmp(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* Ranges of words with about as many items each. */
static bool choose_splitters(struct sorter *s, uint32_t buckets, struct rf_arena *arena)
{
    uint64_t count = sorter_count(s), *words = rf_arena_raw(arena, uint64_t, SAMPLES);
    if (words == NULL) return false;
    for (uint64_t i = 0; i < SAMPLES; i++) words[i] = s->items[i * count / SAMPLES].word;
    qsort(words, SAMPLES, sizeof *words, words_cmp);
    s->bucket_count = 1;
    for (uint32_t b = 1; b < buckets; b++) {
        uint64_t word = words[(uint64_t)b * SAMPLES / buckets];
        if (s->bucket_count == 1 || word > s->splitters[s->bucket_count - 2])
            s->splitters[s->bucket_count++ - 1] = word;
    }
    for (uint32_t i = s->bucket_count - 1; i < SORT_BUCKETS_MAX; i++) s->splitters[i] = UINT64_MAX;
    for (s->bucket_step = 1; s->bucket_step * 2 < s->bucket_count;) s->bucket_step *= 2;
    s->bucket_at = rf_arena_new(arena, uint64_t, (size_t)s->run_count * s->bucket_count);
    s->bucket_starts = rf_arena_new(arena, uint64_t, (size_t)s->bucket_count + 1);
    return s->bucket_at != NULL && s->bucket_starts != NULL;
}

/* Counts become places: bucket by bucket, in each run by run. */
static void place_buckets(struct sorter *s)
{
    uint64_t at = 0;
    for (uint32_t b = 0; b < s->bucket_count; b++) {
        s->bucket_starts[b] = at;
        for (uint32_t r = 0; r < s->run_count; r++) {
            uint64_t *place = &s->bucket_at[(size_t)r * s->bucket_count + b], here = *place;
            *place = at;
            at += here;
        }
    }
    s->bucket_starts[s->bucket_count] = at;
}

static enum rf_kind sort_shared(struct sorter *s, struct rf_arena *arena, struct rf_err *err)
{
    struct exec *exec = s->layout->exec;
    struct pool *pool;
    RF_TRY(exec_pool(exec, &pool, err));
    RF_TRY(pool_run(pool, s->run_count, load_run, s, err));
    if (!choose_splitters(
            s, RF_MIN(exec->worker_count * BUCKETS_PER_WORKER, (uint32_t)SORT_BUCKETS_MAX), arena))
        return rf_fail_memory(err, arena);
    RF_TRY(pool_run(pool, s->run_count, count_run, s, err));
    place_buckets(s);
    RF_TRY(pool_run(pool, s->run_count, deal_run, s, err));
    struct sort_item *swap = s->items;
    s->items = s->scratch;
    s->scratch = swap;
    return pool_run(pool, s->bucket_count, sort_bucket, s, err);
}

enum rf_kind sorter_sort(struct sorter *s, bool alone, struct rf_arena *arena, struct rf_err *err)
{
    const struct sort_layout *layout = s->layout;
    struct exec *exec = layout->exec;
    uint64_t count = sorter_count(s);
    s->scratch = rf_arena_raw(arena, struct sort_item, count);
    if (s->scratch == NULL) return rf_fail_memory(err, arena);
    if (alone || exec->worker_count < 2 || exec->pool_busy || count < SHARED_ROWS_MIN ||
        layout->key_count == 0 || !sort_has_words((enum type)layout->types[layout->key_columns[0]]))
        return sort_range(s, 0, count, err);
    exec->pool_busy = true;
    enum rf_kind kind = sort_shared(s, arena, err);
    exec->pool_busy = false;
    return kind;
}

/* ---- sorted rows ------------------------------------------------------------------------------------------- */

#define GATHER_CELLS(cell_type)                                                                    \
    do {                                                                                           \
        cell_type *dst = to;                                                                       \
        for (uint32_t i = 0; i < count; i++) {                                                     \
            uint32_t row = items[i].row;                                                           \
            dst[i] = ((const cell_type *)cells[chunk_of(row)])[row % BATCH_ROWS];                  \
        }                                                                                          \
    } while (0)

static void gather_cells(enum type type, const void *const *cells, const struct sort_item *items,
                         uint32_t count, void *to)
{
    switch (type_cell_bytes[type]) {
    case 1:
        GATHER_CELLS(uint8_t);
        break;
    case 8:
        GATHER_CELLS(uint64_t);
        break;
    default:
        GATHER_CELLS(struct guid);
    }
}

bool sorter_gather(const struct sorter *s, uint64_t from, uint32_t count, uint32_t columns,
                   struct rf_arena *arena, struct batch *out)
{
    const struct sort_item *items = s->items + from;
    *out = (struct batch){.row_count = count,
                          .column_count = columns,
                          .columns = rf_arena_new(arena, struct vec, columns),
                          .arena = arena};
    if (out->columns == NULL) return false;
    for (uint32_t c = 0; c < columns; c++) {
        enum type type = (enum type)s->layout->types[c];
        struct vec *v = &out->columns[c];
        if (!vec_flat(arena, type, count, v)) return false;
        gather_cells(type, s->cells + (size_t)c * s->chunk_count, items, count,
                     (void *)(uintptr_t)v->data);
        if (!s->has_nulls[c]) continue;
        uint8_t *nulls = rf_arena_raw(arena, uint8_t, count), any = 0;
        if (nulls == NULL) return false;
        for (uint32_t i = 0; i < count; i++) any |= nulls[i] = cell_null(s, c, items[i].row);
        if (any != 0) v->nulls = nulls;
    }
    return true;
}
