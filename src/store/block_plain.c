/* Plain texts: what block_texts.c finds no other form for.
 *
 *    0 13  head: see block_texts.c          13     ints: the lengths
 *          1  texts a pack, as a power of two
 *          for each pack: u32 where its bytes end, counted from the first one's beginning; u32 guids
 *          packs: the packed bytes of the texts, with a byte 1 in the place of each guid (8-4-4-4-12 lower case hex
 *          digits); if there are guids, 16 packed bytes of each
 *
 * A pack is unpacked when one of its texts is asked for. What the texts of a column have in common is in the first pack
 * already: the others are packed as if its bytes (with marks) stood before theirs, so that small packs cost hardly
 * more than one large one. */
#include "store/block_int.h"

#if defined(__x86_64__)
#include <emmintrin.h>
#endif

enum {
    PACK_BYTES = 32 << 10, /* of texts, at most, unless one is longer */
    PACK_SHIFT_MAX = 20,
    PACK_ENTRY_BYTES = 8,
    MARKED_BYTES_MAX = 16 << 20
};
enum { GUID_MARK = 1, GUID_TEXT_BYTES = 36, GUID_BYTES = 16, GUID_ONE_IN_BYTES = 4096 };

static const struct block_text_form guid_form = {.kind = BLOCK_TEXT_GUID};

static uint32_t pack_count_of(uint32_t count, unsigned shift)
{
    return (uint32_t)(((uint64_t)count + (UINT64_C(1) << shift) - 1) >> shift);
}

/* ---- guids ---------------------------------------------------------------------------------------------- */

/* What encoding needs room for, pack after pack. */
struct maker {
    struct block_buf lengths, bytes; /* of all texts */
    struct block_buf marked, guids, places;
    struct block_buf first; /* bytes of the first pack, with marks */
};

/* A bit for each of 64 bytes that is `byte`. */
static uint64_t mask_of(const uint8_t *p, uint8_t byte)
{
    uint64_t mask = 0;
#if defined(__x86_64__)
    __m128i wanted = _mm_set1_epi8((char)byte);
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        __m128i c = _mm_loadu_si128((const __m128i *)(const void *)(p + i * 16));
        mask |= (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(c, wanted)) << i * 16;
    }
#else
    for (int i = 0; i < 64; i++) mask |= (uint64_t)(p[i] == byte) << i;
#endif
    return mask;
}

/* Notes guids and where they stand, each behind the one before. *marked: the text holds the mark already. */
static bool find_guids(rf_str text, struct block_buf *places, struct block_buf *guids, bool *marked)
{
    enum { STEP = 64 };
    uint8_t tail[2 * STEP];
    uint64_t hyphens = 0; /* of the step at hand */
    size_t next = 0;
    *marked = false;
    for (size_t ahead = 0, at = 0; at < text.len; ahead += STEP) {
        uint64_t more = 0;
        if (ahead < text.len) {
            const uint8_t *p = text.ptr + ahead;
            if (text.len - ahead < STEP) {
                memset(tail, 0, STEP);
                memcpy(tail, p, text.len - ahead);
                p = tail;
            }
            more = mask_of(p, '-');
            if (mask_of(p, GUID_MARK) != 0) {
                *marked = true;
                return true;
            }
        }
        if (ahead > 0) {
            uint64_t first = hyphens & (hyphens >> 5 | more << 59) & (hyphens >> 10 | more << 54) &
                             (hyphens >> 15 | more << 49);
            for (; first != 0; first &= first - 1) {
                size_t hyphen = at + (size_t)__builtin_ctzll(first), from = hyphen - 8;
                uint8_t cell[GUID_BYTES];
                int64_t unused;
                if (hyphen < next + 8 || text.len - from < GUID_TEXT_BYTES) continue;
                rf_str guid = rf_str_make(text.ptr + from, GUID_TEXT_BYTES);
                if (!block_text_parse(&guid_form, guid, &unused, cell)) continue;
                if (!block_buf_u32(places, (uint32_t)from) ||
                    !block_buf_put(guids, cell, sizeof cell))
                    return false;
                next = from + GUID_TEXT_BYTES;
            }
            at += STEP;
        }
        hyphens = more;
    }
    return true;
}

