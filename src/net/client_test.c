/* The client against servers that answer as they are told. What it has in common with our server is tested in server_test.c. */
#define _GNU_SOURCE /* memmem */

#include "net/client.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "test/rf_prop.h" /* includes <criterion/criterion.h> */

/* Answers each connection with the next text, when it has read a head; then ends the connection. */
struct teller {
    int fd;
    uint16_t port;
    pthread_t thread;
    const char *answers[4];
    bool stays_silent;
    char heard[4096]; /* the last head */
};

static void read_request(struct teller *teller, int fd)
{
    size_t len = 0;
    memset(teller->heard, 0, sizeof teller->heard);
    while (memmem(teller->heard, len, "\r\n\r\n", 4) == NULL) {
        ssize_t got = recv(fd, teller->heard + len, sizeof teller->heard - 1 - len, 0);
        if (got <= 0) return;
        len += (size_t)got;
    }
}

static void *tell(void *arg)
{
    struct teller *teller = arg;
    for (size_t i = 0; i < RF_COUNT(teller->answers) && teller->answers[i] != NULL; i++) {
        int fd = accept(teller->fd, NULL, NULL);
        if (fd < 0) break;
        read_request(teller, fd);
        (void)send(fd, teller->answers[i], strlen(teller->answers[i]), MSG_NOSIGNAL);
        char end;
        /* Until the client gives up. */
        if (teller->stays_silent) (void)recv(fd, &end, 1, 0);
        close(fd);
    }
    return NULL;
}

static void teller_start(struct teller *teller)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof in;
    teller->fd = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert(bind(teller->fd, (struct sockaddr *)&in, sizeof in) == 0);
    cr_assert(listen(teller->fd, 8) == 0);
    cr_assert(getsockname(teller->fd, (struct sockaddr *)&in, &bytes) == 0);
    teller->port = ntohs(in.sin_port);
    cr_assert(pthread_create(&teller->thread, NULL, tell, teller) == 0);
}

static void teller_stop(struct teller *teller)
{
    shutdown(teller->fd, SHUT_RDWR); /* ends an accept that still waits */
    pthread_join(teller->thread, NULL);
    close(teller->fd);
}

static struct http_client *new_client(int64_t timeout_usec, size_t answer_bytes_max)
{
    struct http_client *client;
    struct rf_err err;
    struct http_client_options options = {.timeout_usec = timeout_usec,
                                          .answer_bytes_max = answer_bytes_max};
    cr_assert(http_client_new(&options, &client, &err) == RF_OK);
    return client;
}

static enum rf_kind get(struct http_client *client, const struct teller *teller,
                        struct rf_arena *arena, struct http_answer *out, struct rf_err *err)
{
    rf_str url = rf_arena_printf(arena, "http://localhost:%u/x?y", (unsigned)teller->port);
    return http_client_call(client, "GET", url, NULL, 0, RF_S(""), arena, out, err);
}

Test(client, reads_answers)
{
    static const struct {
        const char *answer, *body;
        const char *code; /* of the failure */
        uint16_t status;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", "abc", NULL, 200},
        {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcdef", "abc", NULL, 200},
        {"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: "
         "chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
         "abc", NULL, 404},
        {"HTTP/1.0 200 OK\r\n\r\nto the end", "to the end", NULL, 200},
        {"HTTP/1.1 204 No Content\r\n\r\n", "", NULL, 204},
        {"HTTP/1.1 304 x\r\nContent-Length: 9\r\n\r\n", "", NULL, 304},
        {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 x\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\n"
         "Content-Length: 1\r\n\r\nz",
         "z", NULL, 200},
        {"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc", NULL, "BadAnswer", 0},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n", NULL, "BadAnswer", 0},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", NULL, "BadAnswer", 0},
        {"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc", NULL,
         "BadAnswer", 0},
        {"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 3\r\n\r\nabc", NULL,
         "BadAnswer", 0},
        {"HTTP/1.1 101 x\r\n\r\n", NULL, "BadAnswer", 0},
        {"SSH-2.0-x\r\n\r\n", NULL, "BadAnswer", 0},
        {"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n", NULL, "AnswerTooLong", 0},
        {"", NULL, "BadAnswer", 0},
    };
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 24);
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct teller teller = {.answers = {cases[i].answer}};
        struct http_client *client = new_client(20 * RF_USEC_PER_SECOND, 1000);
        struct http_answer answer;
        struct rf_err err = {.text = ""};
        teller_start(&teller);
        enum rf_kind kind = get(client, &teller, &arena, &answer, &err);
        if (cases[i].code == NULL) {
            cr_assert(kind == RF_OK, "%s: %s", cases[i].answer, err.text);
            cr_assert(answer.status == cases[i].status);
            cr_assert(rf_str_is(answer.body, cases[i].body), "%.*s", RF_FMT(answer.body));
        } else {
            cr_assert(kind != RF_OK, "%s", cases[i].answer);
            cr_assert_str_eq(err.code, cases[i].code);
        }
        teller_stop(&teller);
        cr_assert(strncmp(teller.heard, "GET /x?y HTTP/1.1\r\nHost: localhost:", 34) == 0);
        http_client_free(client);
    }
}

