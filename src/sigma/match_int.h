/* match_int.h - what the parts of the matcher share. */
#ifndef RF_SIGMA_MATCH_INT_H
#define RF_SIGMA_MATCH_INT_H

#include "base/literal_set.h"
#include "kql/func_ip.h"
#include "sigma/event_int.h"
#include "sigma/match.h"
#include "sigma/pattern.h"

enum { MATCH_NO_SLOT = UINT32_MAX };

/* A test, made ready. */
struct match_atom {
    const struct sigma_atom *atom;
    uint32_t slot;    /* NO_SLOT: a keyword */
    uint32_t other;   /* FIELD: the other field's slot */
    uint32_t scratch; /* of expressions: number in the run's list; NO_SLOT: none */
    struct pattern_matcher pattern;
    struct ip6_range network;
    rf_str needed; /* a text that the value must contain; empty: none is known */
    double needed_score;
    bool needed_nocase;
};

struct match_node {
    enum sigma_op op;
    uint32_t atom;
    struct match_node *first, *next;
};

struct match_rule {
    const struct sigma_rule *rule;
    struct match_node *condition; /* NULL: not seen in this layout */
    struct layout_bounds bounds;
};

struct matcher {
    const struct layout *layout;
    struct rf_arena *arena;
    struct match_atom *atoms;
    uint32_t atom_count, scratch_count;
    struct match_rule *rules; /* by their number in the set */
    uint32_t rule_count;
    rf_str *fields;
    uint32_t field_count, field_cap, key_count;
};

/* ---- classes ----------------------------------------------------------------------------------------------------- */

/* A rule as far as the class has not settled it. */
struct class_rule {
    uint32_t number;
    struct match_node *rest; /* NULL: the class settles that it matches */
};
/* The literals that are looked for in one field. */
struct class_field {
    uint32_t slot; /* NO_SLOT: in the whole event */
    const struct literal_set *set;
    struct literal_hits
        hits; /* numbers of the class's rules; their count: the line holds escapes */
};
struct match_class {
    rf_str keys[LAYOUT_KEYS_MAX];
    enum sigma_value_kind kinds[LAYOUT_KEYS_MAX];
    uint64_t hash;
    struct class_rule *rules;
    uint32_t rule_count;
    uint32_t *always; /* rules without literals */
    uint32_t always_count;
    struct class_field *fields;
    uint32_t field_count;
    uint64_t *seen; /* by rule: stamp of the event that made it a candidate */
};

struct match_run {
    const struct matcher *matcher;
    struct rf_arena *arena;
    struct rf_arena class_arena;
    struct match_class **classes; /* open addressing */
    uint32_t class_count, class_cap;
    struct regex_scratch *scratches;
    uint64_t *memo; /* by atom: stamp * 2 + result */
    uint64_t stamp;
    struct event_reader *reader;
    uint32_t *found;
    uint32_t found_count;
    struct match_stats stats;
};

/* What an atom says of a value that is known. */
bool match_atom_holds(struct match_run *run, uint32_t atom);
/* The class of the reader's present event. */
RF_MUST_USE enum rf_kind match_class_find(struct match_run *run, struct match_class **out,
                                          struct rf_err *err);

/* Literals of which at least one occurs in the value of one field, in events that a node matches. */
struct needed {
    uint32_t slot;
    rf_str text;
    bool nocase;
    struct needed *next;
};
struct needed_set {
    struct needed *first; /* NULL: none are known */
    double score;         /* how often they are likely to occur: less is better */
    uint32_t count;
};
/* Works out what the atom needs; once, when its slot is known. */
void match_atom_needed(struct match_atom *atom);
/* False on lack of memory. */
bool match_needed(const struct matcher *matcher, const struct match_node *node,
                  struct rf_arena *arena, struct needed_set *out);

#endif
