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

/* page_first.c: the link that makes an administrator */
void page_form_first(const struct page *page, struct rf_buf *out);
void page_other_factors(const struct page *page,
                        struct rf_buf *out); /* which may be set up instead; or later */
void page_end_first(const struct page *page, struct rf_buf *out);

/* ---- page_parts.c ---- */
void page_form_begin(const struct page *page, struct rf_buf *out);
void page_form_end(struct rf_buf *out);
void page_paragraph(const struct page *page, struct rf_buf *out, enum page_word word);
enum page_word page_error_word(enum page_error error);
void page_error_of(const struct page *page, struct rf_buf *out, const char *id);
struct page_input {
    const char *name, *type, *complete, *more; /* more: further attributes of ours */
    enum page_word label;
    const char *error_id; /* NULL: this one shows none */
    rf_str value;
    bool first; /* it has the focus */
};
void page_input(const struct page *page, struct rf_buf *out, const struct page_input *in);
/* `attributes` are ours: id, name, value. */
void page_button(const struct page *page, struct rf_buf *out, const char *attributes,
                 enum page_word word, bool primary);
void page_submit(const struct page *page, struct rf_buf *out, enum page_word word);
void page_other_ways(const struct page *page, struct rf_buf *out);
void page_why(const struct page *page, struct rf_buf *out);

#endif
