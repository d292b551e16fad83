/* cli_cert.c - ringfort cert: the certificates of a vault. */
#include "cli/cli_cert.h"

#include <stdio.h>

#include "base/encode.h"
#include "cli/cli.h"
#include "cli/cli_list.h"
#include "crypt/x509.h"

static const struct cli_option options[] = {
    [CERT_SELF_SIGNED] = {"self-signed", NULL, "create: signed by itself"},
    [CERT_ISSUER] = {"issuer", "I",
                     "create: an issuer of the vault; Unknown: an authority outside, by csr and "
                     "merge"},
    [CERT_SUBJECT] = {"subject", "S", "create: \"CN=www.example, O=Example, C=DE\""},
    [CERT_DNS] = {"dns", "NAME", "create: a name that it is for; may be repeated"},
    [CERT_IP] = {"ip", "ADDRESS", "create: an address that it is for; may be repeated"},
    [CERT_POLICY] = {"policy", "FILE", "create: the policy in JSON, which other options change"},
    [CERT_VALIDITY] = {"validity", "MONTHS", "create: how long it is good (12)"},
    [CERT_KTY] = {"kty", "TYPE", "create: RSA or EC"},
    [CERT_SIZE] = {"size", "BITS", "create: 2048, 3072 or 4096 (RSA)"},
    [CERT_CURVE] = {"curve", "CURVE", "create: P-256, P-384, P-521 (EC)"},
    [CERT_REUSE_KEY] = {"reuse-key", NULL, "create: new versions keep the key"},
    [CERT_TAG] = {"tag", "NAME=VALUE", "create, import: a tag; may be repeated"},
    [CERT_WAIT] = {"wait", NULL, "create: until it is issued"},
    [CERT_FILE] = {"file", "FILE",
                   "import: PFX, or PEM with key; merge: the chain; issuer set: JSON; restore: the "
                   "backup"},
    [CERT_PASSWORD] = {"password-stdin", NULL,
                       "import: the password of the PFX is read from standard input"},
    [CERT_VERSION] = {"version", "V", "this version, not the latest"},
    [CERT_PEM] = {"pem", NULL,
                  "get: PEM (unless --der); create: its secret is PEM, not PFX; issuer show: the "
                  "authority's certificate"},
    [CERT_DER] = {"der", NULL, "get: DER"},
    [CERT_OUT] = {"out", "FILE", "get: write it there, with its key mode 0600; backup: where to"},
    [CERT_FORCE] = {"force", NULL, "write over FILE when it is there"},
    [CERT_WITH_KEY] = {"with-key", NULL,
                       "get: with key and chain, into --out only: PFX without password, or PEM"},
    [CERT_PROVIDER] = {"provider", "P", "issuer set: Ringfort-CA, the vault's own authority"},
    [CERT_REASON] = {"reason", "R",
                     "revoke, issuer revoke: unspecified, keyCompromise, superseded, "
                     "cessationOfOperation, ..."},
    [CERT_SERIAL] = {"serial", "HEX", "issuer revoke: which of its certificates"},
    [CERT_REVOKED] = {"revoked", NULL, "issuer issued: those that are revoked"},
    [CERT_DAYS] = {"days", "N", "expiring: what ends within so many days (30)"},
    [CERT_DELETED] = {"deleted", NULL, "list: those that are deleted and not purged yet"},
    CLI_VAULT_OPTIONS(CERT_COMMON),
};

static enum rf_kind path_of(struct cli_vault *v, rf_str version, const char *behind, rf_str *out,
                            struct rf_err *err)
{
    return cli_vault_path(v->arena, "certificates", rf_str_of(v->words[0]), version, behind, out,
                          err);
}

/* ---- looking -------------------------------------------------------------------------------------------------------------- */

static enum rf_kind fetch(struct cli_vault *v, struct json_node **out, struct rf_err *err)
{
    rf_str path, version = cli_vault_text(v->values[CERT_VERSION]);
    RF_TRY(path_of(v, version.len > 0 ? version : RF_S(""), NULL, &path, err));
    return cli_vault_ask(&v->at, "GET", path, NULL, out, err);
}

