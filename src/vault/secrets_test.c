#include "vault/vault_world.h"

#include "vault/store_int.h"

#define S "/secrets/"
#define V1 "{\"value\":\"one\"}"
#define V2 "{\"value\":\"two\"}"

static rf_str version_of(struct vault_world *w)
{
    rf_str id = json_text_at(w->answer, "id");
    cr_assert(id.len > 32);
    return rf_slice(id, id.len - 32, id.len);
}

static const char *path(struct vault_world *w, const char *fmt, ...) RF_PRINTF(2, 3);
static const char *path(struct vault_world *w, const char *fmt, ...)
{
    char text[8192];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return rf_arena_cstr(&w->site.arena, rf_str_of(text));
}

static int64_t number(struct vault_world *w, const char *at)
{
    int64_t out;
    cr_assert(json_i64_at(w->answer, at, &out), "no %s", at);
    return out;
}

/* ---- set, get ------------------------------------------------------------------------------------------------------------ */

Test(vault_secrets, sets_and_reads)
{
    struct vault_world w;
    v_init(&w);
    v_expect(&w, "PUT", S "Foo",
             "{\"value\":\"one\",\"contentType\":\"text/plain\",\"tags\":{\"a\":\"\\u00fc\"}}",
             200);
    rf_str first = version_of(&w);
    cr_assert(rf_str_is(json_text_at(w.answer, "id"),
                        path(&w, "https://localhost:8443/secrets/Foo/%.*s", RF_FMT(first))));
    v_expect_text(&w, "value", "one");
    v_expect_text(&w, "contentType", "text/plain");
    v_expect_text(&w, "tags.a", "\xc3\xbc");
    v_expect_text(&w, "attributes.recoveryLevel", "Recoverable+Purgeable");
    cr_assert(number(&w, "attributes.recoverableDays") == 90);
    cr_assert(number(&w, "attributes.created") == WALK_NOW);
    cr_assert(json_bool_at(w.answer, "attributes.enabled", false));
    cr_assert(json_get(w.answer, "managed") == NULL && json_get(w.answer, "kid") == NULL);
    v_expect(&w, "PUT", S "foo", V2, 200);
    rf_str second = version_of(&w);
    v_expect(&w, "GET", S "FOO/", NULL, 200);
    v_expect_text(&w, "value", "two");
    cr_assert(rf_str_eq(version_of(&w), second));
    cr_assert(rf_str_find(json_text_at(w.answer, "id"), RF_S("/secrets/Foo/"), 0) != SIZE_MAX,
              "as it was first written");
    cr_assert(json_get(w.answer, "contentType") == NULL && json_get(w.answer, "tags") == NULL);
    v_expect(&w, "GET", path(&w, S "foo/%.*s", RF_FMT(first)), NULL, 200);
    v_expect_text(&w, "value", "one");
    v_expect_text(&w, "tags.a", "\xc3\xbc");
    v_expect_error(&w, "GET", S "foo/00000000000000000000000000000000", NULL, 404, "SecretNotFound",
                   NULL);
    v_expect_error(&w, "GET", S "bar", NULL, 404, "SecretNotFound", NULL);
    v_done(&w);
}

Test(vault_secrets, keeps_values_sealed)
{
    struct vault_world w;
    struct state_txn *txn;
    struct state_list list;
    v_init(&w);
    v_expect(&w, "PUT", S "foo", "{\"value\":\"hunter2-hunter2\"}", 200);
    cr_assert(state_begin_read(w.site.state, &txn, &w.err) == RF_OK);
    struct state_scan scan = {.space = vault_version_space};
    cr_assert(state_list(txn, &scan, &w.site.arena, &list, &w.err) == RF_OK);
    cr_assert(list.count == 1);
    struct json_node *node;
    rf_str sealed;
    cr_assert(json_parse(list.items[0].body, &w.site.arena, &node, &w.err) == RF_OK);
    cr_assert(base64_decode(&w.site.arena, json_text_at(node, "sealed"), &sealed, &w.err) == RF_OK);
    cr_assert(sealed.len == SEAL_HEAD_BYTES + 12 + 15 + 16);
    cr_assert(rf_str_find(sealed, RF_S("hunter2"), 0) == SIZE_MAX);
    cr_assert(rf_str_find(list.items[0].body, RF_S("hunter2"), 0) == SIZE_MAX);
    state_end(txn);
    v_done(&w);
}

