#define _GNU_SOURCE /* memmem, strerror_r that returns its text */
#include "base/rf.h"
#include "base/wipe.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#define XXH_INLINE_ALL /* most keys are short: a call would cost as much as the hash */
#include <xxhash.h>

_Noreturn void rf_assert_failed(const char *cond, const char *file, int line)
{
    fprintf(stderr, "ringfort: broken invariant: %s (%s:%d)\n", cond, file, line);
    abort();
}

/* ---- text ------------------------------------------------------------------------------------ */

int rf_str_cmp(rf_str a, rf_str b)
{
    size_t len = RF_MIN(a.len, b.len);
    int order = len == 0 ? 0 : memcmp(a.ptr, b.ptr, len);
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

bool rf_str_eq_nocase(rf_str a, rf_str b)
{
    if (a.len != b.len) return false;
    for (size_t i = 0; i < a.len; i++)
        if (a.ptr[i] != b.ptr[i] && rf_lower(a.ptr[i]) != rf_lower(b.ptr[i])) return false;
    return true;
}

bool rf_str_starts(rf_str s, rf_str prefix)
{
    return s.len >= prefix.len && rf_str_eq(rf_str_make(s.ptr, prefix.len), prefix);
}

bool rf_str_ends(rf_str s, rf_str suffix)
{
    return s.len >= suffix.len && rf_str_eq(rf_slice(s, s.len - suffix.len, s.len), suffix);
}

size_t rf_str_find(rf_str s, rf_str needle, size_t from)
{
    if (from > s.len) return SIZE_MAX;
    if (needle.len == 0) return from;
    if (needle.len > s.len - from) return SIZE_MAX;
    const uint8_t *hit = needle.len == 1
                             ? memchr(s.ptr + from, needle.ptr[0], s.len - from)
                             : memmem(s.ptr + from, s.len - from, needle.ptr, needle.len);
    return hit == NULL ? SIZE_MAX : (size_t)(hit - s.ptr);
}

rf_str rf_str_trim(rf_str s)
{
    size_t from = 0, to = s.len;
    while (from < to && rf_is_space(s.ptr[from])) from++;
    while (to > from && rf_is_space(s.ptr[to - 1])) to--;
    return from == 0 && to == s.len ? s : rf_slice(s, from, to);
}

/* What a lead byte promises: how long the sequence is, and the range of its second byte, which is
 * where overlong forms, surrogates and code points above U+10FFFF show (Unicode, table 3-7). */
struct utf8_lead {
    uint8_t len, low, high;
};

static struct utf8_lead utf8_lead(uint8_t c)
{
    if (c < 0x80) return (struct utf8_lead){1, 0, 0};
    if (c < 0xc2) return (struct utf8_lead){0, 0, 0};
    if (c < 0xe0) return (struct utf8_lead){2, 0x80, 0xbf};
    if (c == 0xe0) return (struct utf8_lead){3, 0xa0, 0xbf};
    if (c == 0xed) return (struct utf8_lead){3, 0x80, 0x9f};
    if (c < 0xf0) return (struct utf8_lead){3, 0x80, 0xbf};
    if (c == 0xf0) return (struct utf8_lead){4, 0x90, 0xbf};
    if (c < 0xf4) return (struct utf8_lead){4, 0x80, 0xbf};
    if (c == 0xf4) return (struct utf8_lead){4, 0x80, 0x8f};
    return (struct utf8_lead){0, 0, 0};
}

/* Length of the well-formed sequence at `p`, 0 when there is none within `room` bytes. */
static size_t utf8_sequence(const uint8_t *p, size_t room)
{
    struct utf8_lead lead = utf8_lead(p[0]);
    if (lead.len <= 1) return lead.len;
    if (lead.len > room || p[1] < lead.low || p[1] > lead.high) return 0;
    for (size_t i = 2; i < lead.len; i++)
        if ((p[i] & 0xc0) != 0x80) return 0;
    return lead.len;
}

uint32_t rf_utf8_next(rf_str s, size_t *at)
{
    const uint8_t *p = s.ptr + *at;
    size_t len = utf8_sequence(p, s.len - *at);
    *at += len == 0 ? 1 : len;
    switch (len) {
    case 1:
        return p[0];
    case 2:
        return (p[0] & 0x1fu) << 6 | (p[1] & 0x3fu);
    case 3:
        return (p[0] & 0x0fu) << 12 | (p[1] & 0x3fu) << 6 | (p[2] & 0x3fu);
    case 4:
        return (p[0] & 0x07u) << 18 | (p[1] & 0x3fu) << 12 | (p[2] & 0x3fu) << 6 | (p[3] & 0x3fu);
    default:
        return 0xfffd;
    }
}

size_t rf_utf8_put(uint32_t cp, uint8_t *out)
{
    if (cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff)) cp = 0xfffd;
    if (cp < 0x80) {
        out[0] = (uint8_t)cp;
        return 1;
    }
    if (cp < 0x800) {
        out[0] = (uint8_t)(0xc0 | cp >> 6);
        out[1] = (uint8_t)(0x80 | (cp & 0x3f));
        return 2;
    }
    if (cp < 0x10000) {
        out[0] = (uint8_t)(0xe0 | cp >> 12);
        out[1] = (uint8_t)(0x80 | (cp >> 6 & 0x3f));
        out[2] = (uint8_t)(0x80 | (cp & 0x3f));
        return 3;
    }
    out[0] = (uint8_t)(0xf0 | cp >> 18);
    out[1] = (uint8_t)(0x80 | (cp >> 12 & 0x3f));
    out[2] = (uint8_t)(0x80 | (cp >> 6 & 0x3f));
    out[3] = (uint8_t)(0x80 | (cp & 0x3f));
    return 4;
}

