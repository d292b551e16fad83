/* http_storm - attacks a running server from several sides at once while a good client works on, which must not notice.
 *
 *   http_storm BOOTSTRAP SERVER-PID REQUESTS SEED
 *
 * - REQUESTS requests, each a good one spoiled by a few random changes, from a few connections side by side;
 * - connections that send a byte now and then: in a head, in a body, before TLS; the server must end each of them;
 * - heads and bodies beyond every limit, and small bodies that unpack to large ones: each is refused as it should be;
 * - the good client: tokens, rows, queries, resources. Every answer must be right, and all its rows be there in the end.
 *
 * No answer may be 500, and the server's memory must not be larger after the second half than after the first by
 * more than what a heap's holes may take. Attackers come from 127.0.0.2, the good client from 127.0.0.1. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>

#include <zlib.h>

#include "base/clock.h"
#include "lib/azure_client.h"
#include "lib/wire.h"

enum {
    ATTACKERS = 16,
    SLOW_CONNS = 90,
    BEYOND_ROUNDS = 3,
    SEEDS_MAX = 24,
    REQUEST_BYTES_MAX = 16 << 10,
    ANSWER_WAIT_MS = 100,
    GROWTH_KIB_MAX = 128 << 10,
    PEAK_KIB_MAX = 2 << 20
};
#define TABLE "Storm_CL"
#define SLOW_USEC_MAX (60 * RF_USEC_PER_SECOND)

struct storm {
    const char *bootstrap;
    uint16_t port;
    uint32_t requests;
    uint64_t seed;
    rf_str seeds[SEEDS_MAX]; /* good requests */
    uint32_t seed_count;
    struct azure azure; /* of main, and for reading by all */
    atomic_uint sent, answers[600], silent, failures, attackers_left;
    atomic_bool half, stop; /* half: the second one may begin */
};

static void complain(struct storm *s, const char *what, rf_str detail)
{
    atomic_fetch_add(&s->failures, 1);
    printf("FAILED: %s: %.*s\n", what, (int)RF_MIN(detail.len, (size_t)500),
           (const char *)detail.ptr);
}

struct reply {
    uint16_t status; /* 0: none came */
    bool in_order;   /* all of it was read and nothing behind it */
    size_t bytes;
    uint8_t text[64 << 10]; /* its beginning */
};

static size_t length_of(rf_str head)
{
    size_t at = rf_str_find(head, RF_S("\r\nContent-Length: "), 0), length = 0;
    if (at == SIZE_MAX) return 0;
    for (at += 18; at < head.len && rf_is_digit(head.ptr[at]) && length < SIZE_MAX / 16; at++)
        length = length * 10 + (size_t)(head.ptr[at] - '0');
    return length;
}

/* Reads an answer; one of 100 Continue is passed over. */
static void read_reply(struct wire *wire, int wait_ms, struct reply *out)
{
    size_t from = 0, end;
    out->status = 0;
    out->in_order = false;
    out->bytes = 0;
    for (;;) {
        rf_str all = rf_str_make(out->text, out->bytes);
        end = rf_str_find(all, RF_S("\r\n\r\n"), from);
        if (end != SIZE_MAX) {
            out->status = (uint16_t)atoi((const char *)out->text + from + 9);
            if (out->status != 100) break;
            from = end + 4;
            continue;
        }
        if (out->bytes == sizeof out->text) return;
        size_t got =
            wire_read(wire, out->text + out->bytes, sizeof out->text - out->bytes, wait_ms);
        if (got == 0) return;
        out->bytes += got;
    }
    size_t wanted = end + 4 + length_of(rf_slice(rf_str_make(out->text, out->bytes), from, end));
    size_t have = out->bytes;
    while (have < wanted) {
        uint8_t rest[16 << 10];
        size_t got = wire_read(wire, rest, sizeof rest, wait_ms * 10);
        if (got == 0) return;
        have += got;
    }
    out->in_order = have == wanted;
}

/* ---- spoiled requests ------------------------------------------------------------------------------------------------- */

