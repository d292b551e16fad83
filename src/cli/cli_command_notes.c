/* cli_command_notes.c - what a store keeps beside its tables: functions, descriptions, the ledger of purges. */
#include "base/encode.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/json_out.h"
#include "cli/cli_command.h"
#include "crypt/digest.h"

enum { NOTES_BYTES_MAX = 64 << 20 };
#define LEDGER "purges.jsonl"

static const char *path_of(const char *data, const char *name, struct rf_arena *arena)
{
    return rf_arena_cstr(arena, rf_arena_printf(arena, "%s/%s", data, name));
}

enum rf_kind cli_notes_read(const char *data, const char *name, struct rf_arena *arena,
                            struct json_node **out, struct rf_err *err)
{
    const char *path = path_of(data, name, arena);
    struct rf_err why = {0};
    rf_str text;
    *out = NULL;
    if (path == NULL) return rf_fail_memory(err, arena);
    if (!rf_fs_exists(rf_fs_real(), path)) return RF_OK;
    RF_TRY(rf_fs_read_all(rf_fs_real(), path, NOTES_BYTES_MAX, arena, &text, err));
    enum rf_kind kind = json_parse(text, arena, out, &why);
    return kind == RF_OK ? RF_OK : RF_FAIL(err, kind, why.code, "%s: %s", path, why.text);
}

enum rf_kind cli_notes_write(const char *data, const char *name, struct rf_arena *arena,
                             const struct json_node *node, struct rf_err *err)
{
    const char *path = path_of(data, name, arena);
    struct rf_buf buf = rf_buf_in(arena);
    json_print(&buf, node);
    rf_buf_byte(&buf, '\n');
    if (path == NULL || buf.failed) return rf_fail_memory(err, arena);
    return rf_fs_replace(rf_fs_real(), path, rf_buf_view(&buf), err);
}

/* {"proof":"<text>","digest":"<hex>"}: the text is kept as it was digested. */
enum rf_kind cli_ledger_read(const char *data, struct rf_arena *arena, struct json_node ***lines,
                             uint32_t *count, rf_str *digest, struct rf_err *err)
{
    const char *path = path_of(data, LEDGER, arena);
    rf_str text = {NULL, 0};
    uint32_t n = 0;
    *digest = RF_S("");
    *count = 0;
    if (path == NULL) return rf_fail_memory(err, arena);
    if (rf_fs_exists(rf_fs_real(), path))
        RF_TRY(rf_fs_read_all(rf_fs_real(), path, NOTES_BYTES_MAX, arena, &text, err));
    for (size_t i = 0; i < text.len; i++) n += text.ptr[i] == '\n';
    *lines = rf_arena_new(arena, struct json_node *, n);
    if (*lines == NULL) return rf_fail_memory(err, arena);
    for (size_t at = 0, end; at < text.len && (end = rf_str_find(text, RF_S("\n"), at)) != SIZE_MAX;
         at = end + 1) {
        struct json_node *line, *proof = NULL;
        uint8_t sha[SHA256_BYTES];
        struct rf_err why = {0};
        enum rf_kind kind = json_parse(rf_slice(text, at, end), arena, &line, &why);
        rf_str said = kind == RF_OK ? json_text_at(line, "proof") : (rf_str){NULL, 0};
        digest_sha256(said, sha);
        rf_str hex = hex_encode(arena, rf_str_make(sha, sizeof sha));
        if (kind == RF_OK) kind = json_parse(said, arena, &proof, &why);
        if (kind != RF_OK || !rf_str_eq(json_text_at(line, "digest"), hex) ||
            !rf_str_eq(json_text_at(proof, "previous"), *digest))
            return RF_FAIL(err, RF_CORRUPT, "LedgerBroken",
                           "%s: line %u is not what was written: its digest or that of the line "
                           "before differs",
                           path, *count + 1);
        json_set_text(arena, proof, "digest", hex);
        *digest = hex;
        (*lines)[(*count)++] = proof;
    }
    return RF_OK;
}

enum rf_kind cli_ledger_add(const char *data, struct rf_arena *arena, rf_str proof, rf_str digest,
                            struct rf_err *err)
{
    RF_CLEANUP(rf_file_cleanup) struct rf_file *file = NULL;
    const char *path = path_of(data, LEDGER, arena);
    struct rf_buf buf = rf_buf_in(arena);
    struct json_out out = json_out_to(&buf);
    json_begin_object(&out, NULL);
    json_put_text(&out, "proof", proof);
    json_put_text(&out, "digest", digest);
    json_end_object(&out);
    rf_buf_byte(&buf, '\n');
    if (path == NULL || buf.failed) return rf_fail_memory(err, arena);
    RF_TRY(rf_fs_open(rf_fs_real(), path, RF_OPEN_WRITE | RF_OPEN_CREATE | RF_OPEN_APPEND, &file,
                      err));
    RF_TRY(rf_file_write(file, rf_buf_view(&buf).ptr, buf.len, err));
    RF_TRY(rf_file_sync(file, err));
    return rf_fs_sync_dir(rf_fs_real(), data, err);
}
