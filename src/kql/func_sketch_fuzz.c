/* Stored sketches come from tables, so from outside: whatever JSON they hold, the functions over them and
 * over series must come to an end without harm. */
#include "kql/aggr_sketch.h"
#include "kql/func.h"
#include "test/rf_fuzz.h"
#include "value/dyn.h"

static void over_sketches(rf_str d, struct rf_arena *arena)
{
    struct hll hll, hll_all = {0};
    struct digest digest, digest_all = {0};
    rf_str out;
    if (hll_from_dyn(d, arena, &hll) && hll_merge(&hll_all, &hll, arena)) {
        RF_ASSERT(hll_count(&hll_all) == hll_count(&hll));
        if (hll.p != 0 && hll_to_dyn(&hll, hll.p, arena, &out)) RF_ASSERT(dyn_valid(out));
    }
    if (digest_from_dyn(d, arena, &digest) && digest_merge(&digest_all, &digest, arena) &&
        digest_sort(&digest_all, arena)) {
        (void)digest_percentile(&digest_all, 50);
        (void)digest_rank(&digest_all, digest_key_i64(7));
        if (digest_to_dyn(&digest, arena, &out)) RF_ASSERT(dyn_valid(out));
    }
}

RF_FUZZ(func_sketch, text)
{
    static const char *const funcs[] = {"series_stats_dynamic",
                                        "series_fit_2lines_dynamic",
                                        "series_fit_poly",
                                        "series_fft",
                                        "series_seasonal",
                                        "series_decompose",
                                        "series_decompose_anomalies",
                                        "series_outliers",
                                        "series_fill_linear",
                                        "series_abs"};
    struct rf_arena arena;
    rf_arena_init(&arena, (size_t)8 << 20);
    struct rf_buf buf = rf_buf_in(&arena);
    struct rf_err err;
    if (dyn_parse_json(text, &buf, &err) == RF_OK) {
        over_sketches(dyn_done(&buf), &arena);
        struct value arg = value_dyn(dyn_done(&buf)), out;
        for (size_t i = 0; i < RF_COUNT(funcs); i++)
            if (func_eval(rf_str_of(funcs[i]), &arg, 1, &arena, &out, &err) == RF_OK)
                RF_ASSERT(out.null || dyn_valid(out.s));
    }
    rf_arena_done(&arena);
}
