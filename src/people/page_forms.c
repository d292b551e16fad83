/* page_forms.c - what stands on each of the sign-in pages. Names and ids: contract identity, section 6.2. */
#include "people/page_int.h"
#include "people/qr.h"

/* ---- names, passwords, codes --------------------------------------------------------------------------------------------- */

static void form_user(const struct page *page, struct rf_buf *out)
{
    page_form_begin(page, out);
    page_input(page, out,
               &(struct page_input){
                   .name = "loginfmt",
                   .type = "text",
                   .complete = "username webauthn",
                   .more = " autocapitalize=\"none\" spellcheck=\"false\" maxlength=\"256\"",
                   .label = W_USER_LABEL,
                   .error_id = "usernameError",
                   .value = page->user_name,
                   .first = true});
    page_submit(page, out, W_NEXT);
    page_other_ways(page, out);
    page_form_end(out);
}

static void form_password(const struct page *page, struct rf_buf *out)
{
    page_form_begin(page, out);
    /* Password managers look for the name beside the password. */
    page_put(out,
             "<input type=\"text\" name=\"loginfmt\" autocomplete=\"username\" readonly hidden "
             "value=\"");
    page_text(out, page->user_name);
    page_put(out, "\">");
    page_input(page, out,
               &(struct page_input){.name = "passwd",
                                    .type = "password",
                                    .complete = "current-password",
                                    .more = " maxlength=\"1024\"",
                                    .label = W_PASSWORD_LABEL,
                                    .error_id = "passwordError",
                                    .first = true});
    page_submit(page, out, W_SIGN_IN);
    page_other_ways(page, out);
    page_form_end(out);
}

#define CODE_ATTRIBUTES " class=\"code\" inputmode=\"numeric\" pattern=\"[0-9 ]*\" maxlength=\"8\""
#define LETTERS                                                                                    \
    " class=\"code\" autocapitalize=\"characters\" spellcheck=\"false\" maxlength=\"64\""

static void form_code(const struct page *page, struct rf_buf *out)
{
    page_paragraph(page, out, W_CODE_HINT);
    page_form_begin(page, out);
    page_input(page, out,
               &(struct page_input){.name = "otc",
                                    .type = "text",
                                    .complete = "one-time-code",
                                    .more = CODE_ATTRIBUTES,
                                    .label = W_CODE_LABEL,
                                    .error_id = "otcError",
                                    .first = true});
    page_button(page, out, "id=\"idSubmit_SAOTCC_Continue\"", W_VERIFY, true);
    page_other_ways(page, out);
    page_form_end(out);
    page_why(page, out);
}

static void form_recovery(const struct page *page, struct rf_buf *out)
{
    page_paragraph(page, out, W_RECOVERY_HINT);
    page_form_begin(page, out);
    page_input(page, out,
               &(struct page_input){.name = "recovery",
                                    .type = "text",
                                    .complete = "off",
                                    .more = LETTERS,
                                    .label = W_RECOVERY_LABEL,
                                    .error_id = "errorText",
                                    .first = true});
    page_submit(page, out, W_VERIFY);
    page_other_ways(page, out);
    page_form_end(out);
}

static void form_pass(const struct page *page, struct rf_buf *out)
{
    page_paragraph(page, out, W_PASS_HINT);
    page_form_begin(page, out);
    page_input(page, out,
               &(struct page_input){.name = "accesspass",
                                    .type = "password",
                                    .complete = "off",
                                    .more = LETTERS,
                                    .label = W_PASS_LABEL,
                                    .error_id = "errorText",
                                    .first = true});
    page_submit(page, out, W_VERIFY);
    page_other_ways(page, out);
    page_form_end(out);
}

static void form_change(const struct page *page, struct rf_buf *out)
{
    bool of_new = page->error == PAGE_E_NEW_PASSWORD || page->error == PAGE_E_NOT_SAME;
    page_paragraph(page, out, W_CHANGE_HINT);
    page_form_begin(page, out);
    page_input(page, out,
               &(struct page_input){.name = "oldPassword",
                                    .type = "password",
                                    .complete = "current-password",
                                    .label = W_OLD_LABEL,
                                    .error_id = of_new ? NULL : "passwordError",
                                    .first = true});
    page_input(page, out,
               &(struct page_input){.name = "newPassword",
                                    .type = "password",
                                    .complete = "new-password",
                                    .label = W_NEW_LABEL,
                                    .error_id = of_new ? "errorText" : NULL});
    page_input(page, out,
               &(struct page_input){.name = "confirmNewPassword",
                                    .type = "password",
                                    .complete = "new-password",
                                    .label = W_AGAIN_LABEL});
    page_submit(page, out, W_SAVE);
    page_form_end(out);
}

