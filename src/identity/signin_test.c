/* The whole of signing in as a browser sees it, without one: pages, cookies, codes, tokens, and what must be refused. */
#include "test/rf_prop.h"

#include "identity/browser_int.h"

#include "people/factor.h"

static const char *authorize(struct world *w, const char *more)
{
    uint8_t hash[SHA256_BYTES];
    digest_sha256(RF_S(VERIFIER), hash);
    return bench_text(&w->b,
                      "/" BENCH_TENANT "/oauth2/v2.0/authorize?client_id=%.*s&response_type=code"
                      "&redirect_uri=https%%3A%%2F%%2Fapp.example%%2Fcb&scope=openid%%20profile%%20"
                      "offline_access&state=st%%26%%3C&nonce=n1&code_challenge=%.*s"
                      "&code_challenge_method=S256%s",
                      RF_FMT(w->app_id),
                      RF_FMT(base64url_encode(&w->b.arena, rf_str_make(hash, sizeof hash))), more);
}

static void to_password(struct world *w, struct browser *v, const char *more)
{
    browse(v, HTTP_GET, authorize(w, more), (rf_str){0});
    cr_assert(v->page.status == 200, "%.*s", RF_FMT(v->page.text));
    cr_assert(shows(v, "name=\"loginfmt\""));
    send_page(v, "loginfmt", w->name);
    cr_assert(shows(v, "name=\"passwd\""), "%.*s", RF_FMT(v->page.text));
}

static void past_questions(struct browser *v)
{
    if (shows(v, "id=\"idBtn_Back\"")) send_page(v, "keep", RF_S("no"));
    if (shows(v, "id=\"idBtn_Accept\"")) send_page(v, "decision", RF_S("accept"));
}

static rf_str code_in(const struct browser *v)
{
    rf_str url = location(v);
    cr_assert(rf_str_starts(url, RF_S(REDIRECT "?code=")), "%.*s", RF_FMT(v->page.text));
    return between(url, "code=", "&");
}

static rf_str sign_in(struct world *w, struct browser *v)
{
    to_password(w, v, "");
    send_page(v, "passwd", RF_S(PASSWORD));
    past_questions(v);
    return code_in(v);
}

static struct bench_answer redeem(struct world *w, rf_str code, const char *verifier)
{
    return bench_form(
        &w->b, BENCH_TOKEN,
        rf_arena_printf(&w->b.arena,
                        "grant_type=authorization_code&client_id=%.*s&redirect_uri="
                        "https%%3A%%2F%%2Fapp.example%%2Fcb&code=%.*s&code_verifier=%s",
                        RF_FMT(w->app_id), RF_FMT(code), verifier));
}

static struct bench_answer refresh(struct world *w, rf_str token)
{
    return bench_form(&w->b, BENCH_TOKEN,
                      rf_arena_printf(&w->b.arena,
                                      "grant_type=refresh_token&client_id=%.*s&refresh_token=%.*s",
                                      RF_FMT(w->app_id), RF_FMT(token)));
}

static bool is_error(const struct bench_answer *a, const char *error, const char *code)
{
    const struct json_node *codes = json_get(a->json, "error_codes");
    return rf_str_is(json_text_at(a->json, "error"), error) && json_is(codes, JSON_T_ARRAY) &&
           rf_str_is(codes->first->text, code);
}

/* ---- the way in ---------------------------------------------------------------------------------------------------------------- */

