/* Modifiers: from `Field|contains|all: [..]` to atoms. Each modifier is one entry of a table, and changes what is known of the
 * value so far, in the order in which they are written. */
#include <math.h>
#include <stdio.h>

#include "base/encode.h"
#include "kql/func_ip.h"
#include "sigma/pattern.h"
#include "sigma/sigma_int.h"
#include "value/text.h"

enum { EXPANSIONS_MAX = 4096 };

/* A value on its way to an atom. */
struct draft {
    rf_str raw; /* as written */
    struct sigma_pattern pattern;
    struct draft *next; /* alternatives: base64offset and placeholders make several of one */
};

struct item {
    struct sigma_reader *reader;
    rf_str field;
    uint32_t line;
    /* What the modifiers say of all values. */
    bool all, negated, cased, expand;
    bool regex, contains, starts, ends;
    uint32_t regex_flags;
    enum sigma_test test; /* MATCHES unless a modifier says else */
    enum sigma_part part;
    /* The present value. */
    struct draft *drafts;
    rf_str modifier;
};

#define item_fail(item, code, ...) SIGMA_FAIL(err, (item)->line, RF_INVALID, code, __VA_ARGS__)

struct modifier {
    const char *name;
    enum rf_kind (*flag)(struct item *item,
                         struct rf_err *err); /* once, before the values; may be NULL */
    enum rf_kind (*change)(struct item *item, struct draft *draft,
                           struct rf_err *err); /* may be NULL */
};

/* ---- what counts for all values ------------------------------------------------------------------------------------ */

static enum rf_kind set_test(struct item *item, enum sigma_test test, struct rf_err *err)
{
    if (item->test != SIGMA_MATCHES && item->test != test)
        return item_fail(item, "BadModifiers",
                         "the modifier '%.*s' does not go with the one before it; leave one out",
                         RF_FMT(item->modifier));
    item->test = test;
    return RF_OK;
}
static enum rf_kind flag_all(struct item *item, struct rf_err *err)
{
    (void)err;
    item->all = true;
    return RF_OK;
}
static enum rf_kind flag_neq(struct item *item, struct rf_err *err)
{
    (void)err;
    item->negated = true;
    return RF_OK;
}
static enum rf_kind flag_cased(struct item *item, struct rf_err *err)
{
    (void)err;
    item->cased = true;
    return RF_OK;
}
static enum rf_kind flag_expand(struct item *item, struct rf_err *err)
{
    (void)err;
    item->expand = true;
    return RF_OK;
}
static enum rf_kind flag_re(struct item *item, struct rf_err *err)
{
    item->regex = true;
    return set_test(item, SIGMA_REGEX, err);
}
static enum rf_kind regex_flag(struct item *item, uint32_t flag, struct rf_err *err)
{
    if (!item->regex)
        return item_fail(item, "BadModifiers", "the modifier '%.*s' must follow 're'",
                         RF_FMT(item->modifier));
    item->regex_flags |= flag;
    return RF_OK;
}
static enum rf_kind flag_i(struct item *item, struct rf_err *err)
{
    return regex_flag(item, REGEX_NOCASE, err);
}
static enum rf_kind flag_m(struct item *item, struct rf_err *err)
{
    return regex_flag(item, REGEX_MULTI_LINE, err);
}
static enum rf_kind flag_s(struct item *item, struct rf_err *err)
{
    return regex_flag(item, REGEX_DOT_ALL, err);
}
static enum rf_kind flag_contains(struct item *item, struct rf_err *err)
{
    (void)err;
    item->contains = true;
    return RF_OK;
}
static enum rf_kind flag_starts(struct item *item, struct rf_err *err)
{
    (void)err;
    item->starts = true;
    return RF_OK;
}
static enum rf_kind flag_ends(struct item *item, struct rf_err *err)
{
    (void)err;
    item->ends = true;
    return RF_OK;
}
#define TEST_FLAG(name, test)                                                                      \
    static enum rf_kind flag_##name(struct item *item, struct rf_err *err)                         \
    {                                                                                              \
        return set_test(item, test, err);                                                          \
    }
