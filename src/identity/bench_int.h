/* bench_int.h - for the tests of identity: a directory in a folder of its own, a keeper in a thread, and the dispatcher in front,
 * asked without sockets. Tests include test/rf_prop.h before it. */
#ifndef RF_IDENTITY_BENCH_INT_H
#define RF_IDENTITY_BENCH_INT_H

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "crypt/keeper_serve.h"
#include "identity/graph_int.h"

/* 2026-01-31T12:00:00Z */
#define BENCH_START (INT64_C(1769860800) * RF_USEC_PER_SECOND)
#define BENCH_TENANT "6f1a2b3c-0000-4000-8000-00000000abcd"
#define BENCH_ORIGIN "https://localhost:8443"

struct bench {
    char folder[64];
    struct rf_clock_fixed clock;
    struct rf_arena arena;
    struct state *state;
    struct keeper_core *core;
    struct keeper *keeper;
    int served;
    pthread_t thread;
    struct authz *authz;
    struct identity *identity;
    struct dispatcher *dispatcher;
    struct directory directory;
    struct browser_sessions sessions;
    struct site site;
    struct audit audit;
    pthread_mutex_t rows_lock;
    struct rf_buf rows; /* "TABLE {json}\n" */
    struct rf_arena rows_arena;
    struct identity_app app;
    rf_str token; /* for Graph */
};

RF_TEST_HELPER void *bench_serve(void *ctx)
{
    struct bench *b = ctx;
    struct rf_err err;
    (void)!keeper_core_serve(b->core, b->served, &err);
    return NULL;
}

RF_TEST_HELPER void bench_row(void *ctx, const char *table, rf_str row)
{
    struct bench *b = ctx;
    pthread_mutex_lock(&b->rows_lock);
    rf_buf_printf(&b->rows, "%s %.*s\n", table, RF_FMT(row));
    pthread_mutex_unlock(&b->rows_lock);
}

