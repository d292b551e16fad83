/* amqp_load - events over AMQP 1.0 on one connection. Prints "NAME NUMBER" lines; rates are told when all of them are known to be safe.
 *
 *   amqp_load WHERE singles ADDRESS SECONDS            messages of 200 bytes, one by one, as many under way as credit allows
 *   amqp_load WHERE batches ADDRESS SECONDS            500 of them in a message, as Azure's clients send batches
 *   amqp_load WHERE turns ADDRESS SECONDS              one at a time: how long an acknowledgement takes
 *   amqp_load WHERE receive ADDRESS COUNT PARTITIONS   so many, from the first on; PARTITIONS 0: of a queue
 *
 * WHERE is the bootstrap.json of a server (TLS, SASL PLAIN with its key), or HOST:PORT of any broker that lets "guest" in without TLS.
 * AMQP_WINDOW in the environment: after so many messages the answers to all of them are awaited, for brokers that grant more credit than
 * they bear. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "amqp/client.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/json_tree.h"
#include "hub/event.h"

enum {
    EVENT_BYTES = 200,
    BATCH_EVENTS = 500,
    MEMORY_BYTES = 64 << 20,
    CHECK_EVERY = 256,
    RECEIVE_CREDIT = 5000,
    TURNS_MAX = 1 << 20
};
#define SILENCE_USEC_MAX (10 * RF_USEC_PER_SECOND)

struct load {
    struct rf_arena arena;
    struct amqp_client *client;
    rf_str ca, user, password;
    char host[256];
    uint16_t port;
    bool is_plain;
    rf_str address;
    double seconds;
    uint64_t count, window;
    uint32_t partitions;
};

static double now(void) { return (double)rf_clock_elapsed(rf_clock_real()) / 1e6; }

/* ---- the connection ----------------------------------------------------------------------------------------------------- */

static enum rf_kind split_address(struct load *l, rf_str address, struct rf_err *err)
{
    size_t colon = rf_str_find(address, RF_S(":"), 0);
    if (colon == SIZE_MAX || colon >= sizeof l->host)
        return RF_FAIL(err, RF_INVALID, "BadAddress", "'%.*s' is no HOST:PORT", RF_FMT(address));
    (void)snprintf(l->host, sizeof l->host, "%.*s", (int)colon, (const char *)address.ptr);
    l->port = (uint16_t)strtoul((const char *)address.ptr + colon + 1, NULL, 10);
    return RF_OK;
}

static enum rf_kind read_bootstrap(struct load *l, const char *path, struct rf_err *err)
{
    rf_str text;
    struct json_node *boot;
    RF_TRY(rf_fs_read_all(rf_fs_real(), path, 1 << 20, &l->arena, &text, err));
    RF_TRY(json_parse(text, &l->arena, &boot, err));
    const char *ca = rf_arena_cstr(&l->arena, json_text_at(boot, "ca"));
    if (ca == NULL) return rf_fail_memory(err, &l->arena);
    if (ca[0] != '/') { /* beside the bootstrap */
        rf_str folder = rf_str_of(path);
        while (folder.len > 0 && folder.ptr[folder.len - 1] != '/') folder.len--;
        ca = rf_arena_cstr(&l->arena, rf_arena_printf(&l->arena, "%.*s%s", RF_FMT(folder), ca));
    }
    RF_TRY(rf_fs_read_all(rf_fs_real(), ca, 1 << 20, &l->arena, &l->ca, err));
    l->user = json_text_at(boot, "hub.key_name");
    l->password = json_text_at(boot, "hub.key");
    return split_address(l, json_text_at(boot, "amqps"), err);
}

static enum rf_kind find_where(struct load *l, const char *where, struct rf_err *err)
{
    if (rf_str_ends(rf_str_of(where), RF_S(".json"))) return read_bootstrap(l, where, err);
    l->is_plain = true;
    l->user = l->password = RF_S("guest");
    return split_address(l, rf_str_of(where), err);
}

static enum rf_kind connect_to(struct load *l, struct rf_err *err)
{
    const struct amqp_client_options options = {.host = l->host,
                                                .port = l->port,
                                                .ca_pem = l->ca,
                                                .is_plain = l->is_plain,
                                                .user = l->user,
                                                .password = l->password};
    return amqp_client_open(&options, &l->client, err);
}

/* ---- sending --------------------------------------------------------------------------------------------------------------- */

static enum rf_kind make_messages(struct load *l, rf_str *one, rf_str *many, struct rf_err *err)
{
    uint8_t body[EVENT_BYTES];
    struct rf_buf single = rf_buf_in(&l->arena), batch = rf_buf_in(&l->arena);
    for (size_t i = 0; i < sizeof body; i++) body[i] = (uint8_t)(' ' + rf_hash_u64(i) % 95);
    amqp_message(&single, rf_str_make(body, sizeof body), (rf_str){0});
    for (uint32_t i = 0; i < BATCH_EVENTS; i++) amqp_message_member(&batch, rf_buf_view(&single));
    if (single.failed || batch.failed) return rf_fail_memory(err, &l->arena);
    *one = rf_buf_view(&single);
    *many = rf_buf_view(&batch);
    return RF_OK;
}

static void print_rate(const char *name, uint64_t events, double took, rf_usec cpu)
{
    printf("%s.events_s %.0f\n%s.mb_s %.1f\n%s.client_cpu_us %.2f\n", name, (double)events / took,
           name, (double)events * EVENT_BYTES / took / 1e6, name,
           (double)cpu / (double)RF_MAX(events, 1u));
}

