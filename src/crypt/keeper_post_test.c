/* Answers that wait for their lines: many callers at a time, and a log that cannot be written. */
#include "test/vault_seal_rig.h"

#include "crypt/keeper_int.h"

enum { CALLERS = 40, ROUNDS = 25, SECRETS = 8, CALL_BYTES = 1 << 20 };

static atomic_uint_fast64_t answers;

struct caller {
    struct seal_rig *rig;
    struct seal_ring *rings;
    struct sealed *secrets;
    pthread_t thread;
    unsigned number;
    const char *wrong;
};

/* What a secret holds says which one it is; now and then there is a key to make, which takes long. */
static void *call(void *ctx)
{
    struct caller *c = ctx;
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct rf_err err = {0};
    rf_arena_init(&arena, CALL_BYTES);
    for (unsigned i = 0; i < ROUNDS && c->wrong == NULL; i++) {
        unsigned which = (c->number + i) % SECRETS;
        char wanted[16];
        rf_str value;
        (void)snprintf(wanted, sizeof wanted, "value %u", which);
        if (seal_open(c->rig->keeper, c->rig->token, &c->rings[which], c->secrets[which].version,
                      &arena, &value, &err) != RF_OK)
            c->wrong = "a secret is not opened";
        else if (!rf_str_is(value, wanted))
            c->wrong = "another one's value";
        atomic_fetch_add(&answers, 1);
        if (c->number % 8 != 0 || i % 8 != 0 || c->wrong != NULL) continue;
        struct sealed made;
        struct seal_ring ring = seal_rig_ring(c->rig, 1, (uint8_t)(100 + c->number), SEAL_KEY);
        struct seal_head head = seal_rig_head(SEAL_P256, 0, (uint8_t)(i + 1));
        if (seal_key_new(c->rig->keeper, c->rig->token, &ring, &head, &arena, &made, &err) != RF_OK)
            c->wrong = "a key is not made";
    }
    return NULL;
}

/* As far as the log is written; its last line may be on its way. */
static uint32_t opened(struct seal_rig *look)
{
    uint32_t count = 0;
    rf_str log = seal_rig_file(look, "audit.log"), event = RF_S("\"vault.open\"");
    for (size_t at = 0; (at = rf_str_find(log, event, at)) != SIZE_MAX; at += event.len) count++;
    return count;
}

Test(keeper_post, no_answer_comes_before_its_line)
{
    static struct seal_ring rings[SECRETS];
    static struct sealed secrets[SECRETS];
    static struct caller callers[CALLERS];
    struct seal_rig r;
    seal_rig_init(&r);
    for (unsigned i = 0; i < SECRETS; i++) {
        char value[16];
        (void)snprintf(value, sizeof value, "value %u", i);
        rings[i] = seal_rig_ring(&r, 1, (uint8_t)(10 + i), SEAL_SECRET);
        secrets[i] = seal_rig_put(&r, &rings[i], value);
    }
    atomic_store(&answers, 0);
    for (unsigned i = 0; i < CALLERS; i++) {
        callers[i] = (struct caller){.rig = &r, .rings = rings, .secrets = secrets, .number = i};
        cr_assert(pthread_create(&callers[i].thread, NULL, call, &callers[i]) == 0);
    }
    static struct seal_rig look; /* at the same folder */
    rf_arena_init(&look.arena, 64 << 20);
    memcpy(look.folder, r.folder, sizeof look.folder);
    for (uint64_t told = 0; told < (uint64_t)CALLERS * ROUNDS / 2;) {
        told = atomic_load(&answers);
        rf_arena_reset(&look.arena);
        uint32_t lines = opened(&look);
        cr_assert(lines >= told, "%u lines, %llu answers", lines, (unsigned long long)told);
    }
    rf_arena_done(&look.arena);
    for (unsigned i = 0; i < CALLERS; i++) {
        pthread_join(callers[i].thread, NULL);
        cr_expect(callers[i].wrong == NULL, "%s", callers[i].wrong);
    }
    cr_expect_eq(seal_rig_lines(&r, "vault.open"), CALLERS * ROUNDS);
    seal_rig_restart(&r);
    cr_expect_eq(seal_rig_lines(&r, "audit."), 0, "the chain holds");
    cr_expect_eq(seal_rig_lines(&r, "heads."), 1, "and the heads"); /* heads.begun */
    seal_rig_done(&r);
}

Test(keeper_post, without_its_line_a_value_stays_shut)
{
    struct seal_rig r;
    rf_str value = {0};
    seal_rig_init(&r);
    struct seal_ring ring = seal_rig_ring(&r, 1, 10, SEAL_SECRET);
    struct sealed secret = seal_rig_put(&r, &ring, "value");
    struct keeper_audit *audit = &keeper_core_keys(r.core)->audit;
    int good = audit->fd, full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    cr_assert(full >= 0);
    audit->fd = full;
    for (int i = 0; i < 3; i++) {
        enum rf_kind kind =
            seal_open(r.keeper, r.token, &ring, secret.version, &r.arena, &value, &r.err);
        cr_expect(kind != RF_OK && value.len == 0);
        cr_expect(strcmp(r.err.code, "DiskFull") == 0 || strcmp(r.err.code, "InputOutput") == 0,
                  "%s", r.err.code);
    }
    audit->fd = good;
    close(full);
    seal_rig_restart(&r);
    seal_must(&r, seal_open(r.keeper, r.token, &ring, secret.version, &r.arena, &value, &r.err));
    cr_expect(rf_str_is(value, "value"));
    seal_rig_done(&r);
}
