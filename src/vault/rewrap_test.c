/* What state keeps under an older root comes under the newest, and nobody's change is lost by it. */
#include "crypt/keeper_seal_talk.h"
#include "crypt/rewrap.h"
#include "vault/store_int.h"
#include "vault/types_int.h"
#include "vault/vault_world.h"

#define A_V "?api-version=2024-11-01"
#define A_NEW                                                                                      \
    "{\"location\":\"local\",\"properties\":{\"tenantId\":\"" WALK_TENANT                          \
    "\",\"sku\":{\"family\":\"A\",\"name\":\"standard\"}}}"
#define ISSUER "guid/issuers/house"

static uint32_t newest = 1; /* each test is a process of its own */

static void rotate(struct vault_world *w)
{
    char reply[ROOT_REPLY_BYTES];
    struct root_talk talk = keeper_core_talk(w->core);
    root_talk(&talk, RF_S("rotate"), reply);
    cr_assert(strncmp(reply, "ok open", 7) == 0, "%s", reply);
    newest++;
}

static struct rewrap_sweep sweep(struct vault_world *w, bool moves)
{
    struct rewrap_sweep sweep = {.keeper = w->keeper, .newest = newest, .moves = moves};
    cr_assert(vaults_rewrap(w->vaults, &sweep, &w->err) == RF_OK, "%s", w->err.text);
    return sweep;
}

static void put(struct vault_world *w, const char *key, rf_str body)
{
    struct state_txn *txn;
    const struct state_put object = {
        .space = vault_issuer_space, .key = rf_str_of(key), .body = body};
    cr_assert(state_begin_write(w->site.state, &txn, &w->err) == RF_OK);
    cr_assert(state_put(txn, &object, NULL, NULL, &w->err) == RF_OK);
    cr_assert(state_commit(txn, &w->err) == RF_OK);
}

/* An issuer with two keys of ACME accounts: their clear text. */
static void make_issuer(struct vault_world *w, uint8_t clear[2][32])
{
    uint8_t wrapped[KEEPER_DATA_KEY_BYTES];
    rf_str text[2];
    for (int i = 0; i < 2; i++) {
        cr_assert(keeper_data_key_new(w->keeper, "acme-account", wrapped, clear[i], &w->err) ==
                  RF_OK);
        text[i] = base64_encode(&w->site.arena, rf_str_make(wrapped, sizeof wrapped));
    }
    put(w, ISSUER,
        rf_arena_printf(
            &w->site.arena,
            "{\"name\":\"house\",\"n\":0,\"acmeKeys\":[{\"kid\":\"a\",\"key\":\"%.*s\"},"
            "{\"kid\":\"b\",\"key\":\"%.*s\"}]}",
            RF_FMT(text[0]), RF_FMT(text[1])));
}

static struct json_node *issuer(struct vault_world *w)
{
    struct state_object object;
    struct json_node *node;
    cr_assert(state_peek(w->site.state, vault_issuer_space, RF_S(ISSUER), &w->site.arena, &object,
                         &w->err) == RF_OK);
    cr_assert(json_parse(object.body, &w->site.arena, &node, &w->err) == RF_OK);
    return node;
}

static void opens(struct vault_world *w, uint8_t clear[2][32])
{
    const struct json_node *key = json_get(issuer(w), "acmeKeys")->first;
    for (int i = 0; i < 2; i++, key = key->next) {
        uint8_t got[32];
        rf_str wrapped;
        cr_assert(base64_decode(&w->site.arena, json_text_at(key, "key"), &wrapped, NULL) == RF_OK);
        cr_assert(keeper_data_key_open(w->keeper, wrapped, got, &w->err) == RF_OK, "%s",
                  w->err.text);
        cr_assert(memcmp(got, clear[i], sizeof got) == 0);
    }
}

