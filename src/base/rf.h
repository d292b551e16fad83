/* rf.h - the words every other file uses: text slices, errors, arenas with budgets, checked
 * arithmetic, little-endian access. Knows nothing of Ringfort. */
#ifndef RF_RF_H
#define RF_RF_H

#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define RF_MUST_USE __attribute__((warn_unused_result))
#define RF_PRINTF(fmt_at, args_at) __attribute__((format(printf, fmt_at, args_at)))
#define RF_CLEANUP(fn) __attribute__((cleanup(fn)))
#define RF_LIKELY(x) __builtin_expect(!!(x), 1)
#define RF_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define RF_COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define RF_MIN(a, b) ((a) < (b) ? (a) : (b))
#define RF_MAX(a, b) ((a) > (b) ? (a) : (b))
/* One binary, several instruction sets: put before a hot loop that the compiler vectorises. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(RF_NO_CLONES)
#define RF_CLONES __attribute__((target_clones("default", "arch=x86-64-v3")))
#else
#define RF_CLONES
#endif

/* A broken invariant is a bug, not an error: prints and aborts, in release too. Never on input. */
#define RF_ASSERT(cond)                                                                            \
    do {                                                                                           \
        if (RF_UNLIKELY(!(cond))) rf_assert_failed(#cond, __FILE__, __LINE__);                     \
    } while (0)
_Noreturn void rf_assert_failed(const char *cond, const char *file, int line);

/* ---- text ------------------------------------------------------------------------------------ */

/* Text or bytes: a view, never owned, not NUL-terminated. ptr may be NULL only when len is 0. */
typedef struct {
    const uint8_t *ptr;
    size_t len;
} rf_str;

#define RF_S(literal) ((rf_str){(const uint8_t *)("" literal), sizeof(literal) - 1})
#define RF_FMT(s) (int)(s).len, (const char *)(s).ptr /* for "%.*s" */

static inline rf_str rf_str_of(const char *text) /* a view of a NUL-terminated text */
{
    return (rf_str){(const uint8_t *)text, strlen(text)};
}
static inline rf_str rf_str_make(const void *ptr, size_t len)
{
    return (rf_str){(const uint8_t *)ptr, len};
}
static inline rf_str rf_slice(rf_str s, size_t from, size_t to) /* from <= to <= s.len */
{
    return (rf_str){from == 0 ? s.ptr : s.ptr + from, to - from}; /* ptr may be NULL */
}
static inline bool rf_str_eq(rf_str a, rf_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}
static inline bool rf_str_is(rf_str a, const char *text) { return rf_str_eq(a, rf_str_of(text)); }
int rf_str_cmp(rf_str a, rf_str b);        /* byte order: <0, 0, >0 */
bool rf_str_eq_nocase(rf_str a, rf_str b); /* folds ASCII letters only */
bool rf_str_starts(rf_str s, rf_str prefix);
bool rf_str_ends(rf_str s, rf_str suffix);
/* Byte offset of the first `needle` in `s` at or after `from`, or SIZE_MAX. */
size_t rf_str_find(rf_str s, rf_str needle, size_t from);
static inline uint8_t rf_lower(uint8_t c) { return (uint8_t)(c >= 'A' && c <= 'Z' ? c + 32 : c); }
static inline uint8_t rf_upper(uint8_t c) { return (uint8_t)(c >= 'a' && c <= 'z' ? c - 32 : c); }
static inline bool rf_is_digit(uint8_t c) { return c >= '0' && c <= '9'; }
static inline bool rf_is_alpha(uint8_t c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; }
static inline bool rf_is_alnum(uint8_t c) { return rf_is_digit(c) || rf_is_alpha(c); }
static inline bool rf_is_space(uint8_t c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
rf_str rf_str_trim(rf_str s); /* view without the white space (ASCII) at both ends */

/* Decodes one code point at s[*at] and moves *at past it. A malformed byte gives U+FFFD and moves
 * by one. *at must be < s.len. */
uint32_t rf_utf8_next(rf_str s, size_t *at);
/* Writes `cp` to out (4 bytes room), returns the byte count 1..4; surrogates become U+FFFD. */
size_t rf_utf8_put(uint32_t cp, uint8_t *out);
/* True when all of `s` is well-formed UTF-8 (no overlong forms, no surrogates). */
bool rf_utf8_valid(rf_str s);
size_t rf_utf8_count(rf_str s); /* code points */

/* ---- errors ---------------------------------------------------------------------------------- */

enum rf_kind {
    RF_OK,
    RF_INVALID,
    RF_DENIED,
    RF_NOT_FOUND,
    RF_CONFLICT,
    RF_LIMIT,
    RF_AGAIN,
    RF_CANCELLED,
    RF_IO,
    RF_CORRUPT
};

struct rf_err {
    enum rf_kind kind;
    const char *code;      /* static, e.g. "UnknownColumn" */
    int os_errno;          /* 0 when the operating system said nothing */
    uint32_t line, column; /* 1-based place in a text; 0 when there is none */
    char text[1024];       /* for people; names the place and the remedy */
};

/* Fills *err (may be NULL) and returns `kind`. */
enum rf_kind rf_fail(struct rf_err *err, enum rf_kind kind, const char *code, const char *fmt, ...)
    RF_PRINTF(4, 5);
/* The kind stands in the macros so that compilers and analyzers see that it is not RF_OK. */
#define RF_FAIL(err, kind, code, ...) ((void)rf_fail((err), (kind), (code), __VA_ARGS__), (kind))
#define RF_FAIL_ERRNO(err, code, ...) ((void)rf_fail_errno((err), (code), __VA_ARGS__), RF_IO)
/* RF_IO with errno's text appended. */
enum rf_kind rf_fail_errno(struct rf_err *err, const char *code, const char *fmt, ...)
    RF_PRINTF(3, 4);
#define RF_TRY(call)                                                                               \
    do {                                                                                           \
        enum rf_kind rf_try_kind = (call);                                                         \
        if (RF_UNLIKELY(rf_try_kind != RF_OK)) return rf_try_kind;                                 \
    } while (0)
/* The arena or budget is used up: RF_LIMIT MemoryBudgetExceeded, naming the budget. */
struct rf_arena;
void rf_err_memory(struct rf_err *err, const struct rf_arena *arena);
static inline enum rf_kind rf_fail_memory(struct rf_err *err, const struct rf_arena *arena)
{
    rf_err_memory(err, arena);
    return RF_LIMIT;
}

/* ---- arithmetic on outside numbers: false when the result does not fit -------------------------
 */

static inline bool rf_add_size(size_t a, size_t b, size_t *out)
{
    return !__builtin_add_overflow(a, b, out);
}
static inline bool rf_mul_size(size_t a, size_t b, size_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}
static inline bool rf_u32(uint64_t x, uint32_t *out)
{
    *out = (uint32_t)x;
    return x <= UINT32_MAX;
}

static inline void rf_put_u16le(uint8_t *p, uint16_t v) { memcpy(p, &v, 2); }
static inline void rf_put_u32le(uint8_t *p, uint32_t v) { memcpy(p, &v, 4); }
static inline void rf_put_u64le(uint8_t *p, uint64_t v) { memcpy(p, &v, 8); }
static inline uint16_t rf_get_u16le(const uint8_t *p)
{
    uint16_t v;
    memcpy(&v, p, 2);
    return v;
}
static inline uint32_t rf_get_u32le(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, 4);
    return v;
}
static inline uint64_t rf_get_u64le(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, 8);
    return v;
}
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "rf_put/get_*le rely on it");

