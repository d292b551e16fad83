#include "alerts/mail.h"

#include "alerts/smtp_reply.h"
#include "base/encode.h"
#include "test/rf_prop.h"

Test(mail, knows_addresses)
{
    static const char *const good[] = {"a@b", "a.b+c@x.example", "o'hara@x-y.example"};
    static const char *const bad[] = {"",       "a",      "@b",      "a@",        "a@b@c",
                                      ".a@b",   "a.@b",   "a..b@c",  "a b@c",     "a@-b",
                                      "a@b-.c", "a@b..c", "\"a\"@b", "a@b\r\n",   "a\n@b",
                                      "a@[::]", "<a@b>",  "a@b,c@d", "\xc3\xa9@b"};
    for (size_t i = 0; i < RF_COUNT(good); i++)
        cr_expect(mail_address_is(rf_str_of(good[i])), "%s", good[i]);
    for (size_t i = 0; i < RF_COUNT(bad); i++)
        cr_expect(!mail_address_is(rf_str_of(bad[i])), "%s", bad[i]);
}

static rf_str message(struct rf_arena *arena, rf_str subject, rf_str text)
{
    const struct mail mail = {.from = RF_S("ringfort@contoso.example"),
                              .to = RF_S("ops@contoso.example"),
                              .subject = subject,
                              .id = RF_S("0123"),
                              .text = text,
                              .date = INT64_C(1769860800) * RF_USEC_PER_SECOND};
    rf_str out = mail_message(&mail, arena);
    cr_assert(out.ptr != NULL);
    return out;
}

Test(mail, is_what_rfc_5322_says)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    rf_str got = message(&arena, RF_S("Fired:Sev1"), RF_S("one\ntwo"));
    cr_expect(rf_str_is(got, "Date: Sat, 31 Jan 2026 12:00:00 +0000\r\n"
                             "From: <ringfort@contoso.example>\r\nTo: <ops@contoso.example>\r\n"
                             "Message-ID:\r\n <0123@contoso.example>\r\nSubject: Fired:Sev1\r\n"
                             "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
                             "Content-Type: text/plain; charset=utf-8\r\n"
                             "Content-Transfer-Encoding: base64\r\n\r\nb25lDQp0d28=\r\n"),
              "%.*s", RF_FMT(got));
    got = message(&arena, RF_S("h\xc3\xa9\r\nBcc: x@y"), RF_S(""));
    cr_expect(rf_str_find(got, RF_S("\r\nBcc"), 0) == SIZE_MAX);
    cr_expect(rf_str_find(got, RF_S("Subject: =?utf-8?B?aMOpICBCY2M6IHhAeQ==?=\r\n"), 0) !=
                  SIZE_MAX,
              "%.*s", RF_FMT(got));
}

/* Property: whatever the texts are, the message has the headers that it should have and no others, lines are short and none
 * begins with a dot. */
RF_PROP(mail_texts_make_no_headers, 1000)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    uint8_t raw[400], raw_body[400];
    rf_arena_init(&arena, 1 << 20);
    rf_str subject = rf_test_bytes(prng, raw, sizeof raw, "ab \r\n:=?.\t\xc3\xa9\xff");
    rf_str text = rf_test_bytes(prng, raw_body, sizeof raw_body, "ab.\r\n\xc3\xa9");
    rf_str got = message(&arena, subject, text);
    size_t headers = 0, from = 0;
    bool in_head = true;
    while (from < got.len) {
        size_t end = rf_str_find(got, RF_S("\r\n"), from);
        cr_assert(end != SIZE_MAX);
        rf_str line = rf_slice(got, from, end);
        cr_assert(line.len <= 78, "%zu", line.len);
        cr_assert(line.len == 0 || line.ptr[0] != '.');
        for (size_t i = 0; i < line.len; i++) cr_assert(line.ptr[i] >= ' ' && line.ptr[i] < 0x7f);
        if (line.len == 0) in_head = false;
        headers += in_head && line.len > 0 && line.ptr[0] != ' ';
        from = end + 2;
    }
    cr_assert(headers == 9, "%zu", headers);
}

/* ---- replies --------------------------------------------------------------------------------------------------------- */

