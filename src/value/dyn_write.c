#include "value/dyn_int.h"

/* ---- scalars --------------------------------------------------------------------------------- */

void dyn_put_null(struct rf_buf *buf) { rf_buf_byte(buf, DYN_NULL); }
void dyn_put_bool(struct rf_buf *buf, bool b) { rf_buf_byte(buf, b ? DYN_TRUE : DYN_FALSE); }

static void put_fixed(struct rf_buf *buf, enum dyn_tag tag, const void *bytes, size_t len)
{
    if (buf->cap - buf->len < len + 1 && !rf_buf_reserve(buf, len + 1)) return;
    buf->ptr[buf->len] = (uint8_t)tag;
    memcpy(buf->ptr + buf->len + 1, bytes, len);
    buf->len += len + 1;
}

void dyn_put_int(struct rf_buf *buf, int64_t i) { put_fixed(buf, DYN_INT, &i, sizeof i); }
void dyn_put_long(struct rf_buf *buf, int64_t i) { put_fixed(buf, DYN_LONG, &i, sizeof i); }
void dyn_put_real(struct rf_buf *buf, double r) { put_fixed(buf, DYN_REAL, &r, sizeof r); }

void dyn_put_string(struct rf_buf *buf, rf_str s)
{
    if (s.len > UINT32_MAX) {
        buf->failed = true;
        return;
    }
    if (buf->cap - buf->len < s.len + 5 && !rf_buf_reserve(buf, s.len + 5)) return;
    uint8_t *to = buf->ptr + buf->len;
    to[0] = DYN_STRING;
    rf_put_u32le(to + 1, (uint32_t)s.len);
    if (s.len != 0) memcpy(to + 5, s.ptr, s.len);
    buf->len += s.len + 5;
}

void dyn_put_encoded(struct rf_buf *buf, rf_str d)
{
    if (d.len == 0)
        dyn_put_null(buf);
    else
        rf_buf_str(buf, d);
}

void dyn_put_value(struct rf_buf *buf, const struct value *v)
{
    if (v->null) {
        dyn_put_null(buf);
        return;
    }
    switch ((enum type)v->type) {
    case TYPE_BOOL:
        dyn_put_bool(buf, v->b != 0);
        break;
    case TYPE_INT:
        dyn_put_int(buf, v->i);
        break;
    case TYPE_LONG:
        dyn_put_long(buf, v->i);
        break;
    case TYPE_REAL:
        dyn_put_real(buf, v->r);
        break;
    case TYPE_DECIMAL:
        put_fixed(buf, DYN_DECIMAL, &v->d, sizeof v->d);
        break;
    case TYPE_DATETIME:
        put_fixed(buf, DYN_DATETIME, &v->i, sizeof v->i);
        break;
    case TYPE_TIMESPAN:
        put_fixed(buf, DYN_TIMESPAN, &v->i, sizeof v->i);
        break;
    case TYPE_GUID:
        put_fixed(buf, DYN_GUID, &v->g, sizeof v->g);
        break;
    case TYPE_STRING:
        dyn_put_string(buf, v->s);
        break;
    case TYPE_DYNAMIC:
        dyn_put_encoded(buf, v->s);
        break;
    case TYPE_COUNT:
        break;
    }
}

/* ---- depth ----------------------------------------------------------------------------------- */

struct depth_frame {
    struct dyn_list list;
    uint32_t next;
};

/* True when a value is so small that it cannot nest `levels` deep. */
static bool surely_shallow(rf_str d, size_t levels)
{
    return !dyn_is_list(d) || d.len / DYN_LEVEL_BYTES < levels;
}

/* True when `d` nests deeper than DYN_DEPTH_MAX. Looks only into what is long enough for it, so
 * that the cost is a look at each end offset of the longest arrays. */
