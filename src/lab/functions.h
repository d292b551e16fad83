/* functions.h - saved functions from files, as queries outside of a server see them: parsers, helpers.
 *
 *   NAME.kql, NAME.csl   the body; a first line "// parameters: a:string, b:long=1" gives its parameters. Or, as Kusto writes them,
 *                        ".create-or-alter function with (...) NAME(a:string) { body }"
 *   *.json               a list of {"name","parameters","body"}; of one whose result alone is known "columns" takes the place of the
 *                        body, of one that adds columns to a table "adds"; saved searches of the API or of a template
 *                        ({"properties":{"functionAlias","functionParameters","query"}}), alone, in a list or in "resources"
 *   *.yaml, *.yml        the parsers of public collections: FunctionName, FunctionAlias, ParserName and EquivalentBuiltInParser,
 *                        ParserParams, FunctionQuery or ParserQuery
 *
 * Not thread-safe while functions are added; reading is. */
#ifndef RF_LAB_FUNCTIONS_H
#define RF_LAB_FUNCTIONS_H

#include "base/json_tree.h"
#include "kql/exec.h"

struct lab_functions {
    struct rf_arena *arena; /* of all texts */
    struct stored_function *items;
    uint32_t count, cap;
};

/* A file, or every file of a folder and of those below it, in the order of their names; of a name that is there already the
 * first counts. Files of a folder that hold no function are left aside. Errors name the file: RF_INVALID BadFunction, and
 * those of reading files, JSON and YAML. */
RF_MUST_USE enum rf_kind lab_functions_add(struct lab_functions *list, const char *path,
                                           struct rf_err *err);
/* Those of a file's text, whose form its name tells; the text is borrowed as long as the list lives. */
RF_MUST_USE enum rf_kind lab_functions_add_text(struct lab_functions *list, rf_str file_name,
                                                rf_str text, struct rf_err *err);
/* Takes the function out, whatever the casing: something else stands for it. */
void lab_functions_drop(struct lab_functions *list, const char *name);

#endif
