#include "test/rf_prop.h"

#include "test/people_rig.h"

#include "people/password_int.h"

static struct passwords *made(struct rig *rig, const char *leaked)
{
    struct passwords *passwords;
    struct rf_err err;
    const struct passwords_options options = {
        .keeper = rig->keeper, .memory_kib = 1, .passes = 1, .leaked = leaked};
    cr_assert(passwords_new(&options, &passwords, &err) == RF_OK);
    cr_assert(passwords->options.memory_kib >= 19456 && passwords->options.passes >= 2,
              "never below the least");
    return passwords;
}

static enum password_match check(struct rig *rig, struct passwords *p, rf_str owner, rf_str stored,
                                 rf_str password)
{
    enum password_match match;
    struct rf_err err;
    cr_assert(password_check(p, owner, stored, password, &rig->arena, &match, &err) == RF_OK, "%s",
              err.text);
    return match;
}

Test(password, fits_its_owner_only)
{
    struct rig rig;
    struct rf_err err;
    rf_str stored, again;
    rig_open(&rig);
    struct passwords *p = made(&rig, NULL);
    rf_str good = RF_S("four words nothing alike");
    cr_assert(password_make(p, RIG_USER, good, &rig.arena, &stored, &err) == RF_OK);
    cr_assert(password_make(p, RIG_USER, good, &rig.arena, &again, &err) == RF_OK);
    cr_assert(!rf_str_eq(stored, again), "salted");
    cr_assert(rf_str_starts(stored, RF_S("rf1$m=19456,t=2$")), "%.*s", RF_FMT(stored));
    cr_assert(check(&rig, p, RIG_USER, stored, good) == PASSWORD_FITS);
    cr_assert(check(&rig, p, RIG_USER, stored, RF_S("four words nothing alik")) == PASSWORD_WRONG);
    cr_assert(check(&rig, p, RF_S("another"), stored, good) == PASSWORD_WRONG);
    cr_assert(check(&rig, p, RIG_USER, RF_S(""), good) == PASSWORD_WRONG);
    cr_assert(check(&rig, p, RIG_USER, RF_S(""), RF_S("")) == PASSWORD_WRONG);
    /* Parameters that have risen since. */
    p->options.passes = 3;
    cr_assert(check(&rig, p, RIG_USER, stored, good) == PASSWORD_FITS_AGED);
    passwords_free(p);
    rig_close(&rig);
}

Test(password, one_text_on_every_keyboard)
{
    struct rig rig;
    struct rf_err err;
    rf_str stored;
    rig_open(&rig);
    struct passwords *p = made(&rig, NULL);
    /* "e" with an accent as one letter and as two, and a ligature. */
    cr_assert(password_make(p, RIG_USER,
                            RF_S("caf\xc3\xa9 of\xef\xac\x81"
                                 "ce"),
                            &rig.arena, &stored, &err) == RF_OK);
    cr_assert(check(&rig, p, RIG_USER, stored, RF_S("cafe\xcc\x81 office")) == PASSWORD_FITS);
    cr_assert(check(&rig, p, RIG_USER, stored, RF_S("cafe office")) == PASSWORD_WRONG);
    passwords_free(p);
    rig_close(&rig);
}

Test(password, what_an_older_program_stored)
{
    struct rig rig;
    struct rf_err err;
    uint8_t mac[KEEPER_MAC_BYTES];
    char hex[2 * KEEPER_MAC_BYTES + 1];
    rig_open(&rig);
    struct passwords *p = made(&rig, NULL);
    rf_str input = rf_arena_printf(&rig.arena, "%.*s:old words", RF_FMT(RIG_USER));
    cr_assert(keeper_mac(rig.keeper, KEEPER_MAC_PASSWORD, input, mac, &err) == RF_OK);
    for (size_t i = 0; i < sizeof mac; i++) snprintf(hex + 2 * i, 3, "%02x", mac[i]);
    cr_assert(check(&rig, p, RIG_USER, rf_str_of(hex), RF_S("old words")) == PASSWORD_FITS_AGED);
    cr_assert(check(&rig, p, RIG_USER, rf_str_of(hex), RF_S("old word")) == PASSWORD_WRONG);
    passwords_free(p);
    rig_close(&rig);
}

Test(password, stored_texts_that_are_none)
{
    struct rf_arena arena;
    struct stored out;
    rf_arena_init(&arena, 1 << 20);
#define TAIL                                                                                       \
    "$AAAAAAAAAAAAAAAAAAAAAA$"                                                                     \
    "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
    static const char *const bad[] = {
        "",
        "rf1$",
        "rf1$m=65536,t=3",
        "rf1$m=65536,t=3$AAAA$00",
        "rf1$m=1,t=3" TAIL,
        "rf1$m=65536,t=1" TAIL,
        "rf1$m=4294967296,t=3" TAIL,
        "rf1$m=99999999,t=3" TAIL,
        "rf1$m=65536,t=17" TAIL,
        "rf2$m=65536,t=3" TAIL,
        "rf1$m=65536,t=3" TAIL "00",
    };
    for (size_t i = 0; i < RF_COUNT(bad); i++)
        cr_assert(!password_read_stored(rf_str_of(bad[i]), &arena, &out), "%s", bad[i]);
    cr_assert(password_read_stored(RF_S("rf1$m=65536,t=3" TAIL), &arena, &out));
    rf_arena_done(&arena);
}

/* ---- which are good enough --------------------------------------------------------------------------------------------- */

