/* archive_window.c - the file of a window: made, filled, named; and what a crash left of it (archive.h says the steps). */
#include <stdlib.h>

#include "crypt/digest.h"
#include "hub/archive_int.h"

enum { NAME_TRIES_MAX = 10000 };

/* ---- places --------------------------------------------------------------------------------------------------------------- */

static rf_str last_name(rf_str path)
{
    size_t slash = path.len;
    while (slash > 0 && path.ptr[slash - 1] != '/') slash--;
    return rf_slice(path, slash, path.len);
}

enum rf_kind archive_place(struct archives *archives, rf_str account, rf_str path,
                           struct rf_arena *arena, struct rf_fs **fs, const char **out,
                           struct rf_err *err)
{
    const struct archives_options *options = &archives->options;
    rf_str name = last_name(account), whole = path;
    uint32_t at = 0;
    for (; at < options->folder_count; at++) {
        rf_str have = options->folders[at].account;
        bool is_id = rf_str_find(have, RF_S("/"), 0) != SIZE_MAX;
        if (rf_str_eq_nocase(have, is_id ? account : name)) break;
    }
    if (at == options->folder_count) {
        struct rf_buf buf = rf_buf_in(arena);
        for (size_t i = 0; i < name.len; i++) rf_buf_byte(&buf, rf_lower(name.ptr[i]));
        rf_buf_byte(&buf, '/');
        rf_buf_str(&buf, path);
        if (buf.failed) return rf_fail_memory(err, arena);
        whole = rf_buf_view(&buf);
    }
    *out = rf_arena_cstr(arena, whole);
    *fs = options->fs != NULL ? options->fs : archives->disks[at];
    return *out == NULL ? rf_fail_memory(err, arena) : RF_OK;
}

/* The folder that holds it, in `arena`; NULL: no memory. */
static const char *folder_of(const char *path, struct rf_arena *arena)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? "." : rf_arena_cstr(arena, rf_str_make(path, (size_t)(slash - path)));
}

/* The folders above a file; those that are made are durable. */
static enum rf_kind make_folders(struct rf_fs *fs, const char *path, struct rf_arena *arena,
                                 struct rf_err *err)
{
    for (const char *slash = strchr(path, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        const char *folder = rf_arena_cstr(arena, rf_str_make(path, (size_t)(slash - path)));
        const char *above = folder == NULL ? NULL : folder_of(folder, arena);
        if (above == NULL) return rf_fail_memory(err, arena);
        enum rf_kind kind = rf_fs_mkdir(fs, folder, err);
        if (kind == RF_OK) kind = rf_fs_sync_dir(fs, above, err);
        if (kind != RF_OK && kind != RF_CONFLICT) return kind;
    }
    return RF_OK;
}

static enum rf_kind is_there(struct rf_fs *fs, const char *path, bool *out, struct rf_err *err)
{
    struct rf_fs_stat stat;
    enum rf_kind kind = rf_fs_stat(fs, path, &stat, err);
    *out = kind == RF_OK;
    return kind == RF_NOT_FOUND ? RF_OK : kind;
}

enum rf_kind archive_publish(struct archives *archives, rf_str account, rf_str whole, rf_str to,
                             struct rf_arena *arena, struct rf_err *err)
{
    struct rf_fs *fs;
    const char *from_path, *to_path;
    bool waits;
    RF_TRY(archive_place(archives, account, whole, arena, &fs, &from_path, err));
    RF_TRY(archive_place(archives, account, to, arena, &fs, &to_path, err));
    RF_TRY(is_there(fs, from_path, &waits, err));
    const char *folder = folder_of(to_path, arena), *old = folder_of(from_path, arena);
    if (folder == NULL || old == NULL) return rf_fail_memory(err, arena);
    if (waits) RF_TRY(rf_fs_rename(fs, from_path, to_path, err));
    enum rf_kind kind = rf_fs_sync_dir(fs, folder, err);
    if (kind == RF_OK && strcmp(folder, old) != 0) kind = rf_fs_sync_dir(fs, old, err);
    /* Who takes files away may take their folders too. */
    return kind == RF_NOT_FOUND && !waits ? RF_OK : kind;
}

/* ---- the window ------------------------------------------------------------------------------------------------------------- */

static char *text_of(rf_str text)
{
    char *copy = malloc(text.len + 1);
    if (copy == NULL) return NULL;
    if (text.len > 0) memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    return copy;
}

static bool keep_text(char **at, rf_str text)
{
    char *copy = text.len == 0 ? NULL : text_of(text);
    if (copy == NULL && text.len > 0) return false;
    free(*at);
    *at = copy;
    return true;
}

static void forget_text(char **at)
{
    free(*at);
    *at = NULL;
}

void archive_window_restart(struct archive_part *part)
{
    forget_text(&part->path);
    forget_text(&part->temp);
    part->read = part->next;
    part->bytes = part->events = 0;
}

void archive_window_free(struct archive_part *part)
{
    archive_window_restart(part);
    forget_text(&part->known_temp);
    forget_text(&part->whole);
    forget_text(&part->to);
}

/* Somebody may set the clock back: a window never stays open for longer than its interval. */
static void set_deadline(struct archive_part *part)
{
    struct rf_clock *clock = part->source->archives->clock;
    rf_usec interval = part->source->settings.interval;
    rf_usec left = part->start + interval - rf_clock_now(clock);
    part->deadline = rf_clock_elapsed(clock) + RF_MAX(RF_MIN(left, interval), 0);
}

static rf_usec whole_second(rf_usec time) { return time - time % RF_USEC_PER_SECOND; }

/* Names have whole seconds, and no two windows begin in the same one: of windows that are full in less than a second the names run ahead
 * of the clock. */
static rf_usec next_start(const struct archive_part *part, bool full)
{
    rf_usec now = rf_clock_now(part->source->archives->clock);
    rf_usec interval = part->source->settings.interval, regular = part->start + interval;
    bool on_time = !full && now >= regular && now - regular < interval;
    rf_usec start = on_time ? regular : whole_second(now);
    return RF_MAX(start, part->start + RF_USEC_PER_SECOND);
}

static rf_str path_at(const struct archive_part *part, rf_usec start, struct rf_arena *arena)
{
    const struct archive_source *s = part->source;
    return archive_path(&s->settings, s->space, s->name, part->partition, start, arena);
}

static enum rf_kind store(struct archive_run *run, const struct archive_position *position,
                          struct rf_err *err)
{
    const struct archive_part *part = run->part;
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_write(run->archives->state, &txn, err));
    RF_TRY(
        archive_position_write(txn, part->source->id, part->partition, position, &run->arena, err));
    return state_finish(&txn, err);
}

