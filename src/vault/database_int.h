/* database_int.h - short-lived logins of PostgreSQL (docs/vault-databases.md).
 *
 * database_sql.c       texts for the server: templates, verifiers, names; knows no vault
 * database.c           the API of databases
 * database_settings.c  what is said of them
 * database_login.c     their passwords, sealed; connections; rotation of the password
 * database_roles.c     roles: what logins of one kind may
 * database_lease.c     leases as they are kept, and how one is ended
 * database_api.c       leases: given, renewed, ended, listed
 *
 * Spaces, NAME, ROLE in lower case, times in seconds since 1970:
 *   vault.database       "GUID/NAME"       {"name","host","port","database","user","tls","caPem","pin","clearPassword","allowedRoles","login":{"key","sealed"},
 *                                           "next" (as login: a password that may be the one already),"created","updated","rotated"}
 *   vault.database_gone  "GUID/NAME"       {}: its vault was purged
 *   vault.database_role  "GUID/NAME/ROLE"  {"name","creationStatements","renewStatements","revocationStatements","grants","memberOf","defaultTtl","maxTtl",
 *                                           "maxLeases","created","updated"}
 *   vault.lease          "GUID/NAME/ID"    struct lease; index "role" = "GUID/NAME/ROLE"
 *   vault.lease_due      "SECONDS/GUID/NAME/ID", SECONDS 12 digits: when a lease is to be looked at; written with the lease
 *
 * A password of a database is sealed under a data key of the keeper's (crypt/keeper.h), as what ends a lease asks without anybody's token. Those that are given
 * out are kept nowhere. */
#ifndef RF_VAULT_DATABASE_INT_H
#define RF_VAULT_DATABASE_INT_H

#include "net/postgres.h"
#include "vault/call_int.h"
#include "vault/store_int.h"

extern const struct vault_operation vault_database_operations[];
extern const uint32_t vault_database_operation_count;

/* ---- texts (database_sql.c) -------------------------------------------------------------------------------------------------- */

enum {
    SQL_STATEMENTS_MAX = 32,
    SQL_STATEMENT_BYTES_MAX = 8192,
    SQL_USER_BYTES_MAX = 63,
    SQL_PASSWORD_BYTES = 32
};
enum sql_use { SQL_CREATE, SQL_RENEW, SQL_REVOKE };
struct sql_words {
    rf_str name, verifier; /* verifier: for SQL_CREATE */
    int64_t expires;       /* for SQL_CREATE and SQL_RENEW */
};
/* Whether the placeholders of a statement are such that `use` has. RF_INVALID BadTemplate, a text that says which and why. */
RF_MUST_USE enum rf_kind vault_sql_check(rf_str statement, enum sql_use use, struct rf_err *err);
/* Appends it with the words in their places: {{name}} is a quoted identifier, {{verifier}} and {{expiration}} are quoted texts, each bare where such quotes stand
 * around it. RF_INVALID BadTemplate. */
RF_MUST_USE enum rf_kind vault_sql_expand(struct rf_buf *out, rf_str statement, enum sql_use use,
                                          const struct sql_words *words, struct rf_err *err);
/* What a role's node (see above) says, as one text: its statements or those that stand for them. RF_INVALID, RF_LIMIT. */
RF_MUST_USE enum rf_kind vault_sql_of_role(const struct json_node *role, enum sql_use use,
                                           const struct sql_words *words, struct rf_arena *arena,
                                           rf_str *out, struct rf_err *err);
/* What PostgreSQL keeps of a password in SCRAM-SHA-256 (RFC 5803), with a new salt. ASCII. */
RF_MUST_USE enum rf_kind vault_sql_verifier(rf_str password, struct rf_arena *arena, rf_str *out,
                                            struct rf_err *err);
/* SQL_PASSWORD_BYTES random letters, digits, '-' and '_'; the caller wipes it. ptr NULL on lack of memory. */
rf_str vault_sql_password(struct rf_arena *arena);
/* "v-VAULT-ROLE-RANDOM", lower case, at most SQL_USER_BYTES_MAX. */
rf_str vault_sql_user(rf_str vault, rf_str role, struct rf_arena *arena);
/* "SELECT ON ALL TABLES IN SCHEMA public": no statement of its own. */
bool vault_sql_is_grant(rf_str text);

/* ---- databases (database_settings.c) --------------------------------------------------------------------------------------------- */

extern const char vault_database_space[], vault_role_space[];
struct database {
    rf_str guid, name; /* name: lower case */
    struct json_node *node;
    uint64_t etag;
};
rf_str vault_database_lower(struct rf_arena *arena, rf_str text);
/* `txn` NULL: as it is now. RF_NOT_FOUND. */
RF_MUST_USE enum rf_kind vault_database_get(struct vaults *vaults, struct state_txn *txn,
                                            rf_str guid, rf_str name, struct rf_arena *arena,
                                            struct database *out, struct rf_err *err);
