/* cli_key.c - ringfort key: the keys of a vault. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/cli_key.h"

enum {
    OPT_KTY,
    OPT_SIZE,
    OPT_CURVE,
    OPT_OPS,
    OPT_TAG,
    OPT_EXPIRES,
    OPT_NOT_BEFORE,
    OPT_DISABLED,
    OPT_VERSION,
    OPT_ALGORITHM,
    OPT_FILE,
    OPT_OUT,
    OPT_FORCE,
    OPT_RAW,
    OPT_DIGEST,
    OPT_SIGNATURE,
    OPT_AAD,
    OPT_PEM,
    OPT_PASSWORD,
    OPT_DELETED,
    OPT_COMMON
};
static const struct cli_option options[] = {
    [OPT_KTY] = {"kty", "TYPE", "create: RSA, EC or oct"},
    [OPT_SIZE] = {"size", "BITS", "create: 2048, 3072, 4096 (RSA); 128, 192, 256 (oct)"},
    [OPT_CURVE] = {"curve", "CURVE", "create: P-256, P-384, P-521 or P-256K (EC)"},
    [OPT_OPS] = {"ops", "LIST", "create, import: what it may do: sign,verify,wrapKey,..."},
    [OPT_TAG] = {"tag", "NAME=VALUE", "create, import: a tag; may be repeated"},
    [OPT_EXPIRES] = {"expires", "TIME", "create, import: 2027-01-31T12:00 (UTC), or P90D from now"},
    [OPT_NOT_BEFORE] = {"not-before", "TIME", "create, import: from when it is good"},
    [OPT_DISABLED] = {"disabled", NULL, "create, import: nobody may use it yet"},
    [OPT_VERSION] = {"version", "V", "this version of the key, not the latest"},
    [OPT_ALGORITHM] = {"algorithm", "A", "RS256, PS256, ES256, HS256, RSA-OAEP-256, A256GCM, ..."},
    [OPT_FILE] = {"file", "FILE",
                  "the data, else standard input; import: PEM; policy: JSON; restore: the backup"},
    [OPT_OUT] = {"out", "FILE", "write the bytes there, mode 0600; base64url is printed else"},
    [OPT_FORCE] = {"force", NULL, "write over FILE when it is there"},
    [OPT_RAW] = {"raw", NULL, "print the bytes, not base64url"},
    [OPT_DIGEST] = {"digest", NULL, "sign, verify: the data is the digest already"},
    [OPT_SIGNATURE] = {"signature", "FILE", "verify: what sign wrote"},
    [OPT_AAD] = {"aad", "TEXT", "AES-GCM: what is authenticated beside the data"},
    [OPT_PEM] = {"pem", NULL, "public: PEM, not JWK"},
    [OPT_PASSWORD] = {"password-stdin", NULL,
                      "import: the passphrase of the file is read from standard input"},
    [OPT_DELETED] = {"deleted", NULL, "list: those that are deleted and not purged yet"},
    CLI_VAULT_OPTIONS(OPT_COMMON),
};
static const struct cli_vault_attributes attributes = {OPT_EXPIRES, OPT_NOT_BEFORE, OPT_DISABLED,
                                                       OPT_TAG};

/* ---- making ------------------------------------------------------------------------------------------------------------- */

/* "sign,verify" as an array. */
static enum rf_kind put_ops(struct cli_vault *v, struct json_node *body, struct rf_err *err)
{
    if (v->values[OPT_OPS] == NULL) return RF_OK;
    rf_str text = rf_str_of(v->values[OPT_OPS]);
    struct json_node *list = json_new(v->arena, JSON_T_ARRAY);
    for (size_t from = 0; from <= text.len && text.len > 0;) {
        size_t to = RF_MIN(rf_str_find(text, RF_S(","), from), text.len);
        (void)json_append(list, json_new_text(v->arena, rf_str_trim(rf_slice(text, from, to))));
        from = to + 1;
    }
    return json_set(v->arena, body, RF_S("key_ops"), list) == NULL ? rf_fail_memory(err, v->arena)
                                                                   : RF_OK;
}

static enum rf_kind key_path(struct cli_vault *v, rf_str version, const char *behind, rf_str *out,
                             struct rf_err *err)
{
    return cli_vault_path(v->arena, "keys", rf_str_of(v->words[0]), version, behind, out, err);
}

