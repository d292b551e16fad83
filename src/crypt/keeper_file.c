/* keeper_file.c
 *
 *   keys, little endian
 *   0   8  magic "RFKEYS\0\1"
 *   8   4  version, 1
 *   12  4  zero
 *   16     records, each
 *            0   4  bytes of the record, all of it
 *            4   4  the same with every bit turned: a length that rots must not pass for a torn tail
 *            8  12  nonce
 *            20     sealed: 1 type, 7 zero, 8 from (usec), then cert, key, names, each 4 bytes length and the bytes
 *            -16 16 tag
 *
 *   AES-256-GCM under a key that is derived from the root key. The additional data are the record's number and place (8 bytes
 *   each), so that records cannot be left out, repeated or put in another order; that the last ones are missing shows by the
 *   heads (keeper_heads.c).
 *
 * Records are only ever appended, and synced before what they hold is used. Of several of one type the last one counts, but
 * for token-signing keys.
 *
 * Torn tail: a record that the file's end cuts, or whose bytes from some place on are all zero, was never synced and is cut
 * off at open, unless the heads know it. So is a last one, behind those that the heads know, that does not open: of its sectors any may have come to the
 * disk. Anything else that does not open is damage (RF_CORRUPT KeeperKeysDamaged): going on without a key would make
 * new ones and lock out everybody who trusts the old. */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "crypt/keeper_int.h"

enum {
    VERSION = 1,
    HEADER_BYTES = 16,
    LENGTH_BYTES = 8,
    NONCE_BYTES = 12,
    TAG_BYTES = 16,
    FRAME_BYTES = LENGTH_BYTES + NONCE_BYTES + TAG_BYTES,
    FIXED_BYTES = 16,
    RECORD_BYTES_MAX = 64 << 10,
    FILE_BYTES_MAX = 16 << 20
};
static const uint8_t magic[8] = "RFKEYS\0\1";

static enum rf_kind damaged(const struct keeper_file *file, const char *what, struct rf_err *err)
{
    return RF_FAIL(
        err, RF_CORRUPT, "KeeperKeysDamaged",
        "the keeper's file of keys: record %llu at byte %llu %s; restore it and root.key "
        "from the same backup",
        (unsigned long long)file->head.count, (unsigned long long)file->bytes, what);
}

static enum rf_kind read_all(int fd, uint8_t *bytes, size_t len, uint64_t at, struct rf_err *err)
{
    while (len > 0) {
        ssize_t got = pread(fd, bytes, len, (off_t)at);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return RF_FAIL_ERRNO(err, "InputOutput", "cannot read the keeper's keys");
        if (got == 0) return RF_FAIL(err, RF_IO, "InputOutput", "the keeper's keys shrink");
        bytes += got;
        at += (uint64_t)got;
        len -= (size_t)got;
    }
    return RF_OK;
}

static enum rf_kind write_all(int fd, const uint8_t *bytes, size_t len, uint64_t at,
                              struct rf_err *err)
{
    while (len > 0) {
        ssize_t put = pwrite(fd, bytes, len, (off_t)at);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return RF_FAIL_ERRNO(err, "InputOutput", "cannot write the keeper's keys");
        bytes += put;
        at += (uint64_t)put;
        len -= (size_t)put;
    }
    if (fdatasync(fd) != 0)
        return RF_FAIL_ERRNO(err, "InputOutput", "cannot sync the keeper's keys");
    return RF_OK;
}

/* ---- sealing ------------------------------------------------------------------------------------------------------- */

static void place_of(const struct keeper_file *file, uint8_t place[16])
{
    rf_put_u64le(place, file->head.count);
    rf_put_u64le(place + 8, file->bytes);
}

/* `frame` is a whole record: its length and nonce are set, its inside is sealed or opened in place. */
static bool crypt_frame(const struct keeper_file *file, uint8_t *frame, size_t bytes, bool seal)
{
    uint8_t place[16], *inside = frame + LENGTH_BYTES + NONCE_BYTES;
    size_t inside_bytes = bytes - FRAME_BYTES;
    int got = 0, rest = 0, direction = seal ? 1 : 0;
    place_of(file, place);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    bool good = ctx != NULL &&
                EVP_CipherInit_ex(ctx, EVP_aes_256_gcm(), NULL, file->sealing_key,
                                  frame + LENGTH_BYTES, direction) == 1 &&
                EVP_CipherUpdate(ctx, NULL, &got, place, sizeof place) == 1 &&
                EVP_CipherUpdate(ctx, inside, &got, inside, (int)inside_bytes) == 1;
    uint8_t *tag = inside + inside_bytes;
    if (good && !seal) good = EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, TAG_BYTES, tag) == 1;
    good = good && EVP_CipherFinal_ex(ctx, inside + got, &rest) == 1;
    if (good && seal) good = EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, TAG_BYTES, tag) == 1;
    EVP_CIPHER_CTX_free(ctx);
    return good;
}

/* ---- reading ------------------------------------------------------------------------------------------------------- */

