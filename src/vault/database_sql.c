/* database_sql.c - texts for PostgreSQL: templates with their words, what it keeps of a password, names of logins. */
#include "vault/database_int.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include "base/encode.h"
#include "crypt/digest.h"
#include "net/postgres_wire.h"

enum {
    ROUNDS = 4096,
    SALT_BYTES = 16,
    KEY_BYTES = 32,
    RANDOM_CHARS = 16,
    VAULT_CHARS_MAX = 24,
    WORD_BYTES_MAX = 40
};

/* ---- placeholders ------------------------------------------------------------------------------------------------------------ */

enum word { WORD_NAME, WORD_VERIFIER, WORD_EXPIRATION, WORD_OTHER };
struct piece {
    rf_str before; /* what stands in front of it */
    enum word word;
    bool quoted; /* the statement has the quotes */
};

static enum rf_kind bad_word(rf_str word, enum sql_use use, struct rf_err *err)
{
    static const char *const known[] = {[SQL_CREATE] = "{{name}}, {{verifier}} and {{expiration}}",
                                        [SQL_RENEW] = "{{name}} and {{expiration}}",
                                        [SQL_REVOKE] = "{{name}}"};
    if (rf_str_is(word, "password"))
        return RF_FAIL(err, RF_INVALID, "BadTemplate",
                       "the placeholder {{password}} is not there, as it would stand in the log of "
                       "the server: write PASSWORD {{verifier}}");
    for (size_t i = 0; i < word.len; i++)
        if (!rf_is_alnum(word.ptr[i]) && word.ptr[i] != '_' && word.ptr[i] != '-') word.len = 0;
    return RF_FAIL(err, RF_INVALID, "BadTemplate", "unknown placeholder {{%.*s}}: there are %s",
                   (int)RF_MIN(word.len, (size_t)WORD_BYTES_MAX), (const char *)word.ptr,
                   known[use]);
}

static enum word word_of(rf_str text, enum sql_use use)
{
    if (rf_str_is(text, "name")) return WORD_NAME;
    if (rf_str_is(text, "verifier") && use == SQL_CREATE) return WORD_VERIFIER;
    if (rf_str_is(text, "expiration") && use != SQL_REVOKE) return WORD_EXPIRATION;
    return WORD_OTHER;
}

/* Takes the text up to the next placeholder, and that, off the front. *found false: none is left. */
static enum rf_kind next_piece(rf_str statement, size_t *at, enum sql_use use, struct piece *out,
                               bool *found, struct rf_err *err)
{
    size_t open = rf_str_find(statement, RF_S("{{"), *at);
    *found = open != SIZE_MAX;
    if (!*found) return RF_OK;
    size_t close = rf_str_find(statement, RF_S("}}"), open + 2);
    if (close == SIZE_MAX)
        return RF_FAIL(err, RF_INVALID, "BadTemplate", "a placeholder is not closed by }}");
    rf_str text = rf_str_trim(rf_slice(statement, open + 2, close));
    *out = (struct piece){.before = rf_slice(statement, *at, open), .word = word_of(text, use)};
    if (out->word == WORD_OTHER) return bad_word(text, use, err);
    uint8_t quote = out->word == WORD_NAME ? '"' : '\'';
    out->quoted = open > 0 && statement.ptr[open - 1] == quote && close + 2 < statement.len &&
                  statement.ptr[close + 2] == quote;
    *at = close + 2;
    return RF_OK;
}

enum rf_kind vault_sql_check(rf_str statement, enum sql_use use, struct rf_err *err)
{
    struct piece piece;
    bool found = true;
    if (rf_str_trim(statement).len == 0)
        return RF_FAIL(err, RF_INVALID, "BadTemplate", "a statement is empty");
    if (statement.len > SQL_STATEMENT_BYTES_MAX)
        return RF_FAIL(err, RF_INVALID, "BadTemplate", "a statement has more than %d bytes",
                       SQL_STATEMENT_BYTES_MAX);
    if (memchr(statement.ptr, 0, statement.len) != NULL || !rf_utf8_valid(statement))
        return RF_FAIL(err, RF_INVALID, "BadTemplate", "a statement is no text");
    for (size_t at = 0; found;) RF_TRY(next_piece(statement, &at, use, &piece, &found, err));
    return RF_OK;
}

/* "2026-01-31 12:00:00+00". */
static rf_str time_text(rf_str iso) { return iso.len >= 19 ? rf_slice(iso, 0, 19) : (rf_str){0}; }

