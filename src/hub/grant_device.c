/* grant_device.c - devices that prove who they are by a certificate: of the installation's authority over devices (devices_int.h), or of
 * an authority that was registered for the namespace.
 *
 * A device is named by the CN of its certificate and may send to {hub}/publishers/{CN} of the hubs that it, or its authority, is for. */
#include <stdlib.h>

#include "base/encode.h"
#include "crypt/x509.h"
#include "hub/devices_int.h"

enum { CERTIFICATE_BYTES_MAX = 16 << 10, CERTIFICATE_ARENA_BYTES = 256 << 10 };

/* ---- what is registered --------------------------------------------------------------------------------------------- */

static void authority_free(struct device_authority *authority)
{
    if (authority == NULL) return;
    free(authority->name);
    free(authority->pem);
    free(authority->hubs);
    free(authority->revoked);
    free(authority);
}

void hub_devices_done(struct hub_types *types)
{
    while (types->authorities != NULL) {
        struct device_authority *next = types->authorities->next;
        authority_free(types->authorities);
        types->authorities = next;
    }
    hub_devices_free(types);
}

void hub_authorities_forget(struct hub_namespace *space)
{
    struct hub_types *types = hub_types_of(space->hubs);
    (void)pthread_rwlock_wrlock(&types->devices);
    for (struct device_authority **at = &types->authorities, *gone; (gone = *at) != NULL;) {
        if (gone->space != space) {
            at = &gone->next;
            continue;
        }
        *at = gone->next;
        authority_free(gone);
    }
    (void)pthread_rwlock_unlock(&types->devices);
}

static struct device_authority *authority_new(struct hub_namespace *space, rf_str name, rf_str pem,
                                              rf_str hubs, rf_str revoked)
{
    struct device_authority *made = calloc(1, sizeof *made);
    if (made == NULL) return NULL;
    made->space = space;
    made->name = hub_text(name), made->pem = hub_text(pem);
    made->hubs = hub_text(hubs), made->revoked = hub_text(revoked);
    if (made->name != NULL && made->pem != NULL && made->hubs != NULL && made->revoked != NULL)
        return made;
    authority_free(made);
    return NULL;
}

bool hub_device_set(struct hub_namespace *space, rf_str name, rf_str pem, rf_str hubs,
                    rf_str revoked)
{
    struct hub_types *types = hub_types_of(space->hubs);
    struct device_authority *made = NULL, *gone = NULL;
    if (pem.len > 0 && (made = authority_new(space, name, pem, hubs, revoked)) == NULL)
        return false;
    (void)pthread_rwlock_wrlock(&types->devices);
    for (struct device_authority **at = &types->authorities; *at != NULL; at = &(*at)->next)
        if ((*at)->space == space && rf_str_eq_nocase(rf_str_of((*at)->name), name)) {
            gone = *at;
            *at = gone->next;
            break;
        }
    if (made != NULL) {
        made->next = types->authorities;
        types->authorities = made;
    }
    (void)pthread_rwlock_unlock(&types->devices);
    authority_free(gone);
    hubs_changed(space->hubs);
    return true;
}

static bool has_word(const char *list, rf_str word)
{
    rf_str text = rf_str_of(list);
    for (size_t at = 0; word.len > 0 && at + word.len + 2 <= text.len; at++)
        if (text.ptr[at] == ' ' && text.ptr[at + word.len + 1] == ' ' &&
            rf_str_eq_nocase(rf_slice(text, at + 1, at + 1 + word.len), word))
            return true;
    return false;
}

/* ---- certificates --------------------------------------------------------------------------------------------------- */

/* A name with further signs could be taken for another one in a path. */
static bool is_plain(rf_str name)
{
    for (size_t i = 0; i < name.len; i++)
        if (name.ptr[i] < 0x21 || strchr("\\/+\"<>;,#?% ", name.ptr[i]) != NULL) return false;
    return name.len > 0 && name.len <= HUB_NAME_BYTES_MAX;
}

