/* parse_int.h - what parse.c (expressions), parse_pipe.c (pipelines, statements) and op_external.c share. */
#ifndef RF_PARSE_INT_H
#define RF_PARSE_INT_H

#include "kql/parse.h"

enum rf_kind parse_too_deep(struct parser *p);
RF_MUST_USE enum rf_kind parse_postfix(struct parser *p, struct ast **out);
/* An expression, or a pipeline when '|' follows it or it begins with a source operator. */
RF_MUST_USE enum rf_kind parse_pipe_or_expr(struct parser *p, struct ast **out);
/* Tables that stand in the query, from their first word on. */
RF_MUST_USE enum rf_kind parse_datatable(struct parser *p, struct ast **out);
RF_MUST_USE enum rf_kind parse_externaldata(struct parser *p, struct ast **out);
RF_MUST_USE enum rf_kind parse_inline_external_table(struct parser *p, struct ast **out);
/* name:type = default, ... up to the closing bracket. */
RF_MUST_USE enum rf_kind parse_argument_list(struct parser *p, struct ast_argument **out,
                                             uint32_t *count);
/* Statements up to `end`, which is not taken; NULL: up to the end of the text. */
RF_MUST_USE enum rf_kind parse_statements(struct parser *p, const char *end, struct statement **out,
                                          uint32_t *count);
/* parse_statement.c: statements from their first word on, and entity_group [..]. */
RF_MUST_USE enum rf_kind parse_pattern(struct parser *p, struct statement *s);
RF_MUST_USE enum rf_kind parse_restrict(struct parser *p, struct statement *s);
RF_MUST_USE enum rf_kind parse_alias(struct parser *p, struct statement *s);
RF_MUST_USE enum rf_kind parse_entity_group(struct parser *p, struct ast **out);
bool parse_tuple_names(struct parser *p, struct ast *node);

#endif
