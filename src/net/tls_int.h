/* tls_int.h - TLS over a socket, for connections of the server and of the client. */
#ifndef RF_TLS_INT_H
#define RF_TLS_INT_H

#include "net/tls.h"

struct ssl_st;
struct ssl_ctx_st;

enum tls_io {
    TLS_OK,
    TLS_AGAIN,  /* the socket must become readable or writable first */
    TLS_EOF,    /* the peer said that nothing follows */
    TLS_BROKEN, /* malformed, cut off, or refused by one side */
};

/* The socket stays the caller's. NULL on lack of memory. `host` is the name or address to be proved. */
struct ssl_st *tls_open_server(struct tls_context *context, int fd);
struct ssl_st *tls_open_client(struct tls_context *context, int fd, const char *host);
/* A server's connection that speaks no HTTP: which protocol the client names (ALPN) does not matter. Before the handshake. */
void tls_any_protocol(struct ssl_st *ssl);
/* Behind the handshake. The name that the client asked for; a view of `ssl`; empty: none. */
rf_str tls_server_name(const struct ssl_st *ssl);
/* The peer's certificate in DER, malloc'ed, and whether it is trusted; 0: there is none. */
size_t tls_peer_certificate(const struct ssl_st *ssl, uint8_t **der, bool *is_trusted);
/* The peer need not prove who it is. Before the handshake. */
void tls_trust_any(struct ssl_st *ssl);
enum tls_io tls_handshake(struct ssl_st *ssl);
/* Sets *got (> 0) with TLS_OK. */
enum tls_io tls_read(struct ssl_st *ssl, void *out, size_t cap, size_t *got);
/* Takes a part of `bytes`, *put. After TLS_AGAIN the next call must begin with the same bytes. */
enum tls_io tls_write(struct ssl_st *ssl, rf_str bytes, size_t *put);
/* Says that nothing follows; does not wait for an answer. */
void tls_bye(struct ssl_st *ssl);
void tls_close(struct ssl_st *ssl); /* NULL is fine */
/* Why the last call gave TLS_BROKEN; a static text. */
const char *tls_why(const struct ssl_st *ssl);

/* ---- tls_challenge.c ---- */
struct tls_challenges {
    tls_challenge *find; /* NULL: none */
    void *ctx;
};
/* `challenges` outlives `ssl`. */
void tls_challenges_use(struct ssl_ctx_st *ssl, struct tls_challenges *challenges);
/* Whether what the client offered (as in ALPN, without its length) is that protocol alone, and a certificate for it is shown. */
bool tls_challenge_chosen(const struct ssl_st *ssl, const unsigned char *offered, size_t bytes);

#endif
