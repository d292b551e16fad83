/* password_rules.c - which passwords are good enough: long, nobody's name, not one of those that everybody tries first. No rules of composition (NIST SP
 * 800-63B, section 5.1.1.2). */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "people/password_int.h"

enum {
    CHARS_MAX = 256,
    CHARS_MIN = 12,
    NAME_CHARS_MIN = 4,
    FOLDED_BYTES_MAX = 1024,
    PERIOD_MAX = 4,
    HEX_BYTES = 40
};

/* Words that passwords are made of first; what is left of one without them and without digits and signs has to be something. */
static const char *const common[] = {
    "password",   "passwort",      "motdepasse", "contrasena", "passw0rd",  "p@ssword",
    "p@ssw0rd",   "kennwort",      "qwertyuiop", "qwerty",     "qwertz",    "azerty",
    "asdfghjkl",  "asdfgh",        "zxcvbnm",    "yxcvbnm",    "letmein",   "welcome",
    "willkommen", "bienvenue",     "bienvenido", "iloveyou",   "monkey",    "dragon",
    "football",   "baseball",      "sunshine",   "princess",   "superman",  "batman",
    "master",     "shadow",        "trustno1",   "whatever",   "starwars",  "computer",
    "internet",   "administrator", "admin",      "root",       "changeme",  "default",
    "secret",     "hello",         "hallo",      "bonjour",    "liverpool", "chelsea",
    "arsenal",    "barcelona",     "realmadrid", "juventus",   "michael",   "jennifer",
    "charlie",    "jordan",        "michelle",   "ashley",     "daniel",    "thomas",
    "andrew",     "freedom",       "flower",     "summer",     "winter",    "spring",
    "autumn",     "sommer",        "herbst",     "january",    "february",  "october",
    "november",   "december",      "company",    "service",    "backup",    "oracle",
    "server",     "windows",       "microsoft",  "azure",      "linux",     "debian",
    "ubuntu",     "google",        "facebook",   "samsung",    "test",      "guest",
    "user",       "login",         "access",     "qazwsx",     "1q2w3e4r",  "1qaz2wsx",
    "zaq12wsx",   "abcdef",        "abc"};

/* ---- texts -------------------------------------------------------------------------------------------------------------- */

struct folded {
    uint8_t bytes[FOLDED_BYTES_MAX];
    size_t len;
};

static void fold(rf_str text, struct folded *out)
{
    out->len = RF_MIN(text.len, sizeof out->bytes);
    for (size_t i = 0; i < out->len; i++) out->bytes[i] = rf_lower(text.ptr[i]);
}

static bool has_name(const struct folded *password, rf_str name)
{
    struct folded low;
    fold(name, &low);
    if (rf_utf8_count(name) < NAME_CHARS_MIN) return false;
    return rf_str_find(rf_str_make(password->bytes, password->len), rf_str_make(low.bytes, low.len),
                       0) != SIZE_MAX;
}

/* "aaaaaaaaaaaa", "abababababab", "123412341234" */
static bool is_repeated(const struct folded *p)
{
    for (size_t period = 1; period <= PERIOD_MAX && period < p->len; period++) {
        size_t i = period;
        while (i < p->len && p->bytes[i] == p->bytes[i - period]) i++;
        if (i == p->len) return true;
    }
    return false;
}

/* "abcdefghijkl", "987654321098" */
static bool is_run(const struct folded *p)
{
    for (int step = -1; step <= 1; step += 2) {
        size_t steps = 0;
        for (size_t i = 1; i < p->len; i++)
            if (p->bytes[i] == (uint8_t)(p->bytes[i - 1] + step)) steps++;
        if (p->len > 1 && steps * 4 >= (p->len - 1) * 3) return true;
    }
    return false;
}

/* Whether common words, digits and signs are all there is, but for three letters. */
static bool is_common(struct folded *p)
{
    enum { REST_MAX = 3 };
    size_t rest = 0;
    for (size_t i = 0; i < RF_COUNT(common); i++) {
        rf_str word = rf_str_of(common[i]);
        size_t at;
        while ((at = rf_str_find(rf_str_make(p->bytes, p->len), word, 0)) != SIZE_MAX)
            memset(p->bytes + at, '0', word.len);
    }
    for (size_t i = 0; i < p->len; i++)
        rest += p->bytes[i] >= 0x80 || (p->bytes[i] >= 'a' && p->bytes[i] <= 'z');
    return rest <= REST_MAX && p->len - rest >= 1;
}

/* Digits and signs alone are no common password when they are many and no run: a long random number is one of the good ones. */
static bool has_common_word(const struct folded *p)
{
    for (size_t i = 0; i < RF_COUNT(common); i++)
        if (rf_str_find(rf_str_make(p->bytes, p->len), rf_str_of(common[i]), 0) != SIZE_MAX)
            return true;
    return false;
}

/* ---- the file of leaked ones ------------------------------------------------------------------------------------------------ */

