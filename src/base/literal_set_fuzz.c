#include "base/literal_set.h"

#include "base/term.h"
#include "test/rf_fuzz.h"

/* Lines that begin with + or - are literals, without and with case; the last line is the text. */
static rf_str next_line(rf_str *rest)
{
    size_t end = 0;
    while (end < rest->len && rest->ptr[end] != '\n') end++;
    rf_str line = rf_slice(*rest, 0, end);
    *rest = rf_slice(*rest, RF_MIN(end + 1, rest->len), rest->len);
    return line;
}

/* Is told what a search finds. */
static void check(rf_str literal, bool nocase, rf_str text, bool told, struct rf_arena *arena)
{
    struct term_finder finder;
    if (!term_finder_init(&finder, literal, nocase, arena)) return;
    bool found = term_finder_next(&finder, text, 0, NULL) != SIZE_MAX;
    RF_ASSERT(told || !found);
    RF_ASSERT(found || !told || (nocase && !rf_utf8_valid(literal)));
}

RF_FUZZ(literal_set, input)
{
    enum { COUNT = 64 };
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct literal_builder builder;
    struct literal_hits hits;
    const struct literal_set *set;
    struct rf_err err;
    rf_str lines[COUNT], rest = input;
    uint32_t count = 0;
    rf_arena_init(&arena, 64 << 20);
    literal_builder_init(&builder, &arena);
    while (count < COUNT && rest.len > 1 && (rest.ptr[0] == '+' || rest.ptr[0] == '-')) {
        lines[count] = next_line(&rest);
        rf_str literal = rf_slice(lines[count], 1, lines[count].len);
        bool nocase = lines[count].ptr[0] == '+';
        literal_builder_add(&builder, literal, nocase ? LITERAL_NOCASE : LITERAL_CASE, count++);
    }
    if (literal_set_build(&builder, &set, &err) != RF_OK) return;
    if (literal_hits_init(&hits, set, &arena, &err) != RF_OK) return;
    literal_set_find(set, rest, &hits);
    for (uint32_t i = 0; i < count; i++) {
        rf_str literal = rf_slice(lines[i], 1, lines[i].len);
        if (literal.len > 0)
            check(literal, lines[i].ptr[0] == '+', rest, literal_hits_has(&hits, i), &arena);
    }
}
