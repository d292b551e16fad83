/* keeper_desk.h - what the keeper's verbs (keeper_verbs.c) and its threads that serve (keeper_core.c) share. */
#ifndef RF_KEEPER_DESK_H
#define RF_KEEPER_DESK_H

#include "crypt/keeper_vault.h"
#include "crypt/secret.h"

enum { KEEPER_TOLD_PLACES = 4096 };

struct bucket {
    _Atomic int64_t window; /* which second */
    _Atomic uint32_t used;
};

/* Refusals of this second beyond those that have lines of their own (keeper_refuse.c). */
enum { REFUSAL_KINDS_MAX = 16 };
struct refusal_kind {
    enum keeper_verb verb;
    const char *code; /* static */
    struct keeper_who who;
    bool mixed; /* others are counted here too */
    uint64_t count;
};
struct keeper_refusals {
    pthread_mutex_t lock;
    int64_t second;
    uint32_t told, kind_count;
    struct refusal_kind kinds[REFUSAL_KINDS_MAX];
    atomic_bool waiting; /* there are kinds to tell */
};

struct keeper_core {
    struct rf_secret memory; /* where this lies */
    struct keeper_keys keys;
    struct keeper_vault vault;
    struct rf_clock *clock;
    rf_usec started;
    struct bucket rates[KEEPER_VERB_END], vault_tokens;
    struct keeper_refusals refusals;
    /* Whom a token for vaults was signed for, and in which minute. */
    _Atomic uint64_t told[KEEPER_TOLD_PLACES];
    pthread_mutex_t posts_lock;
    struct keeper_post *posts; /* one for each connection */
};

/* OpenSSL 3 takes a tenth of a signature's time to set one up, so a thread keeps what it made. */
struct signer {
    EVP_PKEY *key; /* counted, so that no other comes to lie at its address; NULL: none */
    EVP_PKEY_CTX *ctx;
};

void keeper_signer_drop(struct signer *signer);

/* What a thread needs to answer; kept from request to request. */
struct desk {
    struct keeper_core *core;
    struct keeper_post *post;
    uint8_t inbox[KEEPER_MESSAGE_BYTES_MAX + 1], outbox[KEEPER_MESSAGE_BYTES_MAX];
    uint8_t secret[KEEPER_SECRET_BYTES]; /* of the answer; wiped after it */
    struct rf_arena arena;
    struct signer tls, jwt;
    uint64_t line; /* of the request at hand; 0: none that must be on the disk before the answer */
    struct keeper_who who; /* of the request at hand, once its token was checked */
};

/* Signs a digest. */
RF_MUST_USE enum rf_kind keeper_desk_sign(struct desk *desk, struct signer *signer, EVP_PKEY *key,
                                          rf_str digest, rf_str *out, struct rf_err *err);
/* Answers a request; views of the desk's memory. */
void keeper_desk_answer(struct desk *desk, const struct keeper_request *request,
                        struct keeper_answer *answer);

/* ---- keeper_refuse.c: lines of what was refused ------------------------------------------------------------------------------ */

/* Counts a refusal. True: it is to have a line of its own, if it `may_tell` one. *line is set when lines of the second before were made. */
bool keeper_refusals_count(struct keeper_core *core, enum keeper_verb verb, bool may_tell,
                           const char *code, const struct keeper_who *who, uint64_t *line);
/* Writes what was counted in a second that is over, or at once; cheap when there is nothing. */
void keeper_refusals_settle(struct keeper_core *core, bool at_once);

/* ---- keeper_post.c: answers on their way out ------------------------------------------------------------------------------- */

struct held;
/* Of one connection; shared by the threads that serve it. */
struct keeper_post {
    struct keeper_post *next;
    int fd;
    struct keeper_audit *audit;
    uint32_t desks;
    pthread_mutex_t turn; /* held by the one that receives */
    pthread_mutex_t lock; /* over the rest */
    pthread_cond_t less;  /* there is room again */
    struct held *first, *last;
    uint32_t count;
    bool syncing; /* one of them sees to those that are held */
};
/* NULL for lack of memory. The last one that leaves drops what was not sent. */
struct keeper_post *keeper_post_enter(struct keeper_core *core, int fd);
void keeper_post_leave(struct keeper_core *core, struct keeper_post *post);
/* Sends, and wipes `message`. RF_AGAIN PeerGone. */
RF_MUST_USE enum rf_kind keeper_post_send(struct keeper_post *post, uint8_t *message, size_t len,
                                          struct rf_err *err);
/* Keeps an answer until its line is on the disk, and wipes `message`. */
RF_MUST_USE enum rf_kind keeper_post_hold(struct keeper_post *post,
                                          const struct keeper_answer *answer, uint64_t line,
                                          uint8_t *message, size_t len, struct rf_err *err);
/* Whether answers wait that nobody sees to; *due: they should wait no longer. Comes back only when there is room for another. */
bool keeper_post_waits(struct keeper_post *post, bool *due);
/* Syncs and sends until none are left, unless another thread does so. */
RF_MUST_USE enum rf_kind keeper_post_deliver(struct keeper_post *post, struct rf_err *err);

#endif
