/* enrol.c - how a device comes to a certificate: allowed by an operator, by a one-time code, or by the one that it still has.
 *
 * A code is 26 letters and digits of 130 random bits. State keeps its SHA-256 under the device's key, space "hub.enrolment":
 *
 *   {"code": hex, "expires": usec}                                            one at a time; it goes when it is used */
#include "crypt/digest.h"
#include "crypt/keeper.h"
#include "crypt/x509.h"
#include "hub/devices_int.h"

enum { CODE_CHARS = 26, BITS_PER_CHAR = 5, DAY_SECONDS = 86400 };

static const char space_name[] = "hub.enrolment";

/* ---- codes ------------------------------------------------------------------------------------------------------------ */

/* Crockford's alphabet: no letters that look like digits. */
static rf_str code_text(struct rf_arena *arena)
{
    static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";
    uint8_t bytes[CODE_CHARS], *text = rf_arena_alloc(arena, CODE_CHARS);
    if (text == NULL) return (rf_str){0};
    random_bytes(bytes, sizeof bytes);
    for (size_t i = 0; i < CODE_CHARS; i++)
        text[i] = (uint8_t)alphabet[bytes[i] & ((1u << BITS_PER_CHAR) - 1)];
    explicit_bzero(bytes, sizeof bytes);
    return rf_str_make(text, CODE_CHARS);
}

/* As people type it: in capitals, with blanks around. */
static rf_str code_hash(struct rf_arena *arena, rf_str code)
{
    uint8_t lower[CODE_CHARS], digest[SHA256_BYTES];
    code = rf_str_trim(code);
    size_t len = RF_MIN(code.len, sizeof lower);
    for (size_t i = 0; i < len; i++) lower[i] = rf_lower(code.ptr[i]);
    digest_sha256(code.len == CODE_CHARS ? rf_str_make(lower, len) : RF_S(""), digest);
    explicit_bzero(lower, sizeof lower);
    return hex_encode(arena, rf_str_make(digest, sizeof digest));
}

static rf_str place_of(const struct hub_namespace *space, rf_str name, struct rf_arena *arena)
{
    rf_str id = device_id(space, name, arena);
    return id.ptr == NULL ? id : resource_key(arena, id);
}

enum rf_kind device_code_make(struct hub_namespace *space, rf_str name, rf_usec expires,
                              struct rf_arena *arena, rf_str *code, struct rf_err *err)
{
    struct json_node *node = json_new(arena, JSON_T_OBJECT);
    rf_str text = code_text(arena), place = place_of(space, name, arena);
    if (text.ptr == NULL || place.ptr == NULL) return rf_fail_memory(err, arena);
    json_set_text(arena, node, "code", code_hash(arena, text));
    if (json_set_i64(arena, node, "expires", expires) == NULL) return rf_fail_memory(err, arena);
    struct state_put put = {.space = space_name, .key = place, .body = json_to_text(arena, node)};
    if (put.body.ptr == NULL) return rf_fail_memory(err, arena);
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_write(space->hubs->options.state, &txn, err));
    RF_TRY(state_put(txn, &put, NULL, NULL, err));
    RF_TRY(state_finish(&txn, err));
    *code = text;
    return RF_OK;
}

enum rf_kind device_code_drop(struct state_txn *txn, rf_str id, struct rf_err *err)
{
    enum rf_kind kind = state_delete(txn, space_name, id, err);
    return kind == RF_NOT_FOUND ? RF_OK : kind;
}

/* One text for all: who guesses learns nothing of names. */
static enum rf_kind refused(struct rf_err *err)
{
    return RF_FAIL(err, RF_DENIED, "EnrolmentRefused",
                   "The device is not known, or its enrolment code is wrong, used or expired; ask "
                   "the operator for a new one (ringfort device enrol NAME --code).");
}

static enum rf_kind check_code(const struct hub_namespace *space, struct state_txn *txn,
                               rf_str name, rf_str code, struct rf_arena *arena, struct rf_err *err)
{
    struct state_object object;
    struct json_node *node;
    int64_t expires = 0;
    rf_str place = place_of(space, name, arena), hash = code_hash(arena, code);
    if (place.ptr == NULL || hash.ptr == NULL) return rf_fail_memory(err, arena);
    enum rf_kind kind = state_get(txn, space_name, place, arena, &object, err);
    if (kind == RF_NOT_FOUND) return refused(err);
    RF_TRY(kind);
    RF_TRY(json_parse(object.body, arena, &node, err));
    bool same = secret_equal(json_text_at(node, "code"), hash);
    bool lives = json_i64_at(node, "expires", &expires) &&
                 rf_clock_now(space->hubs->options.clock) < expires;
    return same && lives ? RF_OK : refused(err);
}

/* ---- enrolling -------------------------------------------------------------------------------------------------------- */

struct enrolment {
    struct hub_namespace *space;
    const struct device_leave *leave;
    struct rf_arena *arena;
    rf_str name, id;
};

