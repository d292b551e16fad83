/* reader_int.h - what the files of the reader share: columns being filled, and conversion of one field. */
#ifndef RF_READER_INT_H
#define RF_READER_INT_H

#include "store/reader.h"
#include "store/reader_scan.h"

/* Distinct values of a column, kept over batches. Code 0 is the missing value: "" or null. A dynamic is found by its
 * JSON text, so that an object that repeats is parsed once. */
struct sink_dict {
    rf_str *keys;   /* text as looked up */
    rf_str *values; /* cells; the same array as keys for strings */
    uint8_t *nulls; /* dynamic only; nulls[0] is 1 */
    uint32_t *hashes;
    uint32_t *slots; /* code, 0 when free; slot_count is a power of two */
    uint32_t slot_count, count, cap;
    size_t bytes;
    uint32_t last;  /* code of the row before */
    uint32_t shown; /* entries when `id` was drawn */
    uint64_t id;
};

/* A wanted column while a batch is being filled. Cells of rows below `filled` are set; those of rows that had no
 * such field are filled when the next one has, or at the end. */
struct sink {
    rf_str name;
    uint8_t type;
    bool has_null;
    bool by_code; /* codes are being filled, not cells */
    uint32_t filled;
    uint8_t *data, *nulls;
    uint32_t *codes;
    struct sink_dict *dict; /* NULL: this type has none, or it was given up */
    uint32_t flat_batches;  /* batches to go before a dictionary is tried again */
    uint32_t failures;      /* dictionaries that grew too large */
};

struct reader {
    struct reader_options options;
    struct rf_arena kept;  /* sinks and dictionaries */
    struct rf_arena batch; /* bytes of the present batch */
    struct rf_arena scratch;
    struct rf_buf encode; /* in scratch */
    struct sink *sinks;
    struct vec *vecs;
    uint32_t sink_count;
    uint32_t row_count, row_max; /* of the batch being filled */
    struct text_place place;
    const uint8_t *piece_end; /* of the fed text, rest included */
    struct scan_json json;
    struct scan_csv csv;
    uint32_t *
        csv_sinks; /* field number to sink, UINT32_MAX when not wanted; NULL until the header is known */
    uint32_t csv_field_count;
    struct reader_counts counts;
};

/* The first row of a CSV. */
struct csv_header {
    struct rf_arena *arena;
    rf_str *names; /* unique */
    uint32_t count, cap;
    struct scan_keys keys; /* the names; column is the next number to append */
    bool too_many;
};
bool csv_header_add(struct csv_header *header, uint32_t number, rf_str value);
enum row_step csv_header_read(struct scan_csv *csv, struct csv_header *header);

/* All are false on lack of memory only. The row is reader->row_count. */
bool sink_put_json(struct reader *reader, struct sink *sink, const struct scan_token *token);
bool sink_put_text(struct reader *reader, struct sink *sink, rf_str text); /* a CSV field */
/* The code of `key` in the sink's dictionary; UINT32_MAX when it is new. */
uint32_t sink_dict_find(struct sink *sink, rf_str key, uint32_t *hash);

enum sink_added { SINK_ADDED, SINK_NO_MEMORY, SINK_DICT_FULL };
/* Adds a value that sink_dict_find did not know. `value` is NULL for strings. */
enum sink_added sink_dict_add(struct reader *reader, struct sink *sink, rf_str key,
                              const rf_str *value, uint32_t hash, uint32_t *code);
/* Gives up the dictionary: the batch's codes become cells. */
bool sink_flatten(struct reader *reader, struct sink *sink);
/* Makes the rows before `row` valid that had no such field. */
void sink_fill_gap(struct sink *sink, uint32_t row);

static inline void sink_reach(struct sink *sink, uint32_t row)
{
    if (RF_UNLIKELY(sink->filled < row)) sink_fill_gap(sink, row);
    sink->filled = row + 1;
}
static inline void sink_put_code(struct sink *sink, uint32_t row, uint32_t code)
{
    sink_reach(sink, row);
    sink->codes[row] = code;
}
static inline void sink_put_null(struct sink *sink, uint32_t row)
{
    if (sink->by_code) {
        sink_put_code(sink, row, 0);
        return;
    }
    sink_reach(sink, row);
    memset(sink->data + (size_t)row * type_cell_bytes[sink->type], 0, type_cell_bytes[sink->type]);
    sink->nulls[row] = sink->type != TYPE_STRING;
    sink->has_null |= sink->type != TYPE_STRING;
}
/* Sets a cell of a column that is not filled by code. */
static inline void sink_put_i64(struct sink *sink, uint32_t row, int64_t i)
{
    sink_reach(sink, row);
    ((int64_t *)(void *)sink->data)[row] = i;
    sink->nulls[row] = 0;
}
static inline void sink_put_bytes(struct sink *sink, uint32_t row, rf_str s)
{
    sink_reach(sink, row);
    ((rf_str *)(void *)sink->data)[row] = s;
    sink->nulls[row] = 0;
}

/* Rows of the formats: fill reader->row_count rows at most up to row_max. False on lack of memory. */
bool reader_json_rows(struct reader *reader);
bool reader_csv_rows(struct reader *reader);
void reader_reject_row(struct reader *reader, const uint8_t *from, const uint8_t *fault,
                       const char *reason);
/* Forgets what a row that is being left out has put into the columns. */
void reader_undo_row(struct reader *reader);

#endif
