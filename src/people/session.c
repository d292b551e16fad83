#include "people/session.h"

#include <inttypes.h>

#include "base/encode.h"
#include "base/json_tree.h"
#include "crypt/digest.h"

static const char space[] = "session";
enum { TOUCH_SECONDS = 600, COOKIE_RAW_BYTES = 32 };

static rf_str key_of(struct rf_arena *arena, rf_str cookie)
{
    uint8_t hash[SHA256_BYTES];
    digest_sha256(cookie, hash);
    return hex_encode(arena, rf_str_make(hash, sizeof hash));
}

static int64_t number_at(const struct json_node *doc, const char *name)
{
    int64_t number = 0;
    (void)json_i64_at(doc, name, &number);
    return number;
}

static struct session read_doc(const struct json_node *doc)
{
    return (struct session){.sid = json_text_at(doc, "sid"),
                            .user = json_text_at(doc, "user"),
                            .address = json_text_at(doc, "address"),
                            .agent = json_text_at(doc, "agent"),
                            .proofs = (unsigned)number_at(doc, "proofs"),
                            .proved = number_at(doc, "proved"),
                            .second_proved = number_at(doc, "secondProved"),
                            .created = number_at(doc, "created"),
                            .seen = number_at(doc, "seen"),
                            .kept = json_bool_at(doc, "kept", false)};
}

static rf_str write_doc(struct rf_arena *arena, const struct session *s)
{
    struct json_node *doc = json_new(arena, JSON_T_OBJECT);
    json_set_text(arena, doc, "sid", s->sid);
    json_set_text(arena, doc, "user", s->user);
    json_set_text(arena, doc, "address", s->address);
    json_set_text(arena, doc, "agent", s->agent);
    json_set_i64(arena, doc, "proofs", s->proofs);
    json_set_i64(arena, doc, "proved", s->proved);
    json_set_i64(arena, doc, "secondProved", s->second_proved);
    json_set_i64(arena, doc, "created", s->created);
    json_set_i64(arena, doc, "seen", s->seen);
    return json_set_bool(arena, doc, "kept", s->kept) == NULL ? (rf_str){0}
                                                              : json_to_text(arena, doc);
}

static enum rf_kind put(struct state_txn *txn, rf_str key, const struct session *s,
                        struct rf_arena *arena, struct rf_err *err)
{
    rf_str body = write_doc(arena, s);
    if (body.ptr == NULL) return rf_fail_memory(err, arena);
    const struct state_index indexes[] = {{"user", s->user}, {"sid", s->sid}};
    const struct state_put object = {.space = space,
                                     .key = key,
                                     .body = body,
                                     .indexes = indexes,
                                     .index_count = RF_COUNT(indexes)};
    return state_put(txn, &object, NULL, NULL, err);
}

static bool is_over(const struct session *s, rf_usec now)
{
    rf_usec idle =
        (rf_usec)(s->kept ? SESSION_KEPT_SECONDS : SESSION_IDLE_SECONDS) * RF_USEC_PER_SECOND;
    rf_usec whole = (rf_usec)SESSION_KEPT_SECONDS * RF_USEC_PER_SECOND;
    return now - s->seen > idle || now - s->created > whole;
}

static enum rf_kind over(struct rf_err *err)
{
    return RF_FAIL(err, RF_NOT_FOUND, "SessionOver", "nobody is signed in here any more");
}

static enum rf_kind load(struct state_txn *txn, rf_str key, struct rf_arena *arena,
                         struct session *out, struct rf_err *err)
{
    struct state_object object;
    struct json_node *doc;
    RF_TRY(state_get(txn, space, key, arena, &object, err));
    RF_TRY(json_parse(object.body, arena, &doc, err));
    *out = read_doc(doc);
    return RF_OK;
}

enum rf_kind session_find(struct state_txn *txn, rf_str cookie, rf_usec now, struct rf_arena *arena,
                          struct session *out, struct rf_err *err)
{
    if (cookie.len != SESSION_COOKIE_BYTES) return over(err);
    rf_str key = key_of(arena, cookie);
    if (key.ptr == NULL) return rf_fail_memory(err, arena);
    enum rf_kind kind = load(txn, key, arena, out, err);
    if (kind == RF_NOT_FOUND) return over(err);
    RF_TRY(kind);
    return is_over(out, now) ? over(err) : RF_OK;
}

