/* hub_storm - attacks the event hubs of a running server from all sides while good clients send and receive, which must not notice.
 *
 *   hub_storm BOOTSTRAP SERVER-PID FRAMES SEED
 *
 * - FRAMES frames or requests for each protocol (AMQP over TLS, AMQP over WebSocket, Kafka, HTTPS), taken from valid conversations and
 *   spoiled: lengths that lie, values out of range, wrong order, deep nesting, batches whose counts, checksums and codecs lie. They come
 *   from somebody who has a rule of one hub, on many short connections, of which some vanish without a word;
 * - batches that unpack to much more than they may: each is refused with its code, and the connection goes on;
 * - peers that open a connection and say little: the server ends each of them;
 * - peers that ask for all there is and read nothing: what the server keeps for them is bounded;
 * - one good client for each way, which sends an event and receives it again, in order, all the time. None sees an error.
 *
 * In the end the server has not more files open than before and its memory has not grown from the first half to the second
 * by more than what a heap's holes may take. */
#define _GNU_SOURCE
#include <dirent.h>
#include <pthread.h>
#include <signal.h>

#include "base/clock.h"
#include "lib/hub_peers.h"
#include "lib/hub_spoil.h"

enum {
    ATTACKERS = 2, /* for each protocol */
    QUIET_MS = 15,
    SLOW_CONNS = 24,
    DEAF_CONNS = 12,
    DEAF_FETCHES = 64,
    STOCK_BATCHES = 24, /* of 900 KiB, for those that do not read */
    STOCK_BYTES = 900 << 10,
    GROWTH_KIB_MAX = 96 << 10,
    DEAF_KIB_MAX = 16 << 10, /* for each connection */
    SESSIONS = 4990,
    FILES_MORE_MAX = 16,
    COMPLAINTS_MAX = 20
};
#define SLOW_USEC_MAX (45 * RF_USEC_PER_SECOND) /* 20 s are promised; the machine may be busy */
#define BAD "storm-bad"
#define GOOD "storm-good"

enum way { WAY_AMQP, WAY_WEBSOCKET, WAY_KAFKA, WAY_HTTP, WAYS };
static const char *const way_names[] = {"AMQP", "AMQP over WebSocket", "Kafka", "HTTPS"};

struct storm {
    const char *bootstrap, *pid;
    uint16_t ports[WAYS];
    uint32_t frames;
    uint64_t seed;
    struct hub_peers p; /* limited: the attackers' rule */
    struct talk talks[WAYS];
    atomic_uint sent[WAYS], connections[WAYS], events[WAYS], failures, left;
    atomic_bool half, stop;
};

static void complain(struct storm *s, const char *what, rf_str detail)
{
    if (atomic_fetch_add(&s->failures, 1) >= COMPLAINTS_MAX) return;
    printf("FAILED: %s: %.*s\n", what, (int)RF_MIN(detail.len, (size_t)500),
           (const char *)detail.ptr);
}

/* ---- talking ------------------------------------------------------------------------------------------------------- */

/* WebSocket's head in front of bytes, with a mask of zeros; now and then a wrong one. */
static size_t websocket_head(uint64_t *random, size_t len, uint8_t out[14])
{
    size_t at = 2;
    out[0] = 0x82;
    out[1] = (uint8_t)(0x80 | (len < 126 ? len : 126));
    if (len >= 126) {
        out[at++] = (uint8_t)(len >> 8);
        out[at++] = (uint8_t)len;
    }
    memset(out + at, 0, 4);
    if (below(random, 8) == 0) out[below(random, at)] ^= (uint8_t)(1u << below(random, 8));
    return at + 4;
}

static bool put(struct wire *wire, enum way way, uint64_t *random, rf_str bytes)
{
    uint8_t head[14];
    if (way == WAY_WEBSOCKET &&
        !wire_send(wire, rf_str_make(head, websocket_head(random, bytes.len, head))))
        return false;
    return wire_send(wire, bytes);
}

/* Takes what comes until nothing does; false: the connection has ended. */
static bool drain(struct wire *wire, int wait_ms)
{
    uint8_t bytes[16 << 10];
    while (wire_read(wire, bytes, sizeof bytes, wait_ms) > 0) continue;
    return (SSL_get_shutdown(wire->ssl) & SSL_RECEIVED_SHUTDOWN) == 0;
}

