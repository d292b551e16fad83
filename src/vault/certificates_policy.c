/* certificates_policy.c - policies of certificates: defaults, rules, how they are shown (contract 6.1). */
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include "vault/certificates_int.h"

enum {
    MONTHS_DEFAULT = 12,
    DAYS_OF_MONTH = 27,
    PERCENTAGE_DEFAULT = 80,
    BITS_DEFAULT = 2048,
    TEXT_BYTES_MAX = 255
};
static const char type_pfx[] = "application/x-pkcs12", type_pem[] = "application/x-pem-file";
const char *const vault_cert_usages[CERT_USAGES] = {
    "digitalSignature", "nonRepudiation", "keyEncipherment", "dataEncipherment", "keyAgreement",
    "keyCertSign",      "cRLSign",        "encipherOnly",    "decipherOnly"};
static const struct {
    const char *name;
    enum seal_material material;
    int bits, nid;
} curves[] = {{"P-256", SEAL_P256, 256, NID_X9_62_prime256v1},
              {"P-384", SEAL_P384, 384, NID_secp384r1},
              {"P-521", SEAL_P521, 521, NID_secp521r1},
              {"P-256K", SEAL_P256K, 256, NID_secp256k1},
              {"SECP256K1", SEAL_P256K, 256, NID_secp256k1}};

const char *vault_cert_curve(enum seal_material material)
{
    for (size_t i = 0; i < RF_COUNT(curves); i++)
        if (curves[i].material == material) return curves[i].name;
    return NULL;
}

bool vault_cert_is_self(const struct cert_policy *policy)
{
    return rf_str_eq_nocase(policy->issuer, RF_S("Self"));
}
bool vault_cert_is_unknown(const struct cert_policy *policy)
{
    return rf_str_eq_nocase(policy->issuer, RF_S("Unknown"));
}

unsigned vault_cert_ops(const struct cert_policy *policy)
{
    enum { SIGNS = 1 | 2 | 32 | 64, WRAPS = 4, ENCRYPTS = 8 };
    unsigned ops = 0;
    if (policy->usage == 0 || (policy->usage & SIGNS) != 0) ops |= SEAL_OP_SIGN | SEAL_OP_VERIFY;
    if (policy->material != SEAL_RSA) return ops;
    if (policy->usage == 0 || (policy->usage & WRAPS) != 0) ops |= SEAL_OP_WRAP | SEAL_OP_UNWRAP;
    if (policy->usage == 0 || (policy->usage & (WRAPS | ENCRYPTS)) != 0)
        ops |= SEAL_OP_ENCRYPT | SEAL_OP_DECRYPT;
    return ops;
}

/* ---- reading: each part of `in` into `out`, whole ------------------------------------------------------------------------- */

struct reading {
    struct vault_call *call;
    const struct json_node *in;
    struct json_node *out;
    struct cert_policy policy;
};

static enum rf_kind bad_value(struct reading *r, const char *name, const char *rule,
                              struct rf_err *err)
{
    return vault_bad(r->call, err, "Property 'policy.%s' has invalid value: %s.", name, rule);
}

static enum rf_kind read_number(struct reading *r, const struct json_node *object, const char *name,
                                int64_t *out, struct rf_err *err)
{
    struct json_node *member;
    RF_TRY(vault_member(r->call, object, name, JSON_T_NUMBER, &member, err));
    if (member == NULL) return RF_OK;
    return json_i64_at(object, name, out) ? RF_OK
                                          : bad_value(r, name, "it must be a whole number", err);
}

static enum rf_kind read_bool(struct reading *r, const struct json_node *object, const char *name,
                              bool *out, struct rf_err *err)
{
    struct json_node *member;
    RF_TRY(vault_member(r->call, object, name, JSON_T_TRUE, &member, err));
    if (member != NULL) *out = member->type == JSON_T_TRUE;
    return RF_OK;
}

static enum rf_kind read_text(struct reading *r, const struct json_node *object, const char *name,
                              rf_str *out, struct rf_err *err)
{
    struct json_node *member;
    RF_TRY(vault_member(r->call, object, name, JSON_T_STRING, &member, err));
    if (member != NULL) *out = member->text;
    return RF_OK;
}

