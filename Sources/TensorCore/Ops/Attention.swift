import Foundation
import Groundwork
import VectorKernels

/// Multi-head scaled dot-product self-attention (Vaswani et al. 2017, equation 1), blocked with a running softmax (Dao et al. 2022):
/// no matrix of tokens × tokens is ever held, forward or backward.
///
/// - Parameters:
///   - queriesKeysValues: `[batch, tokens, 3·channels]`, the three side by side as PyTorch's packed projection gives them;
///     head `h` owns channels `h·channels/heads ..< (h + 1)·channels/heads` of each.
///   - heads: divides the channels.
/// - Returns: `[batch, tokens, channels]`
public func attention(queriesKeysValues x: Tensor, heads: Int) -> Tensor {
    precondition(
        x.shape.count == 3 && x.count > 0 && heads > 0 && x.shape[2] % (3 * heads) == 0,
        "attention: input \(x.shape) does not hold queries, keys and values of \(heads) heads")
    let pass = AttentionPass(x, heads: heads)
    let (result, logSums) = pass.forward()
    return result.recorded(from: [x]) { gradient, _ in [pass.backward(gradient, result: result, logSums: logSums)] }
}

private struct AttentionPass {
    let x: Tensor
    let batch, tokens, channels, heads, width: Int
    let scale: Float
    /// Rows of queries, and of keys, worked on at a time: a block of scores is 64 KiB.
    let block = 256

    init(_ x: Tensor, heads: Int) {
        (self.x, self.heads) = (x, heads)
        (batch, tokens, channels) = (x.shape[0], x.shape[1], x.shape[2] / 3)
        width = channels / heads
        scale = 1 / Float(width).squareRoot()
    }

    private var blocks: Int { (tokens + block - 1) / block }

    /// Queries (0), keys (1) or values (2) of a head, from `token` on.
    private func part(_ index: Int, of tensor: Tensor, image: Int, head: Int, token: Int) -> Matrix {
        Matrix(pointer: tensor.pointer + (image * tokens + token) * 3 * channels + index * channels + head * width, stride: 3 * channels)
    }

    private func output(_ tensor: Tensor, image: Int, head: Int, token: Int) -> Matrix {
        Matrix(pointer: tensor.pointer + (image * tokens + token) * channels + head * width, stride: channels)
    }

    /// Keys (1) or values (2) of every head as right-hand operands, a block of tokens each, `[tokens, width]`, or transposed `[width, tokens]`.
    private func operands(_ index: Int, isTransposed: Bool = false) -> [PackedMatrix] {
        Parallel.map(batch * heads * blocks) { task in
            let (pair, start) = (task / blocks, task % blocks * block)
            var matrix = part(index, of: x, image: pair / heads, head: pair % heads, token: start)
            let count = min(block, tokens - start)
            matrix.isTransposed = isTransposed
            return PackedMatrix(matrix, rows: isTransposed ? width : count, columns: isTransposed ? count : width, mayBeNarrow: false)
        }
    }

    private func transposed(_ matrix: Matrix) -> Matrix {
        Matrix(pointer: matrix.pointer, stride: matrix.stride, isTransposed: true)
    }

    /// The result and, for each head and token, the logarithm of the sum of its exponentials, `[batch · heads · tokens]`.
    func forward() -> (result: Tensor, logSums: Tensor) {
        let result = Tensor(uninitialized: [batch, tokens, channels])
        let logSums = Tensor(uninitialized: [batch * heads * tokens])
        let (keys, values) = (operands(1, isTransposed: true), operands(2))
        Parallel.forEach(batch * heads * blocks) { task in
            let (pair, start) = (task / blocks, task % blocks * block)
            let (image, head) = (pair / heads, pair % heads)
            let rows = min(block, tokens - start)
            let scores = Storage(count: block * block + 3 * block)
            let (maximum, sum, correction) = (
                scores.pointer + block * block, scores.pointer + block * (block + 1), scores.pointer + block * (block + 2)
            )
            vector_fill(rows, -.greatestFiniteMagnitude, maximum)
            vector_fill(rows, 0, sum)
            let queries = part(0, of: x, image: image, head: head, token: start)
            let matrix = Matrix(pointer: scores.pointer, stride: block)
            let target = output(result, image: image, head: head, token: start)
            for other in 0..<blocks {
                let operand = keys[pair * blocks + other]
                operand.product(queries, into: matrix, m: rows)
                vector_softmax_block(rows, operand.columns, block, scale, scores.pointer, maximum, sum, correction)
                if other > 0 { vector_scale_rows(rows, width, channels, correction, target.pointer) }
                values[pair * blocks + other].product(matrix, into: target, m: rows, accumulates: other > 0)
            }
            for row in 0..<rows {
                logSums.pointer[pair * tokens + start + row] = maximum[row] + logf(sum[row])
                correction[row] = 1 / sum[row]
            }
            vector_scale_rows(rows, width, channels, correction, target.pointer)
            withExtendedLifetime(scores) {}
        }
        withExtendedLifetime(x) {}
        return (result, logSums)
    }

