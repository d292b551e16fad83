#include "collect/framing.h"

enum { COUNT_DIGITS_MAX = 9 };

/* "123 " at the start; false when it is none. *bytes is 0 while more is needed to tell. */
static bool read_count(rf_str bytes, size_t *head, uint64_t *count)
{
    size_t at = 0;
    *head = 0;
    *count = 0;
    while (at < bytes.len && at < COUNT_DIGITS_MAX && rf_is_digit(bytes.ptr[at]))
        *count = *count * 10 + (uint64_t)(bytes.ptr[at++] - '0');
    if (at == 0 || bytes.ptr[0] == '0') return false;
    if (at == bytes.len) return at < COUNT_DIGITS_MAX;
    if (bytes.ptr[at] != ' ') return false;
    *head = at + 1;
    return true;
}

/* A line may begin with a number too: what is counted begins with its priority. */
static enum framing_mode find_mode(rf_str bytes, bool is_end)
{
    size_t head;
    uint64_t count;
    if (!read_count(bytes, &head, &count)) return FRAMING_LINES;
    if (head == 0 || head == bytes.len) return is_end ? FRAMING_LINES : FRAMING_UNKNOWN;
    return bytes.ptr[head] == '<' ? FRAMING_COUNTED : FRAMING_LINES;
}

static enum framing_result next_counted(struct framing *framing, rf_str bytes, bool is_end,
                                        size_t *used, rf_str *message)
{
    size_t head, from = 0;
    uint64_t count;
    /* Some senders end counted messages with a line's end that they do not count. */
    while (from < bytes.len && (bytes.ptr[from] == '\n' || bytes.ptr[from] == '\r')) from++;
    *used = from;
    rf_str rest = rf_slice(bytes, from, bytes.len);
    if (rest.len == 0) return FRAMING_MORE;
    if (!read_count(rest, &head, &count)) return FRAMING_BAD;
    if (head == 0) return is_end ? FRAMING_BAD : FRAMING_MORE;
    size_t there = rest.len - head;
    if (count > FRAMING_MESSAGE_BYTES_MAX && there >= FRAMING_MESSAGE_BYTES_MAX) {
        *message = rf_slice(rest, head, head + FRAMING_MESSAGE_BYTES_MAX);
        *used = from + head + FRAMING_MESSAGE_BYTES_MAX;
        framing->skip = count - FRAMING_MESSAGE_BYTES_MAX;
        return FRAMING_CUT;
    }
    if (there < count) {
        if (!is_end) return FRAMING_MORE;
        *message = rf_slice(rest, head, rest.len);
        *used = bytes.len;
        return FRAMING_CUT;
    }
    *message = rf_slice(rest, head, head + (size_t)count);
    *used = from + head + (size_t)count;
    return FRAMING_MESSAGE;
}

static enum framing_result next_line(struct framing *framing, rf_str bytes, bool is_end,
                                     size_t *used, rf_str *message)
{
    size_t most = RF_MIN(bytes.len, (size_t)FRAMING_MESSAGE_BYTES_MAX + 1), end = 0;
    while (end < most && bytes.ptr[end] != '\n' && bytes.ptr[end] != '\0') end++;
    bool whole = end < most;
    if (!whole && bytes.len <= FRAMING_MESSAGE_BYTES_MAX && (!is_end || bytes.len == 0))
        return FRAMING_MORE;
    bool cut = !whole && bytes.len > FRAMING_MESSAGE_BYTES_MAX;
    if (cut) end = FRAMING_MESSAGE_BYTES_MAX;
    *used = end + (whole ? 1 : 0);
    framing->in_line = cut;
    if (whole && end > 0 && bytes.ptr[end - 1] == '\r') end--;
    *message = rf_slice(bytes, 0, end);
    return cut ? FRAMING_CUT : FRAMING_MESSAGE;
}

/* Passes over what is left of a message that was cut; false: all bytes are of it. */
static bool skip_rest(struct framing *framing, rf_str bytes, size_t *used)
{
    if (framing->skip > 0) {
        size_t n = (size_t)RF_MIN(framing->skip, (uint64_t)bytes.len);
        framing->skip -= n;
        *used = n;
    } else if (framing->in_line) {
        size_t at = 0;
        while (at < bytes.len && bytes.ptr[at] != '\n' && bytes.ptr[at] != '\0') at++;
        framing->in_line = at == bytes.len;
        *used = at + (at < bytes.len ? 1 : 0);
    }
    return *used < bytes.len;
}

enum framing_result framing_next(struct framing *framing, rf_str bytes, bool is_end, size_t *used,
                                 rf_str *message)
{
    size_t skipped = 0, more = 0;
    *used = 0;
    if (bytes.len == 0) return FRAMING_MORE;
    if (!skip_rest(framing, bytes, &skipped)) {
        *used = skipped;
        return FRAMING_MORE;
    }
    rf_str rest = rf_slice(bytes, skipped, bytes.len);
    if (framing->mode == FRAMING_UNKNOWN) framing->mode = find_mode(rest, is_end);
    enum framing_result result = framing->mode == FRAMING_UNKNOWN ? FRAMING_MORE
                                 : framing->mode == FRAMING_COUNTED
                                     ? next_counted(framing, rest, is_end, &more, message)
                                     : next_line(framing, rest, is_end, &more, message);
    *used = skipped + more;
    return result;
}
