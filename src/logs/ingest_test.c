#include "logs/ingest_int.h"

#include "logs/logs_world.h"
#include "test/rf_prop.h"

#define TABLE(columns)                                                                             \
    "{\"properties\":{\"schema\":{\"columns\":[{\"name\":\"TimeGenerated\",\"type\":\"datetime\"}" \
    "," columns "]}}}"
#define RULE(columns, flows)                                                                       \
    "{\"location\":\"local\",\"properties\":{\"streamDeclarations\":{\"Custom-App\":{\"columns\":" \
    "[{"                                                                                           \
    "\"name\":\"TimeGenerated\",\"type\":\"datetime\"}," columns "]}},"                            \
    "\"destinations\":{\"logAnalytics\":[{\"workspaceResourceId\":\"" W_WS                         \
    "\",\"name\":\"ws\"}]},"                                                                       \
    "\"dataFlows\":[" flows "]}}"
#define FLOW(table, kql)                                                                           \
    "{\"streams\":[\"Custom-App\"],\"destinations\":[\"ws\"],\"outputStream\":\"Custom-" table     \
    "\",\"transformKql\":\"" kql "\"}"
#define C(name, type) "{\"name\":\"" name "\",\"type\":\"" type "\"}"

struct ingestion {
    struct world w;
    char target[300];
};

static void set_target(struct ingestion *i, const char *stream, const char *version)
{
    (void)snprintf(i->target, sizeof i->target, "/dataCollectionRules/%s/streams/%s%s",
                   w_text(&i->w, "properties.immutableId"), stream, version);
}

static void init(struct ingestion *i, const char *table, const char *rule)
{
    struct world *w = &i->w;
    w_init(w);
    w_expect(w, "PUT", W_WS "/tables/App_CL" W_V, table, 201);
    w_expect(w, "PUT", W_RULES "app" W_RULE_V, rule, 201);
    set_target(i, "Custom-App", "?api%2Dversion=2023-01-01");
    w_be(w, W_SENDER, "https://monitor.azure.com");
}

static int post(struct ingestion *i, const char *body)
{
    w_header(&i->w, "Content-Type", "application/json");
    return w_call(&i->w, "POST", i->target, body);
}

#define expect_post(i, sent, status)                                                               \
    do {                                                                                           \
        int got_ = post(i, sent);                                                                  \
        rf_str text_ = rf_buf_view(&(i)->w.last.body);                                             \
        cr_assert(got_ == (status), "%.100s: %d %.*s", sent, got_, RF_FMT(text_));                 \
    } while (0)
#define expect_error(i, sent, status, code)                                                        \
    do {                                                                                           \
        expect_post(i, sent, status);                                                              \
        w_expect_text(&(i)->w, "error.code", code);                                                \
        cr_assert(rf_str_is(walk_header(&(i)->w.last, "x-ms-error-code"), code));                  \
    } while (0)

#define SIMPLE_TABLE TABLE(C("Message", "string") "," C("Level", "int"))
#define SIMPLE_RULE RULE(C("Message", "string") "," C("Level", "int"), FLOW("App_CL", "source"))

Test(ingest, records_arrive_with_their_values)
{
    struct ingestion i;
    init(&i, SIMPLE_TABLE, SIMPLE_RULE);
    expect_post(
        &i,
        "[{\"TimeGenerated\":\"2026-01-31T11:00:00Z\",\"Message\":\"first\",\"Level\":1},"
        "{\"TimeGenerated\":\"2026-01-31T11:00:00Z\",\"Message\":\"zw\xc3\xb6lf\",\"Level\":2},"
        "{\"Message\":null,\"Level\":null,\"Unknown\":\"ignored\"}]",
        204);
    cr_assert(i.w.last.body.len == 0);
    w_expect_rows(&i.w,
                  "App_CL | sort by Level asc nulls last | project Message, Level, Type, "
                  "TimeGenerated == now()",
                  "first 1 App_CL 0;zw\xc3\xb6lf 2 App_CL 0; null App_CL 1;");
    expect_post(&i, "{\"Message\":\"alone\",\"Level\":\"7\"}", 204);
    expect_post(&i, "\xef\xbb\xbf [ ] ", 204);
    expect_post(&i, "[{\"Level\":\"many\",\"Message\":{\"a\":1}}]", 204);
    w_expect_rows(&i.w, "App_CL | where TimeGenerated == now() | summarize count(), sum(Level)",
                  "3 7;");
    w_done(&i.w);
}

