/* store.c - a folder of tables: names, paths, manifests; what readers and the writer have in common. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "crypt/rewrap.h"
#include "store/table_int.h"

/* How often a reader tries again when the manifest is replaced under its hands. */
enum { MANIFEST_TRIES = 200, MANIFEST_PAUSE_USEC = 500 };

enum rf_kind store_open(const struct store_options *options, struct store **out, struct rf_err *err)
{
    struct store *store = calloc(1, sizeof *store);
    char *folder = strdup(options->folder);
    if (store == NULL || folder == NULL) {
        free(store);
        free(folder);
        return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory to open a store");
    }
    store->options = *options;
    store->options.folder = store->folder = folder;
    if (options->key != NULL && options->key->present) {
        store->key = *options->key;
        store->options.key = &store->key;
    } else {
        store->options.key = NULL;
    }
    struct rf_fs_stat stat;
    enum rf_kind kind = RF_OK;
    if (options->writer) kind = rf_fs_mkdirs(options->fs, folder, err);
    if (kind == RF_OK) kind = rf_fs_stat(options->fs, folder, &stat, err);
    if (kind == RF_OK && !stat.is_dir)
        kind = RF_FAIL(err, RF_INVALID, "NotAFolder", "%s is not a folder", folder);
    if (kind != RF_OK) {
        store_close(store);
        return kind;
    }
    *out = store;
    return RF_OK;
}

void store_close(struct store *store)
{
    if (store == NULL) return;
    explicit_bzero(&store->key, sizeof store->key);
    free(store->folder);
    free(store);
}

struct rf_clock *store_clock(const struct store *store)
{
    return store->options.clock == NULL ? rf_clock_real() : store->options.clock;
}

/* ---- names and paths ------------------------------------------------------------------------------------ */

static bool plain_byte(uint8_t c, size_t at)
{
    return rf_is_alnum(c) || c == '_' || c == '-' || c >= 0x80 || (c == '.' && at > 0);
}

enum rf_kind table_folder(const struct store *store, rf_str name, struct table_path *out,
                          struct rf_err *err)
{
    if (name.len == 0 || name.len > TABLE_NAME_BYTES_MAX || !rf_utf8_valid(name))
        return RF_FAIL(err, RF_INVALID, "BadTableName",
                       "a table's name has 1 to %d bytes of UTF-8; '%.*s' does not",
                       TABLE_NAME_BYTES_MAX, (int)RF_MIN(name.len, (size_t)80),
                       (const char *)name.ptr);
    int len = snprintf(out->text, sizeof out->text, "%s/", store->folder);
    /* Room for every byte as %XX and for the longest file name in the folder. */
    if (len < 0 || (size_t)len + name.len * 3 + 64 > sizeof out->text)
        return rf_fs_fail(ENAMETOOLONG, "open", store->folder, err);
    char *at = out->text + len;
    for (size_t i = 0; i < name.len; i++) {
        if (plain_byte(name.ptr[i], i))
            *at++ = (char)name.ptr[i];
        else
            at += snprintf(at, 4, "%%%02X", name.ptr[i]);
    }
    *at = '\0';
    return RF_OK;
}

enum rf_kind store_table_folder(struct store *store, rf_str name, struct rf_arena *arena,
                                const char **out, struct rf_err *err)
{
    struct table_path folder;
    RF_TRY(table_folder(store, name, &folder, err));
    *out = rf_arena_cstr(arena, rf_str_of(folder.text));
    return *out == NULL ? rf_fail_memory(err, arena) : RF_OK;
}

static uint8_t hex_digit(uint8_t c)
{
    if (rf_is_digit(c)) return (uint8_t)(c - '0');
    return c >= 'A' && c <= 'F' ? (uint8_t)(c - 'A' + 10) : 0xff;
}

/* The table's name from its folder's, in `arena`; ptr NULL: lack of memory. */
static rf_str name_of_folder(rf_str folder, struct rf_arena *arena)
{
    uint8_t *name = rf_arena_alloc(arena, folder.len);
    size_t len = 0;
    for (size_t i = 0; i < folder.len && name != NULL; i++) {
        uint8_t c = folder.ptr[i];
        if (c == '%' && folder.len - i > 2 && hex_digit(folder.ptr[i + 1]) < 16 &&
            hex_digit(folder.ptr[i + 2]) < 16) {
            c = (uint8_t)(hex_digit(folder.ptr[i + 1]) << 4 | hex_digit(folder.ptr[i + 2]));
            i += 2;
        }
        name[len++] = c;
    }
    return rf_str_make(name, len);
}

