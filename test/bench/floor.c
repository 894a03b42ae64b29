/*
 * floor: what the load generator asks for, done in the plain way and without a broker. Prints nothing; ends with a signal.
 *
 *   floor PORT DIRECTORY                  acks=1
 *   floor PORT DIRECTORY lead             acks=all: answers when two followers have the records
 *   floor PORT DIRECTORY follow LEADER    one of these followers; LEADER is a port
 *
 * One thread receives requests of the load generator (Produce v7 of one partition), checks the CRC-32C of each batch,
 * gives it its offset, appends what came together with one pwritev, and answers with one send. Segments are of 64 MiB; one
 * that is full is synced, and the fifth before it is removed, each by a thread of its own. Fetch v4 is answered with one
 * pread and one send, at once. Followers ask for what comes after a cursor (segment << 32 | position, in a frame of the
 * size of a Fetch request), check and append it. Nothing is validated, limited or recovered: what it costs is the kernel's
 * share and the checksum. It does not wait awake and does not read ahead, so it is no bound of what is possible. Metadata,
 * ApiVersions and ListOffsets are answered as far as the load needs it.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
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
#define FOLLOWERS 2
#define FETCH_KEY 1
#define FETCH_BYTES 100
#define RESPONSE_BYTES_MAX (2 << 20)
#define WAITING_MAX 4096
#define OPEN_SEGMENTS 16
#define INDEXED 16384
#define LOGS_MAX 4

/* What waits for followers: answers up to `out` go when both have everything up to `cursor`. */
typedef struct { uint64_t cursor; size_t out; } Waiting;
typedef struct Conn {
  int fd; uint8_t *frame; size_t have, need; uint8_t out[65536]; size_t outn;
  Waiting waiting[WAITING_MAX]; int waiting_count;
  int is_follower, is_parked; uint64_t cursor; uint8_t correlation[4];
} Conn;

/* Where a batch lies. */
typedef struct { int64_t offset; int segment, bytes; off_t position; } Entry;
/* The log of a topic; the newest INDEXED batches can be read. */
typedef struct {
  char name[64]; int fd, segment; off_t position; int64_t next_offset;
  int fds[OPEN_SEGMENTS]; off_t sizes[OPEN_SEGMENTS]; Entry index[INDEXED]; uint64_t indexed;
} Log;

