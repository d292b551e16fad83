#include "crypt/rewrap.h"

#include <string.h>
#include <time.h>

#include "base/log.h"
#include "crypt/vault_seal.h"

/* Little load. */
enum { SHOWN_PAUSE = 16, PAUSE_NSEC = 2000000, BUSY_TRIES = 500 };

static void pause_a_little(void)
{
    struct timespec pause = {.tv_nsec = PAUSE_NSEC};
    (void)nanosleep(&pause, NULL);
}

static void log_failed(rf_str what, const struct rf_err *err)
{
    rf_log(RF_WARN, "rewrap.failed", RF_KV_STR("of", what), RF_KV_STR("code", rf_str_of(err->code)),
           RF_KV_STR("why", rf_str_of(err->text)));
}

void rewrap_unread(struct rewrap_sweep *sweep, rf_str what, const struct rf_err *err)
{
    sweep->found.unread++;
    if (sweep->moves) log_failed(what, err);
}

static bool ends_sweep(enum rf_kind kind)
{
    return kind == RF_AGAIN || kind == RF_CANCELLED || kind == RF_LIMIT;
}

/* The keeper has had enough of them in this second. */
static bool is_busy(enum rf_kind kind, const struct rf_err *why)
{
    bool busy = kind == RF_LIMIT && strcmp(why->code, "TooManyRequests") == 0;
    if (busy) pause_a_little();
    return busy;
}

static enum rf_kind move(struct rewrap_sweep *sweep, const uint8_t *vault_id, rf_str wrapped,
                         rf_str what, struct rewrapped *out, struct rf_err *err)
{
    struct rf_err why = {0};
    enum rf_kind kind;
    int tries = 0;
    do kind = keeper_rewrap(sweep->keeper, vault_id, wrapped, out->bytes, &why);
    while (is_busy(kind, &why) && tries++ < BUSY_TRIES);
    if (ends_sweep(kind)) {
        if (err != NULL) *err = why;
        return kind;
    }
    /* Nobody opens it any more: what is left of it is being removed. */
    if (kind == RF_DENIED && strcmp(why.code, "SealDestroyed") == 0) return RF_OK;
    if (kind != RF_OK) {
        sweep->found.under[out->age]++;
        if (out->age == 0) sweep->found.unread++;
        log_failed(what, &why);
        return RF_OK;
    }
    out->is_other = memcmp(out->bytes, wrapped.ptr, wrapped.len) != 0;
    if (!out->is_other) sweep->found.under[0]++;
    return RF_OK;
}

enum rf_kind rewrap_show(struct rewrap_sweep *sweep, const uint8_t *vault_id, rf_str wrapped,
                         rf_str what, struct rewrapped *out, struct rf_err *err)
{
    size_t wanted = vault_id == NULL ? KEEPER_DATA_KEY_BYTES : WRAPPED_KEY_BYTES;
    out->is_other = false;
    out->len = wrapped.len;
    if (sweep->stop != NULL && atomic_load(sweep->stop))
        return RF_FAIL(err, RF_CANCELLED, "RewrapStopped", "the server ends");
    if (wrapped.len != wanted) {
        struct rf_err why = {.code = "KeyDamaged", .text = "a wrapped key has another length"};
        rewrap_unread(sweep, what, &why);
        return RF_OK;
    }
    uint32_t generation = rf_get_u32le(wrapped.ptr + wanted - WRAPPED_KEY_BYTES + 4);
    uint32_t behind = sweep->newest - RF_MIN(generation, sweep->newest);
    out->age = RF_MIN(behind, (uint32_t)KEEPER_GENERATIONS_MAX - 1);
    if (!sweep->moves) {
        sweep->found.under[out->age]++;
        return RF_OK;
    }
    if (++sweep->shown % SHOWN_PAUSE == 0) pause_a_little();
    return move(sweep, vault_id, wrapped, what, out, err);
}

void rewrap_settle(struct rewrap_sweep *sweep, const struct rewrapped *one, rf_str what,
                   const struct rf_err *failed)
{
    sweep->found.under[failed == NULL ? 0 : one->age]++;
    if (failed == NULL) {
        sweep->moved_count++;
        pause_a_little(); /* it was synced */
    } else if (failed->kind != RF_CONFLICT && failed->kind != RF_NOT_FOUND) {
        log_failed(what, failed);
    }
    if (sweep->moved != NULL) sweep->moved(sweep->ctx, sweep);
}
