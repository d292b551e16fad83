#include "alerts/smtp.h"

#include "alerts/smtp_reply.h"
#include "base/encode.h"
#include "net/dial.h"

struct session {
    const struct smtp_options *options;
    struct dial *dial;
    struct rf_arena *arena;
    uint8_t in[SMTP_LINE_BYTES_MAX + 2];
    size_t in_len;
    struct smtp_reply reply;
    struct smtp_abilities can;
};

static enum rf_kind broken(const struct session *s, enum dial_io io, struct rf_err *err)
{
    if (io == DIAL_TIMED_OUT)
        return RF_FAIL(err, RF_IO, "TimedOut", "%s:%u did not answer in time", s->options->host,
                       (unsigned)s->options->port);
    return RF_FAIL(err, RF_IO, "MailBroken", "%s:%u ended the connection", s->options->host,
                   (unsigned)s->options->port);
}

/* What the server said, on one line. */
static rf_str said(struct session *s)
{
    rf_str text = rf_str_make(s->reply.text, RF_MIN(s->reply.text_len, (size_t)300));
    for (size_t i = 0; i < text.len; i++)
        if (s->reply.text[i] == '\n') s->reply.text[i] = ' ';
    return rf_str_trim(text);
}

static enum rf_kind read_reply(struct session *s, struct rf_err *err)
{
    s->reply = (struct smtp_reply){0};
    for (;;) {
        size_t used, got;
        enum smtp_step step = smtp_reply_read(&s->reply, rf_str_make(s->in, s->in_len), &used);
        s->in_len -= used;
        memmove(s->in, s->in + used, s->in_len);
        if (step == SMTP_DONE) return RF_OK;
        if (step == SMTP_BAD || s->in_len == sizeof s->in)
            return RF_FAIL(err, RF_IO, "MailBroken", "%s:%u does not speak SMTP", s->options->host,
                           (unsigned)s->options->port);
        enum dial_io io = dial_read(s->dial, s->in + s->in_len, sizeof s->in - s->in_len, &got);
        if (io != DIAL_OK) return broken(s, io, err);
        s->in_len += got;
    }
}

/* `what` names the step for people; no secret. */
static enum rf_kind expect(struct session *s, uint16_t code, const char *what, struct rf_err *err)
{
    RF_TRY(read_reply(s, err));
    if (s->reply.code == code) return RF_OK;
    rf_str text = said(s);
    if (s->reply.code >= 500)
        return RF_FAIL(err, RF_INVALID, "MailRefused", "%s refused %s: %u %.*s", s->options->host,
                       what, s->reply.code, RF_FMT(text));
    if (s->reply.code >= 400)
        return RF_FAIL(err, RF_AGAIN, "MailDelayed", "%s put off %s: %u %.*s", s->options->host,
                       what, s->reply.code, RF_FMT(text));
    return RF_FAIL(err, RF_IO, "MailBroken", "%s answered %u to %s", s->options->host,
                   s->reply.code, what);
}

static enum rf_kind put_line(struct session *s, rf_str line, struct rf_err *err)
{
    if (line.ptr == NULL) return rf_fail_memory(err, s->arena);
    enum dial_io io = dial_write(s->dial, line);
    return io == DIAL_OK ? RF_OK : broken(s, io, err);
}

static enum rf_kind say(struct session *s, rf_str line, uint16_t code, const char *what,
                        struct rf_err *err)
{
    RF_TRY(put_line(s, line, err));
    return expect(s, code, what, err);
}

static enum rf_kind hello(struct session *s, struct rf_err *err)
{
    rf_str line = rf_arena_printf(s->arena, "EHLO %.*s\r\n", RF_FMT(s->options->name));
    RF_TRY(say(s, line, 250, "EHLO", err));
    s->can = smtp_abilities_of(&s->reply);
    return RF_OK;
}

static enum rf_kind start_tls(struct session *s, struct rf_err *err)
{
    bool is_own = egress_is_loopback(rf_str_of(s->options->host));
    if (!s->can.start_tls && is_own) return RF_OK;
    if (!s->can.start_tls)
        return RF_FAIL(err, RF_DENIED, "MailNoTls",
                       "%s offers no STARTTLS, and mail leaves this machine by TLS only",
                       s->options->host);
    RF_TRY(say(s, RF_S("STARTTLS\r\n"), 220, "STARTTLS", err));
    /* What stands behind the reply was sent before TLS: somebody in between could have put it there. */
    if (s->in_len > 0)
        return RF_FAIL(err, RF_IO, "MailBroken", "%s said more behind its answer to STARTTLS",
                       s->options->host);
    RF_TRY(dial_tls(s->dial, s->options->tls, is_own, err));
    return hello(s, err);
}

