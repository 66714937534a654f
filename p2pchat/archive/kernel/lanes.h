/* The two functions for one number of LANES; md5.c includes this once for each of them. */

typedef uint32_t NAMED(vector) __attribute__((vector_size(4 * LANES)));
typedef uint64_t NAMED(wide) __attribute__((vector_size(4 * LANES)));

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

/* Take over words of the block, from one of them to another. */
static TARGET void NAMED(take_)(VECTOR x[2][64], struct search *search, unsigned i, unsigned last)
{
    for (uint32_t word; i <= last; i++) {
        memcpy(&word, search->block + 4 * i, sizeof word);
        for (unsigned round = 0; round < 4; round++) {
            const unsigned step = step_with(i, round);
            search->sums[step] = word + K[step];
            x[0][step] = x[1][step] = (VECTOR){0} + search->sums[step];
        }
    }
}

/* Try 256 codes; return the last byte of the first one that fits, or -1. */
static TARGET int NAMED(try_)(VECTOR x[2][64], const struct search *search)
{
    const uint32_t *const padding = search->padding, *const state = search->state;
    const uint32_t word = search->word, next = (uint32_t)LANES << search->shift;
    VECTOR missing[RUN / LANES], any = {0}, byte, varied[4];
    uint32_t parts[4] = {state[0], state[1], state[2], state[3]}, found = 0;
    for (unsigned lane = 0; lane < LANES; lane++)
        byte[lane] = lane << search->shift;
    for (unsigned round = 0; round < 4; round++)
        varied[round] = byte + search->sums[step_with(word, round)];
    begin(parts, search->sums, word);
    for (unsigned at = 0; at < RUN / LANES; at += 2) {
        for (unsigned round = 0; round < 4; round++) {
            x[0][step_with(word, round)] = varied[round];
            x[1][step_with(word, round)] = varied[round] + next;
            varied[round] += 2 * next;
        }
        VECTOR a0 = (VECTOR){0} + parts[0], b0 = (VECTOR){0} + parts[1];
        VECTOR c0 = (VECTOR){0} + parts[2], d0 = (VECTOR){0} + parts[3];
        VECTOR a1 = a0, b1 = b0, c1 = c0, d1 = d0, first0 = (VECTOR){0} + state[0], first1 = first0;
        switch (word) {
            ROUND_1(ENTER)
        }
        ROUNDS_2_3(ADD_SUM)
        if (search->padded) {
            ROUND_4(ADD_SUM)
            first0 = a0 += state[0], b0 += state[1], c0 += state[2], d0 += state[3];
            first1 = a1 += state[0], b1 += state[1], c1 += state[2], d1 += state[3];
            ROUND_1(ADD_PADDING) ROUNDS_2_3(ADD_PADDING) ROUND_4_FOR_A(ADD_PADDING)
        } else {
            ROUND_4_FOR_A(ADD_SUM)
        }
        missing[at] = (a0 + first0) & search->mask;
        missing[at + 1] = (a1 + first1) & search->mask;
        any |= (VECTOR)(missing[at] == 0) | (VECTOR)(missing[at + 1] == 0);
    }
    for (unsigned lane = 0; lane < LANES; lane++)
        found |= any[lane];
    for (int at = 0; found && at < RUN; at++)
        if (missing[at / LANES][at % LANES] == 0)
            return at;
    return -1;
}

static TARGET int NAMED(search_)(struct search *search, uint8_t *code, uint64_t tries)
{
    VECTOR x[2][64]; /* for each step K and the word */
    for (unsigned changed = 0; tries > 0; tries -= RUN, changed = next_run(code)) {
        NAMED(take_)(x, search, put(search, code, changed), changed ? search->word : 15);
        int found = NAMED(try_)(x, search);
        if (found >= 0) {
            code[CODE - 1] = found;
            return 1;
        }
    }
    return 0;
}

/* Verifying. Each lane has a window of its own; neighbouring windows have nearly as many blocks,
   and where a window has ended its lane goes on without its results being added. */

/* Put the words side by side that have the same place in a block of each window. They are copied
   two at a time: those of even lanes to the first half of a row, of odd lanes to the second. */
static TARGET void NAMED(load_)(VECTOR x[16], const struct windows *windows, uint32_t number)
{
    const NAMED(wide) low = (NAMED(wide)){0} + 0xffffffff;
    NAMED(wide) pairs[8][2];
    for (unsigned lane = 0; lane < LANES; lane++) {
        const uint32_t whole = windows->whole[lane];
        const uint8_t *block = number < whole ? windows->blocks[lane] + (size_t)number * BLOCK
                                              : windows->ends[lane] + (number - whole) % 2 * BLOCK;
        for (unsigned pair = 0; pair < 8; pair++)
            memcpy((uint8_t *)&pairs[pair][lane % 2] + lane / 2 * 8, block + 8 * pair, 8);
    }
    for (unsigned pair = 0; pair < 8; pair++) {
        const NAMED(wide) even = pairs[pair][0], odd = pairs[pair][1];
        x[2 * pair] = (VECTOR)((even & low) | odd << 32);
        x[2 * pair + 1] = (VECTOR)(even >> 32 | (odd & ~low));
    }
}

static TARGET size_t NAMED(first_invalid_)(const struct md5_chats *chats, size_t start, size_t stop)
{
    struct windows windows;
    VECTOR state[4], x[16], count;
    for (unsigned lanes = LANES; lanes == LANES; start += lanes) {
        lanes = fill(&windows, chats, start, stop, LANES);
        memcpy(&count, windows.count, sizeof count);
        for (unsigned part = 0; part < 4; part++)
            state[part] = (VECTOR){0} + START[part];
        for (uint32_t done = 0; done < windows.most; done++) {
            NAMED(load_)(x, &windows, done);
            COMPRESS(VECTOR, state, x, (VECTOR)(count > done))
        }
        for (unsigned lane = 0; lane < lanes; lane++) {
            uint32_t digest[4] = {state[0][lane], state[1][lane], state[2][lane], state[3][lane]};
            const uint8_t *said = chats->data + chats->offsets[start + lane + 1] - DIGEST;
            if ((digest[0] & chats->mask) != 0 || memcmp(digest, said, DIGEST) != 0)
                return start + lane;
        }
    }
    return start;
}

#undef LANES
#undef TARGET
