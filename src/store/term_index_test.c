#include "store/term_index.h"

#include "base/term.h"
#include "test/rf_prop.h"
#include "value/dyn.h"

enum { GRANULES = 3, TEXT_BYTES_MAX = 600, TEXTS_MAX = 40 };

static struct rf_budget budget;

static void begin(struct term_index_builder *b)
{
    if (budget.limit_bytes == 0) rf_budget_init(&budget, (size_t)1 << 28);
    term_index_begin(b, &budget);
}

struct built {
    struct term_index index;
    struct block_buf flags, words;
};

static void finish(struct term_index_builder *b, struct built *out)
{
    out->flags = out->words = block_buf_in(&budget);
    cr_assert(term_index_finish(b, &out->index, &out->flags, &out->words));
    term_index_done(b);
}

static void built_done(struct built *built)
{
    block_buf_done(&built->flags);
    block_buf_done(&built->words);
}

static bool hits(const struct built *built, uint32_t granule, rf_str term)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 16);
    struct term_probe probe;
    cr_assert(term_probe_make(term, &arena, &probe));
    if (!probe.usable) return true;
    size_t row = term_index_row(&built->index, probe.hash);
    size_t row_bytes = (size_t)built->index.granule_count * TERM_INDEX_WORD_BYTES;
    return term_index_hit(built->words.ptr + row * row_bytes, granule, built->flags.ptr[granule],
                          &probe);
}

static void all_terms_hit(const struct built *built, uint32_t granule, rf_str text)
{
    rf_str term;
    for (size_t at = 0; term_next(text, &at, &term);)
        cr_assert(hits(built, granule, term), "'%.*s' of '%.*s'", RF_FMT(term), RF_FMT(text));
}

