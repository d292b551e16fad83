/* The link that makes an administrator: once, for a day, and what comes out of it; the account for emergencies. */
#include "test/rf_prop.h"

#include "identity/browser_int.h"
#include "people/factor.h"
#include "people/session.h"
#include "test/passkey_rig.h"

#define NAME "maeve@ringfort.localhost"
#define GLOBAL_ADMINISTRATOR "62e90394-69f5-4237-9190-012177145e10"

struct place {
    struct bench b;
    rf_str code;
};

static rf_str make_link(struct bench *b, rf_str user)
{
    struct state_txn *txn;
    struct rf_err err;
    rf_str code;
    cr_assert(state_begin_write(b->state, &txn, &err) == RF_OK);
    cr_assert(identity_make_admin_link(b->identity, txn, user, &b->arena, &code, &err) == RF_OK,
              "%s", err.text);
    cr_assert(state_commit(txn, &err) == RF_OK);
    return code;
}

static bool has_administrator(struct bench *b)
{
    struct state_txn *txn;
    struct rf_err err;
    bool has;
    cr_assert(state_begin_read(b->state, &txn, &err) == RF_OK);
    cr_assert(identity_has_administrator(txn, &b->arena, &has, &err) == RF_OK);
    state_end(txn);
    return has;
}

static void open_place(struct place *w)
{
    bench_open(&w->b, NULL);
    w->b.app = bench_app(&w->b, "admin",
                         "User.ReadWrite.All Directory.ReadWrite.All "
                         "AppRoleAssignment.ReadWrite.All UserAuthenticationMethod.ReadWrite.All");
    w->b.token = bench_graph_token(&w->b, &w->b.app);
    w->code = make_link(&w->b, (rf_str){0});
}

static void open_link(struct place *w, struct browser *v, rf_str code)
{
    browse(v, HTTP_GET, bench_text(&w->b, "/signin/first?code=%.*s", RF_FMT(code)), (rf_str){0});
}

static void send_first(struct place *w, struct browser *v, const char *name, const char *password,
                       const char *again)
{
    browse(v, HTTP_POST, "/signin/first",
           rf_arena_printf(&w->b.arena,
                           "code=%.*s&loginfmt=%s&displayName=Maeve%%20Byrne&newPassword=%s"
                           "&confirmNewPassword=%s",
                           RF_FMT(w->code), name, password, again));
}

static rf_str cookie(const struct browser *v, const char *name)
{
    for (uint32_t i = 0; i < v->count; i++)
        if (rf_str_is(v->names[i], name)) return v->values[i];
    return (rf_str){0};
}

static rf_str user_id(struct place *w, const char *name)
{
    struct bench_answer a =
        bench_graph(&w->b, HTTP_GET, bench_text(&w->b, "/v1.0/users/%s", name), NULL);
    return json_text_at(a.json, "id");
}

static bool may(struct place *w, rf_str user, const char *action, bool is_data)
{
    struct principal who = {.type = PRINCIPAL_USER, .object_id = user};
    return authz_check(w->b.authz, &who, rf_str_of(action), RF_S("/subscriptions/s"), is_data);
}

