#include "crypt/keeper.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/encode.h"
#include "crypt/jwt.h"
#include "crypt/keeper_int.h"
#include "test/rf_prop.h"

/* 2026-01-31 */
#define START_USEC (INT64_C(1769817600) * RF_USEC_PER_SECOND)
#define HOUR_USEC (INT64_C(3600) * RF_USEC_PER_SECOND)
#define DAY_USEC (24 * HOUR_USEC)

struct bench {
    char folder[64];
    struct rf_clock_fixed clock;
    struct keeper_core *core;
    struct keeper *keeper;
    struct rf_arena arena;
    int served; /* the core's end */
    pthread_t thread;
    enum rf_kind kind;
    struct rf_err err, served_err;
};

static void *serve(void *ctx)
{
    struct bench *b = ctx;
    b->kind = keeper_core_serve(b->core, b->served, &b->served_err);
    return NULL;
}

static void open_core(struct bench *b)
{
    char path[80];
    snprintf(path, sizeof path, "%s/keeper", b->folder);
    struct keeper_core_options options = {
        .folder = path, .domain = RF_S("ringfort.localhost"), .clock = &b->clock.clock};
    cr_assert(keeper_core_new(&options, &b->core, &b->err) == RF_OK, "%s", b->err.text);
}

/* Starts the core's thread and gives the caller's end. */
static int start(struct bench *b)
{
    int pair[2];
    cr_assert(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
    b->served = pair[1];
    cr_assert(pthread_create(&b->thread, NULL, serve, b) == 0);
    return pair[0];
}

static void bench_init(struct bench *b)
{
    memset(b, 0, sizeof *b);
    strcpy(b->folder, "/tmp/ringfort_keeper_XXXXXX");
    cr_assert(mkdtemp(b->folder) != NULL);
    rf_clock_fixed_init(&b->clock, START_USEC, 0);
    rf_arena_init(&b->arena, 16 << 20);
    open_core(b);
}

static void bench_connect(struct bench *b)
{
    int fd = start(b);
    cr_assert(keeper_connect(fd, &b->keeper, &b->err) == RF_OK);
    keeper_set_patience(b->keeper,
                        120 * RF_USEC_PER_SECOND); /* a busy machine takes long for a key */
}

static void bench_disconnect(struct bench *b)
{
    keeper_free(b->keeper);
    b->keeper = NULL;
    pthread_join(b->thread, NULL);
    close(b->served);
}

static void bench_done(struct bench *b)
{
    char command[128];
    keeper_core_free(b->core);
    rf_arena_done(&b->arena);
    snprintf(command, sizeof command, "rm -rf %s", b->folder);
    cr_assert(system(command) == 0);
}

static void reopen(struct bench *b)
{
    keeper_core_free(b->core);
    b->core = NULL;
    open_core(b);
}

static struct keeper_jwt_key *list_keys(struct bench *b, uint32_t *count)
{
    struct keeper_jwt_key *keys;
    cr_assert(keeper_jwt_keys(b->keeper, &b->arena, &keys, count, &b->err) == RF_OK, "%s",
              b->err.text);
    return keys;
}

static struct keeper_jwt_key signing_key(struct bench *b)
{
    uint32_t count;
    struct keeper_jwt_key *keys = list_keys(b, &count);
    for (uint32_t i = 0; i < count; i++)
        if (keys[i].signing) return keys[i];
    cr_assert_fail("no key signs");
    abort();
}

static rf_str input_of(struct bench *b, const char *header, const char *claims)
{
    rf_str h = base64url_encode(&b->arena, rf_str_of(header)),
           c = base64url_encode(&b->arena, rf_str_of(claims));
    return rf_arena_printf(&b->arena, "%.*s.%.*s", RF_FMT(h), RF_FMT(c));
}

static rf_str good_input(struct bench *b, rf_str kid)
{
    rf_str header = rf_arena_printf(&b->arena, "{\"alg\":\"RS256\",\"kid\":\"%.*s\"}", RF_FMT(kid));
    rf_str claims =
        rf_arena_printf(&b->arena, "{\"iss\":\"https://localhost:8443/t/\",\"exp\":%lld}",
                        (long long)(rf_clock_now(&b->clock.clock) / RF_USEC_PER_SECOND + 3600));
    return input_of(b, rf_arena_cstr(&b->arena, header), rf_arena_cstr(&b->arena, claims));
}

static enum rf_kind check_token(struct bench *b, rf_str cert, rf_str token)
{
    struct public_key *key;
    struct jwt jwt;
    cr_assert(public_key_of_cert(cert, &key, &b->err) == RF_OK);
    enum rf_kind kind = jwt_parse(token, &b->arena, &jwt, &b->err);
    if (kind == RF_OK) kind = jwt_check(&jwt, key, JWT_RS256, &b->err);
    public_key_free(key);
    return kind;
}

Test(keeper, signs_tokens_that_verify)
{
    struct bench b;
    rf_str signature;
    bench_init(&b);
    bench_connect(&b);
    struct keeper_jwt_key key = signing_key(&b);
    rf_str input = good_input(&b, key.kid);
    cr_assert(keeper_jwt_sign(b.keeper, input, &b.arena, &signature, &b.err) == RF_OK, "%s",
              b.err.text);
    rf_str token = jwt_assemble(&b.arena, input, signature);
    cr_assert(check_token(&b, key.cert, token) == RF_OK);
    uint8_t sha1[SHA1_BYTES];
    digest_sha1(key.cert, sha1);
    cr_assert(rf_str_eq(key.kid, base64url_encode(&b.arena, rf_str_make(sha1, sizeof sha1))));
    bench_disconnect(&b);
    bench_done(&b);
}

Test(keeper, signs_only_tokens_of_its_authority)
{
    struct bench b;
    rf_str signature;
    bench_init(&b);
    bench_connect(&b);
    struct keeper_jwt_key key = signing_key(&b);
    rf_str kid_header =
        rf_arena_printf(&b.arena, "{\"alg\":\"RS256\",\"kid\":\"%.*s\"}", RF_FMT(key.kid));
    const char *header = rf_arena_cstr(&b.arena, kid_header);
    rf_str ps_header =
        rf_arena_printf(&b.arena, "{\"alg\":\"PS256\",\"kid\":\"%.*s\"}", RF_FMT(key.kid));
    int64_t now = START_USEC / RF_USEC_PER_SECOND;
    char late[128], ok[128];
    snprintf(late, sizeof late, "{\"iss\":\"https://localhost/t\",\"exp\":%lld}",
             (long long)now + 25 * 3600 + 1);
    snprintf(ok, sizeof ok, "{\"iss\":\"https://a.vault.RINGFORT.localhost:1/t\",\"exp\":%lld}",
             (long long)now + 25 * 3600);
    const struct {
        const char *header, *claims, *why;
    } refused[] = {
        {header, late, "25 hours"},
        {header, "{\"iss\":\"https://localhost/t\"}", "25 hours"},
        {header, "{\"iss\":\"https://localhost/t\",\"exp\":\"1\"}", "25 hours"},
        {header, "{\"exp\":1}", "issuer"},
        {header, "{\"iss\":\"https://evil.example/t\",\"exp\":1}", "issuer"},
        {header, "{\"iss\":\"https://localhost.evil.example/t\",\"exp\":1}", "issuer"},
        {header, "{\"iss\":\"https://localhost@evil.example/t\",\"exp\":1}", "issuer"},
        {header, "{\"iss\":\"http://localhost/t\",\"exp\":1}", "issuer"},
        {header, "{\"iss\":\"https://b.a.ringfort.localhost/t\",\"exp\":1}", "issuer"},
        {header, "{\"iss\":\"https://localhost/t\",\"exp\":1,\"exp\":2}", "cannot be read"},
        {header, "[]", "cannot be read"},
        {"{\"alg\":\"RS256\",\"kid\":\"other\"}", "{\"iss\":\"https://localhost/t\",\"exp\":1}",
         "another key"},
        {"{\"alg\":\"RS256\"}", "{\"iss\":\"https://localhost/t\",\"exp\":1}", "another key"},
        {"{\"alg\":\"none\"}", "{\"iss\":\"https://localhost/t\",\"exp\":1}", "cannot be read"},
        {rf_arena_cstr(&b.arena, ps_header), "{\"iss\":\"https://localhost/t\",\"exp\":1}",
         "RS256"},
    };
    for (size_t i = 0; i < RF_COUNT(refused); i++) {
        rf_str input = input_of(&b, refused[i].header, refused[i].claims);
        cr_expect(keeper_jwt_sign(b.keeper, input, &b.arena, &signature, &b.err) == RF_DENIED);
        cr_expect(strstr(b.err.text, refused[i].why) != NULL, "%s: %s", refused[i].claims,
                  b.err.text);
        cr_expect_str_eq(b.err.code, "BadSigningInput");
    }
    rf_str input = input_of(&b, header, ok);
    cr_expect(keeper_jwt_sign(b.keeper, input, &b.arena, &signature, &b.err) == RF_OK, "%s",
              b.err.text);
    bench_disconnect(&b);
    bench_done(&b);
}

/* ---- TLS ----------------------------------------------------------------------------------------------------------------- */

static X509 *first_cert(rf_str pem)
{
    BIO *bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
    X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free(bio);
    cr_assert(cert != NULL);
    return cert;
}

Test(keeper, tls_chain_verifies_and_signs)
{
    struct bench b;
    rf_str chain, ca;
    uint8_t digest[SHA256_BYTES] = {7}, signature[128];
    size_t len;
    bench_init(&b);
    bench_connect(&b);
    cr_assert(keeper_tls_chain(b.keeper, &b.arena, &chain, &ca, &b.err) == RF_OK, "%s", b.err.text);
    X509 *leaf = first_cert(chain), *root = first_cert(ca);
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    X509_STORE_add_cert(store, root);
    cr_assert(X509_STORE_CTX_init(ctx, store, leaf, NULL) == 1);
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
    X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_X509_STRICT | X509_V_FLAG_CHECK_SS_SIGNATURE);
    X509_VERIFY_PARAM_set_purpose(param, X509_PURPOSE_SSL_SERVER);
    X509_VERIFY_PARAM_set_time(param, (time_t)(START_USEC / RF_USEC_PER_SECOND));
    cr_expect(X509_verify_cert(ctx) == 1, "%s",
              X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)));
    static const char *const hosts[] = {"localhost", "ringfort.localhost", "x.ringfort.localhost",
                                        "kv.vault.ringfort.localhost"};
    for (size_t i = 0; i < RF_COUNT(hosts); i++)
        cr_expect(X509_check_host(leaf, hosts[i], 0, 0, NULL) == 1, "%s", hosts[i]);
    cr_expect(X509_check_ip_asc(leaf, "127.0.0.1", 0) == 1);
    cr_expect(X509_check_ip_asc(leaf, "::1", 0) == 1);
    cr_expect(X509_check_host(leaf, "example.com", 0, 0, NULL) == 0);

    cr_assert(keeper_tls_sign(b.keeper, NULL, rf_str_make(digest, sizeof digest), signature,
                              sizeof signature, &len, &b.err) == RF_OK);
    EVP_PKEY_CTX *check = EVP_PKEY_CTX_new(X509_get0_pubkey(leaf), NULL);
    cr_assert(EVP_PKEY_verify_init(check) == 1);
    cr_expect(EVP_PKEY_verify(check, signature, len, digest, sizeof digest) == 1);
    cr_expect(keeper_tls_sign(b.keeper, NULL, RF_S("short"), signature, sizeof signature, &len,
                              &b.err) == RF_INVALID);
    EVP_PKEY_CTX_free(check);
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    X509_free(leaf);
    X509_free(root);
    bench_disconnect(&b);
    bench_done(&b);
}

