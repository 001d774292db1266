/* What the C files share: AMX tiles, and floats as the sum of two bfloat16 (16 bits).

   Tiles hold 16 rows of 64 bytes. The left factor of a product lies row by row (32 bfloat16 a row); the right factor
   lies in pairs of rows, value beside value. */

#include <immintrin.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { BLOCK = 16, PAIR = 32 };
static const float LOG2_E = 1.44269504f;

typedef struct { uint16_t value[BLOCK][PAIR]; } __attribute__((aligned(64))) Tile;         /* bfloat16 */

/* Ask the kernel for the tiles once in a process; 0 where it grants them. */
int tiles_available(void) {
    const int request = 0x1023, tile_data = 18;
    return (int)syscall(SYS_arch_prctl, request, tile_data);
}

static void open_tiles(void) {
    struct { uint8_t palette, start, rest[14]; uint16_t bytes[16]; uint8_t rows[16]; } __attribute__((packed)) shape;
    memset(&shape, 0, sizeof shape);
    shape.palette = 1;
    for (int i = 0; i < 8; i++) { shape.bytes[i] = 64; shape.rows[i] = 16; }
    _tile_loadconfig(&shape);
}

static void *room(size_t bytes) {
    size_t whole = (bytes + 63) / 64 * 64 + 64;
    void *memory = aligned_alloc(64, whole);
    if (memory) memset(memory, 0, whole);
    return memory;
}

static int up(int count, int step) { return (count + step - 1) / step * step; }

static inline __m512i upper_bits(__m512 x) { return _mm512_and_si512(_mm512_castps_si512(x), _mm512_set1_epi32(0xffff0000)); }

/* What the upper bits leave, rounded so that its own upper bits are to be taken. */
static inline __m512 remainder_of(__m512 x) {
    __m512 rest = _mm512_sub_ps(x, _mm512_castsi512_ps(upper_bits(x)));
    return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(rest), _mm512_set1_epi32(0x8000)));
}

/* The nearest bfloat16 in the upper bits, and what it leaves. Its rest has either sign: cut off instead of rounded, the
   product of two rests, which is left out, would always pull the same way. */
static inline void halve(__m512 x, __m512 *upper, __m512 *rest) {
    const __m512i half = _mm512_set1_epi32(0x8000);
    *upper = _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(x), half));
    *rest = _mm512_sub_ps(x, _mm512_castsi512_ps(upper_bits(*upper)));
    *rest = _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(*rest), half));
}

/* Upper halves of two rows, value beside value. */
static inline __m512i paired(__m512 first, __m512 second) {
    return _mm512_or_si512(_mm512_srli_epi32(_mm512_castps_si512(first), 16), upper_bits(second));
}

/* Upper halves of two vectors, one vector after the other. */
static inline __m512i joined(__m512 first, __m512 second) {
    const __m512i odd = _mm512_add_epi16(_mm512_set1_epi16(1), _mm512_slli_epi16(_mm512_set_epi16(
        31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0), 1));
    return _mm512_permutex2var_epi16(_mm512_castps_si512(first), odd, _mm512_castps_si512(second));
}

/* Rows in pairs, value beside value: `a` with `b`, which lie `step` apart in either. */
static inline void pair_rows(const __m512 *a, const __m512 *b, int step, __m512i upper[BLOCK], __m512i rest[BLOCK]) {
    for (int r = 0; r < BLOCK; r++) {
        __m512 high[2], low[2];
        halve(a[r * step], &high[0], &low[0]);
        halve(b[r * step], &high[1], &low[1]);
        upper[r] = paired(high[0], high[1]);
        rest[r] = paired(low[0], low[1]);
    }
}

/* The places of 16 numbers that lie so far apart. */
static inline __m512i places(long apart) {
    return _mm512_mullo_epi32(_mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0), _mm512_set1_epi32((int)apart));
}

/* 2^x to the rounding of float32 (minimax polynomial on [-1/2, 1/2]). */
static inline __m512 power_of_two(__m512 x) {
    __m512 whole = _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    __m512 f = _mm512_sub_ps(x, whole);
    __m512 y = _mm512_set1_ps(1.535336188e-4f);
    y = _mm512_fmadd_ps(y, f, _mm512_set1_ps(1.339887440e-3f));
    y = _mm512_fmadd_ps(y, f, _mm512_set1_ps(9.618437357e-3f));
    y = _mm512_fmadd_ps(y, f, _mm512_set1_ps(5.550332548e-2f));
    y = _mm512_fmadd_ps(y, f, _mm512_set1_ps(2.402264791e-1f));
    y = _mm512_fmadd_ps(y, f, _mm512_set1_ps(6.931472028e-1f));
    y = _mm512_fmadd_ps(y, f, _mm512_set1_ps(1.0f));
    return _mm512_scalef_ps(y, whole);
}

/* Turn 16 rows of 16 numbers, or of 16 pairs of bfloat16, into columns. */
static inline void transpose(__m512i row[BLOCK]) {
    __m512i a[BLOCK], b[BLOCK];
    for (int i = 0; i < BLOCK; i += 2) {
        a[i] = _mm512_unpacklo_epi32(row[i], row[i + 1]);
        a[i + 1] = _mm512_unpackhi_epi32(row[i], row[i + 1]);
    }
    for (int i = 0; i < BLOCK; i += 4)
        for (int j = 0; j < 2; j++) {
            b[i + 2 * j] = _mm512_unpacklo_epi64(a[i + j], a[i + 2 + j]);
            b[i + 2 * j + 1] = _mm512_unpackhi_epi64(a[i + j], a[i + 2 + j]);
        }
    for (int i = 0; i < 4; i++)                                   /* now every 128 bits hold 4 rows of one column */
        for (int j = 0; j < 2; j++) {
            a[8 * j + i] = _mm512_shuffle_i32x4(b[8 * j + i], b[8 * j + 4 + i], 0x88);
            a[8 * j + 4 + i] = _mm512_shuffle_i32x4(b[8 * j + i], b[8 * j + 4 + i], 0xdd);
        }
    for (int i = 0; i < 8; i++) {
        int column = i % 4 + 4 * (i / 4);
        row[column] = _mm512_shuffle_i32x4(a[i], a[8 + i], 0x88);
        row[column + 8] = _mm512_shuffle_i32x4(a[i], a[8 + i], 0xdd);
    }
}
