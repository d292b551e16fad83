/* op_sort.c - sort, order, top: all rows by keys, or the first of them.
 *
 * Rows are kept in the order in which they came, lane by lane, keys that are no columns as further columns. What is moved
 * about while sorting is an item: the number of a row and one word, which orders like the first bytes of its key. Only among
 * rows whose words are equal the next word is fetched: further bytes of a text, then the next key. Every step keeps
 * equal rows in their order, so the whole does. With several workers items go to buckets by ranges of the first word, and
 * the buckets are sorted side by side. */
#define _GNU_SOURCE /* qsort_r */
#include <stddef.h>
#include <stdlib.h>

#include "base/pool.h"
#include "kql/bind_int.h"
#include "kql/op.h"

struct sort_node {
    struct node node;
    struct sort_key *keys;
    uint32_t key_count;
    uint64_t limit;
    struct node *scan; /* from which the rows come one by one, or NULL */
};

enum {
    SORT_SLACK_ROWS = 256,      /* rows beyond the limit that are kept before the best are chosen */
    SORT_LIMIT_SMALL = 1 << 20, /* up to this limit the best are chosen while rows come */
};

/* Kept rows: the input's columns, then the computed keys. With a limit there are two of them, used in turn: when one is full,
 * the best rows move to the other and the worst of those is the bar for rows to come. */
struct sort_run {
    struct rf_arena arena;
    struct rows *rows;
};
/* What one lane keeps. */
struct sort_lane {
    struct eval *eval; /* of computed keys */
    struct rf_arena arena;
    struct sort_run runs[2];
    uint32_t now;      /* which run is being filled */
    struct value *bar; /* keys of row limit - 1 of the present run: the worst one wanted; or NULL */
    uint64_t bar_word; /* of its first key */
};
struct sort_flow {
    struct flow flow;
    struct row_sieve sieve;
    struct exec *exec;
    const struct sort_node *sort;
    struct rf_arena arena;
    uint8_t *types; /* of the kept columns */
    uint32_t input_count, column_count;
    uint32_t *key_columns; /* where each key is among the kept columns */
    struct expr **computed;
    uint32_t computed_count;
    struct sort_lane *lanes;
    uint32_t lane_count;
};

/* ---- words ------------------------------------------------------------------------------------------------ */

enum { TEXT_STEP = 7, TEXT_GOES_ON = TEXT_STEP + 1 }; /* bytes of a text in a word */

static bool has_words(enum type type) { return type != TYPE_DECIMAL && type != TYPE_DYNAMIC; }

static uint64_t real_word(double r)
{
    uint64_t bits;
    if (r != r) return 0; /* below all others */
    if (r == 0) r = 0;    /* -0.0 */
    memcpy(&bits, &r, 8);
    return bits >> 63 ? ~bits : bits | UINT64_C(1) << 63;
}

static uint64_t load_be64(const uint8_t *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, 8);
    return __builtin_bswap64(word);
}

/* Seven bytes from `offset` on, then how many of them there are, 8 for more: a text that ends comes before those that go on,
 * and equal words with a count up to 7 are equal texts. */
static uint64_t text_word(rf_str s, size_t offset)
{
    size_t left = s.len > offset ? s.len - offset : 0;
    if (left > TEXT_STEP) return (load_be64(s.ptr + offset) & ~(uint64_t)UINT8_MAX) | TEXT_GOES_ON;
    uint8_t bytes[8] = {0};
    if (left > 0) memcpy(bytes, s.ptr + offset, left);
    return load_be64(bytes) | left;
}

static inline uint64_t cell_word(enum type type, const void *cells, uint32_t at, size_t offset)
{
    switch (type) {
    case TYPE_INT:
    case TYPE_LONG:
    case TYPE_DATETIME:
    case TYPE_TIMESPAN:
        return ((const uint64_t *)cells)[at] ^ UINT64_C(1) << 63;
    case TYPE_REAL:
        return real_word(((const double *)cells)[at]);
    case TYPE_BOOL:
        return ((const uint8_t *)cells)[at];
    case TYPE_STRING:
        return text_word(((const rf_str *)cells)[at], offset);
    case TYPE_GUID:
        return load_be64(((const struct guid *)cells)[at].bytes + offset);
    default:
        return 0; /* all are equal, and compared as values */
    }
}

static uint64_t key_flip(const struct sort_key *key) { return key->descending ? UINT64_MAX : 0; }

