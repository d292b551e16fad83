#include "test/rf_prop.h"
#include "vault/keys_world.h"

enum { DAY = 86400 };
#define POLICY K "k/rotationpolicy"
#define ROTATE(trigger) "{\"trigger\":{" trigger "},\"action\":{\"type\":\"Rotate\"}}"
#define NOTIFY(trigger) "{\"trigger\":{" trigger "},\"action\":{\"type\":\"notify\"}}"
#define AFTER(span) "\"timeAfterCreate\":\"" span "\""
#define BEFORE(span) "\"timeBeforeExpiry\":\"" span "\""
#define ENDS(span) "\"attributes\":{\"expiryTime\":\"" span "\"}"
#define ACTIONS(list) "\"lifetimeActions\":[" list "]"

/* ---- durations ------------------------------------------------------------------------------------------------------------- */

Test(vault_keys_rotation, reads_durations)
{
    static const struct {
        const char *text;
        bool good;
        struct key_span span;
    } cases[] = {{"P90D", true, {0, 0, 90}},
                 {"P2Y", true, {2, 0, 0}},
                 {"P1Y2M3D", true, {1, 2, 3}},
                 {"P1Y3D", true, {1, 0, 3}},
                 {"P018M", true, {0, 18, 0}},
                 {"P99999D", true, {0, 0, 99999}},
                 {.text = "P999999D"},
                 {.text = "P"},
                 {.text = "PD"},
                 {.text = ""},
                 {.text = "90D"},
                 {.text = "p90D"},
                 {.text = "P90d"},
                 {.text = "P90"},
                 {.text = "P1M1Y"},
                 {.text = "P1D1D"},
                 {.text = "P1W"},
                 {.text = "PT24H"},
                 {.text = "P1DT1H"},
                 {.text = "P-1D"},
                 {.text = "P1.5D"},
                 {.text = " P1D"},
                 {.text = "P1D "}};
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct key_span span;
        cr_assert(vault_span_read(rf_str_of(cases[i].text), &span) == cases[i].good, "%s",
                  cases[i].text);
        cr_assert(!cases[i].good || memcmp(&span, &cases[i].span, sizeof span) == 0, "%s",
                  cases[i].text);
    }
}

Test(vault_keys_rotation, adds_durations_as_calendars_do)
{
    static const struct {
        int64_t from; /* 2026-01-31 12:00 is WALK_NOW */
        struct key_span span;
        int sign;
        int64_t to;
    } cases[] = {{WALK_NOW, {0, 1, 0}, 1, WALK_NOW + 28 * DAY},   /* 28 February */
                 {WALK_NOW, {0, 1, 1}, 1, WALK_NOW + 29 * DAY},   /* then a day */
                 {WALK_NOW, {2, 1, 0}, 1, 1835438400},            /* 2028-02-29 */
                 {WALK_NOW, {1, 0, 0}, 1, WALK_NOW + 365 * DAY},  /* */
                 {WALK_NOW, {0, 0, 30}, -1, WALK_NOW - 30 * DAY}, /* */
                 {WALK_NOW, {0, 2, 0}, -1, WALK_NOW - 62 * DAY},  /* 30 November */
                 {1835438400, {4, 0, 0}, 1, 1835438400 + 1461 * DAY}};
    for (size_t i = 0; i < RF_COUNT(cases); i++)
        cr_assert(vault_span_add(cases[i].from, &cases[i].span, cases[i].sign) == cases[i].to,
                  "case %zu: %lld", i,
                  (long long)vault_span_add(cases[i].from, &cases[i].span, cases[i].sign));
}

/* Leap years after the Gregorian rule. */
static int days_in(int64_t year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month] + (month == 1 && leap);
}

/* Slowly: days since 1970 to a date and back, a day or month at a time. */
static int64_t add_slowly(int64_t time, const struct key_span *span)
{
    int64_t days = time / DAY, year = 1970;
    int month = 0;
    while (days >= days_in(year, month)) {
        days -= days_in(year, month);
        if (++month == 12) {
            month = 0;
            year++;
        }
    }
    int64_t months = year * 12 + month + (int64_t)span->years * 12 + span->months;
    int last = days_in(months / 12, (int)(months % 12)) - 1;
    int64_t out = RF_MIN(days, (int64_t)last) + span->days;
    for (int64_t m = (int64_t)1970 * 12; m < months; m++) out += days_in(m / 12, (int)(m % 12));
    return out * DAY + time % DAY;
}

