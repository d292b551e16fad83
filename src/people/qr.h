/* qr.h - QR codes (ISO/IEC 18004), model 2, of bytes at level M: enough for the address that an authenticator reads. */
#ifndef RF_QR_H
#define RF_QR_H

#include "base/rf.h"

enum { QR_VERSION_MAX = 15, QR_SIZE_MAX = 17 + 4 * QR_VERSION_MAX, QR_BYTES_MAX = 412 };
struct qr {
    uint32_t size; /* modules on a side; without the quiet zone, which is four more on each */
    bool dark[QR_SIZE_MAX][QR_SIZE_MAX]; /* [row][column] */
};
/* False: more than QR_BYTES_MAX bytes. */
bool qr_encode(rf_str text, struct qr *out);

#endif
