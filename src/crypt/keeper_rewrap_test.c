/* Keys under older roots come under the newest, and then the older ones go: what opens, what is refused, what is told. */
#include "crypt/digest.h"
#include "crypt/keeper_int.h"
#include "crypt/keeper_seal_talk.h"
#include "test/vault_seal_rig.h"

#define HOUR (INT64_C(3600) * RF_USEC_PER_SECOND)

static const char *talk(struct seal_rig *r, const char *request)
{
    static char reply[ROOT_REPLY_BYTES];
    struct root_talk door = keeper_core_talk(r->core);
    root_talk(&door, rf_str_of(request), reply);
    return reply;
}

static void tick(struct seal_rig *r)
{
    struct root_talk door = keeper_core_talk(r->core);
    root_talk_tick(&door);
}

static void rotate(struct seal_rig *r)
{
    cr_assert(strncmp(talk(r, "rotate"), "ok open", 7) == 0, "%s", talk(r, "rotate"));
}

static uint32_t generation(const uint8_t *inner) { return rf_get_u32le(inner + 4); }

/* A key of data: wrapped, and in clear. */
struct data_key {
    uint8_t wrapped[KEEPER_DATA_KEY_BYTES], clear[32];
};

static struct data_key make(struct seal_rig *r)
{
    struct data_key key;
    cr_assert(keeper_data_key_new(r->keeper, "table", key.wrapped, key.clear, &r->err) == RF_OK,
              "%s", r->err.text);
    return key;
}

static rf_str wrapped_of(const struct data_key *key)
{
    return rf_str_make(key->wrapped, sizeof key->wrapped);
}

static enum rf_kind opens(struct seal_rig *r, const struct data_key *key)
{
    uint8_t clear[32];
    enum rf_kind kind = keeper_data_key_open(r->keeper, wrapped_of(key), clear, &r->err);
    if (kind == RF_OK) cr_expect(memcmp(clear, key->clear, sizeof clear) == 0);
    return kind;
}

static void rewrap(struct seal_rig *r, struct data_key *key)
{
    uint8_t out[KEEPER_WRAPPED_BYTES_MAX];
    seal_rig_pass(r);
    cr_assert(keeper_rewrap(r->keeper, NULL, wrapped_of(key), out, &r->err) == RF_OK, "%s",
              r->err.text);
    memcpy(key->wrapped, out, sizeof key->wrapped);
}

/* A turn of a server that has these keys alone. */
static struct keeper_generations turn(struct seal_rig *r, uint64_t newest_count, uint64_t old_count)
{
    struct keeper_generations now;
    struct keeper_found found = {.under = {newest_count, old_count}};
    seal_rig_pass(r);
    cr_assert(keeper_rewrap_turn(r->keeper, KEEPER_TURN_BEGIN, NULL, &now, &r->err) == RF_OK);
    found.newest = now.newest;
    cr_assert(keeper_rewrap_turn(r->keeper, KEEPER_TURN_TELL, &found, &now, &r->err) == RF_OK);
    cr_assert(keeper_rewrap_turn(r->keeper, KEEPER_TURN_END, &found, &now, &r->err) == RF_OK);
    return now;
}

static void rewrap_vault(struct seal_rig *r)
{
    uint8_t out[KEEPER_WRAPPED_BYTES_MAX], id[SEAL_ID_BYTES];
    memset(id, 1, sizeof id);
    cr_assert(keeper_rewrap(r->keeper, id, r->vault_key, out, &r->err) == RF_OK, "%s", r->err.text);
    cr_assert(rf_arena_str(&r->arena, rf_str_make(out, WRAPPED_KEY_BYTES), &r->vault_key));
}

static uint32_t lines(struct seal_rig *r, const char *word)
{
    uint32_t count = 0;
    rf_str text = seal_rig_file(r, "audit.log"), mark = rf_str_of(word);
    for (size_t at = 0; (at = rf_str_find(text, mark, at)) != SIZE_MAX; at += mark.len) count++;
    return count;
}

