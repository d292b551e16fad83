/* func_convert.c - functions that turn a value into one of another type, and that ask what a
 * value is. */
#include "kql/func_families.h"
#include "value/dyn.h"
#include "value/text.h"
#include "value/text_rows.h"

#include <math.h>

/* ---- to a type of fixed size ----------------------------------------------------------------- */

static enum rf_kind convert_rows(struct func_call *call, const struct vec *from, uint32_t count,
                                 struct vec *out, struct rf_err *err)
{
    uint8_t *nulls = OUT_NULL(out);
    for (uint32_t i = 0; i < count; i++) {
        if (nulls[i]) continue;
        struct value v = vec_value(from, i), converted;
        if (!value_convert(&v, call->type, call->arena, &converted))
            return rf_fail_memory(err, call->arena);
        vec_set(out, i, &converted);
    }
    return RF_OK;
}

FUNC_KERNEL(convert) { return convert_rows(call, &args[0], count, out, err); }

FUNC_KERNEL(string_to_long)
{
    for (uint32_t i = 0; i < count; i++)
        if (!text_to_long(ARG_STR(&args[0], i), &OUT_I64(out)[i])) OUT_NULL(out)[i] = 1;
    return RF_OK;
}

FUNC_KERNEL(string_to_int)
{
    for (uint32_t i = 0; i < count; i++) {
        int64_t x;
        if (text_to_long(ARG_STR(&args[0], i), &x) && x >= INT32_MIN && x <= INT32_MAX)
            OUT_I64(out)[i] = x;
        else
            OUT_NULL(out)[i] = 1;
    }
    return RF_OK;
}

FUNC_KERNEL(string_to_datetime)
{
    for (uint32_t i = 0; i < count; i++)
        if (!text_to_datetime(ARG_STR(&args[0], i), &OUT_I64(out)[i])) OUT_NULL(out)[i] = 1;
    return RF_OK;
}

FUNC_KERNEL(whole_to_long)
{
    for (uint32_t i = 0; i < count; i++) OUT_I64(out)[i] = ARG_I64(&args[0], i);
    return RF_OK;
}

FUNC_KERNEL(whole_to_real)
{
    for (uint32_t i = 0; i < count; i++) OUT_REAL(out)[i] = (double)ARG_I64(&args[0], i);
    return RF_OK;
}

/* ---- to text --------------------------------------------------------------------------------- */

FUNC_KERNEL(string_to_string)
{
    for (uint32_t i = 0; i < count; i++) OUT_STR(out)[i] = ARG_STR(&args[0], i);
    return RF_OK;
}

FUNC_KERNEL(value_to_string)
{
    struct text_rows texts = text_rows_begin(call->arena, OUT_STR(out), count);
    for (uint32_t i = 0; i < count; i++) {
        if (OUT_NULL(out)[i]) continue;
        struct value v = vec_value(&args[0], i);
        if (v.type == TYPE_DYNAMIC && dyn_tag(v.s) == DYN_STRING) {
            OUT_STR(out)[i] = dyn_string(v.s);
            continue;
        }
        text_put_value(&texts.buf, &v);
        text_rows_end(&texts, i);
    }
    return text_rows_finish(&texts, count) ? RF_OK : rf_fail_memory(err, call->arena);
}

/* Lower-case hex digits of `x`, at least `length_min` of them. */
static void put_hex(struct rf_buf *buf, uint64_t x, int64_t length_min)
{
    static const char hex[] = "0123456789abcdef";
    enum { LENGTH_MAX = 1024 }; /* a bound on what a wild length can cost */
    uint8_t digits[16];
    size_t at = sizeof digits;
    do {
        digits[--at] = (uint8_t)hex[x & 15];
        x >>= 4;
    } while (x != 0);
    int64_t length = (int64_t)(sizeof digits - at);
    for (int64_t n = RF_MIN(length_min, LENGTH_MAX); n > length; n--) rf_buf_byte(buf, '0');
    rf_buf_put(buf, digits + at, sizeof digits - at);
}

static enum rf_kind hex_rows(struct func_call *call, const struct vec *args, uint32_t count,
                             struct vec *out, uint64_t mask, struct rf_err *err)
{
    struct text_rows texts = text_rows_begin(call->arena, OUT_STR(out), count);
    for (uint32_t i = 0; i < count; i++) {
        if (OUT_NULL(out)[i]) continue;
        put_hex(&texts.buf, (uint64_t)ARG_I64(&args[0], i) & mask,
                call->arg_count > 1 ? ARG_I64(&args[1], i) : 0);
        text_rows_end(&texts, i);
    }
    return text_rows_finish(&texts, count) ? RF_OK : rf_fail_memory(err, call->arena);
}

FUNC_KERNEL(tohex_int) { return hex_rows(call, args, count, out, UINT32_MAX, err); }
FUNC_KERNEL(tohex_long) { return hex_rows(call, args, count, out, UINT64_MAX, err); }

/* ---- format_bytes ---------------------------------------------------------------------------- */

static const char *const byte_units[] = {"Bytes", "KB", "MB", "GB", "TB", "PB", "EB"};