Test(vault_secrets, checks_what_it_is_given)
{
    static const struct {
        const char *body, *names;
    } cases[] = {
        {"{}", "value"},
        {"{\"value\":null}", "value"},
        {"{\"value\":\"\"}", "value"},
        {"{\"value\":5}", "value"},
        {"{\"value\":\"v\",\"contentType\":1}", "contentType"},
        {"{\"value\":\"v\",\"tags\":[]}", "tags"},
        {"{\"value\":\"v\",\"tags\":{\"a\":1}}", "tags"},
        {"{\"value\":\"v\",\"attributes\":1}", "attributes"},
        {"{\"value\":\"v\",\"attributes\":{\"enabled\":\"true\"}}", "enabled"},
        {"{\"value\":\"v\",\"attributes\":{\"nbf\":\"1\"}}", "nbf"},
        {"{\"value\":\"v\",\"attributes\":{\"nbf\":-1}}", "nbf"},
        {"{\"value\":\"v\",\"attributes\":{\"exp\":1.5}}", "exp"},
        {"{\"value\":\"v\",\"attributes\":{\"exp\":-2147483648}}", "exp"},
        {"{\"value\":\"v\",\"attributes\":{\"exp\":253402300800}}", "exp"},
        {"{\"value\":\"v\",\"attributes\":{\"nbf\":2000,\"exp\":1999}}", "exp"},
    };
    struct vault_world w;
    v_init(&w);
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        v_expect_error(&w, "PUT", S "foo", cases[i].body, 400, "BadParameter", NULL);
        cr_assert(rf_str_find(json_text_at(w.answer, "error.message"), rf_str_of(cases[i].names),
                              0) != SIZE_MAX,
                  "%s", cases[i].body);
    }
    v_expect_error(&w, "GET", S "foo", NULL, 404, "SecretNotFound", NULL);
    v_expect(&w, "PUT", S "foo",
             "{\"value\":\"v\",\"attributes\":{\"nbf\":2000,\"exp\":2000,\"else\":{}},\"x\":1}",
             200);
    v_expect(&w, "PUT", S "foo", "{\"value\":\"v\",\"attributes\":null,\"tags\":null}", 200);
    v_expect_error(&w, "PUT", S "under_score", V1, 400, "BadParameter", NULL);
    v_done(&w);
}

static char *filled(struct vault_world *w, const char *front, size_t count, const char *unit,
                    const char *back)
{
    struct rf_buf buf = rf_buf_in(&w->site.arena);
    rf_buf_str(&buf, rf_str_of(front));
    for (size_t i = 0; i < count; i++) rf_buf_str(&buf, rf_str_of(unit));
    rf_buf_str(&buf, rf_str_of(back));
    return rf_arena_cstr(&w->site.arena, rf_buf_view(&buf));
}

Test(vault_secrets, knows_its_limits)
{
    struct vault_world w;
    v_init(&w);
    v_expect(&w, "PUT", S "foo", filled(&w, "{\"value\":\"", 25600, "x", "\"}"), 200);
    v_expect(&w, "PUT", S "foo", filled(&w, "{\"value\":\"", 12800, "\xc3\xa9", "\"}"), 200);
    v_expect(&w, "GET", S "foo", NULL, 200);
    cr_assert(json_text_at(w.answer, "value").len == 25600);
    v_expect(&w, "PUT", S "foo", filled(&w, "{\"value\":\"", 25601, "x", "\"}"), 400);
    const char *type = "{\"value\":\"v\",\"contentType\":\"";
    v_expect(&w, "PUT", S "foo", filled(&w, type, 255, "\xc3\xa9", "\"}"), 200);
    v_expect(&w, "PUT", S "foo", filled(&w, type, 256, "x", "\"}"), 400);
    const char *tag = "{\"value\":\"v\",\"tags\":{\"";
    v_expect(&w, "PUT", S "foo", filled(&w, tag, 256, "\xc3\xa9", "\":\"\"}}"), 200);
    v_expect(&w, "PUT", S "foo", filled(&w, tag, 257, "x", "\":\"\"}}"), 400);
    tag = "{\"value\":\"v\",\"tags\":{\"t\":\"";
    v_expect(&w, "PUT", S "foo", filled(&w, tag, 256, "\xc3\xa9", "\"}}"), 200);
    v_expect(&w, "PUT", S "foo", filled(&w, tag, 257, "x", "\"}}"), 400);
    v_done(&w);
}

