#include "daemon/app.h"

#include <stdlib.h>

#include "alerts/alerts.h"
#include "base/fs.h"
#include "base/log.h"
#include "collect/collect.h"
#include "crypt/digest.h"
#include "crypt/keeper_listener.h"
#include "crypt/x509.h"
#include "daemon/acme_listen.h"
#include "daemon/acme_server.h"
#include "daemon/external_kafka.h"
#include "daemon/first_start.h"
#include "daemon/listeners.h"
#include "daemon/pki_listen.h"
#include "daemon/rewrap.h"
#include "daemon/streams.h"
#include "hub/device_issuer.h"
#include "hub/grant.h"
#include "identity/identity.h"
#include "logs/logs.h"
#include "net/tls.h"
#include "portal/portal.h"
#include "siem/siem.h"
#include "tables/data_keys.h"
#include "tables/external.h"
#include "vault/authority.h"
#include "vault/vault.h"

enum { STOP_GRACE_SECONDS = 20 };

struct app {
    struct config config;
    struct rf_arena arena; /* texts that live as long as the app */
    struct rf_clock *clock;
    struct keeper *keeper;
    struct site site;
    rf_str ca_pem;
    uint8_t chain_digest[SHA256_BYTES]; /* of the certificates that TLS shows now */
    uint8_t keys_digest[SHA256_BYTES];  /* of the ids of the keys that tokens are checked with */
    uint16_t port;
    struct extent_key store_key;
    struct data_keys *table_keys, *hub_keys;
    struct tls_context *tls,
        *tls_peers; /* of HTTPS; of streams, where no names of authorities are told */
    struct state *state;
    struct tables *tables;
    struct external_places external;
    struct self_log *self_log;
    struct audit audit;
    struct authz *authz;
    struct identity *identity;
    struct arm *arm;
    struct vaults *vaults;
    struct device_issuer device_issuer;
    struct listeners *listeners;
    struct rewrap_job *rewrap;
    struct acme *acme; /* NULL: off */
    struct acme_listen *acme_listen;
    struct pki_listen *pki_listen; /* NULL: none */
    struct logs *logs;
    struct collect_ports *collect_ports; /* NULL: no address for syslog is configured */
    struct collect *collect;
    struct streams *streams;
    struct siem *siem;
    struct alerts *alerts;
    struct portal *portal;
    struct export_folder *export_folders;
    struct archive_folder *archive_folders; /* the same */
    rf_str mail_password;                   /* in `arena`; wiped at the end */
    struct kafka_store_options kafka; /* texts in `arena`; servers NULL: event hubs lie in files */
    struct directory directory;
    struct browser_sessions sessions;
    struct dispatcher *dispatcher;
    struct server *server;
};

/* ---- before the rights are given up ------------------------------------------------------------------------------ */

static enum rf_kind sign_handshake(void *ctx, const uint8_t *leaf, rf_str digest, uint8_t *out,
                                   size_t cap, size_t *len, struct rf_err *err)
{
    return keeper_tls_sign(ctx, leaf, digest, out, cap, len, err);
}

/* By the key of a vault's certificate. */
static enum rf_kind sign_message(void *ctx, const uint8_t *leaf, unsigned scheme, rf_str message,
                                 uint8_t *out, size_t cap, size_t *len, struct rf_err *err)
{
    return keeper_listener_sign(ctx, leaf, scheme, message, out, cap, len, err);
}

/* The handler of the sockets; the dispatcher comes later than the listeners. */
static struct http_plan plan(void *ctx, const struct http_request *head)
{
    struct app *app = ctx;
    struct http_handler handler = dispatcher_handler(app->dispatcher);
    return handler.plan(handler.ctx, head);
}

static void run(void *ctx, const struct http_request *request, struct http_response *response,
                const atomic_bool *gone)
{
    struct app *app = ctx;
    struct http_handler handler = dispatcher_handler(app->dispatcher);
    handler.run(handler.ctx, request, response, gone);
}