Test(signin, password_code_tokens)
{
    struct world w;
    open_world(&w);
    struct browser v = {.b = &w.b};
    to_password(&w, &v, "");
    cr_assert(!shows(&v, "<b>Fleet"), "names are escaped");
    cr_assert(shows(&v, "&lt;b&gt;Fleet &amp; co"));
    rf_str policy = bench_header(&v.page, "Content-Security-Policy");
    cr_assert(rf_str_find(policy, RF_S("frame-ancestors 'none'"), 0) != SIZE_MAX);
    cr_assert(rf_str_find(policy, RF_S("unsafe"), 0) == SIZE_MAX);
    cr_assert(rf_str_find(policy, RF_S("form-action 'self' https://app.example;"), 0) != SIZE_MAX);
    send_page(&v, "passwd", RF_S(PASSWORD));
    past_questions(&v);
    rf_str url = location(&v);
    cr_assert(rf_str_find(url, RF_S("&state=st%26%3C&iss=https%3A%2F%2Flocalhost%3A8443%2F"), 0) !=
                  SIZE_MAX,
              "%.*s", RF_FMT(url));
    rf_str code = code_in(&v);
    struct bench_answer a = redeem(&w, code, VERIFIER);
    cr_assert(a.status == 200, "%.*s", RF_FMT(a.text));
    rf_str token = json_text_at(a.json, "refresh_token");
    cr_assert(json_text_at(a.json, "id_token").len > 0 && token.len > 0);
    struct bench_answer again = refresh(&w, token);
    cr_assert(again.status == 200, "%.*s", RF_FMT(again.text));
    /* The session does for the next request, and consent was given. */
    browse(&v, HTTP_GET, authorize(&w, "&prompt=none"), (rf_str){0});
    cr_assert(code_in(&v).len == 64);
    static const char *const row[] = {"\"ResultType\":\"0\"", "maeve@ringfort.localhost",
                                      "\"IsInteractive\":true", NULL};
    cr_assert(bench_has_row(&w.b, "SigninLogs", row));
    static const char *const silent[] = {"\"ResultType\":\"0\"", "maeve@ringfort.localhost", NULL};
    cr_assert(bench_has_row(&w.b, "AADNonInteractiveUserSignInLogs", silent));
    cr_assert(rf_str_find(rf_buf_view(&w.b.rows), RF_S(PASSWORD), 0) == SIZE_MAX);
    cr_assert(rf_str_find(rf_buf_view(&w.b.rows), token, 0) == SIZE_MAX);
    bench_close(&w.b);
}

Test(signin, codes_are_for_one_and_once)
{
    struct world w;
    open_world(&w);
    struct browser v = {.b = &w.b};
    rf_str code = sign_in(&w, &v);
    struct bench_answer a = redeem(&w, code, VERIFIER "x");
    cr_assert(is_error(&a, "invalid_grant", "501481"), "%.*s", RF_FMT(a.text));
    a = redeem(&w, code, VERIFIER);
    cr_assert(is_error(&a, "invalid_grant", "54005"), "burnt by the wrong verifier");
    browse(&v, HTTP_GET, authorize(&w, ""), (rf_str){0});
    code = code_in(&v);
    a = redeem(&w, code, VERIFIER);
    cr_assert(a.status == 200);
    rf_str token = json_text_at(a.json, "refresh_token");
    a = redeem(&w, code, VERIFIER);
    cr_assert(is_error(&a, "invalid_grant", "54005"));
    a = refresh(&w, token);
    cr_assert(is_error(&a, "invalid_grant", "70000"), "what it gave has ended: %.*s",
              RF_FMT(a.text));
    bench_close(&w.b);
}

/* ---- what must not work ---------------------------------------------------------------------------------------------------------- */

Test(signin, nobody_is_told_who_exists)
{
    struct world w;
    open_world(&w);
    rf_str texts[2];
    const rf_str names[] = {w.name, RF_S("nobody@ringfort.localhost")};
    for (size_t i = 0; i < 2; i++) {
        struct browser v = {.b = &w.b};
        w.name = names[i];
        to_password(&w, &v, "");
        send_page(&v, "passwd", RF_S("wrong-wrong-wrong"));
        texts[i] = between(v.page.text, "id=\"passwordError\">", "<");
        cr_assert(texts[i].len > 0, "%.*s", RF_FMT(v.page.text));
    }
    cr_assert(rf_str_eq(texts[0], texts[1]));
    static const char *const wrong[] = {"\"ResultType\":\"50126\"", NULL},
                             *const unknown[] = {"\"ResultType\":\"50034\"", NULL};
    cr_assert(bench_has_row(&w.b, "SigninLogs", wrong));
    cr_assert(bench_has_row(&w.b, "SigninLogs", unknown));
    bench_close(&w.b);
}

