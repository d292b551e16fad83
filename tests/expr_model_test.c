/* Expressions against a slow, obvious interpreter. A random typed expression is printed as KQL and run over a small
 * random table whose columns come flat, constant, or as dictionaries, whole and behind a filter, and with its columns
 * replaced by literals; each value must be the one that a walk over the expression's tree gives for the row. */
#include <inttypes.h>
#include <math.h>

#include "kql/kql.h"
#include "test/rf_prop.h"
#include "value/dyn.h"
#include "value/text.h"

enum {
    ROWS_MAX = 12,
    KIDS_MAX = 5,
    DEPTH_MAX = 4,
    ARENA_BYTES = 8 << 20,
    TICKS_PER_DAY_SMALL = 3,
    /* What else than a type a rule may ask of an argument: constants that keep the result interesting. */
    SMALL = TYPE_COUNT, /* long, around zero */
    SIZE,               /* long, above zero */
    SPAN,               /* timespan, above zero */
    NEEDLE,             /* string, not empty */
    KEY,                /* string that a bag may have as a key */
    WORD,               /* string */
};

/* ---- the model: one row at a time, in the words of the language's rules ------------------------------------------- */

struct rule {
    uint8_t type;
    const char *text; /* %0, %1 ... are the arguments */
    uint8_t args[KIDS_MAX];
    uint8_t count;
    bool lenient; /* sees nulls; otherwise one null argument makes the result null */
    struct value (*model)(const struct value *a, struct rf_arena *arena);
};

#define MODEL(name)                                                                                \
    static struct value name(const struct value *a, __attribute__((unused)) struct rf_arena *arena)
#define LONG(x) value_long((int64_t)(x))
#define SPAN_OF(x) value_i64(TYPE_TIMESPAN, (int64_t)(x))

static struct value datetime(__int128 ticks)
{
    if (ticks < 0 || ticks > DATETIME_MAX) return value_null(TYPE_DATETIME);
    return value_i64(TYPE_DATETIME, (int64_t)ticks);
}
static struct value converted(const struct value *v, enum type type, struct rf_arena *arena)
{
    struct value out;
    cr_assert(value_convert(v, type, arena, &out));
    return out;
}

MODEL(add) { return LONG((uint64_t)a[0].i + (uint64_t)a[1].i); }
MODEL(sub) { return LONG((uint64_t)a[0].i - (uint64_t)a[1].i); }
MODEL(mul) { return LONG((uint64_t)a[0].i * (uint64_t)a[1].i); }
MODEL(quotient)
{
    if (a[1].i == 0) return value_null(TYPE_LONG);
    return LONG((__int128)a[0].i / a[1].i);
}
MODEL(rest)
{
    if (a[1].i == 0) return value_null(TYPE_LONG);
    __int128 divisor = a[1].i < 0 ? -(__int128)a[1].i : a[1].i, left = a[0].i % divisor;
    return LONG(left < 0 ? left + divisor : left);
}
MODEL(negate) { return LONG(0 - (uint64_t)a[0].i); }
MODEL(add_real) { return value_real(a[0].r + a[1].r); }
MODEL(sub_real) { return value_real(a[0].r - a[1].r); }
MODEL(mul_real) { return value_real(a[0].r * a[1].r); }
MODEL(div_real) { return value_real(a[0].r / a[1].r); }
MODEL(add_mixed) { return value_real(a[0].r + (double)a[1].i); }
MODEL(div_mixed) { return value_real((double)a[0].i / a[1].r); }
MODEL(negate_real) { return value_real(-a[0].r); }
MODEL(later) { return datetime((__int128)a[0].i + a[1].i); }
MODEL(earlier) { return datetime((__int128)a[0].i - a[1].i); }
MODEL(between_times) { return SPAN_OF(a[0].i - a[1].i); }
MODEL(add_span) { return SPAN_OF((uint64_t)a[0].i + (uint64_t)a[1].i); }
MODEL(sub_span) { return SPAN_OF((uint64_t)a[0].i - (uint64_t)a[1].i); }
MODEL(mul_span) { return SPAN_OF((uint64_t)a[0].i * (uint64_t)a[1].i); }
MODEL(negate_span) { return SPAN_OF(0 - (uint64_t)a[0].i); }
MODEL(div_span) { return value_real((double)a[0].i / (double)a[1].i); }

/* Down to a multiple; null where that does not fit. */
static struct value binned(const struct value *a, enum type type)
{
    __int128 x = a[0].i, size = a[1].i, cut = x / size * size;
    if (cut > x) cut -= size;
    if (cut < INT64_MIN) return value_null(type);
    return value_i64(type, (int64_t)cut);
}
MODEL(bin_long) { return binned(a, TYPE_LONG); }
MODEL(bin_time) { return binned(a, TYPE_DATETIME); }
MODEL(bin_span) { return binned(a, TYPE_TIMESPAN); }

MODEL(to_long) { return converted(a, TYPE_LONG, arena); }
MODEL(to_real) { return converted(a, TYPE_REAL, arena); }
MODEL(to_time) { return converted(a, TYPE_DATETIME, arena); }
MODEL(to_text) { return converted(a, TYPE_STRING, arena); }

