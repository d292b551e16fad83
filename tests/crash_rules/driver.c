/* driver - sends events that rules raise alerts for while somebody kills the server, and shows what came of them.
 *
 *   driver BOOTSTRAP prepare             makes the table RuleCrash_CL, a rule that fills it, and the analytics rules
 *   driver BOOTSTRAP ready               ends with 0 when the server answers
 *   driver BOOTSTRAP send DCR BORN ID MSEC  sends events; prints "ACCOUNT acknowledged|unknown|refused" for each
 *   driver BOOTSTRAP trigger BORN N NTH  has the scheduled rule N run, when its window NTH (from 1) is due next
 *   driver BOOTSTRAP ask QUERY           prints the rows of the answer, columns parted by blanks
 *   driver BOOTSTRAP incidents           prints "INCIDENT ALERT" for each alert of each incident, as the API tells
 *
 * Each event has an account of its own (Batch) and a lane (Row), and three rules must alert for it: the near-real-time rule of
 * its lane, which looks at rows as they come; the one that counts the rows of each minute; and the scheduled rule of its
 * lane. There are so many because each rests for a minute after an alert. BORN: seconds since 1970, when the rules were made. */
#define _GNU_SOURCE /* usleep */
#include <unistd.h>

#include "../lib/azure_client.h"

#include "base/clock.h"
#include "base/json_out.h"

enum { LANES = 20, SCHEDULED = 10, PAUSE_MSEC = 200 };
#define TABLE "RuleCrash_CL"
#define ENTITIES                                                                                   \
    "\"entityMappings\":[{\"entityType\":\"Account\",\"fieldMappings\":[{\"identifier\":\"Name\"," \
    "\"columnName\":\"Batch\"}]}],"
#define EACH "\"eventGroupingSettings\":{\"aggregationKind\":\"AlertPerResult\"},"
/* Alerts of a rule join its incident, so that incidents change often. */
#define GROUPED                                                                                    \
    "\"incidentConfiguration\":{\"createIncident\":true,\"groupingConfiguration\":{\"enabled\":"   \
    "true,\"reopenClosedIncident\":false,\"lookbackDuration\":\"PT5H\",\"matchingMethod\":"        \
    "\"AnyAlert\"}}"
#define SINGLE "\"incidentConfiguration\":{\"createIncident\":true}"

/* Below the workspace. */
static rf_str insights(struct azure *a, const char *what)
{
    return rf_arena_printf(&a->arena,
                           "Microsoft.OperationalInsights/workspaces/%.*s/providers/"
                           "Microsoft.SecurityInsights/%s",
                           RF_FMT(azure_boot(a, "workspace_name")), what);
}

static rf_str insights_path(struct azure *a, const char *what, const char *version)
{
    return rf_arena_printf(&a->arena, "%.*s/providers/%.*s?api-version=%s",
                           RF_FMT(azure_group(a, &a->arena)), RF_FMT(insights(a, what)), version);
}

static void put_rule(struct azure *a, const char *kind, uint32_t number, const char *query,
                     const char *more)
{
    struct http_answer answer;
    char name[64];
    (void)snprintf(name, sizeof name, "alertRules/%s%u", kind, number);
    bool scheduled = strcmp(kind, "scheduled") == 0;
    rf_str body = rf_arena_printf(
        &a->arena,
        "{\"kind\":\"%s\",\"properties\":{\"displayName\":\"%s%u\",\"enabled\":true,\"severity\":"
        "\"Low\",\"query\":\"%s\",\"suppressionEnabled\":false,\"suppressionDuration\":\"PT1H\","
        "%s" ENTITIES "%s}}",
        scheduled ? "Scheduled" : "NRT", kind, number, query,
        scheduled ? "\"queryFrequency\":\"PT5M\",\"queryPeriod\":\"PT5M\",\"triggerOperator\":"
                    "\"GreaterThan\",\"triggerThreshold\":0,"
                  : "",
        more);
    azure_put(a, insights(a, name), "2024-09-01", body, &answer);
}

