#include "cli/cli_options.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "value/text.h"

/* ---- help ------------------------------------------------------------------------------------------------ */

void cli_print_help(const struct cli_usage *usage)
{
    const char *words = usage->words == NULL ? "" : usage->words;
    printf("usage: ringfort %s [option...]%s%s\n\n%s\n", usage->command,
           words[0] == '\0' ? "" : " ", words, usage->doc);
    size_t width = strlen("help");
    for (size_t i = 0; i < usage->option_count; i++) {
        const struct cli_option *option = &usage->options[i];
        size_t len = strlen(option->name) + (option->value == NULL ? 0 : 1 + strlen(option->value));
        width = RF_MAX(width, len);
    }
    printf("\noptions:\n");
    for (size_t i = 0; i < usage->option_count; i++) {
        const struct cli_option *option = &usage->options[i];
        size_t len = strlen(option->name) + (option->value == NULL ? 0 : 1 + strlen(option->value));
        printf("  --%s%s%s%*s  %s\n", option->name, option->value == NULL ? "" : " ",
               option->value == NULL ? "" : option->value, (int)(width - len), "", option->doc);
    }
    printf("  --help%*s  this text\n", (int)(width - strlen("help")), "");
    if (usage->notes != NULL) printf("\n%s\n", usage->notes);
}

int cli_wrong(const struct cli_usage *usage, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fputs("ringfort: ", stderr);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fprintf(stderr, "\nringfort: 'ringfort %s --help' lists what it understands\n", usage->command);
    return CLI_WRONG_USE;
}

/* ---- the line ----------------------------------------------------------------------------------------------- */

struct names {
    const char *const *names;
};

static rf_str nth_name(const void *state, size_t index)
{
    return rf_str_of(((const struct names *)state)->names[index]);
}

const char *cli_nearest(const char *word, const char *const *names, size_t count)
{
    struct names state = {names};
    rf_str found;
    return rf_nearest(rf_str_of(word), count, nth_name, &state, &found);
}

static rf_str nth_option(const void *state, size_t index)
{
    return rf_str_of(((const struct cli_usage *)state)->options[index].name);
}

struct cli_line cli_line_of(const struct cli_usage *usage, int argc, char **argv)
{
    return (struct cli_line){.usage = usage, .argc = argc, .at = 1, .argv = argv};
}

static int unknown_option(const struct cli_usage *usage, rf_str name)
{
    rf_str near = {NULL, 0};
    for (size_t i = 0; i < usage->option_count && name.len >= 3; i++)
        if (rf_str_starts(rf_str_of(usage->options[i].name), name))
            near = rf_str_of(usage->options[i].name);
    if (near.ptr != NULL || rf_nearest(name, usage->option_count, nth_option, usage, &near) != NULL)
        (void)cli_wrong(usage, "unknown option --%.*s; did you mean --%.*s?", RF_FMT(name),
                        RF_FMT(near));
    else
        (void)cli_wrong(usage, "unknown option --%.*s", RF_FMT(name));
    return CLI_WRONG;
}

int cli_next(struct cli_line *line)
{
    if (line->at >= line->argc) return CLI_END;
    const char *word = line->argv[line->at++];
    line->value = word;
    if (line->only_words || word[0] != '-' || word[1] == '\0') return CLI_WORD;
    if (strcmp(word, "--") == 0) {
        line->only_words = true;
        return cli_next(line);
    }
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
        cli_print_help(line->usage);
        return CLI_HELP;
    }
    if (word[1] != '-') {
        (void)cli_wrong(line->usage, "unknown option %s; options are written --name", word);
        return CLI_WRONG;
    }
    const char *equals = strchr(word, '=');
    rf_str name =
        rf_str_make(word + 2, equals == NULL ? strlen(word + 2) : (size_t)(equals - word) - 2);
    for (size_t i = 0; i < line->usage->option_count; i++) {
        const struct cli_option *option = &line->usage->options[i];
        if (!rf_str_is(name, option->name)) continue;
        if (option->value == NULL && equals != NULL) {
            (void)cli_wrong(line->usage, "option --%s takes no value", option->name);
            return CLI_WRONG;
        }
        if (option->value != NULL && equals == NULL && line->at >= line->argc) {
            (void)cli_wrong(line->usage, "option --%s needs a value: --%s %s", option->name,
                            option->name, option->value);
            return CLI_WRONG;
        }
        line->value = option->value == NULL ? NULL
                      : equals != NULL      ? equals + 1
                                            : line->argv[line->at++];
        return (int)i;
    }
    return unknown_option(line->usage, name);
}

