/* fleet_load BOOTSTRAP HUB FOLDER DEVICES SECONDS NEEDLES - a fleet of devices that report once a second each, a third of them over
 * AMQP, over AMQP in WebSocket, and over Kafka, every one on a connection of its own. FOLDER has dev-000.pem and dev-000.key, and so
 * on, as `ringfort device enrol` makes them; "-": all use the hub's key of the bootstrap instead.
 *
 * NEEDLES of the reports, spread over the time, the devices and the protocols, have the State "tampered". Prints a line for each of
 * these, "needle,device,protocol,sent" (microseconds since 1970), and at the end "total,COUNT", when all of them are known to be
 * safe. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <librdkafka/rdkafka.h>

#include "amqp/client.h"
#include "base/encode.h"
#include "base/fs.h"
#include "base/json_tree.h"

enum { MEMORY_BYTES = 256 << 20, FILE_BYTES_MAX = 1 << 20, TEXT_BYTES = 512, FLUSH_MS = 30000 };

enum protocol { OVER_AMQP, OVER_WEBSOCKET, OVER_KAFKA, PROTOCOL_COUNT };
static const char *const protocol_names[] = {"amqp", "websocket", "kafka"};

struct device {
    enum protocol protocol;
    char name[16];
    struct amqp_client *amqp;
    uint32_t link;
    rd_kafka_t *kafka;
};

struct load {
    struct rf_arena arena;
    struct json_node *boot;
    const char *ca_path, *hub, *folder;
    rf_str ca;
    struct device *devices;
    uint32_t count, needles;
    double seconds;
    struct rf_arena report; /* of the one being sent */
};

static rf_usec now_usec(void) { return rf_clock_now(rf_clock_real()); }

/* "host:port", or a URL with both. */
static enum rf_kind address_of(struct load *l, const char *member, const char **host,
                               uint16_t *port, struct rf_err *err)
{
    rf_str text = json_text_at(l->boot, member);
    size_t scheme = rf_str_find(text, RF_S("://"), 0);
    if (scheme != SIZE_MAX) text = rf_slice(text, scheme + 3, text.len);
    size_t colon = rf_str_find(text, RF_S(":"), 0);
    if (colon == SIZE_MAX)
        return RF_FAIL(err, RF_INVALID, "BadBootstrap", "the bootstrap names no %s", member);
    *host = rf_arena_cstr(&l->arena, rf_slice(text, 0, colon));
    const char *digits = rf_arena_cstr(&l->arena, rf_slice(text, colon + 1, text.len));
    if (*host == NULL || digits == NULL) return rf_fail_memory(err, &l->arena);
    *port = (uint16_t)strtoul(digits, NULL, 10);
    return RF_OK;
}

static enum rf_kind read_bootstrap(struct load *l, const char *path, struct rf_err *err)
{
    rf_str text;
    RF_TRY(rf_fs_read_all(rf_fs_real(), path, FILE_BYTES_MAX, &l->arena, &text, err));
    RF_TRY(json_parse(text, &l->arena, &l->boot, err));
    rf_str folder = rf_str_of(path), ca = json_text_at(l->boot, "ca");
    while (folder.len > 0 && folder.ptr[folder.len - 1] != '/') folder.len--;
    if (ca.len > 0 && ca.ptr[0] == '/') folder.len = 0;
    l->ca_path = rf_arena_cstr(&l->arena,
                               rf_arena_printf(&l->arena, "%.*s%.*s", RF_FMT(folder), RF_FMT(ca)));
    if (l->ca_path == NULL) return rf_fail_memory(err, &l->arena);
    return rf_fs_read_all(rf_fs_real(), l->ca_path, FILE_BYTES_MAX, &l->arena, &l->ca, err);
}

static bool has_certificates(const struct load *l) { return strcmp(l->folder, "-") != 0; }

static const char *file_of(struct load *l, const struct device *device, const char *kind)
{
    return rf_arena_cstr(&l->arena,
                         rf_arena_printf(&l->arena, "%s/%s.%s", l->folder, device->name, kind));
}

/* ---- connections ------------------------------------------------------------------------------------------------ */

