/* backup.h - `ringfort backup` and `ringfort restore`: an installation's folder into another one, while it serves. */
#ifndef RF_BACKUP_H
#define RF_BACKUP_H

int cli_backup(int argc, char **argv);
int cli_restore(int argc, char **argv);

#endif