static void refuse(void *ctx, const struct http_request *head, const char *why,
                   struct http_response *response)
{
    struct app *app = ctx;
    struct http_handler handler = dispatcher_handler(app->dispatcher);
    handler.refuse(handler.ctx, head, why, response);
}

/* The vaults come later than the listeners, too. */
static bool find_challenge(void *ctx, rf_str name, uint8_t digest[32])
{
    const struct app *app = ctx;
    return app->vaults != NULL && vaults_acme_tls(app->vaults, name, digest);
}

static enum rf_kind listen_https(struct app *app, struct rf_err *err)
{
    rf_str chain, devices;
    RF_TRY(keeper_tls_chain(app->keeper, &app->arena, &chain, &app->ca_pem, err));
    RF_TRY(keeper_device_authority(app->keeper, &app->arena, &devices, err));
    /* Devices may show certificates instead of a token; by the hint browsers leave other people's certificates alone. */
    struct tls_server_options tls = {.chain_pem = chain,
                                     .sign = sign_handshake,
                                     .sign_ctx = app->keeper,
                                     .sign_message = sign_message,
                                     .client = TLS_CLIENT_ASKED,
                                     .client_hint_pem = cert_pem(&app->arena, devices),
                                     .challenge = find_challenge,
                                     .challenge_ctx = app};
    RF_TRY(tls_server_new(&tls, &app->tls, err));
    digest_sha256(chain, app->chain_digest);
    struct server_options options = {
        .handler = {.ctx = app, .plan = plan, .run = run, .refuse = refuse}, .clock = app->clock};
    RF_TRY(server_new(&options, &app->server, err));
    rf_str any = RF_S(":0"), address = app->config.listen_https;
    uint16_t last =
        rf_str_ends(address, any) ? first_start_last_port(app->config.data, "https") : 0;
    rf_str again =
        rf_arena_printf(&app->arena, "%.*s:%u", (int)(address.len - (last == 0 ? 0 : any.len)),
                        (const char *)address.ptr, last);
    if (last != 0 && again.ptr != NULL &&
        server_listen(app->server, again, app->tls, &app->port, NULL) == RF_OK)
        return RF_OK;
    return server_listen(app->server, app->config.listen_https, app->tls, &app->port, err);
}

/* For protocols whose clients may prove who they are by a certificate. */
static enum rf_kind make_tls_peers(struct app *app, struct rf_err *err)
{
    rf_str chain, ca;
    RF_TRY(keeper_tls_chain(app->keeper, &app->arena, &chain, &ca, err));
    struct tls_server_options tls = {.chain_pem = chain,
                                     .sign = sign_handshake,
                                     .sign_ctx = app->keeper,
                                     .sign_message = sign_message,
                                     .client = TLS_CLIENT_ASKED,
                                     .client_ca_pem = ca};
    return tls_server_new(&tls, &app->tls_peers, err);
}

/* Who may send there the resources say; here only what must be bound before the rights are given up. */
static enum rf_kind listen_syslog(struct app *app, struct rf_err *err)
{
    const struct config *config = &app->config;
    struct collect_listen_options options = {.udp = config->collect_udp,
                                             .udp_count = config->collect_udp_count,
                                             .tcp = config->collect_tcp,
                                             .tcp_count = config->collect_tcp_count,
                                             .tls = config->collect_tls,
                                             .tls_count = config->collect_tls_count,
                                             .tls_context = app->tls_peers};
    if (options.udp_count + options.tcp_count + options.tls_count == 0) return RF_OK;
    return collect_listen(app->server, &options, &app->collect_ports, err);
}

static enum rf_kind listen_others(struct app *app, struct rf_err *err)
{
    RF_TRY(make_tls_peers(app, err));
    RF_TRY(listen_syslog(app, err));
    RF_TRY(acme_listen_open(&app->config, app->clock, &app->acme_listen, err));
    RF_TRY(pki_listen_open(&app->config, app->clock, &app->pki_listen, err));
    return streams_listen(&app->config, app->server, app->tls_peers, app->clock, &app->streams,
                          err);
}