static rf_str gzipped(struct rf_arena *arena, rf_str text, int window_bits)
{
    z_stream z = {.next_in = (Bytef *)(uintptr_t)text.ptr, .avail_in = (uInt)text.len};
    size_t room = text.len / 500 + 1024 + (text.len < 4096 ? text.len : 0);
    uint8_t *bytes = rf_arena_alloc(arena, room);
    z.next_out = bytes;
    z.avail_out = (uInt)room;
    if (bytes == NULL || deflateInit2(&z, 9, Z_DEFLATED, window_bits, 9, 0) != Z_OK ||
        deflate(&z, Z_FINISH) != Z_STREAM_END)
        abort();
    (void)deflateEnd(&z);
    return rf_str_make(bytes, room - z.avail_out);
}

static rf_str request_text(struct storm *s, const char *method, rf_str target, int token,
                           const char *headers, rf_str body)
{
    struct rf_buf buf = rf_buf_in(&s->azure.arena);
    rf_buf_printf(&buf, "%s %.*s HTTP/1.1\r\nHost: localhost:%u\r\n%s", method, RF_FMT(target),
                  s->port, headers);
    if (token != AZURE_NO_TOKEN)
        rf_buf_printf(&buf, "Authorization: Bearer %.*s\r\n", RF_FMT(s->azure.tokens[token]));
    if (strstr(headers, "chunked") == NULL && (body.len > 0 || method[0] == 'P'))
        rf_buf_printf(&buf, "Content-Length: %zu\r\n", body.len);
    rf_buf_str(&buf, RF_S("\r\n"));
    rf_buf_str(&buf, body);
    if (buf.failed || buf.len >= REQUEST_BYTES_MAX) abort();
    return rf_buf_view(&buf);
}

static void add_seed(struct storm *s, const char *method, rf_str target, int token,
                     const char *headers, rf_str body)
{
    if (s->seed_count == SEEDS_MAX) abort();
    s->seeds[s->seed_count++] = request_text(s, method, target, token, headers, body);
}

#define JSON "Content-Type: application/json\r\n"
#define ROWS "[{\"TimeGenerated\":\"2026-01-01T00:00:00Z\",\"Batch\":\"bad\",\"Row\":1}]"

