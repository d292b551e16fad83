/* cli_key_use.c - ringfort key sign, verify, encrypt, decrypt, wrap, unwrap.
 *
 * Data comes in as bytes. What a key made of it is bytes in a file, and base64url on standard output unless --raw is given; on its
 * way back either is understood. */
#include <openssl/evp.h>
#include <stdio.h>

#include "base/encode.h"
#include "cli/cli.h"
#include "cli/cli_key.h"

enum { GCM_IV_BYTES = 12, GCM_TAG_BYTES = 16, CBC_IV_BYTES = 16, DIGEST_BYTES_MAX = 64 };

/* ---- bytes in and out --------------------------------------------------------------------------------------------------- */

static enum rf_kind write_bytes(struct cli_vault *v, const struct cli_key_use *use, rf_str bytes,
                                struct rf_err *err)
{
    if (use->out != NULL) return cli_vault_write(use->out, bytes, 0600, use->force, err);
    if (use->raw) {
        (void)fwrite(bytes.ptr, 1, bytes.len, stdout);
        return RF_OK;
    }
    rf_str text = base64url_encode(v->arena, bytes);
    if (text.ptr == NULL) return rf_fail_memory(err, v->arena);
    printf("%.*s\n", RF_FMT(text));
    return RF_OK;
}

/* What this command has written: bytes, or base64url of them. None of it is so short that bytes would be taken for that by chance. */
static enum rf_kind read_bytes(struct cli_vault *v, const char *file, rf_str *out,
                               struct rf_err *err)
{
    rf_str text;
    RF_TRY(cli_vault_read(file, v->arena, &text, err));
    if (base64url_decode(v->arena, rf_str_trim(text), out, NULL) != RF_OK) *out = text;
    return RF_OK;
}

static enum rf_kind use_key(struct cli_vault *v, const struct cli_key_use *use,
                            const char *operation, const struct json_node *body,
                            struct json_node **out, struct rf_err *err)
{
    rf_str path, behind = rf_arena_printf(v->arena, "/%s", operation);
    const char *text = behind.ptr == NULL ? NULL : rf_arena_cstr(v->arena, behind);
    if (text == NULL) return rf_fail_memory(err, v->arena);
    RF_TRY(cli_vault_path(v->arena, "keys", rf_str_of(v->words[0]),
                          use->version.len > 0 ? use->version : RF_S(""), text, &path, err));
    return cli_vault_ask(&v->at, "POST", path, body, out, err);
}

static enum rf_kind check_use(struct cli_vault *v, const struct cli_key_use *use,
                              struct rf_err *err)
{
    if (use->algorithm == NULL)
        return cli_vault_wrong(v, err, "--algorithm A is needed, such as ES256 or RSA-OAEP-256");
    return use->out == NULL ? RF_OK : cli_vault_may_write(use->out, use->force, err);
}

static struct json_node *body_of(struct cli_vault *v, const struct cli_key_use *use)
{
    struct json_node *body = json_new(v->arena, JSON_T_OBJECT);
    json_set_text(v->arena, body, "alg", rf_str_of(use->algorithm));
    return body;
}

static bool put_bytes(struct cli_vault *v, struct json_node *body, const char *member, rf_str bytes)
{
    rf_str text = base64url_encode(v->arena, bytes);
    return text.ptr != NULL && json_set_text(v->arena, body, member, text) != NULL;
}

static enum rf_kind bytes_at(struct cli_vault *v, const struct json_node *answer,
                             const char *member, rf_str *out, struct rf_err *err)
{
    *out = (rf_str){NULL, 0};
    rf_str text = json_text_at(answer, member);
    return text.len == 0 ? RF_OK : base64url_decode(v->arena, text, out, err);
}

/* ---- signatures ----------------------------------------------------------------------------------------------------------- */

/* What is signed: the digest that the algorithm names; HS256 and its kin take the data itself. */
static enum rf_kind digest_of(struct cli_vault *v, const struct cli_key_use *use, rf_str *out,
                              struct rf_err *err)
{
    static const struct {
        const char *in_name, *digest;
    } digests[] = {{"256", "SHA256"}, {"384", "SHA384"}, {"512", "SHA512"}};
    rf_str name = rf_str_of(use->algorithm), data;
    RF_TRY(cli_vault_read(use->file, v->arena, &data, err));
    *out = data;
    bool plain = rf_str_starts(name, RF_S("HS")) || rf_str_is(name, "RSNULL");
    for (size_t i = 0; i < RF_COUNT(digests) && !use->is_digest && !plain; i++) {
        if (rf_str_find(name, rf_str_of(digests[i].in_name), 0) == SIZE_MAX) continue;
        size_t len = 0;
        uint8_t *bytes = rf_arena_alloc(v->arena, DIGEST_BYTES_MAX);
        if (bytes == NULL ||
            EVP_Q_digest(NULL, digests[i].digest, NULL, data.ptr, data.len, bytes, &len) != 1)
            return rf_fail_memory(err, v->arena);
        *out = rf_str_make(bytes, len);
        return RF_OK;
    }
    if (plain || use->is_digest) return RF_OK;
    return cli_vault_wrong(v, err, "--algorithm: '%s' is none for signatures", use->algorithm);
}

