/* compile_int.h - what the parts of the compiler share. */
#ifndef RF_SIGMA_COMPILE_INT_H
#define RF_SIGMA_COMPILE_INT_H

#include "sigma/compile.h"

/* A field that a query reads: a column, or an expression that `extend` gives a name. */
struct compile_field {
    rf_str name;       /* in the rule */
    rf_str column;     /* as the query writes it */
    rf_str expression; /* empty: the column is the table's own */
    bool number;       /* the column holds whole numbers */
    struct compile_field *next;
};

struct compiler {
    const struct layout *layout;
    struct rf_arena *arena;
    struct rf_err *err;
    bool service_only; /* of rules for a service: names of Windows event data may hold blanks */
    struct compile_field *fields, **fields_end; /* in the order of first use */
};

/* The layout that is used for the rule: the wanted one, or the first that has its log source. */
RF_MUST_USE enum rf_kind compile_choose(const struct sigma_rule *rule, const struct layout *wanted,
                                        const struct layout **out, struct layout_bounds *bounds,
                                        struct rf_err *err);
/* The field, noted in c->fields. NULL on lack of memory. */
const struct compile_field *compile_field(struct compiler *c, rf_str name);
/* The expression of a field, as it stands in the table. ptr NULL on lack of memory. */
rf_str compile_field_expression(struct compiler *c, rf_str name, bool *number);
/* Appends a condition that is never null. */
RF_MUST_USE enum rf_kind compile_node(struct compiler *c, struct rf_buf *buf,
                                      const struct sigma_node *node, uint32_t indent);
/* Appends a string literal. */
void compile_literal(struct rf_buf *buf, rf_str text);
/* Appends a name, quoted where it must be. */
void compile_name(struct rf_buf *buf, rf_str name);
/* Appends table, log source, extends and condition of a plain rule: a query without a comment. `table` NULL: that of the
 * layout. Fields that were asked for before are extended, too. */
RF_MUST_USE enum rf_kind compile_rule(struct compiler *c, struct rf_buf *buf,
                                      const struct sigma_rule *rule,
                                      const struct layout_bounds *bounds, const char *table,
                                      rf_str *table_used);
/* Appends the query of a correlation. */
RF_MUST_USE enum rf_kind compile_correlation(struct rf_buf *buf, const struct sigma_rule *rule,
                                             const struct compile_options *options,
                                             struct rf_arena *arena, struct compiled *out,
                                             struct rf_err *err);

#endif