enum rf_kind session_make(struct state_txn *txn, struct session *session, rf_str before,
                          rf_usec now, struct rf_arena *arena, rf_str *cookie, struct rf_err *err)
{
    uint8_t raw[COOKIE_RAW_BYTES];
    struct session old;
    random_bytes(raw, sizeof raw);
    rf_str value = base64url_encode(arena, rf_str_make(raw, sizeof raw));
    explicit_bzero(raw, sizeof raw);
    session->sid = guid_random(arena);
    session->created = session->seen = now;
    struct rf_err ignored;
    if (before.len > 0 && session_find(txn, before, now, arena, &old, &ignored) == RF_OK &&
        rf_str_eq(old.user, session->user)) {
        session->sid = old.sid;
        session->created = old.created;
        rf_str key = key_of(arena, before);
        if (key.ptr == NULL) return rf_fail_memory(err, arena);
        RF_TRY(state_delete(txn, space, key, err));
    }
    if (value.ptr == NULL || session->sid.ptr == NULL) return rf_fail_memory(err, arena);
    rf_str key = key_of(arena, value);
    if (key.ptr == NULL) return rf_fail_memory(err, arena);
    RF_TRY(put(txn, key, session, arena, err));
    *cookie = value;
    return RF_OK;
}

bool session_is_stale(const struct session *session, rf_usec now)
{
    return now - session->seen > (rf_usec)TOUCH_SECONDS * RF_USEC_PER_SECOND;
}

enum rf_kind session_touch(struct state_txn *txn, rf_str cookie, rf_usec now,
                           struct rf_arena *arena, struct rf_err *err)
{
    struct session session;
    RF_TRY(session_find(txn, cookie, now, arena, &session, err));
    session.seen = now;
    rf_str key = key_of(arena, cookie);
    if (key.ptr == NULL) return rf_fail_memory(err, arena);
    return put(txn, key, &session, arena, err);
}

/* ---- lists ---------------------------------------------------------------------------------------- */

static enum rf_kind find_all(struct state_txn *txn, const char *index, rf_str value,
                             struct rf_arena *arena, struct state_list *out, struct rf_err *err)
{
    const struct state_scan scan = {.space = space, .index = index, .value = value};
    return state_list(txn, &scan, arena, out, err);
}

enum rf_kind sessions_of(struct state_txn *txn, rf_str user, rf_usec now, struct rf_arena *arena,
                         struct session_list *out, struct rf_err *err)
{
    struct state_list list;
    RF_TRY(find_all(txn, "user", user, arena, &list, err));
    *out = (struct session_list){.items = rf_arena_new(arena, struct session, list.count)};
    if (out->items == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < list.count; i++) {
        struct json_node *doc;
        RF_TRY(json_parse(list.items[i].body, arena, &doc, err));
        struct session session = read_doc(doc);
        if (!is_over(&session, now)) out->items[out->count++] = session;
    }
    return RF_OK;
}

static enum rf_kind end_all(struct state_txn *txn, const char *index, rf_str value,
                            struct rf_arena *arena, struct rf_err *err)
{
    struct state_list list;
    RF_TRY(find_all(txn, index, value, arena, &list, err));
    for (uint32_t i = 0; i < list.count; i++)
        RF_TRY(state_delete(txn, space, list.items[i].key, err));
    return RF_OK;
}

enum rf_kind session_end(struct state_txn *txn, rf_str sid, struct rf_arena *arena,
                         struct rf_err *err)
{
    return end_all(txn, "sid", sid, arena, err);
}

enum rf_kind sessions_end_of(struct state_txn *txn, rf_str user, struct rf_arena *arena,
                             struct rf_err *err)
{
    return end_all(txn, "user", user, arena, err);
}

enum rf_kind sessions_sweep(struct state_txn *txn, rf_usec now, uint32_t limit,
                            struct rf_arena *arena, bool *left, struct rf_err *err)
{
    const struct state_scan scan = {.space = space};
    struct state_list list;
    uint32_t count = 0;
    *left = false;
    RF_TRY(state_list(txn, &scan, arena, &list, err));
    for (uint32_t i = 0; i < list.count; i++) {
        struct json_node *doc;
        RF_TRY(json_parse(list.items[i].body, arena, &doc, err));
        struct session session = read_doc(doc);
        if (!is_over(&session, now)) continue;
        if (count++ == limit) {
            *left = true;
            return RF_OK;
        }
        RF_TRY(state_delete(txn, space, list.items[i].key, err));
    }
    return RF_OK;
}
