/* keeper_vault.h - the keeper's side of crypt/vault_seal.h: opens and seals what vaults hold, remembers how far each version has come, checks who
 * asks. Any thread. */
#ifndef RF_KEEPER_VAULT_H
#define RF_KEEPER_VAULT_H

#include "crypt/keeper_int.h"
#include "crypt/seal_key.h"

/* ---- keeper_vault_crypt.c: keys around keys, material in versions ---------------------------------------------------------- */

enum { SEAL_NONCE_BYTES = 12, SEAL_TAG_BYTES = 16, SEAL_KEY_BYTES = 32 };
/* `about` is what the wrapped key is bound to. */
struct seal_wrap {
    enum seal_step step;
    uint32_t generation; /* of the root key; 0 when another key wraps */
    const uint8_t *key;  /* that wraps, SEAL_KEY_BYTES */
    rf_str about;
};
bool seal_wrap_key(const struct seal_wrap *wrap, const uint8_t key[SEAL_KEY_BYTES],
                   uint8_t out[WRAPPED_KEY_BYTES]);
/* False: it was not wrapped so. */
bool seal_unwrap_key(const struct seal_wrap *wrap, rf_str wrapped, uint8_t key[SEAL_KEY_BYTES]);
/* The generation that a wrapped key names; 0: it cannot be one. */
uint32_t seal_wrapped_generation(rf_str wrapped, enum seal_step step);
/* A version: head, nonce, material, tag. *out in `arena`. */
bool seal_version(const uint8_t key[SEAL_KEY_BYTES], const uint8_t item_id[SEAL_ID_BYTES],
                  const struct seal_head *head, rf_str material, struct rf_arena *arena,
                  rf_str *out);
/* *material in `arena`, to be wiped. */
bool seal_open_version(const uint8_t key[SEAL_KEY_BYTES], const uint8_t item_id[SEAL_ID_BYTES],
                       rf_str sealed, struct rf_arena *arena, rf_str *material);

/* ---- keeper_vault_floor.c: the file keeper/vault ------------------------------------------------------------------------------ */

struct floor_entry {
    uint8_t id[SEAL_ID_BYTES];
    uint64_t
        generation; /* the highest that was opened; FLOOR_GONE: destroyed; 0: the place is empty */
};
#define FLOOR_GONE UINT64_MAX
struct keeper_floors {
    int fd;
    pthread_mutex_t lock;
    struct floor_entry *entries; /* open addressing, `mask` + 1 of them */
    uint32_t mask, count;
    uint64_t records; /* in the file */
    uint8_t key[KEEPER_SECRET_BYTES], chain[SEAL_TAG_BYTES];
    EVP_MAC_CTX *mac;
    bool failed;
    bool damaged; /* a record did not hold when it was opened, and was left out */
    bool holed;   /* a crash had left some out */
};
/* Reads what is there, and writes it anew when most of it is out of date: `folder` is the keeper's. RF_IO InputOutput. */
RF_MUST_USE enum rf_kind keeper_floors_open(struct keeper_floors *floors, int folder, int fd,
                                            const uint8_t key[KEEPER_SECRET_BYTES],
                                            struct rf_err *err);
void keeper_floors_done(struct keeper_floors *floors);
/* What is known of a version, an item or a vault: 0 when nothing is. */
uint64_t keeper_floor_of(struct keeper_floors *floors, const uint8_t id[SEAL_ID_BYTES]);
/* Raises it; FLOOR_GONE is on the disk when it returns, the rest soon. */
RF_MUST_USE enum rf_kind keeper_floor_raise(struct keeper_floors *floors,
                                            const uint8_t id[SEAL_ID_BYTES], uint64_t generation,
                                            struct rf_err *err);

/* The keeper's own books of the wrapped keys that it gave out: an entry of what has no versions holds the generation of the root under which it was
 * wrapped last, with this bit. */
#define FLOOR_WRAPPED (UINT64_C(1) << 62)
/* How many entries say a generation: counts[0] the newest, counts[1] the one before, ...; the last also those further back. */
void keeper_floors_wrapped(struct keeper_floors *floors, uint32_t newest,
                           uint64_t counts[KEEPER_GENERATIONS_MAX]);
