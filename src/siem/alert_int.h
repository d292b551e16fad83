/* alert_int.h - what the files that make alerts share. */
#ifndef RF_SIEM_ALERT_INT_H
#define RF_SIEM_ALERT_INT_H

#include "siem/alert.h"

/* A run while its alerts are made. */
struct alert_maker {
    const struct rule *rule;
    const struct alert_run *run;
    const struct schema *schema;
    const struct rows *rows;
    uint64_t row_count;
    struct rf_arena *arena;
    struct rf_err *err;
};

/* Rows [from, to) of the run: what one alert stands for. */
struct alert_span {
    uint64_t from, to;
};

/* The cell as text; empty where there is no such column, row or value. In `arena`; ptr NULL with a length never happens: on lack
 * of memory *failed is set. */
rf_str alert_cell(const struct alert_maker *maker, rf_str column, uint64_t row,
                  struct rf_arena *arena, bool *failed);

/* alert_entities.c */
RF_MUST_USE enum rf_kind alert_make_entities(const struct alert_maker *maker,
                                             const struct alert_span *span, struct alert *alert);
/* alert_row.c: `alert` is whole but for its row. */
RF_MUST_USE enum rf_kind alert_make_row(const struct alert_maker *maker,
                                        const struct alert_span *span, struct alert *alert);

#endif
