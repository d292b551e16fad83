#include "base/literal_set.h"

#include "base/literal_set_int.h"
#include "test/rf_prop.h"

struct fixture {
    struct rf_arena arena;
    struct literal_builder builder;
    const struct literal_set *set;
    struct literal_hits hits;
};

static void begin(struct fixture *f)
{
    rf_arena_init(&f->arena, 256 << 20);
    literal_builder_init(&f->builder, &f->arena);
}

static void build(struct fixture *f)
{
    struct rf_err err;
    cr_assert(literal_set_build(&f->builder, &f->set, &err) == RF_OK);
    cr_assert(literal_hits_init(&f->hits, f->set, &f->arena, &err) == RF_OK);
}

static bool finds(struct fixture *f, const char *text, uint32_t number)
{
    literal_hits_reset(&f->hits);
    literal_set_find(f->set, rf_str_of(text), &f->hits);
    return literal_hits_has(&f->hits, number);
}

Test(literal_set, finds_what_contains_finds)
{
    static const struct {
        const char *literal;
        enum literal_case nocase;
        const char *text;
        bool found;
    } cases[] = {
        {"mimikatz", LITERAL_NOCASE, "run MimiKatz.exe now", true},
        {"mimikatz", LITERAL_CASE, "run MimiKatz.exe now", false},
        {"MimiKatz", LITERAL_CASE, "run MimiKatz.exe now", true},
        {"cmd", LITERAL_NOCASE, "CMD", true},
        {"cmd", LITERAL_NOCASE, "cm", false},
        {"cmd", LITERAL_NOCASE, "x cm", false},
        {"exe", LITERAL_NOCASE, "a.long.name.that.ends.in.exe", true},
        {"exe", LITERAL_NOCASE, "a.long.name.that.ends.in.ex", false},
        {"ps", LITERAL_NOCASE, "xPS", true},
        {"ps", LITERAL_NOCASE, "p", false},
        {"s ", LITERAL_NOCASE, "the dots", false}, /* nothing stands behind the end */
        {"s\x20\x20", LITERAL_NOCASE, "the dots ", false},
        {"q", LITERAL_NOCASE, "Q", true},
        {"q", LITERAL_CASE, "Q", false},
        {"          ", LITERAL_CASE, "ab         ", false},
        {"[user]", LITERAL_NOCASE, "{user}", false}, /* bytes that the table takes for equal */
        {"@home.", LITERAL_NOCASE, "`home.", false},
        {"\xd1\x84\xd0\xb0\xd0\xb9\xd0\xbb", LITERAL_NOCASE, "\xd0\xa4\xd0\x90\xd0\x99\xd0\x9b.txt",
         true},                                                  /* cyrillic */
        {"\xcf\x83", LITERAL_NOCASE, "OD\xcf\x82", true},        /* sigma at an end */
        {"x\xe2\xb1\xa5y", LITERAL_NOCASE, "wX\xc8\xbaY", true}, /* another length */
        {"x\xe2\xb1\xa5\xe2\xb1\xa5yq", LITERAL_NOCASE, "X\xc8\xba\xc8\xbaYQ", true},
        {"kelvin", LITERAL_NOCASE,
         "\xe2\x84\xaa"
         "elvin",
         false}, /* as contains */
        {"\xe4\xb8\xad\xe6\x96\x87", LITERAL_NOCASE, "a\xe4\xb8\xad\xe6\x96\x87", true},
    };
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct fixture f;
        begin(&f);
        literal_builder_add(&f.builder, rf_str_of(cases[i].literal), cases[i].nocase, 7);
        build(&f);
        cr_assert(finds(&f, cases[i].text, 7) == cases[i].found, "case %zu", i);
        rf_arena_done(&f.arena);
    }
}