static bool sha1_hex(rf_str text, char out[HEX_BYTES + 1])
{
    uint8_t hash[20];
    unsigned len = 0;
    if (EVP_Digest(text.ptr, text.len, hash, &len, EVP_sha1(), NULL) != 1 || len != sizeof hash)
        return false;
    for (size_t i = 0; i < sizeof hash; i++) (void)snprintf(out + 2 * i, 3, "%02X", hash[i]);
    OPENSSL_cleanse(hash, sizeof hash);
    return true;
}

/* The first line that begins at or behind `at`; its hash in upper case. False at the end. */
static bool line_at(int fd, off_t at, off_t *begin, char out[HEX_BYTES])
{
    char bytes[512];
    ssize_t got = pread(fd, bytes, sizeof bytes, at == 0 ? 0 : at - 1);
    if (got <= 0) return false;
    size_t skip = 0;
    if (at > 0) {
        while (skip < (size_t)got && bytes[skip] != '\n') skip++;
        skip++;
    }
    if (skip + HEX_BYTES > (size_t)got) return false;
    *begin = (at == 0 ? 0 : at - 1) + (off_t)skip;
    for (size_t i = 0; i < HEX_BYTES; i++) out[i] = (char)rf_upper((uint8_t)bytes[skip + i]);
    return true;
}

/* By halves: the file may have some 40 GB, and nothing of it is kept. A file that cannot be read is an error, as it was asked for. */
static enum rf_kind is_leaked(const char *path, rf_str password, bool *leaked, struct rf_err *err)
{
    char wanted[HEX_BYTES + 1], found[HEX_BYTES];
    struct stat status;
    *leaked = false;
    if (path == NULL) return RF_OK;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) != 0 || !sha1_hex(password, wanted)) {
        if (fd >= 0) close(fd);
        return RF_FAIL_ERRNO(err, "InputOutput", "cannot read the list of leaked passwords, %s",
                             path);
    }
    off_t low = 0, high = status.st_size, begin;
    while (low < high && !*leaked) {
        off_t middle = low + (high - low) / 2;
        if (!line_at(fd, middle, &begin, found) || begin >= high) {
            high = middle;
            continue;
        }
        int order = memcmp(found, wanted, HEX_BYTES);
        *leaked = order == 0;
        if (order < 0)
            low = begin + 1;
        else
            high = middle;
    }
    close(fd);
    OPENSSL_cleanse(wanted, sizeof wanted);
    return RF_OK;
}

enum rf_kind password_is_leaked(const struct passwords *passwords, rf_str password, bool *leaked,
                                struct rf_err *err)
{
    return is_leaked(passwords->options.leaked, password, leaked, err);
}

/* ---- the verdict ---------------------------------------------------------------------------------------------------------------- */

static enum rf_kind check_length(const struct password_rules *rules, rf_str password,
                                 struct rf_err *err)
{
    uint32_t least = rules->chars_min == 0 ? CHARS_MIN : rules->chars_min;
    if (!rf_utf8_valid(password))
        return RF_FAIL(err, RF_INVALID, "PasswordNotText", "The password must be a text (UTF-8).");
    if (rf_utf8_count(password) < least)
        return RF_FAIL(err, RF_INVALID, "PasswordTooShort",
                       "The password is too short: take %u characters or more, such as four words.",
                       least);
    if (rf_utf8_count(password) > CHARS_MAX)
        return RF_FAIL(err, RF_INVALID, "PasswordTooLong",
                       "The password is too long: take at most %d characters.", CHARS_MAX);
    return RF_OK;
}

enum rf_kind password_accept(struct passwords *passwords, const struct password_rules *rules,
                             rf_str password, struct rf_arena *arena, struct rf_err *err)
{
    struct folded folded;
    bool leaked;
    (void)arena;
    RF_TRY(check_length(rules, password, err));
    fold(password, &folded);
    enum rf_kind kind = RF_OK;
    for (uint32_t i = 0; i < rules->name_count && kind == RF_OK; i++)
        if (has_name(&folded, rules->names[i]))
            kind = RF_FAIL(err, RF_INVALID, "PasswordHasName",
                           "The password holds a name of yours or of your organisation. Take one "
                           "without.");
    if (kind == RF_OK && (is_repeated(&folded) || is_run(&folded) ||
                          (has_common_word(&folded) && is_common(&folded))))
        kind = RF_FAIL(err, RF_INVALID, "PasswordCommon",
                       "The password is one of those that are tried first. Take four words that "
                       "have nothing to do with each other.");
    OPENSSL_cleanse(&folded, sizeof folded);
    RF_TRY(kind);
    RF_TRY(is_leaked(passwords->options.leaked, password, &leaked, err));
    if (leaked)
        return RF_FAIL(err, RF_INVALID, "PasswordLeaked",
                       "The password was in data that were stolen elsewhere. Take another one.");
    return RF_OK;
}