Test(vault_secrets, counts_tags)
{
    struct vault_world w;
    v_init(&w);
    for (int count = 15; count <= 16; count++) {
        struct rf_buf buf = rf_buf_in(&w.site.arena);
        rf_buf_str(&buf, RF_S("{\"value\":\"v\",\"tags\":{"));
        for (int i = 0; i < count; i++)
            rf_buf_printf(&buf, "%s\"t%d\":\"v\"", i == 0 ? "" : ",", i);
        rf_buf_str(&buf, RF_S("}}"));
        v_expect(&w, "PUT", S "foo", rf_arena_cstr(&w.site.arena, rf_buf_view(&buf)),
                 count == 15 ? 200 : 400);
    }
    v_done(&w);
}

Test(vault_secrets, keeps_every_character)
{
    struct vault_world w;
    v_init(&w);
    v_expect(&w, "PUT", S "foo",
             "{\"value\":\"a\\nb\\r\\n\\t\\u0000x \\ud83d\\ude00 \\\"\\\\ \\u202e \"}", 200);
    v_expect(&w, "GET", S "foo", NULL, 200);
    cr_assert(rf_str_eq(json_text_at(w.answer, "value"),
                        RF_S("a\nb\r\n\t\0x \xf0\x9f\x98\x80 \"\\ \xe2\x80\xae ")));
    v_done(&w);
}

Test(vault_secrets, shows_days_from_7_1_on)
{
    struct vault_world w;
    v_init(&w);
    v_expect(&w, "PUT", S "foo", V1, 200);
    w.api = "7.0";
    v_expect(&w, "GET", S "foo", NULL, 200);
    cr_assert(json_get(json_get(w.answer, "attributes"), "recoverableDays") == NULL);
    v_vault(&w, "short",
            "\"enableRbacAuthorization\":true,\"softDeleteRetentionInDays\":7,"
            "\"enablePurgeProtection\":true");
    v_assign(&w, V_ADMIN, V_ROLE_ADMIN, V_VAULTS "short");
    w.host = "short.vault.ringfort.localhost:8443";
    w.api = "7.1";
    v_expect(&w, "PUT", S "foo", V1, 200);
    v_expect_text(&w, "attributes.recoveryLevel", "CustomizedRecoverable");
    cr_assert(number(&w, "attributes.recoverableDays") == 7);
    cr_assert(rf_str_starts(json_text_at(w.answer, "id"),
                            RF_S("https://short.vault.ringfort.localhost:8443/secrets/foo/")));
    w.api = "7.0";
    v_expect(&w, "GET", S "foo", NULL, 200);
    v_expect_text(&w, "attributes.recoveryLevel", "Recoverable");
    v_done(&w);
}

/* ---- attributes ---------------------------------------------------------------------------------------------------------- */

Test(vault_secrets, changes_what_is_said_of_them)
{
    struct vault_world w;
    v_init(&w);
    v_expect(&w, "PUT", S "foo", "{\"value\":\"v\",\"tags\":{\"one\":\"1\",\"two\":\"2\"}}", 200);
    rf_str first = version_of(&w);
    v_expect(&w, "PUT", S "foo", V2, 200);
    v_pass(&w, 10);
    const char *at = path(&w, S "foo/%.*s", RF_FMT(first));
    v_expect(&w, "PATCH", at, "{\"contentType\":\"x/y\",\"attributes\":{\"exp\":1800000000}}", 200);
    cr_assert(rf_str_eq(version_of(&w), first));
    cr_assert(json_get(w.answer, "value") == NULL);
    v_expect_text(&w, "contentType", "x/y");
    v_expect_text(&w, "tags.two", "2");
    cr_assert(number(&w, "attributes.exp") == 1800000000);
    cr_assert(number(&w, "attributes.created") == WALK_NOW);
    cr_assert(number(&w, "attributes.updated") == WALK_NOW + 10);
    v_expect(&w, "PATCH", at, "{\"tags\":{\"three\":\"3\"}}", 200);
    cr_assert(json_at(w.answer, "tags.one") == NULL);
    v_expect_text(&w, "tags.three", "3");
    v_expect_text(&w, "contentType", "x/y");
    v_expect(&w, "PATCH", at, "{\"tags\":{}}", 200);
    cr_assert(json_get(w.answer, "tags") == NULL);
    v_expect(&w, "PATCH", S "foo/", "{\"attributes\":{\"nbf\":5}}", 200);
    cr_assert(!rf_str_eq(version_of(&w), first), "the latest");
    v_expect(&w, "GET", at, NULL, 200);
    v_expect_text(&w, "value", "v");
    v_expect(&w, "GET", S "foo", NULL, 200);
    v_expect_text(&w, "value", "two");
    cr_assert(number(&w, "attributes.nbf") == 5);
    v_expect(&w, "PATCH", S "foo", "{\"attributes\":{\"exp\":4}}", 400);
    v_expect(&w, "PATCH", S "bar", "{}", 404);
    v_done(&w);
}

