#include "vault/search_int.h"

#include <time.h>

#include "vault/certificates_world.h"
#include "vault/keys_world.h"

#define SEARCH V_SUB "/providers/Microsoft.KeyVault/search?api-version=2023-07-01"
#define EXPIRING V_SUB "/providers/Microsoft.KeyVault/expiring?api-version=2023-07-01"
#define UNUSED V_SUB "/providers/Microsoft.KeyVault/unused?api-version=2023-07-01"

/* Tokens of the control plane are others. */
static void arm(struct vault_world *w, const char *oid)
{
    struct walk_token token = {.oid = oid, .audience = "https://management.azure.com/"};
    w->token = walk_bearer(&w->site, v_jwt(w, &token));
}

static void ask(struct vault_world *w, const char *target)
{
    rf_str before = w->token;
    arm(w, V_ADMIN);
    v_expect(w, "GET", target, NULL, 200);
    w->token = before;
}

/* Names in their order, with blanks between. */
static const char *names(struct vault_world *w)
{
    struct rf_buf buf = rf_buf_in(&w->site.arena);
    const struct json_node *value = json_get(w->answer, "value");
    cr_assert(json_is(value, JSON_T_ARRAY));
    for (const struct json_node *v = value->first; v != NULL; v = v->next)
        rf_buf_printf(&buf, "%s%.*s", v == value->first ? "" : " ",
                      RF_FMT(json_text_at(v, "name")));
    return rf_arena_cstr(&w->site.arena, rf_buf_view(&buf));
}

#define expect_names(w, target, wanted)                                                            \
    do {                                                                                           \
        ask(w, target);                                                                            \
        cr_assert(strcmp(names(w), wanted) == 0, "%s: '%s', not '%s'", target, names(w), wanted);  \
    } while (0)

static int64_t number(const struct json_node *node, const char *at)
{
    int64_t out = -1;
    cr_assert(json_i64_at(node, at, &out), "no %s", at);
    return out;
}

static const struct json_node *first(struct vault_world *w)
{
    return json_get(w->answer, "value")->first;
}

static void put(struct vault_world *w, const char *name, const char *more)
{
    v_expect(w, "PUT", k_text(&w->site.arena, "/secrets/%s", name),
             k_text(&w->site.arena, "{\"value\":\"planted\"%s}", more), 200);
}

static void some(struct vault_world *w)
{
    put(w, "Db-Prod-Password",
        ",\"tags\":{\"env\":\"prod\",\"team\":\"a\"},\"contentType\":\"text/plain\"");
    put(w, "db-test-password", ",\"tags\":{\"env\":\"test\"},\"attributes\":{\"exp\":1770000000}");
    put(w, "api-token", ",\"tags\":{\"env\":\"Production\"},\"attributes\":{\"enabled\":false}");
    v_expect(w, "POST", "/keys/db-key/create", "{\"kty\":\"oct\"}", 200);
}

Test(vault_search, finds_by_name_and_tag)
{
    struct vault_world w;
    v_init(&w);
    some(&w);
    expect_names(&w, SEARCH, "api-token db-key Db-Prod-Password db-test-password");
    cr_assert(number(w.answer, "count") == 4);
    cr_assert(json_bool_at(w.answer, "countIsExact", false));
    cr_assert(json_get(w.answer, "nextLink") == NULL);
    expect_names(&w, SEARCH "&q=PASS", "Db-Prod-Password db-test-password");
    expect_names(&w, SEARCH "&q=pass%20prod", "Db-Prod-Password");
    expect_names(&w, SEARCH "&q=db*", "db-key Db-Prod-Password db-test-password");
    expect_names(&w, SEARCH "&q=*-key", "db-key");
    expect_names(&w, SEARCH "&q=none", "");
    expect_names(&w, SEARCH "&kind=keys", "db-key");
    expect_names(&w, SEARCH "&kind=keys,secrets&q=db*", "db-key Db-Prod-Password db-test-password");
    expect_names(&w, SEARCH "&tag=env%3Dprod", "Db-Prod-Password");
    expect_names(&w, SEARCH "&tag=env%3Dprod*", "api-token Db-Prod-Password");
    expect_names(&w, SEARCH "&tag=team", "Db-Prod-Password");
    expect_names(&w, SEARCH "&tag=env%3Dprod*&tag=team%3Da", "Db-Prod-Password");
    expect_names(&w, SEARCH "&enabled=false", "api-token");
    expect_names(&w, SEARCH "&contentType=text/*", "Db-Prod-Password");
    expect_names(&w, SEARCH "&expiresBefore=2026-02-28&expiresAfter=1769000000",
                 "db-test-password");
    expect_names(&w, SEARCH "&orderby=name%20desc&kind=secrets",
                 "db-test-password Db-Prod-Password api-token");
    expect_names(&w, SEARCH "&vault=other*", "");
    expect_names(&w, SEARCH "&q=prod", "Db-Prod-Password");
    cr_assert(rf_str_is(json_text_at(first(&w), "tags.team"), "a"));
    cr_assert(rf_str_is(json_text_at(first(&w), "vaultName"), V_NAME));
    cr_assert(rf_str_is(json_text_at(first(&w), "id"),
                        "https://kv1.vault.ringfort.localhost:8443/secrets/Db-Prod-Password"));
    cr_assert(rf_str_find(rf_buf_view(&w.last.body), RF_S("planted"), 0) == SIZE_MAX);
    v_done(&w);
}

