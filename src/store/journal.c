/* journal.c
 *
 *   journal, little endian                   record, at a multiple of 8
 *   0   8  magic "RFJNL\0\0\1"               0   4  magic "RFJR"
 *   8   4  version                           4   1  kind: 1 rows, 2 end of a commit, 3 mark
 *   12  4  flags: 1 encrypted                5   1  coding of the body: 0 plain, 1 lz4
 *   16 16  salt                              6   2  zero
 *   32 16  key check, zero when plain        8   4  bytes of the body
 *   48  8  xxh3-64 of the above              12  4  bytes of the body before lz4
 *   56     records                           16  8  sequence: number of the commit
 *                                            24  4  row count
 *                                            28  4  zero
 *                                            32  8  time_min of the rows; with time_max below it: none
 *                                            40  8  time_max
 *                                            48 12  nonce when encrypted, else zero
 *                                            60  4  zero
 *                                            64 16  tag of AES-256-GCM when encrypted, else zero
 *                                            80 16  xxh3-128 of the body, seeded by the xxh3-64 of
 *                                                   bytes 0..79, seeded by the salt's first 8 bytes
 *                                            96     body: a batch, the position, nothing; then zeros
 *
 * The salt, drawn at random, makes sure that bytes of a body are never taken for a record. With a key
 * the body is encrypted by a key of the file's own, HMAC-SHA256(key, "ringfort journal" + salt), with
 * the record's bytes 0..47 as additional data.
 *
 * Reading stops at the first record that is not whole. When behind it there is a whole record of a later
 * commit, or a mark of the commit under way, then what is bad had been acknowledged: damage. */
#include "store/journal.h"

#include <lz4.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <xxhash.h>

#include "store/manifest.h"

enum {
    VERSION = 1,
    HEADER_BYTES = 56,
    SALT_BYTES = 16,
    RECORD_HEAD_BYTES = 96,
    CHECKED_BYTES = 80,
    SEALED_BYTES = 48, /* of a record's head, covered by the tag */
    NONCE_BYTES = 12,
    TAG_BYTES = 16,
    WINDOW_BYTES = 1 << 20,
    COPY_BYTES = 1 << 20,
    BODY_BYTES_MAX = 1 << 30
};
enum { RECORD_ROWS = 1, RECORD_COMMIT = 2, RECORD_MARK = 3 };
enum { CODING_PLAIN, CODING_LZ4 };
enum { FLAG_ENCRYPTED = 1 };
static const uint8_t file_magic[8] = "RFJNL\0\0\1";
static const uint8_t record_magic[4] = "RFJR";

/* What all records of one file share. */
struct journal_file {
    struct rf_file *file;
    const char *path;
    uint8_t salt[SALT_BYTES];
    uint64_t seed;
    bool encrypted;
    uint8_t key[32]; /* of this file */
    uint8_t key_check[MANIFEST_KEY_CHECK_BYTES];
    struct rf_budget *budget;
};

static enum rf_kind no_memory(const struct journal_file *f, struct rf_err *err)
{
    return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory for %s (budget %zu bytes)",
                   f->path, f->budget->limit_bytes);
}

static enum rf_kind damaged(const char *path, uint64_t from, uint64_t to, const char *why,
                            struct rf_err *err)
{
    return RF_FAIL(err, RF_CORRUPT, "JournalDamaged", "%s: bytes %llu..%llu: %s", path,
                   (unsigned long long)from, (unsigned long long)to, why);
}

static bool file_key(struct journal_file *f, const struct extent_key *key)
{
    uint8_t what[16 + SALT_BYTES] = "ringfort journal";
    unsigned len = sizeof f->key;
    memcpy(what + 16, f->salt, SALT_BYTES);
    return HMAC(EVP_sha256(), key->bytes, sizeof key->bytes, what, sizeof what, f->key, &len) !=
           NULL;
}

/* ---- a record's head -------------------------------------------------------------------------------- */

struct head {
    uint8_t kind, coding;
    uint32_t body_bytes, plain_bytes, row_count;
    uint64_t sequence;
    struct journal_times times;
};

