#include "daemon/streams.h"

#include <stdio.h>
#include <stdlib.h>

#include "amqp/nodes.h"
#include "base/log.h"
#include "crypt/digest.h"
#include "daemon/first_start.h"
#include "kafka/kafka.h"

enum { AMQPS_PORT = 5671, KAFKA_PORT = 9093, ADDRESS_BYTES_MAX = 280, SERVICES_MAX = 2 };

struct streams {
    struct amqp_nodes *amqp;
    struct kafka *kafka;
    struct hubs *hubs;
    struct archives *archives;
    struct state *state;
    rf_str host; /* of the broker's address */
    struct streams_ports ports;
    const struct service *services[SERVICES_MAX];
};

/* ---- listeners -------------------------------------------------------------------------------------------------------- */

struct listener {
    struct streams *streams;
    struct server *server;
    struct tls_context *tls;
    bool is_kafka;
};

static enum rf_kind listen_at(const struct listener *listener, rf_str address, uint16_t *port,
                              struct rf_err *err)
{
    struct streams *s = listener->streams;
    return listener->is_kafka
               ? kafka_listen(s->kafka, listener->server, address, listener->tls, port, err)
               : amqp_nodes_listen(s->amqp, listener->server, address, listener->tls, port, err);
}

/* `address` with another port. */
static rf_str with_port(rf_str address, uint16_t port, char text[ADDRESS_BYTES_MAX])
{
    size_t colon = address.len;
    while (colon > 0 && address.ptr[colon - 1] != ':') colon--;
    if (colon == 0 || colon > ADDRESS_BYTES_MAX - 8) return address;
    (void)snprintf(text, ADDRESS_BYTES_MAX, "%.*s%u", (int)colon, (const char *)address.ptr, port);
    return rf_str_of(text);
}

/* Which port it gets when any would do: that of the last start, as its clients know it. */
static enum rf_kind listen_any(const struct listener *listener, rf_str address, uint16_t last,
                               uint16_t *port, struct rf_err *err)
{
    char text[ADDRESS_BYTES_MAX];
    if (last != 0 && listen_at(listener, with_port(address, last, text), port, NULL) == RF_OK)
        return RF_OK;
    return listen_at(listener, address, port, err);
}

/* An address that nobody set follows that of HTTPS. Two installations on one machine want the same port then, and the second
 * serves everything else all the same. */
static enum rf_kind listen_near(const struct listener *listener, rf_str https, uint16_t usual,
                                uint16_t last, const char *name, uint16_t *port, struct rf_err *err)
{
    char text[ADDRESS_BYTES_MAX];
    struct rf_err why = {0};
    if (rf_str_ends(https, RF_S(":0"))) return listen_any(listener, https, last, port, err);
    rf_str address = with_port(https, last != 0 ? last : usual, text);
    if (listen_at(listener, address, port, &why) == RF_OK) return RF_OK;
    *port = 0;
    rf_log(RF_WARN, "listen.skipped", RF_KV_STR("setting", rf_str_of(name)),
           RF_KV_STR("address", address), RF_KV_STR("why", rf_str_of(why.text)),
           RF_KV_STR("remedy", RF_S("name another address, or off, in the setting")));
    return RF_OK;
}

static enum rf_kind listen_one(const struct listener *listener, const struct config *config,
                               rf_str set, uint16_t usual, const char *name, uint16_t *port,
                               struct rf_err *err)
{
    char setting[32];
    (void)snprintf(setting, sizeof setting, "listen.%s", name);
    if (rf_str_is(set, "off")) return RF_OK;
    uint16_t last = first_start_last_port(config->data, name);
    if (set.len == 0)
        return listen_near(listener, config->listen_https, usual, last, setting, port, err);
    if (rf_str_ends(set, RF_S(":0"))) return listen_any(listener, set, last, port, err);
    return listen_at(listener, set, port, err);
}