/* That of the path; 404 DatabaseNotFound. */
RF_MUST_USE enum rf_kind vault_database_need(struct vault_call *call, struct state_txn *txn,
                                             struct database *out, struct rf_err *err);
/* Only if it is as it was read: RF_CONFLICT. */
RF_MUST_USE enum rf_kind vault_database_put(struct vaults *vaults, struct state_txn *txn,
                                            struct rf_arena *arena, struct database *db,
                                            struct rf_err *err);
bool vault_database_allows(const struct database *db, rf_str role);
/* A list of texts in the body, each of 1 to `bytes_max` bytes: a clone, NULL when it is absent. 400. */
RF_MUST_USE enum rf_kind vault_database_texts(struct vault_call *call, const char *name,
                                              uint32_t count_max, size_t bytes_max,
                                              struct json_node **out, struct rf_err *err);
/* A whole number of the body; `fallback` when it is absent. 400. */
RF_MUST_USE enum rf_kind vault_database_number(struct vault_call *call, const char *name,
                                               int64_t least, int64_t most, int64_t fallback,
                                               int64_t *out, struct rf_err *err);
/* The body of PUT /databases/NAME into `node`, which holds what is there; *password empty: none was given. 400. */
RF_MUST_USE enum rf_kind vault_database_read(struct vault_call *call, struct json_node *node,
                                             rf_str *password, bool *moved, struct rf_err *err);
/* A text of printable ASCII for the log and for callers; at most `bytes_max`. */
rf_str vault_database_clean(struct rf_arena *arena, rf_str text, size_t bytes_max);

/* ---- connections (database_login.c) ------------------------------------------------------------------------------------------------ */

struct
    vault_databases; /* vaults->databases: how many calls wait for servers, and which process this is */
struct vault_databases *vault_databases_new(void); /* NULL: no memory */
void vault_databases_free(struct vault_databases *databases);
rf_str
vault_databases_boot(const struct vault_databases *databases); /* another one in each process */
/* Calls of the API that wait for a server, so many at a time: 503. */
RF_MUST_USE enum rf_kind vault_databases_enter(struct vault_call *call, struct rf_err *err);
void vault_databases_leave(struct vaults *vaults);

/* Gives the node {"key","sealed"}. */
RF_MUST_USE enum rf_kind vault_database_seal(struct vaults *vaults, const struct database *db,
                                             rf_str password, struct rf_arena *arena,
                                             struct json_node **out, struct rf_err *err);
/* The data keys of a database that was deleted, or of one sealed password ("login", "next"), open nothing any more. */
RF_MUST_USE enum rf_kind vault_database_destroy(struct vaults *vaults,
                                                const struct json_node *sealed,
                                                struct rf_arena *arena, struct rf_err *err);
/* Logs in; by "next" when the server does not take "login" any more, which is then kept as the one. As postgres_open. */
RF_MUST_USE enum rf_kind vault_database_open(struct vaults *vaults, struct database *db,
                                             struct rf_arena *arena, struct postgres **out,
                                             struct rf_err *err);
/* Logs in by this password and keeps nothing. */
RF_MUST_USE enum rf_kind vault_database_try(struct vaults *vaults, const struct database *db,
                                            rf_str password, struct rf_arena *arena,
                                            struct postgres **out, struct rf_err *err);
/* What a server, or the way to it, said, as the API says it: 502 DatabaseRefused, 503 DatabaseUnavailable. */
enum rf_kind vault_database_error(struct vault_call *call, struct rf_err *err);
enum rf_kind vault_database_rotate(struct vault_call *call, struct rf_err *err);

/* ---- roles (database_roles.c) --------------------------------------------------------------------------------------------------------- */

struct database_role {
    rf_str name; /* lower case */
    struct json_node *node;
    uint64_t etag;
};
RF_MUST_USE enum rf_kind vault_role_get(struct vaults *vaults, struct state_txn *txn, rf_str guid,
                                        rf_str database, rf_str role, struct rf_arena *arena,
                                        struct database_role *out, struct rf_err *err);
RF_MUST_USE enum rf_kind vault_role_need(struct vault_call *call, struct state_txn *txn,
                                         rf_str role, struct database_role *out,
                                         struct rf_err *err);
/* The body of PUT /databases/NAME/roles/ROLE into a new node. 400. */
RF_MUST_USE enum rf_kind vault_role_read(struct vault_call *call, struct json_node *node,
                                         struct rf_err *err);