/* A null's word. Values may have the same: where both are met they are told apart afterwards. */
static uint64_t null_word(const struct sort_key *key) { return key->nulls_first ? 0 : UINT64_MAX; }

static uint64_t vec_word(const struct sort_key *key, const struct vec *v, uint32_t row)
{
    uint32_t at = vec_at(v, row);
    if (v->nulls != NULL && v->nulls[at] != 0) return null_word(key);
    return cell_word((enum type)v->type, v->data, at, 0) ^ key_flip(key);
}

static int key_cmp(const struct sort_key *key, const struct value *x, const struct value *y)
{
    if (x->null || y->null) {
        if (x->null && y->null) return 0;
        return x->null == key->nulls_first ? -1 : 1;
    }
    int c = value_cmp(x, y);
    return key->descending ? -c : c;
}

/* ---- sorting --------------------------------------------------------------------------------------------------- */

struct item {
    uint64_t word;
    uint32_t row; /* chunk * BATCH_ROWS + place; grows in the order of rows */
};

enum { BUCKETS_MAX = 256 };

/* The rows of several runs, one behind another, as chunks of at most BATCH_ROWS rows. */
struct sorter {
    const struct sort_flow *flow;
    const void **cells;    /* by column and chunk */
    const uint8_t **nulls; /* the same; NULL where none is null */
    bool *has_nulls;       /* by column */
    uint32_t chunk_count;
    struct item *items, *scratch;
    uint64_t *run_starts; /* by run: its first item; then how many items there are */
    uint32_t run_count;
    uint64_t splitters[BUCKETS_MAX]; /* ascending, then UINT64_MAX */
    uint32_t bucket_step;            /* the highest power of two below the number of buckets */
    uint64_t *bucket_at; /* by run and bucket, while items are dealt out: where the next one goes */
    uint64_t *bucket_starts;
    uint32_t bucket_count;
};

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
    uint8_t type = s->flow->types[column];
    if (null != 0) return value_null((enum type)type);
    struct vec v = {.type = type, .shape = VEC_FLAT, .data = column_cells(s, column, row)};
    return vec_value(&v, place);
}

