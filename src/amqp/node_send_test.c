/* Links by which events come: contract, section 4. */
#include "amqp/nodes_test_util.h"

#define ACCEPTED "disposition[true * true @24[]]"

/* The first event behind `from` of a partition of Flow, as a receiver sees it. */
static const char *event_at(struct node_rig *rig, uint32_t partition, int64_t from)
{
    struct node_peer p;
    char address[80], selector[80];
    struct rf_buf filter = rf_buf_in(&rig->arena);
    node_enter(&p, &rig->server, "reader");
    (void)snprintf(address, sizeof address, "flow/ConsumerGroups/$default/Partitions/%u",
                   partition);
    (void)snprintf(selector, sizeof selector, "amqp.annotation.x-opt-sequence-number > '%lld'",
                   (long long)from - 1);
    node_put_selector(&filter, selector);
    node_expect(
        node_attach_receiver(&p, "in", 0, address, rf_buf_view(&filter), (rf_str){NULL, 0}, NULL),
        "attach[in 0 false 0 0 @28*");
    node_credit(&p, 0, 0, 1, false);
    const char *text = node_show(&rig->arena, node_receive(&p));
    node_hang_up(&p);
    return text;
}

static void begin(struct node_rig *rig, struct node_peer *p, const char *address)
{
    node_rig_init(rig);
    node_enter(p, &rig->server, "writer");
    node_expect(node_attach_sender(p, "out", 0, address), "attach[out 0 true 2 0 @28*");
}

static void end(struct node_rig *rig, struct node_peer *p)
{
    node_hang_up(p);
    node_rig_done(rig);
}

Test(amqp_send, grants_credit_and_names_the_largest_message)
{
    struct node_rig rig;
    struct node_peer p;
    node_rig_init(&rig);
    node_enter(&p, &rig.server, "writer");
    rig_expect(node_attach_sender(&p, "out", 0, "flow"),
               "attach[out 0 true 2 0 @28[here] @29[flow] - - - 1048576 - - -]");
    rig_expect(line_frame(&p.line), "flow[0 5000 0 5000 0 0 300 - false]");
    end(&rig, &p);
}

/* The contract's example of a batch of "a" and "b"; events of format 0; what is settled is stored without an answer. */
Test(amqp_send, stores_events_and_batches)
{
    static const uint8_t example[] =
        "\x00\x53\x70\x45\x00\x53\x73\x45\x00\x53\x75\xa0\x0e\x00\x53\x70\x45\x00\x53\x73\x45\x00"
        "\x53\x75\xa0\x01\x61\x00\x53\x75\xa0\x0e\x00\x53\x70\x45\x00\x53\x73\x45\x00\x53\x75\xa0"
        "\x01\x62";
    struct node_rig rig;
    struct node_peer p;
    begin(&rig, &p, "flow/Partitions/1");
    node_expect(node_send(&p, 0, EVENT_BATCH_FORMAT, rf_str_make(example, sizeof example - 1)),
                ACCEPTED);
    cr_assert(node_count(&rig, 1) == 2 && node_count_all(&rig) == 2);
    node_expect(node_send(&p, 0, 0, node_data(p.arena, "c")), ACCEPTED);
    node_put(&p, 0, 0, true, node_data(p.arena, "d"));
    node_expect(node_send(&p, 0, 0, node_data(p.arena, "e")), "disposition[true 3 3 true @24[]]");
    cr_assert(node_count(&rig, 1) == 5);
    for (int i = 0; i < 5; i++) {
        char body[20];
        (void)snprintf(body, sizeof body, "72* 75#%02x", 'a' + i);
        node_expect(event_at(&rig, 1, i), body);
    }
    end(&rig, &p);
}

