#include "hub/hub.h"
#include "vault/events.h"
#include "vault/vault_world.h"

#define E_V "?api-version=2022-06-15"
#define E_ARM "https://management.azure.com/"
#define E_NS V_GROUP "/providers/Microsoft.EventHub/namespaces/ringfort"
#define E_HUB E_NS "/eventhubs/vaults"
#define E_AT V_ID "/providers/Microsoft.EventGrid/eventSubscriptions/"
#define E_TO(more)                                                                                 \
    "{\"properties\":{\"destination\":{\"endpointType\":\"EventHub\",\"properties\":{"             \
    "\"resourceId\":\"" E_HUB "\"}}" more "}}"

struct world {
    struct vault_world v;
    struct hubs *hubs;
};

static void be(struct world *w, const char *oid)
{
    w->v.token =
        walk_bearer(&w->v.site, v_jwt(&w->v, &(struct walk_token){.oid = oid, .audience = E_ARM}));
}

static void init(struct world *w)
{
    static char folder[96];
    memset(w, 0, sizeof *w);
    v_init(&w->v);
    (void)snprintf(folder, sizeof folder, "%s/hubs", w->v.folder);
    struct hubs_options hubs = {.fs = rf_fs_real(),
                                .folder = folder,
                                .key = {9},
                                .clock = &w->v.site.clock.clock,
                                .state = w->v.site.state,
                                .arm = w->v.arm,
                                .authz = w->v.site.authz,
                                .directory = &w->v.site.directory,
                                .audit = &w->v.site.audit,
                                .site = &w->v.site.site};
    cr_assert(hubs_new(&hubs, &w->hubs, &w->v.err) == RF_OK, "%s", w->v.err.text);
    w->v.vaults->options.hubs = w->hubs;
    v_assign(&w->v, V_OTHER, ROLE_OWNER, "/");
    be(w, V_OTHER);
    v_expect(&w->v, "PUT", E_NS "?api-version=2024-01-01",
             "{\"location\":\"local\",\"sku\":{\"name\":\"Standard\"}}", 201);
    v_expect(&w->v, "PUT", E_HUB "?api-version=2024-01-01",
             "{\"properties\":{\"partitionCount\":1}}", 200);
}

static void done(struct world *w)
{
    w->v.vaults->options.hubs = NULL;
    hubs_free(w->hubs);
    v_done(&w->v);
}

static void set_secret(struct world *w, const char *name)
{
    rf_str path = rf_arena_printf(&w->v.site.arena, "/secrets/%s?api-version=7.6%c", name, '\0');
    v_be(&w->v, V_ADMIN);
    v_expect(&w->v, "PUT", (const char *)path.ptr, "{\"value\":\"x\"}", 200);
    be(w, V_OTHER);
}

static uint32_t waiting(struct world *w)
{
    struct state_txn *txn;
    struct state_list list;
    const struct state_scan scan = {.space = vault_event_space};
    cr_assert(state_begin_read(w->v.site.state, &txn, &w->v.err) == RF_OK);
    cr_assert(state_list(txn, &scan, &w->v.site.arena, &list, &w->v.err) == RF_OK);
    state_end(txn);
    return list.count;
}

static int64_t send_now(struct world *w)
{
    int64_t next;
    rf_usec now = rf_clock_now(&w->v.site.clock.clock);
    cr_assert(vault_events_send(w->v.vaults, now / RF_USEC_PER_SECOND, &next, &w->v.err) == RF_OK,
              "%s", w->v.err.text);
    return next == 0 ? 0 : next - now / RF_USEC_PER_SECOND;
}

