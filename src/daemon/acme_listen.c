#include "daemon/acme_listen.h"

#include <stdlib.h>

#include "base/log.h"
#include "net/server.h"

#define FOLDER "/.well-known/acme-challenge/"
enum { MEMORY_BYTES = 1 << 20, CONNECTIONS_MAX = 64, STOP_SECONDS = 1 };

struct acme_listen {
    struct server *server; /* NULL: none without TLS */
    struct vaults *vaults;
    struct service service;
};

static bool put_answer(struct vaults *vaults, rf_str token, struct http_response *response)
{
    char answer[VAULTS_ACME_BYTES];
    if (vaults == NULL || !vaults_acme_http(vaults, token, answer)) return false;
    http_set_literal(response, "Content-Type", "application/octet-stream");
    http_set_literal(response, "Cache-Control", "no-store");
    rf_buf_str(&response->body, rf_str_of(answer));
    return true;
}

/* ---- on the server's own listener ------------------------------------------------------------------------------------ */

static enum rf_kind get_answer(struct request *request, struct rf_err *err)
{
    if (put_answer(request->service, request_variable(request, "token"), request->response))
        return RF_OK;
    return RF_FAIL(err, RF_NOT_FOUND, "NotFound",
                   "no certificate is being asked for by this token");
}

const struct service *acme_listen_service(struct acme_listen *listen, struct vaults *vaults)
{
    static const struct route routes[] = {
        {.method = HTTP_GET,
         .path = FOLDER "{token}",
         .access = ROUTE_OPEN,
         .why_open =
             "an authority that makes sure whose a name is looks here; nothing secret is said",
         .run = get_answer}};
    listen->service = (struct service){
        .name = "acme-challenge", .ctx = vaults, .routes = routes, .route_count = RF_COUNT(routes)};
    return &listen->service;
}

/* ---- on a listener of its own ------------------------------------------------------------------------------------------- */

static struct http_plan plan(void *ctx, const struct http_request *head)
{
    (void)ctx, (void)head;
    return (struct http_plan){.body_bytes_max = 0, .lane = HTTP_QUICK};
}

static void put_text(struct http_response *response, uint16_t status, const char *text)
{
    response->status = status;
    http_set_literal(response, "Content-Type", "text/plain");
    rf_buf_str(&response->body, rf_str_of(text));
}

static void run(void *ctx, const struct http_request *request, struct http_response *response,
                const atomic_bool *gone)
{
    const struct acme_listen *listen = ctx;
    rf_str folder = RF_S(FOLDER);
    (void)gone;
    if (request->method == HTTP_GET && rf_str_starts(request->path, folder) &&
        put_answer(listen->vaults, rf_slice(request->path, folder.len, request->path.len),
                   response))
        return;
    put_text(response, 404, "nothing is here\n");
}

static void refuse(void *ctx, const struct http_request *head, const char *why,
                   struct http_response *response)
{
    (void)ctx, (void)head, (void)why;
    put_text(response, response->status, "the request was refused\n");
}

static enum rf_kind bind_address(struct acme_listen *listen, rf_str address, struct rf_clock *clock,
                                 struct rf_err *err)
{
    struct server_options options = {
        .handler = {.ctx = listen, .plan = plan, .run = run, .refuse = refuse},
        .limits = {.connections_max = CONNECTIONS_MAX, .request_memory_max = MEMORY_BYTES},
        .loops = 1,
        .quick_workers = 1,
        .heavy_workers = 1,
        .clock = clock};
    uint16_t port;
    RF_TRY(server_new(&options, &listen->server, err));
    RF_TRY(server_listen(listen->server, address, NULL, &port, err));
    rf_log(RF_INFO, "server.acme_http", RF_KV_U64("port", port));
    return RF_OK;
}

enum rf_kind acme_listen_open(const struct config *config, struct rf_clock *clock,
                              struct acme_listen **out, struct rf_err *err)
{
    struct acme_listen *listen = calloc(1, sizeof *listen);
    rf_str address = config->listen_acme_http;
    if (listen == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory to start");
    bool wanted = address.len > 0 && !rf_str_is(address, "off");
    enum rf_kind kind = wanted ? bind_address(listen, address, clock, err) : RF_OK;
    if (kind == RF_OK)
        *out = listen;
    else
        acme_listen_free(listen);
    return kind;
}

enum rf_kind acme_listen_start(struct acme_listen *listen, struct vaults *vaults,
                               struct rf_err *err)
{
    listen->vaults = vaults;
    return listen->server == NULL ? RF_OK : server_start(listen->server, err);
}

void acme_listen_free(struct acme_listen *listen)
{
    if (listen == NULL) return;
    if (listen->server != NULL) server_stop(listen->server, STOP_SECONDS * RF_USEC_PER_SECOND);
    server_free(listen->server);
    free(listen);
}
