/* database_login.c - the passwords by which the server logs in at databases: sealed, tried, made anew. */
#include "vault/database_int.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "base/encode.h"
#include "crypt/digest.h"
#include "net/postgres_wire.h"
#include "vault/acme_client.h"

enum {
    KEY_BYTES = 32,
    NONCE_BYTES = 12,
    TAG_BYTES = 16,
    BOOT_BYTES = 16,
    HOST_BYTES = 256,
    BUSY_MAX = 8, /* a quarter of the workers that there are at least */
    TIMEOUT_SECONDS = 8
};
static const char label[] = "database-login";
/* Below the client's own patience, so that what became of a statement is learnt. */
static const char limits[] = "SET statement_timeout = '7s'; SET lock_timeout = '5s'";

struct vault_databases {
    _Atomic int busy;
    char boot[2 * BOOT_BYTES + 1];
};

struct vault_databases *vault_databases_new(void)
{
    uint8_t bytes[BOOT_BYTES];
    struct vault_databases *databases = calloc(1, sizeof *databases);
    if (databases == NULL) return NULL;
    random_bytes(bytes, sizeof bytes);
    for (size_t i = 0; i < 2 * sizeof bytes; i++)
        databases->boot[i] = "0123456789abcdef"[bytes[i / 2] >> (i % 2 * 4) & 15];
    return databases;
}

void vault_databases_free(struct vault_databases *databases) { free(databases); }

rf_str vault_databases_boot(const struct vault_databases *databases)
{
    return rf_str_of(databases->boot);
}

enum rf_kind vault_databases_enter(struct vault_call *call, struct rf_err *err)
{
    struct vault_databases *databases = call->vaults->databases;
    if (atomic_fetch_add(&databases->busy, 1) < BUSY_MAX) return RF_OK;
    atomic_fetch_sub(&databases->busy, 1);
    if (call->request != NULL) http_set(call->request->response, "Retry-After", RF_S("1"));
    return vault_fail(call, err, 429, "Throttled", NULL,
                      "%d requests wait for databases already: try again in a second.", BUSY_MAX);
}

void vault_databases_leave(struct vaults *vaults) { atomic_fetch_sub(&vaults->databases->busy, 1); }

/* ---- sealing ------------------------------------------------------------------------------------------------------------------ */

static bool crypt(bool seals, const uint8_t key[KEY_BYTES], const uint8_t nonce[NONCE_BYTES],
                  rf_str place, rf_str from, uint8_t *to, uint8_t tag[TAG_BYTES])
{
    int got = 0, rest = 0;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    bool good = ctx != NULL &&
                EVP_CipherInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, nonce, seals ? 1 : 0) == 1 &&
                EVP_CipherUpdate(ctx, NULL, &got, place.ptr, (int)place.len) == 1 &&
                EVP_CipherUpdate(ctx, to, &got, from.ptr, (int)from.len) == 1 &&
                (seals || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, TAG_BYTES, tag) == 1) &&
                EVP_CipherFinal_ex(ctx, to + got, &rest) == 1 &&
                (!seals || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, TAG_BYTES, tag) == 1);
    EVP_CIPHER_CTX_free(ctx);
    return good;
}

/* What is sealed opens at its own database only. */
static rf_str place_of(const struct database *db, struct rf_arena *arena)
{
    return rf_arena_printf(arena, "ringfort database %.*s/%.*s", RF_FMT(db->guid),
                           RF_FMT(db->name));
}