/* The events of the hub's one partition. */
static uint32_t read_hub(struct world *w, struct json_node *out[8])
{
    struct hub_namespace *names;
    struct hub *hub;
    struct log_frames frames;
    struct rf_arena *arena = &w->v.site.arena;
    uint32_t count = 0;
    cr_assert(hubs_namespace(w->hubs, RF_S("localhost"), &names, &w->v.err) == RF_OK);
    cr_assert(hub_find(names, RF_S("vaults"), &hub, &w->v.err) == RF_OK);
    cr_assert(hub_read(hub, 0, 0, 1 << 20, true, arena, &frames, &w->v.err) == RF_OK);
    for (uint32_t i = 0; i < frames.count; i++) {
        struct event_frame_reader reader;
        struct event_out event;
        bool more = true;
        cr_assert(event_frame_open(&reader, &frames.items[i], arena, &w->v.err) == RF_OK);
        while (event_frame_next(&reader, &event, &more, &w->v.err) == RF_OK && more && count < 8)
            cr_assert(event_json(&event, arena, &out[count++], &w->v.err) == RF_OK);
    }
    hub_unref(hub);
    return count;
}

Test(vault_events, documents_are_checked)
{
    static const char *const bad[] = {
        "{}",
        "{\"properties\":{}}",
        "{\"properties\":{\"destination\":{\"endpointType\":\"WebHook\",\"properties\":{"
        "\"endpointUrl\":\"https://x\"}}}}",
        "{\"properties\":{\"destination\":{\"endpointType\":\"EventHub\",\"properties\":{"
        "\"resourceId\":\"" E_NS "\"}}}}",
        "{\"properties\":{\"destination\":{\"endpointType\":\"EventHub\",\"properties\":{"
        "\"resourceId\":\"" E_HUB "x\"}}}}",
        E_TO(",\"eventDeliverySchema\":\"CustomInputSchema\""),
        E_TO(",\"filter\":{\"includedEventTypes\":[\"Microsoft.KeyVault.Nothing\"]}"),
        E_TO(",\"filter\":{\"subjectBeginsWith\":1}"),
        E_TO(",\"filter\":{\"advancedFilters\":[{}]}"),
        E_TO(",\"deadLetterDestination\":{}"),
        E_TO(",\"retryPolicy\":{\"eventTimeToLiveInMinutes\":1441}"),
    };
    struct world w;
    init(&w);
    for (size_t i = 0; i < RF_COUNT(bad); i++) v_expect(&w.v, "PUT", E_AT "one" E_V, bad[i], 400);
    v_expect(&w.v, "PUT", E_AT "a_b" E_V, E_TO(""), 400);
    v_expect(&w.v, "PUT", E_NS "/providers/Microsoft.EventGrid/eventSubscriptions/one" E_V,
             E_TO(""), 400);
    v_expect(&w.v, "PUT", E_AT "one" E_V, E_TO(""), 201);
    v_expect_text(&w.v, "properties.provisioningState", "Succeeded");
    v_expect_text(&w.v, "properties.eventDeliverySchema", "EventGridSchema");
    v_expect_text(&w.v, "properties.topic", V_ID);
    v_expect(&w.v, "GET", V_ID "/providers/Microsoft.EventGrid/eventSubscriptions" E_V, NULL, 200);
    cr_assert(json_get(w.v.answer, "value")->count == 1);
    v_expect(&w.v, "DELETE", E_AT "one" E_V, NULL, 200);
    v_expect(&w.v, "GET", E_AT "one" E_V, NULL, 404);
    done(&w);
}

Test(vault_events, who_may_not_send_points_nothing_there)
{
    struct world w;
    init(&w);
    v_assign(&w.v, V_ADMIN, ROLE_OWNER, V_ID);
    be(&w, V_ADMIN);
    v_expect(&w.v, "PUT", E_AT "one" E_V, E_TO(""), 403);
    v_assign(&w.v, V_ADMIN, "2b629674-e913-4c01-ae53-ef4638d8f975", E_HUB);
    v_expect(&w.v, "PUT", E_AT "one" E_V, E_TO(""), 201);
    done(&w);
}