static enum rf_kind create(struct cli_vault *v, struct rf_err *err)
{
    rf_str path, none = {NULL, 0};
    struct json_node *body = json_new(v->arena, JSON_T_OBJECT), *key;
    if (v->values[OPT_KTY] == NULL)
        return cli_vault_wrong(v, err, "--kty RSA, EC or oct is needed");
    RF_TRY(key_path(v, none, "/create", &path, err));
    json_set_text(v->arena, body, "kty", rf_str_of(v->values[OPT_KTY]));
    if (v->values[OPT_CURVE] != NULL)
        json_set_text(v->arena, body, "crv", rf_str_of(v->values[OPT_CURVE]));
    if (v->values[OPT_SIZE] != NULL) {
        char *end;
        long bits = strtol(v->values[OPT_SIZE], &end, 10);
        if (*end != '\0' || bits <= 0 || bits > 1 << 20)
            return cli_vault_wrong(v, err, "--size: '%s' is no number of bits",
                                   v->values[OPT_SIZE]);
        json_set_i64(v->arena, body, "key_size", bits);
    }
    RF_TRY(put_ops(v, body, err));
    RF_TRY(cli_vault_attributes(v, &attributes, body, err));
    RF_TRY(cli_vault_ask(&v->at, "POST", path, body, &key, err));
    return cli_vault_print_one(v, key, err);
}

static enum rf_kind import(struct cli_vault *v, struct rf_err *err)
{
    rf_str path, pem, passphrase = {NULL, 0}, none = {NULL, 0};
    struct json_node *body = json_new(v->arena, JSON_T_OBJECT), *jwk, *key;
    const char *file = v->values[OPT_FILE];
    if (file == NULL) return cli_vault_wrong(v, err, "--file FILE says which key (PEM)");
    RF_TRY(key_path(v, none, NULL, &path, err));
    if (v->values[OPT_PASSWORD] != NULL)
        RF_TRY(cli_vault_type("passphrase: ", false, v->arena, &passphrase, err));
    RF_TRY(cli_vault_read(file, v->arena, &pem, err));
    RF_TRY(cli_key_jwk(pem, passphrase, v->arena, &jwk, err));
    RF_TRY(put_ops(v, jwk, err));
    if (json_set(v->arena, body, RF_S("key"), jwk) == NULL) return rf_fail_memory(err, v->arena);
    RF_TRY(cli_vault_attributes(v, &attributes, body, err));
    RF_TRY(cli_vault_ask(&v->at, "PUT", path, body, &key, err));
    return cli_vault_print_one(v, key, err);
}

static enum rf_kind rotate(struct cli_vault *v, struct rf_err *err)
{
    rf_str path, none = {NULL, 0};
    struct json_node *key;
    RF_TRY(key_path(v, none, "/rotate", &path, err));
    RF_TRY(cli_vault_ask(&v->at, "POST", path, NULL, &key, err));
    return cli_vault_print_one(v, key, err);
}

/* ---- looking ------------------------------------------------------------------------------------------------------------- */

static enum rf_kind fetch(struct cli_vault *v, struct json_node **out, struct rf_err *err)
{
    rf_str path, version = cli_vault_text(v->values[OPT_VERSION]);
    RF_TRY(key_path(v, version.len > 0 ? version : RF_S(""), NULL, &path, err));
    return cli_vault_ask(&v->at, "GET", path, NULL, out, err);
}

static enum rf_kind show(struct cli_vault *v, struct rf_err *err)
{
    struct json_node *key;
    RF_TRY(fetch(v, &key, err));
    return cli_vault_print_one(v, key, err);
}

static enum rf_kind print_public(struct cli_vault *v, struct rf_err *err)
{
    struct json_node *key;
    rf_str pem;
    RF_TRY(fetch(v, &key, err));
    const struct json_node *jwk = json_get(key, "key");
    if (v->values[OPT_PEM] == NULL) {
        cli_print_json(jwk, v->arena);
        return RF_OK;
    }
    RF_TRY(cli_key_pem(jwk, v->arena, &pem, err));
    printf("%.*s", RF_FMT(pem));
    return RF_OK;
}

/* The rotation policy: shown, or with --file set. */
static enum rf_kind policy(struct cli_vault *v, struct rf_err *err)
{
    rf_str path, text, none = {NULL, 0};
    struct json_node *body = NULL, *now;
    RF_TRY(key_path(v, none, "/rotationpolicy", &path, err));
    if (v->values[OPT_FILE] != NULL) {
        RF_TRY(cli_vault_read(v->values[OPT_FILE], v->arena, &text, err));
        RF_TRY(json_parse(text, v->arena, &body, err));
    }
    RF_TRY(cli_vault_ask(&v->at, body == NULL ? "GET" : "PUT", path, body, &now, err));
    cli_print_json(now, v->arena);
    return RF_OK;
}

/* ---- using ---------------------------------------------------------------------------------------------------------------- */

static struct cli_key_use use_of(const struct cli_vault *v)
{
    return (struct cli_key_use){.algorithm = v->values[OPT_ALGORITHM],
                                .file = v->values[OPT_FILE],
                                .out = v->values[OPT_OUT],
                                .signature = v->values[OPT_SIGNATURE],
                                .aad = v->values[OPT_AAD],
                                .version = cli_vault_text(v->values[OPT_VERSION]),
                                .raw = v->values[OPT_RAW] != NULL,
                                .is_digest = v->values[OPT_DIGEST] != NULL,
                                .force = v->values[OPT_FORCE] != NULL};
}

