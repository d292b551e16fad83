/* stream_load - what bench/streams asks of event hubs beside load: each verb prints "NAME NUMBER" lines.
 *
 *   stream_load disk FOLDER SECONDS            1 MiB writes with an fdatasync each, and small ones: the disk's own limits
 *   stream_load DIR hub NAME PARTITIONS        makes an event hub through ARM
 *   stream_load DIR idle HUB COUNT             memory of the server with so many AMQP connections at rest over TLS: each has a
 *                                              session, the two links to $cbs, its token, and a sender
 *   stream_load DIR many HUBS PARTITIONS       memory of the server with so many hubs more
 *   stream_load DIR capture HUB EVENTS         events of 200 B in Azure's batches into a table through a collection rule with a
 *                                              transformation: from the first send until all of them are counted by a query
 *
 * DIR is the server's folder, with its bootstrap.json. PIDS in the environment names the server's processes. */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "amqp/client.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/fs.h"
#include "base/json_tree.h"
#include "crypt/digest.h"
#include "hub/event.h"
#include "net/client.h"

enum {
    PIDS_MAX = 16,
    OPENERS = 4, /* threads that connect */
    SAMPLES_MAX = 1 << 18,
    BATCH_EVENTS = 500,
    EVENT_BYTES = 200,
    QUERIES_MAX = 2000
};

struct load {
    struct rf_arena arena;
    struct json_node *boot;
    rf_str ca;
    char host[256];
    uint16_t port; /* of AMQP */
    struct http_client *http;
    int pids[PIDS_MAX];
    int pid_count;
};

static _Noreturn void die(const char *what, rf_str detail)
{
    (void)fprintf(stderr, "stream_load: %s: %.*s\n", what, (int)RF_MIN(detail.len, 500),
                  (const char *)detail.ptr);
    exit(1);
}
static void check(enum rf_kind kind, const char *what, const struct rf_err *err)
{
    if (kind != RF_OK) die(what, rf_str_of(err->text));
}

static rf_usec now(void) { return rf_clock_elapsed(rf_clock_real()); }
static void rest(rf_usec usec)
{
    struct timespec time = {.tv_sec = usec / 1000000, .tv_nsec = usec % 1000000 * 1000};
    (void)nanosleep(&time, NULL);
}

/* ---- the server's processes ----------------------------------------------------------------------------------------- */

static void read_pids(struct load *l)
{
    char *end;
    for (const char *text = getenv("PIDS"); text != NULL && l->pid_count < PIDS_MAX; text = end) {
        long pid = strtol(text, &end, 10);
        if (end == text) break;
        l->pids[l->pid_count++] = (int)pid;
    }
}

/* Resident, of all of them, in megabytes. */
static double resident(const struct load *l)
{
    unsigned long pages = 0;
    for (int i = 0; i < l->pid_count; i++) {
        char path[64], line[256], *rss;
        (void)snprintf(path, sizeof path, "/proc/%d/statm", l->pids[i]);
        FILE *file = fopen(path, "r");
        if (file == NULL || fgets(line, sizeof line, file) == NULL)
            die(path, RF_S("cannot be read"));
        (void)fclose(file);
        (void)strtoul(line, &rss, 10); /* what is mapped comes first */
        pages += strtoul(rss, NULL, 10);
    }
    return (double)pages * (double)sysconf(_SC_PAGESIZE) / 1e6;
}

/* ---- the disk --------------------------------------------------------------------------------------------------------- */