/* The grant is for one authority: its name and the certificate's hash, so that either can be taken back. */
static enum rf_kind find_authority(struct hub_namespace *space, const struct cert_info *info,
                                   rf_str hash, struct rf_arena *arena, rf_str *name,
                                   struct rf_err *err)
{
    struct hub_types *types = hub_types_of(space->hubs);
    rf_usec now = rf_clock_now(space->hubs->options.clock);
    enum rf_kind kind = RF_FAIL(err, RF_DENIED, "InvalidToken",
                                "The certificate is of no authority that is registered for the "
                                "namespace.");
    if (types == NULL) return kind;
    (void)pthread_rwlock_rdlock(&types->devices);
    for (const struct device_authority *a = types->authorities; a != NULL; a = a->next) {
        if (a->space != space || !cert_is_issued_by(info->der, rf_str_of(a->pem), now)) continue;
        if (has_word(a->revoked, hash) || has_word(a->revoked, info->serial))
            kind = RF_FAIL(err, RF_DENIED, "InvalidToken", "The certificate has been revoked.");
        else
            kind =
                rf_arena_str(arena, rf_str_of(a->name), name) ? RF_OK : rf_fail_memory(err, arena);
        break;
    }
    (void)pthread_rwlock_unlock(&types->devices);
    return kind;
}

/* One that was registered for the namespace. */
static enum rf_kind foreign_grant(struct hub_namespace *space, const struct cert_info *info,
                                  struct rf_arena *arena, rf_str *basis, struct rf_err *err)
{
    rf_str authority, hash = hex_encode(arena, rf_str_make(info->sha256, sizeof info->sha256));
    if (hash.ptr == NULL) return rf_fail_memory(err, arena);
    RF_TRY(find_authority(space, info, hash, arena, &authority, err));
    *basis = rf_arena_printf(arena, "%.*s %.*s", RF_FMT(hash), RF_FMT(authority));
    return basis->ptr == NULL ? rf_fail_memory(err, arena) : RF_OK;
}

static enum rf_kind expired(const struct cert_info *info, struct rf_arena *arena,
                            struct rf_err *err)
{
    rf_str then = time_iso(arena, info->not_after);
    return RF_FAIL(err, RF_DENIED, "ExpiredToken",
                   "The certificate expired at %.*s; enrol the device anew.", RF_FMT(then));
}

/* One of a vault's authority: the very certificate that stands in the device's document, unless it was revoked there. */
static enum rf_kind issued_grant(struct hub_namespace *space, const struct cert_info *info,
                                 struct rf_arena *arena, bool *is_issued, struct rf_err *err)
{
    const struct device_issuer *issuer;
    rf_str of, hash = hex_encode(arena, rf_str_make(info->sha256, sizeof info->sha256));
    if (hash.ptr == NULL) return rf_fail_memory(err, arena);
    *is_issued = hub_types_of(space->hubs) != NULL &&
                 hub_devices_issuer(space, info->common_name, hash, arena, &of);
    if (!*is_issued) return RF_OK;
    RF_TRY(device_issuer_need(space->hubs, &issuer, err));
    RF_TRY(issuer->holds(issuer->ctx, of, info->serial, arena, err));
    return hub_devices_check(space, info->common_name, info->serial, (rf_str){0}, err);
}

static enum rf_kind certificate_grant(struct hub_namespace *space, rf_str certificate,
                                      struct rf_arena *arena, struct hub_grant *out,
                                      struct rf_err *err)
{
    struct cert_info info;
    const struct hub_types *types = hub_types_of(space->hubs);
    rf_usec now = rf_clock_now(space->hubs->options.clock);
    rf_str basis = RF_S("");
    if (certificate.len == 0 || certificate.len > CERTIFICATE_BYTES_MAX ||
        cert_read(certificate, arena, &info, NULL) != RF_OK)
        return RF_FAIL(err, RF_DENIED, "InvalidToken", "The client certificate cannot be read.");
    out->name = info.common_name;
    if (!is_plain(info.common_name))
        return RF_FAIL(err, RF_DENIED, "InvalidToken",
                       "The client certificate has no CN that could be a publisher's name.");
    if (info.not_after <= now) return expired(&info, arena, err);
    bool is_own = types != NULL && types->authority_pem.len > 0 &&
                  cert_is_issued_by(info.der, types->authority_pem, now);
    bool is_issued = false;
    if (is_own)
        RF_TRY(hub_devices_check(space, info.common_name, info.serial, (rf_str){0}, err));
    else
        RF_TRY(issued_grant(space, &info, arena, &is_issued, err));
    if (!is_own && !is_issued) RF_TRY(foreign_grant(space, &info, arena, &basis, err));
    *out = (struct hub_grant){.kind = GRANT_DEVICE,
                              .path = RF_S(""),
                              .expires = info.not_after,
                              .name = info.common_name,
                              .serial = info.serial,
                              .rule_hub = basis};
    return RF_OK;
}

