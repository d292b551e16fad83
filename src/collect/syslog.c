#include "collect/syslog.h"

#include "base/encode.h"
#include "base/json.h"

enum { HEADER_NAME_BYTES_MAX = 255, TAG_BYTES_MAX = 128, SD_NAME_BYTES_MAX = 64 };

static const char *const facility_names[] = {
    "kern",   "user",   "mail",     "daemon", "auth",   "syslog", "lpr",    "news",
    "uucp",   "cron",   "authpriv", "ftp",    "ntp",    "audit",  "alert",  "clock",
    "local0", "local1", "local2",   "local3", "local4", "local5", "local6", "local7"};
static const char *const severity_names[] = {"emerg",   "alert",  "crit", "err",
                                             "warning", "notice", "info", "debug"};

const char *syslog_facility_name(uint8_t facility)
{
    return facility_names[RF_MIN(facility, RF_COUNT(facility_names) - 1)];
}

const char *syslog_severity_name(uint8_t severity) { return severity_names[severity & 7]; }

static void skip_blanks(rf_str text, size_t *at)
{
    while (*at < text.len && text.ptr[*at] == ' ') ++*at;
}

static rf_str word_at(rf_str text, size_t at)
{
    size_t end = at;
    while (end < text.len && text.ptr[end] != ' ') end++;
    return rf_slice(text, at, end);
}

/* "<34>" */
static bool take_priority(rf_str text, size_t *at, struct syslog_message *out)
{
    uint32_t priority = 0;
    size_t i = 1;
    if (text.len < 3 || text.ptr[0] != '<') return false;
    while (i < text.len && i < 4 && rf_is_digit(text.ptr[i]))
        priority = priority * 10 + (uint32_t)(text.ptr[i++] - '0');
    if (i == 1 || i == text.len || text.ptr[i] != '>' || priority > 191) return false;
    out->facility = (uint8_t)(priority / 8);
    out->severity = (uint8_t)(priority % 8);
    *at = i + 1;
    return true;
}

/* ---- RFC 5424 ---------------------------------------------------------------------------------------------------------- */

struct sd {
    rf_str text;
    size_t at;
    struct rf_arena *arena;
    struct rf_buf json;
    uint32_t count;
};

static rf_str sd_name(struct sd *sd)
{
    size_t from = sd->at;
    while (sd->at < sd->text.len && sd->at - from < SD_NAME_BYTES_MAX) {
        uint8_t c = sd->text.ptr[sd->at];
        if (c <= ' ' || c == '=' || c == ']' || c == '"' || c >= 0x7f) break;
        sd->at++;
    }
    return rf_slice(sd->text, from, sd->at);
}

/* Behind the opening quote, up to the closing one: \" \\ \] are escapes, any other backslash is itself. */
static bool sd_value(struct sd *sd, rf_str *out)
{
    struct rf_buf buf = rf_buf_in(sd->arena);
    while (sd->at < sd->text.len && sd->text.ptr[sd->at] != '"') {
        uint8_t c = sd->text.ptr[sd->at++];
        bool escape = c == '\\' && sd->at < sd->text.len;
        uint8_t next = escape ? sd->text.ptr[sd->at] : 0;
        if (next == '"' || next == '\\' || next == ']') {
            c = next;
            sd->at++;
        }
        rf_buf_byte(&buf, c);
    }
    *out = rf_buf_view(&buf);
    return sd->at++ < sd->text.len && !buf.failed;
}

struct sd_param {
    rf_str name, value;
    bool written;
};

static void put_params(struct sd *sd, struct sd_param *params, uint32_t count)
{
    rf_buf_byte(&sd->json, '{');
    for (uint32_t i = 0; i < count; i++) {
        bool several = false;
        if (params[i].written) continue;
        for (uint32_t k = i + 1; k < count; k++)
            several |= rf_str_eq(params[k].name, params[i].name);
        if (i > 0) rf_buf_byte(&sd->json, ',');
        json_put_string(&sd->json, params[i].name);
        rf_buf_str(&sd->json, several ? RF_S(":[") : RF_S(":"));
        json_put_string(&sd->json, params[i].value);
        for (uint32_t k = i + 1; k < count && several; k++) {
            if (!rf_str_eq(params[k].name, params[i].name)) continue;
            params[k].written = true;
            rf_buf_byte(&sd->json, ',');
            json_put_string(&sd->json, params[k].value);
        }
        if (several) rf_buf_byte(&sd->json, ']');
    }
    rf_buf_byte(&sd->json, '}');
}