/* All or nothing; the link stays. */
Test(amqp_send, refuses_what_is_no_message)
{
    struct node_rig rig;
    struct node_peer p;
    begin(&rig, &p, "flow/Partitions/0");
    rf_str good = node_data(p.arena, "good"), bad = RF_S("bad");
    char long_key[130];
    memset(long_key, 'k', 129);
    long_key[129] = '\0';
    struct rf_buf value = rf_buf_in(p.arena);
    rf_buf_str(&value, RF_S("\0\x53\x77\xa1\1x"));
    const struct {
        const char *what;
        uint32_t format;
        rf_str message;
        const char *condition;
    } cases[] = {
        {"a batch with a member that is none", EVENT_BATCH_FORMAT,
         node_batch(p.arena, (rf_str[]){good, bad}, 2), "amqp:decode-error"},
        {"a batch of nothing", EVENT_BATCH_FORMAT, RF_S(""), "amqp:decode-error"},
        {"a batch whose body is a value", EVENT_BATCH_FORMAT, rf_buf_view(&value),
         "amqp:decode-error"},
        {"no message", 0, bad, "amqp:decode-error"},
        {"a message that is cut", 0, rf_slice(good, 0, good.len - 1), "amqp:decode-error"},
        {"another format", 1, good, "amqp:not-implemented"},
        {"a key that is too long", 0, node_event(p.arena, "x-opt-partition-key", long_key, "x"),
         "amqp:not-allowed"},
    };
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        char pattern[100];
        (void)snprintf(pattern, sizeof pattern, "disposition[true * true @25[@1d[:%s *",
                       cases[i].condition);
        const char *got = node_send(&p, 0, cases[i].format, cases[i].message);
        cr_assert(node_is_like(got, pattern), "%s: %s", cases[i].what, got);
        node_put(&p, 0, cases[i].format, true, cases[i].message); /* settled: nobody is told */
    }
    node_expect(node_send(&p, 0, 0, good), ACCEPTED);
    cr_assert(node_count_all(&rig) == 1);
    end(&rig, &p);
}

/* The limit is told on the attach, counts the whole message, and what is above it leaves nothing behind but the link. */
Test(amqp_send, refuses_what_is_too_large)
{
    struct node_rig rig;
    struct node_peer p;
    begin(&rig, &p, "flow/Partitions/0");
    uint32_t room = 60000, id = p.sent++;
    uint8_t *bytes = rf_arena_alloc(p.arena, HUB_BYTES_MAX + 1);
    memset(bytes, 'x', HUB_BYTES_MAX + 1);
    struct rf_buf head = rf_buf_in(p.arena);
    amqp_put_descriptor(&head, AMQP_DATA);
    for (size_t excess = 2; excess-- > 0;
         id = p.sent++) { /* one byte too many, then as many as fit */
        size_t len = HUB_BYTES_MAX + excess - head.len - 5; /* behind the length of a long binary */
        struct rf_buf message = rf_buf_in(p.arena);
        rf_buf_str(&message, rf_buf_view(&head));
        amqp_put_binary(&message, rf_str_make(bytes, len));
        cr_assert(message.len == HUB_BYTES_MAX + excess);
        for (size_t at = 0; at < message.len; at += room)
            rig_write(&p.line.rig, 0, PERF_TRANSFER, "uutubbp", 0u, id, id, 0u, 0,
                      (int)(at + room < message.len),
                      rf_slice(rf_buf_view(&message), at, RF_MIN(at + room, message.len)));
        line_send(&p.line);
        node_expect(node_next(&p),
                    excess > 0
                        ? "disposition[true * true @25[@1d[:amqp:link:message-size-exceeded *"
                        : ACCEPTED);
        cr_assert(node_count_all(&rig) == (excess > 0 ? 0 : 1));
    }
    end(&rig, &p);
}

/* ---- partitions ------------------------------------------------------------------------------------------------- */

/* The vectors of the contract, section 4.3, for four partitions. */
Test(amqp_send, a_key_decides_the_partition)
{
    static const struct {
        const char *key;
        uint32_t partition;
    } cases[] = {{"a", 0},        {"1", 2},        {"TestKey", 1}, {"alphabet", 2},
                 {"device-1", 0}, {"sensor/7", 3}, {"FWfAT", 1},   {"键🔑", 2}};
    struct node_rig rig;
    struct node_peer p;
    int64_t counts[4] = {0};
    begin(&rig, &p, "flow");
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        rf_str event = node_event(p.arena, "x-opt-partition-key", cases[i].key, "x");
        rf_str batch = node_batch(p.arena, &event, 1);
        bool in_batch = i % 2 == 1;
        node_expect(node_send(&p, 0, in_batch ? EVENT_BATCH_FORMAT : 0, in_batch ? batch : event),
                    ACCEPTED);
        char pattern[120];
        (void)snprintf(pattern, sizeof pattern, "72{*:x-opt-partition-key %s} 75#78", cases[i].key);
        node_expect(event_at(&rig, cases[i].partition, counts[cases[i].partition]++), pattern);
    }
    end(&rig, &p);
}

