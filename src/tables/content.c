#include "tables/content.h"

#include <stdlib.h>

enum { CONTENT_BYTES_MAX = 4 << 20 };

/* Made by tools/embed. */
extern const uint8_t content_tables_tsv[], content_tables_tsv_end[];

struct content {
    struct rf_arena arena;
    struct table_def *tables;
    uint32_t count;
};

static int cmp_nocase(rf_str a, rf_str b)
{
    for (size_t i = 0; i < a.len && i < b.len; i++) {
        int d = rf_lower(a.ptr[i]) - rf_lower(b.ptr[i]);
        if (d != 0) return d;
    }
    return (a.len > b.len) - (a.len < b.len);
}

static enum rf_kind damaged(rf_str line, const char *why, struct rf_err *err)
{
    return RF_FAIL(err, RF_CORRUPT, "ContentDamaged", "the list of tables: %s in '%.*s'", why,
                   (int)RF_MIN(line.len, (size_t)60), (const char *)line.ptr);
}

/* What stands before the next `mark` in *rest, which is moved behind it. */
static rf_str cut(rf_str *rest, uint8_t mark)
{
    const uint8_t *at = rest->len == 0 ? NULL : memchr(rest->ptr, mark, rest->len);
    size_t len = at == NULL ? rest->len : (size_t)(at - rest->ptr);
    rf_str head = rf_slice(*rest, 0, len);
    *rest = rf_slice(*rest, at == NULL ? len : len + 1, rest->len);
    return head;
}

static uint32_t count_of(rf_str text, uint8_t mark)
{
    uint32_t count = 0;
    for (size_t i = 0; i < text.len; i++) count += text.ptr[i] == mark;
    return count;
}

static enum rf_kind parse_table(struct content *c, rf_str line, struct table_def *out,
                                struct rf_err *err)
{
    uint32_t count = count_of(line, '\t'), at = 0;
    struct table_column *columns = rf_arena_new(&c->arena, struct table_column, (size_t)count + 2);
    if (columns == NULL) return rf_fail_memory(err, &c->arena);
    rf_str rest = line, name = cut(&rest, '\t');
    if (name.len == 0 || count == 0) return damaged(line, "a line without a name or columns", err);
    while (rest.len > 0) {
        enum type type;
        rf_str text = cut(&rest, '\t'), column = cut(&text, ':');
        if (column.len == 0 || !type_parse(text, &type)) return damaged(line, "a bad column", err);
        columns[at++] = (struct table_column){column, (uint8_t)type, true};
    }
    columns[at++] = (struct table_column){RF_S("TenantId"), TYPE_STRING, true};
    columns[at++] = (struct table_column){RF_S("Type"), TYPE_STRING, true};
    *out = (struct table_def){.name = name,
                              .columns = columns,
                              .column_count = at,
                              .standard = true,
                              .retention_ticks = TABLE_RETENTION_DEFAULT};
    return RF_OK;
}

static enum rf_kind parse(struct content *c, rf_str text, struct rf_err *err)
{
    c->tables = rf_arena_new(&c->arena, struct table_def, (size_t)count_of(text, '\n') + 1);
    if (c->tables == NULL) return rf_fail_memory(err, &c->arena);
    while (text.len > 0) {
        rf_str line = cut(&text, '\n');
        if (line.len == 0) continue;
        RF_TRY(parse_table(c, line, &c->tables[c->count], err));
        if (c->count > 0 && cmp_nocase(c->tables[c->count - 1].name, c->tables[c->count].name) >= 0)
            return damaged(line, "a table out of order", err);
        c->count++;
    }
    return RF_OK;
}

enum rf_kind content_parse(rf_str text, struct content **out, struct rf_err *err)
{
    struct content *c = calloc(1, sizeof *c);
    if (c == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory for tables");
    rf_arena_init(&c->arena, CONTENT_BYTES_MAX);
    enum rf_kind kind = parse(c, text, err);
    if (kind != RF_OK) {
        content_free(c);
        return kind;
    }
    *out = c;
    return RF_OK;
}

enum rf_kind content_new(struct content **out, struct rf_err *err)
{
    size_t bytes = (uintptr_t)content_tables_tsv_end - (uintptr_t)content_tables_tsv;
    return content_parse(rf_str_make(content_tables_tsv, bytes), out, err);
}

void content_free(struct content *content)
{
    if (content == NULL) return;
    rf_arena_done(&content->arena);
    free(content);
}

const struct table_def *content_tables(const struct content *content, uint32_t *count)
{
    *count = content->count;
    return content->tables;
}

const struct table_def *content_find(const struct content *content, rf_str name)
{
    uint32_t from = 0, to = content->count;
    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        int d = cmp_nocase(name, content->tables[middle].name);
        if (d == 0) return &content->tables[middle];
        if (d < 0)
            to = middle;
        else
            from = middle + 1;
    }
    return NULL;
}