static bool begin_talk(struct storm *s, enum way way, struct wire *wire, uint64_t *random,
                       struct draft *d)
{
    char upgrade[300];
    const struct talk *talk = &s->talks[way];
    if (!wire_open(wire, s->ports[way])) return false;
    atomic_fetch_add(&s->connections[way], 1);
    if (way == WAY_WEBSOCKET) {
        uint8_t answer[1024] = "";
        (void)snprintf(upgrade, sizeof upgrade,
                       "GET /$servicebus/websocket HTTP/1.1\r\nHost: localhost:%u\r\nUpgrade: "
                       "websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                       "Sec-WebSocket-Protocol: AMQPWSB10\r\n"
                       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                       s->ports[way]);
        if (!wire_send(wire, rf_str_of(upgrade)) ||
            wire_read(wire, answer, sizeof answer - 1, 10000) == 0 ||
            strstr((const char *)answer, " 101 ") == NULL) {
            complain(s, "an upgrade was refused", rf_str_of((const char *)answer));
            return false;
        }
    }
    bool spoils = below(random, 7) == 0;
    for (uint32_t i = 0; i < talk->setup_count; i++) {
        rf_str frame = talk->setup[i];
        if (spoils && below(random, 3) == 0) {
            spoil(talk, frame, random, d);
            frame = rf_str_make(d->bytes, d->len);
            atomic_fetch_add(&s->sent[way], 1);
        }
        if (!put(wire, way, random, frame)) return false;
    }
    return talk->setup_count == 0 || drain(wire, QUIET_MS);
}

static void talk_once(struct storm *s, enum way way, struct wire *wire, uint64_t *random,
                      struct draft *d)
{
    const struct talk *talk = &s->talks[way];
    uint32_t at = (uint32_t)below(random, talk->frame_count);
    bool in_order = below(random, 2) == 0;
    if (!begin_talk(s, way, wire, random, d)) return;
    wire_keep_session(wire);
    for (size_t n = 4 + below(random, 24); n > 0; n--) {
        at = in_order ? (at + 1) % talk->frame_count : (uint32_t)below(random, talk->frame_count);
        spoil(talk, talk->frames[at], random, d);
        atomic_fetch_add(&s->sent[way], 1);
        if (d->len > 0 && !put(wire, way, random, rf_str_make(d->bytes, d->len))) return;
        if (below(random, 8) == 0 && !drain(wire, 1)) return;
    }
    if (below(random, 4) > 0) (void)drain(wire, QUIET_MS); /* else it vanishes */
}

struct attacker {
    struct storm *storm;
    enum way way;
    uint32_t number;
    pthread_t thread;
};

static void *attack(void *ctx)
{
    struct attacker *a = ctx;
    struct storm *s = a->storm;
    struct wire wire;
    struct draft *draft = malloc(sizeof *draft);
    uint64_t random = s->seed * 1000 + a->way * 100 + a->number;
    if (draft == NULL) abort();
    wire_init(&wire);
    for (uint32_t half = 1; half <= 2; half++) {
        while (atomic_load(&s->sent[a->way]) < s->frames / 2 * half) {
            talk_once(s, a->way, &wire, &random, draft);
            wire_close(&wire);
        }
        atomic_fetch_sub(&s->left, 1);
        while (half == 1 && !atomic_load(&s->half)) usleep(1000);
    }
    wire_done(&wire);
    free(draft);
    return NULL;
}

/* ---- good clients --------------------------------------------------------------------------------------------------- */

struct good {
    struct storm *storm;
    enum way way;
    pthread_t thread;
    rf_usec slowest;
};

static rf_str event_text(struct rf_arena *arena, enum way way, uint32_t number)
{
    return rf_arena_printf(arena, "good event %u of way %d", number, (int)way);
}

/* One that sends and one that receives. */
struct good_pair {
    struct amqp_client *out, *in;
};

