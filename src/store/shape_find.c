/* Finding the shapes of a column: what most of a sample of its values look like. */
#include "store/shape.h"

#include <stdlib.h>

enum {
    SAMPLE_ROWS = 8192,
    CANDIDATES_MAX =
        1024, /* further ones are not counted: they are rare, or there are too many for any to pay */
    SLOTS = 4 * CANDIDATES_MAX,
    CANDIDATE_BYTES_MAX = 8 << 10,
    PATH_BYTES_MAX = SHAPE_DEPTH_MAX * (SHAPE_KEY_BYTES_MAX + 4),
    SHARE = 256 /* a shape is worth it for one row of so many */
};

/* A form of values: the ops of a shape whose leaves have no numbers yet. */
struct candidate {
    rf_str bytes;
    uint64_t hash;
    uint32_t op_count, rows;
};

struct finder {
    const struct shape_source *source;
    struct rf_arena arena;
    struct candidate *candidates;
    uint32_t candidate_count, op_count;
    uint16_t *slots; /* candidate + 1 */
    uint32_t step, sample_rows, null_rows;
    uint8_t *room; /* CANDIDATE_BYTES_MAX */
    rf_str *paths; /* of leaves */
    uint32_t path_count;
    struct block_buf *out;
    bool no_memory;
};

/* ---- the form of a value ------------------------------------------------------------------------------- */

struct put {
    uint8_t *to;
    size_t len;
    bool full;
};

static void put_bytes(struct put *put, const void *bytes, size_t len)
{
    put->full = put->full || len > CANDIDATE_BYTES_MAX - put->len;
    if (put->full) return;
    memcpy(put->to + put->len, bytes, len);
    put->len += len;
}

static void put_op(struct put *put, bool bag, uint32_t number)
{
    uint8_t op[3] = {bag};
    rf_put_u16le(op + 1, (uint16_t)number);
    put_bytes(put, op, sizeof op);
}

static void put_key(struct put *put, rf_str key)
{
    uint8_t head[4];
    put->full = put->full || key.len > SHAPE_KEY_BYTES_MAX;
    rf_put_u32le(head, (uint32_t)key.len);
    put_bytes(put, head, sizeof head);
    if (!put->full && key.len > 0) put_bytes(put, key.ptr, key.len);
}

/* Writes the ops of `value` into f->room; bags inside `depth_max` others are leaves. False: it is too long. */
static bool form_of(struct finder *f, rf_str value, uint32_t depth_max, rf_str *form)
{
    struct {
        rf_str bag;
        uint32_t next;
    } stack[SHAPE_DEPTH_MAX];
    struct put put = {.to = f->room};
    uint32_t depth = 0;
    rf_str key = {0};
    for (f->op_count = 0; value.len > 0;) {
        bool bag = dyn_tag(value) == DYN_BAG && depth < depth_max;
        if (++f->op_count > SHAPE_OPS_MAX) return false;
        if (bag && dyn_count(value) > SHAPE_OPS_MAX) return false;
        put_op(&put, bag, bag ? dyn_count(value) : 0);
        if (depth > 0) put_key(&put, key);
        if (bag) {
            stack[depth].bag = value;
            stack[depth++].next = 0;
        }
        while (depth > 0 && stack[depth - 1].next == dyn_count(stack[depth - 1].bag)) depth--;
        if (depth == 0 || put.full) break;
        dyn_entry(stack[depth - 1].bag, stack[depth - 1].next++, &key, &value);
    }
    *form = rf_str_make(f->room, put.len);
    return !put.full;
}

static struct candidate *find_candidate(struct finder *f, rf_str form)
{
    uint64_t hash = rf_hash(form.ptr, form.len, 0);
    uint32_t at = (uint32_t)hash & (SLOTS - 1);
    for (; f->slots[at] != 0; at = (at + 1) & (SLOTS - 1)) {
        struct candidate *c = &f->candidates[f->slots[at] - 1];
        if (c->hash == hash && rf_str_eq(c->bytes, form)) return c;
    }
    if (f->candidate_count == CANDIDATES_MAX) return NULL;
    struct candidate *c = &f->candidates[f->candidate_count];
    *c = (struct candidate){.hash = hash, .op_count = f->op_count};
    f->no_memory |= !rf_arena_str(&f->arena, form, &c->bytes);
    f->slots[at] = (uint16_t)++f->candidate_count;
    return c;
}

