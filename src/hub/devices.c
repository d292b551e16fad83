/* devices.c - what of the devices' documents is in memory: a sorted array that every check of a right looks into. */
#include <stdlib.h>

#include "crypt/keeper.h"
#include "crypt/x509.h"
#include "hub/devices_int.h"

enum {
    SERIAL_CHARS_MAX = 40, /* 20 bytes are the most, RFC 5280, 4.1.2.2 */
    THUMBPRINT_CHARS = 64
};

struct hub_device {
    struct hub_namespace *space;
    char *name, *hubs;
    bool is_revoked;
    uint32_t count;
    struct {
        char serial[SERIAL_CHARS_MAX + 1];
        rf_usec until;
        char thumbprint[THUMBPRINT_CHARS + 1];
        char *issuer; /* NULL: the installation's own authority */
    } certificates[DEVICE_KEPT_MAX];
};

static void device_free(struct hub_device *device)
{
    if (device == NULL) return;
    for (uint32_t i = 0; i < device->count; i++) free(device->certificates[i].issuer);
    free(device->name);
    free(device->hubs);
    free(device);
}

static struct hub_device *device_new(struct hub_namespace *space, const struct device_facts *facts)
{
    struct hub_device *made = calloc(1, sizeof *made);
    if (made == NULL) return NULL;
    bool whole = true;
    made->space = space;
    made->name = hub_text(facts->name), made->hubs = hub_text(facts->hubs);
    made->is_revoked = facts->is_revoked;
    for (uint32_t i = 0; i < facts->count && made->count < DEVICE_KEPT_MAX; i++) {
        rf_str serial = facts->certificates[i].serial;
        if (serial.len == 0 || serial.len > SERIAL_CHARS_MAX) continue;
        memcpy(made->certificates[made->count].serial, serial.ptr, serial.len);
        const struct device_certificate *from = &facts->certificates[i];
        if (from->issuer.len > 0 && from->thumbprint.len == THUMBPRINT_CHARS) {
            memcpy(made->certificates[made->count].thumbprint, from->thumbprint.ptr,
                   THUMBPRINT_CHARS);
            made->certificates[made->count].issuer = hub_text(from->issuer);
            whole = whole && made->certificates[made->count].issuer != NULL;
        }
        made->certificates[made->count++].until = from->until;
    }
    if (whole && made->name != NULL && made->hubs != NULL) return made;
    device_free(made);
    return NULL;
}

/* By namespace, then by name without case. */
static int compare(const struct hub_device *device, const struct hub_namespace *space, rf_str name)
{
    uintptr_t a = (uintptr_t)device->space, b = (uintptr_t)space;
    if (a != b) return a < b ? -1 : 1;
    return hub_name_cmp(rf_str_of(device->name), name);
}

/* Where it is, or would be put. types->devices is held. */
static bool find(const struct hub_types *types, const struct hub_namespace *space, rf_str name,
                 uint32_t *at)
{
    uint32_t from = 0, to = types->own_count;
    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        int order = compare(types->own_devices[middle], space, name);
        if (order == 0) {
            *at = middle;
            return true;
        }
        if (order < 0)
            from = middle + 1;
        else
            to = middle;
    }
    *at = from;
    return false;
}

static bool make_room(struct hub_types *types)
{
    if (types->own_count < types->own_cap) return true;
    uint32_t cap = types->own_cap * 2 + 64;
    struct hub_device **grown = realloc(types->own_devices, cap * sizeof(struct hub_device *));
    if (grown == NULL) return false;
    types->own_devices = grown;
    types->own_cap = cap;
    return true;
}

static struct hub_device *take_out(struct hub_types *types, uint32_t at)
{
    struct hub_device *device = types->own_devices[at];
    types->own_count--;
    memmove(&types->own_devices[at], &types->own_devices[at + 1],
            (types->own_count - at) * sizeof(struct hub_device *));
    return device;
}

