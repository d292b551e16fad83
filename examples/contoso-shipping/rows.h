/* rows.h - what the generator stands on: random streams, angles, the calendar, tables of rows,
 * JSON.
 *
 * generate.c is one program in five parts. Each part is included once, in order, and everything in
 * it is static, so that one compiler call builds the program from its folder. */
#ifndef CONTOSO_ROWS_H
#define CONTOSO_ROWS_H

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SECOND INT64_C(1000000)
#define MINUTE (60 * SECOND)
#define DOMAIN_NAME "contoso.example"
#define TENANT "5f1c0c57-3a8e-4d0b-9c64-2b7f7a10c0de"
#define SUBSCRIPTION "8d2b6a10-77c4-4c1f-a0d9-6a4c5e0f1b22"

__attribute__((format(printf, 1, 2), noreturn)) static void die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("generate: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(1);
}

/* ---- random numbers: splitmix64, one stream per purpose ---- */

static uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

struct stream {
    uint64_t state;
};

static struct stream stream_of(uint64_t seed, uint64_t purpose)
{
    return (struct stream){mix(seed * UINT64_C(0x9e3779b97f4a7c15) + mix(purpose + 1))};
}

static uint64_t draw(struct stream *s) { return mix(s->state += UINT64_C(0x9e3779b97f4a7c15)); }

static uint32_t below(struct stream *s, uint32_t n)
{
    return (uint32_t)(((draw(s) >> 32) * n) >> 32);
}

static uint32_t within(struct stream *s, uint32_t from, uint32_t to)
{
    return from + below(s, to - from + 1);
}

static bool chance(struct stream *s, uint32_t per_mille) { return below(s, 1000) < per_mille; }

/* Some microseconds of the next `seconds` seconds. As everywhere here, one statement draws once: C
 * leaves the order of evaluation inside a statement to the compiler, and all compilers shall agree.
 */
static int64_t moment(struct stream *s, uint32_t seconds)
{
    int64_t whole = (int64_t)below(s, seconds) * SECOND;
    return whole + below(s, SECOND);
}

/* Rank 0..n-1 with a density of about 1/(rank + 1): an octave is drawn first, then a rank inside
 * it. */
static uint32_t zipf(struct stream *s, uint32_t n)
{
    uint32_t octaves = 1;
    while ((UINT64_C(1) << octaves) <= n) octaves++;
    for (;;) {
        uint32_t octave = below(s, octaves);
        uint32_t rank = (UINT32_C(1) << octave) + below(s, UINT32_C(1) << octave) - 1;
        if (rank < n) return rank;
    }
}

/* ---- angles, so that the program needs no mathematics library ---- */

static double sine(double degrees)
{
    while (degrees > 180) degrees -= 360;
    while (degrees < -180) degrees += 360;
    if (degrees > 90) degrees = 180 - degrees;
    if (degrees < -90) degrees = -180 - degrees;
    double x = degrees * 0.017453292519943295, square = x * x;
    return x * (1 - square / 6 * (1 - square / 20 * (1 - square / 42 * (1 - square / 72))));
}

static double cosine(double degrees) { return sine(degrees + 90); }

/* ---- calendar ---- */

static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t of_era = year - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void date_of(int64_t days, int *year, int *month, int *day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097, of_era = days - era * 146097;
    int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * y + y / 4 - y / 100), m = (5 * of_year + 2) / 153;
    *day = (int)(of_year - (153 * m + 2) / 5 + 1);
    *month = (int)(m < 10 ? m + 3 : m - 9);
    *year = (int)(y + era * 400 + (*month <= 2));
}

static char *digits(char *out, uint32_t value, int width)
{
    for (int i = width; i-- > 0; value /= 10) out[i] = (char)('0' + value % 10);
    return out + width;
}

