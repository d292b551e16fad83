/* cli_cert_make.c - ringfort cert create, renew, import, merge, csr: versions of a certificate on their way. */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/encode.h"
#include "base/fs.h"
#include "cli/cli.h"
#include "cli/cli_cert.h"

enum { WAIT_SECONDS_MAX = 600, WAIT_MS_FIRST = 100, WAIT_MS_MAX = 2000, CHAIN_MAX = 32 };
#define PEM_TYPE "application/x-pem-file"

static enum rf_kind path_of(struct cli_vault *v, const char *behind, rf_str *out,
                            struct rf_err *err)
{
    return cli_vault_path(v->arena, "certificates", rf_str_of(v->words[0]), (rf_str){NULL, 0},
                          behind, out, err);
}

/* ---- a policy of options -------------------------------------------------------------------------------------------------- */

static bool put_names(struct cli_vault *v, int option, const char *member, struct json_node *sans)
{
    if (v->values[option] == NULL) return true;
    struct json_node *list = json_new(v->arena, JSON_T_ARRAY);
    for (uint32_t i = 0; i < v->many_count; i++)
        if (v->many[i].option == option)
            (void)json_append(list, json_new_text(v->arena, rf_str_of(v->many[i].value)));
    return json_set(v->arena, sans, rf_str_of(member), list) != NULL;
}

static enum rf_kind put_number(struct cli_vault *v, int option, const char *member,
                               struct json_node *object, struct rf_err *err)
{
    if (v->values[option] == NULL) return RF_OK;
    char *end;
    long number = strtol(v->values[option], &end, 10);
    if (*end != '\0' || number <= 0 || number > 1 << 20)
        return cli_vault_wrong(v, err, "--%s: '%s' is no number",
                               v->command->usage.options[option].name, v->values[option]);
    return json_set_i64(v->arena, object, member, number) == NULL ? rf_fail_memory(err, v->arena)
                                                                  : RF_OK;
}

static void put_text(struct cli_vault *v, int option, const char *member, struct json_node *object)
{
    if (v->values[option] != NULL)
        json_set_text(v->arena, object, member, rf_str_of(v->values[option]));
}

static enum rf_kind fill_policy(struct cli_vault *v, struct json_node *policy, struct rf_err *err)
{
    struct rf_arena *arena = v->arena;
    struct json_node *x509 = json_object_in(arena, policy, "x509_props");
    struct json_node *key = json_object_in(arena, policy, "key_props");
    struct json_node *issuer = json_object_in(arena, policy, "issuer");
    if (v->values[CERT_SELF_SIGNED] != NULL) json_set_text(arena, issuer, "name", RF_S("Self"));
    put_text(v, CERT_ISSUER, "name", issuer);
    put_text(v, CERT_SUBJECT, "subject", x509);
    put_text(v, CERT_KTY, "kty", key);
    put_text(v, CERT_CURVE, "crv", key);
    if (v->values[CERT_CURVE] != NULL && v->values[CERT_KTY] == NULL)
        json_set_text(arena, key, "kty", RF_S("EC"));
    if (v->values[CERT_REUSE_KEY] != NULL) json_set_bool(arena, key, "reuse_key", true);
    if (v->values[CERT_PEM] != NULL)
        json_set_text(arena, json_object_in(arena, policy, "secret_props"), "contentType",
                      RF_S(PEM_TYPE));
    RF_TRY(put_number(v, CERT_SIZE, "key_size", key, err));
    RF_TRY(put_number(v, CERT_VALIDITY, "validity_months", x509, err));
    if (v->values[CERT_DNS] == NULL && v->values[CERT_IP] == NULL) return RF_OK;
    struct json_node *sans = json_object_in(arena, x509, "sans");
    return put_names(v, CERT_DNS, "dns_names", sans) && put_names(v, CERT_IP, "ipAddresses", sans)
               ? RF_OK
               : rf_fail_memory(err, arena);
}