/* ---- passkeys ------------------------------------------------------------------------------------------------------------- */

static void form_passkey(const struct page *page, struct rf_buf *out, const char *what)
{
    rf_str options = json_to_text(out->arena, page->options);
    page_put(out, "<form method=\"post\" action=\"");
    page_text(out, page->action);
    rf_buf_printf(out, "\" data-passkey=\"%s\" data-failed=\"", what);
    page_say(page, out, W_E_PASSKEY);
    page_put(out, "\" data-options=\"");
    page_text(out, options);
    page_put(out, "\"><input type=\"hidden\" name=\"credential\">");
    for (uint32_t i = 0; i < page->field_count; i++) {
        page_put(out, "<input type=\"hidden\" name=\"");
        page_text(out, page->fields[i].name);
        page_put(out, "\" value=\"");
        page_text(out, page->fields[i].value);
        page_put(out, "\">");
    }
    page_put(out, "<span class=\"error\" role=\"alert\" id=\"errorText\">");
    if (page->error != PAGE_NO_ERROR) page_say(page, out, page_error_word(page->error));
    page_put(out, "</span><noscript><p class=\"error\">");
    page_say(page, out, W_NO_SCRIPT);
    page_put(out, "</p></noscript>");
    page_submit(page, out, W_TRY_AGAIN);
    if (page->kind == PAGE_ENROLL_PASSKEY)
        page_other_factors(page, out);
    else
        page_other_ways(page, out);
    page_form_end(out);
    page_why(page, out);
}

/* ---- a factor that is set up ------------------------------------------------------------------------------------------------ */

/* As one path of runs of dark modules, with the quiet zone around. Nothing when the address is too long: the key stands below as text. */
static void qr_of(const struct page *page, struct rf_buf *out)
{
    struct qr *qr = rf_arena_new(out->arena, struct qr, 1);
    if (qr == NULL || !qr_encode(page->uri, qr)) return;
    rf_buf_printf(out, "<svg class=\"qr\" viewBox=\"-4 -4 %u %u\" role=\"img\" aria-label=\"",
                  qr->size + 8, qr->size + 8);
    page_say(page, out, W_ENROLL_TITLE);
    page_put(out, "\"><path d=\"");
    for (uint32_t row = 0; row < qr->size; row++)
        for (uint32_t at = 0, run; at < qr->size; at += run) {
            for (run = 1; at + run < qr->size && qr->dark[row][at + run] == qr->dark[row][at];)
                run++;
            if (qr->dark[row][at]) rf_buf_printf(out, "M%u %uh%uv1h-%uz", at, row, run, run);
        }
    page_put(out, "\"/></svg>");
}

static void form_enroll(const struct page *page, struct rf_buf *out)
{
    page_paragraph(page, out, page->optional ? W_ENROLL_OFFER : W_ENROLL_HINT);
    qr_of(page, out);
    page_put(out, "<p><b>");
    page_say(page, out, W_ENROLL_KEY);
    page_put(out, "</b></p><div class=\"secret\">");
    for (size_t i = 0; i < page->secret.len; i += 4) {
        if (i > 0) page_put(out, " ");
        page_text(out, rf_slice(page->secret, i, RF_MIN(i + 4, page->secret.len)));
    }
    page_put(out, "</div><p><a href=\"");
    page_text(out, page->uri);
    page_put(out, "\">");
    page_say(page, out, W_ENROLL_LINK);
    page_put(out, "</a></p>");
    page_form_begin(page, out);
    page_input(page, out,
               &(struct page_input){.name = "otc",
                                    .type = "text",
                                    .complete = "one-time-code",
                                    .more = CODE_ATTRIBUTES,
                                    .label = W_CODE_LABEL,
                                    .error_id = "otcError",
                                    .first = true});
    page_submit(page, out, W_VERIFY);
    page_other_factors(page, out);
    page_form_end(out);
    page_why(page, out);
}

static void form_codes(const struct page *page, struct rf_buf *out)
{
    page_paragraph(page, out, W_CODES_HINT);
    page_put(out, "<ul class=\"codes\">");
    for (uint32_t i = 0; i < page->item_count; i++) {
        page_put(out, "<li>");
        page_text(out, page->items[i]);
        page_put(out, "</li>");
    }
    page_put(out, "</ul>");
    page_form_begin(page, out);
    page_submit(page, out, W_CODES_KEPT);
    page_form_end(out);
}

/* ---- questions -------------------------------------------------------------------------------------------------------------- */

