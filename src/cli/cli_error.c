#include <stdarg.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/pool.h"
#include "cli/cli.h"
#include "cli/cli_text.h"

enum {
    QUOTE_WIDTH = 100,
    QUOTE_BEFORE = 60
}; /* columns of a quoted line, and how many before the place at fault */

void cli_say(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fputs("ringfort: ", stderr);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    va_end(args);
}

static rf_str nth_line(rf_str text, uint32_t line)
{
    size_t from = 0;
    for (uint32_t n = 1; n < line && from < text.len; n++) {
        const uint8_t *end = memchr(text.ptr + from, '\n', text.len - from);
        if (end == NULL) return (rf_str){NULL, 0};
        from = (size_t)(end - text.ptr) + 1;
    }
    const uint8_t *end = from < text.len ? memchr(text.ptr + from, '\n', text.len - from) : NULL;
    size_t to = end == NULL ? text.len : (size_t)(end - text.ptr);
    if (to > from && text.ptr[to - 1] == '\r') to--;
    return rf_slice(text, from, to);
}

/* Byte offset of a column that counts characters. */
static size_t column_offset(rf_str line, uint32_t column)
{
    size_t at = 0;
    for (uint32_t n = 1; n < column && at < line.len; n++) (void)rf_utf8_next(line, &at);
    return at;
}

/* The line with a caret under the place; of a long line just the surroundings. */
static void quote_line(rf_str line, uint32_t column)
{
    size_t fault = column_offset(line, column), from = fault;
    uint32_t before = 0;
    while (from > 0 && before < QUOTE_BEFORE) {
        size_t to = from--;
        while (from > 0 && (line.ptr[from] & 0xc0) == 0x80) from--;
        before += cli_text_width(rf_slice(line, from, to));
    }
    fputs("  ", stderr);
    (void)cli_text_print(stderr, rf_slice(line, from, line.len), QUOTE_WIDTH);
    fprintf(stderr, "\n  %*s^\n", (int)before, "");
}

int cli_say_error(const struct rf_err *err, rf_str text, const char *origin)
{
    fputs("ringfort: ", stderr);
    if (origin != NULL) fprintf(stderr, "%s: ", origin);
    if (err->line > 0) fprintf(stderr, "line %u, column %u: ", err->line, err->column);
    rf_str message = rf_str_of(err->text);
    (void)cli_text_print(stderr, message, UINT32_MAX);
    fputc('\n', stderr);
    if (err->line > 0 && text.len > 0) {
        rf_str line = nth_line(text, err->line);
        if (line.len > 0 && err->column > 0) quote_line(line, err->column);
    }
    return CLI_FAILED;
}

bool cli_is_terminal(FILE *stream) { return isatty(fileno(stream)) == 1; }

bool cli_has_colour(FILE *stream)
{
    const char *none = getenv("NO_COLOR"), *term = getenv("TERM");
    if (none != NULL && none[0] != '\0') return false;
    return cli_is_terminal(stream) && term != NULL && strcmp(term, "dumb") != 0;
}

uint32_t cli_width(FILE *stream)
{
    struct winsize size;
    if (ioctl(fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
    const char *columns = getenv("COLUMNS");
    long width = columns == NULL ? 0 : strtol(columns, NULL, 10);
    return width >= 20 && width <= 10000 ? (uint32_t)width : 80;
}

uint32_t cli_workers(void) { return RF_MIN(pool_processors(), 64u); }
