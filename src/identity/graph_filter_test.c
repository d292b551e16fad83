#include "identity/graph_filter_int.h"
#include "test/rf_prop.h"

static const char document[] =
    "{\"id\":\"11111111-2222-3333-4444-555555555555\",\"displayName\":\"Zoe's app\",\"n\":7,"
    "\"accountEnabled\":true,\"mail\":null,\"uris\":[\"api://x\",\"https://y.example\"],"
    "\"keys\":[{\"keyId\":\"aaaaaaaa-2222-3333-4444-555555555555\",\"use\":{\"a\":1}},{}],"
    "\"createdDateTime\":\"2026-01-31T12:00:00Z\",\"web\":{\"url\":\"https://a\"},\"none\":[]}";

static enum rf_kind parse(rf_str text, struct rf_arena *arena, struct filter **filter,
                          struct rf_err *err)
{
    return filter_parse(text, arena, filter, err);
}

Test(graph_filter, matches)
{
    static const struct {
        const char *filter;
        bool match;
    } rows[] = {
        {"displayName eq 'Zoe''s app'", true},
        {"displayName eq 'zoe''S APP'", true},
        {"displayName ne 'Zoe''s app'", false},
        {"displayname eq 'Zoe''s app'", true},
        {"startswith(displayName,'zoe')", true},
        {"startswith(displayName, 'app')", false},
        {"endswith(displayName,'app')", true},
        {"contains(displayName,'''s')", true},
        {"contains(mail,'a')", false},
        {"mail eq null", true},
        {"mail ne null", false},
        {"absent eq null", true},
        {"absent ne 'x'", true},
        {"absent eq 'x'", false},
        {"n eq 7", true},
        {"n gt 6 and n lt 8", true},
        {"n ge 7.5 or n le 6", false},
        {"accountEnabled eq true", true},
        {"accountEnabled eq false", false},
        {"accountEnabled eq 'true'", false},
        {"not accountEnabled eq true", false},
        {"not not (accountEnabled eq true)", true},
        {"id eq 11111111-2222-3333-4444-555555555555", true},
        {"id in ('x','11111111-2222-3333-4444-555555555555')", true},
        {"id in ('x', 'y')", false},
        {"uris/any(u:u eq 'api://X')", true},
        {"uris/any(u:startswith(u,'https://'))", true},
        {"uris/any(u:u eq 'z')", false},
        {"uris/any()", true},
        {"none/any()", false},
        {"uris/all(u:contains(u,'://'))", true},
        {"uris/all(u:startswith(u,'api'))", false},
        {"keys/any(k:k/keyId eq aaaaaaaa-2222-3333-4444-555555555555)", true},
        {"keys/any(k:k/use/a eq 1)", true},
        {"keys/any(k:k/keyId eq 'b' or displayName eq 'Zoe''s app')", true},
        {"createdDateTime ge 2026-01-31T00:00:00Z", true},
        {"createdDateTime lt 2026-01-31T13:00:00+01:00", false},
        {"createdDateTime le 2026-01-31T13:00:00+01:00", true},
        {"web/url eq 'https://a'", true},
        {"n eq 1 or n eq 2 or n eq 7 and accountEnabled eq true", true},
        {"(n eq 7 or n eq 1) and accountEnabled eq false", false},
    };
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    struct json_node *doc;
    struct rf_err err;
    cr_assert(json_parse(rf_str_of(document), &arena, &doc, &err) == RF_OK);
    for (size_t i = 0; i < RF_COUNT(rows); i++) {
        struct filter *filter;
        cr_assert(parse(rf_str_of(rows[i].filter), &arena, &filter, &err) == RF_OK, "%s: %s",
                  rows[i].filter, err.text);
        cr_assert(filter_match(filter, doc) == rows[i].match, "%s", rows[i].filter);
    }
}

Test(graph_filter, refuses)
{
    static const char *const rows[] = {
        "",
        "displayName",
        "displayName eq",
        "eq 'x'",
        "displayName eq 'x",
        "displayName eq x",
        "displayName is 'x'",
        "(displayName eq 'x'",
        "displayName eq 'x')",
        "a eq 1 and",
        "a eq 1 b eq 2",
        "startswith(a)",
        "startswith(a,'b'",
        "id in ()",
        "id in ('a'",
        "a/any(u)",
        "a/any(u:u eq 'x'",
        "a/all()",
        "a/b/c/d/e eq 1",
        "1 eq 1",
        "~mac eq 'x'",
        "a eq 99999999999999999999",
        "not",
        "a//b eq 1",
        "a/ eq 1",
    };
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < RF_COUNT(rows); i++) {
        struct filter *filter;
        struct rf_err err;
        cr_assert(parse(rf_str_of(rows[i]), &arena, &filter, &err) == RF_INVALID, "%s", rows[i]);
        cr_assert(strcmp(err.code, "Request_BadRequest") == 0);
    }
}

