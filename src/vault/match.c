#include "vault/call_int.h"

#include "base/encode.h"

enum { NAME_BYTES_MAX = 127, VERSION_BYTES = 32 };

/* ---- paths ------------------------------------------------------------------------------------------------------ */

struct parts {
    rf_str items[VAULT_SEGMENTS_MAX];
    uint32_t count;
};

/* False when there are more than any operation has. */
static bool split(rf_str path, struct parts *out)
{
    size_t at = 0;
    out->count = 0;
    while (at < path.len && path.ptr[at] == '/') at++;
    while (at < path.len) {
        if (out->count == VAULT_SEGMENTS_MAX) return false;
        size_t slash = rf_str_find(path, RF_S("/"), at);
        size_t end = slash == SIZE_MAX ? path.len : slash;
        out->items[out->count++] = rf_slice(path, at, end);
        at = end + 1;
        if (end + 1 == path.len) { /* the path ends in a slash: an empty segment */
            if (out->count == VAULT_SEGMENTS_MAX) return false;
            out->items[out->count++] = (rf_str){0};
        }
    }
    return true;
}

struct fit {
    rf_str name, version, sub; /* as sent */
    uint32_t literals;
};

/* One segment of the pattern against one of the path; false when they differ. */
static bool segment_fits(rf_str pattern, rf_str segment, struct fit *fit)
{
    if (rf_str_is(pattern, "{version}")) {
        fit->version = segment;
        return true;
    }
    if (rf_str_is(pattern, "{sub}")) {
        fit->sub = segment;
        return segment.len > 0;
    }
    if (pattern.len > 0 && pattern.ptr[0] == '{') {
        fit->name = segment;
        return segment.len > 0;
    }
    fit->literals++;
    return rf_str_eq_nocase(pattern, segment);
}

/* `without`: the version and the slash before it are left out. */
static bool pattern_fits(rf_str pattern, const struct parts *parts, bool without, struct fit *out)
{
    struct fit fit = {.literals = 0};
    uint32_t part = 0;
    bool has_version = false;
    for (size_t at = 0; at < pattern.len;) {
        size_t slash = rf_str_find(pattern, RF_S("/"), at);
        size_t end = slash == SIZE_MAX ? pattern.len : slash;
        rf_str segment = rf_slice(pattern, at, end);
        at = end + 1;
        bool is_version = rf_str_is(segment, "{version}");
        has_version |= is_version;
        if (is_version && without) continue;
        if (part == parts->count || !segment_fits(segment, parts->items[part], &fit)) return false;
        part++;
    }
    if (without && !has_version) return false;
    if (part + 1 == parts->count && parts->items[part].len == 0) part++; /* a slash at the end */
    if (part != parts->count) return false;
    *out = fit;
    return true;
}

static bool operation_fits(const struct vault_operation *operation, const struct parts *parts,
                           struct fit *out)
{
    rf_str pattern = rf_str_of(operation->path);
    return pattern_fits(pattern, parts, false, out) || pattern_fits(pattern, parts, true, out);
}

static bool is_name(rf_str name)
{
    for (size_t i = 0; i < name.len; i++)
        if (!rf_is_alnum(name.ptr[i]) && name.ptr[i] != '-') return false;
    return name.len > 0 && name.len <= NAME_BYTES_MAX;
}

/* Reads what stands for the variables of the operation that was found. */
static enum rf_kind bind(const struct fit *fit, struct rf_arena *arena, struct vault_match *out,
                         struct rf_err *err)
{
    struct rf_err inner;
    if (percent_decode(arena, fit->name, false, &out->name, &inner) != RF_OK ||
        percent_decode(arena, fit->version, false, &out->version, &inner) != RF_OK ||
        percent_decode(arena, fit->sub, false, &out->sub, &inner) != RF_OK)
        return RF_FAIL(err, RF_INVALID, "BadParameter", "The request URI cannot be read: %.200s",
                       inner.text);
    const rf_str names[] = {fit->name.len > 0 ? out->name : RF_S("-"),
                            fit->sub.len > 0 ? out->sub : RF_S("-")};
    for (size_t i = 0; i < RF_COUNT(names); i++)
        if (!is_name(names[i]))
            return RF_FAIL(err, RF_INVALID, "BadParameter",
                           "The request URI contains an invalid name: %.*s (1 to 127 letters, "
                           "digits and dashes are allowed)",
                           (int)RF_MIN(names[i].len, 200), (const char *)names[i].ptr);
    if (out->version.len > 0 && (out->version.len != VERSION_BYTES || !is_name(out->version)))
        return RF_FAIL(err, RF_INVALID, "BadParameter",
                       "The request URI contains an invalid version: %.*s",
                       (int)RF_MIN(out->version.len, 200), (const char *)out->version.ptr);
    return RF_OK;
}

