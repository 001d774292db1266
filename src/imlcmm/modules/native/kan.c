/* The KAN layer with cubic splines on a uniform grid, for processors with AMX: y = sum over the slots s of B_s(x) W_s,
   where the last slot is SiLU, and its gradients.

   Each input lies in one cell of the grid, where four splines have a value. Their four polynomials are computed once,
   split into two bfloat16, and put into the planes of the four slots by masks; the products take AMX's tiles, where a
   plane's zeros cost less than finding them. Nothing is kept between the passes.

   Layout in memory: x rows by inputs; W slots by inputs by outputs; y rows by outputs. Outputs come in blocks of 32. */

#include "product.h"

enum { ROWS_OF_WEIGHTS = 512, ROWS_OF_INPUTS = 1024 };

typedef struct { int splines; float low, step; } Grid;            /* of the extended grid: its left end, its intervals */
typedef struct { const float *x, *w; long rows, inputs, outputs; Grid grid; } Layer;

static inline __m512 constant(float value) { return _mm512_set1_ps(value); }
static inline __m512 sigmoid(__m512 x) {
    return _mm512_div_ps(constant(1), _mm512_add_ps(constant(1), power_of_two(_mm512_mul_ps(x, constant(-LOG2_E)))));
}

/* The cell of each value, and its place within the cell from 0 to 1; values beyond the grid get a cell beyond it. */
static inline __m512 cell_of(__m512 x, Grid grid, __m512 *place) {
    __m512 position = _mm512_mul_ps(_mm512_sub_ps(x, constant(grid.low)), constant(1 / grid.step));
    position = _mm512_max_ps(_mm512_min_ps(position, constant(grid.splines + 4)), constant(-1));
    __m512 cell = _mm512_roundscale_ps(position, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
    *place = _mm512_sub_ps(position, cell);
    return cell;
}

/* ---- the tiles of the factors ---- */

/* One row of 32 values in the planes of all slots; a slot's tiles lie `apart` from those of the slot before. */
static void put_features(Split *tiles, long apart, int row, __m512 a, __m512 b, Grid grid) {
    __m512 x[2] = {a, b}, piece[2][5], cell[2];
    for (int i = 0; i < 2; i++) {
        __m512 u, sixth = constant(1.0f / 6);
        cell[i] = cell_of(x[i], grid, &u);
        __m512 v = _mm512_sub_ps(constant(1), u), uu = _mm512_mul_ps(u, u), vv = _mm512_mul_ps(v, v);
        piece[i][0] = _mm512_mul_ps(_mm512_mul_ps(vv, v), sixth);
        piece[i][1] = _mm512_fmadd_ps(uu, _mm512_fmadd_ps(u, constant(0.5f), constant(-1)), constant(2.0f / 3));
        piece[i][2] = _mm512_fmadd_ps(vv, _mm512_fmadd_ps(v, constant(0.5f), constant(-1)), constant(2.0f / 3));
        piece[i][3] = _mm512_mul_ps(_mm512_mul_ps(uu, u), sixth);
        piece[i][4] = _mm512_mul_ps(x[i], sigmoid(x[i]));
    }
    __m512i upper[5], rest[5];
    for (int p = 0; p < 5; p++) {
        __m512 high[2], low[2];
        for (int i = 0; i < 2; i++) halve(piece[i][p], &high[i], &low[i]);
        upper[p] = joined(high[0], high[1]);
        rest[p] = joined(low[0], low[1]);
    }
    __m512i cells = _mm512_inserti64x4(_mm512_castsi256_si512(_mm512_cvtepi32_epi16(_mm512_cvtps_epi32(cell[0]))),
                                       _mm512_cvtepi32_epi16(_mm512_cvtps_epi32(cell[1])), 1);
    __mmask32 in[4];                                              /* in[c] marks what lies in cell s + c */
    for (int c = 0; c < 3; c++) in[c + 1] = _mm512_cmpeq_epi16_mask(cells, _mm512_set1_epi16(c));
    for (int s = 0; s < grid.splines; s++) {
        in[0] = in[1], in[1] = in[2], in[2] = in[3];
        in[3] = _mm512_cmpeq_epi16_mask(cells, _mm512_set1_epi16(s + 3));
        __m512i high = _mm512_maskz_mov_epi16(in[0], upper[3]), low = _mm512_maskz_mov_epi16(in[0], rest[3]);
        for (int c = 1; c < 4; c++) {
            high = _mm512_mask_mov_epi16(high, in[c], upper[3 - c]);
            low = _mm512_mask_mov_epi16(low, in[c], rest[3 - c]);
        }
        put(tiles + s * apart, row, high, low);
    }
    put(tiles + grid.splines * apart, row, upper[4], rest[4]);
}

/* ---- the three passes ---- */

/* y of rows `first` to `last`, block by block of 32 inputs. 0, or 1 where memory is missing. */
int kan_forward(Layer layer, float *y, long first, long last) {
    int slots = layer.grid.splines + 1, blocks = layer.outputs / BLOCK;
    Split *weights = room((long)blocks * slots * sizeof(Split)), *features = room(2 * slots * sizeof(Split));
    int failed = !weights || !features;
    if (!failed) open_tiles();
    for (long i = 0; !failed && i < layer.inputs; i += PAIR) {
        long inputs = layer.inputs - i;
        for (int n = 0; n < blocks; n++)
            for (int s = 0; s < slots; s++)
                put_pairs(weights + n * slots + s, layer.w + (s * layer.inputs + i) * layer.outputs + n * BLOCK, inputs, BLOCK,
                          layer.outputs, 1);
        for (long r = first; r < last; r += PAIR) {
            for (int j = 0; j < PAIR && r + j < last; j++) {
                const float *x = layer.x + (r + j) * layer.inputs + i;
                put_features(features + j / BLOCK * slots, 1, j % BLOCK, _mm512_maskz_loadu_ps(first_of(inputs), x),
                             _mm512_maskz_loadu_ps(first_of(inputs - BLOCK), x + BLOCK), layer.grid);
            }
            const Split *left[2] = {features, features + slots};
            for (int n = 0; n < blocks; n += 2) {
                const Split *right[2] = {weights + n * slots, weights + (n + 1) * slots};
                multiply(left, right, slots, y + r * layer.outputs + n * BLOCK, layer.outputs, i > 0, last - r);
            }
        }
    }
    if (!failed) _tile_release();
    free(weights); free(features);
    return failed;
}

/* Gradient of W for the blocks of 32 inputs `first` to `last`, of which g is the slope of y. */
int kan_to_weights(Layer layer, const float *g, float *gw, long first, long last) {
    int slots = layer.grid.splines + 1, blocks = layer.outputs / BLOCK, most = ROWS_OF_WEIGHTS / PAIR;
    Split *slopes = room((long)blocks * most * sizeof(Split)), *features = room((long)slots * 2 * most * sizeof(Split));
    int failed = !slopes || !features;
    if (!failed) open_tiles();
    for (long r = 0; !failed && r < layer.rows; r += ROWS_OF_WEIGHTS) {
        long rows = layer.rows - r < ROWS_OF_WEIGHTS ? layer.rows - r : ROWS_OF_WEIGHTS;
        int depth = up(rows, PAIR) / PAIR;
        for (int n = 0; n < blocks; n++)
            for (int k = 0; k < depth; k++)
                put_pairs(slopes + n * most + k, g + (r + k * PAIR) * layer.outputs + n * BLOCK, rows - k * PAIR, BLOCK,
                          layer.outputs, 1);
        for (long i = first * PAIR; i < layer.inputs && i < last * PAIR; i += PAIR) {
            long inputs = layer.inputs - i < PAIR ? layer.inputs - i : PAIR;
            const __m512i rows_at = places(layer.inputs);
            for (int k = 0; k < depth; k++)
                for (int j = 0; j < inputs; j++) {
                    const float *x = layer.x + (r + k * PAIR) * layer.inputs + i + j;
                    long left = rows - k * PAIR;
                    __m512 a = _mm512_mask_i32gather_ps(_mm512_setzero_ps(), first_of(left), rows_at, x, 4);
                    __m512 b = _mm512_mask_i32gather_ps(_mm512_setzero_ps(), first_of(left - BLOCK), rows_at,
                                                        x + BLOCK * layer.inputs, 4);
                    put_features(features + j / BLOCK * most + k, 2 * most, j % BLOCK, a, b, layer.grid);
                }
            for (int s = 0; s < slots; s++) {
                const Split *left[2] = {features + 2 * s * most, features + (2 * s + 1) * most};
                for (int n = 0; n < blocks; n += 2) {
                    const Split *right[2] = {slopes + n * most, slopes + (n + 1) * most};
                    multiply(left, right, depth, gw + (s * layer.inputs + i) * layer.outputs + n * BLOCK, layer.outputs, r > 0,
                             inputs);
                }
            }
        }
    }
    if (!failed) _tile_release();
    free(slopes); free(features);
    return failed;
}

/* What each of 16 inputs' slopes is, from those of its slots, which lie `apart`. */
static __m512 chained(__m512 x, const float *pulled, long apart, Grid grid) {
    __m512 u, cell = cell_of(x, grid, &u), v = _mm512_sub_ps(constant(1), u), half = constant(0.5f);
    __m512 piece[4];
    piece[0] = _mm512_mul_ps(_mm512_mul_ps(v, v), constant(-0.5f));
    piece[1] = _mm512_mul_ps(u, _mm512_fmadd_ps(u, constant(1.5f), constant(-2)));
    piece[2] = _mm512_mul_ps(v, _mm512_fnmadd_ps(v, constant(1.5f), constant(2)));
    piece[3] = _mm512_mul_ps(_mm512_mul_ps(u, u), half);
    __m512 total = _mm512_setzero_ps();
    __mmask16 in[4];
    for (int c = 0; c < 3; c++) in[c + 1] = _mm512_cmp_ps_mask(cell, constant(c), _CMP_EQ_OQ);
    for (int s = 0; s < grid.splines; s++) {
        __m512 slope = _mm512_load_ps(pulled + s * apart);
        in[0] = in[1], in[1] = in[2], in[2] = in[3];
        in[3] = _mm512_cmp_ps_mask(cell, constant(s + 3), _CMP_EQ_OQ);
        for (int c = 0; c < 4; c++) total = _mm512_mask3_fmadd_ps(slope, piece[3 - c], total, in[c]);
    }
    __m512 gate = sigmoid(x), rise = _mm512_mul_ps(gate, _mm512_fmadd_ps(x, _mm512_sub_ps(constant(1), gate), constant(1)));
    return _mm512_fmadd_ps(rise, _mm512_load_ps(pulled + grid.splines * apart), _mm512_mul_ps(total, constant(1 / grid.step)));
}

/* Gradient of x for the rows `first` to `last`. */
int kan_to_inputs(Layer layer, const float *g, float *gx, long first, long last) {
    int slots = layer.grid.splines + 1, depth = layer.outputs / PAIR, plane = PAIR * PAIR;
    Split *slopes = room((long)ROWS_OF_INPUTS / BLOCK * depth * sizeof(Split)), *weights = room((long)2 * slots * depth * sizeof(Split));
    float *pulled = room((long)slots * plane * sizeof(float));
    int failed = !slopes || !weights || !pulled;
    if (!failed) open_tiles();
    for (long start = first; !failed && start < last; start += ROWS_OF_INPUTS) {
        long rows = last - start < ROWS_OF_INPUTS ? last - start : ROWS_OF_INPUTS;
        for (int m = 0; m < up(rows, PAIR) / BLOCK; m++)
            for (int k = 0; k < depth; k++)
                put_rows(slopes + m * depth + k, g + (start + m * BLOCK) * layer.outputs + k * PAIR, rows - m * BLOCK, layer.outputs);
        for (long i = 0; i < layer.inputs; i += PAIR) {
            long inputs = layer.inputs - i;
            for (int s = 0; s < slots; s++)
                for (int n = 0; n < 2; n++)
                    for (int k = 0; k < depth; k++)
                        put_pairs(weights + (2 * s + n) * depth + k,
                                  layer.w + (s * layer.inputs + i + n * BLOCK) * layer.outputs + k * PAIR, PAIR, inputs - n * BLOCK,
                                  1, layer.outputs);
            for (long r = 0; r < rows; r += PAIR) {
                const Split *left[2] = {slopes + r / BLOCK * depth, slopes + (r / BLOCK + 1) * depth};
                for (int s = 0; s < slots; s++) {
                    const Split *right[2] = {weights + 2 * s * depth, weights + (2 * s + 1) * depth};
                    multiply(left, right, depth, pulled + s * plane, PAIR, 0, PAIR);
                }
                for (int j = 0; j < PAIR && r + j < rows; j++)
                    for (int n = 0; n < 2; n++) {
                        long place = (start + r + j) * layer.inputs + i + n * BLOCK;
                        __mmask16 mask = first_of(inputs - n * BLOCK);
                        __m512 x = _mm512_maskz_loadu_ps(mask, layer.x + place);
                        _mm512_mask_storeu_ps(gx + place, mask, chained(x, pulled + j * PAIR + n * BLOCK, plane, layer.grid));
                    }
            }
        }
    }
    if (!failed) _tile_release();
    free(slopes); free(weights); free(pulled);
    return failed;
}
