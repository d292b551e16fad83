#include "people/grant_int.h"

static const char space[] = "grant.device";
#define SECONDS(n) ((rf_usec)(n)*RF_USEC_PER_SECOND)

/* No vowels, so that no words come; nothing that looks like something else. */
static const char letters[] = "BCDFGHJKLMNPQRSTVWXZ23456789";
enum { USER_CODE_CHARS = 9, USER_CODE_DASH = 4 };

static rf_str make_user_code(struct rf_arena *arena)
{
    uint8_t *text = rf_arena_alloc(arena, USER_CODE_CHARS + 1), at = 0;
    if (text == NULL) return (rf_str){0};
    while (at < USER_CODE_CHARS + 1) {
        uint8_t random;
        if (at == USER_CODE_DASH) {
            text[at++] = '-';
            continue;
        }
        random_bytes(&random, 1);
        /* The rest would make some letters likelier. */
        if (random < 256 / (sizeof letters - 1) * (sizeof letters - 1))
            text[at++] = (uint8_t)letters[random % (sizeof letters - 1)];
    }
    return rf_str_make(text, at);
}

/* Upper case without dashes and blanks. */
static rf_str bare_code(struct rf_arena *arena, rf_str code)
{
    uint8_t *out = rf_arena_alloc(arena, code.len + 1);
    size_t n = 0;
    if (out == NULL) return (rf_str){0};
    for (size_t i = 0; i < code.len; i++)
        if (rf_is_alnum(code.ptr[i])) out[n++] = rf_upper(code.ptr[i]);
    return rf_str_make(out, n);
}

static enum rf_kind store(struct state_txn *txn, rf_str key, const struct device_grant *device,
                          struct rf_arena *arena, struct rf_err *err)
{
    struct json_node *doc = json_new(arena, JSON_T_OBJECT);
    grant_write(arena, doc, &device->grant);
    json_set_i64(arena, doc, "state", device->state);
    json_set_text(arena, doc, "address", device->address);
    json_set_text(arena, doc, "userCode", device->user_code);
    json_set_i64(arena, doc, "created", device->created);
    if (json_set_i64(arena, doc, "polled", device->polled) == NULL)
        return rf_fail_memory(err, arena);
    const struct state_index index = {"code", bare_code(arena, device->user_code)};
    if (index.value.ptr == NULL) return rf_fail_memory(err, arena);
    return grant_put(txn, space, key, doc, &index, 1, arena, err);
}

static struct device_grant read_doc(const struct json_node *doc)
{
    return (struct device_grant){.grant = grant_read(doc),
                                 .state = (enum device_state)grant_number(doc, "state"),
                                 .address = json_text_at(doc, "address"),
                                 .user_code = json_text_at(doc, "userCode"),
                                 .created = grant_number(doc, "created"),
                                 .polled = grant_number(doc, "polled")};
}

static bool is_over(const struct device_grant *device, rf_usec now)
{
    return now - device->created > SECONDS(DEVICE_LIFE_SECONDS);
}

enum rf_kind device_make(struct state_txn *txn, struct device_grant *device, rf_usec now,
                         struct rf_arena *arena, rf_str *device_code, struct rf_err *err)
{
    rf_str code = grant_text(arena, 48);
    device->user_code = make_user_code(arena);
    device->created = now;
    device->state = DEVICE_WAITS;
    if (code.ptr == NULL || device->user_code.ptr == NULL) return rf_fail_memory(err, arena);
    RF_TRY(store(txn, grant_key(arena, code), device, arena, err));
    *device_code = code;
    return RF_OK;
}

static enum rf_kind by_user_code(struct state_txn *txn, rf_str user_code, struct rf_arena *arena,
                                 rf_str *key, struct device_grant *out, struct rf_err *err)
{
    struct state_list list;
    struct json_node *doc;
    struct state_scan scan = {
        .space = space, .index = "code", .value = bare_code(arena, user_code)};
    if (scan.value.ptr == NULL) return rf_fail_memory(err, arena);
    if (scan.value.len != USER_CODE_CHARS) return RF_NOT_FOUND;
    RF_TRY(state_list(txn, &scan, arena, &list, err));
    if (list.count != 1) return RF_NOT_FOUND;
    RF_TRY(json_parse(list.items[0].body, arena, &doc, err));
    *key = list.items[0].key;
    *out = read_doc(doc);
    return RF_OK;
}

enum rf_kind device_find(struct state_txn *txn, rf_str user_code, rf_usec now,
                         struct rf_arena *arena, struct device_grant *out, struct rf_err *err)
{
    rf_str key;
    enum rf_kind kind = by_user_code(txn, user_code, arena, &key, out, err);
    if (kind == RF_OK && (is_over(out, now) || out->state != DEVICE_WAITS)) kind = RF_NOT_FOUND;
    if (kind != RF_NOT_FOUND) return kind;
    return RF_FAIL(err, RF_NOT_FOUND, "70018",
                   "The code is not valid: it is mistyped, too old, or was used.");
}

enum rf_kind device_decide(struct state_txn *txn, const struct device_grant *device,
                           struct rf_arena *arena, struct rf_err *err)
{
    rf_str key;
    struct device_grant there;
    enum rf_kind kind = by_user_code(txn, device->user_code, arena, &key, &there, err);
    if (kind == RF_NOT_FOUND || (kind == RF_OK && there.state != DEVICE_WAITS))
        return RF_FAIL(err, RF_NOT_FOUND, "70018", "The code is not valid any more.");
    RF_TRY(kind);
    return store(txn, key, device, arena, err);
}

enum rf_kind device_take(struct state_txn *txn, rf_str device_code, rf_str client, rf_usec now,
                         struct rf_arena *arena, struct device_grant *out, struct rf_err *err)
{
    rf_str key = grant_key(arena, device_code);
    struct json_node *doc;
    enum rf_kind kind = grant_get(txn, space, key, arena, &doc, err);
    if (kind == RF_NOT_FOUND)
        return RF_FAIL(err, RF_NOT_FOUND, "70018",
                       "The device code is not valid: it is unknown, or was used.");
    RF_TRY(kind);
    *out = read_doc(doc);
    if (!rf_str_eq_nocase(out->grant.client, client))
        return RF_FAIL(err, RF_DENIED, "70000",
                       "The device code was given to another application.");
    if (out->state == DEVICE_DECLINED)
        return RF_FAIL(err, RF_DENIED, "70019", "The user has declined the request.");
    if (is_over(out, now))
        return RF_FAIL(err, RF_NOT_FOUND, "70020", "The device code has expired. Ask for another.");
    if (out->state == DEVICE_APPROVED) return state_delete(txn, space, key, err);
    return RF_FAIL(err, RF_AGAIN, "70016",
                   "OAuth 2.0 device flow error. Authorization is pending. Continue polling.");
}