static int by_size(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void measure_disk(const char *folder, double seconds)
{
    static uint8_t block[1 << 20];
    static uint32_t us[SAMPLES_MAX];
    char path[4096];
    size_t count = 0;
    for (size_t i = 0; i < sizeof block; i++) block[i] = (uint8_t)rf_hash_u64(i);
    (void)snprintf(path, sizeof path, "%s/disk", folder);
    int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) die("cannot make", rf_str_of(path));
    (void)unlink(path);
    rf_usec from = now(), until = from + (rf_usec)(seconds * 5e5), bytes = 0;
    for (; now() < until; bytes += (rf_usec)sizeof block)
        if (write(fd, block, sizeof block) != sizeof block || fdatasync(fd) != 0)
            die("cannot write", rf_str_of(path));
    printf("disk.mb_s %.1f\n", (double)bytes / (double)(now() - from));
    /* 1 kB, each a millisecond after the one before: what an acknowledged append takes at the least. */
    for (from = now(); count < SAMPLES_MAX && (double)count < seconds * 500; count++) {
        rf_usec due = from + (rf_usec)count * 1000, wait = due - now();
        if (wait > 0) rest(wait);
        rf_usec begun = now();
        if (write(fd, block, 1000) != 1000 || fdatasync(fd) != 0)
            die("cannot write", rf_str_of(path));
        us[count] = (uint32_t)(now() - begun);
    }
    qsort(us, count, sizeof *us, by_size);
    printf("disk.us_p50 %u\ndisk.us_p99 %u\n", us[count / 2], us[count * 99 / 100]);
    (void)close(fd);
}

/* ---- calls ------------------------------------------------------------------------------------------------------------ */

static rf_str boot(const struct load *l, const char *name) { return json_text_at(l->boot, name); }

static void open_load(struct load *l, const char *folder)
{
    struct rf_err err;
    rf_str text;
    const char *path =
        rf_arena_cstr(&l->arena, rf_arena_printf(&l->arena, "%s/bootstrap.json", folder));
    check(rf_fs_read_all(rf_fs_real(), path, 1 << 20, &l->arena, &text, &err), path, &err);
    check(json_parse(text, &l->arena, &l->boot, &err), path, &err);
    const char *ca = rf_arena_cstr(&l->arena, boot(l, "ca"));
    check(rf_fs_read_all(rf_fs_real(), ca, 1 << 20, &l->arena, &l->ca, &err), ca, &err);
    rf_str address = boot(l, "amqps");
    size_t colon = rf_str_find(address, RF_S(":"), 0);
    if (colon == SIZE_MAX || colon >= sizeof l->host) die(path, RF_S("names no amqps"));
    (void)snprintf(l->host, sizeof l->host, "%.*s", (int)colon, (const char *)address.ptr);
    l->port = (uint16_t)strtoul((const char *)address.ptr + colon + 1, NULL, 10);
    const struct http_client_options options = {.ca_pem = l->ca};
    check(http_client_new(&options, &l->http, &err), "client", &err);
    read_pids(l);
}

static rf_str call(struct load *l, const char *method, rf_str path, rf_str token, rf_str type,
                   rf_str body)
{
    struct rf_err err;
    struct http_answer answer;
    struct http_header headers[2] = {{RF_S("Content-Type"), type}};
    uint32_t count = 1;
    if (token.len > 0)
        headers[count++] = (struct http_header){
            RF_S("Authorization"), rf_arena_printf(&l->arena, "Bearer %.*s", RF_FMT(token))};
    rf_str url = rf_arena_printf(&l->arena, "%.*s%.*s", RF_FMT(boot(l, "https")), RF_FMT(path));
    check(http_client_call(l->http, method, url, headers, count, body, &l->arena, &answer, &err),
          "no answer", &err);
    if (answer.status < 200 || answer.status > 202) die("refused", answer.body);
    return answer.body;
}

static rf_str fetch_token(struct load *l, const char *scope)
{
    struct json_node *node;
    rf_str form = rf_arena_printf(
        &l->arena, "grant_type=client_credentials&client_id=%.*s&client_secret=%.*s&scope=%s",
        RF_FMT(boot(l, "client_id")), RF_FMT(percent_encode(&l->arena, boot(l, "client_secret"))),
        scope);
    rf_str answer =
        call(l, "POST",
             rf_arena_printf(&l->arena, "/%.*s/oauth2/v2.0/token", RF_FMT(boot(l, "tenant_id"))),
             (rf_str){0}, RF_S("application/x-www-form-urlencoded"), form);
    if (json_parse(answer, &l->arena, &node, NULL) != RF_OK) die("token", answer);
    return json_text_at(node, "access_token");
}

static rf_str group_path(struct load *l)
{
    return rf_arena_printf(&l->arena, "/subscriptions/%.*s/resourceGroups/%.*s/providers",
                           RF_FMT(boot(l, "subscription_id")), RF_FMT(boot(l, "resource_group")));
}