static enum rf_kind put_word(struct rf_buf *out, const struct piece *piece,
                             const struct sql_words *words, struct rf_err *err)
{
    char time[GUID_TEXT_BYTES];
    rf_str text = piece->word == WORD_NAME ? words->name : words->verifier;
    if (piece->word == WORD_EXPIRATION) {
        RF_CLEANUP(rf_arena_done) struct rf_arena arena;
        rf_arena_init(&arena, 4096);
        rf_str iso = time_text(time_iso(&arena, words->expires * RF_USEC_PER_SECOND));
        if (iso.ptr == NULL) return rf_fail_memory(err, &arena);
        memcpy(time, iso.ptr, iso.len);
        time[10] = ' ';
        memcpy(time + iso.len, "+00", 3);
        text = rf_str_make((const uint8_t *)time, iso.len + 3);
        if (!piece->quoted) return pg_quote_text(out, text, err);
        rf_buf_str(out, text);
        return RF_OK;
    }
    if (!piece->quoted)
        return piece->word == WORD_NAME ? pg_quote_name(out, text, err)
                                        : pg_quote_text(out, text, err);
    /* Names and verifiers are made here, of letters that need no doubling in any quotes. */
    rf_buf_str(out, text);
    return RF_OK;
}

enum rf_kind vault_sql_expand(struct rf_buf *out, rf_str statement, enum sql_use use,
                              const struct sql_words *words, struct rf_err *err)
{
    size_t at = 0;
    for (;;) {
        struct piece piece;
        bool found;
        RF_TRY(next_piece(statement, &at, use, &piece, &found, err));
        if (!found) break;
        rf_buf_str(out, piece.before);
        RF_TRY(put_word(out, &piece, words, err));
    }
    rf_buf_str(out, rf_slice(statement, at, statement.len));
    return RF_OK;
}

/* ---- what a role says ------------------------------------------------------------------------------------------------------------ */

static const char *const lists[] = {[SQL_CREATE] = "creationStatements",
                                    [SQL_RENEW] = "renewStatements",
                                    [SQL_REVOKE] = "revocationStatements"};
static const char create_login[] =
    "CREATE ROLE {{name}} LOGIN PASSWORD {{verifier}} VALID UNTIL {{expiration}}";
static const char set_until[] = "ALTER ROLE {{name}} VALID UNTIL {{expiration}}";
/* Locked it is already, without sessions, and the current user is one of its members, as who drops what a login has must be. */
static const char *const drop_login[] = {"REASSIGN OWNED BY {{name}} TO CURRENT_USER",
                                         "DROP OWNED BY {{name}}", "DROP ROLE {{name}}"};

/* Behind a comment at a statement's end the semicolon would be a part of it. */
static enum rf_kind put_statement(struct rf_buf *out, rf_str text, enum sql_use use,
                                  const struct sql_words *words, struct rf_err *err)
{
    RF_TRY(vault_sql_expand(out, text, use, words, err));
    rf_buf_str(out, RF_S("\n;\n"));
    return RF_OK;
}

static enum rf_kind put_grants(struct rf_buf *out, const struct json_node *role,
                               const struct sql_words *words, struct rf_err *err)
{
    const struct json_node *grants = json_get(role, "grants"), *groups = json_get(role, "memberOf");
    for (const struct json_node *g = grants == NULL ? NULL : grants->first; g != NULL;
         g = g->next) {
        rf_buf_str(out, RF_S("GRANT "));
        rf_buf_str(out, g->text);
        RF_TRY(put_statement(out, RF_S(" TO {{name}}"), SQL_CREATE, words, err));
    }
    for (const struct json_node *g = groups == NULL ? NULL : groups->first; g != NULL;
         g = g->next) {
        rf_buf_str(out, RF_S("GRANT "));
        RF_TRY(pg_quote_name(out, g->text, err));
        RF_TRY(put_statement(out, RF_S(" TO {{name}}"), SQL_CREATE, words, err));
    }
    return RF_OK;
}

static enum rf_kind put_default(struct rf_buf *out, const struct json_node *role, enum sql_use use,
                                const struct sql_words *words, struct rf_err *err)
{
    if (use == SQL_RENEW) return put_statement(out, rf_str_of(set_until), use, words, err);
    if (use == SQL_CREATE) {
        RF_TRY(put_statement(out, rf_str_of(create_login), use, words, err));
        return put_grants(out, role, words, err);
    }
    for (size_t i = 0; i < RF_COUNT(drop_login); i++)
        RF_TRY(put_statement(out, rf_str_of(drop_login[i]), use, words, err));
    return RF_OK;
}

