/* Multi-head attention with heads of 16, for processors with AMX: softmax(Q K' / 4) V of each head, and its gradients.

   What makes small heads slow is not the products but the exponentials around them, so the scores of 16 queries lie
   side by side in one vector, and each step of the softmax is one instruction for all of them. The products take
   AMX's bfloat16 tiles: each float is the sum of two bfloat16 (its upper half and the rest, 16 bits in all), and of the
   four products of halves the small one is left out where it is below the rounding of the result. Keys that the mask
   leaves out are never looked at, and queries neither.

   Tiles hold 16 rows of 64 bytes. The left factor of a product lies row by row (32 bfloat16 a row); the right factor
   lies in pairs of rows, value beside value. Scores are computed transposed, keys by queries, because then both the
   rows that the gradients of K and V need and the pairs that O and the gradient of Q need come out of the same vectors.

   Layout in memory: rows of `heads` times 16 floats; `*_row` is the distance of two rows in floats. */

#include "tiles.h"

enum { WIDTH = 16, QUAD = 64 };
static const float SCALE = 0.25f;

typedef struct { float value[BLOCK][BLOCK]; } Sums;               /* float32 */
typedef struct { int count, *place; } Rows;                       /* the rows that the mask leaves */

/* ---- splitting floats into two bfloat16 ---- */

static inline __m512 widened(__m256i half) { return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16)); }

static inline void split(__m512 x, __m256i *high, __m256i *low) {
    *high = (__m256i)_mm512_cvtneps_pbh(x);
    *low = (__m256i)_mm512_cvtneps_pbh(_mm512_sub_ps(x, widened(*high)));
}

/* Left factor of the scores: row r is [upper halves | rests] of one row. */
static inline void put_row(Tile *tile, int r, __m512 x) {
    __m256i high, low;
    split(x, &high, &low);
    _mm256_storeu_si256((__m256i *)&tile->value[r][0], high);
    _mm256_storeu_si256((__m256i *)&tile->value[r][BLOCK], low);
}

/* Right factor of the scores: column j holds row j's values in pairs, twice, as the left factor has both halves. */
static inline void put_column(Tile *upper, Tile *rest, int j, __m512 x) {
    __m256i high, low;
    uint32_t pairs[2][8];
    split(x, &high, &low);
    _mm256_storeu_si256((__m256i *)pairs[0], high);
    _mm256_storeu_si256((__m256i *)pairs[1], low);
    for (int p = 0; p < 8; p++) {
        ((uint32_t *)upper->value[p])[j] = ((uint32_t *)upper->value[p + 8])[j] = pairs[0][p];
        ((uint32_t *)rest->value[p])[j] = ((uint32_t *)rest->value[p + 8])[j] = pairs[1][p];
    }
}

static inline void split_values(__m512 x, uint16_t high[BLOCK], uint16_t low[BLOCK]) {
    __m256i h, l;
    split(x, &h, &l);
    _mm256_storeu_si256((__m256i *)high, h);
    _mm256_storeu_si256((__m256i *)low, l);
}

/* Transposed left factor: row d holds value d of 32 rows. */
static inline void put_transposed(Tile *upper, Tile *rest, int j, __m512 x) {
    uint16_t high[BLOCK], low[BLOCK];
    split_values(x, high, low);
    for (int d = 0; d < WIDTH; d++) { upper->value[d][j] = high[d]; rest->value[d][j] = low[d]; }
}

/* Right factor over 32 rows: rows in pairs, value beside value. */
static inline void put_paired(Tile *upper, Tile *rest, int j, __m512 x) {
    uint16_t high[BLOCK], low[BLOCK];
    split_values(x, high, low);
    for (int d = 0; d < WIDTH; d++) {
        upper->value[j / 2][2 * d + j % 2] = high[d];
        rest->value[j / 2][2 * d + j % 2] = low[d];
    }
}