static void make_seeds(struct storm *s)
{
    struct rf_arena *arena = &s->azure.arena;
    rf_str group = azure_group(&s->azure, arena), stream = azure_stream(&s->azure, TABLE, arena);
    rf_str query = azure_query_path(&s->azure, arena), none = {0};
    rf_str chunks =
        rf_arena_printf(arena, "%zx;x=y\r\n%s\r\n0\r\nTrailer: x\r\n\r\n", strlen(ROWS), ROWS);
    rf_str form = azure_token_form(&s->azure, arena, RF_S("no secret"), AZURE_ARM);
    rf_str token_path = rf_arena_printf(arena, "/%.*s/oauth2/v2.0/token",
                                        RF_FMT(azure_boot(&s->azure, "tenant_id")));
#define AT(format) rf_arena_printf(arena, format, RF_FMT(group))
    add_seed(s, "GET", RF_S("/metadata/endpoints?api-version=2023-12-01"), AZURE_NO_TOKEN, "",
             none);
    add_seed(s, "POST", token_path, AZURE_NO_TOKEN,
             "Content-Type: application/x-www-form-urlencoded\r\nAccept: */*\r\n", form);
    add_seed(s, "GET", RF_S("/subscriptions?api-version=2022-12-01"), AZURE_ARM, "", none);
    add_seed(s, "GET", AT("%.*s/resources?api-version=2021-04-01&$filter=tagName%%20eq%%20'a'"),
             AZURE_ARM, "Accept-Encoding: gzip\r\nConnection: keep-alive\r\n", none);
    add_seed(s, "HEAD", AT("%.*s?api-version=2021-04-01"), AZURE_ARM, "", none);
    add_seed(s, "PUT",
             AT("%.*s/providers/Microsoft.Storage/storageAccounts/storm?api-version=2023-01-01"),
             AZURE_ARM, JSON "If-Match: *\r\n",
             RF_S("{\"location\":\"local\",\"tags\":{\"a\":\"\\u00e4\"},\"properties\":{\"n\":[1,"
                  "2.5e3,null,true]}}"));
    add_seed(s, "POST", query, AZURE_LOGS, JSON "Prefer: wait=10,include-statistics=true\r\n",
             RF_S("{\"query\":\"" TABLE " | where Row > 0 | summarize count() by Batch | take "
                  "5\",\"timespan\":\"PT1H\"}"));
    add_seed(s, "GET",
             rf_arena_printf(arena, "%.*s?query=print%%20x%%3d1&timespan=P1D", RF_FMT(query)),
             AZURE_LOGS, "Cookie: a=b; c=d\r\n", none);
    add_seed(s, "POST", stream, AZURE_INGEST, JSON, RF_S(ROWS));
    add_seed(s, "POST", stream, AZURE_INGEST, JSON "Content-Encoding: gzip\r\n",
             gzipped(arena, RF_S(ROWS), 31));
    add_seed(s, "POST", stream, AZURE_INGEST, JSON "Transfer-Encoding: chunked\r\n", chunks);
    add_seed(s, "POST", stream, AZURE_INGEST, JSON "Expect: 100-continue\r\n", RF_S(ROWS));
    add_seed(s, "POST", RF_S("/v1/$batch"), AZURE_LOGS, JSON,
             rf_arena_printf(arena,
                             "{\"requests\":[{\"id\":\"1\",\"method\":\"POST\",\"path\":\"/query\","
                             "\"workspace\":\"%.*s\",\"headers\":{},\"body\":{\"query\":\"print "
                             "1\"}}]}",
                             RF_FMT(azure_boot(&s->azure, "workspace_id"))));
    add_seed(s, "POST", RF_S("/v2/rest/query"), AZURE_LOGS, JSON,
             RF_S("{\"db\":\"main\",\"csl\":\"print a=dynamic({'b':[1,2]}), t=ago(1h)\","
                  "\"properties\":{\"Options\":{\"servertimeout\":\"00:01:00\"}}}"));
    add_seed(s, "GET", RF_S("/v1.0/servicePrincipals?$filter=displayName%20eq%20'x'&$top=5"),
             AZURE_GRAPH, "ConsistencyLevel: eventual\r\n", none);
    add_seed(s, "POST", RF_S("/v1.0/$batch"), AZURE_GRAPH, JSON,
             RF_S("{\"requests\":[{\"id\":\"1\",\"method\":\"GET\",\"url\":\"/users?$top=1\"}]}"));
    add_seed(s, "POST", RF_S("/api/logs?api-version=2016-04-01"), AZURE_NO_TOKEN,
             JSON "Log-Type: Storm\r\nAuthorization: SharedKey x:AAAA\r\n"
                  "x-ms-date: Mon, 04 Apr 2016 08:00:00 GMT\r\n",
             RF_S(ROWS));
    add_seed(s, "GET",
             AT("%.*s/providers/Microsoft.Authorization/"
                "roleAssignments?api-version=2022-04-01&$filter=atScope()"),
             AZURE_ARM, "", none);
    add_seed(s, "GET", RF_S("/metadata/identity/oauth2/token?resource=https://vault.azure.net"),
             AZURE_NO_TOKEN, "Metadata: true\r\nX-IDENTITY-HEADER: x\r\n", none);
#undef AT
}

static rf_str some_noise(uint64_t *random)
{
    static const rf_str noise[] = {
#define N(text) {(const uint8_t *)(text), sizeof(text) - 1}
        N("\r"),
        N("\n"),
        N("\r\n"),
        N(" "),
        N("\t"),
        N(":"),
        N(","),
        N("\0"),
        N("\x0b"),
        N("\x7f"),
        N("\xff"),
        N("\xc0\x80"),
        N("%00"),
        N("%"),
        N("/../"),
        N("//"),
        N("?"),
        N("#"),
        N("\""),
        N("{"),
        N("["),
        N("\\u0000"),
        N("1e999"),
        N("-1"),
        N("99999999999999999999"),
        N("\r\n\r\n"),
        N("0\r\n\r\n"),
        N("Content-Length: 3\r\n"),
        N("Content-Length: 5\r\n"),
        N("Transfer-Encoding: chunked\r\n"),
        N("Transfer-Encoding: identity\r\n"),
        N("Content-Encoding: deflate\r\n"),
        N("Host: evil.example\r\n"),
        N(" HTTP/1.1\r\n"),
        N(" HTTP/0.9\r\n"),
        N("Upgrade: h2c\r\n"),
        N("Connection: close\r\n"),
        N("Authorization: Bearer x\r\n"),
        N("X-HTTP-Method-Override: PUT\r\n"),
        N(" | take 1"),
        N("\xe2\x80\xae"),
        N("GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n")
#undef N
    };
    return noise[below(random, RF_COUNT(noise))];
}