struct table_path table_file(const char *folder, const char *name)
{
    struct table_path path;
    int len = snprintf(path.text, sizeof path.text, "%s/%s", folder, name);
    RF_ASSERT(len > 0);
    RF_ASSERT((size_t)len < sizeof path.text);
    return path;
}

struct table_path table_extent_path(const char *folder, uint64_t number)
{
    char name[40];
    (void)snprintf(name, sizeof name, "extent-%llu.rfx", (unsigned long long)number);
    return table_file(folder, name);
}

struct table_path table_journal_path(const char *folder, uint64_t number)
{
    char name[40];
    (void)snprintf(name, sizeof name, "journal-%llu.rfj", (unsigned long long)number);
    return table_file(folder, name);
}

static bool between(rf_str name, const char *before, const char *behind, uint64_t *number)
{
    rf_str head = rf_str_of(before), tail = rf_str_of(behind);
    if (name.len <= head.len + tail.len || !rf_str_starts(name, head) || !rf_str_ends(name, tail))
        return false;
    rf_str digits = rf_slice(name, head.len, name.len - tail.len);
    *number = 0;
    for (size_t i = 0; i < digits.len; i++) {
        if (!rf_is_digit(digits.ptr[i]) || *number > UINT64_MAX / 10 - 1) return false;
        *number = *number * 10 + (uint64_t)(digits.ptr[i] - '0');
    }
    return true;
}

bool table_file_parse(rf_str name, enum manifest_file *file, uint64_t *number)
{
    *file = MANIFEST_EXTENT_FILE;
    if (between(name, "extent-", ".rfx", number)) return true;
    *file = MANIFEST_JOURNAL_FILE;
    return between(name, "journal-", ".rfj", number);
}

enum rf_kind store_tables(struct store *store, struct rf_arena *arena, rf_str **names,
                          uint32_t *count, struct rf_err *err)
{
    rf_str *folders;
    size_t found;
    RF_TRY(rf_fs_list(store->options.fs, store->folder, arena, &folders, &found, err));
    rf_str *out = rf_arena_new(arena, rf_str, found);
    if (out == NULL) return rf_fail_memory(err, arena);
    uint32_t n = 0;
    for (size_t i = 0; i < found; i++) {
        struct table_path folder;
        rf_str name = name_of_folder(folders[i], arena);
        if (name.ptr == NULL) return rf_fail_memory(err, arena);
        if (table_folder(store, name, &folder, NULL) != RF_OK) continue;
        if (rf_fs_exists(store->options.fs, table_file(folder.text, "manifest").text))
            out[n++] = name;
    }
    *names = out;
    *count = n;
    return RF_OK;
}

/* ---- manifests -------------------------------------------------------------------------------------------- */

static enum rf_kind read_whole(struct rf_file *file, const char *path, struct rf_arena *arena,
                               rf_str *out, struct rf_err *err)
{
    uint64_t bytes;
    RF_TRY(rf_file_size(file, &bytes, err));
    if (bytes > MANIFEST_BYTES_MAX)
        return RF_FAIL(err, RF_CORRUPT, "ManifestDamaged", "%s: bytes 0..%llu: too long", path,
                       (unsigned long long)bytes);
    uint8_t *p = rf_arena_alloc(arena, bytes);
    if (p == NULL) return rf_fail_memory(err, arena);
    RF_TRY(rf_file_pread_all(file, p, bytes, 0, err));
    *out = rf_str_make(p, bytes);
    return RF_OK;
}

/* The generation that the path leads to at this moment; 0 when it cannot be told. */
static uint64_t present_generation(struct rf_fs *fs, const char *path)
{
    RF_CLEANUP(rf_file_cleanup) struct rf_file *file = NULL;
    uint8_t head[MANIFEST_HEAD_BYTES];
    if (rf_fs_open(fs, path, RF_OPEN_READ, &file, NULL) != RF_OK) return 0;
    if (rf_file_pread_all(file, head, sizeof head, 0, NULL) != RF_OK) return 0;
    return manifest_generation(rf_str_make(head, sizeof head));
}