static int visible(const uint8_t *mask, int steps, int *place) {
    int count = 0;
    for (int i = 0; i < steps; i++) if (!mask || mask[i]) place[count++] = i;
    return count;
}

/* Zero the rows that the mask leaves out, or all. */
static void clear(float *rows, const uint8_t *mask, int steps, long row, long width, int all) {
    for (int i = 0; i < steps; i++)
        if (all || (mask && !mask[i])) memset(rows + i * row, 0, width * sizeof(float));
}

/* ---- forward ---- */

typedef struct { Tile *keys, *upper, *rest; float *scores; } ForwardRoom;

static void forward_head(const float *q, const float *k, const float *v, float *out, float *lse, Rows queries, Rows keys,
                         long q_row, long kv_row, long out_row, ForwardRoom at) {
    int n = keys.count, padded = up(n, QUAD);
    for (int j = 0; j < padded; j++) {
        __m512 key = _mm512_setzero_ps(), value = key;
        if (j < n) { key = _mm512_loadu_ps(k + keys.place[j] * kv_row); value = _mm512_loadu_ps(v + keys.place[j] * kv_row); }
        put_row(&at.keys[j / BLOCK], j % BLOCK, key);
        put_transposed(&at.upper[j / PAIR], &at.rest[j / PAIR], j % PAIR, value);
    }
    for (int begin = 0; begin < queries.count; begin += BLOCK) {
        int here = queries.count - begin < BLOCK ? queries.count - begin : BLOCK;
        Tile question[2], weights[2];
        for (int j = 0; j < BLOCK; j++) {
            __m512 x = _mm512_setzero_ps();
            if (j < here) x = _mm512_mul_ps(_mm512_loadu_ps(q + queries.place[begin + j] * q_row), _mm512_set1_ps(SCALE * LOG2_E));
            put_column(&question[0], &question[1], j, x);
        }
        __m512 most[4];
        for (int i = 0; i < 4; i++) most[i] = _mm512_set1_ps(-INFINITY);
        _tile_loadd(6, &question[0], 64);
        _tile_loadd(7, &question[1], 64);
        for (int j = 0; j < padded; j += QUAD) {
            float *scores = at.scores + (long)j * BLOCK;
            const Tile *key = at.keys + j / BLOCK;
            _tile_zero(0); _tile_zero(1); _tile_zero(2); _tile_zero(3);
            _tile_loadd(4, key, 64);     _tile_dpbf16ps(0, 4, 6); _tile_dpbf16ps(0, 4, 7);
            _tile_loadd(5, key + 1, 64); _tile_dpbf16ps(1, 5, 6); _tile_dpbf16ps(1, 5, 7);
            _tile_loadd(4, key + 2, 64); _tile_dpbf16ps(2, 4, 6); _tile_dpbf16ps(2, 4, 7);
            _tile_loadd(5, key + 3, 64); _tile_dpbf16ps(3, 5, 6); _tile_dpbf16ps(3, 5, 7);
            _tile_stored(0, scores, 64);             _tile_stored(1, scores + 16 * BLOCK, 64);
            _tile_stored(2, scores + 32 * BLOCK, 64); _tile_stored(3, scores + 48 * BLOCK, 64);
            int rows = n - j < QUAD ? n - j : QUAD;
            for (int i = rows; i < QUAD; i++) _mm512_store_ps(scores + i * BLOCK, _mm512_set1_ps(-INFINITY));
            for (int i = 0; i < QUAD; i += 4)
                for (int c = 0; c < 4; c++) most[c] = _mm512_max_ps(most[c], _mm512_load_ps(scores + (i + c) * BLOCK));
        }
        __m512 top = _mm512_max_ps(_mm512_max_ps(most[0], most[1]), _mm512_max_ps(most[2], most[3]));
        __m512 sum[2] = {_mm512_setzero_ps(), _mm512_setzero_ps()};
        _tile_zero(0); _tile_zero(1); _tile_zero(2);
        for (int j = 0; j < up(n, PAIR); j += PAIR) {
            const float *scores = at.scores + (long)j * BLOCK;
            for (int i = 0; i < PAIR; i += 2) {
                __m512 a = power_of_two(_mm512_sub_ps(_mm512_load_ps(scores + i * BLOCK), top));
                __m512 b = power_of_two(_mm512_sub_ps(_mm512_load_ps(scores + (i + 1) * BLOCK), top));
                sum[0] = _mm512_add_ps(sum[0], a);
                sum[1] = _mm512_add_ps(sum[1], b);
                _mm512_storeu_si512(weights[0].value[i / 2], paired(a, b));
                _mm512_storeu_si512(weights[1].value[i / 2], paired(remainder_of(a), remainder_of(b)));
            }
            _tile_loadd(3, &at.upper[j / PAIR], 64);
            _tile_loadd(4, &at.rest[j / PAIR], 64);
            _tile_loadd(5, &weights[0], 64);
            _tile_loadd(6, &weights[1], 64);
            _tile_dpbf16ps(0, 3, 5); _tile_dpbf16ps(1, 4, 5); _tile_dpbf16ps(2, 3, 6);
        }
        Sums read[3];
        _tile_stored(0, &read[0], 64); _tile_stored(1, &read[1], 64); _tile_stored(2, &read[2], 64);
        float total[BLOCK], peak[BLOCK];
        _mm512_storeu_ps(total, _mm512_add_ps(sum[0], sum[1]));
        _mm512_storeu_ps(peak, top);
        for (int j = 0; j < here; j++) {
            int place = queries.place[begin + j];
            lse[place] = peak[j] + log2f(total[j]);
            for (int d = 0; d < WIDTH; d++)
                out[place * out_row + d] = (read[0].value[d][j] + read[1].value[d][j] + read[2].value[d][j]) / total[j];
        }
    }
}

