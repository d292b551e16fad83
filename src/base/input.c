#include "base/input.h"

#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

enum { ZSTD_WINDOW_LOG_MAX = 27 };

struct input {
    struct rf_file *file; /* NULL: memory */
    const char *name;     /* for error texts */
    enum input_packing packing;
    /* Packed (or plain) bytes that were read and not yet used: raw[raw_at..raw_len]. */
    const uint8_t *raw;
    uint8_t *buffer; /* what raw points to, unless it is the caller's memory */
    size_t raw_at, raw_len;
    bool raw_end;
    uint64_t raw_offset; /* of the end of raw in the file */
    uint64_t raw_bytes;
    uint64_t offset;
    bool inside; /* a gzip member or zstd frame has begun and not ended */
    z_stream gzip;
    ZSTD_DStream *zstd;
};

/* ---- raw bytes ---------------------------------------------------------------------------------
 */

/* Reads more behind what is left; raw_end is set when there is none. */
static enum rf_kind refill(struct input *input, struct rf_err *err)
{
    if (input->raw_end) return RF_OK;
    if (input->file == NULL) {
        input->raw_end = true;
        return RF_OK;
    }
    size_t left = input->raw_len - input->raw_at, got;
    if (left > 0) memmove(input->buffer, input->buffer + input->raw_at, left);
    input->raw_at = 0;
    input->raw_len = left;
    RF_TRY(rf_file_read(input->file, input->buffer + left, INPUT_BUFFER_BYTES - left, &got, err));
    input->raw_len += got;
    input->raw_offset += got;
    input->raw_end = got == 0;
    return RF_OK;
}

static uint64_t used_offset(const struct input *input)
{
    return input->raw_offset - (input->raw_len - input->raw_at);
}

static enum rf_kind corrupt(const struct input *input, const char *code, const char *what,
                            struct rf_err *err)
{
    return RF_FAIL(err, RF_CORRUPT, code, "%s: %s at byte %llu", input->name, what,
                   (unsigned long long)used_offset(input));
}

/* ---- unpacking ---------------------------------------------------------------------------------
 */

static bool starts_gzip(const uint8_t *p, size_t len)
{
    return len >= 2 && p[0] == 0x1f && p[1] == 0x8b;
}

static bool starts_zstd(const uint8_t *p, size_t len)
{
    if (len < 4) return false;
    uint32_t magic = rf_get_u32le(p);
    return magic == ZSTD_MAGICNUMBER || (magic & 0xfffffff0u) == ZSTD_MAGIC_SKIPPABLE_START;
}

static enum rf_kind read_plain(struct input *input, void *bytes, size_t cap, size_t *got,
                               struct rf_err *err)
{
    size_t left = input->raw_len - input->raw_at;
    if (left > 0) {
        *got = RF_MIN(left, cap);
        memcpy(bytes, input->raw + input->raw_at, *got);
        input->raw_at += *got;
        return RF_OK;
    }
    *got = 0;
    if (input->file == NULL || input->raw_end) return RF_OK;
    RF_TRY(rf_file_read(input->file, bytes, cap, got, err));
    input->raw_offset += *got;
    input->raw_end = *got == 0;
    return RF_OK;
}

/* Between members: another one begins, or the end, perhaps after the zeros that tapes and block
 * devices pad with. */
static enum rf_kind next_member(struct input *input, bool *end, struct rf_err *err)
{
    for (;;) {
        const uint8_t *p = input->raw + input->raw_at;
        size_t left = input->raw_len - input->raw_at;
        if (starts_gzip(p, left)) break;
        if (left >= 2 && p[0] != 0) return corrupt(input, "BadGzip", "no gzip member", err);
        if (left >= 2) {
            input->raw_at++;
        } else if (input->raw_end) {
            if (left == 1 && p[0] != 0)
                return corrupt(input, "TruncatedInput", "half a gzip member", err);
            input->raw_at = input->raw_len;
            *end = true;
            return RF_OK;
        } else {
            RF_TRY(refill(input, err));
        }
    }
    if (inflateReset(&input->gzip) != Z_OK) return corrupt(input, "BadGzip", "no gzip member", err);
    input->inside = true;
    return RF_OK;
}

static enum rf_kind read_gzip(struct input *input, void *bytes, size_t cap, size_t *got,
                              struct rf_err *err)
{
    z_stream *z = &input->gzip;
    z->next_out = bytes;
    z->avail_out = (uInt)RF_MIN(cap, (size_t)1 << 30);
    uInt room = z->avail_out;
    while (z->avail_out == room) {
        bool end = false;
        if (!input->inside) RF_TRY(next_member(input, &end, err));
        if (end) break;
        if (input->raw_at == input->raw_len) {
            RF_TRY(refill(input, err));
            if (input->raw_end)
                return corrupt(input, "TruncatedInput", "the gzip stream breaks off", err);
        }
        /* zlib's input pointer is not const by an accident of history; it only reads. */
        z->next_in = (Bytef *)(uintptr_t)(input->raw + input->raw_at);
        z->avail_in = (uInt)RF_MIN(input->raw_len - input->raw_at, (size_t)1 << 30);
        uInt given = z->avail_in;
        int status = inflate(z, Z_NO_FLUSH);
        input->raw_at += given - z->avail_in;
        if (status == Z_STREAM_END) {
            input->inside = false;
        } else if (status == Z_MEM_ERROR) {
            return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "%s: no memory to unpack",
                           input->name);
        } else if (status != Z_OK && status != Z_BUF_ERROR) {
            /* What was unpacked before the fault is given first; the next call meets the fault
             * again. */
            if (z->avail_out != room) break;
            return corrupt(input, "BadGzip", z->msg != NULL ? z->msg : "damaged gzip data", err);
        }
    }
    *got = room - z->avail_out;
    return RF_OK;
}

