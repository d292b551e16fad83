#include "people/qr.h"

enum {
    CODEWORDS_MAX = 655,
    BLOCKS_MAX = 10,
    CHECK_MAX = 30,
    MASKS = 8,
    MODE_BYTES = 4,
    LEVEL_M = 0
};

/* Of level M, by version: check bytes of a block, and blocks. */
static const uint8_t check_bytes[QR_VERSION_MAX + 1] = {0,  10, 16, 26, 18, 24, 16, 18,
                                                        22, 22, 26, 30, 22, 22, 24, 24},
                                                  block_counts[QR_VERSION_MAX + 1] = {
                                                      0, 1, 1, 1, 2, 2, 4, 4,
                                                      4, 5, 5, 5, 8, 9, 9, 10};

struct drawing {
    struct qr *qr;
    bool fixed[QR_SIZE_MAX][QR_SIZE_MAX]; /* no place for data */
};

/* ---- the field of 256 elements, by x^8+x^4+x^3+x^2+1 --------------------------------------------------------------------- */

static uint8_t multiply(uint8_t a, uint8_t b)
{
    unsigned product = 0;
    for (int i = 7; i >= 0; i--) {
        product = product << 1 ^ (product >> 7 & 1) * 0x11d;
        if (b >> i & 1) product ^= a;
    }
    return (uint8_t)product;
}

/* The remainder of the data by the generator of that degree (Reed-Solomon). */
static void check_of(const uint8_t *data, size_t len, unsigned degree, uint8_t *out)
{
    uint8_t generator[CHECK_MAX] = {0}, root = 1;
    generator[degree - 1] = 1;
    for (unsigned i = 0; i < degree; i++) {
        for (unsigned k = 0; k < degree; k++) {
            generator[k] = multiply(generator[k], root);
            if (k + 1 < degree) generator[k] ^= generator[k + 1];
        }
        root = multiply(root, 2);
    }
    memset(out, 0, degree);
    for (size_t i = 0; i < len; i++) {
        uint8_t factor = data[i] ^ out[0];
        memmove(out, out + 1, degree - 1);
        out[degree - 1] = 0;
        for (unsigned k = 0; k < degree; k++) out[k] ^= multiply(generator[k], factor);
    }
}

/* ---- how much fits --------------------------------------------------------------------------------------------------------- */

static unsigned codewords_of(unsigned version)
{
    unsigned modules = (16 * version + 128) * version + 64;
    if (version >= 2) {
        unsigned patterns = version / 7 + 2;
        modules -= (25 * patterns - 10) * patterns - 55;
    }
    if (version >= 7) modules -= 36;
    return modules / 8;
}

static unsigned data_bytes_of(unsigned version)
{
    return codewords_of(version) - check_bytes[version] * block_counts[version];
}

/* Mode, length, text. */
static size_t head_bits(unsigned version) { return 4 + (version < 10 ? 8 : 16); }

/* ---- codewords --------------------------------------------------------------------------------------------------------------- */

struct bits {
    uint8_t *bytes;
    size_t count;
};

static void put_bits(struct bits *out, unsigned value, unsigned count)
{
    while (count-- > 0) {
        if (value >> count & 1) out->bytes[out->count / 8] |= (uint8_t)(0x80 >> out->count % 8);
        out->count++;
    }
}

static void put_data(rf_str text, unsigned version, uint8_t *out)
{
    size_t room = data_bytes_of(version);
    struct bits bits = {.bytes = out};
    memset(out, 0, room);
    put_bits(&bits, MODE_BYTES, 4);
    put_bits(&bits, (unsigned)text.len, version < 10 ? 8 : 16);
    for (size_t i = 0; i < text.len; i++) put_bits(&bits, text.ptr[i], 8);
    size_t used =
        RF_MIN((bits.count + 4 + 7) / 8, room); /* four zero bits end it, where they fit */
    for (uint8_t pad = 0xec; used < room; pad ^= 0xec ^ 0x11) out[used++] = pad;
}

/* Blocks with their check bytes, one byte of each in turn. The later blocks have a byte more when the data do not divide. */
static void interleave(const uint8_t *data, unsigned version, uint8_t *out)
{
    uint8_t check[BLOCKS_MAX][CHECK_MAX];
    unsigned blocks = block_counts[version], degree = check_bytes[version];
    unsigned total = data_bytes_of(version), shorter = total / blocks, longer = total % blocks;
    size_t at = 0;
    unsigned from = 0;
    for (unsigned b = 0; b < blocks; b++) {
        unsigned len = shorter + (b >= blocks - longer);
        check_of(data + from, len, degree, check[b]);
        from += len;
    }
    for (unsigned i = 0; i <= shorter; i++) {
        from = 0;
        for (unsigned b = 0; b < blocks; b++) {
            unsigned len = shorter + (b >= blocks - longer);
            if (i < len) out[at++] = data[from + i];
            from += len;
        }
    }
    for (unsigned i = 0; i < degree; i++)
        for (unsigned b = 0; b < blocks; b++) out[at++] = check[b][i];
}