static void put_in(struct hub_types *types, uint32_t at, struct hub_device *device)
{
    memmove(&types->own_devices[at + 1], &types->own_devices[at],
            (types->own_count - at) * sizeof(struct hub_device *));
    types->own_devices[at] = device;
    types->own_count++;
}

static bool has_serial(const struct hub_device *device, rf_str serial)
{
    for (uint32_t i = 0; i < device->count; i++)
        if (rf_str_is(serial, device->certificates[i].serial)) return true;
    return false;
}

/* Whether an open link may depend on what changed. A new certificate alone is no reason to look at all of them again. */
static bool is_less_or_other(const struct hub_device *before, const struct hub_device *now)
{
    if (before->is_revoked != now->is_revoked || strcmp(before->hubs, now->hubs) != 0) return true;
    for (uint32_t i = 0; i < before->count; i++)
        if (!has_serial(now, rf_str_of(before->certificates[i].serial))) return true;
    return false;
}

bool hub_devices_put(struct hub_namespace *space, const struct device_facts *facts)
{
    struct hub_types *types = hub_types_of(space->hubs);
    struct hub_device *made = device_new(space, facts), *before = NULL;
    uint32_t at;
    (void)pthread_rwlock_wrlock(&types->devices);
    if (find(types, space, facts->name, &at)) before = take_out(types, at);
    bool fits = made != NULL && make_room(types);
    if (fits) put_in(types, at, made);
    (void)pthread_rwlock_unlock(&types->devices);
    bool matters = !fits || (before != NULL && is_less_or_other(before, made));
    if (!fits) device_free(made);
    device_free(before);
    if (matters) hubs_changed(space->hubs);
    return fits;
}

void hub_devices_drop(struct hub_namespace *space, rf_str name)
{
    struct hub_types *types = hub_types_of(space->hubs);
    struct hub_device *before = NULL;
    uint32_t at;
    (void)pthread_rwlock_wrlock(&types->devices);
    if (find(types, space, name, &at)) before = take_out(types, at);
    (void)pthread_rwlock_unlock(&types->devices);
    if (before != NULL) hubs_changed(space->hubs);
    device_free(before);
}

void hub_devices_forget(struct hub_namespace *space)
{
    struct hub_types *types = hub_types_of(space->hubs);
    uint32_t kept = 0;
    (void)pthread_rwlock_wrlock(&types->devices);
    for (uint32_t i = 0; i < types->own_count; i++) {
        if (types->own_devices[i]->space == space)
            device_free(types->own_devices[i]);
        else
            types->own_devices[kept++] = types->own_devices[i];
    }
    types->own_count = kept;
    (void)pthread_rwlock_unlock(&types->devices);
}

void hub_devices_free(struct hub_types *types)
{
    for (uint32_t i = 0; i < types->own_count; i++) device_free(types->own_devices[i]);
    free(types->own_devices);
    free((void *)(uintptr_t)types->authority.ptr);
    free((void *)(uintptr_t)types->authority_pem.ptr);
    types->own_devices = NULL;
    types->own_count = types->own_cap = 0;
}

/* ---- checks ----------------------------------------------------------------------------------------------------------- */

static bool is_for(const struct hub_device *device, rf_str hub)
{
    rf_str list = rf_str_of(device->hubs);
    for (size_t at = 0; hub.len > 0 && at + hub.len + 2 <= list.len; at++)
        if (list.ptr[at] == ' ' && list.ptr[at + hub.len + 1] == ' ' &&
            rf_str_eq_nocase(rf_slice(list, at + 1, at + 1 + hub.len), hub))
            return true;
    return false;
}

