// A disk that is slow, as a library to load before a program's own: each sync takes its time, and so does each byte.
// Threads take turns at it, as at one disk.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const double SECONDS_OF_A_SYNC = 0.02;
static const double SECONDS_OF_A_BYTE = 1.0 / 20e6;

static pthread_mutex_t disk = PTHREAD_MUTEX_INITIALIZER;

static void take(double seconds) {
    struct timespec duration = {(time_t)seconds, (long)((seconds - (time_t)seconds) * 1e9)};
    pthread_mutex_lock(&disk);
    nanosleep(&duration, NULL);
    pthread_mutex_unlock(&disk);
}

ssize_t pwrite64(int file, const void *bytes, size_t size, off64_t at) {
    static __typeof__(pwrite64) *real;
    if (!real) real = (__typeof__(pwrite64) *)dlsym(RTLD_NEXT, "pwrite64");
    ssize_t written = real(file, bytes, size, at);
    if (written > 0) take(written * SECONDS_OF_A_BYTE);
    return written;
}

int fdatasync(int file) {
    static __typeof__(fdatasync) *real;
    if (!real) real = (__typeof__(fdatasync) *)dlsym(RTLD_NEXT, "fdatasync");
    take(SECONDS_OF_A_SYNC);
    return real(file);
}

int fsync(int file) {
    static __typeof__(fsync) *real;
    if (!real) real = (__typeof__(fsync) *)dlsym(RTLD_NEXT, "fsync");
    take(SECONDS_OF_A_SYNC);
    return real(file);
}
