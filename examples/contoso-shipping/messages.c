/* messages ADDRESS PORT - what the Linux servers of Contoso's depots say, as syslog (RFC 5424, a line each) over TCP to a collector,
 * about one message a second until it is ended. Goes on when the collector was away. */
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static const char *const depots[] = {"rot", "ham", "ant", "leh", "flx", "gdn", "got", "bio"};
static const char *const people[] = {"anna.berg", "marek.nowak", "ines.costa", "hugo.smit"};
enum { DEPOTS = sizeof depots / sizeof *depots, PEOPLE = sizeof people / sizeof *people };
enum { AUTHPRIV = 10, CRON = 9, DAEMON = 3, WARNING = 4, NOTICE = 5, INFO = 6 };

static unsigned below(unsigned n) { return (unsigned)random() % n; }

/* The message behind its head: facility and severity, program, text. */
static int say(char *text, size_t cap, int *priority)
{
    unsigned number = below(20000), pid = 300 + below(30000), address = 2 + below(250);
    const char *who = people[below(PEOPLE)];
    switch (below(6)) {
    case 0:
        *priority = AUTHPRIV * 8 + INFO;
        return snprintf(text, cap,
                        "sshd %u - - Accepted publickey for %s from 10.20.0.%u port %u ssh2", pid,
                        who, address, 1024 + number);
    case 1:
        *priority = AUTHPRIV * 8 + WARNING;
        return snprintf(text, cap,
                        "sshd %u - - Failed password for %s from 10.20.0.%u port %u ssh2", pid, who,
                        address, 1024 + number);
    case 2:
        *priority = AUTHPRIV * 8 + NOTICE;
        return snprintf(text, cap,
                        "sudo %u - - %s : TTY=pts/0 ; PWD=/srv/routes ; USER=root ; "
                        "COMMAND=/usr/bin/systemctl reload route-map",
                        pid, who);
    case 3:
        *priority = CRON * 8 + INFO;
        return snprintf(text, cap, "CRON %u - - (routes) CMD (/srv/routes/bin/cut --map %u)", pid,
                        number);
    default:
        *priority = DAEMON * 8 + INFO;
        return snprintf(text, cap, "route-map %u - - map %u cut for %u stops in %u ms", pid, number,
                        20 + below(90), 40 + below(400));
    }
}

static int connect_to(const struct sockaddr_in *address)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof *address) == 0) return fd;
    if (fd >= 0) (void)close(fd);
    return -1;
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    int fd = -1;
    if (argc != 3 || inet_pton(AF_INET, argv[1], &address.sin_addr) != 1) {
        fputs("usage: messages ADDRESS PORT\n", stderr);
        return 2;
    }
    address.sin_port = htons((unsigned short)strtoul(argv[2], NULL, 10));
    (void)signal(SIGPIPE, SIG_IGN);
    for (;; (void)nanosleep(&(struct timespec){.tv_nsec = 300000000L + below(1200) * 1000000L},
                            NULL)) {
        char text[400], line[600], stamp[32];
        int priority;
        time_t now = time(NULL);
        struct tm utc;
        (void)gmtime_r(&now, &utc);
        (void)strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%SZ", &utc);
        (void)say(text, sizeof text, &priority);
        int len = snprintf(line, sizeof line, "<%d>1 %s %s-app%02u.contoso.example %s\n", priority,
                           stamp, depots[below(DEPOTS)], 1 + below(2), text);
        if (fd < 0) fd = connect_to(&address);
        if (fd >= 0 && write(fd, line, (size_t)len) != len) {
            (void)close(fd);
            fd = -1;
        }
    }
}
