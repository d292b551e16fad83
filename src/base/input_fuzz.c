/* Any bytes as a file, packed or not: read in whole pieces from memory and in small ones from a file. Both give the same
 * text, unless one finds a fault: libzstd 1.5.4 looks at the size that a frame claims only when it sees the frame whole. */
#include "base/input.h"

#include "base/fs_fault.h"
#include "test/rf_fuzz.h"

enum { OUT_BYTES_MAX = 1 << 20, STEP_MAX = 1 << 16 };

struct reading {
    enum rf_kind kind;
    uint64_t bytes, hash;
};

/* Takes the input. */
static struct reading drain(struct input *input, size_t step)
{
    static uint8_t piece[STEP_MAX];
    struct reading r = {.kind = RF_OK};
    struct rf_err err = {0};
    for (size_t got = 1; got > 0 && r.bytes < OUT_BYTES_MAX;) {
        r.kind = input_read(input, piece, RF_MIN(step, OUT_BYTES_MAX - r.bytes), &got, &err);
        if (r.kind != RF_OK) break;
        RF_ASSERT(got <= step);
        for (size_t i = 0; i < got; i++) r.hash = r.hash * 31 + piece[i];
        r.bytes += got;
    }
    RF_ASSERT(input_offset(input) == r.bytes);
    RF_ASSERT(input_raw_offset(input) <= input_raw_bytes(input));
    input_free(input);
    return r;
}

static struct reading from_memory(rf_str text)
{
    struct input *input;
    struct rf_err err;
    enum rf_kind kind = input_open_memory(text, &input, &err);
    return kind == RF_OK ? drain(input, STEP_MAX) : (struct reading){.kind = kind};
}

static struct reading from_file(rf_str text, size_t step)
{
    struct rf_fs_fault *fault = rf_fs_fault_new(1);
    struct rf_fs *fs = rf_fs_fault_fs(fault);
    struct rf_file *file;
    struct input *input;
    struct rf_err err;
    RF_ASSERT(rf_fs_open(fs, "/f", RF_OPEN_WRITE | RF_OPEN_CREATE, &file, &err) == RF_OK);
    RF_ASSERT(rf_file_write(file, text.ptr, text.len, &err) == RF_OK);
    rf_file_close(file);
    enum rf_kind kind = input_open(fs, "/f", &input, &err);
    struct reading r = kind == RF_OK ? drain(input, step) : (struct reading){.kind = kind};
    rf_fs_fault_free(fault);
    return r;
}

RF_FUZZ(input, text)
{
    struct reading memory = from_memory(text), file = from_file(text, 1 + text.len % 777);
    if (memory.bytes == OUT_BYTES_MAX || file.bytes == OUT_BYTES_MAX) return;
    if (memory.kind != RF_OK || file.kind != RF_OK) return;
    RF_ASSERT(memory.bytes == file.bytes && memory.hash == file.hash);
}