RF_PROP(durations_are_added_as_by_hand, 2000)
{
    struct key_span span = {.years = (int)rf_test_below(prng, 60),
                            .months = (int)rf_test_below(prng, 40),
                            .days = (int)rf_test_below(prng, 900)},
                    read;
    char text[60];
    (void)snprintf(text, sizeof text, "P%dY%dM%dD", span.years, span.months, span.days);
    cr_assert(vault_span_read(rf_str_of(text), &read) && memcmp(&span, &read, sizeof span) == 0);
    int64_t time = rf_test_between(prng, 0, INT64_C(4000000000));
    cr_assert(vault_span_add(time, &span, 1) == add_slowly(time, &span), "%s from %lld", text,
              (long long)time);
}

/* ---- policies ----------------------------------------------------------------------------------------------------------------- */

static const char *create(struct vault_world *w, const char *more)
{
    v_expect(w, "POST", K "k/create", k_text(&w->site.arena, "{\"kty\":\"EC\"%s}", more), 200);
    return k_version(w);
}

Test(vault_keys_rotation, has_a_default_policy)
{
    struct vault_world w;
    v_init(&w);
    v_expect_error(&w, "GET", POLICY, NULL, 404, "KeyNotFound", NULL);
    (void)create(&w, "");
    v_expect(&w, "GET", POLICY, NULL, 200);
    v_expect_text(&w, "id", "https://localhost:8443/keys/k/rotationpolicy");
    const struct json_node *action = json_get(w.answer, "lifetimeActions")->first;
    cr_assert(action != NULL && action->next == NULL);
    cr_assert(rf_str_is(json_text_at(action, "action.type"), "Notify"));
    cr_assert(rf_str_is(json_text_at(action, "trigger.timeBeforeExpiry"), "P30D"));
    cr_assert(json_is(json_at(w.answer, "attributes.expiryTime"), JSON_T_NULL));
    v_done(&w);
}

Test(vault_keys_rotation, keeps_a_policy_and_resets_it)
{
    struct vault_world w;
    v_init(&w);
    (void)create(&w, "");
    v_expect(&w, "PUT", POLICY,
             "{" ACTIONS(ROTATE(AFTER("P90D")) "," NOTIFY(BEFORE("P30D"))) "," ENDS("P2Y") "}",
             200);
    v_pass(&w, 60);
    v_expect(&w, "GET", POLICY, NULL, 200);
    v_expect_text(&w, "attributes.expiryTime", "P2Y");
    cr_assert(k_i64(&w, "attributes.created") == WALK_NOW);
    cr_assert(k_i64(&w, "attributes.updated") == WALK_NOW);
    const struct json_node *action = json_get(w.answer, "lifetimeActions")->first;
    cr_assert(rf_str_is(json_text_at(action, "action.type"), "Rotate"));
    cr_assert(rf_str_is(json_text_at(action, "trigger.timeAfterCreate"), "P90D"));
    cr_assert(rf_str_is(json_text_at(action->next, "action.type"), "Notify"));
    v_expect(&w, "PUT", POLICY, "{\"lifetimeActions\":[]}", 200);
    cr_assert(json_is(json_at(w.answer, "attributes.expiryTime"), JSON_T_NULL));
    cr_assert(k_i64(&w, "attributes.created") == WALK_NOW);
    cr_assert(k_i64(&w, "attributes.updated") == WALK_NOW + 60);
    action = json_get(w.answer, "lifetimeActions")->first;
    cr_assert(rf_str_is(json_text_at(action, "trigger.timeBeforeExpiry"), "P30D"));
    v_done(&w);
}

