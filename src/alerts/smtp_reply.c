#include "alerts/smtp_reply.h"

/* One line without its end: code, '-' or blank, text. */
static bool take_line(struct smtp_reply *reply, rf_str line, bool *last)
{
    if (line.len < 3 || line.ptr[0] < '2' || line.ptr[0] > '5') return false;
    if (!rf_is_digit(line.ptr[1]) || !rf_is_digit(line.ptr[2])) return false;
    if (line.len > 3 && line.ptr[3] != '-' && line.ptr[3] != ' ') return false;
    uint16_t code =
        (uint16_t)((line.ptr[0] - '0') * 100 + (line.ptr[1] - '0') * 10 + (line.ptr[2] - '0'));
    /* All lines of a reply have the same code. */
    if (reply->code != 0 && reply->code != code) return false;
    if (reply->line_count == SMTP_LINES_MAX) return false;
    reply->code = code;
    reply->line_count++;
    *last = line.len == 3 || line.ptr[3] == ' ';
    if (reply->text_len + line.len + 1 >= SMTP_TEXT_BYTES_MAX) return false;
    for (size_t i = 4; i < line.len; i++) {
        uint8_t c = line.ptr[i];
        reply->text[reply->text_len++] = c >= ' ' && c <= '~' ? (char)c : '?';
    }
    reply->text[reply->text_len++] = '\n';
    return true;
}

enum smtp_step smtp_reply_read(struct smtp_reply *reply, rf_str in, size_t *used)
{
    *used = 0;
    for (;;) {
        rf_str rest = rf_slice(in, *used, in.len);
        bool last = false;
        size_t end = rf_str_find(rest, RF_S("\n"), 0);
        if (end == SIZE_MAX) return rest.len > SMTP_LINE_BYTES_MAX ? SMTP_BAD : SMTP_MORE;
        if (end > SMTP_LINE_BYTES_MAX) return SMTP_BAD;
        rf_str line = rf_slice(rest, 0, end);
        if (line.len > 0 && line.ptr[line.len - 1] == '\r') line.len--;
        if (!take_line(reply, line, &last)) return SMTP_BAD;
        *used += end + 1;
        if (last) return SMTP_DONE;
    }
}

/* The next word of a line; false: there is none. */
static bool next_word(rf_str line, size_t *at, rf_str *out)
{
    while (*at < line.len && (line.ptr[*at] == ' ' || line.ptr[*at] == '=')) (*at)++;
    size_t from = *at;
    while (*at < line.len && line.ptr[*at] != ' ' && line.ptr[*at] != '=') (*at)++;
    *out = rf_slice(line, from, *at);
    return out->len > 0;
}

struct smtp_abilities smtp_abilities_of(const struct smtp_reply *reply)
{
    struct smtp_abilities out = {0};
    rf_str text = rf_str_make(reply->text, reply->text_len), word;
    bool is_first = true; /* that line is the server's name */
    for (size_t from = 0; from < text.len; is_first = false) {
        size_t to = RF_MIN(rf_str_find(text, RF_S("\n"), from), text.len), at = 0;
        rf_str line = rf_slice(text, from, to);
        from = to + 1;
        if (is_first || !next_word(line, &at, &word)) continue;
        if (rf_str_eq_nocase(word, RF_S("STARTTLS"))) out.start_tls = true;
        if (!rf_str_eq_nocase(word, RF_S("AUTH"))) continue;
        while (next_word(line, &at, &word)) {
            out.auth_plain |= rf_str_eq_nocase(word, RF_S("PLAIN"));
            out.auth_login |= rf_str_eq_nocase(word, RF_S("LOGIN"));
        }
    }
    return out;
}