Test(vault_search, is_asked_by_a_body_too)
{
    struct vault_world w;
    v_init(&w);
    some(&w);
    arm(&w, V_ADMIN);
    v_expect(&w, "POST", SEARCH,
             "{\"q\":\"db\",\"kind\":[\"secrets\"],\"tags\":{\"env\":\"test\"},"
             "\"enabled\":true}",
             200);
    cr_assert(strcmp(names(&w), "db-test-password") == 0, "%s", names(&w));
    static const char *const wrong[] = {"{\"qq\":1}",
                                        "[]",
                                        "{\"kind\":\"x\"}",
                                        "{\"tags\":[]}",
                                        "{\"enabled\":\"perhaps\"}",
                                        "{\"orderby\":\"size\"}",
                                        "{\"expiresAfter\":\"soon\"}"};
    for (size_t i = 0; i < RF_COUNT(wrong); i++)
        v_expect_error(&w, "POST", SEARCH, wrong[i], 400, "InvalidParameter", NULL);
    v_expect_error(&w, "GET", SEARCH "&$top=0", NULL, 400, "InvalidParameter", NULL);
    v_expect_error(&w, "GET", SEARCH "&$skiptoken=%21", NULL, 400, "InvalidSkipToken", NULL);
    v_expect_error(&w, "GET", SEARCH "&$skiptoken=YWJj", NULL, 400, "InvalidSkipToken", NULL);
    v_done(&w);
}

Test(vault_search, follows_what_is_written)
{
    struct vault_world w;
    v_init(&w);
    expect_names(&w, SEARCH, "");
    some(&w);
    expect_names(&w, SEARCH "&q=api", "api-token");
    v_expect(&w, "PATCH", "/secrets/api-token", "{\"tags\":{\"fresh\":\"1\"}}", 200);
    expect_names(&w, SEARCH "&tag=fresh", "api-token");
    expect_names(&w, SEARCH "&tag=env%3DProduction", "");
    v_expect(&w, "DELETE", "/secrets/api-token", NULL, 200);
    expect_names(&w, SEARCH "&q=api", "");
    expect_names(&w, SEARCH "&q=api&deleted=true", "api-token");
    cr_assert(number(first(&w), "deletedDate") == WALK_NOW);
    cr_assert(rf_str_find(json_text_at(first(&w), "id"), RF_S("/deletedsecrets/"), 0) != SIZE_MAX);
    expect_names(&w, SEARCH "&q=*&deleted=any",
                 "api-token db-key Db-Prod-Password db-test-password");
    v_expect(&w, "DELETE", "/deletedsecrets/api-token", NULL, 204);
    expect_names(&w, SEARCH "&q=api&deleted=any", "");
    v_done(&w);
}

Test(vault_search, gives_pages)
{
    struct vault_world w;
    v_init(&w);
    for (int i = 0; i < 7; i++) put(&w, k_text(&w.site.arena, "s%d", i), "");
    const char *target = SEARCH "&$top=3&orderby=name%20desc";
    static const char *const pages[] = {"s6 s5 s4", "s3 s2 s1", "s0"};
    for (size_t i = 0; i < RF_COUNT(pages); i++) {
        cr_assert(target != NULL);
        expect_names(&w, target, pages[i]);
        cr_assert(number(w.answer, "count") == 7);
        rf_str link = json_text_at(w.answer, "nextLink");
        target = link.len == 0
                     ? NULL
                     : rf_arena_cstr(&w.site.arena,
                                     rf_slice(link, strlen("https://localhost:8443"), link.len));
    }
    cr_assert(target == NULL);
    v_done(&w);
}

