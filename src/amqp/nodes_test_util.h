/* nodes_test_util.h - for tests: the nodes on a server whose clock stands still until the test moves it, hubs in memory, and a client
 * that puts tokens, attaches links, sends messages and shows what came as text. */
#ifndef RF_AMQP_NODES_TEST_UTIL_H
#define RF_AMQP_NODES_TEST_UTIL_H

#include <stdio.h>
#include <stdlib.h>

#include "amqp/line_test_util.h"
#include "amqp/nodes_int.h"
#include "net/server.h"
#include "test/hub_rig.h"

#define NODE_KEY "QmFzZTY0U2FtcGxlS2V5Rm9yRG9jdW1lbnRhdGlvbiE="
#define NODE_TRACKING " TrackingId:*, SystemTracker:plant:eventhub:"
#define NODE_NOW INT64_C(1700000000000000)

/* ---- the server ------------------------------------------------------------------------------------------------- */

struct node_server {
    struct rf_clock_fixed *clock;
    struct server *server;
    struct amqp_nodes *nodes;
    uint16_t port;
};

RF_TEST_HELPER struct http_plan node_no_plan(void *ctx, const struct http_request *head)
{
    (void)ctx, (void)head;
    return (struct http_plan){0};
}

RF_TEST_HELPER void node_no_run(void *ctx, const struct http_request *request,
                                struct http_response *response, const atomic_bool *gone)
{
    (void)ctx, (void)request, (void)response, (void)gone;
}

RF_TEST_HELPER void node_no_refuse(void *ctx, const struct http_request *head, const char *why,
                                   struct http_response *response)
{
    (void)ctx, (void)head, (void)why, (void)response;
}

RF_TEST_HELPER void node_server_start(struct node_server *s, struct hubs *hubs,
                                      struct rf_clock_fixed *clock)
{
    struct rf_err err = {.text = ""};
    struct server_options options = {.handler = {NULL, node_no_plan, node_no_run, node_no_refuse},
                                     .loops = 1,
                                     .quick_workers = 2,
                                     .heavy_workers = 1,
                                     .clock = &clock->clock};
    struct amqp_nodes_options nodes = {.clock = &clock->clock};
    *s = (struct node_server){.clock = clock};
    cr_assert(server_new(&options, &s->server, &err) == RF_OK, "%s", err.text);
    cr_assert(amqp_nodes_new(&nodes, &s->nodes, &err) == RF_OK, "%s", err.text);
    cr_assert(amqp_nodes_listen(s->nodes, s->server, RF_S("127.0.0.1:0"), NULL, &s->port, &err) ==
                  RF_OK,
              "%s", err.text);
    cr_assert(amqp_nodes_start(s->nodes, hubs, &err) == RF_OK, "%s", err.text);
    cr_assert(server_start(s->server, &err) == RF_OK, "%s", err.text);
}

RF_TEST_HELPER void node_server_stop(struct node_server *s)
{
    server_stop(s->server, 0);
    amqp_nodes_stop(s->nodes);
    server_free(s->server);
    amqp_nodes_free(s->nodes);
}

/* Time passes; the loop has looked at the clock when a newcomer was answered. */
RF_TEST_HELPER void node_pass(struct node_server *s, int64_t seconds)
{
    struct line visitor;
    rf_clock_fixed_pass(s->clock, seconds * RF_USEC_PER_SECOND);
    line_open(&visitor, s->port);
    rf_buf_str(&visitor.rig.in, RF_S("AMQP\3\1\0\0"));
    line_send(&visitor);
    (void)line_take(&visitor, 8);
    line_close(&visitor);
}

/* ---- with hubs in memory ---------------------------------------------------------------------------------------- */

/* The namespace "plant" with the hubs "Flow" (4 partitions) and "other" (1); rules "root" (all rights), "writer" (Send) and "reader"
 * (Listen), all with NODE_KEY; the group "second" of Flow. */
struct node_rig {
    struct node_server server;
    struct rf_clock_fixed clock;
    struct hub_rig hubs;
    struct state *state;
    struct rf_arena arena;
    char folder[64];
};