/* As deep as the limit is fine; one deeper is not. As many parts, likewise. */
Test(graph_filter, limits)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 8 << 20);
    struct filter *filter;
    struct rf_err err;
    for (int depth = FILTER_DEPTH_MAX - 1; depth <= FILTER_DEPTH_MAX; depth++) {
        struct rf_buf buf = rf_buf_in(&arena);
        for (int i = 0; i < depth; i++) rf_buf_byte(&buf, '(');
        rf_buf_str(&buf, RF_S("a eq 1"));
        for (int i = 0; i < depth; i++) rf_buf_byte(&buf, ')');
        cr_assert((parse(rf_buf_view(&buf), &arena, &filter, &err) == RF_OK) ==
                  (depth < FILTER_DEPTH_MAX));
    }
    for (int parts = FILTER_NODES_MAX - 1; parts <= FILTER_NODES_MAX; parts++) {
        struct rf_buf buf = rf_buf_in(&arena);
        for (int i = 0; i < parts; i++) rf_buf_printf(&buf, "%sa eq 1", i == 0 ? "" : " or ");
        cr_assert((parse(rf_buf_view(&buf), &arena, &filter, &err) == RF_OK) ==
                  (parts < FILTER_NODES_MAX));
    }
}

static bool is_name(const void *ctx, rf_str member)
{
    (void)ctx;
    return rf_str_is(member, "displayName") || rf_str_is(member, "uris");
}

Test(graph_filter, names_and_indexes)
{
    static const struct {
        const char *filter, *member, *value;
        bool known;
    } rows[] = {
        {"displayName eq 'a'", "displayName", "a", true},
        {"displayName eq 'a' and startswith(displayName,'b')", "displayName", "a", true},
        {"uris/any(u:u eq 'c')", "uris", "c", true},
        {"uris/any(u:u ne 'c')", NULL, NULL, true},
        {"displayName eq 'a' or displayName eq 'b'", NULL, NULL, true},
        {"not displayName eq 'a'", NULL, NULL, true},
        {"displayName ne 'a'", NULL, NULL, true},
        {"other eq 'a'", NULL, NULL, false},
        {"uris/any(u:other eq 'c')", NULL, NULL, false},
        {"uris/all(u:u eq 'c')", NULL, NULL, true},
    };
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < RF_COUNT(rows); i++) {
        struct filter *filter;
        struct rf_err err;
        rf_str member, value;
        cr_assert(parse(rf_str_of(rows[i].filter), &arena, &filter, &err) == RF_OK);
        cr_assert((filter_check(filter, is_name, NULL, "user", &err) == RF_OK) == rows[i].known,
                  "%s", rows[i].filter);
        bool needs = filter_needs(filter, is_name, NULL, &member, &value);
        cr_assert(needs == (rows[i].member != NULL), "%s", rows[i].filter);
        if (needs) cr_assert(rf_str_is(member, rows[i].member) && rf_str_is(value, rows[i].value));
    }
}

/* Property: a condition and its negation never agree, whatever it is made of. */
RF_PROP(graph_filter_not_negates, 2000)
{
    static const char *const parts[] = {"displayName eq 'x'",     "n gt 3",
                                        "mail eq null",           "uris/any(u:u eq 'api://x')",
                                        "accountEnabled eq true", "startswith(displayName,'Z')"};
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 4 << 20);
    struct rf_buf buf = rf_buf_in(&arena);
    size_t count = 1 + rf_test_below(prng, 6);
    for (size_t i = 0; i < count; i++) {
        if (i > 0) rf_buf_str(&buf, rf_test_bool(prng) ? RF_S(" and ") : RF_S(" or "));
        if (rf_test_bool(prng)) rf_buf_str(&buf, RF_S("not "));
        rf_buf_printf(&buf, "%s", parts[rf_test_below(prng, RF_COUNT(parts))]);
    }
    rf_str plain = rf_buf_view(&buf);
    rf_str negated = rf_arena_printf(&arena, "not (%.*s)", RF_FMT(plain));
    struct filter *a, *b;
    struct json_node *doc;
    struct rf_err err;
    cr_assert(json_parse(rf_str_of(document), &arena, &doc, &err) == RF_OK);
    cr_assert(filter_parse(plain, &arena, &a, &err) == RF_OK, "%s", err.text);
    cr_assert(filter_parse(negated, &arena, &b, &err) == RF_OK, "%s", err.text);
    cr_assert(filter_match(a, doc) != filter_match(b, doc));
}
