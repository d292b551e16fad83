#include "cli/cli_server.h"

#include <stdlib.h>
#include <time.h>

#include "base/encode.h"
#include "cli/cli.h"
#include "cli/cli_text.h"
#include "value/text.h"

enum {
    CALL_TRIES_MAX = 6,
    WAIT_SECONDS_MAX = 60,
    LIST_PAGES_MAX = 10000,
    MESSAGE_BYTES_MAX = 900, /* of an error's text */
    CODE_BYTES_MAX = 100
};

struct cli_server {
    struct rf_arena arena;
    struct cli_login login;
    struct cli_site site;
    struct http_client *client;
    struct rf_arena token_arena; /* of the token that was asked for last */
    /* With tokens for others than the server itself, in `arena`; empty: none was needed yet. */
    struct cli_login events, vault;
    bool stored; /* the login is one of the file's */
};

/* ---- where and who ------------------------------------------------------------------------------------------ */

bool cli_server_option(int at, int first, const char *value, struct cli_server_args *args)
{
    const char **members[CLI_SERVER_OPTION_COUNT] = {&args->server, &args->bootstrap, &args->ca};
    if (at < first || at >= first + CLI_SERVER_OPTION_COUNT) return false;
    *members[at - first] = value;
    return true;
}

rf_str cli_server_trim(rf_str url)
{
    while (url.len > 0 && url.ptr[url.len - 1] == '/') url.len--;
    return url;
}

/* The host of "http://host[:port]". */
static rf_str host_of(rf_str rest)
{
    size_t end = 0;
    if (rest.len > 0 && rest.ptr[0] == '[') {
        while (end < rest.len && rest.ptr[end] != ']') end++;
        return rf_slice(rest, 1, RF_MAX(end, (size_t)1));
    }
    while (end < rest.len && rest.ptr[end] != ':' && rest.ptr[end] != '/') end++;
    return rf_slice(rest, 0, end);
}

enum rf_kind cli_server_check(rf_str url, struct rf_err *err)
{
    if (rf_str_starts(url, RF_S("https://")) && url.len > 8) return RF_OK;
    if (rf_str_starts(url, RF_S("http://"))) {
        rf_str host = host_of(rf_slice(url, 7, url.len));
        if (rf_str_is(host, "localhost") || rf_str_ends(host, RF_S(".localhost")) ||
            rf_str_is(host, "127.0.0.1") || rf_str_is(host, "::1"))
            return RF_OK;
        return RF_FAIL(err, RF_INVALID, "BadServer",
                       "%.*s: secrets go over https only, or to this machine", RF_FMT(url));
    }
    return RF_FAIL(err, RF_INVALID, "BadServer", "'%.*s' is not https://HOST:PORT", RF_FMT(url));
}

static enum rf_kind use_bootstrap(struct cli_server *server, const char *path, struct rf_err *err)
{
    return cli_login_from_bootstrap(path, &server->arena, &server->login, err);
}

/* The login for a server, or the present one when that is NULL; *found false when there is none. */
static enum rf_kind use_login(struct cli_server *server, const char *name, bool *found,
                              struct rf_err *err)
{
    struct json_node *logins;
    RF_TRY(cli_login_read(&server->arena, &logins, err));
    const struct json_node *login = logins->first;
    while (name != NULL && login != NULL &&
           !rf_str_eq(json_text_at(login, "server"), cli_server_name(name)))
        login = login->next;
    *found = login != NULL;
    if (login == NULL) return RF_OK;
    rf_str bootstrap = json_text_at(login, "bootstrap");
    if (bootstrap.len > 0) {
        const char *path = rf_arena_cstr(&server->arena, bootstrap);
        if (path == NULL) return rf_fail_memory(err, &server->arena);
        RF_TRY(use_bootstrap(server, path, err));
    }
    cli_login_take(login, &server->login);
    server->stored = true;
    return RF_OK;
}

static enum rf_kind find_login(struct cli_server *server, const struct cli_server_args *args,
                               struct rf_err *err)
{
    const char *given = getenv("RINGFORT_BOOTSTRAP");
    bool found = false;
    if (args->bootstrap != NULL) return use_bootstrap(server, args->bootstrap, err);
    if (args->server != NULL || given == NULL || given[0] == '\0')
        RF_TRY(use_login(server, args->server, &found, err));
    if (found) return RF_OK;
    if (given != NULL && given[0] != '\0') return use_bootstrap(server, given, err);
    return RF_FAIL(err, RF_NOT_FOUND, "NoServer",
                   "%s%s: give --bootstrap FILE, set RINGFORT_BOOTSTRAP, or run 'ringfort login'",
                   args->server == NULL ? "it is not known which server to ask"
                                        : "there is no login for ",
                   args->server == NULL ? "" : args->server);
}