static rf_str sample_value(const struct finder *f, uint32_t i)
{
    /* Not every `step`-th: rows may take turns. */
    uint64_t row = (uint64_t)i * f->step + rf_hash_u64(i) % f->step;
    return f->source->value(f->source->state, (uint32_t)RF_MIN(row, f->source->row_count - 1u));
}

static void count_forms(struct finder *f, uint32_t depth_max)
{
    f->candidate_count = f->null_rows = 0;
    memset(f->slots, 0, SLOTS * sizeof *f->slots);
    for (uint32_t i = 0; i < f->sample_rows && !f->no_memory; i++) {
        rf_str value = sample_value(f, i), form;
        f->null_rows += value.len == 0;
        if (!form_of(f, value, depth_max, &form)) continue;
        struct candidate *c = find_candidate(f, form);
        if (c != NULL) c->rows++;
    }
}

/* ---- the set ----------------------------------------------------------------------------------------------- */

static int more_rows(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    if (x->rows != y->rows) return x->rows > y->rows ? -1 : 1;
    return rf_str_cmp(x->bytes, y->bytes);
}

/* The number of the leaf at a path; a new one when it was not met. */
static uint32_t leaf_at(struct finder *f, rf_str path)
{
    uint32_t i = 0;
    while (i < f->path_count && !rf_str_eq(f->paths[i], path)) i++;
    if (i < f->path_count || i == SHAPE_LEAVES_MAX) return i;
    f->no_memory |= !rf_arena_str(&f->arena, path, &f->paths[f->path_count++]);
    return i;
}

/* Numbers the leaves of a candidate, in its bytes. False: it cannot be kept. */
static bool number_leaves(struct finder *f, struct candidate *c)
{
    uint32_t left[SHAPE_DEPTH_MAX + 1], depth = 0, paths = f->path_count;
    size_t ends[SHAPE_DEPTH_MAX + 1] = {0}; /* of the path to the bag at each depth */
    bool seen[SHAPE_LEAVES_MAX] = {false};
    uint8_t path[PATH_BYTES_MAX], *at = (uint8_t *)(uintptr_t)c->bytes.ptr;
    for (uint32_t i = 0; i < c->op_count; i++) {
        uint8_t *op = at;
        size_t key_bytes = depth == 0 ? 0 : 4 + (size_t)rf_get_u32le(at + 3), end = ends[depth];
        if (key_bytes > 0) memcpy(path + end, at + 3, key_bytes);
        end += key_bytes;
        at += 3 + key_bytes;
        if (depth > 0) left[depth]--;
        if (op[0] != 0) {
            left[++depth] = rf_get_u16le(op + 1);
            ends[depth] = end;
        } else {
            uint32_t leaf = leaf_at(f, rf_str_make(path, end));
            if (leaf == SHAPE_LEAVES_MAX || seen[leaf]) {
                f->path_count = paths;
                return false;
            }
            seen[leaf] = true;
            rf_put_u16le(op + 1, (uint16_t)leaf);
        }
        while (depth > 0 && left[depth] == 0) depth--;
    }
    return true;
}

/* Writes a set of the candidates that are worth it; its leaves are of any kind so far. */
static bool put_set(struct finder *f, bool *found)
{
    struct block_buf shapes = block_buf_in(f->out->budget);
    uint32_t kept = 0, covered = 0, nulls = f->null_rows;
    bool good = true;
    f->path_count = 0;
    qsort(f->candidates, f->candidate_count, sizeof *f->candidates, more_rows);
    for (uint32_t i = 0; i < f->candidate_count && good && kept < SHAPE_COUNT_MAX; i++) {
        struct candidate *c = &f->candidates[i];
        if (c->rows < f->sample_rows / SHARE + 1 || !number_leaves(f, c)) continue;
        kept++;
        covered += c->op_count == 0 ? 0 : c->rows;
        good = block_buf_u16(&shapes, (uint16_t)c->op_count) &&
               block_buf_put(&shapes, c->bytes.ptr, c->bytes.len);
    }
    f->out->len = 0;
    good = good && block_buf_u16(f->out, (uint16_t)kept) &&
           block_buf_u16(f->out, (uint16_t)f->path_count);
    for (uint32_t i = 0; i < f->path_count && good; i++) good = block_buf_u8(f->out, SHAPE_ANY);
    good = good && block_buf_put(f->out, shapes.ptr, shapes.len);
    *found = covered > 0 && covered >= (f->sample_rows - nulls + 1) / 2 &&
             f->out->len <= SHAPE_SET_BYTES_MAX;
    block_buf_done(&shapes);
    return good && !f->no_memory;
}

