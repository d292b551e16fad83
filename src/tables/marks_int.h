/* marks_int.h - the marks of a table, and the text that they are stored as: the position of its commits.
 *
 *   ARRIVAL { " " SOURCE ":" PART "=" NEXT }     SOURCE in hexadecimal, all else in decimal
 *
 * Positions of before there were marks are the arrival only. */
#ifndef RF_TABLES_MARKS_INT_H
#define RF_TABLES_MARKS_INT_H

#include "tables/marks.h"

struct mark_list {
    struct table_mark *items; /* malloced; sorted by source and part; `from` is not used */
    uint32_t count, cap;
};
void marks_free(struct mark_list *list);
/* Replaces what the list holds. RF_CORRUPT PositionDamaged. */
RF_MUST_USE enum rf_kind marks_decode(rf_str position, int64_t *arrival, struct mark_list *list,
                                      struct rf_err *err);
/* In `arena`; ptr NULL: no memory. */
rf_str marks_encode(const struct mark_list *list, int64_t arrival, struct rf_arena *arena);
/* NULL: none. */
struct table_mark *marks_find(const struct mark_list *list, uint64_t source, uint32_t part);
/* RF_CONFLICT MarkMoved, RF_LIMIT TooManyMarks, MemoryBudgetExceeded. */
RF_MUST_USE enum rf_kind marks_move(struct mark_list *list, const struct table_mark *mark,
                                    struct rf_err *err);
RF_MUST_USE bool marks_copy(struct mark_list *to, const struct mark_list *from);
void marks_drop(struct mark_list *list, uint64_t source);

#endif