Test(literal_set, one_literal_may_have_several_numbers)
{
    struct fixture f;
    uint32_t always;
    begin(&f);
    literal_builder_add(&f.builder, RF_S("whoami"), LITERAL_NOCASE, 1);
    literal_builder_add(&f.builder, RF_S("WHOAMI"), LITERAL_NOCASE, 70);
    literal_builder_add(&f.builder, RF_S("net user"), LITERAL_NOCASE, 70);
    literal_builder_always(&f.builder, 9);
    literal_builder_always(&f.builder, 3);
    literal_builder_add(&f.builder, RF_S(""), LITERAL_NOCASE, 9);
    build(&f);
    const uint32_t *numbers = literal_set_always(f.set, &always);
    cr_assert(always == 2);
    cr_assert(numbers[0] == 3);
    cr_assert(numbers[1] == 9);
    cr_assert(literal_set_count(f.set) == 2);
    literal_set_find(f.set, RF_S("cmd /c whoami & whoami"), &f.hits);
    cr_assert(f.hits.count == 2);
    literal_set_find(f.set, RF_S("net user /add"), &f.hits);
    cr_assert(f.hits.count == 2, "each number once, over all texts");
    cr_assert(literal_hits_has(&f.hits, 1) && literal_hits_has(&f.hits, 70));
    cr_assert(!literal_hits_has(&f.hits, 2) && !literal_hits_has(&f.hits, 1000));
    literal_hits_reset(&f.hits);
    cr_assert(f.hits.count == 0 && !literal_hits_has(&f.hits, 1));
    literal_set_find(f.set, RF_S("NET USER"), &f.hits);
    cr_assert(f.hits.count == 1 && f.hits.numbers[0] == 70);
    rf_arena_done(&f.arena);
}

Test(literal_set, an_empty_set_finds_nothing)
{
    struct fixture f;
    begin(&f);
    build(&f);
    literal_set_find(f.set, RF_S("whatever there is in a text"), &f.hits);
    cr_assert(f.hits.count == 0);
    rf_arena_done(&f.arena);
}

Test(literal_set, limits_are_told)
{
    struct fixture f;
    struct rf_err err;
    begin(&f);
    literal_builder_add(&f.builder, RF_S("text"), LITERAL_CASE, LITERAL_NUMBER_MAX);
    cr_assert(literal_set_build(&f.builder, &f.set, &err) == RF_LIMIT);
    cr_assert_str_eq(err.code, "TooManyLiterals");
    rf_arena_done(&f.arena);
    begin(&f);
    static const uint8_t large[LITERAL_BYTES_MAX + 1];
    literal_builder_add(&f.builder, rf_str_make(large, sizeof large), LITERAL_CASE, 1);
    cr_assert(literal_set_build(&f.builder, &f.set, &err) == RF_LIMIT);
    cr_assert_str_eq(err.code, "LiteralTooLong");
    rf_arena_done(&f.arena);
}

Test(literal_set, lack_of_memory_is_told)
{
    bool built = false;
    for (size_t limit = 1 << 10; !built; limit += 1 << 10) {
        struct rf_arena arena;
        struct literal_builder builder;
        struct literal_hits hits;
        struct rf_err err;
        const struct literal_set *set;
        rf_arena_init(&arena, limit);
        literal_builder_init(&builder, &arena);
        for (uint32_t i = 0; i < 100; i++) {
            uint8_t raw[3] = {(uint8_t)('a' + i % 20), (uint8_t)('a' + i / 20), 'x'};
            literal_builder_add(&builder, rf_str_make(raw, 2 + i % 2), LITERAL_NOCASE, i);
        }
        enum rf_kind kind = literal_set_build(&builder, &set, &err);
        if (kind == RF_OK) kind = literal_hits_init(&hits, set, &arena, &err);
        cr_assert(kind == RF_OK || kind == RF_LIMIT);
        built = kind == RF_OK;
        rf_arena_done(&arena);
    }
}

/* ---- as a search for each --------------------------------------------------------------------------- */

