#include "net/postgres.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <time.h>

#include "base/encode.h"
#include "net/dial.h"
#include "net/postgres_scram.h"
#include "net/postgres_wire.h"

enum {
    PORT = 5432,
    NONCE_BYTES = 24,
    ARENA_BYTES_MAX = 16 << 20,
    CALL_BYTES_MAX = 16 << 20, /* of what the server says to one call */
    CALL_TIMES = 4,
    WORDS_MAX = 300
};

struct postgres {
    struct dial *dial;
    struct tls_context *tls;
    struct rf_arena arena; /* of one call */
    int64_t timeout_usec, ends_usec;
    uint32_t message_limit;
    size_t call_bytes;
    bool bound, broken, greeted;
    char sqlstate[6];
};
struct message {
    char type;
    rf_str body; /* in the call's arena */
};

/* ---- bytes -------------------------------------------------------------------------------------------------------- */

static int64_t now_usec(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * RF_USEC_PER_SECOND + now.tv_nsec / 1000;
}

static enum rf_kind gone(struct postgres *pg, enum dial_io io, struct rf_err *err)
{
    pg->broken = true;
    if (io == DIAL_TIMED_OUT)
        return RF_FAIL(err, RF_IO, "TimedOut", "the PostgreSQL server did not answer in time");
    return RF_FAIL(err, RF_IO, "PostgresGone", "the PostgreSQL server closed the connection");
}

static enum rf_kind read_all(struct postgres *pg, uint8_t *out, size_t len, struct rf_err *err)
{
    for (size_t at = 0, got = 0; at < len; at += got) {
        if (now_usec() > pg->ends_usec) return gone(pg, DIAL_TIMED_OUT, err);
        enum dial_io io = dial_read(pg->dial, out + at, len - at, &got);
        if (io != DIAL_OK) return gone(pg, io, err);
    }
    return RF_OK;
}

/* What was sent may hold a password, so it is wiped: in one piece, as `reserve` left no copies behind when it grew. */
static enum rf_kind send_all(struct postgres *pg, struct rf_buf *buf, struct rf_err *err)
{
    if (buf->failed) return rf_fail_memory(err, &pg->arena);
    enum dial_io io = dial_write(pg->dial, rf_buf_view(buf));
    OPENSSL_cleanse(buf->ptr, buf->len);
    return io == DIAL_OK ? RF_OK : gone(pg, io, err);
}

static struct rf_buf reserve(struct postgres *pg, size_t bytes)
{
    enum { HEADS_BYTES = 1024 }; /* of four messages and PG_PARAMETERS_MAX lengths */
    struct rf_buf buf = rf_buf_in(&pg->arena);
    (void)rf_buf_reserve(&buf, HEADS_BYTES + bytes);
    return buf;
}

static enum rf_kind too_much(struct postgres *pg, struct rf_err *err)
{
    pg->broken = true;
    return RF_FAIL(err, RF_LIMIT, "PostgresTooMuch",
                   "the PostgreSQL server's answer is longer than %d bytes", CALL_BYTES_MAX);
}

/* The next message that is not one of those that may come at any time. */
static enum rf_kind next(struct postgres *pg, struct message *out, struct rf_err *err)
{
    uint8_t head[PG_HEAD_BYTES];
    uint32_t bytes;
    do {
        RF_TRY(read_all(pg, head, sizeof head, err));
        enum rf_kind kind = pg_head(head, pg->message_limit, &out->type, &bytes, err);
        if (kind != RF_OK) {
            pg->broken = true;
            return kind;
        }
        pg->call_bytes += sizeof head + bytes;
        if (pg->call_bytes > CALL_BYTES_MAX) return too_much(pg, err);
        uint8_t *body = rf_arena_alloc(&pg->arena, RF_MAX(bytes, 1u));
        if (body == NULL) return too_much(pg, err);
        RF_TRY(read_all(pg, body, bytes, err));
        out->body = rf_str_make(body, bytes);
    } while (out->type == 'N' || out->type == 'S' || out->type == 'A');
    return RF_OK;
}

