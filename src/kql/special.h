/* special.h - names that a query calls and that are bound by the language itself, not by a function's signature: they take a
 * table, a column's name, or the rows around. Here for whoever lists what there is. */
#ifndef RF_SPECIAL_H
#define RF_SPECIAL_H

#include <stddef.h>

struct special {
    const char *name, *doc, *syntax;
};
size_t special_count(void);
const struct special *special_at(size_t index);

#endif
