/* manifest.c
 *
 *   manifest, little endian
 *   0   8  magic "RFMAN\0\0\1"
 *   8   4  version
 *   12  4  flags: 1 the table's files are encrypted
 *   16  8  generation
 *   24  8  bytes of the whole file
 *   32 16  key check; zero when not encrypted
 *   48  8  next file number
 *   56  8  journal number, 0: none
 *   64  8  sequence of the last commit held here
 *   72  8  retention in ticks, 0: none
 *   80  4  column count
 *   84  4  extent count
 *   88  4  dropped count
 *   92  4  bytes of the position
 *   96     columns: 1 type, 1 zero, 2 bytes of the name, the name
 *          extents, 80 bytes each: 8 number, 8 rows, 8 file bytes, 8 time_min, 8 time_max,
 *            32 SHA-256 of the file, 1 flags (1 full), 7 zero
 *          dropped, 24 bytes each: 8 number, 8 since (usec), 1 file, 7 zero
 *          position
 *          16 xxh3-128 of all before it
 *
 * A reader refuses versions it does not know; a later version may append fields only under a new
 * version number. */
#include "store/manifest.h"

#include <openssl/hmac.h>
#include <xxhash.h>

enum { VERSION = 1, HEADER_BYTES = 96, EXTENT_BYTES = 80, DROPPED_BYTES = 24, CHECK_BYTES = 16 };
static const uint8_t magic[8] = "RFMAN\0\0\1";

enum { FLAG_ENCRYPTED = 1, FLAG_FULL = 1 };

static void put_u64(struct rf_buf *out, uint64_t v) { rf_buf_put(out, &v, sizeof v); }
static void put_u32(struct rf_buf *out, uint32_t v) { rf_buf_put(out, &v, sizeof v); }

static void put_zeros(struct rf_buf *out, size_t count)
{
    static const uint8_t zeros[8];
    rf_buf_put(out, zeros, count);
}

static void put_check(uint8_t *at, const uint8_t *bytes, size_t len)
{
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits(bytes, len));
    memcpy(at, canonical.digest, CHECK_BYTES);
}

void manifest_encode(const struct manifest *m, struct rf_buf *out)
{
    size_t start = out->len;
    RF_ASSERT(m->column_count <= MANIFEST_COLUMNS_MAX);
    RF_ASSERT(m->position.len <= MANIFEST_POSITION_BYTES_MAX);
    rf_buf_put(out, magic, sizeof magic);
    put_u32(out, VERSION);
    put_u32(out, m->encrypted ? FLAG_ENCRYPTED : 0);
    put_u64(out, m->generation);
    put_u64(out, 0); /* the length, below */
    rf_buf_put(out, m->key_check, MANIFEST_KEY_CHECK_BYTES);
    put_u64(out, m->next_number);
    put_u64(out, m->journal);
    put_u64(out, m->sequence);
    put_u64(out, (uint64_t)m->retention_ticks);
    put_u32(out, m->column_count);
    put_u32(out, m->extent_count);
    put_u32(out, m->dropped_count);
    put_u32(out, (uint32_t)m->position.len);
    for (uint32_t i = 0; i < m->column_count; i++) {
        const struct extent_column *column = &m->columns[i];
        RF_ASSERT(column->name.len <= MANIFEST_NAME_BYTES_MAX);
        uint16_t len = (uint16_t)column->name.len;
        rf_buf_byte(out, column->type);
        rf_buf_byte(out, 0);
        rf_buf_put(out, &len, sizeof len);
        rf_buf_str(out, column->name);
    }
    for (uint32_t i = 0; i < m->extent_count; i++) {
        const struct manifest_extent *e = &m->extents[i];
        put_u64(out, e->number);
        put_u64(out, e->info.row_count);
        put_u64(out, e->info.file_bytes);
        put_u64(out, (uint64_t)e->info.time_min);
        put_u64(out, (uint64_t)e->info.time_max);
        rf_buf_put(out, e->info.digest, sizeof e->info.digest);
        rf_buf_byte(out, e->full ? FLAG_FULL : 0);
        put_zeros(out, 7);
    }
    for (uint32_t i = 0; i < m->dropped_count; i++) {
        put_u64(out, m->dropped[i].number);
        put_u64(out, (uint64_t)m->dropped[i].since);
        rf_buf_byte(out, (uint8_t)m->dropped[i].file);
        put_zeros(out, 7);
    }
    rf_buf_str(out, m->position);
    if (!rf_buf_reserve(out, CHECK_BYTES)) return;
    if (out->failed) return;
    rf_put_u64le(out->ptr + start + 24, out->len - start + CHECK_BYTES);
    put_check(out->ptr + out->len, out->ptr + start, out->len - start);
    out->len += CHECK_BYTES;
}

