/* sealed.h - what the server process does while the keeper's root key is sealed: HTTPS at the usual address under a certificate of its own, made anew
 * each time (the estate's is sealed), whose fingerprint is in the log.
 *
 *   GET /seal           {"sealed":true,"kind":"shares 3 of 5 (generation 1)","have":1,"wanted":3}
 *   PUT /seal/unseal    {"share":TEXT} or {"passphrase":TEXT}: the same answer, "sealed":false when that was the last one
 *   anything else       503 VaultSealed, Retry-After
 *
 * Who has a share proves by it that he may. The keeper slows down after failures. */
#ifndef RF_SEALED_H
#define RF_SEALED_H

#include "crypt/keeper.h"
#include "daemon/config.h"

struct sealed;
/* Listens. Errors as server_listen's. */
RF_MUST_USE enum rf_kind sealed_listen(const struct config *config, struct keeper *keeper,
                                       struct sealed **out, struct rf_err *err);
/* Serves, in threads of its own. */
RF_MUST_USE enum rf_kind sealed_start(struct sealed *sealed, struct rf_err *err);
void sealed_stop(struct sealed *sealed);

#endif
