#include "siem/watchlist_csv.h"

#include <criterion/criterion.h>

/* "a,b|1,2|3," for the header and the rows; or the start of the error. */
static rf_str shown(rf_str text, char delimiter, uint32_t skip, struct rf_arena *arena)
{
    struct watchlist_csv csv;
    struct rf_err err = {0};
    struct rf_buf buf = rf_buf_in(arena);
    if (watchlist_csv_read(text, delimiter, skip, arena, &csv, &err) != RF_OK) {
        rf_buf_printf(&buf, "%s", err.text);
        return rf_buf_view(&buf);
    }
    for (uint32_t i = 0; i < csv.column_count; i++)
        rf_buf_printf(&buf, "%s%.*s", i == 0 ? "" : ",", RF_FMT(csv.header[i]));
    for (uint32_t r = 0; r < csv.row_count; r++)
        for (uint32_t i = 0; i < csv.column_count; i++)
            rf_buf_printf(&buf, "%s%.*s", i == 0 ? "|" : ",",
                          RF_FMT(csv.cells[r * csv.column_count + i]));
    return rf_buf_view(&buf);
}

Test(watchlist_csv, texts)
{
    static const struct {
        const char *text;
        char delimiter;
        uint32_t skip;
        const char *want;
    } cases[] = {
        {"IP,Where\r\n1.1.1.1,Home\r\n2.2.2.2,\"a, b\"\r\n", ',', 0,
         "IP,Where|1.1.1.1,Home|2.2.2.2,a, b"},
        {"a\n\"say \"\"x\"\"\"\n\"\"\n", ',', 0, "a|say \"x\"|"},
        {"a,b\n\"line\nbreak\",2", ',', 0, "a,b|line\nbreak,2"},
        {"# made by hand\n\xef\xbb\xbf", ',', 1, "\xef\xbb\xbf"},
        {"\xef\xbb\xbf"
         "a,b\n1\n\n\n,2\n",
         ',', 0, "a,b|1,|,2"},
        {"skip\nme\na\tb\n1,1\t2\n", '\t', 2, "a,b|1,1,2"},
        {" a , b \n 1 ,2\n", ',', 0, "a,b| 1 ,2"},
        {"a,b", ',', 0, "a,b"},
        {"", ',', 0, "'rawContent' has no header."},
        {"a\n", ',', 5, "'rawContent' has no header."},
        {"a,a\n1,2\n", ',', 0, "'rawContent' has two columns 'a'."},
        {"a,\n1,2\n", ',', 0, "Column 2 of 'rawContent' needs a name of 1 to 512 bytes."},
        {"a\n1\n2,3,\"4\"\n5\n", ',', 0, "a|1|2,3,\"4\"|5"},
        {"a,b\n1,\"2\",\"3\",\n", ',', 0, "a,b|1,\"2\",\"3\","},
        {"a\n\"1\n\n", ',', 0, "A quoted field that begins on line 2 of 'rawContent' has no end."},
        {"a,b\n1,\"2\"3\n", ',', 0, "Line 2 of 'rawContent': field 2 goes on behind its quotes."},
    };
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct rf_arena arena;
        rf_arena_init(&arena, 16 << 20);
        rf_str got = shown(rf_str_of(cases[i].text), cases[i].delimiter, cases[i].skip, &arena);
        cr_expect(rf_str_is(got, cases[i].want), "case %zu gave %.*s", i, RF_FMT(got));
        rf_arena_done(&arena);
    }
}
