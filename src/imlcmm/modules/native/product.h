/* Products of matrices of floats, of which each float is the sum of two bfloat16. */

#include "tiles.h"

typedef struct { Tile upper, rest; } Split;

static inline __mmask16 first_of(long count) { return count >= BLOCK ? 0xffff : count <= 0 ? 0 : (1 << count) - 1; }

static inline void put(Split *tile, int row, __m512i upper, __m512i rest) {
    _mm512_store_si512(tile->upper.value[row], upper);
    _mm512_store_si512(tile->rest.value[row], rest);
}

static inline void put_halves(Split *tile, int row, __m512i (*together)(__m512, __m512), __m512 a, __m512 b) {
    __m512 upper[2], rest[2];
    halve(a, &upper[0], &rest[0]);
    halve(b, &upper[1], &rest[1]);
    put(tile, row, together(upper[0], upper[1]), together(rest[0], rest[1]));
}

/* The right factor of 32 rows of numbers by 16 columns: `column` and `row` are the distances in memory. */
static inline void put_pairs(Split *tile, const float *from, long rows, long columns, long row, long column) {
    const __m512i columns_at = places(column);
    __mmask16 wanted = first_of(columns);
    for (int p = 0; p < BLOCK; p++) {
        __m512 pair[2];
        for (int e = 0; e < 2; e++) {
            __mmask16 mask = 2 * p + e < rows ? wanted : 0;
            const float *line = from + (2 * p + e) * row;
            pair[e] = column == 1 ? _mm512_maskz_loadu_ps(mask, line)
                                  : _mm512_mask_i32gather_ps(_mm512_setzero_ps(), mask, columns_at, line, 4);
        }
        put_halves(tile, p, paired, pair[0], pair[1]);
    }
}

/* The left factor of 16 rows of numbers by 32 columns. */
static inline void put_rows(Split *tile, const float *from, long rows, long row) {
    for (int r = 0; r < BLOCK; r++) {
        __mmask16 mask = r < rows ? 0xffff : 0;
        __m512 a = _mm512_maskz_loadu_ps(mask, from + r * row), b = _mm512_maskz_loadu_ps(mask, from + r * row + BLOCK);
        put_halves(tile, r, joined, a, b);
    }
}

/* The left factor of 16 columns of numbers by 32 rows: what lies in columns becomes rows. */
static inline void put_columns(Split *tile, const float *from, long rows, long row) {
    __m512 x[PAIR];
    __m512i upper[BLOCK], rest[BLOCK];
    for (int r = 0; r < PAIR; r++) x[r] = _mm512_maskz_loadu_ps(r < rows ? 0xffff : 0, from + r * row);
    pair_rows(x, x + 1, 2, upper, rest);
    transpose(upper);
    transpose(rest);
    for (int r = 0; r < BLOCK; r++) put(tile, r, upper[r], rest[r]);
}

/* 32 rows by 32 columns of a product of `depth` tiles, added to c or put there; the small halves' product is left out.
   Only `rows` of them are wanted. */
static inline void multiply(const Split *left[2], const Split *right[2], int depth, float *c, long row, int add, long rows) {
    float spare[PAIR * PAIR] __attribute__((aligned(64)));
    float *to = rows < PAIR ? spare : c;
    long line = rows < PAIR ? PAIR : row;
    if (rows < PAIR && add)
        for (int r = 0; r < rows; r++) memcpy(spare + r * PAIR, c + r * row, PAIR * sizeof(float));
    if (add) {
        _tile_loadd(0, to, line * 4);              _tile_loadd(1, to + BLOCK, line * 4);
        _tile_loadd(2, to + BLOCK * line, line * 4); _tile_loadd(3, to + BLOCK * line + BLOCK, line * 4);
    } else {
        _tile_zero(0); _tile_zero(1); _tile_zero(2); _tile_zero(3);
    }
    for (int k = 0; k < depth; k++) {
        _tile_loadd(4, &left[0][k].upper, 64);
        _tile_loadd(6, &right[0][k].rest, 64);  _tile_dpbf16ps(0, 4, 6);
        _tile_loadd(7, &right[1][k].rest, 64);  _tile_dpbf16ps(1, 4, 7);
        _tile_loadd(5, &left[1][k].upper, 64);  _tile_dpbf16ps(2, 5, 6); _tile_dpbf16ps(3, 5, 7);
        _tile_loadd(6, &right[0][k].upper, 64); _tile_dpbf16ps(0, 4, 6);
        _tile_loadd(7, &right[1][k].upper, 64); _tile_dpbf16ps(1, 4, 7);
        _tile_dpbf16ps(2, 5, 6);                _tile_dpbf16ps(3, 5, 7);
        _tile_loadd(4, &left[0][k].rest, 64);   _tile_dpbf16ps(0, 4, 6); _tile_dpbf16ps(1, 4, 7);
        _tile_loadd(5, &left[1][k].rest, 64);   _tile_dpbf16ps(2, 5, 6); _tile_dpbf16ps(3, 5, 7);
    }
    _tile_stored(0, to, line * 4);              _tile_stored(1, to + BLOCK, line * 4);
    _tile_stored(2, to + BLOCK * line, line * 4); _tile_stored(3, to + BLOCK * line + BLOCK, line * 4);
    if (rows < PAIR)
        for (int r = 0; r < rows; r++) memcpy(c + r * row, spare + r * PAIR, PAIR * sizeof(float));
}
