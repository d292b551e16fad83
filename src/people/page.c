/* page.c - the frame of the sign-in pages: head, side, headers; page_forms.c has what stands in it. */
#include "people/page_int.h"

#include <pthread.h>
#include <stdio.h>

#include "crypt/digest.h"

/* ---- texts -------------------------------------------------------------------------------------------------------------- */

void page_text(struct rf_buf *out, rf_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        switch (c) {
        case '&':
            rf_buf_str(out, RF_S("&amp;"));
            break;
        case '<':
            rf_buf_str(out, RF_S("&lt;"));
            break;
        case '>':
            rf_buf_str(out, RF_S("&gt;"));
            break;
        case '"':
            rf_buf_str(out, RF_S("&quot;"));
            break;
        case '\'':
            rf_buf_str(out, RF_S("&#39;"));
            break;
        default:
            /* Control characters say nothing to people, and some of them are no HTML. */
            rf_buf_byte(out, c < 0x20 || c == 0x7f ? ' ' : c);
        }
    }
}

void page_put(struct rf_buf *out, const char *markup) { rf_buf_str(out, rf_str_of(markup)); }

void page_say(const struct page *page, struct rf_buf *out, enum page_word word)
{
    page_text(out, rf_str_of(page_word(page->language, word)));
}

void page_say_of(const struct page *page, struct rf_buf *out, enum page_word word, rf_str what)
{
    rf_str text = rf_str_of(page_word(page->language, word));
    size_t at = rf_str_find(text, RF_S("{}"), 0);
    if (at == SIZE_MAX) {
        page_text(out, text);
        return;
    }
    page_text(out, rf_slice(text, 0, at));
    page_text(out, what);
    page_text(out, rf_slice(text, at + 2, text.len));
}

/* ---- static parts --------------------------------------------------------------------------------------------------------- */

extern const uint8_t page_style_css[], page_style_css_end[], page_passkey_js[],
    page_passkey_js_end[], page_post_js[], page_post_js_end[], page_mark_svg[], page_mark_svg_end[];

enum { ASSETS = 4, PATH_BYTES = 48 };
static struct {
    struct page_asset asset;
    char path[PATH_BYTES];
} assets[ASSETS];
static pthread_once_t assets_once = PTHREAD_ONCE_INIT;

static void name_asset(unsigned at, const char *stem, const char *end, const char *type,
                       const uint8_t *from, const uint8_t *to)
{
    uint8_t hash[SHA256_BYTES];
    rf_str bytes = rf_str_make(from, (uintptr_t)to - (uintptr_t)from);
    digest_sha256(bytes, hash);
    (void)snprintf(assets[at].path, PATH_BYTES, "/signin/%s.%02x%02x%02x%02x.%s", stem, hash[0],
                   hash[1], hash[2], hash[3], end);
    assets[at].asset = (struct page_asset){.path = assets[at].path, .type = type, .bytes = bytes};
}

static void name_assets(void)
{
    name_asset(PAGE_STYLE, "style", "css", "text/css; charset=utf-8", page_style_css,
               page_style_css_end);
    name_asset(PAGE_PASSKEY_SCRIPT, "passkey", "js", "text/javascript; charset=utf-8",
               page_passkey_js, page_passkey_js_end);
    name_asset(PAGE_MARK, "mark", "svg", "image/svg+xml", page_mark_svg, page_mark_svg_end);
    name_asset(PAGE_POST_SCRIPT, "post", "js", "text/javascript; charset=utf-8", page_post_js,
               page_post_js_end);
}

const struct page_asset *page_asset_at(uint32_t index)
{
    (void)pthread_once(&assets_once, name_assets);
    return index < ASSETS ? &assets[index].asset : NULL;
}

rf_str page_policy(struct rf_arena *arena, rf_str form_target, const rf_str *frames,
                   uint32_t frame_count)
{
    struct rf_buf out = rf_buf_in(arena);
    page_put(&out, "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
                   "form-action 'self'");
    if (form_target.len > 0) rf_buf_printf(&out, " %.*s", RF_FMT(form_target));
    if (frame_count > 0) page_put(&out, "; frame-src");
    for (uint32_t i = 0; i < frame_count; i++) rf_buf_printf(&out, " %.*s", RF_FMT(frames[i]));
    page_put(&out, "; frame-ancestors 'none'; base-uri 'none'");
    return out.failed ? (rf_str){0} : rf_buf_view(&out);
}

/* ---- the frame ------------------------------------------------------------------------------------------------------------- */

static const char mark[] =
    "<svg class=\"mark\" viewBox=\"0 0 28 28\" aria-hidden=\"true\"><circle class=\"d\" cx=\"14\" "
    "cy=\"14\" r=\"2.4\"/><path class=\"b\" d=\"M17 20.6a7.2 7.2 0 1 0-6 0\"/><path d=\"M18.2 "
    "25.3a12 12 0 1 0-8.4 0\"/></svg>";
