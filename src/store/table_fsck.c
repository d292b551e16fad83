/* table_fsck.c - reads everything that a table holds and says what is wrong with it. */
#include <openssl/evp.h>
#include <stdlib.h>

#include "store/table_int.h"

enum { DIGEST_READ_BYTES = 1 << 18 };

struct fsck {
    const struct store *store;
    const struct extent_key *key;
    struct extent_key own_key;
    const char *folder;
    struct manifest m;
    void (*fault)(void *state, const struct rf_err *err);
    void *state;
    uint64_t faults;
    struct rf_err first;
};

static void tell(struct fsck *f, const struct rf_err *err)
{
    if (f->faults++ == 0) f->first = *err;
    if (f->fault != NULL) f->fault(f->state, err);
}

/* Damage is told and the check goes on; whatever else fails ends it. */
static enum rf_kind judge(struct fsck *f, enum rf_kind kind, const struct rf_err *why,
                          struct rf_err *err)
{
    if (kind == RF_OK) return RF_OK;
    if (kind == RF_CORRUPT || kind == RF_NOT_FOUND || kind == RF_INVALID) {
        tell(f, why);
        return RF_OK;
    }
    if (err != NULL) *err = *why;
    return kind;
}

static enum rf_kind digest_file(struct rf_file *file, EVP_MD_CTX *ctx, uint8_t *buf,
                                uint8_t out[32], struct rf_err *err)
{
    unsigned len = 0;
    uint64_t at = 0;
    size_t got;
    if (EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1)
        return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory for a digest");
    do {
        RF_TRY(rf_file_pread(file, buf, DIGEST_READ_BYTES, at, &got, err));
        (void)EVP_DigestUpdate(ctx, buf, got);
        at += got;
    } while (got > 0);
    (void)EVP_DigestFinal_ex(ctx, out, &len);
    return RF_OK;
}

static void done_ctx(EVP_MD_CTX **ctx) { EVP_MD_CTX_free(*ctx); }

static enum rf_kind check_digest(const struct fsck *f, const struct manifest_extent *e,
                                 const char *path, struct rf_err *err)
{
    RF_CLEANUP(rf_file_cleanup) struct rf_file *file = NULL;
    RF_CLEANUP(done_ctx) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init_shared(&arena, f->store->options.budget);
    uint8_t digest[32] = {0}, *buf = rf_arena_alloc(&arena, DIGEST_READ_BYTES);
    if (ctx == NULL || buf == NULL) return rf_fail_memory(err, &arena);
    uint64_t bytes;
    RF_TRY(rf_fs_open(f->store->options.fs, path, RF_OPEN_READ, &file, err));
    RF_TRY(rf_file_size(file, &bytes, err));
    RF_TRY(digest_file(file, ctx, buf, digest, err));
    if (bytes == e->info.file_bytes && memcmp(digest, e->info.digest, sizeof digest) == 0)
        return RF_OK;
    return RF_FAIL(err, RF_CORRUPT, "ExtentDamaged",
                   "%s: bytes 0..%llu: size or SHA-256 are not what the manifest says", path,
                   (unsigned long long)bytes);
}

static enum rf_kind check_extent(const struct fsck *f, const struct manifest_extent *e,
                                 struct rf_err *err)
{
    struct table_path path = table_extent_path(f->folder, e->number);
    struct extent_options options = table_extent_options(f->store, f->key);
    struct extent *extent;
    uint64_t blocks = 0;
    RF_TRY(extent_open(&options, path.text, &extent, err));
    enum rf_kind kind = extent_verify(extent, &blocks, err);
    if (kind == RF_OK && extent_row_count(extent) != e->info.row_count)
        kind = RF_FAIL(err, RF_CORRUPT, "ExtentDamaged",
                       "%s: it has %llu rows; the manifest says %llu", path.text,
                       (unsigned long long)extent_row_count(extent),
                       (unsigned long long)e->info.row_count);
    extent_free(extent);
    /* Last, because block faults tell more. */
    return kind == RF_OK ? check_digest(f, e, path.text, err) : kind;
}

static enum rf_kind check_journal(const struct fsck *f, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init_shared(&arena, f->store->options.budget);
    struct table_path path = table_journal_path(f->folder, f->m.journal);
    struct journal_options options = table_journal_options(f->store, f->key, path.text);
    struct journal_summary summary;
    struct journal_reader *reader;
    struct journal_batch batch;
    RF_TRY(journal_scan(&options, &arena, &summary, err));
    RF_TRY(journal_reader_open(&options, summary.end, &reader, err));
    enum rf_kind kind;
    do
        kind = journal_read(reader, f->m.columns, f->m.column_count, INT64_MIN, INT64_MAX, &batch,
                            err);
    while (kind == RF_OK && batch.batch.row_count > 0);
    journal_reader_free(reader);
    return kind;
}

static enum rf_kind check_all(struct fsck *f, struct rf_err *err)
{
    struct rf_err why;
    for (uint32_t i = 0; i < f->m.extent_count; i++)
        RF_TRY(judge(f, check_extent(f, &f->m.extents[i], &why), &why, err));
    if (f->m.journal != 0) RF_TRY(judge(f, check_journal(f, &why), &why, err));
    return RF_OK;
}

enum rf_kind table_fsck(struct store *store, rf_str name,
                        void (*fault)(void *state, const struct rf_err *err), void *state,
                        struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    RF_CLEANUP(rf_file_cleanup) struct rf_file *held = NULL;
    rf_arena_init_shared(&arena, store->options.budget);
    struct fsck f = {.store = store, .fault = fault, .state = state};
    struct table_path folder;
    struct rf_err why;
    RF_TRY(table_folder(store, name, &folder, err));
    f.folder = folder.text;
    enum rf_kind kind = table_manifest_read(store, name, folder.text, &arena, &f.m, &held, &why);
    if (kind == RF_NOT_FOUND) {
        if (err != NULL) *err = why;
        return kind;
    }
    if (kind == RF_OK) kind = table_key(store, name, folder.text, &f.m, &f.own_key, &f.key, &why);
    if (kind == RF_OK) kind = check_all(&f, &why);
    explicit_bzero(&f.own_key, sizeof f.own_key);
    RF_TRY(judge(&f, kind, &why, err));
    if (f.faults == 0) return RF_OK;
    if (err != NULL) *err = f.first;
    return RF_CORRUPT;
}