/* The first name from `*start` on that no file has. */
static enum rf_kind free_name(struct archive_run *run, rf_usec *start, rf_str *out,
                              struct rf_err *err)
{
    const struct archive_source *s = run->part->source;
    for (uint32_t i = 0; i < NAME_TRIES_MAX; i++, *start += RF_USEC_PER_SECOND) {
        struct rf_fs *fs;
        const char *path;
        bool taken;
        *out = path_at(run->part, *start, &run->arena);
        if (out->ptr == NULL) return rf_fail_memory(err, &run->arena);
        RF_TRY(
            archive_place(run->archives, s->settings.account, *out, &run->arena, &fs, &path, err));
        RF_TRY(is_there(fs, path, &taken, err));
        if (!taken) return RF_OK;
    }
    return RF_FAIL(err, RF_CONFLICT, "FileExists", "%.*s and the %d names behind it are taken",
                   RF_FMT(*out), NAME_TRIES_MAX);
}

static enum rf_kind name_window(struct archive_run *run, struct rf_err *err)
{
    struct archive_part *part = run->part;
    rf_str path;
    RF_TRY(free_name(run, &part->start, &path, err));
    rf_str temp = archive_temp(path, &run->arena);
    if (temp.ptr == NULL) return rf_fail_memory(err, &run->arena);
    if (part->known_temp == NULL || !rf_str_is(temp, part->known_temp)) {
        struct archive_position position = {.next = part->next,
                                            .window = part->start,
                                            .account = part->source->settings.account,
                                            .temp = temp};
        RF_TRY(store(run, &position, err));
        if (!keep_text(&part->known_temp, temp)) return rf_fail_memory(err, &run->arena);
    }
    char *path_copy = text_of(path), *temp_copy = text_of(temp);
    if (path_copy == NULL || temp_copy == NULL) {
        free(path_copy);
        free(temp_copy);
        return rf_fail_memory(err, &run->arena);
    }
    part->path = path_copy;
    part->temp = temp_copy;
    return RF_OK;
}

size_t archive_head_bytes(enum archive_encoding encoding)
{
    enum { MORE = 64 };
    return encoding == ARCHIVE_JSON_LINES ? 0 : archive_schema.len + MORE;
}

