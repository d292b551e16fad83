#include "base/json_marks.h"

#include <stdlib.h>

#include "test/rf_prop.h"

/* The marks of whole lines, byte by byte. Returns how many bytes the window has. */
static size_t model(const uint8_t *text, size_t len, uint32_t *items, uint32_t *count)
{
    size_t end = 0;
    uint32_t known = 0;
    bool inside = false;
    *count = 0;
    for (size_t i = 0; i < len && i < JSON_MARKS_BYTES; i++) {
        if (inside && text[i] < 0x20) break;
        if (text[i] == '\\') {
            items[known++] = (uint32_t)i++;
            if (i < len && inside && text[i] < 0x20) break;
            if (i < len && text[i] == '\n') i--; /* a line end is never part of an escape */
        } else if (text[i] == '"') {
            items[known++] = (uint32_t)i;
            inside = !inside;
        } else if (text[i] == '\n') {
            end = i + 1;
            *count = known;
        }
    }
    return end;
}

static void agrees(rf_str text)
{
    static uint32_t items[JSON_MARKS_ROOM], wanted[JSON_MARKS_ROOM];
    uint8_t *copy = malloc(text.len + 64); /* no byte more, so that a sanitizer sees every reach */
    if (text.len > 0) memcpy(copy, text.ptr, text.len);
    memset(copy + text.len, '"', 64); /* what follows must not count */
    uint32_t count;
    size_t end = model(copy, text.len, wanted, &count);
    for (uint32_t way = 0; way < json_marks_ways(); way++) {
        struct json_marks marks = {.items = items};
        memset(items, 0xff, sizeof items);
        json_marks_find_by(way, &marks, copy, copy + text.len);
        cr_assert(marks.base == copy);
        cr_assert_eq((size_t)(marks.end - copy), end, "way %u: %.*s", way, RF_FMT(text));
        cr_assert_eq(marks.count, count, "way %u: %.*s", way, RF_FMT(text));
        cr_assert(memcmp(items, wanted, count * sizeof *items) == 0, "way %u: %.*s", way,
                  RF_FMT(text));
        cr_assert_eq(marks.utf8, rf_utf8_valid(rf_str_make(copy, end)));
    }
    free(copy);
}

Test(json_marks, lines)
{
    agrees(RF_S(""));
    agrees(RF_S("{\"a\":1}"));
    agrees(RF_S("{\"a\":1}\n{\"b\":\"\\\"\\\\\"}\n{\"c"));
    agrees(RF_S("{\"a\":\"\x01\"}\n"));
    agrees(RF_S("{}\n{\"a\":\"x\n{\"b\":1}\n"));
    agrees(RF_S("{\"\xc3\xa9\":\"\xff\"}\n"));
    agrees(RF_S("\\\"\n\"\\\"\"\n"));
}

RF_PROP(json_marks_agree_with_a_walk_over_bytes, 20000)
{
    static const char bytes[] = "\"\"\\\\\\\n a{}:,\x01\xc3\xa9";
    uint8_t raw[300];
    size_t len = rf_test_len(prng, sizeof raw);
    bool sparse = rf_test_bool(prng);
    for (size_t i = 0; i < len; i++)
        raw[i] = sparse && !rf_test_one_in(prng, 12)
                     ? 'x'
                     : (uint8_t)bytes[rf_test_below(prng, sizeof bytes - 1)];
    agrees(rf_str_make(raw, len));
}

/* Windows end with their last whole line; a line longer than one has none. */
Test(json_marks, windows)
{
    size_t len = 3 * JSON_MARKS_BYTES;
    uint8_t *text = malloc(len);
    memset(text, '"', len);
    agrees(rf_str_make(text, len));
    for (size_t i = 99; i < len; i += 100) text[i] = '\n';
    text[98] = ' ';
    for (size_t i = 198; i < len; i += 100) text[i] = '\\';
    for (size_t i = 0; i < 300; i++) agrees(rf_str_make(text + i, len - i));
    memset(text, '{', len);
    text[JSON_MARKS_BYTES] = '\n';
    agrees(rf_str_make(text, len));
    text[JSON_MARKS_BYTES - 1] = '\n';
    agrees(rf_str_make(text, len));
    free(text);
}

Test(json_marks, escapes)
{
    static const struct {
        const char *raw, *text; /* NULL: malformed */
    } cases[] = {{"", ""},
                 {"plain", "plain"},
                 {"\\\\", "\\"},
                 {"\\\"\\/\\b\\f\\n\\r\\t", "\"/\b\f\n\r\t"},
                 {"C:\\\\Windows\\\\System32\\\\a long name of a program.exe",
                  "C:\\Windows\\System32\\a long name of a program.exe"},
                 {"a\\u00e9\\n", "a\xc3\xa9\n"},
                 {"\\ud83d\\ude00", "\xf0\x9f\x98\x80"},
                 {"\\ud83d.", "\xef\xbf\xbd."},
                 {"\\x", NULL},
                 {"\\u12g4", NULL},
                 {"\\u12", NULL},
                 {"ok\\n\\u", NULL}};
    uint32_t items[JSON_MARKS_ROOM];
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        uint8_t line[256] = {0}, out[256];
        int len = snprintf((char *)line, sizeof line - 64, "\"%s\"\"next\"\n", cases[i].raw);
        struct json_marks marks = {.items = items};
        json_marks_find(&marks, line, line + len);
        const uint32_t *mark = items;
        const uint8_t *end = json_marked_string(&marks, &mark);
        if (cases[i].text == NULL) {
            cr_assert(end == NULL, "%s", cases[i].raw);
            cr_assert(mark == items);
            continue;
        }
        cr_assert(end == line + 1 + strlen(cases[i].raw), "%s", cases[i].raw);
        cr_assert_eq(items + marks.count - mark, 2);
        rf_str raw = rf_str_make(line + 1, strlen(cases[i].raw));
        size_t bytes = json_marked_unescape(&marks, items, raw, out);
        cr_assert(rf_str_is(rf_str_make(out, bytes), cases[i].text), "%s", cases[i].raw);
    }
}

/* The marks of bytes whose last one was made a line end, wherever that stands. */
Test(json_marks, bytes_that_are_no_lines)
{
    static const char text[] =
        "{\"a\":\"x\\\\\\\"y\",\"b\":[1,{\"c\":\"\xc3\xa9\"}]},{\"d\":\"z\\n\"}";
    static uint32_t items[JSON_MARKS_ROOM], wanted[JSON_MARKS_ROOM];
    for (size_t len = 1; len < sizeof text; len++) {
        uint8_t *copy = malloc(len + 64);
        memcpy(copy, text, len);
        memset(copy + len, '"', 64);
        copy[len - 1] = '\n';
        struct json_marks marks = {.items = items};
        json_marks_cut(&marks, copy, copy + len);
        uint32_t count = 0;
        for (size_t i = 0; i < len; i++) {
            if (copy[i] != '"' && copy[i] != '\\') continue;
            wanted[count++] = (uint32_t)i;
            i += copy[i] == '\\';
        }
        cr_assert_eq(marks.count, count, "%zu bytes", len);
        cr_assert(memcmp(items, wanted, count * sizeof *items) == 0);
        cr_assert(items[count] == len - 1 && items[count + 1] == len - 1);
        cr_assert(marks.base == copy && marks.end == copy + len);
        free(copy);
    }
}