/* "[id name="value" ...]" */
static bool sd_element(struct sd *sd)
{
    sd->at++;
    rf_str id = sd_name(sd);
    struct sd_param *params = rf_arena_new(sd->arena, struct sd_param, SYSLOG_PARAMS_MAX);
    uint32_t count = 0;
    if (id.len == 0 || params == NULL) return false;
    for (;;) {
        skip_blanks(sd->text, &sd->at);
        if (sd->at >= sd->text.len || count == SYSLOG_PARAMS_MAX) return false;
        if (sd->text.ptr[sd->at] == ']') break;
        params[count].name = sd_name(sd);
        if (params[count].name.len == 0 || sd->text.len - sd->at < 2 ||
            sd->text.ptr[sd->at] != '=' || sd->text.ptr[sd->at + 1] != '"')
            return false;
        sd->at += 2;
        if (!sd_value(sd, &params[count].value)) return false;
        count++;
    }
    sd->at++;
    if (sd->count++ > 0) rf_buf_byte(&sd->json, ',');
    json_put_string(&sd->json, id);
    rf_buf_byte(&sd->json, ':');
    put_params(sd, params, count);
    return true;
}

/* "-" or elements behind each other. False: malformed, and nothing was taken. */
static bool take_structured(rf_str text, size_t *at, struct rf_arena *arena, rf_str *out)
{
    enum { SD_ELEMENTS_MAX = 32 };
    struct sd sd = {.text = text, .at = *at, .arena = arena, .json = rf_buf_in(arena)};
    if (sd.at < text.len && text.ptr[sd.at] == '-') {
        ++*at;
        return *at == text.len || text.ptr[*at] == ' ';
    }
    rf_buf_byte(&sd.json, '{');
    while (sd.at < text.len && text.ptr[sd.at] == '[')
        if (sd.count == SD_ELEMENTS_MAX || !sd_element(&sd)) return false;
    rf_buf_byte(&sd.json, '}');
    if (sd.count == 0 || sd.json.failed || (sd.at < text.len && text.ptr[sd.at] != ' '))
        return false;
    *at = sd.at;
    *out = rf_buf_view(&sd.json);
    return true;
}

/* A field of the header; "-" is empty. */
static rf_str take_field(rf_str text, size_t *at)
{
    rf_str word = word_at(text, *at);
    *at += word.len;
    if (*at < text.len) ++*at;
    return rf_str_is(word, "-") ? RF_S("") : word;
}

/* Behind the priority. False: it is none, or not far enough to be told. */
static bool parse_5424(rf_str text, size_t at, const struct syslog_options *options,
                       struct rf_arena *arena, struct syslog_message *out)
{
    rf_usec time = 0;
    if (text.len - at < 3 || text.ptr[at] != '1' || text.ptr[at + 1] != ' ') return false;
    at += 2;
    bool nil = text.ptr[at] == '-';
    if (nil)
        at++;
    else if (!rf_is_digit(text.ptr[at]) || !syslog_time(text, &at, options, &time))
        return false;
    if (at >= text.len || text.ptr[at++] != ' ') return false;
    struct syslog_message made = *out;
    made.is_5424 = true;
    made.has_time = !nil;
    made.time = time;
    made.host = take_field(text, &at);
    /* Meraki sends "1 1380664994.3379 NAME text": neither a process nor structured data. */
    bool is_epoch =
        !nil && text.len > 12 &&
        rf_str_find(rf_slice(text, 0, RF_MIN(text.len, (size_t)24)), RF_S("-"), 0) == SIZE_MAX;
    if (!is_epoch) {
        made.app = take_field(text, &at);
        made.proc_id = take_field(text, &at);
        made.msg_id = take_field(text, &at);
        if (take_structured(text, &at, arena, &made.structured))
            at += at < text.len ? 1 : 0;
        else
            made.problem = "the structured data is malformed";
    }
    made.message = rf_slice(text, RF_MIN(at, text.len), text.len);
    rf_str mark = RF_S("\xef\xbb\xbf");
    if (rf_str_starts(made.message, mark))
        made.message = rf_slice(made.message, mark.len, made.message.len);
    *out = made;
    return true;
}

/* ---- RFC 3164 and what is sent instead ------------------------------------------------------------------------------------ */

/* Cisco's "123: " in front of the time; also a lone ": ". */
static void skip_sequence(rf_str text, size_t *at)
{
    size_t i = *at;
    while (i < text.len && rf_is_digit(text.ptr[i]) && i - *at < 12) i++;
    if (i >= text.len || text.ptr[i] != ':') return;
    i++;
    if (i < text.len && text.ptr[i] != ' ') return;
    skip_blanks(text, &i);
    *at = i;
}

static bool is_host_byte(uint8_t c)
{
    return rf_is_alnum(c) || c == '.' || c == '-' || c == '_' || c == ':' || c == '/' || c == '%' ||
           c >= 0x80;
}

/* A word that may name a host: not a tag ("su:", "su[12]:") and not the start of a text. */
static bool is_host(rf_str word)
{
    if (word.len == 0 || word.len > HEADER_NAME_BYTES_MAX || word.ptr[word.len - 1] == ':' ||
        word.ptr[0] == '%')
        return false;
    for (size_t i = 0; i < word.len; i++)
        if (!is_host_byte(word.ptr[i])) return false;
    return true;
}