/* Random digits are what compresses worst: each guid in the text leaves a mark, and goes to a list of its own. The
 * text is left alone when it holds the mark already, or hardly a guid: `guids` is empty then. */
static bool pull_guids(rf_str text, struct maker *m)
{
    bool marked = true;
    m->marked.len = m->guids.len = m->places.len = 0;
    if (text.len > 0 && text.len <= MARKED_BYTES_MAX &&
        !find_guids(text, &m->places, &m->guids, &marked))
        return false;
    if (marked || m->guids.len / GUID_BYTES < text.len / GUID_ONE_IN_BYTES) m->guids.len = 0;
    size_t count = m->guids.len / GUID_BYTES, from = 0;
    if (count > 0 && !block_buf_reserve(&m->marked, text.len)) return false;
    for (size_t i = 0; i <= count && count > 0; i++) {
        size_t to = i == count ? text.len : rf_get_u32le(m->places.ptr + i * 4);
        memcpy(m->marked.ptr + m->marked.len, text.ptr + from, to - from);
        m->marked.len += to - from;
        if (i < count) m->marked.ptr[m->marked.len++] = GUID_MARK;
        from = to + GUID_TEXT_BYTES;
    }
    return true;
}

/* ---- encoding ------------------------------------------------------------------------------------------- */

/* True, with the bytes of all, when the texts lie one behind the other, as those of a column do. */
static bool lie_together(const rf_str *items, uint32_t count, rf_str *all)
{
    *all = (rf_str){0};
    for (uint32_t i = 0; i < count; i++) {
        if (items[i].len == 0) continue;
        if (all->len == 0) all->ptr = items[i].ptr;
        if (items[i].ptr != all->ptr + all->len) return false;
        all->len += items[i].len;
    }
    return true;
}

static void put_together(struct block_buf *bytes, const rf_str *items, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (items[i].len > 0) memcpy(bytes->ptr + bytes->len, items[i].ptr, items[i].len);
        bytes->len += items[i].len;
    }
}

static unsigned pack_shift_for(uint64_t bytes, uint32_t count)
{
    unsigned shift = 0;
    while (shift < PACK_SHIFT_MAX && count >> shift > 1 &&
           (bytes << (shift + 1)) / count <= PACK_BYTES)
        shift++;
    return shift;
}

static bool put_pack(struct block_codec *codec, struct block_buf *out, rf_str text, bool is_first,
                     struct maker *m)
{
    if (!pull_guids(text, m)) return false;
    if (m->guids.len > 0) text = block_buf_view(&m->marked);
    if (!block_pack_after(codec, out, text, block_buf_view(&m->first))) return false;
    if (is_first && !block_buf_put(&m->first, text.ptr, text.len)) return false;
    return m->guids.len == 0 || block_pack_cells(codec, out, block_buf_view(&m->guids), GUID_BYTES);
}

static bool put_packs(struct block_codec *codec, struct block_buf *out, const rf_str *items,
                      uint32_t count, rf_str text, struct maker *m)
{
    unsigned shift = pack_shift_for(text.len, count);
    uint32_t packs = pack_count_of(count, shift), item = 0;
    if (!block_buf_u8(out, (uint8_t)shift) ||
        !block_buf_reserve(out, (size_t)packs * PACK_ENTRY_BYTES))
        return false;
    size_t table = out->len, first = table + (size_t)packs * PACK_ENTRY_BYTES, from = 0, to = 0;
    out->len = first;
    for (uint32_t pack = 0; pack < packs; pack++, from = to) {
        for (uint32_t end = RF_MIN(count - item, 1u << shift) + item; item < end; item++)
            to += items[item].len;
        if (!put_pack(codec, out, rf_slice(text, from, to), pack == 0, m)) return false;
        uint8_t *entry = out->ptr + table + (size_t)pack * PACK_ENTRY_BYTES;
        rf_put_u32le(entry, (uint32_t)(out->len - first));
        rf_put_u32le(entry + 4, (uint32_t)(m->guids.len / GUID_BYTES));
    }
    return true;
}

