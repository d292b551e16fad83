#include "store/block.h"
#include "store/block_int.h"
#include "test/rf_prop.h"

static struct rf_budget budget;

static void codec_cleanup(struct block_codec *codec) { block_codec_done(codec); }

static struct block_codec codec_of(struct rf_prng *prng)
{
    if (budget.limit_bytes == 0) rf_budget_init(&budget, (size_t)1 << 30);
    return (struct block_codec){.budget = &budget, .level = (int)rf_test_below(prng, 3)};
}

static void *mem(size_t bytes)
{
    void *p = malloc(bytes + 1);
    cr_assert(p != NULL);
    return p;
}

/* ---- ints ----------------------------------------------------------------------------------------------- */

/* Numbers as telemetry has them, and as it has not. */
static void make_numbers(struct rf_prng *prng, int64_t *v, uint32_t count)
{
    uint64_t how = rf_test_below(prng, 9);
    int64_t at = rf_test_i64(prng), unit = rf_test_between(prng, 1, 100000);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t x = rf_test_u64(prng);
        switch (how) {
        case 0:
            v[i] = at;
            break;
        case 1:
            v[i] = rf_test_i64(prng);
            break;
        case 2:
            v[i] = (int64_t)x;
            break;
        case 3:
            at = v[i] = (int64_t)((uint64_t)at + x % 1000);
            break;
        case 4:
            v[i] = (int64_t)((uint64_t)(x % 5000) * (uint64_t)unit);
            break;
        case 8:
            v[i] = (int64_t)rf_hash_u64(x % ((uint64_t)unit % 300 + 1));
            break;
        case 5:
            v[i] = x % 200 == 0 ? (int64_t)x : (int64_t)(x >> 32 & 63);
            break;
        case 6:
            v[i] = at = x % 50 == 0 ? rf_test_i64(prng) : at;
            break;
        default:
            v[i] = (int64_t)((uint64_t)at - (uint64_t)i * (uint64_t)unit);
            break;
        }
    }
}

/* Rising numbers below `count`. */
static uint32_t some_rows(struct rf_prng *prng, uint32_t count, uint32_t *rows)
{
    uint32_t n = 0;
    uint64_t step = rf_test_bool(prng) ? 2 : 200;
    for (uint32_t i = 0; i < count; i++)
        if (rf_test_one_in(prng, step)) rows[n++] = i;
    return n;
}

static void rows_are_as_in_page(struct rf_prng *prng, const struct block_ints *ints, uint32_t page,
                                const int64_t *all, uint32_t count)
{
    static uint32_t rows[BLOCK_PAGE_ROWS];
    static int64_t some[BLOCK_PAGE_ROWS];
    uint32_t n = some_rows(prng, count, rows);
    struct rf_err err;
    cr_assert(block_ints_rows(ints, page, rows, n, some, &err) == RF_OK);
    for (uint32_t i = 0; i < n; i++) cr_assert(some[i] == all[rows[i]], "row %u", rows[i]);
}

static uint32_t some_count(struct rf_prng *prng)
{
    return rf_test_one_in(prng, 8) ? (uint32_t)rf_test_below(prng, 9000)
                                   : (uint32_t)rf_test_len(prng, 300);
}

