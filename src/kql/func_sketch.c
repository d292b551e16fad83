/* Scalar functions over stored sketches; their form is described in aggr_sketch.h. */
#include "kql/aggr_sketch.h"
#include "kql/func_families.h"

#include "value/dyn.h"
#include "value/text.h"

/* ---- hll ------------------------------------------------------------------------------------------------ */

static enum rf_kind dcount_hll(struct func_call *call, const struct vec *args, uint32_t count,
                               struct vec *out, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena scratch;
    rf_arena_init_shared(&scratch, call->arena->budget);
    for (uint32_t i = 0; i < count; i++) {
        struct hll hll = {0};
        rf_arena_reset(&scratch);
        if (!ARG_NULL(&args[0], i) && !hll_from_dyn(ARG_STR(&args[0], i), &scratch, &hll))
            return rf_fail_memory(err, &scratch);
        if (hll.p == 0)
            OUT_NULL(out)[i] = 1;
        else
            OUT_I64(out)[i] = hll_count(&hll);
    }
    return RF_OK;
}

static enum rf_kind merge_hlls(struct func_call *call, const struct vec *args, uint32_t row,
                               struct rf_arena *scratch, struct vec *out, struct rf_err *err)
{
    struct hll all = {0}, one;
    for (uint32_t a = 0; a < call->arg_count; a++) {
        if (ARG_NULL(&args[a], row)) continue;
        if (!hll_from_dyn(ARG_STR(&args[a], row), scratch, &one) || !hll_merge(&all, &one, scratch))
            return rf_fail_memory(err, scratch);
    }
    if (all.p == 0)
        OUT_NULL(out)[row] = 1;
    else if (!hll_to_dyn(&all, all.p, call->arena, &OUT_STR(out)[row]))
        return rf_fail_memory(err, call->arena);
    return RF_OK;
}

static enum rf_kind hll_merge_scalar(struct func_call *call, const struct vec *args, uint32_t count,
                                     struct vec *out, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena scratch;
    rf_arena_init_shared(&scratch, call->arena->budget);
    for (uint32_t i = 0; i < count; i++) {
        rf_arena_reset(&scratch);
        RF_TRY(merge_hlls(call, args, i, &scratch, out, err));
    }
    return RF_OK;
}

/* ---- tdigest --------------------------------------------------------------------------------------------- */

/* Writes a value of any type as the result, converted to the type that the call has. */
static enum rf_kind give_value(struct func_call *call, const struct value *v, uint32_t row,
                               struct vec *out, struct rf_err *err)
{
    struct value converted = *v;
    if (call->type == TYPE_DYNAMIC) {
        struct rf_buf buf = rf_buf_in(call->arena);
        dyn_put_value(&buf, v);
        if (buf.failed) return rf_fail_memory(err, call->arena);
        converted = value_dyn(dyn_done(&buf));
        converted.null = v->null;
    } else if (!value_convert(v, call->type, call->arena, &converted)) {
        return rf_fail_memory(err, call->arena);
    }
    vec_set(out, row, &converted);
    return RF_OK;
}

static enum rf_kind percentile_tdigest(struct func_call *call, const struct vec *args,
                                       uint32_t count, struct vec *out, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena scratch;
    rf_arena_init_shared(&scratch, call->arena->budget);
    for (uint32_t i = 0; i < count; i++) {
        struct digest digest;
        rf_arena_reset(&scratch);
        OUT_NULL(out)[i] = 1;
        if (ARG_NULL(&args[0], i) || ARG_NULL(&args[1], i)) continue;
        double percent = ARG_REAL(&args[1], i);
        if (!digest_from_dyn(ARG_STR(&args[0], i), &scratch, &digest))
            return rf_fail_memory(err, &scratch);
        if (digest.count == 0 || !(percent >= 0 && percent <= 100)) continue;
        struct value v = digest_percentile(&digest, percent);
        RF_TRY(give_value(call, &v, i, out, err));
    }
    return RF_OK;
}

static bool put_percentile(struct dyn_builder *array, struct rf_buf *buf,
                           const struct digest *digest, double percent, enum type type)
{
    struct value v = value_null(TYPE_REAL), converted;
    if (percent >= 0 && percent <= 100) v = digest_percentile(digest, percent);
    if (type == TYPE_DYNAMIC)
        converted = v;
    else if (!value_convert(&v, type, buf->arena, &converted))
        return false;
    dyn_next(array);
    dyn_put_value(buf, &converted);
    return true;
}

