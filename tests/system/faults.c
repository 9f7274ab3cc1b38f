/* Disk faults from beneath Python: a library for LD_PRELOAD.
 *
 * FAULTS_ROOT is the folder whose files are hit, FAULTS_CONTROL a file of one byte that the test
 * writes: 0 none, 'e' flushes fail with EIO, 'E' only those of the index, 'f' nothing can be written
 * for want of space, 'r' the file system is read-only. Everything else passes through.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static const volatile char *control;
static char root[PATH_MAX];
static size_t root_length;

__attribute__((constructor)) static void begin(void)
{
    const char *name = getenv("FAULTS_CONTROL"), *where = getenv("FAULTS_ROOT");
    int fd;

    if (!name || !where || !realpath(where, root))
        return;
    root_length = strlen(root);
    fd = open(name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    void *page = mmap(NULL, 1, PROT_READ, MAP_SHARED, fd, 0);
    if (page != MAP_FAILED)
        control = page;
    close(fd);
}

static char mode(void)
{
    return control ? *control : 0;
}

static int below(const char *path)
{
    return !strncmp(path, root, root_length) && (path[root_length] == '/' || !path[root_length]);
}

/* The path of a descriptor; "" for sockets and the like. */
static void path_of(int fd, char *path)
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    path[length < 0 ? 0 : length] = 0;
}

static int fd_hit(int fd)
{
    char path[PATH_MAX];
    path_of(fd, path);
    return below(path);
}

/* Paths are absolute in this server; others are left alone. */
static int path_error(const char *path)
{
    char now = mode();
    if ((now != 'f' && now != 'r') || !path || !below(path))
        return 0;
    return now == 'f' ? ENOSPC : EROFS;
}

static int write_error(int fd)
{
    char now = mode();
    if ((now != 'f' && now != 'r') || !fd_hit(fd))
        return 0;
    return now == 'f' ? ENOSPC : EROFS;
}

static int flush_error(int fd)
{
    char path[PATH_MAX], now = mode();
    if (now != 'e' && now != 'E')
        return 0;
    path_of(fd, path);
    if (!below(path) || (now == 'E' && !strstr(path, "/index.db")))
        return 0;
    return EIO;
}

#define REAL(name) \
    static __typeof__(name) *real; \
    if (!real) \
        real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

#define FAIL(error) \
    do { \
        int number = (error); \
        if (number) { \
            errno = number; \
            return -1; \
        } \
    } while (0)

int fsync(int fd) { REAL(fsync); FAIL(flush_error(fd)); return real(fd); }
int fdatasync(int fd) { REAL(fdatasync); FAIL(flush_error(fd)); return real(fd); }
int syncfs(int fd) { REAL(syncfs); FAIL(flush_error(fd)); return real(fd); }

ssize_t write(int fd, const void *data, size_t size)
{
    REAL(write);
    FAIL(write_error(fd));
    return real(fd, data, size);
}

ssize_t writev(int fd, const struct iovec *pieces, int count)
{
    REAL(writev);
    FAIL(write_error(fd));
    return real(fd, pieces, count);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at)
{
    REAL(pwrite64);
    FAIL(write_error(fd));
    return real(fd, data, size, at);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at)
{
    REAL(pwrite);
    FAIL(write_error(fd));
    return real(fd, data, size, at);
}

ssize_t copy_file_range(int in, off64_t *from, int out, off64_t *to, size_t size, unsigned flags)
{
    REAL(copy_file_range);
    FAIL(write_error(out));
    return real(in, from, out, to, size, flags);
}

int ftruncate64(int fd, off64_t size) { REAL(ftruncate64); FAIL(write_error(fd)); return real(fd, size); }
int ftruncate(int fd, off_t size) { REAL(ftruncate); FAIL(write_error(fd)); return real(fd, size); }

int mkdir(const char *path, mode_t bits) { REAL(mkdir); FAIL(path_error(path)); return real(path, bits); }

int link(const char *old, const char *new) { REAL(link); FAIL(path_error(new)); return real(old, new); }

int rename(const char *old, const char *new)
{
    REAL(rename);
    FAIL(mode() == 'r' ? path_error(new) : 0);
    return real(old, new);
}

int renameat2(int from, const char *old, int to, const char *new, unsigned flags)
{
    REAL(renameat2);
    FAIL(mode() == 'r' ? path_error(new) : 0);
    return real(from, old, to, new, flags);
}

int unlink(const char *path)
{
    REAL(unlink);
    FAIL(mode() == 'r' ? path_error(path) : 0);
    return real(path);
}

static int open_error(const char *path, int flags)
{
    int writes = (flags & O_ACCMODE) != O_RDONLY;
    if (mode() == 'f' && !(flags & O_CREAT))
        return 0;
    return writes || (flags & O_CREAT) ? path_error(path) : 0;
}

#define OPEN(name) \
    int name(const char *path, int flags, ...) \
    { \
        mode_t bits = 0; \
        REAL(name); \
        if (flags & (O_CREAT | O_TMPFILE)) { \
            va_list rest; \
            va_start(rest, flags); \
            bits = va_arg(rest, mode_t); \
            va_end(rest); \
        } \
        FAIL(open_error(path, flags)); \
        return real(path, flags, bits); \
    }

OPEN(open)
OPEN(open64)
