#include "store/reader_int.h"

static bool field(void *state, uint32_t key, const struct scan_token *token)
{
    struct reader *reader = state;
    uint32_t column = reader->json.keys.items[key].column;
    return column == UINT32_MAX || sink_put_json(reader, &reader->sinks[column], token);
}

/* What stands between objects is passed before either way reads the next one: passing it again passes nothing. */
static enum row_step object_row(struct reader *reader)
{
    struct scan_json *json = &reader->json;
    const uint8_t *at;
    enum row_step step = scan_json_row_begin(json, &at);
    if (step != ROW_DONE) return step;
    if (reader->lines.nested != NULL) {
        enum line_step line = reader_object(reader);
        if (line == LINE_NO_MEMORY) return ROW_NO_MEMORY;
        if (RF_LIKELY(line == LINE_DONE)) {
            if (json->frame != SCAN_FRAME_STREAM) json->frame = SCAN_FRAME_NEXT;
            return ROW_DONE;
        }
        reader_forget_misfits(reader);
    }
    return scan_json_row(json, false, false, field, reader);
}

static bool rows(struct reader *reader)
{
    struct scan_json *json = &reader->json;
    while (reader->row_count < reader->row_max) {
        enum row_step step = object_row(reader);
        if (RF_LIKELY(step == ROW_DONE)) {
            if (!reader_end_row(reader, json->from)) return false;
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

/* Lines are counted as they are read. */
static bool line_rows(struct reader *reader)
{
    struct scan_json *json = &reader->json;
    struct text_place *place = &reader->place;
    while (reader->row_count < reader->row_max) {
        const uint8_t *from = json->at;
        enum line_step line = reader_line(reader);
        if (RF_LIKELY(line == LINE_DONE)) {
            if (!reader_end_row(reader, from)) return false;
            place->line += place->counted == from;
            if (place->counted == from) place->counted = json->at;
            continue;
        }
        if (line == LINE_NO_MEMORY) return false;
        reader_forget_misfits(reader);
        enum row_step step = scan_json_row(json, true, false, field, reader);
        if (step == ROW_NO_MEMORY) return false;
        if (step == ROW_END) {
            reader_undo_row(reader);
            break;
        }
        if (step == ROW_BAD) {
            reader_reject_row(reader, json->from, json->fault, json->reason);
            scan_json_recover(json);
        }
        if (step == ROW_DONE && !reader_end_row(reader, json->from)) return false;
        if (place->counted == NULL) continue;
        place->line += scan_count_lines(place->counted, json->at);
        place->counted = json->at;
    }
    return true;
}

bool reader_json_rows(struct reader *reader)
{
    return reader->json.lines ? line_rows(reader) : rows(reader);
}
