/* parse_int.h - what parse.c (expressions) and parse_pipe.c (pipelines, statements) share. */
#ifndef RF_PARSE_INT_H
#define RF_PARSE_INT_H

#include "kql/parse.h"

enum rf_kind parse_too_deep(struct parser *p);
RF_MUST_USE enum rf_kind parse_postfix(struct parser *p, struct ast **out);
/* An expression, or a pipeline when '|' follows it or it begins with a source operator. */
RF_MUST_USE enum rf_kind parse_pipe_or_expr(struct parser *p, struct ast **out);
/* datatable(..)[..] and externaldata(..)[..] with (..). */
RF_MUST_USE enum rf_kind parse_table_literal(struct parser *p, struct ast **out);
bool parse_tuple_names(struct parser *p, struct ast *node);

#endif