static bool good_amqp_round(struct good *g, const struct good_pair *pair, uint32_t number)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct rf_err err;
    uint32_t link;
    rf_str got;
    rf_arena_init(&arena, 1 << 20);
    rf_str text = event_text(&arena, g->way, number);
    struct rf_buf message = rf_buf_in(&arena);
    amqp_message(&message, text, RF_S(""));
    if (amqp_client_send(pair->out, 0, 0, rf_buf_view(&message), &err) != RF_OK ||
        amqp_client_settle(pair->out, &err) != RF_OK ||
        amqp_client_receive(pair->in, 20 * RF_USEC_PER_SECOND, &link, &got, &err) != RF_OK) {
        complain(g->storm, way_names[g->way], rf_str_of(err.text));
        return false;
    }
    if (rf_str_find(got, text, 0) == SIZE_MAX) complain(g->storm, "another event came", got);
    return true;
}

static bool good_pair_open(struct good *g, struct good_pair *pair, struct rf_arena *arena,
                           struct rf_err *err)
{
    struct storm *s = g->storm;
    const struct amqp_client_options options = {.host = "localhost",
                                                .port = s->ports[g->way],
                                                .ca_pem = s->p.azure.ca,
                                                .over_websocket = g->way == WAY_WEBSOCKET,
                                                .user = s->p.root.rule,
                                                .password = s->p.root.key};
    uint32_t link;
    rf_str to = rf_arena_printf(arena, GOOD "/Partitions/%d", (int)g->way);
    rf_str from =
        rf_arena_printf(arena, GOOD "/ConsumerGroups/$Default/Partitions/%d", (int)g->way);
    return amqp_client_open(&options, &pair->out, err) == RF_OK &&
           amqp_client_open(&options, &pair->in, err) == RF_OK &&
           amqp_client_sender(pair->out, to, &link, err) == RF_OK &&
           amqp_client_receiver(pair->in, from, RF_S("amqp.annotation.x-opt-offset > '@latest'"),
                                50, &link, err) == RF_OK;
}

static bool good_amqp(struct good *g, uint32_t *number)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct good_pair pair = {NULL, NULL};
    struct rf_err err;
    rf_arena_init(&arena, 1 << 20);
    bool good = good_pair_open(g, &pair, &arena, &err);
    if (!good) complain(g->storm, way_names[g->way], rf_str_of(err.text));
    struct rf_clock *clock = rf_clock_real();
    for (int i = 0; i < 100 && good && !atomic_load(&g->storm->stop); i++) {
        rf_usec begin = rf_clock_elapsed(clock);
        good = good_amqp_round(g, &pair, (*number)++);
        g->slowest = RF_MAX(g->slowest, rf_clock_elapsed(clock) - begin);
        usleep(20000);
    }
    amqp_client_close(pair.out);
    amqp_client_close(pair.in);
    return good;
}

static bool good_kafka(struct good *g, uint32_t *number)
{
    struct storm *s = g->storm;
    struct wire wire;
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct rf_clock *clock = rf_clock_real();
    rf_arena_init(&arena, 64 << 20);
    wire_init(&wire);
    bool good = kafka_log_in(&s->p, &wire, &s->p.root, &arena);
    if (!good) complain(s, "Kafka", RF_S("the login failed"));
    for (int i = 0; i < 100 && good && !atomic_load(&s->stop); i++) {
        rf_usec begin = rf_clock_elapsed(clock);
        rf_str text = event_text(&arena, g->way, (*number)++);
        int64_t offset;
        int16_t error = kafka_send(&wire, RF_S(GOOD), WAY_KAFKA,
                                   seed_batch(&arena, CODEC_NONE, text), &arena, &offset);
        rf_str got =
            error != 0
                ? (rf_str){0}
                : kafka_ask(&wire,
                            seed_fetch(&arena, RF_S(GOOD), WAY_KAFKA, offset, 10000, 1 << 20),
                            &arena);
        good = rf_str_find(got, text, 0) != SIZE_MAX;
        if (!good)
            complain(s, "Kafka: an event was lost", rf_arena_printf(&arena, "error %d", error));
        g->slowest = RF_MAX(g->slowest, rf_clock_elapsed(clock) - begin);
        usleep(20000);
    }
    wire_done(&wire);
    return good;
}

