/* What comes out is read by zbarimg where that is installed; its shape is checked everywhere. */
#include "test/rf_prop.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "people/qr.h"

static bool is_finder(const struct qr *qr, unsigned row, unsigned column)
{
    static const char *const rows[] = {"1111111", "1000001", "1011101", "1011101",
                                       "1011101", "1000001", "1111111"};
    for (unsigned y = 0; y < 7; y++)
        for (unsigned x = 0; x < 7; x++)
            if (qr->dark[row + y][column + x] != (rows[y][x] == '1')) return false;
    return true;
}

/* What zbarimg reads; 0: it is not there, -1: it reads nothing or something else. */
static int read_back(const struct qr *qr, rf_str text)
{
    enum { SCALE = 4, QUIET = 4 };
    char path[] = "/tmp/rf-qr-XXXXXX", command[128], got[2048] = {0};
    int fd = mkstemp(path);
    cr_assert(fd >= 0);
    FILE *file = fdopen(fd, "w");
    unsigned side = (qr->size + 2 * QUIET) * SCALE;
    fprintf(file, "P5 %u %u 255\n", side, side);
    for (unsigned y = 0; y < side; y++)
        for (unsigned x = 0; x < side; x++) {
            unsigned r = y / SCALE - QUIET, c = x / SCALE - QUIET;
            bool dark = r < qr->size && c < qr->size && qr->dark[r][c];
            fputc(dark ? 0 : 255, file);
        }
    fclose(file);
    snprintf(command, sizeof command, "zbarimg -q --raw -Sbinary %s 2>/dev/null", path);
    FILE *pipe = popen(command, "r");
    size_t len = fread(got, 1, sizeof got - 1, pipe);
    int status = pclose(pipe);
    unlink(path);
    if (WEXITSTATUS(status) == 127) return 0;
    return rf_str_eq(rf_str_make((uint8_t *)got, len), text) ? 1 : -1;
}

Test(qr, every_version, .timeout = 120)
{
    static struct qr qr;
    uint8_t text[QR_BYTES_MAX + 1];
    uint32_t last = 0;
    unsigned sizes = 0;
    for (size_t i = 0; i < sizeof text; i++) text[i] = (uint8_t)('!' + (i * 31 + i / 7) % 90);
    for (size_t len = 1; len <= QR_BYTES_MAX; len++) {
        cr_assert(qr_encode(rf_str_make(text, len), &qr), "%zu", len);
        cr_assert(qr.size >= last, "%zu", len);
        cr_assert(is_finder(&qr, 0, 0) && is_finder(&qr, 0, qr.size - 7) &&
                  is_finder(&qr, qr.size - 7, 0));
        for (unsigned i = 8; i < qr.size - 8; i++)
            cr_assert(qr.dark[6][i] == (i % 2 == 0) && qr.dark[i][6] == (i % 2 == 0));
        /* The first and the last length of each size. */
        bool edge = qr.size != last || len == QR_BYTES_MAX;
        sizes += qr.size != last;
        if (edge) cr_assert(read_back(&qr, rf_str_make(text, len)) >= 0, "%zu bytes", len);
        last = qr.size;
    }
    cr_assert(sizes == QR_VERSION_MAX);
    cr_assert(!qr_encode(rf_str_make(text, QR_BYTES_MAX + 1), &qr));
}

Test(qr, an_address_for_an_authenticator)
{
    static struct qr qr;
    rf_str uri = RF_S("otpauth://totp/Ringfort:maeve.byrne@contoso.example?secret="
                      "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Ringfort&digits=6&period=30");
    cr_assert(qr_encode(uri, &qr));
    cr_assert(read_back(&qr, uri) >= 0);
}