static enum rf_kind put_tags(struct cli_vault *v, struct json_node *body, struct rf_err *err)
{
    const struct cli_vault_attributes attributes = {-1, -1, -1, CERT_TAG};
    return cli_vault_attributes(v, &attributes, body, err);
}

/* ---- waiting ---------------------------------------------------------------------------------------------------------------- */

static void nap(uint32_t ms)
{
    struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    while (nanosleep(&left, &left) != 0) continue;
}

static enum rf_kind failed(const struct cli_vault *v, const struct json_node *operation,
                           struct rf_err *err)
{
    rf_str status = json_text_at(operation, "status"),
           why = json_text_at(operation, "error.message");
    if (why.len == 0) why = json_text_at(operation, "status_details");
    return RF_FAIL(err, RF_INVALID, "NotIssued", "the certificate '%s' %s%.*s: %.*s", v->words[0],
                   rf_str_is(status, "failed") ? "" : "is ", RF_FMT(status), RF_FMT(why));
}

/* Until the version is there. What waits for an authority outside waits for a person: that is told. */
static enum rf_kind wait_for_it(struct cli_vault *v, struct json_node *operation,
                                struct rf_err *err)
{
    rf_str path, bundle_path;
    struct json_node *bundle;
    uint32_t passed = 0, ms = WAIT_MS_FIRST;
    RF_TRY(path_of(v, "/pending", &path, err));
    RF_TRY(path_of(v, "/", &bundle_path, err));
    while (rf_str_is(json_text_at(operation, "status"), "inProgress")) {
        if (rf_str_is(json_text_at(operation, "issuer.name"), "Unknown")) {
            cli_say(
                "the certificate '%s' waits for its authority: 'ringfort cert csr %s' gives the "
                "request, 'ringfort cert merge %s --file CHAIN' takes what comes back",
                v->words[0], v->words[0], v->words[0]);
            return RF_OK;
        }
        if (passed > WAIT_SECONDS_MAX * 1000)
            return RF_FAIL(err, RF_AGAIN, "TimedOut", "the certificate '%s' is still being made",
                           v->words[0]);
        nap(ms);
        passed += ms;
        ms = RF_MIN(ms * 2, (uint32_t)WAIT_MS_MAX);
        RF_TRY(cli_vault_ask(&v->at, "GET", path, NULL, &operation, err));
    }
    if (!rf_str_is(json_text_at(operation, "status"), "completed"))
        return failed(v, operation, err);
    RF_TRY(cli_vault_ask(&v->at, "GET", bundle_path, NULL, &bundle, err));
    return cli_vault_print_one(v, bundle, err);
}

static enum rf_kind show_operation(struct cli_vault *v, const struct json_node *operation,
                                   struct rf_err *err)
{
    (void)err;
    if (v->format == CLI_JSON) {
        cli_print_json(operation, v->arena);
        return RF_OK;
    }
    rf_str details = json_text_at(operation, "status_details");
    printf("%.*s%s%.*s\n", RF_FMT(json_text_at(operation, "status")), details.len > 0 ? ": " : "",
           RF_FMT(details));
    return RF_OK;
}

enum rf_kind cli_cert_pending(struct cli_vault *v, struct rf_err *err)
{
    rf_str path;
    struct json_node *operation;
    RF_TRY(path_of(v, "/pending", &path, err));
    RF_TRY(cli_vault_ask(&v->at, "GET", path, NULL, &operation, err));
    return show_operation(v, operation, err);
}

/* ---- create, renew ------------------------------------------------------------------------------------------------------------ */

static enum rf_kind read_policy(struct cli_vault *v, struct json_node **out, struct rf_err *err)
{
    rf_str text;
    struct rf_err why = {0};
    *out = json_new(v->arena, JSON_T_OBJECT);
    if (v->values[CERT_POLICY] != NULL) {
        RF_TRY(cli_vault_read(v->values[CERT_POLICY], v->arena, &text, err));
        if (json_parse(text, v->arena, out, &why) != RF_OK || !json_is(*out, JSON_T_OBJECT))
            return RF_FAIL(err, RF_INVALID, "BadPolicy", "%s is no policy in JSON: %s",
                           v->values[CERT_POLICY], why.code == NULL ? "no object" : why.text);
    }
    return *out == NULL ? rf_fail_memory(err, v->arena) : fill_policy(v, *out, err);
}