static enum rf_kind send_for(struct load *l, uint32_t format, rf_str message, uint32_t events,
                             const char *name, struct rf_err *err)
{
    uint32_t link;
    uint64_t sent = 0;
    RF_TRY(amqp_client_sender(l->client, l->address, &link, err));
    rf_usec cpu = rf_clock_cpu();
    double begin = now();
    for (; sent % CHECK_EVERY != 0 || now() - begin < l->seconds; sent++) {
        if (l->window != 0 && sent % l->window == 0) RF_TRY(amqp_client_settle(l->client, err));
        RF_TRY(amqp_client_send(l->client, link, format, message, err));
    }
    RF_TRY(amqp_client_settle(l->client, err));
    print_rate(name, sent * events, now() - begin, rf_clock_cpu() - cpu);
    return RF_OK;
}

static enum rf_kind run_singles(struct load *l, struct rf_err *err)
{
    rf_str one, many;
    RF_TRY(make_messages(l, &one, &many, err));
    return send_for(l, 0, one, 1, "singles", err);
}

static enum rf_kind run_batches(struct load *l, struct rf_err *err)
{
    rf_str one, many;
    RF_TRY(make_messages(l, &one, &many, err));
    return send_for(l, EVENT_BATCH_FORMAT, many, BATCH_EVENTS, "batches", err);
}

static int by_size(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static enum rf_kind run_turns(struct load *l, struct rf_err *err)
{
    rf_str one, many;
    uint32_t link, count = 0;
    uint32_t *took = rf_arena_raw(&l->arena, uint32_t, TURNS_MAX);
    if (took == NULL) return rf_fail_memory(err, &l->arena);
    RF_TRY(make_messages(l, &one, &many, err));
    RF_TRY(amqp_client_sender(l->client, l->address, &link, err));
    for (double begin = now(); count < TURNS_MAX && now() - begin < l->seconds; count++) {
        double from = now();
        RF_TRY(amqp_client_send(l->client, link, 0, one, err));
        RF_TRY(amqp_client_settle(l->client, err));
        took[count] = (uint32_t)((now() - from) * 1e6);
    }
    qsort(took, count, sizeof *took, by_size);
    if (count > 0)
        printf("turns.us_p50 %u\nturns.us_p99 %u\n", took[count / 2], took[count * 99ull / 100]);
    return RF_OK;
}

/* ---- receiving --------------------------------------------------------------------------------------------------------------- */

static enum rf_kind attach_receivers(struct load *l, struct rf_err *err)
{
    uint32_t link;
    if (l->partitions == 0)
        return amqp_client_receiver(l->client, l->address, (rf_str){0}, RECEIVE_CREDIT, &link, err);
    for (uint32_t i = 0; i < l->partitions; i++) {
        rf_str source = rf_arena_printf(&l->arena, "%.*s/ConsumerGroups/$Default/Partitions/%u",
                                        RF_FMT(l->address), i);
        RF_TRY(amqp_client_receiver(l->client, source, (rf_str){0}, RECEIVE_CREDIT, &link, err));
    }
    return RF_OK;
}

static enum rf_kind run_receive(struct load *l, struct rf_err *err)
{
    uint32_t link;
    rf_str message;
    uint64_t got = 0;
    rf_usec cpu = rf_clock_cpu();
    double begin = now();
    RF_TRY(attach_receivers(l, err));
    for (; got < l->count; got++)
        RF_TRY(amqp_client_receive(l->client, SILENCE_USEC_MAX, &link, &message, err));
    print_rate("receive", got, now() - begin, rf_clock_cpu() - cpu);
    return RF_OK;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *verb;
        int words;
        enum rf_kind (*run)(struct load *l, struct rf_err *err);
    } verbs[] = {{"singles", 5, run_singles},
                 {"batches", 5, run_batches},
                 {"turns", 5, run_turns},
                 {"receive", 6, run_receive}};
    for (size_t i = 0; i < RF_COUNT(verbs); i++) {
        if (argc != verbs[i].words || strcmp(argv[2], verbs[i].verb) != 0) continue;
        struct rf_err err;
        const char *window = getenv("AMQP_WINDOW");
        struct load l = {.address = rf_str_of(argv[3]),
                         .seconds = strtod(argv[4], NULL),
                         .count = strtoull(argv[4], NULL, 10),
                         .window = window == NULL ? 0 : strtoull(window, NULL, 10),
                         .partitions = argc > 5 ? (uint32_t)strtoul(argv[5], NULL, 10) : 0};
        rf_arena_init(&l.arena, MEMORY_BYTES);
        enum rf_kind kind = find_where(&l, argv[1], &err);
        if (kind == RF_OK) kind = connect_to(&l, &err);
        if (kind == RF_OK) kind = verbs[i].run(&l, &err);
        amqp_client_close(l.client);
        if (kind != RF_OK) (void)fprintf(stderr, "amqp_load: %s: %s\n", argv[2], err.text);
        rf_arena_done(&l.arena);
        return kind == RF_OK ? 0 : 1;
    }
    (void)fprintf(stderr, "usage: amqp_load WHERE singles|batches|turns ADDRESS SECONDS |"
                          " receive ADDRESS COUNT PARTITIONS\n");
    return 2;
}
