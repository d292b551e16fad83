/* device_issuer.h - an authority outside of the hubs that issues certificates of devices: one of a vault ("vault://VAULT/ISSUER", the device's `certificateIssuer`). A
 * certificate of its is good when the device's own document has it, by its SHA-256, and the authority has not revoked it. */
#ifndef RF_HUB_DEVICE_ISSUER_H
#define RF_HUB_DEVICE_ISSUER_H

#include "crypt/device.h"
#include "hub/hub.h"

enum { DEVICE_ISSUER_BYTES_MAX = 300 };
/* Any thread; all in `arena`. Serial numbers as of cert_info. */
struct device_issuer {
    void *ctx;
    /* Whether the caller may have certificates issued by it; within arm's transaction. RF_DENIED, RF_NOT_FOUND, RF_INVALID. */
    enum rf_kind (*may)(void *ctx, struct state_txn *txn, const struct principal *principal,
                        rf_str issuer, struct rf_arena *arena, struct rf_err *err);
    /* DER; the authority's own is the one that the certificate names as its issuer. */
    enum rf_kind (*issue)(void *ctx, rf_str issuer, const struct device_order *order,
                          struct rf_arena *arena, rf_str *der, rf_str *authority,
                          struct rf_err *err);
    /* RF_DENIED PublisherRevoked: it was revoked, or the authority is gone. */
    enum rf_kind (*holds)(void *ctx, rf_str issuer, rf_str serial, struct rf_arena *arena,
                          struct rf_err *err);
    /* One that is revoked already is fine. */
    enum rf_kind (*revoke)(void *ctx, rf_str issuer, rf_str serial, struct rf_arena *arena,
                           struct rf_err *err);
};
/* Before the first request. Borrowed; lives as long as requests run. */
void hubs_set_device_issuer(struct hubs *hubs, const struct device_issuer *issuer);
/* The authority has revoked it: the device's document says so too, and what is open by it ends. Outside of transactions. */
void hubs_device_revoked(struct hubs *hubs, rf_str issuer, rf_str serial);

#endif
