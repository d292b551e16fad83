#include "kafka/kafka.h"

#include <stdlib.h>

#include "kafka/kafka_int.h"

enum { MEMORY_BYTES_MAX = 512 << 20 };

/* Ranges: contract, section 9.2. Produce begins with 0 because librdkafka asks for that before it compresses; versions 0 to 2 carry
 * formats that batch_check refuses. None but ApiVersions reaches flexible versions (KIP-482). */
static const struct kafka_api apis[] = {
    {.key = 0, .min = 0, .max = 8, .run = kafka_produce},
    {.key = 1, .min = 4, .max = 11, .run = kafka_fetch, .waits = true},
    {.key = 2, .min = 0, .max = 5, .run = kafka_list_offsets, .blocks = true},
    {.key = 3, .min = 0, .max = 8, .run = kafka_metadata},
    {.key = 8, .min = 2, .max = 7, .run = kafka_offset_commit},
    {.key = 9, .min = 1, .max = 5, .run = kafka_offset_fetch},
    {.key = 10, .min = 0, .max = 2, .run = kafka_find_coordinator},
    {.key = 11, .min = 0, .max = 5, .run = kafka_join_group, .waits = true},
    {.key = 12, .min = 0, .max = 3, .run = kafka_heartbeat},
    {.key = 13, .min = 0, .max = 3, .run = kafka_leave_group},
    {.key = 14, .min = 0, .max = 3, .run = kafka_sync_group, .waits = true},
    {.key = 15, .min = 0, .max = 4, .run = kafka_describe_groups},
    {.key = 16, .min = 0, .max = 2, .run = kafka_list_groups},
    {.key = 17, .min = 0, .max = 1, .run = kafka_sasl_handshake, .before_login = true},
    {.key = KAFKA_API_VERSIONS,
     .min = 0,
     .max = 3,
     .run = kafka_api_versions,
     .before_login = true},
    {.key = 19, .min = 0, .max = 4, .run = kafka_create_topics, .blocks = true},
    {.key = 20, .min = 0, .max = 3, .run = kafka_delete_topics, .blocks = true},
    {.key = 21, .min = 0, .max = 1, .run = kafka_delete_records, .blocks = true},
    {.key = 22, .min = 0, .max = 1, .run = kafka_init_producer_id, .blocks = true},
    {.key = 23, .min = 2, .max = 3, .run = kafka_offset_for_leader_epoch, .blocks = true},
    {.key = 32, .min = 0, .max = 3, .run = kafka_describe_configs, .blocks = true},
    {.key = 33, .min = 0, .max = 1, .run = kafka_alter_configs, .blocks = true},
    {.key = 36,
     .min = 0,
     .max = 1,
     .run = kafka_sasl_authenticate,
     .before_login = true,
     .blocks = true},
    {.key = 37, .min = 0, .max = 1, .run = kafka_create_partitions, .blocks = true},
    {.key = 42, .min = 0, .max = 1, .run = kafka_delete_groups, .blocks = true},
    {.key = 44, .min = 0, .max = 0, .run = kafka_incremental_alter_configs, .blocks = true},
    {.key = 47, .min = 0, .max = 0, .run = kafka_offset_delete, .blocks = true},
};

const struct kafka_api *kafka_apis(uint32_t *count)
{
    *count = RF_COUNT(apis);
    return apis;
}

const struct kafka_api *kafka_api(int16_t key)
{
    for (size_t i = 0; i < RF_COUNT(apis); i++)
        if (apis[i].key == key) return &apis[i];
    return NULL;
}

enum rf_kind kafka_new(const struct kafka_options *options, struct kafka **out, struct rf_err *err)
{
    struct kafka *kafka = calloc(1, sizeof *kafka);
    if (kafka == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory for Kafka");
    kafka->clock = options->clock != NULL ? options->clock : rf_clock_real();
    rf_budget_init(&kafka->memory, MEMORY_BYTES_MAX);
    pthread_mutex_init(&kafka->lock, NULL);
    pthread_cond_init(&kafka->changed, NULL);
    *out = kafka;
    return RF_OK;
}

enum rf_kind kafka_listen(struct kafka *kafka, struct server *server, rf_str address,
                          struct tls_context *tls, uint16_t *port, struct rf_err *err)
{
    return server_listen_stream(server, address, tls, kafka_stream_handlers(), kafka, port, err);
}

enum rf_kind kafka_start(struct kafka *kafka, struct hubs *hubs, struct state *state, rf_str host,
                         uint16_t port, struct rf_err *err)
{
    uint8_t *name = malloc(host.len + 1);
    if (name == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory for Kafka");
    if (host.len > 0) memcpy(name, host.ptr, host.len);
    kafka->host = rf_str_make(name, host.len);
    kafka->port = port;
    kafka->hubs = hubs;
    kafka->state = state;
    RF_TRY(kafka_groups_new(kafka, &kafka->groups, err));
    hubs_on_access(hubs, kafka_access_changed, kafka);
    atomic_store(&kafka->is_started, true);
    return RF_OK;
}

void kafka_stop(struct kafka *kafka)
{
    if (kafka == NULL) return;
    atomic_store(&kafka->is_started, false);
    kafka_groups_stop(kafka->groups);
    pthread_mutex_lock(&kafka->lock);
    while (kafka->conn_count > 0) pthread_cond_wait(&kafka->changed, &kafka->lock);
    pthread_mutex_unlock(&kafka->lock);
}

void kafka_free(struct kafka *kafka)
{
    if (kafka == NULL) return;
    kafka_groups_free(kafka->groups);
    free((void *)(uintptr_t)kafka->host.ptr);
    pthread_mutex_destroy(&kafka->lock);
    pthread_cond_destroy(&kafka->changed);
    free(kafka);
}
