#include "value/value.h"

#include "value/decimal.h"
#include "value/dyn.h"

#include <math.h>

const uint8_t type_cell_bytes[TYPE_COUNT] = {
    [TYPE_BOOL] = 1,     [TYPE_INT] = 8,      [TYPE_LONG] = 8,     [TYPE_REAL] = 8,
    [TYPE_DECIMAL] = 16, [TYPE_DATETIME] = 8, [TYPE_TIMESPAN] = 8, [TYPE_GUID] = 16,
    [TYPE_STRING] = 16,  [TYPE_DYNAMIC] = 16,
};
_Static_assert(sizeof(struct decimal) == 16 && sizeof(struct guid) == 16, "cells of 16 bytes");
_Static_assert(sizeof(rf_str) == 16 && sizeof(double) == 8, "cells as type_cell_bytes says");

static const char *const type_names[TYPE_COUNT] = {
    "bool", "int", "long", "real", "decimal", "datetime", "timespan", "guid", "string", "dynamic",
};

static const char *const type_dotnet_names[TYPE_COUNT] = {
    "System.SByte",
    "System.Int32",
    "System.Int64",
    "System.Double",
    "System.Data.SqlTypes.SqlDecimal",
    "System.DateTime",
    "System.TimeSpan",
    "System.Guid",
    "System.String",
    "System.Object",
};

const char *type_name(enum type type) { return type_names[type]; }
const char *type_dotnet_name(enum type type) { return type_dotnet_names[type]; }

bool type_parse(rf_str name, enum type *out)
{
    static const struct {
        const char *name;
        enum type type;
    } aliases[] = {
        {"boolean", TYPE_BOOL},  {"int32", TYPE_INT},  {"int64", TYPE_LONG},
        {"double", TYPE_REAL},   {"float", TYPE_REAL}, {"date", TYPE_DATETIME},
        {"time", TYPE_TIMESPAN}, {"uuid", TYPE_GUID},  {"uniqueid", TYPE_GUID},
    };
    for (int t = 0; t < TYPE_COUNT; t++) {
        if (!rf_str_is(name, type_names[t])) continue;
        *out = (enum type)t;
        return true;
    }
    for (size_t i = 0; i < RF_COUNT(aliases); i++) {
        if (!rf_str_is(name, aliases[i].name)) continue;
        *out = aliases[i].type;
        return true;
    }
    return false;
}

/* nan below every real, so that sorting has a place for it. */
static int real_cmp(double a, double b)
{
    if (RF_UNLIKELY(isnan(a) || isnan(b))) return (isnan(b) != 0) - (isnan(a) != 0);
    return (a > b) - (a < b);
}

int value_cmp(const struct value *a, const struct value *b)
{
    switch ((enum type)a->type) {
    case TYPE_BOOL:
        return (a->b > b->b) - (a->b < b->b);
    case TYPE_INT:
    case TYPE_LONG:
    case TYPE_DATETIME:
    case TYPE_TIMESPAN:
        return (a->i > b->i) - (a->i < b->i);
    case TYPE_REAL:
        return real_cmp(a->r, b->r);
    case TYPE_DECIMAL:
        return decimal_cmp(&a->d, &b->d);
    case TYPE_GUID:
        return memcmp(a->g.bytes, b->g.bytes, sizeof a->g.bytes);
    case TYPE_STRING:
        return rf_str_cmp(a->s, b->s);
    case TYPE_DYNAMIC:
        return dyn_cmp(a->s, b->s);
    case TYPE_COUNT:
        break;
    }
    return 0;
}

/* An empty run of bytes and an encoded null mean the same in a dynamic, whether the null flag is
 * set or not. */
static bool is_null(const struct value *v)
{
    return v->null || (v->type == TYPE_DYNAMIC && dyn_is_null(v->s));
}

bool value_same(const struct value *a, const struct value *b)
{
    if (a->type != b->type) return false;
    bool a_null = is_null(a), b_null = is_null(b);
    if (a_null || b_null) return a_null && b_null;
    switch ((enum type)a->type) {
    case TYPE_STRING:
        return rf_str_eq(a->s, b->s);
    case TYPE_DYNAMIC:
        return dyn_same(a->s, b->s);
    default:
        return value_cmp(a, b) == 0;
    }
}

/* vec.c computes the same hashes in loops over cells; the two must agree. */
uint64_t value_hash(const struct value *v)
{
    struct vec one = {.type = v->type, .shape = VEC_CONST, .data = &v->d};
    uint8_t null = is_null(v);
    uint64_t hash;
    one.nulls = &null;
    vec_hash(&one, 1, false, &hash);
    return hash;
}

bool value_copy(const struct value *v, struct rf_arena *arena, struct value *out)
{
    struct value copy = *v;
    if (type_is_bytes((enum type)v->type)) {
        if (v->null)
            copy.s = (rf_str){NULL, 0};
        else if (!rf_arena_str(arena, v->s, &copy.s))
            return false;
    }
    *out = copy;
    return true;
}