static void head_put(const struct head *h, uint8_t out[RECORD_HEAD_BYTES])
{
    memset(out, 0, RECORD_HEAD_BYTES);
    memcpy(out, record_magic, sizeof record_magic);
    out[4] = h->kind;
    out[5] = h->coding;
    rf_put_u32le(out + 8, h->body_bytes);
    rf_put_u32le(out + 12, h->plain_bytes);
    rf_put_u64le(out + 16, h->sequence);
    rf_put_u32le(out + 24, h->row_count);
    rf_put_u64le(out + 32, (uint64_t)h->times.min);
    rf_put_u64le(out + 40, (uint64_t)h->times.max);
}

/* False when the bytes cannot be a head. */
static bool head_get(const uint8_t *p, struct head *out)
{
    *out = (struct head){
        .kind = p[4],
        .coding = p[5],
        .body_bytes = rf_get_u32le(p + 8),
        .plain_bytes = rf_get_u32le(p + 12),
        .sequence = rf_get_u64le(p + 16),
        .row_count = rf_get_u32le(p + 24),
        .times = {(int64_t)rf_get_u64le(p + 32), (int64_t)rf_get_u64le(p + 40)},
    };
    return memcmp(p, record_magic, sizeof record_magic) == 0 && out->kind >= RECORD_ROWS &&
           out->kind <= RECORD_MARK && out->coding <= CODING_LZ4 &&
           out->body_bytes <= BODY_BYTES_MAX && out->plain_bytes <= BODY_BYTES_MAX &&
           out->row_count <= BATCH_ROWS && (out->kind == RECORD_ROWS) == (out->row_count > 0);
}

static uint64_t record_bytes(const struct head *h)
{
    return RECORD_HEAD_BYTES + (((uint64_t)h->body_bytes + 7) & ~UINT64_C(7));
}

static void put_check(const struct journal_file *f, const uint8_t *head, rf_str body, uint8_t *out)
{
    XXH128_canonical_t canonical;
    uint64_t seed = XXH3_64bits_withSeed(head, CHECKED_BYTES, f->seed);
    XXH128_canonicalFromHash(&canonical, XXH3_128bits_withSeed(body.ptr, body.len, seed));
    memcpy(out, canonical.digest, 16);
}

/* ---- encryption -------------------------------------------------------------------------------------- */

/* In place. */
static bool seal_body(const struct journal_file *f, uint8_t *head, uint8_t *body, uint32_t len)
{
    if (RAND_bytes(head + 48, NONCE_BYTES) != 1) return false;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int done = 0;
    bool fine = ctx != NULL &&
                EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, f->key, head + 48) == 1 &&
                EVP_EncryptUpdate(ctx, NULL, &done, head, SEALED_BYTES) == 1 &&
                (len == 0 || EVP_EncryptUpdate(ctx, body, &done, body, (int)len) == 1) &&
                EVP_EncryptFinal_ex(ctx, body + len, &done) == 1 &&
                EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, TAG_BYTES, head + 64) == 1;
    EVP_CIPHER_CTX_free(ctx);
    return fine;
}

static bool open_body(const struct journal_file *f, const uint8_t *head, uint8_t *body,
                      uint32_t len)
{
    uint8_t tag[TAG_BYTES];
    memcpy(tag, head + 64, TAG_BYTES);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int done = 0;
    bool fine = ctx != NULL &&
                EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, f->key, head + 48) == 1 &&
                EVP_DecryptUpdate(ctx, NULL, &done, head, SEALED_BYTES) == 1 &&
                (len == 0 || EVP_DecryptUpdate(ctx, body, &done, body, (int)len) == 1) &&
                EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, TAG_BYTES, tag) == 1 &&
                EVP_DecryptFinal_ex(ctx, body + len, &done) == 1;
    EVP_CIPHER_CTX_free(ctx);
    return fine;
}

/* ---- writing ------------------------------------------------------------------------------------------ */

/* A record of rows for the next flush: sequence, nonce, tag and checksum are still missing. */
struct journal_pending {
    struct journal_pending *next;
    struct head head;
    uint8_t bytes[]; /* head, body, zeros */
};

struct journal_writer {
    struct journal_file f;
    struct rf_fs *fs;
    char *path;
    uint64_t end; /* where the next record goes; 0: the file is not there yet */
    uint64_t row_count;
    struct rf_arena pending_arena, work;
    struct journal_pending *first, **last;
    size_t pending_bytes, pending_plain_bytes;
    uint64_t pending_rows;
};

