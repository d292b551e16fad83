/* source_file.h - tables that are not in a store: a text file, rows in memory, or nothing but columns. */
#ifndef RF_SOURCE_FILE_H
#define RF_SOURCE_FILE_H

#include "kql/exec.h"
#include "store/reader.h"

struct source_file_options {
    rf_str name;      /* of the table */
    const char *path; /* "-": standard input, which is kept in memory when it is first read */
    const struct ast_column
        *columns; /* NULL: names and types are inferred from all rows at the first use */
    uint32_t column_count;
};
/* A table over a file; nothing is opened before the table is used. Allocates in `arena`, which must outlive it,
 * pays for what opening needs and keeps `options`' texts only by reference. NULL on lack of memory. A scan reads the
 * file anew, in order, on lane 0; its memory is the query's. Rows that cannot be read are left out. */
struct source *source_file_new(const struct source_file_options *options, struct rf_arena *arena);

/* Rows that the last scan left out. */
struct source_file_rejects {
    uint64_t count;
    uint64_t line; /* of the first */
    const char *reason;
    const char *path;
};
struct source_file_rejects
source_file_rejects(const struct source *source); /* of a file's table only */
/* Values of a column that became null in the last scan that read it. */
struct reader_misfits source_file_misfits(const struct source *source, uint32_t column);
bool source_is_file(const struct source *source);

/* A table without rows. `columns` are borrowed. */
struct source *source_empty_new(rf_str name, struct ast_column *columns, uint32_t column_count,
                                struct rf_arena *arena);
/* A table over kept rows, whose columns are `columns`; both are borrowed. */
struct source *source_rows_new(rf_str name, struct ast_column *columns, uint32_t column_count,
                               const struct rows *rows, struct rf_arena *arena);

#endif
