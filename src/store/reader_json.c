#include "store/reader_int.h"

static bool field(void *state, uint32_t key, const struct scan_token *token)
{
    struct reader *reader = state;
    uint32_t column = reader->json.keys.items[key].column;
    return column == UINT32_MAX || sink_put_json(reader, &reader->sinks[column], token);
}

__attribute__((always_inline)) static inline bool rows(struct reader *reader, bool lines)
{
    struct scan_json *json = &reader->json;
    while (reader->row_count < reader->row_max) {
        enum row_step step = scan_json_row(json, lines, false, field, reader);
        if (RF_LIKELY(step == ROW_DONE)) {
            reader->row_count++;
            continue;
        }
        if (step == ROW_NO_MEMORY) return false;
        if (step == ROW_END) {
            reader_undo_row(reader); /* a row that is not whole yet comes again */
            break;
        }
        reader_reject_row(reader, json->from, json->fault, json->reason);
        scan_json_recover(json);
    }
    return true;
}

bool reader_json_rows(struct reader *reader)
{
    return reader->json.lines ? rows(reader, true) : rows(reader, false);
}