void journal_writer_free(struct journal_writer *w)
{
    if (w == NULL) return;
    rf_file_close(w->f.file);
    rf_arena_done(&w->pending_arena);
    rf_arena_done(&w->work);
    explicit_bzero(w->f.key, sizeof w->f.key);
    free(w->path);
    free(w);
}

static struct journal_writer *writer_alloc(struct rf_fs *fs, const char *path,
                                           struct rf_budget *budget)
{
    struct journal_writer *w = calloc(1, sizeof *w);
    if (w == NULL) return NULL;
    w->path = strdup(path);
    w->fs = fs;
    w->f = (struct journal_file){.path = w->path, .budget = budget};
    rf_arena_init_shared(&w->pending_arena, budget);
    rf_arena_init_shared(&w->work, budget);
    w->last = &w->first;
    if (w->path != NULL) return w;
    journal_writer_free(w);
    return NULL;
}

enum rf_kind journal_writer_new(const struct journal_options *options, struct journal_writer **out,
                                struct rf_err *err)
{
    struct journal_writer *w = writer_alloc(options->fs, options->path, options->budget);
    if (w == NULL)
        return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory for %s", options->path);
    w->f.encrypted = options->key != NULL && options->key->present;
    bool fine = RAND_bytes(w->f.salt, SALT_BYTES) == 1;
    w->f.seed = rf_get_u64le(w->f.salt);
    if (fine && w->f.encrypted) fine = file_key(&w->f, options->key);
    manifest_key_check(options->key, w->f.key_check);
    if (!fine) {
        journal_writer_free(w);
        return RF_FAIL(err, RF_IO, "NoRandomness", "no random bytes for %s", options->path);
    }
    *out = w;
    return RF_OK;
}

void journal_drop_pending(struct journal_writer *w)
{
    rf_arena_reset(&w->pending_arena);
    w->first = NULL;
    w->last = &w->first;
    w->pending_bytes = w->pending_plain_bytes = 0;
    w->pending_rows = 0;
}

/* Packs `plain` when that makes it smaller; false: lack of memory. */
static bool pack(struct rf_arena *work, rf_str plain, rf_str *body, uint8_t *coding)
{
    *body = plain;
    *coding = CODING_PLAIN;
    int room = plain.len > LZ4_MAX_INPUT_SIZE ? 0 : LZ4_compressBound((int)plain.len);
    if (room <= 0) return true;
    uint8_t *packed = rf_arena_alloc(work, (size_t)room);
    if (packed == NULL) return false;
    int len = LZ4_compress_default((const char *)plain.ptr, (char *)packed, (int)plain.len, room);
    if (len <= 0 || (size_t)len >= plain.len) return true;
    *body = rf_str_make(packed, (size_t)len);
    *coding = CODING_LZ4;
    return true;
}

enum rf_kind journal_put(struct journal_writer *w, const struct journal_batch *batch,
                         struct journal_times times, struct rf_err *err)
{
    rf_arena_reset(&w->work);
    struct rf_buf plain = rf_buf_in(&w->work);
    struct head head = {.kind = RECORD_ROWS, .row_count = batch->batch.row_count, .times = times};
    rf_str body;
    if (!journal_batch_encode(batch, &w->work, &plain)) return no_memory(&w->f, err);
    if (plain.len > BODY_BYTES_MAX)
        return RF_FAIL(err, RF_LIMIT, "BatchTooLarge", "a batch of %zu MB; %d MB are the most",
                       plain.len >> 20, BODY_BYTES_MAX >> 20);
    if (!pack(&w->work, rf_buf_view(&plain), &body, &head.coding)) return no_memory(&w->f, err);
    head.body_bytes = (uint32_t)body.len;
    head.plain_bytes = (uint32_t)plain.len;
    size_t bytes = record_bytes(&head);
    struct journal_pending *p = rf_arena_alloc(&w->pending_arena, sizeof *p + bytes);
    if (p == NULL) return no_memory(&w->f, err);
    p->next = NULL;
    p->head = head;
    memset(p->bytes + bytes - 8, 0, 8);
    memcpy(p->bytes + RECORD_HEAD_BYTES, body.ptr, body.len);
    *w->last = p;
    w->last = &p->next;
    w->pending_bytes += sizeof *p + bytes;
    w->pending_plain_bytes += plain.len;
    w->pending_rows += head.row_count;
    return RF_OK;
}

