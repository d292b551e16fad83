/* keeper.h - what the server may ask of the keeper, the process that holds the root key and every private key
 * (DESIGN-HARDENING). No call gives a private key or the root key.
 *
 * One connection (SOCK_SEQPACKET), shared by all threads: calls overlap, answers are matched by number. A call fails with
 * RF_AGAIN KeeperGone while the keeper is away (it is being restarted; the supervisor passes a new connection with
 * keeper_reconnect), and with RF_AGAIN KeeperSlow after 5 s, that of a handshake after 1 s. A keeper that has sent nothing at all while
 * calls waited for 5 s (30 s when it was asked for a new key) hangs: its connection is ended, so that nobody else waits for it.
 * Messages: crypt/keeper_wire.h. */
#ifndef RF_KEEPER_H
#define RF_KEEPER_H

#include "base/clock.h"
#include "base/rf.h"

struct keeper;
/* Takes the descriptor. */
RF_MUST_USE enum rf_kind keeper_connect(int fd, struct keeper **out, struct rf_err *err);
/* The keeper was started anew: from now on calls go to this descriptor (taken). */
void keeper_reconnect(struct keeper *keeper, int fd);
/* What is to be done when the keeper hangs, such as asking for another: once for each connection, from the thread of the call that
 * found out. NULL: nothing. */
typedef void keeper_hung(void *ctx);
void keeper_on_hung(struct keeper *keeper, keeper_hung *hung, void *ctx);
/* Takes the keeper for one that hangs. Nothing when its connection has ended already. */
void keeper_give_up(struct keeper *keeper);
/* Ends; no call may be under way. */
void keeper_free(struct keeper *keeper);
/* For tests: another patience than 5 s. */
void keeper_set_patience(struct keeper *keeper, int64_t usec);

/* While the root key is sealed, for the server: a request of keeper_seal_talk.h and its reply, in `arena`. */
RF_MUST_USE enum rf_kind keeper_unseal(struct keeper *keeper, rf_str text, struct rf_arena *arena,
                                       rf_str *reply, struct rf_err *err);

/* Public facts: the chain for TLS (leaf first) and the authority's certificate, PEM. In `arena`. */
RF_MUST_USE enum rf_kind keeper_tls_chain(struct keeper *keeper, struct rf_arena *arena,
                                          rf_str *chain_pem, rf_str *ca_pem, struct rf_err *err);
/* Public halves of the token-signing keys, newest last; `signing` is the one that keeper_jwt_sign uses now. */
struct keeper_jwt_key {
    rf_str kid;          /* base64url SHA-1 of cert */
    rf_str cert;         /* DER */
    rf_usec from, until; /* tokens are signed with it in this time; it verifies for longer */
    bool signing;
};
RF_MUST_USE enum rf_kind keeper_jwt_keys(struct keeper *keeper, struct rf_arena *arena,
                                         struct keeper_jwt_key **keys, uint32_t *count,
                                         struct rf_err *err);
/* Makes the next signing key now: it is published at once and signs from 24 h on (when the next one is published already, nothing
 * changes). With `emergency` it signs at once and the old ones verify no longer. */
RF_MUST_USE enum rf_kind keeper_jwt_rotate(struct keeper *keeper, bool emergency,
                                           struct rf_err *err);
/* Signs a digest for a TLS handshake with the key (P-256) of the certificate whose DER has the SHA-256 `leaf`; NULL: of the newest. DER of at most `cap`
 * bytes. An older certificate's key signs for an hour after it was renewed: RF_NOT_FOUND KeyGone then. */
RF_MUST_USE enum rf_kind keeper_tls_sign(struct keeper *keeper, const uint8_t *leaf, rf_str digest,
                                         uint8_t *out, size_t cap, size_t *len, struct rf_err *err);
/* RS256 over "header.claims". The keeper reads the claims: iss must be of the authority that it was started for, exp at most
 * 25 h ahead, header.kid the signing key's. The signature is in `arena`. */
RF_MUST_USE enum rf_kind keeper_jwt_sign(struct keeper *keeper, rf_str signing_input,
                                         struct rf_arena *arena, rf_str *signature,
                                         struct rf_err *err);
/* Who proves to know a secret gets a token, in one message instead of two: keeper_mac of `bytes` is compared (in the same time
 * whichever it is) with `macs`, and only when it is one of them the input is signed, as keeper_jwt_sign does. *match is that one's
 * index; KEEPER_NO_MATCH: nothing was signed, *signature is empty. RF_LIMIT MessageTooLarge when they do not fit in 64 KiB. */
enum { KEEPER_MAC_BYTES = 32 };
#define KEEPER_NO_MATCH UINT64_MAX
struct keeper_proof {
    const char *purpose;
    rf_str bytes;
    rf_str macs; /* KEEPER_MAC_BYTES each */
};
RF_MUST_USE enum rf_kind keeper_jwt_sign_if(struct keeper *keeper, const struct keeper_proof *proof,
                                            rf_str signing_input, struct rf_arena *arena,
                                            uint64_t *match, rf_str *signature, struct rf_err *err);
