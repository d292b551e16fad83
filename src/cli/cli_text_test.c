#include "cli/cli_text.h"

#include <criterion/criterion.h>

Test(cli_text, shows_text_without_letting_it_steer)
{
    static const struct {
        const char *text;
        uint32_t room;
        const char *shown;
        uint32_t width;
    } cases[] = {
        {"plain", 80, "plain", 5},
        {"a\tb\nc", 80, "a\\tb\\nc", 7},
        {"\x1b[31mred", 80, "\\e[31mred", 9},
        {"\x01\x7f", 80, "\\x01\\x7f", 8},
        {"\xc2\x9b"
         "1m",
         80, "\\x9b1m", 6}, /* a C1 control begins sequences too */
        {"a\xe2\x80\xae"
         "b",
         80, "a\\u202eb", 8}, /* turns the reading direction */
        {"Zo\xc3\xab", 80, "Zo\xc3\xab", 3},
        {"e\xcc\x81", 80, "e\xcc\x81", 1},                               /* combining accent */
        {"\xe6\xbc\xa2\xe5\xad\x97", 80, "\xe6\xbc\xa2\xe5\xad\x97", 4}, /* wide */
        {"\xf0\x9f\x98\x80", 80, "\xf0\x9f\x98\x80", 2},
        {"bad\xff", 80, "bad\xef\xbf\xbd", 4},
        {"abcdef", 4, "abc\xe2\x80\xa6", 4},
        {"abcd", 4, "abcd", 4},
        {"\xe6\xbc\xa2\xe5\xad\x97x", 4, "\xe6\xbc\xa2\xe2\x80\xa6",
         3}, /* half a wide character is not drawn */
        {"abc", 0, "", 0},
        {"", 10, "", 0},
    };
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct rf_arena arena;
        rf_arena_init(&arena, 1 << 16);
        struct rf_buf buf = rf_buf_in(&arena);
        uint32_t width = cli_text_put(&buf, rf_str_of(cases[i].text), cases[i].room);
        cr_expect(rf_str_is(rf_buf_view(&buf), cases[i].shown), "%s is shown as %.*s",
                  cases[i].text, RF_FMT(rf_buf_view(&buf)));
        cr_expect_eq(width, cases[i].width, "%s takes %u columns", cases[i].text, width);
        if (cases[i].room == 80) cr_expect_eq(cli_text_width(rf_str_of(cases[i].text)), width);
        rf_arena_done(&arena);
    }
}