static enum rf_kind read_ec(struct reading *r, rf_str curve, int64_t size, struct rf_err *err)
{
    struct cert_policy *policy = &r->policy;
    if (curve.len == 0 && size == 0) curve = RF_S("P-256");
    for (size_t i = 0; i < RF_COUNT(curves); i++) {
        bool fits = curve.len > 0 ? rf_str_eq_nocase(curve, rf_str_of(curves[i].name))
                                  : size == curves[i].bits;
        if (!fits) continue;
        if (size != 0 && size != curves[i].bits)
            return bad_value(r, "key_props.key_size", "it is not that of the curve", err);
        policy->material = curves[i].material;
        policy->bits = 0;
        return RF_OK;
    }
    return bad_value(r, "key_props.crv", "P-256, P-384, P-521 and P-256K are possible", err);
}

static enum rf_kind read_key_type(struct reading *r, const struct json_node *in, struct rf_err *err)
{
    rf_str kty = RF_S("RSA"), curve = {0};
    int64_t size = 0;
    RF_TRY(read_text(r, in, "kty", &kty, err));
    RF_TRY(read_text(r, in, "crv", &curve, err));
    RF_TRY(read_number(r, in, "key_size", &size, err));
    if (rf_str_is(kty, "EC")) return read_ec(r, curve, size, err);
    if (!rf_str_is(kty, "RSA"))
        return bad_value(r, "key_props.kty",
                         "RSA and EC are possible; there is no hardware for -HSM types", err);
    if (size == 0) size = BITS_DEFAULT;
    if (size != 2048 && size != 3072 && size != 4096)
        return bad_value(r, "key_props.key_size", "2048, 3072 and 4096 are possible with RSA", err);
    r->policy.material = SEAL_RSA;
    r->policy.bits = (uint32_t)size;
    return RF_OK;
}

static enum rf_kind read_key(struct reading *r, struct rf_err *err)
{
    struct rf_arena *arena = r->call->arena;
    struct cert_policy *policy = &r->policy;
    struct json_node *in, *out = json_object_in(arena, r->out, "key_props");
    policy->exportable = true;
    RF_TRY(vault_member(r->call, r->in, "key_props", JSON_T_OBJECT, &in, err));
    RF_TRY(read_bool(r, in, "exportable", &policy->exportable, err));
    RF_TRY(read_bool(r, in, "reuse_key", &policy->reuse_key, err));
    RF_TRY(read_key_type(r, in, err));
    const char *curve = vault_cert_curve(policy->material);
    int64_t bits = policy->bits;
    for (size_t i = 0; curve != NULL && bits == 0; i++)
        if (curves[i].material == policy->material) bits = curves[i].bits;
    json_set_bool(arena, out, "exportable", policy->exportable);
    json_set_text(arena, out, "kty", curve == NULL ? RF_S("RSA") : RF_S("EC"));
    json_set_i64(arena, out, "key_size", bits);
    if (curve != NULL) json_set_text(arena, out, "crv", rf_str_of(curve));
    return json_set_bool(arena, out, "reuse_key", policy->reuse_key) == NULL
               ? rf_fail_memory(err, arena)
               : RF_OK;
}

static enum rf_kind read_secret(struct reading *r, struct rf_err *err)
{
    struct rf_arena *arena = r->call->arena;
    struct json_node *in, *out = json_object_in(arena, r->out, "secret_props");
    rf_str type = rf_str_of(type_pfx);
    RF_TRY(vault_member(r->call, r->in, "secret_props", JSON_T_OBJECT, &in, err));
    RF_TRY(read_text(r, in, "contentType", &type, err));
    bool is_pem = rf_str_eq_nocase(type, rf_str_of(type_pem));
    if (!is_pem && !rf_str_eq_nocase(type, rf_str_of(type_pfx)))
        return bad_value(r, "secret_props.contentType",
                         "application/x-pkcs12 and application/x-pem-file are possible", err);
    r->policy.format = is_pem ? SEAL_PEM : SEAL_PFX;
    type = rf_str_of(is_pem ? type_pem : type_pfx);
    return json_set_text(arena, out, "contentType", type) == NULL ? rf_fail_memory(err, arena)
                                                                  : RF_OK;
}