static const char *verdict(struct rig *rig, struct passwords *p, const char *password)
{
    static struct rf_err err;
    const rf_str names[] = {RF_S("maeve.byrne"), RF_S("contoso"), RF_S("bob")};
    const struct password_rules rules = {.names = names, .name_count = RF_COUNT(names)};
    enum rf_kind kind = password_accept(p, &rules, rf_str_of(password), &rig->arena, &err);
    return kind == RF_OK ? "" : err.code;
}

Test(password, rules)
{
    struct rig rig;
    rig_open(&rig);
    struct passwords *p = made(&rig, NULL);
    char longest[258];
    memset(longest, 0, sizeof longest);
    for (size_t i = 0; i < 257; i++) longest[i] = (char)('a' + (i * 7 + i / 5) % 26);
    const struct {
        const char *password, *code;
    } rows[] = {{"short", "PasswordTooShort"},
                {"elevenchars", "PasswordTooShort"},
                {"\xff\xfe\xff\xfe\xff\xfe\xff\xfe\xff\xfe\xff\xfe", "PasswordNotText"},
                {"aaaaaaaaaaaa", "PasswordCommon"},
                {"abababababab", "PasswordCommon"},
                {"abcdefghijklmn", "PasswordCommon"},
                {"12345678901234", "PasswordCommon"},
                {"Password123456", "PasswordCommon"},
                {"P@ssw0rd!P@ssw0rd!", "PasswordCommon"},
                {"qwertyuiop123", "PasswordCommon"},
                {"MaEvE.ByRnE and the sea", "PasswordHasName"},
                {"harbour of Contoso city", "PasswordHasName"},
                {"bob the red bicycle", ""}, /* too short a name to count */
                {longest, "PasswordTooLong"},
                {"correct horse battery staple", ""},
                {"8f3a-91c2-77de-04bb", ""},
                {"\xe6\xb5\xb7\xe3\x81\xae\xe8\xa6\x8b\xe3\x81\x88\xe3\x82\x8b\xe7\xaa\x93\xe8\xbe"
                 "\xba\xe3\x81\xab\xe7\xab\x8b\xe3\x81\xa4\xe7\x8c\xab\xe3\x81\xa8\xe7\x8a\xac",
                 ""},
                {"my password is long enough", ""}};
    for (size_t i = 0; i < RF_COUNT(rows); i++)
        cr_expect(strcmp(verdict(&rig, p, rows[i].password), rows[i].code) == 0, "%s: '%s'",
                  rows[i].password, verdict(&rig, p, rows[i].password));
    passwords_free(p);
    rig_close(&rig);
}

/* SHA-1 of "correct horse battery staple" stands among others, sorted. */
Test(password, the_list_of_leaked_ones)
{
    struct rig rig;
    char path[96];
    rig_open(&rig);
    snprintf(path, sizeof path, "%s/leaked", rig.folder);
    FILE *file = fopen(path, "w");
    cr_assert(file != NULL);
    for (unsigned i = 0; i < 2000; i++) {
        fprintf(file, "%04X%036X:%u\n", i * 32, i, i);
        if (i * 32 <= 0xABF7 && (i + 1) * 32 > 0xABF7)
            fprintf(file, "ABF7AAD6438836DBE526AA231ABDE2D0EEF74D42:116\n");
    }
    fclose(file);
    struct passwords *p = made(&rig, path);
    cr_assert_str_eq(verdict(&rig, p, "correct horse battery staple"), "PasswordLeaked");
    cr_assert_str_eq(verdict(&rig, p, "incorrect horse battery staple"), "");
    passwords_free(p);
    p = made(&rig, "/nonexistent/leaked");
    cr_assert_str_eq(verdict(&rig, p, "correct horse battery staple"), "InputOutput");
    passwords_free(p);
    rig_close(&rig);
}

/* ---- many at one time ------------------------------------------------------------------------------------------------------ */

struct crowd {
    struct rig *rig;
    struct passwords *passwords;
    atomic_uint passed, busy;
};

static void *one_of(void *ctx)
{
    struct crowd *crowd = ctx;
    struct rf_arena arena;
    struct rf_err err;
    enum password_match match;
    rf_arena_init(&arena, 1 << 20);
    enum rf_kind kind =
        password_check(crowd->passwords, RIG_USER, RF_S(""), RF_S("x"), &arena, &match, &err);
    if (kind == RF_OK) crowd->passed++;
    if (kind == RF_AGAIN && strcmp(err.code, "PasswordsBusy") == 0) crowd->busy++;
    rf_arena_done(&arena);
    return NULL;
}

Test(password, few_at_once_and_few_wait, .timeout = 120)
{
    enum { PEOPLE = 24 };
    struct rig rig;
    pthread_t threads[PEOPLE];
    rig_open(&rig);
    struct crowd crowd = {.rig = &rig, .passwords = made(&rig, NULL)};
    crowd.passwords->options.at_once = 1;
    crowd.passwords->options.waiting_max = 2;
    for (int i = 0; i < PEOPLE; i++)
        cr_assert(pthread_create(&threads[i], NULL, one_of, &crowd) == 0);
    for (int i = 0; i < PEOPLE; i++) pthread_join(threads[i], NULL);
    cr_assert(crowd.passed + crowd.busy == PEOPLE);
    cr_assert(crowd.passed >= 1);
    cr_assert(crowd.passwords->running == 0 && crowd.passwords->waiting == 0);
    passwords_free(crowd.passwords);
    rig_close(&rig);
}