/* The key of the envelope is that of its members, which stay together. */
Test(amqp_send, a_batch_stays_together)
{
    struct node_rig rig;
    struct node_peer p;
    begin(&rig, &p, "flow");
    rf_str members[3];
    for (int i = 0; i < 3; i++) members[i] = node_data(p.arena, "x");
    struct rf_buf batch = rf_buf_in(p.arena);
    amqp_put_descriptor(&batch, AMQP_MESSAGE_ANNOTATIONS);
    size_t map = amqp_put_begin(&batch);
    amqp_put_symbol(&batch, RF_S("x-opt-partition-key"));
    amqp_put_string(&batch, RF_S("sensor/7"));
    amqp_put_end(&batch, map, AMQP_MAP, 2);
    rf_buf_str(&batch, node_batch(p.arena, members, 3));
    node_expect(node_send(&p, 0, EVENT_BATCH_FORMAT, rf_buf_view(&batch)), ACCEPTED);
    cr_assert(node_count(&rig, 3) == 3);
    for (int i = 0; i < 3; i++)
        node_expect(event_at(&rig, 3, i), "72{*:x-opt-partition-key sensor/7} 75#78");
    for (int i = 0; i < 8; i++)
        node_expect(node_send(&p, 0, EVENT_BATCH_FORMAT, node_batch(p.arena, members, 3)),
                    ACCEPTED);
    for (uint32_t i = 0; i < 4; i++) /* by turns, each whole */
        cr_assert(node_count(&rig, i) == 6 + (i == 3 ? 3 : 0), "%u: %lld", i,
                  (long long)node_count(&rig, i));
    end(&rig, &p);
}

Test(amqp_send, the_link_decides_before_the_key)
{
    struct node_rig rig;
    struct node_peer p;
    begin(&rig, &p, "flow/Partitions/2");
    node_expect(node_send(&p, 0, 0, node_event(p.arena, "x-opt-partition-key", "a", "x")),
                ACCEPTED);
    node_expect(event_at(&rig, 2, 0), "72{*:x-opt-partition-key a} 75#78");
    end(&rig, &p);
}

/* What a client says under the server's names is not believed; what is its own is kept. */
Test(amqp_send, keeps_the_senders_annotations_but_not_the_servers)
{
    static const char *const names[] = {"x-opt-sequence-number", "x-opt-offset",
                                        "x-opt-enqueued-time", "x-opt-publisher"};
    struct node_rig rig;
    struct node_peer p;
    begin(&rig, &p, "flow/Partitions/0");
    for (size_t i = 0; i < RF_COUNT(names); i++)
        node_expect(node_send(&p, 0, 0, node_event(p.arena, names[i], "forged", "x")), ACCEPTED);
    node_expect(node_send(&p, 0, 0, node_event(p.arena, "mine", "kept", "x")), ACCEPTED);
    for (int i = 0; i < 4; i++) {
        const char *got = event_at(&rig, 0, i);
        cr_assert(strstr(got, "forged") == NULL, "%s", got);
    }
    node_expect(event_at(&rig, 0, 4), "72{*:mine kept*} 75#78");
    end(&rig, &p);
}

/* ---- publishers ------------------------------------------------------------------------------------------------- */

