/* Against the vectors of RFC 7677, a scripted peer, and (by tests/postgres.sh) a server. */
#include "net/postgres.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "base/clock.h"
#include "net/postgres_scram.h"
#include "net/postgres_wire.h"

/* ---- SCRAM -------------------------------------------------------------------------------------------------------- */

#define SERVER_FIRST                                                                               \
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"

static struct scram scram_of(struct rf_arena *arena)
{
    return (struct scram){.arena = arena,
                          .user = RF_S("user"),
                          .password = RF_S("pencil"),
                          .nonce = RF_S("rOprNGfwEbeRWgbNEkqO")};
}

Test(postgres, scram_is_that_of_the_rfc)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    struct scram scram = scram_of(&arena);
    rf_str out;
    cr_assert(rf_str_is(scram_first(&scram), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO"));
    cr_assert(scram_answer(&scram, RF_S(SERVER_FIRST), &out, NULL) == RF_OK);
    cr_assert(rf_str_is(out, "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
                             "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="));
    cr_expect(scram_finish(&scram, RF_S("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="), NULL) ==
              RF_OK);
    cr_expect(scram_finish(&scram, RF_S("v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="), NULL) ==
              RF_DENIED);
    cr_expect(scram_finish(&scram, RF_S("e=other-error"), NULL) == RF_CORRUPT);
}

Test(postgres, scram_refuses_what_a_server_must_not_say)
{
    static const char *const rows[] = {
        "",
        "r=rOprNGfwEbeRWgbNEkqO,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", /* adds nothing of its own */
        "r=another,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        "r=rOprNGfwEbeRWgbNEkqOx,s=,i=4096",
        "r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4095",
        "r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=1048577",
        "r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=99999999",
        "r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=-4096",
        "r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==",
        "m=x,r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
    };
    for (size_t i = 0; i < RF_COUNT(rows); i++) {
        RF_CLEANUP(rf_arena_done) struct rf_arena arena;
        rf_arena_init(&arena, 1 << 20);
        struct scram scram = scram_of(&arena);
        rf_str out;
        (void)scram_first(&scram);
        cr_expect(scram_answer(&scram, rf_str_of(rows[i]), &out, NULL) == RF_CORRUPT, "%s",
                  rows[i]);
        cr_expect(scram_finish(&scram, RF_S("v=AAAA"), NULL) == RF_CORRUPT);
    }
}

/* ---- quoting ------------------------------------------------------------------------------------------------------ */

Test(postgres, texts_are_quoted)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    struct rf_buf out = rf_buf_in(&arena);
    cr_assert(pg_quote_name(&out, RF_S("a\"b; DROP"), NULL) == RF_OK);
    cr_assert(pg_quote_text(&out, RF_S("it's \\' \xc3\xa4"), NULL) == RF_OK);
    cr_expect(rf_str_is(rf_buf_view(&out), "\"a\"\"b; DROP\" E'it''s \\\\'' \xc3\xa4'"));
    cr_expect(pg_quote_name(&out, RF_S(""), NULL) == RF_INVALID);
    cr_expect(pg_quote_name(&out, RF_S("a\0b"), NULL) == RF_INVALID);
    cr_expect(pg_quote_text(&out, RF_S("\xff"), NULL) == RF_INVALID);
    rf_str name = RF_S("0123456789012345678901234567890123456789012345678901234567890123");
    cr_expect(pg_quote_name(&out, name, NULL) == RF_INVALID);
    cr_expect(pg_quote_name(&out, rf_slice(name, 0, 63), NULL) == RF_OK);
}

/* ---- a scripted peer ---------------------------------------------------------------------------------------------- */

struct peer {
    int listener;
    rf_str says; /* sent behind the first message of the client */
    pthread_t thread;
    uint16_t port;
};