static size_t code_points(rf_str s, uint32_t *out)
{
    size_t n = 0;
    for (size_t at = 0; at < s.len;) out[n++] = rf_utf8_next(s, &at);
    return n;
}
static struct value text_of(const uint32_t *points, size_t count, struct rf_arena *arena)
{
    uint8_t *bytes = rf_arena_alloc(arena, 4 * count + 1);
    size_t len = 0;
    for (size_t i = 0; i < count; i++) len += rf_utf8_put(points[i], bytes + len);
    return value_str(rf_str_make(bytes, len));
}
/* The only letters with two cases that the tables hold. */
static uint32_t lower(uint32_t c) { return (c >= 'A' && c <= 'Z') || c == 0xc9 ? c + 32 : c; }
static uint32_t upper(uint32_t c) { return (c >= 'a' && c <= 'z') || c == 0xe9 ? c - 32 : c; }
static uint32_t *points_of(const struct value *v, size_t *count, struct rf_arena *arena)
{
    uint32_t *points = rf_arena_new(arena, uint32_t, v->s.len + 1);
    *count = code_points(v->s, points);
    return points;
}
MODEL(length)
{
    size_t n;
    (void)points_of(a, &n, arena);
    return LONG(n);
}
MODEL(lower_text)
{
    size_t n;
    uint32_t *points = points_of(a, &n, arena);
    for (size_t i = 0; i < n; i++) points[i] = lower(points[i]);
    return text_of(points, n, arena);
}
MODEL(upper_text)
{
    size_t n;
    uint32_t *points = points_of(a, &n, arena);
    for (size_t i = 0; i < n; i++) points[i] = upper(points[i]);
    return text_of(points, n, arena);
}
static struct value part_of(const struct value *a, int64_t length, struct rf_arena *arena)
{
    size_t n;
    uint32_t *points = points_of(a, &n, arena);
    int64_t from = a[1].i < 0 ? RF_MAX((int64_t)n + a[1].i, 0) : RF_MIN(a[1].i, (int64_t)n);
    int64_t count = RF_MIN((int64_t)n - from, RF_MAX(length, 0));
    return text_of(points + from, (size_t)count, arena);
}
MODEL(tail) { return part_of(a, INT64_MAX, arena); }
MODEL(part) { return part_of(a, a[2].i, arena); }
MODEL(joined)
{
    struct value x = converted(&a[0], TYPE_STRING, arena), y = converted(&a[1], TYPE_STRING, arena);
    return value_str(rf_arena_printf(arena, "%.*s%.*s", RF_FMT(x.s), RF_FMT(y.s)));
}

enum place { ANYWHERE, AT_START, AT_END, AS_TERM, AFTER_BORDER, BEFORE_BORDER, WHOLE };

