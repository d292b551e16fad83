/* admin.h - settings of hubs by Kafka's names: what CreateTopics and the requests about configs share. */
#ifndef RF_KAFKA_ADMIN_H
#define RF_KAFKA_ADMIN_H

#include "kafka/kafka_int.h"

/* What is to become of a hub's settings. */
struct admin_change {
    bool has_retention_ms, has_retention_bytes, has_policy;
    int64_t retention_ms, retention_bytes; /* -1: no bound */
    bool compacts, deletes;
};
/* Reads "retention.ms", "retention.bytes", "cleanup.policy"; value ptr NULL: the default. Settings of Kafka that have a fixed value here are taken
 * when they name that value. RF_INVALID InvalidConfig: an unknown name, or a value that it cannot have. */
RF_MUST_USE enum rf_kind admin_change_set(struct admin_change *change, rf_str name, rf_str value,
                                          struct rf_err *err);
/* Nothing when the change is empty. May block. */
RF_MUST_USE enum rf_kind admin_change_apply(struct kafka_call *call, rf_str topic,
                                            const struct admin_change *change, struct rf_err *err);

#endif
