/* server.c - the server role: takes its sockets, gives up its rights, serves until the supervisor says stop. */
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/encode.h"
#include "base/log.h"
#include "daemon/app.h"
#include "daemon/roles.h"
#include "daemon/sealed.h"

/* How often keys are fetched anew. It is more often than new keys need, which are published a day before they are used: it shows
 * too whether the keeper answers at all. */
#define KEYS_REFRESH_USEC (10 * RF_USEC_PER_SECOND)
enum { REFRESHES_PER_TRIM = 6 };

/* A request for ingestion takes some megabytes and gives them back. By itself malloc would give them to the system each time, and
 * a tenth of the time of ingestion would go into getting them again, page by page. */
enum { MALLOC_KEEP_BYTES = 16 << 20, MALLOC_MAP_BYTES = 4 << 20 };

static void log_failure(const char *what, const struct rf_err *err)
{
    rf_log(RF_ERROR, "server.failed", RF_KV_STR("what", rf_str_of(what)),
           RF_KV_STR("code", rf_str_of(err->code == NULL ? "" : err->code)),
           RF_KV_STR("why", rf_str_of(err->text)));
}

/* The port behind the last colon of "host:port"; `fallback` when there is none. */
static uint16_t port_of(rf_str host, uint16_t fallback)
{
    uint32_t port = 0, unit = 1;
    while (host.len > 0 && rf_is_digit(host.ptr[host.len - 1]) && unit <= 10000) {
        port += unit * (uint32_t)(host.ptr[--host.len] - '0');
        unit *= 10;
    }
    bool is_port = host.len > 0 && host.ptr[host.len - 1] == ':' && port > 0 && port <= UINT16_MAX;
    return is_port ? (uint16_t)port : fallback;
}

/* What a database of its own needs: the port to connect to, the file with its password. */
static enum rf_kind state_needs(rf_str url, uint16_t *port, const char **passfile,
                                struct rf_arena *arena, struct rf_err *err)
{
    enum { POSTGRESQL_PORT = 5432 };
    rf_str names[] = {RF_S("passfile="), RF_S("://")};
    size_t at = rf_str_find(url, names[0], 0), host = rf_str_find(url, names[1], 0) + names[1].len;
    size_t end = RF_MIN(rf_str_find(url, RF_S("/"), host), url.len),
           user = rf_str_find(url, RF_S("@"), host);
    if (user < end) host = user + 1;
    *port = port_of(rf_slice(url, host, end), POSTGRESQL_PORT);
    *passfile = NULL;
    if (at == SIZE_MAX) return RF_OK;
    at += names[0].len;
    size_t stop = RF_MIN(rf_str_find(url, RF_S("&"), at), url.len);
    rf_str text;
    RF_TRY(percent_decode(arena, rf_slice(url, at, stop), false, &text, err));
    *passfile = rf_arena_cstr(arena, text);
    return *passfile == NULL ? rf_fail_memory(err, arena) : RF_OK;
}

