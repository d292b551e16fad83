/* sender - sends numbered batches of rows through the Logs Ingestion API while somebody kills the server, and keeps a list of what
 * was acknowledged.
 *
 *   sender BOOTSTRAP prepare                 makes the table Crash_CL and the rule that fills it; prints the rule's id
 *   sender BOOTSTRAP send RULE ID SECONDS [PAUSE]  sends as sender ID; prints "BATCH ROWS acknowledged|unknown|refused" for each;
 *                                            PAUSE: milliseconds after each batch
 *   sender BOOTSTRAP count                   prints "BATCH ROWS" for each batch that the server has
 *
 * A batch whose answer did not come is never sent again: it may be there once or not at all, but whole. */
#define _GNU_SOURCE /* asprintf */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/json_out.h"
#include "net/client.h"

enum { ROWS_MAX = 40 };
#define RULE "crash"
#define STREAM "Custom-Crash_CL"

struct sender {
    struct rf_arena arena; /* of the run */
    struct json_node *boot;
    rf_str ca, immutable_id, tokens[3];
    struct http_client *client;
};
enum { TOKEN_ARM, TOKEN_INGEST, TOKEN_LOGS };
static const char *const scopes[] = {"https://management.azure.com/.default",
                                     "https://monitor.azure.com/.default",
                                     "https://api.loganalytics.io/.default"};

static _Noreturn void give_up(const char *what, rf_str detail)
{
    fprintf(stderr, "sender: %s: %.*s\n", what, RF_FMT(detail));
    exit(1);
}

static rf_str read_file(struct rf_arena *arena, const char *path)
{
    enum { BYTES_MAX = 1 << 20 };
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = rf_arena_alloc(arena, BYTES_MAX);
    if (file == NULL || bytes == NULL) give_up("cannot read", rf_str_of(path));
    size_t got = fread(bytes, 1, BYTES_MAX, file);
    fclose(file);
    return rf_str_make(bytes, got);
}

static rf_str boot(const struct sender *s, const char *name) { return json_text_at(s->boot, name); }

/* bootstrap.json again, as the server may have come back on another port. */
static void load(struct sender *s, const char *path)
{
    struct rf_err err;
    http_client_free(s->client);
    s->client = NULL;
    if (json_parse(read_file(&s->arena, path), &s->arena, &s->boot, &err) != RF_OK)
        give_up(path, rf_str_of(err.text));
    s->ca = read_file(&s->arena, rf_arena_cstr(&s->arena, boot(s, "ca")));
    struct http_client_options options = {.ca_pem = s->ca, .timeout_usec = 20 * RF_USEC_PER_SECOND};
    if (http_client_new(&options, &s->client, &err) != RF_OK)
        give_up("client", rf_str_of(err.text));
}

/* One exchange; status 0: no answer came. */
static uint16_t call(struct sender *s, const char *method, rf_str path, int token,
                     rf_str content_type, rf_str body, struct rf_arena *arena,
                     struct http_answer *answer)
{
    struct rf_err err;
    rf_str url = rf_arena_printf(arena, "%.*s%.*s", RF_FMT(boot(s, "https")), RF_FMT(path));
    struct http_header headers[2] = {{RF_S("Content-Type"), content_type}};
    if (token >= 0)
        headers[1] = (struct http_header){
            RF_S("Authorization"), rf_arena_printf(arena, "Bearer %.*s", RF_FMT(s->tokens[token]))};
    *answer = (struct http_answer){0};
    if (http_client_call(s->client, method, url, headers, token >= 0 ? 2 : 1, body, arena, answer,
                         &err) != RF_OK)
        return 0;
    return answer->status;
}

static bool fetch_token(struct sender *s, int token)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    struct http_answer answer;
    struct json_node *node;
    rf_str form = rf_arena_printf(
        &arena, "grant_type=client_credentials&client_id=%.*s&client_secret=%.*s&scope=%s",
        RF_FMT(boot(s, "client_id")), RF_FMT(percent_encode(&arena, boot(s, "client_secret"))),
        scopes[token]);
    rf_str path = rf_arena_printf(&arena, "/%.*s/oauth2/v2.0/token", RF_FMT(boot(s, "tenant_id")));
    if (call(s, "POST", path, -1, RF_S("application/x-www-form-urlencoded"), form, &arena,
             &answer) != 200)
        return false;
    return json_parse(answer.body, &arena, &node, NULL) == RF_OK &&
           rf_arena_str(&s->arena, json_text_at(node, "access_token"), &s->tokens[token]);
}