/* ---- patterns ------------------------------------------------------------------------------------------------------------------ */

static void set(struct drawing *d, unsigned row, unsigned column, bool dark)
{
    d->qr->dark[row][column] = dark;
    d->fixed[row][column] = true;
}

static int distance(int row, int column)
{
    row = row < 0 ? -row : row;
    column = column < 0 ? -column : column;
    return RF_MAX(row, column);
}

static void put_finder(struct drawing *d, int row, int column)
{
    int size = (int)d->qr->size;
    for (int y = -4; y <= 4; y++)
        for (int x = -4; x <= 4; x++) {
            int r = row + y, c = column + x, far = distance(y, x);
            if (r < 0 || c < 0 || r >= size || c >= size) continue;
            set(d, (unsigned)r, (unsigned)c, far != 2 && far != 4);
        }
}

static unsigned alignments(unsigned version, unsigned at[QR_VERSION_MAX / 7 + 2])
{
    if (version == 1) return 0;
    unsigned count = version / 7 + 2;
    unsigned step = (version * 4 + count * 2 + 1) / (count * 2 - 2) * 2;
    unsigned place = 17 + 4 * version - 7;
    for (unsigned i = count - 1; i >= 1; i--, place -= step) at[i] = place;
    at[0] = 6;
    return count;
}

static void put_alignments(struct drawing *d, unsigned version)
{
    unsigned at[QR_VERSION_MAX / 7 + 2], count = alignments(version, at);
    for (unsigned i = 0; i < count; i++)
        for (unsigned k = 0; k < count; k++) {
            bool corner =
                (i == 0 && k == 0) || (i == 0 && k == count - 1) || (i == count - 1 && k == 0);
            if (corner) continue;
            for (int y = -2; y <= 2; y++)
                for (int x = -2; x <= 2; x++)
                    set(d, (unsigned)((int)at[i] + y), (unsigned)((int)at[k] + x),
                        distance(y, x) != 1);
        }
}

/* Level and mask with ten check bits, twice. */
static void put_format(struct drawing *d, unsigned mask)
{
    unsigned size = d->qr->size, data = LEVEL_M << 3 | mask, rest = data;
    for (int i = 0; i < 10; i++) rest = rest << 1 ^ (rest >> 9) * 0x537;
    unsigned bits = (data << 10 | rest) ^ 0x5412;
    for (unsigned i = 0; i < 15; i++) {
        bool bit = bits >> i & 1;
        unsigned along = i < 6 ? i : i < 8 ? i + 1 : 0;
        if (i < 8)
            set(d, along, 8, bit);
        else
            set(d, 8, i == 8 ? 7 : 14 - i, bit);
        if (i < 8)
            set(d, 8, size - 1 - i, bit);
        else
            set(d, size - 15 + i, 8, bit);
    }
    set(d, size - 8, 8, true);
}

static void put_version(struct drawing *d, unsigned version)
{
    if (version < 7) return;
    unsigned rest = version, size = d->qr->size;
    for (int i = 0; i < 12; i++) rest = rest << 1 ^ (rest >> 11) * 0x1f25;
    unsigned bits = version << 12 | rest;
    for (unsigned i = 0; i < 18; i++) {
        unsigned a = size - 11 + i % 3, b = i / 3;
        set(d, a, b, bits >> i & 1);
        set(d, b, a, bits >> i & 1);
    }
}

static void put_patterns(struct drawing *d, unsigned version)
{
    int size = (int)d->qr->size;
    for (unsigned i = 0; i < d->qr->size; i++) {
        set(d, 6, i, i % 2 == 0);
        set(d, i, 6, i % 2 == 0);
    }
    put_finder(d, 3, 3);
    put_finder(d, 3, size - 4);
    put_finder(d, size - 4, 3);
    put_alignments(d, version);
    put_format(d, 0);
    put_version(d, version);
}

/* ---- data -------------------------------------------------------------------------------------------------------------------- */