Test(vault_secrets, are_not_read_while_disabled)
{
    struct vault_world w;
    v_init(&w);
    v_expect(&w, "PUT", S "foo", "{\"value\":\"v\",\"attributes\":{\"enabled\":false}}", 200);
    v_expect_error(&w, "GET", S "foo", NULL, 403, "Forbidden", "SecretDisabled");
    v_expect_text(&w, "error.message", "Operation get is not allowed on a disabled secret.");
    v_expect_error(&w, "POST", S "foo/backup", NULL, 403, "Forbidden", "SecretDisabled");
    v_expect(&w, "GET", "/secrets", NULL, 200);
    v_expect(&w, "PATCH", S "foo", "{\"attributes\":{\"enabled\":true}}", 200);
    v_expect(&w, "GET", S "foo", NULL, 200);
    v_expect_text(&w, "value", "v");
    v_done(&w);
}

/* Even if the server forgot to look: the keeper heeds the sealed head. */
Test(vault_secrets, are_sealed_with_their_attributes)
{
    struct vault_world w;
    struct vault_item item;
    struct vault_version version;
    struct seal_head head;
    v_init(&w);
    v_expect(&w, "PUT", S "foo", V1, 200);
    v_expect(&w, "PATCH", S "foo",
             "{\"attributes\":{\"enabled\":false,\"nbf\":1,\"exp\":2000000000}}", 200);
    v_expect(&w, "PATCH", S "foo", "{\"contentType\":\"t\"}", 200);
    struct state_txn *txn;
    struct vault_call call = {.vaults = w.vaults, .arena = &w.site.arena};
    cr_assert(state_begin_read(w.site.state, &txn, &w.err) == RF_OK);
    cr_assert(vault_place_find(w.vaults, txn, (rf_str){0}, call.arena, &call.place, &w.err) ==
              RF_OK);
    cr_assert(vault_item_get(&call, txn, SEAL_SECRET, RF_S("foo"), &item, &w.err) == RF_OK);
    cr_assert(vault_version_get(&call, txn, &item, (rf_str){0}, &version, &w.err) == RF_OK);
    state_end(txn);
    cr_assert(seal_head_get(version.sealed, &head, &w.err) == RF_OK);
    cr_assert(!head.enabled && head.not_before == 1 && head.expires == 2000000000);
    cr_assert(head.generation == 2, "a change of the content type is none for the keeper");
    v_done(&w);
}

Test(vault_secrets, are_read_outside_their_times)
{
    struct vault_world w;
    v_init(&w);
    v_expect(&w, "PUT", S "foo", "{\"value\":\"v\",\"attributes\":{\"exp\":1600000000}}", 200);
    v_expect(&w, "GET", S "foo", NULL, 200);
    v_expect_text(&w, "value", "v");
    v_expect(&w, "PUT", S "foo", "{\"value\":\"v\",\"attributes\":{\"nbf\":2000000000}}", 200);
    v_expect(&w, "GET", S "foo", NULL, 200);
    v_done(&w);
}

/* ---- check and set ------------------------------------------------------------------------------------------------------- */

Test(vault_secrets, are_set_if_they_match)
{
    struct vault_world w;
    v_init(&w);
    v_header(&w, "If-Match", "\"00000000000000000000000000000000\"");
    v_expect_error(&w, "PUT", S "foo", V1, 412, "PreconditionFailed", NULL);
    v_header(&w, "If-Match", "*");
    v_expect_error(&w, "PUT", S "foo", V1, 412, "PreconditionFailed", NULL);
    v_expect(&w, "GET", S "foo", NULL, 404);
    v_expect(&w, "PUT", S "foo", V1, 200);
    rf_str first = walk_header(&w.last, "ETag");
    cr_assert(first.len == 34 && rf_str_eq(rf_slice(first, 1, 33), version_of(&w)));
    const char *tag = rf_arena_cstr(&w.site.arena, first);
    v_header(&w, "If-Match", tag);
    v_expect(&w, "PUT", S "foo", V2, 200);
    v_header(&w, "If-Match", tag);
    v_expect_error(&w, "PUT", S "foo", "{\"value\":\"three\"}", 412, "PreconditionFailed", NULL);
    v_expect(&w, "GET", S "foo", NULL, 200);
    v_expect_text(&w, "value", "two");
    const char *second = rf_arena_cstr(&w.site.arena, walk_header(&w.last, "ETag"));
    v_header(&w, "If-Match", path(&w, "%s, %s", tag, second));
    v_expect(&w, "PUT", S "foo", "{\"value\":\"four\"}", 200);
    v_header(&w, "If-Match", "*");
    v_expect(&w, "PUT", S "foo", "{\"value\":\"five\"}", 200);
    v_done(&w);
}