/* All that was raised is on the disk when it returns. */
RF_MUST_USE enum rf_kind keeper_floors_sync(struct keeper_floors *floors, struct rf_err *err);

/* ---- keeper_vault_token.c: who asks ------------------------------------------------------------------------------------------------ */

enum { KEEPER_TOKENS_KEPT = 1024, KEEPER_WHO_BYTES = 40 };
struct keeper_who { /* of a token that was checked: a GUID each, or "-" */
    char oid[KEEPER_WHO_BYTES], app[KEEPER_WHO_BYTES];
};
struct keeper_token {
    uint8_t digest[SHA256_BYTES], kid[SHA256_BYTES];
    int64_t from, until; /* seconds; until 0: the place is empty */
    struct keeper_who who;
};
struct keeper_tokens {
    pthread_mutex_t lock;
    struct keeper_token kept[KEEPER_TOKENS_KEPT];
};
/* RF_DENIED SealToken. */
RF_MUST_USE enum rf_kind keeper_token_check(struct keeper_tokens *tokens, struct keeper_keys *keys,
                                            rf_str token, struct rf_arena *arena,
                                            struct keeper_who *who, struct rf_err *err);
/* Whether a token of this audience opens vaults. */
bool keeper_is_for_vaults(const struct keeper_keys *keys, rf_str audience);
/* A claim as a word of the log: letters, digits and dashes as they are, others are "-". */
void keeper_who_word(rf_str from, char out[KEEPER_WHO_BYTES]);
/* keeper_verbs.c: the host of "https://host[:port]/..." */
bool keeper_url_host(rf_str url, rf_str *host);

/* ---- keeper_vault_cache.c: keys that are ready for use --------------------------------------------------------------------------------- */

/* OpenSSL's memory of a key is in the secret heap, whose size keeper_process.c sets: some 9 KiB of an RSA-2048 key, 15 of RSA-4096. When that is full
 * the cache is emptied. Keys of vaults and items are not kept: to open one takes as long as to find it. */
enum { KEEPER_KEYS_READY = 2048, KEEPER_KEYS_WAYS = 8 };
struct keeper_ready {
    uint8_t id[SHA256_BYTES]; /* of item, and sealed bytes */
    struct seal_key *key;     /* NULL: the place is empty */
    struct seal_head head;
    uint64_t used;
    uint32_t refs;
};
struct keeper_cache {
    pthread_mutex_t lock;
    uint64_t clock;
    struct keeper_ready ready[KEEPER_KEYS_READY];
};
/* The key of these sealed bytes; NULL: it is not there. keeper_cache_give_back when it was used. */
struct keeper_ready *keeper_cache_find(struct keeper_cache *cache, const uint8_t id[SHA256_BYTES]);
/* Keeps it, and gives it in use; NULL: all places are in use, and the key stays the caller's. */
struct keeper_ready *keeper_cache_put(struct keeper_cache *cache, const uint8_t id[SHA256_BYTES],
                                      struct seal_key *key, const struct seal_head *head);
void keeper_cache_give_back(struct keeper_cache *cache, struct keeper_ready *ready);
/* Frees what is not in use: for memory. */
void keeper_cache_shrink(struct keeper_cache *cache);

/* ---- keeper_data.c: keys of tables and hubs ------------------------------------------------------------------------------------------------ */

struct keeper_vault;
RF_MUST_USE enum rf_kind keeper_data_handle(struct keeper_vault *vault,
                                            const struct keeper_request *request,
                                            struct rf_arena *arena, struct keeper_answer *answer,
                                            uint64_t *line, struct rf_err *err);
RF_MUST_USE enum rf_kind keeper_data_unwrap(struct keeper_vault *vault, rf_str wrapped,
                                            uint8_t key[SEAL_KEY_BYTES], struct rf_err *err);

/* ---- keeper_rewrap.c: keys under older roots ------------------------------------------------------------------------------------------------- */

struct keeper_rewrap {
    pthread_mutex_t lock;
    uint32_t newest;           /* when the turn that is under way began; 0: none is */
    bool told;                 /* its line is written */
    uint64_t moved;            /* rewrapped since */
    struct keeper_found found; /* what the server told last; newest 0: nothing yet */
    uint32_t clean, clean_newest;
    _Atomic uint64_t wanted; /* times that something under a retired generation was asked for */
};
RF_MUST_USE enum rf_kind keeper_rewrap_handle(struct keeper_vault *vault,
                                              const struct keeper_request *request,
                                              struct rf_arena *arena, struct keeper_answer *answer,
                                              uint64_t *line, struct rf_err *err);
