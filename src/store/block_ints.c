/* Whole numbers and codes.
 *
 *   pages   0   1  mode 0                          runs   0  1  mode 1
 *           1   8  scale: numbers are                     1  4  count of runs
 *                  origin + scale * x                     5  4  bytes of the values
 *           9   8  origin                                 9     values: pages
 *          17      directory, 24 bytes a page                   ends: pages; row behind each run
 *                  pages                           table  0  1  mode 2
 *                                                         1  1  values, less one
 *                                                         2     values, 8 bytes each; indexes: pages
 *
 *   directory   0  8  base           page   packed bits of x - base, or of x - (x before) - base when deltas
 *               8  8  first x (deltas)      u16 place of each exception
 *              16  4  offset of the page    u64 value of each exception instead of the packed one
 *              20  1  width
 *              21  1  flags: 1 deltas
 *              22  2  exceptions
 *
 * Sums wrap at 64 bits. */
#include "store/block_int.h"

enum { MODE_PAGES, MODE_RUNS, MODE_TABLE };
enum { TABLE_VALUES_MAX = 256, TABLE_SLOTS = 1024, TABLE_BITS_MIN = 6 };
enum {
    HEAD_BYTES = 17,
    ENTRY_BYTES = 24,
    RUNS_HEAD_BYTES = 9,
    EXCEPTION_BYTES = 10,
    FLAG_DELTA = 1
};

/* ---- encoding ----------------------------------------------------------------------------------------- */

RF_CLONES static void widen32(const uint32_t *from, uint32_t count, int64_t *to)
{
    for (uint32_t i = 0; i < count; i++) to[i] = from[i];
}
RF_CLONES static void widen8(const uint8_t *from, uint32_t count, int64_t *to)
{
    for (uint32_t i = 0; i < count; i++) to[i] = from[i];
}

static const int64_t *load_page(const struct block_cells *cells, uint32_t from, uint32_t count,
                                int64_t *room)
{
    switch (cells->cell_bytes) {
    case 1:
        widen8((const uint8_t *)cells->data + from, count, room);
        return room;
    case 4:
        widen32((const uint32_t *)cells->data + from, count, room);
        return room;
    default:
        return (const int64_t *)cells->data + from;
    }
}

struct shape {
    int64_t min, max;
    uint64_t divisor; /* of all differences; 1 when it does not pay */
    uint32_t runs;
};