Test(signin, a_page_belongs_to_its_browser)
{
    struct world w;
    open_world(&w);
    struct browser mine = {.b = &w.b}, other = {.b = &w.b}, none = {.b = &w.b};
    to_password(&w, &mine, "");
    to_password(&w, &other, "");
    /* The form of one browser sent from another, or from one without the cookie (CSRF, login CSRF). */
    rf_str body =
        rf_arena_printf(&w.b.arena, "ctx=%.*s&passwd=" PASSWORD, RF_FMT(context_of(&mine)));
    browse(&other, HTTP_POST, "/signin/next", body);
    cr_assert(other.page.status == 400 && location(&other).len == 0);
    browse(&none, HTTP_POST, "/signin/next", body);
    cr_assert(none.page.status == 400);
    /* Every byte that is changed is noticed. */
    rf_str context = context_of(&mine);
    for (size_t i = 0; i < context.len; i += 7) {
        rf_str bad;
        cr_assert(rf_arena_str(&w.b.arena, context, &bad));
        uint8_t *c = (uint8_t *)(uintptr_t)bad.ptr + i;
        *c = *c == 'A' ? 'B' : 'A';
        struct browser copy = mine;
        browse(&copy, HTTP_POST, "/signin/next",
               rf_arena_printf(&w.b.arena, "ctx=%.*s&passwd=" PASSWORD, RF_FMT(bad)));
        cr_assert(copy.page.status == 400, "byte %zu", i);
    }
    /* It ends with time. */
    rf_clock_fixed_pass(&w.b.clock, 901 * RF_USEC_PER_SECOND);
    send_page(&mine, "passwd", RF_S(PASSWORD));
    cr_assert(mine.page.status == 400);
    bench_close(&w.b);
}

Test(signin, answers_go_nowhere_else)
{
    struct world w;
    open_world(&w);
    static const char *const elsewhere[] = {
        "https://evil.example/cb",     "https://app.example/cb/more", "https://app.example/cb?x=1",
        "https://app.example.evil/cb", "http://app.example/cb",       "https://app.example/CB",
        "https://app.example/cb#x",    "https://APP.example/cb",      "//app.example/cb",
        "https://app.example:443/cb",  "javascript:alert(1)",         "https://x@app.example/cb"};
    uint8_t hash[SHA256_BYTES];
    digest_sha256(RF_S(VERIFIER), hash);
    for (size_t i = 0; i < RF_COUNT(elsewhere); i++) {
        struct browser v = {.b = &w.b};
        browse(&v, HTTP_GET,
               bench_text(&w.b,
                          "/" BENCH_TENANT
                          "/oauth2/v2.0/authorize?client_id=%.*s&response_type=code&redirect_uri="
                          "%.*s&scope=openid&code_challenge=%.*s&code_challenge_method=S256",
                          RF_FMT(w.app_id),
                          RF_FMT(percent_encode(&w.b.arena, rf_str_of(elsewhere[i]))),
                          RF_FMT(base64url_encode(&w.b.arena, rf_str_make(hash, sizeof hash)))),
               (rf_str){0});
        cr_assert(v.page.status == 400, "%s", elsewhere[i]);
        cr_assert(bench_header(&v.page, "Location").len == 0);
        cr_assert(shows(&v, "AADSTS50011"), "%s", elsewhere[i]);
    }
    struct browser v = {.b = &w.b};
    browse(&v, HTTP_GET,
           "/" BENCH_TENANT
           "/oauth2/v2.0/logout?post_logout_redirect_uri=https%3A%2F%2Fevil.example%2F",
           (rf_str){0});
    cr_assert(v.page.status == 200 && location(&v).len == 0);
    browse(&v, HTTP_GET,
           "/" BENCH_TENANT
           "/oauth2/v2.0/logout?post_logout_redirect_uri=https%3A%2F%2Fapp.example%2Fcb&state=s",
           (rf_str){0});
    cr_assert(rf_str_is(location(&v), REDIRECT "?state=s"), "%.*s", RF_FMT(v.page.text));
    bench_close(&w.b);
}

/* ---- more than a password ------------------------------------------------------------------------------------------------------------- */