static enum rf_kind read_zstd(struct input *input, void *bytes, size_t cap, size_t *got,
                              struct rf_err *err)
{
    ZSTD_outBuffer out = {bytes, cap, 0};
    while (out.pos == 0) {
        ZSTD_inBuffer in = {input->raw + input->raw_at, input->raw_len - input->raw_at, 0};
        if (in.size == 0) {
            RF_TRY(refill(input, err));
            if (!input->raw_end) continue;
            if (!input->inside) break;
        }
        size_t before = out.pos;
        size_t status = ZSTD_decompressStream(input->zstd, &out, &in);
        input->raw_at += in.pos;
        if (ZSTD_isError(status)) return corrupt(input, "BadZstd", ZSTD_getErrorName(status), err);
        input->inside = status != 0;
        if (in.size == 0 && out.pos == before && input->inside)
            return corrupt(input, "TruncatedInput", "the zstd stream breaks off", err);
    }
    *got = out.pos;
    return RF_OK;
}

enum rf_kind input_read(struct input *input, void *bytes, size_t cap, size_t *got,
                        struct rf_err *err)
{
    RF_ASSERT(cap > 0);
    size_t n = 0;
    if (input->packing == INPUT_GZIP)
        RF_TRY(read_gzip(input, bytes, cap, &n, err));
    else if (input->packing == INPUT_ZSTD)
        RF_TRY(read_zstd(input, bytes, cap, &n, err));
    else
        RF_TRY(read_plain(input, bytes, cap, &n, err));
    input->offset += n;
    *got = n;
    return RF_OK;
}

/* ---- opening -----------------------------------------------------------------------------------
 */

static enum rf_kind no_memory(const char *name, struct rf_err *err)
{
    return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "%s: no memory to read", name);
}

static enum rf_kind find_packing(struct input *input, struct rf_err *err)
{
    while (input->raw_len < 4 && !input->raw_end) RF_TRY(refill(input, err));
    if (starts_gzip(input->raw, input->raw_len)) {
        /* 16: gzip's header and checksum, not zlib's. */
        if (inflateInit2(&input->gzip, 15 + 16) != Z_OK) return no_memory(input->name, err);
        input->packing = INPUT_GZIP;
        input->inside = true;
    } else if (starts_zstd(input->raw, input->raw_len)) {
        input->zstd = ZSTD_createDStream();
        if (input->zstd == NULL) return no_memory(input->name, err);
        size_t status =
            ZSTD_DCtx_setParameter(input->zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_MAX);
        RF_ASSERT(!ZSTD_isError(status));
        input->packing = INPUT_ZSTD;
    }
    return RF_OK;
}

/* Takes the file, also when it fails. */
static enum rf_kind open_over(struct rf_file *file, const char *name, rf_str memory,
                              struct input **out, struct rf_err *err)
{
    struct input *input = calloc(1, sizeof *input);
    char *own_name = strdup(name);
    uint8_t *buffer = file == NULL ? NULL : malloc(INPUT_BUFFER_BYTES);
    if (input == NULL || own_name == NULL || (file != NULL && buffer == NULL)) {
        free(input);
        free(own_name);
        free(buffer);
        rf_file_close(file);
        return no_memory(name, err);
    }
    input->file = file;
    input->name = own_name;
    input->buffer = buffer;
    input->raw = file != NULL ? buffer : memory.len == 0 ? (const uint8_t *)"" : memory.ptr;
    input->raw_len = file == NULL ? memory.len : 0;
    input->raw_offset = input->raw_len;
    input->raw_bytes = memory.len;
    enum rf_kind kind = RF_OK;
    if (file != NULL) kind = rf_file_size(file, &input->raw_bytes, err);
    if (kind == RF_OK) kind = find_packing(input, err);
    if (kind != RF_OK)
        input_free(input);
    else
        *out = input;
    return kind;
}

enum rf_kind input_open(struct rf_fs *fs, const char *path, struct input **out, struct rf_err *err)
{
    struct rf_file *file = NULL;
    if (fs == NULL) fs = rf_fs_real();
    if (strcmp(path, "-") == 0) {
        int fd = dup(STDIN_FILENO);
        if (fd < 0) return RF_FAIL_ERRNO(err, "InputOutput", "cannot read standard input");
        enum rf_kind kind = rf_fs_real_adopt(fd, "standard input", &file, err);
        if (kind != RF_OK) {
            close(fd);
            return kind;
        }
        return open_over(file, "standard input", (rf_str){NULL, 0}, out, err);
    }
    struct rf_fs_stat stat;
    RF_TRY(rf_fs_stat(fs, path, &stat, err));
    if (stat.is_dir)
        return RF_FAIL(err, RF_INVALID, "NotAFile", "%s is a folder, not a file", path);
    RF_TRY(rf_fs_open(fs, path, RF_OPEN_READ, &file, err));
    return open_over(file, path, (rf_str){NULL, 0}, out, err);
}

enum rf_kind input_open_memory(rf_str bytes, struct input **out, struct rf_err *err)
{
    return open_over(NULL, "input", bytes, out, err);
}

void input_free(struct input *input)
{
    if (input == NULL) return;
    if (input->packing == INPUT_GZIP) inflateEnd(&input->gzip);
    ZSTD_freeDStream(input->zstd);
    rf_file_close(input->file);
    free(input->buffer);
    free((void *)(uintptr_t)input->name);
    free(input);
}

enum input_packing input_packing(const struct input *input) { return input->packing; }
uint64_t input_raw_offset(const struct input *input) { return used_offset(input); }
uint64_t input_raw_bytes(const struct input *input) { return input->raw_bytes; }
uint64_t input_offset(const struct input *input) { return input->offset; }