Test(amqp_send, a_publisher_is_named_and_chooses_the_partition)
{
    struct node_rig rig;
    struct node_peer p;
    begin(&rig, &p, "flow/Publishers/device-1");
    node_expect(node_send(&p, 0, 0, node_data(p.arena, "x")), ACCEPTED);
    node_expect(event_at(&rig, 0, 0),
                "72{*:x-opt-partition-key device-1 :x-opt-publisher device-1} 75#78");
    node_expect(node_send(&p, 0, 0, node_event(p.arena, "x-opt-partition-key", "1", "x")),
                ACCEPTED);
    node_expect(event_at(&rig, 2, 0),
                "72{*:x-opt-partition-key 1 :x-opt-publisher device-1} 75#78");
    end(&rig, &p);
}

/* A token for a publisher opens that, and nothing else. */
Test(amqp_send, a_publishers_token_opens_its_own_link)
{
    static const struct {
        const char *address;
        bool may;
    } cases[] = {{"flow/Publishers/truck", true},   {"flow/publishers/TRUCK", true},
                 {"flow/Publishers/truck2", false}, {"flow", false},
                 {"flow/Partitions/0", false},      {"other/Publishers/truck", false}};
    struct node_rig rig;
    struct node_peer p;
    node_rig_init(&rig);
    node_enter_unknown(&p, &rig.server);
    const char *audience = "sb://localhost/flow/publishers/truck";
    node_expect(node_put_token(&p, NODE_SAS, audience, node_sas(&rig, audience, "root", 60)),
                "*status-code 202 *");
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        const char *got = node_attach_sender(&p, "out", 0, cases[i].address);
        cr_assert(node_is_like(got, cases[i].may ? "attach[out 0 true 2 0 @28*"
                                                 : "attach[out 0 true 2 0 - *"),
                  "%s: %s", cases[i].address, got);
        if (cases[i].may)
            node_detach(&p, 0);
        else
            node_expect(node_next(&p), "detach[0 true @1d[:amqp:unauthorized-access *");
        if (!cases[i].may) rig_write(&p.line.rig, 0, PERF_DETACH, "ub", 0u, 1);
    }
    (void)node_receive_from(&p, 1, "flow/ConsumerGroups/$default/Partitions/0");
    node_expect(node_next(&p), "detach[1 true @1d[:amqp:unauthorized-access *");
    end(&rig, &p);
}

/* Not even a login for the whole namespace gets around it. */
Test(amqp_send, a_revoked_publisher_is_detached_and_refused)
{
    struct node_rig rig;
    struct node_peer p, other;
    struct rf_err err;
    begin(&rig, &p, "flow/Publishers/truck");
    node_enter(&other, &rig.server, "root");
    node_expect(node_attach_sender(&other, "out", 0, "flow/Publishers/van"), "attach[out 0 *");
    struct hub *hub = node_hub(&rig, "flow");
    cr_assert(hub_revoke(hub, RF_S("truck"), true, &err) == RF_OK, "%s", err.text);
    node_expect(node_next(&p), "detach[0 true @1d[:com.microsoft:publisher-revoked *");
    rig_write(&p.line.rig, 0, PERF_DETACH, "ub", 0u, 1);
    node_expect(node_attach_sender(&p, "out", 0, "flow/Publishers/Truck"),
                "attach[out 0 true 2 0 - *");
    node_expect(node_next(&p), "detach[0 true @1d[:com.microsoft:publisher-revoked *");
    rig_write(&p.line.rig, 0, PERF_DETACH, "ub", 0u, 1);
    node_expect_silence(&other);
    cr_assert(hub_revoke(hub, RF_S("truck"), false, &err) == RF_OK, "%s", err.text);
    node_expect(node_attach_sender(&p, "out", 0, "flow/Publishers/truck"),
                "attach[out 0 true 2 0 @28*");
    hub_unref(hub);
    node_hang_up(&other);
    end(&rig, &p);
}

/* ---- hubs that change ------------------------------------------------------------------------------------------- */

static void set_status(struct node_rig *rig, enum hub_status status)
{
    struct rf_err err;
    struct hub_facts facts;
    struct hub *hub = node_hub(rig, "flow");
    hub_facts(hub, &facts);
    struct hub_settings settings = {.name = facts.name,
                                    .id = facts.id,
                                    .partition_count = facts.partition_count,
                                    .status = status,
                                    .durable = true};
    cr_assert(hubs_set_hub(rig->hubs.space, &settings, &err) == RF_OK, "%s", err.text);
    hub_unref(hub);
}

