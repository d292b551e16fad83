/* page_first.c - the pages behind a link that makes an administrator. */
#include "people/page_int.h"

void page_form_first(const struct page *page, struct rf_buf *out)
{
    bool of_name = page->error == PAGE_E_NAME || page->error == PAGE_E_USER_EMPTY;
    page_paragraph(page, out, page->is_renewed ? W_FIRST_RENEWS : W_FIRST_HINT);
    page_form_begin(page, out);
    page_input(page, out,
               &(struct page_input){.name = "loginfmt",
                                    .type = "text",
                                    .complete = "username",
                                    .more = page->is_renewed
                                                ? " readonly"
                                                : " autocapitalize=\"none\" spellcheck=\"false\" "
                                                  "maxlength=\"256\"",
                                    .label = W_USER_LABEL,
                                    .error_id = of_name ? "usernameError" : NULL,
                                    .value = page->user_name});
    if (!page->is_renewed)
        page_input(page, out,
                   &(struct page_input){.name = "displayName",
                                        .type = "text",
                                        .complete = "name",
                                        .more = " maxlength=\"256\"",
                                        .label = W_FIRST_NAME_LABEL,
                                        .value = page->display_name,
                                        .first = page->display_name.len == 0});
    page_input(page, out,
               &(struct page_input){.name = "newPassword",
                                    .type = "password",
                                    .complete = "new-password",
                                    .more = " maxlength=\"1024\"",
                                    .label = W_NEW_LABEL,
                                    .error_id = of_name ? NULL : "errorText",
                                    .first = page->is_renewed || page->display_name.len > 0});
    page_input(page, out,
               &(struct page_input){.name = "confirmNewPassword",
                                    .type = "password",
                                    .complete = "new-password",
                                    .more = " maxlength=\"1024\"",
                                    .label = W_AGAIN_LABEL});
    page_submit(page, out, W_SAVE);
    page_form_end(out);
}

void page_other_factors(const struct page *page, struct rf_buf *out)
{
    if (!page->optional) return;
    page_put(out, "<div class=\"ways\">");
    if (page->can_passkey)
        page_button(page, out, "name=\"switch\" value=\"passkey\" formnovalidate",
                    W_ENROLL_PASSKEY_TITLE, false);
    if (page->can_code)
        page_button(page, out, "name=\"switch\" value=\"code\" formnovalidate", W_ENROLL_TITLE,
                    false);
    page_button(page, out, "id=\"idBtn_Back\" name=\"switch\" value=\"later\" formnovalidate",
                W_LATER, false);
    page_put(out, "</div>");
}

void page_end_first(const struct page *page, struct rf_buf *out)
{
    page_put(out, "<p class=\"error\" role=\"alert\" id=\"errorText\">");
    page_say(page, out, W_FIRST_OVER_HINT);
    page_put(out, "</p>");
    page_paragraph(page, out, W_FIRST_OVER_HOW);
    page_put(out, "<div class=\"secret\">");
    page_text(out, page->detail);
    page_put(out, "</div>");
}