/* typeof(T) arrives as its text. */
static bool parse_type(rf_str text, enum type *out)
{
    rf_str name = rf_str_trim(text);
    if (rf_str_starts(name, RF_S("typeof(")) && rf_str_ends(name, RF_S(")")))
        name = rf_str_trim(rf_slice(name, 7, name.len - 1));
    return type_parse(name, out);
}

static enum rf_kind percentile_array_row(struct func_call *call, const struct vec *args,
                                         uint32_t row, struct rf_arena *scratch, struct vec *out,
                                         struct rf_err *err)
{
    struct digest digest;
    enum type type = TYPE_DYNAMIC;
    OUT_NULL(out)[row] = 1;
    if (ARG_NULL(&args[0], row)) return RF_OK;
    if (!digest_from_dyn(ARG_STR(&args[0], row), scratch, &digest))
        return rf_fail_memory(err, scratch);
    if (digest.count == 0) return RF_OK;
    struct rf_buf buf = rf_buf_in(call->arena);
    struct dyn_builder array;
    bool ok = true;
    dyn_begin(&array, &buf, DYN_ARRAY);
    if (args[1].type == TYPE_DYNAMIC) {
        rf_str list = ARG_NULL(&args[1], row) ? (rf_str){NULL, 0} : ARG_STR(&args[1], row);
        if (call->arg_count > 2 && args[2].type == TYPE_STRING)
            parse_type(ARG_STR(&args[2], row), &type);
        for (uint32_t k = 0; k < dyn_count(list); k++)
            ok = ok && put_percentile(&array, &buf, &digest, dyn_real(dyn_item(list, k)), type);
    } else {
        for (uint32_t a = 1; a < call->arg_count; a++) {
            double percent = ARG_NULL(&args[a], row) ? -1 : ARG_REAL(&args[a], row);
            ok = ok && put_percentile(&array, &buf, &digest, percent, type);
        }
    }
    dyn_end(&array);
    if (!ok || buf.failed) return rf_fail_memory(err, call->arena);
    OUT_NULL(out)[row] = 0;
    OUT_STR(out)[row] = dyn_done(&buf);
    return RF_OK;
}

static enum rf_kind percentile_array_tdigest(struct func_call *call, const struct vec *args,
                                             uint32_t count, struct vec *out, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena scratch;
    rf_arena_init_shared(&scratch, call->arena->budget);
    for (uint32_t i = 0; i < count; i++) {
        rf_arena_reset(&scratch);
        RF_TRY(percentile_array_row(call, args, i, &scratch, out, err));
    }
    return RF_OK;
}

static enum rf_kind rank_rows(struct func_call *call, const struct vec *args, uint32_t count,
                              struct vec *out, bool percent, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena scratch;
    rf_arena_init_shared(&scratch, call->arena->budget);
    for (uint32_t i = 0; i < count; i++) {
        struct digest digest;
        uint64_t key;
        rf_arena_reset(&scratch);
        OUT_NULL(out)[i] = 1;
        struct value v = vec_value(&args[1], i);
        if (ARG_NULL(&args[0], i) || v.null) continue;
        if (!digest_from_dyn(ARG_STR(&args[0], i), &scratch, &digest))
            return rf_fail_memory(err, &scratch);
        if (digest.count == 0 || !digest_key(&digest, &v, &key)) continue;
        double rank = digest_rank(&digest, key);
        OUT_REAL(out)[i] = percent ? rank * 100 / digest_weight(&digest) : rank;
        OUT_NULL(out)[i] = 0;
    }
    return RF_OK;
}

static enum rf_kind rank_tdigest(struct func_call *call, const struct vec *args, uint32_t count,
                                 struct vec *out, struct rf_err *err)
{
    return rank_rows(call, args, count, out, false, err);
}
static enum rf_kind percentrank_tdigest(struct func_call *call, const struct vec *args,
                                        uint32_t count, struct vec *out, struct rf_err *err)
{
    return rank_rows(call, args, count, out, true, err);
}