Test(ingest, errors_have_their_codes)
{
    struct ingestion i;
    init(&i, SIMPLE_TABLE, SIMPLE_RULE);
    static const char *const bad[] = {
        "",      " ",          "nothing", "[1]",
        "\"a\"", "[{}",        "{}{}",    "[{}]x",
        "[{},]", "[{\"a\":}]", "[[{}]]",  "{\"Level\":1}\n{\"Level\":2}",
        "7",     "[null]",     "[{}] {}", "[{\"Message\":\"\xff\"}]"};
    for (size_t k = 0; k < RF_COUNT(bad); k++) expect_error(&i, bad[k], 400, "InvalidPayload");
    w_expect_rows(&i.w, "App_CL | count", "0;");
    char good[300];
    memcpy(good, i.target, sizeof good);
    char *stream = strstr(i.target, "Custom-App");
    memcpy(stream, "Custom-No", 9);
    expect_error(&i, "[]", 400, "InvalidStream");
    memcpy(stream, "cUSTOM-aPP", 10);
    expect_post(&i, "[{}]", 204);
    memcpy(i.target, good, sizeof good);
    *strchr(i.target, '?') = '\0';
    expect_error(&i, "[]", 400, "MissingApiVersionParameter");
    memcpy(i.target, good, sizeof good);
    memcpy(strstr(i.target, "dcr-") + 4, "00000000", 8);
    expect_error(&i, "[]", 404, "NotFound");
    memcpy(i.target, good, sizeof good);
    w_header(&i.w, "Content-Type", "text/plain");
    cr_assert_eq(w_call(&i.w, "POST", i.target, "[]"), 415);
    w_header(&i.w, "Content-Type", "application/json; charset=utf-8");
    cr_assert_eq(w_call(&i.w, "POST", i.target, "[]"), 204);
    i.w.token = (rf_str){0};
    expect_error(&i, "[]", 401, "AuthenticationFailed");
    w_be(&i.w, "aaaaaaaa-0000-0000-0000-000000000009", "https://monitor.azure.com");
    expect_error(&i, "[]", 403, "AuthorizationFailed");
    w_done(&i.w);
}

/* Clients cut at 1,000,000 bytes of records, without the commas between them. */
Test(ingest, a_body_may_be_as_long_as_clients_make_it)
{
    struct ingestion i;
    init(&i, SIMPLE_TABLE, SIMPLE_RULE);
    static char body[INGEST_BODY_BYTES_MAX + 100];
    size_t len = 0;
    body[len++] = '[';
    while (len + 40 < INGEST_BODY_BYTES_MAX)
        len += (size_t)sprintf(body + len, "%s{\"Message\":\"text\",\"Level\":1}",
                               len == 1 ? "" : ",");
    size_t records = len / 29;
    body[len++] = ']';
    expect_post(&i, body, 204);
    char wanted[40];
    (void)snprintf(wanted, sizeof wanted, "%lld;",
                   atoll(w_rows(&i.w, "App_CL | summarize sum(Level)")));
    cr_assert(atoll(wanted) >= (long long)records - 40000 / 29 && atoll(wanted) > 30000, "%s",
              wanted);
    memset(body + len, ' ', sizeof body - len - 1);
    expect_error(&i, body, 413, "ContentLengthLimitExceeded");
    w_done(&i.w);
}

