/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "report_file.h"

#include "os.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MODE = 0644, KEPT_LEAST = 100 };

/* Standard error as it was at the start. */
static struct {
    int descriptor; /* a duplicate, 0: none */
    dev_t device;
    ino_t inode;
} kept;

void report_file_keep_stderr(void)
{
    struct stat status;
    int duplicate = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, KEPT_LEAST);
    if (duplicate >= 0 && fstat(duplicate, &status) == 0) {
        kept.descriptor = duplicate;
        kept.device = status.st_dev;
        kept.inode = status.st_ino;
    }
}

/* The duplicate when standard error was closed; not when the duplicate was closed too and its
 * number means another file by now. */
static int standard_error(void)
{
    struct stat status;
    bool is_open = fstat(STDERR_FILENO, &status) == 0;
    bool is_kept = !is_open && kept.descriptor != 0 && fstat(kept.descriptor, &status) == 0 &&
                   status.st_dev == kept.device && status.st_ino == kept.inode;
    return is_kept ? kept.descriptor : STDERR_FILENO;
}

static void expand(struct text *path, const char *pattern)
{
    for (const char *at = pattern; *at != '\0'; at++) {
        if (at[0] != '%' || at[1] == '\0') {
            text_char(path, at[0]);
            continue;
        }
        at++;
        switch (*at) {
        case 'p':
            text_number(path, os_process_id());
            break;
        case 't':
            text_number(path, os_unix_seconds());
            break;
        default:
            text_char(path, *at);
        }
    }
}

static struct text terminated(struct text text)
{
    text.start[text.length] = '\0';
    return text;
}

/* A link is not looked through: /dev/stdout must never be renamed away. */
static bool is_special(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0 && !S_ISREG(status.st_mode);
}

bool report_file_open(struct report_file *file, const char *pattern)
{
    file->is_temporary = false;
    file->is_ours = pattern[0] != '\0';
    file->descriptor = standard_error();
    if (pattern[0] == '\0') {
        return true;
    }
    struct text path = text_over(file->path, sizeof(file->path) - 1);
    struct text temporary = text_over(file->temporary_path, sizeof(file->temporary_path) - 1);
    expand(&path, pattern);
    path = terminated(path);
    text_string(&temporary, file->path);
    text_string(&temporary, ".new.");
    text_number(&temporary, os_process_id());
    temporary = terminated(temporary);
    if (temporary.length == temporary.capacity) {
        errno = ENAMETOOLONG; /* cut: it would be another file's name */
        return false;
    }
    file->is_temporary = !is_special(file->path);
    file->descriptor =
        file->is_temporary
            ? open(file->temporary_path,
                   O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, FILE_MODE)
            : open(file->path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    return file->descriptor >= 0;
}

void report_file_close(struct report_file *file)
{
    if (file->is_ours) {
        close(file->descriptor);
    }
    if (file->is_temporary) {
        rename(file->temporary_path, file->path);
    }
}