enum rf_kind hub_devices_check(struct hub_namespace *space, rf_str name, rf_str serial, rf_str hub,
                               struct rf_err *err)
{
    struct hub_types *types = hub_types_of(space->hubs);
    bool is_revoked = false, is_known = false, may = hub.ptr == NULL;
    uint32_t at;
    (void)pthread_rwlock_rdlock(&types->devices);
    if (find(types, space, name, &at)) {
        const struct hub_device *device = types->own_devices[at];
        is_revoked = device->is_revoked;
        is_known = has_serial(device, serial);
        may = may || is_for(device, hub);
    }
    (void)pthread_rwlock_unlock(&types->devices);
    if (is_revoked)
        return RF_FAIL(err, RF_DENIED, "PublisherRevoked", "The device '%.*s' has been revoked.",
                       RF_FMT(name));
    if (!is_known)
        return RF_FAIL(err, RF_DENIED, "PublisherRevoked",
                       "The certificate %.*s of the device '%.*s' has been revoked or replaced, or "
                       "the device is none of this namespace.",
                       RF_FMT(serial), RF_FMT(name));
    if (may) return RF_OK;
    return RF_FAIL(err, RF_DENIED, "Unauthorized",
                   "Unauthorized access. The device '%.*s' is not registered for '%.*s'.",
                   RF_FMT(name), (int)RF_MIN(hub.len, (size_t)HUB_NAME_BYTES_MAX),
                   (const char *)hub.ptr);
}

bool hub_devices_issuer(struct hub_namespace *space, rf_str name, rf_str thumbprint,
                        struct rf_arena *arena, rf_str *issuer)
{
    struct hub_types *types = hub_types_of(space->hubs);
    bool found = false;
    uint32_t at;
    (void)pthread_rwlock_rdlock(&types->devices);
    const struct hub_device *device = find(types, space, name, &at) ? types->own_devices[at] : NULL;
    for (uint32_t i = 0; device != NULL && i < device->count && !found; i++)
        found = device->certificates[i].issuer != NULL &&
                rf_str_is(thumbprint, device->certificates[i].thumbprint) &&
                rf_arena_str(arena, rf_str_of(device->certificates[i].issuer), issuer);
    (void)pthread_rwlock_unlock(&types->devices);
    return found;
}

bool hub_devices_find_issued(struct hubs *hubs, rf_str issuer, rf_str serial,
                             struct rf_arena *arena, struct hub_namespace **space, rf_str *name)
{
    struct hub_types *types = hub_types_of(hubs);
    bool found = false;
    (void)pthread_rwlock_rdlock(&types->devices);
    for (uint32_t d = 0; d < types->own_count && !found; d++) {
        const struct hub_device *device = types->own_devices[d];
        for (uint32_t i = 0; i < device->count && !found; i++)
            found = device->certificates[i].issuer != NULL &&
                    rf_str_is(serial, device->certificates[i].serial) &&
                    rf_str_eq_nocase(issuer, rf_str_of(device->certificates[i].issuer));
        if (found) *space = device->space;
        if (found) found = rf_arena_str(arena, rf_str_of(device->name), name);
    }
    (void)pthread_rwlock_unlock(&types->devices);
    return found;
}

/* ---- the authority ---------------------------------------------------------------------------------------------------- */

static bool keep(rf_str text, rf_str *out)
{
    char *copy = hub_text(text);
    if (copy == NULL) return false;
    *out = rf_str_make(copy, text.len);
    return true;
}

enum rf_kind hub_devices_start(struct hubs *hubs, struct rf_err *err)
{
    enum { AUTHORITY_BYTES_MAX = 64 << 10 };
    struct hub_types *types = hub_types_of(hubs);
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, AUTHORITY_BYTES_MAX);
    rf_str der, pem;
    if (hubs->options.keeper == NULL) return RF_OK;
    RF_TRY(keeper_device_authority(hubs->options.keeper, &arena, &der, err));
    pem = cert_pem(&arena, der);
    return pem.ptr != NULL && keep(der, &types->authority) && keep(pem, &types->authority_pem)
               ? RF_OK
               : rf_fail_memory(err, &arena);
}