static void put(struct load *l, rf_str token, rf_str path, const char *version, rf_str body)
{
    path = rf_arena_printf(&l->arena, "%.*s?api-version=%s", RF_FMT(path), version);
    (void)call(l, "PUT", path, token, RF_S("application/json"), body);
}

static void put_hub(struct load *l, rf_str token, const char *name, uint32_t partitions)
{
    rf_str path = rf_arena_printf(&l->arena, "%.*s/Microsoft.EventHub/namespaces/%.*s/eventhubs/%s",
                                  RF_FMT(group_path(l)), RF_FMT(boot(l, "hub.namespace")), name);
    put(l, token, path, "2024-01-01",
        rf_arena_printf(&l->arena, "{\"properties\":{\"partitionCount\":%u}}", partitions));
}

static rf_str management_token(struct load *l)
{
    return fetch_token(l, "https://management.azure.com/.default");
}

/* ---- AMQP ---------------------------------------------------------------------------------------------------------------- */

static rf_str signature_token(struct load *l, rf_str uri)
{
    uint8_t mac[SHA256_BYTES];
    rf_str sr = percent_encode(&l->arena, uri);
    long long until = rf_clock_now(rf_clock_real()) / RF_USEC_PER_SECOND + 24L * 3600;
    rf_str text = rf_arena_printf(&l->arena, "%.*s\n%lld", RF_FMT(sr), until);
    digest_hmac_sha256(boot(l, "hub.key"), text, mac);
    rf_str sig = base64_encode(&l->arena, rf_str_make(mac, sizeof mac));
    return rf_arena_printf(&l->arena, "SharedAccessSignature sr=%.*s&sig=%.*s&se=%lld&skn=%.*s",
                           RF_FMT(sr), RF_FMT(percent_encode(&l->arena, sig)), until,
                           RF_FMT(boot(l, "hub.key_name")));
}

struct opener {
    const struct load *load;
    rf_str hub, uri, token;
    uint32_t count;
    struct amqp_client **clients;
    pthread_t thread;
};

static struct amqp_client *connect_to(const struct opener *o, uint32_t *link)
{
    struct rf_err err;
    struct amqp_client *client;
    const struct amqp_client_options options = {
        .host = o->load->host, .port = o->load->port, .ca_pem = o->load->ca};
    check(amqp_client_open(&options, &client, &err), "connect", &err);
    check(amqp_client_put_token(client, o->uri, RF_S("servicebus.windows.net:sastoken"), o->token,
                                &err),
          "put-token", &err);
    check(amqp_client_sender(client, o->hub, link, &err), "sender", &err);
    return client;
}

static void *open_many(void *ctx)
{
    struct opener *o = ctx;
    uint32_t link;
    for (uint32_t i = 0; i < o->count; i++) o->clients[i] = connect_to(o, &link);
    return NULL;
}

static struct opener opener_of(struct load *l, const char *hub)
{
    rf_str uri = rf_arena_printf(&l->arena, "sb://%s/%s", l->host, hub);
    return (struct opener){
        .load = l, .hub = rf_str_of(hub), .uri = uri, .token = signature_token(l, uri)};
}

static void raise_files(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0) return;
    files.rlim_cur = files.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &files);
}

static void measure_idle(struct load *l, const char *hub, uint32_t count)
{
    struct opener openers[OPENERS], like = opener_of(l, hub);
    struct amqp_client **clients = calloc(count, sizeof(struct amqp_client *));
    uint32_t link, given = 0;
    if (clients == NULL) die("idle", RF_S("no memory"));
    raise_files();
    struct amqp_client *warm = connect_to(&like, &link);
    double before = resident(l);
    rf_usec from = now();
    for (uint32_t i = 0; i < OPENERS; i++) {
        openers[i] = like;
        openers[i].clients = clients + given;
        openers[i].count = (count - given) / (OPENERS - i);
        given += openers[i].count;
        if (pthread_create(&openers[i].thread, NULL, open_many, &openers[i]) != 0)
            die("idle", RF_S("no thread"));
    }
    for (uint32_t i = 0; i < OPENERS; i++) (void)pthread_join(openers[i].thread, NULL);
    double seconds = (double)(now() - from) / 1e6;
    rest(2000000); /* what a connection was opened with is given back */
    double after = resident(l);
    printf("idle.mb %.1f\nidle.kb_each %.1f\nidle.opened_s %.0f\n", after - before,
           (after - before) * 1e3 / count, count / seconds);
    (void)fflush(stdout);
    amqp_client_close(warm);
    _exit(0); /* closing in order would take as long again */
}

