#include "kafka/group.h"
#include "test/rf_prop.h"

#include <stdio.h>

enum { MS = 1000, SESSION_MS = 10000, REBALANCE_MS = 60000, INITIAL_USEC = GROUP_INITIAL_MS * MS };

struct fixture {
    struct group *group;
    rf_usec now;
};

static void fixture_done(struct fixture *f)
{
    group_shut(f->group, KAFKA_COORDINATOR_NOT_AVAILABLE, f->now);
    (void)group_answered(f->group);
    group_free(f->group);
}
#define FIXTURE(name)                                                                              \
    RF_CLEANUP(fixture_done) struct fixture name = {.group = group_new(), .now = 1000000}

static const struct group_protocol range_only[] = {
    {{(const uint8_t *)"range", 5}, {(const uint8_t *)"m1", 2}}};
static const struct group_protocol range_changed[] = {
    {{(const uint8_t *)"range", 5}, {(const uint8_t *)"m2", 2}}};
static const struct group_protocol both[] = {
    {{(const uint8_t *)"sticky", 6}, {(const uint8_t *)"s", 1}},
    {{(const uint8_t *)"range", 5}, {(const uint8_t *)"r", 1}}};
static const struct group_protocol other[] = {
    {{(const uint8_t *)"other", 5}, {(const uint8_t *)"o", 1}}};

static struct group_join a_join(const char *new_id)
{
    return (struct group_join){.new_id = rf_str_of(new_id),
                               .client_id = RF_S("client"),
                               .client_host = RF_S("::1"),
                               .protocol_type = RF_S("consumer"),
                               .protocols = range_only,
                               .protocol_count = 1,
                               .session_ms = SESSION_MS,
                               .rebalance_ms = REBALANCE_MS};
}

static struct group_join again(const char *id)
{
    struct group_join join = a_join("unused");
    join.member_id = rf_str_of(id);
    return join;
}

static struct group_who who(const char *id, int32_t generation)
{
    return (struct group_who){.member_id = rf_str_of(id), .generation = generation};
}

static void pass(struct fixture *f, int64_t usec)
{
    f->now += usec;
    group_tick(f->group, f->now);
}

static void sync_all(struct fixture *f, const char *leader, const char *const *ids, uint32_t count,
                     int32_t generation)
{
    struct group_wait waits[8];
    struct group_assignment assignments[8];
    for (uint32_t i = 0; i < count; i++)
        assignments[i] = (struct group_assignment){rf_str_of(ids[i]), rf_str_of(ids[i])};
    for (uint32_t i = 0; i < count; i++) {
        struct group_who me = who(ids[i], generation);
        bool leads = strcmp(ids[i], leader) == 0;
        group_sync(f->group, &me, assignments, leads ? count : 0, &waits[i], f->now);
    }
    for (uint32_t i = 0; i < count; i++) {
        cr_assert(waits[i].is_answered && waits[i].error == KAFKA_NONE);
        cr_assert(rf_str_is(waits[i].assignment, ids[i]));
    }
    (void)group_answered(f->group);
    cr_assert(group_view(f->group).state == GROUP_STABLE);
}

/* "a" leads, "b" follows, generation 1, stable. */
static void two_members(struct fixture *f)
{
    struct group_wait a, b;
    struct group_join join_a = a_join("a"), join_b = a_join("b");
    group_join(f->group, &join_a, &a, f->now);
    group_join(f->group, &join_b, &b, f->now);
    cr_assert(!a.is_answered && !b.is_answered, "an empty group waits for more");
    pass(f, INITIAL_USEC);
    cr_assert(a.is_answered && a.error == KAFKA_NONE && a.is_leader && a.generation == 1);
    cr_assert(b.is_answered && b.error == KAFKA_NONE && !b.is_leader);
    cr_assert(rf_str_is(b.leader, "a") && rf_str_is(b.member_id, "b"));
    cr_assert(rf_str_is(b.protocol, "range"));
    (void)group_answered(f->group);
    sync_all(f, "a", (const char *const[]){"b", "a"}, 2, 1);
}