/* Notes that the key with this id ("data", "vault") was wrapped under a generation. */
RF_MUST_USE enum rf_kind keeper_rewrap_note(struct keeper_vault *vault, const char *label,
                                            const uint8_t id[SEAL_ID_BYTES], uint32_t generation,
                                            struct rf_err *err);
/* Why a key that names this generation does not open: RF_DENIED SealGeneration, or else SealBroken with `text`. */
RF_MUST_USE enum rf_kind keeper_rewrap_refuse(struct keeper_vault *vault, uint32_t generation,
                                              const char *text, struct rf_err *err);
/* For people: what is under which generation; a text of lines. */
void keeper_rewrap_describe(struct keeper_vault *vault, char *out, size_t cap);
/* Whether nothing needs the generations up to `through` any more. RF_CONFLICT RewrapUnfinished; GenerationNeeded: by the keeper's books, unless `anyway`. */
RF_MUST_USE enum rf_kind keeper_rewrap_done(struct keeper_vault *vault, uint32_t through,
                                            bool anyway, struct rf_err *err);

/* ---- keeper_vault.c ----------------------------------------------------------------------------------------------------------------------- */

enum {
    KEEPER_RATE_PLACES = 4096,
    KEEPER_USES_PER_SECOND = 20000,
    KEEPER_FAILURES_PER_SECOND = 50,
    KEEPER_MAKING_MAX = 4, /* keys at one time */
    KEEPER_WORKERS_MIN = 2 * KEEPER_MAKING_MAX
};
struct keeper_rate {
    _Atomic int64_t second;
    _Atomic uint32_t uses, failures;
};
struct keeper_vault {
    struct keeper_keys *keys;
    struct keeper_floors floors;
    struct keeper_tokens tokens;
    struct keeper_cache cache;
    struct keeper_rate rates[KEEPER_RATE_PLACES];
    _Atomic uint32_t making; /* keys, just now */
    struct keeper_rewrap rewrap;
};
/* Takes `fd`, of the file keeper/vault; `folder` is the keeper's. */
RF_MUST_USE enum rf_kind keeper_vault_open(struct keeper_vault *vault, struct keeper_keys *keys,
                                           int folder, int fd, struct rf_err *err);
void keeper_vault_done(struct keeper_vault *vault);
/* The key that wraps what of this step is wrapped by a root, under the root of this generation; false: there is none. */
bool keeper_root_wrap(const struct keeper_vault *vault, enum seal_step step, uint32_t generation,
                      uint8_t key[SEAL_KEY_BYTES]);
/* keeper_vault_work.c: a vault's key. RF_DENIED SealBroken, SealGeneration. */
RF_MUST_USE enum rf_kind keeper_vault_unwrap(struct keeper_vault *vault, const uint8_t *vault_id,
                                             rf_str wrapped, uint8_t key[SEAL_KEY_BYTES],
                                             struct rf_err *err);
/* Ids of the file keeper/vault (the first half of `out`): those of different labels never meet. `b` may be NULL. */
void keeper_floor_id(const char *label, const uint8_t *a, const uint8_t *b, uint8_t out[32]);
/* Hex digits and a zero byte. */
void keeper_hex(const uint8_t *bytes, size_t len, char *out);
/* Answers a verb of vaults. *line: the line of the audit log that must be on the disk before the answer goes; 0: none. *who: whose token was checked, also when it is
 * refused; "-" when none was. */
RF_MUST_USE enum rf_kind keeper_vault_handle(struct keeper_vault *vault,
                                             const struct keeper_request *request,
                                             struct rf_arena *arena, struct keeper_answer *answer,
                                             uint64_t *line, struct keeper_who *who,
                                             struct rf_err *err);
/* For the line of a request that was refused: "oid ... item ... version ...", what of it can be told. */
void keeper_vault_describe(const struct keeper_request *request, const struct keeper_who *who,
                           char *out, size_t cap);

#endif
