/* types_devices.c - devices as ARM resources:
 *
 *   devices  {eventHubs: [name], certificateDays, description, status: Enabled | Revoked,
 *             certificateIssuer: "vault://VAULT/ISSUER" (absent: the installation's own authority),
 *             certificates: [{serialNumber, thumbprint, notBefore, notAfter, status: Active | Revoked | Replaced, issuer}], createdAt, updatedAt}
 *
 *   POST .../enrol               {certificateSigningRequest}      -> {certificate, authority, serialNumber, notBefore, notAfter}
 *   POST .../createEnrolmentCode {minutes}                        -> {enrolmentCode, expiresAt}
 *   POST .../revoke              {serialNumber}, or nothing: all  -> the device
 *
 * `certificates` is the server's own: whoever may write devices can take certificates back, never add one that nobody asked for. */
#include "base/log.h"
#include "crypt/digest.h"
#include "crypt/x509.h"
#include "hub/devices_int.h"

enum { DESCRIPTION_BYTES_MAX = 1024, DEVICE_HUBS_MAX = 1000 };

static const char active[] = "Active", revoked[] = "Revoked", replaced[] = "Replaced";

rf_str device_id(const struct hub_namespace *space, rf_str name, struct rf_arena *arena)
{
    struct hub_namespace_settings settings;
    hub_namespace_settings(space, &settings);
    return rf_arena_printf(arena, "%.*s/devices/%.*s", RF_FMT(settings.id), RF_FMT(name));
}

bool device_is_revoked(const struct json_node *body)
{
    return rf_str_eq_nocase(json_text_at(body, "properties.status"), rf_str_of(revoked));
}

/* ---- certificates in the document ----------------------------------------------------------------------------------------- */

static struct json_node *certificates_of(struct rf_arena *arena, struct json_node *body)
{
    struct json_node *properties = json_object_in(arena, body, "properties");
    struct json_node *list = properties == NULL ? NULL : json_get(properties, "certificates");
    if (properties == NULL || json_is(list, JSON_T_ARRAY)) return list;
    return json_set(arena, properties, RF_S("certificates"), json_new(arena, JSON_T_ARRAY));
}

static bool is_active(const struct json_node *certificate)
{
    return rf_str_is(json_text_at(certificate, "status"), active);
}

static rf_usec end_of(const struct json_node *certificate)
{
    rf_usec end = 0;
    return time_parse_iso(json_text_at(certificate, "notAfter"), &end) ? end : 0;
}

static bool end_certificate(struct rf_arena *arena, struct json_node *certificate,
                            const char *status, rf_usec now)
{
    return json_set_text(arena, certificate, "status", rf_str_of(status)) != NULL &&
           json_set_text(arena, certificate, "endedAt", time_iso(arena, now)) != NULL;
}

static bool end_all(struct rf_arena *arena, struct json_node *body, rf_usec now)
{
    struct json_node *list = certificates_of(arena, body);
    bool fits = list != NULL;
    for (struct json_node *c = fits ? list->first : NULL; fits && c != NULL; c = c->next)
        if (is_active(c)) fits = end_certificate(arena, c, revoked, now);
    return fits;
}

/* Takes out what has expired, then the oldest that are over, until there is room; the oldest good one gives way to a new one. */
static bool make_room(struct rf_arena *arena, struct json_node *body, rf_usec now)
{
    struct json_node *old = certificates_of(arena, body), *list = json_new(arena, JSON_T_ARRAY);
    uint32_t good = 0, over = 0;
    if (old == NULL || list == NULL) return false;
    for (const struct json_node *c = old->first; c != NULL; c = c->next) {
        if (end_of(c) <= now) continue;
        good += is_active(c);
        over += !is_active(c);
    }
    for (struct json_node *c = old->first, *next; c != NULL; c = next) {
        next = c->next;
        c->next = NULL; /* it moves to the other list */
        if (end_of(c) <= now) continue;
        if (!is_active(c) && over > DEVICE_KEPT_MAX - DEVICE_GOOD_MAX - 1) {
            over--;
            continue;
        }
        if (is_active(c) && good >= DEVICE_GOOD_MAX) {
            good--;
            if (!end_certificate(arena, c, replaced, now)) return false;
        }
        if (json_append(list, c) == NULL) return false;
    }
    return json_set(arena, json_object_in(arena, body, "properties"), RF_S("certificates"), list) !=
           NULL;
}