Test(kafka_group, joins_syncs_and_is_stable)
{
    FIXTURE(f);
    cr_assert_str_eq(group_state_name(group_view(f.group).state), "Empty");
    two_members(&f);
    struct group_view view = group_view(f.group);
    cr_assert(view.member_count == 2 && rf_str_is(view.leader, "a"));
    struct group_member_view b = group_member_at(f.group, 1);
    cr_assert(rf_str_is(b.metadata, "m1") && rf_str_is(b.assignment, "b") && !b.is_leader);
    struct group_who a = who("a", 1);
    cr_assert(group_heartbeat(f.group, &a, f.now) == KAFKA_NONE);
}

Test(kafka_group, refuses_joins_that_do_not_fit)
{
    static const struct {
        const char *what;
        int64_t session_ms;
        const char *type, *id;
        const struct group_protocol *protocols;
        uint32_t count;
        enum kafka_error error;
    } rows[] = {
        {"short session", 5999, "consumer", "", range_only, 1, KAFKA_INVALID_SESSION_TIMEOUT},
        {"long session", 300001, "consumer", "", range_only, 1, KAFKA_INVALID_SESSION_TIMEOUT},
        {"no protocols", 6000, "consumer", "", range_only, 0, KAFKA_INCONSISTENT_GROUP_PROTOCOL},
        {"no type", 6000, "", "", range_only, 1, KAFKA_INCONSISTENT_GROUP_PROTOCOL},
        {"other type", 6000, "connect", "", range_only, 1, KAFKA_INCONSISTENT_GROUP_PROTOCOL},
        {"none in common", 6000, "consumer", "", other, 1, KAFKA_INCONSISTENT_GROUP_PROTOCOL},
        {"unknown id", 300000, "consumer", "zz", range_only, 1, KAFKA_UNKNOWN_MEMBER_ID},
    };
    FIXTURE(f);
    two_members(&f);
    for (size_t i = 0; i < RF_COUNT(rows); i++) {
        struct group_wait wait;
        struct group_join join = a_join("n");
        join.session_ms = rows[i].session_ms;
        join.protocol_type = rf_str_of(rows[i].type);
        join.member_id = rf_str_of(rows[i].id);
        join.protocols = rows[i].protocols;
        join.protocol_count = rows[i].count;
        group_join(f.group, &join, &wait, f.now);
        cr_assert(wait.is_answered && wait.error == rows[i].error, "%s: %d", rows[i].what,
                  wait.error);
        (void)group_answered(f.group);
        cr_assert(group_view(f.group).state == GROUP_STABLE, "%s", rows[i].what);
    }
}

Test(kafka_group, members_memory_is_bounded_and_given_back)
{
    FIXTURE(f);
    struct rf_budget memory;
    struct group_wait a, b;
    uint8_t large[4000] = {0};
    struct group_protocol protocol = {RF_S("range"), rf_str_make(large, sizeof large)};
    struct group_join first = a_join("a"), second = a_join("b");
    rf_budget_init(&memory, 6000);
    group_limit(f.group, &memory);
    first.protocols = second.protocols = &protocol;
    first.protocol_count = second.protocol_count = 1;
    group_join(f.group, &first, &a, f.now);
    cr_assert(!a.is_answered && atomic_load(&memory.used_bytes) > sizeof large);
    group_join(f.group, &second, &b, f.now);
    cr_assert(b.is_answered && b.error == KAFKA_COORDINATOR_NOT_AVAILABLE);
    group_shut(f.group, KAFKA_COORDINATOR_NOT_AVAILABLE, f.now);
    (void)group_answered(f.group);
    cr_assert(atomic_load(&memory.used_bytes) == 0);
}

