#include "vault/database_int.h"

#include "crypt/keeper_seal_talk.h"
#include "crypt/rewrap.h"
#include "vault/acme_client.h"
#include "vault/vault_world.h"

#define DB "/databases/app"
#define SETTINGS(more)                                                                             \
    "{\"host\":\"localhost\",\"port\":1,\"database\":\"app\",\"user\":\"ringfort\",\"password\":"  \
    "\"pencil-pencil\",\"tls\":\"none\"" more "}"
#define CREATE "\"CREATE ROLE {{name}} LOGIN PASSWORD {{verifier}}\""
#define HOLDER "aaaaaaaa-0000-0000-0000-000000000009"

/* ---- templates ---------------------------------------------------------------------------------------------------------------- */

static const struct sql_words made = {RF_S("v-kv1-ro-00aa"), RF_S("SCRAM-SHA-256$4096:a$b:c"),
                                      1769860800};

Test(vault_database, templates_are_filled_in)
{
    static const struct {
        const char *statement, *wanted;
    } rows[] = {
        {"CREATE ROLE {{name}} PASSWORD{{verifier}}",
         "CREATE ROLE \"v-kv1-ro-00aa\" PASSWORD E'SCRAM-SHA-256$4096:a$b:c'"},
        {"x \"{{name}}\" '{{verifier}}' '{{ expiration }}'",
         "x \"v-kv1-ro-00aa\" 'SCRAM-SHA-256$4096:a$b:c' '2026-01-31 12:00:00+00'"},
        {"VALID UNTIL{{expiration}}", "VALID UNTIL E'2026-01-31 12:00:00+00'"},
        {"{{name}}{{name}}", "\"v-kv1-ro-00aa\"\"v-kv1-ro-00aa\""},
        {"SELECT '{', '}}'", "SELECT '{', '}}'"},
    };
    for (size_t i = 0; i < RF_COUNT(rows); i++) {
        RF_CLEANUP(rf_arena_done) struct rf_arena arena;
        rf_arena_init(&arena, 1 << 20);
        struct rf_buf out = rf_buf_in(&arena);
        struct rf_err err;
        cr_assert(vault_sql_check(rf_str_of(rows[i].statement), SQL_CREATE, &err) == RF_OK, "%s",
                  err.text);
        cr_assert(vault_sql_expand(&out, rf_str_of(rows[i].statement), SQL_CREATE, &made, &err) ==
                  RF_OK);
        cr_expect(rf_str_is(rf_buf_view(&out), rows[i].wanted), "%.*s", RF_FMT(rf_buf_view(&out)));
    }
}

Test(vault_database, templates_that_are_none)
{
    static const struct {
        const char *statement;
        enum sql_use use;
        const char *why;
    } rows[] = {
        {"", SQL_CREATE, "empty"},
        {" \n", SQL_REVOKE, "empty"},
        {"{{name", SQL_CREATE, "not closed"},
        {"PASSWORD '{{password}}'", SQL_CREATE, "write PASSWORD {{verifier}}"},
        {"{{nam}}", SQL_CREATE,
         "unknown placeholder {{nam}}: there are {{name}}, {{verifier}} and"},
        {"{{}}", SQL_CREATE, "unknown placeholder {{}}"},
        {"{{verifier}}", SQL_RENEW, "there are {{name}} and {{expiration}}"},
        {"{{expiration}}", SQL_REVOKE, "there are {{name}}"},
        {"\xff", SQL_REVOKE, "no text"},
    };
    for (size_t i = 0; i < RF_COUNT(rows); i++) {
        struct rf_err err = {.text = ""};
        cr_assert(vault_sql_check(rf_str_of(rows[i].statement), rows[i].use, &err) == RF_INVALID);
        cr_expect(strstr(err.text, rows[i].why) != NULL, "%s: %s", rows[i].statement, err.text);
    }
}

