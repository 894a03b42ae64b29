/*
 * floor: the least that a broker's process does for Produce, without a broker. Prints nothing; ends with a signal.
 *
 *   floor PORT DIRECTORY
 *
 * One thread receives requests of the load generator (Produce v7 of one partition, acks=1), checks the CRC-32C of each
 * batch, gives it its offset, appends what came together with one pwritev, and answers with one send. Segments are of
 * 64 MiB; one that is full is synced, and the fifth before it is removed, each by a thread of its own. Nothing is
 * validated, indexed, remembered, limited or recovered: what it costs is the kernel's share and the checksum, and how far
 * any broker on the same machine can be from Kafka. Metadata and ApiVersions are answered as far as the load needs it.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>
#ifdef __SSE4_2__
#include <nmmintrin.h>
#endif

#define SEGMENT_BYTES (64 << 20)
#define SEGMENTS_KEPT 4
#define SHARED_BYTES (256 << 10)
#define FRAME_BYTES_MAX (4 << 20)
#define READS_A_TURN 8
#define BATCHES_AT_ONCE 256

typedef struct { int fd; uint8_t *frame; size_t have, need; uint8_t out[65536]; size_t outn; } Conn;

static const char *directory; static int port, log_fd = -1, segment; static off_t position; static int64_t next_offset;
static uint8_t shared[SHARED_BYTES];
static struct iovec batches[BATCHES_AT_ONCE]; static int batch_count; static size_t batch_bytes;

static void die(const char *what) { perror(what); exit(1); }
static int32_t g32(const uint8_t *p) { return (int32_t)((uint32_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3]); }
static int g16(const uint8_t *p) { return p[0] << 8 | p[1]; }
static uint8_t *u8(uint8_t *p, int v) { *p = v; return p + 1; }
static uint8_t *i16(uint8_t *p, int v) { return u8(u8(p, v >> 8), v); }
static uint8_t *i32(uint8_t *p, int64_t v) { return i16(i16(p, v >> 16), v); }
static uint8_t *i64(uint8_t *p, int64_t v) { return i32(i32(p, v >> 32), v); }
static uint8_t *bytes(uint8_t *p, const void *from, size_t n) { memcpy(p, from, n); return p + n; }

/* ---- CRC-32C: three streams at once where the processor has the instruction, tables where not ---- */
#define STREAM_BYTES 1344
static uint32_t shift_table[4][256];
static uint32_t times(const uint32_t *matrix, uint32_t vector) { uint32_t r = 0; for (; vector; vector >>= 1, matrix++) if (vector & 1) r ^= *matrix; return r; }
static void compose(uint32_t *to, const uint32_t *a, const uint32_t *b) { uint32_t r[32]; for (int i = 0; i < 32; i++) r[i] = times(a, b[i]); memcpy(to, r, sizeof r); }

/* What STREAM_BYTES zero bytes make of a register. */
static void make_shift(void) {
  uint32_t power[32], all[32]; power[0] = 0x82f63b78;
  for (int i = 1; i < 32; i++) power[i] = 1u << (i - 1);
  for (int i = 0; i < 32; i++) all[i] = 1u << i;
  for (size_t bits = STREAM_BYTES * 8; bits; bits >>= 1) { if (bits & 1) compose(all, power, all); compose(power, power, power); }
  for (int k = 0; k < 4; k++) for (int i = 0; i < 256; i++) shift_table[k][i] = times(all, (uint32_t)i << (8 * k));
}
static uint32_t shifted(uint32_t c) { return shift_table[0][c & 255] ^ shift_table[1][c >> 8 & 255] ^ shift_table[2][c >> 16 & 255] ^ shift_table[3][c >> 24]; }

#ifdef __SSE4_2__
static uint64_t word(const uint8_t *p) { uint64_t v; memcpy(&v, p, 8); return v; }
static uint32_t crc32c(const uint8_t *p, size_t n) {
  uint64_t c = 0xffffffff;
  for (; n >= 3 * STREAM_BYTES; p += 3 * STREAM_BYTES, n -= 3 * STREAM_BYTES) {
    uint64_t a = c, b = 0, d = 0;
    for (int i = 0; i < STREAM_BYTES; i += 8) {
      a = _mm_crc32_u64(a, word(p + i)); b = _mm_crc32_u64(b, word(p + STREAM_BYTES + i)); d = _mm_crc32_u64(d, word(p + 2 * STREAM_BYTES + i));
    }
    c = shifted(shifted((uint32_t)a) ^ (uint32_t)b) ^ (uint32_t)d;
  }
  for (; n >= 8; p += 8, n -= 8) c = _mm_crc32_u64(c, word(p));
  while (n--) c = _mm_crc32_u8(c, *p++);
  return ~(uint32_t)c;
}
#else
static uint32_t crc32c(const uint8_t *p, size_t n) {
  static uint32_t table[256];
  if (!table[1]) for (uint32_t i = 0; i < 256; i++) { uint32_t c = i; for (int k = 0; k < 8; k++) c = c & 1 ? c >> 1 ^ 0x82f63b78 : c >> 1; table[i] = c; }
  uint32_t c = ~0u; while (n--) c = table[(c ^ *p++) & 255] ^ c >> 8; return ~c;
}
#endif

