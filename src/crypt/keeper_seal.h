/* keeper_seal.h - the root keys at rest: what opens them, and how that changes. Drawn at the top of keeper_seal_form.c.
 *
 * Kinds of seal: a key file (root.key, the default: the keeper starts unattended), a passphrase (Argon2id), shares with a quorum
 * (keeper_share.h), a PKCS#11 token or a TPM (keeper_token.h: it wraps a key that opens the lock). Beside it there may be recovery shares, which open the same. Both files stay open while the keeper serves, as it
 * may name none any more then; they are written in place, so that a crash at any moment leaves the old seal or the new.
 *
 * One thread uses a root_seal, but for root_seal_key, which any thread may call. */
#ifndef RF_KEEPER_SEAL_H
#define RF_KEEPER_SEAL_H

#include <stdatomic.h>
#include <sys/types.h>

#include "base/clock.h"
#include "crypt/keeper_share.h"
#include "crypt/keeper_token.h"

enum root_lock_kind {
    ROOT_LOCK_FILE = 1,
    ROOT_LOCK_PASSPHRASE,
    ROOT_LOCK_SHARES,
    ROOT_LOCK_PKCS11,
    ROOT_LOCK_TPM
};
enum {
    ROOT_KEY_BYTES = 32,
    ROOTS_MAX = 16,     /* kept at one time */
    ROOT_LOCKS_MAX = 2, /* the seal; recovery */
    ROOT_ID_BYTES = 16,
    ROOT_NONCE_BYTES = 12,
    ROOT_TAG_BYTES = 16,
    ROOT_SLOT_BYTES = 1024,
    ROOT_SLOT_APART = 4096,
    ROOT_TAIL_BYTES = ROOT_SLOT_APART - ROOT_SLOT_BYTES, /* behind a slot: of a token */
    ROOT_SETTINGS_BYTES_MAX = 1500,
    ROOT_PASSPHRASE_BYTES_MIN = 12,
    ROOT_PASSPHRASE_BYTES_MAX = 1024,
    ROOT_DESCRIPTION_BYTES = 160,
    /* Argon2id (RFC 9106): what is written, and what is accepted of a file. */
    ROOT_ARGON_KIB = 64 << 10,
    ROOT_ARGON_KIB_MIN = 19 << 10,
    ROOT_ARGON_KIB_MAX = 1 << 20,
    ROOT_ARGON_PASSES = 3,
    ROOT_ARGON_PASSES_MIN = 2,
    ROOT_ARGON_PASSES_MAX = 64,
    ROOT_ARGON_LANES = 1,
    ROOT_ARGON_LANES_MAX = 4
};

/* What the first root derives that lasts: kept by itself once that root is dropped. */
enum root_base {
    ROOT_BASE_KEYS,
    ROOT_BASE_HEADS,
    ROOT_BASE_AUDIT,
    ROOT_BASE_FLOORS,
    ROOT_BASE_STORE,
    ROOT_BASE_MAC_SECRET,   /* of client secrets */
    ROOT_BASE_MAC_PASSWORD, /* of passwords */
    ROOT_BASES
};
/* What a slot seals. */
struct root_keys {
    uint8_t roots[ROOTS_MAX][ROOT_KEY_BYTES]; /* oldest first */
    uint8_t bases[ROOT_BASES][ROOT_KEY_BYTES];
};

/* ---- keeper_seal_form.c: a slot of root.seal ---------------------------------------------------------------------------- */

struct root_lock {
    enum root_lock_kind kind;
    uint8_t threshold, count;    /* of shares */
    uint32_t kib, passes, lanes; /* of a passphrase */
    uint8_t
        id[ROOT_ID_BYTES]; /* of shares its first bytes are their set; of a passphrase the salt */
    uint8_t nonce[ROOT_NONCE_BYTES], wrapped[ROOT_KEY_BYTES + ROOT_TAG_BYTES];
};
/* How a token is found, as lines "key=value" that are ringfort-token's words, and what it wrapped. No secret. */
struct root_tail {
    uint32_t settings_bytes, blob_bytes;
    char settings[ROOT_SETTINGS_BYTES_MAX];
    uint8_t blob[TOKEN_BLOB_BYTES_MAX];
};
struct root_slot {
    uint64_t counter;
    rf_usec sealed_at;
    uint32_t root_count, lock_count;
    uint32_t dropped;  /* generations that are no more: the first root is of the one behind them */
    uint32_t retired;  /* of the oldest roots: they open nothing any more, and wait to be dropped */
    uint32_t erase_at; /* minutes since 1970: when those go; 0: when people say so */
    struct root_lock locks[ROOT_LOCKS_MAX];
    struct root_tail tail; /* when the first lock is of a token */
    uint8_t nonce[ROOT_NONCE_BYTES], sealed[sizeof(struct root_keys) + ROOT_TAG_BYTES];
};
/* The newest generation. */
uint32_t root_slot_newest(const struct root_slot *slot);
void root_slot_put(const struct root_slot *slot, uint8_t out[ROOT_SLOT_BYTES]);
/* RF_CORRUPT RootSealDamaged; RF_NOT_FOUND RootSealMissing: all zero, or nothing. */
RF_MUST_USE enum rf_kind root_slot_read(rf_str bytes, struct root_slot *out, struct rf_err *err);
bool root_lock_is_token(const struct root_lock *lock);
void root_tail_put(const struct root_tail *tail, uint8_t out[ROOT_TAIL_BYTES]);
/* False: it is not the one that the lock names. */
bool root_tail_read(rf_str bytes, const struct root_lock *lock, struct root_tail *out);
void root_tail_name(const struct root_tail *tail, uint8_t id[ROOT_ID_BYTES]);
/* The value of a setting; NULL, 0: it is not there. A view. */
rf_str root_tail_setting(const struct root_tail *tail, const char *key);
/* The lock's key and the slot's, under AES-256-GCM. `open` false: they do not fit. */
void root_lock_close(struct root_lock *lock, const uint8_t opener[ROOT_KEY_BYTES],
                     const uint8_t key[ROOT_KEY_BYTES]);
