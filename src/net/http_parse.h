/* http_parse.h - reads HTTP/1.0 and HTTP/1.1 request heads and chunked bodies out of bytes (RFC 9112). Knows no socket.
 *
 * Strict on purpose: what two readers could understand differently is refused, because a proxy in front and this
 * server would then disagree where a request ends (RFC 9112 section 11.2). Lines end in CR LF only; no folded lines; no
 * blanks around a header's name; one Host, never empty; Content-Length once and digits only; Transfer-Encoding only
 * "chunked", once, in HTTP/1.1, never beside Content-Length, and no tab around either; no control characters; targets are
 * printable ASCII without '#' and '\'; chunk extensions by their grammar; no framing in trailers. tests/http_smuggling.sh
 * compares with llhttp: nothing is taken here that is refused or understood otherwise there. */
#ifndef RF_HTTP_PARSE_H
#define RF_HTTP_PARSE_H

#include "net/http.h"

struct http_parse_limits {
    uint32_t head_bytes_max, headers_max, target_bytes_max;
};

/* Why a request is refused: the status to answer with and a static text for people. */
struct http_refusal {
    uint16_t status;
    const char *why;
};

enum http_step { HTTP_MORE, HTTP_DONE, HTTP_REFUSED };

/* ---- where a head ends ------------------------------------------------------------------------- */

/* Begin with zeros. */
struct http_head_scan {
    size_t at;         /* bytes seen */
    size_t line_start; /* of the line under way */
    uint32_t lines;    /* complete ones */
    bool began;        /* the request line has begun: an empty line ends the head from now on */
};
/* Looks for the empty line that ends the head. `bytes` begins at the head's first byte, and grows from call to call.
 * HTTP_DONE: the head is bytes[*from, *to); what stands before *from is an empty line that is passed over (section 2.2).
 * Refuses early what cannot become a head: control characters, bare line ends, too many bytes (431) or a
 * too long target (414). Every byte is looked at once. */
enum http_step http_head_scan(struct http_head_scan *scan, rf_str bytes,
                              const struct http_parse_limits *limits, size_t *from, size_t *to,
                              struct http_refusal *why);

/* ---- what a head says -------------------------------------------------------------------------- */

enum http_coding { HTTP_IDENTITY, HTTP_GZIP, HTTP_DEFLATE, HTTP_ZSTD };

struct http_head {
    struct http_request request; /* body, peer and TLS facts are left zero */
    uint16_t status;             /* of an answer */
    bool is_1_0;
    bool keep_alive;
    bool expect_continue;
    bool is_chunked;
    bool has_length;
    uint64_t content_length; /* 0 when !has_length */
    enum http_coding coding; /* of the body */
};
/* Reads a head that http_head_scan found. Views in `out` point into `head` and `arena`.
 * Statuses: 400, 414, 415, 417, 431, 501, 505; 500 when the arena is used up. */
bool http_head_parse(rf_str head, const struct http_parse_limits *limits, struct rf_arena *arena,
                     struct http_head *out, struct http_refusal *why);
/* Reads the head of an answer, for the client: `out` has status, headers and framing. */
bool http_answer_parse(rf_str head, const struct http_parse_limits *limits, struct rf_arena *arena,
                       struct http_head *out, struct http_refusal *why);

/* ---- chunked bodies (section 7.1) ----------------------------------------------------------------- */

enum {
    HTTP_CHUNK_LINE_MAX = 256,           /* one line of size and extensions */
    HTTP_CHUNK_EXTENSIONS_MAX = 4 << 10, /* extensions of a whole body */
    HTTP_TRAILER_BYTES_MAX = 8 << 10
};

/* Begin with zeros. */
struct http_chunks {
    uint64_t left;        /* of the chunk under way */
    uint32_t line_bytes;  /* of the size line under way */
    uint32_t extra_bytes; /* extensions so far */
    uint32_t trailer_bytes;
    uint8_t state, digits;
    uint8_t name_bytes; /* of the trailer under way; a longer one is none that matters */
    uint8_t name[18];
};
/* Takes one step: sets *used to the bytes of `in` that were read, and *data to a view in `in` of body bytes among them
 * (may be empty). HTTP_MORE: call again with what follows (nothing used and no data: all of `in` was read). HTTP_DONE: the body
 * ended behind *used; trailers were checked and dropped. */
enum http_step http_chunks_read(struct http_chunks *chunks, rf_str in, size_t *used, rf_str *data,
                                struct http_refusal *why);

/* ---- small things that others read too -------------------------------------------------------------- */

bool http_is_token(rf_str text); /* RFC 9110 section 5.6.2; not empty */
/* True when the comma-separated `list` has `token`, ASCII case ignored. */
bool http_list_has(rf_str list, const char *token);
/* Takes the next element of a comma-separated list, without white space; false at the end. Empty elements are passed over. */
bool http_list_next(rf_str *list, rf_str *element);

#endif
