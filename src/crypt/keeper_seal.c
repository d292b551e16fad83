/* keeper_seal.c - opening the roots, sealing them anew. */
#include "crypt/keeper_seal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "crypt/digest.h"

/* root.key: the key, and behind it for a moment the one that comes. */
enum { KEY_FILE_BYTES = 2 * ROOT_KEY_BYTES };
enum { WAIT_SECONDS_MAX = 60, FAILURES_FREE = 3 };

static enum rf_kind write_at(int fd, const uint8_t *bytes, size_t len, off_t at, struct rf_err *err)
{
    if (pwrite(fd, bytes, len, at) == (ssize_t)len && fdatasync(fd) == 0) return RF_OK;
    return RF_FAIL_ERRNO(err, "InputOutput", "cannot write the keeper's root");
}

static bool is_zero(const uint8_t *bytes, size_t len)
{
    uint8_t any = 0;
    for (size_t i = 0; i < len; i++) any |= bytes[i];
    return any == 0;
}

/* ---- opening ------------------------------------------------------------------------------------------------------------------ */

static void file_opener(const uint8_t key[ROOT_KEY_BYTES], uint8_t opener[ROOT_KEY_BYTES])
{
    digest_hmac_sha256(rf_str_make(key, ROOT_KEY_BYTES), RF_S("ringfort root lock 1"), opener);
}

static void token_opener(const uint8_t key[TOKEN_KEY_BYTES], uint8_t opener[ROOT_KEY_BYTES])
{
    digest_hmac_sha256(rf_str_make(key, TOKEN_KEY_BYTES), RF_S("ringfort root token 1"), opener);
}

static uint8_t *place_of(struct root_seal *seal, uint32_t generation)
{
    return seal->roots[(generation - 1) % ROOTS_MAX];
}

static void publish(struct root_seal *seal, uint32_t dropped, uint32_t retired, uint32_t newest)
{
    seal->open = true;
    atomic_store(&seal->kept, dropped + 1);
    atomic_store(&seal->first, dropped + retired + 1);
    atomic_store(&seal->newest, newest);
}

/* A crash may have left the slot before, with roots that were dropped since. What cannot be written now is tried at the next start. */
static void erase_other(const struct root_seal *seal)
{
    static const uint8_t zeros[ROOT_SLOT_APART];
    uint8_t bytes[ROOT_SLOT_BYTES] = {0};
    size_t got, at = (seal->slot.counter + 1) % 2;
    if (root_read_at(seal->fd, bytes, sizeof bytes, (off_t)(at * ROOT_SLOT_APART), &got, NULL) ==
            RF_OK &&
        !is_zero(bytes, sizeof bytes))
        (void)!write_at(seal->fd, zeros, at == 0 ? sizeof zeros : ROOT_SLOT_BYTES,
                        (off_t)(at * ROOT_SLOT_APART), NULL);
}

/* With the slot's key in seal->key. */
static bool open_roots(struct root_seal *seal)
{
    const struct root_slot *slot = &seal->slot;
    struct root_keys keys;
    bool open = root_slot_open(slot, seal->key, &keys);
    for (uint32_t i = 0; open && i < slot->root_count; i++)
        memcpy(place_of(seal, slot->dropped + 1 + i), keys.roots[i], ROOT_KEY_BYTES);
    if (open && slot->dropped == 0)
        root_derive_bases(keys.roots[0], seal->bases);
    else if (open)
        memcpy(seal->bases, keys.bases, sizeof seal->bases);
    OPENSSL_cleanse(&keys, sizeof keys);
    if (!open) return false;
    publish(seal, slot->dropped, slot->retired, root_slot_newest(slot));
    erase_other(seal);
    return true;
}

static bool open_by(struct root_seal *seal, const struct root_lock *lock,
                    const uint8_t opener[ROOT_KEY_BYTES])
{
    return root_lock_open(lock, opener, seal->key) && open_roots(seal);
}