static enum rf_kind open_server(struct cli_server *server, const struct cli_server_args *args,
                                struct rf_err *err)
{
    struct cli_login *login = &server->login;
    RF_TRY(find_login(server, args, err));
    if (args->server != NULL) login->server = cli_server_name(args->server);
    if (args->ca != NULL) login->ca = rf_str_of(args->ca);
    RF_TRY(cli_server_check(login->server, err));
    server->site = (struct cli_site){.server = login->server,
                                     .subscription_id = login->subscription_id,
                                     .resource_group = login->resource_group,
                                     .workspace_id = login->workspace_id,
                                     .workspace_name = login->workspace_name,
                                     .location = login->location};
    return cli_login_client(login, &server->arena, &server->client, err);
}

enum rf_kind cli_server_open(const struct cli_server_args *args, struct cli_server **out,
                             struct rf_err *err)
{
    struct cli_server *server = calloc(1, sizeof *server);
    if (server == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory");
    rf_arena_init(&server->arena, 64 << 20);
    rf_arena_init(&server->token_arena, 16 << 20);
    enum rf_kind kind = open_server(server, args, err);
    if (kind != RF_OK) {
        cli_server_close(server);
        return kind;
    }
    *out = server;
    return RF_OK;
}

void cli_server_close(struct cli_server *server)
{
    if (server == NULL) return;
    rf_str secret = server->login.client_secret;
    if (secret.len > 0) explicit_bzero((void *)(uintptr_t)secret.ptr, secret.len);
    http_client_free(server->client);
    rf_arena_done(&server->token_arena);
    rf_arena_done(&server->arena);
    free(server);
}

const struct cli_login *cli_server_login(const struct cli_server *server) { return &server->login; }

const struct cli_site *cli_server_site(const struct cli_server *server) { return &server->site; }

/* ---- errors ---------------------------------------------------------------------------------------------------- */

static enum rf_kind kind_of_status(uint16_t status)
{
    switch (status) {
    case 401:
    case 403:
        return RF_DENIED;
    case 404:
    case 410:
        return RF_NOT_FOUND;
    case 409:
    case 412:
        return RF_CONFLICT;
    case 413:
        return RF_LIMIT;
    case 408:
    case 429:
    case 503:
    case 504:
        return RF_AGAIN;
    default:
        return status >= 500 ? RF_IO : RF_INVALID;
    }
}

/* The innermost error says most. */
static const struct json_node *innermost(const struct json_node *error)
{
    for (;;) {
        const struct json_node *inner = json_get(error, "innererror");
        if (!json_is(inner, JSON_T_OBJECT)) {
            const struct json_node *details = json_get(error, "details");
            inner = json_is(details, JSON_T_ARRAY) && details->count == 1 ? details->first : NULL;
        }
        if (!json_is(inner, JSON_T_OBJECT) || json_text_at(inner, "message").len == 0) return error;
        error = inner;
    }
}

/* At most so many bytes, whole characters. */
static rf_str cut_text(rf_str text, size_t bytes_max)
{
    if (text.len <= bytes_max) return text;
    size_t len = bytes_max;
    while (len > 0 && (text.ptr[len] & 0xc0) == 0x80) len--;
    return rf_slice(text, 0, len);
}

/* The message, and those of several details. */
static void put_message(const struct json_node *error, bool details_too, struct rf_buf *buf)
{
    const struct json_node *details = json_get(error, "details"), *first = NULL;
    rf_str reason =
        json_text_at(error, "@message"); /* Kusto's endpoints say the same of all in "message" */
    rf_buf_str(buf, reason.len > 0 ? reason : json_text_at(error, "message"));
    if (details_too && json_is(details, JSON_T_ARRAY) && details->count > 1) first = details->first;
    for (const struct json_node *one = first; one != NULL; one = one->next) {
        rf_str code = json_text_at(one, "code");
        bool sentence = one == first && buf->len > 0 && buf->ptr[buf->len - 1] == '.';
        rf_buf_str(buf, sentence ? RF_S(" ") : RF_S("; "));
        rf_buf_str(buf, code);
        if (code.len > 0) rf_buf_str(buf, RF_S(": "));
        rf_buf_str(buf, json_text_at(one, "message"));
    }
    if (buf->len == 0) rf_buf_str(buf, RF_S("the server gives no reason"));
}

enum rf_kind cli_server_fault(uint16_t status, const struct json_node *answer, struct rf_err *err)
{
    const struct json_node *error = json_get(answer, "error");
    enum rf_kind kind = kind_of_status(status);
    if (!json_is(error, JSON_T_OBJECT)) {
        (void)rf_fail(err, kind, "ServerError", "the server answers with status %u", status);
        return kind;
    }
    const struct json_node *inner = innermost(error);
    rf_str code = json_text_at(inner, "code");
    /* An engine's number tells nobody anything. */
    if (code.len > 0 && !rf_is_alpha(code.ptr[0])) code = json_text_at(error, "code");
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 64 << 20);
    struct rf_buf text = rf_buf_in(&arena);
    put_message(inner, inner == error, &text);
    rf_str message = cut_text(rf_buf_view(&text), MESSAGE_BYTES_MAX);
    code = cut_text(code, CODE_BYTES_MAX);
    (void)rf_fail(err, kind, "ServerError", "%.*s%s%.*s%s", RF_FMT(message),
                  code.len > 0 ? " (" : "", RF_FMT(code), code.len > 0 ? ")" : "");
    int64_t line, pos;
    if (err != NULL && json_i64_at(inner, "line", &line) && line > 0 && line < UINT32_MAX &&
        json_i64_at(inner, "pos", &pos) && pos >= 0 && pos < UINT32_MAX) {
        err->line = (uint32_t)line;
        err->column = (uint32_t)pos + 1; /* Kusto counts positions from 0 */
    }
    return kind;
}