/* ---- many partitions ------------------------------------------------------------------------------------------------------- */

static void measure_many(struct load *l, uint32_t hubs, uint32_t partitions)
{
    rf_str token = management_token(l);
    double before = resident(l);
    for (uint32_t i = 0; i < hubs; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "many%u", i);
        put_hub(l, token, name, partitions);
    }
    printf("many.mb %.1f\n", resident(l) - before);
}

/* ---- capture ------------------------------------------------------------------------------------------------------------------ */

#define TABLE "StreamLoad_CL"
static const char table_body[] =
    "{\"properties\":{\"schema\":{\"name\":\"" TABLE "\",\"columns\":["
    "{\"name\":\"TimeGenerated\",\"type\":\"datetime\"},{\"name\":\"Device\",\"type\":\"string\"},"
    "{\"name\":\"Speed\",\"type\":\"real\"},{\"name\":\"Note\",\"type\":\"string\"}]}}}";
static const char rule_format[] =
    "{\"location\":\"local\",\"properties\":{"
    "\"streamDeclarations\":{\"Custom-Load\":{\"columns\":["
    "{\"name\":\"TimeGenerated\",\"type\":\"datetime\"},{\"name\":\"Device\",\"type\":\"string\"},"
    "{\"name\":\"Speed\",\"type\":\"real\"},{\"name\":\"Note\",\"type\":\"string\"}]}},"
    "\"dataSources\":{\"dataImports\":{\"eventHub\":{\"name\":\"%s\",\"stream\":\"Custom-Load\","
    "\"consumerGroup\":\"$Default\"}}},"
    "\"destinations\":{\"logAnalytics\":[{\"workspaceResourceId\":\"%.*s\",\"name\":\"ws\"}]},"
    "\"dataFlows\":[{\"streams\":[\"Custom-Load\"],\"destinations\":[\"ws\"],"
    "\"transformKql\":\"source | extend Speed = Speed * 3.6\","
    "\"outputStream\":\"Custom-" TABLE "\"}]}}";

static void put_rule(struct load *l, const char *hub)
{
    rf_str token = management_token(l), group = group_path(l);
    rf_str workspace =
        rf_arena_printf(&l->arena, "%.*s/Microsoft.OperationalInsights/workspaces/%.*s",
                        RF_FMT(group), RF_FMT(boot(l, "workspace_name")));
    put(l, token, rf_arena_printf(&l->arena, "%.*s/tables/" TABLE, RF_FMT(workspace)), "2022-10-01",
        rf_str_of(table_body));
    put(l, token,
        rf_arena_printf(&l->arena, "%.*s/Microsoft.Insights/dataCollectionRules/stream-load",
                        RF_FMT(group)),
        "2023-03-11", rf_arena_printf(&l->arena, rule_format, hub, RF_FMT(workspace)));
}

static uint64_t count_rows(struct load *l, rf_str token)
{
    struct json_node *node;
    rf_str answer = call(
        l, "POST",
        rf_arena_printf(&l->arena, "/v1/workspaces/%.*s/query", RF_FMT(boot(l, "workspace_id"))),
        token, RF_S("application/json"), RF_S("{\"query\":\"" TABLE " | count\"}"));
    if (json_parse(answer, &l->arena, &node, NULL) != RF_OK) die("query", answer);
    const struct json_node *rows = json_get(json_get(node, "tables")->first, "rows");
    return strtoull(rf_arena_cstr(&l->arena, rows->first->first->text), NULL, 10);
}

