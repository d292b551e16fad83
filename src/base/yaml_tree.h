/* yaml_tree.h - a YAML document as a tree of JSON nodes, for configuration and resources that people write.
 *
 * Plain scalars are null, true, false and numbers as YAML 1.2's core schema says, where a JSON number is written so; all others,
 * and everything quoted or in a block, are strings. Refused are aliases, tags, repeated keys, keys that are no texts, more
 * than one document, depth over YAML_TREE_DEPTH_MAX and more than YAML_TREE_NODES_MAX values. Nodes know their lines. */
#ifndef RF_YAML_TREE_H
#define RF_YAML_TREE_H

#include "base/json_tree.h"

enum { YAML_TREE_DEPTH_MAX = 32, YAML_TREE_NODES_MAX = 200000 };

/* Allocates in `arena`. An empty document is null. Errors: RF_INVALID BadYaml with line and column, RF_LIMIT YamlTooDeep,
 * YamlTooLarge, MemoryBudgetExceeded. */
RF_MUST_USE enum rf_kind yaml_parse(rf_str text, struct rf_arena *arena, struct json_node **out,
                                    struct rf_err *err);
/* The same for files of others, which are to be read as far as they can be: every scalar is a string, tags say nothing, repeated
 * keys are all kept (json_get finds the first), and what follows the first document is left aside. The line of a text written as
 * a block (| or >) is that of its first line. */
RF_MUST_USE enum rf_kind yaml_parse_texts(rf_str text, struct rf_arena *arena,
                                          struct json_node **out, struct rf_err *err);

#endif
