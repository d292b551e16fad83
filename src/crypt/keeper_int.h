/* keeper_int.h - the parts of the keeper: its files, its keys, its table of verbs. */
#ifndef RF_KEEPER_INT_H
#define RF_KEEPER_INT_H

#include <pthread.h>

#include <openssl/evp.h>

#include "crypt/digest.h"
#include "crypt/keeper_serve.h"
#include "crypt/keeper_wire.h"
#include "crypt/x509.h"

/* ---- keeper_file.c: the file of sealed records ---------------------------------------------------------------------- */

enum keeper_record_type {
    KEEPER_RECORD_CA = 1,
    KEEPER_RECORD_TLS,
    KEEPER_RECORD_JWT,
    KEEPER_RECORD_RETIRED /* a kid that verifies no longer */
};
enum { KEEPER_SECRET_BYTES = 32 };

/* One record in clear: what the type does not use is empty. */
struct keeper_record {
    enum keeper_record_type type;
    rf_usec from;
    rf_str cert, key /* PKCS #8 */;
    rf_str names; /* of a TLS certificate, joined with \n; the kid of RETIRED */
};

struct keeper_file {
    int fd;
    uint64_t bytes; /* where the next record goes */
    uint64_t count;
    uint8_t sealing_key[KEEPER_SECRET_BYTES];
};
/* Reads all records, in order: `each` takes views that end with the call. A torn tail is cut off. */
typedef enum rf_kind keeper_each_record(void *ctx, const struct keeper_record *record,
                                        struct rf_err *err);
RF_MUST_USE enum rf_kind keeper_file_load(struct keeper_file *file, keeper_each_record *each,
                                          void *ctx, struct rf_err *err);
/* On the disk when it returns. */
RF_MUST_USE enum rf_kind keeper_file_append(struct keeper_file *file,
                                            const struct keeper_record *record, struct rf_err *err);

/* ---- keeper_audit.c: what the keeper did, as a chain ------------------------------------------------------------------ */

struct keeper_audit {
    int fd;
    pthread_mutex_t lock, sync_lock;
    uint64_t seq,
        synced; /* of the last line written, and of the last one known to be on the disk */
    uint8_t chain[SHA256_BYTES];
    uint8_t key[KEEPER_SECRET_BYTES];
    struct rf_clock *clock;
    atomic_bool failed; /* a write or sync did: what needs a line is refused from then on */
};
/* Checks the chain of what is there and goes on after it; `broken` tells the line at which it does not hold, 0: none. */
RF_MUST_USE enum rf_kind keeper_audit_open(struct keeper_audit *audit, int fd,
                                           const uint8_t key[KEEPER_SECRET_BYTES],
                                           struct rf_clock *clock, uint64_t *broken,
                                           struct rf_err *err);
/* Writes a line and waits until it is on the disk; threads that come meanwhile share one sync. `what` and `detail` are plain
 * words of ours. The result may be left unused where a line is all that comes of an event. */
enum rf_kind keeper_audit_write(struct keeper_audit *audit, const char *what, const char *detail,
                                struct rf_err *err);
void keeper_audit_done(struct keeper_audit *audit);

/* ---- keeper_keys.c: the keys -------------------------------------------------------------------------------------------- */

enum {
    KEEPER_JWT_USE_DAYS = 90,
    KEEPER_JWT_AHEAD_HOURS = 24, /* the next key is published before it is used */
    KEEPER_JWT_AFTER_HOURS = 25  /* a token's longest life: so long an old key verifies */
};

struct keeper_jwt_own {
    EVP_PKEY *key;
    rf_str kid, cert; /* allocated */
    rf_usec from;
};

struct keeper_keys {
    pthread_rwlock_t lock; /* over the token-signing keys and the TLS certificate */
    struct keeper_file file;
    struct keeper_audit audit;
    struct rf_clock *clock;
    uint8_t root[KEEPER_SECRET_BYTES];
    EVP_PKEY *ca, *tls;
    rf_usec tls_until;
    rf_str ca_der, tls_der, tls_names, wanted_names; /* allocated */
    struct keeper_jwt_own jwt[KEEPER_KEYS_MAX];      /* by `from` */
    uint32_t jwt_count;
};

/* HMAC of a label under the root key: one secret for each use. */
void keeper_derive(const struct keeper_keys *keys, const char *label, rf_str more,
                   uint8_t out[KEEPER_SECRET_BYTES]);
/* Reads the keys and makes those that are missing. */
RF_MUST_USE enum rf_kind keeper_keys_open(struct keeper_keys *keys,
                                          const struct keeper_core_options *options,
                                          struct rf_err *err);
void keeper_keys_done(struct keeper_keys *keys);
/* Makes the next token-signing key when it is time; cheap when it is not. */
RF_MUST_USE enum rf_kind keeper_keys_tick(struct keeper_keys *keys, struct rf_err *err);
/* Issues the TLS certificate anew, for the same key, when it ends within 30 days. */
RF_MUST_USE enum rf_kind keeper_keys_renew_tls(struct keeper_keys *keys, struct rf_err *err);
RF_MUST_USE enum rf_kind keeper_keys_rotate(struct keeper_keys *keys, bool emergency,
                                            struct rf_err *err);
/* Fills the answer's keys, newest last; views that hold while keys->lock is held. */
void keeper_keys_list(const struct keeper_keys *keys, struct keeper_answer *answer);
/* The one that signs at `now`; keys->lock is held. */
const struct keeper_jwt_own *keeper_keys_signing(const struct keeper_keys *keys, rf_usec now);
/* True when the TLS certificate is for `host` (without a port). */
bool keeper_keys_name_host(const struct keeper_keys *keys, rf_str host);

/* ---- keeper_core.c -------------------------------------------------------------------------------------------------------- */

/* Tests look at both. */
struct keeper_keys *keeper_core_keys(struct keeper_core *core);

#endif