Test(vault_search, shows_what_the_caller_may_list)
{
    struct vault_world w;
    v_init(&w);
    some(&w);
    arm(&w, V_OTHER);
    v_expect(&w, "GET", SEARCH, NULL, 200);
    cr_assert(strcmp(names(&w), "") == 0 && number(w.answer, "count") == 0);
    v_assign(&w, V_OTHER, V_ROLE_READER, V_ID "/secrets/api-token");
    v_expect(&w, "GET", SEARCH, NULL, 200);
    cr_assert(strcmp(names(&w), "api-token") == 0, "one object alone: %s", names(&w));
    v_assign(&w, V_OTHER, V_ROLE_READER, V_ID);
    v_expect(&w, "GET", SEARCH, NULL, 200);
    cr_assert(number(w.answer, "count") == 4);
    v_vault(&w, "kv2",
            "\"enableRbacAuthorization\":false,\"accessPolicies\":[{\"tenantId\":"
            "\"" WALK_TENANT "\",\"objectId\":\"" V_OTHER "\",\"permissions\":{"
            "\"secrets\":[\"list\",\"set\"],\"keys\":[\"create\"]}}]");
    v_be(&w, V_OTHER);
    w.host = "kv2.vault.ringfort.localhost:8443";
    put(&w, "second", "");
    v_expect(&w, "POST", "/keys/hidden/create", "{\"kty\":\"oct\"}", 200);
    w.host = NULL;
    arm(&w, V_OTHER);
    v_expect(&w, "GET", SEARCH "&vault=kv2", NULL, 200);
    cr_assert(strcmp(names(&w), "second") == 0, "no right to list keys: %s", names(&w));
    v_vault(&w, "kv2",
            "\"enableRbacAuthorization\":true,\"networkAcls\":{\"defaultAction\":\"Deny\"}");
    v_assign(&w, V_OTHER, V_ROLE_READER, V_VAULTS "kv2");
    v_expect(&w, "GET", SEARCH "&vault=kv2", NULL, 200);
    cr_assert(strcmp(names(&w), "") == 0, "the address is shut out");
    v_expect_error(&w, "GET",
                   "/subscriptions/99999999-0000-0000-0000-000000000009/providers/"
                   "Microsoft.KeyVault/search?api-version=2023-07-01",
                   NULL, 404, "SubscriptionNotFound", NULL);
    v_done(&w);
}

Test(vault_search, keeps_long_tags_in_the_state)
{
    struct vault_world w;
    char body[4096];
    size_t at = 0;
    v_init(&w);
    for (int i = 0; i < 12; i++)
        at += (size_t)snprintf(body + at, sizeof body - at, "%s\"tag-%02d\":\"%0100d\"",
                               i == 0 ? ",\"tags\":{" : ",", i, i);
    (void)snprintf(body + at, sizeof body - at, "}");
    put(&w, "heavy", body);
    put(&w, "light", "");
    expect_names(&w, SEARCH "&tag=tag-07%3D*7", "heavy");
    expect_names(&w, SEARCH "&tag=tag-07%3D*8", "");
    expect_names(&w, SEARCH "&q=heavy", "heavy");
    cr_assert(json_get(first(&w), "tags")->count == 12);
    v_done(&w);
}

/* ---- what ends soon ------------------------------------------------------------------------------------------------------------- */

static const struct json_node *named(struct vault_world *w, const char *name)
{
    for (const struct json_node *v = first(w); v != NULL; v = v->next)
        if (rf_str_is(json_text_at(v, "name"), name)) return v;
    cr_assert(false, "no %s", name);
    return NULL;
}

