/* admin_int.h - accounts that may do everything, and the links by which people get one.
 *
 * Space adminLink: key = hex SHA-256 of the link's code, body {"user": object id or "", "expires": seconds}. One at a time. */
#ifndef RF_IDENTITY_ADMIN_INT_H
#define RF_IDENTITY_ADMIN_INT_H

#include "identity/signin_int.h"

struct admin_link {
    rf_str key;
    rf_str user; /* object id; empty: a new account */
};
/* RF_NOT_FOUND LinkOver: none of ours, used, or too old. */
RF_MUST_USE enum rf_kind admin_link_find(struct state_txn *txn, rf_str code, rf_usec now,
                                         struct rf_arena *arena, struct admin_link *out,
                                         struct rf_err *err);
/* It is gone then. */
RF_MUST_USE enum rf_kind admin_link_take(struct state_txn *txn, const struct admin_link *link,
                                         struct rf_err *err);

struct admin_account {
    rf_str id, name, display_name; /* object id, userPrincipalName */
    rf_str password;               /* as password_make gives it */
    bool break_glass;
};
/* A user's document, not stored yet. */
RF_MUST_USE enum rf_kind admin_user_json(const struct admin_account *account, rf_usec now,
                                         struct rf_arena *arena, struct json_node **out,
                                         struct rf_err *err);
/* The user is enabled, has this password, no other factor, and no session or refresh token from before. Stores the document. */
RF_MUST_USE enum rf_kind admin_renew(struct state_txn *txn, struct json_node *user, rf_str password,
                                     rf_usec now, struct rf_arena *arena, struct rf_err *err);
/* Global Administrator; Owner of everything, and the data roles that Azure keeps apart from it. What is there stays. */
RF_MUST_USE enum rf_kind admin_give_rights(struct identity *identity, struct state_txn *txn,
                                           rf_str user, struct rf_arena *arena, struct rf_err *err);
/* Rows of AuditLogs about an account that the user himself made or changed by a link. */
struct admin_change {
    const struct json_node *before, *after; /* before NULL: it was made */
};
void admin_tell(struct identity *identity, struct request *request,
                const struct admin_change *change);
/* What a change about rights says of the role. */
struct json_node *admin_role_json(struct rf_arena *arena);

#endif