Test(vault_events, events_come_to_the_hub)
{
    struct world w;
    struct json_node *got[8];
    init(&w);
    set_secret(&w, "before");
    cr_assert(waiting(&w) == 0);
    v_expect(&w.v, "PUT", E_AT "grid" E_V,
             E_TO(",\"filter\":{\"subjectBeginsWith\":\"IN-\",\"includedEventTypes\":["
                  "\"Microsoft.KeyVault.SecretNewVersionCreated\"]}"),
             201);
    set_secret(&w, "out-1");
    cr_assert(waiting(&w) == 0);
    set_secret(&w, "in-1");
    cr_assert(waiting(&w) == 1);
    cr_assert(send_now(&w) == 0 && waiting(&w) == 0);
    cr_assert(read_hub(&w, got) == 1);
    const struct json_node *body = json_get(got[0], "body");
    cr_assert(json_is(body, JSON_T_ARRAY) && body->count == 1);
    cr_assert(rf_str_is(json_text_at(body->first, "subject"), "in-1"));
    cr_assert(rf_str_is(json_text_at(body->first, "topic"), V_ID));
    cr_assert(rf_str_is(json_text_at(body->first, "data.ObjectType"), "Secret"));
    cr_assert(rf_str_eq(json_text_at(body->first, "id"), json_text_at(got[0], "messageId")));
    v_expect(&w.v, "PUT", E_AT "grid" E_V,
             E_TO(",\"eventDeliverySchema\":\"cloudeventschemav1_0\",\"filter\":{"
                  "\"subjectBeginsWith\":\"IN-\",\"isSubjectCaseSensitive\":true}"),
             200);
    set_secret(&w, "in-2");
    cr_assert(waiting(&w) == 0);
    set_secret(&w, "IN-3");
    cr_assert(send_now(&w) == 0 && read_hub(&w, got) == 2);
    body = json_get(got[1], "body");
    cr_assert(rf_str_is(json_text_at(body, "specversion"), "1.0"));
    cr_assert(rf_str_is(json_text_at(body, "source"), V_ID));
    cr_assert(rf_str_is(json_text_at(body, "type"), "Microsoft.KeyVault.SecretNewVersionCreated"));
    done(&w);
}

Test(vault_events, without_a_hub_they_wait_a_day)
{
    struct world w;
    struct json_node *got[8];
    init(&w);
    v_expect(&w.v, "PUT", E_AT "one" E_V, E_TO(""), 201);
    v_expect(&w.v, "DELETE", E_HUB "?api-version=2024-01-01", NULL, 200);
    set_secret(&w, "first");
    v_pass(&w.v, 1);
    set_secret(&w, "second");
    cr_assert(send_now(&w) == 10 && waiting(&w) == 2);
    cr_assert(send_now(&w) == 10, "not before its time");
    v_pass(&w.v, 10);
    cr_assert(send_now(&w) == 20 && waiting(&w) == 2);
    /* The hub comes back: they come in their order. */
    be(&w, V_OTHER);
    v_expect(&w.v, "PUT", E_HUB "?api-version=2024-01-01",
             "{\"properties\":{\"partitionCount\":1}}", 200);
    v_pass(&w.v, 20);
    cr_assert(send_now(&w) == 0 && waiting(&w) == 0 && read_hub(&w, got) == 2);
    cr_assert(rf_str_is(json_text_at(json_get(got[0], "body")->first, "subject"), "first"));
    v_expect(&w.v, "DELETE", E_HUB "?api-version=2024-01-01", NULL, 200);
    set_secret(&w, "third");
    (void)send_now(&w);
    v_pass(&w.v, 86400);
    cr_assert(send_now(&w) == 0 && waiting(&w) == 0, "a day is enough");
    set_secret(&w, "fourth");
    be(&w, V_OTHER);
    cr_assert(waiting(&w) == 1);
    v_expect(&w.v, "DELETE", E_AT "one" E_V, NULL, 200);
    cr_assert(waiting(&w) == 0, "they go with the subscription");
    done(&w);
}