static void require_mfa(struct world *w)
{
    struct bench_answer a = bench_graph(
        &w->b, HTTP_POST, "/v1.0/identity/conditionalAccess/policies",
        bench_text(
            &w->b,
            "{\"displayName\":\"second\",\"state\":\"enabled\",\"conditions\":{\"users\":"
            "{\"includeUsers\":[\"%.*s\"]},\"applications\":{\"includeApplications\":"
            "[\"All\"]},\"clientAppTypes\":[\"all\"]},\"grantControls\":{\"operator\":\"OR\","
            "\"builtInControls\":[\"mfa\"]}}",
            RF_FMT(w->user)));
    cr_assert(a.status == 201, "%.*s", RF_FMT(a.text));
}

Test(signin, a_policy_asks_for_a_second_step, .timeout = 120)
{
    struct world w;
    open_world(&w);
    require_mfa(&w);
    struct browser v = {.b = &w.b};
    to_password(&w, &v, "");
    send_page(&v, "passwd", RF_S(PASSWORD));
    /* There is no method yet: one is set up, and proved. */
    cr_assert(shows(&v, "class=\"secret\""), "%.*s", RF_FMT(v.page.text));
    rf_str uri = between(v.page.text, "secret=", "&amp;");
    send_page(&v, "otc", RF_S("000000"));
    cr_assert(shows(&v, "id=\"otcError\""));
    cr_assert(rf_str_eq(uri, between(v.page.text, "secret=", "&amp;")), "the same one is shown");
    rf_str code = code_of(&w, uri);
    send_page(&v, "otc", code);
    past_questions(&v);
    (void)code_in(&v);
    /* Another browser has to bring a code, and that one was used. */
    struct browser other = {.b = &w.b};
    to_password(&w, &other, "");
    send_page(&other, "passwd", RF_S(PASSWORD));
    cr_assert(shows(&other, "idSubmit_SAOTCC_Continue"), "%.*s", RF_FMT(other.page.text));
    cr_assert(shows(&other, "second"), "the policy is named");
    send_page(&other, "otc", code);
    cr_assert(shows(&other, "id=\"otcError\""), "each step once");
    rf_clock_fixed_pass(&w.b.clock, 60 * RF_USEC_PER_SECOND);
    send_page(&other, "otc", code_of(&w, uri));
    past_questions(&other);
    rf_str granted = code_in(&other);
    struct bench_answer a = redeem(&w, granted, VERIFIER);
    cr_assert(a.status == 200);
    /* A page from before the second step gives nothing by itself. */
    struct browser third = {.b = &w.b};
    to_password(&w, &third, "");
    send_page(&third, "passwd", RF_S(PASSWORD));
    send_page(&third, "keep", RF_S("yes"));
    cr_assert(location(&third).len == 0);
    bench_close(&w.b);
}

Test(signin, recovery_codes_and_passes, .timeout = 120)
{
    struct world w;
    open_world(&w);
    require_mfa(&w);
    const char *base = bench_text(&w.b, "/v1.0/users/%.*s/authentication/", RF_FMT(w.user));
    struct bench_answer a =
        bench_graph(&w.b, HTTP_POST, bench_text(&w.b, "%ssoftwareOathMethods", base), "{}");
    cr_assert(a.status == 201, "%.*s", RF_FMT(a.text));
    cr_assert(json_text_at(a.json, "secretKey").len == 32);
    a = bench_graph(&w.b, HTTP_POST, bench_text(&w.b, "%srecoveryCodes", base), "{}");
    cr_assert(a.status == 201, "%.*s", RF_FMT(a.text));
    rf_str code = json_get(a.json, "codes")->first->text;
    for (int use = 0; use < 2; use++) {
        struct browser v = {.b = &w.b};
        to_password(&w, &v, "");
        send_page(&v, "passwd", RF_S(PASSWORD));
        send_page(&v, "switch", RF_S("recovery"));
        cr_assert(shows(&v, "name=\"recovery\""), "%.*s", RF_FMT(v.page.text));
        send_page(&v, "recovery", code);
        if (use == 0) {
            past_questions(&v);
            (void)code_in(&v);
        } else {
            cr_assert(shows(&v, "id=\"errorText\""), "each once");
        }
    }
    a = bench_graph(&w.b, HTTP_POST, bench_text(&w.b, "%stemporaryAccessPassMethods", base),
                    "{\"lifetimeInMinutes\":60,\"isUsableOnce\":true}");
    cr_assert(a.status == 201, "%.*s", RF_FMT(a.text));
    struct browser v = {.b = &w.b};
    to_password(&w, &v, "");
    send_page(&v, "switch", RF_S("pass"));
    send_page(&v, "accesspass", json_text_at(a.json, "temporaryAccessPass"));
    past_questions(&v);
    (void)code_in(&v);
    /* Nothing of a factor is shown again. */
    a = bench_graph(&w.b, HTTP_GET, bench_text(&w.b, "%smethods", base), NULL);
    cr_assert(a.status == 200, "%.*s", RF_FMT(a.text));
    cr_assert(rf_str_find(a.text, RF_S("~"), 0) == SIZE_MAX, "%.*s", RF_FMT(a.text));
    cr_assert(rf_str_find(a.text, code, 0) == SIZE_MAX);
    bench_close(&w.b);
}