static bool term_point(uint32_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c >= 0x80;
}
static bool found(const struct value *a, enum place place, bool fold, struct rf_arena *arena)
{
    size_t n, m;
    uint32_t *text = points_of(&a[0], &n, arena), *part = points_of(&a[1], &m, arena);
    for (size_t from = 0; from + m <= n; from++) {
        bool same = true;
        for (size_t i = 0; i < m; i++)
            same = same &&
                   (fold ? lower(text[from + i]) == lower(part[i]) : text[from + i] == part[i]);
        size_t to = from + m;
        bool before =
            from == 0 || !term_point(text[from - 1]) || from == n || !term_point(text[from]);
        bool after = to == n || !term_point(text[to]) || to == 0 || !term_point(text[to - 1]);
        if (place == AS_TERM || place == AFTER_BORDER) same = same && before;
        if (place == AS_TERM || place == BEFORE_BORDER) same = same && after;
        if (place == AT_START || place == WHOLE) same = same && from == 0;
        if (place == AT_END || place == WHOLE) same = same && to == n;
        if (same) return true;
    }
    return false;
}
#define FINDS(name, place, fold)                                                                   \
    MODEL(name) { return value_bool(found(a, place, fold, arena)); }                               \
    MODEL(not_##name) { return value_bool(!found(a, place, fold, arena)); }
FINDS(contains, ANYWHERE, true)
FINDS(contains_cs, ANYWHERE, false)
FINDS(starts, AT_START, true)
FINDS(starts_cs, AT_START, false)
FINDS(ends, AT_END, true)
FINDS(has, AS_TERM, true)
FINDS(has_cs, AS_TERM, false)
FINDS(has_prefix, AFTER_BORDER, true)
FINDS(has_suffix, BEFORE_BORDER, true)
FINDS(equals_nocase, WHOLE, true)

/* -1, 0, 1, or 2 where a nan makes them incomparable. */
static int order(const struct value *x, const struct value *y)
{
    if (x->type == TYPE_REAL || y->type == TYPE_REAL) {
        double p = x->type == TYPE_REAL ? x->r : (double)x->i;
        double q = y->type == TYPE_REAL ? y->r : (double)y->i;
        return isnan(p) || isnan(q) ? 2 : p < q ? -1 : p > q;
    }
    if (x->type == TYPE_STRING) {
        size_t n = RF_MIN(x->s.len, y->s.len);
        int c = n == 0 ? 0 : memcmp(x->s.ptr, y->s.ptr, n);
        return c != 0 ? (c < 0 ? -1 : 1) : x->s.len < y->s.len ? -1 : x->s.len > y->s.len;
    }
    int64_t p = x->type == TYPE_BOOL ? x->b : x->i, q = y->type == TYPE_BOOL ? y->b : y->i;
    return p < q ? -1 : p > q;
}
MODEL(less) { return value_bool(order(&a[0], &a[1]) == -1); }
MODEL(less_equal) { return value_bool(order(&a[0], &a[1]) <= 0); }
MODEL(greater) { return value_bool(order(&a[0], &a[1]) == 1); }
MODEL(greater_equal) { return value_bool(order(&a[0], &a[1]) == 0 || order(&a[0], &a[1]) == 1); }
MODEL(equal)
{
    if (a[0].null && a[1].null) return value_null(TYPE_BOOL);
    if (a[0].null || a[1].null) return value_bool(false);
    return value_bool(order(&a[0], &a[1]) == 0);
}
MODEL(unequal)
{
    if (a[0].null && a[1].null) return value_null(TYPE_BOOL);
    if (a[0].null || a[1].null) return value_bool(true);
    return value_bool(order(&a[0], &a[1]) != 0);
}
MODEL(both)
{
    if ((!a[0].null && !a[0].b) || (!a[1].null && !a[1].b)) return value_bool(false);
    return a[0].null || a[1].null ? value_null(TYPE_BOOL) : value_bool(true);
}
MODEL(either)
{
    if ((!a[0].null && a[0].b) || (!a[1].null && a[1].b)) return value_bool(true);
    return a[0].null || a[1].null ? value_null(TYPE_BOOL) : value_bool(false);
}
MODEL(opposite) { return value_bool(!a[0].b); }
static struct value within(const struct value *a, struct rf_arena *arena)
{
    struct value low = value_null(TYPE_BOOL), high = low, sides[2];
    if (!a[0].null && !a[1].null)
        low = value_bool(order(&a[0], &a[1]) == 0 || order(&a[0], &a[1]) == 1);
    if (!a[0].null && !a[2].null) high = value_bool(order(&a[0], &a[2]) <= 0);
    sides[0] = low, sides[1] = high;
    return both(sides, arena);
}
MODEL(inside) { return within(a, arena); }
MODEL(outside)
{
    struct value v = within(a, arena);
    if (!v.null) v.b = !v.b;
    return v;
}
MODEL(listed)
{
    return value_bool(!a[0].null && (order(&a[0], &a[1]) == 0 || order(&a[0], &a[2]) == 0));
}
MODEL(unlisted) { return value_bool(!listed(a, arena).b); }
MODEL(listed_nocase)
{
    struct value second[2] = {a[0], a[2]};
    return value_bool(found(a, WHOLE, true, arena) || found(second, WHOLE, true, arena));
}
MODEL(is_null) { return value_bool(a[0].null); }
MODEL(is_empty) { return value_bool(a[0].null || (a[0].type == TYPE_STRING && a[0].s.len == 0)); }
MODEL(is_not_empty) { return value_bool(!is_empty(a, arena).b); }
MODEL(choose) { return !a[0].null && a[0].b ? a[1] : a[2]; }
MODEL(choose_case)
{
    if (!a[0].null && a[0].b) return a[1];
    return !a[2].null && a[2].b ? a[3] : a[4];
}
MODEL(first) { return !a[0].null && !(a[0].type == TYPE_STRING && a[0].s.len == 0) ? a[0] : a[1]; }
static struct value dynamic_or_null(rf_str d)
{
    return dyn_is_null(d) ? value_null(TYPE_DYNAMIC) : value_dyn(d);
}
MODEL(member_a) { return dynamic_or_null(dyn_get(a[0].s, RF_S("a"))); }
MODEL(member) { return dynamic_or_null(dyn_get(a[0].s, a[1].s)); }
MODEL(item) { return dynamic_or_null(dyn_item(a[0].s, a[1].i)); }

#define B TYPE_BOOL
#define L TYPE_LONG
#define R TYPE_REAL
#define T TYPE_DATETIME
#define S TYPE_TIMESPAN
#define X TYPE_STRING
#define Y TYPE_DYNAMIC
#define EQUALED(x, y)                                                                              \
    {B, "(%0 == %1)", {x, y}, 2, true, equal}, { B, "(%0 != %1)", {x, y}, 2, true, unequal }
#define COMPARED(x, y)                                                                             \
    EQUALED(x, y), {B, "(%0 < %1)", {x, y}, 2, false, less},                                       \
        {B, "(%0 <= %1)", {x, y}, 2, false, less_equal},                                           \
        {B, "(%0 > %1)", {x, y}, 2, false, greater},                                               \
    {                                                                                              \
        B, "(%0 >= %1)", {x, y}, 2, false, greater_equal                                           \
    }
#define CHOSEN(t)                                                                                  \
    {t, "iff(%0, %1, %2)", {B, t, t}, 3, true, choose},                                            \
        {t, "case(%0, %1, %2, %3, %4)", {B, t, B, t, t}, 5, true, choose_case},                    \
    {                                                                                              \
        t, "coalesce(%0, %1)", {t, t}, 2, true, first                                              \
    }
#define SOUGHT(name, model, needle)                                                                \
    {B, "(%0 " name " %1)", {X, needle}, 2, false, model},                                         \
    {                                                                                              \
        B, "(%0 !" name " %1)", {X, needle}, 2, false, not_##model                                 \
    }

static const struct rule rules[] = {
    {L, "(%0 + %1)", {L, L}, 2, false, add},
    {L, "(%0 - %1)", {L, L}, 2, false, sub},
    {L, "(%0 * %1)", {L, L}, 2, false, mul},
    {L, "(%0 / %1)", {L, L}, 2, false, quotient},
    {L, "(%0 % %1)", {L, L}, 2, false, rest},
    {L, "(-%0)", {L}, 1, false, negate},
    {L, "bin(%0, %1)", {L, SIZE}, 2, false, bin_long},
    {L, "tolong(%0)", {R}, 1, false, to_long},
    {L, "tolong(%0)", {X}, 1, false, to_long},
    {L, "tolong(%0)", {Y}, 1, false, to_long},
    {L, "strlen(%0)", {X}, 1, false, length},
    CHOSEN(L),
    {R, "(%0 + %1)", {R, R}, 2, false, add_real},
    {R, "(%0 - %1)", {R, R}, 2, false, sub_real},
    {R, "(%0 * %1)", {R, R}, 2, false, mul_real},
    {R, "(%0 / %1)", {R, R}, 2, false, div_real},
    {R, "(%0 + %1)", {R, L}, 2, false, add_mixed},
    {R, "(%0 / %1)", {L, R}, 2, false, div_mixed},
    {R, "(-%0)", {R}, 1, false, negate_real},
    {R, "(%0 / %1)", {S, S}, 2, false, div_span},
    {R, "toreal(%0)", {L}, 1, false, to_real},
    {R, "toreal(%0)", {X}, 1, false, to_real},
    {R, "toreal(%0)", {Y}, 1, false, to_real},
    CHOSEN(R),
    {T, "(%0 + %1)", {T, S}, 2, false, later},
    {T, "(%0 - %1)", {T, S}, 2, false, earlier},
    {T, "bin(%0, %1)", {T, SPAN}, 2, false, bin_time},
    {T, "todatetime(%0)", {X}, 1, false, to_time},
    CHOSEN(T),
    {S, "(%0 - %1)", {T, T}, 2, false, between_times},
    {S, "(%0 + %1)", {S, S}, 2, false, add_span},
    {S, "(%0 - %1)", {S, S}, 2, false, sub_span},
    {S, "(%0 * %1)", {S, L}, 2, false, mul_span},
    {S, "(-%0)", {S}, 1, false, negate_span},
    {S, "bin(%0, %1)", {S, SPAN}, 2, false, bin_span},
    CHOSEN(S),
    {X, "strcat(%0, %1)", {X, X}, 2, true, joined},
    {X, "strcat(%0, %1)", {L, X}, 2, true, joined},
    {X, "tolower(%0)", {X}, 1, false, lower_text},
    {X, "toupper(%0)", {X}, 1, false, upper_text},
    {X, "substring(%0, %1)", {X, SMALL}, 2, false, tail},
    {X, "substring(%0, %1, %2)", {X, SMALL, SMALL}, 3, false, part},
    {X, "tostring(%0)", {B}, 1, true, to_text},
    {X, "tostring(%0)", {L}, 1, true, to_text},
    {X, "tostring(%0)", {R}, 1, true, to_text},
    {X, "tostring(%0)", {T}, 1, true, to_text},
    {X, "tostring(%0)", {S}, 1, true, to_text},
    {X, "tostring(%0)", {Y}, 1, true, to_text},
    CHOSEN(X),
    {Y, "%0.a", {Y}, 1, false, member_a},
    {Y, "%0[%1]", {Y, KEY}, 2, false, member},
    {Y, "%0[%1]", {Y, SMALL}, 2, false, item},
    {Y, "iff(%0, %1, %2)", {B, Y, Y}, 3, true, choose},
    COMPARED(L, L),
    COMPARED(R, R),
    COMPARED(L, R),
    COMPARED(T, T),
    COMPARED(S, S),
    EQUALED(X, X),
    COMPARED(B, B),
    {B, "(%0 and %1)", {B, B}, 2, true, both},
    {B, "(%0 or %1)", {B, B}, 2, true, either},
    {B, "not(%0)", {B}, 1, false, opposite},
    {B, "(%0 between (%1 .. %2))", {L, L, L}, 3, true, inside},
    {B, "(%0 !between (%1 .. %2))", {L, L, L}, 3, true, outside},
    {B, "(%0 between (%1 .. %2))", {T, T, T}, 3, true, inside},
    {B, "(%0 in (%1, %2))", {L, SMALL, SIZE}, 3, true, listed},
    {B, "(%0 !in (%1, %2))", {L, SMALL, SIZE}, 3, true, unlisted},
    {B, "(%0 in (%1, %2))", {X, WORD, X}, 3, true, listed},
    {B, "(%0 !in (%1, %2))", {X, WORD, WORD}, 3, true, unlisted},
    {B, "(%0 in~ (%1, %2))", {X, WORD, WORD}, 3, true, listed_nocase},
    SOUGHT("contains", contains, WORD),
    SOUGHT("contains", contains, X),
    SOUGHT("contains_cs", contains_cs, WORD),
    SOUGHT("startswith", starts, WORD),
    SOUGHT("startswith_cs", starts_cs, X),
    SOUGHT("endswith", ends, WORD),
    SOUGHT("has", has, NEEDLE),
    SOUGHT("has_cs", has_cs, NEEDLE),
    SOUGHT("hasprefix", has_prefix, NEEDLE),
    SOUGHT("hassuffix", has_suffix, NEEDLE),
    {B, "(%0 =~ %1)", {X, WORD}, 2, false, equals_nocase},
    {B, "(%0 !~ %1)", {X, X}, 2, false, not_equals_nocase},
    {B, "isnull(%0)", {L}, 1, true, is_null},
    {B, "isnull(%0)", {R}, 1, true, is_null},
    {B, "isnull(%0)", {Y}, 1, true, is_null},
    {B, "isempty(%0)", {X}, 1, true, is_empty},
    {B, "isnotempty(%0)", {X}, 1, true, is_not_empty},
    CHOSEN(B),
};
#undef B
#undef L
#undef R
#undef T
#undef S
#undef X
#undef Y

/* ---- expressions ----------------------------------------------------------------------------------------------------- */

struct term {
    const struct rule *rule; /* NULL: a column or a literal */
    int column;              /* -1: a literal */
    struct value literal;
    struct term *kids[KIDS_MAX];
};

/* Two columns of each type that takes part; behind them the row's number and whether it is wanted. */
static const struct {
    const char *name;
    uint8_t type;
} columns[] = {
    {"b1", TYPE_BOOL},     {"b2", TYPE_BOOL},     {"l1", TYPE_LONG},     {"l2", TYPE_LONG},
    {"r1", TYPE_REAL},     {"r2", TYPE_REAL},     {"t1", TYPE_DATETIME}, {"t2", TYPE_DATETIME},
    {"s1", TYPE_TIMESPAN}, {"s2", TYPE_TIMESPAN}, {"x1", TYPE_STRING},   {"x2", TYPE_STRING},
    {"y1", TYPE_DYNAMIC},  {"y2", TYPE_DYNAMIC},  {"n", TYPE_LONG},      {"keep", TYPE_BOOL},
};
enum { COLUMN_N = RF_COUNT(columns) - 2, COLUMN_KEEP, COLUMN_COUNT };

struct table {
    uint32_t rows;
    struct value cells[COLUMN_COUNT][ROWS_MAX];
};

static const char *const words[] = {"",
                                    "a",
                                    "b a",
                                    "A-b",
                                    "aB",
                                    "\xc3\xa9"
                                    "a",
                                    "1",
                                    "-7.5",
                                    "\xc3\x89",
                                    "ab",
                                    "\xf0\x9f\x98\x80"
                                    "b",
                                    "2024-02-29",
                                    "a_b",
                                    "null",
                                    "9223372036854775808",
                                    "1e3",
                                    "a.b c",
                                    "\xe6\x97\xa5"};
static const char *const documents[] = {"{\"a\":1,\"b\":[1,2.5,null]}",
                                        "{\"a\":{\"a\":\"7\"}}",
                                        "[[3,4],{\"a\":-1}]",
                                        "\"text\"",
                                        "5",
                                        "{\"b\":\"x\",\"a\":null}",
                                        "[]",
                                        "true"};

static struct value random_value(struct rf_prng *prng, uint8_t kind, struct rf_arena *arena)
{
    struct rf_buf buf = rf_buf_in(arena);
    switch (kind) {
    case TYPE_BOOL:
        return value_bool(rf_test_bool(prng));
    case TYPE_LONG:
        return value_long(rf_test_i64(prng));
    case TYPE_REAL:
        return value_real(rf_test_real(prng));
    case TYPE_DATETIME:
        return value_i64(
            TYPE_DATETIME,
            rf_test_one_in(prng, 6)
                ? DATETIME_MAX
                : rf_test_between(prng, 0, rf_test_bool(prng) ? 1000000 : DATETIME_MAX));
    case TYPE_TIMESPAN:
        return value_i64(TYPE_TIMESPAN, rf_test_one_in(prng, 6)
                                            ? INT64_MAX
                                            : rf_test_between(prng, -1000, 1000) * TICKS_PER_HOUR);
    case SMALL:
        return value_long(rf_test_between(prng, -3, 4));
    case SIZE:
        return value_long(rf_test_between(prng, 1, 50));
    case SPAN:
        return value_i64(TYPE_TIMESPAN,
                         rf_test_between(prng, 1, TICKS_PER_DAY_SMALL * TICKS_PER_DAY));
    case KEY:
        return value_str(rf_str_of(rf_test_bool(prng) ? "a" : "b"));
    case NEEDLE:
        return value_str(rf_str_of(words[1 + rf_test_below(prng, RF_COUNT(words) - 1)]));
    case TYPE_DYNAMIC:
        cr_assert(dyn_parse_json(rf_str_of(documents[rf_test_below(prng, RF_COUNT(documents))]),
                                 &buf, NULL) == RF_OK);
        return value_dyn(dyn_done(&buf));
    default:
        return value_str(rf_str_of(words[rf_test_below(prng, RF_COUNT(words))]));
    }
}

static struct term *random_leaf(struct rf_prng *prng, uint8_t kind, struct rf_arena *arena)
{
    struct term *term = rf_arena_new(arena, struct term, 1);
    term->column = -1;
    term->literal = random_value(prng, kind, arena);
    if (kind >= TYPE_COUNT) return term;
    if (kind != TYPE_STRING && rf_test_one_in(prng, 20)) term->literal = value_null(kind);
    if (rf_test_one_in(prng, 4)) return term;
    for (uint32_t i = 0; i < COLUMN_N; i++)
        if (columns[i].type == kind) term->column = (int)(i + rf_test_below(prng, 2)), i = COLUMN_N;
    return term;
}

static struct term *random_term(struct rf_prng *prng, uint8_t kind, int depth,
                                struct rf_arena *arena)
{
    if (kind >= TYPE_COUNT || depth == 0 || rf_test_one_in(prng, 6))
        return random_leaf(prng, kind, arena);
    const struct rule *rule;
    do rule = &rules[rf_test_below(prng, RF_COUNT(rules))];
    while (rule->type != kind);
    struct term *term = rf_arena_new(arena, struct term, 1);
    term->rule = rule;
    for (uint32_t i = 0; i < rule->count; i++)
        term->kids[i] = random_term(prng, rule->args[i], depth - 1, arena);
    return term;
}

static struct value evaluate(const struct term *term, const struct table *table, uint32_t row,
                             struct rf_arena *arena)
{
    if (term->rule == NULL)
        return term->column < 0 ? term->literal : table->cells[term->column][row];
    struct value args[KIDS_MAX];
    bool null = false;
    for (uint32_t i = 0; i < term->rule->count; i++) {
        args[i] = evaluate(term->kids[i], table, row, arena);
        null = null || args[i].null;
    }
    if (null && !term->rule->lenient) return value_null(term->rule->type);
    return term->rule->model(args, arena);
}

static void print_literal(struct rf_buf *buf, const struct value *v)
{
    if (v->type == TYPE_STRING) {
        rf_buf_printf(buf, "\"%.*s\"", RF_FMT(v->s)); /* no word needs an escape */
        return;
    }
    rf_buf_printf(buf, "%s(", type_name(v->type));
    if (v->null)
        rf_buf_str(buf, RF_S("null"));
    else if (v->type == TYPE_REAL && isinf(v->r))
        rf_buf_str(buf, v->r < 0 ? RF_S("-inf") : RF_S("+inf"));
    else if (v->type == TYPE_REAL && isnan(v->r))
        rf_buf_str(buf, RF_S("nan"));
    else if (v->type == TYPE_REAL)
        rf_buf_printf(buf, "%.17g", v->r);
    else if (v->type == TYPE_DYNAMIC && dyn_tag(v->s) == DYN_STRING)
        rf_buf_printf(buf, "\"%.*s\"", RF_FMT(dyn_string(v->s)));
    else
        text_put_value(buf, v);
    rf_buf_byte(buf, ')');
}

/* `table` NULL: columns by name; else the values of one row in their place. */
static void print_term(struct rf_buf *buf, const struct term *term, const struct table *table,
                       uint32_t row)
{
    if (term->rule == NULL) {
        if (term->column < 0)
            print_literal(buf, &term->literal);
        else if (table == NULL)
            rf_buf_printf(buf, "%s", columns[term->column].name);
        else
            print_literal(buf, &table->cells[term->column][row]);
        return;
    }
    for (const char *p = term->rule->text; *p != '\0'; p++) {
        if (*p == '%' && p[1] >= '0' && p[1] <= '9')
            print_term(buf, term->kids[*++p - '0'], table, row);
        else
            rf_buf_byte(buf, (uint8_t)*p);
    }
}

/* ---- the table in every shape ---------------------------------------------------------------------------------------- */

enum layout { LAYOUT_FLAT, LAYOUT_CONST, LAYOUT_DICT, LAYOUT_KEPT_DICT, LAYOUT_COUNT };

struct shaped_source {
    struct source source;
    const struct table *table;
    enum layout layout;
    uint32_t batch_rows;
};

/* Cells of rows from..from+count-1, in the order that `at` gives or as they are. */
static void put_cells(const struct value *cells, const uint32_t *at, uint32_t from, uint32_t count,
                      struct rf_arena *arena, struct vec *out)
{
    cr_assert(vec_flat(arena, cells[0].type, count, out));
    cr_assert(vec_need_nulls(arena, out, count) != NULL);
    for (uint32_t i = 0; i < count; i++) vec_set(out, i, &cells[at == NULL ? from + i : at[i]]);
}

static void shape_column(const struct shaped_source *s, uint32_t column, uint32_t from,
                         uint32_t count, struct rf_arena *arena, struct vec *out)
{
    const struct value *cells = s->table->cells[column];
    uint32_t rows = s->table->rows, *codes, backwards[ROWS_MAX];
    if (s->layout == LAYOUT_FLAT) {
        put_cells(cells, NULL, from, count, arena, out);
    } else if (s->layout == LAYOUT_CONST) {
        cr_assert(vec_const(arena, &cells[from], out));
    } else { /* the entries of the dictionary are the rows from last to first */
        for (uint32_t i = 0; i < rows; i++) backwards[i] = rows - 1 - i;
        put_cells(cells, backwards, 0, rows, arena, out);
        codes = rf_arena_raw(arena, uint32_t, count);
        for (uint32_t i = 0; i < count; i++) codes[i] = rows - 1 - (from + i);
        out->shape = VEC_DICT;
        out->codes = codes;
        out->dict_count = rows;
        out->dict_id = s->layout == LAYOUT_KEPT_DICT ? 77 + column : 0;
    }
}

static enum rf_kind shaped_scan(struct source *source, const struct scan *scan, struct exec *exec,
                                struct flow *out, struct rf_err *err)
{
    const struct shaped_source *s = (const struct shaped_source *)source;
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, ARENA_BYTES);
    uint32_t step = s->layout == LAYOUT_CONST ? 1 : s->batch_rows;
    for (uint32_t from = 0; from < s->table->rows && !flow_done(out); from += step) {
        uint32_t count = RF_MIN(step, s->table->rows - from);
        rf_arena_reset(&arena);
        struct vec *vecs = rf_arena_new(&arena, struct vec, scan->column_count + 1);
        for (uint32_t i = 0; i < scan->column_count; i++)
            shape_column(s, scan->columns[i], from, count, &arena, &vecs[i]);
        struct batch batch = {.row_count = count,
                              .column_count = scan->column_count,
                              .columns = vecs,
                              .arena = &arena};
        RF_TRY(flow_push(exec, out, 0, &batch, err));
    }
    return RF_OK;
}