/* The line holds a secret, and so does what it was made of. */
static enum rf_kind say_secret(struct session *s, rf_str prefix, rf_str secret, uint16_t code,
                               struct rf_err *err)
{
    rf_str text = base64_encode(s->arena, secret);
    if (text.ptr == NULL) return rf_fail_memory(err, s->arena);
    rf_str line = rf_arena_printf(s->arena, "%.*s%.*s\r\n", RF_FMT(prefix), RF_FMT(text));
    enum rf_kind kind = say(s, line, code, "the login", err);
    explicit_bzero((uint8_t *)(uintptr_t)text.ptr, text.len);
    explicit_bzero((uint8_t *)(uintptr_t)line.ptr, line.len);
    return kind;
}

static enum rf_kind log_in(struct session *s, struct rf_err *err)
{
    const struct smtp_options *o = s->options;
    enum rf_kind kind = RF_DENIED;
    if (o->user.len == 0) return RF_OK;
    if (!dial_is_tls(s->dial))
        return RF_FAIL(err, RF_DENIED, "MailNoLogin", "a password is said behind TLS only");
    if (s->can.auth_plain) { /* RFC 4616 */
        size_t len = o->user.len + o->password.len + 2;
        uint8_t *plain = rf_arena_zalloc(s->arena, len);
        if (plain == NULL) return rf_fail_memory(err, s->arena);
        memcpy(plain + 1, o->user.ptr, o->user.len);
        if (o->password.len > 0) memcpy(plain + 2 + o->user.len, o->password.ptr, o->password.len);
        kind = say_secret(s, RF_S("AUTH PLAIN "), rf_str_make(plain, len), 235, err);
        explicit_bzero(plain, len);
        return kind;
    }
    if (!s->can.auth_login)
        return RF_FAIL(err, RF_DENIED, "MailNoLogin", "%s offers neither AUTH PLAIN nor LOGIN",
                       o->host);
    RF_TRY(say(s, RF_S("AUTH LOGIN\r\n"), 334, "AUTH LOGIN", err));
    RF_TRY(say_secret(s, RF_S(""), o->user, 334, err));
    return say_secret(s, RF_S(""), o->password, 235, err);
}

/* Dots at the beginning of lines are doubled (RFC 5321 section 4.5.2). */
static enum rf_kind put_message(struct session *s, rf_str message, struct rf_err *err)
{
    struct rf_buf out = rf_buf_in(s->arena);
    for (size_t i = 0; i < message.len; i++) {
        if (message.ptr[i] == '.' && (i == 0 || message.ptr[i - 1] == '\n')) rf_buf_byte(&out, '.');
        rf_buf_byte(&out, message.ptr[i]);
    }
    if (!rf_str_ends(message, RF_S("\r\n"))) rf_buf_str(&out, RF_S("\r\n"));
    rf_buf_str(&out, RF_S(".\r\n"));
    if (out.failed) return rf_fail_memory(err, s->arena);
    return say(s, rf_buf_view(&out), 250, "the message", err);
}

static enum rf_kind talk(struct session *s, rf_str from, rf_str to, rf_str message,
                         struct rf_err *err)
{
    struct rf_arena *arena = s->arena;
    if (s->options->tls_at_once)
        RF_TRY(dial_tls(s->dial, s->options->tls, egress_is_loopback(rf_str_of(s->options->host)),
                        err));
    RF_TRY(expect(s, 220, "the connection", err));
    RF_TRY(hello(s, err));
    if (!s->options->tls_at_once) RF_TRY(start_tls(s, err));
    RF_TRY(log_in(s, err));
    RF_TRY(say(s, rf_arena_printf(arena, "MAIL FROM:<%.*s>\r\n", RF_FMT(from)), 250, "the sender",
               err));
    RF_TRY(say(s, rf_arena_printf(arena, "RCPT TO:<%.*s>\r\n", RF_FMT(to)), 250, "the recipient",
               err));
    RF_TRY(say(s, RF_S("DATA\r\n"), 354, "DATA", err));
    RF_TRY(put_message(s, message, err));
    (void)dial_write(s->dial,
                     RF_S("QUIT\r\n")); /* it has the message: what it says to this is no matter */
    return RF_OK;
}

enum rf_kind smtp_send(const struct smtp_options *options, rf_str from, rf_str to, rf_str message,
                       struct rf_arena *arena, struct rf_err *err)
{
    struct session *s = rf_arena_new(arena, struct session, 1);
    if (s == NULL) return rf_fail_memory(err, arena);
    s->options = options;
    s->arena = arena;
    const struct dial_options dial = {.host = options->host,
                                      .port = options->port,
                                      .timeout_usec = options->timeout_usec,
                                      .egress = options->egress};
    RF_TRY(dial_open(&dial, &s->dial, err));
    enum rf_kind kind = talk(s, from, to, message, err);
    dial_close(s->dial);
    return kind;
}