TEST_FLAG(cidr, SIGMA_CIDR)
TEST_FLAG(lt, SIGMA_LESS)
TEST_FLAG(lte, SIGMA_LESS_EQUAL)
TEST_FLAG(gt, SIGMA_GREATER)
TEST_FLAG(gte, SIGMA_GREATER_EQUAL)
TEST_FLAG(exists, SIGMA_EXISTS)
TEST_FLAG(fieldref, SIGMA_FIELD)
#undef TEST_FLAG
#define PART_FLAG(name, value)                                                                     \
    static enum rf_kind flag_##name(struct item *item, struct rf_err *err)                         \
    {                                                                                              \
        (void)err;                                                                                 \
        item->part = value;                                                                        \
        return RF_OK;                                                                              \
    }
PART_FLAG(minute, SIGMA_MINUTE)
PART_FLAG(hour, SIGMA_HOUR)
PART_FLAG(day, SIGMA_DAY)
PART_FLAG(week, SIGMA_WEEK)
PART_FLAG(month, SIGMA_MONTH)
PART_FLAG(year, SIGMA_YEAR)
#undef PART_FLAG

/* ---- what changes a value ------------------------------------------------------------------------------------------- */

static enum rf_kind no_memory(struct item *item, struct rf_err *err)
{
    return rf_fail_memory(err, item->reader->arena);
}
static enum rf_kind widen(struct item *item, struct draft *draft, bool front, bool behind,
                          struct rf_err *err)
{
    return pattern_widen(&draft->pattern, front, behind, item->reader->arena)
               ? RF_OK
               : no_memory(item, err);
}
static enum rf_kind change_contains(struct item *item, struct draft *draft, struct rf_err *err)
{
    return widen(item, draft, true, true, err);
}
static enum rf_kind change_starts(struct item *item, struct draft *draft, struct rf_err *err)
{
    return widen(item, draft, false, true, err);
}
static enum rf_kind change_ends(struct item *item, struct draft *draft, struct rf_err *err)
{
    return widen(item, draft, true, false, err);
}
static enum rf_kind change_windash(struct item *item, struct draft *draft, struct rf_err *err)
{
    return pattern_windash(&draft->pattern, item->reader->arena) ? RF_OK : no_memory(item, err);
}

/* UTF-16 of the texts; wildcards stay. */
static enum rf_kind to_utf16(struct item *item, struct draft *draft, bool big, bool mark,
                             struct rf_err *err)
{
    for (uint32_t i = 0; i < draft->pattern.count; i++) {
        struct sigma_piece *piece = &draft->pattern.pieces[i];
        struct rf_buf buf = rf_buf_in(item->reader->arena);
        if (piece->kind != SIGMA_TEXT) continue;
        if (mark && i == 0) rf_buf_put(&buf, "\xff\xfe", 2);
        for (size_t at = 0; at < piece->text.len;) {
            uint32_t cp = rf_utf8_next(piece->text, &at);
            uint16_t units[2] = {(uint16_t)cp, 0};
            uint32_t count = 1;
            if (cp >= 0x10000) {
                units[0] = (uint16_t)(0xd800 + ((cp - 0x10000) >> 10));
                units[1] = (uint16_t)(0xdc00 + ((cp - 0x10000) & 0x3ff));
                count = 2;
            }
            for (uint32_t u = 0; u < count; u++) {
                rf_buf_byte(&buf, (uint8_t)(big ? units[u] >> 8 : units[u] & 0xff));
                rf_buf_byte(&buf, (uint8_t)(big ? units[u] & 0xff : units[u] >> 8));
            }
        }
        if (buf.failed) return no_memory(item, err);
        piece->text = rf_buf_view(&buf);
    }
    return RF_OK;
}
static enum rf_kind change_wide(struct item *item, struct draft *draft, struct rf_err *err)
{
    return to_utf16(item, draft, false, false, err);
}
static enum rf_kind change_utf16be(struct item *item, struct draft *draft, struct rf_err *err)
{
    return to_utf16(item, draft, true, false, err);
}
static enum rf_kind change_utf16(struct item *item, struct draft *draft, struct rf_err *err)
{
    return to_utf16(item, draft, false, true, err);
}

