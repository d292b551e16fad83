/* Texts.
 *
 *    0  1  kind, 1 letter case, 1 digits: struct block_text_form
 *    3  1  bytes that all begin with             4  1  bytes that all end with
 *    5  4  exceptions                            9  4  bytes of the ints
 *   13     beginning, end
 *          typed: ints (kinds that are numbers) or packed cells, one for each text
 *          plain: see block_plain.c
 *          exceptions, if there are any: u32 place of each, u32 length of each, packed bytes */
#include "store/block_int.h"

enum { SAMPLE = 32, FORMS = 8, SHARED_BYTES_MAX = 255, TYPED_COUNT_MIN = 4, FEW_ROWS = 64 };

/* ---- choosing a form -------------------------------------------------------------------------------------- */

struct choice {
    struct block_text_form form;
    rf_str front, back;
};

static bool trim(const struct choice *choice, rf_str text, rf_str *middle)
{
    if (text.len < choice->front.len + choice->back.len) return false;
    *middle = rf_slice(text, choice->front.len, text.len - choice->back.len);
    return (choice->front.len == 0 ||
            memcmp(text.ptr, choice->front.ptr, choice->front.len) == 0) &&
           (choice->back.len == 0 ||
            memcmp(middle->ptr + middle->len, choice->back.ptr, choice->back.len) == 0);
}

static uint32_t count_hits(const struct choice *choice, const struct block_text_form *form,
                           const rf_str *sample, uint32_t count)
{
    uint32_t hits = 0;
    for (uint32_t i = 0; i < count; i++) {
        rf_str middle;
        int64_t number;
        uint8_t cell[BLOCK_TEXT_PRINT_MAX];
        hits += trim(choice, sample[i], &middle) && block_text_parse(form, middle, &number, cell);
    }
    return hits;
}

/* The form that most of the sample has, when all that it has in common is cut off; PLAIN unless nearly all. */
static struct block_text_form common_form(const struct choice *choice, const rf_str *sample,
                                          uint32_t count)
{
    struct block_text_form best = {.kind = BLOCK_TEXT_PLAIN};
    uint32_t best_hits = count - count / 16 - 1;
    for (uint32_t i = 0; i < RF_MIN(count, (uint32_t)FORMS) * 2; i++) {
        rf_str middle;
        if (!trim(choice, sample[i / 2], &middle)) continue;
        struct block_text_form form = block_text_form_of(middle);
        if (form.kind == BLOCK_TEXT_PLAIN) continue;
        /* Every second time: the same number of digits in all, as the others may begin with zeros. */
        if (i % 2 == 1 && form.kind != BLOCK_TEXT_NUMBER) continue;
        if (i % 2 == 1) form.digits = (uint8_t)middle.len;
        uint32_t hits = count_hits(choice, &form, sample, count);
        if (hits <= best_hits) continue;
        best = form;
        best_hits = hits;
    }
    return best;
}

