/* keeper_seal_talk.h - what people ask about the root's seal, as text: one request, one reply. From the socket DIR/keeper/seal.sock, which only the keeper's
 * user and root can open; while the keeper is sealed the first three come from the server too.
 *
 *   status                          how it is sealed
 *   share\nTEXT  passphrase\nTEXT   unseal
 *   reseal KIND T N RT RN\nTEXT     KIND file, passphrase (TEXT), shares (T of N), pkcs11 or tpm (TEXT the settings; a socket to
 *                                   ringfort-token comes with it); RT of RN recovery shares, 0 0 for none.
 *                                   The reply holds the shares, one a line behind the first; nothing has changed yet.
 *   commit                          makes it so; by the same connection
 *   rotate                          one more root key
 *   generations                     "ok TEXT": what is under which generation, in lines for people
 *   drop N MINUTES [even-needed]    generations up to N are retired: they open nothing, and go after MINUTES; 0: at once
 *   keep                            takes back what is retired
 *   seal                            the keeper forgets the root and starts anew
 *   listeners                       which listeners have a certificate of a vault: "ok", then a line for each
 *   renew-certificate               the listeners' certificate is issued anew; the reply is "ok SERIAL SECONDS", the end of its time since 1970
 *
 * A reply: "ok TEXT" or "error CODE TEXT"; of status and of what unseals, TEXT is "sealed HAVE WANTED DESCRIPTION" or
 * "open 0 0 DESCRIPTION". */
#ifndef RF_KEEPER_SEAL_TALK_H
#define RF_KEEPER_SEAL_TALK_H

#include "crypt/keeper_seal.h"

enum { ROOT_REQUEST_BYTES_MAX = 2048, ROOT_REPLY_BYTES = 8192 };
struct keeper_audit;
struct keeper_keys;
struct root_talk {
    struct root_seal *seal;
    struct keeper_audit *audit; /* NULL while it is sealed */
    struct keeper_keys *keys;   /* the same */
    struct keeper_vault *vault; /* the same */
    int token_fd; /* to ringfort-token, came with the request; -1: none. The caller's */
    bool ends;    /* set: the keeper is to end */
};
/* Answers; the caller wipes request and reply. */
void root_talk(struct root_talk *talk, rf_str request, char reply[ROOT_REPLY_BYTES]);
/* Now and then, at least each ROOT_TICK_MS: what is retired goes when its time has come; when something asked for it meanwhile, it waits for people. */
enum { ROOT_TICK_MS = 60000 };
void root_talk_tick(struct root_talk *talk);
/* The same for what the server may ask: status, share, passphrase. */
void root_talk_unseal(struct root_talk *talk, rf_str request, char reply[ROOT_REPLY_BYTES]);

#endif
