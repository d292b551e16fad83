/* azure_client.h - what tests of a whole server share: a client that signs in with bootstrap.json, makes a table and a rule, sends
 * rows and asks for them. One thread each. Strings live until azure_done. */
#ifndef RF_TEST_AZURE_CLIENT_H
#define RF_TEST_AZURE_CLIENT_H

#include <stdio.h>
#include <stdlib.h>

#include "base/encode.h"
#include "base/json_tree.h"
#include "net/client.h"

enum azure_audience { AZURE_ARM, AZURE_INGEST, AZURE_LOGS, AZURE_GRAPH, AZURE_AUDIENCES };
enum { AZURE_NO_TOKEN = -1 };

struct azure {
    struct rf_arena arena;
    struct json_node *boot;
    rf_str ca, rule; /* rule: its immutable id */
    rf_str tokens[AZURE_AUDIENCES];
    struct http_client *client;
};

static inline _Noreturn void azure_die(const char *what, rf_str detail)
{
    fprintf(stderr, "%s: %.*s\n", what, RF_FMT(detail));
    exit(1);
}

static inline rf_str azure_file(struct rf_arena *arena, const char *path)
{
    enum { BYTES_MAX = 1 << 20 };
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = rf_arena_alloc(arena, BYTES_MAX);
    if (file == NULL || bytes == NULL) azure_die("cannot read", rf_str_of(path));
    size_t got = fread(bytes, 1, BYTES_MAX, file);
    (void)fclose(file);
    return rf_str_make(bytes, got);
}

static inline rf_str azure_boot(const struct azure *a, const char *name)
{
    return json_text_at(a->boot, name);
}

/* Also drops the connection, so that the next call makes a new one. */
static inline void azure_connect(struct azure *a)
{
    struct rf_err err;
    http_client_free(a->client);
    a->client = NULL;
    struct http_client_options options = {.ca_pem = a->ca, .timeout_usec = 20 * RF_USEC_PER_SECOND};
    if (http_client_new(&options, &a->client, &err) != RF_OK)
        azure_die("client", rf_str_of(err.text));
}

static inline void azure_init(struct azure *a, const char *bootstrap)
{
    struct rf_err err;
    *a = (struct azure){.boot = NULL};
    rf_arena_init(&a->arena, (size_t)256 << 20);
    if (json_parse(azure_file(&a->arena, bootstrap), &a->arena, &a->boot, &err) != RF_OK)
        azure_die(bootstrap, rf_str_of(err.text));
    a->ca = azure_file(&a->arena, rf_arena_cstr(&a->arena, azure_boot(a, "ca")));
    azure_connect(a);
}

static inline void azure_done(struct azure *a)
{
    http_client_free(a->client);
    rf_arena_done(&a->arena);
}

/* One exchange, whose answer is in `arena`; status 0: none came. */
static inline uint16_t azure_call(struct azure *a, const char *method, rf_str path, int token,
                                  const char *type, rf_str body, struct rf_arena *arena,
                                  struct http_answer *answer)
{
    struct rf_err err;
    rf_str url = rf_arena_printf(arena, "%.*s%.*s", RF_FMT(azure_boot(a, "https")), RF_FMT(path));
    struct http_header headers[2] = {{RF_S("Content-Type"), rf_str_of(type)}};
    if (token != AZURE_NO_TOKEN)
        headers[1] = (struct http_header){
            RF_S("Authorization"), rf_arena_printf(arena, "Bearer %.*s", RF_FMT(a->tokens[token]))};
    *answer = (struct http_answer){.status = 0};
    if (http_client_call(a->client, method, url, headers, token == AZURE_NO_TOKEN ? 1 : 2, body,
                         arena, answer, &err) != RF_OK) {
        answer->status = 0;
        answer->body = RF_S("");
        (void)rf_arena_str(arena, rf_str_of(err.text), &answer->body);
    }
    return answer->status;
}

static inline rf_str azure_token_form(const struct azure *a, struct rf_arena *arena, rf_str secret,
                                      int token)
{
    static const char *const scopes[] = {[AZURE_ARM] = "https://management.azure.com/.default",
                                         [AZURE_INGEST] = "https://monitor.azure.com/.default",
                                         [AZURE_LOGS] = "https://api.loganalytics.io/.default",
                                         [AZURE_GRAPH] = "https://graph.microsoft.com/.default"};
    return rf_arena_printf(
        arena, "grant_type=client_credentials&client_id=%.*s&client_secret=%.*s&scope=%s",
        RF_FMT(azure_boot(a, "client_id")), RF_FMT(percent_encode(arena, secret)), scopes[token]);
}

static inline uint16_t azure_ask_token(struct azure *a, rf_str secret, int token,
                                       struct rf_arena *arena, struct http_answer *answer)
{
    rf_str path =
        rf_arena_printf(arena, "/%.*s/oauth2/v2.0/token", RF_FMT(azure_boot(a, "tenant_id")));
    return azure_call(a, "POST", path, AZURE_NO_TOKEN, "application/x-www-form-urlencoded",
                      azure_token_form(a, arena, secret, token), arena, answer);
}