/* Event hubs tell errors in XML, with what is for their logs behind it. */
static rf_str detail_of(rf_str xml)
{
    rf_str open = RF_S("<Detail>");
    size_t from = rf_str_find(xml, open, 0);
    if (from == SIZE_MAX) return (rf_str){NULL, 0};
    rf_str text = rf_slice(xml, from + open.len, xml.len);
    size_t end =
        RF_MIN(rf_str_find(text, RF_S(" TrackingId:"), 0), rf_str_find(text, RF_S("</Detail>"), 0));
    return rf_str_trim(rf_slice(text, 0, RF_MIN(end, text.len)));
}

static enum rf_kind refuse(const struct http_answer *answer, struct rf_arena *arena,
                           struct rf_err *err)
{
    struct json_node *body = NULL;
    rf_str detail = cut_text(detail_of(answer->body), MESSAGE_BYTES_MAX);
    if (detail.len > 0)
        return rf_fail(err, kind_of_status(answer->status), "ServerError", "%.*s", RF_FMT(detail));
    if (json_parse(answer->body, arena, &body, NULL) != RF_OK) body = NULL;
    (void)cli_server_fault(answer->status, body, err);
    return kind_of_status(answer->status);
}

/* ---- calls -------------------------------------------------------------------------------------------------------- */

static rf_str header_of(const struct http_answer *answer, const char *name)
{
    for (uint32_t i = 0; i < answer->header_count; i++)
        if (rf_str_eq_nocase(answer->headers[i].name, rf_str_of(name)))
            return answer->headers[i].value;
    return (rf_str){NULL, 0};
}

static enum rf_kind need_token(struct cli_server *server, struct rf_err *err)
{
    if (cli_login_has_token(&server->login)) return RF_OK;
    struct cli_login login = server->login;
    rf_arena_reset(&server->token_arena);
    server->login.token = (rf_str){NULL, 0};
    RF_TRY(cli_login_ask_token(server->client, &login, &server->token_arena, err));
    server->login = login;
    /* A command that works goes on when its token cannot be kept. */
    if (server->stored && cli_login_save(&login, false, err) != RF_OK)
        cli_say("warning: the token is not kept: %s", err->text);
    return RF_OK;
}

/* How long the server wants to be left alone: Retry-After in seconds, else longer with each try. */
static uint32_t seconds_to_wait(const struct http_answer *answer, uint32_t tries)
{
    int64_t seconds;
    if (!text_to_long(header_of(answer, "retry-after"), &seconds) || seconds < 0)
        seconds = 1 << RF_MIN(tries, 5u);
    return (uint32_t)RF_MIN(seconds, (int64_t)WAIT_SECONDS_MAX);
}