static enum rf_kind show(struct cli_vault *v, struct rf_err *err)
{
    struct json_node *bundle;
    RF_TRY(fetch(v, &bundle, err));
    return cli_vault_print_one(v, bundle, err);
}

static enum rf_kind give(struct cli_vault *v, rf_str bytes, unsigned mode, struct rf_err *err)
{
    const char *out = v->values[CERT_OUT];
    if (out != NULL) return cli_vault_write(out, bytes, mode, v->values[CERT_FORCE] != NULL, err);
    (void)fwrite(bytes.ptr, 1, bytes.len, stdout);
    return RF_OK;
}

/* Key and chain, as the secret holds them; --pem turns a PFX into PEM. */
static enum rf_kind get_with_key(struct cli_vault *v, struct rf_err *err)
{
    rf_str path, bytes, version = cli_vault_text(v->values[CERT_VERSION]);
    struct json_node *secret;
    if (v->values[CERT_OUT] == NULL)
        return cli_vault_wrong(v, err, "--with-key needs --out FILE: a key is not printed");
    if (v->values[CERT_DER] != NULL)
        return cli_vault_wrong(v, err, "--with-key gives PFX or --pem, not --der");
    const char *query = v->values[CERT_PEM] == NULL ? "" : "?outContentType=application/x-pem-file";
    RF_TRY(cli_vault_path(v->arena, "secrets", rf_str_of(v->words[0]),
                          version.len > 0 ? version : RF_S(""), query, &path, err));
    RF_TRY(cli_vault_ask(&v->at, "GET", path, NULL, &secret, err));
    rf_str value = json_text_at(secret, "value");
    if (rf_str_find(value, RF_S("-----BEGIN "), 0) != SIZE_MAX) return give(v, value, 0600, err);
    RF_TRY(base64_decode(v->arena, value, &bytes, err));
    return give(v, bytes, 0600, err);
}

static enum rf_kind get(struct cli_vault *v, struct rf_err *err)
{
    struct json_node *bundle;
    rf_str der;
    if (v->values[CERT_PEM] != NULL && v->values[CERT_DER] != NULL)
        return cli_vault_wrong(v, err, "--pem or --der, not both");
    if (v->values[CERT_OUT] != NULL)
        RF_TRY(cli_vault_may_write(v->values[CERT_OUT], v->values[CERT_FORCE] != NULL, err));
    if (v->values[CERT_WITH_KEY] != NULL) return get_with_key(v, err);
    RF_TRY(fetch(v, &bundle, err));
    RF_TRY(base64_decode(v->arena, json_text_at(bundle, "cer"), &der, err));
    if (der.len == 0)
        return RF_FAIL(err, RF_NOT_FOUND, "NotIssued", "the certificate '%s' is not issued yet",
                       v->words[0]);
    if (v->values[CERT_DER] != NULL) return give(v, der, 0644, err);
    rf_str pem = cert_pem(v->arena, der);
    return pem.ptr == NULL ? rf_fail_memory(err, v->arena) : give(v, pem, 0644, err);
}

/* ---- revoking ------------------------------------------------------------------------------------------------------------- */

/* RFC 5280, 5.3.1. */
static const struct {
    const char *name;
    int number;
} reasons[] = {{"unspecified", 0},        {"keyCompromise", 1},      {"cACompromise", 2},
               {"affiliationChanged", 3}, {"superseded", 4},         {"cessationOfOperation", 5},
               {"certificateHold", 6},    {"privilegeWithdrawn", 9}, {"aACompromise", 10}};

static enum rf_kind reason_of(struct cli_vault *v, struct json_node *body, struct rf_err *err)
{
    const char *reason = v->values[CERT_REASON];
    for (size_t i = 0; i < RF_COUNT(reasons) && reason != NULL; i++) {
        if (!rf_str_eq_nocase(rf_str_of(reason), rf_str_of(reasons[i].name))) continue;
        return json_set_i64(v->arena, body, "reason", reasons[i].number) == NULL
                   ? rf_fail_memory(err, v->arena)
                   : RF_OK;
    }
    return cli_vault_wrong(v, err,
                           "--reason is one of unspecified, keyCompromise, cACompromise, "
                           "affiliationChanged, superseded, cessationOfOperation, "
                           "certificateHold, privilegeWithdrawn, aACompromise");
}

