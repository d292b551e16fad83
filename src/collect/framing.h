/* framing.h - cuts a stream of syslog into messages: octet counting ("83 <34>1 ...", RFC 6587 section 3.4.1 and RFC 5425) or
 * one message a line (3.4.2, by LF, CR LF or NUL). Which of both a connection speaks its first bytes tell. Knows no socket. */
#ifndef RF_COLLECT_FRAMING_H
#define RF_COLLECT_FRAMING_H

#include "base/rf.h"

enum { FRAMING_MESSAGE_BYTES_MAX = 64 << 10 };

enum framing_mode { FRAMING_UNKNOWN, FRAMING_COUNTED, FRAMING_LINES };
struct framing { /* zero at first */
    enum framing_mode mode;
    uint64_t skip; /* bytes of a counted message that was too long */
    bool in_line;  /* the rest of a line that was too long is skipped */
};

enum framing_result {
    FRAMING_MORE,    /* *used bytes may be dropped; the others must come again with further ones */
    FRAMING_MESSAGE, /* *message, which may be empty, is a view of `bytes` */
    FRAMING_CUT,     /* the same, and only its first FRAMING_MESSAGE_BYTES_MAX bytes are there */
    FRAMING_BAD /* counting was begun and no count follows; nothing behind it can be made out */
};
/* The next message of `bytes`. `is_end`: nothing follows, so that what is left is a line too. *used: how many bytes were taken. */
enum framing_result framing_next(struct framing *framing, rf_str bytes, bool is_end, size_t *used,
                                 rf_str *message);

#endif