/* Read clips `first` to `last`. 0, or 1 where memory is missing. */
int attention_forward(const float *q, const float *k, const float *v, const uint8_t *q_mask, const uint8_t *k_mask,
                      float *out, float *lse, int heads, int queries, int keys, long q_row, long kv_row, int first, int last) {
    size_t blocks = up(keys, QUAD) / BLOCK;
    Tile *tiles = room(2 * blocks * sizeof(Tile));
    float *scores = room(blocks * BLOCK * BLOCK * sizeof(float));
    int *place = malloc((queries + keys) * sizeof(int));
    int failed = !tiles || !scores || !place;
    if (!failed) {
        ForwardRoom at = {tiles, tiles + blocks, tiles + blocks + blocks / 2, scores};
        long out_row = (long)heads * WIDTH;
        open_tiles();
        for (int b = first; b < last; b++) {
            Rows asking = {visible(q_mask ? q_mask + (long)b * queries : 0, queries, place), place};
            Rows asked = {visible(k_mask ? k_mask + (long)b * keys : 0, keys, place + queries), place + queries};
            clear(out + b * queries * out_row, q_mask ? q_mask + (long)b * queries : 0, queries, out_row, out_row, !asked.count);
            for (int h = 0; asked.count && h < heads; h++)
                forward_head(q + b * queries * q_row + h * WIDTH, k + b * keys * kv_row + h * WIDTH,
                             v + b * keys * kv_row + h * WIDTH, out + b * queries * out_row + h * WIDTH,
                             lse + ((long)b * heads + h) * queries, asking, asked, q_row, kv_row, out_row, at);
        }
        _tile_release();
    }
    free(tiles); free(scores); free(place);
    return failed;
}

/* ---- backward ---- */

typedef struct {
    Tile *keys, *values, *key_upper, *key_rest;                             /* of 16, 16, 32 and 32 keys */
    Tile *q_column[2], *g_column[2], *q_pair[2], *g_pair[2];                /* of 16, 16, 32 and 32 queries */
    Sums *gq;                                                               /* gradient of 16 queries, transposed */
    float *lse, *delta;
} BackwardRoom;