static bool put_plain(struct block_codec *codec, struct block_buf *out, const rf_str *items,
                      uint32_t count, struct maker *m)
{
    static const uint8_t head[BLOCK_TEXTS_HEAD_BYTES] = {BLOCK_TEXT_PLAIN};
    size_t total = 0, start = out->len, ints = start + sizeof head;
    rf_str text;
    if (!block_buf_reserve(&m->lengths, (size_t)count * 4)) return false;
    for (uint32_t i = 0; i < count; i++) {
        rf_put_u32le(m->lengths.ptr + (size_t)i * 4, (uint32_t)items[i].len);
        total += items[i].len;
    }
    RF_ASSERT(total <= BLOCK_TEXT_BYTES_MAX);
    if (!lie_together(items, count, &text)) {
        if (!block_buf_reserve(&m->bytes, total)) return false;
        put_together(&m->bytes, items, count);
        text = block_buf_view(&m->bytes);
    }
    if (!block_buf_put(out, head, sizeof head) ||
        !block_ints_encode(out, &(struct block_cells){m->lengths.ptr, 4, count}))
        return false;
    rf_put_u32le(out->ptr + start + 9, (uint32_t)(out->len - ints));
    return put_packs(codec, out, items, count, text, m);
}

bool block_plain_encode(struct block_codec *codec, struct block_buf *out, const rf_str *items,
                        uint32_t count)
{
    struct block_buf empty = block_buf_in(out->budget);
    struct maker m = {empty, empty, empty, empty, empty, empty};
    bool good = put_plain(codec, out, items, count, &m);
    block_buf_done(&m.lengths);
    block_buf_done(&m.bytes);
    block_buf_done(&m.marked);
    block_buf_done(&m.guids);
    block_buf_done(&m.places);
    block_buf_done(&m.first);
    return good;
}

/* ---- opening -------------------------------------------------------------------------------------------- */

/* Room for so many bytes. What is there is not kept. */
static bool make_room(struct block_buf *buf, size_t bytes)
{
    if (bytes > buf->cap) block_buf_done(buf);
    buf->len = 0;
    return block_buf_reserve(buf, bytes);
}

/* The table of packs, whose ends must rise to that of the bytes. */
static enum rf_kind open_packs(struct block_texts *t, size_t at, struct rf_err *err)
{
    struct block_reader r = {t->bytes, at, false};
    t->pack_shift = block_take_u8(&r);
    if (t->pack_shift > PACK_SHIFT_MAX) return block_corrupt(err, "packs have a bad head");
    t->pack_count = pack_count_of(t->count, t->pack_shift);
    t->packs = block_take(&r, (size_t)t->pack_count * PACK_ENTRY_BYTES);
    if (r.failed) return block_corrupt(err, "packs are cut short");
    size_t last = 0, bytes = t->bytes.len - r.at;
    for (uint32_t i = 0; i < t->pack_count; i++) {
        size_t end = rf_get_u32le(t->packs + (size_t)i * PACK_ENTRY_BYTES);
        if (end < last || end > bytes) return block_corrupt(err, "a pack is out of range");
        last = end;
    }
    return last == bytes ? RF_OK : block_corrupt(err, "packs are followed by other bytes");
}