enum rf_kind cli_cert_create(struct cli_vault *v, struct rf_err *err)
{
    rf_str path;
    struct json_node *body = json_new(v->arena, JSON_T_OBJECT), *policy, *operation;
    if (v->values[CERT_SELF_SIGNED] != NULL && v->values[CERT_ISSUER] != NULL)
        return cli_vault_wrong(v, err, "--self-signed or --issuer, not both");
    RF_TRY(path_of(v, "/create", &path, err));
    RF_TRY(read_policy(v, &policy, err));
    if (json_text_at(policy, "issuer.name").len == 0)
        return cli_vault_wrong(v, err,
                               "--self-signed or --issuer I is needed; --issuer Unknown makes a "
                               "request for an authority outside");
    if (json_set(v->arena, body, RF_S("policy"), policy) == NULL)
        return rf_fail_memory(err, v->arena);
    RF_TRY(put_tags(v, body, err));
    RF_TRY(cli_vault_ask(&v->at, "POST", path, body, &operation, err));
    if (v->values[CERT_WAIT] != NULL) return wait_for_it(v, operation, err);
    return show_operation(v, operation, err);
}

/* A new version by the policy and with the tags of the latest. */
enum rf_kind cli_cert_renew(struct cli_vault *v, struct rf_err *err)
{
    rf_str path, latest;
    struct json_node *body = json_new(v->arena, JSON_T_OBJECT), *bundle, *operation;
    RF_TRY(path_of(v, "/", &latest, err));
    RF_TRY(path_of(v, "/create", &path, err));
    RF_TRY(cli_vault_ask(&v->at, "GET", latest, NULL, &bundle, err));
    struct json_node *policy = json_get(bundle, "policy"), *tags = json_get(bundle, "tags");
    if (!json_is(policy, JSON_T_OBJECT))
        return RF_FAIL(err, RF_INVALID, "BadAnswer", "the certificate '%s' has no policy",
                       v->words[0]);
    policy = json_clone(v->arena, policy);
    json_remove(policy, RF_S("id"));
    json_remove(policy, RF_S("attributes"));
    if (json_set(v->arena, body, RF_S("policy"), policy) == NULL)
        return rf_fail_memory(err, v->arena);
    if (json_is(tags, JSON_T_OBJECT))
        json_set(v->arena, body, RF_S("tags"), json_clone(v->arena, tags));
    RF_TRY(cli_vault_ask(&v->at, "POST", path, body, &operation, err));
    return wait_for_it(v, operation, err);
}

/* ---- from elsewhere -------------------------------------------------------------------------------------------------------------- */

enum rf_kind cli_cert_import(struct cli_vault *v, struct rf_err *err)
{
    rf_str path, file, password = {NULL, 0};
    struct json_node *body = json_new(v->arena, JSON_T_OBJECT), *bundle;
    if (v->values[CERT_FILE] == NULL)
        return cli_vault_wrong(v, err, "--file FILE says which certificate (PFX, or PEM with key)");
    RF_TRY(path_of(v, "/import", &path, err));
    if (v->values[CERT_PASSWORD] != NULL)
        RF_TRY(cli_vault_type("password: ", false, v->arena, &password, err));
    RF_TRY(rf_fs_read_all(rf_fs_real(), v->values[CERT_FILE], CLI_VAULT_VALUE_MAX, v->arena, &file,
                          err));
    bool pem = rf_str_find(file, RF_S("-----BEGIN "), 0) != SIZE_MAX;
    rf_str value = pem ? file : base64_encode(v->arena, file);
    json_set_text(v->arena, body, "value", value);
    if (password.len > 0) json_set_text(v->arena, body, "pwd", password);
    if (pem) {
        struct json_node *policy = json_object_in(v->arena, body, "policy");
        json_set_text(v->arena, json_object_in(v->arena, policy, "secret_props"), "contentType",
                      RF_S(PEM_TYPE));
    }
    if (value.ptr == NULL || body == NULL) return rf_fail_memory(err, v->arena);
    RF_TRY(put_tags(v, body, err));
    RF_TRY(cli_vault_ask(&v->at, "POST", path, body, &bundle, err));
    return cli_vault_print_one(v, bundle, err);
}