/* Makes the table of chunks and an item for each row of the runs. */
static enum rf_kind sorter_init(struct sorter *s, const struct sort_flow *f,
                                struct sort_run *const *runs, uint32_t run_count,
                                struct rf_arena *arena, struct rf_err *err)
{
    uint64_t chunks = 0, at = 0;
    uint32_t columns = f->column_count, chunk = 0;
    *s = (struct sorter){.flow = f, .run_count = run_count};
    for (uint32_t r = 0; r < run_count; r++)
        chunks += (rows_count(runs[r]->rows) + BATCH_ROWS - 1) / BATCH_ROWS;
    if (chunks > UINT32_MAX / BATCH_ROWS)
        return RF_FAIL(err, RF_LIMIT, "TooManyRows", "sort takes at most %u rows", UINT32_MAX);
    s->chunk_count = (uint32_t)chunks;
    s->cells = rf_arena_raw(arena, const void *, columns *chunks);
    s->nulls = rf_arena_raw(arena, const uint8_t *, columns *chunks);
    s->has_nulls = rf_arena_new(arena, bool, columns);
    s->run_starts = rf_arena_new(arena, uint64_t, (size_t)run_count + 1);
    s->items = rf_arena_raw(arena, struct item, chunks * BATCH_ROWS);
    if (s->cells == NULL || s->nulls == NULL || s->has_nulls == NULL || s->run_starts == NULL ||
        s->items == NULL)
        return rf_fail_memory(err, arena);
    RF_CLEANUP(rf_arena_done) struct rf_arena views;
    rf_arena_init_shared(&views, f->exec->budget);
    for (uint32_t r = 0; r < run_count; r++) {
        uint64_t count = rows_count(runs[r]->rows);
        for (uint64_t from = 0; from < count; from += BATCH_ROWS, chunk++) {
            struct batch batch;
            rf_arena_reset(&views);
            if (!rows_batch(runs[r]->rows, from, &views, &batch)) return rf_fail_memory(err, arena);
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

static uint64_t sorter_count(const struct sorter *s) { return s->run_starts[s->run_count]; }

enum { FETCH_AHEAD = 16 };

/* Words of key `k` at `offset`. */
static void load_words(const struct sorter *s, uint32_t k, size_t offset, struct item *items,
                       uint64_t count)
{
    const struct sort_key *key = &s->flow->sort->keys[k];
    uint32_t column = s->flow->key_columns[k];
    enum type type = (enum type)s->flow->types[column];
    uint64_t flip = key_flip(key);
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
            cell_word(type, column_cells(s, column, row), row % BATCH_ROWS, offset) ^ flip;
    }
    for (uint64_t i = 0; i < count && s->has_nulls[column]; i++)
        if (cell_null(s, column, items[i].row)) items[i].word = null_word(key);
}

/* Words that put nulls where they belong among values with the same word. */
static void load_null_words(const struct sorter *s, uint32_t k, struct item *items, uint64_t count)
{
    bool first = s->flow->sort->keys[k].nulls_first;
    for (uint64_t i = 0; i < count; i++)
        items[i].word = cell_null(s, s->flow->key_columns[k], items[i].row) != first;
}

enum { INSERTION_MAX = 16, MERGE_MAX = 4096, RADIX_BITS = 11, RADIX_SIZE = 1 << RADIX_BITS };

static void sort_by_insertion(struct item *items, uint64_t count)
{
    for (uint64_t i = 1; i < count; i++) {
        struct item item = items[i];
        uint64_t at = i;
        for (; at > 0 && items[at - 1].word > item.word; at--) items[at] = items[at - 1];
        items[at] = item;
    }
}

static void merge_items(const struct item *a, uint64_t a_count, const struct item *b,
                        uint64_t b_count, struct item *out)
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

static void sort_by_merging(struct item *items, struct item *scratch, uint64_t count)
{
    struct item *from = items, *to = scratch;
    for (uint64_t i = 0; i < count; i += INSERTION_MAX)
        sort_by_insertion(items + i, RF_MIN(count - i, (uint64_t)INSERTION_MAX));
    for (uint64_t width = INSERTION_MAX; width < count; width *= 2) {
        for (uint64_t i = 0; i < count; i += 2 * width) {
            uint64_t a = RF_MIN(width, count - i), b = RF_MIN(width, count - i - a);
            merge_items(from + i, a, from + i + a, b, to + i);
        }
        struct item *swap = from;
        from = to;
        to = swap;
    }
    if (from != items) memcpy(items, from, count * sizeof *items);
}

/* From the lowest digits to the highest, as far as words differ. */
static void sort_by_digits(struct item *items, struct item *scratch, uint64_t count, uint64_t min,
                           uint64_t max)
{
    struct item *from = items, *to = scratch;
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
        struct item *swap = from;
        from = to;
        to = swap;
    }
    if (from != items) memcpy(items, from, count * sizeof *items);
}

/* Orders items by their words; those with equal ones stay in order. */
static void sort_words(struct item *items, struct item *scratch, uint64_t count)
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
static size_t texts_in_common(const struct sorter *s, uint32_t column, const struct item *items,
                              uint64_t count, size_t offset, bool *same)
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
        if (!*same && common < offset + TEXT_STEP) return offset; /* not worth a walk over all */
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
    const struct sort_flow *f = ctx->sorter->flow;
    uint32_t a = ((const struct item *)x)->row, b = ((const struct item *)y)->row;
    for (uint32_t k = ctx->key; k < f->sort->key_count; k++) {
        struct value v = cell_value(ctx->sorter, f->key_columns[k], a),
                     w = cell_value(ctx->sorter, f->key_columns[k], b);
        int c = key_cmp(&f->sort->keys[k], &v, &w);
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
    const struct sort_flow *f = s->flow;
    struct item *items = s->items + p->from;
    p->sorted = true;
    enum type type = (enum type)f->types[f->key_columns[p->key]];
    if (!has_words(type)) {
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
    const struct sort_flow *f = s->flow;
    const struct sort_key *key = &f->sort->keys[p->key];
    uint32_t column = f->key_columns[p->key];
    uint64_t word = s->items[from].word;
    *next = (struct part){.from = from, .count = count, .key = p->key, .offset = p->offset};
    if (p->offset == 0 && !p->nulls && s->has_nulls[column] && word == null_word(key)) {
        next->nulls = true;
        return true;
    }
    if (f->types[column] == TYPE_GUID && p->offset == 0) {
        next->offset = 8;
        return true;
    }
    if (f->types[column] == TYPE_STRING && !p->nulls &&
        ((word ^ key_flip(key)) & UINT8_MAX) == TEXT_GOES_ON) {
        bool same;
        next->offset =
            texts_in_common(s, column, s->items + from, count, p->offset + TEXT_STEP, &same);
        if (!same) return true;
    }
    next->key++;
    next->offset = 0;
    return next->key < f->sort->key_count;
}

/* Sorts items from..from+count-1, with a stack of the parts that are open: a text's parts nest. */
static enum rf_kind sort_range(const struct sorter *s, uint64_t from, uint64_t count,
                               struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init_shared(&arena, s->flow->exec->budget);
    size_t depth = 1, cap = 64;
    struct part *stack = rf_arena_raw(&arena, struct part, cap);
    if (stack == NULL) return rf_fail_memory(err, &arena);
    if (count < 2 || s->flow->sort->key_count == 0) return RF_OK;
    stack[0] = (struct part){.from = from, .count = count};
    while (depth > 0) {
        struct part *p = &stack[depth - 1], next;
        if (!p->sorted) {
            if (exec_cancelled(s->flow->exec))
                return RF_FAIL(err, RF_CANCELLED, "QueryCancelled", "the query was cancelled");
            part_sort(s, p);
        }
        const struct item *items = s->items + p->from;
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
    SAMPLES = 8 * BUCKETS_MAX,
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
    for (uint32_t i = s->bucket_count - 1; i < BUCKETS_MAX; i++) s->splitters[i] = UINT64_MAX;
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
    struct exec *exec = s->flow->exec;
    struct pool *pool;
    RF_TRY(exec_pool(exec, &pool, err));
    RF_TRY(pool_run(pool, s->run_count, load_run, s, err));
    if (!choose_splitters(s, RF_MIN(exec->worker_count * BUCKETS_PER_WORKER, (uint32_t)BUCKETS_MAX),
                          arena))
        return rf_fail_memory(err, arena);
    RF_TRY(pool_run(pool, s->run_count, count_run, s, err));
    place_buckets(s);
    RF_TRY(pool_run(pool, s->run_count, deal_run, s, err));
    struct item *swap = s->items;
    s->items = s->scratch;
    s->scratch = swap;
    return pool_run(pool, s->bucket_count, sort_bucket, s, err);
}

/* Puts s->items in order. */
static enum rf_kind sorter_sort(struct sorter *s, bool alone, struct rf_arena *arena,
                                struct rf_err *err)
{
    const struct sort_flow *f = s->flow;
    struct exec *exec = f->exec;
    uint64_t count = sorter_count(s);
    s->scratch = rf_arena_raw(arena, struct item, count);
    if (s->scratch == NULL) return rf_fail_memory(err, arena);
    if (alone || exec->worker_count < 2 || exec->pool_busy || count < SHARED_ROWS_MIN ||
        f->sort->key_count == 0 || !has_words((enum type)f->types[f->key_columns[0]]))
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

static void gather_cells(enum type type, const void *const *cells, const struct item *items,
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

/* The first `columns` columns of sorted rows from..from+count-1. */
static bool sorter_gather(const struct sorter *s, uint64_t from, uint32_t count, uint32_t columns,
                          struct rf_arena *arena, struct batch *out)
{
    const struct item *items = s->items + from;
    *out = (struct batch){.row_count = count,
                          .column_count = columns,
                          .columns = rf_arena_new(arena, struct vec, columns),
                          .arena = arena};
    if (out->columns == NULL) return false;
    for (uint32_t c = 0; c < columns; c++) {
        enum type type = (enum type)s->flow->types[c];
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

/* ---- the best of a lane -------------------------------------------------------------------------------------- */

static bool run_start(const struct sort_flow *f, struct sort_run *run)
{
    rf_arena_reset(&run->arena);
    run->rows = rows_new(&run->arena, f->types, f->column_count);
    return run->rows != NULL;
}

/* Moves the best `limit` rows into the other run, in order. */
static enum rf_kind run_cut(struct sort_flow *f, struct sort_lane *lane, struct rf_err *err)
{
    struct sort_run *from = &lane->runs[lane->now], *to = &lane->runs[1 - lane->now];
    uint64_t limit = f->sort->limit;
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    RF_CLEANUP(rf_arena_done) struct rf_arena batches;
    rf_arena_init_shared(&arena, f->exec->budget);
    rf_arena_init_shared(&batches, f->exec->budget);
    struct sorter sorter;
    RF_TRY(sorter_init(&sorter, f, &from, 1, &arena, err));
    RF_TRY(sorter_sort(&sorter, true, &arena, err));
    if (!run_start(f, to)) return rf_fail_memory(err, &to->arena);
    for (uint64_t at = 0; at < limit; at += BATCH_ROWS) {
        struct batch batch;
        rf_arena_reset(&batches);
        if (!sorter_gather(&sorter, at, (uint32_t)RF_MIN(limit - at, (uint64_t)BATCH_ROWS),
                           f->column_count, &batches, &batch) ||
            !rows_append(to->rows, &batch))
            return rf_fail_memory(err, &to->arena);
    }
    lane->now = 1 - lane->now;
    if (f->sort->key_count == 0) return RF_OK;
    if (lane->bar == NULL) lane->bar = rf_arena_new(&lane->arena, struct value, f->sort->key_count);
    if (lane->bar == NULL) return rf_fail_memory(err, &lane->arena);
    for (uint32_t k = 0; k < f->sort->key_count; k++)
        lane->bar[k] = rows_value(to->rows, limit - 1, f->key_columns[k]);
    struct vec first = {.type = lane->bar->type, .shape = VEC_CONST, .data = &lane->bar->d};
    uint8_t null = lane->bar->null;
    first.nulls = &null;
    lane->bar_word = vec_word(f->sort->keys, &first, 0);
    return RF_OK;
}

/* Rows of the batch that may still be among the first `limit`: better than the bar, ties lose as they came later. */
static uint32_t rows_below_bar(const struct sort_flow *f, const struct sort_lane *lane,
                               const struct batch *batch, uint32_t *rows)
{
    const struct sort_key *keys = f->sort->keys;
    const struct vec *first = &batch->columns[f->key_columns[0]];
    uint32_t n = 0;
    for (uint32_t i = 0; i < batch->row_count; i++) {
        uint64_t word = vec_word(keys, first, i);
        rows[n] = i;
        if (word != lane->bar_word) {
            n += word < lane->bar_word;
            continue;
        }
        int c = 0;
        for (uint32_t k = 0; k < f->sort->key_count && c == 0; k++) {
            struct value v = vec_value(&batch->columns[f->key_columns[k]], i);
            c = key_cmp(&keys[k], &v, &lane->bar[k]);
        }
        n += c < 0;
    }
    return n;
}

/* ---- the bar, for the scan below ---------------------------------------------------------------------- */

static struct sort_flow *of_sieve(struct row_sieve *sieve)
{
    return (struct sort_flow *)((char *)sieve - offsetof(struct sort_flow, sieve));
}

static bool sieve_ready(struct row_sieve *sieve, uint32_t lane)
{
    const struct value *bar = of_sieve(sieve)->lanes[lane].bar;
    return bar != NULL && !bar->null;
}

/* Rows whose first key is not beyond the bar's; of those that are equal the other keys decide later. */
static enum rf_kind sieve_keep(struct row_sieve *sieve, uint32_t lane, const struct vec *v,
                               uint32_t row_count, uint32_t *rows, uint32_t *kept,
                               struct rf_err *err)
{
    const struct sort_flow *f = of_sieve(sieve);
    const struct sort_key *key = &f->sort->keys[0];
    const struct value *bar = f->lanes[lane].bar;
    uint64_t bar_word = f->lanes[lane].bar_word;
    uint32_t n = 0;
    (void)err;
    if (v->nulls == NULL && type_is_i64((enum type)v->type)) {
        const int64_t *cells = v->data;
        for (uint32_t i = 0; i < row_count; i++) {
            int64_t cell = cells[vec_at(v, i)];
            rows[n] = i;
            n += key->descending ? cell >= bar->i : cell <= bar->i;
        }
    } else {
        for (uint32_t i = 0; i < row_count; i++) {
            uint64_t word = vec_word(key, v, i);
            rows[n] = i;
            if (word != bar_word) {
                n += word < bar_word;
                continue;
            }
            struct value cell = vec_value(v, i);
            n += key_cmp(key, &cell, bar) <= 0;
        }
    }
    *kept = n;
    return RF_OK;
}

/* ---- running -------------------------------------------------------------------------------------------- */

/* The input's columns with the computed keys behind them. */
static enum rf_kind with_keys(const struct sort_flow *f, struct sort_lane *lane,
                              const struct batch *in, struct batch *out, struct rf_err *err)
{
    *out = *in;
    if (f->computed_count == 0) return RF_OK;
    out->column_count = f->column_count;
    out->columns = rf_arena_raw(in->arena, struct vec, f->column_count);
    if (out->columns == NULL) return rf_fail_memory(err, in->arena);
    if (f->input_count > 0)
        memcpy(out->columns, in->columns, f->input_count * sizeof *out->columns);
    return eval_run(lane->eval, in, out->columns + f->input_count, err);
}

static enum rf_kind sort_push(struct flow *flow, uint32_t number, const struct batch *in,
                              struct rf_err *err)
{
    struct sort_flow *f = (struct sort_flow *)flow;
    struct sort_lane *lane = &f->lanes[number];
    struct batch batch;
    RF_TRY(with_keys(f, lane, in, &batch, err));
    if (lane->bar != NULL) {
        uint32_t *rows = rf_arena_raw(in->arena, uint32_t, in->row_count);
        if (rows == NULL) return rf_fail_memory(err, in->arena);
        uint32_t kept = rows_below_bar(f, lane, &batch, rows);
        if (kept == 0) return RF_OK;
        if (kept < in->row_count && !batch_select(&batch, rows, kept, &batch))
            return rf_fail_memory(err, in->arena);
    }
    struct sort_run *run = &lane->runs[lane->now];
    if (!rows_append(run->rows, &batch)) return rf_fail_memory(err, &run->arena);
    uint64_t limit = f->sort->limit;
    if (limit < SORT_LIMIT_SMALL && rows_count(run->rows) >= 2 * limit + SORT_SLACK_ROWS)
        return run_cut(f, lane, err);
    return RF_OK;
}

static enum rf_kind sort_emit(struct sort_flow *f, struct flow *out, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    RF_CLEANUP(rf_arena_done) struct rf_arena batches;
    rf_arena_init_shared(&arena, f->exec->budget);
    rf_arena_init_shared(&batches, f->exec->budget);
    struct sort_run **runs = rf_arena_new(&arena, struct sort_run *, f->lane_count);
    if (runs == NULL) return rf_fail_memory(err, &arena);
    for (uint32_t l = 0; l < f->lane_count; l++) runs[l] = &f->lanes[l].runs[f->lanes[l].now];
    struct sorter sorter;
    RF_TRY(sorter_init(&sorter, f, runs, f->lane_count, &arena, err));
    RF_TRY(sorter_sort(&sorter, false, &arena, err));
    uint64_t count = RF_MIN(sorter_count(&sorter), f->sort->limit);
    for (uint64_t at = 0; at < count && !flow_done(out); at += BATCH_ROWS) {
        struct batch batch;
        rf_arena_reset(&batches);
        if (!sorter_gather(&sorter, at, (uint32_t)RF_MIN(count - at, (uint64_t)BATCH_ROWS),
                           f->input_count, &batches, &batch))
            return rf_fail_memory(err, &batches);
        RF_TRY(flow_push(f->exec, out, 0, &batch, err));
    }
    return RF_OK;
}

/* Runs the input into the lanes, with the sieve held out to the scan below. */
static enum rf_kind sort_input(struct sort_flow *f, struct rf_err *err)
{
    struct exec *exec = f->exec;
    const struct sort_node *s = f->sort;
    struct row_sieve *outer = exec->sieve;
    const struct node *outer_scan = exec->sieved;
    const struct expr *first = s->key_count == 0 ? NULL : s->keys[0].expr;
    for (uint32_t l = 0; l < f->lane_count; l++) {
        struct sort_lane *lane = &f->lanes[l];
        if (!run_start(f, &lane->runs[0])) return rf_fail_memory(err, &lane->runs[0].arena);
        RF_TRY(eval_new(exec, &lane->arena, f->computed, f->computed_count,
                        &s->node.inputs[0]->schema, &lane->eval, err));
    }
    if (s->scan != NULL && first != NULL && first->kind == EXPR_COLUMN &&
        s->limit < SORT_LIMIT_SMALL) {
        f->sieve = (struct row_sieve){.column_ids = &first->column_id,
                                      .column_count = 1,
                                      .ready = sieve_ready,
                                      .keep = sieve_keep};
        exec->sieve = &f->sieve;
        exec->sieved = s->scan;
    }
    enum rf_kind kind = node_run(s->node.inputs[0], exec, &f->flow, err);
    exec->sieve = outer;
    exec->sieved = outer_scan;
    return kind;
}

/* Where each key is among the columns that are kept. */
static enum rf_kind place_keys(struct sort_flow *f, struct rf_err *err)
{
    const struct sort_node *s = f->sort;
    const struct schema *input = &s->node.inputs[0]->schema;
    f->input_count = f->column_count = input->count;
    f->types = rf_arena_new(&f->arena, uint8_t, (size_t)input->count + s->key_count);
    f->key_columns = rf_arena_new(&f->arena, uint32_t, s->key_count);
    f->computed = rf_arena_new(&f->arena, struct expr *, s->key_count);
    if (f->types == NULL || f->key_columns == NULL || f->computed == NULL)
        return rf_fail_memory(err, &f->arena);
    for (uint32_t i = 0; i < input->count; i++) f->types[i] = input->columns[i].type;
    for (uint32_t k = 0; k < s->key_count; k++) {
        struct expr *e = s->keys[k].expr;
        int at = e->kind == EXPR_COLUMN ? schema_find_id(input, e->column_id) : -1;
        if (at < 0) {
            at = (int)f->column_count;
            f->types[f->column_count++] = e->type;
            f->computed[f->computed_count++] = e;
        }
        f->key_columns[k] = (uint32_t)at;
    }
    return RF_OK;
}

static enum rf_kind sort_lanes(struct sort_flow *f, struct flow *out, struct rf_err *err)
{
    RF_TRY(place_keys(f, err));
    f->lanes = rf_arena_new(&f->arena, struct sort_lane, f->lane_count);
    if (f->lanes == NULL) return rf_fail_memory(err, &f->arena);
    for (uint32_t l = 0; l < f->lane_count; l++) {
        rf_arena_init_shared(&f->lanes[l].arena, f->exec->budget);
        for (int i = 0; i < 2; i++)
            rf_arena_init_shared(&f->lanes[l].runs[i].arena, f->exec->budget);
    }
    uint32_t outer = f->exec->lane_count;
    f->exec->lane_count = f->lane_count; /* lanes' rows stand in order: ties are settled alike */
    enum rf_kind kind = sort_input(f, err);
    f->exec->lane_count = outer;
    return kind == RF_OK ? sort_emit(f, out, err) : kind;
}

static enum rf_kind sort_run(struct node *node, struct exec *exec, struct flow *out,
                             struct rf_err *err)
{
    struct sort_node *s = (struct sort_node *)node;
    struct sort_flow f = {.flow = {.push = sort_push}, .exec = exec, .sort = s, .lane_count = 1};
    if (s->limit == 0) return RF_OK;
    if (s->limit < SORT_LIMIT_SMALL || node_on_lanes(node->inputs[0], exec))
        f.lane_count = exec->worker_count;
    rf_arena_init_shared(&f.arena, exec->budget);
    enum rf_kind kind = sort_lanes(&f, out, err);
    for (uint32_t l = 0; l < f.lane_count && f.lanes != NULL; l++) {
        eval_done(f.lanes[l].eval);
        for (int i = 0; i < 2; i++) rf_arena_done(&f.lanes[l].runs[i].arena);
        rf_arena_done(&f.lanes[l].arena);
    }
    rf_arena_done(&f.arena);
    return kind;
}

void sort_offer_limit(struct node *node, uint64_t limit)
{
    while (strcmp(node->ops->name, "project") == 0)
        node = node->inputs[0]; /* rows pass one by one */
    if (strcmp(node->ops->name, "sort") == 0)
        ((struct sort_node *)node)->limit = RF_MIN(((struct sort_node *)node)->limit, limit);
}

static void sort_prune(struct node *node, struct id_set *need)
{
    struct sort_node *s = (struct sort_node *)node;
    for (uint32_t i = 0; i < s->key_count; i++) id_set_add_expr(need, s->keys[i].expr);
    node_prune(node->inputs[0], need);
    node->schema = node->inputs[0]->schema;
}

static void sort_explain(const struct node *node, struct rf_buf *buf)
{
    const struct sort_node *s = (const struct sort_node *)node;
    for (uint32_t i = 0; i < s->key_count; i++) {
        if (i > 0) rf_buf_printf(buf, ", ");
        expr_explain(s->keys[i].expr, buf);
        rf_buf_printf(buf, s->keys[i].descending ? " desc" : " asc");
    }
    if (s->limit != UINT64_MAX) rf_buf_printf(buf, " limit %llu", (unsigned long long)s->limit);
}

static const struct node_ops sort_ops = {.name = "sort",
                                         .run = sort_run,
                                         .prune = sort_prune,
                                         .explain = sort_explain,
                                         .reads_paths = true,
                                         .same_columns = true};

enum rf_kind sort_node_new(struct binder *b, struct sort_key *keys, uint32_t key_count,
                           uint64_t limit, struct node *input, struct node **out)
{
    struct sort_node *s = node_new(b, sizeof *s, &sort_ops, input);
    if (s == NULL) return BIND_NOMEM(b);
    s->keys = keys;
    s->key_count = key_count;
    s->limit = limit;
    s->scan = scan_below(input);
    s->node.serialized = true;
    *out = &s->node;
    return RF_OK;
}

/* ---- text to node ---------------------------------------------------------------------------------- */

struct sort_item {
    struct ast *expr;
    bool ascending, nulls_given, nulls_first;
};
struct sort_body {
    struct ast *limit;
    struct sort_item *items;
    uint32_t count;
};

static enum rf_kind parse_items(struct parser *p, struct sort_body *body)
{
    uint32_t cap = 0;
    do {
        if (body->count == cap) {
            struct sort_item *grown = rf_arena_grow(p->arena, body->items, cap * sizeof *grown,
                                                    (cap + 8) * sizeof *grown);
            if (grown == NULL) return PARSE_NOMEM(p);
            body->items = grown;
            cap += 8;
        }
        struct sort_item *item = &body->items[body->count];
        *item = (struct sort_item){0};
        RF_TRY(parse_named_expr(p, &item->expr));
        if (parse_accept(p, "asc"))
            item->ascending = true;
        else
            (void)parse_accept(p, "desc");
        if (parse_accept(p, "nulls")) {
            item->nulls_given = true;
            item->nulls_first = parse_accept(p, "first");
            if (!item->nulls_first) RF_TRY(parse_expect(p, "last"));
        }
        body->count++;
    } while (parse_accept(p, ","));
    return RF_OK;
}

static const char *const sort_params[] = {"hint.*", NULL};

static enum rf_kind sort_parse(struct parser *p, struct ast *node)
{
    struct sort_body *body = rf_arena_new(p->arena, struct sort_body, 1);
    if (body == NULL) return PARSE_NOMEM(p);
    node->body = body;
    RF_TRY(parse_params(p, sort_params, node));
    RF_TRY(parse_expect(p, "by"));
    return parse_items(p, body);
}

static enum rf_kind top_parse(struct parser *p, struct ast *node)
{
    struct sort_body *body = rf_arena_new(p->arena, struct sort_body, 1);
    if (body == NULL) return PARSE_NOMEM(p);
    node->body = body;
    RF_TRY(parse_params(p, sort_params, node));
    RF_TRY(parse_expr(p, &body->limit));
    RF_TRY(parse_expect(p, "by"));
    return parse_items(p, body);
}

static enum rf_kind sort_bind(struct binder *b, const struct ast *node, struct node *input,
                              struct node **out)
{
    const struct sort_body *body = node->body;
    uint64_t limit = UINT64_MAX;
    if (body->limit != NULL) {
        struct value v;
        RF_TRY(bind_constant(b, body->limit, TYPE_LONG, &v));
        if (!v.null && v.i < 0)
            return bind_fail(b, body->limit->pos, "BadLimit",
                             "top needs a number of rows, 0 or more");
        limit = v.null ? 0 : (uint64_t)v.i;
    }
    struct sort_key *keys = rf_arena_new(b->arena, struct sort_key, body->count);
    if (keys == NULL) return BIND_NOMEM(b);
    for (uint32_t i = 0; i < body->count; i++) {
        const struct sort_item *item = &body->items[i];
        const struct ast *ast = item->expr->kind == AST_NAMED ? item->expr->kids[0] : item->expr;
        RF_TRY(bind_scalar(b, ast, &input->schema, &keys[i].expr));
        keys[i].descending = !item->ascending;
        keys[i].nulls_first = item->nulls_given ? item->nulls_first : item->ascending;
    }
    return sort_node_new(b, keys, body->count, limit, input, out);
}

const struct operator op_sort = {
    .name = "sort",
    .doc = "Orders the rows; descending unless asc is said; nulls last in descending order.",
    .syntax = "T | sort by Expression [asc|desc] [nulls first|last], ...",
    .parse = sort_parse,
    .bind = sort_bind};
const struct operator op_order = {.name = "order",
                                  .doc = "sort",
                                  .syntax = "T | order by ...",
                                  .hidden = true,
                                  .parse = sort_parse,
                                  .bind = sort_bind};
const struct operator op_top = {
    .name = "top",
    .doc = "The first N rows by an order; descending unless asc is said.",
    .syntax = "T | top N by Expression [asc|desc] [nulls first|last], ...",
    .parse = top_parse,
    .bind = sort_bind};
