/* browser_int.h - for tests: a browser that keeps cookies and sends forms, and a directory with one person and one application in it. */
#ifndef RF_IDENTITY_BROWSER_INT_H
#define RF_IDENTITY_BROWSER_INT_H

#include "identity/bench_int.h"
#include "people/factor.h"

#define REDIRECT "https://app.example/cb"
#define VERIFIER "abcdefghijklmnopqrstuvwxyz0123456789-ABCDEFG"
#define PASSWORD "four-words-nothing-alike"

/* ---- a browser ---------------------------------------------------------------------------------------------------------- */

struct browser {
    struct bench *b;
    bool script;      /* requests are those of a page's script: JSON, with the portal's header */
    const char *site; /* Sec-Fetch-Site; NULL: none */
    rf_str names[8], values[8];
    uint32_t count;
    struct bench_answer page;
};

RF_TEST_HELPER void take_cookies(struct browser *w)
{
    for (uint32_t i = 0; i < w->page.header_count; i++) {
        if (!rf_str_eq_nocase(w->page.headers[i].name, RF_S("Set-Cookie"))) continue;
        rf_str text = w->page.headers[i].value;
        cr_assert(rf_str_find(text, RF_S("; Secure"), 0) != SIZE_MAX);
        cr_assert(rf_str_find(text, RF_S("; HttpOnly"), 0) != SIZE_MAX);
        size_t equals = rf_str_find(text, RF_S("="), 0), end = rf_str_find(text, RF_S(";"), 0);
        rf_str name = rf_slice(text, 0, equals), value = rf_slice(text, equals + 1, end);
        uint32_t at = 0;
        while (at < w->count && !rf_str_eq(w->names[at], name)) at++;
        cr_assert(at < RF_COUNT(w->names));
        w->names[at] = name;
        w->values[at] = value;
        w->count = RF_MAX(w->count, at + 1);
    }
}

RF_TEST_HELPER void browse(struct browser *w, enum http_method method, const char *target,
                           rf_str body)
{
    struct rf_buf cookies = rf_buf_in(&w->b->arena);
    for (uint32_t i = 0; i < w->count; i++)
        rf_buf_printf(&cookies, "%s%.*s=%.*s", i == 0 ? "" : "; ", RF_FMT(w->names[i]),
                      RF_FMT(w->values[i]));
    struct http_header headers[5] = {
        BENCH_HEADER("Content-Type", "application/x-www-form-urlencoded"),
        BENCH_HEADER("User-Agent", "Mozilla/5.0 (X11; Linux x86_64) Firefox/128.0"),
        {.name = RF_S("Cookie"), .value = rf_buf_view(&cookies)}};
    uint32_t count = 3;
    if (w->script) {
        headers[0].value = RF_S("application/json");
        headers[count++] = (struct http_header)BENCH_HEADER(PORTAL_HEADER, "1");
    }
    if (w->site != NULL)
        headers[count++] =
            (struct http_header){.name = RF_S("Sec-Fetch-Site"), .value = rf_str_of(w->site)};
    const struct bench_ask ask = {.method = method,
                                  .target = target,
                                  .body = body,
                                  .headers = headers,
                                  .header_count = count};
    w->page = bench_send(w->b, &ask);
    take_cookies(w);
}

RF_TEST_HELPER bool shows(const struct browser *w, const char *text)
{
    return rf_str_find(w->page.text, rf_str_of(text), 0) != SIZE_MAX;
}

/* What stands between two texts; empty when they are not there. */
RF_TEST_HELPER rf_str between(rf_str text, const char *from, const char *to)
{
    size_t at = rf_str_find(text, rf_str_of(from), 0);
    if (at == SIZE_MAX) return (rf_str){0};
    at += strlen(from);
    size_t end = rf_str_find(text, rf_str_of(to), at);
    return end == SIZE_MAX ? (rf_str){0} : rf_slice(text, at, end);
}

RF_TEST_HELPER rf_str context_of(const struct browser *w)
{
    return between(w->page.text, "name=\"ctx\" value=\"", "\"");
}

/* Sends the form of the page that is shown. */
RF_TEST_HELPER void send_page(struct browser *w, const char *name, rf_str value)
{
    rf_str context = context_of(w), encoded = percent_encode(&w->b->arena, value);
    cr_assert(context.len > 0, "no form: %.*s", RF_FMT(w->page.text));
    browse(
        w, HTTP_POST, "/signin/next",
        rf_arena_printf(&w->b->arena, "ctx=%.*s&%s=%.*s", RF_FMT(context), name, RF_FMT(encoded)));
}

/* ---- the directory ---------------------------------------------------------------------------------------------------------- */

struct world {
    struct bench b;
    rf_str app_id, app, user, name;
};

RF_TEST_HELPER void open_world_with(struct world *w, const struct identity_options *more)
{
    bench_open(&w->b, more);
    w->b.app = bench_app(&w->b, "admin",
                         "User.ReadWrite.All Application.ReadWrite.All Directory.ReadWrite.All "
                         "Policy.ReadWrite.ConditionalAccess Policy.Read.All "
                         "UserAuthenticationMethod.ReadWrite.All");
    w->b.token = bench_graph_token(&w->b, &w->b.app);
    struct bench_answer a = bench_graph(
        &w->b, HTTP_POST, "/v1.0/applications",
        "{\"displayName\":\"<b>Fleet & co\",\"spa\":{\"redirectUris\":[\"" REDIRECT "\"]}}");
    cr_assert(a.status == 201, "%.*s", RF_FMT(a.text));
    w->app_id = json_text_at(a.json, "appId");
    w->app = json_text_at(a.json, "id");
    a = bench_graph(&w->b, HTTP_POST, "/v1.0/servicePrincipals",
                    bench_text(&w->b, "{\"appId\":\"%.*s\"}", RF_FMT(w->app_id)));
    cr_assert(a.status == 201, "%.*s", RF_FMT(a.text));
    a = bench_graph(&w->b, HTTP_POST, "/v1.0/users",
                    "{\"accountEnabled\":true,\"displayName\":\"Maeve Byrne\",\"mailNickname\":"
                    "\"maeve\",\"userPrincipalName\":\"maeve@ringfort.localhost\","
                    "\"passwordProfile\":{\"password\":\"" PASSWORD
                    "\",\"forceChangePasswordNextSignIn\":false}}");
    cr_assert(a.status == 201, "%.*s", RF_FMT(a.text));
    w->user = json_text_at(a.json, "id");
    w->name = RF_S("maeve@ringfort.localhost");
}
RF_TEST_HELPER void open_world(struct world *w) { open_world_with(w, NULL); }

/* From the page for the name to what comes back; "" when there is no redirect. */
RF_TEST_HELPER rf_str location(const struct browser *w)
{
    return w->page.status == 303 ? bench_header(&w->page, "Location") : (rf_str){0};
}

/* The code of a secret at the bench's time, found by trying: there are a million. */
static inline rf_str code_of(struct world *w, rf_str secret)
{
    uint64_t step;
    rf_usec now = rf_clock_now(&w->b.clock.clock);
    for (unsigned i = 0; i < 1000000; i++) {
        char text[8];
        snprintf(text, sizeof text, "%06u", i);
        if (!totp_proves(secret, rf_str_of(text), now, &step)) continue;
        if (step != (uint64_t)(now / RF_USEC_PER_SECOND / TOTP_STEP_SECONDS)) continue;
        return rf_arena_printf(&w->b.arena, "%s", text);
    }
    cr_assert_fail("no code fits");
    return (rf_str){0};
}

#endif
