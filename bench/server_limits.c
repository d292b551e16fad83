/* server_limits - what one core can do at best, for bench/server to compare the server with; no server takes part.
 *
 *   server_limits sign SECONDS        RSA-2048 signatures
 *   server_limits connect SECONDS     TLS handshakes of a server with a P-256 certificate and its key at hand: accepts over the
 *                                     loopback, shakes hands, closes, and does nothing else
 *   server_limits check SECONDS       token checks: the signature alone, reading and checking, all that the server does
 *   server_limits engine DIR TABLE    a few queries over the server's own tables in DIR, which no server uses meanwhile;
 *                                     WORKSPACE in the environment is the id of the tables' workspace
 *
 * Prints "NAME NUMBER" lines. Rates are per second of processor time of the thread that does it, so that what else runs on the machine
 * counts for little. Signatures of `openssl speed` come to the same; its handshake has no such measure, and `openssl s_server`
 * spends more on its output than on handshakes. */
#include <arpa/inet.h>
#include <malloc.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "authz/token_int.h" /* the check of a token, which the dispatcher does for each request */
#include "base/encode.h"
#include "base/pool.h"
#include "crypt/digest.h"
#include "crypt/jwt.h"
#include "crypt/keeper.h"
#include "crypt/keeper_serve.h"
#include "crypt/x509.h"
#include "kql/kql.h"
#include "tables/tables.h"

static _Noreturn void die(const char *what, const char *why)
{
    (void)fprintf(stderr, "server_limits: %s: %s\n", what, why);
    exit(1);
}

#define MUST(call)                                                                                 \
    do {                                                                                           \
        struct rf_err must = {0};                                                                  \
        struct rf_err *err = &must;                                                                \
        if ((call) != RF_OK) die(#call, must.text);                                                \
    } while (0)

static double thread_seconds(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* ---- signatures --------------------------------------------------------------------------------------------------- */

static void measure_sign(double seconds)
{
    EVP_PKEY *key;
    uint8_t digest[SHA256_BYTES] = {1}, out[256];
    MUST(key_make(KEY_RSA_2048, &key, err));
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
    if (ctx == NULL || EVP_PKEY_sign_init(ctx) != 1 ||
        EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) != 1 ||
        EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) != 1)
        die("RSA", "OpenSSL cannot sign");
    uint64_t count = 0;
    double begun = thread_seconds(), used;
    do {
        size_t len = sizeof out;
        if (EVP_PKEY_sign(ctx, out, &len, digest, sizeof digest) != 1) die("RSA", "no signature");
        count++;
        used = thread_seconds() - begun;
    } while (used < seconds);
    printf("sign %.0f\n", (double)count / used);
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(key);
}

/* ---- handshakes --------------------------------------------------------------------------------------------------- */

static rf_str make_cert(EVP_PKEY *key, EVP_PKEY *issuer, rf_str issuer_der, struct rf_arena *arena)
{
    rf_usec now = rf_clock_now(rf_clock_real());
    rf_str name = RF_S("localhost"), der;
    struct cert_request request = {.subject_cn = issuer_der.len > 0 ? name : RF_S("authority"),
                                   .dns_names = &name,
                                   .dns_count = 1,
                                   .not_before = now - 60 * RF_USEC_PER_SECOND,
                                   .not_after = now + 3600 * RF_USEC_PER_SECOND,
                                   .is_ca = issuer_der.len == 0};
    MUST(cert_make(&request, key, issuer, issuer_der, arena, &der, err));
    return der;
}

static X509 *read_cert(rf_str der)
{
    const uint8_t *at = der.ptr;
    return d2i_X509(NULL, &at, (long)der.len);
}