static struct cert_info tls_info(struct bench *b)
{
    struct cert_info info;
    cr_assert(cert_read(keeper_core_keys(b->core)->tls_der, &b->arena, &info, &b->err) == RF_OK);
    return info;
}

/* Whether the keeper signs for a certificate, with the key that it is for. */
static enum rf_kind sign_for(struct bench *b, rf_str der)
{
    uint8_t leaf[SHA256_BYTES], digest[SHA256_BYTES] = {9}, signature[128];
    size_t len;
    const uint8_t *at = der.ptr;
    digest_sha256(der, leaf);
    enum rf_kind kind = keeper_tls_sign(b->keeper, leaf, rf_str_make(digest, sizeof digest),
                                        signature, sizeof signature, &len, &b->err);
    if (kind != RF_OK) return kind;
    X509 *cert = d2i_X509(NULL, &at, (long)der.len);
    EVP_PKEY_CTX *check = EVP_PKEY_CTX_new(X509_get0_pubkey(cert), NULL);
    cr_assert(EVP_PKEY_verify_init(check) == 1);
    cr_expect(EVP_PKEY_verify(check, signature, len, digest, sizeof digest) == 1,
              "another key signed");
    EVP_PKEY_CTX_free(check);
    X509_free(cert);
    return RF_OK;
}

static rf_str tls_der(struct bench *b)
{
    rf_str copy;
    cr_assert(rf_arena_str(&b->arena, keeper_core_keys(b->core)->tls_der, &copy));
    return copy;
}

