#include "authz/route_tree_int.h"

#include "base/encode.h"

/* ---- paths ----------------------------------------------------------------------------------------------- */

/* A dot segment would name another resource than the one that was checked, and so would a slash that only shows after
 * decoding: scopes are made of variables. */
static bool is_safe_segment(rf_str segment)
{
    if (rf_str_is(segment, ".") || rf_str_is(segment, "..")) return false;
    for (size_t i = 0; i < segment.len; i++) {
        uint8_t c = segment.ptr[i];
        if (c == '/' || c < 0x20 || c == 0x7f) return false;
    }
    return true;
}

static enum rf_kind add_segment(rf_str segment, struct path *path, struct rf_err *err)
{
    if (path->count == PATH_SEGMENTS_MAX)
        return RF_FAIL(err, RF_INVALID, "InvalidPath", "The path has more than %d segments.",
                       PATH_SEGMENTS_MAX);
    if (!is_safe_segment(segment))
        return RF_FAIL(
            err, RF_INVALID, "InvalidPath",
            "Segment %u of the path holds a dot segment, a slash or a control character.",
            path->count + 1);
    path->segments[path->count++] = segment;
    return RF_OK;
}

/* Some clients put a resource id into the path as one segment, its slashes encoded: /%2Fsubscriptions%2F.../providers/... */
static bool is_resource_id(rf_str segment)
{
    rf_str rest =
        segment.len > 0 && segment.ptr[0] == '/' ? rf_slice(segment, 1, segment.len) : segment;
    return rf_str_starts(rest, RF_S("subscriptions/")) || rf_str_starts(rest, RF_S("providers/"));
}

/* Others append one, its first slash included, to a prefix that ends in a slash: /v1//subscriptions/... */
static bool begins_resource_id(rf_str rest)
{
    rf_str names[] = {RF_S("/subscriptions/"), RF_S("/providers/")};
    for (size_t i = 0; i < RF_COUNT(names); i++)
        if (rest.len >= names[i].len && rf_str_eq_nocase(rf_slice(rest, 0, names[i].len), names[i]))
            return true;
    return false;
}

static enum rf_kind take_segment(rf_str raw, struct rf_arena *arena, struct path *path,
                                 struct rf_err *err)
{
    rf_str segment;
    RF_TRY(percent_decode(arena, raw, false, &segment, err));
    if (!is_resource_id(segment)) return add_segment(segment, path, err);
    for (size_t at = segment.ptr[0] == '/' ? 1 : 0; at < segment.len;) {
        size_t slash = rf_str_find(segment, RF_S("/"), at), end = RF_MIN(slash, segment.len);
        if (end == at)
            return RF_FAIL(err, RF_NOT_FOUND, "NotFound", "The path has an empty segment.");
        RF_TRY(add_segment(rf_slice(segment, at, end), path, err));
        at = end + 1;
    }
    return RF_OK;
}

enum rf_kind path_parse(rf_str text, struct rf_arena *arena, struct path *out, struct rf_err *err)
{
    size_t at = 0;
    while (at < text.len && text.ptr[at] == '/') at++;
    if (at == 0)
        return RF_FAIL(err, RF_INVALID, "InvalidPath", "The path does not begin with '/'.");
    out->count = 0;
    out->has_gaps = false;
    while (at < text.len) {
        const uint8_t *slash = memchr(text.ptr + at, '/', text.len - at);
        size_t end = slash == NULL ? text.len : (size_t)(slash - text.ptr);
        if (end == at && begins_resource_id(rf_slice(text, at, text.len))) {
            at++;
            continue;
        }
        if (end == at)
            out->has_gaps = true;
        else
            RF_TRY(take_segment(rf_slice(text, at, end), arena, out, err));
        at = end + 1;
    }
    return RF_OK;
}

/* ---- queries --------------------------------------------------------------------------------------------- */

static uint32_t count_parameters(rf_str text)
{
    uint32_t count = 1;
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] == '&' && count <= QUERY_PARAMETERS_MAX) count++;
    return count;
}

static enum rf_kind take_parameter(rf_str part, struct rf_arena *arena, struct route_variable *out,
                                   struct rf_err *err)
{
    const uint8_t *equals = memchr(part.ptr, '=', part.len);
    size_t name_end = equals == NULL ? part.len : (size_t)(equals - part.ptr);
    rf_str value = equals == NULL ? (rf_str){0} : rf_slice(part, name_end + 1, part.len);
    RF_TRY(percent_decode(arena, rf_slice(part, 0, name_end), true, &out->name, err));
    return percent_decode(arena, value, true, &out->value, err);
}

enum rf_kind query_parse(rf_str text, struct rf_arena *arena, struct route_variable **out,
                         uint32_t *count, struct rf_err *err)
{
    *out = NULL;
    *count = 0;
    if (text.len == 0) return RF_OK;
    uint32_t most = count_parameters(text);
    if (most > QUERY_PARAMETERS_MAX)
        return RF_FAIL(err, RF_INVALID, "InvalidQuery", "The query has more than %d parameters.",
                       QUERY_PARAMETERS_MAX);
    struct route_variable *parameters = rf_arena_new(arena, struct route_variable, most);
    if (parameters == NULL) return rf_fail_memory(err, arena);
    uint32_t taken = 0;
    for (size_t at = 0; at <= text.len;) {
        const uint8_t *amp = memchr(text.ptr + at, '&', text.len - at);
        size_t end = amp == NULL ? text.len : (size_t)(amp - text.ptr);
        if (end > at)
            RF_TRY(take_parameter(rf_slice(text, at, end), arena, &parameters[taken++], err));
        at = end + 1;
    }
    *out = parameters;
    *count = taken;
    return RF_OK;
}

static int hex_digit(uint8_t c)
{
    if (rf_is_digit(c)) return c - '0';
    c = rf_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte at *at of a parameter's name, decoded; moves on. */
static uint8_t next_byte(rf_str query, size_t *at)
{
    uint8_t c = query.ptr[(*at)++];
    if (c != '%' || query.len - *at < 2) return c;
    int high = hex_digit(query.ptr[*at]), low = hex_digit(query.ptr[*at + 1]);
    if (high < 0 || low < 0) return c;
    *at += 2;
    return (uint8_t)(high << 4 | low);
}

bool query_names(rf_str query, const char *name)
{
    for (size_t at = 0; at < query.len; at++) {
        const char *rest = name;
        while (at < query.len && query.ptr[at] != '=' && query.ptr[at] != '&') {
            uint8_t c = next_byte(query, &at);
            rest = rest != NULL && *rest != '\0' && rf_lower(c) == rf_lower((uint8_t)*rest)
                       ? rest + 1
                       : NULL;
        }
        if (rest != NULL && *rest == '\0') return true;
        while (at < query.len && query.ptr[at] != '&') at++;
    }
    return false;
}
