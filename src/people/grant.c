#include "people/grant_int.h"

#define SECONDS(n) ((rf_usec)(n)*RF_USEC_PER_SECOND)

void grant_write(struct rf_arena *arena, struct json_node *doc, const struct grant *grant)
{
    json_set_text(arena, doc, "client", grant->client);
    json_set_text(arena, doc, "user", grant->user);
    json_set_text(arena, doc, "sid", grant->sid);
    json_set_text(arena, doc, "scope", grant->scope);
    json_set_i64(arena, doc, "proofs", grant->proofs);
    json_set_i64(arena, doc, "proved", grant->proved);
    json_set_i64(arena, doc, "secondProved", grant->second_proved);
    json_set_bool(arena, doc, "spa", grant->spa);
    json_set_bool(arena, doc, "confidential", grant->confidential);
}

int64_t grant_number(const struct json_node *doc, const char *name)
{
    int64_t number = 0;
    (void)json_i64_at(doc, name, &number);
    return number;
}

struct grant grant_read(const struct json_node *doc)
{
    return (struct grant){.client = json_text_at(doc, "client"),
                          .user = json_text_at(doc, "user"),
                          .sid = json_text_at(doc, "sid"),
                          .scope = json_text_at(doc, "scope"),
                          .proofs = (unsigned)grant_number(doc, "proofs"),
                          .proved = grant_number(doc, "proved"),
                          .second_proved = grant_number(doc, "secondProved"),
                          .spa = json_bool_at(doc, "spa", false),
                          .confidential = json_bool_at(doc, "confidential", false)};
}

rf_str grant_key(struct rf_arena *arena, rf_str text)
{
    uint8_t hash[SHA256_BYTES];
    digest_sha256(text, hash);
    return hex_encode(arena, rf_str_make(hash, sizeof hash));
}

rf_str grant_text(struct rf_arena *arena, size_t raw_bytes)
{
    uint8_t raw[64];
    RF_ASSERT(raw_bytes <= sizeof raw);
    random_bytes(raw, raw_bytes);
    rf_str text = base64url_encode(arena, rf_str_make(raw, raw_bytes));
    explicit_bzero(raw, sizeof raw);
    return text;
}

enum rf_kind grant_put(struct state_txn *txn, const char *space, rf_str key,
                       const struct json_node *doc, const struct state_index *indexes,
                       uint32_t index_count, struct rf_arena *arena, struct rf_err *err)
{
    rf_str body = json_to_text(arena, doc);
    if (body.ptr == NULL || key.ptr == NULL) return rf_fail_memory(err, arena);
    const struct state_put put = {
        .space = space, .key = key, .body = body, .indexes = indexes, .index_count = index_count};
    return state_put(txn, &put, NULL, NULL, err);
}

enum rf_kind grant_get(struct state_txn *txn, const char *space, rf_str key, struct rf_arena *arena,
                       struct json_node **out, struct rf_err *err)
{
    struct state_object object;
    if (key.ptr == NULL) return rf_fail_memory(err, arena);
    RF_TRY(state_get(txn, space, key, arena, &object, err));
    return json_parse(object.body, arena, out, err);
}

/* ---- authorization codes ------------------------------------------------------------------------------ */

static const char code_space[] = "grant.code";

static enum rf_kind code_put(struct state_txn *txn, rf_str key, const struct code_grant *code,
                             rf_usec end, bool used, struct rf_arena *arena, struct rf_err *err)
{
    struct json_node *doc = json_new(arena, JSON_T_OBJECT);
    grant_write(arena, doc, &code->grant);
    json_set_text(arena, doc, "redirectUri", code->redirect_uri);
    json_set_text(arena, doc, "challenge", code->challenge);
    json_set_text(arena, doc, "nonce", code->nonce);
    json_set_text(arena, doc, "family", code->family);
    json_set_bool(arena, doc, "authTime", code->told_auth_time);
    json_set_i64(arena, doc, "end", end);
    if (json_set_bool(arena, doc, "used", used) == NULL) return rf_fail_memory(err, arena);
    const struct state_index index = {"sid", code->grant.sid};
    return grant_put(txn, code_space, key, doc, &index, 1, arena, err);
}

enum rf_kind code_make(struct state_txn *txn, struct code_grant *code, rf_usec now,
                       struct rf_arena *arena, rf_str *text, struct rf_err *err)
{
    rf_str random = grant_text(arena, 48);
    code->family = guid_random(arena);
    if (random.ptr == NULL || code->family.ptr == NULL) return rf_fail_memory(err, arena);
    RF_TRY(code_put(txn, grant_key(arena, random), code, now + SECONDS(CODE_LIFE_SECONDS), false,
                    arena, err));
    *text = random;
    return RF_OK;
}

