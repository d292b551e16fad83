/* content_check.c - checks of documents that are much alike: members, their types and their values. */
#include "base/encode.h"
#include "siem/content_int.h"

#define BAD(err, ...) RF_FAIL(err, RF_INVALID, "BadRequest", __VA_ARGS__)

/* "contentId, one of these: a, b". */
static enum rf_kind bad_word(const char *what, const char *const *values, struct rf_err *err)
{
    char text[700];
    size_t len = 0;
    text[0] = 0;
    for (const char *const *value = values; *value != NULL; value++) {
        size_t more = strlen(*value);
        if (len + more + 3 > sizeof text) break;
        if (len > 0) {
            memcpy(text + len, ", ", 2);
            len += 2;
        }
        memcpy(text + len, *value, more + 1);
        len += more;
    }
    return BAD(err, "'%s' is one of these: %s.", what, text);
}

enum rf_kind content_check_word(const struct json_node *node, const char *const *values,
                                const char *what, struct rf_err *err)
{
    for (const char *const *value = values; json_is(node, JSON_T_STRING) && *value != NULL; value++)
        if (rf_str_eq_nocase(node->text, rf_str_of(*value))) return RF_OK;
    return bad_word(what, values, err);
}

static bool is_version(rf_str text)
{
    if (text.len == 0 || text.len > 40 || !rf_is_digit(text.ptr[0])) return false;
    for (size_t i = 0; i < text.len; i++)
        if (!rf_is_alnum(text.ptr[i]) && text.ptr[i] != '.' && text.ptr[i] != '-') return false;
    return true;
}

static enum rf_kind check_text(const struct json_node *node, const struct member *member,
                               struct rf_err *err)
{
    if (node->type != JSON_T_STRING) return BAD(err, "'%s' is not a text.", member->path);
    if (member->required && node->text.len == 0)
        return BAD(err, "'%s' is empty, and it is needed.", member->path);
    if (member->most > 0 && rf_utf8_count(node->text) > (size_t)member->most)
        return BAD(err, "'%s' has more than %d characters.", member->path, (int)member->most);
    return member->values == NULL ? RF_OK
                                  : content_check_word(node, member->values, member->path, err);
}

static enum rf_kind check_list(const struct json_node *node, const struct member *member,
                               struct rf_err *err)
{
    if (node->type != JSON_T_ARRAY) return BAD(err, "'%s' is not an array.", member->path);
    if (member->required && node->count == 0) return BAD(err, "'%s' is empty.", member->path);
    if (member->most > 0 && node->count > (uint32_t)member->most)
        return BAD(err, "'%s' has more than %d values.", member->path, (int)member->most);
    for (const struct json_node *item = node->first; item != NULL && member->values != NULL;
         item = item->next)
        RF_TRY(content_check_word(item, member->values, member->path, err));
    return RF_OK;
}

static enum rf_kind check_member(const struct json_node *document, const struct json_node *node,
                                 const struct member *member, struct rf_err *err)
{
    int64_t number;
    rf_usec time;
    switch (member->type) {
    case MEMBER_TEXT:
        return check_text(node, member, err);
    case MEMBER_TRUTH:
        if (node->type == JSON_T_TRUE || node->type == JSON_T_FALSE) return RF_OK;
        return BAD(err, "'%s' is not true or false.", member->path);
    case MEMBER_WHOLE:
        if (json_i64_at(document, member->path, &number) && number >= member->least &&
            number <= member->most)
            return RF_OK;
        return BAD(err, "'%s' is not a whole number from %lld to %lld.", member->path,
                   (long long)member->least, (long long)member->most);
    case MEMBER_LIST:
        return check_list(node, member, err);
    case MEMBER_OBJECT:
        if (node->type == JSON_T_OBJECT) return RF_OK;
        return BAD(err, "'%s' is not an object.", member->path);
    case MEMBER_TIME:
        if (node->type == JSON_T_STRING && time_parse_iso(node->text, &time)) return RF_OK;
        return BAD(err, "'%s' is not a time such as 2026-01-31T10:00:00Z.", member->path);
    default:
        if (node->type == JSON_T_STRING && is_version(node->text)) return RF_OK;
        return BAD(err, "'%s' is not a version such as 1.0.2.", member->path);
    }
}

enum rf_kind content_check(const struct json_node *document, const struct member *members,
                           struct rf_err *err)
{
    for (const struct member *member = members; member->path != NULL; member++) {
        const struct json_node *node = json_at(document, member->path);
        if (node != NULL && node->type != JSON_T_NULL)
            RF_TRY(check_member(document, node, member, err));
        else if (member->required)
            return BAD(err, "'%s' is needed.", member->path);
    }
    return RF_OK;
}

/* The number that begins at *at, which moves behind it and the dot. */
static uint64_t next_number(rf_str text, size_t *at)
{
    uint64_t number = 0;
    while (*at < text.len && text.ptr[*at] != '.') {
        if (rf_is_digit(text.ptr[*at]) && number < UINT64_MAX / 100)
            number = number * 10 + (uint64_t)(text.ptr[*at] - '0');
        ++*at;
    }
    if (*at < text.len) ++*at;
    return number;
}

int content_version_cmp(rf_str a, rf_str b)
{
    size_t at_a = 0, at_b = 0;
    while (at_a < a.len || at_b < b.len) {
        uint64_t one = next_number(a, &at_a), other = next_number(b, &at_b);
        if (one != other) return one < other ? -1 : 1;
    }
    return 0;
}

enum rf_kind content_workspace(struct arm_call *call, rf_str id, rf_str *workspace,
                               struct rf_err *err)
{
    struct resource_id own, scope;
    RF_TRY(resource_id_parse(id, call->arena, &own, err));
    RF_TRY(resource_id_parse(own.scope, call->arena, &scope, err));
    *workspace = own.scope;
    if (rf_str_eq_nocase(scope.type, RF_S("Microsoft.OperationalInsights/workspaces")))
        return RF_OK;
    return BAD(err, "It stands on a workspace, not on %.*s.", RF_FMT(own.scope));
}
