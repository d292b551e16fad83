/* match.h - many rules at once over the events of one layout.
 *
 * Tests that several rules make are one atom, worked out once per event at most. Events whose key fields (Channel and EventID)
 * are equal form a class: what they settle of a rule's condition is settled once for the class, and most rules drop out.
 * Of each rule that is left the literals of which one must occur in one field are looked up for all rules together, in one
 * pass over that field's value (base/literal_set.h); only rules that are candidates then are evaluated.
 *
 * Cost: an event whose class has no rule left costs its splitting; else the fields that the class's rules name are read once. */
#ifndef RF_SIGMA_MATCH_H
#define RF_SIGMA_MATCH_H

#include "sigma/event.h"

enum { MATCH_CLASSES_MAX = 4096 };

/* The rules of a set as compiled for one layout. Immutable: threads may share it. */
struct matcher;

/* Compiles every rule that has a condition and whose log source the layout has. The set is borrowed. */
RF_MUST_USE enum rf_kind matcher_new(const struct sigma_set *set, const struct layout *layout,
                                     struct rf_arena *arena, struct matcher **out,
                                     struct rf_err *err);
/* Gives a field a slot, when it has none; before the first run. UINT32_MAX on lack of memory. */
uint32_t matcher_slot(struct matcher *matcher, rf_str field);
const rf_str *matcher_fields(const struct matcher *matcher, uint32_t *count);
/* Whether the rule can match here at all: the layout has its log source. */
bool matcher_sees(const struct matcher *matcher, uint32_t rule);

/* One thread's run over events. */
struct match_run;
RF_MUST_USE enum rf_kind match_run_new(const struct matcher *matcher, struct rf_arena *arena,
                                       struct match_run **out, struct rf_err *err);
void match_run_done(struct match_run *run); /* NULL is fine */
/* The rules that the reader's present event matches: their numbers in the set, in no order. *numbers is a view until the next
 * call. The reader was made with the matcher's fields. Errors: MemoryBudgetExceeded. */
RF_MUST_USE enum rf_kind match_event(struct match_run *run, struct event_reader *reader,
                                     const uint32_t **numbers, uint32_t *count, struct rf_err *err);
/* What was done, for --stats. */
struct match_stats {
    uint64_t events, classes, candidates, evaluated_atoms, matches;
};
struct match_stats match_run_stats(const struct match_run *run);

#endif
