import Groundwork
import VectorKernels

/// x·weightᵀ + bias over the last dimension.
///
/// - Parameters:
///   - x: `[…, inputs]`
///   - weight: `[outputs, inputs]`, PyTorch's layout
///   - bias: `[outputs]`
/// - Returns: `[…, outputs]`
public func linear(_ x: Tensor, weight: Tensor, bias: Tensor? = nil) -> Tensor {
    precondition(
        weight.shape.count == 2 && x.extent(-1) == weight.shape[1] && bias.map { $0.shape == [weight.shape[0]] } ?? true,
        "linear: input \(x.shape), weight \(weight.shape) and bias \(bias?.shape ?? []) do not fit")
    let (outputs, inputs) = (weight.shape[0], weight.shape[1])
    let rows = x.count / inputs
    let result = Tensor(uninitialized: Array(x.shape.dropLast()) + [outputs])
    denseProduct(x, weight, isTransposed: true, bias: bias, into: result, rows: rows, inputs: inputs, outputs: outputs)
    return result.recorded(from: [x, weight] + (bias.map { [$0] } ?? [])) { gradient, wanted in
        var gradients: [Tensor?] = [nil, nil]
        if wanted[0] {
            let target = Tensor(uninitialized: x.shape)
            denseProduct(gradient, weight, isTransposed: false, bias: nil, into: target, rows: rows, inputs: outputs, outputs: inputs)
            gradients[0] = target
        }
        if wanted[1] {
            let target = Tensor(uninitialized: weight.shape)
            multiplyInParallel(
                Matrix(pointer: gradient.pointer, stride: outputs, isTransposed: true), Matrix(pointer: x.pointer, stride: inputs),
                into: Matrix(pointer: target.pointer, stride: inputs), m: outputs, n: inputs, k: rows)
            gradients[1] = target
        }
        if bias != nil { gradients.append(wanted[2] ? columnSums(gradient, columns: outputs) : nil) }
        return gradients
    }
}

/// result ← x·weight (+ bias), `[rows, inputs]` × `[inputs, outputs]`, in blocks of rows.
func denseProduct(_ x: Tensor, _ weight: Tensor, isTransposed: Bool, bias: Tensor?, into result: Tensor, rows: Int, inputs: Int, outputs: Int) {
    let matrix = Matrix(pointer: weight.pointer, stride: isTransposed ? inputs : outputs, isTransposed: isTransposed)
    Parallel.forEachBlock(of: rows, size: 256) { block in
        let target = result.pointer + block.lowerBound * outputs
        multiply(
            Matrix(pointer: x.pointer + block.lowerBound * inputs, stride: inputs), matrix, into: Matrix(pointer: target, stride: outputs),
            m: block.count,
            n: outputs, k: inputs)
        if let bias { vector_add(block.count, outputs, target, outputs, 1, bias.pointer, 0, 1, target) }
    }
}

/// The sum over everything but the last dimension, `[columns]`.
func columnSums(_ x: Tensor, columns: Int) -> Tensor {
    summed(x.viewed(as: [x.count / max(1, columns), columns]), over: [0]).viewed(as: [columns])
}
