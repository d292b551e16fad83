/* external.h - places outside that queries may read (externaldata, infer_storage_schema): only what the operator named. */
#ifndef RF_KQL_EXTERNAL_H
#define RF_KQL_EXTERNAL_H

#include "base/rf.h"
#include "store/reader_stream.h"

/* Given with a catalog (exec.h); NULL there: nothing outside is read. Any thread. */
struct external {
    /* Whether the operator named this place. `uri` as the query has it, without what follows ';' (a key). */
    bool (*allows)(const struct external *external, rf_str uri);
    /* All that lies there, in `arena`; may take seconds. What it returns ends the query. */
    enum rf_kind (*read)(const struct external *external, rf_str uri, struct rf_arena *arena,
                         rf_str *out, struct rf_err *err);
};

/* The place without a key: what stands before the first ';'. */
rf_str external_place(rf_str uri);
/* For messages: neither key nor what follows '?', where shared access signatures stand. */
rf_str external_shown(rf_str uri);

/* How text of a format of Kusto is read: csv, tsv, tsve, psv, scsv, sohsv, json, multijson, singlejson. `format` empty: told from the name
 * and the text. RF_INVALID ExternalFormat: another one. */
RF_MUST_USE enum rf_kind external_format(rf_str format, rf_str uri, rf_str text,
                                         struct reader_options *out, struct rf_err *err);

#endif
