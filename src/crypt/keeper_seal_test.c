#include "crypt/keeper_seal.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <openssl/crypto.h>

#include "crypt/digest.h"
#include "crypt/keeper_serve.h"
#include "test/rf_prop.h"

#define START_USEC (INT64_C(1769817600) * RF_USEC_PER_SECOND)

struct bench {
    char folder[32];
    struct rf_clock_fixed clock;
    struct root_seal seal;
    struct share shares[2 * SHARE_COUNT_MAX];
    uint32_t made;
    uint8_t root[ROOT_KEY_BYTES];
    struct rf_err err;
};

static int open_file(const struct bench *b, const char *name)
{
    char path[64];
    (void)snprintf(path, sizeof path, "%s/%s", b->folder, name);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    cr_assert(fd >= 0);
    return fd;
}

static enum rf_kind start(struct bench *b, bool fresh)
{
    b->seal = (struct root_seal){0};
    return root_seal_init(&b->seal, open_file(b, "root.seal"), open_file(b, "root.key"), fresh,
                          &b->clock.clock, &b->err);
}

static void bench_init(struct bench *b)
{
    *b = (struct bench){.folder = "/tmp/keeper_seal_XXXXXX"};
    cr_assert(mkdtemp(b->folder) != NULL);
    rf_clock_fixed_init(&b->clock, START_USEC, 0);
    cr_assert(start(b, true) == RF_OK, "%s", b->err.text);
    cr_assert(b->seal.open);
    memcpy(b->root, root_seal_key(&b->seal, 1), sizeof b->root);
}

static void bench_done(struct bench *b)
{
    char line[64];
    root_seal_done(&b->seal);
    (void)snprintf(line, sizeof line, "rm -r %s", b->folder);
    cr_assert(system(line) == 0);
}

static void again(struct bench *b)
{
    root_seal_done(&b->seal);
    cr_assert(start(b, false) == RF_OK, "%s", b->err.text);
}

static bool is_open(const struct bench *b)
{
    const uint8_t *root = root_seal_key(&b->seal, 1);
    cr_assert_eq(root != NULL, b->seal.open);
    return root != NULL && memcmp(root, b->root, sizeof b->root) == 0;
}

static void reseal(struct bench *b, struct root_change change)
{
    cr_assert(root_seal_prepare(&b->seal, &change, b->shares, &b->made, &b->err) == RF_OK, "%s",
              b->err.text);
    cr_assert(root_seal_commit(&b->seal, &b->err) == RF_OK, "%s", b->err.text);
}

static enum rf_kind enter_share(struct bench *b, uint32_t at)
{
    char text[SHARE_TEXT_BYTES];
    share_text(&b->shares[at], text);
    return root_seal_enter(&b->seal, true, rf_str_of(text), &b->err);
}

static enum rf_kind enter_passphrase(struct bench *b, const char *text)
{
    return root_seal_enter(&b->seal, false, rf_str_of(text), &b->err);
}

static const char phrase[] = "correct horse battery";
static const struct root_change by_file = {.kind = ROOT_LOCK_FILE};
static const struct root_change by_shares = {.kind = ROOT_LOCK_SHARES, .threshold = 3, .count = 5};
static struct root_change by_phrase(void)
{
    return (struct root_change){.kind = ROOT_LOCK_PASSPHRASE, .passphrase = rf_str_of(phrase)};
}

/* Neither the root nor `bytes` lie in a file in clear. */
static void not_on_disk(const struct bench *b, const uint8_t *bytes)
{
    static const char *const names[] = {"root.key", "root.seal"};
    for (size_t i = 0; i < RF_COUNT(names); i++) {
        uint8_t all[8192] = {0};
        int fd = open_file(b, names[i]);
        ssize_t got = read(fd, all, sizeof all);
        close(fd);
        cr_assert(got >= 0);
        cr_assert_eq(
            rf_str_find(rf_str_make(all, (size_t)got), rf_str_make(bytes, ROOT_KEY_BYTES), 0),
            SIZE_MAX, "%s", names[i]);
    }
}

Test(keeper_seal, key_file_opens_by_itself)
{
    struct bench b;
    char text[ROOT_DESCRIPTION_BYTES];
    bench_init(&b);
    again(&b);
    cr_assert(is_open(&b));
    cr_assert(root_seal_look(b.folder, text, &b.err) == RF_OK);
    cr_assert_str_eq(text, "key file (generation 1)");
    reseal(&b, by_file);
    not_on_disk(&b, b.root);
    again(&b);
    cr_assert(is_open(&b));
    /* Another key in its place. */
    uint8_t other[ROOT_KEY_BYTES] = {1};
    cr_assert(pwrite(b.seal.key_fd, other, sizeof other, 0) == sizeof other);
    root_seal_done(&b.seal);
    cr_assert(start(&b, false) == RF_CORRUPT);
    cr_assert_str_eq(b.err.code, "RootKeyMissing");
    bench_done(&b);
}

