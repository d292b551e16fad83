#include "vault/call_int.h"

#include "test/rf_prop.h"

static enum rf_kind nothing(struct vault_call *call, struct rf_err *err)
{
    (void)call, (void)err;
    return RF_OK;
}
#define OPERATION(m, p)                                                                            \
    {                                                                                              \
        .method = HTTP_##m, .path = p, .audit = #m " " p, .run = nothing                           \
    }
static const struct vault_operation secrets[] = {
    OPERATION(GET, "secrets"),          OPERATION(GET, "secrets/{name}/{version}"),
    OPERATION(PUT, "secrets/{name}"),   OPERATION(GET, "secrets/{name}/versions"),
    OPERATION(POST, "secrets/restore"), OPERATION(POST, "secrets/{name}/backup"),
};
static const struct vault_operation others[] = {
    OPERATION(POST, "keys/{name}/{version}/sign"),
    OPERATION(GET, "keys/{name}/{version}"),
    OPERATION(GET, "certificates/{name}/{version}"),
    OPERATION(GET, "certificates/issuers/{issuer}"),
    OPERATION(GET, "certificates/issuers"),
    OPERATION(POST, "rng"),
};
static const struct vault_table tables[] = {{secrets, RF_COUNT(secrets)},
                                            {others, RF_COUNT(others)}};
#define V "0123456789abcdef0123456789abcdef"

static struct vault_match match(struct rf_arena *arena, enum http_method method, const char *path,
                                enum rf_kind wanted)
{
    struct vault_match found;
    struct rf_err err;
    enum rf_kind kind =
        vault_match_path(tables, RF_COUNT(tables), method, rf_str_of(path), arena, &found, &err);
    cr_assert(kind == wanted, "%s: %d", path, kind);
    return found;
}

Test(vault_match, paths_as_clients_send_them)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    static const struct {
        enum http_method method;
        const char *path, *operation, *name, *version;
    } rows[] = {
        {HTTP_GET, "/secrets", "GET secrets", "", ""},
        {HTTP_GET, "/secrets/", "GET secrets", "", ""},
        {HTTP_GET, "//Secrets", "GET secrets", "", ""},
        {HTTP_GET, "/secrets/foo", "GET secrets/{name}/{version}", "foo", ""},
        {HTTP_GET, "/secrets/foo/", "GET secrets/{name}/{version}", "foo", ""},
        {HTTP_GET, "/secrets/Foo-1/" V, "GET secrets/{name}/{version}", "Foo-1", V},
        {HTTP_GET, "/secrets/foo/" V "/", "GET secrets/{name}/{version}", "foo", V},
        {HTTP_GET, "/secrets/%66oo/", "GET secrets/{name}/{version}", "foo", ""},
        {HTTP_GET, "/secrets/foo/versions", "GET secrets/{name}/versions", "foo", ""},
        {HTTP_PUT, "/secrets/foo", "PUT secrets/{name}", "foo", ""},
        {HTTP_PUT, "/secrets/foo/", "PUT secrets/{name}", "foo", ""},
        {HTTP_POST, "/secrets/restore", "POST secrets/restore", "", ""},
        {HTTP_POST, "/secrets/restore/backup", "POST secrets/{name}/backup", "restore", ""},
        {HTTP_POST, "/keys/foo//sign", "POST keys/{name}/{version}/sign", "foo", ""},
        {HTTP_POST, "/keys/foo/sign", "POST keys/{name}/{version}/sign", "foo", ""},
        {HTTP_POST, "/keys/foo/" V "/sign", "POST keys/{name}/{version}/sign", "foo", V},
        {HTTP_GET, "/certificates/issuers", "GET certificates/issuers", "", ""},
        {HTTP_GET, "/certificates/issuers/ca", "GET certificates/issuers/{issuer}", "ca", ""},
        {HTTP_GET, "/certificates/ca/", "GET certificates/{name}/{version}", "ca", ""},
        {HTTP_POST, "/rng", "POST rng", "", ""},
    };
    for (size_t i = 0; i < RF_COUNT(rows); i++) {
        struct vault_match found = match(&arena, rows[i].method, rows[i].path, RF_OK);
        cr_assert(found.operation != NULL, "%s", rows[i].path);
        cr_expect_str_eq(found.operation->audit, rows[i].operation, "%s", rows[i].path);
        cr_expect(rf_str_is(found.name, rows[i].name), "%s", rows[i].path);
        cr_expect(rf_str_is(found.version, rows[i].version), "%s", rows[i].path);
    }
}

Test(vault_match, what_nothing_answers)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    static const char *const none[] = {"",
                                       "/",
                                       "//",
                                       "/nothing",
                                       "/secrets//",
                                       "/secrets//foo",
                                       "/secrets/foo/" V "//",
                                       "/keys",
                                       "/keys/foo/" V "/sign/more",
                                       "/secretsx/foo",
                                       "/s%65crets/foo",
                                       "/keys/foo///sign",
                                       "/a/b/c/d/e/f/g/h/i/j"};
    for (size_t i = 0; i < RF_COUNT(none); i++) {
        struct vault_match found = match(&arena, HTTP_GET, none[i], RF_OK);
        cr_expect(found.operation == NULL && found.methods == 0, "%s", none[i]);
    }
}

