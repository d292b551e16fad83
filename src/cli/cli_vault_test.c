#include "cli/cli_vault.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>

#include <criterion/criterion.h>

#include "cli/cli_cert_pair.h"
#include "cli/cli_credentials.h"
#include "cli/cli_key.h"
#include "cli/cli_secret.h"
#include "cli/cli_vault_unit.h"
#include "crypt/x509.h"

#define V1 "0123456789abcdef0123456789abcdef"
#define V2 "0123456789abcdef0123456789abcdf0"
#define V3 "0123456789abcdef0123456789abcdf1"

/* ---- references ------------------------------------------------------------------------------------------------------------- */

Test(cli_vault, references)
{
    static const struct {
        const char *text, *vault, *name, *version; /* vault NULL: refused */
    } cases[] = {
        {"secret://kv/pw", "kv", "pw", ""},
        {"secret:///pw", "", "pw", ""},
        {"secret:///pw/" V1, "", "pw", V1},
        {"secret://second-1/a-B9/" V1, "second-1", "a-B9", V1},
        {"secret://pw", NULL, "", ""},
        {"secret://", NULL, "", ""},
        {"secret:///", NULL, "", ""},
        {"secret:///pw/", NULL, "", ""},
        {"secret:///pw/12", NULL, "", ""},
        {"secret:///pw/" V1 "/", NULL, "", ""},
        {"secret://a.b/pw", NULL, "", ""},
        {"secret:///p w", NULL, "", ""},
        {"secret:///../pw", NULL, "", ""},
        {"secret://kv:8443/pw", NULL, "", ""},
        {"https://kv/pw", NULL, "", ""},
        {"pw", NULL, "", ""},
        {"", NULL, "", ""},
    };
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct cli_secret_ref ref = {.name = RF_S("untouched")};
        struct rf_err err = {.code = ""};
        enum rf_kind kind = cli_secret_ref_parse(rf_str_of(cases[i].text), &ref, &err);
        if (cases[i].vault == NULL) {
            cr_expect(kind == RF_INVALID && rf_str_is(ref.name, "untouched"), "%s", cases[i].text);
            cr_expect(strcmp(err.code, "BadReference") == 0);
            continue;
        }
        cr_expect(kind == RF_OK, "%s: %s", cases[i].text, err.text);
        cr_expect(rf_str_is(ref.vault, cases[i].vault) && rf_str_is(ref.name, cases[i].name) &&
                      rf_str_is(ref.version, cases[i].version),
                  "%s", cases[i].text);
    }
}

Test(cli_vault, ids_and_newest)
{
    struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    struct json_node *list;
    rf_str name, version;
    /* The last of those that were made in the same second. */
    rf_str text =
        RF_S("[{\"id\":\"https://h:1/secrets/a/" V1 "\",\"attributes\":{\"created\":5}},"
             "{\"kid\":\"https://h:1/keys/b/" V2 "\",\"attributes\":{\"created\":7}},"
             "{\"key\":{\"kid\":\"https://h/keys/c/" V3 "\"},\"attributes\":{\"created\":7}},"
             "{\"id\":\"https://h/secrets/d\",\"attributes\":{\"created\":6}},{}]");
    cr_assert(json_parse(text, &arena, &list, NULL) == RF_OK);
    cli_vault_id(list->first, &name, &version);
    cr_expect(rf_str_is(name, "a") && rf_str_is(version, V1));
    cli_vault_id(cli_vault_newest(list), &name, &version);
    cr_expect(rf_str_is(name, "c") && rf_str_is(version, V3));
    cli_vault_id(list->first->next->next->next, &name, &version);
    cr_expect(rf_str_is(name, "d") && version.len == 0);
    cli_vault_id(list->last, &name, &version);
    cr_expect(name.len == 0 && version.len == 0);
    cr_assert(json_parse(RF_S("[]"), &arena, &list, NULL) == RF_OK);
    cr_expect(cli_vault_newest(list) == NULL);
    rf_arena_done(&arena);
}

