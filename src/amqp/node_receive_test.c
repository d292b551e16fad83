/* Links by which events leave: contract, sections 5.1 and 5.2. */
#include "amqp/nodes_test_util.h"

#define FIRST "flow/ConsumerGroups/$default/Partitions/0"

/* `count` events in partition 0 of Flow, a second apart, with the bodies "0", "1", ... */
static void fill(struct node_rig *rig, int count)
{
    struct node_peer p;
    node_enter(&p, &rig->server, "writer");
    node_expect(node_attach_sender(&p, "out", 0, "flow/Partitions/0"), "attach[out 0 *");
    for (int i = 0; i < count; i++) {
        char body[12];
        (void)snprintf(body, sizeof body, "%d", i);
        if (i > 0) rf_clock_fixed_pass(&rig->clock, RF_USEC_PER_SECOND);
        node_expect(node_send(&p, 0, 0, node_data(p.arena, body)), "disposition[*@24[]]");
    }
    node_hang_up(&p);
}

static const char *attach_at(struct node_peer *p, uint32_t handle, const char *selector)
{
    char name[16];
    struct rf_buf filter = rf_buf_in(p->arena);
    (void)snprintf(name, sizeof name, "in%u", handle);
    node_put_selector(&filter, selector);
    return node_attach_receiver(p, name, handle, FIRST, rf_buf_view(&filter), (rf_str){NULL, 0},
                                NULL);
}

/* The number of the next event, or -1: the link has nothing for its credit now. */
static int64_t next_number(struct node_peer *p, uint32_t handle)
{
    node_credit(p, handle, 0, 1, true);
    const char *frame = line_frame(&p->line);
    while (strncmp(frame, "transfer", 8) != 0) {
        char empty[80];
        (void)snprintf(empty, sizeof empty, "flow[* %u * 0 - true]", handle);
        if (node_is_like(frame, empty)) return -1;
        frame = line_frame(&p->line);
    }
    const char *at = strstr(node_show(p->arena, p->line.payload), ":x-opt-sequence-number ");
    cr_assert(at != NULL);
    return strtoll(at + 23, NULL, 10);
}

/* ---- positions -------------------------------------------------------------------------------------------------- */

