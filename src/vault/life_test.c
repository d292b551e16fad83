#include "vault/vault_world.h"

#include "vault/store_int.h"

#define S "/secrets/"
#define D "/deletedsecrets/"
#define V1 "{\"value\":\"one\"}"
#define DAY 86400

static rf_str version_of(struct vault_world *w)
{
    rf_str id = json_text_at(w->answer, "id");
    cr_assert(id.len > 32);
    return rf_slice(id, id.len - 32, id.len);
}

static const char *version_path(struct vault_world *w, const char *front, rf_str version)
{
    return rf_arena_cstr(&w->site.arena,
                         rf_arena_printf(&w->site.arena, "%s%.*s", front, RF_FMT(version)));
}

static int64_t number(struct vault_world *w, const char *at)
{
    int64_t out;
    cr_assert(json_i64_at(w->answer, at, &out), "no %s", at);
    return out;
}

/* A call by the program, or by a handler that nobody asked for over HTTP. */
static struct vault_call call_of(struct vault_world *w, const char *name)
{
    struct rf_arena *arena = &w->site.arena;
    struct vault_call call = {.vaults = w->vaults,
                              .arena = arena,
                              .name = rf_str_of(name),
                              .base = RF_S("https://localhost:8443"),
                              .api = VAULT_API_7_6,
                              .now = rf_clock_now(&w->site.clock.clock) / RF_USEC_PER_SECOND};
    struct http_request *http = rf_arena_new(arena, struct http_request, 1);
    struct http_response *response = rf_arena_new(arena, struct http_response, 1);
    struct request *request = rf_arena_new(arena, struct request, 1);
    *response = (struct http_response){.arena = arena, .status = 200, .body = rf_buf_in(arena)};
    *request = (struct request){.http = http, .response = response, .arena = arena};
    call.request = request;
    if (w->token.len > 0) call.token = rf_slice(w->token, strlen("Bearer "), w->token.len);
    struct state_txn *txn;
    cr_assert(state_begin_read(w->site.state, &txn, &w->err) == RF_OK);
    cr_assert(vault_place_find(w->vaults, txn, (rf_str){0}, arena, &call.place, &w->err) == RF_OK);
    state_end(txn);
    return call;
}

static enum rf_kind find(struct vault_world *w, struct vault_call *call, enum seal_kind kind,
                         struct vault_item *out)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    cr_assert(state_begin_read(w->site.state, &txn, &w->err) == RF_OK);
    return vault_item_get(call, txn, kind, call->name, out, &w->err);
}

static struct vault_item need(struct vault_world *w, struct vault_call *call, enum seal_kind kind)
{
    struct vault_item item;
    cr_assert(find(w, call, kind, &item) == RF_OK, "%s", w->err.text);
    return item;
}

static void store(struct vault_world *w, struct vault_call *call, struct vault_item *item,
                  const struct vault_version *version)
{
    struct state_txn *txn;
    cr_assert(state_begin_write(w->site.state, &txn, &w->err) == RF_OK);
    if (version != NULL) cr_assert(vault_version_put(call, txn, item, version, &w->err) == RF_OK);
    cr_assert(vault_item_put(call, txn, item, &w->err) == RF_OK, "%s", w->err.text);
    cr_assert(state_finish(&txn, &w->err) == RF_OK);
}

/* ---- soft delete ------------------------------------------------------------------------------------------------------- */

