/* nrt_match.h - which near-real-time rules of a table may raise an alert for newly committed rows: those of whose literals
 * (kql/row_literals.h) one occurs, and those of which none are known. The rows are looked at once for all rules. */
#ifndef RF_SIEM_NRT_MATCH_H
#define RF_SIEM_NRT_MATCH_H

#include "siem/engine_int.h"

struct nrt_matcher;
/* Of `count` rules that look at each row of one table; literals are copied. A rule is known by its index. */
RF_MUST_USE enum rf_kind nrt_matcher_new(struct engine_rule *const *rules, uint32_t count,
                                         struct nrt_matcher **out, struct rf_err *err);
void nrt_matcher_free(struct nrt_matcher *matcher); /* NULL is fine */
/* Looks at all rows of `source`. On an error, and when the table's columns are others than when a rule's literals were found,
 * every rule is a candidate. */
void nrt_matcher_look(struct nrt_matcher *matcher, struct source *source);
bool nrt_matcher_is_candidate(const struct nrt_matcher *matcher, uint32_t rule);

#endif