static void wait_seconds(uint32_t seconds)
{
    struct timespec left = {.tv_sec = seconds};
    while (nanosleep(&left, &left) != 0) continue;
}

/* Where the token for a call is kept. */
static struct cli_login *kept_login(struct cli_server *server, const struct cli_call *call)
{
    return call->is_events       ? &server->events
           : call->vault.len > 0 ? &server->vault
                                 : &server->login;
}

/* The directory's tokens are asked for anew each time: it is called seldom. */
static enum rf_kind token_of_call(struct cli_server *server, const struct cli_call *call,
                                  struct rf_arena *arena, rf_str *token, struct rf_err *err)
{
    struct cli_login login = server->login;
    if (call->is_graph) {
        login.resource = RF_S("https://graph.microsoft.com");
        RF_TRY(cli_login_ask_token(server->client, &login, arena, err));
    }
    struct cli_login *kept = kept_login(server, call);
    if (kept != &server->login) {
        if (!cli_login_has_token(kept)) {
            *kept = server->login;
            kept->token = (rf_str){NULL, 0};
            kept->resource = call->is_events ? RF_S("https://eventhubs.azure.net")
                                             : RF_S("https://vault.azure.net");
            RF_TRY(cli_login_ask_token(server->client, kept, &server->arena, err));
        }
        login.token = kept->token;
    }
    *token = login.token;
    return RF_OK;
}

static enum rf_kind exchange(struct cli_server *server, const struct cli_call *call, rf_str url,
                             struct rf_arena *arena, struct http_answer *out, struct rf_err *err)
{
    struct http_header headers[8];
    uint32_t count = 0;
    rf_str token;
    RF_TRY(token_of_call(server, call, arena, &token, err));
    rf_str bearer = rf_arena_printf(arena, "Bearer %.*s", RF_FMT(token));
    if (bearer.ptr == NULL) return rf_fail_memory(err, arena);
    headers[count++] = (struct http_header){RF_S("Authorization"), bearer};
    headers[count++] = (struct http_header){RF_S("Accept"), RF_S("application/json")};
    if (call->body.len > 0)
        headers[count++] = (struct http_header){
            RF_S("Content-Type"),
            call->content_type == NULL ? RF_S("application/json") : rf_str_of(call->content_type)};
    if (call->content_encoding != NULL)
        headers[count++] =
            (struct http_header){RF_S("Content-Encoding"), rf_str_of(call->content_encoding)};
    if (call->prefer != NULL)
        headers[count++] = (struct http_header){RF_S("Prefer"), rf_str_of(call->prefer)};
    return http_client_call(server->client, call->method, url, headers, count, call->body, arena,
                            out, err);
}

/* An absolute URL must be the server's, or the vault's: the token goes there. */
static enum rf_kind url_of(const struct cli_server *server, const struct cli_call *call,
                           struct rf_arena *arena, rf_str *out, struct rf_err *err)
{
    rf_str name = call->vault.len > 0 ? call->vault : server->login.server, target = call->target;
    if (target.len > 0 && target.ptr[0] == '/') {
        *out = rf_arena_printf(arena, "%.*s%.*s", RF_FMT(name), RF_FMT(target));
        return out->ptr == NULL ? rf_fail_memory(err, arena) : RF_OK;
    }
    *out = target;
    if (target.len > name.len && rf_str_starts(target, name) && target.ptr[name.len] == '/')
        return RF_OK;
    return RF_FAIL(err, RF_INVALID, "BadAnswer", "%.*s is not of the server %.*s",
                   RF_FMT(rf_slice(target, 0, RF_MIN(target.len, (size_t)300))), RF_FMT(name));
}

enum rf_kind cli_server_call(struct cli_server *server, const struct cli_call *call,
                             struct rf_arena *arena, struct http_answer *out, struct rf_err *err)
{
    rf_str url;
    struct http_answer answer = {0};
    struct cli_login *login = kept_login(server, call);
    RF_TRY(url_of(server, call, arena, &url, err));
    for (uint32_t tries = 1;; tries++) {
        bool fresh = !cli_login_has_token(login);
        if (login == &server->login) RF_TRY(need_token(server, err));
        RF_TRY(exchange(server, call, url, arena, &answer, err));
        if (answer.status / 100 == 2 || (answer.status == 404 && call->may_be_absent)) break;
        bool busy = answer.status == 429 || answer.status == 503;
        /* A token may be refused before its time, once the server has new keys. */
        bool stale = answer.status == 401 && !fresh;
        if (tries == CALL_TRIES_MAX || (!busy && !stale)) return refuse(&answer, arena, err);
        if (stale) login->token = (rf_str){NULL, 0};
        if (busy) wait_seconds(seconds_to_wait(&answer, tries));
    }
    *out = answer;
    return RF_OK;
}