Test(vault_database, what_a_role_says_becomes_statements)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    struct json_node *role;
    struct rf_err err;
    rf_str out;
    cr_assert(json_parse(RF_S("{\"grants\":[\"SELECT ON t\"],\"memberOf\":[\"read\\\"ers\"]}"),
                         &arena, &role, &err) == RF_OK);
    cr_assert(vault_sql_of_role(role, SQL_CREATE, &made, &arena, &out, &err) == RF_OK);
    cr_expect(rf_str_is(out,
                        "CREATE ROLE \"v-kv1-ro-00aa\" LOGIN PASSWORD  "
                        "E'SCRAM-SHA-256$4096:a$b:c' VALID UNTIL  E'2026-01-31 12:00:00+00'\n;\n"
                        "GRANT SELECT ON t TO \"v-kv1-ro-00aa\"\n;\n"
                        "GRANT \"read\"\"ers\" TO \"v-kv1-ro-00aa\"\n;\n"),
              "%.*s", RF_FMT(out));
    cr_assert(vault_sql_of_role(role, SQL_REVOKE, &made, &arena, &out, &err) == RF_OK);
    cr_expect(rf_str_find(out, RF_S("DROP OWNED BY \"v-kv1-ro-00aa\"\n;\nDROP ROLE"), 0) !=
              SIZE_MAX);
    /* Statements of its own, behind which comes the time. */
    cr_assert(json_parse(RF_S("{\"creationStatements\":[\"CREATE ROLE {{name}} -- so\"]}"), &arena,
                         &role, &err) == RF_OK);
    cr_assert(vault_sql_of_role(role, SQL_CREATE, &made, &arena, &out, &err) == RF_OK);
    cr_expect(rf_str_is(out, "CREATE ROLE \"v-kv1-ro-00aa\" -- so\n;\nALTER ROLE \"v-kv1-ro-00aa\" "
                             "VALID UNTIL  E'2026-01-31 12:00:00+00'\n;\n"),
              "%.*s", RF_FMT(out));
}

Test(vault_database, grants_are_no_statements)
{
    static const char *const good[] = {"SELECT ON ALL TABLES IN SCHEMA public",
                                       "UPDATE (a, \"B c\") ON s.t"};
    static const char *const bad[] = {
        "", "SELECT ON t; DROP TABLE t", "a 'b'", "a \"b", "a--\n", "{{name}}", "\xff"};
    for (size_t i = 0; i < RF_COUNT(good); i++) cr_expect(vault_sql_is_grant(rf_str_of(good[i])));
    for (size_t i = 0; i < RF_COUNT(bad); i++)
        cr_expect(!vault_sql_is_grant(rf_str_of(bad[i])), "%s", bad[i]);
}

Test(vault_database, names_fit_and_differ)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    rf_str role = RF_S("Read-Only-Read-Only-Read-Only-Read-Only-Read-Only-Read-Only-Read-Only");
    rf_str one = vault_sql_user(RF_S("KV-of-contoso-production"), role, &arena),
           two = vault_sql_user(RF_S("KV-of-contoso-production"), role, &arena);
    cr_assert(one.len == SQL_USER_BYTES_MAX, "%.*s", RF_FMT(one));
    cr_assert(rf_str_starts(one, RF_S("v-kv-of-contoso-production-read-only-read-")));
    cr_assert(!rf_str_eq(one, two));
    cr_assert(rf_str_starts(vault_sql_user(RF_S("a"), RF_S("B"), &arena), RF_S("v-a-b-")));
    rf_str password = vault_sql_password(&arena), again = vault_sql_password(&arena), verifier;
    struct rf_err err;
    cr_assert(password.len == SQL_PASSWORD_BYTES && !rf_str_eq(password, again));
    cr_assert(vault_sql_verifier(password, &arena, &verifier, &err) == RF_OK);
    cr_assert(rf_str_starts(verifier, RF_S("SCRAM-SHA-256$4096:")) && verifier.len == 133, "%.*s",
              RF_FMT(verifier));
}

/* ---- a world with a database that nobody listens at ------------------------------------------------------------------------------ */

static const rf_str hosts[] = {RF_S("localhost:1"), RF_S("db.example:5432")};

/* As the walk's world, with hosts that the server may connect to. */
static void begin(struct vault_world *w)
{
    v_init(w);
    v_close(w);
    v_open(w);
    w->vaults->options.outbound_hosts = hosts;
    w->vaults->options.outbound_host_count = RF_COUNT(hosts);
    vault_acme_free(w->vaults->acme);
    cr_assert(vault_acme_new(&w->vaults->options, &w->vaults->acme, &w->err) == RF_OK);
}