/* Changes some bytes at a place. */
static void spoil_once(uint64_t *random, struct draft *d, size_t at)
{
    uint8_t byte = (uint8_t)(1u << below(random, 8));
    switch (below(random, 5)) {
    case 0:
    case 1:
        splice(d, at, 0, some_noise(random));
        break;
    case 2:
        splice(d, at, 1 + below(random, 8), (rf_str){0});
        break;
    case 3:
        splice(d, at, 1, some_noise(random));
        break;
    default:
        if (at < d->len) d->bytes[at] ^= byte;
    }
}

/* Anywhere, mostly where the head or the body begins or ends: the long token in between is of little interest. */
static void spoil_http(const struct storm *s, uint64_t *random, struct draft *d)
{
    for (size_t n = 1 + below(random, 3); n > 0; n--) {
        size_t near = RF_MIN(d->len, (size_t)(n % 2 == 0 ? 80 : 250)), at = below(random, near + 1);
        rf_str other = s->seeds[below(random, s->seed_count)];
        if (below(random, 2) == 0) at = d->len - at;
        if (below(random, 8) == 0) /* cut near the end */
            splice(d, d->len - below(random, RF_MIN(d->len, (size_t)40)), d->len, (rf_str){0});
        else if (below(random, 8) == 0) /* goes on as another request */
            splice(d, at, d->len, rf_slice(other, below(random, other.len), other.len));
        else
            spoil_once(random, d, at);
    }
}

/* Only what the services read: the body, whose length is told rightly, or else the target. */
static void spoil_content(uint64_t *random, struct draft *d)
{
    static const rf_str bits[] = {
#define N(text) {(const uint8_t *)(text), sizeof(text) - 1}
        N("%00"),
        N("%"),
        N("%2f"),
        N("%ff"),
        N(".."),
        N("/"),
        N("//"),
        N("?"),
        N("&"),
        N("="),
        N("'"),
        N("("),
        N(")"),
        N("~"),
        N("$top=-1"),
        N("$filter=("),
        N("api-version=x"),
        N("eq")
#undef N
    };
    char length[32];
    rf_str all = rf_str_make(d->bytes, d->len), field = RF_S("Content-Length: ");
    size_t body = rf_str_find(all, RF_S("\r\n\r\n"), 0) + 4, at = rf_str_find(all, field, 0);
    if (at == SIZE_MAX || at > body || body == d->len) {
        size_t from = rf_str_find(all, RF_S(" "), 0) + 1, to = rf_str_find(all, RF_S(" "), from);
        splice(d, from + 1 + below(random, to - from), below(random, 3),
               bits[below(random, RF_COUNT(bits))]);
        return;
    }
    for (size_t n = 1 + below(random, 3); n > 0; n--)
        spoil_once(random, d, body + below(random, d->len - body + 1));
    size_t end = rf_str_find(all, RF_S("\r\n"), at);
    (void)snprintf(length, sizeof length, "%zu", d->len - body);
    splice(d, at + field.len, end - at - field.len, rf_str_of(length));
}

static void spoil(const struct storm *s, uint64_t *random, struct draft *d)
{
    d->len = 0;
    splice(d, 0, 0, s->seeds[below(random, s->seed_count)]);
    if (below(random, 2) == 0)
        spoil_http(s, random, d);
    else
        spoil_content(random, d);
}

/* True when the server surely waits for more of it. */
static bool is_cut(rf_str request)
{
    size_t end = rf_str_find(request, RF_S("\r\n\r\n"), 0);
    if (end == SIZE_MAX) return rf_str_find(request, RF_S("\n\n"), 0) == SIZE_MAX;
    return length_of(rf_slice(request, 0, end)) > request.len - end - 4;
}

struct attacker {
    struct storm *storm;
    pthread_t thread;
    uint32_t number;
};