Test(vault_life, deletes_and_recovers_all_versions)
{
    struct vault_world w;
    v_init(&w);
    v_expect(&w, "PUT", S "Foo", "{\"value\":\"one\",\"tags\":{\"a\":\"1\"}}", 200);
    const char *first = version_path(&w, S "foo/", version_of(&w));
    v_expect(&w, "PUT", S "foo", "{\"value\":\"two\"}", 200);
    rf_str second = version_of(&w);
    v_expect(&w, "DELETE", S "foo", NULL, 200);
    v_expect_text(&w, "recoveryId", "https://localhost:8443/deletedsecrets/Foo");
    cr_assert(number(&w, "deletedDate") == WALK_NOW);
    cr_assert(number(&w, "scheduledPurgeDate") == WALK_NOW + 90 * DAY);
    cr_assert(json_get(w.answer, "value") == NULL && rf_str_eq(version_of(&w), second));
    v_expect_error(&w, "GET", S "foo", NULL, 404, "SecretNotFound", NULL);
    v_expect_error(&w, "GET", first, NULL, 404, "SecretNotFound", NULL);
    v_expect_error(&w, "DELETE", S "foo", NULL, 404, "SecretNotFound", NULL);
    v_expect_error(&w, "PATCH", S "foo", "{}", 404, "SecretNotFound", NULL);
    v_expect_error(&w, "POST", S "foo/backup", NULL, 404, "SecretNotFound", NULL);
    v_expect_error(&w, "PUT", S "foo", V1, 409, "Conflict", "ObjectIsDeletedButRecoverable");
    v_expect(&w, "GET", D "foo", NULL, 200);
    v_expect_text(&w, "recoveryId", "https://localhost:8443/deletedsecrets/Foo");
    cr_assert(json_get(w.answer, "value") == NULL);
    v_expect(&w, "POST", D "foo/recover", NULL, 200);
    cr_assert(json_get(w.answer, "value") == NULL && json_get(w.answer, "recoveryId") == NULL);
    v_expect(&w, "GET", S "foo", NULL, 200);
    v_expect_text(&w, "value", "two");
    v_expect(&w, "GET", first, NULL, 200);
    v_expect_text(&w, "value", "one");
    v_expect_text(&w, "tags.a", "1");
    v_expect_error(&w, "GET", D "foo", NULL, 404, "SecretNotFound", NULL);
    v_expect_error(&w, "POST", D "foo/recover", NULL, 404, "SecretNotFound", NULL);
    v_expect_error(&w, "DELETE", D "foo", NULL, 404, "SecretNotFound", NULL);
    v_done(&w);
}

/* ---- purge ----------------------------------------------------------------------------------------------------------------- */

Test(vault_life, purges_for_good)
{
    struct vault_world w;
    rf_str out;
    v_init(&w);
    v_expect(&w, "PUT", S "foo", V1, 200);
    const char *old = version_path(&w, S "foo/", version_of(&w));
    struct vault_call call = call_of(&w, "foo");
    struct vault_item item = need(&w, &call, SEAL_SECRET);
    struct vault_version version;
    struct seal_ring ring;
    struct state_txn *txn;
    cr_assert(state_begin_read(w.site.state, &txn, &w.err) == RF_OK);
    cr_assert(vault_version_get(&call, txn, &item, (rf_str){0}, &version, &w.err) == RF_OK);
    state_end(txn);
    cr_assert(vault_ring(&call, &item, &ring, &w.err) == RF_OK);
    cr_assert(seal_open(w.keeper, call.token, &ring, version.sealed, call.arena, &out, &w.err) ==
              RF_OK);
    v_expect(&w, "DELETE", S "foo", NULL, 200);
    v_expect(&w, "DELETE", D "foo", NULL, 204);
    cr_assert(w.last.body.len == 0);
    v_expect_error(&w, "GET", D "foo", NULL, 404, "SecretNotFound", NULL);
    cr_assert(seal_open(w.keeper, call.token, &ring, version.sealed, call.arena, &out, &w.err) ==
                  RF_DENIED,
              "copies of what was sealed are of no use");
    cr_assert_str_eq(w.err.code, "SealDestroyed");
    v_expect(&w, "PUT", S "foo", "{\"value\":\"again\"}", 200);
    v_expect_error(&w, "GET", old, NULL, 404, "SecretNotFound", NULL);
    v_expect(&w, "GET", S "foo/versions", NULL, 200);
    cr_assert(json_get(w.answer, "value")->count == 1);
    v_done(&w);
}

Test(vault_life, is_protected_from_purges)
{
    struct vault_world w;
    v_init(&w);
    v_vault(&w, "safe",
            "\"enableRbacAuthorization\":true,\"softDeleteRetentionInDays\":7,"
            "\"enablePurgeProtection\":true");
    v_assign(&w, V_ADMIN, V_ROLE_ADMIN, V_VAULTS "safe");
    w.host = "safe.vault.ringfort.localhost:8443";
    v_expect(&w, "PUT", S "foo", V1, 200);
    v_expect(&w, "DELETE", S "foo", NULL, 200);
    cr_assert(number(&w, "scheduledPurgeDate") == WALK_NOW + 7 * DAY);
    v_expect_error(&w, "DELETE", D "foo", NULL, 403, "Forbidden", NULL);
    cr_assert(rf_str_find(json_text_at(w.answer, "error.message"), RF_S("urge protection"), 0) !=
              SIZE_MAX);
    v_expect(&w, "GET", D "foo", NULL, 200);
    v_expect_error(&w, "DELETE", D "bar", NULL, 404, "SecretNotFound", NULL);
    v_done(&w);
}

