/* name.c - DNS names as identifiers (RFC 8555, 7.1.3; RFC 1034, 3.5). */
#include "acme/acme_int.h"

enum { LABEL_BYTES_MAX = 63 };

static bool is_label(rf_str label)
{
    if (label.len == 0 || label.len > LABEL_BYTES_MAX || label.ptr[0] == '-' ||
        label.ptr[label.len - 1] == '-')
        return false;
    for (size_t i = 0; i < label.len; i++)
        if (!rf_is_alnum(label.ptr[i]) && label.ptr[i] != '-') return false;
    return true;
}

static bool is_name(rf_str name)
{
    bool digits = true;
    size_t from = 0;
    if (name.len == 0 || name.len > ACME_NAME_BYTES_MAX) return false;
    while (from <= name.len) {
        size_t dot = RF_MIN(rf_str_find(name, RF_S("."), from), name.len);
        rf_str label = rf_slice(name, from, dot);
        if (!is_label(label)) return false;
        digits = true;
        for (size_t i = 0; i < label.len; i++) digits = digits && rf_is_digit(label.ptr[i]);
        from = dot + 1;
    }
    return !digits; /* else it is an address */
}

bool acme_name_read(rf_str text, struct rf_arena *arena, rf_str *name, bool *wildcard,
                    const char **why)
{
    rf_str star = RF_S("*.");
    *wildcard = rf_str_starts(text, star);
    if (*wildcard) text = rf_slice(text, star.len, text.len);
    *why =
        "it is no DNS name: letters, digits and hyphens with dots between, without one at its end";
    if (!is_name(text)) return false;
    uint8_t *bytes = rf_arena_alloc(arena, text.len);
    *why = "there is no memory for it";
    if (bytes == NULL) return false;
    for (size_t i = 0; i < text.len; i++) bytes[i] = rf_lower(text.ptr[i]);
    *name = rf_str_make(bytes, text.len);
    return true;
}

static bool allows(rf_str rule, rf_str name, bool wildcard)
{
    rf_str star = RF_S("*.");
    if (!rf_str_starts(rule, star)) return !wildcard && rf_str_eq_nocase(rule, name);
    rf_str parent = rf_slice(rule, 1, rule.len); /* with its dot */
    if (wildcard && rf_str_eq_nocase(rf_slice(parent, 1, parent.len), name)) return true;
    return name.len > parent.len &&
           rf_str_eq_nocase(rf_slice(name, name.len - parent.len, name.len), parent);
}

bool acme_name_allowed(const struct json_node *allowed, rf_str name, bool wildcard)
{
    if (!json_is(allowed, JSON_T_ARRAY)) return false;
    for (const struct json_node *rule = allowed->first; rule != NULL; rule = rule->next)
        if (rule->type == JSON_T_STRING && allows(rule->text, name, wildcard)) return true;
    return false;
}