static enum rf_kind encodable(struct item *item, const struct draft *draft, rf_str *text,
                              struct rf_err *err)
{
    if (pattern_is_plain(&draft->pattern, text)) return RF_OK;
    return item_fail(item, "BadValue",
                     "'%.*s' cannot be encoded by '%.*s', as it holds wildcards or comes from "
                     "contains, startswith, "
                     "endswith or windash; write those modifiers behind '%.*s', and a backslash "
                     "before a plain * or ?",
                     RF_FMT(draft->raw), RF_FMT(item->modifier), RF_FMT(item->modifier));
}

static enum rf_kind change_base64(struct item *item, struct draft *draft, struct rf_err *err)
{
    rf_str text;
    RF_TRY(encodable(item, draft, &text, err));
    rf_str encoded = base64_encode(item->reader->arena, text);
    if ((encoded.ptr == NULL && text.len > 0) ||
        !pattern_plain(encoded, item->reader->arena, &draft->pattern))
        return no_memory(item, err);
    return RF_OK;
}

/* The value may begin at any of three places in a group of three bytes. Characters that also hold bits of
 * what stands before or behind it are cut off. */
static enum rf_kind change_base64offset(struct item *item, struct draft *draft, struct rf_err *err)
{
    static const size_t begins[] = {0, 2, 3}, cut[] = {0, 3, 2};
    rf_str text;
    RF_TRY(encodable(item, draft, &text, err));
    for (size_t shift = 0; shift < 3; shift++) {
        struct rf_buf buf = rf_buf_in(item->reader->arena);
        rf_buf_put(&buf, "   ", shift);
        rf_buf_str(&buf, text);
        rf_str encoded = base64_encode(item->reader->arena, rf_buf_view(&buf));
        size_t end = encoded.len - cut[(text.len + shift) % 3];
        if (buf.failed || (encoded.ptr == NULL && buf.len > 0)) return no_memory(item, err);
        if (text.len == 0 || end <= begins[shift])
            return item_fail(item, "BadValue",
                             "'%.*s' is too short for base64offset; use at least 3 characters",
                             RF_FMT(draft->raw));
        struct draft *other = draft;
        if (shift > 0) {
            other = rf_arena_new(item->reader->arena, struct draft, 1);
            if (other == NULL) return no_memory(item, err);
            *other = (struct draft){.raw = draft->raw, .next = draft->next};
            draft->next = other;
        }
        if (!pattern_plain(rf_slice(encoded, begins[shift], end), item->reader->arena,
                           &other->pattern))
            return no_memory(item, err);
    }
    return RF_OK;
}

static const struct modifier modifiers[] = {
    {"contains", flag_contains, change_contains},
    {"startswith", flag_starts, change_starts},
    {"endswith", flag_ends, change_ends},
    {"all", flag_all, NULL},
    {"re", flag_re, NULL},
    {"i", flag_i, NULL},
    {"m", flag_m, NULL},
    {"s", flag_s, NULL},
    {"cased", flag_cased, NULL},
    {"neq", flag_neq, NULL},
    {"exists", flag_exists, NULL},
    {"cidr", flag_cidr, NULL},
    {"lt", flag_lt, NULL},
    {"lte", flag_lte, NULL},
    {"gt", flag_gt, NULL},
    {"gte", flag_gte, NULL},
    {"fieldref", flag_fieldref, NULL},
    {"expand", flag_expand, NULL},
    {"windash", NULL, change_windash},
    {"base64", NULL, change_base64},
    {"base64offset", NULL, change_base64offset},
    {"wide", NULL, change_wide},
    {"utf16le", NULL, change_wide},
    {"utf16be", NULL, change_utf16be},
    {"utf16", NULL, change_utf16},
    {"minute", flag_minute, NULL},
    {"hour", flag_hour, NULL},
    {"day", flag_day, NULL},
    {"week", flag_week, NULL},
    {"month", flag_month, NULL},
    {"year", flag_year, NULL},
};

