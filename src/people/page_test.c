#include "test/rf_prop.h"

#include <stdlib.h>

#include "people/page_words.h"

#define EVIL "\"><script>alert(1)</script>&'`\x01"
enum { KINDS = PAGE_POST + 1 };

static struct page a_page(enum page_kind kind, enum page_language language, const rf_str *items,
                          const struct page_field *fields, const struct json_node *options)
{
    return (struct page){.kind = kind,
                         .language = language,
                         .detail = RF_S(EVIL),
                         .code = RF_S(EVIL),
                         .action = RF_S(EVIL),
                         .fields = fields,
                         .field_count = 1,
                         .organisation = RF_S(EVIL),
                         .app = RF_S(EVIL),
                         .user_name = RF_S(EVIL),
                         .display_name = RF_S(EVIL),
                         .why = RF_S(EVIL),
                         .address = RF_S(EVIL),
                         .can_passkey = true,
                         .can_code = true,
                         .can_recover = true,
                         .can_pass = true,
                         .switch_url = RF_S(EVIL),
                         .items = items,
                         .item_count = 1,
                         .uri = RF_S(EVIL),
                         .secret = RF_S(EVIL),
                         .options = options,
                         .server = RF_S(EVIL),
                         .request_id = RF_S(EVIL),
                         .time = RF_S(EVIL)};
}

static bool holds(rf_str text, const char *what)
{
    return rf_str_find(text, rf_str_of(what), 0) != SIZE_MAX;
}

/* Every tag that is opened is one of ours, with quoted attributes and none for styles or events. */
static void check_markup(rf_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        cr_assert(text.ptr[i] >= ' ' || text.ptr[i] == '\n', "a control character");
        if (text.ptr[i] != '<') continue;
        bool quoted = false;
        size_t end = i + 1;
        for (; end < text.len && (quoted || text.ptr[end] != '>'); end++) {
            if (text.ptr[end] == '"') quoted = !quoted;
            cr_assert(text.ptr[end] != '<', "a tag in a tag at %zu", i);
        }
        cr_assert(end < text.len && !quoted, "a tag without an end at %zu", i);
        rf_str tag = rf_slice(text, i, end);
        cr_assert(!holds(tag, " style=") && !holds(tag, " on") && !holds(tag, "javascript:"),
                  "%.*s", RF_FMT(tag));
        if (rf_str_starts(tag, RF_S("<script")))
            cr_assert(holds(tag, " src=\"/signin/"), "%.*s", RF_FMT(tag));
        i = end;
    }
}

Test(page, every_kind_in_every_language_with_hostile_names)
{
    struct rf_arena arena;
    rf_arena_init(&arena, 64 << 20);
    const rf_str items[] = {RF_S(EVIL)};
    const struct page_field fields[] = {{RF_S(EVIL), RF_S(EVIL)}};
    struct json_node *options = json_new(&arena, JSON_T_OBJECT);
    json_set_text(&arena, options, "x", RF_S(EVIL));
    for (unsigned kind = 0; kind < KINDS; kind++)
        for (unsigned language = 0; language < PAGE_LANGUAGE_COUNT; language++)
            for (unsigned error = 0; error <= PAGE_E_ERROR; error++) {
                struct rf_buf out = rf_buf_in(&arena);
                struct page page = a_page((enum page_kind)kind, (enum page_language)language, items,
                                          fields, options);
                page.error = (enum page_error)error;
                cr_assert(page_write(&page, &out));
                rf_str text = rf_buf_view(&out);
                cr_assert(!holds(text, "<script>alert"), "kind %u", kind);
                cr_assert(!holds(text, "{}"), "kind %u: a place that was not filled in", kind);
                check_markup(text);
                rf_str lang = rf_arena_printf(&arena, "<html lang=\"%s\">",
                                              page_language_tag((enum page_language)language));
                cr_assert(rf_str_find(text, lang, 0) != SIZE_MAX);
                rf_arena_reset(&arena);
                options = json_new(&arena, JSON_T_OBJECT);
                json_set_text(&arena, options, "x", RF_S(EVIL));
            }
    rf_arena_done(&arena);
}