static struct vault_place place_of(struct vault_world *w)
{
    struct vault_place place;
    cr_assert(vault_place_find(w->vaults, NULL, RF_S(V_NAME), &w->site.arena, &place, &w->err) ==
              RF_OK);
    return place;
}

/* A database as PUT would have kept it. */
static void keep(struct vault_world *w)
{
    struct rf_arena *arena = &w->site.arena;
    struct vault_place place = place_of(w);
    struct database db = {.guid = place.guid, .name = RF_S("app")};
    struct json_node *sealed;
    struct state_txn *txn;
    cr_assert(json_parse(RF_S("{\"name\":\"App\",\"host\":\"localhost\",\"port\":1,\"database\":"
                              "\"app\",\"user\":\"ringfort\",\"tls\":\"none\",\"clearPassword\":"
                              "false}"),
                         arena, &db.node, &w->err) == RF_OK);
    cr_assert(vault_database_seal(w->vaults, &db, RF_S("pencil-pencil"), arena, &sealed, &w->err) ==
                  RF_OK,
              "%s", w->err.text);
    json_set(arena, db.node, RF_S("login"), sealed);
    cr_assert(state_begin_write(w->site.state, &txn, &w->err) == RF_OK);
    cr_assert(vault_database_put(w->vaults, txn, arena, &db, &w->err) == RF_OK);
    cr_assert(state_commit(txn, &w->err) == RF_OK);
}

static void keep_lease(struct vault_world *w, const char *id, enum lease_state state,
                       int64_t expires, const char *boot)
{
    struct vault_place place = place_of(w);
    struct state_txn *txn;
    struct lease lease = {.guid = place.guid,
                          .database = RF_S("app"),
                          .id = rf_str_of(id),
                          .vault_id = place.id,
                          .vault = place.name,
                          .role = RF_S("ro"),
                          .user = RF_S("v-kv1-ro-0123456789abcdef"),
                          .by_id = RF_S(HOLDER),
                          .by_name = RF_S("app"),
                          .state = state,
                          .created = WALK_NOW,
                          .expires = expires,
                          .ends = WALK_NOW + 86400,
                          .due = state == LEASE_CREATING ? WALK_NOW : expires,
                          .boot = rf_str_of(boot)};
    cr_assert(state_begin_write(w->site.state, &txn, &w->err) == RF_OK);
    cr_assert(vault_lease_put(txn, &w->site.arena, &lease, &w->err) == RF_OK);
    cr_assert(state_commit(txn, &w->err) == RF_OK);
}

static void tick(struct vault_world *w)
{
    vaults_tick(w->vaults, rf_clock_now(&w->site.clock.clock));
}

static int64_t number(struct vault_world *w, const char *at)
{
    int64_t out = -1;
    (void)json_i64_at(w->answer, at, &out);
    return out;
}

static uint32_t count_of(struct vault_world *w, const char *space)
{
    struct state_txn *txn;
    struct state_list list;
    struct state_scan scan = {.space = space};
    cr_assert(state_begin_read(w->site.state, &txn, &w->err) == RF_OK);
    cr_assert(state_list(txn, &scan, &w->site.arena, &list, &w->err) == RF_OK);
    state_end(txn);
    return list.count;
}

/* ---- settings ------------------------------------------------------------------------------------------------------------------- */

