/* load.h - rules from files: YAML with one document or several, JSON lines of {"id","file","yaml"}, folders of YAML files with
 * the folders in them; each also packed by gzip or zstd. */
#ifndef RF_SIGMA_LOAD_H
#define RF_SIGMA_LOAD_H

#include "sigma/sigma.h"

enum { LOAD_FILE_BYTES_MAX = 256 << 20, LOAD_FOLDER_DEPTH_MAX = 32 };

/* Adds what `path` holds to the set; `path` is borrowed. What is wrong with a rule or a file in a folder becomes a problem of the set.
 * Errors: the path cannot be read; RF_NOT_FOUND NoRules: there is no rule file; MemoryBudgetExceeded. */
RF_MUST_USE enum rf_kind sigma_load(struct sigma_set *set, const char *path, struct rf_err *err);

#endif
