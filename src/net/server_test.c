/* Real sockets: a server on a free port of the loopback address, and clients that behave and misbehave. */
#define _GNU_SOURCE
#define OPENSSL_SUPPRESS_DEPRECATED

#include "net/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "net/client.h"
#include "net/server_int.h"
#include "net/tls.h"
#include "net/tls_test_util.h"
#include "test/rf_prop.h" /* includes <criterion/criterion.h> */

/* ---- a handler that says what it got --------------------------------------------------------------- */

/* Runs stop at the gate until it is opened; tests see who came through, in order. */
struct gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_shut;
    int waiting, told_gone;
    char order[256];
    size_t order_len;
};

struct rig {
    struct server *server;
    struct tls_context *tls;
    struct gate gate;
    struct rf_clock_fixed clock;
    uint16_t port;
    EVP_PKEY *key;
    rf_str cert_pem;
    struct rf_arena arena;
};

static uint64_t who_of(const struct http_request *head)
{
    rf_str who = http_header(head, "X-Who", NULL);
    return who.len == 0 ? 1 : who.ptr[0];
}

static struct http_plan plan(void *ctx, const struct http_request *head)
{
    (void)ctx;
    return (struct http_plan){
        .body_bytes_max = rf_str_starts(head->path, RF_S("/huge")) ? (size_t)64 << 20 : 100000,
        .lane = rf_str_starts(head->path, RF_S("/heavy")) ? HTTP_HEAVY : HTTP_QUICK,
        .who = who_of(head)};
}

static void pass_gate(struct gate *gate, const struct http_request *request,
                      const atomic_bool *gone)
{
    pthread_mutex_lock(&gate->lock);
    gate->waiting++;
    pthread_cond_broadcast(&gate->changed);
    while (gate->is_shut && !atomic_load(gone)) {
        struct timespec soon;
        clock_gettime(CLOCK_REALTIME, &soon);
        soon.tv_nsec += 1000000;
        if (soon.tv_nsec >= 1000000000) soon.tv_sec++, soon.tv_nsec -= 1000000000;
        pthread_cond_timedwait(&gate->changed, &gate->lock, &soon);
    }
    if (atomic_load(gone)) gate->told_gone++;
    if (gate->order_len < sizeof gate->order)
        gate->order[gate->order_len++] = (char)who_of(request);
    gate->waiting--;
    pthread_cond_broadcast(&gate->changed);
    pthread_mutex_unlock(&gate->lock);
}

static void run(void *ctx, const struct http_request *request, struct http_response *response,
                const atomic_bool *gone)
{
    struct rig *rig = ctx;
    http_set_literal(response, "Content-Type", "application/json");
    if (rf_str_starts(request->path, RF_S("/heavy"))) pass_gate(&rig->gate, request, gone);
    if (rf_str_is(request->path, "/none")) {
        response->status = 204;
    } else if (rf_str_is(request->path, "/long")) {
        for (int i = 0; i < 200000; i++) rf_buf_str(&response->body, RF_S("[0123456789]\n"));
    } else if (rf_str_is(request->path, "/secret")) {
        http_set_literal(response, "Cache-Control", "no-store");
        for (int i = 0; i < 2000; i++) rf_buf_str(&response->body, RF_S("[0123456789]\n"));
    } else if (rf_str_is(request->path, "/inject")) {
        http_set_literal(response, "X-Value", "a\r\nX-Injected: b");
    } else if (rf_str_is(request->path, "/memory")) {
        response->failed = true;
    } else {
        rf_buf_printf(&response->body,
                      "%s %.*s ?%.*s host=%.*s body=%zu/%llu:", http_method_name(request->method),
                      RF_FMT(request->path), RF_FMT(request->query), RF_FMT(request->host),
                      request->body.len, (unsigned long long)request->body_sent_bytes);
        rf_buf_str(&response->body, rf_slice(request->body, 0, RF_MIN(request->body.len, 40)));
    }
}

static void refuse(void *ctx, const struct http_request *head, const char *why,
                   struct http_response *response)
{
    (void)ctx;
    rf_buf_printf(&response->body, "refused %s: %s", head == NULL ? "bytes" : "request", why);
}

/* ---- certificates ------------------------------------------------------------------------------------ */

/* What the keeper does, in this process. */
static enum rf_kind sign(void *ctx, const uint8_t *leaf, rf_str digest, uint8_t *out, size_t cap,
                         size_t *len, struct rf_err *err)
{
    (void)leaf;
    const struct rig *rig = ctx;
    EVP_PKEY_CTX *signing = EVP_PKEY_CTX_new(rig->key, NULL);
    *len = cap;
    bool good = signing != NULL && EVP_PKEY_sign_init(signing) == 1 &&
                EVP_PKEY_sign(signing, out, len, digest.ptr, digest.len) == 1;
    EVP_PKEY_CTX_free(signing);
    return good ? RF_OK : RF_FAIL(err, RF_AGAIN, "KeeperGone", "no signature");
}

static enum rf_kind sign_never(void *ctx, const uint8_t *leaf, rf_str digest, uint8_t *out,
                               size_t cap, size_t *len, struct rf_err *err)
{
    (void)ctx, (void)leaf, (void)digest, (void)out, (void)cap, (void)len;
    return RF_FAIL(err, RF_AGAIN, "KeeperGone", "no signature");
}

/* ---- the rig -------------------------------------------------------------------------------------------- */

struct setup {
    bool has_tls, has_fixed_clock, has_one_worker, cannot_sign;
    struct server_limits limits;
    const char *address;
};

