/* log.h - what happened, as events with typed values.
 *
 *   rf_log(RF_WARN, "extent.tail_cut", RF_KV_STR("path", path), RF_KV_U64("lost_bytes", n));
 *   2026-01-31T09:15:02.123456Z warn extent.tail_cut path="/data/a b" lost_bytes=17
 *
 * The event's name is stable and static, as are the keys. Values may be outside text: control
 * characters, quotes, terminal escapes and broken UTF-8 come out escaped, and a line is cut at
 * LOG_LINE_BYTES. Each line is one write to standard error, from any thread. Libraries do not log;
 * callers that decide do. */
#ifndef RF_LOG_H
#define RF_LOG_H

#include "base/clock.h"
#include "base/rf.h"

enum rf_log_level { RF_DEBUG, RF_INFO, RF_WARN, RF_ERROR, RF_SILENT };
enum rf_log_format { RF_LOG_TEXT, RF_LOG_JSON };
enum { RF_LOG_LINE_BYTES = 4096 };

struct rf_kv {
    const char *key;
    enum { RF_KV_TEXT, RF_KV_UNSIGNED, RF_KV_SIGNED, RF_KV_DOUBLE, RF_KV_TRUTH } type;
    union {
        rf_str text;
        uint64_t u;
        int64_t i;
        double r;
        bool truth;
    };
};
#define RF_KV_STR(name, value) ((struct rf_kv){.key = "" name, .type = RF_KV_TEXT, .text = (value)})
#define RF_KV_U64(name, value)                                                                     \
    ((struct rf_kv){.key = "" name, .type = RF_KV_UNSIGNED, .u = (value)})
#define RF_KV_I64(name, value) ((struct rf_kv){.key = "" name, .type = RF_KV_SIGNED, .i = (value)})
#define RF_KV_REAL(name, value) ((struct rf_kv){.key = "" name, .type = RF_KV_DOUBLE, .r = (value)})
#define RF_KV_BOOL(name, value)                                                                    \
    ((struct rf_kv){.key = "" name, .type = RF_KV_TRUTH, .truth = (value)})

/* The level below which events are dropped (RF_INFO at start) and the format; for the program's
 * start. */
void rf_log_set(enum rf_log_level least, enum rf_log_format format);
bool rf_log_wants(enum rf_log_level level);

#define rf_log(level, event, ...)                                                                  \
    do {                                                                                           \
        const struct rf_kv rf_log_kvs[] = {{.key = NULL}, ##__VA_ARGS__};                          \
        if (rf_log_wants(level))                                                                   \
            rf_log_event((level), "" event, rf_log_kvs + 1, RF_COUNT(rf_log_kvs) - 1);             \
    } while (0)
void rf_log_event(enum rf_log_level level, const char *event, const struct rf_kv *kvs,
                  size_t count);
/* One line, '\n' at its end, into out; returns its length. */
size_t rf_log_line(enum rf_log_format format, rf_usec now, enum rf_log_level level,
                   const char *event, const struct rf_kv *kvs, size_t count,
                   char out[RF_LOG_LINE_BYTES]);

#endif