/* As the server's: a leaf below an authority, both of P-256; the same groups; one ticket. */
static SSL_CTX *server_context(struct rf_arena *arena)
{
    EVP_PKEY *authority, *leaf;
    MUST(key_make(KEY_P256, &authority, err));
    MUST(key_make(KEY_P256, &leaf, err));
    rf_str ca = make_cert(authority, authority, (rf_str){NULL, 0}, arena);
    rf_str der = make_cert(leaf, authority, ca, arena);
    SSL_CTX *ssl = SSL_CTX_new(TLS_server_method());
    X509 *top = read_cert(ca), *own = read_cert(der);
    char groups[] = "X25519:P-256:P-384";
    if (ssl == NULL || SSL_CTX_use_certificate(ssl, own) != 1 ||
        SSL_CTX_use_PrivateKey(ssl, leaf) != 1 || SSL_CTX_add1_chain_cert(ssl, top) != 1 ||
        SSL_CTX_set1_groups_list(ssl, groups) != 1)
        die("TLS", "no context");
    SSL_CTX_set_num_tickets(ssl, 1);
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_read_ahead(ssl, 1);
    X509_free(top);
    X509_free(own);
    EVP_PKEY_free(leaf);
    EVP_PKEY_free(authority);
    return ssl;
}

static void *keep_connecting(void *arg)
{
    const struct sockaddr_in *to = arg;
    SSL_CTX *ssl = SSL_CTX_new(TLS_client_method());
    SSL_CTX_clear_mode(ssl, SSL_MODE_AUTO_RETRY);
    for (;;) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || connect(fd, (const struct sockaddr *)to, sizeof *to) != 0) {
            if (fd >= 0) (void)close(fd);
            break; /* the listener has gone */
        }
        SSL *connection = SSL_new(ssl);
        char none;
        if (SSL_set_fd(connection, fd) == 1 && SSL_connect(connection) == 1)
            (void)SSL_read(connection, &none, 1); /* the ticket */
        SSL_free(connection);
        (void)close(fd);
    }
    SSL_CTX_free(ssl);
    return NULL;
}

static bool shake_hands(int listener, SSL_CTX *context)
{
    int fd = accept(listener, NULL, NULL);
    if (fd < 0) return false;
    SSL *ssl = SSL_new(context);
    char none;
    bool good = ssl != NULL && SSL_set_fd(ssl, fd) == 1 && SSL_accept(ssl) == 1;
    if (good) (void)SSL_read(ssl, &none, 1); /* the client's end */
    SSL_free(ssl);
    (void)close(fd);
    return good;
}

static void measure_connect(double seconds)
{
    enum { CLIENTS = 4 };
    struct rf_arena arena;
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof in;
    pthread_t clients[CLIENTS];
    rf_arena_init(&arena, 1 << 20);
    SSL_CTX *context = server_context(&arena);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&in, sizeof in) != 0 ||
        listen(listener, CLIENTS * 2) != 0 ||
        getsockname(listener, (struct sockaddr *)&in, &len) != 0)
        die("socket", "cannot listen");
    for (int i = 0; i < CLIENTS; i++)
        if (pthread_create(&clients[i], NULL, keep_connecting, &in) != 0) die("thread", "none");
    uint64_t count = 0;
    double begun = thread_seconds(), used;
    do {
        count += shake_hands(listener, context);
        used = thread_seconds() - begun;
    } while (used < seconds);
    printf("connect %.0f\n", (double)count / used);
    /* Clients are in the midst of things; the process ends with them. */
    (void)fflush(stdout);
    _exit(0);
}

/* ---- tokens --------------------------------------------------------------------------------------------------------- */

enum { TOKENS = 1000 };
#define TENANT "7f6f2b9c-6d0e-4c8e-9f64-0f3a8f7b6a11"

struct tokens {
    struct rf_arena arena;
    struct site site;
    struct keeper_core *core;
    struct keeper *keeper;
    int served;
    rf_str cert, kid, texts[TOKENS];
};

static void *serve_keys(void *ctx)
{
    struct tokens *tokens = ctx;
    MUST(keeper_core_serve(tokens->core, tokens->served, err));
    return NULL;
}