size_t journal_pending_bytes(const struct journal_writer *w) { return w->pending_bytes; }
size_t journal_pending_plain_bytes(const struct journal_writer *w)
{
    return w->pending_plain_bytes;
}
uint64_t journal_pending_rows(const struct journal_writer *w) { return w->pending_rows; }
uint64_t journal_bytes(const struct journal_writer *w) { return w->end; }
uint64_t journal_rows(const struct journal_writer *w) { return w->row_count; }
bool journal_exists(const struct journal_writer *w) { return w->end > 0; }

static enum rf_kind write_header(struct journal_writer *w, struct rf_err *err)
{
    uint8_t header[HEADER_BYTES] = {0};
    memcpy(header, file_magic, sizeof file_magic);
    rf_put_u32le(header + 8, VERSION);
    rf_put_u32le(header + 12, w->f.encrypted ? FLAG_ENCRYPTED : 0);
    memcpy(header + 16, w->f.salt, SALT_BYTES);
    memcpy(header + 32, w->f.key_check, MANIFEST_KEY_CHECK_BYTES);
    rf_put_u64le(header + 48, XXH3_64bits(header, 48));
    RF_TRY(rf_fs_open(w->fs, w->path,
                      RF_OPEN_READ | RF_OPEN_WRITE | RF_OPEN_CREATE | RF_OPEN_TRUNCATE, &w->f.file,
                      err));
    RF_TRY(rf_file_pwrite(w->f.file, header, sizeof header, 0, err));
    w->end = HEADER_BYTES;
    return RF_OK;
}

/* Completes a record of which head and body are in place. */
static enum rf_kind finish_record(struct journal_writer *w, const struct head *head, uint8_t *bytes,
                                  struct rf_err *err)
{
    head_put(head, bytes);
    uint8_t *body = bytes + RECORD_HEAD_BYTES;
    if (w->f.encrypted && !seal_body(&w->f, bytes, body, head->body_bytes))
        return RF_FAIL(err, RF_IO, "EncryptionFailed", "%s: a record cannot be encrypted", w->path);
    put_check(&w->f, bytes, rf_str_make(body, head->body_bytes), bytes + CHECKED_BYTES);
    return RF_OK;
}

static enum rf_kind write_record(struct journal_writer *w, const struct head *head, uint8_t *bytes,
                                 struct rf_err *err)
{
    RF_TRY(finish_record(w, head, bytes, err));
    RF_TRY(rf_file_pwrite(w->f.file, bytes, record_bytes(head), w->end, err));
    w->end += record_bytes(head);
    return RF_OK;
}

static enum rf_kind write_small(struct journal_writer *w, const struct head *head, rf_str body,
                                struct rf_err *err)
{
    rf_arena_reset(&w->work);
    uint8_t *bytes = rf_arena_zalloc(&w->work, record_bytes(head));
    if (bytes == NULL) return no_memory(&w->f, err);
    if (body.len > 0) memcpy(bytes + RECORD_HEAD_BYTES, body.ptr, body.len);
    return write_record(w, head, bytes, err);
}

static enum rf_kind write_mark(struct journal_writer *w, uint64_t sequence, struct rf_err *err)
{
    struct head mark = {.kind = RECORD_MARK, .sequence = sequence, .times = {0, -1}};
    return write_small(w, &mark, (rf_str){NULL, 0}, err);
}

enum rf_kind journal_flush(struct journal_writer *w, uint64_t sequence, rf_str position,
                           struct rf_err *err)
{
    RF_ASSERT(position.len <= MANIFEST_POSITION_BYTES_MAX);
    if (w->end == 0) RF_TRY(write_header(w, err));
    for (struct journal_pending *p = w->first; p != NULL; p = p->next) {
        p->head.sequence = sequence;
        RF_TRY(write_record(w, &p->head, p->bytes, err));
    }
    struct head commit = {.kind = RECORD_COMMIT,
                          .body_bytes = (uint32_t)position.len,
                          .plain_bytes = (uint32_t)position.len,
                          .sequence = sequence,
                          .times = {0, -1}};
    RF_TRY(write_small(w, &commit, position, err));
    RF_TRY(rf_file_sync(w->f.file, err));
    w->row_count += w->pending_rows;
    journal_drop_pending(w);
    /* Not synced: it only sharpens what can be told about damage. */
    return write_mark(w, sequence, err);
}

