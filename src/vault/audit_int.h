/* audit_int.h - rows of AZKVAuditLogs and AzureDiagnostics: what an operation on a vault or on what it holds leaves (contracts/keyvault.md, 9). */
#ifndef RF_VAULT_AUDIT_INT_H
#define RF_VAULT_AUDIT_INT_H

#include "base/json_out.h"
#include "vault/vault_int.h"

/* A row in either table. Empty texts leave their columns out. */
struct vault_row {
    struct request *request; /* who asked, from where; NULL: the program itself */
    rf_usec time, end;       /* when it came, when it was done */
    rf_str vault_id;         /* of ARM; empty: no vault was found */
    const char *operation;   /* "SecretGet" */
    rf_str api_version;
    rf_str uri; /* without what could be secret */
    rf_str id;  /* of the object */
    uint16_t status;
    rf_str description; /* of what went wrong */
    const struct vault_verdict *verdict;
    const char *properties_name; /* "SecretProperties"; NULL: none */
    const struct json_node *properties;
    rf_str algorithm;
    rf_str more_audit, more_diagnostics; /* further members for one of the tables: ",\"a\":1" */
};
/* RF_LIMIT MemoryBudgetExceeded: no row was written. */
RF_MUST_USE enum rf_kind vault_row_write(const struct vault_row *row, const struct audit *audit,
                                         struct rf_arena *arena, struct rf_err *err);
/* `text`, cut at a character's end to at most `bytes_max`. */
rf_str vault_row_cut(rf_str text, size_t bytes_max);

#endif
