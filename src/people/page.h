/* page.h - the pages on which people sign in: whole HTML documents that work without script, in the reader's language, light and dark. Names and ids of
 * their parts are fixed by contract identity, section 6.2, as scripts of others rely on them. Everything that comes from outside is escaped here. */
#ifndef RF_PAGE_H
#define RF_PAGE_H

#include "base/json_tree.h"

enum page_language { PAGE_EN, PAGE_DE, PAGE_FR, PAGE_ES, PAGE_LANGUAGE_COUNT };
/* Of ui_locales (may be empty) and an Accept-Language header: the first that we have; weights are heeded. */
enum page_language page_language_of(rf_str ui_locales, rf_str accept_language);

enum page_kind {
    PAGE_USER,     /* input loginfmt */
    PAGE_PASSWORD, /* passwd; link to passkey #idA_PWD_SwitchToFido when `can_passkey` */
    PAGE_CODE,     /* otc, #idSubmit_SAOTCC_Continue; #signInAnotherWay when `can_recover` */
    PAGE_RECOVERY, /* recovery */
    PAGE_PASSKEY, /* script calls navigator.credentials.get with `options` and posts "credential" */
    PAGE_PASS,    /* temporary access pass: input accesspass */
    PAGE_CHANGE,  /* oldPassword, newPassword, confirmNewPassword */
    PAGE_ENROLL, /* a second factor is needed and there is none: QR code of `uri`, secret as text, input otc */
    PAGE_ENROLL_PASSKEY, /* navigator.credentials.create with `options` */
    PAGE_RECOVERY_CODES, /* shown once: `items`; "I have kept them" */
    PAGE_KEEP,           /* stay signed in: #idSIButton9, #idBtn_Back */
    PAGE_CONSENT,        /* #idBtn_Accept, #idBtn_Deny; `items`: what the app asks for */
    PAGE_ACCOUNT,        /* pick an account: buttons name=account */
    PAGE_DEVICE,         /* input otc: the code that the device shows */
    PAGE_DEVICE_CONFIRM, /* #idSIButton9[data-confirm]; app, address, place; a way to decline (#idBtn_Decline) */
    PAGE_FIRST, /* an administrator's link: loginfmt, displayName, newPassword, confirmNewPassword */
    PAGE_FIRST_OVER, /* such a link that is over: `detail` is the command that makes a new one */
    PAGE_DONE,       /* element [data-done]: may be closed now */
    PAGE_SIGNED_OUT, /* `items`: front-channel logout addresses, as hidden frames */
    PAGE_ERROR,      /* #errorText: code and text, request id to copy, what is safe to do next */
    PAGE_POST /* a form that posts `fields` to `action` by itself, with a button where there is no script (form_post) */
};
/* What went wrong in the step before; the sentence is the page's. */
enum page_error {
    PAGE_NO_ERROR,
    PAGE_E_USER_EMPTY,
    PAGE_E_PASSWORD, /* one text for unknown names, wrong and locked: section 11.2 */
    PAGE_E_CODE,
    PAGE_E_RECOVERY,
    PAGE_E_PASS,
    PAGE_E_PASSKEY,
    PAGE_E_NEW_PASSWORD /* `detail` says why */,
    PAGE_E_NOT_SAME,
    PAGE_E_DEVICE_CODE,
    PAGE_E_NAME, /* a user name that cannot be given to a new account */
    PAGE_E_BUSY,
    PAGE_E_EXPIRED,
    PAGE_E_ERROR /* `detail` */
};
struct page_field {
    rf_str name, value;
};
struct page {
    enum page_kind kind;
    enum page_language language;
    enum page_error error;
    rf_str detail;                   /* of the error */
    rf_str code;                     /* "AADSTS50011" of PAGE_ERROR */
    rf_str action;                   /* where the form posts to; a path, or any URL for PAGE_POST */
    const struct page_field *fields; /* hidden inputs */
    uint32_t field_count;
    rf_str organisation;            /* "Contoso Shipping" */
    rf_str app;                     /* to continue to ...; empty: none */
    rf_str user_name, display_name; /* of the one who signs in; empty: not known yet */
    rf_str why;                     /* name of the policy that asks for more; empty: none */
    rf_str address, place;          /* of PAGE_DEVICE_CONFIRM */
    bool can_passkey, can_code, can_recover, can_pass;
    bool optional;     /* of pages that set up a factor: it can be left for later */
    bool is_renewed;   /* PAGE_FIRST: the account is there, and its name is fixed */
    rf_str switch_url; /* "Not you?": where it leads; empty: no such link */
    const rf_str *items;
    uint32_t item_count;
    rf_str uri, secret;              /* of PAGE_ENROLL */
    const struct json_node *options; /* for passkeys */
    rf_str server;                   /* "ringfort.contoso.example", told at the side */
    rf_str request_id, time;
};
/* Writes the document. False on lack of memory. Headers are page_headers'. */
bool page_write(const struct page *page, struct rf_buf *out);
/* The policy for scripts, styles and frames, as a header's value: no inline anything; forms may post to us and to `form_target` ("https://app.example" or
 * empty), as browsers apply it to redirects behind a form too; `frames`: origins for PAGE_SIGNED_OUT. */
rf_str page_policy(struct rf_arena *arena, rf_str form_target, const rf_str *frames,
                   uint32_t frame_count);
/* Static parts under /signin/: style sheet and scripts, immutable, their names hold a hash of their bytes. */
struct page_asset {
    const char *path, *type; /* "/signin/style.0123abcd.css" */
    rf_str bytes;
};
const struct page_asset *page_asset_at(uint32_t index); /* NULL: no more */

#endif