/* Index of a unit by its name, or of the largest that gives at least 1. */
static size_t byte_unit(double size, rf_str wanted)
{
    for (size_t i = 0; i < RF_COUNT(byte_units); i++)
        if (wanted.len > 0 && rf_str_eq_nocase(wanted, rf_str_of(byte_units[i]))) return i;
    size_t unit = 0;
    for (size = fabs(size); size >= 1024 && unit + 1 < RF_COUNT(byte_units); size /= 1024) unit++;
    return unit;
}

FUNC_KERNEL(format_bytes)
{
    struct text_rows texts = text_rows_begin(call->arena, OUT_STR(out), count);
    for (uint32_t i = 0; i < count; i++) {
        if (OUT_NULL(out)[i]) continue;
        double size = ARG_REAL(&args[0], i);
        int64_t precision = call->arg_count > 1 ? ARG_I64(&args[1], i) : 0;
        size_t unit = byte_unit(size, call->arg_count > 2 ? ARG_STR(&args[2], i) : RF_S(""));
        double shift = pow(10, (double)RF_MIN(RF_MAX(precision, 0), 15));
        double scaled = size / pow(1024, (double)unit);
        double rounded = round(scaled * shift) / shift;
        text_put_real(&texts.buf, isfinite(rounded) ? rounded : scaled, false);
        rf_buf_byte(&texts.buf, ' ');
        rf_buf_str(&texts.buf, rf_str_of(byte_units[unit]));
        text_rows_end(&texts, i);
    }
    return text_rows_finish(&texts, count) ? RF_OK : rf_fail_memory(err, call->arena);
}

/* ---- questions ------------------------------------------------------------------------------- */

static bool row_is_null(const struct vec *v, uint32_t row)
{
    if (v->type == TYPE_STRING) return false;
    return ARG_NULL(v, row) || (v->type == TYPE_DYNAMIC && dyn_is_null(ARG_STR(v, row)));
}

static bool row_is_empty(const struct vec *v, uint32_t row)
{
    if (v->type == TYPE_STRING) return ARG_STR(v, row).len == 0;
    if (row_is_null(v, row)) return true;
    if (v->type != TYPE_DYNAMIC) return false;
    rf_str d = ARG_STR(v, row);
    return dyn_tag(d) == DYN_STRING && dyn_string(d).len == 0;
}

FUNC_KERNEL(isnull)
{
    for (uint32_t i = 0; i < count; i++) OUT_BOOL(out)[i] = row_is_null(&args[0], i);
    return RF_OK;
}

FUNC_KERNEL(isnotnull)
{
    for (uint32_t i = 0; i < count; i++) OUT_BOOL(out)[i] = !row_is_null(&args[0], i);
    return RF_OK;
}

FUNC_KERNEL(isempty)
{
    for (uint32_t i = 0; i < count; i++) OUT_BOOL(out)[i] = row_is_empty(&args[0], i);
    return RF_OK;
}

FUNC_KERNEL(isnotempty)
{
    for (uint32_t i = 0; i < count; i++) OUT_BOOL(out)[i] = !row_is_empty(&args[0], i);
    return RF_OK;
}

FUNC_KERNEL(gettype)
{
    const struct vec *v = &args[0];
    for (uint32_t i = 0; i < count; i++) {
        const char *name = type_name((enum type)v->type);
        if (v->type == TYPE_DYNAMIC)
            name = row_is_null(v, i) ? "null" : dyn_type_name(ARG_STR(v, i));
        OUT_STR(out)[i] = rf_str_of(name);
    }
    return RF_OK;
}

/* ---- estimate_data_size ---------------------------------------------------------------------- */

FUNC_KERNEL(estimate_data_size)
{
    struct rf_buf text = rf_buf_in(call->arena);
    for (uint32_t a = 0; a < call->arg_count; a++) {
        const struct vec *v = &args[a];
        int64_t fixed = v->type == TYPE_INT ? 4 : type_cell_bytes[v->type];
        for (uint32_t i = 0; i < count; i++) {
            int64_t bytes = fixed;
            if (v->type == TYPE_STRING) {
                bytes = (int64_t)ARG_STR(v, i).len;
            } else if (v->type == TYPE_DYNAMIC) {
                text.len = 0;
                if (!ARG_NULL(v, i)) dyn_put_text(ARG_STR(v, i), &text);
                bytes = (int64_t)text.len;
            }
            OUT_I64(out)[i] += bytes;
        }
    }
    return text.failed ? rf_fail_memory(err, call->arena) : RF_OK;
}

/* ---- the table ------------------------------------------------------------------------------- */

#define SIGS(...)                                                                                  \
    (const struct func_overload[])                                                                 \
    {                                                                                              \
        __VA_ARGS__, { NULL, NULL }                                                                \
    }

#define TO_BOOL SIGS({"(value:any) bool", convert})
#define TO_INT SIGS({"(value:string) int", string_to_int}, {"(value:any) int", convert})
#define TO_LONG                                                                                    \
    SIGS({"(value:string) long", string_to_long}, {"(value:int) long", whole_to_long},             \
         {"(value:long) long", whole_to_long}, {"(value:any) long", convert})