/* Leaves `key` alone in root.key (NULL: nothing). The new one lies in its second half when this begins, so that a torn write of the first half
 * loses none. */
static enum rf_kind settle_key_file(const struct root_seal *seal, const uint8_t *key,
                                    struct rf_err *err)
{
    static const uint8_t zeros[KEY_FILE_BYTES];
    if (key == NULL) return write_at(seal->key_fd, zeros, sizeof zeros, 0, err);
    RF_TRY(write_at(seal->key_fd, key, ROOT_KEY_BYTES, 0, err));
    return write_at(seal->key_fd, zeros, ROOT_KEY_BYTES, ROOT_KEY_BYTES, err);
}

static enum rf_kind key_missing(struct rf_err *err)
{
    return RF_FAIL(
        err, RF_CORRUPT, "RootKeyMissing",
        "the keeper's root.key is missing, cut or another; restore the folder keeper/ from a "
        "backup");
}

static enum rf_kind open_by_file(struct root_seal *seal, const uint8_t file[KEY_FILE_BYTES],
                                 struct rf_err *err)
{
    uint8_t opener[ROOT_KEY_BYTES];
    bool open = false;
    for (unsigned half = 0; half < 2 && !open; half++) {
        file_opener(file + half * ROOT_KEY_BYTES, opener);
        open = open_by(seal, &seal->slot.locks[0], opener);
        OPENSSL_cleanse(opener, sizeof opener);
        bool settled = half == 0 && is_zero(file + ROOT_KEY_BYTES, ROOT_KEY_BYTES);
        if (open && !settled) RF_TRY(settle_key_file(seal, file + half * ROOT_KEY_BYTES, err));
    }
    return open || seal->slot.lock_count > 1 ? RF_OK : key_missing(err);
}

/* 32 random bytes, made once. A shorter file is one whose making a crash cut, unless there are keys under it. */
static enum rf_kind plain_root(struct root_seal *seal, const uint8_t file[KEY_FILE_BYTES],
                               size_t got, bool fresh, struct rf_err *err)
{
    bool there = got >= ROOT_KEY_BYTES && !is_zero(file, ROOT_KEY_BYTES);
    if (!there && !fresh) return key_missing(err);
    if (there)
        memcpy(seal->roots[0], file, ROOT_KEY_BYTES);
    else
        random_bytes(seal->roots[0], ROOT_KEY_BYTES);
    if (!there) RF_TRY(write_at(seal->key_fd, seal->roots[0], ROOT_KEY_BYTES, 0, err));
    root_derive_bases(seal->roots[0], seal->bases);
    publish(seal, 0, 0, 1);
    return RF_OK;
}

enum rf_kind root_seal_init(struct root_seal *seal, int fd, int key_fd, bool fresh,
                            struct rf_clock *clock, struct rf_err *err)
{
    uint8_t file[KEY_FILE_BYTES] = {0};
    size_t got;
    bool damaged;
    struct rf_err damage = {0};
    seal->fd = fd;
    seal->key_fd = key_fd;
    seal->clock = clock;
    RF_TRY(root_read_slots(fd, &seal->slot, &damage, &damaged, err));
    RF_TRY(root_read_at(key_fd, file, sizeof file, 0, &got, err));
    enum rf_kind kind = RF_OK;
    if (seal->slot.counter == 0) {
        /* The first slot that is written may be torn: root.key counts until it is whole. */
        kind = plain_root(seal, file, got, fresh && !damaged, err);
        if (kind == RF_CORRUPT && damaged && err != NULL) *err = damage;
    } else if (seal->slot.locks[0].kind == ROOT_LOCK_FILE) {
        kind = open_by_file(seal, file, err);
    }
    OPENSSL_cleanse(file, sizeof file);
    return kind;
}