Test(first, a_link_makes_an_administrator_once)
{
    struct place w;
    open_place(&w);
    struct browser v = {.b = &w.b}, late = {.b = &w.b};
    cr_assert(!has_administrator(&w.b));
    open_link(&w, &v, w.code);
    cr_assert(v.page.status == 200);
    cr_assert(shows(&v, "value=\"admin@ringfort.localhost\""), "%.*s", RF_FMT(v.page.text));
    cr_assert(shows(&v, "name=\"newPassword\""));
    cr_assert(rf_str_find(bench_header(&v.page, "Referrer-Policy"), RF_S("no-referrer"), 0) == 0);
    open_link(&w, &late, w.code);
    cr_assert(late.page.status == 200, "opening takes nothing");
    send_first(&w, &v, "maeve", PASSWORD, PASSWORD);
    cr_assert(shows(&v, "name=\"otc\"") && shows(&v, "value=\"later\""), "%.*s",
              RF_FMT(v.page.text));
    cr_assert(has_administrator(&w.b));
    rf_str user = user_id(&w, NAME);
    cr_assert(user.len > 0);
    cr_assert(may(&w, user, "Microsoft.Authorization/roleAssignments/write", false));
    cr_assert(may(&w, user, "Microsoft.KeyVault/vaults/secrets/getSecret/action", true));
    /* Used: neither the other browser nor a new one gets anything. */
    send_first(&w, &late, "mallory", PASSWORD, PASSWORD);
    cr_assert(late.page.status == 410 && shows(&late, "ringfort admin link"));
    cr_assert(cookie(&late, "__Host-rf_session").len == 0);
    open_link(&w, &late, w.code);
    cr_assert(late.page.status == 410);
    cr_assert(user_id(&w, "mallory@ringfort.localhost").len == 0);
    send_page(&v, "switch", RF_S("later"));
    cr_assert(v.page.status == 303);
    cr_assert(rf_str_is(bench_header(&v.page, "Location"), "/portal/"));
    cr_assert(cookie(&v, "__Host-rf_session").len == 43);
    static const char *const rows[][4] = {
        {"\"OperationName\":\"Add user\"", NAME, NULL},
        {"\"OperationName\":\"Add member to role\"", "Global Administrator", NULL},
        {"\"OperationName\":\"Use administrator link\"", NAME, NULL}};
    for (size_t i = 0; i < RF_COUNT(rows); i++)
        cr_assert(bench_has_row(&w.b, "AuditLogs", rows[i]), "%zu", i);
    static const char *const in[] = {"\"ResultType\":\"0\"", NAME, NULL};
    cr_assert(bench_has_row(&w.b, "SigninLogs", in));
    cr_assert(rf_str_find(rf_buf_view(&w.b.rows), w.code, 0) == SIZE_MAX);
    cr_assert(rf_str_find(rf_buf_view(&w.b.rows), RF_S(PASSWORD), 0) == SIZE_MAX);
    bench_close(&w.b);
}

Test(first, bad_answers_leave_the_link)
{
    struct place w;
    open_place(&w);
    struct bench_answer a = bench_graph(
        &w.b, HTTP_POST, "/v1.0/users",
        "{\"accountEnabled\":true,\"displayName\":\"Orla\",\"mailNickname\":\"orla\","
        "\"userPrincipalName\":\"orla@ringfort.localhost\",\"passwordProfile\":{\"password\":"
        "\"" PASSWORD "\"}}");
    cr_assert(a.status == 201, "%.*s", RF_FMT(a.text));
    static const struct {
        const char *name, *password, *again, *shows;
    } rows[] = {
        {"maeve", PASSWORD, PASSWORD "x", "errorText"},
        {"maeve", "short", "short", "errorText"},
        {"maeve", "password123456", "password123456", "errorText"},
        {"maeve", "maeve-and-the-sea", "maeve-and-the-sea", "errorText"},
        {"orla", PASSWORD, PASSWORD, "usernameError"},
        {"maeve%40evil.example", PASSWORD, PASSWORD, "usernameError"},
        {"a+b", PASSWORD, PASSWORD, "usernameError"},
        {"%3Cb%3E", PASSWORD, PASSWORD, "usernameError"},
        {"", PASSWORD, PASSWORD, "usernameError"},
    };
    struct browser v = {.b = &w.b};
    for (size_t i = 0; i < RF_COUNT(rows); i++) {
        send_first(&w, &v, rows[i].name, rows[i].password, rows[i].again);
        cr_assert(v.page.status == 200 && shows(&v, rows[i].shows), "%zu: %.*s", i,
                  RF_FMT(v.page.text));
        cr_assert(shows(&v, "name=\"newPassword\"") && !shows(&v, PASSWORD));
    }
    cr_assert(!has_administrator(&w.b));
    send_first(&w, &v, "maeve", PASSWORD, PASSWORD);
    cr_assert(shows(&v, "name=\"otc\""));
    bench_close(&w.b);
}