/* Five events, of which retention has taken the first; enqueued at 1700000000000 ms and then every second. */
Test(amqp_receive, begins_where_the_selector_says)
{
    static const struct {
        const char *selector;
        int64_t number; /* -1: nothing is there yet; -2: refused */
    } cases[] = {
        {"amqp.annotation.x-opt-offset > '-1'", 1},
        {"amqp.annotation.x-opt-offset >= '-1'", 1},
        {"amqp.annotation.x-opt-offset > '@latest'", -1},
        {"amqp.annotation.x-opt-offset > '0'", 1},
        {"amqp.annotation.x-opt-offset >= '0'", 1}, /* older than what is kept */
        {"amqp.annotation.x-opt-offset > '2'", 3},
        {"amqp.annotation.x-opt-offset >= '2'", 2},
        {"amqp.annotation.x-opt-offset > 2", 3},
        {"amqp.annotation.x-opt-offset>'2'", 3},
        {"  amqp.annotation.x-opt-offset   >=   '2'  ", 2},
        {"amqp.annotation.x-opt-offset > '4'", -1}, /* the last */
        {"amqp.annotation.x-opt-offset >= '4'", 4},
        {"amqp.annotation.x-opt-offset > '5'", -2},
        {"amqp.annotation.x-opt-offset > '9223372036854775807'", -2},
        {"amqp.annotation.x-opt-offset > '99999999999999999999999'", -2},
        {"amqp.annotation.x-opt-sequence-number > '-1'", 1},
        {"amqp.annotation.x-opt-sequence-number >= '-1'", 1},
        {"amqp.annotation.x-opt-sequence-number > '3'", 4},
        {"amqp.annotation.x-opt-sequence-number >= '3'", 3},
        {"amqp.annotation.x-opt-sequence-number > 3", 4},
        {"amqp.annotation.x-opt-sequence-number > '4'", -1},
        {"amqp.annotation.x-opt-sequence-number > '5'", -2},
        {"amqp.annotation.x-opt-enqueued-time > '1700000001000'", 2},
        {"amqp.annotation.x-opt-enqueued-time >= '1700000001000'", 1},
        {"amqp.annotation.x-opt-enqueued-time > '1700000001001'", 2},
        {"amqp.annotation.x-opt-enqueued-time > 1700000002999", 3},
        {"amqp.annotation.x-opt-enqueued-time > '0'", 1},
        {"amqp.annotation.x-opt-enqueued-time > '-1'", 1},
        {"amqp.annotation.x-opt-enqueued-time > '1800000000000'", -1},
        {"amqp.annotation.x-opt-enqueued-time > '999999999999999999'", -1},
        {"amqp.annotation.x-opt-enqueued-time > '9223372036854775807'", -1},
        {"amqp.annotation.x-opt-enqueued-time > '-9223372036854775807'", 1},
        {"", 1},
        {"amqp.annotation.x-opt-offset", -2},
        {"amqp.annotation.x-opt-offset >", -2},
        {"amqp.annotation.x-opt-offset > ''", -2},
        {"amqp.annotation.x-opt-offset < '2'", -2},
        {"amqp.annotation.x-opt-offset > 'two'", -2},
        {"amqp.annotation.x-opt-offset > '2", -2},
        {"amqp.annotation.x-opt-offset > '2' or 1", -2},
        {"amqp.annotation.x-opt-color > '2'", -2},
        {"x-opt-offset > '2'", -2},
        {"1=1", -2},
    };
    struct node_rig rig;
    struct node_peer p;
    struct rf_err err;
    node_rig_init(&rig);
    fill(&rig, 5);
    struct hub *hub = node_hub(&rig, "flow");
    cr_assert(hub_cut_front(hub, 0, 1, &err) == RF_OK, "%s", err.text);
    hub_unref(hub);
    node_enter(&p, &rig.server, "reader");
    for (uint32_t i = 0; i < RF_COUNT(cases); i++) {
        const char *got = attach_at(&p, 0, cases[i].selector);
        if (cases[i].number == -2) {
            cr_assert(node_is_like(got, "attach[in0 0 false 0 0 - *"), "%s: %s", cases[i].selector,
                      got);
            node_expect(node_next(&p), "detach[0 true @1d[:com.microsoft:argument-error *");
            rig_write(&p.line.rig, 0, PERF_DETACH, "ub", 0u, 1);
            continue;
        }
        cr_assert(node_is_like(got, "attach[in0 0 false 0 0 @28*"), "%s: %s", cases[i].selector,
                  got);
        int64_t number = next_number(&p, 0);
        cr_assert(number == cases[i].number, "%s: %lld", cases[i].selector, (long long)number);
        node_detach(&p, 0);
    }
    node_hang_up(&p);
    node_rig_done(&rig);
}

/* The sentences by which users learn that their checkpoint is of another hub, and the filter that is echoed; on a fresh hub too. */
Test(amqp_receive, tells_positions_beyond_the_end)
{
    struct node_rig rig;
    struct node_peer p;
    node_rig_init(&rig);
    node_enter(&p, &rig.server, "reader");
    node_expect(attach_at(&p, 0, "amqp.annotation.x-opt-sequence-number > '-1'"),
                "attach[in0 0 false 0 0 @28[" FIRST
                " - - - - - - {:apache.org:selector-filter:string "
                "@468c00000004amqp.annotation.x-opt-sequence-number > '-1'}*");
    cr_assert(next_number(&p, 0) == -1);
    (void)attach_at(&p, 1, "amqp.annotation.x-opt-sequence-number > '0'");
    node_expect(
        node_next(&p),
        "detach[1 true @1d[:com.microsoft:argument-error The supplied sequence number '0' is "
        "invalid. The last sequence number in the system is '-1'" NODE_TRACKING "*");
    fill(&rig, 3);
    (void)attach_at(&p, 2, "amqp.annotation.x-opt-offset > '77'");
    node_expect(node_next(&p),
                "detach[2 true @1d[:com.microsoft:argument-error The supplied offset "
                "'77' is invalid. The last offset in the system is '2'" NODE_TRACKING "Flow~0, *");
    node_hang_up(&p);
    node_rig_done(&rig);
}