Test(kafka_group, heartbeats_and_commits_tell_what_is_wrong)
{
    FIXTURE(f);
    struct group_who a = who("a", 1), stale = who("a", 0), unknown = who("x", 1),
                     alone = who("", -1);
    cr_assert(group_may_commit(f.group, &alone, f.now) == KAFKA_NONE, "an empty group: anybody");
    two_members(&f);
    cr_assert(group_heartbeat(f.group, &stale, f.now) == KAFKA_ILLEGAL_GENERATION);
    cr_assert(group_heartbeat(f.group, &unknown, f.now) == KAFKA_UNKNOWN_MEMBER_ID);
    cr_assert(group_may_commit(f.group, &a, f.now) == KAFKA_NONE);
    cr_assert(group_may_commit(f.group, &stale, f.now) == KAFKA_ILLEGAL_GENERATION);
    cr_assert(group_may_commit(f.group, &unknown, f.now) == KAFKA_UNKNOWN_MEMBER_ID);
    cr_assert(group_may_commit(f.group, &alone, f.now) == KAFKA_UNKNOWN_MEMBER_ID);
    struct group_wait c, sync, join_a, join_b;
    struct group_join third = a_join("c"), rejoin_a = again("a"), rejoin_b = again("b");
    group_join(f.group, &third, &c, f.now);
    cr_assert(group_heartbeat(f.group, &a, f.now) == KAFKA_REBALANCE_IN_PROGRESS);
    cr_assert(group_may_commit(f.group, &a, f.now) == KAFKA_REBALANCE_IN_PROGRESS);
    group_sync(f.group, &a, NULL, 0, &sync, f.now);
    cr_assert(sync.error == KAFKA_REBALANCE_IN_PROGRESS);
    group_join(f.group, &rejoin_a, &join_a, f.now);
    cr_assert(!c.is_answered && !join_a.is_answered, "b has not joined again");
    group_join(f.group, &rejoin_b, &join_b, f.now);
    cr_assert(c.is_answered && join_a.is_answered && join_b.is_answered && join_a.is_leader);
    cr_assert(join_a.generation == 2);
    struct group_who now = who("a", 2);
    cr_assert(group_may_commit(f.group, &now, f.now) == KAFKA_REBALANCE_IN_PROGRESS);
    cr_assert(group_heartbeat(f.group, &now, f.now) == KAFKA_NONE);
    group_sync(f.group, &a, NULL, 0, &sync, f.now);
    cr_assert(sync.error == KAFKA_ILLEGAL_GENERATION);
    group_sync(f.group, &unknown, NULL, 0, &sync, f.now);
    cr_assert(sync.error == KAFKA_UNKNOWN_MEMBER_ID);
}

Test(kafka_group, those_who_do_not_come_back_are_left_behind)
{
    FIXTURE(f);
    two_members(&f);
    struct group_wait c, a;
    struct group_join third = a_join("c"), rejoin = again("a");
    group_join(f.group, &third, &c, f.now);
    group_join(f.group, &rejoin, &a, f.now);
    for (int i = 0; i < 6; i++) { /* b says that it lives and never joins */
        struct group_who b = who("b", 1);
        cr_assert(!c.is_answered);
        cr_assert(group_heartbeat(f.group, &b, f.now) == KAFKA_REBALANCE_IN_PROGRESS);
        pass(&f, 9999 * MS);
    }
    pass(&f, 10 * MS);
    cr_assert(c.is_answered && a.is_answered && a.error == KAFKA_NONE);
    cr_assert(group_view(f.group).member_count == 2 && group_view(f.group).generation == 2);
}

Test(kafka_group, silence_and_leaving_start_rebalances)
{
    FIXTURE(f);
    two_members(&f);
    struct group_who a = who("a", 1), b = who("b", 1);
    pass(&f, 9000 * MS);
    cr_assert(group_heartbeat(f.group, &b, f.now) == KAFKA_NONE);
    cr_assert(group_due(f.group) == f.now + 1000 * MS);
    pass(&f, 1000 * MS);
    cr_assert(group_heartbeat(f.group, &a, f.now) == KAFKA_UNKNOWN_MEMBER_ID);
    cr_assert(group_heartbeat(f.group, &b, f.now) == KAFKA_REBALANCE_IN_PROGRESS);
    struct group_wait wait;
    struct group_join rejoin = again("b");
    group_join(f.group, &rejoin, &wait, f.now);
    cr_assert(wait.is_answered && wait.is_leader, "it is the only one, and leads now");
    (void)group_answered(f.group);
    cr_assert(group_leave(f.group, &a, f.now) == KAFKA_UNKNOWN_MEMBER_ID);
    cr_assert(group_leave(f.group, &b, f.now) == KAFKA_NONE);
    cr_assert(group_view(f.group).state == GROUP_EMPTY && group_view(f.group).generation == 3);
    cr_assert(group_is_idle(f.group) && group_due(f.group) == INT64_MAX);
}