enum rf_kind vault_role_put(struct vault_call *call, struct rf_err *err);
enum rf_kind vault_role_show(struct vault_call *call, struct rf_err *err);
enum rf_kind vault_role_list(struct vault_call *call, struct rf_err *err);
enum rf_kind vault_role_delete(struct vault_call *call, struct rf_err *err);
/* Objects of `space` below "GUID/[NAME/]" in pages; `show` gives what stands in the list. */
enum rf_kind vault_database_list(struct vault_call *call, const char *space, rf_str below,
                                 struct json_node *(*show)(struct vault_call *call,
                                                           const struct json_node *node),
                                 struct rf_err *err);

/* ---- leases (database_lease.c) ----------------------------------------------------------------------------------------------------------- */

enum lease_state {
    LEASE_CREATING, /* the login may be there or not: the process that makes it is named by `boot` */
    LEASE_LIVE,
    LEASE_REVOKING, /* is to be ended; tried again until it is */
    LEASE_FAILED    /* the same, tried often and in vain */
};
struct lease {
    rf_str guid, database, id; /* lower case: its key */
    rf_str vault_id, vault;    /* for the audit rows */
    rf_str role, user;
    rf_str by_id, by_name;
    enum lease_state state;
    int64_t created, expires, ends; /* ends: it is renewed to here at most */
    int64_t due;
    int64_t tries;
    bool unsure; /* whether the login was made was not learnt: it is looked for twice */
    rf_str boot, why;
    uint64_t etag;
};
extern const char vault_lease_space[];
RF_MUST_USE enum rf_kind vault_lease_of(const struct state_object *object, struct rf_arena *arena,
                                        struct lease *out, struct rf_err *err);
RF_MUST_USE enum rf_kind vault_lease_get(struct vaults *vaults, struct state_txn *txn, rf_str guid,
                                         rf_str database, rf_str id, struct rf_arena *arena,
                                         struct lease *out, struct rf_err *err);
/* Only if it is as it was read (etag 0: absent). The lease's `due` before is found by itself. RF_CONFLICT. */
RF_MUST_USE enum rf_kind vault_lease_put(struct state_txn *txn, struct rf_arena *arena,
                                         struct lease *lease, struct rf_err *err);
RF_MUST_USE enum rf_kind vault_lease_delete(struct state_txn *txn, struct rf_arena *arena,
                                            const struct lease *lease, struct rf_err *err);
/* Whether a request of this process makes its login now. */
bool vault_lease_is_made(const struct vault_call *call, const struct lease *lease);
/* Leases of a role; of all roles when it is empty. */
RF_MUST_USE enum rf_kind vault_lease_count(struct state_txn *txn, struct rf_arena *arena,
                                           rf_str guid, rf_str database, rf_str role,
                                           uint32_t limit, uint32_t *out, struct rf_err *err);
/* Ends it: noted first, then the login is locked, its sessions ended, the login dropped, and last the lease forgotten. *done false, RF_OK: it was renewed, or
 * another process makes it. After an error the lease stays and says why; it is tried again. `call` may be a job's (no request). */
RF_MUST_USE enum rf_kind vault_lease_end(struct vault_call *call, struct lease *lease, bool asked,
                                         bool *done, struct rf_err *err);
/* What is due, for some seconds. *next: when to come again, 0: nothing waits. */
RF_MUST_USE enum rf_kind vault_leases_due(struct vaults *vaults, int64_t now, int64_t *next,
                                          struct rf_err *err);
/* A vault is purged: its leases end now; its databases are forgotten when the last one has. */
RF_MUST_USE enum rf_kind vault_databases_forget(struct state_txn *txn, rf_str guid,
                                                struct rf_arena *arena, struct rf_err *err);
/* Forgets those, for the job. */
RF_MUST_USE enum rf_kind vault_databases_sweep(struct vaults *vaults, struct rf_err *err);

/* ---- the API of leases (database_api.c) -------------------------------------------------------------------------------------------------- */

enum rf_kind vault_lease_new(struct vault_call *call, struct rf_err *err);
enum rf_kind vault_lease_show(struct vault_call *call, struct rf_err *err);
enum rf_kind vault_lease_list(struct vault_call *call, struct rf_err *err);
enum rf_kind vault_lease_renew(struct vault_call *call, struct rf_err *err);
enum rf_kind vault_lease_revoke(struct vault_call *call, struct rf_err *err);
enum rf_kind vault_lease_revoke_all(struct vault_call *call, struct rf_err *err);
/* Ends all leases of a role (empty: of the database of the path). *left: how many could not be ended now. */
RF_MUST_USE enum rf_kind vault_leases_end(struct vault_call *call, rf_str role, uint32_t *ended,
                                          uint32_t *left, struct rf_err *err);

#endif