enum rf_kind hub_grant_certificate(struct hub_namespace *space, rf_str certificate,
                                   struct rf_arena *arena, struct hub_grant *out,
                                   struct rf_err *err)
{
    struct hub_grant made = {.kind = GRANT_DEVICE};
    enum rf_kind kind = certificate_grant(space, certificate, arena, &made, err);
    if (kind == RF_OK) *out = made;
    if (kind == RF_DENIED && err != NULL)
        hub_note_denial(space, "certificate", made.name, (rf_str){0}, err);
    return kind;
}

/* ---- whether it still holds ----------------------------------------------------------------------------------------- */

/* "hub/publishers/NAME" or what lies below it */
static bool is_own_path(rf_str path, rf_str name, rf_str *hub)
{
    rf_str middle = RF_S("/publishers/");
    size_t slash = rf_str_find(path, RF_S("/"), 0);
    if (slash == SIZE_MAX || slash == 0 || path.len < slash + middle.len + name.len) return false;
    size_t at = slash + middle.len, end = at + name.len;
    *hub = rf_slice(path, 0, slash);
    return rf_str_eq_nocase(rf_slice(path, slash, at), middle) &&
           rf_str_eq_nocase(rf_slice(path, at, end), name) &&
           (end == path.len || path.ptr[end] == '/');
}

enum foreign { FOREIGN_REVOKED, FOREIGN_OTHER_HUB, FOREIGN_GOOD };

/* What an authority that was registered for the namespace says. `hub` (ptr NULL: any). */
static enum foreign ask_foreign(const struct hub_namespace *space, const struct hub_grant *grant,
                                rf_str hub)
{
    enum { HASH_CHARS = 64 };
    struct hub_types *types = hub_types_of(space->hubs);
    enum foreign found = FOREIGN_REVOKED; /* one that is registered no longer, too */
    RF_ASSERT(grant->rule_hub.len > HASH_CHARS + 1);
    rf_str hash = rf_slice(grant->rule_hub, 0, HASH_CHARS);
    rf_str name = rf_slice(grant->rule_hub, HASH_CHARS + 1, grant->rule_hub.len);
    (void)pthread_rwlock_rdlock(&types->devices);
    for (const struct device_authority *a = types->authorities; a != NULL; a = a->next) {
        if (a->space != space || !rf_str_eq(rf_str_of(a->name), name)) continue;
        if (has_word(a->revoked, hash) || has_word(a->revoked, grant->serial)) continue;
        found = hub.ptr == NULL || a->hubs[0] == 0 || has_word(a->hubs, hub) ? FOREIGN_GOOD
                                                                             : FOREIGN_OTHER_HUB;
    }
    (void)pthread_rwlock_unlock(&types->devices);
    return found;
}

static enum rf_kind check(struct hub_namespace *space, const struct hub_grant *grant, rf_str hub,
                          struct rf_err *err)
{
    if (hub_types_of(space->hubs) == NULL)
        return RF_FAIL(err, RF_DENIED, "Unauthorized", "The server ends.");
    if (grant->rule_hub.len == 0)
        return hub_devices_check(space, grant->name, grant->serial, hub, err);
    enum foreign found = ask_foreign(space, grant, hub);
    if (found == FOREIGN_GOOD) return RF_OK;
    if (found == FOREIGN_REVOKED)
        return RF_FAIL(err, RF_DENIED, "PublisherRevoked",
                       "The certificate of the device '%.*s', or its authority, has been revoked.",
                       RF_FMT(grant->name));
    return RF_FAIL(err, RF_DENIED, "Unauthorized",
                   "Unauthorized access. The authority of the device '%.*s' is not registered for "
                   "'%.*s'.",
                   RF_FMT(grant->name), (int)RF_MIN(hub.len, (size_t)HUB_NAME_BYTES_MAX),
                   (const char *)hub.ptr);
}

enum rf_kind hub_device_holds(struct hub_namespace *space, const struct hub_grant *grant,
                              struct rf_err *err)
{
    return check(space, grant, (rf_str){0}, err);
}

enum rf_kind hub_device_allows(struct hub_namespace *space, const struct hub_grant *grant,
                               rf_str path, enum hub_right right, struct rf_err *err)
{
    rf_str hub = {0};
    bool fits = right == RIGHT_SEND && is_own_path(path, grant->name, &hub);
    /* What was revoked says so whatever was asked for. */
    RF_TRY(check(space, grant, fits ? hub : (rf_str){0}, err));
    if (fits) return RF_OK;
    return RF_FAIL(err, RF_DENIED, "Unauthorized",
                   "Unauthorized access. The device '%.*s' may send as its own publisher only, to "
                   "HUB/publishers/%.*s.",
                   RF_FMT(grant->name), RF_FMT(grant->name));
}