RF_PROP(block_ints_come_back, 600)
{
    struct block_codec codec = codec_of(prng);
    (void)codec;
    uint32_t count = some_count(prng);
    int64_t *v = mem(count * 8), page[BLOCK_PAGE_ROWS];
    make_numbers(prng, v, count);
    struct block_buf out = block_buf_in(&budget), memory = block_buf_in(&budget);
    cr_assert(block_ints_encode(&out, &(struct block_cells){v, 8, count}));
    struct block_ints ints;
    struct rf_err err;
    cr_assert(block_ints_open(&ints, block_buf_view(&out), count, &memory, &err) == RF_OK);
    for (uint32_t p = 0, got; p * BLOCK_PAGE_ROWS < count; p++) {
        cr_assert(block_ints_page(&ints, p, page, &got, &err) == RF_OK);
        cr_assert(got == RF_MIN((uint32_t)BLOCK_PAGE_ROWS, count - p * BLOCK_PAGE_ROWS));
        cr_assert(memcmp(page, v + p * BLOCK_PAGE_ROWS, got * 8) == 0);
        rows_are_as_in_page(prng, &ints, p, page, got);
        int64_t same;
        if (block_ints_page_constant(&ints, p, &same))
            for (uint32_t i = 0; i < got; i++) cr_assert(page[i] == same);
    }
    /* Cut short or with a flipped bit: an error or other numbers, never a crash. */
    struct block_buf bad = block_buf_in(&budget);
    cr_assert(block_buf_put(&bad, out.ptr, rf_test_below(prng, out.len + 1)));
    if (bad.len > 0)
        bad.ptr[rf_test_below(prng, bad.len)] ^= (uint8_t)(1 << rf_test_below(prng, 8));
    if (block_ints_open(&ints, block_buf_view(&bad), count, &memory, &err) == RF_OK)
        for (uint32_t p = 0, got; p * BLOCK_PAGE_ROWS < count; p++)
            if (block_ints_page(&ints, p, page, &got, &err) == RF_OK)
                rows_are_as_in_page(prng, &ints, p, page, got);
    block_buf_done(&bad);
    block_buf_done(&out);
    block_buf_done(&memory);
    free(v);
}

RF_PROP(block_codes_come_back, 400)
{
    struct block_codec codec = codec_of(prng);
    (void)codec;
    uint32_t count = some_count(prng), page[BLOCK_PAGE_ROWS], rows[BLOCK_PAGE_ROWS];
    uint32_t limit = (uint32_t)1 << rf_test_below(prng, 32);
    bool narrow = limit <= 256 && rf_test_bool(prng), runs = rf_test_bool(prng);
    uint32_t *v = mem(count * 4);
    uint8_t *bytes = mem(count);
    for (uint32_t i = 0; i < count; i++) {
        v[i] = runs && i > 0 && !rf_test_one_in(prng, 60) ? v[i - 1]
                                                          : (uint32_t)rf_test_below(prng, limit);
        bytes[i] = (uint8_t)v[i];
    }
    struct block_buf out = block_buf_in(&budget), memory = block_buf_in(&budget);
    struct block_cells cells = {narrow ? (const void *)bytes : v, narrow ? 1 : 4, count};
    cr_assert(block_ints_encode(&out, &cells));
    struct block_ints ints;
    struct rf_err err;
    cr_assert(block_ints_open(&ints, block_buf_view(&out), count, &memory, &err) == RF_OK);
    for (uint32_t p = 0, got; p * BLOCK_PAGE_ROWS < count; p++) {
        uint32_t from = p * BLOCK_PAGE_ROWS, most = 0;
        cr_assert(block_codes_page(&ints, p, limit, page, &got, &err) == RF_OK);
        cr_assert(memcmp(page, v + from, got * 4) == 0);
        for (uint32_t i = 0; i < got; i++) most = RF_MAX(most, page[i]);
        cr_assert(block_codes_page(&ints, p, most, page, &got, &err) == RF_CORRUPT,
                  "a code at the limit is refused");
        uint32_t n = some_rows(prng, got, rows);
        most = 0;
        cr_assert(block_codes_rows(&ints, p, limit, rows, n, page, &err) == RF_OK);
        for (uint32_t i = 0; i < n; i++) {
            cr_assert(page[i] == v[from + rows[i]]);
            most = RF_MAX(most, page[i]);
        }
        if (n > 0) cr_assert(block_codes_rows(&ints, p, most, rows, n, page, &err) == RF_CORRUPT);
    }
    block_buf_done(&out);
    block_buf_done(&memory);
    free(v);
    free(bytes);
}

