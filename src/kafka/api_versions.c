#include "kafka/kafka_int.h"

/* Source: KIP-35, KIP-511. The head of the answer never has tagged fields, because the asker does not know yet what the server speaks. To a version
 * above ours the answer is that of version 0 with error 35 and the ranges, and the connection stays. */
enum kafka_outcome kafka_api_versions(struct kafka_call *call)
{
    uint32_t count;
    const struct kafka_api *apis = kafka_apis(&count);
    int16_t version = call->is_foreign_version ? 0 : call->version;
    bool is_flexible = version >= 3;
    kafka_put_i16(&call->out, call->is_foreign_version ? KAFKA_UNSUPPORTED_VERSION : KAFKA_NONE);
    if (is_flexible)
        kafka_put_uvarint(&call->out, count + 1);
    else
        kafka_put_count(&call->out, count);
    for (uint32_t i = 0; i < count; i++) {
        kafka_put_i16(&call->out, apis[i].key);
        kafka_put_i16(&call->out, apis[i].min);
        kafka_put_i16(&call->out, apis[i].max);
        if (is_flexible) kafka_put_uvarint(&call->out, 0);
    }
    if (version >= 1) kafka_put_i32(&call->out, 0); /* throttled for */
    if (is_flexible) kafka_put_uvarint(&call->out, 0);
    return KAFKA_DONE;
}