/* While files outside of the data folder can be read. */
static enum rf_kind read_mail_password(struct app *app, struct rf_err *err)
{
    enum { PASSWORD_BYTES_MAX = 4096 };
    if (app->config.mail_password_file.len == 0) return RF_OK;
    const char *path = rf_arena_cstr(&app->arena, app->config.mail_password_file);
    if (path == NULL) return rf_fail_memory(err, &app->arena);
    RF_TRY(rf_fs_read_all(rf_fs_real(), path, PASSWORD_BYTES_MAX, &app->arena, &app->mail_password,
                          err));
    rf_str line = RF_S("\n");
    if (rf_str_ends(app->mail_password, line)) app->mail_password.len--;
    return RF_OK;
}

enum rf_kind app_listen(const struct config *config, struct keeper *keeper, struct app **out,
                        struct rf_err *err)
{
    struct app *app = calloc(1, sizeof *app);
    if (app == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory to start");
    app->config = *config;
    app->keeper = keeper;
    app->clock = rf_clock_real();
    rf_arena_init(&app->arena, (size_t)64 << 20);
    enum rf_kind kind = listen_https(app, err);
    if (kind == RF_OK) kind = listen_others(app, err);
    if (kind == RF_OK) kind = read_mail_password(app, err);
    if (kind == RF_OK) kind = external_kafka_read(config, &app->arena, &app->kafka, err);
    if (kind != RF_OK) {
        app_stop(app);
        return kind;
    }
    *out = app;
    return RF_OK;
}

/* ---- after ------------------------------------------------------------------------------------------------------------ */

static enum rf_kind fetch_store_key(struct app *app, struct rf_err *err)
{
    RF_TRY(keeper_store_key(app->keeper, app->store_key.bytes, err));
    app->store_key.present = true;
    return RF_OK;
}

/* One key for each use. */
static enum rf_kind open_state_file(struct app *app, struct state_options *options,
                                    struct rf_err *err)
{
    uint8_t key[SHA256_BYTES];
    digest_hmac_sha256(rf_str_make(app->store_key.bytes, sizeof app->store_key.bytes),
                       RF_S("ringfort state 1"), key);
    options->key = key;
    enum rf_kind kind = state_open(options, &app->state, err);
    explicit_bzero(key, sizeof key);
    return kind;
}

static enum rf_kind open_state(struct app *app, struct rf_err *err)
{
    rf_str file = rf_arena_printf(&app->arena, "%.*s/state/state.db", RF_FMT(app->config.data));
    struct state_options options = {
        .path = rf_arena_cstr(&app->arena, app->config.state.len > 0 ? app->config.state : file)};
    if (options.path == NULL) return rf_fail_memory(err, &app->arena);
    RF_TRY(fetch_store_key(app, err));
    RF_TRY(open_state_file(app, &options, err));
    RF_TRY(first_start_site(app->state, app->config.domain, &app->arena, &app->site, err));
    /* The default domain needs a resolver that knows *.localhost; localhost itself everybody knows. */
    bool is_default = rf_str_is(app->config.domain, "ringfort.localhost");
    struct streams_ports ports = streams_ports(app->streams);
    app->site.port = app->port;
    app->site.amqps_port = ports.amqps;
    app->site.kafka_port = ports.kafka;
    app->site.origin =
        rf_arena_printf(&app->arena, "https://%.*s:%u",
                        RF_FMT(is_default ? RF_S("localhost") : app->config.domain), app->port);
    return app->site.origin.ptr == NULL ? rf_fail_memory(err, &app->arena) : RF_OK;
}

/* Of the hosts that queries may read only those named as addresses, or as this machine, may be inside. */
static enum rf_kind let_queries_out(struct app *app, struct rf_err *err)
{
    const struct config *config = &app->config;
    uint32_t count = 0;
    rf_str *inside = rf_arena_new(&app->arena, rf_str, (size_t)config->external_host_count + 1);
    if (inside == NULL) return rf_fail_memory(err, &app->arena);
    for (uint32_t i = 0; i < config->external_host_count; i++)
        if (egress_is_literal(config->external_hosts[i]))
            inside[count++] = config->external_hosts[i];
    app->external.egress = (struct egress){.hosts = config->external_hosts,
                                           .host_count = config->external_host_count,
                                           .inside = inside,
                                           .inside_count = count};
    external_places_init(&app->external);
    tables_set_external(app->tables, &app->external.external);
    return RF_OK;
}

static enum rf_kind open_tables(struct app *app, struct rf_err *err)
{
    RF_TRY(data_keys_new(app->keeper, "table", &app->table_keys, err));
    struct tables_options options = {
        .fs = rf_fs_real(),
        .folder = rf_arena_cstr(
            &app->arena, rf_arena_printf(&app->arena, "%.*s/tables", RF_FMT(app->config.data))),
        .key = &app->store_key,
        .keyring = data_keys_ring(app->table_keys),
        .clock = app->clock,
    };
    if (options.folder == NULL) return rf_fail_memory(err, &app->arena);
    RF_TRY(tables_new(&options, &app->tables, err));
    RF_TRY(let_queries_out(app, err));
    RF_TRY(self_log_new(app->tables, app->site.workspace_id, app->clock, &app->self_log, err));
    app->audit = self_log_audit(app->self_log);
    return RF_OK;
}

static enum rf_kind read_export_folders(struct app *app, struct rf_err *err)
{
    const struct config *config = &app->config;
    app->export_folders =
        rf_arena_new(&app->arena, struct export_folder, config->export_folder_count);
    app->archive_folders =
        rf_arena_new(&app->arena, struct archive_folder, config->export_folder_count);
    if (app->export_folders == NULL || app->archive_folders == NULL)
        return rf_fail_memory(err, &app->arena);
    for (uint32_t i = 0; i < config->export_folder_count; i++) {
        struct export_folder *f = &app->export_folders[i];
        rf_str folder;
        if (!config_export_folder(config->export_folders[i], &f->account, &folder)) continue;
        f->folder = rf_arena_cstr(&app->arena, folder);
        if (f->folder == NULL) return rf_fail_memory(err, &app->arena);
        app->archive_folders[i] = (struct archive_folder){f->account, f->folder};
    }
    return RF_OK;
}

static enum rf_kind open_streams(struct app *app, struct rf_err *err)
{
    RF_TRY(data_keys_new(app->keeper, "hub", &app->hub_keys, err));
    struct hubs_options hubs = {
        .fs = rf_fs_real(),
        .folder = rf_arena_cstr(
            &app->arena, rf_arena_printf(&app->arena, "%.*s/hubs", RF_FMT(app->config.data))),
        .keyring = data_keys_ring(app->hub_keys),
        .clock = app->clock,
        .state = app->state,
        .arm = app->arm,
        .authz = app->authz,
        .directory = &app->directory,
        .audit = &app->audit,
        .site = &app->site,
        .keeper = app->keeper,
        .kafka = app->kafka.servers == NULL ? NULL : &app->kafka,
    };
    struct archives_options archives = {
        .folder = rf_arena_cstr(
            &app->arena, rf_arena_printf(&app->arena, "%.*s/capture", RF_FMT(app->config.data))),
        .folders = app->archive_folders,
        .folder_count = app->config.export_folder_count,
    };
    if (hubs.folder == NULL || archives.folder == NULL) return rf_fail_memory(err, &app->arena);
    streams_key(app->store_key.bytes, hubs.key);
    enum rf_kind kind = streams_open(app->streams, &hubs, &archives, err);
    explicit_bzero(hubs.key, sizeof hubs.key);
    external_kafka_wipe(&app->kafka);
    return kind;
}

/* An authority of a vault has revoked a certificate, which may be a device's. */
static void tell_devices(void *ctx, rf_str vault, rf_str issuer, rf_str serial)
{
    enum { TEXT_BYTES = 8 << 10 };
    const struct app *app = ctx;
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, TEXT_BYTES);
    rf_str text = rf_arena_printf(&arena, "vault://%.*s/%.*s", RF_FMT(vault), RF_FMT(issuer)),
           plain;
    /* Devices' numbers are written without zeros in front. */
    if (text.ptr != NULL && cert_serial(&arena, serial, &plain))
        hubs_device_revoked(streams_hubs(app->streams), text, plain);
}