Test(vault_life, is_purged_when_its_time_has_come)
{
    struct vault_world w;
    v_init(&w);
    v_expect(&w, "PUT", S "foo", V1, 200);
    struct vault_call call = call_of(&w, "foo");
    struct vault_item item = need(&w, &call, SEAL_SECRET);
    cr_assert(vault_purge_due(&call, &item, &w.err) == RF_OK, "a live one is left alone");
    v_expect(&w, "DELETE", S "foo", NULL, 200);
    v_pass(&w, 90 * DAY - 1);
    v_be(&w, V_ADMIN);
    call = call_of(&w, "foo");
    call.token = (rf_str){0};
    item = need(&w, &call, SEAL_SECRET);
    cr_assert(item.due == item.purge_at && item.due == call.now + 1);
    cr_assert(vault_purge_due(&call, &item, &w.err) == RF_OK);
    v_expect(&w, "GET", D "foo", NULL, 200);
    v_pass(&w, 1);
    call.now++;
    cr_assert(vault_purge_due(&call, &item, &w.err) == RF_OK, "%s", w.err.text);
    v_expect(&w, "GET", D "foo", NULL, 404);
    cr_assert(find(&w, &call, SEAL_SECRET, &item) == RF_NOT_FOUND);
    v_done(&w);
}

/* A purge that broke off behind its first step, or its second. */
static void break_off(bool destroyed)
{
    struct vault_world w;
    struct seal_ring ring;
    rf_str proof;
    v_init(&w);
    v_expect(&w, "PUT", S "foo", V1, 200);
    v_expect(&w, "DELETE", S "foo", NULL, 200);
    struct vault_call call = call_of(&w, "foo");
    struct vault_item item = need(&w, &call, SEAL_SECRET);
    item.purging = true, item.due = call.now;
    store(&w, &call, &item, NULL);
    cr_assert(vault_ring(&call, &item, &ring, &w.err) == RF_OK);
    if (destroyed)
        cr_assert(seal_destroy(w.keeper, &ring, call.arena, &proof, &w.err) == RF_OK, "%s",
                  w.err.text);
    v_expect(&w, "GET", D "foo", NULL, 404);
    v_expect(&w, "POST", D "foo/recover", NULL, 404);
    v_expect(&w, "PUT", S "foo", V1, 409);
    v_expect(&w, "GET", "/deletedsecrets", NULL, 200);
    cr_assert(json_get(w.answer, "value")->count == 0);
    cr_assert(vault_purge_due(&call, &item, &w.err) == RF_OK, "%s", w.err.text);
    cr_assert(find(&w, &call, SEAL_SECRET, &item) == RF_NOT_FOUND);
    v_expect(&w, "PUT", S "foo", V1, 200);
    v_done(&w);
}

Test(vault_life, finishes_purges_that_were_marked) { break_off(false); }
Test(vault_life, finishes_purges_that_were_destroyed) { break_off(true); }

Test(vault_life, purges_again_what_broke_off)
{
    struct vault_world w;
    v_init(&w);
    v_expect(&w, "PUT", S "foo", V1, 200);
    v_expect(&w, "DELETE", S "foo", NULL, 200);
    struct vault_call call = call_of(&w, "foo");
    struct vault_item item = need(&w, &call, SEAL_SECRET);
    item.purging = true;
    store(&w, &call, &item, NULL);
    v_expect(&w, "DELETE", D "foo", NULL, 204);
    v_done(&w);
}

/* ---- certificates --------------------------------------------------------------------------------------------------------- */

static struct json_node *show(struct vault_call *call, const struct vault_item *item,
                              const struct vault_version *version)
{
    struct json_node *out = json_new(call->arena, JSON_T_OBJECT);
    cr_assert(version != NULL);
    json_set_text(call->arena, out, "id",
                  vault_object_id(call, "certificates", item->name, version->version));
    return out;
}

static void add_part(struct vault_world *w, struct vault_call *call, enum seal_kind kind)
{
    struct vault_item item;
    struct vault_version version;
    struct seal_head head;
    struct seal_ring ring;
    struct sealed sealed;
    cr_assert(vault_item_new(call, kind, call->name, &item, &w->err) == RF_OK);
    cr_assert(vault_version_init(call, &version, &w->err) == RF_OK);
    item.managed = version.managed = kind != SEAL_CERTIFICATE;
    item.latest = version.version;
    vault_head(&version, &head);
    cr_assert(vault_ring(call, &item, &ring, &w->err) == RF_OK);
    if (kind != SEAL_CERTIFICATE) {
        head.material = kind == SEAL_KEY ? SEAL_P256 : SEAL_VALUE;
        head.ops = kind == SEAL_KEY ? SEAL_OP_SIGN : 0;
        enum rf_kind made =
            kind == SEAL_KEY
                ? seal_key_new(w->keeper, call->token, &ring, &head, call->arena, &sealed, &w->err)
                : seal_put(w->keeper, call->token, &ring, &head, RF_S("bundle"), call->arena,
                           &sealed, &w->err);
        cr_assert(made == RF_OK, "%s", w->err.text);
        item.key = sealed.item_key;
        version.sealed = sealed.version;
    }
    store(w, call, &item, &version);
}

