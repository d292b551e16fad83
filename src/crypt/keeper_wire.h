/* keeper_wire.h - the messages between server and keeper as bytes. Knows no socket.
 *
 * One datagram per message, little endian, at most KEEPER_MESSAGE_BYTES_MAX:
 *
 *   0  2  type: a verb; an answer has KEEPER_ANSWER added
 *   2  2  version, KEEPER_WIRE_VERSION
 *   4  4  id: the caller's number, the answer repeats it
 *   8  4  bytes of the body
 *   12    body: the fields of the verb in a fixed order. Texts and bytes are a u32 length and the bytes, numbers 8 bytes,
 *         truths one byte, 0 or 1. An answer begins with its kind (one byte); one that is not RF_OK goes on with code and
 *         text.
 *
 *   verb          request                  answer
 *   tls_chain     -                        chain_pem, ca_pem
 *   jwt_keys      -                        count (8), then each kid, cert, from, until, signing
 *   jwt_rotate    emergency                -
 *   tls_sign      digest, SHA-256 of the   signature (DER)
 *                 certificate (or empty:
 *                 the newest)
 *   jwt_sign      signing input            signature
 *   mac           purpose, bytes           32 bytes
 *   store_key     -                        32 bytes
 *   jwt_sign_if   purpose, bytes,          match (8): the index of the MAC among them, KEEPER_NO_MATCH when it is none;
 *                 MACs (32 bytes each),    signature, empty then
 *                 signing input
 *   device_ca     -                        certificate (DER) of the authority over devices, made at first use
 *   device_issue  name, public key (DER),  certificate (DER)
 *                 seconds (8)
 *
 *   seal_*        the fields that keeper_wire.c counts, all of them bytes; see enum seal_field
 *
 * A reader takes a body to its last byte: a length that passes the end, bytes left over, an unknown verb, version or kind are
 * RF_INVALID ProtocolError, and the sender is not to be listened to any more. */
#ifndef RF_KEEPER_WIRE_H
#define RF_KEEPER_WIRE_H

#include "crypt/keeper.h"

enum { KEEPER_WIRE_VERSION = 1, KEEPER_HEADER_BYTES = 12, KEEPER_MESSAGE_BYTES_MAX = 64 << 10 };
enum keeper_verb {
    KEEPER_TLS_CHAIN = 1,
    KEEPER_JWT_KEYS,
    KEEPER_JWT_ROTATE,
    KEEPER_TLS_SIGN,
    KEEPER_JWT_SIGN,
    KEEPER_MAC,
    KEEPER_STORE_KEY,
    KEEPER_JWT_SIGN_IF,
    KEEPER_DEVICE_CA,
    KEEPER_DEVICE_ISSUE,
    /* Of vault_seal.h, by the names of its functions. */
    KEEPER_SEAL_VAULT_NEW, /* vault's id -> its wrapped key */
    KEEPER_SEAL_PUT,       /* token, ring, head, material -> item's key, version, public key */
    KEEPER_SEAL_OPEN,      /* token, ring, version -> value */
    KEEPER_SEAL_CHANGE,    /* token, ring, version, head -> version */
    KEEPER_SEAL_KEY_NEW,   /* token, ring, head -> item's key, version, public key */
    KEEPER_SEAL_KEY_USE, /* token, ring, version, op (1 byte), algorithm, value, signature, iv, aad, tag -> value, iv, tag, verified (1 byte) */
    KEEPER_SEAL_CERTIFY, /* token, ring, version, what (1 byte), issuer, DER -> DER */
    KEEPER_SEAL_BUNDLE, /* token, ring, version, chain, format (1 byte), the secret's ring, head -> item's key, version */
    KEEPER_SEAL_BACKUP_MAKE, /* token, ring, about -> item's key, content's key, that in clear */
    KEEPER_SEAL_BACKUP_OPEN, /* token, content's key, about -> that in clear */
    KEEPER_SEAL_BACKUP_PUT, /* token, item's key, about, item's id, version, ring -> item's key, version, public key */
    KEEPER_SEAL_DESTROY, /* ring -> proof */
    KEEPER_SEAL_RANDOM,  /* token, how many (1 byte) -> bytes */
    /* Keys of data that the server encrypts itself. */
    KEEPER_DATA_KEY_NEW,     /* label -> wrapped key, key */
    KEEPER_DATA_KEY_OPEN,    /* wrapped key -> key */
    KEEPER_DATA_KEY_DESTROY, /* wrapped key, label -> proof */
    KEEPER_UNSEAL,           /* a request of keeper_seal_talk.h -> its reply */
    KEEPER_REWRAP, /* vault's id (empty: a key of data), wrapped key -> under the newest root */
    KEEPER_REWRAP_TURN, /* what (1 byte, enum keeper_turn), found (8 bytes each) -> state (8 bytes each) */
    /* Of keeper_listener.h. */
    KEEPER_LISTENER_BIND, /* token, ring, version, listener (1 byte), label -> nothing (one empty field) */
    KEEPER_LISTENER_UNBIND, /* token, listener -> nothing */
    KEEPER_LISTENER_GET, /* listener -> vault's id, item's id, label; empty: not bound; SHA-256 of the certificate in use */
    KEEPER_LISTENER_SHOW, /* listener, ring, version, certificate (both empty: there is none) -> nothing */
    KEEPER_LISTENER_SIGN, /* SHA-256 of the certificate, scheme (2 bytes), message -> signature */
    KEEPER_STATE, /* nothing (one empty field) -> struct keeper_state: numbers of 8 bytes each, digest */
    KEEPER_VERB_END /* one past the last */
};
enum {
    KEEPER_ANSWER = 0x8000,
    KEEPER_KEYS_MAX = 8, /* token-signing keys that verify at one time */
    KEEPER_PURPOSE_BYTES_MAX = 64,
    KEEPER_DIGEST_BYTES_MIN = 20,
    KEEPER_DIGEST_BYTES_MAX = 64,
    KEEPER_FIELDS_MAX = 20
};
/* A ring on the wire: vault's id, item's id, kind (1 byte), name, vault's key, item's key. */
enum { KEEPER_RING_FIELDS = 6 };
/* Of rewrap_turn, 8 bytes each. Found: newest, unread, under 16 generations; state: newest, first, kept, clean. */
/* Of state: pid, started, processor time, peak, lines, keys; then the digest. */
enum { KEEPER_STATE_NUMBERS = 6, KEEPER_STATE_BYTES = 8 * KEEPER_STATE_NUMBERS + 32 };
enum { KEEPER_FOUND_NUMBERS = 2 + KEEPER_GENERATIONS_MAX, KEEPER_GENERATIONS_NUMBERS = 4 };

