#include "authz/rbac_int.h"

struct cursor {
    rf_str text;
    size_t at;
    struct rf_arena *arena;
    struct rf_err *err;
};

static enum rf_kind bad(const struct cursor *cursor)
{
    return RF_FAIL(cursor->err, RF_INVALID, "InvalidFilter",
                   "The filter '%.*s' is not supported here (at character %zu).",
                   (int)RF_MIN(cursor->text.len, 300), (const char *)cursor->text.ptr,
                   cursor->at + 1);
}

static void skip_blanks(struct cursor *cursor)
{
    while (cursor->at < cursor->text.len && rf_is_space(cursor->text.ptr[cursor->at])) cursor->at++;
}

static bool take(struct cursor *cursor, char sign)
{
    skip_blanks(cursor);
    if (cursor->at == cursor->text.len || cursor->text.ptr[cursor->at] != (uint8_t)sign)
        return false;
    cursor->at++;
    return true;
}

static rf_str take_word(struct cursor *cursor)
{
    skip_blanks(cursor);
    size_t from = cursor->at;
    while (cursor->at < cursor->text.len &&
           (rf_is_alnum(cursor->text.ptr[cursor->at]) || cursor->text.ptr[cursor->at] == '-'))
        cursor->at++;
    return rf_slice(cursor->text, from, cursor->at);
}

/* 'text' with '' for a quote, or a bare word: some clients leave the quotes off. */
static enum rf_kind take_value(struct cursor *cursor, rf_str *out)
{
    if (!take(cursor, '\'')) {
        *out = take_word(cursor);
        return out->len > 0 ? RF_OK : bad(cursor);
    }
    struct rf_buf buf = rf_buf_in(cursor->arena);
    for (; cursor->at < cursor->text.len; cursor->at++) {
        uint8_t c = cursor->text.ptr[cursor->at];
        if (c == '\'') {
            bool doubled =
                cursor->at + 1 < cursor->text.len && cursor->text.ptr[cursor->at + 1] == '\'';
            cursor->at++;
            if (!doubled) {
                *out = rf_buf_view(&buf);
                return buf.failed ? rf_fail_memory(cursor->err, cursor->arena) : RF_OK;
            }
        }
        rf_buf_byte(&buf, c);
    }
    return bad(cursor);
}

/* Whether the term is among `names`: functions end in "()" there. */
static bool is_known(const struct rbac_term *term, const char *const *names)
{
    for (; *names != NULL; names++) {
        rf_str name = rf_str_of(*names);
        bool is_function = rf_str_ends(name, RF_S("()"));
        if (is_function) name.len -= 2;
        if (is_function == term->is_function && rf_str_eq_nocase(name, term->name)) return true;
    }
    return false;
}

static enum rf_kind take_term(struct cursor *cursor, struct rbac_term *out)
{
    *out = (struct rbac_term){.name = take_word(cursor)};
    if (out->name.len == 0) return bad(cursor);
    if (take(cursor, '(')) {
        out->is_function = true;
        if (take(cursor, ')')) return RF_OK;
        RF_TRY(take_value(cursor, &out->value));
        return take(cursor, ')') ? RF_OK : bad(cursor);
    }
    if (!rf_str_eq_nocase(take_word(cursor), RF_S("eq"))) return bad(cursor);
    return take_value(cursor, &out->value);
}

enum rf_kind rbac_filter_parse(rf_str text, const char *const *names, struct rf_arena *arena,
                               struct rbac_filter *out, struct rf_err *err)
{
    struct cursor cursor = {.text = text, .arena = arena, .err = err};
    struct rbac_filter filter = {.count = 0};
    skip_blanks(&cursor);
    while (cursor.at < text.len) {
        if (filter.count == FILTER_TERMS_MAX) return bad(&cursor);
        struct rbac_term *term = &filter.terms[filter.count++];
        RF_TRY(take_term(&cursor, term));
        if (!is_known(term, names)) return bad(&cursor);
        skip_blanks(&cursor);
        if (cursor.at == text.len) break;
        if (!rf_str_eq_nocase(take_word(&cursor), RF_S("and"))) return bad(&cursor);
        skip_blanks(&cursor);
        if (cursor.at == text.len) return bad(&cursor);
    }
    *out = filter;
    return RF_OK;
}

const struct rbac_term *rbac_filter_term(const struct rbac_filter *filter, const char *name)
{
    for (uint32_t i = 0; i < filter->count; i++)
        if (rf_str_eq_nocase(filter->terms[i].name, rf_str_of(name))) return &filter->terms[i];
    return NULL;
}