static inline bool azure_fetch_token(struct azure *a, int token)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    struct http_answer answer;
    struct json_node *node;
    return azure_ask_token(a, azure_boot(a, "client_secret"), token, &arena, &answer) == 200 &&
           json_parse(answer.body, &arena, &node, NULL) == RF_OK &&
           rf_arena_str(&a->arena, json_text_at(node, "access_token"), &a->tokens[token]);
}

static inline void azure_sign_in(struct azure *a)
{
    for (int i = 0; i < AZURE_AUDIENCES; i++)
        if (!azure_fetch_token(a, i)) azure_die("no token", azure_boot(a, "https"));
}

static inline rf_str azure_group(const struct azure *a, struct rf_arena *arena)
{
    return rf_arena_printf(arena, "/subscriptions/%.*s/resourceGroups/%.*s",
                           RF_FMT(azure_boot(a, "subscription_id")),
                           RF_FMT(azure_boot(a, "resource_group")));
}

static inline void azure_put(struct azure *a, rf_str id, const char *version, rf_str body,
                             struct http_answer *answer)
{
    rf_str path = rf_arena_printf(&a->arena, "%.*s/providers/%.*s?api-version=%s",
                                  RF_FMT(azure_group(a, &a->arena)), RF_FMT(id), version);
    uint16_t status =
        azure_call(a, "PUT", path, AZURE_ARM, "application/json", body, &a->arena, answer);
    if (status < 200 || status > 202) azure_die("put", answer->body);
}

/* Makes the table NAME (TimeGenerated, Batch, Row) and a rule that fills it by the stream Custom-NAME. */
static inline void azure_prepare(struct azure *a, const char *name)
{
    struct http_answer answer;
    struct json_node *node;
    rf_str workspace = azure_boot(a, "workspace_name");
    azure_put(a,
              rf_arena_printf(&a->arena, "Microsoft.OperationalInsights/workspaces/%.*s/tables/%s",
                              RF_FMT(workspace), name),
              "2022-10-01",
              rf_arena_printf(&a->arena,
                              "{\"properties\":{\"schema\":{\"name\":\"%s\",\"columns\":["
                              "{\"name\":\"TimeGenerated\",\"type\":\"dateTime\"},"
                              "{\"name\":\"Batch\",\"type\":\"string\"},"
                              "{\"name\":\"Row\",\"type\":\"long\"}]}}}",
                              name),
              &answer);
    azure_put(
        a, RF_S("Microsoft.Insights/dataCollectionRules/test"), "2023-03-11",
        rf_arena_printf(
            &a->arena,
            "{\"location\":\"local\",\"kind\":\"Direct\",\"properties\":{\"streamDeclarations\":{"
            "\"Custom-%s\":{\"columns\":[{\"name\":\"TimeGenerated\",\"type\":\"datetime\"},"
            "{\"name\":\"Batch\",\"type\":\"string\"},{\"name\":\"Row\",\"type\":\"long\"}]}},"
            "\"destinations\":{\"logAnalytics\":[{\"name\":\"ws\",\"workspaceResourceId\":"
            "\"%.*s/providers/Microsoft.OperationalInsights/workspaces/%.*s\"}]},"
            "\"dataFlows\":[{\"streams\":[\"Custom-%s\"],\"destinations\":[\"ws\"],"
            "\"outputStream\":\"Custom-%s\"}]}}",
            name, RF_FMT(azure_group(a, &a->arena)), RF_FMT(workspace), name, name),
        &answer);
    if (json_parse(answer.body, &a->arena, &node, NULL) != RF_OK) azure_die("rule", answer.body);
    a->rule = json_text_at(node, "properties.immutableId");
}

static inline rf_str azure_stream(const struct azure *a, const char *name, struct rf_arena *arena)
{
    return rf_arena_printf(arena,
                           "/dataCollectionRules/%.*s/streams/Custom-%s?api-version=2023-01-01",
                           RF_FMT(a->rule), name);
}

static inline rf_str azure_query_path(const struct azure *a, struct rf_arena *arena)
{
    return rf_arena_printf(arena, "/v1/workspaces/%.*s/query",
                           RF_FMT(azure_boot(a, "workspace_id")));
}

/* The first cell of the answer to a query; empty when there is none. */
static inline rf_str azure_first_cell(const struct http_answer *answer, struct rf_arena *arena)
{
    struct json_node *node;
    if (json_parse(answer->body, arena, &node, NULL) != RF_OK) return (rf_str){0};
    const struct json_node *tables = json_get(node, "tables");
    const struct json_node *rows =
        tables == NULL || tables->first == NULL ? NULL : json_get(tables->first, "rows");
    return rows == NULL || rows->first == NULL || rows->first->first == NULL
               ? (rf_str){0}
               : rows->first->first->text;
}

#endif
