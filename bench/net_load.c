/* net_load - what the HTTP server costs: a server with an empty handler in a process of its own, and clients in this one.
 *
 *   net_load idle COUNT            memory of the server with COUNT idle keep-alive TLS connections
 *   net_load rate SECONDS CLIENTS  requests a second, keep-alive, one request at a time per client, over TLS
 *   net_load plain SECONDS CLIENTS the same without TLS */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crypt/x509.h"
#include "net/server.h"
#include "net/tls.h"

_Noreturn static void die(const char *what)
{
    perror(what);
    exit(1);
}

/* ---- the server ------------------------------------------------------------------------------------ */

static struct http_plan plan(void *ctx, const struct http_request *head)
{
    (void)ctx, (void)head;
    return (struct http_plan){.body_bytes_max = 1 << 20, .lane = HTTP_QUICK, .who = 1};
}

static void run(void *ctx, const struct http_request *request, struct http_response *response,
                const atomic_bool *gone)
{
    (void)ctx, (void)request, (void)gone;
    rf_buf_str(&response->body, RF_S("{}"));
}

static void refuse(void *ctx, const struct http_request *head, const char *why,
                   struct http_response *response)
{
    (void)ctx, (void)head;
    rf_buf_str(&response->body, rf_str_of(why));
}

static enum rf_kind sign(void *ctx, const uint8_t *leaf, rf_str digest, uint8_t *out, size_t cap,
                         size_t *len, struct rf_err *err)
{
    (void)leaf;
    EVP_PKEY_CTX *signing = EVP_PKEY_CTX_new(ctx, NULL);
    *len = cap;
    bool good = signing != NULL && EVP_PKEY_sign_init(signing) == 1 &&
                EVP_PKEY_sign(signing, out, len, digest.ptr, digest.len) == 1;
    EVP_PKEY_CTX_free(signing);
    return good ? RF_OK : RF_FAIL(err, RF_AGAIN, "NoSignature", "OpenSSL did not sign");
}

static rf_str make_chain(EVP_PKEY *key, struct rf_arena *arena)
{
    rf_usec now = rf_clock_now(rf_clock_real());
    rf_str name = RF_S("localhost"), der;
    struct cert_request request = {.subject_cn = name,
                                   .dns_names = &name,
                                   .dns_count = 1,
                                   .not_before = now - 60 * RF_USEC_PER_SECOND,
                                   .not_after = now + 3600 * RF_USEC_PER_SECOND};
    struct rf_err err;
    if (cert_make(&request, key, key, (rf_str){NULL, 0}, arena, &der, &err) != RF_OK) die(err.text);
    return cert_pem(arena, der);
}

/* Tells its port through `pipe`, and serves until it is killed. */
_Noreturn static void serve(bool has_tls, int pipe)
{
    struct rf_arena arena;
    struct rf_err err;
    struct server *server;
    struct tls_context *tls = NULL;
    EVP_PKEY *key;
    uint16_t port;
    rf_arena_init(&arena, 1 << 20);
    struct server_options options = {.handler = {.plan = plan, .run = run, .refuse = refuse},
                                     .limits = {.idle_usec_max = 3600 * RF_USEC_PER_SECOND}};
    if (server_new(&options, &server, &err) != RF_OK) die(err.text);
    if (has_tls) {
        if (key_make(KEY_P256, &key, &err) != RF_OK) die(err.text);
        struct tls_server_options tls_options = {
            .chain_pem = make_chain(key, &arena), .sign = sign, .sign_ctx = key};
        if (tls_server_new(&tls_options, &tls, &err) != RF_OK) die(err.text);
    }
    if (server_listen(server, RF_S("127.0.0.1:0"), tls, &port, &err) != RF_OK) die(err.text);
    if (server_start(server, &err) != RF_OK) die(err.text);
    if (write(pipe, &port, sizeof port) != (ssize_t)sizeof port) die("pipe");
    for (;;) pause();
}

struct target {
    pid_t pid;
    uint16_t port;
    SSL_CTX *ssl; /* NULL: plain */
};

static struct target start(bool has_tls)
{
    int pipes[2];
    if (pipe(pipes) != 0) die("pipe");
    struct target target = {.pid = fork()};
    if (target.pid < 0) die("fork");
    if (target.pid == 0) serve(has_tls, pipes[1]);
    if (read(pipes[0], &target.port, sizeof target.port) != (ssize_t)sizeof target.port) exit(1);
    if (has_tls) target.ssl = SSL_CTX_new(TLS_client_method());
    if (has_tls) SSL_CTX_set_mode(target.ssl, SSL_MODE_RELEASE_BUFFERS);
    return target;
}

