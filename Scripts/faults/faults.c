// Fails the n-th call of a kind that concerns a file below a folder, of malloc all from the n-th on; to be preloaded (LD_PRELOAD) by Scripts/check-faults.py.
//
// FAULT_UNDER: the folder; FAULT_CALL: open, write, fsync, rename, mkdir or malloc; FAULT_NUMBER: n, from 1; FAULT_ERRNO: the number of the error;
// FAULT_MARK: a file that is made when the call fails, with the path that it is about, so that the caller can tell that it came to it.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_long calls;
static const char *wanted, *under, *mark;
static long number;
static int code;
// malloc is called before main, and by what reads the environment.
static atomic_int ready;

#define REAL(result, name, ...)                                     \
    static result (*real_##name)(__VA_ARGS__);                      \
    if (!real_##name) real_##name = (result (*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name)

__attribute__((constructor)) static void prepare(void) {
    wanted = getenv("FAULT_CALL");
    under = getenv("FAULT_UNDER");
    mark = getenv("FAULT_MARK");
    const char *text = getenv("FAULT_NUMBER");
    number = text ? atol(text) : 0;
    text = getenv("FAULT_ERRNO");
    code = text ? atoi(text) : EIO;
    atomic_store(&ready, wanted && under && mark && number > 0);
}

// - lasts: whether all later calls fail too.
static int counts(const char *path, int lasts) {
    long call = atomic_fetch_add(&calls, 1) + 1;
    if (lasts ? call < number : call != number) return 0;
    REAL(int, open, const char *, int, ...);
    int descriptor = real_open(mark, O_CREAT | O_WRONLY, 0644);
    if (descriptor >= 0) {
        REAL(ssize_t, write, int, const void *, size_t);
        real_write(descriptor, path, strlen(path));
        close(descriptor);
    }
    errno = code;
    return 1;
}

static int fails(const char *call, const char *path) {
    if (!atomic_load(&ready) || strcmp(call, wanted) || !path) return 0;
    char folder[PATH_MAX], whole[2 * PATH_MAX];
    if (path[0] != '/' && getcwd(folder, sizeof folder)) {
        snprintf(whole, sizeof whole, "%s/%s", folder, path);
        path = whole;
    }
    return strncmp(path, under, strlen(under)) == 0 && counts(path, 0);
}

static int descriptor_fails(const char *call, int descriptor) {
    if (!atomic_load(&ready) || strcmp(call, wanted)) return 0;
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    return fails(call, path);
}

static int writes(int flags) { return (flags & O_ACCMODE) != O_RDONLY || flags & O_CREAT; }

#define OPEN(name)                                                  \
    int name(const char *path, int flags, ...) {                    \
        va_list list;                                               \
        va_start(list, flags);                                      \
        mode_t mode = va_arg(list, mode_t);                         \
        va_end(list);                                               \
        if (writes(flags) && fails("open", path)) return -1;        \
        REAL(int, name, const char *, int, ...);                    \
        return real_##name(path, flags, mode);                      \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                            \
    int name(int folder, const char *path, int flags, ...) {                    \
        va_list list;                                                           \
        va_start(list, flags);                                                  \
        mode_t mode = va_arg(list, mode_t);                                     \
        va_end(list);                                                           \
        if (folder == AT_FDCWD && writes(flags) && fails("open", path)) return -1; \
        REAL(int, name, int, const char *, int, ...);                           \
        return real_##name(folder, path, flags, mode);                          \
    }
OPENAT(openat)
OPENAT(openat64)

#define FOPEN(name)                                                 \
    FILE *name(const char *path, const char *mode) {                \
        if (strpbrk(mode, "wa+") && fails("open", path)) return 0;  \
        REAL(FILE *, name, const char *, const char *);             \
        return real_##name(path, mode);                             \
    }
FOPEN(fopen)
FOPEN(fopen64)

ssize_t write(int descriptor, const void *bytes, size_t count) {
    if (descriptor_fails("write", descriptor)) return -1;
    REAL(ssize_t, write, int, const void *, size_t);
    return real_write(descriptor, bytes, count);
}

ssize_t writev(int descriptor, const struct iovec *pieces, int count) {
    if (descriptor_fails("write", descriptor)) return -1;
    REAL(ssize_t, writev, int, const struct iovec *, int);
    return real_writev(descriptor, pieces, count);
}

#define PWRITE(name)                                                                    \
    ssize_t name(int descriptor, const void *bytes, size_t count, off_t offset) {       \
        if (descriptor_fails("write", descriptor)) return -1;                           \
        REAL(ssize_t, name, int, const void *, size_t, off_t);                          \
        return real_##name(descriptor, bytes, count, offset);                           \
    }
PWRITE(pwrite)
PWRITE(pwrite64)

size_t fwrite(const void *bytes, size_t size, size_t count, FILE *file) {
    if (descriptor_fails("write", fileno(file))) {
        file->_flags |= 0x20;  // glibc's _IO_ERR_SEEN: ferror() tells of it
        return 0;
    }
    REAL(size_t, fwrite, const void *, size_t, size_t, FILE *);
    return real_fwrite(bytes, size, count, file);
}

// What was still to be written is lost.
int fclose(FILE *file) {
    int lost = descriptor_fails("write", fileno(file));
    REAL(int, fclose, FILE *);
    int result = real_fclose(file);
    if (lost) errno = code;
    return lost ? EOF : result;
}

int fsync(int descriptor) {
    if (descriptor_fails("fsync", descriptor)) return -1;
    REAL(int, fsync, int);
    return real_fsync(descriptor);
}

int rename(const char *from, const char *to) {
    if (fails("rename", to)) return -1;
    REAL(int, rename, const char *, const char *);
    return real_rename(from, to);
}

int mkdir(const char *path, mode_t mode) {
    if (fails("mkdir", path)) return -1;
    REAL(int, mkdir, const char *, mode_t);
    return real_mkdir(path, mode);
}

// Large pieces alone: those that follow from the sizes of images and networks. Of small ones the runtime of the language makes no error but an end.
int posix_memalign(void **place, size_t alignment, size_t size) {
    if (atomic_load(&ready) && size >= 1 << 16 && !strcmp(wanted, "malloc") && counts("memory", 1)) return ENOMEM;
    REAL(int, posix_memalign, void **, size_t, size_t);
    return real_posix_memalign(place, alignment, size);
}