Test(keeper_seal, passphrase_opens_and_slows_down)
{
    struct bench b;
    char text[ROOT_DESCRIPTION_BYTES];
    bench_init(&b);
    reseal(&b, by_phrase());
    not_on_disk(&b, b.root);
    again(&b);
    cr_assert(!is_open(&b));
    cr_assert(root_seal_look(b.folder, text, &b.err) == RF_OK);
    cr_assert_str_eq(text, "passphrase (generation 1)");
    for (int i = 0; i < 4; i++) {
        cr_assert(enter_passphrase(&b, "something else") == RF_DENIED);
        cr_assert_str_eq(b.err.code, "PassphraseWrong");
    }
    cr_assert(enter_passphrase(&b, phrase) == RF_LIMIT);
    cr_assert_str_eq(b.err.code, "TooManyAttempts");
    b.clock.elapsed += RF_USEC_PER_SECOND;
    cr_assert(enter_passphrase(&b, phrase) == RF_OK, "%s", b.err.text);
    cr_assert(is_open(&b));
    bench_done(&b);
}

Test(keeper_seal, shares_open_by_quorum)
{
    struct bench b;
    char text[ROOT_DESCRIPTION_BYTES];
    uint32_t have, wanted;
    bench_init(&b);
    reseal(&b, by_shares);
    cr_assert_eq(b.made, 5);
    again(&b);
    cr_assert(root_seal_look(b.folder, text, &b.err) == RF_OK);
    cr_assert_str_eq(text, "shares 3 of 5 (generation 1)");
    cr_assert(enter_share(&b, 4) == RF_AGAIN);
    cr_assert(enter_share(&b, 4) == RF_CONFLICT);
    cr_assert_str_eq(b.err.code, "ShareTwice");
    cr_assert(enter_passphrase(&b, phrase) == RF_CONFLICT);
    cr_assert(enter_share(&b, 0) == RF_AGAIN);
    root_seal_progress(&b.seal, &have, &wanted);
    cr_assert(have == 2 && wanted == 3);
    /* After a quarter of an hour they are forgotten. */
    b.clock.elapsed += ROOT_SHARES_FORGET_USEC + 1;
    root_seal_progress(&b.seal, &have, &wanted);
    cr_assert(have == 0 && wanted == 3);
    cr_assert(enter_share(&b, 1) == RF_AGAIN);
    cr_assert(enter_share(&b, 2) == RF_AGAIN);
    cr_assert(enter_share(&b, 3) == RF_OK);
    cr_assert(is_open(&b));
    bench_done(&b);
}

Test(keeper_seal, a_forged_share_does_not_open)
{
    struct bench b;
    bench_init(&b);
    reseal(&b, by_shares);
    again(&b);
    b.shares[1].value[5] ^= 1;
    cr_assert(enter_share(&b, 0) == RF_AGAIN);
    cr_assert(enter_share(&b, 1) == RF_AGAIN);
    cr_assert(enter_share(&b, 2) == RF_DENIED);
    cr_assert_str_eq(b.err.code, "SharesWrong");
    cr_assert(enter_share(&b, 0) == RF_AGAIN);
    cr_assert(enter_share(&b, 2) == RF_AGAIN);
    cr_assert(enter_share(&b, 3) == RF_OK);
    bench_done(&b);
}

Test(keeper_seal, old_shares_open_no_longer)
{
    struct bench b;
    struct share old;
    bench_init(&b);
    reseal(&b, by_shares);
    old = b.shares[0];
    reseal(&b, by_shares);
    again(&b);
    b.shares[0] = old;
    cr_assert(enter_share(&b, 0) == RF_CONFLICT);
    cr_assert_str_eq(b.err.code, "ShareOther");
    bench_done(&b);
}

