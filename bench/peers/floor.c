/*
 * The floor: an echo server on recvmmsg and sendmmsg, the least that any UDP server on this kernel costs. It sets QR and
 * adds the 16 octets of an A record's length, so that what it sends is as long as a real answer. `floor PORT`
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>

enum { BATCH = 64, ROOM = 1536, ANSWER = 16, BUFFER = 4 << 20 };

static uint8_t octets[BATCH][ROOM];
static struct mmsghdr headers[BATCH];
static struct iovec iovecs[BATCH];
static struct sockaddr_in peers[BATCH];

int main(int count, char **arguments) {
  if (count != 2) return 2;
  int fd = socket(AF_INET, SOCK_DGRAM, 0), buffer = BUFFER;
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
  setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
  setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer);
  setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &buffer, sizeof buffer);
  struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(arguments[1]))};
  own.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(fd, (struct sockaddr *)&own, sizeof own) != 0) return 1;
  for (int i = 0; i < BATCH; i++) {
    iovecs[i].iov_base = octets[i];
    headers[i].msg_hdr.msg_iov = &iovecs[i];
    headers[i].msg_hdr.msg_iovlen = 1;
    headers[i].msg_hdr.msg_name = &peers[i];
  }
  for (;;) {
    for (int i = 0; i < BATCH; i++) {
      iovecs[i].iov_len = ROOM - ANSWER;
      headers[i].msg_hdr.msg_namelen = sizeof peers[i];
    }
    int received = recvmmsg(fd, headers, BATCH, MSG_WAITFORONE, NULL);
    for (int i = 0; i < received; i++) {
      iovecs[i].iov_len = headers[i].msg_len + ANSWER;
      octets[i][2] |= 0x80;
    }
    if (received > 0) sendmmsg(fd, headers, (unsigned)received, 0);
  }
}