static enum rf_kind merge_digests(struct func_call *call, const struct vec *args, uint32_t row,
                                  struct rf_arena *scratch, struct vec *out, struct rf_err *err)
{
    struct digest all = {0}, one;
    for (uint32_t a = 0; a < call->arg_count; a++) {
        if (ARG_NULL(&args[a], row)) continue;
        if (!digest_from_dyn(ARG_STR(&args[a], row), scratch, &one) ||
            !digest_merge(&all, &one, scratch))
            return rf_fail_memory(err, scratch);
    }
    if (all.count == 0)
        OUT_NULL(out)[row] = 1;
    else if (!digest_to_dyn(&all, call->arena, &OUT_STR(out)[row]))
        return rf_fail_memory(err, call->arena);
    return RF_OK;
}

static enum rf_kind tdigest_merge_scalar(struct func_call *call, const struct vec *args,
                                         uint32_t count, struct vec *out, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena scratch;
    rf_arena_init_shared(&scratch, call->arena->budget);
    for (uint32_t i = 0; i < count; i++) {
        rf_arena_reset(&scratch);
        RF_TRY(merge_digests(call, args, i, &scratch, out, err));
    }
    return RF_OK;
}

/* percentile_tdigest(digest, percent, typeof(T)) has type T. */
static enum rf_kind resolve_type(struct func_bind *bind, struct rf_err *err)
{
    if (bind->arg_count < 3) return RF_OK;
    const struct value *type = bind->consts[2];
    enum type wanted;
    if (type == NULL || type->type != TYPE_STRING || !parse_type(type->s, &wanted))
        return RF_FAIL(err, RF_INVALID, "BadParameter",
                       "%s() takes typeof(..) as its third argument, such as typeof(long)",
                       bind->func->name);
    bind->type = wanted;
    return RF_OK;
}

/* ---- table ------------------------------------------------------------------------------------------------- */

#define SIGS(...) ((const struct func_overload[]){__VA_ARGS__, {NULL, NULL}})
#define FUNC(name_, column_, doc_, resolve_, ...)                                                  \
    {                                                                                              \
        .name = name_, .doc = doc_, .sigs = SIGS(__VA_ARGS__), .nulls = FUNC_CUSTOM,               \
        .column = column_, .resolve = resolve_                                                     \
    }

const struct func func_sketch[] = {
    FUNC("dcount_hll", "dcount_hll_%",
         "Number of different values in a sketch of hll; null for what is none.", NULL,
         {"(hll:dynamic) long", dcount_hll}),
    FUNC("hll_merge", "hll_merged_result", "Joins sketches of hll; null when there is none.", NULL,
         {"(hll:dynamic, hll2:dynamic...) dynamic", hll_merge_scalar}),
    FUNC("merge_tdigest", "tdigests_merge_result",
         "Joins sketches of tdigest; null when there is none.", NULL,
         {"(digest:dynamic, digest2:dynamic...) dynamic", tdigest_merge_scalar}),
    FUNC("tdigest_merge", "tdigests_merge_result", "The same as merge_tdigest.", NULL,
         {"(digest:dynamic, digest2:dynamic...) dynamic", tdigest_merge_scalar}),
    FUNC("percentile_tdigest", "percentile_tdigest_%",
         "Percentile of a sketch of tdigest, dynamic unless typeof(..) names a type.", resolve_type,
         {"(digest:dynamic, percentile:real, [type:string]) dynamic", percentile_tdigest}),
    FUNC("percentile_array_tdigest", "percentile_tdigest_%",
         "Several percentiles of a sketch of tdigest as an array.", NULL,
         {"(digest:dynamic, percentiles:dynamic, [type:string]) dynamic", percentile_array_tdigest},
         {"(digest:dynamic, percentile:real...) dynamic", percentile_array_tdigest}),
    FUNC("percentiles_array_tdigest", "percentile_tdigest_%",
         "The same as percentile_array_tdigest.", NULL,
         {"(digest:dynamic, percentiles:dynamic, [type:string]) dynamic", percentile_array_tdigest},
         {"(digest:dynamic, percentile:real...) dynamic", percentile_array_tdigest}),
    FUNC("rank_tdigest", NULL, "How many values of a sketch of tdigest are at or below a value.",
         NULL, {"(digest:dynamic, value:any) real", rank_tdigest}),
    FUNC("percentrank_tdigest", NULL, "rank_tdigest in percent of all values.", NULL,
         {"(digest:dynamic, value:any) real", percentrank_tdigest}),
};
const size_t func_sketch_count = RF_COUNT(func_sketch);