/* What identity puts into the token of an application. */
static void make_token(struct tokens *t, uint32_t number)
{
    struct rf_arena *arena = &t->arena;
    struct json_node *header = json_new(arena, JSON_T_OBJECT);
    struct json_node *claims = json_new(arena, JSON_T_OBJECT);
    int64_t now = rf_clock_now(rf_clock_real()) / RF_USEC_PER_SECOND;
    rf_str signature;
    json_set_text(arena, header, "typ", RF_S("JWT"));
    json_set_text(arena, header, "alg", RF_S("RS256"));
    json_set_text(arena, header, "kid", t->kid);
    json_set_text(arena, header, "x5t", t->kid);
    json_set_text(arena, claims, "aud", RF_S("https://management.azure.com"));
    json_set_text(arena, claims, "iss", RF_S("https://localhost:8443/" TENANT "/"));
    json_set_i64(arena, claims, "iat", now);
    json_set_i64(arena, claims, "nbf", now);
    json_set_i64(arena, claims, "exp", now + 3600);
    json_set_text(arena, claims, "aio", RF_S("k2RgYPgj+3cK55wYV3lWxedmVwTOAQA="));
    json_set_text(arena, claims, "app_displayname", RF_S("ringfort-administrator"));
    json_set_text(arena, claims, "appid", RF_S("17b18c1a-a4e9-4fb4-bdb6-a129717caef9"));
    json_set_text(arena, claims, "appidacr", RF_S("1"));
    json_set_text(arena, claims, "idp", RF_S("https://localhost:8443/" TENANT "/"));
    json_set_text(arena, claims, "idtyp", RF_S("app"));
    json_set_text(arena, claims, "oid", RF_S("9d22f273-07c4-4267-ba1b-21cad5b4dfd6"));
    json_set_text(arena, claims, "rh", RF_S("1.AXEAfNJg7rVhTkqQ2e9GqQGzAQ."));
    json_set_text(arena, claims, "sub", RF_S("9d22f273-07c4-4267-ba1b-21cad5b4dfd6"));
    json_set_text(arena, claims, "tid", RF_S(TENANT));
    json_set_text(arena, claims, "uti", rf_arena_printf(arena, "LrVLPSdZtUKk%09u", number));
    json_set_text(arena, claims, "ver", RF_S("1.0"));
    rf_str input = jwt_signing_input(arena, header, claims);
    MUST(keeper_jwt_sign(t->keeper, input, arena, &signature, err));
    t->texts[number] = jwt_assemble(arena, input, signature);
}

static void make_tokens(struct tokens *t, const char *folder)
{
    struct keeper_core_options options = {
        .folder = folder, .domain = RF_S("ringfort.localhost"), .clock = rf_clock_real()};
    struct keeper_jwt_key *keys;
    uint32_t count;
    int pair[2];
    pthread_t thread;
    rf_arena_init(&t->arena, (size_t)64 << 20);
    t->site = (struct site){.tenant_id = RF_S(TENANT),
                            .domain = RF_S("ringfort.localhost"),
                            .origin = RF_S("https://localhost:8443"),
                            .port = 8443};
    MUST(keeper_core_new(&options, &t->core, err));
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) die("socket", "no pair");
    t->served = pair[1];
    if (pthread_create(&thread, NULL, serve_keys, t) != 0) die("thread", "none");
    MUST(keeper_connect(pair[0], &t->keeper, err));
    MUST(keeper_jwt_keys(t->keeper, &t->arena, &keys, &count, err));
    t->kid = keys[count - 1].kid;
    t->cert = keys[count - 1].cert;
    for (uint32_t i = 0; i < TOKENS; i++) make_token(t, i);
    keeper_free(t->keeper);
    pthread_join(thread, NULL);
    (void)close(t->served);
    keeper_core_free(t->core);
}

/* One way to check each of the tokens, over and over; the time of `fresh` does not count. */
struct way {
    const char *name;
    struct rf_arena arena;
    struct public_key *key;
    struct token_verifier *verifier;
    struct jwt *parsed;
    void (*fresh)(struct way *way, const struct tokens *tokens); /* NULL: nothing */
    void (*check)(struct way *way, const struct tokens *tokens, uint32_t number);
};

static void check_signature(struct way *way, const struct tokens *tokens, uint32_t number)
{
    (void)tokens;
    MUST(jwt_check(&way->parsed[number], way->key, JWT_RS256, err));
}

static void read_and_check(struct way *way, const struct tokens *tokens, uint32_t number)
{
    struct jwt jwt;
    MUST(jwt_parse(tokens->texts[number], &way->arena, &jwt, err));
    MUST(jwt_check(&jwt, way->key, JWT_RS256, err));
    rf_arena_reset(&way->arena);
}

