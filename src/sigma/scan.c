#include "sigma/scan.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/input.h"
#include "sigma/correlate.h"

enum { READ_BYTES = 1 << 20, READABLE_BYTES = 64, RECOGNISE_LINES_MAX = 200 };
#define RULES_BYTES_MAX ((size_t)8 << 30)
#define RUN_BYTES_MAX ((size_t)8 << 30)

struct scan_rules {
    const struct sigma_set *set;
    pthread_mutex_t lock; /* of what follows */
    struct rf_arena arena;
    struct matcher *matchers[SCAN_LAYOUTS_MAX];
    const struct layout *layouts[SCAN_LAYOUTS_MAX];
    uint32_t count;
};

enum rf_kind scan_rules_new(const struct sigma_set *set, struct scan_rules **out,
                            struct rf_err *err)
{
    struct scan_rules *rules = calloc(1, sizeof *rules);
    if (rules == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory for rules");
    rules->set = set;
    pthread_mutex_init(&rules->lock, NULL);
    rf_arena_init(&rules->arena, RULES_BYTES_MAX);
    *out = rules;
    return RF_OK;
}

void scan_rules_free(struct scan_rules *rules)
{
    if (rules == NULL) return;
    rf_arena_done(&rules->arena);
    pthread_mutex_destroy(&rules->lock);
    free(rules);
}

static enum rf_kind find_matcher(struct scan_rules *rules, const struct layout *layout,
                                 struct matcher **out, struct rf_err *err)
{
    for (uint32_t i = 0; i < rules->count; i++)
        if (rules->layouts[i] == layout) {
            *out = rules->matchers[i];
            return RF_OK;
        }
    RF_ASSERT(rules->count < SCAN_LAYOUTS_MAX);
    RF_TRY(matcher_new(rules->set, layout, &rules->arena, out, err));
    RF_TRY(correlator_add_fields(rules->set, *out, err));
    rules->matchers[rules->count] = *out;
    rules->layouts[rules->count++] = layout;
    return RF_OK;
}

/* ---- workers ------------------------------------------------------------------------------------------------------ */

struct scan_worker {
    struct scan_rules *rules;
    struct rf_arena arena;
    uint8_t *bytes; /* what is read */
    size_t cap;
    struct match_run *runs[SCAN_LAYOUTS_MAX];
    const struct matcher *matchers[SCAN_LAYOUTS_MAX];
    uint32_t count;
};

enum rf_kind scan_worker_new(struct scan_rules *rules, struct scan_worker **out, struct rf_err *err)
{
    struct scan_worker *w = calloc(1, sizeof *w);
    if (w == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory for a worker");
    w->rules = rules;
    w->cap = READ_BYTES;
    w->bytes = malloc(w->cap + READABLE_BYTES);
    if (w->bytes == NULL) {
        free(w);
        return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory for a worker");
    }
    rf_arena_init(&w->arena, RUN_BYTES_MAX);
    *out = w;
    return RF_OK;
}

void scan_worker_free(struct scan_worker *w)
{
    if (w == NULL) return;
    for (uint32_t i = 0; i < w->count; i++) match_run_done(w->runs[i]);
    rf_arena_done(&w->arena);
    free(w->bytes);
    free(w);
}

struct match_stats scan_worker_stats(const struct scan_worker *w)
{
    struct match_stats sum = {0};
    for (uint32_t i = 0; i < w->count; i++) {
        struct match_stats s = match_run_stats(w->runs[i]);
        sum.events += s.events;
        sum.classes += s.classes;
        sum.candidates += s.candidates;
        sum.evaluated_atoms += s.evaluated_atoms;
        sum.matches += s.matches;
    }
    return sum;
}

/* Classes and the states of expressions serve the next file, too. */
static enum rf_kind run_of(struct scan_worker *w, const struct matcher *matcher,
                           struct match_run **out, struct rf_err *err)
{
    for (uint32_t i = 0; i < w->count; i++)
        if (w->matchers[i] == matcher) {
            *out = w->runs[i];
            return RF_OK;
        }
    RF_ASSERT(w->count < SCAN_LAYOUTS_MAX);
    RF_TRY(match_run_new(matcher, &w->arena, out, err));
    w->runs[w->count] = *out;
    w->matchers[w->count++] = matcher;
    return RF_OK;
}

static enum rf_kind matcher_of(struct scan_rules *rules, const struct layout *layout,
                               struct matcher **out, struct rf_err *err)
{
    pthread_mutex_lock(&rules->lock);
    enum rf_kind kind = find_matcher(rules, layout, out, err);
    pthread_mutex_unlock(&rules->lock);
    return kind;
}

/* ---- reading ------------------------------------------------------------------------------------------------------ */

/* One file that is being read. */
struct scan {
    struct scan_worker *worker;
    struct scan_job *job;
    struct rf_arena arena;
    struct input *input;
    size_t len; /* of worker->bytes */
    bool last;
    struct matcher *matcher;
    struct event_reader *reader;
    struct match_run *run;
    struct correlator *correlator;
};

/* Reads on until the buffer is full or the text ends. */
static enum rf_kind fill(struct scan *s, struct rf_err *err)
{
    while (!s->last && s->len < s->worker->cap) {
        size_t got;
        RF_TRY(input_read(s->input, s->worker->bytes + s->len, s->worker->cap - s->len, &got, err));
        s->len += got;
        s->last = got == 0;
    }
    return RF_OK;
}

static enum rf_kind grow(struct scan *s, struct rf_err *err)
{
    if (s->worker->cap >= EVENT_LINE_BYTES_MAX)
        return RF_FAIL(err, RF_LIMIT, "LineTooLong",
                       "%s: a line has more than %d MiB; events are one a line", s->job->path,
                       EVENT_LINE_BYTES_MAX >> 20);
    size_t cap = s->worker->cap * 2;
    uint8_t *bytes = realloc(s->worker->bytes, cap + READABLE_BYTES);
    if (bytes == NULL)
        return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory for a line");
    s->worker->bytes = bytes;
    s->worker->cap = cap;
    return RF_OK;
}

static enum rf_kind recognise(struct scan *s, struct rf_err *err)
{
    uint32_t lines = 0;
    for (size_t at = 0; at < s->len && lines < RECOGNISE_LINES_MAX && s->job->layout == NULL;
         lines++) {
        const uint8_t *end = memchr(s->worker->bytes + at, '\n', s->len - at);
        size_t to = end == NULL ? s->len : (size_t)(end - s->worker->bytes);
        if (end == NULL && !s->last && at > 0) break;
        s->job->layout = layout_of_line(rf_str_make(s->worker->bytes + at, to - at));
        at = to + 1;
    }
    if (s->job->layout != NULL || s->len == 0) return RF_OK;
    return RF_FAIL(err, RF_INVALID, "UnknownLayout",
                   "the layout of %s is not recognised; name it by --layout ('ringfort sigma "
                   "layouts' lists them)",
                   s->job->path);
}

/* ---- events --------------------------------------------------------------------------------------------------------- */

static enum rf_kind count_match(struct scan *s, uint32_t rule, uint64_t line, rf_str event,
                                struct rf_err *err)
{
    struct scan_job *job = s->job;
    struct scan_result *result = &job->results[rule];
    if (result->matches < SCAN_FIRST_LINES) result->first_lines[result->matches] = line;
    result->matches++;
    if (job->on_match == NULL || s->worker->rules->set->rules[rule]->inner) return RF_OK;
    return job->on_match(job->ctx, job, rule, line, event, err);
}

/* When a correlation fires its last event is gone: its line says which one it was. */
static enum rf_kind count_fired(void *ctx, uint32_t rule, uint64_t line, struct rf_err *err)
{
    return count_match(ctx, rule, line, (rf_str){NULL, 0}, err);
}

static enum rf_kind one_event(struct scan *s, struct rf_err *err)
{
    const uint32_t *numbers;
    uint32_t count;
    s->job->events++;
    RF_TRY(match_event(s->run, s->reader, &numbers, &count, err));
    if (RF_LIKELY(count == 0)) return RF_OK;
    for (uint32_t i = 0; i < count; i++)
        RF_TRY(count_match(s, numbers[i], event_line(s->reader), event_text(s->reader), err));
    if (s->correlator == NULL) return RF_OK;
    return correlator_add(s->correlator, s->reader, numbers, count, &s->job->without_time, err);
}

static enum rf_kind events(struct scan *s, struct rf_err *err)
{
    for (;;) {
        enum event_step step = event_next(s->reader);
        if (step == EVENT_END) return RF_OK;
        if (step == EVENT_NO_MEMORY)
            return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory for an event");
        if (step == EVENT_ONE) {
            RF_TRY(one_event(s, err));
            continue;
        }
        if (s->job->bad_lines++ == 0) {
            s->job->first_bad_line = event_line(s->reader);
            s->job->bad_reason = event_reason(s->reader);
        }
    }
}

static enum rf_kind begin(struct scan *s, struct rf_err *err)
{
    uint32_t count;
    RF_TRY(input_open(NULL, s->job->path, &s->input, err));
    RF_TRY(fill(s, err));
    if (s->job->layout == NULL) RF_TRY(recognise(s, err));
    if (s->job->layout == NULL) return RF_OK; /* an empty file */
    RF_TRY(matcher_of(s->worker->rules, s->job->layout, &s->matcher, err));
    const rf_str *fields = matcher_fields(s->matcher, &count);
    RF_TRY(event_reader_new(s->job->layout, fields, count, &s->arena, &s->reader, err));
    RF_TRY(run_of(s->worker, s->matcher, &s->run, err));
    return correlator_new(s->worker->rules->set, s->matcher, &s->arena, &s->correlator, err);
}

static enum rf_kind read_on(struct scan *s, struct rf_err *err)
{
    while (s->reader != NULL) {
        memset(s->worker->bytes + s->len, 0, READABLE_BYTES);
        event_feed(s->reader, rf_str_make(s->worker->bytes, s->len), s->last);
        RF_TRY(events(s, err));
        if (s->last) return RF_OK;
        size_t rest = event_rest(s->reader);
        memmove(s->worker->bytes, s->worker->bytes + s->len - rest, rest);
        s->len = rest;
        if (s->len == s->worker->cap) RF_TRY(grow(s, err));
        RF_TRY(fill(s, err));
    }
    return RF_OK;
}

enum rf_kind scan_file(struct scan_worker *worker, struct scan_job *job, struct rf_err *err)
{
    struct scan s = {.worker = worker, .job = job};
    rf_arena_init(&s.arena, RUN_BYTES_MAX);
    enum rf_kind kind = begin(&s, err);
    if (kind == RF_OK) kind = read_on(&s, err);
    if (kind == RF_OK && s.correlator != NULL)
        kind = correlator_finish(s.correlator, count_fired, &s, err);
    event_reader_done(s.reader);
    rf_arena_done(&s.arena);
    input_free(s.input);
    return kind;
}