static void prepare(struct azure *a)
{
    struct http_answer answer;
    char query[100];
    azure_prepare(a, TABLE);
    azure_put(a, insights(a, "onboardingStates/default"), "2024-09-01", RF_S("{\"properties\":{}}"),
              &answer);
    for (uint32_t i = 0; i < LANES; i++) {
        (void)snprintf(query, sizeof query, TABLE " | where Row == %u", i);
        put_rule(a, "rows", i, query, i % 2 == 0 ? EACH GROUPED : EACH SINGLE);
    }
    put_rule(a, "counts", 0, TABLE " | summarize Count = count() by Batch", GROUPED);
    for (uint32_t i = 0; i < SCHEDULED; i++) {
        (void)snprintf(query, sizeof query, TABLE " | where Row %% %u == %u", (unsigned)SCHEDULED,
                       i);
        put_rule(a, "scheduled", i, query, i % 2 == 0 ? EACH GROUPED : EACH SINGLE);
    }
    printf("%.*s\n", RF_FMT(a->rule));
}

/* One event; its time lies in the first window of the scheduled rules, in which it is seen late by most runs. */
static rf_str event(struct rf_arena *arena, rf_usec born, const char *account, uint32_t number)
{
    rf_usec age = (30 + (rf_usec)(number * 2654435761u >> 16) % 200) * RF_USEC_PER_SECOND;
    rf_str time = time_iso(arena, born - age);
    return rf_arena_printf(arena, "[{\"TimeGenerated\":\"%.*s\",\"Batch\":\"%s\",\"Row\":%u}]",
                           RF_FMT(time), account, number % LANES);
}

static void send_events(struct azure *a, rf_usec born, const char *id, rf_usec duration)
{
    struct rf_clock *clock = rf_clock_real();
    rf_usec end = rf_clock_elapsed(clock) + duration;
    bool has_token = false;
    uint32_t first = (uint32_t)strtoul(id, NULL, 10) * 7;
    for (uint32_t number = first; rf_clock_elapsed(clock) < end; number++) {
        RF_CLEANUP(rf_arena_done) struct rf_arena arena;
        rf_arena_init(&arena, 1 << 20);
        struct http_answer answer;
        char account[64];
        if (!has_token) {
            azure_connect(a);
            has_token = azure_fetch_token(a, AZURE_INGEST);
            if (!has_token) {
                usleep(50000);
                continue;
            }
        }
        (void)snprintf(account, sizeof account, "u%s-%u", id, number);
        uint16_t status =
            azure_call(a, "POST", azure_stream(a, TABLE, &arena), AZURE_INGEST, "application/json",
                       event(&arena, born, account, number), &arena, &answer);
        bool is_unknown = status == 0 || status >= 500;
        if (status != 204 && status != 429 && !is_unknown) azure_die("refused", answer.body);
        printf("%s %s\n", account,
               status == 204 ? "acknowledged"
               : is_unknown  ? "unknown"
                             : "refused");
        (void)fflush(stdout);
        if (status == 0) has_token = false;
        usleep(PAUSE_MSEC * 1000);
    }
}

/* Asks for a run at a time a minute behind the start of window NTH of the rule, which draws forward the scheduled run that
 * is due then; when another one is due, it looks at a window that has no events. */
static int trigger(struct azure *a, rf_usec born, const char *number, int64_t nth)
{
    struct http_answer answer;
    char what[64];
    (void)snprintf(what, sizeof what, "alertRules/scheduled%s/triggerRuleRun", number);
    if (!azure_fetch_token(a, AZURE_ARM)) return 1;
    rf_str at = time_iso(&a->arena, born + (60 + 300 * nth) * RF_USEC_PER_SECOND);
    rf_str body =
        rf_arena_printf(&a->arena, "{\"properties\":{\"executionTimeUtc\":\"%.*s\"}}", RF_FMT(at));
    uint16_t status = azure_call(a, "POST", insights_path(a, what, "2024-10-01-preview"), AZURE_ARM,
                                 "application/json", body, &a->arena, &answer);
    return status == 202 ? 0 : 1;
}

