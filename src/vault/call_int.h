/* call_int.h - a request on its way to a handler: shared by call.c, match.c, place.c, access.c and error.c. */
#ifndef RF_VAULT_CALL_INT_H
#define RF_VAULT_CALL_INT_H

#include "vault/vault_int.h"

/* ---- what is asked for (match.c) ---------------------------------------------------------------------------------- */

enum { VAULT_SEGMENTS_MAX = 6, VAULT_BODY_DEPTH_MAX = 64 };
struct vault_table {
    const struct vault_operation *items;
    uint32_t count;
};
struct vault_match {
    const struct vault_operation *operation; /* NULL: none has the method */
    rf_str name, version, sub;
    unsigned methods; /* bits of enum http_method that the path has; 0: nothing has the path */
};
/* `path` as sent. Slashes in front count as one, one at the end as none. Literals are compared without case. Names and versions are decoded and
 * in `arena`. RF_INVALID BadParameter: what cannot be decoded, or a name that is none. */
RF_MUST_USE enum rf_kind vault_match_path(const struct vault_table *tables, uint32_t table_count,
                                          enum http_method method, rf_str path,
                                          struct rf_arena *arena, struct vault_match *out,
                                          struct rf_err *err);
/* 700 ... 760, 202507; VAULT_API_OTHER for one that is not known. */
int vault_api_of(rf_str text);
/* A body, read strictly: one object in UTF-8 without repeated members, lone surrogates, or nesting beyond VAULT_BODY_DEPTH_MAX. An empty one is an empty
 * object. RF_INVALID BadParameter. */
RF_MUST_USE enum rf_kind vault_read_body(rf_str text, struct rf_arena *arena,
                                         struct json_node **out, struct rf_err *err);

/* ---- who may (access.c) ---------------------------------------------------------------------------------------------- */

/* The vault's network rules. RF_DENIED, 403 ForbiddenByFirewall. */
RF_MUST_USE enum rf_kind vault_check_network(struct vault_call *call, struct rf_err *err);
/* Whether the caller may do call->operation; action and scope of `need` say what was asked for. RF_DENIED, 403. */
RF_MUST_USE enum rf_kind vault_check_access(struct vault_call *call, struct route_need *need,
                                            struct rf_err *err);
/* Whether an address lies in "10.0.0.0/8", "2001:db8::/32", "192.0.2.7". */
bool vault_address_in(rf_str address, rf_str range);

/* ---- answers (error.c) -------------------------------------------------------------------------------------------------- */

/* Headers that every answer has. `place` may be NULL. */
void vault_set_headers(struct request *request, const struct vault_place *place);
/* The service's `error`. */
void vault_error(struct request *request, uint16_t status, const struct rf_err *err);
/* 403 with an inner code and a text of any length (in the arena of the call). */
enum rf_kind vault_refuse(struct vault_call *call, struct rf_err *err, const char *inner,
                          rf_str text);
/* A call about which no more is known than its request (call.c); NULL on lack of memory. */
struct vault_call *vault_call_new(struct request *request);
/* Finds the vault that the host names. */
RF_MUST_USE enum rf_kind vault_call_place(struct vault_call *call, struct rf_err *err);
enum { VAULT_ROUTE_ANY, VAULT_ROUTE_RESTORE, VAULT_ROUTE_COUNT };
extern const struct route vault_routes[VAULT_ROUTE_COUNT];

#endif