static bool too_deep(rf_str d)
{
    if (surely_shallow(d, DYN_DEPTH_MAX)) return false;
    struct depth_frame frames[DYN_DEPTH_MAX];
    size_t depth = 0;
    frames[depth++] = (struct depth_frame){dyn_list_of(d), 0};
    bool bag = dyn_tag(d) == DYN_BAG;
    uint8_t bags[DYN_DEPTH_MAX] = {bag};
    while (depth > 0) {
        struct depth_frame *top = &frames[depth - 1];
        if (top->next == top->list.count) {
            depth--;
            continue;
        }
        d = dyn_list_item(&top->list, top->next++);
        if (bags[depth - 1] != 0) d = dyn_entry_value(d);
        if (surely_shallow(d, DYN_DEPTH_MAX - depth)) continue;
        if (depth == DYN_DEPTH_MAX) return true;
        bags[depth] = dyn_tag(d) == DYN_BAG;
        frames[depth++] = (struct depth_frame){dyn_list_of(d), 0};
    }
    return false;
}

/* ---- arrays and bags ------------------------------------------------------------------------- */

void dyn_begin(struct dyn_builder *b, struct rf_buf *buf, enum dyn_tag tag)
{
    static const uint8_t no_ends[DYN_HEAD_BYTES - 1] = {0};
    *b = (struct dyn_builder){.buf = buf, .start = buf->len, .tag = (uint8_t)tag};
    put_fixed(buf, tag, no_ends, sizeof no_ends);
}

/* A counted builder has no array of ends: they go to their place in the header at once. */
static inline bool is_counted(const struct dyn_builder *b) { return (b->tag & 0x80) != 0; }

void dyn_begin_counted(struct dyn_builder *b, struct rf_buf *buf, enum dyn_tag tag, uint32_t count)
{
    dyn_begin(b, buf, tag);
    b->tag |= 0x80;
    b->cap = count;
    size_t ends_bytes = (size_t)count * 4;
    if (!rf_buf_reserve(buf, ends_bytes)) return;
    if (ends_bytes != 0) memset(buf->ptr + buf->len, 0, ends_bytes);
    buf->len += ends_bytes;
}

static bool grow_ends(struct dyn_builder *b)
{
    uint32_t cap = b->cap == 0 ? 16 : b->cap * 2;
    uint32_t *ends = NULL;
    if (cap > b->cap)
        ends = rf_arena_grow(b->buf->arena, b->ends, (size_t)b->cap * sizeof *ends,
                             (size_t)cap * sizeof *ends);
    if (ends == NULL) {
        b->buf->failed = true;
        return false;
    }
    b->ends = ends;
    b->cap = cap;
    return true;
}

/* Notes where the element before ends; nothing before the first. */
static void close_element(struct dyn_builder *b)
{
    if (b->count == 0 || b->buf->failed) return;
    size_t items_at = b->start + DYN_HEAD_BYTES + (is_counted(b) ? (size_t)b->cap * 4 : 0);
    size_t end = b->buf->len - items_at;
    if (end > UINT32_MAX) {
        b->buf->failed = true;
    } else if (is_counted(b)) {
        RF_ASSERT(b->count <= b->cap);
        rf_put_u32le(b->buf->ptr + b->start + DYN_HEAD_BYTES + (size_t)(b->count - 1) * 4,
                     (uint32_t)end);
    } else if (b->count <= b->cap || grow_ends(b)) {
        b->ends[b->count - 1] = (uint32_t)end;
    }
}

void dyn_next(struct dyn_builder *b)
{
    close_element(b);
    b->count++;
    if (b->count == 0) b->buf->failed = true; /* 2^32 elements */
}

void dyn_key(struct dyn_builder *b, rf_str key)
{
    dyn_next(b);
    uint8_t head[DYN_KEY_HEAD_BYTES];
    uint32_t len;
    if (!rf_u32(key.len, &len)) b->buf->failed = true;
    rf_put_u32le(head, len);
    rf_buf_put(b->buf, head, sizeof head);
    rf_buf_str(b->buf, key);
}

void dyn_bag_unique(struct dyn_builder *b, bool keep_first)
{
    RF_ASSERT(!is_counted(b));
    close_element(b);
    if (b->count < 2 || b->buf->failed) return;
    uint8_t *items = b->buf->ptr + b->start + DYN_HEAD_BYTES;
    b->count =
        dyn_drop_repeats(items, b->ends, b->count, keep_first, b->buf->arena, &b->buf->failed);
    b->buf->len = b->start + DYN_HEAD_BYTES + b->ends[b->count - 1];
}

