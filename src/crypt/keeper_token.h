/* keeper_token.h - what the keeper and `ringfort-token` say to each other: the program that speaks to a PKCS#11 token or a TPM, as the keeper itself
 * may open neither a library nor a device. It lives for one seal or one start. Only keys that open the root's seal pass here, never a root.
 *
 * A socket pair (SOCK_SEQPACKET), one request, one answer, little endian:
 *
 *   request  0 1 version, TOKEN_WIRE_VERSION   1 1 verb (1 wrap, 2 unwrap)   2 2 bytes that follow   4 key of 32 bytes, or blob
 *   answer   0 1 version                       1 1 verdict                   2 2 bytes that follow   4 blob, key, or text for people */
#ifndef RF_KEEPER_TOKEN_H
#define RF_KEEPER_TOKEN_H

#include "base/rf.h"

enum token_verb { TOKEN_WRAP = 1, TOKEN_UNWRAP };
/* Absent: it may come back, so it is worth another try. Refused: it is not (a wrong PIN locks a token soon). */
enum token_verdict { TOKEN_DONE, TOKEN_ABSENT, TOKEN_REFUSED };
enum {
    TOKEN_WIRE_VERSION = 1,
    TOKEN_HEADER_BYTES = 4,
    TOKEN_KEY_BYTES = 32,
    TOKEN_BLOB_BYTES_MAX = 1024,
    TOKEN_TEXT_BYTES_MAX = 160,
    TOKEN_MESSAGE_BYTES_MAX = TOKEN_HEADER_BYTES + TOKEN_BLOB_BYTES_MAX,
    TOKEN_SECONDS_MAX = 10
};

struct token_message {
    unsigned what; /* verb or verdict */
    rf_str body;   /* a view of the datagram */
};
/* Reads an answer to `verb`: a key has its length, a blob is not empty, a text is printable ASCII. RF_INVALID ProtocolError. */
RF_MUST_USE enum rf_kind token_answer_read(rf_str datagram, enum token_verb verb,
                                           struct token_message *out, struct rf_err *err);
/* The helper's side. RF_INVALID ProtocolError. */
RF_MUST_USE enum rf_kind token_request_read(rf_str datagram, struct token_message *out,
                                            struct rf_err *err);
/* Returns the datagram's bytes; the body fits. */
size_t token_put(unsigned what, rf_str body, uint8_t out[TOKEN_MESSAGE_BYTES_MAX]);

/* Asks on `fd` (borrowed), and waits TOKEN_SECONDS_MAX at most. RF_AGAIN TokenAbsent, RF_DENIED TokenRefused: with the helper's text. RF_INVALID
 * ProtocolError. *len: of `out`. */
RF_MUST_USE enum rf_kind token_ask(int fd, enum token_verb verb, rf_str body,
                                   uint8_t out[TOKEN_BLOB_BYTES_MAX], size_t *len,
                                   struct rf_err *err);

#endif
