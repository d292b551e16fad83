/* listeners.h - which certificate each listener shows: the server's own, or one of a vault that it is bound to (crypt/keeper_listener.h). A thread looks each second, so
 * that a new version is shown within two; connections go on with what they began with. When the vault gives none that holds (deleted, disabled,
 * expired), the last one stays, and at a start the own one is shown; a line of the log says why, and `ringfort doctor` does. */
#ifndef RF_LISTENERS_H
#define RF_LISTENERS_H

#include "net/tls.h"
#include "vault/vault.h"

struct listeners;
/* Borrows all; `https` and `streams` show the server's own certificate yet. */
struct listeners_options {
    struct keeper *keeper;
    struct vaults *vaults;
    struct tls_context *https, *streams;
    rf_str own_chain; /* copied */
};
/* Looks once, then begins the thread. */
RF_MUST_USE enum rf_kind listeners_start(const struct listeners_options *options,
                                         struct listeners **out, struct rf_err *err);
/* The own certificate was renewed: for those that show it. */
RF_MUST_USE enum rf_kind listeners_own(struct listeners *listeners, rf_str own_chain,
                                       struct rf_err *err);
/* Looks now, such as for a keeper that was started anew. NULL is fine. */
void listeners_look(struct listeners *listeners);
void listeners_stop(struct listeners *listeners); /* frees; NULL is fine */

#endif