/* ---- names and usage -------------------------------------------------------------------------------------------------------- */

static enum rf_kind read_names(struct reading *r, const struct json_node *in, struct json_node *out,
                               struct rf_err *err)
{
    struct rf_arena *arena = r->call->arena;
    struct json_node *sans;
    const char *why = NULL;
    X509_NAME *name;
    RF_TRY(read_text(r, in, "subject", &r->policy.subject, err));
    RF_TRY(vault_member(r->call, in, "sans", JSON_T_OBJECT, &sans, err));
    if (!vault_cert_subject(r->policy.subject, &name, &why))
        return vault_bad(r->call, err,
                         "Property 'policy.x509_props.subject' has invalid value: it %s.", why);
    bool has_subject = X509_NAME_entry_count(name) > 0;
    X509_NAME_free(name);
    if (!has_subject) r->policy.subject = (rf_str){0};
    GENERAL_NAMES *names = vault_cert_sans(sans, &why);
    bool has_names = names != NULL;
    sk_GENERAL_NAME_pop_free(names, GENERAL_NAME_free);
    if (!has_names && why != NULL) return bad_value(r, "x509_props.sans", why, err);
    if (!has_subject && !has_names)
        return bad_value(r, "x509_props",
                         "a subject (CN=example.org), or a name in sans, is required", err);
    r->policy.sans = sans;
    bool good = json_set_text(arena, out, "subject", r->policy.subject) != NULL;
    if (sans != NULL)
        good = json_set(arena, out, RF_S("sans"), json_clone(arena, sans)) != NULL && good;
    return good ? RF_OK : rf_fail_memory(err, arena);
}

static struct json_node *text_list(struct rf_arena *arena, const char *const *texts, size_t count)
{
    struct json_node *list = json_new(arena, JSON_T_ARRAY);
    for (size_t i = 0; i < count; i++)
        if (json_append(list, json_new_text(arena, rf_str_of(texts[i]))) == NULL) return NULL;
    return list;
}

static enum rf_kind read_ekus(struct reading *r, const struct json_node *in, struct json_node *out,
                              struct rf_err *err)
{
    static const char *const defaults[] = {"1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"};
    struct rf_arena *arena = r->call->arena;
    struct json_node *list;
    RF_TRY(vault_member(r->call, in, "ekus", JSON_T_ARRAY, &list, err));
    if (list == NULL) list = text_list(arena, defaults, RF_COUNT(defaults));
    if (list == NULL) return rf_fail_memory(err, arena);
    if (list->count > CERT_EKUS_MAX)
        return bad_value(r, "x509_props.ekus", "at most 50 are possible", err);
    for (const struct json_node *item = list->first; item != NULL; item = item->next) {
        bool good = item->type == JSON_T_STRING && vault_cert_is_oid(item->text);
        if (good) {
            char text[160];
            (void)snprintf(text, sizeof text, "%.*s", RF_FMT(item->text));
            ASN1_OBJECT *object = OBJ_txt2obj(text, 1);
            good = object != NULL;
            ASN1_OBJECT_free(object);
            ERR_clear_error();
        }
        if (!good)
            return bad_value(r, "x509_props.ekus",
                             "each is an object identifier such as 1.3.6.1.5.5.7.3.1", err);
    }
    r->policy.ekus = list;
    return json_set(arena, out, RF_S("ekus"), json_clone(arena, list)) == NULL
               ? rf_fail_memory(err, arena)
               : RF_OK;
}

