#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "crypt/keeper_seal.h"

/* ---- the bytes ------------------------------------------------------------------------------------------------------------ */

Test(keeper_token, answers_are_checked)
{
    static const struct {
        const char *name;
        uint8_t head[TOKEN_HEADER_BYTES];
        size_t body;
        enum token_verb verb;
        bool good;
    } cases[] = {
        {"a blob", {1, TOKEN_DONE, 60, 0}, 60, TOKEN_WRAP, true},
        {"the largest blob", {1, TOKEN_DONE, 0, 4}, 1024, TOKEN_WRAP, true},
        {"a larger one", {1, TOKEN_DONE, 1, 4}, 1025, TOKEN_WRAP, false},
        {"an empty blob", {1, TOKEN_DONE, 0, 0}, 0, TOKEN_WRAP, false},
        {"a key", {1, TOKEN_DONE, 32, 0}, 32, TOKEN_UNWRAP, true},
        {"a short key", {1, TOKEN_DONE, 31, 0}, 31, TOKEN_UNWRAP, false},
        {"a long key", {1, TOKEN_DONE, 33, 0}, 33, TOKEN_UNWRAP, false},
        {"a text", {1, TOKEN_ABSENT, 5, 0}, 5, TOKEN_UNWRAP, true},
        {"no text", {1, TOKEN_REFUSED, 0, 0}, 0, TOKEN_UNWRAP, false},
        {"a text too long", {1, TOKEN_REFUSED, 161, 0}, 161, TOKEN_UNWRAP, false},
        {"another verdict", {1, TOKEN_REFUSED + 1, 5, 0}, 5, TOKEN_UNWRAP, false},
        {"another version", {2, TOKEN_DONE, 32, 0}, 32, TOKEN_UNWRAP, false},
        {"fewer than said", {1, TOKEN_DONE, 32, 0}, 31, TOKEN_WRAP, false},
        {"more than said", {1, TOKEN_DONE, 32, 0}, 33, TOKEN_WRAP, false},
    };
    uint8_t bytes[TOKEN_HEADER_BYTES + 2048];
    struct token_message got;
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        memset(bytes, 'x', sizeof bytes);
        memcpy(bytes, cases[i].head, TOKEN_HEADER_BYTES);
        rf_str datagram = rf_str_make(bytes, TOKEN_HEADER_BYTES + cases[i].body);
        enum rf_kind kind = token_answer_read(datagram, cases[i].verb, &got, NULL);
        cr_expect(kind == (cases[i].good ? RF_OK : RF_INVALID), "%s", cases[i].name);
    }
    memcpy(bytes, (uint8_t[]){1, TOKEN_ABSENT, 2, 0, 'a', '\n'}, 6);
    cr_expect(token_answer_read(rf_str_make(bytes, 6), TOKEN_WRAP, &got, NULL) == RF_INVALID);
    cr_expect(token_answer_read(rf_str_make(bytes, 3), TOKEN_WRAP, &got, NULL) == RF_INVALID);
}

Test(keeper_token, requests_are_checked)
{
    uint8_t bytes[TOKEN_MESSAGE_BYTES_MAX], key[TOKEN_KEY_BYTES] = {7};
    struct token_message got;
    size_t len = token_put(TOKEN_WRAP, rf_str_make(key, sizeof key), bytes);
    cr_assert(token_request_read(rf_str_make(bytes, len), &got, NULL) == RF_OK);
    cr_expect(got.what == TOKEN_WRAP && memcmp(got.body.ptr, key, sizeof key) == 0);
    len = token_put(TOKEN_WRAP, rf_str_make(key, 31), bytes);
    cr_expect(token_request_read(rf_str_make(bytes, len), &got, NULL) == RF_INVALID);
    len = token_put(TOKEN_UNWRAP, (rf_str){0}, bytes);
    cr_expect(token_request_read(rf_str_make(bytes, len), &got, NULL) == RF_INVALID);
    len = token_put(9, rf_str_make(key, 32), bytes);
    cr_expect(token_request_read(rf_str_make(bytes, len), &got, NULL) == RF_INVALID);
}

/* ---- a seal by a token that is a thread here: what it wraps is the key, turned over ------------------------------------------ */

struct token {
    int fd;
    enum token_verdict verdict; /* of what it unwraps */
    uint8_t flip;
};

static void *token_run(void *ctx)
{
    struct token *token = ctx;
    uint8_t message[TOKEN_MESSAGE_BYTES_MAX], out[TOKEN_BLOB_BYTES_MAX];
    struct token_message ask;
    for (ssize_t got; (got = recv(token->fd, message, sizeof message, 0)) > 0;) {
        if (token_request_read(rf_str_make(message, (size_t)got), &ask, NULL) != RF_OK) break;
        for (size_t i = 0; i < ask.body.len; i++) out[i] = ask.body.ptr[i] ^ token->flip;
        bool said = ask.what == TOKEN_UNWRAP && token->verdict != TOKEN_DONE;
        size_t len = said ? token_put(token->verdict, RF_S("no"), message)
                          : token_put(TOKEN_DONE, rf_str_make(out, ask.body.len), message);
        (void)send(token->fd, message, len, MSG_NOSIGNAL);
    }
    close(token->fd);
    return NULL;
}