/* A verifier that has seen none of the tokens, with a public key that is ready. */
static void forget(struct way *way, const struct tokens *tokens)
{
    struct token_key key = {.kid = tokens->kid, .cert = tokens->cert};
    struct token_facts *facts;
    enum token_step step;
    token_verifier_free(way->verifier);
    MUST(token_verifier_new(&tokens->site, &way->verifier, err));
    MUST(token_set_keys(way->verifier, &key, 1, err));
    rf_usec now = rf_clock_now(rf_clock_real());
    MUST(token_verify(way->verifier, tokens->texts[0], AUDIENCE_ARM, now, &facts, &step, err));
    token_release(facts);
}

static void check_all(struct way *way, const struct tokens *tokens, uint32_t number)
{
    struct token_facts *facts;
    enum token_step step;
    rf_usec now = rf_clock_now(rf_clock_real());
    MUST(token_verify(way->verifier, tokens->texts[number], AUDIENCE_ARM, now, &facts, &step, err));
    token_release(facts);
}

static void measure_way(struct way *way, const struct tokens *tokens, double seconds)
{
    uint64_t count = 0;
    double used = 0;
    while (used < seconds) {
        if (way->fresh != NULL) way->fresh(way, tokens);
        double begun = thread_seconds();
        for (uint32_t i = 1; i < TOKENS; i++) way->check(way, tokens, i);
        used += thread_seconds() - begun;
        count += TOKENS - 1;
    }
    printf("%s %.0f\n", way->name, (double)count / used);
}

static void measure_check(double seconds)
{
    static struct tokens tokens;
    static struct way ways[] = {{.name = "check.signature", .check = check_signature},
                                {.name = "check.read", .check = read_and_check},
                                {.name = "check.all", .fresh = forget, .check = check_all}};
    struct rf_arena arena;
    struct public_key *key;
    char folder[] = "/tmp/ringfort_bench_XXXXXX", keeper[64], command[64];
    if (mkdtemp(folder) == NULL) die(folder, "cannot make it");
    (void)snprintf(keeper, sizeof keeper, "%s/keeper", folder);
    make_tokens(&tokens, keeper);
    rf_arena_init(&arena, (size_t)256 << 20);
    MUST(public_key_of_cert(tokens.cert, &key, err));
    struct jwt *parsed = rf_arena_new(&arena, struct jwt, TOKENS);
    for (uint32_t i = 0; i < TOKENS; i++) MUST(jwt_parse(tokens.texts[i], &arena, &parsed[i], err));
    for (size_t i = 0; i < RF_COUNT(ways); i++) {
        rf_arena_init(&ways[i].arena, 1 << 20);
        ways[i].key = key;
        ways[i].parsed = parsed;
        measure_way(&ways[i], &tokens, seconds);
        token_verifier_free(ways[i].verifier);
        rf_arena_done(&ways[i].arena);
    }
    public_key_free(key);
    rf_arena_done(&arena);
    rf_arena_done(&tokens.arena);
    (void)snprintf(command, sizeof command, "rm -rf %s", folder);
    if (system(command) != 0) exit(1);
}

/* ---- the engine ----------------------------------------------------------------------------------------------------- */

struct counting {
    struct kql_sink sink;
    uint64_t rows;
};

static enum rf_kind begin_table(struct kql_sink *sink, rf_str name, const struct schema *schema,
                                const struct render *render, struct rf_err *err)
{
    (void)sink, (void)name, (void)schema, (void)render, (void)err;
    return RF_OK;
}

static enum rf_kind count_rows(struct kql_sink *sink, const struct batch *batch, struct rf_err *err)
{
    (void)err;
    ((struct counting *)sink)->rows += batch->row_count;
    return RF_OK;
}

static enum rf_kind end_table(struct kql_sink *sink, struct rf_err *err)
{
    (void)sink, (void)err;
    return RF_OK;
}

static void ask(struct tables *tables, rf_str workspace, rf_str text)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct tables_view view;
    struct counting counting = {.sink = {begin_table, count_rows, end_table, NULL, false}};
    struct kql_stats stats;
    rf_arena_init(&arena, (size_t)256 << 20);
    MUST(tables_view(tables, workspace, &arena, &view, err));
    struct kql_request request = {
        .text = text, .catalog = &view.catalog, .lane_count = pool_processors()};
    MUST(kql_run(&request, &counting.sink, &stats, err));
    tables_release(tables, &view);
}