static struct rig *rig_new(struct setup setup)
{
    struct rig *rig = calloc(1, sizeof *rig);
    struct rf_err err = {.text = ""};
    rf_arena_init(&rig->arena, 1u << 28);
    pthread_mutex_init(&rig->gate.lock, NULL);
    pthread_cond_init(&rig->gate.changed, NULL);
    rf_clock_fixed_init(&rig->clock, INT64_C(1800000000) * RF_USEC_PER_SECOND, 0);
    struct server_options options = {
        .handler = {.ctx = rig, .plan = plan, .run = run, .refuse = refuse},
        .limits = setup.limits,
        .loops = setup.has_fixed_clock ? 1 : 2,
        .quick_workers = 2,
        .heavy_workers = setup.has_one_worker ? 1 : 2,
        .clock = setup.has_fixed_clock ? &rig->clock.clock : rf_clock_real()};
    cr_assert(server_new(&options, &rig->server, &err) == RF_OK, "%s", err.text);
    if (setup.has_tls) {
        rig->key = make_key();
        rig->cert_pem =
            make_cert(rig->key, "DNS:localhost,DNS:*.vault.localhost,IP:127.0.0.1", &rig->arena);
        struct tls_server_options tls = {.chain_pem = rig->cert_pem,
                                         .sign = setup.cannot_sign ? sign_never : sign,
                                         .sign_ctx = rig};
        cr_assert(tls_server_new(&tls, &rig->tls, &err) == RF_OK, "%s", err.text);
    }
    const char *address = setup.address != NULL ? setup.address : "127.0.0.1:0";
    cr_assert(server_listen(rig->server, rf_str_of(address), rig->tls, &rig->port, &err) == RF_OK,
              "%s", err.text);
    cr_assert(rig->port != 0);
    cr_assert(server_start(rig->server, &err) == RF_OK, "%s", err.text);
    return rig;
}

static void rig_free(struct rig *rig)
{
    server_free(rig->server);
    tls_free(rig->tls);
    EVP_PKEY_free(rig->key);
    rf_arena_done(&rig->arena);
    free(rig);
}

static void shut_gate(struct rig *rig, bool is_shut)
{
    pthread_mutex_lock(&rig->gate.lock);
    rig->gate.is_shut = is_shut;
    pthread_cond_broadcast(&rig->gate.changed);
    pthread_mutex_unlock(&rig->gate.lock);
}

static void wait_at_gate(struct rig *rig, int count)
{
    pthread_mutex_lock(&rig->gate.lock);
    while (rig->gate.waiting != count) pthread_cond_wait(&rig->gate.changed, &rig->gate.lock);
    pthread_mutex_unlock(&rig->gate.lock);
}

/* ---- a client that sends what it is told -------------------------------------------------------------- */

static void join(const struct rig *rig, int fd)
{
    struct sockaddr_in in = {.sin_family = AF_INET,
                             .sin_port = htons(rig->port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval wait = {.tv_sec = 20}; /* a hang fails the test instead of hanging it */
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    cr_assert(connect(fd, (struct sockaddr *)&in, sizeof in) == 0);
}

static int dial(const struct rig *rig)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    join(rig, fd);
    return fd;
}

static bool send_all(int fd, rf_str bytes)
{
    while (bytes.len > 0) {
        ssize_t sent = send(fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
        if (sent <= 0) return false;
        bytes = rf_slice(bytes, (size_t)sent, bytes.len);
    }
    return true;
}

static void say(int fd, const char *text) { cr_assert(send_all(fd, rf_str_of(text))); }

/* Everything until the server ends the connection. */
static rf_str hear_all(int fd, struct rf_arena *arena)
{
    struct rf_buf buf = rf_buf_in(arena);
    char piece[4096];
    ssize_t got;
    while ((got = recv(fd, piece, sizeof piece, 0)) > 0) rf_buf_put(&buf, piece, (size_t)got);
    cr_assert(got == 0 || errno == ECONNRESET, "the server did not end the connection");
    rf_buf_byte(&buf, '\0');
    return rf_slice(rf_buf_view(&buf), 0, buf.len - 1);
}

/* Until `text` has come. */
static rf_str hear(int fd, const char *text, struct rf_arena *arena)
{
    struct rf_buf buf = rf_buf_in(arena);
    char piece[4096];
    while (rf_str_find(rf_buf_view(&buf), rf_str_of(text), 0) == SIZE_MAX) {
        ssize_t got = recv(fd, piece, sizeof piece, 0);
        cr_assert(got > 0, "heard %.*s", RF_FMT(rf_buf_view(&buf)));
        rf_buf_put(&buf, piece, (size_t)got);
    }
    return rf_buf_view(&buf);
}

static bool has(rf_str text, const char *part)
{
    return rf_str_find(text, rf_str_of(part), 0) != SIZE_MAX;
}

static rf_str ask(struct rig *rig, const char *request)
{
    int fd = dial(rig);
    say(fd, request);
    rf_str answer = hear_all(fd, &rig->arena);
    close(fd);
    return answer;
}

/* ---- exchanges -------------------------------------------------------------------------------------------- */

#define BYE "Host: a\r\nConnection: close\r\n"

Test(server, answers_and_frames)
{
    struct rig *rig = rig_new((struct setup){.has_tls = false});
    static const struct {
        const char *request, *parts[4];
    } cases[] = {
        {"GET /a/b?c=d HTTP/1.1\r\n" BYE "\r\n",
         {"HTTP/1.1 200 OK\r\n", "GET /a/b ?c=d host=a body=0/0:", "Connection: close\r\n",
          "Content-Length: 30\r\n"}},
        {"HEAD /a HTTP/1.1\r\n" BYE "\r\n", {"HTTP/1.1 200 OK\r\n", "Content-Length: "}},
        {"GET /none HTTP/1.1\r\n" BYE "\r\n", {"HTTP/1.1 204 No Content\r\n"}},
        {"POST / HTTP/1.1\r\nContent-Length: 5\r\n" BYE "\r\nhello", {"body=5/5:hello"}},
        {"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" BYE
         "\r\n3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\nTrailer: x\r\n\r\n",
         {"PUT / ", "body=5/5:hello"}},
        {"GET http://other:99/x HTTP/1.1\r\n" BYE "\r\n", {"GET /x ? host=other:99"}},
        {"OPTIONS * HTTP/1.1\r\n" BYE "\r\n", {"OPTIONS / "}},
        {"GET / HTTP/1.0\r\nHost: old\r\n\r\n",
         {"HTTP/1.1 200 OK", "host=old", "Connection: close"}},
        {"GET /inject HTTP/1.1\r\n" BYE "\r\n", {"X-Value: a  X-Injected: b\r\n"}},
        {"GET /memory HTTP/1.1\r\n" BYE "\r\n", {"HTTP/1.1 500 ", "Content-Length: 0\r\n"}},
    };
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        rf_str answer = ask(rig, cases[i].request);
        for (size_t p = 0; p < RF_COUNT(cases[i].parts) && cases[i].parts[p] != NULL; p++)
            cr_assert(has(answer, cases[i].parts[p]), "%s gave\n%.*s", cases[i].request,
                      RF_FMT(answer));
    }
    rf_str head = ask(rig, cases[1].request), none = ask(rig, cases[2].request);
    cr_assert(rf_str_ends(head, RF_S("\r\n\r\n")), "HEAD has no body");
    cr_assert(!has(none, "Content-Length"), "204 has no length");
    rig_free(rig);
}

Test(server, refuses)
{
    struct rig *rig = rig_new((struct setup){
        .limits = {.head_bytes_max = 2000, .headers_max = 5, .target_bytes_max = 100}});
    char many[1500] = "GET / HTTP/1.1\r\nHost: a\r\n", deep[1500] = "GET /";
    for (int i = 0; i < 6; i++) strcat(many, "A: b\r\n");
    memset(deep + 5, 'x', 900);
    struct {
        const char *request, *status;
    } cases[] = {
        {"nonsense\r\n\r\n", "400"},
        {"\x16\x03\x01\x02", "400"},
        {"GET / HTTP/1.1\r\n\r\n", "400"},
        {"GET / HTTP/1.1\nHost: a\n\n", "400"},
        {"BREW / HTTP/1.1\r\nHost: a\r\n\r\n", "501"},
        {"GET / HTTP/2.0\r\nHost: a\r\n\r\n", "505"},
        {"GET / HTTP/1.1\r\nHost: a\r\nExpect: magic\r\n\r\n", "417"},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100001\r\n\r\n", "413"},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "400"},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Encoding: br\r\nContent-Length: 1\r\n\r\nx", "415"},
        {"POST / HTTP/1.1\r\n" BYE "Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope",
         "400"},
        {strcat(many, "\r\n"), "431"},
        {deep, "414"},
    };
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        rf_str answer = ask(rig, cases[i].request);
        char line[32];
        snprintf(line, sizeof line, "HTTP/1.1 %s ", cases[i].status);
        cr_assert(rf_str_starts(answer, rf_str_of(line)) && has(answer, "refused "),
                  "%.40s gave %.*s", cases[i].request, RF_FMT(answer));
    }
    cr_assert(server_stats(rig->server).refused == RF_COUNT(cases));
    rig_free(rig);
}