RF_TEST_HELPER void node_rig_init(struct node_rig *rig)
{
    struct rf_err err;
    char path[96];
    *rig = (struct node_rig){.folder = "/tmp/ringfort-nodes-XXXXXX"};
    rf_arena_init(&rig->arena, 256u << 20);
    rf_clock_fixed_init(&rig->clock, NODE_NOW, 0);
    cr_assert(mkdtemp(rig->folder) != NULL);
    (void)snprintf(path, sizeof path, "%s/state.db", rig->folder);
    struct state_options state = {.path = path, .fleeting = true};
    cr_assert(state_open(&state, &rig->state, &err) == RF_OK, "%s", err.text);
    hub_rig_init(&rig->hubs, rig->state, &rig->clock.clock, false);
    hub_rig_add(&rig->hubs, "Flow", 4);
    hub_rig_add(&rig->hubs, "other", 1);
    hub_rig_rule(&rig->hubs, "", "root", NODE_KEY, RIGHT_SEND | RIGHT_LISTEN | RIGHT_MANAGE);
    hub_rig_rule(&rig->hubs, "", "writer", NODE_KEY, RIGHT_SEND);
    hub_rig_rule(&rig->hubs, "", "reader", NODE_KEY, RIGHT_LISTEN);
    cr_assert(hubs_set_group(rig->hubs.space, RF_S("Flow"), RF_S("second"), &err) == RF_OK);
    node_server_start(&rig->server, rig->hubs.hubs, &rig->clock);
}

RF_TEST_HELPER void node_rig_done(struct node_rig *rig)
{
    char command[96];
    node_server_stop(&rig->server);
    hub_rig_done(&rig->hubs);
    state_close(rig->state);
    rf_arena_done(&rig->arena);
    (void)snprintf(command, sizeof command, "rm -rf %s", rig->folder);
    cr_assert(system(command) == 0);
}

RF_TEST_HELPER struct hub *node_hub(struct node_rig *rig, const char *name)
{
    struct rf_err err;
    struct hub *hub;
    cr_assert(hub_find(rig->hubs.space, rf_str_of(name), &hub, &err) == RF_OK, "%s", err.text);
    return hub;
}

/* How many events the partition of Flow holds. */
RF_TEST_HELPER int64_t node_count(struct node_rig *rig, uint32_t partition)
{
    struct rf_err err;
    struct hub_partition_info info;
    struct hub *hub = node_hub(rig, "flow");
    cr_assert(hub_partition_info(hub, partition, &info, &err) == RF_OK, "%s", err.text);
    hub_unref(hub);
    return info.end - info.begin;
}

RF_TEST_HELPER int64_t node_count_all(struct node_rig *rig)
{
    int64_t count = 0;
    for (uint32_t i = 0; i < 4; i++) count += node_count(rig, i);
    return count;
}

RF_TEST_HELPER rf_str node_sas(struct node_rig *rig, const char *uri, const char *rule,
                               int64_t seconds)
{
    return hub_rig_sas(&rig->arena, &rig->clock.clock, uri, rule, RF_S(NODE_KEY), seconds);
}

/* ---- texts ------------------------------------------------------------------------------------------------------ */

/* `*` in the pattern stands for any text. */
RF_TEST_HELPER bool node_is_like(const char *text, const char *pattern)
{
    const char *star = NULL, *back = text;
    while (*text != '\0') {
        if (*pattern == '*') {
            star = pattern++;
            back = text;
        } else if (*pattern == *text) {
            pattern++;
            text++;
        } else if (star != NULL) {
            pattern = star + 1;
            text = ++back;
        } else {
            return false;
        }
    }
    while (*pattern == '*') pattern++;
    return *pattern == '\0';
}

#define node_expect(got, pattern)                                                                  \
    do {                                                                                           \
        const char *node_got = (got);                                                              \
        cr_assert(node_is_like(node_got, pattern), "got:\n%s\nexpected:\n%s", node_got, pattern);  \
    } while (0)

/* The sections of a message: "72{...} 75#6869". */
RF_TEST_HELPER const char *node_show(struct rf_arena *arena, rf_str message)
{
    struct amqp_section section;
    struct rf_buf out = rf_buf_in(arena);
    while (amqp_section_next(&message, &section)) {
        rf_buf_printf(&out, "%s%x", out.len > 0 ? " " : "", section.code);
        rig_show(&out, &section.value, 8);
    }
    cr_assert(message.len == 0, "the message cannot be read");
    rf_buf_byte(&out, 0);
    return (const char *)out.ptr;
}

