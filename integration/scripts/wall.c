// wall.c: stands between a program and the wall's clock, which then is as far ahead as the file of THROUGHLINE_WALL says:
// 8 bytes, nanoseconds, in the machine's order. What has gone by (CLOCK_MONOTONIC) stays true.
//
//     cc -shared -fPIC -O2 -o wall.so wall.c
//     LD_PRELOAD=./wall.so THROUGHLINE_WALL=ahead throughline run …
//
// libfaketime does the same and more, but hangs where the program brings its own malloc. Nothing here allocates.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000LL

static const volatile int64_t right = 0;
static const volatile int64_t *ahead = &right;
static int (*wait_until)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
static int (*wait_until_c11)(cnd_t *, mtx_t *, const struct timespec *);

__attribute__((constructor)) static void begin(void) {
  const char *name = getenv("THROUGHLINE_WALL");
  int file = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
  void *mapped = file < 0 ? MAP_FAILED : mmap(NULL, sizeof *ahead, PROT_READ, MAP_SHARED, file, 0);
  if (mapped != MAP_FAILED) ahead = mapped;
  if (file >= 0) close(file);
}

static struct timespec moved(struct timespec at, int64_t by) {
  int64_t nanos = at.tv_sec * SECOND + at.tv_nsec + by;
  return (struct timespec){.tv_sec = nanos / SECOND, .tv_nsec = nanos % SECOND};
}

int clock_gettime(clockid_t clock, struct timespec *at) {
  int failed = syscall(SYS_clock_gettime, clock, at);
  if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) *at = moved(*at, *ahead);
  return failed;
}

int timespec_get(struct timespec *at, int base) {
  return base == TIME_UTC && !clock_gettime(CLOCK_REALTIME, at) ? base : 0;
}

int gettimeofday(struct timeval *at, void *zone) {
  (void)zone;
  struct timespec now;
  if (clock_gettime(CLOCK_REALTIME, &now)) return -1;
  *at = (struct timeval){.tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / 1000};
  return 0;
}

time_t time(time_t *at) {
  struct timespec now = {0};
  clock_gettime(CLOCK_REALTIME, &now);
  if (at) *at = now.tv_sec;
  return now.tv_sec;
}

// The kernel knows nothing of all this: a thread that waits until a time of the wall means ours. It waits as long as it
// meant to when it began; where a machine's own clock is set back, it waits until that has caught up.
int pthread_cond_timedwait(pthread_cond_t *it, pthread_mutex_t *held, const struct timespec *until) {
  // Where there are two, the older one is not meant.
  if (!wait_until) wait_until = dlvsym(RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2");
  if (!wait_until) wait_until = dlsym(RTLD_NEXT, "pthread_cond_timedwait");
  // Where it waits by the time since the machine started, that is far below any time of the wall.
  int is_wall = until->tv_sec > SECOND;
  struct timespec real = is_wall ? moved(*until, -*ahead) : *until;
  return wait_until(it, held, &real);
}

int cnd_timedwait(cnd_t *it, mtx_t *held, const struct timespec *until) {
  if (!wait_until_c11) wait_until_c11 = dlsym(RTLD_NEXT, "cnd_timedwait");
  struct timespec real = moved(*until, -*ahead);
  return wait_until_c11(it, held, &real);
}