/* Number of leading bytes of `s` from `at` that are ASCII, counted in words: most telemetry is. */
static size_t ascii_run(rf_str s, size_t at)
{
    size_t from = at;
    while (s.len - at >= 8 && (rf_get_u64le(s.ptr + at) & UINT64_C(0x8080808080808080)) == 0)
        at += 8;
    while (at < s.len && s.ptr[at] < 0x80) at++;
    return at - from;
}

bool rf_utf8_valid(rf_str s)
{
    for (size_t at = 0; at < s.len;) {
        at += ascii_run(s, at);
        if (at == s.len) break;
        size_t len = utf8_sequence(s.ptr + at, s.len - at);
        if (len == 0) return false;
        at += len;
    }
    return true;
}

size_t rf_utf8_count(rf_str s)
{
    size_t count = 0;
    for (size_t at = 0; at < s.len;) {
        size_t run = ascii_run(s, at);
        at += run;
        count += run;
        if (at == s.len) break;
        size_t len = utf8_sequence(s.ptr + at, s.len - at);
        at += len == 0 ? 1 : len;
        count++;
    }
    return count;
}

/* ---- errors ---------------------------------------------------------------------------------- */

static void err_fill(struct rf_err *err, enum rf_kind kind, const char *code, int os_errno)
{
    err->kind = kind;
    err->code = code;
    err->os_errno = os_errno;
    err->line = 0;
    err->column = 0;
}

enum rf_kind rf_fail(struct rf_err *err, enum rf_kind kind, const char *code, const char *fmt, ...)
{
    if (err == NULL) return kind;
    err_fill(err, kind, code, 0);
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(err->text, sizeof err->text, fmt, args);
    va_end(args);
    return kind;
}

enum rf_kind rf_fail_errno(struct rf_err *err, const char *code, const char *fmt, ...)
{
    int os_errno = errno;
    if (err == NULL) return RF_IO;
    err_fill(err, RF_IO, code, os_errno);
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(err->text, sizeof err->text, fmt, args);
    va_end(args);
    if (len >= 0 && (size_t)len < sizeof err->text) {
        char reason[128]; /* strerror() shares one buffer between threads */
        const char *text = strerror_r(os_errno, reason, sizeof reason);
        (void)snprintf(err->text + len, sizeof err->text - (size_t)len, ": %s", text);
    }
    return RF_IO;
}

void rf_err_memory(struct rf_err *err, const struct rf_arena *arena)
{
    size_t used = atomic_load_explicit(&arena->budget->used_bytes, memory_order_relaxed);
    (void)rf_fail(
        err, RF_LIMIT, "MemoryBudgetExceeded",
        "the memory budget of %zu bytes is used up (%zu bytes in use); raise it or work on "
        "fewer rows",
        arena->budget->limit_bytes, used);
}

/* ---- memory ---------------------------------------------------------------------------------- */

void rf_budget_init(struct rf_budget *budget, size_t limit_bytes)
{
    atomic_init(&budget->used_bytes, 0);
    atomic_init(&budget->peak_bytes, 0);
    budget->limit_bytes = limit_bytes;
}

