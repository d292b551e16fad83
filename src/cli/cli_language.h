/* cli_language.h - the whole language as data, from the registries that the binder itself uses: for editors that complete
 * names, and for docs/kql.md. */
#ifndef RF_CLI_LANGUAGE_H
#define RF_CLI_LANGUAGE_H

#include "base/rf.h"

/* JSON: {"functions":[{"name","doc","signatures":[..]}],"aggregations":[..],"operators":[{"name","doc","syntax"}],
 * "plugins":[..],"specials":[..],"keywords":[..]}. Names in order, old aliases left out. False: no memory. */
RF_MUST_USE bool cli_language_json(struct rf_buf *out);
/* Markdown: a table for each kind. */
RF_MUST_USE bool cli_language_markdown(struct rf_buf *out);

#endif
