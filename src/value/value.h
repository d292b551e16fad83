/* value.h - the ten scalar types, one value, and vectors of values: the common ground of store and
 * KQL. Knows neither.
 *
 *   type      cell in a vector        meaning
 *   bool      uint8_t 0/1
 *   int       int64_t                 always within int32
 *   long      int64_t
 *   real      double
 *   decimal   struct decimal          see decimal.h
 *   datetime  int64_t                 100 ns ticks since 0001-01-01T00:00Z, 0..DATETIME_MAX
 *   timespan  int64_t                 100 ns ticks
 *   guid      struct guid             bytes in the order in which they are printed
 *   string    rf_str                  UTF-8; never null, a missing text is empty
 *   dynamic   rf_str                  encoded as dyn.h says; {NULL,0} is not valid unless null
 */
#ifndef RF_VALUE_H
#define RF_VALUE_H

#include "base/rf.h"

enum type {
    TYPE_BOOL,
    TYPE_INT,
    TYPE_LONG,
    TYPE_REAL,
    TYPE_DECIMAL,
    TYPE_DATETIME,
    TYPE_TIMESPAN,
    TYPE_GUID,
    TYPE_STRING,
    TYPE_DYNAMIC,
    TYPE_COUNT
};

struct decimal {
    uint64_t lo, hi; /* sign, scale and coefficient; only decimal.c looks inside */
};
struct guid {
    uint8_t bytes[16];
};

#define TICKS_PER_MICROSECOND INT64_C(10)
#define TICKS_PER_MS INT64_C(10000)
#define TICKS_PER_SECOND INT64_C(10000000)
#define TICKS_PER_MINUTE (60 * TICKS_PER_SECOND)
#define TICKS_PER_HOUR (60 * TICKS_PER_MINUTE)
#define TICKS_PER_DAY (24 * TICKS_PER_HOUR)
#define DATETIME_UNIX_EPOCH INT64_C(621355968000000000) /* ticks at 1970-01-01 */
#define DATETIME_MAX INT64_C(3155378975999999999)       /* 9999-12-31T23:59:59.9999999 */

extern const uint8_t type_cell_bytes[TYPE_COUNT]; /* 1, 8, 8, 8, 16, 8, 8, 16, 16, 16 */
const char *type_name(enum type type);            /* "bool", "int", ... */
const char *type_dotnet_name(enum type type);     /* "System.SByte", ... as getschema prints them */
/* Knows the aliases (boolean, date, uuid, uniqueid, double, time). False when it is no type name.
 */
bool type_parse(rf_str name, enum type *out);
static inline bool type_is_number(enum type t) { return t >= TYPE_INT && t <= TYPE_DECIMAL; }
/* True for cells that are one int64_t: int, long, datetime, timespan. */
static inline bool type_is_i64(enum type t)
{
    return t == TYPE_INT || t == TYPE_LONG || t == TYPE_DATETIME || t == TYPE_TIMESPAN;
}
/* True for cells that are rf_str: string and dynamic. */
static inline bool type_is_bytes(enum type t) { return t == TYPE_STRING || t == TYPE_DYNAMIC; }

/* ---- one value --------------------------------------------------------------------------------
 */

struct value {
    uint8_t type; /* enum type */
    bool null;
    union {
        uint8_t b;
        int64_t i; /* int, long, datetime, timespan */
        double r;
        struct decimal d;
        struct guid g;
        rf_str s; /* string, dynamic */
    };
};

static inline struct value value_null(enum type t)
{
    return (struct value){.type = (uint8_t)t, .null = t != TYPE_STRING};
}
static inline struct value value_bool(bool b) { return (struct value){.type = TYPE_BOOL, .b = b}; }
static inline struct value value_i64(enum type t, int64_t i)
{
    return (struct value){.type = (uint8_t)t, .i = i};
}
static inline struct value value_long(int64_t i) { return value_i64(TYPE_LONG, i); }
static inline struct value value_real(double r)
{
    return (struct value){.type = TYPE_REAL, .r = r};
}
static inline struct value value_str(rf_str s)
{
    return (struct value){.type = TYPE_STRING, .s = s};
}
static inline struct value value_dyn(rf_str s)
{
    return (struct value){.type = TYPE_DYNAMIC, .s = s};
}
static inline struct value value_guid(struct guid g)
{
    return (struct value){.type = TYPE_GUID, .g = g};
}
static inline struct value value_decimal(struct decimal d)
{
    return (struct value){.type = TYPE_DECIMAL, .d = d};
}

/* Total order for sort, min, max, arg_max; both of the same type, not null. nan sorts below all
 * reals. Dynamic: by kind (null, bool, numbers, datetime, timespan, guid, string, array, bag), then
 * value. */
int value_cmp(const struct value *a, const struct value *b);
/* Equality for grouping, join, distinct: nulls are equal to each other, nan to nan. */
bool value_same(const struct value *a, const struct value *b);
/* Hash that agrees with value_same. */
uint64_t value_hash(const struct value *v);
/* Copies the bytes of string and dynamic into `arena`. False on lack of memory. */
bool value_copy(const struct value *v, struct rf_arena *arena, struct value *out);

/* ---- vectors ----------------------------------------------------------------------------------
 */

enum { BATCH_ROWS = 2048 }; /* rows of a batch at most */

