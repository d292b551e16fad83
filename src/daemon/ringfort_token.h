/* ringfort_token.h - the program ringfort-token, linked dynamically, as what it speaks by are shared libraries. Its words are the settings
 * "key=value": kind=pkcs11 module= token= key= pin-file= env=NAME=VALUE create-key=yes; kind=tpm tcti= pcrs=. */
#ifndef RF_RINGFORT_TOKEN_H
#define RF_RINGFORT_TOKEN_H

#include "crypt/keeper_token.h"

struct token_settings {
    const char *kind, *module, *token, *key, *pin_file, *tcti, *pcrs;
    bool create_key;
};
/* Each fills `out`: of TOKEN_DONE the blob or the key, else a text of printable ASCII. */
struct token_reply {
    uint8_t out[TOKEN_BLOB_BYTES_MAX];
    size_t len;
};
enum token_verdict token_say(struct token_reply *reply, enum token_verdict verdict,
                             const char *format, ...) __attribute__((format(printf, 3, 4)));
enum token_verdict pkcs11_do(const struct token_settings *settings, enum token_verb verb,
                             rf_str body, struct token_reply *reply);
enum token_verdict tpm_do(const struct token_settings *settings, enum token_verb verb, rf_str body,
                          struct token_reply *reply);

#endif
