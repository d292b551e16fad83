#include "cli/cli_vault_unit.h"

#include <limits.h>
#include <unistd.h>

rf_str cli_unit_program(struct rf_arena *arena)
{
    char path[PATH_MAX];
    rf_str out;
    ssize_t len = readlink("/proc/self/exe", path, sizeof path);
    if (len > 0 && len < (ssize_t)sizeof path &&
        rf_arena_str(arena, rf_str_make(path, (size_t)len), &out))
        return out;
    return RF_S("/usr/bin/ringfort");
}

static bool is_plain(uint8_t c)
{
    return rf_is_alnum(c) || (c != '\0' && strchr("-_./:,=+@", c) != NULL);
}

/* systemd.service(5), "Command lines". */
void cli_unit_word(struct rf_buf *buf, const char *word)
{
    bool quoted = word[0] == '\0';
    for (const char *c = word; *c != '\0'; c++) quoted |= !is_plain((uint8_t)*c);
    rf_buf_byte(buf, ' ');
    if (quoted) rf_buf_byte(buf, '"');
    for (const char *c = word; *c != '\0'; c++) {
        if (*c == '%' || *c == '$') rf_buf_byte(buf, (uint8_t)*c);
        if (*c == '"' || *c == '\\') rf_buf_byte(buf, '\\');
        if (*c == '\n') {
            rf_buf_str(buf, RF_S("\\n"));
            continue;
        }
        rf_buf_byte(buf, (uint8_t)*c);
    }
    if (quoted) rf_buf_byte(buf, '"');
}
