/* xml.h - a pull reader for small XML documents as Windows renders its events: elements, attributes, texts, CDATA. No document types,
 * no entities but the five of XML and numbers, so nothing expands. Pure; any thread. */
#ifndef RF_COLLECT_XML_H
#define RF_COLLECT_XML_H

#include "base/rf.h"

enum { XML_DEPTH_MAX = 32, XML_ATTRIBUTES_MAX = 16 };

enum xml_kind { XML_OPEN, XML_CLOSE, XML_TEXT, XML_END };
struct xml_attribute {
    rf_str name, value;
};
struct xml_token {
    enum xml_kind kind;
    rf_str name; /* OPEN, CLOSE: without its prefix */
    rf_str text; /* TEXT: entities resolved; several pieces may come behind each other */
    struct xml_attribute attributes[XML_ATTRIBUTES_MAX]; /* OPEN */
    uint32_t attribute_count;
    size_t from, to; /* where it stands in the text */
};
struct xml_reader {
    rf_str text;
    size_t at;
    struct rf_arena *arena;
    rf_str open[XML_DEPTH_MAX];
    uint32_t depth;
    bool close_next; /* of <a/> */
};
void xml_reader_init(struct xml_reader *reader, rf_str text, struct rf_arena *arena);
/* Several documents behind each other are fine. Errors: RF_INVALID BadXml (names the byte), RF_LIMIT XmlTooDeep,
 * MemoryBudgetExceeded. */
RF_MUST_USE enum rf_kind xml_next(struct xml_reader *reader, struct xml_token *out,
                                  struct rf_err *err);
rf_str xml_attribute(const struct xml_token *token, const char *name); /* empty: none */

#endif
