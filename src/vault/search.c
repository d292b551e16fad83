/* search.c - the question as it is asked: parameters of a GET, or members of a POST's body, over names, tags, and what else is listed of objects. */
#include <stdio.h>
#include <time.h>

#include "base/encode.h"
#include "vault/search_int.h"

enum { LIST_TEXT_BYTES_MAX = 256 };

static enum rf_kind bad(struct rf_err *err, const char *name, const char *how)
{
    return RF_FAIL(err, RF_INVALID, "InvalidParameter", "Parameter '%s' has an invalid value: %s",
                   name, how);
}

/* ---- small values ------------------------------------------------------------------------------------------------------------ */

static bool read_number(rf_str text, int64_t *out)
{
    int64_t number = 0;
    if (text.len == 0 || text.len > 12) return false;
    for (size_t i = 0; i < text.len; i++) {
        if (!rf_is_digit(text.ptr[i])) return false;
        number = number * 10 + (text.ptr[i] - '0');
    }
    *out = number;
    return true;
}

bool search_time_read(rf_str text, int64_t *out)
{
    struct tm tm = {0};
    char copy[32], end = 0;
    if (read_number(text, out)) return true;
    if (text.len < 10 || text.len >= sizeof copy) return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    int count = sscanf(copy, "%4d-%2d-%2dT%2d:%2d:%2d%c", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
                       &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &end);
    bool is_good = (count == 3 && text.len == 10) || (count == 7 && end == 'Z' && text.len == 20);
    if (!is_good || tm.tm_year < 1970 || tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 ||
        tm.tm_mday > 31 || tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 60)
        return false;
    tm.tm_year -= 1900;
    tm.tm_mon--;
    *out = (int64_t)timegm(&tm);
    return true;
}

enum rf_kind search_days(struct request *request, const char *name, int64_t fallback, int64_t most,
                         int64_t *out, struct rf_err *err)
{
    bool found;
    rf_str text = request_parameter(request, name, &found);
    *out = fallback;
    if (!found || text.len == 0 || (read_number(text, out) && *out <= most)) return RF_OK;
    return RF_FAIL(err, RF_INVALID, "InvalidParameter",
                   "Parameter '%s' has an invalid value: it is a whole number of days from 0 to "
                   "%lld.",
                   name, (long long)most);
}

enum rf_kind search_window(struct request *request, struct search_query *query, struct rf_err *err)
{
    bool found;
    int64_t top = 0;
    if (request_parameter(request, "api-version", NULL).len == 0)
        return RF_FAIL(err, RF_INVALID, "MissingApiVersionParameter",
                       "The api-version query parameter (?api-version=) is required.");
    rf_str text = request_parameter(request, "$top", &found);
    if (found && (!read_number(text, &top) || top < 1 || top > SEARCH_TOP_MAX))
        return RF_FAIL(err, RF_INVALID, "InvalidParameter",
                       "Parameter '$top' has an invalid value: it is a number from 1 to %d.",
                       SEARCH_TOP_MAX);
    if (found) query->top = (uint32_t)top;
    text = request_parameter(request, "$skiptoken", &found);
    if (!found || text.len == 0) return RF_OK;
    struct rf_err inner;
    if (text.len <= 1024 &&
        base64url_decode(request->arena, text, &query->position, &inner) == RF_OK &&
        query->position.len > 0)
        return RF_OK;
    return RF_FAIL(err, RF_INVALID, "InvalidSkipToken",
                   "The $skiptoken query parameter is not one that was given out. Begin without "
                   "it.");
}

/* ---- one by one ------------------------------------------------------------------------------------------------------------------- */

static rf_str lower(struct rf_arena *arena, rf_str text)
{
    uint8_t *out = rf_arena_alloc(arena, text.len);
    for (size_t i = 0; out != NULL && i < text.len; i++) out[i] = rf_lower(text.ptr[i]);
    return out == NULL ? (rf_str){0} : rf_str_make(out, text.len);
}

static enum rf_kind read_words(struct rf_arena *arena, rf_str text, struct search_query *query,
                               struct rf_err *err)
{
    if (text.len > SEARCH_PATTERN_BYTES_MAX) return bad(err, "q", "it is too long.");
    text = lower(arena, text);
    for (size_t at = 0; at < text.len;) {
        size_t blank = rf_str_find(text, RF_S(" "), at);
        size_t end = blank == SIZE_MAX ? text.len : blank;
        if (end > at && query->word_count == SEARCH_WORDS_MAX)
            return bad(err, "q", "it has at most 8 words.");
        if (end > at) query->words[query->word_count++] = rf_slice(text, at, end);
        at = end + 1;
    }
    return RF_OK;
}

