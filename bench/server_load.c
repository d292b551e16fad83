/* server_load - the clients of bench/server: each verb loads a running server in one way and prints "NAME NUMBER" lines.
 *
 *   server_load DIR tokens SECONDS CLIENTS       tokens for a client secret
 *   server_load DIR connect SECONDS CLIENTS      new TLS connections, full handshakes
 *   server_load DIR idle COUNT                   memory of the server with COUNT idle keep-alive TLS connections
 *   server_load DIR query TABLE TIMES            how long small queries take
 *   server_load DIR ingest NAME FILE gzip|plain CLIENTS   a file of `make` in pieces below a megabyte
 *   server_load DIR fill TABLE ROWS CLIENTS      short rows, as many as the table lacks
 *   server_load DIR start TIMES PROGRAM          starts the server in DIR that many times, and stops it
 *   server_load make FILE ROWS                   makes the file, and FILE.schema.json for the command line
 *   server_load run NAME ROWS PROGRAM WORD...    how long a command takes for so many rows
 *
 * DIR is the server's folder, with its bootstrap.json. PIDS in the environment names the server's processes: rates are told by the second
 * and by the second of their processor time, as clients that share the machine take theirs. */
#define _GNU_SOURCE /* wait4 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include "base/encode.h"
#include "base/json_out.h"
#include "net/client.h"

enum { CLIENTS_MAX = 64, PIDS_MAX = 16, PIECE_BYTES_MAX = 1000000, PAUSE_USEC = 200000 };

static _Noreturn void die(const char *what, rf_str detail)
{
    (void)fprintf(stderr, "server_load: %s: %.*s\n", what, (int)RF_MIN(detail.len, 500),
                  (const char *)detail.ptr);
    exit(1);
}

static double seconds_now(void) { return (double)rf_clock_elapsed(rf_clock_real()) / 1e6; }

/* ---- the server's processes ----------------------------------------------------------------------------------------- */

struct processes {
    int pids[PIDS_MAX];
    int count;
};

static struct processes processes_of(const char *text)
{
    struct processes all = {0};
    char *end;
    for (long pid; text != NULL && all.count < PIDS_MAX; text = end) {
        pid = strtol(text, &end, 10);
        if (end == text) break;
        all.pids[all.count++] = (int)pid;
    }
    return all;
}

