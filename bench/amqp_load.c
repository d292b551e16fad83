/* amqp_load BOOTSTRAP [HUB [SECONDS]] - events into a hub of a running server over AMQP and TLS, on one connection: single messages of
 * 200 bytes, then batches as Azure's clients make them. Each is awaited to be safe before a rate is told. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "amqp/client.h"
#include "base/fs.h"
#include "base/json_tree.h"
#include "hub/event.h"

enum { EVENT_BYTES = 200, BATCH_EVENTS = 500, MEMORY_BYTES = 64 << 20, CHECK_EVERY = 256 };

struct load {
    struct rf_arena arena;
    struct amqp_client *client;
    rf_str ca;
    char host[256];
    uint16_t port;
    struct json_node *boot;
    const char *hub;
    double seconds;
};

static int fail(const char *what, const struct rf_err *err)
{
    fprintf(stderr, "amqp_load: %s: %s\n", what, err->text);
    return 1;
}

static enum rf_kind read_bootstrap(struct load *l, const char *path, struct rf_err *err)
{
    rf_str text;
    RF_TRY(rf_fs_read_all(rf_fs_real(), path, 1 << 20, &l->arena, &text, err));
    RF_TRY(json_parse(text, &l->arena, &l->boot, err));
    const char *ca = rf_arena_cstr(&l->arena, json_text_at(l->boot, "ca"));
    if (ca == NULL) return rf_fail_memory(err, &l->arena);
    if (ca[0] != '/') { /* beside the bootstrap */
        rf_str folder = rf_str_of(path);
        while (folder.len > 0 && folder.ptr[folder.len - 1] != '/') folder.len--;
        ca = rf_arena_cstr(&l->arena, rf_arena_printf(&l->arena, "%.*s%s", RF_FMT(folder), ca));
    }
    RF_TRY(rf_fs_read_all(rf_fs_real(), ca, 1 << 20, &l->arena, &l->ca, err));
    rf_str address = json_text_at(l->boot, "amqps");
    size_t colon = rf_str_find(address, RF_S(":"), 0);
    if (colon == SIZE_MAX || colon >= sizeof l->host)
        return RF_FAIL(err, RF_INVALID, "BadBootstrap", "the bootstrap names no amqps");
    (void)snprintf(l->host, sizeof l->host, "%.*s", (int)colon, (const char *)address.ptr);
    l->port = (uint16_t)strtoul((const char *)address.ptr + colon + 1, NULL, 10);
    return RF_OK;
}

static enum rf_kind connect_to(struct load *l, uint32_t *link, struct rf_err *err)
{
    const struct amqp_client_options options = {.host = l->host,
                                                .port = l->port,
                                                .ca_pem = l->ca,
                                                .user = json_text_at(l->boot, "hub.key_name"),
                                                .password = json_text_at(l->boot, "hub.key")};
    RF_TRY(amqp_client_open(&options, &l->client, err));
    return amqp_client_sender(l->client, rf_str_of(l->hub), link, err);
}

static double now(void) { return (double)rf_clock_elapsed(rf_clock_real()) / 1e6; }

static enum rf_kind send_for(struct load *l, uint32_t link, uint32_t format, rf_str message,
                             uint32_t events, const char *what, struct rf_err *err)
{
    double begin = now();
    uint64_t sent = 0;
    for (; sent % CHECK_EVERY != 0 || now() - begin < l->seconds; sent++)
        RF_TRY(amqp_client_send(l->client, link, format, message, err));
    RF_TRY(amqp_client_settle(l->client, err));
    double took = now() - begin;
    printf("%-34s %10.0f events/s, %7.1f MB/s\n", what, (double)(sent * events) / took,
           (double)(sent * events) * EVENT_BYTES / took / 1e6);
    return RF_OK;
}

static enum rf_kind run(struct load *l, struct rf_err *err)
{
    uint8_t body[EVENT_BYTES];
    struct rf_buf one = rf_buf_in(&l->arena), many = rf_buf_in(&l->arena);
    uint32_t link;
    memset(body, 'x', sizeof body);
    amqp_message(&one, rf_str_make(body, sizeof body), (rf_str){0});
    for (uint32_t i = 0; i < BATCH_EVENTS; i++) amqp_message_member(&many, rf_buf_view(&one));
    if (one.failed || many.failed) return rf_fail_memory(err, &l->arena);
    RF_TRY(connect_to(l, &link, err));
    RF_TRY(send_for(l, link, 0, rf_buf_view(&one), 1, "singles of 200 B, synced", err));
    return send_for(l, link, EVENT_BATCH_FORMAT, rf_buf_view(&many), BATCH_EVENTS,
                    "batches of 500 of 200 B, synced", err);
}

int main(int argc, char **argv)
{
    struct rf_err err;
    struct load l = {.hub = argc > 2 ? argv[2] : "telemetry",
                     .seconds = argc > 3 ? strtod(argv[3], NULL) : 3};
    if (argc < 2) {
        fprintf(stderr, "usage: amqp_load BOOTSTRAP [HUB [SECONDS]]\n");
        return 2;
    }
    rf_arena_init(&l.arena, MEMORY_BYTES);
    enum rf_kind kind = read_bootstrap(&l, argv[1], &err);
    if (kind == RF_OK) kind = run(&l, &err);
    amqp_client_close(l.client);
    int status = kind == RF_OK ? 0 : fail("failed", &err);
    rf_arena_done(&l.arena);
    return status;
}