Test(vault_keys_rotation, takes_only_policies_that_can_be)
{
    static const struct {
        const char *body;
        bool good;
    } cases[] = {
        {"{" ENDS("P28D") "}", true},
        {"{" ENDS("P27D") "}", false},
        {"{" ENDS("soon") "}", false},
        {"{\"attributes\":{\"expiryTime\":90}}", false},
        {"{\"attributes\":[]}", false},
        {"{\"lifetimeActions\":{}}", false},
        {"{" ACTIONS("1") "}", false},
        {"{" ACTIONS("{}") "}", false},
        {"{" ACTIONS(ROTATE(AFTER("P7D"))) "}", true},
        {"{" ACTIONS(ROTATE(AFTER("P6D"))) "}", false},
        {"{" ACTIONS(ROTATE(AFTER("7"))) "}", false},
        {"{" ACTIONS(ROTATE(BEFORE("P10D"))) "}", false},
        {"{" ACTIONS(ROTATE("")) "}", false},
        {"{" ACTIONS(ROTATE("\"timeAfterCreate\":9")) "}", false},
        {"{" ACTIONS(ROTATE("\"timeAfterCreate\":9," BEFORE("P30D"))) "," ENDS("P60D") "}", false},
        {"{" ACTIONS(ROTATE("\"timeAfterCreate\":null," BEFORE("P30D"))) "," ENDS("P60D") "}",
         true},
        {"{" ACTIONS("{\"trigger\":"
                     "\"P30D\",\"action\":{\"type\":\"Rotate\"}}") "}",
         false},
        {"{" ACTIONS("{\"trigger\":{" AFTER("P30D") "},\"action\":{\"type\":\"Burn\"}}") "}",
         false},
        {"{" ACTIONS("{\"trigger\":{" AFTER("P30D") "},\"action\":{\"type\":\"rOTATE\"}}") "}",
         true},
        {"{" ACTIONS(ROTATE(AFTER("P30D") "," BEFORE("P30D"))) "," ENDS("P60D") "}", false},
        {"{" ACTIONS(ROTATE(AFTER("P30D")) "," ROTATE(AFTER("P40D"))) "," ENDS("P60D") "}", false},
        {"{" ACTIONS(NOTIFY(BEFORE("P8D")) "," NOTIFY(BEFORE("P9D"))) "}", false},
        {"{" ACTIONS(NOTIFY(AFTER("P30D"))) "," ENDS("P60D") "}", false},
        {"{" ACTIONS(NOTIFY(BEFORE("P6D"))) "}", false},
        {"{" ACTIONS(NOTIFY(BEFORE("P7D"))) "}", true},
        {"{" ACTIONS(ROTATE(AFTER("P53D"))) "," ENDS("P60D") "}", true},
        {"{" ACTIONS(ROTATE(AFTER("P54D"))) "," ENDS("P60D") "}", false},
        {"{" ACTIONS(ROTATE(BEFORE("P53D"))) "," ENDS("P60D") "}", true},
        {"{" ACTIONS(ROTATE(BEFORE("P54D"))) "," ENDS("P60D") "}", false},
    };
    struct vault_world w;
    v_init(&w);
    (void)create(&w, "");
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        v_expect(&w, "PUT", POLICY, cases[i].body, cases[i].good ? 200 : 400);
        if (!cases[i].good) v_expect_text(&w, "error.code", "BadParameter");
    }
    v_done(&w);
}

/* ---- rotation by hand ----------------------------------------------------------------------------------------------------------- */

Test(vault_keys_rotation, rotates_to_the_same_kind)
{
    struct vault_world w;
    v_init(&w);
    v_expect_error(&w, "POST", K "k/rotate", NULL, 404, "KeyNotFound", NULL);
    const char *first =
        create(&w, ",\"crv\":\"P-384\",\"key_ops\":[\"verify\",\"sign\"],\"tags\":{\"a\":\"b\"},"
                   "\"attributes\":{\"enabled\":false,\"exp\":1999999999}");
    rf_str x = json_text_at(w.answer, "key.x");
    v_expect(&w, "PUT", POLICY, "{" ENDS("P60D") "}", 200);
    v_pass(&w, 5);
    v_expect(&w, "POST", K "k/rotate", NULL, 200);
    const char *second = k_version(&w);
    cr_assert(strcmp(first, second) != 0 && !rf_str_eq(json_text_at(w.answer, "key.x"), x));
    v_expect_text(&w, "key.crv", "P-384");
    v_expect_text(&w, "tags.a", "b");
    cr_assert(rf_str_is(json_get(json_get(w.answer, "key"), "key_ops")->first->text, "verify"));
    cr_assert(json_bool_at(w.answer, "attributes.enabled", false));
    cr_assert(k_i64(&w, "attributes.created") == WALK_NOW + 5);
    cr_assert(k_i64(&w, "attributes.exp") == WALK_NOW + 5 + 60 * DAY);
    v_expect(&w, "PUT", POLICY, "{}", 200);
    v_expect(&w, "POST", K "k/rotate", NULL, 200);
    cr_assert(json_at(w.answer, "attributes.exp") == NULL);
    v_expect(&w, "GET", K "k/versions", NULL, 200);
    cr_assert(json_get(w.answer, "value")->count == 3);
    v_done(&w);
}

/* ---- on time ---------------------------------------------------------------------------------------------------------------------- */

static uint32_t row_count;
static struct json_node *last_row;

static void collect(void *ctx, const char *table, rf_str row)
{
    struct walk_site *site = ctx;
    struct rf_err err;
    if (strcmp(table, "AZKVAuditLogs") != 0) return;
    row_count++;
    cr_assert(json_parse(row, &site->arena, &last_row, &err) == RF_OK, "%s", err.text);
}