static enum rf_kind revoke(struct cli_vault *v, struct rf_err *err)
{
    rf_str path, name, version = cli_vault_text(v->values[CERT_VERSION]);
    struct json_node *body = json_new(v->arena, JSON_T_OBJECT), *bundle;
    RF_TRY(reason_of(v, body, err));
    if (version.len == 0) {
        RF_TRY(fetch(v, &bundle, err));
        cli_vault_id(bundle, &name, &version);
    }
    RF_TRY(path_of(v, version, "/revoke", &path, err));
    RF_TRY(cli_vault_ask(&v->at, "POST", path, body, NULL, err));
    cli_say("version %.*s of the certificate '%s' is revoked", RF_FMT(version), v->words[0]);
    return RF_OK;
}

/* ---- issuers -------------------------------------------------------------------------------------------------------------- */

static enum rf_kind issuer_path(struct cli_vault *v, const char *behind, rf_str *out,
                                struct rf_err *err)
{
    return cli_vault_path(v->arena, "certificates/issuers", rf_str_of(v->words[0]),
                          (rf_str){NULL, 0}, behind, out, err);
}

static enum rf_kind issuer_list(struct cli_vault *v, struct rf_err *err)
{
    static const struct cli_list_column columns[] = {
        {RF_S("name"), "name", {0}, CLI_LIST_TEXT},
        {RF_S("provider"), "provider", {0}, CLI_LIST_TEXT}};
    struct json_node *list;
    RF_TRY(cli_vault_pages(&v->at, RF_S("/certificates/issuers"), &list, err));
    for (struct json_node *item = list->first; item != NULL; item = item->next) {
        rf_str collection, name;
        cli_vault_id(item, &collection, &name); /* /certificates/issuers/NAME */
        if (json_set_text(v->arena, item, "name", name) == NULL)
            return rf_fail_memory(err, v->arena);
    }
    return cli_list_print(list, RF_S("issuers"), columns, RF_COUNT(columns), v->format, v->arena,
                          err);
}

static enum rf_kind issuer_show(struct cli_vault *v, struct rf_err *err)
{
    rf_str path, der, pem;
    struct json_node *issuer;
    RF_TRY(issuer_path(v, NULL, &path, err));
    RF_TRY(cli_vault_ask(&v->at, "GET", path, NULL, &issuer, err));
    if (v->values[CERT_PEM] == NULL) {
        cli_print_json(issuer, v->arena);
        return RF_OK;
    }
    RF_TRY(base64_decode(v->arena, json_text_at(issuer, "ca.cer"), &der, err));
    if (der.len == 0)
        return RF_FAIL(err, RF_NOT_FOUND, "NotIssued",
                       "the issuer '%s' has no certificate of its own yet: the first that it "
                       "issues makes it",
                       v->words[0]);
    pem = cert_pem(v->arena, der);
    return pem.ptr == NULL ? rf_fail_memory(err, v->arena) : give(v, pem, 0644, err);
}

static enum rf_kind issuer_set(struct cli_vault *v, struct rf_err *err)
{
    rf_str path, text;
    struct json_node *body = json_new(v->arena, JSON_T_OBJECT), *issuer;
    RF_TRY(issuer_path(v, NULL, &path, err));
    if (v->values[CERT_FILE] != NULL) {
        RF_TRY(cli_vault_read(v->values[CERT_FILE], v->arena, &text, err));
        RF_TRY(json_parse(text, v->arena, &body, err));
    }
    if (v->values[CERT_PROVIDER] != NULL)
        json_set_text(v->arena, body, "provider", rf_str_of(v->values[CERT_PROVIDER]));
    if (json_text_at(body, "provider").len == 0)
        return cli_vault_wrong(v, err, "--provider P is needed, such as Ringfort-CA");
    RF_TRY(cli_vault_ask(&v->at, "PUT", path, body, &issuer, err));
    cli_print_json(issuer, v->arena);
    return RF_OK;
}

