#include "cli/cli_text.h"

struct range {
    uint32_t from, to;
};

/* Marks that sit on the character before them, and joiners. */
static const struct range no_width[] = {
    {0x300, 0x36f},   {0x483, 0x489},    {0x591, 0x5bd},   {0x610, 0x61a},   {0x64b, 0x65f},
    {0x6d6, 0x6dc},   {0x93c, 0x93c},    {0x94d, 0x94d},   {0xe31, 0xe31},   {0xe34, 0xe3a},
    {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff},  {0x200b, 0x200d}, {0x20d0, 0x20ff}, {0xfe00, 0xfe0f},
    {0xfe20, 0xfe2f}, {0xe0100, 0xe01ef}};
/* East Asian wide and full-width characters, and emoji. */
static const struct range two_wide[] = {
    {0x1100, 0x115f},   {0x231a, 0x231b},   {0x2e80, 0x303e},   {0x3041, 0x33ff},
    {0x3400, 0x4dbf},   {0x4e00, 0x9fff},   {0xa000, 0xa4cf},   {0xac00, 0xd7a3},
    {0xf900, 0xfaff},   {0xfe30, 0xfe6f},   {0xff00, 0xff60},   {0xffe0, 0xffe6},
    {0x1f300, 0x1f64f}, {0x1f680, 0x1f6ff}, {0x1f900, 0x1f9ff}, {0x20000, 0x3fffd}};
/* C1 controls, line separators, and what turns the reading direction. */
static const struct range unsafe[] = {{0x7f, 0x9f},     {0xad, 0xad},     {0x200e, 0x200f},
                                      {0x2028, 0x202e}, {0x2060, 0x206f}, {0xfeff, 0xfeff},
                                      {0xfff9, 0xfffb}};

static bool in_ranges(uint32_t cp, const struct range *ranges, size_t count)
{
    for (size_t i = 0; i < count && cp >= ranges[i].from; i++)
        if (cp <= ranges[i].to) return true;
    return false;
}

/* How one character is shown: as itself (bytes of the source) or as an escape in out[]. */
struct shown {
    const char *escape; /* NULL: as itself */
    uint32_t width;
};

static struct shown show(uint32_t cp, char out[16])
{
    static const char *const named[] = {
        [7] = "\\a", [8] = "\\b", [9] = "\\t", [10] = "\\n", [13] = "\\r", [27] = "\\e"};
    if (cp >= 0x20 && cp < 0x7f) return (struct shown){NULL, 1};
    if (cp < RF_COUNT(named) && named[cp] != NULL) return (struct shown){named[cp], 2};
    if (cp < 0x20 || in_ranges(cp, unsafe, RF_COUNT(unsafe))) {
        int len = snprintf(out, 16, cp < 0x100 ? "\\x%02x" : "\\u%04x", (unsigned)cp);
        return (struct shown){out, (uint32_t)len};
    }
    if (in_ranges(cp, no_width, RF_COUNT(no_width))) return (struct shown){NULL, 0};
    return (struct shown){NULL, in_ranges(cp, two_wide, RF_COUNT(two_wide)) ? 2 : 1};
}

uint32_t cli_text_width(rf_str text)
{
    char out[16];
    uint32_t width = 0;
    for (size_t at = 0; at < text.len;) width += show(rf_utf8_next(text, &at), out).width;
    return width;
}

/* Byte offset up to which the text fits into `width` columns. */
static size_t fit(rf_str text, uint32_t width, uint32_t *used)
{
    char out[16];
    *used = 0;
    for (size_t at = 0; at < text.len;) {
        size_t from = at;
        uint32_t wide = show(rf_utf8_next(text, &at), out).width;
        if (wide > width - *used) return from;
        *used += wide;
    }
    return text.len;
}

static const char ellipsis[] = "\xe2\x80\xa6";

typedef void put_fn(void *to, const void *bytes, size_t len);

static uint32_t put_text(put_fn *put, void *to, rf_str text, uint32_t width)
{
    uint32_t used;
    size_t end = fit(text, width, &used);
    bool cut = end < text.len && width > 0;
    if (cut) end = fit(text, width - 1, &used);
    char out[16];
    for (size_t at = 0; at < end;) {
        size_t from = at;
        uint32_t cp = rf_utf8_next(text, &at);
        struct shown shown = show(cp, out);
        if (shown.escape != NULL)
            put(to, shown.escape, strlen(shown.escape));
        else if (cp == 0xfffd)
            put(to, "\xef\xbf\xbd", 3); /* malformed bytes must not reach the terminal */
        else
            put(to, text.ptr + from, at - from);
    }
    if (cut) put(to, ellipsis, sizeof ellipsis - 1);
    return used + cut;
}

static void put_buf(void *to, const void *bytes, size_t len) { rf_buf_put(to, bytes, len); }
static void put_file(void *to, const void *bytes, size_t len) { (void)fwrite(bytes, 1, len, to); }

uint32_t cli_text_put(struct rf_buf *buf, rf_str text, uint32_t width)
{
    return put_text(put_buf, buf, text, width);
}
uint32_t cli_text_print(FILE *out, rf_str text, uint32_t width)
{
    return put_text(put_file, out, text, width);
}
