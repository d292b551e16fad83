/* store.c - accounts and orders in the state (acme_int.h says how). */
#include "acme/acme_int.h"
#include "base/encode.h"
#include "crypt/digest.h"

enum { ID_BYTES = 16, SWEEP_MAX = 16, TIME_CHARS = 8 };

static const char account_space[] = "acme.account", order_space[] = "acme.order";

rf_str acme_random_id(struct rf_arena *arena)
{
    uint8_t bytes[ID_BYTES];
    random_bytes(bytes, sizeof bytes);
    return base64url_encode(arena, rf_str_make(bytes, sizeof bytes));
}

/* ---- accounts ------------------------------------------------------------------------------------------------------------------- */

static rf_str joined(struct rf_arena *arena, rf_str authority, rf_str rest)
{
    return rf_arena_printf(arena, "%.*s/%.*s", RF_FMT(authority), RF_FMT(rest));
}

static enum rf_kind account_of(const struct state_object *object, rf_str authority,
                               struct rf_arena *arena, struct acme_account *out, struct rf_err *err)
{
    RF_TRY(json_parse(object->body, arena, &out->node, err));
    out->id = rf_slice(object->key, authority.len + 1, object->key.len);
    out->status = json_text_at(out->node, "status");
    return acme_thumbprint(json_get(out->node, "jwk"), arena, &out->thumbprint, NULL, err);
}

enum rf_kind acme_account_get(struct acme *acme, rf_str authority, rf_str account,
                              struct rf_arena *arena, struct acme_account *out, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct state_object object;
    rf_str key = joined(arena, authority, account);
    if (key.ptr == NULL) return rf_fail_memory(err, arena);
    RF_TRY(state_begin_read(acme->options.state, &txn, err));
    RF_TRY(state_get(txn, account_space, key, arena, &object, err));
    return account_of(&object, authority, arena, out, err);
}

static enum rf_kind find_key(struct state_txn *txn, rf_str authority, rf_str thumbprint,
                             struct rf_arena *arena, struct state_list *out, struct rf_err *err)
{
    rf_str value = joined(arena, authority, thumbprint);
    if (value.ptr == NULL) return rf_fail_memory(err, arena);
    struct state_scan scan = {.space = account_space, .index = "key", .value = value, .limit = 1};
    return state_list(txn, &scan, arena, out, err);
}

enum rf_kind acme_account_of_key(struct acme *acme, rf_str authority, rf_str thumbprint,
                                 struct rf_arena *arena, struct acme_account *out,
                                 struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct state_list list;
    RF_TRY(state_begin_read(acme->options.state, &txn, err));
    RF_TRY(find_key(txn, authority, thumbprint, arena, &list, err));
    if (list.count == 0) return RF_FAIL(err, RF_NOT_FOUND, "accountDoesNotExist", "no account");
    return account_of(&list.items[0], authority, arena, out, err);
}

static enum rf_kind put_account(struct acme *acme, rf_str authority,
                                const struct acme_account *account, enum state_if condition,
                                struct rf_arena *arena, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct state_list list;
    struct state_index index = {.name = "key",
                                .value = joined(arena, authority, account->thumbprint)};
    rf_str key = joined(arena, authority, account->id), body = json_to_text(arena, account->node);
    if (index.value.ptr == NULL || key.ptr == NULL || body.ptr == NULL)
        return rf_fail_memory(err, arena);
    RF_TRY(state_begin_write(acme->options.state, &txn, err));
    RF_TRY(find_key(txn, authority, account->thumbprint, arena, &list, err));
    if (list.count > 0 && !rf_str_eq(list.items[0].key, key))
        return RF_FAIL(err, RF_CONFLICT, "AccountExists", "another account has this key");
    struct state_put put = {.space = account_space,
                            .key = key,
                            .body = body,
                            .indexes = &index,
                            .index_count = 1,
                            .condition = condition};
    RF_TRY(state_put(txn, &put, NULL, NULL, err));
    return state_finish(&txn, err);
}

enum rf_kind acme_account_add(struct acme *acme, rf_str authority,
                              const struct acme_account *account, struct rf_arena *arena,
                              struct rf_err *err)
{
    return put_account(acme, authority, account, STATE_ABSENT, arena, err);
}

enum rf_kind acme_account_put(struct acme *acme, rf_str authority,
                              const struct acme_account *account, struct rf_arena *arena,
                              struct rf_err *err)
{
    return put_account(acme, authority, account, STATE_PRESENT, arena, err);
}

