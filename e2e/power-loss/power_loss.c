/* A library for LD_PRELOAD that remembers what a disk would hold if the power went now.
 *
 * It watches the files under one folder (POWER_LOSS_ROOT) and keeps, in another (POWER_LOSS_SHADOW), what was made
 * durable, in the strictest reading of POSIX:
 *   - the content of a file as of the last fsync or fdatasync of that file:       inodes/<id>
 *   - the entries of a folder as of the last fsync of that folder:                dirs/<id>
 * So a new file whose folder was not synced is gone, a rename is undone, a file that was never synced is empty.
 * <id> is inode number and time of birth, because inode numbers are used again. src/power_loss.rs puts the folder
 * back together from the shadow; creating, renaming and removing need not be watched for that.
 *
 * It can also make operations fail, as a file (POWER_LOSS_FAULT) says: "<write|truncate|sync> <skip> <EIO|ENOSPC> <times>".
 * It is read before every operation, so a test can change its mind; counting starts anew when its text changes. A
 * failed sync loses what it should have written, also for later syncs of the same file, as Linux does.
 *
 * Not watched: io_uring, direct system calls (rustix), writing through a mapping except that a shared writable mapping
 * makes every sync copy the whole file, and programs linked statically. */

#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define INODES_MAX (1u << 16)
#define EVERYTHING INT64_MAX

/* A file under the root that was opened. [from, to) was changed since its last sync. */
struct inode {
    int used;
    uint64_t dev, ino;
    char id[64];
    int64_t from, to;
    int mapped;
};

static struct inode inodes[INODES_MAX];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static char root[PATH_MAX], shadow[PATH_MAX], fault_file[PATH_MAX];
static size_t root_length;

