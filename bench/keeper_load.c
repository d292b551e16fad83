/* bench/keeper_load.c - how much vaults get out of the keeper: values opened and signatures made in a second, by so many callers at a
 * time, and how long a TLS handshake's signature takes meanwhile.
 *
 *   build/bench_keeper_load [SECONDS [FOLDER]]
 *
 * Each use of material waits for its line of the audit log, so FOLDER (default /tmp) should be on the disk that counts. Prints a line for each: what,
 * callers, per second, and of the handshakes the middle and the slowest of a hundred, in milliseconds. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/encode.h"
#include "crypt/jwt.h"
#include "crypt/keeper_serve.h"
#include "crypt/vault_seal.h"

enum { CALLERS_MAX = 64, SHAKES_MAX = 1 << 16, MEMORY_BYTES = 1 << 20, SHAKE_PAUSE_USEC = 2000 };
static double seconds = 2;

static _Noreturn void die(const struct rf_err *err)
{
    fprintf(stderr, "%s: %s\n", err->code, err->text);
    exit(1);
}
#define MUST(call)                                                                                 \
    do {                                                                                           \
        if ((call) != RF_OK) die(&err);                                                            \
    } while (0)

struct setup {
    struct keeper_core *core;
    struct keeper *keeper;
    struct rf_arena arena;
    rf_str token;
    struct seal_ring secret_ring, key_ring;
    rf_str secret, key;
    int fds[2];
};

typedef enum rf_kind deed(const struct setup *setup, struct rf_arena *arena, struct rf_err *err);

/* ---- what is measured --------------------------------------------------------------------------------------------------- */

static enum rf_kind open_value(const struct setup *s, struct rf_arena *arena, struct rf_err *err)
{
    rf_str value;
    return seal_open(s->keeper, s->token, &s->secret_ring, s->secret, arena, &value, err);
}

static enum rf_kind sign_rs256(const struct setup *s, struct rf_arena *arena, struct rf_err *err)
{
    static const uint8_t digest[32] = {7};
    struct seal_use use = {.op = SEAL_OP_SIGN,
                           .algorithm = RF_S("RS256"),
                           .value = rf_str_make(digest, sizeof digest)};
    struct seal_used used;
    return seal_key_use(s->keeper, s->token, &s->key_ring, s->key, &use, arena, &used, err);
}

struct caller {
    const struct setup *setup;
    deed *deed;
    rf_usec end;
    uint64_t count;
    pthread_t thread;
};

static void *call(void *ctx)
{
    struct caller *c = ctx;
    struct rf_arena arena;
    struct rf_err err;
    rf_arena_init(&arena, MEMORY_BYTES);
    while (rf_clock_elapsed(rf_clock_real()) < c->end) {
        enum rf_kind kind = c->deed(c->setup, &arena, &err);
        if (kind == RF_LIMIT) /* the rate of one object */
            (void)usleep(1000);
        else if (kind != RF_OK)
            die(&err);
        else
            c->count++;
        rf_arena_reset(&arena);
    }
    rf_arena_done(&arena);
    return NULL;
}

/* ---- handshakes meanwhile ----------------------------------------------------------------------------------------------- */

struct shaker {
    const struct setup *setup;
    rf_usec end;
    uint32_t count;
    uint32_t usec[SHAKES_MAX];
    pthread_t thread;
};

static void *shake(void *ctx)
{
    struct shaker *s = ctx;
    struct rf_err err;
    static const uint8_t digest[32] = {9};
    uint8_t out[128];
    size_t len;
    for (rf_usec at; (at = rf_clock_elapsed(rf_clock_real())) < s->end && s->count < SHAKES_MAX;) {
        MUST(keeper_tls_sign(s->setup->keeper, NULL, rf_str_make(digest, sizeof digest), out,
                             sizeof out, &len, &err));
        s->usec[s->count++] = (uint32_t)(rf_clock_elapsed(rf_clock_real()) - at);
        (void)usleep(SHAKE_PAUSE_USEC);
    }
    return NULL;
}

