/* The two functions for one number of LANES; md5.c includes this once for each of them. */

typedef uint32_t NAMED(vector) __attribute__((vector_size(4 * LANES)));
typedef uint64_t NAMED(wide) __attribute__((vector_size(4 * LANES)));
#define VECTOR NAMED(vector)
#define WIDE NAMED(wide)

/* Looking for a code. Of all tries the blocks in front of the code are the same: they are in the
   window's state. Of 256 tries in a row all bytes but the last one of the code are the same:

   - The code's last byte stands in one word of one block, so four of the 64 steps add something
     that differs from lane to lane. For the others K and the word are one number, added before.
   - The steps in front of the first of these four are done once for all 256.
   - If that byte is in the second of the two blocks that the code reaches into, the first one is
     only hashed again when a byte of the code that is in it changes.
   - A is ready after step 61. Whether it fits is noted, and looked at after all 256.

   So a try costs 61 steps less the first few, unless a block of padding follows behind the code:
   that is so if 40 to 48 bytes stand in front of the code in its block. Two vectors take turns,
   because each step waits for the one before. */

#define ADD_SUM(f, a, b, c, d, i, by) \
    a##0 = a##0 + x[0][i] + f(b##0, c##0, d##0); \
    a##1 = a##1 + x[1][i] + f(b##1, c##1, d##1); \
    a##0 = ROTATED(a##0, by) + b##0; \
    a##1 = ROTATED(a##1, by) + b##1;

/* The same, for the block that is the same in all lanes. */
#define ADD_PADDING(f, a, b, c, d, i, by) \
    a##0 = a##0 + padding[i] + f(b##0, c##0, d##0); \
    a##1 = a##1 + padding[i] + f(b##1, c##1, d##1); \
    a##0 = ROTATED(a##0, by) + b##0; \
    a##1 = ROTATED(a##1, by) + b##1;

/* The first round can be entered at any step. */
#define ENTER(f, a, b, c, d, i, by) \
    case i: \
        ADD_SUM(f, a, b, c, d, i, by) /* fall through */

struct NAMED(run) {
    VECTOR x[2][64];      /* for each step K and the word, of the two vectors that take turns */
    uint32_t padding[64]; /* the same of the block behind the code, if there is one */
    uint32_t state[4];    /* in front of the block with the code's last byte */
    uint32_t words[16];   /* that block; that byte is zero */
    unsigned word;        /* which of these it is in */
    unsigned shift;       /* and by how many bits it is shifted there */
    int padded;
    uint32_t mask;
};

/* Take over words of the block, from one of them to that with the code's last byte. */
static TARGET void NAMED(take_)(struct NAMED(run) *run, const uint8_t *block, unsigned first,
                                unsigned last)
{
    for (unsigned word = first; word <= last; word++) {
        memcpy(&run->words[word], block + 4 * word, 4);
        for (unsigned round = 0; round < 4; round++) {
            unsigned step = step_with(word, round);
            run->x[0][step] = run->x[1][step] = (VECTOR){0} + (run->words[word] + K[step]);
        }
    }
}

/* Return which of 256 numbers is the first that is zero, or -1; in `any` are bits if there is one. */
static inline TARGET int NAMED(first_zero_)(const VECTOR numbers[RUN / LANES], VECTOR any)
{
    uint32_t found = 0;
    for (unsigned lane = 0; lane < LANES; lane++)
        found |= any[lane];
    for (int at = 0; found && at < RUN; at++)
        if (numbers[at / LANES][at % LANES] == 0)
            return at;
    return -1;
}