Test(vault_database, settings_that_cannot_be)
{
    static const struct {
        const char *body, *says;
    } rows[] = {
        {"{}", "'host' is required"},
        {"{\"host\":\"localhost\"}", "'database' is required"},
        {"{\"host\":1}", "'host'"},
        {"{\"host\":\"local host\",\"database\":\"a\",\"user\":\"b\"}", "'host'"},
        {"{\"host\":\"localhost\",\"port\":0}",
         "'port' has invalid value: it is a whole number from 1"},
        {"{\"host\":\"localhost\",\"port\":70000}", "'port'"},
        {"{\"host\":\"localhost\",\"database\":\"a\"}", "'user' is required"},
        {SETTINGS(",\"clearPassword\":3"), "'clearPassword'"},
        {SETTINGS(",\"allowedRoles\":\"a\""), "'allowedRoles'"},
        {SETTINGS(",\"allowedRoles\":[\"a b\"]"), "'allowedRoles'"},
        {SETTINGS(",\"allowedRoles\":[\"\"]"), "'allowedRoles[0]'"},
        {"{\"host\":\"localhost\",\"port\":1,\"database\":\"a\",\"user\":\"b\",\"tls\":\"some\"}",
         "'tls' has invalid value: it is full, pinned or none"},
        {"{\"host\":\"localhost\",\"port\":1,\"database\":\"a\",\"user\":\"b\",\"tls\":\"pinned\"}",
         "'pin' has invalid value"},
        {"{\"host\":\"localhost\",\"port\":1,\"database\":\"a\",\"user\":\"b\",\"tls\":\"pinned\","
         "\"pin\":\"zz\"}",
         "'pin' has invalid value"},
        {"{\"host\":\"db.example\",\"database\":\"a\",\"user\":\"b\",\"tls\":\"none\",\"password\":"
         "\"x\"}",
         "loopback addresses only"},
        {"{\"host\":\"db.example\",\"port\":5433,\"database\":\"a\",\"user\":\"b\",\"password\":"
         "\"x\"}",
         "may not connect to db.example:5433"},
        {"{\"host\":\"10.0.0.9\",\"database\":\"a\",\"user\":\"b\",\"password\":\"x\"}",
         "outbound.hosts"},
        {"{\"host\":\"localhost\",\"port\":1,\"database\":\"a\",\"user\":\"b\",\"tls\":\"none\"}",
         "'password' is required"},
    };
    struct vault_world w;
    begin(&w);
    for (size_t i = 0; i < RF_COUNT(rows); i++) {
        v_expect(&w, "PUT", DB, rows[i].body, 400);
        rf_str text = json_text_at(w.answer, "error.message");
        cr_expect(rf_str_find(text, rf_str_of(rows[i].says), 0) != SIZE_MAX, "%s: %.*s",
                  rows[i].says, RF_FMT(text));
    }
    /* Nobody listens there: it is not kept, and the password is in no answer and no row. */
    v_expect_error(&w, "PUT", DB, SETTINGS(""), 502, "DatabaseUnavailable", NULL);
    cr_assert(rf_str_find(rf_buf_view(&w.last.body), RF_S("pencil"), 0) == SIZE_MAX);
    cr_assert(rf_str_find(w.site.last_row, RF_S("pencil"), 0) == SIZE_MAX);
    cr_assert(rf_str_find(w.site.last_row, RF_S("DatabaseSet"), 0) != SIZE_MAX);
    v_expect_error(&w, "GET", DB, NULL, 404, "DatabaseNotFound", NULL);
    v_expect(&w, "GET", "/databases", NULL, 200);
    cr_assert(json_get(w.answer, "value")->count == 0);
    v_expect(&w, "GET", "/databases/a%20b", NULL, 400);
    v_expect(&w, "GET", DB "/roles/a%20b", NULL, 400);
    v_expect(&w, "PATCH", DB, "{}", 405);
    v_done(&w);
}

Test(vault_database, a_database_is_shown_without_its_password)
{
    struct vault_world w;
    begin(&w);
    keep(&w);
    v_expect(&w, "GET", "/databases/APP", NULL, 200);
    v_expect_text(&w, "name", "App");
    cr_assert(json_get(w.answer, "login") == NULL && json_get(w.answer, "next") == NULL);
    v_expect(&w, "GET", "/databases", NULL, 200);
    cr_assert(json_get(w.answer, "value")->count == 1);
    cr_assert(rf_str_find(rf_buf_view(&w.last.body), RF_S("sealed"), 0) == SIZE_MAX);
    /* Elsewhere the password that is kept is not sent. */
    v_expect(&w, "PUT", DB, "{\"user\":\"other\"}", 400);
    cr_assert(rf_str_find(json_text_at(w.answer, "error.message"),
                          RF_S("'password' is required when"), 0) != SIZE_MAX);
    v_expect(&w, "PUT", DB, "{\"clearPassword\":true}", 400);
    v_expect(&w, "POST", DB "/rotate-root", NULL, 502);
    v_expect(&w, "DELETE", DB, NULL, 200);
    cr_assert(count_of(&w, "vault.database") == 0);
    v_done(&w);
}