bool rf_budget_take(struct rf_budget *budget, size_t bytes)
{
    size_t used = atomic_load_explicit(&budget->used_bytes, memory_order_relaxed), after;
    do {
        if (!rf_add_size(used, bytes, &after) || after > budget->limit_bytes) return false;
    } while (!atomic_compare_exchange_weak_explicit(&budget->used_bytes, &used, after,
                                                    memory_order_relaxed, memory_order_relaxed));
    size_t peak = atomic_load_explicit(&budget->peak_bytes, memory_order_relaxed);
    while (peak < after &&
           !atomic_compare_exchange_weak_explicit(&budget->peak_bytes, &peak, after,
                                                  memory_order_relaxed, memory_order_relaxed))
        continue;
    return true;
}

void rf_budget_give(struct rf_budget *budget, size_t bytes)
{
    size_t before = atomic_fetch_sub_explicit(&budget->used_bytes, bytes, memory_order_relaxed);
    RF_ASSERT(before >= bytes);
}

/* Under the address sanitizer what an arena has not handed out must not be touched: the room behind the last allocation, a gap
 * behind each, and all of it after a reset. */
#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define ARENA_GUARDS 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(ARENA_GUARDS)
#include <sanitizer/asan_interface.h>
enum { ARENA_GAP = 16 };
static void guard(const void *from, const void *end)
{
    ASAN_POISON_MEMORY_REGION(from, (size_t)((const uint8_t *)end - (const uint8_t *)from));
}
static void unguard(const void *from, size_t bytes) { ASAN_UNPOISON_MEMORY_REGION(from, bytes); }
#else
enum { ARENA_GAP = 0 };
static void guard(const void *from, const void *end) { (void)from, (void)end; }
static void unguard(const void *from, size_t bytes) { (void)from, (void)bytes; }
#endif

/* Memory that arenas hold: a header, then the room that is handed out. */
struct rf_arena_chunk {
    struct rf_arena_chunk *older;
    size_t bytes; /* header included; what the budget was charged */
};

enum {
    ARENA_ALIGN = 16,
    ARENA_CHUNK_LEAST = 512, /* the first one of an arena that may hold little ... */
    ARENA_CHUNK_MIN = 4096,  /* ... and of others */
    ARENA_LITTLE = 1024,     /* the first one is this part of the limit, within these two */
    ARENA_CHUNK_MAX =
        1 << 20, /* chunks double up to here; a larger request gets a chunk of its own */
};
_Static_assert(sizeof(struct rf_arena_chunk) % ARENA_ALIGN == 0, "the room starts aligned");

void rf_arena_init(struct rf_arena *arena, size_t limit_bytes)
{
    *arena = (struct rf_arena){0};
    rf_budget_init(&arena->own, limit_bytes);
    arena->budget = &arena->own;
}

void rf_arena_init_shared(struct rf_arena *arena, struct rf_budget *budget)
{
    *arena = (struct rf_arena){.budget = budget};
    rf_budget_init(&arena->own, 0);
}

static void chunk_free(struct rf_arena *arena, struct rf_arena_chunk *chunk)
{
    rf_budget_give(arena->budget, chunk->bytes);
    unguard(chunk, chunk->bytes);
    free(chunk);
}

static void chunk_use(struct rf_arena *arena, struct rf_arena_chunk *chunk)
{
    arena->at = (uint8_t *)(chunk + 1);
    arena->end = (uint8_t *)chunk + chunk->bytes;
    guard(arena->at, arena->end);
}

void rf_arena_reset(struct rf_arena *arena)
{
    struct rf_arena_chunk *largest = NULL;
    for (struct rf_arena_chunk *c = arena->chunk; c != NULL; c = c->older)
        if (largest == NULL || c->bytes > largest->bytes) largest = c;
    for (struct rf_arena_chunk *c = arena->chunk, *older; c != NULL; c = older) {
        older = c->older;
        if (c != largest) chunk_free(arena, c);
    }
    arena->chunk = largest;
    if (largest == NULL) return;
    largest->older = NULL;
    chunk_use(arena, largest);
}

void rf_arena_done(struct rf_arena *arena)
{
    for (struct rf_arena_chunk *c = arena->chunk, *older; c != NULL; c = older) {
        older = c->older;
        chunk_free(arena, c);
    }
    arena->chunk = NULL;
    arena->at = arena->end = NULL;
}

void rf_arena_wipe(struct rf_arena *arena)
{
    for (struct rf_arena_chunk *c = arena->chunk; c != NULL; c = c->older) {
        unguard(c, c->bytes);
        explicit_bzero(c + 1, c->bytes - sizeof *c);
    }
    rf_arena_done(arena);
}