/* ---- comparing --------------------------------------------------------------------------------------------------------- */

struct checker {
    struct kql_sink sink;
    const struct value *want; /* by row number; NULL: only the numbers count */
    const char *query;
    bool seen[ROWS_MAX];
    uint32_t count;
};

static bool same_value(const struct value *x, const struct value *y)
{
    bool x_null = x->null || (x->type == TYPE_DYNAMIC && dyn_is_null(x->s));
    bool y_null = y->null || (y->type == TYPE_DYNAMIC && dyn_is_null(y->s));
    if (x->type != y->type || x_null != y_null) return false;
    if (x_null) return true;
    if (x->type == TYPE_REAL) return x->r == y->r || (isnan(x->r) && isnan(y->r));
    return value_same(x, y);
}

static enum rf_kind checker_begin(struct kql_sink *sink, rf_str name, const struct schema *schema,
                                  const struct render *render, struct rf_err *err)
{
    (void)sink, (void)name, (void)schema, (void)render, (void)err;
    return RF_OK;
}
static enum rf_kind checker_end(struct kql_sink *sink, struct rf_err *err)
{
    (void)sink, (void)err;
    return RF_OK;
}
static enum rf_kind checker_push(struct kql_sink *sink, const struct batch *batch,
                                 struct rf_err *err)
{
    struct checker *c = (struct checker *)sink;
    (void)err;
    for (uint32_t i = 0; i < batch->row_count; i++) {
        struct value n = vec_value(&batch->columns[0], i);
        cr_assert(!n.null && n.i >= 0 && n.i < ROWS_MAX && !c->seen[n.i],
                  "%s: row %" PRId64 " twice", c->query, n.i);
        c->seen[n.i] = true;
        c->count++;
        if (c->want == NULL) continue;
        struct value got = vec_value(&batch->columns[1], i);
        RF_CLEANUP(rf_arena_done) struct rf_arena arena;
        rf_arena_init(&arena, ARENA_BYTES);
        struct rf_buf texts[2] = {rf_buf_in(&arena), rf_buf_in(&arena)};
        print_literal(&texts[0], &got);
        print_literal(&texts[1], &c->want[n.i]);
        cr_assert(same_value(&got, &c->want[n.i]), "%s: row %" PRId64 " is %.*s, not %.*s",
                  c->query, n.i, RF_FMT(rf_buf_view(&texts[0])), RF_FMT(rf_buf_view(&texts[1])));
    }
    return RF_OK;
}