static void begin_call(struct postgres *pg)
{
    rf_arena_reset(&pg->arena);
    pg->call_bytes = 0;
    pg->sqlstate[0] = 0;
    pg->ends_usec = now_usec() + CALL_TIMES * pg->timeout_usec;
}

static enum rf_kind unexpected(struct postgres *pg, char type, struct rf_err *err)
{
    pg->broken = true;
    return RF_FAIL(err, RF_CORRUPT, "PostgresProtocol",
                   "the server sent a message of type '%c' that has no place here", type);
}

/* Printable, so that it may be logged. */
static void put_words(rf_str message, char out[WORDS_MAX + 1])
{
    size_t len = RF_MIN(message.len, (size_t)WORDS_MAX);
    while (len > 0 && len < message.len && (message.ptr[len] & 0xc0) == 0x80) len--;
    for (size_t i = 0; i < len; i++)
        out[i] = message.ptr[i] < ' ' || message.ptr[i] == 127 ? ' ' : (char)message.ptr[i];
    out[len] = 0;
    if (!rf_utf8_valid(rf_str_make(out, len))) out[0] = 0;
}

static enum rf_kind refused(struct postgres *pg, rf_str body, bool secret, struct rf_err *err)
{
    struct pg_fields fields;
    char words[WORDS_MAX + 1] = "";
    enum rf_kind kind = pg_read_fields(body, &fields, err);
    if (kind != RF_OK) {
        pg->broken = true;
        return kind;
    }
    memcpy(pg->sqlstate, fields.sqlstate, sizeof pg->sqlstate);
    if (!secret) put_words(fields.message, words);
    if (!pg->greeted)
        return RF_FAIL(err, RF_DENIED, "PostgresDenied",
                       "the PostgreSQL server lets nobody in so: %s (SQLSTATE %s)", words,
                       fields.sqlstate);
    return RF_FAIL(err, RF_INVALID, "PostgresFailed", "PostgreSQL refused it: SQLSTATE %s%s%s",
                   fields.sqlstate, words[0] == 0 ? "" : ": ", words);
}

/* ---- TLS ---------------------------------------------------------------------------------------------------------- */

static enum rf_kind unsafe(struct rf_err *err, const char *what)
{
    return RF_FAIL(err, RF_DENIED, "PostgresUnsafe", "%s", what);
}

static enum rf_kind check_pin(const struct postgres_options *options, rf_str der,
                              struct rf_err *err)
{
    uint8_t hash[SHA256_DIGEST_LENGTH];
    if (options->tls != POSTGRES_TLS_PINNED) return RF_OK;
    (void)SHA256(der.ptr, der.len, hash);
    if (CRYPTO_memcmp(hash, options->pin, sizeof hash) == 0) return RF_OK;
    return RF_FAIL(err, RF_DENIED, "TlsPinMismatch",
                   "the server's certificate is not the one that was pinned");
}

/* RFC 5929, 4.1: the hash of the certificate's own signature, SHA-256 in place of MD5 and SHA-1. Empty when there is none, as of Ed25519. */
static rf_str binding_of(struct postgres *pg, rf_str der)
{
    const unsigned char *at = der.ptr;
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    int nid = NID_undef;
    rf_str out = {0};
    X509 *cert = d2i_X509(NULL, &at, (long)der.len);
    if (cert != NULL && OBJ_find_sigid_algs(X509_get_signature_nid(cert), &nid, NULL) == 1 &&
        nid != NID_undef) {
        if (nid == NID_md5 || nid == NID_sha1) nid = NID_sha256;
        const EVP_MD *md = EVP_get_digestbynid(nid);
        if (md != NULL && X509_digest(cert, md, hash, &len) == 1)
            (void)rf_arena_str(&pg->arena, rf_str_make(hash, len), &out);
    }
    X509_free(cert);
    return out;
}

