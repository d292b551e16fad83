#include "kql/operators.h"

static const struct operator* const operators[] = {
#define OPERATOR_ENTRY(name) &name,
    OPERATORS(OPERATOR_ENTRY)
#undef OPERATOR_ENTRY
};

const struct operator* operator_find(rf_str name)
{
    for (size_t i = 0; i < RF_COUNT(operators); i++)
        if (rf_str_is(name, operators[i]->name)) return operators[i];
    return NULL;
}

size_t operator_count(void) { return RF_COUNT(operators); }
const struct operator* operator_at(size_t index) { return operators[index]; }
