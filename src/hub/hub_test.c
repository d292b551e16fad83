#include "test/rf_prop.h"

#include "hub/grant.h"
#include "hub/hub_rig.h"

/* ---- plain use -------------------------------------------------------------------------------------------------------- */

Test(hub, numbers_events_of_a_partition_without_holes)
{
    struct rig rig;
    rig_init(&rig, false);
    struct hub *hub = find_hub(&rig, "fLOW");
    struct hub_partition_info info = info_of(hub, 0);
    cr_assert(info.begin == 0 && info.end == 0 && info.last_enqueued == 0);
    must_send(hub, 0, 1, 3, 0);
    must_send(hub, 0, 2, 1, 3);
    must_send(hub, 1, 3, 2, 0);
    rf_clock_fixed_jump(&rig.clock, 5);
    must_send(hub, 0, 4, 1, 4);
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    struct log_frames frames;
    struct rf_err err;
    cr_assert(hub_read(hub, 0, 1, 1 << 16, false, &arena, &frames, &err) == RF_OK, "%s", err.text);
    cr_assert(frames.count == 3, "the frame that holds 1, and those behind it");
    cr_assert(frames.items[0].first == 0 && tag_of(&frames.items[0]) == 1);
    cr_assert(frames.items[2].first == 4 && tag_of(&frames.items[2]) == 4);
    cr_assert(frames.items[2].enqueued >= frames.items[1].enqueued, "a clock that goes back");
    cr_assert(hub_read(hub, 0, 5, 1 << 16, false, &arena, &frames, &err) == RF_OK);
    cr_assert(frames.count == 0);
    cr_assert(hub_read(hub, 0, 6, 1 << 16, true, &arena, &frames, &err) == RF_INVALID);
    cr_assert_str_eq(err.code, "OffsetOutOfRange");
    cr_assert(hub_read(hub, 2, 0, 1 << 16, true, &arena, &frames, &err) == RF_INVALID);
    cr_assert_str_eq(err.code, "PartitionOutOfRange");
    cr_assert(hub_read(hub, 0, 0, 1, false, &arena, &frames, &err) == RF_OK);
    cr_assert(frames.count == 1, "at least one");
    hub_unref(hub);
    rig_done(&rig);
}

Test(hub, is_the_same_after_a_restart)
{
    struct rig rig;
    rig_init(&rig, false);
    struct hub *hub = find_hub(&rig, "flow");
    for (uint64_t i = 0; i < 20; i++) must_send(hub, 1, i, 2, (int64_t)i * 2);
    struct hub_partition_info before = info_of(hub, 1), after;
    hub_unref(hub);
    restart(&rig);
    hub = find_hub(&rig, "flow");
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    struct log_frames frames;
    struct rf_err err;
    cr_assert(hub_read(hub, 1, 0, 1 << 16, false, &arena, &frames, &err) == RF_AGAIN);
    cr_assert_str_eq(err.code, "NotInMemory");
    after = info_of(hub, 1);
    cr_assert(after.begin == 0 && after.end == 40 && after.last_enqueued == before.last_enqueued);
    cr_assert(hub_read(hub, 1, 0, 1 << 16, false, &arena, &frames, &err) == RF_AGAIN);
    cr_assert(hub_read(hub, 1, 0, 1 << 16, true, &arena, &frames, &err) == RF_OK, "%s", err.text);
    cr_assert(frames.count == 20 && tag_of(&frames.items[19]) == 19);
    must_send(hub, 1, 77, 1, 40);
    cr_assert(hub_read(hub, 1, 40, 1 << 16, false, &arena, &frames, &err) == RF_OK);
    cr_assert(frames.count == 1 && tag_of(&frames.items[0]) == 77);
    int64_t number;
    cr_assert(hub_find_time(hub, 1, before.last_enqueued, &number, &err) == RF_OK);
    cr_assert(number == 38);
    cr_assert(hub_find_time(hub, 0, 1, &number, &err) == RF_OK && number == 0);
    hub_unref(hub);
    rig_done(&rig);
}