/* Processor time so far, of all of them, in seconds. */
static double cpu_seconds(const struct processes *all)
{
    unsigned long ticks = 0;
    for (int i = 0; i < all->count; i++) {
        char path[64], text[1024];
        unsigned long user = 0, system = 0;
        (void)snprintf(path, sizeof path, "/proc/%d/stat", all->pids[i]);
        FILE *file = fopen(path, "r");
        size_t len = file == NULL ? 0 : fread(text, 1, sizeof text - 1, file);
        text[len] = '\0';
        /* The name in parentheses may hold anything. */
        const char *rest = strrchr(text, ')');
        if (rest == NULL || sscanf(rest + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
                                   &user, &system) != 2)
            die(path, RF_S("cannot be read"));
        ticks += user + system;
        (void)fclose(file);
    }
    return (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

static double resident_bytes(const struct processes *all)
{
    unsigned long resident = 0;
    for (int i = 0; i < all->count; i++) {
        char path[64];
        unsigned long pages = 0;
        (void)snprintf(path, sizeof path, "/proc/%d/statm", all->pids[i]);
        FILE *file = fopen(path, "r");
        if (file == NULL || fscanf(file, "%*u %lu", &pages) != 1) die(path, RF_S("cannot be read"));
        (void)fclose(file);
        resident += pages;
    }
    return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

/* With pages that processes share counted once. */
static double shared_once_bytes(const struct processes *all)
{
    unsigned long kilobytes = 0;
    for (int i = 0; i < all->count; i++) {
        char path[64], line[256];
        (void)snprintf(path, sizeof path, "/proc/%d/smaps_rollup", all->pids[i]);
        FILE *file = fopen(path, "r");
        if (file == NULL) die(path, RF_S("cannot be read"));
        while (fgets(line, sizeof line, file) != NULL)
            if (strncmp(line, "Pss:", 4) == 0) kilobytes += strtoul(line + 4, NULL, 10);
        (void)fclose(file);
    }
    return (double)kilobytes * 1024;
}

/* ---- calls ------------------------------------------------------------------------------------------------------------ */

struct load {
    struct rf_arena arena; /* of the run */
    struct json_node *boot;
    rf_str ca, https;
    uint16_t port;
    struct processes processes;
    atomic_bool over;
    atomic_uint_fast64_t next; /* piece */
};

/* One thread's end of it. */
struct client {
    struct load *load;
    struct http_client *http;
    struct rf_arena arena; /* of a call */
    pthread_t thread;
    uint64_t count;
    double longest;
};

static rf_str boot(const struct load *load, const char *name)
{
    return json_text_at(load->boot, name);
}

static rf_str read_file(struct rf_arena *arena, const char *path)
{
    FILE *file = fopen(path, "rb");
    long bytes = file == NULL || fseek(file, 0, SEEK_END) != 0 ? -1 : ftell(file);
    uint8_t *to = bytes < 0 ? NULL : rf_arena_alloc(arena, (size_t)bytes + 1);
    if (to == NULL || fseek(file, 0, SEEK_SET) != 0 ||
        fread(to, 1, (size_t)bytes, file) != (size_t)bytes)
        die("cannot read", rf_str_of(path));
    (void)fclose(file);
    return rf_str_make(to, (size_t)bytes);
}

static void load_init(struct load *load, const char *folder)
{
    struct rf_err err;
    rf_arena_init(&load->arena, (size_t)4 << 30);
    const char *path =
        rf_arena_cstr(&load->arena, rf_arena_printf(&load->arena, "%s/bootstrap.json", folder));
    if (json_parse(read_file(&load->arena, path), &load->arena, &load->boot, &err) != RF_OK)
        die(path, rf_str_of(err.text));
    load->ca = read_file(&load->arena, rf_arena_cstr(&load->arena, boot(load, "ca")));
    load->https = boot(load, "https");
    size_t colon = load->https.len;
    while (colon > 0 && load->https.ptr[colon - 1] != ':') colon--;
    load->port = (uint16_t)strtoul(
        rf_arena_cstr(&load->arena, rf_slice(load->https, colon, load->https.len)), NULL, 10);
    load->processes = processes_of(getenv("PIDS"));
}

static void client_init(struct client *client, struct load *load)
{
    struct rf_err err;
    *client = (struct client){.load = load};
    struct http_client_options options = {.ca_pem = load->ca};
    rf_arena_init(&client->arena, (size_t)64 << 20);
    if (http_client_new(&options, &client->http, &err) != RF_OK) die("client", rf_str_of(err.text));
}

static void client_done(struct client *client)
{
    http_client_free(client->http);
    rf_arena_done(&client->arena);
}

struct call {
    const char *method;
    rf_str path, token, type, coding, body;
};

/* The status; *answer lives until the client's next call. */
static uint16_t send_call(struct client *client, const struct call *call,
                          struct http_answer *answer)
{
    struct rf_err err;
    struct http_header headers[3];
    uint32_t count = 0;
    rf_arena_reset(&client->arena);
    rf_str url = rf_arena_printf(&client->arena, "%.*s%.*s", RF_FMT(client->load->https),
                                 RF_FMT(call->path));
    if (call->type.len > 0)
        headers[count++] = (struct http_header){RF_S("Content-Type"), call->type};
    if (call->coding.len > 0)
        headers[count++] = (struct http_header){RF_S("Content-Encoding"), call->coding};
    if (call->token.len > 0)
        headers[count++] = (struct http_header){
            RF_S("Authorization"),
            rf_arena_printf(&client->arena, "Bearer %.*s", RF_FMT(call->token))};
    if (http_client_call(client->http, call->method, url, headers, count, call->body,
                         &client->arena, answer, &err) != RF_OK)
        die("no answer", rf_str_of(err.text));
    return answer->status;
}

static void want(uint16_t status, uint16_t wanted, const struct http_answer *answer)
{
    if (status != wanted) die("refused", answer->body);
}

static struct call token_call(const struct load *load, struct rf_arena *arena, const char *scope)
{
    rf_str form = rf_arena_printf(
        arena, "grant_type=client_credentials&client_id=%.*s&client_secret=%.*s&scope=%s",
        RF_FMT(boot(load, "client_id")), RF_FMT(percent_encode(arena, boot(load, "client_secret"))),
        scope);
    return (struct call){
        .method = "POST",
        .path = rf_arena_printf(arena, "/%.*s/oauth2/v2.0/token", RF_FMT(boot(load, "tenant_id"))),
        .type = RF_S("application/x-www-form-urlencoded"),
        .body = form};
}

/* In the arena of the run. */
static rf_str fetch_token(struct client *client, const char *scope)
{
    struct load *load = client->load;
    struct call call = token_call(load, &load->arena, scope);
    struct http_answer answer;
    struct json_node *node;
    rf_str token;
    want(send_call(client, &call, &answer), 200, &answer);
    if (json_parse(answer.body, &client->arena, &node, NULL) != RF_OK ||
        !rf_arena_str(&load->arena, json_text_at(node, "access_token"), &token))
        die("token", answer.body);
    return token;
}

/* Runs `work` in so many threads; with `seconds` above 0 load->over is set after them. Gives the seconds that it took. */
static double run_clients(struct load *load, struct client *clients, int count, double seconds,
                          void *(*work)(void *))
{
    for (int i = 0; i < count; i++) client_init(&clients[i], load);
    atomic_store(&load->over, false);
    double begun = seconds_now();
    for (int i = 0; i < count; i++)
        if (pthread_create(&clients[i].thread, NULL, work, &clients[i]) != 0)
            die("thread", RF_S("cannot start"));
    if (seconds > 0) {
        (void)usleep((useconds_t)(seconds * 1e6));
        atomic_store(&load->over, true);
    }
    for (int i = 0; i < count; i++) pthread_join(clients[i].thread, NULL);
    double took = seconds_now() - begun;
    for (int i = 0; i < count; i++) client_done(&clients[i]);
    return took;
}

static uint64_t sum_counts(const struct client *clients, int count)
{
    uint64_t all = 0;
    for (int i = 0; i < count; i++) all += clients[i].count;
    return all;
}

static void print_rate(const char *name, double count, double took, double cpu)
{
    printf("%s.wall %.0f\n", name, count / took);
    if (cpu > 0) printf("%s.cpu %.0f\n", name, count / cpu);
}

/* ---- tokens ------------------------------------------------------------------------------------------------------------- */

static void *ask_tokens(void *arg)
{
    struct client *client = arg;
    struct http_answer answer;
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 16);
    struct call call = token_call(client->load, &arena, "https://monitor.azure.com/.default");
    while (!atomic_load(&client->load->over)) {
        want(send_call(client, &call, &answer), 200, &answer);
        client->count++;
    }
    return NULL;
}

static void measure_tokens(struct load *load, double seconds, int count)
{
    struct client clients[CLIENTS_MAX];
    double cpu = cpu_seconds(&load->processes);
    double took = run_clients(load, clients, count, seconds, ask_tokens);
    cpu = cpu_seconds(&load->processes) - cpu;
    print_rate("tokens", (double)sum_counts(clients, count), took, cpu);
}

/* ---- connections ---------------------------------------------------------------------------------------------------------- */

struct link {
    int fd;
    SSL *ssl;
};

static struct link dial(const struct load *load, SSL_CTX *context)
{
    struct sockaddr_in in = {.sin_family = AF_INET,
                             .sin_port = htons(load->port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct link link = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    if (link.fd < 0 || connect(link.fd, (struct sockaddr *)&in, sizeof in) != 0) {
        if (link.fd >= 0) (void)close(link.fd);
        return (struct link){-1, NULL};
    }
    link.ssl = SSL_new(context);
    if (link.ssl == NULL || SSL_set_fd(link.ssl, link.fd) != 1 || SSL_connect(link.ssl) != 1)
        die("TLS", RF_S("no handshake"));
    return link;
}

static void hang_up(struct link *link)
{
    SSL_free(link->ssl);
    (void)close(link->fd);
}

/* A small question that needs no token. */
static void ask_openly(const struct load *load, struct link *link)
{
    char request[512], answer[16384];
    int len = snprintf(request, sizeof request,
                       "GET /%.*s/v2.0/.well-known/openid-configuration HTTP/1.1\r\n"
                       "Host: localhost:%u\r\nAccept: */*\r\n\r\n",
                       RF_FMT(boot(load, "tenant_id")), load->port);
    if (SSL_write(link->ssl, request, len) != len ||
        SSL_read(link->ssl, answer, sizeof answer) < 12 || memcmp(answer + 9, "200", 3) != 0)
        die("GET", RF_S("no answer"));
}

static SSL_CTX *client_context(void)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    if (context == NULL) die("TLS", RF_S("no context"));
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    return context;
}

static void *keep_connecting(void *arg)
{
    struct client *client = arg;
    SSL_CTX *context = client_context();
    SSL_CTX_clear_mode(context, SSL_MODE_AUTO_RETRY);
    while (!atomic_load(&client->load->over)) {
        struct link link = dial(client->load, context);
        char none;
        if (link.ssl == NULL) die("connect", RF_S("refused"));
        (void)SSL_read(link.ssl, &none, 1); /* the ticket, which ends the server's handshake */
        hang_up(&link);
        client->count++;
    }
    SSL_CTX_free(context);
    return NULL;
}

static void measure_connect(struct load *load, double seconds, int count)
{
    struct client clients[CLIENTS_MAX];
    double cpu = cpu_seconds(&load->processes);
    double took = run_clients(load, clients, count, seconds, keep_connecting);
    cpu = cpu_seconds(&load->processes) - cpu;
    print_rate("connect", (double)sum_counts(clients, count), took, cpu);
}

static void measure_idle(const struct load *load, int count)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    SSL_CTX *context = client_context();
    struct link *links = calloc((size_t)count, sizeof *links), warm = dial(load, context);
    if (links == NULL || warm.ssl == NULL) die("idle", RF_S("cannot connect"));
    ask_openly(load, &warm);
    double before = resident_bytes(&load->processes);
    double pss_before = shared_once_bytes(&load->processes);
    for (int i = 0; i < count; i++) {
        links[i] = dial(load, context);
        if (links[i].ssl == NULL) die("idle", RF_S("cannot connect"));
        ask_openly(load, &links[i]);
    }
    double after = resident_bytes(&load->processes);
    double pss_after = shared_once_bytes(&load->processes);
    printf("idle.before %.1f\nidle.after %.1f\nidle.added %.1f\n", before / 1e6, after / 1e6,
           (after - before) / 1e6);
    printf("idle.pss %.1f\nidle.pss_added %.1f\n", pss_after / 1e6, (pss_after - pss_before) / 1e6);
    for (int i = 0; i < count; i++) hang_up(&links[i]);
    hang_up(&warm);
    free(links);
    SSL_CTX_free(context);
}

/* ---- rows -------------------------------------------------------------------------------------------------------------------- */

struct column {
    const char *name, *type; /* as a collection rule says it */
};
static const struct column wide[] = {
    {"TimeGenerated", "datetime"}, {"UserPrincipalName", "string"}, {"AppDisplayName", "string"},
    {"IPAddress", "string"},       {"Location", "string"},          {"ResultType", "string"},
    {"DurationMs", "long"},        {"RiskScore", "real"},           {"IsInteractive", "boolean"},
    {"CorrelationId", "string"},   {"DeviceDetail", "dynamic"},     {"Message", "string"}};
static const struct column narrow[] = {
    {"TimeGenerated", "datetime"}, {"Host", "string"}, {"Level", "string"}, {"Value", "long"}};
struct shape {
    const struct column *columns;
    size_t count;
};
static const struct shape wide_shape = {wide, RF_COUNT(wide)},
                          narrow_shape = {narrow, RF_COUNT(narrow)};

static uint64_t mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static int put_time(char *out, size_t cap, uint64_t row, time_t from)
{
    time_t at = from + (time_t)(row / 1000);
    struct tm tm;
    (void)gmtime_r(&at, &tm);
    return snprintf(out, cap, "{\"TimeGenerated\":\"%04d-%02d-%02dT%02d:%02d:%02d.%03uZ\"",
                    tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
                    (unsigned)(row % 1000));
}

/* A sign-in of some thousand people. */
static int put_wide(char *out, size_t cap, uint64_t row, time_t from)
{
    static const char *const apps[] = {"Azure Portal", "Office 365 Exchange Online",
                                       "Microsoft Teams", "Dispatch Board", "Fleet Console"};
    static const char *const places[] = {"NL", "DE", "BE", "FR", "PL", "US"};
    static const char *const results[] = {"0", "0", "0", "0", "0", "50126", "50074"};
    static const char *const systems[] = {"Windows 10", "Windows 11", "MacOs", "Ios"};
    uint64_t a = mix(row), b = mix(a), c = mix(b);
    unsigned user = (unsigned)(a % 4000);
    int len = put_time(out, cap, row, from);
    return len +
           snprintf(out + len, cap - (size_t)len,
                    ",\"UserPrincipalName\":\"user%u@contoso.example\",\"AppDisplayName\":\"%s\","
                    "\"IPAddress\":\"10.%u.%u.%u\",\"Location\":\"%s\",\"ResultType\":\"%s\","
                    "\"DurationMs\":%u,\"RiskScore\":%.3f,\"IsInteractive\":%s,"
                    "\"CorrelationId\":\"%08x-%04x-4%03x-8%03x-%012llx\","
                    "\"DeviceDetail\":{\"operatingSystem\":\"%s\",\"trusted\":%s,\"build\":%u},"
                    "\"Message\":\"sign-in of user%u to %s took %u ms\"}\n",
                    user, apps[b % 5], (unsigned)(a >> 16) % 8, (unsigned)(a >> 24) % 256,
                    (unsigned)(a >> 32) % 256, places[(b >> 8) % 6], results[(b >> 16) % 7],
                    (unsigned)(b >> 24) % 3000, (double)(c % 100000) / 1000,
                    (c >> 20 & 1) != 0 ? "true" : "false", (unsigned)a, (unsigned)(b & 0xffff),
                    (unsigned)(c & 0xfff), (unsigned)(c >> 12 & 0xfff),
                    (unsigned long long)(b >> 16), systems[(c >> 24) % 4],
                    (c >> 26 & 1) != 0 ? "true" : "false", (unsigned)(19000 + (c >> 27) % 3000),
                    user, apps[b % 5], (unsigned)(b >> 24) % 3000);
}

static int put_narrow(char *out, size_t cap, uint64_t row, time_t from)
{
    static const char *const levels[] = {"info", "info", "info", "warning", "error"};
    uint64_t a = mix(row);
    int len = put_time(out, cap, row, from);
    return len + snprintf(out + len, cap - (size_t)len,
                          ",\"Host\":\"host%u\",\"Level\":\"%s\",\"Value\":%u}\n",
                          (unsigned)(a % 500), levels[(a >> 12) % 5], (unsigned)(a >> 16) % 100000);
}

static const char *schema_type(const char *type)
{
    return strcmp(type, "boolean") == 0 ? "bool" : type;
}

static void make_file(const char *path, uint64_t rows)
{
    char line[1024], schema[1024];
    time_t from = time(NULL) - 3600;
    FILE *file = fopen(path, "w");
    if (file == NULL) die("cannot write", rf_str_of(path));
    for (uint64_t row = 0; row < rows; row++) {
        int len = put_wide(line, sizeof line, row, from);
        if (fwrite(line, 1, (size_t)len, file) != (size_t)len) die("write", rf_str_of(path));
    }
    if (fclose(file) != 0) die("write", rf_str_of(path));
    (void)snprintf(schema, sizeof schema, "%s.schema.json", path);
    file = fopen(schema, "w");
    if (file == NULL) die("cannot write", rf_str_of(schema));
    (void)fprintf(file, "{\"name\":\"Load_CL\",\"kind\":\"workspace\",\"columns\":[");
    for (size_t i = 0; i < RF_COUNT(wide); i++)
        (void)fprintf(file, "%s{\"name\":\"%s\",\"type\":\"%s\"}", i == 0 ? "" : ",", wide[i].name,
                      schema_type(wide[i].type));
    (void)fprintf(file, "]}\n");
    if (fclose(file) != 0) die("write", rf_str_of(schema));
}

/* ---- a table and the rule that leads there --------------------------------------------------------------------------------------- */

static void put_columns(struct json_out *out, const struct shape *shape)
{
    json_begin_array(out, "columns");
    for (size_t i = 0; i < shape->count; i++) {
        json_begin_object(out, NULL);
        json_put_text(out, "name", rf_str_of(shape->columns[i].name));
        json_put_text(out, "type", rf_str_of(shape->columns[i].type));
        json_end_object(out);
    }
    json_end_array(out);
}

static rf_str table_body(struct rf_arena *arena, const char *table, const struct shape *shape)
{
    struct rf_buf buf = rf_buf_in(arena);
    struct json_out out = json_out_to(&buf);
    json_begin_object(&out, NULL);
    json_begin_object(&out, "properties");
    json_begin_object(&out, "schema");
    json_put_text(&out, "name", rf_str_of(table));
    put_columns(&out, shape);
    json_end_object(&out);
    json_end_object(&out);
    json_end_object(&out);
    return rf_buf_view(&buf);
}

static rf_str rule_body(struct rf_arena *arena, const char *stream, const struct shape *shape,
                        rf_str workspace)
{
    struct rf_buf buf = rf_buf_in(arena);
    struct json_out out = json_out_to(&buf);
    json_begin_object(&out, NULL);
    json_put_text(&out, "location", RF_S("local"));
    json_put_text(&out, "kind", RF_S("Direct"));
    json_begin_object(&out, "properties");
    json_begin_object(&out, "streamDeclarations");
    json_begin_object(&out, stream);
    put_columns(&out, shape);
    json_end_object(&out);
    json_end_object(&out);
    json_put_raw(&out, "destinations",
                 rf_arena_printf(arena,
                                 "{\"logAnalytics\":[{\"name\":\"ws\",\"workspaceResourceId\":"
                                 "\"%.*s\"}]}",
                                 RF_FMT(workspace)));
    json_put_raw(&out, "dataFlows",
                 rf_arena_printf(arena,
                                 "[{\"streams\":[\"%s\"],\"destinations\":[\"ws\"],"
                                 "\"outputStream\":\"%s\"}]",
                                 stream, stream));
    json_end_object(&out);
    json_end_object(&out);
    return rf_buf_view(&buf);
}

static void put_resource(struct client *client, rf_str id, const char *version, rf_str token,
                         rf_str body, struct http_answer *answer)
{
    struct call call = {
        .method = "PUT",
        .path = rf_arena_printf(&client->load->arena, "%.*s?api-version=%s", RF_FMT(id), version),
        .token = token,
        .type = RF_S("application/json"),
        .body = body};
    uint16_t status = send_call(client, &call, answer);
    if (status < 200 || status > 202) die("refused", answer->body);
}

/* Makes the table and its rule, which is harmless again; the path to which rows are posted. */
static rf_str prepare(struct load *load, const char *table, const struct shape *shape)
{
    struct client client;
    struct http_answer answer;
    struct json_node *node;
    struct rf_arena *arena = &load->arena;
    client_init(&client, load);
    rf_str token = fetch_token(&client, "https://management.azure.com/.default");
    rf_str group = rf_arena_printf(arena, "/subscriptions/%.*s/resourceGroups/%.*s/providers",
                                   RF_FMT(boot(load, "subscription_id")),
                                   RF_FMT(boot(load, "resource_group")));
    rf_str workspace = rf_arena_printf(arena, "%.*s/Microsoft.OperationalInsights/workspaces/%.*s",
                                       RF_FMT(group), RF_FMT(boot(load, "workspace_name")));
    const char *stream = rf_arena_cstr(arena, rf_arena_printf(arena, "Custom-%s", table));
    put_resource(&client, rf_arena_printf(arena, "%.*s/tables/%s", RF_FMT(workspace), table),
                 "2022-10-01", token, table_body(arena, table, shape), &answer);
    put_resource(&client,
                 rf_arena_printf(arena, "%.*s/Microsoft.Insights/dataCollectionRules/load-%s",
                                 RF_FMT(group), table),
                 "2023-03-11", token, rule_body(arena, stream, shape, workspace), &answer);
    if (json_parse(answer.body, &client.arena, &node, NULL) != RF_OK) die("rule", answer.body);
    rf_str path =
        rf_arena_printf(arena, "/dataCollectionRules/%.*s/streams/%s?api-version=2023-01-01",
                        RF_FMT(json_text_at(node, "properties.immutableId")), stream);
    client_done(&client);
    return path;
}

/* ---- ingestion ------------------------------------------------------------------------------------------------------------------- */

struct pieces {
    struct load load; /* first: clients point to it */
    rf_str path, token, coding;
    rf_str *items;
    uint64_t count;
    uint64_t rows;
    /* Of `fill`, whose clients make their pieces. */
    uint64_t first_row, last_row;
    time_t from;
};

/* Lines become the members of an array. */
static rf_str piece_of(struct rf_arena *arena, rf_str lines)
{
    uint8_t *out = rf_arena_alloc(arena, lines.len + 2);
    if (out == NULL) die("memory", RF_S("a piece"));
    out[0] = '[';
    memcpy(out + 1, lines.ptr, lines.len);
    for (size_t i = 1; i < lines.len; i++)
        if (out[i] == '\n') out[i] = ',';
    out[lines.len] = ']'; /* in place of the last line's end */
    return rf_str_make(out, lines.len + 1);
}

static rf_str packed(struct rf_arena *arena, rf_str text)
{
    enum { GZIP_WINDOW = 15 + 16 };
    z_stream z = {0};
    if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY) !=
        Z_OK)
        die("gzip", RF_S("cannot start"));
    size_t cap = deflateBound(&z, text.len);
    z.next_in = (uint8_t *)(uintptr_t)text.ptr;
    z.avail_in = (unsigned)text.len;
    z.next_out = rf_arena_alloc(arena, cap);
    z.avail_out = (unsigned)cap;
    rf_str out = rf_str_make(z.next_out, 0);
    if (z.next_out == NULL || deflate(&z, Z_FINISH) != Z_STREAM_END) die("gzip", RF_S("failed"));
    out.len = z.total_out;
    (void)deflateEnd(&z);
    return out;
}

