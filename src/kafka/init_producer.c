#include "kafka/kafka_int.h"

/* A producer id of its own for each idempotent producer (KIP-98). There are no transactions. */
enum kafka_outcome kafka_init_producer_id(struct kafka_call *call)
{
    struct rf_err err;
    int64_t id = -1;
    enum kafka_error error = KAFKA_NONE;
    bool is_transactional = kafka_get_nullable(&call->in).ptr != NULL;
    (void)kafka_get_i32(&call->in); /* transactions end after so long */
    if (call->in.bad) return KAFKA_BAD;
    if (is_transactional)
        error = KAFKA_TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
    else if (hub_new_producer(call->conn->space, &id, &err) != RF_OK)
        error = kafka_error_of(&err);
    kafka_put_i32(&call->out, 0); /* throttled for */
    kafka_put_i16(&call->out, (int16_t)error);
    kafka_put_i64(&call->out, error == KAFKA_NONE ? id : -1);
    kafka_put_i16(&call->out, error == KAFKA_NONE ? 0 : -1);
    return KAFKA_DONE;
}