/* ---- reading ------------------------------------------------------------------------------------------- */

/* Reads a file front to back through one buffer that grows to the longest record. */
struct window {
    struct journal_file f;
    uint64_t file_bytes;
    uint8_t *buf;
    size_t cap, len;
    uint64_t from; /* offset of buf[0] */
};

static void window_done(struct window *w)
{
    rf_file_close(w->f.file);
    rf_budget_give(w->f.budget, w->cap);
    explicit_bzero(w->f.key, sizeof w->f.key);
    free(w->buf);
}

/* Makes bytes at..at+len of the file readable; NULL without an error when the file is too short. */
static enum rf_kind window_get(struct window *w, uint64_t at, size_t len, uint8_t **out,
                               struct rf_err *err)
{
    *out = NULL;
    if (at > w->file_bytes || len > w->file_bytes - at) return RF_OK;
    if (at >= w->from && at - w->from <= w->len && w->len - (at - w->from) >= len) {
        *out = w->buf + (at - w->from);
        return RF_OK;
    }
    size_t cap = RF_MAX(len, (size_t)RF_MIN((uint64_t)WINDOW_BYTES, w->file_bytes));
    if (cap > w->cap) {
        uint8_t *buf = NULL;
        if (rf_budget_take(w->f.budget, cap - w->cap)) {
            buf = realloc(w->buf, cap);
            if (buf == NULL) rf_budget_give(w->f.budget, cap - w->cap);
        }
        if (buf == NULL) return no_memory(&w->f, err);
        w->buf = buf;
        w->cap = cap;
    }
    w->from = at;
    w->len = 0;
    size_t got;
    RF_TRY(rf_file_pread(w->f.file, w->buf, w->cap, at, &got, err));
    w->len = got;
    if (got >= len) *out = w->buf;
    return RF_OK;
}

static enum rf_kind window_open(const struct journal_options *options, struct window *w,
                                struct rf_err *err)
{
    *w = (struct window){.f = {.path = options->path, .budget = options->budget}};
    uint8_t *p, check[MANIFEST_KEY_CHECK_BYTES];
    RF_TRY(rf_fs_open(options->fs, options->path, RF_OPEN_READ, &w->f.file, err));
    RF_TRY(rf_file_size(w->f.file, &w->file_bytes, err));
    RF_TRY(window_get(w, 0, HEADER_BYTES, &p, err));
    if (p == NULL || memcmp(p, file_magic, sizeof file_magic) != 0 ||
        XXH3_64bits(p, 48) != rf_get_u64le(p + 48))
        return damaged(options->path, 0, HEADER_BYTES, "this is no journal's header", err);
    if (rf_get_u32le(p + 8) != VERSION)
        return RF_FAIL(err, RF_INVALID, "JournalVersion",
                       "%s has version %u; this program reads version %d", options->path,
                       rf_get_u32le(p + 8), VERSION);
    w->f.encrypted = (rf_get_u32le(p + 12) & FLAG_ENCRYPTED) != 0;
    memcpy(w->f.salt, p + 16, SALT_BYTES);
    memcpy(w->f.key_check, p + 32, MANIFEST_KEY_CHECK_BYTES);
    w->f.seed = rf_get_u64le(w->f.salt);
    if (!w->f.encrypted) return RF_OK;
    manifest_key_check(options->key, check);
    if (options->key == NULL || memcmp(check, w->f.key_check, sizeof check) != 0)
        return RF_FAIL(err, RF_DENIED, "WrongKey", "%s is encrypted with another key",
                       options->path);
    return file_key(&w->f, options->key) ? RF_OK : no_memory(&w->f, err);
}