static rf_str nth_modifier(const void *state, size_t index)
{
    (void)state;
    return rf_str_of(modifiers[index].name);
}

static enum rf_kind find_modifier(struct item *item, const struct modifier **out,
                                  struct rf_err *err)
{
    rf_str near;
    for (size_t i = 0; i < RF_COUNT(modifiers); i++)
        if (rf_str_is(item->modifier, modifiers[i].name)) {
            *out = &modifiers[i];
            return RF_OK;
        }
    if (rf_nearest(item->modifier, RF_COUNT(modifiers), nth_modifier, NULL, &near) != NULL)
        return item_fail(item, "UnknownModifier", "'%.*s' is no modifier; did you mean '%.*s'?",
                         RF_FMT(item->modifier), RF_FMT(near));
    return item_fail(item, "UnknownModifier",
                     "'%.*s' is no modifier of Sigma 2.1; contains, startswith, endswith, all, re, "
                     "cidr, windash, base64, "
                     "base64offset, wide, exists, cased, neq, lt, lte, gt, gte, fieldref, expand "
                     "and the parts of times are",
                     RF_FMT(item->modifier));
}

/* ---- placeholders ---------------------------------------------------------------------------------------------------- */

/* The first %name% that no backslash stands before. */
static bool find_placeholder(rf_str text, size_t *from, size_t *to)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '\\' && i + 1 < text.len && text.ptr[i + 1] == '%') {
            i++;
            continue;
        }
        if (text.ptr[i] != '%') continue;
        for (size_t k = i + 1; k < text.len; k++) {
            if (text.ptr[k] == '%' && k > i + 1) {
                *from = i;
                *to = k + 1;
                return true;
            }
            if (!rf_is_alnum(text.ptr[k]) && text.ptr[k] != '_' && text.ptr[k] != '-') break;
        }
    }
    return false;
}

/* Replaces the first placeholder of `draft`, which becomes one draft per value. */
static enum rf_kind expand_first(struct item *item, struct draft *draft, size_t from, size_t to,
                                 uint32_t *count, struct rf_err *err)
{
    const struct sigma_set *set = item->reader->set;
    rf_str text = draft->raw, name = rf_slice(text, from + 1, to - 1);
    bool found = false;
    for (uint32_t i = 0; i < set->placeholder_count; i++) {
        if (!rf_str_eq_nocase(set->placeholders[i].name, name)) continue;
        rf_str whole = rf_arena_printf(
            item->reader->arena, "%.*s%.*s%.*s", RF_FMT(rf_slice(text, 0, from)),
            RF_FMT(set->placeholders[i].value), RF_FMT(rf_slice(text, to, text.len)));
        if (++*count > EXPANSIONS_MAX)
            return item_fail(item, "TooManyValues", "the placeholders make more than %d values",
                             EXPANSIONS_MAX);
        struct draft *other = found ? rf_arena_new(item->reader->arena, struct draft, 1) : draft;
        if (other == NULL || whole.ptr == NULL) return no_memory(item, err);
        if (found) {
            other->next = draft->next;
            draft->next = other;
        }
        other->raw = whole;
        found = true;
    }
    if (found) return RF_OK;
    return item_fail(
        item, "UnknownPlaceholder",
        "no value is known for the placeholder %%%.*s%%; give it by --placeholder %.*s=VALUE",
        RF_FMT(name), RF_FMT(name));
}