static void cut(struct pieces *p, rf_str text, bool gzip)
{
    struct rf_arena *arena = &p->load.arena;
    p->items = rf_arena_new(arena, rf_str, text.len / (PIECE_BYTES_MAX / 2) + 2);
    for (size_t at = 0; at < text.len;) {
        size_t end = RF_MIN(at + PIECE_BYTES_MAX, text.len);
        while (text.ptr[end - 1] != '\n') end--;
        rf_str piece = piece_of(arena, rf_slice(text, at, end));
        if (gzip) {
            RF_CLEANUP(rf_arena_done) struct rf_arena scratch;
            rf_arena_init(&scratch, 4 << 20);
            rf_str small = packed(&scratch, piece);
            if (!rf_arena_str(arena, small, &piece)) die("memory", RF_S("a piece"));
        }
        p->items[p->count++] = piece;
        at = end;
    }
    for (size_t i = 0; i < text.len; i++) p->rows += text.ptr[i] == '\n';
}

static void *send_pieces(void *arg)
{
    struct client *client = arg;
    struct pieces *p = (struct pieces *)client->load;
    struct http_answer answer;
    struct call call = {.method = "POST",
                        .path = p->path,
                        .token = p->token,
                        .type = RF_S("application/json"),
                        .coding = p->coding};
    for (uint64_t i; (i = atomic_fetch_add(&p->load.next, 1)) < p->count;) {
        call.body = p->items[i];
        want(send_call(client, &call, &answer), 204, &answer);
    }
    return NULL;
}