/* The descriptor may be the symbol; a value that is no selector is refused; other filters are not ours. */
Test(amqp_receive, reads_selectors_however_they_are_described)
{
    struct node_rig rig;
    struct node_peer p;
    node_rig_init(&rig);
    fill(&rig, 3);
    node_enter(&p, &rig.server, "reader");
    static const rf_str name = {(const uint8_t *)"apache.org:selector-filter:string", 33};
    for (uint32_t how = 0; how < 4; how++) {
        struct rf_buf filter = rf_buf_in(p.arena);
        size_t map = amqp_put_begin(&filter);
        amqp_put_symbol(&filter, how == 3 ? RF_S("another:filter") : name);
        if (how != 1) rf_buf_byte(&filter, 0);
        if (how != 1) amqp_put_symbol(&filter, name);
        if (how == 2)
            amqp_put_uint(&filter, 1);
        else
            amqp_put_string(&filter, RF_S("amqp.annotation.x-opt-offset > '1'"));
        amqp_put_end(&filter, map, AMQP_MAP, 2);
        const char *got = node_attach_receiver(&p, "in", how, FIRST, rf_buf_view(&filter),
                                               (rf_str){NULL, 0}, NULL);
        node_expect(got, how == 2 ? "attach[in * false 0 0 - *" : "attach[in * false 0 0 @28*");
        if (how == 2)
            node_expect(node_next(&p), "detach[2 true @1d[:com.microsoft:argument-error *");
        if (how == 2) rig_write(&p.line.rig, 0, PERF_DETACH, "ub", how, 1);
        if (how == 2) continue;
        cr_assert(next_number(&p, how) == (how == 3 ? 0 : 2), "%u", how);
        node_detach(&p, how);
    }
    node_hang_up(&p);
    node_rig_done(&rig);
}

/* @latest is fixed before the attach is answered. */
Test(amqp_receive, latest_is_what_comes_behind_the_attach)
{
    struct node_rig rig;
    struct node_peer p;
    node_rig_init(&rig);
    fill(&rig, 2);
    node_enter(&p, &rig.server, "reader");
    node_expect(attach_at(&p, 0, "amqp.annotation.x-opt-offset > '@latest'"), "attach[in0 0 *@28*");
    fill(&rig, 2);
    node_credit(&p, 0, 0, 10, false);
    node_expect(node_show(p.arena, node_receive(&p)), "72{:x-opt-sequence-number 2 *} 75#30");
    node_expect(node_show(p.arena, node_receive(&p)), "72{:x-opt-sequence-number 3 *} 75#31");
    node_expect_silence(&p);
    node_hang_up(&p);
    node_rig_done(&rig);
}

/* ---- delivery --------------------------------------------------------------------------------------------------- */

Test(amqp_receive, gives_exactly_what_credit_allows)
{
    struct node_rig rig;
    struct node_peer p;
    node_rig_init(&rig);
    fill(&rig, 6);
    node_enter(&p, &rig.server, "reader");
    node_expect(node_receive_from(&p, 0, FIRST), "attach[in0 0 *@28*");
    node_expect_silence(&p);
    node_credit(&p, 0, 0, 2, false);
    rig_expect(node_next(&p), "transfer[0 0 #00000000 0 false false]");
    rig_expect(node_next(&p), "transfer[0 1 #00000001 0 false false]");
    node_expect_silence(&p);
    node_credit(&p, 0, 2, 3, false);
    for (int i = 0; i < 3; i++) node_expect(node_next(&p), "transfer[0 *");
    node_expect_silence(&p);
    /* Drained: what is there, and the rest of the credit is given back. */
    node_credit(&p, 0, 5, 10, true);
    node_expect(line_frame(&p.line), "transfer[0 5 *");
    node_expect(line_frame(&p.line), "flow[0 5000 6 5000 0 15 0 - true]");
    /* Nothing comes on credit that was given back; on new credit what is new does. */
    fill(&rig, 1);
    node_expect_silence(&p);
    node_credit(&p, 0, 15, 1, false);
    node_expect(node_show(p.arena, node_receive(&p)), "72{:x-opt-sequence-number 6 *} 75#30");
    node_hang_up(&p);
    node_rig_done(&rig);
}

