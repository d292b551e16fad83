#include "tables/external.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "net/client.h"

static bool is_url(rf_str uri)
{
    return uri.len > 8 && rf_str_eq_nocase(rf_slice(uri, 0, 8), RF_S("https://"));
}

/* "host:port" of an https URL. */
static rf_str authority_of(rf_str uri)
{
    size_t end = 8;
    while (end < uri.len && strchr("/?#", uri.ptr[end]) == NULL) end++;
    return rf_slice(uri, 8, end);
}

/* The real path of a file in one of the folders: links are followed first, so that none leads out. */
static bool real_path(const struct external_places *places, rf_str uri, char out[PATH_MAX])
{
    char path[PATH_MAX];
    rf_str text = uri;
    if (rf_str_starts(text, RF_S("file://"))) text = rf_slice(text, 7, text.len);
    if (text.len == 0 || text.len >= sizeof path || memchr(text.ptr, 0, text.len) != NULL)
        return false;
    memcpy(path, text.ptr, text.len);
    path[text.len] = '\0';
    if (realpath(path, out) == NULL) return false;
    for (uint32_t i = 0; i < places->folder_count; i++) {
        size_t len = strlen(places->folders[i]);
        if (strncmp(out, places->folders[i], len) == 0 && out[len] == '/') return true;
    }
    return false;
}

static bool places_allow(const struct external *external, rf_str uri)
{
    const struct external_places *places = (const struct external_places *)external;
    char path[PATH_MAX];
    if (is_url(uri)) return egress_way(&places->egress, authority_of(uri)) != EGRESS_NONE;
    return real_path(places, uri, path);
}

static enum rf_kind read_url(const struct external_places *places, rf_str uri,
                             struct rf_arena *arena, rf_str *out, struct rf_err *err)
{
    const struct http_client_options options = {.answer_bytes_max = EXTERNAL_BYTES_MAX,
                                                .egress = &places->egress};
    struct http_client *client;
    struct http_answer answer;
    RF_TRY(http_client_new(&options, &client, err));
    enum rf_kind kind =
        http_client_call(client, "GET", uri, NULL, 0, (rf_str){0}, arena, &answer, err);
    http_client_free(client);
    if (kind != RF_OK) return kind;
    if (answer.status != 200)
        return RF_FAIL(err, RF_IO, "ExternalDataFailed", "'%.*s' answered with status %u",
                       RF_FMT(external_shown(uri)), answer.status);
    *out = answer.body;
    return RF_OK;
}

static enum rf_kind places_read(const struct external *external, rf_str uri, struct rf_arena *arena,
                                rf_str *out, struct rf_err *err)
{
    const struct external_places *places = (const struct external_places *)external;
    char path[PATH_MAX];
    if (is_url(uri)) return read_url(places, uri, arena, out, err);
    if (!real_path(places, uri, path))
        return RF_FAIL(err, RF_DENIED, "ExternalDataOff", "'%.*s' is in no folder that is allowed",
                       RF_FMT(external_shown(uri)));
    return rf_fs_read_all(rf_fs_real(), path, EXTERNAL_BYTES_MAX, arena, out, err);
}

void external_places_init(struct external_places *places)
{
    places->external = (struct external){.allows = places_allow, .read = places_read};
}