static struct vault_call make_certificate(struct vault_world *w)
{
    struct vault_call call = call_of(w, "crt");
    add_part(w, &call, SEAL_CERTIFICATE);
    add_part(w, &call, SEAL_KEY);
    add_part(w, &call, SEAL_SECRET);
    return call;
}

static void each_is(struct vault_world *w, struct vault_call *call, bool deleted)
{
    for (int kind = SEAL_SECRET; kind <= SEAL_CERTIFICATE; kind++) {
        struct vault_item item = need(w, call, (enum seal_kind)kind);
        cr_assert((item.deleted != 0) == deleted, "%s", vault_collection((enum seal_kind)kind));
    }
}

Test(vault_life, takes_a_certificates_key_and_secret_along)
{
    struct vault_world w;
    struct vault_item item;
    v_init(&w);
    struct vault_call call = make_certificate(&w);
    v_expect_error(&w, "DELETE", S "crt", NULL, 403, "Forbidden", NULL);
    v_expect_error(&w, "PUT", S "crt", V1, 403, "Forbidden", NULL);
    v_expect_error(&w, "PATCH", S "crt", "{}", 403, "Forbidden", NULL);
    v_expect_error(&w, "POST", S "crt/backup", NULL, 400, "BadParameter", NULL);
    v_expect(&w, "GET", S "crt", NULL, 200);
    v_expect_text(&w, "value", "bundle");
    cr_assert(json_bool_at(w.answer, "managed", false));
    cr_assert(
        rf_str_starts(json_text_at(w.answer, "kid"), RF_S("https://localhost:8443/keys/crt/")));
    v_expect(&w, "GET", "/secrets", NULL, 200);
    cr_assert(json_bool_at(json_get(w.answer, "value")->first, "managed", false));
    cr_assert(vault_delete(&call, SEAL_CERTIFICATE, show, &w.err) == RF_OK, "%s", w.err.text);
    each_is(&w, &call, true);
    v_expect(&w, "GET", S "crt", NULL, 404);
    v_expect(&w, "GET", D "crt", NULL, 404);
    v_expect(&w, "POST", D "crt/recover", NULL, 404);
    v_expect(&w, "DELETE", D "crt", NULL, 404);
    v_expect(&w, "PUT", S "crt", V1, 409);
    v_expect(&w, "GET", "/deletedsecrets", NULL, 200);
    cr_assert(json_get(w.answer, "value")->count == 0);
    cr_assert(vault_recover(&call, SEAL_CERTIFICATE, show, &w.err) == RF_OK, "%s", w.err.text);
    each_is(&w, &call, false);
    v_expect(&w, "GET", S "crt", NULL, 200);
    v_expect_text(&w, "value", "bundle");
    cr_assert(vault_delete(&call, SEAL_CERTIFICATE, show, &w.err) == RF_OK);
    item = need(&w, &call, SEAL_SECRET);
    cr_assert(item.due == 0, "it goes when the certificate goes, not by itself");
    call.now += 91 * DAY;
    cr_assert(vault_purge_due(&call, &item, &w.err) == RF_OK);
    each_is(&w, &call, true);
    cr_assert(vault_purge(&call, SEAL_CERTIFICATE, &w.err) == RF_OK, "%s", w.err.text);
    for (int kind = SEAL_SECRET; kind <= SEAL_CERTIFICATE; kind++)
        cr_assert(find(&w, &call, (enum seal_kind)kind, &item) == RF_NOT_FOUND);
    v_expect(&w, "PUT", S "crt", V1, 200);
    v_done(&w);
}

/* A key of the same name that is nobody's stays where it is. */
Test(vault_life, leaves_a_namesake_alone)
{
    struct vault_world w;
    v_init(&w);
    struct vault_call call = call_of(&w, "crt");
    add_part(&w, &call, SEAL_CERTIFICATE);
    v_expect(&w, "PUT", S "crt", V1, 200);
    cr_assert(vault_delete(&call, SEAL_CERTIFICATE, show, &w.err) == RF_OK);
    v_expect(&w, "GET", S "crt", NULL, 200);
    cr_assert(vault_purge(&call, SEAL_CERTIFICATE, &w.err) == RF_OK);
    v_expect(&w, "GET", S "crt", NULL, 200);
    v_done(&w);
}