/* Words, digits, guids, runs longer than a step of the cutter, and now and then what is not ASCII. */
static size_t make_text(struct rf_prng *prng, uint8_t *to, size_t most)
{
    static const char *const parts[] = {
        " ",
        "-",
        "_",
        "/",
        "abc",
        "ab",
        "Q",
        "7777",
        "EXAMPL",
        "0x1f9",
        "a1b2c",
        "mailbox9",
        "service",
        "00c04fc2-00c0-11d0-a0a0-00c04fd0",
        "6f1c2a74-53f0-4b1e-9a55-0c5d5b8e7a10",
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789"};
    size_t len = 0, wanted = rf_test_below(prng, RF_MIN(most, (size_t)prng->size * 6) + 1);
    bool wide = rf_test_below(prng, 8) == 0;
    while (len < wanted) {
        const char *part = wide && rf_test_below(prng, 10) == 0
                               ? "\xc3\x8bt\xc3\xa9"
                               : parts[rf_test_below(prng, RF_COUNT(parts))];
        size_t bytes = strlen(part);
        if (bytes > most - len) break;
        memcpy(to + len, part, bytes);
        len += bytes;
    }
    return len;
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = rf_get_u32le(a), y = rf_get_u32le(b);
    return (x > y) - (x < y);
}

/* Every term is found, and what may be read behind a text changes nothing. */
RF_PROP(term_index_finds_every_term, 300)
{
    uint8_t *memory = calloc(1, TEXTS_MAX * TEXT_BYTES_MAX + 64);
    rf_str texts[TEXTS_MAX];
    uint32_t count = 1 + (uint32_t)rf_test_below(prng, TEXTS_MAX), each = count / GRANULES + 1;
    size_t used = 0;
    cr_assert(memory != NULL);
    for (uint32_t i = 0; i < count; i++) {
        size_t len = make_text(prng, memory + used, TEXT_BYTES_MAX);
        texts[i] = rf_str_make(memory + used, len);
        used += len;
    }
    struct term_index_builder inside, alone;
    begin(&inside);
    begin(&alone);
    inside.memory = memory;
    inside.memory_end = memory + used + rf_test_below(prng, 64);
    for (uint32_t i = 0; i < count; i++) {
        /* A copy of its own size, so that a sanitizer sees a byte too many. */
        uint8_t *copy = malloc(texts[i].len + 1);
        cr_assert(copy != NULL);
        memcpy(copy + 1, texts[i].ptr, texts[i].len);
        term_index_add(&inside, texts[i]);
        term_index_add(&alone, rf_str_make(copy + 1, texts[i].len));
        free(copy);
        if (i % each != each - 1 && i + 1 < count) continue;
        term_index_end_granule(&inside);
        term_index_end_granule(&alone);
    }
    cr_assert_not(inside.failed);
    cr_assert(inside.granules.len == alone.granules.len && inside.hashes.len == alone.hashes.len);
    cr_assert(memcmp(inside.granules.ptr, alone.granules.ptr, alone.granules.len) == 0);
    for (size_t i = 0, from = 0; i < alone.granules.len; i += 8) {
        size_t to = (size_t)rf_get_u32le(alone.granules.ptr + i) * 4;
        if (to == from) continue;
        qsort(inside.hashes.ptr + from, (to - from) / 4, 4, by_number);
        qsort(alone.hashes.ptr + from, (to - from) / 4, 4, by_number);
        for (size_t k = from + 4; k < to; k += 4)
            cr_assert(rf_get_u32le(alone.hashes.ptr + k) != rf_get_u32le(alone.hashes.ptr + k - 4),
                      "a term counts once");
        from = to;
    }
    cr_assert(alone.hashes.len == 0 ||
              memcmp(inside.hashes.ptr, alone.hashes.ptr, alone.hashes.len) == 0);
    struct built built, other;
    finish(&inside, &built);
    finish(&alone, &other);
    for (uint32_t i = 0; i < count; i++) all_terms_hit(&built, i / each, texts[i]);
    built_done(&built);
    built_done(&other);
    free(memory);
}

/* Values that repeat at their place are passed over: within a granule only, and never when key and value differ. */
RF_PROP(term_index_finds_every_term_of_a_dynamic, 300)
{
    static const char *const jsons[] = {
        "{\"alpha\":\"first value\",\"beta\":[1234,-98765,2.5,12345.678],\"gamma\":true}",
        "{\"alpha\":\"first value\",\"beta\":[1234,-98765,2.5,12345.678],\"gamma\":false}",
        "{\"alpha\":\"other text\",\"beta\":[4321],\"delta\":null}",
        "[\"first value\",\"alpha\",{\"deep\":{\"deeper\":\"C:\\\\Windows\\n\\\"x\\\"\"}}]",
        "\"alpha\"",
        "\"\\u000b\\u0005\\u0000\\u0000\\u0000alpha\"",
        "{\"\\u000b\\u0005\\u0000\\u0000\\u0000alpha\":\"alpha\"}",
        "-9223372036854775808",
        "1.0",
        "\"\xc3\x8bt\xc3\xa9 6f1c2a74-53f0-4b1e-9a55-0c5d5b8e7a10\"",
        "null"};
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 22);
    struct term_index_builder b;
    rf_str values[TEXTS_MAX];
    uint32_t count = 1 + (uint32_t)rf_test_below(prng, TEXTS_MAX), each = count / GRANULES + 1;
    begin(&b);
    for (uint32_t i = 0; i < count; i++) {
        struct rf_buf buf = rf_buf_in(&arena);
        rf_str json = rf_str_of(jsons[rf_test_below(prng, RF_COUNT(jsons))]);
        cr_assert(dyn_parse_json(json, &buf, NULL) == RF_OK);
        values[i] = dyn_done(&buf);
        term_index_add_dynamic(&b, values[i]);
        if (i % each == each - 1 || i + 1 == count) term_index_end_granule(&b);
    }
    struct built built;
    cr_assert_not(b.failed);
    finish(&b, &built);
    for (uint32_t i = 0; i < count; i++) {
        struct rf_buf buf = rf_buf_in(&arena);
        dyn_put_json(values[i], &buf);
        all_terms_hit(&built, i / each, rf_buf_view(&buf));
        if (dyn_tag(values[i]) == DYN_STRING)
            all_terms_hit(&built, i / each, dyn_string(values[i]));
    }
    built_done(&built);
}

Test(term_index, absent_terms_seldom_hit)
{
    struct term_index_builder b;
    struct built built;
    uint8_t text[16];
    uint32_t wrong = 0;
    begin(&b);
    for (unsigned i = 0; i < 20000; i++) {
        int len = snprintf((char *)text, sizeof text, "word%u", i);
        term_index_add(&b, rf_str_make(text, (size_t)len));
    }
    term_index_end_granule(&b);
    finish(&b, &built);
    for (unsigned i = 20000; i < 40000; i++) {
        int len = snprintf((char *)text, sizeof text, "WORD%u", i);
        wrong += hits(&built, 0, rf_str_make(text, (size_t)len));
    }
    cr_assert(wrong < 20000 / 50, "%u", wrong);
    built_done(&built);
}