/* Against the arithmetic, value by value; lines at the edges of what takes the fast ways. */
static void check_lines(const uint8_t *bytes, uint32_t count, unsigned width, const uint64_t *v)
{
    static const uint64_t scales[] = {
        1, 0, 10, 10000, UINT32_MAX, (uint64_t)UINT32_MAX + 1, UINT64_C(864000000000), UINT64_MAX};
    static const uint64_t adds[] = {0,
                                    7,
                                    (uint64_t)-7,
                                    UINT64_C(1) << 50,
                                    (uint64_t)-1 << 50,
                                    (UINT64_C(1) << 50) + 1,
                                    INT64_MAX,
                                    UINT64_C(1) << 63};
    static uint64_t got[BLOCK_PAGE_ROWS];
    static double reals[BLOCK_PAGE_ROWS];
    for (size_t s = 0; s < RF_COUNT(scales) * RF_COUNT(adds); s++) {
        struct block_line line = {scales[s % RF_COUNT(scales)], adds[s / RF_COUNT(scales)]};
        block_bits_ints(bytes, count, width, &line, got);
        for (uint32_t i = 0; i < count; i++) cr_assert(got[i] == v[i] * line.scale + line.add);
        if (!block_bits_reals(bytes, count, width, &line, 1000.0, reals)) continue;
        for (uint32_t i = 0; i < count; i++) {
            double want = (double)(int64_t)got[i] / 1000.0;
            cr_assert(memcmp(&want, &reals[i], sizeof want) == 0, "%u bits", width);
        }
    }
}

Test(block, bits_of_every_width_and_small_counts)
{
    struct rf_prng prng = {7, 100};
    static uint64_t v[BLOCK_PAGE_ROWS], got[BLOCK_PAGE_ROWS];
    static uint32_t got32[BLOCK_PAGE_ROWS];
    static uint8_t bytes[BLOCK_PAGE_ROWS * 8 + 1];
    static const uint32_t counts[] = {1,  2,    31,   32,   33,   63,   64,
                                      65, 1000, 1023, 1024, 1025, 2047, 2048};
    for (unsigned width = 1; width <= 64; width++) {
        for (size_t c = 0; c < RF_COUNT(counts); c++) {
            uint32_t count = counts[c];
            for (uint32_t i = 0; i < count; i++) v[i] = rf_test_u64(&prng) >> (64 - width);
            size_t size = block_bits_bytes(count, width);
            cr_assert(size < sizeof bytes);
            bytes[1 + size - 1] = 0;
            block_bits_pack(v, count, width, bytes + 1);
            block_bits_ints(bytes + 1, count, width, &(struct block_line){1, 0}, got);
            cr_assert(memcmp(v, got, count * 8) == 0, "%u values of %u bits", count, width);
            for (uint32_t i = 0; i < count; i += 1 + i / 4)
                cr_assert(block_bits_value(bytes + 1, count, width, i) == v[i]);
            check_lines(bytes + 1, count, width, v);
            if (width > 31) continue;
            cr_assert(block_bits_codes(bytes + 1, count, width, 5, UINT32_MAX, got32));
            for (uint32_t i = 0; i < count; i++) cr_assert(got32[i] == v[i] + 5);
        }
    }
}

/* Encodings are there to be small: bytes a value, at most. */
Test(block, ints_are_small)
{
    struct rf_prng prng = {3, 100};
    rf_budget_init(&budget, (size_t)1 << 30);
    static int64_t v[1 << 16];
    enum { N = RF_COUNT(v) };
    static const struct {
        const char *what;
        double bytes_max;
    } cases[] = {{"constant", 0.02},  {"sorted times of ms", 1.0}, {"runs", 0.1},
                 {"outliers", 0.9},   {"multiples", 1.4},          {"alternating bits", 0.15},
                 {"few values", 0.55}};
    for (int c = 0; c < (int)RF_COUNT(cases); c++) {
        for (int64_t i = 0; i < N; i++) {
            int64_t x = (int64_t)(rf_test_u64(&prng) >> 16);
            v[i] = c == 0   ? 5
                   : c == 1 ? DATETIME_UNIX_EPOCH + i * 600000 + x % 60 * 10000
                   : c == 2 ? i / 500 * 77777777
                   : c == 3 ? (x % 100 == 0 ? x : x % 32)
                   : c == 4 ? x % 1000 * 123456
                   : c == 5 ? x % 2
                            : (int64_t)rf_hash_u64((uint64_t)x % 16);
        }
        struct block_buf out = block_buf_in(&budget);
        cr_assert(block_ints_encode(&out, &(struct block_cells){v, 8, N}));
        cr_expect((double)out.len / N <= cases[c].bytes_max, "%s: %f bytes", cases[c].what,
                  (double)out.len / N);
        block_buf_done(&out);
    }
}