void root_seal_done(struct root_seal *seal)
{
    if (seal->fd > 0) close(seal->fd);
    if (seal->key_fd > 0) close(seal->key_fd);
    OPENSSL_cleanse(seal, sizeof *seal);
}

const uint8_t *root_seal_key(const struct root_seal *seal, uint32_t generation)
{
    if (generation == 0 || generation < atomic_load(&seal->first) ||
        generation > atomic_load(&seal->newest))
        return NULL;
    return seal->roots[(generation - 1) % ROOTS_MAX];
}

/* ---- opening by people --------------------------------------------------------------------------------------------------------- */

static void forget_shares(struct root_seal *seal)
{
    OPENSSL_cleanse(seal->shares, sizeof seal->shares);
    seal->share_count = 0;
}

static enum rf_kind refused(struct root_seal *seal, const char *code, const char *text,
                            struct rf_err *err)
{
    int64_t wait = 0;
    forget_shares(seal);
    seal->failures++;
    if (seal->failures > FAILURES_FREE)
        wait = RF_MIN(INT64_C(1) << RF_MIN(seal->failures - FAILURES_FREE - 1, 6U),
                      (int64_t)WAIT_SECONDS_MAX);
    seal->again_at = rf_clock_elapsed(seal->clock) + wait * RF_USEC_PER_SECOND;
    return RF_FAIL(err, RF_DENIED, code, "%s", text);
}

/* What opened it is no longer of use on the disk, once another seal has taken its place: a crash may have left root.key. */
static enum rf_kind opened(struct root_seal *seal, struct rf_err *err)
{
    uint8_t file[KEY_FILE_BYTES] = {0};
    size_t got;
    forget_shares(seal);
    if (seal->slot.locks[0].kind == ROOT_LOCK_FILE) return RF_OK;
    RF_TRY(root_read_at(seal->key_fd, file, sizeof file, 0, &got, err));
    bool empty = is_zero(file, sizeof file);
    OPENSSL_cleanse(file, sizeof file);
    return empty ? RF_OK : settle_key_file(seal, NULL, err);
}

static enum rf_kind enter_passphrase(struct root_seal *seal, rf_str text, struct rf_err *err)
{
    const struct root_lock *lock = &seal->slot.locks[0];
    uint8_t opener[ROOT_KEY_BYTES];
    if (lock->kind != ROOT_LOCK_PASSPHRASE)
        return RF_FAIL(err, RF_CONFLICT, "PassphraseUnfit",
                       "no passphrase seals the root key; enter shares");
    if (text.len == 0 || text.len > ROOT_PASSPHRASE_BYTES_MAX)
        return refused(seal, "PassphraseWrong", "the passphrase is wrong", err);
    RF_TRY(root_lock_passphrase(lock, text, opener, err));
    bool open = open_by(seal, lock, opener);
    OPENSSL_cleanse(opener, sizeof opener);
    return open ? opened(seal, err)
                : refused(seal, "PassphraseWrong", "the passphrase is wrong", err);
}

static enum rf_kind ask_token(struct root_seal *seal, int fd, struct rf_err *err)
{
    uint8_t key[TOKEN_BLOB_BYTES_MAX], opener[ROOT_KEY_BYTES];
    size_t len;
    const struct root_tail *tail = &seal->slot.tail;
    RF_TRY(token_ask(fd, TOKEN_UNWRAP, rf_str_make(tail->blob, tail->blob_bytes), key, &len, err));
    token_opener(key, opener);
    bool open = open_by(seal, &seal->slot.locks[0], opener);
    OPENSSL_cleanse(key, sizeof key);
    OPENSSL_cleanse(opener, sizeof opener);
    if (open) return opened(seal, err);
    return RF_FAIL(err, RF_DENIED, "TokenOther", "what the token unwrapped does not open the seal");
}