Test(keeper, tls_certificate_is_renewed_in_time_and_for_other_names)
{
    struct bench b;
    bench_init(&b);
    struct cert_info first = tls_info(&b);
    rf_clock_fixed_pass(&b.clock, 59 * DAY_USEC);
    reopen(&b);
    cr_expect(memcmp(tls_info(&b).sha256, first.sha256, 32) == 0, "31 days are left");
    rf_str old = tls_der(&b);
    rf_clock_fixed_pass(&b.clock, 1 * DAY_USEC);
    reopen(&b);
    struct cert_info renewed = tls_info(&b);
    cr_expect(memcmp(renewed.sha256, first.sha256, 32) != 0);
    cr_expect(renewed.not_after > first.not_after);
    reopen(&b); /* from the file this time */
    bench_connect(&b);
    cr_expect(sign_for(&b, old) == RF_OK, "a server that holds the old chain goes on");
    cr_expect(sign_for(&b, tls_der(&b)) == RF_OK);
    rf_clock_fixed_pass(&b.clock, DAY_USEC / 24);
    cr_expect(sign_for(&b, old) == RF_NOT_FOUND, "for an hour");
    bench_disconnect(&b);
    keeper_core_free(b.core);

    char path[80];
    snprintf(path, sizeof path, "%s/keeper", b.folder);
    rf_str names[] = {RF_S("siem.example.org"), RF_S("192.0.2.7")};
    struct keeper_core_options options = {.folder = path,
                                          .domain = RF_S("ringfort.localhost"),
                                          .clock = &b.clock.clock,
                                          .names = names,
                                          .name_count = 2};
    cr_assert(keeper_core_new(&options, &b.core, &b.err) == RF_OK, "%s", b.err.text);
    const uint8_t *at = keeper_core_keys(b.core)->tls_der.ptr;
    X509 *leaf = d2i_X509(NULL, &at, (long)keeper_core_keys(b.core)->tls_der.len);
    cr_expect(X509_check_host(leaf, "siem.example.org", 0, 0, NULL) == 1);
    cr_expect(X509_check_ip_asc(leaf, "192.0.2.7", 0) == 1);
    X509_free(leaf);
    bench_done(&b);
}

Test(keeper, a_chain_that_ends_soon_is_renewed_while_it_runs)
{
    struct bench b;
    rf_str first, same, renewed, ca;
    bench_init(&b);
    bench_connect(&b);
    cr_assert(keeper_tls_chain(b.keeper, &b.arena, &first, &ca, &b.err) == RF_OK);
    rf_str old_der = tls_der(&b);
    rf_clock_fixed_pass(&b.clock, 59 * DAY_USEC);
    cr_assert(keeper_tls_chain(b.keeper, &b.arena, &same, &ca, &b.err) == RF_OK);
    cr_expect(rf_str_eq(first, same));
    rf_clock_fixed_pass(&b.clock, DAY_USEC);
    cr_assert(keeper_tls_chain(b.keeper, &b.arena, &renewed, &ca, &b.err) == RF_OK);
    X509 *old = first_cert(first), *new = first_cert(renewed);
    cr_expect(X509_cmp(old, new) != 0);
    cr_expect(EVP_PKEY_eq(X509_get0_pubkey(old), X509_get0_pubkey(new)) != 1);
    cr_expect(sign_for(&b, old_der) == RF_OK, "handshakes under way end well");
    cr_expect(sign_for(&b, ca) == RF_NOT_FOUND && strcmp(b.err.code, "KeyGone") == 0);
    X509_free(old);
    X509_free(new);
    bench_disconnect(&b);
    bench_done(&b);
}

Test(keeper, a_certificate_is_renewed_at_the_root_s_word_but_not_without_end)
{
    struct bench b;
    char reply[ROOT_REPLY_BYTES];
    bench_init(&b);
    bench_connect(&b);
    rf_str first = tls_der(&b);
    struct root_talk talk = keeper_core_talk(b.core);
    for (int i = 0; i < KEEPER_TLS_BEFORE_MAX; i++) {
        root_talk(&talk, RF_S("renew-certificate"), reply);
        cr_assert(strncmp(reply, "ok ", 3) == 0, "%s", reply);
        struct cert_info info = tls_info(&b);
        cr_expect(rf_str_starts(rf_str_of(reply + 3), info.serial), "%s", reply);
    }
    cr_expect(sign_for(&b, first) == RF_OK, "the first of all has its key still");
    root_talk(&talk, RF_S("renew-certificate"), reply);
    cr_expect(strncmp(reply, "error RenewedTooOften ", 22) == 0, "%s", reply);
    rf_clock_fixed_pass(&b.clock, DAY_USEC / 24);
    root_talk(&talk, RF_S("renew-certificate"), reply);
    cr_expect(strncmp(reply, "ok ", 3) == 0, "%s", reply);
    cr_expect(sign_for(&b, first) == RF_NOT_FOUND);
    root_talk_unseal(&talk, RF_S("renew-certificate"), reply);
    cr_expect(strncmp(reply, "error BadRequest ", 17) == 0, "not at the server's word");
    bench_disconnect(&b);
    bench_done(&b);
}

/* ---- rotation -------------------------------------------------------------------------------------------------------------- */

Test(keeper, next_key_is_published_a_day_before_it_signs)
{
    struct bench b;
    uint32_t count;
    bench_init(&b);
    bench_connect(&b);
    struct keeper_jwt_key first = signing_key(&b);
    cr_assert(keeper_jwt_rotate(b.keeper, false, &b.err) == RF_OK);
    cr_assert(keeper_jwt_rotate(b.keeper, false, &b.err) == RF_OK, "the next one waits already");
    struct keeper_jwt_key *keys = list_keys(&b, &count);
    cr_assert(count == 2);
    cr_expect(keys[0].signing && !keys[1].signing);
    cr_expect(keys[1].from == START_USEC + DAY_USEC && keys[0].until == keys[1].from);
    rf_clock_fixed_pass(&b.clock, DAY_USEC);
    cr_expect(rf_str_eq(signing_key(&b).kid, keys[1].kid));
    rf_clock_fixed_pass(&b.clock, 25 * HOUR_USEC - 1);
    (void)list_keys(&b, &count);
    cr_expect(count == 2, "a token signed at the end of the first key's time is still good");
    rf_clock_fixed_pass(&b.clock, 1);
    keys = list_keys(&b, &count);
    cr_expect(count == 1 && !rf_str_eq(keys[0].kid, first.kid));
    bench_disconnect(&b);
    bench_done(&b);
}

Test(keeper, keys_change_by_themselves_and_survive_a_restart)
{
    struct bench b;
    uint32_t count;
    bench_init(&b);
    bench_connect(&b);
    struct keeper_jwt_key first = signing_key(&b);
    rf_clock_fixed_pass(&b.clock, 89 * DAY_USEC);
    struct keeper_jwt_key *keys = list_keys(&b, &count);
    cr_assert(count == 2);
    cr_expect(keys[0].signing && keys[1].from == rf_clock_now(&b.clock.clock) + DAY_USEC);
    rf_str next = keys[1].kid;
    bench_disconnect(&b);
    rf_clock_fixed_pass(&b.clock, 200 * DAY_USEC);
    reopen(&b);
    bench_connect(&b);
    keys = list_keys(&b, &count);
    cr_assert(count == 2, "%u", count);
    cr_expect(rf_str_eq(keys[0].kid, next) && keys[0].signing,
              "no gap: the old one signs until the next is known");
    cr_expect(!rf_str_eq(keys[0].kid, first.kid));
    bench_disconnect(&b);
    bench_done(&b);
}