Test(vault_life, backs_a_certificate_up_as_one)
{
    struct vault_world w;
    v_init(&w);
    struct vault_call call = make_certificate(&w);
    struct vault_item before = need(&w, &call, SEAL_KEY);
    cr_assert(vault_backup(&call, SEAL_CERTIFICATE, &w.err) == RF_OK, "%s", w.err.text);
    struct json_node *blob;
    rf_str text; /* the answer's buffer is used again */
    cr_assert(rf_arena_str(call.arena, rf_buf_view(&call.request->response->body), &text));
    cr_assert(json_parse(text, call.arena, &blob, &w.err) == RF_OK);
    struct vault_call again = call_of(&w, "");
    again.body = blob;
    cr_assert(vault_restore(&again, SEAL_CERTIFICATE, show, &w.err) == RF_CONFLICT, "%s",
              w.err.text);
    cr_assert(vault_delete(&call, SEAL_CERTIFICATE, show, &w.err) == RF_OK);
    cr_assert(vault_restore(&again, SEAL_CERTIFICATE, show, &w.err) == RF_CONFLICT, "%s",
              w.err.text);
    cr_assert(vault_purge(&call, SEAL_CERTIFICATE, &w.err) == RF_OK);
    cr_assert(vault_restore(&again, SEAL_KEY, show, &w.err) == RF_INVALID, "of another kind");
    cr_assert(vault_restore(&again, SEAL_CERTIFICATE, show, &w.err) == RF_OK, "%s", w.err.text);
    each_is(&w, &call, false);
    struct vault_item after = need(&w, &call, SEAL_KEY);
    cr_assert(after.managed && rf_str_eq(after.latest, before.latest));
    cr_assert(memcmp(after.id, before.id, sizeof after.id) != 0);
    cr_assert(after.due == VAULT_DUE_LOOK);
    v_expect(&w, "GET", S "crt", NULL, 200);
    v_expect_text(&w, "value", "bundle");
    v_done(&w);
}

/* ---- all at once ----------------------------------------------------------------------------------------------------------- */

enum { HANDS = 6, TURNS = 12 };
struct hand {
    struct vault_world *w;
    pthread_t thread;
    int id, odd;
};

static int call_alone(struct vault_world *w, enum http_method method, const char *target,
                      const char *body)
{
    struct walk_site site = {.folder = ""};
    rf_arena_init(&site.arena, (size_t)64 << 20);
    struct walk_call call = {
        .method = method, .target = target, .body = body, .authorization = w->token};
    int status = walk_exchange(&site, w->dispatcher, &call).status;
    rf_arena_done(&site.arena);
    return status;
}

static void *meddle(void *ctx)
{
    struct hand *hand = ctx;
    for (int i = 0; i < TURNS; i++) {
        int status = 0;
        switch ((hand->id + i) % 4) {
        case 0:
            status = call_alone(hand->w, HTTP_DELETE, S "mix?api-version=7.4", NULL);
            break;
        case 1:
            status = call_alone(hand->w, HTTP_PUT, S "mix?api-version=7.4", V1);
            break;
        case 2:
            status = call_alone(hand->w, HTTP_POST, D "mix/recover?api-version=7.4", NULL);
            break;
        default:
            status = call_alone(hand->w, HTTP_DELETE, D "mix?api-version=7.4", NULL);
        }
        hand->odd += status != 200 && status != 204 && status != 404 && status != 409;
    }
    return NULL;
}

Test(vault_life, has_one_winner_at_a_time)
{
    struct vault_world w;
    struct hand hands[HANDS];
    v_init(&w);
    for (int i = 0; i < HANDS; i++) {
        hands[i] = (struct hand){.w = &w, .id = i};
        cr_assert(pthread_create(&hands[i].thread, NULL, meddle, &hands[i]) == 0);
    }
    for (int i = 0; i < HANDS; i++) {
        pthread_join(hands[i].thread, NULL);
        cr_assert(hands[i].odd == 0, "%d answers of another kind", hands[i].odd);
    }
    int live = v_call(&w, "GET", S "mix", NULL), dead = v_call(&w, "GET", D "mix", NULL);
    cr_assert(live == 404 || dead == 404, "%d %d", live, dead);
    if (dead == 200) v_expect(&w, "POST", D "mix/recover", NULL, 200);
    v_expect(&w, "PUT", S "mix", V1, 200);
    v_expect(&w, "GET", S "mix", NULL, 200);
    v_done(&w);
}