/* ---- reals ---------------------------------------------------------------------------------------------- */

RF_PROP(block_reals_come_back, 400)
{
    RF_CLEANUP(codec_cleanup) struct block_codec codec = codec_of(prng);
    uint32_t count = some_count(prng);
    double *v = mem(count * 8), page[BLOCK_PAGE_ROWS];
    bool decimal = rf_test_bool(prng);
    double divisor = rf_test_bool(prng) ? 1000.0 : 100000.0;
    for (uint32_t i = 0; i < count; i++)
        v[i] = decimal && !rf_test_one_in(prng, 100)
                   ? (double)rf_test_between(prng, -5000000, 5000000) / divisor
                   : rf_test_real(prng);
    struct block_buf out = block_buf_in(&budget), memory = block_buf_in(&budget);
    cr_assert(block_reals_encode(&codec, &out, v, count));
    struct block_reals reals;
    struct rf_err err;
    cr_assert(block_reals_open(&codec, &reals, block_buf_view(&out), count, &memory, &err) ==
              RF_OK);
    for (uint32_t p = 0, got; p * BLOCK_PAGE_ROWS < count; p++) {
        cr_assert(block_reals_page(&reals, p, page, &got, &err) == RF_OK);
        cr_assert(memcmp(page, v + p * BLOCK_PAGE_ROWS, got * 8) == 0);
    }
    if (out.len > 0)
        out.ptr[rf_test_below(prng, out.len)] ^= (uint8_t)(1 << rf_test_below(prng, 8));
    if (block_reals_open(&codec, &reals, block_buf_view(&out), count, &memory, &err) == RF_OK)
        for (uint32_t p = 0, got; p * BLOCK_PAGE_ROWS < count; p++)
            (void)!block_reals_page(&reals, p, page, &got, &err);
    block_buf_done(&out);
    block_buf_done(&memory);
    free(v);
}

/* ---- texts ---------------------------------------------------------------------------------------------- */

static size_t make_text(struct rf_prng *prng, uint64_t how, char *to, size_t cap)
{
    unsigned long long a = rf_test_u64(prng), b = rf_test_u64(prng);
    static const char *const words[] = {"powershell", "-enc",     "",           "Zo\xc3\xab",
                                        "a",          "\xff\x00", "C:\\Windows"};
    switch (how) {
    case 0:
        return (size_t)snprintf(to, cap, "%08llx-%04llx-%04llx-%04llx-%012llx", a >> 32, a & 0xffff,
                                a >> 16 & 0xffff, b >> 48, b & 0xffffffffffff);
    case 1:
        return (size_t)snprintf(to, cap, "0x%06llx", a & 0xffffff);
    case 2:
        return (size_t)snprintf(to, cap, "SHA256=%016llX%016llX", a, b);
    case 3:
        return (size_t)snprintf(to, cap, "%llu.%llu.%llu.%llu", a % 256, a >> 8 & 255, b % 256,
                                b >> 9 & 7);
    case 4:
        return (size_t)snprintf(to, cap, "S-1-5-21-%llu", a % 1000000);
    case 5:
        return (size_t)snprintf(to, cap, "ws-%05llu.contoso.com", a % 100000);
    case 6:
        return (size_t)snprintf(to, cap, "20%02llu-%02llu-%02lluT%02llu:%02llu:%02llu.%07lluZ",
                                a % 100, b % 12 + 1, a % 28 + 1, b % 24, a / 7 % 60, b / 7 % 60,
                                a % 10000000);
    case 7:
        return (size_t)snprintf(to, cap, "%llu", a >> (b % 64));
    case 8:
        if (a % 3 == 0)
            return (size_t)snprintf(to, cap, "--id=%08llx-%04llx-%04llx-%04llx-%012llx%s", a >> 32,
                                    a & 0xffff, a >> 16 & 0xffff, b >> 48, b & 0xffffffffffff,
                                    words[b % 7]);
        return (size_t)snprintf(to, cap, "%s %s %s", words[a % 7], words[b % 7], words[a / 7 % 7]);
    default: {
        rf_str s = rf_test_bytes(prng, (uint8_t *)to, RF_MIN(cap, 200), NULL);
        return s.len;
    }
    }
}

