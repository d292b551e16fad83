/* source_store.h - a table of a store as a source of rows. */
#ifndef RF_SOURCE_STORE_H
#define RF_SOURCE_STORE_H

#include "kql/ast.h"
#include "kql/exec.h"
#include "store/table.h"

/* The table `name`; nothing is read before it is used. Each use of the source sees the table as it was
 * when it was opened first. Allocates in `arena`, which must outlive it; `store` and `name` are
 * borrowed. source_store_close gives back what opening took. NULL on lack of memory. */
struct source *source_store_new(struct store *store, rf_str name, struct rf_arena *arena);
/* The same over a table that the caller has open, for as long as the source is used. Its columns are `columns`, each of which
 * the table has, with that type; borrowed. RF_NOT_FOUND UnknownColumn. */
RF_MUST_USE enum rf_kind source_table_new(struct table *table, rf_str name,
                                          struct ast_column *columns, uint32_t column_count,
                                          struct rf_arena *arena, struct source **out,
                                          struct rf_err *err);
/* Closes a source made by source_store_new; others are left alone. */
void source_store_close(struct source *source);

/* What scan->predicates say about the source's columns, as tests for the store: every row that meets
 * the predicates passes all tests. `tests` is in `arena`. For source_store.c and its test. */
RF_MUST_USE enum rf_kind source_store_tests(const struct source *source, const struct scan *scan,
                                            struct rf_arena *arena, struct extent_test **tests,
                                            uint32_t *count, struct rf_err *err);

#endif
