/* page_int.h - what the files of pages share. */
#ifndef RF_PAGE_INT_H
#define RF_PAGE_INT_H

#include "people/page_words.h"

enum { PAGE_STYLE, PAGE_PASSKEY_SCRIPT, PAGE_POST_SCRIPT, PAGE_MARK };

void page_put(struct rf_buf *out, const char *markup); /* of ours, as it stands */
void page_text(struct rf_buf *out, rf_str text);       /* of anybody, escaped */
void page_say(const struct page *page, struct rf_buf *out, enum page_word word);
void page_say_of(const struct page *page, struct rf_buf *out, enum page_word word, rf_str what);
/* page_forms.c */
void page_put_title(const struct page *page, struct rf_buf *out);
void page_put_form(const struct page *page, struct rf_buf *out);

#endif