/* The register of what it has issued, for whomever. */
static enum rf_kind issuer_issued(struct cli_vault *v, struct rf_err *err)
{
    static const struct cli_list_column columns[] = {
        {RF_S("serial"), "serial", {0}, CLI_LIST_TEXT},
        {RF_S("subject"), "subject", {0}, CLI_LIST_TEXT},
        {RF_S("by"), "by", {0}, CLI_LIST_TEXT},
        {RF_S("ends"), "ends", {0}, CLI_LIST_TEXT},
        {RF_S("state"), "state", {0}, CLI_LIST_TEXT},
        {RF_S("reason"), "reason", {0}, CLI_LIST_TEXT}};
    rf_str path;
    struct json_node *list;
    int64_t end;
    const char *behind = v->values[CERT_REVOKED] == NULL ? "/issued" : "/issued?state=revoked";
    RF_TRY(issuer_path(v, behind, &path, err));
    RF_TRY(cli_vault_pages(&v->at, path, &list, err));
    for (struct json_node *item = list->first; item != NULL; item = item->next)
        if (json_i64_at(item, "exp", &end))
            json_set_text(v->arena, item, "ends", cli_vault_iso(v->arena, end));
    return cli_list_print(list, RF_S("issued"), columns, RF_COUNT(columns), v->format, v->arena,
                          err);
}

static enum rf_kind issuer_revoke(struct cli_vault *v, struct rf_err *err)
{
    rf_str path;
    struct json_node *body = json_new(v->arena, JSON_T_OBJECT);
    if (v->values[CERT_SERIAL] == NULL)
        return cli_vault_wrong(v, err, "--serial HEX says which; 'issuer issued' lists them");
    RF_TRY(reason_of(v, body, err));
    RF_TRY(issuer_path(v, "/revoke", &path, err));
    if (json_set_text(v->arena, body, "serial", rf_str_of(v->values[CERT_SERIAL])) == NULL)
        return rf_fail_memory(err, v->arena);
    RF_TRY(cli_vault_ask(&v->at, "POST", path, body, NULL, err));
    cli_say("the certificate %s of the issuer '%s' is revoked", v->values[CERT_SERIAL],
            v->words[0]);
    return RF_OK;
}

static enum rf_kind issuer_delete(struct cli_vault *v, struct rf_err *err)
{
    rf_str path;
    RF_TRY(issuer_path(v, NULL, &path, err));
    RF_TRY(cli_vault_ask(&v->at, "DELETE", path, NULL, NULL, err));
    cli_say("the issuer '%s' is gone, with its key", v->words[0]);
    return RF_OK;
}

/* ---- the command ------------------------------------------------------------------------------------------------------------ */

/* Its own line: the frame has seen "deploy" elsewhere than as the first word. */
static enum rf_kind deploy(struct cli_vault *v, struct rf_err *err)
{
    return cli_vault_wrong(v, err, "'deploy' stands first: ringfort cert deploy NAME ...");
}