/* A batch as Azure's clients send it: bodies of JSON. */
static rf_str make_batch(struct load *l, uint32_t number)
{
    struct rf_buf batch = rf_buf_in(&l->arena), event = rf_buf_in(&l->arena);
    for (uint32_t i = 0; i < BATCH_EVENTS; i++) {
        char body[EVENT_BYTES + 1];
        uint64_t r = rf_hash_u64(number * BATCH_EVENTS + i);
        int len = snprintf(body, sizeof body,
                           "{\"TimeGenerated\":\"2026-03-05T10:%02u:%02u.%03uZ\",\"Device\":"
                           "\"truck-%u\",\"Speed\":%u.%02u,\"Note\":\"",
                           (unsigned)(r % 60), (unsigned)(r >> 8) % 60, (unsigned)(r >> 16) % 1000,
                           (unsigned)(r >> 24) % 500, (unsigned)(r >> 32) % 40,
                           (unsigned)(r >> 40) % 100);
        for (; len < EVENT_BYTES - 2; len++)
            body[len] = (char)('a' + rf_hash_u64(r + (uint64_t)len) % 26);
        body[len] = '"', body[len + 1] = '}';
        event.len = 0;
        amqp_message(&event, rf_str_make(body, EVENT_BYTES), (rf_str){0});
        amqp_message_member(&batch, rf_buf_view(&event));
    }
    if (batch.failed || event.failed) die("batch", RF_S("no memory"));
    return rf_buf_view(&batch);
}

static void measure_capture(struct load *l, const char *hub, uint64_t events)
{
    enum { BATCHES = 16 };
    struct rf_err err;
    struct opener opener = opener_of(l, hub);
    rf_str batches[BATCHES];
    uint32_t link;
    put_rule(l, hub);
    rf_str token = fetch_token(l, "https://api.loganalytics.io/.default");
    for (uint32_t i = 0; i < BATCHES; i++) batches[i] = make_batch(l, i);
    uint64_t before = count_rows(l, token), sent = 0, there = 0;
    struct amqp_client *client = connect_to(&opener, &link);
    rf_usec from = now();
    for (uint32_t i = 0; sent < events; i++, sent += BATCH_EVENTS)
        check(amqp_client_send(client, link, EVENT_BATCH_FORMAT, batches[i % BATCHES], &err),
              "send", &err);
    check(amqp_client_settle(client, &err), "send", &err);
    double took = (double)(now() - from) / 1e6;
    printf("capture.sent_s %.0f\n", (double)sent / took);
    for (int i = 0; there < sent && i < QUERIES_MAX; i++) {
        if (i > 0) rest(50000);
        there = count_rows(l, token) - before;
    }
    took = (double)(now() - from) / 1e6;
    if (there != sent) die("capture", RF_S("rows are missing, or there twice"));
    printf("capture.events_s %.0f\n", (double)sent / took);
    amqp_client_close(client);
}

int main(int argc, char **argv)
{
    static struct load l;
    const char *verb = argc > 2 ? argv[2] : "";
    rf_arena_init(&l.arena, (size_t)1 << 30);
    if (argc == 4 && strcmp(argv[1], "disk") == 0) {
        measure_disk(argv[2], strtod(argv[3], NULL));
        return 0;
    }
    if (argc == 5 && strcmp(verb, "hub") == 0) {
        open_load(&l, argv[1]);
        put_hub(&l, management_token(&l), argv[3], (uint32_t)strtoul(argv[4], NULL, 10));
    } else if (argc == 5 && strcmp(verb, "idle") == 0) {
        open_load(&l, argv[1]);
        measure_idle(&l, argv[3], (uint32_t)strtoul(argv[4], NULL, 10));
    } else if (argc == 5 && strcmp(verb, "many") == 0) {
        open_load(&l, argv[1]);
        measure_many(&l, (uint32_t)strtoul(argv[3], NULL, 10),
                     (uint32_t)strtoul(argv[4], NULL, 10));
    } else if (argc == 5 && strcmp(verb, "capture") == 0) {
        open_load(&l, argv[1]);
        measure_capture(&l, argv[3], strtoull(argv[4], NULL, 10));
    } else {
        (void)fprintf(stderr,
                      "usage: stream_load disk FOLDER SECONDS | DIR hub NAME PARTITIONS | DIR "
                      "idle HUB COUNT | DIR many HUBS PARTITIONS | DIR capture HUB EVENTS\n");
        return 2;
    }
    http_client_free(l.http);
    rf_arena_done(&l.arena);
    return 0;
}