Test(kafka_group, the_first_protocol_of_the_leader_that_all_support)
{
    FIXTURE(f);
    struct group_wait a, b;
    struct group_join join_a = a_join("a"), join_b = a_join("b");
    join_a.protocols = both;
    join_a.protocol_count = 2;
    group_join(f.group, &join_a, &a, f.now);
    group_join(f.group, &join_b, &b, f.now);
    pass(&f, INITIAL_USEC);
    cr_assert(rf_str_is(a.protocol, "range") && rf_str_is(b.protocol, "range"));
    cr_assert(rf_str_is(group_member_at(f.group, 0).metadata, "r"));
}

Test(kafka_group, a_new_member_comes_back_with_its_id)
{
    FIXTURE(f);
    struct group_wait wait;
    struct group_join join = a_join("given"), back = again("given");
    join.must_return = true;
    group_join(f.group, &join, &wait, f.now);
    cr_assert(wait.error == KAFKA_MEMBER_ID_REQUIRED && rf_str_is(wait.member_id, "given"));
    cr_assert(group_view(f.group).member_count == 0 && !group_is_idle(f.group));
    (void)group_answered(f.group);
    group_join(f.group, &back, &wait, f.now);
    pass(&f, INITIAL_USEC);
    cr_assert(wait.error == KAFKA_NONE && wait.is_leader);
    (void)group_answered(f.group);
    struct group_join late = a_join("late"), late_back = again("late");
    late.must_return = true;
    group_join(f.group, &late, &wait, f.now);
    pass(&f, SESSION_MS * MS);
    group_join(f.group, &late_back, &wait, f.now);
    cr_assert(wait.error == KAFKA_UNKNOWN_MEMBER_ID, "an id is not kept for ever");
}

Test(kafka_group, static_members_come_back_unnoticed)
{
    FIXTURE(f);
    struct group_wait a, b, old, wait;
    struct group_join join_a = a_join("a"), join_b = a_join("b1");
    join_b.instance_id = RF_S("host-b");
    group_join(f.group, &join_a, &a, f.now);
    group_join(f.group, &join_b, &b, f.now);
    pass(&f, INITIAL_USEC);
    (void)group_answered(f.group);
    sync_all(&f, "a", (const char *const[]){"a", "b1"}, 2, 1);
    struct group_join restart = join_b;
    restart.new_id = RF_S("b2");
    group_join(f.group, &restart, &wait, f.now);
    cr_assert(wait.is_answered && wait.error == KAFKA_NONE && wait.generation == 1);
    cr_assert(rf_str_is(wait.member_id, "b2") && group_view(f.group).state == GROUP_STABLE);
    (void)group_answered(f.group);
    struct group_who now = {
        .member_id = RF_S("b2"), .instance_id = RF_S("host-b"), .generation = 1};
    struct group_who before = {
        .member_id = RF_S("b1"), .instance_id = RF_S("host-b"), .generation = 1};
    group_sync(f.group, &now, NULL, 0, &wait, f.now);
    cr_assert(wait.error == KAFKA_NONE && rf_str_is(wait.assignment, "b1"), "what it had");
    cr_assert(group_heartbeat(f.group, &before, f.now) == KAFKA_FENCED_INSTANCE_ID);
    cr_assert(group_may_commit(f.group, &before, f.now) == KAFKA_FENCED_INSTANCE_ID);
    cr_assert(group_leave(f.group, &before, f.now) == KAFKA_FENCED_INSTANCE_ID);
    group_sync(f.group, &before, NULL, 0, &wait, f.now);
    cr_assert(wait.error == KAFKA_FENCED_INSTANCE_ID);
    restart.new_id = RF_S("b3");
    restart.protocols = range_changed;
    group_join(f.group, &restart, &old, f.now);
    cr_assert(!old.is_answered && group_view(f.group).state == GROUP_PREPARING, "it wants others");
    (void)group_answered(f.group);
    restart.new_id = RF_S("b4");
    group_join(f.group, &restart, &wait, f.now);
    cr_assert(old.is_answered && old.error == KAFKA_FENCED_INSTANCE_ID && !wait.is_answered);
    struct group_who by_name = {.instance_id = RF_S("host-b")};
    cr_assert(group_leave(f.group, &by_name, f.now) == KAFKA_NONE);
    cr_assert(wait.is_answered && wait.error == KAFKA_UNKNOWN_MEMBER_ID);
}

