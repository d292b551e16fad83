/* The client against a mail server that says what it is told to say, with and without TLS. */
#include "alerts/smtp.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include "net/tls_test_util.h"
#include "test/rf_prop.h"

struct server {
    int fd;
    uint16_t port;
    pthread_t thread;
    SSL_CTX *tls;
    bool tls_at_once;
    const char *hello;  /* answer to the first EHLO; behind TLS "auth" is given */
    const char *auth;   /* answer to EHLO behind TLS */
    const char *behind; /* what stands behind the answer to STARTTLS, in clear */
    const char *refuse; /* a line that begins so is refused */
    char heard[8192];
    size_t len;
};

static bool take_line(struct server *s, int fd, SSL *ssl, char line[1024])
{
    size_t len = 0;
    while (len + 1 < 1024) {
        int got = ssl != NULL ? SSL_read(ssl, line + len, 1) : (int)recv(fd, line + len, 1, 0);
        if (got <= 0) return false;
        if (line[len++] == '\n') break;
    }
    line[len] = 0;
    if (s->len + len < sizeof s->heard) {
        memcpy(s->heard + s->len, line, len);
        s->len += len;
    }
    return true;
}

static void say(int fd, SSL *ssl, const char *text)
{
    if (ssl != NULL)
        (void)SSL_write(ssl, text, (int)strlen(text));
    else
        (void)send(fd, text, strlen(text), MSG_NOSIGNAL);
}

static SSL *begin_tls(struct server *s, int fd)
{
    SSL *ssl = SSL_new(s->tls);
    cr_assert(SSL_set_fd(ssl, fd) == 1);
    (void)SSL_accept(ssl); /* the client may have gone away */
    return ssl;
}

static const char *answer_to(struct server *s, const char *line, SSL *ssl)
{
    if (s->refuse != NULL && strncmp(line, s->refuse, strlen(s->refuse)) == 0)
        return "451 4.7.1 later\r\n";
    if (strncmp(line, "EHLO", 4) == 0) return ssl != NULL ? s->auth : s->hello;
    if (strncmp(line, "AUTH PLAIN ", 11) == 0) return "235 in\r\n";
    if (strncmp(line, "AUTH LOGIN", 10) == 0) return "334 VXNlcm5hbWU6\r\n";
    if (strcmp(line, "dXNlcg==\r\n") == 0) return "334 UGFzc3dvcmQ6\r\n";
    if (strcmp(line, "c2VjcmV0\r\n") == 0) return "235 in\r\n";
    return "250 ok\r\n";
}

static void talk(struct server *s, int fd)
{
    char line[1024];
    SSL *ssl = s->tls_at_once ? begin_tls(s, fd) : NULL;
    bool in_data = false;
    say(fd, ssl, "220 mx.test\r\n");
    while (take_line(s, fd, ssl, line) && strncmp(line, "QUIT", 4) != 0) {
        if (in_data) {
            in_data = strcmp(line, ".\r\n") != 0;
            if (!in_data) say(fd, ssl, "250 taken\r\n");
        } else if (strncmp(line, "STARTTLS", 8) == 0) {
            char both[200];
            snprintf(both, sizeof both, "220 go\r\n%s", s->behind == NULL ? "" : s->behind);
            say(fd, ssl, both);
            ssl = begin_tls(s, fd);
        } else if (strncmp(line, "DATA", 4) == 0) {
            in_data = true;
            say(fd, ssl, "354 go\r\n");
        } else {
            say(fd, ssl, answer_to(s, line, ssl));
        }
    }
    SSL_free(ssl);
}

static void *run(void *arg)
{
    struct server *s = arg;
    int fd = accept(s->fd, NULL, NULL);
    if (fd < 0) return NULL;
    talk(s, fd);
    close(fd);
    return NULL;
}

static rf_str server_start(struct server *s, struct rf_arena *arena)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof in;
    EVP_PKEY *key = make_key();
    rf_str pem = make_cert(key, "DNS:localhost", arena);
    BIO *bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
    X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    s->tls = SSL_CTX_new(TLS_server_method());
    cr_assert(SSL_CTX_use_certificate(s->tls, cert) == 1);
    cr_assert(SSL_CTX_use_PrivateKey(s->tls, key) == 1);
    X509_free(cert);
    BIO_free(bio);
    EVP_PKEY_free(key);
    s->fd = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert(bind(s->fd, (struct sockaddr *)&in, sizeof in) == 0);
    cr_assert(listen(s->fd, 8) == 0);
    cr_assert(getsockname(s->fd, (struct sockaddr *)&in, &bytes) == 0);
    s->port = ntohs(in.sin_port);
    cr_assert(pthread_create(&s->thread, NULL, run, s) == 0);
    return pem;
}