enum rf_kind device_add_certificate(struct rf_arena *arena, struct json_node *body, rf_str der,
                                    rf_str issuer, rf_usec now, struct rf_err *err)
{
    struct cert_info info;
    RF_TRY(cert_read(der, arena, &info, err));
    struct json_node *made = json_new(arena, JSON_T_OBJECT);
    rf_str hash = hex_encode(arena, rf_str_make(info.sha256, sizeof info.sha256));
    if (made == NULL || hash.ptr == NULL || !make_room(arena, body, now))
        return rf_fail_memory(err, arena);
    json_set_text(arena, made, "serialNumber", info.serial);
    json_set_text(arena, made, "thumbprint", hash);
    json_set_text(arena, made, "notBefore", time_iso(arena, info.not_before));
    json_set_text(arena, made, "notAfter", time_iso(arena, info.not_after));
    json_set_text(arena, made, "status", rf_str_of(active));
    if (issuer.len > 0 && json_set_text(arena, made, "issuer", issuer) == NULL)
        return rf_fail_memory(err, arena);
    return json_append(certificates_of(arena, body), made) == NULL ? rf_fail_memory(err, arena)
                                                                   : RF_OK;
}

/* ---- PUT ------------------------------------------------------------------------------------------------------------------- */

static enum rf_kind check_hubs(struct arm_call *call, const struct arm_resource *resource,
                               struct rf_err *err)
{
    const struct json_node *list = json_at(resource->body, "properties.eventHubs");
    struct entity e = entity_of(resource);
    struct hub_namespace *space;
    if (!json_is(list, JSON_T_ARRAY) || list->count == 0 || list->count > DEVICE_HUBS_MAX)
        return BAD_ENTITY(err,
                          "'eventHubs' must name the event hubs that the device may send to, "
                          "1 to %d.",
                          DEVICE_HUBS_MAX);
    RF_TRY(hubs_namespace_named(call->ctx, e.space, &space, err));
    for (const struct json_node *item = list->first; item != NULL; item = item->next) {
        struct hub *hub;
        if (item->type != JSON_T_STRING)
            return BAD_ENTITY(err, "'eventHubs' must be a list of names.");
        RF_TRY(entity_name_check(item->text, HUB_NAME_BYTES_MAX, err));
        if (call->request == NULL) continue;
        if (hub_find(space, item->text, &hub, NULL) != RF_OK)
            return BAD_ENTITY(err, "There is no event hub '%.*s' in the namespace; make it first.",
                              RF_FMT(item->text));
        hub_unref(hub);
    }
    return RF_OK;
}

static enum rf_kind fill_days(struct arm_call *call, struct json_node *properties,
                              struct rf_err *err)
{
    int64_t days = DEVICE_CERTIFICATE_DAYS;
    if (json_get(properties, "certificateDays") != NULL &&
        (!json_i64_at(properties, "certificateDays", &days) || days < 1 ||
         days > DEVICE_CERTIFICATE_DAYS_MAX))
        return BAD_ENTITY(err, "'certificateDays' must be a whole number from 1 to %d.",
                          DEVICE_CERTIFICATE_DAYS_MAX);
    return json_set_i64(call->arena, properties, "certificateDays", days) == NULL
               ? rf_fail_memory(err, call->arena)
               : RF_OK;
}

/* Who writes without a word about the status leaves it. */
static enum rf_kind fill_status(struct arm_call *call, struct json_node *properties,
                                const struct arm_resource *before, struct rf_err *err)
{
    rf_str status = json_text_at(properties, "status");
    bool was = before != NULL && device_is_revoked(before->body);
    bool is = rf_str_eq_nocase(status, rf_str_of(revoked));
    if (status.len > 0 && !is && !rf_str_eq_nocase(status, RF_S("Enabled")))
        return BAD_ENTITY(err, "'status' must be Enabled or Revoked.");
    if (status.len == 0) is = was;
    return json_set_text(call->arena, properties, "status",
                         is ? rf_str_of(revoked) : RF_S("Enabled")) == NULL
               ? rf_fail_memory(err, call->arena)
               : RF_OK;
}