Test(smtp_reply, reads_replies)
{
    static const struct {
        const char *in;
        enum smtp_step step;
        unsigned code, lines, used;
    } rows[] = {
        {"220 hi\r\n", SMTP_DONE, 220, 1, 8},
        {"250-a\r\n250-STARTTLS\r\n250 AUTH PLAIN\r\n", SMTP_DONE, 250, 3, 37},
        {"250\r\nrest", SMTP_DONE, 250, 1, 5},
        {"250 ok\n", SMTP_DONE, 250, 1, 7},
        {"250-a\r\n25", SMTP_MORE, 250, 1, 7},
        {"", SMTP_MORE, 0, 0, 0},
        {"250-a\r\n220 b\r\n", SMTP_BAD, 250, 1, 7},
        {"HTTP/1.1 200\r\n", SMTP_BAD, 0, 0, 0},
        {"2\r\n", SMTP_BAD, 0, 0, 0},
        {"250x\r\n", SMTP_BAD, 0, 0, 0},
        {"150 x\r\n", SMTP_BAD, 0, 0, 0},
        {"\r\n", SMTP_BAD, 0, 0, 0},
    };
    for (size_t i = 0; i < RF_COUNT(rows); i++) {
        struct smtp_reply reply = {0};
        size_t used;
        cr_expect(smtp_reply_read(&reply, rf_str_of(rows[i].in), &used) == rows[i].step, "%s",
                  rows[i].in);
        cr_expect(reply.code == rows[i].code && reply.line_count == rows[i].lines, "%s",
                  rows[i].in);
        cr_expect(used == rows[i].used, "%s: %zu", rows[i].in, used);
    }
}

Test(smtp_reply, knows_abilities)
{
    struct smtp_reply reply = {0};
    size_t used;
    rf_str in =
        RF_S("250-starttls.example\r\n250-SIZE 1\r\n250-starttls\r\n250 AUTH=LOGIN PLAIN\r\n");
    cr_assert(smtp_reply_read(&reply, in, &used) == SMTP_DONE);
    struct smtp_abilities can = smtp_abilities_of(&reply);
    cr_expect(can.start_tls && can.auth_plain && can.auth_login);
    reply = (struct smtp_reply){0};
    cr_assert(smtp_reply_read(&reply, RF_S("250-STARTTLS\r\n250 AUTH X\r\n"), &used) == SMTP_DONE);
    can = smtp_abilities_of(&reply);
    cr_expect(!can.start_tls && !can.auth_plain && !can.auth_login);
}

Test(smtp_reply, has_limits)
{
    static uint8_t bytes[SMTP_LINE_BYTES_MAX + 10];
    struct smtp_reply reply = {0};
    size_t used;
    memset(bytes, '2', sizeof bytes);
    cr_expect(smtp_reply_read(&reply, rf_str_make(bytes, sizeof bytes), &used) == SMTP_BAD);
    reply = (struct smtp_reply){0};
    for (int i = 0; i < SMTP_LINES_MAX; i++)
        cr_assert(smtp_reply_read(&reply, RF_S("250-x\r\n"), &used) == SMTP_MORE);
    cr_expect(smtp_reply_read(&reply, RF_S("250 x\r\n"), &used) == SMTP_BAD);
}

/* Property: bytes in pieces give what they give at once. */
RF_PROP(smtp_reply_pieces_are_the_whole, 2000)
{
    uint8_t raw[300];
    rf_str in = rf_test_bytes(prng, raw, sizeof raw, "250 -\r\nAUTH");
    struct smtp_reply whole = {0}, pieces = {0};
    size_t used, at = 0, end = 0, piece_used = 0;
    enum smtp_step want = smtp_reply_read(&whole, in, &used), got = SMTP_MORE;
    while (got == SMTP_MORE && end < in.len) {
        end += 1 + rf_test_below(prng, in.len - end);
        got = smtp_reply_read(&pieces, rf_slice(in, at, end), &piece_used);
        at += piece_used;
    }
    cr_assert(got == want);
    cr_assert(at == used && whole.code == pieces.code && whole.text_len == pieces.text_len);
}