/* ---- memory ---------------------------------------------------------------------------------- */

/* A limit that several arenas share, such as all of one query's. Safe from any thread. */
struct rf_budget {
    atomic_size_t used_bytes;
    atomic_size_t peak_bytes;
    size_t limit_bytes;
};
void rf_budget_init(struct rf_budget *budget, size_t limit_bytes);
/* Accounts for `bytes`; false when the limit would be passed (nothing is accounted then). */
bool rf_budget_take(struct rf_budget *budget, size_t bytes);
void rf_budget_give(struct rf_budget *budget, size_t bytes);

/* Bump allocator. One thread at a time. Everything goes at once with reset or done. */
struct rf_arena {
    struct rf_arena_chunk *chunk; /* newest first */
    uint8_t *at, *end;
    struct rf_budget *budget; /* `own` or shared */
    struct rf_budget own;
};
/* An arena with a budget of its own. */
void rf_arena_init(struct rf_arena *arena, size_t limit_bytes);
/* An arena that draws on `budget`, which must outlive it. */
void rf_arena_init_shared(struct rf_arena *arena, struct rf_budget *budget);
/* Frees all objects; keeps the largest chunk for reuse. */
void rf_arena_reset(struct rf_arena *arena);
void rf_arena_done(struct rf_arena *arena);
/* 16-byte aligned, not zeroed; NULL when the budget or the memory is used up. bytes 0 gives a valid
 * pointer. */