bool root_lock_open(const struct root_lock *lock, const uint8_t opener[ROOT_KEY_BYTES],
                    uint8_t key[ROOT_KEY_BYTES]);
/* Bases count once a generation was dropped. */
void root_slot_close(struct root_slot *slot, const uint8_t key[ROOT_KEY_BYTES],
                     const struct root_keys *keys);
bool root_slot_open(const struct root_slot *slot, const uint8_t key[ROOT_KEY_BYTES],
                    struct root_keys *keys);
/* What a passphrase opens the lock with, by the lock's parameters. RF_LIMIT MemoryBudgetExceeded. Takes a quarter of a second. */
RF_MUST_USE enum rf_kind root_lock_passphrase(const struct root_lock *lock, rf_str passphrase,
                                              uint8_t opener[ROOT_KEY_BYTES], struct rf_err *err);
/* "shares 3 of 5 (generation 2), recovery by shares 2 of 3"; a slot with counter 0 is the key file that never was re-sealed. */
void root_slot_describe(const struct root_slot *slot, char out[ROOT_DESCRIPTION_BYTES]);

/* ---- keeper_seal_read.c ----------------------------------------------------------------------------------------------------------- */

/* *got bytes of the file, `len` at most. RF_IO InputOutput. */
RF_MUST_USE enum rf_kind root_read_at(int fd, uint8_t *out, size_t len, off_t at, size_t *got,
                                      struct rf_err *err);
/* The newest slot; counter 0: there is none. *damaged: one did not hold, as *damage tells. RF_IO InputOutput. */
RF_MUST_USE enum rf_kind root_read_slots(int fd, struct root_slot *out, struct rf_err *damage,
                                         bool *damaged, struct rf_err *err);
/* Describes the seal of DIR/keeper by its files, for doctor. RF_IO, RF_NOT_FOUND, RF_CORRUPT. */
RF_MUST_USE enum rf_kind root_seal_look(const char *folder, char out[ROOT_DESCRIPTION_BYTES],
                                        struct rf_err *err);
/* The settings of the token that seals DIR/keeper. RF_NOT_FOUND NoToken: it is sealed otherwise. */
RF_MUST_USE enum rf_kind root_seal_token(const char *folder, struct root_tail *out,
                                         struct rf_err *err);
/* Which generations DIR/keeper has, by its files. */
RF_MUST_USE enum rf_kind root_seal_span(const char *folder, uint32_t *kept, uint32_t *newest,
                                        struct rf_err *err);

/* ---- keeper_seal.c ------------------------------------------------------------------------------------------------------------ */

#define ROOT_SHARES_FORGET_USEC (INT64_C(15) * 60 * RF_USEC_PER_SECOND)

struct root_seal {
    int fd, key_fd; /* root.seal, root.key; owned */
    struct rf_clock *clock;
    struct root_slot slot;
    bool open;
    uint8_t key[ROOT_KEY_BYTES];              /* of the slot */
    uint8_t roots[ROOTS_MAX][ROOT_KEY_BYTES]; /* of generation g at (g - 1) % ROOTS_MAX */
    uint8_t bases[ROOT_BASES][ROOT_KEY_BYTES];
    /* Generations: `kept` to `newest` are there, of them `first` and later ones open what they wrapped. 0 while it is sealed. */
    _Atomic uint32_t kept, first, newest;
    struct share shares[SHARE_COUNT_MAX];
    uint32_t share_count, failures;
    rf_usec share_at, again_at;              /* the last share; before this no attempt is taken */
    char token_said[ROOT_DESCRIPTION_BYTES]; /* why it did not open; "": nothing */
    /* A change that waits for root_seal_commit. */
    bool pending;
    struct root_slot next;
    uint8_t next_key[ROOT_KEY_BYTES], next_file[ROOT_KEY_BYTES];
};
/* Takes both descriptors. With the key file the roots are open when it returns, made when `fresh` and there are none; else root_seal_enter opens
 * them. RF_CORRUPT RootKeyMissing, RootSealDamaged; RF_IO InputOutput. */