/* The device as the transaction sees it, when it may have a certificate by this leave. */
static enum rf_kind admit(const struct enrolment *e, struct state_txn *txn,
                          struct arm_resource *out, struct rf_err *err)
{
    if (e->leave->code.len > 0)
        RF_TRY(check_code(e->space, txn, e->name, e->leave->code, e->arena, err));
    if (e->leave->serial.len > 0)
        RF_TRY(hub_devices_check(e->space, e->name, e->leave->serial, (rf_str){0}, err));
    RF_TRY(arm_get(e->space->hubs->options.arm, txn, e->id, e->arena, out, err));
    if (!device_is_revoked(out->body)) return RF_OK;
    return RF_FAIL(err, RF_CONFLICT, "DeviceRevoked",
                   "The device '%.*s' has been revoked; set its 'status' to Enabled first "
                   "(ringfort device enrol %.*s --again).",
                   RF_FMT(e->name), RF_FMT(e->name));
}

/* Before the keeper is asked: who has no leave must not have anything signed. */
static enum rf_kind look(const struct enrolment *e, int64_t *seconds, rf_str *name, rf_str *issuer,
                         struct rf_err *err)
{
    struct arm_resource device;
    int64_t days = DEVICE_CERTIFICATE_DAYS;
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_read(e->space->hubs->options.state, &txn, err));
    RF_TRY(admit(e, txn, &device, err));
    (void)json_i64_at(device.body, "properties.certificateDays", &days);
    *seconds = days * DAY_SECONDS;
    *name = device.name;
    *issuer = json_text_at(device.body, "properties.certificateIssuer");
    return RF_OK;
}

static enum rf_kind write_in(const struct enrolment *e, struct arm_call *call, rf_str der,
                             rf_str issuer, struct rf_err *err)
{
    struct arm_resource device, out;
    RF_TRY(admit(e, call->txn, &device, err));
    if (e->leave->code.len > 0) RF_TRY(device_code_drop(call->txn, device.key, err));
    RF_TRY(device_add_certificate(e->arena, device.body, der, issuer, call->now, err));
    return arm_put_in(call, e->id, device.body, &out, NULL, err);
}

static enum rf_kind write_down(const struct enrolment *e, rf_str der, rf_str issuer,
                               struct rf_err *err)
{
    struct arm_call call;
    RF_TRY(arm_begin(e->space->hubs->options.arm, e->leave->principal, e->arena, &call, err));
    enum rf_kind kind = write_in(e, &call, der, issuer, err);
    if (kind == RF_OK) kind = arm_commit(&call, err);
    arm_end(&call);
    return kind;
}

/* A name in the request must be the device's; one without a name, or with one that no device may have, says nothing. */
static enum rf_kind check_name(const struct csr *csr, rf_str name, struct rf_err *err)
{
    if (csr->common_name.len == 0 || rf_str_eq_nocase(csr->common_name, name)) return RF_OK;
    return RF_FAIL(err, RF_INVALID, "BadRequest",
                   "The certificate request is for '%.*s', not for the device '%.*s'; make it "
                   "with the subject CN=%.*s.",
                   RF_FMT(csr->common_name), RF_FMT(name), RF_FMT(name));
}

/* By the authority that the device's document names, or else by the installation's own. */
static enum rf_kind issue(const struct enrolment *e, rf_str issuer_name,
                          const struct device_order *order, struct device_issued *out,
                          struct rf_err *err)
{
    const struct hub_types *types = hub_types_of(e->space->hubs);
    const struct device_issuer *issuer;
    if (issuer_name.len > 0) {
        RF_TRY(device_issuer_need(e->space->hubs, &issuer, err));
        return issuer->issue(issuer->ctx, issuer_name, order, e->arena, &out->der, &out->authority,
                             err);
    }
    out->authority = types->authority;
    return keeper_device_issue(e->space->hubs->options.keeper, order, e->arena, &out->der, err);
}

enum rf_kind device_enrol(struct hub_namespace *space, rf_str name, rf_str csr_text,
                          const struct device_leave *leave, struct rf_arena *arena,
                          struct device_issued *out, struct rf_err *err)
{
    const struct hub_types *types = hub_types_of(space->hubs);
    struct enrolment e = {.space = space,
                          .leave = leave,
                          .arena = arena,
                          .name = name,
                          .id = device_id(space, name, arena)};
    struct csr csr;
    struct device_order order;
    struct device_issued made = {.name = name};
    if (e.id.ptr == NULL) return rf_fail_memory(err, arena);
    if (types == NULL || types->authority.len == 0)
        return RF_FAIL(err, RF_INVALID, "NoAuthority",
                       "This installation has no authority over devices.");
    rf_str issuer;
    RF_TRY(look(&e, &order.seconds, &order.name, &issuer, err));
    RF_TRY(csr_read(csr_text, arena, &csr, err));
    RF_TRY(check_name(&csr, order.name, err));
    order.public_key = csr.public_key;
    RF_TRY(issue(&e, issuer, &order, &made, err));
    RF_TRY(write_down(&e, made.der, issuer, err));
    *out = made;
    return RF_OK;
}