/* Lengths become ends, which say where each text will lie when it is unpacked. */
static enum rf_kind open_lengths(struct block_texts *t, rf_str ints, size_t *bytes,
                                 struct rf_err *err)
{
    BLOCK_SCRATCH uint32_t lengths[BLOCK_PAGE_ROWS];
    uint32_t got;
    size_t used = 0;
    RF_TRY(block_ints_open(&t->ints, ints, t->count, &t->room, err));
    if (!make_room(&t->views, (size_t)t->count * sizeof(rf_str) + t->pack_count))
        return block_no_memory(err, t->views.budget);
    rf_str *view = (rf_str *)(void *)t->views.ptr;
    for (uint32_t page = 0; page * BLOCK_PAGE_ROWS < t->count; page++) {
        RF_TRY(block_codes_page(&t->ints, page, BLOCK_TEXT_BYTES_MAX + 1u, lengths, &got, err));
        for (uint32_t i = 0; i < got; i++, view++) {
            *view = (rf_str){NULL, lengths[i]};
            used += lengths[i];
        }
    }
    *bytes = used;
    return used <= BLOCK_TEXT_BYTES_MAX ? RF_OK : block_corrupt(err, "texts are too long");
}

enum rf_kind block_plain_open(struct block_texts *t, rf_str ints, size_t at, struct rf_err *err)
{
    size_t bytes = 0;
    if (t->exceptions != 0) return block_corrupt(err, "texts have a bad head");
    RF_TRY(open_packs(t, at, err));
    RF_TRY(open_lengths(t, ints, &bytes, err));
    /* One more, so that there is a place even for nothing. */
    if (!make_room(&t->memory, bytes + 1)) return block_no_memory(err, t->memory.budget);
    t->memory.len = bytes;
    rf_str *views = (rf_str *)(void *)t->views.ptr;
    const uint8_t *text = t->memory.ptr;
    for (uint32_t i = 0; i < t->count; text += views[i++].len) views[i].ptr = text;
    if (t->count > 0) memset(views + t->count, 0, t->pack_count); /* none is unpacked */
    return RF_OK;
}

/* ---- unpacking ------------------------------------------------------------------------------------------ */

/* Puts the guids back where their marks stand: `len` bytes of text then have become `len` and GUID_TEXT_BYTES - 1 more
 * for each. */
static enum rf_kind push_guids(const uint8_t *marked, size_t len, const uint8_t *guids,
                               size_t count, uint8_t *to, struct rf_err *err)
{
    for (size_t i = 0; i < count; i++) {
        const uint8_t *mark = memchr(marked, GUID_MARK, len);
        if (mark == NULL) return block_corrupt(err, "a guid has no place");
        size_t before = (size_t)(mark - marked);
        memcpy(to, marked, before);
        to += before;
        to += block_text_print(&guid_form, 0, guids + i * GUID_BYTES, to);
        marked = mark + 1;
        len -= before + 1;
    }
    memcpy(to, marked, len);
    return RF_OK;
}

/* Where a pack is, and what it becomes. */
struct pack {
    rf_str bytes;
    uint8_t *to;
    size_t text_bytes, guids, marked_bytes; /* marked: with a mark for each guid */
};

static enum rf_kind find_pack(struct block_texts *t, uint32_t number, struct pack *out,
                              struct rf_err *err)
{
    const rf_str *views = (const rf_str *)(const void *)t->views.ptr;
    const uint8_t *entry = t->packs + (size_t)number * PACK_ENTRY_BYTES,
                  *first = t->packs + (size_t)t->pack_count * PACK_ENTRY_BYTES;
    size_t from = number == 0 ? 0 : rf_get_u32le(entry - PACK_ENTRY_BYTES);
    uint32_t item = number << t->pack_shift, next = (number + 1) << t->pack_shift;
    const uint8_t *to = views[item].ptr,
                  *end = next < t->count ? views[next].ptr : t->memory.ptr + t->memory.len;
    *out = (struct pack){.bytes = rf_str_make(first + from, rf_get_u32le(entry) - from),
                         .to = t->memory.ptr + (to - t->memory.ptr),
                         .text_bytes = (size_t)(end - to),
                         .guids = rf_get_u32le(entry + 4)};
    if (out->guids > out->text_bytes / GUID_TEXT_BYTES)
        return block_corrupt(err, "guids are too many");
    out->marked_bytes = out->text_bytes - out->guids * (GUID_TEXT_BYTES - 1);
    return RF_OK;
}

