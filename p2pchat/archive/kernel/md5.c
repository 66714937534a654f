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

enum { BLOCK = 64, DIGEST = 16, CODE = 16, RUN = 256, MOST_LANES = 16 };

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
#define TWELVE(S, f, i, r, s, t, u) \
    FOUR(S, f, i, r, s, t, u) FOUR(S, f, i + 4, r, s, t, u) FOUR(S, f, i + 8, r, s, t, u)
#define ROUND(S, f, i, r, s, t, u) TWELVE(S, f, i, r, s, t, u) FOUR(S, f, i + 12, r, s, t, u)
#define ROUND_1(S) ROUND(S, F, 0, 7, 12, 17, 22)
#define ROUNDS_2_3(S) ROUND(S, G, 16, 5, 9, 14, 20) ROUND(S, H, 32, 4, 11, 16, 23)
#define ROUND_4(S) ROUND(S, I, 48, 6, 10, 15, 21)
/* A is not touched after step 61, and only its bits are looked at. */
#define ROUND_4_FOR_A(S) TWELVE(S, I, 48, 6, 10, 15, 21) S(I, a, b, c, d, 60, 6)

/* What a step does; so much is added. It waits for the one before: `b` comes in last. */
#define MIX(f, a, b, c, d, sum, by) \
    a = a + (sum) + f(b, c, d); \
    a = ROTATED(a, by) + b;
#define ADD_WORD(f, a, b, c, d, i, by) MIX(f, a, b, c, d, x[WORD(i)] + K[i], by)

/* Steps of two vectors that take turns, each with sums x of its own. The first round can be entered
   at any step. Padding is the same in all lanes. */