/* One byte is read and no more, so that nothing which came before TLS is taken for what comes behind it. */
static enum rf_kind begin_tls(struct postgres *pg, const struct postgres_options *options,
                              rf_str *binding, struct rf_err *err)
{
    struct rf_buf buf = rf_buf_in(&pg->arena);
    uint8_t answer;
    rf_str der;
    pg_put_ssl(&buf);
    RF_TRY(send_all(pg, &buf, err));
    RF_TRY(read_all(pg, &answer, 1, err));
    if (answer == 'N')
        return unsafe(err, "the PostgreSQL server speaks no TLS: turn `ssl` on in its "
                           "configuration");
    if (answer != 'S')
        return unexpected(pg, answer >= ' ' && answer < 127 ? (char)answer : '?', err);
    RF_TRY(tls_client_new(options->ca_pem, &pg->tls, err));
    RF_TRY(dial_tls(pg->dial, pg->tls, options->tls == POSTGRES_TLS_PINNED, err));
    if (!dial_certificate(pg->dial, &pg->arena, &der))
        return RF_FAIL(err, RF_IO, "TlsFailed", "the server showed no certificate");
    RF_TRY(check_pin(options, der, err));
    *binding = binding_of(pg, der);
    return RF_OK;
}

/* ---- logging in --------------------------------------------------------------------------------------------------- */

static enum rf_kind next_auth(struct postgres *pg, uint32_t wanted, rf_str *rest,
                              struct rf_err *err)
{
    struct message message;
    uint32_t code;
    RF_TRY(next(pg, &message, err));
    if (message.type == 'E') return refused(pg, message.body, false, err);
    if (message.type != 'R') return unexpected(pg, message.type, err);
    RF_TRY(pg_read_auth(message.body, &code, rest, err));
    return code == wanted ? RF_OK : unexpected(pg, message.type, err);
}

static enum rf_kind log_in_scram(struct postgres *pg, const struct postgres_options *options,
                                 rf_str mechanisms, rf_str binding, struct rf_err *err)
{
    bool plain, plus;
    uint8_t random[NONCE_BYTES];
    rf_str rest, text;
    struct rf_buf buf = rf_buf_in(&pg->arena);
    RF_TRY(pg_read_mechanisms(mechanisms, &plain, &plus, err));
    pg->bound = plus && binding.len > 0;
    if (!pg->bound && !plain)
        return unsafe(err, "the PostgreSQL server offers no SCRAM-SHA-256 that we can do");
    if (RAND_bytes(random, sizeof random) != 1)
        return RF_FAIL(err, RF_IO, "CryptoFailed", "no random bytes");
    struct scram scram = {.arena = &pg->arena,
                          .password = options->password,
                          .binding = pg->bound ? binding : (rf_str){0},
                          .could_bind = binding.len > 0 && !plus,
                          .nonce = base64_encode(&pg->arena, rf_str_make(random, sizeof random))};
    text = scram.nonce.ptr == NULL ? scram.nonce : scram_first(&scram);
    if (text.ptr == NULL) return rf_fail_memory(err, &pg->arena);
    pg_put_sasl_first(&buf, pg->bound ? "SCRAM-SHA-256-PLUS" : "SCRAM-SHA-256", text);
    RF_TRY(send_all(pg, &buf, err));
    RF_TRY(next_auth(pg, PG_AUTH_CONTINUE, &rest, err));
    RF_TRY(scram_answer(&scram, rest, &text, err));
    buf = rf_buf_in(&pg->arena);
    pg_put_sasl_next(&buf, text);
    RF_TRY(send_all(pg, &buf, err));
    RF_TRY(next_auth(pg, PG_AUTH_FINAL, &rest, err));
    RF_TRY(scram_finish(&scram, rest, err));
    return next_auth(pg, PG_AUTH_OK, &rest, err);
}

