#include "store/block.h"
#include "test/rf_fuzz.h"

enum { COUNT_MAX = 8192 };

/* Some rows are the same as those of the page. */
static void check_rows(const struct block_ints *ints, uint32_t page, const int64_t *all,
                       uint32_t count)
{
    uint32_t rows[BLOCK_PAGE_ROWS], n = 0, codes[BLOCK_PAGE_ROWS];
    int64_t some[BLOCK_PAGE_ROWS];
    for (uint32_t i = 0; i < count; i += 1 + i % 7) rows[n++] = i;
    enum rf_kind kind = block_ints_rows(ints, page, rows, n, some, NULL);
    RF_ASSERT(kind == RF_OK);
    for (uint32_t i = 0; i < n; i++) RF_ASSERT(some[i] == all[rows[i]]);
    if (block_codes_rows(ints, page, 1000, rows, n, codes, NULL) != RF_OK) return;
    for (uint32_t i = 0; i < n; i++) RF_ASSERT(codes[i] == some[i] && codes[i] < 1000);
}

static void check_ints(rf_str bytes, uint32_t count, struct block_buf *memory)
{
    struct block_ints ints;
    int64_t numbers[BLOCK_PAGE_ROWS], same;
    uint32_t codes[BLOCK_PAGE_ROWS], got;
    if (block_ints_open(&ints, bytes, count, memory, NULL) != RF_OK) return;
    for (uint32_t page = 0; page * BLOCK_PAGE_ROWS < count; page++) {
        if (block_ints_page(&ints, page, numbers, &got, NULL) != RF_OK) continue;
        check_rows(&ints, page, numbers, got);
        if (block_ints_page_constant(&ints, page, &same))
            for (uint32_t i = 0; i < got; i++) RF_ASSERT(numbers[i] == same);
        if (block_codes_page(&ints, page, 1000, codes, &got, NULL) != RF_OK) continue;
        for (uint32_t i = 0; i < got; i++) RF_ASSERT(codes[i] == numbers[i] && codes[i] < 1000);
    }
}

static void check_reals(rf_str bytes, uint32_t count, struct block_codec *codec,
                        struct block_buf *memory)
{
    struct block_reals reals;
    double page_reals[BLOCK_PAGE_ROWS];
    uint32_t got;
    if (block_reals_open(codec, &reals, bytes, count, memory, NULL) != RF_OK) return;
    for (uint32_t page = 0; page * BLOCK_PAGE_ROWS < count; page++)
        (void)!block_reals_page(&reals, page, page_reals, &got, NULL);
}

static enum rf_kind read_all(struct block_codec *codec, struct block_texts *t, rf_str bytes,
                             uint32_t count, rf_str *items)
{
    RF_TRY(block_texts_open(codec, t, bytes, count, NULL));
    return block_texts_all(t, items, NULL);
}

/* Texts of which no others were read before are the same. */
static void check_few(rf_str bytes, uint32_t count, struct block_codec *codec, const rf_str *all)
{
    struct block_texts t = block_texts_in(codec->budget);
    bool good = block_texts_open(codec, &t, bytes, count, NULL) == RF_OK;
    for (uint32_t i = count; good && i > 0; i -= 1 + i / 3) {
        uint32_t row = (i - 1) % BLOCK_PAGE_ROWS;
        rf_str item;
        enum rf_kind kind = block_texts_read(&t, (i - 1) / BLOCK_PAGE_ROWS, &row, 1, &item, NULL);
        RF_ASSERT(kind == RF_OK || kind == RF_LIMIT || all == NULL);
        if (kind != RF_OK) break;
        (void)rf_hash(item.ptr, item.len, 0);
        if (all != NULL) RF_ASSERT(rf_str_eq(item, all[i - 1]));
    }
    block_texts_done(&t);
}

/* What decodes also encodes, and comes back; a page gives the same as the whole. */
static void check_texts(rf_str bytes, uint32_t count, struct block_codec *codec)
{
    static rf_str items[COUNT_MAX], again[COUNT_MAX];
    struct block_buf out = block_buf_in(codec->budget);
    struct block_texts first = block_texts_in(codec->budget), second = first;
    bool good = read_all(codec, &first, bytes, count, items) == RF_OK;
    check_few(bytes, count, codec, good ? items : NULL);
    if (good && block_texts_encode(codec, &out, items, count)) {
        enum rf_kind kind = read_all(codec, &second, block_buf_view(&out), count, again);
        RF_ASSERT(kind == RF_OK || kind == RF_LIMIT);
        for (uint32_t i = 0; kind == RF_OK && i < count; i++)
            RF_ASSERT(rf_str_eq(items[i], again[i]));
        uint32_t last = count - 1, row = last % BLOCK_PAGE_ROWS;
        if (kind == RF_OK && count > 0 &&
            block_texts_read(&second, last / BLOCK_PAGE_ROWS, &row, 1, again, NULL) == RF_OK)
            RF_ASSERT(rf_str_eq(items[last], again[0]));
    }
    block_buf_done(&out);
    block_texts_done(&first);
    block_texts_done(&second);
}

/* Three bytes choose decoder and count; the rest is what it is given. */
RF_FUZZ(block, text)
{
    if (text.len < 3) return;
    struct rf_budget budget;
    rf_budget_init(&budget, 64 << 20);
    struct block_codec codec = {.budget = &budget, .level = 1};
    struct block_buf memory = block_buf_in(&budget);
    uint32_t count = rf_get_u16le(text.ptr + 1) % COUNT_MAX;
    rf_str bytes = rf_slice(text, 3, text.len);
    switch (text.ptr[0] % 3) {
    case 0:
        check_ints(bytes, count, &memory);
        break;
    case 1:
        check_reals(bytes, count, &codec, &memory);
        break;
    default:
        check_texts(bytes, count, &codec);
        break;
    }
    block_buf_done(&memory);
    block_codec_done(&codec);
    RF_ASSERT(atomic_load(&budget.used_bytes) == 0);
}
