/* report_int.h - what the reports about vaults share: what differs between versions (report_diff.c), what ends soon (report_expiring.c). docs/vault-reports.md.
 * A caller learns of an object only what its metadata would tell: who may not list a vault does not learn that it is there. */
#ifndef RF_VAULT_REPORT_INT_H
#define RF_VAULT_REPORT_INT_H

#include "vault/store_int.h"

/* ---- versions (report_diff.c) ------------------------------------------------------------------------------------------- */

/* GET /secrets/NAME/diff?from=V1&to=V2 and its like; `to` is the latest when it is absent, `from` the version before `to`. */
enum rf_kind vault_secret_diff(struct vault_call *call, struct rf_err *err);
enum rf_kind vault_key_diff(struct vault_call *call, struct rf_err *err);
enum rf_kind vault_cert_diff(struct vault_call *call, struct rf_err *err);

/* ---- who may see what (access.c) -------------------------------------------------------------------------------------------- */

struct vault_viewer {
    struct vaults *vaults;
    const struct principal *principal;
    rf_str address; /* of the caller, for vaults' network rules */
};
/* A right in both of its forms: a data action behind "Microsoft.KeyVault/vaults/", and a word of access policies. */
struct vault_right {
    const char *action, *collection, *word;
};
bool vault_viewer_reaches(const struct vault_viewer *viewer, const struct vault_place *place);
/* `name` empty: on the vault as a whole. */
bool vault_viewer_may(const struct vault_viewer *viewer, const struct vault_place *place,
                      const struct vault_right *right, rf_str name, struct rf_arena *arena);

/* ---- who used it last (activity.c, report_activity.c) ------------------------------------------------------------------------------- */

/* Counted in memory, by object and principal, and written once a minute (jobs.c) and at the end: space "vault.activity", key as the item's:
 * {"born","by":[{"id","name","last","operation","days":{"DAY":count}}]}, DAY since 1970; and "since": {"since"}, when counting began. A crash loses the
 * last minute. */
struct vault_activity;
struct vault_activity *vault_activity_new(void); /* NULL: no memory, nothing is counted */
void vault_activity_free(struct vault_activity *activity);
/* Behind a request that went well: counts it when it used material. No I/O. */
void vault_activity_note(struct vault_call *call);
/* Reads what was written, once; before vault_activity_last. */
RF_MUST_USE enum rf_kind vault_activity_load(struct vaults *vaults, struct rf_err *err);
/* The last use since `born`, seconds; 0: none. Of a certificate also that of its key and its secret. */
int64_t vault_activity_last(struct vault_activity *activity, rf_str key, enum seal_kind kind,
                            int64_t born);
/* Writes what was counted. *next: when to come again, 0: nothing waits. */
RF_MUST_USE enum rf_kind vault_activity_flush(struct vaults *vaults, int64_t now, int64_t *next,
                                              struct rf_err *err);
extern const char vault_activity_space[];
/* What was written of an object and what was counted since: {"by":[...]}, NULL: nothing. `key`: of the item. */
RF_MUST_USE enum rf_kind vault_activity_get(struct vaults *vaults, rf_str key, int64_t born,
                                            struct rf_arena *arena, struct json_node **out,
                                            struct rf_err *err);
/* When counting began; 0: it has not. */
RF_MUST_USE enum rf_kind vault_activity_since(struct vaults *vaults, struct rf_arena *arena,
                                              int64_t *out, struct rf_err *err);
enum rf_kind vault_secret_activity(struct vault_call *call, struct rf_err *err);
enum rf_kind vault_key_activity(struct vault_call *call, struct rf_err *err);
enum rf_kind vault_cert_activity(struct vault_call *call, struct rf_err *err);

/* ---- who could (report_readers.c) ------------------------------------------------------------------------------------------------ */

enum rf_kind vault_secret_readers(struct vault_call *call, struct rf_err *err);
enum rf_kind vault_key_readers(struct vault_call *call, struct rf_err *err);
enum rf_kind vault_cert_readers(struct vault_call *call, struct rf_err *err);

/* ---- told once a day (report_expiring.c) ---------------------------------------------------------------------------------------- */

/* The line in the log about what ends soon, and about requests for access that nobody has reviewed. */
void vault_reports_daily(struct vaults *vaults, int64_t now);

#endif