/* The certificates of a file in PEM or, one, in DER as base64 texts. */
static enum rf_kind read_chain(struct cli_vault *v, rf_str text, struct json_node *list,
                               struct rf_err *err)
{
    bool pem = rf_str_find(text, RF_S("-----BEGIN "), 0) != SIZE_MAX;
    BIO *bio = BIO_new_mem_buf(text.ptr, (int)text.len);
    bool good = bio != NULL;
    for (uint32_t count = 0; good && count < CHAIN_MAX; count++) {
        X509 *cert = pem ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : d2i_X509_bio(bio, NULL);
        uint8_t *der = NULL;
        int len = cert == NULL ? 0 : i2d_X509(cert, &der);
        X509_free(cert);
        if (len <= 0) break;
        rf_str encoded = base64_encode(v->arena, rf_str_make(der, (size_t)len));
        OPENSSL_free(der);
        good = encoded.ptr != NULL && json_append(list, json_new_text(v->arena, encoded)) != NULL;
        if (!pem) break;
    }
    BIO_free(bio);
    ERR_clear_error();
    if (!good) return rf_fail_memory(err, v->arena);
    if (list->count > 0) return RF_OK;
    return RF_FAIL(err, RF_INVALID, "BadCertificate", "%s holds no certificate in PEM or DER",
                   v->values[CERT_FILE]);
}

enum rf_kind cli_cert_merge(struct cli_vault *v, struct rf_err *err)
{
    rf_str path, text;
    struct json_node *body = json_new(v->arena, JSON_T_OBJECT), *bundle;
    struct json_node *list = json_new(v->arena, JSON_T_ARRAY);
    if (v->values[CERT_FILE] == NULL)
        return cli_vault_wrong(v, err, "--file CHAIN says what the authority gave");
    RF_TRY(path_of(v, "/pending/merge", &path, err));
    RF_TRY(cli_vault_read(v->values[CERT_FILE], v->arena, &text, err));
    if (list == NULL || body == NULL) return rf_fail_memory(err, v->arena);
    RF_TRY(read_chain(v, text, list, err));
    if (json_set(v->arena, body, RF_S("x5c"), list) == NULL) return rf_fail_memory(err, v->arena);
    RF_TRY(cli_vault_ask(&v->at, "POST", path, body, &bundle, err));
    return cli_vault_print_one(v, bundle, err);
}

enum rf_kind cli_cert_csr(struct cli_vault *v, struct rf_err *err)
{
    enum { LINE = 64 };
    rf_str path;
    struct json_node *operation;
    RF_TRY(path_of(v, "/pending", &path, err));
    RF_TRY(cli_vault_ask(&v->at, "GET", path, NULL, &operation, err));
    rf_str csr = json_text_at(operation, "csr");
    if (csr.len == 0)
        return RF_FAIL(err, RF_NOT_FOUND, "NoRequest", "the certificate '%s' has no request",
                       v->words[0]);
    printf("-----BEGIN CERTIFICATE REQUEST-----\n");
    for (size_t at = 0; at < csr.len; at += LINE)
        printf("%.*s\n", RF_FMT(rf_slice(csr, at, RF_MIN(csr.len, at + LINE))));
    printf("-----END CERTIFICATE REQUEST-----\n");
    return RF_OK;
}
