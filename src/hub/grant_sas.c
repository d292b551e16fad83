/* grant_sas.c - shared access signatures and connection strings as texts: taken apart, nothing is looked up. */
#include "base/encode.h"
#include "hub/types_int.h"

enum { SAS_BYTES_MAX = 8192, EXPIRY_DIGITS_MAX = 12, CONNECTION_STRING_BYTES_MAX = 16384 };

#define BAD_SAS(err, why)                                                                          \
    RF_FAIL(err, RF_DENIED, "InvalidSignature", "The token is malformed: " why)

/* Cuts off what stands in front of the next `mark`, or all. */
static rf_str next_part(rf_str *rest, uint8_t mark)
{
    size_t end = 0;
    while (end < rest->len && rest->ptr[end] != mark) end++;
    rf_str part = rf_slice(*rest, 0, end);
    *rest = rf_slice(*rest, end < rest->len ? end + 1 : end, rest->len);
    return part;
}

static bool cut_name(rf_str part, rf_str *name, rf_str *value)
{
    size_t at = rf_str_find(part, RF_S("="), 0);
    if (at == SIZE_MAX) return false;
    *name = rf_slice(part, 0, at);
    *value = rf_slice(part, at + 1, part.len);
    return true;
}

static bool read_expiry(rf_str text, rf_usec *out)
{
    int64_t seconds = 0;
    if (text.len == 0 || text.len > EXPIRY_DIGITS_MAX) return false;
    for (size_t i = 0; i < text.len; i++) {
        if (!rf_is_digit(text.ptr[i])) return false;
        seconds = seconds * 10 + (text.ptr[i] - '0');
    }
    *out = seconds * RF_USEC_PER_SECOND;
    return true;
}

enum rf_kind sas_read(rf_str token, struct rf_arena *arena, struct sas_fields *out,
                      struct rf_err *err)
{
    rf_str scheme = RF_S("SharedAccessSignature ");
    struct sas_fields made = {.expires = 0};
    rf_str signature = {0}, rule = {0};
    if (token.len > SAS_BYTES_MAX) return BAD_SAS(err, "it is too long.");
    if (token.len < scheme.len || !rf_str_eq_nocase(rf_slice(token, 0, scheme.len), scheme))
        return BAD_SAS(err, "it must begin with 'SharedAccessSignature '.");
    rf_str rest = rf_str_trim(rf_slice(token, scheme.len, token.len));
    struct {
        const char *name;
        rf_str *value;
    } fields[] = {
        {"sr", &made.resource}, {"sig", &signature}, {"se", &made.expiry}, {"skn", &rule}};
    while (rest.len > 0) {
        rf_str part = next_part(&rest, '&'), name, value;
        if (!cut_name(part, &name, &value)) return BAD_SAS(err, "a field has no '='.");
        for (size_t i = 0; i < RF_COUNT(fields); i++) {
            if (!rf_str_is(name, fields[i].name)) continue;
            /* Two readers could take either of a field that comes twice. */
            if (fields[i].value->ptr != NULL) return BAD_SAS(err, "a field comes twice.");
            *fields[i].value = value;
        }
    }
    for (size_t i = 0; i < RF_COUNT(fields); i++)
        if (fields[i].value->len == 0) return BAD_SAS(err, "it needs sr, sig, se and skn.");
    if (!read_expiry(made.expiry, &made.expires))
        return BAD_SAS(err, "'se' must be a time in seconds since 1970.");
    if (percent_decode(arena, signature, false, &made.signature, NULL) != RF_OK ||
        percent_decode(arena, rule, false, &made.rule, NULL) != RF_OK ||
        percent_decode(arena, made.resource, false, &made.uri, NULL) != RF_OK)
        return BAD_SAS(err, "its percent-encoding is not valid.");
    *out = made;
    return RF_OK;
}

enum rf_kind connection_string_read(rf_str text, struct connection_string *out, struct rf_err *err)
{
    struct connection_string made = {.key = {0}};
    struct {
        const char *name;
        rf_str *value;
    } parts[] = {{"Endpoint", &made.endpoint},
                 {"SharedAccessKeyName", &made.rule},
                 {"SharedAccessKey", &made.key},
                 {"SharedAccessSignature", &made.signature},
                 {"EntityPath", &made.entity}};
    if (text.len > CONNECTION_STRING_BYTES_MAX)
        return RF_FAIL(err, RF_DENIED, "InvalidSignature", "The connection string is too long.");
    while (text.len > 0) {
        rf_str part = rf_str_trim(next_part(&text, ';')), name, value;
        if (part.len == 0) continue;
        if (!cut_name(part, &name, &value))
            return RF_FAIL(err, RF_DENIED, "InvalidSignature",
                           "The connection string is malformed: a part has no '='.");
        name = rf_str_trim(name);
        for (size_t i = 0; i < RF_COUNT(parts); i++) {
            if (!rf_str_eq_nocase(name, rf_str_of(parts[i].name))) continue;
            if (parts[i].value->ptr != NULL)
                return RF_FAIL(err, RF_DENIED, "InvalidSignature",
                               "The connection string is malformed: a part comes twice.");
            *parts[i].value = rf_str_trim(value);
        }
    }
    bool has_key = made.rule.len > 0 && made.key.len > 0;
    if (!has_key && made.signature.len == 0)
        return RF_FAIL(err, RF_DENIED, "InvalidSignature",
                       "The connection string needs SharedAccessKeyName and SharedAccessKey, or "
                       "SharedAccessSignature.");
    *out = made;
    return RF_OK;
}
