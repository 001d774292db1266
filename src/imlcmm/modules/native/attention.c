/* Multi-head attention with heads of 16, for processors with AMX: softmax(Q K' / 4) V of each head, and its gradients.

   What makes small heads slow is not the products but the exponentials around them, so the scores of 16 queries lie
   side by side in one vector, and each step of the softmax is one instruction for all of them. The products take
   AMX's bfloat16 tiles: each float is the sum of two bfloat16 (its upper half and the rest, 16 bits in all), and of the
   four products of halves the small one is left out where it is below the rounding of the result. Keys that the mask
   leaves out are never looked at, and queries neither.

   Scores are computed transposed, keys by queries, because then both the rows that the gradients of K and V need and
   the pairs that O and the gradient of Q need come out of the same vectors.

   Layout in memory: rows of `heads` times 16 floats; `*_row` is the distance of two rows in floats. */

#include "tiles.h"

enum { WIDTH = 16, QUAD = 64 };
static const float SCALE = 0.25f;

typedef struct { float value[BLOCK][BLOCK]; } __attribute__((aligned(64))) Sums;           /* float32 */
typedef struct { int count, *place; } Rows;                                                /* what the mask leaves */

/* ---- the tiles of the factors, from rows of one head ---- */

/* Rows from `first` on, times a factor; those behind the last are zeros. */
static inline void read_rows(__m512 *x, int count, const float *from, Rows rows, int first, long row, float factor) {
    for (int r = 0; r < count; r++)
        x[r] = first + r < rows.count ? _mm512_mul_ps(_mm512_loadu_ps(from + rows.place[first + r] * row), _mm512_set1_ps(factor))
                                      : _mm512_setzero_ps();
}

/* Of 16 rows, [upper halves | rests] of each. */
static inline void split_rows(const __m512 x[BLOCK], __m512i row[BLOCK]) {
    for (int r = 0; r < BLOCK; r++) {
        __m512 upper, rest;
        halve(x[r], &upper, &rest);
        row[r] = joined(upper, rest);
    }
}

/* Left factor of the scores. */
static inline void put_left(Tile *tile, const __m512 x[BLOCK]) {
    __m512i row[BLOCK];
    split_rows(x, row);
    for (int r = 0; r < BLOCK; r++) _mm512_store_si512(tile->value[r], row[r]);
}

/* Right factor of the scores: column j holds row j's values in pairs, twice, as the left factor has both halves. */
static inline void put_right(Tile *upper, Tile *rest, const __m512 x[BLOCK]) {
    __m512i row[BLOCK];
    split_rows(x, row);
    transpose(row);
    for (int p = 0; p < 8; p++) {
        _mm512_store_si512(upper->value[p], row[p]);
        _mm512_store_si512(upper->value[p + 8], row[p]);
        _mm512_store_si512(rest->value[p], row[p + 8]);
        _mm512_store_si512(rest->value[p + 8], row[p + 8]);
    }
}

static inline void put_both(Tile *upper_tile, Tile *rest_tile, const __m512i upper[BLOCK], const __m512i rest[BLOCK]) {
    for (int r = 0; r < BLOCK; r++) {
        _mm512_store_si512(upper_tile->value[r], upper[r]);
        _mm512_store_si512(rest_tile->value[r], rest[r]);
    }
}

/* Transposed left factor: row d holds value d of 32 rows. */
static inline void put_transposed(Tile *upper_tile, Tile *rest_tile, const __m512 x[PAIR]) {
    __m512i upper[BLOCK], rest[BLOCK];
    pair_rows(x, x + 1, 2, upper, rest);
    transpose(upper);
    transpose(rest);
    put_both(upper_tile, rest_tile, upper, rest);
}

/* Right factor over 32 rows, the first 16 paired with the others. */
static inline void put_paired(Tile *upper_tile, Tile *rest_tile, const __m512 x[PAIR]) {
    __m512i upper[BLOCK], rest[BLOCK];
    pair_rows(x, x + BLOCK, 1, upper, rest);
    put_both(upper_tile, rest_tile, upper, rest);
}