static void send_spoiled(struct storm *s, struct wire *wire, uint64_t *random, struct draft *d,
                         struct reply *reply)
{
    spoil(s, random, d);
    if (wire->ssl == NULL && !wire_open(wire, s->port)) {
        complain(s, "a connection", RF_S("refused"));
        return;
    }
    rf_str bytes = rf_str_make(d->bytes, d->len);
    bool sent = wire_send(wire, bytes);
    atomic_fetch_add(&s->sent, 1);
    read_reply(wire, is_cut(bytes) ? 1 : ANSWER_WAIT_MS, reply);
    if (reply->status == 0) atomic_fetch_add(&s->silent, 1);
    if (reply->status < RF_COUNT(s->answers)) atomic_fetch_add(&s->answers[reply->status], 1);
    if (reply->status == 500) {
        complain(s, "an answer of 500", rf_str_make(reply->text, reply->bytes));
        complain(s, "  to", rf_str_make(d->bytes, d->len));
    }
    if (reply->status != 0) wire_keep_session(wire);
    bool closes = rf_str_find(rf_str_make(reply->text, reply->bytes), RF_S("Connection: close"),
                              0) != SIZE_MAX;
    if (!sent || !reply->in_order || closes) wire_close(wire);
}

static void *attack(void *ctx)
{
    struct attacker *a = ctx;
    struct storm *s = a->storm;
    struct wire wire;
    struct draft *draft = malloc(sizeof *draft);
    struct reply *reply = malloc(sizeof *reply);
    uint64_t random = s->seed * 1000 + a->number;
    if (draft == NULL || reply == NULL) abort();
    wire_init(&wire);
    for (int half = 0; half < 2; half++) {
        for (uint32_t i = 0; i < (s->requests + 2 * ATTACKERS - 1) / (2 * ATTACKERS); i++)
            send_spoiled(s, &wire, &random, draft, reply);
        atomic_fetch_sub(&s->attackers_left, 1);
        while (half == 0 && !atomic_load(&s->half)) usleep(1000);
    }
    wire_done(&wire);
    free(draft);
    free(reply);
    return NULL;
}

/* ---- beyond the limits -------------------------------------------------------------------------------------------------- */

struct beyond {
    const char *what;
    rf_str head;  /* request line and headers, with their end */
    rf_str again; /* is sent behind it, `times` over */
    uint32_t times;
    uint16_t wanted;
};

static void send_beyond(struct storm *s, struct wire *wire, const struct beyond *b,
                        struct reply *reply)
{
    char text[64];
    if (!wire_open(wire, s->port)) {
        complain(s, b->what, RF_S("no connection"));
        return;
    }
    bool sent = wire_send(wire, b->head);
    for (uint32_t i = 0; i < b->times && sent; i++) sent = wire_send(wire, b->again);
    read_reply(wire, 10000, reply);
    (void)snprintf(text, sizeof text, "%u, not %u", reply->status, b->wanted);
    if (reply->status != b->wanted) complain(s, b->what, rf_str_of(text));
    wire_keep_session(wire);
    wire_close(wire);
}

static rf_str filled(struct rf_arena *arena, size_t len, int with)
{
    uint8_t *bytes = rf_arena_alloc(arena, len);
    if (bytes == NULL) abort();
    memset(bytes, with, len);
    return rf_str_make(bytes, len);
}

static rf_str post_head(struct storm *s, struct rf_arena *arena, rf_str target, int token,
                        const char *headers, size_t length)
{
    char size[48] = "";
    if (strstr(headers, "chunked") == NULL)
        (void)snprintf(size, sizeof size, "Content-Length: %zu\r\n", length);
    return rf_arena_printf(arena,
                           "POST %.*s HTTP/1.1\r\nHost: localhost:%u\r\nAuthorization: Bearer "
                           "%.*s\r\n" JSON "%s%s\r\n",
                           RF_FMT(target), s->port, RF_FMT(s->azure.tokens[token]), headers, size);
}

static rf_str joined(struct rf_arena *arena, rf_str a, rf_str b)
{
    struct rf_buf buf = rf_buf_in(arena);
    rf_buf_str(&buf, a);
    rf_buf_str(&buf, b);
    if (buf.failed) abort();
    return rf_buf_view(&buf);
}

