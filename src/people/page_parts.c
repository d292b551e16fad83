/* page_parts.c - what the forms of the sign-in pages are made of. */
#include "people/page_int.h"

void page_form_begin(const struct page *page, struct rf_buf *out)
{
    page_put(out, "<form method=\"post\" action=\"");
    page_text(out, page->action);
    page_put(out, "\">");
    for (uint32_t i = 0; i < page->field_count; i++) {
        page_put(out, "<input type=\"hidden\" name=\"");
        page_text(out, page->fields[i].name);
        page_put(out, "\" value=\"");
        page_text(out, page->fields[i].value);
        page_put(out, "\">");
    }
}

void page_form_end(struct rf_buf *out) { page_put(out, "</form>"); }

void page_paragraph(const struct page *page, struct rf_buf *out, enum page_word word)
{
    page_put(out, "<p class=\"lead\">");
    page_say(page, out, word);
    page_put(out, "</p>");
}

enum page_word page_error_word(enum page_error error)
{
    static const enum page_word words[] = {[PAGE_E_USER_EMPTY] = W_E_USER_EMPTY,
                                           [PAGE_E_PASSWORD] = W_E_PASSWORD,
                                           [PAGE_E_CODE] = W_E_CODE,
                                           [PAGE_E_RECOVERY] = W_E_RECOVERY,
                                           [PAGE_E_PASS] = W_E_PASS,
                                           [PAGE_E_PASSKEY] = W_E_PASSKEY,
                                           [PAGE_E_NEW_PASSWORD] = W_E_NEW_PASSWORD,
                                           [PAGE_E_NOT_SAME] = W_E_NOT_SAME,
                                           [PAGE_E_DEVICE_CODE] = W_E_DEVICE_CODE,
                                           [PAGE_E_NAME] = W_E_NAME,
                                           [PAGE_E_BUSY] = W_E_BUSY,
                                           [PAGE_E_EXPIRED] = W_E_EXPIRED,
                                           [PAGE_E_ERROR] = W_E_ERROR};
    return words[error];
}

void page_error_of(const struct page *page, struct rf_buf *out, const char *id)
{
    if (page->error == PAGE_NO_ERROR) return;
    rf_buf_printf(out, "<span class=\"error\" role=\"alert\" id=\"%s\">", id);
    page_say(page, out, page_error_word(page->error));
    if (page->error == PAGE_E_NEW_PASSWORD && page->detail.len > 0) {
        page_put(out, " ");
        page_text(out, page->detail);
    }
    page_put(out, "</span>");
}

void page_input(const struct page *page, struct rf_buf *out, const struct page_input *in)
{
    bool wrong = in->error_id != NULL && page->error != PAGE_NO_ERROR;
    rf_buf_printf(out, "<label for=\"i-%s\">", in->name);
    page_say(page, out, in->label);
    page_put(out, "</label>");
    rf_buf_printf(out,
                  "<input id=\"i-%s\" name=\"%s\" type=\"%s\" autocomplete=\"%s\" required%s%s",
                  in->name, in->name, in->type, in->complete, in->first ? " autofocus" : "",
                  in->more == NULL ? "" : in->more);
    if (wrong) rf_buf_printf(out, " aria-invalid=\"true\" aria-describedby=\"%s\"", in->error_id);
    if (in->value.len > 0) {
        page_put(out, " value=\"");
        page_text(out, in->value);
        page_put(out, "\"");
    }
    page_put(out, ">");
    if (in->error_id != NULL) page_error_of(page, out, in->error_id);
}

/* `attributes` are ours: id, name, value. */
void page_button(const struct page *page, struct rf_buf *out, const char *attributes,
                 enum page_word word, bool primary)
{
    rf_buf_printf(out, "<button type=\"submit\"%s%s%s>", primary ? " class=\"pri\"" : "",
                  attributes[0] == 0 ? "" : " ", attributes);
    page_say(page, out, word);
    page_put(out, "</button>");
}

void page_submit(const struct page *page, struct rf_buf *out, enum page_word word)
{
    page_button(page, out, "id=\"idSIButton9\"", word, true);
}

void page_other_ways(const struct page *page, struct rf_buf *out)
{
    if (!page->can_passkey && !page->can_code && !page->can_recover && !page->can_pass) return;
    page_put(out, "<div class=\"ways\">");
    if (page->can_passkey)
        page_button(page, out,
                    "id=\"idA_PWD_SwitchToFido\" name=\"switch\" value=\"passkey\" formnovalidate",
                    W_USE_PASSKEY, false);
    if (page->can_code)
        page_button(page, out, "name=\"switch\" value=\"code\" formnovalidate", W_USE_CODE, false);
    if (page->can_recover)
        page_button(page, out,
                    "id=\"signInAnotherWay\" name=\"switch\" value=\"recovery\" formnovalidate",
                    W_USE_RECOVERY, false);
    if (page->can_pass)
        page_button(page, out, "name=\"switch\" value=\"pass\" formnovalidate", W_USE_PASS, false);
    page_put(out, "</div>");
}

void page_why(const struct page *page, struct rf_buf *out)
{
    if (page->why.len == 0) return;
    page_put(out, "<div class=\"note\"><b>");
    page_say(page, out, W_WHY_TITLE);
    page_put(out, "</b>");
    page_say_of(page, out, W_WHY, page->why);
    page_put(out, "</div>");
}
