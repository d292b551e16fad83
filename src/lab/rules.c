#include "lab/rules.h"

#include <glob.h>
#include <stdio.h>

#include "base/fs.h"
#include "base/yaml_tree.h"

enum { RULE_FILE_BYTES_MAX = 1 << 20, FOLDER_DEPTH_MAX = 16 };

bool lab_is_test(rf_str name)
{
    return rf_str_ends(name, RF_S(".test.yaml")) || rf_str_ends(name, RF_S(".test.yml"));
}

bool lab_is_yaml(rf_str name)
{
    return rf_str_ends(name, RF_S(".yaml")) || rf_str_ends(name, RF_S(".yml"));
}

/* Takes "./" and "folder/../" out, so that a file has one name whoever names it. */
static void shorten(char *path)
{
    char *starts[256]; /* of the parts that ".." may take back */
    size_t depth = 0;
    const char *at = path;
    char *end = path;
    while (*at != 0) {
        size_t len = strcspn(at, "/"), whole = len + (at[len] == '/');
        bool up = len == 2 && at[0] == '.' && at[1] == '.';
        if (up && depth > 0) {
            end = starts[--depth];
        } else if (len != 1 || at[0] != '.' || at[1] != '/') {
            if (!up && len > 0 && depth < RF_COUNT(starts)) starts[depth++] = end;
            memmove(end, at, whole);
            end += whole;
        }
        at += whole;
    }
    *end = 0;
}