/* Try 256 codes; return the last byte of the first one that fits, or -1. */
static TARGET int NAMED(try_)(struct NAMED(run) *run)
{
    VECTOR(*const x)[64] = run->x;
    const uint32_t *const padding = run->padding, *const state = run->state;
    const unsigned word = run->word;
    VECTOR missing[RUN / LANES], any = {0}, byte[2], varied[4];
    uint32_t parts[4];
    for (unsigned lane = 0; lane < LANES; lane++)
        byte[0][lane] = lane << run->shift;
    byte[1] = byte[0] + ((uint32_t)LANES << run->shift);
    for (unsigned round = 0; round < 4; round++)
        varied[round] = (VECTOR){0} + (run->words[word] + K[step_with(word, round)]);
    begin(parts, state, run->words, word);
    for (unsigned at = 0; at < RUN / LANES; at += 2) {
        for (unsigned round = 0; round < 4; round++) {
            x[0][step_with(word, round)] = varied[round] + byte[0];
            x[1][step_with(word, round)] = varied[round] + byte[1];
        }
        byte[0] += (uint32_t)(2 * LANES) << run->shift;
        byte[1] += (uint32_t)(2 * LANES) << run->shift;
        VECTOR a0 = (VECTOR){0} + parts[0], b0 = (VECTOR){0} + parts[1];
        VECTOR c0 = (VECTOR){0} + parts[2], d0 = (VECTOR){0} + parts[3];
        VECTOR a1 = a0, b1 = b0, c1 = c0, d1 = d0, first0, first1;
        switch (word) {
            ROUND_1(ENTER)
        }
        ROUNDS_2_3(ADD_SUM)
        if (run->padded) {
            ROUND_4(ADD_SUM)
            first0 = a0 += state[0], b0 += state[1], c0 += state[2], d0 += state[3];
            first1 = a1 += state[0], b1 += state[1], c1 += state[2], d1 += state[3];
            ROUND_1(ADD_PADDING) ROUNDS_2_3(ADD_PADDING) ROUND_4_FOR_A(ADD_PADDING)
        } else {
            first0 = first1 = (VECTOR){0} + state[0];
            ROUND_4_FOR_A(ADD_SUM)
        }
        missing[at] = (a0 + first0) & run->mask;
        missing[at + 1] = (a1 + first1) & run->mask;
        any |= (VECTOR)(missing[at] == 0) | (VECTOR)(missing[at + 1] == 0);
    }
    return NAMED(first_zero_)(missing, any);
}

static TARGET int NAMED(search_)(const struct md5_window *window, uint8_t *code, uint64_t tries,
                                 uint32_t mask)
{
    struct NAMED(run) run;
    uint8_t bytes[2 * BLOCK];
    const unsigned last = window->at + CODE - 1;
    const uint8_t *const block = bytes + last / BLOCK * BLOCK;
    memcpy(bytes, window->bytes, sizeof bytes);
    memcpy(run.state, window->state, sizeof run.state);
    run.word = last % BLOCK / 4;
    run.shift = last % 4 * 8;
    run.padded = block == bytes && window->blocks == 2;
    run.mask = mask;
    for (unsigned step = 0; run.padded && step < 64; step++) {
        memcpy(&run.padding[step], bytes + BLOCK + 4 * WORD(step), 4);
        run.padding[step] += K[step];
    }
    NAMED(take_)(&run, block, run.word, 15);
    for (unsigned changed = 0; tries > 0; tries -= RUN, changed = next_run(code)) {
        const uint8_t *from = bytes + window->at + changed;
        memcpy(bytes + window->at, code, CODE - 1);
        if (from < block) {
            memcpy(run.state, window->state, sizeof run.state);
            compress(run.state, bytes);
            from = block;
        }
        NAMED(take_)(&run, block, changed ? (from - block) / 4 : 0, run.word);
        int found = NAMED(try_)(&run);
        if (found >= 0) {
            code[CODE - 1] = found;
            return 1;
        }
    }
    return 0;
}

/* Verifying. Each lane has a window of its own; neighbouring windows have nearly as many blocks,
   and where a window has ended its lane goes on without its results being added. */

#define ADD_VECTOR(f, a, b, c, d, i, by) \
    a = a + (x[WORD(i)] + K[i]) + f(b, c, d); \
    a = ROTATED(a, by) + b;