Test(keeper, an_emergency_retires_all_keys_for_good)
{
    struct bench b;
    uint32_t count;
    bench_init(&b);
    bench_connect(&b);
    struct keeper_jwt_key first = signing_key(&b);
    cr_assert(keeper_jwt_rotate(b.keeper, false, &b.err) == RF_OK);
    cr_assert(keeper_jwt_rotate(b.keeper, true, &b.err) == RF_OK, "%s", b.err.text);
    struct keeper_jwt_key *keys = list_keys(&b, &count);
    cr_assert(count == 1);
    cr_expect(keys[0].signing && !rf_str_eq(keys[0].kid, first.kid));
    rf_str kid = keys[0].kid;
    bench_disconnect(&b);
    reopen(&b);
    bench_connect(&b);
    keys = list_keys(&b, &count);
    cr_expect(count == 1 && rf_str_eq(keys[0].kid, kid));
    bench_disconnect(&b);
    bench_done(&b);
}

/* ---- derived secrets ---------------------------------------------------------------------------------------------------------- */

Test(keeper, tells_how_it_does_and_where_its_log_stands)
{
    struct bench b;
    struct keeper_state before, after;
    uint8_t key[32];
    bench_init(&b);
    bench_connect(&b);
    cr_assert(keeper_state(b.keeper, &before, &b.err) == RF_OK, "%s", b.err.text);
    cr_assert(before.pid > 0 && before.peak_bytes > 1 << 20 && before.records > 0);
    cr_assert(keeper_store_key(b.keeper, key, &b.err) == RF_OK); /* leaves a line */
    cr_assert(keeper_state(b.keeper, &after, &b.err) == RF_OK);
    cr_assert(after.lines > before.lines && after.started == before.started);
    cr_assert(memcmp(after.head, before.head, sizeof after.head) != 0, "the chain went on");
    cr_assert(after.cpu >= before.cpu);
    bench_disconnect(&b);
    bench_done(&b);
}

Test(keeper, macs_and_the_store_key_last_and_differ)
{
    struct bench b;
    uint8_t a[32], same[32], other[32], store[32], again[32];
    bench_init(&b);
    bench_connect(&b);
    cr_assert(keeper_mac(b.keeper, KEEPER_MAC_SECRET, RF_S("x"), a, &b.err) == RF_OK);
    cr_assert(keeper_mac(b.keeper, "refresh token", RF_S("x"), other, &b.err) == RF_OK);
    cr_assert(keeper_store_key(b.keeper, store, &b.err) == RF_OK);
    cr_expect(memcmp(a, other, 32) != 0);
    cr_expect(keeper_mac(b.keeper, "", RF_S("x"), other, &b.err) == RF_INVALID);
    cr_expect(keeper_mac(b.keeper, "a\"b", RF_S("x"), other, &b.err) == RF_INVALID);
    static uint8_t large[KEEPER_MESSAGE_BYTES_MAX];
    cr_expect(keeper_mac(b.keeper, "p", rf_str_make(large, sizeof large), other, &b.err) ==
              RF_LIMIT);
    bench_disconnect(&b);
    reopen(&b);
    bench_connect(&b);
    cr_assert(keeper_mac(b.keeper, KEEPER_MAC_SECRET, RF_S("x"), same, &b.err) == RF_OK);
    cr_assert(keeper_store_key(b.keeper, again, &b.err) == RF_OK);
    cr_expect(memcmp(a, same, 32) == 0 && memcmp(store, again, 32) == 0);
    cr_expect(memcmp(store, root_seal_key(&keeper_core_keys(b.core)->seal, 1), 32) != 0);
    bench_disconnect(&b);
    bench_done(&b);
}

/* ---- the connection ----------------------------------------------------------------------------------------------------------- */

struct caller {
    struct keeper *keeper;
    uint8_t number;
    bool good;
    pthread_t thread;
};

/* Each thread asks for MACs of its own bytes and must get its own answers. */
static void *call_often(void *ctx)
{
    struct caller *c = ctx;
    uint8_t first[32], again[32];
    c->good = keeper_mac(c->keeper, "p", rf_str_make(&c->number, 1), first, NULL) == RF_OK;
    for (int i = 0; i < 200 && c->good; i++)
        c->good = keeper_mac(c->keeper, "p", rf_str_make(&c->number, 1), again, NULL) == RF_OK &&
                  memcmp(first, again, sizeof first) == 0;
    return NULL;
}

/* A token for who proves a secret, in one message: nothing is signed for a wrong one, nor what jwt_sign would not sign. */
Test(keeper, a_proof_and_a_signature_go_together)
{
    struct bench b;
    uint8_t macs[3][KEEPER_MAC_BYTES] = {{1}, {2}};
    uint64_t match = 7;
    rf_str signature;
    bench_init(&b);
    bench_connect(&b);
    cr_assert(keeper_mac(b.keeper, "p", RF_S("secret"), macs[2], &b.err) == RF_OK);
    struct keeper_proof proof = {
        .purpose = "p", .bytes = RF_S("secret"), .macs = rf_str_make(macs, sizeof macs)};
    struct keeper_jwt_key key = signing_key(&b);
    rf_str header =
        rf_arena_printf(&b.arena, "{\"alg\":\"RS256\",\"kid\":\"%.*s\"}", RF_FMT(key.kid));
    const char *good = "{\"iss\":\"https://localhost/t\",\"exp\":1}";
    rf_str input = input_of(&b, rf_arena_cstr(&b.arena, header), good), alone;
    cr_assert(keeper_jwt_sign_if(b.keeper, &proof, input, &b.arena, &match, &signature, &b.err) ==
                  RF_OK,
              "%s", b.err.text);
    cr_assert(keeper_jwt_sign(b.keeper, input, &b.arena, &alone, &b.err) == RF_OK);
    cr_expect(match == 2 && rf_str_eq(signature, alone));

    struct keeper_proof wrong[] = {proof, proof, proof, proof};
    wrong[0].bytes = RF_S("Secret");
    wrong[1].purpose = "q";
    wrong[2].macs.len = 2 * (size_t)KEEPER_MAC_BYTES;
    wrong[3].macs.len = 0;
    for (size_t i = 0; i < RF_COUNT(wrong); i++) {
        cr_assert(keeper_jwt_sign_if(b.keeper, &wrong[i], input, &b.arena, &match, &signature,
                                     &b.err) == RF_OK);
        cr_expect(match == KEEPER_NO_MATCH && signature.len == 0, "%zu", i);
    }
    wrong[0] = proof;
    wrong[0].purpose = "no/purpose";
    cr_expect(keeper_jwt_sign_if(b.keeper, &wrong[0], input, &b.arena, &match, &signature,
                                 &b.err) == RF_INVALID);
    rf_str foreign = input_of(&b, rf_arena_cstr(&b.arena, header),
                              "{\"iss\":\"https://elsewhere.example/t\",\"exp\":1}");
    cr_expect(keeper_jwt_sign_if(b.keeper, &proof, foreign, &b.arena, &match, &signature, &b.err) ==
              RF_DENIED);
    cr_expect_str_eq(b.err.code, "BadSigningInput");
    bench_disconnect(&b);
    bench_done(&b);
}