/* ---- a client --------------------------------------------------------------------------------------------------- */

struct node_peer {
    struct line line;
    struct rf_arena *arena;
    uint32_t sent; /* transfers */
};

RF_TEST_HELPER void node_connect(struct node_peer *p, struct node_server *s)
{
    *p = (struct node_peer){0};
    line_open(&p->line, s->port);
    p->arena = &p->line.rig.arena;
}

RF_TEST_HELPER void node_hang_up(struct node_peer *p) { line_close(&p->line); }

/* The next frame that is no flow. */
RF_TEST_HELPER const char *node_next(struct node_peer *p)
{
    const char *frame;
    do {
        frame = line_frame(&p->line);
    } while (strncmp(frame, "flow", 4) == 0);
    return frame;
}

/* Sends what was written; nothing but flows may come before the answer to it. */
RF_TEST_HELPER void node_expect_silence(struct node_peer *p)
{
    rig_write(&p->line.rig, 1, PERF_BEGIN, "-uuu", 0u, 50000u, 50000u);
    rig_write(&p->line.rig, 1, PERF_END, "");
    line_send(&p->line);
    node_expect(node_next(p), "begin[1 *");
    node_expect(node_next(p), "end[*");
}

/* Without SASL, which is ANONYMOUS; a session on channel 0. */
RF_TEST_HELPER void node_open_as(struct node_peer *p, const char *host, uint32_t frame_bytes_max)
{
    rf_buf_str(&p->line.rig.in, RF_S("AMQP\0\1\0\0"));
    rig_write(&p->line.rig, 0, PERF_OPEN, "ssu", "peer", host, frame_bytes_max);
    rig_write(&p->line.rig, 0, PERF_BEGIN, "-uuu", 0u, 50000u, 50000u);
    line_send(&p->line);
    cr_assert(rf_str_eq(line_take(&p->line, 8), RF_S("AMQP\0\1\0\0")));
    node_expect(line_frame(&p->line), "open[*");
}

RF_TEST_HELPER void node_open(struct node_peer *p)
{
    node_open_as(p, "localhost", 65536);
    node_expect(line_frame(&p->line), "begin[0 *");
}

RF_TEST_HELPER void node_write_sasl(struct node_peer *p, uint64_t code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    rig_vwrite(&p->line.rig, FRAME_SASL_TYPE, 0, code, format, args);
    va_end(args);
}

/* The outcome of SASL: its frame, and behind a good one the connection is opened. */
RF_TEST_HELPER const char *node_log_in(struct node_peer *p, const char *mechanism, rf_str response)
{
    struct rf_buf encoded = rf_buf_in(p->arena);
    amqp_put_binary(&encoded, response);
    rf_buf_str(&p->line.rig.in, RF_S("AMQP\3\1\0\0"));
    node_write_sasl(p, PERF_SASL_INIT, "yx", mechanism, rf_buf_view(&encoded));
    line_send(&p->line);
    cr_assert(rf_str_eq(line_take(&p->line, 8), RF_S("AMQP\3\1\0\0")));
    node_expect(line_frame(&p->line), "mechanisms[(:MSSBCBS :PLAIN :ANONYMOUS :EXTERNAL)]");
    const char *outcome = line_frame(&p->line);
    if (node_is_like(outcome, "outcome[0*")) node_open(p);
    return outcome;
}

/* With a rule's rights for the whole connection. */
RF_TEST_HELPER void node_enter(struct node_peer *p, struct node_server *s, const char *rule)
{
    node_connect(p, s);
    rf_str response = rf_arena_printf(p->arena, "%c%s%c" NODE_KEY, '\0', rule, '\0');
    node_expect(node_log_in(p, "PLAIN", response), "outcome[0*");
}

/* A link to the server on channel 0. */
RF_TEST_HELPER const char *node_attach_sender(struct node_peer *p, const char *name,
                                              uint32_t handle, const char *address)
{
    rig_write(&p->line.rig, 0, PERF_ATTACH, "subBB@[s]@[s]--u", name, handle, 0, 2, 0,
              (unsigned)PERF_SOURCE, "here", (unsigned)PERF_TARGET, address, 0u);
    line_send(&p->line);
    return node_next(p);
}