Test(hub, reads_what_left_the_cache_from_the_disk)
{
    struct rig rig;
    rig_init(&rig, true);
    rig.options.cache_bytes = 2000;
    restart(&rig);
    struct hub *hub = find_hub(&rig, "flow");
    for (uint64_t i = 0; i < 40; i++) must_send(hub, (uint32_t)i % 2, i, 1, (int64_t)i / 2);
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    struct log_frames frames;
    struct rf_err err;
    cr_assert(hub_read(hub, 0, 19, 1 << 16, false, &arena, &frames, &err) == RF_OK);
    cr_assert(frames.count == 1 && tag_of(&frames.items[0]) == 38);
    cr_assert(hub_read(hub, 0, 0, 1 << 16, false, &arena, &frames, &err) == RF_AGAIN);
    cr_assert(hub_read(hub, 0, 0, 1 << 16, true, &arena, &frames, &err) == RF_OK);
    cr_assert(frames.count == 20);
    cr_assert(rig.hubs->cache.bytes <= 2000);
    hub_unref(hub);
    rig_done(&rig);
}

Test(hub, grows_and_shows_its_settings)
{
    struct rig rig;
    rig_init(&rig, true);
    struct rf_err err;
    struct hub *hub = find_hub(&rig, "flow");
    struct hub_facts facts;
    uint64_t version = hubs_version(rig.hubs);
    must_send(hub, 1, 5, 1, 0);
    set_hub(&rig, "flow", "f10", 40);
    cr_assert(hubs_version(rig.hubs) > version);
    hub_facts(hub, &facts);
    cr_assert(facts.partition_count == 40 && rf_str_is(facts.name, "Flow"));
    must_send(hub, 39, 6, 1, 0);
    must_send(hub, 1, 7, 1, 1);
    for (uint32_t i = 0; i < 80; i++) cr_assert(hub_next_partition(hub) == i % 40);
    struct hub_settings settings = {.name = RF_S("flow"),
                                    .id = RF_S("f10"),
                                    .partition_count = 40,
                                    .status = HUB_SEND_DISABLED};
    cr_assert(hubs_set_hub(rig.space, &settings, &err) == RF_OK);
    cr_assert(send_one(hub, 1, 8, 1, NULL, NULL, &err) == RF_DENIED);
    cr_assert_str_eq(err.code, "EntityDisabled");
    settings.partition_count = 0;
    cr_assert(hubs_set_hub(rig.space, &settings, &err) == RF_INVALID);
    hub_unref(hub);
    rig_done(&rig);
}

/* ---- deletion --------------------------------------------------------------------------------------------------------- */

struct woken {
    struct hub_waiter waiter; /* first */
    atomic_int count;
};
static void note_woken(struct hub_waiter *waiter)
{
    (void)atomic_fetch_add(&((struct woken *)waiter)->count, 1);
}

Test(hub, deleted_and_made_again_begins_anew)
{
    struct rig rig;
    rig_init(&rig, true);
    struct hub *hub = find_hub(&rig, "flow");
    struct rf_err err;
    struct sent waiting;
    struct woken woken = {.waiter.woken = note_woken};
    must_send(hub, 0, 1, 3, 0);
    hub_wait(hub, 0, 3, &woken.waiter);
    make(&waiting, 2, 1, NULL);
    cr_assert(hub_append(hub, 0, &waiting.append, &err) == RF_OK);
    hubs_drop_hub(rig.space, RF_S("FLOW"));
    cr_assert(atomic_load(&woken.count) == 1);
    hubs_step(rig.hubs);
    cr_assert(atomic_load(&waiting.done_count) == 1);
    cr_assert(waiting.append.kind_of_end == RF_NOT_FOUND);
    sent_done(&waiting);
    cr_assert(send_one(hub, 0, 3, 1, NULL, NULL, &err) == RF_NOT_FOUND);
    cr_assert_str_eq(err.code, "HubNotFound");
    struct hub_facts facts;
    hub_facts(hub, &facts);
    cr_assert(facts.status == HUB_DELETED);
    struct hub *again;
    cr_assert(hub_find(rig.space, RF_S("flow"), &again, &err) == RF_NOT_FOUND);
    set_hub(&rig, "Flow", "f11", 1);
    again = find_hub(&rig, "flow");
    must_send(again, 0, 9, 1, 0);
    cr_assert(rf_fs_exists(rig.options.fs, "/hubs/f10"), "somebody holds it still");
    hub_unref(hub);
    hubs_step(rig.hubs);
    cr_assert(!rf_fs_exists(rig.options.fs, "/hubs/f10"));
    cr_assert(rf_fs_exists(rig.options.fs, "/hubs/f11"));
    hub_unref(again);
    rig_done(&rig);
}