static enum rf_kind write_head(struct archive_run *run, struct rf_err *err)
{
    struct archive_part *part = run->part;
    enum archive_encoding encoding = part->source->settings.encoding;
    struct rf_buf head = rf_buf_in(&run->arena);
    if (encoding == ARCHIVE_JSON_LINES) return RF_OK;
    random_bytes(part->marker, sizeof part->marker);
    avro_put_head(&head, archive_schema,
                  encoding == ARCHIVE_AVRO_DEFLATE ? AVRO_CODEC_DEFLATE : AVRO_CODEC_NULL,
                  part->marker);
    if (head.failed) return rf_fail_memory(err, &run->arena);
    RF_TRY(rf_file_pwrite(run->file, head.ptr, head.len, 0, err));
    part->bytes = head.len;
    return RF_OK;
}

/* Has run->file open; a window without one gets one. */
static enum rf_kind open_file(struct archive_run *run, struct rf_err *err)
{
    struct archive_part *part = run->part;
    struct rf_fs *fs;
    const char *path;
    bool made = part->temp == NULL;
    unsigned how = RF_OPEN_READ | RF_OPEN_WRITE;
    if (run->file != NULL) return RF_OK;
    if (made) RF_TRY(name_window(run, err));
    RF_ASSERT(part->temp != NULL);
    RF_TRY(archive_place(run->archives, part->source->settings.account, rf_str_of(part->temp),
                         &run->arena, &fs, &path, err));
    if (made) RF_TRY(make_folders(fs, path, &run->arena, err));
    if (made) how |= RF_OPEN_CREATE | RF_OPEN_TRUNCATE;
    RF_TRY(rf_fs_open(fs, path, how, &run->file, err));
    return made ? write_head(run, err) : RF_OK;
}

static void close_file(struct archive_run *run)
{
    rf_file_close(run->file);
    run->file = NULL;
}

/* What cannot be opened or begun is begun anew; what was written stays, and the next try goes on behind it. */
static enum rf_kind ready_file(struct archive_run *run, struct rf_err *err)
{
    enum rf_kind kind = open_file(run, err);
    if (kind == RF_OK) return RF_OK;
    close_file(run);
    archive_window_restart(run->part);
    return kind;
}

enum rf_kind archive_window_write(struct archive_run *run, uint64_t events, rf_str bytes,
                                  int64_t next, struct rf_err *err)
{
    struct archive_part *part = run->part;
    RF_TRY(ready_file(run, err));
    RF_TRY(rf_file_pwrite(run->file, bytes.ptr, bytes.len, part->bytes, err));
    part->bytes += bytes.len;
    part->events += events;
    part->read = next;
    return RF_OK;
}

/* The whole file and its name, durably. After a sync that failed nobody knows what the disk has. */
static enum rf_kind make_durable(struct archive_run *run, struct rf_err *err)
{
    struct archive_part *part = run->part;
    struct rf_fs *fs;
    const char *path;
    uint64_t size;
    RF_TRY(ready_file(run, err));
    RF_ASSERT(part->temp != NULL);
    RF_TRY(rf_file_size(run->file, &size, err));
    if (size > part->bytes) RF_TRY(rf_file_truncate(run->file, part->bytes, err));
    enum rf_kind kind = size < part->bytes ? RF_FAIL(err, RF_CORRUPT, "FileTooShort",
                                                     "somebody has cut %s", part->temp)
                                           : rf_file_sync(run->file, err);
    if (kind == RF_OK)
        kind = archive_place(run->archives, part->source->settings.account, rf_str_of(part->temp),
                             &run->arena, &fs, &path, err);
    const char *folder = kind == RF_OK ? folder_of(path, &run->arena) : NULL;
    if (kind == RF_OK && folder == NULL) kind = rf_fail_memory(err, &run->arena);
    if (kind == RF_OK) kind = rf_fs_sync_dir(fs, folder, err);
    close_file(run);
    if (kind != RF_OK) archive_window_restart(part);
    return kind;
}

static void roll(struct archive_part *part, rf_usec start)
{
    part->next = part->read;
    part->start = start;
    part->bytes = part->events = 0;
    forget_text(&part->path);
    forget_text(&part->temp);
    set_deadline(part);
}

