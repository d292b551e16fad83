#include "crypt/keeper_seal_talk.h"

#include <stdio.h>

#include <openssl/crypto.h>

#include "crypt/keeper_vault.h"

static void say_error(char *reply, const struct rf_err *err)
{
    (void)snprintf(reply, ROOT_REPLY_BYTES, "error %s %s", err->code, err->text);
}

static void say_state(struct root_seal *seal, char *reply)
{
    char description[ROOT_DESCRIPTION_BYTES];
    uint32_t have, wanted;
    root_slot_describe(&seal->slot, description);
    root_seal_progress(seal, &have, &wanted);
    const char *said = seal->token_said[0] == '\0' ? "" : "; ";
    if (seal->open)
        (void)snprintf(reply, ROOT_REPLY_BYTES, "ok open 0 0 %s", description);
    else
        (void)snprintf(reply, ROOT_REPLY_BYTES, "ok sealed %u %u %s%s%s", have, wanted, description,
                       said, seal->token_said);
}

static void enter(struct root_talk *talk, bool is_share, rf_str text, char *reply)
{
    struct rf_err err = {0};
    enum rf_kind kind = root_seal_enter(talk->seal, is_share, text, &err);
    if (kind == RF_OK || kind == RF_AGAIN)
        say_state(talk->seal, reply);
    else
        say_error(reply, &err);
}

/* The next word of `line`, cut off. */
static rf_str word_of(rf_str *line)
{
    size_t end = RF_MIN(rf_str_find(*line, RF_S(" "), 0), line->len);
    rf_str word = rf_slice(*line, 0, end);
    *line = rf_slice(*line, RF_MIN(end + 1, line->len), line->len);
    return word;
}

/* 0 to 99; 255: none. */
static uint8_t number_of(rf_str *line)
{
    rf_str word = word_of(line);
    unsigned n = 0;
    if (word.len == 0 || word.len > 2) return UINT8_MAX;
    for (size_t i = 0; i < word.len; i++) {
        if (!rf_is_digit(word.ptr[i])) return UINT8_MAX;
        n = n * 10 + (unsigned)(word.ptr[i] - '0');
    }
    return (uint8_t)n;
}

static bool read_change(rf_str words, rf_str text, struct root_change *change)
{
    rf_str kind = word_of(&words);
    *change = (struct root_change){.passphrase = text, .settings = text, .token_fd = -1};
    if (rf_str_is(kind, "file"))
        change->kind = ROOT_LOCK_FILE;
    else if (rf_str_is(kind, "passphrase"))
        change->kind = ROOT_LOCK_PASSPHRASE;
    else if (rf_str_is(kind, "shares"))
        change->kind = ROOT_LOCK_SHARES;
    else if (rf_str_is(kind, "pkcs11"))
        change->kind = ROOT_LOCK_PKCS11;
    else if (rf_str_is(kind, "tpm"))
        change->kind = ROOT_LOCK_TPM;
    else
        return false;
    change->threshold = number_of(&words);
    change->count = number_of(&words);
    change->recovery_threshold = number_of(&words);
    change->recovery_count = number_of(&words);
    return words.len == 0;
}

static enum rf_kind reseal(struct root_talk *talk, rf_str words, rf_str text, char *reply,
                           struct rf_err *err)
{
    struct share shares[2 * SHARE_COUNT_MAX];
    struct root_change change;
    uint32_t made = 0;
    if (!read_change(words, text, &change))
        return RF_FAIL(err, RF_INVALID, "SealUnfit", "the request cannot be understood");
    change.token_fd = talk->token_fd;
    RF_TRY(root_seal_prepare(talk->seal, &change, shares, &made, err));
    int len = snprintf(reply, ROOT_REPLY_BYTES, "ok prepared");
    for (uint32_t i = 0; i < made; i++) {
        char line[SHARE_TEXT_BYTES];
        share_text(&shares[i], line);
        len += snprintf(reply + len, ROOT_REPLY_BYTES - (size_t)len, "\n%s", line);
        OPENSSL_cleanse(line, sizeof line);
    }
    OPENSSL_cleanse(shares, sizeof shares);
    return RF_OK;
}

/* The line comes first: a seal that changes unseen would be worse than a line too many. */
static enum rf_kind commit(struct root_talk *talk, struct rf_err *err)
{
    char description[ROOT_DESCRIPTION_BYTES];
    if (!talk->seal->pending)
        return RF_FAIL(err, RF_CONFLICT, "NoChange", "there is nothing to commit");
    talk->seal->next.counter = 1; /* any, for the description */
    root_slot_describe(&talk->seal->next, description);
    RF_TRY(keeper_audit_write(talk->audit, "root.resealed", description, err));
    return root_seal_commit(talk->seal, err);
}