RF_PROP(block_texts_come_back, 800)
{
    RF_CLEANUP(codec_cleanup) struct block_codec codec = codec_of(prng);
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 26);
    uint32_t count = some_count(prng);
    rf_str *v = rf_arena_new(&arena, rf_str, count + 1),
           *got = rf_arena_new(&arena, rf_str, count + 1);
    uint64_t how = rf_test_below(prng, 10), outliers = rf_test_bool(prng) ? 40 : 1000000;
    for (uint32_t i = 0; i < count; i++) {
        char text[256];
        size_t len = make_text(prng, rf_test_one_in(prng, outliers) ? rf_test_below(prng, 10) : how,
                               text, sizeof text);
        cr_assert(rf_arena_str(&arena, rf_str_make(text, len), &v[i]));
    }
    struct block_buf out = block_buf_in(&budget);
    struct block_texts texts = block_texts_in(&budget);
    struct rf_err err;
    cr_assert(block_texts_encode(&codec, &out, v, count));
    cr_assert(block_texts_open(&codec, &texts, block_buf_view(&out), count, &err) == RF_OK);
    cr_assert(block_texts_all(&texts, got, &err) == RF_OK);
    for (uint32_t i = 0; i < count; i++) cr_assert(rf_str_eq(v[i], got[i]), "%.*s", RF_FMT(v[i]));
    cr_assert(block_texts_open(&codec, &texts, block_buf_view(&out), count, &err) == RF_OK);
    for (uint32_t page = 0; page * BLOCK_PAGE_ROWS < count; page++) {
        uint32_t from = page * BLOCK_PAGE_ROWS, rows[BLOCK_PAGE_ROWS], n = 0;
        for (uint32_t i = 0; i < BLOCK_PAGE_ROWS && from + i < count; i++)
            if (rf_test_one_in(prng, 3)) rows[n++] = i;
        cr_assert(block_texts_read(&texts, page, rows, n, got, &err) == RF_OK);
        for (uint32_t i = 0; i < n; i++) cr_assert(rf_str_eq(v[from + rows[i]], got[i]));
    }
    cr_assert(block_texts_open(&codec, &texts, block_buf_view(&out), count, &err) == RF_OK);
    for (uint32_t i = 0; i < RF_MIN(count, 50u); i++) {
        uint32_t item = (uint32_t)rf_test_below(prng, count);
        cr_assert(block_texts_one(&texts, item, got, &err) == RF_OK);
        cr_assert(rf_str_eq(v[item], got[0]));
    }
    for (int i = 0; i < 4; i++) {
        uint8_t *byte = out.ptr + rf_test_below(prng, out.len),
                bit = (uint8_t)(1 << rf_test_below(prng, 8));
        *byte ^= bit;
        if (block_texts_open(&codec, &texts, block_buf_view(&out), count, &err) == RF_OK) {
            const uint32_t row = count == 0 ? 0 : (count - 1) % BLOCK_PAGE_ROWS;
            if (count > 0 && block_texts_read(&texts, (count - 1) / BLOCK_PAGE_ROWS, &row, 1, got,
                                              &err) == RF_OK)
                (void)rf_hash(got[0].ptr, got[0].len, 0); /* every byte is readable */
            if (count > 0 && block_texts_one(&texts, count / 2, got, &err) == RF_OK)
                (void)rf_hash(got[0].ptr, got[0].len, 0);
            if (block_texts_all(&texts, got, &err) == RF_OK)
                for (uint32_t k = 0; k < count; k++) (void)rf_hash(got[k].ptr, got[k].len, 0);
        }
        *byte ^= bit;
    }
    block_buf_done(&out);
    block_texts_done(&texts);
    cr_assert(atomic_load(&budget.used_bytes) == 0);
}

