/* Linear layers for processors with AMX: y = x W' + b, and the gradients. Inputs and outputs come in blocks of 32.

   Layout in memory: x rows by inputs; W outputs by inputs; y rows by outputs. */

#include "product.h"

enum { ROWS_OF_WEIGHTS = 512 };

/* Rows `first` to `last` of a product with a small right factor, whose rows and columns lie so far apart in memory.
   0, or 1 where memory is missing. */
static int rows_times(const float *x, long inner, const float *right, long row, long column, long columns, const float *bias,
                      float *y, long first, long last) {
    int depth = inner / PAIR, blocks = columns / BLOCK;
    Split *factor = room((long)blocks * depth * sizeof(Split)), *rows = room(2 * depth * sizeof(Split));
    int failed = !factor || !rows;
    if (!failed) {
        open_tiles();
        for (int n = 0; n < blocks; n++)
            for (int k = 0; k < depth; k++)
                put_pairs(factor + n * depth + k, right + k * PAIR * row + n * BLOCK * column, PAIR, BLOCK, row, column);
        for (long r = first; r < last; r += PAIR) {
            long here = last - r;
            for (int m = 0; m < 2; m++)
                for (int k = 0; k < depth; k++)
                    put_rows(rows + m * depth + k, x + (r + m * BLOCK) * inner + k * PAIR, here - m * BLOCK, inner);
            for (int j = 0; bias && j < PAIR && j < here; j++) memcpy(y + (r + j) * columns, bias, columns * sizeof(float));
            const Split *left[2] = {rows, rows + depth};
            for (int n = 0; n < blocks; n += 2) {
                const Split *beside[2] = {factor + n * depth, factor + (n + 1) * depth};
                multiply(left, beside, depth, y + r * columns + n * BLOCK, columns, bias != 0, here);
            }
        }
        _tile_release();
    }
    free(factor); free(rows);
    return failed;
}

int linear_forward(const float *x, const float *w, const float *bias, float *y, long inputs, long outputs, long first, long last) {
    return rows_times(x, inputs, w, 1, inputs, outputs, bias, y, first, last);
}

int linear_to_inputs(const float *g, const float *w, float *gx, long inputs, long outputs, long first, long last) {
    return rows_times(g, outputs, w, inputs, 1, inputs, 0, gx, first, last);
}

/* Gradients of W, and of the bias where there is one, for the blocks of 32 outputs `first` to `last`. */
int linear_to_weights(const float *x, const float *g, float *gw, float *gb, long rows, long inputs, long outputs, long first,
                      long last) {
    int most = ROWS_OF_WEIGHTS / PAIR, blocks = inputs / BLOCK;
    Split *given = room((long)blocks * most * sizeof(Split)), *slopes = room(2 * most * sizeof(Split));
    int failed = !given || !slopes;
    if (!failed) open_tiles();
    if (gb) memset(gb + first * PAIR, 0, (last - first) * PAIR * sizeof(float));
    for (long r = 0; !failed && r < rows; r += ROWS_OF_WEIGHTS) {
        long here = rows - r < ROWS_OF_WEIGHTS ? rows - r : ROWS_OF_WEIGHTS;
        int depth = up(here, PAIR) / PAIR;
        for (int k = 0; k < depth; k++)
            for (int n = 0; n < blocks; n++)
                put_pairs(given + n * most + k, x + (r + k * PAIR) * inputs + n * BLOCK, here - k * PAIR, BLOCK, inputs, 1);
        for (long o = first * PAIR; o < last * PAIR; o += PAIR) {
            for (int k = 0; k < depth; k++)
                for (int m = 0; m < 2; m++)
                    put_columns(slopes + m * most + k, g + (r + k * PAIR) * outputs + o + m * BLOCK, here - k * PAIR, outputs);
            for (int c = 0; gb && c < PAIR; c += BLOCK) {
                __m512 total = _mm512_loadu_ps(gb + o + c);
                for (long j = 0; j < here; j++) total = _mm512_add_ps(total, _mm512_loadu_ps(g + (r + j) * outputs + o + c));
                _mm512_storeu_ps(gb + o + c, total);
            }
            const Split *left[2] = {slopes, slopes + most};
            for (int n = 0; n < blocks; n += 2) {
                const Split *right[2] = {given + n * most, given + (n + 1) * most};
                multiply(left, right, depth, gw + o * inputs + n * BLOCK, inputs, r > 0, PAIR);
            }
        }
    }
    if (!failed) _tile_release();
    free(given); free(slopes);
    return failed;
}