Test(vault_report_expiring, tells_what_ends_and_what_renews_it)
{
    struct vault_world w;
    v_init(&w);
    put(&w, "soon",
        k_text(&w.site.arena, ",\"attributes\":{\"exp\":%lld}",
               (long long)WALK_NOW + 10 * 86400 + 5));
    put(&w, "over",
        k_text(&w.site.arena, ",\"attributes\":{\"exp\":%lld}", (long long)WALK_NOW - 86400));
    put(&w, "later",
        k_text(&w.site.arena, ",\"attributes\":{\"exp\":%lld}", (long long)WALK_NOW + 40 * 86400));
    put(&w, "never", "");
    v_expect(&w, "POST", "/keys/k/create",
             k_text(&w.site.arena, "{\"kty\":\"oct\",\"attributes\":{\"exp\":%lld}}",
                    (long long)WALK_NOW + 20 * 86400),
             200);
    c_make(&w, "c",
           "{\"policy\":{\"x509_props\":{\"subject\":\"CN=c\",\"validity_months\":1},"
           "\"issuer\":{\"name\":\"Self\"},\"key_props\":{\"kty\":\"EC\"},\"lifetime_actions\":[{"
           "\"trigger\":{\"days_before_expiry\":5},\"action\":{\"action_type\":\"AutoRenew\"}}]}}");
    ask(&w, EXPIRING);
    cr_assert(strcmp(names(&w), "over soon k c") == 0, "in their order, managed ones left out: %s",
              names(&w));
    cr_assert(json_bool_at(named(&w, "over"), "expired", false));
    cr_assert(number(named(&w, "over"), "daysLeft") == 0);
    cr_assert(number(named(&w, "soon"), "daysLeft") == 10);
    cr_assert(!json_bool_at(named(&w, "soon"), "renews", true));
    cr_assert(!json_bool_at(named(&w, "k"), "renews", true));
    cr_assert(json_bool_at(named(&w, "c"), "renews", false));
    cr_assert(rf_str_is(json_text_at(named(&w, "c"), "renewedBy"), "certificatePolicy"));
    cr_assert(number(named(&w, "c"), "renewsAt") == number(named(&w, "c"), "expires") - 5 * 86400);
    ask(&w, EXPIRING "&days=60&past=0");
    cr_assert(strcmp(names(&w), "soon k c later") == 0, "%s", names(&w));
    ask(&w, EXPIRING "&days=15&$top=1");
    cr_assert(number(w.answer, "count") == 2 && json_get(w.answer, "nextLink") != NULL);
    arm(&w, V_ADMIN);
    v_expect_error(&w, "GET", EXPIRING "&days=many", NULL, 400, "InvalidParameter", NULL);
    arm(&w, V_OTHER);
    v_expect(&w, "GET", EXPIRING, NULL, 200);
    cr_assert(first(&w) == NULL);
    v_done(&w);
}

Test(vault_report_expiring, knows_rotation_and_authorities)
{
    struct vault_world w;
    v_init(&w);
    v_expect(&w, "POST", "/keys/k/create", "{\"kty\":\"EC\"}", 200);
    v_expect(&w, "PUT", "/keys/k/rotationpolicy",
             "{\"lifetimeActions\":[{\"trigger\":{\"timeBeforeExpiry\":\"P10D\"},\"action\":{"
             "\"type\":\"Rotate\"}}],\"attributes\":{\"expiryTime\":\"P40D\"}}",
             200);
    v_expect(&w, "POST", "/keys/k/rotate", NULL, 200);
    v_expect(&w, "PUT", "/certificates/issuers/house", "{\"provider\":\"Ringfort-CA\"}", 200);
    c_make(&w, "c",
           "{\"policy\":{\"x509_props\":{\"subject\":\"CN=c\",\"validity_months\":1},"
           "\"issuer\":{\"name\":\"house\"},\"key_props\":{\"kty\":\"EC\"}}}");
    ask(&w, EXPIRING "&days=45");
    cr_assert(json_bool_at(named(&w, "k"), "renews", false));
    cr_assert(number(named(&w, "k"), "renewsAt") == number(named(&w, "k"), "expires") - 10 * 86400);
    ask(&w, EXPIRING "&days=3650&kind=authorities");
    const struct json_node *ca = named(&w, "house");
    cr_assert(rf_str_is(json_text_at(ca, "kind"), "authorities"));
    bool roots = false, others = false;
    for (const struct json_node *v = first(&w); v != NULL; v = v->next) {
        if (!rf_str_is(json_text_at(v, "name"), "house")) continue;
        bool is_intermediate = json_bool_at(v, "intermediate", false);
        cr_assert(json_bool_at(v, "renews", false) == is_intermediate);
        roots |= !is_intermediate;
        others |= is_intermediate;
    }
    cr_assert(others || roots);
    v_assign(&w, V_OTHER, V_ROLE_SECRETS_USER, V_ID);
    arm(&w, V_OTHER);
    v_expect(&w, "GET", EXPIRING "&days=3650", NULL, 200);
    cr_assert(first(&w) == NULL, "no right to list certificates or issuers: %s", names(&w));
    v_done(&w);
}