/* One try; *again is set when the manifest was replaced meanwhile. */
static enum rf_kind try_read(const struct store *store, const char *path, struct rf_arena *arena,
                             struct manifest *out, struct rf_file **held, bool *again,
                             struct rf_err *err)
{
    RF_CLEANUP(rf_file_cleanup) struct rf_file *file = NULL;
    rf_str bytes;
    *again = false;
    RF_TRY(rf_fs_open(store->options.fs, path, RF_OPEN_READ, &file, err));
    if (held != NULL) {
        /* Only a writer that has already replaced this file ever locks it alone. */
        enum rf_kind kind = rf_file_lock(file, true, err);
        *again = kind == RF_CONFLICT;
        if (kind != RF_OK) return kind;
    }
    RF_TRY(read_whole(file, path, arena, &bytes, err));
    RF_TRY(manifest_decode(bytes, path, arena, out, err));
    if (held == NULL) return RF_OK;
    /* Replaced between open and lock: the writer may have removed files already. */
    *again = present_generation(store->options.fs, path) != out->generation;
    if (*again) return RF_FAIL(err, RF_AGAIN, "TableBusy", "%s is being replaced; try again", path);
    *held = file;
    file = NULL;
    return RF_OK;
}

enum rf_kind table_manifest_read(const struct store *store, rf_str name, const char *folder,
                                 struct rf_arena *arena, struct manifest *out,
                                 struct rf_file **held, struct rf_err *err)
{
    struct table_path path = table_file(folder, "manifest");
    for (int tries = 0;; tries++) {
        bool again;
        enum rf_kind kind = try_read(store, path.text, arena, out, held, &again, err);
        if (kind == RF_NOT_FOUND)
            return RF_FAIL(err, RF_NOT_FOUND, "TableNotFound", "%s has no table '%.*s'",
                           store->folder, RF_FMT(name));
        if (!again || tries == MANIFEST_TRIES) return kind;
        usleep(MANIFEST_PAUSE_USEC);
    }
}

/* What lies in the table's file `key`, in `wrapped`; *len 0: it has none. */
static enum rf_kind read_wrapped(const struct store *store, const char *folder,
                                 uint8_t wrapped[STORE_WRAPPED_BYTES_MAX], size_t *len,
                                 struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct table_path path = table_file(folder, "key");
    rf_str bytes;
    *len = 0;
    if (!rf_fs_exists(store->options.fs, path.text)) return RF_OK;
    rf_arena_init(&arena, 64 << 10);
    RF_TRY(
        rf_fs_read_all(store->options.fs, path.text, STORE_WRAPPED_BYTES_MAX, &arena, &bytes, err));
    if (bytes.len > 0) memcpy(wrapped, bytes.ptr, bytes.len);
    *len = bytes.len;
    return RF_OK;
}

static enum rf_kind open_own(const struct store *store, rf_str name, rf_str wrapped,
                             struct extent_key *own, struct rf_err *err)
{
    const struct store_keyring *ring = store->options.keyring;
    if (ring == NULL)
        return RF_FAIL(err, RF_DENIED, "KeyNeeded",
                       "the table '%.*s' is encrypted with a key of its own, which only its server "
                       "can unwrap: ask that",
                       RF_FMT(name));
    return ring->open(ring->ctx, wrapped, own, err);
}

enum rf_kind table_key(const struct store *store, rf_str name, const char *folder,
                       const struct manifest *m, struct extent_key *own,
                       const struct extent_key **out, struct rf_err *err)
{
    uint8_t check[MANIFEST_KEY_CHECK_BYTES], wrapped[STORE_WRAPPED_BYTES_MAX];
    size_t len;
    const struct extent_key *key = store->options.key;
    *out = NULL;
    if (!m->encrypted) return RF_OK;
    RF_TRY(read_wrapped(store, folder, wrapped, &len, err));
    if (len > 0) {
        RF_TRY(open_own(store, name, rf_str_make(wrapped, len), own, err));
        key = own;
    }
    if (key == NULL)
        return RF_FAIL(err, RF_DENIED, "KeyNeeded", "the table '%.*s' is encrypted; give its key",
                       RF_FMT(name));
    manifest_key_check(key, check);
    if (memcmp(check, m->key_check, sizeof check) != 0)
        return RF_FAIL(err, RF_DENIED, "WrongKey", "the table '%.*s' is encrypted with another key",
                       RF_FMT(name));
    *out = key;
    return RF_OK;
}

