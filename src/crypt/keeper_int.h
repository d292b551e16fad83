/* keeper_int.h - the parts of the keeper: its files, its keys, its table of verbs. */
#ifndef RF_KEEPER_INT_H
#define RF_KEEPER_INT_H

#include <pthread.h>

#include <openssl/evp.h>

#include "crypt/digest.h"
#include "crypt/keeper_seal.h"
#include "crypt/keeper_serve.h"
#include "crypt/keeper_wire.h"
#include "crypt/x509.h"

/* ---- keeper_heads.c: how far the files have come -------------------------------------------------------------------- */

enum { KEEPER_SECRET_BYTES = 32 };

/* By how much a file may be ahead of its head after a crash: records are appended one by one; of lines as many as wait for one sync (HELD_MAX of
 * keeper_post.c), as many again that came during it, and a few of each thread. */
enum { KEEPER_KEYS_AHEAD_MAX = 1, KEEPER_AUDIT_AHEAD_MAX = 640 };

struct keeper_head {
    uint64_t count; /* of records or lines */
    uint8_t chain[SHA256_BYTES];
};
struct keeper_heads {
    int fd;
    pthread_mutex_t lock;
    struct keeper_head keys, audit;
    uint64_t generation;
    bool present; /* there were heads when it was opened */
    bool
        torn; /* a slot did not hold: a crash, if a file is ahead of its head; else somebody changed it */
    bool failed;
    uint8_t key[KEEPER_SECRET_BYTES];
};
RF_MUST_USE enum rf_kind keeper_heads_open(struct keeper_heads *heads, int fd,
                                           const uint8_t key[KEEPER_SECRET_BYTES],
                                           struct rf_err *err);
/* Sets heads->keys or heads->audit, on the disk when it returns. After a failure all further ones fail. Any thread. */
RF_MUST_USE enum rf_kind keeper_heads_set(struct keeper_heads *heads, struct keeper_head *which,
                                          const struct keeper_head *now, struct rf_err *err);
void keeper_heads_done(struct keeper_heads *heads);

/* ---- keeper_file.c: the file of sealed records ---------------------------------------------------------------------- */

enum keeper_record_type {
    KEEPER_RECORD_CA = 1,
    KEEPER_RECORD_TLS,
    KEEPER_RECORD_JWT,
    KEEPER_RECORD_RETIRED, /* a kid that verifies no longer */
    KEEPER_RECORD_DEVICE_CA,
    KEEPER_RECORD_LISTENER, /* names: what keeper_listener_keys.c says */
    KEEPER_RECORD_TYPE_END  /* one past the last */
};

/* One record in clear: what the type does not use is empty. */
struct keeper_record {
    enum keeper_record_type type;
    rf_usec from;
    rf_str cert, key /* PKCS #8 */;
    rf_str names; /* of a TLS certificate, joined with \n; the kid of RETIRED */
};

struct keeper_file {
    int fd;
    uint64_t bytes;          /* where the next record goes */
    struct keeper_head head; /* of the records that are there */
    struct keeper_heads *heads;
    uint8_t sealing_key[KEEPER_SECRET_BYTES];
};
/* Reads all records, in order: `each` takes views that end with the call. A torn tail is cut off, if file->heads knows of no more
 * records than are left: RF_CORRUPT KeeperKeysCut. */
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
    struct keeper_head head; /* of the lines written */
    uint64_t synced;         /* the last line that is on the disk, and in the heads */
    struct keeper_heads *heads;
    uint8_t key[KEEPER_SECRET_BYTES];
    struct rf_clock *clock;
    atomic_bool failed; /* a write or sync did: what needs a line is refused from then on */
    uint8_t *pending;   /* lines that are not written yet */
    size_t pending_bytes;
};
/* Checks the chain of what is there and goes on after it. */
struct keeper_audit_check {
    uint64_t broken; /* the line at which the chain does not hold, 0: none */
    bool other;      /* the line at which the head stands is another one */
    bool has_heads;  /* a line tells that heads were begun */
};
RF_MUST_USE enum rf_kind keeper_audit_open(struct keeper_audit *audit, int fd,
                                           const uint8_t key[KEEPER_SECRET_BYTES],
                                           struct keeper_heads *heads, struct rf_clock *clock,
                                           struct keeper_audit_check *check, struct rf_err *err);