enum rf_kind vault_match_path(const struct vault_table *tables, uint32_t table_count,
                              enum http_method method, rf_str path, struct rf_arena *arena,
                              struct vault_match *out, struct rf_err *err)
{
    struct parts parts;
    struct fit best = {.literals = 0}, fit;
    *out = (struct vault_match){.operation = NULL};
    if (!split(path, &parts)) return RF_OK;
    for (uint32_t t = 0; t < table_count; t++)
        for (uint32_t i = 0; i < tables[t].count; i++) {
            const struct vault_operation *operation = &tables[t].items[i];
            if (!operation_fits(operation, &parts, &fit) || fit.literals < best.literals) continue;
            if (fit.literals > best.literals) *out = (struct vault_match){.operation = NULL};
            out->methods |= 1u << operation->method;
            if (operation->method == method && out->operation == NULL) {
                out->operation = operation;
                best = fit;
            }
            best.literals = fit.literals;
        }
    return out->operation == NULL ? RF_OK : bind(&best, arena, out, err);
}

/* ---- versions of the API ---------------------------------------------------------------------------------------- */

int vault_api_of(rf_str text)
{
    static const struct {
        const char *text;
        int api;
    } versions[] = {
        {"7.0", 700},           {"7.1", 710},           {"7.2", 720},
        {"7.3", 730},           {"7.4", 740},           {"7.5", 750},
        {"7.6", VAULT_API_7_6}, {"7.4-preview.1", 740}, {"7.5-preview.1", 750},
        {"7.6-preview.1", 760}, {"7.6-preview.2", 760}, {"2025-07-01", VAULT_API_2025},
    };
    for (size_t i = 0; i < RF_COUNT(versions); i++)
        if (rf_str_is(text, versions[i].text)) return versions[i].api;
    return VAULT_API_OTHER;
}

/* ---- bodies ----------------------------------------------------------------------------------------------------- */

static unsigned hex_value(uint8_t c)
{
    return (unsigned)(rf_is_digit(c) ? c - '0' : rf_lower(c) - 'a' + 10);
}

/* Of \uXXXX at `at`, in a text that is known to be JSON. */
static unsigned escape_at(rf_str text, size_t at)
{
    unsigned unit = 0;
    for (size_t i = at + 2; i < at + 6; i++) unit = unit << 4 | hex_value(text.ptr[i]);
    return unit;
}

static bool is_escape(rf_str text, size_t at)
{
    return at + 6 <= text.len && text.ptr[at] == '\\' && text.ptr[at + 1] == 'u';
}

/* Of a text that is known to be JSON, where backslashes are in strings only. */
static bool has_lone_surrogate(rf_str text)
{
    for (size_t at = 0; at < text.len; at++) {
        if (text.ptr[at] != '\\') continue;
        unsigned unit = is_escape(text, at) ? escape_at(text, at) : 0;
        if (unit >= 0xdc00 && unit <= 0xdfff) return true;
        if (unit >= 0xd800 && unit <= 0xdbff) {
            unsigned low = is_escape(text, at + 6) ? escape_at(text, at + 6) : 0;
            if (low < 0xdc00 || low > 0xdfff) return true;
            at += 6;
        }
        at++; /* what is escaped may be a backslash */
    }
    return false;
}

static bool is_too_deep(rf_str text)
{
    uint32_t depth = 0;
    bool in_string = false;
    for (size_t at = 0; at < text.len; at++) {
        uint8_t c = text.ptr[at];
        if (in_string && c == '\\')
            at++;
        else if (c == '"')
            in_string = !in_string;
        else if (!in_string && (c == '{' || c == '['))
            depth++;
        else if (!in_string && (c == '}' || c == ']') && depth > 0)
            depth--;
        if (depth > VAULT_BODY_DEPTH_MAX) return true;
    }
    return false;
}

static enum rf_kind bad_body(struct rf_err *err, const char *why)
{
    return RF_FAIL(err, RF_INVALID, "BadParameter", "The request body is invalid: %.300s", why);
}

enum rf_kind vault_read_body(rf_str text, struct rf_arena *arena, struct json_node **out,
                             struct rf_err *err)
{
    struct rf_err inner = {.kind = RF_OK};
    struct json_node *node;
    rf_str mark = RF_S("\xef\xbb\xbf"); /* .NET and PowerShell write one */
    if (rf_str_starts(text, mark)) text = rf_slice(text, mark.len, text.len);
    if (text.len == 0) {
        *out = json_new(arena, JSON_T_OBJECT);
        return *out == NULL ? rf_fail_memory(err, arena) : RF_OK;
    }
    if (!rf_utf8_valid(text)) return bad_body(err, "it is not UTF-8");
    if (is_too_deep(text)) return bad_body(err, "it nests more than 64 levels");
    enum rf_kind kind = json_parse(text, arena, &node, &inner);
    if (kind == RF_INVALID) return bad_body(err, inner.text);
    if (kind != RF_OK) {
        if (err != NULL) *err = inner;
        return kind;
    }
    if (!json_is(node, JSON_T_OBJECT)) return bad_body(err, "it is no JSON object");
    if (has_lone_surrogate(text)) return bad_body(err, "a text holds half a surrogate pair");
    *out = node;
    return RF_OK;
}
