#include "test/rf_prop.h"

#include <pthread.h>
#include <stdio.h>

#include "kafka/groups_int.h"

struct fixture {
    char folder[64], path[96];
    struct kafka kafka;
    struct kafka_groups groups;
    struct rf_arena arena;
};

static void open_state(struct fixture *f)
{
    struct rf_err err;
    struct state_options options = {.path = f->path, .clock = rf_clock_real()};
    cr_assert(state_open(&options, &f->kafka.state, &err) == RF_OK, "%s", err.text);
}

static void fixture_init(struct fixture *f)
{
    struct rf_err err;
    *f = (struct fixture){.folder = "/tmp/ringfort_offsets_XXXXXX"};
    cr_assert(mkdtemp(f->folder) != NULL);
    (void)snprintf(f->path, sizeof f->path, "%s/state.db", f->folder);
    f->kafka.clock = rf_clock_real();
    f->groups.kafka = &f->kafka;
    rf_arena_init(&f->arena, 64u << 20);
    open_state(f);
    cr_assert(offsets_start(&f->groups, &err) == RF_OK);
}

static void fixture_done(struct fixture *f)
{
    static const char *const names[] = {"", "-wal", "-shm"};
    offsets_stop(&f->groups);
    state_close(f->kafka.state);
    rf_arena_done(&f->arena);
    for (size_t i = 0; i < RF_COUNT(names); i++) {
        char path[128];
        (void)snprintf(path, sizeof path, "%s%s", f->path, names[i]);
        (void)unlink(path);
    }
    (void)rmdir(f->folder);
}
#define FIXTURE(name)                                                                              \
    RF_CLEANUP(fixture_done) struct fixture name;                                                  \
    fixture_init(&name)

static struct offset_entry an_entry(rf_str hub_id, uint32_t partition, int64_t offset)
{
    return (struct offset_entry){.topic = RF_S("Hub"),
                                 .hub_id = hub_id,
                                 .metadata = RF_S("note \"x\"\n"),
                                 .partition = partition,
                                 .epoch = 0,
                                 .offset = offset};
}

static void commit(struct fixture *f, rf_str group, const struct offset_entry *entries,
                   uint32_t count)
{
    struct rf_err err;
    struct offset_commit wanted = {
        .space = RF_S("ns"), .group = group, .entries = entries, .count = count};
    cr_assert(offsets_commit_wait(&f->groups, &wanted, &err) == RF_OK, "%s", err.text);
}

static uint32_t read_group(struct fixture *f, rf_str group, struct offset_row **rows)
{
    struct rf_err err;
    uint32_t count;
    cr_assert(offsets_read(&f->groups, RF_S("ns"), group, &f->arena, rows, &count, &err) == RF_OK,
              "%s", err.text);
    return count;
}

Test(kafka_offsets, survive_the_program)
{
    FIXTURE(f);
    struct offset_row *rows;
    struct offset_entry entries[] = {an_entry(RF_S("id-1"), 0, 7), an_entry(RF_S("id-1"), 12, 0),
                                     an_entry(RF_S("id-0"), 3, INT64_MAX)};
    commit(&f, RF_S("g"), entries, 3);
    entries[0].offset = 8;
    commit(&f, RF_S("g"), entries, 1);
    offsets_stop(&f.groups);
    state_close(f.kafka.state);
    open_state(&f);
    cr_assert(read_group(&f, RF_S("g"), &rows) == 3);
    cr_assert(rf_str_is(rows[0].hub_id, "id-0") && rows[0].offset == INT64_MAX);
    cr_assert(rows[1].partition == 0 && rows[1].offset == 8 && rows[1].epoch == 0);
    cr_assert(rows[2].partition == 12 && rows[2].offset == 0);
    cr_assert(rf_str_is(rows[1].topic, "Hub") && rf_str_is(rows[1].metadata, "note \"x\"\n"));
    cr_assert(rows[1].committed > 0 && rf_str_is(rows[1].group, "g"));
}