/* ---- credentials ----------------------------------------------------------------------------------------------------------------- */

Test(cli_vault, names_that_systemd_connects_from)
{
#define NAME(text) rf_str_make("\0" text, sizeof text)
    const struct {
        rf_str address;
        const char *unit, *credential; /* unit NULL: none */
    } cases[] = {
        {NAME("a1b2/unit/web.service/password"), "web.service", "password"},
        {NAME("9/unit/web@1.service/a.b"), "web@1.service", "a.b"},
        {RF_S("/run/x/unit/web.service/password"), NULL, NULL},
        {NAME("a1b2/unit/web.service"), NULL, NULL},
        {NAME("a1b2/unit//password"), NULL, NULL},
        {NAME("a1b2/unit/web.service/"), NULL, NULL},
        {NAME("a1b2/unit/web.service/../x"), NULL, NULL},
        {NAME("a1b2/unit/web.service/a\nb"), NULL, NULL},
        {NAME("a1b2"), NULL, NULL},
        {NAME(""), NULL, NULL},
        {{NULL, 0}, NULL, NULL},
    };
#undef NAME
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        rf_str unit, credential;
        bool is = credential_peer(cases[i].address, &unit, &credential);
        cr_expect(is == (cases[i].unit != NULL), "%zu", i);
        if (is)
            cr_expect(rf_str_is(unit, cases[i].unit) && rf_str_is(credential, cases[i].credential),
                      "%zu", i);
    }
}

Test(cli_vault, maps_of_credentials)
{
    struct credential_map all[3];
    struct rf_err err;
    cr_assert(credential_map_read(RF_S("password=secret:///any"), &all[0], &err) == RF_OK);
    cr_assert(credential_map_read(RF_S("a.service/password = secret://kv/own"), &all[1], &err) ==
              RF_OK);
    cr_assert(credential_map_read(RF_S("b.service/token=secret:///t/" V1), &all[2], &err) == RF_OK);
    const struct credential_map *map =
        credential_map_find(all, 3, RF_S("a.service"), RF_S("password"));
    cr_expect(map == &all[1], "the unit's own comes first");
    cr_expect(credential_map_find(all, 3, RF_S("c.service"), RF_S("password")) == &all[0]);
    cr_expect(credential_map_find(all, 3, RF_S("b.service"), RF_S("token")) == &all[2]);
    cr_expect(credential_map_find(all, 3, RF_S("a.service"), RF_S("token")) == NULL);
    static const char *const bad[] = {"",
                                      "password",
                                      "=secret:///a",
                                      "/a=secret:///a",
                                      "a/=secret:///a",
                                      "a/b/c=secret:///a",
                                      "a=b",
                                      "a=secret://b"};
    for (size_t i = 0; i < RF_COUNT(bad); i++)
        cr_expect(credential_map_read(rf_str_of(bad[i]), &all[0], &err) == RF_INVALID, "%s",
                  bad[i]);
}

/* ---- texts ------------------------------------------------------------------------------------------------------------------------- */

Test(cli_vault, lines_that_differ)
{
    static const struct {
        const char *a, *b, *out;
    } cases[] = {
        {"one\ntwo\nthree\n", "one\n2\nthree\nfour", " one\n-two\n+2\n three\n+four\n"},
        {"", "a", "+a\n"},
        {"a", "", "-a\n"},
        {"a\nb\nc", "b\nc\na", "-a\n b\n c\n+a\n"},
        {"\x1b[2J", "x", "-\\e[2J\n+x\n"},
    };
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct rf_arena arena;
        rf_arena_init(&arena, 1 << 20);
        struct rf_buf out = rf_buf_in(&arena);
        cli_secret_lines(rf_str_of(cases[i].a), rf_str_of(cases[i].b), &arena, &out);
        cr_expect(!out.failed && rf_str_is(rf_buf_view(&out), cases[i].out), "%zu: %.*s", i,
                  (int)out.len, (const char *)out.ptr);
        rf_arena_done(&arena);
    }
}