/* Two columns at a time from the right, up and down in turns; the timing column is passed over. */
static void put_codewords(struct drawing *d, const uint8_t *bytes, size_t count)
{
    size_t bit = 0;
    int size = (int)d->qr->size;
    for (int right = size - 1; right >= 1; right -= 2) {
        if (right == 6) right = 5;
        bool up = ((right + 1) & 2) == 0;
        for (int i = 0; i < size; i++)
            for (int k = 0; k < 2; k++) {
                int column = right - k, row = up ? size - 1 - i : i;
                if (d->fixed[row][column] || bit >= 8 * count) continue;
                d->qr->dark[row][column] = bytes[bit / 8] >> (7 - bit % 8) & 1;
                bit++;
            }
    }
}

static bool masked(unsigned mask, unsigned row, unsigned column)
{
    unsigned product = row * column;
    switch (mask) {
    case 0:
        return (row + column) % 2 == 0;
    case 1:
        return row % 2 == 0;
    case 2:
        return column % 3 == 0;
    case 3:
        return (row + column) % 3 == 0;
    case 4:
        return (row / 2 + column / 3) % 2 == 0;
    case 5:
        return product % 2 + product % 3 == 0;
    case 6:
        return (product % 2 + product % 3) % 2 == 0;
    default:
        return ((row + column) % 2 + product % 3) % 2 == 0;
    }
}

static void apply_mask(struct drawing *d, unsigned mask)
{
    for (unsigned row = 0; row < d->qr->size; row++)
        for (unsigned column = 0; column < d->qr->size; column++)
            if (!d->fixed[row][column] && masked(mask, row, column))
                d->qr->dark[row][column] = !d->qr->dark[row][column];
}

/* ---- which mask reads best (section 7.8.3) ------------------------------------------------------------------------------------ */

static bool at(const struct qr *qr, bool turned, unsigned line, unsigned i)
{
    return turned ? qr->dark[i][line] : qr->dark[line][i];
}

/* Runs of five and more, and what looks like a finder: dark 1 1 3 1 1 with four light ones on a side. */
static unsigned line_penalty(const struct qr *qr, bool turned, unsigned line)
{
    unsigned penalty = 0, run = 1, window = 0;
    for (unsigned i = 0; i < qr->size; i++) {
        bool dark = at(qr, turned, line, i);
        run = i > 0 && dark == at(qr, turned, line, i - 1) ? run + 1 : 1;
        if (run == 5) penalty += 3;
        if (run > 5) penalty += 1;
        window = (window << 1 | dark) & 0x7ff;
        if (i >= 10 && (window == 0x05d || window == 0x5d0)) penalty += 40;
    }
    return penalty;
}

static unsigned penalty_of(const struct qr *qr)
{
    unsigned penalty = 0, dark = 0, all = qr->size * qr->size;
    for (unsigned i = 0; i < qr->size; i++)
        penalty += line_penalty(qr, false, i) + line_penalty(qr, true, i);
    for (unsigned r = 0; r < qr->size; r++)
        for (unsigned c = 0; c < qr->size; c++) {
            dark += qr->dark[r][c];
            if (r + 1 == qr->size || c + 1 == qr->size) continue;
            unsigned four = (unsigned)qr->dark[r][c] + qr->dark[r][c + 1] + qr->dark[r + 1][c] +
                            qr->dark[r + 1][c + 1];
            if (four == 0 || four == 4) penalty += 3;
        }
    unsigned percent = dark * 100 / all;
    return penalty + (percent > 50 ? percent - 50 : 50 - percent) / 5 * 10;
}

static void choose_mask(struct drawing *d)
{
    unsigned best = 0, least = UINT32_MAX;
    for (unsigned mask = 0; mask < MASKS; mask++) {
        put_format(d, mask);
        apply_mask(d, mask);
        unsigned penalty = penalty_of(d->qr);
        apply_mask(d, mask); /* off again */
        if (penalty >= least) continue;
        least = penalty;
        best = mask;
    }
    put_format(d, best);
    apply_mask(d, best);
}

bool qr_encode(rf_str text, struct qr *out)
{
    uint8_t data[CODEWORDS_MAX], all[CODEWORDS_MAX];
    unsigned version = 1;
    while (version <= QR_VERSION_MAX &&
           head_bits(version) + 8 * text.len > 8 * (size_t)data_bytes_of(version))
        version++;
    if (version > QR_VERSION_MAX) return false;
    struct drawing drawing = {.qr = out};
    memset(out, 0, sizeof *out);
    out->size = 17 + 4 * version;
    put_patterns(&drawing, version);
    put_data(text, version, data);
    interleave(data, version, all);
    put_codewords(&drawing, all, codewords_of(version));
    choose_mask(&drawing);
    return true;
}