static void *serve(void *ctx)
{
    struct peer *peer = ctx;
    char scrap[4096];
    int fd = accept(peer->listener, NULL, NULL);
    if (recv(fd, scrap, sizeof scrap, 0) > 0)
        (void)!send(fd, peer->says.ptr, peer->says.len, MSG_NOSIGNAL);
    (void)shutdown(fd, SHUT_WR);
    while (recv(fd, scrap, sizeof scrap, 0) > 0) continue;
    close(fd);
    return NULL;
}

static enum rf_kind open_at(rf_str says, struct postgres_options options, struct rf_err *err)
{
    struct peer peer = {.says = says};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof address;
    struct postgres *pg = NULL;
    peer.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert(bind(peer.listener, (struct sockaddr *)&address, sizeof address) == 0);
    cr_assert(listen(peer.listener, 1) == 0);
    cr_assert(getsockname(peer.listener, (struct sockaddr *)&address, &bytes) == 0);
    cr_assert(pthread_create(&peer.thread, NULL, serve, &peer) == 0);
    options.host = "127.0.0.1";
    options.port = ntohs(address.sin_port);
    options.database = RF_S("d");
    options.user = RF_S("u");
    options.password = RF_S("s3cret-s3cret");
    options.timeout_usec = 5 * RF_USEC_PER_SECOND;
    enum rf_kind kind = postgres_open(&options, &pg, err);
    postgres_close(pg);
    pthread_join(peer.thread, NULL);
    close(peer.listener);
    return kind;
}

Test(postgres, a_server_that_misbehaves_is_refused)
{
    static const struct {
        rf_str says;
        enum postgres_tls tls;
        bool clear;
        const char *code;
    } rows[] = {
        {RF_S("N"), POSTGRES_TLS_FULL, false, "PostgresUnsafe"},
        {RF_S("E"), POSTGRES_TLS_FULL, false, "PostgresProtocol"},
        {RF_S("SR\0\0\0\x08\0\0\0\0"), POSTGRES_TLS_FULL, false, "TlsFailed"},
        {RF_S(""), POSTGRES_TLS_NONE, false, "PostgresGone"},
        {RF_S("R\0\0\0\x08\0\0\0\0"), POSTGRES_TLS_NONE, false, "PostgresUnsafe"},  /* trust */
        {RF_S("R\0\0\0\x08\0\0\0\x03"), POSTGRES_TLS_NONE, true, "PostgresUnsafe"}, /* clear */
        {RF_S("R\0\0\0\x0c\0\0\0\x05salt"), POSTGRES_TLS_NONE, true, "PostgresUnsafe"},
        {RF_S("R\0\0\0\x03"), POSTGRES_TLS_NONE, false, "PostgresProtocol"},
        {RF_S("R\x7f\xff\xff\xff"), POSTGRES_TLS_NONE, false, "PostgresProtocol"},
        {RF_S("R\0\0\0\x06\0\0"), POSTGRES_TLS_NONE, false, "PostgresProtocol"},
        {RF_S("R\0\0\0\x0a\0\0\0\x0a"
              "SC"),
         POSTGRES_TLS_NONE, false, "PostgresProtocol"},
        {RF_S("R\0\0\0\x0b\0\0\0\x0a"
              "X\0\0"),
         POSTGRES_TLS_NONE, false, "PostgresUnsafe"},
        {RF_S("Z\0\0\0\x05I"), POSTGRES_TLS_NONE, false, "PostgresProtocol"},
        {RF_S("E\0\0\0\x15"
              "C28P01\0Mgo away\0\0"),
         POSTGRES_TLS_NONE, false, "PostgresDenied"},
        {RF_S("E\0\0\0\x0a"
              "C28P01"),
         POSTGRES_TLS_NONE, false, "PostgresProtocol"},
        /* SCRAM with a nonce that is not ours */
        {RF_S("R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0R\0\0\0\x19\0\0\0\x0br=x,s=AAAA,i=4096"),
         POSTGRES_TLS_NONE, false, "BadScram"},
        /* in without the last word of SCRAM */
        {RF_S("R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I"),
         POSTGRES_TLS_NONE, false, "PostgresProtocol"},
    };
    for (size_t i = 0; i < RF_COUNT(rows); i++) {
        struct rf_err err = {0};
        struct postgres_options options = {.tls = rows[i].tls, .clear_allowed = rows[i].clear};
        cr_expect(open_at(rows[i].says, options, &err) != RF_OK, "%zu", i);
        cr_expect_str_eq(err.code == NULL ? "" : err.code, rows[i].code, "%zu: %s", i, err.text);
        cr_expect(strstr(err.text, "s3cret") == NULL);
    }
}