/* The next definition of a function, looked up once per place of use. */
#define REAL(name)                                                      \
    (*({                                                                \
        static __typeof__(&name) found;                                 \
        if (!found) found = (__typeof__(&name))real(#name);             \
        found;                                                          \
    }))

static void *real(const char *name) {
    void *function = dlsym(RTLD_NEXT, name);
    if (!function) {
        fprintf(stderr, "power_loss: no %s\n", name);
        abort();
    }
    return function;
}

static void give_up(const char *what) {
    fprintf(stderr, "power_loss: %s: %s\n", what, strerror(errno));
    abort();
}

__attribute__((constructor)) static void begin(void) {
    const char *from = getenv("POWER_LOSS_ROOT"), *to = getenv("POWER_LOSS_SHADOW");
    const char *fault = getenv("POWER_LOSS_FAULT");
    if (!from || !to) return;
    snprintf(root, sizeof root, "%s", from);
    snprintf(shadow, sizeof shadow, "%s", to);
    if (fault) snprintf(fault_file, sizeof fault_file, "%s", fault);
    root_length = strlen(root);
}

static int under_root(int fd) {
    char link[64], path[PATH_MAX];
    if (!root_length) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return strncmp(path, root, root_length) == 0 && (path[root_length] == '/' || path[root_length] == 0);
}

static int identify(int dir, const char *name, int flags, char id[64], struct statx *data) {
    if (statx(dir, name, flags | AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS | STATX_BTIME, data) != 0) return -1;
    snprintf(id, 64, "%llu-%lld-%u", (unsigned long long)data->stx_ino, (long long)data->stx_btime.tv_sec,
             data->stx_btime.tv_nsec);
    return 0;
}

static struct inode *slot(uint64_t dev, uint64_t ino) {
    uint64_t at = (ino * 0x9e3779b97f4a7c15ull ^ dev) % INODES_MAX;
    for (unsigned tried = 0; tried < INODES_MAX; tried++, at = (at + 1) % INODES_MAX) {
        struct inode *inode = &inodes[at];
        if (!inode->used || (inode->dev == dev && inode->ino == ino)) return inode;
    }
    errno = ENFILE;
    give_up("too many files");
    return NULL;
}

/* The record of a watched regular file, or null. */
static struct inode *watched(int fd) {
    struct stat data;
    if (!root_length || fstat(fd, &data) != 0 || !S_ISREG(data.st_mode)) return NULL;
    struct inode *inode = slot(data.st_dev, data.st_ino);
    return inode->used ? inode : NULL;
}

static void changed(struct inode *inode, int64_t from, int64_t to) {
    if (inode->from >= inode->to) {
        inode->from = from;
        inode->to = to;
        return;
    }
    if (from < inode->from) inode->from = from;
    if (to > inode->to) inode->to = to;
}

static void opened(int fd, int flags) {
    struct stat data;
    struct statx more;
    char id[64];
    if (fd < 0 || !root_length || fstat(fd, &data) != 0 || !S_ISREG(data.st_mode) || !under_root(fd)) return;
    if (identify(fd, "", AT_EMPTY_PATH, id, &more) != 0) give_up("statx");
    pthread_mutex_lock(&mutex);
    struct inode *inode = slot(data.st_dev, data.st_ino);
    if (!inode->used || strcmp(inode->id, id) != 0) {
        *inode = (struct inode){.used = 1, .dev = data.st_dev, .ino = data.st_ino};
        memcpy(inode->id, id, sizeof id);
    }
    if (flags & O_TRUNC) changed(inode, 0, EVERYTHING);
    pthread_mutex_unlock(&mutex);
}

static void copy_changes(int fd, struct inode *inode) {
    static char buffer[1 << 16];
    char path[PATH_MAX + 80], link[64];
    struct stat data;
    if (inode->mapped) changed(inode, 0, EVERYTHING);
    snprintf(path, sizeof path, "%s/inodes/%s", shadow, inode->id);
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    int to = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    int from = (int)syscall(SYS_openat, AT_FDCWD, link, O_RDONLY | O_CLOEXEC, 0);
    if (to < 0 || from < 0 || fstat(from, &data) != 0) give_up("shadow");
    int64_t end = inode->to < data.st_size ? inode->to : data.st_size;
    for (int64_t at = inode->from; at < end;) {
        size_t want = (size_t)(end - at) < sizeof buffer ? (size_t)(end - at) : sizeof buffer;
        ssize_t got = syscall(SYS_pread64, from, buffer, want, at);
        if (got <= 0 || syscall(SYS_pwrite64, to, buffer, got, at) != got) give_up("copy");
        at += got;
    }
    if (syscall(SYS_ftruncate, to, data.st_size) != 0) give_up("truncate");
    syscall(SYS_close, from);
    syscall(SYS_close, to);
    inode->from = inode->to = 0;
}

static void copy_entries(int fd) {
    char id[64], path[PATH_MAX + 80], next[PATH_MAX + 96];
    struct statx data;
    if (!under_root(fd)) return;
    if (identify(fd, "", AT_EMPTY_PATH, id, &data) != 0) give_up("statx");
    snprintf(path, sizeof path, "%s/dirs/%s", shadow, id);
    snprintf(next, sizeof next, "%s.new", path);
    int again = (int)syscall(SYS_openat, fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    DIR *entries = again < 0 ? NULL : fdopendir(again);
    FILE *list = entries ? fopen(next, "w") : NULL;
    if (!list) give_up("list");
    for (struct dirent *entry; (entry = readdir(entries));) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
        if (identify(fd, entry->d_name, 0, id, &data) != 0) continue;
        char kind = S_ISDIR(data.stx_mode) ? 'd' : S_ISREG(data.stx_mode) ? 'f' : 0;
        if (kind) fprintf(list, "%c %s %s\n", kind, id, entry->d_name);
    }
    closedir(entries);
    if (fclose(list) != 0 || rename(next, path) != 0) give_up("list");
}

/* Whether the operation shall fail; sets errno. Called under the mutex. */
static int fails(const char *class) {
    static char known[128];
    static long skipped, failed;
    char text[128] = "", kind[16], code[16];
    long skip, times;
    if (!fault_file[0]) return 0;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, fault_file, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0) return 0;
    syscall(SYS_read, fd, text, sizeof text - 1);
    syscall(SYS_close, fd);
    if (strcmp(text, known) != 0) {
        memcpy(known, text, sizeof text);
        skipped = failed = 0;
    }
    if (sscanf(text, "%15s %ld %15s %ld", kind, &skip, code, &times) != 4 || strcmp(kind, class) != 0) return 0;
    if (skipped < skip) {
        skipped++;
        return 0;
    }
    if (failed >= times) return 0;
    failed++;
    errno = strcmp(code, "ENOSPC") == 0 ? ENOSPC : EIO;
    return 1;
}

static int sync_with(int fd, int (*call)(int)) {
    struct stat data;
    if (!root_length || fstat(fd, &data) != 0) return call(fd);
    pthread_mutex_lock(&mutex);
    struct inode *inode = watched(fd);
    int is_dir = S_ISDIR(data.st_mode) && under_root(fd);
    int result;
    if ((inode || is_dir) && fails("sync")) {
        result = -1;
        if (inode) inode->from = inode->to = 0;
    } else {
        result = call(fd);
        if (result == 0 && inode) copy_changes(fd, inode);
        if (result == 0 && is_dir) copy_entries(fd);
    }
    int kept = errno;
    pthread_mutex_unlock(&mutex);
    errno = kept;
    return result;
}

int fsync(int fd) { return sync_with(fd, &REAL(fsync)); }
int fdatasync(int fd) { return sync_with(fd, &REAL(fdatasync)); }

/* Runs a call that writes. `at` is where, or -1 for the position of the descriptor; `inode` is null when unwatched. */
#define WRITING(fd, at, call)                                                   \
    do {                                                                        \
        pthread_mutex_lock(&mutex);                                             \
        struct inode *inode = watched(fd);                                      \
        ssize_t result = -1;                                                    \
        if (!inode || !fails("write")) {                                        \
            result = (call);                                                    \
            if (inode && result > 0) {                                          \
                int64_t end = (at) < 0 ? lseek(fd, 0, SEEK_CUR) : (at) + result; \
                changed(inode, end - result, end);                              \
            }                                                                   \
        }                                                                       \
        int kept = errno;                                                       \
        pthread_mutex_unlock(&mutex);                                           \
        errno = kept;                                                           \
        return result;                                                          \
    } while (0)

