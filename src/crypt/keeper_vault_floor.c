/* keeper_vault_floor.c
 *
 *   vault, little endian
 *   0   8  magic "RFVAULT\1"
 *   8      records of 40 bytes: 16 id, 8 generation (all bits: destroyed), 16 check: the first bytes of HMAC-SHA256 over the check of the record before (at
 *          first zero bytes) and these 24 bytes
 *
 * The key is derived from the root key. Ids are hashes; of several records of one id the highest generation counts. "Destroyed" is synced before anybody hears
 * of it; a higher generation only keeps old copies out, and may be lost by a crash.
 *
 * A tail that is no whole record, or zero, was never synced and is cut off. As sectors come to the disk in any order, a crash may also leave a hole before what
 * was written last: records that are zero up to the end of a sector, in front of none that was synced ("destroyed", but for the last). What lay in it is
 * lost, those behind it count, and the file is written anew. Any other record that does not hold was changed by somebody: it is left out, those behind it
 * count (each is checked against the bytes that stand before it), the caller is told, and the file written anew. That the last records were cut off whole, or
 * made a hole, is not seen, nor that an older copy of the file was put back. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>

#include "crypt/keeper_vault.h"

enum {
    MAGIC_BYTES = 8,
    PAIR_BYTES = SEAL_ID_BYTES + 8,
    CHECK_BYTES = 16,
    RECORD_BYTES = PAIR_BYTES + CHECK_BYTES,
    ENTRIES_MIN = 1024,
    REWRITE_AT = 4096, /* records more than entries */
    SECTOR_BYTES = 512,
    HOLE_BYTES_MIN = 8 /* records, and so holes, begin and end at multiples of it */
};
static const uint8_t magic[MAGIC_BYTES] = "RFVAULT\1";

/* ---- the table in memory; the lock is held ------------------------------------------------------------------------------------ */

/* The place of an id, or the empty one where it would be. */
static struct floor_entry *place_of(struct floor_entry *entries, uint32_t mask,
                                    const uint8_t id[SEAL_ID_BYTES])
{
    uint32_t at = rf_get_u32le(id) & mask; /* ids are hashes */
    while (entries[at].generation != 0 && memcmp(entries[at].id, id, SEAL_ID_BYTES) != 0)
        at = (at + 1) & mask;
    return &entries[at];
}

static bool grow(struct keeper_floors *floors)
{
    uint32_t size = floors->entries == NULL ? ENTRIES_MIN : (floors->mask + 1) * 2;
    struct floor_entry *entries = calloc(size, sizeof *entries);
    if (entries == NULL) return false;
    for (uint32_t i = 0; floors->entries != NULL && i <= floors->mask; i++)
        if (floors->entries[i].generation != 0)
            *place_of(entries, size - 1, floors->entries[i].id) = floors->entries[i];
    free(floors->entries);
    floors->entries = entries;
    floors->mask = size - 1;
    return true;
}

static bool note(struct keeper_floors *floors, const uint8_t id[SEAL_ID_BYTES], uint64_t generation)
{
    if (floors->entries == NULL || floors->count >= floors->mask / 4 * 3)
        if (!grow(floors)) return false;
    struct floor_entry *entry = place_of(floors->entries, floors->mask, id);
    if (entry->generation == 0) {
        memcpy(entry->id, id, SEAL_ID_BYTES);
        floors->count++;
    }
    entry->generation = RF_MAX(entry->generation, generation);
    return true;
}

/* ---- records -------------------------------------------------------------------------------------------------------------------- */

/* Draws the record and moves the chain on. False: OpenSSL has no memory. */
static bool make_record(struct keeper_floors *floors, const uint8_t id[SEAL_ID_BYTES],
                        uint64_t generation, uint8_t out[RECORD_BYTES])
{
    uint8_t mac[SHA256_BYTES];
    size_t len;
    memcpy(out, id, SEAL_ID_BYTES);
    rf_put_u64le(out + SEAL_ID_BYTES, generation);
    if (EVP_MAC_init(floors->mac, NULL, 0, NULL) != 1 ||
        EVP_MAC_update(floors->mac, floors->chain, CHECK_BYTES) != 1 ||
        EVP_MAC_update(floors->mac, out, PAIR_BYTES) != 1 ||
        EVP_MAC_final(floors->mac, mac, &len, sizeof mac) != 1)
        return false;
    memcpy(floors->chain, mac, CHECK_BYTES);
    memcpy(out + PAIR_BYTES, mac, CHECK_BYTES);
    return true;
}