static const char *leaked_passwords(struct app *app)
{
    rf_str path = app->config.leaked_passwords;
    return path.len == 0 ? NULL : rf_arena_cstr(&app->arena, path);
}

static void look_self_log(void *ctx, uint64_t *waits, uint64_t *room)
{
    self_log_waits(ctx, waits, room);
}
static void look_collect(void *ctx, uint64_t *waits, uint64_t *room)
{
    collect_waits(ctx, waits, room);
}

static enum rf_kind open_services(struct app *app, struct rf_err *err)
{
    RF_TRY(read_export_folders(app, err));
    RF_TRY(authz_new(app->state, app->site.tenant_id, &app->authz, err));
    struct identity_options identity = {.state = app->state,
                                        .authz = app->authz,
                                        .keeper = app->keeper,
                                        .site = &app->site,
                                        .audit = &app->audit,
                                        .clock = app->clock,
                                        .tables = app->tables,
                                        .leaked_passwords = leaked_passwords(app),
                                        .federation_hosts = app->config.federation_hosts,
                                        .federation_host_count = app->config.federation_host_count,
                                        .federation_private = app->config.federation_private,
                                        .federation_private_count =
                                            app->config.federation_private_count,
                                        .assertion_once_per_resource = true};
    RF_TRY(identity_new(&identity, &app->identity, err));
    app->directory = identity_directory(app->identity);
    app->sessions = identity_sessions(app->identity);
    struct arm_options arm = {.state = app->state,
                              .authz = app->authz,
                              .site = &app->site,
                              .audit = &app->audit,
                              .clock = app->clock};
    RF_TRY(arm_new(&arm, &app->arm, err));
    RF_TRY(open_streams(app, err));
    struct vaults_options vaults = {.state = app->state,
                                    .arm = app->arm,
                                    .authz = app->authz,
                                    .directory = &app->directory,
                                    .site = &app->site,
                                    .audit = &app->audit,
                                    .keeper = app->keeper,
                                    .clock = app->clock,
                                    .hubs = streams_hubs(app->streams),
                                    .pki_origin = app->config.pki_url,
                                    .outbound_hosts = app->config.outbound_hosts,
                                    .outbound_host_count = app->config.outbound_host_count,
                                    .revoked = tell_devices,
                                    .revoked_ctx = app};
    RF_TRY(vaults_new(&vaults, &app->vaults, err));
    vaults_device_issuer(app->vaults, &app->device_issuer);
    hubs_set_device_issuer(streams_hubs(app->streams), &app->device_issuer);
    RF_TRY(acme_server_open(&app->config, app->state, &app->site, app->clock, app->vaults,
                            &app->acme, err));
    struct logs_options logs = {.state = app->state,
                                .arm = app->arm,
                                .authz = app->authz,
                                .tables = app->tables,
                                .site = &app->site,
                                .audit = &app->audit,
                                .clock = app->clock,
                                .query_lanes = app->config.query_lanes,
                                .query_memory_bytes = app->config.query_memory_bytes,
                                .query_rate_max = app->config.query_rate,
                                .export_folders = app->export_folders,
                                .export_folder_count = app->config.export_folder_count,
                                .hubs = streams_hubs(app->streams)};
    RF_TRY(logs_new(&logs, &app->logs, err));
    struct collect_options collect = {.state = app->state,
                                      .arm = app->arm,
                                      .authz = app->authz,
                                      .tables = app->tables,
                                      .site = &app->site,
                                      .audit = &app->audit,
                                      .clock = app->clock,
                                      .ports = app->collect_ports,
                                      .rules = {app->logs, logs_append_by_rule}};
    RF_TRY(collect_new(&collect, &app->collect, err));
    struct siem_options siem = {.state = app->state,
                                .arm = app->arm,
                                .authz = app->authz,
                                .tables = app->tables,
                                .site = &app->site,
                                .audit = &app->audit,
                                .clock = app->clock,
                                .content_folders = app->config.content,
                                .content_folder_count = app->config.content_count,
                                .rule_delay = app->config.rule_delay_seconds * RF_USEC_PER_SECOND,
                                .rule_late =
                                    app->config.rule_late_hours * 3600 * RF_USEC_PER_SECOND};
    RF_TRY(siem_new(&siem, &app->siem, err));
    struct alerts_options alerts = {.state = app->state,
                                    .arm = app->arm,
                                    .authz = app->authz,
                                    .tables = app->tables,
                                    .site = &app->site,
                                    .audit = &app->audit,
                                    .clock = app->clock,
                                    .rule_late =
                                        app->config.rule_late_hours * 3600 * RF_USEC_PER_SECOND,
                                    .outbound = {.hosts = app->config.outbound_hosts,
                                                 .host_count = app->config.outbound_host_count,
                                                 .mail_server = app->config.mail_server,
                                                 .mail_from = app->config.mail_from,
                                                 .mail_user = app->config.mail_user,
                                                 .mail_password = app->mail_password}};
    RF_TRY(alerts_new(&alerts, &app->alerts, err));
    struct portal_options portal = {.state = app->state,
                                    .arm = app->arm,
                                    .authz = app->authz,
                                    .tables = app->tables,
                                    .hubs = streams_hubs(app->streams),
                                    .sessions = &app->sessions,
                                    .keeper = app->keeper,
                                    .site = &app->site,
                                    .audit = &app->audit,
                                    .clock = app->clock,
                                    .version = rf_str_of(app_version == NULL ? "" : app_version),
                                    .data = app->config.data,
                                    .archive = portal_archive_built()};
    portal.queues[0] = (struct portal_queue){"platform", app->self_log, look_self_log};
    portal.queues[1] = (struct portal_queue){"syslog", app->collect, look_collect};
    if (app->collect_ports != NULL) {
        portal.syslog.udp = collect_port(app->collect_ports, "syslog-udp", 0);
        portal.syslog.tcp = collect_port(app->collect_ports, "syslog-tcp", 0);
        portal.syslog.tls = collect_port(app->collect_ports, "syslog-tls", 0);
    }
    RF_TRY(portal_new(&portal, &app->portal, err));
    struct dispatcher_options dispatcher = {.site = &app->site,
                                            .authz = app->authz,
                                            .directory = &app->directory,
                                            .sessions = &app->sessions,
                                            .audit = &app->audit,
                                            .clock = app->clock};
    RF_TRY(dispatcher_new(&dispatcher, &app->dispatcher, err));
    if (streams_hubs(app->streams) != NULL)
        hub_grant_dispatcher(streams_hubs(app->streams), app->dispatcher);
    return RF_OK;
}