static enum rf_kind connect_amqp(struct load *l, struct device *device, struct rf_err *err)
{
    struct amqp_client_options options = {.ca_pem = l->ca,
                                          .over_websocket = device->protocol == OVER_WEBSOCKET};
    rf_str target = rf_str_of(l->hub);
    RF_TRY(address_of(l, options.over_websocket ? "https" : "amqps", &options.host, &options.port,
                      err));
    if (has_certificates(l)) {
        RF_TRY(rf_fs_read_all(rf_fs_real(), file_of(l, device, "pem"), FILE_BYTES_MAX, &l->arena,
                              &options.certificate_pem, err));
        RF_TRY(rf_fs_read_all(rf_fs_real(), file_of(l, device, "key"), FILE_BYTES_MAX, &l->arena,
                              &options.key_pem, err));
        target = rf_arena_printf(&l->arena, "%s/Publishers/%s", l->hub, device->name);
    } else {
        options.user = json_text_at(l->boot, "hub.key_name");
        options.password = json_text_at(l->boot, "hub.key");
    }
    RF_TRY(amqp_client_open(&options, &device->amqp, err));
    return amqp_client_sender(device->amqp, target, &device->link, err);
}

static void set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char why[TEXT_BYTES];
    if (rd_kafka_conf_set(conf, name, value, why, sizeof why) == RD_KAFKA_CONF_OK) return;
    fprintf(stderr, "fleet_load: %s: %s\n", name, why);
    exit(1);
}

static void on_delivery(rd_kafka_t *kafka, const rd_kafka_message_t *message, void *opaque)
{
    (void)kafka, (void)opaque;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) return;
    fprintf(stderr, "fleet_load: kafka: %s\n", rd_kafka_err2str(message->err));
    exit(1);
}

static enum rf_kind connect_kafka(struct load *l, struct device *device, struct rf_err *err)
{
    char why[TEXT_BYTES];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    const char *servers = rf_arena_cstr(&l->arena, json_text_at(l->boot, "kafka"));
    set(conf, "bootstrap.servers", servers == NULL ? "" : servers);
    set(conf, "ssl.ca.location", l->ca_path);
    set(conf, "linger.ms", "0");
    if (has_certificates(l)) {
        set(conf, "security.protocol", "SSL");
        set(conf, "ssl.certificate.location", file_of(l, device, "pem"));
        set(conf, "ssl.key.location", file_of(l, device, "key"));
    } else {
        rf_str text = rf_arena_printf(
            &l->arena, "Endpoint=sb://localhost/;SharedAccessKeyName=%.*s;SharedAccessKey=%.*s",
            RF_FMT(json_text_at(l->boot, "hub.key_name")),
            RF_FMT(json_text_at(l->boot, "hub.key")));
        set(conf, "security.protocol", "SASL_SSL");
        set(conf, "sasl.mechanisms", "PLAIN");
        set(conf, "sasl.username", "$ConnectionString");
        set(conf, "sasl.password", rf_arena_cstr(&l->arena, text));
    }
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    device->kafka = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    if (device->kafka == NULL) return RF_FAIL(err, RF_IO, "ConnectFailed", "%s", why);
    /* It connects when it has something to do: a device that is on its way has done so long ago. */
    const struct rd_kafka_metadata *metadata;
    rd_kafka_resp_err_t failed = rd_kafka_metadata(device->kafka, 1, NULL, &metadata, FLUSH_MS);
    if (failed != RD_KAFKA_RESP_ERR_NO_ERROR)
        return RF_FAIL(err, RF_IO, "ConnectFailed", "%s", rd_kafka_err2str(failed));
    rd_kafka_metadata_destroy(metadata);
    return RF_OK;
}

static enum rf_kind connect_all(struct load *l, struct rf_err *err)
{
    l->devices = rf_arena_new(&l->arena, struct device, l->count);
    if (l->devices == NULL) return rf_fail_memory(err, &l->arena);
    for (uint32_t i = 0; i < l->count; i++) {
        struct device *device = &l->devices[i];
        device->protocol = (enum protocol)(i % PROTOCOL_COUNT);
        (void)snprintf(device->name, sizeof device->name, "dev-%03u", i);
        RF_TRY(device->protocol == OVER_KAFKA ? connect_kafka(l, device, err)
                                              : connect_amqp(l, device, err));
    }
    return RF_OK;
}

/* ---- reports ---------------------------------------------------------------------------------------------------- */

