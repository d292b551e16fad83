/* test_read.c - test files: finding them, their cases, times and durations in them. */
#include <stdarg.h>
#include <stdio.h>

#include "base/encode.h"
#include "base/fs.h"
#include "base/yaml_tree.h"
#include "lab/test.h"

enum { TEST_FILE_BYTES_MAX = 4 << 20, FOLDER_DEPTH_MAX = 16 };

/* ---- files and cases ---------------------------------------------------------------------------------------------------- */

static enum rf_kind put(struct lab_tests *tests, const struct lab_test *test, struct rf_err *err)
{
    if (tests->count == tests->cap) {
        uint32_t cap = RF_MAX(tests->cap * 2, 32u);
        struct lab_test *items = rf_arena_grow(tests->arena, tests->items,
                                               tests->cap * sizeof *items, cap * sizeof *items);
        if (items == NULL) return rf_fail_memory(err, tests->arena);
        tests->items = items;
        tests->cap = cap;
    }
    tests->items[tests->count++] = *test;
    return RF_OK;
}

static rf_str stem_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    rf_str name = rf_str_of(slash == NULL ? path : slash + 1);
    size_t end = rf_str_find(name, RF_S(".test.y"), 0);
    return rf_slice(name, 0, RF_MIN(end, name.len));
}

/* The line at which a mapping begins: that of its first member. */
static uint32_t line_of(const struct json_node *node)
{
    return node->first != NULL && node->first->line > 0 ? node->first->line : node->line;
}

static enum rf_kind add_cases(struct lab_tests *tests, const char *path,
                              const struct json_node *file, struct rf_err *err)
{
    const struct json_node *cases = json_get(file, "cases");
    rf_str name = json_text_at(file, "name");
    struct lab_test test = {.path = path, .file = file, .node = file, .line = line_of(file)};
    test.name = name.len > 0 ? name : stem_of(path);
    if (!json_is(cases, JSON_T_ARRAY) || cases->count == 0) return put(tests, &test, err);
    name = test.name;
    uint32_t number = 1;
    for (const struct json_node *c = cases->first; c != NULL; c = c->next, number++) {
        rf_str own = json_text_at(c, "name");
        test.node = c;
        test.line = line_of(c);
        test.name = own.len > 0
                        ? rf_arena_printf(tests->arena, "%.*s > %.*s", RF_FMT(name), RF_FMT(own))
                        : rf_arena_printf(tests->arena, "%.*s > case %u", RF_FMT(name), number);
        if (test.name.ptr == NULL) return rf_fail_memory(err, tests->arena);
        RF_TRY(put(tests, &test, err));
    }
    return RF_OK;
}

static enum rf_kind add_file(struct lab_tests *tests, const char *path, struct rf_err *err)
{
    rf_str text;
    struct json_node *file = NULL;
    struct lab_test broken = {.path = path, .name = stem_of(path), .line = 1};
    enum rf_kind kind = rf_fs_read_all(rf_fs_real(), path, TEST_FILE_BYTES_MAX, tests->arena, &text,
                                       &broken.problem);
    if (kind == RF_OK) kind = yaml_parse(text, tests->arena, &file, &broken.problem);
    if (kind == RF_OK && !json_is(file, JSON_T_OBJECT))
        kind = rf_fail(&broken.problem, RF_INVALID, "BadTest",
                       "a test file is a mapping: rules, data, expect ...");
    if (kind == RF_OK) return add_cases(tests, path, file, err);
    if (broken.problem.line > 0) broken.line = broken.problem.line;
    return put(tests, &broken, err);
}

/* Depth is bounded, so the recursion is. */
static enum rf_kind add_folder(struct lab_tests *tests, const char *folder, uint32_t depth,
                               struct rf_err *err)
{
    rf_str *names;
    size_t count, len = strlen(folder);
    RF_TRY(rf_fs_list(rf_fs_real(), folder, tests->arena, &names, &count, err));
    while (len > 1 && folder[len - 1] == '/') len--;
    for (size_t i = 0; i < count; i++) {
        struct rf_fs_stat stat;
        rf_str full =
            rf_arena_printf(tests->arena, "%.*s/%.*s", (int)len, folder, RF_FMT(names[i]));
        const char *path = full.ptr == NULL ? NULL : lab_path_beside(tests->arena, "", full);
        if (path == NULL) return rf_fail_memory(err, tests->arena);
        if (names[i].ptr[0] == '.' || rf_fs_stat(rf_fs_real(), path, &stat, NULL) != RF_OK)
            continue;
        if (stat.is_dir && depth < FOLDER_DEPTH_MAX)
            RF_TRY(add_folder(tests, path, depth + 1, err));
        else if (stat.is_file && lab_is_test(names[i]))
            RF_TRY(add_file(tests, path, err));
    }
    return RF_OK;
}