static void *go_beyond(void *ctx)
{
    struct storm *s = ctx;
    struct wire wire;
    struct rf_arena arena;
    struct reply *reply = malloc(sizeof *reply);
    if (reply == NULL) abort();
    wire_init(&wire);
    rf_arena_init(&arena, (size_t)512 << 20);
    rf_str stream = azure_stream(&s->azure, TABLE, &arena);
    rf_str query = azure_query_path(&s->azure, &arena);
    rf_str kib = filled(&arena, 1024, 'a'), mib = filled(&arena, 1 << 20, ' ');
    rf_str zeros = filled(&arena, 64 << 20, ' ');
    rf_str gzip = gzipped(&arena, zeros, 31), zlib = gzipped(&arena, zeros, 15);
    rf_str twice = gzipped(&arena, gzip, 31);
    rf_str chunk = joined(&arena, RF_S("100000\r\n"), joined(&arena, mib, RF_S("\r\n")));
    rf_str many = RF_S("GET / HTTP/1.1\r\nHost: localhost\r\n");
    for (int i = 0; i < 200; i++) many = joined(&arena, many, RF_S("X: y\r\n"));
    const struct beyond all[] = {
        {"a long target", RF_S("GET /"), kib, 40, 414},
        {"a long head", RF_S("GET / HTTP/1.1\r\nHost: localhost\r\nX: "), kib, 100, 431},
        {"many headers", joined(&arena, many, RF_S("\r\n")), kib, 0, 431},
        {"a length of a terabyte", post_head(s, &arena, stream, AZURE_INGEST, "", (size_t)1 << 40),
         kib, 0, 413},
        {"a length beyond 64 bits",
         RF_S("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 18446744073709551617\r\n\r\n"),
         kib, 0, 400},
        {"chunks without end",
         post_head(s, &arena, stream, AZURE_INGEST, "Transfer-Encoding: chunked\r\n", 0), chunk,
         200, 413},
        {"a bomb of gzip",
         post_head(s, &arena, stream, AZURE_INGEST, "Content-Encoding: gzip\r\n", gzip.len), gzip,
         1, 413},
        {"a bomb of deflate",
         post_head(s, &arena, stream, AZURE_INGEST, "Content-Encoding: deflate\r\n", zlib.len),
         zlib, 1, 413},
        {"a bomb for queries",
         post_head(s, &arena, query, AZURE_LOGS, "Content-Encoding: gzip\r\n", gzip.len), gzip, 1,
         413},
        {"a bomb in a bomb",
         post_head(s, &arena, stream, AZURE_INGEST, "Content-Encoding: gzip, gzip\r\n", twice.len),
         twice, 1, 415},
    };
    for (int round = 0; round < BEYOND_ROUNDS; round++)
        for (size_t i = 0; i < RF_COUNT(all); i++) send_beyond(s, &wire, &all[i], reply);
    wire_done(&wire);
    rf_arena_done(&arena);
    free(reply);
    return NULL;
}

/* ---- slow ones ------------------------------------------------------------------------------------------------------------- */

struct slow {
    struct wire wire;
    rf_str text; /* a byte of it is sent each time, from its start again at its end */
    size_t at;
    bool ended;
};

static void slow_open(struct storm *s, struct slow *slow, uint32_t number, rf_str body_head)
{
    wire_init(&slow->wire);
    bool good;
    switch (number % 3) {
    case 0: /* a head that never ends */
        slow->text = RF_S("GET / HTTP/1.1\r\nHost: localhost\r\nX: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"
                          "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy");
        good = wire_open(&slow->wire, s->port);
        break;
    case 1: /* a body that never ends */
        slow->text = RF_S(" ");
        good = wire_open(&slow->wire, s->port) && wire_send(&slow->wire, body_head);
        break;
    default: /* no TLS; a greeting that never ends */
        slow->wire.fd = tcp_open(s->port);
        good = slow->wire.fd >= 0;
    }
    if (!good) complain(s, "a slow connection", RF_S("refused"));
}

/* Sends a byte; true when the server has ended the connection. */
static bool slow_go_on(struct slow *slow)
{
    struct pollfd poll_fd = {.fd = slow->wire.fd, .events = POLLIN | POLLRDHUP};
    uint8_t byte;
    if (slow->wire.ssl == NULL) {
        byte = slow->at++ == 0 ? 0x16 : 3;
        if (slow->at < 5 && send(slow->wire.fd, &byte, 1, MSG_NOSIGNAL) < 0) return true;
        return poll(&poll_fd, 1, 0) > 0 && (poll_fd.revents & (POLLRDHUP | POLLHUP)) != 0;
    }
    uint8_t answer[4096];
    while (poll(&poll_fd, 1, 0) > 0) {
        int got = SSL_read(slow->wire.ssl, answer, sizeof answer);
        if (got <= 0 && SSL_get_error(slow->wire.ssl, got) != SSL_ERROR_WANT_READ) return true;
    }
    rf_str one = rf_slice(slow->text, slow->at, slow->at + 1);
    slow->at = (slow->at + 1) % slow->text.len;
    return !wire_send(&slow->wire, one);
}