static enum rf_kind rotate(struct root_talk *talk, struct rf_err *err)
{
    char detail[32];
    uint32_t next = atomic_load(&talk->seal->newest) + 1;
    (void)snprintf(detail, sizeof detail, "generation %u", next);
    if (next - atomic_load(&talk->seal->kept) >= ROOTS_MAX)
        return RF_FAIL(err, RF_LIMIT, "RootsMax",
                       "there are %d generations; no more fit: drop old ones first", ROOTS_MAX);
    RF_TRY(keeper_audit_write(talk->audit, "root.rotated", detail, err));
    return root_seal_rotate(talk->seal, err);
}

/* ---- the end of generations: the line comes first ---------------------------------------------------------------------- */

static enum rf_kind drop_now(struct root_talk *talk, struct rf_err *err)
{
    char detail[64];
    uint32_t through;
    rf_usec erase_at;
    root_seal_retired(talk->seal, &through, &erase_at);
    (void)snprintf(detail, sizeof detail, "generations %u to %u", atomic_load(&talk->seal->kept),
                   through);
    RF_TRY(keeper_audit_write(talk->audit, "root.dropped", detail, err));
    return root_seal_drop(talk->seal, err);
}

static bool read_drop(rf_str words, uint32_t *through, uint32_t *minutes, bool *anyway)
{
    rf_str numbers[2] = {word_of(&words), word_of(&words)};
    uint64_t got[2] = {0, 0};
    for (unsigned i = 0; i < 2; i++) {
        if (numbers[i].len == 0 || numbers[i].len > 9) return false;
        for (size_t at = 0; at < numbers[i].len; at++) {
            if (!rf_is_digit(numbers[i].ptr[at])) return false;
            got[i] = got[i] * 10 + (uint64_t)(numbers[i].ptr[at] - '0');
        }
    }
    *through = (uint32_t)got[0];
    *minutes = (uint32_t)got[1];
    *anyway = rf_str_is(words, "even-needed");
    return words.len == 0 || *anyway;
}

static enum rf_kind drop(struct root_talk *talk, rf_str words, struct rf_err *err)
{
    enum { MINUTES_MAX = 3650 * 24 * 60 };
    char detail[96];
    uint32_t through, minutes;
    bool anyway;
    if (!read_drop(words, &through, &minutes, &anyway) || minutes > MINUTES_MAX)
        return RF_FAIL(err, RF_INVALID, "BadRequest", "the request cannot be understood");
    if (through >= atomic_load(&talk->seal->newest) || through < atomic_load(&talk->seal->kept))
        return RF_FAIL(err, RF_CONFLICT, "GenerationUnfit",
                       "generation %u is the newest, was dropped, or never made", through);
    RF_TRY(keeper_rewrap_done(talk->vault, through, anyway, err));
    rf_usec at = rf_clock_now(talk->keys->clock) + minutes * (60 * RF_USEC_PER_SECOND);
    (void)snprintf(detail, sizeof detail, "generations up to %u, for %u minutes%s", through,
                   minutes, anyway ? ", even those that are needed" : "");
    RF_TRY(keeper_audit_write(talk->audit, "root.retired", detail, err));
    atomic_store(&talk->vault->rewrap.wanted, 0);
    RF_TRY(root_seal_retire(talk->seal, through, minutes == 0 ? 0 : at, err));
    return minutes == 0 ? drop_now(talk, err) : RF_OK;
}

static enum rf_kind keep(struct root_talk *talk, struct rf_err *err)
{
    uint32_t through;
    rf_usec erase_at;
    char detail[64];
    root_seal_retired(talk->seal, &through, &erase_at);
    (void)snprintf(detail, sizeof detail, "generations up to %u", through);
    if (through > 0) RF_TRY(keeper_audit_write(talk->audit, "root.kept", detail, err));
    return root_seal_keep(talk->seal, err);
}

void root_talk_tick(struct root_talk *talk)
{
    uint32_t through;
    rf_usec erase_at;
    char detail[64];
    if (!talk->seal->open || talk->vault == NULL) return;
    root_seal_retired(talk->seal, &through, &erase_at);
    if (through == 0 || erase_at == 0) return;
    if (atomic_load(&talk->vault->rewrap.wanted) > 0) {
        (void)snprintf(detail, sizeof detail, "generations up to %u", through);
        if (keeper_audit_write(talk->audit, "root.retired_needed", detail, NULL) == RF_OK)
            (void)!root_seal_retire(talk->seal, through, 0, NULL);
    } else if (rf_clock_now(talk->keys->clock) >= erase_at) {
        (void)!drop_now(talk, NULL);
    }
}