enum rf_kind lab_tests_add(struct lab_tests *tests, const char *path, struct rf_err *err)
{
    struct rf_fs_stat stat;
    RF_TRY(rf_fs_stat(rf_fs_real(), path, &stat, err));
    return stat.is_dir ? add_folder(tests, path, 0, err) : add_file(tests, path, err);
}

const struct json_node *lab_test_get(const struct lab_test *test, const char *name)
{
    const struct json_node *own = json_get(test->node, name);
    return own != NULL ? own : json_get(test->file, name);
}

/* ---- messages ----------------------------------------------------------------------------------------------------------- */

void lab_message_add(struct lab_result *result, struct rf_arena *arena, uint32_t line,
                     const char *fmt, ...)
{
    char text[4000];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (result->message_count == result->message_cap) {
        uint32_t cap = RF_MAX(result->message_cap * 2, 8u);
        struct lab_message *messages =
            rf_arena_grow(arena, result->messages, result->message_cap * sizeof *messages,
                          cap * sizeof *messages);
        if (messages == NULL) return;
        result->messages = messages;
        result->message_cap = cap;
    }
    struct lab_message message = {.line = line};
    if (rf_arena_str(arena, rf_str_of(text), &message.text))
        result->messages[result->message_count++] = message;
}

bool lab_check_members(const struct json_node *node, const char *const *names, const char *what,
                       struct lab_result *result, struct rf_arena *arena)
{
    bool good = true;
    for (const struct json_node *m = node == NULL ? NULL : node->first; m != NULL; m = m->next) {
        size_t count = 0, at = SIZE_MAX;
        for (; names[count] != NULL; count++)
            if (rf_str_is(m->name, names[count])) at = count;
        if (at != SIZE_MAX) continue;
        struct rf_buf all = rf_buf_in(arena);
        for (size_t i = 0; i < count; i++)
            rf_buf_printf(&all, "%s%s", i == 0 ? "" : ", ", names[i]);
        lab_message_add(result, arena, m->line, "'%.*s' is nothing that %s has; there are %.*s",
                        RF_FMT(m->name), what, RF_FMT(rf_buf_view(&all)));
        good = false;
    }
    return good;
}

/* ---- times -------------------------------------------------------------------------------------------------------------- */

static rf_usec unit_of(uint8_t c, bool in_time)
{
    switch (c | 0x20) {
    case 'w':
        return 7 * 86400 * RF_USEC_PER_SECOND;
    case 'd':
        return 86400 * RF_USEC_PER_SECOND;
    case 'h':
        return 3600 * RF_USEC_PER_SECOND;
    case 'm':
        return in_time ? 60 * RF_USEC_PER_SECOND : 0; /* months have no fixed length */
    case 's':
        return RF_USEC_PER_SECOND;
    default:
        return 0;
    }
}

bool lab_parse_duration(rf_str text, rf_usec *out)
{
    rf_usec total = 0;
    bool in_time = true, negative = text.len > 0 && text.ptr[0] == '-';
    size_t at = negative ? 1 : 0, parts = 0;
    if (at < text.len && text.ptr[at] == 'P') {
        in_time = false;
        at++;
    }
    for (; at < text.len; parts++) {
        int64_t number = 0;
        if (!in_time && text.ptr[at] == 'T') {
            in_time = true;
            at++;
        }
        size_t from = at;
        for (; at < text.len && at < from + 9 && rf_is_digit(text.ptr[at]); at++)
            number = number * 10 + (text.ptr[at] - '0');
        if (at == from || at == text.len) return false;
        rf_usec unit = unit_of(text.ptr[at], in_time), more;
        if (unit == 0 || __builtin_mul_overflow(number, unit, &more) ||
            __builtin_add_overflow(total, more, &total))
            return false;
        at++;
    }
    if (parts == 0) return false;
    *out = negative ? -total : total;
    return true;
}

bool lab_parse_time(rf_str text, rf_usec *out)
{
    char whole[64];
    if (text.len < 10 || text.len > 40) return false;
    if (text.len == 10)
        (void)snprintf(whole, sizeof whole, "%.*sT00:00:00Z", RF_FMT(text));
    else
        (void)snprintf(whole, sizeof whole, "%.*s", RF_FMT(text));
    if (whole[10] == ' ') whole[10] = 'T';
    if (time_parse_iso(rf_str_of(whole), out)) return true;
    size_t len = strlen(whole);
    if (strpbrk(whole + 10, "Zz+-") != NULL || len + 2 > sizeof whole) return false;
    whole[len] = 'Z';
    whole[len + 1] = 0;
    return time_parse_iso(rf_str_of(whole), out);
}