/* Whatever a reader says of an event, it stays where it is, for this reader and the others. */
Test(amqp_receive, outcomes_change_nothing)
{
    static const unsigned outcomes[] = {PERF_ACCEPTED, PERF_REJECTED, PERF_RELEASED};
    struct node_rig rig;
    struct node_peer p;
    node_rig_init(&rig);
    fill(&rig, 4);
    node_enter(&p, &rig.server, "reader");
    node_expect(node_receive_from(&p, 0, FIRST), "attach[in0 0 *@28*");
    node_credit(&p, 0, 0, 3, false);
    for (unsigned i = 0; i < 3; i++) {
        (void)node_receive(&p);
        rig_write(&p.line.rig, 0, PERF_DISPOSITION, "buub@[]", 1, i, i, 1, outcomes[i]);
    }
    line_send(&p.line);
    node_expect_silence(&p);
    node_credit(&p, 0, 3, 1, false);
    node_expect(node_show(p.arena, node_receive(&p)), "72{:x-opt-sequence-number 3 *} 75#33");
    node_expect(node_receive_from(&p, 1, FIRST), "attach[in1 1 *@28*");
    cr_assert(next_number(&p, 1) == 0);
    node_hang_up(&p);
    node_rig_done(&rig);
}

Test(amqp_receive, names_what_the_server_knows)
{
    struct node_rig rig;
    struct node_peer p;
    rf_str none = {NULL, 0};
    node_rig_init(&rig);
    fill(&rig, 1);
    node_enter(&p, &rig.server, "reader");
    node_expect(
        node_attach_receiver(&p, "in", 0, FIRST, none, none, "com.microsoft:georeplication"),
        "attach[in 0 false 0 0 @28[*] @29[*] - - 0 1048576 - - -]"); /* not offered */
    node_credit(&p, 0, 0, 1, false);
    rf_str message = node_receive(&p);
    rig_expect(node_show(p.arena, message),
               "72{:x-opt-sequence-number 0 :x-opt-offset 0 :x-opt-enqueued-time 1700000000000} "
               "75#30");
    struct amqp_section section;
    struct amqp_value value;
    cr_assert(amqp_section_next(&message, &section));
    cr_assert(amqp_map_find(&section.value, RF_S("x-opt-sequence-number"), &value));
    cr_assert(value.type == AMQP_LONG);
    cr_assert(amqp_map_find(&section.value, RF_S("x-opt-offset"), &value));
    cr_assert(value.type == AMQP_STRING);
    cr_assert(amqp_map_find(&section.value, RF_S("x-opt-enqueued-time"), &value));
    cr_assert(value.type == AMQP_TIMESTAMP);
    node_detach(&p, 0);
    node_expect(node_attach_receiver(&p, "in", 0, FIRST, none, none,
                                     "com.microsoft:enable-receiver-runtime-metric"),
                "attach[in 0 false * (:com.microsoft:enable-receiver-runtime-metric) - -]");
    rf_clock_fixed_pass(&rig.clock, RF_USEC_PER_SECOND);
    node_credit(&p, 0, 0, 1, false);
    node_expect(node_show(p.arena, node_receive(&p)),
                "71{:last_enqueued_sequence_number 0 :last_enqueued_offset 0 "
                ":last_enqueued_time_utc 1700000000000 :runtime_info_retrieval_time_utc "
                "1700000001000} 72{*} 75#30");
    node_hang_up(&p);
    node_rig_done(&rig);
}

/* What Kafka wrote, with its key, a header and its offset. */
Test(amqp_receive, shows_kafkas_records)
{
    struct node_rig rig;
    struct node_peer p;
    struct rf_err err;
    struct batch_builder builder;
    node_rig_init(&rig);
    struct rf_buf batch = rf_buf_in(&rig.arena);
    struct record_header header = {.name = RF_S("h"), .value = RF_S("v")};
    batch_begin(&builder, &batch);
    batch_add(&builder, 1000, RF_S("k"), RF_S("value"), &header, 1);
    batch_add(&builder, 1000, (rf_str){NULL, 0}, (rf_str){NULL, 0}, NULL, 0); /* a tombstone */
    cr_assert(batch_end(&builder, CODEC_NONE, NULL, &err) == RF_OK, "%s", err.text);
    struct hub_append append = {.batch = batch.ptr,
                                .len = batch.len,
                                .count = 2,
                                .kind = FRAME_KAFKA,
                                .producer = {-1, -1, -1}};
    struct hub *hub = node_hub(&rig, "flow");
    cr_assert(hub_append_wait(hub, 0, &append, &err) == RF_OK, "%s", err.text);
    hub_unref(hub);
    node_enter(&p, &rig.server, "reader");
    node_expect(node_receive_from(&p, 0, FIRST), "attach[in0 0 *@28*");
    node_credit(&p, 0, 0, 2, false);
    rig_expect(node_show(p.arena, node_receive(&p)),
               "72{:x-opt-sequence-number 0 :x-opt-offset 0 :x-opt-enqueued-time 1700000000000 "
               ":x-opt-kafka-key #6b} 74{h #76} 75#76616c7565");
    rig_expect(node_show(p.arena, node_receive(&p)),
               "72{:x-opt-sequence-number 1 :x-opt-offset 1 :x-opt-enqueued-time 1700000000000} "
               "75#");
    node_hang_up(&p);
    node_rig_done(&rig);
}