static void check_query(rf_str query, struct source *source, uint32_t batch_rows,
                        const struct value *want, const bool *rows, uint32_t row_count)
{
    struct source *sources[] = {source};
    struct catalog catalog = {.sources = sources, .source_count = source != NULL};
    struct kql_request request = {
        .text = query, .catalog = &catalog, .memory_bytes = ARENA_BYTES, .batch_rows = batch_rows};
    struct checker checker = {.sink = {checker_begin, checker_push, checker_end},
                              .want = want,
                              .query = (const char *)query.ptr};
    struct rf_err err = {0};
    enum rf_kind kind = kql_run(&request, &checker.sink, NULL, &err);
    cr_assert(kind == RF_OK, "%.*s: %s", RF_FMT(query), err.text);
    for (uint32_t i = 0; i < row_count; i++)
        cr_assert(checker.seen[i] == rows[i], "%.*s: row %u", RF_FMT(query), i);
}

static rf_str with_end(struct rf_buf *buf)
{
    rf_buf_byte(buf, 0);
    cr_assert(!buf->failed);
    return rf_str_make(buf->ptr, buf->len - 1);
}

static void check_shapes(struct rf_prng *prng, const struct term *term, uint8_t type,
                         const struct table *table, const struct value *want,
                         struct rf_arena *arena)
{
    struct ast_column names[COLUMN_COUNT];
    bool all[ROWS_MAX], kept[ROWS_MAX], held[ROWS_MAX];
    for (uint32_t c = 0; c < COLUMN_COUNT; c++)
        names[c] = (struct ast_column){.name = rf_str_of(columns[c].name), .type = columns[c].type};
    for (uint32_t i = 0; i < table->rows; i++) {
        all[i] = true;
        kept[i] = table->cells[COLUMN_KEEP][i].b;
        held[i] = type == TYPE_BOOL && !want[i].null && want[i].b;
    }
    static const struct source_ops ops = {.scan = shaped_scan};
    struct shaped_source source = {
        .source = {.ops = &ops, .name = RF_S("T"), .columns = names, .column_count = COLUMN_COUNT},
        .table = table};
    struct rf_buf whole = rf_buf_in(arena), filtered = rf_buf_in(arena), holding = rf_buf_in(arena);
    rf_buf_printf(&whole, "T | project n, v = ");
    rf_buf_printf(&filtered, "T | where keep | project n, v = ");
    rf_buf_printf(&holding, "T | where ");
    print_term(&whole, term, NULL, 0);
    print_term(&filtered, term, NULL, 0);
    print_term(&holding, term, NULL, 0);
    rf_buf_printf(&holding, " | project n");
    rf_str whole_text = with_end(&whole), filtered_text = with_end(&filtered),
           holding_text = with_end(&holding);
    for (uint32_t layout = 0; layout < LAYOUT_COUNT; layout++) {
        source.layout = (enum layout)layout;
        source.batch_rows = 1 + (uint32_t)rf_test_below(prng, ROWS_MAX);
        uint32_t cut = rf_test_bool(prng) ? 0 : 1 + (uint32_t)rf_test_below(prng, 4);
        check_query(whole_text, &source.source, cut, want, all, table->rows);
        check_query(filtered_text, &source.source, cut, want, kept, table->rows);
        if (type == TYPE_BOOL)
            check_query(holding_text, &source.source, cut, NULL, held, table->rows);
    }
}

