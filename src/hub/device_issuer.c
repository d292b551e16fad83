#include "hub/device_issuer.h"

#include "base/log.h"
#include "hub/devices_int.h"

void hubs_set_device_issuer(struct hubs *hubs, const struct device_issuer *issuer)
{
    hub_types_of(hubs)->issuer = issuer;
}

enum rf_kind device_issuer_need(const struct hubs *hubs, const struct device_issuer **out,
                                struct rf_err *err)
{
    const struct hub_types *types = hub_types_of(hubs);
    if (types == NULL || types->issuer == NULL)
        return RF_FAIL(err, RF_INVALID, "NoAuthority",
                       "This installation has no vaults that could issue certificates of devices.");
    *out = types->issuer;
    return RF_OK;
}

void hubs_device_revoked(struct hubs *hubs, rf_str issuer, rf_str serial)
{
    enum { MEMORY_BYTES = 4 << 20 };
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct hub_namespace *space;
    rf_str name;
    struct rf_err err = {.code = ""};
    rf_arena_init(&arena, MEMORY_BYTES);
    if (hub_types_of(hubs) == NULL ||
        !hub_devices_find_issued(hubs, issuer, serial, &arena, &space, &name))
        return;
    if (device_end_certificate(space, name, serial, &arena, &err) != RF_OK)
        rf_log(RF_ERROR, "device.revocation_failed", RF_KV_STR("device", name),
               RF_KV_STR("serial", serial), RF_KV_STR("why", rf_str_of(err.text)));
}
