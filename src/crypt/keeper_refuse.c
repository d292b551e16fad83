/* keeper_refuse.c - lines of requests that were refused. So many of a second have a line of their own; the rest of that second is counted by kind (verb, code, who
 * asked), and each kind is one line, once the second is over. So a flood neither fills the disk nor hides: what it was, and how much, is told.
 *
 * What is not written yet when the keeper is killed is lost: the counts of one second. */
#include <stdio.h>

#include "crypt/keeper_desk.h"

enum { LINES_PER_SECOND = 10 };

/* The line of one kind; *line the last that was made. */
static void tell(struct keeper_core *core, const struct refusal_kind *kind, uint64_t *line)
{
    char detail[240];
    uint64_t made;
    (void)snprintf(detail, sizeof detail, "%llu more of %s %s oid %s app %s%s",
                   (unsigned long long)kind->count, keeper_verb_name(kind->verb), kind->code,
                   kind->who.oid, kind->who.app, kind->mixed ? ", and of other kinds" : "");
    if (keeper_audit_append(&core->keys.audit, "request.refused_more", detail, &made, NULL, NULL) ==
        RF_OK)
        *line = made;
}

/* The lock is held. */
static void tell_all(struct keeper_core *core, uint64_t *line)
{
    struct keeper_refusals *refusals = &core->refusals;
    for (uint32_t i = 0; i < refusals->kind_count; i++) tell(core, &refusals->kinds[i], line);
    refusals->kind_count = 0;
    atomic_store(&refusals->waiting, false);
}

/* The last place takes all kinds that have none of their own. */
static struct refusal_kind *kind_of(struct keeper_refusals *refusals, enum keeper_verb verb,
                                    const char *code, const struct keeper_who *who)
{
    for (uint32_t i = 0; i < refusals->kind_count; i++) {
        struct refusal_kind *kind = &refusals->kinds[i];
        if (kind->verb == verb && strcmp(kind->code, code) == 0 &&
            strcmp(kind->who.oid, who->oid) == 0 && strcmp(kind->who.app, who->app) == 0)
            return kind;
    }
    if (refusals->kind_count == REFUSAL_KINDS_MAX) {
        refusals->kinds[REFUSAL_KINDS_MAX - 1].mixed = true;
        return &refusals->kinds[REFUSAL_KINDS_MAX - 1];
    }
    struct refusal_kind *kind = &refusals->kinds[refusals->kind_count++];
    *kind = (struct refusal_kind){.verb = verb, .code = code, .who = *who};
    return kind;
}

static int64_t second_of(const struct keeper_core *core)
{
    return rf_clock_elapsed(core->clock) / RF_USEC_PER_SECOND;
}

bool keeper_refusals_count(struct keeper_core *core, enum keeper_verb verb, bool may_tell,
                           const char *code, const struct keeper_who *who, uint64_t *line)
{
    struct keeper_refusals *refusals = &core->refusals;
    int64_t second = second_of(core);
    pthread_mutex_lock(&refusals->lock);
    if (refusals->second != second) {
        tell_all(core, line);
        refusals->second = second;
        refusals->told = 0;
    }
    bool tells = may_tell && refusals->told < LINES_PER_SECOND;
    if (tells)
        refusals->told++;
    else
        kind_of(refusals, verb, code, who)->count++;
    atomic_store(&refusals->waiting, refusals->kind_count > 0);
    pthread_mutex_unlock(&refusals->lock);
    return tells;
}

void keeper_refusals_settle(struct keeper_core *core, bool at_once)
{
    struct keeper_refusals *refusals = &core->refusals;
    uint64_t line = 0;
    if (!atomic_load(&refusals->waiting)) return;
    pthread_mutex_lock(&refusals->lock);
    if (at_once || refusals->second != second_of(core)) tell_all(core, &line);
    pthread_mutex_unlock(&refusals->lock);
    if (line != 0) (void)!keeper_audit_sync(&core->keys.audit, line, NULL);
}