enum rf_kind code_take(struct state_txn *txn, rf_str text, rf_usec now, struct rf_arena *arena,
                       struct code_grant *out, struct rf_err *err)
{
    rf_str key = grant_key(arena, text);
    struct json_node *doc;
    enum rf_kind kind = grant_get(txn, code_space, key, arena, &doc, err);
    if (kind == RF_NOT_FOUND)
        return RF_FAIL(err, RF_NOT_FOUND, "70000", "The provided authorization code is not valid.");
    RF_TRY(kind);
    *out = (struct code_grant){.grant = grant_read(doc),
                               .redirect_uri = json_text_at(doc, "redirectUri"),
                               .challenge = json_text_at(doc, "challenge"),
                               .nonce = json_text_at(doc, "nonce"),
                               .family = json_text_at(doc, "family"),
                               .told_auth_time = json_bool_at(doc, "authTime", false)};
    if (json_bool_at(doc, "used", false))
        return RF_FAIL(err, RF_CONFLICT, "54005",
                       "OAuth2 Authorization code was already redeemed, please retry with a new "
                       "valid code or use an existing refresh token.");
    rf_usec end = grant_number(doc, "end");
    if (now > end)
        return RF_FAIL(err, RF_DENIED, "70008",
                       "The provided authorization code has expired. Send a new sign-in request.");
    return code_put(txn, key, out, end, true, arena, err);
}

static enum rf_kind add_clients(struct state_txn *txn, const char *space, rf_str sid,
                                struct rf_arena *arena, struct grant_clients *out,
                                struct rf_err *err)
{
    const struct state_scan scan = {.space = space, .index = "sid", .value = sid};
    struct state_list list;
    RF_TRY(state_list(txn, &scan, arena, &list, err));
    rf_str *grown = rf_arena_new(arena, rf_str, out->count + list.count);
    if (grown == NULL) return rf_fail_memory(err, arena);
    if (out->count > 0) memcpy(grown, out->items, out->count * sizeof *grown);
    out->items = grown;
    for (uint32_t i = 0; i < list.count; i++) {
        struct json_node *doc;
        RF_TRY(json_parse(list.items[i].body, arena, &doc, err));
        rf_str client = json_text_at(doc, "client");
        bool there = false;
        for (uint32_t k = 0; k < out->count && !there; k++)
            there = rf_str_eq_nocase(out->items[k], client);
        if (!there) out->items[out->count++] = client;
    }
    return RF_OK;
}

enum rf_kind grants_clients_of(struct state_txn *txn, rf_str sid, struct rf_arena *arena,
                               struct grant_clients *out, struct rf_err *err)
{
    *out = (struct grant_clients){.count = 0};
    RF_TRY(add_clients(txn, code_space, sid, arena, out, err));
    return add_clients(txn, "grant.family", sid, arena, out, err);
}

/* ---- challenges ----------------------------------------------------------------------------------------- */

static const char challenge_space[] = "grant.challenge";

enum rf_kind challenge_take(struct state_txn *txn, rf_str challenge, rf_usec now,
                            struct rf_arena *arena, struct rf_err *err)
{
    struct json_node *doc = json_new(arena, JSON_T_OBJECT);
    if (json_set_i64(arena, doc, "end", now) == NULL) return rf_fail_memory(err, arena);
    const struct state_put put = {.space = challenge_space,
                                  .key = grant_key(arena, challenge),
                                  .body = json_to_text(arena, doc),
                                  .condition = STATE_ABSENT};
    if (put.key.ptr == NULL || put.body.ptr == NULL) return rf_fail_memory(err, arena);
    enum rf_kind kind = state_put(txn, &put, NULL, NULL, err);
    if (kind != RF_CONFLICT) return kind;
    return RF_FAIL(err, RF_CONFLICT, "ChallengeUsed", "the challenge was answered before");
}

/* ---- what is over ------------------------------------------------------------------------------------ */

/* Kept a while behind its end, so that a second use is still known for one. */
static bool code_is_over(const struct json_node *doc, rf_usec now)
{
    return now - grant_number(doc, "end") > SECONDS(86400);
}

static bool family_is_over(const struct json_node *doc, rf_usec now)
{
    return now - grant_number(doc, "used") > SECONDS(REFRESH_IDLE_SECONDS);
}

static bool device_is_over(const struct json_node *doc, rf_usec now)
{
    return now - grant_number(doc, "created") > SECONDS(2 * DEVICE_LIFE_SECONDS);
}

static enum rf_kind sweep(struct state_txn *txn, const char *space,
                          bool (*is_over)(const struct json_node *doc, rf_usec now), rf_usec now,
                          uint32_t *limit, struct rf_arena *arena, struct rf_err *err)
{
    const struct state_scan scan = {.space = space};
    struct state_list list;
    RF_TRY(state_list(txn, &scan, arena, &list, err));
    for (uint32_t i = 0; i<list.count && * limit> 0; i++) {
        struct json_node *doc;
        RF_TRY(json_parse(list.items[i].body, arena, &doc, err));
        if (!is_over(doc, now)) continue;
        RF_TRY(state_delete(txn, space, list.items[i].key, err));
        --*limit;
    }
    return RF_OK;
}

enum rf_kind grants_sweep(struct state_txn *txn, rf_usec now, uint32_t limit,
                          struct rf_arena *arena, bool *left, struct rf_err *err)
{
    RF_TRY(sweep(txn, code_space, code_is_over, now, &limit, arena, err));
    RF_TRY(sweep(txn, "grant.family", family_is_over, now, &limit, arena, err));
    RF_TRY(sweep(txn, "grant.device", device_is_over, now, &limit, arena, err));
    RF_TRY(sweep(txn, challenge_space, code_is_over, now, &limit, arena, err));
    *left = limit == 0;
    return RF_OK;
}