Test(kafka_group, a_static_leader_that_restarts_is_not_asked_to_assign)
{
    FIXTURE(f);
    struct group_wait wait;
    struct group_join join = a_join("s1");
    join.instance_id = RF_S("i");
    group_join(f.group, &join, &wait, f.now);
    pass(&f, INITIAL_USEC);
    (void)group_answered(f.group);
    sync_all(&f, "s1", (const char *const[]){"s1"}, 1, 1);
    join.new_id = RF_S("s2");
    group_join(f.group, &join, &wait, f.now);
    cr_assert(wait.is_answered && !wait.is_leader && rf_str_is(wait.leader, "s1"));
    cr_assert(rf_str_is(group_view(f.group).leader, "s2"));
}

Test(kafka_group, a_static_member_is_waited_for_and_kept_until_its_session_ends)
{
    FIXTURE(f);
    struct group_wait a, b, c;
    struct group_join join_a = a_join("a"), join_b = a_join("b"), rejoin = again("a");
    join_a.rebalance_ms = join_b.rebalance_ms = rejoin.rebalance_ms = 7000;
    join_b.instance_id = RF_S("i");
    group_join(f.group, &join_a, &a, f.now);
    group_join(f.group, &join_b, &b, f.now);
    pass(&f, INITIAL_USEC);
    (void)group_answered(f.group);
    sync_all(&f, "a", (const char *const[]){"a", "b"}, 2, 1);
    rejoin.protocols = range_changed;
    group_join(f.group, &rejoin, &c, f.now);
    pass(&f, 7000 * MS);
    cr_assert(c.is_answered && c.error == KAFKA_NONE && group_view(f.group).member_count == 2);
    pass(&f, 3000 * MS);
    cr_assert(group_view(f.group).member_count == 1);
}

Test(kafka_group, a_leader_that_never_assigns_is_left_behind)
{
    FIXTURE(f);
    struct group_wait a, b, sync;
    struct group_join join_a = a_join("a"), join_b = a_join("b");
    struct group_who leader = who("a", 1), follower = who("b", 1);
    group_join(f.group, &join_a, &a, f.now);
    group_join(f.group, &join_b, &b, f.now);
    pass(&f, INITIAL_USEC);
    (void)group_answered(f.group);
    group_sync(f.group, &follower, NULL, 0, &sync, f.now);
    for (int i = 0; i < 7; i++) {
        cr_assert(!sync.is_answered);
        cr_assert(group_heartbeat(f.group, &leader, f.now) == KAFKA_NONE);
        pass(&f, i < 6 ? 9999 * MS : 10 * MS);
    }
    cr_assert(sync.is_answered && sync.error == KAFKA_REBALANCE_IN_PROGRESS);
    cr_assert(group_heartbeat(f.group, &leader, f.now) == KAFKA_UNKNOWN_MEMBER_ID);
}

Test(kafka_group, who_lost_its_answer_gets_it_again)
{
    FIXTURE(f);
    two_members(&f);
    struct group_wait wait;
    struct group_join follower = again("b"), leader = again("a");
    group_join(f.group, &follower, &wait, f.now);
    cr_assert(wait.is_answered && wait.generation == 1 && !wait.is_leader);
    (void)group_answered(f.group);
    group_join(f.group, &leader, &wait, f.now);
    cr_assert(!wait.is_answered, "a leader that joins again wants to assign anew");
    struct group_wait second;
    group_join(f.group, &leader, &second, f.now);
    cr_assert(wait.is_answered && wait.error == KAFKA_REBALANCE_IN_PROGRESS && !second.is_answered);
}