Test(block, texts_of_one_form_are_small)
{
    struct rf_prng prng = {3, 100};
    rf_budget_init(&budget, (size_t)1 << 30);
    static const double bytes_max[] = {16.1, 3.1, 16.1, 4.1, 2.7, 2.2, 8.0};
    enum { N = 4000 };
    static char text[N][80];
    static rf_str v[N];
    for (uint64_t how = 0; how < RF_COUNT(bytes_max); how++) {
        RF_CLEANUP(codec_cleanup) struct block_codec codec = {.budget = &budget, .level = 1};
        for (int i = 0; i < N; i++) v[i] = rf_str_make(text[i], make_text(&prng, how, text[i], 80));
        struct block_buf out = block_buf_in(&budget);
        cr_assert(block_texts_encode(&codec, &out, v, N));
        cr_expect((double)out.len / N <= bytes_max[how], "form %d: %f bytes", (int)how,
                  (double)out.len / N);
        block_buf_done(&out);
    }
}

/* ---- packs ---------------------------------------------------------------------------------------------- */

enum { PACKED_TEXTS = 4500 };

/* Command lines, a third of them with a guid, encoded at that level. Their views stay in `v`. */
static void make_packs(struct rf_arena *arena, struct block_codec *codec, rf_str *v,
                       struct block_buf *out)
{
    struct rf_prng prng = {7, 100};
    for (uint32_t i = 0; i < PACKED_TEXTS; i++) {
        unsigned long long a = rf_test_u64(&prng), b = rf_test_u64(&prng);
        char text[256], guid[64] = "";
        if (i % 3 == 0)
            snprintf(guid, sizeof guid, "%08llx-%04llx-%04llx-%04llx-%012llx", a >> 32, a & 0xffff,
                     a >> 16 & 0xffff, b >> 48, b & 0xffffffffffff);
        int len =
            snprintf(text, sizeof text,
                     "\"C:\\Program Files\\Contoso\\agent.exe\" --session %s --port %llu --user "
                     "u%04llu %.*s",
                     guid, a % 65536, b % 3000, (int)(a % 60),
                     "----------------------------------------------------------------");
        cr_assert(rf_arena_str(arena, rf_str_make(text, (size_t)len), &v[i]));
    }
    cr_assert(block_texts_encode(codec, out, v, PACKED_TEXTS));
}

static uint32_t unpacked_of(const struct block_texts *t)
{
    const uint8_t *flags = t->views.ptr + t->count * sizeof(rf_str);
    uint32_t sum = 0;
    for (uint32_t i = 0; i < t->pack_count; i++) sum += flags[i];
    return sum;
}

/* Few texts cost their packs, not those of the others; and what is unpacked stays so. */
Test(block, texts_are_unpacked_by_packs)
{
    rf_budget_init(&budget, (size_t)1 << 30);
    static rf_str v[PACKED_TEXTS], got[PACKED_TEXTS];
    for (int level = 0; level < 3; level++) {
        RF_CLEANUP(codec_cleanup) struct block_codec codec = {.budget = &budget, .level = level};
        RF_CLEANUP(rf_arena_done) struct rf_arena arena;
        rf_arena_init(&arena, 1 << 26);
        struct block_buf out = block_buf_in(&budget);
        struct block_texts t = block_texts_in(&budget);
        struct rf_err err;
        make_packs(&arena, &codec, v, &out);
        cr_assert(block_texts_open(&codec, &t, block_buf_view(&out), PACKED_TEXTS, &err) == RF_OK);
        cr_assert(t.pack_count >= 10, "%u packs", t.pack_count);
        cr_assert(unpacked_of(&t) == 0);
        const uint32_t rows[] = {3, 5, 400}, last = PACKED_TEXTS - 1,
                       last_row = last % BLOCK_PAGE_ROWS;
        for (uint32_t i = 0; i < PACKED_TEXTS; i += 7) {
            cr_assert(block_texts_one(&t, last - i, got, &err) == RF_OK);
            cr_assert(rf_str_eq(got[0], v[last - i]));
        }
        cr_assert(unpacked_of(&t) <= 1, "only the first pack, which the others need, stays");
        for (uint32_t i = 0; i < 1000; i++) {
            uint32_t item = i * 997 % PACKED_TEXTS;
            cr_assert(block_texts_one(&t, item, got, &err) == RF_OK);
            cr_assert(rf_str_eq(got[0], v[item]));
        }
        cr_assert(unpacked_of(&t) > 1, "packs that come again stay");
        cr_assert(block_texts_open(&codec, &t, block_buf_view(&out), PACKED_TEXTS, &err) == RF_OK);
        cr_assert(block_texts_read(&t, 2, &last_row, 1, got, &err) == RF_OK);
        cr_assert(rf_str_eq(got[0], v[last]));
        cr_assert(unpacked_of(&t) == 1);
        cr_assert(block_texts_read(&t, 1, rows, 3, got, &err) == RF_OK);
        for (int i = 0; i < 3; i++) cr_assert(rf_str_eq(got[i], v[BLOCK_PAGE_ROWS + rows[i]]));
        cr_assert(unpacked_of(&t) == 3);
        cr_assert(block_texts_read(&t, 1, rows, 2, got, &err) == RF_OK);
        cr_assert(unpacked_of(&t) == 3);
        cr_assert(block_texts_read(&t, 0, NULL, BLOCK_PAGE_ROWS, got, &err) == RF_OK);
        for (uint32_t i = 0; i < BLOCK_PAGE_ROWS; i++) cr_assert(rf_str_eq(got[i], v[i]));
        cr_assert(block_texts_all(&t, got, &err) == RF_OK);
        cr_assert(unpacked_of(&t) == t.pack_count);
        for (uint32_t i = 0; i < PACKED_TEXTS; i++) cr_assert(rf_str_eq(got[i], v[i]));
        block_buf_done(&out);
        block_texts_done(&t);
    }
    cr_assert(atomic_load(&budget.used_bytes) == 0);
}