/* Too much for the table of common parts: all of one, then all of the other. */
Test(cli_vault, long_texts_differ_as_a_whole)
{
    enum { LINES = 5000 };
    struct rf_arena arena;
    rf_arena_init(&arena, 64 << 20);
    struct rf_buf a = rf_buf_in(&arena), out = rf_buf_in(&arena);
    for (int i = 0; i < LINES; i++) rf_buf_printf(&a, "%d\n", i);
    cli_secret_lines(rf_buf_view(&a), rf_buf_view(&a), &arena, &out);
    size_t count = 0;
    for (size_t i = 0; i < out.len; i++) count += out.ptr[i] == '\n';
    cr_expect(!out.failed && count == 2 * LINES);
    rf_arena_done(&arena);
}

Test(cli_vault, what_a_key_has_hidden_is_cut)
{
    rf_str iv, text, tag, blob = RF_S("iiiiiiiiiiiiTEXTtttttttttttttttt");
    cr_assert(cli_key_cut(RF_S("A256GCM"), blob, &iv, &text, &tag));
    cr_expect(rf_str_is(iv, "iiiiiiiiiiii") && rf_str_is(text, "TEXT") &&
              rf_str_is(tag, "tttttttttttttttt"));
    cr_assert(cli_key_cut(RF_S("A128CBCPAD"), blob, &iv, &text, &tag));
    cr_expect(iv.len == 16 && text.len == 16 && tag.len == 0);
    cr_assert(cli_key_cut(RF_S("RSA-OAEP"), blob, &iv, &text, &tag));
    cr_expect(iv.len == 0 && rf_str_eq(text, blob) && tag.len == 0);
    cr_expect(!cli_key_cut(RF_S("A256GCM"), rf_slice(blob, 0, 27), &iv, &text, &tag));
    cr_expect(!cli_key_cut(RF_S("A256CBC"), rf_slice(blob, 0, 15), &iv, &text, &tag));
}

Test(cli_vault, words_of_units)
{
    static const struct {
        const char *word, *out;
    } cases[] = {{"plain-1", " plain-1"},
                 {"two words", " \"two words\""},
                 {"100% $HOME", " \"100%% $$HOME\""},
                 {"a\"b\\", " \"a\\\"b\\\\\""},
                 {"", " \"\""},
                 {"a\nb", " \"a\\nb\""}};
    struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct rf_buf buf = rf_buf_in(&arena);
        cli_unit_word(&buf, cases[i].word);
        cr_expect(rf_str_is(rf_buf_view(&buf), cases[i].out), "%.*s", (int)buf.len,
                  (const char *)buf.ptr);
    }
    rf_arena_done(&arena);
}

Test(cli_vault, times)
{
    int64_t seconds, other;
    struct rf_arena arena;
    rf_arena_init(&arena, 1 << 16);
    cr_expect(cli_vault_time("2027-01-31T12:00", &seconds) && seconds == 1801396800);
    cr_expect(rf_str_is(cli_vault_iso(&arena, seconds), "2027-01-31T12:00:00Z"));
    cr_expect(cli_vault_iso(&arena, 0).len == 0);
    cr_expect(cli_vault_time("P1D", &seconds) && cli_vault_time("PT1H", &other) &&
              seconds - other > 82000 && seconds - other < 83600);
    cr_expect(!cli_vault_time("tomorrow", &seconds));
    cr_expect(!cli_vault_time("1960-01-01", &seconds));
    rf_arena_done(&arena);
}

/* ---- pairs --------------------------------------------------------------------------------------------------------------------------- */

struct world {
    struct rf_arena arena;
    char folder[64];
    EVP_PKEY *ca_key, *key;
    rf_str ca, leaf, key_pem;
    struct rf_err err;
};

static rf_str key_text(struct rf_arena *arena, EVP_PKEY *key)
{
    char *text;
    rf_str out = {NULL, 0};
    BIO *bio = BIO_new(BIO_s_mem());
    cr_assert(PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1);
    long len = BIO_get_mem_data(bio, &text);
    cr_assert(rf_arena_str(arena, rf_str_make(text, (size_t)len), &out));
    BIO_free(bio);
    return out;
}

