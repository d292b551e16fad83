/* hub_peers.h - what tests of a whole server's event hubs share: hubs of their own, a rule with fewer rights, and requests of Kafka one
 * after the other. */
#ifndef RF_TEST_HUB_PEERS_H
#define RF_TEST_HUB_PEERS_H

#include "azure_client.h"
#include "base/clock.h"
#include "hub_seeds.h"
#include "wire.h"

struct hub_peers {
    struct azure azure;
    uint16_t amqps, kafka, https;
    struct seed_login root, limited; /* limited: a rule with Send and Listen of one hub */
    int64_t expires;                 /* of signatures: seconds since 1970 */
};

static inline uint16_t port_in(rf_str url)
{
    uint32_t port = 0, unit = 1;
    while (url.len > 0 && rf_is_digit(url.ptr[url.len - 1])) {
        port += unit * (uint32_t)(url.ptr[--url.len] - '0');
        unit *= 10;
    }
    return (uint16_t)port;
}

static inline rf_str hub_resource(struct hub_peers *p, const char *below)
{
    return rf_arena_printf(&p->azure.arena, "Microsoft.EventHub/namespaces/%.*s/eventhubs/%s",
                           RF_FMT(json_text_at(p->azure.boot, "hub.namespace")), below);
}

/* What ARM answers; ptr NULL: it is no success. */
static inline struct json_node *hub_arm(struct hub_peers *p, const char *method, const char *below,
                                        rf_str body)
{
    struct azure *a = &p->azure;
    struct http_answer answer;
    struct json_node *node = json_new(&a->arena, JSON_T_OBJECT);
    rf_str path =
        rf_arena_printf(&a->arena, "%.*s/providers/%.*s?api-version=2024-01-01",
                        RF_FMT(azure_group(a, &a->arena)), RF_FMT(hub_resource(p, below)));
    uint16_t status =
        azure_call(a, method, path, AZURE_ARM, "application/json", body, &a->arena, &answer);
    if (status / 100 != 2) azure_die(below, answer.body);
    if (answer.body.len > 0 && json_parse(answer.body, &a->arena, &node, NULL) != RF_OK)
        azure_die(below, answer.body);
    return node;
}

/* Makes the hubs, of four partitions, and the rule "limited" of the hub `of`. */
static inline void hub_peers_init(struct hub_peers *p, const char *bootstrap,
                                  const char *const *hubs, size_t count, const char *of)
{
    struct azure *a = &p->azure;
    char rule[128];
    *p = (struct hub_peers){.amqps = 0};
    azure_init(a, bootstrap);
    azure_sign_in(a);
    for (size_t i = 0; i < count; i++)
        (void)hub_arm(p, "PUT", hubs[i], RF_S("{\"properties\":{\"partitionCount\":4}}"));
    (void)snprintf(rule, sizeof rule, "%s/authorizationRules/limited", of);
    (void)hub_arm(p, "PUT", rule, RF_S("{\"properties\":{\"rights\":[\"Send\",\"Listen\"]}}"));
    (void)snprintf(rule, sizeof rule, "%s/authorizationRules/limited/listKeys", of);
    rf_str key = json_text_at(hub_arm(p, "POST", rule, (rf_str){0}), "primaryKey");
    p->root.rule = json_text_at(a->boot, "hub.key_name");
    p->root.key = json_text_at(a->boot, "hub.key");
    p->limited = (struct seed_login){rf_str_of(of), RF_S("limited"), key};
    p->amqps = port_in(azure_boot(a, "amqps"));
    p->kafka = port_in(azure_boot(a, "kafka"));
    p->https = port_in(azure_boot(a, "https"));
    p->expires = rf_clock_now(rf_clock_real()) / RF_USEC_PER_SECOND + 36000;
}

/* ---- Kafka, one request after the other ------------------------------------------------------------------------- */

/* The answer behind its correlation id, in `arena`; ptr NULL: none came. */
static inline rf_str kafka_ask(struct wire *wire, rf_str request, struct rf_arena *arena)
{
    uint8_t head[8];
    size_t have = 0;
    if (!wire_send(wire, request)) return (rf_str){0};
    while (have < sizeof head) {
        size_t got = wire_read(wire, head + have, sizeof head - have, 20000);
        if (got == 0) return (rf_str){0};
        have += got;
    }
    size_t len = amqp_get_u32(head) - 4;
    uint8_t *body = rf_arena_alloc(arena, len);
    if (body == NULL) return (rf_str){0};
    for (have = 0; have < len;) {
        size_t got = wire_read(wire, body + have, len - have, 20000);
        if (got == 0) return (rf_str){0};
        have += got;
    }
    return rf_str_make(body, len);
}

static inline bool kafka_log_in(const struct hub_peers *p, struct wire *wire,
                                const struct seed_login *login, struct rf_arena *arena)
{
    if (!wire_open(wire, p->kafka)) return false;
    if (kafka_ask(wire, seed_handshake(arena), arena).ptr == NULL) return false;
    rf_str answer = kafka_ask(wire, seed_authenticate(arena, login), arena);
    return answer.len > 2 && answer.ptr[0] == 0 && answer.ptr[1] == 0;
}

/* What Produce says of one partition: its error; *offset the number of the first event. -100: no answer. */
static inline int16_t kafka_send(struct wire *wire, rf_str topic, int32_t partition, rf_str batch,
                                 struct rf_arena *arena, int64_t *offset)
{
    rf_str answer = kafka_ask(wire, seed_produce(arena, topic, partition, batch), arena);
    struct kafka_reader in = kafka_reader_of(answer);
    (void)kafka_get_i32(&in);
    (void)kafka_get_string(&in);
    (void)kafka_get_i32(&in);
    (void)kafka_get_i32(&in);
    int16_t error = kafka_get_i16(&in);
    *offset = kafka_get_i64(&in);
    return in.bad ? -100 : error;
}

#endif