static const char *directory; static int port; static Log logs[LOGS_MAX], *L;
static uint8_t shared[SHARED_BYTES];
static int leads; static Conn *producer, *followers[FOLLOWERS]; static int follower_count;
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
static void path_of(char *to, size_t n, const Log *log, int number) { snprintf(to, n, "%s/%s-%010d.log", directory, log->name, number); }
static void *sync_and_close(void *fd) { fdatasync((int)(intptr_t)fd); close((int)(intptr_t)fd); return NULL; }
static void *remove_file(void *path) { unlink(path); free(path); return NULL; }
static void aside(void *(*run)(void *), void *value) { pthread_t t; if (pthread_create(&t, NULL, run, value)) die("pthread_create"); pthread_detach(t); }
static void roll(void) {
  char path[4096];
  if (L->fd > 0) {
    aside(sync_and_close, (void *)(intptr_t)dup(L->fd)); L->sizes[L->segment % OPEN_SEGMENTS] = L->position;
    int old = ++L->segment - SEGMENTS_KEPT - 1;
    if (old >= 0) { close(L->fds[old % OPEN_SEGMENTS]); path_of(path, sizeof path, L, old); aside(remove_file, strdup(path)); }
  }
  path_of(path, sizeof path, L, L->segment);
  if ((L->fd = open(path, O_CREAT | O_RDWR | O_TRUNC, 0644)) < 0) die(path);
  L->fds[L->segment % OPEN_SEGMENTS] = L->fd; L->position = 0;
}
static uint64_t log_end(void) { return (uint64_t)L->segment << 32 | (uint64_t)L->position; }
static void append(void) {
  if (!batch_count) return;
  if (L->position + batch_bytes > SEGMENT_BYTES) roll();
  if (pwritev(L->fd, batches, batch_count, L->position) != (ssize_t)batch_bytes) die("pwritev");
  for (int i = 0; i < batch_count; L->position += batches[i++].iov_len) {
    int64_t base = (int64_t)((uint64_t)(uint32_t)g32(batches[i].iov_base) << 32 | (uint32_t)g32((uint8_t *)batches[i].iov_base + 4));
    L->index[L->indexed++ % INDEXED] = (Entry){base, L->segment, (int)batches[i].iov_len, L->position};
  }
  batch_bytes = 0; batch_count = 0;
}
/* The log of a topic (length and name), made at first use. */
static void use(const uint8_t *topic) {
  int n = g16(topic);
  if (L && (int)strlen(L->name) == n && !memcmp(L->name, topic + 2, n)) return;
  append();
  for (L = logs; L < logs + LOGS_MAX && *L->name; L++) if ((int)strlen(L->name) == n && !memcmp(L->name, topic + 2, n)) return;
  if (L == logs + LOGS_MAX || n >= (int)sizeof L->name) exit(1);
  memcpy(L->name, topic + 2, n); roll();
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
  int partition = g32(p), length = g32(p + 4); uint8_t *batch = p + 8; use(name);
  if (crc32c(batch + 21, length - 21) != (uint32_t)g32(batch + 17)) { fprintf(stderr, "a batch with a wrong checksum\n"); exit(1); }
  i64(batch, L->next_offset); i32(batch + 12, 0);
  batches[batch_count++] = (struct iovec){batch, length}; batch_bytes += length;
  uint8_t *o = i32(bytes(i32(begin(c, request), 1), name, 2 + g16(name)), 1);
  end(c, i32(i64(i64(i64(i16(i32(o, partition), 0), L->next_offset), -1), 0), 0));
  L->next_offset += g32(batch + 57);
  if (batch_count == BATCHES_AT_ONCE) append();
}
static void send_all(int fd, const uint8_t *p, size_t n) {
  for (ssize_t k; n; p += k, n -= k) if ((k = send(fd, p, n, MSG_NOSIGNAL)) < 0) {
    if (errno != EAGAIN) return;
    struct pollfd room = {.fd = fd, .events = POLLOUT}; poll(&room, 1, -1); k = 0;
  }
}

/* ---- followers: the leader's side ---- */
static void respond(Conn *f) {
  static uint8_t *response; if (!response && !(response = malloc(RESPONSE_BYTES_MAX + 64))) die("malloc");
  const uint8_t *data; if (!L) { f->is_parked = 1; return; }
  int at = (int)(f->cursor >> 32); off_t from = (off_t)(uint32_t)f->cursor;
  if (at < L->segment && from == L->sizes[at % OPEN_SEGMENTS]) { at++; from = 0; }
  off_t left = (at == L->segment ? L->position : L->sizes[at % OPEN_SEGMENTS]) - from; if (left > RESPONSE_BYTES_MAX) left = RESPONSE_BYTES_MAX;
  f->is_parked = left == 0; if (f->is_parked) return;
  if (pread(L->fds[at % OPEN_SEGMENTS], response + 16, left, from) != left) die("pread");
  /* Whole batches alone. */
  off_t whole = 0;
  for (data = response + 16; left - whole >= 61 && left - whole >= 12 + g32(data + whole + 8);) whole += 12 + g32(data + whole + 8);
  i64(bytes(i32(response, 12 + whole), f->correlation, 4), (int64_t)((uint64_t)at << 32 | (uint64_t)(from + whole)));
  send_all(f->fd, response, 16 + whole);
}
static void commit(void) {
  if (!producer || follower_count < FOLLOWERS) return;
  uint64_t committed = followers[0]->cursor < followers[1]->cursor ? followers[0]->cursor : followers[1]->cursor;
  Conn *c = producer; int n = 0; while (n < c->waiting_count && c->waiting[n].cursor <= committed) n++;
  if (!n) return;
  size_t out = c->waiting[n - 1].out; send_all(c->fd, c->out, out);
  memmove(c->out, c->out + out, c->outn -= out);
  memmove(c->waiting, c->waiting + n, (c->waiting_count -= n) * sizeof *c->waiting);
  for (int i = 0; i < c->waiting_count; i++) c->waiting[i].out -= out;
}
static void follower_fetch(Conn *c, const uint8_t *request) {
  if (!c->is_follower) { if (follower_count == FOLLOWERS) exit(1); c->is_follower = 1; followers[follower_count++] = c; }
  memcpy(c->correlation, request + 4, 4); c->cursor = (uint64_t)(uint32_t)g32(request + 8) << 32 | (uint32_t)g32(request + 12);
  commit(); respond(c);
}
static void answer(Conn *c) {
  int had = batch_count; append();
  if (!c->outn) return;
  if (!leads || !had) { if (!c->waiting_count) { send_all(c->fd, c->out, c->outn); c->outn = 0; } return; }
  producer = c; if (c->waiting_count == WAITING_MAX) exit(1);
  c->waiting[c->waiting_count++] = (Waiting){log_end(), c->outn};
  for (int i = 0; i < follower_count; i++) if (followers[i]->is_parked) respond(followers[i]);
}