/* The kind, and the code in *code. */
static enum rf_kind send_to(struct server *s, const char *host, const char *user, rf_str message,
                            const char **code)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct tls_context *tls;
    struct rf_err err = {.code = ""};
    rf_arena_init(&arena, 8 << 20);
    rf_str pem = server_start(s, &arena);
    cr_assert(tls_client_new(pem, &tls, &err) == RF_OK);
    const struct smtp_options options = {.host = host,
                                         .port = s->port,
                                         .tls_at_once = s->tls_at_once,
                                         .tls = tls,
                                         .name = RF_S("ringfort.test"),
                                         .user = rf_str_of(user),
                                         .password = RF_S("secret")};
    enum rf_kind kind =
        smtp_send(&options, RF_S("a@x.test"), RF_S("b@x.test"), message, &arena, &err);
    shutdown(s->fd, SHUT_RDWR);
    pthread_join(s->thread, NULL);
    close(s->fd);
    SSL_CTX_free(s->tls);
    tls_free(tls);
    *code = err.code;
    return kind;
}

#define TLS_HELLO "250-mx.test\r\n250 STARTTLS\r\n"

Test(smtp, says_what_it_should)
{
    static const struct {
        const char *hello, *auth, *user, *behind, *refuse;
        bool at_once;
        enum rf_kind kind;
        const char *code, *heard, *not_heard;
    } rows[] = {
        {TLS_HELLO, "250 mx\r\n", "", NULL, NULL, false, RF_OK, "", "RCPT TO:<b@x.test>", "AUTH"},
        {TLS_HELLO, "250-mx\r\n250 AUTH LOGIN PLAIN\r\n", "user", NULL, NULL, false, RF_OK, "",
         "AUTH PLAIN AHVzZXIAc2VjcmV0\r\n", "AUTH LOGIN"},
        {TLS_HELLO, "250-mx\r\n250 AUTH LOGIN\r\n", "user", NULL, NULL, false, RF_OK, "",
         "AUTH LOGIN\r\ndXNlcg==\r\nc2VjcmV0\r\n", "AUTH PLAIN"},
        {TLS_HELLO, "250 mx\r\n", "user", NULL, NULL, false, RF_DENIED, "MailNoLogin", "EHLO",
         "MAIL"},
        {"", "250-mx\r\n250 AUTH PLAIN\r\n", "user", NULL, NULL, true, RF_OK, "", "AUTH PLAIN",
         "STARTTLS"},
        /* Without TLS this machine may be told, but no password. */
        {"250-mx\r\n250 AUTH PLAIN\r\n", "", "", NULL, NULL, false, RF_OK, "", "DATA", "AUTH"},
        {"250-mx\r\n250 AUTH PLAIN\r\n", "", "user", NULL, NULL, false, RF_DENIED, "MailNoLogin",
         "EHLO", "AUTH"},
        /* Said in clear behind the answer to STARTTLS: by whoever is in between. */
        {TLS_HELLO, "250 mx\r\n", "", "250 AUTH PLAIN\r\n", NULL, false, RF_IO, "MailBroken",
         "STARTTLS", "MAIL"},
        {TLS_HELLO, "250 mx\r\n", "", NULL, "RCPT", false, RF_AGAIN, "MailDelayed", "RCPT", "DATA"},
        {"500 what\r\n", "", "", NULL, NULL, false, RF_INVALID, "MailRefused", "EHLO", "MAIL"},
        {"HTTP/1.1 400\r\n", "", "", NULL, NULL, false, RF_IO, "MailBroken", "EHLO", "MAIL"},
    };
    for (size_t i = 0; i < RF_COUNT(rows); i++) {
        struct server s = {.tls_at_once = rows[i].at_once,
                           .hello = rows[i].hello,
                           .auth = rows[i].auth,
                           .behind = rows[i].behind,
                           .refuse = rows[i].refuse};
        const char *code;
        enum rf_kind kind =
            send_to(&s, "localhost", rows[i].user, RF_S("Subject: x\r\n\r\n.y\r\n"), &code);
        cr_expect(kind == rows[i].kind && strcmp(code, rows[i].code) == 0, "%zu: %d %s", i, kind,
                  code);
        cr_expect(strstr(s.heard, rows[i].heard) != NULL, "%zu: %s", i, s.heard);
        cr_expect(strstr(s.heard, rows[i].not_heard) == NULL, "%zu: %s", i, s.heard);
        if (kind == RF_OK) cr_expect(strstr(s.heard, "\r\n..y\r\n.\r\n") != NULL, "%s", s.heard);
    }
}