static bool take(rf_str *rest, rf_str *out)
{
    if (rest->len < 4) return false;
    size_t len = rf_get_u32le(rest->ptr);
    if (len > rest->len - 4) return false;
    *out = rf_slice(*rest, 4, 4 + len);
    *rest = rf_slice(*rest, 4 + len, rest->len);
    return true;
}

static bool read_record(rf_str inside, struct keeper_record *out)
{
    if (inside.len < FIXED_BYTES || inside.ptr[0] < KEEPER_RECORD_CA ||
        inside.ptr[0] >= KEEPER_RECORD_TYPE_END)
        return false;
    rf_str rest = rf_slice(inside, FIXED_BYTES, inside.len);
    *out = (struct keeper_record){.type = (enum keeper_record_type)inside.ptr[0],
                                  .from = (rf_usec)rf_get_u64le(inside.ptr + 8)};
    return take(&rest, &out->cert) && take(&rest, &out->key) && take(&rest, &out->names) &&
           rest.len == 0;
}

static bool zeros_from_some_place(const uint8_t *frame, size_t bytes)
{
    static const uint8_t none[TAG_BYTES];
    return memcmp(frame + bytes - TAG_BYTES, none, TAG_BYTES) == 0;
}

static void chain_on(struct keeper_head *head, const uint8_t *frame, size_t bytes)
{
    uint8_t text[SHA256_BYTES + TAG_BYTES];
    memcpy(text, head->chain, SHA256_BYTES);
    memcpy(text + SHA256_BYTES, frame + bytes - TAG_BYTES, TAG_BYTES);
    digest_sha256(rf_str_make(text, sizeof text), head->chain);
    head->count++;
}

/* Compares with the heads when as many records are read as those know of. */
static enum rf_kind check_head(const struct keeper_file *file, bool at_end, struct rf_err *err)
{
    const struct keeper_head *want = &file->heads->keys, *have = &file->head;
    if (!file->heads->present || want->count == 0 || have->count > want->count) return RF_OK;
    if (have->count == want->count && memcmp(have->chain, want->chain, SHA256_BYTES) == 0)
        return RF_OK;
    if (have->count < want->count && !at_end) return RF_OK;
    return RF_FAIL(
        err, RF_CORRUPT, "KeeperKeysCut",
        "the keeper's file of keys was cut or is an older copy: %llu records, where "
        "keeper/heads tells of %llu. Restore the folder keeper/ from one backup. Without "
        "one, and if the keys that are left are to be trusted, remove keeper/heads, start, "
        "and rotate the token-signing keys",
        (unsigned long long)have->count, (unsigned long long)want->count);
}

/* Whether what is left of the file can be the one record that a crash kept from the heads. */
static bool is_unheard(const struct keeper_file *file, uint64_t left)
{
    return file->heads->present && file->head.count >= file->heads->keys.count &&
           left <= RECORD_BYTES_MAX;
}

/* Reads the record at file->bytes; *torn when it was cut by a crash. `frame` has room for the longest. */
static enum rf_kind load_one(struct keeper_file *file, uint64_t end, uint8_t *frame,
                             keeper_each_record *each, void *ctx, bool *torn, struct rf_err *err)
{
    struct keeper_record record;
    uint8_t tag[TAG_BYTES];
    uint64_t left = end - file->bytes;
    *torn = left < LENGTH_BYTES;
    if (*torn) return RF_OK;
    RF_TRY(read_all(file->fd, frame, LENGTH_BYTES, file->bytes, err));
    size_t bytes = rf_get_u32le(frame);
    *torn = rf_get_u64le(frame) == 0;
    if (*torn) return RF_OK;
    if (bytes < FRAME_BYTES || bytes > RECORD_BYTES_MAX ||
        (bytes ^ rf_get_u32le(frame + 4)) != UINT32_MAX) {
        *torn = is_unheard(file, left);
        return *torn ? RF_OK : damaged(file, "has an impossible length", err);
    }
    *torn = bytes > left;
    if (*torn) return RF_OK;
    RF_TRY(read_all(file->fd, frame, bytes, file->bytes, err));
    if (bytes == left && zeros_from_some_place(frame, bytes)) {
        *torn = true;
        return RF_OK;
    }
    memcpy(tag, frame + bytes - TAG_BYTES, TAG_BYTES);
    if (!crypt_frame(file, frame, bytes, false)) {
        *torn = bytes == left && is_unheard(file, left);
        return *torn ? RF_OK : damaged(file, "does not open with this root key", err);
    }
    rf_str inside = rf_str_make(frame + LENGTH_BYTES + NONCE_BYTES, bytes - FRAME_BYTES);
    if (!read_record(inside, &record)) return damaged(file, "is of an unknown form", err);
    RF_TRY(each(ctx, &record, err));
    file->bytes += bytes;
    chain_on(&file->head, tag, sizeof tag);
    return check_head(file, false, err);
}

