/* types_int.h - what the ARM types, the grants and the routes of event hubs share. */
#ifndef RF_HUB_TYPES_INT_H
#define RF_HUB_TYPES_INT_H

#include "authz/route.h"
#include "hub/grant.h"
#include "hub/hub_int.h"

enum { HUB_TYPES_COUNT = 8, HUB_AUTHORITY_BYTES_MAX = 64 << 10 };

/* Rows about refusals: a peer that is refused all the time leaves some, not a full disk. */
struct hub_denials {
    pthread_mutex_t lock;
    rf_usec since;
    double rows;
    uint64_t dropped;
};

/* An authority whose certificates are taken from devices of a namespace. */
struct device_authority {
    struct hub_namespace *space;
    char *name, *pem;
    char *hubs;    /* names in lower case, a blank around each; empty: all hubs */
    char *revoked; /* SHA-256 or serials of certificates in lower-case hex, a blank around each */
    struct device_authority *next;
};

/* hubs->types */
struct hub_types {
    struct arm_type types[HUB_TYPES_COUNT];
    _Atomic(struct dispatcher *)
        dispatcher; /* who verifies Entra tokens; NULL until hub_service knows it */
    struct hub_denials denials;
    struct service service;
    pthread_rwlock_t devices; /* of the next four */
    struct device_authority *authorities;
    struct hub_device **own_devices; /* sorted (devices.c) */
    uint32_t own_count, own_cap;
    rf_str authority, authority_pem;    /* over own devices, malloc'ed; empty: there is none */
    const struct device_issuer *issuer; /* authorities of vaults; NULL: there are none */
};
static inline struct hub_types *hub_types_of(const struct hubs *hubs) { return hubs->types; }

/* A row in RingfortDenials about a proof or a right that was refused. `mechanism`: "sas", "key", "token", "certificate", "role".
 * `who` is what the peer says of itself. Any thread. */
void hub_note_denial(struct hub_namespace *space, const char *mechanism, rf_str who, rf_str path,
                     const struct rf_err *why);

/* Takes an "Authorization" header's value apart: a signature or "Bearer " and an access token. */
RF_MUST_USE enum rf_kind hub_grant_header(struct hub_namespace *space, rf_str header,
                                          struct rf_arena *arena, struct hub_grant *out,
                                          struct rf_err *err);

/* grant_device.c */
RF_MUST_USE enum rf_kind hub_device_allows(struct hub_namespace *space,
                                           const struct hub_grant *grant, rf_str path,
                                           enum hub_right right, struct rf_err *err);
/* RF_DENIED PublisherRevoked: the certificate, or who vouches for it, is not good any more. */
RF_MUST_USE enum rf_kind hub_device_holds(struct hub_namespace *space,
                                          const struct hub_grant *grant, struct rf_err *err);
/* What a document of the type deviceAuthorities says from now on; `pem` empty: nothing any more. Lists have a blank around each
 * item. False: no memory. */
bool hub_device_set(struct hub_namespace *space, rf_str name, rf_str pem, rf_str hubs,
                    rf_str revoked);
void hub_devices_done(struct hub_types *types);
/* The namespace goes: one that is made under its name later must not know its devices. hubs_changed is the caller's. */
void hub_devices_forget(struct hub_namespace *space);
void hub_authorities_forget(struct hub_namespace *space);
/* Asks the keeper for the authority over own devices; at start. */
RF_MUST_USE enum rf_kind hub_devices_start(struct hubs *hubs, struct rf_err *err);

/* The fields of a signature as they stand in the token; views. RF_DENIED InvalidSignature. */
struct sas_fields {
    rf_str resource, signature, expiry,
        rule;   /* resource and expiry raw; signature and rule decoded */
    rf_str uri; /* resource, decoded */
    rf_usec expires;
};
RF_MUST_USE enum rf_kind sas_read(rf_str token, struct rf_arena *arena, struct sas_fields *out,
                                  struct rf_err *err);

/* The parts of a connection string; views, empty when absent. RF_DENIED InvalidSignature. */
struct connection_string {
    rf_str endpoint, rule, key, signature, entity;
};
RF_MUST_USE enum rf_kind connection_string_read(rf_str text, struct connection_string *out,
                                                struct rf_err *err);

/* ---- keys (types_keys.c) ------------------------------------------------------------------------------------------------ */

enum { HUB_KEY_TEXT_BYTES = 44 }; /* base64 of 32 bytes */
enum hub_key_which { HUB_KEY_PRIMARY, HUB_KEY_SECONDARY };
struct hub_keys {
    rf_str texts[2];
};
/* Keys lie sealed (AES-256-GCM under hubs_options.key, bound to their place) in state, space "hub.key", key
 * "{namespace}/{hub}/{rule}" in lower case with an empty hub for rules of the namespace. RF_NOT_FOUND ObjectNotFound; RF_CORRUPT
 * SealBroken. Texts are in `arena`: wipe them when they were used. */
RF_MUST_USE enum rf_kind hub_keys_load(struct hubs *hubs, struct state_txn *txn, rf_str place,
                                       struct rf_arena *arena, struct hub_keys *out,
                                       struct rf_err *err);
RF_MUST_USE enum rf_kind hub_keys_store(struct hubs *hubs, struct state_txn *txn, rf_str place,
                                        const struct hub_keys *keys, struct rf_arena *arena,
                                        struct rf_err *err);
rf_str hub_key_random(struct rf_arena *arena); /* ptr NULL: no memory */
void hub_keys_wipe(struct hub_keys *keys);
rf_str hub_key_place(struct rf_arena *arena, rf_str space, rf_str hub, rf_str rule);

bool hub_namespace_name_is_good(rf_str name);

#endif