Test(ingest, long_texts_are_cut_at_a_character)
{
    struct ingestion i;
    init(&i, TABLE(C("Message", "string") "," C("D", "dynamic")),
         RULE(C("Message", "string") "," C("D", "dynamic"), FLOW("App_CL", "source")));
    struct rf_buf body = rf_buf_in(&i.w.site.arena);
    rf_buf_str(&body, RF_S("[{\"Message\":\"x"));
    for (int k = 0; k < 20000; k++) rf_buf_str(&body, RF_S("\xc3\xb6"));
    rf_buf_str(&body, RF_S("\"},{\"Message\":\"short\"}]\0"));
    expect_post(&i, (const char *)body.ptr, 204);
    w_expect_rows(&i.w,
                  "App_CL | project n = strlen(Message), last = substring(Message, strlen(Message) "
                  "- 1) | sort by n asc",
                  "5 t;16384 \xc3\xb6;");
    w_done(&i.w);
}

Test(ingest, a_transformation_filters_renames_and_computes)
{
    struct ingestion i;
    init(&i, TABLE(C("Level", "string") "," C("User", "string") "," C("Code", "int")),
         RULE(C("level", "string") "," C("raw", "string"),
              FLOW("App_CL",
                   "source | where level != 'debug' | extend d = parse_json(raw) | project "
                   "TimeGenerated, Level = toupper(level), User = tostring(d.user), Code = "
                   "toint(d.code)")));
    expect_post(&i,
                "[{\"level\":\"debug\",\"raw\":\"{\\\"user\\\":\\\"a\\\",\\\"code\\\":1}\"},"
                "{\"level\":\"error\",\"raw\":\"{\\\"user\\\":\\\"b\\\",\\\"code\\\":\\\"2\\\"}\"},"
                "{\"level\":\"warn\",\"raw\":\"not json\"}]",
                204);
    w_expect_rows(&i.w,
                  "App_CL | sort by Level asc | project Level, User, Code, TimeGenerated == now()",
                  "ERROR b 2 1;WARN  null 1;");
    expect_post(&i, "[{\"level\":\"debug\"}]", 204);
    w_expect_rows(&i.w, "App_CL | count", "2;");
    w_done(&i.w);
}

Test(ingest, a_stream_feeds_several_tables)
{
    struct ingestion i;
    init(&i, SIMPLE_TABLE, SIMPLE_RULE);
    w_be(&i.w, W_OWNER, NULL);
    w_expect(&i.w, "PUT", W_WS "/tables/Other_CL" W_V,
             TABLE(C("Message", "string") "," C("Level", "real") "," C("Extra", "guid")), 201);
    w_expect(
        &i.w, "PUT", W_RULES "app" W_RULE_V,
        RULE(C("Message", "string") "," C("Level", "int") "," C("Left", "string"),
             FLOW("App_CL", "source") "," FLOW("Other_CL", "source | where Level > 1") "," FLOW(
                 "Other_CL", "source | where Level == 3 | extend Extra = "
                             "'01234567-89ab-cdef-0123-456789abcdef'")),
        200);
    w_be(&i.w, W_SENDER, "https://monitor.azure.com");
    expect_post(&i, "[{\"Level\":1},{\"Level\":2,\"Left\":\"x\"},{\"Level\":3}]", 204);
    w_expect_rows(&i.w, "App_CL | summarize count(), sum(Level)", "3 6;");
    w_expect_rows(&i.w, "Other_CL | summarize count(), sum(Level), countif(isnotempty(Extra))",
                  "3 8 1;");
    w_done(&i.w);
}

