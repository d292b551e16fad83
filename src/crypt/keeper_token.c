#include "crypt/keeper_token.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include <openssl/crypto.h>

static enum rf_kind bad(const char *what, struct rf_err *err)
{
    return RF_FAIL(err, RF_INVALID, "ProtocolError", "a message of ringfort-token %s", what);
}

static enum rf_kind read_header(rf_str datagram, struct token_message *out, struct rf_err *err)
{
    if (datagram.len < TOKEN_HEADER_BYTES || datagram.len > TOKEN_MESSAGE_BYTES_MAX)
        return bad("is too short or too long", err);
    if (datagram.ptr[0] != TOKEN_WIRE_VERSION) return bad("is of another version", err);
    size_t bytes = datagram.ptr[2] | (size_t)datagram.ptr[3] << 8;
    if (bytes != datagram.len - TOKEN_HEADER_BYTES) return bad("has another length", err);
    out->what = datagram.ptr[1];
    out->body = rf_slice(datagram, TOKEN_HEADER_BYTES, datagram.len);
    return RF_OK;
}

static bool is_printable(rf_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < ' ' || text.ptr[i] > '~') return false;
    return text.len > 0 && text.len <= TOKEN_TEXT_BYTES_MAX;
}

enum rf_kind token_answer_read(rf_str datagram, enum token_verb verb, struct token_message *out,
                               struct rf_err *err)
{
    struct token_message got;
    RF_TRY(read_header(datagram, &got, err));
    if (got.what > TOKEN_REFUSED) return bad("has a verdict that is not known", err);
    if (got.what != TOKEN_DONE && !is_printable(got.body)) return bad("has no text", err);
    if (got.what == TOKEN_DONE && verb == TOKEN_UNWRAP && got.body.len != TOKEN_KEY_BYTES)
        return bad("holds no key", err);
    if (got.what == TOKEN_DONE && got.body.len == 0) return bad("is empty", err);
    *out = got;
    return RF_OK;
}

enum rf_kind token_request_read(rf_str datagram, struct token_message *out, struct rf_err *err)
{
    struct token_message got;
    RF_TRY(read_header(datagram, &got, err));
    bool wrap = got.what == TOKEN_WRAP && got.body.len == TOKEN_KEY_BYTES;
    bool unwrap = got.what == TOKEN_UNWRAP && got.body.len > 0;
    if (!wrap && !unwrap) return bad("is no request", err);
    *out = got;
    return RF_OK;
}

size_t token_put(unsigned what, rf_str body, uint8_t out[TOKEN_MESSAGE_BYTES_MAX])
{
    RF_ASSERT(body.len <= TOKEN_BLOB_BYTES_MAX);
    out[0] = TOKEN_WIRE_VERSION;
    out[1] = (uint8_t)what;
    out[2] = (uint8_t)body.len;
    out[3] = (uint8_t)(body.len >> 8);
    if (body.len > 0) memcpy(out + TOKEN_HEADER_BYTES, body.ptr, body.len);
    return TOKEN_HEADER_BYTES + body.len;
}

static enum rf_kind absent(const char *what, struct rf_err *err)
{
    return RF_FAIL(err, RF_AGAIN, "TokenAbsent", "ringfort-token %s", what);
}

static enum rf_kind receive(int fd, uint8_t *message, size_t cap, size_t *len, struct rf_err *err)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    int ready;
    do ready = poll(&poll_fd, 1, TOKEN_SECONDS_MAX * 1000);
    while (ready < 0 && errno == EINTR);
    if (ready <= 0) return absent("did not answer in time", err);
    ssize_t got = recv(fd, message, cap, MSG_DONTWAIT);
    if (got <= 0) return absent("ended without an answer", err);
    *len = (size_t)got;
    return RF_OK;
}

static enum rf_kind take_answer(rf_str datagram, enum token_verb verb,
                                uint8_t out[TOKEN_BLOB_BYTES_MAX], size_t *len, struct rf_err *err)
{
    struct token_message answer;
    RF_TRY(token_answer_read(datagram, verb, &answer, err));
    if (answer.what == TOKEN_ABSENT)
        return RF_FAIL(err, RF_AGAIN, "TokenAbsent", "%.*s", RF_FMT(answer.body));
    if (answer.what == TOKEN_REFUSED)
        return RF_FAIL(err, RF_DENIED, "TokenRefused", "%.*s", RF_FMT(answer.body));
    memcpy(out, answer.body.ptr, answer.body.len);
    *len = answer.body.len;
    return RF_OK;
}

enum rf_kind token_ask(int fd, enum token_verb verb, rf_str body, uint8_t out[TOKEN_BLOB_BYTES_MAX],
                       size_t *len, struct rf_err *err)
{
    uint8_t message[TOKEN_MESSAGE_BYTES_MAX + 1];
    size_t bytes = token_put(verb, body, message), got = 0;
    bool sent = send(fd, message, bytes, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)bytes;
    OPENSSL_cleanse(message, sizeof message);
    if (!sent) return absent("has ended", err);
    RF_TRY(receive(fd, message, sizeof message, &got, err));
    enum rf_kind kind = take_answer(rf_str_make(message, got), verb, out, len, err);
    OPENSSL_cleanse(message, sizeof message);
    return kind;
}
