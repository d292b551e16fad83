#include "alerts/mail.h"

#include "base/encode.h"

enum {
    LOCAL_BYTES_MAX = 64,
    DOMAIN_BYTES_MAX = 253,
    LABEL_BYTES_MAX = 63,
    SUBJECT_CHARS_MAX = 200,
    WORD_BYTES_MAX = 42, /* of text in an encoded word: 56 of base64, 68 with its frame */
    LINE_BYTES = 57      /* of the body: 76 of base64 */
};

/* ---- addresses ------------------------------------------------------------------------------------------------------- */

/* RFC 5322 section 3.2.3. */
static bool is_atext(uint8_t c)
{
    return rf_is_alnum(c) || (c != 0 && c < 0x80 && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

static bool is_local(rf_str text)
{
    if (text.len == 0 || text.len > LOCAL_BYTES_MAX) return false;
    for (size_t i = 0; i < text.len; i++) {
        bool inner = i > 0 && i + 1 < text.len && text.ptr[i - 1] != '.';
        if (!is_atext(text.ptr[i]) && !(text.ptr[i] == '.' && inner)) return false;
    }
    return true;
}

static bool is_domain(rf_str text)
{
    size_t label = 0;
    if (text.len == 0 || text.len > DOMAIN_BYTES_MAX) return false;
    for (size_t i = 0; i <= text.len; i++) {
        if (i < text.len && text.ptr[i] != '.') {
            if (!rf_is_alnum(text.ptr[i]) && text.ptr[i] != '-') return false;
            label++;
            continue;
        }
        if (label == 0 || label > LABEL_BYTES_MAX) return false;
        if (text.ptr[i - 1] == '-' || text.ptr[i - label] == '-') return false;
        label = 0;
    }
    return true;
}

bool mail_address_is(rf_str text)
{
    size_t at = rf_str_find(text, RF_S("@"), 0);
    return at != SIZE_MAX && is_local(rf_slice(text, 0, at)) &&
           is_domain(rf_slice(text, at + 1, text.len));
}

/* ---- texts ------------------------------------------------------------------------------------------------------------- */

/* Encoded words of whole characters, each on a line of its own (RFC 2047 sections 2 and 5). */
static void put_encoded(struct rf_buf *out, rf_str text)
{
    size_t at = 0, chars = 0;
    bool first = true;
    while (at < text.len && chars < SUBJECT_CHARS_MAX) {
        uint8_t word[WORD_BYTES_MAX + 4];
        size_t len = 0;
        while (at < text.len && chars < SUBJECT_CHARS_MAX) {
            size_t next = at;
            uint8_t piece[4];
            uint32_t cp = rf_utf8_next(text, &next);
            size_t bytes = rf_utf8_put(cp < ' ' || cp == 0x7f ? ' ' : cp, piece);
            if (len + bytes > WORD_BYTES_MAX) break;
            memcpy(word + len, piece, bytes);
            len += bytes;
            at = next;
            chars++;
        }
        rf_str encoded = base64_encode(out->arena, rf_str_make(word, len));
        out->failed |= encoded.ptr == NULL;
        rf_buf_printf(out, "%s=?utf-8?B?%.*s?=", first ? "" : "\r\n ", RF_FMT(encoded));
        first = false;
    }
}

static bool is_plain(rf_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < ' ' || text.ptr[i] > '~') return false;
    /* Short enough for one line, and nothing that a reader would decode. */
    return text.len <= 60 && rf_str_find(text, RF_S("=?"), 0) == SIZE_MAX;
}

static void put_body(struct rf_buf *out, rf_str text)
{
    struct rf_buf whole = rf_buf_in(out->arena);
    for (size_t at = 0; at < text.len;) {
        uint8_t piece[4];
        uint32_t cp = rf_utf8_next(text, &at);
        /* Lines of a text end in CRLF in base64, too (RFC 2045 section 6.8). */
        if (cp == '\r') continue;
        if (cp == '\n') rf_buf_byte(&whole, '\r');
        rf_buf_put(&whole, piece, rf_utf8_put(cp, piece));
    }
    out->failed |= whole.failed;
    for (size_t at = 0; at < whole.len; at += LINE_BYTES) {
        rf_str line = rf_slice(rf_buf_view(&whole), at, RF_MIN(at + LINE_BYTES, whole.len));
        rf_str encoded = base64_encode(out->arena, line);
        out->failed |= encoded.ptr == NULL;
        rf_buf_printf(out, "%.*s\r\n", RF_FMT(encoded));
    }
}

rf_str mail_message(const struct mail *mail, struct rf_arena *arena)
{
    struct rf_buf out = rf_buf_in(arena);
    RF_ASSERT(mail_address_is(mail->from));
    RF_ASSERT(mail_address_is(mail->to));
    size_t at = rf_str_find(mail->from, RF_S("@"), 0);
    rf_str date = time_http(arena, mail->date);
    if (date.ptr == NULL) return date;
    /* The form of HTTP but for the zone, whose name GMT is obsolete in mail. */
    date.len -= strlen("GMT");
    rf_buf_printf(&out, "Date: %.*s+0000\r\nFrom: <%.*s>\r\nTo: <%.*s>\r\n", RF_FMT(date),
                  RF_FMT(mail->from), RF_FMT(mail->to));
    rf_buf_printf(&out, "Message-ID:\r\n <%.*s%.*s>\r\nSubject: ", RF_FMT(mail->id),
                  RF_FMT(rf_slice(mail->from, at, mail->from.len)));
    if (is_plain(mail->subject))
        rf_buf_str(&out, mail->subject);
    else
        put_encoded(&out, mail->subject);
    rf_buf_str(&out, RF_S("\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
                          "Content-Type: text/plain; charset=utf-8\r\n"
                          "Content-Transfer-Encoding: base64\r\n\r\n"));
    put_body(&out, mail->text);
    return out.failed ? (rf_str){NULL, 0} : rf_buf_view(&out);
}