Test(client, sends_what_it_is_given)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 24);
    struct teller teller = {.answers = {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}};
    struct http_client *client = new_client(20 * RF_USEC_PER_SECOND, 0);
    struct http_header headers[] = {{RF_S("Authorization"), RF_S("Bearer x")},
                                    {RF_S("Accept-Encoding"), RF_S("identity")}};
    struct http_answer answer;
    struct rf_err err;
    teller_start(&teller);
    rf_str url = rf_arena_printf(&arena, "http://A.localhost.:%u?q", (unsigned)teller.port);
    cr_assert(http_client_call(client, "PUT", url, headers, RF_COUNT(headers), RF_S("body"), &arena,
                               &answer, &err) == RF_OK,
              "%s", err.text);
    teller_stop(&teller);
    cr_assert(strncmp(teller.heard, "PUT /?q HTTP/1.1\r\nHost: A.localhost.:", 37) == 0);
    cr_assert(strstr(teller.heard, "\r\nAuthorization: Bearer x\r\n") != NULL);
    cr_assert(strstr(teller.heard, "\r\nContent-Length: 4\r\n") != NULL);
    cr_assert(strstr(teller.heard, "gzip") == NULL);
    /* A line end would begin a header, or a request, of somebody's choice. */
    headers[0].value = RF_S("x\r\nEvil: y");
    cr_assert(http_client_call(client, "GET", url, headers, 1, RF_S(""), &arena, &answer, &err) ==
              RF_INVALID);
    cr_assert_str_eq(err.code, "BadHeader");
    http_client_free(client);
}

/* The server ends a kept connection just when it is used again: what may be repeated is. */
Test(client, connects_again)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 24);
    struct teller teller = {.answers = {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1",
                                        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n2"}};
    struct http_client *client = new_client(20 * RF_USEC_PER_SECOND, 0);
    struct http_answer answer;
    struct rf_err err;
    teller_start(&teller);
    cr_assert(get(client, &teller, &arena, &answer, &err) == RF_OK);
    cr_assert(get(client, &teller, &arena, &answer, &err) == RF_OK, "%s", err.text);
    cr_assert(rf_str_is(answer.body, "2"));
    teller_stop(&teller);
    http_client_free(client);
}

Test(client, does_not_wait_for_ever)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 24);
    struct teller teller = {.answers = {"HTTP/1.1 200 OK\r\n"}, .stays_silent = true};
    struct http_client *client = new_client(50 * RF_USEC_PER_MS, 0);
    struct http_answer answer;
    struct rf_err err;
    teller_start(&teller);
    cr_assert(get(client, &teller, &arena, &answer, &err) == RF_IO);
    cr_assert_str_eq(err.code, "TimedOut");
    teller_stop(&teller);
    http_client_free(client);
}

Test(client, judges_urls)
{
    static const struct {
        const char *url, *code;
    } cases[] = {
        {"ftp://a/", "BadUrl"},
        {"a", "BadUrl"},
        {"http://", "BadUrl"},
        {"http:///x", "BadUrl"},
        {"http://a b/", "BadUrl"},
        {"http://a/\r\nX: y", "BadUrl"},
        {"http://a/#x", "BadUrl"},
        {"http://u:p@a/", "BadUrl"},
        {"http://a:0/", "BadUrl"},
        {"http://a:65536/", "BadUrl"},
        {"http://a:/", "BadUrl"},
        {"http://[::1/", "BadUrl"},
        {"http://[::1]x/", "BadUrl"},
        {"http://\xc3\xa4/", "BadUrl"},
        {"http://127.0.0.1:1/", "ConnectFailed"},
        {"https://sub.localhost:1/", "ConnectFailed"},
    };
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 20);
    struct http_client *client = new_client(20 * RF_USEC_PER_SECOND, 0);
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct http_answer answer;
        struct rf_err err = {.code = ""};
        cr_assert(http_client_call(client, "GET", rf_str_of(cases[i].url), NULL, 0, RF_S(""),
                                   &arena, &answer, &err) != RF_OK);
        cr_assert_str_eq(err.code, cases[i].code, "%s: %s", cases[i].url, err.text);
    }
    http_client_free(client);
}