/* What cannot be made ready for the second table leaves the first one as it was. */
Test(ingest, several_tables_take_rows_together)
{
    struct ingestion i;
    init(&i, SIMPLE_TABLE, SIMPLE_RULE);
    w_be(&i.w, W_OWNER, NULL);
    w_expect(&i.w, "PUT", W_WS "/tables/Other_CL" W_V, TABLE(C("Message", "string")), 201);
    w_expect(&i.w, "PUT", W_RULES "app" W_RULE_V,
             RULE(C("Message", "string") "," C("Level", "int"),
                  FLOW("App_CL", "source") "," FLOW(
                      "Other_CL", "source | extend Message = strrep(Message, 1000)")),
             200);
    w_be(&i.w, W_SENDER, "https://monitor.azure.com");
    struct rf_buf body = rf_buf_in(&i.w.site.arena);
    for (int row = 0; row < 30; row++) {
        rf_buf_str(&body, row == 0 ? RF_S("[{\"Message\":\"") : RF_S(",{\"Message\":\""));
        for (int k = 0; k < 30000; k++) rf_buf_byte(&body, (uint8_t)('a' + row % 26));
        rf_buf_str(&body, RF_S("\"}"));
    }
    rf_buf_str(&body, RF_S("]"));
    rf_buf_byte(&body, '\0');
    expect_error(&i, (const char *)body.ptr, 503, "ServiceUnavailable");
    w_expect_rows(&i.w, "App_CL | count", "0;");
    expect_post(&i, "[{\"Message\":\"x\"}]", 204);
    w_expect_rows(&i.w, "App_CL | project Message", "x;");
    w_expect_rows(&i.w, "Other_CL | project strlen(Message)", "1000;");
    w_done(&i.w);
}

Test(ingest, builtin_streams_need_no_declaration)
{
    struct ingestion i;
    init(&i, SIMPLE_TABLE, SIMPLE_RULE);
    w_be(&i.w, W_OWNER, NULL);
    w_expect(&i.w, "PUT", W_RULES "sys" W_RULE_V,
             "{\"location\":\"local\",\"kind\":\"Linux\",\"properties\":{\"destinations\":{"
             "\"logAnalytics\":"
             "[{\"workspaceResourceId\":\"" W_WS
             "\",\"name\":\"ws\"}]},\"dataFlows\":[{\"streams\":["
             "\"Microsoft-Syslog\",\"Microsoft-SecurityEvent\"],\"destinations\":[\"ws\"]}]}}",
             201);
    set_target(&i, "Microsoft-Syslog", "?api-version=2023-01-01");
    w_be(&i.w, W_SENDER, "https://monitor.azure.com");
    expect_post(
        &i, "[{\"Facility\":\"auth\",\"ProcessID\":12,\"TenantId\":\"mine\",\"Type\":\"Other\"}]",
        204);
    w_expect_rows(&i.w, "Syslog | project Facility, ProcessID, Type, TenantId",
                  "auth 12 Syslog " W_GUID ";");
    w_done(&i.w);
}

Test(ingest, a_rule_follows_its_table)
{
    struct ingestion i;
    init(&i, SIMPLE_TABLE, SIMPLE_RULE);
    expect_post(&i, "[{\"Level\":1}]", 204);
    w_be(&i.w, W_OWNER, NULL);
    w_expect(&i.w, "DELETE", W_WS "/tables/App_CL" W_V, NULL, 200);
    w_be(&i.w, W_SENDER, "https://monitor.azure.com");
    expect_error(&i, "[{\"Level\":1}]", 404, "NotFound");
    w_be(&i.w, W_OWNER, NULL);
    w_expect(&i.w, "PUT", W_WS "/tables/App_CL" W_V, SIMPLE_TABLE, 201);
    w_be(&i.w, W_SENDER, "https://monitor.azure.com");
    expect_post(&i, "[{\"Level\":5}]", 204);
    w_expect_rows(&i.w, "App_CL | project Level", "5;");
    w_done(&i.w);
}