static struct rf_arena_chunk *chunk_new(struct rf_arena *arena, size_t bytes)
{
    if (!rf_budget_take(arena->budget, bytes)) return NULL;
    struct rf_arena_chunk *chunk = malloc(bytes);
    if (chunk == NULL) {
        rf_budget_give(arena->budget, bytes);
        return NULL;
    }
    chunk->bytes = bytes;
    return chunk;
}

/* Thousands of links that are idle have an arena each, for a few names. */
static size_t first_chunk(const struct rf_arena *arena)
{
    size_t part = arena->budget->limit_bytes / ARENA_LITTLE;
    return RF_MAX((size_t)ARENA_CHUNK_LEAST, RF_MIN(part, (size_t)ARENA_CHUNK_MIN));
}

/* Makes a chunk in which `bytes` (aligned) fit. A tight budget gets just what was asked for, so
 * that the growth of chunks never makes a small request fail. */
static RF_MUST_USE bool arena_extend(struct rf_arena *arena, size_t bytes)
{
    size_t need;
    if (!rf_add_size(bytes, sizeof(struct rf_arena_chunk), &need)) return false;
    size_t want = arena->chunk == NULL ? first_chunk(arena) : arena->chunk->bytes * 2;
    want = RF_MAX(need, RF_MIN(want, (size_t)ARENA_CHUNK_MAX));
    struct rf_arena_chunk *chunk = chunk_new(arena, want);
    if (chunk == NULL && want > need) chunk = chunk_new(arena, need);
    if (chunk == NULL) return false;
    chunk->older = arena->chunk;
    arena->chunk = chunk;
    chunk_use(arena, chunk);
    return true;
}

void *rf_arena_alloc(struct rf_arena *arena, size_t bytes)
{
    size_t rounded;
    if (!rf_add_size(bytes, ARENA_ALIGN - 1 + ARENA_GAP, &rounded)) return NULL;
    rounded &= ~(size_t)(ARENA_ALIGN - 1);
    if (RF_UNLIKELY(arena->at == NULL || rounded > (size_t)(arena->end - arena->at)))
        if (!arena_extend(arena, rounded)) return NULL;
    void *p = arena->at;
    arena->at += rounded;
    unguard(p, bytes);
    return p;
}

void *rf_arena_zalloc(struct rf_arena *arena, size_t bytes)
{
    void *p = rf_arena_alloc(arena, bytes);
    if (p != NULL) memset(p, 0, bytes);
    return p;
}

void *rf_arena_array(struct rf_arena *arena, size_t count, size_t bytes_each)
{
    size_t bytes;
    return rf_mul_size(count, bytes_each, &bytes) ? rf_arena_zalloc(arena, bytes) : NULL;
}

void *rf_arena_array_raw(struct rf_arena *arena, size_t count, size_t bytes_each)
{
    size_t bytes;
    return rf_mul_size(count, bytes_each, &bytes) ? rf_arena_alloc(arena, bytes) : NULL;
}

