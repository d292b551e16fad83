#include "daemon/pki_listen.h"

#include <stdlib.h>

#include "base/log.h"
#include "net/server.h"

enum { MEMORY_BYTES = 16 << 20, CONNECTIONS_MAX = 1000, STOP_SECONDS = 1 };

struct pki_listen {
    struct server *server;
    struct dispatcher *dispatcher;
    rf_str host; /* of the site */
};

/* Clients name hosts and ports as they like (OpenSSL's leaves the port out), and what is here is for everybody: all hosts are one. */
static struct http_request under_one_name(const struct pki_listen *listen,
                                          const struct http_request *request)
{
    struct http_request out = *request;
    out.host = listen->host;
    return out;
}

static struct http_plan plan(void *ctx, const struct http_request *head)
{
    const struct pki_listen *listen = ctx;
    struct http_handler handler = dispatcher_handler(listen->dispatcher);
    struct http_request here = under_one_name(listen, head);
    return handler.plan(handler.ctx, &here);
}

static void run(void *ctx, const struct http_request *request, struct http_response *response,
                const atomic_bool *gone)
{
    const struct pki_listen *listen = ctx;
    struct http_handler handler = dispatcher_handler(listen->dispatcher);
    struct http_request here = under_one_name(listen, request);
    handler.run(handler.ctx, &here, response, gone);
}

static void refuse(void *ctx, const struct http_request *head, const char *why,
                   struct http_response *response)
{
    const struct pki_listen *listen = ctx;
    struct http_handler handler = dispatcher_handler(listen->dispatcher);
    handler.refuse(handler.ctx, head, why, response);
}

static enum rf_kind bind_address(struct pki_listen *listen, rf_str address, struct rf_clock *clock,
                                 struct rf_err *err)
{
    struct server_options options = {
        .handler = {.ctx = listen, .plan = plan, .run = run, .refuse = refuse},
        .limits = {.connections_max = CONNECTIONS_MAX, .request_memory_max = MEMORY_BYTES},
        .loops = 1,
        .quick_workers = 1,
        .heavy_workers = 1,
        .clock = clock};
    RF_TRY(server_new(&options, &listen->server, err));
    uint16_t port;
    RF_TRY(server_listen(listen->server, address, NULL, &port, err));
    rf_log(RF_INFO, "server.pki", RF_KV_U64("port", port));
    return RF_OK;
}

enum rf_kind pki_listen_open(const struct config *config, struct rf_clock *clock,
                             struct pki_listen **out, struct rf_err *err)
{
    rf_str address = config->listen_pki;
    *out = NULL;
    if (address.len == 0 || rf_str_is(address, "off")) return RF_OK;
    struct pki_listen *listen = calloc(1, sizeof *listen);
    if (listen == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory to start");
    enum rf_kind kind = bind_address(listen, address, clock, err);
    if (kind == RF_OK)
        *out = listen;
    else
        pki_listen_free(listen);
    return kind;
}

enum rf_kind pki_listen_start(struct pki_listen *listen, const struct dispatcher_options *options,
                              struct vaults *vaults, struct rf_err *err)
{
    if (listen == NULL) return RF_OK;
    rf_str origin = options->site->origin, scheme = RF_S("https://");
    RF_ASSERT(rf_str_starts(origin, scheme));
    listen->host = rf_slice(origin, scheme.len, origin.len);
    RF_TRY(dispatcher_new(options, &listen->dispatcher, err));
    RF_TRY(dispatcher_add(listen->dispatcher, authority_service(vaults), err));
    RF_TRY(dispatcher_add_claiming(listen->dispatcher, authority_ocsp_service(vaults),
                                   authority_ocsp_claim, err));
    return server_start(listen->server, err);
}

void pki_listen_free(struct pki_listen *listen)
{
    if (listen == NULL) return;
    if (listen->server != NULL) server_stop(listen->server, STOP_SECONDS * RF_USEC_PER_SECOND);
    server_free(listen->server);
    dispatcher_free(listen->dispatcher);
    free(listen);
}