enum vec_shape {
    VEC_FLAT,  /* data[row], nulls[row] */
    VEC_CONST, /* data[0], nulls[0]: the same for every row */
    VEC_DICT   /* data[codes[row]], nulls[codes[row]]; a filter also makes these (codes = rows kept)
                */
};

/* A column of a batch: a view. `data`, `nulls` and `codes` belong to the batch's arena, the extent
 * or the dictionary they came from, and live until the next batch is asked for. */
struct vec {
    uint8_t type;        /* enum type */
    uint8_t shape;       /* enum vec_shape */
    uint32_t dict_count; /* entries in data when VEC_DICT */
    /* Nonzero: this dictionary comes again in later batches of the same query, unchanged, so
     * results per entry may be kept under this number. */
    uint64_t dict_id;
    const void *data;
    const uint8_t *nulls;  /* a byte per entry, 1 = null; NULL when none is null */
    const uint32_t *codes; /* VEC_DICT only, one per row */
};

/* Where row `row` lies in data and nulls. */
static inline uint32_t vec_at(const struct vec *v, uint32_t row)
{
    return v->shape == VEC_FLAT ? row : v->shape == VEC_CONST ? 0 : v->codes[row];
}
static inline bool vec_null(const struct vec *v, uint32_t row)
{
    return v->nulls != NULL && v->nulls[vec_at(v, row)] != 0;
}
static inline int64_t vec_i64(const struct vec *v, uint32_t row)
{
    return ((const int64_t *)v->data)[vec_at(v, row)];
}
static inline double vec_real(const struct vec *v, uint32_t row)
{
    return ((const double *)v->data)[vec_at(v, row)];
}
static inline bool vec_bool(const struct vec *v, uint32_t row)
{
    return ((const uint8_t *)v->data)[vec_at(v, row)] != 0;
}
static inline rf_str vec_str(const struct vec *v, uint32_t row)
{
    return ((const rf_str *)v->data)[vec_at(v, row)];
}
static inline struct decimal vec_decimal(const struct vec *v, uint32_t row)
{
    return ((const struct decimal *)v->data)[vec_at(v, row)];
}
static inline struct guid vec_guid(const struct vec *v, uint32_t row)
{
    return ((const struct guid *)v->data)[vec_at(v, row)];
}

/* The value of one row; string and dynamic are views. */
struct value vec_value(const struct vec *v, uint32_t row);
/* A VEC_CONST over `value`, copied into `arena`. False on lack of memory. */
bool vec_const(struct rf_arena *arena, const struct value *value, struct vec *out);
/* A flat vector with room for `count` cells, not zeroed, and no null bytes. */
bool vec_flat(struct rf_arena *arena, enum type type, uint32_t count, struct vec *out);
/* Gives `v` (flat, made by vec_flat in the same arena) null bytes, all 0, and returns them. */
uint8_t *vec_need_nulls(struct rf_arena *arena, struct vec *v, uint32_t count);
/* Writes `value` (same type or null) to row `row` of a flat vector that owns its memory and has
 * null bytes where value is null. */
void vec_set(struct vec *v, uint32_t row, const struct value *value);
/* A flat copy of rows 0..count-1 of `v`; returns v itself when it is flat. Bytes are not copied. */
bool vec_flatten(struct rf_arena *arena, const struct vec *v, uint32_t count, struct vec *out);
/* `v` seen through `rows` (count row numbers): the result of a filter or a join. O(1) for flat and
 * const, O(count) for dict. `rows` must live as long as the result. */
bool vec_select(struct rf_arena *arena, const struct vec *v, const uint32_t *rows, uint32_t count,
                struct vec *out);
/* Hashes rows 0..count-1 into hash[] as value_hash would; `mix` true combines with what is there.
 */
void vec_hash(const struct vec *v, uint32_t count, bool mix, uint64_t *hash);

/* Some rows: `column_count` vectors of `row_count` rows (at most BATCH_ROWS). A view. */
struct batch {
    uint32_t row_count;
    uint32_t column_count;
    struct vec *columns;
    struct rf_arena *arena; /* lives as long as the batch: results of functions go here */
};

/* ---- growing columns: where sinks keep what they were pushed --------------------------------- */

/* Rows kept in an arena: appended from batches (bytes copied), read back as batches. */
struct rows;
struct rows *rows_new(struct rf_arena *arena, const uint8_t *types,
                      uint32_t column_count);                   /* NULL: no memory */
bool rows_append(struct rows *rows, const struct batch *batch); /* copies; false: no memory */
uint64_t rows_count(const struct rows *rows);
/* Value of one cell; views live as long as the arena. */
struct value rows_value(const struct rows *rows, uint64_t row, uint32_t column);
/* A view of rows from..from+count-1 as flat vectors; `from` a multiple of BATCH_ROWS. Allocates the
 * vec array in `arena`. */
bool rows_batch(const struct rows *rows, uint64_t from, struct rf_arena *arena, struct batch *out);
/* Gathers `count` (<= BATCH_ROWS) rows by number into flat vectors in `arena`; a number of
 * UINT64_MAX gives a row of nulls and empty texts. */
bool rows_gather(const struct rows *rows, const uint64_t *numbers, uint32_t count,
                 struct rf_arena *arena, struct batch *out);

#endif