enum rf_kind root_seal_enter_token(struct root_seal *seal, int fd, struct rf_err *err)
{
    struct rf_err why = {0};
    if (seal->open) return RF_OK;
    if (seal->slot.counter == 0 || !root_lock_is_token(&seal->slot.locks[0]))
        return RF_FAIL(err, RF_CONFLICT, "TokenUnfit", "the root key is not sealed by a token");
    enum rf_kind kind = ask_token(seal, fd, &why);
    (void)snprintf(seal->token_said, sizeof seal->token_said, "%.*s",
                   (int)sizeof seal->token_said - 1, kind == RF_OK ? "" : why.text);
    if (kind != RF_OK && err != NULL) *err = why;
    return kind;
}

static const struct root_lock *lock_of_share(const struct root_seal *seal,
                                             const struct share *share)
{
    for (uint32_t i = 0; i < seal->slot.lock_count; i++) {
        const struct root_lock *lock = &seal->slot.locks[i];
        if (lock->kind == ROOT_LOCK_SHARES && lock->threshold == share->threshold &&
            share->index <= lock->count && memcmp(lock->id, share->set, SHARE_SET_BYTES) == 0)
            return lock;
    }
    return NULL;
}

static enum rf_kind add_share(struct root_seal *seal, const struct share *share, struct rf_err *err)
{
    const struct root_lock *lock = lock_of_share(seal, share);
    uint8_t opener[ROOT_KEY_BYTES];
    if (lock == NULL)
        return RF_FAIL(err, RF_CONFLICT, "ShareOther",
                       "the share is of another set: of an earlier seal, or another server");
    if (seal->share_count > 0 && memcmp(seal->shares[0].set, share->set, SHARE_SET_BYTES) != 0)
        return RF_FAIL(
            err, RF_CONFLICT, "ShareOther",
            "the shares so far are of the other set (seal and recovery do not mix); they "
            "are forgotten after 15 minutes");
    for (uint32_t i = 0; i < seal->share_count; i++)
        if (seal->shares[i].index == share->index)
            return RF_FAIL(err, RF_CONFLICT, "ShareTwice", "share %u is there already; %u of %u",
                           share->index, seal->share_count, lock->threshold);
    seal->shares[seal->share_count++] = *share;
    seal->share_at = rf_clock_elapsed(seal->clock);
    if (seal->share_count < lock->threshold)
        return RF_FAIL(err, RF_AGAIN, "SharesMissing", "%u of %u shares are there",
                       seal->share_count, lock->threshold);
    share_join(seal->shares, seal->share_count, opener);
    bool open = open_by(seal, lock, opener);
    OPENSSL_cleanse(opener, sizeof opener);
    return open ? opened(seal, err)
                : refused(seal, "SharesWrong",
                          "these shares do not open it: one was forged; all are forgotten", err);
}

void root_seal_progress(struct root_seal *seal, uint32_t *have, uint32_t *wanted)
{
    if (seal->share_count > 0 &&
        rf_clock_elapsed(seal->clock) - seal->share_at > ROOT_SHARES_FORGET_USEC)
        forget_shares(seal);
    *have = seal->share_count;
    *wanted = 0;
    if (seal->share_count > 0)
        *wanted = seal->shares[0].threshold;
    else if (seal->slot.counter > 0)
        *wanted = seal->slot.locks[0].threshold;
    /* A token that does not open it leaves recovery. */
    if (*wanted == 0 && seal->slot.counter > 0 && root_lock_is_token(&seal->slot.locks[0]) &&
        seal->slot.lock_count > 1)
        *wanted = seal->slot.locks[1].threshold;
}

enum rf_kind root_seal_enter(struct root_seal *seal, bool is_share, rf_str text, struct rf_err *err)
{
    uint32_t have, wanted;
    struct share share;
    rf_usec now = rf_clock_elapsed(seal->clock);
    if (seal->open) return RF_OK;
    root_seal_progress(seal, &have, &wanted);
    if (now < seal->again_at)
        return RF_FAIL(err, RF_LIMIT, "TooManyAttempts", "after a failure wait %lld s",
                       (long long)((seal->again_at - now) / RF_USEC_PER_SECOND + 1));
    if (!is_share) return enter_passphrase(seal, text, err);
    RF_TRY(share_read(text, &share, err));
    enum rf_kind kind = add_share(seal, &share, err);
    OPENSSL_cleanse(&share, sizeof share);
    return kind;
}