enum rf_kind vault_database_seal(struct vaults *vaults, const struct database *db, rf_str password,
                                 struct rf_arena *arena, struct json_node **out, struct rf_err *err)
{
    uint8_t wrapped[KEEPER_DATA_KEY_BYTES], key[KEY_BYTES];
    size_t bytes = NONCE_BYTES + password.len + TAG_BYTES;
    uint8_t *sealed = rf_arena_alloc(arena, bytes);
    rf_str place = place_of(db, arena);
    if (sealed == NULL || place.ptr == NULL) return rf_fail_memory(err, arena);
    RF_TRY(keeper_data_key_new(vaults->options.keeper, label, wrapped, key, err));
    random_bytes(sealed, NONCE_BYTES);
    bool good = crypt(true, key, sealed, place, password, sealed + NONCE_BYTES,
                      sealed + NONCE_BYTES + password.len);
    OPENSSL_cleanse(key, sizeof key);
    if (!good) return RF_FAIL(err, RF_IO, "CryptoFailed", "OpenSSL could not seal a password");
    struct json_node *node = json_new(arena, JSON_T_OBJECT);
    rf_str first = base64_encode(arena, rf_str_make(wrapped, sizeof wrapped)),
           second = base64_encode(arena, rf_str_make(sealed, bytes));
    good = first.ptr != NULL && second.ptr != NULL &&
           json_set_text(arena, node, "key", first) != NULL &&
           json_set_text(arena, node, "sealed", second) != NULL;
    if (!good) return rf_fail_memory(err, arena);
    *out = node;
    return RF_OK;
}

/* The caller wipes it. */
static enum rf_kind unseal(struct vaults *vaults, const struct database *db,
                           const struct json_node *node, struct rf_arena *arena, rf_str *out,
                           struct rf_err *err)
{
    uint8_t key[KEY_BYTES], tag[TAG_BYTES];
    rf_str wrapped, sealed, place = place_of(db, arena);
    RF_TRY(base64_decode(arena, json_text_at(node, "key"), &wrapped, err));
    RF_TRY(base64_decode(arena, json_text_at(node, "sealed"), &sealed, err));
    if (sealed.len < NONCE_BYTES + TAG_BYTES)
        return RF_FAIL(err, RF_CORRUPT, "StateCorrupt", "the login of a database");
    size_t len = sealed.len - NONCE_BYTES - TAG_BYTES;
    uint8_t *text = rf_arena_alloc(arena, len + 1);
    if (place.ptr == NULL || text == NULL) return rf_fail_memory(err, arena);
    RF_TRY(keeper_data_key_open(vaults->options.keeper, wrapped, key, err));
    memcpy(tag, sealed.ptr + NONCE_BYTES + len, sizeof tag);
    bool good = crypt(false, key, sealed.ptr, place,
                      rf_slice(sealed, NONCE_BYTES, NONCE_BYTES + len), text, tag);
    OPENSSL_cleanse(key, sizeof key);
    if (!good) return RF_FAIL(err, RF_CORRUPT, "StateCorrupt", "the login of a database");
    *out = rf_str_make(text, len);
    return RF_OK;
}

enum rf_kind vault_database_destroy(struct vaults *vaults, const struct json_node *sealed,
                                    struct rf_arena *arena, struct rf_err *err)
{
    rf_str wrapped, proof;
    if (sealed == NULL) return RF_OK;
    RF_TRY(base64_decode(arena, json_text_at(sealed, "key"), &wrapped, err));
    enum rf_kind kind =
        keeper_data_key_destroy(vaults->options.keeper, wrapped, label, arena, &proof, err);
    return kind == RF_DENIED && strcmp(err->code, "SealDestroyed") == 0 ? RF_OK : kind;
}

/* ---- connections -------------------------------------------------------------------------------------------------------------- */

static enum postgres_tls tls_of(rf_str word)
{
    return rf_str_is(word, "none")     ? POSTGRES_TLS_NONE
           : rf_str_is(word, "pinned") ? POSTGRES_TLS_PINNED
                                       : POSTGRES_TLS_FULL;
}

static bool host_of(const struct database *db, char out[HOST_BYTES])
{
    rf_str host = json_text_at(db->node, "host");
    if (host.len == 0 || host.len >= HOST_BYTES) return false;
    memcpy(out, host.ptr, host.len);
    out[host.len] = '\0';
    return true;
}

static enum rf_kind pin_of(const struct database *db, struct rf_arena *arena, uint8_t out[32],
                           struct rf_err *err)
{
    rf_str text = json_text_at(db->node, "pin"), bytes;
    if (text.len == 0) return RF_OK;
    RF_TRY(hex_decode(arena, text, &bytes, err));
    if (bytes.len != 32) return RF_FAIL(err, RF_CORRUPT, "StateCorrupt", "the pin of a database");
    memcpy(out, bytes.ptr, bytes.len);
    return RF_OK;
}