/* Folded while it is bound. */
static void check_literals(const struct term *term, const struct table *table,
                           const struct value *want, struct rf_arena *arena)
{
    static const bool one[] = {true};
    for (uint32_t i = 0; i < table->rows && i < 2; i++) {
        struct rf_buf text = rf_buf_in(arena);
        rf_buf_printf(&text, "print n = 0, v = ");
        print_term(&text, term, table, i);
        check_query(with_end(&text), NULL, 0, &want[i], one, 1);
    }
}

RF_PROP(expressions_give_what_the_model_gives, 4000)
{
    static const uint8_t types[] = {TYPE_BOOL,     TYPE_BOOL,     TYPE_LONG,   TYPE_REAL,
                                    TYPE_DATETIME, TYPE_TIMESPAN, TYPE_STRING, TYPE_DYNAMIC};
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, ARENA_BYTES);
    struct table table = {.rows = 1 + (uint32_t)rf_test_len(prng, ROWS_MAX - 1)};
    for (uint32_t c = 0; c < COLUMN_COUNT; c++)
        for (uint32_t i = 0; i < table.rows; i++) {
            table.cells[c][i] = random_value(prng, columns[c].type, &arena);
            if (c < COLUMN_N && columns[c].type != TYPE_STRING && rf_test_one_in(prng, 5))
                table.cells[c][i] = value_null(columns[c].type);
            if (c == COLUMN_N) table.cells[c][i] = value_long(i);
        }
    uint8_t type = types[rf_test_below(prng, RF_COUNT(types))];
    struct term *term =
        random_term(prng, type, 1 + (int)(DEPTH_MAX * prng->size / (RF_TEST_SIZE_MAX + 1)), &arena);
    struct value want[ROWS_MAX];
    for (uint32_t i = 0; i < table.rows; i++) want[i] = evaluate(term, &table, i, &arena);
    check_shapes(prng, term, type, &table, want, &arena);
    check_literals(term, &table, want, &arena);
}