struct sender {
    struct hub *hub;
    atomic_bool ends;
    uint32_t good, refused;
};
static void *send_until_gone(void *ctx)
{
    struct sender *s = ctx;
    struct rf_err err;
    while (s->refused == 0) {
        enum rf_kind kind = send_one(s->hub, s->good % 2, 1, 1, NULL, NULL, &err);
        if (kind == RF_OK)
            s->good++;
        else
            s->refused++;
        cr_assert(kind == RF_OK || kind == RF_NOT_FOUND, "%s", err.text);
    }
    return NULL;
}

Test(hub, may_be_deleted_under_load)
{
    struct rig rig;
    rig_init(&rig, false);
    pthread_t threads[4];
    struct sender senders[4];
    memset(senders, 0, sizeof senders);
    struct hub *hub = find_hub(&rig, "flow");
    for (int i = 0; i < 4; i++) {
        senders[i].hub = find_hub(&rig, "flow");
        cr_assert(pthread_create(&threads[i], NULL, send_until_gone, &senders[i]) == 0);
    }
    while (info_of(hub, 0).end < 50) (void)sched_yield();
    hubs_drop_hub(rig.space, RF_S("flow"));
    for (int i = 0; i < 4; i++) {
        cr_assert(pthread_join(threads[i], NULL) == 0);
        cr_assert(senders[i].refused == 1);
        hub_unref(senders[i].hub);
    }
    hub_unref(hub);
    rig_done(&rig);
}

static void touch(struct rig *rig, const char *path)
{
    struct rf_err err;
    struct rf_file *file;
    cr_assert(rf_fs_open(rig->options.fs, path, RF_OPEN_WRITE | RF_OPEN_CREATE, &file, &err) ==
              RF_OK);
    rf_file_close(file);
}

Test(hub, only_files_of_deleted_hubs_go_at_start)
{
    struct rig rig;
    rig_init(&rig, true);
    struct rf_err err;
    cr_assert(rf_fs_mkdirs(rig.options.fs, "/hubs/dead/0", &err) == RF_OK);
    cr_assert(rf_fs_mkdirs(rig.options.fs, "/hubs/unknown/0", &err) == RF_OK);
    touch(&rig, "/hubs/dead/gone");
    touch(&rig, "/hubs/dead/0/00000000000000000000.log");
    restart(&rig);
    cr_assert(!rf_fs_exists(rig.options.fs, "/hubs/dead"));
    cr_assert(rf_fs_exists(rig.options.fs, "/hubs/unknown/0"));
    rig_done(&rig);
}

Test(hub, a_spoiled_log_is_told_and_refused)
{
    struct rig rig;
    rig_init(&rig, true);
    struct hub *hub = find_hub(&rig, "flow");
    struct rf_err err;
    struct hub_partition_info info;
    must_send(hub, 0, 1, 1, 0);
    must_send(hub, 1, 1, 1, 0);
    hub_unref(hub);
    hubs_free(rig.hubs);
    cr_assert(rf_fs_fault_flip(rig.disk, "/hubs/f10/0/00000000000000000000.log", 3, 1));
    start(&rig);
    hub = find_hub(&rig, "flow");
    for (int i = 0; i < 2; i++) {
        cr_assert(hub_partition_info(hub, 0, &info, &err) == RF_CORRUPT, "%s", err.text);
        cr_assert(send_one(hub, 0, 2, 1, NULL, NULL, &err) == RF_CORRUPT, "%s", err.text);
    }
    must_send(hub, 1, 2, 1, 1);
    hub_unref(hub);
    rig_done(&rig);
}

/* ---- waiting and pressure --------------------------------------------------------------------------------------------- */