/* What the jobs did at this time: events, and a row for each. */
static uint32_t tick(struct vault_world *w)
{
    uint32_t before = w->events;
    row_count = 0;
    vaults_tick(w->vaults, rf_clock_now(&w->site.clock.clock));
    cr_assert(row_count == w->events - before, "%u rows, %u events", row_count, w->events - before);
    return w->events - before;
}

/* The last event, which has a row of this operation. */
static struct json_node *told(struct vault_world *w, const char *type, const char *operation)
{
    struct json_node *event;
    cr_assert(json_parse(w->event, &w->site.arena, &event, &w->err) == RF_OK);
    cr_assert(rf_str_is(json_text_at(event, "eventType"), type), "%.*s", RF_FMT(w->event));
    cr_assert(rf_str_is(json_text_at(event, "subject"), "k"));
    cr_assert(rf_str_is(json_text_at(event, "topic"), V_ID));
    cr_assert(rf_str_is(json_text_at(event, "dataVersion"), "1"));
    cr_assert(rf_str_is(json_text_at(event, "data.ObjectType"), "Key"));
    cr_assert(rf_str_is(json_text_at(event, "data.ObjectName"), "k"));
    cr_assert(rf_str_is(json_text_at(event, "data.VaultName"), V_NAME));
    cr_assert(rf_str_is(json_text_at(last_row, "OperationName"), operation));
    cr_assert(rf_str_find(json_text_at(last_row, "Id"), json_text_at(event, "data.Version"), 0) !=
              SIZE_MAX);
    return event;
}

static void open_with_rows(struct vault_world *w)
{
    v_init(w);
    w->site.audit.row = collect;
}

static uint32_t versions(struct vault_world *w)
{
    v_be(w, V_ADMIN);
    v_expect(w, "GET", K "k/versions", NULL, 200);
    return json_get(w->answer, "value")->count;
}

Test(vault_keys_rotation, rotates_on_time)
{
    struct vault_world w;
    open_with_rows(&w);
    (void)create(&w, "");
    v_expect(&w, "PUT", POLICY, "{" ACTIONS(ROTATE(AFTER("P30D"))) "," ENDS("P60D") "}", 200);
    cr_assert(tick(&w) == 0);
    v_pass(&w, 30 * DAY - 1);
    cr_assert(tick(&w) == 0);
    v_pass(&w, 1);
    cr_assert(tick(&w) == 1);
    struct json_node *event = told(&w, "Microsoft.KeyVault.KeyNewVersionCreated", "KeyRotateIfDue");
    int64_t ends;
    cr_assert(json_i64_at(event, "data.EXP", &ends) && ends == WALK_NOW + 90 * DAY);
    cr_assert(json_is(json_at(event, "data.NBF"), JSON_T_NULL));
    cr_assert(tick(&w) == 0, "once");
    cr_assert(versions(&w) == 2);
    v_expect(&w, "GET", K "k", NULL, 200);
    cr_assert(rf_str_eq(json_text_at(event, "data.Id"), json_text_at(w.answer, "key.kid")) ||
              rf_str_ends(json_text_at(event, "data.Id"), rf_str_of(k_version(&w))));
    v_pass(&w, 30 * DAY); /* a version of the program's own is followed by another */
    cr_assert(tick(&w) == 1 && versions(&w) == 3);
    v_done(&w);
}

Test(vault_keys_rotation, rotates_before_the_end)
{
    struct vault_world w;
    open_with_rows(&w);
    (void)create(&w, k_text(&w.site.arena, ",\"attributes\":{\"exp\":%lld}",
                            (long long)(WALK_NOW + 40 * DAY)));
    v_expect(&w, "PUT", POLICY, "{" ACTIONS(ROTATE(BEFORE("P10D"))) "," ENDS("P60D") "}", 200);
    v_pass(&w, 30 * DAY - 1);
    cr_assert(tick(&w) == 0);
    v_pass(&w, 1);
    cr_assert(tick(&w) == 1 && tick(&w) == 0 && versions(&w) == 2);
    v_done(&w);
}