static void fill_keys(BackwardRoom at, const float *k, const float *v, Rows keys, long row) {
    for (int j = 0; j < up(keys.count, PAIR); j++) {
        __m512 key = _mm512_setzero_ps(), value = key;
        if (j < keys.count) { key = _mm512_loadu_ps(k + keys.place[j] * row); value = _mm512_loadu_ps(v + keys.place[j] * row); }
        put_row(&at.keys[j / BLOCK], j % BLOCK, key);
        put_row(&at.values[j / BLOCK], j % BLOCK, value);
        put_transposed(&at.key_upper[j / PAIR], &at.key_rest[j / PAIR], j % PAIR, _mm512_mul_ps(key, _mm512_set1_ps(SCALE)));
    }
}

static void fill_queries(BackwardRoom at, const float *q, const float *out, const float *lse, const float *g, Rows queries,
                         long q_row, long out_row) {
    for (int j = 0; j < up(queries.count, PAIR); j++) {
        __m512 x = _mm512_setzero_ps(), slope = x;
        at.lse[j] = 1e30f;
        at.delta[j] = 0;
        if (j < queries.count) {
            int place = queries.place[j];
            x = _mm512_loadu_ps(q + place * q_row);
            slope = _mm512_loadu_ps(g + place * out_row);
            at.lse[j] = lse[place];
            at.delta[j] = _mm512_reduce_add_ps(_mm512_mul_ps(slope, _mm512_loadu_ps(out + place * out_row)));
        }
        int b = j / BLOCK, p = j / PAIR;
        put_column(&at.q_column[0][b], &at.q_column[1][b], j % BLOCK, _mm512_mul_ps(x, _mm512_set1_ps(SCALE * LOG2_E)));
        put_column(&at.g_column[0][b], &at.g_column[1][b], j % BLOCK, slope);
        put_paired(&at.q_pair[0][p], &at.q_pair[1][p], j % PAIR, _mm512_mul_ps(x, _mm512_set1_ps(SCALE)));
        put_paired(&at.g_pair[0][p], &at.g_pair[1][p], j % PAIR, slope);
    }
    memset(at.gq, 0, up(queries.count, PAIR) / BLOCK * sizeof(Sums));
}

/* Products of 32 rows with 16 columns, both split, into two sums. */
static inline void products(const Tile *left, const Tile *upper, const Tile *rest, Sums *to, size_t apart) {
    _tile_zero(4); _tile_zero(5);
    _tile_loadd(6, upper, 64);
    _tile_loadd(7, left, 64);     _tile_dpbf16ps(4, 7, 6);
    _tile_loadd(7, left + 1, 64); _tile_dpbf16ps(5, 7, 6);
    _tile_loadd(6, rest, 64);
    _tile_dpbf16ps(5, 7, 6);
    _tile_loadd(7, left, 64);     _tile_dpbf16ps(4, 7, 6);
    _tile_stored(4, to, 64);
    _tile_stored(5, to + apart, 64);
}

/* Add the products of two blocks of rows with 32 queries to two tiles; instructions name tiles by constants. */
#define ADD_PRODUCTS(FIRST, SECOND, LEFT, RIGHT, PLACE)                      \
    do {                                                                     \
        _tile_loadd(6, &(RIGHT)[0][PLACE], 64);                              \
        _tile_loadd(7, &(RIGHT)[1][PLACE], 64);                              \
        _tile_loadd(4, &(LEFT)[0][0], 64); _tile_dpbf16ps(FIRST, 4, 6);      \
        _tile_loadd(5, &(LEFT)[0][1], 64); _tile_dpbf16ps(SECOND, 5, 6);     \
        _tile_dpbf16ps(FIRST, 4, 7);                                         \
        _tile_dpbf16ps(SECOND, 5, 7);                                        \
        _tile_loadd(4, &(LEFT)[1][0], 64); _tile_dpbf16ps(FIRST, 4, 6);      \
        _tile_loadd(5, &(LEFT)[1][1], 64); _tile_dpbf16ps(SECOND, 5, 6);     \
    } while (0)