enum rf_kind cli_key_sign(struct cli_vault *v, const struct cli_key_use *use, struct rf_err *err)
{
    rf_str digest, signature;
    struct json_node *body = NULL, *answer;
    RF_TRY(check_use(v, use, err));
    RF_TRY(digest_of(v, use, &digest, err));
    body = body_of(v, use);
    if (!put_bytes(v, body, "value", digest)) return rf_fail_memory(err, v->arena);
    RF_TRY(use_key(v, use, "sign", body, &answer, err));
    RF_TRY(bytes_at(v, answer, "value", &signature, err));
    return write_bytes(v, use, signature, err);
}

enum rf_kind cli_key_verify(struct cli_vault *v, const struct cli_key_use *use, struct rf_err *err)
{
    rf_str digest, signature;
    struct json_node *body, *answer;
    RF_TRY(check_use(v, use, err));
    if (use->signature == NULL)
        return cli_vault_wrong(v, err, "--signature FILE says which signature");
    RF_TRY(read_bytes(v, use->signature, &signature, err));
    RF_TRY(digest_of(v, use, &digest, err));
    body = body_of(v, use);
    if (!put_bytes(v, body, "digest", digest) || !put_bytes(v, body, "value", signature))
        return rf_fail_memory(err, v->arena);
    RF_TRY(use_key(v, use, "verify", body, &answer, err));
    if (!json_bool_at(answer, "value", false))
        return RF_FAIL(err, RF_DENIED, "BadSignature", "the signature is not good");
    printf("the signature is good\n");
    return RF_OK;
}

/* ---- encryption ------------------------------------------------------------------------------------------------------------ */

bool cli_key_cut(rf_str algorithm, rf_str blob, rf_str *iv, rf_str *text, rf_str *tag)
{
    bool gcm = rf_str_ends(algorithm, RF_S("GCM"));
    bool cbc = rf_str_ends(algorithm, RF_S("CBC")) || rf_str_ends(algorithm, RF_S("CBCPAD"));
    size_t front = gcm ? GCM_IV_BYTES : cbc ? CBC_IV_BYTES : 0, back = gcm ? GCM_TAG_BYTES : 0;
    if (blob.len < front + back) return false;
    *iv = rf_slice(blob, 0, front);
    *text = rf_slice(blob, front, blob.len - back);
    *tag = rf_slice(blob, blob.len - back, blob.len);
    return true;
}

static bool put_aad(struct cli_vault *v, const struct cli_key_use *use, struct json_node *body)
{
    return use->aad == NULL || put_bytes(v, body, "aad", rf_str_of(use->aad));
}

enum rf_kind cli_key_hide(struct cli_vault *v, const struct cli_key_use *use, const char *operation,
                          struct rf_err *err)
{
    rf_str data, parts[3], name, version;
    struct json_node *body, *answer;
    static const char *const members[] = {"iv", "value", "tag"};
    struct rf_buf blob = rf_buf_in(v->arena);
    RF_TRY(check_use(v, use, err));
    RF_TRY(cli_vault_read(use->file, v->arena, &data, err));
    body = body_of(v, use);
    if (!put_bytes(v, body, "value", data) || !put_aad(v, use, body))
        return rf_fail_memory(err, v->arena);
    RF_TRY(use_key(v, use, operation, body, &answer, err));
    for (size_t i = 0; i < RF_COUNT(parts); i++) {
        RF_TRY(bytes_at(v, answer, members[i], &parts[i], err));
        rf_buf_str(&blob, parts[i]);
    }
    if (blob.failed) return rf_fail_memory(err, v->arena);
    RF_TRY(write_bytes(v, use, rf_buf_view(&blob), err));
    cli_vault_id(answer, &name, &version);
    cli_say("by version %.*s of '%.*s'", RF_FMT(version), RF_FMT(name));
    return RF_OK;
}

enum rf_kind cli_key_open(struct cli_vault *v, const struct cli_key_use *use, const char *operation,
                          struct rf_err *err)
{
    rf_str blob, iv, text, tag, data;
    struct json_node *body, *answer;
    RF_TRY(check_use(v, use, err));
    RF_TRY(read_bytes(v, use->file, &blob, err));
    if (!cli_key_cut(rf_str_of(use->algorithm), blob, &iv, &text, &tag))
        return RF_FAIL(err, RF_INVALID, "BadValue", "it is too short for %s", use->algorithm);
    body = body_of(v, use);
    bool good = put_bytes(v, body, "value", text) && put_aad(v, use, body);
    good = good && (iv.len == 0 || put_bytes(v, body, "iv", iv));
    good = good && (tag.len == 0 || put_bytes(v, body, "tag", tag));
    if (!good) return rf_fail_memory(err, v->arena);
    RF_TRY(use_key(v, use, operation, body, &answer, err));
    RF_TRY(bytes_at(v, answer, "value", &data, err));
    return write_bytes(v, use, data, err);
}