/* A link to the peer, with a filter (ptr NULL: none) and properties (ptr NULL: none), both encoded, and a capability that is desired
 * (NULL: none). */
RF_TEST_HELPER const char *node_attach_receiver(struct node_peer *p, const char *name,
                                                uint32_t handle, const char *address, rf_str filter,
                                                rf_str properties, const char *capability)
{
    struct rf_buf null = rf_buf_in(p->arena), wanted = rf_buf_in(p->arena);
    amqp_put_null(&null);
    if (capability == NULL)
        amqp_put_null(&wanted);
    else
        amqp_put_symbol(&wanted, rf_str_of(capability));
    if (filter.ptr == NULL) filter = rf_buf_view(&null);
    if (properties.ptr == NULL) properties = rf_buf_view(&null);
    rig_write(&p->line.rig, 0, PERF_ATTACH, "subBB@[s------x]@[s]-----xx", name, handle, 1, 0, 0,
              (unsigned)PERF_SOURCE, address, filter, (unsigned)PERF_TARGET, name,
              rf_buf_view(&wanted), properties);
    line_send(&p->line);
    return node_next(p);
}

/* A filter with a selector, as clients write it. */
RF_TEST_HELPER void node_put_selector(struct rf_buf *buf, const char *selector)
{
    size_t map = amqp_put_begin(buf);
    amqp_put_symbol(buf, RF_S("apache.org:selector-filter:string"));
    rf_buf_byte(buf, 0);
    amqp_put_ulong(buf, UINT64_C(0x468C00000004));
    amqp_put_string(buf, rf_str_of(selector));
    amqp_put_end(buf, map, AMQP_MAP, 2);
}

RF_TEST_HELPER const char *node_receive_from(struct node_peer *p, uint32_t handle,
                                             const char *address)
{
    rf_str none = {NULL, 0};
    char name[16];
    (void)snprintf(name, sizeof name, "in%u", handle);
    return node_attach_receiver(p, name, handle, address, none, none, NULL);
}

RF_TEST_HELPER void node_credit(struct node_peer *p, uint32_t handle, uint32_t seen,
                                uint32_t credit, bool drains)
{
    rig_write(&p->line.rig, 0, PERF_FLOW, "uuuuuuu-b", 0u, 50000u, 0u, 50000u, handle, seen, credit,
              (int)drains);
    line_send(&p->line);
}

RF_TEST_HELPER void node_detach(struct node_peer *p, uint32_t handle)
{
    rig_write(&p->line.rig, 0, PERF_DETACH, "ub", handle, 1);
    line_send(&p->line);
    node_expect(node_next(p), "detach[*");
}

/* Writes a message in one frame; line_send sends it. */
RF_TEST_HELPER void node_put(struct node_peer *p, uint32_t handle, uint32_t format, bool settled,
                             rf_str message)
{
    uint32_t id = p->sent++;
    rig_write(&p->line.rig, 0, PERF_TRANSFER, "uutubbp", handle, id, id, format, (int)settled, 0,
              message);
}

RF_TEST_HELPER const char *node_send(struct node_peer *p, uint32_t handle, uint32_t format,
                                     rf_str message)
{
    node_put(p, handle, format, false, message);
    line_send(&p->line);
    return node_next(p);
}

/* The next message that comes, out of as many frames as it has. */
RF_TEST_HELPER rf_str node_receive(struct node_peer *p)
{
    struct rf_buf whole = rf_buf_in(p->arena);
    const char *frame;
    do {
        frame = node_next(p);
        node_expect(frame, "transfer[*");
        rf_buf_str(&whole, p->line.payload);
    } while (node_is_like(frame, "*true]"));
    return rf_buf_view(&whole);
}

/* ---- messages --------------------------------------------------------------------------------------------------- */

RF_TEST_HELPER rf_str node_data(struct rf_arena *arena, const char *text)
{
    struct rf_buf buf = rf_buf_in(arena);
    amqp_put_descriptor(&buf, AMQP_DATA);
    amqp_put_binary(&buf, rf_str_of(text));
    return rf_buf_view(&buf);
}