/* ---- roles ---------------------------------------------------------------------------------------------------------------------- */

Test(vault_database, roles)
{
    static const struct {
        const char *body, *says;
    } rows[] = {
        {"{\"creationStatements\":\"x\"}", "'creationStatements'"},
        {"{\"creationStatements\":[1]}", "'creationStatements[0]'"},
        {"{\"creationStatements\":[\"CREATE ROLE {{name}}\"]}", "{{verifier}} is missing"},
        {"{\"creationStatements\":[\"PASSWORD {{verifier}}\"]}", "{{name}} is missing"},
        {"{\"creationStatements\":[" CREATE ",\"{{x}}\"]}",
         "'creationStatements[1]' has invalid value: unknown placeholder {{x}}"},
        {"{\"renewStatements\":[\"{{verifier}}\"]}", "'renewStatements[0]'"},
        {"{\"revocationStatements\":[\"{{expiration}}\"]}", "'revocationStatements[0]'"},
        {"{\"grants\":[\"a;b\"]}", "'grants[0]'"},
        {"{\"memberOf\":[\"\"]}", "'memberOf[0]'"},
        {"{\"defaultTtl\":0}", "'defaultTtl'"},
        {"{\"defaultTtl\":100,\"maxTtl\":50}", "longer than maxTtl"},
        {"{\"maxTtl\":99999999}", "'maxTtl'"},
        {"{\"maxLeases\":\"5\"}", "'maxLeases'"},
    };
    struct vault_world w;
    begin(&w);
    v_expect_error(&w, "PUT", DB "/roles/ro", "{}", 404, "DatabaseNotFound", NULL);
    keep(&w);
    for (size_t i = 0; i < RF_COUNT(rows); i++) {
        v_expect(&w, "PUT", DB "/roles/ro", rows[i].body, 400);
        rf_str text = json_text_at(w.answer, "error.message");
        cr_expect(rf_str_find(text, rf_str_of(rows[i].says), 0) != SIZE_MAX, "%s: %.*s",
                  rows[i].says, RF_FMT(text));
    }
    v_expect_error(&w, "GET", DB "/roles/ro", NULL, 404, "DatabaseRoleNotFound", NULL);
    v_expect(&w, "PUT", DB "/roles/Ro", "{\"grants\":[\"SELECT ON t\"],\"maxTtl\":600}", 200);
    cr_assert(number(&w, "defaultTtl") == 600 && number(&w, "maxLeases") == 100);
    v_expect(&w, "PUT", DB "/roles/rw", "{\"creationStatements\":[" CREATE "]}", 200);
    v_expect(&w, "GET", DB "/roles/RO", NULL, 200);
    v_expect_text(&w, "name", "Ro");
    cr_assert(rf_str_find(w.site.last_row, RF_S("DatabaseRoleGet"), 0) != SIZE_MAX);
    v_expect(&w, "GET", DB "/roles?maxresults=1", NULL, 200);
    cr_assert(json_get(w.answer, "value")->count == 1);
    cr_assert(rf_str_find(json_text_at(w.answer, "nextLink"), RF_S("skiptoken"), 0) != SIZE_MAX);
    v_expect(&w, "GET", DB "/roles", NULL, 200);
    cr_assert(json_get(w.answer, "value")->count == 2);
    v_expect(&w, "DELETE", DB "/roles/rw", NULL, 200);
    v_expect(&w, "GET", DB "/roles/rw", NULL, 404);
    keep_lease(&w, "00000000000000000000000000000001", LEASE_LIVE, WALK_NOW + 100, "");
    v_expect_error(&w, "DELETE", DB "/roles/ro", NULL, 409, "Conflict", "LeasesLive");
    v_expect_error(&w, "DELETE", DB, NULL, 409, "Conflict", "LeasesLive");
    v_expect_error(&w, "PUT", DB, "{\"database\":\"other\"}", 409, "Conflict", "LeasesLive");
    v_expect(&w, "DELETE", DB "?abandon=true", NULL, 200);
    cr_assert(count_of(&w, "vault.database_role") == 0 && count_of(&w, "vault.lease") == 0 &&
              count_of(&w, "vault.lease_due") == 0);
    v_done(&w);
}

