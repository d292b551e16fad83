/* external_kafka.h - the settings hub.kafka.* as the Kafka store takes them (docs/external-kafka.md). */
#ifndef RF_DAEMON_EXTERNAL_KAFKA_H
#define RF_DAEMON_EXTERNAL_KAFKA_H

#include "daemon/config.h"
#include "hub/kafka_store.h"

/* Reads the files that are named, so before the process gives up its rights. Texts are in `arena`; out->servers is NULL when event hubs lie in
 * files. RF_INVALID BadValue: settings that do not fit each other; RF_IO. */
RF_MUST_USE enum rf_kind external_kafka_read(const struct config *config, struct rf_arena *arena,
                                             struct kafka_store_options *out, struct rf_err *err);
/* The secrets, as soon as the store has been opened. */
void external_kafka_wipe(struct kafka_store_options *options);

#endif
