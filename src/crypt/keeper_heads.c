/* keeper_heads.c - how far the keeper's two growing files have come, so that a cut of one shows.
 *
 *   heads, little endian: two slots, at byte 0 and at byte 4096, each
 *   0   8  magic "RFHEADS\1"
 *   8   8  generation, counted up by each write; slot generation % 2 holds it
 *   16  8  records of `keys`
 *   24 32  chain of `keys`: SHA-256 over the chain before (32 zero bytes at first) and the record's 16 bytes of tag
 *   56  8  lines of `audit.log`
 *   64 32  mac of its last line
 *   96 32  HMAC-SHA256 of the 96 bytes before, under a key that is derived from the root key
 *
 * Order: a record or line is synced, then the heads, and only then does anybody hear of it. So at open a file may be ahead of its
 * head by what nobody heard of, and never behind.
 *
 * Why two syncs one behind the other, and not one for both: what one sync writes may reach the disk in any order, so a crash could leave the new
 * heads without the new lines; and that is just what somebody leaves who cuts off the lines that were answered last. Heads that name a window ("synced
 * up to here, perhaps up to there") would say nothing of the lines within it. So the price is not lowered but shared: by all answers that wait
 * (keeper_post.c).
 *
 * The slots are written in turns and in place, as the keeper may not name files any more when it serves: a write that a crash tears
 * leaves the other slot, and then a file is ahead of it. A slot that does not hold while no file is ahead was changed by
 * somebody. Whoever takes all three files back to one earlier moment is not seen: that needs a witness elsewhere. */
#include <errno.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "crypt/keeper_int.h"

enum { SLOT_BYTES = 128, MAC_AT = SLOT_BYTES - SHA256_BYTES, SLOT_APART = 4096 };
static const uint8_t magic[8] = "RFHEADS\1";

static void put_slot(const struct keeper_heads *heads, uint8_t slot[SLOT_BYTES])
{
    memcpy(slot, magic, sizeof magic);
    rf_put_u64le(slot + 8, heads->generation);
    rf_put_u64le(slot + 16, heads->keys.count);
    memcpy(slot + 24, heads->keys.chain, SHA256_BYTES);
    rf_put_u64le(slot + 56, heads->audit.count);
    memcpy(slot + 64, heads->audit.chain, SHA256_BYTES);
    digest_hmac_sha256(rf_str_make(heads->key, sizeof heads->key), rf_str_make(slot, MAC_AT),
                       slot + MAC_AT);
}

enum slot_state { SLOT_EMPTY, SLOT_GOOD, SLOT_BAD };

/* Takes over a good slot that is newer than what is there. */
static enum slot_state take_slot(struct keeper_heads *heads, unsigned at,
                                 const uint8_t slot[SLOT_BYTES])
{
    static const uint8_t none[SLOT_BYTES];
    uint8_t mac[SHA256_BYTES];
    uint64_t generation = rf_get_u64le(slot + 8);
    if (memcmp(slot, none, SLOT_BYTES) == 0) return SLOT_EMPTY;
    digest_hmac_sha256(rf_str_make(heads->key, sizeof heads->key), rf_str_make(slot, MAC_AT), mac);
    if (CRYPTO_memcmp(mac, slot + MAC_AT, sizeof mac) != 0 ||
        memcmp(slot, magic, sizeof magic) != 0 || generation % 2 != at)
        return SLOT_BAD;
    if (generation < heads->generation) return SLOT_GOOD;
    heads->generation = generation;
    heads->keys.count = rf_get_u64le(slot + 16);
    memcpy(heads->keys.chain, slot + 24, SHA256_BYTES);
    heads->audit.count = rf_get_u64le(slot + 56);
    memcpy(heads->audit.chain, slot + 64, SHA256_BYTES);
    return SLOT_GOOD;
}

enum rf_kind keeper_heads_open(struct keeper_heads *heads, int fd,
                               const uint8_t key[KEEPER_SECRET_BYTES], struct rf_err *err)
{
    *heads = (struct keeper_heads){.fd = fd};
    memcpy(heads->key, key, sizeof heads->key);
    pthread_mutex_init(&heads->lock, NULL);
    enum slot_state states[2];
    for (unsigned i = 0; i < 2; i++) {
        uint8_t slot[SLOT_BYTES] = {0};
        ssize_t got;
        do got = pread(fd, slot, sizeof slot, (off_t)i * SLOT_APART);
        while (got < 0 && errno == EINTR);
        if (got < 0) return RF_FAIL_ERRNO(err, "InputOutput", "cannot read the keeper's heads");
        states[i] = take_slot(heads, i, slot);
    }
    heads->present = heads->generation > 0;
    /* The first write fills one slot, the second the other. */
    heads->torn = states[0] == SLOT_BAD || states[1] == SLOT_BAD ||
                  (heads->generation > 1 && (states[0] == SLOT_EMPTY || states[1] == SLOT_EMPTY));
    return RF_OK;
}

/* The lock is held. */
static enum rf_kind write_slot(struct keeper_heads *heads, struct rf_err *err)
{
    uint8_t slot[SLOT_BYTES];
    if (heads->failed)
        return RF_FAIL(err, RF_IO, "InputOutput", "the keeper's heads cannot be written");
    heads->generation++;
    put_slot(heads, slot);
    ssize_t put = pwrite(heads->fd, slot, sizeof slot, (off_t)(heads->generation % 2) * SLOT_APART);
    if (put == sizeof slot && fdatasync(heads->fd) == 0) return RF_OK;
    /* Nothing may get further ahead of them. */
    heads->failed = true;
    return RF_FAIL_ERRNO(err, "InputOutput", "cannot write the keeper's heads");
}

enum rf_kind keeper_heads_set(struct keeper_heads *heads, struct keeper_head *which,
                              const struct keeper_head *now, struct rf_err *err)
{
    pthread_mutex_lock(&heads->lock);
    *which = *now;
    enum rf_kind kind = write_slot(heads, err);
    pthread_mutex_unlock(&heads->lock);
    return kind;
}

void keeper_heads_done(struct keeper_heads *heads)
{
    if (heads->fd >= 0) close(heads->fd);
    pthread_mutex_destroy(&heads->lock);
    OPENSSL_cleanse(heads->key, sizeof heads->key);
}