/* ---- leases --------------------------------------------------------------------------------------------------------------------- */

Test(vault_database, what_cannot_be_made_leaves_no_lease)
{
    struct vault_world w;
    begin(&w);
    keep(&w);
    v_expect(&w, "PUT", DB "/roles/ro", "{\"maxTtl\":600,\"maxLeases\":2}", 200);
    v_expect(&w, "POST", DB "/roles/ro/credentials", "{\"ttl\":601}", 400);
    v_expect(&w, "POST", DB "/roles/ro/credentials", "{\"ttl\":\"5\"}", 400);
    v_expect_error(&w, "POST", DB "/roles/rw/credentials", NULL, 404, "DatabaseRoleNotFound", NULL);
    v_expect_error(&w, "POST", DB "/roles/ro/credentials", "{\"ttl\":5}", 502,
                   "DatabaseUnavailable", NULL);
    cr_assert(count_of(&w, "vault.lease") == 0 && count_of(&w, "vault.lease_due") == 0);
    keep_lease(&w, "00000000000000000000000000000001", LEASE_LIVE, WALK_NOW + 100, "");
    keep_lease(&w, "00000000000000000000000000000002", LEASE_FAILED, WALK_NOW + 100, "");
    v_expect_error(&w, "POST", DB "/roles/ro/credentials", NULL, 429, "Throttled", "LeaseLimit");
    v_done(&w);
}

Test(vault_database, a_lease_that_cannot_be_ended_waits_longer_each_time)
{
    struct vault_world w;
    begin(&w);
    keep(&w);
    keep_lease(&w, "00000000000000000000000000000001", LEASE_LIVE, WALK_NOW + 100, "");
    tick(&w);
    v_expect(&w, "GET", DB "/leases", NULL, 200);
    cr_assert(rf_str_is(json_text_at(json_get(w.answer, "value")->first, "state"), "live"));
    int64_t last = 0;
    for (int i = 1; i <= 9; i++) {
        int64_t now = rf_clock_now(&w.site.clock.clock) / RF_USEC_PER_SECOND;
        v_pass(&w, (i == 1 ? WALK_NOW + 100 : last) - now);
        now = rf_clock_now(&w.site.clock.clock) / RF_USEC_PER_SECOND;
        tick(&w);
        v_be(&w, V_ADMIN);
        v_expect(&w, "GET", DB "/leases/00000000000000000000000000000001", NULL, 200);
        v_expect_text(&w, "state", i < 8 ? "revoking" : "failed");
        cr_assert(number(&w, "tries") == i, "%d: %lld", i, (long long)number(&w, "tries"));
        cr_assert(number(&w, "nextTry") - now ==
                      (i >= 8 ? 3600 : RF_MIN(INT64_C(5) << (i - 1), INT64_C(900))),
                  "%d: %lld", i, (long long)(number(&w, "nextTry") - now));
        cr_assert(json_text_at(w.answer, "why").len > 0);
        last = number(&w, "nextTry");
    }
    cr_assert(count_of(&w, "vault.lease_due") == 1);
    v_done(&w);
}

/* One server that is away is asked once in a round, and the others' leases wait with it. */
Test(vault_database, a_login_that_nobody_knows_of_is_looked_for)
{
    struct vault_world w;
    begin(&w);
    keep(&w);
    rf_str mine = vault_databases_boot(w.vaults->databases);
    keep_lease(&w, "00000000000000000000000000000001", LEASE_CREATING, WALK_NOW + 100,
               rf_arena_cstr(&w.site.arena, mine));
    keep_lease(&w, "00000000000000000000000000000002", LEASE_CREATING, WALK_NOW + 100, "another");
    tick(&w);
    v_expect(&w, "GET", DB "/leases/00000000000000000000000000000001", NULL, 200);
    v_expect_text(&w, "state", "creating");
    v_expect(&w, "POST", DB "/leases/00000000000000000000000000000001/revoke", NULL, 409);
    v_expect(&w, "GET", DB "/leases/00000000000000000000000000000002", NULL, 200);
    v_expect_text(&w, "state", "revoking");
    cr_assert(number(&w, "tries") == 1);
    /* One that never came to its end is such a one too. */
    v_pass(&w, 121);
    tick(&w);
    v_be(&w, V_ADMIN);
    v_expect(&w, "GET", DB "/leases/00000000000000000000000000000001", NULL, 200);
    v_expect_text(&w, "state", "revoking");
    v_done(&w);
}