/* Waits until the server has come to rest, and gives its processor time then. */
static double cpu_at_rest(const struct processes *all)
{
    enum { QUIET = 15 };
    double cpu = cpu_seconds(all);
    for (int quiet = 0; quiet < QUIET; quiet++) {
        (void)usleep(PAUSE_USEC);
        double now = cpu_seconds(all);
        if (now - cpu > 0.02) quiet = 0;
        cpu = now;
    }
    return cpu;
}

static rf_str ingestion_token(struct load *load)
{
    struct client client;
    client_init(&client, load);
    rf_str token = fetch_token(&client, "https://monitor.azure.com/.default");
    client_done(&client);
    return token;
}

static void measure_ingest(struct pieces *p, const char *name, const char *path, bool gzip,
                           int count)
{
    struct client clients[CLIENTS_MAX];
    char table[128], label[128];
    (void)snprintf(table, sizeof table, "Load_%s_CL", name);
    p->path = prepare(&p->load, table, &wide_shape);
    p->token = ingestion_token(&p->load);
    p->coding = gzip ? RF_S("gzip") : (rf_str){0};
    rf_str text = read_file(&p->load.arena, path);
    cut(p, text, gzip);
    double before = cpu_at_rest(&p->load.processes);
    double took = run_clients(&p->load, clients, count, 0, send_pieces);
    double cpu = cpu_seconds(&p->load.processes) - before;
    (void)snprintf(label, sizeof label, "ingest.%s", name);
    print_rate(label, (double)p->rows, took, cpu);
    printf("%s.megabytes %.0f\n", label, (double)text.len / 1e6 / took);
    double whole = cpu_at_rest(&p->load.processes) - before;
    printf("%s.merged %.0f\n", label, (double)p->rows / whole);
}