Test(amqp_send, links_of_a_hub_that_is_disabled_or_deleted_are_detached)
{
    struct node_rig rig;
    struct node_peer p, reader;
    begin(&rig, &p, "flow");
    node_enter(&reader, &rig.server, "reader");
    node_expect(node_receive_from(&reader, 0, "flow/ConsumerGroups/$default/Partitions/0"),
                "attach[in0 0 false 0 0 @28*");
    set_status(&rig, HUB_SEND_DISABLED);
    node_expect(node_next(&p), "detach[0 true @1d[:com.microsoft:entity-disabled *");
    rig_write(&p.line.rig, 0, PERF_DETACH, "ub", 0u, 1);
    (void)node_attach_sender(&p, "out", 0, "flow");
    node_expect(node_next(&p), "detach[0 true @1d[:com.microsoft:entity-disabled *");
    rig_write(&p.line.rig, 0, PERF_DETACH, "ub", 0u, 1);
    node_expect_silence(&reader);
    set_status(&rig, HUB_ACTIVE);
    node_expect(node_attach_sender(&p, "out", 0, "flow"), "attach[out 0 true 2 0 @28*");
    hubs_drop_hub(rig.hubs.space, RF_S("flow"));
    node_expect(node_next(&p), "detach[0 true @1d[:amqp:resource-deleted *");
    node_expect(node_next(&reader), "detach[0 true @1d[:amqp:resource-deleted *");
    rig_write(&p.line.rig, 0, PERF_DETACH, "ub", 0u, 1);
    (void)node_attach_sender(&p, "out", 0, "flow");
    node_expect(node_next(&p), "detach[0 true @1d[:amqp:not-found *");
    node_hang_up(&reader);
    end(&rig, &p);
}

/* ---- idempotent links: contract, section 4.4 -------------------------------------------------------------------- */

static const char *attach_idempotent(struct node_peer *p, uint32_t handle, const char *address,
                                     int64_t id, int epoch, int sequence)
{
    struct rf_buf map = rf_buf_in(p->arena), capability = rf_buf_in(p->arena);
    char name[20];
    amqp_put_symbol(&capability, RF_S("com.microsoft:idempotent-producer"));
    size_t start = amqp_put_begin(&map);
    amqp_put_symbol(&map, RF_S("com.microsoft:producer-id"));
    if (id < 0)
        amqp_put_null(&map);
    else
        amqp_put_long(&map, id);
    amqp_put_symbol(&map, RF_S("com.microsoft:producer-epoch"));
    amqp_put_short(&map, (int16_t)epoch);
    amqp_put_symbol(&map, RF_S("com.microsoft:producer-sequence-number"));
    amqp_put_int(&map, sequence);
    amqp_put_end(&map, start, AMQP_MAP, 6);
    (void)snprintf(name, sizeof name, "id%u", handle);
    rig_write(&p->line.rig, 0, PERF_ATTACH, "subBB@[s]@[s]--u--xx", name, handle, 0, 2, 0,
              (unsigned)PERF_SOURCE, "here", (unsigned)PERF_TARGET, address, 0u,
              rf_buf_view(&capability), rf_buf_view(&map));
    line_send(&p->line);
    return node_next(p);
}

static rf_str numbered(struct rf_arena *arena, int64_t id, int16_t epoch, int32_t sequence)
{
    struct rf_buf buf = rf_buf_in(arena);
    amqp_put_descriptor(&buf, AMQP_MESSAGE_ANNOTATIONS);
    size_t map = amqp_put_begin(&buf);
    amqp_put_symbol(&buf, RF_S("com.microsoft:producer-id"));
    amqp_put_long(&buf, id);
    amqp_put_symbol(&buf, RF_S("com.microsoft:producer-epoch"));
    amqp_put_short(&buf, epoch);
    amqp_put_symbol(&buf, RF_S("com.microsoft:producer-sequence-number"));
    amqp_put_int(&buf, sequence);
    amqp_put_end(&buf, map, AMQP_MAP, 6);
    rf_buf_str(&buf, node_data(arena, "x"));
    return rf_buf_view(&buf);
}