Test(kafka_group, connections_that_go_take_nameless_members_with_them)
{
    FIXTURE(f);
    struct group_wait a, b;
    struct group_join join_a = a_join("a"), join_b = a_join("c");
    group_join(f.group, &join_a, &a, f.now);
    cr_assert(group_cancel(f.group, &a, f.now), "nobody knows its id");
    cr_assert(group_view(f.group).state == GROUP_EMPTY);
    FIXTURE(g);
    two_members(&g);
    struct group_join rejoin = again("a");
    rejoin.protocols = range_changed;
    group_join(g.group, &rejoin, &a, g.now);
    cr_assert(group_cancel(g.group, &a, g.now));
    cr_assert(group_view(g.group).member_count == 2, "it may come back within its session");
    group_join(g.group, &join_b, &b, g.now);
    group_shut(g.group, KAFKA_COORDINATOR_NOT_AVAILABLE, g.now);
    cr_assert(b.is_answered && b.error == KAFKA_COORDINATOR_NOT_AVAILABLE);
    cr_assert(!group_cancel(g.group, &b, g.now));
}

Test(kafka_group, has_limits)
{
    FIXTURE(f);
    static char ids[GROUP_MEMBERS_MAX + 1][16];
    static struct group_wait waits[GROUP_MEMBERS_MAX + 1];
    for (uint32_t i = 0; i <= GROUP_MEMBERS_MAX; i++) {
        (void)snprintf(ids[i], sizeof ids[i], "m%u", i);
        struct group_join join = a_join(ids[i]);
        group_join(f.group, &join, &waits[i], f.now);
    }
    cr_assert(waits[GROUP_MEMBERS_MAX].error == KAFKA_GROUP_MAX_SIZE_REACHED);
    (void)group_answered(f.group);
    struct group_wait wait;
    struct group_join huge = a_join("huge");
    struct group_protocol protocol = {RF_S("range"),
                                      {(const uint8_t *)ids, GROUP_MEMBER_BYTES_MAX + 1}};
    huge.protocols = &protocol; /* refused for its length, before a byte is read */
    group_join(f.group, &huge, &wait, f.now);
    cr_assert(wait.error == KAFKA_INVALID_REQUEST);
}

/* ---- property ---------------------------------------------------------------------------------------------------------- */

enum {
    CLIENTS = 6,
    ZOMBIES = 300,
    ID_BYTES = 24
}; /* who was killed stays until its session ends */

/* A consumer as it behaves, and as it misbehaves. */
struct client {
    bool is_static, returns, is_busy, is_alive;
    char id[ID_BYTES], new_id[ID_BYTES], instance[ID_BYTES];
    int32_t generation;
    bool is_joined, leads, is_synced;
    struct group_wait wait;
};

struct world {
    struct fixture f;
    struct client clients[CLIENTS];
    uint32_t ids, asked, answered, cancelled;
    int32_t generation; /* the last that was seen */
    int32_t leader_of;  /* the generation whose leader is known */
    char leader[ID_BYTES];
    uint32_t assigned_of[CLIENTS]; /* what each got in its generation */
};

static struct client *client_of(struct world *w, const struct group_wait *wait)
{
    for (uint32_t i = 0; i < CLIENTS; i++)
        if (&w->clients[i].wait == wait) return &w->clients[i];
    cr_assert_fail("an answer to nobody");
    return NULL;
}

static void copy_id(char out[ID_BYTES], rf_str id)
{
    cr_assert(id.len < ID_BYTES);
    memcpy(out, id.ptr, id.len);
    out[id.len] = 0;
}