/* ---- values of options ------------------------------------------------------------------------------------------ */

bool cli_parse_bytes(const char *text, size_t *out)
{
    static const char units[] = "KMGT";
    size_t len = strlen(text), digits = 0;
    while (digits < len && (rf_is_digit((uint8_t)text[digits]) || text[digits] == '.')) digits++;
    double number, factor = 1;
    if (digits == 0 || !text_to_real(rf_str_make(text, digits), &number)) return false;
    const char *unit = text + digits;
    if (*unit != '\0' && *unit != 'B' && *unit != 'b') {
        const char *found = strchr(units, rf_upper((uint8_t)*unit));
        if (found == NULL) return false;
        for (const char *u = units; u <= found; u++) factor *= 1024;
        unit++;
        if (*unit == 'i') unit++;
    }
    if (*unit == 'B' || *unit == 'b') unit++;
    number *= factor;
    if (*unit != '\0' || !(number >= 1) || number > (double)(SIZE_MAX / 2)) return false;
    *out = (size_t)number;
    return true;
}

bool cli_parse_duration(rf_str text, int64_t *ticks)
{
    if (text.len < 3 || text.ptr[0] != 'P') return false;
    double total = 0;
    bool time = false, any = false;
    size_t at = 1;
    while (at < text.len) {
        if (text.ptr[at] == 'T') {
            if (time) return false;
            time = true;
            at++;
            continue;
        }
        size_t from = at;
        while (at < text.len && (rf_is_digit(text.ptr[at]) || text.ptr[at] == '.')) at++;
        double number;
        if (at == from || at == text.len || !text_to_real(rf_slice(text, from, at), &number))
            return false;
        switch (text.ptr[at++]) {
        case 'W':
            number *= time ? -1 : 7 * (double)TICKS_PER_DAY;
            break;
        case 'D':
            number *= time ? -1 : (double)TICKS_PER_DAY;
            break;
        case 'H':
            number *= time ? (double)TICKS_PER_HOUR : -1;
            break;
        case 'M':
            number *= time ? (double)TICKS_PER_MINUTE : -1;
            break;
        case 'S':
            number *= time ? (double)TICKS_PER_SECOND : -1;
            break;
        default:
            return false;
        }
        if (number < 0) return false;
        total += number;
        any = true;
    }
    if (!any || total > (double)DATETIME_MAX) return false;
    *ticks = (int64_t)total;
    return true;
}

bool cli_parse_timespan(rf_str text, int64_t now, int64_t *from, int64_t *to)
{
    size_t slash = rf_str_find(text, RF_S("/"), 0);
    int64_t duration;
    if (slash == SIZE_MAX) {
        if (!cli_parse_duration(text, &duration)) return false;
        *from = now - duration;
        *to = now;
        return true;
    }
    rf_str first = rf_slice(text, 0, slash), second = rf_slice(text, slash + 1, text.len);
    if (cli_parse_duration(first, &duration)) {
        if (!text_to_datetime(second, to)) return false;
        *from = *to - duration;
        return true;
    }
    if (!text_to_datetime(first, from)) return false;
    if (cli_parse_duration(second, &duration))
        *to = *from + duration;
    else if (!text_to_datetime(second, to))
        return false;
    return *from <= *to;
}
