/* kusto_log.c - the last queries and commands of the Kusto endpoints: a ring in memory. LAQueryLogs has them for good. */
#include <pthread.h>
#include <stdlib.h>

#include "logs/kusto_int.h"

enum { TEXTS = 10, SHORT_BYTES = 200 };

struct kusto_log {
    pthread_mutex_t lock;
    uint64_t count; /* ever added */
    struct kusto_event events[KUSTO_LOG_MAX];
    uint8_t *bytes[KUSTO_LOG_MAX]; /* that the texts lie in */
};

struct kusto_log *kusto_log_new(void)
{
    struct kusto_log *log = calloc(1, sizeof *log);
    if (log != NULL) pthread_mutex_init(&log->lock, NULL);
    return log;
}

void kusto_log_free(struct kusto_log *log)
{
    if (log == NULL) return;
    for (size_t i = 0; i < KUSTO_LOG_MAX; i++) free(log->bytes[i]);
    pthread_mutex_destroy(&log->lock);
    free(log);
}

static void texts_of(struct kusto_event *e, rf_str *out[TEXTS])
{
    rf_str *all[TEXTS] = {&e->text,         &e->database, &e->type, &e->client_id, &e->id,
                          &e->principal_id, &e->user,     &e->app,  &e->state,     &e->reason};
    memcpy(out, all, sizeof all);
}

/* Cut between characters. */
static rf_str cut(rf_str text, size_t max)
{
    size_t len = RF_MIN(text.len, max);
    while (len < text.len && len > 0 && (text.ptr[len] & 0xc0) == 0x80) len--;
    return rf_slice(text, 0, len);
}

void kusto_log_add(struct kusto_log *log, const struct kusto_event *event)
{
    struct kusto_event e = *event;
    rf_str *texts[TEXTS];
    size_t bytes = 0;
    if (log == NULL) return;
    texts_of(&e, texts);
    for (size_t i = 0; i < TEXTS; i++) {
        *texts[i] = cut(*texts[i], texts[i] == &e.text ? KUSTO_LOG_TEXT_BYTES : SHORT_BYTES);
        bytes += texts[i]->len;
    }
    uint8_t *copy = malloc(bytes + 1), *at = copy;
    if (copy == NULL) return; /* a line of a log, no more */
    for (size_t i = 0; i < TEXTS; i++) {
        size_t len = texts[i]->len;
        if (len > 0) memcpy(at, texts[i]->ptr, len);
        *texts[i] = rf_str_make(at, len);
        at += len;
    }
    pthread_mutex_lock(&log->lock);
    size_t slot = log->count++ % KUSTO_LOG_MAX;
    uint8_t *old = log->bytes[slot];
    log->events[slot] = e;
    log->bytes[slot] = copy;
    pthread_mutex_unlock(&log->lock);
    free(old);
}

enum rf_kind kusto_log_list(struct kusto_log *log, struct rf_arena *arena, struct kusto_event **out,
                            uint32_t *count, struct rf_err *err)
{
    struct kusto_event *list = rf_arena_new(arena, struct kusto_event, KUSTO_LOG_MAX);
    bool room = list != NULL;
    uint32_t n = 0;
    *out = list;
    *count = 0;
    if (log == NULL) return room ? RF_OK : rf_fail_memory(err, arena);
    pthread_mutex_lock(&log->lock);
    for (; room && n < KUSTO_LOG_MAX && n < log->count; n++) {
        rf_str *texts[TEXTS];
        list[n] = log->events[(log->count - 1 - n) % KUSTO_LOG_MAX];
        texts_of(&list[n], texts);
        for (size_t i = 0; i < TEXTS && room; i++) room = rf_arena_str(arena, *texts[i], texts[i]);
    }
    pthread_mutex_unlock(&log->lock);
    if (!room) return rf_fail_memory(err, arena);
    *count = n;
    return RF_OK;
}
