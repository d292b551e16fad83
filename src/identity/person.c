#include "identity/signin_int.h"

static void read_person(const struct json_node *doc, struct person *out)
{
    *out = (struct person){.doc = doc,
                           .id = json_text_at(doc, "id"),
                           .name = json_text_at(doc, "userPrincipalName"),
                           .display_name = json_text_at(doc, "displayName"),
                           .enabled = json_bool_at(doc, "accountEnabled", true),
                           .must_change = json_bool_at(doc, "~mustChange", false)};
    if (!time_parse_iso(json_text_at(doc, "~validFrom"), &out->valid_from)) out->valid_from = 0;
}

static enum rf_kind nobody(struct rf_err *err)
{
    return RF_FAIL(err, RF_NOT_FOUND, "50034", "The user account does not exist in the directory.");
}

enum rf_kind person_by_name(struct state_txn *txn, rf_str name, struct rf_arena *arena,
                            struct person *out, struct rf_err *err)
{
    struct json_node *doc;
    if (name.len == 0 || name.len > 256) return nobody(err);
    enum rf_kind kind = object_find(txn, "user", "userPrincipalName", name, arena, &doc, err);
    if (kind == RF_NOT_FOUND) return nobody(err);
    RF_TRY(kind);
    read_person(doc, out);
    return RF_OK;
}

enum rf_kind person_by_id(struct state_txn *txn, rf_str id, struct rf_arena *arena,
                          struct person *out, struct rf_err *err)
{
    struct json_node *doc;
    if (id.len == 0) return nobody(err);
    enum rf_kind kind = object_get(txn, "user", id, arena, &doc, err);
    if (kind == RF_NOT_FOUND) return nobody(err);
    RF_TRY(kind);
    read_person(doc, out);
    return RF_OK;
}

enum rf_kind person_still(const struct person *person, rf_usec proved, struct rf_err *err)
{
    if (!person->enabled) return RF_FAIL(err, RF_DENIED, "50057", "The user account is disabled.");
    if (proved < person->valid_from)
        return RF_FAIL(err, RF_DENIED, "50173",
                       "The provided grant has expired due to it being revoked, a fresh auth token "
                       "is needed. The user might have changed or reset their password.");
    return RF_OK;
}