enum rf_kind cli_server_get(struct cli_server *server, rf_str target, struct rf_arena *arena,
                            struct json_node **out, struct rf_err *err)
{
    struct cli_call call = {.method = "GET", .target = target};
    struct http_answer answer = {0};
    struct rf_err why = {0};
    RF_TRY(cli_server_call(server, &call, arena, &answer, err));
    if (json_parse(answer.body, arena, out, &why) == RF_OK) return RF_OK;
    return RF_FAIL(err, RF_INVALID, "BadAnswer", "the answer of the server is no JSON: %s",
                   why.text);
}

enum rf_kind cli_server_list(struct cli_server *server, rf_str target, struct rf_arena *arena,
                             struct json_node **out, struct rf_err *err)
{
    struct json_node *all = json_new(arena, JSON_T_ARRAY), *page, *next;
    if (all == NULL) return rf_fail_memory(err, arena);
    for (uint32_t pages = 0; target.len > 0; pages++) {
        if (pages == LIST_PAGES_MAX)
            return RF_FAIL(err, RF_LIMIT, "BadAnswer", "the list has more than %d pages",
                           LIST_PAGES_MAX);
        RF_TRY(cli_server_get(server, target, arena, &page, err));
        const struct json_node *value = json_get(page, "value");
        if (!json_is(value, JSON_T_ARRAY))
            return RF_FAIL(err, RF_INVALID, "BadAnswer", "the answer of the server is no list");
        for (struct json_node *item = value->first; item != NULL; item = next) {
            next = item->next;
            item->next = NULL;
            (void)json_append(all, item);
        }
        target = json_text_at(page, "nextLink");
    }
    *out = all;
    return RF_OK;
}

/* ---- workspaces ----------------------------------------------------------------------------------------------------- */

#define WORKSPACES "/providers/Microsoft.OperationalInsights/workspaces"

/* All workspaces of all subscriptions. */
static enum rf_kind list_workspaces(struct cli_server *server, struct rf_arena *arena,
                                    struct json_node **out, struct rf_err *err)
{
    struct json_node *subscriptions, *some, *next, *all = json_new(arena, JSON_T_ARRAY);
    if (all == NULL) return rf_fail_memory(err, arena);
    RF_TRY(cli_server_list(server, RF_S("/subscriptions?api-version=2022-12-01"), arena,
                           &subscriptions, err));
    for (const struct json_node *s = subscriptions->first; s != NULL; s = s->next) {
        rf_str target =
            rf_arena_printf(arena, "/subscriptions/%.*s" WORKSPACES "?api-version=2023-09-01",
                            RF_FMT(json_text_at(s, "subscriptionId")));
        if (target.ptr == NULL) return rf_fail_memory(err, arena);
        RF_TRY(cli_server_list(server, target, arena, &some, err));
        for (struct json_node *w = some->first; w != NULL; w = next) {
            next = w->next;
            w->next = NULL;
            (void)json_append(all, w);
        }
    }
    *out = all;
    return RF_OK;
}

static bool is_meant(const struct json_node *workspace, rf_str name)
{
    return rf_str_eq_nocase(json_text_at(workspace, "name"), name) ||
           rf_str_eq_nocase(json_text_at(workspace, "id"), name) ||
           rf_str_eq_nocase(json_text_at(workspace, "properties.customerId"), name);
}

static void put_names(const struct json_node *all, char *text, size_t bytes)
{
    size_t len = 0;
    text[0] = '\0';
    for (const struct json_node *w = all->first; w != NULL && len < bytes; w = w->next) {
        int put = snprintf(text + len, bytes - len, "%s%.*s", len > 0 ? ", " : "",
                           RF_FMT(json_text_at(w, "name")));
        if (put < 0) return;
        len += (size_t)put;
    }
}

