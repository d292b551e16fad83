/* lex.h - query text to tokens. */
#ifndef RF_LEX_H
#define RF_LEX_H

#include "kql/parse.h"

/* Cuts the whole text of `p` into p->tokens, the last of which is TOKEN_END. Errors: RF_INVALID
 * BadLiteral, UnterminatedString, UnexpectedCharacter, BadUtf8; RF_LIMIT. */
RF_MUST_USE enum rf_kind lex_query(struct parser *p);

#endif