/* Write columns, of which each row is one value, as rows. */
static inline void write_rows(const __m512 x[BLOCK], float *to, Rows rows, int first, long row) {
    __m512i column[BLOCK];
    for (int d = 0; d < BLOCK; d++) column[d] = _mm512_castps_si512(x[d]);
    transpose(column);
    for (int r = 0; r < BLOCK && first + r < rows.count; r++)
        _mm512_storeu_ps(to + rows.place[first + r] * row, _mm512_castsi512_ps(column[r]));
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
    for (int j = 0; j < padded; j += PAIR) {
        __m512 x[PAIR];
        read_rows(x, PAIR, k, keys, j, kv_row, 1);
        for (int c = 0; c < 2; c++) put_left(&at.keys[j / BLOCK + c], x + c * BLOCK);
        read_rows(x, PAIR, v, keys, j, kv_row, 1);
        put_transposed(&at.upper[j / PAIR], &at.rest[j / PAIR], x);
    }
    for (int begin = 0; begin < queries.count; begin += BLOCK) {
        Tile question[2], weights[2][2];
        __m512 x[BLOCK];
        read_rows(x, BLOCK, q, queries, begin, q_row, SCALE * LOG2_E);
        put_right(&question[0], &question[1], x);
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
        for (int j = 0, pairs = up(n, PAIR) / PAIR; j <= pairs; j++) {
            if (j) {                                                        /* the tiles work on the weights before these */
                const Tile *ready = weights[(j - 1) % 2];
                _tile_loadd(3, &at.upper[j - 1], 64);
                _tile_loadd(4, &at.rest[j - 1], 64);
                _tile_loadd(5, ready, 64);
                _tile_loadd(6, ready + 1, 64);
                _tile_dpbf16ps(0, 3, 5); _tile_dpbf16ps(1, 4, 5); _tile_dpbf16ps(2, 3, 6);
            }
            const float *scores = at.scores + (long)j * PAIR * BLOCK;
            for (int i = 0; j < pairs && i < PAIR; i += 2) {
                __m512 a = power_of_two(_mm512_sub_ps(_mm512_load_ps(scores + i * BLOCK), top));
                __m512 b = power_of_two(_mm512_sub_ps(_mm512_load_ps(scores + (i + 1) * BLOCK), top));
                sum[0] = _mm512_add_ps(sum[0], a);
                sum[1] = _mm512_add_ps(sum[1], b);
                _mm512_store_si512(weights[j % 2][0].value[i / 2], paired(a, b));
                _mm512_store_si512(weights[j % 2][1].value[i / 2], paired(remainder_of(a), remainder_of(b)));
            }
        }
        Sums read[3];
        _tile_stored(0, &read[0], 64); _tile_stored(1, &read[1], 64); _tile_stored(2, &read[2], 64);
        __m512 total = _mm512_add_ps(sum[0], sum[1]), share = _mm512_div_ps(_mm512_set1_ps(1), total);
        for (int d = 0; d < WIDTH; d++) {
            x[d] = _mm512_add_ps(_mm512_load_ps(read[0].value[d]), _mm512_load_ps(read[1].value[d]));
            x[d] = _mm512_mul_ps(_mm512_add_ps(x[d], _mm512_load_ps(read[2].value[d])), share);
        }
        write_rows(x, out, queries, begin, out_row);
        float sums[BLOCK], peak[BLOCK];
        _mm512_storeu_ps(sums, total);
        _mm512_storeu_ps(peak, top);
        for (int r = 0; r < BLOCK && begin + r < queries.count; r++) lse[queries.place[begin + r]] = peak[r] + log2f(sums[r]);
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
    __m512 x[PAIR];
    for (int j = 0; j < keys.count; j += PAIR) {
        read_rows(x, PAIR, v, keys, j, row, 1);
        for (int c = 0; c < 2; c++) put_left(&at.values[j / BLOCK + c], x + c * BLOCK);
        read_rows(x, PAIR, k, keys, j, row, 1);
        for (int c = 0; c < 2; c++) put_left(&at.keys[j / BLOCK + c], x + c * BLOCK);
        read_rows(x, PAIR, k, keys, j, row, SCALE);
        put_transposed(&at.key_upper[j / PAIR], &at.key_rest[j / PAIR], x);
    }
}

static void fill_queries(BackwardRoom at, const float *q, const float *out, const float *lse, const float *g, Rows queries,
                         long q_row, long out_row) {
    __m512 x[PAIR];
    for (int j = 0; j < queries.count; j += PAIR) {
        int b = j / BLOCK, p = j / PAIR;
        read_rows(x, PAIR, q, queries, j, q_row, SCALE * LOG2_E);
        for (int c = 0; c < 2; c++) put_right(&at.q_column[0][b + c], &at.q_column[1][b + c], x + c * BLOCK);
        read_rows(x, PAIR, q, queries, j, q_row, SCALE);
        put_paired(&at.q_pair[0][p], &at.q_pair[1][p], x);
        read_rows(x, PAIR, g, queries, j, out_row, 1);
        for (int c = 0; c < 2; c++) put_right(&at.g_column[0][b + c], &at.g_column[1][b + c], x + c * BLOCK);
        put_paired(&at.g_pair[0][p], &at.g_pair[1][p], x);
        for (int r = 0; r < PAIR; r++) {
            int real = j + r < queries.count, place = real ? queries.place[j + r] : 0;
            at.lse[j + r] = real ? lse[place] : 1e30f;
            at.delta[j + r] = real ? _mm512_reduce_add_ps(_mm512_mul_ps(x[r], _mm512_loadu_ps(out + place * out_row))) : 0;
        }
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

/* Of 32 keys and 32 queries: scores and slopes of the weights, [2 * block of keys + block of queries]. */
typedef struct { Sums score[4], slope[4]; } Asked;
/* The weights and the scores' slopes, split: [upper or rest][block of keys]; `column` for the queries' gradient. */
typedef struct { Tile weight[2][2], pull[2][2], column[2][2]; } Weighed;

/* A quarter of the products that the softmax of queries from `i` on reads. */
static inline void ask(const BackwardRoom *at, int j, int i, int part, Asked *to) {
    int c = part / 2, b = i / BLOCK + c;
    if (part % 2) products(at->values + j / BLOCK, &at->g_column[0][b], &at->g_column[1][b], &to->slope[c], 2);
    else products(at->keys + j / BLOCK, &at->q_column[0][b], &at->q_column[1][b], &to->score[c], 2);
}

/* A quarter of the products that read it: gradients of values in tiles 0 and 1, of keys in 2 and 3, of queries. */
static inline void add(const BackwardRoom *at, int j, int i, int part, const Weighed *from) {
    int c = part - 2, b = i / BLOCK + c;
    if (part == 0) ADD_PRODUCTS(0, 1, from->weight, at->g_pair, i / PAIR);
    else if (part == 1) ADD_PRODUCTS(2, 3, from->pull, at->q_pair, i / PAIR);
    else {
        _tile_loadd(4, &at->gq[b], 64);
        _tile_loadd(5, &at->key_upper[j / PAIR], 64);
        _tile_loadd(6, &from->column[0][c], 64); _tile_dpbf16ps(4, 5, 6);
        _tile_loadd(7, &from->column[1][c], 64); _tile_dpbf16ps(4, 5, 7);
        _tile_loadd(5, &at->key_rest[j / PAIR], 64); _tile_dpbf16ps(4, 5, 6);
        _tile_stored(4, &at->gq[b], 64);
    }
}

/* The softmax of two keys, `r` and the one after, for 32 queries; keys from `rows` on weigh nothing. */
static inline void weigh(const Asked *asked, const __m512 lse[2], const __m512 delta[2], int r, int rows, Weighed *to) {
    __m512 w[2][2], s[2][2], rest[2][2];
    int a = r / BLOCK;
    for (int e = 0; e < 2; e++) {
        int row = r % BLOCK + e;
        for (int c = 0; c < 2; c++) {
            __mmask16 real = r + e < rows ? 0xffff : 0;
            w[e][c] = _mm512_maskz_mov_ps(real, power_of_two(_mm512_sub_ps(_mm512_load_ps(asked->score[2 * a + c].value[row]), lse[c])));
            s[e][c] = _mm512_mul_ps(w[e][c], _mm512_sub_ps(_mm512_load_ps(asked->slope[2 * a + c].value[row]), delta[c]));
            rest[e][c] = remainder_of(s[e][c]);
        }
        _mm512_store_si512(to->weight[0][a].value[row], paired(w[e][0], w[e][1]));
        _mm512_store_si512(to->weight[1][a].value[row], paired(remainder_of(w[e][0]), remainder_of(w[e][1])));
        _mm512_store_si512(to->pull[0][a].value[row], paired(s[e][0], s[e][1]));
        _mm512_store_si512(to->pull[1][a].value[row], paired(rest[e][0], rest[e][1]));
    }
    for (int c = 0; c < 2; c++) {
        _mm512_store_si512(to->column[0][c].value[r / 2], paired(s[0][c], s[1][c]));
        _mm512_store_si512(to->column[1][c].value[r / 2], paired(rest[0][c], rest[1][c]));
    }
}

/* Key block by key block; the softmax of one block of queries runs between the products for the next one. */
static void backward_head(Rows queries, Rows keys, float *gk, float *gv, long gkv_row, BackwardRoom at) {
    Asked asked[2];
    Weighed weighed;
    Sums kept[4];
    int n = keys.count, last = up(queries.count, PAIR) - PAIR;
    for (int j = 0; j < n; j += PAIR) {
        int rows = n - j < PAIR ? n - j : PAIR;
        _tile_zero(0); _tile_zero(1); _tile_zero(2); _tile_zero(3);
        for (int part = 0; part < 4; part++) ask(&at, j, 0, part, &asked[0]);
        for (int i = 0; i <= last; i += PAIR) {
            int turn = i / PAIR % 2;
            __m512 lse[2], delta[2];
            for (int c = 0; c < 2; c++) {
                lse[c] = _mm512_load_ps(at.lse + i + c * BLOCK);
                delta[c] = _mm512_load_ps(at.delta + i + c * BLOCK);
            }
            for (int r = 0; r < PAIR; r += 2) {
                if (r % 8 == 0 && i < last) ask(&at, j, i + PAIR, r / 8, &asked[!turn]);
                weigh(&asked[turn], lse, delta, r, rows, &weighed);
            }
            for (int part = 0; part < 4; part++) add(&at, j, i, part, &weighed);
        }
        _tile_stored(0, &kept[0], 64); _tile_stored(1, &kept[1], 64);
        _tile_stored(2, &kept[2], 64); _tile_stored(3, &kept[3], 64);
        for (int r = 0; r < rows; r++) {
            long place = keys.place[j + r] * gkv_row;
            _mm512_storeu_ps(gv + place, _mm512_load_ps(kept[r / BLOCK].value[r % BLOCK]));
            _mm512_storeu_ps(gk + place, _mm512_load_ps(kept[2 + r / BLOCK].value[r % BLOCK]));
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
                for (int j = 0; j < asking.count; j += BLOCK) {
                    __m512 x[BLOCK];
                    for (int d = 0; d < WIDTH; d++) x[d] = _mm512_load_ps(at.gq[j / BLOCK].value[d]);
                    write_rows(x, gq + of_out, asking, j, out_row);
                }
            }
        }
        _tile_release();
    }
    free(of_keys); free(of_queries); free(sums); free(numbers); free(place);
    return failed;
}