/* Seven rings with a way in, each the share of a circle that leaves 64 units open at the bottom. */
static const char fort[] = "<svg class=\"fort\" viewBox=\"0 0 760 760\" aria-hidden=\"true\">"
                           "<path class=\"r1\" d=\"M348 718.5A340 340 0 1 1 412 718.5\"/>"
                           "<path class=\"r2\" d=\"M348 676.3A298 298 0 1 1 412 676.3\"/>"
                           "<path class=\"r3\" d=\"M348 634A256 256 0 1 1 412 634\"/>"
                           "<path class=\"r4\" d=\"M348 591.6A214 214 0 1 1 412 591.6\"/>"
                           "<path class=\"r5\" d=\"M348 549A172 172 0 1 1 412 549\"/>"
                           "<path class=\"r6\" d=\"M348 506A130 130 0 1 1 412 506\"/>"
                           "<path class=\"r7\" d=\"M348 462A88 88 0 1 1 412 462\"/>"
                           "<circle class=\"torc\" cx=\"380\" cy=\"380\" r=\"26\"/></svg>";

static void put_head(const struct page *page, struct rf_buf *out)
{
    rf_buf_printf(out,
                  "<!doctype html>\n<html lang=\"%s\"><head><meta charset=\"utf-8\"><meta "
                  "name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>",
                  page_language_tag(page->language));
    page_put_title(page, out);
    page_put(out, " - Ringfort</title><meta name=\"robots\" content=\"noindex\"><link "
                  "rel=\"stylesheet\" href=\"");
    page_put(out, page_asset_at(PAGE_STYLE)->path);
    page_put(out, "\"><link rel=\"icon\" href=\"");
    page_put(out, page_asset_at(PAGE_MARK)->path);
    page_put(out, "\">");
    bool passkey = page->kind == PAGE_PASSKEY || page->kind == PAGE_ENROLL_PASSKEY;
    if (passkey || page->kind == PAGE_POST) {
        page_put(out, "<script defer src=\"");
        page_put(out, page_asset_at(passkey ? PAGE_PASSKEY_SCRIPT : PAGE_POST_SCRIPT)->path);
        page_put(out, "\"></script>");
    }
    page_put(out, "</head><body>");
}

static void put_side(const struct page *page, struct rf_buf *out)
{
    page_put(out, "<div class=\"side\" role=\"complementary\" aria-label=\"");
    page_say(page, out, W_ABOUT_SERVER);
    page_put(out, "\"><div class=\"brand\">");
    page_put(out, mark);
    page_put(out, "<span>Ringfort</span></div>");
    page_put(out, fort);
    page_put(out, "<p class=\"about\">");
    page_text(out, page->server);
    page_put(out, "</p></div>");
}

/* First letters of the first two words of a name. */
static void put_initials(rf_str name, struct rf_buf *out)
{
    unsigned count = 0;
    bool at_start = true;
    for (size_t i = 0; i < name.len && count < 2; i++) {
        uint8_t c = name.ptr[i];
        bool is_letter = rf_is_alnum(c);
        if (is_letter && at_start) {
            rf_buf_byte(out, rf_upper(c));
            count++;
        }
        at_start = !is_letter && c < 0x80;
    }
}

static void put_avatar(rf_str name, struct rf_buf *out)
{
    page_put(out, "<span class=\"av\" aria-hidden=\"true\">");
    put_initials(name, out);
    page_put(out, "</span>");
}

static void put_who(const struct page *page, struct rf_buf *out)
{
    bool shows = page->user_name.len > 0 && page->kind != PAGE_USER && page->kind != PAGE_ERROR &&
                 page->kind != PAGE_POST && page->kind != PAGE_SIGNED_OUT &&
                 page->kind != PAGE_FIRST && page->kind != PAGE_FIRST_OVER;
    if (!shows) return;
    rf_str name = page->display_name.len > 0 ? page->display_name : page->user_name;
    page_put(out, "<div class=\"who\">");
    put_avatar(name, out);
    page_put(out, "<span class=\"n\"><b>");
    page_text(out, name);
    page_put(out, "</b>");
    if (page->display_name.len > 0) page_text(out, page->user_name);
    page_put(out, "</span>");
    if (page->switch_url.len > 0) {
        page_put(out, "<a href=\"");
        page_text(out, page->switch_url);
        page_put(out, "\">");
        page_say(page, out, W_NOT_YOU);
        page_put(out, "</a>");
    }
    page_put(out, "</div>");
}

bool page_write(const struct page *page, struct rf_buf *out)
{
    put_head(page, out);
    put_side(page, out);
    page_put(out, "<main><div class=\"box\"><p class=\"org\">");
    put_avatar(page->organisation, out);
    page_put(out, "<span>");
    page_text(out, page->organisation);
    page_put(out, "</span></p><h1>");
    page_put_title(page, out);
    page_put(out, "</h1>");
    bool leads = page->kind == PAGE_USER || page->kind == PAGE_PASSWORD;
    if (leads && page->app.len > 0) {
        page_put(out, "<p class=\"lead\">");
        page_say_of(page, out, W_TO_CONTINUE, page->app);
        page_put(out, "</p>");
    }
    put_who(page, out);
    page_put_form(page, out);
    page_put(out, "</div></main></body></html>\n");
    return !out->failed;
}