static enum rf_kind log_in(struct postgres *pg, const struct postgres_options *options,
                           rf_str binding, struct rf_err *err)
{
    struct message message;
    struct rf_buf buf = rf_buf_in(&pg->arena);
    uint32_t code;
    rf_str rest;
    RF_TRY(pg_put_startup(&buf, options->user, options->database, RF_S("ringfort"), err));
    RF_TRY(send_all(pg, &buf, err));
    RF_TRY(next(pg, &message, err));
    if (message.type == 'E') return refused(pg, message.body, false, err);
    if (message.type != 'R') return unexpected(pg, message.type, err);
    RF_TRY(pg_read_auth(message.body, &code, &rest, err));
    if (code == PG_AUTH_SASL) return log_in_scram(pg, options, rest, binding, err);
    if (code == PG_AUTH_CLEAR && options->clear_allowed && dial_is_tls(pg->dial)) {
        buf = reserve(pg, options->password.len);
        RF_TRY(pg_put_password(&buf, options->password, err));
        RF_TRY(send_all(pg, &buf, err));
        return next_auth(pg, PG_AUTH_OK, &rest, err);
    }
    if (code == PG_AUTH_OK)
        return unsafe(err, "the PostgreSQL server lets in whoever comes (`trust` in pg_hba.conf): "
                           "set scram-sha-256 there");
    return unsafe(err, "the PostgreSQL server asks for a password by a way that gives it away: set "
                       "scram-sha-256 in pg_hba.conf and password_encryption, and the password "
                       "anew");
}

static enum rf_kind until_ready(struct postgres *pg, struct rf_err *err)
{
    struct message message;
    for (;;) {
        RF_TRY(next(pg, &message, err));
        if (message.type == 'Z') return RF_OK;
        if (message.type == 'E') return refused(pg, message.body, false, err);
        if (message.type != 'K') return unexpected(pg, message.type, err);
    }
}

static enum rf_kind greet(struct postgres *pg, const struct postgres_options *options,
                          struct rf_err *err)
{
    struct dial_options dial = {.host = options->host,
                                .port = options->port == 0 ? PORT : options->port,
                                .timeout_usec = pg->timeout_usec,
                                .egress = options->egress};
    rf_str binding = {0};
    if (options->tls == POSTGRES_TLS_NONE && !egress_is_loopback(rf_str_of(options->host)))
        return unsafe(err, "without TLS only databases on this machine are spoken to");
    begin_call(pg);
    RF_TRY(dial_open(&dial, &pg->dial, err));
    if (options->tls != POSTGRES_TLS_NONE) RF_TRY(begin_tls(pg, options, &binding, err));
    RF_TRY(log_in(pg, options, binding, err));
    RF_TRY(until_ready(pg, err));
    pg->greeted = true;
    pg->message_limit = PG_MESSAGE_BYTES_MAX;
    return RF_OK;
}

enum rf_kind postgres_open(const struct postgres_options *options, struct postgres **out,
                           struct rf_err *err)
{
    struct postgres *pg = calloc(1, sizeof *pg);
    if (pg == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "a connection");
    rf_arena_init(&pg->arena, ARENA_BYTES_MAX);
    pg->timeout_usec = options->timeout_usec > 0 ? options->timeout_usec : 30 * RF_USEC_PER_SECOND;
    pg->message_limit = PG_GREETING_BYTES_MAX;
    enum rf_kind kind = greet(pg, options, err);
    if (kind == RF_OK) {
        *out = pg;
        return kind;
    }
    pg->broken = true;
    postgres_close(pg);
    return kind;
}

/* ---- statements --------------------------------------------------------------------------------------------------- */

struct answer {
    struct rf_arena *arena; /* NULL: rows are not wanted */
    struct rf_buf cells;    /* of rf_str */
    uint32_t rows, columns;
};