static enum rf_kind add_all(struct app *app, const struct service *const *services, uint32_t count,
                            struct rf_err *err)
{
    for (uint32_t i = 0; i < count; i++) RF_TRY(dispatcher_add(app->dispatcher, services[i], err));
    return RF_OK;
}

static enum rf_kind add_routes(struct app *app, struct rf_err *err)
{
    uint32_t count;
    const struct service *rbac, *control = arm_service(app->arm);
    RF_TRY(authz_service(app->authz, &app->directory, &rbac, err));
    RF_TRY(add_all(app, &rbac, 1, err));
    RF_TRY(add_all(app, &control, 1, err));
    control = vaults_arm_service(app->vaults);
    RF_TRY(add_all(app, &control, 1, err));
    RF_TRY(
        dispatcher_add_claiming(app->dispatcher, vaults_service(app->vaults), vaults_claim, err));
    control = authority_service(app->vaults);
    RF_TRY(add_all(app, &control, 1, err));
    RF_TRY(dispatcher_add_claiming(app->dispatcher, authority_ocsp_service(app->vaults),
                                   authority_ocsp_claim, err));
    if (app->acme != NULL) RF_TRY(dispatcher_add(app->dispatcher, acme_service(app->acme), err));
    RF_TRY(
        dispatcher_add(app->dispatcher, acme_listen_service(app->acme_listen, app->vaults), err));
    const struct service *const *services = identity_services(app->identity, &count);
    RF_TRY(add_all(app, services, count, err));
    services = collect_services(app->collect, &count);
    RF_TRY(add_all(app, services, count, err));
    services = logs_services(app->logs, &count);
    RF_TRY(add_all(app, services, count, err));
    services = alerts_services(app->alerts, &count);
    RF_TRY(add_all(app, services, count, err));
    services = siem_services(app->siem, &count);
    RF_TRY(add_all(app, services, count, err));
    control = portal_service(app->portal);
    RF_TRY(add_all(app, &control, 1, err));
    hub_grant_dispatcher(streams_hubs(app->streams), app->dispatcher);
    RF_TRY(streams_services(app->streams, &services, &count, err));
    return add_all(app, services, count, err);
}

