#include "hub/archive_disk.h"

#include "test/rf_prop.h"

Test(archive_disk, writes_over_no_link)
{
    char folder[] = "/tmp/ringfort-archive-XXXXXX", path[100], command[100];
    struct rf_fs *fs;
    struct rf_file *file;
    struct rf_fs_stat stat;
    struct rf_err err;
    cr_assert(mkdtemp(folder) != NULL);
    cr_assert(archive_disk_new(folder, &fs, &err) == RF_OK);
    cr_assert(rf_fs_mkdir(fs, "in", &err) == RF_OK && rf_fs_sync_dir(fs, ".", &err) == RF_OK);
    cr_assert(rf_fs_mkdir(fs, "in", &err) == RF_CONFLICT);
    cr_assert(rf_fs_open(fs, "in/a", RF_OPEN_WRITE | RF_OPEN_CREATE, &file, &err) == RF_OK);
    cr_assert(rf_file_write(file, "text", 4, &err) == RF_OK);
    rf_file_close(file);
    cr_assert(rf_fs_rename(fs, "in/a", "in/b", &err) == RF_OK);
    cr_assert(rf_fs_stat(fs, "in/b", &stat, &err) == RF_OK && stat.bytes == 4);
    cr_assert(rf_fs_stat(fs, "in/a", &stat, &err) == RF_NOT_FOUND);
    cr_assert(rf_fs_stat(fs, "out/a", &stat, &err) == RF_NOT_FOUND);
    static const struct {
        const char *link, *to;
    } links[] = {{"way", "in"}, {"in/file", "b"}};
    for (size_t i = 0; i < RF_COUNT(links); i++) {
        (void)snprintf(path, sizeof path, "%s/%s", folder, links[i].link);
        cr_assert(symlink(links[i].to, path) == 0);
    }
    cr_assert(rf_fs_open(fs, "way/b", RF_OPEN_WRITE, &file, &err) == RF_DENIED);
    cr_assert(rf_fs_rename(fs, "in/b", "way/c", &err) == RF_DENIED);
    cr_assert(rf_fs_mkdir(fs, "way/more", &err) == RF_DENIED);
    cr_assert(rf_fs_open(fs, "in/file", RF_OPEN_WRITE | RF_OPEN_CREATE, &file, &err) == RF_DENIED);
    cr_assert(rf_fs_open(fs, "in/../in/b", RF_OPEN_WRITE, &file, &err) == RF_DENIED);
    (void)snprintf(command, sizeof command, "ln %s/in/b %s/in/twice", folder, folder);
    cr_assert(system(command) == 0);
    cr_assert(rf_fs_open(fs, "in/b", RF_OPEN_WRITE, &file, &err) == RF_DENIED, "a second name");
    (void)snprintf(command, sizeof command, "rm -rf %s", folder);
    cr_assert(system(command) == 0);
    cr_assert(rf_fs_stat(fs, "in/b", &stat, &err) == RF_IO, "a folder that is not mounted");
    archive_disk_free(fs);
}
