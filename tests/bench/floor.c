/* The floor of a fan-out: what no server in user space can beat with the same system calls.
 *
 * Sends frames to so many loopback sockets, one send each, so many times a second, and does nothing
 * else; a child process reads them away. Prints the sender's CPU time per frame delivered.
 *
 *   floor CLIENTS ROUNDS_PER_SECOND FRAMES_PER_SEND SECONDS
 *
 * The sender is pinned to core 0 and the reader to core 1, as server and generator are.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { FRAME = 110 }; /* bytes of a broadcast's frame as the server sends it */

static void die(const char* what) {
  perror(what);
  exit(1);
}

static void pin(int core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  sched_setaffinity(0, sizeof(set), &set);
}

static double cpu_seconds(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* Connects `count` sockets and reads them until the sender is gone. */
static void read_all(const struct sockaddr_in* address, int count) {
  pin(1);
  int set = epoll_create1(0);
  for (int i = 0; i < count; ++i) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr*)address, sizeof(*address)) != 0)
      die("connect");
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    epoll_ctl(set, EPOLL_CTL_ADD, fd, &event);
  }
  static char buffer[256 << 10];
  struct epoll_event events[128];
  for (;;) {
    int ready = epoll_wait(set, events, 128, -1);
    for (int i = 0; i < ready; ++i) {
      if (recv(events[i].data.fd, buffer, sizeof(buffer), MSG_DONTWAIT) == 0) exit(0);
    }
  }
}

int main(int argc, char** argv) {
  if (argc != 5) {
    fprintf(stderr, "usage: floor CLIENTS ROUNDS_PER_SECOND FRAMES_PER_SEND SECONDS\n");
    return 2;
  }
  const int clients = atoi(argv[1]);
  const int rate = atoi(argv[2]);
  const int frames = atoi(argv[3]);
  const int seconds = atoi(argv[4]);
  if (clients < 1 || rate < 1 || frames < 1 || seconds < 1) {
    fprintf(stderr, "floor: every argument is a number from 1\n");
    return 2;
  }

  int listener = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof(address);
  if (bind(listener, (struct sockaddr*)&address, length) != 0 || listen(listener, 1024) != 0 ||
      getsockname(listener, (struct sockaddr*)&address, &length) != 0)
    die("listen");
  pid_t reader = fork();
  if (reader == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    read_all(&address, clients);
  }
  pin(0);
  int* fds = calloc((size_t)clients, sizeof(int));
  for (int i = 0; i < clients; ++i) {
    fds[i] = accept(listener, NULL, NULL);
    if (fds[i] < 0) die("accept");
    int on = 1;
    setsockopt(fds[i], IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  }

  const size_t size = (size_t)frames * FRAME;
  char* bytes = malloc(size);
  memset(bytes, 'x', size);
  struct timespec next;
  clock_gettime(CLOCK_MONOTONIC, &next);
  const double begin = cpu_seconds();
  long sent = 0;
  for (long round = 0; round < (long)rate * seconds; ++round) {
    for (int i = 0; i < clients; ++i) {
      if (send(fds[i], bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)size) sent += frames;
    }
    next.tv_nsec += 1000000000L / rate;
    while (next.tv_nsec >= 1000000000L) {
      next.tv_nsec -= 1000000000L;
      ++next.tv_sec;
    }
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
  }
  printf("%ld frames, %.3f us of CPU each\n", sent, (cpu_seconds() - begin) * 1e6 / (double)sent);
  kill(reader, SIGKILL);
  return 0;
}