static bool is_hex(uint8_t c) { return rf_is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f'); }

/* What all of the sample begins and ends with, without digits that only happen to be the same. */
static void find_shared(const rf_str *sample, uint32_t count, struct choice *choice)
{
    size_t front = sample[0].len, back = sample[0].len;
    for (uint32_t i = 1; i < count; i++) {
        rf_str a = sample[0], b = sample[i];
        front = RF_MIN(front, b.len);
        back = RF_MIN(back, b.len);
        size_t same = 0;
        while (same < front && a.ptr[same] == b.ptr[same]) same++;
        front = same;
        same = 0;
        while (same < back && a.ptr[a.len - 1 - same] == b.ptr[b.len - 1 - same]) same++;
        back = same;
    }
    rf_str first = sample[0];
    while (front > 0 && is_hex(first.ptr[front - 1])) front--;
    while (back > 0 && is_hex(first.ptr[first.len - back])) back--;
    if (front > SHARED_BYTES_MAX || back > SHARED_BYTES_MAX || front + back > first.len)
        front = back = 0;
    choice->front = rf_slice(first, 0, front);
    choice->back = rf_slice(first, first.len - back, first.len);
}

static struct choice choose(const rf_str *items, uint32_t count)
{
    struct choice choice = {0};
    rf_str sample[SAMPLE];
    uint32_t step = count / SAMPLE + 1, n = 0;
    for (uint32_t i = 0; i < count; i += step) sample[n++] = items[i];
    if (count < TYPED_COUNT_MIN) return choice;
    choice.form = common_form(&choice, sample, n);
    if (choice.form.kind != BLOCK_TEXT_PLAIN) return choice;
    find_shared(sample, n, &choice);
    if (choice.front.len + choice.back.len > 0) choice.form = common_form(&choice, sample, n);
    if (choice.form.kind == BLOCK_TEXT_PLAIN) choice.front = choice.back = (rf_str){0};
    return choice;
}

/* ---- encoding ------------------------------------------------------------------------------------------- */

static bool put_head(struct block_buf *out, const struct choice *choice)
{
    uint8_t head[BLOCK_TEXTS_HEAD_BYTES] = {choice->form.kind, choice->form.upper,
                                            choice->form.digits, (uint8_t)choice->front.len,
                                            (uint8_t)choice->back.len};
    return block_buf_put(out, head, sizeof head) &&
           block_buf_put(out, choice->front.ptr, choice->front.len) &&
           block_buf_put(out, choice->back.ptr, choice->back.len);
}

/* Places of the texts that do not have the form, and room for the numbers or cells of all. */
struct typed_parts {
    struct block_buf cells, places;
    uint32_t exceptions;
};

static bool parse_all(const struct choice *choice, const rf_str *items, uint32_t count,
                      struct typed_parts *parts, bool *fits)
{
    bool is_int = block_text_is_int(&choice->form);
    size_t cell_bytes = is_int ? sizeof(int64_t) : block_text_cell_bytes(&choice->form);
    if (!block_buf_reserve(&parts->cells, (size_t)count * cell_bytes)) return false;
    uint32_t most = count / 16;
    int64_t last = 0;
    for (uint32_t i = 0; i < count && parts->exceptions <= most; i++) {
        rf_str middle;
        uint8_t *cell = parts->cells.ptr + (size_t)i * cell_bytes;
        int64_t number = last;
        if (trim(choice, items[i], &middle) &&
            block_text_parse(&choice->form, middle, &number, cell)) {
            last = number;
        } else {
            parts->exceptions++;
            if (!block_buf_u32(&parts->places, i)) return false;
            number = last;
            if (!is_int) memset(cell, 0, cell_bytes);
        }
        if (is_int) memcpy(cell, &number, sizeof number);
    }
    parts->cells.len = (size_t)count * cell_bytes;
    *fits = parts->exceptions <= most;
    return true;
}

static bool put_exceptions(struct block_codec *codec, struct block_buf *out, const rf_str *items,
                           const struct block_buf *places)
{
    uint32_t count = (uint32_t)(places->len / 4);
    if (count == 0) return true;
    if (!block_buf_put(out, places->ptr, places->len)) return false;
    struct block_buf bytes = block_buf_in(out->budget);
    bool good = true;
    for (uint32_t i = 0; i < count && good; i++) {
        rf_str text = items[rf_get_u32le(places->ptr + (size_t)i * 4)];
        good = block_buf_u32(out, (uint32_t)text.len) && block_buf_put(&bytes, text.ptr, text.len);
    }
    good = good && block_pack(codec, out, block_buf_view(&bytes));
    block_buf_done(&bytes);
    return good;
}

static bool put_typed(struct block_codec *codec, struct block_buf *out, const struct choice *choice,
                      const rf_str *items, uint32_t count, const struct typed_parts *parts)
{
    size_t start = out->len;
    if (!put_head(out, choice)) return false;
    size_t ints = out->len;
    if (block_text_is_int(&choice->form)) {
        if (!block_ints_encode(out, &(struct block_cells){parts->cells.ptr, 8, count}))
            return false;
    } else if (!block_pack_cells(codec, out, block_buf_view(&parts->cells),
                                 block_text_cell_bytes(&choice->form))) {
        return false;
    }
    rf_put_u32le(out->ptr + start + 5, parts->exceptions);
    rf_put_u32le(out->ptr + start + 9, (uint32_t)(out->len - ints));
    return put_exceptions(codec, out, items, &parts->places);
}

/* Sets *fits when so few texts are exceptions that it pays; otherwise `out` is as before. */
static bool encode_typed(struct block_codec *codec, struct block_buf *out,
                         const struct choice *choice, const rf_str *items, uint32_t count,
                         bool *fits)
{
    struct typed_parts parts = {block_buf_in(out->budget), block_buf_in(out->budget), 0};
    bool good = parse_all(choice, items, count, &parts, fits);
    if (good && *fits) good = put_typed(codec, out, choice, items, count, &parts);
    block_buf_done(&parts.cells);
    block_buf_done(&parts.places);
    return good;
}

bool block_texts_encode(struct block_codec *codec, struct block_buf *out, const rf_str *items,
                        uint32_t count)
{
    RF_ASSERT(count <= BLOCK_COUNT_MAX);
    bool fits = false;
    struct choice choice = choose(items, count);
    if (choice.form.kind != BLOCK_TEXT_PLAIN &&
        !encode_typed(codec, out, &choice, items, count, &fits))
        return false;
    return fits || block_plain_encode(codec, out, items, count);
}

/* ---- decoding ------------------------------------------------------------------------------------------- */

struct block_texts block_texts_in(struct rf_budget *budget)
{
    struct block_buf empty = block_buf_in(budget);
    return (struct block_texts){
        .memory = empty, .room = empty, .views = empty, .first = empty, .printed = empty};
}

void block_texts_done(struct block_texts *t)
{
    block_buf_done(&t->memory);
    block_buf_done(&t->room);
    block_buf_done(&t->views);
    block_buf_done(&t->first);
    block_buf_done(&t->printed);
}

static struct block_text_form form_of(const struct block_texts *t)
{
    return (struct block_text_form){.kind = t->kind, .upper = t->upper, .digits = t->digits};
}

/* Reads the head; *at moves to the ints, whose length is *ints_bytes. */
static enum rf_kind open_head(struct block_texts *t, size_t *at, size_t *ints_bytes,
                              struct rf_err *err)
{
    struct block_reader r = {t->bytes, 0, false};
    t->kind = block_take_u8(&r);
    t->upper = block_take_u8(&r);
    t->digits = block_take_u8(&r);
    uint8_t front = block_take_u8(&r), back = block_take_u8(&r);
    t->exceptions = block_take_u32(&r);
    *ints_bytes = block_take_u32(&r);
    t->front = block_take_str(&r, front);
    t->back = block_take_str(&r, back);
    *at = r.at;
    (void)block_take(&r, *ints_bytes);
    if (r.failed || t->count > BLOCK_COUNT_MAX) return block_corrupt(err, "texts are cut short");
    struct block_text_form form = form_of(t);
    if (!block_text_form_valid(&form) || t->exceptions > t->count)
        return block_corrupt(err, "texts have a bad head");
    return RF_OK;
}

/* A view of each exception's text; their places must rise. */
static enum rf_kind open_exceptions(struct block_texts *t, struct rf_err *err)
{
    const uint8_t *lengths = t->places + (size_t)t->exceptions * 4;
    size_t used = 0;
    if (!block_buf_reserve(&t->views, (size_t)t->exceptions * sizeof(rf_str)))
        return block_no_memory(err, t->views.budget);
    rf_str *view = (rf_str *)(void *)t->views.ptr;
    for (uint32_t i = 0, last = 0; i < t->exceptions; i++) {
        uint32_t place = rf_get_u32le(t->places + (size_t)i * 4),
                 len = rf_get_u32le(lengths + (size_t)i * 4);
        if (place >= t->count || (i > 0 && place <= last) || len > t->memory.len - used)
            return block_corrupt(err, "an exception is out of range");
        view[i] = rf_str_make(t->memory.ptr + used, len);
        used += len;
        last = place;
    }
    return used == t->memory.len ? RF_OK
                                 : block_corrupt(err, "exceptions are shorter than their bytes");
}

static enum rf_kind open_typed(struct block_codec *codec, struct block_texts *t, rf_str ints,
                               size_t at, struct rf_err *err)
{
    struct block_text_form form = form_of(t);
    struct block_reader r = {t->bytes, at, false};
    t->places = block_take(&r, (size_t)t->exceptions * 8);
    if (r.failed) return block_corrupt(err, "exceptions are cut short");
    if (t->exceptions > 0)
        RF_TRY(block_unpack(codec, t->bytes, &r.at, BLOCK_TEXT_BYTES_MAX, &t->memory, err));
    if (r.at != t->bytes.len) return block_corrupt(err, "texts are followed by other bytes");
    if (block_text_is_int(&form))
        RF_TRY(block_ints_open(&t->ints, ints, t->count, &t->room, err));
    else {
        size_t raw_bytes = block_text_cell_bytes(&form) * t->count, from = 0;
        RF_TRY(block_unpack_view(codec, ints, &from, raw_bytes, &t->room, &t->cells, err));
    }
    return open_exceptions(t, err);
}

enum rf_kind block_texts_open(struct block_codec *codec, struct block_texts *t, rf_str bytes,
                              uint32_t count, struct rf_err *err)
{
    size_t at, ints_bytes;
    t->codec = codec;
    t->bytes = bytes;
    t->count = count;
    t->memory.len = t->room.len = t->views.len = t->printed.len = 0;
    t->before = (rf_str){0};
    t->lone_pack = t->lone_count = 0;
    RF_TRY(open_head(t, &at, &ints_bytes, err));
    rf_str ints = rf_slice(bytes, at, at + ints_bytes);
    return t->kind == BLOCK_TEXT_PLAIN ? block_plain_open(t, ints, at + ints_bytes, err)
                                       : open_typed(codec, t, ints, at + ints_bytes, err);
}

/* The most bytes that a text of the form prints. */
static size_t print_bytes_max(const struct block_texts *t)
{
    size_t middle = t->kind == BLOCK_TEXT_GUID     ? 36
                    : t->kind == BLOCK_TEXT_NUMBER ? 20
                    : t->kind == BLOCK_TEXT_IPV4   ? BLOCK_TEXT_IPV4_ROOM
                    : t->kind == BLOCK_TEXT_TIME   ? 28
                                                   : t->digits;
    return t->front.len + middle + t->back.len;
}

static rf_str print_one(const struct block_texts *t, const struct block_text_form *form,
                        int64_t number, const uint8_t *cell, uint8_t *to)
{
    uint8_t *at = to;
    if (t->front.len > 0) memcpy(at, t->front.ptr, t->front.len);
    at += t->front.len;
    at += block_text_print(form, number, cell, at);
    if (t->back.len > 0) memcpy(at, t->back.ptr, t->back.len);
    at += t->back.len;
    return rf_str_make(to, (size_t)(at - to));
}

/* The first exception at `place` or behind it. */
static uint32_t find_exception(const struct block_texts *t, uint32_t place)
{
    uint32_t low = 0, high = t->exceptions;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (rf_get_u32le(t->places + (size_t)middle * 4) < place)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Prints texts of one page behind what is printed, for which there is room. */
static enum rf_kind print_page(struct block_texts *t, uint32_t page, const uint32_t *rows,
                               uint32_t row_count, rf_str *items, struct rf_err *err)
{
    struct block_text_form form = form_of(t);
    size_t cell_bytes = block_text_cell_bytes(&form), from = (size_t)page * BLOCK_PAGE_ROWS;
    bool is_int = block_text_is_int(&form);
    BLOCK_SCRATCH int64_t numbers[BLOCK_PAGE_ROWS];
    uint32_t got, exception = find_exception(t, (uint32_t)from);
    const rf_str *views = (const rf_str *)(const void *)t->views.ptr;
    bool few = rows != NULL && row_count <= FEW_ROWS;
    if (is_int && few)
        RF_TRY(block_ints_rows(&t->ints, page, rows, row_count, numbers, err));
    else if (is_int)
        RF_TRY(block_ints_page(&t->ints, page, numbers, &got, err));
    for (uint32_t i = 0; i < row_count; i++) {
        uint32_t row = rows == NULL ? i : rows[i], place = (uint32_t)from + row;
        while (exception < t->exceptions && rf_get_u32le(t->places + (size_t)exception * 4) < place)
            exception++;
        if (exception < t->exceptions && rf_get_u32le(t->places + (size_t)exception * 4) == place) {
            items[i] = views[exception];
            continue;
        }
        items[i] = is_int ? print_one(t, &form, numbers[few ? i : row], NULL,
                                      t->printed.ptr + t->printed.len)
                          : print_one(t, &form, 0, t->cells + place * cell_bytes,
                                      t->printed.ptr + t->printed.len);
        t->printed.len += items[i].len;
    }
    return RF_OK;
}

enum rf_kind block_texts_read(struct block_texts *t, uint32_t page, const uint32_t *rows,
                              uint32_t row_count, rf_str *items, struct rf_err *err)
{
    if (row_count == 0) return RF_OK;
    if (t->kind == BLOCK_TEXT_PLAIN) {
        uint32_t from = page * BLOCK_PAGE_ROWS;
        const rf_str *views = (const rf_str *)(const void *)t->views.ptr + from;
        if (rows == NULL) RF_TRY(block_plain_need(t, from, from + row_count, err));
        for (uint32_t i = 0; i < row_count; i++) {
            uint32_t row = rows == NULL ? i : rows[i];
            if (rows != NULL) RF_TRY(block_plain_need(t, from + row, from + row + 1, err));
            items[i] = views[row];
        }
        return RF_OK;
    }
    t->printed.len = 0;
    if (!block_buf_reserve(&t->printed, print_bytes_max(t) * row_count + 1))
        return block_no_memory(err, t->printed.budget);
    return print_page(t, page, rows, row_count, items, err);
}

enum rf_kind block_texts_one(struct block_texts *t, uint32_t item, rf_str *out, struct rf_err *err)
{
    uint32_t row = item % BLOCK_PAGE_ROWS;
    RF_ASSERT(item < t->count);
    if (t->kind == BLOCK_TEXT_PLAIN) return block_plain_one(t, item, out, err);
    return block_texts_read(t, item / BLOCK_PAGE_ROWS, &row, 1, out, err);
}

enum rf_kind block_texts_all(struct block_texts *t, rf_str *items, struct rf_err *err)
{
    t->printed.len = 0;
    if (t->kind == BLOCK_TEXT_PLAIN) {
        RF_TRY(block_plain_need(t, 0, t->count, err));
        /* Nothing is left to unpack. */
        block_buf_done(&t->first);
        block_buf_done(&t->printed);
        t->lone_pack = 0;
        if (t->count > 0) memcpy(items, t->views.ptr, t->count * sizeof *items);
        return RF_OK;
    }
    /* Below 2^10 * 2^20. */
    if (!block_buf_reserve(&t->printed, print_bytes_max(t) * t->count + 1))
        return block_no_memory(err, t->printed.budget);
    for (uint32_t page = 0; page * BLOCK_PAGE_ROWS < t->count; page++)
        RF_TRY(print_page(t, page, NULL, block_page_rows(t->count, page),
                          items + (size_t)page * BLOCK_PAGE_ROWS, err));
    return RF_OK;
}