Test(keeper_seal, recovery_opens_what_lost_its_seal)
{
    struct bench b;
    struct root_change change = by_phrase();
    char text[ROOT_DESCRIPTION_BYTES];
    bench_init(&b);
    change.recovery_threshold = 2;
    change.recovery_count = 3;
    reseal(&b, change);
    cr_assert_eq(b.made, 3);
    again(&b);
    cr_assert(root_seal_look(b.folder, text, &b.err) == RF_OK);
    cr_assert_str_eq(text, "passphrase (generation 1), recovery by shares 2 of 3");
    cr_assert(enter_share(&b, 0) == RF_AGAIN);
    cr_assert(enter_share(&b, 2) == RF_OK);
    cr_assert(is_open(&b));
    /* And a key file that is gone. */
    change.kind = ROOT_LOCK_FILE;
    reseal(&b, change);
    cr_assert(ftruncate(b.seal.key_fd, 0) == 0);
    again(&b);
    cr_assert(!is_open(&b));
    cr_assert(enter_share(&b, 0) == RF_AGAIN);
    cr_assert(enter_share(&b, 1) == RF_OK);
    cr_assert(is_open(&b));
    bench_done(&b);
}

Test(keeper_seal, rotation_keeps_older_roots)
{
    struct bench b;
    uint8_t second[ROOT_KEY_BYTES];
    bench_init(&b);
    cr_assert(root_seal_rotate(&b.seal, &b.err) == RF_OK, "%s", b.err.text);
    memcpy(second, root_seal_key(&b.seal, 2), sizeof second);
    again(&b);
    cr_assert(is_open(&b));
    cr_assert(memcmp(root_seal_key(&b.seal, 2), second, sizeof second) == 0);
    reseal(&b, by_shares);
    cr_assert(root_seal_rotate(&b.seal, &b.err) == RF_OK);
    not_on_disk(&b, second);
    again(&b);
    /* The shares made before open it. */
    for (uint32_t i = 0; i < 3; i++) cr_assert(enter_share(&b, i) == (i < 2 ? RF_AGAIN : RF_OK));
    cr_assert(memcmp(root_seal_key(&b.seal, 2), second, sizeof second) == 0);
    cr_assert(root_seal_key(&b.seal, 3) != NULL);
    cr_assert(root_seal_key(&b.seal, 4) == NULL);
    for (int i = 3; i < ROOTS_MAX; i++) cr_assert(root_seal_rotate(&b.seal, &b.err) == RF_OK);
    cr_assert(root_seal_rotate(&b.seal, &b.err) == RF_LIMIT);
    bench_done(&b);
}

Test(keeper_seal, refuses_what_is_too_weak)
{
    struct bench b;
    struct root_change bad[] = {{.kind = ROOT_LOCK_PASSPHRASE, .passphrase = RF_S("short")},
                                {.kind = ROOT_LOCK_SHARES, .threshold = 1, .count = 3},
                                {.kind = ROOT_LOCK_SHARES, .threshold = 4, .count = 3},
                                {.kind = ROOT_LOCK_SHARES, .threshold = 4, .count = 17},
                                {.kind = ROOT_LOCK_FILE, .recovery_count = 3}};
    bench_init(&b);
    for (size_t i = 0; i < RF_COUNT(bad); i++) {
        cr_assert(root_seal_prepare(&b.seal, &bad[i], b.shares, &b.made, &b.err) == RF_INVALID);
        cr_assert_str_eq(b.err.code, "SealUnfit");
    }
    cr_assert(root_seal_commit(&b.seal, &b.err) == RF_CONFLICT);
    /* A file that asks for less than the floors, or more than the ceilings. */
    struct root_slot slot = {.counter = 1, .root_count = 1, .lock_count = 1};
    uint8_t bytes[ROOT_SLOT_BYTES];
    for (int i = 0; i < 4; i++) {
        slot.locks[0] = (struct root_lock){.kind = ROOT_LOCK_PASSPHRASE,
                                           .kib = i == 0   ? 1024
                                                  : i == 1 ? ROOT_ARGON_KIB_MAX + 1
                                                           : ROOT_ARGON_KIB,
                                           .passes = i == 2 ? 1 : 3,
                                           .lanes = 1};
        root_slot_put(&slot, bytes);
        enum rf_kind wanted = i < 3 ? RF_CORRUPT : RF_OK;
        cr_assert(root_slot_read(rf_str_make(bytes, sizeof bytes), &slot, &b.err) == wanted);
    }
    bench_done(&b);
}