static int ask(struct azure *a, const char *query)
{
    struct http_answer answer;
    struct json_node *node;
    struct rf_buf body = rf_buf_in(&a->arena);
    struct json_out out = json_out_to(&body);
    json_begin_object(&out, NULL);
    json_put_text(&out, "query", rf_str_of(query));
    json_end_object(&out);
    if (!azure_fetch_token(a, AZURE_LOGS) ||
        azure_call(a, "POST", azure_query_path(a, &a->arena), AZURE_LOGS, "application/json",
                   rf_buf_view(&body), &a->arena, &answer) != 200 ||
        json_parse(answer.body, &a->arena, &node, NULL) != RF_OK)
        azure_die("query", answer.body);
    const struct json_node *rows = json_get(json_get(node, "tables")->first, "rows");
    for (const struct json_node *row = rows->first; row != NULL; row = row->next) {
        for (const struct json_node *cell = row->first; cell != NULL; cell = cell->next)
            printf("%.*s%c", RF_FMT(cell->text), cell->next == NULL ? '\n' : ' ');
    }
    return 0;
}

static void show_alerts(struct azure *a, rf_str incident)
{
    struct http_answer answer;
    struct json_node *node;
    char *what = rf_arena_cstr(
        &a->arena, rf_arena_printf(&a->arena, "incidents/%.*s/alerts", RF_FMT(incident)));
    if (azure_call(a, "POST", insights_path(a, what, "2024-09-01"), AZURE_ARM, "application/json",
                   RF_S(""), &a->arena, &answer) != 200 ||
        json_parse(answer.body, &a->arena, &node, NULL) != RF_OK)
        azure_die("alerts", answer.body);
    for (const struct json_node *alert = json_get(node, "value")->first; alert != NULL;
         alert = alert->next)
        printf("%.*s %.*s\n", RF_FMT(incident),
               RF_FMT(json_text_at(alert, "properties.systemAlertId")));
}

static int show_incidents(struct azure *a)
{
    if (!azure_fetch_token(a, AZURE_ARM)) azure_die("no token", azure_boot(a, "https"));
    rf_str origin = azure_boot(a, "https"), path = insights_path(a, "incidents", "2024-09-01");
    while (path.len > 0) {
        struct http_answer answer;
        struct json_node *node;
        if (azure_call(a, "GET", path, AZURE_ARM, "application/json", RF_S(""), &a->arena,
                       &answer) != 200 ||
            json_parse(answer.body, &a->arena, &node, NULL) != RF_OK)
            azure_die("incidents", answer.body);
        for (const struct json_node *item = json_get(node, "value")->first; item != NULL;
             item = item->next)
            show_alerts(a, json_text_at(item, "name"));
        rf_str link = json_text_at(node, "nextLink");
        path = link.len == 0 ? link : rf_slice(link, origin.len, link.len);
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct azure a;
    int status = 0;
    if (argc < 3)
        azure_die("usage", RF_S("driver BOOTSTRAP prepare|ready|send|trigger|ask|incidents"));
    azure_init(&a, argv[1]);
    if (strcmp(argv[2], "prepare") == 0) {
        azure_sign_in(&a);
        prepare(&a);
    } else if (strcmp(argv[2], "ready") == 0) {
        status = azure_fetch_token(&a, AZURE_LOGS) ? 0 : 1;
    } else if (strcmp(argv[2], "send") == 0 && argc == 7) {
        a.rule = rf_str_of(argv[3]);
        send_events(&a, strtoll(argv[4], NULL, 10) * RF_USEC_PER_SECOND, argv[5],
                    strtoll(argv[6], NULL, 10) * RF_USEC_PER_MS);
    } else if (strcmp(argv[2], "trigger") == 0 && argc == 6) {
        status = trigger(&a, strtoll(argv[3], NULL, 10) * RF_USEC_PER_SECOND, argv[4],
                         strtoll(argv[5], NULL, 10));
    } else if (strcmp(argv[2], "ask") == 0 && argc == 4) {
        status = ask(&a, argv[3]);
    } else if (strcmp(argv[2], "incidents") == 0) {
        status = show_incidents(&a);
    } else {
        azure_die("unknown word", rf_str_of(argv[2]));
    }
    azure_done(&a);
    return status;
}