void *rf_arena_alloc(struct rf_arena *arena, size_t bytes);
void *rf_arena_zalloc(struct rf_arena *arena, size_t bytes);
/* Array of `count` objects with overflow check, zeroed. */
void *rf_arena_array(struct rf_arena *arena, size_t count, size_t bytes_each);
/* Array of `count` objects with overflow check, not zeroed. */
void *rf_arena_array_raw(struct rf_arena *arena, size_t count, size_t bytes_each);
#define rf_arena_new(arena, type, count) ((type *)rf_arena_array((arena), (count), sizeof(type)))
#define rf_arena_raw(arena, type, count)                                                           \
    ((type *)rf_arena_array_raw((arena), (count), sizeof(type)))
/* Enlarges `old` (of old_bytes) in place when it was the last allocation, else moves it. */
void *rf_arena_grow(struct rf_arena *arena, void *old, size_t old_bytes, size_t bytes);
/* Copies `s` into the arena; ptr NULL and len > 0 never happens: on lack of memory ok is false. */
bool rf_arena_str(struct rf_arena *arena, rf_str s, rf_str *out);
/* A NUL-terminated copy, or NULL. */
char *rf_arena_cstr(struct rf_arena *arena, rf_str s);
/* printf into the arena; empty with ptr NULL on lack of memory. */
rf_str rf_arena_printf(struct rf_arena *arena, const char *fmt, ...) RF_PRINTF(2, 3);

/* Growing text in an arena. After the first failed growth `failed` stays set and writes do nothing,
 * so a caller may check once at the end. */
struct rf_buf {
    struct rf_arena *arena;
    uint8_t *ptr;
    size_t len, cap;
    bool failed;
};
static inline struct rf_buf rf_buf_in(struct rf_arena *arena)
{
    return (struct rf_buf){.arena = arena};
}
bool rf_buf_reserve(struct rf_buf *buf, size_t more_bytes);
void rf_buf_put(struct rf_buf *buf, const void *bytes, size_t len);
void rf_buf_printf(struct rf_buf *buf, const char *fmt, ...) RF_PRINTF(2, 3);
static inline void rf_buf_str(struct rf_buf *buf, rf_str s) { rf_buf_put(buf, s.ptr, s.len); }
static inline void rf_buf_byte(struct rf_buf *buf, uint8_t c)
{
    if (RF_LIKELY(buf->len < buf->cap) || rf_buf_reserve(buf, 1)) buf->ptr[buf->len++] = c;
}
static inline rf_str rf_buf_view(const struct rf_buf *buf) { return (rf_str){buf->ptr, buf->len}; }

/* ---- hashing --------------------------------------------------------------------------------- */

uint64_t rf_hash(const void *bytes, size_t len, uint64_t seed); /* fast, not for the disk */
static inline uint64_t rf_hash_u64(uint64_t x)
{
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93u;
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93u;
    return x ^ (x >> 32);
}
static inline uint64_t rf_hash_mix(uint64_t a, uint64_t b)
{
    return rf_hash_u64(a ^ (b + 0x9e3779b97f4a7c15u + (a << 6) + (a >> 2)));
}

/* Nearest of `count` names to `name` by edit distance, for "did you mean"; NULL when none is near
 * (distance over a third of the length). next(state, i) returns the i-th name. */
const char *rf_nearest(rf_str name, size_t count, rf_str (*nth)(const void *state, size_t index),
                       const void *state, rf_str *out);

#endif
