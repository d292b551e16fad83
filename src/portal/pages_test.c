#include <zlib.h>

#include "portal/portal_world.h"

/* An archive of two files whose brotli is a mark and whose gzip is real. */
static rf_str make_archive(struct rf_arena *arena)
{
    static const char *const texts[] = {"<!doctype html>page", "export let x = 1"};
    static const char *const names[] = {"index.html", "assets/main-AA.js"};
    struct rf_buf head = rf_buf_in(arena), body = rf_buf_in(arena);
    rf_buf_str(&head, RF_S("{\"version\":1,\"files\":["));
    for (int i = 0; i < 2; i++) {
        uint8_t gz[200];
        z_stream z = {.next_in = (Bytef *)(uintptr_t)texts[i],
                      .avail_in = (uInt)strlen(texts[i]),
                      .next_out = gz,
                      .avail_out = sizeof gz};
        cr_assert(deflateInit2(&z, 9, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
        cr_assert(deflate(&z, Z_FINISH) == Z_STREAM_END);
        (void)deflateEnd(&z);
        rf_buf_printf(&head,
                      "%s{\"name\":\"%s\",\"type\":\"text/%s\",\"etag\":\"tag%d\",\"bytes\":%zu,"
                      "\"br\":3,\"gz\":%lu}",
                      i > 0 ? "," : "", names[i], i == 0 ? "html" : "javascript", i,
                      strlen(texts[i]), z.total_out);
        rf_buf_printf(&body, "br%d", i);
        rf_buf_put(&body, gz, z.total_out);
    }
    rf_buf_str(&head, RF_S("]}\n"));
    rf_buf_str(&head, rf_buf_view(&body));
    return rf_buf_view(&head);
}

Test(portal_pages, are_served_to_who_has_signed_in)
{
    struct p_world w;
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    p_init(&w, make_archive(&arena));
    w.token = (rf_str){0};
    p_header(&w, "Accept", "text/html,*/*");
    p_expect(&w, "GET", "/", NULL, 302);
    p_expect_header(&w, "Location", "/portal/");
    p_expect(&w, "GET", "/", NULL, 404);
    p_expect(&w, "GET", "/portal/incidents/7?f=a b", NULL, 302);
    p_expect_header(&w, "Location", "/portal/signin?return=%2Fportal%2F");
    p_expect(&w, "GET", "/portal/incidents/7?f=a", NULL, 302);
    p_expect_header(&w, "Location", "/portal/signin?return=%2Fportal%2Fincidents%2F7%3Ff%3Da");
    static const char *const elsewhere[] = {"/portal", "/portal/\\evil", "/portal/x?r=//evil"};
    for (size_t i = 0; i < RF_COUNT(elsewhere); i++) {
        p_expect(&w, "GET", elsewhere[i], NULL, 302);
        p_expect_header(&w, "Location", "/portal/signin?return=%2Fportal%2F");
    }
    p_header(&w, "Cookie", PORTAL_COOKIE "=x");
    p_expect(&w, "GET", "/portal/incidents/7", NULL, 200);
    cr_assert(walk_body_has(&w.last, "<!doctype html>page"));
    p_expect_header(&w, "Cache-Control", "no-store");
    p_expect_header(&w, "X-Content-Type-Options", "nosniff");
    p_expect_header(&w, "X-Frame-Options", "DENY");
    p_expect_header(&w, "Referrer-Policy", "no-referrer");
    rf_str policy = walk_header(&w.last, "Content-Security-Policy");
    cr_assert(rf_str_find(policy, RF_S("unsafe"), 0) == SIZE_MAX);
    cr_assert(rf_str_find(policy, RF_S("frame-ancestors 'none'"), 0) != SIZE_MAX);
    static const char *const editors[] = {"/portal/logs", "/portal/rules/abc"};
    for (size_t i = 0; i < RF_COUNT(editors); i++) {
        p_header(&w, "Cookie", PORTAL_COOKIE "=x");
        p_expect(&w, "GET", editors[i], NULL, 200);
        policy = walk_header(&w.last, "Content-Security-Policy");
        cr_assert(rf_str_find(policy, RF_S("style-src 'self' 'unsafe-inline'"), 0) != SIZE_MAX);
        cr_assert(rf_str_find(policy, RF_S("unsafe-eval"), 0) == SIZE_MAX);
    }
    p_header(&w, "Cookie", PORTAL_COOKIE "=x");
    p_expect(&w, "GET", "/portal/api/nothing", NULL, 404);
    p_done(&w);
}

Test(portal_pages, load_files_that_never_change)
{
    struct p_world w;
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    p_init(&w, make_archive(&arena));
    w.token = (rf_str){0};
    static const struct {
        const char *accept, *coding, *body;
    } cases[] = {{"gzip, deflate, br", "br", "br1"},
                 {"br;q=0", "", "export let x = 1"},
                 {"identity", "", "export let x = 1"},
                 {"gzip", "gzip", NULL}};
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        p_header(&w, "Accept-Encoding", cases[i].accept);
        p_expect(&w, "GET", "/portal/assets/main-AA.js", NULL, 200);
        p_expect_header(&w, "Content-Encoding", cases[i].coding);
        p_expect_header(&w, "Cache-Control", "public, max-age=31536000, immutable");
        p_expect_header(&w, "Content-Type", "text/javascript");
        p_expect_header(&w, "ETag", "\"tag1\"");
        p_expect_header(&w, "Vary", "Accept-Encoding");
        if (cases[i].body != NULL) cr_assert(walk_body_has(&w.last, cases[i].body), "%zu", i);
    }
    p_header(&w, "If-None-Match", "\"other\", W/\"tag1\"");
    p_expect(&w, "GET", "/portal/assets/main-AA.js", NULL, 304);
    cr_assert(w.last.body.len == 0);
    p_header(&w, "If-None-Match", "\"tag\"");
    p_expect(&w, "GET", "/portal/assets/main-AA.js", NULL, 200);
    p_expect(&w, "GET", "/portal/assets/main-BB.js", NULL, 404);
    p_expect_header(&w, "Cache-Control", "no-store");
    p_expect(&w, "GET", "/portal/assets/..%2Findex.html", NULL, 400);
    p_done(&w);
}

Test(portal_pages, tell_how_to_build_them_when_they_are_missing)
{
    struct p_world w;
    p_init(&w, (rf_str){0});
    p_expect(&w, "GET", "/portal/", NULL, 200);
    cr_assert(walk_body_has(&w.last, "-Dportal=enabled"));
    p_done(&w);
}

Test(portal_pages, refuse_an_archive_that_is_damaged)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    struct rf_err err;
    struct assets assets;
    rf_str good = make_archive(&arena);
    cr_assert(assets_open(good, &arena, &assets, &err) == RF_OK && assets.count == 2);
    for (size_t len = 1; len < good.len; len++)
        cr_assert(assets_open(rf_slice(good, 0, len), &arena, &assets, &err) == RF_CORRUPT);
    static const char *const bad[] = {
        "{}\n", "{\"version\":2,\"files\":[]}\n", "{\"version\":1,\"files\":[]}\nmore",
        "{\"version\":1,\"files\":[{\"name\":\"a\",\"type\":\"b\",\"etag\":\"c\",\"bytes\":1,"
        "\"br\":-1,\"gz\":0}]}\n"};
    for (size_t i = 0; i < RF_COUNT(bad); i++)
        cr_assert(assets_open(rf_str_of(bad[i]), &arena, &assets, &err) == RF_CORRUPT, "%zu", i);
}
