/* MD5 (RFC 1321) on vectors of eight words, by the compiler's own vector types: AVX2 or AVX-512
 * where the machine has it, pairs of SSE2 or NEON registers elsewhere. */
#include "io/md5_lanes.h"

#include <stdint.h>
#include <string.h>

enum { BLOCK = 64, WORDS = 16 };

typedef uint32_t lanes __attribute__((vector_size(4 * PGO_MD5_LANES)));

struct state {
    lanes a, b, c, d;
};

#if defined(__x86_64__) && defined(__GLIBC__) && !defined(__clang__) &&                            \
    !defined(__SANITIZE_ADDRESS__)
#define FOR_EACH_MACHINE __attribute__((target_clones("arch=x86-64-v4", "avx2", "default")))
#else
#define FOR_EACH_MACHINE
#endif

#define F(x, y, z) ((z) ^ ((x) & ((y) ^ (z))))
#define G(x, y, z) ((y) ^ ((z) & ((x) ^ (y))))
#define H(x, y, z) ((x) ^ (y) ^ (z))
#define I(x, y, z) ((y) ^ ((x) | ~(z)))
#define TURN(x, n) ((x) << (n) | (x) >> (32 - (n)))
#define STEP(f, a, b, c, d, word, turn, constant)                                                  \
    ((a) += f(b, c, d) + w[word] + (constant), (a) = TURN(a, turn) + (b))

/* Sixteen steps: the words in the order first, first + stride, ..., four turns, sixteen constants.
 */
#define ROUND(f, first, stride, t0, t1, t2, t3, k)                                                 \
    for (unsigned i = 0; i < WORDS; i += 4) {                                                      \
        STEP(f, a, b, c, d, ((first) + (stride)*i) % WORDS, t0, (k)[i]);                           \
        STEP(f, d, a, b, c, ((first) + (stride) * (i + 1)) % WORDS, t1, (k)[i + 1]);               \
        STEP(f, c, d, a, b, ((first) + (stride) * (i + 2)) % WORDS, t2, (k)[i + 2]);               \
        STEP(f, b, c, d, a, ((first) + (stride) * (i + 3)) % WORDS, t3, (k)[i + 3]);               \
    }

/* Floor of 2^32 * |sin(n)| for n = 1 to 64. */
static const uint32_t constants[4][WORDS] = {
    {0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
     0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e,
     0x49b40821},
    {0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
     0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9,
     0x8d2a4c8a},
    {0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
     0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8,
     0xc4ac5665},
    {0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
     0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb,
     0xeb86d391},
};

/* One block of each message, at `offset` of it. */
static inline __attribute__((always_inline)) void
absorb(struct state *state, const unsigned char *const *at, size_t offset) {
    lanes w[WORDS], a = state->a, b = state->b, c = state->c, d = state->d;
    for (unsigned i = 0; i < WORDS; i++) {
        for (unsigned lane = 0; lane < PGO_MD5_LANES; lane++) {
            uint32_t word;
            memcpy(&word, at[lane] + offset + 4 * i, sizeof word);
            w[i][lane] = word;
        }
    }
    ROUND(F, 0, 1, 7, 12, 17, 22, constants[0])
    ROUND(G, 1, 5, 5, 9, 14, 20, constants[1])
    ROUND(H, 5, 3, 4, 11, 16, 23, constants[2])
    ROUND(I, 0, 7, 6, 10, 15, 21, constants[3])
    state->a += a;
    state->b += b;
    state->c += c;
    state->d += d;
}

FOR_EACH_MACHINE
static void absorb_all(struct state *state, const unsigned char *const *at, size_t blocks) {
    for (size_t i = 0; i < blocks; i++) {
        absorb(state, at, i * BLOCK);
    }
}

/* The rest of a message, a one, zeros, and its length in bits: one block or two. */
static size_t pad(unsigned char *tail, const unsigned char *rest, size_t length) {
    size_t left = length % BLOCK, size = left < BLOCK - 8 ? BLOCK : 2 * BLOCK;
    uint64_t bits = (uint64_t)length * 8;
    memset(tail, 0, size);
    if (left > 0) {
        memcpy(tail, rest, left);
    }
    tail[left] = 0x80;
    for (unsigned i = 0; i < 8; i++) {
        tail[size - 8 + i] = (unsigned char)(bits >> (8 * i));
    }
    return size / BLOCK;
}

static void put(unsigned char *out, uint32_t word) {
    for (unsigned i = 0; i < 4; i++) {
        out[i] = (unsigned char)(word >> (8 * i));
    }
}

void pgo_md5_lanes(const void *const *messages, size_t count, size_t length,
                   unsigned char (*digests)[PGO_MD5_SIZE]) {
    struct state state = {(lanes){0} + 0x67452301, (lanes){0} + 0xefcdab89, (lanes){0} + 0x98badcfe,
                          (lanes){0} + 0x10325476};
    unsigned char tails[PGO_MD5_LANES][2 * BLOCK];
    const unsigned char *at[PGO_MD5_LANES], *ends[PGO_MD5_LANES];
    size_t whole = length / BLOCK, padded = 0;
    for (size_t i = 0; i < PGO_MD5_LANES; i++) { /* lanes without a message repeat the first */
        at[i] = messages[i < count ? i : 0];
        padded = pad(tails[i], at[i] + whole * BLOCK, length);
        ends[i] = tails[i];
    }
    absorb_all(&state, at, whole);
    absorb_all(&state, ends, padded);
    for (size_t i = 0; i < count; i++) {
        put(digests[i], state.a[i]);
        put(digests[i] + 4, state.b[i]);
        put(digests[i] + 8, state.c[i]);
        put(digests[i] + 12, state.d[i]);
    }
}