static enum rf_kind enter_sandbox(const struct config *config, struct rf_arena *arena,
                                  struct sandbox_report *report, struct rf_err *err)
{
    static const char *const folders[] = {"state", "tables", "hubs", "capture"};
    enum { HTTPS_PORT = 443, MAIL_PORT = 587, KAFKA_PORT = 9092, DNS_PORT = 53 };
    const char *passfile = NULL;
    uint32_t count = 0;
    uint16_t *egress =
        rf_arena_new(arena, uint16_t,
                     (size_t)config->federation_host_count + config->federation_private_count +
                         config->outbound_host_count + config->external_host_count +
                         config->kafka_server_count + 6);
    bool every_port = false;
    if (egress == NULL) return rf_fail_memory(err, arena);
    egress[count++] = HTTPS_PORT;
    for (uint32_t i = 0; i < config->federation_host_count; i++)
        egress[count++] = port_of(config->federation_hosts[i], HTTPS_PORT);
    for (uint32_t i = 0; i < config->federation_private_count; i++) {
        every_port |= rf_str_ends(config->federation_private[i], RF_S(":*"));
        egress[count++] = port_of(config->federation_private[i], HTTPS_PORT);
    }
    for (uint32_t i = 0; i < config->outbound_host_count; i++) {
        every_port |= rf_str_ends(config->outbound_hosts[i], RF_S(":*"));
        egress[count++] = port_of(config->outbound_hosts[i], HTTPS_PORT);
    }
    for (uint32_t i = 0; i < config->external_host_count; i++) {
        every_port |= rf_str_ends(config->external_hosts[i], RF_S(":*"));
        egress[count++] = port_of(config->external_hosts[i], HTTPS_PORT);
    }
    for (uint32_t i = 0; i < config->kafka_server_count; i++)
        egress[count++] = port_of(config->kafka_servers[i], KAFKA_PORT);
    if (rf_str_is(config->acme_server, "on")) {
        egress[count++] = (uint16_t)config->acme_http_port;
        egress[count++] = (uint16_t)config->acme_tls_port;
        egress[count++] = port_of(config->acme_resolver, DNS_PORT);
    }
    if (config->mail_server.len > 0) egress[count++] = port_of(config->mail_server, MAIL_PORT);
    if (config->state.len > 0)
        RF_TRY(state_needs(config->state, &egress[count++], &passfile, arena, err));
    const char **readable = rf_arena_new(arena, const char *, (size_t)config->content_count + 2);
    uint32_t readable_count = 0;
    if (readable == NULL) return rf_fail_memory(err, arena);
    if (passfile != NULL) readable[readable_count++] = passfile;
    if (config->leaked_passwords.len > 0) {
        readable[readable_count] = rf_arena_cstr(arena, config->leaked_passwords);
        if (readable[readable_count++] == NULL) return rf_fail_memory(err, arena);
    }
    for (uint32_t i = 0; i < config->content_count; i++) {
        readable[readable_count] = rf_arena_cstr(arena, config->content[i]);
        if (readable[readable_count++] == NULL) return rf_fail_memory(err, arena);
    }
    const char **writable = rf_arena_new(arena, const char *, config->export_folder_count);
    if (writable == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < config->export_folder_count; i++) {
        rf_str account, folder = {0};
        (void)config_export_folder(config->export_folders[i], &account, &folder);
        writable[i] = rf_arena_cstr(arena, folder);
        if (writable[i] == NULL) return rf_fail_memory(err, arena);
    }
    struct sandbox_server_options options = {
        .mode = config->no_sandbox ? SANDBOX_OFF : SANDBOX_ON,
        .strict = config->strict_hardening,
        .data = rf_arena_cstr(arena, config->data),
        .folders = folders,
        .folder_count = RF_COUNT(folders),
        .readable = readable,
        .readable_count = readable_count,
        .writable = writable,
        .writable_count = config->export_folder_count,
        .connect_ports = egress,
        .connect_port_count = count,
        .connect_any = every_port,
    };
    return options.data == NULL ? rf_fail_memory(err, arena)
                                : sandbox_server(&options, report, err);
}

static void note_report(struct app *app, const struct sandbox_report *report,
                        struct rf_arena *arena)
{
    struct rf_buf row = rf_buf_in(arena);
    sandbox_report_json(report, &row);
    if (!row.failed) app_row(app, "RingfortHardening", rf_buf_view(&row));
}

/* A keeper that runs and does not answer is started anew; one that is gone the supervisor has seen already. */
static void replace_keeper(void *ctx)
{
    struct rf_err err = {0};
    rf_log(RF_ERROR, "keeper.hangs");
    if (role_peer_bad(ctx, &err) != RF_OK) log_failure("asking for another keeper", &err);
}

static void refresh_keys(struct keeper *keeper, struct app *app)
{
    struct rf_err err = {0};
    if (app_refresh_keys(app, &err) == RF_OK) return;
    log_failure("signing keys", &err);
    /* Also one that answers other questions: without keys nobody can use it. */
    if (err.code != NULL && strcmp(err.code, "KeeperSlow") == 0) keeper_give_up(keeper);
}