Test(vault_match, methods_that_a_path_has)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    static const struct {
        enum http_method method;
        const char *path;
        unsigned methods;
    } rows[] = {
        {HTTP_DELETE, "/secrets/foo", 1u << HTTP_GET | 1u << HTTP_PUT},
        {HTTP_DELETE, "/secrets", 1u << HTTP_GET},
        {HTTP_HEAD, "/secrets", 1u << HTTP_GET},
        {HTTP_PUT, "/secrets/restore", 1u << HTTP_POST}, /* no secret's name */
        {HTTP_GET, "/secrets/restore", 1u << HTTP_POST},
        {HTTP_GET, "/keys/foo/sign", 1u << HTTP_POST},
    };
    for (size_t i = 0; i < RF_COUNT(rows); i++) {
        struct vault_match found = match(&arena, rows[i].method, rows[i].path, RF_OK);
        cr_expect(found.operation == NULL && found.methods == rows[i].methods, "%s: %x",
                  rows[i].path, found.methods);
    }
}

Test(vault_match, names_and_versions_that_could_be_none)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    static const char *const bad[] = {"/secrets/a_b",       "/secrets/a.b/",    "/secrets/a%2fb",
                                      "/secrets/..",        "/secrets/a%00",    "/secrets/a%zz",
                                      "/secrets/\xc3\xa4/", "/secrets/a%20b",   "/secrets/foo/1",
                                      "/secrets/foo/../",   "/secrets/f/" V "0"};
    for (size_t i = 0; i < RF_COUNT(bad); i++) (void)match(&arena, HTTP_GET, bad[i], RF_INVALID);
    char path[160] = "/secrets/";
    memset(path + 9, 'a', 128);
    (void)match(&arena, HTTP_GET, path, RF_INVALID);
    path[9 + 127] = '\0';
    cr_expect(match(&arena, HTTP_GET, path, RF_OK).name.len == 127);
}

/* ---- bodies ----------------------------------------------------------------------------------------------------- */

Test(vault_match, bodies)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    static const struct {
        const char *text;
        bool good;
    } rows[] = {
        {"", true},
        {"{}", true},
        {" {\"a\":1}\r\n", true},
        {"\xef\xbb\xbf{\"a\":1}", true},
        {"{\"a\":\"\\ud83d\\ude00\"}", true},
        {"{\"a\":\"\\\\ud800\"}", true},
        {"{\"a\":\"\\\\\\\\ud800\"}", true},
        {"{\"a\":\"\\\\\\ud83d\\ude00\"}", true},
        {"{\"a\":\"[[[[\"}", true},
        {"{\"a\":\"\\ud800\"}", false},
        {"{\"a\":\"\\udc00\"}", false},
        {"{\"a\":\"\\udc00\\ud800\"}", false},
        {"{\"a\":\"\\ud800\\ud800\"}", false},
        {"{\"a\":\"\\ud800\\n\"}", false},
        {"{\"a\":\"\\ud800x\"}", false},
        {"{\"a\":\"\\\\\\ud800\"}", false},
        {"{\"\\uD800\":1}", false},
        {"{\"a\":\"\xed\xa0\x80\"}", false},
        {"{\"a\":\"\xff\"}", false},
        {"{\"a\":1,\"a\":1}", false},
        {"{\"a\":1,\"\\u0061\":1}", false},
        {"{\"a\":{\"b\":1,\"b\":2}}", false},
        {"{} x", false},
        {"{}{}", false},
        {"{", false},
        {" ", false},
        {"[]", false},
        {"null", false},
        {"\"x\"", false},
        {"{'a':1}", false},
        {"{\"a\":01}", false},
        {"{\"a\":NaN}", false},
        {"{\"a\":1,}", false},
        {"{\"a\":\"\n\"}", false},
    };
    for (size_t i = 0; i < RF_COUNT(rows); i++) {
        struct json_node *body = NULL;
        struct rf_err err = {.kind = RF_OK};
        enum rf_kind kind = vault_read_body(rf_str_of(rows[i].text), &arena, &body, &err);
        cr_expect(kind == (rows[i].good ? RF_OK : RF_INVALID), "%s: %d %s", rows[i].text, kind,
                  err.text);
        cr_expect(!rows[i].good || json_is(body, JSON_T_OBJECT), "%s", rows[i].text);
        if (!rows[i].good) cr_expect_str_eq(err.code, "BadParameter");
    }
}

Test(vault_match, bodies_nest_64_levels)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    for (int depth = 63; depth <= 66; depth++) {
        char text[256] = "{\"a\":";
        size_t len = 5;
        for (int i = 1; i < depth; i++) text[len++] = '[';
        for (int i = 1; i < depth; i++) text[len++] = ']';
        text[len++] = '}';
        struct json_node *body;
        struct rf_err err;
        enum rf_kind kind = vault_read_body(rf_str_make(text, len), &arena, &body, &err);
        cr_expect(kind == (depth <= 64 ? RF_OK : RF_INVALID), "%d: %d", depth, kind);
    }
}
