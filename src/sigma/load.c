#include "sigma/load.h"

#include "base/input.h"
#include "base/json_tree.h"

static enum rf_kind read_file(const char *path, struct rf_arena *arena, rf_str *out,
                              struct rf_err *err)
{
    struct input *input;
    struct rf_buf buf = rf_buf_in(arena);
    RF_TRY(input_open(NULL, path, &input, err));
    enum rf_kind kind = RF_OK;
    for (size_t got = 1; kind == RF_OK && got > 0;) {
        if (buf.len > LOAD_FILE_BYTES_MAX)
            kind = RF_FAIL(err, RF_LIMIT, "FileTooLarge", "%s has more than %d MiB; split it", path,
                           LOAD_FILE_BYTES_MAX >> 20);
        else if (!rf_buf_reserve(&buf, INPUT_BUFFER_BYTES))
            kind = rf_fail_memory(err, arena);
        else
            kind = input_read(input, buf.ptr + buf.len, buf.cap - buf.len, &got, err);
        if (kind == RF_OK) buf.len += got;
    }
    input_free(input);
    *out = rf_buf_view(&buf);
    return kind;
}

/* ---- JSON lines -------------------------------------------------------------------------------------------------- */

static enum rf_kind load_line(struct sigma_set *set, const char *path, uint32_t line, rf_str text,
                              struct rf_err *err)
{
    struct json_node *node;
    struct rf_err problem = {0};
    enum rf_kind kind = json_parse(text, set->arena, &node, &problem);
    rf_str yaml = kind == RF_OK ? json_text_at(node, "yaml") : (rf_str){NULL, 0};
    if (kind == RF_OK && yaml.len == 0)
        kind = RF_FAIL(&problem, RF_INVALID, "NotARule",
                       "the line has no member yaml; each line is {\"id\",\"file\",\"yaml\"}");
    if (kind == RF_LIMIT && strcmp(problem.code, "MemoryBudgetExceeded") == 0) {
        *err = problem;
        return kind;
    }
    if (kind != RF_OK) {
        problem.line = line;
        return sigma_add_problem(set, path, (rf_str){NULL, 0}, &problem, err);
    }
    rf_str file = json_text_at(node, "file");
    rf_str name = file.len > 0
                      ? rf_arena_printf(set->arena, "%s:%u (%.*s)", path, line, RF_FMT(file))
                      : rf_arena_printf(set->arena, "%s:%u", path, line);
    if (name.ptr == NULL) return rf_fail_memory(err, set->arena);
    return sigma_read(set, (const char *)name.ptr, 1, json_text_at(node, "id"), yaml, err);
}

static enum rf_kind load_lines(struct sigma_set *set, const char *path, rf_str text,
                               struct rf_err *err)
{
    uint32_t line = 1;
    for (size_t at = 0; at < text.len; line++) {
        const uint8_t *end = memchr(text.ptr + at, '\n', text.len - at);
        size_t to = end == NULL ? text.len : (size_t)(end - text.ptr);
        rf_str one = rf_str_trim(rf_slice(text, at, to));
        if (one.len > 0) RF_TRY(load_line(set, path, line, one, err));
        at = to + 1;
    }
    return RF_OK;
}

/* ---- files and folders -------------------------------------------------------------------------------------------- */

static bool has_ending(rf_str name, const char *ending)
{
    static const char *const packed[] = {"", ".gz", ".zst"};
    for (size_t i = 0; i < RF_COUNT(packed); i++) {
        rf_str last = rf_str_of(packed[i]);
        if (!rf_str_ends(name, last)) continue;
        if (rf_str_ends(rf_slice(name, 0, name.len - last.len), rf_str_of(ending))) return true;
    }
    return false;
}
static bool is_yaml(rf_str name) { return has_ending(name, ".yml") || has_ending(name, ".yaml"); }

static enum rf_kind load_file(struct sigma_set *set, const char *path, struct rf_err *err)
{
    rf_str text;
    RF_TRY(read_file(path, set->arena, &text, err));
    rf_str start = rf_str_trim(text);
    if (!is_yaml(rf_str_of(path)) && start.len > 0 && start.ptr[0] == '{')
        return load_lines(set, path, text, err);
    return sigma_read(set, path, 1, (rf_str){NULL, 0}, text, err);
}

/* Depth is bounded, so the recursion is. */
static enum rf_kind load_folder(struct sigma_set *set, const char *path, uint32_t depth,
                                uint32_t *files, struct rf_err *err)
{
    struct rf_fs *fs = rf_fs_real();
    rf_str *names;
    size_t count;
    RF_TRY(rf_fs_list(fs, path, set->arena, &names, &count, err));
    for (size_t i = 0; i < count; i++) {
        struct rf_fs_stat stat;
        if (names[i].ptr[0] == '.') continue;
        rf_str full = rf_arena_printf(set->arena, "%s/%.*s", path, RF_FMT(names[i]));
        if (full.ptr == NULL) return rf_fail_memory(err, set->arena);
        const char *child = (const char *)full.ptr;
        if (rf_fs_stat(fs, child, &stat, NULL) != RF_OK) continue;
        if (stat.is_dir && depth < LOAD_FOLDER_DEPTH_MAX)
            RF_TRY(load_folder(set, child, depth + 1, files, err));
        if (!stat.is_file || !is_yaml(names[i])) continue;
        struct rf_err problem;
        ++*files;
        enum rf_kind kind = load_file(set, child, &problem);
        if (kind == RF_LIMIT && strcmp(problem.code, "MemoryBudgetExceeded") == 0) {
            *err = problem;
            return kind;
        }
        if (kind != RF_OK) RF_TRY(sigma_add_problem(set, child, (rf_str){NULL, 0}, &problem, err));
    }
    return RF_OK;
}

enum rf_kind sigma_load(struct sigma_set *set, const char *path, struct rf_err *err)
{
    struct rf_fs_stat stat;
    uint32_t files = 0;
    RF_TRY(rf_fs_stat(rf_fs_real(), path, &stat, err));
    if (!stat.is_dir) return load_file(set, path, err);
    RF_TRY(load_folder(set, path, 0, &files, err));
    if (files == 0)
        return RF_FAIL(err, RF_NOT_FOUND, "NoRules",
                       "the folder %s holds no rule file; they end in .yml or .yaml", path);
    return RF_OK;
}
