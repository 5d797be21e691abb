/* A disk that fails when it is told to: calls of the C library that reach the archive's files, in front of the real ones.
 *
 * Loaded into the gateway by LD_PRELOAD. In the folder that FAILING_DISK names, a file `sync` makes flushing fail as a broken
 * disk does, `full` makes writing fail as a full one does, and `read-only` as one that was remounted. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static int told(const char *fault) {
    const char *folder = getenv("FAILING_DISK");
    char path[PATH_MAX];
    if (folder == NULL) {
        return 0;
    }
    snprintf(path, sizeof path, "%s/%s", folder, fault);
    return access(path, F_OK) == 0;
}

static int is_archive(int file) {
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) {
        return 0;
    }
    path[length] = '\0';
    return strstr(path, "/sluice.db") != NULL;
}

static int flush_fails(int file) {
    int before = errno;
    int fails = told("sync") && is_archive(file);
    errno = fails ? EIO : before;
    return fails;
}

static int write_fails(int file) {
    int before = errno;
    int error = told("full") ? ENOSPC : told("read-only") ? EROFS : 0;
    int fails = error != 0 && is_archive(file);
    errno = fails ? error : before;
    return fails;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int fsync(int file) { return flush_fails(file) ? -1 : REAL(fsync)(file); }
int fdatasync(int file) { return flush_fails(file) ? -1 : REAL(fdatasync)(file); }

ssize_t write(int file, const void *bytes, size_t count) {
    return write_fails(file) ? -1 : REAL(write)(file, bytes, count);
}
ssize_t pwrite(int file, const void *bytes, size_t count, off_t at) {
    return write_fails(file) ? -1 : REAL(pwrite)(file, bytes, count, at);
}
ssize_t pwrite64(int file, const void *bytes, size_t count, off64_t at) {
    return write_fails(file) ? -1 : REAL(pwrite64)(file, bytes, count, at);
}
