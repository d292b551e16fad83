/* reader_int.h - what the files of the reader share: columns being filled, and conversion of one field. */
#ifndef RF_READER_INT_H
#define RF_READER_INT_H

#include "store/reader.h"
#include "store/reader_lines.h"

enum { SINK_GUESSES = 256, SINK_WAITING = 64 };

/* Distinct values of a column, kept over batches. Code 0 is the missing value: "" or null. A dynamic is found by its
 * JSON text, so that an object that repeats is parsed once. */
struct sink_dict {
    rf_str *keys;   /* text as looked up */
    rf_str *values; /* cells; the same array as keys for strings */
    uint8_t *nulls; /* dynamic only; nulls[0] is 1 */
    uint32_t *hashes;
    uint64_t *slots; /* hash << 32 | code, 0 when free; slot_count is a power of two */
    /* Dynamic only: per entry the marks that its text has, 0 when not known; and the code that a text with such a beginning
     * had last. */
    uint32_t *marks, *guesses;
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
    /* By row % SINK_WAITING: texts of the last rows whose codes are still to be looked up; ptr is NULL where there is none.
     * Only columns of strings that are filled by code have it. */
    rf_str *waiting;
    struct sink_dict *dict; /* NULL: this type has none, or it was given up */
    uint32_t flat_batches;  /* batches to go before a dictionary is tried again */
    uint32_t failures;      /* dictionaries that grew too large */
    struct dyn_shape shape;
    /* A value of the row being read that did not fit; counted when the row is whole and the null is what is left. */
    bool misfit;
    rf_str misfit_text;
    struct sink *next_misfit;
    struct reader_misfits misfits; /* of the batch */
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
    struct sink *misfits;        /* those with one in the row being read */
    bool has_misfits;            /* in the batch */
    uint32_t row_count, row_max; /* of the batch being filled */
    struct text_place place;
    const uint8_t *piece_end; /* of the fed text, rest included */
    struct scan_json json;
    struct line_window lines;
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
/* Like a hash of the text, for tables that bound the steps of a search; reads nothing beyond it. */
static inline uint32_t sink_hash(rf_str key)
{
    const uint64_t k = UINT64_C(0x9e3779b97f4a7c15), l = UINT64_C(0xd6e8feb86659fd93);
    const uint8_t *p = key.ptr, *end = p + key.len;
    uint64_t h = key.len * k, a, b;
    for (; end - p > 16; p += 16) {
        unsigned __int128 m =
            (unsigned __int128)(rf_get_u64le(p) ^ h ^ l) * (rf_get_u64le(p + 8) ^ k);
        h = (uint64_t)m ^ (uint64_t)(m >> 64);
    }
    if (key.len >= 16) {
        a = rf_get_u64le(end - 16);
        b = rf_get_u64le(end - 8);
    } else if (key.len >= 8) {
        a = rf_get_u64le(key.ptr);
        b = rf_get_u64le(end - 8);
    } else if (key.len >= 4) {
        a = rf_get_u32le(key.ptr);
        b = rf_get_u32le(end - 4);
    } else {
        a = key.ptr[0];
        b = (uint64_t)key.ptr[key.len / 2] << 8 | end[-1];
    }
    unsigned __int128 m = (unsigned __int128)(a ^ h ^ l) * (b ^ k);
    h = (uint64_t)m ^ (uint64_t)(m >> 64);
    return (uint32_t)(h ^ h >> 32);
}

/* rf_str_eq of texts of equal length without a call; reads nothing beyond them. */
static inline bool sink_same(const uint8_t *a, const uint8_t *b, size_t len)
{
    if (len >= 16) {
        uint64_t differ = 0;
        for (size_t at = 0;; at = RF_MIN(at + 16, len - 16)) {
            differ = (rf_get_u64le(a + at) ^ rf_get_u64le(b + at)) |
                     (rf_get_u64le(a + at + 8) ^ rf_get_u64le(b + at + 8));
            if (differ != 0 || at == len - 16) return differ == 0;
        }
    }
    if (len >= 8)
        return ((rf_get_u64le(a) ^ rf_get_u64le(b)) |
                (rf_get_u64le(a + len - 8) ^ rf_get_u64le(b + len - 8))) == 0;
    if (len >= 4)
        return ((rf_get_u32le(a) ^ rf_get_u32le(b)) |
                (rf_get_u32le(a + len - 4) ^ rf_get_u32le(b + len - 4))) == 0;
    return len == 0 || (a[0] == b[0] && a[len / 2] == b[len / 2] && a[len - 1] == b[len - 1]);
}

enum sink_added { SINK_ADDED, SINK_NO_MEMORY, SINK_DICT_FULL };
/* Adds a value that sink_dict_find did not know. `value` is NULL for strings. */
enum sink_added sink_dict_add(struct reader *reader, struct sink *sink, rf_str key,
                              const rf_str *value, uint32_t hash, uint32_t *code);

/* The code of `key` in the sink's dictionary; UINT32_MAX when it is new, or too many others have to be passed to find it. */
static inline uint32_t sink_dict_find_hash(const struct sink_dict *dict, rf_str key, uint32_t hash)
{
    enum {
        STEPS_MAX = 64
    }; /* of a table at most half full: only a sender who wants it gets there */
    uint32_t mask = dict->slot_count - 1, at = hash & mask;
    for (uint32_t step = 0; step < STEPS_MAX; step++, at = (at + 1) & mask) {
        uint64_t slot = dict->slots[at];
        if (slot == 0) break;
        if (slot >> 32 != hash) continue;
        rf_str known = dict->keys[(uint32_t)slot];
        if (known.len == key.len && sink_same(known.ptr, key.ptr, key.len)) return (uint32_t)slot;
    }
    return UINT32_MAX;
}

/* The same where a row follows another: *hash is set when the code is UINT32_MAX. */
static inline uint32_t sink_dict_find(struct sink *sink, rf_str key, uint32_t *hash)
{
    struct sink_dict *dict = sink->dict;
    if (key.len == 0) return 0;
    /* Neighbouring rows often agree: one comparison instead of a hash. */
    rf_str last = dict->keys[dict->last];
    if (last.len == key.len && sink_same(last.ptr, key.ptr, key.len)) return dict->last;
    *hash = sink_hash(key);
    uint32_t code = sink_dict_find_hash(dict, key, *hash);
    if (code != UINT32_MAX) dict->last = code;
    return code;
}

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
    if (sink->waiting != NULL) sink->waiting[row % SINK_WAITING].ptr = NULL;
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
/* A null in place of a value that is none of the column's type. */
static inline void sink_put_misfit(struct reader *reader, struct sink *sink, rf_str text)
{
    sink_put_null(sink, reader->row_count);
    if (text.len == 0) return;
    sink->misfit_text = text;
    if (sink->misfit) return;
    sink->misfit = true;
    sink->next_misfit = reader->misfits;
    reader->misfits = sink;
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

/* Puts a text into a column of strings. It must last until the batch is read, or, in a column that is filled by code, lie in
 * lines.unescaped. */
static inline void sink_put_string(struct sink *sink, uint32_t row, rf_str s)
{
    if (!sink->by_code) {
        sink_put_bytes(sink, row, s);
        return;
    }
    sink_reach(sink, row);
    sink->waiting[row % SINK_WAITING] = s;
    sink->codes[row] = 0;
}
/* Looks up the codes of all texts that wait. False on lack of memory. */
bool reader_look_up(struct reader *reader);
void reader_count_misfits(struct reader *reader, const uint8_t *from);
void reader_forget_misfits(struct reader *reader);
/* The row that begins at `from` is whole. */
static inline bool reader_end_row(struct reader *reader, const uint8_t *from)
{
    if (RF_UNLIKELY(reader->misfits != NULL)) reader_count_misfits(reader, from);
    return ++reader->row_count % SINK_WAITING != 0 || reader_look_up(reader);
}
bool sink_put_datetime(struct reader *reader, struct sink *sink, rf_str text);
/* A dynamic whose JSON text is `raw` and whose encoding is `encoded`, neither empty nor null. */
bool sink_put_encoded(struct reader *reader, struct sink *sink, rf_str raw, rf_str encoded);

/* Rows of the formats: fill reader->row_count rows at most up to row_max. False on lack of memory. */
bool reader_json_rows(struct reader *reader);
/* Reads the row at json.at, which begins a line, when it has the usual form. */
enum line_step reader_line(struct reader *reader);
/* The same for the object at json.at, whatever follows it; lines.nested is there. */
enum line_step reader_object(struct reader *reader);
bool reader_csv_rows(struct reader *reader);
void reader_reject_row(struct reader *reader, const uint8_t *from, const uint8_t *fault,
                       const char *reason);
/* Forgets what a row that is being left out has put into the columns. */
void reader_undo_row(struct reader *reader);

#endif
