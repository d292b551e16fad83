/* sandbox_int.h - the layers that have files of their own. */
#ifndef RF_SANDBOX_INT_H
#define RF_SANDBOX_INT_H

#include "daemon/sandbox.h"

/* ---- sandbox_landlock.c ---------------------------------------------------------------------------------------------- */

/* Restricts the calling thread and those that it starts later; fills the three Landlock layers of the report. */
RF_MUST_USE enum rf_kind landlock_server(const struct sandbox_server_options *options,
                                         struct sandbox_report *report, struct rf_err *err);
/* No file can be opened, no TCP port bound or connected to, no signal sent outside. */
RF_MUST_USE enum rf_kind landlock_nothing(struct sandbox_report *report, struct rf_err *err);

/* ---- sandbox_seccomp.c: for all threads of the process ----------------------------------------------------------------- */

RF_MUST_USE enum rf_kind seccomp_server(bool log_only, struct sandbox_report *report,
                                        struct rf_err *err);
RF_MUST_USE enum rf_kind seccomp_keeper(bool log_only, struct sandbox_report *report,
                                        struct rf_err *err);

/* ---- capabilities: sets of bits, 1 << CAP_... -------------------------------------------------------------------------- */

/* What execve could give is `kept` at most from now on, as far as the caller may say so. */
void capabilities_unbound(uint64_t kept);
/* The same, and of what the caller has itself only `kept` stays; false when anything else does. */
bool capabilities_keep(uint64_t kept);

static inline void layer_holds(struct sandbox_report *report, enum sandbox_layer layer)
{
    report->holds[layer] = true;
    report->why_not[layer] = NULL;
}
static inline void layer_lacks(struct sandbox_report *report, enum sandbox_layer layer,
                               const char *why)
{
    report->holds[layer] = false;
    report->why_not[layer] = why;
}

#endif