static void world_init(struct world *w)
{
    *w = (struct world){.folder = "/tmp/cli_vault_XXXXXX"};
    rf_arena_init(&w->arena, 16 << 20);
    rf_usec now = rf_clock_now(rf_clock_real());
    struct cert_request ca = {.subject_cn = RF_S("CA"),
                              .not_before = now,
                              .not_after = now + 1000 * RF_USEC_PER_SECOND,
                              .is_ca = true};
    struct cert_request leaf = {
        .subject_cn = RF_S("leaf"), .not_before = now, .not_after = now + 500 * RF_USEC_PER_SECOND};
    cr_assert(mkdtemp(w->folder) != NULL);
    cr_assert(key_make(KEY_P256, &w->ca_key, &w->err) == RF_OK);
    cr_assert(key_make(KEY_P256, &w->key, &w->err) == RF_OK);
    cr_assert(cert_make(&ca, w->ca_key, w->ca_key, (rf_str){NULL, 0}, &w->arena, &w->ca, &w->err) ==
              RF_OK);
    cr_assert(cert_make(&leaf, w->key, w->ca_key, w->ca, &w->arena, &w->leaf, &w->err) == RF_OK);
    w->key_pem = key_text(&w->arena, w->key);
}

static void world_done(struct world *w)
{
    char command[128];
    (void)snprintf(command, sizeof command, "rm -rf %s", w->folder);
    cr_expect(system(command) == 0);
    EVP_PKEY_free(w->ca_key);
    EVP_PKEY_free(w->key);
    rf_arena_done(&w->arena);
}

static rf_str joined(struct world *w, rf_str a, rf_str b, rf_str c)
{
    return rf_arena_printf(&w->arena, "%.*s%.*s%.*s", RF_FMT(a), RF_FMT(b), RF_FMT(c));
}

Test(cli_vault, pairs_are_read)
{
    struct world w;
    struct cert_pair pair = {.not_after = -1};
    world_init(&w);
    rf_str leaf = cert_pem(&w.arena, w.leaf), ca = cert_pem(&w.arena, w.ca), none = RF_S("");
    rf_str other = key_text(&w.arena, w.ca_key);
    /* Whatever the order, the certificate is the key's. */
    cr_assert(cert_pair_read(joined(&w, w.key_pem, ca, leaf), &w.arena, &pair, &w.err) == RF_OK);
    cr_expect(rf_str_eq(pair.key, w.key_pem) && rf_str_eq(pair.cert, leaf) &&
              rf_str_eq(pair.chain, ca));
    cr_expect(pair.not_after > rf_clock_now(rf_clock_real()));
    cr_assert(cert_pair_read(joined(&w, leaf, w.key_pem, none), &w.arena, &pair, &w.err) == RF_OK);
    cr_expect(pair.chain.len == 0);
    const rf_str bad[] = {joined(&w, leaf, ca, none), w.key_pem, joined(&w, other, leaf, none),
                          RF_S("a password"),         none,      rf_slice(leaf, 0, 200)};
    for (size_t i = 0; i < RF_COUNT(bad); i++)
        cr_expect(cert_pair_read(bad[i], &w.arena, &pair, &w.err) == RF_INVALID, "%zu", i);
    world_done(&w);
}

static const char *path_in(struct world *w, const char *name)
{
    rf_str path = rf_arena_printf(&w->arena, "%s/%s", w->folder, name);
    return rf_arena_cstr(&w->arena, path);
}

static bool file_is(struct world *w, const char *name, const char *text)
{
    char found[100];
    int fd = open(path_in(w, name), O_RDONLY | O_CLOEXEC);
    ssize_t len = fd < 0 ? -1 : read(fd, found, sizeof found);
    if (fd >= 0) (void)close(fd);
    return len >= 0 && rf_str_is(rf_str_make(found, (size_t)len), text);
}

