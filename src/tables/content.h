/* content.h - the tables that every workspace has, as content/tables.tsv lists them. The program carries that file in
 * itself. */
#ifndef RF_TABLES_CONTENT_H
#define RF_TABLES_CONTENT_H

#include "tables/tables.h"

struct content;
/* Parses the list, about a millisecond. Errors: RF_CORRUPT ContentDamaged, RF_LIMIT MemoryBudgetExceeded. */
RF_MUST_USE enum rf_kind content_new(struct content **out, struct rf_err *err);
/* The same from another text, for tests; `text` is borrowed. */
RF_MUST_USE enum rf_kind content_parse(rf_str text, struct content **out, struct rf_err *err);
void content_free(struct content *content);
/* Sorted by name in lower case; they live as long as `content`. Never written again: any thread. */
const struct table_def *content_tables(const struct content *content, uint32_t *count);
/* NULL when there is none; case is ignored. */
const struct table_def *content_find(const struct content *content, rf_str name);

/* That of the tables; lives as long as they do. */
const struct content *tables_content(const struct tables *tables);

#endif
