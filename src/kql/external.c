#include "kql/external.h"

static rf_str before(rf_str text, const char *ends)
{
    size_t at = 0;
    while (at < text.len && strchr(ends, text.ptr[at]) == NULL) at++;
    return rf_slice(text, 0, at);
}

rf_str external_place(rf_str uri) { return before(uri, ";"); }
rf_str external_shown(rf_str uri) { return before(uri, ";?"); }

enum rf_kind external_format(rf_str format, rf_str uri, rf_str text, struct reader_options *out,
                             struct rf_err *err)
{
    static const struct {
        const char *name;
        uint8_t format;
        char delimiter;
    } formats[] = {
        {"csv", READER_CSV, ','},
        {"tsv", READER_CSV, '\t'},
        {"tsve", READER_CSV, '\t'},
        {"psv", READER_CSV, '|'},
        {"scsv", READER_CSV, ';'},
        {"sohsv", READER_CSV, '\1'},
        {"json", READER_JSON_LINES, 0},
        {"multijson", READER_JSON_VALUES, 0},
        {"singlejson", READER_JSON_VALUES, 0},
    };
    if (format.len == 0) {
        const struct reader_input input = {.memory = text};
        return reader_guess_format(&input, external_shown(uri), out, err);
    }
    for (size_t i = 0; i < RF_COUNT(formats); i++) {
        if (!rf_str_eq_nocase(format, rf_str_of(formats[i].name))) continue;
        out->format = (enum reader_format)formats[i].format;
        out->delimiter = formats[i].delimiter;
        return RF_OK;
    }
    return RF_FAIL(err, RF_INVALID, "ExternalFormat",
                   "'%.*s' is no format that can be read from outside: csv, tsv, psv, scsv, sohsv, "
                   "txt, raw, json or multijson",
                   RF_FMT(format));
}
