/* grant_device.c - devices that prove who they are by a certificate of an authority that was registered for the namespace.
 *
 * A device is named by the CN of its certificate and may send to {hub}/publishers/{CN} of the hubs that its authority is for. */
#include <stdlib.h>

#include "base/encode.h"
#include "crypt/x509.h"
#include "hub/types_int.h"

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

/* The CN of an RFC 2253 text when it is plain: a name with escapes could be taken for another one in a path. */
static rf_str plain_cn(rf_str subject)
{
    for (size_t at = 0; at < subject.len;) {
        size_t end = at;
        while (end < subject.len && subject.ptr[end] != ',') end++;
        rf_str part = rf_str_trim(rf_slice(subject, at, end));
        if (part.len > 3 && rf_str_eq_nocase(rf_slice(part, 0, 3), RF_S("CN="))) {
            rf_str name = rf_slice(part, 3, part.len);
            for (size_t i = 0; i < name.len; i++)
                if (strchr("\\/+\"<>;#?% ", name.ptr[i]) != NULL || name.ptr[i] < 0x21)
                    return (rf_str){0};
            return name.len <= HUB_NAME_BYTES_MAX ? name : (rf_str){0};
        }
        at = end + 1;
    }
    return (rf_str){0};
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
        if (has_word(a->revoked, hash))
            kind = RF_FAIL(err, RF_DENIED, "InvalidToken", "The certificate has been revoked.");
        else
            kind =
                rf_arena_str(arena, rf_str_of(a->name), name) ? RF_OK : rf_fail_memory(err, arena);
        break;
    }
    (void)pthread_rwlock_unlock(&types->devices);
    return kind;
}

static enum rf_kind certificate_grant(struct hub_namespace *space, rf_str certificate,
                                      struct rf_arena *arena, struct hub_grant *out,
                                      struct rf_err *err)
{
    struct cert_info info;
    rf_str authority;
    if (certificate.len == 0 || certificate.len > CERTIFICATE_BYTES_MAX ||
        cert_read(certificate, arena, &info, NULL) != RF_OK)
        return RF_FAIL(err, RF_DENIED, "InvalidToken", "The client certificate cannot be read.");
    rf_str name = plain_cn(info.subject);
    if (name.len == 0)
        return RF_FAIL(err, RF_DENIED, "InvalidToken",
                       "The client certificate has no CN that could be a publisher's name.");
    rf_str hash = hex_encode(arena, rf_str_make(info.sha256, sizeof info.sha256));
    if (hash.ptr == NULL) return rf_fail_memory(err, arena);
    RF_TRY(find_authority(space, &info, hash, arena, &authority, err));
    /* rule_hub holds what the proof stands on: the authority and the certificate. */
    rf_str basis = rf_arena_printf(arena, "%.*s %.*s", RF_FMT(hash), RF_FMT(authority));
    if (basis.ptr == NULL || !rf_arena_str(arena, name, &name)) return rf_fail_memory(err, arena);
    *out = (struct hub_grant){.kind = GRANT_DEVICE,
                              .path = RF_S(""),
                              .expires = info.not_after,
                              .name = name,
                              .rule_hub = basis};
    return RF_OK;
}

enum rf_kind hub_grant_certificate(struct hub_namespace *space, rf_str certificate,
                                   struct rf_arena *arena, struct hub_grant *out,
                                   struct rf_err *err)
{
    enum rf_kind kind = certificate_grant(space, certificate, arena, out, err);
    if (kind == RF_DENIED && err != NULL)
        hub_note_denial(space, "certificate", (rf_str){0}, (rf_str){0}, err);
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

enum rf_kind hub_device_allows(struct hub_namespace *space, const struct hub_grant *grant,
                               rf_str path, enum hub_right right, struct rf_err *err)
{
    struct hub_types *types = hub_types_of(space->hubs);
    enum { HASH_CHARS = 64 };
    rf_str hub;
    bool may = false;
    bool fits = types != NULL && right == RIGHT_SEND && grant->rule_hub.len > HASH_CHARS + 1 &&
                is_own_path(path, grant->name, &hub);
    if (fits) {
        rf_str hash = rf_slice(grant->rule_hub, 0, HASH_CHARS);
        rf_str name = rf_slice(grant->rule_hub, HASH_CHARS + 1, grant->rule_hub.len);
        (void)pthread_rwlock_rdlock(&types->devices);
        for (const struct device_authority *a = types->authorities; a != NULL; a = a->next)
            if (a->space == space && rf_str_eq(rf_str_of(a->name), name))
                may = !has_word(a->revoked, hash) && (a->hubs[0] == 0 || has_word(a->hubs, hub));
        (void)pthread_rwlock_unlock(&types->devices);
    }
    if (may) return RF_OK;
    return RF_FAIL(err, RF_DENIED, "Unauthorized",
                   "Unauthorized access. The device '%.*s' may send as its own publisher only.",
                   RF_FMT(grant->name));
}