/* ---- who used it ------------------------------------------------------------------------------------------------------------------- */

Test(vault_report_activity, counts_uses_by_principal)
{
    struct vault_world w;
    v_init(&w);
    put(&w, "Foo", "");
    v_expect(&w, "GET", "/secrets/Foo/activity", NULL, 200);
    cr_assert(json_is(json_get(w.answer, "lastRead"), JSON_T_NULL));
    for (int i = 0; i < 3; i++) v_expect(&w, "GET", "/secrets/foo", NULL, 200);
    v_assign(&w, V_OTHER, V_ROLE_SECRETS_USER, V_ID);
    v_pass(&w, 60);
    v_be(&w, V_OTHER);
    v_expect(&w, "GET", "/secrets/foo", NULL, 200);
    v_be(&w, V_ADMIN);
    for (int round = 0; round < 2; round++) { /* out of memory alone, then out of the state */
        v_expect(&w, "GET", "/secrets/foo/activity", NULL, 200);
        cr_assert(number(w.answer, "lastRead") == WALK_NOW + 60);
        v_expect_text(&w, "lastReadBy.id", V_OTHER);
        cr_assert(number(w.answer, "counts.1") == 4 && number(w.answer, "counts.30") == 4);
        const struct json_node *by = json_get(w.answer, "principals");
        cr_assert(by->count == 2);
        for (const struct json_node *u = by->first; u != NULL; u = u->next) {
            bool is_admin = rf_str_is(json_text_at(u, "id"), V_ADMIN);
            cr_assert(number(u, "counts.7") == (is_admin ? 3 : 1));
            cr_assert(rf_str_is(json_text_at(u, "operation"), "SecretGet"));
        }
        vaults_tick(w.vaults, rf_clock_now(&w.site.clock.clock));
    }
    cr_assert(number(w.answer, "counts.1") == 4, "the writing counts nothing twice");
    v_pass(&w, 8 * 86400);
    v_be(&w, V_ADMIN);
    v_expect(&w, "GET", "/secrets/foo", NULL, 200);
    vaults_tick(w.vaults, rf_clock_now(&w.site.clock.clock));
    v_expect(&w, "GET", "/secrets/foo/activity", NULL, 200);
    cr_assert(number(w.answer, "counts.1") == 1 && number(w.answer, "counts.7") == 1);
    cr_assert(number(w.answer, "counts.30") == 5);
    cr_assert(number(w.answer, "countedSince") == WALK_NOW + 60);
    v_expect_error(&w, "GET", "/secrets/none/activity", NULL, 404, "SecretNotFound", NULL);
    v_be(&w, "aaaaaaaa-0000-0000-0000-000000000009");
    v_expect_error(&w, "GET", "/secrets/foo/activity", NULL, 403, "Forbidden", "ForbiddenByRbac");
    v_done(&w);
}

Test(vault_report_activity, belongs_to_the_object_and_not_to_its_name)
{
    struct vault_world w;
    v_init(&w);
    put(&w, "foo", "");
    v_expect(&w, "GET", "/secrets/foo", NULL, 200);
    vaults_tick(w.vaults, rf_clock_now(&w.site.clock.clock));
    v_expect(&w, "DELETE", "/secrets/foo", NULL, 200);
    v_expect(&w, "DELETE", "/deletedsecrets/foo", NULL, 204);
    v_pass(&w, 10);
    put(&w, "foo", "");
    v_expect(&w, "GET", "/secrets/foo/activity", NULL, 200);
    cr_assert(json_is(json_get(w.answer, "lastRead"), JSON_T_NULL));
    ask(&w, SEARCH);
    cr_assert(json_get(first(&w), "lastRead") == NULL);
    v_done(&w);
}

