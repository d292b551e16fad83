/* cli_secret.h - between the files of ringfort secret. */
#ifndef RF_CLI_SECRET_H
#define RF_CLI_SECRET_H

#include "cli/cli_vault.h"

/* What is known of a version (empty: the latest) without its value. RF_NOT_FOUND SecretNotFound. */
RF_MUST_USE enum rf_kind cli_secret_meta(struct cli_vault *v, rf_str name, rf_str version,
                                         struct json_node **out, struct rf_err *err);
/* The verb diff. `show`: prints the lines of the values that differ. */
RF_MUST_USE enum rf_kind cli_secret_diff(struct cli_vault *v, bool show, struct rf_err *err);
/* Lines of `a` that are not in `b` behind "-", those of `b` behind "+", those of both behind " ". Longest common
 * part; texts that are too long for that, as a whole. In `out`; it fails as that does. */
void cli_secret_lines(rf_str a, rf_str b, struct rf_arena *arena, struct rf_buf *out);

#endif