static void *fill_pieces(void *arg)
{
    enum { ROWS_PER_PIECE = 10000, LINE_BYTES_MAX = 128 };
    struct client *client = arg;
    struct pieces *p = (struct pieces *)client->load;
    struct http_answer answer;
    char *text = malloc((size_t)ROWS_PER_PIECE * LINE_BYTES_MAX);
    struct rf_arena arena;
    if (text == NULL) die("memory", RF_S("a piece"));
    rf_arena_init(&arena, 8 << 20);
    for (;;) {
        uint64_t row = p->first_row + atomic_fetch_add(&p->load.next, 1) * ROWS_PER_PIECE;
        if (row >= p->last_row) break;
        uint64_t end = RF_MIN(row + ROWS_PER_PIECE, p->last_row);
        size_t len = 0;
        for (; row < end; row++)
            len += (size_t)put_narrow(text + len, LINE_BYTES_MAX, row, p->from);
        struct call call = {.method = "POST",
                            .path = p->path,
                            .token = p->token,
                            .type = RF_S("application/json"),
                            .body = piece_of(&arena, rf_str_make(text, len))};
        want(send_call(client, &call, &answer), 204, &answer);
        rf_arena_reset(&arena);
    }
    rf_arena_done(&arena);
    free(text);
    return NULL;
}