/* ---- changing ---------------------------------------------------------------------------------------------------------------------- */

static enum rf_kind unfit(const char *what, struct rf_err *err)
{
    return RF_FAIL(err, RF_INVALID, "SealUnfit", "%s", what);
}

/* Lines of printable ASCII. */
static bool settings_fit(rf_str settings)
{
    for (size_t i = 0; i < settings.len; i++)
        if (settings.ptr[i] != '\n' && (settings.ptr[i] < ' ' || settings.ptr[i] > '~'))
            return false;
    return settings.len > 0 && settings.len <= ROOT_SETTINGS_BYTES_MAX;
}

static bool quorum_fits(uint8_t threshold, uint8_t count)
{
    return threshold >= SHARE_THRESHOLD_MIN && threshold <= count && count <= SHARE_COUNT_MAX;
}

static enum rf_kind check_change(const struct root_change *change, struct rf_err *err)
{
    if (change->kind == ROOT_LOCK_PASSPHRASE &&
        (change->passphrase.len < ROOT_PASSPHRASE_BYTES_MIN ||
         change->passphrase.len > ROOT_PASSPHRASE_BYTES_MAX))
        return unfit("a passphrase has 12 to 1024 bytes", err);
    if (change->kind == ROOT_LOCK_SHARES && !quorum_fits(change->threshold, change->count))
        return unfit("of shares 2 to 16 can be made, and 2 or more of them must be the quorum",
                     err);
    if (change->kind >= ROOT_LOCK_PKCS11 &&
        (change->token_fd < 0 || !settings_fit(change->settings)))
        return unfit("a token needs settings, of 1500 bytes of ASCII at most, and a way to it",
                     err);
    bool recovery = change->recovery_threshold != 0 || change->recovery_count != 0;
    if (recovery && !quorum_fits(change->recovery_threshold, change->recovery_count))
        return unfit("of recovery shares 2 to 16 can be made, and 2 or more must be the quorum",
                     err);
    return RF_OK;
}

static void lock_shares(struct root_lock *lock, uint8_t threshold, uint8_t count,
                        const uint8_t key[ROOT_KEY_BYTES], struct share *shares)
{
    uint8_t opener[ROOT_KEY_BYTES];
    *lock = (struct root_lock){.kind = ROOT_LOCK_SHARES, .threshold = threshold, .count = count};
    random_bytes(lock->id, sizeof lock->id);
    random_bytes(opener, sizeof opener);
    share_split(opener, lock->id, threshold, count, shares);
    root_lock_close(lock, opener, key);
    OPENSSL_cleanse(opener, sizeof opener);
}

/* What it wrapped is unwrapped again before anything depends on it. */
static enum rf_kind lock_token(struct root_slot *next, const struct root_change *change,
                               const uint8_t slot_key[ROOT_KEY_BYTES], struct rf_err *err)
{
    uint8_t key[TOKEN_KEY_BYTES], again[TOKEN_BLOB_BYTES_MAX], opener[ROOT_KEY_BYTES];
    size_t blob_bytes = 0, len = 0;
    struct root_tail *tail = &next->tail;
    next->locks[0] = (struct root_lock){.kind = change->kind};
    *tail = (struct root_tail){.settings_bytes = (uint32_t)change->settings.len};
    memcpy(tail->settings, change->settings.ptr, change->settings.len);
    random_bytes(key, sizeof key);
    enum rf_kind kind = token_ask(change->token_fd, TOKEN_WRAP, rf_str_make(key, sizeof key),
                                  tail->blob, &blob_bytes, err);
    tail->blob_bytes = (uint32_t)blob_bytes;
    if (kind == RF_OK)
        kind = token_ask(change->token_fd, TOKEN_UNWRAP, rf_str_make(tail->blob, blob_bytes), again,
                         &len, err);
    if (kind == RF_OK && CRYPTO_memcmp(key, again, sizeof key) != 0)
        kind =
            RF_FAIL(err, RF_DENIED, "TokenOther", "the token unwraps another key than it wrapped");
    if (kind == RF_OK) {
        root_tail_name(tail, next->locks[0].id);
        token_opener(key, opener);
        root_lock_close(&next->locks[0], opener, slot_key);
    }
    OPENSSL_cleanse(key, sizeof key);
    OPENSSL_cleanse(again, sizeof again);
    OPENSSL_cleanse(opener, sizeof opener);
    return kind;
}

