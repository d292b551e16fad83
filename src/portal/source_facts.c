#include "portal/source_facts.h"

#include <pthread.h>
#include <stdlib.h>

#define KEPT_USEC (5 * RF_USEC_PER_SECOND)
#define MINUTE_USEC (60 * RF_USEC_PER_SECOND)
#define DAY_USEC (24 * 60 * MINUTE_USEC)
enum { FACTS_BYTES_MAX = 16 << 20 };

struct source_watch {
    struct tables *tables;
    rf_str workspace_id;
    struct rf_clock *clock;
    pthread_mutex_t lock; /* held while they are read anew: the others wait for the same answer */
    struct rf_arena arena;
    struct source_facts facts;
    rf_usec read_at; /* elapsed; 0: not yet */
};

enum rf_kind source_facts_new(struct tables *tables, rf_str workspace_id, struct rf_clock *clock,
                              struct source_watch **out, struct rf_err *err)
{
    struct source_watch *s = calloc(1, sizeof *s);
    if (s == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory");
    *s = (struct source_watch){.tables = tables, .workspace_id = workspace_id, .clock = clock};
    rf_arena_init(&s->arena, FACTS_BYTES_MAX);
    (void)pthread_mutex_init(&s->lock, NULL);
    *out = s;
    return RF_OK;
}

void source_facts_free(struct source_watch *sources)
{
    if (sources == NULL) return;
    rf_arena_done(&sources->arena);
    (void)pthread_mutex_destroy(&sources->lock);
    free(sources);
}

bool source_facts_is_silent(rf_usec now, rf_usec last, int64_t usual_usec)
{
    return now - last > RF_MAX(3 * usual_usec, 5 * MINUTE_USEC);
}

static bool is_own(rf_str table)
{
    static const char *const names[] = {"AlertEvidence",
                                        "AlertInfo",
                                        "AuditLogs",
                                        "AzureActivity",
                                        "AzureDiagnostics",
                                        "LAQueryLogs",
                                        "Operation",
                                        "SecurityAlert",
                                        "SecurityIncident",
                                        "SentinelAudit",
                                        "SentinelHealth",
                                        "SigninLogs",
                                        "Usage",
                                        "AZKVAuditLogs",
                                        "Watchlist",
                                        "AADManagedIdentitySignInLogs",
                                        "AADServicePrincipalSignInLogs",
                                        "AADNonInteractiveUserSignInLogs"};
    if (rf_str_starts(table, RF_S("Ringfort"))) return true;
    for (size_t i = 0; i < RF_COUNT(names); i++)
        if (rf_str_is(table, names[i])) return true;
    return false;
}

static rf_usec usec_of(int64_t ticks)
{
    return (ticks - DATETIME_UNIX_EPOCH) / TICKS_PER_MICROSECOND;
}

/* False: its last row is too old. */
static bool judge(const struct table_activity *a, rf_usec now, struct source_fact *out)
{
    /* Clocks of senders may be ahead of ours. */
    rf_usec last = a->time_max < a->time_min ? 0 : RF_MIN(usec_of(a->time_max), now);
    if (a->commits > 0) last = a->last;
    *out = (struct source_fact){.table = a->name,
                                .rows = a->row_count,
                                .rows_day = a->rows_since,
                                .is_estimate = a->is_estimate,
                                .is_own = is_own(a->name),
                                .last = last,
                                .usual_usec = a->pause_usec};
    if (out->usual_usec == 0 && a->rows_since > 1)
        out->usual_usec = (int64_t)((uint64_t)DAY_USEC / a->rows_since);
    out->is_silent = !out->is_own && source_facts_is_silent(now, last, out->usual_usec);
    return last != 0 && now - last <= SOURCE_DAYS * DAY_USEC;
}

static enum rf_kind read_anew(struct source_watch *s, struct rf_err *err)
{
    struct table_activity *tables;
    uint32_t count;
    struct source_facts facts = {.count = 0};
    rf_usec now = rf_clock_now(s->clock);
    int64_t since = DATETIME_UNIX_EPOCH + (now - DAY_USEC) * TICKS_PER_MICROSECOND;
    s->read_at = 0;
    rf_arena_reset(&s->arena);
    RF_TRY(tables_rows_committed(s->tables, s->workspace_id, &facts.committed, err));
    RF_TRY(tables_activity(s->tables, s->workspace_id, since, &s->arena, &tables, &count, err));
    facts.items = rf_arena_new(&s->arena, struct source_fact, (size_t)count + 1);
    if (facts.items == NULL) return rf_fail_memory(err, &s->arena);
    for (uint32_t i = 0; i < count; i++) {
        struct source_fact *f = &facts.items[facts.count];
        facts.rows += tables[i].row_count;
        facts.disk_bytes += tables[i].disk_bytes;
        bool is_source = judge(&tables[i], now, f);
        facts.newest = RF_MAX(facts.newest, f->last);
        if (!is_source) continue;
        facts.silent_count += f->is_silent;
        facts.count++;
    }
    s->facts = facts;
    s->read_at = rf_clock_elapsed(s->clock);
    return RF_OK;
}

static enum rf_kind copy(const struct source_facts *from, struct rf_arena *arena,
                         struct source_facts *out, struct rf_err *err)
{
    struct source_facts facts = *from;
    facts.items = rf_arena_new(arena, struct source_fact, (size_t)from->count + 1);
    if (facts.items == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < from->count; i++) {
        facts.items[i] = from->items[i];
        if (!rf_arena_str(arena, from->items[i].table, &facts.items[i].table))
            return rf_fail_memory(err, arena);
    }
    *out = facts;
    return RF_OK;
}

enum rf_kind source_facts_read(struct source_watch *sources, struct rf_arena *arena,
                               struct source_facts *out, struct rf_err *err)
{
    enum rf_kind kind = RF_OK;
    (void)pthread_mutex_lock(&sources->lock);
    bool is_fresh =
        sources->read_at != 0 && rf_clock_elapsed(sources->clock) - sources->read_at < KEPT_USEC;
    if (!is_fresh) kind = read_anew(sources, err);
    if (kind == RF_OK) kind = copy(&sources->facts, arena, out, err);
    (void)pthread_mutex_unlock(&sources->lock);
    return kind;
}