Test(keeper, calls_of_many_threads_overlap)
{
    struct bench b;
    struct caller callers[8];
    bench_init(&b);
    bench_connect(&b);
    for (uint8_t i = 0; i < RF_COUNT(callers); i++) {
        callers[i] = (struct caller){.keeper = b.keeper, .number = i};
        cr_assert(pthread_create(&callers[i].thread, NULL, call_often, &callers[i]) == 0);
    }
    for (size_t i = 0; i < RF_COUNT(callers); i++) {
        pthread_join(callers[i].thread, NULL);
        cr_expect(callers[i].good, "%zu", i);
    }
    bench_disconnect(&b);
    bench_done(&b);
}

Test(keeper, a_keeper_that_went_is_told_and_the_next_one_taken)
{
    struct bench b;
    uint8_t mac[32], again[32];
    bench_init(&b);
    bench_connect(&b);
    cr_assert(keeper_mac(b.keeper, "p", RF_S("x"), mac, &b.err) == RF_OK);
    shutdown(b.served, SHUT_RDWR);
    pthread_join(b.thread, NULL);
    for (int i = 0; i < 2; i++) {
        cr_expect(keeper_mac(b.keeper, "p", RF_S("x"), again, &b.err) == RF_AGAIN);
        cr_expect_str_eq(b.err.code, "KeeperGone");
    }
    close(b.served);
    keeper_reconnect(b.keeper, start(&b));
    cr_expect(keeper_mac(b.keeper, "p", RF_S("x"), again, &b.err) == RF_OK);
    cr_expect(memcmp(mac, again, sizeof mac) == 0);
    bench_disconnect(&b);
    bench_done(&b);
}

/* A keeper of the test's own: answers as it is told. */
struct fake {
    struct keeper *keeper;
    int fd;
    struct rf_err err;
};

static void fake_init(struct fake *f)
{
    int pair[2];
    cr_assert(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
    *f = (struct fake){.fd = pair[1]};
    cr_assert(keeper_connect(pair[0], &f->keeper, &f->err) == RF_OK);
    keeper_set_patience(f->keeper, 50000);
}

static void fake_done(struct fake *f)
{
    keeper_free(f->keeper);
    close(f->fd);
}

Test(keeper, a_slow_keeper_is_given_up)
{
    struct fake f;
    uint8_t out[32], message[64] = {0};
    size_t len;
    fake_init(&f);
    rf_str digest = RF_S("0123456789abcdef0123456789abcdef");
    cr_expect(keeper_tls_sign(f.keeper, NULL, digest, message, sizeof message, &len, &f.err) ==
              RF_AGAIN);
    cr_expect_str_eq(f.err.code, "KeeperSlow");
    keeper_set_patience(f.keeper, 120 * RF_USEC_PER_SECOND);
    /* The answer to it comes too late and is passed over; the next call gets its own. */
    for (uint32_t id = 1; id <= 2; id++) {
        struct keeper_answer answer = {
            .verb = KEEPER_MAC, .id = id, .bytes = RF_S("0123456789abcdef0123456789abcde?")};
        uint8_t text[32];
        memcpy(text, answer.bytes.ptr, 32);
        text[31] = (uint8_t)('0' + id);
        answer.bytes = rf_str_make(text, 32);
        cr_assert(keeper_wire_put_answer(&answer, message, &len, NULL) == RF_OK);
        cr_assert(send(f.fd, message, len, 0) == (ssize_t)len);
    }
    cr_assert(keeper_mac(f.keeper, "p", RF_S("x"), out, &f.err) == RF_OK, "%s", f.err.text);
    cr_expect(out[31] == '2');
    fake_done(&f);
}

Test(keeper, a_keeper_that_does_not_read_is_given_up)
{
    struct fake f;
    uint8_t out[32];
    static uint8_t large[60000];
    fake_init(&f);
    /* One of a long patience keeps it from being taken for one that hangs. */
    keeper_set_patience(f.keeper, 5000);
    for (int i = 0; i < 20; i++) {
        int pair[2];
        cr_expect(keeper_mac(f.keeper, "p", rf_str_make(large, sizeof large), out, &f.err) ==
                  RF_AGAIN);
        cr_expect_str_eq(f.err.code, i % 2 == 0 ? "KeeperSlow" : "KeeperGone");
        if (i % 2 == 0) continue;
        cr_assert(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
        close(f.fd);
        f.fd = pair[1];
        keeper_reconnect(f.keeper, pair[0]);
    }
    fake_done(&f);
}

static void count_hung(void *ctx) { ++*(int *)ctx; }

/* Nobody waits for it any more once one has waited in vain, and that is told once; the next keeper serves. */
Test(keeper, a_keeper_that_hangs_is_told_once)
{
    struct bench b;
    struct fake f;
    uint8_t out[80];
    size_t len;
    int told = 0;
    rf_str digest = RF_S("0123456789abcdef0123456789abcdef");
    bench_init(&b);
    fake_init(&f);
    keeper_on_hung(f.keeper, count_hung, &told);
    /* A handshake gives up early, which alone means nothing. */
    cr_expect(keeper_tls_sign(f.keeper, NULL, digest, out, sizeof out, &len, &f.err) == RF_AGAIN);
    cr_expect_str_eq(f.err.code, "KeeperSlow");
    cr_expect(told == 0);
    /* Handshake after handshake: the silence counts from the first. */
    int tries = 0;
    while (told == 0 && tries < 100) {
        cr_expect(keeper_tls_sign(f.keeper, NULL, digest, out, sizeof out, &len, &f.err) ==
                  RF_AGAIN);
        tries++;
    }
    cr_expect(told == 1 && tries < 100);
    for (int i = 0; i < 3; i++) {
        cr_expect(keeper_mac(f.keeper, "p", RF_S("x"), out, &f.err) == RF_AGAIN);
        cr_expect_str_eq(f.err.code, "KeeperGone");
    }
    keeper_give_up(f.keeper);
    cr_expect(told == 1);
    keeper_set_patience(f.keeper, 120 * RF_USEC_PER_SECOND);
    keeper_reconnect(f.keeper, start(&b));
    cr_expect(keeper_mac(f.keeper, "p", RF_S("x"), out, &f.err) == RF_OK, "%s", f.err.text);
    keeper_give_up(f.keeper);
    cr_expect(told == 2);
    pthread_join(b.thread, NULL);
    close(b.served);
    fake_done(&f);
    bench_done(&b);
}

Test(keeper, answers_that_break_the_protocol_are_refused)
{
    static const struct {
        enum keeper_verb verb;
        const char *bytes;
    } cases[] = {{KEEPER_STORE_KEY, "0123456789abcdef0123456789abcdef"}, {KEEPER_MAC, "short"}};
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct fake f;
        uint8_t out[32], message[128];
        size_t len;
        fake_init(&f);
        struct keeper_answer answer = {
            .verb = cases[i].verb, .id = 1, .bytes = rf_str_of(cases[i].bytes)};
        cr_assert(keeper_wire_put_answer(&answer, message, &len, NULL) == RF_OK);
        cr_assert(send(f.fd, message, len, 0) == (ssize_t)len);
        cr_expect(keeper_mac(f.keeper, "p", RF_S("x"), out, &f.err) == RF_INVALID);
        cr_expect_str_eq(f.err.code, "ProtocolError");
        fake_done(&f);
    }
}

/* The core ends a connection on the first message that breaks the rules, and writes it down. */
Test(keeper, garbage_ends_the_connection)
{
    static const struct {
        const char *what;
        uint8_t bytes[24];
        size_t len;
    } cases[] = {
        {"short", {1}, 3},
        {"unknown verb", {99, 0, 1}, 12},
        {"unknown version", {1, 0, 9}, 12},
        {"an answer", {1, 0x80, 1}, 12},
        {"length", {1, 0, 1, 0, 0, 0, 0, 0, 5}, 12},
        {"bytes left over", {1, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 7}, 13},
        {"a field past the end", {4, 0, 1, 0, 0, 0, 0, 0, 4, 0, 0, 0, 9}, 16},
        {"a truth of 2", {3, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2}, 13},
    };
    struct bench b;
    bench_init(&b);
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        uint8_t answer[16];
        int fd = start(&b);
        cr_assert(send(fd, cases[i].bytes, cases[i].len, 0) == (ssize_t)cases[i].len);
        cr_expect(recv(fd, answer, sizeof answer, 0) == 0, "%s", cases[i].what);
        pthread_join(b.thread, NULL);
        cr_expect(b.kind == RF_INVALID, "%s", cases[i].what);
        cr_expect_str_eq(b.served_err.code, "ProtocolError");
        close(fd);
        close(b.served);
    }
    bench_done(&b);
}

