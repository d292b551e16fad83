#define _GNU_SOURCE
#include "daemon/users.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>

static char folder[64];

static void make_folder(void)
{
    (void)snprintf(folder, sizeof folder, "/tmp/users_test.XXXXXX");
    cr_assert(mkdtemp(folder) != NULL);
}
static void remove_folder(void)
{
    char command[128];
    (void)snprintf(command, sizeof command, "rm -rf %s", folder);
    cr_assert(system(command) == 0);
}
TestSuite(users, .init = make_folder, .fini = remove_folder);

static const char *write_passwd(const char *text)
{
    static char path[96];
    (void)snprintf(path, sizeof path, "%s/passwd", folder);
    FILE *file = fopen(path, "w");
    cr_assert(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
    return path;
}

#define KEEPER "ringfort-keeper:x:401:501::/:/usr/sbin/nologin\n"
#define SERVER "ringfort-server:x:402:502::/:/usr/sbin/nologin\n"
#define ROOT "root:x:0:0:root:/root:/bin/bash\n"

Test(users, are_found_in_a_passwd_file)
{
    static const struct {
        const char *text, *missing, *code;
    } rows[] = {
        {ROOT KEEPER SERVER, NULL, NULL},
        {SERVER "# a comment\n\n" KEEPER, NULL, NULL},
        {ROOT, "ringfort-keeper", NULL},
        {"", "ringfort-keeper", NULL},
        {SERVER, "ringfort-keeper", NULL},
        {KEEPER "ringfort-server2:x:402:502::/:\n", "ringfort-server", NULL},
        {KEEPER SERVER "ringfort-server:x:0:0::/:\n", NULL, NULL}, /* the first one counts */
        {KEEPER "ringfort-server:x:0:502::/:\n", NULL, "BadUsers"},
        {KEEPER "ringfort-server:x:402:0::/:\n", NULL, "BadUsers"},
        {KEEPER "ringfort-server:x:401:502::/:\n", NULL, "BadUsers"},
    };
    for (size_t i = 0; i < RF_COUNT(rows); i++) {
        struct users users;
        struct rf_err err = {0};
        enum rf_kind kind = users_find(write_passwd(rows[i].text), &users, &err);
        cr_assert((kind == RF_OK) == (rows[i].code == NULL), "%zu: %s", i, err.text);
        if (kind != RF_OK) {
            cr_assert_str_eq(err.code, rows[i].code);
        } else if (rows[i].missing != NULL) {
            cr_assert_str_eq(users.missing, rows[i].missing, "%zu", i);
        } else {
            cr_assert(users.missing == NULL);
            cr_assert(users.of[USER_KEEPER].uid == 401 && users.of[USER_KEEPER].gid == 501);
            cr_assert(users.of[USER_SERVER].uid == 402 && users.of[USER_SERVER].gid == 502);
        }
    }
    struct users users;
    cr_assert(users_find("/nowhere/passwd", &users, NULL) == RF_OK && users.missing != NULL);
}

Test(users, a_role_refuses_words_that_name_no_own_user)
{
    static const char *const words[] = {
        "",    "1",     "1:",           ":1",           "0:1",   "1:0",  "-1:1",
        "a:b", "1:1:1", "1:4294967295", "4294967295:1", "1.5:1", "1 :1", "root:0"};
    for (size_t i = 0; i < RF_COUNT(words); i++) {
        struct rf_err err = {0};
        cr_assert(user_become(words[i], false, &err) == RF_INVALID, "%s", words[i]);
        cr_assert_str_eq(err.code, "BadUser");
    }
}

/* In a child, as there is no way back. 0: it became the user and cannot be root any more. */
static int become_in_child(bool binds)
{
    pid_t pid = fork();
    if (pid == 0) {
        struct rf_err err;
        if (user_become("64301:64301", binds, &err) != RF_OK) _exit(1);
        if (geteuid() != 64301 || getegid() != 64301 || getgroups(0, NULL) != 0) _exit(2);
        _exit(setuid(0) == 0 || seteuid(0) == 0 || setgid(0) == 0 ? 3 : 0);
    }
    int status;
    cr_assert(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
    return WEXITSTATUS(status);
}

Test(users, becoming_one_is_for_good)
{
    if (geteuid() == 0) {
        cr_expect(become_in_child(false) == 0);
        cr_expect(become_in_child(true) == 0);
    } else {
        cr_expect(become_in_child(false) == 1, "only root may");
    }
}

Test(users, a_shared_folder_belongs_to_who_starts)
{
    struct rf_err err;
    struct stat status;
    char path[96];
    cr_assert(users_own_data(folder, NULL, &err) == RF_OK);
    cr_assert(users_own_data(folder, NULL, &err) == RF_OK, "twice");
    (void)snprintf(path, sizeof path, "%s/keeper", folder);
    cr_assert(stat(path, &status) == 0 && (status.st_mode & 0777) == 0700);
    cr_assert(stat(folder, &status) == 0 && (status.st_mode & 0777) == 0700);
    if (geteuid() != 0) cr_skip("not root: no folder of another user can be made");
    cr_assert(chown(path, 12345, 12345) == 0);
    cr_assert(users_own_data(folder, NULL, &err) == RF_DENIED);
    cr_assert_str_eq(err.code, "FolderOfAnother");
}
