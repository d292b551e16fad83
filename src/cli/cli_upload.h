/* cli_upload.h - ringfort ingest onto a server: records of files through the Logs Ingestion API. */
#ifndef RF_CLI_UPLOAD_H
#define RF_CLI_UPLOAD_H

#include "cli/cli_pace.h"
#include "cli/cli_server.h"

struct cli_upload_args {
    struct cli_server_args server;
    const char *
        rule; /* immutable id, name or resource id of the collection rule; NULL: found by the table */
    const char *stream;       /* NULL: the only one of the rule */
    const char *table;        /* used without a rule; a table *_CL that is not there is made */
    const char *workspace;    /* of the table; NULL: the login's */
    const char *const *files; /* "-" is standard input */
    uint32_t file_count;
    struct cli_pace pace;
};
/* Sends every record and says how many; gives an enum cli_exit. Records that are no JSON objects, or too long to send, are told
 * and left out. A piece that the server refuses ends it, and it is said how much was taken before. */
int cli_upload(const struct cli_upload_args *args);

/* ---- for cli_upload_rule.c ------------------------------------------------------------------------------------------ */

struct cli_stream {
    rf_str rule; /* immutable id */
    rf_str name;
};
/* Finds or makes the rule, its stream, and the table behind it. */
RF_MUST_USE enum rf_kind cli_upload_find(struct cli_server *server,
                                         const struct cli_upload_args *args, struct rf_arena *arena,
                                         struct cli_stream *out, struct rf_err *err);

#endif