/* The clock stands still, so that all falls into one second. */
Test(keeper, a_flood_is_cut_at_the_rate)
{
    struct bench b;
    uint8_t key[32];
    int good = 0, refused = 0;
    bench_init(&b);
    bench_connect(&b);
    for (int i = 0; i < 50; i++) {
        enum rf_kind kind = keeper_store_key(b.keeper, key, &b.err);
        good += kind == RF_OK;
        refused += kind == RF_LIMIT && strcmp(b.err.code, "TooManyRequests") == 0;
    }
    cr_expect(good == 5 && refused == 45, "%d %d", good, refused);
    rf_clock_fixed_pass(&b.clock, RF_USEC_PER_SECOND);
    cr_expect(keeper_store_key(b.keeper, key, &b.err) == RF_OK);
    bench_disconnect(&b);
    bench_done(&b);
}

/* ---- files ---------------------------------------------------------------------------------------------------------------------- */

static const char *path_in(const struct bench *b, const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/keeper/%s", b->folder, name);
    return path;
}

static rf_str read_file(struct bench *b, const char *name)
{
    uint8_t *bytes = rf_arena_alloc(&b->arena, 1 << 18);
    FILE *file = fopen(path_in(b, name), "rb");
    size_t len = file == NULL ? 0 : fread(bytes, 1, 1 << 18, file);
    if (file != NULL) fclose(file);
    return rf_str_make(bytes, len);
}

static void write_file(struct bench *b, const char *name, rf_str bytes)
{
    FILE *file = fopen(path_in(b, name), "wb");
    cr_assert(fwrite(bytes.ptr, 1, bytes.len, file) == bytes.len);
    fclose(file);
}

static size_t count_of(rf_str text, const char *what)
{
    size_t count = 0;
    for (size_t at = 0; (at = rf_str_find(text, rf_str_of(what), at)) != SIZE_MAX; at++) count++;
    return count;
}

static enum rf_kind try_open(struct bench *b)
{
    char path[80];
    snprintf(path, sizeof path, "%s/keeper", b->folder);
    struct keeper_core_options options = {
        .folder = path, .domain = RF_S("ringfort.localhost"), .clock = &b->clock.clock};
    b->core = NULL;
    return keeper_core_new(&options, &b->core, &b->err);
}

static void shut(struct bench *b)
{
    keeper_core_free(b->core);
    b->core = NULL;
}

Test(keeper, files_are_private_and_hold_no_key_in_clear)
{
    struct bench b;
    struct stat status;
    static const char *const names[] = {"root.key", "keys", "audit.log", "heads"};
    bench_init(&b);
    for (size_t i = 0; i < RF_COUNT(names); i++) {
        cr_assert(stat(path_in(&b, names[i]), &status) == 0);
        cr_expect((status.st_mode & 07777) == 0600, "%s %o", names[i], status.st_mode);
    }
    cr_assert(stat(path_in(&b, "."), &status) == 0);
    cr_expect((status.st_mode & 07777) == 0700);
    rf_str keys = read_file(&b, "keys");
    uint8_t raw[32];
    BIGNUM *number = NULL;
    cr_assert(EVP_PKEY_get_bn_param(keeper_core_keys(b.core)->ca, "priv", &number) == 1);
    cr_assert(BN_bn2binpad(number, raw, 32) == 32);
    cr_expect(rf_str_find(keys, rf_str_make(raw, 32), 0) == SIZE_MAX);
    cr_expect(rf_str_find(keys, RF_S("localhost"), 0) == SIZE_MAX);
    BN_free(number);
    struct keeper_core *first = b.core;
    cr_expect(try_open(&b) == RF_CONFLICT, "two keepers of one folder");
    b.core = first;
    bench_done(&b);
}

Test(keeper, a_file_that_others_may_read_is_refused)
{
    struct bench b;
    bench_init(&b);
    shut(&b);
    cr_assert(chmod(path_in(&b, "root.key"), 0640) == 0);
    cr_expect(try_open(&b) == RF_DENIED && strstr(b.err.text, "chmod 600") != NULL, "%s",
              b.err.text);
    cr_assert(chmod(path_in(&b, "root.key"), 0600) == 0);
    char moved[96];
    snprintf(moved, sizeof moved, "%s/moved", b.folder);
    cr_assert(rename(path_in(&b, "keys"), moved) == 0);
    cr_assert(symlink(moved, path_in(&b, "keys")) == 0);
    cr_expect(try_open(&b) == RF_IO, "a link is not followed");
    bench_done(&b);
}

/* A crash cuts the file anywhere in its last record: what was there before is there again. */
Test(keeper, a_torn_tail_is_cut_off)
{
    struct bench b;
    bench_init(&b);
    rf_str before = read_file(&b, "keys"), heads = read_file(&b, "heads");
    cr_assert(keeper_keys_rotate(keeper_core_keys(b.core), false, &b.err) == RF_OK);
    shut(&b);
    rf_str after = read_file(&b, "keys");
    cr_assert(after.len > before.len);
    for (size_t len = before.len; len < after.len; len += 97) {
        write_file(&b, "keys", rf_slice(after, 0, len));
        write_file(&b, "heads", heads); /* they come after the record */
        cr_assert(try_open(&b) == RF_OK, "%zu: %s", len, b.err.text);
        cr_expect(keeper_core_keys(b.core)->jwt_count == 1);
        shut(&b);
        cr_expect(read_file(&b, "keys").len == before.len);
    }
    /* The length came to the disk before the bytes did. */
    uint8_t *zeros = rf_arena_zalloc(&b.arena, after.len);
    memcpy(zeros, after.ptr, before.len + 40);
    write_file(&b, "keys", rf_str_make(zeros, after.len));
    write_file(&b, "heads", heads);
    cr_assert(try_open(&b) == RF_OK, "%s", b.err.text);
    bench_done(&b);
}