static void form_keep(const struct page *page, struct rf_buf *out)
{
    page_paragraph(page, out, W_KEEP_HINT);
    page_form_begin(page, out);
    page_put(out, "<div class=\"two\">");
    page_button(page, out, "id=\"idBtn_Back\" name=\"keep\" value=\"no\"", W_NO, false);
    page_button(page, out, "id=\"idSIButton9\" name=\"keep\" value=\"yes\"", W_YES, true);
    page_put(out, "</div>");
    page_form_end(out);
}

static void scope(const struct page *page, struct rf_buf *out, rf_str name)
{
    static const struct {
        const char *name;
        enum page_word word;
    } words[] = {{"openid", W_SCOPE_OPENID},
                 {"profile", W_SCOPE_PROFILE},
                 {"email", W_SCOPE_EMAIL},
                 {"offline_access", W_SCOPE_OFFLINE},
                 {"user_impersonation", W_SCOPE_RIGHTS}};
    for (size_t i = 0; i < RF_COUNT(words); i++) {
        if (!rf_str_is(name, words[i].name)) continue;
        page_say(page, out, words[i].word);
        return;
    }
    page_text(out, name);
}

static void form_consent(const struct page *page, struct rf_buf *out)
{
    page_paragraph(page, out, W_CONSENT_HINT);
    page_put(out, "<ul>");
    for (uint32_t i = 0; i < page->item_count; i++) {
        page_put(out, "<li>");
        scope(page, out, page->items[i]);
        page_put(out, "</li>");
    }
    page_put(out, "</ul>");
    page_form_begin(page, out);
    page_put(out, "<div class=\"two\">");
    page_button(page, out, "id=\"idBtn_Deny\" name=\"decision\" value=\"deny\"", W_DENY, false);
    page_button(page, out, "id=\"idBtn_Accept\" name=\"decision\" value=\"accept\"", W_ACCEPT,
                true);
    page_put(out, "</div>");
    page_form_end(out);
}

static void form_account(const struct page *page, struct rf_buf *out)
{
    page_form_begin(page, out);
    page_put(out, "<button type=\"submit\" class=\"pri\" name=\"account\" value=\"current\">");
    page_text(out, page->user_name);
    page_put(out, "</button>");
    page_button(page, out, "name=\"account\" value=\"other\"", W_OTHER_ACCOUNT, false);
    page_form_end(out);
}

static void form_device(const struct page *page, struct rf_buf *out)
{
    page_paragraph(page, out, W_DEVICE_HINT);
    page_form_begin(page, out);
    page_input(page, out,
               &(struct page_input){.name = "otc",
                                    .type = "text",
                                    .complete = "off",
                                    .more = " class=\"code\" autocapitalize=\"characters\" "
                                            "spellcheck=\"false\" maxlength=\"16\"",
                                    .label = W_DEVICE_LABEL,
                                    .error_id = "otcError",
                                    .value = page->secret,
                                    .first = true});
    page_submit(page, out, W_NEXT);
    page_form_end(out);
}

static void form_confirm(const struct page *page, struct rf_buf *out)
{
    page_put(out, "<p>");
    page_say_of(page, out, W_CONFIRM_FROM, page->address);
    page_put(out, "</p>");
    page_paragraph(page, out, W_CONFIRM_HINT);
    page_form_begin(page, out);
    page_put(out, "<div class=\"two\">");
    page_button(page, out, "id=\"idBtn_Decline\" name=\"decision\" value=\"deny\"", W_DENY, false);
    page_button(page, out, "id=\"idSIButton9\" data-confirm name=\"decision\" value=\"accept\"",
                W_CONTINUE, true);
    page_put(out, "</div>");
    page_form_end(out);
}

/* ---- ends ---------------------------------------------------------------------------------------------------------------------- */

static void end_done(const struct page *page, struct rf_buf *out)
{
    page_put(out, "<p data-done class=\"lead\">");
    page_say(page, out, page->error == PAGE_NO_ERROR ? W_DONE_HINT : W_DECLINED_HINT);
    page_put(out, "</p>");
}

static void end_signed_out(const struct page *page, struct rf_buf *out)
{
    page_paragraph(page, out, W_OUT_HINT);
    for (uint32_t i = 0; i < page->item_count; i++) {
        page_put(out, "<iframe title=\"\" src=\"");
        page_text(out, page->items[i]);
        page_put(out, "\"></iframe>");
    }
    if (page->switch_url.len == 0) return;
    page_put(out, "<a class=\"button\" href=\"");
    page_text(out, page->switch_url);
    page_put(out, "\">");
    page_say(page, out, W_BACK);
    page_put(out, "</a>");
}