/* A keeper that was started anew may have a new certificate: with the old one no handshake would succeed. */
static enum rf_kind refresh_chain(struct app *app, struct rf_arena *arena, struct rf_err *err)
{
    rf_str chain, ca;
    uint8_t digest[SHA256_BYTES];
    RF_TRY(keeper_tls_chain(app->keeper, arena, &chain, &ca, err));
    digest_sha256(chain, digest);
    listeners_look(app->listeners);
    if (memcmp(digest, app->chain_digest, sizeof digest) == 0) return RF_OK;
    if (app->listeners == NULL) {
        RF_TRY(tls_server_renew(app->tls, chain, err));
        RF_TRY(tls_server_renew(app->tls_peers, chain, err));
    } else {
        RF_TRY(listeners_own(app->listeners, chain, err));
    }
    memcpy(app->chain_digest, digest, sizeof digest);
    rf_log(RF_INFO, "server.certificate_renewed");
    return RF_OK;
}

/* Tokens that were checked are forgotten with other keys only. */
static enum rf_kind set_keys(struct app *app, const struct token_key *keys, uint32_t count,
                             struct rf_arena *arena, struct rf_err *err)
{
    struct rf_buf kids = rf_buf_in(arena);
    uint8_t digest[SHA256_BYTES];
    for (uint32_t i = 0; i < count; i++) {
        rf_buf_str(&kids, keys[i].kid);
        rf_buf_byte(&kids, ' ');
    }
    if (kids.failed) return rf_fail_memory(err, arena);
    digest_sha256(rf_buf_view(&kids), digest);
    if (memcmp(digest, app->keys_digest, sizeof digest) == 0) return RF_OK;
    RF_TRY(dispatcher_set_keys(app->dispatcher, keys, count, err));
    memcpy(app->keys_digest, digest, sizeof digest);
    return RF_OK;
}