Test(signin, a_password_that_must_change)
{
    struct world w;
    open_world(&w);
    struct bench_answer a =
        bench_graph(&w.b, HTTP_PATCH, bench_text(&w.b, "/v1.0/users/%.*s", RF_FMT(w.user)),
                    "{\"passwordProfile\":{\"password\":\"one-more-that-is-new\"}}");
    cr_assert(a.status == 204, "%.*s", RF_FMT(a.text));
    rf_clock_fixed_pass(&w.b.clock, 2 * RF_USEC_PER_SECOND);
    struct browser v = {.b = &w.b};
    to_password(&w, &v, "");
    send_page(&v, "passwd", RF_S("one-more-that-is-new"));
    cr_assert(shows(&v, "name=\"newPassword\""), "%.*s", RF_FMT(v.page.text));
    static const struct {
        const char *old, *fresh, *again, *shows;
    } rows[] = {
        {"wrong", "quite-another-phrase", "quite-another-phrase", "passwordError"},
        {"one-more-that-is-new", "quite-another-phrase", "quite-another", "errorText"},
        {"one-more-that-is-new", "short", "short", "errorText"},
        {"one-more-that-is-new", "password123456", "password123456", "errorText"},
        {"one-more-that-is-new", "maeve-and-the-sea", "maeve-and-the-sea", "errorText"},
        {"one-more-that-is-new", "one-more-that-is-new", "one-more-that-is-new", "errorText"},
        {"one-more-that-is-new", "quite-another-phrase", "quite-another-phrase", NULL}};
    for (size_t i = 0; i < RF_COUNT(rows); i++) {
        browse(&v, HTTP_POST, "/signin/next",
               rf_arena_printf(&w.b.arena,
                               "ctx=%.*s&oldPassword=%s&newPassword=%s&confirmNewPassword=%s",
                               RF_FMT(context_of(&v)), rows[i].old, rows[i].fresh, rows[i].again));
        if (rows[i].shows != NULL)
            cr_assert(shows(&v, rows[i].shows), "%zu: %.*s", i, RF_FMT(v.page.text));
    }
    past_questions(&v);
    (void)code_in(&v);
    bench_close(&w.b);
}

Test(signin, wrong_passwords_lock)
{
    struct world w;
    open_world(&w);
    struct browser v = {.b = &w.b};
    to_password(&w, &v, "");
    for (int i = 0; i < 10; i++)
        send_page(&v, "passwd", rf_arena_printf(&w.b.arena, "wrong-wrong-wrong-%d", i));
    send_page(&v, "passwd", RF_S(PASSWORD));
    cr_assert(shows(&v, "id=\"passwordError\""), "the right one has to wait too");
    static const char *const locked[] = {"\"ResultType\":\"50053\"", NULL};
    cr_assert(bench_has_row(&w.b, "SigninLogs", locked));
    rf_clock_fixed_pass(&w.b.clock, 61 * RF_USEC_PER_SECOND);
    send_page(&v, "passwd", RF_S(PASSWORD));
    past_questions(&v);
    (void)code_in(&v);
    bench_close(&w.b);
}