static enum rf_kind drop_escapes(struct item *item, struct draft *draft, struct rf_err *err)
{
    struct rf_buf buf = rf_buf_in(item->reader->arena);
    for (size_t i = 0; i < draft->raw.len; i++) {
        if (draft->raw.ptr[i] == '\\' && i + 1 < draft->raw.len && draft->raw.ptr[i + 1] == '%')
            continue;
        rf_buf_byte(&buf, draft->raw.ptr[i]);
    }
    draft->raw = rf_buf_view(&buf);
    return buf.failed ? no_memory(item, err) : RF_OK;
}

static enum rf_kind expand(struct item *item, struct rf_err *err)
{
    uint32_t count = 0;
    size_t from, to;
    /* A value that a placeholder stands for may name another; the count ends circles. */
    for (struct draft *d = item->drafts; d != NULL; d = d->next)
        while (find_placeholder(d->raw, &from, &to))
            RF_TRY(expand_first(item, d, from, to, &count, err));
    for (struct draft *d = item->drafts; d != NULL; d = d->next) RF_TRY(drop_escapes(item, d, err));
    return RF_OK;
}

/* ---- from a draft to an atom ------------------------------------------------------------------------------------------- */

static enum rf_kind make_regex(struct item *item, const struct draft *draft,
                               struct sigma_atom *atom, struct rf_err *err)
{
    char flags[8] = "";
    if (item->regex_flags != 0)
        (void)snprintf(flags, sizeof flags, "(?%s%s%s)",
                       item->regex_flags & REGEX_NOCASE ? "i" : "",
                       item->regex_flags & REGEX_MULTI_LINE ? "m" : "",
                       item->regex_flags & REGEX_DOT_ALL ? "s" : "");
    bool open = item->starts && !item->contains, close = item->ends && !item->contains;
    atom->text = rf_arena_printf(item->reader->arena, "%s%s%.*s%s", flags,
                                 open    ? "^(?:"
                                 : close ? "(?:"
                                         : "",
                                 RF_FMT(draft->raw),
                                 open    ? ")"
                                 : close ? ")$"
                                         : "");
    if (atom->text.ptr == NULL) return no_memory(item, err);
    struct rf_err inner;
    enum rf_kind kind = regex_compile(atom->text, 0, item->reader->arena, &atom->re, &inner);
    if (kind == RF_OK) return RF_OK;
    return SIGMA_FAIL(err, item->line, kind, "BadRegex",
                      "the regular expression '%.*s' of %.*s cannot be used: %.300s; look-around "
                      "and back-references "
                      "are not supported, and literal signs need a backslash",
                      RF_FMT(draft->raw), RF_FMT(item->field), inner.text);
}

static enum rf_kind make_number(struct item *item, const struct draft *draft,
                                struct sigma_atom *atom, struct rf_err *err)
{
    atom->text = draft->raw;
    if (text_to_real(draft->raw, &atom->number) && isfinite(atom->number)) return RF_OK;
    return item_fail(item, "BadValue", "'%.*s' of %.*s must be a number", RF_FMT(draft->raw),
                     RF_FMT(item->field));
}

static enum rf_kind make_exists(struct item *item, const struct draft *draft,
                                struct sigma_node **node, struct rf_err *err)
{
    static const char *const yes[] = {"true", "yes", "on"}, *const no[] = {"false", "no", "off"};
    for (size_t i = 0; i < RF_COUNT(yes); i++) {
        if (rf_str_eq_nocase(draft->raw, rf_str_of(yes[i]))) return RF_OK;
        if (!rf_str_eq_nocase(draft->raw, rf_str_of(no[i]))) continue;
        *node = sigma_node_not(item->reader, *node);
        return *node == NULL ? no_memory(item, err) : RF_OK;
    }
    return item_fail(item, "BadValue", "%.*s|exists must be true or false", RF_FMT(item->field));
}

