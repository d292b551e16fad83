#include "portal/assets.h"

#include <stdlib.h>

static enum rf_kind bad(struct rf_err *err, const char *what)
{
    return RF_FAIL(err, RF_CORRUPT, "PortalArchiveBad",
                   "The archive of the portal's pages is damaged: %s. Build the program again.",
                   what);
}

/* Takes `bytes` off the front of `rest`. */
static bool take(rf_str *rest, const struct json_node *file, const char *name, rf_str *out)
{
    int64_t bytes;
    if (!json_i64_at(file, name, &bytes) || bytes < 0 || (uint64_t)bytes > rest->len) return false;
    *out = rf_slice(*rest, 0, (size_t)bytes);
    *rest = rf_slice(*rest, (size_t)bytes, rest->len);
    return true;
}

static bool read_file(const struct json_node *file, rf_str *rest, struct asset *out)
{
    int64_t bytes;
    out->name = json_text_at(file, "name");
    out->type = json_text_at(file, "type");
    out->etag = json_text_at(file, "etag");
    if (out->name.len == 0 || out->type.len == 0 || out->etag.len == 0) return false;
    if (!json_i64_at(file, "bytes", &bytes) || bytes < 0 || bytes > ASSET_BYTES_MAX) return false;
    out->bytes = (size_t)bytes;
    return take(rest, file, "br", &out->br) && take(rest, file, "gz", &out->gz);
}

static int by_name(const void *a, const void *b)
{
    return rf_str_cmp(((const struct asset *)a)->name, ((const struct asset *)b)->name);
}

enum rf_kind assets_open(rf_str archive, struct rf_arena *arena, struct assets *out,
                         struct rf_err *err)
{
    struct json_node *head;
    *out = (struct assets){.items = NULL};
    if (archive.len == 0) return RF_OK;
    size_t line = rf_str_find(archive, RF_S("\n"), 0);
    if (line == SIZE_MAX || json_parse(rf_slice(archive, 0, line), arena, &head, NULL) != RF_OK)
        return bad(err, "it has no head");
    int64_t version = 0;
    const struct json_node *files = json_get(head, "files");
    if (!json_i64_at(head, "version", &version) || version != 1 || !json_is(files, JSON_T_ARRAY))
        return bad(err, "its head is of another version");
    struct asset *items = rf_arena_new(arena, struct asset, files->count);
    if (items == NULL) return rf_fail_memory(err, arena);
    rf_str rest = rf_slice(archive, line + 1, archive.len);
    uint32_t count = 0;
    for (const struct json_node *file = files->first; file != NULL; file = file->next)
        if (!read_file(file, &rest, &items[count++])) return bad(err, "a file is cut short");
    if (rest.len > 0) return bad(err, "more follows than its head says");
    if (count > 0) qsort(items, count, sizeof *items, by_name);
    *out = (struct assets){.items = items, .count = count};
    return RF_OK;
}

const struct asset *assets_find(const struct assets *assets, rf_str name)
{
    const struct asset wanted = {.name = name};
    if (assets->count == 0) return NULL;
    return bsearch(&wanted, assets->items, assets->count, sizeof wanted, by_name);
}