Test(server, keeps_the_connection_and_takes_pipelined_requests_in_order)
{
    struct rig *rig = rig_new((struct setup){.has_tls = false});
    int fd = dial(rig);
    struct rf_buf all = rf_buf_in(&rig->arena);
    enum { REQUESTS = 500 };
    for (int i = 0; i < REQUESTS; i++)
        rf_buf_printf(&all, "POST /%d HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n%s\r\n%03d", i,
                      i == REQUESTS - 1 ? "Connection: close\r\n" : "", i);
    cr_assert(send_all(fd, rf_buf_view(&all)));
    rf_str answers = hear_all(fd, &rig->arena);
    size_t at = 0;
    for (int i = 0; i < REQUESTS; i++) {
        char expected[64];
        snprintf(expected, sizeof expected, "POST /%d ? host=a body=3/3:%03d", i, i);
        at = rf_str_find(answers, rf_str_of(expected), at);
        cr_assert(at != SIZE_MAX, "answer %d", i);
    }
    cr_assert(server_stats(rig->server).requests == REQUESTS);
    cr_assert(server_stats(rig->server).accepted == 1);
    close(fd);
    rig_free(rig);
}

Test(server, takes_a_request_byte_by_byte)
{
    struct rig *rig = rig_new((struct setup){.has_tls = false});
    const char *request = "\r\nPOST /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                          "Transfer-Encoding: chunked\r\n\r\n4\r\nslow\r\n0\r\n\r\n";
    int fd = dial(rig);
    for (const char *c = request; *c != '\0'; c++) cr_assert(send_all(fd, rf_str_make(c, 1)));
    cr_assert(has(hear_all(fd, &rig->arena), "body=4/4:slow"));
    close(fd);
    rig_free(rig);
}