static enum rf_kind make_cidr(struct item *item, const struct draft *draft, struct sigma_atom *atom,
                              struct rf_err *err)
{
    struct ip6 ip;
    atom->text = draft->raw;
    if (ip6_parse(draft->raw, &ip)) return RF_OK;
    return item_fail(item, "BadNetwork",
                     "'%.*s' of %.*s is no network; write it as 10.0.0.0/8 or 2001:db8::/32",
                     RF_FMT(draft->raw), RF_FMT(item->field));
}

static void make_field(const struct item *item, const struct draft *draft, struct sigma_atom *atom)
{
    atom->text = draft->raw;
    atom->cased = item->cased;
    bool both = item->contains || (item->starts && item->ends);
    atom->anchor = both           ? SIGMA_CONTAINS
                   : item->starts ? SIGMA_STARTS
                   : item->ends   ? SIGMA_ENDS
                                  : SIGMA_WHOLE;
}

static enum rf_kind make_atom(struct item *item, const struct draft *draft, bool null,
                              struct sigma_node **out, struct rf_err *err)
{
    struct sigma_node *node = sigma_node_new(item->reader, SIGMA_ATOM);
    struct sigma_atom *atom = rf_arena_new(item->reader->arena, struct sigma_atom, 1);
    if (node == NULL || atom == NULL) return no_memory(item, err);
    *atom = (struct sigma_atom){.test = item->test,
                                .part = item->part,
                                .field = item->field,
                                .line = item->line,
                                .text = draft->raw};
    node->atom = atom;
    *out = node;
    if (null) {
        if (item->test != SIGMA_MATCHES || item->field.len == 0)
            return item_fail(item, "BadValue", "null does not go with this modifier; give a value");
        atom->test = SIGMA_IS_NULL;
        return RF_OK;
    }
    switch (item->test) {
    case SIGMA_MATCHES:
        if (item->part != SIGMA_NO_PART) {
            atom->test = SIGMA_EQUAL;
            return make_number(item, draft, atom, err);
        }
        atom->pattern = draft->pattern;
        atom->pattern.cased = item->cased;
        if (item->field.len == 0 && !pattern_widen(&atom->pattern, true, true, item->reader->arena))
            return no_memory(item, err);
        return RF_OK;
    case SIGMA_REGEX:
        return make_regex(item, draft, atom, err);
    case SIGMA_CIDR:
        return make_cidr(item, draft, atom, err);
    case SIGMA_EXISTS:
        return make_exists(item, draft, out, err);
    case SIGMA_FIELD:
        make_field(item, draft, atom);
        return RF_OK;
    default:
        return make_number(item, draft, atom, err);
    }
}

/* All alternatives of one value: any of them. */
static enum rf_kind make_alternatives(struct item *item, bool null, struct sigma_node **out,
                                      struct rf_err *err)
{
    if (item->drafts->next == NULL) return make_atom(item, item->drafts, null, out, err);
    struct sigma_node *any = sigma_node_new(item->reader, SIGMA_OR), *last = NULL;
    if (any == NULL) return no_memory(item, err);
    for (const struct draft *d = item->drafts; d != NULL; d = d->next) {
        struct sigma_node *child;
        RF_TRY(make_atom(item, d, null, &child, err));
        sigma_node_add(any, &last, child);
    }
    *out = any;
    return RF_OK;
}

/* ---- an item of a map ------------------------------------------------------------------------------------------------------ */

static bool next_modifier(rf_str *rest, rf_str *out)
{
    if (rest->len == 0) return false;
    size_t bar = rf_str_find(*rest, RF_S("|"), 0);
    size_t end = bar == SIZE_MAX ? rest->len : bar;
    *out = rf_str_trim(rf_slice(*rest, 0, end));
    *rest = rf_slice(*rest, RF_MIN(end + 1, rest->len), rest->len);
    return true;
}