Test(hub, wakes_who_waits)
{
    struct rig rig;
    rig_init(&rig, true);
    struct hub *hub = find_hub(&rig, "flow");
    struct woken at_once = {.waiter.woken = note_woken}, one = at_once, ten = at_once,
                 gone = at_once, other = at_once;
    hub_wait(hub, 0, 0, &at_once.waiter);
    cr_assert(atomic_load(&at_once.count) == 1, "nobody knows yet what there is");
    must_send(hub, 0, 1, 1, 0);
    must_send(hub, 1, 1, 1, 0);
    hub_wait(hub, 0, 0, &at_once.waiter);
    cr_assert(atomic_load(&at_once.count) == 2);
    hub_wait(hub, 0, 1, &one.waiter);
    hub_wait(hub, 0, 10, &ten.waiter);
    hub_wait(hub, 0, 1, &gone.waiter);
    hub_wait(hub, 1, 1, &other.waiter);
    hub_unwait(&gone.waiter);
    hub_unwait(&gone.waiter);
    must_send(hub, 0, 2, 1, 1);
    cr_assert(atomic_load(&one.count) == 1 && atomic_load(&ten.count) == 0);
    cr_assert(atomic_load(&gone.count) == 0 && atomic_load(&other.count) == 0);
    must_send(hub, 0, 3, 9, 2);
    cr_assert(atomic_load(&one.count) == 1 && atomic_load(&ten.count) == 1);
    hub_unwait(&ten.waiter);
    hub_unwait(&other.waiter);
    hub_unref(hub);
    rig_done(&rig);
}

Test(hub, refuses_what_it_cannot_hold)
{
    struct rig rig;
    rig_init(&rig, true);
    struct sent sent[3];
    struct rf_err err;
    for (int i = 0; i < 3; i++) make(&sent[i], 1, 10, NULL);
    rig.options.pending_bytes = sent[0].append.len * 2;
    restart(&rig);
    struct hub *hub = find_hub(&rig, "flow");
    cr_assert(hub_append(hub, 0, &sent[0].append, &err) == RF_OK);
    cr_assert(hub_append(hub, 1, &sent[1].append, &err) == RF_OK);
    cr_assert(hub_append(hub, 0, &sent[2].append, &err) == RF_AGAIN);
    cr_assert_str_eq(err.code, "ServerBusy");
    hubs_step(rig.hubs);
    cr_assert(atomic_load(&sent[0].done_count) == 1 && atomic_load(&sent[1].done_count) == 1);
    cr_assert(hub_append(hub, 0, &sent[2].append, &err) == RF_OK);
    hubs_step(rig.hubs);
    cr_assert(sent[2].append.kind_of_end == RF_OK && sent[2].append.first == 10);
    for (int i = 0; i < 3; i++) sent_done(&sent[i]);
    hub_unref(hub);
    rig_done(&rig);
}

Test(hub, writes_what_waits_with_one_sync)
{
    struct rig rig;
    rig_init(&rig, true);
    struct sent sent[50];
    struct rf_err err;
    struct hub *hub = find_hub(&rig, "flow");
    must_send(hub, 0, 1, 1, 0); /* the files are there */
    uint64_t before = rf_fs_fault_syncs(rig.disk);
    for (int i = 0; i < 50; i++) {
        make(&sent[i], 1, 1, NULL);
        cr_assert(hub_append(hub, 0, &sent[i].append, &err) == RF_OK);
    }
    hub_writers_step(rig.hubs);
    for (int i = 0; i < 50; i++) {
        cr_assert(sent[i].append.first == i + 1 && sent[i].append.kind_of_end == RF_OK);
        sent_done(&sent[i]);
    }
    cr_assert(rf_fs_fault_syncs(rig.disk) == before + 1);
    struct hub_settings quick = {.name = RF_S("flow"), .id = RF_S("f10"), .partition_count = 2};
    cr_assert(hubs_set_hub(rig.space, &quick, &err) == RF_OK);
    must_send(hub, 0, 2, 1, 51);
    cr_assert(rf_fs_fault_syncs(rig.disk) == before + 1, "durability of the system's cache");
    hub_unref(hub);
    rig_done(&rig);
}

