/* cli_text.h - outside text on a terminal: how wide it is, and how it is shown without letting it steer the
 * terminal. Control characters and the marks that reorder text are written as escapes (\n, \x1b, \u202e). */
#ifndef RF_CLI_TEXT_H
#define RF_CLI_TEXT_H

#include <stdio.h>

#include "base/rf.h"

/* Columns that the text takes when shown. */
uint32_t cli_text_width(rf_str text);
/* Appends the text as shown, at most `width` columns; a longer one ends in an ellipsis. Gives the columns used. */
uint32_t cli_text_put(struct rf_buf *buf, rf_str text, uint32_t width);
/* The same to a stream. */
uint32_t cli_text_print(FILE *out, rf_str text, uint32_t width);

#endif