/* Steps 4 and 5. The lock keeps two partitions from taking the same name, which formats like {PartitionId}{Hour} could make. */
static enum rf_kind name_file(struct archive_run *run, bool full, struct rf_err *err)
{
    struct archive_part *part = run->part;
    const struct archive_source *s = part->source;
    rf_usec start = part->start;
    struct rf_fs *fs;
    const char *place;
    struct archive_position position = {
        .next = part->read, .account = s->settings.account, .whole = rf_str_of(part->temp)};
    RF_TRY(free_name(run, &start, &position.to, err));
    part->start = start;
    RF_TRY(archive_place(run->archives, s->settings.account, position.to, &run->arena, &fs, &place,
                         err));
    RF_TRY(make_folders(fs, place, &run->arena, err));
    position.window = next_start(part, full);
    /* A window that may stay without a file gets its name with its first event. */
    if (!s->settings.skip_empty) {
        rf_str next = path_at(part, position.window, &run->arena);
        if (next.ptr != NULL) position.temp = archive_temp(next, &run->arena);
        if (position.temp.ptr == NULL) return rf_fail_memory(err, &run->arena);
    }
    char *whole = text_of(position.whole), *to = text_of(position.to);
    char *known = position.temp.len == 0 ? NULL : text_of(position.temp);
    enum rf_kind kind = whole == NULL || to == NULL || (known == NULL && position.temp.len > 0)
                            ? rf_fail_memory(err, &run->arena)
                            : store(run, &position, err);
    if (kind != RF_OK) {
        free(whole);
        free(to);
        free(known);
        return kind;
    }
    free(part->known_temp);
    part->known_temp = known;
    part->whole = whole;
    part->to = to;
    roll(part, position.window);
    return RF_OK;
}

static enum rf_kind publish(struct archive_run *run, struct rf_err *err)
{
    struct archive_part *part = run->part;
    if (part->whole == NULL) return RF_OK;
    RF_ASSERT(part->to != NULL);
    RF_TRY(archive_publish(run->archives, part->source->settings.account, rf_str_of(part->whole),
                           rf_str_of(part->to), &run->arena, err));
    forget_text(&part->whole);
    forget_text(&part->to);
    return RF_OK;
}

enum rf_kind archive_window_end(struct archive_run *run, bool full, struct rf_err *err)
{
    struct archive_part *part = run->part;
    if (part->events == 0 && part->temp == NULL && part->source->settings.skip_empty) {
        roll(part, next_start(part, full));
        return RF_OK;
    }
    RF_TRY(make_durable(run, err));
    (void)pthread_mutex_lock(&run->archives->publishing);
    enum rf_kind kind = name_file(run, full, err);
    if (kind == RF_OK) kind = publish(run, err);
    (void)pthread_mutex_unlock(&run->archives->publishing);
    return kind;
}

/* ---- after a start ------------------------------------------------------------------------------------------------------------ */

/* What the window under way had made goes: it is filled anew. */
static enum rf_kind drop_temp(struct archive_run *run, const struct archive_position *position,
                              struct rf_err *err)
{
    struct rf_fs *fs;
    const char *path;
    RF_TRY(archive_place(run->archives, position->account, position->temp, &run->arena, &fs, &path,
                         err));
    enum rf_kind kind = rf_fs_unlink(fs, path, err);
    return kind == RF_NOT_FOUND ? RF_OK : kind;
}

static enum rf_kind take_position(struct archive_run *run, const struct archive_position *position,
                                  struct rf_err *err)
{
    struct archive_part *part = run->part;
    const struct archive_settings *settings = &part->source->settings;
    rf_usec now = rf_clock_now(run->archives->clock);
    if (position->whole.len > 0)
        RF_TRY(archive_publish(run->archives, position->account, position->whole, position->to,
                               &run->arena, err));
    if (position->temp.len > 0) RF_TRY(drop_temp(run, position, err));
    part->next = position->next;
    part->start = position->window;
    /* Nothing was made under the name of this window, so it may begin now. */
    bool is_new = position->temp.len == 0 && now - part->start >= settings->interval;
    if (is_new) part->start = RF_MAX(whole_second(now), part->start);
    bool is_known = rf_str_eq(position->account, settings->account);
    return keep_text(&part->known_temp, is_known ? position->temp : (rf_str){0})
               ? RF_OK
               : rf_fail_memory(err, &run->arena);
}

enum rf_kind archive_window_load(struct archive_run *run, struct rf_err *err)
{
    struct archive_part *part = run->part;
    struct archive_position position;
    bool found;
    if (part->loaded) {
        (void)pthread_mutex_lock(&run->archives->publishing);
        enum rf_kind kind = publish(run, err);
        (void)pthread_mutex_unlock(&run->archives->publishing);
        return kind;
    }
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_read(run->archives->state, &txn, err));
    RF_TRY(archive_position_read(txn, part->source->id, part->partition, &run->arena, &position,
                                 &found, err));
    if (found) {
        RF_TRY(take_position(run, &position, err));
    } else {
        struct hub_partition_info info;
        RF_TRY(hub_partition_info(part->source->hub, part->partition, &info, err));
        part->next = info.begin;
        part->start = whole_second(rf_clock_now(run->archives->clock));
    }
    archive_window_restart(part);
    set_deadline(part);
    part->loaded = true;
    return RF_OK;
}