static pthread_t token_new(struct token *token, int *fd)
{
    int pair[2];
    pthread_t thread;
    cr_assert(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0);
    token->fd = pair[1];
    *fd = pair[0];
    cr_assert(pthread_create(&thread, NULL, token_run, token) == 0);
    return thread;
}

static char folder[] = "/tmp/rf_token_XXXXXX";

static void seal_open(struct root_seal *seal, bool fresh)
{
    char path[64];
    memset(seal, 0, sizeof *seal);
    (void)snprintf(path, sizeof path, "%s/root.seal", folder);
    int fd = open(path, O_RDWR | O_CREAT, 0600);
    (void)snprintf(path, sizeof path, "%s/root.key", folder);
    int key_fd = open(path, O_RDWR | O_CREAT, 0600);
    cr_assert(root_seal_init(seal, fd, key_fd, fresh, rf_clock_real(), NULL) == RF_OK);
}

static enum rf_kind enter(struct root_seal *seal, enum token_verdict verdict, uint8_t flip)
{
    struct token token = {.verdict = verdict, .flip = flip};
    int fd;
    pthread_t thread = token_new(&token, &fd);
    enum rf_kind kind = root_seal_enter_token(seal, fd, &(struct rf_err){0});
    close(fd);
    pthread_join(thread, NULL);
    return kind;
}

static enum rf_kind reseal(struct root_seal *seal, struct root_change change)
{
    struct token token = {.flip = 0x5a};
    struct share shares[2 * SHARE_COUNT_MAX];
    uint32_t made;
    pthread_t thread = token_new(&token, &change.token_fd);
    enum rf_kind kind = root_seal_prepare(seal, &change, shares, &made, NULL);
    close(change.token_fd);
    pthread_join(thread, NULL);
    return kind == RF_OK ? root_seal_commit(seal, NULL) : kind;
}

Test(keeper_token, seals_rotates_and_opens)
{
    struct root_seal seal;
    uint8_t first[ROOT_KEY_BYTES];
    char description[ROOT_DESCRIPTION_BYTES];
    cr_assert(mkdtemp(folder) != NULL);
    seal_open(&seal, true);
    memcpy(first, root_seal_key(&seal, 1), sizeof first);
    struct root_change change = {.kind = ROOT_LOCK_PKCS11};
    cr_expect(reseal(&seal, change) == RF_INVALID, "without settings");
    change.settings = RF_S("kind=pkcs11\ntoken=a\x01b\n");
    cr_expect(reseal(&seal, change) == RF_INVALID, "settings that are no text");
    change.settings = RF_S("kind=pkcs11\ntoken=contoso\n");
    cr_assert(reseal(&seal, change) == RF_OK);
    /* Into either slot. */
    for (uint32_t generation = 2; generation <= 4; generation++) {
        cr_assert(root_seal_rotate(&seal, NULL) == RF_OK);
        root_seal_done(&seal);
        seal_open(&seal, false);
        cr_expect(!seal.open);
        cr_expect(enter(&seal, TOKEN_REFUSED, 0x5a) == RF_DENIED && !seal.open);
        cr_expect(strcmp(seal.token_said, "no") == 0);
        cr_expect(enter(&seal, TOKEN_ABSENT, 0x5a) == RF_AGAIN && !seal.open);
        cr_expect(enter(&seal, TOKEN_DONE, 0x11) != RF_OK && !seal.open, "another token");
        cr_assert(enter(&seal, TOKEN_DONE, 0x5a) == RF_OK && seal.open);
        cr_expect(atomic_load(&seal.newest) == generation);
        cr_expect(memcmp(root_seal_key(&seal, 1), first, sizeof first) == 0);
    }
    cr_assert(root_seal_look(folder, description, NULL) == RF_OK);
    cr_expect(strcmp(description, "PKCS#11 token 'contoso' (generation 4)") == 0, "%s",
              description);
    /* One byte of what was wrapped is another. */
    off_t at = (off_t)(seal.slot.counter % 2) * ROOT_SLOT_APART + ROOT_SLOT_BYTES + 20;
    struct root_tail tail;
    cr_expect(root_seal_token(folder, &tail, NULL) == RF_OK);
    cr_assert(pwrite(seal.fd, "X", 1, at) == 1);
    struct root_seal damaged = {0};
    struct rf_err err = {0};
    cr_expect(root_seal_init(&damaged, dup(seal.fd), dup(seal.key_fd), false, rf_clock_real(),
                             &err) == RF_CORRUPT);
    cr_expect(strcmp(err.code, "RootSealDamaged") == 0, "%s", err.code);
    root_seal_done(&damaged);
    /* Back to a file: nothing of the token stays. */
    cr_assert(reseal(&seal, (struct root_change){.kind = ROOT_LOCK_FILE}) == RF_OK);
    cr_expect(root_seal_token(folder, &tail, NULL) == RF_NOT_FOUND);
    uint8_t all[2 * ROOT_SLOT_APART];
    ssize_t got = pread(seal.fd, all, sizeof all, 0);
    cr_expect(got > 0 && memmem(all, (size_t)got, "contoso", 7) == NULL);
    root_seal_done(&seal);
}
