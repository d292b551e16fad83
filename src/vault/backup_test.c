#include "vault/vault_world.h"

#include "vault/store_int.h"

#define S "/secrets/"
#define D "/deletedsecrets/"

static rf_str version_of(struct vault_world *w)
{
    rf_str id = json_text_at(w->answer, "id");
    cr_assert(id.len > 32);
    return rf_slice(id, id.len - 32, id.len);
}

static rf_str back_up(struct vault_world *w, const char *name)
{
    rf_str target = rf_arena_printf(&w->site.arena, S "%s/backup", name), out;
    v_expect(w, "POST", rf_arena_cstr(&w->site.arena, target), NULL, 200);
    cr_assert(base64url_decode(&w->site.arena, json_text_at(w->answer, "value"), &out, &w->err) ==
              RF_OK);
    return out;
}

static int restore(struct vault_world *w, rf_str blob)
{
    struct rf_arena *arena = &w->site.arena;
    rf_str body =
        rf_arena_printf(arena, "{\"value\":\"%.*s\"}", RF_FMT(base64url_encode(arena, blob)));
    return v_call(w, "POST", "/secrets/restore", rf_arena_cstr(arena, body));
}

static void purge(struct vault_world *w, const char *name)
{
    struct rf_arena *arena = &w->site.arena;
    v_expect(w, "DELETE", rf_arena_cstr(arena, rf_arena_printf(arena, S "%s", name)), NULL, 200);
    v_expect(w, "DELETE", rf_arena_cstr(arena, rf_arena_printf(arena, D "%s", name)), NULL, 204);
}

static void refused(struct vault_world *w, rf_str blob, const char *what)
{
    int status = restore(w, blob);
    cr_assert(status == 400, "%s: %d", what, status);
    v_expect_text(w, "error.code", "BadParameter");
}

/* ---- there and back ------------------------------------------------------------------------------------------------------ */

Test(vault_backup, brings_everything_back)
{
    struct vault_world w;
    v_init(&w);
    v_expect(&w, "PUT", S "Foo",
             "{\"value\":\"one-one-one\",\"contentType\":\"c\",\"tags\":{\"t\":\"1\"},"
             "\"attributes\":{\"nbf\":5,\"exp\":2000000000}}",
             200);
    rf_str first = version_of(&w);
    v_expect(&w, "PUT", S "foo", "{\"value\":\"x\",\"attributes\":{\"enabled\":false}}", 200);
    rf_str second = version_of(&w);
    v_expect(&w, "PUT", S "foo", "{\"value\":\"two\"}", 200);
    rf_str third = version_of(&w);
    /* Later generations of a head must come through as well. */
    v_expect(&w, "PATCH", S "foo", "{\"attributes\":{\"exp\":1900000000}}", 200);
    v_expect(&w, "PATCH", S "foo", "{\"attributes\":{\"exp\":1900000001}}", 200);
    v_expect(&w, "GET", S "foo", NULL, 200);
    rf_str blob = back_up(&w, "foo");
    cr_assert(rf_str_find(blob, RF_S("one-one-one"), 0) == SIZE_MAX);
    cr_assert(rf_str_find(blob, RF_S("Foo"), 0) == SIZE_MAX);
    cr_assert(restore(&w, blob) == 409);
    v_expect_text(&w, "error.innererror.code", "");
    v_expect(&w, "DELETE", S "foo", NULL, 200);
    cr_assert(restore(&w, blob) == 409);
    v_expect_text(&w, "error.innererror.code", "ObjectIsDeletedButRecoverable");
    v_expect(&w, "DELETE", D "foo", NULL, 204);
    cr_assert(restore(&w, blob) == 200);
    cr_assert(rf_str_eq(version_of(&w), third) && json_get(w.answer, "value") == NULL);
    cr_assert(rf_str_find(json_text_at(w.answer, "id"), RF_S("/secrets/Foo/"), 0) != SIZE_MAX);
    v_expect(&w, "GET", S "foo", NULL, 200);
    v_expect_text(&w, "value", "two");
    rf_str target = rf_arena_printf(&w.site.arena, S "foo/%.*s", RF_FMT(first));
    v_expect(&w, "GET", rf_arena_cstr(&w.site.arena, target), NULL, 200);
    v_expect_text(&w, "value", "one-one-one");
    v_expect_text(&w, "contentType", "c");
    v_expect_text(&w, "tags.t", "1");
    int64_t time;
    cr_assert(json_i64_at(w.answer, "attributes.exp", &time) && time == 2000000000);
    cr_assert(json_i64_at(w.answer, "attributes.created", &time) && time == WALK_NOW);
    target = rf_arena_printf(&w.site.arena, S "foo/%.*s", RF_FMT(second));
    v_expect(&w, "GET", rf_arena_cstr(&w.site.arena, target), NULL, 403);
    /* It is a secret like any other again, and can be purged and restored anew. */
    v_expect(&w, "PATCH", S "foo", "{\"attributes\":{\"exp\":1900000002}}", 200);
    v_expect(&w, "PUT", S "foo", "{\"value\":\"three\"}", 200);
    v_expect(&w, "GET", S "foo/versions", NULL, 200);
    cr_assert(json_get(w.answer, "value")->count == 4);
    purge(&w, "foo");
    cr_assert(restore(&w, blob) == 200);
    v_expect(&w, "GET", S "foo", NULL, 200);
    v_expect_text(&w, "value", "two");
    v_done(&w);
}