/* Who names an authority must be one who may have certificates issued by it; who says nothing of it leaves it, an empty text ends it. */
static enum rf_kind fill_issuer(struct arm_call *call, struct json_node *properties,
                                const struct arm_resource *before, struct rf_err *err)
{
    const struct json_node *node = json_get(properties, "certificateIssuer");
    rf_str now = json_text_at(properties, "certificateIssuer"), was = {0};
    const struct device_issuer *issuer;
    if (before != NULL) was = json_text_at(before->body, "properties.certificateIssuer");
    if (node != NULL && !json_is(node, JSON_T_NULL) && node->type != JSON_T_STRING)
        return BAD_ENTITY(err, "'certificateIssuer' must be a text.");
    if (node == NULL && was.len > 0)
        return json_set_text(call->arena, properties, "certificateIssuer", was) == NULL
                   ? rf_fail_memory(err, call->arena)
                   : RF_OK;
    if (now.len == 0 || call->principal == NULL || rf_str_eq(now, was)) return RF_OK;
    if (now.len > DEVICE_ISSUER_BYTES_MAX)
        return BAD_ENTITY(err, "'certificateIssuer' has at most %d bytes.",
                          DEVICE_ISSUER_BYTES_MAX);
    RF_TRY(device_issuer_need(call->ctx, &issuer, err));
    return issuer->may(issuer->ctx, call->txn, call->principal, now, call->arena, err);
}

/* What a request says of certificates does not count. */
static bool keep_certificates(struct arm_call *call, struct json_node *properties,
                              const struct arm_resource *before)
{
    struct json_node *kept =
        before == NULL ? NULL : json_at(before->body, "properties.certificates");
    if (call->request == NULL && json_get(properties, "certificates") != NULL) return true;
    kept = kept == NULL ? json_new(call->arena, JSON_T_ARRAY) : json_clone(call->arena, kept);
    return kept != NULL && json_set(call->arena, properties, RF_S("certificates"), kept) != NULL;
}

static enum rf_kind put_device(struct arm_call *call, struct arm_resource *resource,
                               const struct arm_resource *before, struct rf_err *err)
{
    struct rf_arena *arena = call->arena;
    struct json_node *properties = json_object_in(arena, resource->body, "properties");
    if (!device_name_is_good(resource->name))
        return BAD_ENTITY(err,
                          "The device name '%.*s' is not valid: it must have 1 to %d letters, "
                          "digits, '.', '-' and '_', and a letter or digit at both ends.",
                          (int)RF_MIN(resource->name.len, (size_t)100),
                          (const char *)resource->name.ptr, DEVICE_NAME_BYTES_MAX);
    if (properties == NULL) return rf_fail_memory(err, arena);
    RF_TRY(check_hubs(call, resource, err));
    RF_TRY(fill_days(call, properties, err));
    RF_TRY(fill_issuer(call, properties, before, err));
    RF_TRY(fill_status(call, properties, before, err));
    if (json_text_at(properties, "description").len > DESCRIPTION_BYTES_MAX)
        return BAD_ENTITY(err, "'description' has at most %d bytes.", DESCRIPTION_BYTES_MAX);
    rf_str now = time_iso(arena, call->now);
    rf_str created =
        before == NULL ? (rf_str){0} : json_text_at(before->body, "properties.createdAt");
    bool fits =
        keep_certificates(call, properties, before) &&
        (!device_is_revoked(resource->body) || end_all(arena, resource->body, call->now)) &&
        json_set_text(arena, properties, "createdAt", created.len > 0 ? created : now) != NULL &&
        json_set_text(arena, properties, "updatedAt", now) != NULL;
    return fits ? RF_OK : rf_fail_memory(err, arena);
}

static enum rf_kind remove_device(struct arm_call *call, struct arm_resource *resource,
                                  struct rf_err *err)
{
    return device_code_drop(call->txn, resource->key, err);
}

static void changed_device(struct arm_call *call, struct arm_resource *resource)
{
    struct entity e = entity_of(resource);
    struct hub_namespace *space;
    struct rf_err err = {.code = ""};
    enum rf_kind kind = hubs_namespace_named(call->ctx, e.space, &space, &err);
    if (kind == RF_OK && resource->body == NULL) hub_devices_drop(space, e.leaf);
    if (resource->body == NULL) return;
    struct device_certificate good[DEVICE_KEPT_MAX];
    struct device_facts facts = {.name = resource->name,
                                 .is_revoked = device_is_revoked(resource->body),
                                 .certificates = good};
    const struct json_node *list = json_at(resource->body, "properties.certificates");
    for (const struct json_node *c = list == NULL ? NULL : list->first; c != NULL; c = c->next)
        if (is_active(c) && facts.count < RF_COUNT(good))
            good[facts.count++] = (struct device_certificate){json_text_at(c, "serialNumber"),
                                                              end_of(c), json_text_at(c, "issuer"),
                                                              json_text_at(c, "thumbprint")};
    if (kind == RF_OK)
        kind = entity_word_list(resource->body, "properties.eventHubs", call->arena, &facts.hubs,
                                &err);
    if (kind == RF_OK && !hub_devices_put(space, &facts))
        kind = RF_FAIL(&err, RF_LIMIT, "MemoryBudgetExceeded", "no memory for a device");
    entity_log(kind, resource, &err);
}