static bool good_http_round(struct good *g, struct azure *a, rf_str token, uint32_t number)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct http_answer answer;
    struct rf_err err;
    rf_arena_init(&arena, 16 << 20);
    rf_str text = event_text(&arena, g->way, number), base = azure_boot(a, "https");
    const struct http_header header = {RF_S("Authorization"), token};
    rf_str to = rf_arena_printf(&arena, "%.*s/" GOOD "/partitions/3/messages", RF_FMT(base));
    rf_str from = rf_arena_printf(&arena, "%.*s/" GOOD "/partitions/3/events?from=%u&count=1",
                                  RF_FMT(base), number);
    bool good =
        http_client_call(a->client, "POST", to, &header, 1, text, &arena, &answer, &err) == RF_OK &&
        answer.status == 201 &&
        http_client_call(a->client, "GET", from, &header, 1, (rf_str){0}, &arena, &answer, &err) ==
            RF_OK &&
        rf_str_find(answer.body, text, 0) != SIZE_MAX;
    if (!good) complain(g->storm, "HTTPS", answer.body);
    return good;
}

static bool good_http(struct good *g, uint32_t *number)
{
    struct storm *s = g->storm;
    struct azure azure;
    struct rf_clock *clock = rf_clock_real();
    bool good = true;
    azure_init(&azure, s->bootstrap);
    struct seed_login login = s->p.root;
    login.hub = RF_S(GOOD);
    rf_str token = seed_sas(&azure.arena, &login, "https", s->p.expires);
    for (int i = 0; i < 100 && good && !atomic_load(&s->stop); i++) {
        rf_usec begin = rf_clock_elapsed(clock);
        good = good_http_round(g, &azure, token, (*number)++);
        g->slowest = RF_MAX(g->slowest, rf_clock_elapsed(clock) - begin);
        usleep(20000);
    }
    azure_done(&azure);
    return good;
}

static void *be_good(void *ctx)
{
    struct good *g = ctx;
    uint32_t number = 0;
    while (!atomic_load(&g->storm->stop)) {
        bool good = g->way == WAY_KAFKA  ? good_kafka(g, &number)
                    : g->way == WAY_HTTP ? good_http(g, &number)
                                         : good_amqp(g, &number);
        if (!good) break;
    }
    atomic_store(&g->storm->events[g->way], number);
    return NULL;
}

/* ---- batches that are more than they seem ------------------------------------------------------------------------ */

static void *go_beyond(void *ctx)
{
    struct storm *s = ctx;
    struct wire wire;
    struct rf_arena arena;
    struct rf_err err;
    rf_arena_init(&arena, (size_t)1 << 30);
    wire_init(&wire);
    for (int codec = CODEC_GZIP; codec <= CODEC_ZSTD; codec++) {
        /* Snappy packs 20 to 1 only: a larger one would not fit into a batch. */
        size_t len = codec == CODEC_SNAPPY ? 12 << 20 : codec == CODEC_LZ4 ? 100 << 20 : 300 << 20;
        uint8_t *zeros = calloc(1, len);
        rf_str packed;
        int64_t offset;
        if (zeros == NULL || codec_deflate((enum batch_codec)codec, rf_str_make(zeros, len), &arena,
                                           &packed, &err) != RF_OK)
            abort();
        free(zeros);
        rf_str batch = seed_raw_batch(&arena, (int16_t)codec, 1, packed);
        bool is_in = kafka_log_in(&s->p, &wire, &s->p.limited, &arena);
        int16_t error = -100, again = -100;
        for (int i = 0; i < 2 && is_in; i++)
            error = kafka_send(&wire, s->p.limited.hub, 0, batch, &arena, &offset);
        if (is_in)
            again = kafka_send(&wire, s->p.limited.hub, 0,
                               seed_batch(&arena, CODEC_NONE, RF_S("x")), &arena, &offset);
        bool is_told = error == 2 || error == 10; /* corrupt, or too large */
        if (!is_told || again != 0)
            complain(s, "a bomb",
                     rf_arena_printf(&arena, "codec %d, %zu bytes: error %d, then %d", codec,
                                     packed.len, error, again));
        wire_close(&wire);
        rf_arena_reset(&arena);
    }
    wire_done(&wire);
    rf_arena_done(&arena);
    return NULL;
}

/* ---- those that say little --------------------------------------------------------------------------------------- */