/* Asks the server, for the site does not tell. */
static enum rf_kind look_up_workspace(struct cli_server *server, rf_str name,
                                      struct rf_arena *arena, rf_str *id, rf_str *resource,
                                      struct rf_err *err)
{
    struct json_node *all = NULL;
    const struct json_node *found = NULL;
    uint32_t count = 0;
    RF_TRY(list_workspaces(server, arena, &all, err));
    for (const struct json_node *w = all->first; w != NULL; w = w->next) {
        if (name.len > 0 && !is_meant(w, name)) continue;
        found = w;
        count++;
    }
    if (count != 1) {
        char names[500];
        put_names(all, names, sizeof names);
        return RF_FAIL(err, RF_NOT_FOUND, "NoWorkspace", "%s%.*s%s; there %s: %s",
                       name.len == 0 ? "--workspace NAME is needed"
                       : count == 0  ? "there is no workspace '"
                                     : "there are several workspaces '",
                       RF_FMT(name), name.len == 0 ? "" : "'", all->count == 1 ? "is" : "are",
                       all->count == 0 ? "none" : names);
    }
    if (id != NULL) *id = json_text_at(found, "properties.customerId");
    if (resource != NULL) *resource = json_text_at(found, "id");
    return RF_OK;
}

enum rf_kind cli_server_workspace(struct cli_server *server, const char *name,
                                  struct rf_arena *arena, rf_str *id, rf_str *resource,
                                  struct rf_err *err)
{
    const struct cli_site *site = &server->site;
    rf_str wanted = name == NULL ? site->workspace_name : rf_str_of(name);
    bool own = name == NULL || rf_str_eq_nocase(wanted, site->workspace_name) ||
               rf_str_eq_nocase(wanted, site->workspace_id);
    if (own && site->workspace_id.len > 0 &&
        (resource == NULL || (site->workspace_name.len > 0 && site->resource_group.len > 0 &&
                              site->subscription_id.len > 0))) {
        if (id != NULL) *id = site->workspace_id;
        if (resource == NULL) return RF_OK;
        *resource =
            rf_arena_printf(arena, "/subscriptions/%.*s/resourceGroups/%.*s" WORKSPACES "/%.*s",
                            RF_FMT(site->subscription_id), RF_FMT(site->resource_group),
                            RF_FMT(site->workspace_name));
        return resource->ptr == NULL ? rf_fail_memory(err, arena) : RF_OK;
    }
    if (resource == NULL && guid_is(wanted)) {
        *id = wanted;
        return RF_OK;
    }
    return look_up_workspace(server, wanted, arena, id, resource, err);
}

/* ---- versions ----------------------------------------------------------------------------------------------------------- */

/* Moves on to the next segment of a path. */
static bool next_segment(rf_str path, size_t *at, rf_str *segment)
{
    while (*at < path.len && path.ptr[*at] == '/') ++*at;
    size_t from = *at;
    while (*at < path.len && path.ptr[*at] != '/') ++*at;
    *segment = rf_slice(path, from, *at);
    return segment->len > 0;
}

/* Namespace and type of the last provider in an id: "Microsoft.A" and "b/c" of ".../providers/Microsoft.A/b/x/c/y". */
static enum rf_kind type_of(rf_str id, struct rf_arena *arena, rf_str *space, rf_str *type,
                            struct rf_err *err)
{
    struct rf_buf buf = rf_buf_in(arena);
    rf_str segment;
    uint32_t number = 0; /* of the segment behind "providers", from 1; 0: not there yet */
    *space = (rf_str){NULL, 0};
    for (size_t at = 0; next_segment(id, &at, &segment);) {
        /* A template names Sentinel's children ".../workspaces/w/providers/Microsoft.SecurityInsights/...". */
        if (rf_str_eq_nocase(segment, RF_S("providers")) && (number == 0 || number % 2 == 0)) {
            number = 1;
            buf.len = 0;
        } else if (number == 1) {
            *space = segment;
            number = 2;
        } else if (number >= 2) {
            /* Types and names take turns. */
            if (number % 2 == 0) {
                if (buf.len > 0) rf_buf_byte(&buf, '/');
                rf_buf_str(&buf, segment);
            }
            number++;
        }
    }
    if (buf.failed) return rf_fail_memory(err, arena);
    *type = rf_buf_view(&buf);
    return RF_OK;
}

/* Dates sort as texts; a preview comes before its date. */
static bool is_newer(rf_str a, rf_str b)
{
    bool a_preview = a.len > 10, b_preview = b.len > 10;
    if (a_preview != b_preview) return b_preview;
    return rf_str_cmp(a, b) > 0;
}