/* One context for all records: setting one up takes six times as long as a record. */
static bool make_mac(struct keeper_floors *floors)
{
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string("digest", digest, 0), OSSL_PARAM_END};
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    floors->mac = hmac == NULL ? NULL : EVP_MAC_CTX_new(hmac);
    EVP_MAC_free(hmac);
    return floors->mac != NULL &&
           EVP_MAC_init(floors->mac, floors->key, sizeof floors->key, params) == 1;
}

enum record { RECORD_GOOD, RECORD_BAD, RECORD_NO_MEMORY };

static enum record read_record(struct keeper_floors *floors, const uint8_t *p)
{
    uint8_t want[RECORD_BYTES];
    uint64_t generation = rf_get_u64le(p + SEAL_ID_BYTES);
    if (!make_record(floors, p, generation, want)) return RECORD_NO_MEMORY;
    bool holds =
        generation != 0 && CRYPTO_memcmp(want + PAIR_BYTES, p + PAIR_BYTES, CHECK_BYTES) == 0;
    memcpy(floors->chain, p + PAIR_BYTES, CHECK_BYTES);
    if (!holds) return RECORD_BAD;
    return note(floors, p, generation) ? RECORD_GOOD : RECORD_NO_MEMORY;
}

static size_t without_zero_tail(const uint8_t *bytes, size_t len)
{
    while (len > 0 && bytes[len - 1] == 0) len--;
    return len;
}

/* A record that a crash tore ends in zeros or not at all. */
static bool is_torn(const uint8_t *record)
{
    static const uint8_t none[8];
    return memcmp(record + RECORD_BYTES - sizeof none, none, sizeof none) == 0;
}

/* Whether the record at `at` lies in a sector that a crash left as it was before: from within the record on it is zero. */
static bool is_hole(const uint8_t *bytes, size_t len, size_t at)
{
    size_t last = at + RECORD_BYTES;
    for (size_t low = at / SECTOR_BYTES * SECTOR_BYTES; low < last; low += SECTOR_BYTES) {
        size_t from = RF_MAX(low, at), end = RF_MIN(low + SECTOR_BYTES, len);
        size_t zero = end;
        while (zero > from && bytes[zero - 1] == 0) zero--;
        if (zero < last && end - zero >= HOLE_BYTES_MIN) return true;
    }
    return false;
}

/* Of the whole file. */
static bool read_records(struct keeper_floors *floors, const uint8_t *bytes, size_t len)
{
    size_t used = without_zero_tail(bytes, len) - MAGIC_BYTES;
    bool was_hole = false;
    len = RF_MIN(len, MAGIC_BYTES + (used + RECORD_BYTES - 1) / RECORD_BYTES * RECORD_BYTES);
    for (size_t at = MAGIC_BYTES; len - at >= RECORD_BYTES; at += RECORD_BYTES) {
        uint8_t before[CHECK_BYTES];
        bool last = len - at < 2 * RECORD_BYTES;
        memcpy(before, floors->chain, sizeof before);
        enum record got = read_record(floors, bytes + at);
        if (got == RECORD_NO_MEMORY) return false;
        if (got == RECORD_BAD && last && is_torn(bytes + at)) {
            memcpy(floors->chain, before, sizeof before);
            return true;
        }
        bool hole = got == RECORD_BAD && is_hole(bytes, len, at);
        /* The record behind a hole has nothing that it could follow. */
        floors->holed |= hole;
        floors->damaged |= got == RECORD_BAD && !hole && !was_hole;
        floors->damaged |= got == RECORD_GOOD && floors->holed && !last &&
                           rf_get_u64le(bytes + at + SEAL_ID_BYTES) == FLOOR_GONE;
        was_hole = hole;
        floors->records++;
    }
    return true;
}