/* The bytes of the first pack, with marks, which the others need. They lie in the memory at once where no guid is. */
static enum rf_kind need_first(struct block_texts *t, struct rf_err *err)
{
    struct pack first;
    size_t at = 0;
    if (t->before.ptr != NULL) return RF_OK;
    RF_TRY(find_pack(t, 0, &first, err));
    uint8_t *to = first.to;
    if (first.guids > 0) {
        if (!make_room(&t->first, first.marked_bytes)) return block_no_memory(err, t->first.budget);
        to = t->first.ptr;
    }
    RF_TRY(block_unpack_to(t->codec, first.bytes, &at, (rf_str){0}, to, first.marked_bytes, err));
    t->before = rf_str_make(to, first.marked_bytes);
    t->before_end = at;
    return RF_OK;
}

/* `to`: room for the pack's texts; NULL: their place in the memory. */
static enum rf_kind unpack(struct block_texts *t, uint32_t number, struct block_buf *to,
                           struct rf_err *err)
{
    struct pack p;
    RF_TRY(find_pack(t, number, &p, err));
    RF_TRY(need_first(t, err));
    if (to != NULL) {
        if (!make_room(to, p.text_bytes + 1)) return block_no_memory(err, to->budget);
        p.to = to->ptr;
    }
    size_t guid_bytes = p.guids * GUID_BYTES, at = number == 0 ? t->before_end : 0;
    const uint8_t *marked = t->before.ptr;
    if (p.guids > 0 && !make_room(&t->room, guid_bytes + p.marked_bytes))
        return block_no_memory(err, t->room.budget);
    if (number > 0) {
        uint8_t *raw = p.guids > 0 ? t->room.ptr + guid_bytes : p.to;
        RF_TRY(block_unpack_to(t->codec, p.bytes, &at, t->before, raw, p.marked_bytes, err));
        marked = raw;
    }
    if (p.guids > 0) {
        RF_TRY(block_unpack_to(t->codec, p.bytes, &at, (rf_str){0}, t->room.ptr, guid_bytes, err));
        RF_TRY(push_guids(marked, p.marked_bytes, t->room.ptr, p.guids, p.to, err));
    }
    return at == p.bytes.len ? RF_OK : block_corrupt(err, "a pack is followed by other bytes");
}

enum rf_kind block_plain_need(struct block_texts *t, uint32_t from, uint32_t to, struct rf_err *err)
{
    if (from >= to) return RF_OK; /* there may be no texts at all, and no room for them */
    uint8_t *unpacked = t->views.ptr + (size_t)t->count * sizeof(rf_str);
    for (uint32_t pack = from >> t->pack_shift; pack <= (to - 1) >> t->pack_shift; pack++) {
        if (unpacked[pack] != 0) continue;
        RF_TRY(unpack(t, pack, NULL, err));
        unpacked[pack] = 1;
    }
    return RF_OK;
}

enum rf_kind block_plain_one(struct block_texts *t, uint32_t item, rf_str *out, struct rf_err *err)
{
    const rf_str *views = (const rf_str *)(const void *)t->views.ptr;
    const uint8_t *unpacked = t->views.ptr + (size_t)t->count * sizeof(rf_str);
    uint32_t pack = item >> t->pack_shift;
    *out = views[item];
    if (unpacked[pack] != 0) return RF_OK;
    /* The first pack is needed by all others. After as many packs as there are, the same ones come again and again. */
    if (pack == 0 || (t->lone_pack != pack && t->lone_count >= t->pack_count))
        return block_plain_need(t, item, item + 1, err);
    if (t->lone_pack != pack) {
        t->lone_pack = 0;
        t->lone_count++;
        RF_TRY(unpack(t, pack, &t->printed, err));
        t->lone_pack = pack;
    }
    out->ptr = t->printed.ptr + (views[item].ptr - views[pack << t->pack_shift].ptr);
    return RF_OK;
}