/* ---- registry --------------------------------------------------------------------------------------------------------- */

Test(hub, finds_namespaces_by_host)
{
    static const struct {
        const char *host, *name; /* NULL: none */
    } cases[] = {{"localhost", "Plant"},
                 {"127.0.0.1", "Plant"},
                 {"::1", "Plant"},
                 {"", "Plant"},
                 {"ringfort.localhost", "Plant"},
                 {"PLANT.ringfort.localhost", "Plant"},
                 {"other.ringfort.localhost", "other"},
                 {"none.ringfort.localhost", NULL},
                 {"plant.example.com", NULL}};
    struct rig rig;
    rig_init(&rig, true);
    struct rf_err err;
    struct hub_namespace *space;
    struct hub_namespace_settings other = {.name = RF_S("other"), .id = RF_S("/other")};
    cr_assert(hubs_set_namespace(rig.hubs, &other, NULL, &err) == RF_OK);
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        enum rf_kind kind = hubs_namespace(rig.hubs, rf_str_of(cases[i].host), &space, &err);
        cr_assert(kind == (cases[i].name == NULL ? RF_NOT_FOUND : RF_OK), "%s", cases[i].host);
        if (kind == RF_OK) cr_assert(rf_str_is(hub_namespace_name(space), cases[i].name));
    }
    hubs_drop_namespace(rig.hubs, RF_S("plant"));
    cr_assert(hubs_namespace(rig.hubs, RF_S("localhost"), &space, &err) == RF_OK);
    cr_assert(rf_str_is(hub_namespace_name(space), "other"));
    struct hub *hub;
    cr_assert(hub_find(rig.space, RF_S("flow"), &hub, &err) == RF_NOT_FOUND);
    rig_done(&rig);
}

Test(hub, knows_groups_rules_and_revoked_publishers)
{
    struct rig rig;
    rig_init(&rig, true);
    struct rf_err err;
    char path[] = "/tmp/hub_test.XXXXXX", file[64];
    cr_assert(mkdtemp(path) != NULL);
    (void)snprintf(file, sizeof file, "%s/state", path);
    struct state_options state_options = {.path = file};
    cr_assert(state_open(&state_options, &rig.state, &err) == RF_OK, "%s", err.text);
    rig.options.state = rig.state;
    restart(&rig);
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    struct hub *hub = find_hub(&rig, "flow");
    cr_assert(hub_has_group(hub, RF_S("$default")) && !hub_has_group(hub, RF_S("watch")));
    cr_assert(hubs_set_group(rig.space, RF_S("flow"), RF_S("Watch"), &err) == RF_OK);
    cr_assert(hubs_set_group(rig.space, RF_S("none"), RF_S("Watch"), &err) == RF_NOT_FOUND);
    rf_str *names;
    uint32_t count;
    cr_assert(hub_groups(hub, &arena, &names, &count, &err) == RF_OK && count == 2);
    cr_assert(rf_str_is(names[0], "$Default") && rf_str_is(names[1], "Watch"));
    hubs_drop_group(rig.space, RF_S("FLOW"), RF_S("wATCH"));
    cr_assert(!hub_has_group(hub, RF_S("watch")));

    struct hub_rule rule = {.name = RF_S("Root"), .primary = RF_S("one"), .rights = RIGHT_MANAGE},
                    found, again;
    cr_assert(hubs_set_rule(rig.space, RF_S(""), &rule, &err) == RF_OK);
    cr_assert(hubs_find_rule(rig.space, RF_S(""), RF_S("ROOT"), &arena, &found, &err) == RF_OK);
    cr_assert(rf_str_is(found.primary, "one") && found.rights == RIGHT_MANAGE);
    cr_assert(hubs_find_rule(rig.space, RF_S("flow"), RF_S("root"), &arena, &found, &err) ==
              RF_NOT_FOUND);
    cr_assert(hubs_set_rule(rig.space, RF_S(""), &rule, &err) == RF_OK);
    cr_assert(hubs_find_rule(rig.space, RF_S(""), RF_S("root"), &arena, &again, &err) == RF_OK);
    cr_assert(again.version == found.version, "nothing changed");
    rule.primary = RF_S("two");
    cr_assert(hubs_set_rule(rig.space, RF_S(""), &rule, &err) == RF_OK);
    cr_assert(hubs_find_rule(rig.space, RF_S(""), RF_S("root"), &arena, &again, &err) == RF_OK);
    cr_assert(again.version != found.version && rf_str_is(again.primary, "two"));
    hubs_drop_rule(rig.space, RF_S(""), RF_S("root"));
    cr_assert(hubs_find_rule(rig.space, RF_S(""), RF_S("root"), &arena, &again, &err) ==
              RF_NOT_FOUND);

    cr_assert(hub_revoke(hub, RF_S("Truck-7"), true, &err) == RF_OK, "%s", err.text);
    cr_assert(hub_revoke(hub, RF_S("Truck-8"), true, &err) == RF_OK);
    cr_assert(hub_revoke(hub, RF_S("truck-8"), false, &err) == RF_OK);
    hub_unref(hub);
    int64_t id, later;
    cr_assert(hub_new_producer(rig.space, &id, &err) == RF_OK, "%s", err.text);
    restart(&rig);
    hub = find_hub(&rig, "flow");
    cr_assert(hub_is_revoked(hub, RF_S("truck-7")) && !hub_is_revoked(hub, RF_S("truck-8")));
    cr_assert(hub_revoked(hub, &arena, &names, &count, &err) == RF_OK && count == 1);
    cr_assert(rf_str_is(names[0], "Truck-7"));
    cr_assert(hub_new_producer(rig.space, &later, &err) == RF_OK && later > id);
    hub_unref(hub);
    rig_done(&rig);
}