static void backward_head(Rows queries, Rows keys, float *gk, float *gv, long gkv_row, BackwardRoom at) {
    Sums score[4], slope[4], kept[4];
    Tile weight[2][2], pull[2][2], column[2][2];                            /* [upper or rest][block] */
    int n = keys.count;
    for (int j = 0; j < n; j += PAIR) {
        int rows = n - j < PAIR ? n - j : PAIR;
        const Tile *key = at.keys + j / BLOCK, *value = at.values + j / BLOCK;
        _tile_zero(0); _tile_zero(1); _tile_zero(2); _tile_zero(3);
        for (int i = 0; i < queries.count; i += PAIR) {
            int b = i / BLOCK, p = i / PAIR;
            for (int c = 0; c < 2; c++) {
                products(key, &at.q_column[0][b + c], &at.q_column[1][b + c], &score[c], 2);
                products(value, &at.g_column[0][b + c], &at.g_column[1][b + c], &slope[c], 2);
            }
            __m512 lse[2], delta[2];
            for (int c = 0; c < 2; c++) {
                lse[c] = _mm512_loadu_ps(at.lse + i + c * BLOCK);
                delta[c] = _mm512_loadu_ps(at.delta + i + c * BLOCK);
            }
            for (int r = 0; r < PAIR; r += 2) {
                __m512 w[2][2], s[2][2];
                int a = r / BLOCK;
                for (int e = 0; e < 2; e++)
                    for (int c = 0; c < 2; c++) {
                        int row = r % BLOCK + e;
                        if (r + e < rows) {
                            w[e][c] = power_of_two(_mm512_sub_ps(_mm512_loadu_ps(score[2 * a + c].value[row]), lse[c]));
                            s[e][c] = _mm512_mul_ps(w[e][c], _mm512_sub_ps(_mm512_loadu_ps(slope[2 * a + c].value[row]), delta[c]));
                        } else {
                            w[e][c] = s[e][c] = _mm512_setzero_ps();
                        }
                    }
                for (int e = 0; e < 2; e++) {
                    int row = r % BLOCK + e;
                    _mm512_storeu_si512(weight[0][a].value[row], joined(w[e][0], w[e][1]));
                    _mm512_storeu_si512(weight[1][a].value[row], joined(remainder_of(w[e][0]), remainder_of(w[e][1])));
                    _mm512_storeu_si512(pull[0][a].value[row], joined(s[e][0], s[e][1]));
                    for (int c = 0; c < 2; c++) w[e][c] = remainder_of(s[e][c]);
                    _mm512_storeu_si512(pull[1][a].value[row], joined(w[e][0], w[e][1]));
                }
                for (int c = 0; c < 2; c++) {
                    _mm512_storeu_si512(column[0][c].value[r / 2], paired(s[0][c], s[1][c]));
                    _mm512_storeu_si512(column[1][c].value[r / 2], paired(w[0][c], w[1][c]));
                }
            }
            /* values: tiles 0 and 1; keys: tiles 2 and 3 */
            ADD_PRODUCTS(0, 1, weight, at.g_pair, p);
            ADD_PRODUCTS(2, 3, pull, at.q_pair, p);
            for (int c = 0; c < 2; c++) {
                _tile_loadd(4, &at.gq[b + c], 64);
                _tile_loadd(5, &at.key_upper[j / PAIR], 64);
                _tile_loadd(6, &column[0][c], 64); _tile_dpbf16ps(4, 5, 6);
                _tile_loadd(7, &column[1][c], 64); _tile_dpbf16ps(4, 5, 7);
                _tile_loadd(5, &at.key_rest[j / PAIR], 64); _tile_dpbf16ps(4, 5, 6);
                _tile_stored(4, &at.gq[b + c], 64);
            }
        }
        _tile_stored(0, &kept[0], 64); _tile_stored(1, &kept[1], 64);
        _tile_stored(2, &kept[2], 64); _tile_stored(3, &kept[3], 64);
        for (int r = 0; r < rows; r++) {
            long place = keys.place[j + r] * gkv_row;
            _mm512_storeu_ps(gv + place, _mm512_loadu_ps(kept[r / BLOCK].value[r % BLOCK]));
            _mm512_storeu_ps(gk + place, _mm512_loadu_ps(kept[2 + r / BLOCK].value[r % BLOCK]));
        }
    }
}