static enum rf_kind read_usage(struct reading *r, const struct json_node *in, struct json_node *out,
                               struct rf_err *err)
{
    struct rf_arena *arena = r->call->arena;
    struct json_node *given, *list = json_new(arena, JSON_T_ARRAY);
    unsigned usage = r->policy.material == SEAL_RSA ? 1 | 4 : 1;
    RF_TRY(vault_member(r->call, in, "key_usage", JSON_T_ARRAY, &given, err));
    if (given != NULL) usage = 0;
    for (const struct json_node *item = given == NULL ? NULL : given->first; item != NULL;
         item = item->next) {
        int bit = 0;
        while (bit < CERT_USAGES &&
               !(item->type == JSON_T_STRING &&
                 rf_str_eq_nocase(item->text, rf_str_of(vault_cert_usages[bit]))))
            bit++;
        if (bit == CERT_USAGES)
            return bad_value(r, "x509_props.key_usage",
                             "possible are digitalSignature, nonRepudiation, keyEncipherment, "
                             "dataEncipherment, keyAgreement, keyCertSign, cRLSign, encipherOnly "
                             "and decipherOnly",
                             err);
        usage |= 1u << bit;
    }
    for (int bit = 0; bit < CERT_USAGES; bit++)
        if ((usage & 1u << bit) != 0)
            json_append(list, json_new_text(arena, rf_str_of(vault_cert_usages[bit])));
    r->policy.usage = usage;
    return json_set(arena, out, RF_S("key_usage"), list) == NULL ? rf_fail_memory(err, arena)
                                                                 : RF_OK;
}

static enum rf_kind read_x509(struct reading *r, struct rf_err *err)
{
    struct rf_arena *arena = r->call->arena;
    struct json_node *in, *constraints, *out = json_object_in(arena, r->out, "x509_props");
    r->policy.months = MONTHS_DEFAULT;
    RF_TRY(vault_member(r->call, r->in, "x509_props", JSON_T_OBJECT, &in, err));
    RF_TRY(read_names(r, in, out, err));
    RF_TRY(read_ekus(r, in, out, err));
    RF_TRY(read_usage(r, in, out, err));
    RF_TRY(read_number(r, in, "validity_months", &r->policy.months, err));
    if (r->policy.months < 1 || r->policy.months > CERT_MONTHS_MAX)
        return bad_value(r, "x509_props.validity_months", "1 to 1200 are possible", err);
    RF_TRY(vault_member(r->call, in, "basic_constraints", JSON_T_OBJECT, &constraints, err));
    RF_TRY(read_bool(r, constraints, "ca", &r->policy.is_ca, err));
    json_set_i64(arena, out, "validity_months", r->policy.months);
    struct json_node *shown = json_object_in(arena, out, "basic_constraints");
    return json_set_bool(arena, shown, "ca", r->policy.is_ca) == NULL ? rf_fail_memory(err, arena)
                                                                      : RF_OK;
}

/* ---- lifetime ----------------------------------------------------------------------------------------------------------------- */

static enum rf_kind read_trigger(struct reading *r, const struct json_node *in,
                                 struct cert_action *out, struct rf_err *err)
{
    struct json_node *trigger;
    RF_TRY(vault_member(r->call, in, "trigger", JSON_T_OBJECT, &trigger, err));
    RF_TRY(read_number(r, trigger, "lifetime_percentage", &out->percentage, err));
    RF_TRY(read_number(r, trigger, "days_before_expiry", &out->days_before, err));
    bool by_percentage = json_get(trigger, "lifetime_percentage") != NULL &&
                         !json_is(json_get(trigger, "lifetime_percentage"), JSON_T_NULL);
    bool by_days = json_get(trigger, "days_before_expiry") != NULL &&
                   !json_is(json_get(trigger, "days_before_expiry"), JSON_T_NULL);
    if (by_percentage == by_days)
        return bad_value(r, "lifetime_actions.trigger",
                         "it has exactly one of lifetime_percentage and days_before_expiry", err);
    if (by_percentage && (out->percentage < 1 || out->percentage > 99))
        return bad_value(r, "lifetime_actions.trigger.lifetime_percentage", "1 to 99 are possible",
                         err);
    if (by_days && (out->days_before < 1 || out->days_before > r->policy.months * DAYS_OF_MONTH))
        return bad_value(r, "lifetime_actions.trigger.days_before_expiry",
                         "it is at least 1, and at most validity_months times 27", err);
    return RF_OK;
}