Test(vault_database, who_may)
{
    struct vault_world w;
    const char *lease = DB "/leases/00000000000000000000000000000001";
    begin(&w);
    keep(&w);
    v_expect(&w, "PUT", DB "/roles/ro", "{}", 200);
    keep_lease(&w, "00000000000000000000000000000001", LEASE_LIVE, WALK_NOW + 100, "");
    /* Roles for secrets say nothing of databases. */
    v_assign(&w, V_OTHER, V_ROLE_SECRETS_OFFICER, V_ID);
    v_be(&w, V_OTHER);
    v_expect(&w, "GET", "/databases", NULL, 403);
    v_expect(&w, "GET", DB, NULL, 403);
    v_expect(&w, "PUT", DB, SETTINGS(""), 403);
    v_expect(&w, "DELETE", DB, NULL, 403);
    v_expect(&w, "POST", DB "/rotate-root", NULL, 403);
    v_expect(&w, "PUT", DB "/roles/ro", "{}", 403);
    v_expect(&w, "POST", DB "/roles/ro/credentials", NULL, 403);
    v_expect(&w, "POST", DB "/revoke", NULL, 403);
    v_expect(&w, "GET", DB "/leases", NULL, 403);
    v_expect(&w, "GET", lease, NULL, 403);
    v_expect(&w, "POST", DB "/leases/00000000000000000000000000000001/renew", NULL, 403);
    v_expect(&w, "POST", DB "/leases/00000000000000000000000000000001/revoke", NULL, 403);
    cr_assert(rf_str_find(w.site.last_row, RF_S("DatabaseLeaseRevoke"), 0) != SIZE_MAX);
    v_expect_error(&w, "GET", DB "/leases/00000000000000000000000000000002", NULL, 404,
                   "LeaseNotFound", NULL);
    /* Its holder sees it and gives it back, but renews it only as long as he would be given a new one. */
    v_be(&w, HOLDER);
    v_expect(&w, "GET", lease, NULL, 200);
    v_expect(&w, "POST", DB "/leases/00000000000000000000000000000001/renew", NULL, 403);
    v_expect(&w, "POST", DB "/leases/00000000000000000000000000000001/revoke", NULL, 202);
    v_expect_text(&w, "state", "revoking");
    v_be(&w, NULL);
    v_expect(&w, "GET", "/databases", NULL, 401);
    v_done(&w);
}

/* One role of one database, and no other. */
Test(vault_database, a_right_to_one_role)
{
    struct vault_world w;
    begin(&w);
    keep(&w);
    v_expect(&w, "PUT", DB "/roles/ro", "{}", 200);
    v_expect(&w, "PUT", DB "/roles/rw", "{}", 200);
    v_assign(&w, HOLDER, V_ROLE_ADMIN, V_ID "/databases/app/roles/ro");
    v_be(&w, HOLDER);
    v_expect(&w, "POST", DB "/roles/rw/credentials", NULL, 403);
    v_expect(&w, "POST", "/databases/other/roles/ro/credentials", NULL, 403);
    v_expect(&w, "GET", DB "/roles/ro", NULL, 403);
    v_expect(&w, "POST", DB "/roles/ro/credentials", NULL, 502);
    v_done(&w);
}