/* A peer whose frames hold no more than 512 bytes gets large events whole. */
Test(amqp_receive, splits_events_for_small_frames)
{
    struct node_rig rig;
    struct node_peer writer, p;
    char body[3001];
    node_rig_init(&rig);
    memset(body, 'x', 3000);
    body[3000] = '\0';
    node_enter(&writer, &rig.server, "writer");
    node_expect(node_attach_sender(&writer, "out", 0, "flow/Partitions/0"), "attach[out 0 *");
    node_expect(node_send(&writer, 0, 0, node_data(writer.arena, body)), "disposition[*@24[]]");
    node_connect(&p, &rig.server);
    node_open_as(&p, "localhost", 512);
    node_expect(line_frame(&p.line), "begin[*");
    node_attach_pair(&p, "$cbs", "reply");
    node_expect(node_put_token(&p, NODE_SAS, "sb://localhost/flow",
                               node_sas(&rig, "sb://localhost", "reader", 60)),
                "*status-code 202 *");
    node_expect(node_receive_from(&p, 0, FIRST), "attach[in0 0 *@28*");
    node_credit(&p, 0, 0, 1, false);
    struct rf_buf whole = rf_buf_in(p.arena);
    uint32_t frames = 0;
    for (const char *frame = NULL; frame == NULL || node_is_like(frame, "*true]"); frames++) {
        cr_assert(line_need(&p.line, 4));
        cr_assert(amqp_get_u32(p.line.got.ptr + p.line.got_at) <= 512);
        frame = node_next(&p);
        node_expect(frame, "transfer[0 *");
        rf_buf_str(&whole, p.line.payload);
    }
    cr_assert(frames >= 6 && whole.len > 3000);
    rf_str data = node_data(p.arena, body), got = rf_buf_view(&whole);
    cr_assert(rf_str_ends(got, data));
    node_hang_up(&p);
    node_hang_up(&writer);
    node_rig_done(&rig);
}

/* A reader that lags behind retention goes on with the first event that is left. */
Test(amqp_receive, goes_on_behind_what_retention_took)
{
    struct node_rig rig;
    struct node_peer p;
    struct rf_err err;
    node_rig_init(&rig);
    fill(&rig, 5);
    node_enter(&p, &rig.server, "reader");
    node_expect(node_receive_from(&p, 0, FIRST), "attach[in0 0 *@28*");
    struct hub *hub = node_hub(&rig, "flow");
    cr_assert(hub_cut_front(hub, 0, 3, &err) == RF_OK, "%s", err.text);
    hub_unref(hub);
    node_credit(&p, 0, 0, 1, false);
    node_expect(node_show(p.arena, node_receive(&p)), "72{:x-opt-sequence-number 3 *} 75#33");
    node_hang_up(&p);
    node_rig_done(&rig);
}

/* A group that goes takes its readers along. */
Test(amqp_receive, readers_of_a_group_that_is_deleted_are_detached)
{
    struct node_rig rig;
    struct node_peer p;
    node_rig_init(&rig);
    node_enter(&p, &rig.server, "reader");
    node_expect(node_receive_from(&p, 0, "flow/ConsumerGroups/Second/Partitions/0"),
                "attach[in0 0 *@28*");
    node_expect(node_receive_from(&p, 1, FIRST), "attach[in1 1 *@28*");
    node_credit(&p, 0, 0, 1, false);
    hubs_drop_group(rig.hubs.space, RF_S("flow"), RF_S("second"));
    node_expect(node_next(&p), "detach[0 true @1d[:amqp:resource-deleted *");
    node_expect_silence(&p);
    node_hang_up(&p);
    node_rig_done(&rig);
}