Test(vault_events, changed_policies_are_told)
{
    struct world w;
    struct json_node *got[8];
    init(&w);
    v_expect(&w.v, "PUT", E_AT "one" E_V, E_TO(""), 201);
    v_expect(&w.v, "PATCH", V_ID "?api-version=2024-11-01", "{\"tags\":{\"a\":\"b\"}}", 200);
    cr_assert(waiting(&w) == 0);
    v_expect(&w.v, "PATCH", V_ID "?api-version=2024-11-01",
             "{\"properties\":{\"enableRbacAuthorization\":false}}", 200);
    cr_assert(waiting(&w) == 1 && send_now(&w) == 0 && read_hub(&w, got) == 1);
    const struct json_node *event = json_get(got[0], "body")->first;
    cr_assert(
        rf_str_is(json_text_at(event, "eventType"), "Microsoft.KeyVault.VaultAccessPolicyChanged"));
    cr_assert(rf_str_is(json_text_at(event, "data.VaultName"), V_NAME));
    done(&w);
}

/* Either both are there or neither: a change that is undone takes its event along. */
Test(vault_events, an_event_is_kept_with_its_change_or_not_at_all)
{
    struct world w;
    struct state_txn *txn;
    struct vault_version version = {.version = RF_S("0123456789abcdef0123456789abcdef"),
                                    .not_before = SEAL_NO_TIME,
                                    .expires = SEAL_NO_TIME};
    init(&w);
    v_expect(&w.v, "PUT", E_AT "one" E_V, E_TO(""), 201);
    struct vault_call call = {.vaults = w.v.vaults,
                              .arena = &w.v.site.arena,
                              .place = {.id = RF_S(V_ID), .name = RF_S(V_NAME)},
                              .now = WALK_NOW};
    for (int commits = 0; commits < 2; commits++) {
        cr_assert(state_begin_write(w.v.site.state, &txn, &w.v.err) == RF_OK);
        cr_assert(vault_publish(&call, txn, "Microsoft.KeyVault.SecretExpired", SEAL_SECRET,
                                RF_S("a"), &version, &w.v.err) == RF_OK,
                  "%s", w.v.err.text);
        if (commits)
            cr_assert(state_commit(txn, &w.v.err) == RF_OK);
        else
            state_end(txn);
        cr_assert_eq(waiting(&w), (uint32_t)commits);
    }
    done(&w);
}

/* Whoever sends is told by the commit itself. */
Test(vault_events, the_thread_sends_what_was_committed, .timeout = 60)
{
    struct world w;
    struct json_node *got[8];
    init(&w);
    v_expect(&w.v, "PUT", E_AT "one" E_V, E_TO(""), 201);
    cr_assert(vaults_start(w.v.vaults, &w.v.err) == RF_OK);
    set_secret(&w, "first");
    while (waiting(&w) > 0) usleep(1000);
    set_secret(&w, "second");
    while (waiting(&w) > 0) usleep(1000);
    vaults_stop(w.v.vaults);
    cr_assert(read_hub(&w, got) == 2);
    done(&w);
}

Test(vault_events, a_row_that_cannot_be_read_stops_nothing)
{
    static const char *const bodies[] = {"{\"hub\":", "[]", "7"};
    struct world w;
    struct state_txn *txn;
    struct json_node *got[8];
    init(&w);
    v_expect(&w.v, "PUT", E_AT "one" E_V, E_TO(""), 201);
    set_secret(&w, "behind");
    rf_str key = resource_key(&w.v.site.arena, RF_S(E_AT "one"));
    cr_assert(state_begin_write(w.v.site.state, &txn, &w.v.err) == RF_OK);
    for (size_t i = 0; i < RF_COUNT(bodies); i++) {
        struct state_put put = {
            .space = vault_event_space,
            .key = rf_arena_printf(&w.v.site.arena, "%.*s/%020zu-x", RF_FMT(key), i),
            .body = rf_str_of(bodies[i])};
        cr_assert(state_put(txn, &put, NULL, NULL, &w.v.err) == RF_OK);
    }
    cr_assert(state_commit(txn, &w.v.err) == RF_OK);
    cr_assert(waiting(&w) == 4);
    cr_assert(send_now(&w) == 0 && waiting(&w) == 0);
    cr_assert(read_hub(&w, got) == 1);
    done(&w);
}
