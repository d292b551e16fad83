/* The first line is a stream declaration, the second a transformation, the rest the body of an ingestion call. */
#include "logs/ingest_int.h"
#include "test/rf_fuzz.h"

static rf_str line(rf_str *rest)
{
    size_t end = rf_str_find(*rest, RF_S("\n"), 0);
    rf_str head = rf_slice(*rest, 0, end == SIZE_MAX ? rest->len : end);
    *rest = rf_slice(*rest, end == SIZE_MAX ? rest->len : end + 1, rest->len);
    return head;
}

/* Every cell of every batch can be read. */
static uint64_t look(const struct batch *batches, uint32_t count)
{
    uint64_t sum = 0;
    for (uint32_t b = 0; b < count; b++)
        for (uint32_t i = 0; i < batches[b].column_count; i++)
            for (uint32_t row = 0; row < batches[b].row_count; row++) {
                struct value v = vec_value(&batches[b].columns[i], row);
                sum = rf_hash_mix(sum, value_hash(&v));
                if (v.type == TYPE_STRING) RF_ASSERT(v.s.len <= INGEST_TEXT_BYTES_MAX);
            }
    return sum;
}

static void fit(const struct rule_stream *stream, const struct kept_rows *rows,
                struct rf_arena *arena)
{
    static const struct table_column columns[] = {
        {{(const uint8_t *)"TimeGenerated", 13}, TYPE_DATETIME, true},
        {{(const uint8_t *)"A", 1}, TYPE_GUID, false},
        {{(const uint8_t *)"B", 1}, TYPE_REAL, false},
        {{(const uint8_t *)"C", 1}, TYPE_STRING, false},
        {{(const uint8_t *)"TenantId", 8}, TYPE_STRING, true},
        {{(const uint8_t *)"Type", 4}, TYPE_STRING, true}};
    struct table_def def = {
        .name = RF_S("T_CL"), .columns = columns, .column_count = RF_COUNT(columns)};
    struct column *names = rf_arena_new(arena, struct column, stream->column_count);
    struct schema schema = {.columns = names, .count = stream->column_count}, out;
    struct batch *batches;
    if (names == NULL) return;
    for (uint32_t i = 0; i < stream->column_count; i++)
        names[i] =
            (struct column){.name = stream->columns[i].name, .type = stream->columns[i].type};
    if (ingest_fit(&def, &schema, rows->batches, rows->count, arena, &out, &batches, NULL) == RF_OK)
        (void)look(batches, rows->count);
}

RF_FUZZ(ingest, text)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct rf_budget budget;
    struct rule_stream stream = {.name = RF_S("Custom-Fuzz")};
    struct reader *reader = NULL;
    struct json_node *declaration;
    struct kept_rows rows;
    struct rf_err err;
    rf_budget_init(&budget, 64 << 20);
    rf_arena_init_shared(&arena, &budget);
    rf_str first = line(&text), kql = line(&text);
    (void)transform_check(kql, &err);
    if (json_parse(first, &arena, &declaration, &err) != RF_OK) return;
    if (rule_read_columns(declaration, &arena, &stream, &err) != RF_OK) return;
    if (ingest_read(&stream, text, &budget, &arena, &reader, &rows, &err) != RF_OK) return;
    (void)look(rows.batches, rows.count);
    fit(&stream, &rows, &arena);
    reader_free(reader);
}