enum rf_kind streams_listen(const struct config *config, struct server *server,
                            struct tls_context *tls, struct rf_clock *clock, struct streams **out,
                            struct rf_err *err)
{
    struct streams *s = calloc(1, sizeof *s);
    if (s == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory to start");
    *out = s;
    struct amqp_nodes_options amqp = {.clock = clock};
    struct kafka_options kafka = {.clock = clock};
    RF_TRY(amqp_nodes_new(&amqp, &s->amqp, err));
    RF_TRY(kafka_new(&kafka, &s->kafka, err));
    struct listener listener = {.streams = s, .server = server, .tls = tls};
    RF_TRY(listen_one(&listener, config, config->listen_amqps, AMQPS_PORT, "amqps", &s->ports.amqps,
                      err));
    listener.is_kafka = true;
    RF_TRY(listen_one(&listener, config, config->listen_kafka, KAFKA_PORT, "kafka", &s->ports.kafka,
                      err));
    if (config->listen_amqp.len == 0) return RF_OK;
    listener.is_kafka = false;
    listener.tls = NULL;
    return listen_one(&listener, config, config->listen_amqp, 0, "amqp", &s->ports.amqp, err);
}

struct streams_ports streams_ports(const struct streams *streams) { return streams->ports; }

/* ---- the hubs --------------------------------------------------------------------------------------------------------- */

/* "https://localhost:8443" -> "localhost" */
static rf_str host_of(rf_str origin)
{
    size_t at = rf_str_find(origin, RF_S("://"), 0), end = origin.len;
    if (at == SIZE_MAX) return origin;
    while (end > at + 3 && rf_is_digit(origin.ptr[end - 1])) end--;
    return rf_slice(origin, at + 3, end > at + 3 && origin.ptr[end - 1] == ':' ? end - 1 : end);
}

enum rf_kind streams_open(struct streams *streams, const struct hubs_options *options,
                          const struct archives_options *archives, struct rf_err *err)
{
    struct archives_options with_hubs = *archives;
    streams->state = options->state;
    streams->host = host_of(options->site->origin);
    RF_TRY(hubs_new(options, &streams->hubs, err));
    with_hubs.hubs = streams->hubs;
    return archives_new(&with_hubs, &streams->archives, err);
}

struct hubs *streams_hubs(const struct streams *streams)
{
    return streams == NULL ? NULL : streams->hubs;
}

enum rf_kind streams_services(struct streams *streams, const struct service *const **services,
                              uint32_t *count, struct rf_err *err)
{
    uint32_t n = 0;
    const struct service *hub = NULL, *socket = amqp_nodes_service(streams->amqp);
    RF_TRY(hub_service(streams->hubs, &hub, err));
    if (hub != NULL) streams->services[n++] = hub;
    if (socket != NULL) streams->services[n++] = socket;
    *services = streams->services;
    *count = n;
    return RF_OK;
}

enum rf_kind streams_start(struct streams *streams, struct rf_err *err)
{
    RF_TRY(amqp_nodes_start(streams->amqp, streams->hubs, err));
    return kafka_start(streams->kafka, streams->hubs, streams->state, streams->host,
                       streams->ports.kafka, err);
}

void streams_stop(struct streams *streams)
{
    if (streams == NULL) return;
    archives_stop(streams->archives);
    amqp_nodes_stop(streams->amqp);
    kafka_stop(streams->kafka);
}

void streams_free(struct streams *streams)
{
    if (streams == NULL) return;
    kafka_free(streams->kafka);
    amqp_nodes_free(streams->amqp);
    archives_free(streams->archives);
    hubs_free(streams->hubs);
    free(streams);
}

/* The tables' key is no key of their files: each derives its own with a salt. So does this one, with a label. */
void streams_key(const uint8_t store_key[32], uint8_t out[32])
{
    digest_hmac_sha256(rf_str_make(store_key, 32), RF_S("ringfort hubs 1"), out);
}