static void stamp(char out[32], int64_t usec)
{
    static const char shape[] = "yyyy-mm-ddThh:mm:ss.ffffffZ";
    int year, month, day;
    int64_t days = usec / (86400 * SECOND);
    uint32_t second = (uint32_t)(usec / SECOND - days * 86400);
    date_of(days, &year, &month, &day);
    memcpy(out, shape, sizeof shape);
    digits(out, (uint32_t)year, 4);
    digits(out + 5, (uint32_t)month, 2);
    digits(out + 8, (uint32_t)day, 2);
    digits(out + 11, second / 3600, 2);
    digits(out + 14, second / 60 % 60, 2);
    digits(out + 17, second % 60, 2);
    digits(out + 20, (uint32_t)(usec % SECOND), 6);
}

static int64_t time_of(const char *text)
{
    int year, month, day, hour = 0, minute = 0, second = 0, read = 0;
    int fields = sscanf(text, "%4d-%2d-%2d%n", &year, &month, &day, &read);
    if (fields == 3 && text[read] == 'T') {
        text += read + 1;
        fields = sscanf(text, "%2d:%2d%n", &hour, &minute, &read) == 2 ? 3 : 0;
        if (fields == 3 && text[read] == ':') {
            text += read + 1;
            fields = sscanf(text, "%2d%n", &second, &read) == 1 ? 3 : 0;
        }
    }
    if (fields != 3 || (strcmp(text + read, "Z") != 0 && text[read] != '\0')) {
        die("--start wants a time such as 2026-03-02T06:00:00Z");
    }
    if (year < 1970 || month < 1 || month > 12 || day < 1 || day > 31 || hour < 0 || hour > 23 ||
        minute < 0 || minute > 59 || second < 0 || second > 59) {
        die("--start is no time");
    }
    return (days_of(year, month, day) * 86400 + hour * 3600 + minute * 60 + second) * SECOND;
}

/* ---- tables: rows wait in memory until their minute is over, then go out in time order ---- */

struct row {
    int64_t time;
    uint64_t sequence;
    size_t bytes;
    char *text;
};

struct table {
    const char *name;
    FILE *file;
    struct row *rows;
    size_t row_count, row_max;
    uint64_t sequence, written;
    int64_t first, last; /* rows outside the run are dropped */
};

enum table_id { SIGNIN, SECURITY, NETWORK, PROCESS, VAULT, BLOB, DRONE, TRUCK, TABLES };

static struct table tables[TABLES] = {
    [SIGNIN] = {.name = "SigninLogs"},           [SECURITY] = {.name = "SecurityEvent"},
    [NETWORK] = {.name = "DeviceNetworkEvents"}, [PROCESS] = {.name = "DeviceProcessEvents"},
    [VAULT] = {.name = "AzureDiagnostics"},      [BLOB] = {.name = "StorageBlobLogs"},
    [DRONE] = {.name = "DroneTelemetry_CL"},     [TRUCK] = {.name = "TruckTelemetry_CL"},
};

static FILE *open_in(const char *folder, const char *name, const char *suffix)
{
    char path[4096];
    int bytes = snprintf(path, sizeof path, "%s/%s%s", folder, name, suffix);
    if (bytes < 0 || (size_t)bytes >= sizeof path) die("the path is too long");
    FILE *file = fopen(path, "wb");
    if (file == NULL) die("%s: %s", path, strerror(errno));
    return file;
}

static void close_file(FILE *file, const char *name)
{
    bool failed = ferror(file) != 0;
    if (fclose(file) != 0 || failed) die("%s: cannot write: %s", name, strerror(errno));
}

static int by_time(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    if (x->time != y->time) return x->time < y->time ? -1 : 1;
    return x->sequence < y->sequence ? -1 : x->sequence > y->sequence;
}

static void flush_until(struct table *t, int64_t until)
{
    size_t kept = 0;
    if (t->row_count > 0) qsort(t->rows, t->row_count, sizeof *t->rows, by_time);
    for (size_t i = 0; i < t->row_count; i++) {
        struct row *row = &t->rows[i];
        if (row->time >= until) {
            t->rows[kept++] = *row;
            continue;
        }
        fwrite(row->text, 1, row->bytes, t->file);
        free(row->text);
        t->written++;
    }
    t->row_count = kept;
}