static int by_size(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static void measure(const struct setup *setup, const char *what, unsigned callers, deed *run)
{
    static struct caller all[CALLERS_MAX];
    static struct shaker shaker;
    uint64_t count = 0;
    rf_usec end = rf_clock_elapsed(rf_clock_real()) + (rf_usec)(seconds * 1e6);
    shaker = (struct shaker){.setup = setup, .end = end};
    if (pthread_create(&shaker.thread, NULL, shake, &shaker) != 0) abort();
    for (unsigned i = 0; i < callers; i++) {
        all[i] = (struct caller){.setup = setup, .deed = run, .end = end};
        if (pthread_create(&all[i].thread, NULL, call, &all[i]) != 0) abort();
    }
    for (unsigned i = 0; i < callers; i++) {
        pthread_join(all[i].thread, NULL);
        count += all[i].count;
    }
    pthread_join(shaker.thread, NULL);
    qsort(shaker.usec, shaker.count, sizeof shaker.usec[0], by_size);
    printf("%-22s %3u callers %9.0f /s   handshakes: %7.2f ms, %7.2f ms\n", what, callers,
           (double)count / seconds, shaker.count == 0 ? 0 : shaker.usec[shaker.count / 2] / 1e3,
           shaker.count == 0 ? 0 : shaker.usec[shaker.count * 99 / 100] / 1e3);
    fflush(stdout);
}

/* ---- setting up ----------------------------------------------------------------------------------------------------------- */

static void *serve(void *ctx)
{
    struct setup *s = ctx;
    struct rf_err err;
    MUST(keeper_core_serve(s->core, s->fds[1], &err));
    return NULL;
}

static rf_str make_token(struct setup *s)
{
    struct rf_err err;
    struct keeper_jwt_key *keys;
    uint32_t count;
    rf_str kid = {0}, signature;
    MUST(keeper_jwt_keys(s->keeper, &s->arena, &keys, &count, &err));
    for (uint32_t i = 0; i < count; i++)
        if (keys[i].signing) kid = keys[i].kid;
    struct json_node *header = json_new(&s->arena, JSON_T_OBJECT),
                     *claims = json_new(&s->arena, JSON_T_OBJECT);
    json_set_text(&s->arena, header, "alg", RF_S("RS256"));
    json_set_text(&s->arena, header, "kid", kid);
    json_set_text(&s->arena, claims, "iss", RF_S("https://localhost/t/"));
    json_set_text(&s->arena, claims, "aud", RF_S("https://vault.azure.net"));
    json_set_text(&s->arena, claims, "oid", RF_S("aaaaaaaa-0000-0000-0000-000000000005"));
    json_set_i64(&s->arena, claims, "exp",
                 rf_clock_now(rf_clock_real()) / RF_USEC_PER_SECOND + 3600);
    rf_str input = jwt_signing_input(&s->arena, header, claims);
    MUST(keeper_jwt_sign(s->keeper, input, &s->arena, &signature, &err));
    return jwt_assemble(&s->arena, input, signature);
}

static void make_items(struct setup *s)
{
    struct rf_err err;
    struct sealed sealed;
    struct seal_head head = {.material = SEAL_VALUE,
                             .enabled = true,
                             .generation = 1,
                             .not_before = SEAL_NO_TIME,
                             .expires = SEAL_NO_TIME};
    struct seal_ring ring = {.kind = SEAL_SECRET, .name = RF_S("bench"), .vault_id = {1}};
    ring.item_id[0] = 2;
    MUST(seal_vault_new(s->keeper, ring.vault_id, &s->arena, &ring.vault_key, &err));
    MUST(seal_put(s->keeper, s->token, &ring, &head, RF_S("correct horse battery staple"),
                  &s->arena, &sealed, &err));
    s->secret_ring = ring;
    s->secret_ring.item_key = sealed.item_key;
    s->secret = sealed.version;
    ring.kind = SEAL_KEY;
    ring.item_id[4] = 3;
    head.material = SEAL_RSA;
    head.bits = 2048;
    head.ops = SEAL_OP_SIGN;
    MUST(seal_key_new(s->keeper, s->token, &ring, &head, &s->arena, &sealed, &err));
    s->key_ring = ring;
    s->key_ring.item_key = sealed.item_key;
    s->key = sealed.version;
}

int main(int argc, char **argv)
{
    static struct setup setup;
    static const unsigned counts[] = {1, 16, 64};
    struct rf_err err;
    char folder[256], command[300];
    pthread_t thread;
    if (argc > 1) seconds = strtod(argv[1], NULL);
    (void)snprintf(folder, sizeof folder, "%s/ringfort_bench_XXXXXX", argc > 2 ? argv[2] : "/tmp");
    if (mkdtemp(folder) == NULL) return 1;
    struct keeper_core_options options = {
        .folder = folder, .domain = RF_S("ringfort.localhost"), .clock = rf_clock_real()};
    MUST(keeper_core_new(&options, &setup.core, &err));
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, setup.fds) != 0) return 1;
    if (pthread_create(&thread, NULL, serve, &setup) != 0) return 1;
    MUST(keeper_connect(setup.fds[0], &setup.keeper, &err));
    rf_arena_init(&setup.arena, 16 << 20);
    setup.token = make_token(&setup);
    make_items(&setup);
    for (size_t i = 0; i < RF_COUNT(counts); i++)
        measure(&setup, "open a secret", counts[i], open_value);
    for (size_t i = 0; i < RF_COUNT(counts); i++)
        measure(&setup, "sign, RSA-2048", counts[i], sign_rs256);
    keeper_free(setup.keeper);
    pthread_join(thread, NULL);
    close(setup.fds[1]);
    keeper_core_free(setup.core);
    rf_arena_done(&setup.arena);
    (void)snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command) == 0 ? 0 : 1;
}
