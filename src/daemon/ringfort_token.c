#define _GNU_SOURCE
#include "daemon/ringfort_token.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "daemon/token_start.h"

enum { TOKEN_FD = 3 };

enum token_verdict token_say(struct token_reply *reply, enum token_verdict verdict,
                             const char *format, ...)
{
    char text[TOKEN_TEXT_BYTES_MAX + 1];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    reply->len = strlen(text);
    for (size_t i = 0; i < reply->len; i++) {
        bool printable = text[i] >= ' ' && text[i] <= '~';
        reply->out[i] = printable ? (uint8_t)text[i] : '?';
    }
    return verdict;
}

/* One variable for a module that has no other settings; none that the loader reads. */
static bool take_environment(char *pair)
{
    char *value = strchr(pair, '=');
    if (value == NULL || value == pair || strncmp(pair, "LD_", 3) == 0) return false;
    *value = '\0';
    for (const char *c = pair; *c != '\0'; c++)
        if (!isupper((unsigned char)*c) && !isdigit((unsigned char)*c) && *c != '_') return false;
    return setenv(pair, value + 1, 1) == 0;
}

static bool read_word(char *word, struct token_settings *s)
{
    struct {
        const char *name, **to;
    } texts[] = {{"kind=", &s->kind},        {"module=", &s->module}, {"token=", &s->token},
                 {"key=", &s->key},          {"tcti=", &s->tcti},     {"pcrs=", &s->pcrs},
                 {"pin-file=", &s->pin_file}};
    if (strncmp(word, "env=", 4) == 0) return take_environment(word + 4);
    s->create_key |= strcmp(word, "create-key=yes") == 0;
    if (strncmp(word, "create-key=", 11) == 0) return true;
    for (size_t i = 0; i < RF_COUNT(texts); i++) {
        size_t len = strlen(texts[i].name);
        if (strncmp(word, texts[i].name, len) != 0) continue;
        *texts[i].to = word + len;
        return true;
    }
    return false;
}

static enum token_verdict answer(const struct token_settings *s, const struct token_message *ask)
{
    struct token_reply reply = {.len = 0};
    uint8_t message[TOKEN_MESSAGE_BYTES_MAX];
    enum token_verdict verdict;
    if (s->kind != NULL && strcmp(s->kind, "pkcs11") == 0)
        verdict = pkcs11_do(s, (enum token_verb)ask->what, ask->body, &reply);
#ifdef RF_TPM
    else if (s->kind != NULL && strcmp(s->kind, "tpm") == 0)
        verdict = tpm_do(s, (enum token_verb)ask->what, ask->body, &reply);
#endif
    else
        verdict =
            token_say(&reply, TOKEN_REFUSED, "the settings name no kind of token that is built in");
    size_t len = token_put(verdict, rf_str_make(reply.out, reply.len), message);
    (void)send(TOKEN_FD, message, len, MSG_NOSIGNAL);
    OPENSSL_cleanse(message, sizeof message);
    OPENSSL_cleanse(&reply, sizeof reply);
    return verdict;
}

int main(int argc, char **argv)
{
    struct token_settings settings = {0};
    uint8_t message[TOKEN_MESSAGE_BYTES_MAX + 1];
    struct token_message ask;
    enum token_verdict verdict = TOKEN_REFUSED;
    const struct rlimit none = {0, 0};
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    (void)setrlimit(RLIMIT_CORE, &none);
    (void)mlockall(MCL_CURRENT);
    for (int i = 1; i < argc; i++)
        if (!read_word(argv[i], &settings)) {
            fprintf(stderr, "ringfort-token is started by ringfort alone\n");
            return 2;
        }
    /* A wrap, then an unwrap that tries it; a library that hangs is ended by SIGALRM. */
    for (;;) {
        ssize_t got = recv(TOKEN_FD, message, sizeof message, 0);
        if (got == 0 && verdict == TOKEN_DONE) return 0;
        if (got <= 0) break;
        (void)alarm(TOKEN_SECONDS_MAX);
        if (token_request_read(rf_str_make(message, (size_t)got), &ask, NULL) != RF_OK) return 2;
        verdict = answer(&settings, &ask);
        OPENSSL_cleanse(message, sizeof message);
        if (verdict != TOKEN_DONE) break;
    }
    return verdict == TOKEN_ABSENT ? TOKEN_EXIT_ABSENT : TOKEN_EXIT_REFUSED;
}