/* Names that scripts of others rely on (contract identity, section 6.2). */
Test(page, names_and_ids)
{
    static const struct {
        enum page_kind kind;
        const char *texts[4];
    } rows[] = {
        {PAGE_USER, {"name=\"loginfmt\"", "id=\"idSIButton9\""}},
        {PAGE_PASSWORD, {"name=\"passwd\"", "id=\"idSIButton9\"", "id=\"idA_PWD_SwitchToFido\""}},
        {PAGE_CODE, {"name=\"otc\"", "id=\"idSubmit_SAOTCC_Continue\"", "id=\"signInAnotherWay\""}},
        {PAGE_RECOVERY, {"name=\"recovery\"", "id=\"idSIButton9\""}},
        {PAGE_PASSKEY, {"id=\"idSIButton9\"", "data-passkey=\"get\"", "id=\"errorText\""}},
        {PAGE_CHANGE,
         {"name=\"oldPassword\"", "name=\"newPassword\"", "name=\"confirmNewPassword\"",
          "id=\"idSIButton9\""}},
        {PAGE_KEEP, {"id=\"idSIButton9\"", "id=\"idBtn_Back\""}},
        {PAGE_CONSENT, {"id=\"idBtn_Accept\"", "id=\"idBtn_Deny\""}},
        {PAGE_DEVICE, {"name=\"otc\"", "id=\"idSIButton9\""}},
        {PAGE_DEVICE_CONFIRM, {"id=\"idSIButton9\" data-confirm"}},
        {PAGE_DONE, {"data-done"}},
        {PAGE_ERROR, {"id=\"errorText\"", "role=\"alert\""}},
    };
    struct rf_arena arena;
    rf_arena_init(&arena, 16 << 20);
    for (size_t i = 0; i < RF_COUNT(rows); i++) {
        struct rf_buf out = rf_buf_in(&arena);
        const struct page page = {.kind = rows[i].kind,
                                  .user_name = RF_S("maeve@contoso.example"),
                                  .can_passkey = true,
                                  .can_recover = true};
        cr_assert(page_write(&page, &out));
        for (size_t k = 0; k < RF_COUNT(rows[i].texts) && rows[i].texts[k] != NULL; k++)
            cr_assert(holds(rf_buf_view(&out), rows[i].texts[k]), "%zu: %s", i, rows[i].texts[k]);
    }
    static const struct {
        enum page_kind kind;
        const char *id;
    } errors[] = {{PAGE_USER, "usernameError"},
                  {PAGE_PASSWORD, "passwordError"},
                  {PAGE_CODE, "otcError"},
                  {PAGE_RECOVERY, "errorText"}};
    for (size_t i = 0; i < RF_COUNT(errors); i++) {
        struct rf_buf out = rf_buf_in(&arena);
        const struct page page = {.kind = errors[i].kind, .error = PAGE_E_PASSWORD};
        cr_assert(page_write(&page, &out));
        rf_str id = rf_arena_printf(&arena, " role=\"alert\" id=\"%s\"", errors[i].id),
               by = rf_arena_printf(&arena, "aria-describedby=\"%s\"", errors[i].id);
        cr_assert(rf_str_find(rf_buf_view(&out), id, 0) != SIZE_MAX, "%s", errors[i].id);
        cr_assert(rf_str_find(rf_buf_view(&out), by, 0) != SIZE_MAX, "%s", errors[i].id);
    }
    rf_arena_done(&arena);
}

Test(page, every_sentence_in_every_language)
{
    for (unsigned word = 0; word < PAGE_WORD_COUNT; word++) {
        const char *english = page_word(PAGE_EN, (enum page_word)word);
        cr_assert(english != NULL && english[0] != 0, "word %u", word);
        bool filled = strstr(english, "{}") != NULL;
        for (unsigned l = 0; l < PAGE_LANGUAGE_COUNT; l++) {
            const char *text = page_word((enum page_language)l, (enum page_word)word);
            cr_assert(rf_utf8_valid(rf_str_of(text)), "word %u, language %u", word, l);
            cr_assert((strstr(text, "{}") != NULL) == filled, "word %u, language %u", word, l);
        }
    }
}

Test(page, the_readers_language)
{
    static const struct {
        const char *asked, *header;
        enum page_language language;
    } rows[] = {{"", "", PAGE_EN},
                {"", "de-DE,de;q=0.9,en;q=0.8", PAGE_DE},
                {"", "en;q=0.5, fr;q=0.9", PAGE_FR},
                {"", "ja, es;q=0.3", PAGE_ES},
                {"", "ja", PAGE_EN},
                {"", "de;q=0, fr;q=0.1", PAGE_FR},
                {"fr-CA de", "de", PAGE_FR},
                {"ja es", "de", PAGE_ES},
                {"", "DE", PAGE_DE},
                {"", ",,;q=,de;q=x", PAGE_EN},
                {"", "deutsch", PAGE_EN}};
    for (size_t i = 0; i < RF_COUNT(rows); i++)
        cr_assert(page_language_of(rf_str_of(rows[i].asked), rf_str_of(rows[i].header)) ==
                      rows[i].language,
                  "row %zu", i);
}

Test(page, policy_and_assets)
{
    struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    const rf_str frames[] = {RF_S("https://a.example"), RF_S("https://b.example")};
    cr_assert(rf_str_is(page_policy(&arena, (rf_str){0}, NULL, 0),
                        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
                        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"));
    rf_str policy = page_policy(&arena, RF_S("https://app.example"), frames, 2);
    cr_assert(holds(policy, "form-action 'self' https://app.example;"));
    cr_assert(holds(policy, "frame-src https://a.example https://b.example;"));
    uint32_t count = 0;
    for (const struct page_asset *asset; (asset = page_asset_at(count)) != NULL; count++) {
        cr_assert(rf_str_starts(rf_str_of(asset->path), RF_S("/signin/")));
        cr_assert(asset->bytes.len > 0 && strchr(asset->path + 8, '/') == NULL);
        cr_assert(!holds(asset->bytes, "http://") ||
                      rf_str_ends(rf_str_of(asset->path), RF_S(".svg")),
                  "nothing from elsewhere");
    }
    cr_assert(count >= 4);
    rf_arena_done(&arena);
}