static rf_str newest(const struct json_node *provider, rf_str type)
{
    rf_str best = {NULL, 0};
    const struct json_node *types = json_get(provider, "resourceTypes");
    for (const struct json_node *t = types != NULL ? types->first : NULL; t != NULL; t = t->next) {
        if (!rf_str_eq_nocase(json_text_at(t, "resourceType"), type)) continue;
        const struct json_node *versions = json_get(t, "apiVersions");
        for (const struct json_node *v = versions != NULL ? versions->first : NULL; v != NULL;
             v = v->next)
            if (v->type == JSON_T_STRING && (best.len == 0 || is_newer(v->text, best)))
                best = v->text;
    }
    return best;
}

enum rf_kind cli_server_version(struct cli_server *server, rf_str id, struct rf_arena *arena,
                                rf_str *out, struct rf_err *err)
{
    rf_str space, type, subscription = server->site.subscription_id, segment;
    RF_TRY(type_of(id, arena, &space, &type, err));
    *out = RF_S("2021-04-01"); /* subscriptions, groups and lists of them */
    if (space.len == 0 || type.len == 0) return RF_OK;
    size_t at = 0;
    if (next_segment(id, &at, &segment) && rf_str_eq_nocase(segment, RF_S("subscriptions")) &&
        next_segment(id, &at, &segment))
        subscription = segment;
    rf_str target =
        subscription.len > 0
            ? rf_arena_printf(arena, "/subscriptions/%.*s/providers/%.*s?api-version=2021-04-01",
                              RF_FMT(cli_url_path(arena, subscription)),
                              RF_FMT(cli_url_path(arena, space)))
            : rf_arena_printf(arena, "/providers/%.*s?api-version=2021-04-01",
                              RF_FMT(cli_url_path(arena, space)));
    if (target.ptr == NULL) return rf_fail_memory(err, arena);
    struct json_node *provider;
    enum rf_kind kind = cli_server_get(server, target, arena, &provider, err);
    rf_str version = kind == RF_OK ? newest(provider, type) : (rf_str){NULL, 0};
    if (kind != RF_OK && kind != RF_NOT_FOUND) return kind;
    if (version.len == 0)
        return RF_FAIL(err, RF_NOT_FOUND, "NoVersion",
                       "the server knows no type %.*s/%.*s; --api-version V says which version to "
                       "ask for",
                       RF_FMT(space), RF_FMT(type));
    *out = version;
    return RF_OK;
}

/* ---- resources ----------------------------------------------------------------------------------------------------------- */

enum rf_kind cli_server_id(struct cli_server *server, rf_str text, struct rf_arena *arena,
                           rf_str *out, struct rf_err *err)
{
    const struct cli_site *site = &server->site;
    *out = cli_server_trim(text);
    if (text.len > 0 && text.ptr[0] == '/') return RF_OK;
    if (rf_str_eq_nocase(rf_slice(text, 0, RF_MIN(text.len, (size_t)27)),
                         RF_S("Microsoft.SecurityInsights/"))) {
        rf_str workspace;
        RF_TRY(cli_server_workspace(server, NULL, arena, NULL, &workspace, err));
        *out = rf_arena_printf(arena, "%.*s/providers/%.*s", RF_FMT(workspace), RF_FMT(*out));
        return out->ptr == NULL ? rf_fail_memory(err, arena) : RF_OK;
    }
    if (site->subscription_id.len == 0 || site->resource_group.len == 0)
        return RF_FAIL(err, RF_INVALID, "NoPlace",
                       "'%.*s' is no whole id, and the login does not know a resource group: write "
                       "/subscriptions/ID/resourceGroups/NAME/providers/%.*s",
                       RF_FMT(text), RF_FMT(text));
    *out =
        rf_arena_printf(arena, "/subscriptions/%.*s/resourceGroups/%.*s/providers/%.*s",
                        RF_FMT(site->subscription_id), RF_FMT(site->resource_group), RF_FMT(*out));
    return out->ptr == NULL ? rf_fail_memory(err, arena) : RF_OK;
}

enum rf_kind cli_server_target(struct cli_server *server, rf_str id, rf_str version,
                               struct rf_arena *arena, rf_str *out, struct rf_err *err)
{
    if (version.len == 0) RF_TRY(cli_server_version(server, id, arena, &version, err));
    rf_str path = cli_url_path(arena, id), escaped = percent_encode(arena, version);
    if (path.ptr == NULL || escaped.ptr == NULL) return rf_fail_memory(err, arena);
    *out = rf_arena_printf(arena, "%.*s?api-version=%.*s", RF_FMT(path), RF_FMT(escaped));
    return out->ptr == NULL ? rf_fail_memory(err, arena) : RF_OK;
}