static bool is_there(struct world *w, const char *name)
{
    struct stat found;
    return lstat(path_in(w, name), &found) == 0;
}

Test(cli_vault, pairs_take_the_place_of_others)
{
    struct world w;
    world_init(&w);
    struct cert_files files = {.key = path_in(&w, "k"),
                               .cert = path_in(&w, "c"),
                               .owner = (uid_t)-1,
                               .group = (gid_t)-1,
                               .mode = 0640};
    struct cert_pair one = {.key = RF_S("key 1"), .cert = RF_S("cert 1"), .chain = RF_S(" chain")};
    struct cert_pair two = {.key = RF_S("key 2"), .cert = RF_S("cert 2")};
    struct cert_files other = files;
    struct stat found;
    cr_assert(cert_files_open(&files, &w.err) == RF_OK, "%s", w.err.text);
    cr_expect(cert_files_open(&other, &w.err) == RF_CONFLICT, "two at once");
    cert_files_close(&other);
    cr_expect(cert_files_version(&files, &w.arena).len == 0 && !cert_files_reload_due(&files));
    cr_assert(cert_files_put(&files, RF_S(V1), &one, &w.arena, &w.err) == RF_OK, "%s", w.err.text);
    cr_expect(file_is(&w, "k", "key 1") && file_is(&w, "c", "cert 1 chain"));
    cr_expect(stat(files.key, &found) == 0 && (found.st_mode & 0777) == 0640);
    cr_expect(rf_str_is(cert_files_version(&files, &w.arena), V1) && cert_files_reload_due(&files));
    cert_files_reloaded(&files);
    cr_expect(!cert_files_reload_due(&files));
    cr_assert(cert_files_put(&files, RF_S(V2), &two, &w.arena, &w.err) == RF_OK);
    cr_expect(file_is(&w, "k", "key 2") && file_is(&w, "c", "cert 2"));
    cr_expect(is_there(&w, ".k.d/" V1), "the one before is kept");
    cr_assert(cert_files_put(&files, RF_S(V3), &one, &w.arena, &w.err) == RF_OK);
    cr_expect(!is_there(&w, ".k.d/" V1) && is_there(&w, ".k.d/" V2), "older ones are not");
    /* A link that is gone is missed. */
    cr_expect(unlink(files.cert) == 0 && cert_files_version(&files, &w.arena).len == 0);
    cr_assert(cert_files_put(&files, RF_S(V3), &one, &w.arena, &w.err) == RF_OK);
    cr_expect(rf_str_is(cert_files_version(&files, &w.arena), V3));
    /* Other options than before show, too: the mode, and a chain by itself. */
    files.mode = 0600;
    cr_expect(cert_files_version(&files, &w.arena).len == 0);
    files.mode = 0640;
    files.chain = path_in(&w, "chain");
    cr_expect(cert_files_version(&files, &w.arena).len == 0);
    cr_assert(cert_files_put(&files, RF_S(V3), &one, &w.arena, &w.err) == RF_OK);
    cr_expect(file_is(&w, "c", "cert 1") && file_is(&w, "chain", " chain"));
    files.chain = NULL;
    cr_expect(cert_files_version(&files, &w.arena).len == 0);
    cr_assert(cert_files_put(&files, RF_S(V3), &one, &w.arena, &w.err) == RF_OK);
    cr_expect(file_is(&w, "c", "cert 1 chain"));
    cert_files_close(&files);
    world_done(&w);
}