/* ---- consumers ---- */
static uint64_t oldest(void) {
  uint64_t first = L->indexed > INDEXED ? L->indexed - INDEXED : 0;
  while (first < L->indexed && L->index[first % INDEXED].segment < L->segment - SEGMENTS_KEPT) first++;
  return first;
}
static void list_offsets(Conn *c, const uint8_t *request) {
  const uint8_t *p = request + 8; p += 2 + g16(p) + 4 + 4; const uint8_t *name = p; p += 2 + g16(p) + 4; use(name);
  uint64_t first = oldest(); int64_t at = g32(p + 8) == -2 && first < L->indexed ? L->index[first % INDEXED].offset : L->next_offset;
  uint8_t *o = i32(bytes(i32(begin(c, request), 1), name, 2 + g16(name)), 1);
  end(c, i64(i64(i16(i32(o, g32(p)), 0), -1), at));
}
static void fetch(Conn *c, const uint8_t *request) {
  static uint8_t *response; if (!response && !(response = malloc(RESPONSE_BYTES_MAX + 256))) die("malloc");
  const uint8_t *p = request + 8; p += 2 + g16(p) + 4 + 4 + 4 + 4 + 1 + 4; const uint8_t *name = p; p += 2 + g16(p) + 4; use(name);
  int64_t offset = (int64_t)((uint64_t)(uint32_t)g32(p + 4) << 32 | (uint32_t)g32(p + 8)); int max = g32(p + 12);
  uint64_t from = oldest(), to = L->indexed;
  while (from < to) { uint64_t middle = (from + to) / 2; if (L->index[middle % INDEXED].offset < offset) from = middle + 1; else to = middle; }
  const Entry *first = &L->index[from % INDEXED]; int found = from < L->indexed && first->offset == offset, length = 0;
  if (max > RESPONSE_BYTES_MAX) max = RESPONSE_BYTES_MAX;
  for (uint64_t i = from; found && i < L->indexed; i++) {
    const Entry *each = &L->index[i % INDEXED];
    if (each->segment != first->segment || (length && length + each->bytes > max)) break;
    length += each->bytes;
  }
  uint8_t *o = i32(bytes(i32(i32(bytes(response + 4, request + 4, 4), 0), 1), name, 2 + g16(name)), 1);
  o = i32(i64(i64(i16(i32(o, g32(p)), found || offset == L->next_offset ? 0 : 1), L->next_offset), L->next_offset), -1);
  o = i32(o, length);
  if (length && pread(L->fds[first->segment % OPEN_SEGMENTS], o, length, first->position) != length) die("pread");
  i32(response, o + length - response - 4); send_all(c->fd, response, o + length - response);
}