static bool is_format_mark(rf_str text)
{
    return rf_str_starts(text, RF_S("CEF:")) || rf_str_starts(text, RF_S("LEEF:"));
}

/* What stands between a Cisco clock and its message: " CET: ", ": ", and in front of it "host : ". */
static void skip_cisco_zone(rf_str text, size_t *at)
{
    size_t i = *at;
    skip_blanks(text, &i);
    size_t from = i;
    while (i < text.len && i - from < 6 && rf_is_alpha(text.ptr[i])) i++;
    if (i < text.len && text.ptr[i] == ':' && (i + 1 == text.len || text.ptr[i + 1] == ' '))
        *at = i + 1;
}

/* "su[123]: ", "%ASA-6-302013: ", "app: "; leaves *at when there is none. */
static void take_tag(rf_str text, size_t *at, struct syslog_message *out)
{
    size_t i = *at;
    while (i < text.len && i - *at < TAG_BYTES_MAX && text.ptr[i] > ' ' && text.ptr[i] != ':' &&
           text.ptr[i] != '[' && text.ptr[i] != '{' && text.ptr[i] != '"' && text.ptr[i] != '=' &&
           text.ptr[i] != '|' && text.ptr[i] != ',' && text.ptr[i] != '<')
        i++;
    size_t end = i;
    rf_str pid = {0};
    if (i == *at || i == text.len) return;
    if (text.ptr[i] == '[') {
        size_t close = rf_str_find(text, RF_S("]"), i);
        if (close == SIZE_MAX || close - i > TAG_BYTES_MAX) return;
        pid = rf_slice(text, i + 1, close);
        i = close + 1;
        if (i < text.len && text.ptr[i] == ':') i++;
    } else if (text.ptr[i] == ':') {
        i++;
        if (i < text.len && text.ptr[i] != ' ' && text.ptr[*at] != '%')
            return; /* an address, say */
    } else {
        return;
    }
    out->app = rf_slice(text, *at, end);
    out->proc_id = pid;
    if (i < text.len && text.ptr[i] == ' ') i++;
    *at = i;
}

static void parse_3164(rf_str text, size_t at, const struct syslog_options *options,
                       struct syslog_message *out)
{
    size_t start = at;
    skip_sequence(text, &at);
    bool has_sequence = at != start;
    size_t time_at = at;
    rf_str first = word_at(text, at);
    /* "45: router1: Oct 22 10:52:01.123 CET: %SYS-5-..." */
    if (has_sequence && first.len > 1 && first.ptr[first.len - 1] == ':' && first.ptr[0] != '%' &&
        is_host(rf_slice(first, 0, first.len - 1))) {
        out->host = rf_slice(first, 0, first.len - 1);
        time_at = at + first.len;
        skip_blanks(text, &time_at);
    }
    /* A clock that Cisco's devices do not trust has a mark. */
    if (time_at < text.len && (text.ptr[time_at] == '*' || text.ptr[time_at] == '.')) time_at++;
    out->has_time = syslog_time(text, &time_at, options, &out->time);
    if (out->has_time) {
        at = time_at;
        skip_cisco_zone(text, &at);
        skip_blanks(text, &at);
    } else if (out->host.len > 0) {
        out->host = (rf_str){0};
    }
    rf_str word = word_at(text, at);
    bool may_be_host = out->has_time || has_sequence;
    size_t behind = at + word.len;
    /* Without a time a first word is a host only when a tag follows it. */
    if (!may_be_host && behind < text.len) {
        struct syslog_message probe = {.problem = NULL};
        size_t next = behind + 1;
        take_tag(text, &next, &probe);
        may_be_host = probe.app.len > 0 || is_format_mark(rf_slice(text, behind + 1, text.len));
    }
    if (out->host.len == 0 && may_be_host && behind < text.len && is_host(word) &&
        !is_format_mark(word)) {
        out->host = word;
        at = behind;
        skip_blanks(text, &at);
        if (at + 1 < text.len && text.ptr[at] == ':' && text.ptr[at + 1] == ' ') at += 2;
    }
    if (!is_format_mark(rf_slice(text, at, text.len))) take_tag(text, &at, out);
    out->message = rf_slice(text, at, text.len);
}

void syslog_parse(rf_str text, const struct syslog_options *options, struct rf_arena *arena,
                  struct syslog_message *out)
{
    enum { USER = 1, NOTICE = 5 };
    size_t at = 0;
    *out = (struct syslog_message){.facility = USER, .severity = NOTICE};
    bool has_priority = take_priority(text, &at, out);
    if (has_priority && parse_5424(text, at, options, arena, out)) return;
    parse_3164(text, at, options, out);
}