    /// Tasks that a head's blocks of keys are shared among where there are few heads.
    private var shares: Int { max(1, min(blocks, 16 / (batch * heads))) }

    /// Every task adds to the gradients of its own keys and values for all queries, in order, and to those of the queries: of the first share in the result, of others in a
    /// copy of their own.
    func backward(_ gradient: Tensor, result: Tensor, logSums: Tensor) -> Tensor {
        let shares = shares
        let total = Tensor(zeros: x.shape)
        let others = (1..<shares).map { _ in Tensor(zeros: [batch, tokens, channels]) }
        let (keys, keysTransposed, valuesTransposed) = (operands(1), operands(1, isTransposed: true), operands(2, isTransposed: true))
        Parallel.forEach(batch * heads * shares) { task in
            let (pair, share) = (task / shares, task % shares)
            let (image, head) = (pair / heads, pair % heads)
            let scratch = Storage(count: 2 * block * block + block)
            let scores = Matrix(pointer: scratch.pointer, stride: block)
            let slopes = Matrix(pointer: scratch.pointer + block * block, stride: block)
            let delta = scratch.pointer + 2 * block * block
            for start in stride(from: 0, to: tokens, by: block) {
                let rows = min(block, tokens - start)
                let queries = part(0, of: x, image: image, head: head, token: start)
                let outer = output(gradient, image: image, head: head, token: start)
                let value = output(result, image: image, head: head, token: start)
                let target =
                    share == 0
                    ? part(0, of: total, image: image, head: head, token: start) : output(others[share - 1], image: image, head: head, token: start)
                let queryOperand = PackedMatrix(queries, rows: rows, columns: width, mayBeNarrow: false)
                let outerOperand = PackedMatrix(outer, rows: rows, columns: width, mayBeNarrow: false)
                for row in 0..<rows { delta[row] = Float(vector_dot(width, outer.pointer + row * channels, value.pointer + row * channels)) }
                for other in blocks * share / shares..<blocks * (share + 1) / shares {
                    let (index, token) = (pair * blocks + other, other * block)
                    let count = keysTransposed[index].columns
                    keysTransposed[index].product(queries, into: scores, m: rows)
                    vector_softmax_from_log_sum(rows, count, block, scale, logSums.pointer + pair * tokens + start, scores.pointer)
                    outerOperand.product(
                        transposed(scores), into: part(2, of: total, image: image, head: head, token: token), m: count, accumulates: true)
                    valuesTransposed[index].product(outer, into: slopes, m: rows)
                    vector_softmax_gradient(rows, count, block, scale, scores.pointer, delta, slopes.pointer)
                    keys[index].product(slopes, into: target, m: rows, accumulates: true)
                    queryOperand.product(
                        transposed(slopes), into: part(1, of: total, image: image, head: head, token: token), m: count, accumulates: true)
                }
            }
            withExtendedLifetime(scratch) {}
        }
        Parallel.forEachBlock(of: batch * tokens, size: block) { rows in
            for row in rows {
                for other in others { vector_accumulate(channels, other.pointer + row * channels, 1, total.pointer + row * 3 * channels) }
            }
        }
        withExtendedLifetime((x, gradient, result, logSums, others)) {}
        return total
    }
}