static void end_error(const struct page *page, struct rf_buf *out)
{
    page_put(out, "<p class=\"error\" role=\"alert\" id=\"errorText\">");
    if (page->code.len > 0) {
        page_text(out, page->code);
        page_put(out, ": ");
    }
    if (page->detail.len > 0)
        page_text(out, page->detail);
    else
        page_say(page, out, page_error_word(page->error));
    page_put(out, "</p>");
    page_paragraph(page, out, W_ERROR_NEXT);
    page_put(out, "<p class=\"small\">");
    page_say(page, out, W_REQUEST_ID);
    page_put(out, ": ");
    page_text(out, page->request_id);
    page_put(out, "<br>");
    page_text(out, page->time);
    page_put(out, "</p>");
}

static void end_post(const struct page *page, struct rf_buf *out)
{
    page_paragraph(page, out, W_POST_HINT);
    page_form_begin(page, out);
    page_button(page, out, "", W_CONTINUE, true);
    page_form_end(out);
}

/* ---- which ----------------------------------------------------------------------------------------------------------------------- */

void page_put_form(const struct page *page, struct rf_buf *out)
{
    switch (page->kind) {
    case PAGE_USER:
        form_user(page, out);
        break;
    case PAGE_PASSWORD:
        form_password(page, out);
        break;
    case PAGE_CODE:
        form_code(page, out);
        break;
    case PAGE_RECOVERY:
        form_recovery(page, out);
        break;
    case PAGE_PASSKEY:
        page_paragraph(page, out, W_PASSKEY_HINT);
        form_passkey(page, out, "get");
        break;
    case PAGE_ENROLL_PASSKEY:
        page_paragraph(page, out, page->optional ? W_ENROLL_PASSKEY_OFFER : W_ENROLL_PASSKEY_HINT);
        form_passkey(page, out, "create");
        break;
    case PAGE_PASS:
        form_pass(page, out);
        break;
    case PAGE_CHANGE:
        form_change(page, out);
        break;
    case PAGE_ENROLL:
        form_enroll(page, out);
        break;
    case PAGE_RECOVERY_CODES:
        form_codes(page, out);
        break;
    case PAGE_KEEP:
        form_keep(page, out);
        break;
    case PAGE_CONSENT:
        form_consent(page, out);
        break;
    case PAGE_ACCOUNT:
        form_account(page, out);
        break;
    case PAGE_DEVICE:
        form_device(page, out);
        break;
    case PAGE_DEVICE_CONFIRM:
        form_confirm(page, out);
        break;
    case PAGE_FIRST:
        page_form_first(page, out);
        break;
    case PAGE_FIRST_OVER:
        page_end_first(page, out);
        break;
    case PAGE_DONE:
        end_done(page, out);
        break;
    case PAGE_SIGNED_OUT:
        end_signed_out(page, out);
        break;
    case PAGE_ERROR:
        end_error(page, out);
        break;
    case PAGE_POST:
        end_post(page, out);
        break;
    }
}

void page_put_title(const struct page *page, struct rf_buf *out)
{
    static const enum page_word titles[] = {[PAGE_USER] = W_SIGN_IN,
                                            [PAGE_PASSWORD] = W_PASSWORD_TITLE,
                                            [PAGE_CODE] = W_CODE_TITLE,
                                            [PAGE_RECOVERY] = W_RECOVERY_TITLE,
                                            [PAGE_PASSKEY] = W_PASSKEY_TITLE,
                                            [PAGE_PASS] = W_PASS_TITLE,
                                            [PAGE_CHANGE] = W_CHANGE_TITLE,
                                            [PAGE_ENROLL] = W_ENROLL_TITLE,
                                            [PAGE_ENROLL_PASSKEY] = W_ENROLL_PASSKEY_TITLE,
                                            [PAGE_RECOVERY_CODES] = W_CODES_TITLE,
                                            [PAGE_KEEP] = W_KEEP_TITLE,
                                            [PAGE_CONSENT] = W_CONSENT_TITLE,
                                            [PAGE_ACCOUNT] = W_ACCOUNT_TITLE,
                                            [PAGE_DEVICE] = W_DEVICE_TITLE,
                                            [PAGE_DEVICE_CONFIRM] = W_CONFIRM_TITLE,
                                            [PAGE_FIRST] = W_FIRST_TITLE,
                                            [PAGE_FIRST_OVER] = W_FIRST_OVER_TITLE,
                                            [PAGE_DONE] = W_DONE_TITLE,
                                            [PAGE_SIGNED_OUT] = W_OUT_TITLE,
                                            [PAGE_ERROR] = W_ERROR_TITLE,
                                            [PAGE_POST] = W_POST_TITLE};
    enum page_word word = titles[page->kind];
    if (page->kind == PAGE_DONE && page->error != PAGE_NO_ERROR) word = W_DECLINED_TITLE;
    page_say_of(page, out, word, page->app);
}