static void on_joined(struct world *w, struct client *c)
{
    const struct group_wait *wait = &c->wait;
    cr_assert(wait->generation >= w->generation, "generations grow");
    w->generation = wait->generation;
    copy_id(c->id, wait->member_id);
    c->generation = wait->generation;
    c->is_joined = true;
    c->is_synced = false;
    c->leads = wait->is_leader;
    if (!wait->is_leader) return;
    cr_assert(w->leader_of != wait->generation || strcmp(w->leader, c->id) == 0,
              "one leader in a generation");
    w->leader_of = wait->generation;
    copy_id(w->leader, wait->member_id);
}

static void on_synced(struct world *w, struct client *c)
{
    char wanted[ID_BYTES * 2];
    (void)snprintf(wanted, sizeof wanted, "%d", c->generation);
    (void)w;
    cr_assert(c->wait.assignment.len == 0 || rf_str_starts(c->wait.assignment, rf_str_of(wanted)),
              "an assignment of its generation");
    c->is_synced = true;
}

static void take_answers(struct world *w)
{
    struct group_wait *next, *wait = group_answered(w->f.group);
    for (; wait != NULL; wait = next) {
        next = wait->next;
        struct client *c = client_of(w, wait);
        cr_assert(c->is_busy, "answered twice");
        c->is_busy = false;
        w->answered++;
        if (wait->error == KAFKA_MEMBER_ID_REQUIRED) {
            copy_id(c->id, wait->member_id);
        } else if (wait->error != KAFKA_NONE) {
            c->is_joined = false;
            if (wait->error != KAFKA_REBALANCE_IN_PROGRESS) c->id[0] = 0;
        } else if (wait->is_sync) {
            on_synced(w, c);
        } else {
            on_joined(w, c);
        }
    }
}

static void step_join(struct world *w, struct client *c, bool changes)
{
    struct group_join join = a_join("");
    (void)snprintf(c->new_id, sizeof c->new_id, "m%u", w->ids++);
    join.new_id = rf_str_of(c->new_id);
    join.member_id = rf_str_of(c->id);
    join.must_return = c->returns;
    if (c->is_static) join.instance_id = rf_str_of(c->instance);
    if (changes) join.protocols = range_changed;
    c->is_busy = true;
    w->asked++;
    group_join(w->f.group, &join, &c->wait, w->f.now);
}

static void step_sync(struct world *w, struct client *c)
{
    static struct group_assignment items[ZOMBIES];
    static char texts[ZOMBIES][ID_BYTES * 2];
    uint32_t count = 0;
    struct group_who me = {.member_id = rf_str_of(c->id), .generation = c->generation};
    if (c->is_static) me.instance_id = rf_str_of(c->instance);
    for (uint32_t i = 0; c->leads && i < group_view(w->f.group).member_count; i++) {
        rf_str id = group_member_at(w->f.group, i).id;
        cr_assert(i < ZOMBIES);
        (void)snprintf(texts[i], sizeof texts[i], "%d:%.*s", c->generation, RF_FMT(id));
        items[count++] = (struct group_assignment){id, rf_str_of(texts[i])};
    }
    c->is_busy = true;
    w->asked++;
    group_sync(w->f.group, &me, items, count, &c->wait, w->f.now);
}

static void step_beat(struct world *w, struct client *c)
{
    struct group_who me = {.member_id = rf_str_of(c->id), .generation = c->generation};
    if (c->is_static) me.instance_id = rf_str_of(c->instance);
    enum kafka_error error = group_heartbeat(w->f.group, &me, w->f.now);
    if (error != KAFKA_NONE) c->is_joined = false;
    if (error != KAFKA_NONE && error != KAFKA_REBALANCE_IN_PROGRESS) c->id[0] = 0;
}

static void step_leave(struct world *w, struct client *c)
{
    struct group_who me = {.member_id = rf_str_of(c->id)};
    (void)group_leave(w->f.group, &me, w->f.now);
    c->is_joined = false;
    c->id[0] = 0;
}

/* Its process is killed: its connection goes, and what it knew. */
static void step_restart(struct world *w, struct client *c)
{
    if (c->is_busy && group_cancel(w->f.group, &c->wait, w->f.now)) {
        c->is_busy = false;
        w->cancelled++;
    }
    take_answers(w);
    c->id[0] = 0;
    c->is_joined = false;
}