Test(vault_database, access_policies)
{
    struct vault_world w;
    begin(&w);
    keep(&w);
    v_expect(&w, "PUT", DB "/roles/ro", "{}", 200);
    v_vault(&w, V_NAME,
            "\"enableRbacAuthorization\":false,\"accessPolicies\":[{\"tenantId\":\"" WALK_TENANT
            "\",\"objectId\":\"" HOLDER "\",\"permissions\":{\"databases\":[\"credentials\","
            "\"list\"]}},{\"tenantId\":\"" WALK_TENANT "\",\"objectId\":\"" V_OTHER
            "\",\"permissions\":{\"secrets\":[\"all\"]}}]");
    v_be(&w, HOLDER);
    v_expect(&w, "GET", "/databases", NULL, 200);
    v_expect(&w, "GET", DB, NULL, 403);
    v_expect(&w, "PUT", DB "/roles/ro", "{}", 403);
    v_expect(&w, "POST", DB "/roles/ro/credentials", NULL, 502);
    v_be(&w, V_OTHER);
    v_expect(&w, "GET", "/databases", NULL, 403);
    v_expect(&w, "POST", DB "/roles/ro/credentials", NULL, 403);
    v_done(&w);
}

/* The database stays, unseen, until its last login is gone. */
Test(vault_database, a_vault_that_is_purged_ends_its_leases)
{
    struct vault_world w;
    struct state_txn *txn;
    begin(&w);
    keep(&w);
    v_expect(&w, "PUT", DB "/roles/ro", "{}", 200);
    keep_lease(&w, "00000000000000000000000000000001", LEASE_LIVE, WALK_NOW + 5000, "");
    struct vault_place place = place_of(&w);
    cr_assert(state_begin_write(w.site.state, &txn, &w.err) == RF_OK);
    cr_assert(vault_store_forget(txn, place.guid, &w.site.arena, &w.err) == RF_OK, "%s",
              w.err.text);
    cr_assert(state_commit(txn, &w.err) == RF_OK);
    tick(&w);
    v_expect(&w, "GET", DB "/leases/00000000000000000000000000000001", NULL, 200);
    v_expect_text(&w, "state", "revoking");
    cr_assert(count_of(&w, "vault.database") == 1 && count_of(&w, "vault.database_role") == 1);
    struct lease lease;
    cr_assert(vault_lease_get(w.vaults, NULL, place.guid, RF_S("app"),
                              RF_S("00000000000000000000000000000001"), &w.site.arena, &lease,
                              &w.err) == RF_OK);
    cr_assert(state_begin_write(w.site.state, &txn, &w.err) == RF_OK);
    cr_assert(vault_lease_delete(txn, &w.site.arena, &lease, &w.err) == RF_OK);
    cr_assert(state_commit(txn, &w.err) == RF_OK);
    tick(&w);
    cr_assert(count_of(&w, "vault.database") == 0 && count_of(&w, "vault.database_role") == 0);
    v_done(&w);
}

/* After a rotation of the root the password hangs on the newest one, and is the same. */
Test(vault_database, a_new_root)
{
    struct vault_world w;
    char reply[ROOT_REPLY_BYTES];
    struct database db;
    rf_str wrapped[2];
    uint8_t clear[2][32];
    begin(&w);
    keep(&w);
    struct vault_place place = place_of(&w);
    struct root_talk talk = keeper_core_talk(w.core);
    root_talk(&talk, RF_S("rotate"), reply);
    cr_assert(strncmp(reply, "ok open", 7) == 0, "%s", reply);
    struct keeper_generations roots;
    cr_assert(keeper_rewrap_turn(w.keeper, KEEPER_TURN_ASK, NULL, &roots, &w.err) == RF_OK);
    struct rewrap_sweep sweep = {.keeper = w.keeper, .newest = roots.newest, .moves = true};
    for (int i = 0; i < 2; i++) {
        cr_assert(vault_database_get(w.vaults, NULL, place.guid, RF_S("app"), &w.site.arena, &db,
                                     &w.err) == RF_OK);
        cr_assert(base64_decode(&w.site.arena, json_text_at(db.node, "login.key"), &wrapped[i],
                                &w.err) == RF_OK);
        cr_assert(keeper_data_key_open(w.keeper, wrapped[i], clear[i], &w.err) == RF_OK);
        if (i == 0) cr_assert(vaults_rewrap(w.vaults, &sweep, &w.err) == RF_OK);
    }
    cr_assert(!rf_str_eq(wrapped[0], wrapped[1]));
    cr_assert(memcmp(clear[0], clear[1], 32) == 0);
    cr_assert(sweep.found.unread == 0);
    v_done(&w);
}