#define B(name) CLI_VAULT_BIT(CERT_##name)
static const struct cli_vault_verb verbs[] = {
    {"create", "NAME", 1, 1,
     B(SELF_SIGNED) | B(ISSUER) | B(SUBJECT) | B(DNS) | B(IP) | B(POLICY) | B(VALIDITY) | B(KTY) |
         B(SIZE) | B(CURVE) | B(REUSE_KEY) | B(TAG) | B(WAIT) | B(PEM),
     cli_cert_create, "a new certificate, or a new version of one"},
    {"renew", "NAME", 1, 1, 0, cli_cert_renew, "a new version by the policy of the latest"},
    {"import", "NAME", 1, 1, B(FILE) | B(PASSWORD) | B(TAG), cli_cert_import,
     "PFX, or PEM with key"},
    {"csr", "NAME", 1, 1, 0, cli_cert_csr, "the request for an authority outside"},
    {"merge", "NAME", 1, 1, B(FILE), cli_cert_merge, "what that authority gave"},
    {"pending", "NAME", 1, 1, 0, cli_cert_pending, "how the making of a version goes"},
    {"list", "", 0, 0, B(DELETED), cli_vault_list, "the certificates of the vault"},
    {"versions", "NAME", 1, 1, 0, cli_vault_versions, "its versions, the latest last"},
    {"show", "NAME", 1, 1, B(VERSION), show,
     "what is known of it; with --format json its policy too"},
    {"get", "NAME", 1, 1, B(VERSION) | B(PEM) | B(DER) | B(OUT) | B(FORCE) | B(WITH_KEY), get,
     "the certificate itself"},
    {"deploy", "NAME ...", 0, CLI_VAULT_WORDS_MAX, ~UINT64_C(0), deploy,
     "keeps files up to date on this machine: 'ringfort cert deploy --help'"},
    {"listen", "NAME LISTENER", 2, 2, 0, cli_cert_listen,
     "the server itself shows it: https, or streams (AMQP, Kafka, syslog)"},
    {"unlisten", "NAME LISTENER", 2, 2, 0, cli_cert_unlisten,
     "the server shows its own one there again"},
    {"expiring", "", 0, 0, B(DAYS), cli_cert_expiring,
     "what ends soon in all vaults: certificates, secrets, keys"},
    {"revoke", "NAME", 1, 1, B(VERSION) | B(REASON), revoke, "it is not to be trusted any more"},
    {"enable", "NAME", 1, 1, B(VERSION), cli_vault_enable, "it may be used"},
    {"disable", "NAME", 1, 1, B(VERSION), cli_vault_disable, "it may not"},
    {"delete", "NAME", 1, 1, 0, cli_vault_delete, "with key and secret; recover brings it back"},
    {"recover", "NAME", 1, 1, 0, cli_vault_recover, "brings it back"},
    {"purge", "NAME", 1, 1, 0, cli_vault_purge, "destroys one that is deleted"},
    {"backup", "NAME", 1, 1, B(OUT) | B(FORCE), cli_vault_backup, "all versions with keys, sealed"},
    {"restore", "", 0, 0, B(FILE), cli_vault_restore, "what backup wrote"},
    {"issuer list", "", 0, 0, 0, issuer_list, "the issuers of the vault"},
    {"issuer show", "NAME", 1, 1, B(PEM) | B(OUT) | B(FORCE), issuer_show,
     "one; with --pem the certificate of its authority, for clients to trust"},
    {"issuer set", "NAME", 1, 1, B(PROVIDER) | B(FILE), issuer_set, "makes or changes one"},
    {"issuer issued", "NAME", 1, 1, B(REVOKED), issuer_issued, "what its authority has issued"},
    {"issuer revoke", "NAME", 1, 1, B(SERIAL) | B(REASON), issuer_revoke,
     "one of those, by its serial number"},
    {"issuer delete", "NAME", 1, 1, 0, issuer_delete, "with the key of its authority"},
};
static const struct cli_vault_command command = {
    .usage = {.command = "cert",
              .words = "VERB [NAME]",
              .doc = "Makes, renews and hands out the certificates of a vault.",
              .options = options,
              .option_count = RF_COUNT(options),
              .notes = "  ringfort cert issuer set House --provider Ringfort-CA\n"
                       "  ringfort cert create www --issuer House --subject CN=www.example --dns "
                       "www.example --wait\n"
                       "  ringfort cert deploy www --cert /etc/nginx/www.pem --key "
                       "/etc/nginx/www.key --reload \"nginx -s reload\"\n"},
    .verbs = verbs,
    .verb_count = RF_COUNT(verbs),
    .common = CERT_COMMON,
    .repeated = B(DNS) | B(IP) | B(TAG),
    .kind = "certificate",
    .collection = "certificates",
};

int cli_cert(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "deploy") == 0) return cli_cert_deploy(argc - 1, argv + 1);
    return cli_vault_main(&command, argc, argv);
}