static void stop(const struct target *target)
{
    (void)kill(target->pid, SIGKILL);
    (void)waitpid(target->pid, NULL, 0);
    SSL_CTX_free(target->ssl);
}

/* Resident memory of the server. */
static size_t memory_bytes(const struct target *target)
{
    char path[64];
    unsigned long pages = 0, resident = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/statm", (int)target->pid);
    FILE *file = fopen(path, "r");
    if (file == NULL || fscanf(file, "%lu %lu", &pages, &resident) != 2) die(path);
    (void)fclose(file);
    return resident * (size_t)sysconf(_SC_PAGESIZE);
}

/* ---- clients ---------------------------------------------------------------------------------------- */

struct link {
    int fd;
    SSL *ssl;
};

static struct link dial(const struct target *target)
{
    struct sockaddr_in in = {.sin_family = AF_INET,
                             .sin_port = htons(target->port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct link link = {.fd = socket(AF_INET, SOCK_STREAM, 0)};
    if (link.fd < 0 || connect(link.fd, (struct sockaddr *)&in, sizeof in) != 0) die("connect");
    if (target->ssl == NULL) return link;
    link.ssl = SSL_new(target->ssl);
    if (link.ssl == NULL || SSL_set_fd(link.ssl, link.fd) != 1 || SSL_connect(link.ssl) != 1)
        die("TLS");
    return link;
}

static void hang_up(struct link *link)
{
    SSL_free(link->ssl);
    (void)close(link->fd);
}

static void ask(struct link *link)
{
    static const char request[] = "GET /load HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n";
    char answer[4096];
    int len = (int)sizeof request - 1;
    if (link->ssl != NULL) {
        if (SSL_write(link->ssl, request, len) != len) die("write");
        if (SSL_read(link->ssl, answer, sizeof answer) <= 0) die("read");
    } else {
        if (send(link->fd, request, (size_t)len, 0) != len) die("send");
        if (recv(link->fd, answer, sizeof answer, 0) <= 0) die("recv");
    }
}

static void measure_idle(int count)
{
    struct target target = start(true);
    struct link *links = calloc((size_t)count, sizeof *links);
    if (links == NULL) die("calloc");
    struct link warm = dial(&target);
    ask(&warm);
    size_t before = memory_bytes(&target);
    for (int i = 0; i < count; i++) {
        links[i] = dial(&target);
        ask(&links[i]);
    }
    size_t after = memory_bytes(&target);
    printf("%d idle TLS connections: %.1f MB in all, %.1f MB before, %.0f bytes each\n", count,
           (double)after / 1e6, (double)before / 1e6, (double)(after - before) / count);
    for (int i = 0; i < count; i++) hang_up(&links[i]);
    hang_up(&warm);
    free(links);
    stop(&target);
}

struct client {
    const struct target *target;
    const atomic_bool *over;
    pthread_t thread;
    uint64_t requests;
};

static void *keep_asking(void *arg)
{
    struct client *client = arg;
    struct link link = dial(client->target);
    while (!atomic_load_explicit(client->over, memory_order_relaxed)) {
        ask(&link);
        client->requests++;
    }
    hang_up(&link);
    return NULL;
}

static void measure_rate(bool has_tls, int seconds, int count)
{
    struct target target = start(has_tls);
    struct client *clients = calloc((size_t)count, sizeof *clients);
    atomic_bool over = false;
    uint64_t all = 0;
    if (clients == NULL) die("calloc");
    for (int i = 0; i < count; i++) {
        clients[i] = (struct client){.target = &target, .over = &over};
        if (pthread_create(&clients[i].thread, NULL, keep_asking, &clients[i]) != 0) die("thread");
    }
    sleep((unsigned)seconds);
    atomic_store(&over, true);
    for (int i = 0; i < count; i++) {
        pthread_join(clients[i].thread, NULL);
        all += clients[i].requests;
    }
    printf("%s, %d clients: %.0f requests a second\n", has_tls ? "TLS" : "plain", count,
           (double)all / seconds);
    free(clients);
    stop(&target);
}

int main(int argc, char **argv)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    (void)signal(SIGPIPE, SIG_IGN);
    int first = argc > 2 ? atoi(argv[2]) : 0, second = argc > 3 ? atoi(argv[3]) : 0;
    if (argc == 3 && strcmp(argv[1], "idle") == 0 && first > 0) {
        measure_idle(first);
    } else if (argc == 4 && first > 0 && second > 0) {
        measure_rate(strcmp(argv[1], "plain") != 0, first, second);
    } else {
        (void)fprintf(stderr,
                      "net_load idle COUNT | rate SECONDS CLIENTS | plain SECONDS CLIENTS\n");
        return 2;
    }
    return 0;
}