static enum rf_kind read_action(struct reading *r, const struct json_node *in, struct rf_err *err)
{
    struct cert_policy *policy = &r->policy;
    struct cert_action *out = &policy->actions[policy->action_count];
    struct json_node *action;
    rf_str type = {0};
    if (!json_is(in, JSON_T_OBJECT))
        return bad_value(r, "lifetime_actions", "it is an array of objects", err);
    *out = (struct cert_action){.renews = false};
    RF_TRY(vault_member(r->call, in, "action", JSON_T_OBJECT, &action, err));
    RF_TRY(read_text(r, action, "action_type", &type, err));
    out->renews = rf_str_eq_nocase(type, RF_S("AutoRenew"));
    if (!out->renews && !rf_str_eq_nocase(type, RF_S("EmailContacts")))
        return bad_value(r, "lifetime_actions.action.action_type",
                         "AutoRenew and EmailContacts are possible", err);
    if (out->renews && vault_cert_is_unknown(policy))
        return bad_value(r, "lifetime_actions.action.action_type",
                         "AutoRenew is not possible with the issuer Unknown", err);
    if (policy->action_count == 1 && policy->actions[0].renews == out->renews)
        return bad_value(r, "lifetime_actions", "each type of action is possible once", err);
    RF_TRY(read_trigger(r, in, out, err));
    policy->action_count++;
    return RF_OK;
}

static enum rf_kind show_actions(struct reading *r, struct rf_err *err)
{
    struct rf_arena *arena = r->call->arena;
    struct json_node *list = json_new(arena, JSON_T_ARRAY);
    bool good = json_set(arena, r->out, RF_S("lifetime_actions"), list) != NULL;
    for (uint32_t i = 0; i < r->policy.action_count; i++) {
        const struct cert_action *each = &r->policy.actions[i];
        struct json_node *node = json_new(arena, JSON_T_OBJECT);
        struct json_node *trigger = json_object_in(arena, node, "trigger");
        struct json_node *action = json_object_in(arena, node, "action");
        good =
            (each->percentage > 0
                 ? json_set_i64(arena, trigger, "lifetime_percentage", each->percentage)
                 : json_set_i64(arena, trigger, "days_before_expiry", each->days_before)) != NULL &&
            json_set_text(arena, action, "action_type",
                          each->renews ? RF_S("AutoRenew") : RF_S("EmailContacts")) != NULL &&
            json_append(list, node) != NULL && good;
    }
    return good ? RF_OK : rf_fail_memory(err, arena);
}

static enum rf_kind read_actions(struct reading *r, struct rf_err *err)
{
    struct json_node *list;
    RF_TRY(vault_member(r->call, r->in, "lifetime_actions", JSON_T_ARRAY, &list, err));
    if (list == NULL) {
        r->policy.actions[0] = (struct cert_action){.renews = !vault_cert_is_unknown(&r->policy),
                                                    .percentage = PERCENTAGE_DEFAULT};
        r->policy.action_count = 1;
    } else if (list->count > CERT_ACTIONS_MAX) {
        return bad_value(r, "lifetime_actions", "at most 2 are possible", err);
    }
    for (const struct json_node *item = list == NULL ? NULL : list->first; item != NULL;
         item = item->next)
        RF_TRY(read_action(r, item, err));
    return show_actions(r, err);
}

static enum rf_kind read_issuer(struct reading *r, struct rf_err *err)
{
    struct rf_arena *arena = r->call->arena;
    struct json_node *in, *transparency, *out = json_object_in(arena, r->out, "issuer");
    rf_str type = {0};
    r->policy.issuer = RF_S("Self");
    RF_TRY(vault_member(r->call, r->in, "issuer", JSON_T_OBJECT, &in, err));
    RF_TRY(read_text(r, in, "name", &r->policy.issuer, err));
    RF_TRY(read_text(r, in, "cty", &type, err));
    RF_TRY(vault_member(r->call, in, "cert_transparency", JSON_T_TRUE, &transparency, err));
    if (vault_cert_is_self(&r->policy)) r->policy.issuer = RF_S("Self");
    if (vault_cert_is_unknown(&r->policy)) r->policy.issuer = RF_S("Unknown");
    if (!vault_name_is(r->policy.issuer) || type.len > TEXT_BYTES_MAX)
        return bad_value(r, "issuer.name",
                         "it is Self, Unknown, or the name of an issuer of this vault", err);
    bool good = json_set_text(arena, out, "name", r->policy.issuer) != NULL;
    if (type.len > 0) good = json_set_text(arena, out, "cty", type) != NULL && good;
    if (transparency != NULL)
        good = json_set_bool(arena, out, "cert_transparency", transparency->type == JSON_T_TRUE) !=
                   NULL &&
               good;
    return good ? RF_OK : rf_fail_memory(err, arena);
}