Test(first, links_end)
{
    struct place w;
    open_place(&w);
    struct browser v = {.b = &w.b};
    rf_str old = w.code;
    w.code = make_link(&w.b, (rf_str){0});
    open_link(&w, &v, old);
    cr_assert(v.page.status == 410, "a newer one ends it");
    static const char *const wrong[] = {"", "x", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"};
    for (size_t i = 0; i < RF_COUNT(wrong); i++) {
        open_link(&w, &v, rf_str_of(wrong[i]));
        cr_assert(v.page.status == 410, "%zu", i);
    }
    rf_clock_fixed_pass(&w.b.clock, (rf_usec)(24 * 3600 - 5) * RF_USEC_PER_SECOND);
    open_link(&w, &v, w.code);
    cr_assert(v.page.status == 200);
    rf_clock_fixed_pass(&w.b.clock, 6 * RF_USEC_PER_SECOND);
    open_link(&w, &v, w.code);
    cr_assert(v.page.status == 410);
    send_first(&w, &v, "maeve", PASSWORD, PASSWORD);
    cr_assert(v.page.status == 410 && !has_administrator(&w.b));
    bench_close(&w.b);
}

/* The code that an authenticator shows for the key on the page. */
static rf_str totp_of(struct place *w, const struct browser *v)
{
    rf_str key = between(v->page.text, "<div class=\"secret\">", "<");
    uint8_t *secret = rf_arena_new(&w->b.arena, uint8_t, key.len);
    size_t len = 0;
    for (size_t i = 0; i < key.len; i++)
        if (key.ptr[i] != ' ') secret[len++] = key.ptr[i];
    char text[8];
    for (unsigned code = 0; code < 1000000; code++) {
        uint64_t step;
        snprintf(text, sizeof text, "%06u", code);
        if (totp_proves(rf_str_make(secret, len), rf_str_of(text), w->b.clock.now, &step))
            return rf_arena_printf(&w->b.arena, "%s", text);
    }
    cr_assert(false, "no code fits");
    return (rf_str){0};
}

Test(first, a_second_factor_and_codes_for_the_day_it_is_lost)
{
    struct place w;
    open_place(&w);
    struct browser v = {.b = &w.b};
    send_first(&w, &v, "maeve", PASSWORD, PASSWORD);
    send_page(&v, "otc", RF_S("000000x"));
    cr_assert(shows(&v, "id=\"otcError\">") && shows(&v, "value=\"later\""));
    struct browser twin = v;
    send_page(&v, "otc", totp_of(&w, &v));
    cr_assert(shows(&v, "<ul class=\"codes\">"), "%.*s", RF_FMT(v.page.text));
    cr_assert(cookie(&v, "__Host-rf_session").len == 0, "not before they are kept");
    send_page(&v, "kept", RF_S("yes"));
    cr_assert(v.page.status == 303 && cookie(&v, "__Host-rf_session").len == 43);
    struct bench_answer a = bench_graph(
        &w.b, HTTP_GET, "/v1.0/users/" NAME "/authentication/softwareOathMethods", NULL);
    cr_assert(json_get(a.json, "value")->first != NULL);
    /* The page of before adds nothing more. */
    send_page(&twin, "otc", totp_of(&w, &twin));
    a = bench_graph(&w.b, HTTP_GET, "/v1.0/users/" NAME "/authentication/softwareOathMethods",
                    NULL);
    cr_assert(json_get(a.json, "value")->first->next == NULL);
    static const char *const row[] = {"\"OperationName\":\"User registered security info\"", NAME,
                                      NULL};
    cr_assert(bench_has_row(&w.b, "AuditLogs", row));
    bench_close(&w.b);
}

Test(first, a_passkey_instead)
{
    struct place w;
    open_place(&w);
    struct browser v = {.b = &w.b};
    struct token token;
    token_make(&token, COSE_ES256);
    send_first(&w, &v, "maeve", PASSWORD, PASSWORD);
    send_page(&v, "switch", RF_S("passkey"));
    cr_assert(shows(&v, "data-passkey=\"create\"") && shows(&v, "value=\"code\""), "%.*s",
              RF_FMT(v.page.text));
    rf_str challenge;
    struct rf_err err;
    rf_str text = between(v.page.text, "&quot;challenge&quot;:&quot;", "&quot;");
    cr_assert(base64url_decode(&w.b.arena, text, &challenge, &err) == RF_OK && challenge.len == 32);
    struct token_answer answer = token_create();
    send_page(&v, "credential",
              json_to_text(&w.b.arena, token_answer(&token, &answer, &w.b.arena)));
    cr_assert(shows(&v, "data-passkey=\"create\""), "an answer to another challenge");
    text = between(v.page.text, "&quot;challenge&quot;:&quot;", "&quot;");
    cr_assert(base64url_decode(&w.b.arena, text, &challenge, &err) == RF_OK);
    memcpy(answer.challenge, challenge.ptr, sizeof answer.challenge);
    send_page(&v, "credential",
              json_to_text(&w.b.arena, token_answer(&token, &answer, &w.b.arena)));
    cr_assert(shows(&v, "<ul class=\"codes\">"), "%.*s", RF_FMT(v.page.text));
    struct bench_answer a =
        bench_graph(&w.b, HTTP_GET, "/v1.0/users/" NAME "/authentication/fido2Methods", NULL);
    cr_assert(json_get(a.json, "value")->first != NULL, "%.*s", RF_FMT(a.text));
    bench_close(&w.b);
}

/* ---- who is locked out ---------------------------------------------------------------------------------------------------- */

static void give_owner(struct place *w)
{
    struct state_txn *txn;
    struct rf_err err;
    cr_assert(state_begin_write(w->b.state, &txn, &err) == RF_OK);
    cr_assert(authz_assign(w->b.authz, txn, w->b.app.object_id, "ServicePrincipal", ROLE_OWNER,
                           RF_S("/"), &err) == RF_OK);
    cr_assert(state_commit(txn, &err) == RF_OK);
}

#define LINK "/beta/directory/ringfort.administratorLink"
Test(first, a_link_for_who_is_locked_out)
{
    struct place w;
    open_place(&w);
    struct browser v = {.b = &w.b};
    send_first(&w, &v, "maeve", PASSWORD, PASSWORD);
    send_page(&v, "otc", totp_of(&w, &v));
    send_page(&v, "kept", RF_S("yes"));
    rf_str session = cookie(&v, "__Host-rf_session");
    cr_assert(session.len == 43);
    struct bench_answer a = bench_graph(&w.b, HTTP_POST, LINK, "{}");
    cr_assert(a.status == 403, "app roles alone do not do: %.*s", RF_FMT(a.text));
    give_owner(&w);
    a = bench_graph(&w.b, HTTP_POST, LINK, "{\"userPrincipalName\":\"nobody\"}");
    cr_assert(a.status == 404, "%.*s", RF_FMT(a.text));
    a = bench_graph(&w.b, HTTP_POST, LINK, "{\"userPrincipalName\":\"Maeve\"}");
    cr_assert(a.status == 201, "%.*s", RF_FMT(a.text));
    rf_str link = json_text_at(a.json, "link");
    cr_assert(rf_str_starts(link, RF_S(BENCH_ORIGIN "/signin/first?code=")));
    w.code = rf_slice(link, link.len - 43, link.len);
    struct browser fresh = {.b = &w.b};
    rf_clock_fixed_pass(&w.b.clock, 3 * RF_USEC_PER_SECOND);
    open_link(&w, &fresh, w.code);
    cr_assert(shows(&fresh, "readonly") && !shows(&fresh, "name=\"displayName\""));
    /* The name that is sent does not matter: it is Maeve's link. */
    send_first(&w, &fresh, "mallory", "quite-another-phrase", "quite-another-phrase");
    cr_assert(shows(&fresh, "name=\"otc\""), "%.*s", RF_FMT(fresh.page.text));
    cr_assert(user_id(&w, "mallory@ringfort.localhost").len == 0);
    send_page(&fresh, "switch", RF_S("later"));
    cr_assert(fresh.page.status == 303);
    a = bench_graph(&w.b, HTTP_GET, "/v1.0/users/" NAME "/authentication/methods", NULL);
    const struct json_node *list = json_get(a.json, "value");
    cr_assert(list->first != NULL && list->first->next == NULL, "the password alone: %.*s",
              RF_FMT(a.text));
    static const char *const row[] = {"\"OperationName\":\"Reset user password\"", NAME, NULL};
    cr_assert(bench_has_row(&w.b, "AuditLogs", row));
    struct state_txn *txn;
    struct rf_err err;
    struct session found;
    cr_assert(state_begin_read(w.b.state, &txn, &err) == RF_OK);
    cr_assert(session_find(txn, session, w.b.clock.now, &w.b.arena, &found, &err) == RF_NOT_FOUND);
    cr_assert(session_find(txn, cookie(&fresh, "__Host-rf_session"), w.b.clock.now, &w.b.arena,
                           &found, &err) == RF_OK);
    state_end(txn);
    bench_close(&w.b);
}

/* ---- emergencies -------------------------------------------------------------------------------------------------------- */

#define BREAK_GLASS "/beta/directory/ringfort.breakGlassAccount"
#define BREAK_GLASS_NAME "break-glass@ringfort.localhost"

static const char *authorize_for(struct place *w, rf_str app_id)
{
    uint8_t hash[SHA256_BYTES];
    digest_sha256(RF_S(VERIFIER), hash);
    return bench_text(&w->b,
                      "/" BENCH_TENANT "/oauth2/v2.0/authorize?client_id=%.*s&response_type=code"
                      "&redirect_uri=https%%3A%%2F%%2Fapp.example%%2Fcb&scope=openid"
                      "&code_challenge=%.*s&code_challenge_method=S256",
                      RF_FMT(app_id),
                      RF_FMT(base64url_encode(&w->b.arena, rf_str_make(hash, sizeof hash))));
}

static bool signs_in(struct place *w, rf_str app_id, rf_str password)
{
    struct browser v = {.b = &w->b};
    browse(&v, HTTP_GET, authorize_for(w, app_id), (rf_str){0});
    send_page(&v, "loginfmt", RF_S(BREAK_GLASS_NAME));
    send_page(&v, "passwd", password);
    if (shows(&v, "id=\"idBtn_Back\"")) send_page(&v, "keep", RF_S("no"));
    if (shows(&v, "id=\"idBtn_Accept\"")) send_page(&v, "decision", RF_S("accept"));
    return v.page.status == 303;
}

Test(first, the_account_for_emergencies)
{
    struct place w;
    open_place(&w);
    struct bench_answer a = bench_graph(&w.b, HTTP_POST, BREAK_GLASS, "{}");
    cr_assert(a.status == 403, "%.*s", RF_FMT(a.text));
    give_owner(&w);
    a = bench_graph(&w.b, HTTP_POST, BREAK_GLASS, "{}");
    cr_assert(a.status == 201, "%.*s", RF_FMT(a.text));
    rf_str password = json_text_at(a.json, "password"), user = json_text_at(a.json, "id");
    cr_assert(password.len == 39 &&
              rf_str_is(json_text_at(a.json, "userPrincipalName"), BREAK_GLASS_NAME));
    cr_assert(!has_administrator(&w.b), "people still need one of their own");
    cr_assert(may(&w, user, "Microsoft.Authorization/roleAssignments/write", false));
    a = bench_graph(&w.b, HTTP_GET, "/v1.0/users/" BREAK_GLASS_NAME, NULL);
    cr_assert(rf_str_find(a.text, RF_S("reakGlass\":"), 0) == SIZE_MAX, "%.*s", RF_FMT(a.text));
    a = bench_graph(&w.b, HTTP_POST, "/v1.0/applications",
                    "{\"displayName\":\"Fleet\",\"spa\":{\"redirectUris\":[\"" REDIRECT "\"]}}");
    rf_str app_id = json_text_at(a.json, "appId");
    a = bench_graph(&w.b, HTTP_POST, "/v1.0/servicePrincipals",
                    bench_text(&w.b, "{\"appId\":\"%.*s\"}", RF_FMT(app_id)));
    cr_assert(a.status == 201, "%.*s", RF_FMT(a.text));
    static const char *const used[] = {"\"OperationName\":\"Break-glass account used\"",
                                       "\"ResultReason\":\"Sign-in to Fleet\"", "127.0.0.1", NULL},
                             *const failed[] =
                                 {"\"OperationName\":\"Break-glass account sign-in failed\"",
                                  "\"Result\":\"failure\"", NULL},
                             *const in[] = {"\"ResultType\":\"0\"", BREAK_GLASS_NAME, NULL};
    cr_assert(!signs_in(&w, app_id, RF_S("wrong-wrong-wrong")));
    cr_assert(bench_has_row(&w.b, "AuditLogs", failed));
    cr_assert(!bench_has_row(&w.b, "AuditLogs", used));
    cr_assert(signs_in(&w, app_id, password));
    cr_assert(bench_has_row(&w.b, "AuditLogs", used));
    cr_assert(bench_has_row(&w.b, "SigninLogs", in));
    cr_assert(rf_str_find(rf_buf_view(&w.b.rows), password, 0) == SIZE_MAX);
    /* A new password ends the old. */
    rf_clock_fixed_pass(&w.b.clock, 2 * RF_USEC_PER_SECOND);
    a = bench_graph(&w.b, HTTP_POST, BREAK_GLASS, "{\"userPrincipalName\":\"break-glass\"}");
    cr_assert(a.status == 201, "%.*s", RF_FMT(a.text));
    cr_assert(rf_str_eq(json_text_at(a.json, "id"), user));
    cr_assert(!signs_in(&w, app_id, password));
    cr_assert(signs_in(&w, app_id, json_text_at(a.json, "password")));
    /* Nobody's own account becomes one. */
    a = bench_graph(&w.b, HTTP_POST, "/v1.0/users",
                    "{\"accountEnabled\":true,\"displayName\":\"Orla\",\"mailNickname\":\"orla\","
                    "\"userPrincipalName\":\"orla@ringfort.localhost\",\"passwordProfile\":"
                    "{\"password\":\"" PASSWORD "\"}}");
    cr_assert(a.status == 201);
    a = bench_graph(&w.b, HTTP_POST, BREAK_GLASS, "{\"userPrincipalName\":\"orla\"}");
    cr_assert(a.status == 400, "%.*s", RF_FMT(a.text));
    bench_close(&w.b);
}
