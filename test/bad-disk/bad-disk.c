/*
 * A disk that hangs, is slow, or fails, for the segments of an audit log: LD_PRELOAD this, and name in BAD_DISK a file of four
 * numbers (int32, in the order of the machine) that a test changes while the program runs:
 *
 *    0  writes wait for as long as this is not 0
 *    1  fdatasync takes this many milliseconds more
 *    2  writes fail with this errno
 *    3  fdatasync fails with this errno
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static volatile int32_t *control;
static ssize_t (*real_write)(int, const void *, size_t);
static int (*real_fdatasync)(int);

__attribute__((constructor)) static void begin(void) {
  real_write = dlsym(RTLD_NEXT, "write");
  real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
  const char *path = getenv("BAD_DISK");
  if (path == NULL) return;
  int fd = open(path, O_RDONLY);
  if (fd < 0) return;
  void *memory = mmap(NULL, 4 * sizeof(int32_t), PROT_READ, MAP_SHARED, fd, 0);
  if (memory != MAP_FAILED) control = memory;
  close(fd);
}

static int is_segment(int fd) {
  char link[64], target[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, target, sizeof target - 1);
  if (length < 0) return 0;
  target[length] = 0;
  return strstr(target, ".ndjson") != NULL;
}

static void pause_ms(int ms) {
  struct timespec time = {ms / 1000, (ms % 1000) * 1000000L};
  nanosleep(&time, NULL);
}

ssize_t write(int fd, const void *octets, size_t length) {
  if (control != NULL && (control[0] || control[2]) && is_segment(fd)) {
    while (control[0]) pause_ms(5);
    if (control[2]) {
      errno = control[2];
      return -1;
    }
  }
  return real_write(fd, octets, length);
}

int fdatasync(int fd) {
  if (control != NULL && (control[1] || control[3]) && is_segment(fd)) {
    if (control[1]) pause_ms(control[1]);
    if (control[3]) {
      errno = control[3];
      return -1;
    }
  }
  return real_fdatasync(fd);
}
