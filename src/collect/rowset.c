#include "collect/rowset.h"

#include "value/text.h"

struct json_out rowset_begin(struct rowset *rows, rf_str table)
{
    uint32_t i = 0;
    while (i < rows->table_count && !rf_str_eq(rows->tables[i].table, table)) i++;
    RF_ASSERT(i < ROWSET_TABLES_MAX);
    if (i == rows->table_count)
        rows->tables[rows->table_count++] =
            (struct rowset_table){.table = table, .lines = rf_buf_in(rows->arena)};
    rows->open = &rows->tables[i];
    struct json_out out = json_out_to(&rows->open->lines);
    json_begin_object(&out, NULL);
    return out;
}

void rowset_end(struct rowset *rows, struct json_out *out)
{
    RF_ASSERT(rows->open != NULL);
    json_end_object(out);
    rf_buf_byte(out->buf, '\n');
    rows->open->count++;
    rows->open = NULL;
}

void rowset_put_ticks(struct json_out *out, const char *name, int64_t ticks)
{
    json_put_text(out, name, RF_S(""));
    if (out->buf->failed) return;
    out->buf->len--; /* the closing quote: the time goes in front of it */
    text_put_datetime(out->buf, ticks);
    rf_buf_byte(out->buf, '"');
}

void rowset_put_time(struct json_out *out, const char *name, rf_usec time)
{
    rowset_put_ticks(out, name, DATETIME_UNIX_EPOCH + time * TICKS_PER_MICROSECOND);
}

bool rowset_failed(const struct rowset *rows)
{
    bool failed = false;
    for (uint32_t i = 0; i < rows->table_count; i++) failed |= rows->tables[i].lines.failed;
    return failed;
}

uint64_t rowset_count(const struct rowset *rows)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < rows->table_count; i++) count += rows->tables[i].count;
    return count;
}
