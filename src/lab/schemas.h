/* schemas.h - tables of a world from files: {"name", "columns": [{"name", "type"}, ...]}, one a file. */
#ifndef RF_LAB_SCHEMAS_H
#define RF_LAB_SCHEMAS_H

#include "lab/world.h"

/* One file, or every .json file of a folder that is a schema. A table that every workspace has keeps its columns. RF_INVALID
 * BadSchema names the file. */
RF_MUST_USE enum rf_kind lab_schemas_add(struct lab_world *world, const char *path,
                                         struct rf_err *err);

#endif