static enum rf_kind io_failed(struct rf_err *err)
{
    return RF_FAIL_ERRNO(err, "InputOutput", "cannot use the keeper's file vault");
}

static enum rf_kind write_at(int fd, const uint8_t *bytes, size_t len, uint64_t at,
                             struct rf_err *err)
{
    while (len > 0) {
        ssize_t put = pwrite(fd, bytes, len, (off_t)at);
        if (put < 0 && errno == EINTR) continue;
        if (put <= 0) return io_failed(err);
        bytes += put;
        at += (uint64_t)put;
        len -= (size_t)put;
    }
    return RF_OK;
}

static uint64_t end_of(const struct keeper_floors *floors)
{
    return MAGIC_BYTES + floors->records * RECORD_BYTES;
}

/* *begun: it has its first bytes. */
static enum rf_kind read_file(struct keeper_floors *floors, size_t len, bool *begun,
                              struct rf_err *err)
{
    uint8_t *bytes = malloc(len + 1);
    size_t have = 0;
    enum rf_kind kind = RF_OK;
    if (bytes == NULL)
        return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "the keeper's file vault");
    while (have < len) {
        ssize_t got = pread(floors->fd, bytes + have, len - have, (off_t)have);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        have += (size_t)got;
    }
    *begun = have == len && len >= MAGIC_BYTES && memcmp(bytes, magic, MAGIC_BYTES) == 0;
    if (have < len)
        kind = io_failed(err);
    else if (!*begun)
        floors->damaged = without_zero_tail(bytes, len) >= MAGIC_BYTES; /* else it was just begun */
    else if (!read_records(floors, bytes, len))
        kind = RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "the keeper's file vault");
    free(bytes);
    return kind;
}

static enum rf_kind cut_tail(struct keeper_floors *floors, struct rf_err *err)
{
    if (ftruncate(floors->fd, (off_t)end_of(floors)) != 0 ||
        write_at(floors->fd, magic, MAGIC_BYTES, 0, err) != RF_OK || fsync(floors->fd) != 0)
        return io_failed(err);
    return RF_OK;
}

/* All entries, one record each, into a file that takes the place of the old one. */
static enum rf_kind rewrite(struct keeper_floors *floors, int folder, struct rf_err *err)
{
    int fd = openat(folder, "vault.new", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return io_failed(err);
    memset(floors->chain, 0, sizeof floors->chain);
    floors->records = 0;
    enum rf_kind kind = write_at(fd, magic, MAGIC_BYTES, 0, err);
    for (uint32_t i = 0; floors->entries != NULL && i <= floors->mask && kind == RF_OK; i++) {
        uint8_t record[RECORD_BYTES];
        const struct floor_entry *entry = &floors->entries[i];
        if (entry->generation == 0) continue;
        kind = !make_record(floors, entry->id, entry->generation, record)
                   ? RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "the keeper's file vault")
                   : write_at(fd, record, sizeof record, end_of(floors), err);
        floors->records++;
    }
    if (kind == RF_OK && (fsync(fd) != 0 || renameat(folder, "vault.new", folder, "vault") != 0 ||
                          fsync(folder) != 0))
        kind = io_failed(err);
    if (kind != RF_OK) {
        close(fd);
        return kind;
    }
    close(floors->fd);
    floors->fd = fd;
    return RF_OK;
}

enum rf_kind keeper_floors_open(struct keeper_floors *floors, int folder, int fd,
                                const uint8_t key[KEEPER_SECRET_BYTES], struct rf_err *err)
{
    struct stat status;
    *floors = (struct keeper_floors){.fd = fd};
    memcpy(floors->key, key, sizeof floors->key);
    pthread_mutex_init(&floors->lock, NULL);
    if (!make_mac(floors))
        return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "the keeper's file vault");
    if (fstat(fd, &status) != 0) return io_failed(err);
    uint64_t len = (uint64_t)status.st_size;
    bool begun = false;
    if (len > 0) RF_TRY(read_file(floors, len, &begun, err));
    bool grown = floors->records > (uint64_t)floors->count * 2 + REWRITE_AT;
    /* Behind the sandbox no file can be named: the next start writes it anew. */
    if ((grown || floors->damaged || floors->holed) && folder >= 0)
        return rewrite(floors, folder, err);
    return begun && len == end_of(floors) ? RF_OK : cut_tail(floors, err);
}

