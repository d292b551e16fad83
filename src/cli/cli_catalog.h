/* cli_catalog.h - the tables and functions that a command works on, as its options name them: files, folders of
 * files, folders of schemas. */
#ifndef RF_CLI_CATALOG_H
#define RF_CLI_CATALOG_H

#include "kql/exec.h"
#include "lab/functions.h"
#include "lab/watchlists.h"
#include "store/reader.h"
#include "tables/external.h"

struct cli_schema { /* of a schema file: {"name", "columns":[{"name","type"}..]} */
    rf_str name;
    struct ast_column *columns;
    uint32_t column_count;
};

enum { CLI_PLACES_MAX = 16 };

struct cli_catalog {
    struct rf_arena *arena; /* lives as long as the catalog's use */
    struct catalog catalog; /* valid after cli_catalog_finish */
    uint32_t source_cap;
    struct lab_functions functions; /* in `catalog` after cli_catalog_finish */
    struct lab_watchlists lists;
    struct cli_schema *schemas;
    uint32_t schema_count, schema_cap;
    struct external_places external; /* points into what follows: the catalog must not move then */
    rf_str external_hosts[CLI_PLACES_MAX];
    const char *external_folders[CLI_PLACES_MAX];
    struct store *store; /* NULL: none; closed by cli_catalog_done */
};

struct cli_catalog cli_catalog_in(struct rf_arena *arena);
/* Every NAME.json of the folder; functions.json holds saved functions. Call before the tables are added, so that they
 * take their types from here. */
RF_MUST_USE enum rf_kind cli_catalog_add_schemas(struct cli_catalog *catalog, const char *folder,
                                                 struct rf_err *err);
/* Saved functions of a file or folder (lab/functions.h), such as functions.json of a folder of schemas or of a store; watchlists of a
 * file or folder (lab/watchlists.h). Of a name that is there already the first counts. */
RF_MUST_USE enum rf_kind cli_catalog_add_functions(struct cli_catalog *catalog, const char *path,
                                                   struct rf_err *err);
RF_MUST_USE enum rf_kind cli_catalog_add_watchlists(struct cli_catalog *catalog, const char *path,
                                                    struct rf_err *err);
/* "FILE" or "FILE=NAME"; "-" is standard input. A schema file NAME.json beside the file gives its types. */
RF_MUST_USE enum rf_kind cli_catalog_add_file(struct cli_catalog *catalog, const char *spec,
                                              struct rf_err *err);
/* Every file of the folder that may be a table. */
RF_MUST_USE enum rf_kind cli_catalog_add_folder(struct cli_catalog *catalog, const char *folder,
                                                struct rf_err *err);
/* The tables of the store in `folder`; of a name that is there already the first table counts. `key_file` may be NULL. */
RF_MUST_USE enum rf_kind cli_catalog_add_store(struct cli_catalog *catalog, const char *folder,
                                               const char *key_file, struct rf_err *err);
/* Lets queries read a folder, or a host (net/egress.h). RF_NOT_FOUND: it looks like a folder and is none. */
RF_MUST_USE enum rf_kind cli_catalog_allow(struct cli_catalog *catalog, const char *place,
                                           struct rf_err *err);
/* Gives back what the catalog holds beside the arena. */
void cli_catalog_done(struct cli_catalog *catalog);
/* Reads one schema file; allocates in the catalog's arena. */
RF_MUST_USE enum rf_kind cli_catalog_read_schema(struct cli_catalog *catalog, const char *path,
                                                 struct cli_schema *out, struct rf_err *err);
/* The schema of that name among those added; NULL when there is none. */
struct cli_schema *cli_catalog_find_schema(struct cli_catalog *catalog, rf_str name);
/* A table from elsewhere. False on lack of memory. */
bool cli_catalog_add_source(struct cli_catalog *catalog, struct source *source);
/* Makes tables without rows of the schemas that no data was found for. */
RF_MUST_USE enum rf_kind cli_catalog_finish(struct cli_catalog *catalog, struct rf_err *err);
/* After a query: says on standard error how many rows of files could not be read, and which values became null. */
void cli_catalog_say_rejects(const struct cli_catalog *catalog);

/* Of more columns of a file than these only the number is said. */
enum { CLI_MISFIT_COLUMNS = 10 };
/* Says on standard error how many values of a file's column did not fit it, and shows the first. */
void cli_say_misfits(const char *path, rf_str column, enum type type,
                     const struct reader_misfits *misfits);

#endif