/* ---- one JSON object, written field by field ---- */

static char line[16384];
static size_t line_bytes;
static bool comma;

static void put(const char *text, size_t bytes)
{
    if (bytes > sizeof line - line_bytes) die("a row is longer than %zu bytes", sizeof line);
    memcpy(line + line_bytes, text, bytes);
    line_bytes += bytes;
}

static void put_text(const char *text)
{
    put("\"", 1);
    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '"' || *p == '\\') put("\\", 1);
        put(p, 1);
    }
    put("\"", 1);
}

static void put_name(const char *name)
{
    if (comma) put(",", 1);
    comma = true;
    put("\"", 1);
    put(name, strlen(name));
    put("\":", 2);
}

static void str(const char *name, const char *value)
{
    put_name(name);
    put_text(value);
}

__attribute__((format(printf, 2, 3))) static void fmt(const char *name, const char *format, ...)
{
    char value[2048];
    va_list args;
    va_start(args, format);
    int bytes = vsnprintf(value, sizeof value, format, args);
    va_end(args);
    if (bytes < 0 || (size_t)bytes >= sizeof value) die("%s is too long", name);
    str(name, value);
}

static void num(const char *name, int64_t value)
{
    char text[24];
    put_name(name);
    put(text, (size_t)snprintf(text, sizeof text, "%lld", (long long)value));
}

static void real(const char *name, double value, int decimals)
{
    char text[48];
    put_name(name);
    put(text, (size_t)snprintf(text, sizeof text, "%.*f", decimals, value));
}

static void flag(const char *name, bool value)
{
    put_name(name);
    put(value ? "true" : "false", value ? 4 : 5);
}

static void object(const char *name)
{
    put_name(name);
    put("{", 1);
    comma = false;
}

static void object_end(void)
{
    put("}", 1);
    comma = true;
}

static void guid_text(char out[40], uint64_t a, uint64_t b)
{
    snprintf(out, 40, "%08x-%04x-4%03x-%04x-%012llx", (unsigned)(a >> 32),
             (unsigned)(a >> 16 & 0xffff), (unsigned)(a & 0xfff),
             (unsigned)(0x8000 | (b >> 48 & 0x3fff)),
             (unsigned long long)(b & UINT64_C(0xffffffffffff)));
}

static void guid_new(const char *name, struct stream *s)
{
    char text[40];
    uint64_t a = draw(s);
    guid_text(text, a, draw(s));
    str(name, text);
}

/* The same thing has the same identifier in every table and every run. */
static void guid_for(char out[40], const char *kind, uint64_t number)
{
    uint64_t a = number;
    for (const char *p = kind; *p != '\0'; p++) a = mix(a * 131 + (unsigned char)*p);
    guid_text(out, mix(a + 1), mix(a + 2));
}

static void row_begin(int64_t time)
{
    char text[32];
    line_bytes = 0;
    comma = false;
    put("{", 1);
    stamp(text, time);
    str("TimeGenerated", text);
}

static void row_end(enum table_id id, int64_t time)
{
    struct table *t = &tables[id];
    str("Type", t->name);
    put("}\n", 2);
    if (time < t->first || time >= t->last) return;
    if (t->row_count == t->row_max) {
        size_t max = t->row_max == 0 ? 4096 : t->row_max * 2;
        struct row *rows = realloc(t->rows, max * sizeof *rows);
        if (rows == NULL) die("out of memory");
        t->rows = rows;
        t->row_max = max;
    }
    char *text = malloc(line_bytes);
    if (text == NULL) die("out of memory");
    memcpy(text, line, line_bytes);
    t->rows[t->row_count++] = (struct row){time, t->sequence++, line_bytes, text};
}

#endif
