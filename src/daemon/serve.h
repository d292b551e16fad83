/* serve.h - `ringfort serve`: from the command line to running roles. */
#ifndef RF_SERVE_H
#define RF_SERVE_H

#include "base/rf.h"

int cli_serve(int argc, char **argv);
/* The folders and links of an installation in the folder `data`, which is there. What is there already stays. */
RF_MUST_USE enum rf_kind serve_make_layout(const char *data, struct rf_arena *arena,
                                           struct rf_err *err);

#endif