static enum rf_kind read_flags(struct item *item, rf_str words, struct rf_err *err)
{
    const struct modifier *modifier;
    while (next_modifier(&words, &item->modifier)) {
        RF_TRY(find_modifier(item, &modifier, err));
        if (modifier->flag != NULL) RF_TRY(modifier->flag(item, err));
    }
    bool keyword = item->test == SIGMA_MATCHES || item->test == SIGMA_REGEX;
    if (item->field.len == 0 && (!keyword || item->part != SIGMA_NO_PART || item->negated))
        return item_fail(item, "BadModifiers",
                         "keywords take contains, all, re, cased and encodings only; name a field");
    return RF_OK;
}

static enum rf_kind read_value(struct item *item, rf_str words, const struct json_node *value,
                               struct sigma_node **out, struct rf_err *err)
{
    struct draft draft = {.raw = value->text};
    const struct modifier *modifier;
    if (value->line > 0) item->line = value->line;
    if (value->type == JSON_T_TRUE || value->type == JSON_T_FALSE)
        draft.raw = value->type == JSON_T_TRUE ? RF_S("true") : RF_S("false");
    if (value->type == JSON_T_OBJECT || value->type == JSON_T_ARRAY)
        return item_fail(item, "BadValue", "a value of %.*s is a %s; write texts or numbers",
                         RF_FMT(item->field), value->type == JSON_T_ARRAY ? "list" : "map");
    struct draft *first = rf_arena_new(item->reader->arena, struct draft, 1);
    if (first == NULL) return no_memory(item, err);
    *first = draft;
    item->drafts = first;
    bool null = value->type == JSON_T_NULL;
    if (item->expand && !null) RF_TRY(expand(item, err));
    if (item->test != SIGMA_MATCHES || null) return make_alternatives(item, null, out, err);
    for (struct draft *d = first; d != NULL; d = d->next) {
        struct rf_err inner;
        enum rf_kind kind = pattern_parse(d->raw, item->reader->arena, &d->pattern, &inner);
        if (kind != RF_OK) return SIGMA_FAIL(err, item->line, kind, inner.code, "%s", inner.text);
    }
    while (next_modifier(&words, &item->modifier)) {
        RF_TRY(find_modifier(item, &modifier, err));
        if (modifier->change == NULL) continue;
        for (struct draft *d = first, *next; d != NULL; d = next) {
            next = d->next; /* those that the change makes are done */
            RF_TRY(modifier->change(item, d, err));
        }
    }
    return make_alternatives(item, false, out, err);
}

enum rf_kind sigma_read_item(struct sigma_reader *r, rf_str key, const struct json_node *value,
                             struct sigma_node **out, struct rf_err *err)
{
    size_t bar = rf_str_find(key, RF_S("|"), 0);
    rf_str words = bar == SIZE_MAX ? (rf_str){NULL, 0} : rf_slice(key, bar + 1, key.len);
    struct item item = {
        .reader = r, .field = bar == SIZE_MAX ? key : rf_slice(key, 0, bar), .line = value->line};
    RF_TRY(read_flags(&item, words, err));
    struct sigma_node *node, *last = NULL;
    if (value->type != JSON_T_ARRAY) {
        RF_TRY(read_value(&item, words, value, &node, err));
    } else {
        if (value->first == NULL)
            return item_fail(&item, "BadValue",
                             "%.*s has an empty list of values; add one or leave the field out",
                             RF_FMT(key));
        node = sigma_node_new(r, item.all ? SIGMA_AND : SIGMA_OR);
        if (node == NULL) return rf_fail_memory(err, r->arena);
        for (const struct json_node *v = value->first; v != NULL; v = v->next) {
            struct sigma_node *child;
            RF_TRY(read_value(&item, words, v, &child, err));
            sigma_node_add(node, &last, child);
        }
    }
    if (item.negated) node = sigma_node_not(r, node);
    if (node == NULL) return rf_fail_memory(err, r->arena);
    *out = node;
    return RF_OK;
}