/* ---- actions --------------------------------------------------------------------------------------------------------------- */

static enum rf_kind run_enrol(struct arm_call *call, struct arm_resource *resource,
                              struct rf_err *err)
{
    struct json_node *body, *answer = json_new(call->arena, JSON_T_OBJECT);
    struct hub_namespace *space;
    struct device_issued issued;
    struct cert_info info;
    struct device_leave leave = {.principal = call->principal};
    RF_TRY(request_json(call->request, false, &body, err));
    rf_str csr = json_text_at(body, "certificateSigningRequest");
    if (csr.len == 0)
        return BAD_ENTITY(err, "'certificateSigningRequest' must be a PKCS #10 request, in PEM or "
                               "in base64.");
    RF_TRY(hubs_namespace_named(call->ctx, entity_of(resource).space, &space, err));
    RF_TRY(device_enrol(space, resource->name, csr, &leave, call->arena, &issued, err));
    RF_TRY(cert_read(issued.der, call->arena, &info, err));
    json_set_text(call->arena, answer, "certificate", cert_pem(call->arena, issued.der));
    json_set_text(call->arena, answer, "authority", cert_pem(call->arena, issued.authority));
    json_set_text(call->arena, answer, "serialNumber", info.serial);
    json_set_text(call->arena, answer, "notBefore", time_iso(call->arena, info.not_before));
    if (json_set_text(call->arena, answer, "notAfter", time_iso(call->arena, info.not_after)) ==
        NULL)
        return rf_fail_memory(err, call->arena);
    return request_answer(call->request, 200, answer);
}

static enum rf_kind run_code(struct arm_call *call, struct arm_resource *resource,
                             struct rf_err *err)
{
    struct json_node *body, *answer = json_new(call->arena, JSON_T_OBJECT);
    struct hub_namespace *space;
    int64_t minutes = DEVICE_CODE_MINUTES;
    rf_str code;
    RF_TRY(request_json(call->request, true, &body, err));
    if (body != NULL && json_get(body, "minutes") != NULL &&
        (!json_i64_at(body, "minutes", &minutes) || minutes < 1 ||
         minutes > DEVICE_CODE_MINUTES_MAX))
        return BAD_ENTITY(err, "'minutes' must be a whole number from 1 to %d.",
                          DEVICE_CODE_MINUTES_MAX);
    if (device_is_revoked(resource->body))
        return RF_FAIL(err, RF_CONFLICT, "DeviceRevoked",
                       "The device '%.*s' has been revoked; set its 'status' to Enabled first.",
                       RF_FMT(resource->name));
    RF_TRY(hubs_namespace_named(call->ctx, entity_of(resource).space, &space, err));
    rf_usec expires = call->now + minutes * 60 * RF_USEC_PER_SECOND;
    RF_TRY(device_code_make(space, resource->name, expires, call->arena, &code, err));
    json_set_text(call->arena, answer, "enrolmentCode", code);
    http_set_literal(call->request->response, "Cache-Control", "no-store");
    if (json_set_text(call->arena, answer, "expiresAt", time_iso(call->arena, expires)) == NULL)
        return rf_fail_memory(err, call->arena);
    return request_answer(call->request, 200, answer);
}

static struct json_node *find_serial(const struct json_node *list, rf_str serial)
{
    for (struct json_node *c = list == NULL ? NULL : list->first; c != NULL; c = c->next)
        if (rf_str_eq(json_text_at(c, "serialNumber"), serial)) return c;
    return NULL;
}