static void say_generations(struct root_talk *talk, char *reply)
{
    int len = snprintf(reply, ROOT_REPLY_BYTES, "ok ");
    keeper_rewrap_describe(talk->vault, reply + len, ROOT_REPLY_BYTES - (size_t)len);
}

static enum rf_kind end(struct root_talk *talk, struct rf_err *err)
{
    if (talk->seal->slot.counter == 0 || talk->seal->slot.locks[0].kind == ROOT_LOCK_FILE)
        return RF_FAIL(err, RF_CONFLICT, "SealUnfit",
                       "a key file opens by itself; re-seal with a passphrase or shares first");
    RF_TRY(keeper_audit_write(talk->audit, "root.closed", "", err));
    talk->ends = true;
    return RF_OK;
}

static enum rf_kind renew(struct root_talk *talk, char *reply, struct rf_err *err)
{
    enum { MEMORY_BYTES = 64 << 10 };
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct cert_info info;
    rf_arena_init(&arena, MEMORY_BYTES);
    RF_TRY(keeper_tls_renew(talk->keys, true, err));
    pthread_rwlock_rdlock(&talk->keys->lock);
    enum rf_kind kind = cert_read(talk->keys->tls_der, &arena, &info, err);
    pthread_rwlock_unlock(&talk->keys->lock);
    if (kind == RF_OK)
        (void)snprintf(reply, ROOT_REPLY_BYTES, "ok %.*s %lld", RF_FMT(info.serial),
                       (long long)(info.not_after / RF_USEC_PER_SECOND));
    return kind;
}

static void split(rf_str request, rf_str *first, rf_str *text)
{
    size_t at = RF_MIN(rf_str_find(request, RF_S("\n"), 0), request.len);
    *first = rf_slice(request, 0, at);
    *text = rf_slice(request, RF_MIN(at + 1, request.len), request.len);
}

void root_talk_unseal(struct root_talk *talk, rf_str request, char reply[ROOT_REPLY_BYTES])
{
    rf_str first, text;
    split(request, &first, &text);
    if (rf_str_is(first, "status"))
        say_state(talk->seal, reply);
    else if (rf_str_is(first, "share") || rf_str_is(first, "passphrase"))
        enter(talk, rf_str_is(first, "share"), text, reply);
    else
        (void)snprintf(reply, ROOT_REPLY_BYTES, "error BadRequest the request is not known");
}

/* What only people may ask, of an open root. */
static const struct {
    const char *verb;
    bool has_reply; /* its own */
} changes[] = {{"reseal", true},
               {"commit", false},
               {"rotate", false},
               {"seal", false},
               {"renew-certificate", true},
               {"generations", true},
               {"drop", false},
               {"keep", false},
               {"listeners", true}};

static enum rf_kind change(struct root_talk *talk, rf_str verb, rf_str words, rf_str text,
                           char *reply, struct rf_err *err)
{
    if (!talk->seal->open || talk->audit == NULL)
        return RF_FAIL(err, RF_AGAIN, "VaultSealed", "unseal the root key first");
    if (rf_str_is(verb, "reseal")) return reseal(talk, words, text, reply, err);
    if (rf_str_is(verb, "commit")) return commit(talk, err);
    if (rf_str_is(verb, "renew-certificate")) return renew(talk, reply, err);
    if (rf_str_is(verb, "listeners")) {
        memcpy(reply, "ok ", 3);
        keeper_listeners_describe(talk->keys, reply + 3, ROOT_REPLY_BYTES - 3);
        return RF_OK;
    }
    if (rf_str_is(verb, "rotate")) return rotate(talk, err);
    if (rf_str_is(verb, "drop")) return drop(talk, words, err);
    if (rf_str_is(verb, "keep")) return keep(talk, err);
    if (rf_str_is(verb, "seal")) return end(talk, err);
    say_generations(talk, reply);
    return RF_OK;
}

void root_talk(struct root_talk *talk, rf_str request, char reply[ROOT_REPLY_BYTES])
{
    struct rf_err err = {0};
    rf_str first, text, words;
    split(request, &first, &text);
    words = first;
    rf_str verb = word_of(&words);
    size_t at = 0;
    while (at < RF_COUNT(changes) && !rf_str_is(verb, changes[at].verb)) at++;
    if (at == RF_COUNT(changes)) {
        root_talk_unseal(talk, request, reply);
        return;
    }
    if (change(talk, verb, words, text, reply, &err) != RF_OK)
        say_error(reply, &err);
    else if (!changes[at].has_reply)
        say_state(talk->seal, reply);
}