/* The tables' definitions come from documents of the state, which is not opened here. Those of `server_load fill`. */
static void define(struct tables *tables, rf_str workspace, const char *name)
{
    const struct table_column columns[] = {{RF_S("TimeGenerated"), TYPE_DATETIME, false},
                                           {RF_S("Host"), TYPE_STRING, false},
                                           {RF_S("Level"), TYPE_STRING, false},
                                           {RF_S("Value"), TYPE_LONG, false}};
    struct table_def def = {
        .name = rf_str_of(name), .columns = columns, .column_count = RF_COUNT(columns)};
    MUST(tables_define(tables, workspace, &def, err));
}

static int by_size(const void *a, const void *b)
{
    rf_usec x = *(const rf_usec *)a, y = *(const rf_usec *)b;
    return (x > y) - (x < y);
}

static void measure_engine(const char *folder, const char *table)
{
    enum { TIMES = 201, WARM_UP = 20 };
    static const char *const names[] = {"print", "take", "count"};
    struct rf_arena arena;
    struct keeper_core *core;
    struct tables *tables;
    struct extent_key key = {.present = true};
    static struct tokens edge;
    pthread_t thread;
    int pair[2];
    rf_arena_init(&arena, 1 << 20);
    struct keeper_core_options keeper = {
        .folder = rf_arena_cstr(&arena, rf_arena_printf(&arena, "%s/keeper", folder)),
        .domain = RF_S("ringfort.localhost"),
        .clock = rf_clock_real()};
    MUST(keeper_core_new(&keeper, &core, err));
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) die("socket", "no pair");
    edge.core = core;
    edge.served = pair[1];
    if (pthread_create(&thread, NULL, serve_keys, &edge) != 0) die("thread", "none");
    MUST(keeper_connect(pair[0], &edge.keeper, err));
    MUST(keeper_store_key(edge.keeper, key.bytes, err));
    struct tables_options options = {
        .fs = rf_fs_real(),
        .folder = rf_arena_cstr(&arena, rf_arena_printf(&arena, "%s/tables", folder)),
        .key = &key,
        .clock = rf_clock_real()};
    MUST(tables_new(&options, &tables, err));
    const char *workspace = getenv("WORKSPACE");
    if (workspace == NULL) die("WORKSPACE", "the workspace's id is needed");
    define(tables, rf_str_of(workspace), table);
    rf_str texts[] = {RF_S("print 1"), rf_arena_printf(&arena, "%s | take 10", table),
                      rf_arena_printf(&arena, "%s | count", table)};
    for (size_t q = 0; q < RF_COUNT(texts); q++) {
        rf_usec took[TIMES];
        for (int i = 0; i < WARM_UP; i++) ask(tables, rf_str_of(workspace), texts[q]);
        for (int i = 0; i < TIMES; i++) {
            rf_usec begun = rf_clock_elapsed(rf_clock_real());
            ask(tables, rf_str_of(workspace), texts[q]);
            took[i] = rf_clock_elapsed(rf_clock_real()) - begun;
        }
        qsort(took, TIMES, sizeof *took, by_size);
        printf("engine.%s %.3f\n", names[q], (double)took[TIMES / 2] / 1e3);
    }
    tables_free(tables);
    keeper_free(edge.keeper);
    pthread_join(thread, NULL);
    keeper_core_free(core);
    explicit_bzero(&key, sizeof key);
    rf_arena_done(&arena);
}

int main(int argc, char **argv)
{
    /* As the server does. What it checked takes the room of what it checked before. */
    (void)mallopt(M_TRIM_THRESHOLD, 256 << 20);
    double seconds = argc == 3 ? strtod(argv[2], NULL) : 0;
    if (seconds > 0 && strcmp(argv[1], "sign") == 0) {
        measure_sign(seconds);
    } else if (seconds > 0 && strcmp(argv[1], "connect") == 0) {
        measure_connect(seconds);
    } else if (seconds > 0 && strcmp(argv[1], "check") == 0) {
        measure_check(seconds);
    } else if (argc == 4 && strcmp(argv[1], "engine") == 0) {
        measure_engine(argv[2], argv[3]);
    } else {
        (void)fprintf(stderr, "server_limits sign|connect|check SECONDS | engine DIR TABLE\n");
        return 2;
    }
    return 0;
}