static enum rf_kind read_kinds(rf_str text, struct search_query *query, struct rf_err *err)
{
    for (size_t at = 0; at < text.len;) {
        size_t comma = rf_str_find(text, RF_S(","), at);
        size_t end = comma == SIZE_MAX ? text.len : comma;
        rf_str word = rf_str_trim(rf_slice(text, at, end));
        unsigned bit = 0;
        for (int k = SEAL_SECRET; k <= SEAL_CERTIFICATE; k++)
            if (rf_str_eq_nocase(word, rf_str_of(vault_collection((enum seal_kind)k))))
                bit = 1u << k;
        if (bit == 0)
            return bad(err, "kind",
                       "it is secrets, keys, certificates, or several of them with "
                       "commas between.");
        query->kinds |= bit;
        at = end + 1;
    }
    return RF_OK;
}

static enum rf_kind add_tag(rf_str name, rf_str value, struct search_query *query,
                            struct rf_err *err)
{
    if (name.len == 0 || name.len > SEARCH_PATTERN_BYTES_MAX ||
        value.len > SEARCH_PATTERN_BYTES_MAX)
        return bad(err, "tag",
                   "it is NAME or NAME=VALUE, at most 256 bytes each; '*' stands for "
                   "any text.");
    if (query->tag_count == SEARCH_TAGS_MAX) return bad(err, "tag", "at most 8 are possible.");
    query->tags[query->tag_count].name = name;
    query->tags[query->tag_count++].value = value;
    return RF_OK;
}

static enum rf_kind read_tag(rf_str text, struct search_query *query, struct rf_err *err)
{
    size_t sign = rf_str_find(text, RF_S("="), 0);
    if (sign == SIZE_MAX) return add_tag(text, (rf_str){0}, query, err);
    return add_tag(rf_slice(text, 0, sign), rf_slice(text, sign + 1, text.len), query, err);
}

static enum rf_kind read_flag(rf_str text, const char *name, int *out, struct rf_err *err)
{
    if (rf_str_eq_nocase(text, RF_S("true")))
        *out = 1;
    else if (rf_str_eq_nocase(text, RF_S("false")))
        *out = 0;
    else if (rf_str_eq_nocase(text, RF_S("any")))
        *out = -1;
    else if (text.len > 0)
        return bad(err, name, "it is true, false or any.");
    return RF_OK;
}

static enum rf_kind read_order(rf_str text, struct search_query *query, struct rf_err *err)
{
    static const char *const words[] = {"name",    "vault",   "expires",
                                        "updated", "created", "lastRead"};
    rf_str desc = RF_S(" desc");
    if (text.len > desc.len &&
        rf_str_eq_nocase(rf_slice(text, text.len - desc.len, text.len), desc)) {
        query->descending = true;
        text = rf_slice(text, 0, text.len - desc.len);
    }
    for (size_t i = 0; i < RF_COUNT(words); i++)
        if (rf_str_eq_nocase(text, rf_str_of(words[i]))) {
            query->order = (enum search_order)i;
            return RF_OK;
        }
    return bad(err, "orderby",
               "it is name, vault, expires, updated, created or lastRead, and may "
               "end in ' desc'.");
}

static enum rf_kind read_time(rf_str text, const char *name, int64_t *out, struct rf_err *err)
{
    if (text.len == 0 || search_time_read(text, out)) return RF_OK;
    return bad(err, name, "it is seconds since 1970, or as 2026-01-31 or 2026-01-31T12:00:00Z.");
}

static enum rf_kind read_pattern(rf_str text, const char *name, rf_str *out, struct rf_err *err)
{
    if (text.len > SEARCH_PATTERN_BYTES_MAX) return bad(err, name, "it is too long.");
    *out = text;
    return RF_OK;
}

/* False: no such parameter. */
static bool read_one(struct rf_arena *arena, rf_str name, rf_str text, struct search_query *query,
                     enum rf_kind *kind, struct rf_err *err)
{
    if (rf_str_is(name, "q"))
        *kind = read_words(arena, text, query, err);
    else if (rf_str_is(name, "kind"))
        *kind = read_kinds(text, query, err);
    else if (rf_str_is(name, "tag"))
        *kind = read_tag(text, query, err);
    else if (rf_str_is(name, "enabled"))
        *kind = read_flag(text, "enabled", &query->enabled, err);
    else if (rf_str_is(name, "deleted"))
        *kind = read_flag(text, "deleted", &query->deleted, err);
    else if (rf_str_is(name, "contentType"))
        *kind = read_pattern(text, "contentType", &query->content_type, err);
    else if (rf_str_is(name, "vault"))
        *kind = read_pattern(text, "vault", &query->vault, err);
    else if (rf_str_is(name, "expiresAfter"))
        *kind = read_time(text, "expiresAfter", &query->expires_from, err);
    else if (rf_str_is(name, "expiresBefore"))
        *kind = read_time(text, "expiresBefore", &query->expires_to, err);
    else if (rf_str_is(name, "orderby"))
        *kind = read_order(text, query, err);
    else
        return false;
    return true;
}

