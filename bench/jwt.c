/* bench/jwt.c - how many tokens one core checks in a second, and how many the keeper signs.
 *
 *   build/bench_jwt [SECONDS]
 *
 * Prints a line for each: what, per second, by how many threads. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/encode.h"
#include "base/pool.h"
#include "crypt/jwt.h"
#include "crypt/keeper.h"
#include "crypt/keeper_serve.h"

static double seconds = 2;

static _Noreturn void die(const struct rf_err *err)
{
    fprintf(stderr, "%s: %s\n", err->code, err->text);
    exit(1);
}

struct setup {
    struct keeper_core *core;
    struct keeper *keeper;
    struct public_key *key;
    rf_str input, token;
    int fds[2];
};

struct worker {
    const struct setup *setup;
    enum rf_kind (*act)(const struct setup *setup, struct rf_arena *arena, struct rf_err *err);
    uint64_t count;
    pthread_t thread;
};

static void *work(void *ctx)
{
    struct worker *w = ctx;
    struct rf_arena arena;
    struct rf_err err;
    rf_arena_init(&arena, 1 << 20);
    struct rf_clock *clock = rf_clock_real();
    rf_usec end = rf_clock_elapsed(clock) + (rf_usec)(seconds * 1e6);
    while (rf_clock_elapsed(clock) < end) {
        if (w->act(w->setup, &arena, &err) != RF_OK) die(&err);
        rf_arena_reset(&arena);
        w->count++;
    }
    rf_arena_done(&arena);
    return NULL;
}

static void measure(const struct setup *setup, const char *what, unsigned threads,
                    enum rf_kind (*act)(const struct setup *, struct rf_arena *, struct rf_err *))
{
    struct worker workers[POOL_THREADS_MAX];
    uint64_t count = 0;
    rf_usec cpu = rf_clock_cpu();
    for (unsigned i = 0; i < threads; i++) {
        workers[i] = (struct worker){.setup = setup, .act = act};
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0) abort();
    }
    for (unsigned i = 0; i < threads; i++) {
        pthread_join(workers[i].thread, NULL);
        count += workers[i].count;
    }
    double used = (double)(rf_clock_cpu() - cpu) / 1e6;
    printf("%-28s %9.0f /s  %9.0f per second of processor time  (%u threads)\n", what,
           (double)count / seconds, (double)count / used, threads);
}

static enum rf_kind check_only(const struct setup *s, struct rf_arena *arena, struct rf_err *err)
{
    static _Thread_local struct jwt jwt;
    static _Thread_local struct rf_arena own;
    (void)arena;
    if (jwt.header == NULL) {
        rf_arena_init(&own, 1 << 20);
        RF_TRY(jwt_parse(s->token, &own, &jwt, err));
    }
    return jwt_check(&jwt, s->key, JWT_RS256, err);
}

static enum rf_kind parse_only(const struct setup *s, struct rf_arena *arena, struct rf_err *err)
{
    struct jwt jwt;
    return jwt_parse(s->token, arena, &jwt, err);
}

static enum rf_kind parse_and_check(const struct setup *s, struct rf_arena *arena,
                                    struct rf_err *err)
{
    struct jwt jwt;
    RF_TRY(jwt_parse(s->token, arena, &jwt, err));
    return jwt_check(&jwt, s->key, JWT_RS256, err);
}

static enum rf_kind sign_token(const struct setup *s, struct rf_arena *arena, struct rf_err *err)
{
    rf_str signature;
    return keeper_jwt_sign(s->keeper, s->input, arena, &signature, err);
}

static enum rf_kind sign_tls(const struct setup *s, struct rf_arena *arena, struct rf_err *err)
{
    static const uint8_t digest[32] = {1};
    uint8_t out[128];
    size_t len;
    (void)arena;
    return keeper_tls_sign(s->keeper, NULL, rf_str_make(digest, 32), out, sizeof out, &len, err);
}

static enum rf_kind make_mac(const struct setup *s, struct rf_arena *arena, struct rf_err *err)
{
    uint8_t out[32];
    (void)arena;
    return keeper_mac(s->keeper, "bench", RF_S("some secret text"), out, err);
}

static void *serve(void *ctx)
{
    struct setup *s = ctx;
    struct rf_err err;
    if (keeper_core_serve(s->core, s->fds[1], &err) != RF_OK) die(&err);
    return NULL;
}

/* A token as the authority makes them, about 1.3 KB. */
static enum rf_kind make_token(struct setup *s, struct rf_arena *arena, struct rf_err *err)
{
    struct keeper_jwt_key *keys;
    uint32_t count;
    rf_str signature;
    RF_TRY(keeper_jwt_keys(s->keeper, arena, &keys, &count, err));
    RF_TRY(public_key_of_cert(keys[0].cert, &s->key, err));
    struct json_node *header = json_new(arena, JSON_T_OBJECT),
                     *claims = json_new(arena, JSON_T_OBJECT);
    json_set_text(arena, header, "typ", RF_S("JWT"));
    json_set_text(arena, header, "alg", RF_S("RS256"));
    json_set_text(arena, header, "kid", keys[0].kid);
    json_set_text(arena, header, "x5t", keys[0].kid);
    static const char *const ids[] = {"tid", "oid", "sub", "appid", "uti", "rh", "idp", "aio"};
    for (size_t i = 0; i < RF_COUNT(ids); i++)
        json_set_text(arena, claims, ids[i], RF_S("7f6f2b9c-6d0e-4c8e-9f64-0f3a8f7b6a11"));
    json_set_text(arena, claims, "iss", RF_S("https://localhost:8443/7f6f2b9c-6d0e-4c8e-9f64/"));
    json_set_text(arena, claims, "aud", RF_S("https://management.azure.com"));
    json_set_i64(arena, claims, "exp", rf_clock_now(rf_clock_real()) / RF_USEC_PER_SECOND + 3600);
    s->input = jwt_signing_input(arena, header, claims);
    RF_TRY(keeper_jwt_sign(s->keeper, s->input, arena, &signature, err));
    s->token = jwt_assemble(arena, s->input, signature);
    return RF_OK;
}