/* ---- reading ------------------------------------------------------------------------------------ */

struct cursor {
    const uint8_t *at, *end;
};

static bool take(struct cursor *c, size_t len, const uint8_t **out)
{
    if ((size_t)(c->end - c->at) < len) return false;
    *out = c->at;
    c->at += len;
    return true;
}

static bool known_name(const struct manifest *m, uint32_t count, rf_str name)
{
    for (uint32_t i = 0; i < count; i++)
        if (rf_str_eq(m->columns[i].name, name)) return true;
    return false;
}

/* NULL when fine, else what is wrong. Lack of memory: see *no_memory. */
static const char *read_columns(struct cursor *c, struct manifest *m, struct rf_arena *arena,
                                bool *no_memory)
{
    m->columns = rf_arena_new(arena, struct extent_column, m->column_count);
    *no_memory = m->columns == NULL;
    for (uint32_t i = 0; i < m->column_count && !*no_memory; i++) {
        const uint8_t *head, *name;
        if (!take(c, 4, &head) || !take(c, rf_get_u16le(head + 2), &name)) return "a column is cut";
        rf_str text = rf_str_make(name, rf_get_u16le(head + 2));
        if (head[0] >= TYPE_COUNT || text.len == 0 || text.len > MANIFEST_NAME_BYTES_MAX)
            return "a column has an unknown type or no name";
        /* Wide tables come from files that were checked before: all pairs would take too long. */
        if (i < 2048 && known_name(m, i, text)) return "two columns have one name";
        m->columns[i].type = head[0];
        if (!rf_arena_str(arena, text, &m->columns[i].name)) *no_memory = true;
    }
    return NULL;
}

static const char *read_extents(struct cursor *c, struct manifest *m, struct rf_arena *arena,
                                bool *no_memory)
{
    m->extents = rf_arena_new(arena, struct manifest_extent, m->extent_count);
    *no_memory = m->extents == NULL;
    for (uint32_t i = 0; i < m->extent_count && !*no_memory; i++) {
        const uint8_t *p;
        if (!take(c, EXTENT_BYTES, &p)) return "an extent is cut";
        struct manifest_extent *e = &m->extents[i];
        e->number = rf_get_u64le(p);
        e->info.row_count = rf_get_u64le(p + 8);
        e->info.file_bytes = rf_get_u64le(p + 16);
        e->info.time_min = (int64_t)rf_get_u64le(p + 24);
        e->info.time_max = (int64_t)rf_get_u64le(p + 32);
        memcpy(e->info.digest, p + 40, sizeof e->info.digest);
        e->full = (p[72] & FLAG_FULL) != 0;
        if (e->number == 0 || e->number >= m->next_number || e->info.row_count > EXTENT_ROWS_MAX)
            return "an extent's number or row count is out of range";
    }
    return NULL;
}

static const char *read_dropped(struct cursor *c, struct manifest *m, struct rf_arena *arena,
                                bool *no_memory)
{
    m->dropped = rf_arena_new(arena, struct manifest_dropped, m->dropped_count);
    *no_memory = m->dropped == NULL;
    for (uint32_t i = 0; i < m->dropped_count && !*no_memory; i++) {
        const uint8_t *p;
        if (!take(c, DROPPED_BYTES, &p)) return "a dropped file is cut";
        m->dropped[i].number = rf_get_u64le(p);
        m->dropped[i].since = (rf_usec)rf_get_u64le(p + 8);
        m->dropped[i].file = p[16] == 0 ? MANIFEST_EXTENT_FILE : MANIFEST_JOURNAL_FILE;
        if (p[16] > MANIFEST_JOURNAL_FILE) return "a dropped file is of an unknown kind";
    }
    return NULL;
}