struct keeper_request {
    enum keeper_verb verb;
    uint32_t id;
    bool emergency;                   /* jwt_rotate */
    rf_str purpose;                   /* mac, jwt_sign_if; the name of device_issue */
    rf_str bytes;                     /* digest, signing input, bytes, public key */
    rf_str macs;                      /* jwt_sign_if: KEEPER_MAC_BYTES each */
    rf_str input;                     /* jwt_sign_if; tls_sign: which certificate */
    int64_t seconds;                  /* device_issue */
    rf_str fields[KEEPER_FIELDS_MAX]; /* seal_* */
};
struct keeper_answer {
    enum keeper_verb verb;
    uint32_t id;
    enum rf_kind kind;
    rf_str code, text; /* of an answer that is not RF_OK */
    rf_str bytes;      /* signature, MAC, key, chain */
    rf_str ca_pem;
    uint64_t match; /* jwt_sign_if */
    uint32_t key_count;
    struct keeper_jwt_key keys[KEEPER_KEYS_MAX];
    rf_str fields[KEEPER_FIELDS_MAX]; /* seal_* */
};

/* Writes the whole message into `out` (KEEPER_MESSAGE_BYTES_MAX bytes); *len its length. RF_LIMIT MessageTooLarge. */
RF_MUST_USE enum rf_kind keeper_wire_put_request(const struct keeper_request *request, uint8_t *out,
                                                 size_t *len, struct rf_err *err);
RF_MUST_USE enum rf_kind keeper_wire_put_answer(const struct keeper_answer *answer, uint8_t *out,
                                                size_t *len, struct rf_err *err);
/* Views of `message`. RF_INVALID ProtocolError. */
RF_MUST_USE enum rf_kind keeper_wire_read_request(rf_str message, struct keeper_request *out,
                                                  struct rf_err *err);
RF_MUST_USE enum rf_kind keeper_wire_read_answer(rf_str message, struct keeper_answer *out,
                                                 struct rf_err *err);
const char *keeper_verb_name(enum keeper_verb verb);
/* How many fields a verb of vaults has; 0: it is none of them. */
uint32_t keeper_request_fields(enum keeper_verb verb);
uint32_t keeper_answer_fields(enum keeper_verb verb);

#endif