const char *lab_path_beside(struct rf_arena *arena, const char *file, rf_str path)
{
    const char *slash = strrchr(file, '/');
    rf_str folder = {NULL, 0};
    if (slash != NULL && (path.len == 0 || path.ptr[0] != '/'))
        folder = rf_str_make(file, (size_t)(slash - file) + 1);
    size_t len = folder.len + path.len;
    char *full = rf_arena_alloc(arena, len + 1);
    if (full == NULL) return NULL;
    if (folder.len > 0) memcpy(full, folder.ptr, folder.len);
    if (path.len > 0) memcpy(full + folder.len, path.ptr, path.len);
    full[len] = 0;
    shorten(full);
    return full;
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

/* ---- one file ----------------------------------------------------------------------------------------------------------- */

static bool may_be_name(rf_str text)
{
    if (text.len == 0 || text.len > 200) return false;
    for (size_t i = 0; i < text.len; i++)
        if (!rf_is_alnum(text.ptr[i]) && (text.ptr[i] == 0 || strchr("-_.", text.ptr[i]) == NULL))
            return false;
    return true;
}

static rf_str name_of(rf_str id, const char *path, struct rf_arena *arena)
{
    if (may_be_name(id)) return id;
    rf_str file = rf_str_of(last_part(path)), made;
    size_t dot = rf_str_find(file, RF_S("."), 0);
    if (!rf_arena_str(arena, rf_slice(file, 0, RF_MIN(dot, file.len)), &made)) return file;
    uint8_t *bytes = (uint8_t *)(uintptr_t)made.ptr; /* our copy */
    for (size_t i = 0; i < made.len; i++)
        if (!rf_is_alnum(bytes[i]) && bytes[i] != '-') bytes[i] = '_';
    return made;
}

static enum rf_kind read_rule(const char *path, struct rf_arena *arena, struct lab_rule *out,
                              struct rf_err *err)
{
    rf_str text, id;
    struct json_node *root;
    RF_TRY(rf_fs_read_all(rf_fs_real(), path, RULE_FILE_BYTES_MAX, arena, &text, err));
    RF_TRY(yaml_parse_texts(text, arena, &root, err));
    RF_TRY(rule_from_yaml(root, arena, &out->document, &id, err));
    out->path = path;
    out->name = name_of(id, path, arena);
    return rule_read_loose(out->document, id, arena, &out->rule, err);
}

static bool is_known(const struct lab_rules *rules, const char *path)
{
    for (uint32_t i = 0; i < rules->count; i++)
        if (strcmp(rules->items[i].path, path) == 0) return true;
    return false;
}

/* `asked_for`: the file was named, so that it must hold a rule. */
static enum rf_kind add_file(struct lab_rules *rules, const char *path, bool asked_for,
                             struct rf_err *err)
{
    struct rf_err why = {0};
    struct lab_rule rule = {.path = path};
    if (is_known(rules, path)) return RF_OK;
    enum rf_kind kind = read_rule(path, rules->arena, &rule, &why);
    if (kind == RF_INVALID && !asked_for && strcmp(why.code, "NotARule") == 0) return RF_OK;
    if (kind != RF_OK) {
        (void)rf_fail(err, kind, why.code, "%s: %.900s", path, why.text);
        if (err != NULL) err->line = why.line;
        return kind;
    }
    if (rules->count == rules->cap) {
        uint32_t cap = RF_MAX(rules->cap * 2, 32u);
        struct lab_rule *items = rf_arena_grow(rules->arena, rules->items,
                                               rules->cap * sizeof *items, cap * sizeof *items);
        if (items == NULL) return rf_fail_memory(err, rules->arena);
        rules->items = items;
        rules->cap = cap;
    }
    rules->items[rules->count++] = rule;
    return RF_OK;
}

/* ---- many files ----------------------------------------------------------------------------------------------------------- */

/* Depth is bounded, so the recursion is. */
static enum rf_kind add_folder(struct lab_rules *rules, const char *folder, uint32_t depth,
                               struct rf_err *err)
{
    rf_str *names;
    size_t count, len = strlen(folder);
    RF_TRY(rf_fs_list(rf_fs_real(), folder, rules->arena, &names, &count, err));
    while (len > 1 && folder[len - 1] == '/') len--;
    for (size_t i = 0; i < count; i++) {
        struct rf_fs_stat stat;
        rf_str full =
            rf_arena_printf(rules->arena, "%.*s/%.*s", (int)len, folder, RF_FMT(names[i]));
        const char *path = full.ptr == NULL ? NULL : lab_path_beside(rules->arena, "", full);
        if (path == NULL) return rf_fail_memory(err, rules->arena);
        if (names[i].ptr[0] == '.' || rf_fs_stat(rf_fs_real(), path, &stat, NULL) != RF_OK)
            continue;
        if (stat.is_dir && depth < FOLDER_DEPTH_MAX)
            RF_TRY(add_folder(rules, path, depth + 1, err));
        else if (stat.is_file && lab_is_yaml(names[i]) && !lab_is_test(names[i]))
            RF_TRY(add_file(rules, path, false, err));
    }
    return RF_OK;
}

static enum rf_kind add_matches(struct lab_rules *rules, const char *pattern, struct rf_err *err)
{
    glob_t found;
    int status = glob(pattern, 0, NULL, &found);
    if (status == GLOB_NOSPACE) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory");
    if (status != 0)
        return RF_FAIL(err, RF_NOT_FOUND, "FileNotFound", "nothing is called %s", pattern);
    enum rf_kind kind = RF_OK;
    for (size_t i = 0; i < found.gl_pathc && kind == RF_OK; i++) {
        const char *path = rf_arena_cstr(rules->arena, rf_str_of(found.gl_pathv[i]));
        if (path == NULL)
            kind = rf_fail_memory(err, rules->arena);
        else if (lab_is_yaml(rf_str_of(path)) && !lab_is_test(rf_str_of(path)))
            kind = add_file(rules, path, false, err);
    }
    globfree(&found);
    return kind;
}

enum rf_kind lab_rules_add(struct lab_rules *rules, const char *pattern, struct rf_err *err)
{
    struct rf_fs_stat stat;
    uint32_t before = rules->count;
    struct rf_fs *fs = rf_fs_real();
    pattern = lab_path_beside(rules->arena, "", rf_str_of(pattern));
    if (pattern == NULL) return rf_fail_memory(err, rules->arena);
    if (strpbrk(pattern, "*?[") != NULL && !rf_fs_exists(fs, pattern)) {
        RF_TRY(add_matches(rules, pattern, err));
    } else {
        RF_TRY(rf_fs_stat(fs, pattern, &stat, err));
        if (!stat.is_dir) return add_file(rules, pattern, true, err);
        RF_TRY(add_folder(rules, pattern, 0, err));
    }
    if (rules->count > before) return RF_OK;
    return RF_FAIL(err, RF_NOT_FOUND, "NoRules", "%s holds no rules (.yaml files with a query)",
                   pattern);
}

const struct lab_rule *lab_rules_like(const struct lab_rules *rules, const struct lab_rule *rule)
{
    for (uint32_t i = 0; i < rules->count; i++)
        if (rf_str_eq_nocase(rules->items[i].name, rule->name)) return &rules->items[i];
    for (uint32_t i = 0; i < rules->count; i++)
        if (strcmp(last_part(rules->items[i].path), last_part(rule->path)) == 0)
            return &rules->items[i];
    return NULL;
}
