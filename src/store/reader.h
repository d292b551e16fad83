/* reader.h - rows of text (JSON lines, JSON arrays, CSV) to batches of typed columns.
 *
 * A reader parses only the columns it was asked for, straight into vectors: there is no row object, and a
 * value tree only inside `dynamic`. It knows no files: text is fed to it in pieces that start at a row.
 * reader_stream.h feeds it from a file.
 *
 * Rows that break the format's rules are left out and told to `reject` with line, offset and reason; JSON
 * is strict (RFC 8259, UTF-8 checked, nesting at most DYN_DEPTH_MAX). A field that is missing is null or
 * empty; one whose JSON type does not fit the column is converted as KQL's to*() does, and counted when that gives null. A key that comes
 * twice in a row: the last one counts. CSV is RFC 4180 with a header; a field may hold line ends when quoted;
 * an empty field is an empty string or null; a row with more fields than the header is rejected.
 *
 * String columns whose values repeat come as VEC_DICT with a dictionary that lasts over batches; one that
 * keeps growing comes flat, as views of the fed text. Everything in a batch lives until the next
 * reader_next or reader_feed. One thread at a time; several readers may run side by side. */
#ifndef RF_READER_H
#define RF_READER_H

#include "value/value.h"

enum reader_format {
    READER_JSON_LINES, /* one object a line */
    READER_JSON_VALUES, /* [{..}, {..}] or objects one after another, over as many lines as they like */
    READER_CSV
};
enum { READER_COLUMNS_MAX = 10000, READER_ROW_BYTES_MAX = 64 << 20 };

struct reader_column {
    rf_str name;
    uint8_t type; /* enum type */
};

/* A row that was left out. */
struct reader_reject {
    uint64_t line;   /* 1-based, where the row begins */
    uint64_t offset; /* of the byte at fault, from the start of the text */
    const char *reason;
    rf_str text; /* the row, or what was seen of it */
};

struct reader_options {
    enum reader_format format;
    char delimiter;                      /* CSV; 0 means ',' */
    const struct reader_column *columns; /* those wanted; borrowed for the reader's life */
    uint32_t column_count;
    /* CSV: names of the fields in file order. NULL: the text begins with a header row. */
    const rf_str *header;
    uint32_t header_count;
    /* Text that holds a JSON object or array becomes that value in a dynamic column, as todynamic() does;
     * for types that a schema gave. Without it a JSON string stays a string. CSV always converts. */
    bool dynamic_from_text;
    /* The fed text may be written to: while reader_next runs a byte of it changes now and then, and is as it was afterwards. It lets
     * the objects of an array be read as fast as lines. */
    bool own_text;
    uint32_t batch_rows;      /* at most BATCH_ROWS; 0 means that */
    struct rf_budget *budget; /* pays for everything the reader allocates */
    atomic_uint_fast64_t
        *dict_ids; /* numbers for vec.dict_id are drawn here; NULL: dict_id stays 0 */
    /* A dictionary keeps its number while entries are added to it; those that were there stay as they are. For who keeps
     * results per entry, not per dictionary. */
    bool dicts_grow;
    void (*reject)(void *state, const struct reader_reject *reject); /* NULL: told nobody */
    void *reject_state;
};

struct reader;

/* Errors: RF_LIMIT TooManyColumns, MemoryBudgetExceeded. */
RF_MUST_USE enum rf_kind reader_new(const struct reader_options *options, struct reader **out,
                                    struct rf_err *err);
void reader_free(struct reader *reader);

/* Gives the next piece of text: what reader_rest() left of the piece before, then what follows. `last` says that
 * nothing follows, so that the end is a row's end. `text` is borrowed until the next feed. */
void reader_feed(struct reader *reader, rf_str text, bool last);
/* The next batch; row_count 0 when the text holds no further whole row. */
RF_MUST_USE enum rf_kind reader_next(struct reader *reader, struct batch *out, struct rf_err *err);
/* The end of the fed text that is not a whole row yet. */
rf_str reader_rest(const struct reader *reader);
/* What reader_rest() gives is the start of a row that is longer than READER_ROW_BYTES_MAX: rejects it. The
 * next feed begins behind that row. */
void reader_skip_row(struct reader *reader);
/* That many bytes of the skipped row, its line end included, are never fed. */
void reader_pass(struct reader *reader, uint64_t bytes);

struct reader_counts {
    uint64_t rows, rejected, bytes;
};
struct reader_counts reader_counts(const struct reader *reader);

/* Values of a column that were none of its type and became null. A field that is missing, null or the empty text is none of them. */
enum { READER_MISFIT_BYTES = 60 };
struct reader_misfits {
    uint64_t count;
    uint64_t line; /* of the first */
    uint32_t text_bytes;
    uint8_t text[READER_MISFIT_BYTES]; /* how the first begins, as it stood in the row */
};
/* Whether the batch that reader_next gave has any; those of column `column` in it; the sum of several batches' ones. */
bool reader_has_misfits(const struct reader *reader);
struct reader_misfits reader_misfits(const struct reader *reader, uint32_t column);
void reader_misfits_add(struct reader_misfits *to, const struct reader_misfits *more);

/* ISO 8601 date and time with a T, the only texts that inference takes for datetime:
 * yyyy-mm-ddThh:mm[:ss[.f...]][Z|+hh:mm]. */
bool reader_iso_datetime(rf_str text, int64_t *ticks);

#endif