static enum rf_kind send_report(struct load *l, struct device *device, int64_t needle,
                                struct rf_err *err)
{
    rf_usec sent = now_usec();
    rf_arena_reset(&l->report);
    struct rf_buf message = rf_buf_in(&l->report);
    rf_str body = rf_arena_printf(
        &l->report,
        "{\"TimeGenerated\":\"%.*s\",\"DeviceId\":\"%s\",\"State\":\"%s\","
        "\"Reading\":%.2f,\"Needle\":%lld,\"Sent\":%lld}",
        RF_FMT(time_iso(&l->report, sent)), device->name, needle < 0 ? "flying" : "tampered",
        (double)(sent % 1000) / 10, (long long)needle, (long long)sent);
    if (body.ptr == NULL) return rf_fail_memory(err, &l->report);
    if (needle >= 0)
        printf("%lld,%s,%s,%lld\n", (long long)needle, device->name,
               protocol_names[device->protocol], (long long)sent);
    if (device->protocol == OVER_KAFKA) {
        rd_kafka_resp_err_t why =
            rd_kafka_producev(device->kafka, RD_KAFKA_V_TOPIC(l->hub),
                              RD_KAFKA_V_KEY(device->name, strlen(device->name)),
                              RD_KAFKA_V_VALUE((void *)(uintptr_t)body.ptr, body.len),
                              RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
        (void)rd_kafka_poll(device->kafka, 0);
        if (why == RD_KAFKA_RESP_ERR_NO_ERROR) return RF_OK;
        return RF_FAIL(err, RF_IO, "ConnectFailed", "%s", rd_kafka_err2str(why));
    }
    amqp_message(&message, body, (rf_str){0});
    if (message.failed) return rf_fail_memory(err, &l->report);
    RF_TRY(amqp_client_send(device->amqp, device->link, 0, rf_buf_view(&message), err));
    return amqp_client_flush(device->amqp, err);
}

static void wait_until(rf_usec when)
{
    int64_t usec = when - now_usec();
    if (usec <= 0) return;
    struct timespec left = {.tv_sec = usec / RF_USEC_PER_SECOND,
                            .tv_nsec = usec % RF_USEC_PER_SECOND * 1000};
    while (nanosleep(&left, &left) != 0) continue;
}

/* Reports are spread evenly over the second; needle k is the report of its moment. */
static enum rf_kind report_all(struct load *l, uint64_t *total, struct rf_err *err)
{
    uint64_t reports = (uint64_t)(l->seconds * l->count);
    rf_usec begin = now_usec();
    for (uint64_t i = 0, needle = 0; i < reports; i++) {
        /* A stride without a common divisor with the number of protocols, so that all of them have needles. */
        bool is_needle = needle < l->needles && i >= needle * reports / l->needles + needle % 7;
        wait_until(begin + (rf_usec)((double)i * 1e6 / l->count));
        RF_TRY(send_report(l, &l->devices[i % l->count], is_needle ? (int64_t)needle : -1, err));
        needle += is_needle;
        ++*total;
    }
    return RF_OK;
}

static enum rf_kind settle_all(struct load *l, struct rf_err *err)
{
    for (uint32_t i = 0; i < l->count; i++) {
        if (l->devices[i].amqp != NULL) RF_TRY(amqp_client_settle(l->devices[i].amqp, err));
        if (l->devices[i].kafka != NULL && rd_kafka_flush(l->devices[i].kafka, FLUSH_MS) != 0)
            return RF_FAIL(err, RF_IO, "TimedOut", "kafka: reports were not acknowledged");
    }
    return RF_OK;
}

int main(int argc, char **argv)
{
    struct rf_err err;
    uint64_t total = 0;
    if (argc != 7) {
        fprintf(stderr, "usage: fleet_load BOOTSTRAP HUB FOLDER DEVICES SECONDS NEEDLES\n");
        return 2;
    }
    struct load l = {.hub = argv[2],
                     .folder = argv[3],
                     .count = (uint32_t)strtoul(argv[4], NULL, 10),
                     .seconds = strtod(argv[5], NULL),
                     .needles = (uint32_t)strtoul(argv[6], NULL, 10)};
    rf_arena_init(&l.arena, MEMORY_BYTES);
    rf_arena_init(&l.report, 1 << 20);
    enum rf_kind kind = read_bootstrap(&l, argv[1], &err);
    if (kind == RF_OK) kind = connect_all(&l, &err);
    if (kind == RF_OK) kind = report_all(&l, &total, &err);
    if (kind == RF_OK) kind = settle_all(&l, &err);
    if (kind == RF_OK) printf("total,%llu\n", (unsigned long long)total);
    for (uint32_t i = 0; i < l.count && l.devices != NULL; i++) {
        amqp_client_close(l.devices[i].amqp);
        if (l.devices[i].kafka != NULL) rd_kafka_destroy(l.devices[i].kafka);
    }
    if (kind != RF_OK) fprintf(stderr, "fleet_load: %s\n", err.text);
    rf_arena_done(&l.report);
    rf_arena_done(&l.arena);
    return kind == RF_OK ? 0 : 1;
}