/* Of the document as it is in the transaction. */
static enum rf_kind revoke_in(struct arm_call *write, rf_str id, rf_str serial,
                              struct arm_resource *out, struct rf_err *err)
{
    struct arm_resource now;
    RF_TRY(arm_get(write->arm, write->txn, id, write->arena, &now, err));
    struct json_node *list = certificates_of(write->arena, now.body);
    struct json_node *found = find_serial(list, serial);
    bool fits = true;
    if (serial.len > 0 && found == NULL)
        return RF_FAIL(err, RF_NOT_FOUND, "CertificateNotFound",
                       "The device has no certificate with the serial number %.*s.",
                       RF_FMT(serial));
    if (found != NULL)
        fits = !is_active(found) || end_certificate(write->arena, found, revoked, write->now);
    else
        fits = json_set_text(write->arena, json_get(now.body, "properties"), "status",
                             rf_str_of(revoked)) != NULL;
    if (!fits) return rf_fail_memory(err, write->arena);
    if (found == NULL) RF_TRY(device_code_drop(write->txn, now.key, err));
    return arm_put_in(write, id, now.body, out, NULL, err);
}

enum rf_kind device_end_certificate(struct hub_namespace *space, rf_str name, rf_str serial,
                                    struct rf_arena *arena, struct rf_err *err)
{
    struct arm_resource out;
    struct arm_call write;
    rf_str id = device_id(space, name, arena);
    if (id.ptr == NULL) return rf_fail_memory(err, arena);
    RF_TRY(arm_begin(space->hubs->options.arm, NULL, arena, &write, err));
    enum rf_kind kind = revoke_in(&write, id, serial, &out, err);
    if (kind == RF_OK) kind = arm_commit(&write, err);
    arm_end(&write);
    return kind;
}

/* What counts is the device's document; the authority tells others, by its list and OCSP. */
static void tell_issuers(struct arm_call *call, const struct arm_resource *device)
{
    const struct json_node *list = json_at(device->body, "properties.certificates");
    const struct device_issuer *issuer;
    if (device_issuer_need(call->ctx, &issuer, NULL) != RF_OK) return;
    for (const struct json_node *c = list == NULL ? NULL : list->first; c != NULL; c = c->next) {
        rf_str of = json_text_at(c, "issuer"), serial = json_text_at(c, "serialNumber");
        struct rf_err err = {.code = ""};
        if (of.len == 0 || !rf_str_is(json_text_at(c, "status"), revoked) || end_of(c) <= call->now)
            continue;
        if (issuer->revoke(issuer->ctx, of, serial, call->arena, &err) != RF_OK)
            rf_log(RF_WARN, "device.revocation_untold", RF_KV_STR("device", device->name),
                   RF_KV_STR("issuer", of), RF_KV_STR("serial", serial),
                   RF_KV_STR("why", rf_str_of(err.text)));
    }
}

static enum rf_kind run_revoke(struct arm_call *call, struct arm_resource *resource,
                               struct rf_err *err)
{
    struct json_node *body;
    struct arm_resource out;
    struct arm_call write;
    rf_str serial = {0};
    RF_TRY(request_json(call->request, true, &body, err));
    rf_str text = json_text_at(body, "serialNumber");
    /* A misspelt wish for one certificate must not take them all, nor the other way round. */
    if (body != NULL && body->count > (text.len > 0 ? 1u : 0u))
        return BAD_ENTITY(err, "'serialNumber' is all that may be said: a text in hex.");
    if (text.len > 0 && !cert_serial(call->arena, text, &serial))
        return BAD_ENTITY(err, "'serialNumber' must be in hex, such as 4a1f or 4A:1F.");
    RF_TRY(arm_begin(call->arm, call->principal, call->arena, &write, err));
    enum rf_kind kind = revoke_in(&write, resource->id, serial, &out, err);
    if (kind == RF_OK) kind = arm_commit(&write, err);
    arm_end(&write);
    RF_TRY(kind);
    tell_issuers(call, &out);
    return request_answer(call->request, 200, out.body);
}

static const struct arm_action actions[] = {
    {.name = "enrol", .method = HTTP_POST, .run = run_enrol},
    {.name = "createEnrolmentCode", .method = HTTP_POST, .run = run_code},
    {.name = "revoke", .method = HTTP_POST, .run = run_revoke},
};

struct arm_type hub_device_type(struct hubs *hubs)
{
    return (struct arm_type){.name = DEVICES_TYPE,
                             .versions = hub_versions,
                             .members =
                                 "eventHubs certificateDays certificateIssuer description status "
                                 "certificates issuer "
                                 "serialNumber thumbprint notBefore notAfter endedAt "
                                 "createdAt updatedAt",
                             .flags = ARM_PUT_200_ALWAYS | ARM_NO_STATE,
                             .put = put_device,
                             .remove = remove_device,
                             .changed = changed_device,
                             .actions = actions,
                             .action_count = RF_COUNT(actions),
                             .ctx = hubs};
}