Test(vault_keys_rotation, leaves_disabled_keys_alone)
{
    struct vault_world w;
    open_with_rows(&w);
    (void)create(&w, "");
    v_expect(&w, "PUT", POLICY, "{" ACTIONS(ROTATE(AFTER("P30D"))) "}", 200);
    v_expect(&w, "PATCH", K "k/", "{\"attributes\":{\"enabled\":false}}", 200);
    v_pass(&w, 31 * DAY);
    cr_assert(tick(&w) == 0 && versions(&w) == 1);
    struct state_txn *txn;
    struct state_list list;
    cr_assert(state_begin_read(w.site.state, &txn, &w.err) == RF_OK);
    struct state_scan scan = {.space = vault_item_space};
    cr_assert(state_list(txn, &scan, &w.site.arena, &list, &w.err) == RF_OK && list.count == 1);
    struct json_node *node;
    struct vault_item item;
    cr_assert(json_parse(list.items[0].body, &w.site.arena, &node, &w.err) == RF_OK);
    cr_assert(vault_item_of(node, &w.site.arena, &item, &w.err) == RF_OK);
    cr_assert(item.due == 0, "no job looks at it each second");
    state_end(txn);
    v_expect(&w, "PATCH", K "k/", "{\"attributes\":{\"enabled\":true}}", 200);
    cr_assert(tick(&w) == 1 && versions(&w) == 2);
    v_done(&w);
}

Test(vault_keys_rotation, tells_that_a_key_ends_and_has_ended)
{
    struct vault_world w;
    open_with_rows(&w);
    (void)create(&w, k_text(&w.site.arena, ",\"attributes\":{\"exp\":%lld}",
                            (long long)(WALK_NOW + 40 * DAY)));
    v_pass(&w, 10 * DAY - 1);
    cr_assert(tick(&w) == 0);
    v_pass(&w, 1);
    cr_assert(tick(&w) == 1);
    (void)told(&w, "Microsoft.KeyVault.KeyNearExpiry", "KeyNearExpiryEventGridNotification");
    cr_assert(tick(&w) == 0);
    v_pass(&w, 30 * DAY);
    cr_assert(tick(&w) == 1);
    (void)told(&w, "Microsoft.KeyVault.KeyExpired", "KeyExpiredEventGridNotification");
    v_pass(&w, DAY);
    cr_assert(tick(&w) == 0);
    v_done(&w);
}

/* The jobs slept over the notice: that a key is near its end is not told behind its end. */
Test(vault_keys_rotation, tells_only_the_end_when_it_comes_late)
{
    struct vault_world w;
    open_with_rows(&w);
    (void)create(&w, k_text(&w.site.arena, ",\"attributes\":{\"exp\":%lld}",
                            (long long)(WALK_NOW + 40 * DAY)));
    v_pass(&w, 41 * DAY);
    cr_assert(tick(&w) == 1);
    (void)told(&w, "Microsoft.KeyVault.KeyExpired", "KeyExpiredEventGridNotification");
    v_pass(&w, 10);
    cr_assert(tick(&w) == 0);
    v_done(&w);
}

Test(vault_keys_rotation, purges_what_was_deleted_long_ago)
{
    struct vault_world w;
    v_init(&w);
    (void)create(&w, "");
    v_expect(&w, "DELETE", K "k", NULL, 200);
    cr_assert(k_i64(&w, "scheduledPurgeDate") == WALK_NOW + 90 * DAY);
    v_pass(&w, 90 * DAY - 1);
    vaults_tick(w.vaults, rf_clock_now(&w.site.clock.clock));
    v_be(&w, V_ADMIN);
    v_expect(&w, "GET", "/deletedkeys/k", NULL, 200);
    v_pass(&w, 1);
    vaults_tick(w.vaults, rf_clock_now(&w.site.clock.clock));
    v_expect_error(&w, "GET", "/deletedkeys/k", NULL, 404, "KeyNotFound", NULL);
    (void)create(&w, "");
    v_done(&w);
}

/* The fixture's arena is the thread's while it runs: it is told of events there. */
static uint32_t stored_versions(struct vault_world *w)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct state_txn *txn;
    struct state_list list;
    struct rf_err err;
    struct state_scan scan = {.space = vault_version_space};
    rf_arena_init(&arena, 1u << 20);
    cr_assert(state_begin_read(w->site.state, &txn, &err) == RF_OK);
    cr_assert(state_list(txn, &scan, &arena, &list, &err) == RF_OK);
    state_end(txn);
    return list.count;
}

/* The thread does the same by itself, and ends when it is told to. */
Test(vault_keys_rotation, starts_and_stops_its_thread, .timeout = 60)
{
    struct vault_world w;
    v_init(&w);
    (void)create(&w, "");
    v_expect(&w, "PUT", POLICY, "{" ACTIONS(ROTATE(AFTER("P30D"))) "}", 200);
    v_pass(&w, 31 * DAY);
    cr_assert(vaults_start(w.vaults, &w.err) == RF_OK, "%s", w.err.text);
    while (stored_versions(&w) < 2) vault_jobs_wake(w.vaults);
    vaults_stop(w.vaults);
    vaults_stop(w.vaults);
    cr_assert(stored_versions(&w) == 2);
    v_done(&w);
}
