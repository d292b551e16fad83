#include "store/extent_int.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdlib.h>

enum { BUFFER_BYTES = 256 << 10, REGION_SLOTS_MIN = 256 };

/* ---- bytes ------------------------------------------------------------------------------------------------- */

static enum rf_kind flush(struct extent_file *f, struct rf_err *err)
{
    if (f->buffer.len == 0) return RF_OK;
    RF_TRY(rf_file_write(f->file, f->buffer.ptr, f->buffer.len, err));
    if (EVP_DigestUpdate(f->digest, f->buffer.ptr, f->buffer.len) != 1)
        return RF_FAIL(err, RF_IO, "CryptoFailed", "cannot digest %s", f->path);
    f->buffer.len = 0;
    return RF_OK;
}

static enum rf_kind put_bytes(struct extent_file *f, const void *bytes, size_t len,
                              struct rf_err *err)
{
    if (f->buffer.len > 0 && f->buffer.len + len > BUFFER_BYTES) RF_TRY(flush(f, err));
    if (!block_buf_put(&f->buffer, bytes, len)) return block_no_memory(err, f->buffer.budget);
    f->offset += len;
    return f->buffer.len >= BUFFER_BYTES ? flush(f, err) : RF_OK;
}

static enum rf_kind put_padding(struct extent_file *f, struct rf_err *err)
{
    static const uint8_t zeros[EXTENT_ALIGN];
    return put_bytes(f, zeros, (size_t)(-f->offset % EXTENT_ALIGN), err);
}

/* ---- beginning --------------------------------------------------------------------------------------------- */

static enum rf_kind begin(struct extent_file *f, const struct extent_options *options,
                          struct rf_err *err)
{
    uint8_t id[EXTENT_ID_BYTES] = {0}, header[EXTENT_HEADER_BYTES] = {0};
    bool encrypted = options->key != NULL && options->key->present;
    if (encrypted && RAND_bytes(id, sizeof id) != 1)
        return RF_FAIL(err, RF_IO, "CryptoFailed", "no random bytes");
    RF_TRY(extent_crypt_init(&f->crypt, options->key, id, err));
    f->digest = EVP_MD_CTX_new();
    if (f->digest == NULL || EVP_DigestInit_ex(f->digest, EVP_sha256(), NULL) != 1)
        return RF_FAIL(err, RF_IO, "CryptoFailed", "cannot digest %s", f->path);
    memcpy(header, extent_magic, 8);
    rf_put_u32le(header + 8, EXTENT_VERSION);
    rf_put_u32le(header + 12, encrypted ? EXTENT_FLAG_ENCRYPTED : 0);
    memcpy(header + 16, id, sizeof id);
    memcpy(header + 32, f->crypt.key_check, sizeof f->crypt.key_check);
    extent_checksum(header, 48, header + 48);
    return put_bytes(f, header, sizeof header, err);
}

enum rf_kind extent_file_create(struct extent_file *f, const struct extent_options *options,
                                const char *path, struct rf_err *err)
{
    *f = (struct extent_file){.fs = options->fs,
                              .path = path,
                              .buffer = block_buf_in(options->budget),
                              .regions = block_buf_in(options->budget)};
    RF_TRY(
        rf_fs_open(f->fs, path, RF_OPEN_WRITE | RF_OPEN_CREATE | RF_OPEN_TRUNCATE, &f->file, err));
    return begin(f, options, err);
}

/* ---- regions ----------------------------------------------------------------------------------------------- */

bool extent_put_region(struct block_buf *out, const struct extent_region *region)
{
    return block_buf_u64(out, region->offset) && block_buf_u32(out, region->bytes) &&
           block_buf_put(out, region->check, sizeof region->check);
}

/* A region that was written, with the checksum of its bytes before they were encrypted. */
struct written {
    uint8_t check[16];
    uint32_t bytes;
    struct extent_region region;
};

static struct written *written_at(const struct extent_file *f, uint32_t index)
{
    return (struct written *)(void *)f->regions.ptr + index;
}

/* Slots hold index + 1; 0 is free. Returns the slot of the same bytes, or the free one where they belong. */
static uint32_t *slot_of(struct extent_file *f, const uint8_t check[16], uint32_t bytes)
{
    uint32_t at = (uint32_t)rf_get_u64le(check) & (f->region_cap - 1);
    for (;; at = (at + 1) & (f->region_cap - 1)) {
        if (f->region_slots[at] == 0) return &f->region_slots[at];
        const struct written *w = written_at(f, f->region_slots[at] - 1);
        if (w->bytes == bytes && memcmp(w->check, check, 16) == 0) return &f->region_slots[at];
    }
}

static bool grow_slots(struct extent_file *f)
{
    uint32_t count = (uint32_t)(f->regions.len / sizeof(struct written));
    if (count * 2 < f->region_cap) return true;
    uint32_t cap = f->region_cap == 0 ? REGION_SLOTS_MIN : f->region_cap * 2;
    uint32_t *slots = calloc(cap, sizeof *slots);
    if (slots == NULL) return false;
    free(f->region_slots);
    f->region_slots = slots;
    f->region_cap = cap;
    for (uint32_t i = 0; i < count; i++)
        *slot_of(f, written_at(f, i)->check, written_at(f, i)->bytes) = i + 1;
    return true;
}

