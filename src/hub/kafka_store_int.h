/* kafka_store_int.h - the Kafka store as the other files of hub/ use it; kafka_client_int.h has what is inside. */
#ifndef RF_HUB_KAFKA_STORE_INT_H
#define RF_HUB_KAFKA_STORE_INT_H

#include "hub/hub_int.h"
#include "hub/kafka_store.h"

/* Connects, and learns what the brokers can. RF_IO KafkaUnreachable, KafkaRefuses; RF_INVALID BadKafkaSetting. The options' texts are copied. */
RF_MUST_USE enum rf_kind kafka_store_new(const struct kafka_store_options *options,
                                         struct hubs *hubs, struct kafka_store **out,
                                         struct rf_err *err);
void kafka_store_free(struct kafka_store *store); /* behind all partitions; NULL is fine */
/* Makes, grows and configures the topic of a hub; before the hub's document is stored. RF_INVALID KafkaTooOld: that the brokers do not let
 * clients do this, with what to do by hand; RF_IO KafkaFailed; RF_AGAIN ServerBusy. */
RF_MUST_USE enum rf_kind kafka_store_prepare(struct kafka_store *store, rf_str space,
                                             const struct hub_settings *settings,
                                             struct rf_err *err);
/* Deletes the topic of a deleted hub, or says in the log why not. */
void kafka_store_drop(struct kafka_store *store, rf_str space, rf_str hub);

/* Costs nothing; the partition need not be known. */
RF_MUST_USE enum rf_kind kafka_part_open(struct hub_partition *p, struct part_store **out,
                                         struct rf_err *err);
/* What there is, asked of the cluster. */
RF_MUST_USE enum rf_kind kafka_part_ask(struct part_store *store, struct log_info *out,
                                        struct rf_err *err);
/* Asks, and follows the partition from there on; it is known then. hub.opening is held. */
RF_MUST_USE enum rf_kind kafka_part_look(struct part_store *store, struct rf_err *err);
/* Follows it no more. */
void kafka_part_stop(struct part_store *store);
/* Now and then: what the brokers removed is not there any more, and what nobody reads is not read ahead. Asks the cluster. */
void kafka_part_tend(struct part_store *store, rf_usec now);

#endif