enum rf_kind vault_database_try(struct vaults *vaults, const struct database *db, rf_str password,
                                struct rf_arena *arena, struct postgres **out, struct rf_err *err)
{
    char host[HOST_BYTES];
    int64_t port = 0;
    (void)json_i64_at(db->node, "port", &port);
    struct postgres_options options = {.host = host,
                                       .port = (uint16_t)port,
                                       .database = json_text_at(db->node, "database"),
                                       .user = json_text_at(db->node, "user"),
                                       .password = password,
                                       .egress = vault_acme_egress(vaults->acme),
                                       .tls = tls_of(json_text_at(db->node, "tls")),
                                       .ca_pem = json_text_at(db->node, "caPem"),
                                       .clear_allowed =
                                           json_bool_at(db->node, "clearPassword", false),
                                       .timeout_usec = TIMEOUT_SECONDS * RF_USEC_PER_SECOND};
    if (!host_of(db, host))
        return RF_FAIL(err, RF_CORRUPT, "StateCorrupt", "the host of a database");
    RF_TRY(pin_of(db, arena, options.pin, err));
    struct postgres *pg;
    RF_TRY(postgres_open(&options, &pg, err));
    enum rf_kind kind = postgres_run(pg, rf_str_of(limits), false, err);
    if (kind != RF_OK)
        postgres_close(pg);
    else
        *out = pg;
    return kind;
}

static enum rf_kind open_by(struct vaults *vaults, const struct database *db, const char *member,
                            struct rf_arena *arena, struct postgres **out, struct rf_err *err)
{
    rf_str password;
    RF_TRY(unseal(vaults, db, json_get(db->node, member), arena, &password, err));
    enum rf_kind kind = vault_database_try(vaults, db, password, arena, out, err);
    vault_wipe(password);
    return kind;
}

/* "next" is the password from now on; *old: the node that was, whose key is to be destroyed. */
static enum rf_kind promote(struct vaults *vaults, struct database *db, struct rf_arena *arena,
                            struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct rf_err ignored;
    struct json_node *old = json_clone(arena, json_get(db->node, "login"));
    struct json_node *next = json_clone(arena, json_get(db->node, "next"));
    int64_t now = rf_clock_now(vaults->options.clock) / RF_USEC_PER_SECOND;
    json_remove(db->node, RF_S("next"));
    bool good = old != NULL && next != NULL &&
                json_set(arena, db->node, RF_S("login"), next) != NULL &&
                json_set_i64(arena, db->node, "rotated", now) != NULL;
    if (!good) return rf_fail_memory(err, arena);
    RF_TRY(state_begin_write(vaults->options.state, &txn, err));
    RF_TRY(vault_database_put(vaults, txn, arena, db, err));
    RF_TRY(state_finish(&txn, err));
    (void)!vault_database_destroy(vaults, old, arena, &ignored);
    return RF_OK;
}

enum rf_kind vault_database_open(struct vaults *vaults, struct database *db, struct rf_arena *arena,
                                 struct postgres **out, struct rf_err *err)
{
    struct rf_err why;
    enum rf_kind kind = open_by(vaults, db, "login", arena, out, err);
    if (kind != RF_DENIED || json_get(db->node, "next") == NULL) return kind;
    if (open_by(vaults, db, "next", arena, out, &why) != RF_OK) return kind;
    /* Who else has changed the node meanwhile finds the same out; what is open stays good. */
    (void)!promote(vaults, db, arena, &why);
    return RF_OK;
}

enum rf_kind vault_database_error(struct vault_call *call, struct rf_err *err)
{
    const char *code = err->code == NULL ? "" : err->code;
    char text[sizeof err->text];
    memcpy(text, err->text, sizeof text);
    bool ours = err->kind == RF_LIMIT || err->kind == RF_CORRUPT;
    if (strncmp(code, "Seal", 4) == 0 || strcmp(code, "VaultSealed") == 0 ||
        strncmp(code, "Keeper", 6) == 0)
        return vault_seal_error(call, err);
    if (strcmp(code, "BadCertificate") == 0 || strcmp(code, "BadParameter") == 0)
        return vault_bad(call, err, "The database's settings are of no use: %s", text);
    if (err->kind == RF_DENIED || strcmp(code, "PostgresFailed") == 0)
        return vault_fail(call, err, 502, "DatabaseRefused", NULL, "%s", text);
    if (strncmp(code, "Postgres", 8) == 0 || strcmp(code, "BadScram") == 0 || !ours)
        return vault_fail(call, err, 502, "DatabaseUnavailable", NULL,
                          "The database cannot be used now: %s", text);
    return err->kind;
}