/* Fails with this code, and a line tells of it. */
#define refused(r, wanted, call)                                                                   \
    do {                                                                                           \
        uint32_t before_ = lines((r), " " wanted "\"");                                            \
        seal_rig_pass(r);                                                                          \
        cr_expect((call) != RF_OK, "%s", #call);                                                   \
        cr_expect_str_eq((r)->err.code, wanted);                                                   \
        cr_expect_eq(lines((r), " " wanted "\""), before_ + 1, "%s", #call);                       \
    } while (0)

/* ---- one key --------------------------------------------------------------------------------------------------------- */

Test(keeper_rewrap, each_kind_opens_as_before_and_names_the_newest)
{
    struct seal_rig r;
    rf_str value;
    struct sealed sealed;
    seal_rig_init(&r);
    struct data_key data = make(&r), same;
    struct seal_ring ring = seal_rig_ring(&r, 1, 10, SEAL_SECRET);
    struct seal_head head = seal_rig_head(SEAL_VALUE, 0, 1);
    seal_must(&r, seal_put(r.keeper, r.token, &ring, &head, RF_S("v"), &r.arena, &sealed, &r.err));
    ring.item_key = sealed.item_key;
    rotate(&r);
    rotate(&r);
    same = data;
    rewrap(&r, &data);
    rewrap_vault(&r);
    cr_assert_eq(generation(data.wrapped + 16), 3);
    cr_assert_eq(generation(r.vault_key.ptr), 3);
    cr_assert(memcmp(data.wrapped, same.wrapped, 16) == 0, "the id is what the key is known by");
    cr_assert(opens(&r, &data) == RF_OK);
    cr_assert(opens(&r, &same) == RF_OK, "who still holds the old form is not cut off");
    ring.vault_key = r.vault_key;
    seal_must(&r, seal_open(r.keeper, r.token, &ring, sealed.version, &r.arena, &value, &r.err));
    cr_assert(rf_str_is(value, "v"));
    /* What is newest already stays. */
    same = data;
    rewrap(&r, &data);
    cr_assert(memcmp(data.wrapped, same.wrapped, sizeof same.wrapped) == 0);
    seal_rig_restart(&r);
    cr_assert(opens(&r, &data) == RF_OK);
    seal_rig_done(&r);
}

Test(keeper_rewrap, nothing_moves_to_another_place)
{
    struct seal_rig r;
    uint8_t out[KEEPER_WRAPPED_BYTES_MAX], other[SEAL_ID_BYTES], vault[SEAL_ID_BYTES];
    seal_rig_init(&r);
    memset(other, 2, sizeof other);
    memset(vault, 1, sizeof vault);
    struct data_key one = make(&r), two = make(&r), mixed = one;
    memcpy(mixed.wrapped, two.wrapped, 16);
    rotate(&r);
    refused(&r, "SealBroken", keeper_rewrap(r.keeper, other, r.vault_key, out, &r.err));
    refused(&r, "SealBroken", keeper_rewrap(r.keeper, NULL, wrapped_of(&mixed), out, &r.err));
    refused(&r, "SealBroken",
            keeper_rewrap(r.keeper, vault, rf_slice(wrapped_of(&one), 16, 84), out, &r.err));
    refused(&r, "SealArgument", keeper_rewrap(r.keeper, vault, wrapped_of(&one), out, &r.err));
    refused(&r, "SealArgument", keeper_rewrap(r.keeper, NULL, r.vault_key, out, &r.err));
    for (unsigned at = 0; at < sizeof one.wrapped; at += 7) {
        struct data_key bad = one;
        bad.wrapped[at] ^= 4;
        refused(&r, "SealBroken", keeper_rewrap(r.keeper, NULL, wrapped_of(&bad), out, &r.err));
    }
    rf_str proof;
    seal_must(
        &r, keeper_data_key_destroy(r.keeper, wrapped_of(&two), "table", &r.arena, &proof, &r.err));
    refused(&r, "SealDestroyed", keeper_rewrap(r.keeper, NULL, wrapped_of(&two), out, &r.err));
    seal_rig_done(&r);
}

Test(keeper_rewrap, a_turn_leaves_two_lines_however_many_keys)
{
    enum { KEYS = 50 };
    struct seal_rig r;
    struct data_key keys[KEYS];
    seal_rig_init(&r);
    for (int i = 0; i < KEYS; i++) keys[i] = make(&r);
    (void)turn(&r, KEYS + 1, 0);
    cr_assert_eq(lines(&r, "rewrap."), 0, "a turn that does nothing says nothing");
    rotate(&r);
    for (int i = 0; i < KEYS; i++) rewrap(&r, &keys[i]);
    (void)turn(&r, KEYS, 1);
    cr_assert_eq(lines(&r, "rewrap.begun"), 1);
    cr_assert_eq(lines(&r, "generation 2, 50 keys rewrapped, 1 of 51 left"), 1);
    cr_assert_str_eq(talk(&r, "generations"),
                     "ok root generation 2\n1 of 51 wrapped keys still under generation 1");
    seal_rig_done(&r);
}

/* ---- the end of a generation -------------------------------------------------------------------------------------------- */

Test(keeper_rewrap, a_generation_goes_only_when_nothing_needs_it)
{
    struct seal_rig r;
    seal_rig_init(&r);
    struct data_key data = make(&r), forgotten = make(&r);
    cr_assert(strncmp(talk(&r, "drop 1 0"), "error GenerationUnfit", 21) == 0);
    rotate(&r);
    cr_assert(strncmp(talk(&r, "drop 1 0"), "error RewrapUnfinished", 22) == 0);
    rewrap(&r, &data);
    rewrap_vault(&r);
    cr_assert_eq(turn(&r, 2, 1).clean, 0);
    cr_assert_eq(turn(&r, 3, 0).clean, 1);
    cr_assert(strncmp(talk(&r, "drop 1 0"), "error RewrapUnfinished", 22) == 0);
    cr_assert_eq(turn(&r, 3, 0).clean, 2);
    /* The server does not know of one that the keeper has in its books: also after a restart. */
    cr_assert(strncmp(talk(&r, "drop 1 0"), "error GenerationNeeded 1 keys", 29) == 0);
    seal_rig_restart(&r);
    cr_assert(strncmp(talk(&r, "drop 1 0"), "error RewrapUnfinished", 22) == 0,
              "what a server said to a keeper before counts no more");
    (void)turn(&r, 3, 0);
    (void)turn(&r, 3, 0);
    cr_assert(strncmp(talk(&r, "drop 1 0"), "error GenerationNeeded 1 keys", 29) == 0);
    cr_assert(strncmp(talk(&r, "drop 2 0 even-needed"), "error GenerationUnfit", 21) == 0);
    cr_assert(opens(&r, &forgotten) == RF_OK);
    /* A rotation in between: all begins again. */
    rotate(&r);
    cr_assert(strncmp(talk(&r, "drop 1 0 even-needed"), "error RewrapUnfinished", 22) == 0);
    rewrap(&r, &data);
    rewrap_vault(&r);
    (void)turn(&r, 2, 0);
    (void)turn(&r, 2, 0);
    cr_assert_str_eq(talk(&r, "generations"),
                     "ok root generation 3\nall 2 wrapped keys are under generation 3\n1 keys that "
                     "were wrapped under older ones came not back");
    cr_assert(strncmp(talk(&r, "drop 2 0 even-needed"), "ok open", 7) == 0);
    refused(&r, "SealGeneration", opens(&r, &forgotten));
    cr_assert(strstr(r.err.text, "generation 1, which was dropped") != NULL, "%s", r.err.text);
    cr_assert(opens(&r, &data) == RF_OK);
    cr_assert_eq(lines(&r, "root.dropped"), 1);
    cr_assert(strncmp(talk(&r, "keep"), "error NothingRetired", 20) == 0);
    seal_rig_done(&r);
}

static void prepare(struct seal_rig *r, struct data_key *data, struct data_key *old)
{
    seal_rig_init(r);
    *old = *data = make(r);
    rotate(r);
    rewrap(r, data);
    rewrap_vault(r);
    (void)turn(r, 2, 0);
    (void)turn(r, 2, 0);
}

Test(keeper_rewrap, retired_is_not_gone_until_its_time_and_not_when_it_was_asked_for)
{
    struct seal_rig r;
    struct data_key data, old;
    prepare(&r, &data, &old);
    cr_assert(strncmp(talk(&r, "drop 1 120"), "ok open", 7) == 0, "%s", talk(&r, "drop 1 120"));
    cr_assert(strstr(talk(&r, "generations"),
                     "generations 1 to 1 are retired, and go in 2 hours") != NULL,
              "%s", talk(&r, "generations"));
    refused(&r, "SealGeneration", opens(&r, &old));
    cr_assert(strstr(r.err.text, "keep-generations") != NULL);
    seal_rig_restart(&r);
    refused(&r, "SealGeneration", opens(&r, &old));
    cr_assert(opens(&r, &data) == RF_OK);
    /* Something asked for it: it stays beyond its time, until people decide. */
    rf_clock_fixed_pass(&r.clock, 3 * HOUR);
    tick(&r);
    rf_clock_fixed_pass(&r.clock, 3 * HOUR);
    tick(&r);
    seal_rig_restart(&r);
    tick(&r);
    cr_assert(strstr(talk(&r, "generations"), "something asked for them") != NULL);
    cr_assert_eq(lines(&r, "root.dropped"), 0);
    cr_assert_eq(lines(&r, "root.retired_needed"), 1);
    cr_assert(strncmp(talk(&r, "keep"), "ok open", 7) == 0);
    cr_assert(opens(&r, &old) == RF_OK);
    (void)turn(&r, 2, 0);
    (void)turn(&r, 2, 0);
    cr_assert(strncmp(talk(&r, "drop 1 60"), "ok open", 7) == 0);
    tick(&r);
    cr_assert_eq(lines(&r, "root.dropped"), 0);
    rf_clock_fixed_pass(&r.clock, HOUR);
    tick(&r);
    cr_assert_eq(lines(&r, "root.dropped"), 1);
    refused(&r, "SealGeneration", opens(&r, &old));
    cr_assert(strstr(talk(&r, "generations"), "generations up to 1 were dropped") != NULL);
    cr_assert(strncmp(talk(&r, "drop 1 60"), "error GenerationUnfit", 21) == 0);
    seal_rig_done(&r);
}

Test(keeper_rewrap, what_the_first_root_derived_outlasts_it)
{
    struct seal_rig r;
    struct data_key data, old;
    uint8_t macs[2][3][32], stores[2][32];
    const char *purposes[] = {KEEPER_MAC_SECRET, KEEPER_MAC_PASSWORD, "another"};
    prepare(&r, &data, &old);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 3; i++)
            seal_must(&r, keeper_mac(r.keeper, purposes[i], RF_S("x"), macs[round][i], &r.err));
        seal_must(&r, keeper_store_key(r.keeper, stores[round], &r.err));
        if (round > 0) break;
        cr_assert(strncmp(talk(&r, "drop 1 0"), "ok open", 7) == 0);
        seal_rig_restart(&r);
    }
    cr_assert(memcmp(macs[0], macs[1], sizeof macs[0]) == 0);
    cr_assert(memcmp(stores[0], stores[1], sizeof stores[0]) == 0);
    /* Chains go on: no line tells of damage, and the token of before counts. */
    cr_assert_eq(lines(&r, "audit.") + lines(&r, "heads.stale") + lines(&r, "damaged"), 0);
    struct seal_ring ring = seal_rig_ring(&r, 1, 10, SEAL_SECRET);
    struct seal_head head = seal_rig_head(SEAL_VALUE, 0, 1);
    struct sealed sealed;
    seal_must(&r, seal_put(r.keeper, r.token, &ring, &head, RF_S("v"), &r.arena, &sealed, &r.err));
    /* A re-seal takes it all along. */
    cr_assert(strncmp(talk(&r, "reseal file 0 0 0 0\n"), "ok prepared", 11) == 0);
    cr_assert(strncmp(talk(&r, "commit"), "ok open", 7) == 0);
    seal_rig_restart(&r);
    cr_assert(opens(&r, &data) == RF_OK);
    refused(&r, "SealGeneration", opens(&r, &old));
    seal_rig_done(&r);
}