Test(postgres, only_this_machine_without_tls)
{
    struct postgres *pg = NULL;
    struct rf_err err = {0};
    struct postgres_options options = {.host = "db.example", .tls = POSTGRES_TLS_NONE};
    cr_expect(postgres_open(&options, &pg, &err) == RF_DENIED);
    cr_expect_str_eq(err.code, "PostgresUnsafe");
    struct egress nowhere = {0};
    options.tls = POSTGRES_TLS_FULL;
    options.egress = &nowhere;
    cr_expect(postgres_open(&options, &pg, &err) == RF_DENIED);
    cr_expect_str_eq(err.code, "HostNotAllowed");
}

/* ---- a server ----------------------------------------------------------------------------------------------------- */

/* "PORT CA-FILE PIN-HEX", set by tests/postgres.sh; user `ringfort` with the password pencil's\. */
struct real {
    uint16_t port;
    char ca[16384];
    uint8_t pin[32];
};

static bool find_real(struct real *out)
{
    char path[256], pin[65];
    unsigned port;
    const char *how = getenv("RINGFORT_TEST_POSTGRES");
    if (how == NULL || sscanf(how, "%u %255s %64s", &port, path, pin) != 3) return false;
    FILE *file = fopen(path, "r");
    cr_assert(file != NULL);
    size_t got = fread(out->ca, 1, sizeof out->ca - 1, file);
    fclose(file);
    out->ca[got] = 0;
    out->port = (uint16_t)port;
    for (size_t i = 0; i < 32; i++) {
        unsigned byte;
        cr_assert(sscanf(pin + 2 * i, "%2x", &byte) == 1);
        out->pin[i] = (uint8_t)byte;
    }
    return true;
}

static struct postgres_options options_of(const struct real *real)
{
    struct postgres_options options = {.host = "localhost",
                                       .port = real->port,
                                       .database = RF_S("postgres"),
                                       .user = RF_S("ringfort"),
                                       .password = RF_S("pencil's\\"),
                                       .ca_pem = rf_str_of(real->ca)};
    memcpy(options.pin, real->pin, 32);
    return options;
}

Test(postgres, a_server_lets_in_and_keeps_out)
{
    struct real real;
    struct postgres *pg = NULL;
    struct rf_err err = {0};
    if (!find_real(&real)) cr_skip_test("RINGFORT_TEST_POSTGRES is not set");
    struct postgres_options options = options_of(&real);
    cr_assert(postgres_open(&options, &pg, &err) == RF_OK, "%s", err.text);
    cr_expect(postgres_is_bound(pg));
    postgres_close(pg);
    options.tls = POSTGRES_TLS_PINNED;
    options.ca_pem = (rf_str){0};
    cr_assert(postgres_open(&options, &pg, &err) == RF_OK, "%s", err.text);
    postgres_close(pg);
    options.pin[5] ^= 1;
    cr_expect(postgres_open(&options, &pg, &err) == RF_DENIED);
    cr_expect_str_eq(err.code, "TlsPinMismatch");
    options.tls = POSTGRES_TLS_FULL; /* by the system's authorities */
    cr_expect(postgres_open(&options, &pg, &err) != RF_OK);
    cr_expect_str_eq(err.code, "TlsFailed");
    options = options_of(&real);
    options.password = RF_S("wrong-word");
    cr_expect(postgres_open(&options, &pg, &err) == RF_DENIED);
    cr_expect_str_eq(err.code, "PostgresDenied");
    cr_expect(strstr(err.text, "28P01") != NULL && strstr(err.text, "wrong-word") == NULL);
    options = options_of(&real);
    options.tls = POSTGRES_TLS_NONE;
    cr_expect(postgres_open(&options, &pg, &err) == RF_OK, "%s", err.text);
    cr_expect_not(postgres_is_bound(pg));
    postgres_close(pg);
}