/* What a pack's table says twice over, with the lengths and with the packs themselves, must agree. */
Test(block, damaged_tables_of_packs_are_told)
{
    rf_budget_init(&budget, (size_t)1 << 30);
    static rf_str v[PACKED_TEXTS], got[PACKED_TEXTS];
    RF_CLEANUP(codec_cleanup) struct block_codec codec = {.budget = &budget};
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 26);
    struct block_buf out = block_buf_in(&budget);
    struct block_texts t = block_texts_in(&budget);
    struct rf_err err;
    make_packs(&arena, &codec, v, &out);
    cr_assert(block_texts_open(&codec, &t, block_buf_view(&out), PACKED_TEXTS, &err) == RF_OK);
    size_t from = (size_t)(t.packs - 1 - out.ptr), to = from + 1 + (size_t)t.pack_count * 8;
    for (size_t bit = from * 8; bit < to * 8; bit++) {
        out.ptr[bit / 8] ^= (uint8_t)(1 << bit % 8);
        enum rf_kind kind = block_texts_open(&codec, &t, block_buf_view(&out), PACKED_TEXTS, &err);
        if (kind == RF_OK) kind = block_texts_all(&t, got, &err);
        cr_assert(kind == RF_CORRUPT, "bit %zu", bit - from * 8);
        out.ptr[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t len = from; len < out.len; len += 1 + out.len / 1000)
        cr_assert(block_texts_open(&codec, &t, rf_str_make(out.ptr, len), PACKED_TEXTS, &err) ==
                  RF_CORRUPT);
    block_buf_done(&out);
    block_texts_done(&t);
}

/* Cells that look random are not packed, but those that come again are. */
Test(block, texts_that_repeat_are_packed)
{
    struct rf_prng prng = {5, 100};
    rf_budget_init(&budget, (size_t)1 << 30);
    enum { N = 4000, DISTINCT = 500, GUID = 0 };
    static char text[DISTINCT][80];
    static rf_str distinct[DISTINCT], v[N];
    RF_CLEANUP(codec_cleanup) struct block_codec codec = {.budget = &budget, .level = 1};
    for (int i = 0; i < DISTINCT; i++)
        distinct[i] = rf_str_make(text[i], make_text(&prng, GUID, text[i], 80));
    for (int i = 0; i < N; i++) v[i] = distinct[rf_test_below(&prng, DISTINCT)];
    struct block_buf out = block_buf_in(&budget);
    cr_assert(block_texts_encode(&codec, &out, v, N));
    cr_expect((double)out.len / N <= 6, "%f bytes", (double)out.len / N);
    block_buf_done(&out);
}