static bool open_slowly(struct storm *s, struct wire *wire, uint32_t number)
{
    const struct talk *talk = &s->talks[WAY_AMQP];
    wire_init(wire);
    if (!wire_open(wire, s->ports[number % 4 == 3 ? WAY_KAFKA : WAY_AMQP])) return false;
    switch (number % 4) {
    case 0: /* half a header */
        return wire_send(wire, rf_slice(talk->setup[0], 0, 5));
    case 1: /* SASL without end */
        return wire_send(wire, talk->setup[0]) && wire_send(wire, rf_slice(talk->setup[1], 0, 9));
    case 2: /* SASL is through; no open */
        return wire_send(wire, talk->setup[0]) && wire_send(wire, talk->setup[1]) &&
               wire_send(wire, talk->setup[2]);
    default: /* half a request */
        return wire_send(wire, rf_slice(s->talks[WAY_KAFKA].setup[0], 0, 7));
    }
}

static bool has_ended(struct wire *wire)
{
    struct pollfd poll_fd = {.fd = wire->fd, .events = POLLIN | POLLRDHUP};
    uint8_t bytes[4096];
    while (poll(&poll_fd, 1, 0) > 0) {
        if ((poll_fd.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0) return true;
        if (SSL_read(wire->ssl, bytes, sizeof bytes) <= 0) break;
    }
    return false;
}

static void *go_slowly(void *ctx)
{
    struct storm *s = ctx;
    static struct wire wires[SLOW_CONNS];
    static bool ended[SLOW_CONNS];
    struct rf_clock *clock = rf_clock_real();
    rf_usec begin = rf_clock_elapsed(clock);
    uint32_t open_count = SLOW_CONNS;
    for (uint32_t i = 0; i < SLOW_CONNS; i++)
        if (!open_slowly(s, &wires[i], i)) complain(s, "a slow connection", RF_S("refused"));
    while (open_count > 0 && rf_clock_elapsed(clock) - begin < SLOW_USEC_MAX) {
        usleep(200000);
        for (uint32_t i = 0; i < SLOW_CONNS; i++) {
            if (ended[i] || !has_ended(&wires[i])) continue;
            ended[i] = true;
            open_count--;
        }
    }
    printf("%u slow connections were ended, the last after %.1f s\n", SLOW_CONNS - open_count,
           (double)(rf_clock_elapsed(clock) - begin) / RF_USEC_PER_SECOND);
    for (uint32_t i = 0; i < SLOW_CONNS; i++) {
        if (!ended[i])
            complain(s, "a slow connection is left open",
                     i % 4 == 3 ? RF_S("Kafka") : RF_S("AMQP"));
        wire_done(&wires[i]);
    }
    return NULL;
}

/* ---- those that do not read -------------------------------------------------------------------------------------- */

static void make_stock(struct storm *s)
{
    struct wire wire;
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    int64_t offset;
    uint8_t *bytes = malloc(STOCK_BYTES / 3);
    if (bytes == NULL) abort();
    memset(bytes, 'x', STOCK_BYTES / 3);
    rf_arena_init(&arena, 256 << 20);
    wire_init(&wire);
    bool good = kafka_log_in(&s->p, &wire, &s->p.limited, &arena);
    rf_str batch = seed_batch(&arena, CODEC_NONE, rf_str_make(bytes, STOCK_BYTES / 3));
    for (int i = 0; i < STOCK_BATCHES && good; i++)
        good = kafka_send(&wire, s->p.limited.hub, 1, batch, &arena, &offset) == 0;
    if (!good) complain(s, "a stock of events", RF_S("was refused"));
    wire_done(&wire);
    free(bytes);
}

static void be_deaf(struct storm *s, struct wire *wire, bool is_kafka, struct rf_arena *arena)
{
    wire_init(wire);
    if (is_kafka) {
        bool good = kafka_log_in(&s->p, wire, &s->p.limited, arena);
        rf_str fetch = seed_fetch(arena, s->p.limited.hub, 1, 0, 0, INT32_MAX);
        for (int i = 0; i < DEAF_FETCHES && good; i++) good = wire_send(wire, fetch);
        if (!good) complain(s, "a fetcher", RF_S("was refused"));
        return;
    }
    const struct talk *talk = &s->talks[WAY_AMQP];
    bool good = wire_open(wire, s->ports[WAY_AMQP]);
    for (uint32_t i = 0; i < 5 && good; i++) good = wire_send(wire, talk->setup[i]);
    rf_str from = rf_arena_printf(arena, BAD "/ConsumerGroups/$Default/Partitions/1");
    for (uint32_t i = 0; i < 3 && good; i++)
        good = wire_send(wire, seed_attach(arena, i, true, from,
                                           "amqp.annotation.x-opt-offset > "
                                           "'-1'")) &&
               wire_send(wire, seed_flow(arena, i, 1000000, false));
    if (!good) complain(s, "a receiver", RF_S("was refused"));
}

/* Sessions up to the limit on one connection, with a link each. */
static void open_many_sessions(struct storm *s, struct wire *wire, struct rf_arena *arena)
{
    const struct talk *talk = &s->talks[WAY_AMQP];
    wire_init(wire);
    bool good = wire_open(wire, s->ports[WAY_AMQP]);
    for (uint32_t i = 0; i < 4 && good; i++) good = wire_send(wire, talk->setup[i]);
    rf_str begin = talk->setup[4], attach = seed_attach(arena, 0, false, RF_S(BAD), NULL);
    for (uint32_t i = 0; i < SESSIONS && good; i++) {
        uint8_t frame[1024];
        const rf_str both[] = {begin, attach};
        for (int k = 0; k < 2 && good; k++) {
            memcpy(frame, both[k].ptr, both[k].len);
            frame[6] = (uint8_t)(i >> 8);
            frame[7] = (uint8_t)i;
            good = wire_send(wire, rf_str_make(frame, both[k].len));
        }
        if (i % 50 == 0 && good) good = drain(wire, 1);
    }
    if (!good) complain(s, "sessions", RF_S("were refused"));
    (void)drain(wire, 500);
}

static void go_deaf(struct storm *s)
{
    struct wire wires[DEAF_CONNS];
    struct rf_arena arena;
    rf_arena_init(&arena, 64 << 20);
    unsigned long begin = memory_kib(s->pid, "VmRSS:");
    open_many_sessions(s, &wires[0], &arena);
    unsigned long after = memory_kib(s->pid, "VmRSS:");
    printf("%d sessions with a link each on one connection: %lu KiB of memory\n", SESSIONS,
           after - RF_MIN(begin, after));
    wire_done(&wires[0]);
    static const char *const names[] = {"AMQP", "Kafka"};
    for (int kafka = 0; kafka < 2; kafka++) {
        unsigned long before = memory_kib(s->pid, "VmRSS:"), most = before;
        for (uint32_t i = 0; i < DEAF_CONNS; i++) be_deaf(s, &wires[i], kafka == 1, &arena);
        for (int i = 0; i < 20; i++) {
            usleep(100000);
            most = RF_MAX(most, memory_kib(s->pid, "VmRSS:"));
        }
        unsigned long each = (most - RF_MIN(before, most)) / DEAF_CONNS;
        printf("%d peers that do not read (%s): %lu KiB of memory for each\n", DEAF_CONNS,
               names[kafka], each);
        if (each > DEAF_KIB_MAX) complain(s, "memory", RF_S("too much for those that do not read"));
        for (uint32_t i = 0; i < DEAF_CONNS; i++) wire_done(&wires[i]);
    }
    rf_arena_done(&arena);
}

/* ---- all together --------------------------------------------------------------------------------------------------- */

static uint32_t files_of(const char *pid)
{
    char path[64];
    uint32_t count = 0;
    (void)snprintf(path, sizeof path, "/proc/%s/fd", pid);
    DIR *dir = opendir(path);
    while (dir != NULL && readdir(dir) != NULL) count++;
    if (dir != NULL) (void)closedir(dir);
    return count;
}

/* Connections that have ended are closed soon, not at once. */
static void check_files(struct storm *s, uint32_t before)
{
    uint32_t now = files_of(s->pid);
    for (int i = 0; i < 100 && now > before + FILES_MORE_MAX; i++) {
        usleep(100000);
        now = files_of(s->pid);
    }
    printf("files open: %u before, %u now\n", before, now);
    if (now > before + FILES_MORE_MAX) complain(s, "files", RF_S("are left open"));
}

static void prepare(struct storm *s)
{
    static const char *const hubs[] = {GOOD, BAD};
    struct hub_peers *p = &s->p;
    hub_peers_init(p, s->bootstrap, hubs, RF_COUNT(hubs), BAD);
    const uint16_t ports[WAYS] = {p->amqps, p->https, p->kafka, p->https};
    memcpy(s->ports, ports, sizeof ports);
    seed_amqp(&s->talks[WAY_AMQP], &p->azure.arena, &p->limited, p->expires);
    s->talks[WAY_WEBSOCKET] = s->talks[WAY_AMQP];
    seed_kafka(&s->talks[WAY_KAFKA], &p->azure.arena, &p->limited);
    seed_http(&s->talks[WAY_HTTP], &p->azure.arena, &p->limited, p->https, p->expires);
}

static unsigned long wait_for_attackers(struct storm *s)
{
    while (atomic_load(&s->left) > 0) usleep(10000);
    return memory_kib(s->pid, "VmRSS:");
}

static void start(pthread_t *thread, void *(*run)(void *), void *ctx)
{
    if (pthread_create(thread, NULL, run, ctx) != 0) abort();
}

static void check_memory(struct storm *s, unsigned long first, unsigned long second)
{
    printf(
        "memory of the server: %lu MiB after the first half, %lu after the second, %lu at most\n",
        first >> 10, second >> 10, memory_kib(s->pid, "VmHWM:") >> 10);
    if (first == 0 || second == 0) complain(s, "memory", RF_S("the server is gone"));
    if (second > first + GROWTH_KIB_MAX) complain(s, "memory", RF_S("it grows"));
}

static void report(struct storm *s, const struct good *goods, double seconds)
{
    for (int way = 0; way < WAYS; way++) {
        uint32_t events = atomic_load(&s->events[way]);
        printf(
            "%s: %u spoiled frames on %u connections; %u good events, the slowest took %.0f ms\n",
            way_names[way], atomic_load(&s->sent[way]), atomic_load(&s->connections[way]), events,
            (double)goods[way].slowest / RF_USEC_PER_MS);
        if (events == 0) complain(s, way_names[way], RF_S("no event was sent"));
    }
    printf("%.1f s\n", seconds);
}

int main(int argc, char **argv)
{
    static struct storm s;
    static struct attacker attackers[WAYS * ATTACKERS];
    struct good goods[WAYS];
    pthread_t beyond, slow;
    if (argc != 5) azure_die("usage", RF_S("hub_storm BOOTSTRAP SERVER-PID FRAMES SEED"));
    (void)signal(SIGPIPE, SIG_IGN);
    s.bootstrap = argv[1];
    s.pid = argv[2];
    s.frames = (uint32_t)strtoul(argv[3], NULL, 10);
    s.seed = strtoul(argv[4], NULL, 10);
    prepare(&s);
    make_stock(&s);
    uint32_t files = files_of(s.pid);

    struct rf_clock *clock = rf_clock_real();
    rf_usec begin = rf_clock_elapsed(clock);
    atomic_store(&s.left, WAYS * ATTACKERS);
    for (int way = 0; way < WAYS; way++) {
        goods[way] = (struct good){.storm = &s, .way = (enum way)way};
        start(&goods[way].thread, be_good, &goods[way]);
    }
    start(&slow, go_slowly, &s);
    start(&beyond, go_beyond, &s);
    for (uint32_t i = 0; i < WAYS * ATTACKERS; i++) {
        attackers[i] = (struct attacker){.storm = &s, .way = i % WAYS, .number = i / WAYS};
        start(&attackers[i].thread, attack, &attackers[i]);
    }
    unsigned long first = wait_for_attackers(&s);
    atomic_store(&s.left, WAYS * ATTACKERS);
    atomic_store(&s.half, true);
    unsigned long second = wait_for_attackers(&s);
    double seconds = (double)(rf_clock_elapsed(clock) - begin) / RF_USEC_PER_SECOND;
    for (uint32_t i = 0; i < WAYS * ATTACKERS; i++) pthread_join(attackers[i].thread, NULL);
    pthread_join(beyond, NULL);
    go_deaf(&s);
    pthread_join(slow, NULL);
    atomic_store(&s.stop, true);
    for (int way = 0; way < WAYS; way++) pthread_join(goods[way].thread, NULL);
    report(&s, goods, seconds);
    check_memory(&s, first, second);
    check_files(&s, files);
    azure_done(&s.p.azure);
    return atomic_load(&s.failures) == 0 ? 0 : 1;
}