/* ---- retention -------------------------------------------------------------------------------------------------------- */

Test(hub, front_can_be_cut)
{
    struct rig rig;
    rig_init(&rig, true);
    struct hub *hub = find_hub(&rig, "flow");
    struct rf_err err;
    for (uint64_t i = 0; i < 10; i++) must_send(hub, 0, i, 1, (int64_t)i);
    cr_assert(hub_cut_front(hub, 0, 11, &err) == RF_INVALID);
    cr_assert(hub_cut_front(hub, 0, 4, &err) == RF_OK, "%s", err.text);
    cr_assert(info_of(hub, 0).begin == 4 && info_of(hub, 0).end == 10);
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    struct log_frames frames;
    cr_assert(hub_read(hub, 0, 3, 1 << 16, true, &arena, &frames, &err) == RF_INVALID);
    cr_assert(hub_read(hub, 0, 4, 1 << 16, false, &arena, &frames, &err) == RF_OK);
    cr_assert(frames.count == 6);
    hub_unref(hub);
    restart(&rig);
    hub = find_hub(&rig, "flow");
    cr_assert(info_of(hub, 0).begin == 4 && info_of(hub, 0).end == 10);
    hub_unref(hub);
    rig_done(&rig);
}

Test(hub, events_go_when_they_are_too_old)
{
    static const rf_usec day = INT64_C(24) * 3600 * RF_USEC_PER_SECOND;
    struct rig rig;
    rig_init(&rig, true);
    struct rf_err err;
    struct hub *hub = find_hub(&rig, "flow");
    for (int64_t i = 0; i < 6; i++) {
        must_send(hub, 0, 1, 1, i);
        rf_clock_fixed_pass(&rig.clock, day + 1);
    }
    struct hub_settings settings = {.name = RF_S("flow"),
                                    .id = RF_S("f10"),
                                    .partition_count = 2,
                                    .retention_usec = 3 * day,
                                    .durable = true};
    cr_assert(hubs_set_hub(rig.space, &settings, &err) == RF_OK);
    hubs_step(rig.hubs);
    struct hub_partition_info info = info_of(hub, 0);
    cr_assert(info.begin > 0 && info.begin <= 4 && info.end == 6, "%lld", (long long)info.begin);
    rf_clock_fixed_pass(&rig.clock, 30 * day);
    hubs_step(rig.hubs);
    must_send(hub, 0, 1, 1, 6);
    hub_unref(hub);
    rig_done(&rig);
}
