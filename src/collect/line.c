#include "collect/line.h"

#include "collect/cef.h"
#include "value/text.h"

/* A clock further ahead than this is wrong; the row then has the time at which it came. */
#define AHEAD_USEC_MAX (24 * 3600 * RF_USEC_PER_SECOND)

/* JSON is UTF-8; what is not is taken for Latin-1, so that no byte is lost. */
static bool as_utf8(rf_str text, struct rf_arena *arena, rf_str *out)
{
    *out = text;
    if (rf_utf8_valid(text)) return true;
    struct rf_buf buf = rf_buf_in(arena);
    for (size_t i = 0; i < text.len; i++) {
        uint8_t bytes[4];
        rf_buf_put(&buf, bytes, rf_utf8_put(text.ptr[i], bytes));
    }
    *out = rf_buf_view(&buf);
    return !buf.failed;
}

static void put_text(struct json_out *out, const char *name, rf_str text)
{
    if (text.len > 0) json_put_text(out, name, text);
}

static void put_time(struct json_out *out, const struct line_source *source, bool has_time,
                     rf_usec time)
{
    bool fits = has_time && time <= source->now + AHEAD_USEC_MAX;
    rowset_put_time(out, "TimeGenerated", fits ? time : source->now);
}

static rf_str host_of(const struct line_source *source, rf_str host)
{
    return host.len > 0 ? host : source->host.len > 0 ? source->host : source->peer;
}

static void put_syslog(const struct line_source *source, const struct syslog_message *message,
                       rf_str text, struct rowset *rows)
{
    struct json_out out = rowset_begin(rows, RF_S("Syslog"));
    int64_t pid;
    rf_str host = host_of(source, message->host);
    put_time(&out, source, message->has_time, message->time);
    rowset_put_time(&out, "EventTime", message->has_time ? message->time : source->now);
    json_put_text(&out, "Facility", rf_str_of(syslog_facility_name(message->facility)));
    json_put_text(&out, "SeverityLevel", rf_str_of(syslog_severity_name(message->severity)));
    put_text(&out, "HostName", host);
    put_text(&out, "Computer", host);
    put_text(&out, "HostIP", source->peer);
    put_text(&out, "ProcessName", message->app);
    if (text_to_long(message->proc_id, &pid) && pid >= 0 && pid <= INT32_MAX)
        json_put_i64(&out, "ProcessID", pid);
    /* Some devices say everything in structured data and nothing in words. */
    json_put_text(&out, "SyslogMessage",
                  message->message.len > 0 || message->structured.len == 0 ? message->message
                                                                           : text);
    put_text(&out, "MessageId", message->msg_id);
    if (message->structured.len > 0) json_put_raw(&out, "StructuredData", message->structured);
    put_text(&out, "CollectorHostName", source->collector);
    json_put_text(&out, "SourceSystem", RF_S("Linux"));
    rowset_end(rows, &out);
}

static void put_cef(const struct line_source *source, const struct syslog_message *message,
                    const struct cef_event *event, struct rf_arena *arena, struct rowset *rows)
{
    struct json_out out = rowset_begin(rows, RF_S("CommonSecurityLog"));
    rf_usec time = message->time;
    bool has_time = message->has_time || cef_time(cef_get(event, "rt"), &time) ||
                    cef_time(cef_get(event, "devTime"), &time);
    put_time(&out, source, has_time, time);
    put_text(&out, "Computer", host_of(source, message->host));
    put_text(&out, "CollectorHostName", source->collector);
    cef_put_columns(event, arena, &out);
    rowset_end(rows, &out);
}

static bool put_windows(const struct line_source *source, rf_str text, struct rf_arena *arena,
                        struct rowset *rows)
{
    struct rf_err err;
    return source->columns != NULL && rf_str_starts(text, RF_S("<Event")) &&
           winevent_read_xml(text, source->columns, arena, rows, &err) == RF_OK;
}

void line_put(const struct line_source *source, rf_str text, struct rf_arena *arena,
              struct rowset *rows, const char **problem)
{
    struct syslog_options options = {.now = source->now, .zone = source->zone};
    struct syslog_message message;
    struct cef_event event;
    struct rf_err err;
    size_t at = 0;
    *problem = NULL;
    if (!as_utf8(text, arena, &text)) return;
    if (put_windows(source, rf_str_trim(text), arena, rows)) return;
    syslog_parse(text, &options, arena, &message);
    *problem = message.problem;
    if (cef_begins(message.message, &at)) {
        rf_str body = rf_slice(message.message, at, message.message.len);
        if (cef_parse(body, arena, &event, &err) == RF_OK) {
            /* Devices that send CEF alone, without a syslog header, do nothing wrong. */
            *problem = NULL;
            put_cef(source, &message, &event, arena, rows);
            return;
        }
        *problem = "the CEF or LEEF in it is malformed";
    }
    if (put_windows(source, rf_str_trim(message.message), arena, rows)) return;
    put_syslog(source, &message, text, rows);
}
