#include "base/log.h"

#include <math.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static _Atomic int least_level = RF_INFO;
static _Atomic int line_format = RF_LOG_TEXT;

void rf_log_set(enum rf_log_level least, enum rf_log_format format)
{
    atomic_store_explicit(&least_level, (int)least, memory_order_relaxed);
    atomic_store_explicit(&line_format, (int)format, memory_order_relaxed);
}

bool rf_log_wants(enum rf_log_level level)
{
    return (int)level >= atomic_load_explicit(&least_level, memory_order_relaxed);
}

/* A line under way. What does not fit is dropped whole, so that the line ends well. */
struct line {
    char *out;
    size_t len, cap;
    bool cut;
};

static void put(struct line *line, const char *text, size_t len)
{
    if (line->cut || len > line->cap - line->len) {
        line->cut = true;
        return;
    }
    memcpy(line->out + line->len, text, len);
    line->len += len;
}

static void put_text(struct line *line, const char *text) { put(line, text, strlen(text)); }

/* The rest of a long text is left out; the quote that closes it is always written. */
static void put_quoted(struct line *line, rf_str s)
{
    put_text(line, "\"");
    for (size_t at = 0; at < s.len && !line->cut;) {
        size_t from = at;
        char escape[16];
        uint32_t cp = rf_utf8_next(s, &at);
        bool broken = cp == 0xfffd && at - from == 1;
        /* C1 controls steer some terminals; U+2028 and U+202A..2069 break or reorder lines. */
        bool steers = cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || (cp >= 0x2028 && cp <= 0x202e) ||
                      (cp >= 0x2066 && cp <= 0x2069);
        if (cp == '"' || cp == '\\')
            put(line, (char[]){'\\', (char)cp}, 2);
        else if (broken)
            put_text(line, "\\ufffd");
        else if (steers)
            put(line, escape, (size_t)snprintf(escape, sizeof escape, "\\u%04x", (unsigned)cp));
        else
            put(line, (const char *)s.ptr + from, at - from);
    }
    /* There is room kept for this and for what closes the line. */
    const char *end = line->cut ? "...\"" : "\"";
    memcpy(line->out + line->len, end, strlen(end));
    line->len += strlen(end);
}

static bool is_plain(rf_str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!rf_is_alnum(s.ptr[i]) && memchr("._-/:@+", s.ptr[i], 7) == NULL) return false;
    return s.len > 0;
}

static void put_value(struct line *line, enum rf_log_format format, const struct rf_kv *kv)
{
    char number[40];
    int len = 0;
    switch (kv->type) {
    case RF_KV_TEXT:
        if (format == RF_LOG_TEXT && is_plain(kv->text) && kv->text.len <= line->cap - line->len)
            put(line, (const char *)kv->text.ptr, kv->text.len);
        else
            put_quoted(line, kv->text);
        return;
    case RF_KV_UNSIGNED:
        len = snprintf(number, sizeof number, "%llu", (unsigned long long)kv->u);
        break;
    case RF_KV_SIGNED:
        len = snprintf(number, sizeof number, "%lld", (long long)kv->i);
        break;
    case RF_KV_DOUBLE:
        /* JSON knows no nan and no infinity. */
        if (isfinite(kv->r))
            len = snprintf(number, sizeof number, "%.15g", kv->r);
        else
            len = snprintf(number, sizeof number, "null");
        break;
    case RF_KV_TRUTH:
        put_text(line, kv->truth ? "true" : "false");
        return;
    }
    put(line, number, (size_t)len);
}

size_t rf_log_line(enum rf_log_format format, rf_usec now, enum rf_log_level level,
                   const char *event, const struct rf_kv *kvs, size_t count,
                   char out[RF_LOG_LINE_BYTES])
{
    static const char *const names[] = {"debug", "info", "warn", "error", "silent"};
    enum { END_BYTES = 16 }; /* kept for the ends of a cut text and of the line */
    struct line line = {.out = out, .cap = RF_LOG_LINE_BYTES - END_BYTES};
    char stamp[40] = "";
    time_t second = (time_t)(now / RF_USEC_PER_SECOND);
    struct tm utc;
    if (gmtime_r(&second, &utc) != NULL &&
        strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &utc) > 0) {
        size_t len = strlen(stamp);
        (void)snprintf(stamp + len, sizeof stamp - len, ".%06dZ", (int)(now % RF_USEC_PER_SECOND));
    }
    bool json = format == RF_LOG_JSON;
    put_text(&line, json ? "{\"time\":\"" : "");
    put_text(&line, stamp);
    put_text(&line, json ? "\",\"level\":\"" : " ");
    put_text(&line, names[level]);
    put_text(&line, json ? "\",\"event\":\"" : " ");
    put_text(&line, event);
    put_text(&line, json ? "\"" : "");
    for (size_t i = 0; i < count; i++) {
        /* A key is begun only when its value can at least be begun too. */
        if (line.cut || line.cap - line.len < strlen(kvs[i].key) + 64) break;
        put_text(&line, json ? ",\"" : " ");
        put_text(&line, kvs[i].key);
        put_text(&line, json ? "\":" : "=");
        put_value(&line, format, &kvs[i]);
    }
    if (json) line.out[line.len++] = '}';
    line.out[line.len++] = '\n';
    return line.len;
}

void rf_log_event(enum rf_log_level level, const char *event, const struct rf_kv *kvs, size_t count)
{
    char line[RF_LOG_LINE_BYTES];
    enum rf_log_format format =
        (enum rf_log_format)atomic_load_explicit(&line_format, memory_order_relaxed);
    size_t len = rf_log_line(format, rf_clock_now(rf_clock_real()), level, event, kvs, count, line);
    /* Nobody is left to tell when standard error fails. */
    if (write(STDERR_FILENO, line, len) < 0) return;
}