static int64_t id_of(const char *attach)
{
    const char *at = strstr(attach, ":com.microsoft:producer-id ");
    cr_assert(at != NULL, "%s", attach);
    return strtoll(at + 27, NULL, 10);
}

Test(amqp_send, an_idempotent_link_stores_each_event_once)
{
    struct node_rig rig;
    struct node_peer p;
    node_rig_init(&rig);
    node_enter(&p, &rig.server, "writer");
    const char *got = attach_idempotent(&p, 0, "flow/Partitions/0", -1, 0, 0);
    node_expect(got, "attach[id0 0 true 2 0 @28* (:com.microsoft:idempotent-producer) - "
                     "{:com.microsoft:producer-id * :com.microsoft:producer-epoch 0 "
                     ":com.microsoft:producer-sequence-number -1}]");
    int64_t id = id_of(got);
    for (int32_t i = 0; i < 3; i++)
        node_expect(node_send(&p, 0, 0, numbered(p.arena, id, 0, i)), ACCEPTED);
    for (int32_t i = 0; i < 3; i++) /* repeats */
        node_expect(node_send(&p, 0, 0, numbered(p.arena, id, 0, i)), ACCEPTED);
    cr_assert(node_count(&rig, 0) == 3);
    node_expect(node_send(&p, 0, 0, numbered(p.arena, id, 0, 5)),
                "disposition[true * @25[@1d[:com.microsoft:out-of-order-sequence *");
    node_expect(node_send(&p, 0, 0, numbered(p.arena, id, 0, 3)), ACCEPTED);
    cr_assert(node_count(&rig, 0) == 4);
    node_detach(&p, 0);
    node_expect(attach_idempotent(&p, 0, "flow/Partitions/0", id, 0, 1),
                "attach[id0 0 *producer-epoch 0 :com.microsoft:producer-sequence-number 3}]");
    /* On a link without a partition, or with half of the properties, there is no such thing. */
    (void)attach_idempotent(&p, 1, "flow", -1, 0, 0);
    node_expect(node_next(&p), "detach[1 true @1d[:com.microsoft:argument-error *");
    end(&rig, &p);
}

/* Whoever comes with a higher epoch takes the producer over; whoever comes with a lower one is late. */
Test(amqp_send, a_higher_epoch_takes_an_idempotent_producer_over)
{
    struct node_rig rig;
    struct node_peer p, late, elsewhere;
    node_rig_init(&rig);
    node_enter(&p, &rig.server, "writer");
    node_enter(&late, &rig.server, "writer");
    node_enter(&elsewhere, &rig.server, "writer");
    int64_t id = id_of(attach_idempotent(&late, 0, "flow/Partitions/0", -1, 0, 0));
    node_expect(attach_idempotent(&elsewhere, 0, "flow/Partitions/1", id, 0, -1), "attach[id0 0 *");
    node_expect(node_send(&late, 0, 0, numbered(p.arena, id, 0, 0)), ACCEPTED);
    node_expect(attach_idempotent(&p, 0, "flow/Partitions/0", id, 1, -1),
                "attach[id0 0 *:com.microsoft:producer-epoch 1 *");
    node_expect(node_next(&late), "detach[0 true @1d[:com.microsoft:producer-epoch-stolen *");
    node_expect_silence(&elsewhere);
    node_expect(node_send(&p, 0, 0, numbered(p.arena, id, 1, 0)), ACCEPTED);
    rig_write(&late.line.rig, 0, PERF_DETACH, "ub", 0u, 1);
    node_expect(attach_idempotent(&late, 0, "flow/Partitions/0", id, 0, 0),
                "attach[id0 0 true 2 0 - *");
    node_expect(node_next(&late), "detach[0 true @1d[:com.microsoft:producer-epoch-stolen *");
    cr_assert(node_count(&rig, 0) == 2);
    node_hang_up(&elsewhere);
    node_hang_up(&late);
    end(&rig, &p);
}