static void *go_slowly(void *ctx)
{
    struct storm *s = ctx;
    struct slow *slow = calloc(SLOW_CONNS, sizeof *slow);
    struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    if (slow == NULL) abort();
    rf_str head =
        post_head(s, &arena, azure_stream(&s->azure, TABLE, &arena), AZURE_INGEST, "", 100000);
    struct rf_clock *clock = rf_clock_real();
    rf_usec begin = rf_clock_elapsed(clock);
    uint32_t open_count = SLOW_CONNS;
    for (uint32_t i = 0; i < SLOW_CONNS; i++) slow_open(s, &slow[i], i, head);
    while (open_count > 0 && rf_clock_elapsed(clock) - begin < SLOW_USEC_MAX) {
        usleep(300000);
        for (uint32_t i = 0; i < SLOW_CONNS; i++) {
            if (slow[i].ended || !slow_go_on(&slow[i])) continue;
            slow[i].ended = true;
            open_count--;
        }
    }
    printf("%u slow connections were ended, the last after %.1f s\n", SLOW_CONNS - open_count,
           (double)(rf_clock_elapsed(clock) - begin) / RF_USEC_PER_SECOND);
    if (open_count > 0) complain(s, "slow connections", RF_S("are left open"));
    for (uint32_t i = 0; i < SLOW_CONNS; i++) wire_done(&slow[i].wire);
    free(slow);
    rf_arena_done(&arena);
    return NULL;
}

/* ---- the good client --------------------------------------------------------------------------------------------------------- */

struct good {
    struct storm *storm;
    struct azure azure;
    uint32_t rounds, rows;
    rf_usec slowest;
};

static void good_expect(struct good *g, const char *what, uint16_t status, uint16_t wanted,
                        const struct http_answer *answer)
{
    if (status == wanted) return;
    printf("status %u, not %u: ", status, wanted);
    complain(g->storm, what, answer->body);
}

static void good_round(struct good *g)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct http_answer answer;
    struct azure *a = &g->azure;
    rf_arena_init(&arena, 16 << 20);
    if (g->rounds % 10 == 0) {
        azure_connect(a);
        if (!azure_fetch_token(a, AZURE_LOGS)) complain(g->storm, "a token", RF_S("refused"));
    }
    rf_str rows = rf_arena_printf(&arena,
                                  "[{\"TimeGenerated\":\"2026-01-01T00:00:00Z\",\"Batch\":\"good\","
                                  "\"Row\":%u},{\"Batch\":\"good\",\"Row\":%u}]",
                                  g->rows, g->rows + 1);
    good_expect(g, "rows",
                azure_call(a, "POST", azure_stream(a, TABLE, &arena), AZURE_INGEST,
                           "application/json", rows, &arena, &answer),
                204, &answer);
    g->rows += 2;
    uint16_t status = azure_call(
        a, "POST", azure_query_path(a, &arena), AZURE_LOGS, "application/json",
        RF_S("{\"query\":\"" TABLE " | where Batch == 'good' | count\"}"), &arena, &answer);
    good_expect(g, "query", status, 200, &answer);
    rf_str count = azure_first_cell(&answer, &arena);
    if (status == 200 && !rf_str_eq(count, rf_arena_printf(&arena, "%u", g->rows)))
        complain(g->storm, "rows are missing", count);
    rf_str group =
        rf_arena_printf(&arena, "%.*s?api-version=2021-04-01", RF_FMT(azure_group(a, &arena)));
    good_expect(g, "resource",
                azure_call(a, "GET", group, AZURE_ARM, "", (rf_str){0}, &arena, &answer), 200,
                &answer);
    g->rounds++;
}

static void *be_good(void *ctx)
{
    struct good *g = ctx;
    struct rf_clock *clock = rf_clock_real();
    azure_init(&g->azure, g->storm->bootstrap);
    azure_sign_in(&g->azure);
    azure_prepare(&g->azure, TABLE);
    while (!atomic_load(&g->storm->stop)) {
        rf_usec begin = rf_clock_elapsed(clock);
        good_round(g);
        usleep(30000); /* it has something else to do too */
        g->slowest = RF_MAX(g->slowest, rf_clock_elapsed(clock) - begin);
    }
    azure_done(&g->azure);
    return NULL;
}