/* Descriptors that are not files under the root must not wait for each other: a pipe may block for ever. */
#define UNWATCHED(fd) (!root_length || !watched_unlocked(fd))

static int watched_unlocked(int fd) {
    pthread_mutex_lock(&mutex);
    int found = watched(fd) != NULL;
    pthread_mutex_unlock(&mutex);
    return found;
}

ssize_t write(int fd, const void *bytes, size_t count) {
    if (UNWATCHED(fd)) return REAL(write)(fd, bytes, count);
    WRITING(fd, (int64_t)-1, REAL(write)(fd, bytes, count));
}
ssize_t writev(int fd, const struct iovec *parts, int count) {
    if (UNWATCHED(fd)) return REAL(writev)(fd, parts, count);
    WRITING(fd, (int64_t)-1, REAL(writev)(fd, parts, count));
}
ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at) {
    if (UNWATCHED(fd)) return REAL(pwrite)(fd, bytes, count, at);
    WRITING(fd, (int64_t)at, REAL(pwrite)(fd, bytes, count, at));
}
ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) { return pwrite(fd, bytes, count, at); }
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) {
    if (UNWATCHED(fd)) return REAL(pwritev)(fd, parts, count, at);
    WRITING(fd, (int64_t)at, REAL(pwritev)(fd, parts, count, at));
}
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t at) { return pwritev(fd, parts, count, at); }

/* Calls whose place is not worth following: the whole file counts as changed. */
#define CHANGING(fd, from, type, class, call)               \
    do {                                                    \
        if (UNWATCHED(fd)) return (call);                   \
        pthread_mutex_lock(&mutex);                         \
        struct inode *inode = watched(fd);                  \
        type result = (type)-1;                             \
        if (!inode || !fails(class)) {                      \
            result = (call);                                \
            if (inode) changed(inode, (from), EVERYTHING);  \
        }                                                   \
        int kept = errno;                                   \
        pthread_mutex_unlock(&mutex);                       \
        errno = kept;                                       \
        return result;                                      \
    } while (0)

int ftruncate(int fd, off_t length) { CHANGING(fd, length, int, "truncate", REAL(ftruncate)(fd, length)); }
int ftruncate64(int fd, off64_t length) { return ftruncate(fd, length); }
int fallocate(int fd, int mode, off_t at, off_t length) { CHANGING(fd, 0, int, "write", REAL(fallocate)(fd, mode, at, length)); }
int fallocate64(int fd, int mode, off64_t at, off64_t length) { return fallocate(fd, mode, at, length); }
int posix_fallocate(int fd, off_t at, off_t length) {
    return fallocate(fd, 0, at, length) == 0 ? 0 : errno;
}
int posix_fallocate64(int fd, off64_t at, off64_t length) { return posix_fallocate(fd, at, length); }
ssize_t copy_file_range(int in, off64_t *in_at, int out, off64_t *out_at, size_t count, unsigned flags) {
    CHANGING(out, 0, ssize_t, "write", REAL(copy_file_range)(in, in_at, out, out_at, count, flags));
}
ssize_t sendfile(int out, int in, off_t *at, size_t count) {
    CHANGING(out, 0, ssize_t, "write", REAL(sendfile)(out, in, at, count));
}
ssize_t sendfile64(int out, int in, off64_t *at, size_t count) { return sendfile(out, in, at, count); }

void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t at) {
    void *result = (void *)syscall(SYS_mmap, address, length, protection, flags, fd, at);
    if (fd >= 0 && result != MAP_FAILED && (flags & MAP_SHARED) && (protection & PROT_WRITE)) {
        pthread_mutex_lock(&mutex);
        struct inode *inode = watched(fd);
        if (inode) inode->mapped = 1;
        pthread_mutex_unlock(&mutex);
    }
    return result;
}
void *mmap64(void *address, size_t length, int protection, int flags, int fd, off64_t at) {
    return mmap(address, length, protection, flags, fd, at);
}

static int open_at(int dir, const char *path, int flags, mode_t mode) {
    int fd = (int)syscall(SYS_openat, dir, path, flags, mode);
    int kept = errno;
    opened(fd, flags);
    errno = kept;
    return fd;
}

#define MODE                                                     \
    mode_t mode = 0;                                             \
    if (flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE) {   \
        va_list list;                                            \
        va_start(list, flags);                                   \
        mode = va_arg(list, mode_t);                             \
        va_end(list);                                            \
    }

int open(const char *path, int flags, ...) { MODE return open_at(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE return open_at(AT_FDCWD, path, flags, mode); }
int openat(int dir, const char *path, int flags, ...) { MODE return open_at(dir, path, flags, mode); }
int openat64(int dir, const char *path, int flags, ...) { MODE return open_at(dir, path, flags, mode); }
int creat(const char *path, mode_t mode) { return open_at(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return creat(path, mode); }