struct NAMED(windows) {
    uint8_t ends[LANES][2 * BLOCK];  /* what follows the whole blocks, and the padding */
    const uint8_t *blocks[LANES];    /* the whole ones, which stay where they are */
    unsigned whole[LANES];           /* how many of these there are */
    uint32_t count[LANES];           /* of all blocks */
    uint32_t digests[4][LANES];
};

/* Copy a block of each window, two words at a time: those of even lanes to the first half of a row,
   those of odd lanes to the second. */
static TARGET void NAMED(copy_)(VECTOR pairs[8][2], const struct NAMED(windows) *windows,
                                uint32_t number)
{
    for (unsigned lane = 0; lane < LANES; lane++) {
        const uint8_t *block = block_of(windows->blocks[lane], windows->whole[lane],
                                        windows->ends[lane], windows->count[lane], number);
        for (unsigned pair = 0; pair < 8; pair++)
            memcpy((uint8_t *)&pairs[pair][lane % 2] + lane / 2 * 8, block + 8 * pair, 8);
    }
}

/* Put the words side by side that have the same place in their blocks. */
static inline TARGET void NAMED(turn_)(VECTOR x[16], VECTOR pairs[8][2])
{
    const WIDE low = (WIDE){0} + 0xffffffff;
    for (unsigned pair = 0; pair < 8; pair++) {
        const WIDE even = (WIDE)pairs[pair][0], odd = (WIDE)pairs[pair][1];
        x[2 * pair] = (VECTOR)((even & low) | odd << 32);
        x[2 * pair + 1] = (VECTOR)(even >> 32 | (odd & ~low));
    }
}

static TARGET void NAMED(hash_)(struct NAMED(windows) *windows)
{
    VECTOR state[4], pairs[8][2], x[16], count;
    uint32_t most = 0;
    memcpy(&count, windows->count, sizeof count);
    for (unsigned lane = 0; lane < LANES; lane++)
        most = windows->count[lane] > most ? windows->count[lane] : most;
    for (unsigned part = 0; part < 4; part++)
        state[part] = (VECTOR){0} + START[part];
    for (uint32_t done = 0; done < most; done++) {
        NAMED(copy_)(pairs, windows, done);
        NAMED(turn_)(x, pairs);
        VECTOR a = state[0], b = state[1], c = state[2], d = state[3];
        ROUND_1(ADD_VECTOR) ROUNDS_2_3(ADD_VECTOR) ROUND_4(ADD_VECTOR)
        const VECTOR lives = (VECTOR)(count > done);
        state[0] += a & lives;
        state[1] += b & lives;
        state[2] += c & lives;
        state[3] += d & lives;
    }
    memcpy(windows->digests, state, sizeof state);
}

static TARGET size_t NAMED(first_invalid_)(const struct md5_chats *chats, size_t start,
                                           size_t stop)
{
    struct NAMED(windows) windows;
    while (start < stop) {
        unsigned lanes = 0;
        memset(&windows, 0, sizeof windows);
        for (; lanes < LANES && start + lanes < stop && has_window(chats, start + lanes); lanes++) {
            const struct span span = span_of(chats, start + lanes);
            windows.blocks[lanes] = chats->data + span.begin;
            windows.whole[lanes] = span.size / BLOCK;
            windows.count[lanes] = span.size / BLOCK + end_of(windows.ends[lanes], chats, span);
        }
        NAMED(hash_)(&windows);
        for (unsigned lane = 0; lane < lanes; lane++) {
            uint32_t digest[4];
            for (unsigned part = 0; part < 4; part++)
                digest[part] = windows.digests[part][lane];
            if (!is_valid(chats, start + lane, digest))
                return start + lane;
        }
        start += lanes;
        if (lanes < LANES)
            break;
    }
    return start;
}

#undef LANES
#undef TARGET
#undef VECTOR
#undef WIDE
#undef ADD_SUM
#undef ADD_PADDING
#undef ENTER
#undef ADD_VECTOR