/* ---- all together -------------------------------------------------------------------------------------------------------------- */

static unsigned long wait_for_attackers(struct storm *s, const char *pid)
{
    while (atomic_load(&s->attackers_left) > 0) usleep(10000);
    return memory_kib(pid, "VmRSS:");
}

static void report(struct storm *s, const struct good *good, double seconds)
{
    printf("%u spoiled requests in %.1f s; answers:", atomic_load(&s->sent), seconds);
    for (uint32_t i = 100; i < RF_COUNT(s->answers); i++)
        if (atomic_load(&s->answers[i]) > 0) printf(" %u: %u", i, atomic_load(&s->answers[i]));
    printf(", none: %u\n", atomic_load(&s->silent));
    printf("good client: %u rounds, %u rows, the slowest round took %.0f ms\n", good->rounds,
           good->rows, (double)good->slowest / RF_USEC_PER_MS);
}

static void check_memory(struct storm *s, const char *pid, unsigned long first,
                         unsigned long second)
{
    unsigned long peak = memory_kib(pid, "VmHWM:");
    printf(
        "memory of the server: %lu MiB after the first half, %lu after the second, %lu at most\n",
        first >> 10, second >> 10, peak >> 10);
    if (first == 0 || second == 0) complain(s, "memory", RF_S("the server is gone"));
    if (second > first + GROWTH_KIB_MAX) complain(s, "memory", RF_S("it grows"));
    if (peak > PEAK_KIB_MAX) complain(s, "memory", RF_S("too much of it"));
}

int main(int argc, char **argv)
{
    static struct storm s;
    static struct attacker attackers[ATTACKERS];
    struct good good = {.storm = &s};
    pthread_t beyond, slow, good_thread;
    if (argc != 5) azure_die("usage", RF_S("http_storm BOOTSTRAP SERVER-PID REQUESTS SEED"));
    (void)signal(SIGPIPE, SIG_IGN);
    s.bootstrap = argv[1];
    s.requests = (uint32_t)strtoul(argv[3], NULL, 10);
    s.seed = strtoul(argv[4], NULL, 10);
    azure_init(&s.azure, argv[1]);
    rf_str url = azure_boot(&s.azure, "https");
    for (size_t i = 16; i < url.len; i++)
        if (url.ptr[i - 1] == ':' || s.port != 0)
            s.port = (uint16_t)(s.port * 10 + (url.ptr[i] - '0'));
    azure_sign_in(&s.azure);
    azure_prepare(&s.azure, TABLE);
    make_seeds(&s);

    struct rf_clock *clock = rf_clock_real();
    rf_usec begin = rf_clock_elapsed(clock);
    atomic_store(&s.attackers_left, ATTACKERS);
    if (pthread_create(&good_thread, NULL, be_good, &good) != 0 ||
        pthread_create(&slow, NULL, go_slowly, &s) != 0 ||
        pthread_create(&beyond, NULL, go_beyond, &s) != 0)
        abort();
    for (uint32_t i = 0; i < ATTACKERS; i++) {
        attackers[i] = (struct attacker){.storm = &s, .number = i};
        if (pthread_create(&attackers[i].thread, NULL, attack, &attackers[i]) != 0) abort();
    }
    unsigned long first = wait_for_attackers(&s, argv[2]);
    atomic_store(&s.attackers_left, ATTACKERS);
    atomic_store(&s.half, true);
    unsigned long second = wait_for_attackers(&s, argv[2]);
    double seconds = (double)(rf_clock_elapsed(clock) - begin) / RF_USEC_PER_SECOND;
    for (uint32_t i = 0; i < ATTACKERS; i++) pthread_join(attackers[i].thread, NULL);
    pthread_join(slow, NULL);
    atomic_store(&s.stop, true);
    pthread_join(beyond, NULL);
    pthread_join(good_thread, NULL);
    report(&s, &good, seconds);
    check_memory(&s, argv[2], first, second);
    if (good.rounds == 0) complain(&s, "the good client", RF_S("did nothing"));
    azure_done(&s.azure);
    return atomic_load(&s.failures) == 0 ? 0 : 1;
}