/* The record at `at`; *bytes is NULL when there is no whole one. */
static enum rf_kind record_at(struct window *w, uint64_t at, struct head *head, uint8_t **bytes,
                              struct rf_err *err)
{
    uint8_t check[16], *p;
    *bytes = NULL;
    RF_TRY(window_get(w, at, RECORD_HEAD_BYTES, &p, err));
    if (p == NULL || !head_get(p, head)) return RF_OK;
    RF_TRY(window_get(w, at, record_bytes(head), &p, err));
    if (p == NULL) return RF_OK;
    put_check(&w->f, p, rf_str_make(p + RECORD_HEAD_BYTES, head->body_bytes), check);
    if (memcmp(check, p + CHECKED_BYTES, sizeof check) == 0) *bytes = p;
    return RF_OK;
}

/* Whether something behind `at` shows that commit `sequence` or a later one was acknowledged. */
static enum rf_kind find_later(struct window *w, uint64_t at, uint64_t sequence, uint64_t *found,
                               struct rf_err *err)
{
    *found = 0;
    for (at += 8; at + RECORD_HEAD_BYTES <= w->file_bytes; at += 8) {
        struct head head;
        uint8_t *p;
        RF_TRY(window_get(w, at, RECORD_HEAD_BYTES, &p, err));
        if (p == NULL) return RF_OK;
        if (memcmp(p, record_magic, sizeof record_magic) != 0) continue;
        RF_TRY(record_at(w, at, &head, &p, err));
        if (p == NULL) continue;
        if (head.sequence > sequence || (head.kind == RECORD_MARK && head.sequence == sequence)) {
            *found = at;
            return RF_OK;
        }
    }
    return RF_OK;
}

/* The encrypted or packed body as it was; NULL *out: it is damaged. */
static enum rf_kind unpack(struct window *w, const struct head *head, uint8_t *record,
                           struct rf_arena *arena, rf_str *out, bool *fine, struct rf_err *err)
{
    uint8_t *body = record + RECORD_HEAD_BYTES;
    *fine = false;
    if (w->f.encrypted) {
        uint8_t *clear = rf_arena_alloc(arena, (size_t)head->body_bytes + 16);
        if (clear == NULL) return rf_fail_memory(err, arena);
        memcpy(clear, body, head->body_bytes);
        if (!open_body(&w->f, record, clear, head->body_bytes)) return RF_OK;
        body = clear;
    }
    *out = rf_str_make(body, head->body_bytes);
    *fine = head->plain_bytes == head->body_bytes;
    if (head->coding == CODING_PLAIN) return RF_OK;
    /* lz4 gives at most 255 bytes for one: a smaller body cannot be honest about its size. */
    *fine = head->plain_bytes / 255 <= head->body_bytes;
    if (!*fine) return RF_OK;
    uint8_t *plain = rf_arena_alloc(arena, head->plain_bytes);
    if (plain == NULL) return rf_fail_memory(err, arena);
    int len = LZ4_decompress_safe((const char *)body, (char *)plain, (int)head->body_bytes,
                                  (int)head->plain_bytes);
    *fine = len >= 0 && (uint32_t)len == head->plain_bytes;
    *out = rf_str_make(plain, head->plain_bytes);
    return RF_OK;
}

static void add_times(struct journal_times *times, struct journal_times more)
{
    if (more.max < more.min) return;
    bool none = times->max < times->min;
    times->min = none ? more.min : RF_MIN(times->min, more.min);
    times->max = none ? more.max : RF_MAX(times->max, more.max);
}