Test(cli_vault, what_fails_leaves_the_old_pair)
{
    struct world w;
    world_init(&w);
    struct cert_files files = {.key = path_in(&w, "k"),
                               .cert = path_in(&w, "c"),
                               .owner = (uid_t)-1,
                               .group = (gid_t)-1,
                               .mode = 0600};
    struct cert_pair one = {.key = RF_S("key 1"), .cert = RF_S("cert 1")};
    struct cert_pair two = {.key = RF_S("key 2"), .cert = RF_S("cert 2")};
    cr_assert(cert_files_open(&files, &w.err) == RF_OK);
    cr_assert(cert_files_put(&files, RF_S(V1), &one, &w.arena, &w.err) == RF_OK);
    cert_files_reloaded(&files);
    /* Something else has the name of the new version. */
    int fd = open(path_in(&w, ".k.d/" V2), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    cr_assert(fd >= 0 && close(fd) == 0);
    cr_expect(cert_files_put(&files, RF_S(V2), &two, &w.arena, &w.err) != RF_OK);
    cr_expect(file_is(&w, "k", "key 1") && file_is(&w, "c", "cert 1"));
    cr_expect(rf_str_is(cert_files_version(&files, &w.arena), V1));
    cr_expect(!cert_files_reload_due(&files));
    cr_expect(cert_files_put(&files, RF_S("../../x"), &two, &w.arena, &w.err) == RF_INVALID);
    cert_files_close(&files);
    files.key = path_in(&w, "nosuch/k");
    cr_expect(cert_files_open(&files, &w.err) != RF_OK);
    cert_files_close(&files);
    world_done(&w);
}

Test(cli_vault, owners)
{
    uid_t owner;
    gid_t group;
    struct rf_err err;
    cr_expect(cert_files_owner("root", &owner, &group, &err) == RF_OK && owner == 0 && group == 0);
    cr_expect(cert_files_owner("12:34", &owner, &group, &err) == RF_OK && owner == 12 &&
              group == 34);
    cr_expect(cert_files_owner(":root", &owner, &group, &err) == RF_OK && owner == (uid_t)-1 &&
              group == 0);
    cr_expect(cert_files_owner("no-such-user-x", &owner, &group, &err) == RF_NOT_FOUND);
    cr_expect(cert_files_owner("root:no-such-group-x", &owner, &group, &err) == RF_NOT_FOUND);
}

/* ---- keys ------------------------------------------------------------------------------------------------------------------------------ */

Test(cli_vault, keys_to_jwk_and_back)
{
    static const char *const curves[] = {"P-256", "P-384", "P-521", "secp256k1"};
    struct rf_arena arena;
    struct rf_err err;
    rf_arena_init(&arena, 16 << 20);
    for (size_t i = 0; i <= RF_COUNT(curves); i++) {
        struct json_node *jwk;
        rf_str pem, none = {NULL, 0};
        char *text;
        EVP_PKEY *key = i < RF_COUNT(curves) ? EVP_PKEY_Q_keygen(NULL, NULL, "EC", curves[i])
                                             : EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
        cr_assert(key != NULL);
        cr_assert(cli_key_jwk(key_text(&arena, key), none, &arena, &jwk, &err) == RF_OK, "%s",
                  err.text);
        cr_expect(json_text_at(jwk, "d").len > 0);
        cr_assert(cli_key_pem(jwk, &arena, &pem, &err) == RF_OK, "%s", err.text);
        BIO *bio = BIO_new(BIO_s_mem());
        cr_assert(PEM_write_bio_PUBKEY(bio, key) == 1);
        long len = BIO_get_mem_data(bio, &text);
        cr_expect(rf_str_eq(pem, rf_str_make(text, (size_t)len)), "%zu", i);
        BIO_free(bio);
        EVP_PKEY_free(key);
    }
    struct json_node *jwk;
    rf_str out;
    cr_expect(cli_key_jwk(RF_S("no key"), RF_S(""), &arena, &jwk, &err) == RF_INVALID);
    static const char *const bad[] = {
        "{\"kty\":\"oct\"}", "{\"kty\":\"RSA\",\"n\":\"\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\"}", "{}"};
    for (size_t i = 0; i < RF_COUNT(bad); i++) {
        cr_assert(json_parse(rf_str_of(bad[i]), &arena, &jwk, NULL) == RF_OK);
        cr_expect(cli_key_pem(jwk, &arena, &out, &err) == RF_INVALID, "%s", bad[i]);
    }
    rf_arena_done(&arena);
}