/* Names of groups are any text; none reaches into another's keys. */
Test(kafka_offsets, groups_do_not_mix)
{
    static const char *const names[] = {"g", "g\n", "g\nid-1", "g%0A", "G", " ", "%", "\xc3\xbc"};
    FIXTURE(f);
    struct offset_row *rows;
    for (size_t i = 0; i < RF_COUNT(names); i++) {
        struct offset_entry entry = an_entry(RF_S("id-1"), 1, (int64_t)i);
        commit(&f, rf_str_of(names[i]), &entry, 1);
    }
    for (size_t i = 0; i < RF_COUNT(names); i++) {
        cr_assert(read_group(&f, rf_str_of(names[i]), &rows) == 1, "%s", names[i]);
        cr_assert(rows[0].offset == (int64_t)i && rf_str_is(rows[0].group, names[i]));
    }
    cr_assert(read_group(&f, RF_S(""), &rows) == RF_COUNT(names), "all");
}

Test(kafka_offsets, are_removed_one_by_one_or_with_their_group)
{
    FIXTURE(f);
    struct rf_err err;
    struct offset_row *rows;
    struct offset_entry entries[] = {an_entry(RF_S("id"), 0, 1), an_entry(RF_S("id"), 1, 2)};
    commit(&f, RF_S("a"), entries, 2);
    commit(&f, RF_S("ab"), entries, 2);
    entries[0].offset = -1;
    commit(&f, RF_S("a"), entries, 1);
    commit(&f, RF_S("a"), entries, 1); /* what is not there is removed already */
    cr_assert(read_group(&f, RF_S("a"), &rows) == 1 && rows[0].partition == 1);
    cr_assert(offsets_delete_group(&f.groups, RF_S("ns"), RF_S("a"), &err) == RF_OK);
    cr_assert(offsets_delete_group(&f.groups, RF_S("ns"), RF_S("a"), &err) == RF_NOT_FOUND);
    cr_assert(read_group(&f, RF_S("a"), &rows) == 0 && read_group(&f, RF_S("ab"), &rows) == 2);
}

static void *commit_many(void *ctx)
{
    struct fixture *f = ctx;
    for (int i = 0; i < 50; i++) {
        struct offset_entry entry = an_entry(RF_S("id"), 0, i);
        struct offset_commit wanted = {
            .space = RF_S("ns"), .group = RF_S("g"), .entries = &entry, .count = 1};
        if (offsets_commit_wait(&f->groups, &wanted, NULL) != RF_OK) return f;
    }
    return NULL;
}

Test(kafka_offsets, many_commit_together)
{
    FIXTURE(f);
    pthread_t threads[8];
    struct offset_row *rows;
    for (size_t i = 0; i < RF_COUNT(threads); i++)
        cr_assert(pthread_create(&threads[i], NULL, commit_many, &f) == 0);
    for (size_t i = 0; i < RF_COUNT(threads); i++) {
        void *failed = &f;
        cr_assert(pthread_join(threads[i], &failed) == 0 && failed == NULL);
    }
    cr_assert(read_group(&f, RF_S("g"), &rows) == 1 && rows[0].offset == 49);
}

/* A commit whose body no state takes fails alone. */
Test(kafka_offsets, one_that_fails_does_not_take_others_with_it)
{
    FIXTURE(f);
    struct rf_err err;
    struct offset_row *rows;
    static uint8_t huge[2 << 20];
    memset(huge, 'x', sizeof huge);
    struct offset_entry good = an_entry(RF_S("id"), 0, 5), bad = good;
    bad.metadata = rf_str_make(huge, sizeof huge);
    struct offset_commit fails = {
        .space = RF_S("ns"), .group = RF_S("bad"), .entries = &bad, .count = 1};
    cr_assert(offsets_commit_wait(&f.groups, &fails, &err) == RF_LIMIT);
    commit(&f, RF_S("g"), &good, 1);
    cr_assert(read_group(&f, RF_S("g"), &rows) == 1 && read_group(&f, RF_S("bad"), &rows) == 0);
    offsets_stop(&f.groups);
    cr_assert(offsets_commit_wait(&f.groups, &fails, &err) == RF_AGAIN, "it has stopped");
}