static enum rf_kind keep_row(struct postgres *pg, rf_str body, struct answer *answer,
                             struct rf_err *err)
{
    rf_str columns[PG_COLUMNS_MAX];
    uint32_t count;
    RF_TRY(pg_read_row(body, columns, RF_COUNT(columns), &count, err));
    if (answer->arena == NULL) return RF_OK;
    if (answer->rows > 0 && count != answer->columns) return unexpected(pg, 'D', err);
    for (uint32_t i = 0; i < count; i++) {
        rf_str copy = {0};
        if (columns[i].ptr != NULL && !rf_arena_str(answer->arena, columns[i], &copy))
            return rf_fail_memory(err, answer->arena);
        rf_buf_put(&answer->cells, &copy, sizeof copy);
    }
    if (answer->cells.failed) return rf_fail_memory(err, answer->arena);
    answer->columns = count;
    answer->rows++;
    return RF_OK;
}

/* Up to the server's being ready again, so that the connection can be used behind a refusal too. */
static enum rf_kind read_answer(struct postgres *pg, bool secret, struct answer *answer,
                                struct rf_err *err)
{
    enum rf_kind result = RF_OK;
    struct message message;
    for (;;) {
        RF_TRY(next(pg, &message, err));
        switch (message.type) {
        case 'Z':
            return result;
        case 'E':
            if (result == RF_OK) result = refused(pg, message.body, secret, err);
            break;
        case 'D':
            RF_TRY(keep_row(pg, message.body, answer, err));
            break;
        case '1':
        case '2':
        case 'C':
        case 'I':
        case 'T':
            break;
        default:
            return unexpected(pg, message.type, err);
        }
    }
}

static enum rf_kind exchange(struct postgres *pg, struct rf_buf *buf, bool secret,
                             struct answer *answer, struct rf_err *err)
{
    RF_TRY(send_all(pg, buf, err));
    enum rf_kind kind = read_answer(pg, secret, answer, err);
    if (kind != RF_OK && kind != RF_INVALID) pg->broken = true;
    return kind;
}

static enum rf_kind check_open(const struct postgres *pg, struct rf_err *err)
{
    if (!pg->broken) return RF_OK;
    return RF_FAIL(err, RF_IO, "PostgresGone", "the connection to PostgreSQL has ended");
}

enum rf_kind postgres_run(struct postgres *pg, rf_str sql, bool secret, struct rf_err *err)
{
    struct answer answer = {0};
    RF_TRY(check_open(pg, err));
    begin_call(pg);
    struct rf_buf buf = reserve(pg, sql.len);
    RF_TRY(pg_put_query(&buf, sql, err));
    return exchange(pg, &buf, secret, &answer, err);
}

enum rf_kind postgres_query(struct postgres *pg, rf_str sql, const rf_str *parameters,
                            uint32_t count, struct rf_arena *arena, struct postgres_rows *out,
                            struct rf_err *err)
{
    struct answer answer = {.arena = arena, .cells = rf_buf_in(arena)};
    RF_TRY(check_open(pg, err));
    begin_call(pg);
    size_t bytes = sql.len;
    for (uint32_t i = 0; i < count; i++)
        if (!rf_add_size(bytes, parameters[i].len, &bytes)) return too_much(pg, err);
    struct rf_buf buf = reserve(pg, bytes);
    RF_TRY(pg_put_extended(&buf, sql, parameters, count, err));
    RF_TRY(exchange(pg, &buf, true, &answer, err));
    *out = (struct postgres_rows){.cells = (rf_str *)(void *)answer.cells.ptr,
                                  .rows = answer.rows,
                                  .columns = answer.columns};
    return RF_OK;
}

const char *postgres_sqlstate(const struct postgres *pg) { return pg->sqlstate; }

bool postgres_is_bound(const struct postgres *pg) { return pg->bound; }

void postgres_close(struct postgres *pg)
{
    if (pg == NULL) return;
    if (!pg->broken && pg->dial != NULL) {
        begin_call(pg);
        struct rf_buf buf = rf_buf_in(&pg->arena);
        pg_put_bye(&buf);
        (void)send_all(pg, &buf, NULL);
    }
    dial_close(pg->dial);
    tls_free(pg->tls);
    rf_arena_done(&pg->arena);
    free(pg);
}
