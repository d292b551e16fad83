#include "store/reader_int.h"

static bool header_field(void *state, uint32_t number, rf_str value)
{
    return csv_header_add(state, number, value);
}

/* Makes `base` differ from the names before it by appending 1, 2 ... False on lack of memory. */
static bool header_unique(struct csv_header *header, rf_str base, rf_str *name)
{
    struct scan_keys *keys = &header->keys;
    *name = base;
    uint32_t known = scan_keys_find(keys, base, false);
    for (uint32_t n = known == 0 ? 0 : keys->items[known].column;
         scan_keys_find(keys, *name, false) != 0; n++) {
        *name = rf_arena_printf(header->arena, "%.*s%u", RF_FMT(base), n + 1);
        if (name->ptr == NULL) return false;
        keys->items[known].column = n + 1; /* so that many equal names do not count from 1 each */
    }
    uint32_t added = scan_keys_find(keys, *name, true);
    if (added == UINT32_MAX) return false;
    if (added != 0) keys->items[added].column = 0;
    return true;
}

/* An empty name becomes Column1, Column2 ... by its place. */
bool csv_header_add(struct csv_header *header, uint32_t number, rf_str value)
{
    if (number >= READER_COLUMNS_MAX) {
        header->too_many = true;
        return true;
    }
    if (header->cap == 0 && !scan_keys_init(&header->keys, header->arena)) return false;
    if (header->count == header->cap) {
        uint32_t cap = RF_MAX(header->cap * 2, 32u);
        rf_str *names = rf_arena_raw(header->arena, rf_str, cap);
        if (names == NULL) return false;
        if (header->count > 0) memcpy(names, header->names, header->count * sizeof *names);
        header->names = names;
        header->cap = cap;
    }
    rf_str name = rf_str_trim(value);
    if (name.len == 0)
        name = rf_arena_printf(header->arena, "Column%u", number + 1);
    else if (!rf_arena_str(header->arena, name, &name))
        return false;
    if (name.ptr == NULL) return false;
    return header_unique(header, name, &header->names[header->count++]);
}

enum row_step csv_header_read(struct scan_csv *csv, struct csv_header *header)
{
    uint32_t count;
    header->count = 0;
    header->cap = 0;
    enum row_step step = scan_csv_row(csv, header_field, header, &count);
    if (step == ROW_DONE && header->too_many) return ROW_TOO_MANY;
    return step;
}

/* ---- rows ---------------------------------------------------------------------------------------------- */

static bool match_columns(struct reader *reader, const rf_str *names, uint32_t count)
{
    reader->csv_sinks = rf_arena_raw(&reader->kept, uint32_t, RF_MAX(count, 1u));
    if (reader->csv_sinks == NULL) return false;
    struct scan_keys keys;
    if (!scan_keys_init(&keys, &reader->kept)) return false;
    for (uint32_t i = 0; i < reader->sink_count; i++) {
        uint32_t key = scan_keys_find(&keys, reader->sinks[i].name, true);
        if (key == UINT32_MAX) return false;
        keys.items[key].column = i;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t key = scan_keys_find(&keys, names[i], false);
        reader->csv_sinks[i] = key == 0 ? UINT32_MAX : keys.items[key].column;
    }
    reader->csv_field_count = count;
    return true;
}

static bool field(void *state, uint32_t number, rf_str value)
{
    struct reader *reader = state;
    if (RF_UNLIKELY(number >= reader->csv_field_count)) {
        reader->csv.reason = "the row has more fields than the header";
        return false;
    }
    uint32_t column = reader->csv_sinks[number];
    return column == UINT32_MAX || sink_put_text(reader, &reader->sinks[column], value);
}

/* False on lack of memory; *ready says that the header is known. */
static bool need_header(struct reader *reader, bool *ready)
{
    *ready = reader->csv_sinks != NULL;
    if (*ready) return true;
    if (reader->options.header != NULL) {
        *ready = true;
        return match_columns(reader, reader->options.header, reader->options.header_count);
    }
    struct csv_header header = {.arena = &reader->kept};
    switch (csv_header_read(&reader->csv, &header)) {
    case ROW_DONE:
        *ready = true;
        return match_columns(reader, header.names, header.count);
    case ROW_END:
        return true;
    case ROW_NO_MEMORY:
        return false;
    case ROW_BAD:
        reader_reject_row(reader, reader->csv.from, reader->csv.fault, reader->csv.reason);
        break;
    case ROW_TOO_MANY:
        reader_reject_row(reader, reader->csv.from, reader->csv.from,
                          "the header has more than 10,000 fields");
        break;
    }
    reader->csv.at = reader->csv.end; /* without a header no row means anything */
    return true;
}

bool reader_csv_rows(struct reader *reader)
{
    struct scan_csv *csv = &reader->csv;
    bool ready;
    if (!need_header(reader, &ready)) return false;
    while (ready && reader->row_count < reader->row_max) {
        uint32_t count;
        enum row_step step = scan_csv_row(csv, field, reader, &count);
        if (RF_LIKELY(step == ROW_DONE)) {
            if (!reader_end_row(reader, csv->from)) return false;
            continue;
        }
        if (step == ROW_NO_MEMORY) return false;
        if (step == ROW_END) {
            reader_undo_row(reader);
            break;
        }
        reader_reject_row(reader, csv->from, csv->fault, csv->reason);
        scan_csv_recover(csv);
    }
    return true;
}