Test(postgres, a_server_answers_statements)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct real real;
    struct postgres *pg = NULL;
    struct postgres_rows rows;
    struct rf_err err = {0};
    rf_arena_init(&arena, 64 << 20);
    if (!find_real(&real)) cr_skip_test("RINGFORT_TEST_POSTGRES is not set");
    struct postgres_options options = options_of(&real);
    cr_assert(postgres_open(&options, &pg, &err) == RF_OK, "%s", err.text);
    rf_str parameters[] = {RF_S("it's \\ \"x\""), {0}, RF_S("")};
    cr_assert(postgres_query(pg,
                             RF_S("SELECT $1::text, $2::text, $3::text, i FROM "
                                  "generate_series(1, 3) i"),
                             parameters, 3, &arena, &rows, &err) == RF_OK,
              "%s", err.text);
    cr_assert(rows.rows == 3 && rows.columns == 4);
    cr_expect(rf_str_eq(rows.cells[4], parameters[0]));
    cr_expect(rows.cells[5].ptr == NULL);
    cr_expect(rows.cells[6].ptr != NULL && rows.cells[6].len == 0);
    cr_expect(rf_str_is(rows.cells[11], "3"));
    /* The server's words repeat the statement: told only when it is no secret. */
    cr_expect(postgres_run(pg, RF_S("SELECT hidden_word"), true, &err) == RF_INVALID);
    cr_expect(strstr(err.text, "42703") != NULL && strstr(err.text, "hidden_word") == NULL);
    cr_expect_str_eq(postgres_sqlstate(pg), "42703");
    cr_expect(postgres_run(pg, RF_S("SELECT hidden_word"), false, &err) == RF_INVALID);
    cr_expect(strstr(err.text, "hidden_word") != NULL);
    cr_expect(postgres_query(pg, RF_S("SELECT hidden_word"), NULL, 0, &arena, &rows, &err) ==
              RF_INVALID);
    cr_expect(strstr(err.text, "hidden_word") == NULL);
    /* Still good behind that, and what is quoted is what comes back, whatever the setting. */
    struct rf_buf sql = rf_buf_in(&arena);
    rf_buf_str(&sql, RF_S("SET standard_conforming_strings = off; CREATE TEMP TABLE t AS SELECT"));
    cr_assert(pg_quote_text(&sql, parameters[0], &err) == RF_OK);
    rf_buf_str(&sql, RF_S("::text AS "));
    cr_assert(pg_quote_name(&sql, RF_S("a\"; DROP TABLE t; --"), &err) == RF_OK);
    cr_assert(postgres_run(pg, rf_buf_view(&sql), false, &err) == RF_OK, "%s", err.text);
    cr_assert(postgres_query(pg, RF_S("SELECT * FROM t"), NULL, 0, &arena, &rows, &err) == RF_OK);
    cr_expect(rows.rows == 1 && rf_str_eq(rows.cells[0], parameters[0]));
    cr_expect(postgres_query(pg, RF_S("SELECT repeat('x', 1000) FROM generate_series(1, 100000)"),
                             NULL, 0, &arena, &rows, &err) == RF_LIMIT);
    cr_expect(postgres_run(pg, RF_S("SELECT 1"), false, &err) == RF_IO);
    postgres_close(pg);
}