Test(keeper_seal, a_passphrase_counts_with_its_salt)
{
    struct root_lock lock = {
        .kind = ROOT_LOCK_PASSPHRASE, .kib = ROOT_ARGON_KIB_MIN, .passes = 2, .lanes = 1};
    uint8_t one[ROOT_KEY_BYTES], two[ROOT_KEY_BYTES];
    cr_assert(root_lock_passphrase(&lock, rf_str_of(phrase), one, NULL) == RF_OK);
    cr_assert(root_lock_passphrase(&lock, rf_str_of(phrase), two, NULL) == RF_OK);
    cr_assert(memcmp(one, two, sizeof one) == 0);
    lock.id[0] = 1;
    cr_assert(root_lock_passphrase(&lock, rf_str_of(phrase), two, NULL) == RF_OK);
    cr_assert(memcmp(one, two, sizeof one) != 0);
}

RF_PROP(keeper_seal_a_changed_byte_never_opens, 200)
{
    struct bench b;
    bench_init(&b);
    reseal(&b, by_shares);
    off_t slot = ROOT_SLOT_APART * (off_t)(b.seal.slot.counter % 2);
    off_t at = slot + (off_t)rf_test_below(prng, ROOT_SLOT_BYTES);
    uint8_t byte;
    cr_assert(pread(b.seal.fd, &byte, 1, at) == 1);
    byte ^= (uint8_t)rf_test_between(prng, 1, 255);
    cr_assert(pwrite(b.seal.fd, &byte, 1, at) == 1);
    root_seal_done(&b.seal);
    cr_assert(start(&b, false) == RF_CORRUPT);
    bench_done(&b);
}

/* A byte behind a check that somebody made good again: the tags tell. */
RF_PROP(keeper_seal_a_forged_slot_never_opens, 200)
{
    struct bench b;
    uint8_t bytes[ROOT_SLOT_BYTES];
    struct root_slot slot;
    bench_init(&b);
    reseal(&b, by_shares);
    root_slot_put(&b.seal.slot, bytes);
    off_t place = ROOT_SLOT_APART * (off_t)(b.seal.slot.counter % 2);
    size_t kept = ROOT_SLOT_BYTES - SHA256_BYTES;
    bytes[rf_test_below(prng, 236 + ROOT_KEY_BYTES + ROOT_TAG_BYTES)] ^= 1U
                                                                         << rf_test_below(prng, 8);
    digest_sha256(rf_str_make(bytes, kept), bytes + kept);
    cr_assert(pwrite(b.seal.fd, bytes, sizeof bytes, place) == sizeof bytes);
    root_seal_done(&b.seal);
    enum rf_kind kind = start(&b, false);
    cr_assert(kind == RF_CORRUPT ||
              root_slot_read(rf_str_make(bytes, sizeof bytes), &slot, NULL) == RF_OK);
    for (uint32_t i = 0; kind == RF_OK && i < 3; i++) cr_assert(enter_share(&b, i) != RF_OK);
    cr_assert(!b.seal.open);
    bench_done(&b);
}

Test(keeper_seal, a_core_without_people_stays_shut)
{
    struct bench b;
    struct keeper_core *core = NULL;
    bench_init(&b);
    struct keeper_core_options options = {
        .folder = b.folder, .domain = RF_S("ringfort.localhost"), .clock = &b.clock.clock};
    cr_assert(keeper_core_new(&options, &core, &b.err) == RF_OK, "%s", b.err.text);
    struct root_talk talk = keeper_core_talk(core);
    char reply[ROOT_REPLY_BYTES];
    root_talk(&talk, RF_S("commit"), reply);
    cr_assert(strncmp(reply, "error NoChange", 14) == 0, "%s", reply);
    root_talk(&talk, RF_S("reseal shares 9 3 0 0\n"), reply);
    cr_assert(strncmp(reply, "error SealUnfit", 15) == 0, "%s", reply);
    root_talk(&talk, RF_S("seal"), reply);
    cr_assert(strncmp(reply, "error SealUnfit", 15) == 0, "%s", reply);
    root_talk(&talk, RF_S("rotate"), reply);
    cr_assert_str_eq(reply, "ok open 0 0 key file (generation 2)");
    root_talk(&talk, RF_S("reseal shares 2 3 0 0\n"), reply);
    cr_assert(strncmp(reply, "ok prepared\n", 12) == 0, "%s", reply);
    root_talk(&talk, RF_S("commit"), reply);
    cr_assert_str_eq(reply, "ok open 0 0 shares 2 of 3 (generation 2)");
    root_talk_unseal(&talk, RF_S("rotate"), reply);
    cr_assert(strncmp(reply, "error BadRequest", 16) == 0, "%s", reply);
    keeper_core_free(core);
    cr_assert(keeper_core_new(&options, &core, &b.err) == RF_AGAIN);
    cr_assert_str_eq(b.err.code, "VaultSealed");
    bench_done(&b);
}