static enum rf_kind scan_records(struct window *w, struct rf_arena *arena,
                                 struct journal_summary *out, struct rf_err *err)
{
    struct journal_summary s = {.end = HEADER_BYTES, .times = {0, -1}, .all_times = true};
    struct journal_summary group = s; /* s, and what the commit under way adds */
    bool under_way = false;
    uint64_t at = HEADER_BYTES;
    for (;;) {
        struct head head;
        uint8_t *record;
        RF_TRY(record_at(w, at, &head, &record, err));
        /* A record whose sequence does not go on is as bad as none. */
        bool fits = record != NULL;
        if (fits && head.kind == RECORD_MARK)
            fits = !under_way && head.sequence == s.sequence;
        else if (fits && under_way)
            fits = head.sequence == group.sequence;
        else if (fits)
            fits = head.sequence > s.sequence;
        if (!fits) break;
        at += record_bytes(&head);
        if (head.kind == RECORD_MARK) {
            s.end = group.end = at;
            continue;
        }
        under_way = head.kind == RECORD_ROWS;
        group.sequence = head.sequence;
        if (head.kind == RECORD_ROWS) {
            group.row_count += head.row_count;
            group.all_times &= head.times.max >= head.times.min;
            add_times(&group.times, head.times);
            continue;
        }
        rf_str position;
        bool fine;
        RF_TRY(unpack(w, &head, record, arena, &position, &fine, err));
        if (!fine || !rf_arena_str(arena, position, &group.position))
            return fine ? rf_fail_memory(err, arena)
                        : damaged(w->f.path, s.end, at, "a commit cannot be unpacked", err);
        group.end = at;
        group.commit_count++;
        s = group;
    }
    uint64_t found;
    RF_TRY(find_later(w, at, s.sequence + 1, &found, err));
    if (found != 0) return damaged(w->f.path, at, found, "an acknowledged record is bad", err);
    s.tail_bytes = w->file_bytes - s.end;
    *out = s;
    return RF_OK;
}

enum rf_kind journal_scan(const struct journal_options *options, struct rf_arena *arena,
                          struct journal_summary *out, struct rf_err *err)
{
    RF_CLEANUP(window_done) struct window w;
    RF_TRY(window_open(options, &w, err));
    return scan_records(&w, arena, out, err);
}

struct journal_reader {
    struct window w;
    char *path;
    uint64_t at, end;
    struct rf_arena arena;
};

void journal_reader_free(struct journal_reader *r)
{
    if (r == NULL) return;
    window_done(&r->w);
    rf_arena_done(&r->arena);
    free(r->path);
    free(r);
}

enum rf_kind journal_reader_open(const struct journal_options *options, uint64_t end,
                                 struct journal_reader **out, struct rf_err *err)
{
    struct journal_reader *r = calloc(1, sizeof *r);
    char *path = strdup(options->path);
    if (r == NULL || path == NULL) {
        free(r);
        free(path);
        return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory for %s", options->path);
    }
    r->path = path;
    r->at = HEADER_BYTES;
    r->end = end;
    rf_arena_init_shared(&r->arena, options->budget);
    struct journal_options own = *options;
    own.path = path;
    enum rf_kind kind = window_open(&own, &r->w, err);
    if (kind != RF_OK) {
        journal_reader_free(r);
        return kind;
    }
    *out = r;
    return RF_OK;
}

/* Adds the place to what journal_batch_decode said. */
static enum rf_kind decode_at(const char *path, uint64_t from, uint64_t to, rf_str plain,
                              const struct extent_column *columns, uint32_t column_count,
                              struct rf_arena *arena, struct journal_batch *out, struct rf_err *err)
{
    struct rf_err why;
    enum rf_kind kind = journal_batch_decode(plain, columns, column_count, arena, out, &why);
    if (kind == RF_CORRUPT) return damaged(path, from, to, why.text, err);
    if (kind != RF_OK && err != NULL) *err = why;
    return kind;
}

enum rf_kind journal_read(struct journal_reader *r, const struct extent_column *columns,
                          uint32_t column_count, int64_t min, int64_t max,
                          struct journal_batch *out, struct rf_err *err)
{
    while (r->at < r->end) {
        struct head head;
        uint8_t *record;
        RF_TRY(record_at(&r->w, r->at, &head, &record, err));
        uint64_t from = r->at, to = from + RECORD_HEAD_BYTES;
        if (record == NULL) return damaged(r->path, from, to, "a record is bad", err);
        r->at = to = from + record_bytes(&head);
        if (head.kind != RECORD_ROWS) continue;
        bool timed = head.times.max >= head.times.min, fine;
        if (timed && (head.times.max < min || head.times.min > max)) continue;
        rf_arena_reset(&r->arena);
        rf_str plain;
        RF_TRY(unpack(&r->w, &head, record, &r->arena, &plain, &fine, err));
        if (!fine) return damaged(r->path, from, to, "a record cannot be unpacked", err);
        struct journal_batch batch;
        RF_TRY(decode_at(r->path, from, to, plain, columns, column_count, &r->arena, &batch, err));
        if (batch.batch.row_count != head.row_count)
            return damaged(r->path, from, to, "a record has another number of rows", err);
        *out = batch;
        return RF_OK;
    }
    *out = (struct journal_batch){.batch = {.arena = &r->arena}};
    return RF_OK;
}