/* ---- GET and POST --------------------------------------------------------------------------------------------------------------------- */

static enum rf_kind read_parameters(const struct request *request, struct search_query *query,
                                    struct rf_err *err)
{
    for (uint32_t i = 0; i < request->parameter_count; i++) {
        const struct route_variable *p = &request->parameters[i];
        enum rf_kind kind = RF_OK;
        (void)read_one(request->arena, p->name, p->value, query, &kind, err);
        RF_TRY(kind);
    }
    return RF_OK;
}

/* The text of a member: lists with commas between, truth values as words. */
static enum rf_kind text_of(struct rf_arena *arena, const struct json_node *member, rf_str *out,
                            struct rf_err *err)
{
    struct rf_buf buf = rf_buf_in(arena);
    switch (member->type) {
    case JSON_T_STRING:
    case JSON_T_NUMBER:
        *out = member->text;
        return RF_OK;
    case JSON_T_TRUE:
    case JSON_T_FALSE:
        *out = member->type == JSON_T_TRUE ? RF_S("true") : RF_S("false");
        return RF_OK;
    case JSON_T_NULL:
        *out = (rf_str){0};
        return RF_OK;
    case JSON_T_ARRAY:
        for (const struct json_node *n = member->first; n != NULL; n = n->next)
            if (n->type == JSON_T_STRING && buf.len < LIST_TEXT_BYTES_MAX)
                rf_buf_printf(&buf, "%s%.*s", buf.len > 0 ? "," : "", RF_FMT(n->text));
        *out = rf_buf_view(&buf);
        return buf.failed ? rf_fail_memory(err, arena) : RF_OK;
    default:
        return RF_FAIL(err, RF_INVALID, "InvalidParameter",
                       "Member '%.*s' of the body has an invalid value.",
                       (int)RF_MIN(member->name.len, 60), (const char *)member->name.ptr);
    }
}

static enum rf_kind read_tags(const struct json_node *tags, struct search_query *query,
                              struct rf_err *err)
{
    if (tags->type != JSON_T_OBJECT) return bad(err, "tags", "it is an object of texts.");
    for (const struct json_node *t = tags->first; t != NULL; t = t->next)
        RF_TRY(add_tag(t->name, t->type == JSON_T_STRING ? t->text : (rf_str){0}, query, err));
    return RF_OK;
}

static enum rf_kind read_body(struct request *request, struct search_query *query,
                              struct rf_err *err)
{
    struct json_node *body;
    RF_TRY(request_json(request, true, &body, err));
    if (body == NULL) return RF_OK;
    if (body->type != JSON_T_OBJECT) return bad(err, "body", "it is an object.");
    for (const struct json_node *m = body->first; m != NULL; m = m->next) {
        enum rf_kind kind = RF_OK;
        rf_str text = {0};
        if (rf_str_is(m->name, "tags")) {
            RF_TRY(read_tags(m, query, err));
            continue;
        }
        RF_TRY(text_of(request->arena, m, &text, err));
        if (!read_one(request->arena, m->name, text, query, &kind, err))
            return RF_FAIL(err, RF_INVALID, "InvalidParameter",
                           "The body has a member '%.*s' that search does not know.",
                           (int)RF_MIN(m->name.len, 60), (const char *)m->name.ptr);
        RF_TRY(kind);
    }
    return RF_OK;
}

enum rf_kind search_read(struct request *request, struct search_query *out, struct rf_err *err)
{
    *out = (struct search_query){.enabled = -1, .top = SEARCH_TOP_DEFAULT};
    RF_TRY(search_window(request, out, err));
    RF_TRY(read_parameters(request, out, err));
    return request->http->method == HTTP_POST ? read_body(request, out, err) : RF_OK;
}

enum rf_kind vault_run_search(struct request *request, struct rf_err *err)
{
    struct search_run run;
    struct search_query query;
    RF_TRY(search_read(request, &query, err));
    RF_TRY(search_begin(request, &run, err));
    return search_answer(&run, &query, err);
}