/* ---- queries ------------------------------------------------------------------------------------------------------------------------ */

static struct call query_call(const struct load *load, struct rf_arena *arena, rf_str token,
                              rf_str text)
{
    return (struct call){.method = "POST",
                         .path = rf_arena_printf(arena, "/v1/workspaces/%.*s/query",
                                                 RF_FMT(boot(load, "workspace_id"))),
                         .token = token,
                         .type = RF_S("application/json"),
                         .body = rf_arena_printf(arena, "{\"query\":\"%.*s\"}", RF_FMT(text))};
}

static uint64_t count_rows(struct load *load, const char *table)
{
    struct client client;
    struct http_answer answer;
    struct json_node *node;
    client_init(&client, load);
    rf_str token = fetch_token(&client, "https://api.loganalytics.io/.default");
    struct call call =
        query_call(load, &load->arena, token, rf_arena_printf(&load->arena, "%s | count", table));
    want(send_call(&client, &call, &answer), 200, &answer);
    if (json_parse(answer.body, &client.arena, &node, NULL) != RF_OK) die("query", answer.body);
    const struct json_node *rows = json_get(json_get(node, "tables")->first, "rows");
    uint64_t count = strtoull(rf_arena_cstr(&client.arena, rows->first->first->text), NULL, 10);
    client_done(&client);
    return count;
}