Test(vault_rewrap, each_key_of_the_root_moves_and_opens)
{
    struct vault_world w;
    uint8_t clear[2][32];
    v_init(&w);
    rf_str vaults_token = w.token;
    v_assign(&w, V_OTHER, ROLE_OWNER, "/");
    rf_str owner = walk_bearer(
        &w.site, v_jwt(&w, &(struct walk_token){.oid = V_OTHER,
                                                .audience = "https://management.azure.com/"}));
    v_expect(&w, "PUT", "/secrets/one", "{\"value\":\"v\"}", 200);
    w.token = owner;
    v_expect(&w, "PUT", V_VAULTS "gone-1" A_V, A_NEW, 201);
    v_expect(&w, "DELETE", V_VAULTS "gone-1" A_V, NULL, 200);
    make_issuer(&w, clear);
    put(&w, "guid/contacts", RF_S("{\"contacts\":[]}"));
    struct rewrap_sweep counts = sweep(&w, false);
    cr_assert_eq(counts.found.under[0], 4, "two vaults, two accounts: %llu",
                 (unsigned long long)counts.found.under[0]);
    rotate(&w);
    rotate(&w);
    counts = sweep(&w, false);
    cr_assert_eq(counts.found.under[0], 0);
    cr_assert_eq(counts.found.under[2], 4);
    struct rewrap_sweep moves = sweep(&w, true);
    cr_assert_eq(moves.moved_count, 4);
    cr_assert_eq(moves.found.under[0], 4);
    cr_assert_eq(moves.found.under[2] + moves.found.unread, 0);
    moves = sweep(&w, true);
    cr_assert_eq(moves.moved_count, 0, "what is there already stays");
    opens(&w, clear);
    w.token = owner;
    v_expect(&w, "PUT", V_VAULTS "gone-1" A_V,
             "{\"location\":\"local\",\"properties\":{\"tenantId\":\"" WALK_TENANT
             "\",\"createMode\":\"recover\"}}",
             201);
    w.token = vaults_token;
    v_expect(&w, "GET", "/secrets/one", NULL, 200);
    v_expect_text(&w, "value", "v");
    v_done(&w);
}

Test(vault_rewrap, what_cannot_be_read_is_told_and_left)
{
    struct vault_world w;
    uint8_t clear[2][32];
    v_init(&w);
    make_issuer(&w, clear);
    put(&w, "guid/issuers/torn", RF_S("{\"acmeKeys\":[{\"key\":\"AAAA\"},{\"key\":\"?\"},{}]}"));
    put(&w, "guid/issuers/noise", RF_S("[1,2"));
    rotate(&w);
    struct rewrap_sweep moves = sweep(&w, true);
    cr_assert_eq(moves.found.unread, 4, "%llu", (unsigned long long)moves.found.unread);
    cr_assert_eq(moves.moved_count, 3);
    opens(&w, clear);
    /* It ends when it is told to. */
    atomic_bool stop = true;
    struct rewrap_sweep stopped = {.keeper = w.keeper, .newest = 2, .moves = true, .stop = &stop};
    cr_assert(vaults_rewrap(w.vaults, &stopped, &w.err) == RF_CANCELLED);
    v_done(&w);
}

/* ---- while others write ---------------------------------------------------------------------------------------------------- */

struct writer {
    struct state *state;
    atomic_bool stop;
    uint64_t done;
};

static bool count_up(struct writer *writer, struct rf_arena *arena)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct state_object object;
    struct json_node *node;
    int64_t n = 0;
    if (state_begin_write(writer->state, &txn, NULL) != RF_OK ||
        state_get(txn, vault_issuer_space, RF_S(ISSUER), arena, &object, NULL) != RF_OK ||
        json_parse(object.body, arena, &node, NULL) != RF_OK || !json_i64_at(node, "n", &n))
        return false;
    json_set_i64(arena, node, "n", n + 1);
    const struct state_put put = {
        .space = vault_issuer_space, .key = RF_S(ISSUER), .body = json_to_text(arena, node)};
    return state_put(txn, &put, NULL, NULL, NULL) == RF_OK && state_finish(&txn, NULL) == RF_OK;
}

static void *write_on(void *ctx)
{
    struct writer *writer = ctx;
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    while (!atomic_load(&writer->stop)) {
        rf_arena_reset(&arena);
        if (!count_up(writer, &arena)) break;
        writer->done++;
    }
    return NULL;
}

Test(vault_rewrap, no_change_is_lost)
{
    enum { ROOTS = 12 };
    struct vault_world w;
    struct writer writer = {.stop = false};
    uint8_t clear[2][32];
    pthread_t thread;
    int64_t n;
    uint64_t moved = 0;
    v_init(&w);
    make_issuer(&w, clear);
    writer.state = w.site.state;
    cr_assert(pthread_create(&thread, NULL, write_on, &writer) == 0);
    for (int i = 0; i < ROOTS; i++) {
        rotate(&w);
        for (int tries = 0; tries < 20; tries++) moved += sweep(&w, true).moved_count;
    }
    atomic_store(&writer.stop, true);
    pthread_join(thread, NULL);
    struct rewrap_sweep last = sweep(&w, true);
    cr_assert_eq(last.found.under[0], 3);
    /* How many were moved beside the writer, and how many only when it had stopped, is the machine's matter. */
    cr_assert(writer.done > 0);
    cr_assert(moved + last.moved_count > 0);
    cr_assert(json_i64_at(issuer(&w), "n", &n) && (uint64_t)n == writer.done, "%lld of %llu",
              (long long)n, (unsigned long long)writer.done);
    opens(&w, clear);
    v_done(&w);
}