static enum rf_kind write_header(struct keeper_file *file, struct rf_err *err)
{
    uint8_t header[HEADER_BYTES] = {0};
    memcpy(header, magic, sizeof magic);
    rf_put_u32le(header + 8, VERSION);
    if (ftruncate(file->fd, 0) != 0)
        return RF_FAIL_ERRNO(err, "InputOutput", "cannot write the keeper's keys");
    RF_TRY(write_all(file->fd, header, sizeof header, 0, err));
    file->bytes = HEADER_BYTES;
    return RF_OK;
}

static enum rf_kind check_header(struct keeper_file *file, struct rf_err *err)
{
    uint8_t header[HEADER_BYTES];
    RF_TRY(read_all(file->fd, header, sizeof header, 0, err));
    if (memcmp(header, magic, sizeof magic) != 0)
        return RF_FAIL(err, RF_CORRUPT, "KeeperKeysDamaged",
                       "the keeper's file of keys does not begin as one");
    if (rf_get_u32le(header + 8) != VERSION)
        return RF_FAIL(err, RF_CORRUPT, "KeeperKeysVersion",
                       "the keeper's file of keys has version %u; this program reads version %d",
                       rf_get_u32le(header + 8), VERSION);
    file->bytes = HEADER_BYTES;
    return RF_OK;
}

enum rf_kind keeper_file_load(struct keeper_file *file, keeper_each_record *each, void *ctx,
                              struct rf_err *err)
{
    struct stat status;
    if (fstat(file->fd, &status) != 0)
        return RF_FAIL_ERRNO(err, "InputOutput", "cannot read the keeper's keys");
    uint64_t end = (uint64_t)status.st_size;
    if (end > FILE_BYTES_MAX)
        return RF_FAIL(err, RF_LIMIT, "FileTooLarge", "the keeper's file of keys is too large");
    /* A header without records that does not hold was never synced. */
    if (end < HEADER_BYTES || (end == HEADER_BYTES && check_header(file, NULL) != RF_OK)) {
        RF_TRY(check_head(file, true, err));
        return write_header(file, err);
    }
    RF_TRY(check_header(file, err));

    uint8_t *frame = malloc(RECORD_BYTES_MAX);
    if (frame == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "the keeper's keys");
    bool torn = false;
    enum rf_kind kind = RF_OK;
    while (kind == RF_OK && !torn && file->bytes < end)
        kind = load_one(file, end, frame, each, ctx, &torn, err);
    OPENSSL_cleanse(frame, RECORD_BYTES_MAX);
    free(frame);
    if (kind == RF_OK) kind = check_head(file, true, err);
    if (kind == RF_OK && torn &&
        (ftruncate(file->fd, (off_t)file->bytes) != 0 || fdatasync(file->fd) != 0))
        kind = RF_FAIL_ERRNO(err, "InputOutput", "cannot cut the keeper's keys");
    return kind;
}

/* ---- writing ------------------------------------------------------------------------------------------------------- */

static uint8_t *put(uint8_t *at, rf_str bytes)
{
    rf_put_u32le(at, (uint32_t)bytes.len);
    if (bytes.len > 0) memcpy(at + 4, bytes.ptr, bytes.len);
    return at + 4 + bytes.len;
}

enum rf_kind keeper_file_append(struct keeper_file *file, const struct keeper_record *record,
                                struct rf_err *err)
{
    size_t bytes =
        FRAME_BYTES + FIXED_BYTES + 12 + record->cert.len + record->key.len + record->names.len;
    if (bytes > RECORD_BYTES_MAX || file->bytes + bytes > FILE_BYTES_MAX)
        return RF_FAIL(err, RF_LIMIT, "FileTooLarge", "a record of the keeper is too large");
    uint8_t *frame = calloc(1, bytes);
    if (frame == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "the keeper's keys");
    uint8_t *inside = frame + LENGTH_BYTES + NONCE_BYTES;
    rf_put_u32le(frame, (uint32_t)bytes);
    rf_put_u32le(frame + 4, ~(uint32_t)bytes);
    random_bytes(frame + LENGTH_BYTES, NONCE_BYTES);
    inside[0] = (uint8_t)record->type;
    rf_put_u64le(inside + 8, (uint64_t)record->from);
    uint8_t *end = put(put(put(inside + FIXED_BYTES, record->cert), record->key), record->names);
    RF_ASSERT(end + TAG_BYTES == frame + bytes);
    enum rf_kind kind = RF_OK;
    if (!crypt_frame(file, frame, bytes, true))
        kind = RF_FAIL(err, RF_IO, "CryptoFailed", "cannot seal a record");
    if (kind == RF_OK) kind = write_all(file->fd, frame, bytes, file->bytes, err);
    if (kind == RF_OK) {
        file->bytes += bytes;
        chain_on(&file->head, frame, bytes);
        kind = keeper_heads_set(file->heads, &file->heads->keys, &file->head, err);
    }
    OPENSSL_cleanse(frame, bytes);
    free(frame);
    return kind;
}