Test(vault_report_activity, survives_a_restart)
{
    struct vault_world w;
    v_init(&w);
    put(&w, "foo", "");
    v_expect(&w, "GET", "/secrets/foo", NULL, 200);
    v_close(&w);
    v_open(&w);
    v_be(&w, V_ADMIN);
    v_expect(&w, "GET", "/secrets/foo/activity", NULL, 200);
    cr_assert(number(w.answer, "counts.1") == 1);
    ask(&w, SEARCH);
    cr_assert(number(first(&w), "lastRead") == WALK_NOW);
    v_done(&w);
}

Test(vault_report_activity, names_what_nobody_uses)
{
    struct vault_world w;
    v_init(&w);
    put(&w, "used", "");
    put(&w, "once", "");
    put(&w, "never", "");
    v_expect(&w, "GET", "/secrets/once", NULL, 200);
    v_pass(&w, 100 * 86400);
    v_be(&w, V_ADMIN);
    v_expect(&w, "GET", "/secrets/used", NULL, 200);
    put(&w, "young", "");
    ask(&w, UNUSED "&days=90");
    cr_assert(strcmp(names(&w), "never once") == 0, "%s", names(&w));
    cr_assert(json_bool_at(named(&w, "never"), "neverRead", false));
    cr_assert(!json_bool_at(named(&w, "once"), "neverRead", true));
    cr_assert(number(named(&w, "once"), "unusedDays") == 100);
    ask(&w, UNUSED "&days=200");
    cr_assert(first(&w) == NULL);
    v_done(&w);
}

/* ---- how long it takes ---------------------------------------------------------------------------------------------------------------- */

static double since(const struct timespec *from)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - from->tv_sec) * 1e3 + (double)(now.tv_nsec - from->tv_nsec) / 1e6;
}

static void plant(struct vault_world *w, uint32_t count)
{
    struct vault_call call = c_job(w, "x");
    for (uint32_t i = 0; i < count;) {
        RF_CLEANUP(rf_arena_done) struct rf_arena arena;
        rf_arena_init(&arena, 256 << 20);
        struct state_txn *txn;
        call.arena = &arena;
        cr_assert(state_begin_write(w->site.state, &txn, &w->err) == RF_OK);
        for (uint32_t end = RF_MIN(i + 2000, count); i < end; i++) {
            struct vault_item item;
            struct vault_version version;
            struct json_node *tags = json_new(&arena, JSON_T_OBJECT);
            json_set_text(&arena, tags, "env", i % 10 == 0 ? RF_S("prod") : RF_S("test"));
            rf_str name = rf_arena_printf(&arena, "service-%u-password-%u", i % 977, i);
            cr_assert(vault_item_new(&call, SEAL_SECRET, name, &item, &w->err) == RF_OK);
            cr_assert(vault_version_init(&call, &version, &w->err) == RF_OK);
            version.tags = tags;
            item.latest = version.version;
            cr_assert(vault_version_put(&call, txn, &item, &version, &w->err) == RF_OK);
            cr_assert(vault_item_put(&call, txn, &item, &w->err) == RF_OK);
        }
        cr_assert(state_commit(txn, &w->err) == RF_OK);
    }
}

/* 100,000 objects by RINGFORT_BENCH=1; a tenth of them else, within a tenth of the time. */
Test(vault_search, is_quick)
{
    struct vault_world w;
    struct timespec from;
    bool whole = getenv("RINGFORT_BENCH") != NULL;
    uint32_t count = whole ? 100000 : 10000;
    v_init(&w);
    plant(&w, count);
    (void)clock_gettime(CLOCK_MONOTONIC, &from);
    ask(&w, SEARCH "&$top=10");
    double built = since(&from);
    cr_assert(number(w.answer, "count") == 10000);
    static const char *const questions[] = {SEARCH "&$top=10", SEARCH "&q=password-77&$top=10",
                                            SEARCH "&tag=env%3Dprod&$top=100", UNUSED "&days=0"};
    for (size_t i = 0; i < RF_COUNT(questions); i++) {
        (void)clock_gettime(CLOCK_MONOTONIC, &from);
        ask(&w, questions[i]);
        double took = since(&from);
        if (whole) fprintf(stderr, "built in %.0f ms; %s: %.1f ms\n", built, questions[i], took);
        cr_assert(took < 1000, "%s: %.1f ms", questions[i], took);
    }
    v_done(&w);
}