/* ---- many at a time ------------------------------------------------------------------------------------------------------ */

enum { WRITERS = 8, WRITES = 6 };
struct writer {
    struct vault_world *w;
    pthread_t thread;
    int id, good;
};

/* A call by a thread of its own: the world's arena is not for several. */
static int call_alone(struct vault_world *w, enum http_method method, const char *target,
                      const char *body)
{
    struct walk_site site = {.folder = ""};
    rf_arena_init(&site.arena, (size_t)64 << 20);
    struct walk_call call = {
        .method = method, .target = target, .body = body, .authorization = w->token};
    int status = walk_exchange(&site, w->dispatcher, &call).status;
    rf_arena_done(&site.arena);
    return status;
}

static void *write_many(void *ctx)
{
    struct writer *writer = ctx;
    for (int i = 0; i < WRITES; i++) {
        char body[64];
        (void)snprintf(body, sizeof body, "{\"value\":\"w%d-%d\"}", writer->id, i);
        int status = call_alone(writer->w, HTTP_PUT, S "race?api-version=7.4", body);
        writer->good += status == 200;
    }
    return NULL;
}

Test(vault_secrets, are_written_by_many_at_a_time)
{
    struct vault_world w;
    struct writer writers[WRITERS];
    v_init(&w);
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){.w = &w, .id = i};
        cr_assert(pthread_create(&writers[i].thread, NULL, write_many, &writers[i]) == 0);
    }
    for (int i = 0; i < WRITERS; i++) {
        pthread_join(writers[i].thread, NULL);
        cr_assert(writers[i].good == WRITES, "%d of %d", writers[i].good, WRITES);
    }
    int versions = 0;
    bool seen[WRITERS][WRITES] = {{false}};
    for (const char *next = S "race/versions"; next != NULL;) {
        v_expect(&w, "GET", next, NULL, 200);
        struct json_node *page = w.answer;
        rf_str link = json_text_at(page, "nextLink");
        next = link.len == 0
                   ? NULL
                   : rf_arena_cstr(&w.site.arena,
                                   rf_slice(link, strlen("https://localhost:8443"), link.len));
        for (struct json_node *item = json_get(page, "value")->first; item != NULL;
             item = item->next, versions++) {
            rf_str id = json_text_at(item, "id");
            int writer = -1, write = -1;
            v_expect(&w, "GET", path(&w, S "race/%.*s", RF_FMT(rf_slice(id, id.len - 32, id.len))),
                     NULL, 200);
            rf_str value = json_text_at(w.answer, "value");
            cr_assert(sscanf((const char *)value.ptr, "w%d-%d", &writer, &write) == 2);
            cr_assert(!seen[writer][write]);
            seen[writer][write] = true;
        }
    }
    cr_assert(versions == WRITERS * WRITES);
    v_done(&w);
}

static void *change_many(void *ctx)
{
    struct writer *writer = ctx;
    for (int i = 0; i < WRITES; i++) {
        char body[96];
        (void)snprintf(body, sizeof body, "{\"attributes\":{\"exp\":%d}}",
                       1900000000 + writer->id * WRITES + i);
        int status = writer->id % 2 == 0
                         ? call_alone(writer->w, HTTP_PATCH, S "race?api-version=7.4", body)
                         : call_alone(writer->w, HTTP_GET, S "race?api-version=7.4", NULL);
        writer->good += status == 200;
    }
    return NULL;
}

