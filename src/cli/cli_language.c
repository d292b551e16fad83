#include "cli/cli_language.h"

#include <stdlib.h>

#include "kql/aggr.h"
#include "kql/parse.h"
#include "kql/plugin.h"
#include "kql/special.h"
#include "value/dyn.h"

/* One name, whatever registry it comes from: it has signatures or a syntax. */
struct word {
    const char *name, *doc, *syntax;
    const struct func *func;
    const struct aggr *aggr;
};
struct chapter {
    const char *key, *title;
    size_t (*count)(void);
    bool (*at)(size_t index, struct word *out); /* false: not listed */
};

static bool function_word(size_t index, struct word *out)
{
    const struct func *f = func_at(index);
    *out = (struct word){.name = f->name, .doc = f->doc, .func = f};
    return (f->flags & FUNC_HIDDEN) == 0 && (rf_is_alpha((uint8_t)f->name[0]) || f->name[0] == '_');
}
static bool aggregation_word(size_t index, struct word *out)
{
    const struct aggr *a = aggr_at(index);
    *out = (struct word){.name = a->name, .doc = a->doc, .aggr = a};
    return (a->flags & FUNC_HIDDEN) == 0;
}
static bool operator_word(size_t index, struct word *out)
{
    const struct operator* op = operator_at(index);
    *out = (struct word){.name = op->name, .doc = op->doc, .syntax = op->syntax};
    return !op->hidden;
}
static bool plugin_word(size_t index, struct word *out)
{
    const struct plugin *p = plugin_at(index);
    *out = (struct word){.name = p->name, .doc = p->doc, .syntax = p->syntax};
    return true;
}
static bool special_word(size_t index, struct word *out)
{
    const struct special *s = special_at(index);
    *out = (struct word){.name = s->name, .doc = s->doc, .syntax = s->syntax};
    return true;
}

static const struct chapter chapters[] = {
    {"functions", "Scalar functions", func_count, function_word},
    {"specials", "Special functions", special_count, special_word},
    {"aggregations", "Aggregation functions", aggr_count, aggregation_word},
    {"operators", "Tabular operators", operator_count, operator_word},
    {"plugins", "Plugins", plugin_count, plugin_word},
};

/* Words of the grammar that are in no registry. */
static const char *const keywords[] = {
    "access",     "alias",    "and",        "as",          "asc",          "between",
    "bool",       "by",       "database",   "datatable",   "datetime",     "decimal",
    "declare",    "default",  "desc",       "dynamic",     "externaldata", "false",
    "first",      "from",     "granny-asc", "granny-desc", "guid",         "in",
    "int",        "kind",     "last",       "let",         "long",         "nulls",
    "of",         "on",       "or",         "others",      "pattern",      "query_parameters",
    "real",       "restrict", "set",        "step",        "string",       "timespan",
    "to",         "true",     "typeof",     "view",        "with",         "withsource",
    "with_source"};

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct word *)a)->name, ((const struct word *)b)->name);
}

/* The listed words of a chapter, in order; the caller frees them. NULL: no memory. */
static struct word *chapter_words(const struct chapter *chapter, size_t *count)
{
    size_t all = chapter->count(), shown = 0;
    struct word *words = calloc(all + 1, sizeof *words);
    if (words == NULL) return NULL;
    for (size_t i = 0; i < all; i++)
        if (chapter->at(i, &words[shown])) shown++;
    qsort(words, shown, sizeof *words, by_name);
    *count = shown;
    return words;
}

static void put_text(struct rf_buf *out, const char *key, const char *text)
{
    rf_buf_printf(out, "\"%s\":", key);
    json_put_string(out, rf_str_of(text == NULL ? "" : text));
}

static void put_signatures(struct rf_buf *out, const struct word *word)
{
    rf_buf_printf(out, "\"signatures\":[");
    for (size_t i = 0;; i++) {
        const char *sig = word->func != NULL ? word->func->sigs[i].sig : word->aggr->sigs[i];
        if (sig == NULL) break;
        if (i > 0) rf_buf_byte(out, ',');
        json_put_string(out, rf_str_of(sig));
    }
    rf_buf_byte(out, ']');
}

bool cli_language_json(struct rf_buf *out)
{
    rf_buf_byte(out, '{');
    for (size_t c = 0; c < RF_COUNT(chapters); c++) {
        size_t count = 0;
        struct word *words = chapter_words(&chapters[c], &count);
        if (words == NULL) return false;
        rf_buf_printf(out, "%s\"%s\":[", c > 0 ? "," : "", chapters[c].key);
        for (size_t i = 0; i < count; i++) {
            rf_buf_printf(out, "%s\n{", i > 0 ? "," : "");
            put_text(out, "name", words[i].name);
            rf_buf_byte(out, ',');
            put_text(out, "doc", words[i].doc);
            rf_buf_byte(out, ',');
            if (words[i].func != NULL || words[i].aggr != NULL)
                put_signatures(out, &words[i]);
            else
                put_text(out, "syntax", words[i].syntax);
            rf_buf_byte(out, '}');
        }
        rf_buf_byte(out, ']');
        free(words);
    }
    rf_buf_printf(out, ",\"keywords\":[");
    for (size_t i = 0; i < RF_COUNT(keywords); i++) {
        if (i > 0) rf_buf_byte(out, ',');
        json_put_string(out, rf_str_of(keywords[i]));
    }
    rf_buf_printf(out, "]}\n");
    return !out->failed;
}

/* A cell of a table: a bar would end it. */
static void put_cell(struct rf_buf *out, const char *text)
{
    for (; text != NULL && *text != '\0'; text++) {
        if (*text == '|') rf_buf_byte(out, '\\');
        rf_buf_byte(out, (uint8_t)*text);
    }
}

bool cli_language_markdown(struct rf_buf *out)
{
    for (size_t c = 0; c < RF_COUNT(chapters); c++) {
        size_t count = 0;
        struct word *words = chapter_words(&chapters[c], &count);
        if (words == NULL) return false;
        rf_buf_printf(out, "%s### %s (%zu)\n\n| name | what it does | form |\n|---|---|---|\n",
                      c > 0 ? "\n" : "", chapters[c].title, count);
        for (size_t i = 0; i < count; i++) {
            const struct word *w = &words[i];
            const char *form = w->func != NULL   ? w->func->sigs[0].sig
                               : w->aggr != NULL ? w->aggr->sigs[0]
                                                 : w->syntax;
            rf_buf_printf(out, "| `%s` | ", w->name);
            put_cell(out, w->doc);
            rf_buf_printf(out, " | `");
            put_cell(out, form);
            rf_buf_printf(out, "` |\n");
        }
        free(words);
    }
    return !out->failed;
}