enum rf_kind app_refresh_keys(struct app *app, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, (size_t)1 << 20);
    RF_TRY(refresh_chain(app, &arena, err));
    struct keeper_jwt_key *keys;
    uint32_t count;
    RF_TRY(keeper_jwt_keys(app->keeper, &arena, &keys, &count, err));
    struct token_key *token_keys = rf_arena_new(&arena, struct token_key, count);
    if (token_keys == NULL) return rf_fail_memory(err, &arena);
    for (uint32_t i = 0; i < count; i++)
        token_keys[i] = (struct token_key){.kid = keys[i].kid, .cert = keys[i].cert};
    identity_keys_changed(app->identity);
    return set_keys(app, token_keys, count, &arena, err);
}

static enum rf_kind finish_first_start(struct app *app, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, (size_t)16 << 20);
    struct first_start start = {.state = app->state,
                                .authz = app->authz,
                                .identity = app->identity,
                                .arm = app->arm,
                                .vaults = app->vaults,
                                .site = &app->site,
                                .ca_pem = app->ca_pem,
                                .hubs = streams_hubs(app->streams),
                                .amqp_port = streams_ports(app->streams).amqp,
                                .data = rf_arena_cstr(&arena, app->config.data)};
    return start.data == NULL ? rf_fail_memory(err, &arena) : first_start_run(&start, &arena, err);
}