Test(vault_backup, goes_to_another_vault_of_the_tenant)
{
    struct vault_world w;
    v_init(&w);
    v_vault(&w, "second", "\"enableRbacAuthorization\":true");
    v_assign(&w, V_ADMIN, V_ROLE_ADMIN, V_VAULTS "second");
    v_expect(&w, "PUT", S "foo", "{\"value\":\"one\"}", 200);
    rf_str blob = back_up(&w, "foo");
    w.host = "second.vault.ringfort.localhost:8443";
    cr_assert(restore(&w, blob) == 200);
    v_expect(&w, "GET", S "foo", NULL, 200);
    v_expect_text(&w, "value", "one");
    purge(&w, "foo");
    w.host = NULL;
    v_expect(&w, "GET", S "foo", NULL, 200);
    v_expect_text(&w, "value", "one");
    v_done(&w);
}

/* ---- what is refused ------------------------------------------------------------------------------------------------------- */

Test(vault_backup, holds_in_every_byte, .timeout = 300)
{
    struct vault_world w;
    v_init(&w);
    v_expect(&w, "PUT", S "foo", "{\"value\":\"one\"}", 200);
    rf_str blob = back_up(&w, "foo"), copy;
    purge(&w, "foo");
    cr_assert(rf_arena_str(&w.site.arena, blob, &copy));
    uint8_t *bytes = (uint8_t *)(uintptr_t)copy.ptr;
    for (size_t i = 0; i < blob.len; i++) {
        /* All of the head and the tag, some of the content. */
        if (i > BLOB_HEAD_BYTES + 20 && i < blob.len - 20 && i % 13 != 0) continue;
        bytes[i] ^= (uint8_t)(1u << i % 8);
        int status = restore(&w, copy);
        cr_assert(status == 400, "byte %zu of %zu: %d", i, blob.len, status);
        v_expect_text(&w, "error.code", "BadParameter");
        bytes[i] = blob.ptr[i];
    }
    for (size_t len = 0; len < blob.len; len += len < BLOB_HEAD_BYTES + 20 ? 1 : 37)
        refused(&w, rf_slice(blob, 0, len), "cut off");
    rf_str longer = rf_arena_printf(&w.site.arena, "%.*s", (int)blob.len + 1, "");
    uint8_t *more = rf_arena_alloc(&w.site.arena, blob.len + 1);
    memcpy(more, blob.ptr, blob.len);
    more[blob.len] = 0;
    longer = rf_str_make(more, blob.len + 1);
    refused(&w, longer, "one byte more");
    v_expect(&w, "GET", S "foo", NULL, 404);
    cr_assert(restore(&w, blob) == 200, "as it was");
    v_done(&w);
}

