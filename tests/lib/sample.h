/* sample.h - rows for tests of the store: a column for each way in which a block can be written. A row's number tells its
 * cells, so that every run writes the same. What fails ends the program. */
#ifndef RF_TEST_SAMPLE_H
#define RF_TEST_SAMPLE_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/table.h"
#include "value/dyn.h"

/* A field for each way in which a block can be written. */
enum sample_field {
    SAMPLE_TIME,
    SAMPLE_NUMBER,
    SAMPLE_CONSTANT,
    SAMPLE_RUNS,
    SAMPLE_WILD,
    SAMPLE_OUTLIER,
    SAMPLE_SMALL,
    SAMPLE_FLAG,
    SAMPLE_RATIO,
    SAMPLE_REAL,
    SAMPLE_PRICE,
    SAMPLE_TOOK,
    SAMPLE_SESSION,
    SAMPLE_HOST,
    SAMPLE_LINE,
    SAMPLE_GUID_TEXT,
    SAMPLE_HEX_TEXT,
    SAMPLE_SHA_TEXT,
    SAMPLE_IP_TEXT,
    SAMPLE_TIME_TEXT,
    SAMPLE_NUMBER_TEXT,
    SAMPLE_BAG,
    SAMPLE_ODD,
    SAMPLE_ROUGH,
    SAMPLE_EVENT,
    SAMPLE_STAMP_TEXT,
    SAMPLE_TENANT,
    SAMPLE_ALIKE,
    SAMPLE_FIELD_COUNT
};

static const struct {
    const char *name;
    enum type type;
} sample_columns[SAMPLE_FIELD_COUNT] = {
    [SAMPLE_TIME] = {"TimeGenerated", TYPE_DATETIME},
    [SAMPLE_NUMBER] = {"Number", TYPE_LONG},
    [SAMPLE_CONSTANT] = {"Constant", TYPE_LONG},
    [SAMPLE_RUNS] = {"Runs", TYPE_LONG},
    [SAMPLE_WILD] = {"Wild", TYPE_LONG},
    [SAMPLE_OUTLIER] = {"Outlier", TYPE_LONG},
    [SAMPLE_SMALL] = {"Small", TYPE_INT},
    [SAMPLE_FLAG] = {"Flag", TYPE_BOOL},
    [SAMPLE_RATIO] = {"Ratio", TYPE_REAL},
    [SAMPLE_REAL] = {"Real", TYPE_REAL},
    [SAMPLE_PRICE] = {"Price", TYPE_DECIMAL},
    [SAMPLE_TOOK] = {"Took", TYPE_TIMESPAN},
    [SAMPLE_SESSION] = {"Session", TYPE_GUID},
    [SAMPLE_HOST] = {"Host", TYPE_STRING},
    [SAMPLE_LINE] = {"Line", TYPE_STRING},
    [SAMPLE_GUID_TEXT] = {"GuidText", TYPE_STRING},
    [SAMPLE_HEX_TEXT] = {"HexText", TYPE_STRING},
    [SAMPLE_SHA_TEXT] = {"ShaText", TYPE_STRING},
    [SAMPLE_IP_TEXT] = {"IpText", TYPE_STRING},
    [SAMPLE_TIME_TEXT] = {"TimeText", TYPE_STRING},
    [SAMPLE_NUMBER_TEXT] = {"NumberText", TYPE_STRING},
    [SAMPLE_BAG] = {"Bag", TYPE_DYNAMIC},
    [SAMPLE_ODD] = {"Odd", TYPE_DYNAMIC},
    [SAMPLE_ROUGH] = {"Rough", TYPE_REAL},
    [SAMPLE_EVENT] = {"Event", TYPE_STRING},
    [SAMPLE_STAMP_TEXT] = {"StampText", TYPE_STRING},
    [SAMPLE_TENANT] = {"Tenant", TYPE_GUID},
    [SAMPLE_ALIKE] = {"Alike", TYPE_DYNAMIC},
};

static inline _Noreturn void sample_die(const char *what, const struct rf_err *err)
{
    fprintf(stderr, "%s: %s: %s\n", what, err->code, err->text);
    exit(1);
}

static inline rf_str sample_text(struct rf_arena *arena, const char *fmt, ...) RF_PRINTF(2, 3);
static inline rf_str sample_text(struct rf_arena *arena, const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    rf_str out;
    RF_ASSERT(rf_arena_str(arena, rf_str_make(text, (size_t)len), &out));
    return out;
}

static inline struct value sample_json(struct rf_arena *arena, rf_str json)
{
    struct rf_buf buf = rf_buf_in(arena);
    RF_ASSERT(dyn_parse_json(json, &buf, NULL) == RF_OK);
    return value_dyn(dyn_done(&buf));
}

