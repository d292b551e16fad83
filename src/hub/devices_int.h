/* devices_int.h - the devices of a namespace: their documents (types_devices.c), what of them is in memory for whoever checks rights
 * (devices.c), and how they come to certificates (enrol.c, http_est.c).
 *
 * A certificate is good when the installation's authority over devices issued it and its serial stands in the device's own document: what
 * was revoked, or issued and never written down, is not there. One of a vault's authority (device_issuer.h) stands there with its SHA-256. */
#ifndef RF_HUB_DEVICES_INT_H
#define RF_HUB_DEVICES_INT_H

#include "crypt/device.h"
#include "hub/device_issuer.h"
#include "hub/types_doc.h"

enum {
    DEVICE_GOOD_MAX = 4, /* valid certificates of a device: with the fifth the oldest goes */
    DEVICE_KEPT_MAX =
        16, /* certificates in its document, revoked ones among them, until they expire */
    DEVICE_CODE_MINUTES = 15,
    DEVICE_CODE_MINUTES_MAX = 24 * 60,
};
#define DEVICES_TYPE "Microsoft.EventHub/namespaces/devices"

/* ---- in memory (devices.c). Any thread ------------------------------------------------------------------------------- */

struct device_certificate {
    rf_str serial; /* cert_info.serial */
    rf_usec until;
    rf_str issuer,
        thumbprint; /* of a vault's authority, and the certificate's SHA-256 in hex; empty: the installation's own */
};
struct device_facts {
    rf_str name;
    rf_str hubs; /* a blank around each, lower case */
    bool is_revoked;
    const struct device_certificate *certificates; /* those that are not revoked */
    uint32_t count;
};
/* What its document says from now on. False: no memory; then it is not known, so nothing that it shows is taken. */
bool hub_devices_put(struct hub_namespace *space, const struct device_facts *facts);
void hub_devices_drop(struct hub_namespace *space, rf_str name);
void hub_devices_free(struct hub_types *types);
/* Whether the certificate stands for the device. RF_DENIED PublisherRevoked: it does not, or no longer. `hub` (ptr NULL: any): RF_DENIED
 * Unauthorized when the device is not registered for it. */
RF_MUST_USE enum rf_kind hub_devices_check(struct hub_namespace *space, rf_str name, rf_str serial,
                                           rf_str hub, struct rf_err *err);

/* Whether the device has a certificate with this SHA-256 (lower-case hex) of an authority of a vault; *issuer in `arena`. */
bool hub_devices_issuer(struct hub_namespace *space, rf_str name, rf_str thumbprint,
                        struct rf_arena *arena, rf_str *issuer);
/* The device that has this certificate of a vault's authority; *name in `arena`. */
bool hub_devices_find_issued(struct hubs *hubs, rf_str issuer, rf_str serial,
                             struct rf_arena *arena, struct hub_namespace **space, rf_str *name);

/* device_issuer.c. RF_INVALID NoAuthority: there are no vaults. */
RF_MUST_USE enum rf_kind device_issuer_need(const struct hubs *hubs,
                                            const struct device_issuer **out, struct rf_err *err);

/* ---- documents (types_devices.c) -------------------------------------------------------------------------------------- */

rf_str device_id(const struct hub_namespace *space, rf_str name, struct rf_arena *arena);
/* Adds a certificate to a document, and takes away what has no place in it any more. */
RF_MUST_USE enum rf_kind device_add_certificate(struct rf_arena *arena, struct json_node *body,
                                                rf_str der, rf_str issuer, rf_usec now,
                                                struct rf_err *err);
/* Revokes one of its certificates, by the program itself. */
RF_MUST_USE enum rf_kind device_end_certificate(struct hub_namespace *space, rf_str name,
                                                rf_str serial, struct rf_arena *arena,
                                                struct rf_err *err);
bool device_is_revoked(const struct json_node *body);

/* ---- certificates (enrol.c) ------------------------------------------------------------------------------------------- */

struct device_issued {
    rf_str name;
    rf_str der, authority; /* DER */
};
/* By what it is allowed: an operator who may (principal), a one-time code, or a certificate that the device still has. */
struct device_leave {
    const struct principal *principal;
    rf_str code;   /* empty: none */
    rf_str serial; /* of the certificate; empty: none */
};
/* Issues a certificate and writes it down. RF_NOT_FOUND ResourceNotFound; RF_DENIED EnrolmentRefused; RF_CONFLICT DeviceRevoked; RF_INVALID
 * BadRequest. On a worker. */
RF_MUST_USE enum rf_kind device_enrol(struct hub_namespace *space, rf_str name, rf_str csr,
                                      const struct device_leave *leave, struct rf_arena *arena,
                                      struct device_issued *out, struct rf_err *err);
/* A code that is good once, for so long; an earlier one of the device is void. Only its digest is kept: state, space "hub.enrolment". */
RF_MUST_USE enum rf_kind device_code_make(struct hub_namespace *space, rf_str name, rf_usec expires,
                                          struct rf_arena *arena, rf_str *code, struct rf_err *err);
RF_MUST_USE enum rf_kind device_code_drop(struct state_txn *txn, rf_str id, struct rf_err *err);

#endif