void dyn_end(struct dyn_builder *b)
{
    close_element(b);
    struct rf_buf *buf = b->buf;
    size_t ends_bytes = (size_t)b->count * 4, first = b->start + DYN_HEAD_BYTES;
    if (!is_counted(b) && ends_bytes != 0 && rf_buf_reserve(buf, ends_bytes) && !buf->failed) {
        memmove(buf->ptr + first + ends_bytes, buf->ptr + first, buf->len - first);
        memcpy(buf->ptr + first, b->ends, ends_bytes);
        buf->len += ends_bytes;
    }
    if (buf->failed) return;
    RF_ASSERT(!is_counted(b) || b->count == b->cap);
    uint32_t total_bytes;
    if (!rf_u32(buf->len - first, &total_bytes)) {
        buf->failed = true;
        return;
    }
    uint8_t *head = buf->ptr + b->start;
    rf_put_u32le(head + 1, b->count);
    rf_put_u32le(head + 5, total_bytes);
    if (!too_deep(rf_str_make(head, buf->len - b->start))) return;
    buf->len = b->start;
    dyn_put_null(buf);
}

/* ---- repeated keys --------------------------------------------------------------------------- */

struct entries {
    const uint8_t *items;
    const uint32_t *ends;
};

static rf_str entry_at(const struct entries *entries, uint32_t index)
{
    uint32_t from = index == 0 ? 0 : entries->ends[index - 1];
    return rf_str_make(entries->items + from, entries->ends[index] - from);
}

/* By length first: most keys differ in it, and only equality matters here. */
static int order_of_entries(const void *state, uint32_t a, uint32_t b)
{
    rf_str x = dyn_entry_key(entry_at(state, a)), y = dyn_entry_key(entry_at(state, b));
    if (x.len != y.len) return x.len < y.len ? -1 : 1;
    return x.len == 0 ? 0 : memcmp(x.ptr, y.ptr, x.len);
}

/* Sets chosen[i] to the entry whose value key i keeps when i is the first with its key, else to
 * UINT32_MAX. Returns how many keys there are. `sorted` holds the entries in order_of_entries. */
static uint32_t choose_values(const struct entries *entries, const uint32_t *sorted, uint32_t count,
                              bool keep_first, uint32_t *chosen)
{
    uint32_t kept = 0;
    for (uint32_t i = 0, run_end; i < count; i = run_end) {
        for (run_end = i + 1; run_end < count; run_end++) {
            if (order_of_entries(entries, sorted[i], sorted[run_end]) != 0) break;
            chosen[sorted[run_end]] = UINT32_MAX;
        }
        chosen[sorted[i]] = keep_first ? sorted[i] : sorted[run_end - 1];
        kept++;
    }
    return kept;
}

uint32_t dyn_drop_repeats(uint8_t *items, uint32_t *ends, uint32_t count, bool keep_first,
                          struct rf_arena *arena, bool *failed)
{
    struct entries entries = {items, ends};
    uint32_t *sorted = rf_arena_raw(arena, uint32_t, (size_t)count * 2);
    if (sorted == NULL) {
        *failed = true;
        return count;
    }
    uint32_t *chosen = sorted + count;
    for (uint32_t i = 0; i < count; i++) sorted[i] = i;
    dyn_sort(sorted, chosen, count, order_of_entries, &entries);
    uint32_t kept = choose_values(&entries, sorted, count, keep_first, chosen);
    if (kept == count) return count;

    uint8_t *made = rf_arena_alloc(arena, ends[count - 1]);
    if (made == NULL) {
        *failed = true;
        return count;
    }
    /* Each key kept and its value come from entries of their own, so the bytes fit. */
    uint32_t *new_ends = sorted, at = 0, to = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (chosen[i] == UINT32_MAX) continue;
        rf_str entry = entry_at(&entries, i),
               value = dyn_entry_value(entry_at(&entries, chosen[i]));
        size_t head_bytes = DYN_KEY_HEAD_BYTES + dyn_entry_key(entry).len;
        memcpy(made + to, entry.ptr, head_bytes);
        memcpy(made + to + head_bytes, value.ptr, value.len);
        to += (uint32_t)(head_bytes + value.len);
        new_ends[at++] = to;
    }
    RF_ASSERT(at == kept);
    memcpy(items, made, to);
    memcpy(ends, new_ends, (size_t)kept * sizeof *ends);
    return kept;
}