static enum rf_kind lock_other(struct root_seal *seal, const struct root_change *change,
                               struct root_lock *lock, struct rf_err *err)
{
    uint8_t opener[ROOT_KEY_BYTES];
    *lock = (struct root_lock){.kind = change->kind};
    random_bytes(lock->id, sizeof lock->id);
    if (change->kind == ROOT_LOCK_PASSPHRASE) {
        lock->kib = ROOT_ARGON_KIB;
        lock->passes = ROOT_ARGON_PASSES;
        lock->lanes = ROOT_ARGON_LANES;
        RF_TRY(root_lock_passphrase(lock, change->passphrase, opener, err));
    } else {
        random_bytes(seal->next_file, sizeof seal->next_file);
        file_opener(seal->next_file, opener);
    }
    root_lock_close(lock, opener, seal->next_key);
    OPENSSL_cleanse(opener, sizeof opener);
    return RF_OK;
}

enum rf_kind root_seal_prepare(struct root_seal *seal, const struct root_change *change,
                               struct share shares[2 * SHARE_COUNT_MAX], uint32_t *made,
                               struct rf_err *err)
{
    RF_ASSERT(seal->open);
    RF_TRY(check_change(change, err));
    root_seal_cancel(seal);
    struct root_slot *next = &seal->next;
    *next = (struct root_slot){.lock_count = 1};
    random_bytes(seal->next_key, sizeof seal->next_key);
    *made = 0;
    if (change->kind == ROOT_LOCK_SHARES) {
        lock_shares(&next->locks[0], change->threshold, change->count, seal->next_key, shares);
        *made = change->count;
    } else if (change->kind >= ROOT_LOCK_PKCS11) {
        RF_TRY(lock_token(next, change, seal->next_key, err));
    } else {
        RF_TRY(lock_other(seal, change, &next->locks[0], err));
    }
    if (change->recovery_count > 0) {
        next->lock_count = 2;
        lock_shares(&next->locks[1], change->recovery_threshold, change->recovery_count,
                    seal->next_key, shares + *made);
        *made += change->recovery_count;
    }
    seal->pending = true;
    return RF_OK;
}

void root_seal_cancel(struct root_seal *seal)
{
    seal->pending = false;
    OPENSSL_cleanse(&seal->next, sizeof seal->next);
    OPENSSL_cleanse(seal->next_key, sizeof seal->next_key);
    OPENSSL_cleanse(seal->next_file, sizeof seal->next_file);
}

static void close_slot(struct root_seal *seal, struct root_slot *slot,
                       const uint8_t key[ROOT_KEY_BYTES])
{
    struct root_keys keys;
    for (uint32_t i = 0; i < slot->root_count; i++)
        memcpy(keys.roots[i], place_of(seal, slot->dropped + 1 + i), ROOT_KEY_BYTES);
    memcpy(keys.bases, seal->bases, sizeof keys.bases);
    root_slot_close(slot, key, &keys);
    OPENSSL_cleanse(&keys, sizeof keys);
}