void keeper_floors_done(struct keeper_floors *floors)
{
    if (floors->fd >= 0) close(floors->fd);
    EVP_MAC_CTX_free(floors->mac);
    free(floors->entries);
    pthread_mutex_destroy(&floors->lock);
    OPENSSL_cleanse(floors->key, sizeof floors->key);
}

/* ---- asking and raising --------------------------------------------------------------------------------------------------------- */

uint64_t keeper_floor_of(struct keeper_floors *floors, const uint8_t id[SEAL_ID_BYTES])
{
    uint64_t generation = 0;
    pthread_mutex_lock(&floors->lock);
    if (floors->entries != NULL)
        generation = place_of(floors->entries, floors->mask, id)->generation;
    pthread_mutex_unlock(&floors->lock);
    return generation;
}

static enum rf_kind append(struct keeper_floors *floors, const uint8_t id[SEAL_ID_BYTES],
                           uint64_t generation, struct rf_err *err)
{
    uint8_t record[RECORD_BYTES];
    if (floors->failed)
        return RF_FAIL(err, RF_IO, "InputOutput", "the keeper's file vault cannot be written");
    if (!note(floors, id, generation))
        return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "the keeper's file vault");
    if (!make_record(floors, id, generation, record))
        return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "the keeper's file vault");
    enum rf_kind kind = write_at(floors->fd, record, sizeof record, end_of(floors), err);
    /* The chain has moved on without the record. */
    floors->failed = kind != RF_OK;
    if (kind == RF_OK) floors->records++;
    return kind;
}

enum rf_kind keeper_floor_raise(struct keeper_floors *floors, const uint8_t id[SEAL_ID_BYTES],
                                uint64_t generation, struct rf_err *err)
{
    enum rf_kind kind = RF_OK;
    pthread_mutex_lock(&floors->lock);
    bool higher = floors->entries == NULL ||
                  place_of(floors->entries, floors->mask, id)->generation < generation;
    if (higher) kind = append(floors, id, generation, err);
    /* Also when it was destroyed before: that may not be on the disk yet. */
    if (kind == RF_OK && generation == FLOOR_GONE && fdatasync(floors->fd) != 0) {
        floors->failed = true;
        kind = io_failed(err);
    }
    pthread_mutex_unlock(&floors->lock);
    return kind;
}

enum rf_kind keeper_floors_sync(struct keeper_floors *floors, struct rf_err *err)
{
    enum rf_kind kind = RF_OK;
    pthread_mutex_lock(&floors->lock);
    if (fdatasync(floors->fd) != 0) {
        floors->failed = true;
        kind = io_failed(err);
    }
    pthread_mutex_unlock(&floors->lock);
    return kind;
}

void keeper_floors_wrapped(struct keeper_floors *floors, uint32_t newest,
                           uint64_t counts[KEEPER_GENERATIONS_MAX])
{
    memset(counts, 0, KEEPER_GENERATIONS_MAX * sizeof counts[0]);
    pthread_mutex_lock(&floors->lock);
    for (uint32_t i = 0; floors->entries != NULL && i <= floors->mask; i++) {
        uint64_t said = floors->entries[i].generation;
        if (said == FLOOR_GONE || (said & FLOOR_WRAPPED) == 0) continue;
        uint64_t generation = RF_MIN(said & ~FLOOR_WRAPPED, (uint64_t)newest);
        counts[RF_MIN(newest - generation, (uint64_t)KEEPER_GENERATIONS_MAX - 1)]++;
    }
    pthread_mutex_unlock(&floors->lock);
}