static void check(struct world *w)
{
    struct group_view view = group_view(w->f.group);
    uint32_t waiting = 0, leaders = 0;
    for (uint32_t i = 0; i < CLIENTS; i++) waiting += w->clients[i].is_busy;
    cr_assert(w->asked == w->answered + w->cancelled + waiting, "no answer is lost");
    cr_assert((view.state == GROUP_EMPTY) == (view.member_count == 0));
    cr_assert(view.generation >= w->generation);
    for (uint32_t i = 0; i < view.member_count; i++) {
        struct group_member_view member = group_member_at(w->f.group, i);
        leaders += member.is_leader;
        for (uint32_t k = 0; k < i; k++)
            cr_assert(!rf_str_eq(group_member_at(w->f.group, k).id, member.id));
    }
    cr_assert(leaders <= 1 && (view.state < GROUP_COMPLETING || leaders == 1));
    rf_usec due = group_due(w->f.group);
    cr_assert(due > w->f.now, "what is due was done");
    cr_assert(waiting == 0 || due != INT64_MAX, "who waits is waited for with an end");
}

static void step(struct world *w, struct rf_prng *prng)
{
    struct client *c = &w->clients[rf_test_below(prng, CLIENTS)];
    uint64_t kind = rf_test_below(prng, 20);
    if (kind == 0) {
        step_restart(w, c);
    } else if (kind < 4) {
        w->f.now += rf_test_between(prng, 1, rf_test_one_in(prng, 4) ? 30000000 : 400000);
    } else if (!c->is_busy && kind == 4 && c->id[0] != 0) {
        step_leave(w, c);
    } else if (!c->is_busy && !c->is_joined) {
        step_join(w, c, rf_test_one_in(prng, 4));
    } else if (!c->is_busy && c->is_joined && !c->is_synced) {
        step_sync(w, c);
    } else if (!c->is_busy) {
        step_beat(w, c);
    }
    take_answers(w);
    group_tick(w->f.group, w->f.now);
    take_answers(w);
    check(w);
}

/* Left alone, with every client behaving well, the group becomes stable with all of them, and each has just what is its own. */
static void settle_down(struct world *w)
{
    for (uint32_t round = 0; round < 400; round++) {
        for (uint32_t i = 0; i < CLIENTS; i++) {
            struct client *c = &w->clients[i];
            if (c->is_busy) continue;
            if (!c->is_joined)
                step_join(w, c, false);
            else if (!c->is_synced)
                step_sync(w, c);
            else
                step_beat(w, c);
            take_answers(w);
        }
        w->f.now += 1000000;
        group_tick(w->f.group, w->f.now);
        take_answers(w);
        check(w);
    }
    struct group_view view = group_view(w->f.group);
    cr_assert(view.state == GROUP_STABLE && view.member_count == CLIENTS);
    for (uint32_t i = 0; i < CLIENTS; i++) {
        struct group_member_view member = group_member_at(w->f.group, i);
        cr_assert(member.assignment.len > 0, "everybody has an assignment");
        rf_str owner = rf_slice(member.assignment, rf_str_find(member.assignment, RF_S(":"), 0) + 1,
                                member.assignment.len);
        cr_assert(rf_str_eq(owner, member.id) || member.instance_id.ptr != NULL, "and its own");
    }
    for (uint32_t i = 0; i < CLIENTS; i++)
        cr_assert(w->clients[i].generation == view.generation && w->clients[i].is_synced);
}

RF_PROP(kafka_group_keeps_its_promises, 600)
{
    static struct world w; /* clients hold what answers point into */
    w = (struct world){.f = {.group = group_new(), .now = 1000000}, .leader_of = -1};
    for (uint32_t i = 0; i < CLIENTS; i++) {
        w.clients[i].is_static = i % 3 == 0;
        w.clients[i].returns = rf_test_bool(prng);
        (void)snprintf(w.clients[i].instance, ID_BYTES, "i%u", i);
    }
    for (uint32_t i = 0; i < prng->size * 6; i++) step(&w, prng);
    settle_down(&w);
    fixture_done(&w.f);
}