/* Writes a line and waits until it is on the disk; threads that come meanwhile share one sync. `what` and `detail` are plain
 * words of ours. The result may be left unused where a line is all that comes of an event. */
enum rf_kind keeper_audit_write(struct keeper_audit *audit, const char *what, const char *detail,
                                struct rf_err *err);
/* The same in two steps: the line is made, and on the disk when keeper_audit_sync of its number returned RF_OK. `mac`: the line's, NULL: not
 * wanted. */
RF_MUST_USE enum rf_kind keeper_audit_append(struct keeper_audit *audit, const char *what,
                                             const char *detail, uint64_t *line,
                                             uint8_t mac[SHA256_BYTES], struct rf_err *err);
RF_MUST_USE enum rf_kind keeper_audit_sync(struct keeper_audit *audit, uint64_t line,
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

enum { KEEPER_TLS_BEFORE_MAX = 8 };
#define KEEPER_TLS_AFTER_USEC (INT64_C(3600) * RF_USEC_PER_SECOND)
/* Certificates begin a little in the past, for clients whose clock is behind. */
#define KEEPER_CERT_BACKDATE_USEC (INT64_C(3600) * RF_USEC_PER_SECOND)
/* A key whose certificate was renewed. */
struct keeper_tls_own {
    EVP_PKEY *key;
    uint8_t leaf[SHA256_BYTES]; /* of the certificate */
    rf_usec until;              /* it signs so long */
};

/* A listener with a certificate of a vault (keeper_listener.h). */
enum { KEEPER_LISTENER_SLOTS = 4, KEEPER_LISTENER_PLACES = 3 };
#define KEEPER_LISTENER_STALE_USEC (90 * RF_USEC_PER_SECOND)
struct keeper_listener_slot {
    EVP_PKEY *key;
    uint8_t leaf[SHA256_BYTES]; /* of the certificate */
    rf_usec until;              /* it signs so long; INT64_MAX: the one in use */
    rf_usec ends;               /* the certificate does */
};
struct keeper_listener_bound {
    bool is_bound;
    uint8_t vault_id[16], item_id[16];
    char label[300];
    uint32_t label_bytes;
    struct keeper_listener_slot slots[KEEPER_LISTENER_SLOTS]; /* the newest last */
    uint32_t slot_count;
    rf_usec seen;     /* when what was shown last was taken */
    char refused[32]; /* why what was shown last was not; empty: it was */
};

struct keeper_keys {
    pthread_rwlock_t lock; /* over the token-signing keys, the TLS certificate, the listeners */
    struct keeper_file file;
    struct keeper_heads heads;
    struct keeper_audit audit;
    struct rf_clock *clock;
    struct root_seal seal;
    EVP_PKEY *ca, *tls, *device_ca; /* the last: NULL until it is first asked for */
    uint8_t tls_leaf[SHA256_BYTES];
    rf_usec tls_until;
    struct keeper_tls_own tls_before[KEEPER_TLS_BEFORE_MAX]; /* by `until` */
    uint32_t tls_before_count;
    struct keeper_listener_bound listeners[KEEPER_LISTENER_PLACES]; /* by enum keeper_listener */
    rf_str device_ca_der;                                           /* allocated, like the next */
    rf_str ca_der, tls_der, tls_names, wanted_names;                /* allocated */
    struct keeper_jwt_own jwt[KEEPER_KEYS_MAX];                     /* by `from` */
    uint32_t jwt_count;
};

/* One secret for each use, which no rotation changes. */
void keeper_derive(const struct keeper_keys *keys, enum root_base base,
                   uint8_t out[KEEPER_SECRET_BYTES]);
void keeper_derive_mac(const struct keeper_keys *keys, rf_str purpose,
                       uint8_t out[KEEPER_SECRET_BYTES]);
/* HMAC of a label under the root of a generation, for keys that the server keeps wrapped; false: there is none, or it is retired. */
bool keeper_derive_of(const struct keeper_keys *keys, uint32_t generation, const char *label,
                      uint8_t out[KEEPER_SECRET_BYTES]);
/* The newest generation, 1 at first. */
uint32_t keeper_root_generation(const struct keeper_keys *keys);
/* Reads the keys. */
RF_MUST_USE enum rf_kind keeper_keys_load(struct keeper_keys *keys,
                                          const struct keeper_core_options *options,
                                          struct rf_err *err);
/* Makes those that are missing. */
RF_MUST_USE enum rf_kind keeper_keys_make(struct keeper_keys *keys,
                                          const struct keeper_core_options *options,
                                          struct rf_err *err);
void keeper_keys_done(struct keeper_keys *keys);
/* Makes the next token-signing key when it is time; cheap when it is not. */
RF_MUST_USE enum rf_kind keeper_keys_tick(struct keeper_keys *keys, struct rf_err *err);
/* The authority over devices: makes it when there is none; views and keys that hold until keeper_keys_done. */
RF_MUST_USE enum rf_kind keeper_keys_device_ca(struct keeper_keys *keys, EVP_PKEY **key,
                                               rf_str *der, struct rf_err *err);
/* Issues a device's certificate, in `arena`. */
struct device_order;
RF_MUST_USE enum rf_kind keeper_keys_issue(struct keeper_keys *keys,
                                           const struct device_order *order, struct rf_arena *arena,
                                           rf_str *der, struct rf_err *err);
RF_MUST_USE enum rf_kind keeper_keys_rotate(struct keeper_keys *keys, bool emergency,
                                            struct rf_err *err);
/* Fills the answer's keys, newest last; views that hold while keys->lock is held. */
void keeper_keys_list(const struct keeper_keys *keys, struct keeper_answer *answer);
/* The one that signs at `now`; keys->lock is held. */
const struct keeper_jwt_own *keeper_keys_signing(const struct keeper_keys *keys, rf_usec now);
/* Copies, in place of what was there. */
RF_MUST_USE enum rf_kind keeper_keep(rf_str from, rf_str *to, struct rf_err *err);
/* Appends a record with this key to the file. */
RF_MUST_USE enum rf_kind keeper_store_private(struct keeper_keys *keys,
                                              struct keeper_record *record, EVP_PKEY *key,
                                              struct rf_err *err);

/* ---- keeper_tls.c: the certificate of the listeners ------------------------------------------------------------------------- */

/* Which names it is to be for. */
RF_MUST_USE enum rf_kind keeper_tls_names(struct keeper_keys *keys,
                                          const struct keeper_core_options *options,
                                          struct rf_arena *arena, struct rf_err *err);
/* A record that was read; takes the key. */
RF_MUST_USE enum rf_kind keeper_tls_take(struct keeper_keys *keys,
                                         const struct keeper_record *record, EVP_PKEY *key,
                                         struct rf_err *err);
/* Issues it when there is none, or it is for other names, or ends soon. */
RF_MUST_USE enum rf_kind keeper_tls_ensure(struct keeper_keys *keys, struct rf_arena *arena,
                                           struct rf_err *err);
/* Issues it anew, for a new key, when two thirds of its time are over, or at once. RF_LIMIT RenewedTooOften. */
RF_MUST_USE enum rf_kind keeper_tls_renew(struct keeper_keys *keys, bool at_once,
                                          struct rf_err *err);
/* The key of the certificate with this digest (empty: the newest), counted. RF_NOT_FOUND KeyGone: renewed more than an hour ago, or never made. */
RF_MUST_USE enum rf_kind keeper_tls_key(struct keeper_keys *keys, rf_str leaf, EVP_PKEY **out,
                                        struct rf_err *err);
void keeper_tls_done(struct keeper_keys *keys);
/* True when the TLS certificate is for `host` (without a port). */
bool keeper_keys_name_host(const struct keeper_keys *keys, rf_str host);

/* ---- keeper_listener_keys.c: listeners with a certificate of a vault ---------------------------------------------------------- */

/* A record that was read. RF_CORRUPT KeeperKeysDamaged. */
RF_MUST_USE enum rf_kind keeper_listener_take(struct keeper_keys *keys, rf_str record,
                                              struct rf_err *err);
void keeper_listeners_done(struct keeper_keys *keys);
/* A line for each that is bound, "LISTENER LABEL good|STALE ..."; empty: none is. */
void keeper_listeners_describe(struct keeper_keys *keys, char *out, size_t cap);

/* ---- keeper_open.c -------------------------------------------------------------------------------------------------------- */

/* Tests look at both. */
struct keeper_keys *keeper_core_keys(struct keeper_core *core);

#endif
