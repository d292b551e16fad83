/* keeper_listener.h - listeners of the server that show a certificate of a vault.
 *
 * The key of a vault's certificate is used by nobody without a caller's token. A listener has no caller: so somebody who may use the key binds the listener to it once, by
 * his token. The binding stands in the keeper's own file, sealed, and in its audit log; it names vault and item, not a version. From then on the server may show the
 * keeper versions of this item, each with its certificate, and the keeper signs by them what a server signs in a handshake (crypt/tls_message.h), and nothing else.
 * A version older than one that was shown is refused (SealRolledBack). */
#ifndef RF_KEEPER_LISTENER_H
#define RF_KEEPER_LISTENER_H

#include "crypt/vault_seal.h"

enum keeper_listener { KEEPER_LISTENER_HTTPS = 1, KEEPER_LISTENER_STREAMS, KEEPER_LISTENER_END };
enum {
    LISTENER_LABEL_BYTES_MAX = 300,
    LISTENER_LEAF_BYTES = 32 /* SHA-256 of a certificate's DER */
};
/* "https", "streams" */
const char *keeper_listener_name(enum keeper_listener listener);
/* False: there is none of this name. */
bool keeper_listener_find(rf_str name, enum keeper_listener *out);

/* Binds, in place of what was bound: `ring` and `sealed` are of the key behind the certificate, which must be for signing, RSA, P-256, P-384 or P-521.
 * `label` ("vault://VAULT/CERTIFICATE", printable ASCII) is kept for people. Errors as of vault_seal.h. */
RF_MUST_USE enum rf_kind keeper_listener_bind(struct keeper *keeper, rf_str token,
                                              enum keeper_listener listener,
                                              const struct seal_ring *ring, rf_str sealed,
                                              rf_str label, struct rf_err *err);
/* Ends it: no version is taken any more, and what was taken signs for KEEPER_LISTENER_GRACE_SECONDS, until the listener shows another. RF_NOT_FOUND NotBound. */
enum { KEEPER_LISTENER_GRACE_SECONDS = 15 };
RF_MUST_USE enum rf_kind keeper_listener_unbind(struct keeper *keeper, rf_str token,
                                                enum keeper_listener listener, struct rf_err *err);
/* Without a token, as it tells nothing that the server does not know. */
struct keeper_bound {
    bool is_bound;
    uint8_t vault_id[SEAL_ID_BYTES], item_id[SEAL_ID_BYTES];
    rf_str label;   /* in the arena */
    bool is_in_use; /* one was shown since the keeper started: the one with this digest */
    uint8_t leaf[LISTENER_LEAF_BYTES];
};
RF_MUST_USE enum rf_kind keeper_listener_get(struct keeper *keeper, enum keeper_listener listener,
                                             struct rf_arena *arena, struct keeper_bound *out,
                                             struct rf_err *err);
/* Shows the version that counts now, and the certificate (DER) for its key; cheap when it is the one that is in use. RF_DENIED NotBound (or bound to another item), and what
 * vault_seal.h has; RF_INVALID SealArgument: the certificate is not for this key, or does not hold now. What was in use stays so. */
RF_MUST_USE enum rf_kind keeper_listener_show(struct keeper *keeper, enum keeper_listener listener,
                                              const struct seal_ring *ring, rf_str sealed,
                                              rf_str certificate, struct rf_err *err);
/* The vault gives no version now that could be shown: for people who ask the keeper how listeners are. */
RF_MUST_USE enum rf_kind keeper_listener_none(struct keeper *keeper, enum keeper_listener listener,
                                              struct rf_err *err);
/* Signs what a server signs in a handshake, by the key of the certificate with this digest, which was shown, as the newest or within the hour. `scheme`: enum tls_scheme.
 * RF_NOT_FOUND KeyGone: it must be shown (again); RF_DENIED NotHandshake: the message is no such. At most `cap` bytes. */
RF_MUST_USE enum rf_kind keeper_listener_sign(struct keeper *keeper,
                                              const uint8_t leaf[LISTENER_LEAF_BYTES],
                                              unsigned scheme, rf_str message, uint8_t *out,
                                              size_t cap, size_t *len, struct rf_err *err);

#endif
