#include "value/value.h"

#include "test/rf_prop.h"
#include "value/decimal.h"
#include "value/dyn.h"

#include <math.h>

Test(value, types_have_names_and_aliases)
{
    static const struct {
        const char *name;
        enum type type;
    } cases[] = {{"bool", TYPE_BOOL},         {"boolean", TYPE_BOOL},      {"int", TYPE_INT},
                 {"long", TYPE_LONG},         {"real", TYPE_REAL},         {"double", TYPE_REAL},
                 {"decimal", TYPE_DECIMAL},   {"datetime", TYPE_DATETIME}, {"date", TYPE_DATETIME},
                 {"timespan", TYPE_TIMESPAN}, {"time", TYPE_TIMESPAN},     {"guid", TYPE_GUID},
                 {"uuid", TYPE_GUID},         {"uniqueid", TYPE_GUID},     {"string", TYPE_STRING},
                 {"dynamic", TYPE_DYNAMIC}};
    enum type type;
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        cr_assert(type_parse(rf_str_of(cases[i].name), &type), "%s", cases[i].name);
        cr_assert(type == cases[i].type, "%s", cases[i].name);
    }
    for (int t = 0; t < TYPE_COUNT; t++)
        cr_assert(type_parse(rf_str_of(type_name((enum type)t)), &type) && type == (enum type)t);
    cr_assert(!type_parse(RF_S("Bool"), &type) && !type_parse(RF_S(""), &type));
    cr_assert(strcmp(type_dotnet_name(TYPE_STRING), "System.String") == 0);
    cr_assert(strcmp(type_dotnet_name(TYPE_DECIMAL), "System.Data.SqlTypes.SqlDecimal") == 0);
}

Test(value, orders_each_type)
{
    struct guid low = {{0}}, high = {{0}};
    high.bytes[15] = 1;
    const struct value pairs[][2] = {
        {value_bool(false), value_bool(true)},
        {value_long(INT64_MIN), value_long(INT64_MAX)},
        {value_i64(TYPE_DATETIME, 1), value_i64(TYPE_DATETIME, 2)},
        {value_real(-INFINITY), value_real(0)},
        {value_real(NAN), value_real(-INFINITY)},
        {value_guid(low), value_guid(high)},
        {value_str(RF_S("a")), value_str(RF_S("ab"))},
        {value_decimal(decimal_from_i64(-1)), value_decimal(decimal_from_i64(1))},
    };
    for (size_t i = 0; i < RF_COUNT(pairs); i++) {
        const struct value *a = &pairs[i][0], *b = &pairs[i][1];
        cr_assert(value_cmp(a, b) < 0 && value_cmp(b, a) > 0, "%zu", i);
        cr_assert(value_cmp(a, a) == 0 && value_same(a, a) && !value_same(a, b), "%zu", i);
        cr_assert(value_hash(a) == value_hash(a) && value_hash(a) != value_hash(b), "%zu", i);
    }
}

Test(value, same_and_hash_agree_on_odd_cases)
{
    struct value zero = value_real(0.0), minus_zero = value_real(-0.0);
    struct value nan_a = value_real(NAN), nan_b = value_real(-NAN);
    cr_assert(value_same(&zero, &minus_zero) && value_hash(&zero) == value_hash(&minus_zero));
    cr_assert(value_same(&nan_a, &nan_b) && value_hash(&nan_a) == value_hash(&nan_b));

    struct value null = value_null(TYPE_LONG), one = value_long(1);
    cr_assert(value_same(&null, &null) && !value_same(&null, &one) && !value_same(&one, &null));

    struct value dyn_flagged = value_null(TYPE_DYNAMIC), dyn_encoded = value_dyn(RF_S("\0"));
    cr_assert(value_same(&dyn_flagged, &dyn_encoded));
    cr_assert(value_hash(&dyn_flagged) == value_hash(&dyn_encoded));

    struct value missing = value_null(TYPE_STRING), empty = value_str(RF_S(""));
    cr_assert(!missing.null && value_same(&missing, &empty) &&
              value_hash(&missing) == value_hash(&empty));

    struct value as_int = value_i64(TYPE_INT, 1);
    cr_assert(!value_same(&as_int, &one), "types differ");
}

Test(value, copies_bytes)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 4096);
    char text[] = "abc";
    struct value v = value_str(rf_str_of(text)), copy;
    cr_assert(value_copy(&v, &arena, &copy));
    text[0] = 'x';
    cr_assert(rf_str_is(copy.s, "abc"));
    struct value long_text = value_str(rf_str_make("", 100000));
    cr_assert(!value_copy(&long_text, &arena, &copy), "over the budget");
    cr_assert(rf_str_is(copy.s, "abc"), "a failure leaves `out` alone");
}
