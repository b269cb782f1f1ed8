/// x·weightᵀ + bias over the last dimension.
///
/// - Parameters:
///   - x: `[…, inputs]`
///   - weight: `[outputs, inputs]`, PyTorch's layout
///   - bias: `[outputs]`
/// - Returns: `[…, outputs]`
public func linear(_ x: Tensor, weight: Tensor, bias: Tensor? = nil) -> Tensor {
    precondition(
        weight.shape.count == 2 && !x.shape.isEmpty && x.extent(-1) == weight.shape[1] && bias.map { $0.shape == [weight.shape[0]] } ?? true,
        "linear: input \(x.shape), weight \(weight.shape) and bias \(bias?.shape ?? []) do not fit")
    let (outputs, inputs) = (weight.shape[0], weight.shape[1])
    let rows = x.shape.dropLast().reduce(1, *)
    let result = Tensor(uninitialized: Array(x.shape.dropLast()) + [outputs])
    let operand = weight.packed(.matrix(isTransposed: true)) {
        PackedMatrix(Matrix(pointer: weight.pointer, stride: inputs, isTransposed: true), rows: inputs, columns: outputs)
    }
    operand.productInParallel(
        Matrix(pointer: x.pointer, stride: inputs), into: Matrix(pointer: result.pointer, stride: outputs), m: rows, bias: bias?.pointer)
    withExtendedLifetime((weight, bias)) {}
    let (input, matrix) = (weight.isTracked ? x.detached : nil, x.isTracked ? weight : nil)
    let (shape, hasBias) = (x.shape, bias != nil)
    return result.recorded(from: [x, weight] + (bias.map { [$0] } ?? [])) { gradient, wanted in
        let upstream = Matrix(pointer: gradient.pointer, stride: outputs)
        var gradients: [Tensor?] = [nil, nil]
        if let weight = matrix {
            let target = Tensor(uninitialized: shape)
            let operand = weight.packed(.matrix(isTransposed: false)) {
                PackedMatrix(Matrix(pointer: weight.pointer, stride: inputs), rows: outputs, columns: inputs)
            }
            operand.productInParallel(upstream, into: Matrix(pointer: target.pointer, stride: inputs), m: rows)
            gradients[0] = target
            withExtendedLifetime(weight) {}
        }
        if let input {
            gradients[1] = transposedProduct(upstream, Matrix(pointer: input.pointer, stride: inputs), shape: [outputs, inputs], rows: rows)
            withExtendedLifetime(input) {}
        }
        if hasBias { gradients.append(wanted[2] ? columnSums(gradient, columns: outputs) : nil) }
        withExtendedLifetime(gradient) {}
        return gradients
    }
}

/// aᵀ·b for a `[rows, m]` and b `[rows, n]`: the gradient of a weight.
///
/// - Parameter shape: of the result, `[…, n]`; m is the product of the others.
func transposedProduct(_ a: Matrix, _ b: Matrix, shape: [Int], rows: Int) -> Tensor {
    guard rows > 0 else { return Tensor(zeros: shape) }
    let columns = shape[shape.count - 1]
    let target = Tensor(uninitialized: shape)
    let left = Matrix(pointer: a.pointer, stride: a.stride, isTransposed: true)
    PackedMatrix(b, rows: rows, columns: columns, mayBeNarrow: false)
        .productInParallel(left, into: Matrix(pointer: target.pointer, stride: columns), m: shape.dropLast().reduce(1, *))
    return target
}

/// The sum over everything but the last dimension, `[columns]`.
func columnSums(_ x: Tensor, columns: Int) -> Tensor {
    summed(x.viewed(as: [x.count / max(1, columns), columns]), over: [0]).viewed(as: [columns])
}
