/* keeper_vault_work.h - a request of a vault while the keeper works on it: what the verbs (keeper_vault_verbs.c, keeper_vault_backup.c) share. */
#ifndef RF_KEEPER_VAULT_WORK_H
#define RF_KEEPER_VAULT_WORK_H

#include "crypt/keeper_vault.h"

enum { KEEPER_DETAIL_BYTES = 320 };
#define WORK_BROKEN_TEXT "what is sealed was changed, or belongs somewhere else"

/* Keys on the way to an item: views of the request. */
struct ring {
    const uint8_t *vault_id, *item_id;
    enum seal_kind kind;
    rf_str name, vault_key, item_key;
};

struct work {
    struct keeper_vault *vault;
    const struct keeper_request *request;
    struct rf_arena *arena;
    struct keeper_answer *answer;
    uint64_t line;
    uint32_t at; /* the next field */
    struct keeper_who who;
    struct ring ring;
    uint8_t key[SEAL_KEY_BYTES]; /* of the ring's item */
};

/* ---- errors -------------------------------------------------------------------------------------------------------------- */

enum rf_kind work_bad(const char *what, struct rf_err *err);
enum rf_kind work_denied(const char *code, const char *text, struct rf_err *err);
enum rf_kind work_broken(struct rf_err *err);
enum rf_kind work_crypto_failed(struct rf_err *err);

/* ---- the next field of the request ------------------------------------------------------------------------------------------ */

rf_str work_next(struct work *w);
/* False: it is no single byte from `low` to `high`. */
bool work_next_byte(struct work *w, unsigned low, unsigned high, unsigned *out);
RF_MUST_USE enum rf_kind work_next_ring(struct work *w, struct ring *out, struct rf_err *err);
RF_MUST_USE enum rf_kind work_next_head(struct work *w, struct seal_head *out, struct rf_err *err);
RF_MUST_USE enum rf_kind work_read_ring(const rf_str *fields, struct ring *out, struct rf_err *err);
/* The token, into w->who; it may be missing where `system` says so. */
RF_MUST_USE enum rf_kind work_who_asks(struct work *w, bool system, struct rf_err *err);

/* ---- lines of the log ------------------------------------------------------------------------------------------------------ */

void work_describe(const struct keeper_who *who, const struct ring *ring, rf_str version, char *out,
                   size_t cap);
/* `version`: sealed, or its head; empty: none. */
RF_MUST_USE enum rf_kind work_tell(struct work *w, rf_str version, struct rf_err *err);

/* ---- rates ----------------------------------------------------------------------------------------------------------------- */

/* Of the item of w->ring, in this second. */
struct keeper_rate *work_rate(struct work *w);
RF_MUST_USE enum rf_kind work_within_rate(struct work *w, struct rf_err *err);

/* ---- items and versions ------------------------------------------------------------------------------------------------------ */

RF_MUST_USE enum rf_kind work_not_destroyed(struct work *w, const struct ring *ring,
                                            struct rf_err *err);
/* The item's key, made and wrapped when the ring has none; *wrapped in the arena. The caller wipes `key`. */
RF_MUST_USE enum rf_kind work_item_key(struct work *w, const struct ring *ring,
                                       uint8_t key[SEAL_KEY_BYTES], rf_str *wrapped,
                                       struct rf_err *err);
/* The version of w->ring: its head and material, which is to be wiped (work_wipe). Raises the floor. */
RF_MUST_USE enum rf_kind work_open_version(struct work *w, rf_str sealed, struct seal_head *head,
                                           rf_str *material, struct rf_err *err);
void work_wipe(rf_str material);
/* Seals into the answer: item's key, version. */
RF_MUST_USE enum rf_kind work_answer_sealed(struct work *w, const struct ring *ring,
                                            const struct seal_head *head, rf_str material,
                                            struct rf_err *err);
/* A secret has a value, a key has a key. */
RF_MUST_USE enum rf_kind work_check_kind(const struct ring *ring, const struct seal_head *head,
                                         struct rf_err *err);

/* ---- keys for use ------------------------------------------------------------------------------------------------------------ */

RF_MUST_USE enum rf_kind work_make_key(struct work *w, const struct seal_head *head,
                                       rf_str *material, struct rf_err *err);
/* The key of a version, in the cache and in use; or, when that is full, a key of the caller's own (*own). */
struct borrowed {
    struct keeper_ready *ready;
    struct seal_key *key, *own;
    struct seal_head head;
};

RF_MUST_USE enum rf_kind work_borrow_key(struct work *w, rf_str sealed, struct borrowed *out,
                                         struct rf_err *err);
void work_give_back(struct work *w, struct borrowed *borrowed);
RF_MUST_USE enum rf_kind work_check_use(const struct work *w, const struct seal_head *head,
                                        enum seal_op op, struct rf_err *err);

/* ---- the verbs ----------------------------------------------------------------------------------------------------------------- */

typedef enum rf_kind work_verb(struct work *w, struct rf_err *err);
/* keeper_vault_verbs.c */
work_verb work_vault_new, work_put, work_open, work_change, work_key_new, work_key_use,
    work_certify, work_bundle, work_destroy, work_random;
/* keeper_vault_backup.c */
work_verb work_backup_make, work_backup_open, work_backup_put;
/* keeper_listener_keys.c */
work_verb work_listener_bind, work_listener_unbind, work_listener_get, work_listener_show,
    work_listener_sign;

#endif