static void handle(Conn *c, uint8_t *request) {
  switch (g16(request)) {
    case 0: produce(c, request); break;
    case FETCH_KEY: if (g16(request + 2) == 4) fetch(c, request); else follower_fetch(c, request); break;
    case 2: list_offsets(c, request); break;
    case 3: metadata(c, request); break;
    case 18: end(c, i32(i16(begin(c, request), 0), 0)); break;
    default: fprintf(stderr, "API key %d is not known here\n", g16(request)); exit(1);
  }
}

/* One read; 0 when the socket has no more, or is closed. Requests are handled where they lie; one that was cut gets a buffer. */
static int read_once(Conn *c) {
  int whole = !c->need;
  ssize_t n = whole ? read(c->fd, shared, sizeof shared) : read(c->fd, c->frame + c->have, c->need - c->have);
  if (n <= 0) {
    if (n < 0 && errno == EAGAIN) return 0;
    if (c->is_follower) exit(0);
    if (c == producer) producer = NULL;
    close(c->fd); free(c->frame); free(c);
    return 0;
  }
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

/* ---- followers: their own side ---- */
static void receive(int fd, uint8_t *p, size_t n) { for (ssize_t k; n; p += k, n -= k) if ((k = read(fd, p, n)) <= 0) exit(0); }
static void follow(int leader_port) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(leader_port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int fd, one = 1;
  for (;; usleep(10000)) { fd = socket(AF_INET, SOCK_STREAM, 0); if (!connect(fd, (void *)&a, sizeof a)) break; close(fd); }
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  use((const uint8_t *)"\0\4copy");
  uint8_t request[4 + FETCH_BYTES] = {0}, *response = malloc(RESPONSE_BYTES_MAX); if (!response) die("malloc");
  for (uint64_t cursor = 0;;) {
    i64(i32(i16(i16(i32(request, FETCH_BYTES), FETCH_KEY), 17), 0), (int64_t)cursor);
    send_all(fd, request, sizeof request);
    uint8_t size[4]; receive(fd, size, 4); int n = g32(size); receive(fd, response, n);
    cursor = (uint64_t)(uint32_t)g32(response + 4) << 32 | (uint32_t)g32(response + 8);
    for (uint8_t *batch = response + 12; batch < response + n; batch += 12 + g32(batch + 8))
      if (crc32c(batch + 21, g32(batch + 8) - 9) != (uint32_t)g32(batch + 17)) { fprintf(stderr, "a batch with a wrong checksum\n"); exit(1); }
    batches[batch_count++] = (struct iovec){response + 12, n - 12}; batch_bytes += n - 12; append();
  }
}

/* A follower answers nobody, but it can be asked whether it is there. */
static void *serve_nobody(void *listener) {
  for (int fd; (fd = accept((int)(intptr_t)listener, NULL, NULL)) >= 0; close(fd)) {
    uint8_t in[64], out[14] = {0, 0, 0, 10};
    if (read(fd, in, sizeof in) >= 12) { memcpy(out + 4, in + 8, 4); send_all(fd, out, sizeof out); }
  }
  return NULL;
}

int main(int argc, char **argv) {
  int follows = argc == 5 && !strcmp(argv[3], "follow"); leads = argc == 4 && !strcmp(argv[3], "lead");
  if (argc != 3 && !follows && !leads) { fprintf(stderr, "floor PORT DIRECTORY [lead | follow LEADER]\n"); return 2; }
  port = atoi(argv[1]); directory = argv[2]; make_shift();
  int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1; setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (bind(listener, (void *)&a, sizeof a) || listen(listener, 64)) die("listen");
  if (follows) { aside(serve_nobody, (void *)(intptr_t)listener); follow(atoi(argv[4])); }
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