/* `check` is that of the bytes as they are. */
static enum rf_kind write_region(struct extent_file *f, struct block_buf *bytes,
                                 const uint8_t check[16], struct extent_region *out,
                                 struct rf_err *err)
{
    RF_TRY(put_padding(f, err));
    *out = (struct extent_region){.offset = f->offset};
    size_t len = bytes->len;
    if (f->crypt.on) {
        if (!block_buf_reserve(bytes, EXTENT_TAG_BYTES)) return block_no_memory(err, bytes->budget);
        if (!extent_crypt_seal(&f->crypt, f->offset, bytes->ptr, len))
            return RF_FAIL(err, RF_IO, "CryptoFailed", "cannot encrypt a block of %s", f->path);
        bytes->len = len += EXTENT_TAG_BYTES;
        extent_checksum(bytes->ptr, len, out->check);
    } else {
        memcpy(out->check, check, sizeof out->check);
    }
    out->bytes = (uint32_t)len;
    return put_bytes(f, bytes->ptr, len, err);
}

enum rf_kind extent_file_region(struct extent_file *f, struct block_buf *bytes,
                                struct extent_region *out, struct rf_err *err)
{
    struct written w = {.bytes = (uint32_t)bytes->len};
    if (bytes->len > EXTENT_REGION_BYTES_MAX)
        return RF_FAIL(err, RF_LIMIT, "ExtentBlockTooLarge", "a block of %s has %zu bytes", f->path,
                       bytes->len);
    if (!grow_slots(f)) return block_no_memory(err, bytes->budget);
    extent_checksum(bytes->ptr, bytes->len, w.check);
    uint32_t *slot = slot_of(f, w.check, w.bytes);
    if (*slot != 0) {
        *out = written_at(f, *slot - 1)->region;
        return RF_OK;
    }
    RF_TRY(write_region(f, bytes, w.check, &w.region, err));
    if (!block_buf_put(&f->regions, &w, sizeof w)) return block_no_memory(err, bytes->budget);
    *slot = (uint32_t)(f->regions.len / sizeof w);
    *out = w.region;
    return RF_OK;
}

/* ---- end --------------------------------------------------------------------------------------------------- */

char *extent_folder_of(const char *path, struct rf_arena *arena)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL) return rf_arena_cstr(arena, RF_S("."));
    return rf_arena_cstr(arena, rf_str_make(path, slash == path ? 1 : (size_t)(slash - path)));
}

static enum rf_kind sync_folder(struct extent_file *f, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init_shared(&arena, f->buffer.budget);
    char *folder = extent_folder_of(f->path, &arena);
    return folder == NULL ? rf_fail_memory(err, &arena) : rf_fs_sync_dir(f->fs, folder, err);
}

enum rf_kind extent_file_finish(struct extent_file *f, const struct extent_region *footer,
                                struct extent_info *info, struct rf_err *err)
{
    uint8_t trailer[EXTENT_TRAILER_BYTES] = {0};
    memcpy(trailer, extent_trailer_magic, 8);
    rf_put_u32le(trailer + 8, EXTENT_VERSION);
    rf_put_u32le(trailer + 12, f->crypt.on ? EXTENT_FLAG_ENCRYPTED : 0);
    memcpy(trailer + 16, f->crypt.id, sizeof f->crypt.id);
    memcpy(trailer + 32, f->crypt.key_check, sizeof f->crypt.key_check);
    rf_put_u64le(trailer + 40, footer->offset);
    rf_put_u32le(trailer + 48, footer->bytes);
    memcpy(trailer + 52, footer->check, sizeof footer->check);
    extent_checksum(trailer, 80, trailer + 80);
    RF_TRY(put_padding(f, err));
    RF_TRY(put_bytes(f, trailer, sizeof trailer, err));
    RF_TRY(flush(f, err));
    RF_TRY(rf_file_sync(f->file, err));
    RF_TRY(sync_folder(f, err));
    if (EVP_DigestFinal_ex(f->digest, info->digest, NULL) != 1)
        return RF_FAIL(err, RF_IO, "CryptoFailed", "cannot digest %s", f->path);
    info->file_bytes = f->offset;
    return RF_OK;
}

void extent_file_close(struct extent_file *f, bool keep)
{
    if (f->file != NULL) {
        rf_file_close(f->file);
        if (!keep) (void)rf_fs_unlink(f->fs, f->path, NULL);
    }
    EVP_MD_CTX_free(f->digest);
    block_buf_done(&f->buffer);
    block_buf_done(&f->regions);
    free(f->region_slots);
    *f = (struct extent_file){.buffer.budget = f->buffer.budget,
                              .regions.budget = f->regions.budget};
}