/* The same without a crash: the heads know of the record, wherever the cut is. */
Test(keeper, a_cut_of_the_keys_is_refused_at_every_byte)
{
    struct bench b;
    bench_init(&b);
    rf_str before = read_file(&b, "keys");
    cr_assert(keeper_keys_rotate(keeper_core_keys(b.core), true, &b.err) == RF_OK);
    shut(&b);
    rf_str after = read_file(&b, "keys"), heads = read_file(&b, "heads"),
           log = read_file(&b, "audit.log");
    /* Every byte of the last record, and some of those before. */
    for (size_t len = after.len - 1; len > before.len - 100;
         len -= len + 200 > after.len ? 1 : 17) {
        write_file(&b, "keys", rf_slice(after, 0, len));
        write_file(&b, "heads", heads);
        write_file(&b, "audit.log", log);
        cr_assert(try_open(&b) == RF_CORRUPT, "%zu", len);
        cr_assert_str_eq(b.err.code, "KeeperKeysCut", "%zu", len);
        cr_assert(strstr(b.err.text, "one backup") != NULL);
        struct stat status;
        cr_assert(stat(path_in(&b, "keys"), &status) == 0);
        cr_assert((size_t)status.st_size == len, "nothing is cut off");
    }
    write_file(&b, "keys", RF_S(""));
    cr_expect(try_open(&b) == RF_CORRUPT);
    cr_expect(count_of(read_file(&b, "audit.log"), "\"event\":\"keys.damaged\"") > 0);
    write_file(&b, "keys", after);
    cr_expect(try_open(&b) == RF_OK, "%s", b.err.text);
    bench_done(&b);
}