/* An event with one annotation; `key` NULL: without. */
RF_TEST_HELPER rf_str node_event(struct rf_arena *arena, const char *key, const char *value,
                                 const char *text)
{
    struct rf_buf buf = rf_buf_in(arena);
    if (key != NULL) {
        amqp_put_descriptor(&buf, AMQP_MESSAGE_ANNOTATIONS);
        size_t map = amqp_put_begin(&buf);
        amqp_put_symbol(&buf, rf_str_of(key));
        amqp_put_string(&buf, rf_str_of(value));
        amqp_put_end(&buf, map, AMQP_MAP, 2);
    }
    rf_buf_str(&buf, node_data(arena, text));
    return rf_buf_view(&buf);
}

RF_TEST_HELPER rf_str node_batch(struct rf_arena *arena, const rf_str *events, uint32_t count)
{
    struct rf_buf buf = rf_buf_in(arena);
    for (uint32_t i = 0; i < count; i++) {
        amqp_put_descriptor(&buf, AMQP_DATA);
        amqp_put_binary(&buf, events[i]);
    }
    return rf_buf_view(&buf);
}

/* ---- requests --------------------------------------------------------------------------------------------------- */

/* A pair of links for requests at `node`, handles 8 and 9; answers go to `reply`. */
RF_TEST_HELPER void node_attach_pair(struct node_peer *p, const char *node, const char *reply)
{
    rf_str none = {NULL, 0};
    node_expect(node_attach_sender(p, "ask", 8, node), "attach[ask 8 true *");
    node_expect(node_attach_receiver(p, reply, 9, node, none, none, NULL), "attach[* 9 false *");
    node_credit(p, 9, 0, 100, false);
}

struct node_request {
    const char *operation, *type, *name, *partition, *security, *reply_to; /* NULL: left out */
    rf_str token;                                                          /* ptr NULL: no body */
    rf_str id; /* message-id, encoded; ptr NULL: "m1" */
};

RF_TEST_HELPER void node_put_request(struct node_peer *p, const struct node_request *request)
{
    struct rf_buf buf = rf_buf_in(p->arena);
    const struct {
        const char *key, *value;
    } items[] = {{"operation", request->operation},
                 {"type", request->type},
                 {"name", request->name},
                 {"partition", request->partition},
                 {"security_token", request->security}};
    amqp_put_descriptor(&buf, AMQP_PROPERTIES);
    size_t list = amqp_put_begin(&buf);
    if (request->id.ptr == NULL)
        amqp_put_string(&buf, RF_S("m1"));
    else
        rf_buf_str(&buf, request->id);
    amqp_put_null(&buf);
    amqp_put_string(&buf, RF_S("$cbs"));
    amqp_put_null(&buf);
    if (request->reply_to == NULL)
        amqp_put_null(&buf);
    else
        amqp_put_string(&buf, rf_str_of(request->reply_to));
    amqp_put_end(&buf, list, AMQP_LIST, 5);
    amqp_put_descriptor(&buf, AMQP_APPLICATION_PROPERTIES);
    size_t map = amqp_put_begin(&buf);
    uint32_t count = 0;
    for (size_t i = 0; i < RF_COUNT(items); i++) {
        if (items[i].value == NULL) continue;
        amqp_put_string(&buf, rf_str_of(items[i].key));
        amqp_put_string(&buf, rf_str_of(items[i].value));
        count += 2;
    }
    amqp_put_end(&buf, map, AMQP_MAP, count);
    if (request->token.ptr != NULL) {
        amqp_put_descriptor(&buf, AMQP_BODY_VALUE);
        amqp_put_string(&buf, request->token);
    }
    node_put(p, 8, 0, true, rf_buf_view(&buf));
    line_send(&p->line);
}

RF_TEST_HELPER const char *node_ask(struct node_peer *p, const struct node_request *request)
{
    node_put_request(p, request);
    return node_show(p->arena, node_receive(p));
}

/* Puts a token by the links of node_attach_pair. */
RF_TEST_HELPER const char *node_put_token(struct node_peer *p, const char *type,
                                          const char *audience, rf_str token)
{
    struct node_request request = {
        .operation = "put-token", .type = type, .name = audience, .token = token};
    return node_ask(p, &request);
}

/* Without any right as yet. */
RF_TEST_HELPER void node_enter_unknown(struct node_peer *p, struct node_server *s)
{
    node_connect(p, s);
    node_open(p);
    node_attach_pair(p, "$cbs", "reply");
}

#define NODE_SAS "servicebus.windows.net:sastoken"

#endif