RF_TEST_HELPER void bench_keeper(struct bench *b)
{
    char path[96];
    int pair[2];
    struct rf_err err;
    snprintf(path, sizeof path, "%s/keeper", b->folder);
    struct keeper_core_options options = {
        .folder = path, .domain = RF_S("ringfort.localhost"), .clock = &b->clock.clock};
    cr_assert(keeper_core_new(&options, &b->core, &err) == RF_OK, "%s", err.text);
    cr_assert(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
    b->served = pair[1];
    cr_assert(pthread_create(&b->thread, NULL, bench_serve, b) == 0);
    cr_assert(keeper_connect(pair[0], &b->keeper, &err) == RF_OK, "%s", err.text);
}

RF_TEST_HELPER void bench_keys(struct bench *b)
{
    struct keeper_jwt_key *keys;
    struct token_key verify[16];
    uint32_t count;
    struct rf_err err;
    cr_assert(keeper_jwt_keys(b->keeper, &b->arena, &keys, &count, &err) == RF_OK, "%s", err.text);
    cr_assert(count > 0 && count <= RF_COUNT(verify));
    for (uint32_t i = 0; i < count; i++)
        verify[i] = (struct token_key){.kid = keys[i].kid, .cert = keys[i].cert};
    cr_assert(dispatcher_set_keys(b->dispatcher, verify, count, &err) == RF_OK, "%s", err.text);
}

RF_TEST_HELPER void bench_dispatcher(struct bench *b)
{
    struct rf_err err;
    struct dispatcher_options options = {.site = &b->site,
                                         .authz = b->authz,
                                         .directory = &b->directory,
                                         .sessions = &b->sessions,
                                         .audit = &b->audit,
                                         .clock = &b->clock.clock};
    cr_assert(dispatcher_new(&options, &b->dispatcher, &err) == RF_OK, "%s", err.text);
    uint32_t count;
    const struct service *const *services = identity_services(b->identity, &count);
    for (uint32_t i = 0; i < count; i++)
        cr_assert(dispatcher_add(b->dispatcher, services[i], &err) == RF_OK, "%s", err.text);
    bench_keys(b);
}

RF_TEST_HELPER void bench_open(struct bench *b, const struct identity_options *more)
{
    struct rf_err err;
    char path[96];
    memset(b, 0, sizeof *b);
    snprintf(b->folder, sizeof b->folder, "/tmp/rf-identity-XXXXXX");
    cr_assert(mkdtemp(b->folder) != NULL);
    rf_clock_fixed_init(&b->clock, BENCH_START, 0);
    rf_clock_fixed_pass(&b->clock, RF_USEC_PER_SECOND);
    rf_arena_init(&b->arena, 256 << 20);
    rf_arena_init(&b->rows_arena, 64 << 20);
    b->rows = rf_buf_in(&b->rows_arena);
    pthread_mutex_init(&b->rows_lock, NULL);
    b->audit = (struct audit){.ctx = b, .row = bench_row};
    b->site = (struct site){.tenant_id = RF_S(BENCH_TENANT),
                            .domain = RF_S("ringfort.localhost"),
                            .location = RF_S("local"),
                            .origin = RF_S(BENCH_ORIGIN),
                            .port = 8443};
    snprintf(path, sizeof path, "%s/state.db", b->folder);
    struct state_options state = {.path = path};
    cr_assert(state_open(&state, &b->state, &err) == RF_OK, "%s", err.text);
    bench_keeper(b);
    cr_assert(authz_new(b->state, b->site.tenant_id, &b->authz, &err) == RF_OK, "%s", err.text);
    struct identity_options options = {0};
    if (more != NULL) options = *more;
    options.state = b->state;
    options.authz = b->authz;
    options.keeper = b->keeper;
    options.site = &b->site;
    options.audit = &b->audit;
    options.clock = &b->clock.clock;
    cr_assert(identity_new(&options, &b->identity, &err) == RF_OK, "%s", err.text);
    b->directory = identity_directory(b->identity);
    b->sessions = identity_sessions(b->identity);
    bench_dispatcher(b);
}

RF_TEST_HELPER struct identity_app bench_app(struct bench *b, const char *name, const char *roles)
{
    struct rf_err err;
    struct state_txn *txn;
    struct identity_app app;
    cr_assert(state_begin_write(b->state, &txn, &err) == RF_OK);
    cr_assert(identity_make_app(b->identity, txn, rf_str_of(name), roles, &b->arena, &app, &err) ==
                  RF_OK,
              "%s", err.text);
    cr_assert(state_commit(txn, &err) == RF_OK, "%s", err.text);
    return app;
}

RF_TEST_HELPER void bench_close(struct bench *b)
{
    char command[128];
    dispatcher_free(b->dispatcher);
    identity_free(b->identity);
    authz_free(b->authz);
    keeper_free(b->keeper);
    pthread_join(b->thread, NULL);
    close(b->served);
    keeper_core_free(b->core);
    state_close(b->state);
    rf_arena_done(&b->rows_arena);
    rf_arena_done(&b->arena);
    snprintf(command, sizeof command, "rm -rf %s", b->folder);
    cr_assert(system(command) == 0);
}

struct bench_answer {
    uint16_t status;
    rf_str text;
    struct json_node *json; /* NULL: none */
    const struct http_header *headers;
    uint32_t header_count;
};

RF_TEST_HELPER rf_str bench_header(const struct bench_answer *answer, const char *name)
{
    for (uint32_t i = 0; i < answer->header_count; i++)
        if (rf_str_eq_nocase(answer->headers[i].name, rf_str_of(name)))
            return answer->headers[i].value;
    return (rf_str){0};
}

struct bench_ask {
    enum http_method method;
    const char *target;
    rf_str body;
    const struct http_header *headers;
    uint32_t header_count;
    const char *host;       /* NULL: localhost:8443 */
    bool remote;            /* not from a loopback address */
    struct rf_arena *arena; /* NULL: the bench's; threads need their own */
};

RF_TEST_HELPER struct bench_answer bench_send(struct bench *b, const struct bench_ask *ask)
{
    struct rf_arena *arena = ask->arena == NULL ? &b->arena : ask->arena;
    struct http_response response = {.arena = arena, .status = 200, .body = rf_buf_in(arena)};
    rf_str target = rf_str_of(ask->target);
    size_t question = rf_str_find(target, RF_S("?"), 0);
    struct http_request request = {
        .method = ask->method,
        .target = target,
        .path = question == SIZE_MAX ? target : rf_slice(target, 0, question),
        .query = question == SIZE_MAX ? RF_S("") : rf_slice(target, question + 1, target.len),
        .host = rf_str_of(ask->host == NULL ? "localhost:8443" : ask->host),
        .headers = ask->headers,
        .header_count = ask->header_count,
        .body = ask->body,
        .body_sent_bytes = ask->body.len,
        .peer_address = ask->remote ? RF_S("203.0.113.7") : RF_S("127.0.0.1"),
        .peer_port = 40000,
        .is_loopback = !ask->remote,
        .is_tls = true};
    atomic_bool gone = false;
    struct http_handler handler = dispatcher_handler(b->dispatcher);
    handler.run(handler.ctx, &request, &response, &gone);
    cr_assert(!response.failed && !response.body.failed);
    struct bench_answer answer = {.status = response.status,
                                  .text = rf_buf_view(&response.body),
                                  .headers = response.headers,
                                  .header_count = response.header_count};
    struct rf_err err;
    if (answer.text.len > 0 && json_parse(answer.text, arena, &answer.json, &err) != RF_OK)
        answer.json = NULL;
    return answer;
}

#define BENCH_HEADER(n, v)                                                                         \
    {                                                                                              \
        .name = {(const uint8_t *)(n), sizeof(n) - 1}, .value = {                                  \
            (const uint8_t *)(v),                                                                  \
            sizeof(v) - 1                                                                          \
        }                                                                                          \
    }

RF_TEST_HELPER struct bench_answer bench_form(struct bench *b, const char *target, rf_str body)
{
    static const struct http_header headers[] = {
        BENCH_HEADER("Content-Type", "application/x-www-form-urlencoded;charset=utf-8")};
    struct bench_ask ask = {.method = HTTP_POST,
                            .target = target,
                            .body = body,
                            .headers = headers,
                            .header_count = RF_COUNT(headers)};
    return bench_send(b, &ask);
}

#define BENCH_TOKEN "/" BENCH_TENANT "/oauth2/v2.0/token"
RF_TEST_HELPER struct bench_answer bench_token(struct bench *b, rf_str app_id, rf_str secret,
                                               const char *scope)
{
    rf_str body = rf_arena_printf(
        &b->arena, "grant_type=client_credentials&client_id=%.*s&client_secret=%.*s&scope=%.*s",
        RF_FMT(app_id), RF_FMT(percent_encode(&b->arena, secret)),
        RF_FMT(percent_encode(&b->arena, rf_str_of(scope))));
    return bench_form(b, BENCH_TOKEN, body);
}

RF_TEST_HELPER struct bench_answer bench_get(struct bench *b, const char *target)
{
    struct bench_ask ask = {.method = HTTP_GET, .target = target};
    return bench_send(b, &ask);
}

/* Signs in as the application for Graph. */
RF_TEST_HELPER rf_str bench_graph_token(struct bench *b, const struct identity_app *app)
{
    struct bench_answer answer =
        bench_token(b, app->app_id, app->secret, "https://graph.microsoft.com/.default");
    cr_assert(answer.status == 200, "%.*s", RF_FMT(answer.text));
    return json_text_at(answer.json, "access_token");
}

RF_TEST_HELPER struct bench_answer bench_graph_as(struct bench *b, rf_str token,
                                                  enum http_method method, const char *path,
                                                  const char *body)
{
    rf_str bearer = rf_arena_printf(&b->arena, "Bearer %.*s", RF_FMT(token));
    struct http_header headers[] = {BENCH_HEADER("Content-Type", "application/json"),
                                    {.name = RF_S("Authorization"), .value = bearer},
                                    BENCH_HEADER("ConsistencyLevel", "eventual")};
    struct bench_ask ask = {.method = method,
                            .target = path,
                            .body = body == NULL ? (rf_str){0} : rf_str_of(body),
                            .headers = headers,
                            .header_count = RF_COUNT(headers)};
    return bench_send(b, &ask);
}

/* A NUL-terminated text. */
#define bench_text(b, fmt, ...)                                                                    \
    ((const char *)rf_arena_printf(&(b)->arena, fmt "%c", __VA_ARGS__, 0).ptr)

RF_TEST_HELPER struct bench_answer bench_graph(struct bench *b, enum http_method method,
                                               const char *path, const char *body)
{
    return bench_graph_as(b, b->token, method, path, body);
}

/* Whether a row of that table with all of these texts was written. */
RF_TEST_HELPER bool bench_has_row(struct bench *b, const char *table, const char *const *texts)
{
    rf_str rows = rf_buf_view(&b->rows);
    for (size_t at = 0; at < rows.len;) {
        size_t end = rf_str_find(rows, RF_S("\n"), at);
        rf_str row = rf_slice(rows, at, end);
        at = end + 1;
        bool fits = rf_str_starts(row, rf_str_of(table));
        for (const char *const *t = texts; *t != NULL && fits; t++)
            fits = rf_str_find(row, rf_str_of(*t), 0) != SIZE_MAX;
        if (fits) return true;
    }
    return false;
}

#endif