enum rf_kind vault_sql_of_role(const struct json_node *role, enum sql_use use,
                               const struct sql_words *words, struct rf_arena *arena, rf_str *out,
                               struct rf_err *err)
{
    struct rf_buf buf = rf_buf_in(arena);
    const struct json_node *list = json_get(role, lists[use]);
    if (json_is(list, JSON_T_ARRAY) && list->count > 0) {
        for (const struct json_node *s = list->first; s != NULL; s = s->next)
            RF_TRY(put_statement(&buf, s->text, use, words, err));
        /* What the statements leave out: no login of ours is good for ever. */
        if (use == SQL_CREATE) {
            RF_TRY(put_grants(&buf, role, words, err));
            RF_TRY(put_statement(&buf, rf_str_of(set_until), SQL_RENEW, words, err));
        }
    } else {
        RF_TRY(put_default(&buf, role, use, words, err));
    }
    if (buf.failed) return rf_fail_memory(err, arena);
    *out = rf_buf_view(&buf);
    return RF_OK;
}

/* Letters, digits, blanks and what names and lists of columns need; never a quote that could hide a semicolon's fellows. */
bool vault_sql_is_grant(rf_str text)
{
    uint32_t quotes = 0;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        quotes += c == '"';
        if (!rf_is_alnum(c) && c < 0x80 && strchr("_ .,()\"$", c) == NULL) return false;
    }
    return text.len > 0 && quotes % 2 == 0 && rf_utf8_valid(text) &&
           memchr(text.ptr, 0, text.len) == NULL;
}

/* ---- passwords ------------------------------------------------------------------------------------------------------------------- */

static bool mac(const uint8_t key[KEY_BYTES], rf_str text, uint8_t out[KEY_BYTES])
{
    return HMAC(EVP_sha256(), key, KEY_BYTES, text.ptr, text.len, out, NULL) != NULL;
}

enum rf_kind vault_sql_verifier(rf_str password, struct rf_arena *arena, rf_str *out,
                                struct rf_err *err)
{
    uint8_t salt[SALT_BYTES], salted[KEY_BYTES], key[KEY_BYTES], stored[KEY_BYTES],
        server[KEY_BYTES];
    random_bytes(salt, sizeof salt);
    bool good = PKCS5_PBKDF2_HMAC((const char *)password.ptr, (int)password.len, salt, sizeof salt,
                                  ROUNDS, EVP_sha256(), sizeof salted, salted) == 1 &&
                mac(salted, RF_S("Client Key"), key) && SHA256(key, sizeof key, stored) != NULL &&
                mac(salted, RF_S("Server Key"), server);
    OPENSSL_cleanse(salted, sizeof salted);
    OPENSSL_cleanse(key, sizeof key);
    if (!good) return RF_FAIL(err, RF_IO, "CryptoFailed", "OpenSSL could not make a verifier");
    rf_str s = base64_encode(arena, rf_str_make(salt, sizeof salt)),
           k = base64_encode(arena, rf_str_make(stored, sizeof stored)),
           v = base64_encode(arena, rf_str_make(server, sizeof server));
    if (s.ptr == NULL || k.ptr == NULL || v.ptr == NULL) return rf_fail_memory(err, arena);
    *out = rf_arena_printf(arena, "SCRAM-SHA-256$%d:%.*s$%.*s:%.*s", ROUNDS, RF_FMT(s), RF_FMT(k),
                           RF_FMT(v));
    return out->ptr == NULL ? rf_fail_memory(err, arena) : RF_OK;
}

rf_str vault_sql_password(struct rf_arena *arena)
{
    uint8_t bytes[SQL_PASSWORD_BYTES / 4 * 3];
    random_bytes(bytes, sizeof bytes);
    rf_str text = base64url_encode(arena, rf_str_make(bytes, sizeof bytes));
    OPENSSL_cleanse(bytes, sizeof bytes);
    return text;
}

/* ---- names ------------------------------------------------------------------------------------------------------------------------- */

rf_str vault_sql_user(rf_str vault, rf_str role, struct rf_arena *arena)
{
    uint8_t bytes[RANDOM_CHARS / 2];
    random_bytes(bytes, sizeof bytes);
    rf_str tail = hex_encode(arena, rf_str_make(bytes, sizeof bytes));
    rf_str first =
        vault_database_lower(arena, rf_slice(vault, 0, RF_MIN(vault.len, VAULT_CHARS_MAX)));
    size_t room = SQL_USER_BYTES_MAX - strlen("v---") - RANDOM_CHARS - first.len;
    rf_str second = vault_database_lower(arena, rf_slice(role, 0, RF_MIN(role.len, room)));
    if (tail.ptr == NULL || first.ptr == NULL || second.ptr == NULL) return (rf_str){0};
    return rf_arena_printf(arena, "v-%.*s-%.*s-%.*s", RF_FMT(first), RF_FMT(second), RF_FMT(tail));
}