static enum rf_kind sign(struct cli_vault *v, struct rf_err *err)
{
    struct cli_key_use use = use_of(v);
    return cli_key_sign(v, &use, err);
}
static enum rf_kind verify(struct cli_vault *v, struct rf_err *err)
{
    struct cli_key_use use = use_of(v);
    return cli_key_verify(v, &use, err);
}
static enum rf_kind encrypt(struct cli_vault *v, struct rf_err *err)
{
    struct cli_key_use use = use_of(v);
    return cli_key_hide(v, &use, "encrypt", err);
}
static enum rf_kind decrypt(struct cli_vault *v, struct rf_err *err)
{
    struct cli_key_use use = use_of(v);
    return cli_key_open(v, &use, "decrypt", err);
}
static enum rf_kind wrap(struct cli_vault *v, struct rf_err *err)
{
    struct cli_key_use use = use_of(v);
    return cli_key_hide(v, &use, "wrapkey", err);
}
static enum rf_kind unwrap(struct cli_vault *v, struct rf_err *err)
{
    struct cli_key_use use = use_of(v);
    return cli_key_open(v, &use, "unwrapkey", err);
}

/* ---- the command ------------------------------------------------------------------------------------------------------------ */

#define B(name) CLI_VAULT_BIT(OPT_##name)
#define NEW (B(OPS) | B(TAG) | B(EXPIRES) | B(NOT_BEFORE) | B(DISABLED))
#define USE (B(ALGORITHM) | B(FILE) | B(OUT) | B(FORCE) | B(RAW) | B(VERSION))
static const struct cli_vault_verb verbs[] = {
    {"create", "NAME", 1, 1, NEW | B(KTY) | B(SIZE) | B(CURVE), create,
     "a new key, or a new version of one"},
    {"import", "NAME", 1, 1, NEW | B(FILE) | B(PASSWORD), import, "a private key in PEM"},
    {"list", "", 0, 0, B(DELETED), cli_vault_list, "the keys of the vault"},
    {"versions", "NAME", 1, 1, 0, cli_vault_versions, "its versions, the latest last"},
    {"show", "NAME", 1, 1, B(VERSION), show, "what is known of it"},
    {"public", "NAME", 1, 1, B(VERSION) | B(PEM), print_public, "its public half: JWK or PEM"},
    {"enable", "NAME", 1, 1, B(VERSION), cli_vault_enable, "it may be used"},
    {"disable", "NAME", 1, 1, B(VERSION), cli_vault_disable, "it may not"},
    {"rotate", "NAME", 1, 1, 0, rotate, "a new version like the latest"},
    {"policy", "NAME", 1, 1, B(FILE), policy, "how it is rotated; with --file that is set"},
    {"sign", "NAME", 1, 1, USE | B(DIGEST), sign, "of data, whose digest is made here"},
    {"verify", "NAME", 1, 1, B(ALGORITHM) | B(FILE) | B(DIGEST) | B(SIGNATURE) | B(VERSION), verify,
     "whether --signature is the key's"},
    {"encrypt", "NAME", 1, 1, USE | B(AAD), encrypt, "data"},
    {"decrypt", "NAME", 1, 1, USE | B(AAD), decrypt, "what encrypt wrote"},
    {"wrap", "NAME", 1, 1, USE, wrap, "another key"},
    {"unwrap", "NAME", 1, 1, USE, unwrap, "what wrap wrote"},
    {"delete", "NAME", 1, 1, 0, cli_vault_delete, "with all its versions; recover brings it back"},
    {"recover", "NAME", 1, 1, 0, cli_vault_recover, "brings it back"},
    {"purge", "NAME", 1, 1, 0, cli_vault_purge, "destroys one that is deleted"},
    {"backup", "NAME", 1, 1, B(OUT) | B(FORCE), cli_vault_backup, "all versions, sealed"},
    {"restore", "", 0, 0, B(FILE), cli_vault_restore, "what backup wrote"},
};
static const struct cli_vault_command command = {
    .usage =
        {.command = "key",
         .words = "VERB [NAME]",
         .doc = "Makes and uses the keys of a vault. Private keys never leave it.",
         .options = options,
         .option_count = RF_COUNT(options),
         .notes =
             "  ringfort key create signer --kty EC --curve P-256\n"
             "  ringfort key sign signer --algorithm ES256 --file letter.txt --out letter.sig\n"
             "  ringfort key encrypt box --algorithm A256GCM <plain | ringfort key decrypt box "
             "--algorithm A256GCM --out plain2\n"},
    .verbs = verbs,
    .verb_count = RF_COUNT(verbs),
    .common = OPT_COMMON,
    .repeated = B(TAG),
    .kind = "key",
    .collection = "keys",
};

int cli_key(int argc, char **argv) { return cli_vault_main(&command, argc, argv); }