static inline rf_str sample_guid(struct rf_arena *arena, const char *front, uint64_t x,
                                 const char *back)
{
    uint64_t y = rf_hash_u64(x + 1);
    return sample_text(arena, "%s%08x-%04x-4%03x-8%03x-%012" PRIx64 "%s", front, (unsigned)x,
                       (unsigned)(x >> 48), (unsigned)(y & 0xfff), (unsigned)(y >> 52), y >> 16,
                       back);
}

static inline struct value sample_text_cell(struct rf_arena *arena, enum sample_field field,
                                            int64_t n, uint64_t x)
{
    uint64_t y = rf_hash_u64(x + 1);
    switch (field) {
    case SAMPLE_HOST:
        return value_str(sample_text(arena, "host-%u.contoso.com", (unsigned)(x % 20)));
    case SAMPLE_LINE:
        return value_str(sample_text(arena, "%s user-%u opened caf\xc3\xa9 %" PRId64 "%s",
                                     x % 3 == 0 ? "powershell -enc" : "svchost.exe",
                                     (unsigned)(x % 300), n, n % 500 == 7 ? " needle" : ""));
    case SAMPLE_GUID_TEXT:
        return value_str(sample_guid(arena, "", x, ""));
    case SAMPLE_EVENT:
        return value_str(sample_guid(arena, "session ", x, n % 3 == 0 ? " is closed" : " is open"));
    case SAMPLE_STAMP_TEXT:
        return value_str(sample_text(arena, "2025-02-%02uT%02u:%02u:%02u.%03uZ",
                                     (unsigned)(1 + x % 28), (unsigned)(y % 24), (unsigned)(x % 60),
                                     (unsigned)(y % 60), (unsigned)(x >> 8) % 1000));
    case SAMPLE_HEX_TEXT:
        return value_str(sample_text(arena, "0x%08x", (unsigned)(x % 0xfffff)));
    case SAMPLE_SHA_TEXT:
        return value_str(sample_text(arena, "%016" PRIx64 "%016" PRIx64 "%08x", x, y, (unsigned)n));
    case SAMPLE_IP_TEXT:
        return value_str(sample_text(arena, "10.%u.%u.%u", (unsigned)(x % 4), (unsigned)(y % 256),
                                     (unsigned)(x >> 56)));
    case SAMPLE_TIME_TEXT:
        return value_str(sample_text(arena, "2025-01-%02uT%02u:%02u:%02uZ", (unsigned)(1 + x % 28),
                                     (unsigned)(y % 24), (unsigned)(x % 60), (unsigned)(y % 60)));
    default: /* a number, but for a few */
        if (x % 50 == 0) return value_str(RF_S("none"));
        return value_str(sample_text(arena, "%u", (unsigned)(x % 1000000)));
    }
}

/* Two shapes, and a rare one; leaves of one type, of several, with and without null. */
static inline rf_str sample_alike(struct rf_arena *arena, int64_t n, uint64_t x)
{
    if (n % 300 == 17) return sample_text(arena, "{\"rare\":%" PRId64 "}", n);
    if (x % 3 == 0)
        return sample_text(arena, "{\"id\":\"s-%u\",\"size\":%s}", (unsigned)(x >> 40),
                           x % 2 ? "\"none\"" : "12");
    return sample_text(arena,
                       "{\"id\":\"t-%u\",\"size\":%u,\"in\":{\"ratio\":%u.25,\"flag\":%s,"
                       "\"note\":%s,\"list\":[%u]}}",
                       (unsigned)(x >> 40), (unsigned)(x % 5000), (unsigned)(x % 700),
                       x % 5 ? "true" : "false", x % 7 ? "\"seen\"" : "null", (unsigned)(x % 9));
}