static enum rf_kind read_all(struct reading *r, struct rf_err *err)
{
    RF_TRY(read_key(r, err));
    RF_TRY(read_secret(r, err));
    RF_TRY(read_issuer(r, err));
    RF_TRY(read_x509(r, err));
    return read_actions(r, err);
}

/* ---- the whole -------------------------------------------------------------------------------------------------------------------- */

/* A member of `given` replaces that of `base`, an object member by member; null counts as absent. */
static bool merge(struct rf_arena *arena, struct json_node *base, const struct json_node *given,
                  bool deep)
{
    bool good = true;
    for (const struct json_node *each = given->first; each != NULL; each = each->next) {
        struct json_node *there = json_get_str(base, each->name);
        if (each->type == JSON_T_NULL) continue;
        if (deep && json_is(there, JSON_T_OBJECT) && each->type == JSON_T_OBJECT)
            good = merge(arena, there, each, false) && good;
        else
            good = json_set(arena, base, each->name, json_clone(arena, each)) != NULL && good;
    }
    return good;
}

/* Size and curve go with the type that they were given for. */
static void forget_size(struct json_node *base, const struct json_node *given)
{
    struct json_node *key = json_get(base, "key_props");
    const struct json_node *wanted = json_get(given, "key_props");
    rf_str kty = json_text_at(wanted, "kty"), curve = json_text_at(wanted, "crv");
    bool other = kty.len > 0 && !rf_str_eq(kty, json_text_at(key, "kty"));
    if (key == NULL || (!other && curve.len == 0 && json_get(wanted, "key_size") == NULL)) return;
    json_remove(key, RF_S("key_size"));
    json_remove(key, RF_S("crv"));
}

enum rf_kind vault_cert_policy_read(struct vault_call *call, const struct json_node *given,
                                    const struct json_node *base, struct json_node **out,
                                    struct cert_policy *parsed, struct rf_err *err)
{
    struct rf_arena *arena = call->arena;
    struct json_node *whole =
        base == NULL ? json_new(arena, JSON_T_OBJECT) : json_clone(arena, base);
    struct reading r = {.call = call, .in = whole, .out = json_new(arena, JSON_T_OBJECT)};
    if (whole == NULL || r.out == NULL) return rf_fail_memory(err, arena);
    forget_size(whole, given);
    if (given != NULL && !merge(arena, whole, given, true)) return rf_fail_memory(err, arena);
    RF_TRY(read_all(&r, err));
    int64_t created = call->now;
    (void)json_i64_at(base, "attributes.created", &created);
    struct json_node *attributes = json_object_in(arena, r.out, "attributes");
    bool good = json_set_bool(arena, attributes, "enabled", true) != NULL &&
                json_set_i64(arena, attributes, "created", created) != NULL &&
                json_set_i64(arena, attributes, "updated", call->now) != NULL;
    if (!good) return rf_fail_memory(err, arena);
    *out = r.out;
    if (parsed != NULL) *parsed = r.policy;
    return RF_OK;
}

enum rf_kind vault_cert_policy_of(struct vault_call *call, const struct json_node *stored,
                                  struct cert_policy *out, struct rf_err *err)
{
    struct json_node *again;
    return vault_cert_policy_read(call, NULL, stored, &again, out, err);
}

struct json_node *vault_cert_policy_show(struct vault_call *call, const struct vault_item *item)
{
    struct rf_arena *arena = call->arena;
    const struct json_node *stored = vault_cert_more(item, "policy");
    struct json_node *out = json_new(arena, JSON_T_OBJECT);
    rf_str id = rf_arena_printf(arena, "%.*s/certificates/%.*s/policy", RF_FMT(call->base),
                                RF_FMT(item->name));
    if (id.ptr == NULL || json_set_text(arena, out, "id", id) == NULL) return NULL;
    for (const struct json_node *each = stored == NULL ? NULL : stored->first; each != NULL;
         each = each->next)
        if (json_set(arena, out, each->name, json_clone(arena, each)) == NULL) return NULL;
    return out;
}