static void put(struct sender *s, const char *id, const char *version, const char *body,
                struct http_answer *answer)
{
    rf_str path = rf_arena_printf(
        &s->arena, "/subscriptions/%.*s/resourceGroups/%.*s/providers/%s?api-version=%s",
        RF_FMT(boot(s, "subscription_id")), RF_FMT(boot(s, "resource_group")), id, version);
    uint16_t status = call(s, "PUT", path, TOKEN_ARM, RF_S("application/json"), rf_str_of(body),
                           &s->arena, answer);
    if (status < 200 || status > 202) give_up(id, answer->body);
}

/* Makes table and rule, which is harmless again, and learns the rule's id. */
static void prepare(struct sender *s)
{
    struct http_answer answer;
    struct json_node *node;
    char *table, *rule;
    rf_str name = boot(s, "workspace_name");
    if (!fetch_token(s, TOKEN_ARM)) give_up("no token", boot(s, "https"));
    if (asprintf(&table, "Microsoft.OperationalInsights/workspaces/%.*s/tables/Crash_CL",
                 RF_FMT(name)) < 0)
        abort();
    put(s, table, "2022-10-01",
        "{\"properties\":{\"schema\":{\"name\":\"Crash_CL\",\"columns\":[{\"name\":"
        "\"TimeGenerated\",\"type\":\"dateTime\"},"
        "{\"name\":\"Batch\",\"type\":\"string\"},{\"name\":\"Row\",\"type\":\"long\"}]}}}",
        &answer);
    if (asprintf(&rule,
                 "{\"location\":\"local\",\"kind\":\"Direct\",\"properties\":{"
                 "\"streamDeclarations\":{\"" STREAM
                 "\":{\"columns\":[{\"name\":\"TimeGenerated\",\"type\":\"datetime\"},{\"name\":"
                 "\"Batch\",\"type\":\"string\"},"
                 "{\"name\":\"Row\",\"type\":\"long\"}]}},\"destinations\":{\"logAnalytics\":[{"
                 "\"name\":\"ws\","
                 "\"workspaceResourceId\":\"/subscriptions/%.*s/resourceGroups/%.*s/providers/"
                 "Microsoft.OperationalInsights/workspaces/"
                 "%.*s\"}]},\"dataFlows\":[{\"streams\":[\"" STREAM
                 "\"],\"destinations\":[\"ws\"],\"outputStream\":\"" STREAM "\"}]}}",
                 RF_FMT(boot(s, "subscription_id")), RF_FMT(boot(s, "resource_group")),
                 RF_FMT(name)) < 0)
        abort();
    put(s, "Microsoft.Insights/dataCollectionRules/" RULE, "2023-03-11", rule, &answer);
    if (json_parse(answer.body, &s->arena, &node, NULL) != RF_OK) give_up("rule", answer.body);
    s->immutable_id = json_text_at(node, "properties.immutableId");
    free(table);
    free(rule);
}

static rf_str batch_body(struct rf_arena *arena, const char *batch, uint32_t rows)
{
    struct rf_buf buf = rf_buf_in(arena);
    struct json_out out = json_out_to(&buf);
    json_begin_array(&out, NULL);
    for (uint32_t row = 0; row < rows; row++) {
        json_begin_object(&out, NULL);
        json_put_text(&out, "TimeGenerated", RF_S("2026-01-01T00:00:00Z"));
        json_put_text(&out, "Batch", rf_str_of(batch));
        json_put_i64(&out, "Row", row);
        json_end_object(&out);
    }
    json_end_array(&out);
    return rf_buf_view(&buf);
}

