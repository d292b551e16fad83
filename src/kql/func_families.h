/* func_families.h - every family of scalar functions and of aggregates: a table and its length. */
#ifndef RF_FUNC_FAMILIES_H
#define RF_FUNC_FAMILIES_H

#include "kql/aggr.h"
#include "kql/func.h"

#define FUNC_FAMILIES(X)                                                                             \
    X(func_operator) /* operators as functions: +, ==, and, has's kernels' entries, iff, case ... */ \
    X(func_convert) /* to*(), gettype, isnull ... */                                                 \
    X(func_datetime)                                                                                 \
    X(func_math)                                                                                     \
    X(func_string)                                                                                   \
    X(func_search) /* has, contains, startswith ... and their relatives */                           \
    X(func_regex)                                                                                    \
    X(func_parse) /* parse_url, parse_csv, parse_xml ... */                                          \
    X(func_codec) /* base64, url, punycode, gzip, hash_* */                                          \
    X(func_dynamic)                                                                                  \
    X(func_array)                                                                                    \
    X(func_bag)                                                                                      \
    X(func_ip)                                                                                       \
    X(func_series)                                                                                   \
    X(func_stat)   /* beta_*, gamma, erf, welch_test */                                              \
    X(func_sketch) /* hll and tdigest */                                                             \
    X(func_unit)   /* convert_* */                                                                   \
    X(func_geo)                                                                                      \
    X(func_session) /* now, current_*, cursor_*, rand, new_guid, ingestion_time ... */

#define AGGR_FAMILIES(X)                                                                           \
    X(aggr_basic)    /* count, sum, avg, min, max, stdev ... and their -if forms */                \
    X(aggr_distinct) /* dcount, count_distinct, hll */                                             \
    X(aggr_percentile)                                                                             \
    X(aggr_collect) /* make_list, make_set, make_bag, take_any, arg_max, buildschema */

#define FAMILY_DECLARE(name)                                                                       \
    extern const struct func name[];                                                               \
    extern const size_t name##_count;
FUNC_FAMILIES(FAMILY_DECLARE)
#undef FAMILY_DECLARE
#define FAMILY_DECLARE(name)                                                                       \
    extern const struct aggr name[];                                                               \
    extern const size_t name##_count;
AGGR_FAMILIES(FAMILY_DECLARE)
#undef FAMILY_DECLARE

#endif