Test(vault_backup, refuses_what_is_no_blob)
{
    static const char *const bodies[] = {"{}",
                                         "{\"value\":null}",
                                         "{\"value\":1}",
                                         "{\"value\":\"\"}",
                                         "{\"value\":\"=\"}",
                                         "{\"value\":\"nonsense\"}",
                                         "{\"value\":\"a b\"}"};
    struct vault_world w;
    v_init(&w);
    for (size_t i = 0; i < RF_COUNT(bodies); i++)
        v_expect_error(&w, "POST", "/secrets/restore", bodies[i], 400, "BadParameter", NULL);
    v_expect_error(&w, "POST", S "none/backup", NULL, 404, "SecretNotFound", NULL);
    v_done(&w);
}

Test(vault_backup, reads_both_alphabets)
{
    struct vault_world w;
    v_init(&w);
    v_expect(&w, "PUT", S "foo", "{\"value\":\"one\"}", 200);
    rf_str blob = back_up(&w, "foo");
    purge(&w, "foo");
    rf_str body = rf_arena_printf(&w.site.arena, "{\"value\":\"%.*s\"}",
                                  RF_FMT(base64_encode(&w.site.arena, blob)));
    v_expect(&w, "POST", "/secrets/restore", rf_arena_cstr(&w.site.arena, body), 200);
    v_done(&w);
}

/* More than an ordinary request may have. */
Test(vault_backup, takes_many_versions, .timeout = 120)
{
    struct vault_world w;
    v_init(&w);
    struct rf_buf buf = rf_buf_in(&w.site.arena);
    rf_buf_str(&buf, RF_S("{\"value\":\""));
    for (int i = 0; i < 25600; i++) rf_buf_byte(&buf, 'x');
    rf_buf_str(&buf, RF_S("\"}"));
    const char *body = rf_arena_cstr(&w.site.arena, rf_buf_view(&buf));
    for (int i = 0; i < 40; i++) v_expect(&w, "PUT", S "foo", body, 200);
    rf_str blob = back_up(&w, "foo");
    cr_assert(blob.len > 1 << 20);
    purge(&w, "foo");
    cr_assert(restore(&w, blob) == 200);
    v_expect(&w, "GET", S "foo", NULL, 200);
    cr_assert(json_text_at(w.answer, "value").len == 25600);
    v_done(&w);
}

/* ---- the content, as it is once opened --------------------------------------------------------------------------------------- */

#define ID "00000000000000000000000000000000"
#define VA "0123456789abcdef0123456789abcdea"
#define VB "0123456789abcdef0123456789abcdeb"
#define KEY                                                                                        \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define ITEM(kind, name, more)                                                                     \
    "{\"kind\":\"" kind "\",\"name\":\"" name "\",\"id\":\"" ID "\"" more "}"
#define PART(item, key, versions)                                                                  \
    "{\"item\":" item ",\"key\":\"" key "\",\"versions\":[" versions "]}"
#define VERSION(id) "{\"version\":\"" id "\",\"sealed\":\"AAAA\"}"
#define LATEST(id) ",\"latest\":\"" id "\""