enum rf_kind table_key_make(const struct store *store, const char *folder, struct extent_key *own,
                            struct rf_err *err)
{
    const struct store_keyring *ring = store->options.keyring;
    uint8_t wrapped[STORE_WRAPPED_BYTES_MAX];
    size_t len;
    *own = (struct extent_key){.present = false};
    if (ring == NULL) return RF_OK;
    RF_TRY(ring->make(ring->ctx, wrapped, &len, own, err));
    return rf_fs_replace(store->options.fs, table_file(folder, "key").text,
                         rf_str_make(wrapped, len), err);
}

enum rf_kind store_destroy_key(struct store *store, rf_str name, struct rf_err *err)
{
    const struct store_keyring *ring = store->options.keyring;
    uint8_t wrapped[STORE_WRAPPED_BYTES_MAX];
    struct table_path folder;
    size_t len;
    RF_TRY(table_folder(store, name, &folder, err));
    if (ring == NULL) return RF_OK;
    RF_TRY(read_wrapped(store, folder.text, wrapped, &len, err));
    return len == 0 ? RF_OK : ring->destroy(ring->ctx, rf_str_make(wrapped, len), name, err);
}

enum rf_kind store_rewrap_key(struct store *store, rf_str name, struct rewrap_sweep *sweep,
                              struct rf_err *err)
{
    uint8_t wrapped[STORE_WRAPPED_BYTES_MAX];
    struct rewrapped again;
    struct table_path folder;
    struct rf_err why = {0};
    size_t len;
    RF_TRY(table_folder(store, name, &folder, err));
    if (read_wrapped(store, folder.text, wrapped, &len, &why) != RF_OK) {
        rewrap_unread(sweep, name, &why);
        return RF_OK;
    }
    if (len == 0) return RF_OK;
    RF_TRY(rewrap_show(sweep, NULL, rf_str_make(wrapped, len), name, &again, err));
    if (!again.is_other) return RF_OK;
    enum rf_kind kind = rf_fs_replace(store->options.fs, table_file(folder.text, "key").text,
                                      rf_str_make(again.bytes, again.len), &why);
    rewrap_settle(sweep, &again, name, kind == RF_OK ? NULL : &why);
    return RF_OK;
}

struct extent_options table_extent_options(const struct store *store, const struct extent_key *key)
{
    int level = store->options.compression_level;
    return (struct extent_options){
        .fs = store->options.fs,
        .key = key,
        .budget = store->options.budget,
        .compression_level = level == 0 ? TABLE_COMPRESSION_LEVEL : RF_MAX(level, 0),
        .no_term_index = store->options.no_term_index,
    };
}

struct journal_options table_journal_options(const struct store *store,
                                             const struct extent_key *key, const char *path)
{
    return (struct journal_options){
        .fs = store->options.fs, .path = path, .key = key, .budget = store->options.budget};
}

/* ---- columns ------------------------------------------------------------------------------------------------- */

void table_map_columns(const struct extent_column *wanted, uint32_t wanted_count,
                       const struct extent_column *columns, uint32_t column_count, uint32_t *map)
{
    uint32_t near = 0;
    for (uint32_t i = 0; i < wanted_count; i++) {
        map[i] = UINT32_MAX;
        for (uint32_t step = 0; step < column_count; step++) {
            uint32_t at = near + step < column_count ? near + step : near + step - column_count;
            if (!rf_str_eq(wanted[i].name, columns[at].name)) continue;
            map[i] = at;
            near = at + 1 == column_count ? 0 : at + 1;
            break;
        }
    }
}

struct vec table_missing(enum type type)
{
    static const uint64_t zeros[2];
    static const uint8_t null = 1;
    return (struct vec){.type = (uint8_t)type,
                        .shape = VEC_CONST,
                        .data = zeros,
                        .nulls = type == TYPE_STRING ? NULL : &null};
}

int table_time_column(const struct extent_column *columns, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (columns[i].type == TYPE_DATETIME && rf_str_is(columns[i].name, "TimeGenerated"))
            return (int)i;
    return -1;
}
