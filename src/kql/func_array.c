/* func_array.c - arrays: making, cutting, turning, searching. Sorting is in func_array_sort.c. */
#include "kql/func_array_int.h"
#include "value/text.h"

#include <math.h>

/* Most functions here make one value of a row's arguments: `put` writes it to `buf`, or nothing for
 * null. */
typedef void put_row(struct func_call *call, const struct vec *args, uint32_t row,
                     struct rf_buf *buf);

static enum rf_kind each_row(struct func_call *call, const struct vec *args, uint32_t count,
                             struct vec *out, struct rf_err *err, put_row *put)
{
    struct dyn_rows rows = dyn_rows_begin(call, out);
    for (uint32_t i = 0; i < count && !rows.buf.failed; i++) {
        put(call, args, i, &rows.buf);
        dyn_rows_next(&rows, i);
    }
    return dyn_rows_end(&rows, count, err);
}

#define ROW_KERNEL(name)                                                                           \
    static enum rf_kind name##_kernel(struct func_call *call, const struct vec *args,              \
                                      uint32_t count, struct vec *out, struct rf_err *err)         \
    {                                                                                              \
        return each_row(call, args, count, out, err, put_##name);                                  \
    }

/* `position` counted from the end when negative, then held within 0..count. */
static int64_t clamp_position(int64_t position, int64_t count)
{
    if (position < 0) position += count;
    return RF_MIN(RF_MAX(position, 0), count);
}

/* Appends elements from..to-1 as an array; from <= to <= count. */
static void put_slice(struct rf_buf *buf, rf_str array, int64_t from, int64_t to)
{
    struct dyn_builder slice;
    dyn_begin_counted(&slice, buf, DYN_ARRAY, (uint32_t)(to - from));
    for (int64_t i = from; i < to; i++) {
        dyn_next(&slice);
        dyn_put_encoded(buf, dyn_item(array, i));
    }
    dyn_end(&slice);
}

/* ---- length, sum, search --------------------------------------------------------------------- */

static enum rf_kind array_length_kernel(struct func_call *call, const struct vec *args,
                                        uint32_t count, struct vec *out, struct rf_err *err)
{
    (void)call, (void)err;
    for (uint32_t i = 0; i < count; i++) {
        rf_str array = arg_dyn(&args[0], i);
        OUT_I64(out)[i] = dyn_count(array);
        OUT_NULL(out)[i] = !arg_is_array(array);
    }
    return RF_OK;
}

static enum rf_kind array_sum_kernel(struct func_call *call, const struct vec *args, uint32_t count,
                                     struct vec *out, struct rf_err *err)
{
    (void)call, (void)err;
    for (uint32_t i = 0; i < count; i++) {
        rf_str array = arg_dyn(&args[0], i);
        bool numbers = arg_is_array(array);
        double sum = 0;
        for (uint32_t k = 0; k < dyn_count(array) && numbers; k++) {
            rf_str item = dyn_item(array, k);
            numbers = dyn_is_number(item);
            sum += dyn_real(item);
        }
        OUT_REAL(out)[i] = numbers ? sum : 0;
        OUT_NULL(out)[i] = !numbers;
    }
    return RF_OK;
}

/* An optional whole number: `other` when it is not given. *null is set when it is given as null. */
static int64_t optional_i64(const struct func_call *call, const struct vec *args, uint32_t index,
                            uint32_t row, int64_t other, bool *null)
{
    if (index >= call->arg_count) return other;
    *null |= ARG_NULL(&args[index], row);
    return ARG_I64(&args[index], row);
}

/* Position of the n-th element that equals `wanted` among from..to-1, or -1. */
static int64_t find_element(rf_str array, rf_str wanted, int64_t from, int64_t to, int64_t nth)
{
    for (int64_t i = from; i < to; i++)
        if (dyn_same(dyn_item(array, i), wanted) && --nth == 0) return i;
    return -1;
}

static enum rf_kind array_index_of_kernel(struct func_call *call, const struct vec *args,
                                          uint32_t count, struct vec *out, struct rf_err *err)
{
    struct rf_buf scratch = rf_buf_in(call->arena);
    for (uint32_t i = 0; i < count; i++) {
        rf_str array = arg_dyn(&args[0], i), wanted;
        if (!arg_encode(&args[1], i, &scratch, &wanted)) return rf_fail_memory(err, call->arena);
        bool null = !arg_is_array(array);
        int64_t start = optional_i64(call, args, 2, i, 0, &null);
        int64_t length = optional_i64(call, args, 3, i, -1, &null);
        int64_t nth = optional_i64(call, args, 4, i, 1, &null);
        OUT_NULL(out)[i] = null || length < -1 || nth < 1;
        if (OUT_NULL(out)[i]) continue;
        int64_t end = dyn_count(array), from = clamp_position(start, end);
        if (length >= 0 && length < end - from) end = from + length;
        OUT_I64(out)[i] = find_element(array, wanted, from, end, nth);
    }
    return RF_OK;
}

/* ---- making arrays --------------------------------------------------------------------------- */

static void put_pack_array(struct func_call *call, const struct vec *args, uint32_t row,
                           struct rf_buf *buf)
{
    struct dyn_builder array;
    dyn_begin_counted(&array, buf, DYN_ARRAY, call->arg_count);
    for (uint32_t a = 0; a < call->arg_count; a++) {
        dyn_next(&array);
        arg_put(&args[a], row, buf);
    }
    dyn_end(&array);
}
ROW_KERNEL(pack_array)

static void put_repeat(struct func_call *call, const struct vec *args, uint32_t row,
                       struct rf_buf *buf)
{
    (void)call;
    int64_t times = ARG_I64(&args[1], row);
    if (ARG_NULL(&args[1], row) || times < 0) return;
    times = RF_MIN(times, ARRAY_COUNT_MAX);
    struct dyn_builder array;
    dyn_begin_counted(&array, buf, DYN_ARRAY, (uint32_t)times);
    for (int64_t i = 0; i < times && !buf->failed; i++) {
        dyn_next(&array);
        arg_put(&args[0], row, buf);
    }
    dyn_end(&array);
}
ROW_KERNEL(repeat)

/* How many values start, start + step .. reach up to `stop`, at most ARRAY_COUNT_MAX. */
static uint32_t range_count(int64_t start, int64_t stop, int64_t step)
{
    RF_ASSERT(step != 0);
    if (step > 0 ? start > stop : start < stop) return 0;
    uint64_t distance =
        step > 0 ? (uint64_t)stop - (uint64_t)start : (uint64_t)start - (uint64_t)stop;
    uint64_t stride = step > 0 ? (uint64_t)step : 0 - (uint64_t)step;
    /* cppcheck-suppress zerodivcond ; it takes the other side of the ?: for a step of 0 */
    return (uint32_t)RF_MIN(distance / stride, ARRAY_COUNT_MAX - 1) + 1;
}

static void put_range_i64(struct func_call *call, const struct vec *args, uint32_t row,
                          struct rf_buf *buf)
{
    enum type type = (enum type)args[0].type;
    bool null = ARG_NULL(&args[0], row) || ARG_NULL(&args[1], row);
    int64_t step = optional_i64(call, args, 2, row, type == TYPE_LONG ? 1 : TICKS_PER_HOUR, &null);
    if (null || step == 0) return;
    int64_t at = ARG_I64(&args[0], row);
    uint32_t count = range_count(at, ARG_I64(&args[1], row), step);
    struct dyn_builder array;
    dyn_begin_counted(&array, buf, DYN_ARRAY, count);
    for (uint32_t i = 0; i < count && !buf->failed; i++) {
        struct value value = value_i64(type, at);
        dyn_next(&array);
        dyn_put_value(buf, &value);
        if (i + 1 < count) at += step; /* within start..stop, so it cannot overflow */
    }
    dyn_end(&array);
}
ROW_KERNEL(range_i64)

static void put_range_real(struct func_call *call, const struct vec *args, uint32_t row,
                           struct rf_buf *buf)
{
    bool has_step = call->arg_count > 2;
    if (ARG_NULL(&args[0], row) || ARG_NULL(&args[1], row) || (has_step && ARG_NULL(&args[2], row)))
        return;
    double start = ARG_REAL(&args[0], row), stop = ARG_REAL(&args[1], row);
    double step = has_step ? ARG_REAL(&args[2], row) : 1;
    /* Also refuses nan and infinities, whose count below would be none. */
    double count_less_1 = floor((stop - start) / step);
    if (step == 0 || !isfinite(start) || !isfinite(step) || isnan(stop)) return;
    uint32_t count = 0;
    if (count_less_1 >= 0) count = (uint32_t)fmin(count_less_1, ARRAY_COUNT_MAX - 1) + 1;
    struct dyn_builder array;
    dyn_begin_counted(&array, buf, DYN_ARRAY, count);
    for (uint32_t i = 0; i < count && !buf->failed; i++) {
        dyn_next(&array);
        dyn_put_real(buf, start + i * step);
    }
    dyn_end(&array);
}
ROW_KERNEL(range_real)

/* ---- joining --------------------------------------------------------------------------------- */

/* Null arguments add nothing; a scalar or bag among the arguments, or nothing but nulls, gives
 * null. */
static void put_array_concat(struct func_call *call, const struct vec *args, uint32_t row,
                             struct rf_buf *buf)
{
    uint64_t count = 0;
    bool any = false;
    for (uint32_t a = 0; a < call->arg_count; a++) {
        rf_str array = arg_dyn(&args[a], row);
        if (dyn_is_null(array)) continue;
        if (!arg_is_array(array)) return;
        count += dyn_count(array);
        any = true;
    }
    if (!any) return;
    if (count > UINT32_MAX) {
        buf->failed = true;
        return;
    }
    struct dyn_builder joined;
    dyn_begin_counted(&joined, buf, DYN_ARRAY, (uint32_t)count);
    for (uint32_t a = 0; a < call->arg_count; a++) {
        rf_str array = arg_dyn(&args[a], row);
        for (uint32_t i = 0; i < dyn_count(array); i++) {
            dyn_next(&joined);
            dyn_put_encoded(buf, dyn_item(array, i));
        }
    }
    dyn_end(&joined);
}
ROW_KERNEL(array_concat)

/* Shorter arrays are filled with null; null when an argument is no array. */
static void put_zip(struct func_call *call, const struct vec *args, uint32_t row,
                    struct rf_buf *buf)
{
    uint32_t count = 0;
    for (uint32_t a = 0; a < call->arg_count; a++) {
        rf_str array = arg_dyn(&args[a], row);
        if (!arg_is_array(array)) return;
        count = RF_MAX(count, dyn_count(array));
    }
    struct dyn_builder zipped, tuple;
    dyn_begin_counted(&zipped, buf, DYN_ARRAY, count);
    for (uint32_t i = 0; i < count && !buf->failed; i++) {
        dyn_next(&zipped);
        dyn_begin_counted(&tuple, buf, DYN_ARRAY, call->arg_count);
        for (uint32_t a = 0; a < call->arg_count; a++) {
            dyn_next(&tuple);
            dyn_put_encoded(buf, dyn_item(arg_dyn(&args[a], row), i));
        }
        dyn_end(&tuple);
    }
    dyn_end(&zipped);
}
ROW_KERNEL(zip)

/* ---- cutting and turning --------------------------------------------------------------------- */

static void put_array_slice(struct func_call *call, const struct vec *args, uint32_t row,
                            struct rf_buf *buf)
{
    (void)call;
    rf_str array = arg_dyn(&args[0], row);
    if (!arg_is_array(array) || ARG_NULL(&args[1], row) || ARG_NULL(&args[2], row)) return;
    int64_t count = dyn_count(array), from = clamp_position(ARG_I64(&args[1], row), count);
    int64_t last = ARG_I64(&args[2], row);
    if (last < 0) last += count;
    int64_t to = last < 0 ? 0 : RF_MIN(last, count - 1) + 1;
    put_slice(buf, array, RF_MIN(from, to), to);
}
ROW_KERNEL(array_slice)

/* Cut `index` of the positions, one number or an array of them, held within the array that is cut;
 * what is no number cuts at the end. */
static int64_t cut_position(const struct vec *positions, uint32_t row, uint32_t index,
                            int64_t count)
{
    if (positions->type == TYPE_LONG) return clamp_position(ARG_I64(positions, row), count);
    rf_str given = arg_dyn(positions, row);
    double position = dyn_real(arg_is_array(given) ? dyn_item(given, index) : given);
    return fabs(position) < 0x1p33 ? clamp_position((int64_t)position, count) : count;
}

/* The parts between 0, each of the cuts, and the end; a cut left of the one before makes an empty
 * part. */
static void put_array_split(struct func_call *call, const struct vec *args, uint32_t row,
                            struct rf_buf *buf)
{
    (void)call;
    rf_str array = arg_dyn(&args[0], row);
    if (!arg_is_array(array) || ARG_NULL(&args[1], row)) return;
    bool many = args[1].type == TYPE_DYNAMIC && arg_is_array(arg_dyn(&args[1], row));
    uint32_t cut_count = many ? dyn_count(arg_dyn(&args[1], row)) : 1;
    int64_t count = dyn_count(array), from = 0;
    struct dyn_builder parts;
    dyn_begin_counted(&parts, buf, DYN_ARRAY, cut_count + 1);
    for (uint32_t i = 0; i <= cut_count && !buf->failed; i++) {
        int64_t to = i < cut_count ? cut_position(&args[1], row, i, count) : count;
        to = RF_MAX(from, to);
        dyn_next(&parts);
        put_slice(buf, array, from, to);
        from = to;
    }
    dyn_end(&parts);
}
ROW_KERNEL(array_split)

static void put_array_reverse(struct func_call *call, const struct vec *args, uint32_t row,
                              struct rf_buf *buf)
{
    (void)call;
    rf_str array = arg_dyn(&args[0], row);
    if (!arg_is_array(array)) {
        dyn_put_encoded(buf, array); /* anything else comes back as it is */
        return;
    }
    uint32_t count = dyn_count(array);
    struct dyn_builder reversed;
    dyn_begin_counted(&reversed, buf, DYN_ARRAY, count);
    for (uint32_t i = count; i > 0; i--) {
        dyn_next(&reversed);
        dyn_put_encoded(buf, dyn_item(array, i - 1));
    }
    dyn_end(&reversed);
}
ROW_KERNEL(array_reverse)

static void put_rotated(const struct vec *args, uint32_t row, bool left, struct rf_buf *buf)
{
    rf_str array = arg_dyn(&args[0], row);
    if (!arg_is_array(array) || ARG_NULL(&args[1], row)) return;
    int64_t count = dyn_count(array), by = count == 0 ? 0 : ARG_I64(&args[1], row) % count;
    if (!left) by = -by;
    if (by < 0) by += count;
    struct dyn_builder rotated;
    dyn_begin_counted(&rotated, buf, DYN_ARRAY, (uint32_t)count);
    for (int64_t i = 0; i < count; i++) {
        dyn_next(&rotated);
        dyn_put_encoded(buf, dyn_item(array, i + by < count ? i + by : i + by - count));
    }
    dyn_end(&rotated);
}
static void put_array_rotate_left(struct func_call *call, const struct vec *args, uint32_t row,
                                  struct rf_buf *buf)
{
    (void)call;
    put_rotated(args, row, true, buf);
}
ROW_KERNEL(array_rotate_left)
static void put_array_rotate_right(struct func_call *call, const struct vec *args, uint32_t row,
                                   struct rf_buf *buf)
{
    (void)call;
    put_rotated(args, row, false, buf);
}
ROW_KERNEL(array_rotate_right)

static bool all_strings(rf_str array)
{
    uint32_t count = dyn_count(array), i = 0;
    while (i < count && dyn_tag(dyn_item(array, i)) == DYN_STRING) i++;
    return count > 0 && i == count;
}

/* Gaps take the default value; without one they are null, or empty texts among texts. */
static void put_shifted(struct func_call *call, const struct vec *args, uint32_t row, bool left,
                        struct rf_buf *buf)
{
    rf_str array = arg_dyn(&args[0], row);
    if (!arg_is_array(array) || ARG_NULL(&args[1], row)) return;
    int64_t count = dyn_count(array), by = ARG_I64(&args[1], row);
    by = RF_MIN(RF_MAX(by, -count), count);
    if (!left) by = -by;
    bool empty_texts = call->arg_count < 3 && all_strings(array);
    struct dyn_builder shifted;
    dyn_begin_counted(&shifted, buf, DYN_ARRAY, (uint32_t)count);
    for (int64_t i = 0; i < count; i++) {
        dyn_next(&shifted);
        if (i + by >= 0 && i + by < count)
            dyn_put_encoded(buf, dyn_item(array, i + by));
        else if (call->arg_count > 2)
            arg_put(&args[2], row, buf);
        else if (empty_texts)
            dyn_put_string(buf, RF_S(""));
        else
            dyn_put_null(buf);
    }
    dyn_end(&shifted);
}
static void put_array_shift_left(struct func_call *call, const struct vec *args, uint32_t row,
                                 struct rf_buf *buf)
{
    put_shifted(call, args, row, true, buf);
}
ROW_KERNEL(array_shift_left)
static void put_array_shift_right(struct func_call *call, const struct vec *args, uint32_t row,
                                  struct rf_buf *buf)
{
    put_shifted(call, args, row, false, buf);
}
ROW_KERNEL(array_shift_right)

/* ---- choosing -------------------------------------------------------------------------------- */

/* Element `index` of an array, or the plain value for every index. */
static void put_branch(const struct vec *branch, uint32_t row, uint32_t index, struct rf_buf *buf)
{
    rf_str array = branch->type == TYPE_DYNAMIC ? arg_dyn(branch, row) : (rf_str){0};
    if (arg_is_array(array))
        dyn_put_encoded(buf, dyn_item(array, index));
    else
        arg_put(branch, row, buf);
}

static void put_array_iff(struct func_call *call, const struct vec *args, uint32_t row,
                          struct rf_buf *buf)
{
    (void)call;
    rf_str conditions = arg_dyn(&args[0], row);
    if (!arg_is_array(conditions)) return;
    uint32_t count = dyn_count(conditions);
    struct dyn_builder chosen;
    dyn_begin_counted(&chosen, buf, DYN_ARRAY, count);
    for (uint32_t i = 0; i < count && !buf->failed; i++) {
        rf_str condition = dyn_item(conditions, i);
        bool number = dyn_is_number(condition);
        dyn_next(&chosen);
        if (dyn_tag(condition) == DYN_TRUE || (number && dyn_real(condition) != 0))
            put_branch(&args[1], row, i, buf);
        else if (dyn_tag(condition) == DYN_FALSE || number)
            put_branch(&args[2], row, i, buf);
        else
            dyn_put_null(buf);
    }
    dyn_end(&chosen);
}
ROW_KERNEL(array_iff)

/* ---- the family ------------------------------------------------------------------------------ */

#define SIGS(...)                                                                                  \
    (const struct func_overload[])                                                                 \
    {                                                                                              \
        __VA_ARGS__, { NULL, NULL }                                                                \
    }
#define ARRAY_FUNC(func_name, doc_line, sig)                                                       \
    {                                                                                              \
        .name = #func_name, .doc = doc_line, .sigs = SIGS({sig, func_name##_kernel}),              \
        .nulls = FUNC_CUSTOM                                                                       \
    }
#define ARRAY_ALIAS(alias, func_name, sig)                                                         \
    {                                                                                              \
        .name = #alias, .doc = "Old name of " #func_name "().",                                    \
        .sigs = SIGS({sig, func_name##_kernel}), .nulls = FUNC_CUSTOM, .flags = FUNC_HIDDEN        \
    }
#define IFF_SIG "(conditions:dynamic, when_true:any, when_false:any) dynamic"
#define SORT_FUNC(func_name, doc_line)                                                             \
    {                                                                                              \
        .name = #func_name, .doc = doc_line,                                                       \
        .sigs = SIGS({"(arrays:any...) dynamic", func_name##_kernel}), .nulls = FUNC_CUSTOM,       \
        .resolve = array_sort_resolve, .column = "%_sorted"                                        \
    }

const struct func func_array[] = {
    ARRAY_FUNC(array_length, "How many elements the array has; null for anything that is no array.",
               "(array:dynamic) long"),
    ARRAY_ALIAS(arraylength, array_length, "(array:dynamic) long"),
    ARRAY_ALIAS(array_len, array_length, "(array:dynamic) long"),
    ARRAY_FUNC(array_sum, "Sum of the elements; null when one of them is no number.",
               "(array:dynamic) real"),
    ARRAY_FUNC(array_index_of,
               "Position of the value, -1 when absent; a negative start counts from the end, "
               "length -1 is no limit.",
               "(array:dynamic, value:any, [start:long], [length:long], [occurrence:long]) long"),
    ARRAY_FUNC(pack_array, "Array of the arguments; a null argument is a null element.",
               "(values:any...) dynamic"),
    {"repeat", "Array of so many equal values; null for a negative count.",
     SIGS({"(value:any, count:long) dynamic", repeat_kernel}), .nulls = FUNC_CUSTOM,
     .column = "repeat_%"},
    {"range",
     "Array from start to stop, which is included when hit; step 1 or 1h; null for step 0.",
     SIGS({"(start:long, stop:long, [step:long]) dynamic", range_i64_kernel},
          {"(start:datetime, stop:datetime, [step:timespan]) dynamic", range_i64_kernel},
          {"(start:timespan, stop:timespan, [step:timespan]) dynamic", range_i64_kernel},
          {"(start:real, stop:real, [step:real]) dynamic", range_real_kernel}),
     .nulls = FUNC_CUSTOM},
    ARRAY_FUNC(array_concat, "The arrays' elements one after another; null arguments add none.",
               "(arrays:dynamic...) dynamic"),
    ARRAY_FUNC(
        zip, "Array of arrays of the elements at equal places; short arrays are filled with null.",
        "(arrays:dynamic...) dynamic"),
    ARRAY_FUNC(array_slice,
               "Elements start to end, both included; negative positions count from the end.",
               "(array:dynamic, start:long, end:long) dynamic"),
    {"array_split", "Array of the parts between cuts before the given position or positions.",
     SIGS({"(array:dynamic, position:long) dynamic", array_split_kernel},
          {"(array:dynamic, positions:dynamic) dynamic", array_split_kernel}),
     .nulls = FUNC_CUSTOM},
    ARRAY_FUNC(array_reverse, "The elements in reverse order.", "(array:dynamic) dynamic"),
    ARRAY_FUNC(array_rotate_left, "The elements turned left; a negative count turns right.",
               "(array:dynamic, count:long) dynamic"),
    ARRAY_FUNC(array_rotate_right, "The elements turned right; a negative count turns left.",
               "(array:dynamic, count:long) dynamic"),
    ARRAY_FUNC(array_shift_left,
               "The elements moved left; gaps take the default value, null or \"\".",
               "(array:dynamic, count:long, [default:any]) dynamic"),
    ARRAY_FUNC(array_shift_right,
               "The elements moved right; gaps take the default value, null or \"\".",
               "(array:dynamic, count:long, [default:any]) dynamic"),
    ARRAY_FUNC(array_iff,
               "Per condition the element of one array or the other; a condition that is no bool "
               "or number gives null.",
               IFF_SIG),
    {.name = "array_iif",
     .doc = "The same as array_iff().",
     .sigs = SIGS({IFF_SIG, array_iff_kernel}),
     .nulls = FUNC_CUSTOM,
     .flags = FUNC_HIDDEN},
    SORT_FUNC(array_sort_asc, "Sorts the first array upwards and the others alike; nulls last "
                              "unless a last argument is false."),
    SORT_FUNC(array_sort_desc, "Sorts the first array downwards and the others alike; nulls last "
                               "unless a last argument is false."),
};
const size_t func_array_count = RF_COUNT(func_array);