/* Asks how a long-running operation goes until it has ended. */
static enum rf_kind await_end(struct cli_server *server, const struct http_answer *first,
                              struct rf_arena *arena, struct rf_err *err)
{
    rf_str target = header_of(first, "azure-asyncoperation");
    uint32_t seconds = seconds_to_wait(first, 1);
    while (target.len > 0) {
        struct json_node *operation;
        RF_TRY(cli_server_get(server, target, arena, &operation, err));
        rf_str status = json_text_at(operation, "status");
        if (rf_str_eq_nocase(status, RF_S("Succeeded"))) break;
        if (rf_str_eq_nocase(status, RF_S("Failed")) || rf_str_eq_nocase(status, RF_S("Canceled")))
            return cli_server_fault(400, operation, err);
        wait_seconds(seconds);
    }
    return RF_OK;
}

enum rf_kind cli_server_put(struct cli_server *server, rf_str id, rf_str version,
                            const struct json_node *body, struct rf_arena *arena, bool *created,
                            struct json_node **out, struct rf_err *err)
{
    struct cli_call call = {.method = "PUT", .body = json_to_text(arena, body)};
    struct http_answer answer = {0};
    if (call.body.ptr == NULL) return rf_fail_memory(err, arena);
    RF_TRY(cli_server_target(server, id, version, arena, &call.target, err));
    RF_TRY(cli_server_call(server, &call, arena, &answer, err));
    *created = answer.status == 201;
    bool pending = header_of(&answer, "azure-asyncoperation").len > 0;
    if (pending) RF_TRY(await_end(server, &answer, arena, err));
    if (out == NULL) return RF_OK;
    if (pending || answer.body.len == 0)
        return cli_server_get(server, call.target, arena, out, err);
    struct rf_err why = {0};
    if (json_parse(answer.body, arena, out, &why) == RF_OK) return RF_OK;
    return RF_FAIL(err, RF_INVALID, "BadAnswer", "the answer of the server is no JSON: %s",
                   why.text);
}

/* ---- texts --------------------------------------------------------------------------------------------------------------- */

rf_str cli_url_path(struct rf_arena *arena, rf_str path)
{
    static const char plain[] = "/-._~!$&'()*+,;=:@%";
    struct rf_buf buf = rf_buf_in(arena);
    if (!rf_buf_reserve(&buf, path.len + 1)) return (rf_str){NULL, 0};
    for (size_t i = 0; i < path.len; i++) {
        uint8_t c = path.ptr[i];
        if (rf_is_alnum(c) || (c != 0 && strchr(plain, c) != NULL))
            rf_buf_byte(&buf, c);
        else
            rf_buf_printf(&buf, "%%%02X", c);
    }
    return buf.failed ? (rf_str){NULL, 0} : rf_buf_view(&buf);
}

static void print_line(struct rf_buf *line)
{
    /* A terminal is not to be steered by what a resource holds. */
    if (cli_is_terminal(stdout))
        (void)cli_text_print(stdout, rf_buf_view(line), UINT32_MAX);
    else
        (void)fwrite(line->ptr, 1, line->len, stdout);
    fputc('\n', stdout);
    line->len = 0;
}

static void new_line(struct rf_buf *line, uint32_t depth)
{
    print_line(line);
    for (uint32_t i = 0; i < depth; i++) rf_buf_str(line, RF_S("  "));
}

void cli_print_json(const struct json_node *node, struct rf_arena *arena)
{
    rf_str text = json_to_text(arena, node);
    struct rf_buf line = rf_buf_in(arena);
    uint32_t depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        bool opens = !quoted && (c == '{' || c == '['), closes = !quoted && (c == '}' || c == ']');
        bool empty = opens && i + 1 < text.len && text.ptr[i + 1] == c + 2;
        if (closes) new_line(&line, --depth);
        rf_buf_byte(&line, c);
        if (c == '"') quoted = !quoted;
        if (quoted && c == '\\' && ++i < text.len) rf_buf_byte(&line, text.ptr[i]);
        if (empty) rf_buf_byte(&line, text.ptr[++i]);
        if (opens && !empty) new_line(&line, ++depth);
        if (!quoted && c == ',') new_line(&line, depth);
        if (!quoted && c == ':') rf_buf_byte(&line, ' ');
    }
    if (line.len > 0) print_line(&line);
}