/* Letters whose cases differ in length or number, halves of letters, bytes that the table takes for equal. */
static rf_str any_text(struct rf_prng *prng, uint8_t *raw, size_t cap)
{
    static const char *const pieces[] = {"a",
                                         "A",
                                         "b",
                                         "[",
                                         "{",
                                         "0",
                                         "\x10",
                                         "\\",
                                         "\xd1\x84",
                                         "\xd0\xa4",
                                         "\xcf\x83",
                                         "\xcf\x82",
                                         "\xce\xa3",
                                         "\xe2\xb1\xa5",
                                         "\xc8\xba",
                                         "k",
                                         "\xe2\x84\xaa",
                                         "\xe4\xb8\xad",
                                         "\xd1",
                                         "\x84",
                                         "\xe1\xba\x9e",
                                         "\xc3\x9f",
                                         "\xf0\x90\x90\x80",
                                         "\xf0\x90\x90\xa8"};
    static const size_t ascii = 8;
    size_t len = 0, most = rf_test_len(prng, cap), count = RF_COUNT(pieces);
    bool plain = rf_test_bool(prng);
    for (;;) {
        const char *piece = pieces[rf_test_below(prng, plain ? ascii : count)];
        if (len + strlen(piece) > most) return rf_str_make(raw, len);
        memcpy(raw + len, piece, strlen(piece));
        len += strlen(piece);
    }
}

static bool found_by_search(struct fixture *f, rf_str literal, bool nocase, rf_str text)
{
    struct term_finder finder;
    cr_assert(term_finder_init(&finder, literal, nocase, &f->arena));
    return term_finder_next(&finder, text, 0, NULL) != SIZE_MAX;
}

RF_PROP(literal_set_finds_what_searches_find, 3000)
{
    enum { COUNT = 40, TEXTS = 3 };
    struct fixture f;
    uint8_t raw[COUNT][16], text_raw[TEXTS][400];
    rf_str literals[COUNT], texts[TEXTS];
    bool nocase[COUNT];
    begin(&f);
    uint32_t count = (uint32_t)rf_test_below(prng, COUNT) + 1;
    for (uint32_t i = 0; i < count; i++) {
        literals[i] = any_text(prng, raw[i], sizeof raw[i]);
        nocase[i] = rf_test_bool(prng);
        literal_builder_add(&f.builder, literals[i], nocase[i] ? LITERAL_NOCASE : LITERAL_CASE, i);
    }
    build(&f);
    if (rf_test_bool(prng)) {
        struct literal_set plain = *f.set;
        plain.use_avx2 = false;
        f.set = memcpy(rf_arena_alloc(&f.arena, sizeof plain), &plain, sizeof plain);
    }
    for (uint32_t t = 0; t < TEXTS; t++) {
        texts[t] = any_text(prng, text_raw[t], sizeof text_raw[t]);
        literal_set_find(f.set, texts[t], &f.hits);
    }
    for (uint32_t i = 0; i < count; i++) {
        bool found = false;
        if (literals[i].len == 0) continue;
        for (uint32_t t = 0; t < TEXTS; t++)
            found |= found_by_search(&f, literals[i], nocase[i], texts[t]);
        bool told = literal_hits_has(&f.hits, i);
        cr_assert(told || !found, "missed %u", i);
        cr_assert(found || !told || (nocase[i] && !rf_utf8_valid(literals[i])), "false %u", i);
    }
    rf_arena_done(&f.arena);
}

/* Most literals are in the text: each is found at its place, whatever stands around it. */
RF_PROP(literal_set_finds_pieces_of_the_text, 300)
{
    struct fixture f;
    uint8_t raw[2000];
    begin(&f);
    rf_str text = rf_test_bytes(prng, raw, sizeof raw, NULL);
    uint32_t count = text.len == 0 ? 0 : 300;
    for (uint32_t i = 0; i < count; i++) {
        size_t from = rf_test_below(prng, text.len);
        size_t to = from + 1 + rf_test_below(prng, RF_MIN(text.len - from, (size_t)60));
        literal_builder_add(&f.builder, rf_slice(text, from, to), LITERAL_CASE, i);
    }
    build(&f);
    literal_set_find(f.set, text, &f.hits);
    cr_assert(f.hits.count == count);
    rf_arena_done(&f.arena);
}