#define ADD_SUM(f, a, b, c, d, i, by) \
    MIX(f, a##0, b##0, c##0, d##0, x[0][i], by) MIX(f, a##1, b##1, c##1, d##1, x[1][i], by)
#define ENTER(f, a, b, c, d, i, by) case i: ADD_SUM(f, a, b, c, d, i, by) /* fall through */
#define ADD_PADDING(f, a, b, c, d, i, by) \
    MIX(f, a##0, b##0, c##0, d##0, padding[WORD(i)] + K[i], by) \
    MIX(f, a##1, b##1, c##1, d##1, padding[WORD(i)] + K[i], by)

/* Add the block x to a state, where `lives` is not zero. */
#define COMPRESS(number, state, x, lives) \
    number a = state[0], b = state[1], c = state[2], d = state[3]; \
    ROUND_1(ADD_WORD) ROUNDS_2_3(ADD_WORD) ROUND_4(ADD_WORD) \
    state[0] += a & (lives), state[1] += b & (lives); \
    state[2] += c & (lives), state[3] += d & (lives);

static void compress(uint32_t state[4], const uint8_t block[BLOCK])
{
    uint32_t x[16];
    memcpy(x, block, BLOCK);
    COMPRESS(uint32_t, state, x, ~(uint32_t)0)
}

/* Write what MD5 puts behind a message of so many bytes. `end` is what of it is in its last block
   or two; return how many these are. The bytes behind the message have to be zero. */
static unsigned pad(uint8_t bytes[2 * BLOCK], size_t end, uint64_t size)
{
    unsigned blocks = end + 1 + sizeof size > BLOCK ? 2 : 1;
    bytes[end] = 0x80;
    memcpy(bytes + blocks * BLOCK - sizeof size, &(uint64_t){8 * size}, sizeof size);
    return blocks;
}

/* What is the same for many tries of a search for the code behind a prefix. */
struct search {
    uint32_t before[4];        /* MD5's state after the whole blocks in front of the code */
    uint32_t state[4];         /* and in front of the block with the code's last byte */
    uint8_t bytes[2 * BLOCK];  /* the rest: one or two blocks, with the code, and the padding */
    uint8_t *code, *block;     /* where the code goes in them, and the block with its last byte */
    unsigned word, shift;      /* which word that byte is in, and by how many bits it is shifted */
    uint32_t sums[64];         /* for each step K and that block's word, the byte being zero */
    uint32_t mask, padding[16];
    int padded;                /* whether a block of this padding stands behind that one */
};

static void prepare(struct search *search, const uint8_t *prefix, size_t size, uint32_t mask)
{
    const size_t whole = size / BLOCK * BLOCK, last = size - whole + CODE - 1;
    memset(search, 0, sizeof *search);
    memcpy(search->before, START, sizeof START);
    for (size_t done = 0; done < whole; done += BLOCK)
        compress(search->before, prefix + done);
    memcpy(search->state, search->before, sizeof START);
    memcpy(search->bytes, prefix + whole, size - whole);
    search->code = search->bytes + (size - whole);
    search->block = search->bytes + last / BLOCK * BLOCK;
    search->word = last % BLOCK / 4;
    search->shift = last % 4 * 8;
    search->padded = pad(search->bytes, last + 1, size + CODE) == 2 && last < BLOCK;
    memcpy(search->padding, search->bytes + BLOCK, BLOCK);
    search->mask = mask;
}

/* Count the code up, its last byte left out; return the highest byte that has changed. */
static unsigned next_run(uint8_t code[CODE])
{
    unsigned byte = CODE - 1;
    while (byte > 0 && ++code[--byte] == 0)
        continue;
    return byte;
}

/* Take a code whose bytes from `changed` on are others; return the first word of its last block
   that may be another one. */
static unsigned put(struct search *search, const uint8_t code[CODE], unsigned changed)
{
    const uint8_t *from = search->code + changed;
    memcpy(search->code, code, CODE - 1);
    if (from >= search->block)
        return changed ? (from - search->block) / 4 : 0;
    memcpy(search->state, search->before, sizeof search->state);
    compress(search->state, search->bytes);
    return 0;
}

/* Do the first steps of a block. Each changes the variable that stands before that of the last. */
static void begin(uint32_t v[4], const uint32_t *sums, unsigned steps)
{
    static const unsigned by[4] = {7, 12, 17, 22};
    for (unsigned i = 0; i < steps; i++) {
        uint32_t *a = &v[-i % 4], b = v[(1 - i) % 4], c = v[(2 - i) % 4], d = v[(3 - i) % 4];
        MIX(F, *a, b, c, d, sums[i], by[i % 4])
    }
}

/* The step of a round that adds a word of the block: WORD the other way round. */
static unsigned step_with(unsigned word, unsigned round)
{
    static const uint8_t factor[4] = {1, 13, 11, 7}, first[4] = {0, 1, 5, 0};
    return 16 * round + factor[round] * (word + 16 - first[round]) % 16;
}

/* The windows of some chats, one a lane. */
struct windows {
    uint8_t ends[MOST_LANES][2 * BLOCK]; /* what follows the whole blocks, and the padding */
    const uint8_t *blocks[MOST_LANES];   /* the whole ones, which stay where they are */
    uint32_t whole[MOST_LANES];          /* how many of these there are */
    uint32_t count[MOST_LANES], most;    /* of all blocks, and in the longest window */
};

/* Fill lanes from a chat on, as far as there are windows that can be read; return how many. */
static unsigned fill(struct windows *windows, const struct md5_chats *chats, size_t chat,
                     size_t stop, unsigned lanes)
{
    unsigned lane = 0;
    memset(windows, 0, sizeof *windows);
    for (; lane < lanes && chat < stop; lane++, chat++) {
        uint64_t begin = chats->offsets[chat < chats->reach ? 0 : chat + 1 - chats->reach];
        uint64_t end = chats->offsets[chat + 1], size = end - DIGEST - begin, rest = size % BLOCK;
        if (end > chats->size || end < DIGEST || begin > end - DIGEST)
            break;
        windows->blocks[lane] = chats->data + begin;
        windows->whole[lane] = size / BLOCK;
        memcpy(windows->ends[lane], chats->data + begin + (size - rest), rest);
        windows->count[lane] = size / BLOCK + pad(windows->ends[lane], rest, size);
        if (windows->most < windows->count[lane])
            windows->most = windows->count[lane];
    }
    return lane;
}

#define JOINED_(x, y) x##y
#define JOINED(x, y) JOINED_(x, y)
#define NAMED(name) JOINED(name, LANES)
#define VECTOR NAMED(vector)

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

#define WIDER (8 * !!__builtin_cpu_supports("avx2") + 16 * !!__builtin_cpu_supports("avx512f"))
#define WITH_LANES(lanes, f, ...) \
    ((lanes) == 16 ? f##16(__VA_ARGS__) : (lanes) == 8 ? f##8(__VA_ARGS__) : f##4(__VA_ARGS__))
#else
#define WIDER 0
#define WITH_LANES(lanes, f, ...) ((void)(lanes), f##4(__VA_ARGS__))
#endif

unsigned md5_lanes(void)
{
    return 4 + WIDER;
}

int md5_search(const uint8_t *prefix, size_t size, uint8_t *code, uint64_t tries, uint32_t mask,
               unsigned lanes)
{
    struct search search;
    prepare(&search, prefix, size, mask);
    return WITH_LANES(lanes, search_, &search, code, tries);
}

size_t md5_first_invalid(const struct md5_chats *chats, size_t start, size_t stop, unsigned lanes)
{
    return WITH_LANES(lanes, first_invalid_, chats, start, stop);
}
