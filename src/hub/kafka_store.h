/* kafka_store.h - partitions in a Kafka cluster: how it is reached. hubs_options.kafka chooses it; everything above part_store.h stays as it is.
 *
 * A hub is the topic PREFIX{namespace}.{hub}, its partition N the partition N of the topic, and an event's sequence number the offset of its
 * message. What a message looks like says kafka_message.h; docs/external-kafka.md says it to people. Topics are made, grown, configured and
 * deleted with their hubs where the cluster lets its clients (Kafka 0.10.1 and later); one that is there is taken over with what it holds.
 *
 * Acknowledged means acknowledged by all in-sync replicas (acks=all). Messages keep their order; where the brokers know idempotent producers
 * (0.11 and later) a retry stores nothing twice. */
#ifndef RF_HUB_KAFKA_STORE_H
#define RF_HUB_KAFKA_STORE_H

#include "base/rf.h"

struct kafka_store_options {
    const char *servers; /* HOST:PORT with commas between */
    bool tls;
    const char *ca_pem;                      /* NULL: the system's */
    const char *certificate_pem, *key_pem;   /* NULL: none */
    const char *mechanism, *user, *password; /* of SASL; mechanism NULL: none */
    const char *topic_prefix;                /* NULL: none */
    uint32_t replicas;    /* of new topics; 0: as many as there are brokers, at most 3 */
    rf_usec timeout_usec; /* of appends and of the start; 0: 20 s */
};

#endif