Test(keeper_rewrap, rotations_never_end)
{
    struct seal_rig r;
    seal_rig_init(&r);
    struct data_key data = make(&r);
    char drop[32];
    for (uint32_t n = 2; n <= 40; n++) {
        rotate(&r);
        rewrap(&r, &data);
        rewrap_vault(&r);
        if (n % 13 != 0) continue;
        (void)turn(&r, 2, 0);
        (void)turn(&r, 2, 0);
        (void)snprintf(drop, sizeof drop, "drop %u 0", n - 1);
        cr_assert(strncmp(talk(&r, drop), "ok open", 7) == 0, "%s", talk(&r, drop));
        seal_rig_restart(&r);
        cr_assert(opens(&r, &data) == RF_OK);
    }
    cr_assert_eq(generation(data.wrapped + 16), 40);
    for (uint32_t n = 41; n <= 54; n++) rotate(&r);
    cr_assert(strncmp(talk(&r, "rotate"), "error RootsMax", 14) == 0);
    seal_rig_done(&r);
}

/* What a slot says of generations cannot be changed by who has the disk. */
Test(keeper_rewrap, a_forged_count_of_generations_never_opens)
{
    static const uint32_t places[] = {7, 24, 26, 124, 127, 220, 223};
    struct seal_rig r;
    struct data_key data, old;
    char path[128];
    prepare(&r, &data, &old);
    cr_assert(strncmp(talk(&r, "drop 1 60"), "ok open", 7) == 0);
    (void)snprintf(path, sizeof path, "%s/keeper/root.seal", r.folder);
    for (size_t i = 0; i < RF_COUNT(places); i++) {
        uint8_t slot[ROOT_SLOT_BYTES], before[ROOT_SLOT_BYTES];
        struct keeper_core *core;
        off_t at = ROOT_SLOT_APART * (off_t)(keeper_core_keys(r.core)->seal.slot.counter % 2);
        seal_rig_stop(&r);
        int fd = open(path, O_RDWR | O_CLOEXEC);
        cr_assert(pread(fd, before, sizeof before, at) == (ssize_t)sizeof before);
        memcpy(slot, before, sizeof slot);
        slot[places[i]] ^= 1;
        digest_sha256(rf_str_make(slot, sizeof slot - SHA256_BYTES),
                      slot + sizeof slot - SHA256_BYTES);
        cr_assert(pwrite(fd, slot, sizeof slot, at) == (ssize_t)sizeof slot);
        struct keeper_core_options options = {
            .folder = path, .domain = RF_S("ringfort.localhost"), .clock = &r.clock.clock};
        char *name = strrchr(path, '/');
        *name = '\0';
        cr_assert(keeper_core_new(&options, &core, &r.err) == RF_CORRUPT, "byte %u", places[i]);
        *name = '/';
        cr_assert(pwrite(fd, before, sizeof before, at) == (ssize_t)sizeof before);
        close(fd);
        seal_rig_start(&r);
    }
    cr_assert(opens(&r, &data) == RF_OK);
    seal_rig_done(&r);
}