/* What the vaults have for the listeners is shown to the first client already. */
static enum rf_kind start_listeners(struct app *app, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct listeners_options options = {
        .keeper = app->keeper, .vaults = app->vaults, .https = app->tls, .streams = app->tls_peers};
    rf_str ca;
    rf_arena_init(&arena, (size_t)1 << 20);
    RF_TRY(keeper_tls_chain(app->keeper, &arena, &options.own_chain, &ca, err));
    return listeners_start(&options, &app->listeners, err);
}

enum rf_kind app_start(struct app *app, struct rf_err *err)
{
    RF_TRY(open_state(app, err));
    RF_TRY(open_tables(app, err));
    RF_TRY(open_services(app, err));
    RF_TRY(add_routes(app, err));
    RF_TRY(app_refresh_keys(app, err));
    RF_TRY(finish_first_start(app, err));
    RF_TRY(vaults_start(app->vaults, err));
    if (app->acme != NULL) RF_TRY(acme_start(app->acme, err));
    RF_TRY(collect_start(app->collect, err));
    RF_TRY(siem_start(app->siem, err));
    RF_TRY(alerts_start(app->alerts, err));
    RF_TRY(portal_start(app->portal, err));
    RF_TRY(streams_start(app->streams, err));
    RF_TRY(acme_listen_start(app->acme_listen, app->vaults, err));
    struct dispatcher_options pki = {.site = &app->site,
                                     .authz = app->authz,
                                     .directory = &app->directory,
                                     .audit = &app->audit,
                                     .clock = app->clock};
    RF_TRY(pki_listen_start(app->pki_listen, &pki, app->vaults, err));
    RF_TRY(start_listeners(app, err));
    RF_TRY(server_start(app->server, err));
    struct rewrap_options rewrap = {.keeper = app->keeper,
                                    .tables = app->tables,
                                    .hubs = streams_hubs(app->streams),
                                    .vaults = app->vaults};
    return rewrap_start(&rewrap, &app->rewrap, err);
}

void app_row(struct app *app, const char *table, rf_str row)
{
    audit_row(&app->audit, table, row);
    if (strcmp(table, "RingfortHardening") == 0) portal_note_hardening(app->portal, row);
}

uint16_t app_port(const struct app *app) { return app->port; }

void app_stop(struct app *app)
{
    if (app == NULL) return;
    rewrap_stop(app->rewrap);
    listeners_stop(app->listeners);
    /* From the sockets downwards: nobody calls what is gone already. */
    if (app->server != NULL) server_stop(app->server, STOP_GRACE_SECONDS * RF_USEC_PER_SECOND);
    streams_stop(app->streams);
    server_free(app->server);
    if (app->arm != NULL) arm_stop(app->arm); /* its deployments ask through the dispatcher */
    if (streams_hubs(app->streams) != NULL) hub_grant_dispatcher(streams_hubs(app->streams), NULL);
    dispatcher_free(app->dispatcher);
    acme_listen_free(app->acme_listen);
    pki_listen_free(app->pki_listen);
    acme_stop(app->acme);
    vaults_stop(app->vaults);
    portal_stop(app->portal);
    siem_stop(app->siem); /* its rules ask arm */
    alerts_stop(app->alerts);
    collect_stop(app->collect);
    logs_stop(app->logs);
    arm_free(app->arm); /* its types' hooks are of the services */
    acme_free(app->acme);
    vaults_free(app->vaults);
    siem_free(app->siem);
    portal_free(app->portal);
    alerts_free(app->alerts);
    if (app->mail_password.len > 0)
        explicit_bzero((uint8_t *)(uintptr_t)app->mail_password.ptr, app->mail_password.len);
    collect_free(app->collect);
    collect_ports_free(app->collect_ports);
    logs_free(app->logs);
    streams_free(app->streams);
    identity_free(app->identity);
    authz_free(app->authz);
    self_log_free(app->self_log);
    tables_free(app->tables);
    data_keys_free(app->table_keys);
    data_keys_free(app->hub_keys);
    if (app->state != NULL) state_close(app->state);
    tls_free(app->tls);
    tls_free(app->tls_peers);
    explicit_bzero(&app->store_key, sizeof app->store_key);
    rf_arena_done(&app->arena);
    free(app);
}