/* Gradients of clips `first` to `last`. 0, or 1 where memory is missing. */
int attention_backward(const float *q, const float *k, const float *v, const uint8_t *q_mask, const uint8_t *k_mask,
                       const float *out, const float *lse, const float *g, float *gq, float *gk, float *gv, int heads,
                       int queries, int keys, long q_row, long kv_row, long gkv_row, int first, int last) {
    size_t kb = up(keys, PAIR) / BLOCK, qb = up(queries, PAIR) / BLOCK;
    Tile *of_keys = room(3 * kb * sizeof(Tile)), *of_queries = room(6 * qb * sizeof(Tile));
    Sums *sums = room(qb * sizeof(Sums));
    float *numbers = room(2 * qb * BLOCK * sizeof(float));
    int *place = malloc((queries + keys) * sizeof(int));
    int failed = !of_keys || !of_queries || !sums || !numbers || !place;
    if (!failed) {
        BackwardRoom at = {
            .keys = of_keys, .values = of_keys + kb, .key_upper = of_keys + 2 * kb, .key_rest = of_keys + 2 * kb + kb / 2,
            .q_column = {of_queries, of_queries + qb}, .g_column = {of_queries + 2 * qb, of_queries + 3 * qb},
            .q_pair = {of_queries + 4 * qb, of_queries + 4 * qb + qb / 2},
            .g_pair = {of_queries + 5 * qb, of_queries + 5 * qb + qb / 2},
            .gq = sums, .lse = numbers, .delta = numbers + qb * BLOCK,
        };
        long out_row = (long)heads * WIDTH;
        open_tiles();
        for (int b = first; b < last; b++) {
            Rows asking = {visible(q_mask ? q_mask + (long)b * queries : 0, queries, place), place};
            Rows asked = {visible(k_mask ? k_mask + (long)b * keys : 0, keys, place + queries), place + queries};
            const uint8_t *answered = k_mask ? k_mask + (long)b * keys : 0;
            clear(gq + b * queries * out_row, q_mask ? q_mask + (long)b * queries : 0, queries, out_row, out_row, !asked.count);
            clear(gk + b * keys * gkv_row, answered, keys, gkv_row, out_row, 0);
            clear(gv + b * keys * gkv_row, answered, keys, gkv_row, out_row, 0);
            for (int h = 0; asked.count && h < heads; h++) {
                long of_head = h * WIDTH, of_out = b * queries * out_row + of_head;
                fill_keys(at, k + b * keys * kv_row + of_head, v + b * keys * kv_row + of_head, asked, kv_row);
                fill_queries(at, q + b * queries * q_row + of_head, out + of_out, lse + ((long)b * heads + h) * queries,
                             g + of_out, asking, q_row, out_row);
                backward_head(asking, asked, gk + b * keys * gkv_row + of_head, gv + b * keys * gkv_row + of_head, gkv_row, at);
                for (int j = 0; j < asking.count; j++)
                    for (int d = 0; d < WIDTH; d++)
                        gq[of_out + asking.place[j] * out_row + d] = at.gq[j / BLOCK].value[d][j % BLOCK];
            }
        }
        _tile_release();
    }
    free(of_keys); free(of_queries); free(sums); free(numbers); free(place);
    return failed;
}