static void fill(struct pieces *p, const char *table, uint64_t rows, int count)
{
    struct client clients[CLIENTS_MAX];
    p->path = prepare(&p->load, table, &narrow_shape);
    p->token = ingestion_token(&p->load);
    p->first_row = count_rows(&p->load, table);
    p->last_row = rows;
    p->from = time(NULL) - 3 * 3600;
    if (p->first_row < rows) (void)run_clients(&p->load, clients, count, 0, fill_pieces);
    (void)cpu_at_rest(&p->load.processes);
    uint64_t there = count_rows(&p->load, table);
    printf("fill.rows %llu\n", (unsigned long long)there);
    if (there < rows) die(table, RF_S("rows are missing"));
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The middle of some calls, in milliseconds. */
static void measure_call(struct client *client, const struct call *call, const char *name,
                         int times)
{
    enum { WARM_UP = 5, TIMES_MAX = 1000 };
    double took[TIMES_MAX];
    struct http_answer answer;
    times = RF_MIN(times, TIMES_MAX);
    for (int i = -WARM_UP; i < times; i++) {
        double begun = seconds_now();
        want(send_call(client, call, &answer), 200, &answer);
        if (i >= 0) took[i] = (seconds_now() - begun) * 1e3;
    }
    qsort(took, (size_t)times, sizeof *took, by_size);
    printf("query.%s %.3f\n", name, took[times / 2]);
}

static void measure_queries(struct load *load, const char *table, int times)
{
    struct client client;
    struct rf_arena *arena = &load->arena;
    client_init(&client, load);
    rf_str token = fetch_token(&client, "https://api.loganalytics.io/.default");
    struct call calls[] = {
        {.method = "GET",
         .path = rf_arena_printf(arena, "/%.*s/v2.0/.well-known/openid-configuration",
                                 RF_FMT(boot(load, "tenant_id")))},
        query_call(load, arena, token, RF_S("print 1")),
        query_call(load, arena, token, rf_arena_printf(arena, "%s | take 10", table)),
        query_call(load, arena, token, rf_arena_printf(arena, "%s | count", table))};
    static const char *const names[] = {"none", "print", "take", "count"};
    for (size_t i = 0; i < RF_COUNT(calls); i++) measure_call(&client, &calls[i], names[i], times);
    client_done(&client);
}

/* ---- starts -------------------------------------------------------------------------------------------------------------------------- */

static pid_t spawn(const char *program, char *const *words, bool quiet)
{
    pid_t pid = fork();
    if (pid < 0) die("fork", rf_str_of(program));
    if (pid > 0) return pid;
    int null = quiet ? open("/dev/null", O_WRONLY) : -1;
    if (null >= 0 && (dup2(null, 1) < 0 || dup2(null, 2) < 0)) _exit(126);
    (void)execv(program, words);
    _exit(127);
}

static void measure_start(const struct load *load, const char *folder, int times,
                          const char *program)
{
    enum { TIMES_MAX = 100 };
    double listens[TIMES_MAX], answers[TIMES_MAX];
    const char *words[] = {program,          "serve",       "--data", folder,
                           "--listen-https", "127.0.0.1:0", NULL};
    SSL_CTX *context = client_context();
    times = RF_MIN(times, TIMES_MAX);
    for (int i = 0; i < times; i++) {
        double begun = seconds_now();
        pid_t pid = spawn(program, (char *const *)(uintptr_t)words, true);
        struct link link = {-1, NULL};
        int probe = -1;
        listens[i] = 0;
        struct sockaddr_in in = {.sin_family = AF_INET,
                                 .sin_port = htons(load->port),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        /* It listens before it answers: a first connection waits from then on. */
        while (listens[i] == 0) {
            probe = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
            if (connect(probe, (struct sockaddr *)&in, sizeof in) == 0)
                listens[i] = seconds_now() - begun;
            else
                (void)usleep(1000);
            (void)close(probe);
            if (waitpid(pid, NULL, WNOHANG) == pid) die(program, RF_S("ended"));
        }
        link = dial(load, context);
        if (link.ssl == NULL) die(program, RF_S("does not listen any more"));
        ask_openly(load, &link);
        answers[i] = seconds_now() - begun;
        hang_up(&link);
        (void)kill(pid, SIGTERM);
        (void)waitpid(pid, NULL, 0);
    }
    qsort(listens, (size_t)times, sizeof *listens, by_size);
    qsort(answers, (size_t)times, sizeof *answers, by_size);
    printf("start.listen %.3f\nstart.answer %.3f\nstart.longest %.3f\n", listens[times / 2],
           answers[times / 2], answers[times - 1]);
    SSL_CTX_free(context);
}

/* ---- a command --------------------------------------------------------------------------------------------------------------------------- */

static void measure_command(const char *name, double rows, char *const *words)
{
    struct rusage usage;
    int status;
    double begun = seconds_now();
    pid_t pid = spawn(words[0], words, true);
    if (wait4(pid, &status, 0, &usage) != pid || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
        die(words[0], RF_S("failed"));
    double took = seconds_now() - begun;
    double cpu = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                 (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    print_rate(name, rows, took, cpu);
}

/* ---- main ---------------------------------------------------------------------------------------------------------------------------------- */

static int usage(void)
{
    (void)fprintf(stderr, "server_load: see the head of bench/server_load.c\n");
    return 2;
}

static bool is(const char *word, const char *name) { return strcmp(word, name) == 0; }

int main(int argc, char **argv)
{
    static struct pieces p;
    (void)signal(SIGPIPE, SIG_IGN);
    if (argc >= 5 && is(argv[1], "run")) {
        measure_command(argv[2], strtod(argv[3], NULL), argv + 4);
        return 0;
    }
    if (argc == 4 && is(argv[1], "make")) {
        make_file(argv[2], strtoull(argv[3], NULL, 10));
        return 0;
    }
    if (argc < 4) return usage();
    load_init(&p.load, argv[1]);
    const char *verb = argv[2];
    int last = atoi(argv[argc - 1]);
    if (last < 1 && !is(verb, "start")) return usage();
    if (argc == 5 && is(verb, "tokens") && last <= CLIENTS_MAX)
        measure_tokens(&p.load, strtod(argv[3], NULL), last);
    else if (argc == 5 && is(verb, "connect") && last <= CLIENTS_MAX)
        measure_connect(&p.load, strtod(argv[3], NULL), last);
    else if (argc == 4 && is(verb, "idle"))
        measure_idle(&p.load, last);
    else if (argc == 5 && is(verb, "query"))
        measure_queries(&p.load, argv[3], last);
    else if (argc == 7 && is(verb, "ingest") && last <= CLIENTS_MAX)
        measure_ingest(&p, argv[3], argv[4], is(argv[5], "gzip"), last);
    else if (argc == 6 && is(verb, "fill") && last <= CLIENTS_MAX)
        fill(&p, argv[3], strtoull(argv[4], NULL, 10), last);
    else if (argc == 5 && is(verb, "start"))
        measure_start(&p.load, argv[1], atoi(argv[3]), argv[4]);
    else
        return usage();
    rf_arena_done(&p.load.arena);
    return 0;
}
