#include "logs/collector_int.h"

#include "crypt/digest.h"
#include "logs/logs_world.h"
#include "test/rf_prop.h"

Test(collector, fields_get_suffixes_by_their_values)
{
    static const struct {
        const char *body, *rows;
    } cases[] = {
        {"[]", ""},
        {"{\"a\":\"x\"}", "{\"SourceSystem\":\"RestAPI\",\"a_s\":\"x\"}\n"},
        {"[{\"a\":1,\"b\":true,\"c\":null,\"d\":[1, {\"e\":2}]}]",
         "{\"SourceSystem\":\"RestAPI\",\"a_d\":1,\"b_b\":true,\"d_s\":\"[1, {\\\"e\\\":2}]\"}\n"},
        {"[{\"w h.y\":\"2024-03-01T10:20:30Z\",\"g\":\"01234567-89ab-cdef-0123-456789abcdef\"}]",
         "{\"SourceSystem\":\"RestAPI\",\"w_h_y_t\":\"2024-03-01T10:20:30Z\",\"g_g\":\"01234567-"
         "89ab-"
         "cdef-0123-456789abcdef\"}\n"},
        {"[{\"a\":1},{\"a\":\"x\\ny\"}]", "{\"SourceSystem\":\"RestAPI\",\"a_d\":1}\n{"
                                          "\"SourceSystem\":\"RestAPI\",\"a_s\":\"x\\ny\"}\n"},
        {"[{\"1\":1,\"\":2,\"a234567890123456789012345678901234567890123456\":3}]",
         "{\"SourceSystem\":\"RestAPI\"}\n"},
    };
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct collector_rows rows;
        struct rf_err err;
        cr_assert(collector_translate(rf_str_of(cases[i].body), RF_S(""), RF_S(""), &arena, &rows,
                                      &err) == RF_OK,
                  "%s", cases[i].body);
        rf_str got = rf_buf_view(&rows.json);
        cr_assert(rf_str_is(got, cases[i].rows), "%s: %.*s", cases[i].body, RF_FMT(got));
    }
}

Test(collector, bad_bodies_are_refused)
{
    static const char *const bad[] = {"", "7", "[7]", "[{}", "[{}]x", "{}{}", "[[]]", "[{\"a\":}]"};
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < RF_COUNT(bad); i++) {
        struct collector_rows rows;
        struct rf_err err;
        cr_assert(collector_translate(rf_str_of(bad[i]), RF_S(""), RF_S(""), &arena, &rows, &err) ==
                      RF_INVALID,
                  "%s", bad[i]);
        cr_assert_str_eq(err.code, "InvalidDataFormat");
    }
}

/* ---- calls --------------------------------------------------------------------------------------------------------------- */

static const char *sign(struct world *w, const char *key_name, const char *date, const char *body)
{
    uint8_t mac[SHA256_BYTES];
    rf_str key;
    rf_str token = w->token;
    w_be(w, W_OWNER, NULL);
    w_expect(w, "POST", W_WS "/sharedKeys" W_V, NULL, 200);
    w->token = token;
    cr_assert(base64_decode(&w->site.arena, rf_str_of(w_text(w, key_name)), &key, &w->err) ==
              RF_OK);
    /* The stage tells no sent length. */
    rf_str text = rf_arena_printf(&w->site.arena,
                                  "POST\n%d\napplication/json\nx-ms-date:%s\n/api/logs", 0, date);
    (void)body;
    digest_hmac_sha256(key, text, mac);
    rf_str signature = base64_encode(&w->site.arena, rf_str_make(mac, sizeof mac));
    return (const char *)rf_arena_printf(&w->site.arena, "SharedKey " W_GUID ":%.*s%c",
                                         RF_FMT(signature), 0)
        .ptr;
}

static int post(struct world *w, const char *date, const char *body)
{
    w_header(w, "Content-Type", "application/json");
    w_header(w, "Log-Type", "App");
    w_header(w, "x-ms-date", date);
    return w_call(w, "POST", "/api/logs?api-version=2016-04-01", body);
}

#define DATE "Sat, 31 Jan 2026 12:05:00 GMT"

Test(collector, signed_rows_make_their_table)
{
    struct world w;
    w_init(&w);
    const char *first = "[{\"msg\":\"hello\",\"n\":1}]";
    w.token = rf_str_of(sign(&w, "primarySharedKey", DATE, first));
    cr_assert_eq(post(&w, DATE, first), 200);
    cr_assert(w.last.body.len == 0);
    w.token = rf_str_of(sign(&w, "secondarySharedKey", DATE, first));
    cr_assert_eq(post(&w, DATE, "[{\"msg\":\"again\",\"new\":true,\"n\":2},{\"n\":\"three\"}]"),
                 200);
    w_expect_rows(&w, "App_CL | sort by n_d asc nulls last | project msg_s, n_d, n_s, new_b, Type",
                  "hello 1  null App_CL;again 2  1 App_CL; null three null App_CL;");
    w_be(&w, W_OWNER, NULL);
    w_expect(&w, "GET", W_WS "/tables/App_CL" W_V, NULL, 200);
    w_expect_text(&w, "properties.schema.tableSubType", "Classic");
    w_close(&w);
    w_open(&w);
    w_expect_rows(&w, "App_CL | where new_b == true | project msg_s", "again;");
    w_done(&w);
}

Test(collector, unsigned_and_bad_calls_are_refused)
{
    struct world w;
    w_init(&w);
    const char *good = sign(&w, "primarySharedKey", DATE, "[]");
    w.token = (rf_str){0};
    cr_assert_eq(post(&w, DATE, "[]"), 403);
    w_expect_text(&w, "Error", "InvalidAuthorization");
    w.token = RF_S("SharedKey " W_GUID ":AAAA");
    cr_assert_eq(post(&w, DATE, "[]"), 403);
    w.token = rf_str_of(good);
    cr_assert_eq(post(&w, "Sat, 31 Jan 2026 12:05:01 GMT", "[]"), 403, "another date was signed");
    w.token = rf_str_of(sign(&w, "primarySharedKey", "Sat, 31 Jan 2026 12:15:01 GMT", "[]"));
    cr_assert_eq(post(&w, "Sat, 31 Jan 2026 12:15:01 GMT", "[]"), 403, "too far ahead");
    w.token = rf_str_of(good);
    cr_assert_eq(post(&w, DATE, "nothing"), 400);
    w_expect_text(&w, "Error", "InvalidDataFormat");
    static const struct {
        const char *target, *type, *log_type, *code;
    } cases[] = {
        {"/api/logs", "application/json", "App", "MissingApiVersion"},
        {"/api/logs?api-version=2015-01-01", "application/json", "App", "InvalidApiVersion"},
        {"/api/logs?api-version=2016-04-01", "text/csv", "App", "UnsupportedContentType"},
        {"/api/logs?api-version=2016-04-01", "application/json", "A-B", "InvalidLogType"},
        {"/api/logs?api-version=2016-04-01", "application/json", "", "MissingLogType"},
    };
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        w_header(&w, "Content-Type", cases[i].type);
        w_header(&w, "Log-Type", cases[i].log_type);
        w_header(&w, "x-ms-date", DATE);
        cr_assert_eq(w_call(&w, "POST", cases[i].target, "[]"), 400);
        w_expect_text(&w, "Error", cases[i].code);
    }
    w_done(&w);
}
