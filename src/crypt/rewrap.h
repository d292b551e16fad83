/* rewrap.h - a sweep over wrapped keys after a rotation of the root (docs/sealing.md): who keeps them shows each, and stores what comes back in its place if nothing
 * changed meanwhile. One thread. */
#ifndef RF_REWRAP_H
#define RF_REWRAP_H

#include <stdatomic.h>

#include "crypt/keeper.h"

struct rewrap_sweep {
    struct keeper *keeper;
    uint32_t newest;         /* the root's generation when it began */
    bool moves;              /* else it only counts */
    const atomic_bool *stop; /* hurries it; NULL: nothing */
    /* Called now and then by rewrap_settle; NULL: nothing. */
    void (*moved)(void *ctx, struct rewrap_sweep *sweep);
    void *ctx;
    /* Results. */
    struct keeper_found found;
    uint64_t moved_count, shown;
};
struct rewrapped {
    uint8_t bytes[KEEPER_WRAPPED_BYTES_MAX];
    size_t len;
    unsigned age;  /* generations behind the newest that it was */
    bool is_other; /* than what was shown: it is to be stored, and told by rewrap_settle */
};
/* Shows a wrapped key: of the vault with the id of 16 bytes, or of data (NULL). A key that cannot be rewrapped is counted, logged with `what` (for people) and no error. It
 * waits a little now and then. RF_CANCELLED RewrapStopped, RF_AGAIN KeeperGone, KeeperSlow: the sweep is to end. */
RF_MUST_USE enum rf_kind rewrap_show(struct rewrap_sweep *sweep, const uint8_t *vault_id,
                                     rf_str wrapped, rf_str what, struct rewrapped *out,
                                     struct rf_err *err);
/* What came back lies in its place now (`failed` NULL), or it could not be stored, or was changed meanwhile, which is no fault: EtagMismatch, ObjectNotFound. */
void rewrap_settle(struct rewrap_sweep *sweep, const struct rewrapped *one, rf_str what,
                   const struct rf_err *failed);
/* Something that should hold a wrapped key cannot be read. */
void rewrap_unread(struct rewrap_sweep *sweep, rf_str what, const struct rf_err *err);

#endif
