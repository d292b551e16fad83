/* vault_load - loads a running server's vault and prints "NAME NUMBER" lines, for bench/vault.
 *
 *   vault_load FOLDER SECONDS CONNECTIONS WORD...    of: list get ec rsa
 *
 * FOLDER is the server's, with its bootstrap.json; SERVER and KEEPER in the environment name processes of it. Each of CONNECTIONS keep-alive
 * connections asks, waits for the answer and asks again:
 *   list   the names of secrets, which the keeper has no part in
 *   get    a secret's value
 *   ec     a signature with a key on P-256 (ES256)
 *   rsa    a signature with an RSA key of 2048 bits (RS256)
 * and of each is told: .wall, answers a second; .cpu, answers in a second of processor time of all of those processes, which counts as clients share the
 * machine; .server and .keeper, microseconds of processor time of each for one answer; .p50 and .p99, milliseconds. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/encode.h"
#include "base/json_out.h"
#include "net/client.h"

enum { CONNECTIONS_MAX = 256, PIDS_MAX = 16, TIMES_MAX = 1 << 18, ANSWER_BYTES = 16 << 10 };

static _Noreturn void die(const char *what, rf_str detail)
{
    (void)fprintf(stderr, "vault_load: %s: %.*s\n", what, (int)RF_MIN(detail.len, 500),
                  (const char *)detail.ptr);
    exit(1);
}

static double seconds_now(void) { return (double)rf_clock_elapsed(rf_clock_real()) / 1e6; }

/* ---- processes -------------------------------------------------------------------------------------------------------- */