/* ---- a new password ------------------------------------------------------------------------------------------------------------- */

static enum rf_kind store(struct vault_call *call, struct database *db, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_write(call->vaults->options.state, &txn, err));
    enum rf_kind kind = vault_database_put(call->vaults, txn, call->arena, db, err);
    if (kind == RF_CONFLICT || kind == RF_NOT_FOUND)
        return vault_fail(call, err, 409, "Conflict", NULL,
                          "The database was changed by somebody else at the same time: try again.");
    RF_TRY(kind);
    return state_finish(&txn, err);
}

/* The password that is to be set: one that an attempt before has stored already (the server may have it, or may get it yet), or a new one. */
static enum rf_kind prepare(struct vault_call *call, struct database *db, rf_str *password,
                            struct rf_err *err)
{
    struct json_node *next = json_get(db->node, "next");
    if (next != NULL) return unseal(call->vaults, db, next, call->arena, password, err);
    *password = vault_sql_password(call->arena);
    if (password->ptr == NULL) return rf_fail_memory(err, call->arena);
    RF_TRY(vault_database_seal(call->vaults, db, *password, call->arena, &next, err));
    if (json_set(call->arena, db->node, RF_S("next"), next) == NULL)
        return rf_fail_memory(err, call->arena);
    return store(call, db, err);
}

static enum rf_kind set_password(struct vault_call *call, const struct database *db,
                                 struct postgres *pg, rf_str password, struct rf_err *err)
{
    struct rf_buf sql = rf_buf_in(call->arena);
    rf_str verifier;
    RF_TRY(vault_sql_verifier(password, call->arena, &verifier, err));
    rf_buf_str(&sql, RF_S("ALTER ROLE "));
    RF_TRY(pg_quote_name(&sql, json_text_at(db->node, "user"), err));
    rf_buf_str(&sql, RF_S(" PASSWORD"));
    RF_TRY(pg_quote_text(&sql, verifier, err));
    if (sql.failed) return rf_fail_memory(err, call->arena);
    return postgres_run(pg, rf_buf_view(&sql), true, err);
}

/* Set, tried by a login of its own, and only then kept as the one. */
static enum rf_kind rotate(struct vault_call *call, struct database *db, struct rf_err *err)
{
    struct postgres *pg, *again = NULL;
    rf_str password = {0};
    RF_TRY(vault_database_open(call->vaults, db, call->arena, &pg, err));
    enum rf_kind kind = prepare(call, db, &password, err);
    if (kind == RF_OK) kind = set_password(call, db, pg, password, err);
    postgres_close(pg);
    if (kind == RF_OK)
        kind = vault_database_try(call->vaults, db, password, call->arena, &again, err);
    postgres_close(again);
    if (password.ptr != NULL) vault_wipe(password);
    return kind == RF_OK ? promote(call->vaults, db, call->arena, err) : kind;
}

enum rf_kind vault_database_rotate(struct vault_call *call, struct rf_err *err)
{
    struct database db;
    struct json_node *out = json_new(call->arena, JSON_T_OBJECT);
    RF_TRY(vault_database_need(call, NULL, &db, err));
    RF_TRY(vault_databases_enter(call, err));
    enum rf_kind kind = rotate(call, &db, err);
    vault_databases_leave(call->vaults);
    if (kind == RF_CONFLICT && strcmp(err->code, "Conflict") == 0) return kind;
    /* Somebody else has come as far: what he keeps is the same password. */
    if (kind == RF_CONFLICT) kind = RF_OK;
    if (kind != RF_OK) return vault_database_error(call, err);
    bool good = json_set_text(call->arena, out, "name", json_text_at(db.node, "name")) != NULL &&
                json_set_i64(call->arena, out, "rotated", call->now) != NULL;
    return good ? request_answer(call->request, 200, out) : rf_fail_memory(err, call->arena);
}