Test(vault_backup, reads_content_strictly)
{
    static const struct {
        const char *text;
        enum seal_kind kind;
        bool good;
    } cases[] = {
        {"{\"items\":[" PART(ITEM("secrets", "a", LATEST(VA)), KEY, VERSION(VA)) "]}", SEAL_SECRET,
         true},
        {"{\"items\":[" PART(ITEM("secrets", "a", LATEST(VB)), KEY,
                             VERSION(VA) "," VERSION(VB)) "]}",
         SEAL_SECRET, true},
        {"{\"items\":[" PART(ITEM("secrets", "a", LATEST(VA)), KEY, VERSION(VA)) "]}", SEAL_KEY,
         false},
        {"{\"items\":[]}", SEAL_SECRET, false},
        {"{}", SEAL_SECRET, false},
        {"[]", SEAL_SECRET, false},
        {"{\"items\":[{}]}", SEAL_SECRET, false},
        {"{\"items\":[" PART(ITEM("secrets", "a", LATEST(VB)), KEY, VERSION(VA)) "]}", SEAL_SECRET,
         false}, /* the latest is not there */
        {"{\"items\":[" PART(ITEM("secrets", "a", ""), KEY, VERSION(VA)) "]}", SEAL_SECRET, false},
        {"{\"items\":[" PART(ITEM("secrets", "a", LATEST(VA)), KEY,
                             VERSION(VA) "," VERSION(VA)) "]}",
         SEAL_SECRET, false}, /* twice */
        {"{\"items\":[" PART(ITEM("secrets", "a", LATEST(VA)), KEY,
                             VERSION(VB) "," VERSION(VA)) "]}",
         SEAL_SECRET, false}, /* out of order */
        {"{\"items\":[" PART(ITEM("secrets", "a", LATEST(VA)), "", VERSION(VA)) "]}", SEAL_SECRET,
         false}, /* sealed without a key */
        {"{\"items\":[" PART(ITEM("secrets", "a", LATEST(VA)), "AAAA", VERSION(VA)) "]}",
         SEAL_SECRET, false},
        {"{\"items\":[" PART(ITEM("secrets", "a", LATEST(VA) ",\"deleted\":1"), KEY,
                             VERSION(VA)) "]}",
         SEAL_SECRET, false},
        {"{\"items\":[" PART(ITEM("secrets", "a", LATEST(VA) ",\"managed\":true"), KEY,
                             VERSION(VA)) "]}",
         SEAL_SECRET, false},
        {"{\"items\":[" PART(ITEM("secrets", "a/b", LATEST(VA)), KEY, VERSION(VA)) "]}",
         SEAL_SECRET, false},
        {"{\"items\":[" PART(ITEM("secrets", "a", LATEST(VA)), KEY, VERSION(VA)) "," PART(
             ITEM("keys", "a", LATEST(VA) ",\"managed\":true"), KEY, VERSION(VA)) "]}",
         SEAL_SECRET, false}, /* only a certificate has followers */
        {"{\"items\":[" PART(ITEM("certificates", "a", LATEST(VA)), "",
                             "{\"version\":\"" VA
                             "\"}") "," PART(ITEM("keys", "A", LATEST(VA) ",\"managed\":true"), KEY,
                                             VERSION(VA)) "]}",
         SEAL_CERTIFICATE, true},
        {"{\"items\":[" PART(ITEM("certificates", "a", LATEST(VA)), "",
                             "{\"version\":\"" VA
                             "\"}") "," PART(ITEM("keys", "b", LATEST(VA) ",\"managed\":true"), KEY,
                                             VERSION(VA)) "]}",
         SEAL_CERTIFICATE, false}, /* of another name */
        {"{\"items\":[" PART(ITEM("certificates", "a", LATEST(VA)), "",
                             "{\"version\":\"" VA
                             "\"}") "," PART(ITEM("keys", "a", LATEST(VA)), KEY, VERSION(VA)) "]}",
         SEAL_CERTIFICATE, false}, /* nobody's */
        {"{\"items\":[" PART(
             ITEM("certificates", "a", LATEST(VA)), "",
             "{\"version\":\"" VA
             "\"}") "," PART(ITEM("keys", "a", LATEST(VA) ",\"managed\":true"), KEY,
                             VERSION(VA)) "," PART(ITEM("keys", "a",
                                                        LATEST(VA) ",\"managed\":true"),
                                                   KEY, VERSION(VA)) "]}",
         SEAL_CERTIFICATE, false}, /* two keys */
    };
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 22);
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct vault_blob_item items[BLOB_ITEMS_MAX];
        struct rf_err err;
        uint32_t count;
        enum rf_kind kind =
            vault_blob_items(rf_str_of(cases[i].text), cases[i].kind, &arena, items, &count, &err);
        cr_assert((kind == RF_OK) == cases[i].good, "%zu: %s", i, cases[i].text);
        if (kind != RF_OK) cr_assert(kind == RF_INVALID && strcmp(err.code, "BadBackup") == 0);
    }
}