/* Processor time so far of the processes in `text`, in seconds. */
static double cpu_seconds(const char *text)
{
    unsigned long ticks = 0;
    char *end;
    for (long pid; text != NULL; text = end) {
        char path[64], line[1024];
        unsigned long user = 0, system = 0;
        pid = strtol(text, &end, 10);
        if (end == text) break;
        (void)snprintf(path, sizeof path, "/proc/%ld/stat", pid);
        FILE *file = fopen(path, "r");
        size_t len = file == NULL ? 0 : fread(line, 1, sizeof line - 1, file);
        line[len] = '\0';
        /* The name in parentheses may hold anything. */
        const char *rest = strrchr(line, ')');
        if (rest == NULL || sscanf(rest + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
                                   &user, &system) != 2)
            die(path, RF_S("cannot be read"));
        ticks += user + system;
        (void)fclose(file);
    }
    return (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

/* ---- what is asked for -------------------------------------------------------------------------------------------------- */

struct load {
    struct rf_arena arena;
    struct json_node *boot;
    struct http_client *http;
    SSL_CTX *tls;
    rf_str host, token; /* of the vault, "name:port" */
    uint16_t port;
    rf_str request; /* whole, as it is sent */
    atomic_bool over;
};

static rf_str boot(const struct load *load, const char *name)
{
    return json_text_at(load->boot, name);
}

static rf_str read_file(struct rf_arena *arena, const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *to = rf_arena_alloc(arena, 1 << 20);
    if (file == NULL || to == NULL) die("cannot read", rf_str_of(path));
    size_t bytes = fread(to, 1, 1 << 20, file);
    (void)fclose(file);
    return rf_str_make(to, bytes);
}

/* The answer's body as an object; ends the program unless it is good. */
static struct json_node *ask(struct load *load, const char *method, rf_str url, rf_str body)
{
    struct rf_err err;
    struct http_answer answer;
    struct json_node *node;
    bool is_form = load->token.len == 0;
    struct http_header headers[2] = {
        {RF_S("Content-Type"),
         is_form ? RF_S("application/x-www-form-urlencoded") : RF_S("application/json")},
        {RF_S("Authorization"), rf_arena_printf(&load->arena, "Bearer %.*s", RF_FMT(load->token))}};
    if (http_client_call(load->http, method, url, headers, is_form ? 1 : 2, body, &load->arena,
                         &answer, &err) != RF_OK)
        die("no answer", rf_str_of(err.text));
    if (answer.status != 200) die("refused", answer.body);
    if (json_parse(answer.body, &load->arena, &node, &err) != RF_OK) die("answer", answer.body);
    return node;
}

static void load_init(struct load *load, const char *folder)
{
    struct rf_err err;
    rf_arena_init(&load->arena, (size_t)64 << 20);
    const char *path =
        rf_arena_cstr(&load->arena, rf_arena_printf(&load->arena, "%s/bootstrap.json", folder));
    if (json_parse(read_file(&load->arena, path), &load->arena, &load->boot, &err) != RF_OK)
        die(path, rf_str_of(err.text));
    rf_str ca = read_file(&load->arena, rf_arena_cstr(&load->arena, boot(load, "ca")));
    struct http_client_options options = {.ca_pem = ca};
    if (http_client_new(&options, &load->http, &err) != RF_OK) die("client", rf_str_of(err.text));
    load->tls = SSL_CTX_new(TLS_client_method()); /* whom it talks to was checked by load->http */
    if (load->tls == NULL) die("TLS", (rf_str){0});

    rf_str vault = boot(load, "vault_url"), scheme = RF_S("https://");
    while (rf_str_ends(vault, RF_S("/"))) vault.len--;
    load->host = rf_slice(vault, scheme.len, vault.len);
    size_t colon = load->host.len;
    while (colon > 0 && load->host.ptr[colon - 1] != ':') colon--;
    load->port = (uint16_t)strtoul(
        rf_arena_cstr(&load->arena, rf_slice(load->host, colon, load->host.len)), NULL, 10);
    rf_str form = rf_arena_printf(
        &load->arena, "grant_type=client_credentials&client_id=%.*s&client_secret=%.*s&scope=%s",
        RF_FMT(boot(load, "client_id")),
        RF_FMT(percent_encode(&load->arena, boot(load, "client_secret"))),
        "https%3A%2F%2Fvault.azure.net%2F.default");
    rf_str url = rf_arena_printf(&load->arena, "%.*s/%.*s/oauth2/v2.0/token",
                                 RF_FMT(boot(load, "https")), RF_FMT(boot(load, "tenant_id")));
    load->token = json_text_at(ask(load, "POST", url, form), "access_token");
}

/* The path of an id, "https://host/path". */
static rf_str path_of(rf_str id)
{
    size_t slash = rf_str_find(id, RF_S("/"), strlen("https://"));
    if (slash == SIZE_MAX) die("id", id);
    return rf_slice(id, slash, id.len);
}

static rf_str make(struct load *load, const char *method, const char *path, rf_str body)
{
    rf_str url =
        rf_arena_printf(&load->arena, "https://%.*s%s?api-version=7.4", RF_FMT(load->host), path);
    struct json_node *node = ask(load, method, url, body);
    rf_str id = json_text_at(node, "id");
    return path_of(id.len > 0 ? id : json_text_at(node, "key.kid"));
}

static rf_str request_of(struct load *load, const char *method, rf_str path, rf_str body)
{
    return rf_arena_printf(
        &load->arena,
        "%s %.*s?api-version=7.4 HTTP/1.1\r\nHost: %.*s\r\nAuthorization: Bearer "
        "%.*s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%.*s",
        method, RF_FMT(path), RF_FMT(load->host), RF_FMT(load->token), body.len, RF_FMT(body));
}

static rf_str sign_request(struct load *load, rf_str key, const char *algorithm)
{
    rf_str body = rf_arena_printf(
        &load->arena, "{\"alg\":\"%s\",\"value\":\"n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg\"}",
        algorithm);
    return request_of(load, "POST", rf_arena_printf(&load->arena, "%.*s/sign", RF_FMT(key)), body);
}

static rf_str prepare(struct load *load, const char *word)
{
    rf_str value = RF_S("{\"value\":\"0123456789abcdef0123456789abcdef\"}"),
           secret = make(load, "PUT", "/secrets/load", value);
    if (strcmp(word, "list") == 0) return request_of(load, "GET", RF_S("/secrets"), RF_S(""));
    if (strcmp(word, "get") == 0) return request_of(load, "GET", secret, RF_S(""));
    if (strcmp(word, "ec") == 0)
        return sign_request(load, make(load, "POST", "/keys/ec/create", RF_S("{\"kty\":\"EC\"}")),
                            "ES256");
    if (strcmp(word, "rsa") == 0)
        return sign_request(load, make(load, "POST", "/keys/rsa/create", RF_S("{\"kty\":\"RSA\"}")),
                            "RS256");
    die("no such load", rf_str_of(word));
}

/* ---- a connection -------------------------------------------------------------------------------------------------------- */

struct connection {
    struct load *load;
    pthread_t thread;
    atomic_uint_fast64_t count;
    float *times; /* milliseconds of an answer; TIMES_MAX at most are kept */
};

static SSL *dial(struct load *load)
{
    struct sockaddr_in in = {.sin_family = AF_INET,
                             .sin_port = htons(load->port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    size_t colon = rf_str_find(load->host, RF_S(":"), 0);
    char name[256];
    (void)snprintf(name, sizeof name, "%.*s", (int)RF_MIN(colon, load->host.len),
                   (const char *)load->host.ptr);
    if (fd < 0 || connect(fd, (struct sockaddr *)&in, sizeof in) != 0)
        die("cannot connect", load->host);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    SSL *ssl = SSL_new(load->tls);
    if (ssl == NULL || SSL_set_fd(ssl, fd) != 1 || SSL_set_tlsext_host_name(ssl, name) != 1 ||
        SSL_connect(ssl) != 1)
        die("TLS", RF_S("no handshake"));
    return ssl;
}

static bool is_whole(rf_str answer)
{
    size_t head = rf_str_find(answer, RF_S("\r\n\r\n"), 0);
    if (head == SIZE_MAX) return false;
    static const char *const names[] = {"Content-Length: ", "content-length: "};
    for (size_t i = 0; i < RF_COUNT(names); i++) {
        size_t at = rf_str_find(rf_slice(answer, 0, head), rf_str_of(names[i]), 0);
        if (at == SIZE_MAX) continue;
        size_t body = 0;
        for (at += strlen(names[i]); at < head && rf_is_digit(answer.ptr[at]); at++)
            body = 10 * body + (size_t)(answer.ptr[at] - '0');
        return answer.len >= head + 4 + body;
    }
    die("no length in", answer);
}

static void exchange(SSL *ssl, rf_str request)
{
    uint8_t bytes[ANSWER_BYTES];
    size_t have = 0;
    if (SSL_write(ssl, request.ptr, (int)request.len) <= 0) die("connection", RF_S("ended"));
    do {
        int got = SSL_read(ssl, bytes + have, (int)(sizeof bytes - have));
        if (got <= 0) die("connection", RF_S("ended"));
        have += (size_t)got;
    } while (!is_whole(rf_str_make(bytes, have)));
    if (!rf_str_starts(rf_str_make(bytes, have), RF_S("HTTP/1.1 200")))
        die("refused", rf_str_make(bytes, have));
}

static void *run_connection(void *arg)
{
    struct connection *c = arg;
    SSL *ssl = dial(c->load);
    exchange(ssl, c->load->request);
    while (!atomic_load(&c->load->over)) {
        double begun = seconds_now();
        exchange(ssl, c->load->request);
        if (c->count < TIMES_MAX) c->times[c->count] = (float)((seconds_now() - begun) * 1e3);
        c->count++;
    }
    int fd = SSL_get_fd(ssl);
    SSL_free(ssl);
    (void)close(fd);
    return NULL;
}

/* ---- a measurement --------------------------------------------------------------------------------------------------------- */

static int by_size(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static void print_times(const char *word, const struct connection *all, unsigned count)
{
    size_t n = 0, at = 0;
    for (unsigned i = 0; i < count; i++) n += RF_MIN(all[i].count, (uint64_t)TIMES_MAX);
    float *times = calloc(n + 1, sizeof *times);
    if (times == NULL || n == 0) die("no answers to", rf_str_of(word));
    for (unsigned i = 0; i < count; i++)
        for (uint64_t j = 0; j < RF_MIN(all[i].count, (uint64_t)TIMES_MAX); j++)
            times[at++] = all[i].times[j];
    qsort(times, n, sizeof *times, by_size);
    printf("%s.p50 %.2f\n%s.p99 %.2f\n", word, (double)times[n / 2], word,
           (double)times[n - 1 - n / 100]);
    free(times);
}

static void measure(struct load *load, const char *word, double seconds, unsigned count)
{
    static struct connection all[CONNECTIONS_MAX];
    const char *server = getenv("SERVER"), *keeper = getenv("KEEPER");
    load->request = prepare(load, word);
    atomic_store(&load->over, false);
    for (unsigned i = 0; i < count; i++) {
        all[i] = (struct connection){.load = load, .times = calloc(TIMES_MAX, sizeof(float))};
        if (all[i].times == NULL ||
            pthread_create(&all[i].thread, NULL, run_connection, &all[i]) != 0)
            die("thread", RF_S("cannot start"));
    }
    (void)usleep(500000); /* handshakes are over */
    uint64_t before = 0, answers = 0;
    for (unsigned i = 0; i < count; i++) before += all[i].count;
    double begun = seconds_now(), server_cpu = cpu_seconds(server),
           keeper_cpu = cpu_seconds(keeper);
    (void)usleep((useconds_t)(seconds * 1e6));
    for (unsigned i = 0; i < count; i++) answers += all[i].count;
    double took = seconds_now() - begun;
    server_cpu = cpu_seconds(server) - server_cpu;
    keeper_cpu = cpu_seconds(keeper) - keeper_cpu;
    atomic_store(&load->over, true);
    for (unsigned i = 0; i < count; i++) pthread_join(all[i].thread, NULL);
    double n = (double)(answers - before);
    printf("%s.wall %.0f\n", word, n / took);
    if (server_cpu + keeper_cpu > 0)
        printf("%s.cpu %.0f\n%s.server %.1f\n%s.keeper %.1f\n", word, n / (server_cpu + keeper_cpu),
               word, 1e6 * server_cpu / n, word, 1e6 * keeper_cpu / n);
    print_times(word, all, count);
    (void)fflush(stdout);
    for (unsigned i = 0; i < count; i++) free(all[i].times);
}

int main(int argc, char **argv)
{
    static struct load load;
    if (argc < 5) {
        (void)fprintf(stderr, "usage: vault_load FOLDER SECONDS CONNECTIONS list|get|ec|rsa...\n");
        return 2;
    }
    load_init(&load, argv[1]);
    unsigned count = (unsigned)RF_MIN(strtoul(argv[3], NULL, 10), (unsigned long)CONNECTIONS_MAX);
    for (int i = 4; i < argc; i++)
        measure(&load, argv[i], strtod(argv[2], NULL), RF_MAX(count, 1u));
    http_client_free(load.http);
    SSL_CTX_free(load.tls);
    rf_arena_done(&load.arena);
    return 0;
}