/* Purposes whose MACs are stored for as long as what they verify: they do not change with the root. */
#define KEEPER_MAC_SECRET "client-secret"
#define KEEPER_MAC_PASSWORD "password"
/* HMAC-SHA256 of `bytes` under a key that belongs to `purpose` and stays in the keeper: verifiers of client secrets. */
RF_MUST_USE enum rf_kind keeper_mac(struct keeper *keeper, const char *purpose, rf_str bytes,
                                    uint8_t out[32], struct rf_err *err);
/* The certificate of the authority over devices (DER, in `arena`), made at first use. */
RF_MUST_USE enum rf_kind keeper_device_authority(struct keeper *keeper, struct rf_arena *arena,
                                                 rf_str *der, struct rf_err *err);
/* A certificate for a device, in DER. The keeper builds all of it itself but for name and key, which it checks (crypt/device.h), and
 * leaves a line of its audit log. RF_INVALID BadName, BadRequest. */
struct device_order;
RF_MUST_USE enum rf_kind keeper_device_issue(struct keeper *keeper,
                                             const struct device_order *order,
                                             struct rf_arena *arena, rf_str *der,
                                             struct rf_err *err);
/* The key under which the tables of this installation are encrypted (32 bytes, derived from the root key). */
RF_MUST_USE enum rf_kind keeper_store_key(struct keeper *keeper, uint8_t out[32],
                                          struct rf_err *err);

/* How the keeper does, by its own word: no other process may look into it. */
struct keeper_state {
    int64_t pid;
    rf_usec started;     /* UTC */
    rf_usec cpu;         /* processor time since then */
    uint64_t peak_bytes; /* of memory, at the most so far */
    uint64_t lines,
        records; /* of its audit log and of its file of keys that the head on the disk counts */
    uint8_t head[32]; /* the audit log's chain at that line (SHA-256) */
};
RF_MUST_USE enum rf_kind keeper_state(struct keeper *keeper, struct keeper_state *out,
                                      struct rf_err *err);

/* Keys of what the server encrypts itself, each its own: of a table, of a hub. They lie with the data, wrapped under the root key; who has the data alone
 * can read nothing, and once destroyed a key opens no copy of the data any more. `label`, of 1 to 64 letters, digits, dots and dashes, says
 * in the log what it is for ("table"). */
enum { KEEPER_DATA_KEY_BYTES = 84 /* wrapped: 16 of id, then a wrapped key of vault_seal.h */ };
RF_MUST_USE enum rf_kind keeper_data_key_new(struct keeper *keeper, const char *label,
                                             uint8_t wrapped[KEEPER_DATA_KEY_BYTES],
                                             uint8_t key[32], struct rf_err *err);
/* RF_DENIED SealBroken (it was changed, or is of another installation), SealDestroyed. */
RF_MUST_USE enum rf_kind keeper_data_key_open(struct keeper *keeper, rf_str wrapped,
                                              uint8_t key[32], struct rf_err *err);
/* `proof`, in `arena`, names the line of the keeper's audit log that tells of it. */
RF_MUST_USE enum rf_kind keeper_data_key_destroy(struct keeper *keeper, rf_str wrapped,
                                                 const char *label, struct rf_arena *arena,
                                                 rf_str *proof, struct rf_err *err);

/* ---- after a rotation of the root: the same keys under the newest generation (docs/sealing.md) --------------------------------------------- */

enum { KEEPER_GENERATIONS_MAX = 16, KEEPER_WRAPPED_BYTES_MAX = KEEPER_DATA_KEY_BYTES };
/* A wrapped key, of the vault with the id of 16 bytes, or of data (`vault_id` NULL), under the newest root, into `out`, which has as many bytes; one that is so already comes back
 * as it was. RF_DENIED SealBroken (it was changed, or belongs elsewhere), SealDestroyed, SealGeneration (its generation is retired or dropped). */
RF_MUST_USE enum rf_kind keeper_rewrap(struct keeper *keeper, const uint8_t *vault_id,
                                       rf_str wrapped, uint8_t out[KEEPER_WRAPPED_BYTES_MAX],
                                       struct rf_err *err);
/* What lies with the server: how many keys under the newest generation (first), the one before, and so on; the last also counts those further back. */
struct keeper_found {
    uint32_t newest;
    uint64_t under[KEEPER_GENERATIONS_MAX];
    uint64_t unread; /* of those that could not be read, or not be replaced */
};
struct keeper_generations {
    uint32_t newest, first,
        kept; /* those before `first` open nothing, those before `kept` are gone */
    uint32_t
        clean; /* turns since the last rotation, one after the other, that found nothing under older ones */
};
/* The server goes through all it has in turns: begins, tells how far it is, ends. `found` may be NULL but in the last two. */
enum keeper_turn { KEEPER_TURN_ASK, KEEPER_TURN_BEGIN, KEEPER_TURN_TELL, KEEPER_TURN_END };
RF_MUST_USE enum rf_kind keeper_rewrap_turn(struct keeper *keeper, enum keeper_turn what,
                                            const struct keeper_found *found,
                                            struct keeper_generations *out, struct rf_err *err);

#endif