static const char *read_body(struct cursor *c, struct manifest *m, uint32_t position_bytes,
                             struct rf_arena *arena, bool *no_memory)
{
    const char *wrong = read_columns(c, m, arena, no_memory);
    if (wrong == NULL && !*no_memory) wrong = read_extents(c, m, arena, no_memory);
    if (wrong == NULL && !*no_memory) wrong = read_dropped(c, m, arena, no_memory);
    if (wrong != NULL || *no_memory) return wrong;
    const uint8_t *position;
    if (!take(c, position_bytes, &position) || c->at != c->end) return "its length is wrong";
    *no_memory = !rf_arena_str(arena, rf_str_make(position, position_bytes), &m->position);
    return NULL;
}

static enum rf_kind damaged(const char *path, const char *wrong, size_t len, struct rf_err *err)
{
    return RF_FAIL(err, RF_CORRUPT, "ManifestDamaged", "%s: bytes 0..%zu: %s", path, len, wrong);
}

enum rf_kind manifest_decode(rf_str bytes, const char *path, struct rf_arena *arena,
                             struct manifest *out, struct rf_err *err)
{
    const uint8_t *p = bytes.ptr;
    if (bytes.len < HEADER_BYTES + CHECK_BYTES || memcmp(p, magic, sizeof magic) != 0)
        return damaged(path, "this is no manifest", bytes.len, err);
    uint8_t check[CHECK_BYTES];
    put_check(check, p, bytes.len - CHECK_BYTES);
    bool sound = memcmp(check, p + bytes.len - CHECK_BYTES, CHECK_BYTES) == 0;
    /* A newer version may be checksummed in another way, so the version is looked at first. */
    if (rf_get_u32le(p + 8) != VERSION)
        return sound ? RF_FAIL(err, RF_INVALID, "ManifestVersion",
                               "%s has version %u; this program reads version %d", path,
                               rf_get_u32le(p + 8), VERSION)
                     : damaged(path, "an unknown version", bytes.len, err);
    if (!sound || rf_get_u64le(p + 24) != bytes.len)
        return damaged(path, "the checksum does not fit", bytes.len, err);
    struct manifest m = {
        .encrypted = (rf_get_u32le(p + 12) & FLAG_ENCRYPTED) != 0,
        .generation = rf_get_u64le(p + 16),
        .next_number = rf_get_u64le(p + 48),
        .journal = rf_get_u64le(p + 56),
        .sequence = rf_get_u64le(p + 64),
        .retention_ticks = (int64_t)rf_get_u64le(p + 72),
        .column_count = rf_get_u32le(p + 80),
        .extent_count = rf_get_u32le(p + 84),
        .dropped_count = rf_get_u32le(p + 88),
    };
    memcpy(m.key_check, p + 32, MANIFEST_KEY_CHECK_BYTES);
    size_t room = bytes.len - HEADER_BYTES;
    if (m.column_count > MANIFEST_COLUMNS_MAX || m.extent_count > room / EXTENT_BYTES ||
        m.dropped_count > room / DROPPED_BYTES ||
        rf_get_u32le(p + 92) > MANIFEST_POSITION_BYTES_MAX)
        return damaged(path, "a count is out of range", bytes.len, err);
    if (m.journal >= m.next_number || m.retention_ticks < 0)
        return damaged(path, "a number is out of range", bytes.len, err);
    struct cursor c = {p + HEADER_BYTES, p + bytes.len - CHECK_BYTES};
    bool no_memory = false;
    const char *wrong = read_body(&c, &m, rf_get_u32le(p + 92), arena, &no_memory);
    if (wrong != NULL) return damaged(path, wrong, bytes.len, err);
    if (no_memory) return rf_fail_memory(err, arena);
    *out = m;
    return RF_OK;
}

uint64_t manifest_generation(rf_str head)
{
    return head.len < 24 ? 0 : rf_get_u64le(head.ptr + 16);
}

void manifest_key_check(const struct extent_key *key, uint8_t out[MANIFEST_KEY_CHECK_BYTES])
{
    static const uint8_t what[] = "ringfort table key";
    uint8_t digest[32];
    unsigned len = sizeof digest;
    memset(out, 0, MANIFEST_KEY_CHECK_BYTES);
    if (key == NULL || !key->present) return;
    if (HMAC(EVP_sha256(), key->bytes, sizeof key->bytes, what, sizeof what - 1, digest, &len) ==
        NULL)
        return;
    memcpy(out, digest, MANIFEST_KEY_CHECK_BYTES);
}
