#include "collect/health.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { BUCKETS = 4096, STATUS_SOURCES_MAX = 100 };
#define FORGET_USEC (24 * 3600 * RF_USEC_PER_SECOND)
#define SHOWN_USEC (3600 * RF_USEC_PER_SECOND)

struct sender {
    struct sender *next;
    const char *protocol;
    char listener[128], source[160], workspace[48], error[200];
    struct health_counts total, minute;
    rf_usec last_seen;
};

struct health {
    pthread_mutex_t lock;
    struct sender *buckets[BUCKETS];
    uint32_t count;
};

struct health *health_new(void)
{
    struct health *health = calloc(1, sizeof *health);
    if (health != NULL) (void)pthread_mutex_init(&health->lock, NULL);
    return health;
}

void health_free(struct health *health)
{
    if (health == NULL) return;
    for (size_t b = 0; b < BUCKETS; b++)
        for (struct sender *s = health->buckets[b], *next; s != NULL; s = next) {
            next = s->next;
            free(s);
        }
    (void)pthread_mutex_destroy(&health->lock);
    free(health);
}

/* Cut at the beginning of a character. */
static rf_str cut(rf_str text, size_t most)
{
    if (text.len <= most) return text;
    while (most > 0 && (text.ptr[most] & 0xc0) == 0x80) most--;
    return rf_slice(text, 0, most);
}

static void copy(char *to, size_t cap, rf_str text)
{
    text = cut(text, cap - 1);
    if (text.len > 0) memcpy(to, text.ptr, text.len);
    to[text.len] = 0;
}

static struct sender **bucket_of(struct health *health, const struct health_source *source)
{
    uint64_t hash = rf_hash(source->listener.ptr, source->listener.len, 0);
    hash = rf_hash_mix(hash, rf_hash(source->source.ptr, source->source.len, 1));
    return &health->buckets[hash % BUCKETS];
}

static bool is_sender(const struct sender *s, const struct health_source *source)
{
    return strcmp(s->protocol, source->protocol) == 0 &&
           rf_str_is(cut(source->listener, sizeof s->listener - 1), s->listener) &&
           rf_str_is(cut(source->source, sizeof s->source - 1), s->source) &&
           rf_str_is(source->workspace, s->workspace);
}

static struct sender *find(struct health *health, const struct health_source *source)
{
    struct sender *s = *bucket_of(health, source);
    while (s != NULL && !is_sender(s, source)) s = s->next;
    return s;
}

static struct sender *find_or_make(struct health *health, const struct health_source *source)
{
    struct sender *s = find(health, source);
    if (s != NULL) return s;
    struct health_source others = {RF_S("(others)"), source->protocol, RF_S("(others)"),
                                   source->workspace};
    if (health->count >= HEALTH_SOURCES_MAX) {
        source = &others;
        s = find(health, source);
    }
    if (s != NULL || (s = calloc(1, sizeof *s)) == NULL) return s;
    struct sender **bucket = bucket_of(health, source);
    s->protocol = source->protocol;
    copy(s->listener, sizeof s->listener, source->listener);
    copy(s->source, sizeof s->source, source->source);
    copy(s->workspace, sizeof s->workspace, source->workspace);
    s->next = *bucket;
    *bucket = s;
    health->count++;
    return s;
}

static void add(struct health_counts *to, const struct health_counts *more)
{
    to->rows += more->rows;
    to->bytes += more->bytes;
    to->rejected += more->rejected;
    to->dropped += more->dropped;
    to->refused += more->refused;
}

void health_add(struct health *health, const struct health_source *source,
                const struct health_counts *counts, const char *error, rf_usec now)
{
    (void)pthread_mutex_lock(&health->lock);
    struct sender *s = find_or_make(health, source);
    if (s != NULL) {
        add(&s->total, counts);
        add(&s->minute, counts);
        s->last_seen = now;
        if (error != NULL) copy(s->error, sizeof s->error, rf_str_of(error));
    }
    (void)pthread_mutex_unlock(&health->lock);
}

/* ---- showing ---------------------------------------------------------------------------------------------------------------- */

static void put_row(struct rowset *rows, struct sender *s, rf_usec now)
{
    struct json_out out = rowset_begin(rows, RF_S("RingfortCollect"));
    rowset_put_time(&out, "TimeGenerated", now);
    json_put_text(&out, "Listener", rf_str_of(s->listener));
    json_put_text(&out, "Protocol", rf_str_of(s->protocol));
    json_put_text(&out, "Source", rf_str_of(s->source));
    json_put_i64(&out, "Rows", (int64_t)s->minute.rows);
    json_put_i64(&out, "Bytes", (int64_t)s->minute.bytes);
    json_put_i64(&out, "Rejected", (int64_t)s->minute.rejected);
    json_put_i64(&out, "Dropped", (int64_t)s->minute.dropped);
    json_put_i64(&out, "Refused", (int64_t)s->minute.refused);
    rowset_put_time(&out, "LastSeen", s->last_seen);
    json_put_text(&out, "LastError", rf_str_of(s->error));
    rowset_end(rows, &out);
    s->minute = (struct health_counts){0};
}