static inline struct value sample_cell(struct rf_arena *arena, enum sample_field field, int64_t n)
{
    uint64_t x = rf_hash_u64((uint64_t)n * 64 + field);
    enum type type = sample_columns[field].type;
    if (type != TYPE_STRING && field > SAMPLE_OUTLIER && x % 29 == 0) return value_null(type);
    struct guid guid;
    switch (field) {
    case SAMPLE_TIME:
        return value_i64(type, INT64_C(638000000000000000) + n * TICKS_PER_SECOND);
    case SAMPLE_NUMBER:
        return value_long(n);
    case SAMPLE_CONSTANT:
        return value_long(42);
    case SAMPLE_RUNS:
        return value_long(n / 100);
    case SAMPLE_WILD:
        return value_long((int64_t)x);
    case SAMPLE_OUTLIER:
        return value_long(x % 200 == 0 ? (int64_t)x : (int64_t)(x % 100));
    case SAMPLE_SMALL:
        return value_i64(type, (int32_t)(x % 100000));
    case SAMPLE_FLAG:
        return value_bool(x & 2);
    case SAMPLE_RATIO:
        return value_real((double)(x % 100000) / 1000);
    case SAMPLE_REAL:
        return value_real((double)x / 7e9);
    case SAMPLE_ROUGH: /* two decimals, but for a few of many digits and a few that are large */
        if (x % 64 == 0) return value_real((double)x / 7e9);
        return value_real(x % 64 == 1 ? (double)(x % 1000000007) : (double)(x % 1000) / 100);
    case SAMPLE_PRICE:
        return value_decimal((struct decimal){.lo = x % 1000, .hi = (uint64_t)2 << 49});
    case SAMPLE_TOOK:
        return value_i64(type, (int64_t)(x % 5000) * TICKS_PER_MS);
    case SAMPLE_SESSION:
        for (unsigned i = 0; i < 16; i++) guid.bytes[i] = (uint8_t)(rf_hash_u64(x + i) >> 9);
        return value_guid(guid);
    case SAMPLE_TENANT:
        memset(guid.bytes, (int)(x % 5), sizeof guid.bytes);
        return value_guid(guid);
    case SAMPLE_BAG:
        return sample_json(
            arena, sample_text(arena, "{\"os\":\"%s\",\"n\":%u,\"ok\":%s,\"path\":\"C:\\\\%u\"}",
                               x % 2 ? "Windows" : "Linux", (unsigned)(x % 1000),
                               x % 3 ? "true" : "false", (unsigned)(x % 77)));
    case SAMPLE_ALIKE:
        return sample_json(arena, sample_alike(arena, n, x));
    case SAMPLE_ODD:
        return sample_json(arena, x % 3 == 0 ? sample_text(arena, "[%u,\"a%u\",null,1.50]",
                                                           (unsigned)(x % 9), (unsigned)(x % 50))
                                  : x % 3 == 1
                                      ? sample_text(arena, "{\"k%u\":{\"deep\":[%" PRId64 "]}}",
                                                    (unsigned)(x % 40), n)
                                      : sample_text(arena, "%u", (unsigned)x));
    default:
        return sample_text_cell(arena, field, n, x);
    }
}

struct sample_writer {
    struct table_writer *w;
    struct extent_column columns[SAMPLE_FIELD_COUNT];
    uint8_t ids[SAMPLE_FIELD_COUNT]; /* enum sample_field */
    uint32_t count;
    int64_t next; /* row */
};

/* Opens the table, made when it is not there, with these columns (enum sample_field); rows begin with row 0. */
static inline void sample_open(struct sample_writer *b, struct store *store, const char *table,
                               const uint8_t *ids, uint32_t count)
{
    struct rf_err err;
    *b = (struct sample_writer){.count = count};
    RF_ASSERT(count <= SAMPLE_FIELD_COUNT);
    for (uint32_t i = 0; i < count; i++) {
        b->ids[i] = ids[i];
        b->columns[i] = (struct extent_column){rf_str_of(sample_columns[ids[i]].name),
                                               (uint8_t)sample_columns[ids[i]].type};
    }
    if (table_writer_open(store, rf_str_of(table), b->columns, count, &b->w, &err) != RF_OK)
        sample_die("open", &err);
}

static inline void sample_append(struct sample_writer *b, uint32_t count)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct rf_err err;
    rf_arena_init(&arena, 64 << 20);
    for (uint32_t at = 0; at < count; at += BATCH_ROWS) {
        uint32_t rows = RF_MIN(count - at, (uint32_t)BATCH_ROWS);
        struct vec v[SAMPLE_FIELD_COUNT];
        rf_arena_reset(&arena);
        for (uint32_t c = 0; c < b->count; c++) {
            RF_ASSERT(vec_flat(&arena, (enum type)b->columns[c].type, rows, &v[c]));
            RF_ASSERT(vec_need_nulls(&arena, &v[c], rows) != NULL);
            for (uint32_t i = 0; i < rows; i++) {
                struct value value = sample_cell(&arena, (enum sample_field)b->ids[c], b->next + i);
                vec_set(&v[c], i, &value);
            }
        }
        struct batch batch = {
            .row_count = rows, .column_count = b->count, .columns = v, .arena = &arena};
        if (table_append(b->w, &batch, &err) != RF_OK) sample_die("append", &err);
        b->next += rows;
    }
}

static inline void sample_commit(struct sample_writer *b)
{
    char position[32];
    struct rf_err err;
    int len = snprintf(position, sizeof position, "%" PRId64, b->next);
    if (table_commit(b->w, rf_str_make(position, (size_t)len), &err) != RF_OK)
        sample_die("commit", &err);
}

/* Joins what was committed into an extent. */
static inline void sample_merge(struct sample_writer *b)
{
    struct rf_err err;
    if (table_merge(b->w, &err) != RF_OK) sample_die("merge", &err);
}

#endif