int main(int argc, char **argv)
{
    static struct rf_arena arena;
    struct setup setup = {0};
    struct rf_err err;
    pthread_t thread;
    char folder[] = "/tmp/ringfort_bench_XXXXXX", keeper[64], command[64];
    if (argc > 1) seconds = strtod(argv[1], NULL);
    rf_arena_init(&arena, 1 << 20);
    if (mkdtemp(folder) == NULL) return 1;
    (void)snprintf(keeper, sizeof keeper, "%s/keeper", folder);
    struct keeper_core_options options = {
        .folder = keeper, .domain = RF_S("ringfort.localhost"), .clock = rf_clock_real()};
    if (keeper_core_new(&options, &setup.core, &err) != RF_OK) die(&err);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, setup.fds) != 0) return 1;
    if (pthread_create(&thread, NULL, serve, &setup) != 0) return 1;
    if (keeper_connect(setup.fds[0], &setup.keeper, &err) != RF_OK) die(&err);
    if (make_token(&setup, &arena, &err) != RF_OK) die(&err);

    unsigned all = pool_processors();
    printf("token of %zu bytes, %u processors\n", setup.token.len, all);
    measure(&setup, "RS256 check", 1, check_only);
    measure(&setup, "read a token", 1, parse_only);
    measure(&setup, "read and check", 1, parse_and_check);
    measure(&setup, "read and check", all, parse_and_check);
    measure(&setup, "keeper: RS256 sign", 1, sign_token);
    measure(&setup, "keeper: RS256 sign", 2 * all, sign_token);
    measure(&setup, "keeper: TLS sign (P-256)", 1, sign_tls);
    measure(&setup, "keeper: TLS sign (P-256)", 2 * all, sign_tls);
    measure(&setup, "keeper: MAC", 1, make_mac);
    measure(&setup, "keeper: MAC", 2 * all, make_mac);

    keeper_free(setup.keeper);
    pthread_join(thread, NULL);
    public_key_free(setup.key);
    keeper_core_free(setup.core);
    rf_arena_done(&arena);
    (void)snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command) == 0 ? 0 : 1;
}