static void send_batches(struct sender *s, const char *path, const char *id, int64_t seconds,
                         int pause_ms)
{
    struct rf_clock *clock = rf_clock_real();
    rf_usec end = rf_clock_elapsed(clock) + seconds * RF_USEC_PER_SECOND;
    bool has_token = false;
    for (uint32_t number = 0; rf_clock_elapsed(clock) < end; number++) {
        RF_CLEANUP(rf_arena_done) struct rf_arena arena;
        rf_arena_init(&arena, 1 << 20);
        struct http_answer answer;
        char batch[64];
        uint32_t rows = 1 + (number * 2654435761u >> 16) % ROWS_MAX;
        (void)snprintf(batch, sizeof batch, "%s-%u", id, number);
        if (!has_token) {
            load(s, path);
            has_token = fetch_token(s, TOKEN_INGEST);
            if (!has_token) {
                usleep(50000);
                continue;
            }
        }
        rf_str where = rf_arena_printf(
            &arena, "/dataCollectionRules/%.*s/streams/" STREAM "?api-version=2023-01-01",
            RF_FMT(s->immutable_id));
        uint16_t status = call(s, "POST", where, TOKEN_INGEST, RF_S("application/json"),
                               batch_body(&arena, batch, rows), &arena, &answer);
        if (status == 204)
            printf("%s %u acknowledged\n", batch, rows);
        else if (status == 0 || status >= 500)
            printf("%s %u unknown\n", batch, rows);
        else if (status == 429) /* more calls than a rule takes in a minute */
            printf("%s %u refused\n", batch, rows);
        else
            give_up("refused", answer.body);
        (void)fflush(stdout);
        if (status == 429) usleep(200000);
        if (pause_ms > 0) usleep((useconds_t)pause_ms * 1000);
        if (status == 0) has_token = false;
    }
}

static void count(struct sender *s)
{
    struct http_answer answer;
    struct json_node *node;
    rf_str path =
        rf_arena_printf(&s->arena, "/v1/workspaces/%.*s/query", RF_FMT(boot(s, "workspace_id")));
    if (!fetch_token(s, TOKEN_LOGS)) give_up("no token", boot(s, "https"));
    rf_str query =
        RF_S("{\"query\":\"Crash_CL | summarize n = count(), d = count_distinct(Row) by Batch\"}");
    if (call(s, "POST", path, TOKEN_LOGS, RF_S("application/json"), query, &s->arena, &answer) !=
        200)
        give_up("query", answer.body);
    if (json_parse(answer.body, &s->arena, &node, NULL) != RF_OK) give_up("query", answer.body);
    const struct json_node *tables = json_get(node, "tables");
    for (const struct json_node *row = json_get(tables->first, "rows")->first; row != NULL;
         row = row->next) {
        const struct json_node *rows = row->first->next;
        /* A row that is there twice shows as more rows than different ones. */
        printf("%.*s %.*s%s\n", RF_FMT(row->first->text), RF_FMT(rows->text),
               rf_str_eq(rows->text, rows->next->text) ? "" : " doubled");
    }
}

int main(int argc, char **argv)
{
    struct sender s = {0};
    rf_str usage = RF_S("sender BOOTSTRAP prepare|send RULE ID SECONDS [PAUSE]|count");
    if (argc < 3) give_up("usage", usage);
    rf_arena_init(&s.arena, (size_t)256 << 20);
    load(&s, argv[1]);
    if (strcmp(argv[2], "count") == 0) {
        count(&s);
    } else if (strcmp(argv[2], "prepare") == 0) {
        prepare(&s);
        printf("%.*s\n", RF_FMT(s.immutable_id));
    } else if (strcmp(argv[2], "send") == 0 && (argc == 6 || argc == 7)) {
        s.immutable_id = rf_str_of(argv[3]);
        send_batches(&s, argv[1], argv[4], atoll(argv[5]), argc == 7 ? atoi(argv[6]) : 0);
    } else {
        prepare(&s);
        if (strcmp(argv[2], "send") == 0 && argc == 5)
            send_batches(&s, argv[1], argv[3], atoll(argv[4]), 0);
    }
    http_client_free(s.client);
    rf_arena_done(&s.arena);
    return 0;
}