/* Writes `slot`, then overwrites the one before. */
enum rf_kind root_seal_write(struct root_seal *seal, struct root_slot *slot,
                             const uint8_t key[ROOT_KEY_BYTES], struct rf_err *err)
{
    static const uint8_t zeros[ROOT_SLOT_APART];
    uint8_t bytes[ROOT_SLOT_BYTES], tail[ROOT_TAIL_BYTES];
    bool had_tail = seal->slot.counter > 0 && root_lock_is_token(&seal->slot.locks[0]);
    slot->counter = seal->slot.counter + 1;
    slot->sealed_at = rf_clock_now(seal->clock);
    close_slot(seal, slot, key);
    root_slot_put(slot, bytes);
    if (root_lock_is_token(&slot->locks[0])) {
        root_tail_put(&slot->tail, tail);
        RF_TRY(write_at(seal->fd, tail, sizeof tail,
                        (off_t)(slot->counter % 2) * ROOT_SLOT_APART + ROOT_SLOT_BYTES, err));
    }
    RF_TRY(
        write_at(seal->fd, bytes, sizeof bytes, (off_t)(slot->counter % 2) * ROOT_SLOT_APART, err));
    seal->slot = *slot;
    return write_at(seal->fd, zeros, had_tail ? sizeof zeros : ROOT_SLOT_BYTES,
                    (off_t)((slot->counter + 1) % 2) * ROOT_SLOT_APART, err);
}

enum rf_kind root_seal_commit(struct root_seal *seal, struct rf_err *err)
{
    if (!seal->pending) return RF_FAIL(err, RF_CONFLICT, "NoChange", "there is nothing to commit");
    bool file = seal->next.locks[0].kind == ROOT_LOCK_FILE;
    enum rf_kind kind = RF_OK;
    if (file) kind = write_at(seal->key_fd, seal->next_file, ROOT_KEY_BYTES, ROOT_KEY_BYTES, err);
    uint64_t before = seal->slot.counter;
    /* Generations may have come or gone in between. */
    seal->next.dropped = seal->slot.dropped;
    seal->next.retired = seal->slot.retired;
    seal->next.erase_at = seal->slot.erase_at;
    seal->next.root_count = atomic_load(&seal->newest) - seal->slot.dropped;
    if (kind == RF_OK) kind = root_seal_write(seal, &seal->next, seal->next_key, err);
    if (seal->slot.counter != before) memcpy(seal->key, seal->next_key, sizeof seal->key);
    if (kind == RF_OK) kind = settle_key_file(seal, file ? seal->next_file : NULL, err);
    root_seal_cancel(seal);
    return kind;
}

/* A root that was never re-sealed lies in root.key itself: it goes under a seal first. */
static enum rf_kind seal_at_all(struct root_seal *seal, struct rf_err *err)
{
    struct share shares[2 * SHARE_COUNT_MAX];
    uint32_t made;
    struct root_change change = {.kind = ROOT_LOCK_FILE};
    if (seal->slot.counter > 0) return RF_OK;
    RF_TRY(root_seal_prepare(seal, &change, shares, &made, err));
    return root_seal_commit(seal, err);
}

enum rf_kind root_seal_rotate(struct root_seal *seal, struct rf_err *err)
{
    RF_ASSERT(seal->open);
    RF_TRY(seal_at_all(seal, err));
    struct root_slot next = seal->slot;
    if (next.root_count == ROOTS_MAX)
        return RF_FAIL(err, RF_LIMIT, "RootsMax",
                       "there are %d generations; no more fit: drop old ones first", ROOTS_MAX);
    uint32_t newest = atomic_load(&seal->newest) + 1;
    random_bytes(place_of(seal, newest), ROOT_KEY_BYTES);
    next.root_count++;
    RF_TRY(root_seal_write(seal, &next, seal->key, err));
    atomic_store(&seal->newest, newest);
    return RF_OK;
}