/* ---- the kinds of leaves ------------------------------------------------------------------------------------- */

static uint8_t tag_for(uint32_t tags)
{
    uint32_t bools = UINT32_C(1) << DYN_FALSE | UINT32_C(1) << DYN_TRUE, null = UINT32_C(1)
                                                                                << DYN_NULL;
    uint32_t some = tags & ~null;
    if (some != 0 && (some & ~bools) == 0) return DYN_FALSE;
    if (tags == UINT32_C(1) << DYN_STRING) return DYN_STRING;
    static const uint8_t numbers[] = {DYN_INT, DYN_LONG, DYN_REAL, DYN_DATETIME, DYN_TIMESPAN};
    for (size_t i = 0; i < RF_COUNT(numbers); i++)
        if (some == UINT32_C(1) << numbers[i]) return numbers[i];
    return SHAPE_ANY;
}

static bool put_tags(struct finder *f)
{
    struct shape_set set;
    uint32_t tags[SHAPE_LEAVES_MAX] = {0};
    rf_str leaves[SHAPE_LEAVES_MAX];
    if (shape_set_parse(block_buf_view(f->out), &f->arena, &set, NULL) != RF_OK) return false;
    for (uint32_t i = 0; i < f->sample_rows; i++) {
        rf_str value = sample_value(f, i);
        uint32_t s = 0;
        memset(leaves, 0, sizeof leaves);
        while (s < set.count && !shape_match(&set, &set.shapes[s], value, true, leaves)) s++;
        if (s == set.count) continue;
        for (uint32_t k = 0; k < set.shapes[s].op_count; k++) {
            const struct shape_op *op = &set.shapes[s].ops[k];
            if (!op->bag) tags[op->number] |= UINT32_C(1) << dyn_tag(leaves[op->number]);
        }
    }
    for (uint32_t i = 0; i < set.leaf_count; i++) f->out->ptr[4 + i] = tag_for(tags[i]);
    return true;
}

/* First with the keys of inner bags; where these are ever new ones, with those of the outermost bag only. */
static bool find(struct finder *f, bool *found)
{
    f->candidates = rf_arena_new(&f->arena, struct candidate, CANDIDATES_MAX);
    f->slots = rf_arena_new(&f->arena, uint16_t, SLOTS);
    f->room = rf_arena_raw(&f->arena, uint8_t, CANDIDATE_BYTES_MAX);
    f->paths = rf_arena_new(&f->arena, rf_str, SHAPE_LEAVES_MAX);
    if (f->candidates == NULL || f->slots == NULL || f->room == NULL || f->paths == NULL)
        return false;
    static const uint32_t depths[] = {SHAPE_DEPTH_MAX, 1};
    for (size_t i = 0; i < RF_COUNT(depths) && !*found; i++) {
        count_forms(f, depths[i]);
        if (f->no_memory || !put_set(f, found)) return false;
    }
    return !*found || put_tags(f);
}

bool shape_find(const struct shape_source *source, struct rf_budget *budget, struct block_buf *out,
                bool *found)
{
    struct finder f = {.source = source, .out = out};
    *found = false;
    if (source->row_count == 0) return true;
    f.step = (source->row_count - 1) / SAMPLE_ROWS + 1;
    f.sample_rows = (source->row_count - 1) / f.step + 1;
    rf_arena_init_shared(&f.arena, budget);
    bool good = find(&f, found);
    rf_arena_done(&f.arena);
    return good;
}