static uint64_t divisor_of(uint64_t a, uint64_t b)
{
    while (b != 0) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

RF_CLONES static void page_range(const int64_t *v, uint32_t count, int64_t *min, int64_t *max)
{
    int64_t low = v[0], high = v[0];
    for (uint32_t i = 1; i < count; i++) {
        low = v[i] < low ? v[i] : low;
        high = v[i] > high ? v[i] : high;
    }
    *min = low;
    *max = high;
}

RF_CLONES static uint32_t page_changes(const int64_t *v, uint32_t count)
{
    uint32_t changes = 0;
    for (uint32_t i = 1; i < count; i++) changes += v[i] != v[i - 1];
    return changes;
}

static struct shape shape_of(const struct block_cells *cells)
{
    int64_t room[BLOCK_PAGE_ROWS], last = 0, first = 0;
    struct shape shape = {INT64_MAX, INT64_MIN, cells->cell_bytes == 8 ? 0 : 1, 0};
    for (uint32_t at = 0; at < cells->count; at += BLOCK_PAGE_ROWS) {
        uint32_t count = RF_MIN((uint32_t)BLOCK_PAGE_ROWS, cells->count - at);
        const int64_t *v = load_page(cells, at, count, room);
        int64_t min, max;
        page_range(v, count, &min, &max);
        shape.min = RF_MIN(shape.min, min);
        shape.max = RF_MAX(shape.max, max);
        shape.runs += page_changes(v, count) + (at == 0 || v[0] != last);
        last = v[count - 1];
        if (at == 0) first = v[0];
        for (uint32_t i = 0; i < count && shape.divisor != 1; i++) {
            uint64_t step =
                v[i] > first ? (uint64_t)v[i] - (uint64_t)first : (uint64_t)first - (uint64_t)v[i];
            if (shape.divisor == 0 || step % shape.divisor != 0)
                shape.divisor = divisor_of(step, shape.divisor);
        }
    }
    if (shape.divisor == 0) shape.divisor = 1; /* all the same */
    return shape;
}

/* The cheapest width for values of which some may be exceptions, and how many those are. */
static unsigned best_width(const uint64_t *x, uint32_t count, uint32_t *exceptions)
{
    uint32_t of_bits[65] = {0};
    for (uint32_t i = 0; i < count; i++) of_bits[block_bits_of(x[i])]++;
    unsigned width = 64;
    while (width > 0 && of_bits[width] == 0) width--;
    unsigned best = width;
    size_t best_bytes = block_bits_bytes(count, width);
    uint32_t above = 0;
    *exceptions = 0;
    while (width > 0) {
        above += of_bits[width--];
        size_t bytes = block_bits_bytes(count, width) + (size_t)above * EXCEPTION_BYTES;
        if (bytes >= best_bytes) continue;
        best = width;
        best_bytes = bytes;
        *exceptions = above;
    }
    return best;
}

struct page {
    uint64_t x[BLOCK_PAGE_ROWS];
    uint64_t base, first;
    unsigned width;
    uint32_t exceptions;
    size_t bytes;
    uint8_t flags;
};

static void plan_frame(struct page *p, const uint64_t *s, uint32_t count, bool patch)
{
    int64_t min, max;
    page_range((const int64_t *)(const void *)s, count, &min, &max);
    *p = (struct page){.base = (uint64_t)min};
    for (uint32_t i = 0; i < count; i++) p->x[i] = s[i] - (uint64_t)min;
    p->width = patch ? best_width(p->x, count, &p->exceptions)
                     : block_bits_of((uint64_t)max - (uint64_t)min);
    p->bytes = block_bits_bytes(count, p->width) + (size_t)p->exceptions * EXCEPTION_BYTES;
}

static void plan_delta(struct page *p, const uint64_t *s, uint32_t count)
{
    int64_t min = INT64_MAX;
    *p = (struct page){.first = s[0], .flags = FLAG_DELTA};
    for (uint32_t i = 1; i < count; i++) {
        int64_t step = (int64_t)(s[i] - s[i - 1]);
        min = RF_MIN(min, step);
    }
    p->base = (uint64_t)min;
    p->x[0] = 0;
    for (uint32_t i = 1; i < count; i++) p->x[i] = s[i] - s[i - 1] - p->base;
    p->width = best_width(p->x, count, &p->exceptions);
    p->bytes = block_bits_bytes(count, p->width) + (size_t)p->exceptions * EXCEPTION_BYTES;
}

static bool put_page(struct block_buf *out, size_t start, size_t entry, const struct page *p,
                     uint32_t count)
{
    size_t offset = out->len - start;
    RF_ASSERT(offset <= UINT32_MAX);
    if (!block_buf_reserve(out, p->bytes)) return false;
    uint8_t *head = out->ptr + entry, *to = out->ptr + out->len;
    rf_put_u64le(head, p->base);
    rf_put_u64le(head + 8, p->first);
    rf_put_u32le(head + 16, (uint32_t)offset);
    head[20] = (uint8_t)p->width;
    head[21] = p->flags;
    rf_put_u16le(head + 22, (uint16_t)p->exceptions);
    size_t bits = block_bits_bytes(count, p->width);
    uint64_t packed[BLOCK_PAGE_ROWS];
    uint64_t mask = p->width == 64 ? UINT64_MAX : (UINT64_C(1) << p->width) - 1;
    uint8_t *place = to + bits, *value = place + (size_t)p->exceptions * 2;
    for (uint32_t i = 0; i < count; i++) {
        packed[i] = p->x[i] & mask;
        if (packed[i] == p->x[i]) continue;
        rf_put_u16le(place, (uint16_t)i);
        rf_put_u64le(value, p->x[i]);
        place += 2;
        value += 8;
    }
    RF_ASSERT(place == to + bits + (size_t)p->exceptions * 2);
    if (p->width > 0) block_bits_pack(packed, count, p->width, to);
    out->len += p->bytes;
    return true;
}

static bool encode_pages(struct block_buf *out, const struct block_cells *cells,
                         const struct shape *shape)
{
    size_t start = out->len;
    uint32_t pages = block_page_count(cells->count);
    uint64_t scale = shape->divisor, origin = scale == 1 ? 0 : (uint64_t)shape->min;
    size_t directory = start + HEAD_BYTES;
    if (!block_buf_reserve(out, HEAD_BYTES + (size_t)pages * ENTRY_BYTES)) return false;
    out->ptr[start] = MODE_PAGES;
    rf_put_u64le(out->ptr + start + 1, scale);
    rf_put_u64le(out->ptr + start + 9, origin);
    memset(out->ptr + directory, 0, (size_t)pages * ENTRY_BYTES);
    out->len = directory + (size_t)pages * ENTRY_BYTES;
    int64_t room[BLOCK_PAGE_ROWS];
    uint64_t s[BLOCK_PAGE_ROWS];
    struct page frame, delta;
    for (uint32_t i = 0; i < pages; i++) {
        uint32_t count = block_page_rows(cells->count, i);
        const int64_t *v = load_page(cells, i * BLOCK_PAGE_ROWS, count, room);
        for (uint32_t k = 0; k < count; k++) s[k] = (uint64_t)v[k];
        if (scale != 1)
            for (uint32_t k = 0; k < count; k++) s[k] = (s[k] - origin) / scale;
        bool wide = cells->cell_bytes == 8;
        plan_frame(&frame, s, count, wide);
        const struct page *best = &frame;
        if (wide && frame.width > 0 && count > 1) {
            plan_delta(&delta, s, count);
            if (delta.bytes < frame.bytes) best = &delta;
        }
        if (!put_page(out, start, directory + (size_t)i * ENTRY_BYTES, best, count)) return false;
    }
    return true;
}

static bool encode_run_lists(struct block_buf *out, const int64_t *values, const int64_t *ends,
                             uint32_t runs)
{
    size_t start = out->len;
    struct block_cells cells = {values, 8, runs};
    if (!block_buf_u8(out, MODE_RUNS) || !block_buf_u32(out, runs) || !block_buf_u32(out, 0))
        return false;
    struct shape shape = shape_of(&cells);
    if (!encode_pages(out, &cells, &shape)) return false;
    rf_put_u32le(out->ptr + start + 5, (uint32_t)(out->len - start - RUNS_HEAD_BYTES));
    cells.data = ends;
    shape = shape_of(&cells);
    return encode_pages(out, &cells, &shape);
}

static bool encode_runs(struct block_buf *out, const struct block_cells *cells, uint32_t runs)
{
    struct block_buf lists = block_buf_in(out->budget);
    if (!block_buf_reserve(&lists, (size_t)runs * 2 * sizeof(int64_t))) return false;
    int64_t *values = (int64_t *)(void *)lists.ptr, *ends = values + runs, room[BLOCK_PAGE_ROWS];
    uint32_t n = 0;
    for (uint32_t at = 0; at < cells->count; at += BLOCK_PAGE_ROWS) {
        uint32_t count = RF_MIN((uint32_t)BLOCK_PAGE_ROWS, cells->count - at);
        const int64_t *v = load_page(cells, at, count, room);
        for (uint32_t i = 0; i < count; i++) {
            if (n == 0 || values[n - 1] != v[i]) values[n++] = v[i];
            ends[n - 1] = (int64_t)at + i + 1;
        }
    }
    RF_ASSERT(n == runs);
    bool good = encode_run_lists(out, values, ends, runs);
    block_buf_done(&lists);
    return good;
}

/* Few values far apart: ports, ids of events. */
struct table {
    int64_t values[TABLE_VALUES_MAX];
    uint32_t count;
    uint16_t slots[TABLE_SLOTS]; /* index + 1; 0 is free */
};

/* The value's index, which is new when the value is; TABLE_VALUES_MAX when the table is full. */
static uint32_t table_index(struct table *table, int64_t value)
{
    size_t at = (uint64_t)value * UINT64_C(0x9e3779b97f4a7c15) >> 54;
    for (; table->slots[at] != 0; at = (at + 1) % TABLE_SLOTS)
        if (table->values[table->slots[at] - 1] == value) return table->slots[at] - 1u;
    if (table->count == TABLE_VALUES_MAX) return TABLE_VALUES_MAX;
    table->values[table->count] = value;
    table->slots[at] = (uint16_t)(table->count + 1);
    return table->count++;
}

/* Replaces what was encoded from `start` on when the table makes it smaller. */
static bool try_table(struct block_buf *out, size_t start, const struct block_cells *cells)
{
    struct table table = {.count = 0};
    struct block_buf indexes = block_buf_in(out->budget), made = indexes;
    const int64_t *v = cells->data;
    bool good = block_buf_reserve(&indexes, cells->count);
    for (uint32_t i = 0; i < cells->count && good; i++) {
        uint32_t index = table_index(&table, v[i]);
        if (index == TABLE_VALUES_MAX) {
            block_buf_done(&indexes);
            return true;
        }
        indexes.ptr[i] = (uint8_t)index;
    }
    struct block_cells narrow = {indexes.ptr, 1, cells->count};
    good = good && block_buf_u8(&made, MODE_TABLE) &&
           block_buf_u8(&made, (uint8_t)(table.count - 1)) &&
           block_buf_put(&made, table.values, table.count * sizeof *table.values);
    if (good) {
        struct shape shape = shape_of(&narrow);
        good = encode_pages(&made, &narrow, &shape);
    }
    if (good && made.len < out->len - start) {
        memcpy(out->ptr + start, made.ptr, made.len);
        out->len = start + made.len;
    }
    block_buf_done(&indexes);
    block_buf_done(&made);
    return good;
}

bool block_ints_encode(struct block_buf *out, const struct block_cells *cells)
{
    RF_ASSERT(cells->count <= BLOCK_COUNT_MAX);
    size_t start = out->len;
    struct shape shape = shape_of(cells);
    unsigned width =
        cells->count == 0 ? 0 : block_bits_of((uint64_t)shape.max - (uint64_t)shape.min);
    uint64_t plain_bits = (uint64_t)cells->count * width,
             run_bits = (uint64_t)shape.runs * (width + 12);
    if (shape.runs > 1 && run_bits < plain_bits / 4 * 3) return encode_runs(out, cells, shape.runs);
    if (!encode_pages(out, cells, &shape)) return false;
    if (cells->cell_bytes != 8 || width < TABLE_BITS_MIN) return true;
    return try_table(out, start, cells);
}

/* ---- decoding ----------------------------------------------------------------------------------------- */

static enum rf_kind open_pages(struct block_ints *ints, rf_str bytes, uint32_t count,
                               struct rf_err *err)
{
    struct block_reader r = {bytes, 0, false};
    uint8_t mode = block_take_u8(&r);
    uint64_t scale = block_take_u64(&r);
    (void)block_take_u64(&r);
    const uint8_t *pages = block_take(&r, (size_t)block_page_count(count) * ENTRY_BYTES);
    if (r.failed || pages == NULL || mode != MODE_PAGES)
        return block_corrupt(err, "numbers are cut short");
    *ints = (struct block_ints){
        .bytes = bytes, .count = count, .mode = MODE_PAGES, .scale = scale, .pages = pages};
    return RF_OK;
}

static enum rf_kind read_runs(struct block_ints *ints, const struct block_ints *values,
                              const struct block_ints *ends, int64_t *value_room,
                              uint32_t *end_room, struct rf_err *err)
{
    uint32_t got, last = 0;
    for (uint32_t page = 0; page * BLOCK_PAGE_ROWS < ints->run_count; page++) {
        uint32_t from = page * BLOCK_PAGE_ROWS;
        RF_TRY(block_ints_page(values, page, value_room + from, &got, err));
        RF_TRY(block_codes_page(ends, page, ints->count + 1, end_room + from, &got, err));
        for (uint32_t i = from; i < from + got; i++) {
            if (end_room[i] <= last) return block_corrupt(err, "runs go backwards");
            last = end_room[i];
        }
    }
    if (last != ints->count) return block_corrupt(err, "runs do not cover the rows");
    ints->values = value_room;
    ints->ends = end_room;
    return RF_OK;
}

static enum rf_kind open_runs(struct block_ints *ints, rf_str bytes, uint32_t count,
                              struct block_buf *memory, struct rf_err *err)
{
    struct block_reader r = {bytes, 0, false};
    (void)block_take_u8(&r);
    uint32_t runs = block_take_u32(&r);
    rf_str values_bytes = block_take_str(&r, block_take_u32(&r));
    if (r.failed || runs > count || runs == 0) return block_corrupt(err, "runs are cut short");
    rf_str ends_bytes = rf_slice(bytes, r.at, bytes.len);
    struct block_ints values, ends;
    RF_TRY(open_pages(&values, values_bytes, runs, err));
    RF_TRY(open_pages(&ends, ends_bytes, runs, err));
    memory->len = 0;
    if (!block_buf_reserve(memory, (size_t)runs * (sizeof(int64_t) + sizeof(uint32_t))))
        return block_no_memory(err, memory->budget);
    int64_t *value_room = (int64_t *)(void *)memory->ptr;
    *ints =
        (struct block_ints){.bytes = bytes, .count = count, .mode = MODE_RUNS, .run_count = runs};
    return read_runs(ints, &values, &ends, value_room, (uint32_t *)(void *)(value_room + runs),
                     err);
}

static enum rf_kind open_table(struct block_ints *ints, rf_str bytes, uint32_t count,
                               struct block_buf *memory, struct rf_err *err)
{
    struct block_reader r = {bytes, 1, false};
    uint32_t values = block_take_u8(&r) + 1u;
    const uint8_t *list = block_take(&r, values * sizeof(int64_t));
    if (r.failed) return block_corrupt(err, "a table of numbers is cut short");
    RF_TRY(open_pages(ints, rf_slice(bytes, r.at, bytes.len), count, err));
    memory->len = 0;
    if (!block_buf_put(memory, list, values * sizeof(int64_t)))
        return block_no_memory(err, memory->budget);
    ints->mode = MODE_TABLE;
    ints->values = (const int64_t *)(const void *)memory->ptr;
    ints->run_count = values;
    return RF_OK;
}

enum rf_kind block_ints_open(struct block_ints *ints, rf_str bytes, uint32_t count,
                             struct block_buf *memory, struct rf_err *err)
{
    if (count > BLOCK_COUNT_MAX) return block_corrupt(err, "there are too many values");
    if (bytes.len > 0 && bytes.ptr[0] == MODE_RUNS)
        return open_runs(ints, bytes, count, memory, err);
    if (bytes.len > 0 && bytes.ptr[0] == MODE_TABLE)
        return open_table(ints, bytes, count, memory, err);
    return open_pages(ints, bytes, count, err);
}

/* A page's directory entry, its packed bits and its exceptions, checked to lie inside. */
struct page_view {
    uint64_t base, first, origin;
    const uint8_t *bits, *places, *values;
    unsigned width;
    uint32_t exceptions;
    bool delta;
};

static enum rf_kind view_page(const struct block_ints *ints, uint32_t page, uint32_t count,
                              struct page_view *view, struct rf_err *err)
{
    const uint8_t *entry = ints->pages + (size_t)page * ENTRY_BYTES;
    *view = (struct page_view){.base = rf_get_u64le(entry),
                               .first = rf_get_u64le(entry + 8),
                               .origin = rf_get_u64le(ints->bytes.ptr + 9),
                               .width = entry[20],
                               .exceptions = rf_get_u16le(entry + 22),
                               .delta = entry[21] == FLAG_DELTA};
    if (view->width > 64 || entry[21] > FLAG_DELTA || view->exceptions > count)
        return block_corrupt(err, "a page of numbers has a bad head");
    struct block_reader r = {ints->bytes, RF_MIN((size_t)rf_get_u32le(entry + 16), ints->bytes.len),
                             false};
    view->bits = block_take(&r, block_bits_bytes(count, view->width));
    view->places = block_take(&r, (size_t)view->exceptions * 2);
    view->values = block_take(&r, (size_t)view->exceptions * 8);
    if (r.failed || view->values == NULL)
        return block_corrupt(err, "a page of numbers is cut short");
    for (uint32_t i = 0; i < view->exceptions; i++)
        if (rf_get_u16le(view->places + (size_t)i * 2) >= count)
            return block_corrupt(err, "an exception lies outside its page");
    return RF_OK;
}

/* The first run that ends behind the row. */
static uint32_t first_run(const struct block_ints *ints, uint32_t row)
{
    uint32_t low = 0, high = ints->run_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (ints->ends[middle] > row)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static void fill_runs(const struct block_ints *ints, uint32_t page, uint32_t count, int64_t *out)
{
    uint32_t row = page * BLOCK_PAGE_ROWS, done = 0;
    for (uint32_t run = first_run(ints, row); done < count; run++) {
        uint32_t to = RF_MIN(ints->ends[run] - row, count);
        for (; done < to; done++) out[done] = ints->values[run];
    }
}

/* Scale and origin of the run and the base of the page are one multiplication and one addition. Differences have
 * no origin. */
static struct block_line line_of(const struct block_ints *ints, const struct page_view *view)
{
    if (ints->scale == 1) return (struct block_line){1, view->base};
    return (struct block_line){ints->scale,
                               view->base * ints->scale + (view->delta ? 0 : view->origin)};
}

static enum rf_kind look_up(const struct block_ints *ints, uint32_t page, int64_t *out,
                            uint32_t *count, struct rf_err *err)
{
    struct block_ints inner = *ints;
    BLOCK_SCRATCH uint32_t indexes[BLOCK_PAGE_ROWS];
    inner.mode = MODE_PAGES;
    RF_TRY(block_codes_page(&inner, page, ints->run_count, indexes, count, err));
    for (uint32_t i = 0; i < *count; i++) out[i] = ints->values[indexes[i]];
    return RF_OK;
}

static uint32_t exception_place(const struct page_view *view, uint32_t i)
{
    return rf_get_u16le(view->places + (size_t)i * 2);
}
static uint64_t exception_value(const struct page_view *view, uint32_t i,
                                const struct block_line *line)
{
    return rf_get_u64le(view->values + (size_t)i * 8) * line->scale + line->add;
}

static void unpack_page(const struct block_ints *ints, const struct page_view *view, uint32_t count,
                        uint64_t *out)
{
    struct block_line line = line_of(ints, view);
    if (view->width == 0)
        for (uint32_t i = 0; i < count; i++) out[i] = line.add;
    else
        block_bits_ints(view->bits, count, view->width, &line, out);
    for (uint32_t i = 0; i < view->exceptions; i++)
        out[exception_place(view, i)] = exception_value(view, i, &line);
    if (!view->delta) return;
    uint64_t sum = view->first * ints->scale + (ints->scale == 1 ? 0 : view->origin);
    out[0] = sum;
    for (uint32_t i = 1; i < count; i++) out[i] = sum += out[i];
}

enum rf_kind block_ints_page(const struct block_ints *ints, uint32_t page, int64_t *out,
                             uint32_t *count, struct rf_err *err)
{
    RF_ASSERT(page < block_page_count(ints->count));
    if (ints->mode == MODE_TABLE) return look_up(ints, page, out, count, err);
    uint32_t n = *count = block_page_rows(ints->count, page);
    if (ints->mode == MODE_RUNS) {
        fill_runs(ints, page, n, out);
        return RF_OK;
    }
    struct page_view view;
    RF_TRY(view_page(ints, page, n, &view, err));
    unpack_page(ints, &view, n, (uint64_t *)(void *)out);
    return RF_OK;
}

RF_CLONES static void divide(const int64_t *ints, uint32_t count, double divisor, double *out)
{
    for (uint32_t i = 0; i < count; i++) out[i] = (double)ints[i] / divisor;
}

enum rf_kind block_ints_divided(const struct block_ints *ints, uint32_t page, double divisor,
                                double *out, uint32_t *count, struct rf_err *err)
{
    RF_ASSERT(page < block_page_count(ints->count));
    if (ints->mode == MODE_PAGES) {
        uint32_t n = *count = block_page_rows(ints->count, page);
        struct page_view view;
        RF_TRY(view_page(ints, page, n, &view, err));
        struct block_line line = line_of(ints, &view);
        if (!view.delta && block_bits_reals(view.bits, n, view.width, &line, divisor, out)) {
            for (uint32_t i = 0; i < view.exceptions; i++)
                out[exception_place(&view, i)] =
                    (double)(int64_t)exception_value(&view, i, &line) / divisor;
            return RF_OK;
        }
    }
    int64_t *cells = (int64_t *)(void *)out; /* of the same size: divided where they are */
    RF_TRY(block_ints_page(ints, page, cells, count, err));
    divide(cells, *count, divisor, out);
    return RF_OK;
}

/* Whether all are below the limit. */
RF_CLONES static bool narrow(const int64_t *wide, uint32_t count, uint32_t limit, uint32_t *out)
{
    uint32_t bad = 0;
    for (uint32_t i = 0; i < count; i++) {
        bad |= (uint64_t)wide[i] >= limit;
        out[i] = (uint32_t)wide[i];
    }
    return bad == 0;
}

/* Codes below 2^31 that need no arithmetic of 64 bits: neither the packed part nor the sum can wrap at 32. */
static bool packed_codes(const struct block_ints *ints, const struct page_view *view)
{
    return ints->scale == 1 && view->width <= 31 && !view->delta && view->exceptions == 0 &&
           view->base <= INT32_MAX;
}

static bool codes_of_page(const struct page_view *view, uint32_t count, uint32_t limit,
                          uint32_t *out)
{
    uint32_t base = (uint32_t)view->base;
    if (view->width > 0) return block_bits_codes(view->bits, count, view->width, base, limit, out);
    for (uint32_t i = 0; i < count; i++) out[i] = base;
    return base < limit;
}

enum rf_kind block_codes_page(const struct block_ints *ints, uint32_t page, uint32_t limit,
                              uint32_t *out, uint32_t *count, struct rf_err *err)
{
    RF_ASSERT(page < block_page_count(ints->count));
    uint32_t n = *count = block_page_rows(ints->count, page);
    struct page_view view = {.delta = true};
    if (ints->mode == MODE_PAGES) RF_TRY(view_page(ints, page, n, &view, err));
    bool good;
    if (packed_codes(ints, &view)) {
        good = codes_of_page(&view, n, limit, out);
    } else {
        BLOCK_SCRATCH int64_t wide[BLOCK_PAGE_ROWS];
        RF_TRY(block_ints_page(ints, page, wide, count, err));
        good = narrow(wide, n, limit, out);
    }
    return good ? RF_OK : block_corrupt(err, "a code is out of range");
}

/* ---- some rows of a page ------------------------------------------------------------------------------ */

/* The place of the first of the rising rows that is not below `row`. */
static uint32_t row_place(const uint32_t *rows, uint32_t row_count, uint32_t row)
{
    uint32_t low = 0, high = row_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (rows[middle] < row)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void unpack_rows(const struct block_ints *ints, const struct page_view *view, uint32_t count,
                        const uint32_t *rows, uint32_t row_count, int64_t *out)
{
    struct block_line line = line_of(ints, view);
    for (uint32_t i = 0; i < row_count; i++) {
        uint64_t x = block_bits_value(view->bits, count, view->width, rows[i]);
        out[i] = (int64_t)(x * line.scale + line.add);
    }
    for (uint32_t i = 0; i < view->exceptions; i++) {
        uint32_t row = exception_place(view, i), at = row_place(rows, row_count, row);
        if (at < row_count && rows[at] == row) out[at] = (int64_t)exception_value(view, i, &line);
    }
}

/* Runs: the rows rise, so their runs do. */
static void pick_runs(const struct block_ints *ints, uint32_t page, const uint32_t *rows,
                      uint32_t row_count, int64_t *out)
{
    for (uint32_t i = 0, run = 0; i < row_count; i++) {
        uint32_t row = page * BLOCK_PAGE_ROWS + rows[i];
        if (i == 0)
            run = first_run(ints, row);
        else
            while (ints->ends[run] <= row) run++;
        out[i] = ints->values[run];
    }
}

enum rf_kind block_ints_rows(const struct block_ints *ints, uint32_t page, const uint32_t *rows,
                             uint32_t row_count, int64_t *out, struct rf_err *err)
{
    RF_ASSERT(page < block_page_count(ints->count));
    uint32_t count = block_page_rows(ints->count, page);
    if (row_count == 0) return RF_OK;
    RF_ASSERT(rows[row_count - 1] < count);
    if (ints->mode == MODE_RUNS) {
        pick_runs(ints, page, rows, row_count, out);
        return RF_OK;
    }
    struct page_view view;
    RF_TRY(view_page(ints, page, count, &view, err));
    if (view.delta) { /* each value depends on all before it */
        BLOCK_SCRATCH int64_t all[BLOCK_PAGE_ROWS];
        unpack_page(ints, &view, count, (uint64_t *)(void *)all);
        for (uint32_t i = 0; i < row_count; i++) out[i] = all[rows[i]];
    } else {
        unpack_rows(ints, &view, count, rows, row_count, out);
    }
    if (ints->mode != MODE_TABLE) return RF_OK;
    for (uint32_t i = 0; i < row_count; i++) {
        if ((uint64_t)out[i] >= ints->run_count)
            return block_corrupt(err, "a code is out of range");
        out[i] = ints->values[out[i]];
    }
    return RF_OK;
}

enum rf_kind block_codes_rows(const struct block_ints *ints, uint32_t page, uint32_t limit,
                              const uint32_t *rows, uint32_t row_count, uint32_t *out,
                              struct rf_err *err)
{
    BLOCK_SCRATCH int64_t wide[BLOCK_PAGE_ROWS];
    RF_ASSERT(row_count <= BLOCK_PAGE_ROWS);
    RF_TRY(block_ints_rows(ints, page, rows, row_count, wide, err));
    if (!narrow(wide, row_count, limit, out)) return block_corrupt(err, "a code is out of range");
    return RF_OK;
}

bool block_ints_page_constant(const struct block_ints *ints, uint32_t page, int64_t *value)
{
    if (ints->mode == MODE_RUNS) {
        if (ints->run_count != 1) return false;
        *value = ints->values[0];
        return true;
    }
    const uint8_t *entry = ints->pages + (size_t)page * ENTRY_BYTES;
    if (ints->mode == MODE_TABLE) return false;
    if (entry[20] != 0 || entry[21] != 0 || rf_get_u16le(entry + 22) != 0) return false;
    uint64_t x = rf_get_u64le(entry);
    if (ints->scale != 1) x = x * ints->scale + rf_get_u64le(ints->bytes.ptr + 9);
    *value = (int64_t)x;
    return true;
}