const struct journal_pending *journal_pending_first(const struct journal_writer *w)
{
    return w->first;
}

const struct journal_pending *journal_pending_next(const struct journal_pending *p)
{
    return p->next;
}

enum rf_kind journal_pending_read(const struct journal_writer *w, const struct journal_pending *p,
                                  const struct extent_column *columns, uint32_t column_count,
                                  struct rf_arena *arena, struct journal_batch *out,
                                  struct rf_err *err)
{
    rf_str plain = rf_str_make(p->bytes + RECORD_HEAD_BYTES, p->head.body_bytes);
    if (p->head.coding == CODING_LZ4) {
        uint8_t *bytes = rf_arena_alloc(arena, p->head.plain_bytes);
        if (bytes == NULL) return rf_fail_memory(err, arena);
        int len = LZ4_decompress_safe((const char *)plain.ptr, (char *)bytes, (int)plain.len,
                                      (int)p->head.plain_bytes);
        RF_ASSERT(len == (int)p->head.plain_bytes);
        plain = rf_str_make(bytes, p->head.plain_bytes);
    }
    return decode_at(w->path, 0, 0, plain, columns, column_count, arena, out, err);
}

/* ---- copying ------------------------------------------------------------------------------------------- */

/* Bytes from..end, behind what `to` has. */
static enum rf_kind copy_bytes(struct rf_file *file, uint64_t from, uint64_t end,
                               struct journal_writer *to, struct rf_err *err)
{
    uint8_t *buf = rf_arena_alloc(&to->work, COPY_BYTES);
    if (buf == NULL) return no_memory(&to->f, err);
    for (uint64_t at = from; at < end;) {
        size_t len = (size_t)RF_MIN(end - at, (uint64_t)COPY_BYTES);
        RF_TRY(rf_file_pread_all(file, buf, len, at, err));
        RF_TRY(rf_file_pwrite(to->f.file, buf, len, to->end, err));
        at += len;
        to->end += len;
    }
    return rf_file_sync(to->f.file, err);
}

enum rf_kind journal_tail(const struct journal_writer *w, uint64_t from, uint64_t rows,
                          const char *to, struct journal_writer **out, struct rf_err *err)
{
    RF_ASSERT(w->pending_rows == 0);
    RF_ASSERT(from >= HEADER_BYTES && from <= w->end);
    struct journal_writer *copy = writer_alloc(w->fs, to, w->f.budget);
    if (copy == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory for %s", to);
    copy->f = w->f;
    copy->f.path = copy->path;
    copy->f.file = NULL;
    copy->row_count = w->row_count - rows;
    enum rf_kind kind = write_header(copy, err);
    if (kind == RF_OK) kind = copy_bytes(w->f.file, from, w->end, copy, err);
    if (kind != RF_OK) {
        journal_writer_free(copy);
        (void)rf_fs_unlink(w->fs, to, NULL);
        return kind;
    }
    *out = copy;
    return RF_OK;
}

enum rf_kind journal_copy(const struct journal_options *from, const struct journal_summary *summary,
                          const char *to, struct journal_writer **out, struct rf_err *err)
{
    RF_CLEANUP(window_done) struct window w;
    RF_TRY(window_open(from, &w, err));
    struct journal_writer *copy = writer_alloc(from->fs, to, from->budget);
    if (copy == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory for %s", to);
    copy->f = w.f;
    copy->f.path = copy->path;
    copy->f.file = NULL;
    copy->row_count = summary->row_count;
    enum rf_kind kind =
        rf_fs_open(from->fs, to, RF_OPEN_READ | RF_OPEN_WRITE | RF_OPEN_CREATE | RF_OPEN_TRUNCATE,
                   &copy->f.file, err);
    if (kind == RF_OK) kind = copy_bytes(w.f.file, 0, summary->end, copy, err);
    if (kind == RF_OK) kind = write_mark(copy, summary->sequence, err);
    if (kind != RF_OK) {
        journal_writer_free(copy);
        (void)rf_fs_unlink(from->fs, to, NULL);
        return kind;
    }
    *out = copy;
    return RF_OK;
}