/* No turned bit may make a key vanish, as new ones would lock everybody out. */
Test(keeper, damage_is_told_and_nothing_is_made_anew)
{
    struct bench b;
    bench_init(&b);
    shut(&b);
    rf_str keys = read_file(&b, "keys");
    uint8_t *copy = rf_arena_alloc(&b.arena, keys.len);
    for (size_t bit = 0; bit < keys.len * 8; bit += 211) {
        memcpy(copy, keys.ptr, keys.len);
        copy[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        write_file(&b, "keys", rf_str_make(copy, keys.len));
        enum rf_kind kind = try_open(&b);
        if (bit / 8 >= 12 && bit / 8 < 16 && kind == RF_OK) { /* spare bytes of the header */
            shut(&b);
            continue;
        }
        cr_assert(kind == RF_CORRUPT, "bit %zu", bit);
    }
    write_file(&b, "keys", keys);
    write_file(&b, "root.key", RF_S("another root key, of 32 bytes...."));
    cr_expect(try_open(&b) == RF_CORRUPT, "another root key");
    unlink(path_in(&b, "root.key"));
    cr_expect(try_open(&b) == RF_CORRUPT);
    cr_expect_str_eq(b.err.code, "RootKeyMissing");
    bench_done(&b);
}

/* ---- the audit log --------------------------------------------------------------------------------------------------------------- */

Test(keeper, what_matters_is_written_down)
{
    struct bench b;
    uint8_t out[128];
    size_t len;
    bench_init(&b);
    bench_connect(&b);
    cr_assert(keeper_jwt_rotate(b.keeper, true, &b.err) == RF_OK);
    cr_assert(keeper_store_key(b.keeper, out, &b.err) == RF_OK);
    for (int i = 0; i < 100; i++)
        cr_assert(keeper_tls_sign(b.keeper, NULL, RF_S("short"), out, sizeof out, &len, &b.err) ==
                  RF_INVALID);
    bench_disconnect(&b);
    rf_str log = read_file(&b, "audit.log");
    cr_expect(count_of(log, "\"event\":\"key.created\",\"detail\":\"authority\"") == 1);
    cr_expect(count_of(log, "\"event\":\"key.created\",\"detail\":\"TLS\"") == 1);
    cr_expect(count_of(log, "\"event\":\"key.created\",\"detail\":\"token signing ") == 2);
    cr_expect(count_of(log, "\"event\":\"key.retired\"") == 1);
    cr_expect(count_of(log, "\"event\":\"key.given\",\"detail\":\"store\"") == 1);
    cr_expect(count_of(log, "\"event\":\"request.refused\",\"detail\":\"tls_sign BadDigest\"") ==
                  10,
              "a flood does not fill the disk");
    cr_expect(count_of(log, "2026-01-31T00:00:00") == count_of(log, "\n"));
    bench_done(&b);
}

Test(keeper, a_log_that_was_changed_is_told)
{
    static const char *const kinds[] = {"changed", "line dropped", "line doubled", "torn",
                                        "as it was"};
    for (size_t kind = 0; kind < RF_COUNT(kinds); kind++) {
        struct bench b;
        bench_init(&b);
        shut(&b);
        rf_str log = read_file(&b, "audit.log");
        size_t first = rf_str_find(log, RF_S("\n"), 0) + 1,
               second = rf_str_find(log, RF_S("\n"), first) + 1;
        rf_str head = rf_slice(log, 0, first), line = rf_slice(log, first, second),
               rest = rf_slice(log, second, log.len);
        struct rf_buf changed = rf_buf_in(&b.arena);
        rf_buf_str(&changed, head);
        if (kind != 1) rf_buf_str(&changed, line);
        if (kind == 0) changed.ptr[head.len + 60] ^= 1;
        if (kind == 2) rf_buf_str(&changed, line);
        rf_buf_str(&changed, kind == 3 ? rf_slice(rest, 0, rest.len - 1) : rest);
        write_file(&b, "audit.log", rf_buf_view(&changed));
        for (int again = 0; again < 2; again++) {
            cr_assert(try_open(&b) == RF_OK, "%s", b.err.text);
            shut(&b);
        }
        size_t told = count_of(read_file(&b, "audit.log"), "\"event\":\"audit.broken\"");
        if (kind < 3)
            cr_expect(told >= 1, "%s", kinds[kind]);
        else
            cr_expect(told == 0, "%s", kinds[kind]);
        bench_done(&b);
    }
}

/* ---- heads ------------------------------------------------------------------------------------------------------------------- */

static uint64_t alarms_of(struct bench *b, const char *event)
{
    char last[KEEPER_ALARM_BYTES];
    uint64_t count;
    cr_assert(keeper_audit_alarms(path_in(b, "audit.log"), &count, last, &b->err) == RF_OK);
    if (count > 0 && event != NULL) cr_expect(strstr(last, event) != NULL, "%s", last);
    return count;
}

struct files {
    rf_str keys, log, heads;
};
static struct files save(struct bench *b)
{
    return (struct files){read_file(b, "keys"), read_file(b, "audit.log"), read_file(b, "heads")};
}
static void put_back(struct bench *b, const struct files *files)
{
    write_file(b, "keys", files->keys);
    write_file(b, "audit.log", files->log);
    write_file(b, "heads", files->heads);
}
static void open_and_shut(struct bench *b)
{
    cr_assert(try_open(b) == RF_OK, "%s", b->err.text);
    shut(b);
}
static void write_lines(struct bench *b, int count, const char *event)
{
    for (int i = 0; i < count; i++)
        cr_assert(keeper_audit_write(&keeper_core_keys(b->core)->audit, event, "", &b->err) ==
                  RF_OK);
}

Test(keeper_heads, a_cut_of_the_log_is_told_at_every_byte)
{
    struct bench b;
    bench_init(&b);
    rf_str before = read_file(&b, "audit.log");
    write_lines(&b, 2, "test");
    shut(&b);
    struct files files = save(&b);
    /* The last byte ends the last line: without it, that line is gone. */
    size_t last_line = before.len + (files.log.len - before.len) / 2;
    for (size_t len = before.len; len < files.log.len; len += len >= last_line ? 1 : 7) {
        put_back(&b, &files);
        write_file(&b, "audit.log", rf_slice(files.log, 0, len));
        open_and_shut(&b);
        cr_assert(alarms_of(&b, "audit.cut") == 1, "%zu", len);
    }
    open_and_shut(&b);
    cr_assert(alarms_of(&b, "audit.cut") == 1, "told once");
    write_file(&b, "audit.log", RF_S(""));
    open_and_shut(&b);
    cr_expect(alarms_of(&b, "audit.cut") == 1);
    bench_done(&b);
}

/* Whatever a crash leaves between a file's sync and the heads' is no alarm. */
Test(keeper_heads, crashes_are_no_alarm)
{
    enum { SLOT_BYTES = 128, SLOT_APART = 4096, FILE_BYTES = SLOT_APART + SLOT_BYTES };
    struct bench b;
    bench_init(&b);
    write_lines(&b, 1, "test");
    struct files before = save(&b);
    write_lines(&b, 1, "test");
    cr_assert(keeper_keys_rotate(keeper_core_keys(b.core), false, &b.err) == RF_OK);
    shut(&b);
    struct files after = save(&b);
    struct files states[] = {
        {after.keys, before.log, before.heads}, /* the record is there */
        {before.keys,
         rf_slice(after.log, 0, rf_str_find(after.log, RF_S("\n"), before.log.len) + 1),
         before.heads}, /* a line is there */
        {before.keys, rf_slice(after.log, 0, before.log.len + 9), before.heads}, /* a part of it */
        {after.keys, after.log, before.heads},
    };
    for (size_t i = 0; i < RF_COUNT(states); i++) {
        put_back(&b, &states[i]);
        open_and_shut(&b);
        cr_expect(alarms_of(&b, NULL) == 0, "%zu", i);
    }
    /* A slot that is torn at any byte: the new one's beginning over the old one's end. */
    put_back(&b, &before);
    cr_assert(try_open(&b) == RF_OK);
    write_lines(&b, 1, "test");
    shut(&b);
    struct files next = save(&b);
    cr_assert(next.heads.len == FILE_BYTES && before.heads.len == FILE_BYTES);
    for (size_t cut = 0; cut <= SLOT_BYTES; cut += 4) {
        uint8_t torn[FILE_BYTES];
        memcpy(torn, before.heads.ptr, FILE_BYTES);
        for (size_t at = 0; at < FILE_BYTES; at += SLOT_APART)
            if (memcmp(torn + at, next.heads.ptr + at, SLOT_BYTES) != 0)
                memcpy(torn + at, next.heads.ptr + at, cut);
        put_back(&b, &(struct files){next.keys, next.log, rf_str_make(torn, FILE_BYTES)});
        open_and_shut(&b);
        cr_assert(alarms_of(&b, NULL) == 0, "%zu", cut);
    }
    bench_done(&b);
}

Test(keeper_heads, older_copies_of_one_file_are_told)
{
    struct bench b;
    bench_init(&b);
    struct files first = save(&b);
    write_lines(&b, KEEPER_AUDIT_AHEAD_MAX + 1, "test");
    shut(&b);
    struct files files = save(&b);
    put_back(&b, &(struct files){files.keys, files.log, first.heads});
    open_and_shut(&b);
    cr_expect(alarms_of(&b, "heads.stale") == 1);

    put_back(&b, &(struct files){files.keys, first.log, files.heads});
    open_and_shut(&b);
    cr_expect(alarms_of(&b, "audit.cut") == 1);

    /* As many lines, but of another history. */
    put_back(&b, &first);
    cr_assert(try_open(&b) == RF_OK);
    write_lines(&b, KEEPER_AUDIT_AHEAD_MAX + 1, "other");
    shut(&b);
    write_file(&b, "heads", files.heads);
    open_and_shut(&b);
    cr_expect(alarms_of(&b, "another") == 1);

    /* No heads at all. */
    put_back(&b, &files);
    cr_assert(unlink(path_in(&b, "heads")) == 0);
    open_and_shut(&b);
    cr_expect(alarms_of(&b, "heads.missing") == 1);
    open_and_shut(&b);
    cr_expect(alarms_of(&b, NULL) == 1, "they are there again");
    put_back(&b, &files);
    cr_assert(unlink(path_in(&b, "heads")) == 0 && unlink(path_in(&b, "audit.log")) == 0);
    open_and_shut(&b);
    cr_expect(alarms_of(&b, "heads.missing") == 1);
    bench_done(&b);
}

/* Who spoils the newest slot and cuts off what it told of. */
Test(keeper_heads, a_spoiled_slot_without_a_longer_file_is_told)
{
    struct bench b;
    bench_init(&b);
    write_lines(&b, 1, "test");
    struct files before = save(&b);
    write_lines(&b, 1, "test");
    shut(&b);
    struct files files = save(&b);
    uint8_t *heads = rf_arena_alloc(&b.arena, files.heads.len);
    for (int kind = 0; kind < 2; kind++) {
        memcpy(heads, files.heads.ptr, files.heads.len);
        for (size_t at = 0; at < files.heads.len; at += 4096)
            if (memcmp(heads + at, before.heads.ptr + at, 128) != 0)
                memset(heads + at, kind == 0 ? 0 : 0x55, 128);
        put_back(&b, &(struct files){files.keys, before.log, rf_str_make(heads, files.heads.len)});
        open_and_shut(&b);
        cr_expect(alarms_of(&b, "heads.damaged") == 1, "%d", kind);
    }
    bench_done(&b);
}

/* A wrong root key writes nothing under it: the right one finds all as it was. */
Test(keeper_heads, another_root_key_leaves_them_alone)
{
    struct bench b;
    bench_init(&b);
    shut(&b);
    struct files files = save(&b);
    rf_str root = read_file(&b, "root.key");
    write_file(&b, "root.key", RF_S("another root key, of 32 bytes..."));
    cr_expect(try_open(&b) == RF_CORRUPT);
    struct files now = save(&b);
    cr_expect(rf_str_eq(now.log, files.log) && rf_str_eq(now.heads, files.heads));
    write_file(&b, "root.key", root);
    open_and_shut(&b);
    cr_expect(alarms_of(&b, NULL) == 0);
    bench_done(&b);
}