RF_MUST_USE enum rf_kind root_seal_init(struct root_seal *seal, int fd, int key_fd, bool fresh,
                                        struct rf_clock *clock, struct rf_err *err);
void root_seal_done(struct root_seal *seal);
/* A passphrase or a share. RF_OK: it is open. RF_AGAIN SharesMissing: more are needed. RF_INVALID ShareInvalid; RF_CONFLICT ShareTwice, ShareOther;
 * RF_DENIED PassphraseWrong, SharesWrong (those gathered are forgotten); RF_LIMIT TooManyAttempts: the text says for how long. */
RF_MUST_USE enum rf_kind root_seal_enter(struct root_seal *seal, bool is_share, rf_str text,
                                         struct rf_err *err);
/* By its token: `fd` leads to ringfort-token, borrowed. RF_AGAIN TokenAbsent, RF_DENIED TokenRefused, TokenOther; RF_CONFLICT TokenUnfit. */
RF_MUST_USE enum rf_kind root_seal_enter_token(struct root_seal *seal, int fd, struct rf_err *err);
/* How many shares are there, of how many; forgets old ones. */
void root_seal_progress(struct root_seal *seal, uint32_t *have, uint32_t *wanted);

struct root_change {
    enum root_lock_kind kind;
    rf_str passphrase;
    rf_str settings; /* of a token */
    int token_fd;    /* to ringfort-token, borrowed; -1: none */
    uint8_t threshold, count;
    uint8_t recovery_threshold, recovery_count; /* 0: none */
};
/* Prepares another seal of an open root: nothing that opened it before does so after the commit. *made of `shares` are to be shown to people
 * before it: those of the seal, then those of recovery. RF_INVALID SealUnfit names what is wrong. */
RF_MUST_USE enum rf_kind root_seal_prepare(struct root_seal *seal, const struct root_change *change,
                                           struct share shares[2 * SHARE_COUNT_MAX], uint32_t *made,
                                           struct rf_err *err);
/* On the disk when it returns; the old seal's bytes are overwritten. */
RF_MUST_USE enum rf_kind root_seal_commit(struct root_seal *seal, struct rf_err *err);
void root_seal_cancel(struct root_seal *seal);
/* One more root, newest; those before stay, sealed with it. What opens them does not change. RF_LIMIT RootsMax. */
RF_MUST_USE enum rf_kind root_seal_rotate(struct root_seal *seal, struct rf_err *err);
/* The root of a generation, `first` to `newest`; NULL: there is none. */
const uint8_t *root_seal_key(const struct root_seal *seal, uint32_t generation);
/* Writes the slot as it is said by `slot` in place of the one before; for keeper_seal_age.c. */
RF_MUST_USE enum rf_kind root_seal_write(struct root_seal *seal, struct root_slot *slot,
                                         const uint8_t key[ROOT_KEY_BYTES], struct rf_err *err);

/* ---- keeper_seal_age.c: the end of generations ------------------------------------------------------------------------------------ */

/* HMAC of a label and `more` under a root. */
void root_derive(const uint8_t root[ROOT_KEY_BYTES], const char *label, rf_str more,
                 uint8_t out[ROOT_KEY_BYTES]);
/* What the first root derives. */
void root_derive_bases(const uint8_t root[ROOT_KEY_BYTES],
                       uint8_t bases[ROOT_BASES][ROOT_KEY_BYTES]);
/* From now on the generations up to `through` open nothing, and at `erase_at` (0: when root_seal_drop is called) they go. RF_CONFLICT GenerationNewest;
 * RF_NOT_FOUND GenerationGone: it was dropped, or never made. */
RF_MUST_USE enum rf_kind root_seal_retire(struct root_seal *seal, uint32_t through,
                                          rf_usec erase_at, struct rf_err *err);
/* Takes that back. RF_NOT_FOUND NothingRetired, also of the next. */
RF_MUST_USE enum rf_kind root_seal_keep(struct root_seal *seal, struct rf_err *err);
/* The retired roots are no more, nor on the disk in root.seal. */
RF_MUST_USE enum rf_kind root_seal_drop(struct root_seal *seal, struct rf_err *err);
/* The generations up to *through are retired (0: none are), and go at *erase_at; 0: no time is set. */
void root_seal_retired(const struct root_seal *seal, uint32_t *through, rf_usec *erase_at);

#endif
