/* rules.h - analytics rules in files, as the lab puts them into a world. */
#ifndef RF_LAB_RULES_H
#define RF_LAB_RULES_H

#include "siem/rule.h"

struct lab_rule {
    const char *path;
    rf_str
        name; /* the last segment of its resource id: its id, or the file's name when the id is none that may stand there */
    struct json_node *document; /* of rule_from_yaml */
    struct rule rule;           /* as rule_read_loose reads it */
};
struct lab_rules {
    struct rf_arena *arena;
    struct lab_rule *items;
    uint32_t count, cap;
};

/* Reads a file, every rule of a folder and of those below it, or what a pattern with * and ? matches, in the order of names.
 * Files of folders and patterns that hold no rule (no query, or named *.test.yaml) are left aside; a path that was read before
 * is not read again. Errors name the file and have the line; RF_NOT_FOUND FileNotFound, NoRules when nothing is there. */
RF_MUST_USE enum rf_kind lab_rules_add(struct lab_rules *rules, const char *pattern,
                                       struct rf_err *err);
/* By its id, or when there is none of that id by the last part of its path; NULL: none. */
const struct lab_rule *lab_rules_like(const struct lab_rules *rules, const struct lab_rule *rule);

/* "path" below the folder that `file` lies in, unless it begins with a slash; NUL-terminated, NULL on lack of memory. */
const char *lab_path_beside(struct rf_arena *arena, const char *file, rf_str path);
bool lab_is_yaml(rf_str name);
bool lab_is_test(rf_str name); /* *.test.yaml */

#endif
