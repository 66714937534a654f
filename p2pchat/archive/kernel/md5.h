/* What Python calls. This file is read by the compiler and by cffi, so it holds no directives. */

/* Chats of a buffer: chat i stands from offsets[i] to offsets[i + 1]. */
struct md5_chats {
    const uint8_t *data;
    size_t size;
    const uint64_t *offsets;
    size_t reach;  /* how many chats a window covers at the most, its own included */
    uint32_t mask; /* which bits of an MD5's first four bytes, read as little-endian, are zero */
};

/* Tell which numbers of lanes this processor can run: the sum of some of 4, 8 and 16. */
unsigned md5_lanes(void);

/* Try so many codes behind a prefix, from `code` on, counted as a number of 128 bits, the last byte
   its lowest. Both have to be multiples of 256. Leave in code the first one that makes the bits of
   mask zero, and return 1; if there is none leave the one to go on with, and return 0. */
int md5_search(const uint8_t *prefix, size_t size, uint8_t *code, uint64_t tries, uint32_t mask,
               unsigned lanes);

/* Return the first chat from start to before stop that is not valid, or stop. */
size_t md5_first_invalid(const struct md5_chats *chats, size_t start, size_t stop, unsigned lanes);