void *rf_arena_grow(struct rf_arena *arena, void *old, size_t old_bytes, size_t bytes)
{
    if (old == NULL) return rf_arena_alloc(arena, bytes);
    if (bytes <= old_bytes) return old;
    size_t old_rounded = (old_bytes + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
    uint8_t *start = old;
    if (bytes <= old_rounded) {
        unguard(old, bytes);
        return old;
    }
    if (ARENA_GAP == 0 && start + old_rounded == arena->at && bytes <= SIZE_MAX - ARENA_ALIGN) {
        size_t rounded = (bytes + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
        if (rounded <= (size_t)(arena->end - start)) {
            arena->at = start + rounded;
            return old;
        }
    }
    void *moved = rf_arena_alloc(arena, bytes);
    if (moved != NULL) memcpy(moved, old, old_bytes);
    return moved;
}

bool rf_arena_str(struct rf_arena *arena, rf_str s, rf_str *out)
{
    uint8_t *copy = rf_arena_alloc(arena, s.len);
    if (copy == NULL) return false;
    if (s.len > 0) memcpy(copy, s.ptr, s.len);
    *out = rf_str_make(copy, s.len);
    return true;
}

char *rf_arena_cstr(struct rf_arena *arena, rf_str s)
{
    size_t bytes;
    char *copy = rf_add_size(s.len, 1, &bytes) ? rf_arena_alloc(arena, bytes) : NULL;
    if (copy == NULL) return NULL;
    if (s.len > 0) memcpy(copy, s.ptr, s.len);
    copy[s.len] = '\0';
    return copy;
}

rf_str rf_arena_printf(struct rf_arena *arena, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    char *text = len < 0 ? NULL : rf_arena_alloc(arena, (size_t)len + 1);
    if (text != NULL) (void)vsnprintf(text, (size_t)len + 1, fmt, again);
    va_end(again);
    return text == NULL ? (rf_str){NULL, 0} : rf_str_make(text, (size_t)len);
}

bool rf_buf_reserve(struct rf_buf *buf, size_t more_bytes)
{
    if (buf->failed) return false;
    if (more_bytes <= buf->cap - buf->len) return true;
    size_t need, cap = RF_MAX(buf->cap, (size_t)64);
    if (rf_add_size(buf->len, more_bytes, &need)) {
        while (cap < need && cap <= SIZE_MAX / 2) cap *= 2;
        cap = RF_MAX(cap, need);
        uint8_t *ptr = rf_arena_grow(buf->arena, buf->ptr, buf->cap, cap);
        /* A budget that cannot bear doubling may still bear what is needed. */
        if (ptr == NULL) ptr = rf_arena_grow(buf->arena, buf->ptr, buf->cap, cap = need);
        if (ptr != NULL) {
            buf->ptr = ptr;
            buf->cap = cap;
            return true;
        }
    }
    buf->failed = true;
    return false;
}

void rf_buf_put(struct rf_buf *buf, const void *bytes, size_t len)
{
    if (len == 0 || (buf->cap - buf->len < len && !rf_buf_reserve(buf, len)) || buf->failed) return;
    memcpy(buf->ptr + buf->len, bytes, len);
    buf->len += len;
}

void rf_buf_printf(struct rf_buf *buf, const char *fmt, ...)
{
    if (!rf_buf_reserve(buf, 64)) return;
    va_list args;
    va_start(args, fmt);
    va_list again;
    va_copy(again, args);
    int len = vsnprintf((char *)buf->ptr + buf->len, buf->cap - buf->len, fmt, args);
    va_end(args);
    if (len >= 0 && (size_t)len >= buf->cap - buf->len) {
        if (rf_buf_reserve(buf, (size_t)len + 1))
            (void)vsnprintf((char *)buf->ptr + buf->len, buf->cap - buf->len, fmt, again);
    }
    va_end(again);
    if (len >= 0 && !buf->failed) buf->len += (size_t)len;
}

/* ---- hashing --------------------------------------------------------------------------------- */

uint64_t rf_hash(const void *bytes, size_t len, uint64_t seed)
{
    return XXH3_64bits_withSeed(bytes, len, seed);
}

/* ---- names ----------------------------------------------------------------------------------- */

enum { NEAREST_BYTES_MAX = 64 };

/* Edit distance of two names without regard to ASCII case, swaps of neighbours counting once
 * (optimal string alignment); anything over `most` comes back as most + 1. */
static size_t edit_distance(rf_str a, rf_str b, size_t most)
{
    size_t lengths_apart = a.len > b.len ? a.len - b.len : b.len - a.len;
    if (lengths_apart > most || b.len > NEAREST_BYTES_MAX) return most + 1;
    size_t rows[3][NEAREST_BYTES_MAX + 1];
    size_t *before = rows[0], *above = rows[1], *row = rows[2];
    for (size_t j = 0; j <= b.len; j++) above[j] = before[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        uint8_t ca = rf_lower(a.ptr[i - 1]);
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            uint8_t cb = rf_lower(b.ptr[j - 1]);
            size_t best = above[j - 1] + (ca != cb);
            best = RF_MIN(best, above[j] + 1);
            best = RF_MIN(best, row[j - 1] + 1);
            if (i > 1 && j > 1 && ca == rf_lower(b.ptr[j - 2]) && rf_lower(a.ptr[i - 2]) == cb)
                best = RF_MIN(best, before[j - 2] + 1);
            row[j] = best;
        }
        size_t *oldest = before;
        before = above;
        above = row;
        row = oldest;
    }
    return above[b.len];
}

const char *rf_nearest(rf_str name, size_t count, rf_str (*nth)(const void *state, size_t index),
                       const void *state, rf_str *out)
{
    size_t best = name.len / 3 + 1; /* a distance must stay below this */
    rf_str found = {NULL, 0};
    if (name.len == 0 || name.len > NEAREST_BYTES_MAX) return NULL;
    for (size_t i = 0; i < count && best > 0; i++) {
        rf_str candidate = nth(state, i);
        size_t distance = edit_distance(name, candidate, best - 1);
        if (distance >= best) continue;
        best = distance;
        found = candidate;
    }
    if (found.ptr == NULL) return NULL;
    *out = found;
    return (const char *)found.ptr;
}
