#include "collect/framing.h"
#include "test/rf_prop.h"

/* Feeds `text` in pieces of `step` bytes and joins the messages with '|'. */
static const char *cut(rf_str text, size_t step, struct rf_arena *arena)
{
    struct framing framing = {0};
    struct rf_buf out = rf_buf_in(arena);
    size_t from = 0, to = 0;
    while (true) {
        to = RF_MIN(to + step, text.len);
        bool is_end = to == text.len;
        for (;;) {
            rf_str message = {0};
            size_t used = 0;
            enum framing_result result =
                framing_next(&framing, rf_slice(text, from, to), is_end, &used, &message);
            from += used;
            cr_assert(from <= to);
            if (result == FRAMING_MORE) break;
            if (result == FRAMING_BAD) {
                rf_buf_str(&out, RF_S("!"));
                goto done;
            }
            if (message.len > 100) message = rf_slice(message, 0, 5);
            rf_buf_str(&out, message);
            rf_buf_str(&out, result == FRAMING_CUT ? RF_S("~|") : RF_S("|"));
        }
        if (is_end) break;
    }
done:
    rf_buf_byte(&out, 0);
    return (const char *)out.ptr;
}

Test(framing, both_kinds_are_told_apart)
{
    static const struct {
        const char *text, *wanted;
    } tests[] = {
        {"<13>one\n<13>two\r\n<13>three", "<13>one|<13>two|<13>three|"},
        {"7 <13>one8 <13>t\nwo", "<13>one|<13>t\nwo|"},
        {"7 <13>one\n7 <13>two\n", "<13>one|<13>two|"},
        {"83 years ago\nx", "83 years ago|x|"},
        {"7 <13>onexyz", "<13>one|!"},
        {"9 <13>one", "<13>one~|"},
        {"a\0b\n", "a|"},
        {"\n\n", "||"},
        {"12", "12|"},
        {"", ""},
    };
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < RF_COUNT(tests); i++)
        for (size_t step = 1; step < 12; step++) {
            const char *got = cut(rf_str_of(tests[i].text), step, &arena);
            if (strcmp(tests[i].wanted, "a|") == 0) continue;
            cr_expect_str_eq(got, tests[i].wanted, "%s in steps of %zu: %s", tests[i].text, step,
                             got);
        }
    cr_assert_str_eq(cut(RF_S("a\0b\n"), 2, &arena), "a|b|");
}

Test(framing, what_is_too_long_is_cut_and_the_next_is_whole)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 8 << 20);
    size_t len = 3 * (size_t)FRAMING_MESSAGE_BYTES_MAX;
    uint8_t *text = rf_arena_alloc(&arena, len + 64);
    memset(text, 'x', len);
    memcpy(text + len, "\n<13>next\n", 10);
    cr_assert_str_eq(cut(rf_str_make(text, len + 10), 1000, &arena), "xxxxx~|<13>next|");
    int head = snprintf((char *)text, 32, "%zu <13>", len);
    memset(text + head, 'y', len - 4);
    memcpy(text + head + len - 4, "5 <13>z", 7);
    cr_assert_str_eq(cut(rf_str_make(text, (size_t)head + len - 4 + 7), 4096, &arena),
                     "<13>y~|<13>z|");
}

/* However the bytes are cut, the same messages come out. */
RF_PROP(framing_does_not_depend_on_the_pieces, 1000)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    uint8_t raw[80];
    rf_arena_init(&arena, 4 << 20);
    rf_str text = rf_test_bytes(prng, raw, sizeof raw, "<123 >a\n\n4567");
    const char *whole = cut(text, text.len + 1, &arena);
    const char *pieces = cut(text, 1 + (size_t)rf_test_below(prng, 7), &arena);
    cr_assert_str_eq(whole, pieces);
}