/* Takes the supervisor's messages until it says stop or is gone. */
static void serve_messages(const struct role_start *start, struct app *app, struct keeper *keeper)
{
    struct role_message message;
    for (uint64_t round = 1;; round++) {
        struct rf_err err = {0};
        enum rf_kind kind = role_next_message(start, KEYS_REFRESH_USEC, &message, &err);
        if (kind == RF_AGAIN && strcmp(err.code, "NoMessage") == 0) {
            /* What a burst left, of ten thousand connections say. */
            if (round % REFRESHES_PER_TRIM == 0) (void)malloc_trim(MALLOC_KEEP_BYTES);
            refresh_keys(keeper, app);
            continue;
        }
        if (kind != RF_OK || message.type == ROLE_STOP) return;
        if (message.type == ROLE_NEW_EDGE) {
            keeper_reconnect(keeper, message.fd);
            refresh_keys(keeper, app);
        }
        if (message.type == ROLE_NOTE)
            app_row(app, "RingfortHardening", rf_str_make(message.text, message.text_bytes));
    }
}

static enum rf_kind serve(const struct role_start *start, const struct config *config,
                          struct rf_arena *arena, struct rf_err *err)
{
    struct keeper *keeper = NULL;
    struct app *app = NULL;
    struct sandbox_report report = {0};
    RF_TRY(keeper_connect(start->edge_fd, &keeper, err));
    keeper_on_hung(keeper, replace_keeper, (void *)(uintptr_t)start);
    enum rf_kind kind = app_listen(config, keeper, &app, err);
    if (kind == RF_OK) kind = enter_sandbox(config, arena, &report, err);
    if (kind == RF_OK) kind = app_start(app, err);
    if (kind == RF_OK) kind = role_ready(start, &report, err);
    if (kind == RF_OK) {
        rf_log(RF_INFO, "server.ready", RF_KV_U64("port", app_port(app)),
               RF_KV_STR("data", config->data));
        note_report(app, &report, arena);
        serve_messages(start, app, keeper);
        rf_log(RF_INFO, "server.stopping");
    }
    app_stop(app);
    keeper_free(keeper);
    return kind;
}

/* Until the supervisor says stop: when the keeper is open it starts another server. */
static enum rf_kind serve_sealed(const struct role_start *start, const struct config *config,
                                 struct rf_arena *arena, struct rf_err *err)
{
    struct keeper *keeper = NULL;
    struct sealed *sealed = NULL;
    struct sandbox_report report = {0};
    struct role_message message;
    RF_TRY(keeper_connect(start->edge_fd, &keeper, err));
    enum rf_kind kind = sealed_listen(config, keeper, &sealed, err);
    if (kind == RF_OK) kind = enter_sandbox(config, arena, &report, err);
    if (kind == RF_OK) kind = sealed_start(sealed, err);
    if (kind == RF_OK) kind = role_ready(start, &report, err);
    while (kind == RF_OK) {
        enum rf_kind got = role_next_message(start, -1, &message, err);
        if (got == RF_AGAIN && strcmp(err->code, "NoMessage") == 0) continue;
        if (got != RF_OK || message.type == ROLE_STOP) break;
        if (message.type == ROLE_NEW_EDGE) keeper_reconnect(keeper, message.fd);
    }
    sealed_stop(sealed);
    keeper_free(keeper);
    return kind;
}

int server_role(const struct role_start *start)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct config config;
    struct rf_err err = {0};
    rf_arena_init(&arena, (size_t)16 << 20);
    (void)umask(0077);
    (void)mallopt(M_TRIM_THRESHOLD, MALLOC_KEEP_BYTES);
    (void)mallopt(M_MMAP_THRESHOLD, MALLOC_MAP_BYTES);
    if (start->argc < 1 ||
        config_of_json(rf_str_of(start->argv[0]), &arena, &config, &err) != RF_OK) {
        log_failure("settings", &err);
        return 2;
    }
    rf_log_set(config.log_level, config.log_format);
    bool sealed = start->argc > 1 && strcmp(start->argv[1], ROLE_SEALED_WORD) == 0;
    if ((sealed ? serve_sealed : serve)(start, &config, &arena, &err) == RF_OK) return 0;
    log_failure("start", &err);
    return 1;
}