/* ---- orders --------------------------------------------------------------------------------------------------------------------- */

/* The time in front (8 hex digits), so that old ones come first. */
static rf_str order_bound(struct rf_arena *arena, int64_t seconds)
{
    return rf_arena_printf(arena, "%08llx", (unsigned long long)RF_MAX(seconds, 0));
}

static bool has_work(const struct json_node *order)
{
    const struct json_node *list = json_get(order, "authorizations");
    if (json_get(order, "error") != NULL) return false;
    for (const struct json_node *a = list == NULL ? NULL : list->first; a != NULL; a = a->next)
        if (json_get(a, "type") != NULL && rf_str_is(json_text_at(a, "status"), "pending"))
            return true;
    return false;
}

static enum rf_kind put_order(struct state_txn *txn, rf_str order, const struct json_node *node,
                              enum state_if condition, struct rf_arena *arena, struct rf_err *err)
{
    struct state_index indexes[2] = {
        {.name = "account",
         .value = joined(arena, json_text_at(node, "id"), json_text_at(node, "account"))},
        {.name = "work", .value = RF_S("1")}};
    rf_str body = json_to_text(arena, node);
    if (indexes[0].value.ptr == NULL || body.ptr == NULL) return rf_fail_memory(err, arena);
    struct state_put put = {.space = order_space,
                            .key = order,
                            .body = body,
                            .indexes = indexes,
                            .index_count = has_work(node) ? 2 : 1,
                            .condition = condition};
    return state_put(txn, &put, NULL, NULL, err);
}

enum rf_kind acme_order_get(struct acme *acme, rf_str order, struct rf_arena *arena,
                            struct json_node **out, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct state_object object;
    RF_TRY(state_begin_read(acme->options.state, &txn, err));
    RF_TRY(state_get(txn, order_space, order, arena, &object, err));
    return json_parse(object.body, arena, out, err);
}

/* More than one comes along with each that is added. */
static enum rf_kind sweep(struct acme *acme, struct state_txn *txn, struct rf_arena *arena,
                          struct rf_err *err)
{
    struct state_list list;
    int64_t now = acme->options.clock->now(acme->options.clock) / RF_USEC_PER_SECOND;
    rf_str bound = order_bound(arena, now - ACME_KEEP_SECONDS);
    if (bound.ptr == NULL) return rf_fail_memory(err, arena);
    struct state_scan scan = {.space = order_space, .limit = SWEEP_MAX};
    RF_TRY(state_list(txn, &scan, arena, &list, err));
    for (uint32_t i = 0; i < list.count && rf_str_cmp(list.items[i].key, bound) < 0; i++)
        RF_TRY(state_delete(txn, order_space, list.items[i].key, err));
    return RF_OK;
}

enum rf_kind acme_order_add(struct acme *acme, rf_str order, const struct json_node *node,
                            struct rf_arena *arena, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_write(acme->options.state, &txn, err));
    RF_TRY(sweep(acme, txn, arena, err));
    RF_TRY(put_order(txn, order, node, STATE_ABSENT, arena, err));
    return state_finish(&txn, err);
}

enum rf_kind acme_order_change(struct acme *acme, rf_str order, acme_order_edit *change, void *ctx,
                               struct rf_arena *arena, struct json_node **out, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct state_object object;
    RF_TRY(state_begin_write(acme->options.state, &txn, err));
    RF_TRY(state_get(txn, order_space, order, arena, &object, err));
    RF_TRY(json_parse(object.body, arena, out, err));
    RF_TRY(change(ctx, *out, arena, err));
    RF_TRY(put_order(txn, order, *out, STATE_PRESENT, arena, err));
    return state_finish(&txn, err);
}

enum rf_kind acme_order_list(struct acme *acme, rf_str authority, rf_str account, rf_str after,
                             uint32_t limit, struct rf_arena *arena, struct state_list *out,
                             struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct state_scan scan = {.space = order_space,
                              .index = account.len > 0 ? "account" : "work",
                              .value =
                                  account.len > 0 ? joined(arena, authority, account) : RF_S("1"),
                              .after = after,
                              .limit = limit};
    if (scan.value.ptr == NULL) return rf_fail_memory(err, arena);
    RF_TRY(state_begin_read(acme->options.state, &txn, err));
    return state_list(txn, &scan, arena, out, err);
}