/* The keeper knows of the newest generation sooner than a reader that began before: both come through. */
Test(vault_secrets, are_changed_and_read_at_once)
{
    struct vault_world w;
    struct writer writers[WRITERS];
    v_init(&w);
    v_expect(&w, "PUT", S "race", V1, 200);
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){.w = &w, .id = i};
        cr_assert(pthread_create(&writers[i].thread, NULL, change_many, &writers[i]) == 0);
    }
    for (int i = 0; i < WRITERS; i++) {
        pthread_join(writers[i].thread, NULL);
        cr_assert(writers[i].good == WRITES, "%d of %d", writers[i].good, WRITES);
    }
    v_expect(&w, "GET", S "race", NULL, 200);
    v_expect_text(&w, "value", "one");
    v_done(&w);
}

/* ---- on time ---------------------------------------------------------------------------------------------------------------- */

static struct vault_call job_call(struct vault_world *w)
{
    struct vault_call call = {.vaults = w->vaults,
                              .arena = &w->site.arena,
                              .now = rf_clock_now(&w->site.clock.clock) / RF_USEC_PER_SECOND};
    struct state_txn *txn;
    cr_assert(state_begin_read(w->site.state, &txn, &w->err) == RF_OK);
    cr_assert(vault_place_find(w->vaults, txn, (rf_str){0}, call.arena, &call.place, &w->err) ==
              RF_OK);
    state_end(txn);
    return call;
}

static struct vault_item item_now(struct vault_world *w, struct vault_call *call, const char *name)
{
    struct vault_item item;
    struct state_txn *txn;
    cr_assert(state_begin_read(w->site.state, &txn, &w->err) == RF_OK);
    cr_assert(vault_item_get(call, txn, SEAL_SECRET, rf_str_of(name), &item, &w->err) == RF_OK);
    state_end(txn);
    return item;
}

static int64_t run_due(struct vault_world *w)
{
    struct vault_call call = job_call(w);
    struct vault_item item = item_now(w, &call, "foo");
    cr_assert(vault_secret_due(&call, &item, &w->err) == RF_OK, "%s", w->err.text);
    item = item_now(w, &call, "foo");
    return item.due;
}

static int64_t due_now(struct vault_world *w)
{
    struct vault_call call = job_call(w);
    return item_now(w, &call, "foo").due;
}

Test(vault_secrets, tell_of_their_end)
{
    enum { DAY = 86400, END = WALK_NOW + 40 * DAY };
    struct vault_world w;
    v_init(&w);
    v_expect(&w, "PUT", S "foo", V1, 200);
    cr_assert(due_now(&w) == 0);
    cr_assert(rf_str_find(w.event, RF_S("SecretNewVersionCreated"), 0) != SIZE_MAX);
    v_expect(&w, "PATCH", S "foo", path(&w, "{\"attributes\":{\"exp\":%lld}}", (long long)END),
             200);
    cr_assert(due_now(&w) == END - 30 * DAY);
    uint32_t before = w.events;
    v_pass(&w, 10 * DAY - 1);
    cr_assert(run_due(&w) == END - 30 * DAY && w.events == before, "not yet");
    v_pass(&w, 1);
    cr_assert(run_due(&w) == END && w.events == before + 1);
    cr_assert(rf_str_find(w.event, RF_S("Microsoft.KeyVault.SecretNearExpiry"), 0) != SIZE_MAX);
    cr_assert(run_due(&w) == END && w.events == before + 1, "once");
    v_pass(&w, 30 * DAY);
    cr_assert(run_due(&w) == 0 && w.events == before + 2);
    cr_assert(rf_str_find(w.event, RF_S("Microsoft.KeyVault.SecretExpired"), 0) != SIZE_MAX);
    v_be(&w, V_ADMIN);
    v_expect(&w, "PUT", S "foo", V2, 200);
    cr_assert(due_now(&w) == 0, "the new version has no end");
    v_done(&w);
}

Test(vault_secrets, find_out_what_is_due_when_they_come_back)
{
    enum { DAY = 86400, END = WALK_NOW + 400 * DAY };
    struct vault_world w;
    v_init(&w);
    v_expect(&w, "PUT", S "foo",
             path(&w, "{\"value\":\"v\",\"attributes\":{\"exp\":%lld}}", (long long)END), 200);
    v_expect(&w, "DELETE", S "foo", NULL, 200);
    v_expect(&w, "POST", "/deletedsecrets/foo/recover", NULL, 200);
    uint32_t before = w.events;
    cr_assert(due_now(&w) == VAULT_DUE_LOOK);
    cr_assert(run_due(&w) == END - 30 * DAY && w.events == before);
    v_done(&w);
}