/* ---- the log ---- */
static void path_of(char *to, size_t n, int number) { snprintf(to, n, "%s/%020d.log", directory, number); }
static void *sync_and_close(void *fd) { fdatasync((int)(intptr_t)fd); close((int)(intptr_t)fd); return NULL; }
static void *remove_segment(void *number) { char path[4096]; path_of(path, sizeof path, (int)(intptr_t)number); unlink(path); return NULL; }
static void aside(void *(*run)(void *), intptr_t value) { pthread_t t; if (pthread_create(&t, NULL, run, (void *)value)) die("pthread_create"); pthread_detach(t); }
static void roll(void) {
  if (log_fd >= 0) { aside(sync_and_close, log_fd); if (++segment > SEGMENTS_KEPT) aside(remove_segment, segment - SEGMENTS_KEPT - 1); }
  char path[4096]; path_of(path, sizeof path, segment);
  if ((log_fd = open(path, O_CREAT | O_RDWR | O_TRUNC, 0644)) < 0) die(path);
  position = 0;
}
static void append(void) {
  if (!batch_count) return;
  if (position + batch_bytes > SEGMENT_BYTES) roll();
  if (pwritev(log_fd, batches, batch_count, position) != (ssize_t)batch_bytes) die("pwritev");
  position += batch_bytes; batch_bytes = 0; batch_count = 0;
}

/* ---- requests ---- */
static uint8_t *begin(Conn *c, const uint8_t *request) { return bytes(c->out + c->outn + 4, request + 4, 4); }
static void end(Conn *c, uint8_t *to) { uint8_t *from = c->out + c->outn; i32(from, to - from - 4); c->outn = to - c->out; }
static void metadata(Conn *c, const uint8_t *request) {
  const uint8_t *name = request + 8; name += 2 + g16(name) + 4;
  uint8_t *o = i32(i32(begin(c, request), 1), 1);
  o = i32(bytes(i16(o, 9), "127.0.0.1", 9), port); o = i32(i16(o, -1), 1);
  o = u8(bytes(i16(i32(o, 1), 0), name, 2 + g16(name)), 0);
  end(c, i32(i32(i32(i32(i32(i32(i16(i32(o, 1), 0), 0), 1), 1), 1), 1), 1));
}
static void produce(Conn *c, uint8_t *request) {
  uint8_t *p = request + 8; p += 2 + g16(p); p += 2 + 2 + 4 + 4;
  uint8_t *name = p; p += 2 + g16(name) + 4;
  int partition = g32(p), length = g32(p + 4); uint8_t *batch = p + 8;
  if (crc32c(batch + 21, length - 21) != (uint32_t)g32(batch + 17)) { fprintf(stderr, "a batch with a wrong checksum\n"); exit(1); }
  i64(batch, next_offset); i32(batch + 12, 0);
  batches[batch_count++] = (struct iovec){batch, length}; batch_bytes += length;
  uint8_t *o = i32(bytes(i32(begin(c, request), 1), name, 2 + g16(name)), 1);
  end(c, i32(i64(i64(i64(i16(i32(o, partition), 0), next_offset), -1), 0), 0));
  next_offset += g32(batch + 57);
  if (batch_count == BATCHES_AT_ONCE) append();
}
static void handle(Conn *c, uint8_t *request) {
  switch (g16(request)) {
    case 0: produce(c, request); break;
    case 3: metadata(c, request); break;
    case 18: end(c, i32(i16(begin(c, request), 0), 0)); break;
    default: fprintf(stderr, "API key %d is not known here\n", g16(request)); exit(1);
  }
}
static void answer(Conn *c) { append(); if (c->outn && send(c->fd, c->out, c->outn, MSG_NOSIGNAL) != (ssize_t)c->outn) perror("send"); c->outn = 0; }

/* One read; 0 when the socket has no more, or is closed. Requests are handled where they lie; one that was cut gets a buffer. */
static int read_once(Conn *c) {
  int whole = !c->need;
  ssize_t n = whole ? read(c->fd, shared, sizeof shared) : read(c->fd, c->frame + c->have, c->need - c->have);
  if (n <= 0) { if (n == 0 || errno != EAGAIN) { close(c->fd); free(c->frame); free(c); } return 0; }
  if (!whole) {
    if ((c->have += n) < c->need) return 1;
    if (c->need == 4) { c->need = 4 + (size_t)g32(c->frame); if (c->need > FRAME_BYTES_MAX) exit(1); return 1; }
    handle(c, c->frame + 4); answer(c); c->need = c->have = 0;
    return 1;
  }
  size_t at = 0;
  while (n - at >= 4 && n - at >= 4 + (size_t)g32(shared + at)) { handle(c, shared + at + 4); at += 4 + (size_t)g32(shared + at); }
  answer(c);
  if (at < (size_t)n) {
    c->have = n - at; memcpy(c->frame, shared + at, c->have);
    c->need = c->have >= 4 ? 4 + (size_t)g32(c->frame) : 4; if (c->need > FRAME_BYTES_MAX) exit(1);
  }
  return (size_t)n == sizeof shared;
}

int main(int argc, char **argv) {
  if (argc != 3) { fprintf(stderr, "floor PORT DIRECTORY\n"); return 2; }
  port = atoi(argv[1]); directory = argv[2]; make_shift(); roll();
  int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1; setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (bind(listener, (void *)&a, sizeof a) || listen(listener, 64)) die("listen");
  int ep = epoll_create1(0); struct epoll_event e = {.events = EPOLLIN}; epoll_ctl(ep, EPOLL_CTL_ADD, listener, &e);
  for (;;) {
    struct epoll_event events[64]; int n = epoll_wait(ep, events, 64, -1);
    for (int i = 0; i < n; i++) {
      Conn *c = events[i].data.ptr;
      if (c) { for (int k = 0; k < READS_A_TURN && read_once(c); k++) {} continue; }
      if (!(c = calloc(1, sizeof *c)) || !(c->frame = malloc(FRAME_BYTES_MAX))) die("malloc");
      if ((c->fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) < 0) die("accept");
      setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
      e.data.ptr = c; epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &e);
    }
  }
}