Test(ingest, too_many_calls_must_wait)
{
    struct ingestion i;
    init(&i, SIMPLE_TABLE, SIMPLE_RULE);
    rf_str id = rf_slice(rf_str_of(i.target), strlen("/dataCollectionRules/"),
                         strlen("/dataCollectionRules/") + IMMUTABLE_ID_BYTES);
    rf_usec now = rf_clock_now(&i.w.site.clock.clock);
    uint32_t seconds = 0;
    for (int k = 0; k < RULE_CALLS_PER_MINUTE; k++)
        cr_assert(rules_admit(i.w.logs, id, now, &seconds));
    expect_error(&i, "[]", 429, "RateLimitExceeded");
    cr_assert(walk_header(&i.w.last, "Retry-After").len > 0);
    rf_clock_fixed_pass(&i.w.site.clock, 61 * RF_USEC_PER_SECOND);
    w_be(&i.w, W_SENDER, "https://monitor.azure.com");
    expect_post(&i, "[]", 204);
    w_done(&i.w);
}

/* ---- the reading of bodies, against a plain model ------------------------------------------------------------------------------ */

static struct reader_column columns[] = {{{(const uint8_t *)"N", 1}, TYPE_LONG},
                                         {{(const uint8_t *)"S", 1}, TYPE_STRING},
                                         {{(const uint8_t *)"D", 1}, TYPE_DYNAMIC},
                                         {{(const uint8_t *)"R", 1}, TYPE_REAL}};
static const struct rule_stream stream = {
    .name = {(const uint8_t *)"Custom-S", 8}, .columns = columns, .column_count = 4};

/* Whatever the reader keeps in dictionaries or uses again, all batches hold what the body said. */
RF_PROP(batches_that_are_kept_hold_the_records, 60)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct rf_budget budget;
    struct reader *reader = NULL;
    struct kept_rows rows;
    struct rf_err err;
    rf_budget_init(&budget, 512 << 20);
    rf_arena_init_shared(&arena, &budget);
    uint64_t count = rf_test_below(prng, prng->size * 120 + 1), seed = rf_test_u64(prng);
    uint32_t kinds = (uint32_t)rf_test_below(prng, 4000) + 1;
    struct rf_buf body = rf_buf_in(&arena);
    rf_buf_byte(&body, '[');
    for (uint64_t i = 0; i < count; i++) {
        uint64_t n = rf_hash_u64(seed + i);
        rf_buf_printf(&body, "%s{\"N\":%llu,\"S\":\"a\\n%llu\"", i == 0 ? "" : ",",
                      (unsigned long long)i, (unsigned long long)(n % kinds));
        if (n % 3 == 0)
            rf_buf_printf(&body, ",\"D\":{\"k\":%llu}", (unsigned long long)(n % kinds));
        if (n % 5 == 0) rf_buf_printf(&body, ",\"R\":%llu.5", (unsigned long long)(n % 100));
        rf_buf_byte(&body, '}');
    }
    rf_buf_byte(&body, ']');
    cr_assert(ingest_read(&stream, rf_buf_view(&body), &budget, &arena, &reader, &rows, &err) ==
                  RF_OK,
              "%s", err.text);
    cr_assert_eq(rows.row_count, count);
    uint64_t at = 0;
    for (uint32_t b = 0; b < rows.count; b++) {
        const struct vec *v = rows.batches[b].columns;
        for (uint32_t row = 0; row < rows.batches[b].row_count; row++, at++) {
            uint64_t n = rf_hash_u64(seed + at);
            char text[40];
            (void)snprintf(text, sizeof text, "a\n%llu", (unsigned long long)(n % kinds));
            cr_assert(vec_i64(&v[0], row) == (int64_t)at);
            cr_assert(rf_str_is(vec_str(&v[1], row), text));
            cr_assert(vec_null(&v[2], row) == (n % 3 != 0));
            cr_assert(vec_null(&v[3], row) == (n % 5 != 0));
            if (n % 5 == 0) cr_assert(vec_real(&v[3], row) == (double)(n % 100) + 0.5);
        }
    }
    cr_assert_eq(at, count);
    reader_free(reader);
}