void health_put_pulse(struct rowset *rows, rf_str name, rf_usec now)
{
    struct json_out out = rowset_begin(rows, RF_S("RingfortCollect"));
    rowset_put_time(&out, "TimeGenerated", now);
    json_put_text(&out, "Listener", RF_S("(collector)"));
    json_put_text(&out, "Source", name);
    json_put_i64(&out, "Rows", 0);
    rowset_put_time(&out, "LastSeen", now);
    rowset_end(rows, &out);
}

static void forget_old(struct health *health, rf_usec now)
{
    for (size_t b = 0; b < BUCKETS; b++)
        for (struct sender **at = &health->buckets[b]; *at != NULL;) {
            struct sender *s = *at;
            if (now - s->last_seen < FORGET_USEC) {
                at = &s->next;
                continue;
            }
            *at = s->next;
            health->count--;
            free(s);
        }
}

/* The rows of one workspace: that of the first sender that is due. False: nobody is. */
static bool next_rows(struct health *health, rf_usec now, struct rf_arena *arena, bool *done,
                      char workspace[48], struct rowset *rows)
{
    bool any = false;
    uint32_t index = 0;
    *rows = rowset_in(arena);
    for (size_t b = 0; b < BUCKETS; b++)
        for (struct sender *s = health->buckets[b]; s != NULL; s = s->next, index++) {
            if (done[index] || now - s->last_seen > SHOWN_USEC) continue;
            if (!any) memcpy(workspace, s->workspace, sizeof s->workspace);
            any = true;
            if (strcmp(workspace, s->workspace) != 0) continue;
            done[index] = true;
            put_row(rows, s, now);
        }
    return any;
}

void health_rows(struct health *health, rf_usec now, struct rf_arena *arena,
                 void (*emit)(void *ctx, rf_str workspace, const struct rowset *rows), void *ctx)
{
    char workspace[48];
    struct rowset rows;
    (void)pthread_mutex_lock(&health->lock);
    forget_old(health, now);
    bool *done = rf_arena_new(arena, bool, health->count);
    while (done != NULL && next_rows(health, now, arena, done, workspace, &rows))
        emit(ctx, rf_str_of(workspace), &rows);
    (void)pthread_mutex_unlock(&health->lock);
}

static void put_counts(struct json_out *out, const struct health_counts *counts)
{
    json_put_i64(out, "rows", (int64_t)counts->rows);
    json_put_i64(out, "bytes", (int64_t)counts->bytes);
    json_put_i64(out, "rejected", (int64_t)counts->rejected);
    json_put_i64(out, "dropped", (int64_t)counts->dropped);
    json_put_i64(out, "refused", (int64_t)counts->refused);
}

static void put_last(struct json_out *out, rf_usec seen, const char *error)
{
    if (seen > 0)
        rowset_put_time(out, "lastSeen", seen);
    else
        json_put_null(out, "lastSeen");
    json_put_text(out, "lastError", rf_str_of(error));
}

void health_status(struct health *health, rf_str listener, const char *protocol,
                   struct json_out *out, const char *name)
{
    struct health_counts total = {0};
    rf_usec seen = 0;
    const char *error = "";
    uint32_t shown = 0;
    (void)pthread_mutex_lock(&health->lock);
    json_begin_object(out, name);
    json_begin_array(out, "sources");
    for (size_t b = 0; b < BUCKETS; b++)
        for (const struct sender *s = health->buckets[b]; s != NULL; s = s->next) {
            if (!rf_str_is(listener, s->listener)) continue;
            if (protocol != NULL && strcmp(protocol, s->protocol) != 0) continue;
            add(&total, &s->total);
            if (s->last_seen > seen) {
                seen = s->last_seen;
                if (s->error[0] != 0) error = s->error;
            }
            if (shown++ >= STATUS_SOURCES_MAX) continue;
            json_begin_object(out, NULL);
            json_put_text(out, "source", rf_str_of(s->source));
            json_put_text(out, "protocol", rf_str_of(s->protocol));
            put_counts(out, &s->total);
            put_last(out, s->last_seen, s->error);
            json_end_object(out);
        }
    json_end_array(out);
    json_put_i64(out, "sourceCount", shown);
    put_counts(out, &total);
    put_last(out, seen, error);
    json_end_object(out);
    (void)pthread_mutex_unlock(&health->lock);
}

void health_put_rejected(struct rowset *rows, const struct health_source *source, const char *error,
                         rf_str table, rf_str raw, rf_usec now)
{
    struct json_out out = rowset_begin(rows, RF_S("RingfortCollectRejected"));
    rowset_put_time(&out, "TimeGenerated", now);
    json_put_text(&out, "Listener", source->listener);
    json_put_text(&out, "Protocol", rf_str_of(source->protocol));
    json_put_text(&out, "Source", source->source);
    json_put_text(&out, "Table", table);
    json_put_text(&out, "Error", rf_str_of(error));
    json_put_text(&out, "RawData", raw);
    rowset_end(rows, &out);
}
