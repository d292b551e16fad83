/* Every function, aggregation, operator and plugin that the language lists stands in a case with its expected table, or in a test
 * of its family: a name that is added without either fails here. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "base/fs.h"
#include "kql/aggr.h"
#include "kql/parse.h"
#include "kql/plugin.h"
#include "kql/special.h"

enum { TEXT_BYTES_MAX = 256 << 20, FILE_BYTES_MAX = 16 << 20 };

/* Those that need what cases have not, a catalog: tests/routes_test.c and the suites of real clients ask them. */
static const char *const elsewhere[] = {"cluster", "database"};

static void add_folder(const char *folder, const char *ending, struct rf_arena *arena,
                       struct rf_buf *text)
{
    rf_str *names;
    size_t count;
    cr_assert(rf_fs_list(rf_fs_real(), folder, arena, &names, &count, NULL) == RF_OK, "%s", folder);
    for (size_t i = 0; i < count; i++) {
        rf_str file;
        if (!rf_str_ends(names[i], rf_str_of(ending)) || rf_str_is(names[i], "kql_names_test.c"))
            continue;
        rf_str path = rf_arena_printf(arena, "%s/%.*s", folder, RF_FMT(names[i]));
        cr_assert(rf_fs_read_all(rf_fs_real(), (const char *)path.ptr, FILE_BYTES_MAX, arena, &file,
                                 NULL) == RF_OK);
        rf_buf_str(text, file);
        rf_buf_byte(text, '\n');
    }
}

static bool in_name(uint8_t c) { return rf_is_alnum(c) || c == '_' || c == '-'; }

static bool has_name(rf_str text, rf_str name)
{
    for (size_t at = 0; (at = rf_str_find(text, name, at)) != SIZE_MAX; at++) {
        size_t end = at + name.len;
        if (at > 0 && in_name(text.ptr[at - 1]) && in_name(name.ptr[0])) continue;
        if (end == text.len || !in_name(text.ptr[end])) return true;
    }
    return false;
}

static uint32_t missing(rf_str text, const char *what, const char *name)
{
    for (size_t i = 0; i < RF_COUNT(elsewhere); i++)
        if (strcmp(elsewhere[i], name) == 0) return 0;
    if (has_name(text, rf_str_of(name))) return 0;
    fprintf(stderr, "no case and no test: %s %s\n", what, name);
    return 1;
}

Test(kql_names, each_stands_in_a_case_or_a_test)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, TEXT_BYTES_MAX);
    struct rf_buf buf = rf_buf_in(&arena);
    uint32_t bad = 0;
    add_folder("tests/kql/cases", ".jsonl", &arena, &buf);
    add_folder("src/kql", "_test.c", &arena, &buf);
    add_folder("tests", "_test.c", &arena, &buf);
    add_folder("tests", ".sh", &arena, &buf);
    cr_assert(!buf.failed);
    rf_str text = rf_buf_view(&buf);
    for (size_t i = 0; i < func_count(); i++)
        if ((func_at(i)->flags & FUNC_HIDDEN) == 0)
            bad += missing(text, "function", func_at(i)->name);
    for (size_t i = 0; i < aggr_count(); i++)
        if ((aggr_at(i)->flags & FUNC_HIDDEN) == 0)
            bad += missing(text, "aggregation", aggr_at(i)->name);
    for (size_t i = 0; i < operator_count(); i++)
        if (!operator_at(i)->hidden) bad += missing(text, "operator", operator_at(i)->name);
    for (size_t i = 0; i < special_count(); i++)
        bad += missing(text, "special", special_at(i)->name);
    for (size_t i = 0; i < plugin_count(); i++)
        if (strcmp(plugin_at(i)->doc, "Not available.") != 0)
            bad += missing(text, "plugin", plugin_at(i)->name);
    cr_assert(bad == 0, "%u names", bad);
}