#define TO_REAL SIGS({"(value:long) real", whole_to_real}, {"(value:any) real", convert})
#define TO_DECIMAL SIGS({"(value:any) decimal", convert})
#define TO_DATETIME                                                                                \
    SIGS({"(value:string) datetime", string_to_datetime}, {"(value:any) datetime", convert})
#define TO_TIMESPAN SIGS({"(value:any) timespan", convert})
#define TO_GUID SIGS({"(value:any) guid", convert})
#define ASK(kernel) SIGS({"(value:any) bool", kernel})

const struct func func_convert[] = {
    {.name = "tobool",
     .column = "%",
     .sigs = TO_BOOL,
     .doc = "The value as bool: the texts true and false in any case, or a number that is not 0."},
    {.name = "toboolean",
     .column = "%",
     .sigs = TO_BOOL,
     .flags = FUNC_HIDDEN,
     .doc = "Old name of tobool."},
    {.name = "toint",
     .column = "%",
     .sigs = TO_INT,
     .doc = "The value as 32-bit whole number, cut toward zero; null when it does not fit or is no "
            "number."},
    {.name = "tolong",
     .column = "%",
     .sigs = TO_LONG,
     .doc = "The value as 64-bit whole number, cut toward zero; datetimes and timespans give their "
            "ticks."},
    {.name = "toreal",
     .column = "%",
     .sigs = TO_REAL,
     .doc = "The value as real; null when the text is no number."},
    {.name = "todouble",
     .column = "%",
     .sigs = TO_REAL,
     .flags = FUNC_HIDDEN,
     .doc = "Other name of toreal."},
    {.name = "todecimal",
     .column = "%",
     .sigs = TO_DECIMAL,
     .doc = "The value as decimal; null when it does not fit or is no number."},
    {.name = "todatetime",
     .column = "%",
     .sigs = TO_DATETIME,
     .doc = "The value as datetime: ISO 8601, RFC 822 and RFC 850 texts, or a count of ticks."},
    {.name = "todate", .sigs = TO_DATETIME, .flags = FUNC_HIDDEN, .doc = "Old name of todatetime."},
    {.name = "totimespan",
     .column = "%",
     .sigs = TO_TIMESPAN,
     .doc = "The value as timespan: texts such as 1.02:03:04 and 90s, or a count of ticks."},
    {.name = "totime",
     .column = "%",
     .sigs = TO_TIMESPAN,
     .flags = FUNC_HIDDEN,
     .doc = "Old name of totimespan."},
    {.name = "toguid",
     .column = "%",
     .sigs = TO_GUID,
     .doc = "The text as guid, with or without dashes and braces; null when it is none."},
    {.name = "touuid", .sigs = TO_GUID, .flags = FUNC_HIDDEN, .doc = "Old name of toguid."},
    {.name = "tostring",
     .column = "%",
     .sigs =
         SIGS({"(value:string) string", string_to_string}, {"(value:any) string", value_to_string}),
     .doc = "The value as text; null gives the empty text, a dynamic its JSON."},
    {.name = "tohex",
     .column = "%",
     .sigs = SIGS({"(value:int, [length:long]) string", tohex_int},
                  {"(value:long, [length:long]) string", tohex_long}),
     .doc = "Lower-case hex digits, zeros in front up to the length; negative numbers in two's "
            "complement."},
    {.name = "format_bytes",
     .column = "%",
     .sigs = SIGS({"(size:real, [precision:long], [unit:string]) string", format_bytes}),
     .doc = "A count of bytes as text, in the unit given or the largest that fits."},
    {.name = "gettype",
     .column = "type_%",
     .nulls = FUNC_CUSTOM,
     .sigs = SIGS({"(value:any) string", gettype}),
     .doc = "Name of the value's type, looking inside a dynamic."},
    {.name = "isnull",
     .nulls = FUNC_CUSTOM,
     .sigs = ASK(isnull),
     .doc = "True for null; never for a string."},
    {.name = "isnotnull",
     .nulls = FUNC_CUSTOM,
     .sigs = ASK(isnotnull),
     .doc = "False for null; always true for a string."},
    {.name = "notnull",
     .nulls = FUNC_CUSTOM,
     .sigs = ASK(isnotnull),
     .flags = FUNC_HIDDEN,
     .doc = "Old name of isnotnull."},
    {.name = "isempty",
     .nulls = FUNC_CUSTOM,
     .sigs = ASK(isempty),
     .doc = "True for null and for the empty text."},
    {.name = "isnotempty",
     .nulls = FUNC_CUSTOM,
     .sigs = ASK(isnotempty),
     .doc = "False for null and for the empty text."},
    {.name = "notempty",
     .nulls = FUNC_CUSTOM,
     .sigs = ASK(isnotempty),
     .flags = FUNC_HIDDEN,
     .doc = "Old name of isnotempty."},
    {.name = "estimate_data_size",
     .nulls = FUNC_CUSTOM,
     .sigs = SIGS({"(value:any...) long", estimate_data_size}),
     .doc = "About how many bytes the values take."},
};
const size_t func_convert_count = RF_COUNT(func_convert);