Test(server, says_continue_to_who_asks)
{
    struct rig *rig = rig_new((struct setup){.has_tls = false});
    int fd = dial(rig);
    say(fd, "POST /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    cr_assert(rf_str_is(hear(fd, "\r\n\r\n", &rig->arena), "HTTP/1.1 100 Continue\r\n\r\n"));
    say(fd, "abcd");
    hear(fd, "body=4/4:abcd", &rig->arena);
    say(fd,
        "POST /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 200000\r\n\r\n");
    rf_str answer = hear_all(fd, &rig->arena);
    cr_assert(rf_str_starts(answer, RF_S("HTTP/1.1 413 ")), "no invitation to what is refused");
    close(fd);
    rig_free(rig);
}

/* ---- bodies ------------------------------------------------------------------------------------------------ */

static rf_str packed(struct rf_arena *arena, size_t bytes, int window)
{
    z_stream z = {.next_in = NULL};
    cr_assert(deflateInit2(&z, 9, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    uint8_t *in = calloc(1, bytes);
    size_t cap = deflateBound(&z, bytes);
    uint8_t *out = rf_arena_alloc(arena, cap);
    z.next_in = in;
    z.avail_in = (uInt)bytes;
    z.next_out = out;
    z.avail_out = (uInt)cap;
    cr_assert(deflate(&z, Z_FINISH) == Z_STREAM_END);
    rf_str result = rf_str_make(out, z.total_out);
    deflateEnd(&z);
    free(in);
    return result;
}

/* Zeros as zstd packs them; its window is as large as the text. */
static rf_str packed_zstd(struct rf_arena *arena, size_t bytes)
{
    uint8_t *in = calloc(1, bytes);
    size_t cap = ZSTD_compressBound(bytes);
    uint8_t *out = rf_arena_alloc(arena, cap);
    size_t len = ZSTD_compress(out, cap, in, bytes, 3);
    cr_assert(!ZSTD_isError(len));
    free(in);
    return rf_str_make(out, len);
}

static rf_str post_coded(struct rig *rig, const char *coding, rf_str body)
{
    int fd = dial(rig);
    struct rf_buf request = rf_buf_in(&rig->arena);
    rf_buf_printf(&request,
                  "POST / HTTP/1.1\r\n" BYE "Content-Encoding: %s\r\nContent-Length: %zu\r\n\r\n",
                  coding, body.len);
    rf_buf_str(&request, body);
    cr_assert(send_all(fd, rf_buf_view(&request)));
    rf_str answer = hear_all(fd, &rig->arena);
    close(fd);
    return answer;
}

Test(server, undoes_content_coding_within_the_limit)
{
    struct rig *rig = rig_new((struct setup){.has_tls = false});
    enum { FITS = 100000, BOMB = 8 << 20 };
    static const struct {
        const char *coding;
        int window;
    } codings[] = {{"gzip", 31}, {"deflate", 15}, {"deflate", -15}, {"zstd", 0}};
    for (size_t i = 0; i < RF_COUNT(codings); i++) {
        int window = codings[i].window;
        bool zstd = window == 0;
        rf_str fits = zstd ? packed_zstd(&rig->arena, FITS) : packed(&rig->arena, FITS, window);
        rf_str over =
            zstd ? packed_zstd(&rig->arena, FITS + 1) : packed(&rig->arena, FITS + 1, window);
        rf_str bomb = zstd ? packed_zstd(&rig->arena, BOMB) : packed(&rig->arena, BOMB, window);
        cr_assert(has(post_coded(rig, codings[i].coding, fits), "body=100000/"));
        cr_assert(has(post_coded(rig, codings[i].coding, over), "HTTP/1.1 413 "));
        cr_assert(has(post_coded(rig, codings[i].coding, bomb), "HTTP/1.1 413 "));
        rf_str cut = rf_slice(fits, 0, fits.len - 1);
        cr_assert(has(post_coded(rig, codings[i].coding, cut), "HTTP/1.1 400 "));
    }
    rf_str one = packed(&rig->arena, 10, 31);
    struct rf_buf two = rf_buf_in(&rig->arena);
    rf_buf_str(&two, one);
    rf_buf_str(&two, one);
    cr_assert(has(post_coded(rig, "gzip", rf_buf_view(&two)), "body=20/"), "gzip has members");
    rf_buf_str(&two, RF_S("x"));
    cr_assert(has(post_coded(rig, "gzip", rf_buf_view(&two)), "HTTP/1.1 400 "));
    rig_free(rig);
}

Test(server, a_large_body_arrives_whole)
{
    struct rig *rig = rig_new((struct setup){.has_tls = false});
    enum { BYTES = 32 << 20 };
    uint8_t *body = malloc(BYTES);
    memset(body, 'z', BYTES);
    int fd = dial(rig);
    char head[128];
    snprintf(head, sizeof head, "PUT /huge HTTP/1.1\r\n" BYE "Content-Length: %d\r\n\r\n", BYTES);
    say(fd, head);
    cr_assert(send_all(fd, rf_str_make(body, BYTES)));
    cr_assert(has(hear_all(fd, &rig->arena), "body=33554432/33554432:zzz"));
    cr_assert(server_stats(rig->server).bytes_in > BYTES);
    free(body);
    close(fd);
    rig_free(rig);
}

/* Chunks without a length are counted as they come. */
Test(server, a_chunked_body_over_the_limit_is_refused)
{
    struct rig *rig = rig_new((struct setup){.has_tls = false});
    int fd = dial(rig);
    say(fd, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    char chunk[1100] = "400\r\n";
    memset(chunk + 5, 'c', 1024);
    memcpy(chunk + 1029, "\r\n", 3);
    for (int i = 0; i < 110 && send_all(fd, rf_str_of(chunk)); i++) continue;
    cr_assert(rf_str_starts(hear_all(fd, &rig->arena), RF_S("HTTP/1.1 413 ")));
    close(fd);
    rig_free(rig);
}

/* ---- TLS and the client -------------------------------------------------------------------------------------- */

static struct http_client *client_for(struct rig *rig)
{
    struct http_client *client;
    struct rf_err err;
    struct http_client_options options = {.ca_pem = rig->cert_pem,
                                          .timeout_usec = 20 * RF_USEC_PER_SECOND};
    cr_assert(http_client_new(&options, &client, &err) == RF_OK, "%s", err.text);
    return client;
}

static enum rf_kind call(struct rig *rig, struct http_client *client, const char *method,
                         const char *host, const char *path, rf_str body, struct http_answer *out,
                         struct rf_err *err)
{
    rf_str url = rf_arena_printf(&rig->arena, "%s://%s:%u%s", rig->tls == NULL ? "http" : "https",
                                 host, (unsigned)rig->port, path);
    return http_client_call(client, method, url, NULL, 0, body, &rig->arena, out, err);
}

Test(server, speaks_tls_with_a_key_that_is_elsewhere)
{
    struct rig *rig = rig_new((struct setup){.has_tls = true});
    struct http_client *client = client_for(rig);
    struct http_answer answer;
    struct rf_err err = {.text = ""};
    static const char *const hosts[] = {"localhost", "127.0.0.1", "kv.vault.localhost"};
    for (size_t i = 0; i < RF_COUNT(hosts); i++) {
        enum rf_kind kind =
            call(rig, client, "POST", hosts[i], "/t?q", RF_S("secret"), &answer, &err);
        cr_assert(kind == RF_OK, "%s: %s", hosts[i], err.text);
        cr_assert(answer.status == 200 && has(answer.body, "POST /t ?q"), "%.*s",
                  RF_FMT(answer.body));
        cr_assert(has(answer.body, "body=6/6:secret"));
    }
    for (int i = 0; i < 20; i++)
        cr_assert(call(rig, client, "GET", "localhost", "/x", RF_S(""), &answer, &err) == RF_OK);
    cr_assert(server_stats(rig->server).accepted == 4, "one connection for each run of a host");
    cr_assert(call(rig, client, "GET", "localhost", "/long", RF_S(""), &answer, &err) == RF_OK);
    cr_assert(answer.body.len == 200000 * 13, "%zu", answer.body.len);
    cr_assert(server_stats(rig->server).bytes_out < 1000000, "it went packed");
    enum { BYTES = 8 << 20 };
    uint8_t *body = calloc(1, BYTES);
    rf_str large = rf_str_make(body, BYTES);
    cr_assert(call(rig, client, "PUT", "localhost", "/huge", large, &answer, &err) == RF_OK);
    cr_assert(has(answer.body, "body=8388608/8388608:"));
    free(body);
    cr_assert(call(rig, client, "HEAD", "localhost", "/x", RF_S(""), &answer, &err) == RF_OK);
    cr_assert(answer.status == 200 && answer.body.len == 0);
    http_client_free(client);
    rig_free(rig);
}

Test(server, a_client_trusts_only_whom_it_should)
{
    struct rig *rig = rig_new((struct setup){.has_tls = true});
    struct rf_err err;
    struct http_answer answer;
    struct http_client *client = client_for(rig);
    cr_assert(call(rig, client, "GET", "other.localhost", "/", RF_S(""), &answer, &err) == RF_IO);
    cr_assert_str_eq(err.code, "TlsFailed");
    cr_assert(strstr(err.text, "ostname mismatch") != NULL, "%s", err.text);
    http_client_free(client);
    struct http_client_options system = {.timeout_usec = 0};
    cr_assert(http_client_new(&system, &client, &err) == RF_OK);
    cr_assert(call(rig, client, "GET", "localhost", "/", RF_S(""), &answer, &err) == RF_IO);
    cr_assert_str_eq(err.code, "TlsFailed");
    http_client_free(client);
    rig_free(rig);
}

Test(server, takes_a_new_certificate_while_it_runs)
{
    struct rig *rig = rig_new((struct setup){.has_tls = true});
    struct rf_err err;
    struct http_answer answer;
    struct http_client *before = client_for(rig);
    cr_assert(call(rig, before, "GET", "localhost", "/", RF_S(""), &answer, &err) == RF_OK);
    cr_assert(tls_server_renew(rig->tls, RF_S("no certificate"), &err) == RF_INVALID);
    EVP_PKEY_free(rig->key);
    rig->key = make_key();
    rig->cert_pem = make_cert(rig->key, "DNS:localhost", &rig->arena);
    cr_assert(tls_server_renew(rig->tls, rig->cert_pem, &err) == RF_OK);
    struct http_client *after = client_for(rig), *late = client_for(rig);
    cr_assert(call(rig, after, "GET", "localhost", "/", RF_S(""), &answer, &err) == RF_OK);
    cr_assert(call(rig, before, "GET", "localhost", "/", RF_S(""), &answer, &err) == RF_OK,
              "a connection outlives the certificate that it began with");
    cr_assert(server_stats(rig->server).accepted == 2);
    cr_assert(call(rig, late, "GET", "127.0.0.1", "/", RF_S(""), &answer, &err) == RF_IO,
              "the new certificate has no address");
    http_client_free(before);
    http_client_free(after);
    http_client_free(late);
    rig_free(rig);
}

Test(server, without_a_signature_there_is_no_handshake)
{
    struct rig *rig = rig_new((struct setup){.has_tls = true, .cannot_sign = true});
    struct rf_err err;
    struct http_answer answer;
    struct http_client *client = client_for(rig);
    cr_assert(call(rig, client, "GET", "localhost", "/", RF_S(""), &answer, &err) == RF_IO);
    cr_assert_str_eq(err.code, "TlsFailed");
    http_client_free(client);
    rig_free(rig);
}

Test(server, a_certificate_must_be_for_p_256)
{
    struct rf_arena arena;
    struct tls_context *tls;
    struct rf_err err;
    rf_arena_init(&arena, 1u << 20);
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384");
    struct tls_server_options options = {.chain_pem = make_cert(key, "DNS:a", &arena),
                                         .sign = sign};
    cr_assert(tls_server_new(&options, &tls, &err) == RF_INVALID);
    options.chain_pem = RF_S("no certificate");
    cr_assert(tls_server_new(&options, &tls, &err) == RF_INVALID);
    cr_assert_str_eq(err.code, "BadCertificate");
    cr_assert(tls_client_new(RF_S("none here either"), &tls, &err) == RF_INVALID);
    EVP_PKEY_free(key);
    rf_arena_done(&arena);
}

Test(server, packs_answers_unless_they_hold_a_secret)
{
    struct rig *rig = rig_new((struct setup){.has_tls = false});
    rf_str packed_answer =
        ask(rig, "GET /long HTTP/1.1\r\n" BYE "Accept-Encoding: br, gzip;q=0.8\r\n\r\n");
    cr_assert(has(packed_answer, "Content-Encoding: gzip\r\n") && packed_answer.len < 100000);
    cr_assert(has(packed_answer, "Vary: Accept-Encoding\r\n"));
    static const char *const plain[] = {
        "GET /secret HTTP/1.1\r\n" BYE "Accept-Encoding: gzip\r\n\r\n",
        "GET /secret HTTP/1.1\r\n" BYE "\r\n",
        "GET /x HTTP/1.1\r\n" BYE "Accept-Encoding: gzip\r\n\r\n",
        "GET /secret HTTP/1.1\r\n" BYE "Accept-Encoding: gzip;q=0\r\n\r\n"};
    for (size_t i = 0; i < RF_COUNT(plain); i++)
        cr_assert(!has(ask(rig, plain[i]), "Content-Encoding"), "%s", plain[i]);
    rig_free(rig);
}

/* ---- time ------------------------------------------------------------------------------------------------------ */

/* The clock stands still until the test moves it; a visit of somebody else lets the loop look at it. */
static void pass_time(struct rig *rig, int64_t seconds)
{
    rf_clock_fixed_pass(&rig->clock, seconds * RF_USEC_PER_SECOND);
    cr_assert(has(ask(rig, "GET / HTTP/1.1\r\n" BYE "\r\n"), "HTTP/1.1 200 "));
}

Test(server, ends_who_is_slow)
{
    struct rig *rig = rig_new((struct setup){.has_fixed_clock = true});
    static const struct {
        const char *sent;
        int64_t seconds;
        const char *answer; /* empty: ended without a word */
    } cases[] = {
        {"", 16, ""},
        {"GET / HTTP/1.1\r\nHos", 16, "HTTP/1.1 408 "},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc", 16, "HTTP/1.1 408 "},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n", 16,
         "HTTP/1.1 408 "},
    };
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        int fd = dial(rig);
        say(fd, cases[i].sent);
        pass_time(rig, 1); /* the server has seen it */
        pass_time(rig, cases[i].seconds);
        rf_str answer = hear_all(fd, &rig->arena);
        cr_assert(cases[i].answer[0] == '\0' ? answer.len == 0
                                             : rf_str_starts(answer, rf_str_of(cases[i].answer)),
                  "case %zu: %.*s", i, RF_FMT(answer));
        close(fd);
    }
    rig_free(rig);
}

Test(server, an_idle_connection_may_wait_but_not_for_ever)
{
    struct rig *rig = rig_new((struct setup){.has_fixed_clock = true});
    int fd = dial(rig);
    for (int i = 0; i < 5; i++) {
        say(fd, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
        hear(fd, "body=0/0:", &rig->arena);
        pass_time(rig, 100);
    }
    pass_time(rig, 30);
    cr_assert(hear_all(fd, &rig->arena).len == 0);
    close(fd);
    rig_free(rig);
}

/* An answer that nobody reads fills the kernel's buffers; then its time runs. */
Test(server, ends_who_does_not_read)
{
    struct rig *rig = rig_new((struct setup){.has_fixed_clock = true});
    int fd = dial(rig);
    for (int i = 0; i < 20; i++) say(fd, "GET /long HTTP/1.1\r\nHost: a\r\n\r\n");
    do pass_time(rig, 121);
    while (server_stats(rig->server).connections > 0);
    rf_str heard = hear_all(fd, &rig->arena);
    cr_assert(heard.len < 20 * 200000 * 13, "the rest was given up");
    close(fd);
    rig_free(rig);
}

/* ---- turns, going away, stopping -------------------------------------------------------------------------------- */

/* One worker, busy; a flood of one caller waits when another comes: that one is next but one, not last. */
Test(server, callers_take_turns)
{
    struct rig *rig = rig_new((struct setup){.has_one_worker = true});
    enum { FLOOD = 20 };
    int fds[FLOOD + 2];
    shut_gate(rig, true);
    fds[0] = dial(rig);
    say(fds[0], "GET /heavy HTTP/1.1\r\nX-Who: a\r\n" BYE "\r\n");
    wait_at_gate(rig, 1);
    for (int i = 1; i <= FLOOD; i++) {
        fds[i] = dial(rig);
        say(fds[i], "GET /heavy HTTP/1.1\r\nX-Who: a\r\n" BYE "\r\n");
    }
    while (server_stats(rig->server).requests < FLOOD + 1) sched_yield();
    fds[FLOOD + 1] = dial(rig);
    say(fds[FLOOD + 1], "GET /heavy HTTP/1.1\r\nX-Who: b\r\n" BYE "\r\n");
    while (server_stats(rig->server).requests < FLOOD + 2) sched_yield();
    cr_assert(has(ask(rig, "GET /quick HTTP/1.1\r\n" BYE "\r\n"), "200 OK"), "lanes are apart");
    /* Counted is not yet queued: a quick request of each loop behind it shows that the loops have got that far. */
    for (int i = 0; i < 20; i++) ask(rig, "GET /quick HTTP/1.1\r\n" BYE "\r\n");
    shut_gate(rig, false);
    for (int i = 0; i < FLOOD + 2; i++) {
        cr_assert(has(hear_all(fds[i], &rig->arena), "200 OK"));
        close(fds[i]);
    }
    cr_assert(rig->gate.order_len == FLOOD + 2);
    size_t place = rf_str_find(rf_str_make(rig->gate.order, rig->gate.order_len), RF_S("b"), 0);
    cr_assert(place <= 2, "b ran as number %zu", place);
    rig_free(rig);
}

Test(server, a_query_hears_that_its_client_went_away)
{
    struct rig *rig = rig_new((struct setup){.has_tls = false});
    shut_gate(rig, true);
    int fd = dial(rig);
    say(fd, "GET /heavy HTTP/1.1\r\nHost: a\r\n\r\n");
    wait_at_gate(rig, 1);
    close(fd);
    wait_at_gate(rig, 0);
    cr_assert(rig->gate.told_gone == 1);
    rig_free(rig);
}

struct stopping {
    struct rig *rig;
    int64_t grace_usec;
};

static void *stop_server(void *arg)
{
    struct stopping *stopping = arg;
    server_stop(stopping->rig->server, stopping->grace_usec);
    return NULL;
}

Test(server, finishes_what_it_began_when_it_stops)
{
    struct rig *rig = rig_new((struct setup){.has_tls = false});
    pthread_t thread;
    shut_gate(rig, true);
    int idle = dial(rig), busy = dial(rig);
    say(idle, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
    hear(idle, "body=0/0:", &rig->arena);
    say(busy, "GET /heavy HTTP/1.1\r\nHost: a\r\n\r\n");
    wait_at_gate(rig, 1);
    struct stopping stopping = {.rig = rig, .grace_usec = 60 * RF_USEC_PER_SECOND};
    pthread_create(&thread, NULL, stop_server, &stopping);
    cr_assert(hear_all(idle, &rig->arena).len == 0, "an idle connection ends");
    shut_gate(rig, false);
    rf_str answer = hear_all(busy, &rig->arena);
    cr_assert(has(answer, "200 OK") && has(answer, "body=0/0:"));
    close(idle);
    close(busy);
    pthread_join(thread, NULL);
    cr_assert(rig->gate.told_gone == 0);
    cr_assert(server_stats(rig->server).connections == 0);
    rig_free(rig);
}

Test(server, tells_what_runs_too_long_when_it_stops)
{
    struct rig *rig = rig_new((struct setup){.has_tls = false});
    shut_gate(rig, true);
    int fd = dial(rig);
    say(fd, "GET /heavy HTTP/1.1\r\nHost: a\r\n\r\n");
    wait_at_gate(rig, 1);
    server_stop(rig->server, 0);
    cr_assert(rig->gate.told_gone == 1);
    cr_assert(hear_all(fd, &rig->arena).len == 0);
    close(fd);
    rig_free(rig);
}

/* ---- limits and addresses ---------------------------------------------------------------------------------------- */

Test(server, has_a_limit_of_connections)
{
    struct rig *rig = rig_new((struct setup){.limits = {.connections_max = 3}});
    int fds[3];
    for (int i = 0; i < 3; i++) {
        fds[i] = dial(rig);
        say(fds[i], "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
        hear(fds[i], "body=0/0:", &rig->arena);
    }
    int fourth = dial(rig);
    cr_assert(hear_all(fourth, &rig->arena).len == 0);
    close(fourth);
    close(fds[0]);
    while (server_stats(rig->server).connections == 3) sched_yield();
    cr_assert(has(ask(rig, "GET /x HTTP/1.1\r\n" BYE "\r\n"), "200 OK"));
    close(fds[1]);
    close(fds[2]);
    rig_free(rig);
}

/* The loopback addresses are exempt, so this asks the counter itself. */
Test(server, has_a_limit_of_connections_for_each_peer)
{
    struct server_options options = {.handler = {.plan = plan, .run = run, .refuse = refuse},
                                     .limits = {.connections_per_peer_max = 2},
                                     .loops = 1};
    struct server *server;
    struct rf_err err;
    cr_assert(server_new(&options, &server, &err) == RF_OK);
    static const uint8_t four[16] = {[10] = 0xff, [11] = 0xff, 192, 0, 2, 1};
    static const uint8_t local[16] = {[10] = 0xff, [11] = 0xff, 127, 0, 0, 1};
    static const uint8_t six[16] = {0x20, 1, 0xd, 0xb8, [15] = 1};
    static const uint8_t neighbour[16] = {0x20, 1, 0xd, 0xb8, [15] = 2};
    static const uint8_t stranger[16] = {0x20, 1, 0xd, 0xb8, [7] = 1, [15] = 1};
    cr_assert(server_admit(server, four) && server_admit(server, four));
    cr_assert(!server_admit(server, four));
    server_dismiss(server, four);
    cr_assert(server_admit(server, four));
    for (int i = 0; i < 5; i++) cr_assert(server_admit(server, local));
    cr_assert(server_admit(server, six) && server_admit(server, neighbour));
    cr_assert(!server_admit(server, six), "a net of IPv6 is one peer");
    cr_assert(server_admit(server, stranger));
    cr_assert(server_stats(server).connections == 2 + 5 + 2 + 1);
    server_free(server);
}

static struct exchange *heavy_exchange(struct server *server, uint64_t who)
{
    struct exchange *x = loop_exchange(server->loops[0]);
    cr_assert(x != NULL);
    x->plan = (struct http_plan){.lane = HTTP_HEAVY, .who = who};
    x->item.who = who;
    x->head.request.path = RF_S("/heavy");
    return x;
}

/* Nobody waits in a queue without an end, and one caller cannot fill all of it. */
Test(server, lanes_are_bounded)
{
    struct rig rig = {.server = NULL};
    pthread_mutex_init(&rig.gate.lock, NULL);
    pthread_cond_init(&rig.gate.changed, NULL);
    rig.gate.is_shut = true;
    struct server_options options = {
        .handler = {.ctx = &rig, .plan = plan, .run = run, .refuse = refuse}, .loops = 1};
    struct workers *workers;
    struct rf_err err;
    cr_assert(server_new(&options, &rig.server, &err) == RF_OK);
    cr_assert(workers_new(1, 1, &workers, &err) == RF_OK);
    enum { LANE = 1024, HALF = LANE / 2 };
    cr_assert(workers_put(workers, HTTP_HEAVY, &heavy_exchange(rig.server, 9)->item));
    wait_at_gate(&rig, 1);
    int taken = 0, refused = 0;
    for (int i = 0; i < LANE + 2; i++) {
        struct exchange *x = heavy_exchange(rig.server, i <= HALF ? 1 : 2);
        if (workers_put(workers, HTTP_HEAVY, &x->item)) {
            taken++;
        } else {
            cr_assert(i == HALF || i == LANE + 1, "number %d", i);
            loop_recycle(rig.server->loops[0], x);
            refused++;
        }
    }
    cr_assert(taken == LANE && refused == 2);
    shut_gate(&rig, false);
    workers_free(workers);
    struct work_item *item = atomic_exchange(&rig.server->loops[0]->mailbox, NULL);
    int returned = 0;
    for (struct work_item *next; item != NULL; item = next, returned++) {
        next = item->next;
        loop_recycle(rig.server->loops[0], (struct exchange *)item);
    }
    cr_assert(returned == LANE + 1, "%d came back", returned);
    server_free(rig.server);
}

/* Without descriptors nothing can be accepted; the one that waits is when there are some again. */
Test(server, waits_for_descriptors)
{
    struct rig *rig = rig_new((struct setup){.has_tls = false});
    struct rlimit all, few;
    int fd = dial(rig);
    say(fd, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n");
    hear(fd, "GET /1", &rig->arena);
    int waiting = socket(AF_INET, SOCK_STREAM, 0); /* the last one that the limit leaves */
    cr_assert(getrlimit(RLIMIT_NOFILE, &all) == 0);
    few = (struct rlimit){.rlim_cur = (rlim_t)waiting + 1, .rlim_max = all.rlim_max};
    cr_assert(setrlimit(RLIMIT_NOFILE, &few) == 0);
    cr_assert(socket(AF_INET, SOCK_STREAM, 0) < 0, "the limit holds");
    join(rig, waiting);
    say(waiting, "GET /3 HTTP/1.1\r\nHost: a\r\n\r\n");
    say(fd, "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
    hear(fd, "GET /2", &rig->arena);
    cr_assert(server_stats(rig->server).connections == 1);
    cr_assert(setrlimit(RLIMIT_NOFILE, &all) == 0);
    hear(waiting, "GET /3", &rig->arena);
    close(fd);
    close(waiting);
    rig_free(rig);
}

Test(server, ends_a_connection_behind_its_last_request)
{
    struct rig *rig = rig_new((struct setup){.limits = {.requests_per_connection_max = 2}});
    rf_str answers = ask(rig, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n"
                              "GET /3 HTTP/1.1\r\nHost: a\r\n\r\n");
    cr_assert(has(answers, "GET /2 ") && has(answers, "Connection: close") && !has(answers, "/3"));
    rig_free(rig);
}

Test(server, knows_its_addresses)
{
    struct rig *rig = rig_new((struct setup){.address = "localhost:0"});
    cr_assert(has(ask(rig, "GET /x HTTP/1.1\r\n" BYE "\r\n"), "200 OK"));
    struct server_options options = {.handler = {.plan = plan, .run = run, .refuse = refuse}};
    struct server *server;
    struct rf_err err;
    uint16_t port = 0;
    cr_assert(server_new(&options, &server, &err) == RF_OK);
    static const char *const bad[] = {"",       "127.0.0.1",   "127.0.0.1:",    "127.0.0.1:65536",
                                      "::1:80", "example:80",  "[127.0.0.1]:0", "1.2.3:0",
                                      "[::1:0", "127.0.0.1:x", "192.0.2.1:0"};
    for (size_t i = 0; i < RF_COUNT(bad); i++) {
        cr_assert(server_listen(server, rf_str_of(bad[i]), NULL, &port, &err) == RF_INVALID, "%s",
                  bad[i]);
        cr_assert_str_eq(err.code, "BadListenAddress");
    }
    rf_str taken = rf_arena_printf(&rig->arena, "127.0.0.1:%u", (unsigned)rig->port);
    cr_assert(server_listen(server, taken, NULL, &port, &err) == RF_CONFLICT);
    cr_assert_str_eq(err.code, "AddressInUse");
    cr_assert(server_listen(server, RF_S("127.0.0.1:0"), NULL, &port, &err) == RF_OK && port != 0);
    server_free(server);
    rig_free(rig);
}

/* Noise of all kinds, many at once; then the server still answers and has no connection left over. */
RF_PROP(server_survives_noise, 20)
{
    struct rig *rig = rig_new((struct setup){.has_tls = rf_test_below(prng, 2) == 0});
    static const char *const pieces[] = {"GET / HTTP/1.1\r\n",
                                         "Host: a\r\n",
                                         "\r\n",
                                         "Content-Length: 5\r\n",
                                         "Transfer-Encoding: chunked\r\n",
                                         "POST /heavy HTTP/1.1\r\n",
                                         "5\r\nhello\r\n",
                                         "0\r\n\r\n",
                                         "\x16\x03\x01",
                                         ": \t",
                                         "\n",
                                         "Connection: close\r\n",
                                         "Content-Encoding: gzip\r\n"};
    enum { CLIENTS = 20 };
    int fds[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) fds[i] = dial(rig);
    for (int i = 0; i < 200; i++) {
        size_t one = rf_test_below(prng, CLIENTS);
        if (fds[one] < 0) continue;
        const char *piece = pieces[rf_test_below(prng, RF_COUNT(pieces))];
        bool sent = send_all(fds[one], rf_str_of(piece));
        if (!sent || rf_test_below(prng, 30) == 0) {
            close(fds[one]);
            fds[one] = -1;
        }
    }
    for (int i = 0; i < CLIENTS; i++)
        if (fds[i] >= 0) close(fds[i]);
    while (server_stats(rig->server).connections > 0) sched_yield();
    rig_free(rig);
}
