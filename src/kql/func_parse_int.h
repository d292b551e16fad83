/* func_parse_int.h - the parsers of func_parse.c that have files of their own. Each appends one encoded
 * dynamic to `buf`; false: the text is none of its kind, and what was appended is to be dropped. Lack
 * of memory shows in buf->failed. */
#ifndef RF_FUNC_PARSE_INT_H
#define RF_FUNC_PARSE_INT_H

#include "kql/func_string_int.h"

/* XML as JSON: attributes "@name", text "#text", equal elements an array. No document types. */
bool parse_xml_put(struct rf_buf *buf, rf_str text);

enum agent_parts { AGENT_BROWSER = 1, AGENT_OS = 2, AGENT_DEVICE = 4 };
void parse_agent_put(struct rf_buf *buf, rf_str text, uint32_t parts);

#endif
