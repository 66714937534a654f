/* MD5 (RFC 1321) in many lanes: the arithmetic of the archive. The rules are Python's.

   One MD5 cannot be computed any faster: each of its 64 steps waits for the one before. But many
   can be computed side by side, one in each lane of a vector. The vectors are those of GCC and
   clang, so no processor is named but where its widest ones are allowed: lanes.h is compiled once
   for each width, and which one runs is decided when the program runs. */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if !defined(__GNUC__) || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "needs the vectors of GCC or clang, and a little-endian processor as MD5 is"
#endif

#include "md5.h"

enum { BLOCK = 64, DIGEST = 16, CODE = 16, RUN = 256 };

static const uint32_t START[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};

static const uint32_t K[64] = {
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
    0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
    0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
    0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
    0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
    0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
    0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
    0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391,
};

/* These work on one number as on a vector of them. */
#define F(x, y, z) ((z) ^ ((x) & ((y) ^ (z))))
#define G(x, y, z) F(z, x, y)
#define H(x, y, z) ((x) ^ (y) ^ (z))
#define I(x, y, z) ((y) ^ ((x) | ~(z)))
#define ROTATED(x, by) ((x) << (by) | (x) >> (32 - (by)))

/* The word of the block that a step adds. */
#define WORD(i) \
    ((i) < 16 ? (i) : ((i) < 32 ? 5 * (i) + 1 : (i) < 48 ? 3 * (i) + 5 : 7 * (i)) % 16)

/* The 64 steps in four rounds; S(function, a, b, c, d, step, rotation) is what one of them does. */
#define FOUR(S, f, i, r, s, t, u) \
    S(f, a, b, c, d, i, r) S(f, d, a, b, c, i + 1, s) S(f, c, d, a, b, i + 2, t) \
    S(f, b, c, d, a, i + 3, u)
#define ROUND(S, f, i, r, s, t, u) \
    FOUR(S, f, i, r, s, t, u) FOUR(S, f, i + 4, r, s, t, u) FOUR(S, f, i + 8, r, s, t, u) \
    FOUR(S, f, i + 12, r, s, t, u)
#define ROUND_1(S) ROUND(S, F, 0, 7, 12, 17, 22)
#define ROUNDS_2_3(S) ROUND(S, G, 16, 5, 9, 14, 20) ROUND(S, H, 32, 4, 11, 16, 23)
#define ROUND_4(S) ROUND(S, I, 48, 6, 10, 15, 21)
/* A is not touched after step 61, and only its bits are looked at. */
#define ROUND_4_FOR_A(S) \
    FOUR(S, I, 48, 6, 10, 15, 21) FOUR(S, I, 52, 6, 10, 15, 21) FOUR(S, I, 56, 6, 10, 15, 21) \
    S(I, a, b, c, d, 60, 6)

#define ADD_WORD(f, a, b, c, d, i, by) \
    a = a + (x[WORD(i)] + K[i]) + f(b, c, d); \
    a = ROTATED(a, by) + b;

static void compress(uint32_t state[4], const uint8_t block[BLOCK])
{
    uint32_t x[16], a = state[0], b = state[1], c = state[2], d = state[3];
    memcpy(x, block, BLOCK);
    ROUND_1(ADD_WORD) ROUNDS_2_3(ADD_WORD) ROUND_4(ADD_WORD)
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
}

/* Write what MD5 puts behind a message of so many bytes. `end` is what of it is in its last block
   or two; return how many these are. The bytes behind the message have to be zero. */
static unsigned pad(uint8_t bytes[2 * BLOCK], size_t end, uint64_t size)
{
    unsigned blocks = end + 1 + sizeof size > BLOCK ? 2 : 1;
    bytes[end] = 0x80;
    size *= 8;
    memcpy(bytes + blocks * BLOCK - sizeof size, &size, sizeof size);
    return blocks;
}

void md5_window(struct md5_window *window, const uint8_t *prefix, size_t size)
{
    memset(window, 0, sizeof *window);
    memcpy(window->state, START, sizeof START);
    size_t whole = size / BLOCK * BLOCK;
    for (size_t done = 0; done < whole; done += BLOCK)
        compress(window->state, prefix + done);
    window->at = size - whole;
    if (window->at > 0)
        memcpy(window->bytes, prefix + whole, window->at);
    window->blocks = pad(window->bytes, window->at + CODE, size + CODE);
}

/* Count the code up, its last byte left out; return the highest byte that has changed. */
static unsigned next_run(uint8_t code[CODE])
{
    unsigned byte = CODE - 1;
    while (byte-- > 0)
        if (++code[byte] != 0)
            return byte;
    return 0;
}

/* Do the first steps of a block, and sort the results by the variables of the step that follows:
   from step to step these change their parts. */
static void begin(uint32_t results[4], const uint32_t state[4], const uint32_t *x, unsigned steps)
{
    static const unsigned by[4] = {7, 12, 17, 22};
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    for (unsigned i = 0; i < steps; i++) {
        uint32_t sum = a + F(b, c, d) + x[i] + K[i];
        a = d;
        d = c;
        c = b;
        b += ROTATED(sum, by[i % 4]);
    }
    const uint32_t parts[4] = {a, b, c, d};
    for (unsigned part = 0; part < 4; part++)
        results[(part - steps) % 4] = parts[part];
}

/* The step of a round that adds a word of the block: WORD the other way round. */
static unsigned step_with(unsigned word, unsigned round)
{
    static const uint8_t factor[4] = {1, 13, 11, 7}, first[4] = {0, 1, 5, 0};
    return 16 * round + factor[round] * (word + 16 - first[round]) % 16;
}

/* What an MD5 is taken of: the window of a chat. */
struct span {
    uint64_t begin, size;
};

static struct span span_of(const struct md5_chats *chats, size_t chat)
{
    uint64_t begin = chats->offsets[chat < chats->reach ? 0 : chat + 1 - chats->reach];
    return (struct span){begin, chats->offsets[chat + 1] - DIGEST - begin};
}

/* Tell whether the window is one that can be read. */
static int has_window(const struct md5_chats *chats, size_t chat)
{
    uint64_t begin = chats->offsets[chat < chats->reach ? 0 : chat + 1 - chats->reach];
    uint64_t end = chats->offsets[chat + 1];
    return end <= chats->size && end >= DIGEST && begin <= end - DIGEST;
}

/* Copy what is behind the whole blocks of a window, and pad it; return how many blocks it takes. */
static unsigned end_of(uint8_t bytes[2 * BLOCK], const struct md5_chats *chats, struct span span)
{
    size_t rest = span.size % BLOCK;
    memcpy(bytes, chats->data + span.begin + (span.size - rest), rest);
    return pad(bytes, rest, span.size);
}

/* Return a block of a window; any one if the window has ended. */
static inline const uint8_t *block_of(const uint8_t *blocks, uint32_t whole, const uint8_t *ends,
                                      uint32_t count, uint32_t number)
{
    if (number < whole)
        return blocks + (size_t)number * BLOCK;
    return number < count ? ends + (number - whole) * BLOCK : ends;
}

/* Tell whether this is the MD5 that the chat ends with, and has the zeros of one. */
static int is_valid(const struct md5_chats *chats, size_t chat, const uint32_t digest[4])
{
    const uint8_t *said = chats->data + chats->offsets[chat + 1] - DIGEST;
    return (digest[0] & chats->mask) == 0 && memcmp(digest, said, DIGEST) == 0;
}

#define JOINED_(x, y) x##y
#define JOINED(x, y) JOINED_(x, y)
#define NAMED(name) JOINED(name, LANES)

/* What every processor of its family has: SSE2, NEON; without either it is done with numbers. */
#define LANES 4
#define TARGET
#include "lanes.h"

#if defined(__x86_64__) || defined(__i386__)
#define LANES 8
#define TARGET __attribute__((target("avx2")))
#include "lanes.h"

#define LANES 16
#define TARGET __attribute__((target("avx512f")))
#include "lanes.h"

unsigned md5_lanes(void)
{
    return 4 + (__builtin_cpu_supports("avx2") ? 8 : 0) + (__builtin_cpu_supports("avx512f") ? 16 : 0);
}
#define WITH_LANES(lanes, name, ...) \
    ((lanes) == 16 ? name##16(__VA_ARGS__) : (lanes) == 8 ? name##8(__VA_ARGS__) : name##4(__VA_ARGS__))
#else
unsigned md5_lanes(void)
{
    return 4;
}
#define WITH_LANES(lanes, name, ...) ((void)(lanes), name##4(__VA_ARGS__))
#endif

int md5_search(const struct md5_window *window, uint8_t *code, uint64_t tries, uint32_t mask,
               unsigned lanes)
{
    return WITH_LANES(lanes, search_, window, code, tries, mask);
}

size_t md5_first_invalid(const struct md5_chats *chats, size_t start, size_t stop, unsigned lanes)
{
    return WITH_LANES(lanes, first_invalid_, chats, start, stop);
}
